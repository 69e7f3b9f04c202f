//! WeChat through the public port: N connections send signed messages of as many users, each answered passively by a
//! rule and stored durably first.
//!
//! `cargo bench --bench wechat -- --connections 64 --seconds 10 [--safe] [--rate 2000]` starts the release binary on a
//! fresh SQLite database and prints messages a second, latencies, and the processor time of the gateway and of this
//! program for each message. Without `--rate` every connection sends as soon as it has its answer (closed loop); with
//! it messages are due at a fixed rate, and a latency counts from the moment its message was due, so that a server
//! that stalls is seen to stall. `--peer http://127.0.0.1:PORT/` drives another server with the same plain messages
//! instead (`benches/werobot_peer.py` says how to start one); `--pid N` (as often as it has processes) names those
//! whose processor time is counted.

#[path = "support.rs"]
mod support;

use std::{
    io::Write,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use support::{cpu_seconds, metric, start};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
};
use zhitong::channels::wechat::crypto::{self, AesKey};

const TOKEN: &str = "loadtoken";
const APP_ID: &str = "wx0123456789abcdef";
const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
/// A question that a shipped rule answers.
const QUESTION: &str = "公司注册资本要几年缴足";
/// Words of that answer.
const ANSWER: &str = "5年";

struct Options {
    connections: usize,
    seconds: u64,
    rate: Option<u64>,
    safe: bool,
    peer: Option<(SocketAddr, String)>,
    pids: Vec<u32>,
}

fn options() -> Options {
    let mut options = Options { connections: 64, seconds: 10, rate: None, safe: false, peer: None, pids: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).expect("a number");
        match word.as_str() {
            "--connections" => options.connections = number() as usize,
            "--seconds" => options.seconds = number(),
            "--rate" => options.rate = Some(number().max(1)),
            "--pid" => options.pids.push(number() as u32),
            "--safe" => options.safe = true,
            "--peer" => {
                let url = words.next().unwrap_or_default();
                let rest = url.trim_start_matches("http://");
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                options.peer = Some((host.parse().expect("--peer http://ADDRESS:PORT/PATH"), format!("/{path}")));
            }
            _ => {} // Cargo passes --bench.
        }
    }
    options
}

/// A signed message as a whole request.
fn request(path: &str, user: &str, id: u64, key: Option<&AesKey>) -> String {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()).to_string();
    let nonce = format!("n{id}");
    let mut body = format!(
        "<xml><ToUserName><![CDATA[gh_load]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>\
         <CreateTime>{at}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{QUESTION}]]></Content>\
         <MsgId>{id}</MsgId></xml>"
    );
    let signature = crypto::signature(&[TOKEN, &at, &nonce]);
    let mut more = String::new();
    if let Some(key) = key {
        let cipher = crypto::encrypt(key, APP_ID, &body, [7; 16]);
        more = format!("&encrypt_type=aes&msg_signature={}", crypto::signature(&[TOKEN, &at, &nonce, &cipher]));
        body =
            format!("<xml><ToUserName><![CDATA[gh_load]]></ToUserName><Encrypt><![CDATA[{cipher}]]></Encrypt></xml>");
    }
    format!(
        "POST {path}?signature={signature}&timestamp={at}&nonce={nonce}&openid={user}{more} HTTP/1.1\r\nHost: load\r\n\
         Content-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What all connections share.
struct Load {
    address: SocketAddr,
    path: String,
    key: Option<AesKey>,
    stop: Arc<AtomicBool>,
    next: AtomicU64,
    begin: Instant,
    /// Open loop: time between two messages, and a permit for each that is due.
    due: Option<(Duration, Arc<Semaphore>)>,
}

impl Load {
    /// The next message and when it is due; nothing at the end.
    async fn turn(&self) -> Option<(u64, Instant)> {
        let due = match &self.due {
            None => None,
            Some((gap, permits)) => {
                permits.acquire().await.ok()?.forget();
                Some(*gap)
            }
        };
        if self.stop.load(Relaxed) {
            return None;
        }
        let n = self.next.fetch_add(1, Relaxed);
        Some((n, due.map_or_else(Instant::now, |gap| self.begin + gap * n as u32)))
    }

    async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        stream
    }

    /// One user on one connection: latencies, and how many messages had no answer.
    async fn user(&self, who: usize) -> (Vec<Duration>, u64) {
        let user = format!("oLoadUser{who:04}");
        // A refusal is an answer too, and a short one.
        let wanted = |answer: &[u8]| match self.key {
            Some(_) => find(answer, b"<Encrypt>").is_some() && answer.len() > 1_000,
            None => find(answer, ANSWER.as_bytes()).is_some(),
        };
        let mut stream = self.connect().await;
        let mut buffer = vec![0; 64 * 1024];
        let (mut times, mut wrong) = (Vec::new(), 0);
        while let Some((n, due)) = self.turn().await {
            let request = request(&self.path, &user, 10_000_000 + n, self.key.as_ref());
            let mut answer = exchange(&mut stream, &request, &mut buffer).await;
            if answer.is_err() {
                // A server without keep-alive.
                stream = self.connect().await;
                answer = exchange(&mut stream, &request, &mut buffer).await;
            }
            match answer {
                Ok(answer) if answer.starts_with(b"HTTP/1.1 200") && wanted(answer) => {
                    times.push(due.elapsed());
                }
                Ok(_) | Err(_) => wrong += 1,
            }
        }
        (times, wrong)
    }
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|part| part == word)
}

