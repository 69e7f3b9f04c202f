//! A stand-in of WeChat's servers on the loopback interface, scripted to fail in every way they do.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{Request, Response},
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// How the next call of a path is answered.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// As a platform in good health does.
    Well,
    /// With an error code, HTTP 200.
    Code(i64, &'static str),
    /// With an HTTP status.
    Status(u16),
    /// It does what it was asked and then breaks the connection.
    Reset,
    /// It does what it was asked and answers too late.
    Late(Duration),
    /// With this body and type.
    Raw(&'static str, Vec<u8>),
    /// The token of the call ends while it is on its way.
    TokenEnds,
}

/// A call as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Path.
    pub(crate) path: String,
    /// Query.
    pub(crate) query: HashMap<String, String>,
    /// JSON body; `null` if it is none.
    pub(crate) json: Value,
    /// The body as it came.
    pub(crate) bytes: Bytes,
}

#[derive(Debug, Default)]
struct Book {
    script: HashMap<String, VecDeque<Act>>,
    calls: Vec<Call>,
    /// Messages that users got: user and content.
    delivered: Vec<(String, Value)>,
    /// Names of messages seen, for what the platform drops.
    names: HashSet<String>,
    tokens: usize,
    valid: HashSet<String>,
    expires_in: u64,
    pages: VecDeque<Value>,
    lists: HashMap<String, Value>,
}

/// The stand-in.
pub(crate) struct Platform {
    /// Its address.
    pub(crate) base: String,
    book: Arc<Mutex<Book>>,
    server: JoinHandle<()>,
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Platform {
    /// Starts in good health.
    pub(crate) async fn start() -> Self {
        let book = Arc::new(Mutex::new(Book { expires_in: 7_200, ..Book::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(book.clone());
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the stand-in serves");
        });
        Self { base, book, server }
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens at the next calls of a path, in order; afterwards it is well.
    pub(crate) fn script(&self, path: &str, acts: impl IntoIterator<Item = Act>) {
        self.book().script.entry(path.to_owned()).or_default().extend(acts);
    }

    /// Seconds that a new token lives.
    pub(crate) fn tokens_live(&self, seconds: u64) {
        self.book().expires_in = seconds;
    }

    /// Every token given out so far ends now.
    pub(crate) fn end_tokens(&self) {
        self.book().valid.clear();
    }

    /// Pages that `sync_msg` gives.
    pub(crate) fn pages(&self, pages: impl IntoIterator<Item = Value>) {
        self.book().pages.extend(pages);
    }

    /// What a path of the console answers.
    pub(crate) fn lists(&self, path: &str, answer: Value) {
        self.book().lists.insert(path.to_owned(), answer);
    }

    /// Calls of a path, in order.
    pub(crate) fn calls(&self, path: &str) -> Vec<Call> {
        self.book().calls.iter().filter(|call| call.path == path).cloned().collect()
    }

    /// Messages that users got, in order.
    pub(crate) fn delivered(&self) -> Vec<(String, Value)> {
        self.book().delivered.clone()
    }

    /// The texts that a user got, in order.
    pub(crate) fn texts(&self, user: &str) -> Vec<String> {
        let delivered = self.delivered();
        let own = delivered.iter().filter(|(to, _)| to == user);
        let words = |body: &Value| {
            let words = body["text"]["content"].as_str().or(body["msgmenu"]["head_content"].as_str());
            words.map(str::to_owned)
        };
        own.filter_map(|(_, body)| words(body)).collect()
    }
}

async fn answer(State(book): State<Arc<Mutex<Book>>>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let query: HashMap<String, String> = reqwest::Url::parse(&format!("http://x{}", request.uri()))
        .map(|url| url.query_pairs().into_owned().collect())
        .unwrap_or_default();
    let bytes = request.into_body().collect().await.expect("a body").to_bytes();
    let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let call = Call { path, query, json, bytes };
    let (act, answer) = {
        let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
        let act = book.script.get_mut(&call.path).and_then(VecDeque::pop_front).unwrap_or(Act::Well);
        book.calls.push(call.clone());
        let answer = match &act {
            Act::Well | Act::Reset | Act::Late(_) => well(&mut book, &call),
            Act::TokenEnds => {
                book.valid.clear();
                well(&mut book, &call)
            }
            Act::Code(code, errmsg) => json!({"errcode": code, "errmsg": errmsg}),
            Act::Status(_) | Act::Raw(..) => Value::Null,
        };
        (act, answer)
    };
    let write = |mime: &str, bytes: Vec<u8>| {
        Response::builder().header("content-type", mime).body(Body::from(bytes)).expect("an answer")
    };
    match act {
        Act::Status(status) => Response::builder().status(status).body(Body::from("oops")).expect("an answer"),
        Act::Raw(mime, bytes) => write(mime, bytes),
        Act::Reset => {
            // A body that breaks off takes the connection with it.
            let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))]);
            Response::builder()
                .header("content-type", "application/json")
                .header("content-length", "20")
                .body(Body::from_stream(broken))
                .expect("an answer")
        }
        Act::Late(by) => {
            tokio::time::sleep(by).await;
            write("application/json", answer.to_string().into_bytes())
        }
        Act::Well | Act::Code(..) | Act::TokenEnds => write("application/json", answer.to_string().into_bytes()),
    }
}

