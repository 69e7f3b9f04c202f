//! What a test must not call for real: the clock and the source of ids and randomness.

pub mod model;
pub mod push;
pub mod wechat;

use jiff::Timestamp;
use uuid::Uuid;

/// Tells the present instant.
pub trait Clock: Send + Sync {
    /// The present instant, UTC.
    fn now(&self) -> Timestamp;
}

/// Makes ids and secrets.
pub trait IdGen: Send + Sync {
    /// A new UUIDv7 whose time part is `now`.
    fn uuid(&self, now: Timestamp) -> Uuid;
    /// Fills the buffer with random bytes fit for secrets.
    fn fill(&self, buffer: &mut [u8]);
}

/// One signed webhook, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    /// Address.
    pub url: String,
    /// Headers: content type, event, idempotency key, timestamp, signature.
    pub headers: Vec<(String, String)>,
    /// The body, JSON.
    pub body: String,
}

/// Why a webhook was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendFailure {
    /// Whether another attempt is useless.
    pub permanent: bool,
    /// A short Chinese reason without secrets.
    pub reason: String,
}

/// Sends webhooks to other systems.
#[async_trait::async_trait]
pub trait WebhookSender: Send + Sync {
    /// Sends one request; at least once, the receiver drops repeats by the key.
    async fn send(&self, request: &WebhookRequest) -> Result<(), SendFailure>;
}
