//! Cases through the real router and database: filing, the whole road, who may see and do what, tracking, lists.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use zhitong::{
    app::{
        App, auth, case_actions,
        content::{self, ContentStore, Origin},
        demo,
        system::{FixedClock, SystemIds},
    },
    config::Config,
    domain::{access::Role, case::CaseAction},
    ports::Clock as _,
    store::{cases, testing, timers},
    web::router,
};

struct World {
    app: App,
    clock: Arc<FixedClock>,
    router: Router,
    tokens: HashMap<String, String>,
    db: testing::TestDb,
}

fn at(text: &str) -> Timestamp {
    format!("{text}+08:00").parse().expect("a valid instant")
}

/// The staff of the tests: login, role, unit.
const STAFF: &[(&str, Role, &str)] = &[
    ("front", Role::FrontDesk, ""),
    ("dispatcher", Role::Dispatcher, ""),
    ("verifier", Role::Verifier, ""),
    ("supervisor", Role::Supervisor, ""),
    ("discipline", Role::Discipline, ""),
    ("auditor", Role::Auditor, ""),
    ("admin2", Role::Admin, ""),
    ("clerk", Role::UnitClerk, "zjj"),
    ("handler", Role::Handler, "zjj"),
    ("leader", Role::UnitLeader, "zjj"),
    ("other", Role::Handler, "swj"),
    ("assist", Role::Handler, "xfj"),
    ("mayor", Role::Leader, ""),
];

impl World {
    async fn new(db: testing::TestDb, now: &str) -> Self {
        let clock = Arc::new(FixedClock::new(at(now)));
        let config = Config::default();
        let built = content::build(&content::shipped_files(), &config.time, clock.now(), Origin::Shipped, false);
        let store = ContentStore::fixed(built.content.expect("the shipped rules are good"));
        let app = App::new(config, db.db.clone(), store, clock.clone(), Arc::new(SystemIds));
        let router = router::build(&app);
        let mut world = Self { app, clock, router, tokens: HashMap::new(), db };
        world.hire().await;
        world
    }

    async fn sqlite(now: &str) -> Self {
        Self::new(testing::sqlite().await, now).await
    }

    async fn hire(&mut self) {
        use zhitong::{domain::ids::OfficerId, ports::IdGen as _, store::officers};
        let now = self.clock.now();
        let mut tx = self.app.db.write().await.expect("a transaction");
        for (login, role, unit) in STAFF {
            let id = OfficerId::from_uuid(SystemIds.uuid(now));
            let new = officers::NewOfficer { id, login, name: login, password_hash: "!", must_change_password: false };
            officers::insert(&mut tx, &new, now).await.expect("an officer");
            officers::set_roles(&mut tx, id, &[(*role, (*unit).to_owned())]).await.expect("roles");
        }
        tx.commit().await.expect("committed");
        for (login, ..) in STAFF {
            let (_, secret) = auth::create_token(&self.app, login, "test", None).await.expect("a token");
            self.tokens.insert((*login).to_owned(), secret);
        }
    }

    async fn call(&self, who: &str, method: &str, path: &str, body: Value, key: Option<&str>) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(token) = self.tokens.get(who) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = if method == "GET" { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.body(body).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 4 << 20).await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    #[track_caller]
    fn expect(answer: (StatusCode, Value), status: u16) -> Value {
        assert_eq!(answer.0.as_u16(), status, "{}", answer.1);
        answer.1
    }

    async fn get(&self, who: &str, path: &str) -> (StatusCode, Value) {
        self.call(who, "GET", path, Value::Null, None).await
    }

    async fn file(&self, body: Value) -> (String, String) {
        let filed = Self::expect(self.call("front", "POST", "/api/cases", body, None).await, 201);
        let text = |key: &str| filed[key].as_str().expect("a text").to_owned();
        (text("number"), text("code"))
    }

    async fn act(&self, who: &str, number: &str, action: &str, body: Value) -> (StatusCode, Value) {
        self.call(who, "POST", &format!("/api/cases/{number}/actions/{action}"), body, None).await
    }

