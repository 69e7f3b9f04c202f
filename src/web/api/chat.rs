//! The chat API of the page, the widget and other front ends.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Multipart, State, multipart::Field},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::stream;
use crate::{
    app::{
        App, AppError, FieldError, attachments, chat,
        events::{Scope, StaffEvent},
        exchange::{self, Answer, Sent, Shown},
        limits::refuse,
        message::{ConversationInfo, FileInfo, Message},
        message_view::{MatterInput, form_input},
        visitors, wechat,
    },
    domain::{
        access::Permission,
        dialogue::{Input, InputKind},
        ids::{AttachmentId, ConversationId},
    },
    web::{
        auth::{Access, Caller, Client, Visitor, cookie, framed_cookie, is_foreign, visitor_cookie, visitor_token},
        error::WebError,
        extract::{Arg, Body, Nothing, Params},
        qr,
        router::{Route, get, no_content, post},
    },
};

/// Room for the multipart frame around a file.
const FRAME: usize = 64 * 1024;
/// Largest upload the router lets in; the configured limit below it is checked while the file is written.
pub(super) const UPLOAD_LIMIT: usize = 64 * 1024 * 1024;

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![
        post("/api/chat/sessions", Access::Public, start),
        post("/api/chat/messages", Access::Visitor, send),
        get("/api/chat/messages", Access::Visitor, history),
        get("/api/chat/stream", Access::Visitor, stream::conversation),
        post("/api/chat/attachments", Access::Visitor, upload).body_limit(UPLOAD_LIMIT + FRAME),
        get("/api/chat/attachments/{id}", Access::VisitorOrOfficer, download),
        post("/api/chat/handoff", Access::Visitor, hand_off),
        post("/api/chat/feedback", Access::Visitor, feedback),
        post("/api/chat/case", Access::Visitor, file_case),
        post("/api/chat/typing", Access::Visitor, typing),
        post("/api/chat/wechat", Access::Visitor, wechat_code),
    ]
}

/// Starts or resumes a conversation.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionRequest {
    /// Language tag, e.g. `zh-CN`.
    pub locale: Option<String>,
    /// What the front end knows of the visitor.
    #[serde(deserialize_with = "object")]
    pub profile: Option<Profile>,
    /// Identity vouched for by the embedding site.
    #[serde(deserialize_with = "object")]
    pub identity: Option<Identity>,
    /// The chat stands in a frame of another site: over https the cookie is one that holds there (`Partitioned`).
    pub embedded: bool,
}

/// An object as its type; an array, which serde would read as the fields in order, is refused.
fn object<'de, D: serde::Deserializer<'de>, T: serde::de::DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let fields = Option::<serde_json::Map<String, serde_json::Value>>::deserialize(from)?;
    fields.map(|fields| serde_json::from_value(fields.into())).transpose().map_err(serde::de::Error::custom)
}

/// What the front end knows of the visitor; nothing of it is taken as verified.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Name of the person or enterprise.
    pub name: Option<String>,
}

/// A user of the embedding site.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Id at the embedding site.
    pub user_id: String,
    /// Hex HMAC-SHA256 over `user_id` with the shared key.
    pub hmac: String,
}

/// A started or resumed conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionAnswer {
    /// The conversation.
    pub conversation_id: String,
    /// The secret for `Authorization: Bearer`.
    pub token: String,
    /// The conversation as it stands.
    pub conversation: ConversationInfo,
}

