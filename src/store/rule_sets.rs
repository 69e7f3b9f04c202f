//! Published rule sets by content hash: the last good set survives a broken folder and a restart.

use jiff::Timestamp;

use super::{StoreError, Tx};
use crate::on_backend;

/// A published set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSetRow {
    /// Content hash.
    pub hash: String,
    /// The files as one JSON text.
    pub files: String,
    /// Login of the publisher, or `folder` for a hot reload.
    pub published_by: String,
    /// Why.
    pub note: String,
    /// When, milliseconds UTC.
    pub published_at: i64,
}

/// Keeps a set; publishing the same content again only moves its time.
///
/// # Errors
/// `Database`.
pub async fn publish(
    tx: &mut Tx,
    hash: &str,
    files: &str,
    published_by: &str,
    note: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO rule_sets (hash, files, published_by, note, published_at) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (hash) DO UPDATE SET published_by = excluded.published_by, note = excluded.note, \
        published_at = excluded.published_at";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(hash)
        .bind(files)
        .bind(published_by)
        .bind(note)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The set that was published last.
///
/// # Errors
/// `Database`.
pub async fn latest(tx: &mut Tx) -> Result<Option<RuleSetRow>, StoreError> {
    const SQL: &str = "SELECT hash, files, published_by, note, published_at FROM rule_sets \
        ORDER BY published_at DESC, hash LIMIT 1";
    let row: Option<(String, String, String, String, i64)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_optional(conn).await?);
    Ok(row.map(to_row))
}

/// The set with this hash.
///
/// # Errors
/// `Database`.
pub async fn find(tx: &mut Tx, hash: &str) -> Result<Option<RuleSetRow>, StoreError> {
    const SQL: &str = "SELECT hash, files, published_by, note, published_at FROM rule_sets WHERE hash = $1";
    let row: Option<(String, String, String, String, i64)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(hash).fetch_optional(conn).await?);
    Ok(row.map(to_row))
}

fn to_row(row: (String, String, String, String, i64)) -> RuleSetRow {
    let (hash, files, published_by, note, published_at) = row;
    RuleSetRow { hash, files, published_by, note, published_at }
}
