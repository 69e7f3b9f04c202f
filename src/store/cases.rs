//! Cases in the database: one row per case, its history, and the tables that lists, sweeps and reports read.
//!
//! [`find`] and [`find_by_number`] do not ask who wants to know; everything officers see goes through
//! [`list::page`] and [`list::visible`], whose SQL carries the scope. Saving compares the version.

mod codec;
pub mod events;
pub mod list;
pub mod matters;
pub mod packages;
pub mod search;
pub mod similar;
pub mod turns;

use std::collections::HashSet;

use jiff::{Timestamp, civil::Date};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    domain::{
        case::{Case, CaseNumber, QueryCode},
        ids::{CaseId, ConversationId},
        text,
    },
    on_backend, row_struct,
    store::{StoreError, Tx},
};

row_struct! {
    struct CaseRow {
        id: String,
        number: String,
        query_code: String,
        version: i64,
        original_words: String,
        detail: String,
    }
}

impl CaseRow {
    fn read(self) -> Result<Case, StoreError> {
        codec::decode(codec::Stored {
            id: &self.id,
            number: &self.number,
            query_code: &self.query_code,
            version: self.version,
            original_words: self.original_words,
            detail: &self.detail,
        })
    }
}

/// The next number of a day: counted per day, never used again.
///
/// # Errors
/// `Database`.
pub async fn next_number(tx: &mut Tx, day: Date) -> Result<CaseNumber, StoreError> {
    const SQL: &str = "INSERT INTO case_numbers (day, last) VALUES ($1, 1) \
        ON CONFLICT (day) DO UPDATE SET last = case_numbers.last + 1 RETURNING last";
    let (last,): (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(day.to_string()).fetch_one(conn).await?);
    Ok(CaseNumber::new(day, u32::try_from(last).unwrap_or(u32::MAX)))
}

/// Open cases by their next due date, then open ones without, then finished ones, the newest first.
fn sort_due(case: &Case) -> i64 {
    const WITHOUT_DUE: i64 = 4_000_000_000_000_000;
    const FINISHED: i64 = 8_000_000_000_000_000;
    if !case.status.is_open() {
        return FINISHED - case.changed_at.as_millisecond();
    }
    case.next_due().map_or(WITHOUT_DUE + case.submitted_at.as_millisecond(), Timestamp::as_millisecond)
}

/// What `q` looks into: the number, the title, the wish and, unless it is confidential, the enterprise.
fn search_text(case: &Case) -> String {
    let name = case.party.enterprise.as_str();
    let all = format!("{} {} {} {name}", case.number, case.title, case.demand);
    if !(case.party.confidential || case.sealed) {
        return all.to_lowercase();
    }
    // A hit would tell the name as surely as showing it.
    let mut hidden = text::mask_personal(&all);
    for known in [name, case.party.contact_name.as_str()] {
        if known.chars().count() >= 2 {
            hidden = hidden.replace(known, "");
        }
    }
    hidden.to_lowercase()
}

/// Stores a new case.
///
/// # Errors
/// `Database`; a unique violation when the number is taken.
pub async fn insert(tx: &mut Tx, case: &Case) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO cases (id, number, query_code, version, original_words, conversation_id, region, \
        channel, submitted_at, status, round, case_type, topic, urgency, complexity, title, enterprise, uscc, lead_unit, \
        proposed_lead, handler, policy, sealed, confidential, open, due_at, due_clock, sort_due, labels, \
        parent, search, detail, accepted_at, dispatched_at, closed_at, entered_at, changed_at) \
        VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, $9, 0, '', NULL, '', NULL, '', '', NULL, NULL, NULL, NULL, '', \
        $10, FALSE, TRUE, NULL, NULL, 0, '', NULL, '', '', NULL, NULL, NULL, $8, $8)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(case.id.to_string())
        .bind(case.number.as_str())
        .bind(case.query_code.as_str())
        .bind(case.original_words.as_str())
        .bind(case.conversation.map(|id| id.to_string()))
        .bind(case.region.as_str())
        .bind(case.channel.as_str())
        .bind(case.submitted_at.as_millisecond())
        .bind(case.status.as_str())
        .bind(case.sealed)
        .execute(conn)
        .await
        .map(|_| ()))?;
    write_row(tx, case, 1).await?;
    write_parts(tx, &[case]).await
}

/// The cases merged into another one.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn merged_into(tx: &mut Tx, parent: &CaseNumber) -> Result<Vec<Case>, StoreError> {
    const SQL: &str = "SELECT id, number, query_code, version, original_words, detail FROM cases \
        WHERE parent = $1 AND status = 'merged' ORDER BY id";
    let rows: Vec<CaseRow> = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(parent.as_str()).fetch_all(conn).await?);
    rows.into_iter().map(CaseRow::read).collect()
}

