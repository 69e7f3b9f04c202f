//! Messages on their way to WeChat users: claimed in the order of their conversation, sent piece by piece, held while
//! the platform does not let the account write.
//!
//! They are entries of the outbox with the target `wechat` and a key that begins with the id of the conversation.
//! At most one entry of a conversation is under way, however many gateways there are.

use jiff::Timestamp;
use serde_json::json;

use super::{
    StoreError, Tx,
    outbox::{self, OutboxRow, columns},
    wechat::WechatUser,
};
use crate::{domain::ids::ConversationId, on_backend};

/// Lets go what was held for users who have written since; returns how many.
///
/// # Errors
/// `Database`.
pub async fn release(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    const SQL: &str = "UPDATE outbox SET held = NULL, held_after = NULL, next_at = $1, last_error = NULL \
        WHERE target = 'wechat' AND state = 'ready' AND held IS NOT NULL AND (EXISTS (SELECT 1 FROM wechat_users w \
        WHERE w.conversation_id = substr(outbox.key, 1, 36) \
        AND (w.last_inbound_at > outbox.held_after OR w.tapped_at > outbox.held_after)) \
        OR EXISTS (SELECT 1 FROM conversations c WHERE c.id = substr(outbox.key, 1, 36) \
        AND c.channel LIKE 'wechat%' AND c.visitor_at > outbox.held_after))";
    Ok(on_backend!(tx, |conn| sqlx::query(SQL).bind(now.as_millisecond()).execute(conn).await?.rows_affected()))
}

/// Claims up to `limit` entries that are due, of each conversation only the first that is not done.
///
/// # Errors
/// `Database`.
pub async fn claim(
    tx: &mut Tx,
    now: Timestamp,
    lease_until: Timestamp,
    limit: i64,
) -> Result<Vec<OutboxRow>, StoreError> {
    // News of a case does not wait for what is held: a notice may go where words may not.
    // Keys of one conversation differ in their number, so the longer one is the later one. The state is tested again
    // outside the subquery: PostgreSQL looks at it anew after waiting for a row.
    const SQL: &str = concat!(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1, lease_until = $2 WHERE id IN \
        (SELECT o.id FROM outbox o WHERE o.target = 'wechat' AND o.held IS NULL \
            AND ((o.state = 'ready' AND o.next_at <= $1) OR (o.state = 'sending' AND o.lease_until <= $1)) \
            AND NOT EXISTS (SELECT 1 FROM outbox b WHERE b.target = 'wechat' AND b.state IN ('ready', 'sending') \
                AND substr(b.key, 1, 36) = substr(o.key, 1, 36) AND NOT (o.event = 'wechat.case' AND b.held IS NOT NULL) \
                AND (b.created_at, length(b.key), b.key) < (o.created_at, length(o.key), o.key)) \
            ORDER BY o.next_at, o.id LIMIT $3) \
        AND ((state = 'ready' AND next_at <= $1) OR (state = 'sending' AND lease_until <= $1)) \
        RETURNING ",
        columns!()
    );
    outbox::claim_by(tx, SQL, now, lease_until, limit).await
}

/// Ends the leases of a process that is gone. Only for the one process of an SQLite database, at its start.
///
/// # Errors
/// `Database`.
pub async fn end_leases(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    const SQL: &str = "UPDATE outbox SET lease_until = $1 WHERE target = 'wechat' AND state = 'sending'";
    Ok(on_backend!(tx, |conn| sqlx::query(SQL).bind(now.as_millisecond()).execute(conn).await?.rows_affected()))
}

