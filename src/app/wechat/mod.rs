//! What WeChat users do, handed to the same exchange as the web, and the passive reply to it.
//!
//! A message becomes durable, decided and answered once, however often the platform sends it: its key is the
//! `client_id` of the conversation, so a repeat joins the running decision and gets its answer. If the answer is not
//! there within the budget, nothing is said and the answer leaves through the outbox, where every reply to a WeChat
//! message waits until the platform's tries are over.
//!
//! Invariants: what a passive reply carries is taken out of the outbox before it leaves; nothing is answered that is
//! not stored; an event without a turn changes nothing on its repeat.

mod files;
mod fresh;
mod join;
mod kf;
mod passive;
mod people;
pub mod render;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

pub use files::take_up;
pub use fresh::check_fresh;
pub use join::{Code, code};
pub use kf::{due as kf_due, fetch as kf_fetch};
pub use people::who;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use self::people::Person;
use super::{
    App, AppError,
    exchange::{self, Answer, Sent, Shown},
};
use crate::{
    domain::{dialogue::Input, dialogue::InputKind, kinds::Channel},
    ports::{
        push::{Push, What},
        wechat::{WechatAccount, WechatApi, WechatKind},
    },
    store::wechat::{self as store, Inbound, Rest},
};

/// The platform waits five seconds; what is ready by then goes out with the answer.
const BUDGET: Duration = Duration::from_secs(4);
/// By then the platform has hung up: what is stored no earlier is told to its next try.
const HANGS_UP: Duration = Duration::from_secs(2);
/// How long after a message the platform may still ask for its reply: three tries of five seconds.
pub(super) const TRIES_OVER: jiff::SignedDuration = jiff::SignedDuration::from_secs(16);
/// What does not fit into the passive reply comes this much later.
const BEHIND: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);
/// Further messages after a passive reply; the platform allows five, one of them is left for an officer.
const MOST_PARTS: usize = 4;
/// Pause before a message that could not be taken is tried again.
const PAUSE: Duration = Duration::from_millis(150);

const BUSY: &str = "现在发消息的人较多，这条没有收到，请过一会儿再发一次。";
const TOO_FAST: &str = "您发得太快了，请稍等一会儿再发。";
const TOO_LONG: &str = "这条消息太长了，请分成几条发。";
const NO_WORDS: &str = "没有听清这段语音，请用文字再说一次。";
const NO_FILE: &str = "这个文件暂时取不到，请用文字说说是什么事，或者在网页上传。";
const NOT_SHOWN: &str = "这种消息暂时看不到内容，请用文字说说是什么事。";

/// What is remembered of WeChat in memory.
#[derive(Default)]
pub struct Wechat {
    api: OnceLock<Arc<dyn WechatApi>>,
    fresh: fresh::Seen,
    people: people::Known,
    passive: passive::Marks,
    kf: kf::Due,
}

impl Wechat {
    /// Connects the gateway with the platform's servers; once, at its start.
    pub fn connect(&self, api: Arc<dyn WechatApi>) {
        let _ = self.api.set(api);
    }

    fn api(&self) -> Option<Arc<dyn WechatApi>> {
        self.api.get().cloned()
    }
}

/// What the platform gets back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `success`: nothing is shown.
    Nothing,
    /// Words that fit into one message.
    Words(String),
}

/// Cuts words into parts that fit into one message each.
pub type Cut = fn(&str) -> Vec<String>;

/// The channel of a kind of account.
pub const fn channel(kind: WechatKind) -> Channel {
    match kind {
        WechatKind::Oa => Channel::WechatOa,
        WechatKind::Work => Channel::WechatWork,
        WechatKind::Kf => Channel::WechatKf,
    }
}

