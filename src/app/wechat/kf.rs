//! 微信客服: the callback only says that there is something; the messages are fetched page by page behind a cursor.
//!
//! The cursor is stored after the messages of its page, and a message's id makes it harmless to see it twice, so a
//! process that dies in between loses nothing. One task fetches, all accounts side by side, so an account is read by one
//! reader at a time.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    Decided, decide, files, greeting,
    keep::{self, Kept},
    passive::Leaving,
    people,
    people::Person,
    render,
};
use crate::{
    app::{App, AppError, dialogue_codec, wechat_out},
    config::WechatKf,
    domain::{dialogue::ConversationState, ids::ConversationId},
    ports::{
        push::{Push, What},
        wechat::{KfPage, MediaKind, Verdict, WechatAccount, WechatAddress, WechatApi, WechatKind},
    },
    store::{conversations, wechat as store},
};

/// Without a cursor older messages than this are history, not work: seconds.
const FIRST_LOOK_S: i64 = 10 * 60;
/// Pages of one account in one go; more wait for the next.
const MOST_PAGES: usize = 200;
/// The customer's own message.
const FROM_CUSTOMER: i64 = 3;
/// A person of the platform wrote it.
const FROM_SERVICER: i64 = 5;
/// The session waits in 接待池.
const POOL: i64 = 2;
/// A person of the platform has the session.
const SERVICER: i64 = 3;
/// A token that is wrong or older than ten minutes.
const BAD_TOKEN: i64 = 95_007;
/// Failures in a row after which the administrators are told.
const ALARM_AFTER: u32 = 5;
/// Seconds in which the code of a welcome can be used.
const WELCOME_S: i64 = 20;
/// Longest pause between two tries to read.
const LONGEST_PAUSE_S: u64 = 30;
/// Pause before the state of a session is asked for again.
const STATE_PAUSE: Duration = Duration::from_millis(300);
/// Tries when somebody speaks in the conversation at the same moment.
const TRIES: usize = 5;
/// A session waits for a person, or has one: the bot says nothing.
const WITH_PEOPLE: [i64; 2] = [POOL, SERVICER];

/// Accounts that have something to fetch.
#[derive(Debug, Default)]
pub(crate) struct Due(Mutex<BTreeMap<String, Reading>>);

/// An account that has something to fetch.
#[derive(Debug, Clone, Default)]
struct Reading {
    /// Token of the callback; empty: none.
    token: String,
    /// Times in a row that it could not be read.
    failures: u32,
}

/// Notes that an account has something to fetch.
pub fn due(app: &App, account: &str, token: &str) {
    let mut due = app.wechat.kf.0.lock().unwrap_or_else(PoisonError::into_inner);
    token.clone_into(&mut due.entry(account.to_owned()).or_default().token);
    drop(due);
    app.wake.wechat_kf.notify_one();
}

/// A callback: one application has one address for all its accounts, so it names the account that has something.
pub(super) fn called(app: &App, account: &WechatAccount, open_kfid: &str, token: &str) {
    let accounts = &app.config.wechat.kf;
    let corp = accounts.get(&account.name).map(|kf| kf.corp_id.as_str());
    let named = |kf: &WechatKf| kf.open_kfid == open_kfid && Some(kf.corp_id.as_str()) == corp;
    let own =
        accounts.get(&account.name).is_some_and(|kf| open_kfid.is_empty() || kf.open_kfid.is_empty() || named(kf));
    if own {
        due(app, &account.name, token);
        return;
    }
    match accounts.iter().find(|(_, kf)| named(kf)) {
        Some((name, _)) => due(app, name, token),
        None => {
            tracing::warn!(wechat.account = %account, open_kfid, "a callback for an account that is not configured");
        }
    }
}

/// How long to wait before what could not be read is tried again; `None` when nothing is due.
pub fn pause(app: &App) -> Option<Duration> {
    let due = app.wechat.kf.0.lock().unwrap_or_else(PoisonError::into_inner);
    let fewest = due.values().map(|reading| reading.failures).min()?;
    Some(Duration::from_secs(2_u64.saturating_pow(fewest.saturating_sub(1)).min(LONGEST_PAUSE_S)))
}

