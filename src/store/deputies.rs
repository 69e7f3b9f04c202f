//! Who stands in for the leader of a unit, from which day to which (AB岗).

use jiff::{Timestamp, civil::Date};

use super::{StoreError, Tx};
use crate::{domain::ids::OfficerId, on_backend, row_struct};

row_struct! {
    /// A delegation as stored.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct DeputyRow {
        /// Slug of the unit.
        pub unit: String,
        /// Who stands in, as text.
        pub officer_id: String,
        /// That officer's name.
        pub name: String,
        /// First day, `YYYY-MM-DD`.
        pub from_on: String,
        /// Last day, `YYYY-MM-DD`.
        pub until_on: String,
        /// Name of who set it; empty if the account is gone.
        pub set_by_name: String,
        /// Milliseconds UTC.
        pub created_at: i64,
    }
}

/// Delegations that are not over on `day`, by unit and first day.
///
/// # Errors
/// `Database`.
pub async fn from(tx: &mut Tx, day: Date) -> Result<Vec<DeputyRow>, StoreError> {
    const SQL: &str = "SELECT d.unit, d.officer_id, o.name, d.from_on, d.until_on, \
        COALESCE(s.name, '') AS set_by_name, d.created_at FROM unit_deputies d \
        JOIN officers o ON o.id = d.officer_id LEFT JOIN officers s ON s.id = d.set_by \
        WHERE d.until_on >= $1 ORDER BY d.unit, d.from_on, d.officer_id";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(day.to_string()).fetch_all(conn).await?))
}

/// Who stands in for the leader of a unit on a day.
///
/// # Errors
/// `Database`.
pub async fn on(tx: &mut Tx, unit: &str, day: Date) -> Result<Vec<DeputyRow>, StoreError> {
    const SQL: &str = "SELECT d.unit, d.officer_id, o.name, d.from_on, d.until_on, \
        COALESCE(s.name, '') AS set_by_name, d.created_at FROM unit_deputies d \
        JOIN officers o ON o.id = d.officer_id LEFT JOIN officers s ON s.id = d.set_by \
        WHERE d.unit = $1 AND d.from_on <= $2 AND d.until_on >= $2 AND o.active ORDER BY d.from_on, d.officer_id";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(unit).bind(day.to_string()).fetch_all(conn).await?))
}

/// Ends a delegation before its time: what has begun ends on `last`, what lies ahead is taken away. `false` when there
/// is none. Signatures given under it stay valid.
///
/// # Errors
/// `Database`.
pub async fn end(tx: &mut Tx, unit: &str, officer: OfficerId, from_on: Date, last: Date) -> Result<bool, StoreError> {
    const CUT: &str = "UPDATE unit_deputies SET until_on = $4 WHERE unit = $1 AND officer_id = $2 AND from_on = $3 \
        AND from_on <= $4 AND until_on > $4";
    const DROP: &str =
        "DELETE FROM unit_deputies WHERE unit = $1 AND officer_id = $2 AND from_on = $3 AND from_on > $4";
    let mut changed = 0;
    for sql in [CUT, DROP] {
        changed += on_backend!(tx, |conn| sqlx::query(sql)
            .bind(unit)
            .bind(officer.to_string())
            .bind(from_on.to_string())
            .bind(last.to_string())
            .execute(conn)
            .await?
            .rows_affected());
    }
    Ok(changed > 0)
}

/// Records that an officer stands in for the leader of a unit; the same first day again moves the last one.
///
/// # Errors
/// `Database`.
pub async fn set(
    tx: &mut Tx,
    unit: &str,
    officer: OfficerId,
    days: (Date, Date),
    set_by: OfficerId,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO unit_deputies (unit, officer_id, from_on, until_on, set_by, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (unit, officer_id, from_on) \
        DO UPDATE SET until_on = excluded.until_on, set_by = excluded.set_by";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(unit)
        .bind(officer.to_string())
        .bind(days.0.to_string())
        .bind(days.1.to_string())
        .bind(set_by.to_string())
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The units in which an officer stands in for the leader on a day.
///
/// # Errors
/// `Database`.
pub async fn units_of(tx: &mut Tx, officer: OfficerId, day: Date) -> Result<Vec<String>, StoreError> {
    const SQL: &str = "SELECT unit FROM unit_deputies WHERE officer_id = $1 AND from_on <= $2 AND until_on >= $2";
    let rows: Vec<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(officer.to_string())
        .bind(day.to_string())
        .fetch_all(conn)
        .await?);
    Ok(rows.into_iter().map(|(unit,)| unit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::officers::{self, NewOfficer};

    crate::store_test! {
        async fn a_delegation_holds_on_its_days_and_can_end_early(db: Db) {
            let mut tx = db.write().await.unwrap();
            let b: OfficerId = "01934567-89ab-7000-8000-000000000002".parse().unwrap();
            let new = NewOfficer { id: b, login: "b", name: "乙", password_hash: "-", must_change_password: false };
            officers::insert(&mut tx, &new, Timestamp::UNIX_EPOCH).await.unwrap();
            let day = |text: &str| text.parse::<Date>().unwrap();
            let now = Timestamp::UNIX_EPOCH;
            set(&mut tx, "zjj", b, (day("2026-11-23"), day("2026-11-30")), b, now).await.unwrap();
            set(&mut tx, "zjj", b, (day("2026-12-10"), day("2026-12-12")), b, now).await.unwrap();
            assert_eq!(units_of(&mut tx, b, day("2026-11-23")).await.unwrap(), ["zjj"]);
            assert!(units_of(&mut tx, b, day("2026-12-01")).await.unwrap().is_empty());
            assert_eq!(on(&mut tx, "zjj", day("2026-11-30")).await.unwrap()[0].name, "乙");
            assert_eq!(from(&mut tx, day("2026-11-25")).await.unwrap().len(), 2);
            assert!(end(&mut tx, "zjj", b, day("2026-11-23"), day("2026-11-25")).await.unwrap());
            assert!(end(&mut tx, "zjj", b, day("2026-12-10"), day("2026-11-25")).await.unwrap());
            assert!(!end(&mut tx, "zjj", b, day("2026-12-10"), day("2026-11-25")).await.unwrap());
            assert!(units_of(&mut tx, b, day("2026-11-26")).await.unwrap().is_empty());
            assert_eq!(from(&mut tx, day("2026-11-25")).await.unwrap().len(), 1);
            tx.commit().await.unwrap();
        }
    }
}
