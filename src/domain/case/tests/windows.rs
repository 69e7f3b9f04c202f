//! What has a window is offered to its last second and not one second longer, and no button leads to a certain refusal.

use super::*;

/// Offered at the last moment of its window, gone a second later, and refused then with this code.
#[track_caller]
fn closes_at(mut story: Story, actor: &Actor, input: &ActionInput, last: &str, code: &str) {
    story.at(last);
    assert!(story.buttons(actor).contains(&input.action()), "{:?} is offered at {last}", input.action());
    story.attempt(actor, input).expect("goes through at the last moment");
    story.now += SignedDuration::from_secs(1);
    assert!(!story.buttons(actor).contains(&input.action()), "{:?} is offered after {last}", input.action());
    story.refuses(actor, input, code);
}

fn give_back() -> ActionInput {
    ActionInput::RequestReturn {
        reason: ReturnReason::NotOurDuty,
        basis: "消防验收属住建部门职责（消防法第十三条）".to_owned(),
        proposed_unit: "fgj".to_owned(),
    }
}

fn ask_extension() -> ActionInput {
    ActionInput::RequestExtension {
        days: 2,
        reason: "消防检测机构须重新出具喷淋系统检测报告，预计三个工作日后取得，再组织联合验收".to_owned(),
    }
}

#[test]
fn a_return_is_offered_for_one_working_day() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-23T09:00:00");
    story.accepted().act(&cast.dispatcher, dispatch("zjj"));
    closes_at(story, &cast.leader, &give_back(), "2026-11-24T17:30:00", "case.window_over");
}

#[test]
fn an_extension_is_offered_until_the_answer_is_due() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing();
    assert_eq!(story.due(), at("2026-11-16T17:30:00"));
    closes_at(story, &cast.leader, &ask_extension(), "2026-11-16T17:30:00", "case.no_extension");
}

#[test]
fn an_extension_that_came_too_late_to_be_decided_is_not_offered_for_decision() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing().act(&cast.leader, ask_extension());
    let grant = ActionInput::GrantExtension { days: None };
    closes_at(story, &cast.dispatcher, &grant, "2026-11-16T17:30:00", "case.no_extension");
}

#[test]
fn an_objection_is_offered_for_ten_working_days() {
    let cast = cast();
    let refuse = ActionInput::Refuse { code: Diversion::D5, path: "可申请人民调解".to_owned() };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.act(&cast.front, refuse);
    let object = ActionInput::Object { text: "这是政府部门的职责".to_owned() };
    closes_at(story, &Actor::Enterprise, &object, "2026-11-16T17:30:00", "case.window_over");
}

#[test]
fn taking_up_again_is_offered_to_the_enterprise_for_thirty_days() {
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.closed();
    let reopen = ActionInput::Reopen { reason: "承诺没有兑现".to_owned() };
    closes_at(story, &Actor::Enterprise, &reopen, "2026-12-02T23:59:59", "case.window_over");
}

#[test]
fn an_urge_is_offered_again_after_two_working_days() {
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing().act(&Actor::Enterprise, ActionInput::Urge { words: None });
    assert!(!story.buttons(&Actor::Enterprise).contains(&CaseAction::Urge));
    story.at("2026-11-04T17:30:00");
    assert!(!story.buttons(&Actor::Enterprise).contains(&CaseAction::Urge));
    story.at("2026-11-04T17:30:01");
    assert!(story.buttons(&Actor::Enterprise).contains(&CaseAction::Urge));
}

/// A consultation that was answered on the spot with this source, and then had to be handled after all.
fn consultation_after(source: &str) -> Story {
    let cast = cast();
    let mut story = Story::begin("fujian", new_case(CaseType::Consultation), "2026-11-02T09:00:00");
    let answer = ActionInput::AnswerOnSpot { text: "可在网上办理。".to_owned(), source: source.to_owned() };
    story.act(&cast.front, answer).act(&Actor::Enterprise, ActionInput::RequestHandling { words: None });
    story
        .act(&cast.dispatcher, dispatch("zjj"))
        .act(&cast.clerk, sign_in())
        .act(&cast.handler, contact(ContactOutcome::Reached));
    story
}

