//! Kill -9 of the real program while a model is asked: after the restart the visitor hears one answer, once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use zhitong::store::{Db, model_tasks};

use super::{HOLDING, honest, question, until};
use crate::support::program::{Program, call, client, free_port};

/// An endpoint that lets every other question hang.
pub(crate) struct Endpoint {
    calls: AtomicUsize,
    pub(crate) arrived: Notify,
}

impl Endpoint {
    pub(crate) async fn start(answer: String) -> (Arc<Self>, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let endpoint = Arc::new(Self { calls: AtomicUsize::new(0), arrived: Notify::new() });
        let shared = endpoint.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (endpoint, answer) = (shared.clone(), answer.clone());
                tokio::spawn(async move { endpoint.answer(stream, &answer).await });
            }
        });
        (endpoint, port)
    }

    async fn answer(&self, mut stream: TcpStream, answer: &str) {
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&request).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_lowercase().split("content-length:").nth(1).map_or(0, |rest| {
                    rest.split("\r\n").next().unwrap_or_default().trim().parse::<usize>().unwrap_or(0)
                });
                if body.len() >= length {
                    break;
                }
            }
            match stream.read(&mut buffer).await {
                Ok(n) if n > 0 => request.extend_from_slice(&buffer[..n]),
                _ => return,
            }
        }
        let hangs = self.calls.fetch_add(1, SeqCst).is_multiple_of(2);
        self.arrived.notify_one();
        if hangs {
            // Until the caller is gone.
            let _ = stream.read(&mut buffer).await;
            return;
        }
        if !String::from_utf8_lossy(&request).contains("\"stream\":true") {
            let message = json!({ "role": "assistant", "content": answer });
            let whole = json!({ "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] }).to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
            let whole = format!("{head}content-length: {}\r\n\r\n{whole}", whole.len());
            let _ = stream.write_all(whole.as_bytes()).await;
            return;
        }
        let chunk = json!({ "choices": [{ "index": 0, "delta": { "content": answer }, "finish_reason": null }] });
        let last = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
        let body = format!("data: {chunk}\n\ndata: {last}\n\ndata: [DONE]\n\n");
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    }
}

async fn said(client: &reqwest::Client, base: &str, token: &str) -> Vec<Value> {
    let url = format!("{base}/api/chat/messages?after=2");
    let list = call(client, reqwest::Method::GET, &url, token, None).await.unwrap_or_default();
    let items = list["items"].as_array().cloned().unwrap_or_default();
    items.into_iter().filter(|message| message["from"] != "visitor").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_while_it_asks_a_model_answers_once_after_its_restart() {
    let asked = question();
    let (endpoint, model_port) = Endpoint::start(honest(asked)).await;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("zhitong.toml"),
        format!("[model]\nbase_url = \"http://127.0.0.1:{model_port}/v1\"\nmodel = \"stand-in\"\n"),
    )
    .expect("written");
    let (client, port) = (client(), free_port());
    let mut program = Program::start(folder.path(), port).await;
    for round in 0..4 {
        let base = program.base.clone();
        let url = format!("{base}/api/chat/sessions");
        let started = call(&client, reqwest::Method::POST, &url, "", Some(json!({}))).await.expect("a session");
        let token = started["token"].as_str().expect("a token").to_owned();
        let id = started["conversation_id"].as_str().expect("an id").parse().expect("an id");
        let body = json!({ "client_id": "1", "text": asked.words });
        let url = format!("{base}/api/chat/messages");
        let answer = call(&client, reqwest::Method::POST, &url, &token, Some(body)).await.expect("answered");
        assert_eq!(answer["replies"][0]["text"], HOLDING);
        endpoint.arrived.notified().await;
        if round % 2 == 1 {
            // Once more, while or after the answer of the second call is stored.
            program.child.kill().expect("killed");
            program.child.wait().expect("reaped");
            program = Program::start(folder.path(), port).await;
            endpoint.arrived.notified().await;
        }
        program.child.kill().expect("killed");
        program.child.wait().expect("reaped");
        program = Program::start(folder.path(), port).await;
        let base = program.base.clone();
        until("the visitor hears something", async || !said(&client, &base, &token).await.is_empty()).await;
        let url = format!("sqlite://{}/data/zhitong.db", folder.path().display());
        let db = Db::open(&url).await.expect("the database opens");
        until("the task is done", async || {
            let mut tx = db.read().await.expect("a reader");
            let tasks = model_tasks::of_conversation(&mut tx, id).await.expect("tasks");
            !tasks.is_empty() && tasks.iter().all(|task| task.state == "done")
        })
        .await;
        db.close().await;
        let messages = said(&client, &base, &token).await;
        let generated = messages.iter().filter(|message| message["generated"] == true).count();
        assert!(generated <= 1, "round {round}: {messages:?}");
        if generated == 1 {
            assert_eq!(messages.len(), 1, "round {round}: {messages:?}");
        }
        // The next round begins with a question that hangs.
        if !endpoint.calls.load(SeqCst).is_multiple_of(2) {
            endpoint.calls.fetch_add(1, SeqCst);
        }
        tokio::time::timeout(Duration::from_millis(1), endpoint.arrived.notified()).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_failing_model_holds_no_words_no_phone_and_no_key() {
    const PHONE: &str = "13800138000";
    const KEY: &str = "sk-this-is-a-secret";
    let asked = question();
    let (endpoint, model_port) = Endpoint::start(honest(asked)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = format!(
        "[model]\nbase_url = \"http://127.0.0.1:{model_port}/v1\"\nmodel = \"stand-in\"\ntimeout_ms = 1000\n\
         first_content_ms = 500\ngap_ms = 500\nclassify_timeout_ms = 500\n"
    );
    std::fs::write(folder.path().join("zhitong.toml"), settings).expect("written");
    let log = folder.path().join("log");
    let (out, err) = (std::fs::File::create(&log).expect("a file"), std::fs::File::create(folder.path().join("err")));
    let err = err.expect("a file");
    let client = client();
    let program = Program::start_with(folder.path(), free_port(), |command| {
        command
            .env("ZHITONG__LOG__FILTER", "debug")
            .env("ZHITONG__MODEL__API_KEY", KEY)
            .stdout(std::process::Stdio::from(out))
            .stderr(std::process::Stdio::from(err));
    })
    .await;
    let base = program.base.clone();
    let url = format!("{base}/api/chat/sessions");
    let started = call(&client, reqwest::Method::POST, &url, "", Some(json!({}))).await.expect("a session");
    let token = started["token"].as_str().expect("a token").to_owned();
    let url = format!("{base}/api/chat/messages");
    for (n, text) in ["我的电话是13800138000", asked.words.as_str()].into_iter().enumerate() {
        let body = json!({ "client_id": n.to_string(), "text": text });
        call(&client, reqwest::Method::POST, &url, &token, Some(body)).await.expect("stored");
    }
    endpoint.arrived.notified().await;
    let read = || {
        let mut all = std::fs::read_to_string(&log).expect("a log");
        all.push_str(&std::fs::read_to_string(folder.path().join("err")).expect("a log"));
        all
    };
    until("the failure is logged", async || read().contains("the model gave no answer")).await;
    drop(program);
    let all = read();
    for secret in [PHONE, "138-0013", KEY, asked.words.as_str(), asked.sentence.as_str()] {
        assert!(!all.contains(secret), "{secret} stands in the log");
    }
}
