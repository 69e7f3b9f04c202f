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
    },
    Call, Called, Variable, call, judge,
    output::{self, AnswerStream},
};
use crate::{
    app::content::Content,
    domain::{
        dialogue::{
            ConversationState, DialogueState, Facts, GeneratedAnswer, Input, InputKind, Knowledge as _, Shipped, cited,
        },
        grounding::{Limits, Source, Status, check, plain},
        ids::ConversationId,
        kinds::Channel,
        sla::chinese_date,
        text::{Hidden, Redactor},
    },
    ports::model::{ModelFinish, ModelTask},
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
const FOR_PEOPLE: [&str; 4] = ["secret", "risk", "emergency", "sensitive"];
/// After this long without a sentence the visitor is asked for patience, unless the configuration says otherwise.
const FIRST_CONTENT: Duration = Duration::from_secs(8);
/// Sources shown under an answer at most.
const CITATIONS: usize = 6;
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
    let (input, mut ended) = match found {
        Found::Answer(answer) => (InputKind::ModelAnswered { ticket, answer }, Ended::Answered),
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
    fn before(&self, question: &str) -> Vec<&str> {
        let mut texts: Vec<&str> = self
            .messages
            .iter()
            .filter(|message| message.sender == "visitor" && message.kind == "text" && message.text != question)
            .filter(|message| is_plain_question(message.decision.as_deref()))
            .map(|message| message.text.as_str())
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
    /// An answer that passed every check.
    Answer(GeneratedAnswer),
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
        let content = app.content.load();
        let (sources, region) = sources(app, &content, known, &self.task.question);
        if sources.is_empty() {
            return Found::nothing("no_source");
        }
        let mut redactor = redactor(&known.state.facts);
        // In the order in which they were said, so that a placeholder stands for the same words in every question.
        for message in known.messages.iter().filter(|message| message.sender == "visitor") {
            redactor.redact(&message.text);
        }
        let before: Vec<String> =
            known.before(&self.task.question).into_iter().map(|text| redactor.redact(text)).collect();
        let (before, material) = (output::texts_json(&before), output::sources_json(&sources));
        let today = chinese_date(app.zone().to_datetime(app.now()).date());
        let variables = [
            Variable::Theirs("问题", &self.task.question),
            Variable::Theirs("前文", &before),
            Variable::Ours("资料", &material),
            Variable::Ours("今天", &today),
            Variable::Ours("地区", &region),
        ];
        let instructions = content.prompts.of(ModelTask::Answer.as_str()).map(|prompt| prompt.instructions());
        let limits = Limits { instructions: instructions.unwrap_or_default(), ..Limits::default() };
        let under_way = app.model.start(self.conversation, self.ticket);
        let mut stream = AnswerStream::new(&sources, &limits);
        let mut text = String::new();
        let mut on_text = |piece: &str| {
            let sentences = stream.push(piece);
            if !sentences.is_empty() {
                text.extend(sentences);
                self.shown.store(true, Relaxed);
                self.draw("writing", text.clone());
            }
        };
        let question = Call {
            task: ModelTask::Answer,
            variables: &variables,
            redactor: &mut redactor,
            conversation: Some(&self.task.conversation_id),
            case: None,
            officer: None,
            stream: true,
            broken_off: Some(&under_way.broken_off),
        };
        let asked = tokio::select! {
            asked = call(app, question, &mut on_text) => asked,
            never = self.look(&under_way.broken_off) => match never {},
        };
        match asked {
            Ok(called) => self.judge(&called, &content, &sources, &limits).await,
            Err(_) if app.shutdown.is_cancelled() => Found::nothing(GATEWAY_STOPS),
            Err(failed) => Found::Nothing { why: "failed", reasons: vec![failed.kind.as_str().to_owned()] },
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

    /// Reads and checks what the model said; the journal learns what became of it.
    async fn judge(&self, called: &Called, content: &Content, sources: &[Source], limits: &Limits) -> Found {
        let found = read(called, content, sources, limits);
        let (verdict, reasons) = match &found {
            Ok(_) => ("used", Vec::new()),
            Err(reasons) => ("refused", reasons.iter().map(String::as_str).collect()),
        };
        if let Err(error) = judge(self.app, &called.exchange, verdict, &reasons).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the journal of the model misses a verdict");
        }
        match found {
            Ok(answer) => Found::Answer(answer),
            Err(reasons) => Found::Nothing { why: "refused", reasons },
        }
    }
}

/// The answer, or every reason against it.
fn read(
    called: &Called,
    content: &Content,
    sources: &[Source],
    limits: &Limits,
) -> Result<GeneratedAnswer, Vec<String>> {
    match called.reply.finish {
        ModelFinish::Stop | ModelFinish::Unknown => {}
        finish @ (ModelFinish::Length | ModelFinish::Filtered | ModelFinish::Tool) => {
            return Err(vec![finish.as_str().to_owned()]);
        }
    }
    let draft = output::draft(&called.reply.text).map_err(|breach| vec![breach.kind.as_str().to_owned()])?;
    if draft.status != Status::Answered {
        return Err(vec![draft.status.as_str().to_owned()]);
    }
    if let Err(breaches) = check(&draft, sources, limits) {
        let mut reasons: Vec<String> = Vec::new();
        for breach in breaches {
            if !reasons.iter().any(|reason| reason == breach.kind.as_str()) {
                reasons.push(breach.kind.as_str().to_owned());
            }
        }
        return Err(reasons);
    }
    let named: Vec<&Source> = sources.iter().filter(|source| draft.cites.contains(&source.id)).collect();
    let mut citations = Vec::new();
    for source in &named {
        let verified_on = content.rules.rule(&source.id).and_then(|rule| rule.verified_on);
        for citation in source.citations.iter().map(|citation| cited(citation, verified_on)) {
            if !citations.contains(&citation) && citations.len() < CITATIONS {
                citations.push(citation);
            }
        }
    }
    let first = named.first().and_then(|source| content.rules.rule(&source.id));
    Ok(GeneratedAnswer {
        text: plain(&draft.answer).trim().to_owned(),
        citations,
        rule_ids: named.iter().map(|source| source.id.clone()).collect(),
        version: content.rules.hash().chars().take(8).collect(),
        topic: first.and_then(|rule| rule.topic.clone()),
    })
}

/// The answers near the question as sources, and the name of the region they hold for.
fn sources(app: &App, content: &Content, known: &Known, question: &str) -> (Vec<Source>, String) {
    let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, app.now())
        .with_index(&content.index)
        .with_model(true);
    let channel = known.row.channel.parse().unwrap_or(Channel::Web);
    let code = known.state.region.clone().unwrap_or_else(|| app.config.region.code.clone());
    let sources = knowledge
        .sources(question, channel, Some(&code), knowledge.today)
        .into_iter()
        .filter_map(|near| Source::of_rule(content.rules.rule(&near.rule_id)?))
        .collect();
    (sources, knowledge.region_name(&code).unwrap_or(code))
}

/// Replaces what the visitor told of the enterprise and its people, besides what looks like personal data.
fn redactor(facts: &Facts) -> Redactor {
    let slots: Vec<(Hidden, &str)> = [
        (Hidden::Enterprise, &facts.enterprise),
        (Hidden::Uscc, &facts.uscc),
        (Hidden::Uscc, &facts.uscc_invalid),
        (Hidden::Person, &facts.contact_name),
        (Hidden::Phone, &facts.contact_phone),
        (Hidden::Email, &facts.contact_email),
        (Hidden::Contact, &facts.contact_wechat),
        (Hidden::Address, &facts.place),
    ]
    .into_iter()
    .filter_map(|(kind, value)| Some((kind, value.as_deref()?)))
    .collect();
    Redactor::new(&slots)
}
