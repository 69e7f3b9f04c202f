//! In the unit: contact, progress, assistance, drafting and signing (T20–T27).

use jiff::{Timestamp, civil::Date};

use super::apply::{Guard, Step, need};
use crate::domain::{
    access::Role,
    case::{
        action::{Actor, Party},
        event::EventKind,
        input::{ContactMethod, ContactOutcome},
        model::{
            CaseTask, ClockKey, ClockState, Draft, Limit, Recipient, Signature, TaskKind, TaskState, TransitionError,
        },
        status::{CaseStatus, Conclusion},
    },
    ids::{OfficerId, TaskId},
    sla::{Budget, DueRequest, Warn},
};

impl Step<'_> {
    pub(super) fn record_contact(
        &mut self,
        method: ContactMethod,
        person: &str,
        outcome: ContactOutcome,
        result: &str,
        at: Option<Timestamp>,
    ) -> Guard {
        let person = need("person", person)?.to_owned();
        let result = need("result", result)?.to_owned();
        let now = self.now();
        if at.is_some_and(|at| at > now) {
            return Err(TransitionError::Field { field: "at", message: "联系时间不能晚于现在" });
        }
        if at.is_some_and(|at| at < self.case.submitted_at) {
            return Err(TransitionError::Field { field: "at", message: "联系时间不能早于诉求提交" });
        }
        if self.case.status == CaseStatus::AwaitingConfirm {
            return self.record_callback(method, &person, outcome, &result, at);
        }
        if self.case.handler.is_none() {
            // Who contacts first becomes the named person: no case is handled by nobody (D16).
            if let Actor::Officer(officer) = self.actor {
                self.case.handler = Some(officer.id);
                self.case.handler_name = Some(officer.name.clone());
            }
        }
        let from = self.case.status;
        let reached = outcome == ContactOutcome::Reached;
        if !reached {
            self.case.failed_contacts.add(at.unwrap_or(now), outcome == ContactOutcome::MessageLeft);
        }
        let counts = reached || self.case.failed_contacts.count();
        let to = if from == CaseStatus::Signed && counts { CaseStatus::Processing } else { from };
        self.go(to)?;
        if counts {
            self.case.stop_clock(ClockKey::K4, now);
        }
        let unit = self.case.lead_unit.clone().unwrap_or_default();
        let when = self.env.in_words(at.unwrap_or(now));
        let kind = if reached { EventKind::ContactMade } else { EventKind::ContactTried };
        self.record(
            kind,
            &[
                ("unit", &unit, true),
                ("method", method.label(), true),
                ("person", &person, false),
                ("contacted_at", &when, true),
                ("result", &result, false),
            ],
        );
        if reached && from == CaseStatus::Signed {
            self.tell_enterprise("contact_made");
        }
        Ok(())
    }

    /// K8: the centre calls the enterprise about the answer. What it says is a confirmation; that nobody answered is the
    /// try that silence needs (T32).
    fn record_callback(
        &mut self,
        method: ContactMethod,
        person: &str,
        outcome: ContactOutcome,
        result: &str,
        at: Option<Timestamp>,
    ) -> Guard {
        self.go(CaseStatus::AwaitingConfirm)?;
        if at.is_some_and(|at| at < self.case.entered_at) {
            return Err(TransitionError::Field { field: "at", message: "回访时间不能早于答复送达" });
        }
        // Who left no phone is asked in another way.
        let by_phone = method == ContactMethod::Phone || !self.case.has_phone();
        if by_phone {
            self.case.prompts.calls = self.case.prompts.calls.saturating_add(1);
            self.case.prompts.called_at = Some(self.now());
        }
        let when = self.env.in_words(at.unwrap_or(self.now()));
        let answered = match outcome {
            ContactOutcome::Reached => "已接通",
            ContactOutcome::MessageLeft => "未接通，已留言",
            ContactOutcome::Failed => "未接通",
        };
        self.record(
            EventKind::CalledBack,
            &[
                ("method", method.label(), false),
                ("person", person, false),
                ("contacted_at", &when, false),
                ("outcome", answered, false),
                ("result", result, false),
            ],
        );
        Ok(())
    }

    pub(super) fn record_progress(&mut self, text: &str, public: bool) -> Guard {
        let text = need("text", text)?.to_owned();
        let status = self.case.status;
        self.go(status)?;
        // An assisting unit never speaks to the enterprise (invariant 11).
        let public = public && self.is(Party::Handler);
        self.record(EventKind::Progressed, &[("text", &text, public)]);
        if public {
            self.tell_enterprise("case_progressed");
        }
        Ok(())
    }

    pub(super) fn ask_assist(&mut self, unit: &str, question: &str, due_on: Option<Date>) -> Guard {
        let unit = need("unit", unit)?.to_owned();
        let question = need("question", question)?.to_owned();
        self.check_unit("unit", &unit)?;
        if self.case.lead_unit.as_deref() == Some(unit.as_str()) {
            return Err(TransitionError::Field { field: "unit", message: "协办单位不能是主办单位" });
        }
        let id = *self.env.task_ids.first().ok_or(TransitionError::NoSuchTask)?;
        let status = self.case.status;
        self.go(status)?;
        let env = self.env;
        let due = match due_on.and_then(|day| env.end_of(day)) {
            Some(due) if due <= self.now() => {
                return Err(TransitionError::Field { field: "due_on", message: "协办期限不能早于现在" });
            }
            Some(due) if self.ends_before(due) => {
                return Err(TransitionError::Field {
                    field: "due_on", message: "协办期限不能晚于主办单位的答复时限"
                });
            }
            Some(due) => due,
            None => self.assist_due()?,
        };
        self.case.start_clock(ClockKey::K5a, &unit, Limit::Until(due), Some(id), env)?;
        if !self.case.assists.contains(&unit) {
            self.case.assists.push(unit.clone());
        }
        let due_words = env.in_words(due);
        self.record(
            EventKind::AssistAsked,
            &[("unit", &unit, true), ("question", &question, false), ("due", &due_words, false)],
        );
        let text = format!("【{}】请协办答复：{question}（{due_words}前）", self.case.display_number());
        self.tell(Recipient::Unit(unit.clone()), "assist_asked", text);
        self.case.tasks.push(CaseTask {
            id,
            kind: TaskKind::Assist,
            unit,
            text: question,
            created_at: self.now(),
            due_at: Some(due),
            state: TaskState::Open,
            answer: None,
            ended_at: None,
            late: false,
        });
        Ok(())
    }

    /// Whether the lead's own limit, while it is not over, ends before this moment.
    fn ends_before(&self, moment: Timestamp) -> bool {
        let due = self.case.clock(ClockKey::K5).and_then(|clock| clock.due_at);
        due.is_some_and(|due| due >= self.now() && moment > due)
    }

    /// K5a: two working days before the lead's own limit, but at least one working day.
    fn assist_due(&self) -> Result<Timestamp, TransitionError> {
        let env = self.env;
        let least = env.after_workdays(ClockKey::K5a, self.now(), 1)?;
        let Some(clock) = self.case.clock(ClockKey::K5) else { return Ok(least) };
        let Limit::Budget(budget) = clock.limit else { return Ok(least) };
        let pauses = self.case.sla_pauses();
        let mut request = DueRequest::new(clock.started_at, budget);
        request.pauses = &pauses;
        request.extension_days = clock.extension_days;
        let before = env.schedule.warning(&request, Warn::BeforeDays(2)).ok().flatten();
        let close = before.and_then(|at| env.end_of(env.schedule.civil(at).date()));
        Ok(close.map_or(least, |close| close.max(least)))
    }

    fn open_task(&mut self, task: TaskId) -> Result<&mut CaseTask, TransitionError> {
        self.case
            .tasks
            .iter_mut()
            .find(|candidate| {
                candidate.id == task && candidate.kind == TaskKind::Assist && candidate.state == TaskState::Open
            })
            .ok_or(TransitionError::NoSuchTask)
    }

    pub(super) fn answer_assist(&mut self, task: TaskId, text: &str) -> Guard {
        let text = need("text", text)?.to_owned();
        let actor = self.actor;
        let now = self.now();
        let status = self.case.status;
        self.go(status)?;
        let open = self.open_task(task)?;
        let theirs = matches!(actor, Actor::Officer(officer) if officer.is_of(&open.unit));
        if !theirs {
            return Err(TransitionError::NoSuchTask);
        }
        let unit = open.unit.clone();
        open.state = TaskState::Answered;
        open.answer = Some(text.clone());
        open.ended_at = Some(now);
        open.late = open.due_at.is_some_and(|due| now > due);
        let late = open.late;
        self.case.stop_task_clock(task, now, ClockState::Stopped);
        self.record(
            EventKind::AssistAnswered,
            &[("unit", &unit, false), ("text", &text, false), ("late", if late { "协办超时" } else { "" }, false)],
        );
        self.tell_unit("assist_answered", "协办单位已答复");
        Ok(())
    }

    pub(super) fn waive_assist(&mut self, task: TaskId, reason: &str) -> Guard {
        let reason = need("reason", reason)?.to_owned();
        let now = self.now();
        let status = self.case.status;
        self.go(status)?;
        let open = self.open_task(task)?;
        open.state = TaskState::Waived;
        open.ended_at = Some(now);
        // The lead goes on without it; whether the assisting unit was late stays on its own account.
        open.late = open.due_at.is_some_and(|due| now > due);
        let unit = open.unit.clone();
        self.case.stop_task_clock(task, now, ClockState::Cancelled);
        self.record(EventKind::AssistWaived, &[("unit", &unit, false), ("reason", &reason, false)]);
        Ok(())
    }

    pub(super) fn draft_reply(&mut self, text: &str, conclusion: Conclusion, from_bot: bool) -> Guard {
        let text = need("text", text)?.to_owned();
        if !conclusion.fits(self.case.case_type) {
            return Err(TransitionError::ConclusionMismatch(conclusion));
        }
        let author = self.actor.officer_id().ok_or(TransitionError::NoHandler)?;
        if !self.case.requirements.sign_off {
            return self.reply_unsigned(text, conclusion, author, from_bot);
        }
        self.go(CaseStatus::SignOffPending)?;
        let (now, env) = (self.now(), self.env);
        let owner = self.case.lead_unit.clone().unwrap_or_default();
        let within = self.case.clock(ClockKey::K5).and_then(|clock| clock.due_at).map_or(Limit::Open, Limit::Until);
        self.case.start_clock(ClockKey::K6, &owner, within, None, env)?;
        self.record(
            EventKind::ReplyDrafted,
            &[
                ("text", &text, false),
                ("conclusion", conclusion.label(), false),
                ("from_bot", if from_bot { "机器人草稿" } else { "" }, false),
            ],
        );
        self.case.draft = Some(Draft { text, conclusion, author, from_bot, at: now });
        self.tell_unit("reply_drafted", "有答复待审签");
        Ok(())
    }

    pub(super) fn reject_draft(&mut self, comment: &str) -> Guard {
        let comment = need("comment", comment)?.to_owned();
        self.go(CaseStatus::Processing)?;
        let now = self.now();
        self.case.stop_clock(ClockKey::K6, now);
        self.case.draft = None;
        self.record(EventKind::DraftRejected, &[("comment", &comment, false)]);
        self.tell_unit("draft_rejected", &format!("拟稿被退回：{comment}"));
        Ok(())
    }

    pub(super) fn sign_off(&mut self) -> Guard {
        let draft = self.case.draft.clone().ok_or(TransitionError::NoSuchTask)?;
        let Actor::Officer(officer) = self.actor else {
            return self.go(CaseStatus::Replied);
        };
        if let Some(what) = unsafe_content(&draft.text) {
            return Err(TransitionError::UnsafeText(what));
        }
        self.go(CaseStatus::Replied)?;
        let env = self.env;
        self.stop_for_reply()?;
        let lead = self.case.lead_unit.clone().unwrap_or_default();
        let as_deputy = !officer.has_in(Role::UnitLeader, &lead);
        let title = if as_deputy { "分管负责人（AB岗代签）" } else { "分管负责人" };
        let signer_name = format!("{}{title}", env.name_of(&lead));
        self.record(
            EventKind::ReplySigned,
            &[("signer", &signer_name, false), ("conclusion", draft.conclusion.label(), false)],
        );
        self.case.note_hand(officer.id);
        self.keep_reply(Signature {
            text: draft.text,
            conclusion: draft.conclusion,
            drafter: draft.author,
            signer: officer.id,
            signer_name,
            as_deputy,
            at: self.now(),
            released_at: None,
        });
        if self.case.requirements.centre_verify {
            self.tell_centre("reply_signed", "答复已审签，请核实后发送");
        }
        Ok(())
    }

    /// The policy asks for no signature (南平“半小时”): the handler answers for the reply, the rest is as after one.
    fn reply_unsigned(&mut self, text: String, conclusion: Conclusion, author: OfficerId, from_bot: bool) -> Guard {
        if let Some(what) = unsafe_content(&text) {
            return Err(TransitionError::UnsafeText(what));
        }
        self.go(CaseStatus::Replied)?;
        self.stop_for_reply()?;
        self.record(
            EventKind::ReplyDrafted,
            &[
                ("text", &text, false),
                ("conclusion", conclusion.label(), false),
                ("from_bot", if from_bot { "机器人草稿" } else { "" }, false),
                ("note", "该口径不要求审签", false),
            ],
        );
        self.case.note_hand(author);
        let lead = self.case.lead_unit.clone().unwrap_or_default();
        self.keep_reply(Signature {
            text,
            conclusion,
            drafter: author,
            signer: author,
            signer_name: format!("{}承办人", self.env.name_of(&lead)),
            as_deputy: false,
            at: self.now(),
            released_at: None,
        });
        if self.case.requirements.centre_verify {
            self.tell_centre("reply_signed", "答复已拟就（该口径不要求审签），请核实后发送");
        }
        Ok(())
    }

    /// A reply that may go out stops the clocks of the unit for now and starts the centre's check.
    fn stop_for_reply(&mut self) -> Guard {
        let (now, env) = (self.now(), self.env);
        self.case.stop_clock(ClockKey::K6, now);
        self.case.end_clock(ClockKey::K5, now, ClockState::Held);
        self.case.end_clock(ClockKey::K9, now, ClockState::Held);
        if self.case.requirements.centre_verify {
            self.case.start_stack_clock(ClockKey::K7, "centre", Budget::working_days(2), env)?;
        }
        Ok(())
    }

    fn keep_reply(&mut self, signature: Signature) {
        self.case.conclusion = Some(signature.conclusion);
        self.case.signature = Some(signature);
        self.case.draft = None;
    }
}

/// What must not leave in a reply: marks of secrecy and identity card numbers.
pub(super) fn unsafe_content(text: &str) -> Option<&'static str> {
    const MARKS: [&str; 6] = ["绝密★", "机密★", "秘密★", "绝密级", "机密级", "秘密级"];
    if MARKS.iter().any(|mark| text.contains(mark)) {
        return Some("密级标志");
    }
    let mut digits = 0;
    for c in text.chars() {
        match c {
            '0'..='9' => digits += 1,
            'x' | 'X' if digits == 17 => return Some("身份证号"),
            _ => digits = 0,
        }
        if digits == 18 {
            return Some("身份证号或长号码");
        }
    }
    None
}