    async fn does(&self, who: &str, number: &str, action: &str, body: Value) -> Value {
        let answer = self.act(who, number, action, body).await;
        assert_eq!(answer.0, StatusCode::OK, "{who} {action}: {}", answer.1);
        answer.1
    }

    async fn processing(&self) -> (String, String) {
        let (number, code) = self.file(fire()).await;
        self.does("front", &number, "accept", json!({})).await;
        self.does("dispatcher", &number, "dispatch", json!({"lead": "zjj", "assists": ["xfj"]})).await;
        self.does("clerk", &number, "sign_in", json!({"register_no": "收1", "handler": "handler"})).await;
        self.does(
            "handler",
            &number,
            "record_contact",
            json!({"method": "phone", "reached": true, "result": "已联系", "person": "李经理"}),
        )
        .await;
        (number, code)
    }

    async fn finish(self) {
        self.db.finish().await;
    }
}

fn fire() -> Value {
    json!({
        "words": "我们厂房的消防验收一直批不下来，跑了三趟了", "enterprise": "示例机械有限公司",
        "contact_name": "李经理", "contact_phone": "13800000000", "type": "coordination", "topic": "FIRE.ACCEPT",
    })
}

#[tokio::test]
async fn a_case_goes_the_whole_road_and_the_enterprise_can_follow_it() {
    for db in [Some(testing::sqlite().await), testing::postgres().await].into_iter().flatten() {
        let world = World::new(db, "2026-11-02T09:00:00").await;
        let (number, code) = world.processing().await;
        assert!(number.starts_with("ZT20261102-0001"), "{number}");
        let case = World::expect(world.get("handler", &format!("/api/cases/{number}")).await, 200);
        assert_eq!(case["status"], "processing");
        let k5 = case["clocks"].as_array().expect("clocks").iter().find(|c| c["key"] == "K5").expect("K5").clone();
        assert_eq!(k5["due_at"], "2026-11-16T17:30:00+08:00");
        assert_eq!(k5["owner"], "zjj");
        assert!(case["allowed_actions"].as_array().expect("actions").contains(&json!("draft_reply")));

        let draft = json!({"text": "已完成消防验收。", "conclusion": "solved"});
        world.does("handler", &number, "draft_reply", draft).await;
        let (status, problem) = world.act("handler", &number, "sign_off", json!({})).await;
        assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("case.role_not_allowed")));
        world.does("leader", &number, "sign_off", json!({})).await;
        world.does("verifier", &number, "release_reply", json!({})).await;

        let track = World::expect(world.get("", &format!("/api/track/{number}?code={code}")).await, 200);
        assert_eq!(track["status"], "awaiting_confirm");
        assert_eq!(track["reply"]["text"], "已完成消防验收。");
        let shown = track.to_string();
        assert!(!shown.contains("13800000000") && !shown.contains("route_reason"), "{shown}");
        let path = format!("/api/track/{number}/rate");
        let body = json!({"code": code, "grade": 5, "solved": true});
        let rated = World::expect(world.call("", "POST", &path, body, None).await, 200);
        assert_eq!((&rated["status"], &rated["stage"]), (&json!("closed"), &json!(8)));

        let timeline = World::expect(world.get("auditor", &format!("/api/cases/{number}/timeline")).await, 200);
        let kinds: Vec<_> = timeline["items"].as_array().expect("items").iter().map(|e| e["kind"].clone()).collect();
        assert_eq!(kinds.first(), Some(&json!("case_submitted")));
        assert_eq!(kinds.last(), Some(&json!("case_closed")));
        let mut tx = world.app.db.read().await.expect("a reader");
        let ids = cases::ids_after(&mut tx, "", 10).await.expect("ids");
        for id in &ids {
            assert_eq!(cases::events::first_break(&mut tx, id, true).await.expect("a chain"), None);
        }
        drop(tx);
        world.finish().await;
    }
}

