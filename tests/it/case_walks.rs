//! Lists of cases and the numbers on their tabs against a plain reading of all rows: whichever index a list is walked
//! along, it shows what the officer may see and nothing else, in order; a number is what its list holds, up to a thousand.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use zhitong::{
    domain::{access::CaseScope, ids::OfficerId},
    on_backend,
    store::{
        Db, Tx,
        cases::{
            list::{self, CaseLine, Filter},
            turns::{self, MOST_COUNTED, Turn},
        },
        testing,
    },
};

const CASES: i64 = 6_000;
const OFFICER: &str = "01934567-89ab-7000-8000-000000000001";

/// States, units, seals, handlers and parts by the number of the case, so that everything meets everything.
const FILL: [&str; 4] = [
    "INSERT INTO cases (id, number, query_code, version, status, round, case_type, urgency, channel, region, title, \
        enterprise, lead_unit, handler, policy, sealed, confidential, open, sort_due, labels, search, original_words, \
        detail, submitted_at, entered_at, changed_at) \
        WITH RECURSIVE k (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < $1) \
        SELECT 'c' || CAST(100000 + n AS TEXT), CAST(n AS TEXT), '', 1, CASE n % 5 WHEN 0 THEN 'submitted' \
        WHEN 1 THEN 'dispatched' WHEN 2 THEN 'processing' ELSE 'closed' END, 0, \
        CASE WHEN n % 7 = 0 THEN 'praise' ELSE 'help' END, '', '', '', '', '', \
        CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN 'b' ELSE 'a' END, \
        CASE n % 3 WHEN 0 THEN '01934567-89ab-7000-8000-000000000001' WHEN 1 THEN 'x' ELSE NULL END, '', n % 11 = 0, \
        FALSE, n % 5 < 3, CASE WHEN n % 5 < 3 THEN (n * 7919) % 5000 ELSE 8000000000000000 - n END, '', '', '', '', \
        1, 1, 1 FROM k",
    "INSERT INTO case_units (case_id, unit, part, sort_due) \
        SELECT id, lead_unit, 'lead', sort_due FROM cases WHERE lead_unit IS NOT NULL AND $1 > 0 \
        UNION ALL SELECT id, CASE WHEN CAST(number AS BIGINT) % 2 = 0 THEN 'b' ELSE 'd' END, 'assist', sort_due FROM cases \
        WHERE CAST(number AS BIGINT) % 6 < 2 AND (lead_unit IS NULL OR lead_unit <> 'b') \
        UNION ALL SELECT id, 'a', 'recused', sort_due FROM cases \
        WHERE CAST(number AS BIGINT) % 13 = 0 AND (lead_unit IS NULL OR lead_unit <> 'a')",
    "INSERT INTO case_tasks (id, case_id, kind, unit, text, state, late, created_at) \
        SELECT m.case_id || (e.value ->> 'n'), m.case_id, 'assist', m.unit, '', 'open', FALSE, 1 FROM case_units m \
        CROSS JOIN json_each('[{\"n\": \"-1\"}, {\"n\": \"-2\"}]') AS e WHERE m.part = 'assist' AND m.sort_due < 2500 AND $1 > 0",
    "UPDATE cases SET asked = CASE WHEN CAST(number AS BIGINT) % 2 = 0 THEN 'pause' ELSE 'extension' END \
        WHERE status = 'processing' AND CAST(number AS BIGINT) % 9 = 0 AND $1 > 0",
];

struct Known {
    line: CaseLine,
    open: bool,
    asked: Option<String>,
    parts: BTreeSet<(String, String)>,
}

impl Known {
    fn has(&self, unit: &str, part: &str) -> bool {
        self.parts.contains(&(unit.to_owned(), part.to_owned()))
    }

    fn works(&self, unit: &str) -> bool {
        self.has(unit, "lead") || self.has(unit, "assist")
    }

