//! The enterprise's view of its case by number and code: where it stands, who has it, until when, what happened, and
//! what the enterprise may do. A wrong code and an unknown number look the same.

use jiff::Timestamp;

use super::{
    App, AppError,
    case_actions::{RequestId, applied, apply_in},
    case_input::{ActionFields, Known},
    case_queries::{self, told_due},
    case_save::{self, AfterCommit, Setting},
    content::Content,
    intake::base_number,
};
use crate::{
    domain::{
        case::{
            ActionInput, Actor, Case, CaseAction, CaseEvent, CaseNumber, CaseStatus, ClockKey, ClockState, Conclusion,
            EventKind, GRADES, QueryCode, RULE_SOURCE, Rating, Stage, allowed_actions,
        },
        dialogue::{CaseAct, ProgressView},
        ids::ConversationId,
    },
    store::{
        Tx,
        cases::{self, events},
    },
};

/// Cases of a conversation that the bot tells of at once.
const MOST_SHOWN: usize = 5;

/// A line of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackStep {
    /// When.
    pub at: Timestamp,
    /// What happened, as the enterprise reads it.
    pub text: String,
    /// What the enterprise itself wrote with it; empty for what others did.
    pub words: String,
}

/// The answer that the enterprise got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackReply {
    /// The text as it was signed.
    pub text: String,
    /// Who signed; empty for an answer on the spot.
    pub signer: String,
    /// When the enterprise got it.
    pub at: Timestamp,
    /// 办理结论 in words; empty where there is none.
    pub conclusion: &'static str,
    /// Until when it was promised.
    pub due_at: Option<Timestamp>,
    /// It came after that.
    pub late: bool,
}

/// A limit that still counts for the enterprise: for whom, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackDue {
    /// What has to happen until then: 受理时限, 答复时限, 确认期限, 复核时限.
    pub label: &'static str,
    /// Until when.
    pub at: Timestamp,
    /// Time runs on; else it is held while the reply is checked.
    pub runs: bool,
    /// Rests on a calendar that is not published.
    pub provisional: bool,
}

/// How the enterprise rated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackRating {
    /// 非常满意 … 非常不满意.
    pub label: &'static str,
    /// 5 to 1.
    pub grade: u8,
    /// Whether it says that the matter is solved.
    pub solved: bool,
    /// Its words.
    pub words: String,
    /// When.
    pub at: Timestamp,
}

/// Another case that was filed together with this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// Number.
    pub number: String,
    /// Title.
    pub title: String,
    /// State.
    pub status: CaseStatus,
}

/// What the enterprise may see of its case.
#[derive(Debug, Clone)]
pub struct TrackView {
    /// Number with the round.
    pub number: String,
    /// Title.
    pub title: String,
    /// State.
    pub status: CaseStatus,
    /// What the state means, in a sentence.
    pub wording: String,
    /// Stage of the bar, 1 to 8; 0 when the case left the road.
    pub stage: u8,
    /// Who has it now.
    pub holder: String,
    /// Until when the enterprise gets its answer (or hears from us).
    pub due_at: Option<Timestamp>,
    /// The same in words.
    pub due_text: Option<String>,
    /// The due date rests on a calendar that is not published.
    pub provisional: bool,
    /// The clock stands still, and why.
    pub paused: Option<String>,
    /// What happened, oldest first.
    pub timeline: Vec<TrackStep>,
    /// The limit that counts now, if any.
    pub due: Option<TrackDue>,
    /// The reply, once it was released, or the answer on the spot.
    pub reply: Option<TrackReply>,
    /// 办结结论 in words, once the case is closed.
    pub conclusion: &'static str,
    /// The enterprise's own ratings, oldest first.
    pub ratings: Vec<TrackRating>,
    /// What the enterprise may do now.
    pub allowed: Vec<CaseAction>,
    /// Cases filed together with it, itself not among them.
    pub siblings: Vec<Sibling>,
    /// The number of the case it was merged into.
    pub parent: Option<String>,
    /// Type in words.
    pub type_label: &'static str,
    /// Submitted at.
    pub submitted_at: Timestamp,
    /// The enterprise's own words.
    pub original_words: String,
}

