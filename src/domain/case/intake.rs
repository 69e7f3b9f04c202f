//! From the submission to the acceptance: T02–T10.

use jiff::civil::Date;

use super::apply::{Guard, Step, need};
use crate::domain::{
    case::{
        action::{Actor, Party as ActingParty},
        clocks::CaseEnv,
        event::{ActorStamp, CaseEvent, EventKind, Fact},
        model::{
            Case, ClockKey, ClockState, Closing, Confirmation, FailedContacts, OutMessage, Outcome, Overlay, Party,
            Prompts, Recipient, Requirements, RouteFacts, TransitionError,
        },
        number::{CaseNumber, QueryCode},
        reminders::silence_counts_from,
        status::{CaseStatus, Conclusion},
    },
    ids::{CaseId, ConversationId},
    kinds::{CaseType, Channel, Diversion, Urgency},
    sla::Budget,
};

/// How a source begins that is a rule of the knowledge base.
pub const RULE_SOURCE: &str = "rule:";

/// Everything a case is made from when the drafted form is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of Case of the same names")]
pub struct NewCase {
    pub id: CaseId,
    pub number: CaseNumber,
    pub query_code: QueryCode,
    pub case_type: CaseType,
    pub topic: Option<String>,
    pub urgency: Urgency,
    pub channel: Channel,
    pub region: String,
    pub title: String,
    pub original_words: String,
    pub demand: String,
    pub place: Option<String>,
    pub happened_on: Option<Date>,
    pub amount: Option<String>,
    pub object: Option<String>,
    pub party: Party,
    pub recused: Vec<String>,
    pub conversation: Option<ConversationId>,
    pub proposed_lead: Option<String>,
    pub proposed_assists: Vec<String>,
    pub route_reason: String,
    pub proposal: RouteFacts,
    pub rule_version: String,
    pub answered_by_rule: Option<String>,
    pub leader_assigned: bool,
    pub repeat_of: Option<CaseNumber>,
    pub split_from: Option<CaseNumber>,
}