/// Stores a changed case, unless somebody else was first.
///
/// # Errors
/// `Conflict` when the version is not the expected one, `Database`.
pub async fn update(tx: &mut Tx, case: &Case, expected: i64) -> Result<(), StoreError> {
    write_row(tx, case, expected).await?;
    write_parts(tx, &[case]).await
}

/// Stores changed cases, each with the version it was read with: what lies beside their rows in a few statements for all.
///
/// # Errors
/// `Conflict` when the version of one is not the expected one, `Database`.
pub async fn update_all(tx: &mut Tx, cases: &[&Case]) -> Result<(), StoreError> {
    for case in cases {
        write_row(tx, case, case.version).await?;
    }
    write_parts(tx, cases).await
}

async fn write_row(tx: &mut Tx, case: &Case, expected: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE cases SET version = version + 1, status = $3, round = $4, case_type = $5, topic = $6, \
        urgency = $7, complexity = $8, title = $9, enterprise = $10, uscc = $11, lead_unit = $12, proposed_lead = $13, \
        handler = $14, policy = $15, sealed = $16, confidential = $17, open = $18, due_at = $19, due_clock = $20, \
        sort_due = $21, labels = $22, parent = $23, search = $24, detail = $25, accepted_at = $26, \
        dispatched_at = $27, closed_at = $28, entered_at = $29, changed_at = $30, repeat_of = $31, \
        asked = $32 WHERE id = $1 AND version = $2";
    let id = case.id.to_string();
    let ms = Timestamp::as_millisecond;
    let sort = sort_due(case);
    let leading = case.leading_clock().filter(|_| case.status.is_open()).map(|clock| clock.key.as_str());
    let labels = case.overlay_labels().join("、");
    let words = search_text(case);
    let done = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id.as_str())
        .bind(expected)
        .bind(case.status.as_str())
        .bind(i64::from(case.round))
        .bind(case.case_type.as_str())
        .bind(case.topic.as_deref())
        .bind(case.urgency.as_str())
        .bind(case.complexity.map(crate::domain::kinds::Complexity::as_str))
        .bind(case.title.as_str())
        .bind(case.party.enterprise.as_str())
        .bind(case.party.uscc.as_deref())
        .bind(case.lead_unit.as_deref())
        .bind(case.proposed_lead.as_deref())
        .bind(case.handler.map(|id| id.to_string()))
        .bind(case.requirements.profile.as_str())
        .bind(case.sealed)
        .bind(case.party.confidential)
        .bind(case.status.is_open())
        .bind(case.next_due().map(ms))
        .bind(leading)
        .bind(sort)
        .bind(labels.as_str())
        .bind(case.overlay.parent.as_ref().map(CaseNumber::as_str))
        .bind(words.as_str())
        .bind(codec::encode(case))
        .bind(case.accepted_at.map(ms))
        .bind(case.dispatched_at.map(ms))
        .bind(case.closings.last().map(|closing| ms(closing.at)))
        .bind(ms(case.entered_at))
        .bind(ms(case.changed_at))
        .bind(case.overlay.repeat_of.as_ref().map(CaseNumber::as_str))
        .bind(case.asked())
        .execute(conn)
        .await?
        .rows_affected());
    if done != 1 {
        return Err(StoreError::Conflict);
    }
    Ok(())
}

/// What lies beside the rows of these cases.
async fn write_parts(tx: &mut Tx, cases: &[&Case]) -> Result<(), StoreError> {
    let texts: Vec<(String, String)> = cases.iter().map(|case| (case.id.to_string(), search_text(case))).collect();
    search::put_changed(tx, &texts).await?;
    write_units(tx, cases).await?;
    write_tasks(tx, cases).await?;
    write_ratings(tx, cases).await?;
    write_closings(tx, cases).await?;
    for case in cases {
        write_signature(tx, case).await?;
    }
    Ok(())
}

