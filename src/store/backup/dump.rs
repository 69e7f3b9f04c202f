//! PostgreSQL as JSON lines: dumped from one snapshot, read back in one transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection, Row};

use super::{BackupError, file_error, keep_private, newer, sync};
use crate::store::StoreError;

/// Rows per INSERT when a dump is read back.
const ROWS: usize = 200;
const MAGIC: &str = "zhitong-backup";

/// Our tables, each after those it refers to. `case_search` is made anew from the cases.
async fn tables(conn: &mut PgConnection) -> Result<Vec<String>, BackupError> {
    const TABLES: &str = "SELECT CAST(relname AS TEXT) FROM pg_class WHERE relkind = 'r' \
        AND relnamespace = CAST(current_schema() AS regnamespace) \
        AND relname NOT IN ('schema_migrations', 'case_search') ORDER BY relname";
    const REFERENCES: &str = "SELECT CAST(a.relname AS TEXT), CAST(b.relname AS TEXT) FROM pg_constraint c \
        JOIN pg_class a ON a.oid = c.conrelid JOIN pg_class b ON b.oid = c.confrelid \
        WHERE c.contype = 'f' AND c.connamespace = CAST(current_schema() AS regnamespace) AND a.oid <> b.oid";
    let names: Vec<(String,)> = sqlx::query_as(TABLES).fetch_all(&mut *conn).await?;
    let references: Vec<(String, String)> = sqlx::query_as(REFERENCES).fetch_all(&mut *conn).await?;
    let mut left: BTreeSet<String> = names.into_iter().map(|(name,)| name).collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let ready: Vec<String> = left
            .iter()
            .filter(|table| !references.iter().any(|(from, to)| from == *table && left.contains(to)))
            .cloned()
            .collect();
        if ready.is_empty() {
            let inconsistent =
                StoreError::Inconsistent { table: "pg_constraint", column: "confrelid", id: "cycle".into() };
            return Err(inconsistent.into());
        }
        for table in ready {
            left.remove(&table);
            ordered.push(table);
        }
    }
    Ok(ordered)
}

/// Names of tables come from the database's own catalogue, quoted all the same.
fn quoted(table: &str) -> String {
    format!("\"{}\"", table.replace('"', "\"\""))
}

struct Lines<W: Write> {
    out: W,
    hash: Sha256,
    path: PathBuf,
}

impl<W: Write> Lines<W> {
    fn line(&mut self, text: &str) -> Result<(), BackupError> {
        self.hash.update(text.as_bytes());
        self.hash.update(b"\n");
        writeln!(self.out, "{text}").map_err(file_error(&self.path))
    }
}

pub(super) async fn dump(conn: &mut PgConnection, target: &Path, now: Timestamp) -> Result<i64, BackupError> {
    let half = target.with_extension("part");
    let file = File::create(&half).map_err(file_error(&half))?;
    keep_private(&half)?;
    let mut lines = Lines { out: BufWriter::new(file), hash: Sha256::new(), path: half.clone() };
    let mut tx = conn.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let versions: Vec<(i64,)> =
        sqlx::query_as("SELECT version FROM schema_migrations ORDER BY version").fetch_all(&mut *tx).await?;
    let versions: Vec<i64> = versions.into_iter().map(|(v,)| v).collect();
    lines.line(
        &json!({"format": MAGIC, "version": 1, "taken_at": now.to_string(), "migrations": versions}).to_string(),
    )?;
    let mut counts = BTreeMap::new();
    for table in tables(&mut tx).await? {
        lines.line(&json!({"table": table}).to_string())?;
        let sql = sqlx::AssertSqlSafe(format!("SELECT CAST(to_jsonb(t) AS TEXT) FROM {} t", quoted(&table)));
        let mut rows = sqlx::query(sql).fetch(&mut *tx);
        let mut n = 0_i64;
        while let Some(row) = rows.try_next().await? {
            lines.line(&row.try_get::<String, _>(0)?)?;
            n += 1;
        }
        drop(rows);
        counts.insert(table, n);
    }
    tx.rollback().await?;
    let cases = counts.get("cases").copied().unwrap_or_default();
    let hash = hex::encode(std::mem::take(&mut lines.hash).finalize());
    lines.line(&json!({"end": MAGIC, "rows": counts, "sha256": hash}).to_string())?;
    lines.out.flush().map_err(file_error(&half))?;
    sync(&half)?;
    fs::rename(&half, target).map_err(file_error(target))?;
    Ok(cases)
}

