//! Suggestions of a model to officers: asked for, compared with what the officer makes of them, ended.
//!
//! Without `[model]` in the configuration every request for one is answered with 409 `model_off`.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{
        App, AppError, Officer,
        suggestions::{self, About, Change, Proposal, Suggested, SuggestionKind},
    },
    domain::{
        access::Permission,
        case::CaseNumber,
        ids::{ConversationId, SuggestionId},
    },
    web::{
        auth::Access,
        error::{Problem, WebError},
        extract::{Arg, Body},
        router::{Route, no_content, post},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![
        post("/api/cases/{number}/suggestions", Access::Officer(Permission::ActOnCases), of_case),
        post("/api/conversations/{id}/suggestions", Access::Officer(Permission::Converse), of_conversation),
        post("/api/suggestions/{id}/difference", Access::AnyOfficer, compare),
        post("/api/suggestions/{id}/end", Access::AnyOfficer, end),
    ]
}

/// What is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuggestionRequest {
    /// `reply`, `summary`, `title`, `rewrite` or `classify`.
    pub kind: String,
    /// `rewrite`: the text to put into plainer words.
    #[serde(default)]
    pub text: Option<String>,
}

/// A source of a suggestion.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuggestionSource {
    /// Id of the rule.
    pub id: String,
    /// Title.
    pub title: String,
    /// Documents it rests on, one line each.
    pub references: Vec<String>,
    /// It waits for somebody to look at its documents again.
    pub awaiting_recheck: bool,
}

/// A piece of a text and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeView {
    /// `same`, `gone` or `added`.
    pub kind: &'static str,
    /// The piece.
    pub text: String,
}

impl From<Change> for ChangeView {
    fn from(change: Change) -> Self {
        Self { kind: change.kind.as_str(), text: change.text }
    }
}

/// A type, topic and urgency to choose; only what is more than what stands there.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposalView {
    /// Slug of the type.
    #[serde(rename = "type")]
    pub case_type: Option<&'static str>,
    /// Name of the type.
    pub type_label: Option<&'static str>,
    /// Code of the topic.
    pub topic: Option<String>,
    /// Name of the topic.
    pub topic_label: Option<String>,
    /// Slug of the urgency.
    pub urgency: Option<&'static str>,
    /// Name of the urgency.
    pub urgency_label: Option<&'static str>,
    /// What the words tell besides.
    pub slots: Vec<SlotView>,
}

/// A field that the enterprise's own words fill.
#[derive(Debug, Serialize, ToSchema)]
pub struct SlotView {
    /// Name of the field.
    pub label: String,
    /// Value, in the enterprise's own words.
    pub value: String,
}

impl From<Proposal> for ProposalView {
    fn from(proposal: Proposal) -> Self {
        let (topic, topic_label) = proposal.topic.unzip();
        Self {
            case_type: proposal.case_type.map(crate::domain::kinds::CaseType::as_str),
            type_label: proposal.case_type.map(crate::domain::kinds::CaseType::label),
            topic,
            topic_label,
            urgency: proposal.urgency.map(crate::domain::kinds::Urgency::as_str),
            urgency_label: proposal.urgency.map(crate::domain::kinds::Urgency::label),
            slots: proposal.slots.into_iter().map(|(label, value)| SlotView { label, value }).collect(),
        }
    }
}

/// A suggestion. It was sent to nobody.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuggestionView {
    /// Id, to be handed over with what the officer sends or saves.
    pub id: String,
    /// `reply`, `summary`, `title`, `rewrite` or `classify`.
    pub kind: &'static str,
    /// The same in Chinese.
    pub kind_label: &'static str,
    /// The mark that belongs to generated text wherever it is shown.
    pub label: &'static str,
    /// The words.
    pub text: String,
    /// `title`: the demand in one sentence.
    pub demand: Option<String>,
    /// What they rest on.
    pub sources: Vec<SuggestionSource>,
    /// `classify`: what is to be chosen.
    pub proposal: Option<ProposalView>,
    /// `rewrite`: what is different from the text that was handed over.
    pub changes: Vec<ChangeView>,
    /// When it was made.
    pub created_at: String,
}

impl SuggestionView {
    fn new(app: &App, suggested: Suggested) -> Self {
        let sources = suggested.sources.into_iter().map(|source| SuggestionSource {
            id: source.id,
            title: source.title,
            references: source.references,
            awaiting_recheck: source.awaiting_recheck,
        });
        Self {
            id: suggested.id.to_string(),
            kind: suggested.kind.as_str(),
            kind_label: suggested.kind.label(),
            label: suggestions::LABEL,
            text: suggested.text,
            demand: suggested.demand,
            sources: sources.collect(),
            proposal: suggested.proposal.map(ProposalView::from),
            changes: suggested.changes.into_iter().map(ChangeView::from).collect(),
            created_at: app.rfc3339(suggested.at),
        }
    }
}

