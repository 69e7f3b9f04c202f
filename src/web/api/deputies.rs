//! Deputies of unit leaders (AB岗): who stands in, from when to when.

use axum::{Json, extract::State, response::Response};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{App, AppError, Officer, deputies},
    domain::ids::OfficerId,
    web::{
        auth::Access,
        error::WebError,
        extract::Body,
        router::{Route, get, no_content, post},
    },
};

/// The routes of this area. Leaders of units and administrators have no permission in common: the use case decides.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/deputies", Access::AnyOfficer, list),
        post("/api/deputies", Access::AnyOfficer, set),
        post("/api/deputies/end", Access::AnyOfficer, end),
    ]
}

/// A delegation.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeputyJson {
    /// Slug of the unit.
    pub unit: String,
    /// Short name of the unit.
    pub unit_name: String,
    /// Id of who stands in.
    pub officer_id: String,
    /// Name of who stands in.
    pub name: String,
    /// First day, `YYYY-MM-DD`.
    pub from_on: String,
    /// Last day, `YYYY-MM-DD`.
    pub until_on: String,
    /// Who set it.
    pub set_by: String,
    /// Whether it holds today.
    pub today: bool,
}

/// Delegations that hold or lie ahead.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeputyListJson {
    /// By unit and first day.
    pub items: Vec<DeputyJson>,
}

/// A delegation to set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeputyRequest {
    /// Slug of the unit.
    pub unit: String,
    /// Id of who stands in.
    pub officer_id: String,
    /// First day, `YYYY-MM-DD`.
    pub from_on: String,
    /// Last day, `YYYY-MM-DD`.
    pub until_on: String,
}

/// A delegation to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeputyEndRequest {
    /// Slug of the unit.
    pub unit: String,
    /// Id of who stands in.
    pub officer_id: String,
    /// Its first day, `YYYY-MM-DD`.
    pub from_on: String,
}

/// A day of a request.
///
/// # Errors
/// `Invalid`.
pub fn day(field: &str, text: &str) -> Result<Date, AppError> {
    text.trim().parse().map_err(|_| AppError::field(format!("/{field}"), "日期须写成 2026-11-26"))
}

/// The account of a request.
///
/// # Errors
/// `Invalid`.
pub fn account(text: &str) -> Result<OfficerId, AppError> {
    text.trim().parse().map_err(|_| AppError::field("/officer_id", "请选代签人"))
}

/// Lists the delegations of the officer's own unit, or of every unit for an administrator.
#[utoipa::path(get, path = "/api/deputies", tag = "deputies",
    responses((status = 200, body = DeputyListJson), (status = 401, body = crate::web::error::Problem)))]
pub(crate) async fn list(State(app): State<App>, officer: Officer) -> Result<Json<DeputyListJson>, WebError> {
    let found = deputies::list(&app, &officer).await?;
    let items = found
        .into_iter()
        .map(|deputy| DeputyJson {
            unit_name: app.unit_name(&deputy.unit),
            unit: deputy.unit,
            officer_id: deputy.officer,
            name: deputy.name,
            from_on: deputy.from_on.to_string(),
            until_on: deputy.until_on.to_string(),
            set_by: deputy.set_by,
            today: deputy.today,
        })
        .collect();
    Ok(Json(DeputyListJson { items }))
}

/// Sets who stands in for the leader of a unit; the same first day again moves the last one.
#[utoipa::path(post, path = "/api/deputies", tag = "deputies", request_body = DeputyRequest,
    responses((status = 204, description = "Set"), (status = 401, body = crate::web::error::Problem),
        (status = 403, body = crate::web::error::Problem), (status = 422, body = crate::web::error::Problem)))]
pub(crate) async fn set(
    State(app): State<App>,
    officer: Officer,
    Body(body): Body<DeputyRequest>,
) -> Result<Response, WebError> {
    let days = (day("from_on", &body.from_on)?, day("until_on", &body.until_on)?);
    deputies::set(&app, &officer, &body.unit, account(&body.officer_id)?, days).await?;
    Ok(no_content())
}

/// Ends a delegation: from today on it does not hold any more.
#[utoipa::path(post, path = "/api/deputies/end", tag = "deputies", request_body = DeputyEndRequest,
    responses((status = 204, description = "Ended"), (status = 401, body = crate::web::error::Problem),
        (status = 403, body = crate::web::error::Problem), (status = 404, body = crate::web::error::Problem)))]
pub(crate) async fn end(
    State(app): State<App>,
    officer: Officer,
    Body(body): Body<DeputyEndRequest>,
) -> Result<Response, WebError> {
    let from_on = day("from_on", &body.from_on)?;
    deputies::end(&app, &officer, &body.unit, account(&body.officer_id)?, from_on).await?;
    Ok(no_content())
}
