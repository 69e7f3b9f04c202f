//! `/healthz`, `/readyz` and `/metrics`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::error::WebError;
use crate::{
    app::{App, AppError, auth, health},
    domain::access::Permission,
};

/// The process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The gateway can do its work: it reads, and the last write worked or a new one does.
pub async fn ready(State(app): State<App>) -> Response {
    match health::check(&app).await {
        Ok(()) => "ready\n".into_response(),
        Err(what) => (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], what)
            .into_response(),
    }
}

/// Counters in the Prometheus text format; open to anybody only by configuration, else by an administrator's token.
///
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn metrics(State(app): State<App>, headers: HeaderMap) -> Result<Response, WebError> {
    if !app.config.server.metrics_public {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .filter(|token| token.starts_with("zt_"))
            .ok_or(AppError::Unauthenticated { code: "not_logged_in" })?;
        auth::authenticate(&app, token).await?.require(Permission::ViewHealth)?;
    }
    let text = app.metrics.render();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