/// Notes that the platform took another piece and counts it against the user's allowance.
///
/// # Errors
/// `Database`.
pub async fn progressed(
    tx: &mut Tx,
    id: &str,
    progress: i64,
    lease_until: Timestamp,
    user: &WechatUser,
) -> Result<(), StoreError> {
    const STEP: &str = "UPDATE outbox SET progress = $2, lease_until = $3, attempts = 1 \
        WHERE id = $1 AND state = 'sending'";
    // Only if the user has not written in between: that made the count new.
    const COUNT: &str = "UPDATE wechat_users SET sent_since_inbound = sent_since_inbound + 1, \
        sent_since_tap = sent_since_tap + 1 \
        WHERE channel = $1 AND account = $2 AND openid = $3 AND COALESCE(last_inbound_at, 0) = $4";
    on_backend!(tx, |conn| sqlx::query(STEP)
        .bind(id)
        .bind(progress)
        .bind(lease_until.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    on_backend!(tx, |conn| sqlx::query(COUNT)
        .bind(user.channel.as_str())
        .bind(user.account.as_str())
        .bind(user.openid.as_str())
        .bind(user.last_inbound_at.unwrap_or(0))
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Opens the window of a user whose message was stored but not counted, because the process died in between.
///
/// # Errors
/// `Database`.
pub async fn catch_up(tx: &mut Tx, user: &WechatUser, wrote_at: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE wechat_users SET last_inbound_at = $4, sent_since_inbound = 0 \
        WHERE channel = $1 AND account = $2 AND openid = $3 AND COALESCE(last_inbound_at, 0) < $4";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(user.channel.as_str())
        .bind(user.account.as_str())
        .bind(user.openid.as_str())
        .bind(wrote_at)
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Holds an entry until the user writes again after `held_after` (milliseconds UTC).
///
/// # Errors
/// `Database`.
pub async fn hold(tx: &mut Tx, id: &str, why: &str, words: &str, held_after: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE outbox SET state = 'ready', held = $2, held_after = $3, last_error = $4, attempts = 0, \
        lease_until = NULL WHERE id = $1 AND state = 'sending'";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id)
        .bind(why)
        .bind(held_after)
        .bind(words)
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Notes that the platform counts more messages than we do: the allowance is used up.
///
/// # Errors
/// `Database`.
pub async fn used_up(tx: &mut Tx, user: &WechatUser, allowance: i64) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE wechat_users SET sent_since_inbound = CASE WHEN sent_since_inbound < $5 THEN $5 \
        ELSE sent_since_inbound END, sent_since_tap = CASE WHEN sent_since_tap < $5 THEN $5 ELSE sent_since_tap END \
        WHERE channel = $1 AND account = $2 AND openid = $3 AND COALESCE(last_inbound_at, 0) = $4";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(user.channel.as_str())
        .bind(user.account.as_str())
        .bind(user.openid.as_str())
        .bind(user.last_inbound_at.unwrap_or(0))
        .bind(allowance)
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Whether the platform refused a message of the conversation because nothing may be sent since `last_action`
/// (milliseconds UTC), the last thing that the user did.
///
/// # Errors
/// `Database`.
pub async fn is_closed(tx: &mut Tx, conversation: ConversationId, last_action: i64) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM outbox WHERE target = 'wechat' AND state = 'ready' \
        AND held IN ('window', 'session') AND held_after >= $2 AND attempts = 0 AND substr(key, 1, 36) = $1";
    let found: (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(conversation.to_string())
        .bind(last_action)
        .fetch_one(conn)
        .await?);
    Ok(found.0 > 0)
}

/// Messages of a conversation that did not arrive yet or never will, in order.
///
/// # Errors
/// `Database`.
pub async fn undelivered(tx: &mut Tx, conversation: ConversationId) -> Result<Vec<OutboxRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM outbox WHERE target = 'wechat' AND substr(key, 1, 36) = $1 AND state <> 'sent' \
        ORDER BY created_at, length(key), key LIMIT 300"
    );
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).fetch_all(conn).await?))
}