async fn run(tx: &mut Tx, sql: &'static str, rows: Vec<serde_json::Value>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = serde_json::Value::Array(rows).to_string();
    on_backend!(tx, |conn| sqlx::query(sql).bind(rows.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

async fn write_units(tx: &mut Tx, cases: &[&Case]) -> Result<(), StoreError> {
    const CLEAR: &str = "DELETE FROM case_units WHERE case_id IN (SELECT value ->> 'case' FROM json_each($1))";
    const SQL: &str = "INSERT INTO case_units (case_id, unit, part, sort_due) \
        SELECT value ->> 'case', value ->> 'unit', value ->> 'part', CAST(value ->> 'sort' AS BIGINT) FROM json_each($1)";
    run(tx, CLEAR, cases.iter().map(|case| json!({"case": case.id.to_string()})).collect()).await?;
    let mut rows = Vec::new();
    for case in cases {
        let (id, sort) = (case.id.to_string(), sort_due(case));
        let row = |unit: &String, part: &str| json!({"case": id, "unit": unit, "part": part, "sort": sort});
        rows.extend(case.lead_unit.iter().map(|unit| row(unit, "lead")));
        rows.extend(case.assists.iter().map(|unit| row(unit, "assist")));
        rows.extend(case.recused.iter().map(|unit| row(unit, "recused")));
    }
    run(tx, SQL, rows).await
}

async fn write_tasks(tx: &mut Tx, cases: &[&Case]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO case_tasks (case_id, id, kind, unit, text, state, late, created_at, due_at, ended_at) \
        SELECT value ->> 'case', value ->> 'id', value ->> 'kind', value ->> 'unit', value ->> 'text', value ->> 'state', \
        CAST(value ->> 'late' AS BOOLEAN), CAST(value ->> 'created' AS BIGINT), CAST(value ->> 'due' AS BIGINT), \
        CAST(value ->> 'ended' AS BIGINT) FROM json_each($1) WHERE TRUE \
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, late = excluded.late, due_at = excluded.due_at, \
        ended_at = excluded.ended_at";
    let ms = Timestamp::as_millisecond;
    let tasks = cases.iter().flat_map(|case| case.tasks.iter().map(move |task| (case.id, task)));
    let rows = tasks.map(|(case, task)| {
        json!({"case": case.to_string(), "id": task.id.to_string(), "kind": task.kind.as_str(), "unit": task.unit,
            "text": task.text, "state": task.state.as_str(), "late": task.late, "created": ms(task.created_at),
            "due": task.due_at.map(ms), "ended": task.ended_at.map(ms)})
    });
    run(tx, SQL, rows.collect()).await
}

async fn write_ratings(tx: &mut Tx, cases: &[&Case]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO case_ratings (case_id, n, round, grade, solved, reason, words, unit, at) \
        SELECT value ->> 'case', CAST(value ->> 'n' AS BIGINT), CAST(value ->> 'round' AS BIGINT), \
        CAST(value ->> 'grade' AS BIGINT), CAST(value ->> 'solved' AS BOOLEAN), value ->> 'reason', value ->> 'words', \
        value ->> 'unit', CAST(value ->> 'at' AS BIGINT) FROM json_each($1) WHERE TRUE \
        ON CONFLICT (case_id, n) DO NOTHING";
    let ratings =
        cases.iter().flat_map(|case| case.ratings.iter().enumerate().map(move |(n, rating)| (case, n, rating)));
    let rows = ratings.map(|(case, n, rating)| {
        json!({"case": case.id.to_string(), "n": n + 1, "round": rating.round, "grade": rating.grade,
            "solved": rating.solved, "reason": rating.reason, "words": rating.words, "unit": case.lead_unit,
            "at": rating.at.as_millisecond()})
    });
    run(tx, SQL, rows.collect()).await
}

async fn write_closings(tx: &mut Tx, cases: &[&Case]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO case_closings (case_id, n, round, conclusion, resolved_layer, silent, in_time, unit, at) \
        SELECT value ->> 'case', CAST(value ->> 'n' AS BIGINT), CAST(value ->> 'round' AS BIGINT), \
        value ->> 'conclusion', value ->> 'layer', CAST(value ->> 'silent' AS BOOLEAN), \
        CAST(value ->> 'in_time' AS BOOLEAN), value ->> 'unit', CAST(value ->> 'at' AS BIGINT) \
        FROM json_each($1) WHERE TRUE ON CONFLICT (case_id, n) DO NOTHING";
    let closings = cases.iter().flat_map(|case| case.closings.iter().enumerate().map(move |(n, end)| (case, n, end)));
    let rows = closings.map(|(case, n, closing)| {
        json!({"case": case.id.to_string(), "n": n + 1, "round": closing.round,
            "conclusion": closing.conclusion.as_str(), "layer": closing.resolved_layer, "silent": closing.silent,
            "in_time": closing.in_time, "unit": case.lead_unit, "at": closing.at.as_millisecond()})
    });
    run(tx, SQL, rows.collect()).await
}

async fn write_signature(tx: &mut Tx, case: &Case) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO case_signatures (case_id, signed_at, text, text_hash, conclusion, drafter, signer, \
        as_deputy, released_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
        ON CONFLICT (case_id, signed_at) DO UPDATE SET released_at = excluded.released_at";
    let Some(signature) = &case.signature else { return Ok(()) };
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(case.id.to_string())
        .bind(signature.at.as_millisecond())
        .bind(signature.text.as_str())
        .bind(hex::encode(Sha256::digest(signature.text.as_bytes())))
        .bind(signature.conclusion.as_str())
        .bind(signature.drafter.to_string())
        .bind(signature.signer.to_string())
        .bind(signature.as_deputy)
        .bind(signature.released_at.map(Timestamp::as_millisecond))
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// A case by its id.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn find(tx: &mut Tx, id: CaseId) -> Result<Option<Case>, StoreError> {
    const SQL: &str = "SELECT id, number, query_code, version, original_words, detail FROM cases WHERE id = $1";
    let row: Option<CaseRow> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(id.to_string()).fetch_optional(conn).await?);
    row.map(CaseRow::read).transpose()
}

/// Cases by their ids, in no order. A row that cannot be read stands as its error; what is not there is left out.
///
/// # Errors
/// `Database`.
pub async fn find_all(tx: &mut Tx, ids: &[CaseId]) -> Result<Vec<(CaseId, Result<Case, StoreError>)>, StoreError> {
    const SQL: &str = "SELECT id, number, query_code, version, original_words, detail FROM cases \
        WHERE id IN (SELECT value ->> 'id' FROM json_each($1))";
    let wanted: Vec<_> = ids.iter().map(|id| json!({"id": id.to_string()})).collect();
    let rows: Vec<CaseRow> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(json!(wanted).to_string()).fetch_all(conn).await?);
    Ok(rows.into_iter().filter_map(|row| Some((row.id.parse().ok()?, row.read()))).collect())
}

/// A case by its number.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn find_by_number(tx: &mut Tx, number: &CaseNumber) -> Result<Option<Case>, StoreError> {
    const SQL: &str = "SELECT id, number, query_code, version, original_words, detail FROM cases WHERE number = $1";
    let row: Option<CaseRow> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(number.as_str()).fetch_optional(conn).await?);
    row.map(CaseRow::read).transpose()
}

