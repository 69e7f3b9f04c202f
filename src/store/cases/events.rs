//! The history of cases: a chain of hashes per case, appended in the transaction of the change it records.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    domain::{
        case::{ActorStamp, CaseEvent, Fact},
        ids::CaseId,
    },
    on_backend, row_struct,
    store::{StoreError, Tx},
};

#[derive(Serialize, Deserialize)]
struct FactDto {
    k: String,
    v: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    p: bool,
}

row_struct! {
    struct EventRow {
        seq: i64,
        kind: String,
        actor_kind: String,
        actor_id: Option<String>,
        actor_name: Option<String>,
        actor_unit: Option<String>,
        from_status: String,
        to_status: String,
        facts: String,
        request_id: Option<String>,
        at: i64,
        prev_hash: String,
        hash: String,
    }
}

impl EventRow {
    fn digest(&self, case: &str) -> String {
        let mut hasher = Sha256::new();
        let none = String::new();
        let (seq, at) = (self.seq.to_string(), self.at.to_string());
        let fields = [
            &self.prev_hash,
            &case.to_owned(),
            &seq,
            &self.kind,
            &self.actor_kind,
            self.actor_id.as_ref().unwrap_or(&none),
            self.actor_name.as_ref().unwrap_or(&none),
            self.actor_unit.as_ref().unwrap_or(&none),
            &self.from_status,
            &self.to_status,
            &self.facts,
            self.request_id.as_ref().unwrap_or(&none),
            &at,
        ];
        for field in fields {
            // The length first: no two different rows may give the same bytes.
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field.as_bytes());
        }
        hex::encode(hasher.finalize())
    }

    fn read(self, case: CaseId) -> Option<CaseEvent> {
        let facts: Vec<FactDto> = serde_json::from_str(&self.facts).ok()?;
        let kind = match self.actor_kind.as_str() {
            "enterprise" => "enterprise",
            "proxy" => "proxy",
            "officer" => "officer",
            "bot" => "bot",
            "timer" => "timer",
            _ => return None,
        };
        Some(CaseEvent {
            case,
            seq: self.seq,
            kind: self.kind.parse().ok()?,
            actor: ActorStamp { kind, id: self.actor_id, name: self.actor_name, unit: self.actor_unit },
            from: self.from_status.parse().ok()?,
            to: self.to_status.parse().ok()?,
            at: Timestamp::from_millisecond(self.at).ok()?,
            facts: facts.into_iter().map(|fact| Fact { key: fact.k, value: fact.v, public: fact.p }).collect(),
        })
    }
}

const COLUMNS: &str = "SELECT seq, kind, actor_kind, actor_id, actor_name, actor_unit, from_status, to_status, facts, \
    request_id, at, prev_hash, hash FROM case_events WHERE case_id = $1 ORDER BY seq";

/// Appends events; the first one carries the request id, which is unique within the case.
///
/// # Errors
/// `Database`; a unique violation when the request was applied already.
pub async fn append(tx: &mut Tx, events: &[CaseEvent], request_id: Option<&str>) -> Result<(), StoreError> {
    append_all(tx, &[events], request_id).await
}

