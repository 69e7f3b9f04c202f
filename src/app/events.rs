//! What happened, told to open streams: to the visitor of a conversation and to the officers' consoles.
//!
//! Events are told after the commit and may be missed; the database is the truth, and a stream that notices a gap
//! reads it. Queues are bounded: a reader that lags is told to catch up.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use tokio::sync::broadcast;

use super::{conversations::Viewer, message::Message, relay};
use crate::domain::{
    access::Permission,
    ids::{ConversationId, OfficerId},
};

/// Events a slow reader may lag behind before it must catch up from the database.
const CONVERSATION_QUEUE: usize = 16;
const CONSOLE_QUEUE: usize = 1024;
/// Streams of one conversation open at once.
const MOST_STREAMS: usize = 10;

/// Something the visitor of a conversation sees.
#[derive(Debug, Clone)]
pub enum ChatEvent {
    /// Messages up to this number are stored; the reader looks them up.
    Messages {
        /// Number of the last one.
        seq: i64,
    },
    /// These messages are stored, in order.
    Stored(Arc<[Message]>),
    /// Somebody types.
    Typing {
        /// Name shown, e.g. of the officer.
        who: String,
    },
    /// The state or the owner changed.
    State,
    /// A model writes: what passed its checks so far. Nothing of it is stored; the message follows or does not.
    Draft(Draft),
}

/// An answer of a model that is being written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Draft {
    /// Names the question within the conversation.
    pub ticket: u32,
    /// `waiting`: nothing has passed yet, `text` asks for patience; `writing`: `text` is every sentence that passed so
    /// far; `dropped`: what was shown is to be taken away, a message follows.
    pub state: &'static str,
    /// The words.
    pub text: String,
}

/// Something officers' consoles see.
#[derive(Debug, Clone)]
pub struct StaffEvent {
    /// Name of the event: `conversation`, `message`, `typing`, `presence`, `case`, `task`, `alert`, `content`; `reload`
    /// where something may have been missed.
    pub kind: &'static str,
    /// Who may see it.
    pub scope: Scope,
    /// A small JSON object: ids and labels, no personal data.
    pub data: String,
}

/// Who may see a console event.
#[derive(Debug, Clone)]
pub enum Scope {
    /// Everyone who has this permission.
    Permission(Permission),
    /// One officer.
    Officer(OfficerId),
    /// Who may see this case.
    Case {
        /// Lead unit and assisting units.
        units: Vec<String>,
        /// Only for 纪检作风.
        sealed: bool,
        /// Units that are recused.
        recused: Vec<String>,
    },
}

/// The exchange of events within this process, with a way out to the other gateways ([`relay`]).
#[derive(Debug)]
pub struct Hub {
    conversations: Mutex<HashMap<ConversationId, broadcast::Sender<ChatEvent>>>,
    staff: broadcast::Sender<Arc<StaffEvent>>,
    /// The way to the other gateways.
    pub(super) out: relay::Out,
}

impl Default for Hub {
    fn default() -> Self {
        Self { conversations: Mutex::default(), staff: broadcast::channel(CONSOLE_QUEUE).0, out: relay::Out::default() }
    }
}

impl Hub {
    /// Tells the open streams of a conversation, at every gateway.
    pub fn tell_visitor(&self, conversation: ConversationId, event: ChatEvent) {
        self.out.visitor(conversation, &event);
        self.tell_visitor_here(conversation, event);
    }

    /// Tells the open streams of a conversation at the other gateways.
    #[expect(clippy::needless_pass_by_value, reason = "like the other ways to tell")]
    pub fn tell_elsewhere(&self, conversation: ConversationId, event: ChatEvent) {
        self.out.visitor(conversation, &event);
    }

    /// Tells the open streams of a conversation at this gateway.
    pub(super) fn tell_visitor_here(&self, conversation: ConversationId, event: ChatEvent) {
        let mut map = self.conversations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = map.get(&conversation)
            && sender.send(event).is_err()
        {
            map.remove(&conversation);
        }
    }

    /// Tells the consoles, at every gateway.
    pub fn tell_staff(&self, event: StaffEvent) {
        self.out.staff(&event);
        self.tell_staff_here(event);
    }

    /// Tells the other gateways who is at a conversation.
    pub(super) fn tell_present(&self, conversation: ConversationId, viewer: &Viewer) {
        self.out.present(conversation, viewer);
    }

    /// Tells the consoles at this gateway.
    pub(super) fn tell_staff_here(&self, event: StaffEvent) {
        // No console open is no failure.
        let _ = self.staff.send(Arc::new(event));
    }

    /// Whether anybody follows a conversation.
    pub fn is_followed(&self, conversation: ConversationId) -> bool {
        let map = self.conversations.lock().unwrap_or_else(PoisonError::into_inner);
        map.get(&conversation).is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// Follows a conversation; `None` when too many streams of it are open.
    pub fn follow(&self, conversation: ConversationId) -> Option<broadcast::Receiver<ChatEvent>> {
        let mut map = self.conversations.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() == map.capacity() {
            // Before it would grow: forget conversations nobody follows any more.
            map.retain(|_, sender| sender.receiver_count() > 0);
        }
        let sender = map.entry(conversation).or_insert_with(|| broadcast::channel(CONVERSATION_QUEUE).0);
        (sender.receiver_count() < MOST_STREAMS).then(|| sender.subscribe())
    }

    /// Follows what consoles see.
    pub fn follow_staff(&self) -> broadcast::Receiver<Arc<StaffEvent>> {
        self.staff.subscribe()
    }

    /// Wakes every open conversation stream to look into the database: after a commit by another gateway.
    pub fn wake_all(&self) {
        let map = self.conversations.lock().unwrap_or_else(PoisonError::into_inner);
        for sender in map.values() {
            let _ = sender.send(ChatEvent::Messages { seq: i64::MAX });
        }
    }
}
