//! What happens to conversations that nobody looks after: the close of business, silence, and the end of the term.

use jiff::Timestamp;
use serde_json::Value;
use zhitong::{
    domain::access::Role,
    jobs::{conversations, retention},
};

use crate::support::TestApp;

fn at(text: &str) -> Timestamp {
    format!("{text}+08:00").parse().expect("an instant")
}

async fn history(app: &TestApp, token: &str) -> Value {
    app.get("/api/chat/messages?after=0", token).await.expect(200).json()
}

fn texts(history: &Value) -> String {
    let items = history["items"].as_array().expect("items");
    items.iter().map(|item| item["text"].as_str().expect("text")).collect::<Vec<_>>().join("\n")
}

async fn nobody_is_left_in_the_queue_on(app: TestApp) {
    let token = app.visitor().await;
    app.say(&token, "c1", "我厂门口的路坏了，货车进不来").await.expect(200);
    app.post("/api/chat/handoff", &token, serde_json::json!({ "client_id": "c2" })).await.expect(200);
    // At lunch people come back: the visitor keeps the place.
    app.clock.set(at("2026-11-25T12:30:00"));
    assert_eq!(conversations::run_once(&app.app).await.expect("a run"), "下班出队 0，闲置结束 0");
    app.clock.set(at("2026-11-25T17:30:00"));
    assert_eq!(conversations::run_once(&app.app).await.expect("a run"), "下班出队 1，闲置结束 0");
    assert_eq!(conversations::run_once(&app.app).await.expect("a run"), "下班出队 0，闲置结束 0");
    let history = history(&app, &token).await;
    assert_eq!(history["conversation"]["state"], "collecting", "{history}");
    let said = texts(&history);
    for words in ["今天下班前没有轮到您", "11月26日 周四 08:30", "登记"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let desk = app.officer("front", &[(Role::FrontDesk, "")]).await;
    let waiting = app.get("/api/conversations?state=queued", &desk).await.expect(200).json();
    assert_eq!(waiting["items"], serde_json::json!([]));
    let mut tx = app.app.db.read().await.expect("a connection");
    let promises = zhitong::store::promises::open(&mut tx, 10).await.expect("promises");
    assert_eq!(promises.len(), 1, "{promises:?}");
    assert_eq!(promises[0].due_at, at("2026-11-26T17:30:00").as_millisecond());
}

#[tokio::test]
async fn nobody_is_left_in_the_queue_after_the_close_of_business() {
    nobody_is_left_in_the_queue_on(TestApp::start().await).await;
}

#[tokio::test]
async fn nobody_is_left_in_the_queue_after_the_close_of_business_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        nobody_is_left_in_the_queue_on(app).await;
    }
}

#[tokio::test]
async fn who_may_do_something_desperate_waits_on_after_hours() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    app.say(&token, "c1", "再拖下去我不想活了").await.expect(200);
    app.clock.set(at("2026-11-25T20:00:00"));
    assert_eq!(conversations::run_once(&app.app).await.expect("a run"), "下班出队 0，闲置结束 0");
    assert_eq!(history(&app, &token).await["conversation"]["state"], "queued");
}

async fn silence_closes_a_conversation_on(app: TestApp) {
    let (silent, talks) = (app.visitor().await, app.visitor().await);
    app.say(&silent, "c1", "你好").await.expect(200);
    app.say(&talks, "c1", "你好").await.expect(200);
    app.clock.set(at("2026-11-28T10:00:00"));
    app.say(&talks, "c2", "开办企业要多久").await.expect(200);
    assert_eq!(conversations::run_once(&app.app).await.expect("a run"), "下班出队 0，闲置结束 0", "72 hours exactly");
    app.clock.set(at("2026-11-28T10:00:01"));
    assert_eq!(conversations::run_once(&app.app).await.expect("a run"), "下班出队 0，闲置结束 1");
    let closed = history(&app, &silent).await;
    assert_eq!(closed["conversation"]["state"], "closed");
    assert!(texts(&closed).contains("这次会话先结束了"), "{closed}");
    assert_eq!(history(&app, &talks).await["conversation"]["state"], "bot");
    // The next message opens it again, in the same row of numbers.
    app.say(&silent, "c3", "你好").await.expect(200);
    let again = history(&app, &silent).await;
    assert_eq!(again["conversation"]["state"], "bot");
    let seqs: Vec<_> = again["items"].as_array().expect("items").iter().map(|item| item["seq"].as_i64()).collect();
    assert_eq!(seqs, (1..=seqs.len() as i64).map(Some).collect::<Vec<_>>());
}

#[tokio::test]
async fn silence_closes_a_conversation() {
    silence_closes_a_conversation_on(TestApp::start().await).await;
}

#[tokio::test]
async fn silence_closes_a_conversation_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        silence_closes_a_conversation_on(app).await;
    }
}

#[tokio::test]
async fn silence_never_closes_where_it_is_switched_off() {
    let app = TestApp::with(|config| config.chat.idle_close_hours = 0).await;
    let token = app.visitor().await;
    app.say(&token, "c1", "你好").await.expect(200);
    app.clock.set(at("2026-12-25T10:00:00"));
    assert_eq!(conversations::run_once(&app.app).await.expect("a run"), "下班出队 0，闲置结束 0");
}

