//! What happens beside the main state: pausing, extending, withdrawing, supervising, urging, adding (T23, T24, T43–T50).

use jiff::{Timestamp, civil::Date};

use super::apply::{Guard, Step, need, need_some};
use crate::domain::{
    access::Role,
    case::{
        action::{CaseAction, Party},
        event::EventKind,
        model::{ClockKey, ExtensionRequest, Limit, PauseReason, PauseRecord, Recipient, TransitionError},
        standing::longest_extension,
        status::{CaseStatus, Conclusion},
    },
    sla::{Approver, Budget, Within},
};

/// Shortest reason for an extension, in characters (DOMAIN 2.5).
const EXTENSION_REASON_CHARS: usize = 20;
/// The step of the ladder that is a 督办单 (DOMAIN 2.6).
const SUPERVISION_STEP: u8 = 4;
/// The longest pause for what the enterprise has to supply, in working days (DOMAIN 2.4).
const P1_WORKDAYS: u32 = 5;
/// Refused returns of a unit that are a 督办 (DOMAIN 2.6, step 4).
const REFUSED_RETURNS: u32 = 2;
/// The repeat of a matter that takes it to the next level (DOMAIN 2.6, step 5).
const REPEATS: u32 = 3;
/// Stock phrases that are no reason by themselves.
const STOCK_PHRASES: [&str; 8] =
    ["情况复杂", "情况比较复杂", "正在协调", "正在办理", "时间紧", "任务重", "人手不足", "需要时间"];

