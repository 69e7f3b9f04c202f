//! The optional language model: asked only through `ask`, with personal data replaced, within its budgets, journaled,
//! and stoppable at any moment.
//!
//! A model never decides anything. Where rules are silent and there are sources, it may put them into words; what it
//! says is checked against those sources before anybody sees it (`domain::grounding`). Whatever goes wrong on the way,
//! the conversation goes on as if there were no model.

pub mod alert;
pub mod answer;
mod ask;
mod budget;
mod call;
pub mod evaluation;
pub mod output;
pub mod propose;
mod question;
mod switch;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

pub use ask::{Ask, Asked, ask, end_abandoned, judge};
pub use budget::{Limit, Period, Usage, refresh, usage};
pub use call::{Call, Called, Variable, call};
pub(in crate::app) use question::redactor;
pub use switch::{SwitchState, set_switch, switch_state};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::App;
use crate::{domain::ids::ConversationId, ports::model::ModelClient};

/// What is known of the model in this process.
#[derive(Debug)]
pub struct Models {
    client: OnceLock<Client>,
    /// `true`: stopped. Running calls watch it.
    stopped: watch::Sender<bool>,
    /// A budget of everybody is used up.
    spent: AtomicBool,
    /// Questions under way: what breaks one off when it is not awaited any more.
    under_way: Mutex<HashMap<ConversationId, (u32, CancellationToken)>>,
}

struct Client(Arc<dyn ModelClient>);

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Default for Models {
    fn default() -> Self {
        Self {
            client: OnceLock::new(),
            stopped: watch::Sender::new(false),
            spent: AtomicBool::new(false),
            under_way: Mutex::default(),
        }
    }
}

impl Models {
    /// Takes the client; only the first one counts.
    pub fn connect(&self, client: Arc<dyn ModelClient>) {
        let _ = self.client.set(Client(client));
    }

    /// The client, if a model is configured.
    pub fn client(&self) -> Option<&Arc<dyn ModelClient>> {
        self.client.get().map(|client| &client.0)
    }

    /// Notes that a question is under way, until the guard is dropped.
    fn start(&self, conversation: ConversationId, ticket: u32) -> UnderWay<'_> {
        let broken_off = CancellationToken::new();
        let mut map = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(conversation, (ticket, broken_off.clone()));
        UnderWay { models: self, conversation, ticket, broken_off }
    }

    /// Breaks off the question of a conversation that is under way, unless it is the one that is awaited now.
    pub fn settle(&self, conversation: ConversationId, awaited: Option<u32>) {
        let map = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((ticket, broken_off)) = map.get(&conversation)
            && awaited != Some(*ticket)
        {
            broken_off.cancel();
        }
    }

    /// Whether the switch is known to be set.
    pub fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Whether asking is worth a try: a model is configured, not stopped, and nobody's budget is used up. Known without
    /// looking anything up; asking has the last word.
    pub fn is_available(&self) -> bool {
        self.client.get().is_some() && !*self.stopped.borrow() && !self.spent.load(Relaxed)
    }
}

/// A question under way.
struct UnderWay<'a> {
    models: &'a Models,
    conversation: ConversationId,
    ticket: u32,
    broken_off: CancellationToken,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut map = self.models.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if map.get(&self.conversation).is_some_and(|(ticket, _)| *ticket == self.ticket) {
            map.remove(&self.conversation);
        }
    }
}

impl App {
    /// The same gateway with a language model.
    #[must_use]
    pub fn with_model(self, client: Arc<dyn ModelClient>) -> Self {
        self.model.connect(client);
        self
    }
}
