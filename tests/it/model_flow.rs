//! A question that no rule answers and a model that has a script: what reaches the visitor, and what never does.

mod costs;
mod journal;
pub(crate) mod kill;
mod proof;

use std::{
    sync::{Arc, LazyLock, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum::{body::Body, http::Request};
use futures_util::StreamExt as _;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use zhitong::{
    app::{
        App,
        content::{self, Content, Origin},
        events::ChatEvent,
        model::{self, answer::Ended},
    },
    config::{Config, ModelConfig},
    domain::{
        access::Role,
        dialogue::{DialogueState, Effect, Input, Shipped, TurnEnv, turn},
        ids::ConversationId,
        kinds::Channel,
    },
    jobs,
    ports::model::{ModelFailureKind, ModelFinish},
    store::{
        self,
        model::ExchangeRow,
        model_tasks::{self, TaskRow},
    },
};

use crate::{
    support::{
        NOW, TestApp,
        model::{Script, Scripted, contract},
    },
    wechat,
};

pub(crate) const LABEL: &str = "AI 生成，仅供参考，以政策原文为准";
pub(crate) const HOLDING: &str = "正在查阅政策依据，请稍候……";

/// A question for the model and the answer near it.
pub(crate) struct Asked {
    pub(crate) words: String,
    pub(crate) rule: String,
    /// The first whole sentence of the rule's answer: an honest model may repeat it.
    pub(crate) sentence: String,
}

/// What the shipped rules leave to a model.
struct Left {
    /// Questions with the answer they mean among their sources.
    questions: Vec<Asked>,
    /// Put to the model with the right source; with others only; though no rule answers them.
    counts: (usize, usize, usize),
}

static LEFT: LazyLock<Left> = LazyLock::new(|| {
    let now = NOW.parse().expect("an instant");
    let time = Config::default().time;
    let built = content::build(&content::shipped_files(), &time, now, Origin::Shipped, true);
    let content: Content = built.content.expect("the shipped content loads");
    let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, now)
        .with_index(&content.index)
        .with_model(true);
    let env = TurnEnv {
        knowledge: &knowledge,
        now,
        today: knowledge.today,
        default_region: Some("350000"),
        channel: Channel::Web,
        queue_ahead: 0,
        open_cases: &[],
        progress: &[],
    };
    let mut left = Left { questions: Vec::new(), counts: (0, 0, 0) };
    for line in include_str!("fixtures/retrieval_questions.jsonl").lines() {
        let question: Value = serde_json::from_str(line).expect("JSON");
        let words = question["q"].as_str().expect("a question");
        let outcome = turn(&env, &DialogueState::default(), &Input::text(words));
        if !outcome.effects.iter().any(|effect| matches!(effect, Effect::AskModel { .. })) {
            continue;
        }
        let Some(rule) = question["rule"].as_str() else {
            left.counts.2 += 1;
            continue;
        };
        if !outcome.record.near.iter().any(|id| id == rule) {
            left.counts.1 += 1;
            continue;
        }
        left.counts.0 += 1;
        let answer = content.rules.rule(rule).and_then(|rule| rule.answer.as_ref()).expect("an answer");
        let sentence = answer.text.split_inclusive('。').next().unwrap_or_default().trim();
        if sentence.ends_with('。') && !sentence.contains("{{") {
            let (words, rule, sentence) = (words.to_owned(), rule.to_owned(), sentence.to_owned());
            left.questions.push(Asked { words, rule, sentence });
        }
    }
    left
});

pub(crate) fn question() -> &'static Asked {
    LEFT.questions.first().expect("the shipped rules leave questions to a model")
}

fn honest(asked: &Asked) -> String {
    contract("answered", &[&asked.rule], &asked.sentence)
}

fn configured(config: &mut Config) {
    config.model = Some(ModelConfig::default());
}

async fn with(scripts: impl IntoIterator<Item = Script>) -> (TestApp, Arc<Scripted>) {
    let model = Scripted::new(scripts);
    (TestApp::with_model(model.clone()).await, model)
}

/// What everybody but the visitor said, from a message on: sender, text, whether it is generated.
async fn said(app: &TestApp, token: &str, after: i64) -> Vec<Value> {
    let list = app.get(&format!("/api/chat/messages?after={after}"), token).await.expect(200).json();
    let items = list["items"].as_array().expect("messages").iter();
    items.filter(|message| message["from"] != "visitor").cloned().collect()
}

fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["text"].as_str().expect("text").to_owned()).collect()
}

/// What a gateway without a model replies to these words.
async fn without_a_model(words: &str) -> Vec<String> {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    let answer = app.say(&token, "1", words).await.expect(200).json();
    texts(answer["replies"].as_array().expect("replies"))
}

async fn journal(app: &App) -> Vec<ExchangeRow> {
    let mut tx = app.db.read().await.expect("a reader");
    store::model::page(&mut tx, None, 50).await.expect("exchanges")
}

async fn conversation(app: &TestApp, token: &str) -> ConversationId {
    let list = app.get("/api/chat/messages?after=0", token).await.expect(200).json();
    list["conversation"]["id"].as_str().expect("an id").parse().expect("an id")
}

async fn tasks(app: &TestApp, token: &str) -> Vec<TaskRow> {
    let id = conversation(app, token).await;
    let mut tx = app.app.db.read().await.expect("a reader");
    model_tasks::of_conversation(&mut tx, id).await.expect("tasks")
}

/// The job, running beside the test.
pub(crate) fn work(app: &App) -> tokio::task::JoinHandle<()> {
    let app = app.clone();
    tokio::spawn(jobs::model::run(app))
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn the_sources_of_what_is_asked_mostly_hold_the_answer() {
    let (right, other, none) = LEFT.counts;
    println!("put to the model: {right} with the right source, {other} without it, {none} that no rule answers");
    assert!(right > 0 && right * 100 >= (right + other) * 75, "{right} of {}", right + other);
}

async fn is_answered_on(app: TestApp, model: Arc<Scripted>) {
    let asked = question();
    model.then(Script::Say(honest(asked)));
    let token = app.visitor().await;
    app.say(&token, "0", "没签劳动合同有什么后果？我的电话是13800138000").await.expect(200);
    let answer = app.say(&token, "1", &asked.words).await.expect(200).json();
    assert_eq!(texts(answer["replies"].as_array().expect("replies")), [HOLDING]);
    let seq = answer["conversation"]["seq"].as_i64().expect("seq");
    let ended = jobs::model::run_once(&app.app).await.expect("worked off");
    assert!(ended.contains(&Ended::Answered), "{ended:?}");
    let messages = said(&app, &token, seq).await;
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(message["text"], format!("{}\n\n{LABEL}", asked.sentence));
    assert_eq!((&message["generated"], &message["from"]), (&json!(true), &json!("bot")));
    assert!(!message["citations"].as_array().expect("citations").is_empty(), "{message}");
    assert_eq!(message["rule_id"], Value::Null, "no rule says it");
    let buttons: Vec<&str> =
        message["quick_replies"].as_array().expect("buttons").iter().filter_map(|b| b["text"].as_str()).collect();
    assert_eq!(buttons, ["没解决", "帮我登记", "转人工"]);
    assert!(!model.told().contains("13800138000"), "personal data left the gateway");
    assert!(model.told().contains("〔手机号"), "its place is held");
    for row in journal(&app.app).await {
        assert!(!row.request.contains("13800138000"), "personal data in the journal");
    }
    let row = journal(&app.app).await.into_iter().next().expect("an exchange");
    assert_eq!((row.task.as_str(), row.outcome.as_str(), row.verdict.as_deref()), ("answer", "answered", Some("used")));
    assert_eq!((row.prompt_tokens, row.completion_tokens, row.estimated), (400, 100, false));
    assert_eq!((row.prompt_id.as_str(), row.endpoint.as_str()), ("answer", "scripted"));
    assert_eq!(jobs::model::run_once(&app.app).await.expect("nothing waits"), []);
    let unsolved = app.say(&token, "2", "没解决").await.expect(200).json();
    let replies = unsolved["replies"].as_array().expect("replies");
    assert!(replies.iter().any(|reply| reply["form"].is_object()), "{unsolved}");
}

#[tokio::test]
async fn a_question_is_answered_with_sources_label_and_no_personal_data() {
    let model = Scripted::new([]);
    is_answered_on(TestApp::with_model(model.clone()).await, model).await;
}

#[tokio::test]
async fn a_question_is_answered_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        let model = Scripted::new([]);
        app.app.model.connect(model.clone());
        is_answered_on(app, model).await;
    }
}

