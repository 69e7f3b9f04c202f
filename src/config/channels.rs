//! The sections about other systems: WeChat accounts, webhooks.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;

/// `[wechat]`: accounts by kind and name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WechatConfig {
    /// 公众号 by name: `/wechat/oa/{name}`.
    pub oa: BTreeMap<String, WechatOa>,
    /// 企业微信 applications by name: `/wechat/work/{name}`.
    pub work: BTreeMap<String, WechatWork>,
    /// 微信客服 accounts by name: `/wechat/kf/{name}`.
    pub kf: BTreeMap<String, WechatKf>,
}

impl WechatConfig {
    /// Whether no account is configured.
    pub fn is_empty(&self) -> bool {
        self.oa.is_empty() && self.work.is_empty() && self.kf.is_empty()
    }
}

/// `[wechat.oa.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WechatOa {
    /// AppID.
    pub app_id: String,
    /// AppSecret.
    pub app_secret: SecretString,
    /// File that holds the AppSecret.
    pub app_secret_file: Option<String>,
    /// Token of the callback.
    pub token: SecretString,
    /// File that holds the token.
    pub token_file: Option<String>,
    /// EncodingAESKey, 43 characters.
    pub encoding_aes_key: SecretString,
    /// File that holds the EncodingAESKey.
    pub encoding_aes_key_file: Option<String>,
    /// The key before the last change, still accepted.
    pub previous_aes_key: SecretString,
    /// File that holds the previous key.
    pub previous_aes_key_file: Option<String>,
    /// Last day on which the previous key is accepted, `YYYY-MM-DD`; nothing: as long as it stands here.
    pub previous_aes_key_until: Option<String>,
    /// `auto`, `plain` or `safe`.
    pub mode: String,
    /// First words to a new follower; empty: the welcome of `[brand]`.
    pub greeting: String,
    /// What a menu key stands for: key → words, as if the user had typed them.
    pub clicks: BTreeMap<String, String>,
    /// Milliseconds in which a passive reply must be ready; the platform waits 5000.
    pub passive_budget_ms: Option<u64>,
    /// Notices of milestones by name (see [`WechatNotice::MILESTONES`]), sent when the account may not write otherwise.
    pub notices: BTreeMap<String, WechatNotice>,
    /// Whether people may log in on the web with WeChat's OAuth: verified service accounts only.
    pub oauth: bool,
    /// `snsapi_base` (the default: no question to the user) or `snsapi_userinfo` (asks, and tells the unionid).
    pub oauth_scope: String,
    /// Host of the platform.
    pub api_base: Option<String>,
}

/// `[wechat.oa.NAME.notices.MILESTONE]`: a 模板消息 or 订阅通知.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WechatNotice {
    /// Id of the template in the account.
    pub template_id: String,
    /// `template` (模板消息, the default) or `subscription` (订阅通知).
    pub kind: String,
    /// The template's field → words with `{number} {title} {status} {text} {due} {unit} {time}`.
    pub fields: BTreeMap<String, String>,
}

