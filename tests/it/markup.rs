//! What people write is shown as they wrote it and never becomes part of a page.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};
use zhitong::{app::auth, domain::access::Role};

use crate::support::{Answer, TestApp};

/// One attempt a line.
pub(crate) fn attempts() -> Vec<&'static str> {
    include_str!("fixtures/markup.txt").lines().filter(|line| !line.is_empty()).collect()
}

/// The page, which must not hold any attempt as it was written. `seen` are words that must be on it.
fn check(path: &str, answer: &Answer, seen: &[&str]) {
    let kind = answer.headers[header::CONTENT_TYPE].to_str().expect("text");
    let page = answer.text();
    if !kind.starts_with("text/html") {
        assert!(kind.contains("json") && answer.headers["x-content-type-options"] == "nosniff", "{path}: {kind}");
        return;
    }
    for attempt in attempts().into_iter().filter(|attempt| attempt.contains(['<', '"', '\''])) {
        assert!(!page.contains(attempt), "{path} holds {attempt}");
    }
    for (tag, attributes) in tags(&page) {
        let value =
            |name: &str| attributes.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim());
        let foreign = ["iframe", "object", "embed", "base", "marquee", "math", "audio", "video", "style"];
        assert!(!foreign.contains(&tag.as_str()), "{path} has <{tag}>");
        assert!(tag != "script" || value("src").starts_with("/static/"), "{path} has a script of its own");
        for (name, value) in &attributes {
            let never = name.starts_with("on") || name == "srcdoc" || name == "formaction" || name == "style";
            assert!(!never, "{path} has {name}={value} in <{tag}>");
            let runs = value.trim().to_lowercase();
            let link = ["href", "src", "action", "xlink:href"].contains(&name.as_str());
            let runs = link && ["javascript:", "data:", "//"].iter().any(|start| runs.starts_with(start));
            assert!(!runs, "{path} has {name}={value} in <{tag}>");
        }
    }
    for words in seen {
        assert!(page.contains(words), "{path} does not show {words}");
    }
}

/// The tags of a page with their attributes, as a browser reads them.
fn tags(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(rest.len());
        let tag = rest[..end].to_lowercase();
        rest = &rest[end..];
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            if rest.is_empty() || rest.starts_with('>') {
                break;
            }
            let end = rest.find(|c: char| c.is_whitespace() || "=>/".contains(c)).unwrap_or(rest.len()).max(1);
            let name = rest[..end].to_lowercase();
            rest = rest[end..].trim_start();
            let mut value = "";
            if let Some(after) = rest.strip_prefix('=') {
                rest = after.trim_start();
                let quote = rest.chars().next().filter(|c| "\"'".contains(*c));
                let (begin, end) = match quote {
                    Some(quote) => (1, rest[1..].find(quote).map_or(rest.len(), |end| end + 1)),
                    None => (0, rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len())),
                };
                value = &rest[begin..end];
                rest = rest.get(end + usize::from(quote.is_some())..).unwrap_or_default();
            }
            attributes.push((name, value.to_owned()));
        }
        tags.push((tag, attributes));
    }
    tags
}

#[test]
fn tags_are_read_as_a_browser_reads_them() {
    let read = tags("<p>1 < 2</p><a href='x\"y' download=\"a onerror=b\" hidden><img/src=x onerror=alert(1)>");
    let names: Vec<_> = read.iter().map(|(tag, attributes)| (tag.as_str(), attributes.len())).collect();
    assert_eq!(names, [("p", 0), ("a", 3), ("img", 2)]);
    assert_eq!(read[1].1[1], ("download".to_owned(), "a onerror=b".to_owned()));
    assert_eq!(read[2].1[1], ("onerror".to_owned(), "alert(1)".to_owned()));
}

/// As the pages escape it.
fn escaped(text: &str) -> String {
    text.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;").replace('"', "&#34;").replace('\'', "&#39;")
}

