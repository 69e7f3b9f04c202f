//! What the console counts: exchanges with models, why they failed or were refused, and who answered.

use jiff::Timestamp;

use super::{StoreError, Tx, upkeep::first_id_of};
use crate::{on_backend, row_struct};

row_struct! {
    /// Exchanges of one task that ended in one way.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct TaskCount {
        /// Slug of the task, or `evaluation`.
        pub task: String,
        /// `running`, `answered` or `failed`.
        pub outcome: String,
        /// `used`, `refused`, `dropped` or empty.
        pub verdict: String,
        /// How many.
        pub count: i64,
        /// Tokens of questions and answers.
        pub tokens: i64,
        /// Millionths of a yuan.
        pub cost_micro_yuan: i64,
    }
}

/// Exchanges since a moment by task and end.
///
/// # Errors
/// `Database`.
pub async fn by_task(tx: &mut Tx, since: Timestamp) -> Result<Vec<TaskCount>, StoreError> {
    const SQL: &str = "SELECT CASE WHEN evaluation THEN 'evaluation' ELSE task END AS task, outcome, \
        COALESCE(verdict, '') AS verdict, COUNT(*) AS count, \
        CAST(SUM(prompt_tokens + completion_tokens) AS BIGINT) AS tokens, \
        CAST(SUM(cost_micro_yuan) AS BIGINT) AS cost_micro_yuan FROM model_exchanges WHERE at >= $1 \
        GROUP BY CASE WHEN evaluation THEN 'evaluation' ELSE task END, outcome, COALESCE(verdict, '') \
        ORDER BY 1, outcome";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(since.as_millisecond()).fetch_all(conn).await?))
}

row_struct! {
    /// Exchanges with one endpoint.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct EndpointCount {
        /// Its name.
        pub endpoint: String,
        /// How many.
        pub count: i64,
        /// Those that gave no answer.
        pub failed: i64,
        /// Mean milliseconds to the first content.
        pub first_ms: Option<i64>,
        /// Mean milliseconds in all.
        pub total_ms: Option<i64>,
        /// The longest, in milliseconds.
        pub longest_ms: Option<i64>,
        /// Millionths of a yuan.
        pub cost_micro_yuan: i64,
    }
}

/// Exchanges since a moment by endpoint.
///
/// # Errors
/// `Database`.
pub async fn by_endpoint(tx: &mut Tx, since: Timestamp) -> Result<Vec<EndpointCount>, StoreError> {
    const SQL: &str = "SELECT endpoint, COUNT(*) AS count, \
        CAST(SUM(CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END) AS BIGINT) AS failed, \
        CAST(AVG(first_ms) AS BIGINT) AS first_ms, CAST(AVG(total_ms) AS BIGINT) AS total_ms, \
        CAST(MAX(total_ms) AS BIGINT) AS longest_ms, CAST(SUM(cost_micro_yuan) AS BIGINT) AS cost_micro_yuan \
        FROM model_exchanges WHERE at >= $1 AND endpoint <> '' GROUP BY endpoint ORDER BY endpoint";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(since.as_millisecond()).fetch_all(conn).await?))
}

/// Exchanges since a moment that gave no answer, by slug of the failure. What was broken off because nobody waited any
/// more is no failure, and evaluations have their own report.
///
/// # Errors
/// `Database`.
pub async fn failures(tx: &mut Tx, since: Timestamp) -> Result<Vec<(String, i64)>, StoreError> {
    const SQL: &str = "SELECT failure, COUNT(*) FROM model_exchanges WHERE at >= $1 AND failure IS NOT NULL \
        AND NOT evaluation AND verdict IS NULL GROUP BY failure ORDER BY COUNT(*) DESC, failure";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(since.as_millisecond()).fetch_all(conn).await?))
}

/// Answers since a moment that the checks refused, by what they found: a JSON list of slugs; without evaluations.
///
/// # Errors
/// `Database`.
pub async fn refusals(tx: &mut Tx, since: Timestamp) -> Result<Vec<(String, i64)>, StoreError> {
    const SQL: &str = "SELECT reasons, COUNT(*) FROM model_exchanges WHERE at >= $1 AND verdict = 'refused' \
        AND NOT evaluation GROUP BY reasons ORDER BY reasons";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(since.as_millisecond()).fetch_all(conn).await?))
}

/// Questions since a moment that were put to no model, by why not; the queue is kept for a week.
///
/// # Errors
/// `Database`.
pub async fn unasked(tx: &mut Tx, since: Timestamp) -> Result<Vec<(String, i64)>, StoreError> {
    const SQL: &str = "SELECT outcome, COUNT(*) FROM model_tasks WHERE kind = 'answer' AND state = 'done' \
        AND done_at >= $1 AND outcome IN ('no_source', 'sensitive', 'late') GROUP BY outcome ORDER BY outcome";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(since.as_millisecond()).fetch_all(conn).await?))
}

