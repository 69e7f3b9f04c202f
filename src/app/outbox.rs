//! Events for other systems: chosen by subscription, written to the outbox in the transaction of their change.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{App, AppError, message_view::at_json};
use crate::store::{
    Tx,
    outbox::{self, NewEntry, OutboxRow},
};

/// Puts an event into the outbox of every subscription that wants it. `key` names the event for ever: a repeated
/// request enqueues nothing new. Wake `app.wake.outbox` after the commit.
///
/// # Errors
/// `Store`.
pub async fn publish(
    app: &App,
    tx: &mut Tx,
    event: &str,
    key: &str,
    data: &Value,
    now: Timestamp,
) -> Result<usize, AppError> {
    let mut added = 0;
    for target in &app.config.webhooks.outbound {
        if !target.events.is_empty() && !target.events.iter().any(|wanted| wanted == event || covers(wanted, event)) {
            continue;
        }
        let id = app.ids.uuid(now).to_string();
        let zone = app.content.load().schedule.zone().clone();
        let payload = json!({"id": key, "event": event, "at": at_json(now, &zone), "data": data}).to_string();
        let entry = NewEntry { id, target: &target.name, event, key, payload: &payload };
        if outbox::enqueue(tx, &entry, now).await? {
            added += 1;
        }
    }
    Ok(added)
}

/// `case.*` covers `case.accepted`.
fn covers(pattern: &str, event: &str) -> bool {
    pattern == "*" || pattern.strip_suffix('*').is_some_and(|prefix| event.starts_with(prefix))
}

/// What was given up, with the reason, for the administrator.
///
/// # Errors
/// `Store`.
pub async fn dead_letters(app: &App, limit: i64) -> Result<Vec<OutboxRow>, AppError> {
    let mut tx = app.db.read().await?;
    Ok(outbox::list(&mut tx, "dead", limit).await?)
}

/// Sends a dead letter once more.
///
/// # Errors
/// `NotFound` when it is none, `Store`.
pub async fn revive(app: &App, id: &str) -> Result<(), AppError> {
    let mut tx = app.db.write().await?;
    if !outbox::revive(&mut tx, id, app.now()).await? {
        tx.rollback().await?;
        return Err(AppError::NotFound);
    }
    tx.commit().await?;
    app.wake.outbox.notify_one();
    app.wake.wechat.notify_one();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_covers_what_begins_alike() {
        assert!(covers("case.*", "case.accepted"));
        assert!(covers("*", "case.accepted"));
        assert!(!covers("case.*", "conversation.claimed"));
        assert!(!covers("case", "case.accepted"));
    }
}
