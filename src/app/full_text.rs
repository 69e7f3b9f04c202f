//! One message in full, for channels that cut long texts: an address that nobody can guess shows it and nothing else.

use jiff::{SignedDuration, Timestamp};

use super::{
    App, AppError,
    attachments::{self, Download},
    message::{Message, MessageBody},
    wechat::render,
};
use crate::{domain::ids::ConversationId, store::message_links};

/// How long an address counts.
const LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A message as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullText {
    /// Its words with sources.
    pub text: String,
    /// When it was written.
    pub at: Timestamp,
    /// The name of the file it carries.
    pub file: Option<String>,
}

/// The address of a message; `None` without a public address of the gateway.
///
/// # Errors
/// `Store`.
pub async fn link(app: &App, conversation: ConversationId, seq: i64) -> Result<Option<String>, AppError> {
    let Some(here) = app.config.server.public_url.as_deref() else { return Ok(None) };
    let now = app.now();
    let until = now.saturating_add(LIFE).unwrap_or(now);
    let mut tx = app.db.write().await?;
    let token = message_links::link(&mut tx, conversation, seq, &app.secret(""), until, now).await?;
    tx.commit().await?;
    Ok(Some(format!("{}/m/{token}", here.trim_end_matches('/'))))
}

/// What an address shows.
///
/// # Errors
/// `NotFound` (unknown or over), `Store`.
pub async fn open(app: &App, token: &str) -> Result<FullText, AppError> {
    let mut tx = app.db.read().await?;
    let rows = message_links::messages(&mut tx, token, app.now()).await?;
    let at = rows.first().map(|row| row.at).ok_or(AppError::NotFound)?;
    let messages: Vec<Message> = rows.into_iter().map(|row| Message::from_row(app, row)).collect();
    let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    let file = messages.iter().find_map(|message| message.attachment.as_ref()).map(|file| file.name.clone());
    Ok(FullText { text: render::words(&messages), at, file })
}

/// The file of the message that an address shows.
///
/// # Errors
/// `NotFound` (unknown or over, or no file), `Store`, `Internal` (the row is there and the file is not).
pub async fn open_file(app: &App, token: &str) -> Result<Download, AppError> {
    let rows = {
        let mut tx = app.db.read().await?;
        message_links::messages(&mut tx, token, app.now()).await?
    };
    let conversation: ConversationId =
        rows.first().and_then(|row| row.conversation_id.parse().ok()).ok_or(AppError::NotFound)?;
    let file = rows.into_iter().find_map(|row| MessageBody::from_column(row.body.as_deref()).attachment);
    let id = file.and_then(|file| file.id.parse().ok()).ok_or(AppError::NotFound)?;
    attachments::open(app, conversation, id).await
}
