//! WeChat users who leave: their row goes, and with it what only they had.

use jiff::Timestamp;

use super::{StoreError, Tx, wechat::WechatUser};
use crate::on_backend;

/// Cuts the tie between a user and the conversation: the user's row and what waits for it go, the conversation is
/// closed and knows no WeChat user any more. `false` when the conversation belongs to somebody else as well.
///
/// # Errors
/// `Database`.
pub async fn disconnect(tx: &mut Tx, user: &WechatUser, now: Timestamp) -> Result<bool, StoreError> {
    const USER: &str = "DELETE FROM wechat_users WHERE channel = $1 AND account = $2 AND openid = $3";
    const OTHERS: &str = "SELECT (SELECT COUNT(*) FROM wechat_users WHERE conversation_id = $1) + (SELECT COUNT(*) \
        FROM conversations WHERE id = $1 AND channel NOT LIKE 'wechat%')";
    const WAITING: &str = "DELETE FROM outbox WHERE target = 'wechat' AND key LIKE $1 AND state IN ('ready', 'dead')";
    const CLOSE: &str = "UPDATE conversations SET external_id = NULL, state = 'closed', officer_id = NULL, \
        queued_at = NULL, fence = fence + 1, version = version + 1, changed_at = $2, closed_at = $2 WHERE id = $1";
    const NAME: &str = "UPDATE visitors SET name = NULL, user_id = NULL WHERE id = $1";
    on_backend!(tx, |conn| sqlx::query(USER)
        .bind(user.channel.as_str())
        .bind(user.account.as_str())
        .bind(user.openid.as_str())
        .execute(conn)
        .await
        .map(|_| ()))?;
    let others: (i64,) =
        on_backend!(tx, |conn| sqlx::query_as(OTHERS).bind(user.conversation_id.as_str()).fetch_one(conn).await?);
    if others.0 > 0 {
        return Ok(false);
    }
    on_backend!(tx, |conn| sqlx::query(WAITING)
        .bind(format!("{}:%", user.conversation_id))
        .execute(conn)
        .await
        .map(|_| ()))?;
    on_backend!(tx, |conn| sqlx::query(CLOSE)
        .bind(user.conversation_id.as_str())
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    on_backend!(tx, |conn| sqlx::query(NAME).bind(user.visitor_id.as_str()).execute(conn).await.map(|_| ()))?;
    Ok(true)
}

/// What is left of a user who went: notes of files under way, and the former conversations that only this user had.
/// Gives the ids of those conversations, closed and without a name.
///
/// # Errors
/// `Database`.
pub async fn forget_traces(tx: &mut Tx, user: &WechatUser, now: Timestamp) -> Result<Vec<String>, StoreError> {
    const NOTES: &str =
        "DELETE FROM wechat_received WHERE channel = $1 AND account = $2 AND payload LIKE $3 ESCAPE '\\'";
    const OTHERS: &str = "SELECT COUNT(*) FROM wechat_users WHERE conversation_id = $1 AND channel = $2";
    const FORMER: &str = "SELECT c.id FROM conversation_joins j JOIN conversations c ON c.id = j.former_id \
        WHERE j.into_id = $1 AND c.channel = $2";
    const CLOSE: &str = "UPDATE conversations SET external_id = NULL, state = 'closed', officer_id = NULL, \
        queued_at = NULL, changed_at = $2, closed_at = $2 WHERE id = $1";
    let escaped = user.openid.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    on_backend!(tx, |conn| sqlx::query(NOTES)
        .bind(user.channel.as_str())
        .bind(user.account.as_str())
        .bind(format!("%\"from\":\"{escaped}\"%"))
        .execute(conn)
        .await
        .map(|_| ()))?;
    let others: (i64,) = on_backend!(tx, |conn| sqlx::query_as(OTHERS)
        .bind(user.conversation_id.as_str())
        .bind(user.channel.as_str())
        .fetch_one(conn)
        .await?);
    if others.0 > 0 {
        // Nobody knows which of them was whose.
        return Ok(Vec::new());
    }
    let former: Vec<(String,)> = on_backend!(tx, |conn| sqlx::query_as(FORMER)
        .bind(user.conversation_id.as_str())
        .bind(format!("wechat_{}", user.channel))
        .fetch_all(conn)
        .await?);
    for (id,) in &former {
        on_backend!(tx, |conn| sqlx::query(CLOSE)
            .bind(id.as_str())
            .bind(now.as_millisecond())
            .execute(conn)
            .await
            .map(|_| ()))?;
    }
    Ok(former.into_iter().map(|(id,)| id).collect())
}
