//! Units (承办单位): the routing table names them, administrators may rename or retire them.

use jiff::Timestamp;

use super::{StoreError, Tx};
use crate::{on_backend, row_struct};

row_struct! {
    /// A unit as stored.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct UnitRow {
        /// Short ASCII name, e.g. `zjj`.
        pub slug: String,
        /// Full name.
        pub name: String,
        /// Short name, e.g. 住建局.
        pub short_name: String,
        /// Kind as in the routing table.
        pub kind: String,
        /// Level as in the routing table.
        pub level: String,
        /// Slug of the unit above.
        pub parent: Option<String>,
        /// Path of supervision.
        pub supervise_path: Option<String>,
        /// Whether cases may be dispatched to it.
        pub active: bool,
    }
}

/// All units by slug.
///
/// # Errors
/// `Database`.
pub async fn list(tx: &mut Tx) -> Result<Vec<UnitRow>, StoreError> {
    const SQL: &str =
        "SELECT slug, name, short_name, kind, level, parent, supervise_path, active FROM units ORDER BY slug";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}

/// Inserts a unit or changes it.
///
/// # Errors
/// `Database`.
pub async fn upsert(tx: &mut Tx, unit: &UnitRow, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO units (slug, name, short_name, kind, level, parent, supervise_path, active, changed_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (slug) DO UPDATE SET name = excluded.name, \
        short_name = excluded.short_name, kind = excluded.kind, level = excluded.level, parent = excluded.parent, \
        supervise_path = excluded.supervise_path, active = excluded.active, changed_at = excluded.changed_at";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(unit.slug.as_str())
        .bind(unit.name.as_str())
        .bind(unit.short_name.as_str())
        .bind(unit.kind.as_str())
        .bind(unit.level.as_str())
        .bind(unit.parent.as_deref())
        .bind(unit.supervise_path.as_deref())
        .bind(unit.active)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}
