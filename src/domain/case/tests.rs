//! The acceptance scenarios of DOMAIN 11 that need no rules and no store, the guards of 3.2 and the invariants of 3.5,
//! told as stories over the published calendar.

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use uuid::Uuid;

use super::{input::*, lifecycle, *};
use crate::domain::{
    access::{CaseScope, Role},
    ids::{CaseId, OfficerId, TaskId},
    kinds::{CaseType, Channel, Complexity, Diversion, Urgency},
    sla::{OfficeHours, Schedule, SlaBook, WorkCalendar},
};

mod acceptance;
mod ends;
mod ladder;
mod policies;
mod windows;

fn at(text: &str) -> Timestamp {
    format!("{text}+08:00").parse().expect("a valid instant")
}

fn officer(n: u128, roles: &[(Role, &str)]) -> Actor {
    Actor::Officer(OfficerStamp {
        id: OfficerId::from_uuid(Uuid::from_u128(n)),
        name: format!("人员{n}"),
        roles: roles.iter().map(|(role, unit)| (*role, (*unit).to_owned())).collect(),
        deputy_of: Vec::new(),
    })
}

struct Cast {
    front: Actor,
    dispatcher: Actor,
    verifier: Actor,
    clerk: Actor,
    handler: Actor,
    leader: Actor,
    assisting: Actor,
    supervisor: Actor,
    discipline: Actor,
}

fn cast() -> Cast {
    Cast {
        front: officer(1, &[(Role::FrontDesk, "")]),
        dispatcher: officer(2, &[(Role::Dispatcher, "")]),
        verifier: officer(3, &[(Role::Verifier, "")]),
        clerk: officer(4, &[(Role::UnitClerk, "zjj")]),
        handler: officer(5, &[(Role::Handler, "zjj")]),
        leader: officer(6, &[(Role::UnitLeader, "zjj")]),
        assisting: officer(7, &[(Role::Handler, "xfdd")]),
        supervisor: officer(8, &[(Role::Supervisor, "")]),
        discipline: officer(10, &[(Role::Discipline, "")]),
    }
}

struct Story {
    case: Case,
    now: Timestamp,
    schedule: Schedule,
    book: SlaBook,
    policy: &'static str,
    events: Vec<CaseEvent>,
    messages: Vec<OutMessage>,
    tasks: u128,
    promises: usize,
    accused: Vec<String>,
}

fn world() -> (Schedule, SlaBook) {
    let zone = TimeZone::get("Asia/Shanghai").expect("bundled zone");
    (Schedule::new(WorkCalendar::shipped(), OfficeHours::standard(), zone), SlaBook::shipped())
}

fn new_case(case_type: CaseType) -> NewCase {
    NewCase {
        id: CaseId::from_uuid(Uuid::from_u128(77)),
        number: CaseNumber::new(jiff::civil::date(2026, 9, 30), 1),
        query_code: QueryCode::from_random(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        case_type,
        topic: Some("FIRE.ACCEPT".to_owned()),
        urgency: Urgency::Normal,
        channel: Channel::Web,
        region: String::new(),
        title: "消防验收卡住".to_owned(),
        original_words: "我们厂房消防验收一直批不下来".to_owned(),
        demand: "请协调尽快完成消防验收".to_owned(),
        place: None,
        happened_on: None,
        amount: None,
        object: None,
        party: CaseParty {
            enterprise: "示例机械有限公司".to_owned(),
            contact_name: "李经理".to_owned(),
            contact_phone: "13800000000".to_owned(),
            ..CaseParty::default()
        },
        recused: Vec::new(),
        conversation: None,
        proposed_lead: Some("zjj".to_owned()),
        proposed_assists: Vec::new(),
        route_reason: "按派单表".to_owned(),
        proposal: RouteFacts::default(),
        rule_version: "v1".to_owned(),
        answered_by_rule: None,
        leader_assigned: false,
        repeat_of: None,
        split_from: None,
    }
}

/// Whether other fields might have gone through.
fn depends_on_fields(error: &TransitionError) -> bool {
    use TransitionError as E;
    matches!(
        error,
        E::Field { .. }
            | E::ConclusionMismatch(_)
            | E::Recused(_)
            | E::UnknownUnit { .. }
            | E::NoSuchTask
            | E::UnsafeText(_)
            | E::DueInPast
            | E::CannotMerge(_)
            | E::TooEarly { .. }
    )
}

const UNITS: [(&str, &str); 4] = [("zjj", "住建局"), ("xfdd", "消防救援大队"), ("fgj", "发改局"), ("zfb", "作风办")];

impl Story {
    fn begin(policy: &'static str, new: NewCase, now: &str) -> Self {
        let (schedule, book) = world();
        let now = at(now);
        let mut story = Self {
            case: blank(&schedule, &book),
            now,
            schedule,
            book,
            policy,
            events: Vec::new(),
            messages: Vec::new(),
            tasks: 1_000,
            promises: 0,
            accused: Vec::new(),
        };
        let outcome = story.env(|env| register(new, &Actor::Enterprise, env)).expect("registers");
        story.take(outcome);
        story
    }

    fn fujian(now: &str) -> Self {
        Self::begin("fujian", new_case(CaseType::Coordination), now)
    }

    fn env<T>(&self, work: impl FnOnce(&CaseEnv<'_>) -> T) -> T {
        let ids: Vec<TaskId> = (0..20).map(|n| TaskId::from_uuid(Uuid::from_u128(self.tasks + n))).collect();
        let unit_name = |slug: &str| UNITS.iter().find(|(s, _)| *s == slug).map(|(_, name)| (*name).to_owned());
        work(&CaseEnv {
            schedule: &self.schedule,
            book: &self.book,
            default_policy: self.policy,
            now: self.now,
            unit_name: &unit_name,
            accused: &self.accused,
            open_promises: self.promises,
            task_ids: &ids,
        })
    }

    fn take(&mut self, outcome: Outcome) {
        self.case = outcome.case;
        self.case.version += 1;
        self.events.extend(outcome.events);
        self.messages.extend(outcome.messages);
        self.tasks += 100;
        self.check_invariants();
    }

    fn attempt(&self, actor: &Actor, input: &ActionInput) -> Result<Outcome, TransitionError> {
        self.env(|env| apply(&self.case, actor, input, env))
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "an action is written where it is done")]
    fn act(&mut self, actor: &Actor, input: ActionInput) -> &mut Self {
        let before = self.case.clone();
        let offered = self.buttons(actor).contains(&input.action());
        assert!(offered, "{:?} is done but not offered", input.action());
        let outcome = self.attempt(actor, &input).unwrap_or_else(|error| panic!("{:?}: {error}", input.action()));
        assert_eq!(outcome.case.original_words, before.original_words);
        assert!(outcome.case.ratings.starts_with(&before.ratings), "ratings are only added");
        self.take(outcome);
        self
    }

    fn buttons(&self, actor: &Actor) -> Vec<CaseAction> {
        self.env(|env| allowed_actions(&self.case, actor, env))
    }

    #[track_caller]
    fn refuses(&self, actor: &Actor, input: &ActionInput, code: &str) {
        match self.attempt(actor, input) {
            Ok(outcome) => panic!("{:?} went through to {}", input.action(), outcome.case.status),
            Err(error) => {
                assert_eq!(error.code(), code, "{error}");
                let offered = self.buttons(actor).contains(&input.action());
                // Why the clock may stand still is a field of its own.
                let open = depends_on_fields(&error) || input.action() == CaseAction::Pause;
                assert!(!offered || open, "{:?} is offered but refused", input.action());
            }
        }
    }

    fn at(&mut self, now: &str) -> &mut Self {
        self.now = at(now);
        self
    }

    #[track_caller]
    fn is(&mut self, status: CaseStatus) -> &mut Self {
        assert_eq!(self.case.status, status);
        self
    }

    fn due(&self) -> Timestamp {
        self.case.clock(ClockKey::K5).and_then(|clock| clock.due_at).expect("K5 has a due date")
    }

    fn k5(&self) -> &CaseClock {
        self.case.clock(ClockKey::K5).expect("K5 runs")
    }

    fn check_invariants(&self) {
        let case = &self.case;
        let seqs: Vec<i64> = self.events.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=self.events.len() as i64).collect::<Vec<_>>(), "events have no gaps");
        assert!(self.events.windows(2).all(|pair| pair[0].at <= pair[1].at), "time never goes backwards");
        if case.status == CaseStatus::Closed {
            assert!(case.tasks.iter().all(|task| task.state != TaskState::Open), "closed without open tasks");
            assert!(case.clocks.iter().all(|c| !matches!(c.state, ClockState::Running | ClockState::Paused)));
        }
        if let Some(lead) = &case.lead_unit {
            assert!(!case.recused.contains(lead) && !case.assists.contains(lead));
        }
        if case.status == CaseStatus::Processing {
            assert!(case.handler.is_some() || case.round > 0, "a named person handles it");
        }
        if !case.status.is_open() {
            assert_eq!(case.next_due(), None);
        }
    }

    fn accepted(&mut self) -> &mut Self {
        let cast = cast();
        let input = accept(&self.case);
        self.act(&cast.front, input)
    }

    fn processing(&mut self) -> &mut Self {
        let cast = cast();
        self.accepted();
        self.act(&cast.dispatcher, dispatch("zjj"));
        self.act(&cast.clerk, sign_in());
        self.act(&cast.handler, contact(ContactOutcome::Reached))
    }

    fn replied(&mut self) -> &mut Self {
        let cast = cast();
        self.processing();
        self.act(&cast.handler, draft());
        self.act(&cast.leader, ActionInput::SignOff)
    }

    fn released(&mut self) -> &mut Self {
        self.replied();
        self.act(&cast().verifier, ActionInput::ReleaseReply { note: None })
    }

    /// Sends the reminders of the window that runs, whenever they were due.
    fn reminded(&mut self) -> &mut Self {
        let planned = self.env(|env| reminders(&self.case, env));
        for (reminder, moment) in planned.into_iter().filter(|(one, _)| matches!(one, Reminder::Enterprise(_))) {
            let outcome = self.env(|env| remind(&self.case, reminder, moment, env)).expect("a window");
            self.take(outcome);
        }
        self
    }

    fn closed(&mut self) -> &mut Self {
        self.released();
        self.act(&Actor::Enterprise, confirm(true))
    }
}

