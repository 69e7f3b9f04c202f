//! A stand-in of a model endpoint on the loopback interface: raw TCP, so that it can misbehave at every byte.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use zhitong::model::Profile;

/// One thing that the stand-in does after it has read a request.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Writes these bytes in one go.
    Send(Vec<u8>),
    /// Lets this much time pass.
    Pause(Duration),
    /// Writes these bytes again and again at this distance until the other side leaves.
    Drip(Vec<u8>, Duration),
    /// Writes these bytes as fast as it can until so many are written or the other side leaves.
    Flood(Vec<u8>, usize),
    /// Does nothing until the other side leaves.
    Hold,
    /// Closes the connection, whatever is still owed.
    Close,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Path.
    pub(crate) path: String,
    /// Headers, names in small letters.
    pub(crate) headers: HashMap<String, String>,
    /// The body.
    pub(crate) json: Value,
}

#[derive(Debug, Default)]
struct Book {
    script: VecDeque<Vec<Step>>,
    always: Option<Vec<Step>>,
    profile: Option<Profile>,
    text: String,
    calls: Vec<Call>,
    connections: usize,
    flooded: usize,
}

/// The stand-in.
pub(crate) struct Standin {
    /// Its base address, ending in `/v1`.
    pub(crate) base: String,
    book: Arc<Mutex<Book>>,
    server: JoinHandle<()>,
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn open(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Standin {
    /// Starts in good health, speaking the plain protocol.
    pub(crate) async fn start() -> Self {
        let book = Arc::new(Mutex::new(Book { text: "可以在线申请。".to_owned(), ..Book::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let shared = book.clone();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                open(&shared).connections += 1;
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { base, book, server }
    }

    /// The same behind HTTPS, as `localhost`.
    pub(crate) async fn behind_tls(acceptor: tokio_rustls::TlsAcceptor) -> Self {
        let book = Arc::new(Mutex::new(Book { text: "可以在线申请。".to_owned(), ..Book::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("https://localhost:{}/v1", listener.local_addr().expect("an address").port());
        let shared = book.clone();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, book) = (acceptor.clone(), shared.clone());
                open(&book).connections += 1;
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, book).await;
                    }
                });
            }
        });
        Self { base, book, server }
    }

    /// Speaks as this implementation does.
    pub(crate) async fn speaking(profile: Profile) -> Self {
        let standin = Self::start().await;
        open(&standin.book).profile = Some(profile);
        standin
    }

    /// What it does at the next requests, in order; afterwards it is well.
    pub(crate) fn script(&self, scripts: impl IntoIterator<Item = Vec<Step>>) {
        open(&self.book).script.extend(scripts);
    }

    /// What it does at every request.
    pub(crate) fn always(&self, steps: Vec<Step>) {
        open(&self.book).always = Some(steps);
    }

    /// The requests so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        open(&self.book).calls.clone()
    }

    /// Connections so far, with or without a request.
    pub(crate) fn connections(&self) -> usize {
        open(&self.book).connections
    }

    /// Bytes that a flood got rid of.
    pub(crate) fn flooded(&self) -> usize {
        open(&self.book).flooded
    }
}

/// A whole HTTP answer.
pub(crate) fn http(status: u16, mime: &str, headers: &[&str], body: &str) -> Vec<Step> {
    let more: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {mime}\r\ncontent-length: {}\r\n{more}\r\n", body.len());
    vec![Step::Send(format!("{head}{body}").into_bytes())]
}

/// A whole JSON answer.
pub(crate) fn whole(status: u16, body: &Value) -> Vec<Step> {
    http(status, "application/json", &[], &body.to_string())
}

/// The head of a streamed answer; what follows goes through [`chunk`].
pub(crate) fn head(mime: &str) -> Step {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {mime}\r\ntransfer-encoding: chunked\r\n\r\n");
    Step::Send(head.into_bytes())
}

/// Bytes framed as one chunk of HTTP.
pub(crate) fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    framed
}

/// One chunk of a streamed answer.
pub(crate) fn chunk(bytes: impl AsRef<[u8]>) -> Step {
    Step::Send(framed(bytes.as_ref()))
}

/// The end of a streamed answer.
pub(crate) fn end() -> Step {
    Step::Send(b"0\r\n\r\n".to_vec())
}

/// A streamed answer of these texts, each a chunk of its own, written in one go.
pub(crate) fn events<T: AsRef<str>>(texts: &[T]) -> Vec<Step> {
    let mut steps = vec![head("text/event-stream")];
    steps.extend(texts.iter().map(|text| chunk(text.as_ref())));
    steps.push(end());
    let bytes = steps.into_iter().filter_map(|step| if let Step::Send(bytes) = step { Some(bytes) } else { None });
    vec![Step::Send(bytes.flatten().collect())]
}

/// An event with a piece of content.
pub(crate) fn piece(text: &str) -> String {
    event(&json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}))
}

/// An event with this delta.
pub(crate) fn delta(delta: &Value) -> String {
    event(&json!({"choices": [{"index": 0, "delta": delta}]}))
}

