//! Exchanges with a language model, what they cost, and the switch that stops it.
//!
//! The journal holds only words in which personal data were replaced; whoever writes a row sees to that.

use jiff::Timestamp;

use super::{StoreError, Tx};
use crate::{domain::ids::ConversationId, on_backend, row_struct};

row_struct! {
    /// An exchange. Instants are milliseconds UTC.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ExchangeRow {
        /// Id.
        pub id: String,
        /// What it was for: slug of the model task, or `evaluation`.
        pub task: String,
        /// The prompt file.
        pub prompt_id: String,
        /// Its version.
        pub prompt_version: String,
        /// Hash of the content in force.
        pub content_hash: String,
        /// Name of the endpoint; empty while it runs.
        pub endpoint: String,
        /// The model that answered; empty while it runs.
        pub model: String,
        /// What was sent, JSON: a list of lines with `role` and `text`.
        pub request: String,
        /// What came back.
        pub reply: Option<String>,
        /// `running`, `answered` or `failed`.
        pub outcome: String,
        /// Slug of the failure.
        pub failure: Option<String>,
        /// The failure in more words.
        pub detail: Option<String>,
        /// What became of the answer: `used`, `refused` or `dropped`.
        pub verdict: Option<String>,
        /// What the checks found, JSON: a list of slugs.
        pub reasons: String,
        /// Tokens of the question.
        pub prompt_tokens: i64,
        /// Tokens of the answer.
        pub completion_tokens: i64,
        /// Whether the tokens are estimated.
        pub estimated: bool,
        /// Millionths of a yuan.
        pub cost_micro_yuan: i64,
        /// Milliseconds to the first content.
        pub first_ms: Option<i64>,
        /// Milliseconds in all.
        pub total_ms: Option<i64>,
        /// The conversation it was for.
        pub conversation_id: Option<String>,
        /// The case it was for.
        pub case_id: Option<String>,
        /// The officer it was for.
        pub officer_id: Option<String>,
        /// When it began.
        pub at: i64,
    }
}

/// Columns of an exchange that begins.
#[derive(Debug, Clone)]
pub struct NewExchange<'a> {
    /// Id.
    pub id: &'a str,
    /// What it is for.
    pub task: &'a str,
    /// The prompt file.
    pub prompt_id: &'a str,
    /// Its version.
    pub prompt_version: &'a str,
    /// Hash of the content in force.
    pub content_hash: &'a str,
    /// What is sent.
    pub request: &'a str,
    /// Tokens of the question, estimated.
    pub prompt_tokens: i64,
    /// Tokens of the answer at most.
    pub completion_tokens: i64,
    /// What they cost at most, millionths of a yuan.
    pub cost_micro_yuan: i64,
    /// The conversation it is for.
    pub conversation: Option<&'a str>,
    /// The case it is for.
    pub case: Option<&'a str>,
    /// The officer it is for.
    pub officer: Option<&'a str>,
    /// It is of a labelled set and nobody waits for it.
    pub evaluation: bool,
}

/// How an exchange ended.
#[derive(Debug, Clone)]
pub struct EndedExchange<'a> {
    /// Id.
    pub id: &'a str,
    /// Name of the endpoint.
    pub endpoint: &'a str,
    /// The model that answered.
    pub model: &'a str,
    /// What came back.
    pub reply: Option<&'a str>,
    /// Slug of the failure; nothing when it answered.
    pub failure: Option<&'a str>,
    /// The failure in more words.
    pub detail: Option<&'a str>,
    /// Tokens of the question.
    pub prompt_tokens: i64,
    /// Tokens of the answer.
    pub completion_tokens: i64,
    /// Whether the tokens are estimated.
    pub estimated: bool,
    /// Millionths of a yuan.
    pub cost_micro_yuan: i64,
    /// Milliseconds to the first content.
    pub first_ms: Option<i64>,
    /// Milliseconds in all.
    pub total_ms: Option<i64>,
}

/// What was spent in some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Tokens of questions and answers.
    pub tokens: i64,
    /// Millionths of a yuan.
    pub cost_micro_yuan: i64,
}

/// Whose spending is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spender<'a> {
    /// The visitor of a conversation, in all conversations of a person whom the embedding site knows.
    Conversation(&'a str),
    /// An officer.
    Officer(&'a str),
}

row_struct! {
    /// The switch.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SwitchRow {
        /// Whether no model is asked.
        pub stopped: bool,
        /// Why.
        pub reason: String,
        /// Who set it.
        pub officer_id: Option<String>,
        /// When; milliseconds UTC, 0 if never.
        pub changed_at: i64,
    }
}

