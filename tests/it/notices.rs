//! Notices: who is told of what, once, and reads it; the duty page of an emergency; deputies and what they may sign.

use serde_json::{Value, json};
use zhitong::{
    config::WebhookTarget,
    domain::access::Role,
    jobs,
    ports::{SendFailure, WebhookRequest, WebhookSender},
};

use crate::support::TestApp;

/// Refuses everything for good.
struct Refusing;

#[async_trait::async_trait]
impl WebhookSender for Refusing {
    async fn send(&self, _: &WebhookRequest) -> Result<(), SendFailure> {
        Err(SendFailure { permanent: true, reason: "410 Gone".to_owned() })
    }
}

async fn file(app: &TestApp, token: &str, more: Value) -> String {
    let mut body = json!({ "words": "厂门口路灯坏了两周，请修", "enterprise": "示例机电有限公司",
        "contact_name": "王示例", "contact_phone": "13800000001" });
    body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    let filed = app.post("/api/cases", token, body).await.expect(201).json();
    filed["number"].as_str().expect("a number").to_owned()
}

async fn act(app: &TestApp, token: &str, number: &str, action: &str, body: Value) {
    app.post(&format!("/api/cases/{number}/actions/{action}"), token, body).await.expect(200);
}

async fn notices(app: &TestApp, token: &str) -> Value {
    app.get("/api/notices", token).await.expect(200).json()
}

fn kinds(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().expect("items").iter().filter_map(|item| item["kind"].as_str()).collect()
}

