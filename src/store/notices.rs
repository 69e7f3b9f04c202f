//! Notices to officers: one row per officer and occasion, read or not.

use jiff::Timestamp;

use super::{StoreError, Tx};
use crate::{domain::ids::OfficerId, on_backend, row_struct};

row_struct! {
    /// A notice as stored.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct NoticeRow {
        /// Its id; ids grow with time.
        pub id: String,
        /// Slug of the kind.
        pub kind: String,
        /// One sentence.
        pub text: String,
        /// Number of the case it is about.
        pub case_number: Option<String>,
        /// Id of the conversation it is about.
        pub conversation_id: Option<String>,
        /// Milliseconds UTC.
        pub created_at: i64,
        /// Milliseconds UTC; `None`: not read.
        pub read_at: Option<i64>,
    }
}

/// A notice to write down.
#[derive(Debug, Clone, Copy)]
pub struct NewNotice<'a> {
    /// Its id.
    pub id: &'a str,
    /// Who is to know.
    pub officer: OfficerId,
    /// Slug of the kind.
    pub kind: &'a str,
    /// One sentence.
    pub text: &'a str,
    /// Number of the case.
    pub case_number: Option<&'a str>,
    /// Id of the conversation.
    pub conversation: Option<&'a str>,
    /// Names the occasion.
    pub key: &'a str,
}

/// Writes a notice; `false` when the officer was told of this occasion before.
///
/// # Errors
/// `Database`.
pub async fn insert(tx: &mut Tx, notice: &NewNotice<'_>, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO notices \
        (id, officer_id, kind, text, case_number, conversation_id, key, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (officer_id, key) DO NOTHING";
    let added = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(notice.id)
        .bind(notice.officer.to_string())
        .bind(notice.kind)
        .bind(notice.text)
        .bind(notice.case_number)
        .bind(notice.conversation)
        .bind(notice.key)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(added == 1)
}

/// How many notices an officer has not read.
///
/// # Errors
/// `Database`.
pub async fn unread(tx: &mut Tx, officer: OfficerId) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM notices WHERE officer_id = $1 AND read_at IS NULL";
    let row: (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(officer.to_string()).fetch_one(conn).await?);
    Ok(row.0)
}

/// Notices of an officer, the newest first; `before` is where the page before ended.
///
/// # Errors
/// `Database`.
pub async fn page(
    tx: &mut Tx,
    officer: OfficerId,
    unread: bool,
    before: Option<(i64, &str)>,
    limit: i64,
) -> Result<Vec<NoticeRow>, StoreError> {
    const SQL: &str = "SELECT id, kind, text, case_number, conversation_id, created_at, read_at FROM notices \
        WHERE officer_id = $1 AND (NOT $2 OR read_at IS NULL) \
        AND (CAST($3 AS BIGINT) IS NULL OR created_at < $3 OR (created_at = $3 AND id < $4)) \
        ORDER BY created_at DESC, id DESC LIMIT $5";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(officer.to_string())
        .bind(unread)
        .bind(before.map(|(at, _)| at))
        .bind(before.map(|(_, id)| id))
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// Marks one notice of an officer as read; `false` when there is no such notice.
///
/// # Errors
/// `Database`.
pub async fn mark_read(tx: &mut Tx, officer: OfficerId, id: &str, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE notices SET read_at = COALESCE(read_at, $3) WHERE officer_id = $1 AND id = $2";
    let done = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(officer.to_string())
        .bind(id)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Marks everything as read that was told up to an instant; gives how many there were.
///
/// # Errors
/// `Database`.
pub async fn mark_all_read(
    tx: &mut Tx,
    officer: OfficerId,
    up_to: Timestamp,
    now: Timestamp,
) -> Result<u64, StoreError> {
    const SQL: &str = "UPDATE notices SET read_at = $3 WHERE officer_id = $1 AND read_at IS NULL AND created_at <= $2";
    Ok(on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(officer.to_string())
        .bind(up_to.as_millisecond())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected()))
}

/// Marks as read what an officer was told about a case (whatever its round) or a conversation; gives how many there were.
///
/// # Errors
/// `Database`.
pub async fn mark_read_about(
    tx: &mut Tx,
    officer: OfficerId,
    case_number: Option<&str>,
    conversation: Option<&str>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    const SQL: &str = "UPDATE notices SET read_at = $5 WHERE officer_id = $1 AND read_at IS NULL \
        AND (case_number = $2 OR case_number LIKE $3 OR (case_number IS NULL AND conversation_id = $4))";
    Ok(on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(officer.to_string())
        .bind(case_number)
        .bind(case_number.map(|number| format!("{number}-R%")))
        .bind(conversation)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected()))
}

