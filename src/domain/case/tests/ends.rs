//! The roads out of a case: confirmation while the closing is checked, plans with several milestones, closings that
//! need a word of the enterprise, promises, and what is asked for on the way and never decided.

use super::*;

fn request_close(conclusion: Conclusion) -> ActionInput {
    ActionInput::RequestClose {
        conclusion,
        basis: Some("城乡规划法第四十条".to_owned()),
        coordination_log: Some("11月3日、5日两次协调".to_owned()),
        explanation: Some("该地块规划为绿地，不能加建厂房".to_owned()),
        summary: "申请销号".to_owned(),
    }
}

fn call(solved: bool) -> ActionInput {
    ActionInput::Confirm { solved, words: None, call_record: Some("11月9日10时电话".to_owned()) }
}

fn milestones(days: &[(i8, i8)]) -> ActionInput {
    let milestones = days.iter().map(|(month, day)| MilestoneInput {
        text: format!("{month}月的节点"),
        due_on: jiff::civil::date(2026, *month, *day),
    });
    ActionInput::AcceptPlan { milestones: milestones.collect() }
}

fn silence(story: &mut Story) {
    story.reminded();
    if story.case.prompts.calls == 0 {
        story.act(&cast().verifier, contact(ContactOutcome::Failed));
    }
    story.now = story.case.clock(ClockKey::K8).and_then(|clock| clock.due_at).expect("a window");
    story.act(&Actor::Timer, ActionInput::ConfirmSilently);
}

fn told(story: &Story, to: &Recipient, kind: &str) -> Vec<String> {
    story.messages.iter().filter(|m| m.to == *to && m.kind == kind).map(|m| m.text.clone()).collect()
}

#[test]
fn a_good_rating_while_the_closing_is_checked_is_the_confirmation() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing().act(&cast.leader, request_close(Conclusion::Solved));
    story.refuses(&cast.verifier, &approve(), "case.close_needs");
    story.act(&Actor::Enterprise, rate(5)).is(CaseStatus::ClosingReview);
    story.act(&cast.verifier, approve()).is(CaseStatus::Closed);

    // After its silence the enterprise speaks all the same: the closing is no silent one.
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released();
    silence(&mut story);
    story.is(CaseStatus::ClosingReview).act(&Actor::Enterprise, rate(4));
    story.act(&cast.verifier, approve()).is(CaseStatus::Closed);
    assert!(!story.case.closings[0].silent);
}

#[test]
fn what_is_not_solved_is_rechecked_also_while_the_closing_is_checked() {
    let cast = cast();
    for (actor, words) in [(&cast.verifier, call(false)), (&Actor::Enterprise, confirm(false))] {
        let mut story = Story::fujian("2026-11-02T09:00:00");
        story.released();
        silence(&mut story);
        story.act(actor, words).is(CaseStatus::Recheck);
        assert_eq!(story.case.confirmation, None);
    }
}

#[test]
fn bad_manners_make_no_reply_late() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    let rude = ActionInput::Rate { grade: 2, solved: Some(true), reason: Some("态度不好".to_owned()), words: None };
    story.released().act(&Actor::Enterprise, rude).is(CaseStatus::Recheck);
    assert_eq!(story.k5().state, ClockState::Held);
    let uphold = ActionInput::UpholdRating { facts: "属实".to_owned(), rectify: "登门道歉".to_owned() };
    story.act(&cast.supervisor, uphold).act(&cast.handler, draft()).act(&cast.leader, ActionInput::SignOff);
    assert_eq!((story.k5().state, story.k5().missed), (ClockState::Held, false));
}

#[test]
fn a_plan_goes_on_after_a_milestone_that_nobody_answers_and_can_be_closed() {
    let cast = cast();
    let report = || ActionInput::ReportMilestone { reached: true, text: "已完成".to_owned() };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released().act(&Actor::Enterprise, milestones(&[(11, 20), (12, 18)]));
    story.at("2026-11-19T10:00:00").act(&cast.handler, report()).is(CaseStatus::AwaitingConfirm);
    story.refuses(&cast.leader, &request_close(Conclusion::Solved), "case.close_needs");
    silence(&mut story);
    story.is(CaseStatus::PlanTracking);
    let timers = story.env(|env| timed_actions(&story.case, env)).expect("timers");
    assert_eq!(
        timers.iter().find(|t| t.action == CaseAction::ReportMilestone).map(|t| t.at),
        Some(at("2026-12-18T17:30:00"))
    );
    story.act(&cast.handler, report()).is(CaseStatus::AwaitingConfirm);
    silence(&mut story);
    story.is(CaseStatus::ClosingReview).act(&cast.verifier, approve()).is(CaseStatus::Closed);
}

