//! One batch in one transaction: load, decide each message in order, write everything, commit, tell.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use jiff::Timestamp;

use super::{Answer, Sent, effects};
use crate::{
    app::{
        App, AppError, FieldError, chat, dialogue_codec,
        events::{ChatEvent, Scope, StaffEvent},
        intake::Filed,
        message::{Message, MessageBody},
        message_view,
        notices::Told,
        wechat, wechat_out,
    },
    domain::{
        access::Permission,
        dialogue::{
            self, ConversationState, DecisionRecord, DialogueState, Effect, FiledCase, Input, InputKind, Reply, Sender,
            TurnEnv, TurnOutcome, shipped::Shipped,
        },
        ids::{ConversationId, MessageId},
        kinds::Channel,
    },
    store::{
        self, Tx,
        conversations::{self, ConversationRow, MessageRow},
        wechat::Held,
        wechat_in::{self, Seen},
    },
};

/// A conversation while its messages are decided.
pub(super) struct Open {
    /// The row as loaded, then as it will be saved.
    pub(super) row: ConversationRow,
    /// Its dialogue.
    pub(super) state: DialogueState,
    state_before: String,
    changed: bool,
}

impl Open {
    /// A loaded conversation.
    pub(super) fn new(row: ConversationRow) -> Self {
        let mut state = dialogue_codec::decode(&row.dialogue);
        state.mode = row.state.parse().unwrap_or(ConversationState::Bot);
        Self { state_before: row.state.clone(), row, state, changed: false }
    }
}

/// A message that will be stored, with its parts for the answer.
pub(super) struct Stored {
    /// The row.
    pub(super) row: MessageRow,
    /// Its body, not yet JSON.
    pub(super) body: MessageBody,
}

/// What becomes of one message of the batch.
enum Plan {
    /// Stored with these replies: positions in the list of stored messages.
    Decided { message: Option<usize>, replies: Vec<usize>, filed: Vec<FiledCase>, waits: bool },
    /// The same as an earlier one of this batch.
    SameAs(usize),
    /// Stored before: the number of the first one.
    Repeat(i64),
    /// Refused; nothing is stored.
    Refused(AppError),
}

/// Everything a batch collects until it is written.
pub(super) struct Batch<'a> {
    /// The gateway.
    pub(super) app: &'a App,
    /// The instant of the batch.
    pub(super) now: Timestamp,
    /// Questions no rule answered.
    pub(super) unanswered: Vec<(String, String, String, Option<String>)>,
    /// Console events after the commit.
    pub(super) events: Vec<StaffEvent>,
    /// Notices to officers, told after the commit.
    pub(super) told: Told,
    /// What intake tells after the commit.
    pub(super) filed: Vec<Filed>,
    /// A question was put to the model.
    pub(super) asked: bool,
    /// A question about a form was put to the model.
    pub(super) classifies: bool,
    /// Conversations whose proposals changed.
    pub(super) proposals: Vec<ConversationId>,
    /// Replies that have to reach a WeChat user.
    held: Vec<Held>,
    /// Replies that no passive reply can carry, because nothing was received: positions in `stored`.
    delivered: Vec<usize>,
    /// WeChat users who wrote.
    seen: Vec<Seen>,
    stored: Vec<Stored>,
    /// How many of `stored` are written already.
    written: usize,
}