/// Takes what a user did and gives the passive reply.
///
/// # Errors
/// `Store`, `Unavailable`: nothing was acknowledged, the platform's next try is welcome.
pub async fn receive(app: &App, account: &WechatAccount, push: &Push, cut: Cut) -> Result<Reply, AppError> {
    match &push.what {
        What::Text { content } if is_unshown(content) => Ok(Reply::Words(NOT_SHOWN.to_owned())),
        What::Text { content } => say(app, account, push, content, cut).await,
        What::Location { label, latitude, longitude } => {
            let place = if label.trim().is_empty() { format!("{latitude},{longitude}") } else { label.clone() };
            say(app, account, push, &format!("地点：{place}"), cut).await
        }
        What::Link { title, url, description } => {
            let words: Vec<&str> =
                [title.as_str(), description, url].into_iter().filter(|part| !part.trim().is_empty()).collect();
            say(app, account, push, &words.join("\n"), cut).await
        }
        What::Media { words: Some(words), .. } => say(app, account, push, words, cut).await,
        What::Media { kind, media_id, name, .. } => {
            let wanted =
                files::Wanted::new(account, &push.from, client_id(account, push), *kind, media_id, name.as_deref());
            let app_of_job = app.clone();
            answer(app, account, push, async move { files::take(&app_of_job, wanted).await }, cut).await
        }
        What::Click { key } => match entry(app, account, key) {
            Some(words) => say(app, account, push, &words, cut).await,
            None => Ok(Reply::Nothing),
        },
        What::Subscribe { scene } => {
            let person = people::person(app, account, &push.from).await?;
            people::follows(app, &person).await?;
            if let Some(scene) = scene
                && let Some(words) = join::scanned(app, account, &push.from, scene).await?
            {
                return Ok(Reply::Words(words.to_owned()));
            }
            Ok(Reply::Words(greeting(app, account)))
        }
        What::Unsubscribe => {
            people::forget(app, account, &push.from).await?;
            Ok(Reply::Nothing)
        }
        What::KfMessages { token, .. } => {
            kf_due(app, &account.name, token);
            Ok(Reply::Nothing)
        }
        What::Scan { scene } => {
            let joined = join::scanned(app, account, &push.from, scene).await?;
            Ok(joined.map_or(Reply::Nothing, |words| Reply::Words(words.to_owned())))
        }
        What::Enter | What::Other { .. } => Ok(Reply::Nothing),
    }
}

/// What a sticker or a kind that the platform does not forward arrives as.
fn is_unshown(content: &str) -> bool {
    content.starts_with("【收到不支持的消息类型") || content.starts_with("[收到不支持的消息类型")
}

fn greeting(app: &App, account: &WechatAccount) -> String {
    let config = &app.config.wechat;
    let own = match account.kind {
        WechatKind::Oa => config.oa.get(&account.name).map(|oa| oa.greeting.as_str()),
        WechatKind::Work => config.work.get(&account.name).map(|work| work.greeting.as_str()),
        WechatKind::Kf => None,
    };
    own.filter(|words| !words.trim().is_empty()).unwrap_or(&app.config.brand.welcome).to_owned()
}

/// The words behind a menu key: as configured, or the key itself when it is Chinese.
fn entry(app: &App, account: &WechatAccount, key: &str) -> Option<String> {
    let config = &app.config.wechat;
    let entries = match account.kind {
        WechatKind::Oa => config.oa.get(&account.name).map(|oa| &oa.clicks),
        WechatKind::Work => config.work.get(&account.name).map(|work| &work.clicks),
        WechatKind::Kf => None,
    };
    let words = entries.and_then(|entries| entries.get(key)).cloned();
    words.or_else(|| key.chars().any(|c| matches!(c, '\u{4E00}'..='\u{9FFF}')).then(|| key.to_owned()))
}

fn budget(app: &App, account: &WechatAccount) -> Duration {
    let config = &app.config.wechat;
    let own = match account.kind {
        WechatKind::Oa => config.oa.get(&account.name).and_then(|oa| oa.passive_budget_ms),
        WechatKind::Work => config.work.get(&account.name).and_then(|work| work.passive_budget_ms),
        WechatKind::Kf => None,
    };
    own.map_or(BUDGET, Duration::from_millis)
}

/// The key of a platform message as the id of the visitor's message.
fn client_id(account: &WechatAccount, push: &Push) -> String {
    let mut hash = hex::encode(Sha256::digest(format!("{account}|{}", push.key())));
    hash.truncate(40);
    format!("wx-{hash}")
}

/// Words into the conversation, the replies out of it.
async fn say(app: &App, account: &WechatAccount, push: &Push, words: &str, cut: Cut) -> Result<Reply, AppError> {
    let words: String = words.chars().filter(|c| *c != '\0').collect();
    if words.trim().is_empty() {
        return Ok(Reply::Nothing);
    }
    if exchange::check_text(app, &words).is_err() {
        return Ok(Reply::Words(TOO_LONG.to_owned()));
    }
    let (app_of_job, account_of_job, push_of_job) = (app.clone(), account.clone(), push.clone());
    let job = async move { decide(&app_of_job, &account_of_job, &push_of_job, &words).await };
    answer(app, account, push, job, cut).await
}

/// A decision that is not there within the budget: the answer goes out by itself, and the platform hears `success` as
/// soon as the message is stored. Until then it hears nothing: it hangs up, comes again, and its repeat joins.
async fn late(app: &App, mut job: JoinHandle<Result<Decided, AppError>>) -> Result<Reply, AppError> {
    let let_go = async |app: &App, decided: Decided| {
        if let Decided::Answered(person, answer) = decided {
            passive::let_go(app, &person, &answer).await;
        }
    };
    if let Ok(joined) = tokio::time::timeout(HANGS_UP, &mut job).await {
        let decided = joined.map_err(|_| AppError::Internal("a WeChat message ended without an answer".into()))??;
        if let Decided::Refused(words) = decided {
            return Ok(Reply::Words(words.to_owned()));
        }
        let_go(app, decided).await;
        return Ok(Reply::Nothing);
    }
    let app = app.clone();
    tokio::spawn(async move {
        if let Ok(Ok(decided)) = job.await {
            let_go(&app, decided).await;
        }
    });
    Err(AppError::Unavailable { code: "message_not_stored" })
}