#[test]
fn the_rest_of_a_plan_is_taken_up_without_new_milestones_and_ends_with_the_matter() {
    let cast = cast();
    let missed = ActionInput::ReportMilestone { reached: false, text: "到期未报告节点结果".to_owned() };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released();
    story.refuses(&Actor::Enterprise, &milestones(&[]), "case.field");
    story.act(&Actor::Enterprise, milestones(&[(11, 20), (12, 18)]));
    story.refuses(&Actor::Timer, &missed, "case.too_early");
    story.at("2026-11-20T17:30:00").act(&Actor::Timer, missed).is(CaseStatus::AwaitingConfirm);
    assert!(story.case.tasks[0].late);
    story.act(&Actor::Enterprise, milestones(&[])).is(CaseStatus::PlanTracking);
    story.at("2026-12-01T10:00:00");
    story.act(&cast.handler, ActionInput::ReportMilestone { reached: true, text: "全部完成".to_owned() });
    story.act(&Actor::Enterprise, confirm(true)).is(CaseStatus::Closed);
    assert!(story.case.clocks.iter().all(|clock| clock.key != ClockKey::K13 || !clock.is_open()));
}

#[test]
fn a_plan_does_not_outlive_the_reply_it_belongs_to() {
    let cast = cast();
    let report = ActionInput::ReportMilestone { reached: true, text: "已完成".to_owned() };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released().act(&Actor::Enterprise, milestones(&[(11, 20), (12, 18)])).act(&cast.handler, report);
    story.act(&Actor::Enterprise, rate(1)).is(CaseStatus::Recheck);
    let dismiss = ActionInput::DismissRating {
        finding: "误评".to_owned(),
        explanation: "节点已按期完成".to_owned(),
        evidence: "照片".to_owned(),
    };
    story.act(&cast.supervisor, dismiss).act(&cast.verifier, approve()).is(CaseStatus::Closed);
}

#[test]
fn the_closing_is_not_asked_for_while_the_clock_stands_still() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    let pause = ActionInput::Pause {
        reason: PauseReason::P2,
        explanation: "喷淋检测".to_owned(),
        document: Some("检测委托书".to_owned()),
        until_on: Some(jiff::civil::date(2026, 11, 9)),
    };
    story.processing().act(&cast.leader, pause);
    story.refuses(&cast.leader, &request_close(Conclusion::Solved), "case.paused");
    // Two days of downtime: the unit gets no more time than was agreed.
    story.at("2026-11-11T10:00:00").act(&Actor::Timer, ActionInput::Resume { note: None });
    assert_eq!(story.case.pauses[0].ended_at, Some(at("2026-11-09T17:30:00")));
    let resumed = story.events.iter().find(|e| e.kind == EventKind::Resumed).expect("an event");
    assert_eq!(resumed.fact("moment"), Some("2026年11月9日 17:30"));
    assert_eq!(told(&story, &Recipient::Unit("zjj".to_owned()), "clock_resumed").len(), 1);
    story.act(&cast.leader, request_close(Conclusion::Solved)).is(CaseStatus::ClosingReview);
}

#[test]
fn an_extension_nobody_decided_ends_with_the_draft() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    let reason = "消防检测机构须重新出具喷淋系统检测报告，预计三个工作日后取得，再组织联合验收".to_owned();
    story.processing().act(&cast.leader, ActionInput::RequestExtension { days: 3, reason });
    let due = story.due();
    story.act(&cast.handler, draft()).is(CaseStatus::SignOffPending);
    assert_eq!(story.case.overlay.extension, None);
    assert_eq!(story.case.clock(ClockKey::K11).map(|clock| clock.state), Some(ClockState::Cancelled));
    assert_eq!(told(&story, &Recipient::Enterprise, "extension_withdrawn").len(), 1);
    story.act(&cast.leader, ActionInput::RejectDraft { comment: "再核".to_owned() });
    story.refuses(&cast.dispatcher, &ActionInput::GrantExtension { days: None }, "case.no_extension");
    assert_eq!(story.due(), due);
}