/// Sends a request and reads its answer, as much of it as has to be understood.
async fn exchange<'b>(stream: &mut TcpStream, request: &str, buffer: &'b mut [u8]) -> std::io::Result<&'b [u8]> {
    stream.write_all(request.as_bytes()).await?;
    let (mut filled, mut whole) = (0, usize::MAX);
    while filled < whole {
        let read = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let text = buffer.get(..filled).unwrap_or_default();
        if let Some(end) = find(text, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&text[..end]);
            let mut fields = head.lines().filter_map(|line| line.split_once(':'));
            let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            whole = end + 4 + length.and_then(|(_, value)| value.trim().parse::<usize>().ok()).unwrap_or(0);
        }
    }
    Ok(buffer.get(..whole).unwrap_or_default())
}

fn main() {
    let options = options();
    let account = "ZHITONG__WECHAT__OA__LOAD__";
    let settings: Vec<(String, &str)> = [
        ("APP_ID", APP_ID),
        ("APP_SECRET", "secret"),
        ("TOKEN", TOKEN),
        ("ENCODING_AES_KEY", AES_KEY),
        // Nothing listens there: whatever was not answered passively would be seen to fail.
        ("API_BASE", "http://127.0.0.1:9"),
    ]
    .map(|(key, value)| (format!("{account}{key}"), value))
    .to_vec();
    let (gateway, address, path) = if let Some((address, path)) = options.peer {
        (None, address, path)
    } else {
        let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        let (gateway, address) = start(&settings);
        (Some(gateway), address, "/wechat/oa/load".to_owned())
    };
    let pids: Vec<u32> = gateway.iter().map(|gateway| gateway.child.id()).chain(options.pids).collect();
    let all = |pids: &[u32]| pids.iter().map(|pid| cpu_seconds(*pid)).sum::<f64>();
    let batches = gateway.as_ref().map(|_| metric(address, "zhitong_exchange_batches_total"));
    let (cpu, own_cpu) = (all(&pids), cpu_seconds(std::process::id()));
    let stop = Arc::new(AtomicBool::new(false));
    let due = options.rate.map(|rate| (Duration::from_secs(1) / rate as u32, Arc::new(Semaphore::new(0))));
    let begin = Instant::now();
    let end = begin + Duration::from_secs(options.seconds);
    let ticker = std::thread::spawn({
        let (stop, due) = (stop.clone(), due.clone());
        move || {
            match &due {
                None => std::thread::sleep(end - begin),
                Some((gap, permits)) => {
                    let mut given = 0;
                    while Instant::now() < end {
                        let by_now = begin.elapsed().as_nanos() / gap.as_nanos() + 1;
                        permits.add_permits((by_now - given) as usize);
                        given = by_now;
                        std::thread::sleep((begin + *gap * given as u32).saturating_duration_since(Instant::now()));
                    }
                    stop.store(true, Relaxed);
                    permits.close();
                    return given as u64;
                }
            }
            stop.store(true, Relaxed);
            0
        }
    });
    let load = Rc::new(Load {
        address,
        path,
        key: options.safe.then(|| AesKey::parse(AES_KEY).expect("a key")),
        stop,
        next: AtomicU64::new(0),
        begin,
        due,
    });
    // One thread for all connections: it shares the processors with the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let users = tokio::task::LocalSet::new();
    let tasks: Vec<_> = (0..options.connections)
        .map(|who| {
            let load = load.clone();
            users.spawn_local(async move { load.user(who).await })
        })
        .collect();
    let (mut times, mut wrong) = (Vec::new(), 0);
    runtime.block_on(users.run_until(async {
        for task in tasks {
            let (mine, mine_wrong) = task.await.expect("no panic");
            times.extend(mine);
            wrong += mine_wrong;
        }
    }));
    // Whatever was due and never got its turn has no answer either.
    wrong += ticker.join().expect("no panic").saturating_sub(load.next.load(Relaxed));
    let took = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).map_or(0.0, |t| t.as_secs_f64() * 1e3);
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "{} connections, {}, {}: {:.0} answered messages/s, p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms, {wrong} without an \
         answer",
        options.connections,
        if options.safe { "safe" } else { "plain" },
        options.rate.map_or_else(|| "closed loop".to_owned(), |rate| format!("{rate}/s due")),
        times.len() as f64 / took,
        at(0.5),
        at(0.99),
        at(0.999_999),
    );
    let count = times.len().max(1) as f64;
    let each = |seconds: f64| seconds * 1e6 / count;
    let _ = writeln!(
        out,
        "processor time per message: {:.0} µs of the server, {:.0} µs of this program",
        each(all(&pids) - cpu),
        each(cpu_seconds(std::process::id()) - own_cpu),
    );
    if let Some(batches) = batches {
        let commits = metric(address, "zhitong_exchange_batches_total") - batches;
        let _ = writeln!(out, "{:.3} exchange commits per message", commits / count);
    }
    drop(gateway);
}
