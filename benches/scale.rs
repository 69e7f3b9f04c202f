//! What grows with the stock: the sweep over many running clocks, and the lists of officers over many cases and
//! conversations.
//!
//! `cargo bench --bench scale -- --clocks 100000 --due 1000 --cases 1000000 [--postgres]` fills a fresh database (SQLite
//! in a temporary folder, or a schema of the PostgreSQL server of `ZHITONG_TEST_POSTGRES`) and prints times; on
//! PostgreSQL also how many rows each query read without an index. The cases that are due are filed as people file
//! them; the others are copies of their rows.

use std::{
    fmt::Write as _,
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use zhitong::{
    app::{
        App,
        content::{self, ContentStore, Origin},
        intake, sweep,
        system::{FixedClock, SystemIds},
        units,
    },
    config::Config,
    domain::{
        access::{CaseScope, Role},
        case::Actor,
        dialogue::{CaseDraft, Contact, Evidence, RouteProposal},
        ids::OfficerId,
        kinds::{CaseType, Channel, Urgency},
    },
    on_backend,
    ports::IdGen as _,
    store::{
        Db, Tx,
        cases::{
            list::{self, Cursor, Filter},
            turns::{self, Turn},
        },
        conversations::{self, ConversationFilter, Reach},
        officers::{self, NewOfficer},
        outbox, testing, timers, upkeep, wechat_out,
    },
};

struct Options {
    clocks: u64,
    due: u64,
    cases: u64,
    postgres: bool,
}

fn options() -> Options {
    let mut options = Options { clocks: 100_000, due: 1_000, cases: 0, postgres: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).expect("a number");
        match word.as_str() {
            "--clocks" => options.clocks = number(),
            "--due" => options.due = number(),
            "--cases" => options.cases = number(),
            "--postgres" => options.postgres = true,
            _ => {} // Cargo passes --bench.
        }
    }
    options
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn draft(n: u64, lead: &str) -> CaseDraft {
    let words = format!("第 {n} 家：厂门口的路灯坏了两周，晚上工人下班不安全，请尽快修好");
    CaseDraft {
        enterprise: Some(format!("示例{n}公司")),
        uscc: None,
        contact: Contact { phone: Some("13800000001".into()), ..Contact::default() },
        place: Some("开发区".into()),
        object: None,
        happened_on: None,
        amount: None,
        title: format!("第 {n} 家：厂门口的路灯坏了"),
        demand: words.clone(),
        original: words,
        case_type: CaseType::Help,
        topic: None,
        topics: Vec::new(),
        urgency: Urgency::Normal,
        region: None,
        channel: Channel::Web,
        confidential: false,
        anonymous: false,
        sensitive: false,
        risk: false,
        objects: Vec::new(),
        route: RouteProposal { lead: lead.to_owned(), ..RouteProposal::default() },
        evidence: Evidence::default(),
        changes: Vec::new(),
        attachments: Vec::new(),
        answered_before: None,
        part: (1, 1),
    }
}

async fn run(db: &Db, sql: &'static str, a: i64, b: i64) {
    let mut tx = db.write().await.expect("a transaction");
    on_backend!(&mut tx, |conn| sqlx::query(sql).bind(a).bind(b).execute(conn).await.map(|_| ())).expect(sql);
    tx.commit().await.expect("committed");
}

/// Copies of the filed cases with numbers from `$1` to `$2`; what is finished, and its place in the lists, by number.
const COPY_CASES: &str = "INSERT INTO cases (id, number, query_code, version, status, round, case_type, topic, urgency, \
    complexity, channel, region, title, enterprise, uscc, lead_unit, proposed_lead, handler, policy, sealed, \
    confidential, open, due_at, due_clock, sort_due, labels, conversation_id, parent, search, original_words, detail, \
    submitted_at, accepted_at, dispatched_at, closed_at, entered_at, changed_at) \
    WITH RECURSIVE k (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM k WHERE n < $2), \
    r AS (SELECT *, ROW_NUMBER() OVER (ORDER BY id) AS row_no FROM cases WHERE number NOT LIKE 'C%') \
    SELECT substr(r.id, 1, 24) || substr(CAST(100000000000 + k.n * 10000 + r.row_no AS TEXT), 1, 12), \
    'C' || CAST(k.n AS TEXT) || '-' || CAST(r.row_no AS TEXT), query_code, version, \
    CASE WHEN k.n % 10 = 0 THEN 'dispatched' ELSE 'closed' END, round, case_type, topic, urgency, complexity, channel, \
    region, title, enterprise, uscc, proposed_lead, proposed_lead, handler, policy, sealed, confidential, k.n % 10 = 0, \
    due_at, due_clock, CASE WHEN k.n % 10 = 0 THEN 0 ELSE 6200000000000000 END + sort_due + k.n * 60000 + r.row_no, \
    labels, conversation_id, parent, search, original_words, '{}', submitted_at, accepted_at, dispatched_at, \
    CASE WHEN k.n % 10 = 0 THEN NULL ELSE submitted_at END, entered_at, changed_at FROM k, r";

const COPY_UNITS: &str = "INSERT INTO case_units (case_id, unit, part, sort_due) \
    SELECT id, proposed_lead, 'lead', sort_due FROM cases WHERE number LIKE 'C%' AND CAST($1 AS BIGINT) <= $2";

const COPY_CLOCKS: &str = "INSERT INTO clocks (case_id, key, turn, task_id, owner, started_at, limit_unit, limit_n, \
    limit_at, extension_days, due_at, provisional, state, stopped_at, missed, calendar) \
    SELECT c.id, x.key, x.turn, x.task_id, x.owner, x.started_at, x.limit_unit, x.limit_n, x.limit_at, \
    x.extension_days, x.due_at, x.provisional, x.state, x.stopped_at, x.missed, x.calendar FROM cases c \
    JOIN clocks x ON x.case_id = (SELECT MIN(case_id) FROM clocks) WHERE c.number LIKE 'C%' \
    AND CAST($1 AS BIGINT) <= $2";

const COPY_TIMERS: &str = "INSERT INTO timers (case_id, clock, turn, step, at, state) \
    SELECT c.id, x.clock, x.turn, x.step, x.at, 'waiting' FROM cases c JOIN timers x \
    ON x.case_id = (SELECT MIN(case_id) FROM timers) WHERE c.number LIKE 'C%' AND CAST($1 AS BIGINT) <= $2";

/// Copies of one conversation: nine of ten are closed, one of a hundred thousand waits.
const COPY_CONVERSATIONS: &str = "INSERT INTO conversations (id, visitor_id, channel, state, fence, seq, version, \
    dialogue, flags, last_text, queued_at, visitor_at, changed_at, created_at, closed_at) \
    WITH RECURSIVE k (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM k WHERE n < $2) \
    SELECT '01934567-89ab-7000-8000-' || CAST(100000000000 + k.n AS TEXT), '01934567-89ab-7000-8000-000000000001', \
    'web', CASE WHEN k.n % 100000 = 0 THEN 'queued' WHEN k.n % 10 = 0 THEN 'bot' ELSE 'closed' END, 0, 2, 1, '{}', '[]', \
    '您好', CASE WHEN k.n % 100000 = 0 THEN k.n ELSE NULL END, k.n, 1700000000000 + k.n, 1700000000000 + k.n, \
    CASE WHEN k.n % 10 = 0 THEN NULL ELSE k.n END FROM k";

async fn reads(tx: &mut Tx) -> (i64, String) {
    if tx.is_sqlite() {
        return (0, String::new());
    }
    // What the session itself has read so far is not in the view before it is sent off.
    let sql = "SELECT relname, CAST(COALESCE(seq_tup_read, 0) AS BIGINT) FROM pg_stat_xact_user_tables \
        WHERE schemaname = current_schema() AND seq_tup_read > 0 ORDER BY seq_tup_read DESC";
    let rows: Vec<(String, i64)> = on_backend!(tx, |conn| sqlx::query_as(sql).fetch_all(conn).await).expect(sql);
    let mut text = String::new();
    for (table, read) in &rows {
        let _ = write!(text, " {table} {read}");
    }
    (rows.iter().map(|(_, read)| read).sum(), text)
}

/// Runs a query many times and prints how long it takes and what it reads without an index.
macro_rules! timed {
    ($db:expr, $name:expr, $tx:ident, $query:expr) => {{
        let mut times = Vec::new();
        let mut found = 0_usize;
        for _ in 0..100 {
            let mut $tx = $db.read().await.expect("a reader");
            let begin = Instant::now();
            found = $query;
            times.push(begin.elapsed());
        }
        // In a transaction, so that what it read can be asked for.
        let mut $tx = $db.write().await.expect("a transaction");
        let _ = $query;
        let (read, tables) = reads(&mut $tx).await;
        $tx.rollback().await.expect("taken back");
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).map_or(0.0, |t| t.as_secs_f64() * 1e3);
        let scans =
            if read > 0 { format!("; without an index: {read} rows ({})", tables.trim()) } else { String::new() };
        say(&format!("{}: {found} rows, p50 {:.2} ms, p99 {:.2} ms{scans}", $name, at(50), at(99)));
    }};
}

