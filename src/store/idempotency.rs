//! First answers of requests that carry an `Idempotency-Key`.

use jiff::Timestamp;

use super::{StoreError, Tx};
use crate::on_backend;

/// The stored answer of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstAnswer {
    /// Hash of the request it answered; another request under the same key is a mistake of the client.
    pub request_hash: String,
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: String,
}

/// Finds the first answer under this key. `scope` is the account and route.
///
/// # Errors
/// `Database`.
pub async fn find(tx: &mut Tx, scope: &str, key: &str) -> Result<Option<FirstAnswer>, StoreError> {
    const SQL: &str = "SELECT request_hash, status, body FROM idempotency WHERE scope = $1 AND key = $2";
    let row: Option<(String, i64, String)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(scope).bind(key).fetch_optional(conn).await?);
    Ok(row.map(|(request_hash, status, body)| FirstAnswer {
        request_hash,
        status: u16::try_from(status).unwrap_or(500),
        body,
    }))
}

/// Stores the first answer, in the transaction of what it reports.
///
/// # Errors
/// `Database`; a unique violation when another request was first.
pub async fn insert(
    tx: &mut Tx,
    scope: &str,
    key: &str,
    answer: &FirstAnswer,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO idempotency (scope, key, request_hash, status, body, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(scope)
        .bind(key)
        .bind(answer.request_hash.as_str())
        .bind(i64::from(answer.status))
        .bind(answer.body.as_str())
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Forgets answers older than `before`.
///
/// # Errors
/// `Database`.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    const SQL: &str = "DELETE FROM idempotency WHERE created_at < $1";
    Ok(on_backend!(tx, |conn| sqlx::query(SQL).bind(before.as_millisecond()).execute(conn).await?.rows_affected()))
}
