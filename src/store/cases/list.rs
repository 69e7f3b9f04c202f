//! What officers see of cases: lists and single rows, with the officer's scope in the SQL.

use jiff::Timestamp;
use serde_json::json;
use sqlx::{FromRow, postgres::PgRow, sqlite::SqliteRow};

use crate::{
    domain::{
        access::CaseScope,
        case::{CaseNumber, CaseStatus},
        ids::OfficerId,
    },
    on_backend, row_struct,
    store::{StoreError, Tx},
};

use super::search;

row_struct! {
    /// One line of a list.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct CaseLine {
        /// Key.
        pub id: String,
        /// Number without the round.
        pub number: String,
        /// Handling round.
        pub round: i64,
        /// State.
        pub status: String,
        /// Type.
        pub case_type: String,
        /// Topic code.
        pub topic: Option<String>,
        /// Urgency.
        pub urgency: String,
        /// Channel.
        pub channel: String,
        /// One line.
        pub title: String,
        /// Enterprise.
        pub enterprise: String,
        /// Identity hidden from units.
        pub confidential: bool,
        /// Conduct case.
        pub sealed: bool,
        /// Lead unit.
        pub lead_unit: Option<String>,
        /// Lead unit that the routing table proposes.
        pub proposed_lead: Option<String>,
        /// Named handler.
        pub handler: Option<String>,
        /// Next due moment.
        pub due_at: Option<i64>,
        /// The clock it is of.
        pub due_clock: Option<String>,
        /// Sort key.
        pub sort_due: i64,
        /// Overlays in words.
        pub labels: String,
        /// Submitted at.
        pub submitted_at: i64,
        /// In the present state since.
        pub entered_at: i64,
    }
}

/// What to list. Everything is optional.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// Only this state.
    pub status: Option<&'a str>,
    /// Only this type.
    pub case_type: Option<&'a str>,
    /// Only cases this unit leads or assists.
    pub unit: Option<&'a str>,
    /// Only cases of this handler.
    pub handler: Option<OfficerId>,
    /// Only open ones (`true`) or finished ones (`false`).
    pub open: Option<bool>,
    /// Only open cases whose next due moment is before this one.
    pub due_before: Option<Timestamp>,
    /// Only cases that are not due before this moment: later, without a due date, or finished.
    pub due_from: Option<Timestamp>,
    /// Words that all must occur.
    pub q: Option<&'a str>,
}

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Sort key of the last line.
    pub sort_due: i64,
    /// Id of the last line.
    pub id: String,
}

/// Which cases an officer may see: `$1` all, `$2` sealed, `$3` units of the officer and below as JSON, `$4` own units
/// as JSON.
macro_rules! visibility_sql {
    () => {
        "((c.sealed AND $2) OR (NOT c.sealed AND ($1 OR EXISTS (SELECT 1 FROM case_units v WHERE v.case_id = c.id \
        AND v.part <> 'recused' AND v.unit IN (SELECT value ->> 'u' FROM json_each($3)))))) \
        AND ($4 = '[]' OR NOT EXISTS (SELECT 1 FROM case_units r WHERE r.case_id = c.id AND r.part = 'recused' \
        AND r.unit IN (SELECT value ->> 'u' FROM json_each($4))))"
    };
}
pub(super) use visibility_sql;

/// The columns of a line.
macro_rules! line_columns {
    () => {
        "c.id, c.number, c.round, c.status, c.case_type, c.topic, c.urgency, c.channel, c.title, c.enterprise, \
         c.confidential, c.sealed, c.lead_unit, c.proposed_lead, c.handler, c.due_at, c.due_clock, c.sort_due, \
         c.labels, c.submitted_at, c.entered_at"
    };
}
pub(super) use line_columns;

