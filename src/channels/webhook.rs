//! Sends signed webhooks over HTTP: no redirects, short limits, answers read up to a small size and never shown.

use std::time::Duration;

use async_trait::async_trait;

use crate::ports::{SendFailure, WebhookRequest, WebhookSender};

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(3);
/// Time for the whole exchange; shorter than the outbox lease.
const WHOLE: Duration = Duration::from_secs(10);

/// The real sender.
#[derive(Debug, Clone)]
pub struct HttpWebhooks {
    client: reqwest::Client,
}

impl HttpWebhooks {
    /// A sender with its own client.
    ///
    /// # Errors
    /// A text when TLS cannot be set up.
    pub fn new() -> Result<Self, String> {
        // A second installation is refused and harmless: the provider is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("zhitong/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client })
    }
}

#[async_trait]
impl WebhookSender for HttpWebhooks {
    async fn send(&self, request: &WebhookRequest) -> Result<(), SendFailure> {
        let mut call = self.client.post(&request.url).body(request.body.clone());
        for (name, value) in &request.headers {
            call = call.header(name, value);
        }
        let answer = call.send().await.map_err(|error| SendFailure {
            permanent: error.is_builder(),
            reason: if error.is_timeout() {
                "对方超时没有回应".to_owned()
            } else if error.is_connect() {
                "连接不上对方".to_owned()
            } else {
                "发送失败".to_owned()
            },
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        // 410 says that the subscription has ended; everything else may be a fault that gets mended.
        Err(SendFailure { permanent: status.as_u16() == 410, reason: format!("对方回应 HTTP {}", status.as_u16()) })
    }
}
