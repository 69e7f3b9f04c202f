//! The real program in a process of its own, and places for it to run in.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// A running gateway; killed when dropped.
pub(crate) struct Program {
    /// The process.
    pub(crate) child: Child,
    /// Where it listens, without a slash at the end.
    pub(crate) base: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// A client that uses no proxy.
pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().expect("a client")
}

impl Program {
    /// Starts it in a folder with its defaults and waits until it is ready.
    pub(crate) async fn start(folder: &Path, port: u16) -> Self {
        Self::start_with(folder, port, |_| {}).await
    }

    /// The same with more arguments, variables or another place for its output.
    pub(crate) async fn start_with(folder: &Path, port: u16, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zhitong"));
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .current_dir(folder)
            .env("ZHITONG__LIMITS__MESSAGES_PER_MINUTE", "1000000")
            .env("ZHITONG__LOG__FILTER", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        change(&mut command);
        let program =
            Self { child: command.spawn().expect("the program starts"), base: format!("http://127.0.0.1:{port}") };
        let client = client();
        let end = Instant::now() + Duration::from_mins(3);
        while Instant::now() < end {
            if let Ok(answer) = client.get(format!("{}/readyz", program.base)).send().await
                && answer.status().is_success()
            {
                return program;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the program does not get ready");
    }
}

/// Sends a request; the status and the JSON of the answer, or `None` when the program is gone.
pub(crate) async fn send(
    client: &reqwest::Client,
    method: reqwest::Method,
    url: &str,
    token: &str,
    body: Option<Value>,
) -> Option<(u16, Value)> {
    let mut request = client.request(method, url).bearer_auth(token);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let answer = request.send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, serde_json::from_str(&answer.text().await.ok()?).unwrap_or_default()))
}

/// The JSON of a successful answer; `None` for a refusal or when the program is gone.
pub(crate) async fn call(
    client: &reqwest::Client,
    method: reqwest::Method,
    url: &str,
    token: &str,
    body: Option<Value>,
) -> Option<Value> {
    let (status, json) = send(client, method, url, token, body).await?;
    (200..300).contains(&status).then_some(json)
}

/// A small file system in memory; unmounted when dropped.
pub(crate) struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// With room for so many MiB; `None` where mounting is not allowed, which it is in CI.
    pub(crate) fn mount(mib: usize) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "none"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if mounted {
            return Some(Self { folder });
        }
        assert!(std::env::var_os("CI").is_none(), "mounting a small file system needs root");
        None
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file that takes this much room.
    pub(crate) fn ballast(&self, bytes: usize) -> PathBuf {
        let file = self.path().join("ballast");
        std::fs::write(&file, vec![0; bytes]).expect("ballast");
        file
    }

    /// A file that takes all the room that is left, to the last byte.
    pub(crate) fn fill(&self) -> PathBuf {
        use std::io::Write as _;
        let path = self.path().join("filling");
        let mut file = std::fs::File::create(&path).expect("a file");
        let mut piece = 1024 * 1024;
        while piece > 0 {
            if file.write_all(&vec![0; piece]).is_err() {
                piece /= 2;
            }
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}