fn blank(schedule: &Schedule, book: &SlaBook) -> Case {
    let env = CaseEnv {
        schedule,
        book,
        default_policy: "fujian",
        now: at("2026-01-05T09:00:00"),
        unit_name: &|_: &str| None,
        accused: &[],
        open_promises: 0,
        task_ids: &[],
    };
    register(new_case(CaseType::Coordination), &Actor::Enterprise, &env).expect("registers").case
}

fn accept(case: &Case) -> ActionInput {
    ActionInput::Accept {
        case_type: case.case_type,
        topic: case.topic.clone(),
        urgency: case.urgency,
        complexity: None,
        duplicates_checked: true,
        repeat_of: None,
        repeats: 0,
    }
}

fn dispatch(lead: &str) -> ActionInput {
    ActionInput::Dispatch { lead: lead.to_owned(), assists: Vec::new(), complexity: None, note: None }
}

fn sign_in() -> ActionInput {
    let id = OfficerId::from_uuid(Uuid::from_u128(5));
    ActionInput::SignIn { register_no: "收〔2026〕1号".to_owned(), handler: Some((id, "人员5".to_owned())) }
}

fn contact(outcome: ContactOutcome) -> ActionInput {
    ActionInput::RecordContact {
        method: ContactMethod::Phone,
        person: "李经理".to_owned(),
        outcome,
        result: "约定现场查看".to_owned(),
        at: None,
    }
}

fn draft() -> ActionInput {
    ActionInput::DraftReply {
        text: "经现场核查，已完成消防验收整改并出具合格意见。".to_owned(),
        conclusion: Conclusion::Solved,
        from_bot: false,
    }
}

fn confirm(solved: bool) -> ActionInput {
    ActionInput::Confirm { solved, words: None, call_record: None }
}

fn rate(grade: u8) -> ActionInput {
    ActionInput::Rate { grade, solved: None, reason: Some("没有解决".to_owned()), words: None }
}

fn approve() -> ActionInput {
    ActionInput::ApproveClose { resolved_layer: "unit".to_owned(), note: None }
}

#[test]
fn every_state_and_action_has_a_reviewed_target() {
    let mut table = String::new();
    for &status in CaseStatus::ALL {
        for &action in CaseAction::ALL {
            let targets: Vec<String> = lifecycle::rows(status, action)
                .map(|row| {
                    let to = match row.to {
                        To::Stays => "=",
                        To::Is(to) => to.as_str(),
                    };
                    let who: Vec<&str> = row.who.iter().map(|party| party.as_str()).collect();
                    format!("{} {to} ({})", row.t, who.join(","))
                })
                .collect();
            if !targets.is_empty() {
                writeln!(table, "{status} + {action} -> {}", targets.join(" | ")).expect("writing to a string");
            }
        }
    }
    insta::assert_snapshot!("transitions", table);
}

#[test]
fn what_the_table_does_not_list_is_refused() {
    let story = Story::fujian("2026-09-30T09:00:00");
    let cast = cast();
    for &status in CaseStatus::ALL {
        let mut case = story.case.clone();
        case.status = status;
        let known = lifecycle::rows(status, CaseAction::SignOff).next().is_some();
        let result = story.env(|env| apply(&case, &cast.leader, &ActionInput::SignOff, env));
        if !known {
            assert_eq!(
                result.map(|o| o.case.status),
                Err(TransitionError::NotAllowed { status, action: CaseAction::SignOff })
            );
        }
    }
}

#[test]
fn every_action_is_reachable_and_every_open_state_has_a_way_out() {
    for &action in CaseAction::ALL {
        assert!(lifecycle::TRANSITIONS.iter().any(|row| row.action == action), "{action}");
    }
    for &status in CaseStatus::OPEN {
        let leaves = lifecycle::TRANSITIONS.iter().any(|row| row.from.contains(&status) && matches!(row.to, To::Is(_)));
        assert!(leaves, "{status}");
    }
}

#[test]
fn scenario_1_ten_working_days_from_the_evening_before_the_holidays() {
    let mut story = Story::fujian("2026-09-30T17:00:00");
    story.at("2026-09-30T17:20:00").accepted();
    assert_eq!(story.due(), at("2026-10-20T17:30:00"));
    assert_eq!(story.case.requirements.profile, "fujian");
}

#[test]
fn scenario_2_an_ignored_sign_in_is_deemed_signed_and_the_answer_clock_does_not_care() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-23T09:00:00");
    story.accepted().act(&cast.dispatcher, dispatch("zjj")).is(CaseStatus::Dispatched);
    let due = story.due();
    let timers = story.env(|env| timed_actions(&story.case, env)).expect("timers");
    let deemed = timers.iter().find(|t| t.action == CaseAction::DeemSigned).expect("a timer for 视同签收");
    assert_eq!(deemed.at, at("2026-11-24T17:30:00"));
    story.refuses(&Actor::Timer, &ActionInput::DeemSigned, "case.too_early");
    story.now = deemed.at;
    story.act(&Actor::Timer, ActionInput::DeemSigned).is(CaseStatus::Signed);
    assert_eq!(story.due(), due);
    assert!(story.k5().started_at < story.now, "the answer clock began before any sign-in");
    assert!(story.case.clock(ClockKey::K3).is_some_and(|clock| clock.missed));
}

