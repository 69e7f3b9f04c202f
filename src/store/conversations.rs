//! Conversations, their messages, notes and visitors.
//!
//! Whoever writes loads the rows, decides, and saves with [`save`]: it compares `version` and refuses when somebody
//! else was first. Messages get their `seq` from the loaded row, so a refused save also refuses its messages.
//! Statements take whole batches of rows, so that many exchanges share one commit.

mod feedback;
mod lists;

use std::sync::LazyLock;

use jiff::Timestamp;

pub use feedback::{AnswerFeedback, insert_feedback, insert_unanswered, unanswered};
pub use lists::{ConversationFilter, Reach, count_queued, count_queued_before, desk_counts, list, of_desk};

use super::{StoreError, Tx, rows::RowsSql};
use crate::{
    domain::ids::{ConversationId, OfficerId, VisitorId},
    on_backend, row_struct,
};

row_struct! {
    /// A conversation as stored. Instants are milliseconds UTC.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ConversationRow {
        /// `ConversationId` as text.
        pub id: String,
        /// `VisitorId` as text.
        pub visitor_id: String,
        /// Slug of the channel.
        pub channel: String,
        /// `bot`, `collecting`, `queued`, `human` or `closed`.
        pub state: String,
        /// The officer who has it.
        pub officer_id: Option<String>,
        /// The unit it was transferred to.
        pub unit: Option<String>,
        /// Grows whenever the owner changes.
        pub fence: i64,
        /// Number of the last message.
        pub seq: i64,
        /// Compared and set by [`save`].
        pub version: i64,
        /// Dialogue state, JSON.
        pub dialogue: String,
        /// Marks for officers, a JSON list.
        pub flags: String,
        /// Topic of the last matter.
        pub topic: Option<String>,
        /// Why a person was asked for.
        pub handoff_reason: Option<String>,
        /// A sentence for the officer.
        pub handoff_note: Option<String>,
        /// Beginning of the last message, for lists.
        pub last_text: String,
        /// Since when it waits for a person.
        pub queued_at: Option<i64>,
        /// When the officer took it.
        pub claimed_at: Option<i64>,
        /// Last message of the visitor.
        pub visitor_at: Option<i64>,
        /// Last change.
        pub changed_at: i64,
        /// When it began.
        pub created_at: i64,
        /// When it was closed.
        pub closed_at: Option<i64>,
    }
}

row_struct! {
    /// A message as stored.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct MessageRow {
        /// The conversation.
        pub conversation_id: String,
        /// Its number, from 1, without gaps.
        pub seq: i64,
        /// `MessageId` as text.
        pub id: String,
        /// The client's own id, unique in the conversation.
        pub client_id: Option<String>,
        /// `seq` of the visitor's message it answers.
        pub reply_to: Option<i64>,
        /// `visitor`, `bot`, `officer` or `system`.
        pub sender: String,
        /// `text`, `image`, `file`, `card`, `form` or `event`.
        pub kind: String,
        /// The words.
        pub text: String,
        /// Further fields of the message, a JSON object.
        pub body: Option<String>,
        /// The officer who wrote it.
        pub officer_id: Option<String>,
        /// The rule that speaks.
        pub rule_id: Option<String>,
        /// Why the bot did what it did with this message, JSON; for officers only.
        pub decision: Option<String>,
        /// Milliseconds UTC.
        pub at: i64,
    }
}

row_struct! {
    /// An internal note.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct NoteRow {
        /// Its id.
        pub id: String,
        /// Name of the author.
        pub author: String,
        /// The words.
        pub text: String,
        /// Milliseconds UTC.
        pub at: i64,
    }
}

row_struct! {
    /// A visitor found by token, with the conversation the token opens.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct VisitorRow {
        /// `VisitorId` as text.
        pub visitor_id: String,
        /// `ConversationId` as text.
        pub conversation_id: String,
    }
}

