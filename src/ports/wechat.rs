//! What WeChat's servers are asked to do, and what may be done after a refusal.
//!
//! Three kinds of accounts: 公众号 (`oa`), 企业微信 applications (`work`) and 微信客服 (`kf`).

use std::{fmt, str::FromStr};

/// A kind of account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WechatKind {
    /// 公众号.
    Oa,
    /// 企业微信 application.
    Work,
    /// 微信客服.
    Kf,
}

impl WechatKind {
    /// The word in addresses, configuration and database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oa => "oa",
            Self::Work => "work",
            Self::Kf => "kf",
        }
    }

    /// What people call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Oa => "公众号",
            Self::Work => "企业微信",
            Self::Kf => "微信客服",
        }
    }

    /// Hours after the user's last message in which the account may write; `None`: always.
    pub const fn window_hours(self) -> Option<i64> {
        match self {
            Self::Oa | Self::Kf => Some(48),
            Self::Work => None,
        }
    }

    /// Messages that the account may send after one of the user; `None`: as many as it likes.
    pub const fn allowance(self) -> Option<i64> {
        match self {
            Self::Oa | Self::Kf => Some(5),
            Self::Work => None,
        }
    }
}

impl FromStr for WechatKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "oa" => Ok(Self::Oa),
            "work" => Ok(Self::Work),
            "kf" => Ok(Self::Kf),
            _ => Err(()),
        }
    }
}

/// A configured account: kind and name. Written `wechat:oa:NAME` as a target of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WechatAccount {
    /// Its kind.
    pub kind: WechatKind,
    /// Its name in the configuration.
    pub name: String,
}

impl fmt::Display for WechatAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wechat:{}:{}", self.kind.as_str(), self.name)
    }
}

impl FromStr for WechatAccount {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, name) = text.strip_prefix("wechat:").and_then(|rest| rest.split_once(':')).ok_or(())?;
        Ok(Self { kind: kind.parse()?, name: name.to_owned() })
    }
}

/// A user of an account: openid, UserID or external_userid.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WechatAddress {
    /// The account that writes.
    pub account: WechatAccount,
    /// Whom it writes to.
    pub user: String,
}

/// What a file is to the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// PNG, JPEG or GIF.
    Image,
    /// AMR or MP3.
    Voice,
    /// MP4.
    Video,
    /// Anything else; not for 公众号.
    File,
}

impl MediaKind {
    /// The platform's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Voice => "voice",
            Self::Video => "video",
            Self::File => "file",
        }
    }
}

/// One entry of a menu message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuChoice {
    /// Comes back as `bizmsgmenuid` or `menu_id`.
    pub id: String,
    /// What is shown and sent.
    pub content: String,
}

/// A template or subscription message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateMessage {
    /// Id of the template in the console.
    pub template_id: String,
    /// Address opened by a tap.
    pub url: Option<String>,
    /// Values by the template's own field names.
    pub fields: Vec<(String, String)>,
}

/// One message as the platform counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Words, at most 2,048 bytes.
    Text(String),
    /// Words that the same user was told a moment ago: to be delivered nevertheless, so no double is dropped.
    TextAgain(String),
    /// Choices to tap.
    Menu {
        /// Words above.
        head: String,
        /// The choices.
        choices: Vec<MenuChoice>,
        /// Words below.
        tail: String,
    },
    /// An uploaded file.
    Media(MediaKind, String),
    /// 模板消息 of a verified service account.
    Template(TemplateMessage),
    /// 订阅通知: one per consent of the user.
    Subscription(TemplateMessage),
}

/// What may be done after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was sent; try again after a short pause.
    Retry,
    /// Nothing was sent; not before the next minute.
    NextMinute,
    /// Nothing was sent, and nothing will be before somebody has mended it: long pauses.
    Operator,
    /// Nothing was sent; not before the user has written again.
    Hold(Held),
    /// Nothing was sent and another attempt is useless.
    GiveUp,
    /// Nobody knows whether it was sent: to be repeated only where the platform drops doubles.
    Unknown,
}

/// Why a message waits for the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The 48 hours are over, or the user left.
    Window,
    /// The number of messages is used up.
    Allowance,
    /// The customer-service session has ended or is with somebody else.
    Session,
}

impl Held {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Allowance => "allowance",
            Self::Session => "session",
        }
    }

    /// The sentence for officers.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Window => "超过 48 小时没有收到对方消息（或对方已取消关注），等对方再发消息后自动发出",
            Self::Allowance => "对方最近一条消息之后可发的条数已用完，等对方再发消息后自动发出",
            Self::Session => "微信客服会话已结束或由他人接待，等对方再发消息后自动发出",
        }
    }
}

