//! Cases for the staff: list, file, look at, act.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    case_help_view::CaseHelpView,
    case_list_view::{CaseListView, TimelineView},
    case_view::{CaseView, rfc3339},
};
use crate::{
    app::{
        App, AppError, FieldError, Officer, archiving, attachments, case_actions, case_help,
        case_input::ActionFields,
        case_queries::{self, ListQuery},
        intake::{self, StaffFiling},
    },
    domain::{
        access::Permission,
        case::{CaseAction, CaseNumber},
    },
    web::{
        auth::Access,
        error::WebError,
        extract::{Body, Params},
        router::{Route, get, post},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/cases", Access::Officer(Permission::ViewCases), list),
        post("/api/cases", Access::Officer(Permission::FileCase), file),
        get("/api/cases/{number}", Access::Officer(Permission::ViewCases), show),
        get("/api/cases/{number}/help", Access::Officer(Permission::ViewCases), help),
        get("/api/cases/{number}/timeline", Access::Officer(Permission::ViewCases), timeline),
        get("/api/cases/{number}/package", Access::Officer(Permission::ViewCases), package),
        post("/api/cases/{number}/actions/{action}", Access::Officer(Permission::ActOnCases), act),
    ]
}

/// What to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct CaseListParams {
    /// Only this state.
    pub status: Option<String>,
    /// Only this type.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    pub case_type: Option<String>,
    /// Only cases that this unit leads or assists.
    pub unit: Option<String>,
    /// Only those that are past due (`true`) or only those that are not (`false`).
    pub overdue: Option<bool>,
    /// Only those due before this moment, RFC 3339 or `YYYY-MM-DD`.
    pub due_before: Option<String>,
    /// Only open (`true`) or only finished (`false`) ones.
    pub open: Option<bool>,
    /// Only those whose named handler is the caller (`true`).
    pub mine: Option<bool>,
    /// Words or a number.
    pub q: Option<String>,
    /// Lines, 1 to 200, default 50.
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

fn parse<T: std::str::FromStr>(field: &str, value: Option<&String>) -> Result<Option<T>, AppError> {
    value
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().map_err(|_| AppError::field(format!("/{field}"), "不是可用的取值")))
        .transpose()
}

fn moment(app: &App, value: Option<&String>) -> Result<Option<Timestamp>, AppError> {
    let Some(text) = value.filter(|text| !text.is_empty()) else { return Ok(None) };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Some(at));
    }
    let wrong = || AppError::field("/due_before", "时间须写成 2026-11-26 或带时区的时间");
    let day: jiff::civil::Date = text.parse().map_err(|_| wrong())?;
    let content = app.content.load();
    content.schedule.zone().to_timestamp(day.at(0, 0, 0, 0)).map(Some).map_err(|_| wrong())
}

/// Lists cases by remaining time.
#[utoipa::path(get, path = "/api/cases", tag = "cases", params(CaseListParams),
    responses((status = 200, body = CaseListView), (status = 401, body = crate::web::error::Problem),
        (status = 403, body = crate::web::error::Problem), (status = 422, body = crate::web::error::Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    officer: Officer,
    Params(params): Params<CaseListParams>,
) -> Result<Json<CaseListView>, WebError> {
    let query = ListQuery {
        status: parse("status", params.status.as_ref())?,
        case_type: parse("type", params.case_type.as_ref())?,
        unit: params.unit.filter(|unit| !unit.is_empty()),
        handler: params.mine.unwrap_or(false).then_some(officer.id),
        open: params.open,
        overdue: params.overdue,
        due_before: moment(&app, params.due_before.as_ref())?,
        q: params.q.filter(|q| !q.trim().is_empty()),
        limit: params.limit,
        cursor: params.cursor.filter(|cursor| !cursor.is_empty()),
    };
    let page = case_queries::list(&app, &officer, &query).await?;
    let content = app.content.load();
    Ok(Json(CaseListView::new(page, content.schedule.zone())))
}

/// A case filed by an officer for an enterprise.
#[derive(Debug, Default, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewCaseRequest {
    /// Type; absent: as the rules read the words.
    #[serde(rename = "type")]
    pub case_type: Option<String>,
    /// Topic code; absent: as the rules read the words.
    pub topic: Option<String>,
    /// Urgency; absent: as the rules read the words.
    pub urgency: Option<String>,
    /// `phone`, `counter`, `letter` …; absent: `phone`.
    pub channel: Option<String>,
    /// Administrative code; absent: that of the centre.
    pub region: Option<String>,
    /// One line; absent: made from the words.
    pub title: Option<String>,
    /// The enterprise's own words, stored unchanged. Also accepted as `original_words` or `text`.
    #[serde(alias = "original_words", alias = "text")]
    pub words: String,
    /// What it wants; absent: the words.
    pub demand: Option<String>,
    /// Enterprise.
    pub enterprise: Option<String>,
    /// 统一社会信用代码.
    pub uscc: Option<String>,
    /// Contact person.
    pub contact_name: Option<String>,
    /// Contact phone.
    pub contact_phone: Option<String>,
    /// Where.
    pub place: Option<String>,
    /// Unit or person complained of.
    pub object: Option<String>,
    /// Day it happened, `YYYY-MM-DD`.
    pub happened_on: Option<String>,
    /// Amount as told.
    pub amount: Option<String>,
    /// Identity hidden from units.
    pub confidential: Option<bool>,
    /// The conversation it comes from.
    pub conversation_id: Option<String>,
}

