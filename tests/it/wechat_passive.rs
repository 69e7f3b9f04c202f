//! What a passive reply carries and what the outbox has instead; and gateways that remember a user whom another gateway
//! joined with a conversation or forgot.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use zhitong::{
    domain::ids::ConversationId,
    on_backend,
    store::{testing, wechat, wechat_scenes},
};

use crate::{
    support::TestApp,
    wechat::{accounts, conversation, event, messages, plain, text, waiting, words},
};

/// Every entry of the outbox for WeChat, sent ones included.
async fn entries(app: &TestApp) -> Vec<(String, String)> {
    let mut tx = app.app.db.read().await.expect("a reader");
    let sql = "SELECT key, state FROM outbox WHERE target = 'wechat' ORDER BY key";
    on_backend!(&mut tx, |conn| sqlx::query_as(sql).fetch_all(conn).await.expect("rows"))
}

/// Waits until so many messages wait for the user.
async fn until_waiting(app: &TestApp, id: ConversationId, count: i64) {
    let begin = Instant::now();
    while waiting(app, id).await != count {
        assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", entries(app).await);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn in_time_on(app: TestApp) {
    for n in 1..4 {
        words(&plain(&app, "main", text("p1", n, "简易注销要公示多久")).await.expect(200));
    }
    // With a person, with a case filed inside the transaction: the same.
    for (n, say) in ["我要投诉乱收费，开发区管委会多收了我们三千元", "联系电话：13800138000", "提交"].iter().enumerate()
    {
        words(&plain(&app, "main", text("p1", n as u64 + 10, say)).await.expect(200));
    }
    let id = conversation(&app, "main", "p1").await;
    assert_eq!(waiting(&app, id).await, 0);
    let mut tx = app.app.db.read().await.expect("a reader");
    let user = wechat::find(&mut tx, "oa", "main", "p1").await.expect("a look-up").expect("a user");
    assert_eq!(user.last_inbound_at, Some(app.app.now().as_millisecond()), "the window opens with the message");
    drop(tx);
    let left: Vec<_> = entries(&app).await.into_iter().filter(|(_, state)| state != "sent").collect();
    assert_eq!(left, [], "an answer in time never waits");
    // A repeat is answered again, and its answer can never wait either.
    let before = messages(&app, id).await.len();
    words(&plain(&app, "main", text("p1", 1, "简易注销要公示多久")).await.expect(200));
    assert_eq!(messages(&app, id).await.len(), before);
    assert_eq!(waiting(&app, id).await, 0);
}

#[tokio::test]
async fn an_answer_in_time_never_waits_in_the_outbox() {
    in_time_on(TestApp::with(accounts).await).await;
}

#[tokio::test]
async fn an_answer_in_time_never_waits_in_the_outbox_on_postgres() {
    if let Some(app) = TestApp::on_postgres_with(accounts).await {
        in_time_on(app).await;
    }
}

async fn hung_up_on(app: TestApp) {
    plain(&app, "main", text("p2", 1, "您好")).await.expect(200);
    let id = conversation(&app, "main", "p2").await;
    assert_eq!(entries(&app).await, []);
    // The platform hangs up as soon as the message is on its way.
    let body = text("p2", 2, "简易注销要公示多久");
    assert!(plain(&app, "main", body.clone()).now_or_never().is_none(), "it takes a commit");
    until_waiting(&app, id, 1).await;
    let held = entries(&app).await;
    let due = |ms: i64| {
        let db = &app.app.db;
        let at = app.app.now() + jiff::SignedDuration::from_millis(ms);
        async move {
            let mut tx = db.write().await.expect("a transaction");
            let rows = zhitong::store::wechat_out::claim(&mut tx, at, at, 10).await.expect("a claim");
            tx.rollback().await.expect("taken back");
            rows.len()
        }
    };
    assert_eq!(due(15_000).await, 0, "the platform may still come for it");
    assert_eq!(due(17_000).await, 1, "then it leaves by itself");
    // It comes: the reply carries it, and the outbox sends nothing.
    let said = words(&plain(&app, "main", body).await.expect(200));
    assert!(said.contains("20"), "{said}");
    assert_eq!(entries(&app).await, [(held[0].0.clone(), "sent".to_owned())]);
    assert_eq!(due(3_600_000).await, 0);
    assert_eq!(messages(&app, id).await.iter().filter(|(sender, _)| sender == "visitor").count(), 2);
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_is_in_the_outbox_and_a_repeat_takes_it_out() {
    hung_up_on(TestApp::with(accounts).await).await;
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_is_in_the_outbox_on_postgres() {
    if let Some(app) = TestApp::on_postgres_with(accounts).await {
        hung_up_on(app).await;
    }
}

/// Two gateways on one database.
async fn pairs() -> Vec<(TestApp, TestApp)> {
    let mut pairs = Vec::new();
    for test in [Some(testing::sqlite().await), testing::postgres().await].into_iter().flatten() {
        let db = test.db.clone();
        pairs.push((TestApp::on(db.clone(), Some(test), accounts), TestApp::on(db, None, accounts)));
    }
    pairs
}

#[tokio::test]
async fn a_gateway_that_died_before_its_passive_reply_left_has_stored_what_the_next_try_gets() {
    for (here, there) in pairs().await {
        let says = [text("p6", 1, "您好"), text("p6", 2, "公司注册资本要几年缴足"), text("p6", 3, "转人工")];
        let mut answers = Vec::new();
        for body in &says {
            // An answer in time writes nothing after its commit, so this is what a death behind the commit leaves.
            answers.push(words(&plain(&here, "main", body.clone()).await.expect(200)));
        }
        assert_eq!(entries(&here).await, [], "no outbox knows of them");
        let id = conversation(&here, "main", "p6").await;
        let spoken = messages(&here, id).await;
        // Nobody got them. The platform comes again to a process that remembers nothing.
        for _ in 0..2 {
            for (body, answer) in says.iter().zip(&answers) {
                assert_eq!(words(&plain(&there, "main", body.clone()).await.expect(200)), *answer);
            }
        }
        assert_eq!(messages(&there, id).await, spoken, "nothing is stored twice");
        assert!(entries(&there).await.iter().all(|(_, state)| state == "sent"), "nothing follows");
        assert_eq!(waiting(&there, id).await, 0);
        drop(there);
        drop(here);
    }
}

#[tokio::test]
async fn a_gateway_learns_that_another_one_joined_a_user_with_a_conversation() {
    for (here, there) in pairs().await {
        plain(&here, "main", text("p3", 1, "您好")).await.expect(200);
        let former = conversation(&here, "main", "p3").await;
        let spoken_before = messages(&here, former).await;
        let session =
            there.call("POST", "/api/chat/sessions", None, Some(serde_json::json!({}))).await.expect(201).json();
        let web = session["token"].as_str().expect("a token").to_owned();
        there.say(&web, "w1", "简易注销要公示多久").await.expect(200);
        let joined = session["conversation_id"].as_str().expect("an id");
        let joined: ConversationId = joined.parse().expect("an id");
        let now = there.app.now();
        let mut tx = there.app.db.write().await.expect("a transaction");
        let ends = now + jiff::SignedDuration::from_mins(10);
        wechat_scenes::insert(&mut tx, "zj_scene", "main", joined, ends, now).await.expect("a scene");
        tx.commit().await.expect("committed");
        let scanned = plain(&there, "main", event("p3", "SCAN", "zj_scene")).await.expect(200);
        assert!(words(&scanned).contains("已接上"));
        // The gateway that remembers the former conversation writes into the new one, at once and from then on.
        for n in 2..5 {
            words(&plain(&here, "main", text("p3", n, "公司注册资本要几年缴足")).await.expect(200));
        }
        let ended = messages(&here, former).await;
        assert_eq!(ended[..spoken_before.len()], spoken_before, "{ended:?}");
        assert_eq!(ended.len(), spoken_before.len() + 1, "nothing more goes into the former one than that it ended");
        let spoken = messages(&here, joined).await;
        assert_eq!(spoken.iter().filter(|(sender, _)| sender == "visitor").count(), 4, "{spoken:?}");
        assert_eq!(waiting(&here, joined).await, 0);
        drop(there);
        drop(here);
    }
}

#[tokio::test]
async fn a_gateway_learns_that_another_one_forgot_a_user() {
    for (here, there) in pairs().await {
        // One conversation goes with the user, the other stays because a case came out of it.
        plain(&here, "main", text("p4", 1, "您好")).await.expect(200);
        for (n, say) in
            ["我要投诉乱收费，开发区管委会多收了我们三千元", "联系电话：13800138000", "提交"].iter().enumerate()
        {
            plain(&here, "main", text("p5", n as u64 + 1, say)).await.expect(200);
        }
        let kept = conversation(&here, "main", "p5").await;
        let spoken_before = messages(&here, kept).await;
        for user in ["p4", "p5"] {
            let gone = conversation(&here, "main", user).await;
            assert_eq!(plain(&there, "main", event(user, "unsubscribe", "")).await.expect(200).text(), "success");
            let again = plain(&here, "main", text(user, 9, "简易注销要公示多久")).await.expect(200);
            assert!(words(&again).contains("20"));
            assert_ne!(conversation(&here, "main", user).await, gone, "whoever comes again begins anew");
        }
        assert_eq!(messages(&here, kept).await, spoken_before, "nothing more goes into the conversation of the case");
        drop(there);
        drop(here);
    }
}