/// What was sent into a conversation lately, the last first.
///
/// # Errors
/// `Database`.
pub async fn sent_lately(tx: &mut Tx, conversation: ConversationId) -> Result<Vec<OutboxRow>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM outbox WHERE target = 'wechat' AND substr(key, 1, 36) = $1 AND state = 'sent' \
        ORDER BY done_at DESC LIMIT 50"
    );
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).fetch_all(conn).await?))
}

/// The platform took a message and then could not deliver its piece `piece`: from there on it is to be sent again, under
/// another name. It is a dead letter, or it waits for the user (`held`: why, and after which action). `false` when it is
/// neither sent nor on its way.
///
/// # Errors
/// `Database`.
pub async fn bounced(
    tx: &mut Tx,
    id: &str,
    piece: i64,
    reason: &str,
    held: Option<(&str, i64)>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE outbox SET state = $3, held = $4, held_after = $5, progress = $6, bounces = bounces + 1, \
        attempts = 0, last_error = $2, lease_until = NULL, done_at = CASE WHEN $4 IS NULL THEN $7 END \
        WHERE id = $1 AND state = 'sent'";
    let done = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id)
        .bind(reason)
        .bind(if held.is_some() { "ready" } else { "dead" })
        .bind(held.map(|(why, _)| why))
        .bind(held.map(|(_, after)| after))
        .bind(piece)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done > 0)
}

/// Client id and time (milliseconds UTC) of the visitor's last message: those that came through WeChat have an id of
/// ours, which begins with `wx-`.
///
/// # Errors
/// `Database`.
pub async fn last_said(tx: &mut Tx, conversation: ConversationId) -> Result<Option<(Option<String>, i64)>, StoreError> {
    const SQL: &str = "SELECT client_id, at FROM messages WHERE conversation_id = $1 AND sender = 'visitor' \
        ORDER BY seq DESC LIMIT 1";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).fetch_optional(conn).await?))
}

/// Whether another message with these words was sent into the conversation since this moment.
///
/// # Errors
/// `Database`.
pub async fn said_since(
    tx: &mut Tx,
    conversation: ConversationId,
    seq: i64,
    text: &str,
    since: Timestamp,
) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM outbox o JOIN messages m ON m.conversation_id = $1 \
        AND o.key = m.conversation_id || ':' || CAST(m.seq AS TEXT) WHERE o.target = 'wechat' \
        AND substr(o.key, 1, 36) = $1 AND o.progress > 0 AND (o.done_at IS NULL OR o.done_at > $4) \
        AND m.seq <> $2 AND m.text = $3";
    let row: (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(conversation.to_string())
        .bind(seq)
        .bind(text)
        .bind(since.as_millisecond())
        .fetch_one(conn)
        .await?);
    Ok(row.0 > 0)
}

/// What waits in a conversation goes out in the one where the person speaks from now on; it is still read where it was
/// written.
///
/// # Errors
/// `Database`.
pub async fn move_waiting(tx: &mut Tx, former: &str, into: &str) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE outbox SET key = $2 || ':' || key WHERE target = 'wechat' AND substr(key, 1, 36) = $1 \
        AND state IN ('ready', 'dead')";
    on_backend!(tx, |conn| sqlx::query(SQL).bind(former).bind(into).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Whether an earlier message of the conversation is held.
///
/// # Errors
/// `Database`.
pub async fn held_before(tx: &mut Tx, row: &OutboxRow) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT COUNT(*) FROM outbox b WHERE b.target = 'wechat' AND b.state = 'ready' \
        AND b.held IS NOT NULL AND substr(b.key, 1, 36) = substr($1, 1, 36) \
        AND (b.created_at, length(b.key), b.key) < ($2, length($1), $1)";
    let found: (i64,) =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(row.key.as_str()).bind(row.created_at).fetch_one(conn).await?);
    Ok(found.0 > 0)
}

