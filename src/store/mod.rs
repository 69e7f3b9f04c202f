//! The only place with SQL: one query text for SQLite and PostgreSQL.
//!
//! A use case takes a [`Tx`] from [`Db::write`], hands it to store functions and commits. Store functions take
//! `&mut Tx` and use [`on_backend!`](crate::on_backend). [`Db::read`] gives a `Tx` that does not write.
//!
//! Invariants:
//! * SQLite runs in WAL mode with `synchronous = FULL` and foreign keys on; all are read back at start.
//! * What is not committed is rolled back by **closing the connection**. sqlx's own transaction counter is not used:
//!   after a failed COMMIT it would let later commits succeed that only release a savepoint, and acknowledged
//!   messages would be lost.
//! * SQLite has one writing connection; writers queue for it in the process, so BEGIN IMMEDIATE does not wait.

pub mod attachments;
pub mod backup;
pub mod cases;
pub mod conversations;
pub mod deputies;
mod error;
pub mod idempotency;
pub mod instance;
pub mod message_links;
pub mod migrations;
pub mod model;
pub mod model_console;
pub mod model_proposals;
pub mod model_tasks;
pub mod notices;
pub mod officers;
pub mod outbox;
pub mod policy_versions;
pub mod promises;
pub mod relay;
mod rows;
pub mod rule_sets;
pub mod suggestions;
pub mod testing;
pub mod timers;
pub mod units;
pub mod upkeep;
pub mod wechat;
pub mod wechat_gone;
pub mod wechat_in;
pub mod wechat_oauth;
pub mod wechat_out;
pub mod wechat_scenes;
mod writer;

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

pub use error::StoreError;
use sqlx::{
    ConnectOptions, PgConnection, Postgres, Row, Sqlite, SqliteConnection,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous},
};

/// Pages in the write-ahead log (32 MiB) at which the writer moves them itself.
const WRITER_CHECKPOINTS_AT: &str = "8192";
/// Connections that read, on SQLite.
const READERS: u32 = 8;
/// The oldest SQLite without the WAL-reset corruption bug.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// Runs the same expression on either backend's native connection.
///
/// `on_backend!(tx, |conn| sqlx::query(SQL).bind(x).execute(conn).await?.rows_affected())`
#[macro_export]
macro_rules! on_backend {
    ($tx:expr, |$conn:ident| $body:expr) => {
        match $crate::store::Tx::backend($tx) {
            $crate::store::Backend::Sqlite($conn) => $body,
            $crate::store::Backend::Postgres($conn) => $body,
        }
    };
}

