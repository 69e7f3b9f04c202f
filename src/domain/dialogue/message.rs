//! What goes into a turn and what comes out: inputs, replies, effects and the record of the decision.

use jiff::{Timestamp, civil::Date};

use super::{
    draft::{CaseDraft, FiledCase, KnownCase, ProgressView},
    form::{FieldKey, FieldSource},
    knowledge::Knowledge,
    proposing::{ProposalFault, ProposalKey, ProposalOutcome, Proposed},
    state::DialogueState,
};
use crate::{
    domain::kinds::{CaseType, Channel, Command, Diversion, Urgency},
    vocabulary,
};

vocabulary! {
    /// Who has the conversation now; the external contract's `state`.
    ConversationState {
        Bot = "bot", "机器人应答";
        Collecting = "collecting", "填写登记单";
        Queued = "queued", "等待人工";
        Human = "human", "人工服务";
        Closed = "closed", "已结束";
    }
}

vocabulary! {
    /// Who speaks in a message; the external contract's `from`.
    Sender {
        Visitor = "visitor", "访客";
        Bot = "bot", "机器人";
        Officer = "officer", "工作人员";
        System = "system", "系统";
    }
}

vocabulary! {
    /// The kind of a message.
    MessageKind {
        Text = "text", "文字";
        Image = "image", "图片";
        File = "file", "文件";
        Card = "card", "卡片";
        Form = "form", "登记单";
        Event = "event", "事件";
    }
}

vocabulary! {
    /// Why a person is called.
    HandoffReason {
        Asked = "asked", "来访者要求转人工";
        Unclear = "unclear", "两轮澄清后仍不明确";
        Emergency = "emergency", "紧急险情";
        Risk = "risk", "风险苗头，需立即关注";
        Secret = "secret", "疑似涉密或他人隐私";
        Expired = "expired", "依据已到期";
        Unsolved = "unsolved", "答复未解决问题";
        Sensitive = "sensitive", "敏感事项";
        Error = "error", "系统未能应答";
    }
}

/// One thing the visitor did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is.
    pub kind: InputKind,
}

/// The kinds of visitor input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputKind {
    /// Typed text, unchanged.
    Text(String),
    /// A tapped quick reply: its text.
    QuickReply(String),
    /// The form card, sent from the page.
    FormSubmit {
        /// Field values as they stand in the card.
        fields: Vec<(FieldKey, String)>,
        /// What the visitor decided about each matter.
        matters: Vec<MatterEdit>,
        /// `true` is the explicit 提交; `false` only saves the fields.
        confirm: bool,
    },
    /// An uploaded file that passed its checks.
    Attachment {
        /// Id of the stored file.
        id: String,
        /// The file's name as shown.
        name: String,
        /// Whether it is an image.
        image: bool,
    },
    /// A place on the map, in words.
    Place {
        /// Its address, or its coordinates.
        words: String,
    },
    /// Something that nobody can read here: a file that could not be had, a sticker.
    Unreadable {
        /// What the bot says to it.
        excuse: &'static str,
    },
    /// The button 转人工.
    Handoff,
    /// A mark on the last answer: solved or not.
    Feedback {
        /// `true`: 解决了.
        helpful: bool,
    },
    /// The model answered, and the answer passed its checks. No visitor can send this.
    ModelAnswered {
        /// The question it answers.
        ticket: u32,
        /// The answer.
        answer: GeneratedAnswer,
    },
    /// There is no answer of the model that may be shown. No visitor can send this.
    ModelRefused {
        /// The question.
        ticket: u32,
    },
    /// The model proposes something for the open form. No visitor can send this.
    Proposed {
        /// The question it belongs to.
        ticket: u32,
        /// The words that were asked about, as they were said.
        words: String,
        /// What the model said, personal data put back; nothing of it is checked yet.
        said: Proposed,
        /// Id of the exchange in the journal.
        exchange: String,
    },
    /// The visitor decided about what was proposed.
    ProposalDecided {
        /// The proposal.
        ticket: u32,
        /// What shall be taken over, with the value: the proposed one or another.
        accepted: Vec<(ProposalKey, String)>,
        /// What shall not.
        refused: Vec<ProposalKey>,
    },
}