#[test]
fn what_cannot_be_solved_is_explained_to_the_enterprise_and_stands_for_its_word_only_from_handling() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing().act(&cast.leader, request_close(Conclusion::CannotBeSolved));
    let text = told(&story, &Recipient::Enterprise, "close_requested").pop().expect("a message");
    assert!(text.contains("该地块规划为绿地") && text.contains("城乡规划法第四十条"), "{text}");
    story.act(&cast.verifier, approve()).is(CaseStatus::Closed);

    // The unit cannot cut off the enterprise's answer, nor the recheck of its own bad rating.
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released().act(&cast.leader, request_close(Conclusion::CannotBeSolved)).is(CaseStatus::ClosingReview);
    story.refuses(&cast.verifier, &approve(), "case.close_needs");
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released().act(&Actor::Enterprise, rate(1));
    story.act(&cast.leader, request_close(Conclusion::CannotBeSolved)).is(CaseStatus::ClosingReview);
    story.refuses(&cast.verifier, &approve(), "case.close_needs");
    story.act(&cast.verifier, call(true)).act(&cast.verifier, approve()).is(CaseStatus::Closed);
}

#[test]
fn an_open_promise_keeps_the_case_open() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released();
    story.promises = 1;
    story.act(&Actor::Enterprise, rate(5)).is(CaseStatus::ClosingReview);
    story.refuses(&cast.verifier, &approve(), "case.close_needs");
    story.promises = 0;
    story.act(&cast.verifier, approve()).is(CaseStatus::Closed);
}

#[test]
fn a_refused_closing_lets_the_rectification_go_on() {
    let cast = cast();
    let uphold = ActionInput::UpholdRating { facts: "未到现场".to_owned(), rectify: "三日内到场".to_owned() };
    let refuse = || ActionInput::RefuseClose { reason: "整改没有做完".to_owned() };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released().act(&Actor::Enterprise, rate(1)).act(&cast.supervisor, uphold);
    let due = story.case.clock(ClockKey::K9).and_then(|clock| clock.due_at);
    story.act(&cast.handler, draft()).act(&cast.leader, ActionInput::RejectDraft { comment: "再办".to_owned() });
    story.act(&cast.leader, request_close(Conclusion::Solved)).act(&cast.verifier, refuse()).is(CaseStatus::Processing);
    let k9 = story.case.clock(ClockKey::K9).expect("K9");
    assert_eq!((k9.state, k9.due_at), (ClockState::Running, due));
}

#[test]
fn an_overdue_clock_is_not_paused() {
    let cast = cast();
    let pause = |reason| ActionInput::Pause {
        reason,
        explanation: "停电".to_owned(),
        document: Some("公告".to_owned()),
        until_on: Some(jiff::civil::date(2026, 12, 31)),
    };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing();
    story.now = story.due() + SignedDuration::from_secs(1);
    assert!(!story.buttons(&cast.leader).contains(&CaseAction::Pause));
    story.refuses(&cast.leader, &pause(PauseReason::P2), "case.field");
    story.refuses(&cast.dispatcher, &pause(PauseReason::P1), "case.field");
    story.act(&cast.dispatcher, pause(PauseReason::P4));
    assert!(story.k5().is_overdue(story.now), "a pause after the due moment changes nothing");
}

#[test]
fn the_end_of_the_supervision_ends_every_letter() {
    let cast = cast();
    let letter = |text: &str| ActionInput::Supervise { level: 1, letter: text.to_owned() };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing().act(&cast.supervisor, letter("请加快")).act(&cast.supervisor, letter("再催"));
    story.act(&cast.supervisor, ActionInput::EndSupervision { result: "已到现场".to_owned() });
    let open = story.case.clocks.iter().filter(|clock| clock.key == ClockKey::K12 && clock.is_open()).count();
    assert_eq!(open, 0);
    assert_eq!(told(&story, &Recipient::Unit("zjj".to_owned()), "supervision_ended").len(), 1);
}

#[test]
fn another_dispatch_leaves_the_limit_alone_although_the_units_are_fewer() {
    let cast = cast();
    let mut new = new_case(CaseType::Coordination);
    new.channel = Channel::MayorMailbox;
    let mut story = Story::begin("suqian_mayor", new, "2026-11-02T09:00:00");
    story.accepted();
    story.case.requirements.chain = 0;
    let several = ActionInput::Dispatch {
        lead: "zjj".to_owned(),
        assists: vec!["xfdd".to_owned()],
        complexity: None,
        note: None,
    };
    story.act(&cast.dispatcher, several);
    let due = story.due();
    let give_back = ActionInput::RequestReturn {
        reason: ReturnReason::NotOurDuty,
        basis: "不属本单位三定职责".to_owned(),
        proposed_unit: "fgj".to_owned(),
    };
    let grant = ActionInput::GrantReturn { lead: "fgj".to_owned(), assists: Vec::new(), note: None };
    story.act(&cast.leader, give_back).act(&cast.dispatcher, grant);
    assert_eq!((story.due(), story.k5().owner.as_str()), (due, "fgj"));
}

