//! The one table of transitions, T02–T50 of DOMAIN 3.2, and what is derived from it.
//!
//! The table alone knows who may do what in which state. Guards (a reason, a window, drafter ≠ signer) stand in
//! [`super::apply()`]. Several rows may share a state and an action: the guard's finding chooses the target.

use crate::domain::{
    access::Role,
    case::{
        action::{Actor, CaseAction, OfficerStamp, Party},
        model::Case,
        status::CaseStatus,
    },
};

/// Where a transition leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// The state stays as it is.
    Stays,
    /// To this state.
    Is(CaseStatus),
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Number of the transition in DOMAIN 3.2.
    pub t: &'static str,
    /// From which states.
    pub from: &'static [CaseStatus],
    /// By which action.
    pub action: CaseAction,
    /// Where to.
    pub to: To,
    /// By whom.
    pub who: &'static [Party],
}

const fn row(
    t: &'static str,
    from: &'static [CaseStatus],
    action: CaseAction,
    to: To,
    who: &'static [Party],
) -> Transition {
    Transition { t, from, action, to, who }
}

/// Every transition there is.
pub const TRANSITIONS: &[Transition] = {
    use CaseAction as A;
    use CaseStatus as S;
    use Party as P;
    use To::{Is, Stays};
    const OPEN: &[CaseStatus] = CaseStatus::OPEN;
    /// States in which the lead unit has the case in its hands.
    const IN_UNIT: &[CaseStatus] = &[S::Signed, S::Processing, S::Rectifying];
    &[
        row("T02", &[S::Draft], A::Submit, Is(S::Submitted), &[P::Enterprise, P::Proxy, P::FrontDesk]),
        row("T03", &[S::Submitted], A::Refuse, Is(S::NotAccepted), &[P::FrontDesk, P::Dispatcher]),
        row("T04", &[S::NotAccepted], A::Object, Is(S::Submitted), &[P::Enterprise, P::Proxy]),
        row("T05", &[S::Submitted], A::RequestInfo, Is(S::NeedInfo), &[P::FrontDesk, P::Dispatcher]),
        row("T06", &[S::NeedInfo], A::SupplyInfo, Is(S::Submitted), &[P::Enterprise, P::Proxy, P::FrontDesk]),
        row("T06", &[S::NeedInfo], A::LapseInfo, Is(S::Withdrawn), &[P::Timer]),
        row("T06", &[S::Withdrawn], A::SupplyInfo, Is(S::Submitted), &[P::Enterprise, P::Proxy]),
        row("T07", &[S::Submitted], A::Accept, Is(S::Accepted), &[P::FrontDesk, P::Dispatcher]),
        row(
            "T08",
            &[S::Submitted, S::Accepted],
            A::AnswerOnSpot,
            Is(S::AnsweredOnSpot),
            &[P::FrontDesk, P::Dispatcher, P::Bot],
        ),
        row("T09", &[S::AnsweredOnSpot], A::Confirm, Is(S::Closed), &[P::Enterprise, P::Proxy, P::Verifier]),
        row("T09", &[S::AnsweredOnSpot], A::Rate, Is(S::Closed), &[P::Enterprise, P::Proxy]),
        row("T09", &[S::AnsweredOnSpot], A::ConfirmSilently, Is(S::Closed), &[P::Timer]),
        row("T10", &[S::AnsweredOnSpot], A::RequestHandling, Is(S::Accepted), &[P::Enterprise, P::Proxy]),
        row("T10", &[S::AnsweredOnSpot], A::Confirm, Is(S::Accepted), &[P::Enterprise, P::Proxy, P::Verifier]),
        row("T10", &[S::AnsweredOnSpot], A::Rate, Is(S::Accepted), &[P::Enterprise, P::Proxy]),
        row("T11", &[S::Accepted], A::MarkOwnershipPending, Is(S::OwnershipPending), &[P::Dispatcher, P::Timer]),
        row("T12", &[S::OwnershipPending], A::RuleOwnership, Is(S::Dispatched), &[P::Dispatcher]),
        row("T13", &[S::Accepted], A::Endorse, Is(S::PreApproval), &[P::Dispatcher]),
        row("T13", &[S::PreApproval], A::Endorse, Stays, &[P::Leader]),
        row("T13", &[S::PreApproval], A::Endorse, Is(S::Dispatched), &[P::Leader]),
        row("T14", &[S::Accepted], A::Dispatch, Is(S::Dispatched), &[P::Dispatcher]),
        row("T15", &[S::Dispatched], A::SignIn, Is(S::Signed), &[P::UnitClerk]),
        row("T15", IN_UNIT, A::Assign, Stays, &[P::UnitClerk, P::UnitLeader]),
        row("T16", &[S::Dispatched], A::DeemSigned, Is(S::Signed), &[P::Timer]),
        row("T17", &[S::Dispatched], A::RequestReturn, Is(S::ReturnPending), &[P::UnitLeader]),
        row("T18", &[S::ReturnPending], A::GrantReturn, Is(S::Dispatched), &[P::Dispatcher]),
        row("T19", &[S::ReturnPending], A::RefuseReturn, Is(S::Signed), &[P::Dispatcher]),
        row("T20", &[S::Signed], A::RecordContact, Is(S::Processing), &[P::Handler]),
        row("T20", &[S::Signed], A::RecordContact, Stays, &[P::Handler]),
        row("T20", &[S::Processing, S::Rectifying], A::RecordContact, Stays, &[P::Handler]),
        row("T32", &[S::AwaitingConfirm], A::RecordContact, Stays, &[P::Verifier]),
        row("T21", &[S::Processing, S::Rectifying], A::RecordProgress, Stays, &[P::Handler, P::Assisting]),
        row("T22", &[S::Processing, S::Rectifying], A::AskAssist, Stays, &[P::Handler]),
        row("T22", &[S::Processing, S::Rectifying], A::AnswerAssist, Stays, &[P::Assisting]),
        row("T25", &[S::Processing, S::Rectifying], A::WaiveAssist, Stays, &[P::UnitLeader]),
        row("T23", &[S::Processing], A::Pause, Stays, &[P::Handler, P::UnitLeader, P::Dispatcher, P::Enterprise]),
        row(
            "T23",
            &[S::Processing],
            A::Resume,
            Stays,
            &[P::Handler, P::UnitLeader, P::Dispatcher, P::Enterprise, P::Timer],
        ),
        row("T24", &[S::Processing], A::RequestExtension, Stays, &[P::UnitLeader, P::Handler]),
        row("T24", &[S::Processing], A::GrantExtension, Stays, &[P::Dispatcher, P::Supervisor, P::UnitLeader]),
        row(
            "T24",
            &[S::Processing],
            A::RefuseExtension,
            Stays,
            &[P::Dispatcher, P::Supervisor, P::UnitLeader, P::Timer],
        ),
        row(
            "T14",
            &[S::Accepted, S::OwnershipPending, S::PreApproval, S::Dispatched, S::Signed, S::Processing],
            A::Regrade,
            Stays,
            &[P::Dispatcher],
        ),
        row("T14", &[S::Dispatched, S::Signed, S::Processing], A::Regrade, Is(S::Accepted), &[P::Dispatcher]),
        row("T25", &[S::Processing], A::DraftReply, Is(S::SignOffPending), &[P::Handler]),
        row("T37", &[S::Rectifying], A::DraftReply, Is(S::SignOffPending), &[P::Handler]),
        // Where the policy asks for no signature.
        row("T25", &[S::Processing, S::Rectifying], A::DraftReply, Is(S::Replied), &[P::Handler]),
        row("T26", &[S::SignOffPending], A::RejectDraft, Is(S::Processing), &[P::UnitLeader]),
        row("T27", &[S::SignOffPending], A::SignOff, Is(S::Replied), &[P::UnitLeader]),
        row("T28", &[S::Replied], A::ReleaseReply, Is(S::AwaitingConfirm), &[P::Verifier, P::Timer]),
        row("T29", &[S::Replied, S::AwaitingConfirm], A::RefuseReply, Is(S::Processing), &[P::Verifier]),
        row("T30", &[S::AwaitingConfirm], A::Confirm, Is(S::ClosingReview), &[P::Enterprise, P::Proxy, P::Verifier]),
        row("T30", &[S::AwaitingConfirm], A::Confirm, Is(S::Closed), &[P::Enterprise, P::Proxy, P::Verifier]),
        row(
            "T31",
            &[S::AwaitingConfirm, S::ClosingReview],
            A::Confirm,
            Is(S::Recheck),
            &[P::Enterprise, P::Proxy, P::Verifier],
        ),
        row("T30", &[S::AwaitingConfirm], A::Rate, Is(S::ClosingReview), &[P::Enterprise, P::Proxy]),
        row("T30", &[S::AwaitingConfirm], A::Rate, Is(S::Closed), &[P::Enterprise, P::Proxy]),
        row("T31", &[S::AwaitingConfirm, S::ClosingReview], A::Rate, Is(S::Recheck), &[P::Enterprise, P::Proxy]),
        row("T30", &[S::ClosingReview], A::Confirm, Stays, &[P::Enterprise, P::Proxy, P::Verifier]),
        row("T31", &[S::Closed], A::Rate, Is(S::Recheck), &[P::Enterprise, P::Proxy]),
        row("T30", &[S::ClosingReview, S::Closed, S::Merged], A::Rate, Stays, &[P::Enterprise, P::Proxy]),
        row("T32", &[S::AwaitingConfirm], A::ConfirmSilently, Is(S::ClosingReview), &[P::Timer]),
        row("T32", &[S::AwaitingConfirm], A::ConfirmSilently, Stays, &[P::Timer]),
        row("T33", &[S::AwaitingConfirm], A::ConfirmSilently, Is(S::PlanTracking), &[P::Timer]),
        row("T33", &[S::AwaitingConfirm], A::AcceptPlan, Is(S::PlanTracking), &[P::Enterprise, P::Proxy, P::Verifier]),
        row("T34", &[S::PlanTracking], A::ReportMilestone, Is(S::AwaitingConfirm), &[P::Handler, P::Timer]),
        row("T35", &[S::Recheck], A::UpholdRating, Is(S::Rectifying), &[P::Supervisor, P::Verifier]),
        row("T36", &[S::Recheck], A::DismissRating, Is(S::ClosingReview), &[P::Supervisor, P::Verifier]),
        row(
            "T38",
            &[S::Processing, S::AwaitingConfirm, S::Recheck],
            A::RequestClose,
            Is(S::ClosingReview),
            &[P::UnitLeader],
        ),
        row("T39", &[S::ClosingReview], A::ApproveClose, Is(S::Closed), &[P::Verifier]),
        row("T40", &[S::ClosingReview], A::RefuseClose, Is(S::Processing), &[P::Verifier]),
        row("T41", &[S::Closed], A::Reopen, Is(S::Processing), &[P::Enterprise, P::Proxy, P::Verifier, P::Supervisor]),
        row("T41", &[S::Closed], A::Reopen, Is(S::Accepted), &[P::Enterprise, P::Proxy, P::Verifier, P::Supervisor]),
        row("T41", &[S::Archived], A::Reopen, Is(S::Processing), &[P::Verifier, P::Supervisor]),
        row("T41", &[S::Archived], A::Reopen, Is(S::Accepted), &[P::Verifier, P::Supervisor]),
        row("T42", &[S::Closed], A::Archive, Is(S::Archived), &[P::Timer]),
        row("T43", OPEN, A::Withdraw, Is(S::Withdrawn), &[P::Enterprise, P::Proxy]),
        row("T44", &[S::Submitted, S::Accepted], A::Merge, Is(S::Merged), &[P::Dispatcher]),
        row("T45", &[S::Accepted, S::Processing], A::Split, Stays, &[P::Dispatcher]),
        row("T46", OPEN, A::TransferOut, Is(S::Transferred), &[P::Dispatcher, P::Supervisor]),
        row("T47", OPEN, A::Supervise, Stays, &[P::Supervisor, P::Timer]),
        row("T47", OPEN, A::EndSupervision, Stays, &[P::Supervisor]),
        row("T48", OPEN, A::Escalate, Stays, &[P::Dispatcher, P::Supervisor, P::Leader, P::Timer]),
        row("T49", OPEN, A::Urge, Stays, &[P::Enterprise, P::Proxy]),
        row("T50", OPEN, A::AddInfo, Stays, &[P::Enterprise, P::Proxy, P::FrontDesk]),
    ]
};

