//! Conversations, messages, notes and promises as the staff API shows them.

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::desk_view::DeskFormJson;
use crate::{
    app::{
        App, AppError,
        conversations::{ConversationRow, Detail, Item, MessageRow, NoteRow, PromiseRow, Viewer},
        message::Message,
        message_view::at_json,
        suggestions,
        wechat_out::Limits,
    },
    domain::{dialogue::ConversationState, ids::ConversationId, kinds::Channel},
};

/// An officer by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnerJson {
    /// Officer id.
    pub id: String,
    /// Name shown to people.
    pub name: Option<String>,
}

/// Who looks at a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct ViewerJson {
    /// Officer id.
    pub id: String,
    /// Name shown to people.
    pub name: String,
    /// Whether an answer is being written.
    pub typing: bool,
}

impl From<&Viewer> for ViewerJson {
    fn from(viewer: &Viewer) -> Self {
        Self { id: viewer.officer.to_string(), name: viewer.name.clone(), typing: viewer.typing }
    }
}

/// Who looks at a conversation now.
#[derive(Debug, Serialize, ToSchema)]
pub struct ViewersJson {
    /// The officers.
    pub viewers: Vec<ViewerJson>,
}

/// The last answer of the bot.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnsweredJson {
    /// The rule.
    pub rule_id: String,
    /// The question as asked.
    pub question: String,
    /// A model wrote the answer, from that of the rule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
}

/// What the bot knows from the conversation; absent: it was not said.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KnownJson {
    /// Enterprise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enterprise: Option<String>,
    /// 统一社会信用代码.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uscc: Option<String>,
    /// Contact person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_name: Option<String>,
    /// Contact phone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_phone: Option<String>,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_email: Option<String>,
    /// WeChat name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_wechat: Option<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Unit or person complained of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Day it happened, as said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "")]
    pub happened_on: Option<String>,
    /// Amount, as said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// The last matter in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matter: Option<String>,
    /// Administrative code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Topic code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The last answer of the bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<AnsweredJson>,
    /// The demands on the form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demands: Option<Vec<String>>,
    /// What the form lacks, in Chinese.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// A danger was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<bool>,
}

/// A conversation as lists show it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversationJson {
    /// Conversation id.
    pub id: String,
    /// `bot`, `collecting`, `queued`, `human` or `closed`.
    pub state: String,
    /// The state in Chinese.
    pub state_label: Option<&'static str>,
    /// Slug of the channel.
    pub channel: String,
    /// The channel in Chinese.
    pub channel_label: Option<&'static str>,
    /// The officer who has it.
    pub owner: Option<OwnerJson>,
    /// Slug of the unit it was handed to.
    pub unit: Option<String>,
    /// Short name of that unit.
    pub unit_name: Option<String>,
    /// Grows with every change of owner.
    pub fence: i64,
    /// Number of the last message.
    pub seq: i64,
    /// Topic code.
    pub topic: Option<String>,
    /// The topic in Chinese.
    pub topic_label: Option<String>,
    /// Marks of the bot.
    pub flags: Vec<String>,
    /// Why a person was asked for.
    pub handoff_reason: Option<String>,
    /// Note for whoever takes it.
    pub handoff_note: Option<String>,
    /// Beginning of the last message.
    pub last_text: String,
    /// Since when it waits for a person.
    pub queued_at: Option<String>,
    /// When the officer took it.
    pub claimed_at: Option<String>,
    /// Last message of the visitor.
    pub visitor_at: Option<String>,
    /// Last change.
    pub changed_at: Option<String>,
    /// Beginning.
    pub created_at: Option<String>,
    /// End.
    pub closed_at: Option<String>,
    /// What the bot knows.
    pub known: KnownJson,
    /// Who looks at it now.
    pub viewers: Vec<ViewerJson>,
}

/// A page of conversations.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversationListJson {
    /// The conversations.
    pub items: Vec<ConversationJson>,
    /// Where the next page begins; `null` at the end.
    pub next_cursor: Option<String>,
}

/// A conversation after a change.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversationChangedJson {
    /// Conversation id.
    pub id: String,
    /// `bot`, `collecting`, `queued`, `human` or `closed`.
    pub state: String,
    /// The state in Chinese.
    pub state_label: Option<&'static str>,
    /// The officer who has it.
    pub owner: Option<OwnerJson>,
    /// Grows with every change of owner.
    pub fence: i64,
    /// Number of the last message.
    pub seq: i64,
}

