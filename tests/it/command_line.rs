//! The command line as a program: exit codes, formats, field names, and what stands on standard error.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::program::{Program, call, client, free_port};

/// What a run gave: standard output, standard error, exit code.
struct Ran {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// Runs `zhitong` in a folder.
fn zhitong(folder: &Path, args: &[&str], input: &[u8]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_zhitong"))
        .args(args)
        .current_dir(folder)
        .env("ZHITONG__LOG__FILTER", "error")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the binary ends");
    // A command that refuses its arguments does not read its input.
    let _ = writer.join().expect("the writer does not panic");
    Ran {
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
        code: output.status.code(),
    }
}

const RULE: &str = r#"schema = 1
[[rule]]
id = "human"
title = "转人工"
status = "active"
kind = "command"
command = "human"
owner = "甲"
reviewer = "乙"
[rule.when]
any = ["转人工", "人工客服", "找真人"]
max_chars = 30
[rule.tests]
match = ["转人工", "我要人工客服", "帮我找真人"]
not_match = [{ text = "人工费怎么算" }]
"#;

/// A folder with rules of its own below `mine/`.
fn folder(rule: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("mine")).expect("made");
    fs::write(dir.path().join("mine/a.toml"), rule).expect("written");
    dir
}

#[test]
fn rules_check_tells_by_its_exit_code_and_in_three_formats() {
    let good = folder(RULE);
    let ran = zhitong(good.path(), &["rules", "check", "mine"], b"");
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("错误 0") && ran.out.contains("taxonomy.toml"), "{}", ran.out);

    let bad = folder(&RULE.replace("title = \"转人工\"", "title = \"转人工”"));
    let ran = zhitong(bad.path(), &["rules", "check", "mine"], b"");
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("mine/a.toml:4:") && ran.out.contains("E001"), "{}", ran.out);
    assert!(ran.out.contains("改成：title = \"转人工\""), "{}", ran.out);

    let ran = zhitong(bad.path(), &["rules", "check", "mine", "--format", "json"], b"");
    let report = ran.json();
    assert_eq!((ran.code, &report["errors"]), (Some(1), &json!(1)));
    let finding = &report["findings"][0];
    for key in ["code", "level", "file", "line", "column", "rule", "message", "help"] {
        assert!(finding.get(key).is_some(), "{key}: {finding}");
    }
    assert_eq!((&finding["code"], &finding["level"], &finding["line"]), (&json!("E001"), &json!("error"), &json!(4)));
    assert_eq!(report["missing_tables"], json!(["taxonomy.toml", "routing.toml"]));

    let ran = zhitong(bad.path(), &["rules", "check", "mine", "--format", "github"], b"");
    assert!(ran.out.starts_with("::error file=mine/a.toml,line=4,"), "{}", ran.out);

    let ran = zhitong(bad.path(), &["rules", "check", "nowhere"], b"");
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("nowhere"), "{}", ran.err);

    // A file in another encoding is a finding like any other.
    fs::write(bad.path().join("mine/a.toml"), b"schema = 1\n# \xd7\xaa\xc8\xcb\xb9\xa4\n").expect("written");
    let ran = zhitong(bad.path(), &["rules", "check", "mine"], b"");
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.out.contains("mine/a.toml:2:1") && ran.out.contains("UTF-8"), "{}", ran.out);
}