/// A page of what the officer may see: `$from` and `$where` say along which index it is walked, `$sort` in which order.
macro_rules! page_sql {
    ($columns:ident, $from:literal, $where:literal, $sort:literal) => {
        concat!(
            "SELECT ",
            $columns!(),
            " FROM ",
            $from,
            " WHERE ",
            $where,
            " AND ",
            visibility_sql!(),
            " AND (CAST($5 AS TEXT) IS NULL OR c.status = $5) AND (CAST($6 AS TEXT) IS NULL OR c.case_type = $6)",
            " AND (CAST($7 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM case_units w WHERE w.case_id = c.id AND w.unit = $7 ",
            "AND w.part <> 'recused'))",
            " AND (CAST($8 AS TEXT) IS NULL OR c.handler = $8)",
            " AND (CAST($9 AS BOOLEAN) IS NULL OR c.open = $9)",
            " AND (CAST($10 AS TEXT) IS NULL OR c.search LIKE $10 ESCAPE '\\')",
            " AND (CAST($11 AS TEXT) IS NULL OR c.search LIKE $11 ESCAPE '\\')",
            " AND (CAST($12 AS TEXT) IS NULL OR c.search LIKE $12 ESCAPE '\\')",
            " AND ",
            $sort,
            " < $13 AND ",
            $sort,
            " >= $14 AND (",
            $sort,
            " > $14 OR (",
            $sort,
            " = $14 AND c.id > $15)) ORDER BY ",
            $sort,
            ", c.id LIMIT $16"
        )
    };
}
pub(super) use page_sql;

/// No limit of time: after the sort key of every case.
const FOREVER: i64 = i64::MAX;
/// Sort keys of open cases lie before it, those of finished ones behind.
pub(super) const FINISHED: i64 = 6_000_000_000_000_000;

pub(super) fn units_json(units: &[String]) -> String {
    serde_json::Value::Array(units.iter().map(|unit| json!({ "u": unit })).collect()).to_string()
}

/// `%word%` with the wildcards of the word made literal.
pub(super) fn pattern(word: &str) -> String {
    let mut out = String::with_capacity(word.len() + 2);
    out.push('%');
    for c in word.chars().flat_map(char::to_lowercase) {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('%');
    out
}

/// One page of what the officer may see, by remaining time.
///
/// # Errors
/// `Database`.
pub async fn page(
    tx: &mut Tx,
    scope: &CaseScope,
    filter: &Filter<'_>,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Vec<CaseLine>, StoreError> {
    // Which index leads is decided here, not left to the planner's guess: a rare state must not walk over a million
    // finished cases.
    const BY_DUE: &str = page_sql!(line_columns, "cases c", "TRUE", "c.sort_due");
    const BY_SEAL: &str = page_sql!(line_columns, "cases c", "c.sealed", "c.sort_due");
    const BY_HANDLER: &str = page_sql!(line_columns, "cases c", "c.handler = $8", "c.sort_due");
    const BY_STATUS: &str = page_sql!(line_columns, "cases c", "c.status = $5", "c.sort_due");
    const BY_TYPE: &str = page_sql!(line_columns, "cases c", "c.case_type = $6", "c.sort_due");
    const BY_BOTH: &str = page_sql!(line_columns, "cases c", "c.status = $5 AND c.case_type = $6", "c.sort_due");
    const BY_WORDS: &str =
        page_sql!(line_columns, "cases c", "c.id IN (SELECT value ->> 'id' FROM json_each($17))", "c.sort_due");
    // One unit's part at a time: each is a walk along its own index in the order of the list.
    const ASSISTED: &str = page_sql!(
        line_columns,
        "case_units m CROSS JOIN cases c",
        "m.case_id = c.id AND m.unit = $17 AND m.part = 'assist'",
        "m.sort_due"
    );
    // What a unit leads needs no join, which planners take for one that must read everything first.
    const LED: &str = page_sql!(line_columns, "cases c", "c.lead_unit = $17", "c.sort_due");
    const LED_BY_STATUS: &str = page_sql!(line_columns, "cases c", "c.lead_unit = $17 AND c.status = $5", "c.sort_due");
    const LED_BY_TYPE: &str =
        page_sql!(line_columns, "cases c", "c.lead_unit = $17 AND c.case_type = $6", "c.sort_due");
    let words: Vec<&str> = filter.q.unwrap_or_default().split_whitespace().take(3).collect();
    let narrowed = if words.is_empty() { None } else { search::candidates(tx, &words).await? };
    let page = Page { scope, filter, words: words.iter().map(|word| pattern(word)).collect(), after, limit };
    if let Some(ids) = narrowed {
        let ids = serde_json::Value::Array(ids.iter().map(|id| json!({ "id": id })).collect()).to_string();
        return page.read(tx, BY_WORDS, &[&ids]).await;
    }
    if filter.handler.is_some() {
        return page.read(tx, BY_HANDLER, &[]).await;
    }
    let walk: Option<Vec<&str>> = match filter.unit {
        Some(unit) => Some(vec![unit]),
        None => (!scope.all).then(|| scope.units.iter().map(String::as_str).collect()),
    };
    let Some(units) = walk else {
        let sql = match (filter.status, filter.case_type) {
            (Some(_), Some(_)) => BY_BOTH,
            (Some(_), None) => BY_STATUS,
            (None, Some(_)) => BY_TYPE,
            (None, None) => BY_DUE,
        };
        return page.read(tx, sql, &[]).await;
    };
    let mut lines = Vec::new();
    if scope.sealed && filter.unit.is_none() {
        lines.extend(page.read(tx, BY_SEAL, &[]).await?);
    }
    for unit in units {
        lines.extend(match (page.is_open(), filter.status, filter.case_type) {
            // Few cases of a unit are open, and most of those that are not are closed.
            (Some(true), Some(_), _) | (_, Some(_), None) => page.read(tx, LED_BY_STATUS, &[unit]).await?,
            (_, _, Some(_)) => page.read(tx, LED_BY_TYPE, &[unit]).await?,
            (_, None, None) => page.read(tx, LED, &[unit]).await?,
        });
        lines.extend(page.read(tx, ASSISTED, &[unit]).await?);
    }
    Ok(merged(lines, limit))
}

/// Several walks as one list.
pub(super) fn merged(mut lines: Vec<CaseLine>, limit: i64) -> Vec<CaseLine> {
    lines.sort_by(|a, b| (a.sort_due, &a.id).cmp(&(b.sort_due, &b.id)));
    lines.dedup_by(|a, b| a.id == b.id);
    lines.truncate(usize::try_from(limit).unwrap_or(0));
    lines
}

/// A page that is asked for.
pub(super) struct Page<'a> {
    pub(super) scope: &'a CaseScope,
    pub(super) filter: &'a Filter<'a>,
    pub(super) words: Vec<String>,
    pub(super) after: Option<&'a Cursor>,
    pub(super) limit: i64,
}

