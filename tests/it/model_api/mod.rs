//! The client of language models against a stand-in that misbehaves in every way endpoints do, down to the bytes.

mod client;
mod command;
mod deviations;
mod profiles;
pub(crate) mod standin;
mod tls;

use std::sync::Arc;

use secrecy::SecretString;
use zhitong::{
    app::system::SystemClock,
    model::{EndpointSetup, HttpModel, Limits, Profile},
    ports::model::{
        ModelClient as _, ModelFailure, ModelLine, ModelOutput, ModelReply, ModelRequest, ModelRole, ModelTask,
    },
};

use self::standin::Standin;

/// The key that must never be seen.
const KEY: &str = "sk-geheim-0123456789";

fn setup(name: &str, base: &str, profile: Profile) -> EndpointSetup {
    EndpointSetup {
        name: name.to_owned(),
        profile,
        base_url: base.to_owned(),
        api_key: SecretString::from(KEY),
        model: "model".to_owned(),
        price_prompt: 2.0,
        price_completion: 3.0,
        json: None,
        extra: serde_json::Map::new(),
        omit: Vec::new(),
        headers: Vec::new(),
    }
}

fn client(standins: &[&Standin], change: impl FnOnce(&mut Limits)) -> HttpModel {
    let setups: Vec<_> =
        standins.iter().enumerate().map(|(n, s)| setup(&format!("e{n}"), &s.base, Profile::Openai)).collect();
    let mut limits = Limits::default();
    change(&mut limits);
    HttpModel::new(&setups, limits, Arc::new(SystemClock)).expect("usable endpoints")
}

fn request(stream: bool) -> ModelRequest {
    let line = |role, text: &str| ModelLine { role, text: text.to_owned() };
    ModelRequest {
        task: ModelTask::Answer,
        lines: vec![line(ModelRole::System, "你只引用依据作答。"), line(ModelRole::User, "稳岗返还怎么申请")],
        output: ModelOutput::Text,
        max_tokens: 300,
        stream,
    }
}

fn json_request(stream: bool) -> ModelRequest {
    let schema = r#"{"type":"object","required":["answer"]}"#.to_owned();
    ModelRequest { output: ModelOutput::Json { schema }, ..request(stream) }
}

/// The result and what was handed out on the way.
async fn ask(client: &HttpModel, request: &ModelRequest) -> (Result<ModelReply, ModelFailure>, Vec<String>) {
    let mut pieces = Vec::new();
    let result = client.ask(request, &mut |piece: &str| pieces.push(piece.to_owned())).await;
    if let Err(failure) = &result {
        let told = format!("{failure} {failure:?}");
        assert!(!told.contains("geheim") && !told.contains("0123456789"), "the key is told: {told}");
        assert!(!told.contains("稳岗"), "the question is told: {told}");
    }
    (result, pieces)
}
