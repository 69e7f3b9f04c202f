//! The clock stack of one case (DOMAIN 2.3): starting, stopping, holding, recomputing.
//!
//! Invariants: the policy clock (K5) never begins at sign-in; a return or a second dispatch does not touch it; its
//! due date is always computed from its first start under the pauses and extensions on record, so nothing else can
//! move it.

use jiff::{Span, Timestamp};

use crate::domain::{
    case::{
        model::{Case, CaseClock, ClockKey, ClockState, Limit, TransitionError},
        reminders::{hard_limit, lacks_call, silence_counts_from},
        standing::REOPEN_DAYS,
        status::CaseStatus,
    },
    ids::TaskId,
    sla::{AnswerFacts, Budget, Due, DueRequest, Pause, PolicyFacts, Profile, Schedule, SlaBook, Within},
};

/// What the rules of a case are computed with. Everything is lent; nothing is read from outside.
#[derive(Clone, Copy)]
pub struct CaseEnv<'a> {
    /// Calendar, hours and zone.
    pub schedule: &'a Schedule,
    /// The policies.
    pub book: &'a SlaBook,
    /// Name of the policy for cases that no other one claims.
    pub default_policy: &'a str,
    /// The present instant.
    pub now: Timestamp,
    /// The name of a unit that is known and active.
    pub unit_name: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Units that the matter is about: they have no part in it once its type accuses somebody (invariant 7).
    pub accused: &'a [String],
    /// Promises made in the conversation of the case that nobody has kept or dropped (invariants 12 and 15).
    pub open_promises: usize,
    /// Fresh ids for the tasks an action makes; [`super::input::ActionInput::new_tasks`] tells how many.
    pub task_ids: &'a [TaskId],
}

impl<'a> CaseEnv<'a> {
    /// The short name of a unit, or its slug when it is not known any more.
    pub fn name_of(&self, slug: &str) -> String {
        (self.unit_name)(slug).unwrap_or_else(|| slug.to_owned())
    }

    /// The policy that a case came under, in the version it keeps.
    pub(super) fn policy_of(&self, case: &Case) -> Option<&'a Profile> {
        self.book.kept(&case.requirements.profile, &case.requirements.version)
    }

    /// `2026年10月20日 17:30` in the schedule's zone.
    pub fn in_words(&self, at: Timestamp) -> String {
        crate::domain::sla::chinese_date_time(self.schedule.civil(at))
    }

    /// The moment so many working days after `from`, at close of business.
    pub(super) fn after_workdays(&self, key: ClockKey, from: Timestamp, n: u32) -> Result<Timestamp, TransitionError> {
        let due = self
            .schedule
            .due(&DueRequest::new(from, Budget::working_days(n)))
            .map_err(|error| TransitionError::Clock { key, detail: error.to_string() })?;
        due.due.ok_or(TransitionError::Clock { key, detail: "no due date".to_owned() })
    }

    /// Close of business of a day, or its last second when offices are closed.
    pub(super) fn end_of(&self, day: jiff::civil::Date) -> Option<Timestamp> {
        self.schedule.close_of(day).or_else(|| self.schedule.zone().to_timestamp(day.at(23, 59, 59, 0)).ok())
    }
}

/// The answer limit and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AnswerLimit {
    pub(super) limit: Limit,
    pub(super) words: String,
}

impl Limit {
    /// The limit of a length written in a policy, for a clock that starts at `from`.
    pub fn from_within(within: Within, from: Timestamp, schedule: &Schedule) -> Self {
        match within {
            Within::Budget(budget) => Self::Budget(budget),
            Within::Immediate => Self::Until(from),
            Within::SameDay => within.due(schedule, from).ok().and_then(|due| due.due).map_or(Self::Open, Self::Until),
            Within::Statutory => Self::Open,
        }
    }
}

