//! One question to the model: switch, budgets, journal, call, journal.
//!
//! The journal row is written before the question leaves, with what it may cost at most. No transaction is open while
//! the model thinks.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{super::App, budget, switch};
use crate::{
    app::AppError,
    config::{ModelConfig, ModelEndpoint},
    ports::model::{ModelFailure, ModelFailureKind, ModelReply, ModelRequest, ModelUsage},
    store::model::{self, EndedExchange, NewExchange, Spender},
};

/// However a client behaves, nobody waits longer than its own limit and this much.
const GRACE: Duration = Duration::from_secs(2);
/// The limit of a client that names none.
const LONGEST_MS: u64 = 30_000;
/// No call of any gateway lasts as long as this: the longest time limit that can be configured, and a margin.
const ABANDONED: SignedDuration = SignedDuration::from_mins(15);
/// How often a running call looks whether another gateway set the switch.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A question, ready to leave: personal data are replaced in every line.
pub struct Ask<'a> {
    /// The question.
    pub request: &'a ModelRequest,
    /// The prompt file it was made from.
    pub prompt_id: &'a str,
    /// Its version.
    pub prompt_version: &'a str,
    /// Hash of the content in force.
    pub content_hash: &'a str,
    /// Id of the conversation it is for.
    pub conversation: Option<&'a str>,
    /// Id of the case it is for.
    pub case: Option<&'a str>,
    /// Id of the officer it is for; without one the visitor of the conversation is who asks.
    pub officer: Option<&'a str>,
    /// It is of a labelled set: it costs like any other and is counted apart.
    pub evaluation: bool,
    /// Breaks the call off: nobody waits for it any more.
    pub broken_off: Option<&'a CancellationToken>,
}

/// An answer with its row in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Id of the exchange.
    pub exchange: String,
    /// The answer, placeholders still in it.
    pub reply: ModelReply,
}

pub(super) fn failure(kind: ModelFailureKind, detail: impl Into<String>) -> ModelFailure {
    ModelFailure {
        kind,
        endpoint: String::new(),
        detail: detail.into(),
        usage: ModelUsage::default(),
        cost_micro_yuan: 0,
    }
}

fn not_stored(error: &AppError) -> ModelFailure {
    tracing::error!(error = error as &dyn std::error::Error, "the journal of the model cannot be written");
    failure(ModelFailureKind::Unavailable, "the journal cannot be written")
}

/// Asks the model. `hide` replaces personal data in what is journaled of the answer; `on_text` gets the pieces of a
/// streamed answer.
///
/// # Errors
/// Why there is no answer; the journal has it too, except for what was refused before a question could leave.
pub async fn ask(
    app: &App,
    ask: &Ask<'_>,
    hide: &mut (dyn FnMut(&str) -> String + Send),
    on_text: &mut (dyn FnMut(&str) + Send),
) -> Result<Asked, ModelFailure> {
    let Some(client) = app.model.client().cloned() else {
        return Err(failure(ModelFailureKind::Unconfigured, ""));
    };
    let now = app.now();
    let id = begin(app, ask, now).await?;
    let mut left = Left { app, ask, id: Some(id.clone()) };
    let limit = app.config.model.as_ref().map_or(LONGEST_MS, |model| model.timeout_ms);
    let started = std::time::Instant::now();
    let mut dropped = false;
    let mut written = 0_u64;
    let mut counting = |piece: &str| {
        written = written.saturating_add(piece.chars().count() as u64);
        on_text(piece);
    };
    let answer = tokio::select! {
        biased;
        () = stopped(app) => Err(failure(ModelFailureKind::Switched, "stopped while it answered")),
        () = broken_off(ask.broken_off) => {
            dropped = true;
            Err(failure(ModelFailureKind::Unavailable, "broken off: nobody waits for it any more"))
        }
        () = app.shutdown.cancelled() => Err(failure(ModelFailureKind::Unavailable, "the gateway stops")),
        () = tokio::time::sleep(Duration::from_millis(limit) + GRACE) => {
            Err(failure(ModelFailureKind::Timeout, "the client kept no limit"))
        }
        answer = client.ask(ask.request, &mut counting) => answer,
    };
    let took = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    left.id = None;
    end(app, ask, &id, &answer, Spent { took, written, dropped }, hide).await?;
    if let Err(error) = budget::refresh(app).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the budgets of the model could not be looked at");
    }
    match answer {
        Ok(reply) => Ok(Asked { exchange: id, reply }),
        Err(failed) => {
            tracing::warn!(
                model.exchange = %id, model.endpoint = %failed.endpoint, model.failure = %failed.kind,
                detail = %failed.detail, "the model gave no answer"
            );
            Err(failed)
        }
    }
}

