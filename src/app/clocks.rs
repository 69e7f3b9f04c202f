//! What waits for a case: the steps of the ladder for its running clocks, and the actions of the system.
//!
//! Whoever saves a case stores its clocks and [`plan`] with it. The list of timers is a pure function of the case, so a
//! restart or a second gateway come to the same list; what has fired is remembered by the store.

use jiff::Timestamp;

use crate::{
    app::AppError,
    domain::{
        case::{
            Case, CaseAction, CaseClock, CaseEnv, ClockKey, ClockState, Reminder, model::Limit, plan_since, reminders,
            timed_actions,
        },
        sla::{DueRequest, Ladder, Schedule, SlaBook},
    },
    store::timers::Timer,
};

/// What a timer does when its moment comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A step of the warning and escalation ladder.
    Rung(u8),
    /// An action of the system.
    Act(CaseAction),
    /// The enterprise is reminded, or the centre asked to call it.
    Remind(Reminder),
}

impl Step {
    /// The word stored: `rung:2`, `act:deem_signed`.
    pub fn word(self) -> String {
        match self {
            Self::Rung(step) => format!("rung:{step}"),
            Self::Act(action) => format!("act:{action}"),
            Self::Remind(Reminder::Enterprise(n)) => format!("remind:{n}"),
            Self::Remind(Reminder::Call) => "remind:call".to_owned(),
            Self::Remind(Reminder::Review(n)) => format!("review:{n}"),
        }
    }

    /// Reads the stored word; `None` for a word that this version does not know.
    pub fn read(word: &str) -> Option<Self> {
        if let Some(step) = word.strip_prefix("rung:") {
            return step.parse().ok().map(Self::Rung);
        }
        if let Some(reminder) = word.strip_prefix("remind:") {
            let reminder =
                if reminder == "call" { Reminder::Call } else { Reminder::Enterprise(reminder.parse().ok()?) };
            return Some(Self::Remind(reminder));
        }
        if let Some(n) = word.strip_prefix("review:") {
            return n.parse().ok().map(|n| Self::Remind(Reminder::Review(n)));
        }
        word.strip_prefix("act:")?.parse().ok().map(Self::Act)
    }
}

/// The moments of one clock's ladder, as far as this clock may climb.
fn rungs(
    clock: &CaseClock,
    case: &Case,
    book: &SlaBook,
    schedule: &Schedule,
) -> Result<Vec<(u8, Timestamp)>, AppError> {
    let highest = book.clock(clock.key.as_str()).and_then(|c| c.ladder_to);
    let (Some(highest), ClockState::Running, Some(due)) = (highest, clock.state, clock.due_at) else {
        return Ok(Vec::new());
    };
    // Only the policy clock is paused; the others run through.
    let pauses = if clock.key == ClockKey::K5 { case.sla_pauses() } else { Vec::new() };
    let failed = |error: crate::domain::sla::SlaError| AppError::Internal(format!("ladder of {}: {error}", clock.key));
    let moments = match clock.limit {
        Limit::Budget(budget) => {
            let mut request = DueRequest::new(clock.started_at, budget);
            request.pauses = &pauses;
            request.extension_days = clock.extension_days;
            book.ladder.moments(schedule, &request, Some(due)).map_err(failed)?
        }
        // A fixed date has no budget to be used up; what comes at and after it is told all the same.
        Limit::Until(_) => after(&book.ladder, schedule, due).map_err(failed)?,
        Limit::Open => Vec::new(),
    };
    Ok(moments.into_iter().filter(|(step, _)| *step <= highest).collect())
}

fn after(
    ladder: &Ladder,
    schedule: &Schedule,
    due: Timestamp,
) -> Result<Vec<(u8, Timestamp)>, crate::domain::sla::SlaError> {
    let request = DueRequest::new(due, crate::domain::sla::Budget::working_days(2));
    let moments = ladder.moments(schedule, &request, Some(due))?;
    Ok(moments.into_iter().filter(|(_, at)| *at > due).collect())
}

/// Everything that waits for a case as it stands: ladder steps of its running clocks and actions of the system.
///
/// # Errors
/// `Internal` when the calendar cannot answer.
pub fn plan(case: &Case, env: &CaseEnv<'_>) -> Result<Vec<Timer>, AppError> {
    let mut out = Vec::new();
    if case.status.is_open() {
        for clock in &case.clocks {
            for (step, at) in rungs(clock, case, env.book, env.schedule)? {
                let step = Step::Rung(step).word();
                out.push(Timer { case: case.id, clock: Some(clock.key), turn: i64::from(clock.turn), step, at });
            }
        }
    }
    let actions = timed_actions(case, env).map_err(|error| AppError::Internal(error.to_string()))?;
    for timed in actions {
        let step = Step::Act(timed.action).word();
        out.push(Timer { case: case.id, clock: None, turn: timed.at.as_millisecond(), step, at: timed.at });
    }
    for (reminder, at) in reminders(case, env) {
        let step = Step::Remind(reminder).word();
        // A review is told once for its plan, also when a new calendar moves its day.
        let plan = plan_since(case).filter(|_| matches!(reminder, Reminder::Review(_)));
        out.push(Timer { case: case.id, clock: None, turn: plan.unwrap_or(at).as_millisecond(), step, at });
    }
    Ok(out)
}