#[test]
fn a_round_begins_without_the_rungs_of_the_one_before() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing().act(&cast.supervisor, ActionInput::Escalate { rung: 5, reason: "久拖不决".to_owned() });
    story.act(&cast.handler, draft()).act(&cast.leader, ActionInput::SignOff);
    story.act(&cast.verifier, ActionInput::ReleaseReply { note: None }).act(&Actor::Enterprise, confirm(true));
    story.act(&Actor::Enterprise, ActionInput::Reopen { reason: "又坏了".to_owned() });
    assert_eq!(story.case.overlay.escalated, None);
}

#[test]
fn an_answer_on_the_spot_is_late_where_it_was_and_can_be_taken_up_again() {
    let cast = cast();
    let answer = ActionInput::AnswerOnSpot { text: "请到二楼窗口".to_owned(), source: "办事指南".to_owned() };
    let mut story = Story::begin("fujian", new_case(CaseType::Consultation), "2026-11-02T09:00:00");
    story.accepted();
    story.now = story.due() + SignedDuration::from_secs(1);
    story.act(&cast.front, answer).act(&Actor::Enterprise, confirm(true)).is(CaseStatus::Closed);
    assert!(!story.case.closings[0].in_time);
    story.act(&Actor::Enterprise, ActionInput::Reopen { reason: "窗口不认".to_owned() }).is(CaseStatus::Accepted);
    assert_eq!(story.k5().turn, 2);
    story.act(&cast.dispatcher, dispatch("zjj"));
}

#[test]
fn the_archive_waits_for_the_last_hour_of_the_thirty_days_and_for_a_dispute() {
    let cast = cast();
    let archive = ActionInput::Archive { package: "c0ffee".to_owned() };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.closed();
    story.at("2026-12-02T23:59:59").refuses(&Actor::Timer, &archive, "case.too_early");
    assert!(story.buttons(&Actor::Enterprise).contains(&CaseAction::Reopen));
    story.at("2026-12-03T00:00:00").act(&Actor::Timer, archive.clone()).is(CaseStatus::Archived);
    assert!(!story.buttons(&Actor::Enterprise).contains(&CaseAction::Reopen));
    story
        .act(&cast.supervisor, ActionInput::Reopen { reason: "回头看发现未兑现".to_owned() })
        .is(CaseStatus::Processing);

    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.closed().at("2026-11-20T10:00:00").act(&Actor::Enterprise, rate(1)).is(CaseStatus::Recheck);
    let dismiss = ActionInput::DismissRating {
        finding: "已按时办结".to_owned(),
        explanation: "现场复核，问题已解决".to_owned(),
        evidence: "现场照片".to_owned(),
    };
    story.act(&cast.supervisor, dismiss).act(&cast.verifier, approve()).is(CaseStatus::Closed);
    story.at("2026-12-03T00:00:00").refuses(&Actor::Timer, &archive, "case.too_early");
    story.at("2026-12-21T00:00:00").act(&Actor::Timer, archive).is(CaseStatus::Archived);
}

#[test]
fn who_wrote_a_reply_that_was_given_back_does_not_verify_the_next_one() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    let refuse = ActionInput::RefuseReply { reason: ReplyRefusal::BesidesThePoint, comment: "答非所问".to_owned() };
    story.processing();
    let first = officer(41, &[(Role::Handler, "zjj"), (Role::Verifier, "")]);
    story.act(&first, draft()).act(&cast.leader, ActionInput::SignOff).act(&cast.verifier, refuse);
    story.act(&cast.handler, draft()).act(&cast.leader, ActionInput::SignOff);
    story.refuses(&first, &ActionInput::ReleaseReply { note: None }, "case.handler_may_not_verify");
}

#[test]
fn a_refusal_that_was_objected_to_is_reviewed_by_another_dispatcher() {
    let cast = cast();
    let refuse = || ActionInput::Refuse { code: Diversion::D2, path: "请向人民法院起诉".to_owned() };
    let object = || ActionInput::Object { text: "并未起诉".to_owned() };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.act(&cast.dispatcher, refuse()).act(&Actor::Enterprise, object());
    story.refuses(&cast.front, &refuse(), "case.role_not_allowed");
    story.refuses(&cast.dispatcher, &refuse(), "case.same_officer");
    story.act(&officer(42, &[(Role::Dispatcher, "")]), refuse()).is(CaseStatus::NotAccepted);
}