fn damaged(path: &Path, problem: &str) -> BackupError {
    BackupError::Damaged { path: path.display().to_string(), problem: problem.to_owned() }
}

/// Reads the whole dump once: header known, trailer there, hash right. Nothing is written before that.
pub(super) fn check_dump(path: &Path) -> Result<(), BackupError> {
    let reader = BufReader::new(File::open(path).map_err(file_error(path))?);
    let (mut hash, mut last, mut first) = (Sha256::new(), None::<String>, true);
    for line in reader.lines() {
        let line = line.map_err(file_error(path))?;
        if first {
            first = false;
            let header: Value = serde_json::from_str(&line).map_err(|_| damaged(path, "it has no header"))?;
            if header["format"] != MAGIC || header["version"] != 1 {
                return Err(damaged(path, "it has no header of a Zhitong dump"));
            }
            let versions = header["migrations"].as_array().into_iter().flatten().filter_map(Value::as_i64);
            newer(path, versions, "postgres")?;
        }
        if let Some(before) = last.replace(line) {
            hash.update(before.as_bytes());
            hash.update(b"\n");
        }
    }
    let trailer: Value = last
        .and_then(|line| serde_json::from_str(&line).ok())
        .filter(|line: &Value| line["end"] == MAGIC)
        .ok_or_else(|| damaged(path, "it ends before its end"))?;
    if trailer["sha256"] != hex::encode(hash.finalize()) {
        return Err(damaged(path, "its content does not fit its hash"));
    }
    Ok(())
}

pub(super) async fn load(conn: &mut PgConnection, source: &Path, replace: bool) -> Result<(), BackupError> {
    check_dump(source)?;
    let mut tx = conn.begin().await?;
    let known = tables(&mut tx).await?;
    let (cases,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM cases").fetch_one(&mut *tx).await?;
    if cases > 0 && !replace {
        return Err(BackupError::NotEmpty);
    }
    for table in known.iter().rev() {
        let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {}", quoted(table)));
        sqlx::query(sql).execute(&mut *tx).await?;
    }
    let reader = BufReader::new(File::open(source).map_err(file_error(source))?);
    let (mut table, mut rows): (Option<String>, Vec<String>) = (None, Vec::new());
    for line in reader.lines().skip(1) {
        let line = line.map_err(file_error(source))?;
        let mark = table_mark(&line);
        if mark.is_some() || line.starts_with(r#"{"end":"#) || rows.len() == ROWS {
            insert(&mut tx, table.as_deref(), &mut rows, source).await?;
        }
        match mark {
            Some(name) if known.contains(&name) => table = Some(name),
            Some(name) => return Err(damaged(source, &format!("table {name} is not known"))),
            None if line.starts_with(r#"{"end":"#) => break,
            None => rows.push(line),
        }
    }
    tx.commit().await?;
    Ok(())
}

/// The name in a line that begins a table; a row has more than one key or another one.
fn table_mark(line: &str) -> Option<String> {
    let name = line.strip_prefix(r#"{"table":""#)?.strip_suffix(r#""}"#)?;
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then(|| name.to_owned())
}

async fn insert(
    conn: &mut PgConnection,
    table: Option<&str>,
    rows: &mut Vec<String>,
    source: &Path,
) -> Result<(), BackupError> {
    if rows.is_empty() {
        return Ok(());
    }
    let Some(table) = table else { return Err(damaged(source, "rows without a table")) };
    let name = quoted(table);
    let sql =
        format!("INSERT INTO {name} SELECT * FROM jsonb_populate_recordset(CAST(NULL AS {name}), CAST($1 AS JSONB))");
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(format!("[{}]", rows.join(","))).execute(conn).await?;
    rows.clear();
    Ok(())
}
