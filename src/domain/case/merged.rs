//! A case that was merged into another one follows it (T44, S22): its enterprise learns of the reply and the closing,
//! and the case goes its own way again when the other one ends without an answer.
//!
//! The words of a reply are for the enterprise they were written to: another one learns that the matter was answered and
//! hears what concerns it from the centre (DOMAIN 8).

use super::{
    action::Actor,
    clocks::CaseEnv,
    event::{ActorStamp, CaseEvent, EventKind, Fact},
    model::{Case, ClockKey, ClockState, OutMessage, Outcome, Recipient, TransitionError},
    status::CaseStatus,
};
use crate::domain::sla::Budget;

/// What an event of the case it was merged into means for a merged case; `None` when it means nothing. Only the same
/// enterprise gets to read what the event says.
///
/// # Errors
/// `Clock` when the calendar cannot answer.
pub fn follow(
    child: &Case,
    parent: &Case,
    event: &CaseEvent,
    same_enterprise: bool,
    env: &CaseEnv<'_>,
) -> Result<Option<Outcome>, TransitionError> {
    use EventKind as K;
    if child.status != CaseStatus::Merged || child.overlay.parent.as_ref() != Some(&parent.number) {
        return Ok(None);
    }
    let fact = |key: &str| event.fact(key).unwrap_or_default().to_owned();
    let own = |key: &str| if same_enterprise { fact(key) } else { String::new() };
    let mut case = child.clone();
    let mut centre = None;
    let (kind, facts) = if event.kind == K::ReplyReleased {
        case.overlay.parent_answered = true;
        // Its rating is a rating of the unit that answered.
        case.lead_unit = parent.lead_unit.clone().filter(|unit| !case.recused.contains(unit));
        if !same_enterprise {
            centre = Some("并入的件已答复，请把与该企业有关的结果单独告知企业");
        }
        (K::ParentAnswered, vec![("text", own("text")), ("signer", own("signer"))])
    } else if event.kind == K::Closed {
        case.overlay.parent_answered = true;
        (K::ParentClosed, vec![("conclusion", fact("conclusion"))])
    } else if matches!(event.kind, K::Withdrawn | K::Refused | K::InfoLapsed) {
        resume(&mut case, env)?;
        centre = Some("原并入的件未办结即终止，请单独办理");
        (K::Unmerged, Vec::new())
    } else if event.kind == K::TransferredOut {
        case.status = CaseStatus::Transferred;
        case.conclusion = parent.conclusion;
        (K::TransferredOut, vec![("to", fact("to")), ("receipt", own("receipt"))])
    } else if event.kind == K::Merged {
        case.overlay.parent.clone_from(&parent.overlay.parent);
        return Ok(Some(Outcome { case, events: Vec::new(), messages: Vec::new(), parts: Vec::new() }));
    } else {
        return Ok(None);
    };
    let now = env.now.max(case.changed_at);
    case.last_seq += 1;
    case.changed_at = now;
    if case.status != child.status {
        case.entered_at = now;
    }
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    let event = CaseEvent {
        case: case.id,
        seq: case.last_seq,
        kind,
        actor: ActorStamp::from(&Actor::Timer),
        from: child.status,
        to: case.status,
        at: now,
        facts: facts.map(|(key, value)| Fact { key: key.to_owned(), value, public: true }).collect(),
    };
    let number = case.display_number();
    let mut messages = Vec::new();
    if let Some(line) = event.public_line(&|slug| env.name_of(slug)) {
        let text = format!("【{number}】{line}");
        messages.push(OutMessage { to: Recipient::Enterprise, kind: kind.as_str(), text });
    }
    if let Some(text) = centre {
        messages.push(OutMessage { to: Recipient::Centre, kind: kind.as_str(), text: format!("【{number}】{text}") });
    }
    Ok(Some(Outcome { case, events: vec![event], messages, parts: Vec::new() }))
}

/// Back to where it was merged, with the due date the enterprise was told.
fn resume(case: &mut Case, env: &CaseEnv<'_>) -> Result<(), TransitionError> {
    case.overlay.parent = None;
    case.overlay.parent_answered = false;
    if case.accepted_at.is_none() {
        case.status = CaseStatus::Submitted;
        case.start_stack_clock(ClockKey::K1, "centre", Budget::working_minutes(30), env)?;
        return Ok(());
    }
    case.status = CaseStatus::Accepted;
    case.start_stack_clock(ClockKey::K2, "centre", Budget::working_hours(4), env)?;
    if let Some(clock) = case.clocks.iter_mut().rev().find(|clock| clock.key == ClockKey::K5) {
        if clock.state == ClockState::Cancelled {
            clock.state = ClockState::Running;
            clock.stopped_at = None;
        }
        case.recompute_policy_clock(env)?;
    } else if !case.requirements.starts_on_delivery {
        case.start_policy_clock(env)?;
    }
    Ok(())
}
