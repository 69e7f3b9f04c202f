//! What the load programs share: the release binary on a fresh database, and a client as bare as possible.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The gateway; it ends with this value.
pub(crate) struct Gateway {
    /// Its process.
    pub(crate) child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the gateway with more settings in its environment.
pub(crate) fn start(settings: &[(&str, &str)]) -> (Gateway, SocketAddr) {
    let folder = tempfile::tempdir().expect("a folder");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    let child = Command::new(env!("CARGO_BIN_EXE_zhitong"))
        .args(["serve", "--listen", &address.to_string()])
        .current_dir(folder.path())
        .env("ZHITONG__LIMITS__MESSAGES_PER_MINUTE", "100000000")
        .env("ZHITONG__LIMITS__WECHAT_MESSAGES_PER_MINUTE", "100000000")
        .env("ZHITONG__LIMITS__SESSIONS_PER_MINUTE", "1000000")
        .env("ZHITONG__LIMITS__CONNECTIONS_PER_ADDRESS", "10000")
        .env("ZHITONG__SERVER__METRICS_PUBLIC", "true")
        .env("ZHITONG__LOG__FILTER", "error")
        .envs(settings.iter().copied())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let gateway = Gateway { child, _folder: folder };
    let end = Instant::now() + Duration::from_mins(1);
    while Instant::now() < end {
        if let Ok(mut client) = Client::connect(address)
            && client.call("GET", "/readyz", "", "").0 == 200
        {
            return (gateway, address);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the program does not get ready");
}

/// A keep-alive connection, as bare as possible: the generator shares the processors with the gateway.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// A connection of one's own.
    pub(crate) fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream, buffer: vec![0; 64 * 1024] })
    }

    /// Calls the API and gives status and body.
    pub(crate) fn call(&mut self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        let head = format!("{method} {path}");
        let kind = format!("Authorization: Bearer {token}\r\nContent-Type: application/json");
        self.send(&head, &kind, body).expect("an answer")
    }

    /// Sends a request with these headers and gives status and body.
    ///
    /// # Errors
    /// The connection was closed or broke.
    pub(crate) fn send(&mut self, head: &str, headers: &str, body: &str) -> std::io::Result<(u16, String)> {
        let request =
            format!("{head} HTTP/1.1\r\nHost: load\r\n{headers}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        self.stream.write_all(request.as_bytes())?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..])?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            let text = &self.buffer[..filled];
            let Some(end) = text.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&text[..end]).to_lowercase();
            let length: usize = head
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next())
                .and_then(|n| n.trim().parse().ok())
                .unwrap_or(0);
            if filled >= end + 4 + length {
                let status = head.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
                let body = String::from_utf8_lossy(&text[end + 4..end + 4 + length]).into_owned();
                return Ok((status, body));
            }
            if filled == self.buffer.len() {
                self.buffer.resize(2 * filled, 0);
            }
        }
    }
}

/// Processor time of a process in seconds, all threads.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// A figure of `/metrics`.
pub(crate) fn metric(address: SocketAddr, name: &str) -> f64 {
    let mut client = Client::connect(address).expect("a connection");
    let (_, text) = client.call("GET", "/metrics", "", "");
    let line = text.lines().find(|line| line.starts_with(name) && line.split(' ').next() == Some(name));
    line.and_then(|line| line.split(' ').nth(1)).and_then(|n| n.parse().ok()).unwrap_or(0.0)
}