impl CaseClock {
    /// Computes when the clock is due, under these pauses.
    ///
    /// # Errors
    /// `Clock` when the calendar cannot answer.
    pub fn compute(&self, schedule: &Schedule, pauses: &[Pause]) -> Result<Due, TransitionError> {
        match self.limit {
            // That a day was named makes the year it lies in no more certain.
            Limit::Until(at) => {
                let day = schedule.civil(at).date();
                Ok(Due { due: Some(at), provisional: schedule.calendar().day(day).provisional })
            }
            Limit::Open => Ok(Due { due: None, provisional: false }),
            Limit::Budget(budget) => {
                let mut request = DueRequest::new(self.started_at, budget);
                request.pauses = pauses;
                request.extension_days = self.extension_days;
                schedule
                    .due(&request)
                    .map_err(|error| TransitionError::Clock { key: self.key, detail: error.to_string() })
            }
        }
    }

    /// Whether it runs and its due second is over.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.state == ClockState::Running && self.due_at.is_some_and(|due| now > due)
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, ClockState::Running | ClockState::Paused | ClockState::Held)
    }
}

impl Case {
    /// The pauses of the policy clock as the calendar wants them.
    pub fn sla_pauses(&self) -> Vec<Pause> {
        self.pauses.iter().map(|pause| Pause { from: pause.from, to: pause.ended_at }).collect()
    }

    /// The clock that runs out next: who is late with signing in is late, however far off the reply still is. An
    /// assisting unit makes nobody else late. Where none runs, the clock of the reply that stands still.
    pub fn leading_clock(&self) -> Option<&CaseClock> {
        let running =
            self.clocks.iter().filter(|clock| clock.state == ClockState::Running && clock.key != ClockKey::K5a);
        let next = running.min_by_key(|clock| (clock.due_at.is_none(), clock.due_at));
        next.or_else(|| self.clock(ClockKey::K5).filter(|clock| clock.state == ClockState::Paused))
    }

