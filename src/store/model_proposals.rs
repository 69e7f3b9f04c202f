//! What a model proposed for visitors' forms, one row for each item, and what became of it. Values are not kept here.

use jiff::Timestamp;

use super::{StoreError, Tx};
use crate::{
    domain::{
        dialogue::{ProposalKey, ProposalOutcome},
        ids::ConversationId,
    },
    on_backend, row_struct,
};

/// Columns of a new row.
#[derive(Debug, Clone, Copy)]
pub struct NewProposal<'a> {
    /// Id.
    pub id: &'a str,
    /// The conversation.
    pub conversation: ConversationId,
    /// The proposal it belongs to.
    pub ticket: i64,
    /// The exchange in the journal.
    pub exchange: &'a str,
    /// What is proposed.
    pub key: ProposalKey,
}

row_struct! {
    /// One thing proposed.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ProposalRow {
        /// The proposal it belongs to.
        pub ticket: i64,
        /// The exchange in the journal.
        pub exchange_id: String,
        /// What is proposed.
        pub item: String,
        /// What became of it.
        pub outcome: String,
    }
}

row_struct! {
    /// How often something proposed ended in a way.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct CountRow {
        /// What was proposed.
        pub item: String,
        /// What became of it.
        pub outcome: String,
        /// How often.
        pub n: i64,
    }
}

/// Notes something proposed; once.
///
/// # Errors
/// `Database`.
pub async fn insert(tx: &mut Tx, new: &NewProposal<'_>, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO model_proposals (id, conversation_id, ticket, exchange_id, item, outcome, created_at) \
        VALUES ($1, $2, $3, $4, $5, 'open', $6) ON CONFLICT (conversation_id, ticket, item) DO NOTHING";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(new.id)
        .bind(new.conversation.to_string())
        .bind(new.ticket)
        .bind(new.exchange)
        .bind(new.key.as_str())
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Notes what became of it; the first end stands.
///
/// # Errors
/// `Database`.
pub async fn end(
    tx: &mut Tx,
    conversation: ConversationId,
    ticket: i64,
    key: ProposalKey,
    outcome: ProposalOutcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE model_proposals SET outcome = $4, decided_at = $5 \
        WHERE conversation_id = $1 AND ticket = $2 AND item = $3 AND outcome = 'open'";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(conversation.to_string())
        .bind(ticket)
        .bind(key.as_str())
        .bind(outcome.as_str())
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// What was proposed in a conversation, in the order of tickets and items.
///
/// # Errors
/// `Database`.
pub async fn of_conversation(tx: &mut Tx, conversation: ConversationId) -> Result<Vec<ProposalRow>, StoreError> {
    const SQL: &str = "SELECT ticket, exchange_id, item, outcome FROM model_proposals \
        WHERE conversation_id = $1 ORDER BY ticket, item";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(conversation.to_string()).fetch_all(conn).await?))
}

/// How often each item ended in each way since an instant.
///
/// # Errors
/// `Database`.
pub async fn counts(tx: &mut Tx, since: Timestamp) -> Result<Vec<CountRow>, StoreError> {
    const SQL: &str = "SELECT item, outcome, CAST(COUNT(*) AS BIGINT) AS n FROM model_proposals \
        WHERE created_at >= $1 GROUP BY item, outcome ORDER BY item, outcome";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(since.as_millisecond()).fetch_all(conn).await?))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::ids::VisitorId,
        store::conversations::{self, NewVisitor},
        store_test,
    };

    store_test! {
        async fn what_was_proposed_ends_once(db: Db) {
            let at = |ms| Timestamp::from_millisecond(ms).unwrap();
            let conversation = ConversationId::from_uuid(Uuid::from_u128(2));
            let visitor = NewVisitor {
                id: VisitorId::from_uuid(Uuid::from_u128(1)), conversation, token_hash: "h", user_id: None, name: None,
                locale: None, channel: "web", external_id: None, dialogue: "{}", expires_at: at(9_000),
            };
            let mut tx = db.write().await.unwrap();
            conversations::insert(&mut tx, &visitor, at(1)).await.unwrap();
            for (n, key) in ProposalKey::ALL.iter().enumerate() {
                let id = n.to_string();
                let new = NewProposal { id: &id, conversation, ticket: 1, exchange: "x", key: *key };
                insert(&mut tx, &new, at(5)).await.unwrap();
                insert(&mut tx, &NewProposal { id: "again", ..new }, at(6)).await.unwrap();
            }
            for (key, outcome) in ProposalKey::ALL.iter().zip(ProposalOutcome::ALL) {
                end(&mut tx, conversation, 1, *key, *outcome, at(7)).await.unwrap();
            }
            end(&mut tx, conversation, 1, ProposalKey::Topic, ProposalOutcome::Dropped, at(8)).await.unwrap();
            let rows = of_conversation(&mut tx, conversation).await.unwrap();
            assert_eq!(rows.len(), ProposalKey::ALL.len());
            assert!(rows.iter().any(|row| row.item == "topic" && row.outcome == "accepted"), "{rows:?}");
            assert_eq!(counts(&mut tx, at(6)).await.unwrap(), []);
            assert_eq!(counts(&mut tx, at(5)).await.unwrap().iter().map(|row| row.n).sum::<i64>(), 8);
            tx.commit().await.unwrap();
        }
    }
}
