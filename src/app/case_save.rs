//! Storing what an action decided: the case, its events, its clocks and timers, its messages. One place for the desk,
//! the enterprise, the chat and the timers.

use jiff::Timestamp;

use super::{
    App, AppError, clocks,
    content::Content,
    dialogue_codec,
    events::{ChatEvent, Scope, StaffEvent},
    notices::{self, Told},
    outbox, wechat_out,
};
use crate::{
    domain::{
        case::{
            ActionInput, Actor, Case, CaseEnv, CaseStatus, EventKind, OutMessage, Outcome, Recipient, TransitionError,
            allowed_actions, apply,
        },
        dialogue::confirm_buttons,
        ids::{CaseId, ConversationId, OfficerId, TaskId},
    },
    store::{
        Tx,
        cases::{self, events},
        conversations::{self, MessageRow},
        promises, timers, wechat_scenes,
    },
};

/// The environment of the domain for one use case, kept alive while it runs.
pub(crate) struct Setting {
    content: std::sync::Arc<Content>,
    default_policy: String,
    now: Timestamp,
    task_ids: Vec<TaskId>,
    open_promises: usize,
    accused: Vec<String>,
}

/// The present instant in the resolution of the database.
pub(crate) fn now_ms(app: &App) -> Timestamp {
    let now = app.now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

impl Setting {
    /// Takes what is in force now.
    pub(crate) fn new(app: &App, now: Timestamp) -> Self {
        Self {
            content: app.content.load(),
            default_policy: app.config.sla.policy.clone(),
            now,
            task_ids: Vec::new(),
            open_promises: 0,
            accused: Vec::new(),
        }
    }

    /// The same with ids for so many new tasks.
    pub(crate) fn with_tasks(mut self, app: &App, count: usize) -> Self {
        self.task_ids = (0..count).map(|_| TaskId::from_uuid(app.ids.uuid(self.now))).collect();
        self
    }

    /// The same for a case with so many promises that nobody has kept yet.
    pub(crate) const fn with_promises(mut self, count: usize) -> Self {
        self.open_promises = count;
        self
    }

    /// The same for a matter that is about these units.
    pub(crate) fn with_accused(mut self, units: Vec<String>) -> Self {
        self.accused = units;
        self
    }

    /// The content in force.
    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// The instant of this use case.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Runs something with the domain's environment.
    pub(crate) fn run<T>(&self, work: impl FnOnce(&CaseEnv<'_>) -> T) -> T {
        let units = self.content.routing.units();
        let today = self.content.schedule.civil(self.now).date();
        let unit_name = |slug: &str| {
            units
                .find(slug)
                .filter(|unit| unit.slug == slug && unit.valid_to.is_none_or(|last| last >= today))
                .map(|unit| unit.short_name.clone())
        };
        work(&CaseEnv {
            schedule: &self.content.schedule,
            book: &self.content.book,
            default_policy: &self.default_policy,
            now: self.now,
            unit_name: &unit_name,
            accused: &self.accused,
            open_promises: self.open_promises,
            task_ids: &self.task_ids,
        })
    }

    /// Applies an action; where the policy asks for no check by the centre, a signed reply goes out at once.
    pub(crate) fn apply(&self, case: &Case, actor: &Actor, input: &ActionInput) -> Result<Outcome, TransitionError> {
        self.run(|env| {
            let mut outcome = apply(case, actor, input, env)?;
            if outcome.case.status == CaseStatus::Replied && !outcome.case.requirements.centre_verify {
                let release = ActionInput::ReleaseReply { note: None };
                let next = apply(&outcome.case, &Actor::Timer, &release, env)?;
                outcome.case = next.case;
                outcome.events.extend(next.events);
                outcome.messages.extend(next.messages);
            }
            Ok(outcome)
        })
    }

    /// A refusal of the domain as the error of the use case, with what the actor may do instead.
    pub(crate) fn refused(&self, error: &TransitionError, case: &Case, actor: &Actor) -> AppError {
        let allowed = self.run(|env| allowed_actions(case, actor, env));
        refusal(error, allowed.iter().map(|action| action.as_str().to_owned()).collect())
    }
}

/// What is told after the commit.
#[derive(Debug, Default)]
pub(crate) struct AfterCommit {
    chats: Vec<(ConversationId, i64)>,
    staff: Vec<StaffEvent>,
    told: Told,
}

impl AfterCommit {
    /// Tells open streams and wakes the jobs.
    pub(crate) fn tell(self, app: &App) {
        for (conversation, seq) in self.chats {
            app.hub.tell_visitor(conversation, ChatEvent::Messages { seq });
        }
        for event in self.staff {
            app.hub.tell_staff(event);
        }
        self.told.tell(app);
        app.wake.outbox.notify_one();
        app.wake.wechat.notify_one();
        app.wake.timers.notify_one();
    }

    /// Adds what officers were told beside the case.
    pub(crate) fn tell_also(&mut self, told: Told) {
        self.told.join(told);
    }

    fn staff_event(&mut self, case: &Case, kind: &'static str, text: &str) {
        let data = serde_json::json!({
            "number": case.display_number(),
            "status": case.status.as_str(),
            "status_label": case.status.label(),
            "event": kind,
            "text": text,
        });
        self.staff.push(StaffEvent {
            kind: "case",
            scope: Scope::Case {
                units: case.lead_unit.iter().chain(&case.assists).cloned().collect(),
                sealed: case.sealed,
                recused: case.recused.clone(),
            },
            data: data.to_string(),
        });
    }
}

/// Stores a new case with its first events.
pub(crate) async fn store_new(
    tx: &mut Tx,
    app: &App,
    setting: &Setting,
    outcome: &Outcome,
    request_id: Option<&str>,
    after: &mut AfterCommit,
) -> Result<(), AppError> {
    cases::insert(tx, &outcome.case).await?;
    finish(tx, app, setting, outcome, request_id, after).await
}

/// Stores a changed case, unless somebody else was first.
pub(crate) async fn store_changed(
    tx: &mut Tx,
    app: &App,
    setting: &Setting,
    outcome: &Outcome,
    request_id: Option<&str>,
    after: &mut AfterCommit,
) -> Result<(), AppError> {
    cases::update(tx, &outcome.case, outcome.case.version).await?;
    finish(tx, app, setting, outcome, request_id, after).await
}

/// Stores many changed cases, unless somebody else was first at one of them: a few statements for all instead of some
/// for each.
pub(crate) async fn store_all_changed(
    tx: &mut Tx,
    app: &App,
    setting: &Setting,
    outcomes: &[Outcome],
    after: &mut AfterCommit,
) -> Result<(), AppError> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let changed: Vec<&Case> = outcomes.iter().map(|outcome| &outcome.case).collect();
    cases::update_all(tx, &changed).await?;
    finish_all(tx, app, setting, &outcomes.iter().collect::<Vec<_>>(), None, after).await
}

async fn finish(
    tx: &mut Tx,
    app: &App,
    setting: &Setting,
    outcome: &Outcome,
    request_id: Option<&str>,
    after: &mut AfterCommit,
) -> Result<(), AppError> {
    finish_all(tx, app, setting, &[outcome], request_id, after).await
}

async fn finish_all(
    tx: &mut Tx,
    app: &App,
    setting: &Setting,
    outcomes: &[&Outcome],
    request_id: Option<&str>,
    after: &mut AfterCommit,
) -> Result<(), AppError> {
    let histories: Vec<_> = outcomes.iter().map(|outcome| outcome.events.as_slice()).collect();
    events::append_all(tx, &histories, request_id).await?;
    let mut waiting = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        waiting.push(setting.run(|env| clocks::plan(&outcome.case, env))?);
    }
    let clocks: Vec<_> = outcomes.iter().map(|outcome| (outcome.case.id, outcome.case.clocks.as_slice())).collect();
    timers::put_clocks_of(tx, &clocks, setting.content().schedule.calendar().version()).await?;
    let ahead: Vec<_> =
        outcomes.iter().zip(&waiting).map(|(outcome, waiting)| (outcome.case.id, waiting.as_slice())).collect();
    timers::put_timers_of(tx, &ahead).await?;
    for outcome in outcomes {
        let case = &outcome.case;
        let kind = outcome.events.last().map_or("case_changed", |event| event.kind.as_str());
        after.staff_event(case, kind, outcome.events.last().map_or("", |event| event.kind.label()));
        publish(tx, app, outcome).await?;
        for message in &outcome.messages {
            deliver(tx, app, setting, case, message, after).await?;
        }
        notify(tx, app, setting, outcome, after).await?;
    }
    Ok(())
}

