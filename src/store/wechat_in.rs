//! Messages of WeChat users in the transaction that stores them: who speaks where, and the window that each opens.
//!
//! Gateways remember in which conversation a user speaks; another gateway may have joined it with another one since, or
//! have forgotten the user. So the database has the last word: [`open_windows`] refuses what was decided for a
//! conversation that is the user's no more.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::Timestamp;
use serde_json::json;

use super::{StoreError, Tx, rows::RowsSql};
use crate::on_backend;

/// A message that came in.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `oa`, `work` or `kf`.
    pub channel: &'static str,
    /// Name of the account in the configuration.
    pub account: String,
    /// openid, UserID or external_userid.
    pub openid: String,
    /// `ConversationId` as text: where it is stored.
    pub conversation: String,
    /// When it came.
    pub at: Timestamp,
    /// A menu tap, a scan or a new subscription: it opens a window of its own.
    pub tap: bool,
}

impl Seen {
    fn key(&self) -> (&str, &str, &str, &str) {
        (self.channel, &self.account, &self.openid, &self.conversation)
    }
}

/// Opens the sending windows of users who wrote, for many at once. A window never moves back.
///
/// # Errors
/// `Conflict` when one of them does not speak in that conversation (nothing may be committed then), `Database`.
pub async fn open_windows(tx: &mut Tx, seen: &[Seen]) -> Result<(), StoreError> {
    static SQL: LazyLock<RowsSql> = LazyLock::new(|| {
        RowsSql::new(
            "WITH j (channel, account, openid, conversation, at) AS (VALUES ",
            5,
            ") UPDATE wechat_users SET sent_since_inbound = CASE WHEN wechat_users.last_inbound_at > j.at \
             THEN wechat_users.sent_since_inbound ELSE 0 END, last_inbound_at = CASE \
             WHEN wechat_users.last_inbound_at > j.at THEN wechat_users.last_inbound_at ELSE j.at END, \
             changed_at = j.at FROM j WHERE wechat_users.channel = j.channel AND wechat_users.account = j.account \
             AND wechat_users.openid = j.openid AND wechat_users.conversation_id = j.conversation",
        )
    });
    for one in seen.iter().filter(|one| one.tap) {
        tapped(tx, one).await?;
    }
    // One row per user: the last message.
    let mut users: BTreeMap<_, &Seen> = BTreeMap::new();
    for one in seen.iter().filter(|one| !one.tap) {
        let last = users.entry(one.key()).or_insert(one);
        if last.at < one.at {
            *last = one;
        }
    }
    let users: Vec<&Seen> = users.into_values().collect();
    let mut opened = 0;
    for part in SQL.parts(tx.is_sqlite(), &users) {
        opened += on_backend!(tx, |conn| {
            let mut query = sqlx::query(part.sql);
            for one in part.rows() {
                query = query
                    .bind(one.map(|one| one.channel))
                    .bind(one.map(|one| one.account.as_str()))
                    .bind(one.map(|one| one.openid.as_str()))
                    .bind(one.map(|one| one.conversation.as_str()))
                    .bind(one.map(|one| one.at.as_millisecond()));
            }
            query.execute(conn).await?.rows_affected()
        });
    }
    if opened == users.len() as u64 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Opens the short window of a user who tapped, scanned or began to follow. It never moves back.
///
/// # Errors
/// `Conflict` when the user does not speak in that conversation (nothing may be committed then), `Database`.
pub async fn tapped(tx: &mut Tx, one: &Seen) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE wechat_users SET sent_since_tap = CASE WHEN tapped_at > $5 THEN sent_since_tap ELSE 0 END, \
        tapped_at = CASE WHEN tapped_at > $5 THEN tapped_at ELSE $5 END, changed_at = $5 \
        WHERE channel = $1 AND account = $2 AND openid = $3 AND conversation_id = $4";
    let opened = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(one.channel)
        .bind(one.account.as_str())
        .bind(one.openid.as_str())
        .bind(one.conversation.as_str())
        .bind(one.at.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    if opened == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Which of these messages come from users who do not speak in that conversation, as positions.
///
/// # Errors
/// `Database`.
pub async fn strangers(tx: &mut Tx, seen: &[Seen]) -> Result<Vec<usize>, StoreError> {
    const SQL: &str = "SELECT CAST(j.value ->> 'n' AS BIGINT) FROM json_each($1) AS j JOIN wechat_users w \
        ON w.channel = j.value ->> 'channel' AND w.account = j.value ->> 'account' \
        AND w.openid = j.value ->> 'openid' AND w.conversation_id = j.value ->> 'conversation'";
    if seen.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<_> = seen
        .iter()
        .enumerate()
        .map(|(n, one)| {
            json!({"n": n.to_string(), "channel": one.channel, "account": one.account, "openid": one.openid,
                "conversation": one.conversation})
        })
        .collect();
    let at_home: Vec<(i64,)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(json!(list).to_string()).fetch_all(conn).await?);
    let at_home: Vec<usize> = at_home.into_iter().filter_map(|(n,)| usize::try_from(n).ok()).collect();
    Ok((0..seen.len()).filter(|n| !at_home.contains(n)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        conversations::{self, NewVisitor},
        wechat::{self, NewUser},
    };

    const CONVERSATION: &str = "01934567-89ab-7000-8000-000000000002";

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn seen(openid: &str, ms: i64) -> Seen {
        Seen {
            channel: "oa",
            account: "main".into(),
            openid: openid.into(),
            conversation: CONVERSATION.into(),
            at: at(ms),
            tap: false,
        }
    }

    crate::store_test! {
        async fn a_message_opens_the_window_of_its_user_and_of_nobody_elses_conversation(db: Db) {
            let mut tx = db.write().await.unwrap();
            let visitor = NewVisitor {
                id: "01934567-89ab-7000-8000-000000000001".parse().unwrap(), conversation: CONVERSATION.parse().unwrap(),
                token_hash: "h", user_id: None, name: None, locale: None, channel: "wechat_oa", external_id: None,
                dialogue: "{}", expires_at: at(9_000),
            };
            conversations::insert(&mut tx, &visitor, at(1)).await.unwrap();
            let visitor_id = visitor.id.to_string();
            for openid in ["o1", "o2", "o3"] {
                let new = NewUser {
                    channel: "oa", account: "main", openid, visitor_id: &visitor_id, conversation_id: CONVERSATION,
                };
                wechat::insert(&mut tx, &new, at(1)).await.unwrap();
            }
            let user = wechat::find(&mut tx, "oa", "main", "o1").await.unwrap().unwrap();
            wechat::count_sent(&mut tx, &user, 2, at(12)).await.unwrap();
            open_windows(&mut tx, &[seen("o1", 20), seen("o2", 7), seen("o1", 19)]).await.unwrap();
            let user = wechat::find(&mut tx, "oa", "main", "o1").await.unwrap().unwrap();
            assert_eq!((user.last_inbound_at, user.sent_since_inbound), (Some(20), 0));
            wechat::count_sent(&mut tx, &user, 1, at(21)).await.unwrap();
            open_windows(&mut tx, &[seen("o1", 15)]).await.unwrap();
            let user = wechat::find(&mut tx, "oa", "main", "o1").await.unwrap().unwrap();
            assert_eq!((user.last_inbound_at, user.sent_since_inbound), (Some(20), 1), "never back");
            let other = wechat::find(&mut tx, "oa", "main", "o3").await.unwrap().unwrap();
            assert_eq!(other.last_inbound_at, None);
            open_windows(&mut tx, &[Seen { tap: true, ..seen("o3", 30) }]).await.unwrap();
            let other = wechat::find(&mut tx, "oa", "main", "o3").await.unwrap().unwrap();
            assert_eq!((other.last_inbound_at, other.tapped_at, other.last_action_at()), (None, Some(30), Some(30)));
            let elsewhere = Seen { conversation: "01934567-89ab-7000-8000-00000000000f".into(), ..seen("o3", 30) };
            let all = [seen("o1", 30), elsewhere, seen("nobody", 30)];
            assert_eq!(strangers(&mut tx, &all).await.unwrap(), [1, 2]);
            tx.commit().await.unwrap();
            for one in all.iter().skip(1) {
                let mut tx = db.write().await.unwrap();
                let refused = open_windows(&mut tx, &[seen("o1", 40), one.clone()]).await;
                assert!(matches!(refused, Err(StoreError::Conflict)), "{one:?}");
                tx.rollback().await.unwrap();
            }
        }
    }
}
