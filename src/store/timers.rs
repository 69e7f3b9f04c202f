//! Clocks and timers of the cases: written with every change of a case, claimed by the sweep.
//!
//! A timer that has fired never waits again, whatever is written later; that and the single UPDATE of
//! [`claim`] make every step happen once, also after a restart and with several gateways.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::json;

use super::{StoreError, Tx};
use crate::{
    domain::{
        case::{CaseClock, ClockKey, ClockState},
        ids::{CaseId, TaskId},
        sla::{Budget, Unit},
    },
    on_backend, row_struct,
};

/// One thing that happens at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Timer {
    /// The case.
    pub case: CaseId,
    /// The clock whose ladder it climbs; `None` for an action of the system.
    pub clock: Option<ClockKey>,
    /// The clock's turn; the moment itself for an action, so that the same action may happen again later.
    pub turn: i64,
    /// `rung:2` or `act:deem_signed`.
    pub step: String,
    /// When.
    pub at: Timestamp,
}

impl Timer {
    fn clock_text(&self) -> &'static str {
        self.clock.map_or("", ClockKey::as_str)
    }
}

row_struct! {
    /// A clock as stored.
    struct ClockRow {
        case_id: String,
        key: String,
        turn: i64,
        task_id: Option<String>,
        owner: String,
        started_at: i64,
        limit_unit: Option<String>,
        limit_n: Option<i64>,
        limit_at: Option<i64>,
        extension_days: i64,
        due_at: Option<i64>,
        provisional: bool,
        state: String,
        stopped_at: Option<i64>,
        missed: bool,
    }
}

row_struct! {
    /// A timer as stored.
    struct TimerRow {
        case_id: String,
        clock: String,
        turn: i64,
        step: String,
        at: i64,
    }
}

fn inconsistent(table: &'static str, column: &'static str, id: &str) -> StoreError {
    StoreError::Inconsistent { table, column, id: id.to_owned() }
}

fn time(table: &'static str, column: &'static str, id: &str, ms: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(ms).map_err(|_| inconsistent(table, column, id))
}

impl ClockRow {
    fn read(self) -> Result<(CaseId, CaseClock), StoreError> {
        use crate::domain::case::model::Limit;
        let id = &self.case_id;
        let bad = |column| inconsistent("clocks", column, id);
        let at = |column, ms| time("clocks", column, id, ms);
        let limit = match (self.limit_unit.as_deref(), self.limit_n, self.limit_at) {
            (Some(unit), Some(n), _) => Limit::Budget(Budget {
                unit: unit.parse::<Unit>().map_err(|_| bad("limit_unit"))?,
                n: u32::try_from(n).map_err(|_| bad("limit_n"))?,
            }),
            (None, _, Some(until)) => Limit::Until(at("limit_at", until)?),
            _ => Limit::Open,
        };
        let clock = CaseClock {
            key: self.key.parse().map_err(|_| bad("key"))?,
            turn: u16::try_from(self.turn).map_err(|_| bad("turn"))?,
            task: self.task_id.as_deref().map(str::parse::<TaskId>).transpose().map_err(|_| bad("task_id"))?,
            owner: self.owner.clone(),
            started_at: at("started_at", self.started_at)?,
            limit,
            extension_days: u32::try_from(self.extension_days).map_err(|_| bad("extension_days"))?,
            due_at: self.due_at.map(|ms| at("due_at", ms)).transpose()?,
            provisional: self.provisional,
            state: self.state.parse::<ClockState>().map_err(|_| bad("state"))?,
            stopped_at: self.stopped_at.map(|ms| at("stopped_at", ms)).transpose()?,
            missed: self.missed,
        };
        Ok((id.parse().map_err(|_| bad("case_id"))?, clock))
    }
}

impl TimerRow {
    fn read(self) -> Result<Timer, StoreError> {
        let bad = |column| inconsistent("timers", column, &self.case_id);
        Ok(Timer {
            case: self.case_id.parse().map_err(|_| bad("case_id"))?,
            clock: match self.clock.as_str() {
                "" => None,
                key => Some(key.parse().map_err(|_| bad("clock"))?),
            },
            turn: self.turn,
            at: time("timers", "at", &self.case_id, self.at)?,
            step: self.step,
        })
    }
}

