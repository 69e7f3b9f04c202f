//! A language model that says what the test wants, when the test wants it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::sync::{Notify, mpsc};
use zhitong::ports::model::{
    EndpointState, ModelClient, ModelFailure, ModelFailureKind, ModelFinish, ModelReply, ModelRequest, ModelUsage,
    OnText,
};

/// What the model does when it is asked.
pub(crate) enum Script {
    /// Says this, three characters at a time.
    Say(String),
    /// Says this and ends for another reason than being done.
    End(String, ModelFinish),
    /// Says the pieces as the test sends them; the end of the channel is the end of the answer.
    Pieces(mpsc::UnboundedReceiver<String>),
    /// Fails.
    Fail(ModelFailureKind),
    /// Never answers.
    Hang,
}

/// A model with a script.
#[derive(Default)]
pub(crate) struct Scripted {
    scripts: Mutex<VecDeque<Script>>,
    asked: Mutex<Vec<ModelRequest>>,
    /// Told whenever a question arrives.
    pub(crate) arrived: Notify,
    /// Calls that were broken off.
    pub(crate) dropped: AtomicUsize,
}

/// Counts a call that is dropped before its end.
struct Under<'a>(&'a Scripted, bool);

impl Drop for Under<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.dropped.fetch_add(1, SeqCst);
        }
    }
}

impl Scripted {
    /// With these answers, in order; asked once more, it fails.
    pub(crate) fn new(scripts: impl IntoIterator<Item = Script>) -> Arc<Self> {
        Arc::new(Self { scripts: Mutex::new(scripts.into_iter().collect()), ..Self::default() })
    }

    /// One more answer.
    pub(crate) fn then(&self, script: Script) {
        self.scripts.lock().expect("no poisoned lock").push_back(script);
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<ModelRequest> {
        self.asked.lock().expect("no poisoned lock").clone()
    }

    /// Everything it was told, as one text.
    pub(crate) fn told(&self) -> String {
        self.asked().iter().flat_map(|request| &request.lines).map(|line| line.text.as_str()).collect()
    }
}

/// The answer of the output contract, in its order.
pub(crate) fn contract(status: &str, cites: &[&str], answer: &str) -> String {
    let json = |value: serde_json::Value| value.to_string();
    format!(
        "{{\"status\":{},\"cites\":{},\"answer\":{},\"confidence\":0.9}}",
        json(status.into()),
        json(cites.into()),
        json(answer.into())
    )
}

fn reply(text: String, finish: ModelFinish) -> ModelReply {
    ModelReply {
        text,
        finish,
        usage: ModelUsage { prompt: 400, completion: 100, estimated: false },
        endpoint: "scripted".to_owned(),
        model: "test-model".to_owned(),
        first_ms: 10,
        total_ms: 20,
        cost_micro_yuan: 1_000,
    }
}

#[async_trait::async_trait]
impl ModelClient for Scripted {
    async fn ask(&self, request: &ModelRequest, on_text: &mut OnText<'_>) -> Result<ModelReply, ModelFailure> {
        self.asked.lock().expect("no poisoned lock").push(request.clone());
        let script = self.scripts.lock().expect("no poisoned lock").pop_front();
        self.arrived.notify_one();
        let mut under = Under(self, false);
        let answer = match script.unwrap_or(Script::Fail(ModelFailureKind::Unavailable)) {
            Script::Say(text) => {
                let letters: Vec<char> = text.chars().collect();
                for piece in letters.chunks(3) {
                    on_text(&piece.iter().collect::<String>());
                    tokio::task::yield_now().await;
                }
                Ok(reply(text, ModelFinish::Stop))
            }
            Script::End(text, finish) => {
                on_text(&text);
                Ok(reply(text, finish))
            }
            Script::Pieces(mut pieces) => {
                let mut text = String::new();
                while let Some(piece) = pieces.recv().await {
                    on_text(&piece);
                    text.push_str(&piece);
                }
                Ok(reply(text, ModelFinish::Stop))
            }
            Script::Fail(kind) => Err(ModelFailure {
                kind,
                endpoint: "scripted".to_owned(),
                detail: "scripted".to_owned(),
                usage: ModelUsage::default(),
                cost_micro_yuan: 0,
            }),
            Script::Hang => std::future::pending().await,
        };
        under.1 = true;
        answer
    }

    fn endpoints(&self) -> Vec<EndpointState> {
        Vec::new()
    }
}
