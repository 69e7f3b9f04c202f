//! Doing something to a case: load what the officer may see, decide in the domain, save by comparing the version,
//! commit, tell. One function for all actions of the staff, one for the timers.

use std::pin::Pin;

use jiff::{SignedDuration, Timestamp};

use super::{
    App, AppError, FieldError, Officer,
    case_help::ALIKE,
    case_input::{ActionFields, Known, Parent},
    case_queries::{self, CaseFile},
    case_save::{self, AfterCommit, Setting},
    intake,
    suggestions::{self, Used},
};
use crate::{
    domain::{
        access::CaseScope,
        case::{
            ActionInput, Actor, ActorStamp, Case, CaseAction, CaseEvent, CaseNumber, EventKind, Fact, Outcome,
            RULE_SOURCE, follow, refusal,
        },
        ids::{CaseId, OfficerId},
        kinds::{CaseType, Channel},
        retrieval::likeness,
        rules::Input,
    },
    store::{
        Tx,
        cases::{self, events, list, matters},
        officers,
    },
};

/// Refused returns older than this count no more against a unit.
const REFUSED_WITHIN: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How often a use case is run again when another writer was first.
const ATTEMPTS: u32 = 4;

/// Applies an action of an officer to a case. A repeat of the idempotency key changes nothing and gives the case as
/// it is.
///
/// # Errors
/// `NotFound` (also for cases outside the officer's scope), `Forbidden`, `Conflict`, `Invalid`, `Store`.
pub async fn perform(
    app: &App,
    officer: &Officer,
    number: &CaseNumber,
    action: CaseAction,
    fields: &ActionFields,
    idempotency_key: Option<&str>,
) -> Result<CaseFile, AppError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match perform_once(app, officer, number, action, fields.clone(), idempotency_key).await {
            Err(AppError::Store(error)) if error.is_transient() && attempt < ATTEMPTS => {}
            done => return done,
        }
    }
}

async fn perform_once(
    app: &App,
    officer: &Officer,
    number: &CaseNumber,
    action: CaseAction,
    mut fields: ActionFields,
    idempotency_key: Option<&str>,
) -> Result<CaseFile, AppError> {
    let now = case_save::now_ms(app);
    let setting = Setting::new(app, now);
    let mut tx = app.db.write().await?;
    let scope = case_queries::scope(setting.content(), officer);
    if list::visible(&mut tx, &scope, number).await?.is_none() {
        return Err(AppError::NotFound);
    }
    let case = cases::find_by_number(&mut tx, number).await?.ok_or(AppError::NotFound)?;
    let setting = setting.with_promises(case_save::open_promises(&mut tx, &case).await?);
    let request = idempotency_key
        .map(|key| RequestId::new(&format!("{}:{}:{key}", officer.id, action.as_str()), &fields.digest()));
    let stamp = case_queries::stamp(&mut tx, setting.content(), officer, now).await?;
    let actor = Actor::Officer(stamp);
    if applied(&mut tx, &case, request.as_ref()).await? {
        tx.rollback().await?;
        return Ok(CaseFile::new(&setting, &scope, case, &actor));
    }
    let checked = check_fields(&mut tx, &setting, &scope, &case, action, &mut fields).await?;
    let own_units = scope.own_units.clone();
    let suggested = fields.suggestion.as_deref().and_then(|id| id.parse().ok()).zip(fields.text.clone());
    let known = Known {
        case: &case,
        handler: resolve_handler(&mut tx, fields.handler.as_deref(), case.lead_unit.as_deref()).await?,
        parent: resolve_parent(&mut tx, &scope, &case, fields.into.as_deref()).await?,
        repeats: repeats(&mut tx, &case, action, &fields).await?,
        refused_before: refused_returns(&mut tx, &case, action, now).await?,
        own_units: &own_units,
    };
    let input = checked.and_then(|()| fields.into_input(action, &known).map_err(|error| vec![error]));
    let input = input.map_err(|errors| {
        // Who may not do it at all learns that first, not which field is missing.
        match setting.run(|env| refusal(&case, &actor, action, env)) {
            Ok(()) => AppError::invalid("invalid_fields", errors),
            Err(error) => setting.refused(&error, &case, &actor),
        }
    })?;
    check_topic(&setting, &case, &input)?;
    let accused = if let ActionInput::Accept { case_type, .. }
    | ActionInput::Regrade { case_type: Some(case_type), .. } = &input
    {
        intake::accused(setting.content(), &case, *case_type, now)
    } else {
        Vec::new()
    };
    let setting = setting.with_tasks(app, input.new_tasks()).with_accused(accused);
    let outcome = setting.apply(&case, &actor, &input).map_err(|error| setting.refused(&error, &case, &actor))?;
    let mut after = AfterCommit::default();
    case_save::store_changed(&mut tx, app, &setting, &outcome, request.as_ref().map(RequestId::as_str), &mut after)
        .await?;
    follow_up(&mut tx, app, &setting, &outcome, &input, &actor, &mut after).await?;
    if let Some((suggestion, text)) = &suggested {
        let used = Used { id: *suggestion, conversation: None, case: Some(case.id), text };
        suggestions::settle(&mut tx, officer, &used, now).await?;
    }
    tx.commit().await?;
    after.tell(app);
    let mut case = outcome.case;
    case.version += 1;
    Ok(CaseFile::new(&setting, &scope, case, &actor))
}

