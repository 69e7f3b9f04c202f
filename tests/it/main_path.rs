//! The main job through HTTP: ask, get a sourced answer; not solved, fill the form, submit; an officer takes it up, the
//! unit handles it, the leader signs, the enterprise rates, the case is closed. And the chat's own promises: the bot is
//! silent once a person has the conversation, and after hours nobody waits in an empty queue.

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
        App, auth,
        content::{self, ContentStore, Origin},
        exchange,
        system::{FixedClock, SystemIds},
    },
    config::Config,
    domain::{access::Role, ids::OfficerId},
    ports::{Clock as _, IdGen as _},
    store::{officers, testing},
    web::router,
};

/// Login, role, unit.
const STAFF: &[(&str, Role, &str)] = &[
    ("lin", Role::FrontDesk, ""),
    ("chen", Role::FrontDesk, ""),
    ("dispatcher", Role::Dispatcher, ""),
    ("verifier", Role::Verifier, ""),
    ("clerk", Role::UnitClerk, "zjj"),
    ("handler", Role::Handler, "zjj"),
    ("leader", Role::UnitLeader, "zjj"),
];

struct Gateway {
    app: App,
    clock: Arc<FixedClock>,
    router: Router,
    tokens: HashMap<String, String>,
    db: testing::TestDb,
}

fn at(text: &str) -> Timestamp {
    format!("{text}+08:00").parse().expect("a valid instant")
}

impl Gateway {
    async fn start(db: testing::TestDb, now: &str) -> Self {
        let clock = Arc::new(FixedClock::new(at(now)));
        let config = Config::default();
        let built = content::build(&content::shipped_files(), &config.time, clock.now(), Origin::Shipped, true);
        let store = ContentStore::fixed(built.content.expect("the shipped content loads"));
        let app = App::new(config, db.db.clone(), store, clock.clone(), Arc::new(SystemIds));
        tokio::spawn(exchange::run(app.clone()));
        let mut tx = app.db.write().await.expect("a transaction");
        for (login, role, unit) in STAFF {
            let id = OfficerId::from_uuid(SystemIds.uuid(clock.now()));
            let new = officers::NewOfficer { id, login, name: login, password_hash: "!", must_change_password: false };
            officers::insert(&mut tx, &new, clock.now()).await.expect("an officer");
            officers::set_roles(&mut tx, id, &[(*role, (*unit).to_owned())]).await.expect("roles");
        }
        tx.commit().await.expect("committed");
        let mut tokens = HashMap::new();
        for (login, ..) in STAFF {
            let (_, secret) = auth::create_token(&app, login, "test", None).await.expect("a token");
            tokens.insert((*login).to_owned(), secret);
        }
        let router = router::build(&app);
        Self { app, clock, router, tokens, db }
    }

    async fn call(&self, token: Option<&str>, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = if method == "GET" { Body::empty() } else { Body::from(body.to_string()) };
        let response = self.router.clone().oneshot(request.body(body).expect("a request")).await.expect("an answer");
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 4 << 20).await.expect("a body");
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn staff(&self, who: &str, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Some(self.tokens.get(who).expect("one of the staff")), method, path, body).await
    }

    async fn does(&self, who: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.staff(who, "POST", path, body).await;
        assert!(status.is_success(), "{who} {path}: {status} {answer}");
        answer
    }

    async fn visitor(&self) -> Visitor<'_> {
        let (status, answer) = self.call(None, "POST", "/api/chat/sessions", json!({})).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let text = |key: &str| answer[key].as_str().expect("a text").to_owned();
        Visitor {
            gateway: self,
            token: text("token"),
            conversation: text("conversation_id"),
            said: std::cell::Cell::new(0),
        }
    }

    async fn stop(self) {
        self.app.exchange_stopped.cancel();
        self.db.finish().await;
    }
}

struct Visitor<'a> {
    gateway: &'a Gateway,
    token: String,
    conversation: String,
    said: std::cell::Cell<u32>,
}

