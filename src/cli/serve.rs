//! `zhitong serve`: runs the gateway.

use std::{io::Write as _, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::{Global, log, model, wechat};
use crate::{
    app::{
        App, auth,
        content::ContentStore,
        demo, exchange,
        relay::Relay,
        system::{SystemClock, SystemIds},
        units, wechat as inbound, wechat_out,
    },
    channels::{webhook::HttpWebhooks, wechat::api::WechatClient},
    config::Config,
    jobs,
    ports::Clock as _,
    store::Db,
    web,
};

/// 运行网关
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong serve                        不用配置：./data 下的 SQLite，http://127.0.0.1:8080
  zhitong serve --demo                 另加一套演示数据（单位、账号、企业、诉求件都是虚构的）
  zhitong serve --config /etc/zhitong.toml --listen 0.0.0.0:8080")]
pub struct Args {
    /// 监听地址（缺省：配置里的 server.listen）
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// 加入演示数据
    #[arg(long)]
    pub demo: bool,
}

/// Runs the command.
///
/// # Errors
/// When the configuration, the database, the content or the address cannot be used.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let mut config = global.load_config()?;
    if let Some(listen) = args.listen {
        config.server.listen = listen;
    }
    log::start(&config);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(serve(config, args.demo))
}

async fn serve(config: Config, demo: bool) -> anyhow::Result<ExitCode> {
    let clock = SystemClock;
    let db = Db::open_with(&config.database.url, config.database.max_connections)
        .await
        .context("cannot open the database")?;
    let ran = db.migrate(clock.now()).await.context("cannot bring the database up to date")?;
    if !ran.is_empty() {
        tracing::info!(migrations = ran.len(), "the database was brought up to date");
    }
    let content = ContentStore::open(&config, &db, clock.now()).await.context("cannot load the rules")?;
    let listener =
        web::serve::bind(config.server.listen).with_context(|| format!("cannot listen on {}", config.server.listen))?;
    let address = listener.local_addr().context("cannot tell the address")?;
    let app = App::new(config, db, content, Arc::new(clock), Arc::new(SystemIds));

    if let Some(client) = model::build_model(&app.config)? {
        app.model.connect(client);
    }
    units::sync(&app).await.context("cannot store the units")?;
    let password = auth::ensure_admin(&app).await.context("cannot make the first account")?;
    let demo_lines = if demo { prepare_demo(&app).await? } else { Vec::new() };
    // Before the first request: what happens from now on is heard.
    let relay = Relay::open(&app).await.context("cannot listen to other gateways")?;
    print_start(&app, address, password.as_deref(), &demo_lines).context("cannot write to the terminal")?;

    let exchange = tokio::spawn(exchange::run(app.clone()));
    let mut jobs = start_jobs(&app)?;
    jobs.extend(relay.map(|relay| tokio::spawn(relay.run())));
    let stop = tokio::spawn(wait_for_stop(app.clone()));
    web::serve::serve(&app, listener, web::router::build(&app)).await;
    // The last request is answered: nothing new comes in.
    app.exchange_stopped.cancel();
    let _ = exchange.await;
    for job in jobs {
        // A message that is on its way to WeChat should learn its fate: its call takes eight seconds at most.
        let _ = tokio::time::timeout(Duration::from_secs(10), job).await;
    }
    stop.abort();
    app.db.close().await;
    tracing::info!("stopped");
    // EX_IOERR tells the supervisor that a restart may help.
    Ok(if app.fatal.is_cancelled() { ExitCode::from(74) } else { ExitCode::SUCCESS })
}

async fn wait_for_stop(app: App) {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::error!("signals cannot be received; the gateway only stops by being killed");
        return;
    };
    tokio::select! {
        _ = term.recv() => {},
        _ = int.recv() => {},
        () = app.fatal.cancelled() => {},
    }
    tracing::info!("stopping: open requests may finish");
    app.shutdown.cancel();
}

fn start_jobs(app: &App) -> anyhow::Result<Vec<tokio::task::JoinHandle<()>>> {
    let reload = tokio::spawn(watch_content(app.clone()));
    let mut set = jobs::runner::start(app);
    let timed = tokio::spawn(async move { while set.join_next().await.is_some() {} });
    let sender = HttpWebhooks::new().map_err(anyhow::Error::msg).context("cannot set up outgoing connections")?;
    let outbox = tokio::spawn(send_outbox(app.clone(), sender));
    let answers = tokio::spawn(jobs::model::run(app.clone()));
    let proposals = tokio::spawn(jobs::proposals::run(app.clone()));
    let mut started = vec![reload, timed, outbox, answers, proposals];
    if !app.config.wechat.is_empty() {
        let client = Arc::new(wechat::client(&app.config).context("cannot set up connections to WeChat")?);
        app.wechat.connect(client.clone());
        started.push(tokio::spawn(send_wechat(app.clone(), client.clone())));
        started.push(tokio::spawn(fetch_wechat(app.clone(), client)));
    }
    Ok(started)
}

