//! What a model suggests to officers, what becomes of it, and the console and the switch beside it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use zhitong::{
    domain::access::Role,
    ports::model::{
        EndpointHealth, EndpointState, ModelClient, ModelFailure, ModelFinish, ModelReply, ModelRequest, ModelTask,
        ModelUsage, OnText,
    },
};

use crate::support::{
    TestApp,
    model::{Script, Scripted},
};

type Answer = Box<dyn Fn(&ModelRequest) -> String + Send + Sync>;

/// A model that answers by a function and remembers what it was asked.
struct Writer {
    answer: Answer,
    asked: Mutex<Vec<ModelRequest>>,
}

impl Writer {
    fn new(answer: impl Fn(&ModelRequest) -> String + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), asked: Mutex::default() })
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("no poisoned lock").len()
    }

    /// Everything it was ever told.
    fn heard(&self) -> String {
        let asked = self.asked.lock().expect("no poisoned lock");
        asked.iter().flat_map(|request| &request.lines).map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
    }
}

#[async_trait::async_trait]
impl ModelClient for Writer {
    async fn ask(&self, request: &ModelRequest, on_text: &mut OnText<'_>) -> Result<ModelReply, ModelFailure> {
        self.asked.lock().expect("no poisoned lock").push(request.clone());
        let text = (self.answer)(request);
        on_text(&text);
        Ok(ModelReply {
            text,
            finish: ModelFinish::Stop,
            usage: ModelUsage { prompt: 100, completion: 20, estimated: false },
            endpoint: "样板".to_owned(),
            model: "m-1".to_owned(),
            first_ms: 300,
            total_ms: 900,
            cost_micro_yuan: 1_500,
        })
    }

    fn endpoints(&self) -> Vec<EndpointState> {
        vec![EndpointState {
            name: "样板".to_owned(),
            host: "model.example.cn".to_owned(),
            model: "m-1".to_owned(),
            profile: "openai".to_owned(),
            health: EndpointHealth::Closed,
            retry_at: None,
            in_flight: 0,
            failures: 0,
            last_failure: None,
            first_ms: Some((300, 500)),
            total_ms: Some((900, 1_500)),
        }]
    }
}

struct House {
    app: TestApp,
    front: String,
    other: String,
    admin: String,
    auditor: String,
}

impl House {
    async fn open(model: Option<&Arc<Writer>>) -> Self {
        let app = TestApp::start().await;
        if let Some(model) = model {
            app.app.model.connect(model.clone());
        }
        let front = app.officer("front", &[(Role::FrontDesk, "")]).await;
        let other = app.officer("other", &[(Role::FrontDesk, "")]).await;
        let admin = app.officer("admin", &[(Role::Admin, "")]).await;
        let auditor = app.officer("auditor", &[(Role::Auditor, "")]).await;
        Self { app, front, other, admin, auditor }
    }

    async fn file(&self, words: &str, case_type: &str) -> String {
        let body = json!({ "words": words, "enterprise": "示例机械有限公司", "contact_name": "李经理",
            "contact_phone": "13800138000", "type": case_type });
        let filed = self.app.post("/api/cases", &self.front, body).await.expect(201).json();
        filed["number"].as_str().expect("a number").to_owned()
    }

    async fn suggest(&self, number: &str, body: Value) -> (u16, Value) {
        let answer = self.app.post(&format!("/api/cases/{number}/suggestions"), &self.front, body).await;
        (answer.status.as_u16(), answer.json())
    }

    /// A conversation that the front desk has.
    async fn talk(&self, words: &str) -> String {
        let visitor = self.app.visitor().await;
        self.app.say(&visitor, "m1", words).await.expect(200);
        self.app.post("/api/chat/handoff", &visitor, json!({ "client_id": "h1" })).await;
        let list = self.app.get("/api/chat/messages?after=0", &visitor).await.expect(200).json();
        let id = list["conversation"]["id"].as_str().expect("a conversation").to_owned();
        self.app.post(&format!("/api/conversations/{id}/claim"), &self.front, json!({})).await.expect(200);
        id
    }

