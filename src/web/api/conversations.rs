//! Conversations for officers: list, take over, answer, note, hand on, close, make a case beside the chat.
//!
//! Handlers translate; who may see and do what is decided in [`crate::app::conversations`].

use axum::{
    Json,
    extract::{Multipart, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{
    case_help_view::CaseHelpView,
    cases::idempotency_key,
    conversation_view::{
        ConversationChangedJson, ConversationDetailJson, ConversationJson, ConversationListJson, NoteJson, NotesJson,
        PromiseJson, PromiseListJson, PromisedJson, SentJson, StaffMessage, StaleProblem, ViewerJson, ViewersJson,
    },
    desk_view::{
        CannedJson, CannedListJson, CaseDraftJson, ColleagueJson, ColleaguesJson, DeskFormJson, FiledCaseJson,
        FiledCasesJson, UnitNameJson,
    },
};
use crate::{
    app::{
        App, AppError, FieldError, Officer, case_help,
        conversations::{self, CaseInput, CaseMade, ConversationRow, Outgoing, Query, ReleaseTo, Sent, TransferTo},
        message_view::{MatterInput, at_json, form_input},
    },
    domain::{access::Permission, dialogue::ConversationState, ids::ConversationId},
    web::{
        api::chat::{UPLOAD_LIMIT, file_form},
        auth::Access,
        error::{Problem, WebError},
        extract::{Arg, Body, Nothing, Params},
        router::{Route, get, post},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    const CONVERSE: Access = Access::Officer(Permission::Converse);
    vec![
        get("/api/conversations", CONVERSE, list),
        get("/api/conversations/{id}", CONVERSE, detail),
        get("/api/conversations/{id}/help", CONVERSE, help),
        get("/api/colleagues", CONVERSE, colleagues),
        post("/api/conversations/{id}/claim", CONVERSE, claim),
        post("/api/conversations/{id}/release", CONVERSE, release),
        post("/api/conversations/{id}/transfer", CONVERSE, transfer),
        post("/api/conversations/{id}/messages", CONVERSE, send),
        post("/api/conversations/{id}/attachments", CONVERSE, send_file).body_limit(UPLOAD_LIMIT),
        post("/api/conversations/{id}/notes", CONVERSE, add_note),
        post("/api/conversations/{id}/close", CONVERSE, close),
        post("/api/conversations/{id}/case", Access::Officer(Permission::FileCase), make_case),
        post("/api/conversations/{id}/presence", CONVERSE, presence),
        get("/api/canned", CONVERSE, canned),
        get("/api/promises", CONVERSE, promises),
        post("/api/promises/{id}/end", CONVERSE, end_promise),
    ]
}

/// What a list is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only this state.
    state: Option<String>,
    /// Only one's own (`true`).
    mine: Option<bool>,
    /// Lines, 1 to 200, default 50.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A claim.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// The fence of the conversation as the officer saw it; without it only the present owner counts.
    #[serde(default)]
    pub fence: Option<i64>,
}

/// Giving a conversation back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// `queue` (default) or `bot`.
    #[serde(default)]
    pub to: Option<String>,
}

/// Handing a conversation on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferRequest {
    /// Id of an officer.
    #[serde(default)]
    pub officer_id: Option<String>,
    /// Slug of a unit, instead.
    #[serde(default)]
    pub unit: Option<String>,
    /// Internal note for whoever takes it.
    #[serde(default)]
    pub note: String,
}

/// An officer's message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageRequest {
    /// The client's own id: a repeat stores nothing and returns the first answer.
    pub client_id: String,
    /// The words.
    pub text: String,
    /// Number of the last message seen; newer ones of others answer 409 with them.
    #[serde(default)]
    pub after_seq: Option<i64>,
    /// Id of the suggestion the words began with.
    #[serde(default)]
    pub suggestion: Option<String>,
}

/// An internal note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteRequest {
    /// The words; never shown to the visitor.
    pub text: String,
}

/// A sign of life.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PresenceRequest {
    /// Whether an answer is being written.
    #[serde(default)]
    pub typing: bool,
}

/// A case beside the chat.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseRequest {
    /// What the matter is, when nothing was told yet.
    #[serde(default)]
    pub text: String,
    /// Field values by key.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
    /// Matters as they stand.
    #[serde(default)]
    pub matters: Vec<MatterInput>,
    /// `true` files; `false` only shows the form.
    #[serde(default)]
    pub confirm: bool,
}

/// The end of a promise.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndPromiseRequest {
    /// `true`: kept; `false`: dropped.
    pub kept: bool,
}

/// What canned answers are searched for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CannedParams {
    /// Words.
    #[serde(default)]
    q: String,
    /// Lines, 1 to 50, default 20.
    limit: Option<u32>,
}

