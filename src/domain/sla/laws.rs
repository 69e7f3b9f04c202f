//! The vectors of DOMAIN 2.1 and the laws that hold for every due date.

use jiff::{SignedDuration, Timestamp, civil::date, tz::TimeZone};
use proptest::prelude::*;

use super::*;
use crate::domain::kinds::{CaseType, Channel, Complexity, Urgency};

fn schedule() -> Schedule {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    Schedule::new(WorkCalendar::shipped(), OfficeHours::standard(), zone)
}

fn at(text: &str) -> Timestamp {
    format!("{text}+08:00").parse().unwrap()
}

fn due(schedule: &Schedule, opened: &str, budget: Budget) -> Due {
    schedule.due(&DueRequest::new(at(opened), budget)).unwrap()
}

#[test]
fn working_days_are_counted_as_the_vectors_say() {
    let schedule = schedule();
    let check = |start: &str, days: &[(u32, &str)]| {
        for (hour, &(n, expected)) in ["00:00:00", "08:29:59", "12:30:00", "17:30:00", "23:59:59"]
            .iter()
            .flat_map(|hour| days.iter().map(move |day| (hour, day)))
        {
            let due = due(&schedule, &format!("{start}T{hour}"), Budget::working_days(n));
            assert_eq!(due.due, Some(at(&format!("{expected}T17:30:00"))), "{start} {hour} + {n}");
            assert!(!due.provisional, "{start} + {n}");
        }
    };
    check(
        "2026-02-13",
        &[(1, "2026-02-14"), (2, "2026-02-24"), (3, "2026-02-25"), (5, "2026-02-27"), (10, "2026-03-05")],
    );
    check("2026-02-14", &[(1, "2026-02-24"), (2, "2026-02-25"), (5, "2026-02-28"), (10, "2026-03-06")]);
    check("2026-02-16", &[(1, "2026-02-24"), (2, "2026-02-25"), (5, "2026-02-28"), (10, "2026-03-06")]);
    check("2026-04-30", &[(1, "2026-05-06"), (3, "2026-05-08"), (5, "2026-05-11")]);
    check("2026-09-18", &[(1, "2026-09-20"), (2, "2026-09-21"), (5, "2026-09-24"), (10, "2026-10-09")]);
    check("2026-09-19", &[(1, "2026-09-20"), (2, "2026-09-21")]);
    check(
        "2026-09-30",
        &[(1, "2026-10-08"), (2, "2026-10-09"), (5, "2026-10-13"), (10, "2026-10-20"), (15, "2026-10-27")],
    );
    check("2026-01-04", &[(1, "2026-01-05"), (2, "2026-01-06")]);
    check("2025-09-30", &[(1, "2025-10-09"), (2, "2025-10-10"), (10, "2025-10-21")]);
    check("2026-12-28", &[(2, "2026-12-30"), (3, "2026-12-31")]);
}

#[test]
fn what_crosses_into_an_unpublished_year_is_provisional() {
    let schedule = schedule();
    // 1 January is a fixed statutory day, so it does not count although 2027 is not published.
    for (n, expected) in [(4, "2027-01-04"), (5, "2027-01-05"), (9, "2027-01-11"), (10, "2027-01-12")] {
        let due = due(&schedule, "2026-12-28T10:00:00", Budget::working_days(n));
        assert_eq!(due, Due { due: Some(at(&format!("{expected}T17:30:00"))), provisional: true }, "{n}");
    }
    let published = schedule.calendar().with_overrides([(date(2026, 12, 31), false)]);
    let sooner = Schedule::new(published, schedule.hours().clone(), schedule.zone().clone());
    assert!(due(&sooner, "2026-12-28T10:00:00", Budget::working_days(3)).provisional);
}

#[test]
fn calendar_days_roll_forward_to_a_working_day() {
    let schedule = schedule();
    for (opened, n, expected) in [
        ("2026-09-05T10:00:00", 30, "2026-10-08"),
        ("2026-09-05T10:00:00", 15, "2026-09-20"),
        ("2026-03-02T10:00:00", 1, "2026-03-03"),
        ("2026-02-13T10:00:00", 2, "2026-02-24"),
    ] {
        let due = due(&schedule, opened, Budget::calendar_days(n));
        assert_eq!(due.due, Some(at(&format!("{expected}T17:30:00"))), "{opened} + {n}");
    }
}