fn well(book: &mut Book, call: &Call) -> Value {
    if matches!(call.path.as_str(), "/cgi-bin/stable_token" | "/cgi-bin/gettoken") {
        // As stable_token: the same one as long as it is good.
        if book.valid.is_empty() {
            book.tokens += 1;
            let token = format!("token-{}", book.tokens);
            book.valid.insert(token);
        }
        let token = book.valid.iter().next().cloned().unwrap_or_default();
        return json!({"access_token": token, "expires_in": book.expires_in});
    }
    if call.path == "/sns/oauth2/access_token" {
        // A code counts once; its user is named after it unless the test says otherwise.
        let code = call.query.get("code").cloned().unwrap_or_default();
        if !book.names.insert(format!("code:{code}")) {
            return json!({"errcode": 40163, "errmsg": "code been used"});
        }
        let known = book.lists.get(&call.path).cloned();
        return known
            .unwrap_or_else(|| json!({"access_token": "user", "expires_in": 7200, "openid": format!("o-{code}")}));
    }
    if !call.query.get("access_token").is_some_and(|token| book.valid.contains(token)) {
        return json!({"errcode": 42001, "errmsg": "access_token expired rid: 1"});
    }
    match call.path.as_str() {
        "/cgi-bin/media/upload" => json!({"type": call.query.get("type"), "media_id": "MEDIA", "created_at": 1}),
        "/cgi-bin/kf/sync_msg" => book
            .pages
            .pop_front()
            .unwrap_or_else(|| json!({"errcode": 0, "next_cursor": "", "has_more": 0, "msg_list": []})),
        path if book.lists.contains_key(path) => book.lists[path].clone(),
        "/cgi-bin/kf/service_state/get" => json!({"errcode": 0, "errmsg": "ok", "service_state": 1}),
        "/cgi-bin/kf/service_state/trans" => {
            let state = json!({"errcode": 0, "service_state": call.json["service_state"]});
            book.lists.insert("/cgi-bin/kf/service_state/get".to_owned(), state);
            json!({"errcode": 0, "errmsg": "ok", "msg_code": "MOVED"})
        }
        "/cgi-bin/message/send" => {
            // Equal words to the same member are dropped where the message asks for it.
            let name = format!("{}:{}", call.json["touser"], call.json["text"]);
            let known = !book.names.insert(name);
            if !(known && call.json["enable_duplicate_check"] == 1) {
                let user = call.json["touser"].as_str().unwrap_or_default().to_owned();
                book.delivered.push((user, call.json.clone()));
            }
            json!({"errcode": 0, "errmsg": "ok"})
        }
        path if path.contains("/send") || path.ends_with("bizsend") => {
            let name = call.json["msgid"].as_str().or(call.json["client_msg_id"].as_str());
            let double = name.is_some_and(|name| !book.names.insert(name.to_owned()));
            if !double {
                let user = call.json["touser"].as_str().unwrap_or_default().to_owned();
                book.delivered.push((user, call.json.clone()));
            }
            json!({"errcode": 0, "errmsg": "ok"})
        }
        _ => json!({"errcode": 0, "errmsg": "ok"}),
    }
}