/// Tells the officers concerned, whoever acted excepted.
async fn notify(
    tx: &mut Tx,
    app: &App,
    setting: &Setting,
    outcome: &Outcome,
    after: &mut AfterCommit,
) -> Result<(), AppError> {
    let case = &outcome.case;
    let by: Option<OfficerId> =
        outcome.events.last().and_then(|event| event.actor.id.as_deref()).and_then(|id| id.parse().ok());
    let named =
        outcome.events.iter().any(|event| matches!(event.kind, EventKind::HandlerAssigned | EventKind::SignedIn));
    let assigned = case.handler.filter(|_| named).map(|handler| OutMessage {
        to: Recipient::Officer(handler),
        kind: "handler_assigned",
        text: format!("【{}】由您承办，请及时联系企业", case.display_number()),
    });
    for message in outcome.messages.iter().chain(&assigned) {
        let told = notices::notify_of_message(tx, app, case, message, by, setting.now()).await?;
        after.told.join(told);
    }
    Ok(())
}

/// Tells other systems that subscribed: number, state and units, never a person. Sealed cases are told to nobody.
async fn publish(tx: &mut Tx, app: &App, outcome: &Outcome) -> Result<(), AppError> {
    let case = &outcome.case;
    if case.sealed || app.config.webhooks.outbound.is_empty() {
        return Ok(());
    }
    for event in &outcome.events {
        let kind = event.kind.as_str();
        let name = format!("case.{}", kind.strip_prefix("case_").unwrap_or(kind));
        let data = serde_json::json!({
            "number": case.display_number(),
            "type": case.case_type.as_str(),
            "topic": case.topic,
            "channel": case.channel.as_str(),
            "from": event.from.as_str(),
            "status": event.to.as_str(),
            "lead_unit": case.lead_unit,
            "assists": case.assists,
        });
        outbox::publish(app, tx, &name, &format!("{}:{}", case.id, event.seq), &data, event.at).await?;
    }
    Ok(())
}

