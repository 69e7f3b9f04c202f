//! WeChat users with their sending windows, messages already received, and what a passive reply carried.
//!
//! A message for a WeChat user that nobody carries back at once has a row in the outbox ([`hold`], in the transaction
//! that stores the message): target [`TARGET`], key [`delivery_key`], payload `{"conversation_id","seq"}`. The replies
//! to a message whose platform waits have none while there is time: the passive reply carries them. What comes too late
//! for it is held back until the platform's three tries are over; a passive reply marks it as sent ([`carry`]) before it
//! leaves, and so does every reply to a repeat: whatever is written later finds the mark.

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::json;

use super::{StoreError, Tx, rows::RowsSql};
use crate::{domain::ids::ConversationId, on_backend, row_struct};

/// Target of the outbox rows that go to WeChat.
pub const TARGET: &str = "wechat";
/// Event of an outbox row that carries a stored message.
pub const EVENT_MESSAGE: &str = "wechat.message";
/// Event of an outbox row that carries words of its own: payload `{"conversation_id","seq","text"}`.
pub const EVENT_TEXT: &str = "wechat.text";
/// Event of an outbox row that carries a stored message about a case: a notice may stand for it.
pub const EVENT_CASE: &str = "wechat.case";

row_struct! {
    /// A user of one WeChat account. Instants are milliseconds UTC.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct WechatUser {
        /// `oa`, `work` or `kf`.
        pub channel: String,
        /// Name of the account in the configuration.
        pub account: String,
        /// openid, UserID or external_userid.
        pub openid: String,
        /// Id across the accounts of one Open Platform subject.
        pub unionid: Option<String>,
        /// `VisitorId` as text.
        pub visitor_id: String,
        /// `ConversationId` as text.
        pub conversation_id: String,
        /// When the user last wrote.
        pub last_inbound_at: Option<i64>,
        /// Messages sent by API since then.
        pub sent_since_inbound: i64,
        /// When the user last tapped a menu, scanned a code or began to follow.
        pub tapped_at: Option<i64>,
        /// Messages sent by API since then.
        pub sent_since_tap: i64,
        /// Whether the user follows the account.
        pub subscribed: bool,
        /// First seen.
        pub created_at: i64,
        /// Last change.
        pub changed_at: i64,
    }
}

impl WechatUser {
    /// When the user last did something that lets the account write.
    pub fn last_action_at(&self) -> Option<i64> {
        self.last_inbound_at.max(self.tapped_at)
    }
}

/// A user to add.
#[derive(Debug, Clone)]
pub struct NewUser<'a> {
    /// `oa`, `work` or `kf`.
    pub channel: &'a str,
    /// Name of the account in the configuration.
    pub account: &'a str,
    /// openid, UserID or external_userid.
    pub openid: &'a str,
    /// `VisitorId` as text.
    pub visitor_id: &'a str,
    /// `ConversationId` as text.
    pub conversation_id: &'a str,
}

/// Adds a user who has not written yet; `false` when the account knows the openid already.
///
/// # Errors
/// `Database`.
pub async fn insert(tx: &mut Tx, new: &NewUser<'_>, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO wechat_users (channel, account, openid, visitor_id, conversation_id, \
        sent_since_inbound, subscribed, created_at, changed_at) VALUES ($1, $2, $3, $4, $5, 0, TRUE, $6, $6) \
        ON CONFLICT (channel, account, openid) DO NOTHING";
    let added = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(new.channel)
        .bind(new.account)
        .bind(new.openid)
        .bind(new.visitor_id)
        .bind(new.conversation_id)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(added == 1)
}

/// The user of an account.
///
/// # Errors
/// `Database`.
pub async fn find(tx: &mut Tx, channel: &str, account: &str, openid: &str) -> Result<Option<WechatUser>, StoreError> {
    const SQL: &str = "SELECT channel, account, openid, unionid, visitor_id, conversation_id, last_inbound_at, \
        sent_since_inbound, tapped_at, sent_since_tap, subscribed, created_at, changed_at FROM wechat_users \
        WHERE channel = $1 AND account = $2 AND openid = $3";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(channel)
        .bind(account)
        .bind(openid)
        .fetch_optional(conn)
        .await?))
}

/// The users whose conversation this is, the one who wrote last first: one, or several after a join.
///
/// # Errors
/// `Database`.
pub async fn of_conversation(tx: &mut Tx, conversation: ConversationId) -> Result<Vec<WechatUser>, StoreError> {
    const SQL: &str = "SELECT channel, account, openid, unionid, visitor_id, conversation_id, last_inbound_at, \
        sent_since_inbound, tapped_at, sent_since_tap, subscribed, created_at, changed_at FROM wechat_users WHERE conversation_id = $1 \
        ORDER BY last_inbound_at IS NULL, last_inbound_at DESC, channel, account, openid";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).fetch_all(conn).await?))
}

