//! The sweep over clocks: due dates follow a newly published calendar, and what is due fires.
//!
//! A timer is claimed, acted upon and noted in one transaction: it happens once or not at all, whatever dies in
//! between and however many gateways share the database. Nothing here computes a due date of its own.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};

use super::{
    App, AppError,
    case_actions::timed_input,
    case_save::{self, AfterCommit, Setting},
    clocks::Step,
};
use crate::{
    domain::{
        case::{
            ActionInput, Actor, ActorStamp, Case, CaseClock, CaseEvent, ClockKey, ClockState, EventKind, Fact,
            OutMessage, Outcome, Recipient, TransitionError,
        },
        ids::CaseId,
        sla::{Pause, Rung},
    },
    store::{
        StoreError, Tx,
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
    let mut summary = follow_calendar(app).await?;
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
    for (id, due) in by_case {
        let Some(case) = readable(&mut tx, id).await? else {
            // One damaged row holds up nobody else; mended, its steps still come.
            let later = now.saturating_add(UNREADABLE_PAUSE).unwrap_or(now);
            for timer in &due {
                timers::put_off(&mut tx, timer, later).await?;
            }
            summary.stale += due.len();
            continue;
        };
        let mut work = Work::new(case);
        for timer in due {
            let outcome = work.fire(&timer, &setting);
            match (&outcome, Step::read(&timer.step)) {
                (Fired::Done, Some(Step::Rung(_))) => summary.warned += 1,
                (Fired::Done, _) => summary.acted += 1,
                (Fired::Stale(_), _) => summary.stale += 1,
            }
            outcomes.push((timer, outcome.word()));
        }
        if let Some(outcome) = work.finish() {
            case_save::store_changed(&mut tx, app, &setting, &outcome, None, &mut after).await?;
        }
    }
    timers::note_outcomes(&mut tx, &outcomes).await?;
    tx.commit().await?;
    if taken > 0 {
        after.tell(app);
    }
    Ok((taken, summary))
}

/// A case; `None` (and a line in the log) when its row cannot be read.
async fn readable(tx: &mut Tx, id: CaseId) -> Result<Option<Case>, AppError> {
    match case_save::load(tx, id).await {
        Ok(case) => Ok(Some(case)),
        Err(AppError::Store(error @ StoreError::Inconsistent { .. })) => {
            tracing::error!(case.id = %id, error = &error as &dyn std::error::Error, "a case cannot be read; its timers wait");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What came of a timer.
enum Fired {
    Done,
    Stale(String),
}

impl Fired {
    fn word(self) -> String {
        match self {
            Self::Done => "done".to_owned(),
            Self::Stale(code) => code,
        }
    }
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
                match setting.apply(&self.case, &Actor::Timer, &input) {
                    Ok(outcome) => {
                        self.take(outcome);
                        Fired::Done
                    }
                    Err(error) => Fired::Stale(error.code().to_owned()),
                }
            }
            None => Fired::Stale("unknown_step".to_owned()),
        }
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
        let text = format!("{}（{}，时限 {due}）：{}", rung.label, clock.key.label(), rung.text);
        let mut to = Vec::new();
        for role in &rung.to {
            let recipient = match (role.as_str(), clock.owner.as_str(), self.case.handler) {
                ("handler" | "unit_leader", "centre", _) => Recipient::Centre,
                ("handler", _, Some(handler)) if clock.key != ClockKey::K5a => Recipient::Officer(handler),
                ("handler" | "unit_leader", owner, _) => Recipient::Unit(owner.to_owned()),
                _ => Recipient::Centre,
            };
            if !to.contains(&recipient) {
                to.push(recipient);
            }
        }
        let kind =
            if clock.due_at.is_some_and(|due| setting.now() > due) { "deadline_missed" } else { "deadline_warned" };
        self.messages.extend(to.into_iter().map(|to| OutMessage { to, kind, text: text.clone() }));
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
    for id in &ids {
        let Some(case) = readable(&mut tx, *id).await? else { continue };
        let mut work = Work::new(case);
        work.follow_calendar(&setting).map_err(|error| AppError::Internal(format!("case {id}: {error}")))?;
        if let Some(outcome) = work.finish() {
            case_save::store_changed(&mut tx, app, &setting, &outcome, None, &mut after).await?;
            summary.recomputed += 1;
        }
    }
    timers::mark_calendar(&mut tx, &ids, &calendar).await?;
    tx.commit().await?;
    after.tell(app);
    Ok((ids.len(), summary))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::{
        app::{
            content::{self, Content, ContentStore, Origin},
            system::{FixedClock, SystemIds},
        },
        config::Config,
        domain::{
            access::Role,
            case::{CaseStatus, NewCase, OfficerStamp, QueryCode, register},
            ids::OfficerId,
            kinds::{CaseType, Channel, Urgency},
            sla::{Schedule, WorkCalendar},
        },
        on_backend,
        store::{Db, cases},
    };

    fn at(text: &str) -> Timestamp {
        format!("{text}+08:00").parse().unwrap()
    }

    fn the_content(now: Timestamp) -> Content {
        let files: Vec<_> = content::shipped_files().into_iter().filter(|f| !content::is_rule_file(&f.path)).collect();
        let built = content::build(&files, &Config::default().time, now, Origin::Shipped, true);
        built.content.expect("the shipped tables build")
    }

    /// A gateway over this database whose clock stands where the test puts it.
    fn gateway(db: &Db, now: &str) -> (App, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::new(at(now)));
        let store = ContentStore::fixed(the_content(at(now)));
        let app = App::new(Config::default(), db.clone(), store, clock.clone(), Arc::new(SystemIds));
        (app, clock)
    }

    fn officer(n: u128, role: Role, unit: &str) -> Actor {
        Actor::Officer(OfficerStamp {
            id: OfficerId::from_uuid(Uuid::from_u128(n)),
            name: format!("测试{n}"),
            roles: vec![(role, unit.to_owned())],
            deputy_of: Vec::new(),
        })
    }

    async fn file(app: &App, case_type: CaseType) -> CaseId {
        let setting = Setting::new(app, case_save::now_ms(app));
        let mut tx = app.db.write().await.unwrap();
        let number = cases::next_number(&mut tx, setting.content().schedule.civil(setting.now()).date()).await.unwrap();
        let id = CaseId::from_uuid(app.ids_uuid());
        let new = NewCase {
            id,
            number,
            query_code: QueryCode::from_random(&[7; QueryCode::RANDOM_BYTES]),
            case_type,
            topic: None,
            urgency: Urgency::Normal,
            channel: Channel::Web,
            region: "350000".into(),
            title: "厂区门口道路破损".into(),
            original_words: "厂区门口道路破损，货车进不来".into(),
            demand: "修路".into(),
            place: None,
            happened_on: None,
            amount: None,
            object: None,
            party: crate::domain::case::CaseParty { contact_phone: "x".into(), ..Default::default() },
            recused: Vec::new(),
            conversation: None,
            proposed_lead: None,
            proposed_assists: Vec::new(),
            route_reason: String::new(),
            rule_version: String::new(),
            answered_by_rule: None,
            leader_assigned: false,
            repeat_of: None,
            split_from: None,
        };
        let outcome = setting.run(|env| register(new, &Actor::Enterprise, env)).unwrap();
        let mut after = AfterCommit::default();
        case_save::store_new(&mut tx, app, &setting, &outcome, None, &mut after).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn act(app: &App, id: CaseId, actor: &Actor, input: ActionInput) -> Case {
        let mut tx = app.db.write().await.unwrap();
        let case = load(&mut tx, id).await;
        let setting = Setting::new(app, case_save::now_ms(app)).with_tasks(app, input.new_tasks());
        let outcome = setting.apply(&case, actor, &input).unwrap();
        let mut after = AfterCommit::default();
        case_save::store_changed(&mut tx, app, &setting, &outcome, None, &mut after).await.unwrap();
        tx.commit().await.unwrap();
        outcome.case
    }

    async fn load(tx: &mut Tx, id: CaseId) -> Case {
        cases::find(tx, id).await.unwrap().unwrap()
    }

    async fn stored(app: &App, id: CaseId) -> (Case, Vec<CaseEvent>) {
        let mut tx = app.db.read().await.unwrap();
        let case = load(&mut tx, id).await;
        assert_eq!(cases::events::first_break(&mut tx, &id.to_string()).await.unwrap(), None);
        let events = cases::events::list(&mut tx, id).await.unwrap();
        (case, events)
    }

    fn accept() -> ActionInput {
        ActionInput::Accept {
            case_type: CaseType::Coordination,
            topic: None,
            urgency: Urgency::Normal,
            complexity: None,
            duplicates_checked: true,
            repeat_of: None,
            repeats: 0,
        }
    }

    fn dispatch() -> ActionInput {
        ActionInput::Dispatch { lead: "zjj".into(), assists: Vec::new(), complexity: None, note: None }
    }

    async fn dispatched(app: &App) -> CaseId {
        let id = file(app, CaseType::Coordination).await;
        let desk = officer(1, Role::Dispatcher, "");
        act(app, id, &desk, accept()).await;
        act(app, id, &desk, dispatch()).await;
        id
    }

    fn steps(events: &[CaseEvent], clock: &str) -> Vec<String> {
        let fact = |e: &CaseEvent, key: &str| e.facts.iter().find(|f| f.key == key).map(|f| f.value.clone());
        events
            .iter()
            .filter(|e| e.kind == EventKind::Warned && fact(e, "clock").is_some_and(|c| c.starts_with(clock)))
            .filter_map(|e| fact(e, "step"))
            .collect()
    }

    crate::store_test! {
        async fn a_unit_that_does_not_sign_has_signed_after_one_working_day(db: Db) {
            let (app, clock) = gateway(&db, "2026-09-30T10:00:00");
            let id = dispatched(&app).await;
            let (before, _) = stored(&app, id).await;
            let due = before.clock(ClockKey::K5).unwrap().due_at;
            assert_eq!(due, Some(at("2026-10-20T17:30:00")));
            clock.set(at("2026-10-08T17:29:59"));
            run(&app).await.unwrap();
            assert_eq!(stored(&app, id).await.0.status, CaseStatus::Dispatched);
            clock.set(at("2026-10-08T17:30:00"));
            assert_eq!(run(&app).await.unwrap().acted, 1);
            let (case, events) = stored(&app, id).await;
            assert_eq!(case.status, CaseStatus::Signed);
            assert_eq!(events.last().unwrap().kind, EventKind::DeemedSigned);
            assert_eq!(case.clock(ClockKey::K5).unwrap().due_at, due);
            assert_eq!(run(&app).await.unwrap(), Summary::default());
        }
    }

    crate::store_test! {
        async fn a_damaged_row_holds_up_no_other_case(db: Db) {
            const DAMAGE: &str = "UPDATE cases SET query_code = $2 WHERE id = $1";
            let (app, clock) = gateway(&db, "2026-09-30T10:00:00");
            let (damaged, sound) = (dispatched(&app).await, dispatched(&app).await);
            let code = stored(&app, damaged).await.0.query_code.as_str().to_owned();
            let set = async |code: &str| {
                let mut tx = db.write().await.unwrap();
                on_backend!(&mut tx, |conn| sqlx::query(DAMAGE).bind(damaged.to_string()).bind(code).execute(conn).await.map(|_| ()))
                    .unwrap();
                tx.commit().await.unwrap();
            };
            set("?").await;
            clock.set(at("2026-10-08T17:30:00"));
            let done = run(&app).await.unwrap();
            assert!(done.acted == 1 && done.stale >= 1, "{done}");
            assert_eq!(stored(&app, sound).await.0.status, CaseStatus::Signed);
            set(&code).await;
            clock.set(at("2026-10-08T18:30:00"));
            assert_eq!(run(&app).await.unwrap().acted, 1);
            assert_eq!(stored(&app, damaged).await.0.status, CaseStatus::Signed);
        }
    }

    crate::store_test! {
        async fn after_a_downtime_every_missed_step_fires_once_with_its_true_time(db: Db) {
            let (app, clock) = gateway(&db, "2026-09-30T10:00:00");
            let id = dispatched(&app).await;
            clock.set(at("2026-11-04T09:00:00"));
            // Two gateways come back at the same moment.
            let (other, _) = gateway(&db, "2026-11-04T09:00:00");
            let (a, b) = tokio::join!(run(&app), run(&other));
            let mut done = a.unwrap();
            done += b.unwrap();
            let (case, events) = stored(&app, id).await;
            assert_eq!(steps(&events, "K5 "), ["0", "1", "2", "3", "4", "5", "6"]);
            let moments: Vec<_> = events
                .iter()
                .filter(|e| e.kind == EventKind::Warned)
                .flat_map(|e| e.facts.iter().filter(|f| f.key == "moment" ).map(|f| f.value.clone()))
                .collect();
            assert!(moments.contains(&"2026年10月20日 17:30".to_owned()), "{moments:?}");
            assert_eq!(case.overlay.supervised, Some(1));
            assert_eq!(case.overlay.escalated, Some(1));
            assert_eq!(events.iter().filter(|e| e.kind == EventKind::Escalated).count(), 1);
            assert_eq!(events.iter().filter(|e| e.kind == EventKind::Supervised).count(), 1);
            let warned = events.iter().filter(|e| e.kind == EventKind::Warned).count();
            assert_eq!(done.warned, warned);
            // The clock jumps back two hours and forward again; the gateway restarts: nothing fires twice.
            for now in ["2026-11-04T07:00:00", "2026-11-04T09:00:01"] {
                clock.set(at(now));
                let again = run(&app).await.unwrap();
                assert_eq!((again.warned, again.acted), (0, 0), "{now}");
            }
            let (restarted, _) = gateway(&db, "2026-11-04T09:00:02");
            assert_eq!(run(&restarted).await.unwrap(), Summary::default());
            assert_eq!(stored(&app, id).await.1.len(), events.len());
        }
    }

    crate::store_test! {
        async fn a_unit_late_with_signing_and_first_contact_is_supervised_once(db: Db) {
            let (app, clock) = gateway(&db, "2026-09-28T09:00:00");
            let id = dispatched(&app).await;
            // Four working hours for the signature are over; one broken limit is no 督办.
            clock.set(at("2026-09-28T15:00:00"));
            run(&app).await.unwrap();
            assert_eq!(stored(&app, id).await.0.overlay.supervised, None);
            // Nor has anybody called within a working day.
            clock.set(at("2026-09-30T09:00:00"));
            run(&app).await.unwrap();
            let (case, events) = stored(&app, id).await;
            assert_eq!(case.late_starts(at("2026-09-30T09:00:00")), 2);
            assert_eq!(case.overlay.supervised, Some(1));
            assert_eq!(events.iter().filter(|e| e.kind == EventKind::Supervised).count(), 1);
            assert_eq!(case.overlay.escalated, None, "the answer itself is not late");
            run(&app).await.unwrap();
            assert_eq!(stored(&app, id).await.1.len(), events.len());
        }
    }

    crate::store_test! {
        async fn silence_lapses_and_archives(db: Db) {
            let (app, clock) = gateway(&db, "2026-03-10T10:00:00");
            let desk = officer(1, Role::FrontDesk, "");
            let need_info = file(&app, CaseType::Coordination).await;
            act(&app, need_info, &desk, ActionInput::RequestInfo { items: vec!["合同".into()] }).await;
            let answered = file(&app, CaseType::Consultation).await;
            let text = "按规定可在网上办理。".to_owned();
            act(&app, answered, &desk, ActionInput::AnswerOnSpot { text, source: "办事指南".into() }).await;
            clock.set(at("2026-03-12T17:30:00"));
            run(&app).await.unwrap();
            assert_eq!(stored(&app, answered).await.0.status, CaseStatus::Closed);
            clock.set(at("2026-03-24T17:30:00"));
            run(&app).await.unwrap();
            assert_eq!(stored(&app, need_info).await.0.status, CaseStatus::Withdrawn);
            clock.set(at("2026-04-11T17:30:00"));
            run(&app).await.unwrap();
            assert_eq!(stored(&app, answered).await.0.status, CaseStatus::Archived);
        }
    }

    crate::store_test! {
        async fn a_published_calendar_moves_provisional_dates_and_says_so(db: Db) {
            let (app, _) = gateway(&db, "2026-12-28T10:00:00");
            let id = dispatched(&app).await;
            let (case, events) = stored(&app, id).await;
            let k5 = case.clock(ClockKey::K5).unwrap();
            assert!(k5.provisional);
            assert_eq!(k5.due_at, Some(at("2027-01-12T17:30:00")));
            let notice = |off: &str| format!(
                "schema = 1\nyear = 2027\ntitle = \"试\"\ndoc_no = \"试\"\nissuer = \"试\"\nissued_on = 2026-12-29\n\
                [[holiday]]\nname = \"元旦\"\noff = [\"{off}\"]\n"
            );
            let published = |now: &str, off: &str| {
                let mut content = the_content(at(now));
                let mut files: Vec<(String, String)> = content::shipped_files()
                    .into_iter()
                    .filter(|f| f.path.starts_with("calendar/"))
                    .map(|f| (f.path, f.text))
                    .collect();
                files.push(("calendar/cn-2027.toml".into(), notice(off)));
                let (hours, zone) = content::hours_and_zone(&Config::default().time).unwrap();
                content.schedule = Schedule::new(WorkCalendar::parse(&files).unwrap(), hours, zone);
                let clock = Arc::new(FixedClock::new(at(now)));
                App::new(Config::default(), db.clone(), ContentStore::fixed(content), clock, Arc::new(SystemIds))
            };
            let app = published("2026-12-29T10:00:00", "2027-01-01..2027-01-04");
            assert_eq!(run(&app).await.unwrap().recomputed, 1);
            let (case, after) = stored(&app, id).await;
            let k5 = case.clock(ClockKey::K5).unwrap();
            assert_eq!((k5.due_at, k5.provisional), (Some(at("2027-01-13T17:30:00")), false));
            let lines: Vec<_> = after[events.len()..].iter().filter_map(|e| e.public_line(&str::to_owned)).collect();
            assert_eq!(lines, ["放假安排已公布，答复时限由2027年1月12日 17:30调整为2027年1月13日 17:30"]);
            assert_eq!(run(&app).await.unwrap().recomputed, 0);
            // A correction that shortens it is told as well.
            let app = published("2026-12-29T11:00:00", "2027-01-01");
            run(&app).await.unwrap();
            let (case, last) = stored(&app, id).await;
            assert_eq!(case.clock(ClockKey::K5).unwrap().due_at, Some(at("2027-01-12T17:30:00")));
            assert!(last.len() > after.len());
        }
    }

    impl App {
        fn ids_uuid(&self) -> Uuid {
            self.ids.uuid(self.clock.now())
        }
    }

    #[test]
    fn step_words_read_back() {
        use crate::domain::case::CaseAction;
        for step in [Step::Rung(0), Step::Rung(6), Step::Act(CaseAction::DeemSigned), Step::Act(CaseAction::Archive)] {
            assert_eq!(Step::read(&step.word()), Some(step));
        }
        assert_eq!(Step::read("act:dance"), None);
    }
}