/// A topic that is named must be one of the taxonomy; one that the case has already may be gone from it.
fn check_topic(setting: &Setting, case: &Case, input: &ActionInput) -> Result<(), AppError> {
    let (ActionInput::Accept { topic: Some(topic), .. } | ActionInput::Regrade { topic: Some(topic), .. }) = input
    else {
        return Ok(());
    };
    if case.topic.as_deref() == Some(topic) || setting.content().taxonomy.topic(topic).is_some() {
        return Ok(());
    }
    Err(AppError::field("/topic", "没有这个主题"))
}

/// A request with an idempotency key, as it is kept with its event: who, what and the key, then what was asked for.
pub(super) struct RequestId {
    whole: String,
    key: usize,
}

impl RequestId {
    /// Cannot occur in a key: keys are visible characters.
    const MARK: char = '\u{1f}';

    pub(super) fn new(key: &str, digest: &str) -> Self {
        Self { whole: format!("{key}{}{digest}", Self::MARK), key: key.len() }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.whole
    }
}

/// Whether a request was applied to the case already.
///
/// # Errors
/// `Conflict` when another one was, under the same key; `Store`.
pub(super) async fn applied(tx: &mut Tx, case: &Case, request: Option<&RequestId>) -> Result<bool, AppError> {
    let Some(request) = request else { return Ok(false) };
    let key = request.whole.get(..request.key).unwrap_or_default();
    match events::request(tx, case.id, key, RequestId::MARK).await? {
        None => Ok(false),
        // As it was kept before the digest was: what was asked for is not known.
        Some(earlier) if earlier == request.whole || earlier == key => Ok(true),
        Some(_) => Err(AppError::conflict("idempotency_reused")),
    }
}

/// The topic that the rules read in the words, where nobody named one; conduct has one of its own.
fn proposed_topic(setting: &Setting, words: &str, case_type: Option<&str>) -> Option<String> {
    let content = setting.content();
    let conduct = case_type.and_then(|name| name.parse().ok()) == Some(CaseType::Conduct);
    let own = if conduct { content.taxonomy.topic("CONDUCT").map(|topic| topic.code.clone()) } else { None };
    own.or_else(|| {
        let today = content.schedule.civil(setting.now()).date();
        let read = content.rules.decide(&Input { text: words, channel: Channel::Counter, area: None, today });
        read.matters.into_iter().find_map(|matter| matter.topic)
    })
}