#[test]
fn a_consultation_that_a_rule_answered_has_no_extension() {
    let cast = cast();
    let ask = ActionInput::RequestExtension {
        days: 1,
        reason: "需要与省厅核对新出台办法的适用范围，预计明日上午取得书面答复意见".to_owned(),
    };
    let known = consultation_after("rule:a-wengang");
    assert_eq!(known.case.answered_by_rule.as_deref(), Some("a-wengang"));
    assert!(!known.buttons(&cast.leader).contains(&CaseAction::RequestExtension));
    known.refuses(&cast.leader, &ask, "case.no_extension");
    let mut unknown = consultation_after("办事指南第三条");
    unknown.act(&cast.leader, ask.clone());

    // Answered by the bot before it was filed: the same.
    let mut new = new_case(CaseType::Consultation);
    new.answered_by_rule = Some("a-wengang".to_owned());
    let mut story = Story::begin("fujian", new, "2026-11-02T09:00:00");
    story.processing().refuses(&cast.leader, &ask, "case.no_extension");
    // Another type has one, whatever was answered before.
    let mut new = new_case(CaseType::Coordination);
    new.answered_by_rule = Some("a-wengang".to_owned());
    let mut story = Story::begin("fujian", new, "2026-11-02T09:00:00");
    story.processing().act(&cast.leader, ask);
}

#[test]
fn a_rectification_has_no_extension_and_its_clock_stands_while_the_reply_is_checked() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released().act(&Actor::Enterprise, confirm(false));
    let uphold =
        ActionInput::UpholdRating { facts: "未到现场".to_owned(), rectify: "三日内到现场办理".to_owned() };
    story.act(&cast.supervisor, uphold).act(&cast.handler, draft());
    story.act(&cast.leader, ActionInput::RejectDraft { comment: "没有写整改结果".to_owned() });
    story.is(CaseStatus::Processing).refuses(&cast.leader, &ask_extension(), "case.no_extension");
    let k9 = |story: &Story| story.case.clock(ClockKey::K9).map(|clock| (clock.state, clock.due_at));
    let due = k9(&story).and_then(|(_, due)| due);
    assert_eq!(k9(&story), Some((ClockState::Running, due)));
    story.act(&cast.handler, draft()).act(&cast.leader, ActionInput::SignOff);
    assert_eq!(k9(&story), Some((ClockState::Held, due)), "signed: no delay of the unit any more");
    let refuse =
        ActionInput::RefuseReply { reason: ReplyRefusal::BesidesThePoint, comment: "没有回答第二问".to_owned() };
    story.act(&cast.verifier, refuse);
    assert_eq!(k9(&story), Some((ClockState::Running, due)), "the original due date");
    story.act(&cast.handler, draft()).act(&cast.leader, ActionInput::SignOff);
    story.act(&cast.verifier, ActionInput::ReleaseReply { note: None }).act(&Actor::Enterprise, confirm(true));
    assert_eq!(k9(&story), Some((ClockState::Stopped, due)));
    assert!(!story.case.clock(ClockKey::K9).is_some_and(|clock| clock.missed));
}

#[test]
fn closing_is_offered_when_nothing_is_missing_any_more() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing();
    let close = ActionInput::RequestClose {
        conclusion: Conclusion::Solved,
        basis: None,
        coordination_log: None,
        explanation: None,
        summary: "已办好".to_owned(),
    };
    story.act(&cast.leader, close).is(CaseStatus::ClosingReview);
    story.refuses(&cast.verifier, &approve(), "case.close_needs");
    let call =
        ActionInput::Confirm { solved: true, words: None, call_record: Some("11月2日 10:00 李经理".to_owned()) };
    story.act(&cast.verifier, call).act(&cast.verifier, approve()).is(CaseStatus::Closed);
}

/// The length of a clock when it was started last.
fn length(story: &Story, key: ClockKey) -> String {
    match story.case.clock(key).map(|clock| clock.limit) {
        Some(Limit::Budget(budget)) => crate::domain::sla::Within::Budget(budget).to_string(),
        Some(Limit::Until(at)) => story.env(|env| env.in_words(at)),
        Some(Limit::Open) | None => String::new(),
    }
}

