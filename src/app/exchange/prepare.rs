//! Decides messages while the group before them is written.
//!
//! It remembers the conversations that spoke lately, so that an ordinary message costs no reading at all: its rows
//! are ready before the transaction begins. Whatever needs more than its own conversation (filing, a person, a look-up)
//! or is not certain (a repeat, an unknown conversation) is left to [`super::turn`], which decides inside the
//! transaction. The database has the last word on both: `seq`, `client_id` and `version` are compared there.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{
    Answer, BATCH, Waiting,
    pipe::{Pipe, Ready, Saved},
    turn::{self, Open, Stored},
};
use crate::{
    app::{
        App,
        message::{ConversationInfo, Message},
        proposal_view, wechat,
    },
    domain::{
        dialogue::{self, ConversationState, Effect, InputKind, Needs, TurnEnv, shipped::Shipped},
        ids::ConversationId,
        kinds::Channel,
    },
    store::{
        conversations::{self, ConversationRow, MessageRow},
        wechat::Held,
        wechat_in::Seen,
    },
};

/// Conversations remembered; beyond it all are forgotten once nothing is under way.
const MOST_REMEMBERED: usize = 8_192;
/// Client ids remembered of each.
const MOST_CLIENT_IDS: usize = 16;

/// A conversation as the last decided message left it.
struct Remembered {
    open: Open,
    channel: Channel,
    /// Client ids seen lately: a repeat is looked up, not decided.
    client_ids: VecDeque<String>,
}

/// What is known of conversations without reading them.
#[derive(Default)]
struct Memory {
    epoch: u64,
    conversations: HashMap<ConversationId, Remembered>,
    /// Conversations that are being decided inside a transaction, with the group that does it.
    elsewhere: HashMap<ConversationId, u64>,
    /// Everything is, until this group is done.
    all_elsewhere: u64,
}

impl Memory {
    /// Follows what the writer did since.
    fn follow(&mut self, pipe: &Pipe) {
        let state = pipe.lock();
        if state.epoch != self.epoch {
            self.epoch = state.epoch;
            self.conversations.clear();
            self.elsewhere.clear();
            self.all_elsewhere = state.newest;
        }
        self.elsewhere.retain(|_, group| *group > state.done);
        if self.all_elsewhere <= state.done {
            self.all_elsewhere = 0;
        }
        if self.conversations.len() > MOST_REMEMBERED && state.newest == state.done {
            self.conversations.clear();
        }
    }

    fn is_elsewhere(&self, id: ConversationId) -> bool {
        self.all_elsewhere > 0 || self.elsewhere.contains_key(&id)
    }
}

/// A message decided without a transaction.
struct Decided {
    ready: Ready,
    conversation: ConversationId,
    row: ConversationRow,
    state_before: String,
    owner_stays: bool,
    messages: Vec<MessageRow>,
    unanswered: Vec<(String, String, String, Option<String>)>,
    held: Vec<Held>,
    seen: Option<Seen>,
}

/// What became of one message.
enum Step {
    /// Decided; the transaction only stores it.
    Decided(Box<Decided>),
    /// Left to the transaction.
    Left(Box<Waiting>),
}

/// Decides messages until the channel is closed and empty.
pub(super) async fn run(app: &App, pipe: &Pipe, receiver: &mut mpsc::Receiver<Waiting>) {
    let mut memory = Memory::default();
    loop {
        let first = tokio::select! {
            biased;
            first = receiver.recv() => first,
            () = app.exchange_stopped.cancelled(), if !receiver.is_closed() => {
                receiver.close();
                continue;
            },
        };
        let Some(first) = first else { break };
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match receiver.try_recv() {
                Ok(next) => batch.push(next),
                Err(_) => break,
            }
        }
        // The group that waits is full: whatever comes meanwhile waits in the channel.
        while pipe.lock().pending.as_ref().is_some_and(|group| group.len() >= BATCH) {
            pipe.taken.notified().await;
        }
        memory.follow(pipe);
        read_unknown(app, &mut memory, &batch).await;
        let decided = decide_all(app, &mut memory, batch);
        hand_over(pipe, &mut memory, decided);
        pipe.filled.notify_one();
    }
    pipe.lock().closed = true;
    pipe.filled.notify_one();
}

