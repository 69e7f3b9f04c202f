//! The sections about the gateway itself.

use std::net::SocketAddr;

use secrecy::SecretString;
use serde::Deserialize;

/// `[server]`: where it listens and what it believes of a request.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The address under which people reach the gateway, e.g. `https://zt.example.gov.cn`; decides cookie flags and links.
    pub public_url: Option<String>,
    /// Addresses or networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// Largest JSON body in bytes; uploads have their own limit in `[limits]`.
    pub request_body_limit: usize,
    /// Folder for attachments and other files of the gateway.
    pub data_dir: String,
    /// Sites that may embed the chat window by `/widget.js`; `*` allows every site.
    pub embed_origins: Vec<String>,
    /// Whether `/metrics` answers to anybody; otherwise it wants an administrator's token.
    pub metrics_public: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            trusted_proxies: Vec::new(),
            request_body_limit: 64 * 1024,
            data_dir: "data".into(),
            embed_origins: Vec::new(),
            metrics_public: false,
        }
    }
}

/// `[database]`: SQLite embedded, or PostgreSQL for several gateways at once.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite://data/zhitong.db` or `postgres://user:password@host/database`.
    pub url: String,
    /// The same, read from a file (it holds a password).
    pub url_file: Option<String>,
    /// Connections: those that read on SQLite (8 when absent), all of them on PostgreSQL (16 when absent).
    pub max_connections: Option<u32>,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: "sqlite://data/zhitong.db".into(), url_file: None, max_connections: None }
    }
}

/// `[content]`: the folders that administrators edit.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentConfig {
    /// Folder of the rule files.
    pub rules_dir: String,
    /// Folder of the prompts.
    pub prompts_dir: String,
    /// How often the folders are looked at for changes, in milliseconds.
    pub poll_ms: u64,
}

impl Default for ContentConfig {
    fn default() -> Self {
        Self { rules_dir: "rules".into(), prompts_dir: "prompts".into(), poll_ms: 1_000 }
    }
}

/// `[time]`: the zone in which days are counted, and office hours.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeConfig {
    /// IANA zone name; every civil date is computed in it.
    pub zone: String,
    /// Sessions of a working day, `HH:MM-HH:MM`, in order.
    pub business_hours: Vec<String>,
    /// Other sessions for a part of the year (summer hours).
    pub seasons: Vec<HoursSeason>,
}

/// Office hours of a part of the year.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursSeason {
    /// First day, `MM-DD`.
    pub from: String,
    /// Last day, `MM-DD`.
    pub to: String,
    /// Sessions, `HH:MM-HH:MM`.
    pub business_hours: Vec<String>,
}

impl Default for TimeConfig {
    fn default() -> Self {
        Self {
            zone: "Asia/Shanghai".into(),
            business_hours: vec!["08:30-12:00".into(), "14:30-17:30".into()],
            seasons: Vec::new(),
        }
    }
}

/// `[sla]`: which policy of time limits applies.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlaConfig {
    /// A name from `rules/sla/`.
    pub policy: String,
}

impl Default for SlaConfig {
    fn default() -> Self {
        Self { policy: "fujian".into() }
    }
}

/// `[region]`: the government that runs this gateway; regional answers apply only there.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegionConfig {
    /// Administrative code (行政区划代码, GB/T 2260), six digits.
    pub code: String,
    /// Name shown to people.
    pub name: String,
}

impl Default for RegionConfig {
    fn default() -> Self {
        Self { code: "350000".into(), name: "福建省".into() }
    }
}

/// `[brand]`: product name and welcome words.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrandConfig {
    /// Product name on every page.
    pub name: String,
    /// Who runs it.
    pub operator: String,
    /// First words of the chat.
    pub welcome: String,
    /// Words of the privacy notice (个人信息保护法 17, 35).
    pub privacy: String,
}

impl Default for BrandConfig {
    fn default() -> Self {
        Self {
            name: "直通 · 政企直通车".into(),
            operator: "企业综合服务中心".into(),
            welcome: "您好，这里是政企直通车。有什么事直接说就行：能答的当场答并注明依据，要办的替您登记、转到主办单位、按工作日计时，全程可查。".into(),
            privacy: "为受理您的诉求，我们会记录对话内容、您填写的企业名称和联系方式，只用于办理、回访和统计，由承办单位在职责范围内使用；请不要发送涉密内容、身份证或银行卡照片。您可以要求查阅、更正或删除您的个人信息。".into(),
        }
    }
}

/// `[chat]`: the talk with enterprises.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChatConfig {
    /// Longest message in characters.
    pub max_message_chars: usize,
    /// Largest attachment in bytes.
    pub max_upload_bytes: usize,
    /// A conversation without a message for this many hours is closed; 0: never.
    pub idle_close_hours: u32,
    /// Key with which an embedding site vouches for its user (hex HMAC-SHA256 over `user_id`); empty: no identity is
    /// believed.
    pub identity_secret: SecretString,
    /// File that holds the key.
    pub identity_secret_file: Option<String>,
}

impl Default for ChatConfig {
    fn default() -> Self {
        Self {
            max_message_chars: 4_000,
            max_upload_bytes: 20 * 1024 * 1024,
            idle_close_hours: 72,
            identity_secret: SecretString::default(),
            identity_secret_file: None,
        }
    }
}

/// `[limits]`: rates per sender.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Messages of one conversation per minute.
    pub messages_per_minute: u32,
    /// Messages of one WeChat user per minute, the platform's repeats included.
    pub wechat_messages_per_minute: u32,
    /// New conversations of one address per minute.
    pub sessions_per_minute: u32,
    /// Look-ups of a case by number and code, per address and minute.
    pub track_per_minute: u32,
    /// Failed logins of one account within 15 minutes before it waits.
    pub login_failures_per_account: u32,
    /// Failed logins of one address within 15 minutes before it waits.
    pub login_failures_per_address: u32,
    /// Open connections of one address.
    pub connections_per_address: usize,
    /// Open connections in all.
    pub connections: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            messages_per_minute: 30,
            wechat_messages_per_minute: 6_000,
            sessions_per_minute: 30,
            track_per_minute: 30,
            login_failures_per_account: 5,
            login_failures_per_address: 20,
            connections_per_address: 200,
            connections: 10_000,
        }
    }
}

/// `[retention]`: how long what is not a case is kept, and when cases count as past their term.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Days after which a closed conversation without a case goes, with its files (DOMAIN 9 no. 1).
    pub conversation_days: u32,
    /// Days for which ended logins, login attempts and ended tokens are kept; the law asks for six months.
    pub log_days: u32,
    /// Years after closing at which a case counts as past its term. It is counted, never deleted.
    pub case_years: u32,
    /// The same for complaints about conduct and reports.
    pub conduct_years: u32,
    /// Count only, delete nothing (also for the time of a legal hold).
    pub dry_run: bool,
}

/// Days of the longest six months: so long logs and the journal of the model are kept at least (网络安全法).
pub const SIX_MONTHS: u32 = 184;

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { conversation_days: 90, log_days: SIX_MONTHS, case_years: 5, conduct_years: 10, dry_run: false }
    }
}

/// `[log]`: format and level.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `json` (one record a line) or `text`.
    pub format: LogFormat,
    /// A tracing filter, e.g. `info` or `zhitong=debug,info`.
    pub filter: String,
}

/// How a log record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For reading in a terminal.
    Text,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info,sqlx=warn".into() }
    }
}