/// Brings a message on its way. The enterprise reads it in the conversation the case came from.
async fn deliver(
    tx: &mut Tx,
    app: &App,
    setting: &Setting,
    case: &Case,
    message: &OutMessage,
    after: &mut AfterCommit,
) -> Result<(), AppError> {
    if message.to != Recipient::Enterprise {
        return Ok(());
    }
    let Some(conversation) = case.conversation else { return Ok(()) };
    deliver_to(tx, app, setting, case, message, conversation, after).await?;
    // A person who goes on elsewhere, because web and WeChat were joined, reads it there.
    let elsewhere = wechat_scenes::goes_on_in(tx, conversation).await?;
    match elsewhere.and_then(|id| id.parse().ok()) {
        Some(elsewhere) => deliver_to(tx, app, setting, case, message, elsewhere, after).await,
        None => Ok(()),
    }
}

async fn deliver_to(
    tx: &mut Tx,
    app: &App,
    setting: &Setting,
    case: &Case,
    message: &OutMessage,
    conversation: ConversationId,
    after: &mut AfterCommit,
) -> Result<(), AppError> {
    let Some(mut row) = conversations::find(tx, conversation).await? else { return Ok(()) };
    let at = setting.now().as_millisecond();
    row.seq += 1;
    row.last_text = message.text.chars().take(80).collect();
    row.changed_at = row.changed_at.max(at);
    let mut card = serde_json::json!({ "case": { "number": case.display_number(), "event": message.kind } });
    if message.kind == "please_confirm" {
        card["quick_replies"] = confirm_buttons(&case.display_number())
            .map(|button| serde_json::json!({ "label": button.label, "text": button.text }))
            .into();
        // 没解决 is about this answer now, not about what the bot said before.
        let mut state = dialogue_codec::decode(&row.dialogue);
        if state.last_answer.take().is_some() {
            row.dialogue = dialogue_codec::encode(&state);
        }
    }
    let stored = MessageRow {
        conversation_id: row.id.clone(),
        seq: row.seq,
        id: app.ids.uuid(setting.now()).to_string(),
        client_id: None,
        reply_to: None,
        sender: "system".to_owned(),
        kind: "event".to_owned(),
        text: message.text.clone(),
        body: Some(card.to_string()),
        officer_id: None,
        rule_id: None,
        decision: None,
        at,
    };
    after.chats.push((conversation, row.seq));
    conversations::insert_messages(tx, std::slice::from_ref(&stored)).await?;
    wechat_out::deliver(tx, app, std::slice::from_ref(&stored), setting.now()).await?;
    conversations::save(tx, std::slice::from_ref(&row)).await?;
    Ok(())
}

