//! Lists and counts of conversations: pages of all, what waits at a desk.

use super::ConversationRow;
use crate::{
    domain::ids::OfficerId,
    on_backend,
    store::{StoreError, Tx},
};

/// What the list of conversations is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct ConversationFilter<'a> {
    /// Only this state; without it every state but `bot` and `collecting`, unless `all`.
    pub state: Option<&'a str>,
    /// Only conversations of this officer.
    pub officer: Option<OfficerId>,
    /// Conversations the bot still has, too.
    pub all: bool,
    /// Change time and id after which the page begins.
    pub before: Option<(i64, &'a str)>,
}

/// A page of conversations, the last changed first.
///
/// # Errors
/// `Database`.
pub async fn list(
    tx: &mut Tx,
    filter: &ConversationFilter<'_>,
    limit: i64,
) -> Result<Vec<ConversationRow>, StoreError> {
    // Each text names what an index is for in constants: neither planner sees through a parameter.
    macro_rules! list_sql {
        ($where:literal) => {
            concat!(
                "SELECT id, visitor_id, channel, state, officer_id, unit, fence, seq, version, dialogue, flags, topic, ",
                "handoff_reason, handoff_note, last_text, queued_at, claimed_at, visitor_at, changed_at, created_at, ",
                "closed_at FROM conversations WHERE ",
                $where,
                " AND (CAST($1 AS TEXT) IS NULL OR officer_id = $1) AND (CAST($2 AS TEXT) IS NULL OR state = $2) ",
                "AND changed_at <= $3 AND (changed_at < $3 OR id > $4) AND seq > 0 ",
                "ORDER BY changed_at DESC, id LIMIT $5"
            )
        };
    }
    const OFFICERS: &str = list_sql!("officer_id = $1");
    const DESK: &str = list_sql!("state IN ('queued', 'human')");
    const CLOSED: &str = list_sql!("state = 'closed'");
    const OPEN: &str = list_sql!("state <> 'closed'");
    let walks: &[&'static str] = match filter.state {
        _ if filter.officer.is_some() && (filter.all || filter.state.is_some()) => &[OFFICERS],
        Some("closed") => &[CLOSED],
        Some("queued" | "human") => &[DESK],
        Some(_) => &[OPEN],
        None if filter.all => &[OPEN, CLOSED],
        None => &[DESK],
    };
    let (at, id) = filter.before.unwrap_or((i64::MAX, ""));
    let mut rows: Vec<ConversationRow> = Vec::new();
    for &sql in walks {
        rows.extend(on_backend!(tx, |conn| sqlx::query_as::<_, ConversationRow>(sql)
            .bind(filter.officer.map(|officer| officer.to_string()))
            .bind(filter.state)
            .bind(at)
            .bind(id)
            .bind(limit)
            .fetch_all(conn)
            .await?));
    }
    if walks.len() > 1 {
        rows.sort_by(|a, b| b.changed_at.cmp(&a.changed_at).then_with(|| a.id.cmp(&b.id)));
        rows.truncate(usize::try_from(limit).unwrap_or(0));
    }
    Ok(rows)
}

/// Which conversations an officer who converses may see: all that no unit has, those of these units, one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The officer.
    pub officer: OfficerId,
    /// Those of every unit.
    pub all: bool,
    /// Slugs of units.
    pub units: Vec<String>,
}

impl Reach {
    fn units_json(&self) -> String {
        serde_json::Value::Array(self.units.iter().map(|unit| serde_json::json!({ "u": unit })).collect()).to_string()
    }
}

/// Conversations that wait for a person, the longest waiting first, or the officer's own, the last changed first.
///
/// # Errors
/// `Database`.
pub async fn of_desk(tx: &mut Tx, reach: &Reach, mine: bool, limit: i64) -> Result<Vec<ConversationRow>, StoreError> {
    macro_rules! desk_sql {
        ($where:literal) => {
            concat!(
                "SELECT id, visitor_id, channel, state, officer_id, unit, fence, seq, version, dialogue, flags, topic, ",
                "handoff_reason, handoff_note, last_text, queued_at, claimed_at, visitor_at, changed_at, created_at, ",
                "closed_at FROM conversations WHERE state IN ('queued', 'human') AND seq > 0 AND ",
                $where,
                " LIMIT $4"
            )
        };
    }
    const WAITING: &str = desk_sql!(
        "state = 'queued' AND (officer_id = $1 OR unit IS NULL OR $2 \
         OR unit IN (SELECT value ->> 'u' FROM json_each($3))) ORDER BY queued_at, id"
    );
    const MINE: &str =
        desk_sql!("state = 'human' AND officer_id = $1 AND ($2 OR $3 <> '') ORDER BY changed_at DESC, id");
    let sql = if mine { MINE } else { WAITING };
    Ok(on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(reach.officer.to_string())
        .bind(reach.all)
        .bind(reach.units_json())
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// How many conversations wait that the officer may take, and how many the officer has.
///
/// # Errors
/// `Database`.
pub async fn desk_counts(tx: &mut Tx, reach: &Reach) -> Result<(i64, i64), StoreError> {
    const SQL: &str = "SELECT CAST(COALESCE(SUM(CASE WHEN state = 'queued' AND (officer_id = $1 OR unit IS NULL OR $2 \
        OR unit IN (SELECT value ->> 'u' FROM json_each($3))) THEN 1 ELSE 0 END), 0) AS BIGINT), \
        CAST(COALESCE(SUM(CASE WHEN state = 'human' AND officer_id = $1 THEN 1 ELSE 0 END), 0) AS BIGINT) \
        FROM conversations WHERE state IN ('queued', 'human') AND seq > 0";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(reach.officer.to_string())
        .bind(reach.all)
        .bind(reach.units_json())
        .fetch_one(conn)
        .await?))
}

/// How many conversations wait for a person. Both states are named, because SQLite takes the index only then.
///
/// # Errors
/// `Database`.
pub async fn count_queued(tx: &mut Tx) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM conversations WHERE state IN ('queued', 'human') AND state = 'queued'";
    let row: (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_one(conn).await?);
    Ok(row.0)
}

/// How many conversations have waited longer than this one.
///
/// # Errors
/// `Database`.
pub async fn count_queued_before(tx: &mut Tx, queued_at: i64) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM conversations WHERE state IN ('queued', 'human') AND state = 'queued' \
        AND queued_at < $1";
    let row: (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(queued_at).fetch_one(conn).await?);
    Ok(row.0)
}