#[test]
fn the_centre_may_refuse_a_pause_that_was_asked_for() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    let ask = ActionInput::Pause {
        reason: PauseReason::P1,
        explanation: "缺检测报告".to_owned(),
        document: None,
        until_on: None,
    };
    story.processing().act(&cast.handler, ask);
    story.refuses(&cast.handler, &ActionInput::Resume { note: None }, "case.paused");
    story.act(&cast.dispatcher, ActionInput::Resume { note: Some("材料已齐".to_owned()) });
    assert_eq!(story.case.overlay.pause_asked, None);
    assert_eq!(story.k5().state, ClockState::Running);
    let text = told(&story, &Recipient::Unit("zjj".to_owned()), "pause_refused").pop().expect("a message");
    assert!(text.contains("材料已齐"), "{text}");
}

#[test]
fn the_unit_complained_of_has_no_part_in_it_under_whatever_type_it_was_filed() {
    let cast = cast();
    let as_complaint = |case: &Case| {
        let mut input = accept(case);
        if let ActionInput::Accept { case_type, .. } = &mut input {
            *case_type = CaseType::Complaint;
        }
        input
    };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.accused = vec!["zjj".to_owned()];
    let input = as_complaint(&story.case);
    story.act(&cast.front, input);
    assert_eq!((story.case.proposed_lead.as_deref(), story.case.recused.as_slice()), (None, &["zjj".to_owned()][..]));
    story.refuses(&cast.dispatcher, &dispatch("zjj"), "case.recused");

    // It turns out only while the unit has it: it is taken away, the enterprise's due date stays.
    let regrade = |case_type| ActionInput::Regrade {
        case_type: Some(case_type),
        topic: None,
        complexity: None,
        reason: "企业投诉的是该单位".to_owned(),
        basis: None,
        due_on: None,
    };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing();
    let due = story.due();
    story.accused = vec!["zjj".to_owned()];
    story.act(&cast.dispatcher, regrade(CaseType::Complaint)).is(CaseStatus::Accepted);
    assert_eq!((story.case.lead_unit.as_deref(), story.due()), (None, due));
    assert!(story.buttons(&cast.handler).is_empty());
    story.act(&cast.dispatcher, dispatch("fgj"));

    // Sealed: neither the unit nor the centre goes on with it.
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing().act(&cast.dispatcher, regrade(CaseType::Conduct)).is(CaseStatus::Accepted);
    assert!(story.case.sealed && story.case.party.confidential);
    assert!(story.buttons(&cast.dispatcher).is_empty());
    story.act(&cast.discipline, dispatch("zfb"));
}

#[test]
fn a_sealed_case_has_no_approval_chain() {
    let cast = cast();
    let mut new = new_case(CaseType::Conduct);
    new.channel = Channel::MayorMailbox;
    let mut story = Story::begin("suqian_mayor", new, "2026-11-02T09:00:00");
    let input = accept(&story.case);
    story.act(&cast.discipline, input);
    story.act(&cast.discipline, dispatch("zfb")).is(CaseStatus::Dispatched);
}

/// A case that is merged into another one of the same matter.
fn merged_into(parent: &CaseNumber) -> Story {
    let mut new = new_case(CaseType::Coordination);
    new.number = CaseNumber::new(jiff::civil::date(2026, 11, 1), 9);
    new.party.enterprise = "另一家企业有限公司".to_owned();
    let mut story = Story::begin("fujian", new, "2026-11-02T09:00:00");
    story.accepted();
    let merge =
        ActionInput::Merge { into: parent.clone(), same_enterprise: false, same_matter: true, parent_open: true };
    story.act(&cast().dispatcher, merge).is(CaseStatus::Merged);
    story
}

fn let_follow(child: &mut Story, parent: &Story) {
    for event in &parent.events {
        let same = child.case.party.enterprise == parent.case.party.enterprise;
        let outcome = child.env(|env| follow(&child.case, &parent.case, event, same, env)).expect("follows");
        if let Some(outcome) = outcome {
            child.take(outcome);
        }
    }
}