#[test]
fn scenario_3_a_return_and_a_second_dispatch_leave_the_due_date_alone() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-23T09:00:00");
    story.accepted().act(&cast.dispatcher, dispatch("fgj"));
    let due = story.due();
    let leader = officer(20, &[(Role::UnitLeader, "fgj")]);
    let give_back = |proposed: &str| ActionInput::RequestReturn {
        reason: ReturnReason::NotOurDuty,
        basis: "消防验收属住建部门职责（消防法第十三条）".to_owned(),
        proposed_unit: proposed.to_owned(),
    };
    story.refuses(&officer(21, &[(Role::UnitClerk, "fgj")]), &give_back("zjj"), "case.role_not_allowed");
    story.refuses(&leader, &give_back("fgj"), "case.field");
    story.at("2026-11-24T10:00:00").act(&leader, give_back("zjj")).is(CaseStatus::ReturnPending);
    assert_eq!(story.due(), due);
    let grant = ActionInput::GrantReturn { lead: "zjj".to_owned(), assists: Vec::new(), note: None };
    story.at("2026-11-24T11:00:00").act(&cast.dispatcher, grant).is(CaseStatus::Dispatched);
    assert_eq!(story.due(), due, "the enterprise's due date did not move");
    assert_eq!(story.events.last().and_then(|event| event.fact("cause")), Some("误派"));
    assert_eq!(story.case.returns[0].granted, Some(true));
    story.refuses(&cast.leader, &give_back("fgj"), "case.already_ruled");
    assert_eq!(story.case.clocks.iter().filter(|c| c.key == ClockKey::K5).count(), 1);
}

#[test]
fn a_return_after_one_working_day_or_after_a_ruling_is_refused() {
    let cast = cast();
    let give_back = ActionInput::RequestReturn {
        reason: ReturnReason::NotOurDuty,
        basis: "不属本单位三定职责".to_owned(),
        proposed_unit: "fgj".to_owned(),
    };
    let mut story = Story::fujian("2026-11-23T09:00:00");
    story.accepted().act(&cast.dispatcher, dispatch("zjj"));
    story.at("2026-11-25T09:00:00").refuses(&cast.leader, &give_back, "case.window_over");

    let mut story = Story::fujian("2026-11-23T09:00:00");
    let dispute = ActionInput::MarkOwnershipPending {
        candidates: vec!["zjj".to_owned(), "fgj".to_owned()],
        reason: "两家都称不属本单位".to_owned(),
    };
    let rule = ActionInput::RuleOwnership {
        lead: "zjj".to_owned(),
        assists: Vec::new(),
        ruling: "由住建局主办".to_owned(),
        basis: "三定规定".to_owned(),
        participants: "中心、住建、发改".to_owned(),
    };
    story.accepted().act(&cast.dispatcher, dispute).act(&cast.dispatcher, rule).is(CaseStatus::Dispatched);
    story.refuses(&cast.leader, &give_back, "case.already_ruled");
}

#[test]
fn scenario_4_a_reply_refused_on_the_last_day_is_overdue() {
    let cast = cast();
    let mut story = Story::fujian("2026-09-30T17:00:00");
    story.at("2026-09-30T17:20:00").processing();
    story.at("2026-10-20T16:00:00").act(&cast.handler, draft()).act(&cast.leader, ActionInput::SignOff);
    assert_eq!(story.k5().state, ClockState::Held);
    let refuse =
        ActionInput::RefuseReply { reason: ReplyRefusal::BesidesThePoint, comment: "没有回答第二问".to_owned() };
    story.at("2026-10-21T09:00:00").act(&cast.verifier, refuse).is(CaseStatus::Processing);
    assert_eq!(story.due(), at("2026-10-20T17:30:00"));
    assert!(story.k5().is_overdue(story.now));
    assert_eq!(story.case.signature, None);
}

#[test]
fn at_the_due_second_a_reply_is_in_time_one_second_later_it_is_not() {
    let cast = cast();
    for (signed, missed) in [("2026-10-20T17:30:00", false), ("2026-10-20T17:30:01", true)] {
        let mut story = Story::fujian("2026-09-30T17:00:00");
        story.at("2026-09-30T17:20:00").processing();
        story.at("2026-10-20T16:00:00").act(&cast.handler, draft());
        story.at(signed).act(&cast.leader, ActionInput::SignOff);
        assert_eq!(story.k5().missed, missed, "{signed}");
        story
            .at("2026-10-21T09:00:00")
            .act(&cast.verifier, ActionInput::ReleaseReply { note: None })
            .act(&Actor::Enterprise, confirm(true))
            .is(CaseStatus::Closed);
        assert_eq!(story.case.closings[0].in_time, !missed, "the time of the check is nobody's delay");
    }
}

#[test]
fn scenario_5_a_late_assistant_is_charged_alone() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing();
    let ask = ActionInput::AskAssist {
        unit: "xfdd".to_owned(), question: "喷淋检测是否合格".to_owned(), due_on: None
    };
    story.act(&cast.handler, ask);
    let task = story.case.tasks[0].clone();
    assert!(task.due_at.is_some_and(|due| due < story.due()), "the assistant answers before the lead must");
    story.refuses(&cast.handler, &draft(), "case.assist_open");
    story.refuses(
        &cast.leader,
        &ActionInput::AnswerAssist { task: task.id, text: "合格".into() },
        "case.role_not_allowed",
    );
    story.now = task.due_at.expect("due") + SignedDuration::from_hours(20);
    story.act(&cast.assisting, ActionInput::AnswerAssist { task: task.id, text: "检测合格".to_owned() });
    assert!(story.case.tasks[0].late);
    let k5a = story.case.clock(ClockKey::K5a).expect("K5a");
    assert!(k5a.missed && k5a.owner == "xfdd");
    assert!(!story.k5().is_overdue(story.now), "the lead is not charged");
    story.act(&cast.handler, draft()).act(&cast.leader, ActionInput::SignOff).is(CaseStatus::Replied);
    assert!(!story.k5().missed);
}

#[test]
fn scenario_6_the_drafter_may_not_sign_the_deputy_may() {
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing();
    let both = officer(5, &[(Role::Handler, "zjj"), (Role::UnitLeader, "zjj")]);
    story.act(&both, draft());
    story.refuses(&both, &ActionInput::SignOff, "case.drafter_may_not_sign");
    story.refuses(&officer(30, &[(Role::UnitLeader, "fgj")]), &ActionInput::SignOff, "case.role_not_allowed");
    let Actor::Officer(mut stamp) = officer(31, &[(Role::Handler, "zjj")]) else { panic!("an officer") };
    story.refuses(&Actor::Officer(stamp.clone()), &ActionInput::SignOff, "case.role_not_allowed");
    stamp.deputy_of = vec!["zjj".to_owned()];
    story.act(&Actor::Officer(stamp), ActionInput::SignOff).is(CaseStatus::Replied);
    let signature = story.case.signature.as_ref().expect("signed");
    assert!(signature.as_deputy && signature.drafter != signature.signer);
}