/// A visitor and the first conversation.
#[derive(Debug, Clone)]
pub struct NewVisitor<'a> {
    /// Visitor id.
    pub id: VisitorId,
    /// Conversation id.
    pub conversation: ConversationId,
    /// SHA-256 of the token, hex.
    pub token_hash: &'a str,
    /// Verified identity given by the embedding site.
    pub user_id: Option<&'a str>,
    /// Name given by the visitor.
    pub name: Option<&'a str>,
    /// Language tag.
    pub locale: Option<&'a str>,
    /// Slug of the channel.
    pub channel: &'a str,
    /// Id at the channel, unique there.
    pub external_id: Option<&'a str>,
    /// First dialogue state, JSON.
    pub dialogue: &'a str,
    /// End of the token's life.
    pub expires_at: Timestamp,
}

/// Adds a visitor with a conversation.
///
/// # Errors
/// `Database`; a unique violation when the channel knows the external id already.
pub async fn insert(tx: &mut Tx, new: &NewVisitor<'_>, now: Timestamp) -> Result<(), StoreError> {
    const VISITOR: &str = "INSERT INTO visitors (id, token_hash, user_id, name, locale, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    const CONVERSATION: &str = "INSERT INTO conversations (id, visitor_id, channel, external_id, state, fence, seq, \
        version, dialogue, flags, last_text, changed_at, created_at) \
        VALUES ($1, $2, $3, $4, 'bot', 0, 0, 0, $5, '[]', '', $6, $6)";
    on_backend!(tx, |conn| sqlx::query(VISITOR)
        .bind(new.id.to_string())
        .bind(new.token_hash)
        .bind(new.user_id)
        .bind(new.name)
        .bind(new.locale)
        .bind(now.as_millisecond())
        .bind(new.expires_at.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    on_backend!(tx, |conn| sqlx::query(CONVERSATION)
        .bind(new.conversation.to_string())
        .bind(new.id.to_string())
        .bind(new.channel)
        .bind(new.external_id)
        .bind(new.dialogue)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The visitor and conversation a token opens.
///
/// # Errors
/// `Database`.
pub async fn find_by_token(tx: &mut Tx, token_hash: &str, now: Timestamp) -> Result<Option<VisitorRow>, StoreError> {
    const SQL: &str = "SELECT v.id AS visitor_id, c.id AS conversation_id FROM visitors v \
        JOIN conversations c ON c.visitor_id = v.id WHERE v.token_hash = $1 AND v.expires_at > $2 \
        ORDER BY c.created_at DESC, c.id DESC LIMIT 1";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(token_hash)
        .bind(now.as_millisecond())
        .fetch_optional(conn)
        .await?))
}

/// The conversation of a channel with this external id.
///
/// # Errors
/// `Database`.
pub async fn find_external(
    tx: &mut Tx,
    channel: &str,
    external_id: &str,
) -> Result<Option<ConversationRow>, StoreError> {
    const SQL: &str = "SELECT id, visitor_id, channel, state, officer_id, unit, fence, seq, version, dialogue, flags, \
        topic, handoff_reason, handoff_note, last_text, queued_at, claimed_at, visitor_at, changed_at, created_at, \
        closed_at FROM conversations WHERE channel = $1 AND external_id = $2";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(channel).bind(external_id).fetch_optional(conn).await?))
}

/// One conversation. In a write transaction on PostgreSQL the row is not locked: [`save`] notices who came between.
///
/// # Errors
/// `Database`.
pub async fn find(tx: &mut Tx, id: ConversationId) -> Result<Option<ConversationRow>, StoreError> {
    Ok(find_many(tx, &[id.to_string()]).await?.pop())
}

/// The conversation, kept from every other writer until this transaction ends: on PostgreSQL a plain read would let a
/// talkative visitor win every race. (An update that changes nothing is the lock that both engines know.)
///
/// # Errors
/// `Database`.
pub async fn hold(tx: &mut Tx, id: ConversationId) -> Result<Option<ConversationRow>, StoreError> {
    const SQL: &str = "UPDATE conversations SET version = version WHERE id = $1";
    let id_text = id.to_string();
    on_backend!(tx, |conn| sqlx::query(SQL).bind(id_text.as_str()).execute(conn).await?.rows_affected());
    find(tx, id).await
}