#[test]
fn rules_test_fails_for_a_failing_example_and_for_a_file_that_cannot_be_parsed() {
    let good = folder(RULE);
    let ran = zhitong(good.path(), &["rules", "test", "mine"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(ran.out.contains("全部通过"), "{}", ran.out);
    let report = zhitong(good.path(), &["rules", "test", "mine", "--json", "--at", "2028-01-01"], b"").json();
    assert_eq!((&report["date"], &report["passed"], &report["match"]), (&json!("2028-01-01"), &json!(true), &json!(3)));

    let failing = folder(&RULE.replace("match = [\"转人工\"", "match = [\"我要退税\""));
    let ran = zhitong(failing.path(), &["rules", "test", "mine", "--json"], b"");
    let report = ran.json();
    assert_eq!((ran.code, &report["failures"][0]["text"]), (Some(1), &json!("我要退税")));

    // The whole file is lost, its examples with it: that is no pass.
    let broken = folder("[[rule]]\nid = “a”\n");
    let ran = zhitong(broken.path(), &["rules", "test", "mine"], b"");
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    assert!(!ran.out.contains("全部通过") && ran.out.contains("E001"), "{}", ran.out);
    let report = zhitong(broken.path(), &["rules", "test", "mine", "--json"], b"").json();
    assert_eq!((&report["passed"], &report["errors"][0]["line"]), (&json!(false), &json!(2)));

    // Whoever asks a partial set is told so, and not on standard output.
    let ran = zhitong(broken.path(), &["classify", "--rules", "mine", "转人工"], b"");
    assert_eq!(ran.code, Some(0));
    assert!(ran.err.contains("E001") && serde_json::from_str::<Value>(&ran.out).is_ok(), "{} {}", ran.out, ran.err);
}

#[test]
fn rules_explain_names_spans_misses_and_the_route() {
    let dir = tempfile::tempdir().expect("a folder");
    let document = zhitong(dir.path(), &["rules", "explain", "--json", "技改补贴公示四个月了没到账"], b"").json();
    for key in ["original", "normalised", "rule_set", "rules", "result", "shadow", "near", "micros"] {
        assert!(document.get(key).is_some(), "{key}");
    }
    let rules = document["rules"].as_array().expect("rules");
    assert!(rules.iter().any(|rule| rule["fired"] == json!(true) && rule["won"] == json!(true)), "{document}");
    assert!(rules.iter().any(|rule| rule["fired"] == json!(false) && rule["reason"].is_string()), "{document}");
    assert_eq!(document["result"]["route"]["lead"], json!("工信局"));
    let ran = zhitong(dir.path(), &["rules", "explain", "技改补贴公示四个月了没到账"], b"");
    assert!(ran.out.contains("去向    工信局"), "{}", ran.out);
}

#[test]
fn rules_eval_counts_every_row() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut rows = String::new();
    for _ in 0..120 {
        rows.push_str("{\"text\":\"质保金多久退\",\"type\":\"咨询\",\"topic\":\"DEPOSIT\"}\n");
    }
    rows.push_str("{\"text\":\"窗口态度太差，投诉\",\"type\":\"投诉\",\"topic\":\"没有的主题\"}\nnot json\n");
    fs::write(dir.path().join("l.jsonl"), rows).expect("written");
    let report = zhitong(dir.path(), &["rules", "eval", "--labelled", "l.jsonl", "--json"], b"").json();
    assert_eq!((&report["rows"], &report["skipped"]), (&json!(121), &json!(1)));
    assert_eq!((&report["types_all"]["n"], &report["types"]["n"]), (&json!(121), &json!(120)));
    assert_eq!((&report["rare_labels"], &report["unknown_topics"]), (&json!(["投诉"]), &json!(1)));
    assert_eq!(report["topics"]["n"], json!(121));
    for key in ["accuracy", "macro_f1", "labels", "confusion"] {
        assert!(report["types"].get(key).is_some(), "{key}");
    }
}

#[test]
fn classify_answers_every_line_in_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let input = [
        "\u{feff}{\"id\":\"1\",\"text\":\"车间着火了，消防通道被车堵住了\"}",
        "this is no json",
        "{\"id\":2,\"text\":\"公司注册资本要几年缴足\",\"region\":\"350100\"}",
        "{\"id\":\"3\"}",
        "[1]",
        "",
        "{\"id\":\"4\",\"text\":\"转人工\"}",
    ]
    .join("\n");
    let ran = zhitong(dir.path(), &["classify", "--batch"], input.as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 7, "{}", ran.out);
    let ids: Vec<&Value> = lines.iter().map(|line| &line["id"]).collect();
    assert_eq!(ids, [&json!("1"), &Value::Null, &json!(2), &json!("3"), &Value::Null, &Value::Null, &json!("4")]);
    for (n, code) in [(1, "not_json"), (3, "no_text"), (4, "not_an_object"), (5, "not_json")] {
        assert_eq!(lines[n]["error"]["code"], json!(code), "{}", lines[n]);
    }
    for n in [0, 2, 6] {
        for key in [
            "type",
            "topic",
            "urgency",
            "confidence",
            "rules",
            "answered",
            "answer",
            "citations",
            "route",
            "command",
            "diversion",
            "sensitive",
            "matters",
        ] {
            assert!(lines[n].get(key).is_some(), "{key}: {}", lines[n]);
        }
    }
    assert_eq!((&lines[0]["diversion"], &lines[0]["urgency"]), (&json!("D1"), &json!("critical")));
    assert_eq!(lines[0]["route"]["lead"], json!("值班室"));
    assert_eq!((&lines[2]["answered"], &lines[2]["type"]), (&json!(true), &json!("consultation")));
    assert!(lines[2]["citations"][0]["ref"].as_str().is_some_and(|r| r.contains("条")), "{}", lines[2]);
    assert!(lines[2]["matters"][0].get("route").is_some());
    assert_eq!(lines[6]["command"], json!("human"));
}