#[test]
fn scenario_7_a_bad_rating_stays_in_the_statistics_when_the_recheck_does_not_bear_it_out() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released().act(&Actor::Enterprise, rate(1)).is(CaseStatus::Recheck);
    assert_eq!(story.k5().state, ClockState::Running, "the clock runs on with its original due date");
    let dismiss = ActionInput::DismissRating {
        finding: "政策不支持".to_owned(),
        explanation: "按现行规定不能办理，可申请行政复议".to_owned(),
        evidence: "政策原文、通话记录".to_owned(),
    };
    story.refuses(&cast.leader, &dismiss, "case.role_not_allowed");
    story.act(&cast.supervisor, dismiss).is(CaseStatus::ClosingReview);
    assert_eq!(story.k5().state, ClockState::Held);
    story.act(&cast.verifier, approve()).is(CaseStatus::Closed);
    assert_eq!(story.case.ratings.len(), 1);
    assert_eq!(story.case.ratings[0].grade, 1);
    story.act(&Actor::Enterprise, rate(5)).is(CaseStatus::Closed);
    assert_eq!(story.case.ratings.iter().map(|r| r.grade).collect::<Vec<_>>(), [1, 5]);
}

#[test]
fn scenario_8_the_unit_complained_of_has_no_part_in_it_and_cannot_see_it() {
    let cast = cast();
    let mut new = new_case(CaseType::Conduct);
    new.recused = vec!["zjj".to_owned()];
    new.party.confidential = true;
    let mut story = Story::begin("fujian", new, "2026-11-02T09:00:00");
    assert!(story.case.sealed);
    let accept = accept(&story.case);
    story.refuses(&cast.front, &accept, "case.role_not_allowed");
    story.act(&cast.discipline, accept).is(CaseStatus::Accepted);
    story.refuses(&cast.discipline, &dispatch("zjj"), "case.recused");
    story.act(&cast.discipline, dispatch("zfb")).is(CaseStatus::Dispatched);
    let sees = |roles: &[(Role, &str)]| {
        let roles: Vec<_> = roles.iter().map(|(role, unit)| (*role, (*unit).to_owned())).collect();
        let scope = CaseScope::new(&roles, &|unit| vec![unit.to_owned()]);
        (scope.sees(&story.case), scope.sees_identity(&story.case))
    };
    assert_eq!(sees(&[(Role::Discipline, "")]), (true, true));
    assert_eq!(sees(&[(Role::Dispatcher, "")]), (false, false));
    assert_eq!(sees(&[(Role::UnitLeader, "zjj"), (Role::Discipline, "")]), (false, false));
    assert_eq!(sees(&[(Role::Handler, "zfb")]), (false, false));
    assert_eq!(sees(&[(Role::Admin, "")]), (false, false));
}

#[test]
fn a_confidential_complaint_hides_its_author_from_the_handling_unit() {
    let mut new = new_case(CaseType::Complaint);
    new.party.confidential = true;
    let mut story = Story::begin("fujian", new, "2026-11-02T09:00:00");
    story.accepted().act(&cast().dispatcher, dispatch("zjj"));
    let scope = |role, unit: &str| CaseScope::new(&[(role, unit.to_owned())], &|unit| vec![unit.to_owned()]);
    assert!(scope(Role::Handler, "zjj").sees(&story.case));
    assert!(!scope(Role::Handler, "zjj").sees_identity(&story.case));
    assert!(scope(Role::Verifier, "").sees_identity(&story.case));
    assert!(!scope(Role::Handler, "fgj").sees(&story.case));
    assert!(scope(Role::Handler, "zjj").contacts && !scope(Role::Leader, "").contacts);
}

#[test]
fn the_handler_may_not_verify_recheck_or_close() {
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.replied();
    let handler_too = officer(5, &[(Role::Verifier, "")]);
    let signer_too = officer(6, &[(Role::Verifier, "")]);
    for actor in [&handler_too, &signer_too] {
        story.refuses(actor, &ActionInput::ReleaseReply { note: None }, "case.handler_may_not_verify");
    }
}

#[test]
fn a_consultation_needs_no_check_and_a_released_reply_is_the_signed_one() {
    let mut story = Story::begin("fujian", new_case(CaseType::Consultation), "2026-11-02T09:00:00");
    story.processing();
    assert!(!story.case.requirements.centre_verify);
    let cast = cast();
    let answer = ActionInput::DraftReply {
        text: "需要提交三份材料。".to_owned(),
        conclusion: Conclusion::Answered,
        from_bot: true,
    };
    story.act(&cast.handler, answer).act(&cast.leader, ActionInput::SignOff);
    story.act(&Actor::Timer, ActionInput::ReleaseReply { note: None }).is(CaseStatus::AwaitingConfirm);
    let sent = story.messages.iter().rev().find(|m| m.kind == "reply_released").expect("a message");
    assert!(sent.text.contains("需要提交三份材料。"));
    story.act(&Actor::Enterprise, rate(4)).is(CaseStatus::Closed);
}

#[test]
fn closing_needs_the_flags_of_the_policy() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing();
    let apply_for = |conclusion, basis: Option<&str>| ActionInput::RequestClose {
        conclusion,
        basis: basis.map(str::to_owned),
        coordination_log: basis.map(|_| "11月3日、5日两次协调".to_owned()),
        explanation: basis.map(|_| "已当面说明".to_owned()),
        summary: "申请销号".to_owned(),
    };
    story.refuses(&cast.leader, &apply_for(Conclusion::CannotBeSolved, None), "case.field");
    story.refuses(&cast.leader, &apply_for(Conclusion::Adopted, None), "case.conclusion_mismatch");
    story.act(&cast.leader, apply_for(Conclusion::Solved, None)).is(CaseStatus::ClosingReview);
    story.refuses(&cast.verifier, &approve(), "case.close_needs");
    story.refuses(&cast.leader, &approve(), "case.role_not_allowed");
    story.act(&Actor::Enterprise, confirm(true)).is(CaseStatus::ClosingReview);
    story.act(&cast.verifier, approve()).is(CaseStatus::Closed);

    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing().act(&cast.leader, apply_for(Conclusion::CannotBeSolved, Some("城乡规划法第四十条")));
    story.act(&cast.verifier, approve()).is(CaseStatus::Closed);
}

#[test]
fn silence_closes_only_after_the_window_and_is_marked() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released();
    story.refuses(&Actor::Timer, &ActionInput::ConfirmSilently, "case.close_needs");
    story.reminded();
    story.refuses(&Actor::Timer, &ActionInput::ConfirmSilently, "case.too_early");
    story.act(&cast.verifier, contact(ContactOutcome::Failed)).is(CaseStatus::AwaitingConfirm);
    story.now = story.case.clock(ClockKey::K8).and_then(|clock| clock.due_at).expect("a window");
    story.act(&Actor::Timer, ActionInput::ConfirmSilently).is(CaseStatus::ClosingReview);
    story.act(&cast.verifier, approve()).is(CaseStatus::Closed);
    assert!(story.case.closings[0].silent);
}

/// The moment at which the timer will take silence for an answer, if one is planned.
fn silence_planned(story: &Story) -> Option<Timestamp> {
    let timers = story.env(|env| timed_actions(&story.case, env)).expect("timers");
    timers.iter().find(|timer| timer.action == CaseAction::ConfirmSilently).map(|timer| timer.at)
}

#[test]
fn silence_without_a_call_asks_for_one_once_and_waits() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released().reminded();
    story.now = story.case.clock(ClockKey::K8).and_then(|clock| clock.due_at).expect("a window");
    assert_eq!(silence_planned(&story), Some(story.now));
    story.act(&Actor::Timer, ActionInput::ConfirmSilently).is(CaseStatus::AwaitingConfirm);
    let asked = story.messages.iter().filter(|m| m.kind == "call_asked").count();
    assert!(asked >= 1);
    assert_eq!(silence_planned(&story), None, "told once");
    story.refuses(&Actor::Timer, &ActionInput::ConfirmSilently, "case.close_needs");
    // The handler does not call back on the own reply; another way than the phone is no call.
    story.refuses(&cast.handler, &contact(ContactOutcome::Failed), "case.role_not_allowed");
    let ActionInput::RecordContact { person, outcome, result, at, .. } = contact(ContactOutcome::Failed) else {
        unreachable!("a contact")
    };
    let message = ActionInput::RecordContact { method: ContactMethod::Message, person, outcome, result, at };
    story.act(&cast.verifier, message);
    assert_eq!(silence_planned(&story), None);
    story.act(&cast.verifier, contact(ContactOutcome::Failed));
    assert!(silence_planned(&story).is_some());
    story.act(&Actor::Timer, ActionInput::ConfirmSilently).is(CaseStatus::ClosingReview);
}