/// What the fields name must exist: topics, rules and earlier cases. Fields that the action does not use are refused.
async fn check_fields(
    tx: &mut Tx,
    setting: &Setting,
    scope: &CaseScope,
    case: &Case,
    action: CaseAction,
    fields: &mut ActionFields,
) -> Result<Result<(), Vec<FieldError>>, AppError> {
    let mut errors = fields.unused(action);
    let content = setting.content();
    let mut known_topic = |field: &str, topic: &mut Option<String>| {
        let Some(name) = topic.as_deref().map(str::trim).filter(|name| !name.is_empty()) else { return };
        match content.taxonomy.topic(name) {
            Some(known) => *topic = Some(known.code.clone()),
            None => errors.push(FieldError::new(format!("/{field}"), "没有这个主题")),
        }
    };
    if action == CaseAction::Regrade {
        known_topic("topic", &mut fields.topic);
    }
    if action == CaseAction::Split {
        for part in fields.parts.iter_mut().flatten() {
            known_topic("parts", &mut part.topic);
            if part.topic.as_deref().is_none_or(|topic| topic.trim().is_empty()) {
                part.topic =
                    proposed_topic(setting, &part.demand, part.case_type.as_deref()).or_else(|| case.topic.clone());
            }
        }
    }
    let named = [&case.topic, &fields.topic].into_iter().flatten().any(|topic| !topic.trim().is_empty());
    if action == CaseAction::Accept && !named {
        fields.topic = proposed_topic(setting, &case.original_words, Some(case.case_type.as_str()));
    }
    let rule = fields.source.as_deref().and_then(|source| source.trim().strip_prefix(RULE_SOURCE));
    if action == CaseAction::AnswerOnSpot && rule.is_some_and(|id| content.rules.rule(id.trim()).is_none()) {
        errors.push(FieldError::new("/source", "没有这条规则；请写现有规则的编号，或写明依据的文件"));
    }
    let repeat_of = fields.repeat_of.as_deref().map(str::trim).filter(|text| !text.is_empty());
    if let (CaseAction::Accept, Some(text)) = (action, repeat_of) {
        let there = match text.parse::<CaseNumber>() {
            Ok(number) if number != case.number => list::visible(tx, scope, &number).await?.is_some(),
            Ok(_) | Err(_) => false,
        };
        if !there {
            errors.push(FieldError::new("/repeat_of", "没有这个编号的诉求"));
        }
    }
    Ok(if errors.is_empty() { Ok(()) } else { Err(errors) })
}

/// The person that a login or an id names; must belong to the lead unit.
async fn resolve_handler(
    tx: &mut Tx,
    handler: Option<&str>,
    lead: Option<&str>,
) -> Result<Option<(OfficerId, String)>, AppError> {
    let Some(handler) = handler.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = |message: &str| AppError::invalid("invalid_fields", vec![FieldError::new("/handler", message)]);
    let row = match handler.parse::<OfficerId>() {
        Ok(id) => officers::find(tx, id).await?,
        Err(_) => officers::find_by_login(tx, handler).await?,
    };
    let row = row.filter(|row| row.active).ok_or_else(|| wrong("没有这个账号"))?;
    let roles = officers::roles(tx, &row.id).await?;
    if !roles.iter().any(|(_, unit)| Some(unit.as_str()) == lead) {
        return Err(wrong("承办人须是主办单位的人员"));
    }
    let id = row.id.parse().map_err(|_| AppError::Internal("officer id".to_owned()))?;
    Ok(Some((id, row.name)))
}

async fn resolve_parent(
    tx: &mut Tx,
    scope: &CaseScope,
    case: &Case,
    into: Option<&str>,
) -> Result<Option<Parent>, AppError> {
    let Some(number) = into.and_then(|text| text.parse::<CaseNumber>().ok()) else { return Ok(None) };
    if list::visible(tx, scope, &number).await?.is_none() {
        return Ok(None);
    }
    let parent = cases::find_by_number(tx, &number).await?;
    Ok(parent.map(|parent| Parent {
        open: parent.status.is_open(),
        same_enterprise: case_queries::same_enterprise(case, &parent),
        same_matter: same_matter(case, &parent),
        number: parent.number,
    }))
}

/// Whether two cases are about the same matter: the topic says so, or the words where one of them has none. What is
/// sealed has nothing in common with what is not.
fn same_matter(case: &Case, parent: &Case) -> bool {
    if case.sealed != parent.sealed {
        return false;
    }
    if let (Some(one), Some(other)) = (&case.topic, &parent.topic) {
        return one == other;
    }
    let words = |case: &Case| format!("{}。{}", case.title, case.demand);
    case.case_type == parent.case_type && likeness(&words(case), &words(parent)) >= ALIKE
}