/// Waits for the decision as long as the platform does and puts it into a passive reply.
async fn answer(
    app: &App,
    account: &WechatAccount,
    push: &Push,
    job: impl Future<Output = Result<Decided, AppError>> + Send + 'static,
    cut: Cut,
) -> Result<Reply, AppError> {
    // A task of its own: it comes to its end even when the platform has hung up.
    let mut job = tokio::spawn(job);
    let Ok(joined) = tokio::time::timeout(budget(app, account), &mut job).await else {
        return late(app, job).await;
    };
    let decided = joined.map_err(|_| AppError::Internal("a WeChat message ended without an answer".into()))??;
    let (person, answer) = match decided {
        Decided::Refused(words) => return Ok(Reply::Words(words.to_owned())),
        Decided::Silent => return Ok(Reply::Nothing),
        Decided::Answered(person, answer) => (person, answer),
    };
    let carried: Vec<i64> = answer.replies.iter().map(|reply| reply.seq).collect();
    let mut parts = cut(&render::replies(&answer.replies)).into_iter();
    let first = parts.next();
    let now = app.now();
    let rest: Vec<String> = parts.collect();
    let rest = (!rest.is_empty()).then(|| Rest {
        id: app.ids.uuid(now).to_string(),
        text: shortened(app, &rest),
        next_at: now.saturating_add(BEHIND).unwrap_or(now),
    });
    let inbound = Inbound {
        channel: account.kind.as_str(),
        account: account.name.clone(),
        openid: push.from.clone(),
        conversation: person.conversation.to_string(),
        at: now,
        opens_window: !answer.repeated,
        carried,
        rest,
    };
    passive::account(app, inbound).await?;
    Ok(first.map_or(Reply::Nothing, Reply::Words))
}

/// As much as the platform lets an account send after one message, and where to read on.
fn shortened(app: &App, parts: &[String]) -> String {
    let Some(sent) = parts.get(..MOST_PARTS).filter(|_| parts.len() > MOST_PARTS) else { return parts.join("\n") };
    let place = app.config.server.public_url.as_deref().map(|url| format!("：{url}")).unwrap_or_default();
    format!("{}\n（内容较长，余下部分请在网页上查看{place}）", sent.join("\n"))
}

/// What became of a message.
enum Decided {
    /// Stored and answered.
    Answered(Person, Arc<Answer>),
    /// Not taken, with the words that say so.
    Refused(&'static str),
    /// Somebody else is at it and will answer.
    Silent,
}

async fn decide(app: &App, account: &WechatAccount, push: &Push, words: &str) -> Result<Decided, AppError> {
    if app.limits.wechat.take((account.kind, account.name.as_str(), push.from.as_str()), app.now()).is_err() {
        return Ok(Decided::Refused(TOO_FAST));
    }
    let mut person = people::person(app, account, &push.from).await?;
    let mut tries = 0;
    loop {
        let (input, shown) = match people::picked(app, &person, words).await? {
            Some(option) => (Input { kind: InputKind::QuickReply(option.clone()) }, option),
            None => (Input::text(words), words.to_owned()),
        };
        let sent = Sent {
            conversation: person.conversation,
            client_id: Some(client_id(account, push)),
            input,
            shown: Some(Shown { kind: "text", text: shown, attachment: None }),
            via: Some(account.kind),
        };
        match app.exchange.send(sent).await {
            Ok(answer) => return Ok(Decided::Answered(person, Arc::new(answer))),
            // The conversation went with the visitor's data: the next word begins a new one.
            Err(AppError::NotFound) if tries == 0 => {
                people::unknown(app, account, &push.from);
                person = people::person(app, account, &push.from).await?;
            }
            Err(AppError::Unavailable { .. }) if tries < 20 => tokio::time::sleep(PAUSE).await,
            Err(AppError::Unavailable { .. } | AppError::TooMany { .. }) => return Ok(Decided::Refused(BUSY)),
            Err(error) => return Err(error),
        }
        tries += 1;
    }
}

/// The outbox row of a reply to a WeChat message: 微信客服 has no passive reply, its answers leave at once.
pub(super) fn held(app: &App, kind: WechatKind, conversation: &str, seq: i64, now: jiff::Timestamp) -> store::Held {
    let next_at = match kind {
        WechatKind::Oa | WechatKind::Work => now.saturating_add(TRIES_OVER).unwrap_or(now),
        WechatKind::Kf => now,
    };
    store::Held { id: app.ids.uuid(now).to_string(), conversation: conversation.to_owned(), seq, next_at }
}