/// Receipt of a filed case.
#[derive(Debug, Serialize, ToSchema)]
pub struct FiledView {
    /// Number.
    pub number: String,
    /// Query code: with the number it opens the progress page. Shown once.
    pub code: String,
    /// Title.
    pub title: String,
    /// State.
    pub status: String,
    /// State in words.
    pub status_label: String,
    /// When the next step is due.
    pub due_at: Option<String>,
    /// In words.
    pub due_text: Option<String>,
}

/// The idempotency key of a request, if it has one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, AppError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let fine = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fine {
        Ok(Some(text.to_owned()))
    } else {
        Err(AppError::invalid(
            "invalid_fields",
            vec![FieldError::new("/Idempotency-Key", "幂等键须是1至128个可见字符")],
        ))
    }
}

/// Files a case for an enterprise.
#[utoipa::path(post, path = "/api/cases", tag = "cases", request_body = NewCaseRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat gives the first answer again")),
    responses((status = 201, body = FiledView), (status = 401, body = crate::web::error::Problem),
        (status = 403, body = crate::web::error::Problem), (status = 409, body = crate::web::error::Problem),
        (status = 422, body = crate::web::error::Problem)))]
pub(crate) async fn file(
    State(app): State<App>,
    officer: Officer,
    headers: HeaderMap,
    Body(request): Body<NewCaseRequest>,
) -> Result<Response, WebError> {
    let key = idempotency_key(&headers)?;
    let hash = crate::app::hash_secret(&serde_json::to_string(&request).unwrap_or_default());
    let happened_on = parse("happened_on", request.happened_on.as_ref())?;
    let conversation = parse("conversation_id", request.conversation_id.as_ref())?;
    let filing = StaffFiling {
        case_type: parse("type", request.case_type.as_ref())?,
        topic: request.topic,
        urgency: parse("urgency", request.urgency.as_ref())?,
        channel: parse("channel", request.channel.as_ref())?,
        region: request.region.filter(|code| !code.is_empty()),
        title: request.title.unwrap_or_default(),
        words: request.words,
        demand: request.demand.unwrap_or_default(),
        enterprise: request.enterprise.unwrap_or_default(),
        uscc: request.uscc,
        contact_name: request.contact_name.unwrap_or_default(),
        contact_phone: request.contact_phone.unwrap_or_default(),
        place: request.place,
        object: request.object,
        happened_on,
        amount: request.amount,
        confidential: request.confidential.unwrap_or(false),
        conversation,
    };
    let key = key.as_deref().map(|key| (key, hash.as_str()));
    let filed = intake::file_for_enterprise(&app, &officer, &filing, key).await?;
    let content = app.content.load();
    let zone = content.schedule.zone();
    let view = FiledView {
        number: filed.number,
        code: filed.code,
        title: filed.title,
        status: filed.status,
        status_label: filed.status_label,
        due_at: filed.due_at.map(|at| rfc3339(at, zone)),
        due_text: filed.due_text,
    };
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

fn number_of(text: &str) -> Result<CaseNumber, AppError> {
    text.parse().map_err(|_| AppError::NotFound)
}

/// One case.
#[utoipa::path(get, path = "/api/cases/{number}", tag = "cases", params(("number" = String, Path)),
    responses((status = 200, body = CaseView), (status = 401, body = crate::web::error::Problem),
        (status = 403, body = crate::web::error::Problem), (status = 404, body = crate::web::error::Problem)))]
pub(crate) async fn show(
    State(app): State<App>,
    officer: Officer,
    Path(number): Path<String>,
) -> Result<Json<CaseView>, WebError> {
    let file = case_queries::file(&app, &officer, &number_of(&number)?).await?;
    let content = app.content.load();
    Ok(Json(CaseView::new(&file, &content)))
}

