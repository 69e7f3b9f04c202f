//! Every version of a policy that was ever in force: running cases keep the one they were accepted under.

use jiff::Timestamp;
use serde_json::json;

use super::{StoreError, Tx};
use crate::{on_backend, row_struct};

row_struct! {
    /// A version of a policy.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct PolicyVersion {
        /// Name of the policy.
        pub name: String,
        /// Its version.
        pub version: String,
        /// The file it stood in.
        pub path: String,
        /// The text of that file.
        pub body: String,
    }
}

/// Keeps versions; those that are known stay as they are.
///
/// # Errors
/// `Database`.
pub async fn keep(tx: &mut Tx, versions: &[PolicyVersion], now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO policy_versions (name, version, path, body, first_at) \
        SELECT value ->> 'name', value ->> 'version', value ->> 'path', value ->> 'body', $2 FROM json_each($1) \
        WHERE TRUE ON CONFLICT (name, version) DO NOTHING";
    let rows: Vec<_> = versions
        .iter()
        .map(|one| json!({"name": one.name, "version": one.version, "path": one.path, "body": one.body}))
        .collect();
    let rows = json!(rows).to_string();
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(rows.as_str())
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// All versions.
///
/// # Errors
/// `Database`.
pub async fn all(tx: &mut Tx) -> Result<Vec<PolicyVersion>, StoreError> {
    const SQL: &str = "SELECT name, version, path, body FROM policy_versions ORDER BY name, first_at, version";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}