/// How many promises about a case nobody has kept or dropped yet (invariants 12 and 15).
pub(crate) async fn open_promises(tx: &mut Tx, case: &Case) -> Result<usize, AppError> {
    Ok(promises::open_of_case(tx, case.number.as_str(), case.conversation).await?)
}

/// Loads a case for a change by the system.
pub(crate) async fn load(tx: &mut Tx, id: CaseId) -> Result<Case, AppError> {
    cases::find(tx, id).await?.ok_or(AppError::NotFound)
}

/// A refusal of the domain as the error of the use case; `allowed` are the actions that would be possible.
pub(crate) fn refusal(error: &TransitionError, allowed: Vec<String>) -> AppError {
    let (code, detail) = (error.code(), Some(error.message()));
    match error {
        TransitionError::Field { field, message } => AppError::Invalid {
            code: "invalid_fields",
            detail,
            errors: vec![super::FieldError::new(format!("/{field}"), *message)],
        },
        TransitionError::UnknownUnit { field, .. } => AppError::Invalid {
            code,
            errors: vec![super::FieldError::new(format!("/{field}"), error.message())],
            detail,
        },
        TransitionError::ConclusionMismatch(_) => {
            AppError::Invalid { code, errors: vec![super::FieldError::new("/conclusion", error.message())], detail }
        }
        TransitionError::UnsafeText(_) => {
            AppError::Invalid { code, errors: vec![super::FieldError::new("/text", error.message())], detail }
        }
        TransitionError::Forbidden { .. }
        | TransitionError::DrafterMayNotSign
        | TransitionError::HandlerMayNotVerify
        | TransitionError::SameOfficer(_)
        | TransitionError::RulerMayNotVerify => AppError::Forbidden { code, detail, allowed },
        TransitionError::NotAllowed { .. }
        | TransitionError::OnlyOnce(_)
        | TransitionError::TooEarly { .. }
        | TransitionError::WindowOver(_)
        | TransitionError::AlreadyRuled
        | TransitionError::Recused(_)
        | TransitionError::AssistOpen(_)
        | TransitionError::NoSuchTask
        | TransitionError::NoHandler
        | TransitionError::Paused(_)
        | TransitionError::NoExtension(_)
        | TransitionError::CloseNeeds(_)
        | TransitionError::MayNotWithdraw
        | TransitionError::UrgedAlready { .. }
        | TransitionError::DueInPast
        | TransitionError::Clock { .. }
        | TransitionError::CannotMerge(_) => AppError::Conflict { code, detail, allowed },
    }
}
