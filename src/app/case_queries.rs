//! Looking at cases: lists, one case with what the officer may do, its history. The scope is in the SQL; what the
//! officer may not know of the complainant is taken out here.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    App, AppError, Officer,
    case_save::{self, Setting},
    content::Content,
};
use crate::{
    domain::{
        access::{CaseScope, Permission, Role},
        case::{
            Actor, Case, CaseAction, CaseEvent, CaseNumber, CaseStatus, ClockKey, OfficerStamp, PauseReason,
            allowed_actions, longest_extension, pause_reasons,
        },
        ids::{ConversationId, OfficerId},
        kinds::{CaseType, Urgency},
        text,
    },
    store::{
        Tx,
        cases::{
            self, events,
            list::{self, CaseLine, Cursor, Filter},
            turns::{self, Turn},
        },
        deputies,
    },
};

/// What is shown instead of a name that must not be known.
pub const SEALED_NAME: &str = "（身份保密）";

/// The roles of an officer, `""` for the centre.
fn roles(officer: &Officer) -> Vec<(Role, String)> {
    officer.grants.iter().map(|(role, unit)| (*role, unit.clone().unwrap_or_default())).collect()
}

/// A unit and every unit below it.
fn subtree(content: &Content, unit: &str) -> Vec<String> {
    let units = content.routing.units().list();
    let mut below = vec![unit.to_owned()];
    let mut n = 0;
    while let Some(parent) = below.get(n).cloned() {
        for unit in units.iter().filter(|unit| unit.parent.as_deref() == Some(parent.as_str())) {
            if !below.contains(&unit.slug) {
                below.push(unit.slug.clone());
            }
        }
        n += 1;
    }
    below
}

/// Which cases an officer may see.
pub fn scope(content: &Content, officer: &Officer) -> CaseScope {
    CaseScope::new(&roles(officer), &|unit| subtree(content, unit))
}

/// The officer as the domain needs to know them, with the units in which they stand in for the leader today.
pub(crate) async fn stamp(
    tx: &mut Tx,
    content: &Content,
    officer: &Officer,
    now: Timestamp,
) -> Result<OfficerStamp, AppError> {
    let today = content.schedule.civil(now).date();
    let deputy_of = deputies::units_of(tx, officer.id, today).await?;
    Ok(OfficerStamp { id: officer.id, name: officer.name.clone(), roles: roles(officer), deputy_of })
}

/// One case as an officer may see it.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// The case; names and words are masked where the officer may not know who complains.
    pub case: Case,
    /// What the officer may do now.
    pub allowed: Vec<CaseAction>,
    /// For which reasons the officer may stop the clock of the reply.
    pub pause_reasons: Vec<PauseReason>,
    /// Longest extension, in working days.
    pub longest_extension: u32,
    /// Whether the complainant's identity is shown.
    pub sees_identity: bool,
    /// Short names of the units that occur.
    pub unit_names: BTreeMap<String, String>,
    /// The instant of this view.
    pub now: Timestamp,
}

impl CaseFile {
    pub(super) fn new(setting: &Setting, scope: &CaseScope, mut case: Case, actor: &Actor) -> Self {
        let (content, now) = (setting.content(), setting.now());
        let allowed = setting.run(|env| allowed_actions(&case, actor, env));
        let pause_reasons = pause_reasons(&case, actor);
        let longest_extension = longest_extension(&case, &content.book);
        let sees_identity = scope.sees_identity(&case);
        if !sees_identity {
            mask(&mut case);
        } else if !scope.contacts {
            mask_contacts(&mut case);
        }
        let mut unit_names = BTreeMap::new();
        let owners = case.clocks.iter().map(|clock| &clock.owner);
        let tasks = case.tasks.iter().map(|task| &task.unit);
        let named = case.lead_unit.iter().chain(&case.proposed_lead).chain(&case.assists).chain(&case.proposed_assists);
        let returns = case.returns.iter().flat_map(|request| [&request.unit, &request.proposed_unit]);
        for slug in named.chain(owners).chain(tasks).chain(returns) {
            unit_names.insert(slug.clone(), owner_name(content, slug));
        }
        Self { case, allowed, pause_reasons, longest_extension, sees_identity, unit_names, now }
    }