    async fn console(&self) -> Value {
        self.app.get("/api/admin/model", &self.auditor).await.expect(200).json()
    }
}

/// The source that stands first among those handed over, and the answer contract that repeats its first sentence.
fn honest(house: &[(String, String)], request: &ModelRequest) -> String {
    let told = request.lines.last().map(|line| line.text.clone()).unwrap_or_default();
    let first = house
        .iter()
        .filter_map(|(id, text)| Some((told.find(&format!("\"id\":\"{id}\""))?, id, text)))
        .min_by_key(|(at, ..)| *at);
    let (_, id, text) = first.expect("a source was handed over");
    let sentence = text.trim().split_inclusive('。').next().unwrap_or_default();
    json!({ "status": "answered", "cites": [id], "answer": sentence, "confidence": 0.9 }).to_string()
}

/// Ids and texts of all answers.
fn rules() -> Vec<(String, String)> {
    use zhitong::{
        app::content::{self, Origin},
        config::Config,
    };
    let now = crate::support::NOW.parse().expect("an instant");
    let built = content::build(&content::shipped_files(), &Config::default().time, now, Origin::Shipped, true);
    let content = built.content.expect("the shipped content loads");
    let answers = content.rules.rules().iter();
    answers.filter_map(|rule| Some((rule.id.clone(), rule.answer.as_ref()?.text.clone()))).collect()
}

const QUESTION: &str = "我们新招了五名员工，最晚要在多久之内给他们参加社保";

#[tokio::test]
async fn a_draft_names_its_sources_and_what_the_officer_changed_is_counted() {
    let known = rules();
    let model = Writer::new(move |request| honest(&known, request));
    let house = House::open(Some(&model)).await;
    let number = house.file(QUESTION, "consultation").await;
    house.app.post(&format!("/api/cases/{number}/actions/accept"), &house.front, json!({})).await.expect(200);
    let (status, made) = house.suggest(&number, json!({ "kind": "reply" })).await;
    assert_eq!(status, 201, "{made}");
    let text = made["text"].as_str().expect("a text").to_owned();
    assert!(text.contains("\n依据：《") && text.contains("30日"), "{text}");
    assert_eq!(made["sources"][0]["id"], "social-new-hire", "{made}");
    assert!(made["label"].as_str().is_some_and(|label| label.starts_with("AI 生成")), "{made}");

    let id = made["id"].as_str().expect("an id");
    let changed = text.replacen("30日", "三十天", 1);
    let compare = format!("/api/suggestions/{id}/difference");
    let seen = house.app.post(&compare, &house.front, json!({ "text": changed })).await.expect(200).json();
    assert_eq!(seen["outcome"], "edited");
    let kinds: Vec<&str> =
        seen["changes"].as_array().expect("changes").iter().filter_map(|c| c["kind"].as_str()).collect();
    assert!(kinds.contains(&"gone") && kinds.contains(&"added") && kinds.contains(&"same"), "{seen}");
    // Nobody else knows of it.
    house.app.post(&compare, &house.other, json!({ "text": changed })).await.expect(404);
    house.app.post(&format!("/api/suggestions/{id}/end"), &house.other, json!({})).await.expect(404);

    let act = format!("/api/cases/{number}/actions/answer_on_spot");
    let body = json!({ "text": changed, "source": "rule:social-new-hire", "suggestion": id });
    house.app.post(&act, &house.front, body).await.expect(200);
    house.app.post(&compare, &house.front, json!({ "text": changed })).await.expect(409);
    let console = house.console().await;
    let line = &console["suggestions"][0];
    assert_eq!((&line["kind"], &line["edited"], &line["open"]), (&json!("reply"), &json!(1), &json!(0)), "{console}");
    assert!(line["changed_percent"].as_i64().is_some_and(|share| (1..50).contains(&share)), "{line}");
    let page = house.app.get("/admin/model", &house.admin).await.expect(200).text();
    assert!(page.contains("<del>") && page.contains("三十天</ins>"), "{page}");
}

