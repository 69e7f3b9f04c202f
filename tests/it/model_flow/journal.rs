//! What the journal says of questions that nobody waited for, of calls whose process died and of the switch; its term;
//! and the word of patience while a model is silent.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use tokio::sync::mpsc;
use uuid::Uuid;
use zhitong::{
    app::{App, events::ChatEvent, model},
    config::ModelConfig,
    domain::{access::Role, ids::OfficerId},
    jobs::{self, retention},
    store::{
        self,
        model::{ExchangeRow, NewExchange},
    },
};

use super::{HOLDING, LABEL, conversation, honest, journal, question, said, tasks, texts, until, with, work};
use crate::support::{
    TestApp,
    model::{Script, Scripted},
};

/// Begins an exchange as a process does that then dies.
async fn begin(app: &App, id: &str) {
    let new = NewExchange {
        id,
        task: "answer",
        prompt_id: "answer",
        prompt_version: "1",
        content_hash: "h",
        request: "[]",
        prompt_tokens: 700,
        completion_tokens: 300,
        cost_micro_yuan: 0,
        conversation: None,
        case: None,
        officer: None,
        evaluation: false,
    };
    let mut tx = app.db.write().await.expect("a writer");
    store::model::begin(&mut tx, &new, app.now()).await.expect("begun");
    tx.commit().await.expect("committed");
}

async fn exchange(app: &App, id: &str) -> Option<ExchangeRow> {
    let mut tx = app.db.read().await.expect("a reader");
    store::model::find(&mut tx, id).await.expect("read")
}

#[tokio::test]
async fn the_journal_says_of_a_superseded_question_that_it_was_dropped() {
    let (app, model) = with([Script::Hang]).await;
    let admin = app.officer("root", &[(Role::Admin, "")]).await;
    let job = work(&app.app);
    let token = app.visitor().await;
    app.say(&token, "1", &question().words).await.expect(200);
    model.arrived.notified().await;
    app.say(&token, "2", "没签劳动合同有什么后果").await.expect(200);
    until("the task is done", async || tasks(&app, &token).await.iter().all(|task| task.state == "done")).await;
    let row = journal(&app.app).await.remove(0);
    assert_eq!((row.outcome.as_str(), row.verdict.as_deref()), ("failed", Some("dropped")));
    let console = app.get("/api/admin/model", &admin).await.expect(200).json();
    let line = &console["tasks"][0];
    assert_eq!((&line["dropped"], &line["failed"]), (&json!(1), &json!(0)), "no fault of the endpoint: {console}");
    assert_eq!(console["failures"], json!([]));
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
}

#[tokio::test]
async fn an_answer_that_came_after_a_person_took_over_is_journaled_as_dropped() {
    let (pieces, script) = mpsc::unbounded_channel();
    let (app, model) = with([Script::Pieces(script)]).await;
    let desk = app.officer("desk", &[(Role::FrontDesk, "")]).await;
    let job = work(&app.app);
    let token = app.visitor().await;
    app.say(&token, "1", &question().words).await.expect(200);
    model.arrived.notified().await;
    let id = conversation(&app, &token).await;
    let taken = app.post(&format!("/api/conversations/{id}/claim"), &desk, json!({})).await;
    assert!(taken.status.is_success(), "{}", taken.text());
    let _ = pieces.send(honest(question()));
    drop(pieces);
    until("the task is done", async || tasks(&app, &token).await.iter().all(|task| task.state == "done")).await;
    assert_eq!(tasks(&app, &token).await[0].outcome.as_deref(), Some("dropped"));
    assert_eq!(journal(&app.app).await[0].verdict.as_deref(), Some("dropped"));
    assert!(!texts(&said(&app, &token, 0).await).iter().any(|text| text.contains(LABEL)), "nobody heard it");
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
}

