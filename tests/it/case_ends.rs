//! The roads out of a case through the API: what a confidential complainant writes on the way, parts for another desk,
//! promises of the chat, and cases merged into another enterprise's.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zhitong::{app::sweep, domain::access::Role, ports::Clock as _};

use crate::support::TestApp;

const STAFF: &[(&str, Role, &str)] = &[
    ("front", Role::FrontDesk, ""),
    ("dispatcher", Role::Dispatcher, ""),
    ("verifier", Role::Verifier, ""),
    ("discipline", Role::Discipline, ""),
    ("clerk", Role::UnitClerk, "zjj"),
    ("handler", Role::Handler, "zjj"),
    ("leader", Role::UnitLeader, "zjj"),
];

struct Office {
    app: TestApp,
    tokens: Vec<(&'static str, String)>,
}

struct Filed {
    number: String,
    code: String,
}

impl Office {
    async fn open() -> Self {
        let app = TestApp::start().await;
        let mut tokens = Vec::new();
        for (login, role, unit) in STAFF {
            tokens.push((*login, app.officer(login, &[(*role, unit)]).await));
        }
        Self { app, tokens }
    }

    fn token(&self, who: &str) -> &str {
        self.tokens.iter().find(|(login, _)| *login == who).map(|(_, token)| token.as_str()).expect("an officer")
    }

    async fn file(&self, more: Value) -> Filed {
        let mut body = json!({ "words": "厂门口路灯坏了两周，一直没有人来修", "enterprise": "示例机械有限公司",
            "contact_name": "李经理", "contact_phone": "13800000001", "type": "coordination" });
        for (key, value) in more.as_object().expect("fields") {
            body[key] = value.clone();
        }
        let filed = self.app.post("/api/cases", self.token("front"), body).await.expect(201).json();
        let text = |key: &str| filed[key].as_str().expect("a text").to_owned();
        Filed { number: text("number"), code: text("code") }
    }

    async fn act(&self, who: &str, number: &str, action: &str, body: Value) -> Value {
        self.app.post(&format!("/api/cases/{number}/actions/{action}"), self.token(who), body).await.expect(200).json()
    }

    async fn enterprise(&self, case: &Filed, action: &str, mut body: Value) -> Value {
        body["code"] = json!(case.code);
        let path = format!("/api/track/{}/{action}", case.number);
        self.app.call("POST", &path, None, Some(body)).await.expect(200).json()
    }

    async fn track(&self, case: &Filed) -> Value {
        self.app
            .call("GET", &format!("/api/track/{}?code={}", case.number, case.code), None, None)
            .await
            .expect(200)
            .json()
    }

