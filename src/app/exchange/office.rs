//! The close of business for those who still wait in the queue: words at once and a promise, not silence.

use jiff::Timestamp;

use super::turn::{self, Open};
use crate::{
    app::{App, AppError, message::Message, wechat_out},
    domain::{
        dialogue::{self, Effect, TurnEnv, shipped::Shipped},
        ids::ConversationId,
        kinds::Channel,
    },
    store::{
        conversations,
        promises::{self, NewPromise},
        upkeep,
    },
};

/// Conversations looked at in one go.
const BATCH: i64 = 200;
/// How often one is tried again when the visitor or a colleague was first.
const TRIES: usize = 4;

/// Takes everybody out of the queue when the office is closed for the day; returns how many.
///
/// # Errors
/// `Store`.
pub async fn close_queue(app: &App) -> Result<usize, AppError> {
    let now = app.now();
    if app.content.load().schedule.is_open(now) {
        return Ok(0);
    }
    let ids = {
        let mut tx = app.db.read().await?;
        upkeep::queued(&mut tx, BATCH).await?
    };
    let mut told = 0;
    for id in ids {
        let Ok(id) = id.parse() else { continue };
        let mut tries = 0;
        told += usize::from(loop {
            tries += 1;
            match leave(app, id, now).await {
                Err(AppError::Store(error)) if error.is_transient() && tries < TRIES => {}
                done => break done?,
            }
        });
    }
    Ok(told)
}

/// One conversation in one transaction; `false` when it does not wait any more or must go on waiting.
async fn leave(app: &App, id: ConversationId, now: Timestamp) -> Result<bool, AppError> {
    let content = app.content.load();
    let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, now)
        .with_index(&content.index);
    let mut tx = app.db.write().await?;
    let Some(row) = conversations::find(&mut tx, id).await? else {
        tx.rollback().await?;
        return Ok(false);
    };
    let channel: Channel = row.channel.parse().unwrap_or(Channel::Web);
    let env = TurnEnv {
        knowledge: &knowledge,
        now,
        today: knowledge.today,
        default_region: Some(app.config.region.code.as_str()),
        channel,
        queue_ahead: 0,
        open_cases: &[],
        progress: &[],
    };
    let before = row.state.clone();
    let mut open = Open::new(row);
    let Some(outcome) = dialogue::office_closed(&env, &open.state) else {
        tx.rollback().await?;
        return Ok(false);
    };
    open.state = outcome.state;
    open.row.queued_at = None;
    open.row.fence += 1;
    let stored: Vec<_> =
        outcome.replies.iter().map(|reply| turn::answered(app, now, &mut open.row, reply, None)).collect();
    let last = stored.last().map(|stored| stored.row.text.clone());
    turn::settle(now, &mut open, last.as_deref());
    for effect in outcome.effects {
        if let Effect::Promise { text, due, case } = effect {
            let promise = NewPromise {
                id: app.ids.uuid(now).to_string(),
                conversation: id,
                case_number: case.as_deref(),
                officer: None,
                text: &text,
                due,
            };
            promises::insert(&mut tx, &promise, now).await?;
        }
    }
    let rows: Vec<_> = stored.iter().map(|stored| stored.row.clone()).collect();
    conversations::save(&mut tx, std::slice::from_ref(&open.row)).await?;
    conversations::insert_messages(&mut tx, &rows).await?;
    wechat_out::deliver(&mut tx, app, &rows, now).await?;
    tx.commit().await?;
    app.wake.wechat.notify_one();
    turn::tell_of(app, &open.row, &before, || {
        stored.into_iter().map(|stored| Message::new(app, stored.row, stored.body)).collect()
    });
    Ok(true)
}
