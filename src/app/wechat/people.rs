//! WeChat users as visitors: found or made, remembered, forgotten when they leave.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::SignedDuration;

use super::channel;
use crate::{
    app::{App, AppError, hash_secret, message::MessageBody},
    domain::ids::{ConversationId, VisitorId},
    ports::wechat::{WechatAccount, WechatAddress},
    store::{
        Tx,
        conversations::{self, NewVisitor},
        upkeep,
        wechat::{self, NewUser},
        wechat_gone,
        wechat_in::{self, Seen},
        wechat_oauth,
    },
};

/// Users remembered in memory, so that a message costs no look-up.
const MOST_KNOWN: usize = 100_000;
/// A WeChat user needs no token; the column wants an end.
const FOR_LONG: SignedDuration = SignedDuration::from_hours(24 * 365 * 30);
/// Messages looked through for the options that a number picks from.
const LOOK_BACK: i64 = 8;

/// Users seen lately.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<HashMap<(WechatAccount, String), ConversationId>>);

impl Known {
    fn get(&self, account: &WechatAccount, openid: &str) -> Option<ConversationId> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(account.clone(), openid.to_owned())).copied()
    }

    fn put(&self, account: &WechatAccount, openid: &str, conversation: ConversationId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert((account.clone(), openid.to_owned()), conversation);
    }
}

/// A user of an account with the conversation.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account.
    pub account: WechatAccount,
    /// openid, UserID or external_userid.
    pub openid: String,
    /// The conversation.
    pub conversation: ConversationId,
}

/// Forgets what is remembered in memory of a user.
pub(super) fn unknown(app: &App, account: &WechatAccount, openid: &str) {
    let mut known = app.wechat.people.0.lock().unwrap_or_else(PoisonError::into_inner);
    known.remove(&(account.clone(), openid.to_owned()));
}

/// The user, if the account knows one by this id.
///
/// # Errors
/// `Store`.
pub async fn who(app: &App, account: &WechatAccount, openid: &str) -> Result<Option<Person>, AppError> {
    let mut tx = app.db.read().await?;
    found(&mut tx, account, openid).await
}

async fn found(tx: &mut Tx, account: &WechatAccount, openid: &str) -> Result<Option<Person>, AppError> {
    let Some(user) = wechat::find(tx, account.kind.as_str(), &account.name, openid).await? else { return Ok(None) };
    let conversation =
        user.conversation_id.parse().map_err(|_| AppError::Internal("conversation of a WeChat user".into()))?;
    Ok(Some(Person { account: account.clone(), openid: openid.to_owned(), conversation }))
}

/// The user with the conversation; made at the first message.
///
/// # Errors
/// `Store`.
pub(super) async fn person(app: &App, account: &WechatAccount, openid: &str) -> Result<Person, AppError> {
    if let Some(conversation) = app.wechat.people.get(account, openid) {
        return Ok(Person { account: account.clone(), openid: openid.to_owned(), conversation });
    }
    // Boxed: the rare case must not make every message's task large.
    Box::pin(look_up(app, account, openid)).await
}

async fn look_up(app: &App, account: &WechatAccount, openid: &str) -> Result<Person, AppError> {
    let person = match who(app, account, openid).await? {
        Some(person) => person,
        None => match make(app, account, openid).await {
            // Another gateway was first.
            Err(AppError::Store(error)) if error.is_unique_violation() => {
                who(app, account, openid).await?.ok_or(AppError::Store(error))?
            }
            made => made?,
        },
    };
    app.wechat.people.put(account, openid, person.conversation);
    Ok(person)
}