#[tokio::test]
async fn names_and_numbers_stay_here_and_come_back_for_the_officer_only() {
    let model = Writer::new(|request| {
        let told = &request.lines.last().expect("a line").text;
        let phone = told.find("〔手机号1〕").or_else(|| told.find("〔联系方式1〕"));
        let phone = phone.map(|at| told[at..].chars().take_while(|c| *c != '〕').collect::<String>() + "〕");
        format!("材料补齐后打{}告诉我们就行。", phone.unwrap_or_default())
    });
    let house = House::open(Some(&model)).await;
    let number = house.file(QUESTION, "consultation").await;
    let official = "示例机械有限公司李经理：请补齐材料，并致电13800138000告知。身份证号11010519491231002X收悉。";
    let (status, made) = house.suggest(&number, json!({ "kind": "rewrite", "text": official })).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["text"], "材料补齐后打13800138000告诉我们就行。");
    assert!(made["changes"].as_array().is_some_and(|changes| changes.len() > 1), "{made}");
    let heard = model.heard();
    for secret in ["示例机械", "李经理", "13800138000", "11010519491231002X"] {
        assert!(!heard.contains(secret), "{secret} left the house");
    }
    let list = house.app.get("/api/admin/model/exchanges", &house.auditor).await.expect(200).json();
    let id = list["items"][0]["id"].as_str().expect("an exchange");
    assert_eq!(list["items"][0]["verdict"], "used");
    for path in [format!("/api/admin/model/exchanges/{id}"), format!("/admin/model/exchanges/{id}")] {
        let shown = house.app.get(&path, &house.auditor).await.expect(200).text();
        assert!(!shown.contains("13800138000") && shown.contains("1〕"), "{shown}");
    }
    let end = format!("/api/suggestions/{}/end", made["id"].as_str().expect("an id"));
    house.app.post(&end, &house.front, json!({ "text": made["text"] })).await.expect(204);
    house.app.post(&end, &house.front, json!({})).await.expect(204);
    let console = house.console().await;
    assert_eq!((&console["suggestions"][0]["kept"], &console["suggestions"][0]["thrown_away"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn what_is_said_against_somebody_goes_to_no_model_and_the_page_says_why() {
    let model = Writer::new(|_| "不该被问到".to_owned());
    let house = House::open(Some(&model)).await;
    for (words, case_type, why) in [
        ("窗口人员态度恶劣，故意刁难我们", "complaint", "投诉"),
        ("县医院欠我们货款不给", "arrears", "账款"),
        // The type is harmless, the words are not.
        ("想问社保怎么办；另外窗口工作人员吃拿卡要，索要红包", "consultation", "不交给模型"),
    ] {
        let number = house.file(words, case_type).await;
        for kind in ["reply", "summary", "title", "classify"] {
            let (status, answer) = house.suggest(&number, json!({ "kind": kind })).await;
            assert_eq!((status, &answer["code"]), (409, &json!("model_barred")), "{words}: {answer}");
        }
        let page = house.app.get(&format!("/desk/cases/{number}"), &house.front).await.expect(200).text();
        assert!(page.contains("AI 辅助") && page.contains(why) && !page.contains("data-suggest=\""), "{words}");
    }
    assert_eq!(model.asked(), 0);
    assert_eq!(house.console().await["tasks"], json!([]));
}

#[tokio::test]
async fn a_conversation_in_which_something_was_said_against_somebody_goes_to_no_model() {
    let model = Writer::new(|_| "不该被问到".to_owned());
    let house = House::open(Some(&model)).await;
    for (words, why) in [
        // The first matter is harmless, the second is not.
        ("想问社保怎么办；另外窗口工作人员吃拿卡要，索要红包，请转人工", "作风"),
        ("厂里的大树倒在围墙上了，请对我们的身份保密，转人工", "保密"),
        ("我们想匿名说一件事，转人工", "不交给模型"),
        ("县医院欠我们货款不给，转人工", "账款"),
    ] {
        let id = house.talk(words).await;
        let path = format!("/api/conversations/{id}");
        for kind in ["reply", "summary", "title"] {
            let answer = house.app.post(&format!("{path}/suggestions"), &house.front, json!({ "kind": kind })).await;
            let (status, told) = (answer.status.as_u16(), answer.json());
            assert_eq!((status, &told["code"]), (409, &json!("model_barred")), "{words}: {told}");
            assert!(told["detail"].as_str().is_some_and(|detail| detail.contains(why)), "{words}: {told}");
        }
        let detail = house.app.get(&path, &house.front).await.expect(200).json();
        assert_eq!(detail["assist"]["ready"], false, "{words}: {}", detail["assist"]);
    }
    assert_eq!(model.asked(), 0);
}

#[tokio::test]
async fn what_a_filed_form_kept_secret_stays_with_people() {
    let model = Writer::new(|_| "不该被问到".to_owned());
    let house = House::open(Some(&model)).await;
    let visitor = house.app.visitor().await;
    let start = house.app.say(&visitor, "m1", "厂区围墙外的大树快倒了，请帮忙看看").await.expect(200).json();
    assert_eq!(start["conversation"]["state"], "collecting", "{start}");
    let filed = json!({ "client_id": "f", "matters": [{ "n": 1 }], "confirm": true, "fields": {
        "contact_phone": "13800138000", "enterprise": "示例机械有限公司", "contact_name": "李经理",
        "confidential": "是" } });
    house.app.post("/api/chat/case", &visitor, filed).await.expect(201);
    house.app.say(&visitor, "m2", "转人工").await.expect(200);
    let list = house.app.get("/api/conversations", &house.front).await.expect(200).json();
    assert_eq!(list["items"][0]["flags"], json!(["confidential"]), "{list}");
    let path = format!("/api/conversations/{}", list["items"][0]["id"].as_str().expect("a conversation"));
    house.app.post(&format!("{path}/claim"), &house.front, json!({})).await.expect(200);
    let answer = house.app.post(&format!("{path}/suggestions"), &house.front, json!({ "kind": "summary" })).await;
    assert_eq!(answer.expect(409).json()["code"], "model_barred");
    assert_eq!(model.asked(), 0);
}

#[tokio::test]
async fn a_text_that_was_cut_off_is_not_taken_for_the_whole() {
    let house = House::open(None).await;
    let cut = "请于15个工作日内补齐材料".to_owned();
    let ends = [ModelFinish::Length, ModelFinish::Unknown, ModelFinish::Filtered, ModelFinish::Tool];
    let model = Scripted::new(ends.map(|finish| Script::End(cut.clone(), finish)));
    house.app.app.model.connect(model.clone());
    let number = house.file(QUESTION, "consultation").await;
    let official = format!("请于15个工作日内补齐材料。{}", "逾期未补齐的，视为撤回申请。".repeat(80));
    for _ in ends {
        let (status, answer) = house.suggest(&number, json!({ "kind": "rewrite", "text": official })).await;
        assert_eq!((status, &answer["code"]), (409, &json!("model_refused")), "{answer}");
    }
    let room = model.asked()[0].max_tokens as usize;
    assert!(room > official.chars().count(), "room for the whole: {room}");
    let list = house.app.get("/api/admin/model/exchanges", &house.auditor).await.expect(200).json();
    let reasons: Vec<&Value> = list["items"].as_array().expect("items").iter().map(|one| &one["reasons"][0]).collect();
    assert!(reasons.iter().any(|reason| reason.to_string().contains("length")), "{list}");
}

#[tokio::test]
async fn a_demand_that_is_kept_counts_as_kept_like_its_title() {
    let model = Writer::new(|_| json!({ "title": "新员工参保的期限", "demand": "想知道参保期限" }).to_string());
    let house = House::open(Some(&model)).await;
    let number = house.file(QUESTION, "consultation").await;
    for (used, kept, edited, thrown) in [
        ("想知道参保期限", 1, 0, 0),
        ("新员工参保的期限", 2, 0, 0),
        ("新员工参保的期限\n想知道参保期限", 3, 0, 0),
        ("想知道参保的期限", 3, 1, 0),
        ("请把材料退回来", 3, 1, 1),
    ] {
        let (status, made) = house.suggest(&number, json!({ "kind": "title" })).await;
        assert_eq!((status, &made["demand"]), (201, &json!("想知道参保期限")), "{made}");
        let end = format!("/api/suggestions/{}/end", made["id"].as_str().expect("an id"));
        house.app.post(&end, &house.front, json!({ "text": used })).await.expect(204);
        let line = house.console().await["suggestions"][0].clone();
        let counts = (&line["kept"], &line["edited"], &line["thrown_away"]);
        assert_eq!(counts, (&json!(kept), &json!(edited), &json!(thrown)), "{used}");
    }
}

#[tokio::test]
async fn who_answered_is_counted_alike() {
    let house = House::open(Some(&Writer::new(|_| "{}".to_owned()))).await;
    let shares = async || house.console().await["shares"].clone();
    let visitor = house.app.visitor().await;
    house.app.say(&visitor, "m1", "你好").await.expect(200);
    assert_eq!(shares().await, json!({ "rule": 0, "model": 0, "person": 0 }), "a greeting answers nothing");
    house.app.say(&visitor, "m2", "新招员工多久要参保").await.expect(200);
    assert_eq!(shares().await["rule"], 1);
    house.app.post("/api/chat/handoff", &visitor, json!({ "client_id": "h1" })).await;
    let list = house.app.get("/api/conversations", &house.front).await.expect(200).json();
    let path = format!("/api/conversations/{}", list["items"][0]["id"].as_str().expect("an id"));
    house.app.post(&format!("{path}/claim"), &house.front, json!({})).await.expect(200);
    for n in 0..3 {
        let body = json!({ "client_id": format!("o{n}"), "text": "您好，请稍等" });
        house.app.post(&format!("{path}/messages"), &house.front, body).await.expect(200);
    }
    assert_eq!(shares().await["person"], 1, "one conversation, however many messages");
}

#[tokio::test]
async fn what_a_lying_model_writes_is_not_shown_and_counted() {
    let known = rules();
    let model = Writer::new(move |request| match request.task {
        ModelTask::Draft => honest(&known, request).replace("30日", "45日"),
        ModelTask::Summary => {
            json!({ "summary": "企业要补贴50万元。", "demand": "", "facts": [], "asked": [], "open": [] }).to_string()
        }
        ModelTask::Title => "no json at all".to_owned(),
        ModelTask::Answer | ModelTask::Classify | ModelTask::Rewrite | ModelTask::Probe => {
            "请在45日内办理。".to_owned()
        }
    });
    let house = House::open(Some(&model)).await;
    let number = house.file(QUESTION, "consultation").await;
    for body in [
        json!({ "kind": "reply" }),
        json!({ "kind": "summary" }),
        json!({ "kind": "title" }),
        json!({ "kind": "rewrite", "text": "请在30日内办理。" }),
    ] {
        let (status, answer) = house.suggest(&number, body.clone()).await;
        assert_eq!((status, &answer["code"]), (409, &json!("model_refused")), "{body}: {answer}");
        assert!(!answer.to_string().contains("45日") && !answer.to_string().contains("50万"), "{answer}");
    }
    let console = house.console().await;
    let refused: i64 = console["tasks"].as_array().expect("tasks").iter().filter_map(|t| t["refused"].as_i64()).sum();
    assert_eq!(refused, 4, "{console}");
    assert!(console["refusals"].as_array().is_some_and(|list| !list.is_empty()), "{console}");
    assert_eq!(console["suggestions"], json!([]));
    let (status, answer) = house.suggest(&number, json!({ "kind": "poem" })).await;
    assert_eq!(status, 422, "{answer}");
    let (status, _) = house.suggest(&number, json!({ "kind": "rewrite", "text": " " })).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn a_draft_in_a_conversation_goes_out_only_when_the_officer_sends_it() {
    let known = rules();
    let summary = json!({ "summary": "企业问新员工参保的期限。", "demand": "想知道期限", "facts": ["新招了员工"],
        "asked": [], "open": ["人数"] });
    let model =
        Writer::new(
            move |request| {
                if request.task == ModelTask::Summary { summary.to_string() } else { honest(&known, request) }
            },
        );
    let house = House::open(Some(&model)).await;
    let id = house.talk("新招的员工要在多久之内参加社保，电话13912345678，请转人工").await;
    let path = format!("/api/conversations/{id}");
    let detail = house.app.get(&path, &house.front).await.expect(200).json();
    assert_eq!(detail["assist"]["ready"], true, "{}", detail["assist"]);
    let before = detail["messages"].as_array().expect("messages").len();
    let suggest = format!("{path}/suggestions");
    let summary = house.app.post(&suggest, &house.front, json!({ "kind": "summary" })).await.expect(201).json();
    assert!(summary["text"].as_str().is_some_and(|text| text.contains("还没弄清的")), "{summary}");
    let made = house.app.post(&suggest, &house.front, json!({ "kind": "reply" })).await.expect(201).json();
    assert!(!model.heard().contains("13912345678"), "a phone left the house");
    let after = house.app.get(&path, &house.front).await.expect(200).json();
    assert_eq!(after["messages"].as_array().expect("messages").len(), before, "a draft is no message");

    let body = json!({ "client_id": "o1", "text": made["text"], "suggestion": made["id"] });
    house.app.post(&format!("{path}/messages"), &house.front, body).await.expect(200);
    // A second draft that is asked for and never used gives way to a third one.
    house.app.post(&suggest, &house.front, json!({ "kind": "reply" })).await.expect(201);
    house.app.post(&suggest, &house.front, json!({ "kind": "reply" })).await.expect(201);
    let console = house.console().await;
    let reply =
        console["suggestions"].as_array().expect("a list").iter().find(|l| l["kind"] == "reply").expect("replies");
    assert_eq!((&reply["kept"], &reply["thrown_away"], &reply["open"]), (&json!(1), &json!(1), &json!(1)), "{reply}");
    assert_eq!(console["shares"]["person"], 1, "{console}");
    house.app.post(&suggest, &house.auditor, json!({ "kind": "reply" })).await.expect(403);
}

#[tokio::test]
async fn the_switch_stops_the_model_at_once_and_keeps_who_turned_it() {
    let known = rules();
    let model = Writer::new(move |request| honest(&known, request));
    let house = House::open(Some(&model)).await;
    let number = house.file(QUESTION, "consultation").await;
    let switch = "/api/admin/model/switch";
    house.app.post(switch, &house.auditor, json!({ "stopped": true, "reason": "试" })).await.expect(403);
    house.app.post(switch, &house.admin, json!({ "stopped": true, "reason": " " })).await.expect(422);
    let state = house.app.post(switch, &house.admin, json!({ "stopped": true, "reason": "答非所问" })).await;
    assert_eq!(state.expect(200).json()["stopped"], true);
    let (status, answer) = house.suggest(&number, json!({ "kind": "reply" })).await;
    assert_eq!((status, &answer["code"]), (409, &json!("model_off")), "{answer}");
    assert_eq!(model.asked(), 0);
    let page = house.app.get("/admin/model", &house.auditor).await.expect(200).text();
    assert!(page.contains("已停用") && page.contains("答非所问") && !page.contains("/admin/model/switch"), "{page}");
    let desk = house.app.get(&format!("/desk/cases/{number}"), &house.front).await.expect(200).text();
    assert!(desk.contains("模型已停用"), "{desk}");
    let later = house.app.app.now().saturating_add(jiff::SignedDuration::from_mins(1)).expect("in range");
    house.app.clock.set(later);
    house.app.post(switch, &house.admin, json!({ "stopped": false })).await.expect(200);
    assert_eq!(house.suggest(&number, json!({ "kind": "reply" })).await.0, 201);
    let log = house.console().await["switch_log"].clone();
    let turns: Vec<_> =
        log.as_array().expect("a log").iter().map(|l| (l["stopped"].clone(), l["officer"].clone())).collect();
    assert_eq!(turns, [(json!(false), json!("admin")), (json!(true), json!("admin"))]);
}

#[tokio::test]
async fn a_proposal_is_more_than_what_stands_there_and_only_in_the_enterprises_own_words() {
    let model = Writer::new(|request| {
        let less = request.lines.iter().any(|line| line.text.contains("西边"));
        let (case_type, urgency) = if less { ("consultation", "normal") } else { ("help", "urgent") };
        json!({ "type": case_type, "topic": null, "urgency": urgency, "slots": { "place": "老渡口", "amount": "九百万" } })
            .to_string()
    });
    let house = House::open(Some(&model)).await;
    let vague = house.file("老渡口那边的情形，想跟你们说一说", "coordination").await;
    let (status, made) = house.suggest(&vague, json!({ "kind": "classify" })).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!((&made["proposal"]["type"], &made["proposal"]["urgency"]), (&json!("help"), &json!("urgent")), "{made}");
    // An amount that nobody named is none.
    assert_eq!(made["proposal"]["slots"], json!([{ "label": "事发地点", "value": "老渡口" }]), "{made}");
    let case = house.app.get(&format!("/api/cases/{vague}"), &house.front).await.expect(200).json();
    assert_eq!((&case["type"], &case["urgency"]), (&json!("coordination"), &json!("normal")), "it changes nothing");

    let body = json!({ "words": "老渡口西边的情形，想跟你们说一说", "enterprise": "示例机械有限公司",
        "contact_phone": "13800138000", "type": "coordination", "urgency": "urgent" });
    let pressing = house.app.post("/api/cases", &house.front, body).await.expect(201).json();
    let number = pressing["number"].as_str().expect("a number");
    let (status, made) = house.suggest(number, json!({ "kind": "classify" })).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!((&made["proposal"]["type"], &made["proposal"]["urgency"]), (&Value::Null, &Value::Null), "{made}");
    let sure = house.file(QUESTION, "consultation").await;
    assert_eq!(house.suggest(&sure, json!({ "kind": "classify" })).await.1["code"], "model_decided");
}

#[tokio::test]
async fn without_a_model_nothing_is_missing_but_the_buttons() {
    let house = House::open(None).await;
    let number = house.file(QUESTION, "consultation").await;
    let desk = house.app.get(&format!("/desk/cases/{number}"), &house.front).await.expect(200).text();
    assert!(!desk.contains("AI "), "no word of a model");
    let (status, answer) = house.suggest(&number, json!({ "kind": "reply" })).await;
    assert_eq!((status, &answer["code"]), (409, &json!("model_off")));
    let page = house.app.get("/admin/model", &house.admin).await.expect(200).text();
    assert!(page.contains("没有配置模型") && page.contains("[model]") && page.contains("base_url"), "{page}");
    assert_eq!(house.console().await["configured"], false);

    let id = house.talk("新招的员工要在多久之内参加社保，请转人工").await;
    let detail = house.app.get(&format!("/api/conversations/{id}"), &house.front).await.expect(200).json();
    assert_eq!(detail["assist"], Value::Null);
    let help = house.app.get(&format!("/api/conversations/{id}/help"), &house.front).await.expect(200).json();
    assert!(help["answers"].as_array().is_some_and(|answers| !answers.is_empty()), "{help}");
}