/// Runs the batch; `failed` stores without deciding and hands over to a person.
pub(super) async fn run(app: &App, sent: &[&Sent], failed: bool) -> Result<Vec<Result<Answer, AppError>>, AppError> {
    let now = app.now();
    let content = app.content.load();
    let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, now)
        .with_index(&content.index)
        .with_model(app.model.is_available());
    let mut tx = app.db.write().await?;

    let mut ids: Vec<String> = sent.iter().map(|one| one.conversation.to_string()).collect();
    let of_message = ids.clone();
    ids.sort_unstable();
    ids.dedup();
    let mut open: HashMap<String, Open> = HashMap::with_capacity(ids.len());
    for row in conversations::find_many(&mut tx, &ids).await? {
        open.insert(row.id.clone(), Open::new(row));
    }
    let pairs: Vec<(String, String)> =
        sent.iter().zip(&of_message).filter_map(|(one, id)| Some((id.clone(), one.client_id.clone()?))).collect();
    let mut repeats: HashMap<(String, String), Plan> = HashMap::new();
    if !pairs.is_empty() {
        for (id, client_id, seq) in conversations::find_repeats(&mut tx, &pairs).await? {
            repeats.insert((id, client_id), Plan::Repeat(seq));
        }
    }
    let strangers = strangers(&mut tx, sent, now).await?;
    let queue = conversations::count_queued(&mut tx).await?;

    let mut batch = Batch {
        app,
        now,
        unanswered: Vec::new(),
        events: Vec::new(),
        told: Told::default(),
        filed: Vec::new(),
        asked: false,
        classifies: false,
        proposals: Vec::new(),
        held: Vec::new(),
        delivered: Vec::new(),
        seen: Vec::new(),
        stored: Vec::with_capacity(2 * sent.len()),
        written: 0,
    };
    let mut plans: Vec<Plan> = Vec::with_capacity(sent.len());
    for (n, (one, id)) in sent.iter().zip(&of_message).enumerate() {
        if let Some(client_id) = &one.client_id {
            match repeats.get(&(id.clone(), client_id.clone())) {
                Some(Plan::Repeat(seq)) => {
                    plans.push(Plan::Repeat(*seq));
                    continue;
                }
                Some(Plan::SameAs(first)) => {
                    plans.push(Plan::SameAs(*first));
                    continue;
                }
                Some(Plan::Decided { .. } | Plan::Refused(_)) | None => {
                    repeats.insert((id.clone(), client_id.clone()), Plan::SameAs(n));
                }
            }
        }
        let Some(conversation) = open.get_mut(id).filter(|_| !strangers.contains(&n)) else {
            plans.push(Plan::Refused(AppError::NotFound));
            continue;
        };
        let needs = dialogue::needs(&conversation.state, &one.input);
        let loaded = effects::load(&mut tx, app, one.conversation, &needs).await?;
        let channel: Channel = conversation.row.channel.parse().unwrap_or(Channel::Web);
        let env = TurnEnv {
            knowledge: &knowledge,
            now,
            today: knowledge.today,
            default_region: Some(app.config.region.code.as_str()),
            channel,
            queue_ahead: u32::try_from(queue).unwrap_or(u32::MAX),
            open_cases: &loaded.open_cases,
            progress: &loaded.progress,
        };
        plans.push(one_message(&mut batch, &mut tx, conversation, &env, one, failed).await?);
    }

    let nothing_new = batch.stored.is_empty();
    write_messages(&mut batch, &mut tx).await?;
    wechat_in::open_windows(&mut tx, &batch.seen).await?;
    store::wechat::hold(&mut tx, &batch.held, now).await?;
    let delivered: Vec<MessageRow> =
        batch.delivered.iter().filter_map(|n| batch.stored.get(*n)).map(|stored| stored.row.clone()).collect();
    wechat_out::deliver(&mut tx, app, &delivered, now).await?;
    let changed: Vec<ConversationRow> = open.values().filter(|one| one.changed).map(|one| one.row.clone()).collect();
    conversations::save(&mut tx, &changed).await?;
    conversations::insert_unanswered(&mut tx, &batch.unanswered, now).await?;
    let mut repeated = HashMap::new();
    for (plan, one) in plans.iter().zip(sent) {
        if let Plan::Repeat(seq) = plan {
            repeated.insert((one.conversation, *seq), first_answer(app, &mut tx, one.conversation, *seq).await?);
        }
    }
    let mut infos = HashMap::with_capacity(open.len());
    for conversation in open.values() {
        infos.insert(conversation.row.id.clone(), chat::info(app, &mut tx, &conversation.row).await?);
    }
    if changed.is_empty() && nothing_new {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    if !delivered.is_empty() {
        app.wake.wechat.notify_one();
    }
    tell(&batch, &open);
    for filed in std::mem::take(&mut batch.filed) {
        filed.tell(app);
    }

    let mut answers = Vec::with_capacity(sent.len());
    let mut stored: Vec<Option<Message>> =
        batch.stored.into_iter().map(|stored| Some(Message::new(app, stored.row, stored.body))).collect();
    for (plan, (one, id)) in plans.into_iter().zip(sent.iter().zip(&of_message)) {
        let conversation = infos.get(id).cloned();
        let mut take = |n: usize| stored.get_mut(n).and_then(Option::take);
        let answer = match (plan, conversation) {
            (Plan::Refused(error), _) => Err(error),
            (_, None) => Err(AppError::NotFound),
            (Plan::Decided { message, replies, filed, waits }, Some(conversation)) => Ok(Answer {
                message: message.and_then(&mut take),
                replies: replies.into_iter().filter_map(take).collect(),
                conversation,
                filed,
                repeated: false,
                waits,
            }),
            (Plan::SameAs(first), Some(_)) => match answers.get(first) {
                Some(Ok(answer)) => Ok(Answer { repeated: true, ..Answer::clone(answer) }),
                Some(Err(_)) | None => Err(AppError::Unavailable { code: "message_not_stored" }),
            },
            (Plan::Repeat(seq), Some(conversation)) => {
                let (message, replies) = repeated.get(&(one.conversation, seq)).cloned().unwrap_or_default();
                Ok(Answer { message, replies, conversation, filed: Vec::new(), repeated: true, waits: false })
            }
        };
        answers.push(answer);
    }
    Ok(answers)
}