impl WechatNotice {
    /// Milestones of a case with the messages they stand for.
    pub const MILESTONES: [(&'static str, &'static [&'static str]); 5] = [
        ("accepted", &["case_accepted"]),
        ("dispatched", &["case_dispatched"]),
        ("answered", &["reply_released", "answered_on_spot"]),
        ("confirm", &["please_confirm"]),
        ("due_changed", &["extension_granted", "clock_paused", "clock_resumed", "due_recomputed"]),
    ];
    /// What may stand in a field.
    pub const PLACES: [&'static str; 7] = ["{number}", "{title}", "{status}", "{text}", "{due}", "{unit}", "{time}"];

    /// Whether it is a 订阅通知.
    pub fn is_subscription(&self) -> bool {
        self.kind == "subscription"
    }
}

impl WechatOa {
    /// The notice of a case's message.
    pub fn notice_of(&self, message: &str) -> Option<&WechatNotice> {
        let mut milestones = WechatNotice::MILESTONES.iter().filter(|(_, messages)| messages.contains(&message));
        milestones.find_map(|(name, _)| self.notices.get(*name))
    }

    /// What OAuth asks the user for.
    pub fn scope(&self) -> &str {
        if self.oauth_scope.is_empty() { "snsapi_base" } else { &self.oauth_scope }
    }

    /// Whether messages under the previous key are still taken on this day.
    pub fn accepts_previous_key(&self, today: jiff::civil::Date) -> bool {
        let until = self.previous_aes_key_until.as_deref();
        until.is_none_or(|until| until.parse().is_ok_and(|until: jiff::civil::Date| today <= until))
    }
}

/// What the platform shows as a number may be written as one.
fn number_or_text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    Ok(match Either::deserialize(from)? {
        Either::Number(number) => number.to_string(),
        Either::Text(text) => text,
    })
}

/// `[wechat.work.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WechatWork {
    /// CorpID.
    pub corp_id: String,
    /// AgentId; as a number or in quotes.
    #[serde(deserialize_with = "number_or_text")]
    pub agent_id: String,
    /// Secret of the application.
    pub secret: SecretString,
    /// File that holds the secret.
    pub secret_file: Option<String>,
    /// Token of the callback.
    pub token: SecretString,
    /// File that holds the token.
    pub token_file: Option<String>,
    /// EncodingAESKey, 43 characters.
    pub encoding_aes_key: SecretString,
    /// File that holds the EncodingAESKey.
    pub encoding_aes_key_file: Option<String>,
    /// The key before the last change, still accepted as long as it stands here.
    pub previous_aes_key: SecretString,
    /// File that holds the previous key.
    pub previous_aes_key_file: Option<String>,
    /// First words to a new member; empty: the welcome of `[brand]`.
    pub greeting: String,
    /// What a menu key stands for: key → words, as if the user had typed them.
    pub clicks: BTreeMap<String, String>,
    /// Milliseconds in which a passive reply must be ready; the platform waits 5000.
    pub passive_budget_ms: Option<u64>,
    /// Host of the platform.
    pub api_base: Option<String>,
}

/// `[wechat.kf.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WechatKf {
    /// CorpID.
    pub corp_id: String,
    /// Secret of 微信客服.
    pub secret: SecretString,
    /// File that holds the secret.
    pub secret_file: Option<String>,
    /// Token of the callback.
    pub token: SecretString,
    /// File that holds the token.
    pub token_file: Option<String>,
    /// EncodingAESKey, 43 characters.
    pub encoding_aes_key: SecretString,
    /// File that holds the EncodingAESKey.
    pub encoding_aes_key_file: Option<String>,
    /// The key before the last change, still accepted as long as it stands here.
    pub previous_aes_key: SecretString,
    /// File that holds the previous key.
    pub previous_aes_key_file: Option<String>,
    /// First words to whoever opens the chat; empty: the welcome of `[brand]`.
    pub greeting: String,
    /// The customer-service account.
    pub open_kfid: String,
    /// Who serves whoever asks for a person: `desk` (our own desk, the default), `pool` (接待池 of 微信客服) or
    /// `servicer` (one 接待人员).
    pub handover: String,
    /// UserID of the 接待人员 for `handover = "servicer"`.
    pub servicer: String,
    /// Host of the platform.
    pub api_base: Option<String>,
}

impl WechatKf {
    /// Whether people of the platform serve whoever asks for a person.
    pub fn hands_over(&self) -> bool {
        matches!(self.handover.as_str(), "pool" | "servicer")
    }
}

/// `[webhooks]`: signed events to other systems.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhooksConfig {
    /// `[[webhooks.outbound]]`: subscriptions.
    pub outbound: Vec<WebhookTarget>,
}

/// One subscription.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookTarget {
    /// Name in logs and lists.
    pub name: String,
    /// Address that receives `POST`s.
    pub url: String,
    /// Key of the HMAC-SHA256 signature.
    pub secret: SecretString,
    /// File that holds the key.
    pub secret_file: Option<String>,
    /// Event names, e.g. `case.accepted`; empty: every event.
    pub events: Vec<String>,
}
