//! The one entrance for changes: what stands against the action whatever is filled in ([`super::standing`]), then the
//! guard of the action, then the outcome.
//!
//! Guards live in the files of their phase: [`super::intake`], [`super::dispatching`], [`super::handling`],
//! [`super::closing`]. They cannot move a case to a state that the table does not name for this actor.

use jiff::Timestamp;

use crate::domain::case::{
    action::{Actor, CaseAction, Party},
    clocks::CaseEnv,
    event::{ActorStamp, CaseEvent, EventKind, Fact},
    input::{ActionInput, SplitPart},
    lifecycle::{self, To},
    model::{Case, ClockKey, ClockState, OutMessage, Outcome, Recipient, TransitionError},
    standing::refusal,
    status::CaseStatus,
};

/// A change in the making.
pub(super) struct Step<'a> {
    pub(super) case: Case,
    pub(super) env: &'a CaseEnv<'a>,
    pub(super) actor: &'a Actor,
    action: CaseAction,
    from: CaseStatus,
    events: Vec<CaseEvent>,
    messages: Vec<OutMessage>,
    parts: Vec<SplitPart>,
}

pub(super) type Guard = Result<(), TransitionError>;

/// Applies an action to a case. Nothing is changed but the copy that is returned.
///
/// # Errors
/// `NotAllowed` when the state does not know the action, `Forbidden` when the actor may not, else the guard's own
/// variant.
pub fn apply(case: &Case, actor: &Actor, input: &ActionInput, env: &CaseEnv<'_>) -> Result<Outcome, TransitionError> {
    let action = input.action();
    refusal(case, actor, action, env)?;
    // Time never goes backwards in the history of a case, even if the server's clock does (invariant 17).
    let env = &CaseEnv { now: env.now.max(case.changed_at), ..*env };
    let mut step = Step {
        case: case.clone(),
        env,
        actor,
        action,
        from: case.status,
        events: Vec::new(),
        messages: Vec::new(),
        parts: Vec::new(),
    };
    step.run(input)?;
    Ok(step.finish())
}

