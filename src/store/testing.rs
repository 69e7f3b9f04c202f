//! Databases for tests: SQLite in a temporary file, PostgreSQL in a schema of its own.
//!
//! Not used by the program. It is no `cfg(test)` module because the integration tests need it too.

use std::{path::PathBuf, str::FromStr};

use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use super::Db;

/// A migrated database that lives as long as the test.
pub struct TestDb {
    /// The database.
    pub db: Db,
    /// The address under which another process can open it.
    pub url: String,
    folder: Option<PathBuf>,
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // The file may be open still; unlinking it is enough.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// A fresh SQLite database in a temporary folder.
///
/// # Panics
/// If it cannot be made.
pub async fn sqlite() -> TestDb {
    let folder =
        std::env::temp_dir().join(format!("zhitong-test-{}", Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext))));
    let url = format!("sqlite://{}/zhitong.db", folder.display());
    let db = Db::open(&url).await.expect("a temporary SQLite database opens");
    db.migrate(jiff::Timestamp::UNIX_EPOCH).await.expect("migrations run on SQLite");
    TestDb { db, url, folder: Some(folder) }
}

/// A fresh schema on the PostgreSQL server of `ZHITONG_TEST_POSTGRES` (default: the local server's `test` database).
/// `None` when no server answers, except in CI, where that is a failure.
///
/// # Panics
/// If the schema cannot be made, or in CI without a server.
pub async fn postgres() -> Option<TestDb> {
    let url = variable("ZHITONG_TEST_POSTGRES").unwrap_or_else(|| "postgres://postgres@127.0.0.1:5432/test".to_owned());
    let options = PgConnectOptions::from_str(&url).expect("ZHITONG_TEST_POSTGRES is a postgres:// address");
    let admin = match Db::open_postgres(options.clone(), 1).await {
        Ok(admin) => admin,
        Err(error) if variable("CI").is_some() => panic!("CI needs a PostgreSQL server at {url}: {error:?}"),
        Err(_) => return None,
    };
    let schema = format!("t{}", Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)).simple());
    let mut tx = admin.write().await.expect("a transaction begins");
    let sql = sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    crate::on_backend!(&mut tx, |conn| sqlx::query(sql).execute(conn).await.map(|_| ())).expect("a schema is made");
    tx.commit().await.expect("a schema is made");
    admin.close().await;
    let db = Db::open_postgres(options.options([("search_path", schema.as_str())]), 6).await.expect("the schema opens");
    db.migrate(jiff::Timestamp::UNIX_EPOCH).await.expect("migrations run on PostgreSQL");
    let separator = if url.contains('?') { '&' } else { '?' };
    Some(TestDb { db, url: format!("{url}{separator}options=-c%20search_path%3D{schema}"), folder: None })
}

impl TestDb {
    /// Removes what the test made; a test that panics leaves its schema behind.
    pub async fn finish(self) {
        if let Db::Postgres { pool } = &self.db {
            let _ = sqlx::raw_sql(
                "DO $$ BEGIN EXECUTE 'DROP SCHEMA ' || quote_ident(current_schema()) || ' CASCADE'; END $$",
            )
            .execute(pool)
            .await;
        }
        self.db.close().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "tests find their server by an environment variable")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Declares a test that runs on SQLite and on PostgreSQL.
///
/// ```text
/// store_test! { async fn a_name_that_states_a_fact(db: Db) { … } }
/// ```
#[macro_export]
macro_rules! store_test {
    ($(#[$meta:meta])* async fn $name:ident($db:ident : Db) $body:block) => {
        mod $name {
            use super::*;

            async fn body($db: $crate::store::Db) $body

            $(#[$meta])*
            #[tokio::test]
            async fn sqlite() {
                let test = $crate::store::testing::sqlite().await;
                body(test.db.clone()).await;
                test.finish().await;
            }

            $(#[$meta])*
            #[tokio::test]
            async fn postgres() {
                if let Some(test) = $crate::store::testing::postgres().await {
                    body(test.db.clone()).await;
                    test.finish().await;
                }
            }
        }
    };
}