/// Declares a struct whose fields are columns of the same name, readable from either backend's rows.
#[macro_export]
macro_rules! row_struct {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $fvis:vis $field:ident : $type:ty),* $(,)? }) => {
        $(#[$meta])*
        $vis struct $name { $($(#[$fmeta])* $fvis $field: $type),* }

        impl<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> for $name {
            fn from_row(row: &'r sqlx::sqlite::SqliteRow) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: sqlx::Row::try_get(row, stringify!($field))?),* })
            }
        }

        impl<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> for $name {
            fn from_row(row: &'r sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: sqlx::Row::try_get(row, stringify!($field))?),* })
            }
        }
    };
}

/// The database: a cheap handle, cloned freely.
#[derive(Clone, Debug)]
pub enum Db {
    /// SQLite: one writer, several readers.
    Sqlite {
        /// The one writing connection.
        writer: writer::Writer,
        /// Connections that refuse to write.
        readers: SqlitePool,
        /// The one connection that moves the WAL into the file, so that the writer need not.
        checkpointer: SqlitePool,
        /// The database file.
        file: PathBuf,
        /// A sync failed: what the system holds of the file may differ from the disk, so nothing is written any more.
        broken: Arc<AtomicBool>,
    },
    /// PostgreSQL.
    Postgres {
        /// All connections.
        pool: PgPool,
    },
}

/// A native connection, borrowed from a [`Tx`].
pub enum Backend<'t> {
    /// SQLite's.
    Sqlite(&'t mut SqliteConnection),
    /// PostgreSQL's.
    Postgres(&'t mut PgConnection),
}

#[derive(Debug)]
enum Conn {
    Sqlite(writer::Writing),
    SqliteReader(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A transaction (from [`Db::write`]) or a reading connection (from [`Db::read`]).
///
/// Dropped without [`Tx::commit`], a transaction is rolled back and its connection closed.
#[derive(Debug)]
pub struct Tx {
    conn: Conn,
    open: bool,
    /// Set when the commit fails for good; see [`Db::is_broken`].
    broken: Option<Arc<AtomicBool>>,
    /// Histories begun and events added, for the total that is written with the commit.
    added: (i64, i64),
}

impl Tx {
    /// The native connection; use [`on_backend!`](crate::on_backend) instead of calling this.
    pub fn backend(&mut self) -> Backend<'_> {
        match &mut self.conn {
            Conn::Sqlite(conn) => Backend::Sqlite(conn),
            Conn::SqliteReader(conn) => Backend::Sqlite(conn),
            Conn::Postgres(conn) => Backend::Postgres(conn),
        }
    }

    /// Whether this is SQLite, for the few statements that cannot be shared.
    pub fn is_sqlite(&self) -> bool {
        matches!(self.conn, Conn::Sqlite(_) | Conn::SqliteReader(_))
    }

    /// Keeps that histories were begun and events added, for [`Tx::commit`].
    pub(crate) const fn note_history(&mut self, begun: i64, events: i64) {
        self.added.0 += begun;
        self.added.1 += events;
    }

    /// Writes the total of all histories. Everybody writes this one row, so it is the last thing that is written: nobody
    /// waits for another row while they hold it.
    async fn write_total(&mut self) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE audit_total SET cases = cases + $1, events = events + $2 WHERE n = 1";
        let (cases, events) = std::mem::take(&mut self.added);
        if events > 0 {
            on_backend!(self, |conn| sqlx::query(SQL).bind(cases).bind(events).execute(conn).await.map(|_| ()))?;
        }
        Ok(())
    }

    /// A reading connection to a file that is no gateway's.
    const fn reading(conn: PoolConnection<Sqlite>) -> Self {
        Self { conn: Conn::SqliteReader(conn), open: false, broken: None, added: (0, 0) }
    }

    /// Makes the transaction durable. On any error nothing may be acknowledged, and the connection is closed.
    ///
    /// # Errors
    /// `Database`: it is unknown whether the transaction was stored; a client's retry must be idempotent.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        if !self.open {
            return Ok(());
        }
        self.write_total().await?;
        match &mut self.conn {
            Conn::Sqlite(conn) => {
                if let Err(error) = sqlx::query("COMMIT").execute(&mut **conn).await {
                    let error = StoreError::from(error);
                    if error.is_fatal()
                        && let Some(broken) = &self.broken
                    {
                        broken.store(true, Relaxed);
                    }
                    return Err(error);
                }
            }
            Conn::SqliteReader(_) => {}
            // PostgreSQL answers COMMIT of an aborted transaction with success ("ROLLBACK"): SELECT 1 fails there.
            Conn::Postgres(conn) => {
                sqlx::raw_sql("SELECT 1; COMMIT").execute(&mut **conn).await?;
            }
        }
        self.open = false;
        Ok(())
    }

    /// Takes everything back and keeps the connection: for refusals that are no errors.
    ///
    /// # Errors
    /// `Database`; the connection is closed then.
    pub async fn rollback(mut self) -> Result<(), StoreError> {
        if self.open {
            on_backend!(&mut self, |conn| sqlx::query("ROLLBACK").execute(conn).await.map(|_| ()))?;
            self.open = false;
        }
        Ok(())
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.open {
            match &mut self.conn {
                Conn::Sqlite(conn) => conn.discard(),
                Conn::SqliteReader(_) => {}
                Conn::Postgres(conn) => conn.close_on_drop(),
            }
        }
    }
}

impl Db {
    /// Opens the database, checks its settings and makes the file if it is missing. Does not migrate.
    ///
    /// `url` is `sqlite://path` or `postgres://…`.
    ///
    /// # Errors
    /// `Url`, `File`, `Unsafe` (settings or version do not keep the durability promise), `Database`.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(url, None).await
    }

    /// The same with so many connections: those that read on SQLite, all of them on PostgreSQL.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn open_with(url: &str, connections: Option<u32>) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url).map_err(|error| StoreError::Url(error.to_string()))?;
            Self::open_sqlite(options, connections.unwrap_or(READERS)).await
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Url(error.to_string()))?;
            Self::open_postgres(options, connections.unwrap_or(16)).await
        } else {
            Err(StoreError::Url("expected sqlite://path or postgres://…".to_owned()))
        }
    }

    async fn open_sqlite(options: SqliteConnectOptions, readers: u32) -> Result<Self, StoreError> {
        let file = options.get_filename().to_path_buf();
        prepare_file(&file).map_err(|source| StoreError::File { path: file.display().to_string(), source })?;
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("temp_store", "memory")
            .pragma("cache_size", "-16384")
            // Only where nobody else does it in time: a page written often is moved once, not once per thousand.
            .pragma("wal_autocheckpoint", WRITER_CHECKPOINTS_AT)
            .log_slow_statements(tracing::log::LevelFilter::Off, Duration::from_secs(1));
        let pool = || SqlitePoolOptions::new().test_before_acquire(false).acquire_timeout(Duration::from_secs(10));
        let writer = writer::Writer::connect(options.clone()).await?;
        let checkpointer = pool().max_connections(1).max_lifetime(None).connect_lazy_with(options.clone());
        let readers =
            pool().max_connections(readers).max_lifetime(None).connect_lazy_with(options.pragma("query_only", "ON"));
        check_sqlite(&writer).await?;
        Ok(Self::Sqlite { writer, readers, checkpointer, file, broken: Arc::default() })
    }

    pub(crate) async fn open_postgres(options: PgConnectOptions, connections: u32) -> Result<Self, StoreError> {
        let options = options
            .application_name("zhitong")
            .options([("synchronous_commit", "on"), ("timezone", "UTC"), ("lock_timeout", "30s")])
            .log_slow_statements(tracing::log::LevelFilter::Off, Duration::from_secs(1));
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await?;
        let row = sqlx::query("SELECT current_setting('server_version_num'), current_setting('fsync')")
            .fetch_one(&pool)
            .await?;
        let (version, fsync): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if version.parse::<u32>().unwrap_or(0) < 130_000 {
            return Err(StoreError::Unsafe(format!("PostgreSQL 13 or newer is needed, found {version}")));
        }
        if fsync != "on" {
            tracing::warn!("the PostgreSQL server runs with fsync off: a power failure loses acknowledged messages");
        }
        Ok(Self::Postgres { pool })
    }

    /// Begins a transaction that may write (BEGIN IMMEDIATE on SQLite). Await nothing but the store until the commit.
    ///
    /// # Errors
    /// `Database`.
    pub async fn write(&self) -> Result<Tx, StoreError> {
        match self {
            Self::Sqlite { writer, broken, .. } => {
                let conn = writer.acquire().await?;
                if broken.load(Relaxed) {
                    return Err(StoreError::Unsafe("a sync of the database file failed".to_owned()));
                }
                let mut tx = Tx { conn: Conn::Sqlite(conn), open: true, broken: Some(broken.clone()), added: (0, 0) };
                on_backend!(&mut tx, |conn| sqlx::query("BEGIN IMMEDIATE").execute(conn).await.map(|_| ()))?;
                Ok(tx)
            }
            Self::Postgres { pool } => {
                let conn = pool.acquire().await?;
                let mut tx = Tx { conn: Conn::Postgres(conn), open: true, broken: None, added: (0, 0) };
                on_backend!(&mut tx, |conn| sqlx::query("BEGIN").execute(conn).await.map(|_| ()))?;
                Ok(tx)
            }
        }
    }

    /// Takes a reading connection: statements see what is committed; on SQLite writing through it fails.
    ///
    /// # Errors
    /// `Database`.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        let conn = match self {
            Self::Sqlite { readers, .. } => Conn::SqliteReader(readers.acquire().await?),
            Self::Postgres { pool } => Conn::Postgres(pool.acquire().await?),
        };
        Ok(Tx { conn, open: false, broken: None, added: (0, 0) })
    }

    /// Brings the schema up to date; returns the names of the migrations that ran.
    ///
    /// # Errors
    /// `Migration`, `Database`.
    pub async fn migrate(&self, now: jiff::Timestamp) -> Result<Vec<String>, StoreError> {
        let ran = migrations::run(self, now).await?;
        let cases = cases::search::catch_up(self).await?;
        if cases > 0 {
            tracing::info!(cases, "the search index was completed");
        }
        Ok(ran)
    }

    /// The database file, if this is SQLite.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite { file, .. } => Some(file),
            Self::Postgres { .. } => None,
        }
    }

    /// Moves what the write-ahead log holds into the file (SQLite; nothing to do on PostgreSQL). Writers are not held
    /// up, unless `truncate` is set: then they wait until the log is empty.
    ///
    /// # Errors
    /// `Database`.
    pub async fn checkpoint(&self, truncate: bool) -> Result<(), StoreError> {
        let Self::Sqlite { checkpointer, broken, .. } = self else { return Ok(()) };
        let mut conn = checkpointer.acquire().await?;
        let sql = if truncate { "PRAGMA wal_checkpoint(TRUNCATE)" } else { "PRAGMA wal_checkpoint(PASSIVE)" };
        if let Err(error) = sqlx::query(sql).fetch_optional(&mut *conn).await {
            let error = StoreError::from(error);
            if error.is_fatal() {
                broken.store(true, Relaxed);
            }
            return Err(error);
        }
        Ok(())
    }

    /// Whether a sync failed in this process. It must not be tried again here, because its pages count as clean
    /// afterwards: [`Db::write`] refuses, and only a fresh process may go on.
    pub fn is_broken(&self) -> bool {
        match self {
            Self::Sqlite { broken, .. } => broken.load(Relaxed),
            Self::Postgres { .. } => false,
        }
    }

    /// Bytes of the write-ahead log; 0 on PostgreSQL.
    pub fn wal_bytes(&self) -> u64 {
        let Some(file) = self.file() else { return 0 };
        let mut wal = file.as_os_str().to_owned();
        wal.push("-wal");
        std::fs::metadata(wal).map_or(0, |wal| wal.len())
    }

    /// Closes all connections after their work.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, checkpointer, .. } => {
                readers.close().await;
                checkpointer.close().await;
                writer.close().await;
            }
            Self::Postgres { pool } => pool.close().await,
        }
    }
}

