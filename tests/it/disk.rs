//! A disk that is full or broken: what is there is shown, what cannot be kept is refused and may be sent again.

use std::{fs::OpenOptions, process::Command};

use axum::{
    body::Body,
    http::{Request, header},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use zhitong::{
    domain::access::Role,
    store::{Db, testing},
};

use crate::{
    durability::failing_sync,
    support::{
        Answer, TestApp,
        program::{Program, SmallDisk, call, client, free_port, send},
    },
    wechat,
};

/// What officers and visitors read and write in the tests.
struct Desk {
    visitor: String,
    officer: String,
    admin: String,
    cookie: String,
    csrf: String,
    conversation: String,
    number: String,
    code: String,
}

impl Desk {
    async fn new(app: &TestApp) -> Self {
        let visitor = app.visitor().await;
        app.say(&visitor, "first", "公司注册资本要几年缴足").await.expect(200);
        let handoff = app.post("/api/chat/handoff", &visitor, json!({})).await.expect(200).json();
        let conversation = handoff["conversation"]["id"].as_str().expect("an id").to_owned();
        let officer = app.officer("desk", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
        let admin = app.officer("boss", &[(Role::Admin, "")]).await;
        let words = json!({ "words": "路面坑洼，货车进不了厂区，请尽快修补。", "type": "complaint", "enterprise": "甲公司",
            "contact_phone": "13800138000" });
        let filed = app.post("/api/cases", &officer, words).await.expect(201).json();
        let text = |key: &str| filed[key].as_str().expect("text").to_owned();
        let account = zhitong::app::auth::NewAccount {
            login: "browser".into(),
            name: "坐席甲".into(),
            roles: vec![(Role::FrontDesk, String::new())],
            password: Some("晴天-带伞-出门-上班".into()),
        };
        zhitong::app::auth::create_account(&app.app, &account).await.expect("an account");
        let login = json!({ "login": "browser", "password": "晴天-带伞-出门-上班" });
        let entered = app.call("POST", "/api/login", None, Some(login)).await.expect(200);
        let cookie = entered.headers[header::SET_COOKIE].to_str().expect("text");
        Self {
            cookie: cookie.split(';').next().expect("a pair").to_owned(),
            csrf: entered.json()["csrf"].as_str().expect("a token").to_owned(),
            number: text("number"),
            code: text("code"),
            visitor,
            officer,
            admin,
            conversation,
        }
    }

    async fn read_everything(&self, app: &TestApp) {
        let Self { conversation, number, code, .. } = self;
        for path in [
            "/api/me".to_owned(),
            "/api/conversations".to_owned(),
            format!("/api/conversations/{conversation}"),
            "/api/cases".to_owned(),
            "/api/cases?q=货车".to_owned(),
            format!("/api/cases/{number}"),
            format!("/api/cases/{number}/help"),
            format!("/api/cases/{number}/timeline"),
            "/api/notices".to_owned(),
            "/api/promises".to_owned(),
            "/api/canned?q=注册".to_owned(),
            "/desk".to_owned(),
            format!("/desk/cases/{number}"),
            format!("/desk/conversations/{conversation}"),
        ] {
            app.get(&path, &self.officer).await.expect(200);
            let request = Request::get(&path).header(header::COOKIE, &self.cookie).body(Body::empty());
            app.request(request.expect("a request")).await.expect(200);
        }
        for path in ["/api/admin/users", "/api/admin/tokens", "/api/admin/health", "/admin", "/metrics"] {
            app.get(path, &self.admin).await.expect(200);
        }
        app.get("/api/chat/messages", &self.visitor).await.expect(200);
        app.call("GET", &format!("/api/track/{number}?code={code}"), None, None).await.expect(200);
        app.call("POST", "/api/chat/sessions", Some(&self.visitor), Some(json!({}))).await.expect(201);
    }

    /// One request of every kind that stores something.
    async fn write_everything(&self, app: &TestApp) -> Vec<(String, Answer)> {
        let Self { conversation, number, code, .. } = self;
        let at = |action: &str| format!("/api/conversations/{conversation}/{action}");
        let words =
            json!({ "words": "园区夜间停水，请帮忙协调。", "enterprise": "乙公司", "contact_phone": "13800138001" });
        let mut answers = Vec::new();
        for (path, token, body) in [
            ("/api/chat/sessions".to_owned(), None, json!({})),
            ("/api/chat/messages".to_owned(), Some(&self.visitor), json!({ "client_id": "w1", "text": "又来了" })),
            (at("claim"), Some(&self.officer), json!({})),
            (at("notes"), Some(&self.officer), json!({ "text": "记一笔" })),
            ("/api/cases".to_owned(), Some(&self.officer), words),
            (format!("/api/cases/{number}/actions/accept"), Some(&self.officer), json!({})),
            (format!("/api/track/{number}/urge?code={code}"), None, json!({ "words": "请快一些" })),
            ("/api/login".to_owned(), None, json!({ "login": "browser", "password": "晴天-带伞-出门-上班" })),
            (
                "/api/admin/users".to_owned(),
                Some(&self.admin),
                json!({ "login": "newcomer", "name": "新人", "roles": [{ "role": "front_desk" }] }),
            ),
        ] {
            let answer = app.call("POST", &path, token.map(String::as_str), Some(body)).await;
            answers.push((path, answer));
        }
        let request = Request::post("/api/logout")
            .header(header::COOKIE, &self.cookie)
            .header("x-csrf-token", &self.csrf)
            .body(Body::empty())
            .expect("a request");
        answers.push(("/api/logout".to_owned(), app.request(request).await));
        answers.push(("an upload".to_owned(), app.upload(&self.visitor, "a.pdf", b"%PDF-1.4\n%%EOF\n").await));
        answers
    }
}

fn refused_for_now(path: &str, answer: &Answer) {
    assert_eq!(answer.status.as_u16(), 503, "{path}: {}", answer.text());
    let wait = answer.headers.get(header::RETRY_AFTER).unwrap_or_else(|| panic!("{path}: no Retry-After"));
    assert!(wait.to_str().expect("text").parse::<u32>().is_ok_and(|seconds| (1..=60).contains(&seconds)), "{path}");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json", "{path}");
    let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("请"), "{path}: {detail}");
    assert!(answer.json()["reference"].is_null(), "{path}: a refusal is no failure of the gateway");
}

/// Long enough for the next request to note that a login is in use.
fn let_time_pass(app: &TestApp) {
    let now: Timestamp = app.app.now();
    app.clock.set(now.saturating_add(SignedDuration::from_mins(5)).expect("an instant"));
}

#[tokio::test]
async fn on_a_full_disk_everything_is_shown_and_every_write_is_refused_for_now() {
    let Some(disk) = SmallDisk::mount(16) else {
        eprintln!("left out: mounting a small file system needs root");
        return;
    };
    let db = Db::open(&format!("sqlite://{}/zhitong.db", disk.path().display())).await.expect("a database");
    db.migrate(Timestamp::UNIX_EPOCH).await.expect("migrations");
    let data = disk.path().display().to_string();
    let app = TestApp::on(db.clone(), None::<testing::TestDb>, |config| config.server.data_dir = data);
    let desk = Desk::new(&app).await;
    desk.read_everything(&app).await;
    let filling = disk.fill();
    let_time_pass(&app);
    desk.read_everything(&app).await;
    for (path, answer) in desk.write_everything(&app).await {
        refused_for_now(&path, &answer);
    }
    app.call("GET", "/readyz", None, None).await.expect(503);
    desk.read_everything(&app).await;
    // Room for the beginning of a file only: it is refused as a whole.
    let file = OpenOptions::new().write(true).open(&filling).expect("the filling");
    file.set_len(file.metadata().expect("its size").len() - 64 * 1024).expect("a little room");
    drop(file);
    let mut pdf = b"%PDF-1.7\n".to_vec();
    pdf.resize(512 * 1024, b'x');
    refused_for_now("a large upload", &app.upload(&desk.visitor, "b.pdf", &pdf).await);
    let left = std::fs::read_dir(disk.path().join("attachments")).expect("a folder").count();
    assert_eq!(left, 0, "a part of a file is left");
    std::fs::remove_file(filling).expect("room");
    app.call("GET", "/readyz", None, None).await.expect(200);
    for (path, answer) in desk.write_everything(&app).await {
        assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text());
    }
    assert!(!app.app.fatal.is_cancelled(), "a full disk is no broken one");
    drop(app);
    db.close().await;
}