    /// When the next one who is responsible must have acted; what lists are sorted by.
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.status.is_open() { self.leading_clock().and_then(|clock| clock.due_at) } else { None }
    }

    pub(super) fn start_clock(
        &mut self,
        key: ClockKey,
        owner: &str,
        limit: Limit,
        task: Option<TaskId>,
        env: &CaseEnv<'_>,
    ) -> Result<Option<Timestamp>, TransitionError> {
        let turn = self.clocks.iter().filter(|clock| clock.key == key).count();
        let mut clock = CaseClock {
            key,
            turn: u16::try_from(turn + 1).unwrap_or(u16::MAX),
            task,
            owner: owner.to_owned(),
            started_at: env.now,
            limit,
            extension_days: 0,
            due_at: None,
            provisional: false,
            state: ClockState::Running,
            stopped_at: None,
            missed: false,
        };
        let due = clock.compute(env.schedule, &[])?;
        (clock.due_at, clock.provisional) = (due.due, due.provisional);
        self.clocks.push(clock);
        Ok(due.due)
    }

    /// Starts a clock of the stack with the length of the book, or `otherwise` when the book has none.
    pub(super) fn start_stack_clock(
        &mut self,
        key: ClockKey,
        owner: &str,
        otherwise: Budget,
        env: &CaseEnv<'_>,
    ) -> Result<Option<Timestamp>, TransitionError> {
        let within = env.book.default_within(key.as_str()).unwrap_or(Within::Budget(otherwise));
        self.start_clock(key, owner, Limit::from_within(within, env.now, env.schedule), None, env)
    }

    /// Stops the running clock of a key, if there is one, and tells whether it was late.
    pub(super) fn stop_clock(&mut self, key: ClockKey, at: Timestamp) -> bool {
        self.end_clock(key, at, ClockState::Stopped)
    }

    /// Ends the open clock of a key in this state.
    pub(super) fn end_clock(&mut self, key: ClockKey, at: Timestamp, state: ClockState) -> bool {
        let Some(clock) = self.clocks.iter_mut().rev().find(|clock| clock.key == key && clock.is_open()) else {
            return false;
        };
        // A held clock keeps the moment at which the reply was signed: the time of the check is nobody's delay.
        let stopped = match (clock.state, clock.stopped_at) {
            (ClockState::Held, Some(held)) => held,
            _ => at,
        };
        clock.state = state;
        clock.stopped_at = Some(stopped);
        clock.missed = clock.due_at.is_some_and(|due| stopped > due);
        clock.missed
    }

    /// Stops the clock of one task.
    pub(super) fn stop_task_clock(&mut self, task: TaskId, at: Timestamp, state: ClockState) {
        for clock in self.clocks.iter_mut().filter(|clock| clock.task == Some(task) && clock.is_open()) {
            clock.state = state;
            clock.stopped_at = Some(at);
            clock.missed = clock.due_at.is_some_and(|due| at > due);
        }
    }

    /// Ends every clock that is still open: the case ended on another road.
    pub(super) fn cancel_clocks(&mut self, at: Timestamp) {
        for clock in self.clocks.iter_mut().filter(|clock| clock.is_open()) {
            clock.state = ClockState::Cancelled;
            clock.stopped_at = clock.stopped_at.or(Some(at));
        }
    }

    /// Lets the held policy clock run on with its original due date (DOMAIN 2.3 rule 3).
    pub(super) fn resume_policy_clock(&mut self) {
        if let Some(clock) = self.clocks.iter_mut().rev().find(|clock| clock.key == ClockKey::K5)
            && clock.state == ClockState::Held
        {
            clock.state = ClockState::Running;
            clock.missed = false;
        }
    }

    /// The reply that was to put things right does not hold: the rectification goes on with its due date.
    pub(super) fn resume_rectification(&mut self) {
        if let Some(clock) = self.clocks.iter_mut().rev().find(|clock| clock.key == ClockKey::K9)
            && clock.state == ClockState::Held
        {
            clock.state = ClockState::Running;
            clock.stopped_at = None;
            clock.missed = false;
        }
    }

    /// The recheck did not bear out the enterprise: the clock stands where the reply had stopped it.
    pub(super) fn restore_policy_stop(&mut self) {
        if let Some(clock) = self.clocks.iter_mut().rev().find(|clock| clock.key == ClockKey::K5)
            && clock.state == ClockState::Running
            && clock.stopped_at.is_some()
        {
            clock.state = ClockState::Held;
            clock.missed = clock.due_at.zip(clock.stopped_at).is_some_and(|(due, at)| at > due);
        }
    }

    /// Computes the policy clock's due date anew from its original start.
    pub(super) fn recompute_policy_clock(&mut self, env: &CaseEnv<'_>) -> Result<Option<Timestamp>, TransitionError> {
        let pauses = self.sla_pauses();
        let paused_from = self.open_pause().map(|pause| pause.from);
        let Some(clock) = self.clocks.iter_mut().rev().find(|clock| clock.key == ClockKey::K5 && clock.is_open())
        else {
            return Ok(None);
        };
        let due = clock.compute(env.schedule, &pauses)?;
        (clock.due_at, clock.provisional) = (due.due, due.provisional);
        // A pause that begins after the due moment changes nothing: the clock stays overdue.
        let paused = paused_from.is_some_and(|from| due.due.is_none_or(|due| due > from));
        clock.state = match (clock.state, paused) {
            (ClockState::Running | ClockState::Paused, true) => ClockState::Paused,
            (ClockState::Paused, false) => ClockState::Running,
            (state, _) => state,
        };
        Ok(due.due)
    }

    /// The policy this case comes under, and why; keeps the version on the case.
    pub(super) fn choose_policy<'b>(&mut self, env: &CaseEnv<'b>) -> Option<&'b Profile> {
        // What a case comes under is decided by the day of its acceptance, also when its type changes later.
        let day = env.schedule.civil(self.accepted_at.unwrap_or(env.now)).date();
        let facts = PolicyFacts {
            case_type: self.case_type,
            topic: self.topic.as_deref(),
            channel: self.channel,
            region: (!self.region.is_empty()).then_some(self.region.as_str()),
            row_profile: self.proposal.profile.as_deref().filter(|_| self.topic == self.proposal.topic),
            on: day,
        };
        let selection = env.book.select(&facts, env.default_policy)?;
        // The same policy stays in the version that the case has had so far.
        let same = selection.profile.name == self.requirements.profile;
        let kept = if same { env.policy_of(self) } else { None };
        let profile = kept.unwrap_or(selection.profile);
        let (submitter_confirm, centre_verify) = profile.close_requires(self.case_type);
        let requirements = &mut self.requirements;
        requirements.profile.clone_from(&profile.name);
        requirements.version.clone_from(&profile.version);
        requirements.reason = selection.reason;
        requirements.starts_on_delivery = profile.start == "delivered_to_unit";
        requirements.sign_off = profile.sign_off.required;
        requirements.submitter_confirm = submitter_confirm;
        requirements.centre_verify = centre_verify;
        requirements.extension = profile.extension.allowed;
        requirements.extension_by = profile.extension.approver;
        // What is sealed goes past nobody but discipline.
        let chain = if self.sealed { 0 } else { profile.chain.len() };
        requirements.chain = u8::try_from(chain).unwrap_or(u8::MAX);
        Some(profile)
    }

    /// How long the answer may take under a policy.
    pub(super) fn answer_limit(&self, profile: &Profile, start: Timestamp, env: &CaseEnv<'_>) -> AnswerLimit {
        let facts = AnswerFacts {
            case_type: self.case_type,
            complexity: self.complexity,
            urgency: self.urgency,
            multi_unit: !self.assists.is_empty() || !self.proposed_assists.is_empty(),
            topic: self.topic.as_deref(),
        };
        let within = profile.answer(&facts).map_or(Within::Statutory, |answer| answer.within);
        AnswerLimit { limit: Limit::from_within(within, start, env.schedule), words: within.in_words() }
    }

    /// Gives a part of a split case the time of the whole: accepted when it was, its policy clock begun when that began,
    /// with the pauses there were, and due no later (invariant 3).
    ///
    /// # Errors
    /// `Clock` when the calendar cannot answer.
    pub fn take_time_from(&mut self, whole: &Self, env: &CaseEnv<'_>) -> Result<(), TransitionError> {
        self.accepted_at = whole.accepted_at;
        let Some(clock) = whole.clock(ClockKey::K5).filter(|clock| clock.is_open()) else { return Ok(()) };
        self.pauses.clone_from(&whole.pauses);
        for pause in self.pauses.iter_mut().filter(|pause| pause.ended_at.is_none()) {
            pause.ended_at = Some(env.now);
        }
        let pauses = self.sla_pauses();
        let latest = clock.compute(env.schedule, &pauses)?.due;
        // Which policy the part comes under is decided with its acceptance; here only how long it gives.
        let mut probe = self.clone();
        let limit = probe.choose_policy(env).map(|profile| self.answer_limit(profile, clock.started_at, env).limit);
        let mut own = CaseClock {
            turn: 1,
            owner: "centre".to_owned(),
            limit: limit.unwrap_or(clock.limit),
            state: ClockState::Running,
            stopped_at: None,
            missed: false,
            ..clock.clone()
        };
        let due = own.compute(env.schedule, &pauses)?;
        (own.due_at, own.provisional) = (due.due, due.provisional);
        if let Some(latest) = latest
            && own.due_at.is_none_or(|due| due > latest)
        {
            own.limit = Limit::Until(latest);
            (own.due_at, own.provisional) = (Some(latest), clock.provisional);
        }
        self.clocks.push(own);
        Ok(())
    }

    /// Starts the policy clock unless it runs already: a second dispatch or a return never starts it again.
    pub(super) fn start_policy_clock(&mut self, env: &CaseEnv<'_>) -> Result<(), TransitionError> {
        let open = self.clocks.iter().any(|clock| clock.key == ClockKey::K5 && clock.is_open());
        if open {
            return Ok(());
        }
        let profile = env.policy_of(self);
        let limit = profile.map_or(Limit::Open, |profile| self.answer_limit(profile, env.now, env).limit);
        let owner = self.lead_unit.clone().unwrap_or_else(|| "centre".to_owned());
        self.start_clock(ClockKey::K5, &owner, limit, None, env)?;
        Ok(())
    }
}