#[test]
fn reminders_that_were_missed_are_made_up_for_before_silence_counts() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released().act(&cast.verifier, contact(ContactOutcome::MessageLeft));
    // Down over the whole window.
    story.at("2026-11-12T10:00:00");
    assert_eq!(silence_planned(&story), None);
    story.refuses(&Actor::Timer, &ActionInput::ConfirmSilently, "case.close_needs");
    story.reminded();
    let told = story.messages.iter().filter(|m| m.kind == "enterprise_reminded").count();
    assert_eq!(told, 2);
    assert_eq!(silence_planned(&story), Some(at("2026-11-13T17:30:00")), "a working day to answer");
    story.refuses(&Actor::Timer, &ActionInput::ConfirmSilently, "case.too_early");
    story.at("2026-11-13T17:30:00").act(&Actor::Timer, ActionInput::ConfirmSilently).is(CaseStatus::ClosingReview);
}

#[test]
fn a_bad_rating_after_the_closing_is_rechecked() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.closed().at("2026-11-10T10:00:00").act(&Actor::Enterprise, rate(1)).is(CaseStatus::Recheck);
    let k9 = story.case.clock(ClockKey::K9).expect("K9");
    assert_eq!((k9.owner.as_str(), k9.state), ("supervision", ClockState::Running));
    assert_eq!(story.case.closings.len(), 1, "the closing stays");
    let uphold = ActionInput::UpholdRating { facts: "未办结".to_owned(), rectify: "重新办理".to_owned() };
    story.act(&cast.supervisor, uphold).is(CaseStatus::Rectifying);
    // A good one changes nothing.
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.closed().act(&Actor::Enterprise, rate(5)).is(CaseStatus::Closed);
}

#[test]
fn who_handled_the_case_before_somebody_else_does_not_verify_it() {
    let cast = cast();
    let both = officer(50, &[(Role::Handler, "zjj"), (Role::Verifier, "")]);
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.accepted().act(&cast.dispatcher, dispatch("zjj"));
    story.act(&cast.clerk, ActionInput::SignIn { register_no: "1".to_owned(), handler: None });
    story.act(&both, contact(ContactOutcome::Reached));
    let other = (OfficerId::from_uuid(Uuid::from_u128(5)), "人员5".to_owned());
    story.act(&cast.leader, ActionInput::Assign { handler: other });
    story.act(&cast.handler, draft()).act(&cast.leader, ActionInput::SignOff);
    story.refuses(&both, &ActionInput::ReleaseReply { note: None }, "case.handler_may_not_verify");
    story.act(&cast.verifier, ActionInput::ReleaseReply { note: None });
}

#[test]
fn a_named_day_in_an_unpublished_year_is_provisional() {
    let cast = cast();
    let regrade = |day: (i16, i8, i8)| ActionInput::Regrade {
        case_type: None,
        topic: None,
        complexity: Some(Complexity::Special),
        reason: "法定程序".to_owned(),
        basis: Some("行政许可法第四十五条".to_owned()),
        due_on: Some(jiff::civil::date(day.0, day.1, day.2)),
    };
    for (day, provisional) in [((2026, 12, 10), false), ((2029, 2, 9), true)] {
        let mut story = Story::fujian("2026-11-02T09:00:00");
        story.accepted().act(&cast.dispatcher, regrade(day));
        assert_eq!(story.k5().provisional, provisional, "{day:?}");
    }
}

#[test]
fn the_centre_approves_a_pause_and_asks_for_none() {
    let cast = cast();
    let pause = |until| ActionInput::Pause {
        reason: PauseReason::P1,
        explanation: "缺检测报告".to_owned(),
        document: None,
        until_on: until,
    };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing().refuses(&cast.dispatcher, &pause(None), "case.field");
    let far = Some(jiff::civil::date(2026, 11, 13));
    story.refuses(&cast.handler, &pause(far), "case.field");
    story.act(&cast.handler, pause(None)).act(&cast.dispatcher, pause(None));
    assert!(story.case.open_pause().is_some());
}

#[test]
fn what_an_assisting_unit_may_take_ends_with_the_limit_of_the_lead() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing();
    let ask = |day| ActionInput::AskAssist {
        unit: "xfdd".to_owned(),
        question: "水压是否达标".to_owned(),
        due_on: Some(jiff::civil::date(2026, 11, day)),
    };
    story.refuses(&cast.handler, &ask(17), "case.field");
    story.act(&cast.handler, ask(16));
}

#[test]
fn an_extension_that_was_asked_for_in_time_is_decided_within_its_own_limit() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    let ask = ActionInput::RequestExtension {
        days: 2,
        reason: "消防检测机构须重新出具喷淋系统检测报告，预计三个工作日后取得，再组织联合验收".to_owned(),
    };
    story.processing().at("2026-11-16T17:29:00").act(&cast.leader, ask);
    story.at("2026-11-17T09:00:00");
    story.refuses(&cast.dispatcher, &ActionInput::RefuseExtension { reason: " ".to_owned() }, "case.field");
    story.act(&cast.dispatcher, ActionInput::GrantExtension { days: None });
    assert_eq!(story.due(), at("2026-11-18T17:30:00"));
}

#[test]
fn a_contact_lies_between_the_filing_and_now() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.accepted().act(&cast.dispatcher, dispatch("zjj")).act(&cast.clerk, sign_in());
    let contact_at = |moment: &str| {
        let ActionInput::RecordContact { method, person, outcome, result, .. } = contact(ContactOutcome::Reached)
        else {
            unreachable!("a contact")
        };
        ActionInput::RecordContact { method, person, outcome, result, at: Some(at(moment)) }
    };
    story.at("2026-11-03T09:00:00");
    for wrong in ["2020-01-01T09:00:00", "2026-11-03T09:00:01"] {
        story.refuses(&cast.handler, &contact_at(wrong), "case.field");
    }
    story.act(&cast.handler, contact_at("2026-11-02T16:00:00")).is(CaseStatus::Processing);
}

#[test]
fn a_case_is_reopened_within_thirty_days_with_a_new_number_and_keeps_its_closing() {
    let reopen = ActionInput::Reopen { reason: "承诺没有兑现".to_owned() };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.closed().at("2026-12-02T10:00:00").act(&Actor::Enterprise, reopen.clone()).is(CaseStatus::Processing);
    assert!(story.case.display_number().ends_with("-R1"));
    assert_eq!(story.case.closings.len(), 1);
    assert_eq!(story.case.clocks.iter().filter(|c| c.key == ClockKey::K5).count(), 2);

    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.closed().at("2026-12-03T10:00:00").refuses(&Actor::Enterprise, &reopen, "case.window_over");
    story.act(&cast().supervisor, reopen).is(CaseStatus::Processing);
}

#[test]
fn an_upheld_rating_leads_to_rectification_and_a_second_signature() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released().act(&Actor::Enterprise, confirm(false)).is(CaseStatus::Recheck);
    let uphold =
        ActionInput::UpholdRating { facts: "未到现场".to_owned(), rectify: "三日内到现场办理".to_owned() };
    story.act(&cast.supervisor, uphold).is(CaseStatus::Rectifying);
    story.act(&cast.handler, draft()).is(CaseStatus::SignOffPending);
    story.act(&cast.leader, ActionInput::SignOff).is(CaseStatus::Replied);
}

