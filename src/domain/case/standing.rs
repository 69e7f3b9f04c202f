//! What stands against an action whatever is filled in: the table, the actor's place, the window, the overlays.
//!
//! [`refusal`] is asked before every change and for every button, so that what is offered and what is done cannot
//! drift apart. What depends on the fields of an action stays in its guard.

use jiff::{Span, Timestamp};

use crate::domain::case::{
    action::{Actor, CaseAction, Party},
    clocks::CaseEnv,
    lifecycle::{TRANSITIONS, holds, rows},
    model::{Case, ClockKey, ClockState, Limit, PauseReason, TaskKind, TaskState, TransitionError},
    reminders::{lacks_call, silence_counts_from},
    status::CaseStatus,
};
use crate::domain::{
    kinds::CaseType,
    sla::{Approver, SlaBook, Within},
};

/// Days in which the enterprise may have a closed case taken up again (T41).
pub(super) const REOPEN_DAYS: i64 = 30;
/// Working days in which the enterprise may object to a refusal (T04).
const OBJECT_WORKDAYS: u32 = 10;
/// Working days that lie between two urges (T49).
const URGE_WORKDAYS: u32 = 2;
/// The highest rung of 提级.
const HIGHEST_RUNG: u8 = 6;

type Guard = Result<(), TransitionError>;

/// What an actor may do to a case now, in the order of the table. Timers' actions are never offered to people.
pub fn allowed_actions(case: &Case, actor: &Actor, env: &CaseEnv<'_>) -> Vec<CaseAction> {
    let mut actions: Vec<CaseAction> = Vec::new();
    for row in TRANSITIONS.iter().filter(|row| row.from.contains(&case.status)) {
        if !actions.contains(&row.action) && refusal(case, actor, row.action, env).is_ok() {
            actions.push(row.action);
        }
    }
    actions
}

/// Why an actor cannot do something to a case now, whatever is filled in.
///
/// # Errors
/// `NotAllowed` when the state does not know the action, `Forbidden` when the actor may not, else what stands in
/// the way.
pub fn refusal(case: &Case, actor: &Actor, action: CaseAction, env: &CaseEnv<'_>) -> Guard {
    let mut rows = rows(case.status, action).peekable();
    let Some(first) = rows.peek().copied() else {
        return Err(TransitionError::NotAllowed { status: case.status, action });
    };
    if !rows.any(|row| row.who.iter().any(|party| holds(case, actor, *party))) {
        return Err(TransitionError::Forbidden { status: case.status, action, parties: first.who });
    }
    // Time never goes backwards in the history of a case, even if the server's clock does (invariant 17).
    let env = &CaseEnv { now: env.now.max(case.changed_at), ..*env };
    Standing { case, actor, env }.bar(action)
}

/// The reasons for which an actor may stop the clock of the reply now (DOMAIN 2.4).
pub fn pause_reasons(case: &Case, actor: &Actor) -> Vec<PauseReason> {
    let is = |party: Party| holds(case, actor, party);
    let may = |reason: PauseReason| match reason {
        PauseReason::P1 => {
            !case.pauses.iter().any(|pause| pause.reason == PauseReason::P1)
                && (is(Party::Handler)
                    || is(Party::UnitLeader)
                    || (is(Party::Dispatcher) && case.overlay.pause_asked.is_some()))
        }
        PauseReason::P2 => is(Party::UnitLeader),
        PauseReason::P3 => is(Party::Enterprise) || is(Party::Dispatcher),
        PauseReason::P4 => is(Party::Dispatcher),
    };
    PauseReason::ALL.iter().copied().filter(|reason| may(*reason)).collect()
}

/// The longest extension, in working days: at most the base length again, unless the policy names another one.
/// 0 when the limit is no amount of time.
pub fn longest_extension(case: &Case, book: &SlaBook) -> u32 {
    let Some(clock) = case.clock(ClockKey::K5) else { return 0 };
    let Limit::Budget(budget) = clock.limit else { return 0 };
    let profile = book.kept(&case.requirements.profile, &case.requirements.version);
    profile.map_or(budget.n, |profile| profile.extension_limit(Within::Budget(budget)))
}

