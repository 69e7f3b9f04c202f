//! The chat API: durable before acknowledged, repeats harmless, numbers without gaps, bad input refused clearly.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    body::Body,
    http::{Request, header},
};
use futures_util::{StreamExt as _, future::join_all};
use serde_json::{Value, json};
use zhitong::{
    app::exchange::{Sent, Shown},
    domain::{access::Role, dialogue::Input},
};

use crate::support::TestApp;

fn seqs(history: &Value) -> Vec<i64> {
    history["items"].as_array().expect("items").iter().map(|item| item["seq"].as_i64().expect("seq")).collect()
}

async fn a_message_is_stored_and_answered_on(app: TestApp) {
    let token = app.visitor().await;
    let answer = app.say(&token, "c1", "你好").await.expect(200).json();
    assert_eq!(answer["message"]["seq"], 1);
    assert_eq!(answer["message"]["from"], "visitor");
    assert_eq!(answer["message"]["text"], "你好");
    assert_eq!(answer["conversation"]["state"], "bot");
    let replies = answer["replies"].as_array().expect("replies");
    assert!(!replies.is_empty(), "{answer}");
    let history = app.get("/api/chat/messages?after=0", &token).await.expect(200).json();
    assert_eq!(seqs(&history), (1..=1 + replies.len() as i64).collect::<Vec<_>>());
    assert_eq!(history["items"][0], answer["message"]);
    assert_eq!(history["items"][1], replies[0]);
    let again = app.say(&token, "c1", "你好").await.expect(200).json();
    assert_eq!((&again["message"], &again["replies"]), (&answer["message"], &answer["replies"]));
    let after = app.get("/api/chat/messages", &token).await.expect(200).json();
    assert_eq!(after["items"], history["items"]);
}

#[tokio::test]
async fn a_message_is_stored_and_answered() {
    a_message_is_stored_and_answered_on(TestApp::start().await).await;
}

#[tokio::test]
async fn a_message_is_stored_and_answered_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        a_message_is_stored_and_answered_on(app).await;
    }
}

async fn concurrent_messages_on(app: TestApp) {
    let (a, b) = (app.visitor().await, app.visitor().await);
    // Each id is sent three times at once, in two conversations.
    let calls = (0..40).flat_map(|n| [(&a, n), (&b, n), (&a, n), (&a, n)]);
    let answers = join_all(calls.map(|(token, n)| {
        let app = &app;
        async move { (n, app.say(token, &format!("id-{n}"), &format!("第 {n} 条，开办企业要多久")).await) }
    }))
    .await;
    for (_, answer) in &answers {
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    }
    for token in [&a, &b] {
        let history = app.get("/api/chat/messages?limit=500", token).await.expect(200).json();
        let seqs = seqs(&history);
        assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>());
        let items = history["items"].as_array().expect("items");
        let ids: Vec<_> = items.iter().filter_map(|item| item["client_id"].as_str()).collect();
        assert_eq!(ids.len(), 40, "a repeat was stored");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 40);
    }
}

#[tokio::test]
async fn concurrent_repeats_store_one_message_and_numbers_have_no_gaps() {
    concurrent_messages_on(TestApp::start().await).await;
}

#[tokio::test]
async fn concurrent_repeats_store_one_message_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        concurrent_messages_on(app).await;
    }
}

/// What one visitor sends without waiting: answered by rules, put into the queue, taken out of it, repeated.
const WITHOUT_WAITING: &[&str] = &[
    "公司注册资本要几年缴足",
    "转人工",
    "企业年报什么时候报",
    "不用人工了",
    "谢谢",
    "拖欠工程款要不回来",
    "取消",
    "你好",
];