#[tokio::test]
async fn a_visitor_whose_model_is_silent_is_asked_for_patience() {
    let (pieces, script) = mpsc::unbounded_channel();
    let app = TestApp::with(|config| {
        config.model = Some(ModelConfig { first_content_ms: 1, ..ModelConfig::default() });
    })
    .await;
    let model = Scripted::new([Script::Pieces(script)]);
    app.app.model.connect(model.clone());
    let token = app.visitor().await;
    let answer = app.say(&token, "1", &question().words).await.expect(200).json();
    assert_eq!(texts(answer["replies"].as_array().expect("replies")), [HOLDING]);
    let seq = answer["conversation"]["seq"].as_i64().expect("seq");
    let mut events = app.app.hub.follow(conversation(&app, &token).await).expect("a stream");
    let job = work(&app.app);
    let draft = loop {
        let event = tokio::time::timeout(Duration::from_secs(30), events.recv()).await.expect("in time").expect("open");
        if let ChatEvent::Draft(draft) = event {
            break draft;
        }
    };
    assert_eq!((draft.state, draft.text.as_str()), ("waiting", "仍在查阅政策依据，请再稍候……"));
    assert_eq!(said(&app, &token, seq).await.len(), 0, "it is shown, not stored");
    pieces.send(honest(question())).expect("open");
    drop(pieces);
    until("the answer is there", async || said(&app, &token, seq).await.len() == 1).await;
    assert!(texts(&said(&app, &token, seq).await)[0].ends_with(LABEL));
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
}

async fn abandoned_calls_are_closed_on(app: TestApp) {
    begin(&app.app, "old").await;
    app.clock.advance(SignedDuration::from_mins(14));
    begin(&app.app, "young").await;
    assert_eq!(model::end_abandoned(&app.app).await.expect("looked"), 0, "a call may last so long");
    app.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(model::end_abandoned(&app.app).await.expect("closed"), 1);
    assert_eq!(model::end_abandoned(&app.app).await.expect("looked"), 0);
    let row = exchange(&app.app, "old").await.expect("a row");
    assert_eq!((row.outcome.as_str(), row.failure.as_deref()), ("failed", Some("unavailable")));
    assert_eq!(row.prompt_tokens + row.completion_tokens, 1_000, "what it may have cost stands");
    assert_eq!(exchange(&app.app, "young").await.expect("a row").outcome, "running");
    assert_eq!(model::usage(&app.app).await.expect("usage").0[0].used, 2_000);
}

#[tokio::test]
async fn a_call_whose_process_died_does_not_run_for_ever() {
    abandoned_calls_are_closed_on(TestApp::start().await).await;
}

#[tokio::test]
async fn a_call_whose_process_died_does_not_run_for_ever_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        abandoned_calls_are_closed_on(app).await;
    }
}

#[tokio::test]
async fn the_switch_of_another_gateway_breaks_a_running_call_off() {
    let Some(here) = TestApp::on_postgres().await else { return };
    let elsewhere = TestApp::on(here.app.db.clone(), None, |_| {});
    let model = Scripted::new([Script::Hang]);
    here.app.model.connect(model.clone());
    let job = work(&here.app);
    let token = here.visitor().await;
    here.say(&token, "1", &question().words).await.expect(200);
    model.arrived.notified().await;
    let admin = elsewhere.officer("root", &[(Role::Admin, "")]).await;
    let stop = json!({ "stopped": true, "reason": "停" });
    elsewhere.post("/api/admin/model/switch", &admin, stop).await.expect(200);
    until("it is broken off", async || journal(&here.app).await[0].outcome == "failed").await;
    assert_eq!(journal(&here.app).await[0].failure.as_deref(), Some("switched_off"));
    until("the visitor hears the rules", async || tasks(&here, &token).await.iter().all(|t| t.state == "done")).await;
    here.app.shutdown.cancel();
    job.await.expect("the job ends");
}

#[tokio::test]
async fn a_call_whose_asker_went_away_is_ended_at_once() {
    let (app, model) = with([Script::Hang]).await;
    let token = app.visitor().await;
    app.say(&token, "1", &question().words).await.expect(200);
    let asking = tokio::spawn({
        let app = app.app.clone();
        async move { jobs::model::run_once(&app).await.map(|_| ()) }
    });
    model.arrived.notified().await;
    asking.abort();
    until("it is ended", async || journal(&app.app).await[0].outcome == "failed").await;
    let row = journal(&app.app).await.remove(0);
    assert_eq!((row.verdict.as_deref(), row.estimated), (Some("dropped"), true), "{row:?}");
}

#[tokio::test]
async fn the_job_closes_calls_of_a_dead_process_when_it_starts() {
    let (app, _) = with([]).await;
    begin(&app.app, "old").await;
    app.clock.advance(SignedDuration::from_hours(1));
    let job = work(&app.app);
    until("it is closed", async || exchange(&app.app, "old").await.is_some_and(|row| row.outcome == "failed")).await;
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
}

