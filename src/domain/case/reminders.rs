//! Before silence speaks for the enterprise it is reminded, and somebody calls it (T06, T32, K8).
//!
//! How often is the policy's `silent_confirm.reminders`; when the centre calls is the second limit of K8. What was due
//! while nothing ran is made up for, and the window waits for it: silence counts only after every reminder went out, at
//! the earliest when the window ends, and a working day after a reminder that came later.

use jiff::Timestamp;

use super::{
    action::Actor,
    clocks::CaseEnv,
    event::{ActorStamp, CaseEvent, EventKind, Fact},
    model::{Case, ClockKey, Limit, OutMessage, Outcome, Recipient, TaskKind, TaskState},
    status::CaseStatus,
};
use crate::domain::{
    access::Role,
    sla::{Budget, DueRequest, Warn, Within},
};

/// Working days between two reviews of an accepted plan, where the book has none (K13).
const REVIEW_WORKDAYS: u32 = 20;
/// Reviews that are planned ahead: some ten years.
const MOST_REVIEWS: u16 = 120;
/// Working days in which missing material has to be supplied (T06).
pub(super) const SUPPLY_WORKDAYS: u32 = 10;

/// What reminds of a window that runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reminder {
    /// The enterprise is reminded for the n-th time, from 1.
    Enterprise(u8),
    /// The centre is asked to call.
    Call,
    /// The n-th review of an accepted plan, from 1 (K13): unit and centre look at it together.
    Review(u16),
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

/// When the plan that runs was accepted; `None` when none does. A plan runs while a milestone is open; what was called
/// off before belongs to another one.
pub fn plan_since(case: &Case) -> Option<Timestamp> {
    let milestones = || case.tasks.iter().filter(|task| task.kind == TaskKind::Milestone);
    if !case.status.is_open() || !milestones().any(|task| task.state == TaskState::Open) {
        return None;
    }
    let former = milestones().filter(|task| task.state == TaskState::Cancelled).filter_map(|task| task.ended_at).max();
    milestones()
        .filter(|task| task.state != TaskState::Cancelled && former.is_none_or(|ended| task.created_at >= ended))
        .map(|task| task.created_at)
        .min()
}

/// The reviews of the plan that runs, up to its last milestone: at the opening of every twentieth working day.
fn reviews(case: &Case, env: &CaseEnv<'_>) -> Vec<(Reminder, Timestamp)> {
    let Some(start) = plan_since(case) else { return Vec::new() };
    let open = case.tasks.iter().filter(|task| task.kind == TaskKind::Milestone && task.state == TaskState::Open);
    let last = open.filter_map(|task| task.due_at).max().unwrap_or(start);
    let every = env.book.default_within(ClockKey::K13.as_str()).and_then(Within::budget).filter(|every| every.n > 0);
    let every = every.unwrap_or(Budget::working_days(REVIEW_WORKDAYS));
    let mut all = Vec::new();
    for n in 1..=MOST_REVIEWS {
        let request = DueRequest::new(start, Budget { n: every.n.saturating_mul(u32::from(n)), ..every });
        let due = env.schedule.due(&request).ok().and_then(|due| due.due).filter(|due| *due < last);
        let Some(day) = due.map(|due| env.schedule.civil(due).date()) else { break };
        let Ok(morning) = env.schedule.zone().to_timestamp(day.at(0, 0, 0, 0)) else { break };
        all.push((Reminder::Review(n), env.schedule.next_open(morning).unwrap_or(morning)));
    }
    all
}

