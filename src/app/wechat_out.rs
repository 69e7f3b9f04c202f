//! What goes out to WeChat users: which messages, in which words, and whether the platform lets us write now.
//!
//! Every message that bot, officer or system writes into the conversation of a WeChat user is handed over in the
//! transaction that stores it; what a passive reply carried is taken out again before the reply leaves. The job sends
//! the rest. The platform's limits are counted here, so that nothing is tried that is known to fail.

mod limits;
mod notice;
mod outcome;

use jiff::{SignedDuration, Timestamp};
pub use limits::{Limits, limits_of_conversation};
pub use outcome::{alarm_reading, delivered, failed, hold, noticed, progressed, refused_notice};
use serde::Deserialize;

use super::{
    App, AppError, attachments, full_text,
    message::{Message, MessageBody},
    wechat::{channel, render},
};
pub use crate::store::outbox::OutboxRow;
use crate::{
    domain::ids::{AttachmentId, ConversationId},
    ports::wechat::{Held, MediaKind, MenuChoice, Piece, WechatAccount, WechatAddress, WechatApi, WechatKind},
    store::{
        Tx,
        conversations::{self, MessageRow},
        wechat::{self, WechatUser},
        wechat_out::{self as store, ToDeliver},
    },
};

/// How long a word on the web page makes it the place of the answers, whether the page is open still or not.
const ON_THE_WEB: SignedDuration = SignedDuration::from_mins(10);
/// Time in which 企业微信 might take equal words for a double; longer than it is told.
const EQUAL_WORDS: SignedDuration = SignedDuration::from_secs(150);
/// Choices of a menu, and bytes of one of them, that the platforms take.
const MOST_CHOICES: usize = 10;
const MOST_CHOICE_BYTES: usize = 128;
/// Messages left below which the small talk of the system (who took over, who left) is not worth one.
const SPARE: i64 = 3;
/// Largest voice and video that the platforms take.
const MOST_VOICE_BYTES: i64 = 2 * 1024 * 1024;
const MOST_VIDEO_BYTES: i64 = 10 * 1024 * 1024;

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Words, to be cut into pieces.
    Words(String),
    /// Words with something to choose, to be tapped where the platform has menus.
    Choices {
        /// The words alone.
        words: String,
        /// What may be chosen.
        choices: Vec<MenuChoice>,
        /// Words and choices in numbers.
        numbered: String,
    },
    /// A file to be uploaded first.
    File {
        /// What it is to the platform.
        kind: MediaKind,
        /// Its name.
        name: String,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// A template or subscription notice instead of words that may not be sent now.
    Notice(Piece),
}

/// A message ready to be sent.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its entry.
    pub row: OutboxRow,
    /// Whom it goes to.
    pub to: WechatAddress,
    /// The conversation.
    pub conversation: ConversationId,
    /// Number of the message.
    pub seq: i64,
    /// What it says.
    pub content: Content,
    /// Whether the same words were sent a moment ago: no platform may take them for a double.
    pub again: bool,
    /// What the platform allows now.
    pub limits: Limits,
    user: WechatUser,
}

impl Delivery {
    /// Pieces that may still be sent for it; `None`: as many as there are. What follows a passive reply leaves one for
    /// an officer.
    pub fn room(&self) -> Option<i64> {
        let reserve = i64::from(self.row.event == wechat::EVENT_TEXT);
        self.limits.left.map(|left| if left > 1 { left - reserve } else { left })
    }
}

/// The address of the whole message, for the end of the last piece; `None` without a public address of the gateway.
///
/// # Errors
/// `Store`.
pub async fn link(app: &App, delivery: &Delivery) -> Result<Option<String>, AppError> {
    full_text::link(app, delivery.conversation, delivery.seq).await
}

/// What is to be done with a claimed entry.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Send it.
    Send(Box<Delivery>),
    /// Wait for the user.
    Hold(Box<Delivery>, Held),
    /// It is not worth a message any more.
    Drop,
    /// It can never be sent, for this reason in Chinese.
    Never(&'static str),
}

