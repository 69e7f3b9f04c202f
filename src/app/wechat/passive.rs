//! Passive replies in the books: many at a time in one transaction, before any of them leaves.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use super::people::Person;
use crate::{
    app::{App, AppError, exchange::Answer},
    store::wechat::{self, Inbound},
};

type Waiting = (Inbound, oneshot::Sender<bool>);

/// What waits to be written, and whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

/// Opens the user's window and takes what the reply carries out of the outbox. Whoever comes while another one writes
/// is written by the next, with all that came meanwhile.
///
/// # Errors
/// `Store`, `Unavailable`: it is not in the books, so the reply must not leave; the outbox has it.
pub(super) async fn account(app: &App, inbound: Inbound) -> Result<(), AppError> {
    let marks = &app.wechat.passive;
    let (sender, mut done) = oneshot::channel();
    marks.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((inbound, sender));
    let turn = marks.turn.lock().await;
    let batch = match done.try_recv() {
        Ok(true) => return Ok(()),
        Ok(false) => return Err(AppError::Unavailable { code: "message_not_stored" }),
        Err(_) => std::mem::take(&mut *marks.waiting.lock().unwrap_or_else(PoisonError::into_inner)),
    };
    let written = write(app, &batch).await;
    if let Err(error) = &written {
        tracing::warn!(error = error as &dyn std::error::Error, "passive replies could not be put into the books");
    }
    for (_, sender) in batch {
        let _ = sender.send(written.is_ok());
    }
    drop(turn);
    written
}

async fn write(app: &App, batch: &[Waiting]) -> Result<(), AppError> {
    let inbound: Vec<Inbound> = batch.iter().map(|(inbound, _)| inbound.clone()).collect();
    let mut tx = app.db.write().await?;
    wechat::account(&mut tx, &inbound, app.now()).await?;
    Ok(tx.commit().await?)
}

/// The budget was over before the answer was there: what was held for the passive reply goes out now.
pub(super) async fn let_go(app: &App, person: &Person, answer: &Answer) {
    let go = async {
        let mut tx = app.db.write().await?;
        let opened = Inbound {
            channel: person.account.kind.as_str(),
            account: person.account.name.clone(),
            openid: person.openid.clone(),
            conversation: person.conversation.to_string(),
            at: app.now(),
            opens_window: !answer.repeated,
            carried: Vec::new(),
            rest: None,
        };
        wechat::account(&mut tx, &[opened], app.now()).await?;
        let seqs: Vec<i64> = answer.replies.iter().map(|reply| reply.seq).collect();
        wechat::let_go(&mut tx, person.conversation, &seqs, app.now()).await?;
        tx.commit().await
    };
    match go.await {
        Ok(()) => app.wake.wechat.notify_one(),
        // They leave by themselves when their time is over.
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "late answers wait in the outbox"),
    }
}
