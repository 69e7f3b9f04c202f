//! Files from officers: stored like those of visitors, shown in the conversation, sent on by the channel.

use super::{App, AppError, Officer, Outgoing, Permission, Sent, conflict, load, owns, send};
use crate::{
    app::{
        attachments,
        message::{FileInfo, MessageBody},
    },
    domain::ids::ConversationId,
};

/// Whether the officer may write into the conversation, before a file is taken in.
///
/// # Errors
/// `NotFound`, `Conflict` (not one's own), `Store`.
pub async fn may_write(app: &App, officer: &Officer, id: ConversationId) -> Result<(), AppError> {
    officer.require(Permission::Converse)?;
    let mut tx = app.db.read().await?;
    let row = load(&mut tx, officer, id).await?;
    if owns(officer, &row) {
        Ok(())
    } else {
        Err(conflict("not_in_service", "请先接入会话再发送。", &row, officer))
    }
}

/// The kind of a message with or without a file.
pub(super) fn kind(file: Option<&FileInfo>) -> &'static str {
    match file {
        None => "text",
        Some(file) if file.mime.starts_with("image/") => "image",
        Some(_) => "file",
    }
}

/// Sends a stored file to the visitor. A repeated `client_id` stores nothing.
///
/// # Errors
/// As [`send`].
pub async fn send_file(
    app: &App,
    officer: &Officer,
    id: ConversationId,
    client_id: &str,
    file: &FileInfo,
) -> Result<Sent, AppError> {
    let outgoing = Outgoing { client_id, text: &file.name, after_seq: None, file: Some(file), suggestion: None };
    let sent = send(app, officer, id, &outgoing).await?;
    if let Sent::Stored { message, .. } = &sent {
        let shown = MessageBody::from_column(message.body.as_deref()).attachment;
        if shown.is_some_and(|first| first.id != file.id) {
            attachments::discard(app, id, &file.id).await?;
        }
    }
    Ok(sent)
}