fn zone(app: &App) -> TimeZone {
    app.content.load().schedule.zone().clone()
}

/// How long a page shall be; the use case cuts it to its own bounds.
fn length(wanted: Option<u32>, usual: usize) -> usize {
    wanted.map_or(usual, |lines| usize::try_from(lines).unwrap_or(usize::MAX))
}

fn changed(row: &ConversationRow, owner: Option<&str>) -> Json<ConversationChangedJson> {
    Json(ConversationChangedJson::new(row, owner))
}

/// Conversations that wait or are handled, the last changed first.
#[utoipa::path(get, path = "/api/conversations", tag = "conversations", operation_id = "list_conversations", params(ListParams), responses((status = 200, body = ConversationListJson), (status = 422, body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    officer: Officer,
    Params(params): Params<ListParams>,
) -> Result<Json<ConversationListJson>, WebError> {
    let state = match params.state.as_deref() {
        None | Some("") => None,
        Some(word) => Some(word.parse::<ConversationState>().map_err(|_| AppError::field("/state", "没有这个状态"))?),
    };
    let before = match params.cursor.as_deref() {
        None | Some("") => None,
        Some(cursor) => Some(
            cursor
                .split_once('_')
                .and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())))
                .ok_or_else(|| AppError::field("/cursor", "游标无效"))?,
        ),
    };
    let query = Query { state, mine: params.mine.unwrap_or(false), limit: length(params.limit, 50), before };
    let page = conversations::list(&app, &officer, &query).await?;
    let zone = zone(&app);
    let items: Result<Vec<_>, _> = page.items.iter().map(|item| ConversationJson::new(&app, item, &zone)).collect();
    let next_cursor = page.next.map(|(at, id)| format!("{at}_{id}"));
    Ok(Json(ConversationListJson { items: items?, next_cursor }))
}

/// One conversation with messages, notes, cases and what may be done.
#[utoipa::path(get, path = "/api/conversations/{id}", tag = "conversations", operation_id = "detail_conversation", params(("id" = String, Path, description = "Conversation id")), responses((status = 200, body = ConversationDetailJson), (status = 404, body = Problem)))]
pub(crate) async fn detail(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
) -> Result<Json<ConversationDetailJson>, WebError> {
    let detail = conversations::detail(&app, &officer, id).await?;
    Ok(Json(ConversationDetailJson::new(&app, detail, &zone(&app))?))
}

/// Help with a conversation: what is missing, rule answers to send, finished cases like it that the caller may see.
#[utoipa::path(get, path = "/api/conversations/{id}/help", tag = "conversations", operation_id = "help_conversation", params(("id" = String, Path, description = "Conversation id")), responses((status = 200, body = CaseHelpView), (status = 404, body = Problem)))]
pub(crate) async fn help(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
) -> Result<Json<CaseHelpView>, WebError> {
    let help = case_help::conversation_help(&app, &officer, id).await?;
    Ok(Json(CaseHelpView::new(help, &zone(&app))))
}

/// Takes a conversation over; the bot falls silent.
#[utoipa::path(post, path = "/api/conversations/{id}/claim", tag = "conversations", operation_id = "claim_conversation", params(("id" = String, Path, description = "Conversation id")), request_body = ClaimRequest, responses((status = 200, body = ConversationChangedJson), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn claim(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<ClaimRequest>,
) -> Result<Json<ConversationChangedJson>, WebError> {
    let row = conversations::take_over(&app, &officer, id, request.fence).await?;
    Ok(changed(&row, Some(&officer.name)))
}

/// Gives a conversation back to the queue or the bot.
#[utoipa::path(post, path = "/api/conversations/{id}/release", tag = "conversations", operation_id = "release_conversation", params(("id" = String, Path, description = "Conversation id")), request_body = ReleaseRequest, responses((status = 200, body = ConversationChangedJson), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn release(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<ReleaseRequest>,
) -> Result<Json<ConversationChangedJson>, WebError> {
    let to = match request.to.as_deref() {
        None | Some("queue") => ReleaseTo::Queue,
        Some("bot") => ReleaseTo::Bot,
        Some(_) => return Err(AppError::field("/to", "只能是 queue 或 bot").into()),
    };
    let row = conversations::release(&app, &officer, id, to).await?;
    Ok(changed(&row, None))
}

