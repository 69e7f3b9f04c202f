//! Messages and conversations as front ends see them, and the part of a message that is stored as JSON.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, proposal_view::ProposalInfo};
use crate::{
    domain::dialogue::{Card, FiledCase, FormCard, KnownCase, ProgressView, Reply, form::FieldKey},
    store::conversations::{ConversationRow, MessageRow},
};

/// A button under a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Button {
    /// Text on the button.
    pub label: String,
    /// Text sent when tapped.
    pub text: String,
}

/// One source of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// Title of the document.
    pub title: String,
    /// Document number, clause, validity.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Where it is published.
    #[serde(default)]
    pub url: Option<String>,
}

/// Who wrote a message of the staff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Author {
    /// Name of the officer.
    pub name: String,
    /// Short name of the unit.
    pub unit: String,
}

/// A file in the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileInfo {
    /// Id for `GET /api/chat/attachments/{id}`.
    pub id: String,
    /// Name as sent, made safe.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// Type found in its content.
    pub mime: String,
}

/// One matter on the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FormMatterInfo {
    /// Number, from 1.
    pub n: u32,
    /// Whether it will be filed.
    pub keep: bool,
    /// Slug of the type.
    #[serde(rename = "type")]
    pub case_type: String,
    /// Label of the type.
    pub type_label: String,
    /// Topic code.
    pub topic: Option<String>,
    /// Label of the topic.
    pub topic_label: Option<String>,
    /// The demand in one sentence.
    pub demand: String,
    /// Who will probably handle it.
    pub lead_hint: Option<String>,
}

/// One field on the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FormFieldInfo {
    /// Key for `POST /api/chat/case`.
    pub key: String,
    /// Label.
    pub label: String,
    /// Present value.
    pub value: String,
    /// Whether nothing can be filed without it.
    pub required: bool,
    /// Whether it is missing.
    pub missing: bool,
    /// What is wrong with it.
    pub error: Option<String>,
    /// `said`, `typed` or `proposed` (by a model, and taken over by the visitor).
    pub source: Option<String>,
    /// `text`, `tel`, `date`, `textarea` or `select`.
    pub input: String,
    /// Choices of a `select`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// The registration form in the chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FormInfo {
    /// The matters told, each a case of its own.
    pub matters: Vec<FormMatterInfo>,
    /// The fields in reading order.
    pub fields: Vec<FormFieldInfo>,
    /// Keys of what is missing.
    pub missing: Vec<String>,
    /// Whether 提交 would be accepted.
    pub can_submit: bool,
    /// Whether it was submitted.
    pub submitted: bool,
}

/// One case on a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CardCase {
    /// Case number.
    pub number: String,
    /// Query code, on a receipt only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Title.
    pub title: String,
    /// Slug of the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Status in words.
    pub status_label: String,
    /// Stage of the 8-stage bar, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<u8>,
    /// Who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// When the next step is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_text: Option<String>,
    /// Latest public events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latest: Vec<String>,
}

/// A card in the chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CardInfo {
    /// `receipt`, `progress` or `duplicate`.
    pub kind: String,
    /// The cases.
    pub cases: Vec<CardCase>,
}

/// What of a message is stored as JSON beside its columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageBody {
    /// Buttons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quick_replies: Vec<Button>,
    /// Sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<Source>,
    /// Version of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_version: Option<String>,
    /// The rule waits for human re-check.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub awaiting_recheck: bool,
    /// The form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<FormInfo>,
    /// The card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<CardInfo>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment: Option<FileInfo>,
    /// The officer who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// A model wrote it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
}

impl MessageBody {
    /// The column's text; nothing when there is nothing to keep.
    ///
    /// # Panics
    /// Never: texts and numbers always serialise.
    pub fn to_column(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        Some(serde_json::to_string(self).expect("a message body of texts and numbers serialises"))
    }

