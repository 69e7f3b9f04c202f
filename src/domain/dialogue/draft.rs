//! The case draft the dialogue hands to intake, and what intake hands back.

use jiff::{Timestamp, civil::Date};

use crate::domain::{
    kinds::{CaseType, Channel, Urgency},
    routing::Route,
};

/// One matter, ready to be filed as a case after an explicit 提交 (T02).
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "marks of the case that are independent of each other")]
pub struct CaseDraft {
    /// Enterprise name as told.
    pub enterprise: Option<String>,
    /// 统一社会信用代码, check character verified.
    pub uscc: Option<String>,
    /// Whom to call back.
    pub contact: Contact,
    /// Where it happened.
    pub place: Option<String>,
    /// The unit or person complained of or owing, as told.
    pub object: Option<String>,
    /// When it happened.
    pub happened_on: Option<Date>,
    /// The sum of money at stake.
    pub amount: Option<Amount>,
    /// Short title for lists.
    pub title: String,
    /// The demand in one sentence, as confirmed.
    pub demand: String,
    /// The enterprise's own words, never changed.
    pub original: String,
    /// Proposed or chosen type.
    pub case_type: CaseType,
    /// Proposed or chosen topic code.
    pub topic: Option<String>,
    /// Best topics with their scores and evidence words.
    pub topics: Vec<TopicScore>,
    /// Urgency.
    pub urgency: Urgency,
    /// Administrative code of the region.
    pub region: Option<String>,
    /// The channel it came by.
    pub channel: Channel,
    /// The enterprise wants its identity kept from the unit concerned.
    pub confidential: bool,
    /// No name and no contact were left (举报 only).
    pub anonymous: bool,
    /// Identity is sealed because of the matter (作风 …).
    pub sensitive: bool,
    /// A threat or a group incident was mentioned.
    pub risk: bool,
    /// Organs named as the object, for recusal.
    pub objects: Vec<String>,
    /// Where it would go and why.
    pub route: RouteProposal,
    /// What the proposal rests on.
    pub evidence: Evidence,
    /// What the visitor changed against the proposal.
    pub changes: Vec<FieldChange>,
    /// Ids of files sent in the conversation.
    pub attachments: Vec<String>,
    /// The rule answer that did not solve it (T10).
    pub answered_before: Option<AnsweredBefore>,
    /// Number of this matter and of all matters filed together.
    pub part: (u32, u32),
}

/// Whom to call back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contact {
    /// Name as told.
    pub name: Option<String>,
    /// Telephone, digits with an optional leading `+`.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// WeChat id.
    pub wechat: Option<String>,
}

impl Contact {
    /// Whether there is any way to reach the enterprise.
    pub const fn is_reachable(&self) -> bool {
        self.phone.is_some() || self.email.is_some() || self.wechat.is_some()
    }
}

/// A sum of money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// As written by the enterprise.
    pub text: String,
    /// In fen (1/100 yuan), when it could be read.
    pub fen: Option<i64>,
}

/// One topic with its score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicScore {
    /// Topic code.
    pub topic: String,
    /// Score of the rules that voted for it.
    pub score: u32,
    /// The words that voted.
    pub words: Vec<String>,
}

/// Where a case would be sent, and why; an officer can always override it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouteProposal {
    /// Slug of the lead unit.
    pub lead: String,
    /// Its short Chinese name.
    pub lead_name: String,
    /// Assisting units: slug and name.
    pub assists: Vec<(String, String)>,
    /// The board (板块).
    pub board: Option<String>,
    /// The category of the fallback table.
    pub category: Option<String>,
    /// Whether several units must act together.
    pub joint: bool,
    /// SLA profile named by the table row.
    pub profile: Option<String>,
    /// Which place counts.
    pub place_basis: Option<String>,
    /// The row seals the identity.
    pub sensitive: bool,
    /// What the row tells the dispatcher.
    pub guidance: String,
    /// Marks that a rule puts on the case.
    pub tags: Vec<String>,
    /// Why, in Chinese; shown.
    pub reason: String,
    /// Step of the routing algorithm that decided.
    pub step: String,
}

impl From<Route> for RouteProposal {
    fn from(route: Route) -> Self {
        Self {
            lead: route.lead,
            lead_name: route.lead_name,
            assists: route.assists.into_iter().map(|unit| (unit.slug, unit.name)).collect(),
            board: (!route.board.is_empty()).then_some(route.board),
            category: Some(route.category.as_str().to_owned()),
            joint: route.joint,
            profile: route.profile,
            place_basis: Some(route.place_basis.as_str().to_owned()),
            sensitive: route.sensitive,
            guidance: route.guidance,
            tags: Vec::new(),
            reason: route.reason,
            step: route.step.to_owned(),
        }
    }
}

/// What the proposed type, topic and urgency rest on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// Rule ids that fired.
    pub rules: Vec<String>,
    /// The words that fired them.
    pub words: Vec<String>,
    /// Hash of the rule set.
    pub rule_set_hash: String,
    /// Confidence, 0 to 1.
    pub confidence: f32,
}

/// One correction by the visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Field key, or `type` / `topic`.
    pub field: String,
    /// What the bot had proposed.
    pub proposed: String,
    /// What was submitted.
    pub submitted: String,
}

/// The bot answer that came before a case (T10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredBefore {
    /// The rule.
    pub rule_id: String,
    /// Its version.
    pub version: String,
}

/// What intake gives back for one filed case; also the receipt's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledCase {
    /// Case number.
    pub number: String,
    /// Query code, the same for siblings.
    pub code: String,
    /// Title.
    pub title: String,
    /// Slug of the status.
    pub status: String,
    /// Chinese status.
    pub status_label: String,
    /// Stage of the 8-stage bar, from 1.
    pub stage: u8,
    /// When the next step is due.
    pub due_at: Option<Timestamp>,
    /// The same in words.
    pub due_text: Option<String>,
    /// Somebody else of the enterprise has an open case like it; officers see which.
    pub alike: bool,
}

/// An open case of the visitor's own: filed by the same person, or opened with number and code in this conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCase {
    /// Case number.
    pub number: String,
    /// Title.
    pub title: String,
    /// Demand in one sentence; compared for duplicates.
    pub demand: String,
    /// Topic code.
    pub topic: Option<String>,
    /// Chinese status.
    pub status_label: String,
}

/// What the enterprise may see of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressView {
    /// Case number.
    pub number: String,
    /// Title.
    pub title: String,
    /// Slug of the status.
    pub status: String,
    /// Wording for the enterprise.
    pub status_label: String,
    /// Stage of the 8-stage bar, from 1.
    pub stage: u8,
    /// Who has it now.
    pub holder: Option<String>,
    /// When it is due.
    pub due_at: Option<Timestamp>,
    /// The same in words.
    pub due_text: Option<String>,
    /// Latest public events, newest first.
    pub latest: Vec<String>,
    /// Whether it is still being handled.
    pub is_open: bool,
    /// Whether the enterprise may say now if it is solved.
    pub may_confirm: bool,
    /// Whether the enterprise may rate it now.
    pub may_rate: bool,
}