/// Fetches whatever is due; an account that could not be read is due again. Gives how many messages were taken.
///
/// # Errors
/// `Store`.
pub async fn fetch(app: &App, api: &dyn WechatApi) -> Result<usize, AppError> {
    let due = std::mem::take(&mut *app.wechat.kf.0.lock().unwrap_or_else(PoisonError::into_inner));
    let readings = due.into_iter().map(|(name, reading)| read_one(app, api, name, reading));
    Ok(futures_util::future::join_all(readings).await.into_iter().sum())
}

/// Reads one account; what could not be read is due again, with the token of a callback that came meanwhile.
async fn read_one(app: &App, api: &dyn WechatApi, name: String, reading: Reading) -> usize {
    let failures = match read(app, api, &name, &reading.token).await {
        Ok((taken, Rest::Nothing)) => return taken,
        Ok((taken, Rest::More)) => {
            let mut due = app.wechat.kf.0.lock().unwrap_or_else(PoisonError::into_inner);
            due.entry(name).or_insert(Reading { token: reading.token, failures: 0 });
            drop(due);
            app.wake.wechat_kf.notify_one();
            return taken;
        }
        Err(error) => {
            tracing::warn!(
                wechat.account = %name, failures = reading.failures + 1, error = &error as &dyn std::error::Error,
                "微信客服 was not read"
            );
            reading.failures + 1
        }
    };
    if failures == ALARM_AFTER {
        let account = WechatAccount { kind: WechatKind::Kf, name: name.clone() };
        if let Err(error) = wechat_out::alarm_reading(app, &account).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "nobody was told");
        }
    }
    let mut due = app.wechat.kf.0.lock().unwrap_or_else(PoisonError::into_inner);
    let again = due.entry(name).or_insert(Reading { token: reading.token, failures: 0 });
    again.failures = failures;
    0
}

/// What is left of an account after a reading.
enum Rest {
    Nothing,
    More,
}

/// A page; a token that is too old or of no use is left out.
async fn page(
    api: &dyn WechatApi,
    account: &WechatAccount,
    cursor: &str,
    token: &mut String,
) -> Result<KfPage, AppError> {
    loop {
        match api.kf_sync(account, cursor, token).await {
            Err(failure) if failure.code == Some(BAD_TOKEN) && !token.is_empty() => token.clear(),
            done => return done.map_err(|failure| AppError::Internal(failure.reason)),
        }
    }
}

async fn read(app: &App, api: &dyn WechatApi, name: &str, token: &str) -> Result<(usize, Rest), AppError> {
    let Some(config) = app.config.wechat.kf.get(name) else { return Ok((0, Rest::Nothing)) };
    let mut token = token.to_owned();
    let account = WechatAccount { kind: WechatKind::Kf, name: name.to_owned() };
    let known = {
        let mut tx = app.db.read().await?;
        store::cursor(&mut tx, name, &config.open_kfid).await?
    };
    let oldest = known.is_none().then(|| app.now().as_second() - FIRST_LOOK_S);
    let mut cursor = known.unwrap_or_default();
    let mut taken = 0;
    for _ in 0..MOST_PAGES {
        let page = page(api, &account, &cursor, &mut token).await?;
        // A welcome counts for twenty seconds: it does not wait behind what was said.
        let (welcomes, others): (Vec<&Value>, Vec<&Value>) =
            page.messages.iter().partition(|message| message["event"]["event_type"] == "enter_session");
        for message in welcomes.into_iter().chain(others) {
            if oldest.is_some_and(|oldest| message["send_time"].as_i64().unwrap_or(0) < oldest) {
                continue;
            }
            if one(app, api, &account, message).await? {
                taken += 1;
            }
        }
        if !page.next_cursor.is_empty() && page.next_cursor != cursor {
            let mut tx = app.db.write().await?;
            let moved =
                store::move_cursor(&mut tx, name, &config.open_kfid, &cursor, &page.next_cursor, app.now()).await?;
            tx.commit().await?;
            if !moved {
                // Another gateway reads this account, and is further.
                return Ok((taken, Rest::More));
            }
            cursor = page.next_cursor;
        } else if page.has_more {
            // The platform would give the same page for ever.
            return Err(AppError::Internal("the cursor of 微信客服 does not move".into()));
        }
        if !page.has_more {
            return Ok((taken, Rest::Nothing));
        }
    }
    Ok((taken, Rest::More))
}

