//! Load through the public API: N conversations send `POST /api/chat/messages` over keep-alive connections.
//!
//! `cargo bench --bench load -- --conversations 50 --seconds 10` starts the release binary on a fresh SQLite database
//! in a temporary folder and prints messages a second, latencies, CPU per message and commits per message.
//! Every message has a rule answer; `--mixed` sends forms and small talk too. `--url http://host:port` drives a running gateway instead (raise `limits.messages_per_minute` there).

#[path = "support.rs"]
mod support;

use std::{
    io::Write,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use support::{Client, cpu_seconds, metric, start};

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

fn main() {
    let options = options();
    let (gateway, address) = if let Some(address) = options.address {
        (None, address)
    } else {
        let (gateway, address) = start(&[]);
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
