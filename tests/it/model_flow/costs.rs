//! What questions cost: every budget by itself, also for those that came to nothing, and per person.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use serde_json::json;
use sha2::Sha256;
use tokio::sync::mpsc;
use zhitong::{
    app::{App, model},
    config::{Config, ModelConfig},
    jobs,
    ports::model::ModelFailureKind,
    store::{self, model::NewExchange},
};

use super::{honest, journal, question, tasks, until, work};
use crate::support::{
    TestApp,
    model::{Script, Scripted},
};

/// Yuan of a million tokens, so dear that every token is seen.
const PRICE: f64 = 1_000.0;

fn priced(change: impl FnOnce(&mut ModelConfig)) -> impl FnOnce(&mut Config) {
    move |config| {
        let mut model = ModelConfig { price_prompt: PRICE, price_completion: PRICE, ..ModelConfig::default() };
        change(&mut model);
        config.model = Some(model);
    }
}

/// Puts one question and works it off.
async fn ask(app: &TestApp) {
    let token = app.visitor().await;
    app.say(&token, "1", &question().words).await.expect(200);
    jobs::model::run_once(&app.app).await.expect("worked off");
}

async fn renewed(app: &App) -> bool {
    model::refresh(app).await.expect("looked at");
    app.model.is_available()
}

#[tokio::test]
async fn each_budget_stops_the_model_and_is_renewed_with_its_day_or_month() {
    type Set = fn(&mut ModelConfig);
    // One answer is 500 tokens and a thousandth of a yuan.
    let budgets: [(&str, Set, bool); 4] = [
        ("tokens of the day", |model| model.daily_token_budget = Some(900), true),
        ("yuan of the day", |model| model.daily_yuan_budget = Some(0.0015), true),
        ("tokens of the month", |model| model.monthly_token_budget = Some(900), false),
        ("yuan of the month", |model| model.monthly_yuan_budget = Some(0.0015), false),
    ];
    for (what, set, by_the_day) in budgets {
        let app = TestApp::with(priced(set)).await;
        let model = Scripted::new((0..4).map(|_| Script::Say(honest(question()))));
        app.app.model.connect(model.clone());
        for _ in 0..2 {
            assert!(app.app.model.is_available(), "{what}");
            ask(&app).await;
        }
        assert!(!app.app.model.is_available(), "{what}: spent");
        ask(&app).await;
        assert_eq!(model.asked().len(), 2, "{what}");
        app.clock.advance(SignedDuration::from_hours(24));
        assert_eq!(renewed(&app.app).await, by_the_day, "{what}: the next day");
        app.clock.set("2026-12-01T00:00:01+08:00".parse().expect("an instant"));
        assert!(renewed(&app.app).await, "{what}: the next month");
        ask(&app).await;
        assert_eq!(model.asked().len(), 3, "{what}");
    }
}

#[tokio::test]
async fn the_month_is_summed_also_where_no_budget_is_for_it() {
    let app = TestApp::with(priced(|_| ())).await;
    app.app.model.connect(Scripted::new([Script::Say(honest(question())), Script::Say(honest(question()))]));
    ask(&app).await;
    app.clock.advance(SignedDuration::from_hours(24));
    ask(&app).await;
    let usage = model::usage(&app.app).await.expect("usage");
    assert_eq!(usage.0.map(|limit| limit.used), [500, 1_000, 1_000, 2_000]);
    let admin = app.officer("admin", &[(zhitong::domain::access::Role::Admin, "")]).await;
    let console = app.get("/api/admin/model", &admin).await.expect(200).json();
    let budgets = console["budgets"].as_array().expect("budgets").iter();
    let used: Vec<String> = budgets.map(|budget| budget["used"].to_string()).collect();
    assert_eq!(used, ["500.0", "0.001", "1000.0", "0.002"], "{console}");
}

#[tokio::test]
async fn a_call_that_came_to_nothing_costs_what_it_may_have_cost() {
    let app = TestApp::with(priced(|model| model.daily_yuan_budget = Some(0.01))).await;
    let model = Scripted::new([Script::Fail(ModelFailureKind::Timeout), Script::Say(honest(question()))]);
    app.app.model.connect(model.clone());
    ask(&app).await;
    let row = journal(&app.app).await.remove(0);
    assert!(row.prompt_tokens > 100 && row.cost_micro_yuan == row.prompt_tokens * 1_000, "{row:?}");
    assert!(!app.app.model.is_available(), "that was the budget of the day");
    ask(&app).await;
    assert_eq!(model.asked().len(), 1);
}