async fn make(app: &App, account: &WechatAccount, openid: &str) -> Result<Person, AppError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    if let Some(person) = found(&mut tx, account, openid).await? {
        tx.rollback().await?;
        return Ok(person);
    }
    let visitor = VisitorId::from_uuid(app.ids.uuid(now));
    let conversation = ConversationId::from_uuid(app.ids.uuid(now));
    let new = NewVisitor {
        id: visitor,
        conversation,
        // Nobody has the token: this visitor comes through WeChat only.
        token_hash: &hash_secret(&app.secret("zw_")),
        user_id: None,
        name: None,
        locale: Some("zh-CN"),
        channel: channel(account.kind).as_str(),
        external_id: Some(&format!("{}:{openid}", account.name)),
        dialogue: "{}",
        expires_at: now.saturating_add(FOR_LONG).unwrap_or(now),
    };
    conversations::insert(&mut tx, &new, now).await?;
    let (visitor_id, conversation_id) = (visitor.to_string(), conversation.to_string());
    let user = NewUser {
        channel: account.kind.as_str(),
        account: &account.name,
        openid,
        visitor_id: &visitor_id,
        conversation_id: &conversation_id,
    };
    wechat::insert(&mut tx, &user, now).await?;
    tx.commit().await?;
    Ok(Person { account: account.clone(), openid: openid.to_owned(), conversation })
}

/// Notes that the user follows the account.
///
/// # Errors
/// `Store`.
pub(super) async fn follows(app: &App, person: &Person) -> Result<(), AppError> {
    let mut tx = app.db.write().await?;
    let user = wechat::find(&mut tx, person.account.kind.as_str(), &person.account.name, &person.openid).await?;
    match user {
        Some(user) if !user.subscribed => {
            wechat::set_subscribed(&mut tx, &user, true, app.now()).await?;
            tx.commit().await?;
        }
        Some(_) | None => tx.rollback().await?,
    }
    Ok(())
}

/// Asks the platform for the id that a new follower has at all accounts of its subject, beside the answer.
pub(super) fn learn_union_id(app: &App, account: &WechatAccount, openid: &str) {
    let Some(api) = app.wechat.api() else { return };
    let (app, to) = (app.clone(), WechatAddress { account: account.clone(), user: openid.to_owned() });
    tokio::spawn(async move {
        match api.union_id(&to).await {
            Ok(Some(unionid)) => {
                if let Err(error) = set_union_id(&app, &to, &unionid).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a unionid was not kept");
                }
            }
            Ok(None) => {}
            Err(failure) => tracing::debug!(account = %to.account, reason = %failure.reason, "no unionid"),
        }
    });
}

async fn set_union_id(app: &App, to: &WechatAddress, unionid: &str) -> Result<(), AppError> {
    let mut tx = app.db.write().await?;
    if let Some(user) = wechat::find(&mut tx, to.account.kind.as_str(), &to.account.name, &to.user).await? {
        wechat_oauth::set_unionid(&mut tx, &user, unionid, app.now()).await?;
    }
    Ok(tx.commit().await?)
}

/// Opens the short window of a user who tapped, scanned or began to follow.
///
/// # Errors
/// `Store`.
pub(super) async fn tapped(app: &App, account: &WechatAccount, openid: &str) -> Result<(), AppError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    if let Some(user) = wechat::find(&mut tx, account.kind.as_str(), &account.name, openid).await? {
        let seen = Seen {
            channel: account.kind.as_str(),
            account: account.name.clone(),
            openid: openid.to_owned(),
            conversation: user.conversation_id,
            at: now,
            tap: true,
        };
        wechat_in::tapped(&mut tx, &seen).await?;
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    app.wake.wechat.notify_one();
    Ok(())
}