    /// The short name of a unit that occurs in the case.
    pub fn unit_name<'a>(&'a self, slug: &'a str) -> &'a str {
        self.unit_names.get(slug).map_or(slug, String::as_str)
    }
}

/// The name of a clock's owner.
pub fn owner_name(content: &Content, slug: &str) -> String {
    match slug {
        "centre" => "服务中心".to_owned(),
        "supervision" => "督办".to_owned(),
        "leader" => "签批领导".to_owned(),
        slug => content.routing.units().short_name(slug),
    }
}

/// How the name of an enterprise ends that people leave away.
const FIRM_ENDINGS: [&str; 5] = ["股份有限公司", "有限责任公司", "集团有限公司", "有限公司", "公司"];

/// What must not be read of a complainant: its names, as it writes them itself in whatever text.
pub(super) struct Hidden {
    names: Vec<String>,
}

impl Hidden {
    fn new(enterprise: &str, person: &str) -> Self {
        let short = FIRM_ENDINGS.iter().find_map(|ending| enterprise.strip_suffix(ending)).unwrap_or_default();
        let long_enough = |name: &&str, least: usize| name.chars().count() >= least;
        let names = [enterprise, person].into_iter().filter(|name| long_enough(name, 2));
        let short = std::iter::once(short).filter(|name| long_enough(name, 3));
        Self { names: names.chain(short).map(str::to_owned).collect() }
    }

    pub(super) fn of(case: &Case) -> Self {
        Self::new(&case.party.enterprise, &case.party.contact_name)
    }

    pub(super) fn hide(&self, words: &str) -> String {
        let words = text::mask_personal(words);
        self.names.iter().fold(words, |words, name| words.replace(name.as_str(), SEALED_NAME))
    }

    /// A particular of an event, without whoever complains.
    pub(super) fn fact(&self, key: &str, value: &str) -> String {
        match key {
            "person" | "words" | "call_record" => SEALED_NAME.to_owned(),
            "package" => value.to_owned(),
            _ => self.hide(value),
        }
    }
}

/// Whether two cases are of the same enterprise.
pub(super) fn same_enterprise(a: &Case, b: &Case) -> bool {
    !a.party.enterprise.is_empty() && a.party.enterprise == b.party.enterprise
}

fn mask(case: &mut Case) {
    let hidden = Hidden::of(case);
    let hide = |words: &mut String| *words = hidden.hide(words);
    for words in [&mut case.title, &mut case.original_words, &mut case.demand] {
        hide(words);
    }
    let ratings = case.ratings.iter_mut().flat_map(|rating| [&mut rating.words, &mut rating.reason]);
    let asked = std::iter::once(&mut case.overlay.pause_asked);
    let own = [&mut case.place, &mut case.object, &mut case.amount];
    for words in own.into_iter().chain(ratings).chain(asked).flatten() {
        hide(words);
    }
    for task in &mut case.tasks {
        hide(&mut task.text);
        task.answer.iter_mut().for_each(hide);
    }
    for pause in &mut case.pauses {
        hide(&mut pause.explanation);
    }
    SEALED_NAME.clone_into(&mut case.party.enterprise);
    case.party.uscc = None;
    case.party.contact_name = String::new();
    case.party.contact_phone = String::new();
    case.party.proxy = None;
}