impl Step<'_> {
    pub(super) fn pause(
        &mut self,
        reason: PauseReason,
        explanation: &str,
        document: Option<&str>,
        until_on: Option<Date>,
    ) -> Guard {
        let status = self.case.status;
        self.go(status)?;
        let asked = self.case.overlay.pause_asked.clone();
        let (now, env) = (self.now(), self.env);
        let centre = self.is(Party::Dispatcher);
        let longest = match reason {
            PauseReason::P1 => {
                if self.case.pauses.iter().any(|pause| pause.reason == PauseReason::P1) {
                    return Err(TransitionError::OnlyOnce("待企业补充的暂停（须一次列全）"));
                }
                let longest = env.after_workdays(ClockKey::K5, now, P1_WORKDAYS)?;
                // The handler asks, the centre approves (DOMAIN 2.4).
                if !centre || asked.is_none() {
                    if !(self.is(Party::Handler) || self.is(Party::UnitLeader)) {
                        let message = "待企业补充须先由承办人提出，再由中心审核";
                        return Err(TransitionError::Field { field: "reason", message });
                    }
                    if until_on.and_then(|day| env.end_of(day)).is_some_and(|until| until > longest) {
                        return Err(TransitionError::Field {
                            field: "until_on", message: "超过该事由的最长期限"
                        });
                    }
                    let items = need("explanation", explanation)?.to_owned();
                    self.record(EventKind::PauseRequested, &[("items", &items, false)]);
                    self.case.overlay.pause_asked = Some(items);
                    self.tell_centre("pause_requested", "承办人申请暂停（待企业补充），请审核");
                    return Ok(());
                }
                Some(longest)
            }
            PauseReason::P2 => {
                if !self.is(Party::UnitLeader) {
                    return Err(TransitionError::Field {
                        field: "reason", message: "法定程序须由分管负责人提出"
                    });
                }
                need_some("document", document)?;
                if until_on.is_none() {
                    return Err(TransitionError::Field { field: "until_on", message: "请写明到哪一天" });
                }
                None
            }
            PauseReason::P3 => {
                let recorded = centre && document.is_some_and(|text| !text.trim().is_empty());
                if !(self.is(Party::Enterprise) || recorded) {
                    return Err(TransitionError::Field { field: "reason", message: "须有企业书面请求" });
                }
                Some(env.after_workdays(ClockKey::K5, now, 20)?)
            }
            PauseReason::P4 => {
                if !centre {
                    return Err(TransitionError::Field { field: "reason", message: "不可抗力须由中心确认" });
                }
                None
            }
        };
        let over = self.case.clock(ClockKey::K5).is_some_and(|clock| clock.is_overdue(now));
        if over && reason != PauseReason::P4 {
            return Err(TransitionError::Field { field: "reason", message: "已超期，不能再暂停" });
        }
        let explanation =
            if explanation.trim().is_empty() { asked.unwrap_or_default() } else { explanation.trim().to_owned() };
        need("explanation", &explanation)?;
        let wanted = until_on.and_then(|day| env.end_of(day));
        if wanted.is_some_and(|until| until <= now) {
            return Err(TransitionError::Field { field: "until_on", message: "期限须晚于今天" });
        }
        let until = match (wanted, longest) {
            (Some(wanted), Some(longest)) if wanted > longest => {
                return Err(TransitionError::Field { field: "until_on", message: "超过该事由的最长期限" });
            }
            (Some(wanted), _) => Some(wanted),
            (None, longest) => longest,
        };
        self.case.overlay.pause_asked = None;
        self.case.pauses.push(PauseRecord {
            reason,
            explanation: explanation.clone(),
            document: document.map(str::to_owned),
            from: now,
            until,
            ended_at: None,
        });
        self.case.recompute_policy_clock(env)?;
        let until_words = until.map(|at| env.in_words(at)).unwrap_or_default();
        self.record(
            EventKind::Paused,
            &[
                ("reason", reason.label(), true),
                ("explanation", &explanation, true),
                ("document", document.unwrap_or_default(), false),
                ("until", &until_words, true),
            ],
        );
        self.tell_enterprise("clock_paused");
        if centre {
            self.tell_unit("clock_paused", &format!("已暂停计时（{}）", reason.label()));
        }
        Ok(())
    }

    pub(super) fn resume(&mut self, note: Option<&str>) -> Guard {
        let status = self.case.status;
        self.go(status)?;
        let Some(pause) = self.case.open_pause().cloned() else { return self.refuse_pause(note) };
        let mut at = self.now();
        if self.is(Party::Timer) {
            at = pause.until.ok_or(TransitionError::Paused(true))?;
            self.not_before(at)?;
        }
        self.end_pause(note, at)
    }

    /// The centre does not agree to the pause that was asked for.
    fn refuse_pause(&mut self, note: Option<&str>) -> Guard {
        if self.case.overlay.pause_asked.take().is_none() {
            return Err(TransitionError::Paused(false));
        }
        let note = note.map(str::trim).unwrap_or_default().to_owned();
        self.record(EventKind::PauseRefused, &[("note", &note, false)]);
        let text = if note.is_empty() {
            "中心不同意暂停计时".to_owned()
        } else {
            format!("中心不同意暂停计时：{note}")
        };
        self.tell_unit("pause_refused", &text);
        Ok(())
    }

    /// Ends the pause as of `at`: a timer that comes late gives nobody more time.
    fn end_pause(&mut self, note: Option<&str>, at: Timestamp) -> Guard {
        if let Some(pause) = self.case.pauses.iter_mut().find(|pause| pause.ended_at.is_none()) {
            pause.ended_at = Some(at);
        }
        let due = self.case.recompute_policy_clock(self.env)?;
        let due = self.words(due);
        let moment = self.moment(at);
        self.record(
            EventKind::Resumed,
            &[("due", &due, true), ("note", note.unwrap_or_default(), false), ("moment", &moment, false)],
        );
        self.tell_enterprise("clock_resumed");
        self.tell_unit("clock_resumed", &format!("恢复计时，答复时限：{due}"));
        Ok(())
    }

    pub(super) fn request_extension(&mut self, days: u32, reason: &str) -> Guard {
        let reason = need("reason", reason)?.to_owned();
        let (now, env) = (self.now(), self.env);
        if days == 0 || days > longest_extension(&self.case, env.book) {
            return Err(TransitionError::Field { field: "days", message: "天数须在1与原时限之间" });
        }
        check_extension_reason(&reason)?;
        let by = self.actor.officer_id().ok_or(TransitionError::NoHandler)?;
        let status = self.case.status;
        self.go(status)?;
        let decides =
            if self.case.extensions >= 1 { Approver::Supervisor } else { self.case.requirements.extension_by };
        let unit = self.case.lead_unit.clone().unwrap_or_default();
        let owner = match decides {
            Approver::Dispatcher => "centre",
            Approver::Supervisor => "supervision",
            Approver::UnitLeader => unit.as_str(),
        };
        self.case.start_stack_clock(ClockKey::K11, owner, Budget::working_hours(4), env)?;
        self.record(EventKind::ExtensionRequested, &[("days", &days.to_string(), true), ("reason", &reason, true)]);
        self.tell_enterprise("extension_requested");
        let text = "有延期申请待审；4个工作小时内不答复视为不同意";
        let numbered = format!("【{}】{text}", self.case.display_number());
        match decides {
            Approver::Dispatcher => self.tell_centre("extension_requested", text),
            // The second one is the supervisor's to grant.
            Approver::Supervisor => {
                self.tell(Recipient::Roles(&[Role::Supervisor]), "extension_requested", numbered);
            }
            Approver::UnitLeader => self.tell(Recipient::Leader(unit), "extension_requested", numbered),
        }
        self.case.overlay.extension = Some(ExtensionRequest { days, reason, by, at: now });
        Ok(())
    }

    pub(super) fn grant_extension(&mut self, days: Option<u32>) -> Guard {
        let request = self.case.overlay.extension.clone().ok_or(TransitionError::NoExtension("没有待审的延期申请"))?;
        let days = days.unwrap_or(request.days);
        if days == 0 || days > request.days {
            return Err(TransitionError::Field { field: "days", message: "不能多于申请的天数" });
        }
        let now = self.now();
        let status = self.case.status;
        self.go(status)?;
        self.case.overlay.extension = None;
        self.case.extensions += 1;
        self.case.stop_clock(ClockKey::K11, now);
        if let Some(clock) = self.case.clocks.iter_mut().rev().find(|clock| clock.key == ClockKey::K5) {
            clock.extension_days += days;
        }
        let due = self.case.recompute_policy_clock(self.env)?;
        let due = self.words(due);
        self.record(
            EventKind::ExtensionGranted,
            &[("days", &days.to_string(), true), ("reason", &request.reason, true), ("due", &due, true)],
        );
        self.tell_enterprise("extension_granted");
        self.tell_unit("extension_granted", &format!("同意延期{days}个工作日，新的时限：{due}"));
        Ok(())
    }

    pub(super) fn refuse_extension(&mut self, reason: &str) -> Guard {
        let mut at = self.now();
        if self.is(Party::Timer)
            && let Some(due) = self.case.clock(ClockKey::K11).and_then(|clock| clock.due_at)
        {
            self.not_before(due)?;
            at = due;
        }
        if !self.is(Party::Timer) {
            need("reason", reason)?;
        }
        let status = self.case.status;
        self.go(status)?;
        self.case.overlay.extension = None;
        self.case.stop_clock(ClockKey::K11, at);
        let reason = if reason.trim().is_empty() { "逾期未审，视为不同意" } else { reason.trim() };
        let reason = reason.to_owned();
        let moment = self.moment(at);
        self.record(EventKind::ExtensionRefused, &[("reason", &reason, false), ("moment", &moment, false)]);
        self.tell_enterprise("extension_refused");
        self.tell_unit("extension_refused", &format!("延期未获同意：{reason}"));
        Ok(())
    }

    pub(super) fn withdraw(&mut self, reason: &str) -> Guard {
        let reason = need("reason", reason)?.to_owned();
        self.go(CaseStatus::Withdrawn)?;
        let now = self.now();
        self.case.cancel_clocks(now);
        self.case.cancel_tasks(now);
        self.case.conclusion = Some(Conclusion::WithdrawnByEnterprise);
        self.record(EventKind::Withdrawn, &[("reason", &reason, false)]);
        self.tell_enterprise("case_withdrawn");
        self.tell_unit("case_withdrawn", "企业已撤回诉求");
        self.tell_centre("case_withdrawn", "企业撤回诉求，可抽查是否受到压力");
        Ok(())
    }

    pub(super) fn supervise(&mut self, level: u8, letter: &str) -> Guard {
        let letter = need("letter", letter)?.to_owned();
        if !(1..=6).contains(&level) {
            return Err(TransitionError::Field { field: "level", message: "督办级别须为1至6" });
        }
        let status = self.case.status;
        self.go(status)?;
        self.issue_letter(level, &letter)
    }

    /// A unit whose returns were refused twice is supervised (DOMAIN 2.6, step 4), unless the case is so already.
    pub(super) fn supervise_returns(&mut self, refused_before: u32) -> Guard {
        let refused = refused_before.saturating_add(1);
        if refused < REFUSED_RETURNS || self.case.overlay.supervised.is_some() {
            return Ok(());
        }
        let letter = format!("退单第{refused}次未获同意，请主要负责人说明原因，按职责及时办理");
        self.issue_letter(1, &letter)?;
        self.tell_centre("case_supervised", &format!("督办：{letter}"));
        Ok(())
    }

    fn issue_letter(&mut self, level: u8, letter: &str) -> Guard {
        let env = self.env;
        self.case.overlay.supervised = Some(level.max(self.case.overlay.supervised.unwrap_or(0)));
        let owner = self.case.lead_unit.clone().unwrap_or_else(|| "centre".to_owned());
        // A letter of the ladder is answered within the time of its step; an officer's within that of the book.
        let of_ladder = self.action() != CaseAction::Supervise || self.is(Party::Timer);
        let within = env.book.ladder.rung(SUPERVISION_STEP).and_then(|rung| rung.reply_within);
        let within = within
            .filter(|within| of_ladder && within.budget().is_some())
            .or_else(|| env.book.default_within(ClockKey::K12.as_str()))
            .unwrap_or(Within::Budget(Budget::working_days(2)));
        let limit = Limit::from_within(within, env.now, env.schedule);
        let due = self.case.start_clock(ClockKey::K12, &owner, limit, None, env)?;
        let due = self.words(due);
        self.record(
            EventKind::Supervised,
            &[("level", &level.to_string(), false), ("letter", letter, false), ("due", &due, false)],
        );
        self.tell_unit("case_supervised", &format!("督办：{letter}（{due}前回复）"));
        Ok(())
    }

    pub(super) fn end_supervision(&mut self, result: &str) -> Guard {
        let result = need("result", result)?.to_owned();
        let status = self.case.status;
        self.go(status)?;
        let now = self.now();
        self.case.overlay.supervised = None;
        // Every letter has a clock of its own.
        while self.case.clocks.iter().any(|clock| clock.key == ClockKey::K12 && clock.is_open()) {
            self.case.stop_clock(ClockKey::K12, now);
        }
        self.record(EventKind::SupervisionEnded, &[("result", &result, false)]);
        self.tell_unit("supervision_ended", &format!("督办已结束：{result}"));
        Ok(())
    }

    pub(super) fn escalate(&mut self, rung: u8, reason: &str) -> Guard {
        let reason = need("reason", reason)?.to_owned();
        if !(1..=6).contains(&rung) || self.case.overlay.escalated.is_some_and(|present| rung <= present) {
            return Err(TransitionError::Field { field: "rung", message: "层级须为1至6且高于现有层级" });
        }
        let status = self.case.status;
        self.go(status)?;
        self.climb_to(rung, &reason);
        Ok(())
    }

    /// A bad rating after an earlier one is a rung of its own (DOMAIN 2.6, step 5): nobody has to press for it.
    pub(super) fn escalate_bad_rerating(&mut self) {
        let bad = self.case.ratings.iter().filter(|rating| rating.is_bad()).count();
        if bad >= 2 && self.case.overlay.escalated.is_none() {
            self.climb_to(1, "整改后企业再次评价不满意");
        }
    }

    /// The third repeat of the same matter is a rung of its own (DOMAIN 2.6, step 5).
    pub(super) fn escalate_repeat(&mut self, repeats: u32) {
        if repeats >= REPEATS && self.case.overlay.escalated.is_none() {
            let reason = format!("同一事项第{repeats}次重复反映");
            self.climb_to(1, &reason);
            self.tell_centre("case_escalated", &format!("已提级：{reason}"));
        }
    }

    fn climb_to(&mut self, rung: u8, reason: &str) {
        self.case.overlay.escalated = Some(rung);
        self.record(EventKind::Escalated, &[("rung", &rung.to_string(), false), ("reason", reason, false)]);
        self.tell_enterprise("case_escalated");
        self.tell_unit("case_escalated", &format!("已提级：{reason}"));
        let text = format!("【{}】已提级，请协调：{reason}", self.case.display_number());
        self.tell(Recipient::Roles(&[Role::Leader]), "case_escalated", text);
    }

    pub(super) fn urge(&mut self, words: Option<&str>) -> Guard {
        let now = self.now();
        let status = self.case.status;
        self.go(status)?;
        self.case.urges += 1;
        self.case.urged_at = Some(now);
        self.record(EventKind::Urged, &[("words", words.unwrap_or_default(), false)]);
        let text = format!("企业催办（第{}次）", self.case.urges);
        if self.case.responsible().unit.is_some() {
            self.tell_unit("case_urged", &text);
        }
        self.tell_centre("case_urged", &text);
        Ok(())
    }

    pub(super) fn add_info(&mut self, text: &str) -> Guard {
        let text = need("text", text)?.to_owned();
        let status = self.case.status;
        self.go(status)?;
        self.record(EventKind::InfoAdded, &[("text", &text, false)]);
        let waiting = self.case.open_pause().is_some_and(|pause| pause.reason == PauseReason::P1);
        if waiting {
            let now = self.now();
            self.end_pause(Some("企业已补充"), now)?;
        }
        match self.case.responsible().unit {
            Some(unit) => {
                let text = format!("【{}】企业补充了说明", self.case.display_number());
                self.tell(Recipient::Unit(unit), "info_added", text);
            }
            None => self.tell_centre("info_added", "企业补充了说明"),
        }
        Ok(())
    }
}

