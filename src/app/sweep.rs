//! The sweep over clocks: due dates follow a newly published calendar, and what is due fires.
//!
//! A timer is claimed, acted upon and noted in one transaction: it happens once or not at all, whatever dies in
//! between and however many gateways share the database. Nothing here computes a due date of its own.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};

use super::{
    App, AppError,
    archiving::{self, Prepared},
    case_actions::{follow_parent, timed_input},
    case_save::{self, AfterCommit, Setting},
    clocks::{self, Step},
};
use crate::{
    domain::{
        access::Role,
        case::{
            ActionInput, Actor, ActorStamp, Case, CaseAction, CaseClock, CaseEvent, CaseStatus, ClockKey, ClockState,
            EventKind, Fact, OutMessage, Outcome, Recipient, TransitionError, remind,
        },
        ids::CaseId,
        sla::{Pause, Rung},
    },
    store::{
        StoreError, Tx,
        cases::{self, packages},
        timers::{self, Timer},
    },
};

/// Timers per transaction: short enough that a visitor's message does not wait behind it.
const BATCH: usize = 100;
/// Cases per transaction when a calendar was published.
const CALENDAR_BATCH: usize = 100;
/// How often a batch is run again when another writer was first.
const ATTEMPTS: u32 = 5;
/// Timers of a case whose row cannot be read are looked at again after this.
const UNREADABLE_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// A timer that the case refuses but still waits for comes again after this.
const REFUSED_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// A case whose history is broken is looked at again after this, to be archived when it was mended.
const BROKEN_PAUSE: SignedDuration = SignedDuration::from_hours(24);
/// The step of the ladder that is a 督办 of the system (DOMAIN 2.6, T47).
const SUPERVISE: u8 = 4;
/// The step of the ladder that takes a case to the next level (DOMAIN 2.6, T48).
const ESCALATE: u8 = 5;
/// Limits for signing in and first contact that a unit may break before it is supervised (DOMAIN 2.6, step 4).
const LATE_STARTS: usize = 2;

/// What one sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Ladder steps told.
    pub warned: usize,
    /// Actions of the system done.
    pub acted: usize,
    /// Timers whose case had moved on.
    pub stale: usize,
    /// Cases whose due dates moved because a calendar was published.
    pub recomputed: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { warned, acted, stale, recomputed } = self;
        write!(f, "预警 {warned}，系统动作 {acted}，已失效 {stale}，重算时限 {recomputed}")
    }
}

impl std::ops::AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.warned += other.warned;
        self.acted += other.acted;
        self.stale += other.stale;
        self.recomputed += other.recomputed;
    }
}

/// Follows the calendar, then fires everything that is due.
///
/// # Errors
/// `Store`, `Internal`. What was committed before stays done.
pub async fn run(app: &App) -> Result<Summary, AppError> {
    let mut summary = if calendar::leads(app).await? { follow_calendar(app).await? } else { Summary::default() };
    loop {
        let (taken, done) = again(|| fire_batch(app)).await?;
        summary += done;
        if taken < BATCH {
            return Ok(summary);
        }
    }
}

/// Runs a batch again when another writer was first.
async fn again<T, F: Future<Output = Result<T, AppError>>>(batch: impl Fn() -> F) -> Result<T, AppError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match batch().await {
            Err(AppError::Store(error)) if error.is_transient() && attempt < ATTEMPTS => {
                tracing::debug!(attempt, "a sweep batch was overtaken");
            }
            done => return done,
        }
    }
}