/// Appends events to several cases, each list to one of them, in a few statements for all.
///
/// # Errors
/// `Database`; a unique violation when the request was applied already.
pub async fn append_all(tx: &mut Tx, lists: &[&[CaseEvent]], request_id: Option<&str>) -> Result<(), StoreError> {
    const LAST: &str = "SELECT value ->> 'id', (SELECT hash FROM case_events WHERE case_id = each.value ->> 'id' \
        ORDER BY seq DESC LIMIT 1) FROM json_each($1) AS each";
    const SQL: &str = "INSERT INTO case_events (case_id, seq, kind, actor_kind, actor_id, actor_name, actor_unit, \
        from_status, to_status, facts, request_id, at, prev_hash, hash) \
        SELECT value ->> 'case', CAST(value ->> 'seq' AS BIGINT), value ->> 'kind', value ->> 'actor_kind', \
        value ->> 'actor_id', value ->> 'actor_name', value ->> 'actor_unit', value ->> 'from', value ->> 'to', \
        value ->> 'facts', value ->> 'request', CAST(value ->> 'at' AS BIGINT), value ->> 'prev', value ->> 'hash' \
        FROM json_each($1)";
    const HEADS: &str = "INSERT INTO case_heads (case_id, events, head) \
        SELECT value ->> 'case', CAST(value ->> 'seq' AS BIGINT), value ->> 'hash' FROM json_each($1) WHERE TRUE \
        ON CONFLICT (case_id) DO UPDATE SET events = excluded.events, head = excluded.head";
    let begun: Vec<_> = lists
        .iter()
        .filter_map(|events| events.first().filter(|first| first.seq > 1))
        .map(|first| json!({"id": first.case.to_string()}))
        .collect();
    let mut last: HashMap<String, String> = HashMap::new();
    if !begun.is_empty() {
        let rows: Vec<(String, Option<String>)> =
            on_backend!(tx, |conn| sqlx::query_as(LAST).bind(json!(begun).to_string()).fetch_all(conn).await?);
        last.extend(rows.into_iter().filter_map(|(case, hash)| Some((case, hash?))));
    }
    let mut rows = Vec::new();
    for events in lists {
        let Some(first) = events.first() else { continue };
        let case = first.case.to_string();
        let mut prev_hash = last.remove(&case).unwrap_or_default();
        for (n, event) in events.iter().enumerate() {
            let facts: Vec<FactDto> = event
                .facts
                .iter()
                .map(|fact| FactDto { k: fact.key.clone(), v: fact.value.clone(), p: fact.public })
                .collect();
            let mut row = EventRow {
                seq: event.seq,
                kind: event.kind.to_string(),
                actor_kind: event.actor.kind.to_owned(),
                actor_id: event.actor.id.clone(),
                actor_name: event.actor.name.clone(),
                actor_unit: event.actor.unit.clone(),
                from_status: event.from.to_string(),
                to_status: event.to.to_string(),
                facts: serde_json::to_value(&facts).unwrap_or_default().to_string(),
                request_id: if n == 0 { request_id.map(str::to_owned) } else { None },
                at: event.at.as_millisecond(),
                prev_hash,
                hash: String::new(),
            };
            row.hash = row.digest(&case);
            rows.push(json!({
                "case": case, "seq": row.seq, "kind": row.kind, "actor_kind": row.actor_kind,
                "actor_id": row.actor_id, "actor_name": row.actor_name, "actor_unit": row.actor_unit,
                "from": row.from_status, "to": row.to_status, "facts": row.facts, "request": row.request_id,
                "at": row.at, "prev": row.prev_hash, "hash": row.hash,
            }));
            prev_hash = row.hash;
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let begun = lists.iter().filter(|events| events.first().is_some_and(|first| first.seq == 1)).count();
    let added = rows.len();
    // The last row of each case is what its history ends with now.
    let ends: Vec<_> = lists
        .iter()
        .scan(0, |at, events| {
            *at += events.len();
            Some((*at, events.is_empty()))
        })
        .filter(|(_, empty)| !empty)
        .filter_map(|(end, _)| rows.get(end - 1).cloned())
        .collect();
    let rows = json!(rows).to_string();
    on_backend!(tx, |conn| sqlx::query(SQL).bind(rows.as_str()).execute(conn).await.map(|_| ()))?;
    let ends = json!(ends).to_string();
    on_backend!(tx, |conn| sqlx::query(HEADS).bind(ends.as_str()).execute(conn).await.map(|_| ()))?;
    tx.note_history(i64::try_from(begun).unwrap_or(i64::MAX), i64::try_from(added).unwrap_or(i64::MAX));
    Ok(())
}

/// The history of a case, oldest first.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn list(tx: &mut Tx, case: CaseId) -> Result<Vec<CaseEvent>, StoreError> {
    let id = case.to_string();
    let rows: Vec<EventRow> = on_backend!(tx, |conn| sqlx::query_as(COLUMNS).bind(id.as_str()).fetch_all(conn).await?);
    rows.into_iter()
        .map(|row| {
            let seq = row.seq;
            row.read(case).ok_or_else(|| StoreError::Inconsistent {
                table: "case_events",
                column: "kind",
                id: format!("{id}/{seq}"),
            })
        })
        .collect()
}

/// One particular of an event as it is stored.
pub(super) fn fact(facts: &str, key: &str) -> Option<String> {
    let facts: Vec<FactDto> = serde_json::from_str(facts).ok()?;
    facts.into_iter().find(|fact| fact.k == key).map(|fact| fact.v)
}

/// The hash of the last event of a case: it stands for the whole history up to there.
///
/// # Errors
/// `Database`.
pub async fn head(tx: &mut Tx, case: CaseId) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT hash FROM case_events WHERE case_id = $1 ORDER BY seq DESC LIMIT 1";
    let row: Option<(String,)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(case.to_string()).fetch_optional(conn).await?);
    Ok(row.map(|(hash,)| hash))
}