async fn gateway(db: &Db) -> (App, Arc<FixedClock>) {
    let config = Config::default();
    let now = "2026-11-25T10:00:00+08:00".parse().expect("an instant");
    let built = content::build(&content::shipped_files(), &config.time, now, Origin::Shipped, true);
    let content = ContentStore::fixed(built.content.expect("the shipped content loads"));
    let clock = Arc::new(FixedClock::new(now));
    let app = App::new(config, db.clone(), content, clock.clone(), Arc::new(SystemIds));
    units::sync(&app).await.expect("the units are stored");
    (app, clock)
}

async fn officer(app: &App, login: &str, role: Role, unit: &str) -> OfficerId {
    let now = app.now();
    let id = OfficerId::from_uuid(SystemIds.uuid(now));
    let mut tx = app.db.write().await.expect("a transaction");
    let new = NewOfficer { id, login, name: login, password_hash: "-", must_change_password: false };
    officers::insert(&mut tx, &new, now).await.expect("an officer");
    officers::set_roles(&mut tx, id, &[(role, unit.to_owned())]).await.expect("roles");
    tx.commit().await.expect("committed");
    id
}

async fn sweep_of(app: &App, clock: &FixedClock, options: &Options, leads: &[String]) {
    let begin = Instant::now();
    let mut n = 0;
    while n < options.due {
        let mut tx = app.db.write().await.expect("a transaction");
        for _ in 0..100.min(options.due - n) {
            let lead = &leads[n as usize % leads.len()];
            intake::file_cases(&mut tx, app, None, &[draft(n, lead)], &Actor::Enterprise).await.expect("filed");
            n += 1;
        }
        tx.commit().await.expect("committed");
    }
    say(&format!("{n} cases filed in {:.1} s", begin.elapsed().as_secs_f64()));
    let copies = i64::try_from(options.clocks / options.due.max(1)).unwrap_or(1).max(1) - 1;
    let begin = Instant::now();
    run(&app.db, COPY_CASES, 1, copies).await;
    run(&app.db, COPY_CLOCKS, 1, copies).await;
    run(&app.db, COPY_TIMERS, 1, copies).await;
    analyse(&app.db).await;
    // The first step of each filed case is due, nothing else.
    let first = "UPDATE timers SET at = $1 WHERE (case_id, clock, turn, step) IN (SELECT t.case_id, MIN(t.clock), \
        MIN(t.turn), MIN(t.step) FROM timers t JOIN cases c ON c.id = t.case_id WHERE c.number NOT LIKE 'C%' \
        AND t.state = 'waiting' AND t.step LIKE 'rung:%' GROUP BY t.case_id) AND $1 <= $2";
    let due = app.now().as_millisecond();
    run(&app.db, first, due, i64::MAX).await;
    clock.advance(SignedDuration::from_secs(1));
    let mut tx = app.db.read().await.expect("a reader");
    let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM clocks WHERE state = 'running'";
    let (running,): (i64,) = on_backend!(&mut tx, |conn| sqlx::query_as(sql).fetch_one(conn).await).expect(sql);
    drop(tx);
    say(&format!("{running} running clocks, copied in {:.1} s", begin.elapsed().as_secs_f64()));
    let begin = Instant::now();
    let done = sweep::run(app).await.expect("a sweep");
    say(&format!("sweep: {:.3} s, {done:?}", begin.elapsed().as_secs_f64()));
    let begin = Instant::now();
    let again = sweep::run(app).await.expect("a sweep");
    say(&format!("sweep with nothing due: {:.3} ms, {again:?}", begin.elapsed().as_secs_f64() * 1e3));
}