/// Notes the platform's number of a notice.
///
/// # Errors
/// `Database`.
pub async fn set_notice(tx: &mut Tx, id: &str, notice: &str) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE outbox SET notice_id = $2 WHERE id = $1";
    on_backend!(tx, |conn| sqlx::query(SQL).bind(id).bind(notice).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// The platform could not deliver a notice after all: its words wait for the user. `false` when no notice of this
/// conversation has this number.
///
/// # Errors
/// `Database`.
pub async fn notice_failed(
    tx: &mut Tx,
    conversation: &str,
    notice: &str,
    words: &str,
    held_after: i64,
) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE outbox SET state = 'ready', held = 'window', held_after = $4, last_error = $3, \
        progress = 0, attempts = 0, done_at = NULL, notice_id = NULL \
        WHERE target = 'wechat' AND notice_id = $2 AND state = 'sent' AND substr(key, 1, 36) = $1";
    let done = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(conversation)
        .bind(notice)
        .bind(words)
        .bind(held_after)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done > 0)
}

/// A message to hand over to WeChat.
#[derive(Debug, Clone)]
pub struct ToDeliver<'a> {
    /// Id of the message, also that of its entry.
    pub id: &'a str,
    /// `ConversationId` as text.
    pub conversation: &'a str,
    /// Number of the message.
    pub seq: i64,
    /// Whether it is news of a case.
    pub about_case: bool,
}