#[tokio::test]
async fn a_dispatch_tells_the_clerk_and_a_draft_tells_the_leader_and_the_deputy() {
    let app = TestApp::start().await;
    let centre = app.officer("fenpai", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
    let clerk = app.officer("clerk", &[(Role::UnitClerk, "zjj")]).await;
    let handler = app.officer("handler", &[(Role::Handler, "zjj")]).await;
    let leader = app.officer("leader", &[(Role::UnitLeader, "zjj")]).await;
    let other = app.officer("other", &[(Role::UnitClerk, "swj")]).await;
    let handler_id = app.get("/api/me", &handler).await.expect(200).json()["id"].clone();
    let clerk_id = app.get("/api/me", &clerk).await.expect(200).json()["id"].clone();
    let days = json!({ "unit": "zjj", "officer_id": clerk_id, "from_on": "2026-11-25", "until_on": "2026-11-27" });
    app.post("/api/deputies", &leader, days).await.expect(204);

    let number = file(&app, &centre, json!({})).await;
    assert!(kinds(&notices(&app, &centre).await).is_empty(), "a new case stands in the list");
    act(&app, &centre, &number, "accept", json!({})).await;
    act(&app, &centre, &number, "dispatch", json!({ "lead": "zjj" })).await;
    let told = notices(&app, &clerk).await;
    assert_eq!((kinds(&told), &told["unread"]), (vec!["assigned"], &json!(1)));
    assert_eq!(told["items"][0]["case_number"], json!(number));
    assert!(kinds(&notices(&app, &other).await).is_empty() && kinds(&notices(&app, &leader).await).is_empty());

    act(&app, &clerk, &number, "sign_in", json!({ "register_no": "1", "handler": handler_id })).await;
    assert_eq!(kinds(&notices(&app, &handler).await), ["assigned"], "the handler is told by name");
    act(
        &app,
        &handler,
        &number,
        "record_contact",
        json!({ "method": "phone", "reached": true, "person": "王示例", "result": "已约时间" }),
    )
    .await;
    app.clock.advance(jiff::SignedDuration::from_mins(5));
    act(&app, &handler, &number, "draft_reply", json!({ "text": "已修好。", "conclusion": "solved" })).await;
    assert_eq!(kinds(&notices(&app, &leader).await), ["to_sign"]);
    assert_eq!(kinds(&notices(&app, &clerk).await), ["to_sign", "assigned"], "the deputy signs too");
    assert_eq!(kinds(&notices(&app, &handler).await), ["assigned"], "who drafted need not be told");

    let id = told["items"][0]["id"].as_str().expect("an id").to_owned();
    app.post(&format!("/api/notices/{id}/read"), &handler, json!({})).await.expect(404);
    app.post(&format!("/api/notices/{id}/read"), &clerk, json!({})).await.expect(204);
    assert_eq!(notices(&app, &clerk).await["unread"], 1);
    app.post("/api/notices/read", &clerk, json!({})).await.expect(204);
    assert_eq!(notices(&app, &clerk).await["unread"], 0);

    act(&app, &clerk, &number, "sign_off", json!({})).await;
    let shown = app.get(&format!("/api/cases/{number}"), &leader).await.expect(200).json();
    assert_eq!(shown["reply"]["signer"], "住建局分管负责人（AB岗代签）", "the deputy signed");
}

#[tokio::test]
async fn deputies_are_set_by_the_leader_of_the_unit_or_an_administrator_alone() {
    let app = TestApp::start().await;
    let leader = app.officer("leader", &[(Role::UnitLeader, "zjj")]).await;
    let admin = app.officer("admin2", &[(Role::Admin, "")]).await;
    let clerk = app.officer("clerk", &[(Role::UnitClerk, "zjj")]).await;
    let foreign = app.officer("foreign", &[(Role::UnitLeader, "swj")]).await;
    let clerk_id = app.get("/api/me", &clerk).await.expect(200).json()["id"].clone();
    let foreign_id = app.get("/api/me", &foreign).await.expect(200).json()["id"].clone();
    let body = |officer: &Value, from: &str, until: &str| json!({ "unit": "zjj", "officer_id": officer, "from_on": from, "until_on": until });
    let good = body(&clerk_id, "2026-11-25", "2026-11-27");
    app.post("/api/deputies", &clerk, good.clone()).await.expect(403);
    app.post("/api/deputies", &foreign, good.clone()).await.expect(403);
    app.post("/api/deputies", &leader, body(&foreign_id, "2026-11-25", "2026-11-27")).await.expect(422);
    app.post("/api/deputies", &leader, body(&clerk_id, "2026-11-27", "2026-11-25")).await.expect(422);
    app.post("/api/deputies", &leader, body(&clerk_id, "2026-10-01", "2026-10-02")).await.expect(422);
    app.post("/api/deputies", &admin, good).await.expect(204);
    let seen = |answer: Value| answer["items"].as_array().expect("items").len();
    assert_eq!(seen(app.get("/api/deputies", &clerk).await.expect(200).json()), 1);
    assert_eq!(seen(app.get("/api/deputies", &foreign).await.expect(200).json()), 0);
    let end = json!({ "unit": "zjj", "officer_id": clerk_id, "from_on": "2026-11-25" });
    app.post("/api/deputies/end", &foreign, end.clone()).await.expect(403);
    app.post("/api/deputies/end", &leader, end.clone()).await.expect(204);
    app.post("/api/deputies/end", &leader, end).await.expect(404);
    assert_eq!(seen(app.get("/api/deputies", &leader).await.expect(200).json()), 0);
}

#[tokio::test]
async fn an_emergency_pages_everybody_on_duty_and_the_systems_that_asked() {
    let app = TestApp::with(|config| {
        config.webhooks.outbound = vec![WebhookTarget {
            name: "duty".to_owned(),
            url: "https://duty.example/hook".to_owned(),
            events: vec!["duty.*".to_owned()],
            ..WebhookTarget::default()
        }];
    })
    .await;
    let front = app.officer("zuoxi", &[(Role::FrontDesk, "")]).await;
    let unit = app.officer("clerk", &[(Role::UnitClerk, "zjj")]).await;
    let admin = app.officer("admin2", &[(Role::Admin, "")]).await;
    let visitor = app.visitor().await;
    app.say(&visitor, "1", "车间着火了，有人被困").await.expect(200);
    let told = notices(&app, &front).await;
    assert_eq!(kinds(&told), ["alert"]);
    assert!(told["items"][0]["conversation_id"].is_string());
    assert!(kinds(&notices(&app, &unit).await).is_empty());

    let sent = jobs::outbox::run_once(&app.app, &Refusing).await.expect("the job runs");
    assert_eq!(sent.dead, 1, "the page was on its way");
    let mut tx = app.app.db.read().await.expect("a connection");
    let dead = zhitong::store::outbox::dead(&mut tx, None, 10).await.expect("dead letters");
    drop(tx);
    assert_eq!(dead[0].event, "duty.paged");
    assert!(!dead[0].payload.contains("着火"), "no words of the visitor leave the house");
    assert_eq!(kinds(&notices(&app, &admin).await), ["push_failed"], "what was given up is told");
}

#[tokio::test]
async fn a_sealed_case_is_told_to_nobody_but_discipline() {
    let app = TestApp::start().await;
    let centre = app.officer("fenpai", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
    let discipline = app.officer("jijian", &[(Role::Discipline, "")]).await;
    let second = app.officer("jijian2", &[(Role::Discipline, "")]).await;
    let clerk = app.officer("clerk", &[(Role::UnitClerk, "zfb")]).await;
    let number =
        file(&app, &centre, json!({ "words": "住建局张某某向我们吃拿卡要，索要好处费", "type": "conduct" })).await;
    app.get(&format!("/api/cases/{number}"), &centre).await.expect(404);
    act(&app, &discipline, &number, "accept", json!({})).await;
    act(&app, &discipline, &number, "dispatch", json!({})).await;
    assert_eq!(kinds(&notices(&app, &second).await), ["assigned"]);
    assert!(kinds(&notices(&app, &centre).await).is_empty());
    assert!(kinds(&notices(&app, &clerk).await).is_empty(), "not even the unit that has it");
}

#[tokio::test]
async fn what_was_told_about_a_case_counts_as_read_once_the_case_is_open() {
    let app = TestApp::start().await;
    let centre = app.officer("fenpai", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
    let clerk = app.officer("clerk", &[(Role::UnitClerk, "zjj")]).await;
    let colleague = app.officer("clerk2", &[(Role::UnitClerk, "zjj")]).await;
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let number = file(&app, &centre, json!({})).await;
        act(&app, &centre, &number, "accept", json!({})).await;
        act(&app, &centre, &number, "dispatch", json!({ "lead": "zjj" })).await;
        numbers.push(number);
    }
    let desk = app.get("/desk", &clerk).await.expect(200).text();
    assert!(desk.contains("data-n=\"2\"") && desk.contains("通知，2 条未读"), "{desk}");
    let page = app.get("/desk/notices", &clerk).await.expect(200).text();
    assert_eq!(page.matches("class=\"unread\"").count(), 2, "{page}");
    assert!(page.contains(&format!("href=\"/desk/cases/{}\"", numbers[0])), "{page}");

    app.get(&format!("/desk/cases/{}", numbers[0]), &clerk).await.expect(200);
    assert_eq!(notices(&app, &clerk).await["unread"], 2, "a GET changes nothing");
    let opened = |body: Value| app.post("/api/notices/opened", &clerk, body);
    assert_eq!(opened(json!({ "case_number": numbers[0] })).await.expect(200).json(), json!({ "unread": 1 }));
    assert_eq!(opened(json!({ "case_number": numbers[0] })).await.expect(200).json(), json!({ "unread": 1 }));
    for wrong in
        [json!({}), json!({ "case_number": "ZT1" }), json!({ "case_number": numbers[0], "conversation_id": "1" })]
    {
        opened(wrong).await.expect(422);
    }
    assert_eq!(notices(&app, &colleague).await["unread"], 2, "everybody reads their own");
    let page = app.get("/desk/notices?unread=true", &clerk).await.expect(200).text();
    let left = page.split("<ol class=\"notices\">").nth(1).expect("a list of notices");
    assert!(left.contains(&numbers[1]) && !left.contains(&numbers[0]), "{left}");

    app.call("POST", "/desk/notices/read", Some(&clerk), None).await.expect(303);
    let page = app.get("/desk/notices?unread=true", &clerk).await.expect(200).text();
    assert!(page.contains("都看过了"), "{page}");
    let foreign = notices(&app, &colleague).await["items"][0]["id"].as_str().expect("an id").to_owned();
    app.call("POST", &format!("/desk/notices/{foreign}/read"), Some(&clerk), None).await.expect(404);
}