impl Visitor<'_> {
    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.gateway.call(Some(&self.token), "POST", path, body).await
    }

    /// Says something; the whole answer of the API.
    async fn say(&self, words: &str) -> Value {
        self.said.set(self.said.get() + 1);
        let body = json!({"client_id": format!("c{}", self.said.get()), "text": words});
        let (status, answer) = self.post("/api/chat/messages", body).await;
        assert_eq!(status, StatusCode::OK, "{words}: {answer}");
        answer
    }

    async fn history(&self) -> Vec<Value> {
        let (status, answer) =
            self.gateway.call(Some(&self.token), "GET", "/api/chat/messages?after=0", Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let items = answer["items"].as_array().or_else(|| answer["messages"].as_array()).or_else(|| answer.as_array());
        items.expect("messages").clone()
    }
}

fn replies(answer: &Value) -> &Vec<Value> {
    answer["replies"].as_array().expect("replies")
}

fn said(answer: &Value) -> String {
    replies(answer).iter().filter_map(|r| r["text"].as_str()).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_question_to_the_closed_case() {
    for db in [Some(testing::sqlite().await), testing::postgres().await].into_iter().flatten() {
        let gateway = Gateway::start(db, "2026-11-02T09:00:00").await;
        let visitor = gateway.visitor().await;

        // A question: answered by a rule with its source.
        let answer = visitor.say("厂房消防验收归谁管，开店前要检查吗").await;
        let reply = &replies(&answer)[0];
        assert_eq!(reply["from"], "bot");
        assert!(reply["rule_id"].is_string() && reply["citations"][0]["title"].is_string(), "{answer}");
        assert_eq!(answer["conversation"]["state"], "bot");

        // Not solved: a form, without retyping; nothing is filed before 提交.
        let answer = visitor.say("没解决").await;
        let form = replies(&answer).iter().find(|r| r["kind"] == "form").expect("a form").clone();
        assert_eq!(form["form"]["can_submit"], false, "{form}");
        assert!(form["form"]["missing"].as_array().expect("missing").contains(&json!("contact_phone")));
        assert_eq!(answer["conversation"]["state"], "collecting");
        let (status, problem) = visitor.post("/api/chat/case", json!({"client_id": "s0", "confirm": true})).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/fields/contact_phone");
        visitor.say("我们是示例县鑫达模具有限公司，陈志强 13800138000").await;
        let submit = json!({"client_id": "s1", "fields": {"place": "工业园区3号"}, "matters": [{"n": 1, "keep": true, "type": "coordination", "topic": "FIRE.ACCEPT", "demand": "消防验收等了一个月没人来，请协调"}], "confirm": true});
        let (first, second) = tokio::join!(
            visitor.post("/api/chat/case", submit.clone()),
            visitor.post("/api/chat/case", submit.clone())
        );
        assert_eq!(first.0, StatusCode::CREATED, "{}", first.1);
        let case = first.1["cases"][0].clone();
        assert_eq!(second.1["cases"][0]["number"], case["number"], "a double click files once: {}", second.1);
        let (number, code) = (case["number"].as_str().expect("a number"), case["code"].as_str().expect("a code"));
        let receipts = visitor.history().await.iter().filter(|m| m["card"]["kind"] == "receipt").count();
        assert_eq!(receipts, 1);

        // The road through the offices.
        let act = |who: &'static str, action: &'static str, body: Value| {
            let (gateway, path) = (&gateway, format!("/api/cases/{number}/actions/{action}"));
            async move { gateway.does(who, &path, body).await }
        };
        let (_, file) = gateway.staff("lin", "GET", &format!("/api/cases/{number}"), Value::Null).await;
        let words = file.to_string();
        assert!(words.contains("厂房消防验收归谁管"), "the enterprise's own words are kept: {words}");
        act("lin", "accept", json!({})).await;
        act("dispatcher", "dispatch", json!({"lead": "zjj"})).await;
        act("clerk", "sign_in", json!({"register_no": "收1", "handler": "handler"})).await;
        act(
            "handler",
            "record_contact",
            json!({"method": "phone", "reached": true, "result": "已联系", "person": "陈志强"}),
        )
        .await;
        act("handler", "draft_reply", json!({"text": "已安排下周二现场验收。", "conclusion": "solved"})).await;
        act("leader", "sign_off", json!({})).await;
        act("verifier", "release_reply", json!({})).await;

        // The enterprise sees the progress in chat and on the page, rates, and it is closed.
        let progress = visitor.say(&format!("{number} {code}")).await;
        assert!(said(&progress).contains(number), "{progress}");
        let path = format!("/api/track/{number}/rate");
        let (status, rated) =
            gateway.call(None, "POST", &path, json!({"code": code, "grade": 5, "solved": true})).await;
        assert_eq!((status, &rated["status"]), (StatusCode::OK, &json!("closed")), "{rated}");

        let history = visitor.history().await;
        assert!(history.iter().zip(1..).all(|(m, n)| m["seq"] == json!(n)), "no gaps");
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_is_silent_from_the_claim_on_even_for_a_message_in_flight() {
    for db in [Some(testing::sqlite().await), testing::postgres().await].into_iter().flatten() {
        let gateway = Gateway::start(db, "2026-11-02T09:00:00").await;
        let visitor = gateway.visitor().await;
        visitor.say("转人工").await;
        let id = visitor.conversation.clone();
        gateway.does("lin", &format!("/api/conversations/{id}/claim"), json!({})).await;
        gateway.does("lin", &format!("/api/conversations/{id}/release"), json!({"to": "bot"})).await;

        // While the visitor asks and asks, an officer steps in.
        let talking = async {
            for _ in 0..12 {
                visitor.say("注册公司多久拿到营业执照").await;
            }
        };
        let claiming = async {
            tokio::task::yield_now().await;
            gateway.staff("chen", "POST", &format!("/api/conversations/{id}/claim"), json!({})).await
        };
        let ((), (status, claimed)) = tokio::join!(talking, claiming);
        assert_eq!(status, StatusCode::OK, "{claimed}");
        let history = visitor.history().await;
        let taken = history
            .iter()
            .rposition(|m| m["kind"] == "event" && m["text"].as_str().is_some_and(|t| t.contains("chen")))
            .expect("the visitor is told who is there");
        let after: Vec<&Value> = history.iter().skip(taken + 1).filter(|m| m["from"] == "bot").collect();
        assert!(after.is_empty(), "the bot spoke over the officer: {after:?}");
        assert_eq!(replies(&visitor.say("稳岗返还怎么申请").await).len(), 0);

        // The colleague who comes late learns who has it, and cannot write.
        let (status, problem) =
            gateway.staff("lin", "POST", &format!("/api/conversations/{id}/claim"), json!({})).await;
        assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("conversation_taken")));
        assert!(problem["detail"].as_str().is_some_and(|d| d.contains("chen")), "{problem}");
        let (status, _) = gateway
            .staff(
                "lin",
                "POST",
                &format!("/api/conversations/{id}/messages"),
                json!({"client_id": "x", "text": "您好"}),
            )
            .await;
        assert_eq!(status, StatusCode::CONFLICT);
        let seen = history.last().expect("messages")["seq"].clone();
        let (status, stale) = gateway
            .staff(
                "chen",
                "POST",
                &format!("/api/conversations/{id}/messages"),
                json!({"client_id": "y", "text": "您好", "after_seq": seen}),
            )
            .await;
        assert_eq!((status, &stale["code"]), (StatusCode::CONFLICT, &json!("stale")), "{stale}");
        assert!(stale["messages"].as_array().is_some_and(|m| !m.is_empty()));
        gateway
            .does("chen", &format!("/api/conversations/{id}/messages"), json!({"client_id": "y", "text": "您好"}))
            .await;
        gateway.does("chen", &format!("/api/conversations/{id}/notes"), json!({"text": "内部备注一条"})).await;
        let shown = visitor.history().await;
        assert!(shown.iter().any(|m| m["from"] == "officer" && m["author"]["name"] == "chen"), "{shown:?}");
        assert!(!json!(shown).to_string().contains("内部备注"), "notes never reach the visitor");

        // Closed by the officer, opened again by the visitor, and the bot answers.
        gateway.does("chen", &format!("/api/conversations/{id}/close"), json!({})).await;
        let again = visitor.say("注册公司多久拿到营业执照").await;
        assert!(replies(&again).iter().any(|r| r["from"] == "bot"), "{again}");
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_hours_a_call_for_a_person_leaves_a_case() {
    let gateway = Gateway::start(testing::sqlite().await, "2026-11-02T20:00:00").await;
    let visitor = gateway.visitor().await;
    let answer = visitor.say("转人工").await;
    assert!(said(&answer).contains("11月3日"), "says when people work: {answer}");
    assert_ne!(answer["conversation"]["state"], "queued");
    visitor.say("园区路灯坏了半个月，货车晚上进不来，电话13800138000").await;
    let filed = visitor.say("提交").await;
    let receipt = replies(&filed).iter().find(|r| r["card"]["kind"] == "receipt").expect("a receipt").clone();
    assert!(receipt["card"]["cases"][0]["number"].is_string(), "{receipt}");
    let (status, promises) = gateway.staff("lin", "GET", "/api/promises", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(promises["items"].as_array().map(Vec::len), Some(1), "a promised call is a dated task: {promises}");
    assert_eq!(gateway.clock.now(), at("2026-11-02T20:00:00"));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_company_is_called_is_no_matter_of_its_own() {
    let gateway = Gateway::start(testing::sqlite().await, "2026-11-02T10:00:00").await;
    for company in [
        "永泰精密机械有限公司",
        "福州鑫源食品有限公司",
        "厦门信达报关物流有限公司",
        "莆田水务工程有限公司",
        "宁德兴业劳务派遣有限公司",
    ] {
        let visitor = gateway.visitor().await;
        visitor.say("去年的技改补贴公示四个月了还没到账，打电话互相推").await;
        let answer = visitor.say(&format!("{company}，联系人王大力 13850012345")).await;
        let form = replies(&answer).iter().find(|r| r["kind"] == "form").expect("the form").clone();
        let matters = form["form"]["matters"].as_array().or_else(|| form["card"]["matters"].as_array());
        assert_eq!(matters.map(Vec::len), Some(1), "{company}: {form}");
        assert!(form.to_string().contains(company), "{company}: {form}");
        assert!(said(&answer).contains("已记下"), "{company}: {answer}");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_bit_by_bit_is_one_matter() {
    let gateway = Gateway::start(testing::sqlite().await, "2026-11-02T10:00:00").await;
    let demands = |answer: &Value| -> Vec<String> {
        let form = replies(answer).iter().find(|r| r["kind"] == "form").expect("the form").clone();
        let matters = form["form"]["matters"].as_array().expect("matters").clone();
        matters.iter().map(|m| m["demand"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let visitor = gateway.visitor().await;
    visitor.say("我要投诉").await;
    visitor.say("就是环保局").await;
    let told = demands(&visitor.say("天天来查").await);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("环保局") && told[0].contains("天天来查"), "{told:?}");

    // What is announced is a matter of its own, also in few words.
    let visitor = gateway.visitor().await;
    visitor.say("我们消防验收两个月没人来").await;
    let told = demands(&visitor.say("另外社保系统也登不上").await);
    assert_eq!(told.len(), 2, "{told:?}");

    // A greeting is no matter; the question stands.
    let visitor = gateway.visitor().await;
    visitor.say("我要反映问题").await;
    let answer = visitor.say("你好").await;
    assert!(replies(&answer).iter().all(|r| r["kind"] != "form"), "{answer}");
    assert_eq!(demands(&visitor.say("园区路灯坏了半个月，货车进不来").await).len(), 1);

    // A report that asks for anonymity is taken down, and goes where the matter belongs.
    let visitor = gateway.visitor().await;
    let answer = visitor.say("我想匿名举报隔壁厂半夜排废气").await;
    let form = replies(&answer).iter().find(|r| r["kind"] == "form").expect("the form").clone();
    assert_eq!(form["form"]["can_submit"], true, "no name and no telephone is needed: {form}");
    assert!(form.to_string().contains("生态环境"), "{form}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_one_is_and_that_one_has_heard_is_no_matter() {
    let gateway = Gateway::start(testing::sqlite().await, "2026-11-02T10:00:00").await;
    let text = |answer: &Value| replies(answer)[0]["text"].as_str().unwrap_or_default().to_owned();

    // A name is kept, and what was asked stays asked.
    let visitor = gateway.visitor().await;
    visitor.say("上个月跟你们反映的用电问题到现在没人联系我").await;
    let answer = visitor.say("我叫林建国").await;
    assert!(replies(&answer).iter().all(|r| r["kind"] != "form"), "{answer}");
    assert!(text(&answer).contains("林建国") && text(&answer).contains("编号"), "{answer}");
    let answer = visitor.say("我们消防验收两个月没人来").await;
    assert!(answer.to_string().contains("林建国"), "the form knows the name: {answer}");

    // Inside a form: a mistyped number and 好吧 change nothing.
    let answer = visitor.say("ZT2026110").await;
    assert!(text(&answer).contains("编号不完整"), "{answer}");
    let answer = visitor.say("好吧").await;
    let matters = replies(&answer)[0]["form"]["matters"].clone();
    assert_eq!(matters.as_array().map(Vec::len), Some(1), "{answer}");
    assert!(!matters.to_string().contains("好吧") && !matters.to_string().contains("ZT2026110"), "{matters}");

    // A wish is no company's name.
    let visitor = gateway.visitor().await;
    let answer = visitor.say("我想开个奶茶店").await;
    assert!(!text(&answer).contains("企业名称：我"), "{answer}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leans_on_the_last_answer_is_read_with_it() {
    let gateway = Gateway::start(testing::sqlite().await, "2026-11-02T10:00:00").await;
    let form = |answer: &Value| replies(answer).iter().find(|r| r["kind"] == "form").cloned();

    // A question of two words is about what was asked before.
    let visitor = gateway.visitor().await;
    visitor.say("开餐厅要不要消防检查").await;
    let answer = visitor.say("那要多久").await;
    assert!(form(&answer).is_none() && replies(&answer)[0]["rule_id"].is_string(), "{answer}");

    // A place is the answer to “您在哪里”.
    let visitor = gateway.visitor().await;
    visitor.say("台胞个税补贴怎么领").await;
    let answer = visitor.say("平潭").await;
    assert_eq!(replies(&answer)[0]["rule_id"], "pt-tw-tax", "{answer}");

    // Facts after “欠款投诉找哪个部门” are facts of that matter.
    let visitor = gateway.visitor().await;
    visitor.say("欠款投诉找哪个部门").await;
    let answer = visitor.say("对方是央企，合同120万，去年6月到期").await;
    let filled = form(&answer).expect("a form");
    assert_eq!(filled["form"]["matters"][0]["type"], "arrears", "{filled}");

    // 不想留名字 after what happened.
    let visitor = gateway.visitor().await;
    visitor.say("昨天下午有三拨人来检查没亮证件，我们不敢说是哪家").await;
    let filled = form(&visitor.say("不想留名字").await).expect("a form");
    assert!(filled.to_string().contains("没亮证件"), "{filled}");

    // Numbers and names are no part of the demand.
    let visitor = gateway.visitor().await;
    visitor.say("去年的技改补贴公示四个月了还没到账").await;
    let filled = form(&visitor.say("0591-87654321 林小姐 91350100M000100Y43").await).expect("a form");
    let demand = filled["form"]["matters"][0]["demand"].as_str().unwrap_or_default().to_owned();
    assert!(!demand.contains("林小姐") && !demand.contains("8765"), "{demand}");
    gateway.stop().await;
}