/// Sends what waits for WeChat users, at once when something was written and every second for what is due again.
async fn send_wechat(app: App, client: Arc<WechatClient>) {
    if let Err(error) = wechat_out::take_up(&app).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "messages under way before the restart wait a while");
    }
    loop {
        if let Err(error) = jobs::wechat_out::run_once(&app, &*client).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "messages to WeChat could not be worked off");
        }
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            () = app.wake.wechat.notified() => {},
            () = tokio::time::sleep(Duration::from_secs(1)) => {},
        }
    }
}

/// Takes up files that a process before this one had begun to fetch, and reads 微信客服: once at the start, then whenever
/// a callback says so.
async fn fetch_wechat(app: App, client: Arc<WechatClient>) {
    // Beside the reading: a welcome does not wait for files of yesterday.
    let of_files = app.clone();
    tokio::spawn(async move {
        if let Err(error) = inbound::take_up(&of_files).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "files begun before the restart were not taken up"
            );
        }
    });
    for name in app.config.wechat.kf.keys() {
        inbound::kf_due(&app, name, "");
    }
    loop {
        if let Err(error) = inbound::kf_fetch(&app, &*client).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "微信客服 could not be read");
        }
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            () = app.wake.wechat_kf.notified() => {},
            () = tokio::time::sleep(inbound::kf_pause(&app).unwrap_or(Duration::from_secs(30))) => {},
        }
    }
}

/// Sends what waits in the outbox, at once when something was written and every few seconds for what is due again.
async fn send_outbox(app: App, sender: HttpWebhooks) {
    loop {
        if let Err(error) = jobs::outbox::run_once(&app, &sender).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the outbox could not be worked off");
        }
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            () = app.wake.outbox.notified() => {},
            () = tokio::time::sleep(Duration::from_secs(5)) => {},
        }
    }
}

/// Takes up changed rule files.
async fn watch_content(app: App) {
    let every = Duration::from_millis(app.config.content.poll_ms.max(100));
    loop {
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            () = tokio::time::sleep(every) => {},
        }
        match app.content.refresh(&app.db, app.now()).await {
            Ok(false) => {}
            Ok(true) => {
                app.metrics.content_reloads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if let Err(error) = units::sync(&app).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "units were not brought up to date");
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "changed rules were not taken up");
            }
        }
        let refused = !app.content.status().errors.is_empty();
        app.metrics.content_refused.store(refused, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Loads the demonstration and tells how to log in.
async fn prepare_demo(app: &App) -> anyhow::Result<Vec<String>> {
    let demo = demo::load(app).await.context("cannot load the demonstration")?;
    let mut lines = vec![
        String::new(),
        format!("演示数据（人和企业都是虚构的）：{} 件诉求。演示账号的密码都是 {}", demo.cases, demo.password),
    ];
    lines.extend(
        demo.accounts.iter().map(|account| format!("  {:<14} {}  {}", account.login, account.name, account.roles)),
    );
    if let Some((number, code)) = &demo.sample {
        lines.push(format!("  查进度可用  编号 {number}  查询码 {code}"));
    }
    Ok(lines)
}

fn print_start(app: &App, address: SocketAddr, password: Option<&str>, demo: &[String]) -> std::io::Result<()> {
    let shown =
        if address.ip().is_unspecified() { format!("127.0.0.1:{}", address.port()) } else { address.to_string() };
    let base = app.config.server.public_url.clone().unwrap_or_else(|| format!("http://{shown}"));
    let base = base.trim_end_matches('/');
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}已启动", app.config.brand.name)?;
    writeln!(out, "  企业端    {base}/")?;
    writeln!(out, "  查进度    {base}/track")?;
    writeln!(out, "  工作台    {base}/desk")?;
    writeln!(out, "  接口文档  {base}/api/docs")?;
    if let Some(password) = password {
        writeln!(out, "\n首次启动，管理员账号（只显示这一次，登录后必须修改密码）：")?;
        writeln!(out, "  登录名  admin\n  密码    {password}")?;
    }
    for line in demo {
        writeln!(out, "{line}")?;
    }
    out.flush()
}