/// The payload of an entry.
#[derive(Debug, Deserialize)]
struct Payload {
    conversation_id: String,
    seq: i64,
    /// Words instead of the stored message's.
    #[serde(default)]
    text: Option<String>,
}

/// Hands new messages over in the transaction that stores them; wake `app.wake.wechat` after the commit. Where no WeChat
/// account is configured it costs nothing.
///
/// # Errors
/// `Store`.
pub async fn deliver(tx: &mut Tx, app: &App, messages: &[MessageRow], now: Timestamp) -> Result<(), AppError> {
    if app.config.wechat.is_empty() {
        return Ok(());
    }
    let ours: Vec<ToDeliver<'_>> = messages
        .iter()
        .filter(|message| message.sender != "visitor")
        .map(|m| ToDeliver { id: &m.id, conversation: &m.conversation_id, seq: m.seq, about_case: is_about_a_case(m) })
        .collect();
    store::deliver(tx, &ours, now).await?;
    Ok(())
}

/// Claims what is due, after letting go what was held for users who have written since.
///
/// # Errors
/// `Store`.
pub async fn claim(app: &App, lease: SignedDuration, limit: i64) -> Result<Vec<OutboxRow>, AppError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    store::release(&mut tx, now).await?;
    let rows = store::claim(&mut tx, now, now.saturating_add(lease).unwrap_or(now), limit).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Gives back what a process before this one had claimed. Only SQLite is certain to have no second process.
