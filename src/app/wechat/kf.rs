//! 微信客服: the callback only says that there is something; the messages are fetched page by page behind a cursor.
//!
//! The cursor is stored after the messages of its page, and a message's id makes it harmless to see it twice, so a
//! process that dies in between loses nothing. One task fetches, so an account is read by one reader at a time.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use super::{Decided, decide, files};
use crate::{
    app::{App, AppError, wechat_out},
    ports::{
        push::{Push, What},
        wechat::{MediaKind, WechatAccount, WechatAddress, WechatApi, WechatKind},
    },
    store::wechat as store,
};

/// Without a cursor older messages than this are history, not work: seconds.
const FIRST_LOOK_S: i64 = 10 * 60;
/// Pages of one account in one go; more wait for the next.
const MOST_PAGES: usize = 200;
/// The customer's own message.
const FROM_CUSTOMER: i64 = 3;
/// A session waits for a person, or has one: the bot says nothing.
const WITH_PEOPLE: [i64; 2] = [2, 3];

/// Accounts that have something to fetch, with the token of the callback.
#[derive(Debug, Default)]
pub(crate) struct Due(Mutex<BTreeMap<String, String>>);

/// Notes that an account has something to fetch.
pub fn due(app: &App, account: &str, token: &str) {
    let mut due = app.wechat.kf.0.lock().unwrap_or_else(PoisonError::into_inner);
    due.insert(account.to_owned(), token.to_owned());
    drop(due);
    app.wake.wechat_kf.notify_one();
}

/// Fetches whatever is due; an account that could not be read is due again. Gives how many messages were taken.
///
/// # Errors
/// `Store`.
pub async fn fetch(app: &App, api: &dyn WechatApi) -> Result<usize, AppError> {
    let due = std::mem::take(&mut *app.wechat.kf.0.lock().unwrap_or_else(PoisonError::into_inner));
    let mut taken = 0;
    for (name, token) in due {
        match read(app, api, &name, &token).await {
            Ok(some) => taken += some,
            Err(error) => {
                tracing::warn!(wechat.account = %name, error = &error as &dyn std::error::Error, "微信客服 was not read");
                let mut due = app.wechat.kf.0.lock().unwrap_or_else(PoisonError::into_inner);
                due.entry(name).or_insert(token);
            }
        }
    }
    Ok(taken)
}

async fn read(app: &App, api: &dyn WechatApi, name: &str, token: &str) -> Result<usize, AppError> {
    let Some(config) = app.config.wechat.kf.get(name) else { return Ok(0) };
    let account = WechatAccount { kind: WechatKind::Kf, name: name.to_owned() };
    let known = {
        let mut tx = app.db.read().await?;
        store::cursor(&mut tx, name, &config.open_kfid).await?
    };
    let oldest = known.is_none().then(|| app.now().as_second() - FIRST_LOOK_S);
    let mut cursor = known.unwrap_or_default();
    let mut taken = 0;
    for _ in 0..MOST_PAGES {
        let page = api.kf_sync(&account, &cursor, token).await.map_err(|failure| AppError::Internal(failure.reason))?;
        for message in &page.messages {
            if oldest.is_some_and(|oldest| message["send_time"].as_i64().unwrap_or(0) < oldest) {
                continue;
            }
            if one(app, api, &account, message).await? {
                taken += 1;
            }
        }
        if !page.next_cursor.is_empty() && page.next_cursor != cursor {
            cursor = page.next_cursor;
            let mut tx = app.db.write().await?;
            store::set_cursor(&mut tx, name, &config.open_kfid, &cursor, app.now()).await?;
            tx.commit().await?;
        } else if page.has_more {
            // The platform would give the same page for ever.
            return Err(AppError::Internal("the cursor of 微信客服 does not move".into()));
        }
        if !page.has_more {
            break;
        }
    }
    Ok(taken)
}

/// One message of a page; whether it was a customer's.
async fn one(app: &App, api: &dyn WechatApi, account: &WechatAccount, message: &Value) -> Result<bool, AppError> {
    if message["msgtype"] == "event" {
        event(app, api, account, &message["event"]).await?;
        return Ok(false);
    }
    if message["origin"].as_i64() != Some(FROM_CUSTOMER) {
        return Ok(false);
    }
    let Some(push) = push(message) else { return Ok(false) };
    let to = WechatAddress { account: account.clone(), user: push.from.clone() };
    match api.kf_state(&to).await {
        Ok(state) if WITH_PEOPLE.contains(&state) => return Ok(false),
        Ok(_) => {}
        // The answer may be refused later; the message must not be lost for that.
        Err(failure) => tracing::warn!(wechat.account = %account, reason = %failure.reason, "no state of a session"),
    }
    let decided = match &push.what {
        What::Text { content } => decide(app, account, &push, content, None).await?,
        What::Location { label, latitude, longitude } => {
            let place = if label.is_empty() { format!("{latitude},{longitude}") } else { label.clone() };
            decide(app, account, &push, &format!("地点：{place}"), None).await?
        }
        What::Link { title, url, .. } => decide(app, account, &push, &format!("{title}\n{url}"), None).await?,
        What::Media { kind, media_id, name, .. } => {
            let id = super::client_id(account, &push);
            let wanted = files::Wanted::new(account, &push.from, id, *kind, media_id, name.as_deref());
            files::take(app, wanted, None).await?
        }
        What::Subscribe { .. }
        | What::Unsubscribe
        | What::Scan { .. }
        | What::Click { .. }
        | What::Enter
        | What::KfMessages { .. }
        | What::Other { .. } => return Ok(false),
    };
    match decided {
        Decided::Answered(leaving) => leaving.let_go().await?,
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

/// Events of a session: a welcome within its twenty seconds, and messages that did not arrive; the others are noted in
/// the log.
async fn event(app: &App, api: &dyn WechatApi, account: &WechatAccount, event: &Value) -> Result<(), AppError> {
    match event["event_type"].as_str().unwrap_or_default() {
        "enter_session" => {
            if let Some(code) = event["welcome_code"].as_str().filter(|code| !code.is_empty())
                && let Err(failure) = api.kf_on_event(account, code, &app.config.brand.welcome).await
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
        other => tracing::debug!(wechat.account = %account, event = other, "an event of 微信客服"),
    }
    Ok(())
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
        "text" => What::Text { content: text("text", "content") },
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
        assert_eq!(message("text", json!({"content": "您好"})), Some(What::Text { content: "您好".into() }));
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
