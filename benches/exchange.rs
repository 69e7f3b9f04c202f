//! The durable exchange inside one process: messages of many conversations through rules, store and commit.
//!
//! `cargo bench --bench exchange`. SQLite with synchronous FULL in a temporary folder; no HTTP. The figure per
//! iteration is for one round of all conversations at once.

use std::{sync::Arc, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use zhitong::{
    app::{
        App,
        content::{self, ContentStore, Origin},
        exchange::{self, Sent, Shown},
        system::{SystemClock, SystemIds},
        visitors::{self, NewSession},
    },
    config::Config,
    domain::{dialogue::Input, ids::ConversationId},
    ports::Clock as _,
    store::testing,
};

async fn start() -> (App, testing::TestDb) {
    let test = testing::sqlite().await;
    let config = Config::default();
    let now = SystemClock.now();
    let built = content::build(&content::shipped_files(), &config.time, now, Origin::Shipped, true);
    let content = ContentStore::fixed(built.content.expect("the shipped content loads"));
    let app = App::new(config, test.db.clone(), content, Arc::new(SystemClock), Arc::new(SystemIds));
    tokio::spawn(exchange::run(app.clone()));
    (app, test)
}

async fn round(app: &App, conversations: &[ConversationId]) {
    let sends = conversations.iter().map(|conversation| {
        let text = "企业宽带一直装不上怎么办";
        app.exchange.send(Sent {
            conversation: *conversation,
            client_id: Some(app.secret("")),
            input: Input::text(text),
            shown: Some(Shown { kind: "text", text: text.to_owned(), attachment: None }),
            via: None,
        })
    });
    for answer in futures_util::future::join_all(sends).await {
        answer.expect("the message is stored");
    }
}

fn durable_exchange(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (app, test) = runtime.block_on(start());
    let mut group = c.benchmark_group("durable_exchange");
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    for many in [1_usize, 8, 64, 256] {
        let conversations: Vec<ConversationId> = runtime.block_on(async {
            let mut all = Vec::new();
            for _ in 0..many {
                all.push(visitors::start(&app, &NewSession::default()).await.expect("a conversation").conversation);
            }
            all
        });
        group.throughput(Throughput::Elements(many as u64));
        group.bench_function(many.to_string(), |b| b.iter(|| runtime.block_on(round(&app, &conversations))));
    }
    group.finish();
    app.exchange_stopped.cancel();
    runtime.block_on(test.finish());
}

criterion_group!(benches, durable_exchange);
criterion_main!(benches);