/// Several conversations, in no particular order.
///
/// # Errors
/// `Database`.
pub async fn find_many(tx: &mut Tx, ids: &[String]) -> Result<Vec<ConversationRow>, StoreError> {
    const SQL: &str = "SELECT id, visitor_id, channel, state, officer_id, unit, fence, seq, version, dialogue, flags, \
        topic, handoff_reason, handoff_note, last_text, queued_at, claimed_at, visitor_at, changed_at, created_at, \
        closed_at FROM conversations WHERE id IN (SELECT value ->> 0 FROM json_each($1))";
    let json = to_json(&ids.iter().map(|id| [id]).collect::<Vec<_>>());
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(json.as_str()).fetch_all(conn).await?))
}

/// What a repeated `client_id` was stored as: conversation, client id, seq.
///
/// # Errors
/// `Database`.
pub async fn find_repeats(tx: &mut Tx, pairs: &[(String, String)]) -> Result<Vec<(String, String, i64)>, StoreError> {
    const SQL: &str = "SELECT m.conversation_id, m.client_id, m.seq FROM json_each($1) AS j \
        JOIN messages m ON m.conversation_id = j.value ->> 0 AND m.client_id = j.value ->> 1";
    let json = to_json(&pairs);
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(json.as_str()).fetch_all(conn).await?))
}