/// Leaves who complains and takes away how to reach people: 138****0000, 李某.
fn mask_contacts(case: &mut Case) {
    let digits: Vec<char> = case.party.contact_phone.chars().collect();
    case.party.contact_phone = match digits.len() {
        0 => String::new(),
        1..=7 => "*".repeat(digits.len()),
        n => digits.iter().enumerate().map(|(at, &c)| if at < 3 || at + 4 >= n { c } else { '*' }).collect(),
    };
    if let Some(first) = case.party.contact_name.chars().next() {
        case.party.contact_name = format!("{first}某");
    }
    for words in [&mut case.title, &mut case.original_words, &mut case.demand] {
        *words = text::mask_personal(words);
    }
}

/// One case.
///
/// # Errors
/// `NotFound` when there is none or the officer may not see it, `Store`.
pub async fn file(app: &App, officer: &Officer, number: &CaseNumber) -> Result<CaseFile, AppError> {
    Ok(file_with_history(app, officer, number).await?.0)
}

/// One case with its history, oldest first.
///
/// # Errors
/// `NotFound` when there is none or the officer may not see it, `Store`.
pub async fn file_with_history(
    app: &App,
    officer: &Officer,
    number: &CaseNumber,
) -> Result<(CaseFile, Vec<CaseEvent>), AppError> {
    let setting = Setting::new(app, case_save::now_ms(app));
    let scope = scope(setting.content(), officer);
    let mut tx = app.db.read().await?;
    if list::visible(&mut tx, &scope, number).await?.is_none() {
        return Err(AppError::NotFound);
    }
    let case = cases::find_by_number(&mut tx, number).await?.ok_or(AppError::NotFound)?;
    let setting = setting.with_promises(case_save::open_promises(&mut tx, &case).await?);
    let mut history = events::list(&mut tx, case.id).await?;
    let actor = Actor::Officer(stamp(&mut tx, setting.content(), officer, setting.now()).await?);
    let hidden = Hidden::of(&case);
    let file = CaseFile::new(&setting, &scope, case, &actor);
    if !scope.contacts && file.sees_identity {
        for fact in history.iter_mut().flat_map(|event| event.facts.iter_mut()) {
            match fact.key.as_str() {
                "person" => fact.value = fact.value.chars().next().map(|c| format!("{c}某")).unwrap_or_default(),
                "rule_version" | "policy_version" | "package" => {}
                _ => fact.value = text::mask_personal(&fact.value),
            }
        }
    }
    if !file.sees_identity {
        for fact in history.iter_mut().flat_map(|event| event.facts.iter_mut()) {
            if !matches!(fact.key.as_str(), "rule_version" | "policy_version") {
                // A hash is nobody's name, and parts of it look like numbers that are.
                fact.value = hidden.fact(&fact.key, &fact.value);
            }
        }
    }
    Ok((file, history))
}