#[test]
fn a_merged_case_learns_of_the_reply_and_rates_it() {
    let mut parent = Story::fujian("2026-11-02T09:00:00");
    let mut child = merged_into(&parent.case.number.clone());
    let mut own = merged_into(&parent.case.number.clone());
    own.case.party.enterprise.clone_from(&parent.case.party.enterprise);
    let_follow(&mut child, &parent);
    child.refuses(&Actor::Enterprise, &rate(5), "case.transition_not_allowed");
    parent.closed();
    let_follow(&mut child, &parent);
    assert_eq!(child.case.lead_unit.as_deref(), Some("zjj"));
    let kinds: Vec<_> = child.messages.iter().filter(|m| m.to == Recipient::Enterprise).map(|m| m.kind).collect();
    assert!(kinds.ends_with(&["parent_answered", "parent_closed"]), "{kinds:?}");
    let_follow(&mut own, &parent);
    let answered =
        |story: &Story| story.messages.iter().find(|m| m.kind == "parent_answered").expect("a message").text.clone();
    assert!(answered(&own).contains("已完成消防验收整改"), "its own enterprise's reply");
    assert!(!answered(&child).contains("已完成消防验收整改"), "what another enterprise was answered");
    assert_eq!(told(&child, &Recipient::Centre, "parent_answered").len(), 1);
    child.act(&Actor::Enterprise, rate(4)).is(CaseStatus::Merged);
}

#[test]
fn a_merged_case_goes_its_own_way_when_the_other_one_is_withdrawn() {
    let cast = cast();
    let mut parent = Story::fujian("2026-11-02T09:00:00");
    let mut child = merged_into(&parent.case.number.clone());
    let due = child.case.clock(ClockKey::K5).and_then(|clock| clock.due_at);
    parent.act(&Actor::Enterprise, ActionInput::Withdraw { reason: "不办了".to_owned() });
    assert_eq!(told(&parent, &Recipient::Enterprise, "case_withdrawn").len(), 1);
    let_follow(&mut child, &parent);
    child.is(CaseStatus::Accepted);
    assert_eq!(Some(child.due()), due);
    child.act(&cast.dispatcher, dispatch("zjj"));

    // What is transferred goes there with everything that was merged into it.
    let mut parent = Story::fujian("2026-11-02T09:00:00");
    let mut child = merged_into(&parent.case.number.clone());
    let out = |receipt: &str, way| ActionInput::TransferOut {
        to: "省12345".to_owned(),
        receipt: receipt.to_owned(),
        reason: "超出本级权限".to_owned(),
        way,
    };
    parent.refuses(&cast.dispatcher, &out("", TransferWay::External), "case.field");
    parent.act(&cast.dispatcher, out("", TransferWay::Statutory));
    assert_eq!(parent.case.conclusion, Some(Conclusion::GuidedToLegalPath));
    let_follow(&mut child, &parent);
    child.is(CaseStatus::Transferred);
}

#[test]
fn an_accepted_plan_is_reviewed_every_twenty_working_days_until_it_ends() {
    let mut story = Story::fujian("2026-03-02T09:00:00");
    story.released().act(&Actor::Enterprise, milestones(&[(4, 15), (6, 30)]));
    let reviews = |story: &Story| -> Vec<(Reminder, Timestamp)> {
        let all = story.env(|env| reminders(&story.case, env));
        all.into_iter().filter(|(reminder, _)| matches!(reminder, Reminder::Review(_))).collect()
    };
    let days = ["2026-03-30", "2026-04-28", "2026-05-28", "2026-06-26"].map(|day| at(&format!("{day}T08:30:00")));
    let expected: Vec<_> = (1..).map(Reminder::Review).zip(days).collect();
    assert_eq!(reviews(&story), expected, "holidays and make-up days count as what they are");
    story.at("2026-03-30T08:30:00");
    let outcome = story.env(|env| remind(&story.case, Reminder::Review(1), days[0], env)).expect("a review");
    story.take(outcome);
    for to in [Recipient::Unit("zjj".to_owned()), Recipient::Centre] {
        assert_eq!(told(&story, &to, "plan_review_due").len(), 1);
    }
    assert!(told(&story, &Recipient::Enterprise, "plan_review_due").is_empty());
    // A milestone that was not reported: the plan goes on, and so do its reviews.
    story.at("2026-04-15T17:30:00");
    story.act(&Actor::Timer, ActionInput::ReportMilestone { reached: false, text: "未报告".to_owned() });
    assert_eq!(reviews(&story), expected);
    story.act(&Actor::Enterprise, confirm(true));
    assert!(reviews(&story).is_empty());
    assert!(story.env(|env| remind(&story.case, Reminder::Review(2), days[1], env)).is_none());
}
