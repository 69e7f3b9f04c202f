//! What WeChat users do, handed to the same exchange as the web, and the passive reply to it.
//!
//! A message becomes durable, decided and answered once, however often the platform sends it: its key is the
//! `client_id` of the conversation, so a repeat joins the running decision and gets its answer. An answer in time leaves
//! with the passive reply and never sees the outbox. If it is not there within the budget, nothing is said, and it leaves
//! through the outbox.
//!
//! Invariants: what a passive reply carries is not in the outbox, or marked there as sent before it leaves; an answer that
//! no reply carries is in the outbox before `success` is said; nothing is answered that is not stored; an event without a
//! turn changes nothing on its repeat.

mod files;
mod fresh;
mod join;
mod keep;
mod kf;
pub mod oauth;
mod passive;
mod people;
pub mod render;
mod typing;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub use files::take_up;
pub use fresh::{check_fresh, seen_without_body};
pub use join::{Code, code};
pub use kf::{due as kf_due, fetch as kf_fetch, pause as kf_pause};
pub use people::who;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;
pub use typing::officer_types;

use self::passive::Leaving;
use super::{
    App, AppError,
    exchange::{self, Sent, Shown, Via},
    wechat_out,
};
use crate::{
    domain::{
        dialogue::{ConversationState, Input, InputKind},
        kinds::Channel,
    },
    ports::{
        push::{Push, What},
        wechat::{WechatAccount, WechatAddress, WechatApi, WechatKind},
    },
    store::{
        wechat::{self as store, Rest},
        wechat_in::Seen,
    },
};

/// The platform waits five seconds; what is ready by then goes out with the answer.
const BUDGET: Duration = Duration::from_secs(4);
/// By then the platform hangs up: what is stored no earlier is told to its next try.
const HANGS_UP: Duration = Duration::from_millis(4_900);
/// How long after a message the platform may still ask for its reply: three tries of five seconds.
const TRIES_OVER: jiff::SignedDuration = jiff::SignedDuration::from_secs(16);
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
/// What stands in the conversation for it.
const UNSHOWN: &str = "（发来一条看不到内容的消息）";

/// What is remembered of WeChat in memory.
#[derive(Default)]
pub struct Wechat {
    api: OnceLock<Arc<dyn WechatApi>>,
    fresh: fresh::Seen,
    people: people::Known,
    passive: passive::Marks,
    kf: kf::Due,
    typing: typing::Shown,
    no_menus: Mutex<HashSet<String>>,
}

impl Wechat {
    /// Connects the gateway with the platform's servers; once, at its start.
    pub fn connect(&self, api: Arc<dyn WechatApi>) {
        let _ = self.api.set(api);
    }

    /// Notes that the platform takes no menus of this account.
    pub fn without_menus(&self, account: &str) {
        self.no_menus.lock().unwrap_or_else(PoisonError::into_inner).insert(account.to_owned());
    }

    /// Whether the platform takes no menus of this account, as far as it was asked.
    pub fn is_without_menus(&self, account: &str) -> bool {
        self.no_menus.lock().unwrap_or_else(PoisonError::into_inner).contains(account)
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
        What::Text { content, .. } if content.trim() == join::YES => Box::pin(yes(app, account, push, cut)).await,
        What::Text { content, .. } => say(app, account, push, content, cut).await,
        What::Location { label, latitude, longitude } => {
            let place = if label.trim().is_empty() { format!("{latitude},{longitude}") } else { label.clone() };
            say(app, account, push, &format!("地点：{place}"), cut).await
        }
        What::Link { title, url, description } => {
            let words: Vec<&str> =
                [title.as_str(), description, url].into_iter().filter(|part| !part.trim().is_empty()).collect();
            say(app, account, push, &words.join("\n"), cut).await
        }
        What::Media { words: Some(words), .. } => {
            let reply = say(app, account, push, words, cut).await?;
            if let Some(wanted) = wanted(account, push) {
                // The words are answered; the recording is kept beside them.
                let app = app.clone();
                tokio::spawn(async move {
                    if let Err(error) =
                        files::take(&app, wanted.beside_its_words(), None, &AtomicBool::new(false)).await
                    {
                        tracing::warn!(error = &error as &dyn std::error::Error, "a recording was not kept");
                    }
                });
            }
            Ok(reply)
        }
        What::Media { .. } => Box::pin(file(app, account, push, cut)).await,
        What::Click { key } => {
            if let Some(words) = entry(app, account, key) {
                return say(app, account, push, &words, cut).await;
            }
            tracing::warn!(wechat.account = %account, wechat.key = %key, "a menu key stands for nothing");
            Ok(Reply::Nothing)
        }
        // Boxed: they are rare, and every message would carry their room.
        What::Subscribe { .. }
        | What::Unsubscribe
        | What::KfMessages { .. }
        | What::Scan { .. }
        | What::Enter
        | What::NoticeEnded { .. }
        | What::Other { .. } => Box::pin(wordless(app, account, push, cut)).await,
    }
}

