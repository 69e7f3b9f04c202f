//! Type, topic, urgency and facts that a model proposes for an open form, where the rules are silent or two come out
//! the same. The turn that opens the form only notes the question; the form is shown as it would be without a model.
//! What comes back is one more turn without a word, fenced by its ticket: it becomes a proposal beside the form that
//! the enterprise takes over, changes or leaves, item by item. Nothing is applied by itself.
//!
//! A proposal asks for more and never for less: no lower urgency, no lesser type, nothing in place of what the
//! enterprise said, no fact that does not stand in its own words letter for letter. Never asked: what is against
//! somebody, sensitive, confidential or told without a name.

use super::{
    CaseForm, DialogueState, Effect, FieldKey, FieldSource, FieldValue, Input, InputKind, Knowledge, ReadingMatter,
    TurnEnv, Undecided, asking, filling::check, form::FormMatter, ladder::Turn, message::ConversationState, words,
};
use crate::{
    domain::{
        kinds::{CaseType, Urgency},
        suggestion::{bar_of_type, may_propose},
        text::stands_in,
    },
    vocabulary,
};

/// Stands over every proposal.
pub const PROPOSAL_LABEL: &str = "AI 建议，请核对";
/// What is said to take all of it over, where there are no buttons.
pub(super) const TAKE: &str = "采用建议";
/// Words of which a model can tell nothing: in characters that are letters or digits.
const TOO_SHORT: usize = 8;

vocabulary! {
    /// What is proposed.
    ProposalKey {
        Type = "type", "事项类型";
        Topic = "topic", "主题";
        Urgency = "urgency", "紧急程度";
        Enterprise = "enterprise", "企业名称";
        Place = "place", "事发地点";
        Object = "object", "涉及单位";
        HappenedOn = "happened_on", "发生日期";
        Amount = "amount", "涉及金额";
    }
}

vocabulary! {
    /// What became of something proposed.
    ProposalOutcome {
        Open = "open", "待核对";
        Accepted = "accepted", "采用";
        Changed = "changed", "改后采用";
        Refused = "refused", "不采用";
        Dropped = "dropped", "未处理";
    }
}

vocabulary! {
    /// Why a part of what a model said is not proposed.
    ProposalFault {
        UnknownType = "unknown_type", "没有这个类型";
        UnknownTopic = "unknown_topic", "没有这个主题";
        UnknownUrgency = "unknown_urgency", "没有这个紧急程度";
        UnknownSlot = "unknown_slot", "没有这个要素";
        Decided = "decided_by_rules", "规则已经判明";
        LowerType = "lower_type", "降低了事项类型";
        LowerUrgency = "lower_urgency", "降低了紧急程度";
        Said = "said_already", "企业自己说过";
        Invented = "invented_slot", "原文里没有";
        Unreadable = "unreadable_slot", "要素不成立";
    }
}

impl ProposalKey {
    /// The field of the form it is about.
    pub const fn field(self) -> Option<FieldKey> {
        match self {
            Self::Type | Self::Topic | Self::Urgency => None,
            Self::Enterprise => Some(FieldKey::Enterprise),
            Self::Place => Some(FieldKey::Place),
            Self::Object => Some(FieldKey::Object),
            Self::HappenedOn => Some(FieldKey::HappenedOn),
            Self::Amount => Some(FieldKey::Amount),
        }
    }
}

/// A question about the form and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormProposal {
    /// Names the question within the conversation.
    pub ticket: u32,
    /// Nothing came back yet.
    pub awaited: bool,
    /// Number of the matter it is about.
    pub matter: u32,
    /// What the rules leave open.
    pub undecided: Undecided,
    /// What is proposed.
    pub items: Vec<ProposedItem>,
}

/// One thing proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedItem {
    /// What.
    pub key: ProposalKey,
    /// The value: a slug, a code, or the words of the field.
    pub value: String,
    /// The enterprise took it over, perhaps with another value; kept until the next card shows it.
    pub accepted: bool,
}

