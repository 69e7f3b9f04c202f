//! Questions of visitors: from a task of the queue to a checked answer, or to the news that there is none.
//!
//! Everything is decided from stored rows. The visitor hears of an answer through the exchange like of any other
//! message, fenced by the ticket: what comes twice, too late or after a person took over changes nothing. Sentences are
//! shown while the model writes only after each of them passed its checks, and only the check of the whole decides.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        App, AppError, dialogue_codec,
        events::{ChatEvent, Draft},
        exchange::Sent,
        suggestions,
    },
    question::{Question, Sought, note, seek},
};
use crate::{
    domain::{
        dialogue::{ConversationState, DialogueState, GeneratedAnswer, Input, InputKind},
        ids::ConversationId,
        kinds::Channel,
    },
    store::{
        conversations::{self, ConversationRow, MessageRow},
        model_tasks::{self, TaskRow},
    },
};

/// How long a claimed task is nobody else's; renewed while it is worked at.
const LEASE: SignedDuration = SignedDuration::from_secs(12);
/// How often the lease is renewed and the world looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// A question is put to the model this often at most: a process that dies over it does so once.
const MOST_TRIES: i64 = 2;
/// Nobody waits longer for a model than this; older questions go on with the rules.
const PATIENCE: SignedDuration = SignedDuration::from_secs(90);
/// What the visitor said before, in messages: so many are read for stable placeholders.
const READ: i64 = 60;
/// So many of them help to understand the question.
const BEFORE: usize = 2;
/// Marks of a conversation that is for people alone.
const FOR_PEOPLE: [&str; 5] = ["secret", "risk", "emergency", "sensitive", "confidential"];
/// After this long without a sentence the visitor is asked for patience, unless the configuration says otherwise.
const FIRST_CONTENT: Duration = Duration::from_secs(8);
/// Why a question is given back instead of refused.
const GATEWAY_STOPS: &str = "stop";
/// What the visitor reads while nothing has passed yet.
const PLEASE_WAIT: &str = "仍在查阅政策依据，请再稍候……";

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The visitor has the answer.
    Answered,
    /// The visitor heard what the rules say without a model; why.
    Refused(String),
    /// Nobody waited for it any more.
    Dropped,
    /// Given back: the gateway stops, or could not store the end.
    GivenBack,
}

impl Ended {
    /// The word in the queue.
    fn as_str(&self) -> &str {
        match self {
            Self::Answered => "answered",
            Self::Refused(why) => why,
            Self::Dropped => "dropped",
            Self::GivenBack => "given_back",
        }
    }
}

/// Claims up to `limit` questions.
///
/// # Errors
/// `Store`.
pub async fn claim(app: &App, limit: usize) -> Result<Vec<TaskRow>, AppError> {
    let now = app.now();
    let waiting = {
        let mut tx = app.db.read().await?;
        model_tasks::is_any_open(&mut tx, "answer").await?
    };
    if !waiting {
        return Ok(Vec::new());
    }
    let mut tx = app.db.write().await?;
    let until = now.saturating_add(LEASE).unwrap_or(now);
    let rows = model_tasks::claim(&mut tx, "answer", now, until, i64::try_from(limit).unwrap_or(1)).await?;
    tx.commit().await?;
    Ok(rows)
}

