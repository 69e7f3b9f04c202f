//! Conversations for officers: list, take over, answer, note, hand on, close, make a case beside the chat.
//!
//! Handlers translate; who may see and do what is decided in [`crate::app::conversations`].

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    app::{
        App, AppError, FieldError, Officer,
        conversations::{
            self, CaseInput, CaseMade, ConversationRow, Item, NoteRow, Outgoing, PromiseRow, Query, ReleaseTo, Sent,
            TransferTo, Viewer,
        },
        message_view::{MatterInput, at_json, filed_json, form_input, message_json},
    },
    domain::{access::Permission, dialogue::ConversationState, ids::ConversationId, kinds::Channel},
    web::{
        auth::Access,
        error::WebError,
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
        post("/api/conversations/{id}/claim", CONVERSE, claim),
        post("/api/conversations/{id}/release", CONVERSE, release),
        post("/api/conversations/{id}/transfer", CONVERSE, transfer),
        post("/api/conversations/{id}/messages", CONVERSE, send),
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
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    state: Option<String>,
    mine: Option<bool>,
    limit: Option<usize>,
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
    #[schema(value_type = Vec<Object>)]
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
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CannedParams {
    #[serde(default)]
    q: String,
    limit: Option<usize>,
}

/// A rule answer to be sent with a click.
#[derive(Debug, Serialize, ToSchema)]
pub struct CannedJson {
    /// The rule.
    pub rule_id: String,
    /// Title.
    pub title: String,
    /// Text.
    pub text: String,
    /// Sources, one line each.
    pub citations: Vec<String>,
    /// Waits for human re-check.
    pub awaiting_recheck: bool,
    /// Meant for officers only: to be rewritten before it is sent.
    pub draft: bool,
}

impl From<conversations::Canned> for CannedJson {
    fn from(canned: conversations::Canned) -> Self {
        Self {
            rule_id: canned.rule_id,
            title: canned.title,
            text: canned.text,
            citations: canned.citations,
            awaiting_recheck: canned.awaiting_recheck,
            draft: canned.draft,
        }
    }
}

fn zone(app: &App) -> TimeZone {
    app.content.load().schedule.zone().clone()
}

fn at(ms: Option<i64>, zone: &TimeZone) -> Value {
    ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).map_or(Value::Null, |at| Value::String(at_json(at, zone)))
}

/// A conversation as lists show it.
fn item_json(app: &App, item: &Item, zone: &TimeZone) -> Value {
    let row: &ConversationRow = &item.row;
    let state = row.state.parse::<ConversationState>().ok();
    let channel = row.channel.parse::<Channel>().ok();
    let id: Option<ConversationId> = row.id.parse().ok();
    let viewers = id.map(|id| app.presence.at(id, app.now())).unwrap_or_default();
    let content = app.content.load();
    let topic_label = row.topic.as_deref().and_then(|t| content.taxonomy.topic(t)).map(|t| t.label.clone());
    let flags: Value = serde_json::from_str(&row.flags).unwrap_or_else(|_| json!([]));
    json!({
        "id": row.id,
        "state": row.state,
        "state_label": state.map(ConversationState::label),
        "channel": row.channel,
        "channel_label": channel.map(Channel::label),
        "owner": row.officer_id.as_ref().map(|id| json!({"id": id, "name": item.owner})),
        "unit": row.unit,
        "unit_name": row.unit.as_deref().map(|unit| content.routing.units().short_name(unit)),
        "fence": row.fence,
        "seq": row.seq,
        "topic": row.topic,
        "topic_label": topic_label,
        "flags": flags,
        "handoff_reason": row.handoff_reason,
        "handoff_note": row.handoff_note,
        "last_text": row.last_text,
        "queued_at": at(row.queued_at, zone),
        "claimed_at": at(row.claimed_at, zone),
        "visitor_at": at(row.visitor_at, zone),
        "changed_at": at(Some(row.changed_at), zone),
        "created_at": at(Some(row.created_at), zone),
        "closed_at": at(row.closed_at, zone),
        "known": item.known,
        "viewers": viewers_json(&viewers),
    })
}

fn viewers_json(viewers: &[Viewer]) -> Value {
    viewers.iter().map(|v| json!({"id": v.officer.to_string(), "name": v.name, "typing": v.typing})).collect()
}

fn note_json(note: &NoteRow, zone: &TimeZone) -> Value {
    json!({"id": note.id, "author": note.author, "text": note.text, "at": at(Some(note.at), zone)})
}

fn promise_json(promise: &PromiseRow, zone: &TimeZone) -> Value {
    json!({
        "id": promise.id,
        "conversation_id": promise.conversation_id,
        "case_number": promise.case_number,
        "text": promise.text,
        "due_at": at(Some(promise.due_at), zone),
        "state": promise.state,
        "created_at": at(Some(promise.created_at), zone),
    })
}

fn changed(row: &ConversationRow, owner: Option<&str>) -> Json<Value> {
    let state = row.state.parse::<ConversationState>().ok();
    Json(json!({
        "id": row.id,
        "state": row.state,
        "state_label": state.map(ConversationState::label),
        "owner": row.officer_id.as_ref().map(|id| json!({"id": id, "name": owner})),
        "fence": row.fence,
        "seq": row.seq,
    }))
}

