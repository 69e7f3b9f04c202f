//! Messages that were given up: webhooks and WeChat, with the reason and a way to send them again.

use axum::{Json, extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::{App, AppError, outbox},
    domain::access::Permission,
    web::{
        auth::Access,
        error::{Problem, WebError},
        extract::{Arg, Params},
        router::{Route, get, no_content, post},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    const CHANNELS: Access = Access::Officer(Permission::ManageChannels);
    vec![get("/api/admin/undelivered", CHANNELS, list), post("/api/admin/undelivered/{id}/retry", CHANNELS, retry)]
}

/// A message that was given up.
#[derive(Debug, Serialize, ToSchema)]
pub struct UndeliveredView {
    /// Id for sending it again.
    pub id: String,
    /// `wechat` or `webhook`.
    pub channel: &'static str,
    /// Name of the target in the configuration; `wechat` for WeChat.
    pub target: String,
    /// Name of the event.
    pub event: String,
    /// The conversation it belongs to, if it goes to WeChat.
    pub conversation_id: Option<String>,
    /// Why it was given up, in Chinese.
    pub reason: String,
    /// Attempts.
    pub attempts: i64,
    /// When it was written.
    pub created_at: String,
    /// When it was given up.
    pub given_up_at: String,
}

/// Messages that were given up, the last first.
#[derive(Debug, Serialize, ToSchema)]
pub struct UndeliveredList {
    /// The messages, without what was said.
    pub items: Vec<UndeliveredView>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Lines, 1 to 200, default 50.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Messages that were given up.
///
/// # Errors
/// `Field` for a cursor that is none, `Store`.
#[utoipa::path(get, path = "/api/admin/undelivered", tag = "admin",
    params(ListParams),
    responses((status = 200, body = UndeliveredList), (status = 422, body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    Params(params): Params<ListParams>,
) -> Result<Json<UndeliveredList>, WebError> {
    let before = match params.cursor.as_deref() {
        None | Some("") => None,
        Some(cursor) => Some(
            cursor
                .split_once('_')
                .and_then(|(at, id)| Some((at.parse().ok()?, id)))
                .ok_or_else(|| AppError::field("/cursor", "游标无效"))?,
        ),
    };
    let limit = i64::from(params.limit.unwrap_or(50).clamp(1, 200));
    let (letters, next) = outbox::dead_letters(&app, before, limit).await?;
    let items = letters
        .into_iter()
        .map(|letter| UndeliveredView {
            channel: if letter.conversation.is_some() { "wechat" } else { "webhook" },
            conversation_id: letter.conversation,
            reason: letter.reason,
            attempts: letter.attempts,
            created_at: app.rfc3339(letter.created_at),
            given_up_at: app.rfc3339(letter.given_up_at),
            id: letter.id,
            target: letter.target,
            event: letter.event,
        })
        .collect();
    Ok(Json(UndeliveredList { items, next_cursor: next.map(|(at, id)| format!("{at}_{id}")) }))
}

/// Sends a message again that was given up.
#[utoipa::path(post, path = "/api/admin/undelivered/{id}/retry", tag = "admin",
    params(("id" = String, Path, description = "Id of the message")),
    responses((status = 204, description = "It is on its way again"), (status = 404, body = Problem)))]
pub(crate) async fn retry(State(app): State<App>, Arg(id): Arg<String>) -> Result<Response, WebError> {
    outbox::revive(&app, &id).await?;
    Ok(no_content())
}