/// An answer that a model wrote and that was checked against its sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedAnswer {
    /// The words, without the label.
    pub text: String,
    /// What the named sources rest on.
    pub citations: Vec<Citation>,
    /// The rules whose answers it was written from.
    pub rule_ids: Vec<String>,
    /// Version of the rule set.
    pub version: String,
    /// Topic of the first of them.
    pub topic: Option<String>,
    /// One of them waits for somebody to look at its sources again.
    pub awaiting_recheck: bool,
}

impl Input {
    /// Typed text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { kind: InputKind::Text(text.into()) }
    }

    /// The words the visitor sent, if the input carries words.
    pub fn words(&self) -> Option<&str> {
        match &self.kind {
            InputKind::Text(text) | InputKind::QuickReply(text) => Some(text),
            InputKind::FormSubmit { .. }
            | InputKind::Attachment { .. }
            | InputKind::Place { .. }
            | InputKind::Unreadable { .. }
            | InputKind::Handoff
            | InputKind::Feedback { .. }
            | InputKind::ModelAnswered { .. }
            | InputKind::ModelRefused { .. }
            | InputKind::Proposed { .. }
            | InputKind::ProposalDecided { .. } => None,
        }
    }

    /// The question of the model that this is about; nothing for what a visitor did.
    pub const fn ticket(&self) -> Option<u32> {
        match &self.kind {
            InputKind::ModelAnswered { ticket, .. } | InputKind::ModelRefused { ticket } => Some(*ticket),
            InputKind::Text(_)
            | InputKind::QuickReply(_)
            | InputKind::FormSubmit { .. }
            | InputKind::Attachment { .. }
            | InputKind::Place { .. }
            | InputKind::Unreadable { .. }
            | InputKind::Handoff
            | InputKind::Feedback { .. }
            | InputKind::Proposed { .. }
            | InputKind::ProposalDecided { .. } => None,
        }
    }

    /// Whether it does not come from the visitor.
    pub const fn is_of_the_model(&self) -> bool {
        self.ticket().is_some() || matches!(self.kind, InputKind::Proposed { .. })
    }
}

/// A visitor's decision about one matter of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatterEdit {
    /// Number of the matter on the form, from 1.
    pub n: u32,
    /// Whether it shall be filed.
    pub keep: bool,
    /// The type the visitor chose instead.
    pub case_type: Option<CaseType>,
    /// The topic the visitor chose instead.
    pub topic: Option<String>,
    /// The demand as corrected.
    pub demand: Option<String>,
}

/// A button under a message: what it shows and what tapping it sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuickReply {
    /// Text on the button.
    pub label: String,
    /// Text sent when tapped.
    pub text: String,
}

impl QuickReply {
    /// A button that sends its own label.
    pub fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { label: text.clone(), text }
    }
}

/// One source of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    /// Title of the document.
    pub title: String,
    /// Document number and clause, with the validity (`文号 第X条`).
    pub reference: String,
    /// Where it is published.
    pub url: Option<String>,
}

/// One message of the bot or the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Who speaks: `Bot` or `System`.
    pub from: Sender,
    /// The kind of message.
    pub kind: MessageKind,
    /// The words; never empty.
    pub text: String,
    /// Buttons.
    pub quick_replies: Vec<QuickReply>,
    /// Sources of a rule answer.
    pub citations: Vec<Citation>,
    /// The rule that speaks.
    pub rule_id: Option<String>,
    /// The rule's version, shown as 规则库 v….
    pub rule_version: Option<String>,
    /// The rule still waits for human re-check (待人工复核); officers see it.
    pub awaiting_recheck: bool,
    /// The form, for `MessageKind::Form`.
    pub form: Option<FormCard>,
    /// The card, for `MessageKind::Card`.
    pub card: Option<Card>,
    /// A model wrote it: shown apart from rule answers, with the label at the end of its text.
    pub generated: bool,
}

impl Reply {
    /// A plain sentence of the bot.
    pub fn say(text: impl Into<String>) -> Self {
        Self {
            from: Sender::Bot,
            kind: MessageKind::Text,
            text: text.into(),
            quick_replies: Vec::new(),
            citations: Vec::new(),
            rule_id: None,
            rule_version: None,
            awaiting_recheck: false,
            form: None,
            card: None,
            generated: false,
        }
    }