#[tokio::test]
async fn wrong_state_wrong_role_and_wrong_fields_are_told_apart() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    let (number, _) = world.file(fire()).await;
    let (status, problem) = world.act("dispatcher", &number, "dispatch", json!({"lead": "zjj"})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("case.transition_not_allowed")));
    assert!(problem["allowed"].as_array().expect("allowed").contains(&json!("accept")));
    assert_eq!(problem["allowed_actions"], problem["allowed"]);
    let (status, problem) = world.act("auditor", &number, "accept", json!({})).await;
    assert_eq!(status.as_u16(), 403, "{problem}");
    assert_eq!(problem["allowed_actions"], json!([]), "the list is there when nothing is allowed, too");
    let (status, problem) = world.act("verifier", &number, "accept", json!({})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("case.role_not_allowed")));
    let (status, problem) = world.act("front", &number, "refuse", json!({"code": "D2"})).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["pointer"]), (422, &json!("/path")));
    let (status, problem) = world.act("front", &number, "accept", json!({"status": "closed"})).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["pointer"]), (422, &json!("/status")));
    let (status, problem) = world.act("front", &number, "accept", json!({"topic": "NO.SUCH"})).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["pointer"]), (422, &json!("/topic")));
    assert_eq!(world.act("front", &number, "no_such_action", json!({})).await.0.as_u16(), 404);
    assert_eq!(world.act("front", "ZT20261102-00010", "accept", json!({})).await.0.as_u16(), 404);
    assert_eq!(world.act("", &number, "accept", json!({})).await.0.as_u16(), 401);
    let (status, problem) = world.call("front", "POST", "/api/cases", json!({"words": ""}), None).await;
    assert_eq!(status.as_u16(), 422);
    let pointers: Vec<_> = problem["errors"].as_array().expect("errors").iter().map(|e| e["pointer"].clone()).collect();
    assert!(pointers.contains(&json!("/words")) && pointers.contains(&json!("/enterprise")), "{pointers:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_repeated_key_changes_nothing() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    let first = World::expect(world.call("front", "POST", "/api/cases", fire(), Some("k1")).await, 201);
    let again = World::expect(world.call("front", "POST", "/api/cases", fire(), Some("k1")).await, 201);
    assert_eq!(first["number"], again["number"]);
    assert_eq!(first["code"], again["code"]);
    let other = json!({"words": "另一件事", "enterprise": "示例二", "contact_phone": "13800000001"});
    assert_eq!(world.call("front", "POST", "/api/cases", other, Some("k1")).await.0.as_u16(), 409);
    let number = first["number"].as_str().expect("a number");
    let path = format!("/api/cases/{number}/actions/accept");
    let one = World::expect(world.call("front", "POST", &path, json!({}), Some("a1")).await, 200);
    let two = World::expect(world.call("front", "POST", &path, json!({}), Some("a1")).await, 200);
    assert_eq!((&one["status"], &one["version"]), (&json!("accepted"), &two["version"]));
    assert_eq!(world.call("front", "POST", &path, json!({}), Some("a2")).await.0.as_u16(), 409);
    world.finish().await;
}