/// Adds messages; their `seq` must follow the conversation's loaded `seq`.
///
/// # Errors
/// `Conflict` when a `seq` or `client_id` is taken (nothing may be committed then), `Database`.
pub async fn insert_messages(tx: &mut Tx, messages: &[MessageRow]) -> Result<(), StoreError> {
    // A taken number is no error of the database: a failed statement would cost the connection.
    static SQL: LazyLock<RowsSql> = LazyLock::new(|| {
        RowsSql::new(
            "INSERT INTO messages (conversation_id, seq, id, client_id, reply_to, sender, kind, text, body, \
             officer_id, rule_id, decision, at) SELECT * FROM (VALUES ",
            13,
            ") AS v WHERE v.column1 IS NOT NULL ON CONFLICT DO NOTHING",
        )
    });
    let mut stored = 0;
    for part in SQL.parts(tx.is_sqlite(), messages) {
        stored += on_backend!(tx, |conn| {
            let mut query = sqlx::query(part.sql);
            for m in part.rows() {
                query = query
                    .bind(m.map(|m| m.conversation_id.as_str()))
                    .bind(m.map(|m| m.seq))
                    .bind(m.map(|m| m.id.as_str()))
                    .bind(m.and_then(|m| m.client_id.as_deref()))
                    .bind(m.and_then(|m| m.reply_to))
                    .bind(m.map(|m| m.sender.as_str()))
                    .bind(m.map(|m| m.kind.as_str()))
                    .bind(m.map(|m| m.text.as_str()))
                    .bind(m.and_then(|m| m.body.as_deref()))
                    .bind(m.and_then(|m| m.officer_id.as_deref()))
                    .bind(m.and_then(|m| m.rule_id.as_deref()))
                    .bind(m.and_then(|m| m.decision.as_deref()))
                    .bind(m.map(|m| m.at));
            }
            query.execute(conn).await?.rows_affected()
        });
    }
    if stored == messages.len() as u64 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Saves changed conversations: `version` of each row is the loaded one and grows by one.
///
/// # Errors
/// `Conflict` when one of them was changed in between (nothing may be committed then), `Database`.
pub async fn save(tx: &mut Tx, rows: &[ConversationRow]) -> Result<(), StoreError> {
    save_all(tx, &rows.iter().collect::<Vec<_>>()).await
}

/// The same for rows held elsewhere.
///
/// # Errors
/// `Conflict`, `Database`.
pub async fn save_all(tx: &mut Tx, rows: &[&ConversationRow]) -> Result<(), StoreError> {
    static SQL: LazyLock<RowsSql> = LazyLock::new(|| {
        RowsSql::new(
            "WITH j (id, version, state, officer_id, unit, fence, seq, dialogue, flags, topic, handoff_reason, \
             handoff_note, last_text, queued_at, claimed_at, visitor_at, changed_at, closed_at) AS (VALUES ",
            18,
            ") UPDATE conversations SET state = j.state, officer_id = j.officer_id, unit = j.unit, fence = j.fence, \
             seq = j.seq, version = conversations.version + 1, dialogue = j.dialogue, flags = j.flags, \
             topic = j.topic, handoff_reason = j.handoff_reason, handoff_note = j.handoff_note, \
             last_text = j.last_text, queued_at = j.queued_at, claimed_at = j.claimed_at, visitor_at = j.visitor_at, \
             changed_at = j.changed_at, closed_at = j.closed_at FROM j \
             WHERE conversations.id = j.id AND conversations.version = j.version",
        )
    });
    let mut saved = 0;
    for part in SQL.parts(tx.is_sqlite(), rows) {
        saved += on_backend!(tx, |conn| {
            let mut query = sqlx::query(part.sql);
            for r in part.rows() {
                query = query
                    .bind(r.map(|r| r.id.as_str()))
                    .bind(r.map(|r| r.version))
                    .bind(r.map(|r| r.state.as_str()))
                    .bind(r.and_then(|r| r.officer_id.as_deref()))
                    .bind(r.and_then(|r| r.unit.as_deref()))
                    .bind(r.map(|r| r.fence))
                    .bind(r.map(|r| r.seq))
                    .bind(r.map(|r| r.dialogue.as_str()))
                    .bind(r.map(|r| r.flags.as_str()))
                    .bind(r.and_then(|r| r.topic.as_deref()))
                    .bind(r.and_then(|r| r.handoff_reason.as_deref()))
                    .bind(r.and_then(|r| r.handoff_note.as_deref()))
                    .bind(r.map(|r| r.last_text.as_str()))
                    .bind(r.and_then(|r| r.queued_at))
                    .bind(r.and_then(|r| r.claimed_at))
                    .bind(r.and_then(|r| r.visitor_at))
                    .bind(r.map(|r| r.changed_at))
                    .bind(r.and_then(|r| r.closed_at));
            }
            query.execute(conn).await?.rows_affected()
        });
    }
    if saved == rows.len() as u64 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Saves what an ordinary message changes, where state and owner stay as they are: the indexes of desks and queues are
/// not touched. `version` as with [`save`].
///
/// # Errors
/// `Conflict`, `Database`.
pub async fn save_spoken(tx: &mut Tx, rows: &[&ConversationRow]) -> Result<(), StoreError> {
    static SQL: LazyLock<RowsSql> = LazyLock::new(|| {
        RowsSql::new(
            "WITH j (id, version, seq, dialogue, topic, last_text, visitor_at, changed_at) AS (VALUES ",
            8,
            ") UPDATE conversations SET seq = j.seq, version = conversations.version + 1, dialogue = j.dialogue, \
             topic = j.topic, last_text = j.last_text, visitor_at = j.visitor_at, changed_at = j.changed_at FROM j \
             WHERE conversations.id = j.id AND conversations.version = j.version",
        )
    });
    let mut saved = 0;
    for part in SQL.parts(tx.is_sqlite(), rows) {
        saved += on_backend!(tx, |conn| {
            let mut query = sqlx::query(part.sql);
            for r in part.rows() {
                query = query
                    .bind(r.map(|r| r.id.as_str()))
                    .bind(r.map(|r| r.version))
                    .bind(r.map(|r| r.seq))
                    .bind(r.map(|r| r.dialogue.as_str()))
                    .bind(r.and_then(|r| r.topic.as_deref()))
                    .bind(r.map(|r| r.last_text.as_str()))
                    .bind(r.and_then(|r| r.visitor_at))
                    .bind(r.map(|r| r.changed_at));
            }
            query.execute(conn).await?.rows_affected()
        });
    }
    if saved == rows.len() as u64 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Messages with a `seq` above `after`, in order, at most `limit`.
///
/// # Errors
/// `Database`.
pub async fn messages_after(
    tx: &mut Tx,
    conversation: ConversationId,
    after: i64,
    limit: i64,
) -> Result<Vec<MessageRow>, StoreError> {
    const SQL: &str = "SELECT conversation_id, seq, id, client_id, reply_to, sender, kind, text, body, officer_id, \
        rule_id, decision, at FROM messages WHERE conversation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(conversation.to_string())
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?))
}

/// The last `limit` messages, in order.
///
/// # Errors
/// `Database`.
pub async fn last_messages(
    tx: &mut Tx,
    conversation: ConversationId,
    limit: i64,
) -> Result<Vec<MessageRow>, StoreError> {
    const SQL: &str = "SELECT conversation_id, seq, id, client_id, reply_to, sender, kind, text, body, officer_id, \
        rule_id, decision, at FROM messages WHERE conversation_id = $1 ORDER BY seq DESC LIMIT $2";
    let mut rows: Vec<MessageRow> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).bind(limit).fetch_all(conn).await?);
    rows.reverse();
    Ok(rows)
}

