//! Commitments made in conversations, each with the moment by which it must be kept (DOMAIN 3.5 no. 12).

use jiff::Timestamp;

use super::{StoreError, Tx};
use crate::{
    domain::ids::{ConversationId, OfficerId},
    on_backend, row_struct,
};

row_struct! {
    /// A promise.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct PromiseRow {
        /// Id.
        pub id: String,
        /// The conversation in which it was made.
        pub conversation_id: String,
        /// The case it belongs to.
        pub case_number: Option<String>,
        /// The officer who made it; absent: the bot.
        pub officer_id: Option<String>,
        /// What was promised.
        pub text: String,
        /// Milliseconds UTC.
        pub due_at: i64,
        /// `open`, `kept` or `dropped`.
        pub state: String,
        /// Milliseconds UTC.
        pub created_at: i64,
    }
}

/// A promise to write down.
#[derive(Debug, Clone)]
pub struct NewPromise<'a> {
    /// Id.
    pub id: String,
    /// The conversation.
    pub conversation: ConversationId,
    /// The case, if there is one.
    pub case_number: Option<&'a str>,
    /// Who made it; absent: the bot.
    pub officer: Option<OfficerId>,
    /// What was promised.
    pub text: &'a str,
    /// By when.
    pub due: Timestamp,
}

/// Writes a promise down.
///
/// # Errors
/// `Database`.
pub async fn insert(tx: &mut Tx, promise: &NewPromise<'_>, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO promises (id, conversation_id, case_number, officer_id, text, due_at, state, \
        created_at) VALUES ($1, $2, $3, $4, $5, $6, 'open', $7)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(promise.id.as_str())
        .bind(promise.conversation.to_string())
        .bind(promise.case_number)
        .bind(promise.officer.map(|o| o.to_string()))
        .bind(promise.text)
        .bind(promise.due.as_millisecond())
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Open promises, the next due first.
///
/// # Errors
/// `Database`.
pub async fn open(tx: &mut Tx, limit: i64) -> Result<Vec<PromiseRow>, StoreError> {
    const SQL: &str = "SELECT id, conversation_id, case_number, officer_id, text, due_at, state, created_at \
        FROM promises WHERE state = 'open' ORDER BY due_at, id LIMIT $1";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(limit).fetch_all(conn).await?))
}

/// Promises of one conversation, the oldest first.
///
/// # Errors
/// `Database`.
pub async fn of_conversation(tx: &mut Tx, conversation: ConversationId) -> Result<Vec<PromiseRow>, StoreError> {
    const SQL: &str = "SELECT id, conversation_id, case_number, officer_id, text, due_at, state, created_at \
        FROM promises WHERE conversation_id = $1 ORDER BY created_at, id";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).fetch_all(conn).await?))
}

/// How many promises about a case are open: those that name it, and those that officers made in its conversation
/// without naming one.
///
/// # Errors
/// `Database`.
pub async fn open_of_case(
    tx: &mut Tx,
    number: &str,
    conversation: Option<ConversationId>,
) -> Result<usize, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM promises WHERE state = 'open' AND (case_number = $1 \
        OR (conversation_id = $2 AND case_number IS NULL AND officer_id IS NOT NULL))";
    let conversation = conversation.map(|id| id.to_string()).unwrap_or_default();
    let (count,): (i64,) =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(number).bind(conversation).fetch_one(conn).await?);
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The conversation of a promise.
///
/// # Errors
/// `Database`.
pub async fn conversation_of(tx: &mut Tx, id: &str) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT conversation_id FROM promises WHERE id = $1";
    let row: Option<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(id).fetch_optional(conn).await?);
    Ok(row.map(|(conversation,)| conversation))
}

/// Ends an open promise as `kept` or `dropped`; `false` when it is not open.
///
/// # Errors
/// `Database`.
pub async fn end(tx: &mut Tx, id: &str, kept: bool, by: OfficerId, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE promises SET state = $2, done_at = $3, done_by = $4 WHERE id = $1 AND state = 'open'";
    let done = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id)
        .bind(if kept { "kept" } else { "dropped" })
        .bind(now.as_millisecond())
        .bind(by.to_string())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}
