//! The JSON shapes of a case for the enterprise.

use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use super::case_view::{opt_time, rfc3339};
use crate::{
    app::track::TrackView,
    domain::case::{CaseStatus, Stage},
};

/// A line of the enterprise's timeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrackStepView {
    /// When.
    pub at: String,
    /// What.
    pub text: String,
    /// What the enterprise itself wrote with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// A case filed together with this one.
#[derive(Debug, Serialize, ToSchema)]
pub struct SiblingView {
    /// Number.
    pub number: String,
    /// Title.
    pub title: String,
    /// State.
    pub status: String,
    /// State in words.
    pub status_label: String,
}

/// The reply as the enterprise reads it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrackReply {
    /// Text.
    pub text: String,
    /// Who signed; empty for an answer on the spot.
    pub signer: String,
    /// When the enterprise got it.
    pub at: String,
    /// 办理结论 in words.
    pub conclusion: String,
    /// Until when it was promised.
    pub due_at: Option<String>,
    /// It came after that.
    pub late: bool,
}

/// How the enterprise rated.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrackRatingView {
    /// 5 非常满意 to 1 非常不满意.
    pub grade: u8,
    /// In words.
    pub label: String,
    /// Whether it says that the matter is solved.
    pub solved: bool,
    /// Its words.
    pub words: String,
    /// When.
    pub at: String,
}

/// A stage of the bar.
#[derive(Debug, Serialize, ToSchema)]
pub struct StageView {
    /// 1 to 8.
    pub n: u8,
    /// 提出 … 考核.
    pub label: String,
    /// `done`, `now` or `next`.
    pub state: &'static str,
}

/// What the enterprise may see of its case.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrackedCase {
    /// Number.
    pub number: String,
    /// Title.
    pub title: String,
    /// Type in words.
    pub type_label: String,
    /// State.
    pub status: String,
    /// State in a sentence.
    pub status_label: String,
    /// Stage of the bar, 1 to 8; 0 off the road.
    pub stage: u8,
    /// The bar.
    pub stages: Vec<StageView>,
    /// Who has it.
    pub holder: String,
    /// Until when.
    pub due_at: Option<String>,
    /// In words.
    pub due_text: Option<String>,
    /// Rests on a calendar that is not yet published.
    pub provisional: bool,
    /// The clock stands still, and why.
    pub paused: Option<String>,
    /// What happened, oldest first.
    pub timeline: Vec<TrackStepView>,
    /// The reply.
    pub reply: Option<TrackReply>,
    /// 办结结论 in words, once the case is closed.
    pub conclusion: Option<String>,
    /// The enterprise's own ratings, oldest first.
    pub ratings: Vec<TrackRatingView>,
    /// What the enterprise may do.
    pub actions: Vec<String>,
    /// Cases filed together with it.
    pub siblings: Vec<SiblingView>,
    /// Number of the case it was merged into.
    pub parent: Option<String>,
    /// Submitted at.
    pub submitted_at: String,
}

impl TrackedCase {
    /// The view as the API shows it.
    pub fn new(view: TrackView, zone: &TimeZone) -> Self {
        let status: CaseStatus = view.status;
        let stages = Stage::ALL
            .iter()
            .map(|stage| StageView {
                n: stage.number(),
                label: stage.label().to_owned(),
                state: match stage.number().cmp(&view.stage) {
                    std::cmp::Ordering::Less => "done",
                    std::cmp::Ordering::Equal => "now",
                    std::cmp::Ordering::Greater => "next",
                },
            })
            .collect();
        Self {
            number: view.number,
            title: view.title,
            type_label: view.type_label.to_owned(),
            status: status.as_str().to_owned(),
            status_label: view.wording,
            stage: view.stage,
            stages,
            holder: view.holder,
            due_at: opt_time(view.due_at, zone),
            due_text: view.due_text,
            provisional: view.provisional,
            paused: view.paused,
            timeline: view
                .timeline
                .into_iter()
                .map(|step| TrackStepView {
                    at: rfc3339(step.at, zone),
                    text: step.text,
                    words: Some(step.words).filter(|words| !words.is_empty()),
                })
                .collect(),
            reply: view.reply.map(|reply| TrackReply {
                text: reply.text,
                signer: reply.signer,
                at: rfc3339(reply.at, zone),
                conclusion: reply.conclusion.to_owned(),
                due_at: opt_time(reply.due_at, zone),
                late: reply.late,
            }),
            conclusion: Some(view.conclusion.to_owned()).filter(|words| !words.is_empty()),
            ratings: view
                .ratings
                .into_iter()
                .map(|rating| TrackRatingView {
                    grade: rating.grade,
                    label: rating.label.to_owned(),
                    solved: rating.solved,
                    words: rating.words,
                    at: rfc3339(rating.at, zone),
                })
                .collect(),
            actions: view.allowed.iter().map(|action| action.as_str().to_owned()).collect(),
            siblings: view
                .siblings
                .into_iter()
                .map(|sibling| SiblingView {
                    number: sibling.number,
                    title: sibling.title,
                    status: sibling.status.as_str().to_owned(),
                    status_label: sibling.status.label().to_owned(),
                })
                .collect(),
            parent: view.parent,
            submitted_at: rfc3339(view.submitted_at, zone),
        }
    }
}