/// One message of a page; whether it was a customer's.
async fn one(app: &App, api: &dyn WechatApi, account: &WechatAccount, message: &Value) -> Result<bool, AppError> {
    if message["msgtype"] == "event" {
        event(app, api, account, message).await?;
        return Ok(false);
    }
    if message["origin"].as_i64() == Some(FROM_SERVICER) {
        of_servicer(app, account, message).await?;
        return Ok(false);
    }
    if message["origin"].as_i64() != Some(FROM_CUSTOMER) {
        return Ok(false);
    }
    let Some(push) = push(message) else { return Ok(false) };
    let to = WechatAddress { account: account.clone(), user: push.from.clone() };
    let mut state = api.kf_state(&to).await;
    if state.as_ref().is_err_and(|failure| matches!(failure.verdict, Verdict::Retry | Verdict::Unknown)) {
        tokio::time::sleep(STATE_PAUSE).await;
        state = api.kf_state(&to).await;
    }
    match state {
        Ok(state) if WITH_PEOPLE.contains(&state) => {
            to_servicer(app, account, &push).await?;
            finish_hand_over(app, &to).await?;
            return Ok(true);
        }
        Ok(_) => {}
        // The answer may be refused later; the message must not be lost for that.
        Err(failure) => tracing::warn!(wechat.account = %account, reason = %failure.reason, "no state of a session"),
    }
    let decided = match &push.what {
        What::Text { content, .. } => decide(app, account, &push, content, None).await?,
        What::Other { name, .. } => decide(app, account, &push, &unshown(name), None).await?,
        What::Location { label, latitude, longitude } => {
            let place = if label.is_empty() { format!("{latitude},{longitude}") } else { label.clone() };
            decide(app, account, &push, &format!("地点：{place}"), None).await?
        }
        What::Link { title, url, .. } => decide(app, account, &push, &format!("{title}\n{url}"), None).await?,
        What::Media { kind, media_id, name, .. } => {
            let id = super::client_id(account, &push);
            let wanted = files::Wanted::new(account, &push.from, id, *kind, media_id, name.as_deref());
            files::take(app, wanted, None, &AtomicBool::new(false)).await?
        }
        What::Subscribe { .. }
        | What::Unsubscribe
        | What::Scan { .. }
        | What::Click { .. }
        | What::Enter
        | What::NoticeEnded { .. }
        | What::KfMessages { .. } => return Ok(false),
    };
    match decided {
        Decided::Answered(leaving) => hand_over(app, api, &to, leaving).await?,
        Decided::Refused(words) => {
            // Nothing of it is stored, so there is nothing for the outbox; said once, not repeated.
            let piece = crate::ports::wechat::Piece::Text(words.to_owned());
            let once = super::client_id(account, &push);
            if let Err(failure) = api.send(&to, &piece, once.get(..32).unwrap_or(&once)).await {
                tracing::warn!(wechat.account = %account, reason = %failure.reason, "a refusal was not delivered");
            }
        }
        Decided::Silent => {}
    }
    Ok(true)
}

/// What stands in the conversation for a message that cannot be shown here.
fn unshown(kind: &str) -> String {
    let what = match kind {
        "business_card" => "名片",
        "miniprogram" => "小程序",
        "channels_shop_product" | "channels_shop_order" | "channels" => "视频号内容",
        "msgmenu" => "菜单",
        _ => "消息",
    };
    format!("（发来{what}，这里看不到内容）")
}

