//! What a model suggests to officers: a reply with its sources, a summary for whoever takes over, a title, plainer words,
//! a type. Always a draft in the officer's hands; what the officer makes of it is recorded, and nothing else happens.
//!
//! Personal data are replaced before the question leaves and put back for the officer, who sees them beside it anyway.
//! What is sensitive goes to no model ([`ModelBar`]); what does not pass the checks is not shown.

mod settle;
mod subject;
mod write;

use jiff::Timestamp;
pub(in crate::app) use settle::{Used, settle};
pub use settle::{end, judge_own};
use subject::Subject;
pub(in crate::app) use subject::{bar_of_its_cases, bar_of_talk, bar_of_words};

use super::{App, AppError, Officer, case_queries::CaseFile, conversations::Detail, model};
pub use crate::domain::{
    suggestion::{ModelBar, SuggestionKind, SuggestionOutcome},
    text::{Change, ChangeKind, Difference},
};
use crate::{
    domain::{
        case::CaseNumber,
        ids::{ConversationId, SuggestionId},
        kinds::{CaseType, Urgency},
        text::difference,
    },
    store::suggestions::{self as rows, NewSuggestion},
};

/// What a generated text is called wherever one is shown.
pub const LABEL: &str = "AI 生成，仅供参考，发出前请逐句核对";

/// Longest text that is put into plainer words, in characters.
const MAX_REWRITTEN: usize = 4_000;

/// What a suggestion is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A case.
    Case(CaseNumber),
    /// A conversation.
    Conversation(ConversationId),
}

/// A source of a suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    /// Id of the rule, or a name for what the officers wrote down themselves.
    pub id: String,
    /// Title.
    pub title: String,
    /// Documents, one line each.
    pub references: Vec<String>,
    /// It waits for somebody to look at its documents again.
    pub awaiting_recheck: bool,
}

/// A type, topic and urgency to choose; only what is more than what stands there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposal {
    /// Type.
    pub case_type: Option<CaseType>,
    /// Topic: code and name.
    pub topic: Option<(String, String)>,
    /// Urgency.
    pub urgency: Option<Urgency>,
    /// What the words tell besides: name of the field and value.
    pub slots: Vec<(String, String)>,
}

impl Proposal {
    /// Whether nothing is proposed.
    pub fn is_empty(&self) -> bool {
        self.case_type.is_none() && self.topic.is_none() && self.urgency.is_none() && self.slots.is_empty()
    }
}

/// A suggestion as the officer gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggested {
    /// Id.
    pub id: SuggestionId,
    /// Kind.
    pub kind: SuggestionKind,
    /// The words.
    pub text: String,
    /// The one-sentence demand, beside a title.
    pub demand: Option<String>,
    /// What they rest on.
    pub sources: Vec<SourceLine>,
    /// What is to be chosen.
    pub proposal: Option<Proposal>,
    /// What is different from the text that was put into plainer words.
    pub changes: Vec<Change>,
    /// When it was made.
    pub at: Timestamp,
}

/// Whether an officer can ask a model about something, as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assist {
    /// Whether asking is worth a try.
    pub ready: bool,
    /// Why not, in words.
    pub why: Option<String>,
    /// Rules could not decide type or topic: a proposal may help.
    pub undecided: bool,
}

impl Assist {
    fn barred(bar: ModelBar) -> Self {
        Self { ready: false, why: Some(format!("{}，请自行拟写", bar.label())), undecided: false }
    }

    fn of(app: &App, bar: Option<ModelBar>, undecided: bool) -> Option<Self> {
        app.model.client()?;
        Some(match bar {
            Some(bar) => Self::barred(bar),
            None if app.model.is_available() => Self { ready: true, why: None, undecided },
            None => {
                Self {
                    ready: false, why: Some("模型已停用或额度已用完，其他功能照常".to_owned()), undecided: false
                }
            }
        })
    }
}

/// Whether a model can be asked about a case; nothing when none is configured or the case is finished.
pub fn assist_of_case(app: &App, file: &CaseFile) -> Option<Assist> {
    if !file.case.status.is_open() {
        return None;
    }
    app.model.client()?;
    let (bar, undecided) = subject::standing(app, &file.case);
    Assist::of(app, bar, undecided.any())
}

/// Whether a model can be asked about a conversation; nothing when none is configured or the conversation is closed.
pub fn assist_of_conversation(app: &App, detail: &Detail) -> Option<Assist> {
    if detail.item.row.state == "closed" {
        return None;
    }
    app.model.client()?;
    Assist::of(app, subject::bar_of_conversation(app, detail), false)
}

fn refused(code: &'static str, detail: impl Into<String>) -> AppError {
    AppError::Conflict { code, detail: Some(detail.into()), allowed: Vec::new() }
}

/// Asks a model for a suggestion and stores it. `text` is what is to be put into plainer words.
///
/// # Errors
/// `NotFound`, `Invalid`; `Conflict`: `model_barred` (sensitive), `model_off`, `model_failed`, `model_refused` (what it
/// wrote did not pass the checks), `model_no_sources`, `model_done` (the case is finished), `model_decided` (the rules
/// have decided type and topic).
pub async fn suggest(
    app: &App,
    officer: &Officer,
    about: &About,
    kind: SuggestionKind,
    text: Option<&str>,
) -> Result<Suggested, AppError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    if kind == SuggestionKind::Rewrite {
        let length = text.map_or(0, |text| text.chars().count());
        if !(1..=MAX_REWRITTEN).contains(&length) {
            return Err(AppError::field("/text", format!("要改写的文字请写 1 到 {MAX_REWRITTEN} 字")));
        }
    } else if text.is_some() {
        return Err(AppError::field("/text", "只有改写才需要原文"));
    }
    let mut subject = Subject::load(app, officer, about).await?;
    if let Some(bar) = subject.bar {
        return Err(refused("model_barred", format!("{}。", bar.label())));
    }
    if app.model.client().is_none() {
        return Err(refused("model_off", "没有配置模型。"));
    }
    let written = write::write(app, officer, &mut subject, kind, text).await?;
    let changes = match text {
        Some(text) => difference(text, &written.shown).changes,
        None => Vec::new(),
    };
    let now = app.now();
    let id = SuggestionId::from_uuid(app.ids.uuid(now));
    let sources: Vec<_> = written
        .sources
        .iter()
        .map(|source| serde_json::json!({ "id": source.id, "title": source.title, "references": source.references }))
        .collect();
    let sources = serde_json::Value::from(sources).to_string();
    // A title is kept together with its demand: an officer takes the one, the other or both.
    let shown = match &written.demand {
        Some(demand) => format!("{}\n{demand}", written.shown),
        None => written.shown.clone(),
    };
    let new = NewSuggestion {
        id,
        kind: kind.as_str(),
        officer: officer.id,
        conversation: subject.conversation,
        case: subject.case,
        exchange: &written.exchange,
        shown: &shown,
        text: &written.text,
        sources: &sources,
    };
    let mut tx = app.db.write().await?;
    rows::insert(&mut tx, &new, now).await?;
    tx.commit().await?;
    if written.proposal.as_ref().is_some_and(Proposal::is_empty) {
        model::judge(app, &written.exchange, "refused", &["empty"]).await?;
    } else {
        model::judge(app, &written.exchange, "used", &[]).await?;
    }
    Ok(Suggested {
        id,
        kind,
        text: written.shown,
        demand: written.demand,
        sources: written.sources,
        proposal: written.proposal,
        changes,
        at: now,
    })
}
