//! What a form is about, where the rules leave it open: from a task of the queue to a proposal beside the form.
//!
//! The chat never waits for it. Everything is decided from stored rows: the proposal reaches the form through the
//! exchange, fenced by the ticket of its question, so what comes twice, too late, after 提交 or after a person took over
//! changes nothing and the journal says so. What may be proposed at all is weighed by the turn (`domain::dialogue`).

use std::{convert::Infallible, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    super::{App, AppError, dialogue_codec, exchange::Sent, suggestions},
    Call, Variable, call, judge, output, question, switch_state,
};
use crate::{
    domain::{
        dialogue::{ConversationState, DialogueState, Input, InputKind, ProposalKey, Proposed},
        ids::ConversationId,
        kinds::CaseType,
        sla::chinese_date,
        suggestion::ModelBar,
    },
    ports::model::{ModelFinish, ModelTask},
    store::{
        conversations::{self, ConversationRow, MessageRow},
        model_tasks::{self, TaskRow},
    },
};

/// The word of these tasks in the queue.
const KIND: &str = "classify";
/// How long a claimed task is nobody else's; renewed while it is worked at.
const LEASE: SignedDuration = SignedDuration::from_secs(12);
/// How often the lease is renewed and the world looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A form is put to the model this often at most: a process that dies over it does so once.
const MOST_TRIES: i64 = 2;
/// Later than this after the form was shown, nothing is asked any more.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);
/// The call's own limit where the configuration names none, and what is added until it is broken off from outside.
const BUDGET: Duration = Duration::from_secs(6);
const GRACE: Duration = Duration::from_millis(500);
/// Messages that are read: for stable placeholders and for what keeps a conversation from a model.
const READ: i64 = 60;

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The visitor sees a proposal.
    Proposed,
    /// Nothing of the answer could be proposed, or there was none; why.
    Nothing(String),
    /// The form does not wait for it any more, or nothing may be asked; why.
    Dropped(String),
    /// Given back: the gateway stops, or could not store the end.
    GivenBack,
}

impl Ended {
    fn dropped(why: &str) -> Self {
        Self::Dropped(why.to_owned())
    }

    /// The word in the queue.
    fn in_queue(&self) -> String {
        match self {
            Self::Proposed => "proposed".to_owned(),
            Self::Nothing(why) => why.clone(),
            Self::Dropped(why) => format!("dropped:{why}"),
            Self::GivenBack => "given_back".to_owned(),
        }
    }
}

/// Claims up to `limit` forms.
///
/// # Errors
/// `Store`.
pub async fn claim(app: &App, limit: usize) -> Result<Vec<TaskRow>, AppError> {
    let now = app.now();
    let waiting = {
        let mut tx = app.db.read().await?;
        model_tasks::is_any_open(&mut tx, KIND).await?
    };
    if !waiting {
        return Ok(Vec::new());
    }
    let mut tx = app.db.write().await?;
    let until = now.saturating_add(LEASE).unwrap_or(now);
    let rows = model_tasks::claim(&mut tx, KIND, now, until, i64::try_from(limit).unwrap_or(1)).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Works a claimed form off.
///
/// # Errors
/// `Store`; the form is claimed again when its lease ends.
pub async fn work(app: &App, task: &TaskRow) -> Result<Ended, AppError> {
    let ended = match (task.conversation_id.parse::<ConversationId>(), u32::try_from(task.ticket)) {
        (Ok(conversation), Ok(ticket)) => Desk { app, task, conversation, ticket }.work().await?,
        _ => Ended::dropped("unreadable"),
    };
    let mut tx = app.db.write().await?;
    if ended == Ended::GivenBack {
        model_tasks::give_back(&mut tx, &task.id, task.tries).await?;
    } else {
        model_tasks::finish(&mut tx, &task.id, &ended.in_queue(), app.now()).await?;
    }
    tx.commit().await?;
    tracing::info!(model.task = %task.id, ended = %ended.in_queue(), "a form that the model was asked about is done");
    Ok(ended)
}

/// What is known of a form that waits.
struct Known {
    row: ConversationRow,
    state: DialogueState,
    messages: Vec<MessageRow>,
    of_its_cases: Option<ModelBar>,
}

/// One form being worked at.
struct Desk<'a> {
    app: &'a App,
    task: &'a TaskRow,
    conversation: ConversationId,
    ticket: u32,
}

