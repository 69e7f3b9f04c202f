//! What was acknowledged is there: after kill -9 of the real program under load, and on a disk without room.

use std::{
    collections::HashMap,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::json;
use zhitong::store::{Db, testing};

use crate::support::{
    TestApp,
    program::{Program, SmallDisk, call, client, free_port},
};

/// Rounds of load and kill.
const KILLS: usize = 100;

/// What one sender of a round got: acknowledged ids with their numbers, and the id whose answer never came.
type Round = (Vec<(String, i64)>, Option<String>);

/// Sends one message after the other until the server is gone.
async fn send_until_killed(
    client: reqwest::Client,
    url: String,
    token: String,
    ids: String,
    count: Arc<AtomicUsize>,
) -> Round {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        let id = format!("{ids}-{n}");
        let body = json!({ "client_id": id, "text": "公司注册资本要几年缴足" });
        let Some(answer) = call(&client, reqwest::Method::POST, &url, &token, Some(body)).await else {
            return (acknowledged, Some(id));
        };
        acknowledged.push((id, answer["message"]["seq"].as_i64().expect("seq")));
        count.fetch_add(1, Relaxed);
    }
    (acknowledged, None)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_in_a_hundred_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let mut server = Program::start(folder.path(), port).await;
    let client = client();
    let url = |path: &str| format!("http://127.0.0.1:{port}/api/chat{path}");
    let mut tokens = Vec::new();
    for _ in 0..6 {
        let started =
            call(&client, reqwest::Method::POST, &url("/sessions"), "", Some(json!({}))).await.expect("a session");
        tokens.push(started["token"].as_str().expect("a token").to_owned());
    }
    // Of each conversation: how far it was read.
    let mut read = vec![0_i64; tokens.len()];
    let mut stored: HashMap<String, i64> = HashMap::new();
    for round in 0..KILLS {
        let count = Arc::new(AtomicUsize::new(0));
        let senders: Vec<_> = tokens
            .iter()
            .enumerate()
            .map(|(who, token)| {
                let ids = format!("{round}-{who}");
                tokio::spawn(send_until_killed(client.clone(), url("/messages"), token.clone(), ids, count.clone()))
            })
            .collect();
        // At another moment in each round, sometimes before the first answer.
        let wanted = round * 7 % 43;
        while count.load(Relaxed) < wanted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.child.kill().expect("killed");
        server.child.wait().expect("gone");
        let mut rounds: Vec<Round> = Vec::new();
        for sender in senders {
            rounds.push(sender.await.expect("no panic"));
        }
        server = Program::start(folder.path(), port).await;
        for ((_, open), token) in rounds.iter().zip(&tokens) {
            // Whoever got no answer sends it again, stored or not.
            let body = json!({ "client_id": open.as_ref().expect("an id"), "text": "公司注册资本要几年缴足" });
            call(&client, reqwest::Method::POST, &url("/messages"), token, Some(body)).await.expect("an answer");
        }
        for (token, after) in tokens.iter().zip(&mut read) {
            loop {
                let path = url(&format!("/messages?limit=500&after={after}"));
                let page = call(&client, reqwest::Method::GET, &path, token, None).await.expect("a history");
                for item in page["items"].as_array().expect("items") {
                    *after += 1;
                    assert_eq!(item["seq"].as_i64(), Some(*after), "a gap or a repeat");
                    if let Some(id) = item["client_id"].as_str() {
                        let before = stored.insert(id.to_owned(), *after);
                        assert!(before.is_none(), "{id} is stored twice");
                    }
                }
                if page["next_cursor"].is_null() {
                    break;
                }
            }
        }
        for (acknowledged, open) in &rounds {
            for (id, seq) in acknowledged {
                assert_eq!(stored.get(id), Some(seq), "{id} was acknowledged and is not stored as it was told");
            }
            let open = open.as_ref().expect("an id");
            assert!(stored.contains_key(open), "{open} was sent again and is not stored");
        }
    }
    drop(server);
    let url = format!("sqlite://{}/data/zhitong.db", folder.path().display());
    let db = Db::open(&url).await.expect("the database opens");
    let found = zhitong::store::backup::verify(&db).await.expect("checked");
    assert!(found.is_sound(), "{found:?}");
}