#[test]
fn a_bad_rating_after_the_rectification_takes_the_case_to_the_next_level() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released().act(&Actor::Enterprise, rate(1)).is(CaseStatus::Recheck);
    assert_eq!(story.case.overlay.escalated, None);
    let uphold =
        ActionInput::UpholdRating { facts: "未到现场".to_owned(), rectify: "三日内到现场办理".to_owned() };
    story.act(&cast.supervisor, uphold).is(CaseStatus::Rectifying);
    story.act(&cast.handler, draft()).act(&cast.leader, ActionInput::SignOff);
    story.act(&cast.verifier, ActionInput::ReleaseReply { note: None }).is(CaseStatus::AwaitingConfirm);
    story.act(&Actor::Enterprise, rate(1)).is(CaseStatus::Recheck);
    assert_eq!(story.case.overlay.escalated, Some(1));
    assert_eq!(story.case.ratings.len(), 2);
}

#[test]
fn a_plan_is_tracked_by_its_milestones() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.released();
    let plan = ActionInput::AcceptPlan {
        milestones: vec![MilestoneInput { text: "完成改造".to_owned(), due_on: jiff::civil::date(2026, 12, 1) }],
    };
    story.act(&Actor::Enterprise, plan).is(CaseStatus::PlanTracking);
    assert_eq!(story.case.clock(ClockKey::K13).and_then(|c| c.due_at), Some(at("2026-12-01T17:30:00")));
    let report = ActionInput::ReportMilestone { reached: true, text: "改造完成".to_owned() };
    story.at("2026-11-30T10:00:00").act(&cast.handler, report).is(CaseStatus::AwaitingConfirm);
    story.act(&Actor::Enterprise, confirm(true)).is(CaseStatus::Closed);
}

#[test]
fn the_clock_pauses_only_for_the_four_reasons_and_only_with_their_proofs() {
    let cast = cast();
    let pause = |reason, document: Option<&str>, until: Option<(i16, i8, i8)>| ActionInput::Pause {
        reason,
        explanation: "缺喷淋检测报告".to_owned(),
        document: document.map(str::to_owned),
        until_on: until.map(|(y, m, d)| jiff::civil::date(y, m, d)),
    };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing();
    let due = story.due();
    story.act(&cast.handler, pause(PauseReason::P1, None, None));
    assert!(story.case.open_pause().is_none() && story.case.overlay.pause_asked.is_some(), "the centre decides");
    story.refuses(&cast.dispatcher, &pause(PauseReason::P1, None, Some((2026, 12, 1))), "case.field");
    story.refuses(&cast.handler, &pause(PauseReason::P2, Some("检测委托书"), Some((2026, 11, 9))), "case.field");
    story.refuses(&cast.leader, &pause(PauseReason::P2, None, Some((2026, 11, 9))), "case.field");
    story.refuses(&cast.handler, &pause(PauseReason::P4, None, None), "case.field");
    story.act(&cast.dispatcher, pause(PauseReason::P1, None, None));
    assert_eq!((story.k5().state, story.k5().due_at), (ClockState::Paused, None));
    story.refuses(&cast.handler, &draft(), "case.paused");
    let until = story.case.open_pause().and_then(|pause| pause.until).expect("an end");
    assert_eq!(until, at("2026-11-09T17:30:00"));
    story.at("2026-11-04T10:00:00").act(&Actor::Enterprise, ActionInput::AddInfo { text: "报告已传".to_owned() });
    assert!(story.case.open_pause().is_none(), "the answer of the enterprise ends it");
    assert!(story.due() > due);
    story.refuses(&cast.dispatcher, &pause(PauseReason::P1, None, None), "case.only_once");
    story.act(&cast.leader, pause(PauseReason::P2, Some("检测委托书"), Some((2026, 11, 12))));
    story.now = at("2026-11-12T17:30:00");
    story.act(&Actor::Timer, ActionInput::Resume { note: None });
    assert_eq!(story.case.pauses.len(), 2);
    let shown: Vec<_> = story.events.iter().filter_map(|e| e.public_line(&|slug| slug.to_owned())).collect();
    assert!(shown.iter().any(|line| line.contains("缺喷淋检测报告")), "{shown:?}");
}

#[test]
fn an_extension_needs_a_reason_is_granted_once_and_cures_nothing() {
    let cast = cast();
    let ask = |days, reason: &str| ActionInput::RequestExtension { days, reason: reason.to_owned() };
    let reason = "消防检测机构须重新出具喷淋系统检测报告，预计三个工作日后取得，再组织联合验收";
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing();
    let due = story.due();
    story.refuses(&cast.handler, &ask(3, reason), "case.role_not_allowed");
    story.refuses(&cast.leader, &ask(3, "情况复杂，情况复杂，情况复杂，情况复杂，情况复杂"), "case.field");
    story.refuses(&cast.leader, &ask(11, reason), "case.field");
    story.act(&cast.leader, ask(3, reason));
    assert!(story.messages.iter().any(|m| m.to == Recipient::Enterprise && m.kind == "extension_requested"));
    story.refuses(&cast.supervisor, &ActionInput::GrantExtension { days: None }, "case.no_extension");
    story.act(&cast.dispatcher, ActionInput::GrantExtension { days: Some(2) });
    assert!(story.due() > due);
    assert_eq!(story.k5().extension_days, 2);
    story.refuses(&cast.leader, &ask(2, reason), "case.no_extension");
    story.act(&cast.supervisor, ActionInput::Escalate { rung: 5, reason: "请分管县领导协调".to_owned() });
    story.act(&cast.leader, ask(2, reason));
    story.refuses(&cast.dispatcher, &ActionInput::GrantExtension { days: None }, "case.no_extension");
    story.act(&cast.supervisor, ActionInput::GrantExtension { days: None });

    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing().at("2026-11-30T09:00:00").refuses(&cast.leader, &ask(3, reason), "case.no_extension");

    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing().act(&cast.leader, ask(3, reason));
    let due = story.due();
    let decide = story.case.clock(ClockKey::K11).and_then(|clock| clock.due_at).expect("K11");
    story.now = decide;
    story.act(&Actor::Timer, ActionInput::RefuseExtension { reason: String::new() });
    assert_eq!(story.due(), due, "silence is a refusal");
}

#[test]
fn the_xiangshan_clock_starts_with_the_delivery_and_has_no_extension() {
    let cast = cast();
    let mut story = Story::begin("xiangshan", new_case(CaseType::Coordination), "2026-11-02T09:00:00");
    story.accepted();
    assert!(story.case.clock(ClockKey::K5).is_none());
    let grade = ActionInput::Dispatch {
        lead: "zjj".to_owned(),
        assists: Vec::new(),
        complexity: Some(Complexity::Complex),
        note: None,
    };
    story.at("2026-11-03T10:00:00").act(&cast.dispatcher, grade);
    assert_eq!(story.due(), at("2026-11-06T17:30:00"));
    assert_eq!(story.k5().started_at, at("2026-11-03T10:00:00"));
    story.act(&cast.clerk, sign_in()).act(&cast.handler, contact(ContactOutcome::Reached));
    let ask = ActionInput::RequestExtension {
        days: 1,
        reason: "检测机构重新出具检测报告需要三个工作日时间完成".to_owned(),
    };
    story.refuses(&cast.leader, &ask, "case.no_extension");
    let harder = |due_on| ActionInput::Regrade {
        case_type: None,
        topic: None,
        complexity: Some(Complexity::Hard),
        reason: "涉及多个部门".to_owned(),
        basis: None,
        due_on,
    };
    story.refuses(&cast.leader, &harder(None), "case.role_not_allowed");
    story.act(&cast.dispatcher, harder(None));
    assert_eq!(story.due(), at("2026-11-10T17:30:00"), "five working days from the original start");
    let simpler = ActionInput::Regrade {
        case_type: None,
        topic: None,
        complexity: Some(Complexity::Simple),
        reason: "核实后较简单".to_owned(),
        basis: None,
        due_on: None,
    };
    // C10: 特别疑难 needs its legal basis and its limit; nothing else sets it.
    let special = |basis: Option<&str>, due_on| ActionInput::Regrade {
        case_type: None,
        topic: None,
        complexity: Some(Complexity::Special),
        reason: "须经听证".to_owned(),
        basis: basis.map(str::to_owned),
        due_on,
    };
    let day = Some(jiff::civil::date(2026, 12, 1));
    story.refuses(&cast.dispatcher, &special(None, day), "case.field");
    story.refuses(&cast.dispatcher, &special(Some("城乡规划法第五十条"), None), "case.field");
    story.at("2026-11-05T10:00:00").refuses(&cast.dispatcher, &simpler, "case.due_in_past");
    story.act(&cast.dispatcher, special(Some("城乡规划法第五十条"), day));
    assert_eq!(story.due(), at("2026-12-01T17:30:00"));
}

