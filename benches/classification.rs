//! Decide and route with the shipped rules: a short question, a complaint, a mixed message, a letter.
//!
//! `cargo bench --bench classification`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::{Timestamp, civil::date};
use zhitong::{
    app::content::{Origin, build, shipped_files},
    config::Config,
    domain::{kinds::Channel, routing, rules::Input},
};

const MESSAGES: &[(&str, &str)] = &[
    ("question", "注册资本要在几年内缴足？"),
    ("complaint", "窗口办事员推来推去，跑了五趟都说材料不对，到底谁管"),
    ("mixed", "补贴公示三个月了还没打款，另外问一下二次装修要不要做消防验收，顺便我们想招二十个焊工"),
];

fn bench(c: &mut Criterion) {
    let now: Timestamp = "2026-11-25T02:00:00Z".parse().expect("the instant is a constant");
    let built = build(&shipped_files(), &Config::default().time, now, Origin::Shipped, true);
    let content = built.content.expect("the shipped content is sound");
    let today = date(2026, 11, 25);
    let letter: String = MESSAGES.iter().flat_map(|(_, text)| [text, "。"]).collect::<String>().repeat(9);
    let letter: String = letter.chars().take(1_000).collect();
    let mut group = c.benchmark_group("classification");
    for (name, text) in MESSAGES.iter().copied().chain([("letter", letter.as_str())]) {
        group.bench_function(name, |b| {
            b.iter(|| {
                let input = Input { text: black_box(text), channel: Channel::Web, area: Some("350000"), today };
                let decision = content.rules.decide(&input);
                let routes: Vec<_> = decision
                    .matters
                    .iter()
                    .map(|m| {
                        routing::route(
                            &content.routing,
                            &routing::RouteQuery {
                                case_type: m.case_type,
                                topic: m.topic.as_deref(),
                                text: &m.text,
                                region: Some("350000"),
                                objects: &m.objects,
                                urgency: m.urgency,
                                diversion: decision.diversion,
                                today,
                            },
                        )
                    })
                    .collect();
                black_box((decision, routes))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