/// Replaces what a visitor wrote (secrets must not be kept).
///
/// # Errors
/// `Database`.
pub async fn purge_text(
    tx: &mut Tx,
    conversation: ConversationId,
    seq: i64,
    replacement: &str,
) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE messages SET text = $3, body = NULL, decision = NULL WHERE conversation_id = $1 AND seq = $2";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(conversation.to_string())
        .bind(seq)
        .bind(replacement)
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// One message of a conversation, by id or by number.
///
/// # Errors
/// `Database`.
pub async fn find_message(
    tx: &mut Tx,
    conversation: ConversationId,
    id: Option<&str>,
    seq: Option<i64>,
) -> Result<Option<MessageRow>, StoreError> {
    const SQL: &str = "SELECT conversation_id, seq, id, client_id, reply_to, sender, kind, text, body, officer_id, \
        rule_id, decision, at FROM messages WHERE conversation_id = $1 AND (id = $2 OR seq = $3) LIMIT 1";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(conversation.to_string())
        .bind(id)
        .bind(seq)
        .fetch_optional(conn)
        .await?))
}

/// Adds an internal note.
///
/// # Errors
/// `Database`.
pub async fn insert_note(
    tx: &mut Tx,
    id: &str,
    conversation: ConversationId,
    officer: OfficerId,
    text: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO conversation_notes (id, conversation_id, officer_id, text, at) VALUES ($1, $2, $3, $4, $5)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id)
        .bind(conversation.to_string())
        .bind(officer.to_string())
        .bind(text)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Internal notes in order.
///
/// # Errors
/// `Database`.
pub async fn notes(tx: &mut Tx, conversation: ConversationId) -> Result<Vec<NoteRow>, StoreError> {
    const SQL: &str = "SELECT n.id, o.name AS author, n.text, n.at FROM conversation_notes n \
        JOIN officers o ON o.id = n.officer_id WHERE n.conversation_id = $1 ORDER BY n.at, n.id";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).fetch_all(conn).await?))
}

