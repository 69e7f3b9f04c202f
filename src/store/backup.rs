//! Backup, restore and verification of the whole database.
//!
//! SQLite is copied hot with `VACUUM INTO`: one consistent file, while the gateway goes on serving, with its SHA-256 in a
//! line behind the last page. PostgreSQL is
//! dumped as JSON lines from one repeatable-read snapshot: a header, every row of every table of ours, and a trailer
//! with the counts and a SHA-256, so that a dump that was cut off is noticed. A dump is no replacement for
//! `pg_basebackup` and WAL archiving where those are in use; it is what a county without a DBA can keep.

mod dump;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    str::FromStr,
};

use dump::{check_dump, dump, load};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::{
    ConnectOptions, Connection, PgConnection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};

use super::{Db, StoreError, Tx, cases, migrations};

/// Why a backup, a restore or a check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file could not be read or written.
    #[error("file {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The target exists; nothing is overwritten.
    #[error("{0} exists already")]
    Exists(String),
    /// The file is no backup, or a damaged one.
    #[error("{path} is no usable backup: {problem}")]
    Damaged {
        /// Which.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// Somebody has the database open.
    #[error("the database is in use; stop the gateway first")]
    InUse,
    /// The database holds data and nobody said that it may be replaced.
    #[error("the database is not empty")]
    NotEmpty,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.display().to_string();
    move |source| BackupError::File { path, source }
}

/// A finished backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Cases in it.
    pub cases: i64,
}

/// Writes a backup to a new file and checks it.
///
/// # Errors
/// `Exists`, `File`, `Damaged` (the copy did not pass its check), `Store`.
pub async fn backup(db: &Db, target: &Path, now: Timestamp) -> Result<Backup, BackupError> {
    if target.exists() {
        return Err(BackupError::Exists(target.display().to_string()));
    }
    if let Some(folder) = target.parent().filter(|f| !f.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(file_error(folder))?;
    }
    let cases = match db {
        Db::Sqlite { writer, .. } => {
            let mut conn = writer.acquire().await?;
            let path = target.display().to_string();
            sqlx::query("VACUUM INTO $1").bind(&path).execute(&mut *conn).await?;
            drop(conn);
            keep_private(target)?;
            seal(target)?;
            // A broken history is no reason to have no backup.
            check_sqlite_file(target, false).await?
        }
        Db::Postgres { pool } => {
            let mut conn = pool.acquire().await?;
            dump(&mut conn, target, now).await?
        }
    };
    let bytes = fs::metadata(target).map_err(file_error(target))?.len();
    Ok(Backup { file: target.to_path_buf(), bytes, cases })
}

fn keep_private(path: &Path) -> Result<(), BackupError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(file_error(path))
}

fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|f| f.sync_all()).map_err(file_error(path))
}

/// How the line begins that a backup of SQLite carries behind its last page: SQLite does not look there.
const SEAL: &[u8] = b"\nzhitong-backup sha256 ";
/// Length of that line: its beginning, the hash in hexadecimal digits, the end of the line.
const SEAL_BYTES: u64 = SEAL.len() as u64 + 64 + 1;