/// Registers a case (T02): the original words are fixed, the acceptance clock starts.
///
/// # Errors
/// `Field` when there is nothing to handle or no way to answer, `Clock` when the calendar cannot answer.
pub fn register(new: NewCase, actor: &Actor, env: &CaseEnv<'_>) -> Result<Outcome, TransitionError> {
    need("demand", &new.demand)?;
    need("title", &new.title)?;
    let anonymous_allowed = matches!(new.case_type, CaseType::Report | CaseType::Conduct | CaseType::Risk);
    if !anonymous_allowed && new.party.contact_phone.trim().is_empty() && new.conversation.is_none() {
        return Err(TransitionError::Field { field: "contact_phone", message: "请留一个联系方式" });
    }
    let sealed = new.case_type == CaseType::Conduct;
    let mut case = Case {
        id: new.id,
        number: new.number,
        query_code: new.query_code,
        version: 0,
        status: CaseStatus::Submitted,
        round: 0,
        case_type: new.case_type,
        topic: new.topic,
        urgency: new.urgency,
        complexity: None,
        channel: new.channel,
        region: new.region,
        title: new.title,
        original_words: new.original_words,
        demand: new.demand,
        place: new.place,
        happened_on: new.happened_on,
        amount: new.amount,
        object: new.object,
        party: new.party,
        recused: new.recused,
        sealed,
        conversation: new.conversation,
        proposed_lead: new.proposed_lead,
        proposed_assists: new.proposed_assists,
        route_reason: new.route_reason,
        proposal: new.proposal,
        rule_version: new.rule_version,
        answered_by_rule: new.answered_by_rule,
        lead_unit: None,
        assists: Vec::new(),
        handler: None,
        handler_name: None,
        requirements: Requirements::default(),
        overlay: Overlay {
            leader_assigned: new.leader_assigned,
            repeat_of: new.repeat_of,
            split_from: new.split_from,
            ..Overlay::default()
        },
        clocks: Vec::new(),
        pauses: Vec::new(),
        tasks: Vec::new(),
        draft: None,
        signature: None,
        ratings: Vec::new(),
        returns: Vec::new(),
        ruled: false,
        ruled_by: None,
        dispatches: 0,
        failed_contacts: FailedContacts::default(),
        prompts: Prompts::default(),
        info_asked: false,
        lapsed: false,
        refusal: None,
        refused_by: None,
        objected: false,
        approvals: 0,
        approvers: Vec::new(),
        wrote: Vec::new(),
        extensions: 0,
        urges: 0,
        urged_at: None,
        verified_by: None,
        confirmation: None,
        conclusion: None,
        closings: Vec::new(),
        last_seq: 1,
        submitted_at: env.now,
        accepted_at: None,
        dispatched_at: None,
        delivered_at: None,
        entered_at: env.now,
        changed_at: env.now,
    };
    case.start_stack_clock(ClockKey::K1, "centre", Budget::working_minutes(30), env)?;
    let facts = [
        ("channel", case.channel.label(), false),
        ("type", case.case_type.label(), false),
        ("proposed_lead", case.proposed_lead.as_deref().unwrap_or_default(), false),
        ("route_reason", case.route_reason.as_str(), false),
        ("rule_version", case.rule_version.as_str(), false),
    ];
    let event = CaseEvent {
        case: case.id,
        seq: 1,
        kind: EventKind::Submitted,
        actor: ActorStamp::from(actor),
        from: CaseStatus::Draft,
        to: CaseStatus::Submitted,
        at: env.now,
        facts: facts
            .iter()
            .filter(|(_, value, _)| !value.is_empty())
            .map(|(key, value, public)| Fact { key: (*key).to_owned(), value: (*value).to_owned(), public: *public })
            .collect(),
    };
    let message = OutMessage {
        to: Recipient::Centre,
        kind: "case_submitted",
        text: format!("【{}】新诉求待受理（{}，{}）", case.number, case.case_type.label(), case.urgency.label()),
    };
    Ok(Outcome { case, events: vec![event], messages: vec![message], parts: Vec::new() })
}

/// What the history names as the former topic: nothing when it is the same, `none` when there was none.
pub(super) fn changed_topic<'t>(before: Option<&'t str>, now: Option<&str>) -> &'t str {
    if before == now { "" } else { before.unwrap_or("none") }
}