/// Events of a session: a welcome within its twenty seconds, and messages that did not arrive; the others are noted in
/// the log.
async fn event(app: &App, api: &dyn WechatApi, account: &WechatAccount, message: &Value) -> Result<(), AppError> {
    let event = &message["event"];
    match event["event_type"].as_str().unwrap_or_default() {
        "enter_session" => {
            let sent_at = message["send_time"].as_i64().unwrap_or_else(|| app.now().as_second());
            if app.now().as_second() - sent_at >= WELCOME_S {
                return Ok(());
            }
            if let Some(code) = event["welcome_code"].as_str().filter(|code| !code.is_empty())
                && let Err(failure) = api.kf_on_event(account, code, &api.begin(&greeting(app, account), 2_040)).await
            {
                tracing::warn!(wechat.account = %account, reason = %failure.reason, "no welcome was sent");
            }
        }
        "msg_send_fail" => {
            let text = |key: &str| event[key].as_str().unwrap_or_default();
            let to = WechatAddress { account: account.clone(), user: text("external_userid").to_owned() };
            let kind = event["fail_type"].as_i64().unwrap_or_default();
            let known = wechat_out::bounced(app, api, &to, text("fail_msgid"), kind).await?;
            tracing::warn!(wechat.account = %account, fail_type = kind, known, "微信客服 did not deliver a message");
        }
        "session_status_change" => {
            let text = |key: &str| event[key].as_str().unwrap_or_default();
            let words = match event["change_type"].as_i64() {
                Some(1) => format!("微信客服 {} 从接待池接入了会话", text("new_servicer_userid")),
                Some(2) => format!("会话转给了微信客服 {}", text("new_servicer_userid")),
                Some(3) => "微信客服的人工接待已经结束，对方再来消息由机器人接待".to_owned(),
                _ => return Ok(()),
            };
            note(app, account, text("external_userid"), message, "event", words, None).await?;
        }
        other => tracing::debug!(wechat.account = %account, event = other, "an event of 微信客服"),
    }
    Ok(())
}

/// What the customer says while a person of the platform has the session: kept, and answered by nobody here.
async fn to_servicer(app: &App, account: &WechatAccount, push: &Push) -> Result<(), AppError> {
    let id = super::client_id(account, push);
    let text = match &push.what {
        What::Text { content, .. } => content.clone(),
        What::Other { name, .. } => unshown(name),
        What::Location { label, latitude, longitude } if label.is_empty() => format!("地点：{latitude},{longitude}"),
        What::Location { label, .. } => format!("地点：{label}"),
        What::Link { title, url, .. } => format!("{title}\n{url}"),
        What::Media { kind, media_id, name, .. } => {
            let wanted = files::Wanted::new(account, &push.from, id.clone(), *kind, media_id, name.as_deref());
            match files::take(app, wanted.kept(), None, &AtomicBool::new(false)).await? {
                Decided::Refused(_) => "（发来一个文件，没有取到）".to_owned(),
                Decided::Answered(..) | Decided::Silent => return Ok(()),
            }
        }
        What::Subscribe { .. }
        | What::Unsubscribe
        | What::Scan { .. }
        | What::Click { .. }
        | What::Enter
        | What::NoticeEnded { .. }
        | What::KfMessages { .. } => return Ok(()),
    };
    let person = people::person(app, account, &push.from).await?;
    let text = text.chars().filter(|c| *c != '\0').collect();
    let kept = Kept { client_id: id, sender: "visitor", kind: "text", text, attachment: None, author: None };
    keep::keep(app, &person, &kept).await
}

/// What a person of the platform says to the customer: kept as an officer's words, for whoever reads the history.
async fn of_servicer(app: &App, account: &WechatAccount, message: &Value) -> Result<(), AppError> {
    let kind = message["msgtype"].as_str().unwrap_or_default();
    let text = match kind {
        "text" => message["text"]["content"].as_str().unwrap_or_default().to_owned(),
        "image" => "（图片）".to_owned(),
        "voice" => "（语音）".to_owned(),
        "video" => "（视频）".to_owned(),
        "file" => "（文件）".to_owned(),
        _ => return Ok(()),
    };
    let author = message["servicer_userid"].as_str().unwrap_or("人工").to_owned();
    let user = message["external_userid"].as_str().unwrap_or_default();
    note(app, account, user, message, "text", text, Some(author)).await
}