/// When a process that has the database alone starts, nobody works at what was claimed before.
///
/// # Errors
/// `Store`.
pub async fn take_up(app: &App) -> Result<(), AppError> {
    if app.db.file().is_none() {
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    model_tasks::give_all_back(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Works a claimed question off.
///
/// # Errors
/// `Store`; the question is claimed again when its lease ends.
pub async fn work(app: &App, task: &TaskRow) -> Result<Ended, AppError> {
    let (Ok(conversation), Ok(ticket)) = (task.conversation_id.parse::<ConversationId>(), u32::try_from(task.ticket))
    else {
        return end(app, task, Ended::Dropped).await;
    };
    let Some(known) = load(app, conversation, ticket).await? else {
        return end(app, task, Ended::Dropped).await;
    };
    let desk = Desk { app, task, conversation, ticket, shown: AtomicBool::new(false) };
    let age = app.now().duration_since(Timestamp::from_millisecond(task.created_at).unwrap_or_default());
    let found = if task.tries > MOST_TRIES || age > PATIENCE {
        Found::nothing("late")
    } else if known.is_for_people() {
        Found::nothing("sensitive")
    } else {
        desk.find(&known).await
    };
    let mut exchange = None;
    let (input, mut ended) = match found {
        Found::Answer { exchange: id, answer } => {
            exchange = Some(id);
            (InputKind::ModelAnswered { ticket, answer }, Ended::Answered)
        }
        Found::Nothing { why, .. } if why == GATEWAY_STOPS => {
            return give_back(app, task).await;
        }
        Found::Nothing { why, ref reasons } => {
            desk.take_away();
            let why = reasons.first().map_or_else(|| why.to_owned(), |reason| format!("{why}:{reason}"));
            (InputKind::ModelRefused { ticket }, Ended::Refused(why))
        }
    };
    let sent = Sent { conversation, client_id: None, input: Input { kind: input }, shown: None, via: None };
    match app.exchange.send(sent).await {
        Ok(answer) => {
            if answer.replies.is_empty() {
                ended = Ended::Dropped;
            }
        }
        Err(AppError::NotFound) => ended = Ended::Dropped,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "an answer of the model could not be stored");
            return give_back(app, task).await;
        }
    }
    if ended == Ended::Dropped
        && let Some(id) = exchange
    {
        note(app, &id, "dropped", &[]).await;
    }
    end(app, task, ended).await
}

/// What is known of a conversation that waits.
struct Known {
    row: ConversationRow,
    state: DialogueState,
    messages: Vec<MessageRow>,
}

impl Known {
    fn is_for_people(&self) -> bool {
        let flags: Vec<String> = serde_json::from_str(&self.row.flags).unwrap_or_default();
        self.state.risk || flags.iter().any(|flag| FOR_PEOPLE.contains(&flag.as_str()))
    }

    /// What the visitor said before the question, the oldest first: only plain questions, nothing of complaints.
    fn before(&self, app: &App, question: &str) -> Vec<&str> {
        let mut texts: Vec<&str> = self
            .messages
            .iter()
            .filter(|message| message.sender == "visitor" && message.kind == "text" && message.text != question)
            .filter(|message| is_plain_question(message.decision.as_deref()))
            .map(|message| message.text.as_str())
            .filter(|words| suggestions::bar_of_words(app, words).is_none())
            .collect();
        texts.drain(..texts.len().saturating_sub(BEFORE));
        texts
    }
}

/// Whether a message was read as nothing but a question.
fn is_plain_question(decision: Option<&str>) -> bool {
    let decision: serde_json::Value = decision.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let word = |key: &str| decision.get(key).and_then(serde_json::Value::as_str);
    matches!(word("step"), Some("rules" | "clarify" | "model"))
        && word("type").is_none_or(|kind| kind == "consultation")
        && word("diversion").is_none()
}

/// The conversation, if it still waits for this answer.
async fn load(app: &App, conversation: ConversationId, ticket: u32) -> Result<Option<Known>, AppError> {
    let mut tx = app.db.read().await?;
    let Some(row) = conversations::find(&mut tx, conversation).await? else { return Ok(None) };
    let mut state = dialogue_codec::decode(&row.dialogue);
    state.mode = row.state.parse().unwrap_or(ConversationState::Closed);
    if state.awaited_ticket() != Some(ticket) {
        return Ok(None);
    }
    let messages = conversations::last_messages(&mut tx, conversation, READ).await?;
    Ok(Some(Known { row, state, messages }))
}

async fn end(app: &App, task: &TaskRow, ended: Ended) -> Result<Ended, AppError> {
    let mut tx = app.db.write().await?;
    model_tasks::finish(&mut tx, &task.id, ended.as_str(), app.now()).await?;
    tx.commit().await?;
    tracing::info!(model.task = %task.id, ended = ended.as_str(), "a question to the model is done");
    Ok(ended)
}

async fn give_back(app: &App, task: &TaskRow) -> Result<Ended, AppError> {
    let mut tx = app.db.write().await?;
    model_tasks::give_back(&mut tx, &task.id, task.tries).await?;
    tx.commit().await?;
    Ok(Ended::GivenBack)
}

/// What came of looking for an answer.
enum Found {
    /// An answer that passed every check, and its exchange in the journal.
    Answer { exchange: String, answer: GeneratedAnswer },
    /// None; why, in a word, and what the checks found.
    Nothing { why: &'static str, reasons: Vec<String> },
}

impl Found {
    const fn nothing(why: &'static str) -> Self {
        Self::Nothing { why, reasons: Vec::new() }
    }
}

/// One question being worked at.
struct Desk<'a> {
    app: &'a App,
    task: &'a TaskRow,
    conversation: ConversationId,
    ticket: u32,
    /// The visitor sees sentences.
    shown: AtomicBool,
}

impl Desk<'_> {
    fn draw(&self, state: &'static str, text: String) {
        let draft = Draft { ticket: self.ticket, state, text };
        self.app.hub.tell_visitor(self.conversation, ChatEvent::Draft(draft));
    }

    /// What was shown does not become an answer.
    fn take_away(&self) {
        self.draw("dropped", String::new());
    }

    async fn find(&self, known: &Known) -> Found {
        let app = self.app;
        let under_way = app.model.start(self.conversation, self.ticket);
        // In the order in which they were said, so that a placeholder stands for the same words in every question.
        let said: Vec<&str> = known
            .messages
            .iter()
            .filter(|message| message.sender == "visitor")
            .map(|message| message.text.as_str())
            .collect();
        let question = Question {
            words: &self.task.question,
            said: &said,
            before: &known.before(app, &self.task.question),
            facts: &known.state.facts,
            channel: known.row.channel.parse().unwrap_or(Channel::Web),
            region: known.state.region.as_deref().unwrap_or(&app.config.region.code),
            conversation: Some(&self.task.conversation_id),
            evaluation: false,
            anyway: false,
            broken_off: Some(&under_way.broken_off),
        };
        let mut on_shown = |text: &str| {
            self.shown.store(true, Relaxed);
            self.draw("writing", text.to_owned());
        };
        let sought = tokio::select! {
            sought = seek(app, &question, &mut on_shown) => sought,
            never = self.look(&under_way.broken_off) => match never {},
        };
        match sought {
            Sought::Answer { exchange, answer, .. } => Found::Answer { exchange, answer },
            Sought::Refused { reasons, .. } => Found::Nothing { why: "refused", reasons },
            Sought::NoSource => Found::nothing("no_source"),
            Sought::Failed(_) if app.shutdown.is_cancelled() => Found::nothing(GATEWAY_STOPS),
            Sought::Failed(failed) => Found::Nothing { why: "failed", reasons: vec![failed.kind.as_str().to_owned()] },
        }
    }

    /// Meanwhile: asks the visitor for patience, keeps the claim, and breaks the call off when nobody waits any more.
    async fn look(&self, broken_off: &CancellationToken) -> Infallible {
        let first =
            self.app.config.model.as_ref().map_or(FIRST_CONTENT, |model| Duration::from_millis(model.first_content_ms));
        let mut asked_for_patience = false;
        let patience = tokio::time::sleep(first);
        tokio::pin!(patience);
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.reset();
        loop {
            tokio::select! {
                () = &mut patience, if !asked_for_patience => {
                    asked_for_patience = true;
                    if !self.shown.load(Relaxed) {
                        self.draw("waiting", PLEASE_WAIT.to_owned());
                    }
                },
                _ = tick.tick() => match self.still_wanted().await {
                    Ok(true) => {},
                    Ok(false) => broken_off.cancel(),
                    Err(error) => {
                        tracing::debug!(error = &error as &dyn std::error::Error, "a claim could not be renewed");
                    },
                },
            }
        }
    }

    /// Whether the claim is still ours and the visitor still waits.
    async fn still_wanted(&self) -> Result<bool, AppError> {
        let now = self.app.now();
        let ours = {
            let mut tx = self.app.db.write().await?;
            let until = now.saturating_add(LEASE).unwrap_or(now);
            let ours = model_tasks::renew(&mut tx, &self.task.id, self.task.tries, until).await?;
            tx.commit().await?;
            ours
        };
        Ok(ours && load(self.app, self.conversation, self.ticket).await?.is_some())
    }
}
