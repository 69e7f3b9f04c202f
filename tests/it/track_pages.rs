//! The progress pages over HTTP: what an enterprise reads after the answer, and what it reads when it cannot look.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};
use zhitong::domain::access::Role;

use crate::support::{Answer, TestApp};

const STAFF: &[(&str, Role, &str)] = &[
    ("front", Role::FrontDesk, ""),
    ("dispatcher", Role::Dispatcher, ""),
    ("verifier", Role::Verifier, ""),
    ("clerk", Role::UnitClerk, "zjj"),
    ("handler", Role::Handler, "zjj"),
    ("leader", Role::UnitLeader, "zjj"),
];

struct Office {
    app: TestApp,
    tokens: Vec<(&'static str, String)>,
    number: String,
    code: String,
}

impl Office {
    /// A filed case and the people who may work on it.
    async fn open() -> Self {
        let app = TestApp::start().await;
        let mut tokens = Vec::new();
        for (login, role, unit) in STAFF {
            tokens.push((*login, app.officer(login, &[(*role, unit)]).await));
        }
        let body = json!({ "words": "厂门口路灯坏了两周，一直没有人来修", "enterprise": "示例机械有限公司",
            "contact_name": "李经理", "contact_phone": "13800000001", "type": "coordination" });
        let filed = app.post("/api/cases", &tokens[0].1, body).await.expect(201).json();
        let text = |key: &str| filed[key].as_str().expect("a text").to_owned();
        Self { number: text("number"), code: text("code"), app, tokens }
    }

    async fn act(&self, who: &str, action: &str, body: Value) {
        let token = self.tokens.iter().find(|(login, _)| *login == who).map(|(_, token)| token).expect("an officer");
        self.app.post(&format!("/api/cases/{}/actions/{action}", self.number), token, body).await.expect(200);
    }

    async fn signed(&self) {
        self.act("front", "accept", json!({})).await;
        self.act("dispatcher", "dispatch", json!({ "lead": "zjj", "assists": [] })).await;
        self.act("clerk", "sign_in", json!({ "handler": "handler" })).await;
        let contact = json!({ "method": "phone", "reached": true, "person": "来电人", "result": "已联系" });
        self.act("handler", "record_contact", contact).await;
        self.act("handler", "draft_reply", json!({ "text": "路灯已经修好。", "conclusion": "solved" })).await;
        self.act("leader", "sign_off", json!({})).await;
    }

    async fn enterprise(&self, action: &str, mut body: Value) {
        body["code"] = json!(self.code);
        let path = format!("/api/track/{}/{action}", self.number);
        self.app.call("POST", &path, None, Some(body)).await.expect(200);
    }

    fn cookie(&self) -> String {
        format!("zhitong-track={}", self.code.replace('-', ""))
    }

    async fn page(&self, path: &str) -> Answer {
        get(&self.app, path, &self.cookie()).await
    }

    async fn case_page(&self) -> String {
        self.page(&format!("/track/{}", self.number)).await.expect(200).text()
    }
}

async fn get(app: &TestApp, path: &str, cookie: &str) -> Answer {
    let request = Request::get(path).header(header::ACCEPT, "text/html").header(header::COOKIE, cookie);
    app.request(request.body(Body::empty()).expect("a request")).await
}

async fn form(app: &TestApp, path: &str, cookie: &str, body: &str) -> Answer {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "text/html")
        .header(header::COOKIE, cookie)
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(body.to_owned()))
        .expect("a request");
    app.request(request).await
}

/// What stands on the page without its markup, as the facts show it: “答复日期2026年…”.
fn plain(page: &str) -> String {
    let tags = regex::Regex::new(r"<[^>]*>").expect("a pattern");
    tags.replace_all(page, "").replace(['\n', ' '], "")
}

#[tokio::test]
async fn after_the_answer_no_clock_says_that_one_is_awaited() {
    let office = Office::open().await;
    assert!(plain(&office.case_page().await).contains("受理时限"));
    office.signed().await;
    let signed = plain(&office.case_page().await);
    assert!(
        signed.contains("答复时限") && !signed.contains("还剩"),
        "a signed reply waits for nobody's clock: {signed}"
    );
    assert!(!signed.contains("路灯已经修好"), "it is not released");

    office.act("verifier", "release_reply", json!({})).await;
    let answered = plain(&office.case_page().await);
    for words in ["答复日期20", "已按时答复", "办理结论已解决", "确认期限", "签发："] {
        assert!(answered.contains(words), "{words}: {answered}");
    }
    office.enterprise("rate", json!({ "grade": 2, "solved": true, "words": "来得太晚" })).await;
    let rated = plain(&office.case_page().await);
    assert!(rated.contains("正在复核") && rated.contains("复核时限") && rated.contains("已按时答复"), "{rated}");
    assert!(rated.contains("您的评价不满意·已解决") && rated.contains("来得太晚"), "{rated}");
    let path = format!("/api/track/{}?code={}", office.number, office.code);
    let told = office.app.call("GET", &path, None, None).await.expect(200).json();
    assert_eq!((&told["due_at"], &told["due_text"]), (&Value::Null, &Value::Null), "{told}");
    assert_eq!((&told["reply"]["conclusion"], &told["reply"]["late"]), (&json!("已解决"), &json!(false)));
    assert_eq!((&told["ratings"][0]["label"], &told["ratings"][0]["words"]), (&json!("不满意"), &json!("来得太晚")));
    assert!(told["reply"]["at"].is_string() && told["reply"]["due_at"].is_string(), "{told}");

    // What is not solved lets the clock run on, and that is said.
    let office = Office::open().await;
    office.signed().await;
    office.act("verifier", "release_reply", json!({})).await;
    office.enterprise("rate", json!({ "grade": 1, "solved": false })).await;
    let unsolved = plain(&office.case_page().await);
    assert!(unsolved.contains("答复时限") && unsolved.contains("还剩"), "{unsolved}");
}

