//! What the sweep does when it comes late, twice, or over a damaged row.

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::{
    app::{
        content::{self, Content, ContentStore, Origin},
        system::{FixedClock, SystemIds},
    },
    config::Config,
    domain::{
        access::Role,
        case::{CaseStatus, NewCase, OfficerStamp, QueryCode, RouteFacts, register},
        ids::OfficerId,
        kinds::{CaseType, Channel, Urgency},
        sla::{Schedule, WorkCalendar},
    },
    on_backend,
    store::{Db, backup, cases, officers},
};

fn at(text: &str) -> Timestamp {
    format!("{text}+08:00").parse().unwrap()
}

fn the_content(now: Timestamp) -> Content {
    let files: Vec<_> = content::shipped_files().into_iter().filter(|f| !content::is_rule_file(&f.path)).collect();
    let built = content::build(&files, &Config::default().time, now, Origin::Shipped, true);
    built.content.expect("the shipped tables build")
}

/// A gateway over this database whose clock stands where the test puts it.
fn gateway(db: &Db, now: &str) -> (App, Arc<FixedClock>) {
    let clock = Arc::new(FixedClock::new(at(now)));
    let store = ContentStore::fixed(the_content(at(now)));
    let app = App::new(Config::default(), db.clone(), store, clock.clone(), Arc::new(SystemIds));
    (app, clock)
}

/// A gateway whose folder also has the calendar of 2027, with these days off in January.
fn published(db: &Db, now: &str, off: &str) -> (App, Arc<FixedClock>) {
    let notice = format!(
        "schema = 1\nyear = 2027\ntitle = \"试\"\ndoc_no = \"试\"\nissuer = \"试\"\nissued_on = 2026-12-29\n\
        [[holiday]]\nname = \"元旦\"\noff = [\"{off}\"]\n"
    );
    let mut content = the_content(at(now));
    let mut files: Vec<(String, String)> = content::shipped_files()
        .into_iter()
        .filter(|f| f.path.starts_with("calendar/"))
        .map(|f| (f.path, f.text))
        .collect();
    files.push(("calendar/cn-2027.toml".into(), notice));
    let (hours, zone) = content::hours_and_zone(&Config::default().time).unwrap();
    content.schedule = Schedule::new(WorkCalendar::parse(&files).unwrap(), hours, zone);
    let clock = Arc::new(FixedClock::new(at(now)));
    let store = ContentStore::fixed(content);
    (App::new(Config::default(), db.clone(), store, clock.clone(), Arc::new(SystemIds)), clock)
}

fn officer(n: u128, role: Role, unit: &str) -> Actor {
    Actor::Officer(OfficerStamp {
        id: OfficerId::from_uuid(Uuid::from_u128(n)),
        name: format!("测试{n}"),
        roles: vec![(role, unit.to_owned())],
        deputy_of: Vec::new(),
    })
}