/// Decides one message and carries out its effects.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other effect is carried out by `effects::apply`")]
async fn one_message(
    batch: &mut Batch<'_>,
    tx: &mut Tx,
    conversation: &mut Open,
    env: &TurnEnv<'_>,
    sent: &Sent,
    failed: bool,
) -> Result<Plan, AppError> {
    if sent.input.ticket().is_some_and(|ticket| conversation.state.awaited_ticket() != Some(ticket)) {
        // The fence: another message or a person took the place of the question, or it was answered before.
        return Ok(Plan::Decided { message: None, replies: Vec::new(), filed: Vec::new(), waits: false });
    }
    if let Err(refused) = fence(env, &conversation.state, &sent.input) {
        return Ok(Plan::Refused(refused));
    }
    if conversation.state.mode == ConversationState::Closed {
        // The visitor speaks again: a new episode, in which the bot knows who it is and nothing of the old matter.
        conversation.state = std::mem::take(&mut conversation.state).opened_again();
        conversation.row.closed_at = None;
        conversation.row.fence += 1;
    }
    let had_person = conversation.state.mode == ConversationState::Human;
    let submits = matches!(sent.input.kind, InputKind::FormSubmit { .. });
    if submits && conversation.state.form.is_none() {
        return Ok(Plan::Refused(AppError::conflict("form_missing")));
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        if failed {
            dialogue::failed_turn(env, &conversation.state)
        } else {
            dialogue::turn(env, &conversation.state, &sent.input)
        }
    }))
    .unwrap_or_else(|_| {
        tracing::error!("deciding a message panicked; it goes to a person");
        dialogue::failed_turn(env, &conversation.state)
    });
    let files = outcome.effects.iter().any(|effect| matches!(effect, Effect::FileCases(_)));
    if submits && !files && outcome.effects.is_empty() {
        let errors = dialogue::form_errors(&outcome.state);
        if !errors.is_empty() {
            let errors = errors
                .into_iter()
                .map(|(key, message)| FieldError::new(format!("/fields/{}", key.as_str()), message))
                .collect();
            return Ok(Plan::Refused(AppError::invalid("form_incomplete", errors)));
        }
    }
    let TurnOutcome { state, mut replies, effects, record } = outcome;
    batch.app.model.settle(sent.conversation, state.awaited_of_the_model());
    if had_person {
        // The fence: whatever the bot wanted to say, a person has the conversation.
        replies.retain(|reply| reply.from != Sender::Bot);
    }
    // What the conversation may see is what it was shown before this message.
    let known = std::mem::replace(&mut conversation.state, state).cases;
    let spoken = said(batch.app, batch.now, &mut conversation.row, sent, &record);
    let message = spoken.map(|stored| keep(batch, stored));
    let mut filed = Vec::new();
    for effect in effects {
        match effect {
            Effect::FileCases(drafts) => {
                write_so_far(batch, tx, conversation).await?;
                let cases = effects::file_cases(batch, tx, sent.conversation, &drafts).await?;
                reload(tx, conversation, sent.conversation).await?;
                let (state, receipt) = dialogue::filed(env, &conversation.state, &cases);
                conversation.state = state;
                replies.push(receipt);
                filed.extend(cases);
            }
            Effect::AppendToCase { number, text, attachments } => {
                write_so_far(batch, tx, conversation).await?;
                effects::append_to_case(batch, tx, sent.conversation, &known, &number, &text, &attachments).await?;
                reload(tx, conversation, sent.conversation).await?;
            }
            Effect::OnCase { number, act, words } => {
                write_so_far(batch, tx, conversation).await?;
                let done = effects::on_case(batch, tx, &number, act, words).await?;
                reload(tx, conversation, sent.conversation).await?;
                replies.push(dialogue::acted(&conversation.state, &number, act, done.as_ref().map_err(Clone::clone)));
            }
            Effect::PurgeInput { replacement } => {
                if let Some(stored) = message.and_then(|n| batch.stored.get_mut(n)) {
                    replacement.clone_into(&mut stored.row.text);
                    stored.row.decision = None;
                    stored.body = MessageBody::default();
                    stored.row.body = None;
                }
            }
            other => {
                let Open { row, state, .. } = conversation;
                effects::apply(batch, tx, row, state, sent.conversation, other).await?;
            }
        }
    }
    let reply_to = message.and_then(|n| batch.stored.get(n)).map(|stored| stored.row.seq);
    let positions: Vec<usize> = replies
        .iter()
        .map(|reply| {
            let stored = answered(batch.app, batch.now, &mut conversation.row, reply, reply_to);
            keep(batch, stored)
        })
        .collect();
    if sent.input.ticket().is_some() {
        batch.delivered.extend(&positions);
    }
    let mut waits = false;
    if let Some(via) = &sent.via {
        let replies = positions.iter().filter_map(|n| batch.stored.get(*n)).map(|stored| stored.row.seq);
        let held = wechat::held(batch.app, via, &conversation.row.id, conversation.state.mode, replies, batch.now);
        waits = !held.is_empty();
        batch.held.extend(held);
        batch.seen.push(wechat::seen(via, &conversation.row.id, batch.now));
    }
    let last = message.or(positions.last().copied()).and_then(|n| batch.stored.get(n));
    settle(batch.now, conversation, last.map(|stored| stored.row.text.as_str()));
    Ok(Plan::Decided { message, replies: positions, filed, waits })
}