/// Writes an exchange before its question leaves.
///
/// # Errors
/// `Database`.
pub async fn begin(tx: &mut Tx, new: &NewExchange<'_>, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO model_exchanges (id, task, prompt_id, prompt_version, content_hash, endpoint, model, \
        request, outcome, reasons, prompt_tokens, completion_tokens, estimated, cost_micro_yuan, conversation_id, \
        case_id, officer_id, at, evaluation) \
        VALUES ($1, $2, $3, $4, $5, '', '', $6, 'running', '[]', $7, $8, TRUE, $9, $10, $11, $12, $13, $14)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(new.id)
        .bind(new.task)
        .bind(new.prompt_id)
        .bind(new.prompt_version)
        .bind(new.content_hash)
        .bind(new.request)
        .bind(new.prompt_tokens)
        .bind(new.completion_tokens)
        .bind(new.cost_micro_yuan)
        .bind(new.conversation)
        .bind(new.case)
        .bind(new.officer)
        .bind(now.as_millisecond())
        .bind(new.evaluation)
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Notes how an exchange ended.
///
/// # Errors
/// `Database`.
pub async fn end(tx: &mut Tx, ended: &EndedExchange<'_>) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE model_exchanges SET endpoint = $2, model = $3, reply = $4, \
        outcome = CASE WHEN CAST($5 AS TEXT) IS NULL THEN 'answered' ELSE 'failed' END, failure = $5, detail = $6, \
        prompt_tokens = $7, completion_tokens = $8, estimated = $9, cost_micro_yuan = $10, first_ms = $11, \
        total_ms = $12 WHERE id = $1 AND outcome = 'running'";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(ended.id)
        .bind(ended.endpoint)
        .bind(ended.model)
        .bind(ended.reply)
        .bind(ended.failure)
        .bind(ended.detail)
        .bind(ended.prompt_tokens)
        .bind(ended.completion_tokens)
        .bind(ended.estimated)
        .bind(ended.cost_micro_yuan)
        .bind(ended.first_ms)
        .bind(ended.total_ms)
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Ends exchanges that began before a moment and still run: whoever asked is gone. What they may have cost stands.
///
/// # Errors
/// `Database`.
pub async fn end_abandoned(tx: &mut Tx, before: Timestamp, detail: &str) -> Result<usize, StoreError> {
    const SQL: &str = "UPDATE model_exchanges SET outcome = 'failed', failure = 'unavailable', detail = $2 \
        WHERE outcome = 'running' AND at < $1";
    let ended = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(before.as_millisecond())
        .bind(detail)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(usize::try_from(ended).unwrap_or(usize::MAX))
}

/// Whether an exchange that began before a moment still runs.
///
/// # Errors
/// `Database`.
pub async fn is_any_abandoned(tx: &mut Tx, before: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT 1 FROM model_exchanges WHERE outcome = 'running' AND at < $1 LIMIT 1";
    let row: Option<(i32,)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(before.as_millisecond()).fetch_optional(conn).await?);
    Ok(row.is_some())
}

/// Notes what became of an answer (`used`, `refused`, `dropped`) and what the checks found (a JSON list).
///
/// # Errors
/// `Database`.
pub async fn judge(tx: &mut Tx, id: &str, verdict: &str, reasons: &str) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE model_exchanges SET verdict = $2, reasons = $3 WHERE id = $1";
    on_backend!(tx, |conn| sqlx::query(SQL).bind(id).bind(verdict).bind(reasons).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// What all exchanges since a moment have spent.
///
/// # Errors
/// `Database`.
pub async fn spent(tx: &mut Tx, since: Timestamp) -> Result<Spent, StoreError> {
    const SQL: &str = "SELECT CAST(COALESCE(SUM(prompt_tokens + completion_tokens), 0) AS BIGINT), \
        CAST(COALESCE(SUM(cost_micro_yuan), 0) AS BIGINT) FROM model_exchanges WHERE at >= $1";
    let (tokens, cost_micro_yuan): (i64, i64) =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(since.as_millisecond()).fetch_one(conn).await?);
    Ok(Spent { tokens, cost_micro_yuan })
}

/// Tokens that one user has spent since a moment.
///
/// # Errors
/// `Database`.
pub async fn spent_by(tx: &mut Tx, who: Spender<'_>, since: Timestamp) -> Result<i64, StoreError> {
    // Somebody whom the embedding site knows is the same in every conversation.
    const PERSON: &str = "SELECT CAST(COALESCE(SUM(prompt_tokens + completion_tokens), 0) AS BIGINT) \
        FROM model_exchanges WHERE officer_id IS NULL AND at >= $2 AND (conversation_id = $1 OR conversation_id IN \
        (SELECT conversations.id FROM visitors JOIN conversations ON conversations.visitor_id = visitors.id \
        WHERE visitors.user_id = (SELECT visitors.user_id FROM conversations JOIN visitors \
        ON visitors.id = conversations.visitor_id WHERE conversations.id = $1)))";
    const OFFICER: &str = "SELECT CAST(COALESCE(SUM(prompt_tokens + completion_tokens), 0) AS BIGINT) \
        FROM model_exchanges WHERE officer_id = $1 AND at >= $2";
    let (sql, id) = match who {
        Spender::Conversation(id) => (PERSON, id),
        Spender::Officer(id) => (OFFICER, id),
    };
    let (tokens,): (i64,) =
        on_backend!(tx, |conn| sqlx::query_as(sql).bind(id).bind(since.as_millisecond()).fetch_one(conn).await?);
    Ok(tokens)
}

/// One exchange.
///
/// # Errors
/// `Database`.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<ExchangeRow>, StoreError> {
    const SQL: &str = "SELECT id, CASE WHEN evaluation THEN 'evaluation' ELSE task END AS task, prompt_id, prompt_version, content_hash, endpoint, model, request, reply, \
        outcome, failure, detail, verdict, reasons, prompt_tokens, completion_tokens, estimated, cost_micro_yuan, \
        first_ms, total_ms, conversation_id, case_id, officer_id, at FROM model_exchanges WHERE id = $1";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(id).fetch_optional(conn).await?))
}