/// A conversation with a file out of which nothing came, one out of which a case came, and a file of nothing.
async fn past_their_term(app: &TestApp) -> std::path::PathBuf {
    let (idle, files) = (app.visitor().await, app.visitor().await);
    app.say(&idle, "c1", "你好").await.expect(200);
    app.upload(&idle, "发票.pdf", b"%PDF-1.7\n").await.expect(201);
    for (n, text) in ["我厂门口的路坏了，货车进不来，请派人来修", "转人工", "帮我登记", "电话13800138000", "提交"]
        .into_iter()
        .enumerate()
    {
        if n != 1 {
            app.say(&files, &format!("c{n}"), text).await.expect(200);
        }
    }
    app.upload(&files, "照片.pdf", b"%PDF-1.7\n").await.expect(201);
    let folder = std::path::Path::new(&app.app.config.server.data_dir).join("attachments");
    std::fs::write(folder.join("0.part"), "broken off").expect("a file");
    // The conversations fall silent and are closed; ninety days later their term is over.
    app.clock.set(at("2026-11-29T03:00:00"));
    assert_eq!(conversations::run_once(&app.app).await.expect("a run"), "下班出队 0，闲置结束 2");
    app.clock.set(at("2027-02-27T03:00:01"));
    folder
}

fn files(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder).expect("a folder").count()
}

async fn what_is_past_its_term_goes_on(app: TestApp) {
    let folder = past_their_term(&app).await;
    assert_eq!(files(&folder), 3);
    let done = retention::run_once(&app.app).await.expect("a run");
    assert_eq!((done.conversations, done.files, done.dry_run, done.old_cases), (1, 2, false, 0), "{done}");
    assert_eq!(files(&folder), 1, "the file of the case stays");
    let again = retention::run_once(&app.app).await.expect("a run");
    assert_eq!((again.conversations, again.files, again.rows), (0, 0, 0), "{again}");
    let desk = app.officer("dispatcher", &[(Role::Dispatcher, ""), (Role::FrontDesk, "")]).await;
    let cases = app.get("/api/cases", &desk).await.expect(200).json();
    let cases = cases["items"].as_array().expect("items");
    assert_eq!(cases.len(), 1);
    let closed = app.get("/api/conversations?state=closed", &desk).await.expect(200).json();
    let left: Vec<_> = closed["items"].as_array().expect("items").iter().collect();
    assert_eq!(left.len(), 1, "{closed}");
    assert!(app.app.metrics.render().contains("zhitong_retention_removed_total{kind=\"conversations\"} 1"));
}

#[tokio::test]
async fn what_is_past_its_term_goes_and_cases_stay() {
    what_is_past_its_term_goes_on(TestApp::start().await).await;
}

#[tokio::test]
async fn what_is_past_its_term_goes_and_cases_stay_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        what_is_past_its_term_goes_on(app).await;
    }
}

async fn old_notices_go_on(app: TestApp) {
    let desk = app.officer("front", &[(Role::FrontDesk, "")]).await;
    let unread = async || app.get("/api/notices", &desk).await.expect(200).json()["unread"].clone();
    let visitor = app.visitor().await;
    app.say(&visitor, "c1", "车间着火了，有人被困").await.expect(200);
    app.clock.set(at("2027-05-28T10:00:00"));
    retention::run_once(&app.app).await.expect("a run");
    assert_eq!(unread().await, 1, "184 days exactly");
    app.clock.set(at("2027-05-28T10:00:01"));
    retention::run_once(&app.app).await.expect("a run");
    assert_eq!(unread().await, 0);
}

#[tokio::test]
async fn old_notices_go() {
    old_notices_go_on(TestApp::start().await).await;
}

#[tokio::test]
async fn old_notices_go_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        old_notices_go_on(app).await;
    }
}

#[tokio::test]
async fn a_dry_run_counts_and_deletes_nothing() {
    let app = TestApp::with(|config| config.retention.dry_run = true).await;
    let folder = past_their_term(&app).await;
    let counted = retention::run_once(&app.app).await.expect("a run");
    assert_eq!((counted.conversations, counted.dry_run), (1, true), "{counted}");
    assert_eq!(files(&folder), 3);
    assert_eq!(retention::run_once(&app.app).await.expect("a run"), counted);
}

#[tokio::test]
async fn cases_past_their_term_are_counted_and_kept() {
    let app = TestApp::start().await;
    // Closed by 撤回 in the chat would need a whole story; the count looks at the day of closing alone.
    past_their_term(&app).await;
    let sql = "UPDATE cases SET closed_at = $1";
    let mut tx = app.app.db.write().await.expect("a transaction");
    zhitong::on_backend!(&mut tx, |conn| sqlx::query(sql)
        .bind(at("2022-02-01T00:00:00").as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))
    .expect("set");
    tx.commit().await.expect("committed");
    assert_eq!(retention::run_once(&app.app).await.expect("a run").old_cases, 1);
    assert_eq!(retention::run_once(&app.app).await.expect("a run").old_cases, 1);
    assert!(app.app.metrics.render().contains("zhitong_cases_past_term 1"));
}
