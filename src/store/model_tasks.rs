//! Questions that wait for a language model: written with the turn that asks, claimed for the length of a lease, ended
//! once. A process that dies leaves a row that is claimed again when its lease ends.

use jiff::Timestamp;

use super::{StoreError, Tx};
use crate::{domain::ids::ConversationId, on_backend, row_struct};

row_struct! {
    /// A question that waits. Instants are milliseconds UTC.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct TaskRow {
        /// Id.
        pub id: String,
        /// `answer` or `classify`.
        pub kind: String,
        /// The conversation.
        pub conversation_id: String,
        /// Names the question within the conversation.
        pub ticket: i64,
        /// The words, as they were said.
        pub question: String,
        /// `waiting`, `running` or `done`.
        pub state: String,
        /// How it ended.
        pub outcome: Option<String>,
        /// Claims so far, the present one included.
        pub tries: i64,
        /// When it was asked.
        pub created_at: i64,
    }
}

/// Columns of a new task.
#[derive(Debug, Clone)]
pub struct NewTask<'a> {
    /// Id.
    pub id: &'a str,
    /// `answer` or `classify`.
    pub kind: &'a str,
    /// The conversation.
    pub conversation: ConversationId,
    /// Names the question within the conversation.
    pub ticket: i64,
    /// The words.
    pub question: &'a str,
}

/// Adds a task; `false` when this ticket has one.
///
/// # Errors
/// `Database`.
pub async fn insert(tx: &mut Tx, new: &NewTask<'_>, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO model_tasks (id, kind, conversation_id, ticket, question, state, tries, created_at) \
        VALUES ($1, $2, $3, $4, $5, 'waiting', 0, $6) ON CONFLICT (conversation_id, kind, ticket) DO NOTHING";
    let added = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(new.id)
        .bind(new.kind)
        .bind(new.conversation.to_string())
        .bind(new.ticket)
        .bind(new.question)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(added == 1)
}

/// Whether a task of a kind waits or is worked at; most looks at the queue find nothing and need no writer.
///
/// # Errors
/// `Database`.
pub async fn is_any_open(tx: &mut Tx, kind: &str) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT 1 FROM model_tasks WHERE state <> 'done' AND kind = $1 LIMIT 1";
    let row: Option<(i32,)> = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(kind).fetch_optional(conn).await?);
    Ok(row.is_some())
}

/// Claims up to `limit` tasks of a kind that nobody works at, the oldest first.
///
/// # Errors
/// `Database`.
pub async fn claim(
    tx: &mut Tx,
    kind: &str,
    now: Timestamp,
    lease_until: Timestamp,
    limit: i64,
) -> Result<Vec<TaskRow>, StoreError> {
    // The state is tested again outside the subquery: PostgreSQL looks at it anew after waiting for a row.
    const SQL: &str = "UPDATE model_tasks SET state = 'running', tries = tries + 1, lease_until = $2 WHERE id IN \
        (SELECT id FROM model_tasks WHERE state <> 'done' AND kind = $4 \
        AND (state = 'waiting' OR lease_until <= $1) ORDER BY created_at, id LIMIT $3) \
        AND (state = 'waiting' OR (state = 'running' AND lease_until <= $1)) \
        RETURNING id, kind, conversation_id, ticket, question, state, outcome, tries, created_at";
    let mut rows: Vec<TaskRow> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(now.as_millisecond())
        .bind(lease_until.as_millisecond())
        .bind(limit)
        .bind(kind)
        .fetch_all(conn)
        .await?);
    rows.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    Ok(rows)
}

/// Makes the lease of a claim longer; `false` when somebody else has it or it is done. `tries` names the claim.
///
/// # Errors
/// `Database`.
pub async fn renew(tx: &mut Tx, id: &str, tries: i64, lease_until: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE model_tasks SET lease_until = $3 WHERE id = $1 AND tries = $2 AND state = 'running'";
    let done = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id)
        .bind(tries)
        .bind(lease_until.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Gives a claim back, to be taken by whoever comes first.
///
/// # Errors
/// `Database`.
pub async fn give_back(tx: &mut Tx, id: &str, tries: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE model_tasks SET state = 'waiting', lease_until = NULL \
        WHERE id = $1 AND tries = $2 AND state = 'running'";
    on_backend!(tx, |conn| sqlx::query(SQL).bind(id).bind(tries).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Gives every claim back: when a process that has the database alone starts, nobody works at them.
///
/// # Errors
/// `Database`.
pub async fn give_all_back(tx: &mut Tx) -> Result<usize, StoreError> {
    const SQL: &str = "UPDATE model_tasks SET state = 'waiting', lease_until = NULL WHERE state = 'running'";
    let back = on_backend!(tx, |conn| sqlx::query(SQL).execute(conn).await?.rows_affected());
    Ok(usize::try_from(back).unwrap_or(usize::MAX))
}

/// Ends a task; `false` when it was done before.
///
/// # Errors
/// `Database`.
pub async fn finish(tx: &mut Tx, id: &str, outcome: &str, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE model_tasks SET state = 'done', outcome = $2, lease_until = NULL, done_at = $3 \
        WHERE id = $1 AND state <> 'done'";
    let done = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id)
        .bind(outcome)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// The tasks of a conversation, in the order of their tickets.
///
/// # Errors
/// `Database`.
pub async fn of_conversation(tx: &mut Tx, conversation: ConversationId) -> Result<Vec<TaskRow>, StoreError> {
    const SQL: &str = "SELECT id, kind, conversation_id, ticket, question, state, outcome, tries, created_at \
        FROM model_tasks WHERE conversation_id = $1 ORDER BY ticket, id";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).fetch_all(conn).await?))
}