/// Whether what concerns a proposal still finds its form.
fn fence(env: &TurnEnv<'_>, state: &DialogueState, input: &Input) -> Result<(), AppError> {
    let gone = || AppError::conflict("proposal_gone");
    if let InputKind::Proposed { ticket, .. } = &input.kind {
        return if state.awaited_proposal() == Some(*ticket) { Ok(()) } else { Err(gone()) };
    }
    if let InputKind::ProposalDecided { ticket, accepted, .. } = &input.kind {
        let proposal = state.form.as_ref().and_then(|form| form.proposal.as_ref());
        if state.mode == ConversationState::Closed || proposal.is_none_or(|proposal| proposal.ticket != *ticket) {
            return Err(gone());
        }
        let errors = dialogue::proposal_errors(env, state, accepted).into_iter();
        let errors: Vec<_> =
            errors.map(|(key, message)| FieldError::new(format!("/accept/{}", key.as_str()), message)).collect();
        if !errors.is_empty() {
            return Err(AppError::invalid("invalid_fields", errors));
        }
    }
    Ok(())
}

/// Messages of WeChat users whose conversation is another one by now: whoever sent them looks it up again.
async fn strangers(tx: &mut Tx, sent: &[&Sent], now: Timestamp) -> Result<Vec<usize>, AppError> {
    let (positions, seen): (Vec<usize>, Vec<Seen>) = sent
        .iter()
        .enumerate()
        .filter_map(|(n, one)| {
            let via = one.via.as_ref()?;
            Some((n, wechat::seen(via, &one.conversation.to_string(), now)))
        })
        .unzip();
    let strange = wechat_in::strangers(tx, &seen).await?;
    Ok(strange.into_iter().filter_map(|n| positions.get(n).copied()).collect())
}