/// Exchanges, the newest first; `before` are time and id after which the page begins.
///
/// # Errors
/// `Database`.
pub async fn page(tx: &mut Tx, before: Option<(i64, &str)>, limit: i64) -> Result<Vec<ExchangeRow>, StoreError> {
    const SQL: &str = "SELECT id, CASE WHEN evaluation THEN 'evaluation' ELSE task END AS task, prompt_id, prompt_version, content_hash, endpoint, model, request, reply, \
        outcome, failure, detail, verdict, reasons, prompt_tokens, completion_tokens, estimated, cost_micro_yuan, \
        first_ms, total_ms, conversation_id, case_id, officer_id, at FROM model_exchanges \
        WHERE at < $1 OR (at = $1 AND id < $2) ORDER BY at DESC, id DESC LIMIT $3";
    let (at, id) = before.unwrap_or((i64::MAX, ""));
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(at).bind(id).bind(limit).fetch_all(conn).await?))
}

/// The exchanges of a conversation, the newest first.
///
/// # Errors
/// `Database`.
pub async fn of_conversation(
    tx: &mut Tx,
    conversation: ConversationId,
    limit: i64,
) -> Result<Vec<ExchangeRow>, StoreError> {
    const SQL: &str = "SELECT id, CASE WHEN evaluation THEN 'evaluation' ELSE task END AS task, prompt_id, prompt_version, content_hash, endpoint, model, request, reply, \
        outcome, failure, detail, verdict, reasons, prompt_tokens, completion_tokens, estimated, cost_micro_yuan, \
        first_ms, total_ms, conversation_id, case_id, officer_id, at FROM model_exchanges \
        WHERE conversation_id = $1 ORDER BY at DESC, id DESC LIMIT $2";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).bind(limit).fetch_all(conn).await?))
}

/// The switch.
///
/// # Errors
/// `Database`.
pub async fn switch(tx: &mut Tx) -> Result<Option<SwitchRow>, StoreError> {
    const SQL: &str = "SELECT stopped, reason, officer_id, changed_at FROM model_switch WHERE id = 'model'";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_optional(conn).await?))
}