async fn the_switch_and_its_note_are_one_on(app: TestApp) {
    let nobody = OfficerId::from_uuid(Uuid::from_u128(7));
    assert!(model::set_switch(&app.app, true, "停", Some(nobody)).await.is_err(), "the note cannot be written");
    let mut tx = app.app.db.read().await.expect("a reader");
    assert!(!store::model::switch(&mut tx).await.expect("read").expect("a row").stopped, "so the switch is not set");
    drop(tx);
    let admin = app.officer("root", &[(Role::Admin, "")]).await;
    app.post("/api/admin/model/switch", &admin, json!({ "stopped": true, "reason": "停" })).await.expect(200);
    let mut tx = app.app.db.read().await.expect("a reader");
    let log = store::suggestions::switch_log(&mut tx, 5).await.expect("read");
    assert_eq!(log.iter().map(|line| (line.stopped, line.reason.as_str())).collect::<Vec<_>>(), [(true, "停")]);
}

#[tokio::test]
async fn the_switch_is_not_set_without_its_note() {
    the_switch_and_its_note_are_one_on(TestApp::start().await).await;
}

#[tokio::test]
async fn the_switch_is_not_set_without_its_note_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        the_switch_and_its_note_are_one_on(app).await;
    }
}

async fn model_rows_go_after_their_term_on(app: TestApp) {
    let model = Scripted::new([Script::Say(honest(question()))]);
    app.app.model.connect(model.clone());
    let token = app.visitor().await;
    app.say(&token, "1", &question().words).await.expect(200);
    jobs::model::run_once(&app.app).await.expect("worked off");
    begin(&app.app, "alone").await;
    assert_eq!((journal(&app.app).await.len(), tasks(&app, &token).await.len()), (2, 1));

    app.clock.advance(SignedDuration::from_hours(24 * 8));
    retention::run_once(&app.app).await.expect("a run");
    assert_eq!(tasks(&app, &token).await, [], "the question waits for nobody after a week");
    assert_eq!(journal(&app.app).await.len(), 2);
    app.clock.advance(SignedDuration::from_hours(24 * 22));
    begin(&app.app, "new").await;
    assert_eq!(journal(&app.app).await.len(), 3, "thirty days are not over");
    app.clock.advance(SignedDuration::from_hours(1));
    retention::run_once(&app.app).await.expect("a run");
    let left: Vec<String> = journal(&app.app).await.into_iter().map(|row| row.id).collect();
    assert_eq!(left, ["new"]);
    assert!(!said(&app, &token, 0).await.is_empty(), "the conversation has a term of its own");
}

async fn the_journal_outlives_the_talk_on(app: TestApp) {
    let model = Scripted::new([Script::Say(honest(question()))]);
    app.app.model.connect(model.clone());
    let token = app.visitor().await;
    app.say(&token, "1", &question().words).await.expect(200);
    jobs::model::run_once(&app.app).await.expect("worked off");
    app.clock.advance(SignedDuration::from_hours(24 * 4));
    jobs::conversations::run_once(&app.app).await.expect("a run");
    app.clock.advance(SignedDuration::from_hours(24 * 91));
    assert_eq!(retention::run_once(&app.app).await.expect("a run").conversations, 1, "the talk goes");
    let journaled = journal(&app.app).await;
    assert_eq!(journaled.len(), 1, "six months are not over");
    assert_eq!(journaled[0].conversation_id, None, "it leads to nobody any more");
    app.clock.advance(SignedDuration::from_hours(24 * 89));
    retention::run_once(&app.app).await.expect("a run");
    assert_eq!(journal(&app.app).await.len(), 1, "184 days are the longest six months");
    app.clock.advance(SignedDuration::from_hours(24));
    retention::run_once(&app.app).await.expect("a run");
    assert_eq!(journal(&app.app).await.len(), 0);
}

#[tokio::test]
async fn the_journal_of_the_model_outlives_the_talk_it_was_for() {
    the_journal_outlives_the_talk_on(TestApp::start().await).await;
}

#[tokio::test]
async fn the_journal_of_the_model_outlives_the_talk_it_was_for_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        the_journal_outlives_the_talk_on(app).await;
    }
}

fn thirty_days(config: &mut zhitong::config::Config) {
    config.model = Some(ModelConfig { retention_days: 30, ..ModelConfig::default() });
}

#[tokio::test]
async fn rows_of_the_model_go_after_the_configured_term() {
    model_rows_go_after_their_term_on(TestApp::with(thirty_days).await).await;
}

#[tokio::test]
async fn rows_of_the_model_go_after_the_configured_term_on_postgres() {
    if let Some(app) = TestApp::on_postgres_with(thirty_days).await {
        model_rows_go_after_their_term_on(app).await;
    }
}
