//! WeChat through the public port: N connections send signed messages of as many users, each answered passively by a
//! rule and stored durably first.
//!
//! `cargo bench --bench wechat -- --connections 64 --seconds 10 [--safe]` starts the release binary on a fresh SQLite
//! database and prints messages a second, latencies and CPU per message. `--peer http://127.0.0.1:PORT/` drives another
//! server with the same plain messages instead (`benches/werobot_peer.py` says how to start one).

#[path = "support.rs"]
mod support;

use std::{
    io::Write,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use support::{Client, cpu_seconds, metric, start};
use zhitong::channels::wechat::crypto::{self, AesKey};

const TOKEN: &str = "loadtoken";
const APP_ID: &str = "wx0123456789abcdef";
const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
/// A question that a shipped rule answers.
const QUESTION: &str = "公司注册资本要几年缴足";

struct Options {
    connections: usize,
    seconds: u64,
    safe: bool,
    peer: Option<(SocketAddr, String)>,
}

fn options() -> Options {
    let mut options = Options { connections: 64, seconds: 10, safe: false, peer: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).expect("a number");
        match word.as_str() {
            "--connections" => options.connections = number() as usize,
            "--seconds" => options.seconds = number(),
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

/// A signed message: the head of its request, and its body.
fn message(path: &str, user: &str, id: u64, safe: bool, key: &AesKey) -> (String, String) {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()).to_string();
    let nonce = format!("n{id}");
    let body = format!(
        "<xml><ToUserName><![CDATA[gh_load]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>\
         <CreateTime>{at}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{QUESTION}]]></Content>\
         <MsgId>{id}</MsgId></xml>"
    );
    let signature = crypto::signature(&[TOKEN, &at, &nonce]);
    let mut head = format!("POST {path}?signature={signature}&timestamp={at}&nonce={nonce}&openid={user}");
    if !safe {
        return (head, body);
    }
    let cipher = crypto::encrypt(key, APP_ID, &body, [7; 16]);
    head.push_str("&encrypt_type=aes&msg_signature=");
    head.push_str(&crypto::signature(&[TOKEN, &at, &nonce, &cipher]));
    (head, format!("<xml><ToUserName><![CDATA[gh_load]]></ToUserName><Encrypt><![CDATA[{cipher}]]></Encrypt></xml>"))
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
    let pid = gateway.as_ref().map(|gateway| gateway.child.id());
    let (stop, ids) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(10_000_000)));
    let cpu = pid.map(cpu_seconds);
    let batches = pid.map(|_| metric(address, "zhitong_exchange_batches_total"));
    let begin = Instant::now();
    let safe = options.safe;
    let threads: Vec<_> = (0..options.connections)
        .map(|who| {
            let (stop, ids, path) = (stop.clone(), ids.clone(), path.clone());
            std::thread::spawn(move || {
                let key = AesKey::parse(AES_KEY).expect("a key");
                let user = format!("oLoadUser{who:04}");
                let mut client = Client::connect(address).expect("a connection");
                let (mut times, mut wrong) = (Vec::new(), 0_u64);
                while !stop.load(Relaxed) {
                    let (head, body) = message(&path, &user, ids.fetch_add(1, Relaxed), safe, &key);
                    let start = Instant::now();
                    let mut answer = client.send(&head, "Content-Type: text/xml", &body);
                    if answer.is_err() {
                        // A server without keep-alive.
                        client = Client::connect(address).expect("a connection");
                        answer = client.send(&head, "Content-Type: text/xml", &body);
                    }
                    match answer {
                        Ok((200, text)) if text.contains(if safe { "<Encrypt>" } else { "<Content>" }) => {
                            times.push(start.elapsed());
                        }
                        Ok(_) | Err(_) => wrong += 1,
                    }
                }
                (times, wrong)
            })
        })
        .collect();
    std::thread::sleep(Duration::from_secs(options.seconds));
    stop.store(true, Relaxed);
    let (mut times, mut wrong) = (Vec::new(), 0);
    for thread in threads {
        let (mine, mine_wrong) = thread.join().expect("no panic");
        times.extend(mine);
        wrong += mine_wrong;
    }
    let took = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).map_or(0.0, |t| t.as_secs_f64() * 1e3);
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "{} connections, {}: {:.0} answered messages/s, p50 {:.1} ms, p99 {:.1} ms, {wrong} without an answer",
        options.connections,
        if safe { "safe" } else { "plain" },
        times.len() as f64 / took,
        at(0.5),
        at(0.99),
    );
    if let (Some(pid), Some(cpu), Some(batches)) = (pid, cpu, batches) {
        let count = times.len().max(1) as f64;
        let _ = writeln!(
            out,
            "processor time of the gateway: {:.0} µs per message, {:.3} exchange commits per message",
            (cpu_seconds(pid) - cpu) * 1e6 / count,
            (metric(address, "zhitong_exchange_batches_total") - batches) / count,
        );
    }
    drop(gateway);
}