#[tokio::test]
async fn what_a_question_brought_before_it_was_broken_off_is_counted() {
    let (pieces, script) = mpsc::unbounded_channel();
    let app = TestApp::with(priced(|_| ())).await;
    let model = Scripted::new([Script::Pieces(script), Script::Hang]);
    app.app.model.connect(model.clone());
    let job = work(&app.app);
    let token = app.visitor().await;
    app.say(&token, "1", &question().words).await.expect(200);
    model.arrived.notified().await;
    pieces.send("一共十二个字的半句话。。".to_owned()).expect("open");
    until("it was read", async || journal(&app.app).await[0].cost_micro_yuan > 0).await;
    tokio::task::yield_now().await;
    app.say(&token, "2", "没签劳动合同有什么后果").await.expect(200);
    until("it is broken off", async || model.dropped.load(SeqCst) > 0).await;
    until("it is journaled", async || tasks(&app, &token).await.iter().any(|task| task.state == "done")).await;
    let row = journal(&app.app).await.into_iter().find(|row| row.verdict.as_deref() == Some("dropped"));
    let row = row.expect("an exchange that nobody waited for");
    assert_eq!((row.completion_tokens, row.cost_micro_yuan), (12, (row.prompt_tokens + 12) * 1_000), "{row:?}");
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
}

#[tokio::test]
async fn a_running_call_counts_with_what_it_may_cost_at_most() {
    let app = TestApp::with(priced(|_| ())).await;
    let model = Scripted::new([Script::Hang]);
    app.app.model.connect(model.clone());
    let job = work(&app.app);
    let token = app.visitor().await;
    app.say(&token, "1", &question().words).await.expect(200);
    model.arrived.notified().await;
    let row = journal(&app.app).await.remove(0);
    assert_eq!(row.outcome, "running");
    assert_eq!(row.cost_micro_yuan, (row.prompt_tokens + row.completion_tokens) * 1_000, "{row:?}");
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
}

async fn one_person_has_one_budget_on(app: TestApp) {
    let model = Scripted::new((0..3).map(|_| Script::Say(honest(question()))));
    app.app.model.connect(model.clone());
    let session = async |user: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").expect("a key");
        mac.update(user.as_bytes());
        let hmac = hex::encode(mac.finalize().into_bytes());
        let body = json!({ "identity": { "user_id": user, "hmac": hmac } });
        let started = app.call("POST", "/api/chat/sessions", None, Some(body)).await.expect(201).json();
        started["token"].as_str().expect("a token").to_owned()
    };
    for (user, asked) in [("u-1", 1), ("u-1", 1), ("u-2", 2)] {
        let token = session(user).await;
        app.say(&token, "1", &question().words).await.expect(200);
        jobs::model::run_once(&app.app).await.expect("worked off");
        assert_eq!(model.asked().len(), asked, "{user}");
        // Whatever a question may cost, the first of an hour takes it all.
        let id = super::conversation(&app, &token).await.to_string();
        let new = NewExchange {
            id: &format!("{user}-{asked}"),
            task: "answer",
            prompt_id: "answer",
            prompt_version: "1",
            content_hash: "h",
            request: "[]",
            prompt_tokens: 90_000,
            completion_tokens: 0,
            cost_micro_yuan: 0,
            conversation: Some(&id),
            case: None,
            officer: None,
            evaluation: false,
        };
        let mut tx = app.app.db.write().await.expect("a writer");
        // The second session of the same person repeats the id.
        match store::model::begin(&mut tx, &new, app.app.now()).await {
            Ok(()) => tx.commit().await.expect("committed"),
            Err(_) => tx.rollback().await.expect("rolled back"),
        }
    }
}

fn hourly(config: &mut Config) {
    config.chat.identity_secret = "secret".to_owned().into();
    config.model = Some(ModelConfig { user_hourly_tokens: Some(90_000), ..ModelConfig::default() });
}

#[tokio::test]
async fn a_new_session_of_the_same_person_has_no_new_budget() {
    one_person_has_one_budget_on(TestApp::with(hourly).await).await;
}

#[tokio::test]
async fn a_new_session_of_the_same_person_has_no_new_budget_on_postgres() {
    if let Some(app) = TestApp::on_postgres_with(hourly).await {
        one_person_has_one_budget_on(app).await;
    }
}

#[tokio::test]
async fn the_chat_stays_fast_beside_questions_that_hang() {
    let app = TestApp::with(priced(|_| ())).await;
    let model = Scripted::new((0..32).map(|_| Script::Hang));
    app.app.model.connect(model.clone());
    let job = work(&app.app);
    for n in 0..24 {
        let token = app.visitor().await;
        app.say(&token, &n.to_string(), &question().words).await.expect(200);
    }
    until("as many as may hang do", async || model.asked().len() == 16).await;
    let token = app.visitor().await;
    let mut took: Vec<Duration> = Vec::new();
    for n in 0..10 {
        let began = std::time::Instant::now();
        app.say(&token, &n.to_string(), "你好").await.expect(200);
        took.push(began.elapsed());
    }
    took.sort();
    assert!(took[took.len() / 2] < Duration::from_millis(500), "{took:?}");
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
}
