//! Events for other systems: chosen by subscription, written to the outbox in the transaction of their change.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{App, AppError, message_view::at_json};
use crate::store::{
    Tx,
    outbox::{self, NewEntry, OutboxRow},
    wechat,
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

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Id of its entry.
    pub id: String,
    /// Name of the webhook's target, or `wechat`.
    pub target: String,
    /// Name of the event.
    pub event: String,
    /// The conversation it belongs to, if it goes to WeChat.
    pub conversation: Option<String>,
    /// Why, in Chinese.
    pub reason: String,
    /// Attempts.
    pub attempts: i64,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was given up.
    pub given_up_at: Timestamp,
}

/// A page of what was given up, the last first, and where the next page begins. What was said is not in it.
///
/// # Errors
/// `Store`.
pub async fn dead_letters(
    app: &App,
    before: Option<(i64, &str)>,
    limit: i64,
) -> Result<(Vec<DeadLetter>, Option<(i64, String)>), AppError> {
    let mut tx = app.db.read().await?;
    let mut rows = outbox::dead(&mut tx, before, limit + 1).await?;
    let more = i64::try_from(rows.len()).unwrap_or(0) > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(0));
    let next = rows.last().filter(|_| more).map(|row| (row.done_at.unwrap_or(0), row.id.clone()));
    Ok((rows.into_iter().map(dead_letter).collect(), next))
}

fn dead_letter(row: OutboxRow) -> DeadLetter {
    let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let is_wechat = row.target == wechat::TARGET;
    let conversation = is_wechat.then(|| row.key.split(':').next().unwrap_or_default().to_owned());
    DeadLetter {
        conversation,
        reason: row.last_error.unwrap_or_else(|| "原因不明".to_owned()),
        attempts: row.attempts,
        created_at: at(row.created_at),
        given_up_at: at(row.done_at.unwrap_or(row.created_at)),
        id: row.id,
        target: row.target,
        event: row.event,
    }
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
