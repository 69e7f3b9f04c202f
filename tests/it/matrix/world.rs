//! What the matrix is walked on: everybody, and objects that belong to one of them.

use std::collections::HashMap;

use axum::{
    body::Body,
    http::{Request, header},
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use zhitong::store::outbox::{self, NewEntry};

use super::table::STAFF;
use crate::support::{Answer, TestApp};

pub(super) struct World {
    app: TestApp,
    tokens: HashMap<&'static str, String>,
    objects: HashMap<&'static str, String>,
}

impl World {
    /// A conversation handed to 住建局 and held by the front desk, with a file, a promise and a case; a sealed case; a
    /// notice and a deputy of 住建局.
    pub(super) async fn new() -> Self {
        let app = TestApp::with(|config| config.limits.track_per_minute = 100_000).await;
        zhitong::app::units::sync(&app.app).await.expect("the units are stored");
        let mut tokens = HashMap::new();
        for (name, role, unit) in STAFF {
            tokens.insert(*name, app.officer(name, &[(*role, unit)]).await);
        }
        tokens.insert("visitor", app.visitor().await);
        tokens.insert("stranger", app.visitor().await);
        let mut world = Self { app, tokens, objects: HashMap::new() };
        world.furnish().await;
        world
    }

    async fn furnish(&mut self) {
        let said =
            self.post("visitor", "/api/chat/messages", json!({ "client_id": "c1", "text": "厂门口路灯坏了两周" }));
        let said = said.await.expect(200).json();
        let uploaded =
            self.app.upload(&self.tokens["visitor"], "路灯.pdf", b"%PDF-1.4\n%%EOF\n").await.expect(201).json();
        let handoff = self.post("visitor", "/api/chat/handoff", json!({})).await.expect(200).json();
        let conversation = text(&handoff["conversation"]["id"]);
        let at = |action: &str| format!("/api/conversations/{conversation}/{action}");
        self.post("front_desk", &at("claim"), json!({})).await.expect(200);
        self.post("front_desk", &at("transfer"), json!({ "unit": "zjj" })).await.expect(200);
        self.post("front_desk", &at("claim"), json!({})).await.expect(200);
        let promise = json!({ "client_id": "p1", "text": "明天上午会有人联系您" });
        self.post("front_desk", &at("messages"), promise).await.expect(200);
        let promises = self.get("front_desk", "/api/promises").await.expect(200).json();
        let filed = json!({ "words": "厂门口路灯坏了两周，请修", "enterprise": "示例机电有限公司", "contact_name": "王示例",
            "contact_phone": "13800000001", "conversation_id": conversation });
        let filed = self.post("front_desk", "/api/cases", filed).await.expect(201).json();
        let case = text(&filed["number"]);
        let act = |action: &str| format!("/api/cases/{case}/actions/{action}");
        self.post("front_desk", &act("accept"), json!({})).await.expect(200);
        self.post("dispatcher", &act("dispatch"), json!({ "lead": "zjj" })).await.expect(200);
        let sign = json!({ "register_no": "1", "handler": "handler" });
        self.post("unit_clerk", &act("sign_in"), sign).await.expect(200);
        let contact = json!({ "method": "phone", "reached": true, "person": "王示例", "result": "已约时间" });
        self.post("handler", &act("record_contact"), contact).await.expect(200);
        let conduct = json!({ "words": "窗口工作人员吃拿卡要，故意刁难", "type": "conduct", "enterprise": "示例机电有限公司",
            "contact_phone": "13800000001" });
        let sealed = self.post("front_desk", "/api/cases", conduct).await.expect(201).json();
        let clerk = text(&self.get("unit_clerk", "/api/me").await.expect(200).json()["id"]);
        let days = json!({ "unit": "zjj", "officer_id": clerk, "from_on": "2026-11-25", "until_on": "2026-11-27" });
        self.post("unit_leader", "/api/deputies", days).await.expect(204);
        let notices = self.get("unit_clerk", "/api/notices").await.expect(200).json();
        let token = json!({ "login": "auditor", "name": "对接" });
        let token = self.post("admin", "/api/admin/tokens", token).await.expect(201).json();
        self.objects = HashMap::from([
            ("{conversation}", conversation.clone()),
            ("{message}", text(&said["replies"][0]["id"])),
            ("{attachment}", text(&uploaded["attachment"]["id"])),
            ("{promise}", text(&promises["items"][0]["id"])),
            ("{case}", case),
            ("{code}", text(&filed["code"])),
            ("{sealed}", text(&sealed["number"])),
            ("{sealed_code}", text(&sealed["code"])),
            ("{notice}", text(&notices["items"][0]["id"])),
            ("{clerk}", clerk),
            ("{token}", text(&token["id"])),
            ("{undelivered}", self.undelivered().await),
            ("{asset}", zhitong::web::static_files::asset("css/zhitong.css")),
        ]);
    }

    /// A message that was given up.
    async fn undelivered(&self) -> String {
        let (id, now) = ("01934567-89ab-7000-8000-000000000001", self.app.app.now());
        let entry =
            NewEntry { id: id.to_owned(), target: "对接", event: "case.accepted", key: "matrix", payload: "{}" };
        let mut tx = self.app.app.db.write().await.expect("a transaction");
        outbox::enqueue(&mut tx, &entry, now).await.expect("stored");
        outbox::claim(&mut tx, now, now, 1).await.expect("claimed");
        outbox::failed(&mut tx, id, "404", None, now).await.expect("given up");
        tx.commit().await.expect("committed");
        id.to_owned()
    }

    pub(super) fn fill(&self, template: &str) -> String {
        self.objects.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    /// The template with objects that do not exist.
    pub(super) fn miss(template: &str) -> String {
        let mut text = template.replace("{case}", "ZT20261125-9999X").replace("{sealed}", "ZT20261125-9998X");
        for name in ["{conversation}", "{attachment}", "{promise}", "{notice}", "{token}", "{clerk}", "{undelivered}"] {
            text = text.replace(name, "01934567-89ab-7000-8000-000000000009");
        }
        text
    }

    /// Sends a request; of a stream only the head is read.
    pub(super) async fn send(&self, who: &str, method: &str, path: &str, body: Option<&str>) -> Answer {
        let path: String =
            path.bytes().map(|b| if b.is_ascii() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = self.tokens.get(who) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(body) = body {
            let kind = match body.as_bytes() {
                [b'{', ..] => "application/json",
                [b'-', b'-', ..] => "multipart/form-data; boundary=matrix",
                _ => "application/x-www-form-urlencoded",
            };
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(Body::from(body.unwrap_or_default().to_owned())).expect("a request");
        let response = self.app.router().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let stream = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let body = if stream { Vec::new() } else { body.collect().await.expect("a body").to_bytes().to_vec() };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn get(&self, who: &str, path: &str) -> Answer {
        self.send(who, "GET", path, None).await
    }

    pub(super) async fn post(&self, who: &str, path: &str, body: Value) -> Answer {
        self.send(who, "POST", path, Some(&body.to_string())).await
    }

    /// Everything that a refused request could have changed.
    pub(super) async fn state(&self) -> Vec<Value> {
        let mut state = Vec::new();
        for (who, path) in [
            ("dispatcher", "/api/cases"),
            ("dispatcher", "/api/cases/{case}"),
            ("dispatcher", "/api/cases/{case}/timeline"),
            ("discipline", "/api/cases/{sealed}"),
            ("discipline", "/api/cases/{sealed}/timeline"),
            ("front_desk", "/api/conversations"),
            ("front_desk", "/api/conversations/{conversation}"),
            ("front_desk", "/api/promises"),
            ("unit_clerk", "/api/notices"),
            ("admin", "/api/deputies"),
            ("admin", "/api/admin/users"),
            ("admin", "/api/admin/tokens"),
            ("admin", "/api/admin/model"),
        ] {
            let mut seen = self.get(who, &self.fill(path)).await.expect(200).json();
            for item in seen["items"].as_array_mut().into_iter().flatten() {
                // When a token was last used is noted for every request.
                item.as_object_mut().map(|item| item.remove("used_at"));
            }
            state.push(seen);
        }
        state
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