async fn order_is_kept_on(app: TestApp) {
    let mut conversations = Vec::new();
    for _ in 0..12 {
        let token = app.visitor().await;
        let (_, id) = zhitong::app::visitors::authenticate(&app.app, &token).await.expect("a visitor");
        conversations.push((token, id));
    }
    for round in 0..3 {
        let sends = conversations.iter().flat_map(|(_, id)| {
            (0..WITHOUT_WAITING.len()).map(|n| {
                // Every third one is the message before it again.
                let n = if n % 3 == 2 { n - 1 } else { n };
                let text = WITHOUT_WAITING[n].to_owned();
                app.app.exchange.send(Sent {
                    conversation: *id,
                    client_id: Some(format!("{round}-{n}")),
                    input: Input::text(text.clone()),
                    shown: Some(Shown { kind: "text", text, attachment: None }),
                    via: None,
                })
            })
        });
        let answers = join_all(sends).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
    let wanted: Vec<String> = (0..3).flat_map(|round| [0, 1, 3, 4, 6, 7].map(|n| format!("{round}-{n}"))).collect();
    for (token, _) in &conversations {
        let page = app.get("/api/chat/messages?limit=500", token).await.expect(200).json();
        let items = page["items"].as_array().expect("items");
        assert_eq!(seqs(&page), (1..=items.len() as i64).collect::<Vec<_>>());
        let sent: Vec<&str> = items.iter().filter_map(|m| m["client_id"].as_str()).collect();
        assert_eq!(sent, wanted);
    }
}

#[tokio::test]
async fn messages_keep_their_order_whatever_each_of_them_needs() {
    order_is_kept_on(TestApp::start().await).await;
}

#[tokio::test]
async fn messages_keep_their_order_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        order_is_kept_on(app).await;
    }
}

