//! From the acceptance to the unit's desk: T11–T19, grading, merging, splitting, transfer.

use jiff::civil::Date;

use super::apply::{Guard, Step, need, need_some};
use crate::domain::{
    case::{
        clocks::deemed_at,
        event::EventKind,
        input::{ReturnReason, SplitPart, TransferWay},
        intake::changed_topic,
        model::{
            CaseTask, ClockKey, ClockState, FailedContacts, Limit, Recipient, ReturnRequest, TaskState, TransitionError,
        },
        number::CaseNumber,
        status::{CaseStatus, Conclusion},
    },
    ids::OfficerId,
    kinds::{CaseType, Complexity},
    sla::{Budget, Within},
};

impl Step<'_> {
    pub(super) fn mark_ownership_pending(&mut self, candidates: &[String], reason: &str) -> Guard {
        let reason = need("reason", reason)?.to_owned();
        for unit in candidates {
            self.check_unit("candidates", unit)?;
        }
        self.go(CaseStatus::OwnershipPending)?;
        let names: Vec<String> = candidates.iter().map(|unit| self.env.name_of(unit)).collect();
        self.record(
            EventKind::OwnershipDisputed,
            &[("candidates", &names.join("、"), false), ("reason", &reason, false)],
        );
        self.tell_enterprise("ownership_disputed");
        Ok(())
    }

    pub(super) fn rule_ownership(
        &mut self,
        lead: &str,
        assists: &[String],
        ruling: &str,
        basis: &str,
        participants: &str,
    ) -> Guard {
        let ruling = need("ruling", ruling)?.to_owned();
        let basis = need("basis", basis)?.to_owned();
        self.case.ruled = true;
        self.case.ruled_by = self.actor.officer_id();
        self.send_to(lead, assists)?;
        self.record(
            EventKind::OwnershipRuled,
            &[
                ("lead", lead, true),
                ("ruling", &ruling, false),
                ("basis", &basis, false),
                ("participants", participants, false),
            ],
        );
        self.tell_enterprise("case_dispatched");
        self.tell_unit("case_dispatched", "已裁定由贵单位主办，请签收；裁定后不得退单");
        Ok(())
    }

    pub(super) fn endorse(&mut self, opinion: &str, lead: Option<&str>, assists: &[String]) -> Guard {
        let opinion = need("opinion", opinion)?.to_owned();
        if self.case.status == CaseStatus::Accepted {
            self.case.approvals = 0;
            self.case.approvers.clear();
            self.go(CaseStatus::PreApproval)?;
            self.start_chain_clock()?;
            self.record(EventKind::Endorsed, &[("opinion", &opinion, false)]);
            self.tell_enterprise("case_endorsed");
            return Ok(());
        }
        self.case.approvals = self.case.approvals.saturating_add(1);
        self.case.approvers.extend(self.actor.officer_id());
        if self.case.approvals < self.case.requirements.chain {
            self.go(CaseStatus::PreApproval)?;
            self.start_chain_clock()?;
            self.record(EventKind::Endorsed, &[("opinion", &opinion, false)]);
            return Ok(());
        }
        let proposed = self.case.proposed_lead.clone();
        let lead = lead.map(str::to_owned).or(proposed).unwrap_or_default();
        need("lead", &lead)?;
        self.send_to(&lead, assists)?;
        self.record(EventKind::Endorsed, &[("opinion", &opinion, false)]);
        let proposed = self.case.proposed_lead.clone().unwrap_or_default();
        let overrode = if proposed == lead { String::new() } else { proposed };
        self.record(EventKind::Dispatched, &[("lead", &lead, true), ("overrode", &overrode, false)]);
        self.tell_enterprise("case_dispatched");
        self.tell_unit("case_dispatched", "领导已签批，请签收办理");
        Ok(())
    }

    /// The dispatcher's own clock is done with while a leader has the case; each opinion has a limit of its own (C13).
    fn start_chain_clock(&mut self) -> Guard {
        let (now, env) = (self.now(), self.env);
        self.case.stop_clock(ClockKey::K2, now);
        let each = env.policy_of(&self.case).and_then(|profile| profile.chain_each);
        let limit = Limit::from_within(each.unwrap_or(Within::Budget(Budget::working_days(1))), now, env.schedule);
        self.case.start_clock(ClockKey::K2, "leader", limit, None, env)?;
        Ok(())
    }

    pub(super) fn dispatch(
        &mut self,
        lead: &str,
        assists: &[String],
        complexity: Option<Complexity>,
        note: Option<&str>,
    ) -> Guard {
        self.check_grade(complexity)?;
        let graded = complexity.is_some() && complexity != self.case.complexity;
        if complexity.is_some() {
            self.case.complexity = complexity;
        }
        if graded {
            self.follow_grade()?;
        }
        self.send_to(lead, assists)?;
        let names: Vec<String> = assists.iter().map(|unit| self.env.name_of(unit)).collect();
        let limit = self.case.clock(ClockKey::K5).and_then(|clock| clock.due_at);
        let due = self.words(limit);
        // Officers can always override; that they did is kept.
        let proposed = self.case.proposed_lead.clone().unwrap_or_default();
        let overrode = if proposed == lead { String::new() } else { proposed };
        self.record(
            EventKind::Dispatched,
            &[
                ("lead", lead, true),
                ("assists", &names.join("、"), true),
                ("complexity", self.case.complexity.map_or("", Complexity::label), false),
                ("due", &due, true),
                ("note", note.unwrap_or_default(), false),
                ("overrode", &overrode, false),
            ],
        );
        self.tell_enterprise("case_dispatched");
        self.tell_unit("case_dispatched", &format!("请签收办理，答复时限：{due}"));
        Ok(())
    }

    /// Puts the case into a unit's in-box: sign-in and first-contact clocks begin, the policy clock only if the policy
    /// starts it at delivery and it has not begun yet.
    fn send_to(&mut self, lead: &str, assists: &[String]) -> Guard {
        let lead = need("lead", lead)?.to_owned();
        self.check_unit("lead", &lead)?;
        let mut others: Vec<String> = Vec::new();
        for unit in assists {
            self.check_unit("assists", unit)?;
            if *unit == lead {
                return Err(TransitionError::Field {
                    field: "assists", message: "主办单位不能同时是协办单位"
                });
            }
            if !others.contains(unit) {
                others.push(unit.clone());
            }
        }
        let (now, env) = (self.now(), self.env);
        self.go(CaseStatus::Dispatched)?;
        let case = &mut self.case;
        case.lead_unit = Some(lead.clone());
        case.assists = others;
        case.handler = None;
        case.handler_name = None;
        case.failed_contacts = FailedContacts::default();
        case.dispatches = case.dispatches.saturating_add(1);
        case.dispatched_at = case.dispatched_at.or(Some(now));
        case.delivered_at = Some(now);
        case.stop_clock(ClockKey::K2, now);
        for key in [ClockKey::K3, ClockKey::K4] {
            case.end_clock(key, now, ClockState::Cancelled);
        }
        match case.clocks.iter_mut().rev().find(|clock| clock.key == ClockKey::K5 && clock.is_open()) {
            // Another unit has it, the enterprise's due date is the same (invariant 3).
            Some(clock) => clock.owner.clone_from(&lead),
            None => case.start_policy_clock(env)?,
        }
        case.start_stack_clock(ClockKey::K3, &lead, Budget::working_hours(4), env)?;
        let contact = env
            .policy_of(case)
            .and_then(|p| p.limit("first_contact", case.case_type, case.complexity))
            .map_or(Within::Budget(Budget::working_days(1)), |limit| limit.within);
        case.start_clock(ClockKey::K4, &lead, Limit::from_within(contact, now, env.schedule), None, env)?;
        Ok(())
    }

    /// The grade was set with the dispatch: same start, other length.
    fn follow_grade(&mut self) -> Guard {
        let env = self.env;
        let case = &mut self.case;
        let Some(clock) = case.clock(ClockKey::K5).filter(|clock| clock.is_open()) else { return Ok(()) };
        let (start, fixed) = (clock.started_at, matches!(clock.limit, Limit::Until(_)));
        let limit = env.policy_of(case).map(|p| case.answer_limit(p, start, env).limit);
        if let (Some(limit), false) = (limit, fixed)
            && let Some(clock) = case.clocks.iter_mut().rev().find(|clock| clock.key == ClockKey::K5)
        {
            clock.limit = limit;
        }
        case.recompute_policy_clock(env)?;
        Ok(())
    }

    pub(super) fn sign_in(&mut self, register_no: &str, handler: Option<&(OfficerId, String)>) -> Guard {
        let register_no = need("register_no", register_no)?.to_owned();
        self.go(CaseStatus::Signed)?;
        let now = self.now();
        self.case.stop_clock(ClockKey::K3, now);
        if let Some((id, name)) = handler {
            self.case.note_hand(*id);
            self.case.handler = Some(*id);
            self.case.handler_name = Some(name.clone());
        }
        let unit = self.case.lead_unit.clone().unwrap_or_default();
        let name = handler.map_or("单位指定中", |(_, name)| name.as_str());
        self.record(
            EventKind::SignedIn,
            &[("unit", &unit, true), ("handler", name, true), ("register_no", &register_no, false)],
        );
        self.tell_enterprise("case_signed_in");
        Ok(())
    }

    pub(super) fn deem_signed(&mut self) -> Guard {
        let due = deemed_at(&self.case, self.env)?;
        self.not_before(due)?;
        self.go(CaseStatus::Signed)?;
        self.case.stop_clock(ClockKey::K3, due);
        let unit = self.case.lead_unit.clone().unwrap_or_default();
        let moment = self.moment(due);
        self.record(EventKind::DeemedSigned, &[("unit", &unit, true), ("moment", &moment, false)]);
        self.tell_enterprise("case_deemed_signed");
        self.tell_unit("case_deemed_signed", "超过1个工作日未签收，已视同签收，请指定承办人并联系企业");
        Ok(())
    }

    pub(super) fn assign(&mut self, handler: &(OfficerId, String)) -> Guard {
        let status = self.case.status;
        self.go(status)?;
        self.case.note_hand(handler.0);
        self.case.handler = Some(handler.0);
        self.case.handler_name = Some(handler.1.clone());
        self.record(EventKind::HandlerAssigned, &[("handler", &handler.1, true)]);
        Ok(())
    }

    pub(super) fn request_return(&mut self, reason: ReturnReason, basis: &str, proposed_unit: &str) -> Guard {
        let basis = need("basis", basis)?.to_owned();
        if basis.chars().count() < 5 {
            return Err(TransitionError::Field {
                field: "basis", message: "请写明职责依据（三定、权责清单条款）"
            });
        }
        let proposed = need("proposed_unit", proposed_unit)?.to_owned();
        self.check_unit("proposed_unit", &proposed)?;
        let unit = self.case.lead_unit.clone().unwrap_or_default();
        if proposed == unit {
            return Err(TransitionError::Field { field: "proposed_unit", message: "建议单位不能是本单位" });
        }
        self.go(CaseStatus::ReturnPending)?;
        let (now, env) = (self.now(), self.env);
        self.case.end_clock(ClockKey::K3, now, ClockState::Cancelled);
        self.case.start_stack_clock(ClockKey::K10, "centre", Budget::working_hours(4), env)?;
        self.record(
            EventKind::ReturnRequested,
            &[
                ("unit", &unit, false),
                ("reason", reason.label(), false),
                ("basis", &basis, false),
                ("proposed_unit", &proposed, false),
            ],
        );
        self.case.returns.push(ReturnRequest { unit, reason, basis, proposed_unit: proposed, at: now, granted: None });
        self.tell_enterprise("return_requested");
        self.tell_centre("return_requested", "有退单申请待裁定");
        Ok(())
    }

    pub(super) fn grant_return(&mut self, lead: &str, assists: &[String], note: Option<&str>) -> Guard {
        let from = self.case.lead_unit.clone().unwrap_or_default();
        if lead == from {
            return Err(TransitionError::Field { field: "lead", message: "同意退单须改派其他单位" });
        }
        let now = self.now();
        self.send_to(lead, assists)?;
        self.case.stop_clock(ClockKey::K10, now);
        if let Some(request) = self.case.returns.last_mut() {
            request.granted = Some(true);
        }
        self.record(
            EventKind::ReturnGranted,
            &[
                ("lead", lead, true),
                ("from_unit", &from, false),
                ("cause", "误派", false),
                ("note", note.unwrap_or_default(), false),
            ],
        );
        self.tell_enterprise("case_dispatched");
        self.tell_unit("case_dispatched", "退单改派至贵单位，请签收办理；不得再退");
        Ok(())
    }

    pub(super) fn refuse_return(&mut self, reason: &str, refused_before: u32) -> Guard {
        let reason = need("reason", reason)?.to_owned();
        self.go(CaseStatus::Signed)?;
        let now = self.now();
        self.case.stop_clock(ClockKey::K10, now);
        if let Some(request) = self.case.returns.last_mut() {
            request.granted = Some(false);
        }
        self.record(EventKind::ReturnRefused, &[("reason", &reason, false), ("cause", "误退", false)]);
        self.tell_enterprise("return_refused");
        self.tell_unit("return_refused", &format!("退单未获同意：{reason}"));
        self.supervise_returns(refused_before)
    }

    pub(super) fn regrade(
        &mut self,
        case_type: Option<CaseType>,
        topic: Option<&str>,
        complexity: Option<Complexity>,
        reason: &str,
        basis: Option<&str>,
        due_on: Option<Date>,
    ) -> Guard {
        let reason = need("reason", reason)?.to_owned();
        let special = complexity == Some(Complexity::Special) && self.case.complexity != complexity;
        if special {
            need_some("basis", basis)?;
            if self.case.clock(ClockKey::K5).is_none() {
                return Err(TransitionError::Field {
                    field: "complexity",
                    message: "答复时限开始计算后才能定为特别疑难",
                });
            }
            if due_on.is_none() {
                return Err(TransitionError::Field {
                    field: "due_on", message: "特别疑难须写明法定期限到哪一天"
                });
            }
        }
        let before = (self.case.case_type, self.case.complexity);
        let topic_before = self.case.topic.clone();
        let taken = self.unit_may_not_keep(case_type.unwrap_or(before.0));
        let status = self.case.status;
        self.go(if taken { CaseStatus::Accepted } else { status })?;
        let same_topic = topic.is_none_or(|new| self.case.topic.as_deref() == Some(new));
        self.case.case_type = case_type.unwrap_or(self.case.case_type);
        if taken {
            self.take_from_unit()?;
        }
        self.recuse();
        self.case.sealed |= self.case.case_type == CaseType::Conduct;
        if let Some(topic) = topic {
            self.case.topic = Some(topic.to_owned());
        }
        self.case.complexity = complexity.or(self.case.complexity);
        let (now, env) = (self.now(), self.env);
        // Which arrears the law reaches is told by the topic.
        let of_arrears = self.case.case_type == CaseType::Arrears && !same_topic;
        if case_type.is_some_and(|new| new != before.0) || of_arrears {
            self.case.choose_policy(env);
        }
        if let Some((start, due_before)) = self.case.clock(ClockKey::K5).map(|clock| (clock.started_at, clock.due_at)) {
            let limit = match due_on {
                Some(day) => env.end_of(day).map(Limit::Until),
                None => env.policy_of(&self.case).map(|p| self.case.answer_limit(p, start, env).limit),
            };
            if let (Some(limit), Some(clock)) =
                (limit, self.case.clocks.iter_mut().rev().find(|clock| clock.key == ClockKey::K5))
            {
                clock.limit = limit;
            }
            let due = self.case.recompute_policy_clock(env)?;
            let was_over = due_before.is_some_and(|due| due < now);
            if due.is_some_and(|due| due < now) && !was_over {
                return Err(TransitionError::DueInPast);
            }
        }
        let due = self.words(self.case.clock(ClockKey::K5).and_then(|clock| clock.due_at));
        let topic = self.case.topic.clone();
        let topic_before = changed_topic(topic_before.as_deref(), topic.as_deref());
        self.record(
            EventKind::Regraded,
            &[
                ("type", self.case.case_type.label(), true),
                ("complexity", self.case.complexity.map_or("", Complexity::label), false),
                ("topic", topic.as_deref().filter(|_| !topic_before.is_empty()).unwrap_or_default(), false),
                ("from_topic", topic_before, false),
                ("from_type", before.0.label(), false),
                ("from_complexity", before.1.map_or("", Complexity::label), false),
                ("reason", &reason, false),
                ("basis", basis.unwrap_or_default(), false),
                ("due", &due, true),
            ],
        );
        self.tell_enterprise("case_regraded");
        Ok(())
    }

    /// Whether the unit that has the case may have no part in it under another type: it is what the matter is about, or
    /// the case will be sealed.
    fn unit_may_not_keep(&self, case_type: CaseType) -> bool {
        let case = &self.case;
        let Some(lead) = case.lead_unit.as_ref() else { return false };
        let with_it = matches!(case.status, CaseStatus::Dispatched | CaseStatus::Signed | CaseStatus::Processing);
        let sealed = case_type == CaseType::Conduct && !case.sealed;
        with_it && ((case_type.accuses() && self.env.accused.contains(lead)) || sealed)
    }

    /// Units that the matter is about have no part in it (invariant 7), under whatever type it was filed.
    pub(super) fn recuse(&mut self) {
        let (now, env) = (self.now(), self.env);
        let case = &mut self.case;
        case.party.confidential |= case.case_type == CaseType::Conduct;
        if !case.case_type.accuses() {
            return;
        }
        for unit in env.accused {
            if !case.recused.contains(unit) {
                case.recused.push(unit.clone());
            }
        }
        let recused = case.recused.clone();
        case.proposed_lead = case.proposed_lead.take().filter(|unit| !recused.contains(unit));
        case.proposed_assists.retain(|unit| !recused.contains(unit));
        case.assists.retain(|unit| !recused.contains(unit));
        let theirs = |task: &&mut CaseTask| task.state == TaskState::Open && recused.contains(&task.unit);
        let ended: Vec<_> = case
            .tasks
            .iter_mut()
            .filter(theirs)
            .map(|task| {
                task.state = TaskState::Cancelled;
                task.ended_at = Some(now);
                task.id
            })
            .collect();
        for task in ended {
            case.stop_task_clock(task, now, ClockState::Cancelled);
        }
    }

    /// Takes a case out of a unit's hands and back to the one who dispatches. The enterprise's due date stays.
    fn take_from_unit(&mut self) -> Guard {
        let (now, env) = (self.now(), self.env);
        self.tell_unit("case_transferred_out", "该件已由中心收回，不再由贵单位办理");
        let case = &mut self.case;
        case.lead_unit = None;
        case.assists.clear();
        case.handler = None;
        case.handler_name = None;
        for key in [ClockKey::K3, ClockKey::K4] {
            case.end_clock(key, now, ClockState::Cancelled);
        }
        while case.clocks.iter().any(|clock| clock.key == ClockKey::K5a && clock.is_open()) {
            case.end_clock(ClockKey::K5a, now, ClockState::Cancelled);
        }
        case.cancel_tasks(now);
        if let Some(pause) = case.pauses.iter_mut().find(|pause| pause.ended_at.is_none()) {
            pause.ended_at = Some(now);
        }
        if let Some(clock) = case.clocks.iter_mut().rev().find(|clock| clock.key == ClockKey::K5 && clock.is_open()) {
            "centre".clone_into(&mut clock.owner);
        }
        case.recompute_policy_clock(env)?;
        case.start_stack_clock(ClockKey::K2, "centre", Budget::working_hours(4), env)?;
        self.tell_centre("return_requested", "承办单位须回避或本件已密封，请重新分派");
        Ok(())
    }

    /// 特别疑难 is a grade with a legal basis and its limit (C10): both come with a change of the grade, with nothing else.
    pub(super) fn check_grade(&self, complexity: Option<Complexity>) -> Guard {
        if complexity == Some(Complexity::Special) && self.case.complexity != complexity {
            let message = "特别疑难须写明法定依据和期限，请用“调整分类分级”";
            return Err(TransitionError::Field { field: "complexity", message });
        }
        Ok(())
    }

    pub(super) fn merge(
        &mut self,
        into: &CaseNumber,
        same_enterprise: bool,
        same_matter: bool,
        parent_open: bool,
    ) -> Guard {
        if *into == self.case.number {
            return Err(TransitionError::CannotMerge("a case with itself"));
        }
        if !parent_open {
            return Err(TransitionError::CannotMerge("the parent does not run"));
        }
        if !same_matter {
            let message = "两件不是同一事项（主题不同或内容不相近），不能并单";
            return Err(TransitionError::Field { field: "into", message });
        }
        self.go(CaseStatus::Merged)?;
        let now = self.now();
        self.case.cancel_clocks(now);
        self.case.overlay.parent = Some(into.clone());
        let kind = if same_enterprise { "同一企业同一事项" } else { "多家企业同一事项" };
        self.record(EventKind::Merged, &[("parent", into.as_str(), same_enterprise), ("kind", kind, false)]);
        self.tell_enterprise("case_merged");
        Ok(())
    }

    pub(super) fn split(&mut self, parts: &[SplitPart]) -> Guard {
        if parts.len() < 2 || parts.len() > 20 {
            return Err(TransitionError::Field { field: "parts", message: "请拆成2至20件" });
        }
        for part in parts {
            need("parts", &part.title)?;
            need("parts", &part.demand)?;
        }
        let status = self.case.status;
        self.go(status)?;
        let titles: Vec<&str> = parts.iter().map(|part| part.title.trim()).collect();
        self.record(
            EventKind::Split,
            &[("count", &parts.len().to_string(), true), ("parts", &titles.join("；"), true)],
        );
        self.set_parts(parts);
        self.tell_enterprise("case_split");
        Ok(())
    }

    pub(super) fn transfer_out(&mut self, to: &str, receipt: &str, reason: &str, way: TransferWay) -> Guard {
        let to = need("to", to)?.to_owned();
        let reason = need("reason", reason)?.to_owned();
        let receipt = receipt.trim().to_owned();
        let statutory = way == TransferWay::Statutory;
        if receipt.is_empty() && !statutory {
            let message = "请填对方受理编号；引导走法定途径的，请选该方式";
            return Err(TransitionError::Field { field: "receipt", message });
        }
        self.go(CaseStatus::Transferred)?;
        let now = self.now();
        self.case.cancel_clocks(now);
        self.case.cancel_tasks(now);
        self.case.conclusion = statutory.then_some(Conclusion::GuidedToLegalPath);
        self.record(
            EventKind::TransferredOut,
            &[("to", &to, true), ("receipt", &receipt, true), ("reason", &reason, false)],
        );
        self.tell_enterprise("case_transferred_out");
        if let Some(unit) = self.case.lead_unit.clone() {
            let text = format!("【{}】已转出：{to}", self.case.display_number());
            self.tell(Recipient::Unit(unit), "case_transferred_out", text);
        }
        Ok(())
    }
}