/// Finds the case that number and code open.
async fn open(tx: &mut Tx, number: &str, code: &str) -> Result<Case, AppError> {
    let number: CaseNumber = number.parse().map_err(|_| AppError::NotFound)?;
    let code = QueryCode::parse(code).ok_or(AppError::NotFound)?;
    let case = cases::find_by_number(tx, &number).await?.ok_or(AppError::NotFound)?;
    if case.query_code.matches(&code) { Ok(case) } else { Err(AppError::NotFound) }
}

/// What number and code open.
///
/// # Errors
/// `NotFound` for an unknown number and for a wrong code alike, `Store`.
pub async fn view(app: &App, number: &str, code: &str) -> Result<TrackView, AppError> {
    let mut tx = app.db.read().await?;
    let case = open(&mut tx, number, code).await?;
    full_view(&mut tx, &Setting::new(app, case_save::now_ms(app)), case).await
}

async fn full_view(tx: &mut Tx, setting: &Setting, case: Case) -> Result<TrackView, AppError> {
    let (content, now) = (setting.content(), setting.now());
    let actor = enterprise_actor(&case);
    let history = events::list(tx, case.id).await?;
    let siblings = cases::of_code(tx, &case.query_code).await?;
    let parent = match &case.overlay.parent {
        Some(number) => cases::find_by_number(tx, number).await?,
        None => None,
    };
    // A merged case follows its parent.
    let shown = parent.as_ref().unwrap_or(&case);
    let units = content.routing.units();
    let due_at = told_due(shown).filter(|_| shown.status.is_open() && awaits_answer(shown));
    let policy = shown.clock(ClockKey::K5);
    // What concerns another enterprise alone is not shown to this one.
    let other = parent.as_ref().filter(|parent| !case_queries::same_enterprise(&case, parent));
    Ok(TrackView {
        number: case.display_number(),
        title: case.title.clone(),
        status: case.status,
        wording: wording(content, &case, other.is_some()),
        stage: shown.status.stage().map_or(0, Stage::number),
        holder: match shown.responsible().unit {
            Some(unit) => units.short_name(&unit),
            None => "服务中心".to_owned(),
        },
        due_at,
        due_text: due_at.map(|due| due_words(content, shown, due, now)),
        provisional: policy.is_some_and(|clock| clock.provisional),
        paused: shown.open_pause().map(|pause| match other {
            Some(_) => pause.reason.label().to_owned(),
            None => format!("{}：{}", pause.reason.label(), pause.explanation),
        }),
        timeline: public_timeline(content, &history),
        due: current_due(shown, due_at),
        reply: if other.is_none() { answer(content, shown, &history) } else { None },
        conclusion: if matches!(case.status, CaseStatus::Closed | CaseStatus::Archived) {
            case.closings.last().map_or("", |closing| closing.conclusion.label())
        } else {
            ""
        },
        ratings: case.ratings.iter().map(own_rating).collect(),
        allowed: setting.run(|env| allowed_actions(&case, &actor, env)),
        siblings: siblings
            .into_iter()
            .filter(|other| other.id != case.id)
            .map(|other| Sibling { number: other.display_number(), title: other.title, status: other.status })
            .collect(),
        parent: case.overlay.parent.as_ref().filter(|_| other.is_none()).map(ToString::to_string),
        type_label: case.case_type.label(),
        submitted_at: case.submitted_at,
        original_words: case.original_words.clone(),
    })
}

/// Whether an answer is still to come. A reply that was released is there: what the clock of the answer did or does is no
/// news any more, unless the enterprise said that nothing is solved and it runs on.
fn awaits_answer(case: &Case) -> bool {
    if matches!(case.status, CaseStatus::AwaitingConfirm | CaseStatus::AnsweredOnSpot | CaseStatus::ClosingReview) {
        return false;
    }
    let released = case.signature.as_ref().is_some_and(|signature| signature.released_at.is_some());
    let runs =
        case.clock(ClockKey::K5).is_some_and(|clock| matches!(clock.state, ClockState::Running | ClockState::Paused));
    runs || !released
}