/// Reads the conversations that are not remembered, as committed.
async fn read_unknown(app: &App, memory: &mut Memory, batch: &[Waiting]) {
    let unknown: HashSet<ConversationId> = batch
        .iter()
        .map(|waiting| waiting.sent.conversation)
        .filter(|id| !memory.conversations.contains_key(id) && !memory.is_elsewhere(*id))
        .collect();
    if unknown.is_empty() {
        return;
    }
    let ids: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    let read = async {
        let mut tx = app.db.read().await?;
        conversations::find_many(&mut tx, &ids).await
    };
    match read.await {
        Ok(rows) => {
            for row in rows {
                let (Ok(id), Ok(channel)) = (row.id.parse(), row.channel.parse()) else { continue };
                let remembered = Remembered { open: Open::new(row), channel, client_ids: VecDeque::new() };
                memory.conversations.insert(id, remembered);
            }
        }
        // The transaction will say what is wrong.
        Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "conversations could not be read"),
    }
}

/// Each message in order: decided, or left to the transaction.
fn decide_all(app: &App, memory: &mut Memory, batch: Vec<Waiting>) -> Vec<Step> {
    let now = app.now();
    let content = app.content.load();
    let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, now)
        .with_index(&content.index)
        .with_model(app.model.is_available());
    let mut left: HashSet<ConversationId> = HashSet::new();
    batch
        .into_iter()
        .map(|waiting| {
            let id = waiting.sent.conversation;
            if left.contains(&id) || memory.is_elsewhere(id) {
                return Step::Left(Box::new(waiting));
            }
            let step = match memory.conversations.get_mut(&id) {
                Some(remembered) => decide(app, &knowledge, now, remembered, waiting),
                None => Step::Left(Box::new(waiting)),
            };
            if matches!(step, Step::Left(_)) {
                memory.conversations.remove(&id);
                left.insert(id);
            }
            step
        })
        .collect()
}