#[tokio::test]
async fn units_see_their_own_cases_and_sealed_ones_nobody_but_discipline() {
    for db in [Some(testing::sqlite().await), testing::postgres().await].into_iter().flatten() {
        let world = World::new(db, "2026-11-02T09:00:00").await;
        let (number, _) = world.processing().await;
        let mut conduct = fire();
        conduct["type"] = json!("conduct");
        conduct["words"] = json!("住建局窗口工作人员吃拿卡要，故意刁难我们");
        let (sealed, _) = world.file(conduct).await;
        let sees = |who: &'static str, number: String| {
            let world = &world;
            async move { world.get(who, &format!("/api/cases/{number}")).await.0.as_u16() }
        };
        for (who, expected) in
            [("handler", 200), ("assist", 200), ("other", 404), ("dispatcher", 200), ("auditor", 200), ("admin2", 403)]
        {
            assert_eq!(sees(who, number.clone()).await, expected, "{who}");
        }
        for (who, expected) in
            [("discipline", 200), ("dispatcher", 404), ("front", 404), ("leader", 404), ("auditor", 404)]
        {
            assert_eq!(sees(who, sealed.clone()).await, expected, "{who} and the sealed case");
        }
        let listed = |who: &'static str, query: &'static str| {
            let world = &world;
            async move {
                let page = World::expect(world.get(who, &format!("/api/cases{query}")).await, 200);
                let items = page["items"].as_array().expect("items").clone();
                items.iter().map(|line| line["number"].as_str().expect("a number").to_owned()).collect::<Vec<_>>()
            }
        };
        assert_eq!(listed("dispatcher", "").await, std::slice::from_ref(&number));
        assert_eq!(listed("discipline", "").await, std::slice::from_ref(&sealed));
        assert_eq!(listed("other", "").await, Vec::<String>::new());
        assert_eq!(listed("assist", "").await, std::slice::from_ref(&number));
        assert_eq!(
            listed("dispatcher", "?status=processing&type=coordination&unit=zjj").await,
            std::slice::from_ref(&number)
        );
        assert_eq!(listed("dispatcher", "?status=closed").await, Vec::<String>::new());
        // Two characters, percent-encoded: 消防.
        assert_eq!(listed("dispatcher", "?q=%E6%B6%88%E9%98%B2").await, std::slice::from_ref(&number));
        assert_eq!(listed("dispatcher", "?q=%25").await, Vec::<String>::new());
        assert_eq!(listed("dispatcher", "?overdue=true").await, Vec::<String>::new());
        assert_eq!(listed("dispatcher", "?overdue=false").await, std::slice::from_ref(&number));
        // An assisting unit that is late makes nobody else late.
        let ask = json!({"unit": "xfj", "question": "水压是否达标", "due_on": "2026-11-09"});
        world.does("handler", &number, "ask_assist", ask).await;
        world.clock.set(at("2026-11-10T09:00:00"));
        for query in ["?overdue=true", "?overdue=true&unit=zjj"] {
            assert_eq!(listed("dispatcher", query).await, Vec::<String>::new());
            assert_eq!(listed("leader", query).await, Vec::<String>::new());
        }
        world.clock.set(at("2026-11-17T09:00:00"));
        assert_eq!(listed("dispatcher", "?overdue=true").await, std::slice::from_ref(&number));
        assert_eq!(listed("dispatcher", "?overdue=false").await, Vec::<String>::new());
        assert_eq!(world.get("dispatcher", "/api/cases?cursor=x").await.0.as_u16(), 422);
        assert_eq!(world.get("dispatcher", "/api/cases?status=nonsense").await.0.as_u16(), 422);
        world.finish().await;
    }
}

#[tokio::test]
async fn pages_follow_one_another_without_gaps() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    for n in 0..7 {
        world.clock.set(at("2026-11-02T09:00:00") + jiff::SignedDuration::from_mins(n));
        world.file(fire()).await;
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = World::expect(world.get("front", &format!("/api/cases?limit=3&cursor={cursor}")).await, 200);
        seen.extend(page["items"].as_array().expect("items").iter().map(|line| line["number"].to_string()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((seen.len(), unique.len()), (7, 7));
    world.finish().await;
}

#[tokio::test]
async fn a_wrong_code_looks_like_an_unknown_number() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    let (number, code) = world.file(fire()).await;
    let wrong = world.get("", &format!("/api/track/{number}?code=00000-00000")).await;
    let unknown = world.get("", "/api/track/ZT20261102-99990?code=00000-00000").await;
    assert_eq!(wrong, unknown);
    assert_eq!(wrong.0.as_u16(), 404);
    let lower = code.to_lowercase().replace('-', "%20");
    assert_eq!(world.get("", &format!("/api/track/{}?code={lower}", number.to_lowercase())).await.0.as_u16(), 200);
    let act = |action: &'static str, body: Value| {
        let (world, number) = (&world, &number);
        async move { world.call("", "POST", &format!("/api/track/{number}/{action}"), body, None).await }
    };
    assert_eq!(act("urge", json!({"code": "00000-00000"})).await.0.as_u16(), 404);
    assert_eq!(act("urge", json!({"code": code})).await.0.as_u16(), 200);
    assert_eq!(act("urge", json!({"code": code})).await.0.as_u16(), 409);
    assert_eq!(act("accept", json!({"code": code})).await.0.as_u16(), 403);
    assert_eq!(act("add_info", json!({"code": code, "text": "补充照片"})).await.0.as_u16(), 200);
    assert_eq!(act("withdraw", json!({"code": code, "reason": "已解决"})).await.0.as_u16(), 200);
    assert_eq!(act("withdraw", json!({"code": code, "reason": "已解决"})).await.0.as_u16(), 409);
    world.finish().await;
}