impl Step<'_> {
    fn run(&mut self, input: &ActionInput) -> Guard {
        use ActionInput as I;
        match input {
            I::Submit => self.submit(),
            I::Refuse { code, path } => self.refuse(*code, path),
            I::Object { text } => self.object(text),
            I::RequestInfo { items } => self.request_info(items),
            I::SupplyInfo { text } => self.supply_info(text),
            I::LapseInfo => self.lapse_info(),
            I::Accept { case_type, topic, urgency, complexity, duplicates_checked, repeat_of, repeats } => {
                let before = (self.case.case_type, self.case.topic.clone());
                self.case.case_type = *case_type;
                self.recuse();
                self.case.topic.clone_from(topic);
                self.case.urgency = *urgency;
                self.check_grade(*complexity)?;
                self.case.complexity = *complexity;
                self.case.overlay.repeat_of.clone_from(repeat_of);
                self.accept(&before, *duplicates_checked, *repeats)
            }
            I::AnswerOnSpot { text, source } => self.answer_on_spot(text, source),
            I::RequestHandling { words } => self.request_handling(words.as_deref()),
            I::MarkOwnershipPending { candidates, reason } => self.mark_ownership_pending(candidates, reason),
            I::RuleOwnership { lead, assists, ruling, basis, participants } => {
                self.rule_ownership(lead, assists, ruling, basis, participants)
            }
            I::Endorse { opinion, lead, assists } => self.endorse(opinion, lead.as_deref(), assists),
            I::Dispatch { lead, assists, complexity, note } => {
                self.dispatch(lead, assists, *complexity, note.as_deref())
            }
            I::SignIn { register_no, handler } => self.sign_in(register_no, handler.as_ref()),
            I::DeemSigned => self.deem_signed(),
            I::Assign { handler } => self.assign(handler),
            I::RequestReturn { reason, basis, proposed_unit } => self.request_return(*reason, basis, proposed_unit),
            I::GrantReturn { lead, assists, note } => self.grant_return(lead, assists, note.as_deref()),
            I::RefuseReturn { reason, refused_before } => self.refuse_return(reason, *refused_before),
            I::RecordContact { method, person, outcome, result, at } => {
                self.record_contact(*method, person, *outcome, result, *at)
            }
            I::RecordProgress { text, public } => self.record_progress(text, *public),
            I::AskAssist { unit, question, due_on } => self.ask_assist(unit, question, *due_on),
            I::AnswerAssist { task, text } => self.answer_assist(*task, text),
            I::WaiveAssist { task, reason } => self.waive_assist(*task, reason),
            I::Pause { reason, explanation, document, until_on } => {
                self.pause(*reason, explanation, document.as_deref(), *until_on)
            }
            I::Resume { note } => self.resume(note.as_deref()),
            I::RequestExtension { days, reason } => self.request_extension(*days, reason),
            I::GrantExtension { days } => self.grant_extension(*days),
            I::RefuseExtension { reason } => self.refuse_extension(reason),
            I::Regrade { case_type, topic, complexity, reason, basis, due_on } => {
                self.regrade(*case_type, topic.as_deref(), *complexity, reason, basis.as_deref(), *due_on)
            }
            I::DraftReply { text, conclusion, from_bot } => self.draft_reply(text, *conclusion, *from_bot),
            I::RejectDraft { comment } => self.reject_draft(comment),
            I::SignOff => self.sign_off(),
            I::ReleaseReply { note } => self.release_reply(note.as_deref()),
            I::RefuseReply { reason, comment } => self.refuse_reply(*reason, comment),
            I::Confirm { solved, words, call_record } => {
                self.confirm(*solved, words.as_deref(), call_record.as_deref())
            }
            I::Rate { grade, solved, reason, words } => self.rate(*grade, *solved, reason.as_deref(), words.as_deref()),
            I::ConfirmSilently => self.confirm_silently(),
            I::AcceptPlan { milestones } => self.accept_plan(milestones),
            I::ReportMilestone { reached, text } => self.report_milestone(*reached, text),
            I::UpholdRating { facts, rectify } => self.uphold_rating(facts, rectify),
            I::DismissRating { finding, explanation, evidence } => self.dismiss_rating(finding, explanation, evidence),
            I::RequestClose { conclusion, basis, coordination_log, explanation, summary } => self.request_close(
                *conclusion,
                basis.as_deref(),
                coordination_log.as_deref(),
                explanation.as_deref(),
                summary,
            ),
            I::ApproveClose { resolved_layer, note } => self.approve_close(resolved_layer, note.as_deref()),
            I::RefuseClose { reason } => self.refuse_close(reason),
            I::Reopen { reason } => self.reopen(reason),
            I::Archive { package } => self.archive(package),
            I::Withdraw { reason } => self.withdraw(reason),
            I::Merge { into, same_enterprise, same_matter, parent_open } => {
                self.merge(into, *same_enterprise, *same_matter, *parent_open)
            }
            I::Split { parts } => self.split(parts),
            I::TransferOut { to, receipt, reason, way } => self.transfer_out(to, receipt, reason, *way),
            I::Supervise { level, letter } => self.supervise(*level, letter),
            I::EndSupervision { result } => self.end_supervision(result),
            I::Escalate { rung, reason } => self.escalate(*rung, reason),
            I::Urge { words } => self.urge(words.as_deref()),
            I::AddInfo { text } => self.add_info(text),
        }
    }

    fn finish(mut self) -> Outcome {
        if self.case.status != self.from {
            self.case.entered_at = self.env.now;
        }
        if self.from == CaseStatus::Processing && self.case.status != self.from {
            self.drop_requests();
        }
        self.note_hand();
        self.case.changed_at = self.env.now;
        Outcome { case: self.case, events: self.events, messages: self.messages, parts: self.parts }
    }

    /// Keeps who did the unit's work on the case (invariant 8).
    fn note_hand(&mut self) {
        use CaseAction as A;
        let work = matches!(
            self.action,
            A::RecordContact
                | A::RecordProgress
                | A::AskAssist
                | A::AnswerAssist
                | A::WaiveAssist
                | A::Pause
                | A::RequestExtension
                | A::DraftReply
                | A::RejectDraft
                | A::SignOff
                | A::ReportMilestone
                | A::RequestClose
        );
        let of_unit = [Party::Handler, Party::UnitLeader, Party::Assisting].into_iter().any(|party| self.is(party));
        // The centre's own call to the enterprise is no work of the unit.
        if let Some(id) = self.actor.officer_id()
            && work
            && of_unit
            && self.from != CaseStatus::AwaitingConfirm
        {
            self.case.note_hand(id);
        }
    }

    /// What the unit had asked for while it handled the case: on leaving it nobody has to decide that any more.
    fn drop_requests(&mut self) {
        self.case.overlay.pause_asked = None;
        if self.case.overlay.extension.take().is_some() {
            let now = self.now();
            self.case.end_clock(ClockKey::K11, now, ClockState::Cancelled);
            self.record(EventKind::ExtensionWithdrawn, &[]);
            if self.case.status.is_open() {
                self.tell_enterprise("extension_withdrawn");
            }
        }
    }

    pub(super) const fn now(&self) -> Timestamp {
        self.env.now
    }

    pub(super) const fn action(&self) -> CaseAction {
        self.action
    }

    /// Moves the case, if the table has this row for this actor.
    pub(super) fn go(&mut self, to: CaseStatus) -> Guard {
        let target = if to == self.from { To::Stays } else { To::Is(to) };
        let mut parties: &'static [Party] = &[];
        for row in lifecycle::rows(self.from, self.action).filter(|row| row.to == target) {
            if row.who.iter().any(|party| lifecycle::holds(&self.case, self.actor, *party)) {
                self.case.status = to;
                return Ok(());
            }
            parties = row.who;
        }
        if parties.is_empty() {
            return Err(TransitionError::NotAllowed { status: self.from, action: self.action });
        }
        Err(TransitionError::Forbidden { status: self.from, action: self.action, parties })
    }

    /// Whether the actor acts as this party.
    pub(super) fn is(&self, party: Party) -> bool {
        lifecycle::holds(&self.case, self.actor, party)
    }

    /// Records what happened. The facts are `(key, value, public)`.
    pub(super) fn record(&mut self, kind: EventKind, facts: &[(&str, &str, bool)]) {
        self.case.last_seq += 1;
        self.events.push(CaseEvent {
            case: self.case.id,
            seq: self.case.last_seq,
            kind,
            actor: ActorStamp::from(self.actor),
            from: self.from,
            to: self.case.status,
            at: self.env.now,
            facts: facts
                .iter()
                .filter(|(_, value, _)| !value.is_empty())
                .map(|(key, value, public)| Fact {
                    key: (*key).to_owned(),
                    value: (*value).to_owned(),
                    public: *public,
                })
                .collect(),
        });
    }

    pub(super) fn tell(&mut self, to: Recipient, kind: &'static str, text: String) {
        self.messages.push(OutMessage { to, kind, text });
    }

    /// Tells the enterprise the public line of the event just recorded: page and message cannot drift apart.
    pub(super) fn tell_enterprise(&mut self, kind: &'static str) {
        let env = self.env;
        let line = self.events.last().and_then(|event| event.public_line(&|slug| env.name_of(slug)));
        if let Some(line) = line {
            let text = format!("【{}】{line}", self.case.display_number());
            self.tell(Recipient::Enterprise, kind, text);
        }
    }

    pub(super) fn tell_unit(&mut self, kind: &'static str, text: &str) {
        if let Some(unit) = self.case.lead_unit.clone() {
            let text = format!("【{}】{text}", self.case.display_number());
            self.tell(Recipient::Unit(unit), kind, text);
        }
    }

    pub(super) fn tell_centre(&mut self, kind: &'static str, text: &str) {
        let text = format!("【{}】{text}", self.case.display_number());
        self.tell(Recipient::Centre, kind, text);
    }

    pub(super) fn set_parts(&mut self, parts: &[SplitPart]) {
        self.parts = parts.to_vec();
    }

    /// The unit exists, is active and has no part in the matter.
    pub(super) fn check_unit(&self, field: &'static str, slug: &str) -> Guard {
        if (self.env.unit_name)(slug).is_none() {
            return Err(TransitionError::UnknownUnit { field, unit: slug.to_owned() });
        }
        if self.case.recused.iter().any(|recused| recused == slug) {
            return Err(TransitionError::Recused(slug.to_owned()));
        }
        Ok(())
    }

    /// A moment in words, or what is said when there is none.
    pub(super) fn words(&self, at: Option<Timestamp>) -> String {
        at.map_or_else(|| "法定时限".to_owned(), |at| self.env.in_words(at))
    }
}

/// A text that must not be empty.
pub(super) fn need<'t>(field: &'static str, text: &'t str) -> Result<&'t str, TransitionError> {
    let trimmed = text.trim();
    if trimmed.is_empty() { Err(TransitionError::Field { field, message: "不能为空" }) } else { Ok(trimmed) }
}

/// A text that must be there and not be empty.
pub(super) fn need_some<'t>(field: &'static str, text: Option<&'t str>) -> Result<&'t str, TransitionError> {
    need(field, text.unwrap_or_default())
}