/// The id of the request that was applied to a case under this key: the key alone, or the key, a mark and more.
///
/// # Errors
/// `Database`.
pub async fn request(tx: &mut Tx, case: CaseId, key: &str, mark: char) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT request_id FROM case_events WHERE case_id = $1 AND request_id IS NOT NULL \
        AND (request_id = $2 OR substr(request_id, 1, length(CAST($3 AS TEXT))) = $3)";
    let row: Option<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(case.to_string())
        .bind(key)
        .bind(format!("{key}{mark}"))
        .fetch_optional(conn)
        .await?);
    Ok(row.map(|(id,)| id))
}

/// One event in the chain of its case, as far as the chain is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Link {
    /// Number within the case.
    pub(in crate::store) seq: i64,
    prev: String,
    hash: String,
    /// The hash is that of the row.
    fits: bool,
}

impl Link {
    fn of(row: EventRow, case: &str) -> Self {
        let fits = row.hash == row.digest(case);
        Self { seq: row.seq, prev: row.prev_hash, hash: row.hash, fits }
    }

    /// Reads a row as a dump has it; gives its case with it.
    pub(in crate::store) fn from_json(row: &serde_json::Value) -> Option<(String, Self)> {
        let text = |key: &str| row[key].as_str().map(str::to_owned);
        let case = text("case_id")?;
        let row = EventRow {
            seq: row["seq"].as_i64()?,
            kind: text("kind")?,
            actor_kind: text("actor_kind")?,
            actor_id: text("actor_id"),
            actor_name: text("actor_name"),
            actor_unit: text("actor_unit"),
            from_status: text("from_status")?,
            to_status: text("to_status")?,
            facts: text("facts")?,
            request_id: text("request_id"),
            at: row["at"].as_i64()?,
            prev_hash: text("prev_hash")?,
            hash: text("hash")?,
        };
        let link = Self::of(row, &case);
        Some((case, link))
    }
}

/// The number of the first event of a case that does not fit, if there is one; `head` is number and hash of the event
/// that must be the last, where that is known.
pub(in crate::store) fn broken_at(links: &[Link], head: Option<(i64, &str)>) -> Option<i64> {
    let mut prev = "";
    for (n, link) in links.iter().enumerate() {
        let expected = i64::try_from(n + 1).unwrap_or(i64::MAX);
        if link.seq != expected || link.prev != prev || !link.fits {
            return Some(expected);
        }
        prev = &link.hash;
    }
    let (events, hash) = head?;
    let there = i64::try_from(links.len()).unwrap_or(i64::MAX);
    (events != there || hash != prev).then(|| events.min(there).saturating_add(1))
}

/// Checks the chain of one case and, where heads are kept, that it ends where it must; gives the number of the first
/// event that does not fit, if there is one.
///
/// # Errors
/// `Database`.
pub async fn first_break(tx: &mut Tx, case: &str, heads: bool) -> Result<Option<i64>, StoreError> {
    const HEAD: &str = "SELECT events, head FROM case_heads WHERE case_id = $1";
    let rows: Vec<EventRow> = on_backend!(tx, |conn| sqlx::query_as(COLUMNS).bind(case).fetch_all(conn).await?);
    let links: Vec<Link> = rows.into_iter().map(|row| Link::of(row, case)).collect();
    if !heads {
        return Ok(broken_at(&links, None));
    }
    let head: Option<(i64, String)> =
        on_backend!(tx, |conn| sqlx::query_as(HEAD).bind(case).fetch_optional(conn).await?);
    let (events, hash) = head.unwrap_or_default();
    Ok(broken_at(&links, Some((events, hash.as_str()))))
}

/// Cases and events that were written, and those there are by the heads.
///
/// # Errors
/// `Database`.
pub(in crate::store) async fn totals(tx: &mut Tx) -> Result<Option<[(i64, i64); 2]>, StoreError> {
    const SQL: &str = "SELECT t.cases, t.events, (SELECT COUNT(*) FROM case_heads), \
        (SELECT CAST(COALESCE(SUM(h.events), 0) AS BIGINT) FROM case_heads h) FROM audit_total t";
    let row: Option<(i64, i64, i64, i64)> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_optional(conn).await?);
    Ok(row.map(|(cases, events, there, in_all)| [(cases, events), (there, in_all)]))
}