#[tokio::test]
async fn the_enterprise_reads_its_own_words_and_no_code_of_ours() {
    let office = Office::open().await;
    office.enterprise("add_info", json!({ "text": "补充：是三号门的灯" })).await;
    office.enterprise("urge", json!({ "words": "请快一点" })).await;
    office.signed().await;
    office.act("verifier", "release_reply", json!({})).await;
    office.enterprise("rate", json!({ "grade": 5, "solved": true, "words": "很快" })).await;
    let page = office.case_page().await;
    for words in ["补充：是三号门的灯", "请快一点", "厂门口路灯坏了两周", "很快"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(page.contains("再评价一次") && !page.contains("请评价这次办理"), "a rating is there");
    let paper = office.page(&format!("/track/{}/print", office.number)).await.expect(200).text();
    for words in ["诉求办理情况单", "路灯已经修好。", "补充：是三号门的灯", "非常满意", "办理结论", "答复日期"]
    {
        assert!(paper.contains(words), "{words}: {paper}");
    }
    assert!(
        paper.contains("/css/paper.css") && !paper.contains(&office.code),
        "it looks like paper and gives no code away"
    );
    // From the first step to the last, as paper is read.
    let at = |words: &str| paper.find(words).unwrap_or(usize::MAX);
    assert!(at("诉求已提交登记") < at("已收到补充说明") && at("已收到补充说明") < at("答复已送达"));
    let number = regex::Regex::new(r"ZT\d{8}-[0-9A-Z]+|A4|PDF").expect("a pattern");
    let latin = regex::Regex::new("[A-Za-z]{2,}").expect("a pattern");
    for text in [page, paper] {
        let body = text.split_once("<main").map_or(text.as_str(), |(_, body)| body);
        let body = body.split_once("<footer").map_or(body, |(body, _)| body);
        // The officers of this test are called by their logins.
        let words = plain(&format!("<main{body}")).replace("：handler", "");
        let found: Vec<_> = latin.find_iter(&number.replace_all(&words, "")).map(|m| m.as_str().to_owned()).collect();
        assert!(found.is_empty(), "{found:?} in {words}");
    }
}

#[tokio::test]
async fn an_answer_on_the_spot_names_the_documents_and_not_the_rule() {
    let office = Office::open().await;
    let rules = office.app.app.content.load();
    let rule = rules.rules.rules().iter().find(|rule| rule.answer.is_some() && !rule.citations.is_empty());
    let rule = rule.expect("a rule that answers");
    let source = format!("rule:{}", rule.id);
    office.act("front", "answer_on_spot", json!({ "text": "当场答复的内容", "source": source })).await;
    let page = office.case_page().await;
    assert!(!page.contains(&rule.id) && !page.contains("rule:"), "{page}");
    assert!(page.contains(&format!("《{}》", rule.citations[0].title)) && page.contains("答复日期"), "{page}");
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed_and_a_forgotten_code_is_asked_for() {
    let office = Office::open().await;
    office.signed().await;
    office.act("verifier", "release_reply", json!({})).await;
    let path = format!("/track/{}/rate", office.number);
    // 没解决, with words and no grade.
    let typed = "key=0123456789w&solved=false&words=%E7%81%AF%E8%BF%98%E6%98%AF%E4%B8%8D%E4%BA%AE";
    let refused = form(&office.app, &path, &office.cookie(), typed).await;
    assert_eq!(refused.status.as_u16(), 422);
    let text = refused.text();
    assert!(text.contains(">灯还是不亮</textarea>"), "the words are gone: {text}");
    assert!(text.contains("value=\"false\" checked") && text.contains("role=\"alert\""), "{text}");
    let forgotten = form(&office.app, &path, "", typed).await.expect(200).text();
    assert!(forgotten.contains("要重新输入查询码") && forgotten.contains(&office.number));
}

#[tokio::test]
async fn too_many_look_ups_are_told_on_the_page_that_asks() {
    let office = Office::open().await;
    let body = format!("number={}&code=AAAAA-AAAAA", office.number);
    for _ in 0..200 {
        let answer = form(&office.app, "/track", "", &body).await;
        if answer.status.as_u16() == 429 {
            let text = answer.text();
            assert!(text.contains("查得太频繁了，请过 ") && text.contains("id=\"code\""), "{text}");
            assert!(answer.headers.contains_key(header::RETRY_AFTER));
            return;
        }
        assert_eq!(answer.status.as_u16(), 404);
    }
    panic!("no limit");
}