/// Whether an officer may see a case that came out of this conversation.
///
/// # Errors
/// `Store`.
pub(super) async fn sees_case_of(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    conversation: ConversationId,
) -> Result<bool, AppError> {
    if !officer.permits(Permission::ViewCases) {
        return Ok(false);
    }
    let scope = scope(&app.content.load(), officer);
    for case in cases::of_conversation(tx, conversation).await? {
        let hidden = !scope.sees_identity(&case);
        if !hidden && list::visible(tx, &scope, &case.number).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One case with its history within a scope, for jobs and the command line: nobody acts.
///
/// # Errors
/// `NotFound`, `Store`.
pub async fn file_in_scope(
    app: &App,
    scope: &CaseScope,
    number: &CaseNumber,
) -> Result<(CaseFile, Vec<CaseEvent>), AppError> {
    let mut tx = app.db.read().await?;
    if list::visible(&mut tx, scope, number).await?.is_none() {
        return Err(AppError::NotFound);
    }
    let case = cases::find_by_number(&mut tx, number).await?.ok_or(AppError::NotFound)?;
    let history = events::list(&mut tx, case.id).await?;
    let mut file = CaseFile::new(&Setting::new(app, case_save::now_ms(app)), scope, case, &Actor::Timer);
    file.allowed.clear();
    Ok((file, history))
}

/// What a list is asked for.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only this state.
    pub status: Option<CaseStatus>,
    /// Only this type.
    pub case_type: Option<CaseType>,
    /// Only this unit.
    pub unit: Option<String>,
    /// Only those of this handler.
    pub handler: Option<OfficerId>,
    /// Only open or only finished ones.
    pub open: Option<bool>,
    /// Only overdue ones (`true`) or only those that are not (`false`).
    pub overdue: Option<bool>,
    /// Only those due before this instant.
    pub due_before: Option<Timestamp>,
    /// Words or a number.
    pub q: Option<String>,
    /// Lines wanted, 1 to 200.
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// One line of a list.
#[derive(Debug, Clone)]
pub struct ListLine {
    /// Number with the round.
    pub number: String,
    /// State.
    pub status: CaseStatus,
    /// Type.
    pub case_type: CaseType,
    /// Topic code.
    pub topic: Option<String>,
    /// Urgency.
    pub urgency: Urgency,
    /// One line.
    pub title: String,
    /// Enterprise, or what stands for it.
    pub enterprise: String,
    /// Slug of the unit that has it.
    pub lead_unit: Option<String>,
    /// Its short name.
    pub lead_name: Option<String>,
    /// Short name of the unit that is proposed.
    pub proposed_name: Option<String>,
    /// Next due moment.
    pub due_at: Option<Timestamp>,
    /// The clock it is of, e.g. `K5`.
    pub due_clock: Option<String>,
    /// “还剩 1 个工作日 3 小时”.
    pub due_text: Option<String>,
    /// Past due.
    pub overdue: bool,
    /// Overlays in words.
    pub labels: String,
    /// Submitted at.
    pub submitted_at: Timestamp,
    /// In this state since.
    pub entered_at: Timestamp,
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct CasePage {
    /// The lines, by remaining time.
    pub lines: Vec<ListLine>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

fn read_cursor(text: &str) -> Option<Cursor> {
    let (sort_due, id) = text.split_once('.')?;
    (id.len() == 36 && id.is_ascii()).then_some(())?;
    Some(Cursor { sort_due: sort_due.parse().ok()?, id: id.to_owned() })
}

/// A list of what the officer may see.
///
/// # Errors
/// `Invalid` when the cursor is not one of ours, `Store`.
pub async fn list(app: &App, officer: &Officer, query: &ListQuery) -> Result<CasePage, AppError> {
    let content = app.content.load();
    list_in_scope(app, &scope(&content, officer), query).await
}

/// A list within a scope, for jobs and the command line.
///
/// # Errors
/// `Invalid` when the cursor is not one of ours, `Store`.
pub async fn list_in_scope(app: &App, scope: &CaseScope, query: &ListQuery) -> Result<CasePage, AppError> {
    list_turns(app, scope, query, None).await
}

/// A list, narrowed to what waits for somebody.
pub(super) async fn list_turns(
    app: &App,
    scope: &CaseScope,
    query: &ListQuery,
    turns: Option<&[Turn<'_>]>,
) -> Result<CasePage, AppError> {
    let content = app.content.load();
    let now = case_save::now_ms(app);
    let cursor = match query.cursor.as_deref() {
        Some(text) => Some(read_cursor(text).ok_or_else(|| AppError::field("/cursor", "游标无效"))?),
        None => None,
    };
    let limit = i64::from(query.limit.unwrap_or(50).clamp(1, 200));
    let late = query.overdue == Some(true);
    let overdue = late.then_some(now);
    let number = query.q.as_deref().and_then(|q| q.trim().parse::<CaseNumber>().ok());
    let q = number.as_ref().map(|number| number.as_str().to_owned()).or_else(|| query.q.clone());
    let filter = Filter {
        status: query.status.map(CaseStatus::as_str),
        case_type: query.case_type.map(CaseType::as_str),
        unit: query.unit.as_deref(),
        handler: query.handler,
        open: if late || query.due_before.is_some() { Some(true) } else { query.open },
        due_before: match (overdue, query.due_before) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        },
        due_from: (query.overdue == Some(false)).then_some(now),
        q: q.as_deref(),
    };
    let mut tx = app.db.read().await?;
    let mut rows = match (number, turns) {
        (Some(number), _) => list::visible(&mut tx, scope, &number).await?.into_iter().collect(),
        (None, Some(wait)) => turns::page(&mut tx, scope, &filter, wait, cursor.as_ref(), limit + 1).await?,
        (None, None) => list::page(&mut tx, scope, &filter, cursor.as_ref(), limit + 1).await?,
    };
    drop(tx);
    let more = rows.len() as i64 > limit;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| format!("{}.{}", row.sort_due, row.id));
    let mut lines: Vec<ListLine> =
        rows.into_iter().map(|row| line(&content, scope, &row, now)).collect::<Result<_, _>>()?;
    lines.retain(|line| query.overdue.is_none_or(|wanted| wanted == line.overdue));
    Ok(CasePage { lines, next_cursor })
}

fn line(content: &Content, scope: &CaseScope, row: &CaseLine, now: Timestamp) -> Result<ListLine, AppError> {
    let bad = |column: &'static str| {
        AppError::Store(crate::store::StoreError::Inconsistent { table: "cases", column, id: row.id.clone() })
    };
    let at = |ms: i64, column| Timestamp::from_millisecond(ms).map_err(|_| bad(column));
    let status: CaseStatus = row.status.parse().map_err(|_| bad("status"))?;
    let due_at = row.due_at.map(|ms| at(ms, "due_at")).transpose()?;
    let hidden = row.confidential && !scope.all && !(row.sealed && scope.sealed);
    let number: CaseNumber = row.number.parse().map_err(|_| bad("number"))?;
    let units = content.routing.units();
    let hide = |text: &str| {
        if hidden { Hidden::new(&row.enterprise, "").hide(text) } else { text.to_owned() }
    };
    Ok(ListLine {
        number: number.with_round(u16::try_from(row.round).unwrap_or(0)),
        status,
        case_type: row.case_type.parse().map_err(|_| bad("case_type"))?,
        urgency: row.urgency.parse().map_err(|_| bad("urgency"))?,
        title: if row.enterprise.is_empty() { row.title.clone() } else { hide(&row.title) },
        enterprise: if hidden { SEALED_NAME.to_owned() } else { row.enterprise.clone() },
        lead_name: row.lead_unit.as_deref().map(|slug| units.short_name(slug)),
        proposed_name: row.proposed_lead.as_deref().map(|slug| units.short_name(slug)),
        due_text: due_at.map(|due| content.schedule.remaining(now, due).in_words()),
        overdue: due_at.is_some_and(|due| now > due),
        due_at,
        due_clock: row.due_clock.clone(),
        labels: row.labels.clone(),
        submitted_at: at(row.submitted_at, "submitted_at")?,
        entered_at: at(row.entered_at, "entered_at")?,
        topic: row.topic.clone(),
        lead_unit: row.lead_unit.clone(),
    })
}

/// How many open cases the officer sees; counting stops at a thousand.
///
/// # Errors
/// `Store`.
pub async fn count_open(app: &App, officer: &Officer) -> Result<i64, AppError> {
    let content = app.content.load();
    let scope = scope(&content, officer);
    let mut tx = app.db.read().await?;
    Ok(turns::count_open(&mut tx, &scope, None, None).await?)
}

/// Which clock the enterprise is told about: K5, or K1 until the case is accepted.
pub fn told_due(case: &Case) -> Option<Timestamp> {
    let k5 = case.clock(ClockKey::K5);
    match (case.status, k5) {
        (CaseStatus::Submitted, _) => case.clock(ClockKey::K1).and_then(|clock| clock.due_at),
        (_, Some(clock)) => clock.due_at,
        (_, None) => None,
    }
}
