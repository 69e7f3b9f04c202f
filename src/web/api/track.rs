//! Progress for enterprises: number and code open a case. A wrong code looks like an unknown number.

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    cases::{idempotency_key, slug_only},
    track_view::TrackedCase,
};
use crate::{
    app::{
        App, AppError,
        case_input::{ActionFields, MilestoneFields},
        limits::refuse,
        track,
    },
    web::{
        auth::{Access, Client},
        error::WebError,
        extract::{Body, Params},
        router::{Route, get, post},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![get("/api/track/{number}", Access::Public, show), post("/api/track/{number}/{action}", Access::Public, act)]
}

/// The proof.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct TrackParams {
    /// Query code from the receipt.
    pub code: String,
}

/// What comes with an action of the enterprise.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrackRequest {
    /// Query code, unless it stands in the address.
    pub code: Option<String>,
    /// `add_info`, `supply_info`, `object`: text.
    pub text: Option<String>,
    /// `rate`: 5 非常满意 to 1 非常不满意.
    pub grade: Option<u8>,
    /// `confirm`, `rate`: solved.
    pub solved: Option<bool>,
    /// `withdraw`, `reopen`, `rate`, `pause`: reason.
    pub reason: Option<String>,
    /// Words.
    pub words: Option<String>,
    /// `pause`: explanation.
    pub explanation: Option<String>,
    /// `pause`: until which day.
    pub until_on: Option<String>,
    /// `accept_plan`: milestones.
    pub milestones: Option<Vec<MilestoneFields>>,
}

/// Counts the look-ups of an address: guessing numbers and codes gets slow.
fn count(app: &App, client: &Client) -> Result<(), AppError> {
    app.limits.track.take(client.address, app.now()).map_err(refuse("too_many"))
}

/// The progress of a case.
#[utoipa::path(get, path = "/api/track/{number}", tag = "track", security(()), params(("number" = String, Path), TrackParams),
    responses((status = 200, body = TrackedCase), (status = 404, body = crate::web::error::Problem),
        (status = 429, body = crate::web::error::Problem)))]
pub(crate) async fn show(
    State(app): State<App>,
    client: Client,
    Path(number): Path<String>,
    Params(params): Params<TrackParams>,
) -> Result<Json<TrackedCase>, WebError> {
    count(&app, &client)?;
    let view = track::view(&app, &number, &params.code).await?;
    let content = app.content.load();
    Ok(Json(TrackedCase::new(view, content.schedule.zone())))
}

/// Confirms, rates, adds, urges, withdraws, objects …
#[utoipa::path(post, path = "/api/track/{number}/{action}", tag = "track", security(()), request_body = TrackRequest,
    params(("number" = String, Path), ("action" = String, Path, description = "confirm, rate, add_info, urge, withdraw, object, supply_info, reopen, request_handling"),
        TrackParams, ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = TrackedCase), (status = 403, body = crate::web::error::Problem),
        (status = 404, body = crate::web::error::Problem), (status = 409, body = crate::web::error::Problem),
        (status = 422, body = crate::web::error::Problem), (status = 429, body = crate::web::error::Problem)))]
pub(crate) async fn act(
    State(app): State<App>,
    client: Client,
    Path((number, action)): Path<(String, String)>,
    Params(params): Params<TrackParams>,
    headers: HeaderMap,
    Body(request): Body<TrackRequest>,
) -> Result<Json<TrackedCase>, WebError> {
    count(&app, &client)?;
    let action = slug_only(&action)?;
    let key = idempotency_key(&headers)?;
    let code = request.code.unwrap_or(params.code);
    let fields = ActionFields {
        text: request.text,
        grade: request.grade,
        solved: request.solved,
        reason: request.reason,
        words: request.words,
        explanation: request.explanation,
        until_on: request.until_on,
        milestones: request.milestones,
        ..ActionFields::default()
    };
    let view = track::perform(&app, &number, &code, action, &fields, key.as_deref()).await?;
    let content = app.content.load();
    Ok(Json(TrackedCase::new(view, content.schedule.zone())))
}
