//! What models suggested to officers, what became of it, and who switched them off.

use jiff::Timestamp;

use super::{StoreError, Tx};
use crate::{
    domain::ids::{CaseId, ConversationId, OfficerId, SuggestionId},
    on_backend, row_struct,
};

row_struct! {
    /// A suggestion. Instants are milliseconds UTC.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SuggestionRow {
        /// Id.
        pub id: String,
        /// Slug of the kind.
        pub kind: String,
        /// Whom it was made for.
        pub officer_id: String,
        /// The conversation it is about.
        pub conversation_id: Option<String>,
        /// The case it is about.
        pub case_id: Option<String>,
        /// The exchange it came from.
        pub exchange_id: String,
        /// As the officer sees it; empty once it is decided.
        pub shown: String,
        /// Personal data replaced.
        pub text: String,
        /// JSON list of the sources.
        pub sources: String,
        /// Slug of the outcome.
        pub outcome: String,
        /// What was made of it, personal data replaced.
        pub used_text: Option<String>,
        /// Share of changed characters, 0 to 100.
        pub share: Option<i64>,
        /// When it was made.
        pub created_at: i64,
        /// When it was decided.
        pub decided_at: Option<i64>,
    }
}

/// A new suggestion.
#[derive(Debug, Clone)]
pub struct NewSuggestion<'a> {
    /// Id.
    pub id: SuggestionId,
    /// Slug of the kind.
    pub kind: &'a str,
    /// Whom it is made for.
    pub officer: OfficerId,
    /// The conversation it is about.
    pub conversation: Option<ConversationId>,
    /// The case it is about.
    pub case: Option<CaseId>,
    /// The exchange it came from.
    pub exchange: &'a str,
    /// As the officer sees it.
    pub shown: &'a str,
    /// Personal data replaced.
    pub text: &'a str,
    /// JSON list of the sources.
    pub sources: &'a str,
}

/// What became of a suggestion.
#[derive(Debug, Clone)]
pub struct Decided<'a> {
    /// Slug of the outcome.
    pub outcome: &'a str,
    /// The suggestion, personal data replaced.
    pub text: &'a str,
    /// What was made of it, personal data replaced.
    pub used_text: Option<&'a str>,
    /// SHA-256 of what was used, hex.
    pub used_hash: Option<&'a str>,
    /// Share of changed characters.
    pub share: u8,
}

/// Adds a suggestion; open ones of the same kind about the same thing and for the same officer count as thrown away.
///
/// # Errors
/// `Database`.
pub async fn insert(tx: &mut Tx, new: &NewSuggestion<'_>, now: Timestamp) -> Result<(), StoreError> {
    const EARLIER: &str = "UPDATE model_suggestions SET outcome = 'thrown_away', shown = '', share = 100, \
        decided_at = $1 WHERE outcome = 'open' AND kind = $2 AND officer_id = $3 \
        AND (conversation_id = $4 OR case_id = $5)";
    const SQL: &str = "INSERT INTO model_suggestions (id, kind, officer_id, conversation_id, case_id, exchange_id, \
        shown, text, sources, outcome, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', $10)";
    let (conversation, case) = (new.conversation.map(|id| id.to_string()), new.case.map(|id| id.to_string()));
    on_backend!(tx, |conn| sqlx::query(EARLIER)
        .bind(now.as_millisecond())
        .bind(new.kind)
        .bind(new.officer.to_string())
        .bind(conversation.as_deref())
        .bind(case.as_deref())
        .execute(conn)
        .await
        .map(|_| ()))?;
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(new.id.to_string())
        .bind(new.kind)
        .bind(new.officer.to_string())
        .bind(conversation.as_deref())
        .bind(case.as_deref())
        .bind(new.exchange)
        .bind(new.shown)
        .bind(new.text)
        .bind(new.sources)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// A suggestion of this officer.
///
/// # Errors
/// `Database`.
pub async fn find(tx: &mut Tx, id: SuggestionId, officer: OfficerId) -> Result<Option<SuggestionRow>, StoreError> {
    const SQL: &str = "SELECT id, kind, officer_id, conversation_id, case_id, exchange_id, shown, text, sources, \
        outcome, used_text, share, created_at, decided_at FROM model_suggestions WHERE id = $1 AND officer_id = $2";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(id.to_string())
        .bind(officer.to_string())
        .fetch_optional(conn)
        .await?))
}