async fn list(
    State(app): State<App>,
    officer: Officer,
    Params(params): Params<ListParams>,
) -> Result<Json<Value>, WebError> {
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
    let query = Query { state, mine: params.mine.unwrap_or(false), limit: params.limit.unwrap_or(50), before };
    let page = conversations::list(&app, &officer, &query).await?;
    let zone = zone(&app);
    Ok(Json(json!({
        "items": page.items.iter().map(|item| item_json(&app, item, &zone)).collect::<Vec<_>>(),
        "next_cursor": page.next.map(|(at, id)| format!("{at}_{id}")),
    })))
}

async fn detail(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
) -> Result<Json<Value>, WebError> {
    let detail = conversations::detail(&app, &officer, id).await?;
    let zone = zone(&app);
    let mut json = item_json(&app, &detail.item, &zone);
    if let Some(object) = json.as_object_mut() {
        let messages: Vec<Value> = detail.messages.iter().map(|m| message_json(m, &zone, true)).collect();
        object.insert("messages".to_owned(), Value::Array(messages));
        let notes: Vec<Value> = detail.notes.iter().map(|n| note_json(n, &zone)).collect();
        object.insert("notes".to_owned(), Value::Array(notes));
        let promises: Vec<Value> = detail.promises.iter().map(|p| promise_json(p, &zone)).collect();
        object.insert("promises".to_owned(), Value::Array(promises));
        object.insert("form".to_owned(), detail.form.unwrap_or(Value::Null));
        object.insert("cases".to_owned(), json!(detail.cases));
        object.insert("allowed_actions".to_owned(), json!(detail.allowed));
    }
    Ok(Json(json))
}

async fn claim(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<ClaimRequest>,
) -> Result<Json<Value>, WebError> {
    let row = conversations::take_over(&app, &officer, id, request.fence).await?;
    Ok(changed(&row, Some(&officer.name)))
}

async fn release(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<ReleaseRequest>,
) -> Result<Json<Value>, WebError> {
    let to = match request.to.as_deref() {
        None | Some("queue") => ReleaseTo::Queue,
        Some("bot") => ReleaseTo::Bot,
        Some(_) => return Err(AppError::field("/to", "只能是 queue 或 bot").into()),
    };
    let row = conversations::release(&app, &officer, id, to).await?;
    Ok(changed(&row, None))
}

async fn transfer(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<TransferRequest>,
) -> Result<Json<Value>, WebError> {
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

async fn send(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<MessageRequest>,
) -> Result<Response, WebError> {
    let outgoing = Outgoing { client_id: &request.client_id, text: &request.text, after_seq: request.after_seq };
    let sent = conversations::send(&app, &officer, id, &outgoing).await?;
    let zone = zone(&app);
    Ok(match sent {
        Sent::Stored { message, promise } => Json(json!({
            "message": message_json(&message, &zone, true),
            "promise": promise.map(|due| json!({"due_at": at_json(due, &zone)})),
        }))
        .into_response(),
        Sent::Stale(unseen) => {
            let problem = json!({
                "type": "about:blank",
                "title": "Conflict",
                "status": 409,
                "code": "stale",
                "detail": format!("您写的时候又来了 {} 条新消息，看过再发。", unseen.len()),
                "messages": unseen.iter().map(|m| message_json(m, &zone, true)).collect::<Vec<_>>(),
            });
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string())
                .into_response()
        }
    })
}

async fn add_note(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<NoteRequest>,
) -> Result<Response, WebError> {
    let notes = conversations::add_note(&app, &officer, id, &request.text).await?;
    let zone = zone(&app);
    let notes: Vec<Value> = notes.iter().map(|n| note_json(n, &zone)).collect();
    Ok((StatusCode::CREATED, Json(json!({"notes": notes}))).into_response())
}

async fn close(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    _: Nothing,
) -> Result<Json<Value>, WebError> {
    let row = conversations::close(&app, &officer, id).await?;
    Ok(changed(&row, None))
}

async fn make_case(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<CaseRequest>,
) -> Result<Response, WebError> {
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
    let input = CaseInput { text: request.text, fields, matters, confirm: request.confirm };
    let zone = zone(&app);
    Ok(match conversations::make_case(&app, &officer, id, &input).await? {
        CaseMade::Draft(form) => Json(json!({"form": form})).into_response(),
        CaseMade::Filed(cases) => {
            let cases: Vec<Value> = cases.iter().map(|c| filed_json(c, &zone)).collect();
            (StatusCode::CREATED, Json(json!({"cases": cases}))).into_response()
        }
    })
}

async fn presence(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<ConversationId>,
    Body(request): Body<PresenceRequest>,
) -> Result<Json<Value>, WebError> {
    let viewers = conversations::be_present(&app, &officer, id, request.typing).await?;
    Ok(Json(json!({"viewers": viewers_json(&viewers)})))
}

async fn canned(State(app): State<App>, _: Officer, Params(params): Params<CannedParams>) -> Json<Value> {
    let items: Vec<CannedJson> =
        conversations::canned(&app, &params.q, params.limit.unwrap_or(20)).into_iter().map(CannedJson::from).collect();
    Json(json!({"items": items, "next_cursor": null}))
}

async fn promises(State(app): State<App>, officer: Officer) -> Result<Json<Value>, WebError> {
    let zone = zone(&app);
    let open = conversations::open_promises(&app, &officer).await?;
    let items: Vec<Value> = open.iter().map(|p| promise_json(p, &zone)).collect();
    Ok(Json(json!({"items": items, "next_cursor": null})))
}

async fn end_promise(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<String>,
    Body(request): Body<EndPromiseRequest>,
) -> Result<Response, WebError> {
    conversations::end_promise(&app, &officer, &id, request.kept).await?;
    Ok(crate::web::router::no_content())
}
