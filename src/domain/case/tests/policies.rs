//! What a policy file says is obeyed, in the version that the case keeps: who decides about extensions, whether a reply
//! is signed, until when a letter is answered. What cannot be obeyed is refused when the file is read.

use super::*;
use crate::domain::sla::{Approver, Budget, Profile, Within};

const REASON: &str = "消防检测机构须重新出具喷淋系统检测报告，预计三个工作日后取得，再组织联合验收";

/// A story under the policy of Fujian, changed.
fn under(change: impl FnOnce(&mut Profile)) -> Story {
    let mut story = Story::fujian("2026-11-02T09:00:00");
    change(story.book.profiles.iter_mut().find(|profile| profile.name == "fujian").expect("a shipped policy"));
    story
}

fn limit(story: &Story, key: ClockKey) -> String {
    match story.case.clock(key).map(|clock| clock.limit) {
        Some(Limit::Budget(budget)) => Within::Budget(budget).to_string(),
        Some(Limit::Until(_) | Limit::Open) | None => String::new(),
    }
}

#[test]
fn where_the_leader_decides_about_extensions_the_handler_asks() {
    let cast = cast();
    let ask = || ActionInput::RequestExtension { days: 2, reason: REASON.to_owned() };
    let grant = ActionInput::GrantExtension { days: None };
    let mut story = under(|policy| policy.extension.approver = Approver::UnitLeader);
    story.processing();
    story.refuses(&cast.leader, &ask(), "case.role_not_allowed");
    let due = story.due();
    story.act(&cast.handler, ask());
    assert_eq!(story.case.asked(), Some("unit_extension"));
    assert_eq!(story.case.clock(ClockKey::K11).map(|clock| clock.owner.as_str()), Some("zjj"));
    let told = |story: &Story| story.messages.iter().any(|m| m.to == Recipient::Leader("zjj".to_owned()));
    assert!(told(&story));
    story.refuses(&cast.dispatcher, &grant, "case.no_extension");
    story.act(&cast.leader, grant.clone());
    assert!(story.due() > due);

    let mut story = under(|policy| policy.extension.approver = Approver::Supervisor);
    story.processing().act(&cast.leader, ask());
    assert_eq!(story.case.asked(), Some("second_extension"), "in the list of the supervisors");
    story.refuses(&cast.dispatcher, &grant, "case.no_extension");
    story.refuses(&cast.leader, &grant, "case.role_not_allowed");
    story.act(&cast.supervisor, grant.clone());

    let mut story = under(|_| ());
    story.processing();
    story.refuses(&cast.handler, &ask(), "case.role_not_allowed");
    story.act(&cast.leader, ask());
    let refuse = ActionInput::RefuseExtension { reason: "按期办理".to_owned() };
    story.refuses(&cast.leader, &grant, "case.role_not_allowed");
    story.refuses(&cast.leader, &refuse, "case.role_not_allowed");
    story.act(&cast.dispatcher, refuse);
}

#[test]
fn where_no_signature_is_asked_for_the_draft_is_the_reply() {
    let cast = cast();
    let mut story = under(|policy| policy.sign_off.required = false);
    story.processing().act(&cast.handler, draft()).is(CaseStatus::Replied);
    assert_eq!((story.k5().state, story.case.draft.as_ref()), (ClockState::Held, None));
    assert!(!story.buttons(&cast.leader).contains(&CaseAction::SignOff));
    story.refuses(
        &officer(5, &[(Role::Verifier, "")]),
        &ActionInput::ReleaseReply { note: None },
        "case.handler_may_not_verify",
    );
    story.act(&cast.verifier, ActionInput::ReleaseReply { note: None }).is(CaseStatus::AwaitingConfirm);
    let released = story.events.iter().find(|event| event.kind == EventKind::ReplyReleased).expect("released");
    assert!(released.fact("signer").is_some_and(|signer| signer.starts_with("住建局承办人")));
    story.act(&Actor::Enterprise, rate(1)).is(CaseStatus::Recheck);
    let uphold = ActionInput::UpholdRating { facts: "属实".to_owned(), rectify: "整改".to_owned() };
    story.act(&cast.supervisor, uphold).act(&cast.handler, draft()).is(CaseStatus::Replied);
}

#[test]
fn a_letter_of_the_ladder_is_answered_within_the_time_of_its_step() {
    let cast = cast();
    let letter = || ActionInput::Supervise { level: 1, letter: "请说明原因".to_owned() };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    for rung in story.book.ladder.rungs.iter_mut().filter(|rung| rung.step == 4) {
        rung.reply_within = Some(Within::Budget(Budget::working_days(3)));
    }
    story.processing().act(&Actor::Timer, letter());
    assert_eq!(limit(&story, ClockKey::K12), "3wd");
    story.act(&cast.supervisor, letter());
    assert_eq!(limit(&story, ClockKey::K12), "2wd", "an officer's letter has the time of the book");
}

#[test]
fn what_cannot_be_obeyed_is_refused_where_it_stands() {
    let shipped = include_str!("../../../../rules/sla/fujian.toml");
    let refused = |from: &str, to: &str| {
        assert!(shipped.contains(from), "{from}");
        let error = SlaBook::parse(&[("sla/fujian.toml", shipped.replacen(from, to, 1))]).expect_err(to);
        (error.line, error.message)
    };
    let (line, message) = refused("counts_as_satisfied = false", "counts_as_satisfied = true");
    assert!(line > 1 && message.contains("cannot be obeyed"), "{line}: {message}");
    let (line, message) = refused("approver = \"dispatcher\"", "approver = \"mayor\"");
    assert!(line > 1 && message.contains("dispatcher, supervisor, unit_leader"), "{line}: {message}");
    let (_, message) = refused("drafter_may_sign = false", "drafter_may_sign = true");
    assert!(message.contains("cannot be obeyed"), "{message}");
}

#[test]
fn a_new_grade_is_counted_under_the_version_that_the_case_keeps() {
    let cast = cast();
    let mut story = Story::begin("xiangshan", new_case(CaseType::Coordination), "2026-11-02T09:00:00");
    story.accepted().act(&cast.dispatcher, dispatch("zjj"));
    let kept = story.case.requirements.version.clone();
    let today = story.book.profiles.iter_mut().find(|profile| profile.name == "xiangshan").expect("a shipped policy");
    let former = today.clone();
    today.version = "today".to_owned();
    for row in &mut today.answers {
        row.within = Within::Budget(Budget::working_days(9));
    }
    story.book.former.push(former);
    let grade = |case_type, complexity| ActionInput::Regrade {
        case_type,
        topic: None,
        complexity,
        reason: "涉及多个部门".to_owned(),
        basis: None,
        due_on: None,
    };
    story.act(&cast.dispatcher, grade(None, Some(Complexity::Hard)));
    assert_eq!((limit(&story, ClockKey::K5).as_str(), &story.case.requirements.version), ("5wd", &kept));
    story.act(&cast.dispatcher, grade(Some(CaseType::Help), None));
    assert_eq!(
        (limit(&story, ClockKey::K5).as_str(), &story.case.requirements.version),
        ("5wd", &kept),
        "nor by its type"
    );

    let book = story.book.clone();
    let mut story = Story::begin("xiangshan", new_case(CaseType::Coordination), "2026-11-02T09:00:00");
    story.book = book;
    story.accepted().act(&cast.dispatcher, dispatch("zjj"));
    story.act(&cast.dispatcher, grade(None, Some(Complexity::Hard)));
    assert_eq!((limit(&story, ClockKey::K5).as_str(), story.case.requirements.version.as_str()), ("9wd", "today"));
}