#[tokio::test]
async fn guessing_codes_is_slowed_down() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    let mut refused = false;
    for _ in 0..400 {
        if world.get("", "/api/track/ZT20261102-00010?code=00000-00000").await.0 == StatusCode::TOO_MANY_REQUESTS {
            refused = true;
            break;
        }
    }
    assert!(refused);
    world.finish().await;
}

#[tokio::test]
async fn one_message_with_three_matters_gives_three_cases_on_one_progress_page() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    let (number, code) = world.file(fire()).await;
    world.does("front", &number, "accept", json!({})).await;
    let parts = json!({"parts": [
        {"title": "消防验收", "demand": "尽快消防验收", "topic": "FIRE.ACCEPT"},
        {"title": "用电增容", "demand": "变压器增容", "type": "help", "topic": "POWER"},
        {"title": "招工", "demand": "招不到人", "topic": "LABOUR.RECRUIT"},
    ]});
    world.does("dispatcher", &number, "split", parts).await;
    let track = World::expect(world.get("", &format!("/api/track/{number}?code={code}")).await, 200);
    let siblings = track["siblings"].as_array().expect("siblings").clone();
    assert_eq!(siblings.len(), 3);
    for sibling in siblings {
        let child = sibling["number"].as_str().expect("a number");
        let view = World::expect(world.get("", &format!("/api/track/{child}?code={code}")).await, 200);
        assert_eq!(view["status"], "accepted");
        assert!(view["due_at"].is_string());
    }
    world.finish().await;
}

#[tokio::test]
async fn a_confidential_complaint_reaches_the_unit_without_its_author() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    let mut complaint = fire();
    complaint["type"] = json!("complaint");
    complaint["confidential"] = json!(true);
    complaint["words"] = json!("示例机械有限公司反映验收推诿，请打13800000000");
    let (number, _) = world.file(complaint).await;
    world.does("front", &number, "accept", json!({})).await;
    world.does("dispatcher", &number, "dispatch", json!({"lead": "zjj"})).await;
    let seen = World::expect(world.get("handler", &format!("/api/cases/{number}")).await, 200);
    assert_eq!(seen["identity_hidden"], true);
    let text = seen.to_string();
    assert!(!text.contains("示例机械") && !text.contains("13800000000") && !text.contains("李经理"), "{text}");
    let list = World::expect(world.get("handler", "/api/cases").await, 200).to_string();
    assert!(!list.contains("示例机械"), "{list}");
    let page = World::expect(world.get("handler", "/api/cases?q=%E7%A4%BA%E4%BE%8B").await, 200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(0), "a search must not give the name away");
    let centre = World::expect(world.get("verifier", &format!("/api/cases/{number}")).await, 200);
    assert_eq!(centre["enterprise"], "示例机械有限公司");
    world.finish().await;
}

#[tokio::test]
async fn a_timer_deems_a_case_signed_once() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    let (number, code) = world.file(fire()).await;
    world.does("front", &number, "accept", json!({})).await;
    world.does("dispatcher", &number, "dispatch", json!({"lead": "zjj"})).await;
    let mut tx = world.app.db.write().await.expect("a transaction");
    world.clock.set(at("2026-11-03T17:30:00"));
    let due = timers::claim(&mut tx, world.clock.now(), 50).await.expect("timers");
    let deem = due.iter().find(|timer| timer.step == "act:deem_signed").expect("a timer for 视同签收");
    let input = case_actions::timed_input(CaseAction::DeemSigned).expect("a timed action");
    let (done, effects) = case_actions::perform_timed(&mut tx, &world.app, deem.case, &input).await.expect("applied");
    assert!(done);
    let (again, _) = case_actions::perform_timed(&mut tx, &world.app, deem.case, &input).await.expect("nothing to do");
    assert!(!again);
    tx.commit().await.expect("committed");
    effects.tell(&world.app);
    let track = World::expect(world.get("", &format!("/api/track/{number}?code={code}")).await, 200);
    assert_eq!(track["status"], "signed");
    world.finish().await;
}