#[test]
fn the_half_hour_runs_in_office_hours() {
    let schedule = schedule();
    for (opened, expected) in [
        ("2026-03-10T09:00:00", "2026-03-10T09:30:00"),
        ("2026-03-10T11:30:00", "2026-03-10T12:00:00"),
        ("2026-03-10T11:45:00", "2026-03-10T14:45:00"),
        ("2026-03-10T12:10:00", "2026-03-10T15:00:00"),
        ("2026-03-10T17:20:00", "2026-03-11T08:50:00"),
        ("2026-02-14T17:20:00", "2026-02-24T08:50:00"),
        ("2026-09-20T10:00:00", "2026-09-20T10:30:00"),
    ] {
        let due = due(&schedule, opened, Budget::working_minutes(30));
        assert_eq!(due.due, Some(at(expected)), "{opened}");
    }
}

#[test]
fn pauses_and_extensions_move_a_due_date_and_nothing_else_does() {
    let schedule = schedule();
    let base = DueRequest::new(at("2026-03-10T09:00:00"), Budget::working_days(3));
    let check = |request: &DueRequest<'_>, expected: Option<&str>| {
        assert_eq!(schedule.due(request).unwrap().due, expected.map(at), "{request:?}");
    };
    let pause = |from: &str, to: Option<&str>| Pause { from: at(from), to: to.map(at) };
    check(&base, Some("2026-03-13T17:30:00"));
    check(&DueRequest { extension_days: 2, ..base }, Some("2026-03-17T17:30:00"));
    // The last business second decides: a pause over lunch does not cost the day, one over the close does.
    let lunch = [pause("2026-03-11T09:00:00", Some("2026-03-11T17:29:59"))];
    check(&DueRequest { pauses: &lunch, ..base }, Some("2026-03-13T17:30:00"));
    let close = [pause("2026-03-11T17:29:59", Some("2026-03-11T17:30:00"))];
    check(&DueRequest { pauses: &close, ..base }, Some("2026-03-16T17:30:00"));
    let overlapping = [
        pause("2026-03-12T08:00:00", Some("2026-03-12T18:00:00")),
        pause("2026-03-01T08:00:00", Some("2026-03-11T18:00:00")),
        pause("2026-03-11T10:00:00", Some("2026-03-12T10:00:00")),
    ];
    check(&DueRequest { pauses: &overlapping, ..base }, Some("2026-03-17T17:30:00"));
    check(&DueRequest { pauses: &[pause("2026-03-12T10:00:00", None)], ..base }, None);
    check(&DueRequest { pauses: &[pause("2026-03-13T17:30:00", None)], ..base }, Some("2026-03-13T17:30:00"));
    check(&DueRequest { pauses: &[pause("2026-03-13T17:29:59", None)], ..base }, None);
    let minutes = DueRequest::new(at("2026-03-10T23:00:00"), Budget { unit: Unit::Minutes, n: 90 });
    check(&minutes, Some("2026-03-11T00:30:00"));
    let night = [pause("2026-03-10T23:30:00", Some("2026-03-11T06:00:00"))];
    check(&DueRequest { pauses: &night, ..minutes }, Some("2026-03-11T07:00:00"));
    let days = DueRequest::new(at("2026-03-10T09:00:00"), Budget::calendar_days(3));
    check(&DueRequest { pauses: &[pause("2026-03-10T10:00:00", None)], ..days }, Some("2026-03-13T17:30:00"));
}

#[test]
fn the_receipt_rule_moves_what_comes_after_close() {
    let schedule = schedule();
    for (opened, plain, later) in [
        ("2026-03-10T17:29:59", "2026-03-11", "2026-03-11"),
        ("2026-03-10T17:30:00", "2026-03-11", "2026-03-12"),
        ("2026-03-10T07:00:00", "2026-03-11", "2026-03-11"),
        ("2026-03-14T10:00:00", "2026-03-16", "2026-03-17"),
    ] {
        let request = DueRequest::new(at(opened), Budget::working_days(1));
        assert_eq!(schedule.due(&request).unwrap().due, Some(at(&format!("{plain}T17:30:00"))));
        let request = DueRequest { receipt_rule: ReceiptRule::NextWorkingDay, ..request };
        assert_eq!(schedule.due(&request).unwrap().due, Some(at(&format!("{later}T17:30:00"))), "{opened}");
    }
}