/// How many notices are from before an instant.
///
/// # Errors
/// `Database`.
pub async fn count_old(tx: &mut Tx, before: Timestamp) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM notices WHERE created_at < $1";
    let row: (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(before.as_millisecond()).fetch_one(conn).await?);
    Ok(row.0)
}

/// Removes up to `limit` notices from before an instant, read or not; gives how many there were.
///
/// # Errors
/// `Database`.
pub async fn forget(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    const SQL: &str =
        "DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    Ok(on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(before.as_millisecond())
        .bind(limit)
        .execute(conn)
        .await?
        .rows_affected()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::officers::{self, NewOfficer};

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    async fn officer(tx: &mut Tx, login: &'static str, id: &str) -> OfficerId {
        let id = id.parse().unwrap();
        let new = NewOfficer { id, login, name: login, password_hash: "-", must_change_password: false };
        officers::insert(tx, &new, at(0)).await.unwrap();
        id
    }

    crate::store_test! {
        async fn an_occasion_is_one_notice_and_each_officer_reads_their_own(db: Db) {
            let mut tx = db.write().await.unwrap();
            let a = officer(&mut tx, "a", "01934567-89ab-7000-8000-000000000001").await;
            let b = officer(&mut tx, "b", "01934567-89ab-7000-8000-000000000002").await;
            let new = |id, officer, key| NewNotice {
                id, officer, kind: "overdue", text: "超期", case_number: Some("ZT1"), conversation: None, key,
            };
            assert!(insert(&mut tx, &new("1", a, "k1"), at(10)).await.unwrap());
            assert!(!insert(&mut tx, &new("2", a, "k1"), at(11)).await.unwrap(), "told before");
            assert!(insert(&mut tx, &new("3", a, "k2"), at(10)).await.unwrap());
            assert!(insert(&mut tx, &new("4", a, "k3"), at(20)).await.unwrap());
            assert!(insert(&mut tx, &new("5", b, "k1"), at(20)).await.unwrap());
            assert_eq!(unread(&mut tx, a).await.unwrap(), 3);
            let ids = |rows: Vec<NoticeRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
            assert_eq!(ids(page(&mut tx, a, true, None, 2).await.unwrap()), ["4", "3"]);
            assert_eq!(ids(page(&mut tx, a, true, Some((10, "3")), 2).await.unwrap()), ["1"]);
            assert!(!mark_read(&mut tx, a, "5", at(30)).await.unwrap(), "another's");
            assert!(mark_read(&mut tx, a, "4", at(30)).await.unwrap());
            assert!(mark_read(&mut tx, a, "4", at(40)).await.unwrap(), "again is no failure");
            assert_eq!(ids(page(&mut tx, a, true, None, 9).await.unwrap()), ["3", "1"]);
            assert_eq!(page(&mut tx, a, false, None, 9).await.unwrap()[0].read_at, Some(30));
            assert_eq!(mark_all_read(&mut tx, a, at(15), at(50)).await.unwrap(), 2);
            assert_eq!((unread(&mut tx, a).await.unwrap(), unread(&mut tx, b).await.unwrap()), (0, 1));
            let round = NewNotice { case_number: Some("ZT1-R2"), ..new("6", a, "k6") };
            assert!(insert(&mut tx, &round, at(60)).await.unwrap());
            let other = NewNotice { case_number: Some("ZT12"), ..new("7", a, "k7") };
            assert!(insert(&mut tx, &other, at(60)).await.unwrap());
            let talk = NewNotice { case_number: None, conversation: Some("c1"), ..new("8", a, "k8") };
            assert!(insert(&mut tx, &talk, at(60)).await.unwrap());
            assert_eq!(mark_read_about(&mut tx, a, Some("ZT1"), None, at(70)).await.unwrap(), 1, "of any round");
            assert_eq!(mark_read_about(&mut tx, a, None, Some("c1"), at(70)).await.unwrap(), 1);
            assert_eq!(mark_read_about(&mut tx, a, None, None, at(70)).await.unwrap(), 0, "about nothing");
            assert_eq!(unread(&mut tx, b).await.unwrap(), 1, "another reads their own");
            assert_eq!(count_old(&mut tx, at(20)).await.unwrap(), 2);
            assert_eq!(forget(&mut tx, at(20), 1).await.unwrap(), 1);
            assert_eq!(forget(&mut tx, at(20), 9).await.unwrap(), 1);
            assert_eq!(ids(page(&mut tx, a, false, None, 9).await.unwrap()), ["8", "7", "6", "4"]);
            tx.commit().await.unwrap();
        }
    }
}
