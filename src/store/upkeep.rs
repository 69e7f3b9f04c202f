//! What the background work on conversations reads, and what goes after its term (DOMAIN 9 no. 1 and 2).
//!
//! Nothing here touches a case, its history or a conversation that a case came out of.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::{StoreError, Tx};
use crate::on_backend;

/// Conversations that wait for a person, the longest waiting first.
///
/// # Errors
/// `Database`.
pub async fn queued(tx: &mut Tx, limit: i64) -> Result<Vec<String>, StoreError> {
    const SQL: &str = "SELECT id FROM conversations WHERE state IN ('queued', 'human') AND state = 'queued' \
        ORDER BY queued_at, id LIMIT $1";
    let rows: Vec<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(limit).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Conversations that are not closed and have not changed since before `since`.
///
/// # Errors
/// `Database`.
pub async fn idle(tx: &mut Tx, since: Timestamp, limit: i64) -> Result<Vec<String>, StoreError> {
    const SQL: &str = "SELECT id FROM conversations WHERE state <> 'closed' AND created_at < $1 AND changed_at < $1 \
        ORDER BY created_at LIMIT $2";
    let rows: Vec<(String,)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(since.as_millisecond()).bind(limit).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The smallest id that a row made at this moment can have: ids begin with their time.
pub(super) fn first_id_of(at: Timestamp) -> String {
    let ms = u128::try_from(at.as_millisecond().max(0)).unwrap_or(0);
    Uuid::from_u128(ms << 80).to_string()
}

/// Closed conversations past their term out of which no case came and in which no promise is open, after `after` in
/// the order of ids.
///
/// # Errors
/// `Database`.
pub async fn old_conversations(
    tx: &mut Tx,
    before: Timestamp,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    const SQL: &str = "SELECT id FROM conversations WHERE id > $1 AND id < $2 AND state = 'closed' AND changed_at < $3 \
        AND NOT EXISTS (SELECT 1 FROM cases WHERE cases.conversation_id = conversations.id) \
        AND NOT EXISTS (SELECT 1 FROM promises WHERE promises.conversation_id = conversations.id \
            AND promises.state = 'open') ORDER BY id LIMIT $4";
    let rows: Vec<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(after)
        .bind(first_id_of(before))
        .bind(before.as_millisecond())
        .bind(limit)
        .fetch_all(conn)
        .await?);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Deletes these conversations with all that hangs on them, if they still are what [`old_conversations`] looked for;
/// gives how many went and the files that nobody refers to any more.
///
/// # Errors
/// `Database`.
pub async fn delete_conversations(
    tx: &mut Tx,
    ids: &[String],
    before: Timestamp,
) -> Result<(usize, Vec<String>), StoreError> {
    const STILL: &str = "SELECT id, visitor_id FROM conversations WHERE id IN (SELECT value ->> 'id' FROM json_each($1)) \
        AND state = 'closed' AND changed_at < $2 \
        AND NOT EXISTS (SELECT 1 FROM cases WHERE cases.conversation_id = conversations.id)";
    const FILES: &str = "SELECT file FROM attachments WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1)) \
        AND NOT EXISTS (SELECT 1 FROM attachments other WHERE other.file = attachments.file \
            AND other.conversation_id NOT IN (SELECT value ->> 'id' FROM json_each($1)))";
    const GO: [&str; 21] = [
        "DELETE FROM attachments WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM answer_feedback WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM unanswered WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM conversation_notes WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM promises WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM conversation_joins WHERE former_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM conversation_joins WHERE into_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM message_links WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM wechat_oauth WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM wechat_oauth WHERE joined_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM visitor_tokens WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM wechat_scenes WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM wechat_users WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM outbox WHERE target = 'wechat' \
            AND substr(key, 1, 36) IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM model_tasks WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        // What went to a model is journaled longer than the talk it was for; personal data are not in it.
        "UPDATE model_exchanges SET conversation_id = NULL WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM model_proposals WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM model_suggestions WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM messages WHERE conversation_id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM conversations WHERE id IN (SELECT value ->> 'id' FROM json_each($1))",
        "DELETE FROM visitors WHERE id IN (SELECT value ->> 'visitor' FROM json_each($1)) \
            AND NOT EXISTS (SELECT 1 FROM conversations WHERE conversations.visitor_id = visitors.id)",
    ];
    let asked = json!(ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()).to_string();
    let still: Vec<(String, String)> =
        on_backend!(tx, |conn| sqlx::query_as(STILL).bind(asked).bind(before.as_millisecond()).fetch_all(conn).await?);
    let going: Vec<_> = still.iter().map(|(id, visitor)| json!({"id": id, "visitor": visitor})).collect();
    let going = json!(going).to_string();
    let files: Vec<(String,)> =
        on_backend!(tx, |conn| sqlx::query_as(FILES).bind(going.as_str()).fetch_all(conn).await?);
    for sql in GO {
        on_backend!(tx, |conn| sqlx::query(sql).bind(going.as_str()).execute(conn).await.map(|_| ()))?;
    }
    Ok((still.len(), files.into_iter().map(|(file,)| file).collect()))
}

/// Which of these file names no attachment has.
///
/// # Errors
/// `Database`.
pub async fn unknown_files(tx: &mut Tx, names: &[String]) -> Result<Vec<String>, StoreError> {
    const SQL: &str = "SELECT id FROM attachments WHERE id IN (SELECT value ->> 'id' FROM json_each($1))";
    // The server names a file after its row, so the primary key answers.
    let id = |name: &String| name.split('.').next().unwrap_or_default().to_owned();
    let asked = json!(names.iter().map(|name| json!({"id": id(name)})).collect::<Vec<_>>()).to_string();
    let known: Vec<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(asked).fetch_all(conn).await?);
    let known: std::collections::HashSet<String> = known.into_iter().map(|(id,)| id).collect();
    Ok(names
        .iter()
        .filter(|name| name.strip_suffix(".part").is_some() || !known.contains(&id(name)))
        .cloned()
        .collect())
}

/// A kind of row that simply goes after its term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// Logins that ended.
    Sessions,
    /// Attempts to log in.
    LoginAttempts,
    /// API tokens that ended.
    Tokens,
    /// First answers kept for repeated requests.
    Repeats,
    /// Events delivered or given up.
    Deliveries,
    /// Masked questions that no rule answered.
    Unanswered,
    /// Messages of WeChat noted against repeats.
    Received,
    /// Questions to the model that are done.
    ModelTasks,
    /// Exchanges with the model.
    ModelExchanges,
    /// Suggestions of the model.
    Suggestions,
    /// What a model proposed for forms.
    Proposals,
}