/// The rows of a state and an action.
pub fn rows(status: CaseStatus, action: CaseAction) -> impl Iterator<Item = &'static Transition> {
    TRANSITIONS.iter().filter(move |row| row.action == action && row.from.contains(&status))
}

/// Whether an actor holds a party's place on this case: the unit counts for clerks, handlers and leaders, and
/// sealed conduct cases are in the hands of discipline alone.
pub fn holds(case: &Case, actor: &Actor, party: Party) -> bool {
    match actor {
        Actor::Enterprise => party == Party::Enterprise,
        Actor::Proxy { .. } => party == Party::Proxy && case.party.proxy.is_some(),
        Actor::Bot => party == Party::Bot,
        Actor::Timer => party == Party::Timer,
        Actor::Officer(officer) => officer_holds(case, officer, party),
    }
}

fn officer_holds(case: &Case, officer: &OfficerStamp, party: Party) -> bool {
    if case.recused.iter().any(|unit| officer.is_of(unit)) {
        return false;
    }
    let lead = case.lead_unit.as_deref();
    let in_lead = |role: Role| lead.is_some_and(|unit| officer.has_in(role, unit));
    let leads = in_lead(Role::UnitLeader) || lead.is_some_and(|unit| officer.deputy_of.iter().any(|of| of == unit));
    let assisting = |unit: &String| {
        officer.has_in(Role::Handler, unit)
            || officer.has_in(Role::UnitLeader, unit)
            || officer.has_in(Role::UnitClerk, unit)
    };
    if case.sealed {
        return officer.has(Role::Discipline)
            && match party {
                Party::FrontDesk | Party::Dispatcher | Party::Verifier | Party::Supervisor | Party::Leader => true,
                Party::UnitClerk | Party::Handler => lead.is_some_and(|unit| officer.is_of(unit)),
                Party::UnitLeader => leads,
                Party::Assisting => case.assists.iter().any(|unit| officer.is_of(unit)),
                Party::Enterprise | Party::Proxy | Party::Bot | Party::Timer => false,
            };
    }
    match party {
        Party::FrontDesk => officer.has(Role::FrontDesk),
        Party::Dispatcher => officer.has(Role::Dispatcher),
        Party::Verifier => officer.has(Role::Verifier),
        Party::Supervisor => officer.has(Role::Supervisor),
        Party::Leader => officer.has(Role::Leader),
        Party::UnitClerk => in_lead(Role::UnitClerk),
        Party::Handler => in_lead(Role::Handler),
        Party::UnitLeader => leads,
        Party::Assisting => case.assists.iter().any(assisting),
        Party::Enterprise | Party::Proxy | Party::Bot | Party::Timer => false,
    }
}
