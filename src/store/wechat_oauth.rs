//! OAuth of 公众号 under way, and the further tokens of browsers that WeChat has vouched for.

use jiff::Timestamp;

use super::{StoreError, Tx, conversations::VisitorRow, wechat::WechatUser};
use crate::{domain::ids::ConversationId, on_backend, row_struct};

row_struct! {
    /// An OAuth under way. Instants are milliseconds UTC.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OauthRow {
        /// SHA-256 of the cookie of the browser that began.
        pub browser_hash: String,
        /// The conversation that browser had.
        pub conversation_id: Option<String>,
        /// Where it goes on: `chat` or `track`.
        pub page: String,
        /// Until when it counts.
        pub expires_at: i64,
        /// SHA-256 of the code that uses it.
        pub code_hash: Option<String>,
        /// Since when somebody exchanges the code.
        pub claimed_at: Option<i64>,
        /// The conversation that came of it.
        pub joined_id: Option<String>,
    }
}

/// An OAuth to begin.
#[derive(Debug, Clone)]
pub struct NewOauth<'a> {
    /// SHA-256 of the state.
    pub state_hash: &'a str,
    /// Name of the account.
    pub account: &'a str,
    /// SHA-256 of the browser's cookie.
    pub browser_hash: &'a str,
    /// The conversation of the browser.
    pub conversation: Option<ConversationId>,
    /// `chat` or `track`.
    pub page: &'a str,
    /// Until when it counts.
    pub expires_at: Timestamp,
}

/// Begins.
///
/// # Errors
/// `Database`.
pub async fn insert(tx: &mut Tx, new: &NewOauth<'_>, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO wechat_oauth (state_hash, account, browser_hash, conversation_id, page, \
        created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(new.state_hash)
        .bind(new.account)
        .bind(new.browser_hash)
        .bind(new.conversation.map(|id| id.to_string()))
        .bind(new.page)
        .bind(now.as_millisecond())
        .bind(new.expires_at.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The OAuth of an account with this state.
///
/// # Errors
/// `Database`.
pub async fn find(tx: &mut Tx, state_hash: &str, account: &str) -> Result<Option<OauthRow>, StoreError> {
    const SQL: &str = "SELECT browser_hash, conversation_id, page, expires_at, code_hash, claimed_at, joined_id \
        FROM wechat_oauth WHERE state_hash = $1 AND account = $2";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(state_hash).bind(account).fetch_optional(conn).await?))
}