/// Notes what became of an open suggestion; `false` when it was decided before.
///
/// # Errors
/// `Database`.
pub async fn decide(tx: &mut Tx, id: SuggestionId, decided: &Decided<'_>, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE model_suggestions SET outcome = $2, shown = '', text = $3, used_text = $4, \
        used_hash = $5, share = $6, decided_at = $7 WHERE id = $1 AND outcome = 'open'";
    let done = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id.to_string())
        .bind(decided.outcome)
        .bind(decided.text)
        .bind(decided.used_text)
        .bind(decided.used_hash)
        .bind(i64::from(decided.share))
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

row_struct! {
    /// How many suggestions of a kind ended in one way.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct OutcomeCount {
        /// Slug of the kind.
        pub kind: String,
        /// Slug of the outcome.
        pub outcome: String,
        /// How many.
        pub count: i64,
        /// Sum of the shares of changed characters.
        pub shares: i64,
    }
}

/// How suggestions made since a moment ended.
///
/// # Errors
/// `Database`.
pub async fn outcomes(tx: &mut Tx, since: Timestamp) -> Result<Vec<OutcomeCount>, StoreError> {
    const SQL: &str = "SELECT kind, outcome, COUNT(*) AS count, CAST(COALESCE(SUM(share), 0) AS BIGINT) AS shares \
        FROM model_suggestions WHERE created_at >= $1 GROUP BY kind, outcome ORDER BY kind, outcome";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(since.as_millisecond()).fetch_all(conn).await?))
}

/// Suggestions that officers changed or threw away, the newest first.
///
/// # Errors
/// `Database`.
pub async fn changed(tx: &mut Tx, since: Timestamp, limit: i64) -> Result<Vec<SuggestionRow>, StoreError> {
    const SQL: &str = "SELECT id, kind, officer_id, conversation_id, case_id, exchange_id, shown, text, sources, \
        outcome, used_text, share, created_at, decided_at FROM model_suggestions \
        WHERE created_at >= $1 AND outcome = 'edited' ORDER BY created_at DESC, id DESC LIMIT $2";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(since.as_millisecond()).bind(limit).fetch_all(conn).await?))
}

/// The suggestion that came from an exchange.
///
/// # Errors
/// `Database`.
pub async fn of_exchange(tx: &mut Tx, exchange: &str, at: Timestamp) -> Result<Option<SuggestionRow>, StoreError> {
    const SQL: &str = "SELECT id, kind, officer_id, conversation_id, case_id, exchange_id, shown, text, sources, \
        outcome, used_text, share, created_at, decided_at FROM model_suggestions \
        WHERE created_at >= $1 AND created_at <= $1 + 600000 AND exchange_id = $2 LIMIT 1";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(at.as_millisecond())
        .bind(exchange)
        .fetch_optional(conn)
        .await?))
}

row_struct! {
    /// One turn of the switch.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SwitchLine {
        /// Whether no model was asked from then on.
        pub stopped: bool,
        /// Why.
        pub reason: String,
        /// Name of the officer.
        pub officer: String,
        /// Milliseconds UTC.
        pub at: i64,
    }
}