async fn analyse(db: &Db) {
    let Db::Postgres { pool } = db else { return };
    sqlx::query("ANALYZE").execute(pool).await.expect("statistics");
}

async fn lists(app: &App, options: &Options, leads: &[String], seat: OfficerId) {
    let db = &app.db;
    let begin = Instant::now();
    let from = i64::try_from(options.clocks / options.due).unwrap_or(1);
    let to = i64::try_from(options.cases / options.due).unwrap_or(1);
    let mut n = from;
    while n < to {
        run(db, COPY_CASES, n, (n + 99).min(to - 1)).await;
        n += 100;
    }
    run(db, COPY_UNITS, 0, 1).await;
    let visitor = "INSERT INTO visitors (id, token_hash, created_at, expires_at) \
        VALUES ('01934567-89ab-7000-8000-000000000001', 'h', $1, $2)";
    run(db, visitor, 1, 2).await;
    run(db, COPY_CONVERSATIONS, 1, i64::try_from(options.cases).unwrap_or(1)).await;
    analyse(db).await;
    say(&format!("{} cases and conversations, copied in {:.1} s", options.cases, begin.elapsed().as_secs_f64()));

    let now = app.now();
    let unit = leads[0].clone();
    let one = CaseScope {
        all: false,
        units: vec![unit.clone()],
        sealed: false,
        own_units: vec![unit.clone()],
        contacts: true,
    };
    let many = CaseScope { units: leads.iter().take(20).cloned().collect(), ..one.clone() };
    let all = CaseScope { all: true, units: Vec::new(), sealed: false, own_units: Vec::new(), contacts: true };
    let sealed = CaseScope { all: false, units: Vec::new(), sealed: true, own_units: Vec::new(), contacts: true };
    let scopes = [("the centre", &all), ("a unit", &one), ("a branch of 20 units", &many), ("the inspectors", &sealed)];
    for (who, scope) in scopes {
        let filters = [
            ("all", Filter::default()),
            ("open", Filter { open: Some(true), ..Filter::default() }),
            ("finished", Filter { open: Some(false), ..Filter::default() }),
            ("a state", Filter { status: Some("dispatched"), ..Filter::default() }),
            ("a rare state", Filter { status: Some("submitted"), ..Filter::default() }),
            ("a type", Filter { case_type: Some("help"), ..Filter::default() }),
            ("an absent type", Filter { case_type: Some("praise"), ..Filter::default() }),
            (
                "an absent type in a state",
                Filter { status: Some("closed"), case_type: Some("praise"), ..Filter::default() },
            ),
            ("due soon", Filter { open: Some(true), due_before: Some(now), ..Filter::default() }),
            ("a handler", Filter { handler: Some(seat), open: Some(true), ..Filter::default() }),
        ];
        for (what, filter) in &filters {
            timed!(db, format!("list of {who}, {what}"), tx, {
                list::page(&mut tx, scope, filter, None, 51).await.expect("a page").len()
            });
        }
        let first = {
            let mut tx = db.read().await.expect("a reader");
            list::page(&mut tx, scope, &Filter::default(), None, 51).await.expect("a page")
        };
        if let Some(last) = first.last() {
            let after = Cursor { sort_due: last.sort_due, id: last.id.clone() };
            timed!(db, format!("list of {who}, second page"), tx, {
                list::page(&mut tx, scope, &Filter::default(), Some(&after), 51).await.expect("a page").len()
            });
        }
        let turns = [
            Turn::In("submitted"),
            Turn::Led { unit: &unit, status: "dispatched", handler: Some(seat) },
            Turn::Asked(&unit),
        ];
        timed!(db, format!("to-do tab of {who}"), tx, {
            turns::page(&mut tx, scope, &Filter::default(), &turns, None, 51).await.expect("a page").len()
        });
        timed!(db, format!("to-do number of {who}"), tx, {
            usize::try_from(turns::count(&mut tx, scope, &turns).await.expect("a number")).unwrap_or(0)
        });
        for (what, before) in [("open", None), ("due", Some(now))] {
            timed!(db, format!("{what} number of {who}"), tx, {
                usize::try_from(turns::count_open(&mut tx, scope, None, before).await.expect("a number")).unwrap_or(0)
            });
        }
    }
    let reach = Reach { officer: seat, all: true, units: Vec::new() };
    timed!(
        db,
        "conversations that wait",
        tx,
        conversations::of_desk(&mut tx, &reach, false, 50).await.expect("rows").len()
    );
    timed!(
        db,
        "one's own conversations",
        tx,
        conversations::of_desk(&mut tx, &reach, true, 50).await.expect("rows").len()
    );
    timed!(db, "numbers of the desk", tx, {
        usize::try_from(conversations::desk_counts(&mut tx, &reach).await.expect("numbers").0).unwrap_or(0)
    });
    timed!(db, "waiting before", tx, {
        let before = conversations::count_queued_before(&mut tx, i64::MAX).await.expect("a number");
        usize::try_from(before + conversations::count_queued(&mut tx).await.expect("a number")).unwrap_or(0)
    });
    for (what, state, all) in [("at the desk", None, false), ("closed", Some("closed"), false), ("all", None, true)] {
        let filter = ConversationFilter { state, all, ..ConversationFilter::default() };
        timed!(db, format!("conversations, {what}"), tx, {
            conversations::list(&mut tx, &filter, 200).await.expect("rows").len()
        });
    }
    timed!(db, "conversations left alone", tx, upkeep::idle(&mut tx, now, 200).await.expect("rows").len());
    timed!(db, "next timer", tx, usize::from(timers::next_at(&mut tx).await.expect("a time").is_some()));
    timed!(db, "calendar check", tx, {
        timers::cases_of_other_calendars(&mut tx, "x", 100).await.expect("rows").len()
    });
}

