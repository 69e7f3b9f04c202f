//! A running gateway and a real headless Chromium to walk through it.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element};
use serde_json::{Value, json};

/// How long a page may take to show what is expected.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Whether browser tests can run here. In CI a missing browser is a failure, elsewhere the suite is left out.
#[expect(clippy::print_stderr, reason = "a person who runs the tests should know what was left out")]
pub(super) fn available() -> bool {
    let found = ["chromedriver", "chromium"].iter().all(|name| find_program(name).is_some());
    assert!(found || std::env::var_os("CI").is_none(), "chromium and chromedriver are needed in CI");
    if !found {
        eprintln!("left out: no chromium and chromedriver on this machine");
    }
    found
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// The real binary with demo data on a free port, in a folder of its own.
pub(super) struct Gateway {
    child: Child,
    /// Address, without a slash at the end.
    pub(super) url: String,
    port: u16,
    dir: tempfile::TempDir,
    settings: Vec<(String, String)>,
    output: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    /// Starts `zhitong serve --demo` and waits until it is ready.
    pub(super) async fn demo() -> Self {
        Self::with(Vec::new()).await
    }

    /// The same with settings from the environment.
    pub(super) async fn with(settings: Vec<(String, String)>) -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let port = free_port();
        let output = Arc::new(Mutex::new(Vec::new()));
        let child = spawn(dir.path(), port, &settings, &output);
        let gateway = Self { child, url: format!("http://127.0.0.1:{port}"), port, dir, settings, output };
        gateway.ready().await;
        gateway
    }

    /// Kills it without warning, as a power cut would, and starts it again over the same data.
    pub(super) async fn restart_after_kill(&mut self) {
        self.stop();
        self.start_again().await;
    }

    /// Stops it; what it stored stays.
    pub(super) fn stop(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("reaped");
    }

    /// Starts it again after [`Gateway::stop`].
    pub(super) async fn start_again(&mut self) {
        self.child = spawn(self.dir.path(), self.port, &self.settings, &self.output);
        self.ready().await;
    }

    async fn ready(&self) {
        let started = Instant::now();
        let address = format!("127.0.0.1:{}", self.port);
        while !http_ok(&address, "/readyz").await {
            assert!(started.elapsed() < Duration::from_mins(1), "not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The folder of rules that it watches.
    pub(super) fn rules(&self) -> PathBuf {
        self.dir.path().join("rules")
    }

    /// The password of the demo accounts, as the start-up text gives it.
    pub(super) fn password(&self) -> String {
        let log = self.log();
        log.lines()
            .find_map(|line| line.split("演示账号的密码都是 ").nth(1).map(|word| word.trim().to_owned()))
            .unwrap_or_else(|| panic!("no password of the demonstration in:\n{log}"))
    }

    /// Everything it printed so far.
    pub(super) fn log(&self) -> String {
        self.output.lock().expect("no poisoned lock").join("\n")
    }
}

fn spawn(dir: &Path, port: u16, settings: &[(String, String)], output: &Arc<Mutex<Vec<String>>>) -> Child {
    let rules = dir.join("rules");
    if !rules.exists() {
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"), &rules);
        open_today(&rules);
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_zhitong"))
        .args(["serve", "--demo", "--listen", &format!("127.0.0.1:{port}")])
        .current_dir(dir)
        .env("ZHITONG__TIME__BUSINESS_HOURS", r#"["00:00-23:59"]"#)
        .envs(settings.iter().cloned())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the gateway starts");
    collect(child.stdout.take().expect("piped"), output);
    collect(child.stderr.take().expect("piped"), output);
    child
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder reads").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Makes today and the days around it working days, so that officers are at work whenever the test runs.
fn open_today(rules: &Path) {
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").expect("the zone's data is compiled in");
    let now = jiff::Timestamp::try_from(std::time::SystemTime::now()).expect("a sane clock");
    let today = zone.to_datetime(now).date();
    for year in [today.year(), today.year() + 1] {
        let days: Vec<String> = (0..4)
            .filter_map(|n| today.checked_add(jiff::Span::new().days(n)).ok())
            .filter(|day| day.year() == year && day.weekday().to_monday_one_offset() > 5)
            .map(|day| format!("{day:?}").replace(' ', ""))
            .map(|day| format!("\"{day}\""))
            .collect();
        let text = format!(
            "schema = 1\nyear = {year}\ntitle = \"测试日历\"\ndoc_no = \"测试\"\nissuer = \"测试\"\nissued_on = {}-11-01\n\n\
             [[holiday]]\nname = \"元旦\"\noff = [\"{year}-01-01\"]\nwork = [{}]\n",
            year - 1,
            days.join(", ")
        );
        std::fs::write(rules.join(format!("calendar/cn-{year}.toml")), text).expect("written");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl std::io::Read + Send + 'static, into: &Arc<Mutex<Vec<String>>>) {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            into.lock().expect("no poisoned lock").push(line);
        }
    });
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port()
}

async fn http_ok(address: &str, path: &str) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tokio::net::TcpStream::connect(address).await else { return false };
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.is_ok() && answer.starts_with("HTTP/1.1 200")
}

/// One chromedriver; every [`Browser`] of a test is a session of it.
pub(super) struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    /// Starts chromedriver on a port of its own choice.
    pub(super) fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = out.lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| line.split("successfully on port ").nth(1).map(|p| p.trim_end_matches('.').to_owned()))
            .expect("chromedriver names its port");
        // The pipe must stay open, or chromedriver dies of its next line.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One person at one screen.
pub(super) struct Browser {
    /// The session.
    pub(super) client: Client,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Opens a window of that width.
    pub(super) async fn open(driver: &Driver, width: u32, height: u32) -> Self {
        let profile = tempfile::tempdir().expect("temp dir");
        let mut capabilities = serde_json::Map::new();
        capabilities.insert(
            "goog:chromeOptions".into(),
            json!({ "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--lang=zh-CN",
                format!("--window-size={width},{height}"),
                format!("--user-data-dir={}", profile.path().display()),
            ]}),
        );
        capabilities.insert("goog:loggingPrefs".into(), json!({ "browser": "ALL" }));
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&driver.url)
            .await
            .expect("chromium opens");
        client.set_window_size(width, height).await.expect("window size");
        Self { client, _profile: profile }
    }

    /// Goes to an address.
    pub(super) async fn goto(&self, url: &str) {
        self.client.goto(url).await.expect("page opens");
    }

    /// Waits for an element.
    pub(super) async fn find(&self, css: &str) -> Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => panic!("no {css}: {error}\n{}", self.text().await),
        }
    }

    /// Waits for an element and clicks it, also when something moves in between.
    pub(super) async fn click(&self, css: &str) {
        let started = Instant::now();
        loop {
            let error = match self.find(css).await.click().await {
                Ok(()) => return,
                Err(error) => error,
            };
            assert!(started.elapsed() < PATIENCE, "cannot click {css}: {error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Types into a field.
    pub(super) async fn write(&self, css: &str, text: &str) {
        self.find(css).await.send_keys(text).await.expect("typed");
    }

    /// Runs a script and returns its value.
    pub(super) async fn js(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("script runs")
    }

    /// The text that a person reads on the page.
    pub(super) async fn text(&self) -> String {
        self.js("return document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the script returns true.
    pub(super) async fn until(&self, script: &str) {
        let started = Instant::now();
        while self.js(&format!("return !!({script})")).await != json!(true) {
            assert!(started.elapsed() < PATIENCE, "never true: {script}\n{}", self.text().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page shows the words.
    pub(super) async fn sees(&self, words: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(words))).await;
    }

    /// How often the words stand on the page.
    pub(super) async fn count(&self, words: &str) -> usize {
        self.text().await.matches(words).count()
    }

    /// Closes the window.
    pub(super) async fn close(self) {
        let _ = self.client.close().await;
    }
}