/// A call whose asker may go away: an officer who closes the page drops the request, and the row would run on.
struct Left<'a> {
    app: &'a App,
    ask: &'a Ask<'a>,
    /// The exchange; nothing once it has ended.
    id: Option<String>,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let usage = most(self.ask);
        let (app, cost_micro_yuan) = (self.app.clone(), dearest(self.app, usage));
        runtime.spawn(async move {
            let ended = EndedExchange {
                id: &id,
                endpoint: "",
                model: "",
                reply: None,
                failure: Some(ModelFailureKind::Unavailable.as_str()),
                detail: Some("whoever asked went away"),
                prompt_tokens: i64::try_from(usage.prompt).unwrap_or(i64::MAX),
                completion_tokens: i64::try_from(usage.completion).unwrap_or(i64::MAX),
                estimated: true,
                cost_micro_yuan,
                first_ms: None,
                total_ms: None,
            };
            let stored = async {
                let mut tx = app.db.write().await?;
                model::end(&mut tx, &ended).await?;
                model::judge(&mut tx, &id, "dropped", "[]").await?;
                tx.commit().await?;
                Ok::<_, AppError>(())
            };
            if let Err(error) = stored.await {
                tracing::warn!(error = &error as &dyn std::error::Error, "an exchange whose asker left was not ended");
            }
        });
    }
}

/// What a question may cost at most.
fn most(ask: &Ask<'_>) -> ModelUsage {
    ModelUsage {
        prompt: ask.request.lines.iter().map(|line| line.text.chars().count() as u64).sum(),
        completion: u64::from(ask.request.max_tokens),
        estimated: true,
    }
}

/// What a call took, as seen from here.
#[derive(Debug, Clone, Copy)]
struct Spent {
    /// Milliseconds.
    took: i64,
    /// Characters of the answer that arrived.
    written: u64,
    /// Nobody waited for it any more.
    dropped: bool,
}

/// What tokens cost at most, millionths of a yuan: at the prices of the dearest endpoint.
fn dearest(app: &App, usage: ModelUsage) -> i64 {
    let endpoints = app.config.model.as_ref().map(ModelConfig::endpoints).unwrap_or_default();
    let cost = |endpoint: &ModelEndpoint| {
        usage.prompt as f64 * endpoint.price_prompt + usage.completion as f64 * endpoint.price_completion
    };
    budget::rounded(endpoints.iter().map(cost).fold(0.0, f64::max).ceil())
}

/// Checks switch and budgets and writes the row.
async fn begin(app: &App, ask: &Ask<'_>, now: Timestamp) -> Result<String, ModelFailure> {
    let state = switch::switch_state(app).await.map_err(|error| not_stored(&error))?;
    if state.stopped {
        return Err(failure(ModelFailureKind::Switched, state.reason));
    }
    let id = app.ids.uuid(now).to_string();
    let most = most(ask);
    let prompt_tokens = i64::try_from(most.prompt).unwrap_or(i64::MAX);
    let completion_tokens = i64::try_from(most.completion).unwrap_or(i64::MAX);
    let lines: Vec<_> = ask
        .request
        .lines
        .iter()
        .map(|line| serde_json::json!({ "role": line.role.as_str(), "text": line.text }))
        .collect();
    let request = serde_json::Value::from(lines).to_string();
    let new = NewExchange {
        id: &id,
        task: ask.request.task.as_str(),
        prompt_id: ask.prompt_id,
        prompt_version: ask.prompt_version,
        content_hash: ask.content_hash,
        request: &request,
        prompt_tokens,
        completion_tokens,
        cost_micro_yuan: dearest(app, most),
        conversation: ask.conversation,
        case: ask.case,
        officer: ask.officer,
        evaluation: ask.evaluation,
    };
    let who = match (ask.officer, ask.conversation) {
        (Some(officer), _) => Some(Spender::Officer(officer)),
        (None, Some(conversation)) => Some(Spender::Conversation(conversation)),
        (None, None) => None,
    };
    let stored = async {
        let mut tx = app.db.write().await?;
        let next = prompt_tokens.saturating_add(completion_tokens);
        if let Err(which) = budget::allows(&mut tx, app, who, next, now).await? {
            tx.rollback().await?;
            return Ok::<_, AppError>(Err(failure(ModelFailureKind::Budget, which)));
        }
        model::begin(&mut tx, &new, now).await?;
        tx.commit().await?;
        Ok(Ok(()))
    };
    stored.await.map_err(|error| not_stored(&error))??;
    Ok(id)
}