/// The outbox with many entries that were sent.
async fn outbox_of(app: &App) {
    let db = &app.db;
    let sent = "INSERT INTO outbox (id, target, event, key, payload, state, attempts, next_at, created_at, done_at) \
        WITH RECURSIVE k (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM k WHERE n < $2) \
        SELECT 'o' || CAST(k.n AS TEXT), CASE WHEN k.n % 2 = 0 THEN 'wechat' ELSE 'county' END, 'e', \
        '01934567-89ab-7000-8000-' || CAST(100000000000 + k.n AS TEXT) || ':1', '{}', \
        CASE WHEN k.n % 100 < 2 THEN 'ready' ELSE 'sent' END, 0, k.n, k.n, k.n FROM k";
    run(db, sent, 1, 200_000).await;
    analyse(db).await;
    let far = app.now();
    for (name, wechat) in [("outbox claim", false), ("WeChat claim", true)] {
        let mut times = Vec::new();
        for _ in 0..50 {
            let mut tx = db.write().await.expect("a transaction");
            let begin = Instant::now();
            if wechat {
                wechat_out::release(&mut tx, far).await.expect("let go");
                wechat_out::claim(&mut tx, far, far, 32).await.expect("claimed");
            } else {
                outbox::claim(&mut tx, far, far, 32).await.expect("claimed");
            }
            times.push(begin.elapsed());
            let (read, tables) = reads(&mut tx).await;
            if times.len() == 50 && read > 0 {
                say(&format!("{name} reads without an index: {read} rows ({})", tables.trim()));
            }
            tx.rollback().await.expect("taken back");
        }
        times.sort_unstable();
        let p99 = times.last().map_or(Duration::ZERO, |t| *t);
        say(&format!(
            "{name} among 200,000 entries: p50 {:.2} ms, most {:.2} ms",
            times[25].as_secs_f64() * 1e3,
            p99.as_secs_f64() * 1e3
        ));
    }
}

async fn all(options: Options) {
    let test = if options.postgres { testing::postgres().await.expect("a server") } else { testing::sqlite().await };
    let (app, clock) = gateway(&test.db).await;
    let leads: Vec<String> = units::list(&app).into_iter().map(|unit| unit.slug).take(40).collect();
    let mut seat = None;
    for (n, role) in [Role::FrontDesk, Role::Dispatcher, Role::Supervisor].into_iter().enumerate() {
        seat = Some(officer(&app, &format!("officer{n}"), role, "").await);
    }
    sweep_of(&app, &clock, &options, &leads).await;
    if options.cases > options.clocks {
        lists(&app, &options, &leads, seat.expect("an officer")).await;
        outbox_of(&app).await;
    }
    test.finish().await;
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(all(options()));
}

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