#[test]
fn a_dispatch_to_another_unit_than_proposed_is_kept_as_such() {
    let cast = cast();
    for (lead, overrode) in [("zjj", None), ("fgj", Some("zjj"))] {
        let mut story = Story::fujian("2026-11-23T09:00:00");
        assert_eq!(story.case.proposed_lead.as_deref(), Some("zjj"));
        story.accepted().act(&cast.dispatcher, dispatch(lead));
        let sent = story.events.iter().rev().find(|event| event.kind == EventKind::Dispatched).expect("dispatched");
        assert_eq!(sent.fact("overrode"), overrode, "{lead}");
    }
}

#[test]
fn a_special_grade_is_not_set_at_acceptance_or_dispatch() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    let mut accepted = accept(&story.case);
    if let ActionInput::Accept { complexity, .. } = &mut accepted {
        *complexity = Some(Complexity::Special);
    }
    story.refuses(&cast.front, &accepted, "case.field");
    story.accepted();
    let special = ActionInput::Dispatch {
        lead: "zjj".to_owned(),
        assists: Vec::new(),
        complexity: Some(Complexity::Special),
        note: None,
    };
    story.refuses(&cast.dispatcher, &special, "case.field");
}

#[test]
fn intake_refuses_with_a_code_and_a_path_and_asks_only_once() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    let refuse = |code, path: &str| ActionInput::Refuse { code, path: path.to_owned() };
    story.refuses(&cast.front, &refuse(Diversion::D2, " "), "case.field");
    story.refuses(&cast.front, &refuse(Diversion::Abuse, "请换个说法"), "case.field");
    let ask = |items: &[&str]| ActionInput::RequestInfo { items: items.iter().map(|i| (*i).to_owned()).collect() };
    story.refuses(&cast.front, &ask(&[" "]), "case.field");
    story.act(&cast.front, ask(&["项目备案证", "消防设计审查意见"])).is(CaseStatus::NeedInfo);
    story.act(&Actor::Enterprise, ActionInput::SupplyInfo { text: "已补".to_owned() }).is(CaseStatus::Submitted);
    story.refuses(&cast.front, &ask(&["还差一份"]), "case.only_once");
    story.act(&cast.front, refuse(Diversion::D2, "请向人民法院起诉")).is(CaseStatus::NotAccepted);
    let object = ActionInput::Object { text: "并未起诉".to_owned() };
    story.at("2026-11-16T17:31:00").refuses(&Actor::Enterprise, &object, "case.window_over");
    story.at("2026-11-16T17:30:00").act(&Actor::Enterprise, object).is(CaseStatus::Submitted);
}

#[test]
fn missing_material_lapses_and_can_be_taken_up_again() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.act(&cast.front, ActionInput::RequestInfo { items: vec!["备案证".to_owned()] });
    story.refuses(&Actor::Timer, &ActionInput::LapseInfo, "case.close_needs");
    story.reminded().at("2026-11-16T17:30:00").act(&Actor::Timer, ActionInput::LapseInfo).is(CaseStatus::Withdrawn);
    story.act(&Actor::Enterprise, ActionInput::SupplyInfo { text: "补上了".to_owned() }).is(CaseStatus::Submitted);

    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.act(&Actor::Enterprise, ActionInput::Withdraw { reason: "自己解决了".to_owned() }).is(CaseStatus::Withdrawn);
    story.refuses(
        &Actor::Enterprise,
        &ActionInput::SupplyInfo { text: "又想办".to_owned() },
        "case.transition_not_allowed",
    );
}

#[test]
fn complaints_and_assigned_cases_are_not_withdrawn() {
    let withdraw = ActionInput::Withdraw { reason: "算了".to_owned() };
    let complaint = Story::begin("fujian", new_case(CaseType::Complaint), "2026-11-02T09:00:00");
    complaint.refuses(&Actor::Enterprise, &withdraw, "case.may_not_withdraw");
    let mut assigned = new_case(CaseType::Coordination);
    assigned.leader_assigned = true;
    let assigned = Story::begin("fujian", assigned, "2026-11-02T09:00:00");
    assigned.refuses(&Actor::Enterprise, &withdraw, "case.may_not_withdraw");
}

#[test]
fn an_urge_counts_once_in_two_working_days() {
    let urge = ActionInput::Urge { words: None };
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.processing().act(&Actor::Enterprise, urge.clone());
    story.at("2026-11-04T17:30:00").refuses(&Actor::Enterprise, &urge, "case.urged_already");
    story.at("2026-11-04T17:30:01").act(&Actor::Enterprise, urge);
    assert_eq!(story.case.urges, 2);
}

#[test]
fn the_answer_on_the_spot_closes_or_becomes_a_case_without_retyping() {
    let cast = cast();
    let answer =
        || ActionInput::AnswerOnSpot { text: "请到二楼窗口".to_owned(), source: "rule:fire-accept".to_owned() };
    let consult = || Story::begin("fujian", new_case(CaseType::Consultation), "2026-11-02T09:00:00");
    let mut story = consult();
    story.act(&cast.front, answer()).is(CaseStatus::AnsweredOnSpot);
    story.act(&Actor::Enterprise, confirm(true)).is(CaseStatus::Closed);
    let mut story = consult();
    story.refuses(
        &Actor::Bot,
        &ActionInput::AnswerOnSpot { text: "大概可以".into(), source: "模型".into() },
        "case.field",
    );
    story.act(&Actor::Bot, answer());
    story.act(&Actor::Enterprise, ActionInput::RequestHandling { words: None }).is(CaseStatus::Accepted);
    assert!(story.case.clock(ClockKey::K5).is_some());
    let mut story = consult();
    story.act(&cast.front, answer()).at("2026-11-04T17:30:00");
    story.act(&Actor::Timer, ActionInput::ConfirmSilently).is(CaseStatus::Closed);
    assert!(story.case.closings[0].silent);
}

#[test]
fn two_tries_at_different_hours_and_a_message_count_as_the_first_contact() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.accepted().act(&cast.dispatcher, dispatch("zjj")).act(&cast.clerk, sign_in());
    let failed = || contact(ContactOutcome::Failed);
    story.act(&cast.handler, failed()).at("2026-11-02T09:20:00").act(&cast.handler, failed());
    story.is(CaseStatus::Signed);
    story.at("2026-11-02T14:05:00").act(&cast.handler, failed()).is(CaseStatus::Signed);
    assert_eq!(story.case.clock(ClockKey::K4).map(|c| c.state), Some(ClockState::Running), "no message was left");
    story.act(&cast.handler, contact(ContactOutcome::MessageLeft)).is(CaseStatus::Processing);
    assert_eq!(story.case.clock(ClockKey::K4).map(|c| c.state), Some(ClockState::Stopped));
}