/// What a model said, as it wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposed {
    /// Slug of the type.
    pub case_type: Option<String>,
    /// Code of the topic.
    pub topic: Option<String>,
    /// Slug of the urgency.
    pub urgency: Option<String>,
    /// Slug of a field and its value.
    pub slots: Vec<(String, String)>,
}

impl FormProposal {
    /// What waits for a decision.
    pub fn open(&self) -> impl Iterator<Item = &ProposedItem> {
        self.items.iter().filter(|item| !item.accepted)
    }

    /// In plain words, for channels without cards; nothing without an open item.
    pub(super) fn in_words(&self, knowledge: &dyn Knowledge) -> Option<String> {
        let items: Vec<String> =
            self.open().map(|item| format!("{} {}", item.key.label(), item.shown(knowledge))).collect();
        (!items.is_empty())
            .then(|| format!("（{PROPOSAL_LABEL}：{}。要采用请回复“{TAKE}”，不采用不用管）", items.join("；")))
    }
}

impl ProposedItem {
    /// The value as people read it.
    pub fn shown(&self, knowledge: &dyn Knowledge) -> String {
        match self.key {
            ProposalKey::Type => self.value.parse::<CaseType>().map(|t| t.label().to_owned()).ok(),
            ProposalKey::Topic => knowledge.topic(&self.value).map(|topic| topic.label),
            ProposalKey::Urgency => self.value.parse::<Urgency>().map(|u| u.label().to_owned()).ok(),
            ProposalKey::Enterprise
            | ProposalKey::Place
            | ProposalKey::Object
            | ProposalKey::HappenedOn
            | ProposalKey::Amount => None,
        }
        .unwrap_or_else(|| self.value.clone())
    }
}

/// Whether an enterprise may choose this type itself; the others are made by officers and imports.
const fn may_be_chosen(case_type: CaseType) -> bool {
    !matches!(case_type, CaseType::Risk | CaseType::RatingReview)
}

/// Values of a decision that cannot be taken over, in words for people; the proposal itself is not looked at.
pub fn proposal_errors(
    env: &TurnEnv<'_>,
    state: &DialogueState,
    accepted: &[(ProposalKey, String)],
) -> Vec<(ProposalKey, String)> {
    let matter = state.form.as_ref().and_then(about);
    accepted.iter().filter_map(|(key, value)| Some((*key, fit(*key, value, matter, env).err()?))).collect()
}

/// The matter that the proposal of a form is about.
fn about(form: &CaseForm) -> Option<&FormMatter> {
    let proposal = form.proposal.as_ref()?;
    form.matters.iter().find(|matter| matter.n == proposal.matter && matter.keep)
}

/// The value as it would stand on the form.
fn fit(key: ProposalKey, value: &str, matter: Option<&FormMatter>, env: &TurnEnv<'_>) -> Result<String, String> {
    let value = value.trim();
    match key {
        ProposalKey::Type => match value.parse::<CaseType>() {
            Ok(case_type) if may_be_chosen(case_type) => Ok(case_type.as_str().to_owned()),
            Ok(_) | Err(_) => Err("没有这个事项类型".to_owned()),
        },
        ProposalKey::Topic => match env.knowledge.topic(value) {
            Some(_) => Ok(value.to_owned()),
            None => Err("没有这个主题".to_owned()),
        },
        ProposalKey::Urgency => match value.parse::<Urgency>() {
            Ok(urgency) if matter.is_none_or(|matter| urgency >= matter.urgency) => Ok(urgency.as_str().to_owned()),
            Ok(_) | Err(_) => Err("紧急程度只能提高".to_owned()),
        },
        ProposalKey::Enterprise
        | ProposalKey::Place
        | ProposalKey::Object
        | ProposalKey::HappenedOn
        | ProposalKey::Amount => match key.field().map(|field| check(field, value, env.today)) {
            Some(Ok(value)) if !value.is_empty() => Ok(value),
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Err(format!("请填写{}", key.label())),
        },
    }
}