/// The limit that counts now: of the acceptance, of the answer, and after it of the enterprise's word or of the recheck.
fn current_due(case: &Case, answer_due: Option<Timestamp>) -> Option<TrackDue> {
    let of = |label, key| {
        case.clock(key)
            .filter(|clock| clock.state == ClockState::Running)
            .and_then(|clock| clock.due_at.map(|at| TrackDue { label, at, runs: true, provisional: clock.provisional }))
    };
    let Some(at) = answer_due else {
        return match case.status {
            CaseStatus::AwaitingConfirm | CaseStatus::AnsweredOnSpot => of("确认期限", ClockKey::K8),
            CaseStatus::Recheck => of("复核时限", ClockKey::K9),
            CaseStatus::Rectifying => of("整改时限", ClockKey::K9),
            CaseStatus::Draft
            | CaseStatus::Submitted
            | CaseStatus::NeedInfo
            | CaseStatus::NotAccepted
            | CaseStatus::Accepted
            | CaseStatus::OwnershipPending
            | CaseStatus::PreApproval
            | CaseStatus::Dispatched
            | CaseStatus::ReturnPending
            | CaseStatus::Signed
            | CaseStatus::Processing
            | CaseStatus::SignOffPending
            | CaseStatus::Replied
            | CaseStatus::PlanTracking
            | CaseStatus::ClosingReview
            | CaseStatus::Closed
            | CaseStatus::Archived
            | CaseStatus::Withdrawn
            | CaseStatus::Merged
            | CaseStatus::Transferred => None,
        };
    };
    if case.status == CaseStatus::Submitted {
        return Some(TrackDue { label: "受理时限", at, runs: true, provisional: false });
    }
    let clock = case.clock(ClockKey::K5);
    Some(TrackDue {
        label: "答复时限",
        at,
        runs: clock.is_none_or(|clock| clock.state == ClockState::Running),
        provisional: clock.is_some_and(|clock| clock.provisional),
    })
}

/// The reply as released, or the answer that was given on the spot.
fn answer(content: &Content, case: &Case, history: &[CaseEvent]) -> Option<TrackReply> {
    let clock = case.clock(ClockKey::K5);
    let (due_at, late) = (clock.and_then(|clock| clock.due_at), clock.is_some_and(|clock| clock.missed));
    if let Some(signature) = &case.signature
        && let Some(at) = signature.released_at
    {
        return Some(TrackReply {
            text: signature.text.clone(),
            signer: signature.signer_name.clone(),
            at,
            conclusion: signature.conclusion.label(),
            due_at,
            late,
        });
    }
    let event = history.iter().rev().find(|event| event.kind == EventKind::AnsweredOnSpot)?;
    let fact = |key| event.fact(key).unwrap_or_default();
    Some(TrackReply {
        text: format!("{}\n依据：{}", fact("text"), basis(content, fact("source"))),
        signer: String::new(),
        at: event.at,
        conclusion: Conclusion::Answered.label(),
        due_at: None,
        late: false,
    })
}

/// What an answer on the spot rests on, in words: a rule is named by the documents that it cites, not by its id.
fn basis(content: &Content, source: &str) -> String {
    let Some(id) = source.strip_prefix(RULE_SOURCE) else { return source.to_owned() };
    let cited = content.rules.rule(id.trim()).map(|rule| {
        rule.citations.iter().map(|citation| format!("《{}》", citation.title)).collect::<Vec<_>>().join("、")
    });
    cited.filter(|words| !words.is_empty()).unwrap_or_else(|| "服务中心审核过的答复".to_owned())
}

fn own_rating(rating: &Rating) -> TrackRating {
    TrackRating {
        label: GRADES.iter().find(|(grade, _)| *grade == rating.grade).map_or("", |(_, label)| *label),
        grade: rating.grade,
        solved: rating.solved,
        words: rating.words.clone().unwrap_or_default(),
        at: rating.at,
    }
}

/// What the enterprise itself wrote with an event; it is shown to nobody but itself.
fn own_words(event: &CaseEvent) -> String {
    use EventKind as K;
    const WORDS: &[(EventKind, &str)] = &[
        (K::InfoAdded, "text"),
        (K::InfoSupplied, "text"),
        (K::Objected, "text"),
        (K::Urged, "words"),
        (K::HandlingRequested, "words"),
        (K::Confirmed, "words"),
        (K::Rated, "words"),
        (K::Withdrawn, "reason"),
        (K::Reopened, "reason"),
    ];
    if !matches!(event.actor.kind, "enterprise" | "proxy") {
        return String::new();
    }
    let key = WORDS.iter().find(|(kind, _)| *kind == event.kind).map(|(_, key)| *key);
    key.and_then(|key| event.fact(key)).unwrap_or_default().to_owned()
}