#[tokio::test]
async fn bad_input_is_refused_and_stores_nothing() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    let raw = |kind: &str, body: Vec<u8>| {
        Request::post("/api/chat/messages")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body))
            .expect("a request")
    };
    let json_kind = "application/json";
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        (json_kind, b"{".to_vec(), 400, "malformed_json"),
        (json_kind, b"\xff\xfe".to_vec(), 400, "malformed_json"),
        (json_kind, b"[]".to_vec(), 422, "invalid_fields"),
        (json_kind, br#"{"client_id":"x"}"#.to_vec(), 422, "invalid_fields"),
        (json_kind, br#"{"client_id":"x","text":"a","role":"admin"}"#.to_vec(), 422, "invalid_fields"),
        (json_kind, br#"{"client_id":"x","text":"a","seq":9}"#.to_vec(), 422, "invalid_fields"),
        (json_kind, br#"{"client_id":"","text":"a"}"#.to_vec(), 422, "invalid_fields"),
        (json_kind, br#"{"client_id":"x","text":"   "}"#.to_vec(), 422, "invalid_fields"),
        (json_kind, br#"{"client_id":"x","text":"a\u0000b"}"#.to_vec(), 422, "invalid_fields"),
        (
            json_kind,
            json!({"client_id": "x", "text": "长".repeat(5_000)}).to_string().into_bytes(),
            413,
            "text_too_long",
        ),
        (json_kind, json!({"client_id": "x", "text": "a".repeat(70_000)}).to_string().into_bytes(), 413, "too_large"),
        ("text/plain", br#"{"client_id":"x","text":"a"}"#.to_vec(), 415, "unsupported_media_type"),
    ];
    for (kind, body, status, code) in cases {
        let shown = String::from_utf8_lossy(&body).chars().take(60).collect::<String>();
        let answer = app.request(raw(kind, body)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{shown}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json", "{shown}");
        assert!(!answer.json()["detail"].as_str().unwrap_or_default().is_empty(), "{shown}");
    }
    let history = app.get("/api/chat/messages", &token).await.expect(200).json();
    assert_eq!(history["items"], json!([]));
    assert_eq!(app.get("/api/chat/messages?after=x", &token).await.status.as_u16(), 400);
}

#[tokio::test]
async fn tokens_open_only_their_own_conversation() {
    let app = TestApp::start().await;
    let (a, b) = (app.visitor().await, app.visitor().await);
    app.say(&a, "1", "甲的秘密").await.expect(200);
    let other = app.get("/api/chat/messages", &b).await.expect(200);
    assert!(!other.text().contains("甲的秘密"));
    for bad in ["", "zv_", "zv_AAAA", "zt_AAAA", "zs_AAAA", "x"] {
        app.get("/api/chat/messages", bad).await.expect(401);
    }
    let file = app.upload(&a, "发票.pdf", b"%PDF-1.7\n").await.expect(201).json();
    let path = format!("/api/chat/attachments/{}", file["attachment"]["id"].as_str().expect("id"));
    app.get(&path, &a).await.expect(200);
    app.get(&path, &b).await.expect(404);
    app.call("GET", &path, None, None).await.expect(401);
    app.get("/api/chat/attachments/..%2f..%2fetc%2fpasswd", &a).await.expect(404);
}

#[tokio::test]
async fn hostile_texts_come_back_unchanged() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    let texts = [
        "<script>alert(1)</script>",
        "'; DROP TABLE messages; --",
        "{{7*7}} ${7*7} <%= 7*7 %>",
        "\u{202e}倒着\u{200b}的字\u{feff}",
        "🙂👨‍👩‍👧 e\u{301} ﷽",
        "\u{1}\u{7f}\u{85}",
        "../../etc/passwd\\..\\x",
    ];
    for (n, text) in texts.iter().enumerate() {
        app.say(&token, &format!("h{n}"), text).await.expect(200);
    }
    let history = app.get("/api/chat/messages?limit=500", &token).await.expect(200).json();
    let stored: Vec<_> = history["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter(|item| item["from"] == "visitor")
        .map(|item| item["text"].as_str().expect("text"))
        .collect();
    assert_eq!(stored, texts);
}

#[tokio::test]
async fn files_are_known_by_content_and_leave_as_downloads() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend([0, 0, 2, 128, 0, 0, 1, 224]);
    let answer = app.upload(&token, "../../照片\u{202e}gnp.exe", &png).await.expect(201).json();
    assert_eq!(answer["attachment"]["mime"], "image/png");
    assert_eq!(answer["attachment"]["name"], "照片gnp.png");
    assert_eq!(answer["message"]["kind"], "image");
    let path = format!("/api/chat/attachments/{}", answer["attachment"]["id"].as_str().expect("id"));
    let file = app.get(&path, &token).await.expect(200);
    assert_eq!(file.body, png);
    let text = |name: &str| file.headers[name].to_str().expect("text").to_owned();
    assert!(text("content-disposition").starts_with("attachment; filename=\"__gnp.png\"; filename*=UTF-8''"));
    assert_eq!(text("x-content-type-options"), "nosniff");
    assert!(text("content-security-policy").starts_with("sandbox"));
    for (name, bytes) in [
        ("a.png", &b"<svg onload=alert(1)>"[..]),
        ("a.pdf", b"<html><script>alert(1)</script>"),
        ("a.docx", b"PK\x03\x04 not an archive"),
        ("a.exe", b"MZ\x90\0"),
        ("leer.pdf", b""),
    ] {
        let answer = app.upload(&token, name, bytes).await;
        assert!(matches!(answer.status.as_u16(), 415 | 422), "{name}: {}", answer.text());
    }
    let left: Vec<_> =
        std::fs::read_dir(format!("{}/attachments", app.app.config.server.data_dir)).expect("the folder").collect();
    assert_eq!(left.len(), 1, "refused uploads leave nothing: {left:?}");
}

#[tokio::test]
async fn a_flood_is_told_how_long_to_wait() {
    let app = TestApp::with(|config| config.limits.messages_per_minute = 3).await;
    let token = app.visitor().await;
    for n in 0..3 {
        app.say(&token, &n.to_string(), "你好").await.expect(200);
    }
    let refused = app.say(&token, "4", "你好").await.expect(429);
    assert_eq!(refused.code(), "chat_too_many");
    let wait: i64 = refused.headers[header::RETRY_AFTER].to_str().expect("text").parse().expect("seconds");
    assert!((1..=60).contains(&wait));
    app.clock.advance(jiff::SignedDuration::from_secs(121));
    app.say(&token, "4", "你好").await.expect(200);
}

#[tokio::test]
async fn asking_for_a_person_queues_and_tells_the_desk() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    let mut desk = app.app.hub.follow_staff();
    let answer = app.post("/api/chat/handoff", &token, json!({})).await.expect(200).json();
    assert_eq!(answer["conversation"]["state"], "queued");
    assert_eq!(answer["conversation"]["queue_position"], 0);
    let event = desk.try_recv().expect("an event");
    assert_eq!(event.kind, "conversation");
}

#[tokio::test]
async fn a_stream_resumes_without_loss() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    app.say(&token, "1", "你好").await.expect(200);
    let request = Request::get("/api/chat/stream")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header("last-event-id", "1")
        .body(Body::empty())
        .expect("a request");
    let response = tower::ServiceExt::oneshot(app.router(), request).await.expect("an answer");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let mut seen = String::new();
    let mut read_until = async |seen: &mut String, mark: &str| {
        while !seen.contains(mark) {
            let part = tokio::time::timeout(Duration::from_secs(10), body.next()).await.expect("in time");
            seen.push_str(&String::from_utf8_lossy(&part.expect("open").expect("bytes")));
        }
    };
    read_until(&mut seen, "event: state").await;
    assert!(seen.contains("id: 2\n") && !seen.contains("id: 1\n"), "{seen}");
    app.say(&token, "2", "第二条").await.expect(200);
    read_until(&mut seen, "第二条").await;
    app.app.shutdown.cancel();
    let end = tokio::time::timeout(Duration::from_secs(10), async { while body.next().await.is_some() {} }).await;
    end.expect("the stream ends at shutdown");
}

#[tokio::test]
async fn a_case_is_filed_only_on_submit() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    let nothing = json!({ "client_id": "f0", "fields": {}, "matters": [], "confirm": true });
    let refused = app.post("/api/chat/case", &token, nothing).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "form_missing"));
    let unconfirmed = json!({ "client_id": "f0", "fields": {}, "confirm": false });
    app.post("/api/chat/case", &token, unconfirmed).await.expect(422);
    let unknown = json!({ "client_id": "f0", "fields": { "status": "closed" }, "confirm": true });
    let refused = app.post("/api/chat/case", &token, unknown).await.expect(422);
    assert_eq!(refused.json()["errors"][0]["pointer"], "/fields/status");
}