    /// A line of the system (已转人工 …).
    pub fn event(text: impl Into<String>) -> Self {
        Self { from: Sender::System, kind: MessageKind::Event, ..Self::say(text) }
    }

    /// The same reply with buttons.
    #[must_use]
    pub fn with_buttons<I, S>(mut self, labels: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        for label in labels {
            let button = QuickReply::same(label);
            if !self.quick_replies.iter().any(|there| there.text == button.text) {
                self.quick_replies.push(button);
            }
        }
        self
    }
}

/// A structured card inside the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Card {
    /// 登记回执: the numbers and the one query code.
    Receipt {
        /// The cases just filed; siblings share one code.
        cases: Vec<FiledCase>,
    },
    /// 办理进度 of one or more cases.
    Progress {
        /// What the enterprise may see.
        cases: Vec<ProgressView>,
    },
    /// A similar open case was found: 补充到这件 / 另提一件.
    Duplicate {
        /// The open case.
        case: KnownCase,
    },
}

/// The registration form as shown in the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormCard {
    /// The matters told, each its own case.
    pub matters: Vec<FormCardMatter>,
    /// The fields in reading order.
    pub fields: Vec<FormCardField>,
    /// Keys of what is still missing, all at once.
    pub missing: Vec<FieldKey>,
    /// Whether 提交 would be accepted now.
    pub can_submit: bool,
    /// Whether it has been submitted.
    pub submitted: bool,
}

/// One matter on the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormCardMatter {
    /// Number, from 1.
    pub n: u32,
    /// Whether it will be filed.
    pub keep: bool,
    /// Proposed type.
    pub case_type: CaseType,
    /// Proposed topic code.
    pub topic: Option<String>,
    /// Name of the topic.
    pub topic_label: Option<String>,
    /// The demand in one sentence, for correction.
    pub demand: String,
    /// Who will probably handle it.
    pub lead_hint: Option<String>,
}

/// One field on the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormCardField {
    /// The key.
    pub key: FieldKey,
    /// The present value; empty when unknown.
    pub value: String,
    /// Whether nothing can be filed without it.
    pub required: bool,
    /// Whether it is missing.
    pub missing: bool,
    /// What is wrong with the value, in words for people.
    pub error: Option<String>,
    /// Where the value came from.
    pub source: Option<FieldSource>,
}

/// What an enterprise does to its own case by words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseAct {
    /// 催办 (T49).
    Urge,
    /// 补充 (T50); what is added stands beside it.
    Add,
    /// 撤回 (T43).
    Withdraw,
    /// 确认解决, or not (T30, T31).
    Confirm {
        /// Whether it is solved.
        solved: bool,
    },
    /// 评价 (T30, T31).
    Rate {
        /// 5 best to 1 worst.
        grade: u8,
    },
}