/// Help with a case for its officer: what is missing, rule answers to begin a reply with, finished cases like it.
#[utoipa::path(get, path = "/api/cases/{number}/help", tag = "cases", params(("number" = String, Path)),
    responses((status = 200, body = CaseHelpView), (status = 401, body = crate::web::error::Problem),
        (status = 403, body = crate::web::error::Problem), (status = 404, body = crate::web::error::Problem)))]
pub(crate) async fn help(
    State(app): State<App>,
    officer: Officer,
    Path(number): Path<String>,
) -> Result<Json<CaseHelpView>, WebError> {
    let help = case_help::help(&app, &officer, &number_of(&number)?).await?;
    let content = app.content.load();
    Ok(Json(CaseHelpView::new(help, content.schedule.zone())))
}

/// The history of a case.
#[utoipa::path(get, path = "/api/cases/{number}/timeline", tag = "cases", params(("number" = String, Path)),
    responses((status = 200, body = TimelineView), (status = 401, body = crate::web::error::Problem),
        (status = 403, body = crate::web::error::Problem), (status = 404, body = crate::web::error::Problem)))]
pub(crate) async fn timeline(
    State(app): State<App>,
    officer: Officer,
    Path(number): Path<String>,
) -> Result<Json<TimelineView>, WebError> {
    let (_, history) = case_queries::file_with_history(&app, &officer, &number_of(&number)?).await?;
    let content = app.content.load();
    Ok(Json(TimelineView::new(&history, &content)))
}

/// The package of an archived case: canonical JSON with the case, its history, the words and the hashes of the files
/// that belong to it. `X-Package-Sha256` is the hash of the whole as its history names it. Whoever may not read
/// everything gets an extract, marked by `X-Package-Extract`; the hash is not that of the extract.
#[utoipa::path(get, path = "/api/cases/{number}/package", tag = "cases", params(("number" = String, Path)),
    responses((status = 200, description = "The package, as a file", body = Vec<u8>, content_type = "*/*",
            headers(("X-Package-Sha256" = String, description = "SHA-256 of the whole package, hex"),
                ("X-Package-Extract" = Option<String>, description = "`true` when something is left out for the caller"))),
        (status = 401, body = crate::web::error::Problem), (status = 403, body = crate::web::error::Problem),
        (status = 404, body = crate::web::error::Problem)))]
pub(crate) async fn package(
    State(app): State<App>,
    officer: Officer,
    Path(number): Path<String>,
) -> Result<Response, WebError> {
    let file = archiving::package(&app, &officer, &number_of(&number)?).await?;
    let text = |value: &str| {
        HeaderValue::from_str(value).map_err(|_| AppError::Internal("a stored name does not fit a header".into()))
    };
    let (hash, disposition) = (text(&file.sha256)?, text(&attachments::content_disposition(&file.name))?);
    let mut response = file.body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(HeaderName::from_static("x-package-sha256"), hash);
    if file.is_extract {
        headers.insert(HeaderName::from_static("x-package-extract"), HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Does something to a case. Which fields an action needs is told by its 422; 409 when the state does not allow it,
/// 403 when the role does not, both with what would be allowed.
#[utoipa::path(post, path = "/api/cases/{number}/actions/{action}", tag = "cases", request_body = ActionFields,
    params(("number" = String, Path), ("action" = String, Path, description = "submit, refuse, accept, dispatch …"),
        ("Idempotency-Key" = Option<String>, Header, description = "A repeat changes nothing")),
    responses((status = 200, body = CaseView), (status = 401, body = crate::web::error::Problem),
        (status = 403, body = crate::web::error::Problem), (status = 404, body = crate::web::error::Problem),
        (status = 409, body = crate::web::error::Problem), (status = 422, body = crate::web::error::Problem)))]
pub(crate) async fn act(
    State(app): State<App>,
    officer: Officer,
    Path((number, action)): Path<(String, String)>,
    headers: HeaderMap,
    Body(fields): Body<ActionFields>,
) -> Result<Json<CaseView>, WebError> {
    let number = number_of(&number)?;
    let action: CaseAction = slug_only(&action)?;
    let key = idempotency_key(&headers)?;
    let file = case_actions::perform(&app, &officer, &number, action, &fields, key.as_deref()).await?;
    let content = app.content.load();
    Ok(Json(CaseView::new(&file, &content)))
}

/// The slug of an action; its Chinese label is no address.
pub(super) fn slug_only(text: &str) -> Result<CaseAction, AppError> {
    CaseAction::ALL.iter().copied().find(|action| action.as_str() == text).ok_or(AppError::NotFound)
}