#[test]
fn accounts_tokens_cases_and_backups_from_the_command_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str], input: &str| zhitong(dir.path(), args, input.as_bytes());
    let ran = run(&["db", "migrate"], "");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ran = run(&["user", "add", "zuoxi", "--name", "张三", "--role", "front_desk", "--stdin"], "ceshi-Mima-2026\n");
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert_ne!(run(&["user", "add", "zuoxi", "--name", "李四", "--role", "front_desk"], "").code, Some(0));
    assert_eq!(run(&["user", "add", "x", "--name", "李四", "--role", "nobody"], "").code, Some(2));
    let users = run(&["user", "list", "--json"], "");
    assert!(users.out.contains("zuoxi") && users.out.contains("front_desk"), "{}", users.out);
    let made = run(&["token", "create", "--user", "zuoxi", "--name", "对接", "--days", "30"], "");
    assert_eq!(made.code, Some(0), "{}", made.err);
    let tokens = run(&["token", "list", "--json"], "");
    assert!(tokens.out.contains("对接"), "{}", tokens.out);
    assert_ne!(run(&["token", "revoke", "00000000-0000-7000-8000-000000000000"], "").code, Some(0));
    let cases = run(&["case", "list", "--json"], "");
    assert_eq!(cases.code, Some(0), "{}", cases.err);
    assert_ne!(run(&["case", "show", "ZT20261126-0001K"], "").code, Some(0));
    assert_eq!(run(&["user", "disable", "zuoxi"], "").code, Some(0));

    assert_eq!(run(&["db", "backup", "copy.db"], "").code, Some(0));
    assert_ne!(run(&["db", "backup", "copy.db"], "").code, Some(0), "a backup is never overwritten");
    assert_eq!(run(&["db", "verify"], "").code, Some(0));
    assert_eq!(run(&["db", "verify", "copy.db"], "").code, Some(0));
    let ran = run(&["db", "restore", "copy.db", "--replace"], "");
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    fs::write(dir.path().join("bad.db"), b"nothing").expect("written");
    assert_ne!(run(&["db", "verify", "bad.db"], "").code, Some(0));
}

