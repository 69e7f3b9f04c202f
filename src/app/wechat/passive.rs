//! Passive replies: what carries the answers to a message back, and what becomes of them when it cannot.
//!
//! An answer in time is in no outbox: it leaves with the reply at once. Where there is something to write first (an
//! answer that waits, a repeat, words that do not fit), that is written before the reply leaves, many at a time in one
//! transaction. An answer that nobody carried any more, because the platform hung up, goes to the outbox and leaves when
//! the platform's tries are over. Only a process that dies between the commit of an answer and its reply has no
//! outbox for it; then the platform comes again and gets it from the conversation.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::TRIES_OVER;
use crate::{
    app::{App, AppError, exchange::Answer},
    domain::{dialogue::ConversationState, ids::ConversationId},
    ports::wechat::WechatKind,
    store::wechat::{self, Carried, Held, Rest},
};

type Waiting = (Carried, oneshot::Sender<bool>);

/// What waits to be written, and whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

/// A stored answer on its way to a WeChat user. Dropped on the way, it goes to the outbox.
pub(super) struct Leaving {
    app: App,
    kind: WechatKind,
    conversation: ConversationId,
    answer: Answer,
    settled: bool,
}

impl Leaving {
    pub(super) fn of(app: &App, kind: WechatKind, conversation: ConversationId, answer: Answer) -> Box<Self> {
        Box::new(Self { app: app.clone(), kind, conversation, answer, settled: false })
    }

    pub(super) fn answer(&self) -> &Answer {
        &self.answer
    }

    pub(super) fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// The passive reply carries it; `rest` follows.
    ///
    /// # Errors
    /// `Store`, `Unavailable`: it is not in the books, so the reply must not leave.
    pub(super) async fn carry(mut self: Box<Self>, rest: Option<Rest>) -> Result<(), AppError> {
        if self.answer.waits || self.answer.repeated || rest.is_some() {
            let messages = rows(&self.app, self.conversation, &self.answer, self.app.now());
            if !messages.is_empty() {
                Box::pin(write_down(&self.app, Carried { messages, rest })).await?;
            }
        }
        self.settled = true;
        Ok(())
    }

    /// The answer to a repeat may have gone out by API, or be on its way: nobody reads it twice. `false` when nothing of
    /// it is left for the reply.
    ///
    /// # Errors
    /// `Store`: it is not certain.
    pub(super) async fn leave_out_what_is_gone(&mut self) -> Result<bool, AppError> {
        if self.answer.replies.is_empty() {
            return Ok(true);
        }
        // From here on no sender takes it.
        let messages = rows(&self.app, self.conversation, &self.answer, self.app.now());
        Box::pin(write_down(&self.app, Carried { messages, rest: None })).await?;
        let gone = {
            let mut tx = self.app.db.read().await?;
            wechat::gone_out(&mut tx, self.conversation, &self.seqs()).await?
        };
        self.answer.replies.retain(|reply| !gone.contains(&reply.seq));
        Ok(!self.answer.replies.is_empty())
    }

    /// Takes what waits of it out of the outbox, to be said in another way: the numbers of these messages.
    ///
    /// # Errors
    /// `Store`.
    pub(super) async fn take_out(&self) -> Result<Vec<i64>, AppError> {
        let mut tx = self.app.db.write().await?;
        let taken = wechat::take_out(&mut tx, self.conversation, &self.seqs(), self.app.now()).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Puts it back: nothing of it was said.
    ///
    /// # Errors
    /// `Store`.
    pub(super) async fn put_back(&self, seqs: &[i64]) -> Result<(), AppError> {
        let mut tx = self.app.db.write().await?;
        wechat::put_back(&mut tx, self.conversation, seqs, self.app.now()).await?;
        tx.commit().await?;
        self.app.wake.wechat.notify_one();
        Ok(())
    }

    /// Whatever was to be done about it is done.
    pub(super) fn done(mut self: Box<Self>) {
        self.settled = true;
    }

    fn seqs(&self) -> Vec<i64> {
        self.answer.replies.iter().map(|reply| reply.seq).collect()
    }

    /// No reply carries it: it goes out by itself now.
    ///
    /// # Errors
    /// `Store`: it is not certain that it will.
    pub(super) async fn let_go(mut self: Box<Self>) -> Result<(), AppError> {
        if self.kind != WechatKind::Kf || self.answer.conversation.state == ConversationState::Queued.as_str() {
            let now = self.app.now();
            outbox(&self.app, self.conversation, &self.answer, now).await?;
        }
        self.settled = true;
        self.app.wake.wechat.notify_one();
        Ok(())
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        // What waits already leaves when the tries are over, and a repeat is the business of the first one.
        if self.settled || self.answer.waits || self.answer.repeated || self.answer.replies.is_empty() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (app, conversation) = (self.app.clone(), self.conversation);
        let answer = self.answer.clone();
        runtime.spawn(async move {
            let next_at = app.now().saturating_add(TRIES_OVER).unwrap_or(app.now());
            if let Err(error) = outbox(&app, conversation, &answer, next_at).await {
                tracing::error!(error = &error as &dyn std::error::Error, "an answer did not get into the outbox");
            }
        });
    }
}

fn rows(app: &App, conversation: ConversationId, answer: &Answer, next_at: Timestamp) -> Vec<Held> {
    let conversation = conversation.to_string();
    let row = |reply: &crate::app::message::Message| Held {
        id: app.ids.uuid(app.now()).to_string(),
        conversation: conversation.clone(),
        seq: reply.seq,
        next_at,
    };
    answer.replies.iter().map(row).collect()
}

/// The answer leaves through the outbox at this time, or earlier if it is there already. The answer to a repeat is never
/// added: the first one may have left.
async fn outbox(app: &App, conversation: ConversationId, answer: &Answer, next_at: Timestamp) -> Result<(), AppError> {
    let mut tx = app.db.write().await?;
    if answer.repeated {
        let seqs: Vec<i64> = answer.replies.iter().map(|reply| reply.seq).collect();
        wechat::let_go(&mut tx, conversation, &seqs, next_at).await?;
    } else {
        wechat::hold(&mut tx, &rows(app, conversation, answer, next_at), app.now()).await?;
    }
    Ok(tx.commit().await?)
}

/// Marks what a reply carries as sent. Whoever comes while another one writes is written by the next, with all that
/// came meanwhile.
async fn write_down(app: &App, carried: Carried) -> Result<(), AppError> {
    let marks = &app.wechat.passive;
    let (sender, mut done) = oneshot::channel();
    marks.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((carried, sender));
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
    let carried: Vec<Carried> = batch.iter().map(|(carried, _)| carried.clone()).collect();
    let mut tx = app.db.write().await?;
    wechat::carry(&mut tx, &carried, app.now()).await?;
    Ok(tx.commit().await?)
}