async fn answer(app: &App, officer: &Officer, about: About, request: SuggestionRequest) -> Result<Response, WebError> {
    let kind = SuggestionKind::ALL.iter().copied().find(|kind| kind.as_str() == request.kind);
    let kind = kind.ok_or_else(|| AppError::field("/kind", "没有这种建议"))?;
    let suggested = suggestions::suggest(app, officer, &about, kind, request.text.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(SuggestionView::new(app, suggested))).into_response())
}

/// Asks a model for a suggestion about a case. 409: `model_off`, `model_barred` (sensitive), `model_failed`,
/// `model_refused` (did not pass the checks), `model_no_sources`, `model_done`, `model_decided`.
#[utoipa::path(post, path = "/api/cases/{number}/suggestions", tag = "suggestions", operation_id = "suggest_for_case",
    params(("number" = String, Path)), request_body = SuggestionRequest,
    responses((status = 201, body = SuggestionView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(crate) async fn of_case(
    State(app): State<App>,
    officer: Officer,
    Arg(number): Arg<String>,
    Body(request): Body<SuggestionRequest>,
) -> Result<Response, WebError> {
    let number: CaseNumber = number.parse().map_err(|_| AppError::NotFound)?;
    answer(&app, &officer, About::Case(number), request).await
}

/// Asks a model for a suggestion about a conversation; 409 as for a case.
#[utoipa::path(post, path = "/api/conversations/{id}/suggestions", tag = "suggestions",
    operation_id = "suggest_for_conversation", params(("id" = String, Path, description = "Conversation id")),
    request_body = SuggestionRequest,
    responses((status = 201, body = SuggestionView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(crate) async fn of_conversation(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<SuggestionRequest>,
) -> Result<Response, WebError> {
    answer(&app, &officer, About::Conversation(id), request).await
}

/// Words to compare.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompareRequest {
    /// The words as they would go out.
    pub text: String,
}

/// How some words differ from a suggestion.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceView {
    /// Share of changed characters, 0 to 100.
    pub share: u8,
    /// How it would count: `kept`, `edited` or `thrown_away`.
    pub outcome: &'static str,
    /// The pieces in order.
    pub changes: Vec<ChangeView>,
}

/// Longest text that is compared, in characters.
const MAX_COMPARED: usize = 8_000;

/// What the officer changed of an open suggestion of their own, to be looked at before it goes out.
#[utoipa::path(post, path = "/api/suggestions/{id}/difference", tag = "suggestions", operation_id = "compare_suggestion",
    params(("id" = String, Path, description = "Suggestion id")), request_body = CompareRequest,
    responses((status = 200, body = DifferenceView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(crate) async fn compare(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<SuggestionId>,
    Body(request): Body<CompareRequest>,
) -> Result<Json<DifferenceView>, WebError> {
    if request.text.chars().count() > MAX_COMPARED {
        return Err(AppError::field("/text", format!("最多{MAX_COMPARED}字")).into());
    }
    let (outcome, difference) = suggestions::judge_own(&app, &officer, id, &request.text).await?;
    Ok(Json(DifferenceView {
        share: difference.share,
        outcome: outcome.as_str(),
        changes: difference.changes.into_iter().map(ChangeView::from).collect(),
    }))
}

/// The end of a suggestion.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndSuggestionRequest {
    /// The words it was used in; absent: it was thrown away.
    #[serde(default)]
    pub text: Option<String>,
}

/// Says what became of a suggestion of one's own that was not sent with a message or an action; a repeat changes nothing.
#[utoipa::path(post, path = "/api/suggestions/{id}/end", tag = "suggestions", operation_id = "end_suggestion",
    params(("id" = String, Path, description = "Suggestion id")), request_body = EndSuggestionRequest,
    responses((status = 204, description = "Noted"), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn end(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<SuggestionId>,
    Body(request): Body<EndSuggestionRequest>,
) -> Result<Response, WebError> {
    if request.text.as_ref().is_some_and(|text| text.chars().count() > MAX_COMPARED) {
        return Err(AppError::field("/text", format!("最多{MAX_COMPARED}字")).into());
    }
    suggestions::end(&app, &officer, id, request.text.as_deref()).await?;
    Ok(no_content())
}
