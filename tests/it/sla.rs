//! Time limits against outside parties: the working days of another package, and an oracle that counts seconds.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

use jiff::{ToSpan, civil::date};
use serde_json::Value;
use zhitong::domain::sla::WorkCalendar;

const REQUESTS: &str = include_str!("fixtures/sla/requests.jsonl");
const ANSWERS: &str = include_str!("fixtures/sla/answers.jsonl");
const WORKDAYS: &str = include_str!("fixtures/sla/workdays-chinesecalendar-1.11.0.txt");

/// Runs `zhitong` in the source tree with the shipped rules and no configuration of its own.
fn zhitong(args: &[&str], input: &str) -> (String, Option<i32>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_zhitong"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the binary ends");
    // A command that refuses its arguments does not read its input.
    let _ = writer.join().expect("the writer does not panic");
    (String::from_utf8(output.stdout).expect("UTF-8"), output.status.code())
}

fn batch(input: &str) -> Vec<Value> {
    let (out, code) = zhitong(&["sla", "due", "--batch"], input);
    assert_eq!(code, Some(0));
    out.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

#[test]
fn every_day_of_2023_to_2026_agrees_with_chinesecalendar() {
    let expected: BTreeSet<&str> = WORKDAYS.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(expected.len(), 249 + 251 + 248 + 248);
    let calendar = WorkCalendar::shipped();
    for day in date(2023, 1, 1).series(1.day()).take_while(|d| d.year() <= 2026) {
        let kind = calendar.day(day);
        assert_eq!(kind.working, expected.contains(day.to_string().as_str()), "{day}");
        assert!(!kind.provisional, "{day}");
    }
    assert!(calendar.day(date(2027, 1, 4)).provisional);
    assert!(calendar.day(date(2022, 12, 30)).provisional);
}

#[test]
fn due_dates_agree_with_an_oracle_that_counts_seconds() {
    let answers = batch(REQUESTS);
    assert_eq!(answers.len(), REQUESTS.lines().count());
    for ((request, expected), mut answer) in REQUESTS.lines().zip(ANSWERS.lines()).zip(answers) {
        let expected: Value = serde_json::from_str(expected).expect("a JSON line");
        if answer["due"].is_null() {
            answer["provisional"] = Value::Null;
        }
        assert_eq!(answer, expected, "{request}");
    }
}

#[test]
fn a_bad_line_answers_an_error_and_the_next_is_read() {
    let good = r#"{"id":"z","opened_at":"2026-09-30T16:20:00+08:00","policy":{"unit":"working_days","n":1}}"#;
    let bad = [
        ("nonsense", "invalid_json", Value::Null),
        ("[1]", "invalid_json", Value::Null),
        (r#"{"opened_at":"2026-09-30T16:20:00+08:00","policy":{"unit":"minutes","n":1}}"#, "invalid_id", Value::Null),
        (r#"{"id":"a","policy":{"unit":"minutes","n":1}}"#, "invalid_opened_at", "a".into()),
        (
            r#"{"id":"b","opened_at":"2026-09-30T16:20:00","policy":{"unit":"minutes","n":1}}"#,
            "invalid_opened_at",
            "b".into(),
        ),
        (
            r#"{"id":"c","opened_at":"2026-02-30T16:20:00+08:00","policy":{"unit":"minutes","n":1}}"#,
            "invalid_opened_at",
            "c".into(),
        ),
        (
            r#"{"id":"d","opened_at":"2026-09-30T16:20:00Z","policy":{"unit":"weeks","n":1}}"#,
            "invalid_policy",
            "d".into(),
        ),
        (
            r#"{"id":"e","opened_at":"2026-09-30T16:20:00Z","policy":{"unit":"minutes","n":-1}}"#,
            "invalid_policy",
            "e".into(),
        ),
        (
            r#"{"id":"f","opened_at":"2026-09-30T16:20:00Z","policy":{"unit":"minutes","n":1},"convention":"day_count"}"#,
            "invalid_convention",
            "f".into(),
        ),
        (
            r#"{"id":"g","opened_at":"2026-09-30T16:20:00Z","policy":{"unit":"minutes","n":1},"hours":[]}"#,
            "invalid_hours",
            "g".into(),
        ),
        (
            r#"{"id":"h","opened_at":"2026-09-30T16:20:00Z","policy":{"unit":"minutes","n":1},"pauses":[["2026-10-02T00:00:00Z","2026-10-01T00:00:00Z"]]}"#,
            "invalid_pause",
            "h".into(),
        ),
        (
            r#"{"id":"i","opened_at":"2026-09-30T16:20:00Z","policy":{"unit":"working_days","n":4000000000}}"#,
            "out_of_range",
            "i".into(),
        ),
        (
            r#"{"id":"j","opened_at":"2026-09-30T16:20:00Z","policy":{"unit":"minutes","n":1},"warn":[{"soon":1}]}"#,
            "invalid_warn",
            "j".into(),
        ),
        (
            r#"{"id":"k","opened_at":"2026-09-30T16:20:00Z","policy":{"unit":"minutes","n":1},"overrides":{"2026-13-01":true}}"#,
            "invalid_overrides",
            "k".into(),
        ),
    ];
    let input: String = bad.iter().flat_map(|(line, ..)| [*line, "\n", good, "\n"]).collect();
    let answers = batch(&input);
    assert_eq!(answers.len(), bad.len() * 2);
    for (pair, (line, code, id)) in answers.chunks(2).zip(bad) {
        assert_eq!(pair[0]["error"]["code"], code, "{line}");
        assert_eq!(pair[0]["id"], id, "{line}");
        assert_eq!(pair[1]["due"], "2026-10-08T17:30:00+08:00", "after {line}");
    }
}

#[test]
fn every_deadline_of_a_policy_is_printed() {
    let args = ["sla", "due", "--opened", "2026-09-30T17:20:00+08:00", "--type", "complaint"];
    let with = |more: &[&str]| {
        let (out, code) = zhitong(&[&args[..], more].concat(), "");
        assert_eq!(code, Some(0), "{more:?}");
        out
    };
    assert!(with(&["--policy", "fujian"]).contains("2026年10月20日 周二 17:30"));
    let due = |policy: &str, more: &[&str]| {
        let out = with(&[&["--policy", policy, "--json"], more].concat());
        serde_json::from_str::<Value>(&out).expect("JSON")["due"].clone()
    };
    assert_eq!(due("fj_4t4d", &[]), "2026-10-20T17:30:00+08:00");
    assert_eq!(due("xiangshan", &["--complexity", "complex"]), "2026-10-10T17:30:00+08:00");
    assert_eq!(due("xiangshan", &["--complexity", "special"]), Value::Null);
    assert_eq!(due("nanping", &[]), "2026-10-08T08:50:00+08:00");
    let (_, code) = zhitong(&[&args[..], &["--policy", "nowhere"]].concat(), "");
    assert_eq!(code, Some(2));
}

#[test]
fn a_calendar_names_its_notice_or_says_that_there_is_none() {
    let (out, code) = zhitong(&["sla", "calendar", "2026"], "");
    assert_eq!(code, Some(0));
    assert!(out.contains("国办发明电〔2025〕7号") && out.contains("248 个工作日"), "{out}");
    let (out, _) = zhitong(&["sla", "calendar", "2027"], "");
    assert!(out.contains("尚未公布") && out.contains("暂算"), "{out}");
    let (out, _) = zhitong(&["sla", "calendar", "2025", "--json"], "");
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(json["working_day_count"], 248);
    assert_eq!(json["published"], true);
}
