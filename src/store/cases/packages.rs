//! Packages of archived cases: one text for each archiving. Its hash stands beside it and in the event of the archiving.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::events;
use crate::{
    domain::{case::EventKind, ids::CaseId},
    on_backend, row_struct,
    store::{StoreError, Tx},
};

row_struct! {
    /// What was archived.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct PackageRow {
        /// SHA-256 of the text, hex.
        pub sha256: String,
        /// The text.
        pub body: String,
    }
}

row_struct! {
    struct ArchivedRow {
        case_id: String,
        seq: i64,
        facts: String,
        sha256: Option<String>,
        body: Option<String>,
    }
}

/// SHA-256 of a package, hex.
pub fn digest(body: &str) -> String {
    hex::encode(Sha256::digest(body.as_bytes()))
}

/// Keeps the package of an archiving.
///
/// # Errors
/// `Database`.
pub async fn insert(
    tx: &mut Tx,
    case: CaseId,
    seq: i64,
    sha256: &str,
    body: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO case_packages (case_id, seq, sha256, body, created_at) VALUES ($1, $2, $3, $4, $5)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(case.to_string())
        .bind(seq)
        .bind(sha256)
        .bind(body)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The package of the last archiving of a case.
///
/// # Errors
/// `Database`.
pub async fn latest(tx: &mut Tx, case: CaseId) -> Result<Option<PackageRow>, StoreError> {
    const SQL: &str = "SELECT sha256, body FROM case_packages WHERE case_id = $1 ORDER BY seq DESC LIMIT 1";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(case.to_string()).fetch_optional(conn).await?))
}

/// Looks at the archivings that come after this one, in order: the last one looked at (`None` when there was none) and
/// those whose package is missing or is not the one that the history names.
///
/// # Errors
/// `Database`.
pub async fn check_after(
    tx: &mut Tx,
    after: &(String, i64),
    limit: i64,
) -> Result<(Option<(String, i64)>, Vec<(String, i64)>), StoreError> {
    const SQL: &str = "SELECT e.case_id, e.seq, e.facts, p.sha256, p.body FROM case_events e \
        LEFT JOIN case_packages p ON p.case_id = e.case_id AND p.seq = e.seq \
        WHERE e.kind = $1 AND (e.case_id > $2 OR (e.case_id = $2 AND e.seq > $3)) ORDER BY e.case_id, e.seq LIMIT $4";
    let rows: Vec<ArchivedRow> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(EventKind::Archived.as_str())
        .bind(after.0.as_str())
        .bind(after.1)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    let last = rows.last().map(|row| (row.case_id.clone(), row.seq));
    let bad = rows.into_iter().filter(|row| !row.is_sound()).map(|row| (row.case_id, row.seq)).collect();
    Ok((last, bad))
}

impl ArchivedRow {
    fn is_sound(&self) -> bool {
        let named = events::fact(&self.facts, "package");
        match (&named, &self.sha256, &self.body) {
            // Archived before there were packages.
            (None, None, None) => true,
            (Some(named), Some(kept), Some(body)) => named == kept && *kept == digest(body),
            _ => false,
        }
    }
}
