//! The use cases: load, authorise, decide, save, commit, wake. No SQL text, no HTTP.

pub mod archiving;
pub mod attachments;
pub mod auth;
pub mod case_actions;
pub mod case_help;
pub mod case_input;
pub mod case_queries;
mod case_save;
pub mod chat;
pub mod clocks;
pub mod content;
pub mod conversations;
pub mod demo;
pub mod deputies;
pub mod dialogue_codec;
pub mod error;
pub mod events;
pub mod exchange;
pub mod full_text;
pub mod health;
pub mod housekeeping;
pub mod intake;
pub mod job_board;
pub mod limits;
pub mod message;
pub mod message_view;
pub mod metrics;
pub mod model;
pub mod model_console;
pub mod notices;
pub mod officer;
pub mod outbox;
pub mod proposal_counts;
pub mod proposal_view;
pub mod relay;
pub mod retention;
pub mod suggestions;
pub mod sweep;
pub mod system;
pub mod todo;
pub mod track;
pub mod units;
pub mod visitors;
pub mod webhooks;
pub mod wechat;
pub mod wechat_out;

use std::{ops::Deref, sync::Arc};

pub use error::{AppError, FieldError};
use jiff::{Timestamp, tz::TimeZone};
pub use officer::{Credential, Officer};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    ports::{Clock, IdGen},
    store::Db,
};

/// Signals that wake a job before its next tick.
#[derive(Debug, Default)]
pub struct Wake {
    /// Something waits in the outbox.
    pub outbox: Notify,
    /// Something waits for a WeChat user.
    pub wechat: Notify,
    /// 微信客服 has messages to fetch.
    pub wechat_kf: Notify,
    /// A question waits for the model.
    pub model: Notify,
    /// A question about a form waits for the model.
    pub proposals: Notify,
    /// A timer was set or moved.
    pub timers: Notify,
}

/// What every use case works with.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// Rules, taxonomy, routing, calendars: what administrators edit.
    pub content: content::ContentStore,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Ids and secrets.
    pub ids: Arc<dyn IdGen>,
    /// Events for open streams.
    pub hub: events::Hub,
    /// Signals for jobs.
    pub wake: Wake,
    /// Counters for `/metrics`.
    pub metrics: metrics::Metrics,
    /// What the background jobs last did.
    pub jobs: job_board::JobBoard,
    /// Rates per sender.
    pub limits: limits::Limits,
    /// Chat tokens seen lately.
    pub visitor_tokens: visitors::TokenCache,
    /// Officers at conversations.
    pub presence: conversations::Presence,
    /// The way of visitors' messages.
    pub exchange: exchange::Exchange,
    /// The optional language model.
    pub model: model::Models,
    /// What is remembered of WeChat.
    pub wechat: wechat::Wechat,
    /// Cancelled at shutdown.
    pub shutdown: CancellationToken,
    /// Cancelled when the last request is answered: the exchange may end.
    pub exchange_stopped: CancellationToken,
    /// Cancelled when the database must not be written any more by this process.
    pub fatal: CancellationToken,
    zone: TimeZone,
    /// Tells this process from the other gateways on the same database.
    gateway: String,
}

/// The running gateway: a cheap handle.
#[derive(Clone)]
pub struct App(Arc<Parts>);

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Puts the gateway together.
    pub fn new(
        config: Config,
        db: Db,
        content: content::ContentStore,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGen>,
    ) -> Self {
        let limits = limits::Limits::new(&config.limits);
        // The configuration was validated; a zone that vanished since is no reason to stop.
        let zone = TimeZone::get(&config.time.zone).unwrap_or(TimeZone::UTC);
        let gateway = ids.uuid(clock.now()).to_string();
        Self(Arc::new(Parts {
            config,
            db,
            content,
            clock,
            ids,
            hub: events::Hub::default(),
            wake: Wake::default(),
            metrics: metrics::Metrics::default(),
            jobs: job_board::JobBoard::default(),
            limits,
            visitor_tokens: visitors::TokenCache::default(),
            presence: conversations::Presence::default(),
            exchange: exchange::Exchange::default(),
            model: model::Models::default(),
            wechat: wechat::Wechat::default(),
            shutdown: CancellationToken::new(),
            exchange_stopped: CancellationToken::new(),
            fatal: CancellationToken::new(),
            zone,
            gateway,
        }))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The configured zone: civil dates and texts for people.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// An instant in JSON: RFC 3339 with the offset of the configured zone, to the millisecond.
    pub fn rfc3339(&self, at: Timestamp) -> String {
        let at = at.round(jiff::Unit::Millisecond).unwrap_or(at);
        at.display_with_offset(self.zone.to_offset(at)).to_string()
    }

    /// Short name of a unit; its slug when the table does not know it.
    pub fn unit_name(&self, slug: &str) -> String {
        self.content.load().routing.units().short_name(slug)
    }

    /// A new secret of 32 random bytes as URL-safe text, with a prefix that tells its kind.
    pub fn secret(&self, prefix: &str) -> String {
        use base64::Engine as _;
        let mut bytes = [0; 32];
        self.ids.fill(&mut bytes);
        format!("{prefix}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// SHA-256 of a secret, hex: what the database keeps of it.
pub fn hash_secret(secret: &str) -> String {
    use sha2::{Digest as _, Sha256};
    hex::encode(Sha256::digest(secret.as_bytes()))
}
