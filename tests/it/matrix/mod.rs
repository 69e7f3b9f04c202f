//! The authorisation matrix: every route, by every role and from outside, on objects that belong to somebody else.
//!
//! Each route has a row here that says who gets through, independently of what the router says. A route without a row
//! fails the test, and so does a refused request that changed anything or told more than a missing object would.

mod table;
mod world;

use std::collections::BTreeSet;

use axum::http::header;
use serde_json::{Value, json};
use zhitong::{domain::case::CaseAction, web::router};

use table::{NOT_CASE, OUTSIDE, SEE_CASE, everybody, has, rows};
use world::{World, text};

#[tokio::test]
async fn every_route_lets_through_whom_the_table_says() {
    let world = World::new().await;
    let rows = rows();
    let routed: BTreeSet<_> = router::all().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let listed: BTreeSet<_> = rows.iter().map(|row| row.route.to_owned()).collect();
    let missing: Vec<_> = routed.difference(&listed).collect();
    let stale: Vec<_> = listed.difference(&routed).collect();
    assert!(missing.is_empty() && stale.is_empty(), "without a row: {missing:?}; without a route: {stale:?}");

    let mut wrong = Vec::new();
    for row in &rows {
        let method = row.route.split(' ').next().expect("a method");
        let path = world.fill(row.path);
        let body = row.body.map(|body| world.fill(body));
        let before = world.state().await;
        for who in everybody().filter(|who| !row.through.contains(who)) {
            let answer = world.send(who, method, &path, body.as_deref()).await;
            let expected = row.refusal(who);
            if answer.status.as_u16() != expected {
                wrong.push(format!("{method} {} as {who}: {}, not {expected}", row.path, answer.status.as_u16()));
            } else if expected == 404 {
                let missing = world.send(who, method, &World::miss(row.path), body.as_deref()).await;
                if missing.status != answer.status || missing.json() != answer.json() {
                    wrong.push(format!("{method} {} as {who} tells more than a missing one", row.path));
                }
            }
            let told = answer.text();
            for (secret, known) in [
                ("厂门口", format!("visitor {SEE_CASE}")),
                ("13800000001", format!("visitor discipline {SEE_CASE}")),
                ("吃拿卡要", "discipline".to_owned()),
            ] {
                if told.contains(secret) && !has(&known, who) {
                    wrong.push(format!("{method} {} as {who} shows {secret}", row.path));
                }
            }
        }
        if world.state().await != before {
            wrong.push(format!("{method} {}: a refused request changed something", row.path));
        }
        for who in row.through.iter().take(if row.once { 1 } else { usize::MAX }) {
            let answer = world.send(who, method, &path, body.as_deref()).await;
            let status = answer.status.as_u16();
            let to_login = answer.headers.get(header::LOCATION).is_some_and(|to| to.as_bytes().starts_with(b"/login?"));
            if matches!(status, 401 | 403 | 404 | 500..) && row.route != "POST /track" || to_login {
                wrong.push(format!("{method} {} as {who}: {status} {}", row.path, answer.text()));
            }
            if let Some((what, seers)) = row.shows {
                let shown = answer.text().contains(&world.fill(what));
                if shown != has(seers, who) {
                    wrong.push(format!(
                        "{method} {} as {who}: {what} is {}shown",
                        row.path,
                        if shown { "" } else { "not " }
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn no_action_reaches_a_case_from_outside_its_unit() {
    let world = World::new().await;
    let before = world.state().await;
    for action in CaseAction::ALL {
        for (object, outsiders) in [("{case}", NOT_CASE), ("{sealed}", "front_desk dispatcher unit_leader")] {
            let path = world.fill(&format!("/api/cases/{object}/actions/{}", action.as_str()));
            let body = json!({ "reason": "x", "text": "x", "lead": "swj", "handler": "foreign_handler" });
            for who in outsiders.split_whitespace() {
                let answer = world.post(who, &path, body.clone()).await;
                assert_eq!(answer.status.as_u16(), 404, "{action} on {object} as {who}: {}", answer.text());
            }
            for who in ["auditor", "rule_editor", "rule_publisher", "admin"] {
                let answer = world.post(who, &path, body.clone()).await;
                assert_eq!(answer.status.as_u16(), 403, "{action} on {object} as {who}: {}", answer.text());
            }
            for who in OUTSIDE.split_whitespace() {
                let answer = world.post(who, &path, body.clone()).await;
                assert_eq!(answer.status.as_u16(), 401, "{action} on {object} as {who}: {}", answer.text());
            }
        }
    }
    assert!(world.state().await == before, "a refused action changed something");
}

#[tokio::test]
async fn a_foreign_id_inside_a_request_gets_nowhere() {
    let world = World::new().await;
    let before = world.state().await;
    let own = json!({ "words": "雨后园区积水", "enterprise": "示例", "contact_phone": "13800000002" });
    let other = world.post("front_desk", "/api/cases", own).await.expect(201).json();
    let (other, other_code) = (text(&other["number"]), text(&other["code"]));
    let foreign = text(&world.get("foreign_leader", "/api/me").await.expect(200).json()["id"]);
    let auditor = text(&world.get("auditor", "/api/me").await.expect(200).json()["id"]);
    let fill = |template: &str| {
        let text = world.fill(template).replace("{other}", &other).replace("{other_code}", &other_code);
        let text = text.replace("{nothing}", "01934567-89ab-7000-8000-000000000009");
        text.replace("{foreign}", &foreign).replace("{auditor}", &auditor)
    };
    for (who, path, body, status) in [
        // The visitor's own routes with a message of another conversation.
        ("stranger", "/api/chat/feedback", r#"{"message_id":"{message}","helpful":true}"#, 404),
        // The code of another case, of a sealed one, and none.
        ("nobody", "/api/track/{case}/urge?code={other_code}", "{}", 404),
        ("nobody", "/api/track/{other}/urge?code={code}", "{}", 404),
        ("nobody", "/api/track/{case}/urge?code={other_code}", r#"{"code":"{sealed_code}"}"#, 404),
        ("nobody", "/api/track/{case}/urge", "{}", 404),
        // A conversation handed to another unit: no officer of a third one may take a case or a file from it.
        (
            "foreign_desk",
            "/api/cases",
            r#"{"words":"x 积水","enterprise":"示例","contact_phone":"13800000002","conversation_id":"{conversation}"}"#,
            422,
        ),
        (
            "front_desk",
            "/api/cases",
            r#"{"words":"x 积水","enterprise":"示例","contact_phone":"13800000002","conversation_id":"{nothing}"}"#,
            422,
        ),
        // Somebody of another unit as handler or deputy, somebody who does not converse as owner.
        ("unit_clerk", "/api/cases/{case}/actions/assign", r#"{"handler":"foreign_handler"}"#, 422),
        (
            "unit_leader",
            "/api/deputies",
            r#"{"unit":"zjj","officer_id":"{foreign}","from_on":"2026-12-01","until_on":"2026-12-02"}"#,
            422,
        ),
        (
            "unit_leader",
            "/api/deputies",
            r#"{"unit":"swj","officer_id":"{foreign}","from_on":"2026-12-01","until_on":"2026-12-02"}"#,
            403,
        ),
        ("front_desk", "/api/conversations/{conversation}/transfer", r#"{"officer_id":"{auditor}"}"#, 422),
        // A sealed case as the one that another goes into, or repeats.
        ("dispatcher", "/api/cases/{other}/actions/merge", r#"{"into":"{sealed}","reason":"同一件事"}"#, 422),
        // Fields that nobody may set.
        ("visitor", "/api/chat/messages", r#"{"client_id":"x1","text":"x","from":"officer"}"#, 422),
        ("visitor", "/api/chat/sessions", r#"{"profile":{"name":"x","verified":true}}"#, 422),
        ("front_desk", "/api/cases", r#"{"words":"x","status":"closed"}"#, 422),
        ("nobody", "/api/track/{case}/urge?code={code}", r#"{"status":"closed"}"#, 422),
    ] {
        let answer = world.send(who, "POST", &fill(path), Some(&fill(body))).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {body} as {who}: {}", answer.text());
    }
    for (who, path) in [
        ("nobody", "/api/track/{case}?code={other_code}"),
        ("nobody", "/api/track/{other}?code={code}"),
        ("nobody", "/api/track/{sealed}?code={code}"),
        ("nobody", "/api/track/{case}"),
        ("stranger", "/api/chat/attachments/{attachment}"),
        ("visitor", "/api/chat/attachments/{message}"),
    ] {
        let answer = world.get(who, &fill(path)).await;
        assert_eq!(answer.status.as_u16(), 404, "{path} as {who}: {}", answer.text());
    }
    let strange = world.get("stranger", "/api/chat/messages").await.expect(200).json();
    assert_eq!(strange["items"], json!([]));
    let mut after = world.state().await;
    // The other case of this test is new in the list.
    let is_new = |line: &Value| line["number"] == json!(other);
    after[0]["items"].as_array_mut().expect("items").retain(|line| !is_new(line));
    assert!(after == before, "a refused request changed something");
}
