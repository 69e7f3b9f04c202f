//! Forms that the rules leave open and a model that has a script: what is proposed beside them, what the enterprise
//! makes of it, and what never gets there.

mod kill;

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum::{body::Body, http::Request};
use futures_util::StreamExt as _;
use jiff::SignedDuration;
use serde_json::{Value, json};
use zhitong::{
    app::{
        App,
        events::ChatEvent,
        model::{self, propose::Ended},
        relay::Relay,
    },
    config::ModelConfig,
    domain::{access::Role, ids::ConversationId},
    jobs,
    ports::model::ModelFinish,
    store::{
        self,
        model::ExchangeRow,
        model_proposals,
        model_tasks::{self, TaskRow},
        testing,
    },
};

use crate::{
    support::{
        TestApp,
        model::{Script, Scripted},
    },
    wechat,
};

/// No shipped rule names a type or a topic of it.
pub(crate) const OPEN: &str = "厂里的大树倒在围墙上了，9月5日倒的，宏达绿化队来过，电话13800138000，损失12万元";

/// What an honest model says of [`OPEN`].
pub(crate) fn honest() -> String {
    json!({ "type": "help", "topic": "PARK", "urgency": "urgent", "slots": { "object": "宏达绿化队" } }).to_string()
}

async fn with(scripts: impl IntoIterator<Item = Script>) -> (TestApp, Arc<Scripted>) {
    let model = Scripted::new(scripts);
    (TestApp::with_model(model.clone()).await, model)
}

async fn history(app: &TestApp, token: &str) -> Value {
    app.get("/api/chat/messages?after=0", token).await.expect(200).json()
}

/// What the page is told to propose.
async fn proposal(app: &TestApp, token: &str) -> Value {
    history(app, token).await["conversation"]["proposal"].clone()
}

fn keys(proposal: &Value) -> Vec<&str> {
    let items = proposal["items"].as_array().map_or(&[][..], Vec::as_slice).iter();
    items.filter(|item| item["accepted"] == false).filter_map(|item| item["key"].as_str()).collect()
}

async fn id(app: &TestApp, token: &str) -> ConversationId {
    history(app, token).await["conversation"]["id"].as_str().expect("an id").parse().expect("an id")
}

async fn tasks(app: &TestApp, token: &str) -> Vec<TaskRow> {
    let id = id(app, token).await;
    let mut tx = app.app.db.read().await.expect("a reader");
    model_tasks::of_conversation(&mut tx, id).await.expect("tasks")
}

/// What became of the items: `item=outcome`.
async fn outcomes(app: &TestApp, token: &str) -> Vec<String> {
    let id = id(app, token).await;
    let mut tx = app.app.db.read().await.expect("a reader");
    let rows = model_proposals::of_conversation(&mut tx, id).await.expect("rows");
    rows.into_iter().map(|row| format!("{}={}", row.item, row.outcome)).collect()
}

async fn journal(app: &App) -> Vec<ExchangeRow> {
    let mut tx = app.db.read().await.expect("a reader");
    store::model::page(&mut tx, None, 50).await.expect("exchanges")
}

/// The latest exchange: verdict and reasons.
async fn verdict(app: &TestApp) -> (Option<String>, String) {
    let row = journal(&app.app).await.into_iter().next().expect("an exchange");
    (row.verdict, row.reasons)
}

async fn run(app: &TestApp) -> Vec<Ended> {
    jobs::proposals::run_once(&app.app).await.expect("worked off")
}

async fn decide(app: &TestApp, token: &str, body: Value) -> Value {
    app.post("/api/chat/proposal", token, body).await.expect(200).json()["conversation"]["proposal"].clone()
}