/// Keeps a line about, or of, somebody at the platform.
async fn note(
    app: &App,
    account: &WechatAccount,
    user: &str,
    message: &Value,
    kind: &'static str,
    text: String,
    author: Option<String>,
) -> Result<(), AppError> {
    let Some(id) = message["msgid"].as_str().filter(|_| !user.is_empty() && !text.trim().is_empty()) else {
        return Ok(());
    };
    let Some(person) = people::who(app, account, user).await? else { return Ok(()) };
    let mut name = hex::encode(Sha256::digest(format!("{account}|{id}")));
    name.truncate(40);
    let sender = if author.is_some() { "officer" } else { "system" };
    let text = text.chars().filter(|c| *c != '\0').collect();
    let kept = Kept { client_id: format!("wx-{name}"), sender, kind, text, attachment: None, author };
    keep::keep(app, &person, &kept).await
}

/// The answer leaves. Whoever asked for a person goes to the people of the platform, where the account is set up so: the
/// session moves, the answer is said with the code of the move, and our own queue lets the conversation go. Our desk has
/// it otherwise, also when the platform refuses to move it. What is said with the code is taken out of the outbox first
/// and comes back only when it is certain that it was not said, so that nobody reads it twice.
async fn hand_over(app: &App, api: &dyn WechatApi, to: &WechatAddress, leaving: Box<Leaving>) -> Result<(), AppError> {
    let queued = leaving.answer().conversation.state == ConversationState::Queued.as_str();
    let config = app.config.wechat.kf.get(&to.account.name).filter(|_| queued);
    let moved = match config {
        Some(config) => moved(api, to, config).await,
        None => None,
    };
    let Some((code, words)) = moved else { return leaving.let_go().await };
    let conversation = leaving.conversation();
    let id = leaving.answer().message.as_ref().map_or("handover", |message| message.id.as_str()).to_owned();
    match code {
        Some(code) => say_with_the_move(api, to, &code, leaving).await?,
        None => leaving.let_go().await?,
    }
    out_of_our_queue(app, conversation).await?;
    let kept = Kept {
        client_id: format!("wx-{id}"),
        sender: "system",
        kind: "event",
        text: words,
        attachment: None,
        author: None,
    };
    let person = Person { account: to.account.clone(), openid: to.user.clone(), conversation };
    keep::keep(app, &person, &kept).await
}

/// Says the answer with the code of a move, as far as it was not said yet.
async fn say_with_the_move(
    api: &dyn WechatApi,
    to: &WechatAddress,
    code: &str,
    leaving: Box<Leaving>,
) -> Result<(), AppError> {
    let taken = leaving.take_out().await?;
    let replies: Vec<_> = leaving.answer().replies.iter().filter(|reply| taken.contains(&reply.seq)).cloned().collect();
    let said = api.begin(&render::words(&replies), 2_040);
    if !said.is_empty()
        && let Err(failure) = api.kf_on_event(&to.account, code, &said).await
    {
        tracing::warn!(wechat.account = %to.account, reason = %failure.reason, "a hand-over was not told");
        if failure.verdict != Verdict::Unknown {
            leaving.put_back(&taken).await?;
        }
    }
    leaving.done();
    Ok(())
}

/// Our own queue lets a conversation go that the people of the platform have.
async fn out_of_our_queue(app: &App, conversation: ConversationId) -> Result<(), AppError> {
    let mut tries = 1;
    loop {
        match leave_queue(app, conversation).await {
            Err(AppError::Store(error)) if error.is_transient() && tries < TRIES => tries += 1,
            done => return done,
        }
    }
}

/// A process that ended within a hand-over has left the conversation in our queue as well.
async fn finish_hand_over(app: &App, to: &WechatAddress) -> Result<(), AppError> {
    let hands_over = app.config.wechat.kf.get(&to.account.name).is_some_and(WechatKf::hands_over);
    let person = if hands_over { people::who(app, &to.account, &to.user).await? } else { None };
    let Some(person) = person else { return Ok(()) };
    let row = {
        let mut tx = app.db.read().await?;
        conversations::find(&mut tx, person.conversation).await?
    };
    if row.is_some_and(|row| row.state == ConversationState::Queued.as_str()) {
        out_of_our_queue(app, person.conversation).await?;
    }
    Ok(())
}

