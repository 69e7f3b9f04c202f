//! Promises made in conversations: what is open, and its end. Whoever may not see the conversation sees no promise of it.

use std::collections::HashSet;

use super::{ConversationRow, may_see, sealed_among, visible};
use crate::{
    app::{App, AppError, Officer},
    domain::access::Permission,
    store::{
        conversations,
        promises::{self, PromiseRow},
    },
};

/// Ends a promise as kept or dropped.
///
/// # Errors
/// `NotFound` when it is not open, `Store`.
pub async fn end_promise(app: &App, officer: &Officer, id: &str, kept: bool) -> Result<(), AppError> {
    officer.require(Permission::Converse)?;
    let mut tx = app.db.write().await?;
    let conversation = promises::conversation_of(&mut tx, id).await?.and_then(|id| id.parse().ok());
    let seen = match conversation {
        Some(conversation) => may_see(&mut tx, officer, conversation).await?,
        None => false,
    };
    if !seen || !promises::end(&mut tx, id, kept, officer.id, app.now()).await? {
        tx.rollback().await?;
        return Err(AppError::NotFound);
    }
    Ok(tx.commit().await?)
}

/// Open promises of the conversations that the officer may see, the next due first.
///
/// # Errors
/// `Store`.
pub async fn open_promises(app: &App, officer: &Officer) -> Result<Vec<PromiseRow>, AppError> {
    officer.require(Permission::Converse)?;
    let mut tx = app.db.read().await?;
    let mut open = promises::open(&mut tx, 200).await?;
    let mut ids: Vec<String> = open.iter().map(|promise| promise.conversation_id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = conversations::find_many(&mut tx, &ids).await?;
    let sealed = sealed_among(&mut tx, &rows).await?;
    let open_to = |row: &&ConversationRow| visible(officer, row, sealed.contains(&row.id));
    let seen: HashSet<&str> = rows.iter().filter(open_to).map(|row| row.id.as_str()).collect();
    open.retain(|promise| seen.contains(promise.conversation_id.as_str()));
    Ok(open)
}