async fn broken_off(token: Option<&CancellationToken>) {
    match token {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}

/// Until the switch is set, by this gateway or another one.
async fn stopped(app: &App) {
    let mut switch = app.model.stopped.subscribe();
    loop {
        if *switch.borrow_and_update() {
            return;
        }
        tokio::select! {
            changed = switch.changed() => if changed.is_err() {
                std::future::pending::<()>().await;
            },
            // Another gateway may have set it: with a database of its own, nobody else can.
            () = tokio::time::sleep(LOOK_EVERY), if app.db.file().is_none() => {
                if let Err(error) = switch::switch_state(app).await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "the switch could not be read");
                }
            },
        }
    }
}

async fn end(
    app: &App,
    ask: &Ask<'_>,
    id: &str,
    answer: &Result<ModelReply, ModelFailure>,
    spent: Spent,
    hide: &mut (dyn FnMut(&str) -> String + Send),
) -> Result<(), ModelFailure> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let hidden = answer.as_ref().ok().map(|reply| hide(&reply.text));
    let (endpoint, model_name) = match answer {
        Ok(reply) => (reply.endpoint.as_str(), reply.model.as_str()),
        Err(failed) => (failed.endpoint.as_str(), ""),
    };
    // A question that was broken off has cost itself and what came of its answer; the endpoint tells nothing any more.
    let (usage, cost_micro_yuan) = match answer {
        Ok(reply) => (reply.usage, number(reply.cost_micro_yuan)),
        Err(failed) if failed.usage == ModelUsage::default() && may_have_cost(failed.kind) => {
            let usage = ModelUsage {
                prompt: ask.request.lines.iter().map(|line| line.text.chars().count() as u64).sum(),
                completion: spent.written,
                estimated: true,
            };
            (usage, dearest(app, usage))
        }
        Err(failed) => (failed.usage, number(failed.cost_micro_yuan)),
    };
    let detail = answer.as_ref().err().map(|failed| hide(&failed.detail).chars().take(300).collect::<String>());
    let ended = EndedExchange {
        id,
        endpoint,
        model: model_name,
        reply: hidden.as_deref(),
        failure: answer.as_ref().err().map(|failed| failed.kind.as_str()),
        detail: detail.as_deref(),
        prompt_tokens: number(usage.prompt),
        completion_tokens: number(usage.completion),
        estimated: usage.estimated,
        cost_micro_yuan,
        first_ms: answer.as_ref().ok().map(|reply| number(reply.first_ms)),
        total_ms: Some(answer.as_ref().map_or(spent.took, |reply| number(reply.total_ms))),
    };
    let stored = async {
        let mut tx = app.db.write().await?;
        model::end(&mut tx, &ended).await?;
        if spent.dropped {
            model::judge(&mut tx, id, "dropped", "[]").await?;
        }
        tx.commit().await?;
        Ok::<_, AppError>(())
    };
    stored.await.map_err(|error| not_stored(&error))
}

/// Whether a call that failed like this had left the gateway and was worked at.
const fn may_have_cost(kind: ModelFailureKind) -> bool {
    matches!(
        kind,
        ModelFailureKind::Switched
            | ModelFailureKind::Timeout
            | ModelFailureKind::Unavailable
            | ModelFailureKind::Filtered
            | ModelFailureKind::Malformed
            | ModelFailureKind::TooLarge
            | ModelFailureKind::Empty
    )
}

/// Ends in the journal what a process that died left running: nobody can wait for it any more.
///
/// # Errors
/// `Store`.
pub async fn end_abandoned(app: &App) -> Result<usize, AppError> {
    let before = app.now().saturating_sub(ABANDONED).unwrap_or(Timestamp::MIN);
    {
        let mut tx = app.db.read().await?;
        if !model::is_any_abandoned(&mut tx, before).await? {
            return Ok(0);
        }
    }
    let mut tx = app.db.write().await?;
    let ended = model::end_abandoned(&mut tx, before, "the process ended while it was asked").await?;
    tx.commit().await?;
    tracing::warn!(exchanges = ended, "questions to the model whose process ended were closed in the journal");
    Ok(ended)
}

/// Notes what became of an answer: `used`, `refused` or `dropped`, and what the checks found.
///
/// # Errors
/// `Store`.
pub async fn judge(app: &App, exchange: &str, verdict: &str, reasons: &[&str]) -> Result<(), AppError> {
    let reasons = serde_json::Value::from(reasons).to_string();
    let mut tx = app.db.write().await?;
    model::judge(&mut tx, exchange, verdict, &reasons).await?;
    tx.commit().await?;
    Ok(())
}