/// What of a model's words may be proposed for this form, and why the rest may not.
fn weigh(
    said: &Proposed,
    words: &str,
    form: &CaseForm,
    proposal: &FormProposal,
    env: &TurnEnv<'_>,
) -> (Vec<ProposedItem>, Vec<ProposalFault>) {
    let (mut items, mut faults) = (Vec::new(), Vec::new());
    let Some(matter) = form.matters.iter().find(|matter| matter.n == proposal.matter && matter.keep) else {
        return (items, faults);
    };
    let mut add = |key, value: String| items.push(ProposedItem { key, value, accepted: false });
    let mut fault = |fault| {
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    };
    match said.case_type.as_deref().map(str::parse::<CaseType>) {
        None => {}
        Some(Ok(same)) if same == matter.case_type => {}
        Some(Ok(_)) if matter.case_type != matter.proposed.0 => fault(ProposalFault::Said),
        Some(Ok(_)) if !proposal.undecided.case_type => fault(ProposalFault::Decided),
        Some(Ok(case_type)) if !may_propose(matter.case_type, case_type) => fault(ProposalFault::LowerType),
        Some(Ok(case_type)) if may_be_chosen(case_type) => add(ProposalKey::Type, case_type.as_str().to_owned()),
        Some(Ok(_) | Err(_)) => fault(ProposalFault::UnknownType),
    }
    match said.topic.as_deref() {
        None => {}
        Some(same) if matter.topic.as_deref() == Some(same) => {}
        Some(code) if env.knowledge.topic(code).is_none() => fault(ProposalFault::UnknownTopic),
        Some(_) if matter.topic != matter.proposed.1 => fault(ProposalFault::Said),
        Some(_) if !proposal.undecided.topic => fault(ProposalFault::Decided),
        Some(code) => add(ProposalKey::Topic, code.to_owned()),
    }
    match said.urgency.as_deref().map(str::parse::<Urgency>) {
        None => {}
        Some(Ok(urgency)) if urgency > matter.urgency => add(ProposalKey::Urgency, urgency.as_str().to_owned()),
        Some(Ok(urgency)) if urgency == matter.urgency => {}
        Some(Ok(_)) => fault(ProposalFault::LowerUrgency),
        Some(Err(_)) => fault(ProposalFault::UnknownUrgency),
    }
    for (slot, value) in &said.slots {
        let Some((key, field)) = slot.parse::<ProposalKey>().ok().and_then(|key| Some((key, key.field()?))) else {
            fault(ProposalFault::UnknownSlot);
            continue;
        };
        if form.fields.get(&field).is_some_and(|field| !field.value.is_empty()) {
            fault(ProposalFault::Said);
        } else if !stands_in(value.trim(), words) {
            fault(ProposalFault::Invented);
        } else {
            match fit(key, value, None, env) {
                Ok(value) => add(key, value),
                Err(_) => fault(ProposalFault::Unreadable),
            }
        }
    }
    (items, faults)
}