/// A reason of twenty characters or more that still says something when the stock phrases are taken out.
fn check_extension_reason(reason: &str) -> Guard {
    let meaningful = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
    if meaningful(reason) < EXTENSION_REASON_CHARS {
        return Err(TransitionError::Field { field: "reason", message: "延期理由不少于20个字" });
    }
    let mut rest = reason.to_owned();
    for phrase in STOCK_PHRASES {
        rest = rest.replace(phrase, "");
    }
    let distinct: std::collections::BTreeSet<char> = rest.chars().filter(|c| c.is_alphanumeric()).collect();
    if meaningful(&rest) < EXTENSION_REASON_CHARS / 2 || distinct.len() < 8 {
        return Err(TransitionError::Field {
            field: "reason", message: "请写具体理由，不能只写“情况复杂”之类的套话"
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_phrases_are_no_reason() {
        let refused = |text: &str| check_extension_reason(text).is_err();
        assert!(refused("情况复杂"));
        assert!(refused("情况复杂，情况复杂，情况复杂，情况复杂，情况复杂，情况复杂"));
        assert!(refused("因情况复杂，正在协调，时间紧，任务重，人手不足，需要时间办理"));
        assert!(refused("啊啊啊啊啊啊啊啊啊啊啊啊啊啊啊啊啊啊啊啊啊啊啊啊啊"));
        assert!(!refused("消防检测机构须重新出具喷淋系统检测报告，预计三个工作日后取得，再组织联合验收"));
    }
}
