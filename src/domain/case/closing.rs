//! After the signature: release, confirmation, rating, recheck, plan, close-out, reopening (T28–T42).

use super::apply::{Guard, Step, need, need_some};
use crate::domain::{
    access::Role,
    case::{
        action::Party,
        clocks::archive_at,
        event::EventKind,
        handling::unsafe_content,
        input::{MilestoneInput, ReplyRefusal},
        model::{
            CaseTask, ClockKey, ClockState, Closing, Confirmation, FailedContacts, Limit, Prompts, Rating, Recipient,
            TaskKind, TaskState, TransitionError,
        },
        reminders::{hard_limit, lacks_call, silence_counts_from},
        status::{CaseStatus, Conclusion},
    },
    sla::{Budget, Within},
};

/// The layers that may have solved a case (象政办发〔2025〕1号 四(二)).
pub const LAYERS: &[(&str, &str)] = &[
    ("unit", "主办单位"),
    ("board", "板块"),
    ("centre", "中心"),
    ("county_leader", "县分管领导"),
    ("county", "县委县政府"),
];

/// The five grades of 好差评, best first.
pub const GRADES: [(u8, &str); 5] = [(5, "非常满意"), (4, "满意"), (3, "基本满意"), (2, "不满意"), (1, "非常不满意")];