    /// Reads the column; an unreadable one counts as empty rather than hiding the message.
    pub fn from_column(column: Option<&str>) -> Self {
        column.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// What a reply of the bot carries besides its words.
    pub fn of_reply(app: &App, reply: &Reply) -> Self {
        Self {
            quick_replies: reply
                .quick_replies
                .iter()
                .map(|button| Button { label: button.label.clone(), text: button.text.clone() })
                .collect(),
            citations: reply
                .citations
                .iter()
                .map(|source| Source {
                    title: source.title.clone(),
                    reference: source.reference.clone(),
                    url: source.url.clone(),
                })
                .collect(),
            rule_version: reply.rule_version.clone(),
            awaiting_recheck: reply.awaiting_recheck,
            form: reply.form.as_ref().map(FormInfo::from),
            card: reply.card.as_ref().map(|card| CardInfo::new(app, card)),
            attachment: None,
            author: None,
            generated: reply.generated,
        }
    }
}

impl From<&FormCard> for FormInfo {
    fn from(card: &FormCard) -> Self {
        Self {
            matters: card
                .matters
                .iter()
                .map(|matter| FormMatterInfo {
                    n: matter.n,
                    keep: matter.keep,
                    case_type: matter.case_type.as_str().to_owned(),
                    type_label: matter.case_type.label().to_owned(),
                    topic: matter.topic.clone(),
                    topic_label: matter.topic_label.clone(),
                    demand: matter.demand.clone(),
                    lead_hint: matter.lead_hint.clone(),
                })
                .collect(),
            fields: card
                .fields
                .iter()
                .map(|field| {
                    let (input, options) = input_of(field.key);
                    FormFieldInfo {
                        key: field.key.as_str().to_owned(),
                        label: field.key.label().to_owned(),
                        value: field.value.clone(),
                        required: field.required,
                        missing: field.missing,
                        error: field.error.clone(),
                        source: field.source.map(|source| source.as_str().to_owned()),
                        input: input.to_owned(),
                        options: options.iter().map(|option| (*option).to_owned()).collect(),
                    }
                })
                .collect(),
            missing: card.missing.iter().map(|key| key.as_str().to_owned()).collect(),
            can_submit: card.can_submit,
            submitted: card.submitted,
        }
    }
}

const fn input_of(key: FieldKey) -> (&'static str, &'static [&'static str]) {
    match key {
        FieldKey::ContactPhone => ("tel", &[]),
        FieldKey::HappenedOn => ("date", &[]),
        FieldKey::Demand => ("textarea", &[]),
        FieldKey::Confidential => ("select", &["否", "是"]),
        FieldKey::Enterprise
        | FieldKey::Uscc
        | FieldKey::ContactName
        | FieldKey::Place
        | FieldKey::Object
        | FieldKey::Amount => ("text", &[]),
    }
}

impl CardInfo {
    fn new(app: &App, card: &Card) -> Self {
        match card {
            Card::Receipt { cases } => {
                Self { kind: "receipt".into(), cases: cases.iter().map(|case| CardCase::filed(app, case)).collect() }
            }
            Card::Progress { cases } => Self {
                kind: "progress".into(),
                cases: cases.iter().map(|case| CardCase::progress(app, case)).collect(),
            },
            Card::Duplicate { case } => Self { kind: "duplicate".into(), cases: vec![CardCase::known(case)] },
        }
    }
}

impl CardCase {
    fn filed(app: &App, case: &FiledCase) -> Self {
        Self {
            number: case.number.clone(),
            code: Some(case.code.clone()),
            title: case.title.clone(),
            status: Some(case.status.clone()),
            status_label: case.status_label.clone(),
            stage: Some(case.stage),
            holder: None,
            due_at: case.due_at.map(|at| app.rfc3339(at)),
            due_text: case.due_text.clone(),
            latest: Vec::new(),
        }
    }

    fn progress(app: &App, case: &ProgressView) -> Self {
        Self {
            number: case.number.clone(),
            code: None,
            title: case.title.clone(),
            status: Some(case.status.clone()),
            status_label: case.status_label.clone(),
            stage: Some(case.stage),
            holder: case.holder.clone(),
            due_at: case.due_at.map(|at| app.rfc3339(at)),
            due_text: case.due_text.clone(),
            latest: case.latest.clone(),
        }
    }

    fn known(case: &KnownCase) -> Self {
        Self {
            number: case.number.clone(),
            code: None,
            title: case.title.clone(),
            status: None,
            status_label: case.status_label.clone(),
            stage: None,
            holder: None,
            due_at: None,
            due_text: None,
            latest: Vec::new(),
        }
    }
}

/// A message as front ends get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Message {
    /// Message id.
    pub id: String,
    /// Number within the conversation, from 1, without gaps.
    pub seq: i64,
    /// `visitor`, `bot`, `officer` or `system`.
    pub from: String,
    /// `text`, `image`, `file`, `card`, `form` or `event`.
    pub kind: String,
    /// The words.
    pub text: String,
    /// Buttons.
    pub quick_replies: Vec<Button>,
    /// Sources of a rule answer.
    pub citations: Vec<Source>,
    /// The rule that speaks.
    pub rule_id: Option<String>,
    /// When, RFC 3339.
    pub at: String,
    /// The client's own id of a visitor's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Version of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_version: Option<String>,
    /// The rule waits for human re-check.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub awaiting_recheck: bool,
    /// The form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<FormInfo>,
    /// The card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<CardInfo>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment: Option<FileInfo>,
    /// The officer who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// A model wrote it from the sources named: show it apart from rule answers. The label
    /// “AI 生成，仅供参考，以政策原文为准” is the last line of its text.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
}

impl Message {
    /// A stored message as front ends get it.
    pub fn from_row(app: &App, row: MessageRow) -> Self {
        let body = MessageBody::from_column(row.body.as_deref());
        Self::new(app, row, body)
    }