/// A moment at which a timer has something to do for a case without anybody acting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedAction {
    /// What the timer will do.
    pub action: super::action::CaseAction,
    /// When.
    pub at: Timestamp,
}

/// When a unit that does not sign in has signed in all the same (T16): the second limit of K3.
pub(super) fn deemed_at(case: &Case, env: &CaseEnv<'_>) -> Result<Timestamp, TransitionError> {
    let delivered = case.delivered_at.unwrap_or(case.entered_at);
    let due = hard_limit(ClockKey::K3, 1, env).due(env.schedule, delivered);
    let due = due.map_err(|error| TransitionError::Clock { key: ClockKey::K3, detail: error.to_string() })?;
    due.due.ok_or(TransitionError::Clock { key: ClockKey::K3, detail: "no due date".to_owned() })
}

/// When a closed case is archived (T42): the thirty days in which the enterprise may have it taken up again are over,
/// counted anew from a bad rating that came after the closing.
pub(super) fn archive_at(case: &Case, schedule: &Schedule) -> Option<Timestamp> {
    let closed = case.closings.last()?.at;
    let disputed = case.ratings.iter().filter(|rating| rating.is_bad()).map(|rating| rating.at).max();
    let from = disputed.map_or(closed, |at| at.max(closed));
    let day = schedule.civil(from).date().checked_add(Span::new().days(REOPEN_DAYS + 1)).ok()?;
    schedule.zone().to_timestamp(day.at(0, 0, 0, 0)).ok()
}

