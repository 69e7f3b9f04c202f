//! What officers see of cases: lists and single rows, with the officer's scope in the SQL.

use jiff::Timestamp;
use serde_json::json;

use crate::{
    domain::{access::CaseScope, case::CaseNumber, ids::OfficerId},
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

macro_rules! line_sql {
    ($from:literal, $where:literal) => {
        concat!(
            "SELECT c.id, c.number, c.round, c.status, c.case_type, c.topic, c.urgency, c.channel, c.title, c.enterprise, ",
            "c.confidential, c.sealed, c.lead_unit, c.proposed_lead, c.handler, c.due_at, c.due_clock, c.sort_due, ",
            "c.labels, c.submitted_at, c.entered_at FROM ",
            $from,
            " WHERE ",
            $where,
            " AND ",
            visibility_sql!()
        )
    };
}

macro_rules! page_sql {
    ($from:literal, $where:literal, $sort:literal) => {
        concat!(
            line_sql!($from, $where),
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

/// No limit of time: after the sort key of every case.
const FOREVER: i64 = i64::MAX;
/// Sort keys of open cases lie before it, those of finished ones behind.
const FINISHED: i64 = 6_000_000_000_000_000;
const BY_STATUS: &str = page_sql!("cases c", "c.status = $5", "c.sort_due");

/// What waits for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn<'a> {
    /// Cases in this state, whoever has them.
    In(&'a str),
    /// Cases in this state that the unit leads; with a handler, those of that handler or of nobody.
    Led {
        /// Slug of the unit.
        unit: &'a str,
        /// State.
        status: &'a str,
        /// Who handles them.
        handler: Option<OfficerId>,
    },
    /// Open cases in which the unit has been asked to assist and has not answered.
    Asked(&'a str),
}

pub(super) fn units_json(units: &[String]) -> String {
    serde_json::Value::Array(units.iter().map(|unit| json!({ "u": unit })).collect()).to_string()
}

/// `%word%` with the wildcards of the word made literal.
fn pattern(word: &str) -> String {
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
    const BY_DUE: &str = page_sql!("cases c", "TRUE", "c.sort_due");
    const BY_HANDLER: &str = page_sql!("cases c", "c.handler = $8", "c.sort_due");
    const BY_TYPE: &str = page_sql!("cases c", "c.case_type = $6", "c.sort_due");
    const BY_WORDS: &str = page_sql!("cases c", "c.id IN (SELECT value ->> 'id' FROM json_each($17))", "c.sort_due");
    // One unit's part at a time: each is a walk along its own index in the order of the list.
    const BY_UNIT: &str = page_sql!(
        "case_units m CROSS JOIN cases c",
        "m.case_id = c.id AND m.unit = $17 AND m.part = $18",
        "m.sort_due"
    );
    let words: Vec<&str> = filter.q.unwrap_or_default().split_whitespace().take(3).collect();
    let narrowed = if words.is_empty() { None } else { search::candidates(tx, &words).await? };
    let page = Page { scope, filter, words: words.iter().map(|word| pattern(word)).collect(), after, limit };
    if let Some(ids) = narrowed {
        let ids = serde_json::Value::Array(ids.iter().map(|id| json!({ "id": id })).collect()).to_string();
        return page.read(tx, BY_WORDS, &[&ids]).await;
    }
    let walk: Option<Vec<&str>> = match filter.unit {
        Some(unit) => Some(vec![unit]),
        None => (!scope.all && !scope.sealed).then(|| scope.units.iter().map(String::as_str).collect()),
    };
    if let Some(units) = walk {
        let mut lines = Vec::new();
        for unit in units {
            for part in ["lead", "assist"] {
                lines.extend(page.read(tx, BY_UNIT, &[unit, part]).await?);
            }
        }
        return Ok(merged(lines, limit));
    }
    let sql = if filter.handler.is_some() {
        BY_HANDLER
    } else if filter.status.is_some() {
        BY_STATUS
    } else if filter.case_type.is_some() {
        BY_TYPE
    } else {
        BY_DUE
    };
    page.read(tx, sql, &[]).await
}

/// Several walks as one list.
fn merged(mut lines: Vec<CaseLine>, limit: i64) -> Vec<CaseLine> {
    lines.sort_by(|a, b| (a.sort_due, &a.id).cmp(&(b.sort_due, &b.id)));
    lines.dedup_by(|a, b| a.id == b.id);
    lines.truncate(usize::try_from(limit).unwrap_or(0));
    lines
}

/// One page of the open cases that wait for somebody, by remaining time; the filter narrows it further.
///
/// # Errors
/// `Database`.
pub async fn turns(
    tx: &mut Tx,
    scope: &CaseScope,
    filter: &Filter<'_>,
    turns: &[Turn<'_>],
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Vec<CaseLine>, StoreError> {
    const LED: &str = page_sql!(
        "case_units m CROSS JOIN cases c",
        "m.case_id = c.id AND m.unit = $17 AND m.part = 'lead' AND c.status = $5 \
         AND ($18 = '' OR c.handler IS NULL OR c.handler = $18)",
        "m.sort_due"
    );
    const ASKED: &str = page_sql!(
        "case_units m CROSS JOIN cases c",
        "m.case_id = c.id AND m.unit = $17 AND m.part = 'assist' AND EXISTS (SELECT 1 FROM case_tasks k \
         WHERE k.case_id = c.id AND k.kind = 'assist' AND k.state = 'open' AND k.unit = $17)",
        "m.sort_due"
    );
    let words: Vec<String> = filter.q.unwrap_or_default().split_whitespace().take(3).map(pattern).collect();
    let mut lines = Vec::new();
    for turn in turns {
        let own = match turn {
            Turn::In(status) | Turn::Led { status, .. } => Some(*status),
            Turn::Asked(_) => filter.status,
        };
        if filter.status.is_some_and(|wanted| own != Some(wanted)) {
            continue;
        }
        let narrowed = Filter { status: own, open: Some(true), ..filter.clone() };
        let page = Page { scope, filter: &narrowed, words: words.clone(), after, limit };
        let found = match turn {
            Turn::In(_) => page.read(tx, BY_STATUS, &[]).await?,
            Turn::Led { unit, handler, .. } => {
                let handler = handler.map(|id| id.to_string()).unwrap_or_default();
                page.read(tx, LED, &[unit, &handler]).await?
            }
            Turn::Asked(unit) => page.read(tx, ASKED, &[unit]).await?,
        };
        lines.extend(found);
    }
    Ok(merged(lines, limit))
}

/// How many open cases wait for somebody.
///
/// # Errors
/// `Database`.
pub async fn count_turns(tx: &mut Tx, scope: &CaseScope, turns: &[Turn<'_>]) -> Result<i64, StoreError> {
    const SQL: &str = concat!(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM cases c WHERE c.open AND (",
        "c.status IN (SELECT value ->> 's' FROM json_each($5))",
        " OR EXISTS (SELECT 1 FROM json_each($6) WHERE value ->> 's' = c.status AND value ->> 'u' = c.lead_unit",
        " AND (value ->> 'h' = '' OR c.handler IS NULL OR value ->> 'h' = c.handler))",
        " OR c.id IN (SELECT k.case_id FROM case_tasks k WHERE k.kind = 'assist' AND k.state = 'open'",
        " AND k.unit IN (SELECT value ->> 'u' FROM json_each($7)))) AND ",
        visibility_sql!()
    );
    let (mut states, mut led, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    for turn in turns {
        match turn {
            Turn::In(status) => states.push(json!({ "s": status })),
            Turn::Led { unit, status, handler } => led.push(json!({ "u": unit, "s": status,
                "h": handler.map(|id| id.to_string()).unwrap_or_default() })),
            Turn::Asked(unit) => asked.push(json!({ "u": unit })),
        }
    }
    let text = |list: Vec<serde_json::Value>| serde_json::Value::Array(list).to_string();
    let (states, led, asked) = (text(states), text(led), text(asked));
    let row: (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(scope.all)
        .bind(scope.sealed)
        .bind(units_json(&scope.units))
        .bind(units_json(&scope.own_units))
        .bind(states)
        .bind(led)
        .bind(asked)
        .fetch_one(conn)
        .await?);
    Ok(row.0)
}

/// How many open cases that the officer sees are due before an instant.
///
/// # Errors
/// `Database`.
pub async fn count_due(tx: &mut Tx, scope: &CaseScope, before: Timestamp) -> Result<i64, StoreError> {
    const SQL: &str = concat!(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM cases c WHERE c.open AND c.sort_due < $5 AND ",
        visibility_sql!()
    );
    let row: (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(scope.all)
        .bind(scope.sealed)
        .bind(units_json(&scope.units))
        .bind(units_json(&scope.own_units))
        .bind(before.as_millisecond())
        .fetch_one(conn)
        .await?);
    Ok(row.0)
}

/// A page that is asked for.
struct Page<'a> {
    scope: &'a CaseScope,
    filter: &'a Filter<'a>,
    words: Vec<String>,
    after: Option<&'a Cursor>,
    limit: i64,
}

impl Page<'_> {
    /// Runs one of the page statements; `more` are its parameters from $17 on.
    async fn read(&self, tx: &mut Tx, sql: &'static str, more: &[&str]) -> Result<Vec<CaseLine>, StoreError> {
        let Self { scope, filter, words, after, limit } = self;
        // Finished cases lie behind the open ones: a walk over open ones ends there.
        let end = if filter.open == Some(true) { FINISHED } else { FOREVER };
        let before = filter.due_before.map_or(end, Timestamp::as_millisecond);
        // And a walk over finished ones begins there.
        let start = if filter.open == Some(false) { FINISHED } else { i64::MIN };
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
    const SQL: &str = line_sql!("cases c", "c.number = $5");
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(scope.all)
        .bind(scope.sealed)
        .bind(units_json(&scope.units))
        .bind(units_json(&scope.own_units))
        .bind(number.as_str())
        .fetch_optional(conn)
        .await?))
}

/// How many cases the officer sees, by state.
///
/// # Errors
/// `Database`.
pub async fn counts(tx: &mut Tx, scope: &CaseScope) -> Result<Vec<(String, i64)>, StoreError> {
    macro_rules! counts_sql {
        ($from:literal) => {
            concat!(
                "SELECT c.status, CAST(COUNT(DISTINCT c.id) AS BIGINT) FROM ",
                $from,
                " AND ",
                visibility_sql!(),
                " GROUP BY c.status ORDER BY c.status"
            )
        };
    }
    const ALL: &str = counts_sql!("cases c WHERE c.open");
    // Open cases come first in the order of a unit's list; what is finished is not walked over.
    const OWN: &str = counts_sql!(
        "case_units m CROSS JOIN cases c WHERE c.id = m.case_id AND c.open AND m.part <> 'recused' \
         AND m.sort_due < 6000000000000000 AND m.unit IN (SELECT value ->> 'u' FROM json_each($3))"
    );
    let sql = if scope.all || scope.sealed { ALL } else { OWN };
    Ok(on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(scope.all)
        .bind(scope.sealed)
        .bind(units_json(&scope.units))
        .bind(units_json(&scope.own_units))
        .fetch_all(conn)
        .await?))
}