    /// The same of a row that is still needed.
    pub fn of_row(app: &App, row: &MessageRow, body: MessageBody) -> Self {
        let row = MessageRow {
            conversation_id: String::new(),
            body: None,
            decision: None,
            officer_id: None,
            id: row.id.clone(),
            client_id: row.client_id.clone(),
            sender: row.sender.clone(),
            kind: row.kind.clone(),
            text: row.text.clone(),
            rule_id: row.rule_id.clone(),
            seq: row.seq,
            reply_to: row.reply_to,
            at: row.at,
        };
        Self::new(app, row, body)
    }

    /// The same when the body is at hand.
    pub fn new(app: &App, row: MessageRow, body: MessageBody) -> Self {
        Self {
            id: row.id,
            seq: row.seq,
            from: row.sender,
            kind: row.kind,
            text: row.text,
            quick_replies: body.quick_replies,
            citations: body.citations,
            rule_id: row.rule_id,
            at: app.rfc3339(Timestamp::from_millisecond(row.at).unwrap_or(Timestamp::UNIX_EPOCH)),
            client_id: row.client_id,
            rule_version: body.rule_version,
            awaiting_recheck: body.awaiting_recheck,
            form: body.form,
            card: body.card,
            attachment: body.attachment,
            author: body.author,
            generated: body.generated,
        }
    }
}

/// A conversation as its visitor sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConversationInfo {
    /// Conversation id.
    pub id: String,
    /// `bot`, `collecting`, `queued`, `human` or `closed`.
    pub state: String,
    /// Number of the last message.
    pub seq: i64,
    /// The officer who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub officer: Option<Author>,
    /// How many wait before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_position: Option<i64>,
    /// What a model proposes for the newest form, to be checked by the visitor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<ProposalInfo>,
}

impl ConversationInfo {
    /// A stored conversation as its visitor sees it.
    pub fn new(
        row: &ConversationRow,
        officer: Option<Author>,
        queue_position: Option<i64>,
        proposal: Option<ProposalInfo>,
    ) -> Self {
        Self { id: row.id.clone(), state: row.state.clone(), seq: row.seq, officer, queue_position, proposal }
    }
}