#[test]
fn the_example_configuration_is_accepted() {
    let dir = folder(RULE);
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("zhitong.example.toml"), dir.path().join("zhitong.toml"))
        .expect("copied");
    let ran = zhitong(dir.path(), &["rules", "test", "mine"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

/// Asks until it is so; nothing in here takes longer than two seconds.
async fn within_two_seconds(mut so: impl AsyncFnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(10);
    let begun = Instant::now();
    while Instant::now() < end {
        if so().await {
            // A loaded machine gets some seconds of grace.
            return begun.elapsed() < Duration::from_secs(6);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_gateway_takes_up_rules_and_keeps_a_half_filled_form_over_a_restart() {
    let dir = folder(RULE);
    for file in ["taxonomy.toml", "routing.toml"] {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules").join(file);
        fs::copy(shipped, dir.path().join("mine").join(file)).expect("copied");
    }
    for folder in ["sla", "calendar"] {
        fs::create_dir(dir.path().join("mine").join(folder)).expect("made");
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules").join(folder)).expect("shipped") {
            let entry = entry.expect("an entry");
            fs::copy(entry.path(), dir.path().join("mine").join(folder).join(entry.file_name())).expect("copied");
        }
    }
    let port = free_port();
    let start = || {
        Program::start_with(dir.path(), port, |command| {
            command.env("ZHITONG__CONTENT__RULES_DIR", "mine").env("ZHITONG__SERVER__METRICS_PUBLIC", "true");
        })
    };
    let server = start().await;
    let client = client();
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let started =
        call(&client, Method::POST, &url("/api/chat/sessions"), "", Some(json!({}))).await.expect("a session");
    let token = started["token"].as_str().expect("a token").to_owned();
    let say = async |id: String, text: &str| {
        let body = json!({ "client_id": id, "text": text });
        call(&client, Method::POST, &url("/api/chat/messages"), &token, Some(body)).await.expect("an answer")
    };
    let told = |answer: &Value, words: &str| answer["replies"].to_string().contains(words);

    // A new answer is given within two seconds.
    let answer = r#"
[[rule]]
id = "canteen"
title = "食堂几点开饭"
status = "active"
owner = "甲"
reviewer = "乙"
[rule.when]
all = ["食堂", "开饭"]
[rule.answer]
text = "园区食堂的开饭时间见公告栏。"
[rule.tests]
match = ["食堂几点开饭", "食堂啥时候开饭", "食堂开饭了吗"]
not_match = [{ text = "食堂卫生差" }]
"#;
    fs::write(dir.path().join("mine/b.toml"), answer).expect("written");
    // Each time in a conversation of its own: who is not understood twice is handed to a person.
    let asked = async || {
        let begun =
            call(&client, Method::POST, &url("/api/chat/sessions"), "", Some(json!({}))).await.expect("a session");
        let body = json!({ "client_id": "a", "text": "食堂几点开饭" });
        let token = begun["token"].as_str().expect("a token");
        call(&client, Method::POST, &url("/api/chat/messages"), token, Some(body)).await.expect("an answer")
    };
    let taken = within_two_seconds(async || told(&asked().await, "见公告栏")).await;
    assert!(taken, "the new rule does not answer");

    // One whose own example fails is refused as a whole, and the old answer stays.
    fs::write(
        dir.path().join("mine/b.toml"),
        answer.replace("match = [", "match = [\"停电找谁\", ").replace("公告栏", "大门口"),
    )
    .expect("written");
    let metrics = url("/metrics");
    let refused = within_two_seconds(async || {
        let page = client.get(&metrics).send().await.expect("metrics").text().await.expect("text");
        page.lines().any(|line| line.starts_with("zhitong_content_refused") && line.ends_with(" 1"))
    })
    .await;
    assert!(refused, "the refusal does not show");
    assert!(told(&asked().await, "见公告栏"));
    fs::write(dir.path().join("mine/b.toml"), answer).expect("written");

    // A half-filled form is there after the process was killed.
    let opened = say("c".to_owned(), "我要投诉，供电公司停电不通知，三条生产线的料报废了").await;
    let opened = if opened["conversation"]["state"] == json!("collecting") {
        opened
    } else {
        say("d".to_owned(), "帮我登记").await
    };
    assert_eq!(opened["conversation"]["state"], json!("collecting"), "{opened}");
    let filled = say("e".to_owned(), "公司名称改成福州鑫达模具有限公司").await;
    assert!(told(&filled, "福州鑫达模具有限公司"), "{filled}");
    drop(server);
    let server = start().await;
    let again = say("f".to_owned(), "电话改成13800138000").await;
    assert_eq!(again["conversation"]["state"], json!("collecting"), "{again}");
    assert!(told(&again, "福州鑫达模具有限公司") && told(&again, "13800138000"), "{again}");
    let filed = say("g".to_owned(), "提交").await;
    assert!(told(&filed, "登记成功"), "{filed}");
    drop(server);
}