/// Hands a conversation to an officer or a unit.
#[utoipa::path(post, path = "/api/conversations/{id}/transfer", tag = "conversations", operation_id = "transfer_conversation", params(("id" = String, Path, description = "Conversation id")), request_body = TransferRequest, responses((status = 200, body = ConversationChangedJson), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn transfer(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<TransferRequest>,
) -> Result<Json<ConversationChangedJson>, WebError> {
    let to = match (request.officer_id, request.unit) {
        (Some(officer), None) => {
            TransferTo::Officer(officer.parse().map_err(|_| AppError::field("/officer_id", "没有这位工作人员"))?)
        }
        (None, Some(unit)) => TransferTo::Unit(unit),
        (Some(_), Some(_)) | (None, None) => {
            return Err(AppError::field("/officer_id", "请选择一位工作人员或一个单位").into());
        }
    };
    let row = conversations::transfer(&app, &officer, id, &to, &request.note).await?;
    Ok(changed(&row, None))
}

/// Whom a conversation can be handed to.
#[utoipa::path(get, path = "/api/colleagues", tag = "conversations", operation_id = "colleagues", responses((status = 200, body = ColleaguesJson)))]
pub(crate) async fn colleagues(State(app): State<App>, officer: Officer) -> Result<Json<ColleaguesJson>, WebError> {
    let unit_name = |slug: &str| if slug.is_empty() { "服务中心".to_owned() } else { app.unit_name(slug) };
    let people = conversations::colleagues(&app, &officer).await?;
    let items = people
        .into_iter()
        .map(|one| ColleagueJson { unit_name: unit_name(&one.unit), id: one.id, name: one.name, unit: one.unit })
        .collect();
    let content = app.content.load();
    let units = content.routing.units().list().iter();
    let units = units.map(|u| UnitNameJson { slug: u.slug.clone(), name: u.short_name.clone() }).collect();
    Ok(Json(ColleaguesJson { items, units }))
}

/// Answers the visitor.
#[utoipa::path(post, path = "/api/conversations/{id}/messages", tag = "conversations", operation_id = "send_to_visitor", params(("id" = String, Path, description = "Conversation id")), request_body = MessageRequest, responses((status = 200, body = SentJson), (status = 404, body = Problem), (status = 409, body = StaleProblem), (status = 422, body = Problem)))]
pub(crate) async fn send(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<MessageRequest>,
) -> Result<Response, WebError> {
    let suggestion = match request.suggestion.as_deref() {
        None | Some("") => None,
        Some(id) => Some(id.parse().map_err(|_| AppError::field("/suggestion", "没有这份建议"))?),
    };
    let outgoing = Outgoing {
        client_id: &request.client_id,
        text: &request.text,
        after_seq: request.after_seq,
        file: None,
        suggestion,
    };
    let sent = conversations::send(&app, &officer, id, &outgoing).await?;
    Ok(sent_answer(&app, sent))
}

/// Sends a file to the visitor: form parts `client_id` and `file`.
#[utoipa::path(post, path = "/api/conversations/{id}/attachments", tag = "conversations", operation_id = "send_file_to_visitor", params(("id" = String, Path, description = "Conversation id")), request_body(content = crate::web::api::chat::UploadForm, content_type = "multipart/form-data"), responses((status = 200, body = SentJson), (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn send_file(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    mut form: Multipart,
) -> Result<Response, WebError> {
    conversations::may_write(&app, &officer, id).await?;
    let (client_id, file) = file_form(&app, id, true, &mut form).await?;
    let client_id = client_id.ok_or_else(|| AppError::field("/client_id", "请提供 client_id"))?;
    let sent = conversations::send_file(&app, &officer, id, &client_id, &file).await?;
    Ok(sent_answer(&app, sent))
}

fn sent_answer(app: &App, sent: Sent) -> Response {
    match sent {
        Sent::Stored { message, promise } => {
            let zone = zone(app);
            let promise = promise.map(|due| PromisedJson { due_at: at_json(due, &zone) });
            Json(SentJson { message: StaffMessage::new(app, *message), promise }).into_response()
        }
        Sent::Stale(unseen) => {
            let problem = StaleProblem {
                kind: "about:blank",
                title: "状态已变化",
                status: 409,
                code: "stale",
                detail: format!("您写的时候又来了 {} 条新消息，看过再发。", unseen.len()),
                messages: unseen.into_iter().map(|message| StaffMessage::new(app, message)).collect(),
            };
            let mut response = (StatusCode::CONFLICT, Json(problem)).into_response();
            let kind = HeaderValue::from_static("application/problem+json");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
    }
}

/// Adds an internal note.
#[utoipa::path(post, path = "/api/conversations/{id}/notes", tag = "conversations", operation_id = "add_note", params(("id" = String, Path, description = "Conversation id")), request_body = NoteRequest, responses((status = 201, body = NotesJson), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn add_note(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<NoteRequest>,
) -> Result<Response, WebError> {
    let notes = conversations::add_note(&app, &officer, id, &request.text).await?;
    let zone = zone(&app);
    let notes = notes.into_iter().map(|note| NoteJson::new(note, &zone)).collect();
    Ok((StatusCode::CREATED, Json(NotesJson { notes })).into_response())
}