/// Sets whether the user follows the account.
///
/// # Errors
/// `Database`.
pub async fn set_subscribed(
    tx: &mut Tx,
    user: &WechatUser,
    subscribed: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE wechat_users SET subscribed = $4, changed_at = $5 \
        WHERE channel = $1 AND account = $2 AND openid = $3";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(user.channel.as_str())
        .bind(user.account.as_str())
        .bind(user.openid.as_str())
        .bind(subscribed)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Counts messages that were sent by API against the allowance of the window.
///
/// # Errors
/// `Database`.
pub async fn count_sent(tx: &mut Tx, user: &WechatUser, messages: i64, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE wechat_users SET sent_since_inbound = sent_since_inbound + $4, changed_at = $5 \
        WHERE channel = $1 AND account = $2 AND openid = $3";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(user.channel.as_str())
        .bind(user.account.as_str())
        .bind(user.openid.as_str())
        .bind(messages)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Key of the outbox row of a message.
pub fn delivery_key(conversation: &str, seq: i64) -> String {
    format!("{conversation}:{seq}")
}

/// A message that has to reach a WeChat user.
#[derive(Debug, Clone)]
pub struct Held {
    /// Id of the outbox row.
    pub id: String,
    /// `ConversationId` as text.
    pub conversation: String,
    /// Number of the message.
    pub seq: i64,
    /// When it is sent at the earliest.
    pub next_at: Timestamp,
}

/// Puts messages into the outbox for WeChat, in the transaction that stores them or later. A message is there once: what
/// waits already keeps the earlier time, what was sent stays sent.
///
/// # Errors
/// `Database`.
pub async fn hold(tx: &mut Tx, messages: &[Held], now: Timestamp) -> Result<(), StoreError> {
    static SQL: LazyLock<RowsSql> = LazyLock::new(|| {
        RowsSql::new(
            "INSERT INTO outbox (id, target, event, key, payload, state, attempts, next_at, created_at) \
             SELECT v.column1, 'wechat', 'wechat.message', v.column2, v.column3, 'ready', 0, v.column4, v.column5 \
             FROM (VALUES ",
            5,
            ") AS v WHERE v.column1 IS NOT NULL ON CONFLICT (target, key) DO UPDATE SET next_at = excluded.next_at \
             WHERE outbox.state = 'ready' AND outbox.next_at > excluded.next_at",
        )
    });
    for part in SQL.parts(tx.is_sqlite(), messages) {
        on_backend!(tx, |conn| {
            let mut query = sqlx::query(part.sql);
            for m in part.rows() {
                query = query
                    .bind(m.map(|m| m.id.as_str()))
                    .bind(m.map(|m| delivery_key(&m.conversation, m.seq)))
                    .bind(m.map(payload))
                    .bind(m.map(|m| m.next_at.as_millisecond()))
                    .bind(m.map(|_| now.as_millisecond()));
            }
            query.execute(conn).await.map(|_| ())
        })?;
    }
    Ok(())
}

fn payload(message: &Held) -> String {
    json!({"conversation_id": message.conversation, "seq": message.seq}).to_string()
}

/// A passive reply about to leave.
#[derive(Debug, Clone)]
pub struct Carried {
    /// The messages it carries.
    pub messages: Vec<Held>,
    /// What of their words did not fit into it.
    pub rest: Option<Rest>,
}

/// Words that follow a passive reply.
#[derive(Debug, Clone)]
pub struct Rest {
    /// Id of the outbox row.
    pub id: String,
    /// The words.
    pub text: String,
    /// When they are sent at the earliest: behind the passive reply.
    pub next_at: Timestamp,
}

/// Marks what passive replies carry as sent, for many at once, whether it waits in the outbox or not. Rows that a sender
/// has claimed already stay with it.
///
/// # Errors
/// `Database`.
pub async fn carry(tx: &mut Tx, replies: &[Carried], now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO outbox (id, target, event, key, payload, state, attempts, next_at, created_at, \
        done_at) SELECT j.value ->> 'id', 'wechat', 'wechat.message', j.value ->> 'key', j.value ->> 'payload', 'sent', \
        0, $2, $2, $2 FROM json_each($1) AS j WHERE TRUE ON CONFLICT (target, key) DO UPDATE SET state = 'sent', \
        held = NULL, held_after = NULL, done_at = excluded.done_at WHERE outbox.state = 'ready'";
    // One entry per message: PostgreSQL refuses to touch a row twice.
    let mut list = std::collections::BTreeMap::new();
    for message in replies.iter().flat_map(|reply| &reply.messages) {
        let key = delivery_key(&message.conversation, message.seq);
        list.entry(key.clone()).or_insert_with(|| json!({"id": message.id, "key": key, "payload": payload(message)}));
    }
    if !list.is_empty() {
        let list: Vec<_> = list.into_values().collect();
        on_backend!(tx, |conn| sqlx::query(SQL)
            .bind(json!(list).to_string())
            .bind(now.as_millisecond())
            .execute(conn)
            .await
            .map(|_| ()))?;
    }
    for reply in replies {
        if let (Some(rest), Some(last)) = (&reply.rest, reply.messages.last()) {
            follow(tx, &last.conversation, last.seq, rest, now).await?;
        }
    }
    Ok(())
}

/// Puts words behind a message into the outbox; once, however often its reply is given.
async fn follow(tx: &mut Tx, conversation: &str, seq: i64, rest: &Rest, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO outbox (id, target, event, key, payload, state, attempts, next_at, created_at) \
        VALUES ($1, 'wechat', 'wechat.text', $2, $3, 'ready', 0, $4, $5) ON CONFLICT (target, key) DO NOTHING";
    let payload = json!({"conversation_id": conversation, "seq": seq, "text": rest.text}).to_string();
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(rest.id.as_str())
        .bind(format!("{}:rest", delivery_key(conversation, seq)))
        .bind(payload)
        .bind(rest.next_at.as_millisecond())
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Lets held messages go at once: no passive reply will carry them.
///
/// # Errors
/// `Database`.
pub async fn let_go(tx: &mut Tx, conversation: ConversationId, seqs: &[i64], now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE outbox SET next_at = $2 WHERE target = 'wechat' AND state = 'ready' AND next_at > $2 \
        AND key IN (SELECT value ->> 'key' FROM json_each($1))";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(keys(conversation, seqs))
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Which of these messages went out by API, or are on their way: their numbers.
///
/// # Errors
/// `Database`.
pub async fn gone_out(tx: &mut Tx, conversation: ConversationId, seqs: &[i64]) -> Result<Vec<i64>, StoreError> {
    const SQL: &str = "SELECT key FROM outbox WHERE target = 'wechat' AND (state = 'sending' OR progress > 0) \
        AND key IN (SELECT value ->> 'key' FROM json_each($1))";
    let gone: Vec<(String,)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(keys(conversation, seqs)).fetch_all(conn).await?);
    Ok(gone.iter().filter_map(|(key,)| key.rsplit(':').next().and_then(|seq| seq.parse().ok())).collect())
}

/// Takes waiting messages out of the outbox because they are about to be said in another way; their numbers. Those that
/// a sender has, or that were sent, are not among them.
///
/// # Errors
/// `Database`.
pub async fn take_out(
    tx: &mut Tx,
    conversation: ConversationId,
    seqs: &[i64],
    now: Timestamp,
) -> Result<Vec<i64>, StoreError> {
    const SQL: &str = "UPDATE outbox SET state = 'sent', held = NULL, held_after = NULL, done_at = $2 \
        WHERE target = 'wechat' AND state = 'ready' AND key IN (SELECT value ->> 'key' FROM json_each($1)) \
        RETURNING key";
    let taken: Vec<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(keys(conversation, seqs))
        .bind(now.as_millisecond())
        .fetch_all(conn)
        .await?);
    let number = |(key,): &(String,)| key.rsplit(':').next().and_then(|seq| seq.parse().ok());
    Ok(taken.iter().filter_map(number).collect())
}

/// Puts back what [`take_out`] took: it was not said after all.
///
/// # Errors
/// `Database`.
pub async fn put_back(
    tx: &mut Tx,
    conversation: ConversationId,
    seqs: &[i64],
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE outbox SET state = 'ready', next_at = $2, done_at = NULL WHERE target = 'wechat' \
        AND state = 'sent' AND key IN (SELECT value ->> 'key' FROM json_each($1))";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(keys(conversation, seqs))
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The keys of these messages as rows for `json_each`.
fn keys(conversation: ConversationId, seqs: &[i64]) -> String {
    let conversation = conversation.to_string();
    json!(seqs.iter().map(|seq| json!({"key": delivery_key(&conversation, *seq)})).collect::<Vec<_>>()).to_string()
}

/// Messages of the conversation that still wait in the outbox.
///
/// # Errors
/// `Database`.
pub async fn waiting(tx: &mut Tx, conversation: ConversationId) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM outbox WHERE target = 'wechat' AND state IN ('ready', 'sending') \
        AND key LIKE $1";
    let row: (i64,) =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(format!("{conversation}:%")).fetch_one(conn).await?);
    Ok(row.0)
}

/// What is known of a platform message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// It came for the first time and is noted now.
    New,
    /// It came before; its answer is not known yet.
    Running,
    /// It came before and was answered with this text.
    Done(Option<String>),
}

