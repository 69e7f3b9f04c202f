//! Before silence speaks for the enterprise it is reminded, and somebody calls it (T06, T32, K8).
//!
//! How often is the policy's `silent_confirm.reminders`; when the centre calls is the second limit of K8. A reminder
//! changes nothing: the window ends when it would have ended anyway.

use jiff::Timestamp;

use super::{
    action::Actor,
    clocks::CaseEnv,
    event::{ActorStamp, CaseEvent, EventKind, Fact},
    model::{Case, ClockKey, Limit, OutMessage, Outcome, Recipient},
    status::CaseStatus,
};
use crate::domain::{
    access::Role,
    sla::{Budget, DueRequest, Warn, Within},
};

/// Working days in which missing material has to be supplied (T06).
pub(super) const SUPPLY_WORKDAYS: u32 = 10;

/// What reminds of a window that runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reminder {
    /// The enterprise is reminded for the n-th time, from 1.
    Enterprise(u8),
    /// The centre is asked to call.
    Call,
}

/// The window that runs for the enterprise now: its start, its length and its end.
fn window(case: &Case, env: &CaseEnv<'_>) -> Option<(Timestamp, Budget, Timestamp)> {
    let (start, budget) = if case.status == CaseStatus::NeedInfo {
        (case.entered_at, Budget::working_days(SUPPLY_WORKDAYS))
    } else if case.status == CaseStatus::AwaitingConfirm {
        let clock = case.clock(ClockKey::K8).filter(|clock| clock.is_open())?;
        let Limit::Budget(budget) = clock.limit else { return None };
        (clock.started_at, budget)
    } else {
        return None;
    };
    let due = env.schedule.due(&DueRequest::new(start, budget)).ok()?.due?;
    Some((start, budget, due))
}

/// The reminders of a case as it stands and their moments: evenly over the window, the last one on its last day.
pub fn reminders(case: &Case, env: &CaseEnv<'_>) -> Vec<(Reminder, Timestamp)> {
    let Some((start, budget, due)) = window(case, env) else { return Vec::new() };
    let silent = env.policy_of(case).map(|profile| &profile.silent_confirm);
    let count = silent.map_or(2, |silent| silent.reminders);
    let request = DueRequest::new(start, budget);
    let at = |warn| env.schedule.warning(&request, warn).ok().flatten().filter(|at| *at > start && *at < due);
    let mut all: Vec<(Reminder, Timestamp)> = (1..=count)
        .filter_map(|n| {
            let last = at(Warn::BeforeDays(1)).filter(|_| n == count);
            let moment = last.or_else(|| at(Warn::Percent(100 * u32::from(n) / (u32::from(count).max(2)))))?;
            Some((Reminder::Enterprise(n), moment))
        })
        .collect();
    let calls = case.status == CaseStatus::AwaitingConfirm && silent.is_none_or(|silent| silent.phone_tries > 0);
    if calls && let Some(within) = env.book.clock(ClockKey::K8.as_str()).and_then(|clock| clock.hard) {
        let call = within.due(env.schedule, start).ok().and_then(|due| due.due);
        all.extend(call.filter(|at| *at < due).map(|at| (Reminder::Call, at)));
    }
    all
}

/// Reminds the enterprise, or asks the centre to call it. `None` when the window is over or was never open.
pub fn remind(case: &Case, reminder: Reminder, moment: Timestamp, env: &CaseEnv<'_>) -> Option<Outcome> {
    let (_, _, due) = window(case, env).filter(|(_, _, due)| env.now < *due)?;
    let mut case = case.clone();
    let now = env.now.max(case.changed_at);
    let until = env.in_words(due);
    let kind = match reminder {
        Reminder::Enterprise(_) => EventKind::Reminded,
        Reminder::Call => EventKind::CallAsked,
    };
    case.last_seq += 1;
    case.changed_at = now;
    let fact = |key: &str, value: String, public| Fact { key: key.to_owned(), value, public };
    let event = CaseEvent {
        case: case.id,
        seq: case.last_seq,
        kind,
        actor: ActorStamp::from(&Actor::Timer),
        from: case.status,
        to: case.status,
        at: now,
        facts: vec![fact("until", until.clone(), true), fact("moment", env.in_words(moment), false)],
    };
    let number = case.display_number();
    let message = match reminder {
        Reminder::Enterprise(_) => {
            let line = event.public_line(&|slug| env.name_of(slug))?;
            OutMessage { to: Recipient::Enterprise, kind: kind.as_str(), text: format!("【{number}】{line}") }
        }
        Reminder::Call => OutMessage {
            to: Recipient::Roles(&[Role::Verifier]),
            kind: kind.as_str(),
            text: format!("【{number}】企业还没有确认，请电话回访（{until}前）"),
        },
    };
    Some(Outcome { case, events: vec![event], messages: vec![message], parts: Vec::new() })
}

/// The second limit of a clock of the stack, or `otherwise` working days when the book has none.
pub(super) fn hard_limit(key: ClockKey, otherwise: u32, env: &CaseEnv<'_>) -> Within {
    let hard = env.book.clock(key.as_str()).and_then(|clock| clock.hard);
    hard.filter(|within| within.budget().is_some()).unwrap_or(Within::Budget(Budget::working_days(otherwise)))
}
