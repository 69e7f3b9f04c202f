//! Writes the group that waits, one commit each, and hands out the answers after it.
//!
//! Handing out is a task of its own: the next group is on its way to the disk before those who got an answer are woken.

use std::{sync::atomic::Ordering::Relaxed, time::Instant};

use tokio::sync::{mpsc, oneshot};

use super::{
    BATCH, Waiting, answer_batch,
    pipe::{Group, Pipe, Ready},
    turn, unavailable,
};
use crate::{
    app::{App, AppError},
    store::{conversations, wechat, wechat_in},
};

/// For the task that hands out, in the order of the commits.
enum Durable {
    /// A group that is stored.
    Group(Box<Group>),
    /// Tell me when everything before this is handed out.
    Mark(oneshot::Sender<()>),
}

/// Writes groups until no further one comes.
pub(super) async fn run(app: &App, pipe: &Pipe) {
    let (durable, receiver) = mpsc::unbounded_channel();
    let teller = tokio::spawn(hand_out(app.clone(), receiver));
    write_all(app, pipe, &durable).await;
    drop(durable);
    if let Err(error) = teller.await {
        tracing::error!(%error, "answers were not handed out; the gateway stops");
        app.fatal.cancel();
    }
}

/// Tells open streams and whoever waits for an answer.
async fn hand_out(app: App, mut durable: mpsc::UnboundedReceiver<Durable>) {
    while let Some(next) = durable.recv().await {
        match next {
            Durable::Group(mut group) => {
                tell(&app, &group);
                for Ready { waiting, answer } in group.ready.drain(..) {
                    // Whoever gave up waiting gets the same answer by repeating the client_id.
                    let _ = waiting.answer.send(Ok(answer));
                }
            }
            Durable::Mark(reached) => {
                let _ = reached.send(());
            }
        }
    }
}

async fn write_all(app: &App, pipe: &Pipe, durable: &mpsc::UnboundedSender<Durable>) {
    loop {
        let group = {
            let mut state = pipe.lock();
            let group = state.pending.take();
            if group.is_none() && state.closed {
                return;
            }
            group
        };
        let Some(mut group) = group else {
            pipe.filled.notified().await;
            continue;
        };
        pipe.taken.notify_one();
        if !group.ready.is_empty() {
            let start = Instant::now();
            match store(app, &group).await {
                Ok(()) => {
                    app.metrics.batches.fetch_add(1, Relaxed);
                    app.metrics.messages.fetch_add(group.ready.len() as u64, Relaxed);
                    app.metrics.commit(start.elapsed());
                    let stored = Group { id: group.id, whole: std::mem::take(&mut group.whole), ..Group::default() };
                    let stored = std::mem::replace(&mut group, stored);
                    // It is gone only after a panic, which stops the gateway.
                    let _ = durable.send(Durable::Group(Box::new(stored)));
                }
                Err(error) => {
                    if matches!(&error, AppError::Store(store) if store.refuses_writes()) {
                        // A second try in this process would be no better, and after a failed sync it would be worse.
                        unavailable(app, &error);
                        for Ready { waiting, .. } in group.ready.drain(..) {
                            let _ = waiting.answer.send(Err(AppError::Unavailable { code: "message_not_stored" }));
                        }
                    } else {
                        tracing::debug!(error = &error as &dyn std::error::Error, "a group is decided again");
                    }
                    group.distrust();
                    let mut state = pipe.lock();
                    state.epoch += 1;
                    if let Some(next) = state.pending.as_mut() {
                        next.distrust();
                    }
                }
            }
        }
        if !group.whole.is_empty() {
            // What they tell comes after what was told before them.
            let (mark, reached) = oneshot::channel();
            let _ = durable.send(Durable::Mark(mark));
            let _ = reached.await;
        }
        let mut whole = group.whole.into_iter();
        loop {
            let mut batch: Vec<Waiting> = whole.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                break;
            }
            answer_batch(app, &mut batch).await;
        }
        pipe.lock().done = group.id;
    }
}

/// One transaction for what was decided: two or three statements and the commit. Whatever it rests on is compared there.
async fn store(app: &App, group: &Group) -> Result<(), AppError> {
    let rows = |owner_stays: bool| -> Vec<_> {
        group.rows.iter().filter(|saved| saved.owner_stays == owner_stays).map(|saved| &saved.row).collect()
    };
    let mut tx = app.db.write().await?;
    let stored = async {
        conversations::insert_messages(&mut tx, &group.messages).await?;
        conversations::save_spoken(&mut tx, &rows(true)).await?;
        conversations::save_all(&mut tx, &rows(false)).await?;
        conversations::insert_unanswered(&mut tx, &group.unanswered, app.now()).await?;
        wechat_in::open_windows(&mut tx, &group.seen).await?;
        wechat::hold(&mut tx, &group.held, app.now()).await
    }
    .await;
    match stored {
        Ok(()) => Ok(tx.commit().await?),
        Err(error @ crate::store::StoreError::Conflict) => {
            tx.rollback().await?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Open streams of visitors and consoles.
fn tell(app: &App, group: &Group) {
    for saved in &group.rows {
        turn::tell_of(app, &saved.row, &saved.state_before, || {
            let of = group.ready.iter().filter(|ready| ready.answer.conversation.id == saved.row.id);
            of.flat_map(|ready| ready.answer.message.iter().chain(&ready.answer.replies)).cloned().collect()
        });
    }
}