/// Notes a platform message by its key; tells whether it came before.
///
/// # Errors
/// `Database`.
pub async fn receive(
    tx: &mut Tx,
    key: &str,
    channel: &str,
    account: &str,
    now: Timestamp,
) -> Result<Received, StoreError> {
    const INSERT: &str = "INSERT INTO wechat_received (key, channel, account, state, received_at) \
        VALUES ($1, $2, $3, 'running', $4) ON CONFLICT (key) DO NOTHING";
    const FIND: &str = "SELECT state, reply FROM wechat_received WHERE key = $1";
    let added = on_backend!(tx, |conn| sqlx::query(INSERT)
        .bind(key)
        .bind(channel)
        .bind(account)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    if added == 1 {
        return Ok(Received::New);
    }
    let row: Option<(String, Option<String>)> =
        on_backend!(tx, |conn| sqlx::query_as(FIND).bind(key).fetch_optional(conn).await?);
    Ok(match row {
        Some((state, reply)) if state == "done" => Received::Done(reply),
        Some(_) | None => Received::Running,
    })
}

/// Notes what has to be done for a received message, so that a restart takes it up.
///
/// # Errors
/// `Database`.
pub async fn note(tx: &mut Tx, key: &str, payload: &str) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE wechat_received SET payload = $2 WHERE key = $1";
    on_backend!(tx, |conn| sqlx::query(SQL).bind(key).bind(payload).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// What was begun and not finished, the oldest first.
///
/// # Errors
/// `Database`.
pub async fn unfinished(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    const SQL: &str = "SELECT payload FROM wechat_received WHERE state = 'running' AND payload IS NOT NULL \
        ORDER BY received_at, key LIMIT 1000";
    let rows: Vec<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(payload,)| payload).collect())
}