async fn file(app: &App, case_type: CaseType) -> CaseId {
    let setting = Setting::new(app, case_save::now_ms(app));
    let mut tx = app.db.write().await.unwrap();
    let number = cases::next_number(&mut tx, setting.content().schedule.civil(setting.now()).date()).await.unwrap();
    let id = CaseId::from_uuid(app.ids_uuid());
    let new = NewCase {
        id,
        number,
        query_code: QueryCode::from_random(&[7; QueryCode::RANDOM_BYTES]),
        case_type,
        topic: None,
        urgency: Urgency::Normal,
        channel: Channel::Web,
        region: "350000".into(),
        title: "厂区门口道路破损".into(),
        original_words: "厂区门口道路破损，货车进不来".into(),
        demand: "修路".into(),
        place: None,
        happened_on: None,
        amount: None,
        object: None,
        party: crate::domain::case::CaseParty { contact_phone: "x".into(), ..Default::default() },
        recused: Vec::new(),
        conversation: None,
        proposed_lead: None,
        proposed_assists: Vec::new(),
        route_reason: String::new(),
        proposal: RouteFacts::default(),
        rule_version: String::new(),
        answered_by_rule: None,
        leader_assigned: false,
        repeat_of: None,
        split_from: None,
    };
    let outcome = setting.run(|env| register(new, &Actor::Enterprise, env)).unwrap();
    let mut after = AfterCommit::default();
    case_save::store_new(&mut tx, app, &setting, &outcome, None, &mut after).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn act(app: &App, id: CaseId, actor: &Actor, input: ActionInput) -> Case {
    let mut tx = app.db.write().await.unwrap();
    let case = load(&mut tx, id).await;
    let setting = Setting::new(app, case_save::now_ms(app)).with_tasks(app, input.new_tasks());
    let outcome = setting.apply(&case, actor, &input).unwrap();
    let mut after = AfterCommit::default();
    case_save::store_changed(&mut tx, app, &setting, &outcome, None, &mut after).await.unwrap();
    tx.commit().await.unwrap();
    outcome.case
}

async fn load(tx: &mut Tx, id: CaseId) -> Case {
    cases::find(tx, id).await.unwrap().unwrap()
}

async fn stored(app: &App, id: CaseId) -> (Case, Vec<CaseEvent>) {
    let mut tx = app.db.read().await.unwrap();
    let case = load(&mut tx, id).await;
    assert_eq!(cases::events::first_break(&mut tx, &id.to_string(), true).await.unwrap(), None);
    let events = cases::events::list(&mut tx, id).await.unwrap();
    (case, events)
}

fn accept() -> ActionInput {
    ActionInput::Accept {
        case_type: CaseType::Coordination,
        topic: Some("FIRE.ACCEPT".to_owned()),
        urgency: Urgency::Normal,
        complexity: None,
        duplicates_checked: true,
        repeat_of: None,
        repeats: 0,
    }
}

fn dispatch() -> ActionInput {
    ActionInput::Dispatch { lead: "zjj".into(), assists: Vec::new(), complexity: None, note: None }
}

async fn dispatched(app: &App) -> CaseId {
    let id = file(app, CaseType::Coordination).await;
    let desk = officer(1, Role::Dispatcher, "");
    act(app, id, &desk, accept()).await;
    act(app, id, &desk, dispatch()).await;
    id
}

fn steps(events: &[CaseEvent], clock: &str) -> Vec<String> {
    let fact = |e: &CaseEvent, key: &str| e.facts.iter().find(|f| f.key == key).map(|f| f.value.clone());
    events
        .iter()
        .filter(|e| e.kind == EventKind::Warned && fact(e, "clock").is_some_and(|c| c.starts_with(clock)))
        .filter_map(|e| fact(e, "step"))
        .collect()
}

crate::store_test! {
    async fn a_unit_that_does_not_sign_has_signed_after_one_working_day(db: Db) {
        let (app, clock) = gateway(&db, "2026-09-30T10:00:00");
        let id = dispatched(&app).await;
        let (before, _) = stored(&app, id).await;
        let due = before.clock(ClockKey::K5).unwrap().due_at;
        assert_eq!(due, Some(at("2026-10-20T17:30:00")));
        clock.set(at("2026-10-08T17:29:59"));
        run(&app).await.unwrap();
        assert_eq!(stored(&app, id).await.0.status, CaseStatus::Dispatched);
        clock.set(at("2026-10-08T17:30:00"));
        assert_eq!(run(&app).await.unwrap().acted, 1);
        let (case, events) = stored(&app, id).await;
        assert_eq!(case.status, CaseStatus::Signed);
        assert_eq!(events.last().unwrap().kind, EventKind::DeemedSigned);
        assert_eq!(case.clock(ClockKey::K5).unwrap().due_at, due);
        assert_eq!(run(&app).await.unwrap(), Summary::default());
    }
}

crate::store_test! {
    async fn a_damaged_row_holds_up_no_other_case(db: Db) {
        const DAMAGE: &str = "UPDATE cases SET query_code = $2 WHERE id = $1";
        let (app, clock) = gateway(&db, "2026-09-30T10:00:00");
        let (damaged, sound) = (dispatched(&app).await, dispatched(&app).await);
        let code = stored(&app, damaged).await.0.query_code.as_str().to_owned();
        let set = async |code: &str| {
            let mut tx = db.write().await.unwrap();
            on_backend!(&mut tx, |conn| sqlx::query(DAMAGE).bind(damaged.to_string()).bind(code).execute(conn).await.map(|_| ()))
                .unwrap();
            tx.commit().await.unwrap();
        };
        set("?").await;
        clock.set(at("2026-10-08T17:30:00"));
        let done = run(&app).await.unwrap();
        assert!(done.acted == 1 && done.stale >= 1, "{done}");
        assert_eq!(stored(&app, sound).await.0.status, CaseStatus::Signed);
        set(&code).await;
        clock.set(at("2026-10-08T18:30:00"));
        assert_eq!(run(&app).await.unwrap().acted, 1);
        assert_eq!(stored(&app, damaged).await.0.status, CaseStatus::Signed);
    }
}

crate::store_test! {
    async fn after_a_downtime_every_missed_step_fires_once_with_its_true_time(db: Db) {
        let (app, clock) = gateway(&db, "2026-09-30T10:00:00");
        let id = dispatched(&app).await;
        clock.set(at("2026-11-04T09:00:00"));
        // Two gateways come back at the same moment.
        let (other, _) = gateway(&db, "2026-11-04T09:00:00");
        let (a, b) = tokio::join!(run(&app), run(&other));
        let mut done = a.unwrap();
        done += b.unwrap();
        let (case, events) = stored(&app, id).await;
        assert_eq!(steps(&events, "K5 "), ["0", "1", "2", "3", "4", "5", "6"]);
        let moments: Vec<_> = events
            .iter()
            .filter(|e| e.kind == EventKind::Warned)
            .flat_map(|e| e.facts.iter().filter(|f| f.key == "moment" ).map(|f| f.value.clone()))
            .collect();
        assert!(moments.contains(&"2026年10月20日 17:30".to_owned()), "{moments:?}");
        assert_eq!(case.overlay.supervised, Some(1));
        assert_eq!(case.overlay.escalated, Some(1));
        assert_eq!(events.iter().filter(|e| e.kind == EventKind::Escalated).count(), 1);
        assert_eq!(events.iter().filter(|e| e.kind == EventKind::Supervised).count(), 1);
        let warned = events.iter().filter(|e| e.kind == EventKind::Warned).count();
        assert_eq!(done.warned, warned);
        // The clock jumps back two hours and forward again; the gateway restarts: nothing fires twice.
        for now in ["2026-11-04T07:00:00", "2026-11-04T09:00:01"] {
            clock.set(at(now));
            let again = run(&app).await.unwrap();
            assert_eq!((again.warned, again.acted), (0, 0), "{now}");
        }
        let (restarted, _) = gateway(&db, "2026-11-04T09:00:02");
        assert_eq!(run(&restarted).await.unwrap(), Summary::default());
        assert_eq!(stored(&app, id).await.1.len(), events.len());
    }
}

crate::store_test! {
    async fn a_unit_late_with_signing_and_first_contact_is_supervised_once(db: Db) {
        let (app, clock) = gateway(&db, "2026-09-28T09:00:00");
        let id = dispatched(&app).await;
        // Four working hours for the signature are over; one broken limit is no 督办.
        clock.set(at("2026-09-28T15:00:00"));
        run(&app).await.unwrap();
        assert_eq!(stored(&app, id).await.0.overlay.supervised, None);
        // Nor has anybody called within a working day.
        clock.set(at("2026-09-30T09:00:00"));
        run(&app).await.unwrap();
        let (case, events) = stored(&app, id).await;
        assert_eq!(case.late_starts(at("2026-09-30T09:00:00")), 2);
        assert_eq!(case.overlay.supervised, Some(1));
        assert_eq!(events.iter().filter(|e| e.kind == EventKind::Supervised).count(), 1);
        assert_eq!(case.overlay.escalated, None, "the answer itself is not late");
        run(&app).await.unwrap();
        assert_eq!(stored(&app, id).await.1.len(), events.len());
    }
}

crate::store_test! {
    async fn silence_lapses_and_archives(db: Db) {
        let (app, clock) = gateway(&db, "2026-03-10T10:00:00");
        let desk = officer(1, Role::FrontDesk, "");
        let need_info = file(&app, CaseType::Coordination).await;
        act(&app, need_info, &desk, ActionInput::RequestInfo { items: vec!["合同".into()] }).await;
        let answered = file(&app, CaseType::Consultation).await;
        let text = "按规定可在网上办理。".to_owned();
        act(&app, answered, &desk, ActionInput::AnswerOnSpot { text, source: "办事指南".into() }).await;
        clock.set(at("2026-03-12T17:30:00"));
        run(&app).await.unwrap();
        assert_eq!(stored(&app, answered).await.0.status, CaseStatus::Closed);
        for reminded in ["2026-03-18T09:00:00", "2026-03-23T09:00:00"] {
            clock.set(at(reminded));
            run(&app).await.unwrap();
        }
        clock.set(at("2026-03-24T17:30:00"));
        run(&app).await.unwrap();
        assert_eq!(stored(&app, need_info).await.0.status, CaseStatus::Withdrawn);
        clock.set(at("2026-04-11T23:59:59"));
        run(&app).await.unwrap();
        assert_eq!(stored(&app, answered).await.0.status, CaseStatus::Closed);
        clock.set(at("2026-04-12T00:00:00"));
        run(&app).await.unwrap();
        assert_eq!(stored(&app, answered).await.0.status, CaseStatus::Archived);
    }
}

/// A consultation that was answered on the spot and closed by silence on 12 March.
async fn closed(app: &App, clock: &FixedClock) -> CaseId {
    let id = file(app, CaseType::Consultation).await;
    let text = "按规定可在网上办理。".to_owned();
    act(app, id, &officer(1, Role::FrontDesk, ""), ActionInput::AnswerOnSpot { text, source: "办事指南".into() }).await;
    clock.set(at("2026-03-12T17:30:00"));
    run(app).await.unwrap();
    assert_eq!(stored(app, id).await.0.status, CaseStatus::Closed);
    id
}

crate::store_test! {
    async fn a_plan_is_reviewed_once_at_each_date(db: Db) {
        let (app, clock) = gateway(&db, "2026-03-02T09:00:00");
        let five = OfficerId::from_uuid(Uuid::from_u128(5));
        let account = officers::NewOfficer {
            id: five,
            login: "five",
            name: "测试5",
            password_hash: "-",
            must_change_password: false,
        };
        let mut tx = db.write().await.unwrap();
        officers::insert(&mut tx, &account, app.now()).await.unwrap();
        tx.commit().await.unwrap();
        let id = dispatched(&app).await;
        let handler = officer(5, Role::Handler, "zjj");
        let named = Some((five, "测试5".to_owned()));
        let clerk = officer(4, Role::UnitClerk, "zjj");
        act(&app, id, &clerk, ActionInput::SignIn { register_no: "1号".into(), handler: named }).await;
        let contact = ActionInput::RecordContact {
            method: crate::domain::case::ContactMethod::Phone,
            person: "李经理".into(),
            outcome: crate::domain::case::ContactOutcome::Reached,
            result: "已联系".into(),
            at: None,
        };
        act(&app, id, &handler, contact).await;
        let conclusion = crate::domain::case::Conclusion::PlanInProgress;
        act(&app, id, &handler, ActionInput::DraftReply { text: "分步整修".into(), conclusion, from_bot: false }).await;
        act(&app, id, &officer(6, Role::UnitLeader, "zjj"), ActionInput::SignOff).await;
        act(&app, id, &officer(3, Role::Verifier, ""), ActionInput::ReleaseReply { note: None }).await;
        let milestones = vec![crate::domain::case::MilestoneInput {
            text: "完工".into(),
            due_on: jiff::civil::date(2026, 6, 30),
        }];
        act(&app, id, &Actor::Enterprise, ActionInput::AcceptPlan { milestones }).await;
        let reviews = async || {
            let events = stored(&app, id).await.1;
            events.iter().filter(|event| event.kind == EventKind::ReviewDue).count()
        };
        for (now, count) in
            [("2026-03-30T08:29:59", 0), ("2026-03-30T08:30:00", 1), ("2026-04-28T08:30:00", 2), ("2026-06-26T09:00:00", 4)]
        {
            clock.set(at(now));
            run(&app).await.unwrap();
            run(&app).await.unwrap();
            assert_eq!(reviews().await, count, "{now}");
        }
    }
}

crate::store_test! {
    async fn what_is_archived_is_kept_with_its_hash_and_checked(db: Db) {
        let (app, clock) = gateway(&db, "2026-03-10T10:00:00");
        let id = closed(&app, &clock).await;
        let case = stored(&app, id).await.0;
        let prepared = async || {
            let mut tx = app.db.read().await.unwrap();
            archiving::prepare(&mut tx, &app.content.load(), &case).await.unwrap()
        };
        let Prepared::Package { sha256, body } = prepared().await else { panic!("the chain is sound") };
        assert_eq!(prepared().await, Prepared::Package { sha256: sha256.clone(), body: body.clone() });
        clock.set(at("2026-04-12T00:00:00"));
        run(&app).await.unwrap();
        let (case, events) = stored(&app, id).await;
        assert_eq!(case.status, CaseStatus::Archived);
        assert_eq!(events.last().unwrap().fact("package"), Some(sha256.as_str()));
        let mut tx = app.db.read().await.unwrap();
        assert_eq!(packages::latest(&mut tx, id).await.unwrap().unwrap().body, body);
        drop(tx);
        assert!(backup::verify(&db).await.unwrap().is_sound());
        let forge = "UPDATE case_packages SET body = '{}'";
        let mut tx = db.write().await.unwrap();
        on_backend!(&mut tx, |conn| sqlx::query(forge).execute(conn).await.map(|_| ())).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(backup::verify(&db).await.unwrap().packages, [(id.to_string(), case.last_seq)]);
    }
}

crate::store_test! {
    async fn a_broken_history_is_not_archived_and_told_once(db: Db) {
        let (app, clock) = gateway(&db, "2026-03-10T10:00:00");
        let admin = OfficerId::from_uuid(Uuid::from_u128(77));
        let mut tx = db.write().await.unwrap();
        let account = officers::NewOfficer {
            id: admin,
            login: "admin",
            name: "管理员",
            password_hash: "-",
            must_change_password: false,
        };
        officers::insert(&mut tx, &account, app.now()).await.unwrap();
        officers::set_roles(&mut tx, admin, &[(Role::Admin, String::new())]).await.unwrap();
        tx.commit().await.unwrap();
        let id = closed(&app, &clock).await;
        let set = async |facts: &str, was: &str| {
            let sql = "UPDATE case_events SET facts = $1 WHERE seq = 1 AND facts = $2";
            let mut tx = db.write().await.unwrap();
            on_backend!(&mut tx, |conn| sqlx::query(sql).bind(facts).bind(was).execute(conn).await.map(|_| ())).unwrap();
            tx.commit().await.unwrap();
        };
        let facts: (String,) = {
            let sql = "SELECT facts FROM case_events WHERE seq = 1";
            let mut tx = db.read().await.unwrap();
            on_backend!(&mut tx, |conn| sqlx::query_as(sql).fetch_one(conn).await.unwrap())
        };
        set("[]", &facts.0).await;
        for day in ["2026-04-12T00:00:00", "2026-04-13T00:00:00", "2026-04-14T00:00:00"] {
            clock.set(at(day));
            run(&app).await.unwrap();
            let mut tx = db.read().await.unwrap();
            assert_eq!(load(&mut tx, id).await.status, CaseStatus::Closed);
            assert_eq!(crate::store::notices::unread(&mut tx, admin).await.unwrap(), 1);
        }
        set(&facts.0, "[]").await;
        clock.set(at("2026-04-15T00:00:00"));
        run(&app).await.unwrap();
        assert_eq!(stored(&app, id).await.0.status, CaseStatus::Archived, "mended, it is archived");
    }
}

crate::store_test! {
    async fn a_published_calendar_moves_provisional_dates_and_says_so(db: Db) {
        let (app, _) = gateway(&db, "2026-12-28T10:00:00");
        let id = dispatched(&app).await;
        let (case, events) = stored(&app, id).await;
        let k5 = case.clock(ClockKey::K5).unwrap();
        assert!(k5.provisional);
        assert_eq!(k5.due_at, Some(at("2027-01-12T17:30:00")));
        let published = |now: &str, off: &str| published(&db, now, off).0;
        let app = published("2026-12-29T10:00:00", "2027-01-01..2027-01-04");
        assert_eq!(run(&app).await.unwrap().recomputed, 1);
        let (case, after) = stored(&app, id).await;
        let k5 = case.clock(ClockKey::K5).unwrap();
        assert_eq!((k5.due_at, k5.provisional), (Some(at("2027-01-13T17:30:00")), false));
        let lines: Vec<_> = after[events.len()..].iter().filter_map(|e| e.public_line(&str::to_owned)).collect();
        assert_eq!(lines, ["放假安排已公布，答复时限由2027年1月12日 17:30调整为2027年1月13日 17:30"]);
        assert_eq!(run(&app).await.unwrap().recomputed, 0);
        // A correction that shortens it is told as well.
        let app = published("2026-12-29T11:00:00", "2027-01-01");
        run(&app).await.unwrap();
        let (case, last) = stored(&app, id).await;
        assert_eq!(case.clock(ClockKey::K5).unwrap().due_at, Some(at("2027-01-12T17:30:00")));
        assert!(last.len() > after.len());
    }
}

crate::store_test! {
    async fn what_waits_without_a_clock_follows_the_calendar_too(db: Db) {
        let (app, _) = gateway(&db, "2026-12-28T10:00:00");
        let id = file(&app, CaseType::Coordination).await;
        let ask = ActionInput::RequestInfo { items: vec!["合同".into()] };
        act(&app, id, &officer(1, Role::FrontDesk, ""), ask).await;
        run(&app).await.unwrap();
        let (app, clock) = published(&db, "2026-12-29T10:00:00", "2027-01-01..2027-01-04");
        run(&app).await.unwrap();
        clock.set(at("2027-01-13T17:29:59"));
        run(&app).await.unwrap();
        assert_eq!(stored(&app, id).await.0.status, CaseStatus::NeedInfo);
        clock.set(at("2027-01-13T17:30:00"));
        run(&app).await.unwrap();
        assert_eq!(stored(&app, id).await.0.status, CaseStatus::Withdrawn);
    }
}

crate::store_test! {
    async fn a_timer_that_comes_too_early_comes_again(db: Db) {
        let (app, clock) = gateway(&db, "2026-03-10T10:00:00");
        let id = file(&app, CaseType::Coordination).await;
        let ask = ActionInput::RequestInfo { items: vec!["合同".into()] };
        act(&app, id, &officer(1, Role::FrontDesk, ""), ask).await;
        let early = Timer {
            case: id,
            clock: None,
            turn: 1,
            step: Step::Act(crate::domain::case::CaseAction::LapseInfo).word(),
            at: at("2026-03-24T09:00:00"),
        };
        for reminded in ["2026-03-18T09:00:00", "2026-03-23T09:00:00"] {
            clock.set(at(reminded));
            run(&app).await.unwrap();
        }
        let mut tx = app.db.write().await.unwrap();
        timers::put_timers(&mut tx, id, &[early]).await.unwrap();
        tx.commit().await.unwrap();
        clock.set(at("2026-03-24T09:00:00"));
        assert_eq!(run(&app).await.unwrap(), Summary::default());
        clock.set(at("2026-03-24T17:30:00"));
        assert_eq!(run(&app).await.unwrap().acted, 1);
        assert_eq!(stored(&app, id).await.0.status, CaseStatus::Withdrawn);
    }
}

crate::store_test! {
    async fn a_gateway_with_an_older_calendar_leaves_the_due_dates_alone(db: Db) {
        let behind = |app: &App| app.metrics.calendar_behind.load(std::sync::atomic::Ordering::Relaxed);
        let (old, old_clock) = gateway(&db, "2026-12-28T10:00:00");
        let id = dispatched(&old).await;
        run(&old).await.unwrap();
        let (new, new_clock) = published(&db, "2026-12-28T10:01:00", "2027-01-01..2027-01-04");
        assert_eq!(run(&new).await.unwrap().recomputed, 1);
        let due = Some(at("2027-01-13T17:30:00"));
        for minute in 2..8 {
            let now = at(&format!("2026-12-28T10:0{minute}:00"));
            old_clock.set(now);
            new_clock.set(now);
            assert_eq!(run(&old).await.unwrap().recomputed, 0);
            assert_eq!(run(&new).await.unwrap().recomputed, 0);
        }
        assert!(behind(&old) && !behind(&new));
        let (case, events) = stored(&new, id).await;
        assert_eq!(case.clock(ClockKey::K5).unwrap().due_at, due);
        let told = events.iter().filter(|e| e.kind == EventKind::DueRecomputed && e.fact("clock").is_some_and(|c| c.starts_with("K5 ")));
        assert_eq!(told.count(), 1);
        // The one with the newer calendar is switched off for good: what is left goes by its own.
        old_clock.set(at("2026-12-28T10:30:00"));
        run(&old).await.unwrap();
        assert!(!behind(&old));
    }
}

crate::store_test! {
    async fn what_the_system_does_late_is_told_with_its_true_time(db: Db) {
        let (app, clock) = gateway(&db, "2026-09-30T10:00:00");
        let id = dispatched(&app).await;
        clock.set(at("2026-10-12T09:00:00"));
        run(&app).await.unwrap();
        let (case, events) = stored(&app, id).await;
        let deemed = events.iter().find(|e| e.kind == EventKind::DeemedSigned).unwrap();
        assert_eq!(deemed.fact("moment"), Some("2026年10月8日 17:30"));
        assert_eq!(case.clock(ClockKey::K3).unwrap().stopped_at, Some(at("2026-10-08T17:30:00")));
    }
}

crate::store_test! {
    async fn the_enterprise_is_reminded_twice_and_called_before_its_silence_counts(db: Db) {
        let (app, clock) = gateway(&db, "2026-11-02T09:00:00");
        let id = dispatched(&app).await;
        let (clerk, handler) = (officer(2, Role::UnitClerk, "zjj"), officer(3, Role::Handler, "zjj"));
        let name = (OfficerId::from_uuid(Uuid::from_u128(3)), "测试3".to_owned());
        let account = officers::NewOfficer {
            id: name.0,
            login: "handler",
            name: "测试3",
            password_hash: "!",
            must_change_password: false,
        };
        let mut tx = app.db.write().await.unwrap();
        officers::insert(&mut tx, &account, app.now()).await.unwrap();
        tx.commit().await.unwrap();
        act(&app, id, &clerk, ActionInput::SignIn { register_no: "收1".into(), handler: Some(name) }).await;
        let contact = ActionInput::RecordContact {
            method: crate::domain::case::ContactMethod::Phone,
            person: "李".into(),
            outcome: crate::domain::case::ContactOutcome::Reached,
            result: "已联系".into(),
            at: None,
        };
        act(&app, id, &handler, contact).await;
        let draft = ActionInput::DraftReply {
            text: "已修好。".into(),
            conclusion: crate::domain::case::Conclusion::Solved,
            from_bot: false,
        };
        act(&app, id, &handler, draft).await;
        act(&app, id, &officer(4, Role::UnitLeader, "zjj"), ActionInput::SignOff).await;
        act(&app, id, &officer(5, Role::Verifier, ""), ActionInput::ReleaseReply { note: None }).await;
        let told = |events: &[CaseEvent], kind| events.iter().filter(|e| e.kind == kind).count();
        for (now, reminded, called) in [
            ("2026-11-03T17:30:00", 0, 0),
            ("2026-11-05T17:29:00", 1, 0),
            ("2026-11-05T17:30:00", 1, 1),
            ("2026-11-09T17:29:59", 2, 1),
        ] {
            clock.set(at(now));
            run(&app).await.unwrap();
            let (case, events) = stored(&app, id).await;
            assert_eq!(case.status, CaseStatus::AwaitingConfirm, "{now}");
            assert_eq!((told(&events, EventKind::Reminded), told(&events, EventKind::CallAsked)), (reminded, called), "{now}");
        }
        // Nobody called: silence says nothing, and the centre is told so once.
        clock.set(at("2026-11-09T17:30:00"));
        for _ in 0..2 {
            run(&app).await.unwrap();
            let (case, events) = stored(&app, id).await;
            assert_eq!(case.status, CaseStatus::AwaitingConfirm);
            assert_eq!(told(&events, EventKind::CallAsked), 2);
        }
        clock.set(at("2026-11-09T17:31:00"));
        let call = ActionInput::RecordContact {
            method: crate::domain::case::ContactMethod::Phone,
            person: "李".into(),
            outcome: crate::domain::case::ContactOutcome::Failed,
            result: "无人接听".into(),
            at: None,
        };
        act(&app, id, &officer(5, Role::Verifier, ""), call).await;
        run(&app).await.unwrap();
        let (case, events) = stored(&app, id).await;
        assert_eq!(case.status, CaseStatus::ClosingReview);
        assert_eq!(told(&events, EventKind::ConfirmedSilently), 1);
        // Nothing is said twice, also by a gateway that starts anew.
        let (again, _) = gateway(&db, "2026-11-09T17:32:00");
        run(&again).await.unwrap();
        assert_eq!(stored(&app, id).await.1.len(), events.len());
    }
}

crate::store_test! {
    async fn each_rung_goes_to_those_whose_clock_it_is(db: Db) {
        let (app, _) = gateway(&db, "2026-09-30T10:00:00");
        let id = dispatched(&app).await;
        let (mut case, _) = stored(&app, id).await;
        let handler = OfficerId::from_uuid(Uuid::from_u128(7));
        let clock = |key, owner: &str| CaseClock { key, owner: owner.into(), ..case.clocks[0].clone() };
        let (k1, k7) = (clock(ClockKey::K1, "centre"), clock(ClockKey::K7, "centre"));
        let (recheck, k5) = (clock(ClockKey::K9, "supervision"), clock(ClockKey::K5, "zjj"));
        case.handler = Some(handler);
        let work = Work::new(case);
        let who = |role: &str, clock: &CaseClock| work.reader(role, clock);
        assert_eq!(who("handler", &k1), Recipient::Roles(&[Role::FrontDesk, Role::Dispatcher]));
        assert_eq!(who("handler", &k7), Recipient::Roles(&[Role::Verifier]));
        assert_eq!(who("unit_leader", &recheck), Recipient::Roles(&[Role::Supervisor, Role::Verifier]));
        assert_eq!(who("handler", &k5), Recipient::Officer(handler));
        assert_eq!(who("unit_leader", &k5), Recipient::Leader("zjj".into()));
        assert_eq!(who("leader", &k5), Recipient::Roles(&[Role::Leader]));
        assert_eq!(who("discipline", &k5), Recipient::Roles(&[Role::Discipline]));
        assert_eq!(who("dispatcher", &k5), Recipient::Centre);
    }
}

impl App {
    fn ids_uuid(&self) -> Uuid {
        self.ids.uuid(self.clock.now())
    }
}

#[test]
fn step_words_read_back() {
    use crate::domain::case::CaseAction;
    for step in [
        Step::Rung(0),
        Step::Rung(6),
        Step::Act(CaseAction::DeemSigned),
        Step::Act(CaseAction::Archive),
        Step::Remind(crate::domain::case::Reminder::Review(3)),
    ] {
        assert_eq!(Step::read(&step.word()), Some(step));
    }
    assert_eq!(Step::read("act:dance"), None);
}