row_struct! {
    /// Who answered.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct AnswerCount {
        /// Answers of rules to what was asked or told; greetings, commands and diversions are none.
        pub rule: i64,
        /// Answers that a model put into words.
        pub model: i64,
        /// Conversations in which an officer said something.
        pub person: i64,
    }
}

/// Who answered in the conversations that began since a moment.
///
/// # Errors
/// `Database`.
pub async fn answers(tx: &mut Tx, since: Timestamp) -> Result<AnswerCount, StoreError> {
    // Ids begin with their time, and messages lie in the order of their conversations: no look at older ones.
    const SQL: &str = "SELECT \
        CAST(COALESCE(SUM(CASE WHEN m.sender = 'bot' AND m.rule_id IS NOT NULL AND asked.decision LIKE '%\"step\":\"rules\"%' \
            THEN 1 ELSE 0 END), 0) AS BIGINT) AS rule, \
        CAST(COALESCE(SUM(CASE WHEN m.sender = 'bot' AND m.body LIKE '%\"generated\":true%' THEN 1 ELSE 0 END), 0) AS BIGINT) \
            AS model, \
        COUNT(DISTINCT CASE WHEN m.sender = 'officer' THEN m.conversation_id END) AS person \
        FROM messages m LEFT JOIN messages asked ON asked.conversation_id = m.conversation_id AND asked.seq = m.reply_to \
        WHERE m.conversation_id >= $1 AND m.sender IN ('bot', 'officer')";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(first_id_of(since)).fetch_one(conn).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        store::model::{self, EndedExchange, NewExchange},
        store_test,
    };

    store_test! {
        async fn exchanges_are_counted_by_what_became_of_them(db: Db) {
            let at = |ms| Timestamp::from_millisecond(ms).unwrap();
            let mut tx = db.write().await.unwrap();
            for (id, failure, verdict, reasons, evaluation) in [
                ("a", None, Some("used"), "[]", false),
                ("b", None, Some("refused"), r#"["figure","phone"]"#, false),
                ("c", Some("timeout"), None, "[]", false),
                ("d", Some("unavailable"), Some("dropped"), "[]", false),
                ("e", Some("timeout"), None, "[]", true),
                ("f", None, Some("refused"), r#"["figure"]"#, true),
            ] {
                let new = NewExchange {
                    id, task: "draft", prompt_id: "p", prompt_version: "1", content_hash: "h", request: "[]",
                    prompt_tokens: 1, completion_tokens: 1, cost_micro_yuan: 0, conversation: None, case: None, officer: None,
                    evaluation,
                };
                model::begin(&mut tx, &new, at(1_000)).await.unwrap();
                let ended = EndedExchange {
                    id, endpoint: "e", model: "m", reply: None, failure, detail: None, prompt_tokens: 10,
                    completion_tokens: 5, estimated: false, cost_micro_yuan: 3, first_ms: Some(100),
                    total_ms: Some(200),
                };
                model::end(&mut tx, &ended).await.unwrap();
                if let Some(verdict) = verdict {
                    model::judge(&mut tx, id, verdict, reasons).await.unwrap();
                }
            }
            let tasks: Vec<_> = by_task(&mut tx, at(0)).await.unwrap().into_iter()
                .map(|line| (line.outcome, line.verdict, line.count, line.tokens)).collect();
            assert_eq!(tasks.iter().map(|line| line.2).sum::<i64>(), 6);
            assert!(tasks.contains(&("failed".to_owned(), String::new(), 1, 15)));
            let apart = by_task(&mut tx, at(0)).await.unwrap();
            assert_eq!(apart.iter().filter(|line| line.task == "evaluation").count(), 2, "evaluations are counted apart");
            let ends = by_endpoint(&mut tx, at(0)).await.unwrap();
            assert_eq!((ends[0].count, ends[0].failed, ends[0].total_ms, ends[0].cost_micro_yuan), (6, 3, Some(200), 18));
            assert_eq!(failures(&mut tx, at(0)).await.unwrap(), [("timeout".to_owned(), 1)]);
            assert_eq!(refusals(&mut tx, at(0)).await.unwrap(), [(r#"["figure","phone"]"#.to_owned(), 1)]);
            assert_eq!(by_task(&mut tx, at(1_001)).await.unwrap(), []);
            let nobody = AnswerCount { rule: 0, model: 0, person: 0 };
            assert_eq!(answers(&mut tx, at(0)).await.unwrap(), nobody);
            assert_eq!(unasked(&mut tx, at(0)).await.unwrap(), []);
            tx.commit().await.unwrap();
        }
    }
}
