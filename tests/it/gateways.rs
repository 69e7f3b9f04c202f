//! Two gateways, two processes, one PostgreSQL: each timer fires once, each message is seen at both, and when one is
//! killed the other goes on with its work.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use jiff::SignedDuration;
use serde_json::{Value, json};
use zhitong::{
    app::system::SystemClock,
    domain::{access::Role, ids::ConversationId},
    on_backend,
    ports::Clock as _,
    store::{
        Db,
        conversations::{self, MessageRow},
        testing,
    },
};

use crate::support::{
    TestApp,
    program::{Program, call, client, free_port, send},
};

async fn gateway(test: &testing::TestDb, folder: &tempfile::TempDir) -> Program {
    let url = test.url.clone();
    Program::start_with(folder.path(), free_port(), |command| {
        command.env("ZHITONG__DATABASE__URL", url);
    })
    .await
}

/// A number that a query gives.
async fn count(db: &Db, sql: &'static str) -> i64 {
    let Db::Postgres { pool } = db else { panic!("two gateways share PostgreSQL") };
    let (count,): (i64,) = sqlx::query_as(sql).fetch_one(pool).await.expect("a count");
    count
}

const FIRED: &str = "SELECT COUNT(*) FROM timers WHERE state = 'fired'";
/// Everything in these tests was due long ago; what a step sets anew lies in the future.
const DUE: &str = "SELECT COUNT(*) FROM timers WHERE state = 'waiting' \
    AND at <= CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_fires_once_though_one_of_two_gateways_is_killed() {
    let Some(test) = testing::postgres().await else { return };
    let past = TestApp::on(test.db.clone(), None::<testing::TestDb>, |_| {});
    past.clock.set(SystemClock.now().saturating_sub(SignedDuration::from_hours(24 * 40)).expect("an instant"));
    zhitong::app::units::sync(&past.app).await.expect("the units are stored");
    let centre = past.officer("centre", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
    for n in 0..120 {
        let body = json!({ "words": format!("第 {n} 家：厂门口路灯坏了两周"), "enterprise": format!("示例{n}公司"),
            "contact_phone": "13800000001" });
        let filed = past.post("/api/cases", &centre, body).await.expect(201).json();
        if n % 2 == 0 {
            let number = filed["number"].as_str().expect("a number");
            let act = |action: &str| format!("/api/cases/{number}/actions/{action}");
            past.post(&act("accept"), &centre, json!({})).await.expect(200);
            past.post(&act("dispatch"), &centre, json!({ "lead": "zjj" })).await.expect(200);
        }
    }
    let due = count(&test.db, DUE).await;
    assert!(due > 200, "{due} timers are due");
    let (one, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (mut first, second) = tokio::join!(gateway(&test, &one), gateway(&test, &other));
    let begin = Instant::now();
    while count(&test.db, FIRED).await == 0 {
        assert!(begin.elapsed() < Duration::from_mins(1), "nothing fires");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    first.child.kill().expect("killed");
    first.child.wait().expect("gone");
    while count(&test.db, DUE).await > 0 {
        assert!(begin.elapsed() < Duration::from_mins(3), "the other gateway does not go on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(second);
    let told = count(&test.db, "SELECT COUNT(*) FROM case_events WHERE kind = 'deadline_warned'").await;
    let done = "SELECT COUNT(*) FROM timers WHERE state = 'fired' AND outcome = 'done' AND step LIKE 'rung:%'";
    assert_eq!(told, count(&test.db, done).await, "a step was told twice or not at all");
    assert!(told > 100, "{told} steps were told");
    let gaps = "SELECT COUNT(*) FROM (SELECT case_id FROM case_events GROUP BY case_id \
        HAVING MAX(seq) <> COUNT(*) OR MIN(seq) <> 1) AS gaps";
    assert_eq!(count(&test.db, gaps).await, 0, "a history has gaps");
    let found = zhitong::store::backup::verify(&test.db).await.expect("checked");
    assert!(found.is_sound(), "{found:?}");
    drop(past);
    test.finish().await;
}

/// Reads a visitor's events until each of the words was there.
async fn follow(base: &str, token: &str, words: &[&str]) -> tokio::task::JoinHandle<()> {
    read(&format!("{base}/api/chat/stream"), token, words).await
}

/// Reads events until each of the words was there.
async fn read(url: &str, token: &str, words: &[&str]) -> tokio::task::JoinHandle<()> {
    let answer = client().get(url).bearer_auth(token).send().await.expect("a stream");
    assert_eq!(answer.status().as_u16(), 200);
    let mut left: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    tokio::spawn(async move {
        let mut events = answer.bytes_stream();
        let mut text = String::new();
        while let Some(part) = events.next().await {
            text.push_str(&String::from_utf8_lossy(&part.unwrap_or_else(|error| panic!("{left:?}: {error}\n{text}"))));
            left.retain(|word| !text.contains(word.as_str()));
            if left.is_empty() {
                return;
            }
        }
        panic!("the stream ended without {left:?}\n{text}");
    })
}

async fn post(base: &str, path: &str, token: &str, body: Value) -> (u16, Value) {
    send(&client(), reqwest::Method::POST, &format!("{base}{path}"), token, Some(body)).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_goes_on_at_either_of_two_gateways() {
    let Some(test) = testing::postgres().await else { return };
    let setup = TestApp::on(test.db.clone(), None::<testing::TestDb>, |_| {});
    let here = setup.officer("here", &[(Role::FrontDesk, "")]).await;
    let there = setup.officer("there", &[(Role::FrontDesk, "")]).await;
    drop(setup);
    let (one, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (mut a, b) = tokio::join!(gateway(&test, &one), gateway(&test, &other));
    let (_, started) = post(&a.base, "/api/chat/sessions", "", json!({})).await;
    let visitor = started["token"].as_str().expect("a token").to_owned();
    let id = started["conversation_id"].as_str().expect("an id").to_owned();

    // What is said at one is seen at the other.
    let seen = follow(&b.base, &visitor, &["event: message", "注册资本要几年"]).await;
    let said = json!({ "client_id": "first", "text": "公司注册资本要几年缴足" });
    let (status, first) = post(&a.base, "/api/chat/messages", &visitor, said.clone()).await;
    assert_eq!(status, 200, "{first}");
    seen.await.expect("the message is seen at the other gateway");

    // Messages to both at once get numbers without gaps.
    let sends = (0..40).map(|n| {
        let (base, visitor) = (if n % 2 == 0 { &a.base } else { &b.base }, &visitor);
        async move {
            let body = json!({ "client_id": format!("both-{n}"), "text": "你好" });
            post(base, "/api/chat/messages", visitor, body).await.0
        }
    });
    let statuses = futures_util::future::join_all(sends).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");

    // Of two officers at two gateways one gets the conversation; the visitor at either sees who it is.
    let (status, _) = post(&a.base, "/api/chat/handoff", &visitor, json!({})).await;
    assert_eq!(status, 200);
    let seen = follow(&a.base, &visitor, &["\"state\":\"human\"", "已转住建局核实"]).await;
    let claim = format!("/api/conversations/{id}/claim");
    let (left, right) = tokio::join!(post(&a.base, &claim, &here, json!({})), post(&b.base, &claim, &there, json!({})));
    let mut statuses = [left.0, right.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let owner = if left.0 == 200 { &here } else { &there };
    let words = json!({ "client_id": "o1", "text": "已转住建局核实" });
    let (status, answer) = post(&b.base, &format!("/api/conversations/{id}/messages"), owner, words).await;
    assert_eq!(status, 200, "{answer}");
    seen.await.expect("the officer's words are seen at the other gateway");

    // One dies in mid-conversation: what it acknowledged is known at the other, and everything goes on there.
    a.child.kill().expect("killed");
    a.child.wait().expect("gone");
    let (status, again) = post(&b.base, "/api/chat/messages", &visitor, said).await;
    assert_eq!((status, &again["message"]), (200, &first["message"]), "a repeat was stored");
    let (status, _) =
        post(&b.base, "/api/chat/messages", &visitor, json!({ "client_id": "last", "text": "还在吗" })).await;
    assert_eq!(status, 200);
    let path = format!("{}/api/chat/messages?limit=500", b.base);
    let history = call(&client(), reqwest::Method::GET, &path, &visitor, None).await.expect("a history");
    let items = history["items"].as_array().expect("items");
    let seqs: Vec<i64> = items.iter().filter_map(|item| item["seq"].as_i64()).collect();
    assert_eq!(seqs, (1..=items.len() as i64).collect::<Vec<_>>(), "a gap or a repeat");
    let own: Vec<&str> = items.iter().filter_map(|item| item["client_id"].as_str()).collect();
    assert_eq!(own.iter().filter(|id| id.starts_with("both-")).count(), 40);
    assert_eq!(own.iter().filter(|id| **id == "first").count(), 1);
    drop(b);
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consoles_and_visitors_see_across_gateways_who_waits_who_types_and_who_is_there() {
    let Some(test) = testing::postgres().await else { return };
    let setup = TestApp::on(test.db.clone(), None::<testing::TestDb>, |_| {});
    let near = setup.officer("近处坐席", &[(Role::FrontDesk, "")]).await;
    let far = setup.officer("远处坐席", &[(Role::FrontDesk, "")]).await;
    drop(setup);
    let (one, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (a, b) = tokio::join!(gateway(&test, &one), gateway(&test, &other));
    let (_, started) = post(&a.base, "/api/chat/sessions", "", json!({})).await;
    let visitor = started["token"].as_str().expect("a token").to_owned();
    let id = started["conversation_id"].as_str().expect("an id").to_owned();
    let console = format!("{}/api/events/stream", b.base);

    // Who waits at one gateway is seen on the console at the other.
    let seen = read(&console, &far, &["event: conversation", &id, "\"state\":\"queued\""]).await;
    // (Whoever is in danger waits for a person at any hour; everybody else only while the office is open.)
    let words = json!({ "client_id": "v0", "text": "再不解决我就从楼上跳下去" });
    assert_eq!(post(&a.base, "/api/chat/messages", &visitor, words).await.0, 200);
    seen.await.expect("the console sees who waits");

    // The officer there takes it; what the visitor says and types here is seen there.
    let (status, answer) = post(&b.base, &format!("/api/conversations/{id}/claim"), &far, json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let seen = read(&console, &far, &["event: message", "event: typing", "\"from\":\"visitor\""]).await;
    let words = json!({ "client_id": "v1", "text": "厂门口的路灯坏了" });
    assert_eq!(post(&a.base, "/api/chat/messages", &visitor, words).await.0, 200);
    let typing = format!("{}/api/chat/typing", a.base);
    let typed = client().post(typing).bearer_auth(&visitor).send().await.expect("an answer");
    assert_eq!(typed.status().as_u16(), 204);
    seen.await.expect("the console sees the message and the typing");

    // What the officer types and says there is seen here; colleagues here know that somebody is at it.
    let here = format!("{}/api/events/stream", a.base);
    let told = read(&here, &near, &["event: presence", "远处坐席"]).await;
    let seen = follow(&a.base, &visitor, &["event: typing", "远处坐席", "已转住建局核实"]).await;
    let presence = format!("/api/conversations/{id}/presence");
    assert_eq!(post(&b.base, &presence, &far, json!({ "typing": true })).await.0, 200);
    told.await.expect("the colleague's console is told");
    let (status, answer) = post(&a.base, &presence, &near, json!({ "typing": false })).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.to_string().contains("远处坐席"), "{answer}");
    let words = json!({ "client_id": "o1", "text": "已转住建局核实" });
    assert_eq!(post(&b.base, &format!("/api/conversations/{id}/messages"), &far, words).await.0, 200);
    seen.await.expect("the visitor sees the officer type and answer");
    drop((a, b));
    test.finish().await;
}

/// Waits until somebody waits for what this connection has locked.
async fn somebody_waits_for(db: &Db, pid: i32) {
    const SQL: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))";
    let Db::Postgres { pool } = db else { panic!("PostgreSQL") };
    let begin = Instant::now();
    loop {
        let (waiting,): (i64,) = sqlx::query_as(SQL).bind(pid).fetch_one(pool).await.expect("a count");
        if waiting > 0 {
            return;
        }
        assert!(begin.elapsed() < Duration::from_mins(1), "nobody waits");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_message_that_lost_the_race_against_another_gateway_is_decided_again() {
    let Some(app) = TestApp::on_postgres().await else { return };
    let db = app.app.db.clone();
    let visitor = app.visitor().await;
    app.say(&visitor, "first", "你好").await.expect(200);
    let path = "/api/chat/messages";
    let before = app.get(path, &visitor).await.expect(200).json()["items"].as_array().expect("items").len() as i64;
    let handed = app.post("/api/chat/sessions", &visitor, json!({})).await.expect(201).json();
    let id: ConversationId = handed["conversation_id"].as_str().expect("an id").parse().expect("an id");

    // The other gateway has written the next message and has not committed yet.
    let mut tx = db.write().await.expect("a transaction");
    let mut row = conversations::find(&mut tx, id).await.expect("a look-up").expect("the conversation");
    row.seq += 1;
    let theirs = MessageRow {
        conversation_id: row.id.clone(),
        seq: row.seq,
        id: "01934567-89ab-7000-8000-0000000000aa".to_owned(),
        client_id: None,
        reply_to: None,
        sender: "system".to_owned(),
        kind: "text".to_owned(),
        text: "另一个网关写下的话".to_owned(),
        body: None,
        officer_id: None,
        rule_id: None,
        decision: None,
        at: app.app.now().as_millisecond(),
    };
    conversations::insert_messages(&mut tx, std::slice::from_ref(&theirs)).await.expect("stored");
    conversations::save(&mut tx, std::slice::from_ref(&row)).await.expect("saved");
    let (pid,): (i32,) =
        on_backend!(&mut tx, |conn| sqlx::query_as("SELECT pg_backend_pid()").fetch_one(conn).await).expect("a pid");
    let (answer, ()) = tokio::join!(app.say(&visitor, "second", "公司注册资本要几年缴足"), async {
        somebody_waits_for(&db, pid).await;
        tx.commit().await.expect("the other gateway is first");
    });
    let answer = answer.expect(200).json();
    assert_eq!(answer["message"]["seq"], json!(before + 2), "{answer}");
    let items = app.get(path, &visitor).await.expect(200).json()["items"].clone();
    let items = items.as_array().expect("items");
    let seqs: Vec<i64> = items.iter().filter_map(|item| item["seq"].as_i64()).collect();
    assert_eq!(seqs, (1..=items.len() as i64).collect::<Vec<_>>(), "a gap or a repeat");
    let of = |id: &str| items.iter().filter(|item| item["client_id"] == id).count();
    assert_eq!((of("first"), of("second")), (1, 1));
    assert_eq!(items[usize::try_from(before).expect("a count")]["text"], "另一个网关写下的话");
    let failed = app.app.metrics.failed_batches.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(failed, 0, "the race was no failure");
}