/// Makes the folder and the file with modes 0700 and 0600, and tightens the mode of a file that is there.
fn prepare_file(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))
        }
        Err(error) => Err(error),
    }
}

/// Reads the settings back: a promise of durability that was not taken up is refused here.
async fn check_sqlite(writer: &writer::Writer) -> Result<(), StoreError> {
    let mut conn = writer.acquire().await?;
    let version: String = sqlx::query("SELECT sqlite_version()").fetch_one(&mut *conn).await?.try_get(0)?;
    if parse_version(&version) < OLDEST_SQLITE {
        return Err(StoreError::Unsafe(format!("SQLite {version} is older than 3.51.3 (WAL-reset corruption bug)")));
    }
    let journal: String = sqlx::query("PRAGMA journal_mode").fetch_one(&mut *conn).await?.try_get(0)?;
    let synchronous: i64 = sqlx::query("PRAGMA synchronous").fetch_one(&mut *conn).await?.try_get(0)?;
    let foreign_keys: i64 = sqlx::query("PRAGMA foreign_keys").fetch_one(&mut *conn).await?.try_get(0)?;
    if journal != "wal" || synchronous != 2 || foreign_keys != 1 {
        return Err(StoreError::Unsafe(format!(
            "journal_mode {journal}, synchronous {synchronous}, foreign_keys {foreign_keys}; expected wal, 2, 1"
        )));
    }
    Ok(())
}