/// One transaction: claims what is due and does it. Gives how many timers it took.
async fn fire_batch(app: &App) -> Result<(usize, Summary), AppError> {
    let now = case_save::now_ms(app);
    let mut tx = app.db.read().await?;
    let next = timers::next_at(&mut tx).await?;
    drop(tx);
    if next.is_none_or(|at| at > now) {
        return Ok((0, Summary::default()));
    }
    let setting = Setting::new(app, now);
    let mut tx = app.db.write().await?;
    let claimed = timers::claim(&mut tx, now, BATCH as i64).await?;
    let taken = claimed.len();
    let mut by_case: BTreeMap<CaseId, Vec<Timer>> = BTreeMap::new();
    for timer in claimed {
        by_case.entry(timer.case).or_default().push(timer);
    }
    let (mut summary, mut after, mut outcomes) = (Summary::default(), AfterCommit::default(), Vec::new());
    let (mut changed, mut later) = (Vec::new(), Vec::new());
    let ids: Vec<CaseId> = by_case.keys().copied().collect();
    let mut found = readable(&mut tx, &ids).await?;
    for (id, due) in by_case {
        let Some(case) = found.remove(&id) else {
            // One damaged row holds up nobody else; mended, its steps still come.
            let again_at = now.saturating_add(UNREADABLE_PAUSE).unwrap_or(now);
            later.extend(due.iter().map(|timer| (timer.clone(), again_at)));
            summary.stale += due.len();
            continue;
        };
        let mut work = Work::new(case);
        for timer in due {
            let step = Step::read(&timer.step);
            let fired = if step == Some(Step::Act(CaseAction::Archive)) {
                archive(&mut tx, app, &mut work, &timer, &setting, &mut after).await?
            } else {
                work.fire(&timer, &setting)
            };
            match (fired, step) {
                (Fired::Done, step) => {
                    if matches!(step, Some(Step::Rung(_))) {
                        summary.warned += 1;
                    } else {
                        summary.acted += 1;
                    }
                    outcomes.push((timer, "done".to_owned()));
                }
                (Fired::Stale(code), _) => {
                    summary.stale += 1;
                    outcomes.push((timer, code));
                }
                (Fired::Later(at), _) => later.push((timer, at)),
            }
        }
        changed.extend(work.finish());
    }
    case_save::store_all_changed(&mut tx, app, &setting, &changed, &mut after).await?;
    for outcome in &changed {
        follow_parent(&mut tx, app, &setting, outcome, &mut after).await?;
    }
    timers::note_outcomes(&mut tx, &outcomes).await?;
    for (timer, at) in &later {
        timers::put_off(&mut tx, timer, *at).await?;
    }
    tx.commit().await?;
    if taken > 0 {
        after.tell(app);
    }
    Ok((taken, summary))
}

/// T42: only what the history bears is archived. A case whose chain is broken stays closed and is looked at again every
/// day; the administrators are told once.
async fn archive(
    tx: &mut Tx,
    app: &App,
    work: &mut Work,
    timer: &Timer,
    setting: &Setting,
    after: &mut AfterCommit,
) -> Result<Fired, AppError> {
    let now = setting.now();
    if work.case.status != CaseStatus::Closed {
        return Ok(work.act(timer, &ActionInput::Archive { package: String::new() }, setting));
    }
    match archiving::prepare(tx, setting.content(), &work.case).await? {
        Prepared::Broken { seq } => {
            after.tell_also(archiving::tell_broken(tx, app, &work.case, seq, now).await?);
            Ok(Fired::Later(now.saturating_add(BROKEN_PAUSE).unwrap_or(now)))
        }
        Prepared::Package { sha256, body } => {
            let fired = work.act(timer, &ActionInput::Archive { package: sha256.clone() }, setting);
            if matches!(fired, Fired::Done) {
                packages::insert(tx, work.case.id, work.case.last_seq, &sha256, &body, now).await?;
            }
            Ok(fired)
        }
    }
}