#[test]
fn offices_open_and_close() {
    let schedule = schedule();
    for (now, open, next) in [
        ("2026-03-10T08:29:59", false, "2026-03-10T08:30:00"),
        ("2026-03-10T08:30:00", true, "2026-03-10T08:30:00"),
        ("2026-03-10T12:00:00", false, "2026-03-10T14:30:00"),
        ("2026-09-30T17:30:00", false, "2026-10-08T08:30:00"),
        ("2026-10-10T10:00:00", true, "2026-10-10T10:00:00"),
    ] {
        assert_eq!(schedule.is_open(at(now)), open, "{now}");
        assert_eq!(schedule.next_open(at(now)), Some(at(next)), "{now}");
    }
    assert_eq!(schedule.close_of(date(2026, 10, 10)), Some(at("2026-10-10T17:30:00")));
    assert_eq!(schedule.close_of(date(2026, 10, 11)), None);
}

#[test]
fn the_shipped_policies_give_the_limits_of_their_documents() {
    use {CaseType as T, Complexity as C};

    let book = SlaBook::shipped();
    let check = |name: &str, case_type: T, grade: Option<C>, expected: &str| {
        let within = book.profile(name).unwrap().answer_budget(case_type, grade);
        assert_eq!(within.map(|w| w.to_string()).as_deref(), Some(expected), "{name} {case_type} {grade:?}");
    };
    check("fujian", T::Consultation, None, "2wd");
    check("fj_4t4d", T::Suggestion, Some(C::Hard), "5wd");
    for demand in [T::Coordination, T::Help, T::Complaint, T::Report, T::Stuck, T::Conduct] {
        check("fujian", demand, None, "10wd");
    }
    for (grade, expected) in [(C::Simple, "1wd"), (C::Complex, "3wd"), (C::Hard, "5wd"), (C::Special, "law")] {
        check("xs_135", T::Complaint, Some(grade), expected);
    }
    check("sq_mayor", T::Coordination, None, "5wd");
    check("sq_mayor", T::Coordination, Some(C::Complex), "15wd");
    check("sq_bbcs", T::Stuck, Some(C::Simple), "0");
    check("sq_bbcs", T::Stuck, None, "5wd");
    check("np_30min", T::Consultation, None, "30wm");
    check("pt_3b", T::Coordination, None, "5wd");
    check("law_arrears", T::Arrears, None, "30d");
    check("ref_5wd", T::Help, None, "5wd");
    check("ref_zaozhuang", T::Help, Some(C::Hard), "25wd");
    let mayor = book.profile("suqian_mayor").unwrap();
    let facts = AnswerFacts::new(T::Complaint, None);
    let within = |facts: AnswerFacts<'_>| mayor.answer(&facts).unwrap().within.to_string();
    assert_eq!(within(AnswerFacts { urgency: Urgency::Urgent, ..facts }), "2wd");
    assert_eq!(within(AnswerFacts { multi_unit: true, urgency: Urgency::Urgent, ..facts }), "15wd");
    let bj = book.profile("ref_bj").unwrap();
    assert_eq!(bj.answer(&AnswerFacts { urgency: Urgency::Critical, ..facts }).unwrap().within.in_words(), "2小时");
    assert_eq!(book.default_within("K3"), Some(Within::Budget(Budget::working_hours(4))));
    assert_eq!(book.stack.len(), 14);
    assert_eq!(book.ladder.rungs.len(), 7);
}