impl ConversationChangedJson {
    /// The row after the change.
    pub fn new(row: &ConversationRow, owner: Option<&str>) -> Self {
        Self {
            id: row.id.clone(),
            state: row.state.clone(),
            state_label: row.state.parse::<ConversationState>().ok().map(ConversationState::label),
            owner: owner_of(row, owner),
            fence: row.fence,
            seq: row.seq,
        }
    }
}

fn owner_of(row: &ConversationRow, name: Option<&str>) -> Option<OwnerJson> {
    row.officer_id.as_ref().map(|id| OwnerJson { id: id.clone(), name: name.map(str::to_owned) })
}

fn at(ms: Option<i64>, zone: &TimeZone) -> Option<String> {
    ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).map(|at| at_json(at, zone))
}

pub(super) fn shape<T: serde::de::DeserializeOwned>(what: &str, value: Value) -> Result<T, AppError> {
    serde_json::from_value(value).map_err(|error| AppError::Internal(format!("{what}: {error}")))
}

impl ConversationJson {
    /// What lists show of it.
    ///
    /// # Errors
    /// `Internal` when what the bot knows has another shape.
    pub fn new(app: &App, item: &Item, zone: &TimeZone) -> Result<Self, AppError> {
        let row = &item.row;
        let id: Option<ConversationId> = row.id.parse().ok();
        let viewers = id.map(|id| app.presence.at(id, app.now())).unwrap_or_default();
        let content = app.content.load();
        Ok(Self {
            id: row.id.clone(),
            state: row.state.clone(),
            state_label: row.state.parse::<ConversationState>().ok().map(ConversationState::label),
            channel: row.channel.clone(),
            channel_label: row.channel.parse::<Channel>().ok().map(Channel::label),
            owner: owner_of(row, item.owner.as_deref()),
            unit: row.unit.clone(),
            unit_name: row.unit.as_deref().map(|unit| content.routing.units().short_name(unit)),
            fence: row.fence,
            seq: row.seq,
            topic: row.topic.clone(),
            topic_label: row.topic.as_deref().and_then(|t| content.taxonomy.topic(t)).map(|t| t.label.clone()),
            flags: serde_json::from_str(&row.flags).unwrap_or_default(),
            handoff_reason: row.handoff_reason.clone(),
            handoff_note: row.handoff_note.clone(),
            last_text: row.last_text.clone(),
            queued_at: at(row.queued_at, zone),
            claimed_at: at(row.claimed_at, zone),
            visitor_at: at(row.visitor_at, zone),
            changed_at: at(Some(row.changed_at), zone),
            created_at: at(Some(row.created_at), zone),
            closed_at: at(row.closed_at, zone),
            known: shape("what the bot knows", item.known.clone())?,
            viewers: viewers.iter().map(ViewerJson::from).collect(),
        })
    }
}

/// A message with what officers see besides.
#[derive(Debug, Serialize, ToSchema)]
pub struct StaffMessage {
    /// What everybody sees.
    #[serde(flatten)]
    pub message: Message,
    /// Why the bot spoke as it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub decision: Option<Value>,
    /// What stands in the way of a message to WeChat; left out once it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryJson>,
}

/// Where a message to WeChat stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryJson {
    /// `waiting`, `held` or `failed`.
    pub state: &'static str,
    /// The same in Chinese, with the reason.
    pub words: String,
}

/// What the platform still allows towards a WeChat user.
#[derive(Debug, Serialize, ToSchema)]
pub struct WechatLimitsJson {
    /// The limits in words: 48 小时窗口还剩 31 小时，还可发 3 条.
    pub words: String,
    /// Messages that may be written still, those that wait counted as sent; `null`: no limit.
    pub left: Option<i64>,
    /// What to do while the window is closed.
    pub advice: Option<&'static str>,
    /// Minutes until the window closes; `null`: there is no window.
    pub window_minutes: Option<i64>,
}

impl From<Limits> for WechatLimitsJson {
    fn from(limits: Limits) -> Self {
        Self {
            words: limits.words(),
            left: limits.spare(),
            advice: limits.advice(),
            window_minutes: limits.window.map(|window| window.as_mins()),
        }
    }
}

impl StaffMessage {
    /// A stored message as officers see it.
    pub fn new(app: &App, row: MessageRow) -> Self {
        let decision = row.decision.as_deref().and_then(|decision| serde_json::from_str(decision).ok());
        Self { message: Message::from_row(app, row), decision, delivery: None }
    }
}

/// An internal note.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoteJson {
    /// Note id.
    pub id: String,
    /// Name of its author.
    pub author: String,
    /// The words.
    pub text: String,
    /// When.
    pub at: Option<String>,
}