/// Which repeat of its matter a case will be that is accepted now.
async fn repeats(tx: &mut Tx, case: &Case, action: CaseAction, fields: &ActionFields) -> Result<u32, AppError> {
    let earlier = fields.repeated(case).filter(|_| action == CaseAction::Accept);
    let Some(earlier) = earlier.filter(|number| *number != case.number) else { return Ok(0) };
    Ok(matters::repeats(tx, &earlier, case.id).await?.saturating_add(1))
}

/// How many returns of the lead unit were refused lately, when one is refused now.
async fn refused_returns(tx: &mut Tx, case: &Case, action: CaseAction, now: Timestamp) -> Result<u32, AppError> {
    let Some(unit) = case.lead_unit.as_deref().filter(|_| action == CaseAction::RefuseReturn) else { return Ok(0) };
    let since = now.saturating_sub(REFUSED_WITHIN).unwrap_or(now);
    Ok(matters::refused_returns(tx, unit, since, case.id).await?)
}

/// What an action does to other cases: the parts of a split, the parent of a merge.
async fn follow_up(
    tx: &mut Tx,
    app: &App,
    setting: &Setting,
    outcome: &Outcome,
    input: &ActionInput,
    actor: &Actor,
    after: &mut AfterCommit,
) -> Result<(), AppError> {
    for part in &outcome.parts {
        intake::file_part(tx, app, setting, &outcome.case, part, actor, after).await?;
    }
    if let ActionInput::Merge { into, .. } = input
        && let Some(mut parent) = cases::find_by_number(tx, into).await?
    {
        parent.overlay.merged_children += 1;
        parent.last_seq += 1;
        parent.changed_at = parent.changed_at.max(setting.now());
        let event = CaseEvent {
            case: parent.id,
            seq: parent.last_seq,
            kind: EventKind::MergedInto,
            actor: ActorStamp::from(actor),
            from: parent.status,
            to: parent.status,
            at: parent.changed_at,
            facts: vec![Fact { key: "child".to_owned(), value: outcome.case.number.to_string(), public: false }],
        };
        let parent = Outcome { case: parent, events: vec![event], messages: Vec::new(), parts: Vec::new() };
        case_save::store_changed(tx, app, setting, &parent, None, after).await?;
    }
    follow_parent(tx, app, setting, outcome, after).await
}

/// Lets the cases that were merged into this one follow it: its reply, its closing, its end.
pub(super) fn follow_parent<'a>(
    tx: &'a mut Tx,
    app: &'a App,
    setting: &'a Setting,
    outcome: &'a Outcome,
    after: &'a mut AfterCommit,
) -> Pin<Box<dyn Future<Output = Result<(), AppError>> + Send + 'a>> {
    Box::pin(async move {
        let parent = &outcome.case;
        if parent.overlay.merged_children == 0 {
            return Ok(());
        }
        for event in &outcome.events {
            for child in cases::merged_into(tx, &parent.number).await? {
                let same = case_queries::same_enterprise(&child, parent);
                let followed = setting.run(|env| follow(&child, parent, event, same, env));
                let Some(followed) = followed.map_err(|error| case_save::refusal(&error, Vec::new()))? else {
                    continue;
                };
                case_save::store_changed(tx, app, setting, &followed, None, after).await?;
                follow_parent(tx, app, setting, &followed, after).await?;
            }
        }
        Ok(())
    })
}

/// Applies an action of the enterprise or of a timer to a case that is already known to be theirs, in a transaction
/// of the caller.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Conflict`, `Invalid`, `Store`.
#[expect(clippy::too_many_arguments, reason = "what one use case holds while it runs, passed once")]
pub(crate) async fn apply_in(
    tx: &mut Tx,
    app: &App,
    setting: &Setting,
    case: &Case,
    actor: &Actor,
    input: &ActionInput,
    request_id: Option<&str>,
    after: &mut AfterCommit,
) -> Result<Case, AppError> {
    let outcome = setting.apply(case, actor, input).map_err(|error| setting.refused(&error, case, actor))?;
    case_save::store_changed(tx, app, setting, &outcome, request_id, after).await?;
    follow_up(tx, app, setting, &outcome, input, actor, after).await?;
    let mut case = outcome.case;
    case.version += 1;
    Ok(case)
}