/// Writes the clocks of one case as they are now; `calendar` is the version their due dates were computed with.
///
/// # Errors
/// `Database`.
pub async fn put_clocks(tx: &mut Tx, case: CaseId, clocks: &[CaseClock], calendar: &str) -> Result<(), StoreError> {
    put_clocks_of(tx, &[(case, clocks)], calendar).await
}

/// Writes the clocks of several cases as they are now.
///
/// # Errors
/// `Database`.
pub async fn put_clocks_of(tx: &mut Tx, cases: &[(CaseId, &[CaseClock])], calendar: &str) -> Result<(), StoreError> {
    use crate::domain::case::model::Limit;
    const SQL: &str = "INSERT INTO clocks (case_id, key, turn, task_id, owner, started_at, limit_unit, limit_n, limit_at, \
            extension_days, due_at, provisional, state, stopped_at, missed, calendar) \
        SELECT value ->> 'case', value ->> 'key', CAST(value ->> 'turn' AS BIGINT), value ->> 'task', value ->> 'owner', \
            CAST(value ->> 'started' AS BIGINT), value ->> 'unit', CAST(value ->> 'n' AS BIGINT), \
            CAST(value ->> 'until' AS BIGINT), CAST(value ->> 'extension' AS BIGINT), CAST(value ->> 'due' AS BIGINT), \
            CAST(value ->> 'provisional' AS BOOLEAN), value ->> 'state', CAST(value ->> 'stopped' AS BIGINT), \
            CAST(value ->> 'missed' AS BOOLEAN), $2 \
        FROM json_each($1) WHERE true \
        ON CONFLICT (case_id, key, turn) DO UPDATE SET task_id = excluded.task_id, owner = excluded.owner, \
            started_at = excluded.started_at, limit_unit = excluded.limit_unit, limit_n = excluded.limit_n, \
            limit_at = excluded.limit_at, extension_days = excluded.extension_days, due_at = excluded.due_at, \
            provisional = excluded.provisional, state = excluded.state, stopped_at = excluded.stopped_at, \
            missed = excluded.missed, calendar = excluded.calendar";
    let rows: Vec<_> = cases
        .iter()
        .flat_map(|(case, clocks)| clocks.iter().map(move |clock| (case, clock)))
        .map(|(case, c)| {
            let (unit, n, until) = match c.limit {
                Limit::Budget(Budget { unit, n }) => (Some(unit.as_str()), Some(n), None),
                Limit::Until(at) => (None, None, Some(at.as_millisecond())),
                Limit::Open => (None, None, None),
            };
            json!({
                "case": case.to_string(), "key": c.key.as_str(), "turn": c.turn, "task": c.task.map(|t| t.to_string()), "owner": c.owner,
                "started": c.started_at.as_millisecond(), "unit": unit, "n": n, "until": until,
                "extension": c.extension_days, "due": c.due_at.map(Timestamp::as_millisecond),
                "provisional": i32::from(c.provisional), "state": c.state.as_str(),
                "stopped": c.stopped_at.map(Timestamp::as_millisecond), "missed": i32::from(c.missed),
            })
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let rows = json!(rows).to_string();
    on_backend!(tx, |conn| sqlx::query(SQL).bind(rows).bind(calendar).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The clocks of these cases, oldest first within a case.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn clocks_of(tx: &mut Tx, cases: &[CaseId]) -> Result<HashMap<CaseId, Vec<CaseClock>>, StoreError> {
    const SQL: &str = "SELECT case_id, key, turn, task_id, owner, started_at, limit_unit, limit_n, limit_at, \
        extension_days, due_at, provisional, state, stopped_at, missed FROM clocks \
        WHERE case_id IN (SELECT value ->> 'id' FROM json_each($1)) ORDER BY case_id, started_at, key, turn";
    let ids: Vec<_> = cases.iter().map(|id| json!({"id": id.to_string()})).collect();
    let ids = json!(ids).to_string();
    let rows: Vec<ClockRow> = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(ids).fetch_all(conn).await?);
    let mut out: HashMap<CaseId, Vec<CaseClock>> = HashMap::with_capacity(cases.len());
    for row in rows {
        let (case, clock) = row.read()?;
        out.entry(case).or_default().push(clock);
    }
    Ok(out)
}

/// The clocks of one case, oldest first.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn clocks_of_case(tx: &mut Tx, case: CaseId) -> Result<Vec<CaseClock>, StoreError> {
    let mut all = clocks_of(tx, &[case]).await?;
    Ok(all.remove(&case).unwrap_or_default())
}

/// Replaces what waits for one case: timers that are not in the list are cancelled, those that have fired stay so.
///
/// # Errors
/// `Database`.
pub async fn put_timers(tx: &mut Tx, case: CaseId, timers: &[Timer]) -> Result<(), StoreError> {
    put_timers_of(tx, &[(case, timers)]).await
}

/// Replaces what waits for several cases.
///
/// # Errors
/// `Database`.
pub async fn put_timers_of(tx: &mut Tx, cases: &[(CaseId, &[Timer])]) -> Result<(), StoreError> {
    // Not `state = 'waiting'`: without statistics PostgreSQL would read the whole index of what waits for that.
    const CANCEL: &str = "UPDATE timers SET state = 'cancelled' \
        WHERE case_id IN (SELECT value ->> 'case' FROM json_each($1)) AND state NOT IN ('fired', 'cancelled') \
        AND (case_id, clock, turn, step) NOT IN (SELECT value ->> 'case', value ->> 'clock', \
            CAST(value ->> 'turn' AS BIGINT), value ->> 'step' FROM json_each($2))";
    const SQL: &str = "INSERT INTO timers (case_id, clock, turn, step, at, state) \
        SELECT value ->> 'case', value ->> 'clock', CAST(value ->> 'turn' AS BIGINT), value ->> 'step', \
            CAST(value ->> 'at' AS BIGINT), 'waiting' FROM json_each($1) WHERE true \
        ON CONFLICT (case_id, clock, turn, step) DO UPDATE SET at = excluded.at, state = 'waiting' \
            WHERE timers.state <> 'fired'";
    let ids: Vec<_> = cases.iter().map(|(case, _)| json!({"case": case.to_string()})).collect();
    let rows: Vec<_> = cases
        .iter()
        .flat_map(|(case, timers)| timers.iter().map(move |timer| (case, timer)))
        .map(|(case, t)| {
            json!({"case": case.to_string(), "clock": t.clock_text(), "turn": t.turn, "step": t.step,
                "at": t.at.as_millisecond()})
        })
        .collect();
    let (ids, none) = (json!(ids).to_string(), rows.is_empty());
    let rows = json!(rows).to_string();
    on_backend!(tx, |conn| sqlx::query(CANCEL).bind(&ids).bind(&rows).execute(conn).await.map(|_| ()))?;
    if !none {
        on_backend!(tx, |conn| sqlx::query(SQL).bind(&rows).execute(conn).await.map(|_| ()))?;
    }
    Ok(())
}

/// Takes up to `limit` due timers for this transaction, earliest first: they count as fired when it commits, and wait
/// again when it does not. With several gateways the second one waits here for the first.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn claim(tx: &mut Tx, now: Timestamp, limit: i64) -> Result<Vec<Timer>, StoreError> {
    const SQL: &str = "UPDATE timers SET state = 'fired', fired_at = $1 \
        WHERE state NOT IN ('fired', 'cancelled') AND (case_id, clock, turn, step) IN \
            (SELECT case_id, clock, turn, step FROM timers WHERE state = 'waiting' AND at <= $1 ORDER BY at LIMIT $2) \
        RETURNING case_id, clock, turn, step, at";
    if !tx.is_sqlite() {
        // Two sweeps would take the same rows in different order and might end in a deadlock.
        on_backend!(tx, |conn| sqlx::raw_sql("SELECT pg_advisory_xact_lock(722005, hashtext(current_schema()))")
            .execute(conn)
            .await
            .map(|_| ()))?;
    }
    let rows: Vec<TimerRow> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(now.as_millisecond()).bind(limit).fetch_all(conn).await?);
    let mut timers = rows.into_iter().map(TimerRow::read).collect::<Result<Vec<_>, _>>()?;
    timers.sort_by(|a, b| (a.at, &a.step, a.case).cmp(&(b.at, &b.step, b.case)));
    Ok(timers)
}

