//! Load through the public API: N conversations send `POST /api/chat/messages` over keep-alive connections.
//!
//! `cargo bench --bench load -- --conversations 50 --seconds 10` starts the release binary on a fresh SQLite database
//! in a temporary folder and prints messages a second, latencies, CPU per message and commits per message.
//! Every message has a rule answer; `--mixed` sends forms and small talk too. `--url http://host:port` drives a running gateway instead (raise `limits.messages_per_minute` there).

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Questions that a shipped rule answers.
const ANSWERED: &[&str] =
    &["开办企业要多久", "公司注册资本要几年缴足", "企业年报什么时候报", "个体户怎么转成企业", "你好", "谢谢"];
/// A conversation with forms in it, as people talk.
const MIXED: &[&str] =
    &["企业宽带一直装不上怎么办", "开办企业要多久", "你好", "拖欠工程款三十万要不回来", "怎么申请稳岗补贴", "谢谢"];

struct Options {
    conversations: usize,
    seconds: u64,
    address: Option<SocketAddr>,
    texts: &'static [&'static str],
}

fn options() -> Options {
    let mut options = Options { conversations: 50, seconds: 10, address: None, texts: ANSWERED };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--conversations" => options.conversations = number(words.next()) as usize,
            "--seconds" => options.seconds = number(words.next()),
            "--mixed" => options.texts = MIXED,
            "--url" => {
                let url = words.next().unwrap_or_default();
                let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
                options.address = Some(host.parse().expect("--url http://ADDRESS:PORT"));
            }
            _ => {} // Cargo passes --bench.
        }
    }
    options
}

fn number(word: Option<String>) -> u64 {
    word.and_then(|word| word.parse().ok()).expect("a number")
}

struct Gateway {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start() -> (Gateway, SocketAddr) {
    let folder = tempfile::tempdir().expect("a folder");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    let child = Command::new(env!("CARGO_BIN_EXE_zhitong"))
        .args(["serve", "--listen", &address.to_string()])
        .current_dir(folder.path())
        .env("ZHITONG__LIMITS__MESSAGES_PER_MINUTE", "100000000")
        .env("ZHITONG__LIMITS__SESSIONS_PER_MINUTE", "1000000")
        .env("ZHITONG__LIMITS__CONNECTIONS_PER_ADDRESS", "10000")
        .env("ZHITONG__SERVER__METRICS_PUBLIC", "true")
        .env("ZHITONG__LOG__FILTER", "error")
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
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream, buffer: vec![0; 64 * 1024] })
    }

    fn call(&mut self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: load\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).expect("sent");
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).expect("an answer");
            assert!(read > 0, "the connection was closed");
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
                return (status, body);
            }
            if filled == self.buffer.len() {
                self.buffer.resize(2 * filled, 0);
            }
        }
    }
}

/// Processor time of a process in seconds, all threads.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn metric(address: SocketAddr, name: &str) -> f64 {
    let mut client = Client::connect(address).expect("a connection");
    let (_, text) = client.call("GET", "/metrics", "", "");
    let line = text.lines().find(|line| line.starts_with(name) && line.split(' ').next() == Some(name));
    line.and_then(|line| line.split(' ').nth(1)).and_then(|n| n.parse().ok()).unwrap_or(0.0)
}

fn main() {
    let options = options();
    let (gateway, address) = if let Some(address) = options.address {
        (None, address)
    } else {
        let (gateway, address) = start();
        (Some(gateway), address)
    };
    let pid = gateway.as_ref().map(|gateway| gateway.child.id());
    let stop = Arc::new(AtomicBool::new(false));
    let cpu = pid.map(cpu_seconds);
    let before = (metric(address, "zhitong_messages_total"), metric(address, "zhitong_exchange_batches_total"));
    let begin = Instant::now();
    let texts = options.texts;
    let threads: Vec<_> = (0..options.conversations)
        .map(|who| {
            let stop = stop.clone();
            std::thread::spawn(move || {
                let mut client = Client::connect(address).expect("a connection");
                let (status, body) = client.call("POST", "/api/chat/sessions", "", "{}");
                assert_eq!(status, 201, "{body}");
                let token =
                    body.split("\"token\":\"").nth(1).and_then(|t| t.split('"').next()).expect("a token").to_owned();
                let mut times = Vec::new();
                let mut refused = 0_u64;
                for n in 0_usize.. {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let text = texts[(who + n) % texts.len()];
                    let body = format!("{{\"client_id\":\"{who}-{n}\",\"text\":\"{text}\"}}");
                    let start = Instant::now();
                    let (status, _) = client.call("POST", "/api/chat/messages", &token, &body);
                    if status == 200 { times.push(start.elapsed()) } else { refused += 1 }
                }
                (times, refused)
            })
        })
        .collect();
    std::thread::sleep(Duration::from_secs(options.seconds));
    stop.store(true, Relaxed);
    let mut times = Vec::new();
    let mut refused = 0;
    for thread in threads {
        let (mine, mine_refused) = thread.join().expect("no panic");
        times.extend(mine);
        refused += mine_refused;
    }
    let took = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).map_or(0.0, |t| t.as_secs_f64() * 1e3);
    let messages = metric(address, "zhitong_messages_total") - before.0;
    let batches = metric(address, "zhitong_exchange_batches_total") - before.1;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "{} conversations, {:.0} messages/s, p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms, {refused} refused, {:.3} commits per message",
        options.conversations,
        times.len() as f64 / took,
        at(0.5),
        at(0.99),
        at(0.999_999),
        batches / messages.max(1.0),
    );
    if let (Some(pid), Some(cpu)) = (pid, cpu) {
        let used = cpu_seconds(pid) - cpu;
        let _ = writeln!(
            out,
            "processor time of the gateway: {:.0} µs per message",
            used * 1e6 / times.len().max(1) as f64
        );
    }
    drop(gateway);
}