fn due_words(content: &Content, case: &Case, due: Timestamp, now: Timestamp) -> String {
    let moment = content.schedule.due_text(due, now);
    let running = case.clock(ClockKey::K5).is_none_or(|clock| clock.state == ClockState::Running);
    if running {
        format!("{moment}前，{}", content.schedule.remaining(now, due).in_words())
    } else {
        format!("{moment}前")
    }
}

fn wording(content: &Content, case: &Case, of_others: bool) -> String {
    let units = content.routing.units();
    let lead = case.lead_unit.as_deref().map(|slug| units.short_name(slug));
    match (case.status, lead) {
        (CaseStatus::Dispatched, Some(lead)) => format!("已派给{lead}，等待签收"),
        (CaseStatus::Signed, Some(lead)) => format!(
            "{lead}已签收，{}将与您联系",
            case.handler_name.as_ref().map_or_else(|| "承办人".to_owned(), |name| format!("承办人{name}"))
        ),
        (CaseStatus::Processing, Some(lead)) => format!("{lead}正在办理"),
        (CaseStatus::NotAccepted, _) => case.refusal.as_ref().map_or_else(
            || case.status.enterprise_wording().to_owned(),
            |(code, path)| format!("不予受理（{}）：{path}。有异议可在10个工作日内提出", code.label()),
        ),
        (CaseStatus::Closed | CaseStatus::Archived, _) => {
            let conclusion = case.closings.last().map_or("", |closing| closing.conclusion.label());
            format!("{}：{conclusion}", case.status.enterprise_wording())
        }
        (CaseStatus::Withdrawn, _) if case.lapsed => "因未补充材料中止，补齐后可随时恢复".to_owned(),
        (CaseStatus::Merged, _) if of_others => "已与其他企业反映的同一事项合并办理，进度同步".to_owned(),
        (CaseStatus::Merged, _) => case.overlay.parent.as_ref().map_or_else(
            || case.status.enterprise_wording().to_owned(),
            |parent| format!("与 {parent} 合并办理，进度同步"),
        ),
        (status, _) => status.enterprise_wording().to_owned(),
    }
}

/// The lines the enterprise may read: a projection of the events.
pub fn public_timeline(content: &Content, history: &[CaseEvent]) -> Vec<TrackStep> {
    let units = content.routing.units();
    let name = |slug: &str| units.short_name(slug);
    history
        .iter()
        .filter_map(|event| {
            event.public_line(&name).map(|text| TrackStep {
                at: event.at,
                text: match event.fact("source") {
                    Some(source) if source.starts_with(RULE_SOURCE) => text.replace(source, &basis(content, source)),
                    Some(_) | None => text,
                },
                words: own_words(event),
            })
        })
        .collect()
}

/// What the enterprise's page may do; everything else is the staff's.
fn enterprise_actor(case: &Case) -> Actor {
    // Who filed for it may also confirm for it: the code was handed to them.
    match &case.party.proxy {
        Some(name) => Actor::Proxy { name: name.clone() },
        None => Actor::Enterprise,
    }
}

/// Does what the enterprise wants: confirm, rate, add_info, urge, withdraw, object and what else the state offers it.
///
/// # Errors
/// `NotFound`, `Conflict`, `Invalid`, `Store`.
pub async fn perform(
    app: &App,
    number: &str,
    code: &str,
    action: CaseAction,
    fields: &ActionFields,
    idempotency_key: Option<&str>,
) -> Result<TrackView, AppError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match perform_once(app, number, code, action, fields.clone(), idempotency_key).await {
            Err(AppError::Store(error)) if error.is_transient() && attempt < 4 => {}
            done => return done,
        }
    }
}

async fn perform_once(
    app: &App,
    number: &str,
    code: &str,
    action: CaseAction,
    fields: ActionFields,
    idempotency_key: Option<&str>,
) -> Result<TrackView, AppError> {
    let now = case_save::now_ms(app);
    let mut tx = app.db.write().await?;
    let case = open(&mut tx, number, code).await?;
    let request =
        idempotency_key.map(|key| RequestId::new(&format!("enterprise:{}:{key}", action.as_str()), &fields.digest()));
    if applied(&mut tx, &case, request.as_ref()).await? {
        let view = full_view(&mut tx, &Setting::new(app, now), case).await?;
        tx.rollback().await?;
        return Ok(view);
    }
    let actor = enterprise_actor(&case);
    let known = Known { case: &case, handler: None, parent: None, repeats: 0, refused_before: 0, own_units: &[] };
    let input = fields.into_input(action, &known).map_err(|error| AppError::invalid("invalid_fields", vec![error]))?;
    let promised = case_save::open_promises(&mut tx, &case).await?;
    let setting = Setting::new(app, now).with_tasks(app, input.new_tasks()).with_promises(promised);
    let mut after = AfterCommit::default();
    let case =
        apply_in(&mut tx, app, &setting, &case, &actor, &input, request.as_ref().map(RequestId::as_str), &mut after)
            .await?;
    let view = full_view(&mut tx, &setting, case).await?;
    tx.commit().await?;
    after.tell(app);
    Ok(view)
}

