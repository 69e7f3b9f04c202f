//! What a visitor decides about proposals beside the form.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{App, AppError, FieldError, exchange::Sent, limits::refuse, message::ConversationInfo},
    domain::dialogue::{Input, InputKind, ProposalKey},
    web::{
        auth::{Access, Client, Visitor},
        error::WebError,
        extract::Body,
        router::{Route, post},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![post("/api/chat/proposal", Access::Visitor, decide)]
}

/// What is taken over and what is not; the rest stays proposed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposalRequest {
    /// The proposal, from `conversation.proposal`.
    pub ticket: u32,
    /// Values to put on the form by key: the proposed ones or others.
    #[serde(default)]
    pub accept: BTreeMap<String, String>,
    /// Keys of what is not wanted.
    #[serde(default)]
    pub refuse: Vec<String>,
}

/// The conversation with what is still proposed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposalAnswer {
    /// The conversation.
    pub conversation: ConversationInfo,
}

/// Takes proposals over or leaves them. Nothing is filed by it; a repeat changes nothing.
#[utoipa::path(post, path = "/api/chat/proposal", tag = "chat", request_body = ProposalRequest,
    responses((status = 200, body = ProposalAnswer), (status = 401, body = crate::web::error::Problem),
        (status = 409, body = crate::web::error::Problem), (status = 422, body = crate::web::error::Problem),
        (status = 429, body = crate::web::error::Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn decide(
    State(app): State<App>,
    visitor: Visitor,
    client: Client,
    Body(request): Body<ProposalRequest>,
) -> Result<Json<ProposalAnswer>, WebError> {
    let mut errors = Vec::new();
    let mut accepted = Vec::new();
    for (key, value) in request.accept {
        match key.parse::<ProposalKey>() {
            Ok(_) if value.contains('\0') => {
                errors.push(FieldError::new(format!("/accept/{key}"), "内容含有不能保存的字符"));
            }
            Ok(known) => accepted.push((known, value)),
            Err(_) => errors.push(FieldError::new(format!("/accept/{key}"), "没有这一项")),
        }
    }
    let mut refused = Vec::new();
    for (n, key) in request.refuse.iter().enumerate() {
        match key.parse::<ProposalKey>() {
            Ok(known) => refused.push(known),
            Err(_) => errors.push(FieldError::new(format!("/refuse/{n}"), "没有这一项")),
        }
    }
    if !errors.is_empty() {
        return Err(WebError(AppError::invalid("invalid_fields", errors)));
    }
    app.limits.messages.take(visitor.conversation, app.now()).map_err(refuse("chat_too_many"))?;
    app.limits.messages_by_address.take(client.address, app.now()).map_err(refuse("chat_too_many"))?;
    let answer = app
        .exchange
        .send(Sent {
            conversation: visitor.conversation,
            client_id: None,
            input: Input { kind: InputKind::ProposalDecided { ticket: request.ticket, accepted, refused } },
            shown: None,
            via: None,
        })
        .await?;
    Ok(Json(ProposalAnswer { conversation: answer.conversation }))
}
