//! Addresses that show one message in full. The token is the only key to it; it says nothing and cannot be guessed.

use jiff::Timestamp;

use super::{StoreError, Tx, conversations::MessageRow};
use crate::{domain::ids::ConversationId, on_backend, row_struct};

row_struct! {
    /// A message that a token shows.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct LinkRow {
        /// The conversation.
        pub conversation_id: String,
        /// Number of the message.
        pub seq: i64,
    }
}

/// The token of a message: `token` when it has none yet. It counts until `expires_at` from now on.
///
/// # Errors
/// `Database`.
pub async fn link(
    tx: &mut Tx,
    conversation: ConversationId,
    seq: i64,
    token: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<String, StoreError> {
    const SWEEP: &str = "DELETE FROM message_links WHERE expires_at < $1";
    const SQL: &str = "INSERT INTO message_links (token, conversation_id, seq, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (conversation_id, seq) DO UPDATE SET expires_at = excluded.expires_at RETURNING token";
    on_backend!(tx, |conn| sqlx::query(SWEEP).bind(now.as_millisecond()).execute(conn).await.map(|_| ()))?;
    let row: (String,) = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(token)
        .bind(conversation.to_string())
        .bind(seq)
        .bind(now.as_millisecond())
        .bind(expires_at.as_millisecond())
        .fetch_one(conn)
        .await?);
    Ok(row.0)
}

/// The messages that a token shows: the one it was made for and, of the bot, all answers to the same message. Never
/// what the visitor said.
///
/// # Errors
/// `Database`.
pub async fn messages(tx: &mut Tx, token: &str, now: Timestamp) -> Result<Vec<MessageRow>, StoreError> {
    const LINK: &str = "SELECT conversation_id, seq FROM message_links WHERE token = $1 AND expires_at > $2";
    const SQL: &str = "SELECT m.conversation_id, m.seq, m.id, m.client_id, m.reply_to, m.sender, m.kind, m.text, \
        m.body, m.officer_id, m.rule_id, m.decision, m.at FROM messages m \
        JOIN messages o ON o.conversation_id = m.conversation_id AND o.seq = $2 \
        WHERE m.conversation_id = $1 AND m.sender <> 'visitor' AND (m.seq = $2 \
            OR (m.sender = 'bot' AND o.sender = 'bot' AND m.reply_to = o.reply_to)) ORDER BY m.seq LIMIT 32";
    let found: Option<LinkRow> = on_backend!(tx, |conn| sqlx::query_as(LINK)
        .bind(token)
        .bind(now.as_millisecond())
        .fetch_optional(conn)
        .await?);
    let Some(found) = found else { return Ok(Vec::new()) };
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(found.conversation_id.as_str())
        .bind(found.seq)
        .fetch_all(conn)
        .await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conversations::{self, NewVisitor};

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn message(seq: i64, sender: &str, reply_to: Option<i64>) -> MessageRow {
        MessageRow {
            conversation_id: "01934567-89ab-7000-8000-000000000002".into(),
            seq,
            id: format!("m{seq}"),
            client_id: None,
            reply_to,
            sender: sender.into(),
            kind: "text".into(),
            text: format!("第 {seq} 句"),
            body: None,
            officer_id: None,
            rule_id: None,
            decision: None,
            at: 1,
        }
    }

    crate::store_test! {
        async fn a_token_shows_one_answer_and_nothing_else_until_it_ends(db: Db) {
            let mut tx = db.write().await.unwrap();
            let conversation: ConversationId = "01934567-89ab-7000-8000-000000000002".parse().unwrap();
            let visitor = NewVisitor {
                id: "01934567-89ab-7000-8000-000000000001".parse().unwrap(), conversation, token_hash: "h", user_id: None,
                name: None, locale: None, channel: "wechat_oa", external_id: None, dialogue: "{}", expires_at: at(9_000),
            };
            conversations::insert(&mut tx, &visitor, at(1)).await.unwrap();
            let all = [
                message(1, "visitor", None), message(2, "bot", Some(1)), message(3, "bot", Some(1)),
                message(4, "officer", None), message(5, "visitor", None), message(6, "bot", Some(5)),
            ];
            conversations::insert_messages(&mut tx, &all).await.unwrap();
            assert_eq!(link(&mut tx, conversation, 3, "t", at(100), at(1)).await.unwrap(), "t");
            assert_eq!(link(&mut tx, conversation, 3, "u", at(200), at(2)).await.unwrap(), "t", "one for ever");
            link(&mut tx, conversation, 4, "o", at(100), at(2)).await.unwrap();
            link(&mut tx, conversation, 1, "v", at(100), at(2)).await.unwrap();
            let mut shown = Vec::new();
            for (token, ms) in [("t", 199), ("t", 200), ("o", 50), ("v", 50), ("nobody", 50)] {
                shown.push(messages(&mut tx, token, at(ms)).await.unwrap().iter().map(|row| row.seq).collect::<Vec<_>>());
            }
            assert_eq!(shown, [vec![2, 3], vec![], vec![4], vec![], vec![]]);
            tx.commit().await.unwrap();
        }
    }
}