/// Does what a timer came due for. Gives `false` when the case has moved on and nothing is to be done.
///
/// # Errors
/// `NotFound`, `Store`.
pub async fn perform_timed(
    tx: &mut Tx,
    app: &App,
    id: CaseId,
    input: &ActionInput,
) -> Result<(bool, TimedEffects), AppError> {
    let setting = Setting::new(app, case_save::now_ms(app));
    let case = case_save::load(tx, id).await?;
    let mut after = AfterCommit::default();
    match setting.apply(&case, &Actor::Timer, input) {
        Ok(outcome) => {
            case_save::store_changed(tx, app, &setting, &outcome, None, &mut after).await?;
            Ok((true, TimedEffects(after)))
        }
        Err(_) => Ok((false, TimedEffects(after))),
    }
}

/// What is to be told once the transaction of a timer is committed.
#[derive(Debug)]
pub struct TimedEffects(AfterCommit);

impl TimedEffects {
    /// Tells open streams and wakes the jobs.
    pub fn tell(self, app: &App) {
        self.0.tell(app);
    }
}

/// The input of a timed action.
pub fn timed_input(action: CaseAction) -> Option<ActionInput> {
    let input = match action {
        CaseAction::LapseInfo => ActionInput::LapseInfo,
        CaseAction::DeemSigned => ActionInput::DeemSigned,
        CaseAction::ConfirmSilently => ActionInput::ConfirmSilently,
        CaseAction::ReleaseReply => ActionInput::ReleaseReply { note: None },
        CaseAction::Resume => ActionInput::Resume { note: Some("到期自动恢复".to_owned()) },
        CaseAction::RefuseExtension => ActionInput::RefuseExtension { reason: String::new() },
        CaseAction::ReportMilestone => {
            ActionInput::ReportMilestone { reached: false, text: "到期未报告节点结果".to_owned() }
        }
        CaseAction::Archive => ActionInput::Archive { package: String::new() },
        CaseAction::Submit
        | CaseAction::Refuse
        | CaseAction::Object
        | CaseAction::RequestInfo
        | CaseAction::SupplyInfo
        | CaseAction::Accept
        | CaseAction::AnswerOnSpot
        | CaseAction::RequestHandling
        | CaseAction::MarkOwnershipPending
        | CaseAction::RuleOwnership
        | CaseAction::Endorse
        | CaseAction::Dispatch
        | CaseAction::SignIn
        | CaseAction::Assign
        | CaseAction::RequestReturn
        | CaseAction::GrantReturn
        | CaseAction::RefuseReturn
        | CaseAction::RecordContact
        | CaseAction::RecordProgress
        | CaseAction::AskAssist
        | CaseAction::AnswerAssist
        | CaseAction::WaiveAssist
        | CaseAction::Pause
        | CaseAction::RequestExtension
        | CaseAction::GrantExtension
        | CaseAction::Regrade
        | CaseAction::DraftReply
        | CaseAction::RejectDraft
        | CaseAction::SignOff
        | CaseAction::RefuseReply
        | CaseAction::Confirm
        | CaseAction::Rate
        | CaseAction::AcceptPlan
        | CaseAction::UpholdRating
        | CaseAction::DismissRating
        | CaseAction::RequestClose
        | CaseAction::ApproveClose
        | CaseAction::RefuseClose
        | CaseAction::Reopen
        | CaseAction::Withdraw
        | CaseAction::Merge
        | CaseAction::Split
        | CaseAction::TransferOut
        | CaseAction::Supervise
        | CaseAction::EndSupervision
        | CaseAction::Escalate
        | CaseAction::Urge
        | CaseAction::AddInfo => return None,
    };
    Some(input)
}