fn to_json<T: serde::Serialize>(rows: &T) -> String {
    serde_json::to_string(rows).expect("rows of texts and numbers serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id<T: std::str::FromStr>(n: u32) -> T
    where
        T::Err: std::fmt::Debug,
    {
        format!("01934567-89ab-7000-8000-{n:012x}").parse().unwrap()
    }

    fn message(seq: i64, client_id: Option<&str>) -> MessageRow {
        MessageRow {
            conversation_id: id::<ConversationId>(2).to_string(),
            seq,
            id: format!("m{seq}"),
            client_id: client_id.map(str::to_owned),
            reply_to: None,
            sender: "visitor".into(),
            kind: "text".into(),
            text: "企业“宽带”装不上 \\ ' \" 🙂".into(),
            body: None,
            officer_id: None,
            rule_id: None,
            decision: Some("{\"step\":\"rules\"}".into()),
            at: 5,
        }
    }

    crate::store_test! {
        async fn a_batch_is_stored_whole_and_a_stale_version_is_refused(db: Db) {
            let now = Timestamp::from_millisecond(1_000).unwrap();
            let conversation: ConversationId = id(2);
            let new = NewVisitor {
                id: id(1), conversation, token_hash: "h", user_id: None, name: None, locale: None, channel: "web",
                external_id: None, dialogue: "{}", expires_at: Timestamp::from_millisecond(2_000).unwrap(),
            };
            let mut tx = db.write().await.unwrap();
            insert(&mut tx, &new, now).await.unwrap();
            tx.commit().await.unwrap();

            let mut tx = db.write().await.unwrap();
            let found = find_by_token(&mut tx, "h", now).await.unwrap().unwrap();
            assert_eq!(found.conversation_id, conversation.to_string());
            assert!(find_by_token(&mut tx, "h", Timestamp::from_millisecond(2_000).unwrap()).await.unwrap().is_none());
            let mut row = find(&mut tx, conversation).await.unwrap().unwrap();
            let stale = row.clone();
            row.seq = 2;
            row.state = "queued".into();
            row.queued_at = Some(9);
            insert_messages(&mut tx, &[message(1, Some("a")), message(2, None)]).await.unwrap();
            save(&mut tx, std::slice::from_ref(&row)).await.unwrap();
            tx.commit().await.unwrap();

            let mut tx = db.read().await.unwrap();
            let stored = find(&mut tx, conversation).await.unwrap().unwrap();
            row.version = 1;
            assert_eq!(stored, row);
            assert_eq!(count_queued(&mut tx).await.unwrap(), 1);
            assert_eq!(messages_after(&mut tx, conversation, 0, 10).await.unwrap(), [message(1, Some("a")), message(2, None)]);
            assert_eq!(messages_after(&mut tx, conversation, 1, 10).await.unwrap().len(), 1);
            let pairs = [(conversation.to_string(), "a".to_owned()), (conversation.to_string(), "b".to_owned())];
            assert_eq!(find_repeats(&mut tx, &pairs).await.unwrap(), [(conversation.to_string(), "a".to_owned(), 1)]);
            let filter = ConversationFilter::default();
            assert_eq!(list(&mut tx, &filter, 10).await.unwrap().len(), 1);
            let filter = ConversationFilter { before: Some((stored.changed_at, stored.id.as_str())), ..filter };
            assert_eq!(list(&mut tx, &filter, 10).await.unwrap().len(), 0);
            drop(tx);

            let mut tx = db.write().await.unwrap();
            assert!(matches!(save(&mut tx, std::slice::from_ref(&stale)).await, Err(StoreError::Conflict)));
            tx.rollback().await.unwrap();
            let mut tx = db.write().await.unwrap();
            assert!(matches!(save_spoken(&mut tx, &[&stale]).await, Err(StoreError::Conflict)));
            tx.rollback().await.unwrap();
            // What was said, and nothing of who has the conversation.
            let mut tx = db.write().await.unwrap();
            row.seq = 3;
            row.topic = None;
            row.last_text = "三".into();
            row.changed_at = 9;
            let owned = ConversationRow { state: "bot".into(), unit: Some("u".into()), ..row.clone() };
            save_spoken(&mut tx, &[&owned]).await.unwrap();
            tx.commit().await.unwrap();
            row.version = 2;
            let mut tx = db.read().await.unwrap();
            assert_eq!(find(&mut tx, conversation).await.unwrap().unwrap(), row);
            drop(tx);
            for taken in [message(3, Some("a")), message(2, Some("c"))] {
                let mut tx = db.write().await.unwrap();
                let error = insert_messages(&mut tx, &[taken, message(4, Some("d"))]).await.unwrap_err();
                assert!(matches!(error, StoreError::Conflict));
                tx.rollback().await.unwrap();
            }
        }
    }
}