impl Turn<'_> {
    /// Notes a question about the form that was just opened, when the rules left type or topic of a matter open and
    /// nothing of the form keeps it from a model.
    pub(super) fn ask_to_classify(&mut self, matters: &[ReadingMatter]) {
        let with_the_bot = matches!(self.state.mode, ConversationState::Bot | ConversationState::Collecting);
        let Some(form) = self.state.form.as_mut() else { return };
        form.proposal = None;
        if !self.env.knowledge.may_classify() || !with_the_bot || self.state.risk {
            return;
        }
        let secret = form.is_secret();
        let barred = |m: &FormMatter| m.sensitive || !m.objects.is_empty() || bar_of_type(m.case_type).is_some();
        if secret || form.matters.iter().any(barred) || asking::tells_of_conduct(&form.original) {
            return;
        }
        let open = form.matters.iter().zip(matters).find(|(_, reading)| reading.undecided.any());
        let Some((matter, reading)) = open else { return };
        let question = if form.matters.len() == 1 { form.original.clone() } else { matter.text.clone() };
        if question.chars().filter(|c| c.is_alphanumeric()).count() < TOO_SHORT {
            return;
        }
        self.state.tickets = self.state.tickets.saturating_add(1);
        let ticket = self.state.tickets;
        form.proposal = Some(FormProposal {
            ticket,
            awaited: true,
            matter: matter.n,
            undecided: reading.undecided,
            items: Vec::new(),
        });
        self.effects.push(Effect::Classify { ticket, question });
    }

    /// Whether the input is about a proposal; it is then done, whoever has the conversation.
    pub(super) fn of_a_proposal(&mut self, input: &Input) -> bool {
        match &input.kind {
            InputKind::Proposed { ticket, words, said, exchange } => {
                if self.state.awaited_proposal() == Some(*ticket) {
                    self.proposed(said, words, exchange);
                }
                true
            }
            InputKind::ProposalDecided { ticket, accepted, refused } => {
                self.decided(*ticket, accepted, refused);
                true
            }
            InputKind::Text(_)
            | InputKind::QuickReply(_)
            | InputKind::FormSubmit { .. }
            | InputKind::Attachment { .. }
            | InputKind::Place { .. }
            | InputKind::Unreadable { .. }
            | InputKind::Handoff
            | InputKind::Feedback { .. }
            | InputKind::ModelAnswered { .. }
            | InputKind::ModelRefused { .. } => false,
        }
    }

    fn proposed(&mut self, said: &Proposed, words: &str, exchange: &str) {
        let Some(form) = self.state.form.as_mut() else { return };
        let Some(mut proposal) = form.proposal.take() else { return };
        let (items, faults) = weigh(said, words, form, &proposal, self.env);
        self.effects.push(Effect::Proposed {
            ticket: proposal.ticket,
            exchange: exchange.to_owned(),
            shown: items.iter().map(|item| item.key).collect(),
            faults,
        });
        proposal.awaited = false;
        proposal.items = items;
        form.proposal = Some(proposal);
    }

    /// Takes over and leaves what the enterprise says; what was decided before stays as it is.
    fn decided(&mut self, ticket: u32, accepted: &[(ProposalKey, String)], refused: &[ProposalKey]) {
        let env = self.env;
        let region = self.region();
        let Some(form) = self.state.form.as_mut() else { return };
        let Some(mut proposal) = form.proposal.take_if(|proposal| proposal.ticket == ticket) else { return };
        for (key, value) in accepted {
            let Some(item) = proposal.items.iter_mut().find(|item| item.key == *key && !item.accepted) else {
                continue;
            };
            let matter = form.matters.iter_mut().find(|matter| matter.n == proposal.matter && matter.keep);
            let Ok(value) = fit(*key, value, matter.as_deref(), env) else { continue };
            let outcome = if value == item.value { ProposalOutcome::Accepted } else { ProposalOutcome::Changed };
            match (key.field(), matter) {
                (Some(field), _) => {
                    let source =
                        if outcome == ProposalOutcome::Accepted { FieldSource::Proposed } else { FieldSource::Typed };
                    let value = FieldValue { value: value.clone(), source: Some(source), ..FieldValue::default() };
                    form.fields.insert(field, value);
                }
                (None, Some(matter)) => {
                    match key {
                        ProposalKey::Topic => matter.topic = Some(value.clone()),
                        ProposalKey::Urgency => matter.urgency = value.parse().unwrap_or(matter.urgency),
                        ProposalKey::Type
                        | ProposalKey::Enterprise
                        | ProposalKey::Place
                        | ProposalKey::Object
                        | ProposalKey::HappenedOn
                        | ProposalKey::Amount => matter.case_type = value.parse().unwrap_or(matter.case_type),
                    }
                    let topic = matter.topic.as_deref();
                    matter.route = env.knowledge.route(
                        matter.case_type,
                        topic,
                        &matter.text,
                        region.as_deref(),
                        &matter.objects,
                        matter.urgency,
                    );
                }
                (None, None) => continue,
            }
            item.value = value;
            item.accepted = true;
            self.proposal_ended.push((*key, outcome));
        }
        for key in refused {
            if proposal.open().any(|item| item.key == *key) {
                proposal.items.retain(|item| item.key != *key);
                self.proposal_ended.push((*key, ProposalOutcome::Refused));
            }
        }
        form.proposal = Some(proposal);
    }

    /// 采用建议 and 不采用 told in words, while something is proposed.
    pub(super) fn proposal_words(&mut self, text: &str) -> bool {
        let Some(proposal) = self.state.form.as_ref().and_then(|form| form.proposal.as_ref()) else { return false };
        let open: Vec<ProposedItem> = proposal.open().cloned().collect();
        if open.is_empty() {
            return false;
        }
        let ticket = proposal.ticket;
        let lead = match words::bare(text).as_str() {
            "采用建议" | "采用" | "采用AI建议" | "采纳建议" | "采纳" | "按建议填" | "用建议" | "都采用" =>
            {
                let names: Vec<String> = open
                    .iter()
                    .map(|item| format!("{} {}", item.key.label(), item.shown(self.env.knowledge)))
                    .collect();
                let accepted: Vec<(ProposalKey, String)> =
                    open.into_iter().map(|item| (item.key, item.value)).collect();
                self.decided(ticket, &accepted, &[]);
                format!("已按建议填上：{}。", names.join("；"))
            }
            "不采用" | "不采用建议" | "不用建议" | "不采纳" | "不采纳建议" | "不要建议" => {
                let refused: Vec<ProposalKey> = open.iter().map(|item| item.key).collect();
                self.decided(ticket, &[], &refused);
                "好的，不采用 AI 的建议。".to_owned()
            }
            _ => return false,
        };
        self.step("form");
        self.ask_for_missing(&lead);
        true
    }

    /// At the end of a turn: what the form says by now is no proposal any more, and what went is told.
    pub(super) fn settle_proposal(&mut self) {
        let before = self.proposal_before.take();
        let mut ended = std::mem::take(&mut self.proposal_ended);
        if let Some(form) = self.state.form.as_mut()
            && let Some(mut proposal) = form.proposal.take()
        {
            let matter = form.matters.iter().find(|matter| matter.n == proposal.matter && matter.keep);
            proposal.items.retain(|item| {
                let outcome = if item.accepted { None } else { outdated(item, form, matter) };
                ended.extend(outcome.map(|outcome| (item.key, outcome)));
                outcome.is_none()
            });
            if !form.submitted && (proposal.awaited || !proposal.items.is_empty()) {
                form.proposal = Some(proposal);
            }
        }
        let Some(before) = before else { return };
        let now = self.state.form.as_ref().and_then(|form| form.proposal.as_ref());
        let now = now.filter(|now| now.ticket == before.ticket);
        for item in before.open() {
            let is_there = now.is_some_and(|now| now.items.iter().any(|there| there.key == item.key));
            if !is_there && !ended.iter().any(|(key, _)| *key == item.key) {
                ended.push((item.key, ProposalOutcome::Dropped));
            }
        }
        if !ended.is_empty() {
            self.effects.push(Effect::ProposalEnded { ticket: before.ticket, ended });
        }
    }
}

/// How an item ended that the form has left behind; nothing when it still is a proposal.
fn outdated(item: &ProposedItem, form: &CaseForm, matter: Option<&FormMatter>) -> Option<ProposalOutcome> {
    let Some(matter) = matter else { return Some(ProposalOutcome::Dropped) };
    let (there, original) = match item.key {
        ProposalKey::Type => (Some(matter.case_type.as_str()), Some(matter.proposed.0.as_str())),
        ProposalKey::Topic => (matter.topic.as_deref(), matter.proposed.1.as_deref()),
        ProposalKey::Urgency => (None, None),
        ProposalKey::Enterprise
        | ProposalKey::Place
        | ProposalKey::Object
        | ProposalKey::HappenedOn
        | ProposalKey::Amount => (item.key.field().and_then(|field| form.value(field)), None),
    };
    match there {
        Some(value) if value == item.value => Some(ProposalOutcome::Accepted),
        _ if there != original => Some(ProposalOutcome::Changed),
        _ => None,
    }
}