/// A visitor with an open form about [`OPEN`], shown as it would be without a model.
async fn opened(app: &TestApp) -> String {
    app.clock.advance(SignedDuration::from_secs(1));
    let token = app.visitor().await;
    let answer = app.say(&token, "1", OPEN).await.expect(200).json();
    let [reply] = answer["replies"].as_array().expect("replies").as_slice() else { panic!("{answer}") };
    assert_eq!((&reply["kind"], &answer["conversation"]["state"]), (&json!("form"), &json!("collecting")), "{answer}");
    assert_eq!(reply["form"]["matters"][0]["type"], "coordination");
    assert_eq!(answer["conversation"]["proposal"], Value::Null);
    token
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn work(app: &App) -> tokio::task::JoinHandle<()> {
    tokio::spawn(jobs::proposals::run(app.clone()))
}

async fn is_accepted_and_filed_on(app: TestApp, model: Arc<Scripted>) {
    model.then(Script::Say(honest()));
    let token = opened(&app).await;
    let request = Request::get("/api/chat/stream")
        .header("authorization", format!("Bearer {token}"))
        .header("last-event-id", "2")
        .body(Body::empty())
        .expect("a request");
    let response = tower::ServiceExt::oneshot(app.router(), request).await.expect("an answer");
    let mut body = response.into_body().into_data_stream();
    let mut seen = String::new();
    let mut read_until = async |seen: &mut String, mark: &str| {
        while !seen.contains(mark) {
            let part = tokio::time::timeout(Duration::from_secs(20), body.next()).await.expect(mark);
            seen.push_str(&String::from_utf8_lossy(&part.expect("open").expect("bytes")));
        }
    };
    read_until(&mut seen, "event: state").await;
    let before = history(&app, &token).await["items"].clone();
    assert_eq!(run(&app).await, [Ended::Proposed]);
    read_until(&mut seen, "AI 建议，请核对").await;
    assert_eq!(history(&app, &token).await["items"], before, "no message and nothing on the form");

    let shown = proposal(&app, &token).await;
    assert_eq!(shown["label"], "AI 建议，请核对");
    assert_eq!(keys(&shown), ["type", "urgency", "object"]);
    assert_eq!(shown["items"][0]["value_label"], "求助");
    assert!(shown["items"][0]["options"].as_array().is_some_and(|options| options.len() > 5), "{shown}");
    assert_eq!(verdict(&app).await, (Some("used".to_owned()), "[]".to_owned()));
    assert!(!model.told().contains("13800138000") && model.told().contains("〔"), "{}", model.told());
    assert_eq!(run(&app).await, [], "once");

    let ticket = shown["ticket"].clone();
    let accept =
        json!({ "ticket": ticket, "accept": { "type": "help", "object": "宏达绿化队" }, "refuse": ["urgency"] });
    assert_eq!(keys(&decide(&app, &token, accept.clone()).await), Vec::<&str>::new());
    assert_eq!(keys(&decide(&app, &token, accept).await), Vec::<&str>::new(), "a repeat changes nothing");
    let filed = json!({ "client_id": "f", "fields": { "contact_phone": "13800138000", "object": "宏达绿化队" },
        "matters": [{ "n": 1 }], "confirm": true });
    let answer = app.post("/api/chat/case", &token, filed).await.expect(201).json();
    assert_eq!(answer["conversation"]["proposal"], Value::Null, "{answer}");
    assert_eq!(outcomes(&app, &token).await, ["object=accepted", "type=accepted", "urgency=refused"]);
    let desk = app.officer("desk", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
    let number = answer["cases"][0]["number"].as_str().expect("a number");
    let case = app.get(&format!("/api/cases/{number}"), &desk).await.expect(200).json();
    assert_eq!((&case["type"], &case["urgency"]), (&json!("help"), &json!("normal")), "{case}");
    assert_eq!(case["object"], "宏达绿化队", "{case}");
}

#[tokio::test]
async fn what_is_taken_over_is_filed_and_the_rest_is_not() {
    let model = Scripted::new([]);
    is_accepted_and_filed_on(TestApp::with_model(model.clone()).await, model).await;
}

#[tokio::test]
async fn what_is_taken_over_is_filed_and_the_rest_is_not_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        let model = Scripted::new([]);
        app.app.model.connect(model.clone());
        is_accepted_and_filed_on(app, model).await;
    }
}

