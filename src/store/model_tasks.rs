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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::ids::VisitorId,
        store::conversations::{self, NewVisitor},
        store_test,
    };

    store_test! {
        async fn a_question_is_claimed_by_one_and_ends_once(db: Db) {
            let at = |ms| Timestamp::from_millisecond(ms).unwrap();
            let conversation = ConversationId::from_uuid(Uuid::from_u128(2));
            let visitor = NewVisitor {
                id: VisitorId::from_uuid(Uuid::from_u128(1)), conversation, token_hash: "h", user_id: None, name: None,
                locale: None, channel: "web", external_id: None, dialogue: "{}", expires_at: at(9_000),
            };
            let mut tx = db.write().await.unwrap();
            conversations::insert(&mut tx, &visitor, at(1)).await.unwrap();
            let new = NewTask { id: "a", kind: "answer", conversation, ticket: 1, question: "问" };
            assert!(!is_any_open(&mut tx, "answer").await.unwrap());
            assert!(insert(&mut tx, &new, at(1)).await.unwrap());
            assert!(!insert(&mut tx, &NewTask { id: "b", ..new.clone() }, at(1)).await.unwrap(), "one for each ticket");
            assert!(insert(&mut tx, &NewTask { id: "c", kind: "classify", ..new }, at(2)).await.unwrap());
            assert!(is_any_open(&mut tx, "answer").await.unwrap());

            let first = claim(&mut tx, "answer", at(10), at(20), 9).await.unwrap();
            assert_eq!(first.iter().map(|t| (t.id.as_str(), t.tries)).collect::<Vec<_>>(), [("a", 1)]);
            assert_eq!(claim(&mut tx, "answer", at(19), at(29), 9).await.unwrap(), []);
            assert!(renew(&mut tx, "a", 1, at(30)).await.unwrap());
            assert_eq!(claim(&mut tx, "answer", at(29), at(39), 9).await.unwrap(), []);
            let second = claim(&mut tx, "answer", at(30), at(40), 9).await.unwrap();
            assert_eq!(second[0].tries, 2, "the lease is over");
            assert!(!renew(&mut tx, "a", 1, at(99)).await.unwrap(), "the first claim is worth nothing any more");
            give_back(&mut tx, "a", 1).await.unwrap();
            assert_eq!(claim(&mut tx, "answer", at(31), at(41), 9).await.unwrap(), []);
            give_back(&mut tx, "a", 2).await.unwrap();
            assert_eq!(claim(&mut tx, "answer", at(31), at(41), 9).await.unwrap().len(), 1);
            assert_eq!(give_all_back(&mut tx).await.unwrap(), 1);
            assert!(finish(&mut tx, "a", "answered", at(50)).await.unwrap());
            assert!(!finish(&mut tx, "a", "dropped", at(51)).await.unwrap());
            assert_eq!(claim(&mut tx, "answer", at(99), at(109), 9).await.unwrap(), []);
            let rows = of_conversation(&mut tx, conversation).await.unwrap();
            assert_eq!((rows[0].state.as_str(), rows[0].outcome.as_deref()), ("done", Some("answered")));
            assert_eq!(rows[1].kind, "classify");
            tx.commit().await.unwrap();
        }
    }
}