/// Sets the switch.
///
/// # Errors
/// `Database`.
pub async fn set_switch(
    tx: &mut Tx,
    stopped: bool,
    reason: &str,
    officer: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO model_switch (id, stopped, reason, officer_id, changed_at) \
        VALUES ('model', $1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET stopped = excluded.stopped, \
        reason = excluded.reason, officer_id = excluded.officer_id, changed_at = excluded.changed_at";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(stopped)
        .bind(reason)
        .bind(officer)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store_test;

    fn new<'a>(id: &'a str, conversation: Option<&'a str>, officer: Option<&'a str>) -> NewExchange<'a> {
        NewExchange {
            id,
            task: "answer",
            prompt_id: "answer.zh",
            prompt_version: "1",
            content_hash: "h",
            request: "[]",
            prompt_tokens: 100,
            completion_tokens: 50,
            cost_micro_yuan: 0,
            conversation,
            case: None,
            officer,
            evaluation: false,
        }
    }

    store_test! {
        async fn what_runs_counts_with_its_estimate_and_what_ended_with_its_usage(db: Db) {
            let at = |ms| Timestamp::from_millisecond(ms).unwrap();
            let mut tx = db.write().await.unwrap();
            begin(&mut tx, &new("a", Some("k"), None), at(1_000)).await.unwrap();
            begin(&mut tx, &new("b", Some("k"), Some("o")), at(2_000)).await.unwrap();
            assert_eq!(spent(&mut tx, at(0)).await.unwrap(), Spent { tokens: 300, cost_micro_yuan: 0 });
            let ended = EndedExchange {
                id: "a",
                endpoint: "e",
                model: "m",
                reply: Some("答"),
                failure: None,
                detail: None,
                prompt_tokens: 10,
                completion_tokens: 5,
                estimated: false,
                cost_micro_yuan: 7,
                first_ms: Some(1),
                total_ms: Some(2),
            };
            end(&mut tx, &ended).await.unwrap();
            end(&mut tx, &EndedExchange { prompt_tokens: 999, ..ended }).await.unwrap();
            end(&mut tx, &EndedExchange { id: "b", failure: Some("timeout"), reply: None, cost_micro_yuan: 0,
                completion_tokens: 0, first_ms: None, ..ended_of("b") }).await.unwrap();
            assert_eq!(spent(&mut tx, at(0)).await.unwrap(), Spent { tokens: 25, cost_micro_yuan: 7 });
            assert_eq!(spent(&mut tx, at(1_500)).await.unwrap(), Spent { tokens: 10, cost_micro_yuan: 0 });
            assert_eq!(spent_by(&mut tx, Spender::Conversation("k"), at(0)).await.unwrap(), 15);
            assert_eq!(spent_by(&mut tx, Spender::Officer("o"), at(0)).await.unwrap(), 10);
            judge(&mut tx, "a", "refused", r#"["figure"]"#).await.unwrap();
            let row = find(&mut tx, "a").await.unwrap().unwrap();
            assert_eq!((row.outcome.as_str(), row.verdict.as_deref(), row.reasons.as_str()),
                ("answered", Some("refused"), r#"["figure"]"#));
            assert_eq!(find(&mut tx, "b").await.unwrap().unwrap().outcome, "failed");
            let ids = |rows: Vec<ExchangeRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
            assert_eq!(ids(page(&mut tx, None, 9).await.unwrap()), ["b", "a"]);
            assert_eq!(ids(page(&mut tx, Some((2_000, "b")), 9).await.unwrap()), ["a"]);
            tx.commit().await.unwrap();
        }
    }

    store_test! {
        async fn what_still_runs_when_nobody_can_wait_for_it_is_ended_and_keeps_its_estimate(db: Db) {
            let at = |ms| Timestamp::from_millisecond(ms).unwrap();
            let mut tx = db.write().await.unwrap();
            begin(&mut tx, &NewExchange { evaluation: true, ..new("a", None, None) }, at(1_000)).await.unwrap();
            begin(&mut tx, &new("b", None, None), at(2_000)).await.unwrap();
            assert!(!is_any_abandoned(&mut tx, at(1_000)).await.unwrap());
            assert!(is_any_abandoned(&mut tx, at(1_001)).await.unwrap());
            assert_eq!(end_abandoned(&mut tx, at(1_500), "died").await.unwrap(), 1);
            assert_eq!(end_abandoned(&mut tx, at(1_500), "died").await.unwrap(), 0);
            let row = find(&mut tx, "a").await.unwrap().unwrap();
            assert_eq!((row.outcome.as_str(), row.failure.as_deref(), row.detail.as_deref(), row.task.as_str()),
                ("failed", Some("unavailable"), Some("died"), "evaluation"));
            assert_eq!(spent(&mut tx, at(0)).await.unwrap().tokens, 300, "it may have cost that much");
            assert_eq!(find(&mut tx, "b").await.unwrap().unwrap().outcome, "running");
            tx.commit().await.unwrap();
        }
    }

    fn ended_of(id: &str) -> EndedExchange<'_> {
        EndedExchange {
            id,
            endpoint: "e",
            model: "m",
            reply: None,
            failure: None,
            detail: None,
            prompt_tokens: 10,
            completion_tokens: 0,
            estimated: true,
            cost_micro_yuan: 0,
            first_ms: None,
            total_ms: None,
        }
    }

    store_test! {
        async fn the_switch_is_one_row(db: Db) {
            let at = Timestamp::from_millisecond(5).unwrap();
            let mut tx = db.write().await.unwrap();
            assert!(!switch(&mut tx).await.unwrap().unwrap().stopped);
            set_switch(&mut tx, true, "乱说", Some("o"), at).await.unwrap();
            set_switch(&mut tx, true, "还在乱说", Some("p"), at).await.unwrap();
            let row = switch(&mut tx).await.unwrap().unwrap();
            assert_eq!((row.stopped, row.reason.as_str(), row.officer_id.as_deref(), row.changed_at),
                (true, "还在乱说", Some("p"), 5));
            tx.commit().await.unwrap();
        }
    }
}
