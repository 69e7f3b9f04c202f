//! What the forms of a case need to know. Which forms there are is said by the allowed actions alone.

use super::{
    field::{Field, Tone},
    forms::{ActionForm, action_form},
};
use crate::{
    app::{Officer, auth::Account, case_queries::CaseFile, content::Content},
    domain::{
        access::Role,
        case::{Case, CaseAction, CaseStatus, Conclusion, PauseReason, TaskKind, TaskState},
        kinds::CaseType,
        sla::Approver,
    },
    web::view::Choice,
};

/// What the forms need to know of the case and the house.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact of the case")]
pub struct FormFacts {
    /// Slug of the present case type.
    pub case_type: String,
    /// Present topic code; before the acceptance the one that is proposed, where there is none yet.
    pub topic: String,
    /// Slug of the urgency.
    pub urgency: String,
    /// Slug of the complexity.
    pub complexity: String,
    /// Slug of the proposed or present lead unit.
    pub lead: String,
    /// Slugs of the proposed or present assisting units.
    pub assists: Vec<String>,
    /// Short name of the lead unit.
    pub lead_name: String,
    /// Name of the enterprise, or how it is called while sealed.
    pub enterprise: String,
    /// Every unit: slug and short name.
    pub units: Vec<(String, String)>,
    /// Every topic: code and label.
    pub topics: Vec<(String, String)>,
    /// Handlers of the lead unit: id and name.
    pub handlers: Vec<(String, String)>,
    /// Open assist tasks: id and question.
    pub tasks: Vec<(String, String)>,
    /// Those of them that the officer's own units are to answer.
    pub own_tasks: Vec<(String, String)>,
    /// Slug of the unit that has the case; empty before the dispatch.
    pub present_lead: String,
    /// The unit that a return proposes instead.
    pub return_to: String,
    /// Reasons for which this officer may stop the clock now.
    pub pauses: Vec<PauseReason>,
    /// What a unit asked a pause for, until the centre decides.
    pub pause_asked: String,
    /// The answer is with the enterprise: who calls it calls about that.
    pub calls_back: bool,
    /// Tomorrow, `YYYY-MM-DD`.
    pub tomorrow: String,
    /// The policy asks for no signature under a reply.
    pub unsigned: bool,
    /// Who decides about an extension.
    pub approver: &'static str,
    /// Longest extension, in working days.
    pub extension_limit: u32,
    /// The rung reached so far; 0 at first.
    pub rung: u8,
    /// The opinion given now is the last one: it names the lead unit.
    pub last_opinion: bool,
    /// The case waits for opinions.
    pub before_approval: bool,
    /// The draft or signed reply.
    pub reply: String,
    /// Label of its conclusion.
    pub conclusion: String,
    /// A text the rules would answer with.
    pub suggested_answer: String,
    /// Its source.
    pub suggested_source: String,
    /// Days an extension asked for.
    pub extension_days: String,
}

impl FormFacts {
    pub(super) fn lead_field(&self) -> Field {
        Field::choose("lead", "主办单位", from_pairs(&self.units, &self.lead))
    }

    /// Every unit but the one that has the case.
    pub(super) fn other_units(&self, present: &str) -> Vec<Choice> {
        let mut options = from_pairs(&self.units, present);
        options.retain(|option| option.value != self.present_lead);
        options
    }

    pub(super) fn assists_field(&self) -> Field {
        let mut options = from_pairs(&self.units, "");
        for option in &mut options {
            option.selected = self.assists.contains(&option.value);
        }
        Field::units("assists", "协办单位（可不选）", options)
    }

    pub(super) fn conclusion_field(&self) -> Field {
        let case_type: Option<CaseType> = self.case_type.parse().ok();
        let fitting = Conclusion::ALL.iter().filter(|conclusion| case_type.is_none_or(|kind| conclusion.fits(kind)));
        Field::choose("conclusion", "结论", fitting.map(|value| Choice::new(value.as_str(), value.label())).collect())
    }
}

/// Pairs of value and label as choices.
pub(super) fn from_pairs(pairs: &[(String, String)], present: &str) -> Vec<Choice> {
    pairs.iter().map(|(value, label)| Choice::new(value, label).chosen(present)).collect()
}

/// The forms of what an officer may do to a case now, the main path first.
pub fn forms(content: &Content, file: &CaseFile, officer: &Officer, accounts: &[Account]) -> Vec<ActionForm> {
    let facts = facts(content, file, officer, accounts);
    let mut forms: Vec<ActionForm> = file.allowed.iter().filter_map(|action| action_form(*action, &facts)).collect();
    forms.sort_by_key(|form| order(form.action));
    // One step is the next one; the others stand beside it.
    for form in forms.iter_mut().filter(|form| form.tone == Tone::Primary.as_str()).skip(1) {
        form.tone = Tone::Plain.as_str();
    }
    forms
}