    fn seen(&self, scope: &CaseScope) -> bool {
        if scope.own_units.iter().any(|unit| self.has(unit, "recused")) {
            return false;
        }
        if self.line.sealed {
            return scope.sealed;
        }
        scope.all || scope.units.iter().any(|unit| self.works(unit))
    }

    fn waits(&self, turn: &Turn<'_>) -> bool {
        let line = &self.line;
        self.open
            && match turn {
                Turn::In(status) => line.status == *status,
                Turn::Led { unit, status, handler } => {
                    let own = handler.is_none_or(|id| line.handler.as_ref().is_none_or(|h| *h == id.to_string()));
                    line.status == *status && line.lead_unit.as_deref() == Some(unit) && own
                }
                Turn::Decide(what) => self.asked.as_deref() == Some(what),
                Turn::Asked(unit) => self.has(unit, "assist") && line.sort_due < 2_500,
            }
    }
}

async fn all_rows(tx: &mut Tx) -> Vec<Known> {
    let units = "SELECT case_id, unit, part FROM case_units";
    let rows: Vec<(String, String, String)> =
        on_backend!(tx, |conn| sqlx::query_as(units).fetch_all(conn).await).expect("the store answers");
    let mut parts: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for (case, unit, part) in rows {
        parts.entry(case).or_default().insert((unit, part));
    }
    let cases = "SELECT id, number, round, status, case_type, topic, urgency, channel, title, enterprise, confidential, \
        sealed, lead_unit, proposed_lead, handler, due_at, due_clock, sort_due, labels, submitted_at, entered_at FROM cases";
    let lines: Vec<CaseLine> =
        on_backend!(tx, |conn| sqlx::query_as(cases).fetch_all(conn).await).expect("the store answers");
    let asked = "SELECT id, asked FROM cases WHERE asked IS NOT NULL";
    let asked: Vec<(String, String)> =
        on_backend!(tx, |conn| sqlx::query_as(asked).fetch_all(conn).await).expect("the store answers");
    let mut asked: BTreeMap<String, String> = asked.into_iter().collect();
    let mut known: Vec<Known> = lines
        .into_iter()
        .map(|line| Known {
            open: line.status != "closed",
            asked: asked.remove(&line.id),
            parts: parts.remove(&line.id).unwrap_or_default(),
            line,
        })
        .collect();
    known.sort_by(|a, b| (a.line.sort_due, &a.line.id).cmp(&(b.line.sort_due, &b.line.id)));
    known
}

fn scope(all: bool, sealed: bool, units: &[&str], own: &[&str]) -> CaseScope {
    let texts = |list: &[&str]| list.iter().map(|unit| (*unit).to_owned()).collect();
    CaseScope { all, sealed, units: texts(units), own_units: texts(own), contacts: true }
}

fn ids<'a>(lines: impl Iterator<Item = &'a CaseLine>) -> Vec<&'a str> {
    lines.map(|line| line.id.as_str()).collect()
}

