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
        case::{CaseStatus, NewCase, OfficerStamp, QueryCode, register},
        ids::OfficerId,
        kinds::{CaseType, Channel, Urgency},
        sla::{Schedule, WorkCalendar},
    },
    on_backend,
    store::{Db, cases},
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
    assert_eq!(cases::events::first_break(&mut tx, &id.to_string()).await.unwrap(), None);
    let events = cases::events::list(&mut tx, id).await.unwrap();
    (case, events)
}

fn accept() -> ActionInput {
    ActionInput::Accept {
        case_type: CaseType::Coordination,
        topic: None,
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
        clock.set(at("2026-03-24T17:30:00"));
        run(&app).await.unwrap();
        assert_eq!(stored(&app, need_info).await.0.status, CaseStatus::Withdrawn);
        clock.set(at("2026-04-11T17:30:00"));
        run(&app).await.unwrap();
        assert_eq!(stored(&app, answered).await.0.status, CaseStatus::Archived);
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
        let notice = |off: &str| format!(
            "schema = 1\nyear = 2027\ntitle = \"试\"\ndoc_no = \"试\"\nissuer = \"试\"\nissued_on = 2026-12-29\n\
            [[holiday]]\nname = \"元旦\"\noff = [\"{off}\"]\n"
        );
        let published = |now: &str, off: &str| {
            let mut content = the_content(at(now));
            let mut files: Vec<(String, String)> = content::shipped_files()
                .into_iter()
                .filter(|f| f.path.starts_with("calendar/"))
                .map(|f| (f.path, f.text))
                .collect();
            files.push(("calendar/cn-2027.toml".into(), notice(off)));
            let (hours, zone) = content::hours_and_zone(&Config::default().time).unwrap();
            content.schedule = Schedule::new(WorkCalendar::parse(&files).unwrap(), hours, zone);
            let clock = Arc::new(FixedClock::new(at(now)));
            App::new(Config::default(), db.clone(), ContentStore::fixed(content), clock, Arc::new(SystemIds))
        };
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

impl App {
    fn ids_uuid(&self) -> Uuid {
        self.ids.uuid(self.clock.now())
    }
}

#[test]
fn step_words_read_back() {
    use crate::domain::case::CaseAction;
    for step in [Step::Rung(0), Step::Rung(6), Step::Act(CaseAction::DeemSigned), Step::Act(CaseAction::Archive)] {
        assert_eq!(Step::read(&step.word()), Some(step));
    }
    assert_eq!(Step::read("act:dance"), None);
}