impl Passing {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Sessions,
        Self::LoginAttempts,
        Self::Tokens,
        Self::Repeats,
        Self::Deliveries,
        Self::Unanswered,
        Self::Received,
        Self::ModelTasks,
        Self::ModelExchanges,
        Self::Suggestions,
        Self::Proposals,
    ];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::LoginAttempts => "login_attempts",
            Self::Tokens => "tokens",
            Self::Repeats => "repeats",
            Self::Deliveries => "deliveries",
            Self::Unanswered => "unanswered",
            Self::Received => "wechat_received",
            Self::ModelTasks => "model_tasks",
            Self::ModelExchanges => "model_exchanges",
            Self::Suggestions => "model_suggestions",
            Self::Proposals => "model_proposals",
        }
    }

    const fn count(self) -> &'static str {
        match self {
            Self::Sessions => "SELECT COUNT(*) FROM sessions WHERE expires_at < $1 OR revoked_at < $1",
            Self::LoginAttempts => "SELECT COUNT(*) FROM login_attempts WHERE at < $1",
            Self::Tokens => "SELECT COUNT(*) FROM api_tokens WHERE expires_at < $1 OR revoked_at < $1",
            Self::Repeats => "SELECT COUNT(*) FROM idempotency WHERE created_at < $1",
            Self::Deliveries => "SELECT COUNT(*) FROM outbox WHERE state IN ('sent', 'dead') AND done_at < $1",
            Self::Unanswered => "SELECT COUNT(*) FROM unanswered WHERE at < $1",
            Self::Received => "SELECT COUNT(*) FROM wechat_received WHERE received_at < $1",
            Self::ModelTasks => "SELECT COUNT(*) FROM model_tasks WHERE state = 'done' AND done_at < $1",
            Self::ModelExchanges => "SELECT COUNT(*) FROM model_exchanges WHERE at < $1",
            Self::Suggestions => "SELECT COUNT(*) FROM model_suggestions WHERE created_at < $1",
            Self::Proposals => "SELECT COUNT(*) FROM model_proposals WHERE created_at < $1",
        }
    }

    const fn delete(self) -> &'static str {
        match self {
            Self::Sessions => {
                "DELETE FROM sessions WHERE id IN \
                    (SELECT id FROM sessions WHERE expires_at < $1 OR revoked_at < $1 LIMIT $2)"
            }
            Self::LoginAttempts => {
                "DELETE FROM login_attempts WHERE id IN (SELECT id FROM login_attempts WHERE at < $1 LIMIT $2)"
            }
            Self::Tokens => {
                "DELETE FROM api_tokens WHERE id IN \
                    (SELECT id FROM api_tokens WHERE expires_at < $1 OR revoked_at < $1 LIMIT $2)"
            }
            Self::Repeats => {
                "DELETE FROM idempotency WHERE (scope, key) IN \
                    (SELECT scope, key FROM idempotency WHERE created_at < $1 LIMIT $2)"
            }
            Self::Deliveries => {
                "DELETE FROM outbox WHERE id IN \
                    (SELECT id FROM outbox WHERE state IN ('sent', 'dead') AND done_at < $1 LIMIT $2)"
            }
            Self::Unanswered => "DELETE FROM unanswered WHERE id IN (SELECT id FROM unanswered WHERE at < $1 LIMIT $2)",
            Self::Received => {
                "DELETE FROM wechat_received WHERE key IN \
                    (SELECT key FROM wechat_received WHERE received_at < $1 LIMIT $2)"
            }
            Self::ModelTasks => {
                "DELETE FROM model_tasks WHERE id IN \
                    (SELECT id FROM model_tasks WHERE state = 'done' AND done_at < $1 LIMIT $2)"
            }
            Self::Suggestions => {
                "DELETE FROM model_suggestions WHERE id IN \
                    (SELECT id FROM model_suggestions WHERE created_at < $1 LIMIT $2)"
            }
            Self::Proposals => {
                "DELETE FROM model_proposals WHERE id IN \
                    (SELECT id FROM model_proposals WHERE created_at < $1 LIMIT $2)"
            }
            Self::ModelExchanges => {
                "DELETE FROM model_exchanges WHERE id IN (SELECT id FROM model_exchanges WHERE at < $1 LIMIT $2)"
            }
        }
    }
}

