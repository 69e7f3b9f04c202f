//! The JSON shapes of what stands beside the chat: the form, cases filed there, colleagues, rule answers.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::conversation_view::shape;
use crate::{
    app::{AppError, conversations::Canned, message::FormMatterInfo, message_view::at_json},
    domain::dialogue::FiledCase,
};

/// An officer to whom a conversation can be handed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ColleagueJson {
    /// Id of the account.
    pub id: String,
    /// Name.
    pub name: String,
    /// Slug of the unit; empty for the centre.
    pub unit: String,
    /// Short name of the unit.
    pub unit_name: String,
}

/// A unit with its short name.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnitNameJson {
    /// Its slug.
    pub slug: String,
    /// Its short name.
    pub name: String,
}

/// Whom a conversation can be handed to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ColleaguesJson {
    /// Officers, by name.
    pub items: Vec<ColleagueJson>,
    /// Every unit.
    pub units: Vec<UnitNameJson>,
}

/// A rule answer to be sent with a click.
#[derive(Debug, Serialize, ToSchema)]
pub struct CannedJson {
    /// The rule.
    pub rule_id: String,
    /// Title.
    pub title: String,
    /// Text.
    pub text: String,
    /// Sources, one line each.
    pub citations: Vec<String>,
    /// Waits for human re-check.
    pub awaiting_recheck: bool,
    /// Meant for officers only: to be rewritten before it is sent.
    pub draft: bool,
}

/// Rule answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct CannedListJson {
    /// The best first.
    pub items: Vec<CannedJson>,
    /// Always `null`: the list is whole.
    pub next_cursor: Option<String>,
}

impl From<Canned> for CannedJson {
    fn from(canned: Canned) -> Self {
        Self {
            rule_id: canned.rule_id,
            title: canned.title,
            text: canned.text,
            citations: canned.citations,
            awaiting_recheck: canned.awaiting_recheck,
            draft: canned.draft,
        }
    }
}

/// A case filed beside the chat.
#[derive(Debug, Serialize, ToSchema)]
pub struct FiledCaseJson {
    /// Number.
    pub number: String,
    /// Query code; the same for cases filed together.
    pub code: String,
    /// Title.
    pub title: String,
    /// State.
    pub status: String,
    /// State in words.
    pub status_label: String,
    /// Stage of the 8-stage bar, from 1.
    pub stage: u8,
    /// When the next step is due.
    pub due_at: Option<String>,
    /// In words.
    pub due_text: Option<String>,
}

impl FiledCaseJson {
    /// A line of the receipt.
    pub fn new(case: FiledCase, zone: &TimeZone) -> Self {
        Self {
            due_at: case.due_at.map(|at| at_json(at, zone)),
            number: case.number,
            code: case.code,
            title: case.title,
            status: case.status,
            status_label: case.status_label,
            stage: case.stage,
            due_text: case.due_text,
        }
    }
}

/// The form as it stands; nothing was filed.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseDraftJson {
    /// The form.
    pub form: Option<DeskFormJson>,
}

/// Cases filed beside the chat.
#[derive(Debug, Serialize, ToSchema)]
pub struct FiledCasesJson {
    /// The cases.
    pub cases: Vec<FiledCaseJson>,
}

/// A choice of a field.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChoiceJson {
    /// What is sent.
    pub value: String,
    /// What is shown.
    pub label: String,
}

/// One field of the form beside the chat.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeskFieldJson {
    /// Key for `POST /api/conversations/{id}/case`.
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
    /// `said` or `typed`.
    pub source: Option<String>,
    /// `text`, `tel`, `date`, `textarea` or `select`.
    pub input: String,
    /// Choices of a `select`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<ChoiceJson>,
}

/// The form beside the chat.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeskFormJson {
    /// The matters told, each a case of its own.
    pub matters: Vec<FormMatterInfo>,
    /// The fields in reading order.
    pub fields: Vec<DeskFieldJson>,
    /// Keys of what is missing.
    pub missing: Vec<String>,
    /// Whether 提交 would be accepted.
    pub can_submit: bool,
    /// Whether it was submitted.
    pub submitted: bool,
    /// Types to choose from.
    pub types: Vec<ChoiceJson>,
}

impl DeskFormJson {
    /// The form as the use case gives it; `null` is none.
    ///
    /// # Errors
    /// `Internal` when it has another shape.
    pub fn from_value(form: Value) -> Result<Option<Self>, AppError> {
        shape("the form beside the chat", form)
    }
}