/// How far the messages of a 微信客服 account were read; `None` before the first time.
///
/// # Errors
/// `Database`.
pub async fn cursor(tx: &mut Tx, account: &str, open_kfid: &str) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT cursor FROM wechat_cursors WHERE account = $1 AND open_kfid = $2";
    let row: Option<(String,)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(open_kfid).fetch_optional(conn).await?);
    Ok(row.map(|(cursor,)| cursor))
}

/// Stores how far the messages were read, from where they were read; `false` when somebody else has moved it: a slower
/// reader never moves it back.
///
/// # Errors
/// `Database`.
pub async fn move_cursor(
    tx: &mut Tx,
    account: &str,
    open_kfid: &str,
    from: &str,
    to: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO wechat_cursors (account, open_kfid, cursor, changed_at) VALUES ($1, $2, $4, $5) \
        ON CONFLICT (account, open_kfid) DO UPDATE SET cursor = excluded.cursor, changed_at = excluded.changed_at \
        WHERE wechat_cursors.cursor = $3";
    let moved = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(open_kfid)
        .bind(from)
        .bind(to)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(moved == 1)
}

/// Stores the answer to a platform message.
///
/// # Errors
/// `Database`.
pub async fn answered(tx: &mut Tx, key: &str, reply: Option<&str>) -> Result<(), StoreError> {
    // The openid and the file's id are needed no more.
    const SQL: &str = "UPDATE wechat_received SET state = 'done', reply = $2, payload = NULL WHERE key = $1";
    on_backend!(tx, |conn| sqlx::query(SQL).bind(key).bind(reply).execute(conn).await.map(|_| ()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        conversations::{self, NewVisitor},
        wechat_out,
    };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    async fn with_user(tx: &mut Tx) -> ConversationId {
        let conversation: ConversationId = "01934567-89ab-7000-8000-000000000002".parse().unwrap();
        let visitor = NewVisitor {
            id: "01934567-89ab-7000-8000-000000000001".parse().unwrap(),
            conversation,
            token_hash: "h",
            user_id: None,
            name: None,
            locale: None,
            channel: "wechat_oa",
            external_id: Some("main:o1"),
            dialogue: "{}",
            expires_at: at(9_000),
        };
        conversations::insert(tx, &visitor, at(1)).await.unwrap();
        let (visitor_id, conversation_id) = (visitor.id.to_string(), conversation.to_string());
        let new = NewUser {
            channel: "oa",
            account: "main",
            openid: "o1",
            visitor_id: &visitor_id,
            conversation_id: &conversation_id,
        };
        assert!(insert(tx, &new, at(1)).await.unwrap());
        assert!(!insert(tx, &new, at(2)).await.unwrap(), "the openid is known");
        conversation
    }

    fn held(conversation: ConversationId, seq: i64, next_at: i64) -> Held {
        Held { id: format!("x{seq}"), conversation: conversation.to_string(), seq, next_at: at(next_at) }
    }

    crate::store_test! {
        async fn what_a_passive_reply_carries_is_sent_once_and_for_all(db: Db) {
            let mut tx = db.write().await.unwrap();
            let conversation = with_user(&mut tx).await;
            hold(&mut tx, &[held(conversation, 2, 100), held(conversation, 3, 100), held(conversation, 5, 50)], at(10)).await.unwrap();
            hold(&mut tx, &[held(conversation, 2, 100)], at(11)).await.unwrap();
            assert_eq!(waiting(&mut tx, conversation).await.unwrap(), 3, "a message is held once");
            let user = find(&mut tx, "oa", "main", "o1").await.unwrap().unwrap();
            count_sent(&mut tx, &user, 2, at(12)).await.unwrap();
            let carried = |seqs: &[i64]| Carried {
                messages: seqs.iter().map(|seq| Held { id: format!("y{seq}"), ..held(conversation, *seq, 0) }).collect(),
                rest: None,
            };
            carry(&mut tx, &[carried(&[2]), carried(&[3, 9]), carried(&[3])], at(21)).await.unwrap();
            assert_eq!(waiting(&mut tx, conversation).await.unwrap(), 1, "what was carried does not wait");
            hold(&mut tx, &[held(conversation, 9, 30), held(conversation, 3, 30)], at(22)).await.unwrap();
            assert_eq!(waiting(&mut tx, conversation).await.unwrap(), 1, "and never will, whoever comes later");
            hold(&mut tx, &[held(conversation, 5, 40)], at(22)).await.unwrap();
            assert!(wechat_out::claim(&mut tx, at(39), at(39), 10).await.unwrap().is_empty());
            let due = wechat_out::claim(&mut tx, at(40), at(300), 10).await.unwrap();
            assert_eq!(due.iter().map(|row| row.key.clone()).collect::<Vec<_>>(), [delivery_key(&conversation.to_string(), 5)]);
            assert_eq!(due[0].payload, json!({"conversation_id": conversation.to_string(), "seq": 5}).to_string());
            assert_eq!(due[0].event, EVENT_MESSAGE);
            carry(&mut tx, &[carried(&[5])], at(41)).await.unwrap();
            assert_eq!(waiting(&mut tx, conversation).await.unwrap(), 1, "what a sender has stays with it");
            assert_eq!(of_conversation(&mut tx, conversation).await.unwrap().len(), 1);
            set_subscribed(&mut tx, &user, false, at(40)).await.unwrap();
            assert!(!find(&mut tx, "oa", "main", "o1").await.unwrap().unwrap().subscribed);
            tx.commit().await.unwrap();
        }
    }

    crate::store_test! {
        async fn a_platform_message_is_received_once_and_its_answer_is_kept(db: Db) {
            let mut tx = db.write().await.unwrap();
            assert_eq!(receive(&mut tx, "k", "oa", "main", at(1)).await.unwrap(), Received::New);
            assert_eq!(receive(&mut tx, "k", "oa", "main", at(2)).await.unwrap(), Received::Running);
            note(&mut tx, "k", "{}").await.unwrap();
            assert_eq!(unfinished(&mut tx).await.unwrap(), ["{}"]);
            answered(&mut tx, "k", Some("您好")).await.unwrap();
            assert!(unfinished(&mut tx).await.unwrap().is_empty());
            assert_eq!(cursor(&mut tx, "main", "wk").await.unwrap(), None);
            for (from, to, moved) in [("", "c1", true), ("c1", "c2", true), ("c1", "c3", false)] {
                assert_eq!(move_cursor(&mut tx, "main", "wk", from, to, at(1)).await.unwrap(), moved, "{from} {to}");
            }
            assert_eq!(cursor(&mut tx, "main", "wk").await.unwrap().as_deref(), Some("c2"));
            assert_eq!(receive(&mut tx, "k", "oa", "main", at(3)).await.unwrap(), Received::Done(Some("您好".into())));
            tx.commit().await.unwrap();
        }
    }
}