/// Moves the session to whom the account names; a 接待人员 who is not there is replaced by 接待池.
async fn moved(api: &dyn WechatApi, to: &WechatAddress, config: &WechatKf) -> Option<(Option<String>, String)> {
    let refused = |failure: &crate::ports::wechat::WechatFailure, where_to: &str| {
        tracing::warn!(
            wechat.account = %to.account, wechat.errcode = failure.code, reason = %failure.reason, where_to,
            "a session was not handed over"
        );
    };
    if config.handover == "servicer" {
        match api.kf_move(to, SERVICER, Some(&config.servicer)).await {
            Ok(code) => return Some((code, format!("已转给微信客服 {} 接待", config.servicer))),
            Err(failure) => refused(&failure, "servicer"),
        }
    }
    if config.hands_over() {
        match api.kf_move(to, POOL, None).await {
            Ok(code) => return Some((code, "已转到微信客服的接待池，由微信客服的人员接待".to_owned())),
            Err(failure) => refused(&failure, "pool"),
        }
    }
    None
}

/// The conversation leaves our queue.
async fn leave_queue(app: &App, conversation: ConversationId) -> Result<(), AppError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    if let Some(mut row) = conversations::find(&mut tx, conversation).await?
        && row.state == ConversationState::Queued.as_str()
    {
        let mut state = dialogue_codec::decode(&row.dialogue);
        state.mode = ConversationState::Bot;
        row.dialogue = dialogue_codec::encode(&state);
        state.mode.as_str().clone_into(&mut row.state);
        row.queued_at = None;
        row.fence += 1;
        row.changed_at = now.as_millisecond();
        conversations::save(&mut tx, std::slice::from_ref(&row)).await?;
    }
    Ok(tx.commit().await?)
}

/// What a customer's message says.
fn push(message: &Value) -> Option<Push> {
    let text = |part: &str, key: &str| message[part][key].as_str().unwrap_or_default().to_owned();
    let kind = message["msgtype"].as_str()?;
    let media = |kind: MediaKind| What::Media {
        kind,
        media_id: text(message["msgtype"].as_str().unwrap_or_default(), "media_id"),
        words: None,
        name: message["file"]["filename"].as_str().map(str::to_owned),
    };
    let number = |key: &str| message["location"][key].to_string();
    let what = match kind {
        "text" => What::Text {
            content: text("text", "content"),
            menu_id: message["text"]["menu_id"].as_str().filter(|id| !id.is_empty()).map(str::to_owned),
        },
        "image" => media(MediaKind::Image),
        "voice" => media(MediaKind::Voice),
        "video" => media(MediaKind::Video),
        "file" => media(MediaKind::File),
        "location" => What::Location {
            latitude: number("latitude"),
            longitude: number("longitude"),
            label: format!("{}{}", text("location", "address"), text("location", "name")),
        },
        "link" => {
            What::Link { title: text("link", "title"), description: text("link", "desc"), url: text("link", "url") }
        }
        other => What::Other { name: other.to_owned(), key: String::new() },
    };
    Some(Push {
        from: message["external_userid"].as_str()?.to_owned(),
        to: message["open_kfid"].as_str().unwrap_or_default().to_owned(),
        created: message["send_time"].as_i64().unwrap_or_default(),
        msg_id: Some(message["msgid"].as_str()?.to_owned()),
        agent: None,
        what,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn customers_messages_are_read() {
        let message = |kind: &str, part: Value| {
            push(&json!({"msgid": "m", "open_kfid": "wk", "external_userid": "wm", "send_time": 1, "msgtype": kind, kind: part}))
                .map(|push| push.what)
        };
        assert_eq!(
            message("text", json!({"content": "您好"})),
            Some(What::Text { content: "您好".into(), menu_id: None })
        );
        assert!(matches!(
            message("location", json!({"latitude": 24.5, "longitude": 117.6, "name": "园区", "address": "一号路"})),
            Some(What::Location { label, latitude, .. }) if label == "一号路园区" && latitude == "24.5"
        ));
        assert!(matches!(
            message("file", json!({"media_id": "x", "filename": "a.pdf"})),
            Some(What::Media { kind: MediaKind::File, name: Some(name), .. }) if name == "a.pdf"
        ));
        assert!(matches!(message("msgmenu", json!({})), Some(What::Other { .. })));
        assert_eq!(push(&json!({"msgtype": "text"})), None);
    }
}