/// The cases of one query code: those that were filed together.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn of_code(tx: &mut Tx, code: &QueryCode) -> Result<Vec<Case>, StoreError> {
    const SQL: &str = "SELECT id, number, query_code, version, original_words, detail FROM cases \
        WHERE query_code = $1 ORDER BY number";
    let rows: Vec<CaseRow> = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(code.as_str()).fetch_all(conn).await?);
    rows.into_iter().map(CaseRow::read).collect()
}

/// Which of these conversations a sealed case came out of.
///
/// # Errors
/// `Database`.
pub async fn sealed_conversations(tx: &mut Tx, ids: &[&str]) -> Result<HashSet<String>, StoreError> {
    const SQL: &str = "SELECT DISTINCT conversation_id FROM cases \
        WHERE sealed AND conversation_id IN (SELECT value ->> 0 FROM json_each($1))";
    let json = json!(ids.iter().map(|id| [id]).collect::<Vec<_>>()).to_string();
    let rows: Vec<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(json.as_str()).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The cases of a conversation, newest first.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn of_conversation(tx: &mut Tx, conversation: ConversationId) -> Result<Vec<Case>, StoreError> {
    const SQL: &str = "SELECT id, number, query_code, version, original_words, detail FROM cases \
        WHERE conversation_id = $1 ORDER BY number DESC LIMIT 50";
    let rows: Vec<CaseRow> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).fetch_all(conn).await?);
    rows.into_iter().map(CaseRow::read).collect()
}

/// The cases of the person of a conversation: its own and those of conversations that were joined to it, newest first.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn of_person(tx: &mut Tx, conversation: ConversationId) -> Result<Vec<Case>, StoreError> {
    const SQL: &str = "SELECT id, number, query_code, version, original_words, detail FROM cases \
        WHERE conversation_id = $1 OR conversation_id IN \
            (SELECT former_id FROM conversation_joins WHERE into_id = $1) ORDER BY number DESC LIMIT 50";
    let rows: Vec<CaseRow> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).fetch_all(conn).await?);
    rows.into_iter().map(CaseRow::read).collect()
}

/// Open cases of the same enterprise, newest first: where duplicates are looked for.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn open_of_enterprise(
    tx: &mut Tx,
    spellings: &[String; 3],
    uscc: Option<&str>,
) -> Result<Vec<Case>, StoreError> {
    const SQL: &str = "SELECT id, number, query_code, version, original_words, detail FROM cases \
        WHERE open AND NOT sealed AND ((enterprise <> '' AND enterprise IN ($1, $2, $3)) \
        OR (uscc IS NOT NULL AND uscc = $4)) ORDER BY number DESC LIMIT 30";
    let [first, second, third] = spellings;
    let rows: Vec<CaseRow> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(first)
        .bind(second)
        .bind(third)
        .bind(uscc)
        .fetch_all(conn)
        .await?);
    rows.into_iter().map(CaseRow::read).collect()
}

/// Ids of all cases in pages, for checks of the whole.
///
/// # Errors
/// `Database`.
pub async fn ids_after(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<String>, StoreError> {
    const SQL: &str = "SELECT id FROM cases WHERE id > $1 ORDER BY id LIMIT $2";
    let rows: Vec<(String,)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(after).bind(limit).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