    async fn answered(&self, number: &str, text: &str, conclusion: &str) {
        self.act("dispatcher", number, "dispatch", json!({ "lead": "zjj", "assists": [] })).await;
        self.act("clerk", number, "sign_in", json!({ "handler": "handler" })).await;
        self.act(
            "handler",
            number,
            "record_contact",
            json!({ "method": "phone", "reached": true, "person": "来电人", "result": "已联系" }),
        )
        .await;
        self.act("handler", number, "draft_reply", json!({ "text": text, "conclusion": conclusion })).await;
        self.act("leader", number, "sign_off", json!({})).await;
        self.act("verifier", number, "release_reply", json!({})).await;
    }
}

#[tokio::test]
async fn what_a_confidential_complainant_writes_later_stays_masked() {
    let office = Office::open().await;
    let case = office.file(json!({ "type": "complaint", "confidential": true })).await;
    office.act("front", &case.number, "accept", json!({})).await;
    office.act("dispatcher", &case.number, "dispatch", json!({ "lead": "zjj", "assists": [] })).await;
    office.enterprise(&case, "add_info", json!({ "text": "我是示例机械的李经理，补充照片" })).await;
    office.act("clerk", &case.number, "sign_in", json!({ "handler": "handler" })).await;
    office
        .act(
            "handler",
            &case.number,
            "record_contact",
            json!({ "method": "phone", "reached": true, "person": "来电人", "result": "已联系" }),
        )
        .await;
    office.act("handler", &case.number, "draft_reply", json!({ "text": "已修好。", "conclusion": "solved" })).await;
    office.act("leader", &case.number, "sign_off", json!({})).await;
    office.act("verifier", &case.number, "release_reply", json!({})).await;
    let words = "示例机械有限公司的李经理说，灯还是不亮";
    office.enterprise(&case, "rate", json!({ "grade": 1, "solved": false, "words": words })).await;
    for path in ["", "/timeline"] {
        let path = format!("/api/cases/{}{path}", case.number);
        let of_unit = office.app.get(&path, office.token("handler")).await.expect(200).text();
        assert!(!of_unit.contains("示例机械") && !of_unit.contains("李经理"), "{of_unit}");
        let of_centre = office.app.get(&path, office.token("verifier")).await.expect(200).text();
        assert!(of_centre.contains("李经理"), "{of_centre}");
    }
    let page =
        office.app.get(&format!("/desk/cases/{}", case.number), office.token("handler")).await.expect(200).text();
    assert!(!page.contains("示例机械") && !page.contains("李经理"));
}

#[tokio::test]
async fn a_part_for_another_desk_waits_there() {
    let office = Office::open().await;
    let case = office.file(json!({})).await;
    office.act("front", &case.number, "accept", json!({})).await;
    let parts = json!({ "parts": [
        { "title": "路灯", "demand": "请修好路灯", "type": "help" },
        { "title": "收好处费", "demand": "窗口人员收好处费", "type": "conduct" },
    ] });
    office.act("dispatcher", &case.number, "split", parts).await;
    let sealed = office.app.get("/api/cases?type=conduct", office.token("discipline")).await.expect(200).json();
    assert_eq!(
        (&sealed["items"][0]["status"], sealed["items"].as_array().map(Vec::len)),
        (&json!("submitted"), Some(1))
    );
    let number = sealed["items"][0]["number"].as_str().expect("a number").to_owned();
    // Discipline takes an ordinary matter out again: its part goes to the ordinary desk, without the sealed words.
    office.act("discipline", &number, "accept", json!({})).await;
    let parts = json!({ "parts": [
        { "title": "收好处费", "demand": "窗口人员收好处费", "type": "conduct" },
        { "title": "排队太久", "demand": "请增加窗口", "type": "suggestion" },
    ] });
    office.act("discipline", &number, "split", parts).await;
    let open = office.app.get("/api/cases?type=suggestion", office.token("dispatcher")).await.expect(200).json();
    assert_eq!(open["items"][0]["status"], "submitted");
    let number = open["items"][0]["number"].as_str().expect("a number");
    let part = office.app.get(&format!("/api/cases/{number}"), office.token("dispatcher")).await.expect(200).json();
    assert_eq!(part["original_words"], "请增加窗口");
}

#[tokio::test]
async fn a_promise_of_the_chat_keeps_the_case_open_until_it_is_kept() {
    let office = Office::open().await;
    let visitor = office.app.visitor().await;
    office.app.say(&visitor, "1", "转人工").await;
    let list = office.app.get("/api/conversations", office.token("front")).await.expect(200).json();
    let id = list["items"][0]["id"].as_str().expect("a conversation").to_owned();
    let conversation = format!("/api/conversations/{id}");
    office.app.post(&format!("{conversation}/claim"), office.token("front"), json!({})).await.expect(200);
    let promise = json!({ "client_id": "p", "text": "我们核实后给您回复" });
    office.app.post(&format!("{conversation}/messages"), office.token("front"), promise).await;
    let case = office.file(json!({ "conversation_id": id })).await;
    office.act("front", &case.number, "accept", json!({})).await;
    office.answered(&case.number, "已修好。", "solved").await;
    let rated = office.enterprise(&case, "rate", json!({ "grade": 5, "solved": true })).await;
    assert_eq!(rated["status"], "closing_review");
    let path = format!("/api/cases/{}/actions/approve_close", case.number);
    let refused = office.app.post(&path, office.token("verifier"), json!({})).await.expect(409);
    assert_eq!(refused.code(), "case.close_needs");
    let promises = office.app.get("/api/promises", office.token("front")).await.expect(200).json();
    for promise in promises["items"].as_array().expect("promises") {
        let id = promise["id"].as_str().expect("an id");
        office
            .app
            .post(&format!("/api/promises/{id}/end"), office.token("front"), json!({ "kept": true }))
            .await
            .expect(204);
    }
    let closed = office.act("verifier", &case.number, "approve_close", json!({})).await;
    assert_eq!(closed["status"], "closed");
}

#[tokio::test]
async fn an_enterprise_rates_what_its_case_was_merged_into_and_reads_nothing_of_another_one() {
    let office = Office::open().await;
    let parent = office.file(json!({})).await;
    let child = office.file(json!({ "enterprise": "另一家企业有限公司", "contact_name": "王经理" })).await;
    office.act("front", &parent.number, "accept", json!({})).await;
    office.act("front", &child.number, "accept", json!({})).await;
    office.act("dispatcher", &child.number, "merge", json!({ "into": parent.number })).await;
    let before = office.track(&child).await;
    assert!(!before["allowed_actions"].to_string().contains("rate"), "{before}");
    office.answered(&parent.number, "示例机械有限公司门口的路灯已修好。", "solved").await;
    let after = office.track(&child).await;
    let shown = after.to_string();
    assert!(shown.contains("同一事项已有答复"), "{shown}");
    assert!(!shown.contains("路灯已修好"), "the reply to another enterprise: {shown}");
    assert!(!shown.contains("示例机械") && !shown.contains(&parent.number), "{shown}");
    office.enterprise(&child, "rate", json!({ "grade": 4, "solved": true })).await;
    let own = office.track(&parent).await;
    assert!(!own.to_string().contains("另一家企业"));
}

#[tokio::test]
async fn cases_of_different_matters_are_not_merged() {
    let office = Office::open().await;
    let parent = office.file(json!({ "topic": "FIRE.ACCEPT", "type": "coordination" })).await;
    let child = office.file(json!({ "topic": "SOCIAL.PAY", "type": "coordination" })).await;
    for case in [&parent, &child] {
        office.act("front", &case.number, "accept", json!({})).await;
    }
    let path = format!("/api/cases/{}/actions/merge", child.number);
    let body = json!({ "into": parent.number });
    let refused = office.app.post(&path, office.token("dispatcher"), body).await.expect(422).json();
    assert_eq!(refused["errors"][0]["pointer"], "/into");
}

#[tokio::test]
async fn what_a_field_names_exists_and_what_is_not_used_is_refused() {
    let office = Office::open().await;
    let case = office.file(json!({})).await;
    let refused = async |who: &str, action: &str, body: Value, pointer: &str| {
        let path = format!("/api/cases/{}/actions/{action}", case.number);
        let answer = office.app.post(&path, office.token(who), body).await.expect(422).json();
        assert!(answer["errors"].to_string().contains(pointer), "{action}: {answer}");
    };
    let on_spot = |source: &str| json!({ "text": "可以网上办。", "source": source });
    refused("front", "answer_on_spot", on_spot("rule:does-not-exist"), "/source").await;
    refused("front", "accept", json!({ "repeat_of": "ZT20270606-0777P" }), "/repeat_of").await;
    refused("front", "accept", json!({ "grade": 5 }), "/grade").await;
    let sealed = office.file(json!({ "type": "conduct", "words": "窗口人员吃拿卡要" })).await;
    refused("front", "accept", json!({ "repeat_of": sealed.number }), "/repeat_of").await;
    office.act("front", &case.number, "accept", json!({})).await;
    refused("dispatcher", "regrade", json!({ "topic": "NOPE", "reason": "分类有误" }), "/topic").await;
    let part = |topic: &str| json!({ "title": "路灯", "demand": "修路灯", "topic": topic });
    refused("dispatcher", "split", json!({ "parts": [part("ZZ.Z"), part("FIRE.ACCEPT")] }), "/parts").await;
    office.act("dispatcher", &case.number, "dispatch", json!({ "lead": "zjj", "assists": [] })).await;
    office.act("clerk", &case.number, "sign_in", json!({ "handler": "handler" })).await;
    for (body, pointer) in [
        (json!({ "person": "李", "reached": true, "result": "已联系" }), "/method"),
        (json!({ "method": "phone", "reached": true, "result": "已联系" }), "/person"),
        (json!({ "method": "phone", "person": "李", "result": "已联系" }), "/reached"),
    ] {
        refused("handler", "record_contact", body, pointer).await;
    }
}

#[tokio::test]
async fn three_matters_of_one_message_are_rated_three_times_on_one_page() {
    let office = Office::open().await;
    let case = office.file(json!({})).await;
    office.act("front", &case.number, "accept", json!({})).await;
    let part = |title: &str| json!({ "title": title, "demand": title, "type": "help" });
    let parts = json!({ "parts": [part("修路灯"), part("修门前路面"), part("通下水道")] });
    office.act("dispatcher", &case.number, "split", parts).await;
    let page = office.track(&case).await;
    let siblings = page["siblings"].as_array().expect("siblings").clone();
    assert_eq!(siblings.len(), 3, "{page}");
    for (sibling, grade) in siblings.iter().zip([5, 4, 3]) {
        let part = Filed { number: sibling["number"].as_str().expect("a number").to_owned(), code: case.code.clone() };
        office.answered(&part.number, "已处理。", "solved").await;
        let rated = office.enterprise(&part, "rate", json!({ "grade": grade, "solved": true })).await;
        assert_eq!(rated["status"], "closed");
        let shown = office.app.get(&format!("/api/cases/{}", part.number), office.token("verifier")).await.expect(200);
        let grades: Vec<_> =
            shown.json()["ratings"].as_array().expect("ratings").iter().map(|r| r["grade"].clone()).collect();
        assert_eq!(grades, [json!(grade)]);
    }
}

#[tokio::test]
async fn what_the_centre_is_asked_to_decide_is_in_its_list() {
    let office = Office::open().await;
    let case = office.file(json!({})).await;
    office.act("front", &case.number, "accept", json!({})).await;
    office.act("dispatcher", &case.number, "dispatch", json!({ "lead": "zjj", "assists": [] })).await;
    office.act("clerk", &case.number, "sign_in", json!({ "handler": "handler" })).await;
    office
        .act(
            "handler",
            &case.number,
            "record_contact",
            json!({ "method": "phone", "reached": true, "person": "来电人", "result": "已联系" }),
        )
        .await;
    let waits = async || {
        let page = office.app.get("/desk?tab=todo", office.token("dispatcher")).await.expect(200).text();
        page.contains(&case.number)
    };
    assert!(!waits().await);
    let ask = json!({ "reason": "P1", "explanation": "缺检测报告" });
    office.act("handler", &case.number, "pause", ask).await;
    assert!(waits().await);
    let page =
        office.app.get(&format!("/desk/cases/{}", case.number), office.token("dispatcher")).await.expect(200).text();
    assert!(page.contains("缺检测报告"), "what is missing is there to be judged");
    office.act("dispatcher", &case.number, "resume", json!({ "note": "材料已齐" })).await;
    assert!(!waits().await);
    let words = "消防检测机构须重新出具喷淋系统检测报告，预计三个工作日后取得，再组织联合验收";
    office.act("leader", &case.number, "request_extension", json!({ "days": 2, "reason": words })).await;
    assert!(waits().await);
}

#[tokio::test]
async fn an_archived_case_is_taken_away_whole_by_those_who_read_it_whole() {
    let office = Office::open().await;
    let leader = office.token("leader").to_owned();
    let auditor = office.app.officer("auditor", &[(Role::Auditor, "")]).await;
    let case = office.file(json!({ "type": "complaint", "confidential": true })).await;
    office.act("front", &case.number, "accept", json!({})).await;
    office.answered(&case.number, "路灯已修好", "substantiated").await;
    office.enterprise(&case, "rate", json!({ "grade": 5, "words": "示例机械的李经理谢谢大家" })).await;
    let path = format!("/api/cases/{}/package", case.number);
    office.app.get(&path, &auditor).await.expect(404);

    let day = jiff::SignedDuration::from_hours(24);
    office.app.clock.set(office.app.clock.now().saturating_add(day * 32).expect("a day"));
    sweep::run(&office.app.app).await.expect("a sweep");
    let shown = office.app.get(&format!("/api/cases/{}", case.number), &auditor).await.expect(200).json();
    assert_eq!(shown["status"], "archived");
    let whole = office.app.get(&path, &auditor).await.expect(200);
    let hash = whole.headers["x-package-sha256"].to_str().expect("a hash").to_owned();
    assert!(!whole.headers.contains_key("x-package-extract"));
    assert_eq!(hash, hex::encode(Sha256::digest(whole.text().as_bytes())));
    assert!(whole.text().contains("示例机械有限公司"));
    assert!(!whole.text().contains(&case.code), "the package opens no progress page");
    let timeline = office.app.get(&format!("/api/cases/{}/timeline", case.number), &auditor).await.expect(200).json();
    let last = timeline["items"].as_array().and_then(|items| items.last()).expect("events").clone();
    assert_eq!((last["kind"].as_str(), last["facts"][0]["value"].as_str()), (Some("case_archived"), Some(&*hash)));
    let page = office.app.get(&format!("/desk/cases/{}", case.number), &auditor).await.expect(200).text();
    assert!(page.contains(&path) && page.contains(&hash));

    let extract = office.app.get(&path, &leader).await.expect(200);
    assert_eq!(extract.headers["x-package-extract"], "true");
    assert_eq!(extract.headers["x-package-sha256"], hash.as_str());
    let words = extract.text();
    assert!(!words.contains("示例机械") && !words.contains("李经理") && !words.contains("13800000001"));
    let extract = extract.json();
    assert_eq!(extract["case"]["reply"]["text"], "路灯已修好");
    assert_eq!(extract["timeline"].as_array().map(Vec::len), whole.json()["timeline"].as_array().map(Vec::len));
}