#[test]
fn the_policy_is_chosen_by_type_then_channel_then_region() {
    let book = SlaBook::shipped();
    let check = |case_type, channel, region, on, expected: &str| {
        let facts = PolicyFacts { case_type, topic: None, channel, region, row_profile: None, on };
        let chosen = book.select(&facts, "fujian").unwrap();
        assert_eq!(chosen.profile.name, expected, "{facts:?}");
        assert!(chosen.reason.contains(&chosen.profile.basis));
    };
    let day = date(2026, 11, 22);
    check(CaseType::Complaint, Channel::Web, Some("350000"), day, "fujian");
    check(CaseType::Complaint, Channel::Web, Some("350104"), day, "fujian");
    check(CaseType::Arrears, Channel::MayorMailbox, Some("350000"), day, "arrears");
    check(CaseType::Complaint, Channel::MayorMailbox, Some("350000"), day, "suqian_mayor");
    check(CaseType::Stuck, Channel::StuckWindow, None, day, "suqian_stuck");
    check(CaseType::Complaint, Channel::Web, Some("330225"), day, "xiangshan");
    check(CaseType::Complaint, Channel::Counter, Some("350702"), day, "nanping");
    check(CaseType::Complaint, Channel::Counter, Some("350100"), day, "fujian");
    check(CaseType::Complaint, Channel::Web, None, day, "fujian");
    check(CaseType::Arrears, Channel::Web, None, date(2025, 5, 31), "fujian");
    // 条例第二条: what a private debtor owes is no complaint under the regulation.
    for (topic, expected) in [("ARREARS.GOV", "arrears"), ("ARREARS.BIG", "arrears"), ("ARREARS.PRIVATE", "fujian")] {
        let facts = PolicyFacts {
            case_type: CaseType::Arrears,
            topic: Some(topic),
            channel: Channel::Web,
            row_profile: None,
            region: Some("350000"),
            on: day,
        };
        assert_eq!(book.select(&facts, "fujian").unwrap().profile.name, expected, "{topic}");
    }
    // The row of the dispatch table decides where its policy is in force, and nowhere else.
    for (region, expected) in [("330225", "xiangshan"), ("350000", "fujian")] {
        let facts = PolicyFacts {
            case_type: CaseType::Coordination,
            topic: None,
            channel: Channel::Web,
            region: Some(region),
            row_profile: Some("xiangshan"),
            on: day,
        };
        assert_eq!(book.select(&facts, "fujian").unwrap().profile.name, expected, "{region}");
    }
    let late = PolicyFacts {
        case_type: CaseType::Help,
        topic: None,
        channel: Channel::Web,
        row_profile: None,
        region: None,
        on: date(2028, 1, 1),
    };
    assert!(book.select(&late, "fujian").unwrap().reason.contains("不在有效期内"));
}