async fn is_changed_on(app: TestApp) {
    app.app.model.connect(Scripted::new([Script::Say(honest())]));
    let token = opened(&app).await;
    assert_eq!(run(&app).await, [Ended::Proposed]);
    let ticket = proposal(&app, &token).await["ticket"].clone();
    let decide_as = |accept: Value| json!({ "ticket": ticket, "accept": accept });
    let wrong = app.post("/api/chat/proposal", &token, decide_as(json!({ "type": "risk" }))).await.expect(422).json();
    assert_eq!(wrong["errors"][0]["pointer"], "/accept/type");
    app.post("/api/chat/proposal", &token, decide_as(json!({ "colour": "red" }))).await.expect(422);
    app.post("/api/chat/proposal", &token, json!({ "ticket": 99, "refuse": ["type"] })).await.expect(409);
    assert_eq!(keys(&proposal(&app, &token).await).len(), 3, "nothing of it counted");
    // Another type than the proposed one, and a field typed on the card.
    assert_eq!(keys(&decide(&app, &token, decide_as(json!({ "type": "stuck" }))).await), ["urgency", "object"]);
    let filed = json!({ "client_id": "f", "fields": { "contact_phone": "13800138000", "object": "金山物业" },
        "matters": [{ "n": 1 }], "confirm": true });
    let answer = app.post("/api/chat/case", &token, filed).await.expect(201).json();
    assert_eq!(outcomes(&app, &token).await, ["object=changed", "type=changed", "urgency=dropped"]);
    let desk = app.officer("desk", &[(Role::FrontDesk, "")]).await;
    let number = answer["cases"][0]["number"].as_str().expect("a number");
    let case = app.get(&format!("/api/cases/{number}"), &desk).await.expect(200).json();
    assert_eq!((&case["type"], &case["object"]), (&json!("stuck"), &json!("金山物业")), "{case}");
}

#[tokio::test]
async fn what_the_enterprise_makes_of_a_proposal_counts() {
    is_changed_on(TestApp::start().await).await;
}

#[tokio::test]
async fn what_the_enterprise_makes_of_a_proposal_counts_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        is_changed_on(app).await;
    }
}