/// Asks, works off and compares with what a gateway without a model says; the reasons in the journal.
async fn goes_on_without(app: &TestApp, n: usize, what: &str, expected: &[String]) -> Vec<ExchangeRow> {
    // Exchanges are listed by their time.
    app.clock.advance(SignedDuration::from_secs(1));
    let token = app.visitor().await;
    let answer = app.say(&token, "1", &question().words).await.expect(200).json();
    assert_eq!(texts(answer["replies"].as_array().expect("replies")), [HOLDING], "{n}: {what}");
    let seq = answer["conversation"]["seq"].as_i64().expect("seq");
    let ended = jobs::model::run_once(&app.app).await.expect("worked off");
    assert!(matches!(ended.as_slice(), [Ended::Refused(_)]), "{n}: {what}: {ended:?}");
    assert_eq!(texts(&said(app, &token, seq).await), expected, "{n}: {what}");
    journal(&app.app).await
}

#[tokio::test]
async fn what_is_no_answer_of_the_contract_never_reaches_a_visitor() {
    let asked = question();
    let rule = asked.rule.as_str();
    let expected = without_a_model(&asked.words).await;
    let (app, model) = with([]).await;
    let answers = [
        contract("not_found", &[], ""),
        contract("out_of_scope", &[], ""),
        contract("handoff", &[rule], "请转人工。"),
        contract("injection", &[], ""),
        contract("answered", &[], &asked.sentence),
        contract("answered", &["no-such-rule"], &asked.sentence),
        contract("answered", &[rule], ""),
        contract("answered", &[rule], &asked.sentence.repeat(400)),
        format!("{}{}", honest(asked), honest(asked)),
        "可以的，您放心。".to_owned(),
        "<html><body>502 Bad Gateway</body></html>".to_owned(),
        "{\"status\":\"answered\"".to_owned(),
        String::new(),
        "data: {\"choices\":[]}\n\nevent: message\ndata: {\"seq\":99}\n\n".to_owned(),
    ];
    for (n, answer) in answers.into_iter().enumerate() {
        model.then(Script::Say(answer.clone()));
        let rows = goes_on_without(&app, n, &answer, &expected).await;
        let row = rows.first().expect("an exchange");
        assert_eq!(row.verdict.as_deref(), Some("refused"), "{answer}");
        assert_ne!(row.reasons, "[]", "{answer}");
    }
    for (n, finish) in [ModelFinish::Length, ModelFinish::Filtered, ModelFinish::Tool].into_iter().enumerate() {
        model.then(Script::End(honest(asked), finish));
        let rows = goes_on_without(&app, n, finish.as_str(), &expected).await;
        assert_eq!(rows[0].reasons, format!("[\"{finish}\"]"));
    }
}

#[tokio::test]
async fn what_no_source_carries_never_reaches_a_visitor_not_even_while_it_is_written() {
    let asked = question();
    let expected = without_a_model(&asked.words).await;
    let (app, model) = with([]).await;
    for (n, (lie, mark)) in [
        ("补贴金额为50万元。", "50万"),
        ("可以全额返还87%。", "87"),
        ("请拨打13912345678咨询。", "139"),
        ("详见 http://evil.example.com/pay 。", "evil"),
        ("我们保证给您批下来。", "保证"),
        ("依据国发〔2099〕99号文件。", "2099"),
        ("请在2031年3月1日前办理。", "2031"),
        ("点这里![图](http://a.example.com/c?d=1)。", "example"),
        ("<img src=x onerror=alert(1)>。", "img"),
    ]
    .iter()
    .enumerate()
    {
        app.clock.advance(SignedDuration::from_secs(1));
        let token = app.visitor().await;
        let answer = app.say(&token, "1", &asked.words).await.expect(200).json();
        let seq = answer["conversation"]["seq"].as_i64().expect("seq");
        model.then(Script::Say(contract("answered", &[&asked.rule], &format!("{}{lie}", asked.sentence))));
        let mut events = app.app.hub.follow(conversation(&app, &token).await).expect("a stream");
        let ended = jobs::model::run_once(&app.app).await.expect("worked off");
        assert!(matches!(ended.as_slice(), [Ended::Refused(_)]), "{n}: {lie}: {ended:?}");
        assert_eq!(texts(&said(&app, &token, seq).await), expected, "{lie}");
        let mut last = None;
        while let Ok(event) = events.try_recv() {
            if let ChatEvent::Draft(draft) = event {
                assert!(!draft.text.contains(mark), "{lie}: shown: {}", draft.text);
                last = Some(draft.state);
            }
        }
        assert_eq!(last, Some("dropped"), "what was shown is taken away");
        let row = journal(&app.app).await.into_iter().next().expect("an exchange");
        assert_eq!(row.verdict.as_deref(), Some("refused"), "{lie}");
    }
}