/// How many rows of a kind are past their term.
///
/// # Errors
/// `Database`.
pub async fn count_passing(tx: &mut Tx, kind: Passing, before: Timestamp) -> Result<usize, StoreError> {
    let row: (i64,) =
        on_backend!(tx, |conn| sqlx::query_as(kind.count()).bind(before.as_millisecond()).fetch_one(conn).await?);
    Ok(usize::try_from(row.0).unwrap_or(0))
}

/// Deletes up to `limit` rows of a kind that are past their term; gives how many went.
///
/// # Errors
/// `Database`.
pub async fn delete_passing(tx: &mut Tx, kind: Passing, before: Timestamp, limit: i64) -> Result<usize, StoreError> {
    let went = on_backend!(tx, |conn| sqlx::query(kind.delete())
        .bind(before.as_millisecond())
        .bind(limit)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(usize::try_from(went).unwrap_or(usize::MAX))
}

/// Cases closed before one of these moments: `report` and `conduct` have a term of their own. They are only counted.
///
/// # Errors
/// `Database`.
pub async fn count_old_cases(tx: &mut Tx, ordinary: Timestamp, conduct: Timestamp) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM cases WHERE closed_at IS NOT NULL AND closed_at < $1 \
        AND (closed_at < $2 OR case_type NOT IN ('conduct', 'report'))";
    let row: (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(ordinary.as_millisecond())
        .bind(conduct.as_millisecond())
        .fetch_one(conn)
        .await?);
    Ok(row.0)
}
