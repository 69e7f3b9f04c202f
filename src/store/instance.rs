//! Facts about this installation: small named values.

use super::{StoreError, Tx};
use crate::on_backend;

/// Reads a value.
///
/// # Errors
/// `Database`.
pub async fn get(tx: &mut Tx, key: &str) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT value FROM instance WHERE key = $1";
    let row: Option<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(key).fetch_optional(conn).await?);
    Ok(row.map(|row| row.0))
}

/// Writes a value.
///
/// # Errors
/// `Database`.
pub async fn set(tx: &mut Tx, key: &str, value: &str) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO instance (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    on_backend!(tx, |conn| sqlx::query(SQL).bind(key).bind(value).execute(conn).await.map(|_| ()))?;
    Ok(())
}