///
/// # Errors
/// `Store`.
pub async fn take_up(app: &App) -> Result<(), AppError> {
    if app.db.file().is_some() {
        let mut tx = app.db.write().await?;
        store::end_leases(&mut tx, app.now()).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Decides what to do with a claimed entry.
///
/// # Errors
/// `Store`, `Internal` (the file cannot be read).
pub async fn plan(app: &App, row: OutboxRow) -> Result<Plan, AppError> {
    let Ok(payload) = serde_json::from_str::<Payload>(&row.payload) else {
        return Ok(Plan::Never("待发记录读不出来"));
    };
    let Ok(conversation) = payload.conversation_id.parse::<ConversationId>() else {
        return Ok(Plan::Never("待发记录读不出来"));
    };
    // What was written before two conversations were joined goes out where the person speaks now.
    let home = row.key.get(..36).and_then(|id| id.parse::<ConversationId>().ok()).unwrap_or(conversation);
    let (user, row_of, message) = {
        let mut tx = app.db.read().await?;
        let user = wechat::of_conversation(&mut tx, home).await?.into_iter().next();
        let row_of = conversations::find(&mut tx, home).await?;
        let found = conversations::messages_after(&mut tx, conversation, payload.seq - 1, 1).await?;
        (user, row_of, found.into_iter().find(|message| message.seq == payload.seq))
    };
    if let (Some(message), None) = (&message, &payload.text)
        && !is_about_a_case(message)
    {
        let mut tx = app.db.read().await?;
        if stays_on_the_web(&mut tx, app, home).await? {
            return Ok(Plan::Drop);
        }
    }
    let Some(mut user) = user else { return Ok(Plan::Never("找不到对应的微信用户")) };
    let Ok(kind) = user.channel.parse::<WechatKind>() else { return Ok(Plan::Never("不认识的微信渠道")) };
    let spoke_here = row_of.filter(|row| row.channel == channel(kind).as_str()).and_then(|row| row.visitor_at);
    if let Some(wrote_at) = spoke_here.filter(|at| *at > user.last_action_at().unwrap_or(0)) {
        // Stored and never counted: the process died in between.
        let mut tx = app.db.write().await?;
        store::catch_up(&mut tx, &user, wrote_at).await?;
        tx.commit().await?;
        user.last_inbound_at = Some(wrote_at);
        user.sent_since_inbound = 0;
    }
    let limits = Limits::of(kind, &user, app.now());
    let body = MessageBody::from_column(message.as_ref().and_then(|message| message.body.as_deref()));
    let content = match (payload.text, &message) {
        (Some(text), _) => Content::Words(text),
        (None, Some(message)) if is_small_talk(message) && !limits.is_roomy(SPARE) => return Ok(Plan::Drop),
        (None, Some(message)) => match &body.attachment {
            Some(file) => file_content(app, conversation, payload.seq, kind, file).await?,
            None => words_of(app, kind, &user.account, Message::new(app, message.clone(), body.clone())),
        },
        (None, None) => return Ok(Plan::Drop),
    };
    if matches!(&content, Content::Words(words) if words.trim().is_empty()) {
        return Ok(Plan::Drop);
    }
    let account = WechatAccount { kind, name: user.account.clone() };
    let mut held = limits.held();
    if held.is_none() && row.event == wechat::EVENT_CASE {
        // It did not wait for what is held before it; as words it does.
        let mut tx = app.db.read().await?;
        held = store::held_before(&mut tx, &row).await?.then_some(Held::Window);
    }
    let mut content = content;
    if let (Some(_), Some(message), 0) = (held, &message, row.progress)
        && user.subscribed
        && let Some(notice) = notice::of(app, &account, message).await?
    {
        content = Content::Notice(notice);
        held = None;
    }
    let again = if let (Content::Words(_), Some(message), WechatKind::Work) = (&content, &message, kind) {
        let now = app.now();
        let since = now.saturating_sub(EQUAL_WORDS).unwrap_or(now);
        let mut tx = app.db.read().await?;
        store::said_since(&mut tx, conversation, message.seq, &message.text, since).await?
    } else {
        false
    };
    let to = WechatAddress { account, user: user.openid.clone() };
    let delivery = Box::new(Delivery { row, to, conversation, seq: payload.seq, content, again, limits, user });
    Ok(match held {
        Some(why) => Plan::Hold(delivery, why),
        None => Plan::Send(delivery),
    })
}

/// The words of a message; what it offers is tapped where the platform has menus.
fn words_of(app: &App, kind: WechatKind, account: &str, message: Message) -> Content {
    let numbered = render::message(&message);
    let fits = |label: &str| !label.is_empty() && label.len() <= MOST_CHOICE_BYTES;
    let menus = matches!(kind, WechatKind::Oa | WechatKind::Kf)
        && (1..=MOST_CHOICES).contains(&message.quick_replies.len())
        && message.quick_replies.iter().all(|button| fits(&button.label))
        && !app.wechat.is_without_menus(account);
    if !menus {
        return Content::Words(numbered);
    }
    let seq = message.seq;
    let choices = message.quick_replies.iter().enumerate();
    let choices = choices
        .map(|(n, button)| MenuChoice { id: format!("{seq}.{}", n + 1), content: button.label.clone() })
        .collect();
    Content::Choices { words: render::words(&[message]), choices, numbered }
}

/// What the platform gets instead of words that it has just refused for its own reasons of time and number: the notice
/// of the milestone, if there is one.
///
/// # Errors
/// `Store`.
pub async fn notice_instead(app: &App, delivery: &Delivery) -> Result<Option<Piece>, AppError> {
    if delivery.row.event != wechat::EVENT_CASE || delivery.row.progress > 0 || !delivery.user.subscribed {
        return Ok(None);
    }
    let found = {
        let mut tx = app.db.read().await?;
        conversations::messages_after(&mut tx, delivery.conversation, delivery.seq - 1, 1).await?
    };
    match found.into_iter().find(|message| message.seq == delivery.seq) {
        Some(message) => notice::of(app, &delivery.to.account, &message).await,
        None => Ok(None),
    }
}

/// What the system says about the conversation itself, as against news of a case.
fn is_small_talk(message: &MessageRow) -> bool {
    message.kind == "event" && !is_about_a_case(message)
}

/// News of a case: it goes to WeChat wherever the person spoke last, for it may come days later.
fn is_about_a_case(message: &MessageRow) -> bool {
    message.body.as_deref().is_some_and(|body| body.contains("\"case\""))
}

/// Whether the person of a joined conversation spoke on the web last and is there still (its page is open, or the word
/// is a few minutes old): answers are shown there, and WeChat stays silent.
///
/// # Errors
/// `Store`.
pub async fn stays_on_the_web(tx: &mut Tx, app: &App, conversation: ConversationId) -> Result<bool, AppError> {
    let row = conversations::find(tx, conversation).await?;
    if row.is_none_or(|row| row.channel.starts_with("wechat")) {
        return Ok(false);
    }
    let Some((client_id, at)) = store::last_said(tx, conversation).await? else { return Ok(false) };
    if client_id.is_some_and(|id| id.starts_with("wx-")) {
        return Ok(false);
    }
    let since = app.now().saturating_sub(ON_THE_WEB).map_or(0, Timestamp::as_millisecond);
    Ok(app.hub.is_followed(conversation) || at > since)
}

async fn file_content(
    app: &App,
    conversation: ConversationId,
    seq: i64,
    account: WechatKind,
    file: &super::message::FileInfo,
) -> Result<Content, AppError> {
    let kind = match (file.mime.as_str(), account) {
        ("image/png" | "image/jpeg" | "image/gif", _) => MediaKind::Image,
        ("audio/amr", _) | ("audio/mpeg", WechatKind::Oa) if file.size <= MOST_VOICE_BYTES => MediaKind::Voice,
        // A video of 公众号 needs a picture of its own beside it.
        ("video/mp4", WechatKind::Work | WechatKind::Kf) if file.size <= MOST_VIDEO_BYTES => MediaKind::Video,
        _ => MediaKind::File,
    };
    if account == WechatKind::Oa && kind == MediaKind::File {
        // The platform takes no documents here.
        let words = match full_text::link(app, conversation, seq).await? {
            Some(link) => format!("工作人员发来文件《{}》，请在这里打开：{link}", file.name),
            None => format!(
                "工作人员发来文件《{}》。公众号里收不了这类文件，请回复您的邮箱，或者联系工作人员换一种方式给您",
                file.name
            ),
        };
        return Ok(Content::Words(words));
    }
    let id: AttachmentId = file.id.parse().map_err(|_| AppError::NotFound)?;
    let mut download = attachments::open(app, conversation, id).await?;
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut download.file, &mut bytes)
        .await
        .map_err(|error| AppError::Internal(format!("attachment read: {error}")))?;
    Ok(Content::File { kind, name: file.name.clone(), bytes })
}

/// Notes that 微信客服 took a message and then could not deliver it (`msg_send_fail`): officers see it, and it can be
/// sent again. `fail_type` is the platform's number. `false` when no message of ours has this name.
///
/// # Errors
/// `Store`.
pub async fn bounced(
    app: &App,
    api: &dyn WechatApi,
    to: &WechatAddress,
    name: &str,
    fail_type: i64,
) -> Result<bool, AppError> {
    let held = match fail_type {
        4 => Some(Held::Window),
        6 => Some(Held::Allowance),
        _ => None,
    };
    let reason = match fail_type {
        1 => "客服账号已被删除",
        2 => "应用已关闭",
        4 => "会话已超过 48 小时，等对方再发消息后自动发出",
        5 => "会话已经结束",
        6 => "超过 5 条消息的限额，等对方再发消息后自动发出",
        7..=9 => "主体没有完成认证",
        10 => "对方拒收消息",
        _ => "平台没有说明原因",
    };
    let mut tx = app.db.read().await?;
    let user = wechat::find(&mut tx, to.account.kind.as_str(), &to.account.name, &to.user).await?;
    let Some(user) = user else { return Ok(false) };
    let Ok(conversation) = user.conversation_id.parse::<ConversationId>() else { return Ok(false) };
    let rows = store::sent_lately(&mut tx, conversation).await?;
    drop(tx);
    let piece = |row: &OutboxRow| (0..=row.progress).find(|n| api.name_of(&once(row, *n)) == name);
    let Some((row, piece)) = rows.iter().find_map(|row| Some((row, piece(row)?))) else { return Ok(false) };
    let held = held.map(|why| (why.as_str(), user.last_action_at().unwrap_or(0)));
    let mut tx = app.db.write().await?;
    let done = store::bounced(&mut tx, &row.id, piece, reason, held, app.now()).await?;
    tx.commit().await?;
    if done {
        outcome::tell_desks(app, conversation);
    }
    Ok(done)
}

/// The name of a piece of a message, for ever the same; another one after the platform could not deliver it.
pub fn once(row: &OutboxRow, piece: i64) -> String {
    if row.bounces == 0 { format!("{}:{piece}", row.id) } else { format!("{}:{piece}:{}", row.id, row.bounces) }
}

/// Notes what the platform says about a notice that it had taken: one that did not arrive leaves its words waiting for
/// the user.
///
/// # Errors
/// `Store`.
pub async fn notice_ended(app: &App, to: &WechatAddress, notice: &str, status: &str) -> Result<bool, AppError> {
    if notice.is_empty() || status.eq_ignore_ascii_case("success") || status == "0" {
        return Ok(false);
    }
    let mut tx = app.db.write().await?;
    let user = wechat::find(&mut tx, to.account.kind.as_str(), &to.account.name, &to.user).await?;
    let Some(user) = user else {
        tx.rollback().await?;
        return Ok(false);
    };
    let reason = if status.contains("user block") { "对方拒收" } else { "平台没有送达" };
    let words = format!("通知没有送达：{reason}；等对方再发消息后自动发出");
    let after = user.last_action_at().unwrap_or(0);
    let done = store::notice_failed(&mut tx, &user.conversation_id, notice, &words, after).await?;
    tx.commit().await?;
    if let Ok(conversation) = user.conversation_id.parse()
        && done
    {
        outcome::tell_desks(app, conversation);
    }
    Ok(done)
}

/// How a message that did not arrive yet stands, for officers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Number of the message.
    pub seq: i64,
    /// `waiting`, `held` or `failed`.
    pub state: &'static str,
    /// In Chinese.
    pub words: String,
}