/// Ends a conversation.
#[utoipa::path(post, path = "/api/conversations/{id}/close", tag = "conversations", operation_id = "close_conversation", params(("id" = String, Path, description = "Conversation id")), responses((status = 200, body = ConversationChangedJson), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn close(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    _: Nothing,
) -> Result<Json<ConversationChangedJson>, WebError> {
    let row = conversations::close(&app, &officer, id).await?;
    Ok(changed(&row, None))
}

/// Makes a case of a conversation: shows the form, or files it with `confirm`.
#[utoipa::path(post, path = "/api/conversations/{id}/case", tag = "conversations", operation_id = "make_case", params(("id" = String, Path, description = "Conversation id"), ("Idempotency-Key" = Option<String>, Header, description = "A repeat gives the first answer again")), request_body = CaseRequest, responses((status = 200, body = CaseDraftJson), (status = 201, body = FiledCasesJson), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn make_case(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    headers: HeaderMap,
    Body(request): Body<CaseRequest>,
) -> Result<Response, WebError> {
    let key = idempotency_key(&headers)?;
    let fields = request.fields.into_iter().map(|(key, value)| {
        let value = match value {
            Value::String(text) => text,
            Value::Bool(true) => "是".to_owned(),
            Value::Bool(false) => "否".to_owned(),
            Value::Null => String::new(),
            Value::Number(number) => number.to_string(),
            Value::Array(_) | Value::Object(_) => "\u{0}".to_owned(),
        };
        (key, value)
    });
    let (fields, matters) = form_input(fields, request.matters).map_err(|mistakes| {
        let errors = mistakes.into_iter().map(|m| FieldError::new(m.pointer, m.message)).collect();
        AppError::invalid("invalid_fields", errors)
    })?;
    let input = CaseInput { text: request.text, fields, matters, confirm: request.confirm, key };
    let zone = zone(&app);
    Ok(match conversations::make_case(&app, &officer, id, &input).await? {
        CaseMade::Draft(form) => {
            let form = DeskFormJson::from_value(form)?;
            Json(CaseDraftJson { form }).into_response()
        }
        CaseMade::Filed(cases) => {
            let cases = cases.into_iter().map(|case| FiledCaseJson::new(case, &zone)).collect();
            (StatusCode::CREATED, Json(FiledCasesJson { cases })).into_response()
        }
    })
}

/// Tells who looks and types.
#[utoipa::path(post, path = "/api/conversations/{id}/presence", tag = "conversations", operation_id = "presence_conversation", params(("id" = String, Path, description = "Conversation id")), request_body = PresenceRequest, responses((status = 200, body = ViewersJson), (status = 404, body = Problem)))]
pub(crate) async fn presence(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<PresenceRequest>,
) -> Result<Json<ViewersJson>, WebError> {
    let viewers = conversations::be_present(&app, &officer, id, request.typing).await?;
    Ok(Json(ViewersJson { viewers: viewers.iter().map(ViewerJson::from).collect() }))
}

/// Ready answers from the rules.
#[utoipa::path(get, path = "/api/canned", tag = "conversations", operation_id = "canned", params(CannedParams), responses((status = 200, body = CannedListJson)))]
pub(crate) async fn canned(
    State(app): State<App>,
    _: Officer,
    Params(params): Params<CannedParams>,
) -> Json<CannedListJson> {
    let found = conversations::canned(&app, &params.q, length(params.limit, 20));
    Json(CannedListJson { items: found.into_iter().map(CannedJson::from).collect(), next_cursor: None })
}

/// Promises that are not kept yet.
#[utoipa::path(get, path = "/api/promises", tag = "conversations", operation_id = "promises", responses((status = 200, body = PromiseListJson)))]
pub(crate) async fn promises(State(app): State<App>, officer: Officer) -> Result<Json<PromiseListJson>, WebError> {
    let zone = zone(&app);
    let open = conversations::open_promises(&app, &officer).await?;
    let items = open.into_iter().map(|promise| PromiseJson::new(promise, &zone)).collect();
    Ok(Json(PromiseListJson { items, next_cursor: None }))
}

/// Marks a promise as kept or dropped.
#[utoipa::path(post, path = "/api/promises/{id}/end", tag = "conversations", operation_id = "end_promise", params(("id" = String, Path, description = "Promise id")), request_body = EndPromiseRequest, responses((status = 204, description = "Ended"), (status = 404, body = Problem)))]
pub(crate) async fn end_promise(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<String>,
    Body(request): Body<EndPromiseRequest>,
) -> Result<Response, WebError> {
    conversations::end_promise(&app, &officer, &id, request.kept).await?;
    Ok(crate::web::router::no_content())
}
