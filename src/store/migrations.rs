//! The migrations runner: numbered SQL files, run in order, each recorded with its checksum.
//!
//! `migrations/NNNN_name.sql` is one text for both databases; a statement that cannot be shared lives under
//! `migrations/sqlite/` or `migrations/postgres/` in the same number order. Released files are append-only.

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

use super::{Db, StoreError, Tx};
use crate::on_backend;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/src/store/migrations");

/// One migration that belongs to a backend.
#[derive(Debug, Clone, Copy)]
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// The migrations of a backend, in order.
fn list(backend: &'static str) -> Result<Vec<Migration>, StoreError> {
    let own = FILES.get_dir(backend).into_iter().flat_map(Dir::files);
    let mut all = Vec::new();
    for file in FILES.files().chain(own) {
        let Some(name) = file.path().file_stem().and_then(|stem| stem.to_str()) else { continue };
        if file.path().extension().is_none_or(|extension| extension != "sql") {
            continue;
        }
        let bad = |problem: &str| StoreError::Migration { name: name.to_owned(), problem: problem.to_owned() };
        let number = name.split('_').next().unwrap_or_default();
        let version = number.parse().map_err(|_| bad("the name must begin with its number"))?;
        let sql = file.contents_utf8().ok_or_else(|| bad("not UTF-8"))?;
        all.push(Migration { version, name, sql });
    }
    all.sort_by_key(|migration| migration.version);
    if let Some(pair) = all.windows(2).find(|pair| pair[0].version == pair[1].version) {
        return Err(StoreError::Migration { name: pair[1].name.to_owned(), problem: "number used twice".to_owned() });
    }
    Ok(all)
}

fn checksum(sql: &str) -> String {
    hex::encode(Sha256::digest(sql.as_bytes()))
}

/// Runs what is missing in one transaction: all or nothing.
pub(super) async fn run(db: &Db, now: jiff::Timestamp) -> Result<Vec<String>, StoreError> {
    const SQL: &str = "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";
    let mut tx = db.write().await?;
    if !tx.is_sqlite() {
        // Two gateways that start at once: the second waits here.
        on_backend!(&mut tx, |conn| sqlx::raw_sql("SELECT pg_advisory_xact_lock(722004, hashtext(current_schema()))")
            .execute(conn)
            .await
            .map(|_| ()))?;
    }
    let table = "CREATE TABLE IF NOT EXISTS schema_migrations \
        (version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";
    on_backend!(&mut tx, |conn| sqlx::query(table).execute(conn).await.map(|_| ()))?;
    let applied = applied(&mut tx).await?;
    let mut ran = Vec::new();
    for migration in list(if tx.is_sqlite() { "sqlite" } else { "postgres" })? {
        let sum = checksum(migration.sql);
        let problem = |problem: String| StoreError::Migration { name: migration.name.to_owned(), problem };
        match applied.iter().find(|(version, _, _)| *version == migration.version) {
            Some((_, _, known)) if *known == sum => {}
            Some(_) => return Err(problem("was changed after it had been applied".to_owned())),
            None => {
                on_backend!(&mut tx, |conn| sqlx::raw_sql(migration.sql).execute(conn).await.map(|_| ()))
                    .map_err(|error| problem(error.to_string()))?;
                on_backend!(&mut tx, |conn| sqlx::query(SQL)
                    .bind(migration.version)
                    .bind(migration.name)
                    .bind(sum.as_str())
                    .bind(now.as_millisecond())
                    .execute(conn)
                    .await
                    .map(|_| ()))?;
                ran.push(migration.name.to_owned());
            }
        }
    }
    tx.commit().await?;
    Ok(ran)
}

async fn applied(tx: &mut Tx) -> Result<Vec<(i64, String, String)>, StoreError> {
    const SQL: &str = "SELECT version, name, checksum FROM schema_migrations ORDER BY version";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}

/// Numbers of the migrations that this program knows, in order.
///
/// # Errors
/// `Migration`.
pub(super) fn versions(backend: &'static str) -> Result<Vec<i64>, StoreError> {
    Ok(list(backend)?.into_iter().map(|migration| migration.version).collect())
}

/// Names of the migrations that this program knows and the database has not seen.
///
/// # Errors
/// `Migration`, `Database` (also when the database was never migrated).
pub async fn pending(db: &Db) -> Result<Vec<String>, StoreError> {
    let mut tx = db.read().await?;
    let known = list(if tx.is_sqlite() { "sqlite" } else { "postgres" })?;
    let applied = applied(&mut tx).await?;
    Ok(known
        .into_iter()
        .filter(|migration| !applied.iter().any(|(version, ..)| *version == migration.version))
        .map(|migration| migration.name.to_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_and_in_order() {
        for backend in ["sqlite", "postgres"] {
            let list = list(backend).unwrap();
            assert!(list.is_sorted_by_key(|migration| migration.version), "{backend}");
        }
    }

    crate::store_test! {
        async fn migrating_twice_does_nothing(db: Db) {
            assert!(db.migrate(jiff::Timestamp::UNIX_EPOCH).await.unwrap().is_empty());
            assert!(pending(&db).await.unwrap().is_empty());
        }
    }
}
