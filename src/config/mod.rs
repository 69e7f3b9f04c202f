//! The configuration: one TOML file, every value overridable by `ZHITONG__SECTION__KEY`.
//!
//! The only place that reads the environment. Each section is a struct with defaults, unknown keys are errors
//! that name the nearest known key, and [`Config::validate`] reports every problem at once. Rules, prompts and
//! calendars are content, not configuration: see `app::content`.

mod channels;
mod load;
mod model;
mod sections;

pub use channels::{WebhookTarget, WebhooksConfig, WechatConfig, WechatKf, WechatNotice, WechatOa, WechatWork};
pub use load::{ConfigError, Problem};
pub use model::{MODEL_PROFILES, ModelConfig, ModelEndpoint};
pub use sections::{
    BrandConfig, ChatConfig, ContentConfig, DatabaseConfig, HoursSeason, LimitsConfig, LogConfig, LogFormat,
    RegionConfig, RetentionConfig, SIX_MONTHS, ServerConfig, SlaConfig, TimeConfig,
};

use serde::Deserialize;

/// Everything that an operator may set. `zhitong.example.toml` shows every key.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Listening, public address, proxies, body limit.
    pub server: ServerConfig,
    /// Where the data lives.
    pub database: DatabaseConfig,
    /// Where rules and prompts live.
    pub content: ContentConfig,
    /// Zone and office hours.
    pub time: TimeConfig,
    /// The policy of time limits.
    pub sla: SlaConfig,
    /// The government that runs this gateway.
    pub region: RegionConfig,
    /// Names and words shown to people (white label).
    pub brand: BrandConfig,
    /// The chat with enterprises.
    pub chat: ChatConfig,
    /// Rates and sizes that protect the server.
    pub limits: LimitsConfig,
    /// How long things are kept.
    pub retention: RetentionConfig,
    /// Log format and level.
    pub log: LogConfig,
    /// WeChat accounts.
    pub wechat: WechatConfig,
    /// The optional model endpoint; absent: no model is used.
    pub model: Option<ModelConfig>,
    /// Outbound event subscriptions and inbound signed hooks.
    pub webhooks: WebhooksConfig,
}