impl Step<'_> {
    pub(super) fn submit(&mut self) -> Guard {
        self.go(CaseStatus::Submitted)?;
        self.case.start_stack_clock(ClockKey::K1, "centre", Budget::working_minutes(30), self.env)?;
        self.record(EventKind::Submitted, &[]);
        Ok(())
    }

    pub(super) fn refuse(&mut self, code: Diversion, path: &str) -> Guard {
        let path = need("path", path)?.to_owned();
        if matches!(code, Diversion::Smalltalk | Diversion::Unclear | Diversion::Abuse) {
            return Err(TransitionError::Field { field: "code", message: "不予受理须选 D1–D9 之一" });
        }
        self.go(CaseStatus::NotAccepted)?;
        let now = self.now();
        self.case.stop_clock(ClockKey::K1, now);
        self.case.refusal = Some((code, path.clone()));
        self.case.refused_by = self.actor.officer_id();
        self.record(
            EventKind::Refused,
            &[("code", code.as_str(), false), ("reason", code.label(), true), ("path", &path, true)],
        );
        self.tell_enterprise("case_refused");
        Ok(())
    }

    pub(super) fn object(&mut self, text: &str) -> Guard {
        let text = need("text", text)?.to_owned();
        self.go(CaseStatus::Submitted)?;
        self.case.refusal = None;
        self.case.objected = true;
        self.case.start_stack_clock(ClockKey::K1, "centre", Budget::working_minutes(30), self.env)?;
        self.record(EventKind::Objected, &[("text", &text, false)]);
        self.tell_centre("refusal_objected", "企业对不予受理提出异议，请由分派岗复核");
        Ok(())
    }

    pub(super) fn request_info(&mut self, items: &[String]) -> Guard {
        let items: Vec<&str> = items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()).collect();
        if items.is_empty() {
            return Err(TransitionError::Field { field: "items", message: "请一次列全需要补充的材料" });
        }
        self.go(CaseStatus::NeedInfo)?;
        let now = self.now();
        self.case.stop_clock(ClockKey::K1, now);
        self.case.info_asked = true;
        self.case.prompts = Prompts::default();
        self.record(EventKind::InfoRequested, &[("items", &items.join("；"), true)]);
        self.tell_enterprise("info_requested");
        Ok(())
    }

    pub(super) fn supply_info(&mut self, text: &str) -> Guard {
        let text = need("text", text)?.to_owned();
        self.go(CaseStatus::Submitted)?;
        self.case.lapsed = false;
        self.case.start_stack_clock(ClockKey::K1, "centre", Budget::working_minutes(30), self.env)?;
        self.record(EventKind::InfoSupplied, &[("text", &text, false)]);
        self.tell_centre("info_supplied", "企业已补充材料，请受理");
        Ok(())
    }

    pub(super) fn lapse_info(&mut self) -> Guard {
        let due = silence_counts_from(&self.case, self.env).ok_or(TransitionError::CloseNeeds(vec!["两次提醒"]))?;
        self.not_before(due)?;
        self.go(CaseStatus::Withdrawn)?;
        self.case.lapsed = true;
        let now = self.now();
        self.case.cancel_clocks(now);
        let moment = self.moment(due);
        self.record(EventKind::InfoLapsed, &[("moment", &moment, false)]);
        self.tell_enterprise("info_lapsed");
        Ok(())
    }

    /// T07. `before` are type and topic as they were proposed.
    pub(super) fn accept(
        &mut self,
        before: &(CaseType, Option<String>),
        duplicates_checked: bool,
        repeats: u32,
    ) -> Guard {
        if self.case.topic.as_deref().is_none_or(|topic| topic.trim().is_empty()) {
            return Err(TransitionError::Field { field: "topic", message: "受理前请选定主题" });
        }
        if !duplicates_checked {
            return Err(TransitionError::Field { field: "duplicates_checked", message: "请先核对重复诉求" });
        }
        self.go(CaseStatus::Accepted)?;
        self.take_up()?;
        self.record_acceptance(before);
        self.escalate_repeat(repeats);
        Ok(())
    }

    /// Chooses the policy and starts the clocks of acceptance: K1 ends, K2 begins, K5 where the policy says so.
    pub(super) fn take_up(&mut self) -> Guard {
        let (now, env) = (self.now(), self.env);
        self.case.sealed |= self.case.case_type == CaseType::Conduct;
        self.case.stop_clock(ClockKey::K1, now);
        self.case.accepted_at = self.case.accepted_at.or(Some(now));
        self.case.choose_policy(env);
        self.case.start_stack_clock(ClockKey::K2, "centre", Budget::working_hours(4), env)?;
        if !self.case.requirements.starts_on_delivery {
            self.case.start_policy_clock(env)?;
        }
        Ok(())
    }

    fn record_acceptance(&mut self, (from_type, from_topic): &(CaseType, Option<String>)) {
        let due = if let Some(clock) = self.case.clock(ClockKey::K5) {
            self.words(clock.due_at)
        } else {
            let profile = self.env.policy_of(&self.case);
            let words = profile.map(|p| self.case.answer_limit(p, self.env.now, self.env).words);
            format!("派到主办单位后{}", words.unwrap_or_default())
        };
        let requirements = self.case.requirements.clone();
        let topic = self.case.topic.clone().unwrap_or_default();
        let from_type = if *from_type == self.case.case_type { "" } else { from_type.label() };
        let from_topic = changed_topic(from_topic.as_deref(), self.case.topic.as_deref());
        self.record(
            EventKind::Accepted,
            &[
                ("type", self.case.case_type.label(), true),
                ("from_type", from_type, false),
                ("topic", &topic, false),
                ("from_topic", from_topic, false),
                ("urgency", self.case.urgency.label(), false),
                ("policy", &requirements.profile, false),
                ("policy_version", &requirements.version, false),
                ("policy_reason", &requirements.reason, false),
                ("due", &due, true),
            ],
        );
        self.tell_enterprise("case_accepted");
    }

    pub(super) fn answer_on_spot(&mut self, text: &str, source: &str) -> Guard {
        let text = need("text", text)?.to_owned();
        let source = need("source", source)?.to_owned();
        if self.is(ActingParty::Bot) && !source.starts_with(RULE_SOURCE) {
            return Err(TransitionError::Field {
                field: "source", message: "机器人只能用已审核规则的答复"
            });
        }
        self.go(CaseStatus::AnsweredOnSpot)?;
        let now = self.now();
        if self.case.accepted_at.is_none() {
            self.case.stop_clock(ClockKey::K1, now);
            self.case.accepted_at = Some(now);
            self.case.choose_policy(self.env);
        }
        self.case.end_clock(ClockKey::K2, now, ClockState::Cancelled);
        self.case.end_clock(ClockKey::K5, now, ClockState::Held);
        self.case.conclusion = Some(Conclusion::Answered);
        if let Some(rule) = source.strip_prefix(RULE_SOURCE) {
            self.case.answered_by_rule = Some(rule.to_owned());
        }
        self.record(EventKind::AnsweredOnSpot, &[("text", &text, true), ("source", &source, true)]);
        self.tell_enterprise("answered_on_spot");
        self.ask_to_confirm();
        Ok(())
    }

    pub(super) fn request_handling(&mut self, words: Option<&str>) -> Guard {
        self.back_to_handling(words)
    }

    /// T10: the answer on the spot did not do; the case goes on without retyping.
    pub(super) fn back_to_handling(&mut self, words: Option<&str>) -> Guard {
        self.go(CaseStatus::Accepted)?;
        self.case.conclusion = None;
        if self.case.clock(ClockKey::K5).is_some() {
            self.case.resume_policy_clock();
            self.case.start_stack_clock(ClockKey::K2, "centre", Budget::working_hours(4), self.env)?;
        } else {
            self.take_up()?;
        }
        self.record(EventKind::HandlingRequested, &[("words", words.unwrap_or_default(), false)]);
        self.tell_centre("handling_requested", "当场答复未解决，请派单办理");
        Ok(())
    }

    /// T09: closed with the answer on the spot.
    pub(super) fn close_on_spot(&mut self, silent: bool) -> Guard {
        self.go(CaseStatus::Closed)?;
        let now = self.now();
        self.case.end_clock(ClockKey::K5, now, ClockState::Stopped);
        self.case.cancel_clocks(now);
        self.case.confirmation = Some(if silent { Confirmation::Silent(now) } else { Confirmation::ByEnterprise(now) });
        self.case.closings.push(Closing {
            round: self.case.round,
            at: now,
            conclusion: Conclusion::Answered,
            resolved_layer: "centre".to_owned(),
            silent,
            in_time: self.case.clock(ClockKey::K5).is_none_or(|clock| !clock.missed),
        });
        Ok(())
    }

    /// When a timer was due, in words: after a downtime the history tells the true time. Empty for people.
    pub(super) fn moment(&self, due: jiff::Timestamp) -> String {
        if self.is(ActingParty::Timer) { self.env.in_words(due) } else { String::new() }
    }

    /// A timer that comes before its time does nothing.
    pub(super) fn not_before(&self, due: jiff::Timestamp) -> Guard {
        if self.now() < due {
            return Err(TransitionError::TooEarly { at: due });
        }
        Ok(())
    }
}