/// Notes what came of timers that were claimed: all of them in one statement.
///
/// # Errors
/// `Database`.
pub async fn note_outcomes(tx: &mut Tx, outcomes: &[(Timer, String)]) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE timers SET outcome = each.value ->> 'outcome' FROM json_each($1) AS each \
        WHERE case_id = each.value ->> 'case' AND clock = each.value ->> 'clock' \
        AND turn = CAST(each.value ->> 'turn' AS BIGINT) AND step = each.value ->> 'step'";
    if outcomes.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = outcomes
        .iter()
        .map(|(t, outcome)| {
            json!({"case": t.case.to_string(), "clock": t.clock_text(), "turn": t.turn, "step": t.step, "outcome": outcome})
        })
        .collect();
    let rows = json!(rows).to_string();
    on_backend!(tx, |conn| sqlx::query(SQL).bind(rows).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Puts a claimed timer back: it is due again at `at`.
///
/// # Errors
/// `Database`.
pub async fn put_off(tx: &mut Tx, timer: &Timer, at: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE timers SET state = 'waiting', fired_at = NULL, at = $5 \
        WHERE case_id = $1 AND clock = $2 AND turn = $3 AND step = $4";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(timer.case.to_string())
        .bind(timer.clock_text())
        .bind(timer.turn)
        .bind(timer.step.as_str())
        .bind(at.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// When the next timer is due.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn next_at(tx: &mut Tx) -> Result<Option<Timestamp>, StoreError> {
    const SQL: &str = "SELECT at FROM timers WHERE state = 'waiting' ORDER BY at LIMIT 1";
    let at: Option<(i64,)> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_optional(conn).await?);
    at.map(|(ms,)| time("timers", "at", "next", ms)).transpose()
}

/// Up to `limit` cases with open clocks whose due dates were computed with another calendar.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn cases_of_other_calendars(tx: &mut Tx, calendar: &str, limit: i64) -> Result<Vec<CaseId>, StoreError> {
    // Two ranges of the index instead of `<>`, which would read every open clock at every sweep.
    const SQL: &str = "SELECT DISTINCT case_id FROM ( \
        SELECT case_id FROM clocks WHERE state IN ('running', 'paused', 'held') AND calendar < $1 \
        UNION ALL SELECT case_id FROM clocks WHERE state IN ('running', 'paused', 'held') AND calendar > $1) AS other \
        LIMIT $2";
    let rows: Vec<(String,)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(calendar).bind(limit).fetch_all(conn).await?);
    rows.into_iter().map(|(id,)| id.parse().map_err(|_| inconsistent("clocks", "case_id", &id))).collect()
}

