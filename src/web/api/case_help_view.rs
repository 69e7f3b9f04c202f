//! The JSON shape of help with a case.

use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use super::{case_view::rfc3339, desk_view::CannedJson};
use crate::app::case_help::{CaseHelp, SimilarCase};

/// What helps an officer with a case. Nothing of it was sent to anybody.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseHelpView {
    /// What the case does not tell yet, what is needed most first.
    pub missing: Vec<String>,
    /// Rule answers about its topic that are near, the nearest first.
    pub answers: Vec<CannedJson>,
    /// The nearest answer with its sources, to begin a reply with; null when none is near.
    pub suggested_reply: Option<String>,
    /// Finished cases like it that the caller may see, the most alike first, without names.
    pub similar: Vec<SimilarView>,
}

/// A finished case like the one asked about.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimilarView {
    /// Number.
    pub number: String,
    /// Title, without names.
    pub title: String,
    /// When it was closed.
    pub closed_at: Option<String>,
    /// With which conclusion, in words.
    pub conclusion: Option<&'static str>,
    /// Short name of the unit that had it.
    pub unit: String,
    /// How it was answered, without names, shortened.
    pub reply: Option<String>,
}

impl CaseHelpView {
    pub(super) fn new(help: CaseHelp, zone: &TimeZone) -> Self {
        let similar = |case: SimilarCase| SimilarView {
            number: case.number,
            title: case.title,
            closed_at: case.closed_at.map(|at| rfc3339(at, zone)),
            conclusion: case.conclusion,
            unit: case.unit,
            reply: case.reply,
        };
        Self {
            missing: help.missing,
            answers: help.answers.into_iter().map(CannedJson::from).collect(),
            suggested_reply: help.suggested_reply,
            similar: help.similar.into_iter().map(similar).collect(),
        }
    }
}