async fn is_dropped_on(app: TestApp) {
    let model = Scripted::new([]);
    app.app.model.connect(model.clone());
    let say = |value: Value| value.to_string();
    for (said, verdict_, reasons) in [
        (say(json!({ "type": "consultation" })), "refused", r#"["lower_type"]"#),
        (say(json!({ "type": "nonsense", "topic": "NO.SUCH" })), "refused", r#"["unknown_type","unknown_topic"]"#),
        (say(json!({ "urgency": "normal" })), "dropped", r#"["nothing_new"]"#),
        (say(json!({ "slots": { "object": "市监局" } })), "refused", r#"["invented_slot"]"#),
        (say(json!({ "slots": { "amount": "12万元" } })), "refused", r#"["said_already"]"#),
        (say(json!({ "type": null, "topic": null, "urgency": null, "slots": {} })), "dropped", r#"["nothing_new"]"#),
        ("好的，这是求助。".to_owned(), "refused", r#"["malformed"]"#),
        (format!("{0}{0}", honest()), "refused", r#"["malformed"]"#),
        (String::new(), "refused", r#"["malformed"]"#),
    ] {
        model.then(Script::Say(said.clone()));
        let token = opened(&app).await;
        let ended = run(&app).await;
        assert!(matches!(ended.as_slice(), [Ended::Nothing(_)]), "{said}: {ended:?}");
        assert_eq!(verdict(&app).await, (Some(verdict_.to_owned()), reasons.to_owned()), "{said}");
        assert_eq!(proposal(&app, &token).await, Value::Null, "{said}");
        assert_eq!(outcomes(&app, &token).await, Vec::<String>::new(), "{said}");
    }
    for finish in [ModelFinish::Length, ModelFinish::Filtered] {
        model.then(Script::End(honest(), finish));
        let token = opened(&app).await;
        run(&app).await;
        assert_eq!(verdict(&app).await.1, format!("[\"{finish}\"]"));
        assert_eq!(proposal(&app, &token).await, Value::Null);
    }
    let asked = model.asked().len();
    let token = opened(&app).await;
    app.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(run(&app).await, [Ended::Dropped("late".to_owned())]);
    assert_eq!((model.asked().len(), proposal(&app, &token).await), (asked, Value::Null), "nothing left");
}

#[tokio::test]
async fn what_asks_for_less_or_was_made_up_is_dropped_and_journaled() {
    is_dropped_on(TestApp::start().await).await;
}

#[tokio::test]
async fn what_asks_for_less_or_was_made_up_is_dropped_and_journaled_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        is_dropped_on(app).await;
    }
}

#[tokio::test]
async fn a_proposal_that_finds_no_form_any_more_is_dropped_and_journaled() {
    for (end, why) in [("filed", "filed"), ("cancelled", "cancelled"), ("person", "person")] {
        let (pieces, script) = tokio::sync::mpsc::unbounded_channel();
        let (app, model) = with([Script::Pieces(script)]).await;
        let token = opened(&app).await;
        let task = {
            let tasks = model::propose::claim(&app.app, 1).await.expect("claimed");
            tasks.into_iter().next().expect("a task")
        };
        let working = tokio::spawn({
            let (app, task) = (app.app.clone(), task.clone());
            async move { model::propose::work(&app, &task).await }
        });
        model.arrived.notified().await;
        match end {
            "filed" => {
                let body = json!({ "client_id": "f", "fields": { "contact_phone": "13800138000" }, "confirm": true });
                app.post("/api/chat/case", &token, body).await.expect(201);
            }
            "cancelled" => {
                app.say(&token, "2", "取消").await.expect(200);
                app.say(&token, "3", "是").await.expect(200);
            }
            _ => {
                let desk = app.officer("desk", &[(Role::FrontDesk, "")]).await;
                let id = id(&app, &token).await;
                app.post(&format!("/api/conversations/{id}/claim"), &desk, json!({})).await.expect(200);
            }
        }
        let before = history(&app, &token).await["items"].clone();
        let _ = pieces.send(honest());
        drop(pieces);
        let ended = working.await.expect("no panic").expect("worked off");
        // Broken off before the end of the form was committed, or found gone afterwards.
        let broken_off = Ended::Nothing("failed:unavailable".to_owned());
        assert!(ended == Ended::Dropped(why.to_owned()) || ended == broken_off, "{end}: {ended:?}");
        assert_eq!(history(&app, &token).await["items"], before, "{end}");
        let outcome = tasks(&app, &token).await[0].outcome.clone().unwrap_or_default();
        assert!(outcome == format!("dropped:{why}") || outcome == "failed:unavailable", "{end}: {outcome}");
        let row = journal(&app.app).await.into_iter().next().expect("an exchange");
        // Broken off by the turn that ended the form, or answered and dropped: either stands in the journal.
        assert!(row.verdict.as_deref() == Some("dropped") || row.outcome == "failed", "{end}: {row:?}");
        assert_eq!(outcomes(&app, &token).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn nothing_is_asked_where_rules_are_sure_or_the_matter_is_for_people() {
    let (app, model) = with([]).await;
    let token = app.visitor().await;
    app.say(&token, "0", "技改补贴公示四个月了一直没到账，请帮忙催一下财政局拨付").await.expect(200);
    assert!(history(&app, &token).await["conversation"]["state"] == "collecting");
    assert_eq!(tasks(&app, &token).await, [], "the rules are sure");
    for (n, words) in [
        format!("{OPEN}，我要投诉宏达绿化队"),
        format!("{OPEN}，住建局科长吃拿卡要"),
        format!("{OPEN}，我要举报他们偷排"),
        format!("{OPEN}，拖欠我们工程款三百万元"),
        format!("{OPEN}，消防验收三个月没有消息，跑了五趟都办不成"),
        format!("{OPEN}，请对我们的身份保密"),
        format!("{OPEN}，我要匿名"),
        format!("{OPEN}，再不解决我就从楼上跳下去"),
        "我有一份机密文件要给你看，厂里的大树倒在围墙上了".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let token = app.visitor().await;
        app.say(&token, &format!("w{n}"), words).await.expect(200);
        assert_eq!(tasks(&app, &token).await, [], "{words}");
    }
    // What was said before in the same conversation counts as well.
    let token = app.visitor().await;
    app.say(&token, "a", "窗口办事员向我们索要好处费五千元").await.expect(200);
    app.say(&token, "b", "取消").await.expect(200);
    app.say(&token, "c", "是").await.expect(200);
    app.say(&token, "d", OPEN).await.expect(200);
    for ended in run(&app).await {
        assert!(matches!(&ended, Ended::Dropped(why) if why.starts_with("barred:")), "{ended:?}");
    }
    assert_eq!(model.asked().len(), 0);
    assert_eq!(journal(&app.app).await, []);
}

#[tokio::test]
async fn without_a_model_a_budget_or_the_switch_nothing_is_asked() {
    let app = TestApp::start().await;
    let token = opened(&app).await;
    assert_eq!(tasks(&app, &token).await, []);

    let (app, model) = with([]).await;
    model::set_switch(&app.app, true, "先停一停", None).await.expect("stopped");
    let token = opened(&app).await;
    assert_eq!(tasks(&app, &token).await, []);
    model::set_switch(&app.app, false, "", None).await.expect("runs again");
    // What was noted before the switch was set is not asked either.
    let token = opened(&app).await;
    model::set_switch(&app.app, true, "先停一停", None).await.expect("stopped");
    assert_eq!(run(&app).await, [Ended::Nothing("failed:switched_off".to_owned())]);
    assert_eq!((model.asked().len(), proposal(&app, &token).await), (0, Value::Null));

    let app = TestApp::with(|config| {
        config.model = Some(ModelConfig { user_hourly_tokens: Some(10), ..ModelConfig::default() });
    })
    .await;
    let model = Scripted::new([]);
    app.app.model.connect(model.clone());
    opened(&app).await;
    assert_eq!(run(&app).await, [Ended::Nothing("failed:budget".to_owned())]);
    assert_eq!(model.asked().len(), 0);
}

#[tokio::test]
async fn the_switch_breaks_off_what_is_under_way_and_takes_away_what_is_shown() {
    let (app, model) = with([Script::Say(honest()), Script::Hang]).await;
    let shown = opened(&app).await;
    assert_eq!(run(&app).await, [Ended::Proposed]);
    let job = work(&app.app);
    model.arrived.notified().await;
    let token = opened(&app).await;
    model.arrived.notified().await;
    model::set_switch(&app.app, true, "说错了", None).await.expect("stopped");
    until("the task is done", async || tasks(&app, &token).await.iter().all(|task| task.state == "done")).await;
    assert_eq!(model.dropped.load(SeqCst), 1, "the call was broken off");
    assert_eq!(tasks(&app, &token).await[0].outcome.as_deref(), Some("failed:switched_off"));
    assert_eq!(proposal(&app, &shown).await, Value::Null);
    model::set_switch(&app.app, false, "", None).await.expect("runs again");
    assert_eq!(keys(&proposal(&app, &shown).await).len(), 3);
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
}

#[tokio::test]
async fn a_call_over_its_time_is_broken_off_and_the_form_stays_as_it_is() {
    let app = TestApp::with(|config| {
        config.model = Some(ModelConfig { classify_timeout_ms: 100, ..ModelConfig::default() });
    })
    .await;
    let model = Scripted::new([Script::Hang]);
    app.app.model.connect(model.clone());
    let token = opened(&app).await;
    let before = history(&app, &token).await;
    assert!(matches!(run(&app).await.as_slice(), [Ended::Nothing(why)] if why.starts_with("failed:")));
    assert_eq!(model.dropped.load(SeqCst), 1);
    assert_eq!(history(&app, &token).await, before);
    assert_eq!(journal(&app.app).await[0].outcome, "failed");
}

#[tokio::test]
async fn a_form_of_a_dead_process_gets_its_proposal_once() {
    let (app, model) = with([Script::Say(honest())]).await;
    let token = opened(&app).await;
    let claimed = model::propose::claim(&app.app, 4).await.expect("claimed");
    assert_eq!(claimed.len(), 1);
    assert_eq!(run(&app).await, [], "it is somebody else's");
    app.clock.advance(SignedDuration::from_secs(13));
    assert_eq!(run(&app).await, [Ended::Proposed]);
    let late = model::propose::work(&app.app, &claimed[0]).await.expect("the dead one wakes");
    assert_eq!(late, Ended::Dropped("answered".to_owned()));
    assert_eq!((model.asked().len(), outcomes(&app, &token).await.len()), (1, 3));
}

#[tokio::test]
async fn two_gateways_propose_once_and_a_page_at_the_other_one_hears_of_it_at_once() {
    let Some(test) = testing::postgres().await else { return };
    let model = Scripted::new([Script::Say(honest())]);
    let a = TestApp::on(test.db.clone(), None, |_| {});
    let b = TestApp::on(test.db.clone(), None, |_| {});
    for gateway in [&a, &b] {
        gateway.app.model.connect(model.clone());
        let relay = Relay::open(&gateway.app).await.expect("a line").expect("a line");
        tokio::spawn(relay.run());
    }
    let token = a.visitor().await;
    let id = id(&a, &token).await;
    let mut page = b.app.hub.follow(id).expect("a stream");
    a.say(&token, "1", OPEN).await.expect(200);
    // Nobody follows at the gateway that answers; the page at the other one is told all the same.
    let told = tokio::time::timeout(Duration::from_secs(20), page.recv()).await.expect("told").expect("an event");
    let mut told = vec![told];
    while !told.iter().any(|event| matches!(event, ChatEvent::Messages { seq: 2 })) {
        told.push(tokio::time::timeout(Duration::from_secs(20), page.recv()).await.expect("told").expect("an event"));
    }
    while page.try_recv().is_ok() {}
    let (one, other) = tokio::join!(run(&a), run(&b));
    let ended: Vec<Ended> = one.into_iter().chain(other).collect();
    assert_eq!(ended, [Ended::Proposed]);
    assert_eq!((model.asked().len(), outcomes(&a, &token).await.len()), (1, 3));
    loop {
        let event = tokio::time::timeout(Duration::from_secs(20), page.recv()).await.expect("told").expect("an event");
        if matches!(event, ChatEvent::State) {
            break;
        }
    }
    assert_eq!(keys(&proposal(&b, &token).await).len(), 3);
    for gateway in [&a, &b] {
        gateway.app.shutdown.cancel();
    }
    drop((a, b));
    test.finish().await;
}

#[tokio::test]
async fn wechat_hears_of_a_proposal_with_the_next_question_and_takes_it_over_in_words() {
    let app = TestApp::with(wechat::accounts).await;
    app.app.model.connect(Scripted::new([Script::Say(honest())]));
    wechat::plain(&app, "plain", wechat::text("o-form", 1, OPEN)).await.expect(200);
    let id = wechat::conversation(&app, "plain", "o-form").await;
    let before = wechat::messages(&app, id).await.len();
    assert_eq!(run(&app).await, [Ended::Proposed]);
    assert_eq!(wechat::messages(&app, id).await.len(), before, "no message of its own");
    assert_eq!(wechat::waiting(&app, id).await, 0, "nothing is pushed");
    let reply = wechat::plain(&app, "plain", wechat::text("o-form", 2, "联系人张三")).await.expect(200);
    let words = wechat::words(&reply);
    assert!(words.contains("AI 建议，请核对：事项类型 求助") && words.contains("回复“采用建议”"), "{words}");
    let reply = wechat::plain(&app, "plain", wechat::text("o-form", 3, "采用建议")).await.expect(200);
    let words = wechat::words(&reply);
    assert!(words.contains("【求助】") && words.contains("涉及单位：宏达绿化队"), "{words}");
    assert!(!words.contains("AI 建议，请核对"), "{words}");
}