fn review(case: &Case, n: u16, moment: Timestamp, env: &CaseEnv<'_>) -> Option<Outcome> {
    plan_since(case)?;
    let mut case = case.clone();
    let now = env.now.max(case.changed_at);
    let milestones = || case.tasks.iter().filter(|task| task.kind == TaskKind::Milestone);
    let open = milestones().filter(|task| task.state == TaskState::Open).count();
    let next = milestones().filter(|task| task.state == TaskState::Open).filter_map(|task| task.due_at).min();
    let next = next.map_or_else(String::new, |due| env.in_words(due));
    let text = format!("方案第{n}次复盘：未完成节点{open}个，下一节点{next}，请核对进展并告知企业");
    case.last_seq += 1;
    case.changed_at = now;
    let fact = |key: &str, value: String| Fact { key: key.to_owned(), value, public: false };
    let event = CaseEvent {
        case: case.id,
        seq: case.last_seq,
        kind: EventKind::ReviewDue,
        actor: ActorStamp::from(&Actor::Timer),
        from: case.status,
        to: case.status,
        at: now,
        facts: vec![fact("text", text.clone()), fact("n", n.to_string()), fact("moment", env.in_words(moment))],
    };
    let text = format!("【{}】{text}", case.display_number());
    let kind = EventKind::ReviewDue.as_str();
    let unit = case.lead_unit.clone().map(Recipient::Unit);
    let to = unit.into_iter().chain([Recipient::Centre]);
    let messages = to.map(|to| OutMessage { to, kind, text: text.clone() }).collect();
    Some(Outcome { case, events: vec![event], messages, parts: Vec::new() })
}

/// The reminders of a case as it stands and their moments: evenly over the window, the last one on its last day; and the
/// reviews of an accepted plan.
pub fn reminders(case: &Case, env: &CaseEnv<'_>) -> Vec<(Reminder, Timestamp)> {
    let mut all = reviews(case, env);
    all.extend(of_window(case, env));
    all
}

fn of_window(case: &Case, env: &CaseEnv<'_>) -> Vec<(Reminder, Timestamp)> {
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
    if case.prompts.calls < calls_needed(case, env)
        && let Some(within) = env.book.clock(ClockKey::K8.as_str()).and_then(|clock| clock.hard)
    {
        let call = within.due(env.schedule, start).ok().and_then(|due| due.due);
        all.extend(call.filter(|at| *at < due).map(|at| (Reminder::Call, at)));
    }
    all
}

/// How many calls of the centre silence needs (T32). What silence about one milestone leads to closes nothing.
fn calls_needed(case: &Case, env: &CaseEnv<'_>) -> u8 {
    let goes_on = case.tasks.iter().any(|task| task.kind == TaskKind::Milestone && task.state == TaskState::Open);
    if case.status != CaseStatus::AwaitingConfirm || goes_on {
        return 0;
    }
    let silent = env.policy_of(case).map(|profile| profile.silent_confirm.phone_tries);
    silent.unwrap_or(1)
}

/// Whether silence still needs a call that nobody made.
pub(super) fn lacks_call(case: &Case, env: &CaseEnv<'_>) -> bool {
    case.prompts.calls < calls_needed(case, env)
}

/// From when on the silence of the enterprise counts; `None` while reminders have to go out first, or no window runs.
pub(super) fn silence_counts_from(case: &Case, env: &CaseEnv<'_>) -> Option<Timestamp> {
    let (_, _, due) = window(case, env)?;
    let needed = reminders(case, env).iter().filter(|(one, _)| matches!(one, Reminder::Enterprise(_))).count();
    if usize::from(case.prompts.reminders) < needed {
        return None;
    }
    let end = match case.prompts.reminded_at.filter(|at| *at >= due) {
        Some(late) => env.after_workdays(ClockKey::K8, late, 1).ok()?,
        None => due,
    };
    // What a call was waited for counts from the call.
    let call = case.prompts.called_at.filter(|_| case.prompts.pressed);
    Some(call.map_or(end, |call| call.max(end)))
}

/// Reminds the enterprise, or asks the centre to call it. `None` when no window runs.
pub fn remind(case: &Case, reminder: Reminder, moment: Timestamp, env: &CaseEnv<'_>) -> Option<Outcome> {
    if let Reminder::Review(n) = reminder {
        return review(case, n, moment, env);
    }
    let (_, _, due) = window(case, env)?;
    let mut case = case.clone();
    let now = env.now.max(case.changed_at);
    let end = if now < due { due } else { env.after_workdays(ClockKey::K8, now, 1).ok()? };
    let until = env.in_words(end);
    if matches!(reminder, Reminder::Enterprise(_)) {
        case.prompts.reminders = case.prompts.reminders.saturating_add(1);
        case.prompts.reminded_at = Some(now);
    }
    let kind = match reminder {
        Reminder::Enterprise(_) => EventKind::Reminded,
        Reminder::Call | Reminder::Review(_) => EventKind::CallAsked,
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
        Reminder::Call | Reminder::Review(_) => OutMessage {
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