fn facts(content: &Content, file: &CaseFile, officer: &Officer, accounts: &[Account]) -> FormFacts {
    let case = &file.case;
    let lead = case.lead_unit.clone().or_else(|| case.proposed_lead.clone()).unwrap_or_default();
    let units = content.routing.units();
    let reply = match (&case.signature, &case.draft) {
        (Some(signed), _) => (signed.text.clone(), signed.conclusion.label()),
        (None, Some(draft)) => (draft.text.clone(), draft.conclusion.label()),
        (None, None) => (String::new(), ""),
    };
    FormFacts {
        case_type: case.case_type.as_str().to_owned(),
        topic: topic(content, case),
        urgency: case.urgency.as_str().to_owned(),
        complexity: case.complexity.map(|grade| grade.as_str().to_owned()).unwrap_or_default(),
        lead_name: if lead.is_empty() { String::new() } else { units.short_name(&lead) },
        assists: if case.assists.is_empty() { case.proposed_assists.clone() } else { case.assists.clone() },
        enterprise: if case.party.enterprise.is_empty() { "企业".to_owned() } else { case.party.enterprise.clone() },
        // A recused unit is no choice.
        units: units
            .list()
            .iter()
            .filter(|unit| !case.recused.contains(&unit.slug))
            .map(|unit| (unit.slug.clone(), unit.short_name.clone()))
            .collect(),
        topics: content.taxonomy.topics().iter().map(|topic| (topic.code.clone(), topic.label.clone())).collect(),
        handlers: handlers(accounts, &lead),
        tasks: tasks(file, &|_| true),
        reply: reply.0,
        conclusion: reply.1.to_owned(),
        extension_days: case.overlay.extension.as_ref().map(|asked| asked.days.to_string()).unwrap_or_default(),
        lead,
        own_tasks: tasks(file, &|unit| officer.grants.iter().any(|(_, of)| of.as_deref() == Some(unit))),
        present_lead: case.lead_unit.clone().unwrap_or_default(),
        return_to: case.returns.last().map(|request| request.proposed_unit.clone()).unwrap_or_default(),
        pauses: file.pause_reasons.clone(),
        pause_asked: case.overlay.pause_asked.clone().unwrap_or_default(),
        tomorrow: content.schedule.civil(file.now).date().tomorrow().map(|day| day.to_string()).unwrap_or_default(),
        unsigned: !case.requirements.sign_off,
        extension_limit: file.longest_extension,
        approver: match (case.extensions, case.requirements.extension_by) {
            (0, Approver::Dispatcher) => "中心",
            (0, by) => by.label(),
            (1.., _) => Approver::Supervisor.label(),
        },
        rung: case.overlay.escalated.unwrap_or(0),
        last_opinion: case.status == CaseStatus::PreApproval
            && case.approvals.saturating_add(1) >= case.requirements.chain,
        before_approval: case.status == CaseStatus::PreApproval,
        calls_back: case.status == CaseStatus::AwaitingConfirm,
        ..FormFacts::default()
    }
}

/// The topic that a form begins with.
fn topic(content: &Content, case: &Case) -> String {
    let proposed =
        case.proposal.topic.as_ref().or_else(|| case.proposal.topics.first().map(|proposed| &proposed.topic));
    let proposed = proposed.filter(|_| case.status == CaseStatus::Submitted);
    let known = |code: &&String| content.taxonomy.topic(code).is_some();
    case.topic.as_ref().or(proposed).filter(known).cloned().unwrap_or_default()
}

/// Open assist tasks of these units: id, unit and question.
fn tasks(file: &CaseFile, of: &dyn Fn(&str) -> bool) -> Vec<(String, String)> {
    let open = file.case.tasks.iter().filter(|task| task.kind == TaskKind::Assist && task.state == TaskState::Open);
    open.filter(|task| of(&task.unit))
        .map(|task| (task.id.to_string(), format!("{}：{}", file.unit_name(&task.unit), task.text)))
        .collect()
}

/// The main path first, what ends something last.
fn order(action: &str) -> usize {
    const ORDER: &[CaseAction] = &[
        CaseAction::Accept,
        CaseAction::Dispatch,
        CaseAction::RuleOwnership,
        CaseAction::SignIn,
        CaseAction::SignOff,
        CaseAction::DraftReply,
        CaseAction::RecordContact,
        CaseAction::ReleaseReply,
        CaseAction::ApproveClose,
        CaseAction::UpholdRating,
        CaseAction::GrantReturn,
        CaseAction::GrantExtension,
        CaseAction::RecordProgress,
        CaseAction::AnswerAssist,
        CaseAction::Confirm,
        CaseAction::RequestClose,
        CaseAction::AnswerOnSpot,
        CaseAction::RequestInfo,
        CaseAction::Assign,
    ];
    ORDER.iter().position(|known| known.as_str() == action).unwrap_or(ORDER.len())
}

fn handlers(accounts: &[Account], lead: &str) -> Vec<(String, String)> {
    accounts
        .iter()
        .filter(|account| {
            account.active && account.roles.iter().any(|(role, unit)| *role == Role::Handler && unit == lead)
        })
        .map(|account| (account.login.clone(), account.name.clone()))
        .collect()
}
