//! The outbox: rows written in the transaction of the change they tell of, claimed and sent after the commit.
//!
//! Enqueued exactly once per target and key, delivered at least once: a claim is a lease, and a sender that dies
//! leaves a row that becomes ready again when its lease ends. The receiver drops repeats by the key.

use jiff::Timestamp;

use super::{StoreError, Tx};
use crate::{on_backend, row_struct};

/// Columns of one entry to send.
#[derive(Debug, Clone)]
pub struct NewEntry<'a> {
    /// Id.
    pub id: String,
    /// Name of the target.
    pub target: &'a str,
    /// Name of the event, e.g. `case.accepted`.
    pub event: &'a str,
    /// Idempotency key: the same key is enqueued once per target.
    pub key: &'a str,
    /// The body, JSON.
    pub payload: &'a str,
}

row_struct! {
    /// An entry of the outbox.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OutboxRow {
        /// Id.
        pub id: String,
        /// Name of the target.
        pub target: String,
        /// Name of the event.
        pub event: String,
        /// Idempotency key.
        pub key: String,
        /// The body, JSON.
        pub payload: String,
        /// `ready`, `sending`, `sent` or `dead`.
        pub state: String,
        /// Attempts so far, the present one included.
        pub attempts: i64,
        /// When it is sent next, milliseconds UTC.
        pub next_at: i64,
        /// Pieces that WeChat took.
        pub progress: i64,
        /// How often WeChat took it and then could not deliver it.
        pub bounces: i64,
        /// Why it waits for the WeChat user.
        pub held: Option<String>,
        /// Why the last attempt failed.
        pub last_error: Option<String>,
        /// When it was written, milliseconds UTC.
        pub created_at: i64,
        /// When it was sent or given up, milliseconds UTC.
        pub done_at: Option<i64>,
    }
}

/// The columns of an [`OutboxRow`].
macro_rules! columns {
    () => {
        "id, target, event, key, payload, state, attempts, next_at, progress, bounces, held, last_error, created_at, done_at"
    };
}
pub(super) use columns;

/// Writes an entry; `false` when this key waits for this target already or was sent.
///
/// # Errors
/// `Database`.
pub async fn enqueue(tx: &mut Tx, entry: &NewEntry<'_>, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO outbox (id, target, event, key, payload, state, attempts, next_at, created_at) \
        VALUES ($1, $2, $3, $4, $5, 'ready', 0, $6, $6) ON CONFLICT (target, key) DO NOTHING";
    let added = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(entry.id.as_str())
        .bind(entry.target)
        .bind(entry.event)
        .bind(entry.key)
        .bind(entry.payload)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(added == 1)
}

/// Claims up to `limit` entries that are due, for the length of a lease. Two gateways never claim the same one. What
/// goes to WeChat has a claim of its own, in `wechat_out`.
///
/// # Errors
/// `Database`.
pub async fn claim(
    tx: &mut Tx,
    now: Timestamp,
    lease_until: Timestamp,
    limit: i64,
) -> Result<Vec<OutboxRow>, StoreError> {
    // The state is tested again outside the subquery: PostgreSQL looks at it anew after waiting for a row.
    const SQL: &str = concat!(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1, lease_until = $2 WHERE id IN \
        (SELECT id FROM outbox WHERE target <> 'wechat' \
        AND ((state = 'ready' AND next_at <= $1) OR (state = 'sending' AND lease_until <= $1)) \
        ORDER BY next_at, id LIMIT $3) AND ((state = 'ready' AND next_at <= $1) OR (state = 'sending' AND \
        lease_until <= $1)) RETURNING ",
        columns!()
    );
    claim_by(tx, SQL, now, lease_until, limit).await
}

/// Claims what a statement says, the longest due first; its values are now, the end of the lease and the limit.
pub(super) async fn claim_by(
    tx: &mut Tx,
    sql: &'static str,
    now: Timestamp,
    lease_until: Timestamp,
    limit: i64,
) -> Result<Vec<OutboxRow>, StoreError> {
    let mut rows: Vec<OutboxRow> = on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(now.as_millisecond())
        .bind(lease_until.as_millisecond())
        .bind(limit)
        .fetch_all(conn)
        .await?);
    rows.sort_by(|a, b| (a.next_at, &a.id).cmp(&(b.next_at, &b.id)));
    Ok(rows)
}