/// One message on the remembered conversation; given back when it needs the transaction.
fn decide(app: &App, knowledge: &Shipped<'_>, now: Timestamp, remembered: &mut Remembered, waiting: Waiting) -> Step {
    let sent = &waiting.sent;
    let Remembered { open, channel, client_ids } = remembered;
    let with_the_bot = matches!(open.state.mode, ConversationState::Bot | ConversationState::Collecting);
    let repeated = sent.client_id.as_ref().is_some_and(|id| client_ids.contains(id));
    let submits = matches!(sent.input.kind, InputKind::FormSubmit { .. });
    let of_the_model = sent.input.is_of_the_model() || matches!(sent.input.kind, InputKind::ProposalDecided { .. });
    if !with_the_bot
        || repeated
        || submits
        || of_the_model
        || dialogue::needs(&open.state, &sent.input) != Needs::default()
    {
        return Step::Left(Box::new(waiting));
    }
    let env = TurnEnv {
        knowledge,
        now,
        today: knowledge.today,
        default_region: Some(app.config.region.code.as_str()),
        channel: *channel,
        queue_ahead: 0,
        open_cases: &[],
        progress: &[],
    };
    let Ok(outcome) = catch_unwind(AssertUnwindSafe(|| dialogue::turn(&env, &open.state, &sent.input))) else {
        return Step::Left(Box::new(waiting));
    };
    if !outcome.effects.iter().all(|effect| matches!(effect, Effect::Unanswered { .. })) {
        return Step::Left(Box::new(waiting));
    }
    let state_before = open.row.state.clone();
    let nobody = open.row.officer_id.is_none();
    open.state = outcome.state;
    app.model.settle(sent.conversation, open.state.awaited_of_the_model());
    let mut stored: Vec<Stored> = Vec::with_capacity(1 + outcome.replies.len());
    stored.extend(turn::said(app, now, &mut open.row, sent, &outcome.record));
    let said = stored.len();
    let reply_to = stored.first().map(|message| message.row.seq);
    for reply in &outcome.replies {
        stored.push(turn::answered(app, now, &mut open.row, reply, reply_to));
    }
    let seen = sent.via.as_ref().map(|via| wechat::seen(via, &open.row.id, now));
    let held = sent.via.as_ref().map_or_else(Vec::new, |via| {
        let replies = stored.iter().skip(said).map(|stored| stored.row.seq);
        wechat::held(app, via, &open.row.id, open.state.mode, replies, now)
    });
    let last = if said > 0 { stored.first() } else { stored.last() };
    turn::settle(now, open, last.map(|stored| stored.row.text.as_str()));
    let unanswered = outcome
        .effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Unanswered { text } => {
                Some((app.ids.uuid(now).to_string(), open.row.id.clone(), text, open.row.topic.clone()))
            }
            Effect::RequestHuman { .. }
            | Effect::LeaveQueue
            | Effect::FileCases(_)
            | Effect::AppendToCase { .. }
            | Effect::OnCase { .. }
            | Effect::Promise { .. }
            | Effect::PageDuty { .. }
            | Effect::Flag { .. }
            | Effect::PurgeInput { .. }
            | Effect::Feedback { .. }
            | Effect::AskModel { .. }
            | Effect::Classify { .. }
            | Effect::Proposed { .. }
            | Effect::ProposalEnded { .. } => None,
        })
        .collect();
    if let Some(id) = &sent.client_id {
        if client_ids.len() >= MOST_CLIENT_IDS {
            client_ids.pop_front();
        }
        client_ids.push_back(id.clone());
    }
    let mut messages = Vec::with_capacity(stored.len());
    let mut views = stored.into_iter().map(|Stored { row, body }| {
        let view = Message::of_row(app, &row, body);
        messages.push(row);
        view
    });
    let message = if said > 0 { views.next() } else { None };
    let answer = Answer {
        message,
        replies: views.collect(),
        conversation: ConversationInfo::new(&open.row, None, None, proposal_view::of_state(app, &open.state)),
        filed: Vec::new(),
        repeated: false,
        waits: !held.is_empty(),
    };
    Step::Decided(Box::new(Decided {
        conversation: sent.conversation,
        owner_stays: nobody && state_before == open.row.state,
        row: open.row.clone(),
        state_before,
        messages,
        unanswered,
        held,
        seen,
        ready: Ready { waiting, answer },
    }))
}

/// Puts what was decided into the group that fills.
fn hand_over(pipe: &Pipe, memory: &mut Memory, decided: Vec<Step>) {
    let mut state = pipe.lock();
    let trusted = state.epoch == memory.epoch;
    let group = state.group();
    for one in decided {
        let decided = match one {
            Step::Decided(decided) if trusted => *decided,
            Step::Decided(decided) => {
                // Decided on what a failed group should have left behind.
                memory.conversations.remove(&decided.conversation);
                memory.elsewhere.insert(decided.conversation, group.id);
                group.whole.push(decided.ready.waiting);
                continue;
            }
            Step::Left(waiting) => {
                memory.elsewhere.insert(waiting.sent.conversation, group.id);
                group.whole.push(*waiting);
                continue;
            }
        };
        group.messages.extend(decided.messages);
        group.unanswered.extend(decided.unanswered);
        group.held.extend(decided.held);
        group.seen.extend(decided.seen);
        let mut row = decided.row;
        if let Some(saved) = group.row_of.get(&decided.conversation).and_then(|at| group.rows.get_mut(*at)) {
            row.version = saved.row.version;
            saved.row = row;
            saved.owner_stays &= decided.owner_stays;
        } else {
            // The group raises the version by one, however many of its messages this conversation has.
            if let Some(remembered) = memory.conversations.get_mut(&decided.conversation) {
                row.version = remembered.open.row.version;
                remembered.open.row.version += 1;
            }
            group.row_of.insert(decided.conversation, group.rows.len());
            group.rows.push(Saved { row, state_before: decided.state_before, owner_stays: decided.owner_stays });
        }
        group.ready.push(decided.ready);
    }
}
