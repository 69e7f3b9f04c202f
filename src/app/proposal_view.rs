//! What a model proposes for a visitor's form, as front ends get it: part of the conversation, never of a message,
//! because it comes after the form was shown and goes when the visitor decided. Nothing here decides anything.

use serde::Serialize;
use utoipa::ToSchema;

use super::{App, dialogue_codec};
use crate::{
    domain::{
        dialogue::{DialogueState, FormMatter, Knowledge as _, PROPOSAL_LABEL, ProposalKey, ProposedItem, Shipped},
        kinds::{CaseType, Urgency},
    },
    store::conversations::ConversationRow,
};

/// What a model proposes for the newest form. Nothing of it is on the form until `POST /api/chat/proposal` takes it
/// over, and nothing is filed without 提交.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProposalInfo {
    /// Names the proposal within the conversation.
    pub ticket: u32,
    /// Number of the matter it is about.
    pub matter: u32,
    /// The words that have to stand over it: “AI 建议，请核对”.
    pub label: String,
    /// What is proposed.
    pub items: Vec<ProposalItemInfo>,
}

/// One thing proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProposalItemInfo {
    /// `type`, `topic`, `urgency`, or a field of the form: `enterprise`, `place`, `object`, `happened_on`, `amount`.
    pub key: String,
    /// Label of the key.
    pub label: String,
    /// The value to send back.
    pub value: String,
    /// The value as people read it.
    pub value_label: String,
    /// The visitor took it over since the form was shown.
    pub accepted: bool,
    /// What else can be chosen; empty for fields, which take any words.
    pub options: Vec<ProposalOption>,
}

/// A value that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProposalOption {
    /// The value to send.
    pub value: String,
    /// The value as people read it.
    pub label: String,
}

/// The proposal of a stored conversation.
pub fn of_row(app: &App, row: &ConversationRow) -> Option<ProposalInfo> {
    // Reading the whole state is not worth it where there is none.
    row.dialogue.contains("\"proposal\":").then(|| of_state(app, &dialogue_codec::decode(&row.dialogue))).flatten()
}

/// The proposal of a conversation; nothing while the model is stopped by the switch.
pub fn of_state(app: &App, state: &DialogueState) -> Option<ProposalInfo> {
    let form = state.form.as_ref().filter(|form| !form.submitted)?;
    let proposal = form.proposal.as_ref().filter(|proposal| !proposal.items.is_empty())?;
    if app.model.is_stopped() {
        return None;
    }
    let matter = form.matters.iter().find(|matter| matter.n == proposal.matter)?;
    let content = app.content.load();
    let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, app.now());
    let items = proposal.items.iter().map(|item| ProposalItemInfo {
        key: item.key.as_str().to_owned(),
        label: item.key.label().to_owned(),
        value: item.value.clone(),
        value_label: item.shown(&knowledge),
        accepted: item.accepted,
        options: options(item, matter, &knowledge),
    });
    Some(ProposalInfo {
        ticket: proposal.ticket,
        matter: proposal.matter,
        label: PROPOSAL_LABEL.to_owned(),
        items: items.collect(),
    })
}

fn options(item: &ProposedItem, matter: &FormMatter, knowledge: &Shipped<'_>) -> Vec<ProposalOption> {
    let option = |value: &str, label: &str| ProposalOption { value: value.to_owned(), label: label.to_owned() };
    match item.key {
        ProposalKey::Type => CaseType::ALL
            .iter()
            .filter(|t| !matches!(t, CaseType::Risk | CaseType::RatingReview))
            .map(|t| option(t.as_str(), t.label()))
            .collect(),
        ProposalKey::Topic => {
            // The proposed one, and those that the rules thought of.
            let mut codes = vec![item.value.as_str()];
            codes.extend(matter.topics.iter().map(|score| score.topic.as_str()).filter(|code| *code != item.value));
            codes.iter().filter_map(|code| Some(option(code, &knowledge.topic(code)?.label))).collect()
        }
        ProposalKey::Urgency => {
            Urgency::ALL.iter().filter(|u| **u >= matter.urgency).map(|u| option(u.as_str(), u.label())).collect()
        }
        ProposalKey::Enterprise
        | ProposalKey::Place
        | ProposalKey::Object
        | ProposalKey::HappenedOn
        | ProposalKey::Amount => Vec::new(),
    }
}