/// Writes the messages that are not written yet.
async fn write_messages(batch: &mut Batch<'_>, tx: &mut Tx) -> Result<(), AppError> {
    let rows: Vec<MessageRow> = batch.stored.iter().skip(batch.written).map(|stored| stored.row.clone()).collect();
    conversations::insert_messages(tx, &rows).await?;
    batch.written = batch.stored.len();
    Ok(())
}

/// Before a case use case, which may itself add to the conversation: everything is in the database.
async fn write_so_far(batch: &mut Batch<'_>, tx: &mut Tx, conversation: &mut Open) -> Result<(), AppError> {
    write_messages(batch, tx).await?;
    conversations::save(tx, std::slice::from_ref(&conversation.row)).await?;
    Ok(())
}

/// After it: the row as it is now.
async fn reload(tx: &mut Tx, conversation: &mut Open, id: ConversationId) -> Result<(), AppError> {
    conversation.row = conversations::find(tx, id).await?.ok_or(AppError::NotFound)?;
    Ok(())
}

/// Writes the state back into the row; `last` is the text that lists show.
pub(super) fn settle(now: Timestamp, conversation: &mut Open, last: Option<&str>) {
    let row = &mut conversation.row;
    let mode = conversation.state.mode;
    if row.state != mode.as_str() {
        mode.as_str().clone_into(&mut row.state);
    }
    if mode != ConversationState::Human {
        row.officer_id = None;
    }
    row.dialogue = dialogue_codec::encode(&conversation.state);
    row.changed_at = now.as_millisecond();
    if let Some(last) = last {
        row.last_text = last.chars().take(60).collect();
    }
    conversation.changed = true;
}

fn next_row(app: &App, now: Timestamp, conversation: &mut ConversationRow, client_id: Option<String>) -> MessageRow {
    conversation.seq += 1;
    MessageRow {
        conversation_id: conversation.id.clone(),
        seq: conversation.seq,
        id: MessageId::from_uuid(app.ids.uuid(now)).to_string(),
        client_id,
        reply_to: None,
        sender: "visitor".into(),
        kind: "text".into(),
        text: String::new(),
        body: None,
        officer_id: None,
        rule_id: None,
        decision: None,
        at: now.as_millisecond(),
    }
}

/// The visitor's message as the next one of the conversation; nothing for a mark on an answer.
pub(super) fn said(
    app: &App,
    now: Timestamp,
    conversation: &mut ConversationRow,
    sent: &Sent,
    record: &DecisionRecord,
) -> Option<Stored> {
    if let Some(topic) = &record.topic {
        conversation.topic = Some(topic.clone());
    }
    let shown = sent.shown.as_ref()?;
    let mut row = next_row(app, now, conversation, sent.client_id.clone());
    shown.kind.clone_into(&mut row.kind);
    row.text.clone_from(&shown.text);
    row.decision = Some(message_view::decision_json(record));
    let body = MessageBody { attachment: shown.attachment.clone(), ..MessageBody::default() };
    row.body = body.to_column();
    conversation.visitor_at = Some(now.as_millisecond());
    Some(Stored { row, body })
}