#[tokio::test]
async fn a_wrong_word_is_answered_with_the_words_that_would_do() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    let number = world.dispatched(fire(), "zjj").await;
    let returned =
        |reason: &str, unit: &str| json!({"reason": reason, "basis": "三定规定第三条第五项", "proposed_unit": unit});
    let (status, problem) = world.act("leader", &number, "request_return", returned("bogus", "xfj")).await;
    assert_eq!(status.as_u16(), 422, "{problem}");
    let message = problem["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("not_our_duty 不属本单位职责") && message.contains("duplicate"), "{message}");
    let (status, problem) = world.act("leader", &number, "request_return", returned("not_our_duty", "nowhere")).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["pointer"]), (422, &json!("/proposed_unit")), "{problem}");
    world.finish().await;
}

#[tokio::test]
async fn what_a_private_debtor_owes_is_no_complaint_under_the_regulation() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    for (topic, policy) in [("ARREARS.BIG", "arrears"), ("ARREARS.PRIVATE", "fujian")] {
        let (number, _) = world
            .file(
                json!({"words": "欠我们货款20万两年了不还", "enterprise": "示例甲公司", "contact_phone": "13800138000",
                "type": "arrears", "topic": topic}),
            )
            .await;
        let case = world.does("front", &number, "accept", json!({})).await;
        assert_eq!(case["policy"]["name"], policy, "{topic}");
    }
    world.finish().await;
}

#[tokio::test]
async fn the_demonstration_loads_once_on_both_databases() {
    for db in [Some(testing::sqlite().await), testing::postgres().await].into_iter().flatten() {
        let world = World::new(db, "2026-11-26T10:20:00").await;
        let demo = demo::load(&world.app).await.expect("loads");
        assert!(demo.cases >= 30, "{}", demo.cases);
        assert!(demo.sample.is_some());
        let again = demo::load(&world.app).await.expect("loads again");
        assert_eq!((again.cases, &again.password), (demo.cases, &demo.password));
        let (secret, token) =
            ("shenji", auth::create_token(&world.app, "shenji", "test", None).await.expect("a token").1);
        let mut world = world;
        world.tokens.insert(secret.to_owned(), token);
        let page = World::expect(world.get("shenji", "/api/cases?limit=200").await, 200);
        let mut states: Vec<String> = page["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|line| line["status"].as_str().expect("a state").to_owned())
            .collect();
        states.sort();
        states.dedup();
        assert!(states.len() >= 15, "{states:?}");
        // A sealed case can be handled to its end: whoever signs for its unit belongs to discipline.
        for login in ["chengban-zfb", "fenguan-zfb"] {
            let (_, secret) = auth::create_token(&world.app, login, "test", None).await.expect("a token");
            world.tokens.insert(login.to_owned(), secret);
        }
        let path = "/api/cases?type=conduct&status=processing";
        let sealed = World::expect(world.get("chengban-zfb", path).await, 200);
        let number = sealed["items"][0]["number"].as_str().expect("a sealed case in hand").to_owned();
        let draft = json!({"text": "已核实，情况如下。", "conclusion": "substantiated"});
        world.does("chengban-zfb", &number, "draft_reply", draft).await;
        let signed = world.does("fenguan-zfb", &number, "sign_off", json!({})).await;
        assert_eq!(signed["status"], "replied");
        let overdue = World::expect(world.get("shenji", "/api/cases?overdue=true").await, 200);
        assert!(overdue["items"].as_array().is_some_and(|items| !items.is_empty()));
        world.finish().await;
    }
}

#[tokio::test]
async fn who_only_looks_reads_no_phone_numbers() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    let mut body = fire();
    body["words"] = json!("厂房消防验收批不下来，请打13800000000找我");
    let (number, _) = world.file(body).await;
    world.does("front", &number, "accept", json!({})).await;
    for path in [format!("/api/cases/{number}"), format!("/api/cases/{number}/timeline")] {
        let shown = World::expect(world.get("mayor", &path).await, 200).to_string();
        assert!(!shown.contains("13800000000") && !shown.contains("李经理"), "{path}: {shown}");
    }
    let case = World::expect(world.get("mayor", &format!("/api/cases/{number}")).await, 200);
    assert_eq!(case["contact_phone"], "138****0000");
    let open = World::expect(world.get("dispatcher", &format!("/api/cases/{number}")).await, 200);
    assert_eq!(open["contact_phone"], "13800000000");
    world.finish().await;
}