impl Page<'_> {
    /// Whether the page can only have open cases or only finished ones.
    fn is_open(&self) -> Option<bool> {
        let by_status = || self.filter.status?.parse::<CaseStatus>().ok().map(CaseStatus::is_open);
        self.filter.open.or_else(by_status)
    }

    /// Runs one of the page statements; `more` are its parameters from $17 on.
    pub(super) async fn read<T>(&self, tx: &mut Tx, sql: &'static str, more: &[&str]) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let Self { scope, filter, words, after, limit } = self;
        // Finished cases lie behind the open ones: a walk over open ones ends there, and one over finished ones begins.
        let (start, end) = match self.is_open() {
            Some(true) => (i64::MIN, FINISHED),
            Some(false) => (FINISHED, FOREVER),
            None => (i64::MIN, FOREVER),
        };
        let start = filter.due_from.map_or(start, |from| start.max(from.as_millisecond()));
        let before = filter.due_before.map_or(end, Timestamp::as_millisecond);
        let (sort, id) = after.map_or((start, ""), |cursor| (cursor.sort_due, cursor.id.as_str()));
        Ok(on_backend!(tx, |conn| {
            let mut query = sqlx::query_as(sql)
                .bind(scope.all)
                .bind(scope.sealed)
                .bind(units_json(&scope.units))
                .bind(units_json(&scope.own_units))
                .bind(filter.status)
                .bind(filter.case_type)
                .bind(filter.unit)
                .bind(filter.handler.map(|id| id.to_string()))
                .bind(filter.open)
                .bind(words.first().map(String::as_str))
                .bind(words.get(1).map(String::as_str))
                .bind(words.get(2).map(String::as_str))
                .bind(before)
                .bind(sort)
                .bind(id)
                .bind(*limit);
            for value in more {
                query = query.bind(*value);
            }
            query.fetch_all(conn).await?
        }))
    }
}

/// Whether the officer may see this case: the same SQL as the list.
///
/// # Errors
/// `Database`.
pub async fn visible(tx: &mut Tx, scope: &CaseScope, number: &CaseNumber) -> Result<Option<CaseLine>, StoreError> {
    const SQL: &str = concat!("SELECT ", line_columns!(), " FROM cases c WHERE c.number = $5 AND ", visibility_sql!());
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(scope.all)
        .bind(scope.sealed)
        .bind(units_json(&scope.units))
        .bind(units_json(&scope.own_units))
        .bind(number.as_str())
        .fetch_optional(conn)
        .await?))
}