/// Notes who turned the switch.
///
/// # Errors
/// `Database`.
pub async fn log_switch(
    tx: &mut Tx,
    id: &str,
    stopped: bool,
    reason: &str,
    officer: OfficerId,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO model_switch_log (id, stopped, reason, officer_id, at) VALUES ($1, $2, $3, $4, $5)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id)
        .bind(stopped)
        .bind(reason)
        .bind(officer.to_string())
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The last turns of the switch, the newest first.
///
/// # Errors
/// `Database`.
pub async fn switch_log(tx: &mut Tx, limit: i64) -> Result<Vec<SwitchLine>, StoreError> {
    const SQL: &str = "SELECT l.stopped, l.reason, o.name AS officer, l.at FROM model_switch_log l \
        JOIN officers o ON o.id = l.officer_id ORDER BY l.at DESC, l.id DESC LIMIT $1";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(limit).fetch_all(conn).await?))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        store::officers::{self, NewOfficer},
        store_test,
    };

    const NOW: i64 = 1_764_000_000_000;

    fn id(n: u128) -> SuggestionId {
        SuggestionId::from_uuid(Uuid::from_u128(n))
    }

    async fn officer(tx: &mut Tx) -> OfficerId {
        let id = OfficerId::from_uuid(Uuid::from_u128(1));
        let new = NewOfficer { id, login: "a", name: "甲", password_hash: "-", must_change_password: false };
        officers::insert(tx, &new, Timestamp::from_millisecond(NOW).unwrap()).await.unwrap();
        id
    }

    fn new(n: u128, kind: &'static str, officer: OfficerId) -> NewSuggestion<'static> {
        NewSuggestion {
            id: id(n),
            kind,
            officer,
            conversation: None,
            case: None,
            exchange: "e",
            shown: "请找李经理",
            text: "请找〔姓名1〕",
            sources: "[]",
        }
    }

    store_test! {
        async fn a_suggestion_is_decided_once_and_then_shows_no_names(db: Db) {
            let at = |n: i64| Timestamp::from_millisecond(NOW + n).unwrap();
            let mut tx = db.write().await.unwrap();
            let officer = officer(&mut tx).await;
            insert(&mut tx, &new(1, "reply", officer), at(0)).await.unwrap();
            insert(&mut tx, &new(2, "summary", officer), at(1)).await.unwrap();
            let decided = Decided {
                outcome: "edited", text: "请找〔姓名1〕", used_text: Some("请联系〔姓名1〕"), used_hash: Some("h"),
                share: 30,
            };
            assert!(decide(&mut tx, id(1), &decided, at(2)).await.unwrap());
            assert!(!decide(&mut tx, id(1), &Decided { outcome: "kept", ..decided }, at(3)).await.unwrap());
            let row = find(&mut tx, id(1), officer).await.unwrap().unwrap();
            assert_eq!((row.outcome.as_str(), row.shown.as_str(), row.share), ("edited", "", Some(30)));
            assert_eq!(find(&mut tx, id(1), OfficerId::from_uuid(Uuid::from_u128(9))).await.unwrap(), None);
            let counts = outcomes(&mut tx, at(0)).await.unwrap();
            let counts: Vec<_> = counts.iter().map(|c| (c.kind.as_str(), c.outcome.as_str(), c.count, c.shares)).collect();
            assert_eq!(counts, [("reply", "edited", 1, 30), ("summary", "open", 1, 0)]);
            assert_eq!(changed(&mut tx, at(0), 5).await.unwrap().len(), 1);
            assert!(of_exchange(&mut tx, "e", at(0)).await.unwrap().is_some());
            tx.commit().await.unwrap();
        }
    }

    store_test! {
        async fn every_turn_of_the_switch_is_kept_with_its_name(db: Db) {
            let at = Timestamp::from_millisecond(NOW).unwrap();
            let mut tx = db.write().await.unwrap();
            let officer = officer(&mut tx).await;
            log_switch(&mut tx, "1", true, "乱说", officer, at).await.unwrap();
            log_switch(&mut tx, "2", false, "", officer, at).await.unwrap();
            let lines = switch_log(&mut tx, 5).await.unwrap();
            assert_eq!(lines.iter().map(|l| (l.stopped, l.officer.as_str())).collect::<Vec<_>>(), [(false, "甲"), (true, "甲")]);
            tx.commit().await.unwrap();
        }
    }
}