fn parse_version(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(parse_version("3.51.10") > OLDEST_SQLITE);
        assert!(parse_version("3.46.0") < OLDEST_SQLITE);
        assert_eq!(parse_version("3.51.3"), OLDEST_SQLITE);
    }

    #[tokio::test]
    async fn the_number_of_connections_is_the_one_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("n.db").display());
        for (asked, had) in [(Some(3), 3), (None, READERS)] {
            let Db::Sqlite { readers, .. } = Db::open_with(&url, asked).await.unwrap() else {
                panic!("a file is SQLite");
            };
            assert_eq!(readers.options().get_max_connections(), had);
        }
    }

    #[tokio::test]
    async fn the_log_is_moved_into_the_file_and_emptied() {
        for test in [Some(testing::sqlite().await), testing::postgres().await].into_iter().flatten() {
            let db = &test.db;
            for n in 0..64_i64 {
                let mut tx = db.write().await.unwrap();
                let sql = "INSERT INTO instance (key, value) VALUES ($1, $2)";
                on_backend!(&mut tx, |conn| sqlx::query(sql)
                    .bind(format!("log-{n}"))
                    .bind("长".repeat(20_000))
                    .execute(conn)
                    .await
                    .map(|_| ()))
                .unwrap();
                tx.commit().await.unwrap();
            }
            let sqlite = db.file().is_some();
            assert_eq!(db.wal_bytes() > 1024 * 1024, sqlite);
            db.checkpoint(false).await.unwrap();
            assert_eq!(db.wal_bytes() > 0, sqlite, "without truncation the log keeps its length");
            db.checkpoint(true).await.unwrap();
            assert_eq!(db.wal_bytes(), 0);
            test.finish().await;
        }
    }

    crate::store_test! {
        async fn a_dropped_transaction_leaves_nothing(db: Db) {
            for committed in [false, true] {
                let mut tx = db.write().await.unwrap();
                on_backend!(&mut tx, |conn| sqlx::query("CREATE TABLE scratch (id TEXT PRIMARY KEY, n BIGINT)")
                    .execute(conn).await.unwrap().rows_affected());
                if committed { tx.commit().await.unwrap() } else { drop(tx) }
            }
            let mut tx = db.write().await.unwrap();
            let sql = "INSERT INTO scratch SELECT value ->> 'id', CAST(value ->> 'n' AS BIGINT) FROM json_each($1)";
            let json = r#"[{"id":"甲","n":1},{"id":"乙","n":2}]"#;
            let n = on_backend!(&mut tx, |conn| sqlx::query(sql).bind(json).execute(conn).await.unwrap().rows_affected());
            assert_eq!(n, 2);
            tx.commit().await.unwrap();
            let mut tx = db.write().await.unwrap();
            let sql = "INSERT INTO scratch VALUES ($1, $2)";
            let error: StoreError = on_backend!(&mut tx, |conn| sqlx::query(sql).bind("甲").bind(3_i64)
                .execute(conn).await.unwrap_err()).into();
            assert!(error.is_unique_violation());
            if !tx.is_sqlite() {
                tx.commit().await.expect_err("an aborted transaction must not seem committed");
            }
            let mut tx = db.read().await.unwrap();
            let sum = on_backend!(&mut tx, |conn| sqlx::query_as::<_, (i64,)>("SELECT CAST(SUM(n) AS BIGINT) FROM scratch")
                .fetch_one(conn).await.unwrap().0);
            assert_eq!(sum, 3);
        }
    }
}