async fn walks_show_what_may_be_seen(db: &Db) {
    let mut tx = db.write().await.expect("the store answers");
    for sql in FILL {
        on_backend!(&mut tx, |conn| sqlx::query(sql).bind(CASES).execute(conn).await.map(|_| ()))
            .expect("the store answers");
    }
    tx.commit().await.expect("the store answers");
    let me: OfficerId = OFFICER.parse().expect("the store answers");
    let mut tx = db.read().await.expect("the store answers");
    let known = all_rows(&mut tx).await;
    assert_eq!(known.len() as i64, CASES);
    let scopes = [
        scope(true, false, &[], &[]),
        scope(true, false, &["a"], &["a"]),
        scope(true, true, &[], &[]),
        scope(false, true, &[], &[]),
        scope(false, true, &["b"], &["b"]),
        scope(false, false, &["a"], &["a"]),
        scope(false, false, &["b", "d"], &["b"]),
        scope(false, false, &["a", "b", "d"], &["a"]),
        scope(false, false, &["nowhere"], &["nowhere"]),
        scope(false, false, &[], &[]),
    ];
    let at = |ms: i64| Timestamp::from_millisecond(ms).expect("the store answers");
    let mut shown = 0;
    for scope in &scopes {
        for status in [None, Some("submitted"), Some("closed"), Some("archived")] {
            for case_type in [None, Some("praise")] {
                for unit in [None, Some("b")] {
                    for handler in [None, Some(me)] {
                        for open in [None, Some(true), Some(false)] {
                            let filter = Filter {
                                status,
                                case_type,
                                unit,
                                handler,
                                open,
                                due_before: None,
                                due_from: None,
                                q: None,
                            };
                            let wanted = known.iter().filter(|case| {
                                case.seen(scope)
                                    && status.is_none_or(|s| case.line.status == s)
                                    && case_type.is_none_or(|t| case.line.case_type == t)
                                    && unit.is_none_or(|unit| case.works(unit))
                                    && handler.is_none_or(|_| case.line.handler.as_deref() == Some(OFFICER))
                                    && open.is_none_or(|open| case.open == open)
                            });
                            let wanted: Vec<&str> = ids(wanted.map(|case| &case.line)).into_iter().take(40).collect();
                            let found = list::page(&mut tx, scope, &filter, None, 40).await.expect("the store answers");
                            assert_eq!(ids(found.iter()), wanted, "{scope:?} {filter:?}");
                            shown += wanted.len();
                        }
                    }
                }
            }
        }
        for (from, before) in [(None, None), (None, Some(at(900))), (Some(at(900)), Some(at(4_000)))] {
            let inside = |case: &&Known| {
                case.open
                    && case.seen(scope)
                    && from.is_none_or(|from| case.line.sort_due >= from.as_millisecond())
                    && before.is_none_or(|before| case.line.sort_due < before.as_millisecond())
            };
            let wanted = (known.iter().filter(inside).count() as i64).min(MOST_COUNTED);
            let found = turns::count_open(&mut tx, scope, from, before).await.expect("the store answers");
            assert_eq!(found, wanted, "{scope:?} {from:?} {before:?}");
        }
        let turns = [
            vec![Turn::In("submitted")],
            vec![Turn::Decide("pause"), Turn::Decide("extension"), Turn::In("submitted")],
            vec![Turn::Led { unit: "a", status: "dispatched", handler: None }],
            vec![Turn::Led { unit: "b", status: "processing", handler: Some(me) }, Turn::Asked("b")],
            vec![Turn::Asked("d"), Turn::In("submitted"), Turn::In("processing")],
            vec![],
        ];
        for turns in &turns {
            let wanted: Vec<&CaseLine> = known
                .iter()
                .filter(|case| case.seen(scope) && turns.iter().any(|turn| case.waits(turn)))
                .map(|case| &case.line)
                .collect();
            let count = turns::count(&mut tx, scope, turns).await.expect("the store answers");
            assert_eq!(count, (wanted.len() as i64).min(MOST_COUNTED), "{scope:?} {turns:?}");
            let found =
                turns::page(&mut tx, scope, &Filter::default(), turns, None, 40).await.expect("the store answers");
            assert_eq!(ids(found.iter()), ids(wanted.into_iter().take(40)), "{scope:?} {turns:?}");
            shown += found.len();
        }
    }
    assert!(shown > 5_000, "the lists are not empty");
}

#[tokio::test]
async fn walks_show_what_may_be_seen_on_sqlite() {
    let test = testing::sqlite().await;
    walks_show_what_may_be_seen(&test.db).await;
    test.finish().await;
}

#[tokio::test]
async fn walks_show_what_may_be_seen_on_postgres() {
    if let Some(test) = testing::postgres().await {
        walks_show_what_may_be_seen(&test.db).await;
        test.finish().await;
    }
}