#[test]
fn every_clock_has_the_length_of_the_book() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    assert_eq!(length(&story, ClockKey::K1), "30wm");
    story.accepted();
    assert_eq!(length(&story, ClockKey::K2), "4wh");
    story.act(&cast.dispatcher, dispatch("fgj"));
    assert_eq!((length(&story, ClockKey::K3), length(&story, ClockKey::K4)), ("4wh".to_owned(), "1wd".to_owned()));
    let give_back = ActionInput::RequestReturn {
        reason: ReturnReason::NotOurDuty,
        basis: "不属本单位三定职责".to_owned(),
        proposed_unit: "zjj".to_owned(),
    };
    story.act(&officer(20, &[(Role::UnitLeader, "fgj")]), give_back);
    assert_eq!(length(&story, ClockKey::K10), "4wh");
    let grant = ActionInput::GrantReturn { lead: "zjj".to_owned(), assists: Vec::new(), note: None };
    story.at("2026-11-02T15:00:00").act(&cast.dispatcher, grant);
    let k4 = story.case.clock(ClockKey::K4).expect("K4 of the new unit");
    assert_eq!((k4.owner.as_str(), k4.due_at), ("zjj", Some(at("2026-11-03T17:30:00"))));
    story.act(&cast.clerk, sign_in()).act(&cast.handler, contact(ContactOutcome::Reached));
    let reason = "消防检测机构须重新出具喷淋系统检测报告，预计三个工作日后取得，再组织联合验收".to_owned();
    story.act(&cast.leader, ActionInput::RequestExtension { days: 3, reason });
    assert_eq!(length(&story, ClockKey::K11), "4wh");
    story.act(&cast.supervisor, ActionInput::Supervise { level: 1, letter: "请加快".to_owned() });
    assert_eq!(length(&story, ClockKey::K12), "2wd");
    story.act(&cast.handler, draft());
    assert_eq!(story.case.clock(ClockKey::K6).and_then(|clock| clock.due_at), Some(story.due()));
    story.act(&cast.leader, ActionInput::SignOff);
    assert_eq!(length(&story, ClockKey::K7), "2wd");
    story.act(&cast.verifier, ActionInput::ReleaseReply { note: None });
    assert_eq!(length(&story, ClockKey::K8), "5wd");
    story.act(&Actor::Enterprise, rate(1));
    assert_eq!(length(&story, ClockKey::K9), "3wd");
    let uphold = ActionInput::UpholdRating { facts: "属实".to_owned(), rectify: "整改".to_owned() };
    story.act(&cast.supervisor, uphold);
    assert_eq!(length(&story, ClockKey::K9), "5wd");
}

#[test]
fn the_lengths_of_the_book_are_what_counts() {
    use crate::domain::sla::{Budget, Within};
    let cast = cast();
    let wd = |n| Within::Budget(Budget::working_days(n));
    let mut story = Story::fujian("2026-11-02T09:00:00");
    for clock in &mut story.book.stack {
        match clock.key.as_str() {
            "K3" => clock.hard = Some(wd(2)),
            "K9" => clock.hard = Some(wd(4)),
            _ => {}
        }
    }
    for profile in story.book.profiles.iter_mut().filter(|profile| profile.name == "fujian") {
        for limit in profile.limits.iter_mut().filter(|limit| limit.key == "rectify") {
            limit.within = wd(7);
        }
        profile.silent_confirm.after = wd(6);
        profile.silent_confirm.reminders = 1;
        profile.extension.max_times = 2;
    }
    story.accepted().act(&cast.dispatcher, dispatch("zjj"));
    let timers = story.env(|env| timed_actions(&story.case, env)).expect("timers");
    assert_eq!(timers[0].at, at("2026-11-04T17:30:00"), "deemed signed after two working days");
    story.act(&cast.clerk, sign_in()).act(&cast.handler, contact(ContactOutcome::Reached));
    let reason = "消防检测机构须重新出具喷淋系统检测报告，预计三个工作日后取得，再组织联合验收";
    for _ in 0..2 {
        story.act(&cast.leader, ActionInput::RequestExtension { days: 1, reason: reason.to_owned() });
        let who = if story.case.extensions == 0 { &cast.dispatcher } else { &cast.supervisor };
        story.act(who, ActionInput::GrantExtension { days: None });
    }
    story.act(&cast.handler, draft()).act(&cast.leader, ActionInput::SignOff);
    story.act(&cast.verifier, ActionInput::ReleaseReply { note: None });
    assert_eq!(length(&story, ClockKey::K8), "6wd");
    let reminded = story.env(|env| reminders(&story.case, env));
    assert_eq!(reminded.iter().filter(|(r, _)| matches!(r, Reminder::Enterprise(_))).count(), 1);
    story.act(&Actor::Enterprise, rate(1));
    assert_eq!(length(&story, ClockKey::K9), "4wd");
    story.act(&cast.supervisor, ActionInput::UpholdRating { facts: "属实".to_owned(), rectify: "整改".to_owned() });
    assert_eq!(length(&story, ClockKey::K9), "7wd");
}

#[test]
fn a_policy_that_expires_leaves_running_cases_alone() {
    let cast = cast();
    let in_fujian = || NewCase { region: "350100".to_owned(), ..new_case(CaseType::Coordination) };
    let mut story = Story::begin("xiangshan", in_fujian(), "2027-12-30T09:00:00");
    story.accepted();
    let due = story.due();
    let mut later = Story::begin("xiangshan", in_fujian(), "2028-01-04T09:00:00");
    later.accepted();
    assert_eq!(later.case.requirements.profile, "xiangshan", "an expired policy takes up nothing new");
    story.at("2028-01-04T09:00:00").act(&cast.dispatcher, dispatch("zjj"));
    assert_eq!((story.due(), story.case.requirements.profile.as_str()), (due, "fujian"));
}
