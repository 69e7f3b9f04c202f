//! Finished cases of a topic, with the officer's scope in the SQL.

use super::list::{units_json, visibility_sql};
use crate::{
    domain::{access::CaseScope, ids::CaseId},
    on_backend, row_struct,
    store::{StoreError, Tx},
};

row_struct! {
    /// A finished case, as far as it is compared.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct FinishedLine {
        /// Number without the round.
        pub number: String,
        /// One line.
        pub title: String,
        /// Number, title, wish and name in lower case, as the search of the list sees them.
        pub search: String,
        /// Closed at.
        pub closed_at: Option<i64>,
    }
}

/// The finished cases of a topic that the officer may see, the newest first. Sealed and confidential ones are left
/// out for everybody: what was said in them is not for other cases. `except` is the case that is compared.
///
/// # Errors
/// `Database`.
pub async fn finished(
    tx: &mut Tx,
    scope: &CaseScope,
    topic: &str,
    except: Option<CaseId>,
    limit: i64,
) -> Result<Vec<FinishedLine>, StoreError> {
    const SQL: &str = concat!(
        "SELECT c.number, c.title, c.search, c.closed_at FROM cases c WHERE c.topic = $5 AND c.open = FALSE ",
        "AND c.status IN ('closed', 'archived') AND NOT c.sealed AND NOT c.confidential ",
        "AND c.id <> $6 AND ",
        visibility_sql!(),
        " ORDER BY c.sort_due, c.id LIMIT $7"
    );
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(scope.all)
        .bind(scope.sealed)
        .bind(units_json(&scope.units))
        .bind(units_json(&scope.own_units))
        .bind(topic)
        .bind(except.map(|id| id.to_string()).unwrap_or_default())
        .bind(limit)
        .fetch_all(conn)
        .await?))
}
