//! Conversations in which nobody has said anything for long are closed; what was filed out of them goes on.

use jiff::{SignedDuration, Timestamp};

use super::{event_message, hand_over, set_mode, tell};
use crate::{
    app::{App, AppError, wechat_out},
    domain::{dialogue::ConversationState, ids::ConversationId},
    store::{
        conversations::{self, ConversationRow},
        upkeep,
    },
};

/// Conversations closed in one transaction.
const BATCH: i64 = 100;
/// How often a batch is tried again when a visitor was first.
const TRIES: usize = 4;

/// Closes what has been silent for `chat.idle_close_hours`, each with a word; returns how many. 0 hours: never.
///
/// # Errors
/// `Store`. What was committed before stays closed.
pub async fn close_idle(app: &App) -> Result<usize, AppError> {
    let hours = app.config.chat.idle_close_hours;
    if hours == 0 {
        return Ok(0);
    }
    let now = app.now();
    let before = now.saturating_sub(SignedDuration::from_hours(i64::from(hours))).unwrap_or(now);
    let (mut closed, mut tries) = (0, 0);
    loop {
        match close_batch(app, now, before).await {
            Ok(0) => return Ok(closed),
            Ok(some) => {
                closed += some;
                tries = 0;
            }
            Err(AppError::Store(error)) if error.is_transient() && tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

async fn close_batch(app: &App, now: Timestamp, before: Timestamp) -> Result<usize, AppError> {
    let ids = {
        let mut tx = app.db.read().await?;
        upkeep::idle(&mut tx, before, BATCH).await?
    };
    if ids.is_empty() {
        return Ok(0);
    }
    let mut tx = app.db.write().await?;
    let mut rows: Vec<ConversationRow> = conversations::find_many(&mut tx, &ids).await?;
    // Somebody may have spoken since the look.
    rows.retain(|row| row.state != "closed" && row.changed_at < before.as_millisecond());
    let mut messages = Vec::with_capacity(rows.len());
    for row in &mut rows {
        let unfinished = row.state == "collecting";
        set_mode(row, ConversationState::Closed);
        hand_over(row, None, now);
        row.queued_at = None;
        row.closed_at = Some(now.as_millisecond());
        // A conversation that was only opened says nothing.
        if row.seq > 0 {
            let form = if unfinished { "没有提交的登记单不再保留；" } else { "" };
            let text = format!(
                "很久没有新消息，这次会话先结束了。{form}已经登记的诉求件照常办理，可凭编号和查询码查进度。有事直接发消息，会重新为您服务。"
            );
            messages.push(event_message(app, row, &text, now));
        }
    }
    conversations::save(&mut tx, &rows).await?;
    conversations::insert_messages(&mut tx, &messages).await?;
    wechat_out::deliver(&mut tx, app, &messages, now).await?;
    tx.commit().await?;
    for row in &rows {
        if let Ok(id) = row.id.parse::<ConversationId>() {
            tell(app, id, row, None);
        }
    }
    // All of them spoke again: nothing to close now, and no reason to look again at once.
    Ok(rows.len())
}