/// Open cases that wait for a timer although none of their clocks is open.
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn cases_without_clocks(tx: &mut Tx) -> Result<Vec<CaseId>, StoreError> {
    const SQL: &str = "SELECT id FROM cases WHERE open AND status IN ('need_info', 'answered_on_spot')";
    let rows: Vec<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?);
    rows.into_iter().map(|(id,)| id.parse().map_err(|_| inconsistent("cases", "id", &id))).collect()
}

/// Notes that the due dates of these cases' open clocks agree with a calendar.
///
/// # Errors
/// `Database`.
pub async fn mark_calendar(tx: &mut Tx, cases: &[CaseId], calendar: &str) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE clocks SET calendar = $2 WHERE state IN ('running', 'paused', 'held') \
        AND case_id IN (SELECT value ->> 'id' FROM json_each($1))";
    let ids: Vec<_> = cases.iter().map(|id| json!({"id": id.to_string()})).collect();
    let ids = json!(ids).to_string();
    on_backend!(tx, |conn| sqlx::query(SQL).bind(ids).bind(calendar).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Figures about clocks and timers, for the administration page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Clocks that run.
    pub running: i64,
    /// Running clocks past their due second.
    pub overdue: i64,
    /// Running clocks whose due date is provisional.
    pub provisional: i64,
    /// Timers that wait.
    pub waiting: i64,
    /// Waiting timers whose moment is past: what the sweep has not got to.
    pub late: i64,
}