/// An event.
pub(crate) fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// The event that ends the content.
pub(crate) fn finish(reason: &str) -> String {
    event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

/// The event that tells the usage.
pub(crate) fn usage(prompt: u64, completion: u64) -> String {
    event(&json!({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}))
}

/// The last event.
pub(crate) const DONE: &str = "data: [DONE]\n\n";

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, book: Arc<Mutex<Book>>) {
    while let Some(call) = read_request(&mut stream).await {
        let steps = {
            let mut book = open(&book);
            book.calls.push(call.clone());
            let scripted = book.script.pop_front().or_else(|| book.always.clone());
            scripted.unwrap_or_else(|| well(book.profile, &book.text, &call))
        };
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
                Step::Pause(time) => tokio::time::sleep(time).await,
                Step::Drip(bytes, every) => loop {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(every).await;
                },
                Step::Flood(bytes, most) => {
                    let mut sent = 0;
                    while sent < most {
                        if stream.write_all(&bytes).await.is_err() {
                            break;
                        }
                        sent += bytes.len();
                        open(&book).flooded += bytes.len();
                    }
                }
                Step::Hold => {
                    let mut rest = [0; 1];
                    let _ = stream.read(&mut rest).await;
                    return;
                }
                Step::Close => return,
            }
        }
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Call> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => body.extend_from_slice(&buffer[..count]),
        }
    }
    Some(Call { path, headers, json: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}

/// How the implementation answers in good health: with thinking unless it is switched off in its own words, with its
/// own idea of JSON, with its own errors.
fn well(profile: Option<Profile>, text: &str, call: &Call) -> Vec<Step> {
    let body = &call.json;
    let streamed = body["stream"] == true;
    let format = &body["response_format"];
    let says_json = body["messages"].to_string().to_lowercase().contains("json");
    let (thinks, field) = match profile {
        None | Some(Profile::Openai) => (false, "reasoning_content"),
        Some(Profile::Deepseek) => (body["thinking"]["type"] != "disabled", "reasoning_content"),
        Some(Profile::Dashscope) => (body["enable_thinking"] != false, "reasoning_content"),
        Some(Profile::Vllm) => (body["chat_template_kwargs"]["enable_thinking"] != false, "reasoning"),
        Some(Profile::Ollama) => (body["reasoning_effort"] != "none", "reasoning"),
        Some(Profile::Llamacpp) => (body["chat_template_kwargs"]["enable_thinking"] != false, "content"),
    };
    let refuse = |status: u16, error: Value| whole(status, &error);
    match profile {
        Some(Profile::Dashscope) if thinks && !streamed => {
            let message = "parameter.enable_thinking must be set to false for non-streaming calls";
            let code = "invalid_parameter_error";
            return refuse(400, json!({"error": {"code": code, "param": null, "message": message, "type": code}}));
        }
        Some(Profile::Dashscope | Profile::Deepseek) if format["type"] == "json_object" && !says_json => {
            let message = "'messages' must contain the word 'json' in some form";
            let error = json!({"code": "invalid_request_error", "type": "invalid_request_error", "message": message});
            return refuse(400, json!({"error": error}));
        }
        Some(Profile::Deepseek) if format["type"] == "json_schema" => {
            let message = "This response_format type is unavailable now";
            return refuse(400, json!({"error": {"message": message, "type": "invalid_request_error", "code": null}}));
        }
        Some(Profile::Vllm | Profile::Ollama)
            if format["type"] == "json_schema" && format["json_schema"]["schema"].is_null() =>
        {
            return refuse(400, json!({"error": {"message": "no schema", "type": "BadRequestError", "code": 400}}));
        }
        Some(Profile::Llamacpp) if format["type"] == "json_schema" && format["schema"].is_null() => {
            return refuse(
                400,
                json!({"error": {"code": 400, "message": "no schema", "type": "invalid_request_error"}}),
            );
        }
        _ => {}
    }
    let text = if format["type"].is_string() { "{\"answer\":\"是\"}" } else { text };
    let thought = "先想一想：稳岗返还 30%……";
    let model = body["model"].clone();
    let counts = json!({"prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28});
    if !streamed {
        let mut message = json!({"role": "assistant", "content": text});
        if thinks && field == "content" {
            message["content"] = json!(format!("<think>{thought}</think>\n\n{text}"));
        } else if thinks {
            message[field] = json!(thought);
        }
        let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
        let answer =
            json!({"id": "1", "object": "chat.completion", "model": model, "choices": [choice], "usage": counts});
        // DeepSeek keeps the connection alive with empty lines before the body.
        let lead = if profile == Some(Profile::Deepseek) { "\n\n\n" } else { "" };
        return http(200, "application/json", &[], &format!("{lead}{answer}"));
    }
    let part = |delta: Value| event(&json!({"id": "1", "model": model, "choices": [{"index": 0, "delta": delta}]}));
    let mut texts = Vec::new();
    if profile == Some(Profile::Deepseek) {
        texts.push(": keep-alive\n\n".to_owned());
    }
    texts.push(part(json!({"role": "assistant", "content": ""})));
    if thinks && field == "content" {
        texts.extend(["<thi", "nk>", thought, "</th", "ink>\n\n"].map(|text| part(json!({"content": text}))));
    } else if thinks {
        texts.push(part(json!({"content": null, field: thought})));
    }
    let letters: Vec<char> = text.chars().collect();
    texts.extend(letters.chunks(3).map(|letters| part(json!({"content": letters.iter().collect::<String>()}))));
    texts.push(finish("stop"));
    if body["stream_options"]["include_usage"] == true {
        texts.push(event(&json!({"id": "1", "model": model, "choices": [], "usage": counts})));
    }
    texts.push(DONE.to_owned());
    events(&texts)
}