/// Nobody checks what they had a hand in: not who is or was the named handler, not who worked on it in the unit, not the
/// drafter, not the signer, and not the one who ruled the ownership (invariant 8, DOMAIN 8).
fn independent(case: &Case, actor: &Actor) -> Guard {
    let Some(id) = actor.officer_id() else { return Ok(()) };
    let handled = case.handler == Some(id)
        || case.wrote.contains(&id)
        || case.draft.as_ref().is_some_and(|draft| draft.author == id)
        || case.signature.as_ref().is_some_and(|s| s.drafter == id || s.signer == id);
    if handled {
        return Err(TransitionError::HandlerMayNotVerify);
    }
    if case.ruled_by == Some(id) {
        return Err(TransitionError::RulerMayNotVerify);
    }
    Ok(())
}

struct Standing<'a> {
    case: &'a Case,
    actor: &'a Actor,
    env: &'a CaseEnv<'a>,
}

fn unless(bad: bool, error: impl FnOnce() -> TransitionError) -> Guard {
    if bad { Err(error()) } else { Ok(()) }
}

impl Standing<'_> {
    fn is(&self, party: Party) -> bool {
        holds(self.case, self.actor, party)
    }

    fn now(&self) -> Timestamp {
        self.env.now
    }

    fn bar(&self, action: CaseAction) -> Guard {
        use CaseAction as A;
        use TransitionError as E;
        let case = self.case;
        match action {
            A::Refuse => self.bar_second_refusal(),
            A::Object => self.window(ClockKey::K1, case.entered_at, OBJECT_WORKDAYS, "提出异议（10个工作日）"),
            A::RequestInfo => unless(case.info_asked, || E::OnlyOnce("受理前要求补充（须一次列全）")),
            A::SupplyInfo => unless(case.status == CaseStatus::Withdrawn && !case.lapsed, || E::NotAllowed {
                status: case.status,
                action,
            }),
            A::Endorse => {
                let needless = case.status == CaseStatus::Accepted && case.requirements.chain == 0;
                unless(needless, || E::Field {
                    field: "action", message: "该口径没有报批程序，请直接分派"
                })?;
                // Discipline alone has a sealed case in its hands: there may be nobody else to ask.
                let again = case.status == CaseStatus::PreApproval
                    && !case.sealed
                    && self.actor.officer_id().is_some_and(|id| case.approvers.contains(&id));
                unless(again, || E::SameOfficer("您已签批，须由另一位领导签批"))
            }
            A::Dispatch | A::MarkOwnershipPending => unless(case.requirements.chain > case.approvals, || E::Field {
                field: "action",
                message: "该口径须先报批，请用“呈批”",
            }),
            A::RequestReturn => self.bar_return(),
            A::AnswerAssist => unless(!self.has_open_assist(), || E::NoSuchTask),
            A::WaiveAssist => unless(case.open_assists() == 0, || E::NoSuchTask),
            A::Pause => self.bar_pause(),
            A::Resume => self.bar_resume(),
            A::RequestExtension => self.bar_extension(),
            A::GrantExtension => self.bar_grant(),
            A::RefuseExtension => {
                self.decides_extension(action)?;
                unless(case.overlay.extension.is_none(), || E::NoExtension("没有待审的延期申请"))
            }
            A::DraftReply => {
                self.no_open_assists()?;
                unless(case.open_pause().is_some(), || E::Paused(true))?;
                unless(case.handler.is_none(), || E::NoHandler)
            }
            A::SignOff => {
                let draft = case.draft.as_ref().ok_or(E::NoSuchTask)?;
                unless(self.actor.officer_id() == Some(draft.author), || E::DrafterMayNotSign)
            }
            A::ReleaseReply => {
                let unchecked = !self.is(Party::Verifier) && case.requirements.centre_verify;
                unless(unchecked, || E::CloseNeeds(vec!["中心核实"]))?;
                unless(case.signature.is_none(), || E::CloseNeeds(vec!["审签的答复"]))?;
                self.independent_if_verifier()
            }
            A::RefuseReply | A::RefuseClose => independent(case, self.actor),
            A::RecordContact if case.status == CaseStatus::AwaitingConfirm => independent(case, self.actor),
            A::Confirm | A::AcceptPlan => self.independent_if_verifier(),
            A::ReportMilestone => unless(!self.has_open_milestone(), || E::NoSuchTask),
            A::UpholdRating | A::DismissRating => self.may_recheck(),
            A::RequestClose => {
                self.no_open_assists()?;
                unless(case.open_pause().is_some(), || E::Paused(true))?;
                unless(self.has_open_milestone(), || E::CloseNeeds(vec!["方案的全部节点"]))
            }
            A::ApproveClose => {
                independent(case, self.actor)?;
                let missing = missing_for_closing(case, self.env.open_promises);
                unless(!missing.is_empty(), || E::CloseNeeds(missing))
            }
            A::Reopen => self.bar_reopening(),
            A::Withdraw => unless(!case.may_be_withdrawn(), || E::MayNotWithdraw),
            A::EndSupervision => unless(case.overlay.supervised.is_none(), || E::NoSuchTask),
            A::Escalate => unless(case.overlay.escalated.is_some_and(|rung| rung >= HIGHEST_RUNG), || E::Field {
                field: "rung",
                message: "已是最高一级",
            }),
            A::Urge => self.bar_urge(),
            A::Rate => {
                let early = case.status == CaseStatus::Merged && !case.overlay.parent_answered;
                unless(early, || E::NotAllowed { status: case.status, action })
            }
            A::LapseInfo => self.bar_silence(),
            A::ConfirmSilently if case.status != CaseStatus::AnsweredOnSpot => self.bar_silence(),
            A::Submit
            | A::Accept
            | A::AnswerOnSpot
            | A::RequestHandling
            | A::RuleOwnership
            | A::SignIn
            | A::DeemSigned
            | A::Assign
            | A::GrantReturn
            | A::RefuseReturn
            | A::RecordContact
            | A::RecordProgress
            | A::AskAssist
            | A::Regrade
            | A::RejectDraft
            | A::ConfirmSilently
            | A::Archive
            | A::Merge
            | A::Split
            | A::TransferOut
            | A::Supervise
            | A::AddInfo => Ok(()),
        }
    }

    /// The window of an action: so many working days from a moment, to the close of business.
    fn window(&self, key: ClockKey, from: Timestamp, days: u32, what: &'static str) -> Guard {
        let last = self.env.after_workdays(key, from, days)?;
        unless(self.now() > last, || TransitionError::WindowOver(what))
    }

    /// T06, T32: silence says nothing before every reminder went out, nor where a call is missing and was asked for.
    fn bar_silence(&self) -> Guard {
        let case = self.case;
        let early = silence_counts_from(case, self.env).is_none();
        unless(early, || TransitionError::CloseNeeds(vec!["催请提醒"]))?;
        unless(lacks_call(case, self.env) && case.prompts.pressed, || TransitionError::CloseNeeds(vec!["电话回访"]))
    }

    /// T17: once, within one working day of the dispatch, not after a ruling or a second dispatch.
    fn bar_return(&self) -> Guard {
        let case = self.case;
        unless(case.ruled || case.dispatches > 1, || TransitionError::AlreadyRuled)?;
        unless(!case.returns.is_empty(), || TransitionError::OnlyOnce("退单"))?;
        let delivered = case.delivered_at.unwrap_or(case.entered_at);
        self.window(ClockKey::K10, delivered, 1, "退单（派单后1个工作日内）")
    }

    /// T04: a refusal that the enterprise objected to is repeated by a dispatcher who did not refuse it before.
    fn bar_second_refusal(&self) -> Guard {
        let case = self.case;
        if !case.objected {
            return Ok(());
        }
        unless(!self.is(Party::Dispatcher), || TransitionError::Forbidden {
            status: case.status,
            action: CaseAction::Refuse,
            parties: &[Party::Dispatcher],
        })?;
        let same = self.actor.officer_id().is_some_and(|id| case.refused_by == Some(id));
        unless(same, || TransitionError::SameOfficer("企业已提出异议，须由另一位分派人员复核"))
    }

    fn bar_pause(&self) -> Guard {
        let case = self.case;
        unless(case.open_pause().is_some(), || TransitionError::Paused(true))?;
        let running = case.clock(ClockKey::K5).is_some_and(|clock| clock.state == ClockState::Running);
        unless(!running, || TransitionError::Field {
            field: "reason", message: "答复时钟没有在走，不能暂停"
        })?;
        let over = case.clock(ClockKey::K5).is_some_and(|clock| clock.is_overdue(self.now()));
        unless(over && !self.is(Party::Dispatcher), || TransitionError::Field {
            field: "reason",
            message: "已超期，不能再暂停",
        })?;
        unless(pause_reasons(case, self.actor).is_empty(), || {
            TransitionError::OnlyOnce("待企业补充的暂停（须一次列全；其他事由由分管负责人、企业或中心提出）")
        })
    }

    fn bar_resume(&self) -> Guard {
        let Some(pause) = self.case.open_pause() else {
            // The centre answers a request for a pause with it: the clock goes on.
            let refuses = self.case.overlay.pause_asked.is_some() && self.is(Party::Dispatcher);
            return unless(!refuses, || TransitionError::Paused(false));
        };
        let theirs = matches!(pause.reason, PauseReason::P1 | PauseReason::P3);
        unless(self.is(Party::Enterprise) && !theirs, || TransitionError::Field {
            field: "action",
            message: "该暂停不由企业结束",
        })
    }

    /// DOMAIN 2.5: before due, at most once by the centre, not for a consultation that a rule answered, not while a
    /// rectification runs, not where the policy has none.
    fn bar_extension(&self) -> Guard {
        use TransitionError::NoExtension;
        let case = self.case;
        // Where the leader decides the handler asks.
        let (asks, parties): (Party, &'static [Party]) = match case.requirements.extension_by {
            Approver::UnitLeader if case.extensions == 0 => (Party::Handler, &[Party::Handler]),
            Approver::UnitLeader | Approver::Dispatcher | Approver::Supervisor => {
                (Party::UnitLeader, &[Party::UnitLeader])
            }
        };
        unless(!self.is(asks), || TransitionError::Forbidden {
            status: case.status,
            action: CaseAction::RequestExtension,
            parties,
        })?;
        let answered = case.case_type == CaseType::Consultation && case.answered_by_rule.is_some();
        let rectifying = case.clock(ClockKey::K9).is_some_and(super::model::CaseClock::is_open);
        unless(!case.requirements.extension, || NoExtension("该口径不设延期，请提出方案"))?;
        unless(answered, || NoExtension("知识库已有答复的咨询不能延期"))?;
        unless(rectifying, || NoExtension("整改期间不能延期"))?;
        unless(case.open_pause().is_some(), || TransitionError::Paused(true))?;
        unless(case.overlay.extension.is_some(), || TransitionError::OnlyOnce("同时提出的延期申请"))?;
        let profile = self.env.policy_of(case);
        let most = profile.map_or(1, |profile| profile.extension.max_times);
        let most = if case.overlay.escalated.is_some() { most.saturating_add(1) } else { most };
        unless(case.extensions >= most, || NoExtension("已延期过；第二次须先提级并由督办同意"))?;
        let due = case.clock(ClockKey::K5).and_then(|clock| clock.due_at);
        unless(due.is_none_or(|due| self.now() > due), || NoExtension("已超期，延期不能补救"))?;
        unless(longest_extension(case, self.env.book) == 0, || NoExtension("该件的时限不能延长"))
    }

    /// The leader of the unit has a say only where the policy gives it to them.
    fn decides_extension(&self, action: CaseAction) -> Guard {
        let case = self.case;
        let of_centre = self.is(Party::Dispatcher) || self.is(Party::Supervisor) || self.is(Party::Timer);
        let of_unit = case.requirements.extension_by == Approver::UnitLeader && case.extensions == 0;
        unless(!of_centre && !of_unit, || TransitionError::Forbidden {
            status: case.status,
            action,
            parties: &[Party::Dispatcher, Party::Supervisor],
        })
    }

    fn bar_grant(&self) -> Guard {
        use TransitionError::NoExtension;
        let case = self.case;
        self.decides_extension(CaseAction::GrantExtension)?;
        unless(case.overlay.extension.is_none(), || NoExtension("没有待审的延期申请"))?;
        let (by, message) = match (case.extensions, case.requirements.extension_by) {
            (1.., _) => (Party::Supervisor, "第二次延期须由督办同意"),
            (0, Approver::Dispatcher) => (Party::Dispatcher, "第一次延期由中心分派岗审核"),
            (0, Approver::Supervisor) => (Party::Supervisor, "该口径的延期由督办审核"),
            (0, Approver::UnitLeader) => (Party::UnitLeader, "该口径的延期由分管负责人审核"),
        };
        unless(!self.is(by), || NoExtension(message))?;
        let own = case.overlay.extension.as_ref().is_some_and(|asked| self.actor.officer_id() == Some(asked.by));
        unless(own, || TransitionError::SameOfficer("延期申请须由另一人审核"))?;
        let due = case.clock(ClockKey::K5).filter(|clock| clock.state == ClockState::Running).and_then(|k5| k5.due_at);
        // What was asked for in time is decided within the limit of the decision (K11), also when K5 ends meanwhile.
        let in_time = case.overlay.extension.as_ref().is_some_and(|asked| due.is_none_or(|due| asked.at <= due));
        let decidable = case.clock(ClockKey::K11).is_some_and(|clock| clock.is_open() && !clock.is_overdue(self.now()));
        let over = due.is_some_and(|due| self.now() > due);
        unless(over && !(in_time && decidable), || NoExtension("已超期，延期不能补救"))
    }

    fn bar_reopening(&self) -> Guard {
        let case = self.case;
        if self.is(Party::Enterprise) || self.is(Party::Proxy) {
            let schedule = self.env.schedule;
            let closed_at = case.closings.last().map_or(case.entered_at, |closing| closing.at);
            let last_day = schedule.civil(closed_at).date().checked_add(Span::new().days(REOPEN_DAYS));
            let over = last_day.is_ok_and(|day| schedule.civil(self.now()).date() > day);
            unless(over, || TransitionError::WindowOver("重新办理（办结后30日内）"))?;
        } else {
            independent(case, self.actor)?;
        }
        Ok(())
    }

    fn bar_urge(&self) -> Guard {
        let Some(last) = self.case.urged_at else { return Ok(()) };
        let next_at = self.env.after_workdays(ClockKey::K5, last, URGE_WORKDAYS)?;
        unless(self.now() <= next_at, || TransitionError::UrgedAlready { next_at })
    }

    fn no_open_assists(&self) -> Guard {
        let open = self.case.open_assists();
        unless(open > 0, || TransitionError::AssistOpen(open))
    }

    fn has_open_assist(&self) -> bool {
        let Actor::Officer(officer) = self.actor else { return false };
        let open = |kind, state| kind == TaskKind::Assist && state == TaskState::Open;
        self.case.tasks.iter().any(|task| open(task.kind, task.state) && officer.is_of(&task.unit))
    }

    fn has_open_milestone(&self) -> bool {
        self.case.tasks.iter().any(|task| task.kind == TaskKind::Milestone && task.state == TaskState::Open)
    }

    fn independent_if_verifier(&self) -> Guard {
        if self.is(Party::Verifier) { independent(self.case, self.actor) } else { Ok(()) }
    }

    /// Who rechecks had no hand in it and does not belong to the handling unit.
    fn may_recheck(&self) -> Guard {
        independent(self.case, self.actor)?;
        let Actor::Officer(officer) = self.actor else { return Ok(()) };
        let of_lead = self.case.lead_unit.as_deref().is_some_and(|unit| officer.is_of(unit));
        unless(of_lead && !self.case.sealed, || TransitionError::HandlerMayNotVerify)
    }
}

/// What the policy still asks for before the case may be closed (invariants 10 and 15).
fn missing_for_closing(case: &Case, open_promises: usize) -> Vec<&'static str> {
    let mut missing = Vec::new();
    if case.requirements.submitter_confirm && case.confirmation.is_none() {
        missing.push("企业确认");
    }
    if case.conclusion.is_none() {
        missing.push("办理结论");
    }
    if case.tasks.iter().any(|task| task.state == TaskState::Open) {
        missing.push("未完成的协办或节点");
    }
    if open_promises > 0 {
        missing.push("未兑现的承诺");
    }
    if case.open_pause().is_some() {
        missing.push("结束暂停");
    }
    missing
}