/// How the messages of a conversation stand that did not arrive yet.
///
/// # Errors
/// `Store`.
pub async fn standings(tx: &mut Tx, conversation: ConversationId) -> Result<Vec<Standing>, AppError> {
    let rows = store::undelivered(tx, conversation).await?;
    let here = conversation.to_string();
    Ok(rows.iter().filter_map(|row| standing(row, &here)).collect())
}

fn standing(row: &OutboxRow, conversation: &str) -> Option<Standing> {
    let payload: Payload = serde_json::from_str(&row.payload).ok()?;
    if payload.conversation_id != conversation {
        return None;
    }
    let part = if row.progress > 0 { format!("（已发出前 {} 段）", row.progress) } else { String::new() };
    let reason = row.last_error.as_deref();
    let (state, words) = match (row.state.as_str(), row.held.as_deref()) {
        ("dead", _) => ("failed", format!("没有送达{part}：{}", reason.unwrap_or("原因不明"))),
        (_, Some(_)) => ("held", format!("还没有送达{part}：{}", reason.unwrap_or("等对方再发消息"))),
        (_, None) => match reason {
            Some(reason) => ("waiting", format!("正在重试{part}：{reason}")),
            None => ("waiting", format!("正在发送到微信{part}")),
        },
    };
    Some(Standing { seq: payload.seq, state, words })
}