#[tokio::test]
async fn a_wechat_message_on_a_full_disk_is_no_success_and_is_taken_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(16) else {
        eprintln!("left out: mounting a small file system needs root");
        return;
    };
    let db = Db::open(&format!("sqlite://{}/zhitong.db", disk.path().display())).await.expect("a database");
    db.migrate(Timestamp::UNIX_EPOCH).await.expect("migrations");
    let data = disk.path().display().to_string();
    let app = TestApp::on(db.clone(), None::<testing::TestDb>, |config| {
        wechat::accounts(config);
        config.server.data_dir = data;
    });
    let known = wechat::text("known", 1, "你好");
    wechat::plain(&app, "main", known).await.expect(200);
    let id = wechat::conversation(&app, "main", "known").await;
    let before = wechat::messages(&app, id).await;
    let filling = disk.fill();
    // Of a user who is known and of one who is not: the platform is told to come again.
    let again = wechat::text("known", 2, "公司注册资本要几年缴足");
    let newcomer = wechat::text("newcomer", 3, "你好");
    for body in [&again, &newcomer, &again] {
        let answer = wechat::plain(&app, "main", body.clone()).await;
        assert!(answer.status.is_server_error(), "{}: {}", answer.status, answer.text());
        assert!(!answer.text().contains("success"), "{}", answer.text());
    }
    assert_eq!(wechat::messages(&app, id).await, before, "half a message is there");
    let mut tx = db.read().await.expect("a reader");
    let half = zhitong::store::wechat::find(&mut tx, "oa", "main", "newcomer").await.expect("a look-up");
    assert!(half.is_none_or(|user| user.conversation_id.is_empty()), "half a user is there");
    drop(tx);
    std::fs::remove_file(filling).expect("room");
    // The platform's next try is taken, once, however often it comes.
    for _ in 0..2 {
        let answer = wechat::plain(&app, "main", again.clone()).await.expect(200);
        assert!(wechat::words(&answer).contains("5年"), "{}", answer.text());
        wechat::plain(&app, "main", newcomer.clone()).await.expect(200);
    }
    let after = wechat::messages(&app, id).await;
    assert_eq!(after.get(..before.len()), Some(&before[..]));
    let said = |rows: &[(String, String)]| rows.iter().filter(|(who, _)| who == "visitor").count();
    assert_eq!(said(&after), said(&before) + 1, "{after:?}");
    let new = wechat::messages(&app, wechat::conversation(&app, "main", "newcomer").await).await;
    assert_eq!(said(&new), 1, "{new:?}");
    assert!(!app.app.fatal.is_cancelled(), "a full disk is no broken one");
    drop(app);
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_on_the_full_disk_stops_nothing() {
    let Some(disk) = SmallDisk::mount(24) else {
        eprintln!("left out: mounting a small file system needs root");
        return;
    };
    let log = OpenOptions::new().create(true).append(true).open(disk.path().join("log")).expect("a log");
    let port = free_port();
    let mut program = Program::start_with(disk.path(), port, |command: &mut Command| {
        command.env("ZHITONG__LOG__FILTER", "debug");
        command.stdout(log.try_clone().expect("a handle")).stderr(log);
    })
    .await;
    let client = client();
    let url = |path: &str| format!("http://127.0.0.1:{port}/api/chat{path}");
    let say = async |token: &str, id: String| {
        let body = json!({ "client_id": id, "text": "满".repeat(2_000) });
        send(&client, reqwest::Method::POST, &url("/messages"), token, Some(body)).await
    };
    let started = call(&client, reqwest::Method::POST, &url("/sessions"), "", Some(json!({}))).await;
    let token = started.expect("a session")["token"].as_str().expect("a token").to_owned();
    assert_eq!(say(&token, "before".into()).await.expect("an answer").0, 200);
    let filling = disk.fill();
    // What the write-ahead log has room for inside its file is still taken.
    let mut refused = Vec::new();
    for n in 0..2_000 {
        let id = format!("full-{n}");
        let (status, answer) = say(&token, id.clone()).await.expect("the program answers");
        if status != 200 {
            assert_eq!((status, answer["code"].as_str()), (503, Some("message_not_stored")), "{answer}");
            refused.push(id);
        }
        if refused.len() == 20 {
            break;
        }
    }
    assert_eq!(refused.len(), 20, "the disk never got full");
    let history = call(&client, reqwest::Method::GET, &url("/messages"), &token, None).await.expect("a history");
    assert!(history["items"].as_array().is_some_and(|items| items.len() >= 2), "{history}");
    std::fs::remove_file(filling).expect("room");
    let ready = format!("{}/readyz", program.base);
    assert_eq!(client.get(ready).send().await.expect("an answer").status().as_u16(), 200);
    assert_eq!(say(&token, refused[0].clone()).await.expect("an answer").0, 200);
    assert!(program.child.try_wait().expect("a state").is_none(), "the program ended");
    let log = std::fs::read_to_string(disk.path().join("log")).expect("a log");
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_whose_write_meets_a_broken_disk_is_told_to_come_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(library) = failing_sync(folder.path()) else { return };
    let switch = folder.path().join("the-disk-is-broken");
    let url = format!("sqlite://{}/data/zhitong.db", folder.path().display());
    let db = Db::open(&url).await.expect("a database");
    db.migrate(Timestamp::UNIX_EPOCH).await.expect("migrations");
    let token = TestApp::on(db.clone(), None::<testing::TestDb>, |_| {}).officer("boss", &[(Role::Admin, "")]).await;
    db.close().await;
    let port = free_port();
    let mut program = Program::start_with(folder.path(), port, |command| {
        command.env("LD_PRELOAD", &library).env("FAIL_SYNC", &switch).env("FAIL_EVERY", "1");
    })
    .await;
    std::fs::write(&switch, "").expect("the switch");
    let user = json!({ "login": "newcomer", "name": "新人", "roles": [{ "role": "front_desk" }] });
    let url = format!("{}/api/admin/users", program.base);
    let answer = client()
        .post(url)
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(user.to_string())
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status().as_u16(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let problem: Value = serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
    assert_eq!(problem["code"], "store_refuses", "{problem}");
    // EX_IOERR tells the supervisor that a fresh process may go on.
    assert_eq!(program.child.wait().expect("the process ends by itself").code(), Some(74));
}
