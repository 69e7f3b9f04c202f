//! The real router on a real database with a clock that stands: what tests talk to.

pub(crate) mod model;
pub(crate) mod program;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;
use zhitong::{
    app::{
        App,
        content::{self, ContentStore, Origin},
        exchange,
        system::{FixedClock, SystemIds},
    },
    config::Config,
    domain::{
        access::Role,
        ids::{OfficerId, TokenId},
    },
    ports::{IdGen as _, model::ModelClient},
    store::{
        Db,
        officers::{self, NewOfficer},
        testing::{self, TestDb},
    },
    web::router,
};

/// A Wednesday morning in office hours.
pub(crate) const NOW: &str = "2026-11-25T10:00:00+08:00";

/// The gateway under test.
pub(crate) struct TestApp {
    /// The gateway.
    pub(crate) app: App,
    /// Its clock.
    pub(crate) clock: Arc<FixedClock>,
    router: Router,
    exchange: JoinHandle<()>,
    _db: Option<TestDb>,
    _folder: tempfile::TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Status.
    pub(crate) status: StatusCode,
    /// Headers.
    pub(crate) headers: HeaderMap,
    /// Body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; `null` if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The problem's code.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Checks the status and shows the body when it differs.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }
}

impl TestApp {
    /// On SQLite with the shipped content.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// On SQLite with a changed configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let test = testing::sqlite().await;
        let db = test.db.clone();
        Self::on(db, Some(test), change)
    }

    /// On SQLite with a language model.
    pub(crate) async fn with_model(model: Arc<dyn ModelClient>) -> Self {
        let test = Self::start().await;
        test.app.model.connect(model);
        test
    }

    /// On PostgreSQL, if a server is there.
    pub(crate) async fn on_postgres() -> Option<Self> {
        Self::on_postgres_with(|_| {}).await
    }

    /// The same with a changed configuration.
    pub(crate) async fn on_postgres_with(change: impl FnOnce(&mut Config)) -> Option<Self> {
        let test = testing::postgres().await?;
        let db = test.db.clone();
        Some(Self::on(db, Some(test), change))
    }

    /// On this database.
    pub(crate) fn on(db: Db, test: Option<TestDb>, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::default();
        config.server.data_dir = folder.path().display().to_string();
        // Limits have their own test.
        config.limits.messages_per_minute = 100_000;
        config.limits.sessions_per_minute = 100_000;
        change(&mut config);
        let now: Timestamp = NOW.parse().expect("an instant");
        let built = content::build(&content::shipped_files(), &config.time, now, Origin::Shipped, true);
        let content = ContentStore::fixed(built.content.expect("the shipped content loads"));
        let clock = Arc::new(FixedClock::new(now));
        let app = App::new(config, db, content, clock.clone(), Arc::new(SystemIds));
        let exchange = tokio::spawn(exchange::run(app.clone()));
        let router = router::build(&app);
        Self { app, clock, router, exchange, _db: test, _folder: folder }
    }

    /// Sends a request.
    pub(crate) async fn request(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("the router answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body arrives").to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends JSON (or nothing) with a bearer token (or none).
    pub(crate) async fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(value) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(value.to_string())
            }
            None => Body::empty(),
        };
        self.request(request.body(body).expect("a request")).await
    }

    /// `GET` with a token.
    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, Some(token), None).await
    }

    /// `POST` JSON with a token.
    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call("POST", path, Some(token), Some(body)).await
    }

    /// Starts a conversation; returns its token.
    pub(crate) async fn visitor(&self) -> String {
        let answer = self.call("POST", "/api/chat/sessions", None, Some(serde_json::json!({}))).await.expect(201);
        answer.json()["token"].as_str().expect("a token").to_owned()
    }

    /// Says something.
    pub(crate) async fn say(&self, token: &str, client_id: &str, text: &str) -> Answer {
        self.post("/api/chat/messages", token, serde_json::json!({ "client_id": client_id, "text": text })).await
    }

    /// Adds an officer; returns an API token of the account.
    pub(crate) async fn officer(&self, login: &str, roles: &[(Role, &str)]) -> String {
        let now = self.app.now();
        let id = OfficerId::from_uuid(SystemIds.uuid(now));
        let secret = self.app.secret("zt_");
        let mut tx = self.app.db.write().await.expect("a transaction");
        let new = NewOfficer { id, login, name: login, password_hash: "-", must_change_password: false };
        officers::insert(&mut tx, &new, now).await.expect("an officer");
        let roles: Vec<_> = roles.iter().map(|(role, unit)| (*role, (*unit).to_owned())).collect();
        officers::set_roles(&mut tx, id, &roles).await.expect("roles");
        let token = TokenId::from_uuid(SystemIds.uuid(now));
        let hash = zhitong::app::hash_secret(&secret);
        officers::insert_token(&mut tx, token, &hash, "test", id, None, now).await.expect("a token");
        tx.commit().await.expect("committed");
        secret
    }

    /// Uploads a file as a visitor.
    pub(crate) async fn upload(&self, token: &str, name: &str, bytes: &[u8]) -> Answer {
        self.upload_to("/api/chat/attachments", token, None, name, bytes).await
    }

    /// Uploads a file to an address.
    pub(crate) async fn upload_to(
        &self,
        path: &str,
        token: &str,
        client_id: Option<&str>,
        name: &str,
        bytes: &[u8],
    ) -> Answer {
        let mut body = Vec::new();
        if let Some(id) = client_id {
            body.extend(b"--frame\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\n");
            body.extend(id.as_bytes());
            body.extend(b"\r\n");
        }
        body.extend(b"--frame\r\nContent-Disposition: form-data; name=\"file\"; filename=\"");
        body.extend(name.as_bytes());
        body.extend(b"\"\r\nContent-Type: application/octet-stream\r\n\r\n");
        body.extend(bytes);
        body.extend(b"\r\n--frame--\r\n");
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=frame")
            .body(Body::from(body))
            .expect("a request");
        self.request(request).await
    }

    /// The router, for tests that read a stream.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.app.shutdown.cancel();
        self.exchange.abort();
    }
}