/// Takes the state for a code; also from somebody who took it for the same code before `stale` and never came back.
/// `false` when it is taken.
///
/// # Errors
/// `Database`.
pub async fn claim(
    tx: &mut Tx,
    state_hash: &str,
    code_hash: &str,
    stale: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE wechat_oauth SET code_hash = $2, claimed_at = $4 WHERE state_hash = $1 \
        AND joined_id IS NULL AND (code_hash IS NULL OR (code_hash = $2 AND claimed_at < $3))";
    let done = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(state_hash)
        .bind(code_hash)
        .bind(stale.as_millisecond())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// The code came to nothing: the same one, or another, may be tried.
///
/// # Errors
/// `Database`.
pub async fn release(tx: &mut Tx, state_hash: &str) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE wechat_oauth SET code_hash = NULL, claimed_at = NULL WHERE state_hash = $1 AND joined_id IS NULL";
    on_backend!(tx, |conn| sqlx::query(SQL).bind(state_hash).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Notes what came of it.
///
/// # Errors
/// `Database`.
pub async fn joined(tx: &mut Tx, state_hash: &str, conversation: &str) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE wechat_oauth SET joined_id = $2 WHERE state_hash = $1";
    on_backend!(tx, |conn| sqlx::query(SQL).bind(state_hash).bind(conversation).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// Forgets what is over.
///
/// # Errors
/// `Database`.
pub async fn sweep(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    const STATES: &str = "DELETE FROM wechat_oauth WHERE expires_at < $1";
    const TOKENS: &str = "DELETE FROM visitor_tokens WHERE expires_at < $1";
    for sql in [STATES, TOKENS] {
        on_backend!(tx, |conn| sqlx::query(sql).bind(now.as_millisecond()).execute(conn).await.map(|_| ()))?;
    }
    Ok(())
}

/// Notes the user's id across the accounts of one subject.
///
/// # Errors
/// `Database`.
pub async fn set_unionid(tx: &mut Tx, user: &WechatUser, unionid: &str, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE wechat_users SET unionid = $4, changed_at = $5 \
        WHERE channel = $1 AND account = $2 AND openid = $3";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(user.channel.as_str())
        .bind(user.account.as_str())
        .bind(user.openid.as_str())
        .bind(unionid)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The conversation of the same person at another account, the one spoken in last; it must have words.
///
/// # Errors
/// `Database`.
pub async fn conversation_of_unionid(
    tx: &mut Tx,
    unionid: &str,
    other_than: &str,
) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT c.id FROM wechat_users w JOIN conversations c ON c.id = w.conversation_id \
        WHERE w.unionid = $1 AND c.id <> $2 AND c.seq > 0 ORDER BY c.changed_at DESC, c.id LIMIT 1";
    let row: Option<(String,)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(unionid).bind(other_than).fetch_optional(conn).await?);
    Ok(row.map(|(id,)| id))
}

/// Adds a token that opens the conversation.
///
/// # Errors
/// `Database`.
pub async fn insert_token(
    tx: &mut Tx,
    token_hash: &str,
    conversation: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO visitor_tokens (token_hash, conversation_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(token_hash)
        .bind(conversation)
        .bind(now.as_millisecond())
        .bind(expires_at.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The visitor and conversation that a further token opens.
///
/// # Errors
/// `Database`.
pub async fn find_by_token(tx: &mut Tx, token_hash: &str, now: Timestamp) -> Result<Option<VisitorRow>, StoreError> {
    const SQL: &str = "SELECT c.visitor_id, c.id AS conversation_id FROM visitor_tokens t \
        JOIN conversations c ON c.id = t.conversation_id WHERE t.token_hash = $1 AND t.expires_at > $2";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(token_hash)
        .bind(now.as_millisecond())
        .fetch_optional(conn)
        .await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conversations::{self, NewVisitor};

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    crate::store_test! {
        async fn a_state_is_for_one_code_and_a_token_opens_its_conversation(db: Db) {
            let mut tx = db.write().await.unwrap();
            let conversation: ConversationId = "01934567-89ab-7000-8000-000000000002".parse().unwrap();
            let visitor = NewVisitor {
                id: "01934567-89ab-7000-8000-000000000001".parse().unwrap(), conversation, token_hash: "h", user_id: None,
                name: None, locale: None, channel: "web", external_id: None, dialogue: "{}", expires_at: at(9_000),
            };
            conversations::insert(&mut tx, &visitor, at(1)).await.unwrap();
            let new = NewOauth {
                state_hash: "s", account: "main", browser_hash: "b", conversation: Some(conversation), page: "chat",
                expires_at: at(600),
            };
            insert(&mut tx, &new, at(1)).await.unwrap();
            assert_eq!(find(&mut tx, "s", "other").await.unwrap(), None, "of this account only");
            assert!(claim(&mut tx, "s", "c", at(0), at(10)).await.unwrap());
            assert!(!claim(&mut tx, "s", "c", at(10), at(11)).await.unwrap(), "under way");
            assert!(!claim(&mut tx, "s", "d", at(99), at(100)).await.unwrap(), "another code");
            assert!(claim(&mut tx, "s", "c", at(11), at(30)).await.unwrap(), "left behind");
            release(&mut tx, "s").await.unwrap();
            assert!(claim(&mut tx, "s", "c", at(0), at(40)).await.unwrap());
            let id = conversation.to_string();
            joined(&mut tx, "s", &id).await.unwrap();
            assert!(!claim(&mut tx, "s", "c", at(99), at(100)).await.unwrap(), "done");
            let row = find(&mut tx, "s", "main").await.unwrap().unwrap();
            assert_eq!((row.joined_id.as_deref(), row.conversation_id.as_deref()), (Some(&*id), Some(&*id)));
            insert_token(&mut tx, "t", &id, at(500), at(1)).await.unwrap();
            assert_eq!(find_by_token(&mut tx, "t", at(499)).await.unwrap().unwrap().conversation_id, id);
            assert_eq!(find_by_token(&mut tx, "t", at(500)).await.unwrap(), None);
            sweep(&mut tx, at(601)).await.unwrap();
            assert_eq!(find(&mut tx, "s", "main").await.unwrap(), None);
            tx.commit().await.unwrap();
        }
    }
}
