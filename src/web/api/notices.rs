//! The officer's own notices: list, count, mark as read.

use axum::{Json, extract::State, response::Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::{
        App, AppError, Officer,
        notices::{self, NoticeKind, NoticeRow, Opened},
    },
    web::{
        auth::Access,
        error::WebError,
        extract::{Arg, Body, Nothing, Params},
        router::{Route, get, no_content, post},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/notices", Access::AnyOfficer, list),
        post("/api/notices/read", Access::AnyOfficer, read_all),
        post("/api/notices/opened", Access::AnyOfficer, opened),
        post("/api/notices/{id}/read", Access::AnyOfficer, read),
    ]
}

/// What to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct NoticeParams {
    /// Only what is not read (`true`).
    pub unread: Option<bool>,
    /// Lines, 1 to 200, default 50.
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A notice.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeJson {
    /// Its id.
    pub id: String,
    /// `alert`, `overdue`, `due_soon`, `assigned`, `to_sign`, `assist`, `returned`, `supervised`, `news` or
    /// `push_failed`.
    pub kind: String,
    /// The kind in Chinese.
    pub label: String,
    /// One sentence.
    pub text: String,
    /// Number of the case it is about.
    pub case_number: Option<String>,
    /// Id of the conversation it is about.
    pub conversation_id: Option<String>,
    /// When it was told, RFC 3339.
    pub at: String,
    /// When it was read, RFC 3339.
    pub read_at: Option<String>,
}

/// A page of notices.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeListJson {
    /// The notices, the newest first.
    pub items: Vec<NoticeJson>,
    /// How many are not read.
    pub unread: i64,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

fn view(app: &App, row: NoticeRow) -> NoticeJson {
    let time = |ms: i64| app.rfc3339(Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH));
    let label = row.kind.parse::<NoticeKind>().map_or("", NoticeKind::label);
    NoticeJson {
        label: label.to_owned(),
        at: time(row.created_at),
        read_at: row.read_at.map(time),
        id: row.id,
        kind: row.kind,
        text: row.text,
        case_number: row.case_number,
        conversation_id: row.conversation_id,
    }
}

/// Lists the officer's own notices, the newest first.
#[utoipa::path(get, path = "/api/notices", tag = "notices", params(NoticeParams),
    responses((status = 200, body = NoticeListJson), (status = 401, body = crate::web::error::Problem),
        (status = 422, body = crate::web::error::Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    officer: Officer,
    Params(params): Params<NoticeParams>,
) -> Result<Json<NoticeListJson>, WebError> {
    let cursor = params.cursor.filter(|cursor| !cursor.is_empty());
    let unread = params.unread.unwrap_or(false);
    let page = notices::list(&app, &officer, unread, cursor.as_deref(), params.limit).await?;
    let items = page.rows.into_iter().map(|row| view(&app, row)).collect();
    Ok(Json(NoticeListJson { items, unread: page.unread, next_cursor: page.next_cursor }))
}

/// Marks one of the officer's notices as read.
#[utoipa::path(post, path = "/api/notices/{id}/read", tag = "notices",
    params(("id" = String, Path, description = "Id of the notice")),
    responses((status = 204, description = "Read"), (status = 401, body = crate::web::error::Problem),
        (status = 404, body = crate::web::error::Problem)))]
pub(crate) async fn read(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<String>,
    _: Nothing,
) -> Result<Response, WebError> {
    notices::mark_read(&app, &officer, &id).await?;
    Ok(no_content())
}

/// What the officer has opened; exactly one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenedRequest {
    /// Number of a case.
    #[serde(default)]
    pub case_number: Option<String>,
    /// Id of a conversation.
    #[serde(default)]
    pub conversation_id: Option<String>,
}

/// How many notices are left.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnreadJson {
    /// How many are not read.
    pub unread: i64,
}

/// Marks as read what the officer was told about a case or a conversation that they have opened.
#[utoipa::path(post, path = "/api/notices/opened", tag = "notices", request_body = OpenedRequest,
    responses((status = 200, body = UnreadJson), (status = 401, body = crate::web::error::Problem),
        (status = 422, body = crate::web::error::Problem)))]
pub(crate) async fn opened(
    State(app): State<App>,
    officer: Officer,
    Body(body): Body<OpenedRequest>,
) -> Result<Json<UnreadJson>, WebError> {
    let opened = match (body.case_number, body.conversation_id) {
        (Some(number), None) => {
            Opened::Case(number.parse().map_err(|_| AppError::field("/case_number", "编号格式不对"))?)
        }
        (None, Some(id)) => {
            Opened::Conversation(id.parse().map_err(|_| AppError::field("/conversation_id", "会话编号格式不对"))?)
        }
        (None, None) | (Some(_), Some(_)) => {
            return Err(AppError::field("/case_number", "请写明一个工单或一个会话").into());
        }
    };
    Ok(Json(UnreadJson { unread: notices::mark_opened(&app, &officer, &opened).await? }))
}

/// Marks all of the officer's notices as read.
#[utoipa::path(post, path = "/api/notices/read", tag = "notices",
    responses((status = 204, description = "Read"), (status = 401, body = crate::web::error::Problem)))]
pub(crate) async fn read_all(State(app): State<App>, officer: Officer, _: Nothing) -> Result<Response, WebError> {
    notices::mark_all_read(&app, &officer).await?;
    Ok(no_content())
}