/// Something the application must do, inside the transaction that stores the turn.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Put the conversation into the queue for a person.
    RequestHuman {
        /// Why.
        reason: HandoffReason,
        /// A sentence for the officer.
        note: String,
    },
    /// Leave the queue again.
    LeaveQueue,
    /// File these cases as one group with one query code; then call [`super::filed`].
    FileCases(Vec<CaseDraft>),
    /// Add what was said to an open case (T50) instead of filing a new one.
    AppendToCase {
        /// Its number.
        number: String,
        /// The words to add.
        text: String,
        /// Files to add.
        attachments: Vec<String>,
    },
    /// Do what the enterprise wants with its own case; then call [`super::acted`].
    OnCase {
        /// Its number as shown.
        number: String,
        /// What.
        act: CaseAct,
        /// What was said besides.
        words: Option<String>,
    },
    /// A commitment made in a reply: becomes a dated task (invariant 12).
    Promise {
        /// What was promised.
        text: String,
        /// Until when.
        due: Timestamp,
        /// The case it belongs to, if one exists already.
        case: Option<String>,
    },
    /// Page the duty person at once.
    PageDuty {
        /// D1 for emergencies, D4 for secrets; none for threats.
        code: Option<Diversion>,
        /// What happened, in words without personal data.
        note: String,
    },
    /// Mark the conversation for the officers (risk, confidential, sensitive …).
    Flag {
        /// The mark.
        flag: &'static str,
    },
    /// Do not keep the text of this input (secrets): store `replacement` instead.
    PurgeInput {
        /// What is stored in place of the text.
        replacement: &'static str,
    },
    /// The visitor judged an answer.
    Feedback {
        /// The rule that had answered.
        rule_id: Option<String>,
        /// Whether it helped.
        helpful: bool,
    },
    /// No rule answered: keep for `rules/unanswered`.
    Unanswered {
        /// The question with personal data masked.
        text: String,
    },
    /// Ask the model what the form is about; it comes back as [`InputKind::Proposed`], or not at all.
    Classify {
        /// Names the question.
        ticket: u32,
        /// The words.
        question: String,
    },
    /// What came of a proposal of the model: what the visitor sees, and why the rest is left out.
    Proposed {
        /// The proposal.
        ticket: u32,
        /// Id of the exchange in the journal.
        exchange: String,
        /// What is shown.
        shown: Vec<ProposalKey>,
        /// Why something is not.
        faults: Vec<ProposalFault>,
    },
    /// What became of proposals that were shown.
    ProposalEnded {
        /// The proposal.
        ticket: u32,
        /// Each with its end.
        ended: Vec<(ProposalKey, ProposalOutcome)>,
    },
    /// Ask the model; its answer comes back as [`InputKind::ModelAnswered`] or [`InputKind::ModelRefused`].
    AskModel {
        /// Names the question.
        ticket: u32,
        /// The question as it was said.
        question: String,
    },
}

/// What the ladder decided and why; stored with the message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DecisionRecord {
    /// The rung that answered: `safety`, `command`, `form`, `rules`, `model`, `clarify`, `case`, `human`,
    /// `silent`.
    pub step: &'static str,
    /// Rule ids that fired, the winner first.
    pub rules: Vec<String>,
    /// Matched spans in the original text: rule, start, end (bytes).
    pub spans: Vec<(String, usize, usize)>,
    /// Rules that come into question beside the answer.
    pub near: Vec<String>,
    /// Rules that nearly fired, each with what it lacked.
    pub missed: Vec<(String, String)>,
    /// Rules on trial that fired; they changed nothing.
    pub shadow: Vec<String>,
    /// Content hash of the rule set.
    pub rule_set_hash: String,
    /// Proposed type of the first matter.
    pub case_type: Option<CaseType>,
    /// Proposed topic of the first matter.
    pub topic: Option<String>,
    /// Urgency of the first matter.
    pub urgency: Option<Urgency>,
    /// Confidence of the first matter, 0 to 1.
    pub confidence: f32,
    /// Command recognised.
    pub command: Option<Command>,
    /// Diversion recognised.
    pub diversion: Option<Diversion>,
}

/// What a turn knows besides the state: content, time, place, and what was loaded for it.
///
/// [`super::needs`] tells before the turn which of the optional parts are worth loading.
#[derive(Clone, Copy)]
pub struct TurnEnv<'a> {
    /// Rules, taxonomy, routing and office hours.
    pub knowledge: &'a dyn Knowledge,
    /// The instant of the turn.
    pub now: Timestamp,
    /// The civil date of the turn in the configured zone.
    pub today: Date,
    /// The region this gateway serves by default (administrative code).
    pub default_region: Option<&'a str>,
    /// The channel of the conversation.
    pub channel: Channel,
    /// How many conversations already wait for a person.
    pub queue_ahead: u32,
    /// Open cases of this conversation and of the enterprise named in [`super::Needs`].
    pub open_cases: &'a [KnownCase],
    /// Answer to the progress query of [`super::Needs`]: the cases that number and code open.
    pub progress: &'a [ProgressView],
}

/// The result of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnOutcome {
    /// The state after the turn.
    pub state: DialogueState,
    /// What to say, in order.
    pub replies: Vec<Reply>,
    /// What to do.
    pub effects: Vec<Effect>,
    /// Why.
    pub record: DecisionRecord,
}