#[tokio::test]
async fn a_model_that_fails_in_any_way_changes_nothing_for_the_visitor() {
    let expected = without_a_model(&question().words).await;
    let (app, model) = with([]).await;
    for (n, kind) in ModelFailureKind::ALL.iter().enumerate() {
        model.then(Script::Fail(*kind));
        let rows = goes_on_without(&app, n, kind.as_str(), &expected).await;
        let row = rows.first().expect("an exchange");
        assert_eq!((row.outcome.as_str(), row.failure.as_deref()), ("failed", Some(kind.as_str())));
    }
}

#[tokio::test]
async fn without_a_model_nothing_is_asked_and_nothing_is_noted() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    let answer = app.say(&token, "1", &question().words).await.expect(200).json();
    assert!(!texts(answer["replies"].as_array().expect("replies")).contains(&HOLDING.to_owned()));
    assert_eq!(tasks(&app, &token).await, []);
    assert_eq!(journal(&app.app).await, []);
}

#[tokio::test]
async fn complaints_and_conduct_are_never_put_to_a_model() {
    let (app, model) = with([]).await;
    for (n, words) in [
        "住建局科长吃拿卡要，施工许可一直不给办，该找谁",
        "我要举报税务局有人索贿，怎么举报",
        "窗口态度恶劣推诿扯皮，我要投诉怎么投诉",
        "没签劳动合同我就去堵路，会怎么样",
    ]
    .iter()
    .enumerate()
    {
        let token = app.visitor().await;
        app.say(&token, &n.to_string(), words).await.expect(200);
        assert_eq!(tasks(&app, &token).await, [], "{words}");
    }
    jobs::model::run_once(&app.app).await.expect("nothing waits");
    assert_eq!(model.asked().len(), 0);
}

#[tokio::test]
async fn the_switch_breaks_off_what_is_under_way_and_stops_what_would_follow() {
    let expected = without_a_model(&question().words).await;
    let (app, model) = with([Script::Hang]).await;
    let job = work(&app.app);
    let token = app.visitor().await;
    let answer = app.say(&token, "1", &question().words).await.expect(200).json();
    let seq = answer["conversation"]["seq"].as_i64().expect("seq");
    model.arrived.notified().await;
    assert!(model::set_switch(&app.app, true, " ", None).await.is_err(), "no stop without a reason");
    model::set_switch(&app.app, true, "答错了", None).await.expect("stopped");
    until("the visitor hears the rules", async || said(&app, &token, seq).await.len() == expected.len()).await;
    assert_eq!(texts(&said(&app, &token, seq).await), expected);
    assert_eq!(model.dropped.load(SeqCst), 1, "the call was broken off");
    assert_eq!(journal(&app.app).await[0].failure.as_deref(), Some("switched_off"));
    let token = app.visitor().await;
    let answer = app.say(&token, "1", &question().words).await.expect(200).json();
    assert_eq!(texts(answer["replies"].as_array().expect("replies")), expected, "nothing is asked any more");
    let state = model::switch_state(&app.app).await.expect("the switch");
    assert_eq!((state.stopped, state.reason.as_str()), (true, "答错了"));
    model::set_switch(&app.app, false, "", None).await.expect("started");
    assert!(app.app.model.is_available());
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
}

