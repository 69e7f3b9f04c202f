//! Visitors: tokens that open a conversation, and identities vouched for by the embedding site.

use std::{collections::HashMap, sync::Mutex, sync::PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use tokio::sync::Semaphore;

use super::{App, AppError, hash_secret};
use crate::{
    domain::ids::{ConversationId, VisitorId},
    domain::kinds::Channel,
    store::{
        conversations::{self, NewVisitor},
        wechat_oauth,
    },
};

/// A token opens its conversation for this long.
pub(super) const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Tokens remembered in memory, so that a message costs no look-up.
const MOST_CACHED: usize = 50_000;

/// Tokens looked up at once.
static LOOK_UPS: Semaphore = Semaphore::const_new(32);

/// Tokens seen lately: hash of the token → visitor, conversation, until when the entry is believed.
#[derive(Debug, Default)]
pub struct TokenCache(Mutex<HashMap<String, (VisitorId, ConversationId, Timestamp)>>);

/// What a front end tells about its visitor.
#[derive(Debug, Clone, Default)]
pub struct NewSession {
    /// Language tag.
    pub locale: Option<String>,
    /// Name given by the visitor.
    pub name: Option<String>,
    /// Identity vouched for by the embedding site: user id and hex HMAC-SHA256 over it.
    pub identity: Option<(String, String)>,
}

/// A conversation and the token that opens it.
#[derive(Debug, Clone)]
pub struct StartedSession {
    /// The conversation.
    pub conversation: ConversationId,
    /// The secret.
    pub token: String,
}

/// Starts a conversation.
///
/// # Errors
/// `Unauthenticated` (identity without a valid signature), `Invalid`, `Store`.
pub async fn start(app: &App, new: &NewSession) -> Result<StartedSession, AppError> {
    let now = app.now();
    for (pointer, value, most) in [("/locale", &new.locale, 35), ("/profile/name", &new.name, 100)] {
        if value.as_ref().is_some_and(|value| value.chars().count() > most) {
            return Err(AppError::field(pointer, "内容太长"));
        }
    }
    if let Some((user, signature)) = &new.identity {
        check_identity(app, user, signature)?;
    }
    let token = app.secret("zv_");
    let visitor = VisitorId::from_uuid(app.ids.uuid(now));
    let conversation = ConversationId::from_uuid(app.ids.uuid(now));
    let row = NewVisitor {
        id: visitor,
        conversation,
        token_hash: &hash_secret(&token),
        user_id: new.identity.as_ref().map(|(user, _)| user.as_str()),
        name: new.name.as_deref(),
        locale: new.locale.as_deref(),
        channel: Channel::Web.as_str(),
        external_id: None,
        dialogue: "{}",
        expires_at: now.saturating_add(TOKEN_LIFE).unwrap_or(now),
    };
    let mut tx = app.db.write().await?;
    conversations::insert(&mut tx, &row, now).await?;
    tx.commit().await?;
    remember(app, hash_secret(&token), visitor, conversation, now);
    Ok(StartedSession { conversation, token })
}

/// The visitor and conversation behind a token.
///
/// # Errors
/// `Unauthenticated`, `Store`.
pub async fn authenticate(app: &App, token: &str) -> Result<(VisitorId, ConversationId), AppError> {
    let hash = hash_secret(token);
    if let Some(known) = remembered(app, &hash) {
        return Ok(known);
    }
    // Boxed and by turns: after a restart thousands of streams come back at once.
    let _turn = LOOK_UPS.acquire().await;
    Box::pin(look_up(app, hash)).await
}

fn remembered(app: &App, hash: &str) -> Option<(VisitorId, ConversationId)> {
    let cache = app.visitor_tokens.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (visitor, conversation, until) = cache.get(hash)?;
    (*until > app.now()).then_some((*visitor, *conversation))
}

async fn look_up(app: &App, hash: String) -> Result<(VisitorId, ConversationId), AppError> {
    let now = app.now();
    let found = {
        let mut tx = app.db.read().await?;
        match conversations::find_by_token(&mut tx, &hash, now).await? {
            Some(row) => Some(row),
            None => wechat_oauth::find_by_token(&mut tx, &hash, now).await?,
        }
    };
    let row = found.ok_or(AppError::Unauthenticated { code: "chat_not_started" })?;
    let bad = |_| AppError::Internal("id of a visitor".into());
    let visitor: VisitorId = row.visitor_id.parse().map_err(bad)?;
    let conversation: ConversationId = row.conversation_id.parse().map_err(bad)?;
    remember(app, hash, visitor, conversation, now);
    Ok((visitor, conversation))
}

/// Keeps a token in memory for ten minutes.
fn remember(app: &App, hash: String, visitor: VisitorId, conversation: ConversationId, now: Timestamp) {
    let until = now.saturating_add(SignedDuration::from_mins(10)).unwrap_or(now);
    let mut cache = app.visitor_tokens.0.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() >= MOST_CACHED {
        cache.clear();
    }
    cache.insert(hash, (visitor, conversation, until));
}

/// The signature must be there and right; without a configured secret no identity is believed at all.
fn check_identity(app: &App, user: &str, signature: &str) -> Result<(), AppError> {
    use secrecy::ExposeSecret as _;
    let refused = AppError::Unauthenticated { code: "identity_invalid" };
    let secret = app.config.chat.identity_secret.expose_secret();
    if secret.is_empty() || user.is_empty() || user.len() > 200 {
        return Err(refused);
    }
    let Ok(signature) = hex::decode(signature) else { return Err(refused) };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length will do");
    mac.update(user.as_bytes());
    mac.verify_slice(&signature).map_err(|_| refused)
}