impl NoteJson {
    /// A stored note.
    pub fn new(note: NoteRow, zone: &TimeZone) -> Self {
        Self { at: at(Some(note.at), zone), id: note.id, author: note.author, text: note.text }
    }
}

/// All notes of a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotesJson {
    /// The notes, the oldest first.
    pub notes: Vec<NoteJson>,
}

/// A commitment made in a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromiseJson {
    /// Promise id.
    pub id: String,
    /// The conversation in which it was made.
    pub conversation_id: String,
    /// The case it belongs to.
    pub case_number: Option<String>,
    /// What was promised.
    pub text: String,
    /// By when.
    pub due_at: Option<String>,
    /// `open`, `kept` or `dropped`.
    pub state: String,
    /// When it was made.
    pub created_at: Option<String>,
}

impl PromiseJson {
    /// A stored promise.
    pub fn new(promise: PromiseRow, zone: &TimeZone) -> Self {
        Self {
            due_at: at(Some(promise.due_at), zone),
            created_at: at(Some(promise.created_at), zone),
            id: promise.id,
            conversation_id: promise.conversation_id,
            case_number: promise.case_number,
            text: promise.text,
            state: promise.state,
        }
    }
}

/// Open promises.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromiseListJson {
    /// The promises, the next due first.
    pub items: Vec<PromiseJson>,
    /// Always `null`: the list is whole.
    pub next_cursor: Option<String>,
}

/// A conversation with everything beside it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversationDetailJson {
    /// What lists show of it.
    #[serde(flatten)]
    pub conversation: ConversationJson,
    /// What WeChat still allows; `null` for other channels.
    pub wechat: Option<WechatLimitsJson>,
    /// Its latest messages, in order.
    pub messages: Vec<StaffMessage>,
    /// Internal notes.
    pub notes: Vec<NoteJson>,
    /// Promises made in it.
    pub promises: Vec<PromiseJson>,
    /// The form as far as it is filled.
    pub form: Option<DeskFormJson>,
    /// Numbers of the cases filed in it.
    pub cases: Vec<String>,
    /// What this officer may do now.
    pub allowed_actions: Vec<&'static str>,
    /// Whether a model can be asked about it; `null` when none is configured or the conversation is closed.
    pub assist: Option<AssistJson>,
}

/// Whether a model can be asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssistJson {
    /// It can.
    pub ready: bool,
    /// Why not, in Chinese.
    pub why: Option<String>,
}

impl ConversationDetailJson {
    /// A conversation as the desk shows it.
    ///
    /// # Errors
    /// `Internal` when what the bot knows or the form has another shape.
    pub fn new(app: &App, detail: Detail, zone: &TimeZone) -> Result<Self, AppError> {
        let assist = suggestions::assist_of_conversation(app, &detail);
        let standings = detail.standings;
        let shown = |row: MessageRow| {
            let standing = standings.iter().find(|standing| standing.seq == row.seq);
            let delivery = standing.map(|s| DeliveryJson { state: s.state, words: s.words.clone() });
            StaffMessage { delivery, ..StaffMessage::new(app, row) }
        };
        Ok(Self {
            conversation: ConversationJson::new(app, &detail.item, zone)?,
            wechat: detail.limits.map(WechatLimitsJson::from),
            messages: detail.messages.into_iter().map(shown).collect(),
            notes: detail.notes.into_iter().map(|note| NoteJson::new(note, zone)).collect(),
            promises: detail.promises.into_iter().map(|promise| PromiseJson::new(promise, zone)).collect(),
            form: detail.form.map_or(Ok(None), DeskFormJson::from_value)?,
            cases: detail.cases,
            allowed_actions: detail.allowed,
            assist: assist.map(|assist| AssistJson { ready: assist.ready, why: assist.why }),
        })
    }
}

/// By when a promise must be kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromisedJson {
    /// The moment.
    pub due_at: String,
}

/// A stored message of an officer.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentJson {
    /// The message.
    pub message: StaffMessage,
    /// A promise that was found in it.
    pub promise: Option<PromisedJson>,
}

/// A refusal with the messages that came in between.
#[derive(Debug, Serialize, ToSchema)]
pub struct StaleProblem {
    /// Always `about:blank`: `code` tells the kind.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The status.
    pub status: u16,
    /// `stale`.
    pub code: &'static str,
    /// What happened, in Chinese.
    pub detail: String,
    /// What was not seen.
    pub messages: Vec<StaffMessage>,
}