impl FromStr for Held {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "window" => Ok(Self::Window),
            "allowance" => Ok(Self::Allowance),
            "session" => Ok(Self::Session),
            _ => Err(()),
        }
    }
}

/// Why the platform did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WechatFailure {
    /// What may be done now.
    pub verdict: Verdict,
    /// Whether an administrator must be told.
    pub alarm: bool,
    /// The platform's `errcode`.
    pub code: Option<i64>,
    /// A short Chinese reason without secrets.
    pub reason: String,
}

/// A downloaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WechatMedia {
    /// Name given by the platform.
    pub name: Option<String>,
    /// Type given by the platform; not to be trusted.
    pub mime: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// Whom an OAuth code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthUser {
    /// The user's id at the account.
    pub openid: String,
    /// The user's id across the accounts of one subject, if the scope tells it.
    pub unionid: Option<String>,
    /// A virtual account of WeChat's snapshot pages: nobody in particular.
    pub snapshot: bool,
}

/// A page of 微信客服 messages.
#[derive(Debug, Clone, PartialEq)]
pub struct KfPage {
    /// Where the next page begins; to be stored after its messages.
    pub next_cursor: String,
    /// Whether to ask again, even when `messages` is empty.
    pub has_more: bool,
    /// The messages as the platform wrote them.
    pub messages: Vec<serde_json::Value>,
}

/// WeChat's servers.
#[async_trait::async_trait]
pub trait WechatApi: Send + Sync {
    /// Cuts words into pieces that the platform takes.
    fn cut(&self, text: &str) -> Vec<String>;

    /// As much of the words as fits into so many bytes: the first part of a cut.
    fn begin(&self, text: &str, most_bytes: usize) -> String;

    /// Sends one message. `once` names it for ever: where the platform can, it drops a double.
    async fn send(&self, to: &WechatAddress, piece: &Piece, once: &str) -> Result<(), WechatFailure>;

    /// Sends a notice ([`Piece::Template`], [`Piece::Subscription`]); gives the platform's number of it, by which it
    /// tells later whether it arrived.
    async fn notify(&self, to: &WechatAddress, notice: &Piece, once: &str) -> Result<Option<String>, WechatFailure>;

    /// Whether a double of this message would be dropped by the platform, so that it may be repeated blindly.
    fn drops_doubles(&self, account: &WechatAccount, piece: &Piece) -> bool;

    /// How the platform calls the message that was sent with this `once`, where it names messages (`fail_msgid`).
    fn name_of(&self, once: &str) -> String;

    /// Shows or hides 对方正在输入; only 公众号 has it, elsewhere nothing happens.
    async fn typing(&self, to: &WechatAddress, on: bool) -> Result<(), WechatFailure>;

    /// Stores a file for three days; gives its `media_id`.
    async fn upload(
        &self,
        account: &WechatAccount,
        kind: MediaKind,
        name: &str,
        bytes: &[u8],
    ) -> Result<String, WechatFailure>;

    /// Fetches a file that a user sent.
    async fn download(&self, account: &WechatAccount, media_id: &str) -> Result<WechatMedia, WechatFailure>;

    /// Messages of a 微信客服 account after a cursor; `token` comes with the callback.
    async fn kf_sync(&self, account: &WechatAccount, cursor: &str, token: &str) -> Result<KfPage, WechatFailure>;

    /// State of a 微信客服 session: 0 new, 1 bot, 2 waiting, 3 with a person, 4 ended.
    async fn kf_state(&self, to: &WechatAddress) -> Result<i64, WechatFailure>;

    /// Moves a 微信客服 session to another state; `servicer` for state 3. Gives the code under which one message may
    /// still be said ([`WechatApi::kf_on_event`]).
    async fn kf_move(
        &self,
        to: &WechatAddress,
        state: i64,
        servicer: Option<&str>,
    ) -> Result<Option<String>, WechatFailure>;

    /// Answers an event of 微信客服 within its 20 seconds (welcome, end of session).
    async fn kf_on_event(&self, account: &WechatAccount, code: &str, text: &str) -> Result<(), WechatFailure>;

    /// Exchanges a code of 公众号 OAuth; a code counts once.
    async fn oauth(&self, account: &WechatAccount, code: &str) -> Result<OauthUser, WechatFailure>;

    /// The id of a follower across the accounts of one subject, if the platform tells it; only 公众号 is asked.
    async fn union_id(&self, to: &WechatAddress) -> Result<Option<String>, WechatFailure>;

    /// What a QR code of 公众号 says that carries this scene to the account for so many seconds.
    async fn qr_scene(&self, account: &WechatAccount, scene: &str, seconds: i64) -> Result<String, WechatFailure>;
}