/// Does what the enterprise said in the conversation, in the transaction that stores its words: the case as it is then.
/// That it is the enterprise's own is the business of the caller. A refusal of the case has changed nothing.
///
/// # Errors
/// `NotFound`, `Conflict`, `Forbidden`, `Invalid`, `Store`.
pub(crate) async fn perform_in(
    tx: &mut Tx,
    app: &App,
    number: &str,
    act: CaseAct,
    words: Option<String>,
    after: &mut AfterCommit,
) -> Result<ProgressView, AppError> {
    let input = match act {
        CaseAct::Urge => ActionInput::Urge { words },
        CaseAct::Add => ActionInput::AddInfo { text: words.unwrap_or_default() },
        CaseAct::Withdraw => ActionInput::Withdraw {
            reason: words.unwrap_or_else(|| "企业在会话中撤回，没有说明原因".to_owned()),
        },
        CaseAct::Confirm { solved } => ActionInput::Confirm { solved, words, call_record: None },
        CaseAct::Rate { grade } => ActionInput::Rate { grade, solved: None, reason: None, words },
    };
    let number: CaseNumber = base_number(number).parse().map_err(|_| AppError::NotFound)?;
    let case = cases::find_by_number(tx, &number).await?.ok_or(AppError::NotFound)?;
    let actor = enterprise_actor(&case);
    let setting = Setting::new(app, case_save::now_ms(app)).with_tasks(app, input.new_tasks());
    let case = apply_in(tx, app, &setting, &case, &actor, &input, None, after).await?;
    progress_view(tx, app, case).await
}

/// What the bot tells about a case whose number and code were given; `None` when they do not fit.
///
/// # Errors
/// `Store`.
pub async fn progress(tx: &mut Tx, app: &App, number: &str, code: &str) -> Result<Option<ProgressView>, AppError> {
    match open(tx, number, code).await {
        Ok(case) => Ok(Some(progress_view(tx, app, case).await?)),
        Err(AppError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the bot tells about the cases of its own conversation, and about those of these numbers, which it may see.
///
/// # Errors
/// `Store`.
pub async fn progress_of_conversation(
    tx: &mut Tx,
    app: &App,
    conversation: ConversationId,
    numbers: &[String],
) -> Result<Vec<ProgressView>, AppError> {
    let mut own = cases::of_person(tx, conversation).await?;
    own.truncate(MOST_SHOWN);
    for number in numbers.iter().rev() {
        let number: CaseNumber = base_number(number).parse().map_err(|_| AppError::NotFound)?;
        if own.len() < MOST_SHOWN && own.iter().all(|case| case.number != number) {
            own.extend(cases::find_by_number(tx, &number).await?);
        }
    }
    let mut views = Vec::new();
    for case in own {
        views.push(progress_view(tx, app, case).await?);
    }
    Ok(views)
}

async fn progress_view(tx: &mut Tx, app: &App, case: Case) -> Result<ProgressView, AppError> {
    let awaits = matches!(case.status, CaseStatus::AwaitingConfirm | CaseStatus::AnsweredOnSpot);
    let view = full_view(tx, &Setting::new(app, case_save::now_ms(app)), case).await?;
    Ok(ProgressView {
        number: view.number,
        title: view.title,
        status: view.status.as_str().to_owned(),
        status_label: view.wording,
        stage: view.stage,
        holder: Some(view.holder),
        due_at: view.due_at,
        due_text: view.due_text,
        latest: view.timeline.into_iter().rev().take(3).map(|step| step.text).collect(),
        is_open: view.status.is_open(),
        may_confirm: awaits && view.allowed.contains(&CaseAction::Confirm),
        may_rate: view.allowed.contains(&CaseAction::Rate),
    })
}
