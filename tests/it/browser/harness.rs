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
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Whether browser tests can run here. In CI a missing browser is a failure, elsewhere the suite is left out.
pub fn available() -> bool {
    let found = ["chromedriver", "chromium"].iter().all(|name| find_program(name).is_some());
    assert!(
        found || std::env::var_os("CI").is_none(),
        "chromium and chromedriver are needed in CI"
    );
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
pub struct Gateway {
    child: Child,
    /// Address, without a slash at the end.
    pub url: String,
    dir: tempfile::TempDir,
    output: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    /// Starts `zhitong serve --demo` and waits until it is ready.
    pub async fn demo() -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_zhitong"))
            .args(["serve", "--demo", "--listen", &format!("127.0.0.1:{port}")])
            .current_dir(dir.path())
            .env("ZHITONG__CONTENT__RULES_DIR", root.join("rules"))
            .env("ZHITONG__CONTENT__PROMPTS_DIR", root.join("prompts"))
            .env("ZHITONG__TIME__BUSINESS_HOURS", r#"["00:00-23:59"]"#)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gateway starts");
        let output = Arc::new(Mutex::new(Vec::new()));
        let out = child.stdout.take().expect("piped");
        let err = child.stderr.take().expect("piped");
        collect(out, &output);
        collect(err, &output);
        let gateway = Self { child, url, dir, output };
        let started = Instant::now();
        let ready = format!("127.0.0.1:{port}");
        loop {
            if http_ok(&ready, "/readyz").await {
                return gateway;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "not ready:\n{}", gateway.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Everything it printed so far.
    pub fn log(&self) -> String {
        self.output.lock().expect("no poisoned lock").join("\n")
    }

    /// The folder it runs in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Kills it without warning, as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("reaped");
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
pub fn free_port() -> u16 {
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
pub struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    /// Starts chromedriver on a port of its own choice.
    pub fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = out.lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| line.split("on port ").nth(1).map(|p| p.trim_end_matches('.').to_owned()))
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
pub struct Browser {
    /// The session.
    pub client: Client,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Opens a window of that width.
    pub async fn open(driver: &Driver, width: u32, height: u32) -> Self {
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
    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.expect("page opens");
    }

    /// Waits for an element.
    pub async fn find(&self, css: &str) -> Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => panic!("no {css}: {error}\n{}", self.text().await),
        }
    }

    /// Waits for an element and clicks it, also when something moves in between.
    pub async fn click(&self, css: &str) {
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
    pub async fn write(&self, css: &str, text: &str) {
        self.find(css).await.send_keys(text).await.expect("typed");
    }

    /// Runs a script and returns its value.
    pub async fn js(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("script runs")
    }

    /// The text that a person reads on the page.
    pub async fn text(&self) -> String {
        self.js("return document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the script returns true.
    pub async fn until(&self, script: &str) {
        let started = Instant::now();
        while self.js(&format!("return !!({script})")).await != json!(true) {
            assert!(started.elapsed() < PATIENCE, "never true: {script}\n{}", self.text().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page shows the words.
    pub async fn sees(&self, words: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(words))).await;
    }

    /// How often the words stand on the page.
    pub async fn count(&self, words: &str) -> usize {
        self.text().await.matches(words).count()
    }

    /// Closes the window.
    pub async fn close(self) {
        let _ = self.client.close().await;
    }
}