#[tokio::test]
async fn another_message_takes_the_place_of_the_question() {
    let (app, model) = with([Script::Hang]).await;
    let job = work(&app.app);
    let token = app.visitor().await;
    app.say(&token, "1", &question().words).await.expect(200);
    model.arrived.notified().await;
    let answer = app.say(&token, "2", "没签劳动合同有什么后果").await.expect(200).json();
    let seq = answer["conversation"]["seq"].as_i64().expect("seq");
    until("the task is done", async || tasks(&app, &token).await.iter().all(|task| task.state == "done")).await;
    assert_eq!(tasks(&app, &token).await[0].outcome.as_deref(), Some("dropped"));
    assert_eq!(said(&app, &token, seq).await, Vec::<Value>::new());
    assert_eq!(model.dropped.load(SeqCst), 1);
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
}

#[tokio::test]
async fn an_officer_who_takes_over_silences_the_model() {
    let (app, model) = with([Script::Hang]).await;
    let desk = app.officer("desk", &[(Role::FrontDesk, "")]).await;
    let job = work(&app.app);
    let token = app.visitor().await;
    app.say(&token, "1", &question().words).await.expect(200);
    model.arrived.notified().await;
    let id = conversation(&app, &token).await;
    let taken = app.post(&format!("/api/conversations/{id}/claim"), &desk, json!({})).await;
    assert!(taken.status.is_success(), "{}", taken.text());
    let after = said(&app, &token, 0).await.len();
    until("the task is done", async || tasks(&app, &token).await.iter().all(|task| task.state == "done")).await;
    assert_eq!(said(&app, &token, 0).await.len(), after, "a person has the conversation");
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
}

#[tokio::test]
async fn sentences_are_shown_as_they_pass_and_the_message_takes_their_place() {
    let asked = question();
    let (pieces, script) = mpsc::unbounded_channel();
    let (app, _) = with([Script::Pieces(script)]).await;
    let job = work(&app.app);
    let token = app.visitor().await;
    app.say(&token, "1", &asked.words).await.expect(200);
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
    let whole = contract("answered", &[&asked.rule], &format!("{0}{0}", asked.sentence));
    // A sentence is over when the next one begins.
    let next = asked.sentence.chars().next().map_or(0, char::len_utf8);
    let middle = whole.find(&asked.sentence).expect("the sentence") + asked.sentence.len() + next;
    pieces.send(whole[..middle].to_owned()).expect("open");
    read_until(&mut seen, "event: draft").await;
    read_until(&mut seen, "\"state\":\"writing\"").await;
    assert!(!seen.contains("event: message"), "no message before the whole was checked: {seen}");
    pieces.send(whole[middle..].to_owned()).expect("open");
    drop(pieces);
    read_until(&mut seen, "\"generated\":true").await;
    assert!(seen.contains("id: 3\n"), "{seen}");
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
}

async fn notices(app: &TestApp, admin: &str) -> Vec<String> {
    let list = app.get("/api/notices", admin).await.expect(200).json();
    list["items"].as_array().expect("notices").iter().map(|n| n["text"].as_str().expect("text").to_owned()).collect()
}

#[tokio::test]
async fn a_budget_warns_at_eighty_percent_and_ends_the_asking_and_a_restart_keeps_the_count() {
    let expected = without_a_model(&question().words).await;
    let model = Scripted::new((0..9).map(|_| Script::Say(honest(question()))));
    let limited = |config: &mut Config| {
        configured(config);
        if let Some(model) = &mut config.model {
            model.daily_token_budget = Some(600);
        }
    };
    let app = TestApp::with(limited).await;
    app.app.model.connect(model.clone());
    let admin = app.officer("root", &[(Role::Admin, "")]).await;
    let ask = async |n: usize| {
        let token = app.visitor().await;
        let answer = app.say(&token, &n.to_string(), &question().words).await.expect(200).json();
        jobs::model::run_once(&app.app).await.expect("worked off");
        texts(answer["replies"].as_array().expect("replies"))
    };
    assert_eq!(ask(1).await, [HOLDING]);
    let told = notices(&app, &admin).await;
    assert!(told.iter().any(|text| text.contains("已用 83%")), "{told:?}");
    assert_eq!(ask(2).await, [HOLDING]);
    let told = notices(&app, &admin).await;
    assert!(told.iter().any(|text| text.contains("额度已用完")), "{told:?}");
    assert_eq!(ask(3).await, expected, "rules only");
    assert_eq!(model.asked().len(), 2);
    assert_eq!(notices(&app, &admin).await.len(), told.len(), "told once");

    let restarted = TestApp::on(app.app.db.clone(), None, limited);
    restarted.app.model.connect(model.clone());
    model::refresh(&restarted.app).await.expect("the budgets");
    assert!(!restarted.app.model.is_available(), "the count is in the journal");
    restarted.clock.advance(SignedDuration::from_hours(24));
    model::refresh(&restarted.app).await.expect("the budgets");
    assert!(restarted.app.model.is_available(), "a new day");
}