async fn page(app: &TestApp, path: &str, token: &str, cookie: &str) -> Answer {
    let path: String = path
        .bytes()
        .map(|b| if b.is_ascii_graphic() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let mut request = Request::get(path).header(header::ACCEPT, "text/html");
    if !token.is_empty() {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if !cookie.is_empty() {
        request = request.header(header::COOKIE, cookie);
    }
    app.request(request.body(Body::empty()).expect("a request")).await
}

/// For the query of an address.
pub(crate) fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[tokio::test]
async fn nothing_that_people_write_becomes_markup() {
    let app = TestApp::with(|config| config.limits.track_per_minute = 100_000).await;
    zhitong::app::units::sync(&app.app).await.expect("the units are stored");
    let desk = app.officer("desk", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
    let unit =
        app.officer("unit", &[(Role::UnitClerk, "zjj"), (Role::Handler, "zjj"), (Role::UnitLeader, "zjj")]).await;
    let admin = app.officer("boss", &[(Role::Admin, "")]).await;
    let named = auth::NewAccount {
        login: "named".into(),
        name: "<b onclick=alert(1)>王\"'".into(),
        roles: vec![(Role::FrontDesk, String::new())],
        password: None,
    };
    auth::create_account(&app.app, &named).await.expect("a name of any letters");
    let (mut cases, mut conversations) = (Vec::new(), Vec::new());
    for attempt in attempts() {
        let profile = json!({ "profile": { "name": attempt } });
        let started = app.call("POST", "/api/chat/sessions", None, Some(profile)).await.expect(201).json();
        let visitor = started["token"].as_str().expect("a token").to_owned();
        app.say(&visitor, "c1", attempt).await.expect(200);
        let file = attempt.replace(['"', '\\'], "'");
        app.upload(&visitor, &format!("{file}.pdf"), b"%PDF-1.7\n").await.expect(201);
        app.post("/api/chat/handoff", &visitor, json!({})).await.expect(200);
        let id = started["conversation_id"].as_str().expect("an id").to_owned();
        let at = |action: &str| format!("/api/conversations/{id}/{action}");
        app.post(&at("claim"), &desk, json!({})).await.expect(200);
        app.post(&at("notes"), &desk, json!({ "text": attempt })).await.expect(201);
        app.post(&at("messages"), &desk, json!({ "client_id": "o1", "text": attempt })).await.expect(200);
        let words = json!({ "words": attempt, "title": attempt, "demand": attempt, "enterprise": attempt,
            "contact_name": attempt, "contact_phone": "13800000001", "place": attempt, "object": attempt,
            "amount": attempt, "conversation_id": id });
        let filed = app.post("/api/cases", &desk, words).await.expect(201).json();
        let number = filed["number"].as_str().expect("a number").to_owned();
        let act = async |who: &str, action: &str, body: Value| {
            app.post(&format!("/api/cases/{number}/actions/{action}"), who, body).await.expect(200);
        };
        act(&desk, "accept", json!({ "topic": "PARK" })).await;
        act(&desk, "dispatch", json!({ "lead": "zjj", "note": attempt })).await;
        act(&unit, "sign_in", json!({ "register_no": attempt, "handler": "unit" })).await;
        act(
            &unit,
            "record_contact",
            json!({ "method": "phone", "reached": true, "person": attempt, "result": attempt }),
        )
        .await;
        act(&unit, "record_progress", json!({ "text": attempt, "public": true })).await;
        conversations.push(id);
        cases.push((number, filed["code"].as_str().expect("a code").to_owned(), attempt));
    }
    for id in &conversations {
        let path = format!("/desk/conversations/{id}");
        check(&path, &page(&app, &path, &desk, "").await.expect(200), &[]);
        let path = format!("/api/conversations/{id}");
        check(&path, &page(&app, &path, &desk, "").await.expect(200), &[]);
    }
    for (number, code, attempt) in &cases {
        let shown = escaped(attempt);
        for who in [&desk, &unit] {
            for path in [format!("/desk/cases/{number}"), format!("/desk/cases/{number}/print")] {
                check(&path, &page(&app, &path, who, "").await.expect(200), &[&shown]);
            }
        }
        let path = format!("/track/{number}");
        check(&path, &page(&app, &path, "", &format!("zhitong-track={code}")).await.expect(200), &[&shown]);
        let path = format!("/desk?tab=all&q={}", percent(attempt));
        check(&path, &page(&app, &path, &desk, "").await.expect(200), &[]);
        for path in ["/login?next=", "/track?number=", "/chat?embed=", "/nothing/", "/desk?status=", "/desk?cursor="] {
            let path = format!("{path}{}", percent(attempt));
            check(&path, &page(&app, &path, &desk, "").await, &[]);
        }
    }
    for path in ["/desk", "/desk?tab=all", "/desk?tab=mine", "/desk/notices", "/admin"] {
        check(path, &page(&app, path, if path == "/admin" { &admin } else { &desk }, "").await.expect(200), &[]);
    }
}
