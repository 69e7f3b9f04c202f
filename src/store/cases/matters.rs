//! What is counted over several cases before the ladder is climbed (DOMAIN 2.6): repeats of a matter, refused returns
//! of a unit.

use jiff::Timestamp;

use crate::{
    domain::{case::CaseNumber, ids::CaseId},
    on_backend,
    store::{StoreError, Tx},
};

/// How often the matter of a case was raised again so far: cases that name an earlier one of the same matter, and
/// reopenings, without `except`.
///
/// # Errors
/// `Database`.
pub async fn repeats(tx: &mut Tx, number: &CaseNumber, except: CaseId) -> Result<u32, StoreError> {
    // First up to the earliest case, then down to everything that names one of them.
    const SQL: &str = "WITH RECURSIVE up(number) AS (\
        SELECT CAST($1 AS TEXT) UNION \
        SELECT c.repeat_of FROM cases c JOIN up ON c.number = up.number WHERE c.repeat_of IS NOT NULL), \
        matter(number) AS (\
        SELECT number FROM up UNION SELECT c.number FROM cases c JOIN matter ON c.repeat_of = matter.number) \
        SELECT CAST(COALESCE(SUM(c.round + CASE WHEN c.repeat_of IS NULL THEN 0 ELSE 1 END), 0) AS BIGINT) \
        FROM cases c JOIN matter ON c.number = matter.number WHERE c.id <> $2";
    let (count,): (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(number.as_str())
        .bind(except.to_string())
        .fetch_one(conn)
        .await?);
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// How many returns of a unit were refused since then, without those of `except`.
///
/// # Errors
/// `Database`.
pub async fn refused_returns(tx: &mut Tx, unit: &str, since: Timestamp, except: CaseId) -> Result<u32, StoreError> {
    // A case whose return was refused stays with the unit.
    const SQL: &str = "SELECT COUNT(*) FROM case_events e JOIN cases c ON c.id = e.case_id \
        WHERE e.kind = $1 AND e.at >= $2 AND c.lead_unit = $3 AND c.id <> $4";
    let (count,): (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(crate::domain::case::EventKind::ReturnRefused.as_str())
        .bind(since.as_millisecond())
        .bind(unit)
        .bind(except.to_string())
        .fetch_one(conn)
        .await?);
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}