impl Desk<'_> {
    async fn work(&self) -> Result<Ended, AppError> {
        let known = match self.load().await? {
            Ok(known) => known,
            Err(why) => return Ok(Ended::dropped(why)),
        };
        let age = self.app.now().duration_since(Timestamp::from_millisecond(self.task.created_at).unwrap_or_default());
        if self.task.tries > MOST_TRIES || age > PATIENCE {
            return Ok(Ended::dropped("late"));
        }
        let bar = known.of_its_cases.or_else(|| suggestions::bar_of_talk(self.app, &known.row, &known.messages));
        if let Some(bar) = bar {
            return Ok(Ended::Dropped(format!("barred:{bar}")));
        }
        self.ask(&known).await
    }

    /// The conversation, if its form still waits for this proposal; else why it does not.
    async fn load(&self) -> Result<Result<Known, &'static str>, AppError> {
        let mut tx = self.app.db.read().await?;
        let Some(row) = conversations::find(&mut tx, self.conversation).await? else { return Ok(Err("gone")) };
        let mut state = dialogue_codec::decode(&row.dialogue);
        state.mode = row.state.parse().unwrap_or(ConversationState::Closed);
        if state.awaited_proposal() != Some(self.ticket) {
            return Ok(Err(self.why(&state)));
        }
        let messages = conversations::last_messages(&mut tx, self.conversation, READ).await?;
        let of_its_cases = suggestions::bar_of_its_cases(&mut tx, self.app, self.conversation).await?;
        Ok(Ok(Known { row, state, messages, of_its_cases }))
    }

    /// Why a form does not wait any more.
    fn why(&self, state: &DialogueState) -> &'static str {
        let ticket = state.form.as_ref().and_then(|form| form.proposal.as_ref()).map(|proposal| proposal.ticket);
        match (&state.form, state.mode) {
            (_, ConversationState::Queued | ConversationState::Human) => "person",
            (None, _) if !state.cases.is_empty() => "filed",
            (None, _) => "cancelled",
            (Some(_), _) if ticket == Some(self.ticket) => "answered",
            (Some(_), _) => "superseded",
        }
    }

    async fn ask(&self, known: &Known) -> Result<Ended, AppError> {
        let app = self.app;
        let content = app.content.load();
        let mut redactor = question::redactor(&known.state.facts);
        // In the order in which they were said, so that a placeholder stands for the same words in every question.
        for message in known.messages.iter().filter(|message| message.sender == "visitor") {
            redactor.redact(&message.text);
        }
        let table = |items: Vec<Value>| Value::from(items).to_string();
        let types =
            CaseType::ALL.iter().filter(|t| !matches!(t, CaseType::Risk | CaseType::RatingReview)).collect::<Vec<_>>();
        let types = table(types.iter().map(|t| json!({ "slug": t.as_str(), "label": t.label() })).collect());
        let topics = content.taxonomy.topics().iter();
        let topics = table(topics.map(|t| json!({ "code": t.code, "label": t.label })).collect());
        let form = known.state.form.as_ref();
        let is_empty =
            |key: &ProposalKey| key.field().is_some_and(|field| form.is_some_and(|form| form.value(field).is_none()));
        let slots = ProposalKey::ALL.iter().filter(|key| is_empty(key));
        let slots = table(slots.map(|key| json!({ "slot": key.as_str(), "label": key.label() })).collect());
        let today = chinese_date(app.zone().to_datetime(app.now()).date());
        let variables = [
            Variable::Theirs("来文", &self.task.question),
            Variable::Ours("类型表", &types),
            Variable::Ours("主题表", &topics),
            Variable::Ours("要素表", &slots),
            Variable::Ours("今天", &today),
        ];
        let under_way = app.model.start(self.conversation, self.ticket);
        let question = Call {
            task: ModelTask::Classify,
            variables: &variables,
            redactor: &mut redactor,
            conversation: Some(&self.task.conversation_id),
            case: None,
            officer: None,
            evaluation: false,
            stream: false,
            broken_off: Some(&under_way.broken_off),
        };
        let mut on_text = |_: &str| ();
        let asked = tokio::select! {
            asked = call(app, question, &mut on_text) => asked,
            never = self.look(&under_way.broken_off) => match never {},
        };
        drop(under_way);
        let called = match asked {
            Ok(called) => called,
            Err(_) if app.shutdown.is_cancelled() => return Ok(Ended::GivenBack),
            Err(failed) => {
                return Ok(match self.load().await? {
                    Err(why) => Ended::dropped(why),
                    Ok(_) => Ended::Nothing(format!("failed:{}", failed.kind)),
                });
            }
        };
        let refuse = async |why: &'static str| {
            judge(app, &called.exchange, "refused", &[why]).await?;
            Ok::<_, AppError>(Ended::Nothing(format!("refused:{why}")))
        };
        match called.reply.finish {
            ModelFinish::Stop | ModelFinish::Unknown => {}
            finish @ (ModelFinish::Length | ModelFinish::Filtered | ModelFinish::Tool) => {
                return refuse(finish.as_str()).await;
            }
        }
        let Ok(said) = output::classified(&called.reply.text) else { return refuse("malformed").await };
        if switch_state(app).await?.stopped {
            judge(app, &called.exchange, "dropped", &["switched_off"]).await?;
            return Ok(Ended::dropped("switched_off"));
        }
        let said = Proposed {
            case_type: said.case_type,
            topic: said.topic,
            urgency: said.urgency,
            slots: said.slots.into_iter().map(|(slot, value)| (slot, redactor.restore(&value))).collect(),
        };
        self.tell(said, called.exchange).await
    }

    /// Hands the proposal to the form, once.
    async fn tell(&self, said: Proposed, exchange: String) -> Result<Ended, AppError> {
        let kind = InputKind::Proposed {
            ticket: self.ticket,
            words: self.task.question.clone(),
            said,
            exchange: exchange.clone(),
        };
        let sent =
            Sent { conversation: self.conversation, client_id: None, input: Input { kind }, shown: None, via: None };
        match self.app.exchange.send(sent).await {
            Ok(answer) => {
                let shown = answer.conversation.proposal.is_some_and(|proposal| proposal.ticket == self.ticket);
                Ok(if shown { Ended::Proposed } else { Ended::Nothing("nothing".to_owned()) })
            }
            Err(AppError::Conflict { .. } | AppError::NotFound) => {
                let why = self.load().await?.err().unwrap_or("superseded");
                judge(self.app, &exchange, "dropped", &[why]).await?;
                Ok(Ended::dropped(why))
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a proposal could not be stored");
                Ok(Ended::GivenBack)
            }
        }
    }

    /// Meanwhile: keeps the claim, and breaks the call off when its time is over or the form does not wait any more.
    async fn look(&self, broken_off: &CancellationToken) -> Infallible {
        let budget = self.app.config.model.as_ref().map(|model| Duration::from_millis(model.classify_timeout_ms));
        let over = tokio::time::sleep(budget.unwrap_or(BUDGET) + GRACE);
        tokio::pin!(over);
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.reset();
        loop {
            tokio::select! {
                () = &mut over, if !broken_off.is_cancelled() => broken_off.cancel(),
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

    async fn still_wanted(&self) -> Result<bool, AppError> {
        let now = self.app.now();
        let ours = {
            let mut tx = self.app.db.write().await?;
            let until = now.saturating_add(LEASE).unwrap_or(now);
            let ours = model_tasks::renew(&mut tx, &self.task.id, self.task.tries, until).await?;
            tx.commit().await?;
            ours
        };
        Ok(ours && self.load().await?.is_ok())
    }
}