/// The user left: the platform wants the data gone. What was only talked about goes at once, with its files; a matter
/// that was filed stays, as the law wants it, but nothing connects it with the WeChat user any more.
///
/// # Errors
/// `Store`.
pub(super) async fn forget(app: &App, account: &WechatAccount, openid: &str) -> Result<(), AppError> {
    unknown(app, account, openid);
    let now = app.now();
    let mut tx = app.db.write().await?;
    let Some(user) = wechat::find(&mut tx, account.kind.as_str(), &account.name, openid).await? else {
        tx.rollback().await?;
        return Ok(());
    };
    let own_alone = wechat_gone::disconnect(&mut tx, &user, now).await?;
    let mut going = wechat_gone::forget_traces(&mut tx, &user, now).await?;
    if own_alone {
        going.push(user.conversation_id.clone());
    }
    let mut files = Vec::new();
    if !going.is_empty() {
        let after = now.saturating_add(SignedDuration::from_millis(1)).unwrap_or(now);
        (_, files) = upkeep::delete_conversations(&mut tx, &going, after).await?;
    }
    tx.commit().await?;
    for file in files {
        crate::app::attachments::remove(app, &file).await?;
    }
    Ok(())
}

/// The option that a bare number picks: of the last message with options, if the user has not spoken since.
///
/// # Errors
/// `Store`.
pub(super) async fn picked(app: &App, person: &Person, words: &str) -> Result<Option<String>, AppError> {
    match number(words) {
        Some(number) => Box::pin(option(app, person, number)).await,
        None => Ok(None),
    }
}

async fn option(app: &App, person: &Person, number: usize) -> Result<Option<String>, AppError> {
    let (rows, row) = {
        let mut tx = app.db.read().await?;
        let rows = conversations::last_messages(&mut tx, person.conversation, LOOK_BACK).await?;
        (rows, conversations::find(&mut tx, person.conversation).await?)
    };
    let with_a_person = row.is_some_and(|row| matches!(row.state.as_str(), "queued" | "human"));
    for row in rows.iter().rev().take_while(|row| row.sender != "visitor") {
        // A number said to a person is an answer to the person.
        if row.sender == "officer" {
            return Ok(None);
        }
        let body = MessageBody::from_column(row.body.as_deref());
        if !body.quick_replies.is_empty() {
            if with_a_person && row.sender == "bot" {
                return Ok(None);
            }
            return Ok(number.checked_sub(1).and_then(|n| body.quick_replies.get(n)).map(|button| button.text.clone()));
        }
    }
    Ok(None)
}

/// The option behind an entry of a menu message: `SEQ.NUMBER`, as we had named it.
///
/// # Errors
/// `Store`.
pub(super) async fn chosen(app: &App, person: &Person, id: &str) -> Result<Option<String>, AppError> {
    let Some((Ok(seq), Ok(number))) =
        id.split_once('.').map(|(seq, number)| (seq.parse::<i64>(), number.parse::<usize>()))
    else {
        return Ok(None);
    };
    let rows = {
        let mut tx = app.db.read().await?;
        conversations::messages_after(&mut tx, person.conversation, seq.saturating_sub(1), 1).await?
    };
    let row = rows.into_iter().find(|row| row.seq == seq && row.sender != "visitor");
    let body = MessageBody::from_column(row.as_ref().and_then(|row| row.body.as_deref()));
    Ok(number.checked_sub(1).and_then(|n| body.quick_replies.get(n)).map(|button| button.text.clone()))
}

/// `2`, `２`, `2.`, `2、`; nothing else is a choice.
fn number(words: &str) -> Option<usize> {
    let digits: String = words
        .trim()
        .trim_end_matches(['.', '。', '、', '．', ')', '）'])
        .chars()
        .map(|c| match c {
            '０'..='９' => char::from_u32(u32::from(c) - u32::from('０') + u32::from('0')).unwrap_or(c),
            _ => c,
        })
        .collect();
    (1..=2).contains(&digits.len()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_number_is_a_choice() {
        for (words, expected) in [
            ("2", Some(2)),
            (" ２ ", Some(2)),
            ("1、", Some(1)),
            ("3.", Some(3)),
            ("12", Some(12)),
            ("123", None),
            ("2个", None),
            ("", None),
            ("二", None),
        ] {
            assert_eq!(number(words), expected, "{words}");
        }
    }
}