/// Counts clocks and timers.
///
/// # Errors
/// `Database`.
pub async fn totals(tx: &mut Tx, now: Timestamp) -> Result<Totals, StoreError> {
    const CLOCKS: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN due_at < $1 THEN 1 ELSE 0 END), 0) AS BIGINT), \
        CAST(COALESCE(SUM(CASE WHEN provisional THEN 1 ELSE 0 END), 0) AS BIGINT) FROM clocks WHERE state = 'running'";
    const TIMERS: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN at <= $1 THEN 1 ELSE 0 END), 0) AS BIGINT) \
        FROM timers WHERE state = 'waiting'";
    let ms = now.as_millisecond();
    let (running, overdue, provisional): (i64, i64, i64) =
        on_backend!(tx, |conn| sqlx::query_as(CLOCKS).bind(ms).fetch_one(conn).await?);
    let (waiting, late): (i64, i64) = on_backend!(tx, |conn| sqlx::query_as(TIMERS).bind(ms).fetch_one(conn).await?);
    Ok(Totals { running, overdue, provisional, waiting, late })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{domain::case::model::Limit, store::Db};

    fn case(n: u128) -> CaseId {
        CaseId::from_uuid(Uuid::from_u128(n))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn rung(case: CaseId, step: u8, second: i64) -> Timer {
        Timer { case, clock: Some(ClockKey::K5), turn: 1, step: format!("rung:{step}"), at: at(second) }
    }

    async fn claimed(db: &Db, now: i64) -> Vec<Timer> {
        let mut tx = db.write().await.unwrap();
        let timers = claim(&mut tx, at(now), 100).await.unwrap();
        let outcomes: Vec<_> = timers.iter().map(|t| (t.clone(), "done".to_owned())).collect();
        note_outcomes(&mut tx, &outcomes).await.unwrap();
        tx.commit().await.unwrap();
        timers
    }

    /// A row in `cases` for the foreign key; nothing here reads it.
    async fn case_row(tx: &mut Tx, case: CaseId) {
        const SQL: &str = "INSERT INTO cases (id, number, query_code, version, status, round, case_type, urgency, channel, \
            region, title, enterprise, policy, sealed, confidential, open, sort_due, labels, search, original_words, detail, \
            submitted_at, entered_at, changed_at) VALUES ($1, $1, '', 1, 'submitted', 0, '', '', '', '', '', '', '', FALSE, \
            FALSE, TRUE, 0, '', '', '', '', 0, 0, 0) ON CONFLICT (id) DO NOTHING";
        on_backend!(tx, |conn| sqlx::query(SQL).bind(case.to_string()).execute(conn).await.map(|_| ())).unwrap();
    }

    async fn put(db: &Db, case: CaseId, timers: &[Timer]) {
        let mut tx = db.write().await.unwrap();
        case_row(&mut tx, case).await;
        put_timers(&mut tx, case, timers).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn a_clock(key: ClockKey, limit: Limit) -> CaseClock {
        CaseClock {
            key,
            turn: 1,
            task: None,
            owner: "zjj".into(),
            started_at: at(1_000),
            limit,
            extension_days: 2,
            due_at: Some(at(2_000)),
            provisional: true,
            state: ClockState::Running,
            stopped_at: None,
            missed: false,
        }
    }

    crate::store_test! {
        async fn clocks_come_back_as_they_were(db: Db) {
            let clocks = vec![
                a_clock(ClockKey::K5, Limit::Budget(Budget::working_days(10))),
                CaseClock { due_at: None, state: ClockState::Paused, ..a_clock(ClockKey::K6, Limit::Open) },
                CaseClock {
                    task: Some(TaskId::from_uuid(Uuid::from_u128(9))),
                    state: ClockState::Stopped,
                    stopped_at: Some(at(1_500)),
                    missed: true,
                    provisional: false,
                    started_at: at(1_200),
                    ..a_clock(ClockKey::K5a, Limit::Until(at(1_900)))
                },
            ];
            let mut tx = db.write().await.unwrap();
            case_row(&mut tx, case(1)).await;
            put_clocks(&mut tx, case(1), &clocks, "cn-1").await.unwrap();
            assert_eq!(clocks_of_case(&mut tx, case(1)).await.unwrap(), clocks);
            assert_eq!(totals(&mut tx, at(2_001)).await.unwrap(), Totals { running: 1, overdue: 1, provisional: 1, waiting: 0, late: 0 });
            assert_eq!(cases_of_other_calendars(&mut tx, "cn-1", 10).await.unwrap(), []);
            assert_eq!(cases_of_other_calendars(&mut tx, "cn-2", 10).await.unwrap(), [case(1)]);
            let stopped: Vec<_> = clocks.iter().map(|c| CaseClock { state: ClockState::Stopped, ..c.clone() }).collect();
            put_clocks(&mut tx, case(1), &stopped, "cn-1").await.unwrap();
            assert_eq!(clocks_of_case(&mut tx, case(1)).await.unwrap(), stopped);
            tx.commit().await.unwrap();
        }
    }

    crate::store_test! {
        async fn a_timer_fires_once_and_a_moved_one_at_its_new_moment(db: Db) {
            put(&db, case(1), &[rung(case(1), 0, 10), rung(case(1), 1, 20), rung(case(1), 2, 30)]).await;
            put(&db, case(2), &[rung(case(2), 0, 10)]).await;
            assert_eq!(claimed(&db, 9).await, []);
            assert_eq!(claimed(&db, 10).await, [rung(case(1), 0, 10), rung(case(2), 0, 10)]);
            assert_eq!(claimed(&db, 10).await, []);
            // An extension moves what has not fired; what has fired stays fired although it is written again.
            put(&db, case(1), &[rung(case(1), 0, 15), rung(case(1), 1, 50), rung(case(1), 2, 60)]).await;
            assert_eq!(claimed(&db, 49).await, []);
            assert_eq!(claimed(&db, 50).await, [rung(case(1), 1, 50)]);
            // A pause takes away what waits; after it the step waits again.
            put(&db, case(1), &[]).await;
            assert_eq!(claimed(&db, 1_000).await, []);
            put(&db, case(1), &[rung(case(1), 1, 70), rung(case(1), 2, 70)]).await;
            let mut tx = db.read().await.unwrap();
            assert_eq!(next_at(&mut tx).await.unwrap(), Some(at(70)));
            drop(tx);
            assert_eq!(claimed(&db, 1_000).await, [rung(case(1), 2, 70)]);
        }
    }

    crate::store_test! {
        async fn what_a_crash_interrupts_fires_after_the_restart(db: Db) {
            let all: Vec<_> = (0..10).map(|n| rung(case(n), 0, 10)).collect();
            for timer in &all {
                put(&db, timer.case, std::slice::from_ref(timer)).await;
            }
            let mut tx = db.write().await.unwrap();
            assert_eq!(claim(&mut tx, at(10), 100).await.unwrap().len(), 10);
            drop(tx); // the process dies here
            assert_eq!(claimed(&db, 20).await, all);
            // The wall clock jumps back two hours: nothing fires a second time.
            assert_eq!(claimed(&db, 20 - 7_200).await, []);
            assert_eq!(claimed(&db, 30).await, []);
        }
    }

    crate::store_test! {
        async fn two_gateways_share_the_timers(db: Db) {
            for n in 0..40 {
                let steps: Vec<_> = (0..7).map(|step| rung(case(n), step, i64::from(step))).collect();
                put(&db, case(n), &steps).await;
            }
            let sweep = |db: Db| async move {
                let mut mine = Vec::new();
                loop {
                    let mut tx = db.write().await.unwrap();
                    let timers = claim(&mut tx, at(100), 11).await.unwrap();
                    if timers.is_empty() {
                        return mine;
                    }
                    tx.commit().await.unwrap();
                    mine.extend(timers);
                }
            };
            let (a, b) = tokio::join!(tokio::spawn(sweep(db.clone())), tokio::spawn(sweep(db.clone())));
            let mut all = a.unwrap();
            all.extend(b.unwrap());
            assert_eq!(all.len(), 280);
            let distinct: std::collections::HashSet<_> = all.iter().map(|t| (t.case, t.step.clone())).collect();
            assert_eq!(distinct.len(), 280);
        }
    }
}