/// The shim as a library; `None` without a C compiler, which CI has.
pub(crate) fn failing_sync(folder: &Path) -> Option<std::path::PathBuf> {
    let library = folder.join("failing_sync.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/failing_sync.c");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").status();
    if made.is_ok_and(|status| status.success()) {
        return Some(library);
    }
    assert!(std::env::var_os("CI").is_none(), "no C compiler");
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_sync_the_process_ends_and_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(library) = failing_sync(folder.path()) else {
        eprintln!("left out: no C compiler");
        return;
    };
    let switch = folder.path().join("the-disk-is-broken");
    let port = free_port();
    let client = client();
    let url = |path: &str| format!("http://127.0.0.1:{port}/api/chat{path}");
    let environment = [("LD_PRELOAD", library.as_path()), ("FAIL_SYNC", switch.as_path())];
    let mut server = Program::start_with(folder.path(), port, |command| {
        command.envs(environment);
    })
    .await;
    let mut tokens = Vec::new();
    for _ in 0..4 {
        let started =
            call(&client, reqwest::Method::POST, &url("/sessions"), "", Some(json!({}))).await.expect("a session");
        tokens.push(started["token"].as_str().expect("a token").to_owned());
    }
    let mut acknowledged: HashMap<String, i64> = HashMap::new();
    for round in 0..8 {
        std::fs::write(&switch, "").expect("the switch");
        let senders: Vec<_> = tokens
            .iter()
            .enumerate()
            .map(|(who, token)| {
                let ids = format!("{round}-{who}");
                tokio::spawn(send_until_killed(client.clone(), url("/messages"), token.clone(), ids, Arc::default()))
            })
            .collect();
        for sender in senders {
            acknowledged.extend(sender.await.expect("no panic").0);
        }
        // EX_IOERR tells the supervisor that a fresh process may go on.
        let ended = server.child.wait().expect("the process ends by itself");
        assert_eq!(ended.code(), Some(74));
        std::fs::remove_file(&switch).expect("the switch");
        server = Program::start_with(folder.path(), port, |command| {
            command.envs(environment);
        })
        .await;
    }
    let mut stored: HashMap<String, i64> = HashMap::new();
    for token in &tokens {
        let mut after = 0;
        loop {
            let path = url(&format!("/messages?limit=500&after={after}"));
            let page = call(&client, reqwest::Method::GET, &path, token, None).await.expect("a history");
            for item in page["items"].as_array().expect("items") {
                after += 1;
                assert_eq!(item["seq"].as_i64(), Some(after), "a gap or a repeat");
                if let Some(id) = item["client_id"].as_str() {
                    assert!(stored.insert(id.to_owned(), after).is_none(), "{id} is stored twice");
                }
            }
            if page["next_cursor"].is_null() {
                break;
            }
        }
    }
    assert!(acknowledged.len() > 100, "{} messages were acknowledged", acknowledged.len());
    for (id, seq) in &acknowledged {
        assert_eq!(stored.get(id), Some(seq), "{id} was acknowledged and is not stored as it was told");
    }
    drop(server);
    let db = Db::open(&format!("sqlite://{}/data/zhitong.db", folder.path().display())).await.expect("a database");
    let found = zhitong::store::backup::verify(&db).await.expect("checked");
    assert!(found.is_sound(), "{found:?}");
}

/// Sends until a message is refused for want of room, checks that all acknowledged ones are stored, makes room with
/// `heal` and checks that the gateway takes messages again without a restart.
async fn fill_and_heal(app: &TestApp, heal: impl AsyncFnOnce(&TestApp)) {
    let token = app.visitor().await;
    let text = "满".repeat(3_000);
    let mut acknowledged = 0;
    let mut refused = 0;
    for n in 0..4_000 {
        let answer = app.say(&token, &format!("m{n}"), &text).await;
        match answer.status.as_u16() {
            200 => acknowledged += 1,
            503 => {
                assert_eq!(answer.code(), "message_not_stored");
                refused += 1;
                if refused == 5 {
                    break;
                }
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    assert_eq!(refused, 5, "the disk never got full");
    app.call("GET", "/readyz", None, None).await.expect(503);
    heal(app).await;
    app.call("GET", "/readyz", None, None).await.expect(200);
    app.say(&token, "after", "又有空间了").await.expect(200);
    let mut stored = 0;
    let mut after = 0;
    loop {
        let page = app.get(&format!("/api/chat/messages?limit=500&after={after}"), &token).await.expect(200).json();
        for item in page["items"].as_array().expect("items") {
            after += 1;
            assert_eq!(item["seq"], after);
            stored += usize::from(item["client_id"].as_str().is_some_and(|id| id.starts_with('m')));
        }
        if page["next_cursor"].is_null() {
            break;
        }
    }
    assert!(stored >= acknowledged, "{acknowledged} acknowledged, {stored} stored");
}

#[tokio::test]
async fn a_database_without_room_refuses_and_heals() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    let limit = async |pages: &'static str| {
        let Db::Sqlite { writer, .. } = &app.app.db else { return };
        let mut conn = writer.acquire().await.expect("the writer");
        sqlx::raw_sql(pages).execute(&mut *conn).await.expect("a limit");
    };
    limit("PRAGMA max_page_count = 250").await;
    // The refused transaction closes its connection; the next one comes without the limit, as if room had been made.
    let text = "满".repeat(3_000);
    let mut acknowledged = Vec::new();
    let mut refused = false;
    for n in 0..500 {
        let answer = app.say(&token, &format!("m{n}"), &text).await;
        match answer.status.as_u16() {
            200 => acknowledged.push(answer.json()["message"]["seq"].as_i64().expect("seq")),
            503 => {
                refused = true;
                break;
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    assert!(refused, "the database never got full");
    app.say(&token, "after", "又有空间了").await.expect(200);
    let mut tx = app.app.db.read().await.expect("a connection");
    let (id, ()) =
        zhitong::app::visitors::authenticate(&app.app, &token).await.map(|(_, id)| (id, ())).expect("a visitor");
    let rows = zhitong::store::conversations::messages_after(&mut tx, id, 0, 10_000).await.expect("messages");
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, (1..=rows.len() as i64).collect::<Vec<_>>());
    assert!(acknowledged.iter().all(|seq| seqs.contains(seq)), "an acknowledged message is not stored");
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_heals_without_an_operator() {
    let Some(disk) = SmallDisk::mount(8) else {
        eprintln!("left out: mounting a small file system needs root");
        return;
    };
    let url = format!("sqlite://{}/zhitong.db", disk.path().display());
    let db = Db::open(&url).await.expect("a database");
    db.migrate(jiff::Timestamp::UNIX_EPOCH).await.expect("migrations");
    let ballast = disk.ballast(3 * 1024 * 1024);
    let app = TestApp::on(db.clone(), None::<testing::TestDb>, |_| {});
    fill_and_heal(&app, async |_| std::fs::remove_file(&ballast).expect("room")).await;
    drop(app);
    db.close().await;
    drop(disk);
}
