//! What visitors think of answers, and the questions no rule answered.

use std::sync::LazyLock;

use jiff::Timestamp;

use crate::{
    domain::ids::ConversationId,
    on_backend,
    store::{StoreError, Tx, rows::RowsSql},
};

/// What a visitor thinks of an answer.
#[derive(Debug, Clone)]
pub struct AnswerFeedback<'a> {
    /// Its id.
    pub id: &'a str,
    /// The conversation.
    pub conversation: ConversationId,
    /// The message judged.
    pub seq: Option<i64>,
    /// The rule that had answered.
    pub rule_id: Option<&'a str>,
    /// Whether it helped.
    pub helpful: bool,
    /// Words, if any.
    pub words: &'a str,
}

/// Notes what a visitor thinks of an answer.
///
/// # Errors
/// `Database`.
pub async fn insert_feedback(tx: &mut Tx, feedback: &AnswerFeedback<'_>, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO answer_feedback (id, conversation_id, seq, rule_id, helpful, words, at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(feedback.id)
        .bind(feedback.conversation.to_string())
        .bind(feedback.seq)
        .bind(feedback.rule_id)
        .bind(feedback.helpful)
        .bind(feedback.words)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Keeps questions no rule answered: id, conversation, masked text, topic.
///
/// # Errors
/// `Database`.
pub async fn insert_unanswered(
    tx: &mut Tx,
    rows: &[(String, String, String, Option<String>)],
    now: Timestamp,
) -> Result<(), StoreError> {
    static SQL: LazyLock<RowsSql> = LazyLock::new(|| {
        RowsSql::new(
            "INSERT INTO unanswered (id, conversation_id, text, topic, at) SELECT * FROM (VALUES ",
            5,
            ") AS v WHERE v.column1 IS NOT NULL",
        )
    });
    for part in SQL.parts(tx.is_sqlite(), rows) {
        on_backend!(tx, |conn| {
            let mut query = sqlx::query(part.sql);
            for row in part.rows() {
                query = query
                    .bind(row.map(|(id, ..)| id.as_str()))
                    .bind(row.map(|(_, conversation, ..)| conversation.as_str()))
                    .bind(row.map(|(_, _, text, _)| text.as_str()))
                    .bind(row.and_then(|(.., topic)| topic.as_deref()))
                    .bind(row.map(|_| now.as_millisecond()));
            }
            query.execute(conn).await.map(|_| ())
        })?;
    }
    Ok(())
}

/// Questions no rule answered, the newest first: conversation, text, topic, instant.
///
/// # Errors
/// `Database`.
pub async fn unanswered(tx: &mut Tx, limit: i64) -> Result<Vec<(String, String, Option<String>, i64)>, StoreError> {
    const SQL: &str = "SELECT conversation_id, text, topic, at FROM unanswered ORDER BY at DESC, id LIMIT $1";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(limit).fetch_all(conn).await?))
}