/// Starts or resumes a conversation.
#[utoipa::path(post, path = "/api/chat/sessions", tag = "chat", security(()), request_body = SessionRequest,
    responses((status = 201, body = SessionAnswer), (status = 401, body = crate::web::error::Problem),
        (status = 403, body = crate::web::error::Problem), (status = 422, body = crate::web::error::Problem),
        (status = 429, body = crate::web::error::Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn start(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(request): Body<SessionRequest>,
) -> Result<Response, WebError> {
    // The framed page is ours as well, so its `Origin` is: the site around it gets no session in the visitor's name.
    if request.embedded && is_foreign(&app, &headers) {
        return Err(WebError(AppError::forbidden("csrf")));
    }
    let framed = request.embedded && client.secure;
    if request.identity.is_none()
        && let Some(token) = visitor_token(&headers, client.secure)
        && let Ok((_, id)) = visitors::authenticate(&app, &token).await
    {
        let conversation = chat::conversation(&app, id).await?;
        if conversation.state != "closed" {
            return Ok(session_answer(&client, framed, token, conversation));
        }
    }
    app.limits.sessions.take(client.address, app.now()).map_err(refuse("too_many"))?;
    let new = visitors::NewSession {
        locale: request.locale,
        name: request.profile.and_then(|profile| profile.name),
        identity: request.identity.map(|identity| (identity.user_id, identity.hmac)),
    };
    let started = visitors::start(&app, &new).await?;
    let conversation = ConversationInfo {
        id: started.conversation.to_string(),
        state: "bot".into(),
        seq: 0,
        officer: None,
        queue_position: None,
        proposal: None,
    };
    Ok(session_answer(&client, framed, started.token, conversation))
}

fn session_answer(client: &Client, framed: bool, token: String, conversation: ConversationInfo) -> Response {
    const AGE_S: i64 = 90 * 24 * 3_600;
    let name = visitor_cookie(client.secure);
    let set =
        if framed { framed_cookie(name, &token, AGE_S) } else { cookie(name, &token, client.secure, true, AGE_S) };
    let answer = SessionAnswer { conversation_id: conversation.id.clone(), token, conversation };
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    response.headers_mut().append(header::SET_COOKIE, set);
    response
}

/// One message of the visitor.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChatMessageRequest)]
#[serde(deny_unknown_fields)]
pub struct MessageRequest {
    /// The client's own id, 1 to 64 visible ASCII characters; a repeat returns the first answer and stores nothing.
    pub client_id: String,
    /// The words.
    pub text: String,
}

/// The stored message, the replies to it, and the conversation now.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageAnswer {
    /// The visitor's message as stored.
    pub message: Option<Message>,
    /// The replies.
    pub replies: Vec<Message>,
    /// The conversation.
    pub conversation: ConversationInfo,
}

impl From<Answer> for MessageAnswer {
    fn from(answer: Answer) -> Self {
        Self { message: answer.message, replies: answer.replies, conversation: answer.conversation }
    }
}

fn count_message(app: &App, visitor: &Visitor, client: &Client) -> Result<(), AppError> {
    let now = app.now();
    app.limits.messages.take(visitor.conversation, now).map_err(refuse("chat_too_many"))?;
    app.limits.messages_by_address.take(client.address, now).map_err(refuse("chat_too_many"))
}

/// Sends a message; it is durable before the answer.
#[utoipa::path(post, path = "/api/chat/messages", tag = "chat", request_body = MessageRequest,
    responses((status = 200, body = MessageAnswer), (status = 401, body = crate::web::error::Problem),
        (status = 413, body = crate::web::error::Problem), (status = 422, body = crate::web::error::Problem),
        (status = 429, body = crate::web::error::Problem), (status = 503, body = crate::web::error::Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn send(
    State(app): State<App>,
    visitor: Visitor,
    client: Client,
    Body(request): Body<MessageRequest>,
) -> Result<Json<MessageAnswer>, WebError> {
    exchange::check_client_id(&request.client_id)?;
    exchange::check_text(&app, &request.text)?;
    count_message(&app, &visitor, &client)?;
    let answer = app
        .exchange
        .send(Sent {
            conversation: visitor.conversation,
            client_id: Some(request.client_id),
            shown: Some(Shown { kind: "text", text: request.text.clone(), attachment: None }),
            input: Input::text(request.text),
            via: None,
        })
        .await?;
    Ok(Json(answer.into()))
}

/// Which part of the history.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryQuery {
    /// Only messages with a greater number.
    pub after: Option<i64>,
    /// The same as `after`, from `next_cursor`.
    pub cursor: Option<i64>,
    /// Most messages, up to 500.
    pub limit: Option<u32>,
}

/// A part of the history.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryAnswer {
    /// Messages in order.
    pub items: Vec<Message>,
    /// Where the next part begins; `null` at the end.
    pub next_cursor: Option<String>,
    /// The conversation.
    pub conversation: ConversationInfo,
}

/// The history in order.
#[utoipa::path(get, path = "/api/chat/messages", tag = "chat", params(HistoryQuery),
    responses((status = 200, body = HistoryAnswer), (status = 400, body = crate::web::error::Problem),
        (status = 401, body = crate::web::error::Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn history(
    State(app): State<App>,
    visitor: Visitor,
    Params(query): Params<HistoryQuery>,
) -> Result<Json<HistoryAnswer>, WebError> {
    let after = query.cursor.or(query.after).unwrap_or(0).max(0);
    let limit = i64::from(query.limit.unwrap_or(200)).clamp(1, 500);
    let (items, conversation) = chat::history(&app, visitor.conversation, after, limit).await?;
    let next_cursor =
        items.last().map(|last| last.seq).filter(|seq| *seq < conversation.seq).map(|seq| seq.to_string());
    Ok(Json(HistoryAnswer { items, next_cursor, conversation }))
}

/// A file in a multipart form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only describes the form in the OpenAPI document")]
pub struct UploadForm {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The client's own id.
    client_id: Option<String>,
}

/// A stored file with the messages it made.
#[derive(Debug, Serialize, ToSchema)]
pub struct UploadAnswer {
    /// The file.
    pub attachment: FileInfo,
    /// The visitor's message as stored.
    pub message: Option<Message>,
    /// The replies.
    pub replies: Vec<Message>,
    /// The conversation.
    pub conversation: ConversationInfo,
}

/// Sends a picture, a PDF or an Office file.
#[utoipa::path(post, path = "/api/chat/attachments", tag = "chat",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, body = UploadAnswer), (status = 401, body = crate::web::error::Problem),
        (status = 413, body = crate::web::error::Problem), (status = 415, body = crate::web::error::Problem),
        (status = 422, body = crate::web::error::Problem), (status = 429, body = crate::web::error::Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn upload(
    State(app): State<App>,
    visitor: Visitor,
    client: Client,
    mut form: Multipart,
) -> Result<Response, WebError> {
    count_message(&app, &visitor, &client)?;
    app.limits.uploads.take(visitor.conversation, app.now()).map_err(refuse("upload_too_many"))?;
    let (client_id, attachment) = file_form(&app, visitor.conversation, false, &mut form).await?;
    let image = attachment.mime.starts_with("image/");
    let answer = app
        .exchange
        .send(Sent {
            conversation: visitor.conversation,
            client_id,
            input: Input {
                kind: InputKind::Attachment { id: attachment.id.clone(), name: attachment.name.clone(), image },
            },
            shown: Some(Shown {
                kind: if image { "image" } else { "file" },
                text: attachment.name.clone(),
                attachment: Some(attachment.clone()),
            }),
            via: None,
        })
        .await?;
    // Sent again: the message has the file that came first, and this one is none of it.
    let first = answer.message.as_ref().and_then(|message| message.attachment.clone());
    let attachment = match first.filter(|first| answer.repeated && first.id != attachment.id) {
        Some(first) => {
            attachments::discard(&app, visitor.conversation, &attachment.id).await?;
            first
        }
        None => attachment,
    };
    let answer = UploadAnswer {
        attachment,
        message: answer.message,
        replies: answer.replies,
        conversation: answer.conversation,
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// A form with a file and the sender's own id, each once and nothing else; the file is stored. Speech and videos only
/// where `recordings` says so.
pub(super) async fn file_form(
    app: &App,
    conversation: ConversationId,
    recordings: bool,
    form: &mut Multipart,
) -> Result<(Option<String>, FileInfo), WebError> {
    let mut client_id = None;
    let mut file = None;
    // A form has few parts; a flood of empty ones ends here.
    for _ in 0..8 {
        let Some(part) = form.next_field().await.map_err(|error| broken_form(&error))? else { break };
        match part.name() {
            Some("client_id") if client_id.is_none() => {
                let text = small_text(part).await?;
                exchange::check_client_id(&text)?;
                client_id = Some(text);
            }
            Some("file") if file.is_none() => file = Some(receive(app, conversation, recordings, part).await?),
            Some(_) | None => {
                return Err(WebError(AppError::invalid(
                    "invalid_fields",
                    vec![FieldError::new("/file", "表单里只能有一个 file 和一个 client_id")],
                )));
            }
        }
    }
    let file = file.ok_or_else(|| AppError::invalid("file_missing", Vec::new()))?;
    Ok((client_id, file))
}

async fn receive(
    app: &App,
    conversation: ConversationId,
    recordings: bool,
    mut part: Field<'_>,
) -> Result<FileInfo, WebError> {
    let name = part.file_name().unwrap_or_default().to_owned();
    let mut upload = attachments::Upload::begin(app, conversation).await?;
    if recordings {
        upload = upload.with_recordings();
    }
    while let Some(bytes) = part.chunk().await.map_err(|error| broken_form(&error))? {
        upload.write(&bytes).await?;
    }
    Ok(upload.finish(app, conversation, &name).await?)
}

async fn small_text(mut part: Field<'_>) -> Result<String, WebError> {
    let mut bytes = Vec::new();
    while let Some(more) = part.chunk().await.map_err(|error| broken_form(&error))? {
        bytes.extend_from_slice(&more);
        if bytes.len() > 256 {
            return Err(WebError(AppError::TooLarge { code: "too_large" }));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn broken_form(error: &axum::extract::multipart::MultipartError) -> WebError {
    WebError(if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        AppError::TooLarge { code: "file_too_large" }
    } else {
        AppError::Invalid {
            code: "bad_request", detail: Some("上传没有传完整或格式不对。".into()), errors: Vec::new()
        }
    })
}

/// A file of the conversation; always as a download.
#[utoipa::path(get, path = "/api/chat/attachments/{id}", tag = "chat",
    params(("id" = String, Path, description = "Attachment id")),
    responses((status = 200, description = "The file, of its own type", body = Vec<u8>, content_type = "*/*"),
        (status = 401, body = crate::web::error::Problem), (status = 404, body = crate::web::error::Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn download(
    State(app): State<App>,
    caller: Caller,
    Arg(id): Arg<AttachmentId>,
) -> Result<Response, WebError> {
    let file = match caller {
        Caller::Visitor(visitor) => attachments::open(&app, visitor.conversation, id).await?,
        Caller::Officer(officer) => attachments::open_for_officer(&app, &officer, id).await?,
    };
    super::attachments::send(file)
}

/// Only the client's own id.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HandoffRequest {
    /// The client's own id; a repeat returns the first answer.
    pub client_id: Option<String>,
}

/// Asks for a person.
#[utoipa::path(post, path = "/api/chat/handoff", tag = "chat", request_body = HandoffRequest,
    responses((status = 200, body = MessageAnswer), (status = 401, body = crate::web::error::Problem),
        (status = 429, body = crate::web::error::Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn hand_off(
    State(app): State<App>,
    visitor: Visitor,
    client: Client,
    Body(request): Body<HandoffRequest>,
) -> Result<Json<MessageAnswer>, WebError> {
    if let Some(id) = &request.client_id {
        exchange::check_client_id(id)?;
    }
    count_message(&app, &visitor, &client)?;
    let answer = app
        .exchange
        .send(Sent {
            conversation: visitor.conversation,
            client_id: request.client_id,
            input: Input { kind: InputKind::Handoff },
            shown: Some(Shown { kind: "text", text: "转人工".into(), attachment: None }),
            via: None,
        })
        .await?;
    Ok(Json(answer.into()))
}

/// What the visitor thinks of an answer.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FeedbackRequest {
    /// Id of the message judged.
    pub message_id: Option<String>,
    /// Or its number.
    pub seq: Option<i64>,
    /// Whether it helped.
    pub helpful: Option<bool>,
    /// Words.
    pub comment: Option<String>,
}

/// Rates an answer.
#[utoipa::path(post, path = "/api/chat/feedback", tag = "chat", request_body = FeedbackRequest,
    responses((status = 204), (status = 401, body = crate::web::error::Problem),
        (status = 404, body = crate::web::error::Problem), (status = 422, body = crate::web::error::Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn feedback(
    State(app): State<App>,
    visitor: Visitor,
    client: Client,
    Body(request): Body<FeedbackRequest>,
) -> Result<Response, WebError> {
    let mut errors = Vec::new();
    if request.message_id.is_none() && request.seq.is_none() {
        errors.push(FieldError::new("/message_id", "请指明是哪条消息"));
    }
    if request.helpful.is_none() {
        errors.push(FieldError::new("/helpful", "请选择是否有帮助"));
    }
    if !errors.is_empty() {
        return Err(WebError(AppError::invalid("invalid_fields", errors)));
    }
    count_message(&app, &visitor, &client)?;
    let opinion = chat::Opinion {
        message_id: request.message_id,
        seq: request.seq,
        helpful: request.helpful.unwrap_or_default(),
        words: request.comment.unwrap_or_default(),
    };
    chat::note_opinion(&app, visitor.conversation, &opinion).await?;
    Ok(no_content())
}

/// The form as filled in, with the explicit 提交.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChatCaseRequest)]
#[serde(deny_unknown_fields)]
pub struct CaseRequest {
    /// The client's own id; a repeat returns the first answer.
    pub client_id: String,
    /// Values by field key: `enterprise`, `uscc`, `contact_name`, `contact_phone`, `place`, `object`, `happened_on`,
    /// `amount`, `demand`, `confidential`.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// What the visitor decided about each matter.
    #[serde(default)]
    pub matters: Vec<MatterInput>,
    /// `true` is the explicit 提交.
    pub confirm: bool,
}

/// One filed case.
#[derive(Debug, Serialize, ToSchema)]
pub struct FiledCaseInfo {
    /// Case number.
    pub number: String,
    /// Query code; the same for cases filed together.
    pub code: String,
    /// Title.
    pub title: String,
}

/// The filed cases with their receipt.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseAnswer {
    /// The cases; empty when a question has to be answered first.
    pub cases: Vec<FiledCaseInfo>,
    /// The receipt, or the question.
    pub message: Option<Message>,
    /// All replies.
    pub replies: Vec<Message>,
    /// The conversation.
    pub conversation: ConversationInfo,
}

/// Files cases from the collected form.
#[utoipa::path(post, path = "/api/chat/case", tag = "chat", request_body = CaseRequest,
    responses((status = 201, body = CaseAnswer), (status = 200, body = CaseAnswer),
        (status = 401, body = crate::web::error::Problem), (status = 409, body = crate::web::error::Problem),
        (status = 422, body = crate::web::error::Problem), (status = 429, body = crate::web::error::Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn file_case(
    State(app): State<App>,
    visitor: Visitor,
    client: Client,
    Body(request): Body<CaseRequest>,
) -> Result<Response, WebError> {
    exchange::check_client_id(&request.client_id)?;
    if !request.confirm {
        return Err(WebError(AppError::invalid(
            "confirm_missing",
            vec![FieldError::new("/confirm", "请确认后再提交")],
        )));
    }
    if let Some((key, _)) = request.fields.iter().find(|(_, value)| value.contains('\0')) {
        return Err(WebError(AppError::field(format!("/fields/{key}"), "内容含有不能保存的字符")));
    }
    let (fields, matters) = form_input(request.fields, request.matters).map_err(|mistakes| {
        AppError::invalid(
            "invalid_fields",
            mistakes.into_iter().map(|mistake| FieldError::new(mistake.pointer, mistake.message)).collect(),
        )
    })?;
    count_message(&app, &visitor, &client)?;
    let answer = app
        .exchange
        .send(Sent {
            conversation: visitor.conversation,
            client_id: Some(request.client_id),
            input: Input { kind: InputKind::FormSubmit { fields, matters, confirm: true } },
            shown: Some(Shown { kind: "text", text: "提交".into(), attachment: None }),
            via: None,
        })
        .await?;
    let receipt = answer.replies.iter().find(|reply| reply.card.is_some()).or(answer.replies.last()).cloned();
    let cases: Vec<FiledCaseInfo> = receipt
        .iter()
        .filter_map(|message| message.card.as_ref())
        .filter(|card| card.kind == "receipt")
        .flat_map(|card| &card.cases)
        .map(|case| FiledCaseInfo {
            number: case.number.clone(),
            code: case.code.clone().unwrap_or_default(),
            title: case.title.clone(),
        })
        .collect();
    let status = if cases.is_empty() { StatusCode::OK } else { StatusCode::CREATED };
    let body = CaseAnswer { cases, message: receipt, replies: answer.replies, conversation: answer.conversation };
    Ok((status, Json(body)).into_response())
}

/// Tells the officer that the visitor types; nothing is stored.
#[utoipa::path(post, path = "/api/chat/typing", tag = "chat",
    responses((status = 204), (status = 401, body = crate::web::error::Problem)))]
pub async fn typing(State(app): State<App>, visitor: Visitor, _: Nothing) -> Response {
    app.hub.tell_staff(StaffEvent {
        kind: "typing",
        scope: Scope::Permission(Permission::Converse),
        data: serde_json::json!({ "conversation_id": visitor.conversation.to_string(), "from": "visitor" }).to_string(),
    });
    no_content()
}

/// A QR code that continues this conversation in WeChat.
#[derive(Debug, Serialize, ToSchema)]
pub struct WechatCode {
    /// Name of the 公众号 in the configuration.
    pub account: String,
    /// What the QR code says.
    pub url: String,
    /// The QR code drawn: an SVG picture as a `data:` address.
    pub image: String,
    /// Until when it can be scanned, RFC 3339.
    pub expires_at: String,
}

/// Gives a QR code that continues this conversation in WeChat; it counts once.
#[utoipa::path(post, path = "/api/chat/wechat", tag = "chat",
    responses((status = 201, body = WechatCode), (status = 401, body = crate::web::error::Problem),
        (status = 404, body = crate::web::error::Problem), (status = 429, body = crate::web::error::Problem),
        (status = 503, body = crate::web::error::Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn wechat_code(
    State(app): State<App>,
    visitor: Visitor,
    client: Client,
    _: Nothing,
) -> Result<(StatusCode, Json<WechatCode>), WebError> {
    count_message(&app, &visitor, &client)?;
    let code = wechat::code(&app, visitor.conversation).await?;
    let expires_at = app.rfc3339(code.expires_at);
    let image = qr::data_url(&code.url).map_err(|problem| WebError(AppError::Internal(problem)))?;
    Ok((StatusCode::CREATED, Json(WechatCode { account: code.account, url: code.url, image, expires_at })))
}
