//! `zhitong doctor`: looks at everything an operator is responsible for and says what to do about each finding.

mod model;
mod wechat;

use std::{io::Write, path::Path, process::ExitCode};

use jiff::{Timestamp, civil::Date};
use serde_json::json;

use super::Global;
use crate::{
    app::{
        content::{self, Content},
        system::SystemClock,
    },
    config::{Config, ConfigError},
    domain::{
        rules::{Diagnostic, Level},
        sla::{ProfileKind, chinese_date},
    },
    ports::Clock,
    store::{Db, backup, migrations},
};

/// 体检：配置、数据库、规则、日历、渠道、模型，逐项说明怎么处理
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong doctor
  zhitong doctor --json
  zhitong doctor --offline       # 不连接微信平台和模型
  zhitong doctor --verify        # 同时检查整个数据库和每件诉求的审计链（数据多时较慢）

退出码：0 没有错误，1 有错误要处理，2 无法检查")]
pub struct Args {
    /// 输出 JSON
    #[arg(long)]
    json: bool,
    /// 同时检查整个数据库
    #[arg(long)]
    verify: bool,
    /// 不连接微信平台和模型
    #[arg(long)]
    offline: bool,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Fine,
    Note,
    Warning,
    Error,
}

impl Grade {
    const fn word(self) -> &'static str {
        match self {
            Self::Fine => "正常",
            Self::Note => "提示",
            Self::Warning => "警告",
            Self::Error => "错误",
        }
    }

    const fn slug(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

struct Finding {
    area: &'static str,
    grade: Grade,
    what: String,
    advice: Option<String>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn fine(&mut self, area: &'static str, what: impl Into<String>) {
        self.0.push(Finding { area, grade: Grade::Fine, what: what.into(), advice: None });
    }

    fn add(&mut self, area: &'static str, grade: Grade, what: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Finding { area, grade, what: what.into(), advice: Some(advice.into()) });
    }
}

/// Runs the command.
///
/// # Errors
/// When nothing can be written.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let now = SystemClock.now();
    let mut findings = Findings::default();
    match Config::load(global.config.as_deref()) {
        Ok(config) => {
            let file = global.config.as_deref().unwrap_or(Path::new("zhitong.toml"));
            if file.exists() {
                findings.fine("配置", format!("{} 可用", file.display()));
            } else {
                findings.add(
                    "配置",
                    Grade::Note,
                    "没有配置文件，使用缺省值",
                    "正式使用时复制 zhitong.example.toml 为 zhitong.toml 并修改",
                );
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(database(&config, args.verify, &mut findings));
            rules(&config, now, &mut findings);
            channels(&config, &mut findings);
            if !args.offline {
                runtime.block_on(wechat::look(&config, &mut findings));
            }
            runtime.block_on(model::look(&config, !args.offline, &mut findings));
        }
        Err(ConfigError::Problems(problems)) => {
            for problem in problems {
                findings.add("配置", Grade::Error, problem.to_string(), "改正后再运行；可对照 zhitong.example.toml");
            }
        }
        Err(error @ ConfigError::Read { .. }) => {
            findings.add("配置", Grade::Error, error.to_string(), "检查文件名和权限");
        }
    }
    report(&findings, args.json)?;
    let bad = findings.0.iter().any(|f| f.grade == Grade::Error);
    Ok(if bad { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

async fn database(config: &Config, verify: bool, findings: &mut Findings) {
    const AREA: &str = "数据库";
    let url = &config.database.url;
    if let Some(file) = url.strip_prefix("sqlite://")
        && !Path::new(file.split('?').next().unwrap_or(file)).exists()
    {
        findings.add(AREA, Grade::Note, "数据库还没有建立", "首次执行 zhitong serve 或 zhitong db migrate 时自动建立");
        return;
    }
    let db = match Db::open(url).await {
        Ok(db) => db,
        Err(error) => {
            let error = anyhow::Error::new(error);
            findings.add(
                AREA,
                Grade::Error,
                format!("打不开：{error:#}"),
                "检查 [database] url、文件权限或数据库服务；SQLite 要求 3.51.3 以上、WAL、synchronous=FULL",
            );
            return;
        }
    };
    match facts(&db).await {
        Ok(line) => findings.fine(AREA, line),
        Err(error) => findings.add(AREA, Grade::Error, format!("读不出设置：{error}"), "检查数据库日志"),
    }
    match migrations::pending(&db).await {
        Ok(pending) if pending.is_empty() => findings.fine(AREA, "表结构是最新的"),
        Ok(pending) => {
            findings.add(
                AREA,
                Grade::Warning,
                format!("表结构落后 {} 步", pending.len()),
                "执行 zhitong db migrate（先备份）",
            );
        }
        Err(_) => findings.add(AREA, Grade::Warning, "还没有建表", "执行 zhitong db migrate"),
    }
    if verify {
        match backup::verify(&db).await {
            Ok(found) if found.is_sound() => findings.fine(AREA, format!("完整，{} 件诉求的审计链无断裂", found.cases)),
            Ok(found) => {
                let what = format!("损坏 {} 处，审计链断裂 {} 件", found.damage.len(), found.broken.len());
                findings.add(AREA, Grade::Error, what, "执行 zhitong db verify 看明细，与最近的备份比对");
            }
            Err(error) => findings.add(AREA, Grade::Error, format!("检查失败：{error}"), "检查磁盘和数据库日志"),
        }
    }
    db.close().await;
}

/// What the database says about itself, read back and not assumed.
async fn facts(db: &Db) -> Result<String, crate::store::StoreError> {
    let facts = db.facts().await?;
    Ok(facts.join("，"))
}

fn rules(config: &Config, now: Timestamp, findings: &mut Findings) {
    const AREA: &str = "规则";
    let dir = Path::new(&config.content.rules_dir);
    let (files, origin) = match content::read_content(&config.content) {
        Ok(read) => read,
        Err(error) => {
            findings.add(AREA, Grade::Error, error.to_string(), "检查 [content] rules_dir 和文件权限");
            return;
        }
    };
    if origin == content::Origin::Shipped {
        findings.add(
            AREA,
            Grade::Note,
            format!("没有 {} 目录，使用程序自带的规则", dir.display()),
            "要修改规则时，把发行包的 rules/ 放到该目录",
        );
    }
    let mut built = content::build(&files, &config.time, now, origin, false);
    if let Some(content) = &built.content {
        built.diagnostics.extend(content::example_errors(content, &config.region.code));
    }
    let of_prompts = |d: &&Diagnostic| d.level == Level::Error && d.code.starts_with('P');
    let wrong: Vec<&Diagnostic> = built.diagnostics.iter().filter(of_prompts).collect();
    if let Some(first) = wrong.first() {
        let what = format!("{} 个错误，例如 {first}", wrong.len());
        findings.add("提示词", Grade::Error, what, "对照 prompts/README.md 改正；运行中的服务仍用上一套好的");
    }
    let count =
        |level: Level| built.diagnostics.iter().filter(|d| d.level == level && !d.code.starts_with('P')).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    if let Some(first) = built.diagnostics.iter().find(|d| d.level == Level::Error && !d.code.starts_with('P')) {
        let what = format!("{errors} 个错误，例如 {first}");
        findings.add(AREA, Grade::Error, what, "执行 zhitong rules check 看全部；运行中的服务仍用上一套好的规则");
    }
    if warnings > 0 {
        findings.add(AREA, Grade::Note, format!("{warnings} 个警告"), "执行 zhitong rules check 看明细");
    }
    let Some(content) = built.content else { return };
    prompts(config, &content, findings);
    findings.fine(AREA, format!("{} 条规则，{} 个时限口径", content.rules.rules().len(), content.book.profiles.len()));
    if content.book.profile(&config.sla.policy).is_none() {
        let known: Vec<_> = content.book.profiles.iter().map(|p| p.name.as_str()).collect();
        let advice = format!("[sla] policy 改为其中之一：{}", known.join("、"));
        findings.add("时限", Grade::Error, format!("没有“{}”这个时限口径", config.sla.policy), advice);
    }
    let today = content.schedule.civil(now).date();
    expiry(&content, today, findings);
    calendars(&content, today, findings);
}

fn prompts(config: &Config, content: &Content, findings: &mut Findings) {
    let from = if Path::new(&config.content.prompts_dir).is_dir() { "" } else { "（程序自带）" };
    findings.fine("提示词", format!("{} 份{from}", content.prompts.all().count()));
}

/// Days until a date, negative when it is past.
fn days_to(today: Date, day: Date) -> i32 {
    today.until(day).map_or(0, |span| span.get_days())
}

fn expiry(content: &Content, today: Date, findings: &mut Findings) {
    let mut expired = Vec::new();
    let mut soon = Vec::new();
    for rule in content.rules.rules() {
        let Some(last) = rule.valid_until else { continue };
        match days_to(today, last) {
            left if left < 0 => expired.push(rule.id.clone()),
            0..=90 => soon.push((last, rule.id.clone())),
            _ => {}
        }
    }
    if !expired.is_empty() {
        let what = format!("{} 条规则已过有效期，不再引用：{}", expired.len(), some(&expired));
        findings.add("规则", Grade::Warning, what, "核对文件是否续期，更新 valid_until 或停用规则");
    }
    soon.sort();
    if let Some((first, _)) = soon.first() {
        let ids: Vec<String> = soon.iter().map(|(_, id)| id.clone()).collect();
        let grade = if days_to(today, *first) <= 30 { Grade::Warning } else { Grade::Note };
        let what = format!("{} 条规则在90天内到期，最早 {}：{}", soon.len(), chinese_date(*first), some(&ids));
        findings.add("规则", grade, what, "提前核对新文件");
    }
    for profile in content.book.profiles.iter().filter(|p| p.kind == ProfileKind::Profile) {
        let Some(last) = profile.valid_to else { continue };
        let left = days_to(today, last);
        let what = format!("{}（{}）有效期至 {}", profile.title, profile.basis, chinese_date(last));
        if left < 0 {
            findings.add(
                "时限",
                Grade::Warning,
                format!("{what}，已过期"),
                "核对接续文件，更新 rules/sla/ 下的口径；办理中的诉求不受影响",
            );
        } else if left <= 90 {
            findings.add("时限", Grade::Warning, what, "提前核对接续文件");
        }
    }
}

/// The first few, and how many more there are.
fn some(ids: &[String]) -> String {
    let head: Vec<&str> = ids.iter().take(5).map(String::as_str).collect();
    let more = ids.len().saturating_sub(5);
    if more > 0 { format!("{} 等 {} 条", head.join("、"), ids.len()) } else { head.join("、") }
}

fn calendars(content: &Content, today: Date, findings: &mut Findings) {
    const AREA: &str = "日历";
    let calendar = content.schedule.calendar();
    let advice = |year: i16| {
        format!(
            "按国务院办公厅通知录入 rules/calendar/cn-{year}.toml（可照 cn-{}.toml 的样子写），录入后到期时间自动重算",
            year - 1
        )
    };
    if let Some(notice) = calendar.year(today.year()) {
        findings.fine(AREA, format!("{} 年：{}", notice.year, notice.doc_no));
    } else {
        let what = format!("{} 年的放假安排没有录入，所有到期时间都是暂算", today.year());
        findings.add(AREA, Grade::Error, what, advice(today.year()));
    }
    let next = today.year() + 1;
    match calendar.year(next) {
        Some(notice) => findings.fine(AREA, format!("{next} 年：{}", notice.doc_no)),
        // The notice comes in the first half of November; before that there is nothing to be done.
        None if today.month() < 11 => {
            findings.add(AREA, Grade::Note, format!("{next} 年的放假安排尚未公布"), advice(next));
        }
        None => {
            let what = format!("{next} 年的放假安排没有录入，跨年的到期时间是暂算");
            findings.add(AREA, Grade::Warning, what, advice(next));
        }
    }
}

fn channels(config: &Config, findings: &mut Findings) {
    const AREA: &str = "渠道";
    findings.fine(AREA, "网页对话可用");
    if config.server.public_url.is_none() {
        findings.add(
            AREA,
            Grade::Note,
            "没有设置 public_url",
            "对外提供服务时在 [server] 设置，嵌入代码和通知里的链接由它决定",
        );
    } else if config.server.public_url.as_deref().is_some_and(|url| url.starts_with("http://")) {
        findings.add(AREA, Grade::Warning, "public_url 不是 https", "对外提供服务须用 https，否则登录和会话可被窃听");
    }
    let accounts = config.wechat.oa.len() + config.wechat.work.len() + config.wechat.kf.len();
    if accounts > 0 {
        findings.fine(AREA, format!("配置了 {accounts} 个微信账号"));
    }
    for target in &config.webhooks.outbound {
        if target.url.starts_with("http://") {
            let advice = "推送含诉求信息，除本机调试外请用 https";
            findings.add(AREA, Grade::Warning, format!("推送目标“{}”不是 https", target.name), advice);
        }
    }
}

fn report(findings: &Findings, as_json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        let list: Vec<_> = findings
            .0
            .iter()
            .map(|f| json!({"area": f.area, "level": f.grade.slug(), "message": f.what, "advice": f.advice}))
            .collect();
        let errors = findings.0.iter().filter(|f| f.grade == Grade::Error).count();
        let warnings = findings.0.iter().filter(|f| f.grade == Grade::Warning).count();
        let all = json!({"findings": list, "errors": errors, "warnings": warnings});
        return writeln!(out, "{all:#}");
    }
    for finding in &findings.0 {
        writeln!(out, "[{}] {}：{}", finding.grade.word(), finding.area, finding.what)?;
        if let Some(advice) = &finding.advice {
            writeln!(out, "       → {advice}")?;
        }
    }
    let worst = findings.0.iter().map(|f| f.grade).max().unwrap_or(Grade::Fine);
    let verdict = match worst {
        Grade::Fine | Grade::Note => "可以运行。",
        Grade::Warning => "可以运行，有警告要处理。",
        Grade::Error => "有错误要先处理。",
    };
    writeln!(out, "{verdict}")
}