/// The answer to the question whether conversations shall be joined, if it was asked.
async fn yes(app: &App, account: &WechatAccount, push: &Push, cut: Cut) -> Result<Reply, AppError> {
    match join::confirmed(app, account, &push.from).await? {
        Some(words) => Ok(Reply::Words(words.to_owned())),
        None => say(app, account, push, join::YES, cut).await,
    }
}

/// The file of a message.
fn wanted(account: &WechatAccount, push: &Push) -> Option<files::Wanted> {
    let What::Media { kind, media_id, name, .. } = &push.what else { return None };
    Some(files::Wanted::new(account, &push.from, client_id(account, push), *kind, media_id, name.as_deref()))
}

/// A file: fetched while the platform waits. Once it is noted the platform may hear `success`, and the answer leaves by
/// itself.
async fn file(app: &App, account: &WechatAccount, push: &Push, cut: Cut) -> Result<Reply, AppError> {
    let Some(wanted) = wanted(account, push) else { return Ok(Reply::Nothing) };
    let noted = Arc::new(AtomicBool::new(false));
    let (app_of_job, until, noted_by_job) = (app.clone(), carried_until(app, account), Arc::clone(&noted));
    let mut job = tokio::spawn(async move { files::take(&app_of_job, wanted, until, &noted_by_job).await });
    let in_time = tokio::time::timeout(budget(app, account), &mut job).await;
    if in_time.is_err() && noted.load(Ordering::Acquire) {
        typing::late(app, account, &push.from);
        tokio::spawn(async move {
            if let Ok(Ok(Decided::Answered(leaving))) = job.await
                && let Err(error) = leaving.let_go().await
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "late answers wait in the outbox");
            }
        });
        return Ok(Reply::Nothing);
    }
    if let Ok(joined) = in_time {
        return answered(app, joined, cut).await;
    }
    typing::late(app, account, &push.from);
    late(job, budget(app, account)).await
}

/// What a user did without words.
async fn wordless(app: &App, account: &WechatAccount, push: &Push, cut: Cut) -> Result<Reply, AppError> {
    match &push.what {
        What::Subscribe { scene } => {
            let person = people::person(app, account, &push.from).await?;
            people::follows(app, &person).await?;
            let joined = match scene {
                Some(scene) => join::scanned(app, account, &push.from, scene).await?,
                None => None,
            };
            people::tapped(app, account, &push.from).await?;
            people::learn_union_id(app, account, &push.from);
            let words = joined.map_or_else(|| greeting(app, account), str::to_owned);
            Ok(cut(&words).into_iter().next().map_or(Reply::Nothing, Reply::Words))
        }
        What::NoticeEnded { notice, status } => {
            let to = WechatAddress { account: account.clone(), user: push.from.clone() };
            wechat_out::notice_ended(app, &to, notice, status).await?;
            Ok(Reply::Nothing)
        }
        What::Unsubscribe => {
            people::forget(app, account, &push.from).await?;
            Ok(Reply::Nothing)
        }
        What::KfMessages { token, open_kfid } => {
            kf::called(app, account, open_kfid, token);
            Ok(Reply::Nothing)
        }
        What::Scan { scene } => {
            let joined = join::scanned(app, account, &push.from, scene).await?;
            people::tapped(app, account, &push.from).await?;
            Ok(joined.map_or(Reply::Nothing, |words| Reply::Words(words.to_owned())))
        }
        What::Text { .. }
        | What::Location { .. }
        | What::Link { .. }
        | What::Media { .. }
        | What::Click { .. }
        | What::Enter
        | What::Other { .. } => Ok(Reply::Nothing),
    }
}

/// What a sticker or a kind that the platform does not forward arrives as.
fn is_unshown(content: &str) -> bool {
    content.starts_with("【收到不支持的消息类型") || content.starts_with("[收到不支持的消息类型")
}