/// A reply as the next message of the conversation.
pub(super) fn answered(
    app: &App,
    now: Timestamp,
    conversation: &mut ConversationRow,
    reply: &Reply,
    reply_to: Option<i64>,
) -> Stored {
    let mut row = next_row(app, now, conversation, None);
    row.reply_to = reply_to;
    reply.from.as_str().clone_into(&mut row.sender);
    reply.kind.as_str().clone_into(&mut row.kind);
    row.text.clone_from(&reply.text);
    row.rule_id.clone_from(&reply.rule_id);
    let body = MessageBody::of_reply(app, reply);
    row.body = body.to_column();
    Stored { row, body }
}

fn keep(batch: &mut Batch<'_>, stored: Stored) -> usize {
    batch.stored.push(stored);
    batch.stored.len() - 1
}

/// The first answer to a message that was stored before.
async fn first_answer(
    app: &App,
    tx: &mut Tx,
    conversation: ConversationId,
    seq: i64,
) -> Result<(Option<Message>, Vec<Message>), AppError> {
    let rows = conversations::messages_after(tx, conversation, seq - 1, 32).await?;
    let mut message = None;
    let mut replies = Vec::new();
    for row in rows {
        if row.seq == seq {
            message = Some(Message::from_row(app, row));
        } else if row.reply_to == Some(seq) {
            replies.push(Message::from_row(app, row));
        }
    }
    Ok((message, replies))
}

/// After the commit: open streams of visitors and consoles.
fn tell(batch: &Batch<'_>, open: &HashMap<String, Open>) {
    for conversation in open.values().filter(|one| one.changed) {
        tell_of(batch.app, &conversation.row, &conversation.state_before, || {
            batch
                .stored
                .iter()
                .filter(|stored| stored.row.conversation_id == conversation.row.id)
                .map(|stored| Message::new(batch.app, stored.row.clone(), stored.body.clone()))
                .collect()
        });
    }
    for event in &batch.events {
        batch.app.hub.tell_staff(event.clone());
    }
    for id in &batch.proposals {
        batch.app.hub.tell_visitor(*id, ChatEvent::State);
    }
    if batch.asked {
        batch.app.wake.model.notify_one();
    }
    if batch.classifies {
        batch.app.wake.proposals.notify_one();
    }
    if !batch.told.is_empty() {
        batch.told.clone().tell(batch.app);
        batch.app.wake.outbox.notify_one();
    }
}

/// Tells the visitor's streams and the consoles about one stored change; `messages` are asked for only if somebody
/// follows.
pub(super) fn tell_of(app: &App, row: &ConversationRow, state_before: &str, messages: impl FnOnce() -> Vec<Message>) {
    let hub = &app.hub;
    let Ok(id) = row.id.parse() else { return };
    if hub.is_followed(id) {
        hub.tell_visitor(id, ChatEvent::Stored(messages().into()));
    } else {
        // A page that is connected to another gateway must not wait until that one looks by itself.
        hub.tell_elsewhere(id, ChatEvent::Messages { seq: row.seq });
    }
    let moved = state_before != row.state;
    if moved {
        hub.tell_visitor(id, ChatEvent::State);
    }
    if moved || matches!(row.state.as_str(), "queued" | "human") {
        let data = serde_json::json!({
            "conversation_id": row.id, "state": row.state, "seq": row.seq, "officer_id": row.officer_id,
        });
        hub.tell_staff(StaffEvent {
            kind: if moved { "conversation" } else { "message" },
            scope: Scope::Permission(Permission::Converse),
            data: data.to_string(),
        });
    }
}