impl Step<'_> {
    pub(super) fn release_reply(&mut self, note: Option<&str>) -> Guard {
        self.go(CaseStatus::AwaitingConfirm)?;
        let (now, env) = (self.now(), self.env);
        self.case.verified_by = self.actor.officer_id();
        self.case.stop_clock(ClockKey::K7, now);
        self.start_confirm_window()?;
        let (text, signer) = match self.case.signature.as_mut() {
            Some(signature) => {
                signature.released_at = Some(now);
                (signature.text.clone(), format!("{}，{}", signature.signer_name, env.in_words(signature.at)))
            }
            None => return Err(TransitionError::CloseNeeds(vec!["审签的答复"])),
        };
        self.record(
            EventKind::ReplyReleased,
            &[("text", &text, true), ("signer", &signer, true), ("note", note.unwrap_or_default(), false)],
        );
        self.tell_enterprise("reply_released");
        self.ask_to_confirm();
        Ok(())
    }

    /// The answer is there: the enterprise is asked whether it helps, and told until when.
    pub(super) fn ask_to_confirm(&mut self) {
        let due = self.case.clock(ClockKey::K8).and_then(|clock| clock.due_at);
        let until = due.map_or_else(String::new, |due| format!("在{}前", self.words(Some(due))));
        let number = self.case.display_number();
        let text =
            format!("【{number}】请您{until}确认问题是否解决：回复“已解决”或“没有解决”，也可以直接评价“满意”“不满意”");
        self.tell(super::model::Recipient::Enterprise, "please_confirm", text);
    }

    fn start_confirm_window(&mut self) -> Guard {
        let env = self.env;
        self.case.prompts = Prompts::default();
        let after = env.policy_of(&self.case).map(|profile| profile.silent_confirm.after);
        let within = after
            .or_else(|| env.book.default_within(ClockKey::K8.as_str()))
            .filter(|within| within.budget().is_some())
            .unwrap_or(Within::Budget(Budget::working_days(5)));
        self.case.start_clock(ClockKey::K8, "centre", Limit::from_within(within, env.now, env.schedule), None, env)?;
        Ok(())
    }

    pub(super) fn refuse_reply(&mut self, reason: ReplyRefusal, comment: &str) -> Guard {
        let comment = need("comment", comment)?.to_owned();
        self.go(CaseStatus::Processing)?;
        let now = self.now();
        self.case.stop_clock(ClockKey::K7, now);
        self.case.end_clock(ClockKey::K8, now, ClockState::Cancelled);
        // The original due date: a reply of the last minute that does not hold is a late one.
        self.case.resume_policy_clock();
        self.case.resume_rectification();
        if let Some(clock) = self.case.clocks.iter_mut().rev().find(|clock| clock.key == ClockKey::K5) {
            clock.stopped_at = None;
        }
        self.case.signature = None;
        self.case.conclusion = None;
        self.case.verified_by = None;
        self.case.confirmation = None;
        self.end_plan();
        self.record(EventKind::ReplyRefused, &[("reason", reason.label(), true), ("comment", &comment, false)]);
        self.tell_enterprise("reply_refused");
        self.tell_unit("reply_refused", &format!("答复被退回（{}）：{comment}", reason.label()));
        Ok(())
    }

    pub(super) fn confirm(&mut self, solved: bool, words: Option<&str>, call_record: Option<&str>) -> Guard {
        let by_phone = self.is(Party::Verifier);
        let now = self.now();
        let confirmation = if by_phone {
            Confirmation::ByPhone(now, need_some("call_record", call_record)?.to_owned())
        } else {
            Confirmation::ByEnterprise(now)
        };
        if !solved {
            if self.case.status == CaseStatus::AnsweredOnSpot {
                return self.back_to_handling(words);
            }
            return self.open_recheck("未解决", words, false);
        }
        self.agree(confirmation)?;
        let record = call_record.unwrap_or_default();
        self.record(
            EventKind::Confirmed,
            &[("words", words.unwrap_or_default(), false), ("call_record", record, false)],
        );
        self.tell_unit("solution_confirmed", "企业已确认解决");
        if self.case.status == CaseStatus::ClosingReview {
            self.tell_enterprise("solution_confirmed");
        }
        self.finish_agreement();
        Ok(())
    }

    /// The enterprise agrees: on to the centre's check, or closed at once where nothing else is asked for.
    fn agree(&mut self, confirmation: Confirmation) -> Guard {
        let now = self.now();
        if self.case.status == CaseStatus::AnsweredOnSpot {
            return self.close_on_spot(false);
        }
        if self.case.status == CaseStatus::ClosingReview {
            self.case.confirmation = Some(confirmation);
            return self.go(CaseStatus::ClosingReview);
        }
        self.case.stop_clock(ClockKey::K8, now);
        self.case.confirmation = Some(confirmation);
        self.end_plan();
        let checked = self.case.verified_by.is_some() || !self.case.requirements.centre_verify;
        let promised = self.env.open_promises > 0;
        let open = promised || self.case.tasks.iter().any(|task| task.state == TaskState::Open);
        if checked && !open {
            self.go(CaseStatus::Closed)?;
            let layer = "unit";
            self.close_now(layer);
        } else {
            self.go(CaseStatus::ClosingReview)?;
            if !self.case.clocks.iter().any(|c| c.key == ClockKey::K7 && c.state == ClockState::Running) {
                self.case.start_stack_clock(ClockKey::K7, "centre", Budget::working_days(2), self.env)?;
            }
            if promised {
                self.tell_centre("close_requested", "企业已确认解决，还有承诺没有了结，请了结后销号");
            }
        }
        Ok(())
    }

    /// The plan ends before its milestones are reached: the matter is solved, or the reply it belongs to does not hold.
    fn end_plan(&mut self) {
        let now = self.now();
        let case = &mut self.case;
        for task in case.tasks.iter_mut().filter(|t| t.kind == TaskKind::Milestone && t.state == TaskState::Open) {
            task.state = TaskState::Cancelled;
            task.ended_at = Some(now);
        }
        while case.clocks.iter().any(|clock| clock.key == ClockKey::K13 && clock.is_open()) {
            case.end_clock(ClockKey::K13, now, ClockState::Cancelled);
        }
    }

    /// Says that the case is closed, when the agreement closed it.
    fn finish_agreement(&mut self) {
        if self.case.status == CaseStatus::Closed {
            self.record_closed(None);
        }
    }

    pub(super) fn rate(&mut self, grade: u8, solved: Option<bool>, reason: Option<&str>, words: Option<&str>) -> Guard {
        let Some((_, label)) = GRADES.iter().find(|(value, _)| *value == grade) else {
            return Err(TransitionError::Field { field: "grade", message: "评价须为1至5" });
        };
        let now = self.now();
        let rating = Rating {
            grade,
            solved: solved.unwrap_or(grade >= 3),
            reason: reason.map(str::to_owned),
            words: words.map(str::to_owned),
            at: now,
            round: self.case.round,
        };
        let (bad, solved) = (rating.is_bad(), rating.solved);
        self.case.ratings.push(rating);
        let status = self.case.status;
        let on_spot = status == CaseStatus::AnsweredOnSpot;
        let waits = on_spot || matches!(status, CaseStatus::AwaitingConfirm | CaseStatus::ClosingReview);
        // Every bad rating is checked, also one that comes after the closing, where there is a unit that answered.
        let late = status == CaseStatus::Closed && self.case.lead_unit.is_some();
        if bad && on_spot {
            self.back_to_handling(words)?;
            self.record_rating(label, reason, words);
            self.escalate_bad_rerating();
        } else if bad && (waits || late) {
            self.open_recheck(reason.unwrap_or("不满意"), words, solved)?;
            self.record_rating(label, reason, words);
            self.escalate_bad_rerating();
        } else if waits {
            self.agree(Confirmation::ByEnterprise(now))?;
            self.record_rating(label, reason, words);
            self.finish_agreement();
        } else {
            self.go(status)?;
            self.record_rating(label, reason, words);
            if bad {
                self.tell_centre("bad_rating", "办结后收到差评，请回访");
            }
        }
        Ok(())
    }

    fn record_rating(&mut self, label: &str, reason: Option<&str>, words: Option<&str>) {
        self.record(
            EventKind::Rated,
            &[
                ("grade", label, true),
                ("reason", reason.unwrap_or_default(), false),
                ("words", words.unwrap_or_default(), false),
            ],
        );
    }

    /// T31: the enterprise says that it is not solved, or rates it badly. Only what is not solved lets the policy clock
    /// run on with its original due date (DOMAIN 2.3, rule 3): bad manners make no reply late.
    fn open_recheck(&mut self, reason: &str, words: Option<&str>, solved: bool) -> Guard {
        self.go(CaseStatus::Recheck)?;
        let (now, env) = (self.now(), self.env);
        self.case.stop_clock(ClockKey::K8, now);
        self.case.end_clock(ClockKey::K7, now, ClockState::Cancelled);
        self.case.stop_clock(ClockKey::K9, now);
        self.case.confirmation = None;
        if !solved {
            self.case.resume_policy_clock();
        }
        // The recheck is the second limit of K9.
        let limit = Limit::from_within(hard_limit(ClockKey::K9, 3, env), now, env.schedule);
        let due = self.case.start_clock(ClockKey::K9, "supervision", limit, None, env)?;
        let due = self.words(due);
        self.tell_centre("recheck_opened", &format!("企业反映“{reason}”，请在{due}前复核"));
        let number = self.case.display_number();
        self.tell(
            super::model::Recipient::Enterprise,
            "recheck_opened",
            format!("【{number}】已收到您的意见，将在{due}前复核并告知结果"),
        );
        if self.action() == super::action::CaseAction::Confirm {
            self.record(
                EventKind::Rated,
                &[("grade", "未解决", true), ("reason", reason, false), ("words", words.unwrap_or_default(), false)],
            );
        }
        Ok(())
    }

    pub(super) fn confirm_silently(&mut self) -> Guard {
        let now = self.now();
        if self.case.status == CaseStatus::AnsweredOnSpot {
            let due = self.env.after_workdays(ClockKey::K8, self.case.entered_at, 2)?;
            self.not_before(due)?;
            self.close_on_spot(true)?;
            let moment = self.moment(due);
            self.record(EventKind::ConfirmedSilently, &[("moment", &moment, false)]);
            self.record_closed(None);
            return Ok(());
        }
        let due = silence_counts_from(&self.case, self.env).ok_or(TransitionError::CloseNeeds(vec!["两次提醒"]))?;
        self.not_before(due)?;
        let moment = self.moment(due);
        if lacks_call(&self.case, self.env) {
            return self.press_for_call(&moment);
        }
        if self.case.tasks.iter().any(|task| task.kind == TaskKind::Milestone && task.state == TaskState::Open) {
            // Silence about one milestone is no word about the whole: the accepted plan goes on.
            self.go(CaseStatus::PlanTracking)?;
            self.case.stop_clock(ClockKey::K8, due);
            self.record(EventKind::ConfirmedSilently, &[("moment", &moment, false)]);
            self.tell_enterprise("confirmed_silently");
            return Ok(());
        }
        self.go(CaseStatus::ClosingReview)?;
        self.case.stop_clock(ClockKey::K8, due);
        self.case.confirmation = Some(Confirmation::Silent(now));
        self.case.start_stack_clock(ClockKey::K7, "centre", Budget::working_days(2), self.env)?;
        self.record(EventKind::ConfirmedSilently, &[("moment", &moment, false)]);
        self.tell_enterprise("confirmed_silently");
        self.tell_centre("confirmed_silently", "企业逾期未确认，请电话回访后核实销号");
        Ok(())
    }

    /// T32: nobody tried to call, so the silence says nothing yet. The centre is told so once.
    fn press_for_call(&mut self, moment: &str) -> Guard {
        self.go(CaseStatus::AwaitingConfirm)?;
        self.case.prompts.pressed = true;
        self.record(EventKind::CallAsked, &[("moment", moment, false)]);
        let text = format!(
            "【{}】确认期已满，企业没有确认；须先电话回访并记录，才能按逾期未确认办结",
            self.case.display_number()
        );
        self.tell(Recipient::Roles(&[Role::Verifier]), "call_asked", text);
        Ok(())
    }

    pub(super) fn accept_plan(&mut self, milestones: &[MilestoneInput]) -> Guard {
        // Nothing new: the plan goes on with the milestones that are open.
        let goes_on = self.case.tasks.iter().any(|t| t.kind == TaskKind::Milestone && t.state == TaskState::Open);
        if (milestones.is_empty() && !goes_on) || milestones.len() > 20 {
            return Err(TransitionError::Field { field: "milestones", message: "请列出1至20个节点" });
        }
        let (now, env) = (self.now(), self.env);
        let mut planned = Vec::with_capacity(milestones.len());
        for (milestone, id) in milestones.iter().zip(env.task_ids) {
            let text = need("milestones", &milestone.text)?;
            let due = env.end_of(milestone.due_on).filter(|due| *due > now);
            let due =
                due.ok_or(TransitionError::Field { field: "milestones", message: "节点日期须晚于今天" })?;
            planned.push((*id, text.to_owned(), due));
        }
        self.go(CaseStatus::PlanTracking)?;
        self.case.stop_clock(ClockKey::K8, now);
        let unit = self.case.lead_unit.clone().unwrap_or_default();
        let mut lines = Vec::new();
        for (id, text, due) in planned {
            self.case.start_clock(ClockKey::K13, &unit, Limit::Until(due), Some(id), env)?;
            lines.push(format!("{}：{text}", crate::domain::sla::chinese_date(env.schedule.civil(due).date())));
            self.case.tasks.push(CaseTask {
                id,
                kind: TaskKind::Milestone,
                unit: unit.clone(),
                text,
                created_at: now,
                due_at: Some(due),
                state: TaskState::Open,
                answer: None,
                ended_at: None,
                late: false,
            });
        }
        let plan = if lines.is_empty() { "继续推进未完成的节点".to_owned() } else { lines.join("；") };
        self.record(EventKind::PlanAccepted, &[("plan", &plan, true)]);
        self.tell_unit("plan_accepted", "企业已接受方案，请按节点推进并报告");
        Ok(())
    }

    pub(super) fn report_milestone(&mut self, reached: bool, text: &str) -> Guard {
        let text = need("text", text)?.to_owned();
        let now = self.now();
        let timer = self.is(Party::Timer);
        let next = self
            .case
            .tasks
            .iter_mut()
            .filter(|task| task.kind == TaskKind::Milestone && task.state == TaskState::Open)
            .min_by_key(|task| task.due_at)
            .ok_or(TransitionError::NoSuchTask)?;
        if let (true, Some(due)) = (timer, next.due_at)
            && now < due
        {
            return Err(TransitionError::TooEarly { at: due });
        }
        next.state = if reached { TaskState::Done } else { TaskState::Missed };
        next.answer = Some(text.clone());
        next.ended_at = Some(now);
        next.late = !reached || next.due_at.is_some_and(|due| now > due);
        let (id, due) = (next.id, next.due_at.unwrap_or(now));
        self.go(CaseStatus::AwaitingConfirm)?;
        self.case.stop_task_clock(id, now, ClockState::Stopped);
        self.start_confirm_window()?;
        let moment = self.moment(due);
        self.record(
            EventKind::MilestoneReported,
            &[
                ("text", &text, true),
                ("reached", if reached { "已达成" } else { "未达成" }, true),
                ("moment", &moment, false),
            ],
        );
        self.tell_enterprise("milestone_reported");
        self.ask_to_confirm();
        Ok(())
    }

    pub(super) fn uphold_rating(&mut self, facts: &str, rectify: &str) -> Guard {
        let facts = need("facts", facts)?.to_owned();
        let rectify = need("rectify", rectify)?.to_owned();
        self.go(CaseStatus::Rectifying)?;
        let (now, env) = (self.now(), self.env);
        self.case.stop_clock(ClockKey::K9, now);
        let unit = self.case.lead_unit.clone().unwrap_or_default();
        let of_policy = env
            .policy_of(&self.case)
            .and_then(|p| p.limit("rectify", self.case.case_type, self.case.complexity))
            .map(|limit| limit.within);
        let within = of_policy
            .or_else(|| env.book.default_within(ClockKey::K9.as_str()))
            .filter(|within| within.budget().is_some())
            .unwrap_or(Within::Budget(Budget::working_days(5)));
        let limit = Limit::from_within(within, now, env.schedule);
        let due = self.case.start_clock(ClockKey::K9, &unit, limit, None, env)?;
        self.case.signature = None;
        self.case.conclusion = None;
        self.case.verified_by = None;
        self.end_plan();
        let due = self.words(due);
        self.record(
            EventKind::RatingUpheld,
            &[("facts", &facts, false), ("rectify", &rectify, false), ("due", &due, true)],
        );
        self.tell_enterprise("rating_upheld");
        self.tell_unit("rating_upheld", &format!("整改单：{rectify}（{due}前）"));
        Ok(())
    }

    pub(super) fn dismiss_rating(&mut self, finding: &str, explanation: &str, evidence: &str) -> Guard {
        let finding = need("finding", finding)?.to_owned();
        let explanation = need("explanation", explanation)?.to_owned();
        let evidence = need("evidence", evidence)?.to_owned();
        self.go(CaseStatus::ClosingReview)?;
        let (now, env) = (self.now(), self.env);
        self.case.stop_clock(ClockKey::K9, now);
        self.case.restore_policy_stop();
        self.end_plan();
        self.case.confirmation = Some(Confirmation::Dismissed(now));
        self.case.start_stack_clock(ClockKey::K7, "centre", Budget::working_days(2), env)?;
        self.record(
            EventKind::RatingDismissed,
            &[("finding", &finding, false), ("explanation", &explanation, true), ("evidence", &evidence, false)],
        );
        self.tell_enterprise("rating_dismissed");
        Ok(())
    }

    pub(super) fn request_close(
        &mut self,
        conclusion: Conclusion,
        basis: Option<&str>,
        coordination_log: Option<&str>,
        explanation: Option<&str>,
        summary: &str,
    ) -> Guard {
        let summary = need("summary", summary)?.to_owned();
        if !conclusion.fits(self.case.case_type) {
            return Err(TransitionError::ConclusionMismatch(conclusion));
        }
        let (now, env) = (self.now(), self.env);
        if conclusion.needs_justification() {
            need_some("basis", basis)?;
            need_some("coordination_log", coordination_log)?;
            let told = format!("{}\n{}", need_some("basis", basis)?, need_some("explanation", explanation)?);
            if let Some(what) = unsafe_content(&told) {
                return Err(TransitionError::UnsafeText(what));
            }
        }
        let from = self.case.status;
        self.go(CaseStatus::ClosingReview)?;
        self.case.stop_clock(ClockKey::K8, now);
        // A rectification may have to go on; a recheck that was not waited for is over.
        let k9 = if from == CaseStatus::Recheck { ClockState::Cancelled } else { ClockState::Held };
        self.case.end_clock(ClockKey::K9, now, k9);
        self.case.end_clock(ClockKey::K5, now, ClockState::Held);
        self.case.conclusion = Some(conclusion);
        // The explanation goes to the enterprise with this step and stands for its word, unless it is being asked for
        // that very word, or has objected: the unit cannot cut that off.
        let explained = conclusion.needs_justification();
        if explained && from == CaseStatus::Processing {
            self.case.confirmation = Some(Confirmation::Explained(now));
        }
        self.case.start_stack_clock(ClockKey::K7, "centre", Budget::working_days(2), env)?;
        self.record(
            EventKind::CloseRequested,
            &[
                ("conclusion", conclusion.label(), explained),
                ("basis", basis.unwrap_or_default(), explained),
                ("coordination_log", coordination_log.unwrap_or_default(), false),
                ("explanation", explanation.unwrap_or_default(), explained),
                ("summary", &summary, false),
            ],
        );
        self.tell_enterprise("close_requested");
        self.tell_centre("close_requested", "有销号申请待核实");
        Ok(())
    }

    pub(super) fn approve_close(&mut self, resolved_layer: &str, note: Option<&str>) -> Guard {
        if !LAYERS.iter().any(|(slug, _)| *slug == resolved_layer) {
            return Err(TransitionError::Field { field: "resolved_layer", message: "请选定解决层级" });
        }
        self.go(CaseStatus::Closed)?;
        self.case.verified_by = self.actor.officer_id();
        self.close_now(resolved_layer);
        self.record_closed(note);
        Ok(())
    }

    fn close_now(&mut self, layer: &str) {
        let now = self.now();
        let case = &mut self.case;
        case.stop_clock(ClockKey::K7, now);
        case.end_clock(ClockKey::K5, now, ClockState::Stopped);
        case.end_clock(ClockKey::K9, now, ClockState::Stopped);
        case.cancel_clocks(now);
        let in_time = case.clock(ClockKey::K5).is_none_or(|clock| !clock.missed);
        case.overlay.supervised = None;
        case.closings.push(Closing {
            round: case.round,
            at: now,
            conclusion: case.conclusion.unwrap_or(Conclusion::Answered),
            resolved_layer: layer.to_owned(),
            silent: matches!(case.confirmation, Some(Confirmation::Silent(_))),
            in_time,
        });
    }

    fn record_closed(&mut self, note: Option<&str>) {
        let Some(closing) = self.case.closings.last().cloned() else { return };
        self.record(
            EventKind::Closed,
            &[
                ("conclusion", closing.conclusion.label(), true),
                ("resolved_layer", &closing.resolved_layer, false),
                ("silent", if closing.silent { "逾期未确认" } else { "" }, false),
                ("in_time", if closing.in_time { "按时" } else { "超期" }, false),
                ("note", note.unwrap_or_default(), false),
            ],
        );
        self.tell_enterprise("case_closed");
    }

    pub(super) fn refuse_close(&mut self, reason: &str) -> Guard {
        let reason = need("reason", reason)?.to_owned();
        self.go(CaseStatus::Processing)?;
        let now = self.now();
        self.case.stop_clock(ClockKey::K7, now);
        self.case.resume_policy_clock();
        self.case.resume_rectification();
        self.end_plan();
        self.case.conclusion = None;
        self.case.confirmation = None;
        self.record(EventKind::CloseRefused, &[("reason", &reason, false)]);
        self.tell_enterprise("close_refused");
        self.tell_unit("close_refused", &format!("销号未获同意：{reason}"));
        Ok(())
    }

    pub(super) fn reopen(&mut self, reason: &str) -> Guard {
        let reason = need("reason", reason)?.to_owned();
        let env = self.env;
        // What was answered on the spot never had a unit: it goes to the one who dispatches.
        let handled = self.case.lead_unit.is_some();
        self.go(if handled { CaseStatus::Processing } else { CaseStatus::Accepted })?;
        let case = &mut self.case;
        case.round += 1;
        case.signature = None;
        case.draft = None;
        case.confirmation = None;
        case.conclusion = None;
        case.verified_by = None;
        case.extensions = 0;
        case.failed_contacts = FailedContacts::default();
        // The rungs of the round before are done with.
        case.overlay.escalated = None;
        if handled {
            case.start_policy_clock(env)?;
        } else {
            self.take_up()?;
        }
        let number = self.case.display_number();
        self.record(EventKind::Reopened, &[("number", &number, true), ("reason", &reason, false)]);
        self.tell_enterprise("case_reopened");
        // What a confidential complainant writes may tell who it is.
        let text = if self.case.party.confidential {
            "企业要求重新办理".to_owned()
        } else {
            format!("要求重新办理：{reason}")
        };
        if handled {
            self.tell_unit("case_reopened", &text);
        } else {
            self.tell_centre("case_reopened", &text);
        }
        self.escalate_repeat(u32::from(self.case.round));
        Ok(())
    }

    pub(super) fn archive(&mut self, package: &str) -> Guard {
        if let Some(due) = archive_at(&self.case, self.env.schedule) {
            self.not_before(due)?;
        }
        let package = need("package", package)?.to_owned();
        self.go(CaseStatus::Archived)?;
        self.record(EventKind::Archived, &[("package", &package, false)]);
        Ok(())
    }
}