/// The hash of the first bytes of a file.
fn hash_of(path: &Path, bytes: u64) -> Result<String, BackupError> {
    use std::io::Read as _;
    let mut hash = Sha256::new();
    let mut file = File::open(path).map_err(file_error(path))?.take(bytes);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(file_error(path))? {
            0 => return Ok(hex::encode(hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Writes the hash of a SQLite file behind it.
fn seal(path: &Path) -> Result<(), BackupError> {
    use std::io::Write as _;
    let bytes = fs::metadata(path).map_err(file_error(path))?.len();
    let hash = hash_of(path, bytes)?;
    let mut file = File::options().append(true).open(path).map_err(file_error(path))?;
    file.write_all(SEAL)
        .and_then(|()| file.write_all(hash.as_bytes()))
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(file_error(path))
}

/// The hash that a SQLite backup carries, and how many bytes before it are the database; `None` for one that was made
/// before backups carried any.
fn seal_of(path: &Path) -> Result<Option<(String, u64)>, BackupError> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = File::open(path).map_err(file_error(path))?;
    let bytes = file.metadata().map_err(file_error(path))?.len();
    let Some(body) = bytes.checked_sub(SEAL_BYTES) else { return Ok(None) };
    let mut line = Vec::new();
    file.seek(SeekFrom::Start(body)).and_then(|_| file.read_to_end(&mut line)).map_err(file_error(path))?;
    let hash = line.strip_prefix(SEAL).and_then(|rest| rest.strip_suffix(b"\n"));
    Ok(hash.map(|hash| (String::from_utf8_lossy(hash).into_owned(), body)))
}

/// Whether a backup carries a hash; dumps of PostgreSQL always do.
///
/// # Errors
/// `File`.
pub fn is_sealed(path: &Path) -> Result<bool, BackupError> {
    Ok(seal_of(path)?.is_some())
}

/// Opens a SQLite file that nobody else uses, read-only, and checks all of it: its hash where it carries one, its
/// structure and, if wanted, the histories. Gives the number of cases.
async fn check_sqlite_file(path: &Path, histories: bool) -> Result<i64, BackupError> {
    let damaged = |problem: String| BackupError::Damaged { path: path.display().to_string(), problem };
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if fs::metadata(&log).is_ok_and(|meta| meta.len() > 0) {
        return Err(damaged(
            "a -wal file lies beside it: it was copied from a running database, not backed up".to_owned(),
        ));
    }
    if let Some((hash, bytes)) = seal_of(path)?
        && hash != hash_of(path, bytes)?
    {
        return Err(damaged("its content does not fit its hash".to_owned()));
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
    let pool = pool.map_err(|error| damaged(error.to_string()))?;
    let mut conn = pool.acquire().await.map_err(|error| damaged(error.to_string()))?;
    let findings: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check")
        .fetch_all(&mut *conn)
        .await
        .map_err(|error| damaged(error.to_string()))?;
    if findings.len() != 1 || findings[0].0 != "ok" {
        return Err(damaged(findings.into_iter().map(|(line,)| line).collect::<Vec<_>>().join("; ")));
    }
    let versions: Vec<(i64,)> = sqlx::query_as("SELECT version FROM schema_migrations")
        .fetch_all(&mut *conn)
        .await
        .map_err(|_| damaged("it holds no Zhitong database".to_owned()))?;
    newer(path, versions.iter().map(|(v,)| *v), "sqlite")?;
    let (cases,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM cases").fetch_one(&mut *conn).await?;
    if histories {
        let heads = versions.iter().any(|(version,)| *version == HEADS_SINCE);
        let mut tx = Tx::reading(conn);
        let mut found = Verification::default();
        check_totals(&mut tx, heads, &mut found).await?;
        let mut after = String::new();
        loop {
            let ids = cases::ids_after(&mut tx, &after, 200).await?;
            let Some(last) = ids.last() else { break };
            after.clone_from(last);
            for id in ids {
                if let Some(seq) = cases::events::first_break(&mut tx, &id, heads).await? {
                    found.broken.push((id, seq));
                }
            }
        }
        if let Some((case, seq)) = found.broken.first() {
            return Err(damaged(format!("the history of case {case} is broken at event {seq}")));
        }
        if let Some(line) = found.damage.pop() {
            return Err(damaged(line));
        }
        drop(tx);
    } else {
        drop(conn);
    }
    pool.close().await;
    Ok(cases)
}

/// The migration since which it is kept what the histories must end with.
const HEADS_SINCE: i64 = 660;

/// Whether all histories that were written are there.
async fn check_totals(tx: &mut Tx, heads: bool, found: &mut Verification) -> Result<(), StoreError> {
    if !heads {
        return Ok(());
    }
    let [written, there] = cases::events::totals(tx).await?.unwrap_or([(-1, -1), (0, 0)]);
    if written != there {
        found.damage.push(format!(
            "{} events of {} cases were written to the audit trail, {} of {} are left",
            written.1, written.0, there.1, there.0
        ));
    }
    Ok(())
}

/// A backup of a newer version would be read wrongly.
fn newer(path: &Path, versions: impl Iterator<Item = i64>, backend: &'static str) -> Result<(), BackupError> {
    let known: BTreeSet<i64> = migrations::versions(backend)?.into_iter().collect();
    match versions.filter(|v| !known.contains(v)).max() {
        None => Ok(()),
        Some(version) => Err(BackupError::Damaged {
            path: path.display().to_string(),
            problem: format!("it was made by a newer version (migration {version})"),
        }),
    }
}

/// Puts a backup in the place of the database at `url`. What was there is kept beside it (SQLite) or must be allowed
/// to go by `replace` (PostgreSQL). Gives the path of what was kept.
///
/// # Errors
/// `Damaged`, `InUse`, `NotEmpty`, `File`, `Store`.
pub async fn restore(url: &str, source: &Path, replace: bool, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
    if url.starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(url).map_err(|error| StoreError::Url(error.to_string()))?;
        restore_sqlite(options.get_filename(), source, replace, now).await
    } else {
        let db = Db::open(url).await?;
        db.migrate(now).await?;
        let Db::Postgres { pool } = &db else { return Err(StoreError::Url(url.to_owned()).into()) };
        let mut conn = pool.acquire().await?;
        let result = match alone(&mut conn).await {
            Ok(()) => load(&mut conn, source, replace).await,
            Err(error) => Err(error),
        };
        drop(conn);
        db.close().await;
        result.map(|()| None)
    }
}

/// Keeps gateways off the database while this connection lasts; every one of them holds a share of this lock
/// ([`super::relay`]).
async fn alone(conn: &mut PgConnection) -> Result<(), BackupError> {
    const SQL: &str = "SELECT pg_try_advisory_lock($1, hashtext(current_schema()))";
    let (alone,): (bool,) = sqlx::query_as(SQL).bind(super::relay::LIVE).fetch_one(conn).await?;
    if alone { Ok(()) } else { Err(BackupError::InUse) }
}

async fn restore_sqlite(
    target: &Path,
    source: &Path,
    replace: bool,
    now: Timestamp,
) -> Result<Option<PathBuf>, BackupError> {
    check_sqlite_file(source, true).await?;
    let mut kept = None;
    if target.exists() {
        leave_wal(target).await?;
        if !replace {
            let mut conn = SqliteConnectOptions::new().filename(target).read_only(true).connect().await?;
            let cases: Result<(i64,), _> = sqlx::query_as("SELECT COUNT(*) FROM cases").fetch_one(&mut conn).await;
            conn.close().await?;
            if cases.is_ok_and(|(n,)| n > 0) {
                return Err(BackupError::NotEmpty);
            }
        }
        let aside = target.with_extension(format!("before-restore-{}.db", now.as_second()));
        fs::rename(target, &aside).map_err(file_error(target))?;
        kept = Some(aside);
    }
    if let Some(folder) = target.parent().filter(|f| !f.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(file_error(folder))?;
    }
    let half = target.with_extension("restoring");
    fs::copy(source, &half).map_err(file_error(&half))?;
    keep_private(&half)?;
    if let Some((_, bytes)) = seal_of(&half)? {
        File::options().write(true).open(&half).and_then(|file| file.set_len(bytes)).map_err(file_error(&half))?;
    }
    sync(&half)?;
    for left in ["-wal", "-shm"] {
        let mut path = target.as_os_str().to_owned();
        path.push(left);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(file_error(Path::new(&path))(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    fs::rename(&half, target).map_err(file_error(target))?;
    if let Some(folder) = target.parent().filter(|f| !f.as_os_str().is_empty()) {
        sync(folder)?;
    }
    Ok(kept)
}

/// Moves the log into the main file and leaves WAL mode, which SQLite refuses while anybody else is connected.
async fn leave_wal(target: &Path) -> Result<(), BackupError> {
    let options = SqliteConnectOptions::new()
        .filename(target)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(std::time::Duration::from_millis(500));
    let mut conn: SqliteConnection = options.connect().await?;
    let mode: Result<(String,), _> = sqlx::query_as("PRAGMA journal_mode = DELETE").fetch_one(&mut conn).await;
    conn.close().await?;
    match mode {
        Ok((mode,)) if mode == "delete" => Ok(()),
        Ok(_) | Err(_) => Err(BackupError::InUse),
    }
}

impl Db {
    /// What the database says about its version and its settings for durability, read back and not assumed.
    ///
    /// # Errors
    /// `Database`.
    pub async fn facts(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite { writer, file, .. } => {
                let mut conn = writer.acquire().await?;
                let (version, journal): (String, String) =
                    sqlx::query_as("SELECT sqlite_version(), (SELECT journal_mode FROM pragma_journal_mode)")
                        .fetch_one(&mut *conn)
                        .await?;
                let (synchronous,): (i64,) = sqlx::query_as("PRAGMA synchronous").fetch_one(&mut *conn).await?;
                let synchronous = if synchronous == 2 { "FULL".to_owned() } else { synchronous.to_string() };
                let bytes = fs::metadata(file).map_or(0, |meta| meta.len());
                Ok(vec![
                    format!("SQLite {version}"),
                    format!("journal_mode={journal}"),
                    format!("synchronous={synchronous}"),
                    format!("{} MiB", bytes / 1_048_576),
                ])
            }
            Self::Postgres { pool } => {
                let row = sqlx::query(
                    "SELECT current_setting('server_version'), current_setting('synchronous_commit'), current_setting('fsync')",
                )
                .fetch_one(pool)
                .await?;
                let (version, commit, fsync): (String, String, String) =
                    (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
                Ok(vec![
                    format!("PostgreSQL {version}"),
                    format!("synchronous_commit={commit}"),
                    format!("fsync={fsync}"),
                ])
            }
        }
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verification {
    /// Cases whose history was checked.
    pub cases: usize,
    /// Damage of the file or of references between tables, as the database tells it.
    pub damage: Vec<String>,
    /// Migrations that have not run.
    pub pending: Vec<String>,
    /// Cases whose chain of events is broken, with the number of the first event that does not fit.
    pub broken: Vec<(String, i64)>,
    /// Archived cases whose package is not the one that their history names, with the number of that event.
    pub packages: Vec<(String, i64)>,
}

impl Verification {
    /// Whether everything is as it should be.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.pending.is_empty() && self.broken.is_empty() && self.packages.is_empty()
    }
}

/// Packages of archived cases against the hash that the history names.
async fn check_packages(db: &Db, found: &mut Verification) -> Result<(), BackupError> {
    if !found.pending.is_empty() {
        return Ok(());
    }
    let mut after = (String::new(), 0);
    loop {
        let mut tx = db.read().await?;
        let (last, bad) = cases::packages::check_after(&mut tx, &after, 100).await?;
        found.packages.extend(bad);
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// Checks the whole database: the file, references, the schema, the hash chain of every case's history, and the
/// packages of archived cases.
///
/// # Errors
/// `Store`.
pub async fn verify(db: &Db) -> Result<Verification, BackupError> {
    let mut found = Verification { pending: migrations::pending(db).await?, ..Verification::default() };
    if let Db::Sqlite { readers, .. } = db {
        let mut conn = readers.acquire().await?;
        let lines: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check").fetch_all(&mut *conn).await?;
        found.damage.extend(lines.into_iter().map(|(line,)| line).filter(|line| line != "ok"));
        let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut *conn).await?;
        for row in dangling {
            let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(2)?);
            found.damage.push(format!("a row of {table} refers to a missing row of {parent}"));
        }
    }
    check_packages(db, &mut found).await?;
    let heads = found.pending.is_empty();
    let mut tx = db.read().await?;
    check_totals(&mut tx, heads, &mut found).await?;
    drop(tx);
    let mut after = String::new();
    loop {
        // A connection per page: an open reader would pin the log.
        let mut tx = db.read().await?;
        let ids = cases::ids_after(&mut tx, &after, 200).await?;
        let Some(last) = ids.last() else { return Ok(found) };
        after.clone_from(last);
        for id in ids {
            let mut broken = cases::events::first_break(&mut tx, &id, heads).await?;
            // While the gateway serves, the case may have moved on between its events and its head.
            for _ in 0..3 {
                if broken.is_some() {
                    broken = cases::events::first_break(&mut tx, &id, heads).await?;
                }
            }
            found.broken.extend(broken.map(|seq| (id, seq)));
            found.cases += 1;
        }
    }
}

/// Checks a backup file without touching any database. Gives the number of cases for SQLite files.
///
/// # Errors
/// `Damaged`, `File`, `Store`.
pub async fn verify_file(path: &Path) -> Result<Option<i64>, BackupError> {
    let mut head = [0_u8; 15];
    let is_sqlite = {
        use std::io::Read;
        let mut file = File::open(path).map_err(file_error(path))?;
        file.read_exact(&mut head).is_ok() && &head == b"SQLite format 3"
    };
    if is_sqlite { check_sqlite_file(path, true).await.map(Some) } else { check_dump(path).map(|_| None) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{on_backend, store::testing};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    async fn fill(db: &Db, sound: bool) {
        const CASE: &str = "INSERT INTO cases (id, number, query_code, version, status, round, case_type, urgency, \
            channel, region, title, enterprise, policy, sealed, confidential, open, sort_due, labels, search, \
            original_words, detail, submitted_at, entered_at, changed_at) VALUES ($1, $1, '', 1, 'submitted', 0, '', '', \
            '', '', '“引号”与换行\n', '', '', FALSE, TRUE, TRUE, 7, '', '', '{\"table\":\"cases\"}', '{}', 1, 2, 3)";
        const EVENT: &str = "INSERT INTO case_events (case_id, seq, kind, actor_kind, from_status, to_status, facts, at, \
            prev_hash, hash) VALUES ($1, 1, 'case_submitted', 'enterprise', 'draft', 'submitted', '[]', 1, '', 'wrong')";
        let mut tx = db.write().await.unwrap();
        for id in ["a", "b"] {
            on_backend!(&mut tx, |conn| sqlx::query(CASE).bind(id).execute(conn).await.map(|_| ())).unwrap();
        }
        if !sound {
            on_backend!(&mut tx, |conn| sqlx::query(EVENT).bind("b").execute(conn).await.map(|_| ())).unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn titles(db: &Db) -> Vec<(String, String, bool)> {
        const SQL: &str = "SELECT title, original_words, confidential FROM cases ORDER BY id";
        let mut tx = db.read().await.unwrap();
        on_backend!(&mut tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await.unwrap())
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    crate::store_test! {
        async fn a_broken_history_is_found(db: Db) {
            fill(&db, true).await;
            assert!(verify(&db).await.unwrap().is_sound());
            let mut tx = db.write().await.unwrap();
            on_backend!(&mut tx, |conn| sqlx::query("DELETE FROM cases").execute(conn).await.map(|_| ())).unwrap();
            tx.commit().await.unwrap();
            fill(&db, false).await;
            assert_eq!(verify(&db).await.unwrap().broken, [("b".to_owned(), 1)]);
        }
    }

    /// Two cases with two events each.
    async fn fill_histories(db: &Db) -> [String; 2] {
        use crate::domain::{
            case::{ActorStamp, CaseEvent, CaseStatus, EventKind},
            ids::CaseId,
        };
        const CASE: &str = "INSERT INTO cases (id, number, query_code, version, status, round, case_type, urgency, \
            channel, region, title, enterprise, policy, sealed, confidential, open, sort_due, labels, search, \
            original_words, detail, submitted_at, entered_at, changed_at) VALUES ($1, $1, '', 1, 'submitted', 0, '', '', \
            '', '', '', '', '', FALSE, FALSE, TRUE, 7, '', '', '', '{}', 1, 2, 3)";
        let ids = [1, 2].map(|n| CaseId::from_uuid(uuid::Uuid::from_u128(n)));
        let mut tx = db.write().await.unwrap();
        for case in ids {
            let id = case.to_string();
            on_backend!(&mut tx, |conn| sqlx::query(CASE).bind(id.as_str()).execute(conn).await.map(|_| ())).unwrap();
            let event = |seq, kind| CaseEvent {
                case,
                seq,
                kind,
                actor: ActorStamp { kind: "timer", id: None, name: None, unit: None },
                from: CaseStatus::Draft,
                to: CaseStatus::Submitted,
                at: NOW,
                facts: Vec::new(),
            };
            let history = [event(1, EventKind::Submitted), event(2, EventKind::Urged)];
            cases::events::append(&mut tx, &history, None).await.unwrap();
        }
        tx.commit().await.unwrap();
        ids.map(|id| id.to_string())
    }

    async fn change(db: &Db, sql: &'static str, id: &str) {
        let mut tx = db.write().await.unwrap();
        on_backend!(&mut tx, |conn| sqlx::query(sql).bind(id).execute(conn).await.map(|_| ())).unwrap();
        tx.commit().await.unwrap();
    }

    const CUT: &str = "DELETE FROM case_events WHERE case_id = $1 AND seq = 2";

    crate::store_test! {
        async fn events_that_are_gone_are_missed(db: Db) {
            let [one, two] = fill_histories(&db).await;
            assert!(verify(&db).await.unwrap().is_sound());
            change(&db, CUT, &one).await;
            assert_eq!(verify(&db).await.unwrap().broken, [(one.clone(), 2)]);
            change(&db, "DELETE FROM case_events WHERE case_id = $1", &one).await;
            assert_eq!(verify(&db).await.unwrap().broken, [(one.clone(), 1)]);
            change(&db, "DELETE FROM case_heads WHERE case_id = $1", &one).await;
            let found = verify(&db).await.unwrap();
            assert!(found.broken.is_empty() && found.damage.len() == 1, "{found:?}");
            change(&db, "DELETE FROM case_heads WHERE case_id = $1", &two).await;
            assert_eq!(verify(&db).await.unwrap().broken, [(two, 1)], "a history without its head");
        }
    }

    crate::store_test! {
        async fn a_backup_with_a_broken_history_is_made_but_not_restored(db: Db) {
            let [one, _] = fill_histories(&db).await;
            let folder = folder();
            let sound = folder.path().join("sound");
            backup(&db, &sound, NOW).await.unwrap();
            verify_file(&sound).await.unwrap();
            change(&db, CUT, &one).await;
            let broken = folder.path().join("broken");
            backup(&db, &broken, NOW).await.unwrap();
            let refused = verify_file(&broken).await.unwrap_err().to_string();
            assert!(refused.contains("broken at event 2"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_sqlite_backup_carries_its_hash() {
        let (one, two) = (testing::sqlite().await, testing::sqlite().await);
        fill_histories(&one.db).await;
        fill(&two.db, true).await;
        two.db.close().await;
        let folder = folder();
        let file = folder.path().join("backup.db");
        backup(&one.db, &file, NOW).await.unwrap();
        assert!(is_sealed(&file).unwrap());
        let bytes = fs::read(&file).unwrap();
        // A changed byte anywhere, and a changed history in a file that somebody sealed no more.
        let mut changed = bytes.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(&file, &changed).unwrap();
        assert!(matches!(verify_file(&file).await, Err(BackupError::Damaged { .. })));
        fs::write(&file, &bytes[..bytes.len() - usize::try_from(SEAL_BYTES).unwrap()]).unwrap();
        assert!(!is_sealed(&file).unwrap());
        verify_file(&file).await.unwrap();
        let mut conn = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        sqlx::query("PRAGMA journal_mode = DELETE").execute(&mut conn).await.unwrap();
        sqlx::query("UPDATE case_events SET facts = '[1]' WHERE seq = 2").execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        assert!(matches!(restore(&two.url, &file, true, NOW).await, Err(BackupError::Damaged { .. })));
        let left = Db::open(&two.url).await.unwrap();
        assert_eq!(titles(&left).await.len(), 2, "nothing was installed");
        left.close().await;
        // What is restored is a database without the line behind it.
        fs::write(&file, &bytes).unwrap();
        restore(&two.url, &file, true, NOW).await.unwrap();
        let back = Db::open(&two.url).await.unwrap();
        assert!(verify(&back).await.unwrap().is_sound());
    }

    #[tokio::test]
    async fn a_postgres_restore_waits_for_the_gateway_to_stop() {
        let Some(one) = testing::postgres().await else { return };
        fill_histories(&one.db).await;
        let folder = folder();
        let file = folder.path().join("dump.jsonl");
        backup(&one.db, &file, NOW).await.unwrap();
        let line = crate::store::relay::Line::open(&one.db).await.unwrap().unwrap();
        let listener = line.listen().await.unwrap();
        assert!(matches!(restore(&one.url, &file, true, NOW).await, Err(BackupError::InUse)));
        drop((listener, line));
        let mut result = restore(&one.url, &file, true, NOW).await;
        // The server needs a moment to see that the connections are gone.
        for _ in 0..200 {
            if !matches!(result, Err(BackupError::InUse)) {
                break;
            }
            tokio::task::yield_now().await;
            result = restore(&one.url, &file, true, NOW).await;
        }
        result.unwrap();
        assert!(verify(&one.db).await.unwrap().is_sound());
        one.finish().await;
    }

    crate::store_test! {
        async fn a_backup_is_checked_and_overwrites_nothing(db: Db) {
            fill(&db, true).await;
            let folder = folder();
            let file = folder.path().join("new/backup");
            let done = backup(&db, &file, NOW).await.unwrap();
            assert_eq!(done.cases, 2);
            verify_file(&file).await.unwrap();
            assert!(matches!(backup(&db, &file, NOW).await, Err(BackupError::Exists(_))));
            let bytes = fs::read(&file).unwrap();
            let cut = folder.path().join("cut");
            fs::write(&cut, &bytes[..bytes.len() * 2 / 3]).unwrap();
            assert!(matches!(verify_file(&cut).await, Err(BackupError::Damaged { .. })));
        }
    }

    #[tokio::test]
    async fn a_sqlite_backup_comes_back_and_what_was_there_is_kept() {
        let (one, two) = (testing::sqlite().await, testing::sqlite().await);
        fill(&one.db, true).await;
        let folder = folder();
        let file = folder.path().join("backup.db");
        backup(&one.db, &file, NOW).await.unwrap();
        assert!(matches!(restore(&two.url, &file, false, NOW).await, Err(BackupError::InUse)));
        let expected = titles(&one.db).await;
        two.db.close().await;
        let kept = restore(&two.url, &file, false, NOW).await.unwrap().unwrap();
        assert!(kept.exists());
        let back = Db::open(&two.url).await.unwrap();
        assert_eq!(titles(&back).await, expected);
        back.close().await;
        assert!(matches!(restore(&two.url, &file, false, NOW).await, Err(BackupError::NotEmpty)));
        restore(&two.url, &file, true, NOW).await.unwrap();
    }

    #[tokio::test]
    async fn a_postgres_dump_comes_back() {
        let Some(one) = testing::postgres().await else { return };
        let two = testing::postgres().await.unwrap();
        fill(&one.db, true).await;
        let folder = folder();
        let file = folder.path().join("dump.jsonl");
        backup(&one.db, &file, NOW).await.unwrap();
        let Db::Postgres { pool } = &two.db else { unreachable!("a PostgreSQL test database") };
        let mut conn = pool.acquire().await.unwrap();
        load(&mut conn, &file, false).await.unwrap();
        assert_eq!(titles(&two.db).await, titles(&one.db).await);
        assert!(matches!(load(&mut conn, &file, false).await, Err(BackupError::NotEmpty)));
        // What is derived from the cases stands in nobody's way.
        sqlx::query("INSERT INTO case_search (case_id, digest, grams) VALUES ('a', 1, '')")
            .execute(&mut *conn)
            .await
            .unwrap();
        load(&mut conn, &file, true).await.unwrap();
        assert_eq!(titles(&two.db).await.len(), 2);
        let text = fs::read_to_string(&file).unwrap().replacen("换行", "换字", 1);
        fs::write(&file, text).unwrap();
        assert!(matches!(load(&mut conn, &file, true).await, Err(BackupError::Damaged { .. })));
        drop(conn);
        one.finish().await;
        two.finish().await;
    }
}