/// The first words to whoever comes.
fn greeting(app: &App, account: &WechatAccount) -> String {
    let config = &app.config.wechat;
    let own = match account.kind {
        WechatKind::Oa => config.oa.get(&account.name).map(|oa| oa.greeting.as_str()),
        WechatKind::Work => config.work.get(&account.name).map(|work| work.greeting.as_str()),
        WechatKind::Kf => config.kf.get(&account.name).map(|kf| kf.greeting.as_str()),
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

/// Until when an answer has to be decided for the passive reply to carry it; the other half of the budget is for the
/// commit.
fn carried_until(app: &App, account: &WechatAccount) -> Option<Instant> {
    match account.kind {
        WechatKind::Oa | WechatKind::Work => Some(Instant::now() + budget(app, account) / 2),
        WechatKind::Kf => None,
    }
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
    let until = carried_until(app, account);
    let job = tokio::spawn(async move { decide(&app_of_job, &account_of_job, &push_of_job, &words, until).await });
    answer(app, account, &push.from, job, cut).await
}

/// A decision that is not there within the budget: the answer goes out by itself, and the platform hears `success` as
/// soon as the message is stored. Until then it hears nothing: it hangs up, comes again, and its repeat joins; if it does
/// not, the answer waits in the outbox until the tries are over.
async fn late(mut job: JoinHandle<Result<Decided, AppError>>, waited: Duration) -> Result<Reply, AppError> {
    let Ok(joined) = tokio::time::timeout(HANGS_UP.saturating_sub(waited), &mut job).await else {
        return Err(AppError::Unavailable { code: "message_not_stored" });
    };
    match joined.map_err(|_| AppError::Internal("a WeChat message ended without an answer".into()))?? {
        Decided::Refused(words) => return Ok(Reply::Words(words.to_owned())),
        Decided::Answered(leaving) => leaving.let_go().await?,
        Decided::Silent => {}
    }
    Ok(Reply::Nothing)
}

/// Waits for the decision as long as the platform does and puts it into a passive reply. It is a task of its own: it
/// comes to its end even when the platform has hung up.
async fn answer(
    app: &App,
    account: &WechatAccount,
    from: &str,
    mut job: JoinHandle<Result<Decided, AppError>>,
    cut: Cut,
) -> Result<Reply, AppError> {
    let Ok(joined) = tokio::time::timeout(budget(app, account), &mut job).await else {
        typing::late(app, account, from);
        return Box::pin(late(job, budget(app, account))).await;
    };
    answered(app, joined, cut).await
}

/// The passive reply to what was decided in time.
async fn answered(
    app: &App,
    joined: Result<Result<Decided, AppError>, tokio::task::JoinError>,
    cut: Cut,
) -> Result<Reply, AppError> {
    let mut leaving =
        match joined.map_err(|_| AppError::Internal("a WeChat message ended without an answer".into()))?? {
            Decided::Refused(words) => return Ok(Reply::Words(words.to_owned())),
            Decided::Silent => return Ok(Reply::Nothing),
            Decided::Answered(leaving) => leaving,
        };
    if leaving.answer().repeated && !leaving.leave_out_what_is_gone().await? {
        leaving.done();
        return Ok(Reply::Nothing);
    }
    let mut parts = cut(&render::replies(&leaving.answer().replies)).into_iter();
    let first = parts.next();
    let now = app.now();
    let rest: Vec<String> = parts.collect();
    let rest = (!rest.is_empty()).then(|| Rest {
        id: app.ids.uuid(now).to_string(),
        text: shortened(app, &rest),
        next_at: now.saturating_add(BEHIND).unwrap_or(now),
    });
    leaving.carry(rest).await?;
    Ok(first.map_or(Reply::Nothing, Reply::Words))
}

/// As much as the platform lets an account send after one message, and where to read on.
fn shortened(app: &App, parts: &[String]) -> String {
    if app.config.server.public_url.is_some() {
        // Whoever sends it ends with the address of the whole.
        return parts.join("\n");
    }
    let Some(sent) = parts.get(..MOST_PARTS).filter(|_| parts.len() > MOST_PARTS) else { return parts.join("\n") };
    format!("{}\n（内容较长，余下部分请在网页上查看）", sent.join("\n"))
}

/// What became of a message.
enum Decided {
    /// Stored and answered.
    Answered(Box<Leaving>),
    /// Not taken, with the words that say so.
    Refused(&'static str),
    /// Somebody else is at it and will answer.
    Silent,
}

async fn decide(
    app: &App,
    account: &WechatAccount,
    push: &Push,
    words: &str,
    carried_until: Option<Instant>,
) -> Result<Decided, AppError> {
    if app.limits.wechat.take((account.kind, account.name.as_str(), push.from.as_str()), app.now()).is_err() {
        return Ok(Decided::Refused(TOO_FAST));
    }
    // 公众号 counts a tap for less than words; elsewhere it is a message like any other.
    let tap =
        account.kind == WechatKind::Oa && matches!(push.what, What::Click { .. } | What::Text { menu_id: Some(_), .. });
    let via = Via { account: account.clone(), openid: push.from.clone(), carried_until, tap };
    let mut person = people::person(app, account, &push.from).await?;
    let mut looked_up = false;
    let mut tries = 0;
    loop {
        let (input, shown) = understood(app, &person, push, words).await?;
        let sent = Sent {
            conversation: person.conversation,
            client_id: Some(client_id(account, push)),
            input,
            shown: Some(Shown { kind: "text", text: shown, attachment: None }),
            via: Some(via.clone()),
        };
        match app.exchange.send(sent).await {
            Ok(answer) => {
                return Ok(Decided::Answered(Leaving::of(app, account.kind, person.conversation, answer)));
            }
            // The conversation went with the visitor's data, or the user speaks in another one since a scan that another
            // gateway saw.
            Err(AppError::NotFound) if !looked_up => {
                looked_up = true;
                people::unknown(app, account, &push.from);
                person = people::person(app, account, &push.from).await?;
            }
            Err(AppError::Unavailable { .. }) if tries < 20 => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            // The queue was full all the time: words, not a fault. What cannot be stored is not answered: the platform
            // comes again with it.
            Err(AppError::TooMany { .. } | AppError::Unavailable { code: "store_busy" }) => {
                return Ok(Decided::Refused(BUSY));
            }
            Err(error) => return Err(error),
        }
    }
}

/// What the words mean: as they stand, or the option, the place, the thing that nobody can read.
async fn understood(app: &App, person: &people::Person, push: &Push, words: &str) -> Result<(Input, String), AppError> {
    let option = match &push.what {
        What::Location { .. } => {
            let place = words.strip_prefix("地点：").unwrap_or(words).to_owned();
            return Ok((Input { kind: InputKind::Place { words: place } }, words.to_owned()));
        }
        What::Other { .. } => {
            return Ok((Input { kind: InputKind::Unreadable { excuse: NOT_SHOWN } }, words.to_owned()));
        }
        What::Text { .. } if is_unshown(words) => {
            return Ok((Input { kind: InputKind::Unreadable { excuse: NOT_SHOWN } }, UNSHOWN.to_owned()));
        }
        What::Text { menu_id: Some(id), .. } => Box::pin(people::chosen(app, person, id)).await?,
        What::Text { menu_id: None, .. }
        | What::Media { .. }
        | What::Link { .. }
        | What::Subscribe { .. }
        | What::Unsubscribe
        | What::Scan { .. }
        | What::Click { .. }
        | What::Enter
        | What::NoticeEnded { .. }
        | What::KfMessages { .. } => people::picked(app, person, words).await?,
    };
    Ok(match option {
        Some(option) => (Input { kind: InputKind::QuickReply(option.clone()) }, option),
        None => (Input::text(words), words.to_owned()),
    })
}

/// What a message through WeChat adds to the transaction that stores it.
pub(super) fn seen(via: &Via, conversation: &str, now: jiff::Timestamp) -> Seen {
    Seen {
        channel: via.account.kind.as_str(),
        account: via.account.name.clone(),
        openid: via.openid.clone(),
        conversation: conversation.to_owned(),
        at: now,
        tap: via.tap,
    }
}

/// The outbox rows of the replies to a WeChat message: none while somebody waits to carry them back. 微信客服 has no
/// passive reply, its answers leave at once; only what whoever asked for a person is told waits for the hand-over.
pub(super) fn held(
    app: &App,
    via: &Via,
    conversation: &str,
    state: ConversationState,
    seqs: impl Iterator<Item = i64>,
    now: jiff::Timestamp,
) -> Vec<store::Held> {
    if via.carried_until.is_some_and(|until| Instant::now() < until) {
        return Vec::new();
    }
    let next_at = match via.account.kind {
        WechatKind::Kf if state != ConversationState::Queued => now,
        WechatKind::Kf | WechatKind::Oa | WechatKind::Work => now.saturating_add(TRIES_OVER).unwrap_or(now),
    };
    let held =
        |seq| store::Held { id: app.ids.uuid(now).to_string(), conversation: conversation.to_owned(), seq, next_at };
    seqs.map(held).collect()
}