/// The timed actions of a case as it stands: a pure function of the case, so that a restart computes the same.
///
/// # Errors
/// `Clock` when the calendar cannot answer.
pub fn timed_actions(case: &Case, env: &CaseEnv<'_>) -> Result<Vec<TimedAction>, TransitionError> {
    use super::action::CaseAction as A;
    use CaseStatus as S;
    let mut timers = Vec::new();
    let mut add = |action, at: Timestamp| timers.push(TimedAction { action, at });
    match case.status {
        S::NeedInfo => {
            if let Some(at) = silence_counts_from(case, env) {
                add(A::LapseInfo, at);
            }
        }
        S::AnsweredOnSpot => add(A::ConfirmSilently, env.after_workdays(ClockKey::K8, case.entered_at, 2)?),
        S::Dispatched => {
            add(A::DeemSigned, deemed_at(case, env)?);
        }
        S::Replied if !case.requirements.centre_verify => add(A::ReleaseReply, case.entered_at),
        S::AwaitingConfirm => {
            // Without a call the centre is told once; what goes on then begins with the call.
            let waits = lacks_call(case, env) && case.prompts.pressed;
            if let Some(at) = silence_counts_from(case, env).filter(|_| !waits) {
                add(A::ConfirmSilently, at);
            }
        }
        S::PlanTracking => {
            let next = case
                .tasks
                .iter()
                .filter(|task| task.kind == super::TaskKind::Milestone && task.state == super::TaskState::Open)
                .filter_map(|task| task.due_at)
                .min();
            if let Some(at) = next {
                add(A::ReportMilestone, at);
            }
        }
        S::Closed => {
            if let Some(at) = archive_at(case, env.schedule) {
                add(A::Archive, at);
            }
        }
        S::Draft
        | S::Submitted
        | S::NotAccepted
        | S::Accepted
        | S::OwnershipPending
        | S::PreApproval
        | S::ReturnPending
        | S::Signed
        | S::Processing
        | S::SignOffPending
        | S::Replied
        | S::Recheck
        | S::Rectifying
        | S::ClosingReview
        | S::Archived
        | S::Withdrawn
        | S::Merged
        | S::Transferred => {}
    }
    if case.status.is_open() {
        if let Some(until) = case.open_pause().and_then(|pause| pause.until) {
            add(A::Resume, until);
        }
        let asked = case.clock(ClockKey::K11).filter(|clock| clock.is_open()).and_then(|clock| clock.due_at);
        if let (Some(_), Some(at)) = (&case.overlay.extension, asked) {
            add(A::RefuseExtension, at);
        }
    }
    Ok(timers)
}