#[test]
fn tries_within_one_hour_are_one() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.accepted().act(&cast.dispatcher, dispatch("zjj")).act(&cast.clerk, sign_in());
    let left = || contact(ContactOutcome::MessageLeft);
    story.act(&cast.handler, left()).at("2026-11-02T09:40:00").act(&cast.handler, left()).is(CaseStatus::Signed);
    story.at("2026-11-02T10:01:00").act(&cast.handler, left()).is(CaseStatus::Processing);
}

#[test]
fn the_approval_chain_comes_before_the_dispatch() {
    let cast = cast();
    let mut new = new_case(CaseType::Coordination);
    new.channel = Channel::MayorMailbox;
    let mut story = Story::begin("suqian_mayor", new, "2026-11-02T09:00:00");
    story.accepted();
    assert!(story.case.requirements.chain != 0, "the mayor's mailbox has an approval chain");
    story.refuses(&cast.dispatcher, &dispatch("zjj"), "case.field");
    let endorse = || ActionInput::Endorse { opinion: "同意".to_owned(), lead: None, assists: Vec::new() };
    story.act(&cast.dispatcher, endorse()).is(CaseStatus::PreApproval);
    let bosses: Vec<Actor> =
        (0..story.case.requirements.chain).map(|n| officer(60 + u128::from(n), &[(Role::Leader, "")])).collect();
    let (last, others) = bosses.split_last().expect("a chain");
    for boss in others {
        story.act(boss, endorse()).is(CaseStatus::PreApproval);
        story.refuses(boss, &endorse(), "case.same_officer");
        let clock = story.case.clock(ClockKey::K2).expect("K2");
        assert_eq!((clock.owner.as_str(), clock.due_at), ("leader", Some(at("2026-11-03T17:30:00"))));
    }
    story.act(last, endorse()).is(CaseStatus::Dispatched);
}

#[test]
fn merging_and_splitting_keep_their_rules() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    let other = CaseNumber::new(jiff::civil::date(2026, 11, 1), 9);
    let merge = |into: &CaseNumber, open, same_matter| ActionInput::Merge {
        into: into.clone(),
        same_enterprise: true,
        same_matter,
        parent_open: open,
    };
    story.refuses(&cast.dispatcher, &merge(&story.case.number.clone(), true, true), "case.cannot_merge");
    story.refuses(&cast.dispatcher, &merge(&other, false, true), "case.cannot_merge");
    story.refuses(&cast.dispatcher, &merge(&other, true, false), "case.field");
    let part = |title: &str| SplitPart {
        title: title.to_owned(),
        demand: title.to_owned(),
        case_type: CaseType::Help,
        topic: None,
    };
    story.accepted();
    story.refuses(&cast.dispatcher, &ActionInput::Split { parts: vec![part("一")] }, "case.field");
    let outcome = story
        .attempt(&cast.dispatcher, &ActionInput::Split { parts: vec![part("用电"), part("用工")] })
        .expect("splits");
    assert_eq!(outcome.parts.len(), 2);
    story.act(&cast.dispatcher, merge(&other, true, true)).is(CaseStatus::Merged);
    story.refuses(&Actor::Enterprise, &rate(5), "case.transition_not_allowed");
}

#[test]
fn a_part_of_a_split_case_keeps_the_time_of_the_whole() {
    let part_of = |whole: &Story, case_type: CaseType| {
        let mut part = Story::begin("fujian", new_case(case_type), "2026-11-02T09:00:00");
        part.now = whole.now;
        let mut case = part.case.clone();
        part.env(|env| case.take_time_from(&whole.case, env)).expect("a calendar");
        part.case = case;
        let input = accept(&part.case);
        part.act(&cast().dispatcher, input);
        part
    };
    let mut whole = Story::fujian("2026-11-02T09:00:00");
    whole.accepted();
    let started = whole.case.clock(ClockKey::K5).expect("K5").started_at;
    // Another type has its own length, from the start of the whole, but never more.
    for (case_type, days) in [(CaseType::Coordination, 10), (CaseType::Suggestion, 5), (CaseType::Arrears, 10)] {
        whole.now = at("2026-11-05T09:00:00");
        let part = part_of(&whole, case_type);
        let clock = part.case.clock(ClockKey::K5).expect("K5");
        let expected = if days == 5 { at("2026-11-09T17:30:00") } else { whole.due() };
        assert_eq!((clock.started_at, part.due()), (started, expected), "{case_type}");
        assert_eq!(part.case.clocks.iter().filter(|clock| clock.key == ClockKey::K5).count(), 1);
        assert_eq!(part.case.accepted_at, whole.case.accepted_at);
    }
    // What is late stays late.
    whole.now = at("2026-12-01T09:00:00");
    let part = part_of(&whole, CaseType::Coordination);
    assert!(part.case.clock(ClockKey::K5).is_some_and(|clock| clock.is_overdue(whole.now)));
}

#[test]
fn a_reply_with_an_identity_number_or_a_secrecy_mark_is_not_signed() {
    let cast = cast();
    for text in ["联系人身份证 11010519491231002X 已核", "机密★ 请勿外传", "卡号 622202020202020202 已退款"]
    {
        let mut story = Story::fujian("2026-11-02T09:00:00");
        let input = ActionInput::DraftReply { text: text.to_owned(), conclusion: Conclusion::Solved, from_bot: false };
        story.processing().act(&cast.handler, input);
        story.refuses(&cast.leader, &ActionInput::SignOff, "case.unsafe_text");
    }
}

#[test]
fn everyone_sees_only_their_own_buttons() {
    let cast = cast();
    let mut story = Story::fujian("2026-11-02T09:00:00");
    let mut seen: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut note = |key: &'static str, story: &Story, actor: &Actor| {
        seen.insert(key, story.buttons(actor).iter().map(|a| a.as_str().to_owned()).collect());
    };
    note("1 submitted, front desk", &story, &cast.front);
    note("1 submitted, dispatcher", &story, &cast.dispatcher);
    note("1 submitted, enterprise", &story, &Actor::Enterprise);
    note("1 submitted, handler of no unit yet", &story, &cast.handler);
    story.processing();
    note("2 processing, handler", &story, &cast.handler);
    note("2 processing, leader", &story, &cast.leader);
    note("2 processing, dispatcher", &story, &cast.dispatcher);
    note("2 processing, verifier", &story, &cast.verifier);
    story.act(&cast.handler, draft());
    note("3 sign_off_pending, handler", &story, &cast.handler);
    note("3 sign_off_pending, leader", &story, &cast.leader);
    story.act(&cast.leader, ActionInput::SignOff).act(&cast.verifier, ActionInput::ReleaseReply { note: None });
    note("4 awaiting_confirm, enterprise", &story, &Actor::Enterprise);
    note("4 awaiting_confirm, verifier", &story, &cast.verifier);
    insta::assert_debug_snapshot!("buttons", seen);
}

#[test]
fn the_timeline_of_the_enterprise_is_a_projection_of_the_events() {
    let mut story = Story::fujian("2026-11-02T09:00:00");
    story.closed();
    let names = |slug: &str| {
        UNITS.iter().find(|(s, _)| *s == slug).map_or_else(|| slug.to_owned(), |(_, name)| (*name).to_owned())
    };
    let lines: Vec<String> = story.events.iter().filter_map(|event| event.public_line(&names)).collect();
    insta::assert_debug_snapshot!("public_timeline", lines);
}