/// Hands messages over in the transaction that stores them, as far as their conversation belongs to a WeChat user;
/// returns how many. A message is handed over once.
///
/// # Errors
/// `Database`.
pub async fn deliver(tx: &mut Tx, messages: &[ToDeliver<'_>], now: Timestamp) -> Result<u64, StoreError> {
    const SQL: &str = "INSERT INTO outbox (id, target, event, key, payload, state, attempts, next_at, created_at) \
        SELECT j.value ->> 'id', 'wechat', j.value ->> 'event', j.value ->> 'key', j.value ->> 'payload', 'ready', 0, \
        $2, $2 FROM json_each($1) AS j WHERE EXISTS (SELECT 1 FROM wechat_users w \
        WHERE w.conversation_id = j.value ->> 'conversation') ON CONFLICT DO NOTHING";
    if messages.is_empty() {
        return Ok(0);
    }
    let list: Vec<_> = messages
        .iter()
        .map(|m| {
            let payload = json!({"conversation_id": m.conversation, "seq": m.seq}).to_string();
            let key = super::wechat::delivery_key(m.conversation, m.seq);
            let event = if m.about_case { super::wechat::EVENT_CASE } else { super::wechat::EVENT_MESSAGE };
            json!({"id": m.id, "event": event, "key": key, "payload": payload, "conversation": m.conversation})
        })
        .collect();
    Ok(on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(json!(list).to_string())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        conversations::{self, NewVisitor},
        wechat::{self, NewUser},
        wechat_in::{self, Seen},
    };

    const CONVERSATION: &str = "01934567-89ab-7000-8000-000000000002";

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    async fn user(tx: &mut Tx) -> WechatUser {
        let visitor = NewVisitor {
            id: "01934567-89ab-7000-8000-000000000001".parse().unwrap(),
            conversation: CONVERSATION.parse().unwrap(),
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
        let visitor_id = visitor.id.to_string();
        let new = NewUser {
            channel: "oa",
            account: "main",
            openid: "o1",
            visitor_id: &visitor_id,
            conversation_id: CONVERSATION,
        };
        assert!(wechat::insert(tx, &new, at(1)).await.unwrap());
        inbound(tx, 5).await
    }

    async fn inbound(tx: &mut Tx, ms: i64) -> WechatUser {
        let seen = Seen {
            channel: "oa",
            account: "main".into(),
            openid: "o1".into(),
            conversation: CONVERSATION.into(),
            at: at(ms),
            tap: false,
        };
        wechat_in::open_windows(tx, &[seen]).await.unwrap();
        wechat::find(tx, "oa", "main", "o1").await.unwrap().unwrap()
    }

    fn message(seq: i64) -> ToDeliver<'static> {
        let ids = ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9", "m10"];
        ToDeliver { id: ids[usize::try_from(seq).unwrap()], conversation: CONVERSATION, seq, about_case: false }
    }

    async fn claimed(tx: &mut Tx, now: i64) -> Vec<String> {
        claim(tx, at(now), at(now + 50), 10).await.unwrap().into_iter().map(|row| row.id).collect()
    }

    crate::store_test! {
        async fn messages_of_a_conversation_go_out_one_after_the_other(db: Db) {
            let mut tx = db.write().await.unwrap();
            let user = user(&mut tx).await;
            let stranger = ToDeliver { id: "x", conversation: "01934567-89ab-7000-8000-00000000000f", seq: 1, about_case: false };
            let all = [message(9), message(10), stranger];
            assert_eq!(deliver(&mut tx, &all, at(10)).await.unwrap(), 2, "only to users of WeChat");
            assert_eq!(deliver(&mut tx, &all, at(11)).await.unwrap(), 0, "once");
            assert!(outbox::claim(&mut tx, at(20), at(30), 10).await.unwrap().is_empty(), "no webhook");
            assert_eq!(claimed(&mut tx, 20).await, ["m9"]);
            assert!(claimed(&mut tx, 30).await.is_empty(), "the first is under way");
            assert_eq!(claimed(&mut tx, 70).await, ["m9"], "a sender that died gives its lease back");
            progressed(&mut tx, "m9", 1, at(200), &user).await.unwrap();
            assert_eq!(wechat::find(&mut tx, "oa", "main", "o1").await.unwrap().unwrap().sent_since_inbound, 1);
            outbox::delivered(&mut tx, "m9", at(80)).await.unwrap();
            assert_eq!(claimed(&mut tx, 90).await, ["m10"]);
            outbox::failed(&mut tx, "m10", "不行", None, at(95)).await.unwrap();
            let left = undelivered(&mut tx, CONVERSATION.parse().unwrap()).await.unwrap();
            assert_eq!(left.iter().map(|row| (row.id.as_str(), row.state.as_str())).collect::<Vec<_>>(), [("m10", "dead")]);
            assert!(outbox::revive(&mut tx, "m10", at(100)).await.unwrap());
            assert_eq!(claimed(&mut tx, 100).await, ["m10"]);
            assert_eq!(end_leases(&mut tx, at(101)).await.unwrap(), 1);
            assert_eq!(claimed(&mut tx, 101).await, ["m10"]);
            tx.commit().await.unwrap();
        }
    }

    crate::store_test! {
        async fn what_is_held_waits_with_all_that_follows_until_the_user_writes(db: Db) {
            let mut tx = db.write().await.unwrap();
            let user = user(&mut tx).await;
            deliver(&mut tx, &[message(1), message(2)], at(10)).await.unwrap();
            assert_eq!(claimed(&mut tx, 10).await, ["m1"]);
            hold(&mut tx, "m1", "allowance", "条数已用完", user.last_inbound_at.unwrap()).await.unwrap();
            used_up(&mut tx, &user, 5).await.unwrap();
            assert_eq!(release(&mut tx, at(20)).await.unwrap(), 0);
            assert!(claimed(&mut tx, 20).await.is_empty(), "the second waits too");
            let now = wechat::find(&mut tx, "oa", "main", "o1").await.unwrap().unwrap();
            assert_eq!(now.sent_since_inbound, 5);
            assert_eq!(inbound(&mut tx, 30).await.sent_since_inbound, 0);
            progressed(&mut tx, "m1", 1, at(60), &user).await.unwrap();
            assert_eq!(inbound(&mut tx, 30).await.sent_since_inbound, 0, "what was sent before is not counted after");
            assert_eq!(release(&mut tx, at(31)).await.unwrap(), 1);
            assert_eq!(claimed(&mut tx, 31).await, ["m1"]);
            tx.commit().await.unwrap();
        }
    }
}
