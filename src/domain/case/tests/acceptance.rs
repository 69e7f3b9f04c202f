//! What is settled when a case is accepted (T07).

use super::*;

#[test]
fn a_case_without_a_topic_is_not_accepted_and_what_the_officer_corrects_is_kept() {
    let cast = cast();
    let new = || NewCase { topic: None, ..new_case(CaseType::Coordination) };
    let mut story = Story::begin("fujian", new(), "2026-11-02T09:00:00");
    let mut input = accept(&story.case);
    match story.attempt(&cast.front, &input) {
        Err(TransitionError::Field { field, .. }) => assert_eq!(field, "topic"),
        other => panic!("{other:?}"),
    }
    if let ActionInput::Accept { case_type, topic, .. } = &mut input {
        (*case_type, *topic) = (CaseType::Help, Some("POWER".to_owned()));
    }
    story.act(&cast.front, input).is(CaseStatus::Accepted);
    let facts = |story: &Story, kind| {
        let event = story.events.iter().rev().find(|event| event.kind == kind).expect("an event");
        ["type", "from_type", "topic", "from_topic"].map(|key| event.fact(key).unwrap_or_default().to_owned())
    };
    assert_eq!(facts(&story, EventKind::Accepted), ["求助", "办事协调", "POWER", "none"]);
    let regrade = ActionInput::Regrade {
        case_type: None,
        topic: Some("FIRE.ACCEPT".to_owned()),
        complexity: None,
        reason: "核实后是消防验收".to_owned(),
        basis: None,
        due_on: None,
    };
    story.act(&cast.dispatcher, regrade);
    assert_eq!(facts(&story, EventKind::Regraded)[2..], ["FIRE.ACCEPT", "POWER"]);

    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.accepted();
    assert_eq!(facts(&story, EventKind::Accepted), ["办事协调", "", "FIRE.ACCEPT", ""], "nothing was changed");
}
