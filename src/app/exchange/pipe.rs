//! Between deciding and writing: the group that fills while the one before it is being committed.
//!
//! One task decides ([`super::prepare`]), one writes ([`super::write`]). The group that waits here grows until the
//! writer is free, so that the processor decides while the disk syncs and every commit carries whatever came
//! meanwhile. What was decided rests on conversations as earlier groups will leave them; when a group cannot be stored,
//! the `epoch` grows and everything decided before that is decided again inside a transaction.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::{Answer, Waiting};
use crate::{
    domain::ids::ConversationId,
    store::{
        conversations::{ConversationRow, MessageRow},
        wechat::Held,
        wechat_in::Seen,
    },
};

/// A decided message: once its group is durable, the answer goes out.
pub(super) struct Ready {
    /// Who waits, and for what.
    pub(super) waiting: Waiting,
    /// The answer.
    pub(super) answer: Answer,
}

/// A conversation as the group will leave it.
pub(super) struct Saved {
    /// The row; `version` is what the database must have now.
    pub(super) row: ConversationRow,
    /// Its state before the group.
    pub(super) state_before: String,
    /// Whether state and owner are the same as before: only what was said is saved.
    pub(super) owner_stays: bool,
}

/// What shares one commit.
#[derive(Default)]
pub(super) struct Group {
    /// Grows from group to group.
    pub(super) id: u64,
    /// Decided messages, in order.
    pub(super) ready: Vec<Ready>,
    /// Their messages and the replies, as they are stored.
    pub(super) messages: Vec<MessageRow>,
    /// Their conversations.
    pub(super) rows: Vec<Saved>,
    /// Where in `rows` a conversation is.
    pub(super) row_of: HashMap<ConversationId, usize>,
    /// Questions no rule answered: id, conversation, text, topic.
    pub(super) unanswered: Vec<(String, String, String, Option<String>)>,
    /// Replies that have to reach a WeChat user.
    pub(super) held: Vec<Held>,
    /// WeChat users who wrote.
    pub(super) seen: Vec<Seen>,
    /// Messages that are decided inside a transaction, after the others.
    pub(super) whole: Vec<Waiting>,
}

impl Group {
    /// How many messages wait in it.
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.whole.len()
    }

    /// Everything decided so far is decided again inside a transaction.
    pub(super) fn distrust(&mut self) {
        let later = std::mem::take(&mut self.whole);
        self.whole = self.ready.drain(..).map(|ready| ready.waiting).chain(later).collect();
        self.messages.clear();
        self.rows.clear();
        self.row_of.clear();
        self.unanswered.clear();
        self.held.clear();
        self.seen.clear();
    }
}

/// What both tasks share.
#[derive(Default)]
pub(super) struct State {
    /// The group that fills.
    pub(super) pending: Option<Group>,
    /// Grows when a group could not be stored as decided.
    pub(super) epoch: u64,
    /// Number of the newest group.
    pub(super) newest: u64,
    /// Number of the last group that is done.
    pub(super) done: u64,
    /// No further group will come.
    pub(super) closed: bool,
}

impl State {
    /// The group that fills, a new one if the writer took the last.
    pub(super) fn group(&mut self) -> &mut Group {
        let newest = &mut self.newest;
        self.pending.get_or_insert_with(|| {
            *newest += 1;
            Group { id: *newest, ..Group::default() }
        })
    }
}

/// The place between the two tasks.
#[derive(Default)]
pub(super) struct Pipe {
    state: Mutex<State>,
    /// The pending group has something, or no further one comes.
    pub(super) filled: Notify,
    /// The writer took the pending group.
    pub(super) taken: Notify,
}

impl Pipe {
    /// The shared state; hold it for a moment only.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