/// These cases without those whose row cannot be read, which get a line in the log.
async fn readable(tx: &mut Tx, ids: &[CaseId]) -> Result<BTreeMap<CaseId, Case>, AppError> {
    let mut readable = BTreeMap::new();
    for (id, case) in cases::find_all(tx, ids).await? {
        match case {
            Ok(case) => {
                readable.insert(id, case);
            }
            Err(error @ StoreError::Inconsistent { .. }) => {
                tracing::error!(case.id = %id, error = &error as &dyn std::error::Error, "a case cannot be read; its timers wait");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(readable)
}

/// What came of a timer.
enum Fired {
    Done,
    Stale(String),
    /// It came too early, or the case could not take it now but still waits for it.
    Later(Timestamp),
}

/// One case while its timers fire: several may be due at once after a downtime.
struct Work {
    case: Case,
    events: Vec<CaseEvent>,
    messages: Vec<OutMessage>,
}

impl Work {
    const fn new(case: Case) -> Self {
        Self { case, events: Vec::new(), messages: Vec::new() }
    }

    fn finish(self) -> Option<Outcome> {
        let Self { case, events, messages } = self;
        (!events.is_empty()).then(|| Outcome { case, events, messages, parts: Vec::new() })
    }

    fn take(&mut self, outcome: Outcome) {
        self.case = outcome.case;
        self.events.extend(outcome.events);
        self.messages.extend(outcome.messages);
    }

    fn fire(&mut self, timer: &Timer, setting: &Setting) -> Fired {
        match Step::read(&timer.step) {
            Some(Step::Rung(step)) => self.climb(timer, step, setting),
            Some(Step::Act(action)) => {
                let Some(input) = timed_input(action) else { return Fired::Stale("unknown_step".to_owned()) };
                self.act(timer, &input, setting)
            }
            Some(Step::Remind(reminder)) => match setting.run(|env| remind(&self.case, reminder, timer.at, env)) {
                Some(outcome) => {
                    self.take(outcome);
                    Fired::Done
                }
                None => Fired::Stale("window_over".to_owned()),
            },
            None => Fired::Stale("unknown_step".to_owned()),
        }
    }

    /// An action of the system.
    fn act(&mut self, timer: &Timer, input: &ActionInput, setting: &Setting) -> Fired {
        match setting.apply(&self.case, &Actor::Timer, input) {
            Ok(outcome) => {
                self.take(outcome);
                Fired::Done
            }
            Err(TransitionError::TooEarly { at }) => Fired::Later(at),
            Err(_) if self.still_waits(timer, setting) => {
                Fired::Later(setting.now().saturating_add(REFUSED_PAUSE).unwrap_or(timer.at))
            }
            Err(error) => Fired::Stale(error.code().to_owned()),
        }
    }

    /// Whether the case as it stands still waits for this very timer.
    fn still_waits(&self, timer: &Timer, setting: &Setting) -> bool {
        let same = |planned: &Timer| (planned.turn, &planned.step) == (timer.turn, &timer.step);
        setting.run(|env| clocks::plan(&self.case, env)).is_ok_and(|plan| plan.iter().any(same))
    }

    /// Tells a step of the ladder and, where the step is one, supervises.
    fn climb(&mut self, timer: &Timer, step: u8, setting: &Setting) -> Fired {
        let ours = |c: &&CaseClock| Some(c.key) == timer.clock && i64::from(c.turn) == timer.turn;
        let clock = self.case.clocks.iter().find(ours).filter(|c| c.state == ClockState::Running).cloned();
        let content = setting.content();
        let (Some(clock), Some(rung)) = (clock, content.book.ladder.rung(step)) else {
            return Fired::Stale("clock_not_running".to_owned());
        };
        self.tell(&clock, rung, timer.at, setting);
        let late_start = matches!(clock.key, ClockKey::K3 | ClockKey::K4)
            && clock.due_at.is_some_and(|due| timer.at > due)
            && self.case.late_starts(setting.now()) >= LATE_STARTS;
        if late_start {
            self.supervise("签收、首次联系两次超时，请说明原因并立即联系企业".to_owned(), setting);
        } else if clock.key == ClockKey::K5 && step == SUPERVISE {
            self.supervise(format!("{}{}", clock.key.label(), rung.text), setting);
        } else if clock.key == ClockKey::K5 && step == ESCALATE && self.case.overlay.escalated.is_none() {
            let reason = format!("{}{}", clock.key.label(), rung.text);
            self.apply(&ActionInput::Escalate { rung: 1, reason }, setting);
        }
        Fired::Done
    }

    /// A 督办 of the system, unless the case is supervised already.
    fn supervise(&mut self, letter: String, setting: &Setting) {
        if self.case.overlay.supervised.is_none() {
            self.apply(&ActionInput::Supervise { level: 1, letter }, setting);
        }
    }

    fn apply(&mut self, input: &ActionInput, setting: &Setting) {
        match setting.apply(&self.case, &Actor::Timer, input) {
            Ok(outcome) => self.take(outcome),
            Err(error) => tracing::warn!(
                case.id = %self.case.id, code = error.code(), "the ladder could not do what its step asks"
            ),
        }
    }

    fn tell(&mut self, clock: &CaseClock, rung: &Rung, moment: Timestamp, setting: &Setting) {
        let words = |at: Timestamp| setting.run(|env| env.in_words(at));
        let owner = setting.run(|env| env.name_of(&clock.owner));
        let due = clock.due_at.map(words).unwrap_or_default();
        let clock_name = format!("{} {}", clock.key, clock.key.label());
        self.record(
            EventKind::Warned,
            setting.now(),
            false,
            &[
                ("clock", clock_name.as_str()),
                ("step", &rung.step.to_string()),
                ("label", &rung.label),
                ("due", &due),
                ("moment", &words(moment)),
                ("owner", &owner),
                ("text", &rung.text),
            ],
        );
        // A letter that is to be answered says until when.
        let answer = rung
            .reply_within
            .and_then(|within| within.due(&setting.content().schedule, setting.now()).ok()?.due)
            .map_or_else(String::new, |due| format!("请在{}前答复。", words(due)));
        let text = format!("{}（{}，时限 {due}）：{}{answer}", rung.label, clock.key.label(), rung.text);
        let mut to = Vec::new();
        for role in &rung.to {
            let recipient = self.reader(role, clock);
            if !to.contains(&recipient) {
                to.push(recipient);
            }
        }
        let kind =
            if clock.due_at.is_some_and(|due| setting.now() > due) { "deadline_missed" } else { "deadline_warned" };
        self.messages.extend(to.into_iter().map(|to| OutMessage { to, kind, text: text.clone() }));
    }

    /// Whom a role of a rung means on this clock (DOMAIN 2.6): the one whose clock it is, their superior, or an office.
    fn reader(&self, role: &str, clock: &CaseClock) -> Recipient {
        let office = match clock.owner.as_str() {
            "supervision" => Some(&[Role::Supervisor, Role::Verifier][..]),
            "leader" => Some(&[Role::Leader, Role::Dispatcher][..]),
            "centre" => Some(match clock.key {
                ClockKey::K1 => &[Role::FrontDesk, Role::Dispatcher][..],
                ClockKey::K7 | ClockKey::K8 => &[Role::Verifier],
                ClockKey::K12 => &[Role::Supervisor],
                ClockKey::K2
                | ClockKey::K3
                | ClockKey::K4
                | ClockKey::K5
                | ClockKey::K5a
                | ClockKey::K6
                | ClockKey::K9
                | ClockKey::K10
                | ClockKey::K11
                | ClockKey::K13 => &[Role::Dispatcher],
            }),
            _ => None,
        };
        match (role, office, self.case.handler) {
            ("handler" | "unit_leader", Some(office), _) => Recipient::Roles(office),
            ("handler", None, Some(handler)) if clock.key != ClockKey::K5a => Recipient::Officer(handler),
            ("handler", None, _) => Recipient::Unit(clock.owner.clone()),
            ("unit_leader", None, _) => Recipient::Leader(clock.owner.clone()),
            ("supervisor", ..) => Recipient::Roles(&[Role::Supervisor]),
            ("leader", ..) => Recipient::Roles(&[Role::Leader]),
            ("discipline", ..) => Recipient::Roles(&[Role::Discipline]),
            _ => Recipient::Centre,
        }
    }

    fn record(&mut self, kind: EventKind, now: Timestamp, public: bool, facts: &[(&str, &str)]) {
        let case = &mut self.case;
        case.last_seq += 1;
        // Time never goes backwards in the history of a case, even if the server's clock does.
        case.changed_at = case.changed_at.max(now);
        let fact = |(key, value): &(&str, &str)| Fact { key: (*key).to_owned(), value: (*value).to_owned(), public };
        self.events.push(CaseEvent {
            case: case.id,
            seq: case.last_seq,
            kind,
            actor: ActorStamp::from(&Actor::Timer),
            from: case.status,
            to: case.status,
            at: case.changed_at,
            facts: facts.iter().map(fact).collect(),
        });
    }

    /// Computes the open clocks anew. Tells the unit and the enterprise when the policy clock moved, and says so in
    /// the history for every clock that did: a due date is never shortened without notice.
    fn follow_calendar(&mut self, setting: &Setting) -> Result<(), TransitionError> {
        let content = setting.content();
        let pauses = self.case.sla_pauses();
        let mut moved = Vec::new();
        for clock in &mut self.case.clocks {
            if !matches!(clock.state, ClockState::Running | ClockState::Paused | ClockState::Held) {
                continue;
            }
            let none: &[Pause] = &[];
            let pauses = if clock.key == ClockKey::K5 { pauses.as_slice() } else { none };
            let due = clock.compute(&content.schedule, pauses)?;
            if (due.due, due.provisional) != (clock.due_at, clock.provisional) {
                moved.push((clock.key, clock.due_at, due.due));
                (clock.due_at, clock.provisional) = (due.due, due.provisional);
            }
        }
        for (key, old, new) in moved {
            let words = |at: Option<Timestamp>| at.map_or_else(String::new, |at| setting.run(|env| env.in_words(at)));
            let (old_words, new_words) = (words(old), words(new));
            let clock = format!("{key} {}", key.label());
            self.record(
                EventKind::DueRecomputed,
                setting.now(),
                key == ClockKey::K5,
                &[
                    ("clock", &clock),
                    ("old", &old_words),
                    ("due", &new_words),
                    ("calendar", content.schedule.calendar().version()),
                ],
            );
            if key == ClockKey::K5 && old != new {
                let text = format!("放假安排已公布，办理时限由{old_words}调整为{new_words}。");
                let unit = self.case.lead_unit.clone().map_or(Recipient::Centre, Recipient::Unit);
                for to in [unit, Recipient::Enterprise] {
                    self.messages.push(OutMessage { to, kind: "due_recomputed", text: text.clone() });
                }
            }
        }
        Ok(())
    }
}

/// Computes the due dates of open cases anew when the calendar in force is not the one they were computed with.
async fn follow_calendar(app: &App) -> Result<Summary, AppError> {
    let mut summary = Summary::default();
    loop {
        let (looked_at, done) = again(|| calendar_batch(app)).await?;
        summary += done;
        if looked_at < CALENDAR_BATCH {
            return Ok(summary);
        }
    }
}

/// Plans anew what waits for cases that have no open clock: the moments of their timers follow the calendar too.
async fn plan_anew(app: &App) -> Result<(), AppError> {
    let mut tx = app.db.read().await?;
    let ids = timers::cases_without_clocks(&mut tx).await?;
    drop(tx);
    for ids in ids.chunks(CALENDAR_BATCH) {
        let setting = Setting::new(app, case_save::now_ms(app));
        let mut tx = app.db.write().await?;
        for (id, case) in readable(&mut tx, ids).await? {
            let waiting = setting.run(|env| clocks::plan(&case, env))?;
            timers::put_timers(&mut tx, id, &waiting).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn calendar_batch(app: &App) -> Result<(usize, Summary), AppError> {
    let setting = Setting::new(app, case_save::now_ms(app));
    let calendar = setting.content().schedule.calendar().version().to_owned();
    let mut tx = app.db.read().await?;
    let ids = timers::cases_of_other_calendars(&mut tx, &calendar, CALENDAR_BATCH as i64).await?;
    drop(tx);
    if ids.is_empty() {
        return Ok((0, Summary::default()));
    }
    let mut tx = app.db.write().await?;
    let (mut summary, mut after) = (Summary::default(), AfterCommit::default());
    let mut changed = Vec::new();
    for (id, case) in readable(&mut tx, &ids).await? {
        let mut work = Work::new(case);
        work.follow_calendar(&setting).map_err(|error| AppError::Internal(format!("case {id}: {error}")))?;
        changed.extend(work.finish());
    }
    summary.recomputed += changed.len();
    case_save::store_all_changed(&mut tx, app, &setting, &changed, &mut after).await?;
    timers::mark_calendar(&mut tx, &ids, &calendar).await?;
    tx.commit().await?;
    after.tell(app);
    Ok((ids.len(), summary))
}

mod calendar;
#[cfg(test)]
mod tests;
