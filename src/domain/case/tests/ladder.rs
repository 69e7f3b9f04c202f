//! The rungs of DOMAIN 2.6 that are no lateness: the second refused return of a unit, the third repeat of a matter.

use super::*;

/// A case whose return is refused after so many of the same unit.
fn return_refused(refused_before: u32) -> Story {
    let cast = cast();
    let mut story = Story::fujian("2026-11-23T09:00:00");
    story.accepted().act(&cast.dispatcher, dispatch("zjj"));
    let give_back = ActionInput::RequestReturn {
        reason: ReturnReason::NotOurDuty,
        basis: "不属本单位三定职责".to_owned(),
        proposed_unit: "fgj".to_owned(),
    };
    let refuse = ActionInput::RefuseReturn { reason: "属住建职责".to_owned(), refused_before };
    story.act(&cast.leader, give_back).act(&cast.dispatcher, refuse).is(CaseStatus::Signed);
    story
}

#[test]
fn the_second_refused_return_of_a_unit_is_supervised() {
    let once = return_refused(0);
    assert_eq!(once.case.overlay.supervised, None);
    assert!(once.case.clock(ClockKey::K12).is_none());

    let twice = return_refused(1);
    assert_eq!(twice.case.overlay.supervised, Some(1));
    let k12 = twice.case.clock(ClockKey::K12).expect("the letter wants an answer");
    assert_eq!((k12.owner.as_str(), k12.due_at), ("zjj", Some(at("2026-11-25T17:30:00"))));
    let last = twice.events.last().expect("an event");
    assert_eq!(last.kind, EventKind::Supervised);
    assert!(last.fact("letter").is_some_and(|letter| letter.contains("退单第2次未获同意")));
    let told = |to: &Recipient| twice.messages.iter().any(|m| m.to == *to && m.kind == "case_supervised");
    assert!(told(&Recipient::Unit("zjj".to_owned())) && told(&Recipient::Centre));
    let letters = |story: &Story| story.events.iter().filter(|e| e.kind == EventKind::Supervised).count();
    assert_eq!(letters(&twice), 1);
}

#[test]
fn a_case_that_is_supervised_already_gets_no_second_letter() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-23T09:00:00");
    story.accepted().act(&cast.dispatcher, dispatch("zjj"));
    story.act(&cast.supervisor, ActionInput::Supervise { level: 3, letter: "请当日签收".to_owned() });
    let give_back = ActionInput::RequestReturn {
        reason: ReturnReason::NotOurDuty,
        basis: "不属本单位三定职责".to_owned(),
        proposed_unit: "fgj".to_owned(),
    };
    let refuse = ActionInput::RefuseReturn { reason: "属住建职责".to_owned(), refused_before: 4 };
    story.act(&cast.leader, give_back).act(&cast.dispatcher, refuse);
    assert_eq!(story.case.overlay.supervised, Some(3));
    assert_eq!(story.events.iter().filter(|e| e.kind == EventKind::Supervised).count(), 1);
}

fn accepted_as(repeats: u32) -> Story {
    let mut story = Story::fujian("2026-11-02T09:00:00");
    let ActionInput::Accept { case_type, topic, urgency, complexity, duplicates_checked, .. } = accept(&story.case)
    else {
        panic!("an acceptance")
    };
    let repeat_of = (repeats > 0).then(|| CaseNumber::new(jiff::civil::date(2026, 9, 1), 7));
    let input = ActionInput::Accept { case_type, topic, urgency, complexity, duplicates_checked, repeat_of, repeats };
    story.act(&cast().front, input).is(CaseStatus::Accepted);
    story
}

#[test]
fn the_third_repeat_of_a_matter_takes_it_to_the_next_level() {
    for (repeats, rung) in [(0, None), (1, None), (2, None), (3, Some(1)), (4, Some(1))] {
        assert_eq!(accepted_as(repeats).case.overlay.escalated, rung, "repeat {repeats}");
    }
    let third = accepted_as(3);
    let last = third.events.last().expect("an event");
    assert_eq!((last.kind, last.fact("reason")), (EventKind::Escalated, Some("同一事项第3次重复反映")));
    assert!(third.messages.iter().any(|m| m.to == Recipient::Centre && m.kind == "case_escalated"));
    assert!(third.messages.iter().any(|m| m.to == Recipient::Enterprise && m.kind == "case_escalated"));
}

#[test]
fn taking_the_same_case_up_for_the_third_time_is_a_third_repeat() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.closed();
    for round in 1..=3 {
        story.act(&Actor::Enterprise, ActionInput::Reopen { reason: "又坏了".to_owned() }).is(CaseStatus::Processing);
        let rung = (round == 3).then_some(1);
        assert_eq!(story.case.overlay.escalated, rung, "round {round}");
        story.act(&cast.handler, draft()).act(&cast.leader, ActionInput::SignOff);
        story.act(&cast.verifier, ActionInput::ReleaseReply { note: None }).act(&Actor::Enterprise, confirm(true));
        story.is(CaseStatus::Closed);
    }
}