#[tokio::test]
async fn a_file_is_open_to_the_desk_and_to_no_other_unit() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    let file = app.upload(&token, "发票.pdf", b"%PDF-1.7\n").await.expect(201).json();
    let path = format!("/api/chat/attachments/{}", file["attachment"]["id"].as_str().expect("id"));
    let desk = app.officer("desk", &[(Role::FrontDesk, "")]).await;
    let other = app.officer("other", &[(Role::Handler, "rsj")]).await;
    app.get(&path, &desk).await.expect(200);
    app.get(&path, &other).await.expect(404);
    let unknown = path.replace(file["attachment"]["id"].as_str().expect("id"), "01934567-89ab-7000-8000-000000000001");
    app.get(&unknown, &desk).await.expect(404);
}

#[tokio::test]
async fn a_request_that_says_nothing_needs_no_body() {
    let app = TestApp::start().await;
    let started = app.call("POST", "/api/chat/sessions", None, None).await.expect(201).json();
    let token = started["token"].as_str().expect("a token");
    app.call("POST", "/api/chat/handoff", Some(token), None).await.expect(200);
    let request = axum::http::Request::post("/api/chat/handoff")
        .header(axum::http::header::AUTHORIZATION, format!("Bearer {token}"))
        .body(axum::body::Body::from("{}"))
        .expect("a request");
    app.request(request).await.expect(415);
    for wrong in [json!({ "profile": [] }), json!({ "profile": ["某某"] }), json!({ "identity": ["u", "00"] })] {
        app.call("POST", "/api/chat/sessions", None, Some(wrong)).await.expect(422);
    }
    app.call("POST", "/api/chat/sessions", None, Some(json!({ "profile": null }))).await.expect(201);
}

#[tokio::test]
async fn a_private_debt_is_told_its_path_before_it_is_filed() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    let answer = app.say(&token, "1", "一个私人老板开的小厂欠我货款20万两年了不还，我要投诉").await.expect(200).json();
    let text = answer["replies"][0]["text"].as_str().expect("a text");
    assert!(text.contains("不属于《保障中小企业款项支付条例》") && text.contains("调解"), "{text}");
    let other = app.visitor().await;
    let answer =
        app.say(&other, "1", "某国企拖欠我们工程款80万元，合同到期一年半了，没有起诉").await.expect(200).json();
    assert!(!answer["replies"].to_string().contains("不属于《保障"), "{answer}");
}

#[tokio::test]
async fn the_unit_that_a_complaint_names_in_passing_stands_in_the_form() {
    let app = TestApp::start().await;
    for words in
        ["住建局窗口工作人员吃拿卡要，故意刁难我们", "住建局不作为，施工许可证材料交了三个月推诿不办，我要投诉"]
    {
        let token = app.visitor().await;
        let answer = app.say(&token, "1", words).await.expect(200).json();
        let form = &answer["replies"][0]["form"];
        let fields = form["fields"].as_array().expect("fields");
        let object = fields.iter().find(|field| field["key"] == "object").expect("the field");
        assert_eq!(object["value"], "住建局", "{words}: {answer}");
        assert!(!form["missing"].as_array().expect("a list").contains(&serde_json::json!("object")), "{words}");
    }
}
