//! What a request may carry: no field that nobody knows, no wrong type, nothing that is no JSON.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::json;
use zhitong::domain::access::Role;

use crate::support::{Answer, TestApp};

async fn send(app: &TestApp, path: &str, token: &str, kind: &str, body: &str) -> Answer {
    let request = Request::post(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, kind)
        .body(Body::from(body.to_owned()))
        .expect("a request");
    app.request(request).await
}

#[tokio::test]
async fn what_takes_no_fields_refuses_every_field() {
    let app = TestApp::start().await;
    let visitor = app.visitor().await;
    let officer = app.officer("desk", &[(Role::FrontDesk, "")]).await;
    let handoff = app.post("/api/chat/handoff", &visitor, json!({})).await.expect(200).json();
    let conversation = handoff["conversation"]["id"].as_str().expect("an id").to_owned();
    app.post(&format!("/api/conversations/{conversation}/claim"), &officer, json!({})).await.expect(200);
    let notice = app.get("/api/notices", &officer).await.expect(200).json()["items"][0]["id"].clone();
    for (path, token) in [
        (format!("/api/conversations/{conversation}/close"), &officer),
        ("/api/logout".to_owned(), &officer),
        ("/api/chat/typing".to_owned(), &visitor),
        ("/api/notices/read".to_owned(), &officer),
        (format!("/api/notices/{}/read", notice.as_str().unwrap_or("n")), &officer),
    ] {
        for (kind, body, status, code) in [
            ("application/json", r#"{"force":true}"#, 422, "invalid_fields"),
            ("application/json", "[]", 422, "invalid_fields"),
            ("application/json", "7", 422, "invalid_fields"),
            ("application/json", "null", 422, "invalid_fields"),
            ("application/json", r#"{"forc"#, 400, "malformed_json"),
            ("application/json", "{}{}", 400, "malformed_json"),
            ("text/plain", "{}", 415, "unsupported_media_type"),
            ("application/x-www-form-urlencoded", "force=1", 415, "unsupported_media_type"),
        ] {
            let answer = send(&app, &path, token, kind, body).await.expect(status);
            assert_eq!(answer.code(), code, "{path} {body}");
            assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
            let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
            assert!(detail.contains(['请', '有', '不']), "{path} {body}: {detail}");
        }
    }
    // Nothing of it was done, and both ways to send nothing are fine.
    let seen = app.get(&format!("/api/conversations/{conversation}"), &officer).await.expect(200).json();
    assert_eq!(seen["state"], "human");
    app.call("POST", "/api/chat/typing", Some(&visitor), None).await.expect(204);
    app.post("/api/chat/typing", &visitor, json!({})).await.expect(204);
    app.call("POST", "/api/notices/read", Some(&officer), None).await.expect(204);
    app.post(&format!("/api/conversations/{conversation}/close"), &officer, json!({})).await.expect(200);
}

#[tokio::test]
async fn fields_without_names_are_refused() {
    let app = TestApp::start().await;
    let visitor = app.visitor().await;
    let answer = send(&app, "/api/chat/messages", &visitor, "application/json", r#"["c1","你好"]"#).await.expect(422);
    assert_eq!(answer.code(), "invalid_fields");
    let history = app.get("/api/chat/messages", &visitor).await.expect(200).json();
    assert_eq!(history["items"], json!([]));
}

async fn nothing_that_cannot_be_kept_gets_in_on(app: TestApp) {
    let visitor = app.visitor().await;
    let officer = app.officer("desk", &[(Role::FrontDesk, "")]).await;
    for path in ["/api/cases?q=%00", "/desk?q=a%00", "/api/canned?q=%00", "/api/cases/%00", "/login?next=%00"] {
        app.get(path, &officer).await.expect(400);
    }
    for (path, token, body) in [
        ("/api/chat/messages", &visitor, r#"{"client_id":"c1","text":"a\u0000b"}"#),
        ("/api/chat/feedback", &visitor, r#"{"message_id":"\u0000","helpful":true}"#),
        ("/api/chat/proposal", &visitor, r#"{"ticket":1,"accept":{"place":"\u0000"}}"#),
        ("/api/chat/sessions", &visitor, r#"{"profile":{"name":"\u0000"}}"#),
        ("/api/cases", &officer, r#"{"words":"a","title":"\u0000"}"#),
        ("/api/login", &officer, r#"{"login":"\u0000","password":"x"}"#),
    ] {
        let answer = send(&app, path, token, "application/json", body).await.expect(422);
        assert_eq!(answer.json()["errors"][0]["message"], "内容含有不能保存的字符", "{path} {body}");
    }
    for (path, body) in [("/login", "login=%00&password=x"), ("/track", "number=%00&code=x"), ("/login", "login=a\0")] {
        send(&app, path, "", "application/x-www-form-urlencoded", body).await.expect(400);
    }
    send(&app, "/login", "", "application/x-www-form-urlencoded", "login=a").await.expect(400);
    send(&app, "/login", "", "application/json", "{}").await.expect(415);
}

#[tokio::test]
async fn nothing_that_cannot_be_kept_gets_in() {
    nothing_that_cannot_be_kept_gets_in_on(TestApp::start().await).await;
}

#[tokio::test]
async fn nothing_that_cannot_be_kept_gets_in_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        nothing_that_cannot_be_kept_gets_in_on(app).await;
    }
}

#[tokio::test]
async fn a_part_of_an_upload_comes_once() {
    let app = TestApp::start().await;
    let visitor = app.visitor().await;
    let part = |name: &str, more: &str, body: &str| {
        format!("--frame\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{body}\r\n")
    };
    let file = part("file", "; filename=\"a.pdf\"", "%PDF-1.7\n");
    let id = part("client_id", "", "u1");
    for (form, status) in [
        (format!("{file}{id}{id}--frame--\r\n"), 422),
        (format!("{file}{file}{id}--frame--\r\n"), 422),
        (format!("{file}{}--frame--\r\n", part("role", "", "admin")), 422),
        (format!("{file}{id}--frame--\r\n"), 201),
    ] {
        send(&app, "/api/chat/attachments", &visitor, "multipart/form-data; boundary=frame", &form)
            .await
            .expect(status);
    }
}
