//! PostgreSQL as JSON lines: dumped from one snapshot, read back in one transaction.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection, Row};

use super::{BackupError, HEADS_SINCE, file_error, keep_private, newer, sync};
use crate::store::{
    StoreError,
    cases::events::{Link, broken_at},
};

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

/// The histories in a dump, as far as they are checked.
#[derive(Default)]
struct Histories {
    links: HashMap<String, Vec<Link>>,
    heads: HashMap<String, (i64, String)>,
    total: Option<(i64, i64)>,
}

impl Histories {
    fn take(&mut self, table: &str, line: &str) -> Option<()> {
        if !matches!(table, "case_events" | "case_heads" | "audit_total") {
            return Some(());
        }
        let row: Value = serde_json::from_str(line).ok()?;
        match table {
            "case_events" => {
                let (case, link) = Link::from_json(&row)?;
                self.links.entry(case).or_default().push(link);
            }
            "case_heads" => {
                let head = (row["events"].as_i64()?, row["head"].as_str()?.to_owned());
                self.heads.insert(row["case_id"].as_str()?.to_owned(), head);
            }
            _ => self.total = Some((row["cases"].as_i64()?, row["events"].as_i64()?)),
        }
        Some(())
    }

    /// What is wrong with them, if something is.
    fn problem(mut self, heads: bool) -> Option<String> {
        if heads {
            let there = (self.heads.len() as i64, self.heads.values().map(|(events, _)| events).sum());
            if self.total != Some(there) {
                return Some("histories are missing from its audit trail".to_owned());
            }
            // A history of which nothing is left but its head.
            for case in self.heads.keys() {
                self.links.entry(case.clone()).or_default();
            }
        }
        self.links.into_iter().find_map(|(case, mut links)| {
            links.sort_by_key(|link| link.seq);
            let head = self.heads.get(&case).map_or((0, ""), |(events, hash)| (*events, hash.as_str()));
            let seq = broken_at(&links, heads.then_some(head))?;
            Some(format!("the history of case {case} is broken at event {seq}"))
        })
    }
}

/// Reads the whole dump once: header known, trailer there, hash right, histories whole. Nothing is written before that.
/// Tells whether it holds what the histories must end with.
pub(super) fn check_dump(path: &Path) -> Result<bool, BackupError> {
    let reader = BufReader::new(File::open(path).map_err(file_error(path))?);
    let (mut hash, mut last, mut first) = (Sha256::new(), None::<String>, true);
    let (mut histories, mut table, mut heads) = (Histories::default(), String::new(), false);
    for line in reader.lines() {
        let line = line.map_err(file_error(path))?;
        if first {
            first = false;
            let header: Value = serde_json::from_str(&line).map_err(|_| damaged(path, "it has no header"))?;
            if header["format"] != MAGIC || header["version"] != 1 {
                return Err(damaged(path, "it has no header of a Zhitong dump"));
            }
            let versions: Vec<i64> =
                header["migrations"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
            heads = versions.contains(&HEADS_SINCE);
            newer(path, versions.into_iter(), "postgres")?;
        } else if let Some(name) = table_mark(&line) {
            table = name;
        } else if !line.starts_with(r#"{"end":"#) {
            let read = histories.take(&table, &line);
            read.ok_or_else(|| damaged(path, &format!("a row of {table} cannot be read")))?;
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
    if let Some(problem) = histories.problem(heads) {
        return Err(damaged(path, &problem));
    }
    Ok(heads)
}

pub(super) async fn load(conn: &mut PgConnection, source: &Path, replace: bool) -> Result<(), BackupError> {
    let heads = check_dump(source)?;
    let mut tx = conn.begin().await?;
    let known = tables(&mut tx).await?;
    let (cases,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM cases").fetch_one(&mut *tx).await?;
    if cases > 0 && !replace {
        return Err(BackupError::NotEmpty);
    }
    // Derived from the cases: it is made anew at start.
    sqlx::query("DELETE FROM case_search").execute(&mut *tx).await?;
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
    if !heads {
        make_heads(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Of a dump that was made before it was kept what the histories end with.
async fn make_heads(conn: &mut PgConnection) -> Result<(), BackupError> {
    const HEADS: &str = "INSERT INTO case_heads (case_id, events, head) SELECT e.case_id, e.seq, e.hash \
        FROM case_events e WHERE e.seq = (SELECT MAX(l.seq) FROM case_events l WHERE l.case_id = e.case_id)";
    const TOTAL: &str = "INSERT INTO audit_total (n, cases, events) \
        SELECT 1, COUNT(*), CAST(COALESCE(SUM(events), 0) AS BIGINT) FROM case_heads";
    for sql in [HEADS, TOTAL] {
        sqlx::query(sql).execute(&mut *conn).await?;
    }
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