#[tokio::test]
async fn a_list_goes_by_the_clock_that_runs_out_next_as_the_page_does() {
    for db in [Some(testing::sqlite().await), testing::postgres().await].into_iter().flatten() {
        let world = World::new(db, "2026-11-02T09:00:00").await;
        let (number, _) = world.file(fire()).await;
        let step = async |clock: &str, overdue: bool| {
            let case = World::expect(world.get("dispatcher", &format!("/api/cases/{number}")).await, 200);
            let own = case["clocks"].as_array().expect("clocks").iter().find(|c| c["key"] == clock).expect("the clock");
            let query = format!("/api/cases?overdue={overdue}");
            let page = World::expect(world.get("dispatcher", &query).await, 200);
            let line = &page["items"][0];
            assert_eq!((&line["due_clock"], &line["due_at"]), (&json!(clock), &own["due_at"]), "{line}");
            assert_eq!(
                (&line["due_text"], &line["overdue"]),
                (&own["remaining_text"], &json!(overdue)),
                "{line} {own}"
            );
        };
        step("K1", false).await;
        world.does("front", &number, "accept", json!({})).await;
        step("K2", false).await;
        world.does("dispatcher", &number, "dispatch", json!({"lead": "zjj"})).await;
        step("K3", false).await;
        // The reply is not due before 16 November; signing in is.
        world.clock.set(at("2026-11-05T17:00:00"));
        step("K3", true).await;
        world.does("clerk", &number, "sign_in", json!({"register_no": "收1", "handler": "handler"})).await;
        world
            .does(
                "handler",
                &number,
                "record_contact",
                json!({"method": "phone", "reached": true, "result": "已联系", "person": "李经理"}),
            )
            .await;
        step("K5", false).await;
        world.finish().await;
    }
}

impl World {
    /// Files, handles and closes a case.
    async fn closed(&self, body: Value, reply: &str) -> String {
        let (number, code) = self.file(body).await;
        self.does("front", &number, "accept", json!({})).await;
        self.does("dispatcher", &number, "dispatch", json!({"lead": "zjj"})).await;
        self.does("clerk", &number, "sign_in", json!({"register_no": "收1", "handler": "handler"})).await;
        self.does(
            "handler",
            &number,
            "record_contact",
            json!({"method": "phone", "reached": true, "result": "已联系", "person": "联系人"}),
        )
        .await;
        self.does("handler", &number, "draft_reply", json!({"text": reply, "conclusion": "solved"})).await;
        self.does("leader", &number, "sign_off", json!({})).await;
        self.does("verifier", &number, "release_reply", json!({})).await;
        let rated = json!({"code": code, "grade": 5, "solved": true});
        let path = format!("/api/track/{number}/rate");
        let closed = Self::expect(self.call("", "POST", &path, rated, None).await, 200);
        assert_eq!(closed["status"], "closed");
        number
    }

    async fn dispatched(&self, body: Value, lead: &str) -> String {
        let (number, _) = self.file(body).await;
        self.does("front", &number, "accept", json!({})).await;
        self.does("dispatcher", &number, "dispatch", json!({"lead": lead})).await;
        number
    }

    async fn help(&self, who: &str, number: &str) -> Value {
        Self::expect(self.get(who, &format!("/api/cases/{number}/help")).await, 200)
    }
}

