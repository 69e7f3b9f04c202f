//! The HTTP client for language models: OpenAI-compatible chat completions in all their dialects.
//!
//! A model is optional and an endpoint is a stranger: it is asked only at the host of the configuration, within limits
//! of time, size and number, and whatever it answers is text to be checked by others. This module knows no prompts,
//! no budgets and no conversations. Keys and texts stand in no log and no error.

mod breaker;
mod client;
mod endpoint;
mod exchange;
mod failure;
mod pin;
mod probe;
mod profile;
mod sse;
mod thinking;
mod wire;

use std::time::Duration;

pub use client::HttpModel;
pub use probe::{ProbeCheck, ProbeFinding, ProbeReport, ProbeVerdict, greet, probe};
pub use profile::{JsonMode, Profile};
use secrecy::SecretString;

/// An endpoint's settings.
#[derive(Debug, Clone)]
pub struct EndpointSetup {
    /// Its name in logs and on the console.
    pub name: String,
    /// The implementation behind it.
    pub profile: Profile,
    /// Base address, without `/chat/completions`.
    pub base_url: String,
    /// The key; empty: none is sent.
    pub api_key: SecretString,
    /// The model's name.
    pub model: String,
    /// Yuan for a million tokens of questions.
    pub price_prompt: f64,
    /// Yuan for a million tokens of answers.
    pub price_completion: f64,
    /// How JSON is asked for; nothing: as the profile does.
    pub json: Option<JsonMode>,
    /// Fields of every request over those of the profile.
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Fields that are not sent.
    pub omit: Vec<String>,
    /// More headers.
    pub headers: Vec<(String, String)>,
}

/// Limits of time, number and size, the same for every endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// To connect.
    pub connect: Duration,
    /// To the first content when another endpoint could be asked instead.
    pub first_content: Duration,
    /// Between pieces of content; keep-alives and thinking do not count.
    pub gap: Duration,
    /// A whole question, repetition and fallbacks included.
    pub total: Duration,
    /// The same for classification.
    pub classify: Duration,
    /// Calls of one endpoint at the same time.
    pub concurrency: usize,
    /// How long a call waits for its turn.
    pub wait: Duration,
    /// Bytes of an answer.
    pub answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            first_content: Duration::from_secs(8),
            gap: Duration::from_secs(15),
            total: Duration::from_secs(30),
            classify: Duration::from_secs(6),
            concurrency: 8,
            wait: Duration::from_secs(1),
            answer_bytes: 64 * 1024,
        }
    }
}

/// An endpoint that cannot be used as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("model endpoint {endpoint}: {message}")]
pub struct SetupError {
    /// Its name.
    pub endpoint: String,
    /// What is wrong, in Chinese, without the key.
    pub message: String,
}