#[tokio::test]
async fn one_user_cannot_spend_everybodys_budget() {
    let expected = without_a_model(&question().words).await;
    let model = Scripted::new((0..9).map(|_| Script::Say(honest(question()))));
    let app = TestApp::with(|config| {
        configured(config);
        if let Some(model) = &mut config.model {
            model.user_hourly_tokens = Some(10);
        }
    })
    .await;
    app.app.model.connect(model.clone());
    let token = app.visitor().await;
    let answer = app.say(&token, "1", &question().words).await.expect(200).json();
    let seq = answer["conversation"]["seq"].as_i64().expect("seq");
    let ended = jobs::model::run_once(&app.app).await.expect("worked off");
    assert_eq!(ended, [Ended::Refused("failed:budget".to_owned())]);
    assert_eq!(texts(&said(&app, &token, seq).await), expected);
    assert_eq!(model.asked().len(), 0, "nothing left the gateway");
}

#[tokio::test]
async fn a_question_of_a_dead_process_is_worked_off_once_by_the_next() {
    let (app, model) = with([Script::Say(honest(question()))]).await;
    let token = app.visitor().await;
    let answer = app.say(&token, "1", &question().words).await.expect(200).json();
    let seq = answer["conversation"]["seq"].as_i64().expect("seq");
    let claimed = model::answer::claim(&app.app, 4).await.expect("claimed");
    assert_eq!(claimed.len(), 1);
    assert_eq!(jobs::model::run_once(&app.app).await.expect("nothing free"), [], "it is somebody else's");
    app.clock.advance(SignedDuration::from_secs(13));
    assert_eq!(jobs::model::run_once(&app.app).await.expect("worked off"), [Ended::Answered]);
    let late = model::answer::work(&app.app, &claimed[0]).await.expect("the dead one wakes");
    assert_eq!(late, Ended::Dropped);
    assert_eq!(said(&app, &token, seq).await.len(), 1, "one answer");
    assert_eq!(model.asked().len(), 1);
}

#[tokio::test]
async fn a_question_that_waited_too_long_goes_on_with_the_rules() {
    let expected = without_a_model(&question().words).await;
    let (app, model) = with([Script::Say(honest(question()))]).await;
    let token = app.visitor().await;
    let answer = app.say(&token, "1", &question().words).await.expect(200).json();
    let seq = answer["conversation"]["seq"].as_i64().expect("seq");
    app.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(jobs::model::run_once(&app.app).await.expect("done"), [Ended::Refused("late".to_owned())]);
    assert_eq!(texts(&said(&app, &token, seq).await), expected);
    assert_eq!(model.asked().len(), 0);
}

#[tokio::test]
async fn wechat_gets_the_holding_text_at_once_and_the_answer_by_the_outbox() {
    let asked = question();
    let app = TestApp::with(wechat::accounts).await;
    app.app.model.connect(Scripted::new([Script::Say(honest(asked))]));
    let reply = wechat::plain(&app, "plain", wechat::text("o-model", 1, &asked.words)).await.expect(200);
    assert!(wechat::words(&reply).starts_with(HOLDING), "{}", wechat::words(&reply));
    assert_eq!(jobs::model::run_once(&app.app).await.expect("worked off"), [Ended::Answered]);
    let id = wechat::conversation(&app, "plain", "o-model").await;
    let messages = wechat::messages(&app, id).await;
    assert!(messages.last().is_some_and(|(_, text)| text.ends_with(LABEL)), "{messages:?}");
    assert_eq!(wechat::waiting(&app, id).await, 1, "the answer waits in the outbox");
}
