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
    const SQL: &str = "INSERT INTO wechat_scenes (scene, account, conversation_id, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5)";
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
    const SQL: &str = "SELECT conversation_id, expires_at, joined_at FROM wechat_scenes \
        WHERE scene = $1 AND account = $2";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(scene).bind(account).fetch_optional(conn).await?))
}

/// Uses the scene up and moves the user into its conversation; the user's former conversation is theirs no more.
/// `false` when somebody scanned it before.
///
/// # Errors
/// `Database`.
pub async fn join(tx: &mut Tx, scene: &str, user: &WechatUser, into: &str, now: Timestamp) -> Result<bool, StoreError> {
    const USE: &str =
        "UPDATE wechat_scenes SET joined_at = $2 WHERE scene = $1 AND joined_at IS NULL AND expires_at > $2";
    const MOVE: &str = "UPDATE wechat_users SET conversation_id = $4, changed_at = $5, \
        visitor_id = (SELECT visitor_id FROM conversations WHERE id = $4) \
        WHERE channel = $1 AND account = $2 AND openid = $3";
    const FORMER: &str = "UPDATE conversations SET external_id = NULL WHERE id = $1";
    let used = on_backend!(tx, |conn| sqlx::query(USE)
        .bind(scene)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    if used == 0 {
        return Ok(false);
    }
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
    Ok(true)
}
