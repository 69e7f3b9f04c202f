//! Whose turn it is, and how many cases there are: lists of what waits for an officer, and the numbers on tabs.
//!
//! Numbers are for a badge: they are exact up to [`MOST_COUNTED`] and stop there, so that none of them costs more than
//! that many rows however many cases there are. What is counted is what the lists show.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::{FromRow, postgres::PgRow, sqlite::SqliteRow};

use crate::{
    domain::{access::CaseScope, ids::OfficerId},
    on_backend,
    store::{StoreError, Tx},
};

use super::list::{
    CaseLine, Cursor, FINISHED, Filter, Page, line_columns, merged, page_sql, pattern, units_json, visibility_sql,
};

/// Where counting stops: a number that reaches it is shown as “999+”.
pub const MOST_COUNTED: i64 = 1_000;

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
    /// Open cases about which the centre is asked to decide this.
    Decide(&'a str),
    /// Open cases in which the unit has been asked to assist and has not answered.
    Asked(&'a str),
}

/// Only the id of a case.
macro_rules! id {
    () => {
        "c.id"
    };
}

/// One statement for each way in which a case may wait; each is a walk along an index of its own.
struct Walks {
    in_state: &'static str,
    sealed: &'static str,
    led: &'static str,
    free: &'static str,
    own: &'static str,
    decide: &'static str,
    asked: &'static str,
}

macro_rules! walks {
    ($columns:ident) => {
        Walks {
            in_state: page_sql!($columns, "cases c", "c.open AND c.status = $5", "c.sort_due"),
            // A few cases are sealed, and an officer has fewer cases than a unit: the appended nothing keeps planners off
            // the index of the state or the unit.
            sealed: page_sql!($columns, "cases c", "c.sealed AND c.open AND c.status || '' = $5", "c.sort_due"),
            led: page_sql!($columns, "cases c", "c.open AND c.lead_unit = $17 AND c.status = $5", "c.sort_due"),
            free: page_sql!(
                $columns,
                "cases c",
                "c.open AND c.handler IS NULL AND c.lead_unit = $17 AND c.status = $5",
                "c.sort_due"
            ),
            own: page_sql!($columns, "cases c", "c.open AND c.handler = $18 AND c.lead_unit || '' = $17", "c.sort_due"),
            decide: page_sql!($columns, "cases c", "c.open AND c.asked = $17", "c.sort_due"),
            asked: page_sql!(
                $columns,
                "(SELECT DISTINCT k.case_id FROM case_tasks k WHERE k.unit = $17 AND k.state = 'open' \
                 AND k.kind = 'assist') m CROSS JOIN cases c",
                "m.case_id = c.id AND c.open AND EXISTS (SELECT 1 FROM case_units a WHERE a.case_id = c.id \
                 AND a.unit = $17 AND a.part = 'assist')",
                "c.sort_due"
            ),
        }
    };
}

/// One page of the open cases that wait for somebody, by remaining time; the filter narrows it further.
///
/// # Errors
/// `Database`.
pub async fn page(
    tx: &mut Tx,
    scope: &CaseScope,
    filter: &Filter<'_>,
    turns: &[Turn<'_>],
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Vec<CaseLine>, StoreError> {
    const LINES: Walks = walks!(line_columns);
    let mut lines = Vec::new();
    for turn in turns {
        lines.extend(each(tx, turn, scope, filter, after, limit, &LINES).await?);
    }
    Ok(merged(lines, limit))
}

/// How many open cases wait for somebody, up to [`MOST_COUNTED`].
///
/// # Errors
/// `Database`.
pub async fn count(tx: &mut Tx, scope: &CaseScope, turns: &[Turn<'_>]) -> Result<i64, StoreError> {
    const IDS: Walks = walks!(id);
    let mut seen: HashSet<String> = HashSet::new();
    for turn in turns {
        let found: Vec<(String,)> = each(tx, turn, scope, &Filter::default(), None, MOST_COUNTED, &IDS).await?;
        seen.extend(found.into_iter().map(|(id,)| id));
        if seen.len() as i64 >= MOST_COUNTED {
            break;
        }
    }
    Ok((seen.len() as i64).min(MOST_COUNTED))
}

/// What waits in one way.
async fn each<T>(
    tx: &mut Tx,
    turn: &Turn<'_>,
    scope: &CaseScope,
    filter: &Filter<'_>,
    after: Option<&Cursor>,
    limit: i64,
    walks: &Walks,
) -> Result<Vec<T>, StoreError>
where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let own = match turn {
        Turn::In(status) | Turn::Led { status, .. } => Some(*status),
        Turn::Asked(_) | Turn::Decide(_) => filter.status,
    };
    if filter.status.is_some_and(|wanted| own != Some(wanted)) {
        return Ok(Vec::new());
    }
    let narrowed = Filter { status: own, open: Some(true), ..filter.clone() };
    let words = filter.q.unwrap_or_default().split_whitespace().take(3).map(pattern).collect();
    let page = Page { scope, filter: &narrowed, words, after, limit };
    match turn {
        Turn::In(_) if scope.sealed && !scope.all && scope.units.is_empty() => page.read(tx, walks.sealed, &[]).await,
        Turn::In(_) => page.read(tx, walks.in_state, &[]).await,
        Turn::Led { unit, handler: None, .. } => page.read(tx, walks.led, &[unit]).await,
        Turn::Led { unit, handler: Some(handler), .. } => {
            let mut found = page.read(tx, walks.free, &[unit]).await?;
            found.extend(page.read(tx, walks.own, &[unit, &handler.to_string()]).await?);
            Ok(found)
        }
        Turn::Decide(what) => page.read(tx, walks.decide, &[what]).await,
        Turn::Asked(unit) => page.read(tx, walks.asked, &[unit]).await,
    }
}

/// How many open cases that the officer sees are due from one instant on and before another, up to [`MOST_COUNTED`];
/// without an end, also those that have no due date.
///
/// # Errors
/// `Database`.
pub async fn count_open(
    tx: &mut Tx,
    scope: &CaseScope,
    from: Option<Timestamp>,
    before: Option<Timestamp>,
) -> Result<i64, StoreError> {
    macro_rules! count_sql {
        ($from:literal, $sort:literal) => {
            concat!(
                "SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT 1 AS one FROM ",
                $from,
                " AND c.open AND ",
                $sort,
                " >= $5 AND ",
                $sort,
                " < $6 AND ",
                visibility_sql!(),
                " LIMIT $7) AS counted"
            )
        };
    }
    const ALL: &str = count_sql!("cases c WHERE TRUE", "c.sort_due");
    const SEALED: &str = count_sql!("cases c WHERE c.sealed", "c.sort_due");
    const LED: &str = count_sql!("cases c WHERE c.lead_unit = $8 AND NOT c.sealed", "c.sort_due");
    // A case that several units of the scope have a part in counts where it is led, or else for the first of them.
    const ASSISTED: &str = count_sql!(
        "case_units m CROSS JOIN cases c WHERE m.unit = $8 AND m.part = 'assist' AND c.id = m.case_id \
         AND NOT c.sealed AND NOT EXISTS (SELECT 1 FROM case_units e WHERE e.case_id = m.case_id \
         AND (e.part = 'lead' OR (e.part = 'assist' AND e.unit < m.unit)) \
         AND e.unit IN (SELECT value ->> 'u' FROM json_each($3)))",
        "m.sort_due"
    );
    let mut walks: Vec<(&'static str, Option<&str>)> = Vec::new();
    if scope.all {
        walks.push((ALL, None));
    } else {
        walks.extend(scope.sealed.then_some((SEALED, None)));
        walks.extend(scope.units.iter().flat_map(|unit| [(LED, Some(unit.as_str())), (ASSISTED, Some(unit.as_str()))]));
    }
    let mut count = 0;
    for (sql, unit) in walks {
        let row: (i64,) = on_backend!(tx, |conn| {
            let query = sqlx::query_as(sql)
                .bind(scope.all)
                .bind(scope.sealed)
                .bind(units_json(&scope.units))
                .bind(units_json(&scope.own_units))
                .bind(from.map_or(i64::MIN, Timestamp::as_millisecond))
                .bind(before.map_or(FINISHED, Timestamp::as_millisecond))
                .bind(MOST_COUNTED - count);
            let query = if let Some(unit) = unit { query.bind(unit) } else { query };
            query.fetch_one(conn).await?
        });
        count += row.0;
        if count >= MOST_COUNTED {
            break;
        }
    }
    Ok(count)
}