/// Notes that an entry was delivered.
///
/// # Errors
/// `Database`.
pub async fn delivered(tx: &mut Tx, id: &str, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE outbox SET state = 'sent', lease_until = NULL, last_error = NULL, done_at = $2 \
        WHERE id = $1 AND state = 'sending'";
    on_backend!(tx, |conn| sqlx::query(SQL).bind(id).bind(now.as_millisecond()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Notes that an attempt failed: tried again at `next`, or given up when there is none.
///
/// # Errors
/// `Database`.
pub async fn failed(
    tx: &mut Tx,
    id: &str,
    error: &str,
    next: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE outbox SET state = $2, next_at = $3, last_error = $4, lease_until = NULL, done_at = $5 \
        WHERE id = $1 AND state = 'sending'";
    let state = if next.is_some() { "ready" } else { "dead" };
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id)
        .bind(state)
        .bind(next.unwrap_or(now).as_millisecond())
        .bind(error)
        .bind(next.is_none().then(|| now.as_millisecond()))
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Dead letters with their reasons, the last given up first; `before` are time and id after which the page begins.
///
/// # Errors
/// `Database`.
pub async fn dead(tx: &mut Tx, before: Option<(i64, &str)>, limit: i64) -> Result<Vec<OutboxRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM outbox WHERE state = 'dead' AND (done_at < $1 OR (done_at = $1 AND id < $2)) \
        ORDER BY done_at DESC, id DESC LIMIT $3"
    );
    let (at, id) = before.unwrap_or((i64::MAX, ""));
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(at).bind(id).bind(limit).fetch_all(conn).await?))
}

/// Entries in a state, the newest first.
///
/// # Errors
/// `Database`.
pub async fn list(tx: &mut Tx, state: &str, limit: i64) -> Result<Vec<OutboxRow>, StoreError> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM outbox WHERE state = $1 ORDER BY created_at DESC, id DESC LIMIT $2");
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(state).bind(limit).fetch_all(conn).await?))
}

/// Makes a dead letter ready again; `false` when it is none.
///
/// # Errors
/// `Database`.
pub async fn revive(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE outbox SET state = 'ready', attempts = 0, next_at = $2, done_at = NULL \
        WHERE id = $1 AND state = 'dead'";
    let done = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// How many entries are in each state.
///
/// # Errors
/// `Database`.
pub async fn counts(tx: &mut Tx) -> Result<Vec<(String, i64)>, StoreError> {
    const SQL: &str = "SELECT state, COUNT(*) FROM outbox GROUP BY state ORDER BY state";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn entry(id: &'static str, key: &'static str) -> NewEntry<'static> {
        NewEntry { id: id.to_owned(), target: "county", event: "case.filed", key, payload: "{}" }
    }

    crate::store_test! {
        async fn an_entry_is_enqueued_once_leased_and_given_up_with_its_reason(db: Db) {
            let mut tx = db.write().await.unwrap();
            assert!(enqueue(&mut tx, &entry("a", "k1"), at(10)).await.unwrap());
            assert!(!enqueue(&mut tx, &entry("b", "k1"), at(10)).await.unwrap(), "the same key");
            assert!(enqueue(&mut tx, &entry("c", "k2"), at(20)).await.unwrap());
            tx.commit().await.unwrap();

            let mut tx = db.write().await.unwrap();
            assert!(claim(&mut tx, at(5), at(100), 10).await.unwrap().is_empty(), "not due");
            let first = claim(&mut tx, at(15), at(100), 10).await.unwrap();
            assert_eq!(first.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["a"]);
            let second = claim(&mut tx, at(30), at(100), 10).await.unwrap();
            assert_eq!(second.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["c"], "a is leased");
            let again = claim(&mut tx, at(200), at(300), 10).await.unwrap();
            assert_eq!(again.len(), 2, "a sender that died gives its lease back");
            assert_eq!(again[0].attempts, 2);
            delivered(&mut tx, "a", at(210)).await.unwrap();
            failed(&mut tx, "c", "503", Some(at(500)), at(210)).await.unwrap();
            assert!(claim(&mut tx, at(400), at(450), 10).await.unwrap().is_empty(), "it waits");
            assert_eq!(claim(&mut tx, at(500), at(600), 10).await.unwrap().len(), 1);
            failed(&mut tx, "c", "404 not found", None, at(510)).await.unwrap();
            tx.commit().await.unwrap();

            let mut tx = db.write().await.unwrap();
            let dead = dead(&mut tx, None, 10).await.unwrap();
            assert_eq!(dead[0].last_error.as_deref(), Some("404 not found"));
            assert_eq!(counts(&mut tx).await.unwrap(), [("dead".to_owned(), 1), ("sent".to_owned(), 1)]);
            assert!(revive(&mut tx, "c", at(600)).await.unwrap());
            assert!(!revive(&mut tx, "a", at(600)).await.unwrap());
            assert_eq!(claim(&mut tx, at(600), at(700), 10).await.unwrap().len(), 1);
            tx.commit().await.unwrap();
        }
    }
}