#[tokio::test]
async fn an_officer_is_shown_how_visible_cases_like_it_ended_without_names() {
    for db in [Some(testing::sqlite().await), testing::postgres().await].into_iter().flatten() {
        let world = World::new(db, "2026-11-02T09:00:00").await;
        let told = "示例机械有限公司、李经理：消防验收已于11月5日通过，电话13800000000。";
        let ended = world.closed(fire(), told).await;
        let mut hidden = fire();
        hidden["confidential"] = json!(true);
        let confidential = world.closed(hidden, "厂房消防验收已办好。").await;
        let other = json!({
            "words": "车间的消防验收跑了三趟，一直批不下来", "enterprise": "另一家纺织厂", "contact_name": "王会计",
            "contact_phone": "13900000000", "type": "coordination", "topic": "FIRE.ACCEPT",
        });
        let mine = world.dispatched(other.clone(), "zjj").await;
        let theirs = world.dispatched(other, "swj").await;

        let help = world.help("handler", &mine).await;
        assert_eq!(help["similar"][0]["number"], json!(ended), "{help}");
        assert_eq!(help["similar"][0]["conclusion"], "已解决");
        let shown = help.to_string();
        assert!(shown.contains("消防验收已于11月5日通过"), "{shown}");
        for secret in ["示例机械", "李经理", "13800000000", confidential.as_str()] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        // The other unit has a case of the same kind, but no part in the one that ended.
        assert_eq!(world.help("other", &theirs).await["similar"], json!([]));
        assert_eq!(world.help("dispatcher", &theirs).await["similar"][0]["number"], json!(ended));
        assert_eq!(world.get("other", &format!("/api/cases/{mine}/help")).await.0.as_u16(), 404);
        // A finished case needs no help.
        assert_eq!(world.help("dispatcher", &ended).await["similar"], json!([]));
        world.finish().await;
    }
}

#[tokio::test]
async fn an_officer_is_shown_what_is_missing_and_a_sourced_answer_to_begin_with() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    let arrears = json!({
        "words": "县医院欠我们货款不给，能不能要利息", "enterprise": "示例机械有限公司", "contact_name": "李经理",
        "contact_phone": "13800000000", "type": "arrears", "topic": "ARREARS.BIG",
    });
    let (number, _) = world.file(arrears).await;
    let help = world.help("dispatcher", &number).await;
    let missing: Vec<&str> = help["missing"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(missing.contains(&"金额") && missing.contains(&"合同"), "{missing:?}");
    assert!(!missing.contains(&"联系方式"), "{missing:?}");
    assert_eq!(help["answers"][0]["rule_id"], "arr-interest", "{help}");
    let reply = help["suggested_reply"].as_str().expect("a reply");
    assert!(reply.contains("万分之五") && reply.contains("依据：保障中小企业款项支付条例"), "{reply}");
    let (status, page) = {
        let mut request = Request::builder().uri(format!("/desk/cases/{number}"));
        request = request.header("authorization", format!("Bearer {}", world.tokens["dispatcher"]));
        let response = world.router.clone().oneshot(request.body(Body::empty()).expect("a request")).await;
        let response = response.expect("an answer");
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 4 << 20).await.expect("a body");
        (status, String::from_utf8_lossy(&bytes).into_owned())
    };
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("还没说清的") && page.contains("可参考的规则答复") && page.contains("万分之五"));

    let full = json!({
        "words": "2025年3月5日签的合同，县医院欠我们货款12万元，还没打官司", "enterprise": "示例机械有限公司",
        "contact_name": "李经理", "contact_phone": "13800000000", "type": "arrears", "topic": "ARREARS.BIG",
    });
    let (number, _) = world.file(full).await;
    let help = world.help("dispatcher", &number).await;
    let missing = help["missing"].to_string();
    for told in ["金额", "合同", "到期日", "诉讼"] {
        assert!(!missing.contains(told), "{told} in {missing}");
    }
    world.finish().await;
}

#[tokio::test]
async fn an_idempotency_key_stands_for_one_request() {
    let world = World::sqlite("2026-11-02T09:00:00").await;
    let (number, code) = world.processing().await;
    let path = format!("/api/cases/{number}/actions/record_progress");
    let send = async |text: &str| world.call("handler", "POST", &path, json!({ "text": text }), Some("q1")).await;
    World::expect(send("第一").await, 200);
    World::expect(send("第一").await, 200);
    assert_eq!(World::expect(send("第二").await, 409)["code"], "idempotency_reused");
    // The enterprise's own requests alike.
    let path = format!("/api/track/{number}/add_info");
    let send =
        async |text: &str| world.call("nobody", "POST", &path, json!({ "code": code, "text": text }), Some("q1")).await;
    World::expect(send("补充一").await, 200);
    World::expect(send("补充一").await, 200);
    World::expect(send("补充二").await, 409);
    world.finish().await;
}