#[test]
fn the_ladder_fires_in_order_and_never_on_a_holiday() {
    let (schedule, book) = (schedule(), SlaBook::shipped());
    let moments = |opened: &str, budget: Budget| {
        let request = DueRequest::new(at(opened), budget);
        let due = schedule.due(&request).unwrap().due;
        book.ladder.moments(&schedule, &request, due).unwrap()
    };
    let k5 = moments("2026-09-30T17:20:00", Budget::working_days(10));
    assert_eq!(k5.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    assert!(k5.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{k5:?}");
    let expected = ["2026-10-19T17:30:00", "2026-10-20T17:30:01", "2026-10-21T17:30:00", "2026-10-22T17:30:00"];
    assert_eq!(k5[1..5].iter().map(|(_, t)| *t).collect::<Vec<_>>(), expected.map(at));
    for (_, moment) in &k5 {
        assert!(schedule.calendar().day(schedule.civil(*moment).date()).working);
    }
    let one_day = moments("2026-03-10T09:00:00", Budget::working_days(1));
    assert_eq!(one_day[1], (1, at("2026-03-11T14:30:00").min(at("2026-03-11T12:00:00"))));
    let half_hour = moments("2026-03-10T09:00:00", Budget::working_minutes(30));
    let expected = [(0, "09:09:54"), (1, "09:19:48"), (2, "09:30:01"), (3, "10:00:00")];
    assert_eq!(half_hour, expected.map(|(step, t)| (step, at(&format!("2026-03-10T{t}")))));
}

fn a_moment() -> impl Strategy<Value = Timestamp> {
    (1_672_531_200_i64..1_798_700_000).prop_map(|s| Timestamp::from_second(s).unwrap())
}

fn a_budget() -> impl Strategy<Value = Budget> {
    prop_oneof![
        (1..40_u32).prop_map(Budget::working_days),
        (1..100_u32).prop_map(Budget::working_hours),
        (1..5000_u32).prop_map(Budget::working_minutes),
        (0..120_u32).prop_map(Budget::calendar_days),
        (1..50_000_u32).prop_map(|n| Budget { unit: Unit::Minutes, n }),
    ]
}

fn some_pauses() -> impl Strategy<Value = Vec<Pause>> {
    proptest::collection::vec((1_672_531_200_i64..1_798_700_000, 0..2_000_000_i64), 0..4).prop_map(|list| {
        let pause = |(from, length): (i64, i64)| Pause {
            from: Timestamp::from_second(from).unwrap(),
            to: Some(Timestamp::from_second(from + length).unwrap()),
        };
        list.into_iter().map(pause).collect()
    })
}

proptest! {
    #[test]
    fn a_due_date_is_not_before_opening_and_falls_on_a_working_day(
        opened in a_moment(), budget in a_budget(), pauses in some_pauses(), extension in 0..6_u32, exact in any::<bool>(),
    ) {
        let schedule = schedule();
        let convention = (exact && budget.unit == Unit::WorkingDays).then_some(Convention::Exact);
        let request = DueRequest { pauses: &pauses, extension_days: extension, convention, ..DueRequest::new(opened, budget) };
        let due = schedule.due(&request).unwrap().due.unwrap();
        // A calendar day of zero days may close before a late opening; everything else lies ahead.
        prop_assert!(due >= opened || budget.unit == Unit::CalendarDays);
        if budget.unit != Unit::Minutes {
            prop_assert!(schedule.calendar().day(schedule.civil(due).date()).working);
        }
    }

    #[test]
    fn more_time_and_a_later_opening_are_never_due_earlier(
        opened in a_moment(), budget in a_budget(), pauses in some_pauses(), later in 0..500_000_i64, more in 0..10_u32,
    ) {
        let schedule = schedule();
        let request = DueRequest { pauses: &pauses, ..DueRequest::new(opened, budget) };
        let due = |request: &DueRequest<'_>| schedule.due(request).unwrap().due.unwrap();
        let base = due(&request);
        let opened_later = due(&DueRequest { opened: opened + SignedDuration::from_secs(later), ..request });
        let more_budget = due(&DueRequest { budget: Budget { n: budget.n + more, ..budget }, ..request });
        let extended = due(&DueRequest { extension_days: more, ..request });
        let unpaused = due(&DueRequest { pauses: &[], ..request });
        prop_assert!(opened_later >= base);
        prop_assert!(more_budget >= base);
        prop_assert!(extended >= base);
        prop_assert!(unpaused <= base);
    }

    #[test]
    fn an_exact_due_date_uses_up_the_budget_to_the_second(
        opened in a_moment(), minutes in 1..5000_u32, pauses in some_pauses(),
    ) {
        let schedule = schedule();
        let request = DueRequest { pauses: &pauses, ..DueRequest::new(opened, Budget::working_minutes(minutes)) };
        let due = schedule.due(&request).unwrap().due.unwrap();
        let budget = i64::from(minutes) * 60;
        prop_assert_eq!(schedule.net_seconds(opened, due, &pauses), budget);
        let before = due - SignedDuration::from_secs(1);
        prop_assert_eq!(schedule.net_seconds(opened, before, &pauses), budget - 1);
    }

    #[test]
    fn warnings_lie_between_opening_and_due(
        opened in a_moment(), budget in a_budget(), pauses in some_pauses(), m in 0..3000_u32, p in 0..=100_u32, k in 0..12_u32,
    ) {
        let schedule = schedule();
        let request = DueRequest { pauses: &pauses, ..DueRequest::new(opened, budget) };
        let plan = schedule.plan(&request, &[Warn::BeforeMinutes(m), Warn::Percent(p), Warn::BeforeDays(k)]).unwrap();
        let due = plan.due.due.unwrap();
        for warning in plan.warnings.into_iter().flatten() {
            prop_assert!(warning >= opened);
            prop_assert!(warning <= due || due < opened);
        }
    }
}
