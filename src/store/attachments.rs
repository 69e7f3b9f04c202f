//! Uploaded files: the row here, the bytes in a file whose name the server made.

use jiff::Timestamp;

use super::{StoreError, Tx};
use crate::{
    domain::ids::{AttachmentId, ConversationId},
    on_backend, row_struct,
};

row_struct! {
    /// An uploaded file.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct AttachmentRow {
        /// `AttachmentId` as text.
        pub id: String,
        /// The conversation it was sent in.
        pub conversation_id: String,
        /// Name as sent, made safe to show.
        pub name: String,
        /// Type found in its content.
        pub mime: String,
        /// Bytes.
        pub size: i64,
        /// Hash of the content, hex.
        pub sha256: String,
        /// Name below the attachments folder, made by the server.
        pub file: String,
        /// Milliseconds UTC.
        pub created_at: i64,
    }
}

/// Adds a file.
///
/// # Errors
/// `Database`.
pub async fn insert(tx: &mut Tx, row: &AttachmentRow) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO attachments (id, conversation_id, name, mime, size, sha256, file, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(row.id.as_str())
        .bind(row.conversation_id.as_str())
        .bind(row.name.as_str())
        .bind(row.mime.as_str())
        .bind(row.size)
        .bind(row.sha256.as_str())
        .bind(row.file.as_str())
        .bind(row.created_at)
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Finds a file of one conversation.
///
/// # Errors
/// `Database`.
pub async fn find(
    tx: &mut Tx,
    conversation: ConversationId,
    id: AttachmentId,
) -> Result<Option<AttachmentRow>, StoreError> {
    const SQL: &str = "SELECT id, conversation_id, name, mime, size, sha256, file, created_at FROM attachments \
        WHERE conversation_id = $1 AND id = $2";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(conversation.to_string())
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?))
}

/// Takes a file out of a conversation.
///
/// # Errors
/// `Database`.
pub async fn delete(tx: &mut Tx, conversation: ConversationId, id: AttachmentId) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM attachments WHERE conversation_id = $1 AND id = $2";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(conversation.to_string())
        .bind(id.to_string())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The files of a conversation, in the order in which they came.
///
/// # Errors
/// `Database`.
pub async fn of_conversation(tx: &mut Tx, conversation: ConversationId) -> Result<Vec<AttachmentRow>, StoreError> {
    const SQL: &str = "SELECT id, conversation_id, name, mime, size, sha256, file, created_at FROM attachments \
        WHERE conversation_id = $1 ORDER BY created_at, id";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).fetch_all(conn).await?))
}

/// Finds a file by its id alone; the caller checks who may see its conversation.
///
/// # Errors
/// `Database`.
pub async fn find_any(tx: &mut Tx, id: AttachmentId) -> Result<Option<AttachmentRow>, StoreError> {
    const SQL: &str = "SELECT id, conversation_id, name, mime, size, sha256, file, created_at FROM attachments \
        WHERE id = $1";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(id.to_string()).fetch_optional(conn).await?))
}

/// Puts a file of one conversation beside another as well; the bytes stay where they are.
///
/// # Errors
/// `Database`.
pub async fn copy_to(
    tx: &mut Tx,
    from: ConversationId,
    id: AttachmentId,
    to: ConversationId,
    copy: AttachmentId,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO attachments (id, conversation_id, name, mime, size, sha256, file, created_at) \
        SELECT $4, $3, name, mime, size, sha256, file, created_at FROM attachments \
        WHERE conversation_id = $1 AND id = $2";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(from.to_string())
        .bind(id.to_string())
        .bind(to.to_string())
        .bind(copy.to_string())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Bytes a conversation has sent since `since`.
///
/// # Errors
/// `Database`.
pub async fn bytes_since(tx: &mut Tx, conversation: ConversationId, since: Timestamp) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM attachments \
        WHERE conversation_id = $1 AND created_at > $2";
    let row: (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(conversation.to_string())
        .bind(since.as_millisecond())
        .fetch_one(conn)
        .await?);
    Ok(row.0)
}
