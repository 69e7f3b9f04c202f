//! QR scenes: a secret shown as a QR code on the web that joins its conversation with the WeChat user who scans it.

use jiff::Timestamp;

use super::{StoreError, Tx, wechat::WechatUser};
use crate::{domain::ids::ConversationId, on_backend, row_struct};

row_struct! {
    /// A scene. Instants are milliseconds UTC.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SceneRow {
        /// The conversation that shows the QR code.
        pub conversation_id: String,
        /// Until when it can be scanned.
        pub expires_at: i64,
        /// When it was scanned; it counts once.
        pub joined_at: Option<i64>,
        /// Who scanned it and was asked whether the conversations shall be joined.
        pub asked_openid: Option<String>,
    }
}

/// Adds a scene.
///
/// # Errors
/// `Database`.
pub async fn insert(
    tx: &mut Tx,
    scene: &str,
    account: &str,
    conversation: ConversationId,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SWEEP: &str = "DELETE FROM wechat_scenes WHERE expires_at < $1";
    const SQL: &str = "INSERT INTO wechat_scenes (scene, account, conversation_id, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5)";
    let yesterday = now.as_millisecond() - 24 * 3_600_000;
    on_backend!(tx, |conn| sqlx::query(SWEEP).bind(yesterday).execute(conn).await.map(|_| ()))?;
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(scene)
        .bind(account)
        .bind(conversation.to_string())
        .bind(now.as_millisecond())
        .bind(expires_at.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The scene of an account.
///
/// # Errors
/// `Database`.
pub async fn find(tx: &mut Tx, scene: &str, account: &str) -> Result<Option<SceneRow>, StoreError> {
    const SQL: &str = "SELECT conversation_id, expires_at, joined_at, asked_openid FROM wechat_scenes \
        WHERE scene = $1 AND account = $2";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(scene).bind(account).fetch_optional(conn).await?))
}

/// Notes who scanned the scene and was asked; `false` when it is used or over, or somebody else was asked.
///
/// # Errors
/// `Database`.
pub async fn ask(tx: &mut Tx, scene: &str, openid: &str, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE wechat_scenes SET asked_openid = $2 WHERE scene = $1 AND joined_at IS NULL \
        AND expires_at > $3 AND (asked_openid IS NULL OR asked_openid = $2)";
    let asked = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(scene)
        .bind(openid)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(asked > 0)
}

/// The last scene of an account about which this user was asked and that counts still.
///
/// # Errors
/// `Database`.
pub async fn asked(tx: &mut Tx, account: &str, openid: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT scene FROM wechat_scenes WHERE account = $1 AND asked_openid = $2 AND joined_at IS NULL \
        AND expires_at > $3 ORDER BY created_at DESC LIMIT 1";
    let row: Option<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(openid)
        .bind(now.as_millisecond())
        .fetch_optional(conn)
        .await?);
    Ok(row.map(|(scene,)| scene))
}

/// Uses the scene up; `false` when somebody scanned it before, or it is over.
///
/// # Errors
/// `Database`.
pub async fn spend(tx: &mut Tx, scene: &str, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str =
        "UPDATE wechat_scenes SET joined_at = $2 WHERE scene = $1 AND joined_at IS NULL AND expires_at > $2";
    let used = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(scene)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(used > 0)
}

/// Notes that the person of a conversation goes on in another one, with what was joined to the former before.
///
/// # Errors
/// `Database`.
pub async fn goes_on(tx: &mut Tx, former: &str, into: &str, now: Timestamp) -> Result<(), StoreError> {
    const BACK: &str = "DELETE FROM conversation_joins WHERE former_id = $1";
    const CHAIN: &str = "UPDATE conversation_joins SET into_id = $2 WHERE into_id = $1";
    const ADD: &str = "INSERT INTO conversation_joins (former_id, into_id, joined_at) VALUES ($1, $2, $3) \
        ON CONFLICT (former_id) DO UPDATE SET into_id = excluded.into_id, joined_at = excluded.joined_at";
    on_backend!(tx, |conn| sqlx::query(BACK).bind(into).execute(conn).await.map(|_| ()))?;
    on_backend!(tx, |conn| sqlx::query(CHAIN).bind(former).bind(into).execute(conn).await.map(|_| ()))?;
    on_backend!(tx, |conn| sqlx::query(ADD)
        .bind(former)
        .bind(into)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Where the person of a conversation goes on; `None`: there.
///
/// # Errors
/// `Database`.
pub async fn goes_on_in(tx: &mut Tx, conversation: ConversationId) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT into_id FROM conversation_joins WHERE former_id = $1";
    let row: Option<(String,)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).fetch_optional(conn).await?);
    Ok(row.map(|(id,)| id))
}

/// Conversations of a channel whose person goes on elsewhere.
///
/// # Errors
/// `Database`.
pub async fn formers(tx: &mut Tx, channel: &str) -> Result<Vec<String>, StoreError> {
    const SQL: &str = "SELECT c.id FROM conversation_joins j JOIN conversations c ON c.id = j.former_id \
        WHERE c.channel = $1 ORDER BY c.id";
    let rows: Vec<(String,)> = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(channel).fetch_all(conn).await?);
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Moves the user into a conversation; the user's former conversation is theirs no more.
///
/// # Errors
/// `Database`.
pub async fn move_user(tx: &mut Tx, user: &WechatUser, into: &str, now: Timestamp) -> Result<(), StoreError> {
    const MOVE: &str = "UPDATE wechat_users SET conversation_id = $4, changed_at = $5, \
        visitor_id = (SELECT visitor_id FROM conversations WHERE id = $4) \
        WHERE channel = $1 AND account = $2 AND openid = $3";
    const FORMER: &str = "UPDATE conversations SET external_id = NULL WHERE id = $1";
    on_backend!(tx, |conn| sqlx::query(MOVE)
        .bind(user.channel.as_str())
        .bind(user.account.as_str())
        .bind(user.openid.as_str())
        .bind(into)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    on_backend!(tx, |conn| sqlx::query(FORMER).bind(user.conversation_id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conversations::{self, NewVisitor};

    crate::store_test! {
        async fn a_chain_of_joins_leads_to_its_end_and_back(db: Db) {
            let mut tx = db.write().await.unwrap();
            let at = Timestamp::from_millisecond(1).unwrap();
            let id = |n: u8| format!("01934567-89ab-7000-8000-00000000000{n}");
            for n in [1, 2, 3] {
                let token = n.to_string();
                let new = NewVisitor {
                    id: format!("01934567-89ab-7000-8000-0000000000f{n}").parse().unwrap(),
                    conversation: id(n).parse().unwrap(), token_hash: &token, user_id: None, name: None, locale: None,
                    channel: "web", external_id: None, dialogue: "{}", expires_at: at,
                };
                conversations::insert(&mut tx, &new, at).await.unwrap();
            }
            goes_on(&mut tx, &id(1), &id(2), at).await.unwrap();
            goes_on(&mut tx, &id(2), &id(3), at).await.unwrap();
            for n in [1, 2] {
                assert_eq!(goes_on_in(&mut tx, id(n).parse().unwrap()).await.unwrap(), Some(id(3)));
            }
            goes_on(&mut tx, &id(3), &id(1), at).await.unwrap();
            assert_eq!(goes_on_in(&mut tx, id(1).parse().unwrap()).await.unwrap(), None);
            for n in [2, 3] {
                assert_eq!(goes_on_in(&mut tx, id(n).parse().unwrap()).await.unwrap(), Some(id(1)));
            }
            tx.commit().await.unwrap();
        }
    }
}
