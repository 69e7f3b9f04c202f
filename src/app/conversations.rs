//! The staff side of conversations: who has it, what the officer says, notes, closing.
//!
//! One owner at a time: bot, queue or one officer. Every change of owner raises the fence and compares the version
//! it was decided on, so of two officers who grab one conversation exactly one wins and a late answer of the former
//! owner is refused. Which conversations an officer may see is decided in `visible` and nowhere else.

mod canned;
mod desk_case;
mod files;
mod handing;
mod idle;
mod lists;
mod presence;
mod promised;

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::json;

pub(in crate::app) use canned::canned_from;
pub use canned::{Canned, canned};
pub use desk_case::{CaseInput, CaseMade, make_case};
pub use files::{may_write, send_file};
pub use handing::{Colleague, colleagues, release, transfer};
pub use idle::close_idle;
pub use lists::{Detail, Item, Page, Query, detail, list, mine, tallies, waiting};
pub use presence::{Presence, Viewer, be_present};
pub use promised::{end_promise, open_promises};

use super::{
    App, AppError, Officer, dialogue_codec,
    events::{ChatEvent, Scope, StaffEvent},
    message::{Author, FileInfo, MessageBody},
    suggestions::{self, Used},
    wechat_out,
};
pub use crate::store::{
    conversations::{ConversationRow, MessageRow, NoteRow},
    promises::PromiseRow,
};
use crate::{
    domain::{
        access::{Permission, Role},
        dialogue::{ConversationState, Knowledge as _, Shipped},
        ids::{ConversationId, OfficerId, SuggestionId},
        promise,
    },
    store::{
        StoreError, Tx, cases,
        conversations::{self, Reach},
        officers,
        promises::{self, NewPromise},
    },
};

/// Longest message of an officer, in characters.
const MAX_TEXT: usize = 4_000;
/// Longest note, in characters.
const MAX_NOTE: usize = 2_000;
/// Messages shown with a conversation.
const MESSAGES: i64 = 300;

/// What became of an officer's message.
#[derive(Debug, Clone, PartialEq)]
pub enum Sent {
    /// Stored, or stored before under the same client id.
    Stored {
        /// The message.
        message: Box<MessageRow>,
        /// A promise that was found in it, with its due moment.
        promise: Option<Timestamp>,
    },
    /// The visitor or a colleague wrote in the meantime: nothing was stored.
    Stale(Vec<MessageRow>),
}

/// Where a conversation goes back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseTo {
    /// Into the queue, for another officer.
    Queue,
    /// To the bot.
    Bot,
}

/// Whom a conversation is handed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferTo {
    /// One officer, who has it at once.
    Officer(OfficerId),
    /// A unit's queue.
    Unit(String),
}

/// A message of an officer.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    /// The client's own id; a repeat stores nothing.
    pub client_id: &'a str,
    /// The words.
    pub text: &'a str,
    /// Number of the last message the officer had seen.
    pub after_seq: Option<i64>,
    /// A stored file that is sent instead of words.
    pub file: Option<&'a FileInfo>,
    /// The suggestion the words began with.
    pub suggestion: Option<SuggestionId>,
}

/// Which conversations an officer may see: everything of the centre for officers of the centre, what was handed to a
/// unit for that unit, and always one's own.
fn reach(officer: &Officer) -> Reach {
    let converses = |role: &Role| role.permissions().contains(&Permission::Converse);
    let mut reach = Reach { officer: officer.id, all: false, units: Vec::new() };
    for (_, unit) in officer.grants.iter().filter(|(role, _)| converses(role)) {
        match unit.as_deref().filter(|unit| !unit.is_empty()) {
            None => reach.all = true,
            Some(unit) => reach.units.push(unit.to_owned()),
        }
    }
    reach
}

/// Whether an officer may see a conversation: the same rule for one that is loaded. What a sealed case (作风问题) came
/// out of is closed to everybody but its own officer and those of discipline, unless the visitor waits for a person.
fn visible(officer: &Officer, row: &ConversationRow, sealed: bool) -> bool {
    if row.officer_id.as_deref() == Some(officer.id.to_string().as_str()) {
        return true;
    }
    if sealed && row.state != "queued" && !officer.has(Role::Discipline) {
        return false;
    }
    let reach = reach(officer);
    match row.unit.as_ref() {
        None => reach.all || !reach.units.is_empty(),
        Some(unit) => reach.all || reach.units.contains(unit),
    }
}

/// Whether an officer may see a conversation; one that does not exist may not be seen.
///
/// # Errors
/// `Store`.
pub(super) async fn may_see(tx: &mut Tx, officer: &Officer, id: ConversationId) -> Result<bool, AppError> {
    if !officer.permits(Permission::Converse) {
        return Ok(false);
    }
    let row = conversations::find(tx, id).await?;
    Ok(seen(tx, officer, row).await?.is_some())
}

/// Which of these conversations a sealed case came out of.
async fn sealed_among(tx: &mut Tx, rows: &[ConversationRow]) -> Result<HashSet<String>, AppError> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    Ok(cases::sealed_conversations(tx, &ids).await?)
}

/// The row, if the officer may see it.
async fn seen(
    tx: &mut Tx,
    officer: &Officer,
    row: Option<ConversationRow>,
) -> Result<Option<ConversationRow>, AppError> {
    let Some(row) = row else { return Ok(None) };
    let sealed = !cases::sealed_conversations(tx, &[&row.id]).await?.is_empty();
    Ok(visible(officer, &row, sealed).then_some(row))
}

fn owns(officer: &Officer, row: &ConversationRow) -> bool {
    row.officer_id.as_deref() == Some(officer.id.to_string().as_str()) && row.state == "human"
}

async fn load(tx: &mut Tx, officer: &Officer, id: ConversationId) -> Result<ConversationRow, AppError> {
    // What does not exist and what may not be seen look the same.
    let row = conversations::find(tx, id).await?;
    seen(tx, officer, row).await?.ok_or(AppError::NotFound)
}

async fn name_of(tx: &mut Tx, id: Option<&str>) -> Result<Option<String>, AppError> {
    let Some(id) = id.and_then(|id| id.parse::<OfficerId>().ok()) else { return Ok(None) };
    Ok(officers::find(tx, id).await?.map(|o| o.name))
}

fn taken(owner: Option<&str>) -> AppError {
    AppError::Conflict {
        code: "conversation_taken",
        detail: Some(match owner {
            Some(name) => format!("{name} 已经接入这个会话。"),
            None => "别的工作人员刚刚接入了这个会话。".to_owned(),
        }),
        allowed: vec!["notes".to_owned()],
    }
}

fn conflict(code: &'static str, detail: &str, row: &ConversationRow, officer: &Officer) -> AppError {
    AppError::Conflict {
        code,
        detail: Some(detail.to_owned()),
        allowed: allowed(officer, row).into_iter().map(str::to_owned).collect(),
    }
}

/// What an officer may do with a conversation now.
pub fn allowed(officer: &Officer, row: &ConversationRow) -> Vec<&'static str> {
    if owns(officer, row) {
        return vec!["messages", "notes", "release", "transfer", "close", "case"];
    }
    let mut actions = vec!["notes"];
    match row.state.as_str() {
        "bot" | "collecting" | "queued" => actions.insert(0, "claim"),
        "human" if officer.has(Role::Dispatcher) => actions.extend(["release", "transfer"]),
        _ => {}
    }
    if row.state == "queued" && officer.permits(Permission::Converse) {
        actions.push("close");
    }
    actions
}

/// A message about the conversation itself, numbered after the last one.
fn event_message(app: &App, row: &mut ConversationRow, text: &str, now: Timestamp) -> MessageRow {
    row.seq += 1;
    MessageRow {
        conversation_id: row.id.clone(),
        seq: row.seq,
        id: app.ids.uuid(now).to_string(),
        client_id: None,
        reply_to: None,
        sender: "system".to_owned(),
        kind: "event".to_owned(),
        text: text.to_owned(),
        body: None,
        officer_id: None,
        rule_id: None,
        decision: None,
        at: now.as_millisecond(),
    }
}

/// Saves the row first: whoever was decided on an older version is refused before anything else is written.
async fn store(tx: &mut Tx, app: &App, row: &ConversationRow, messages: &[MessageRow]) -> Result<(), AppError> {
    conversations::save(tx, std::slice::from_ref(row)).await?;
    conversations::insert_messages(tx, messages).await?;
    wechat_out::deliver(tx, app, messages, app.now()).await
}

fn tell(app: &App, id: ConversationId, row: &ConversationRow, owner: Option<&str>) {
    app.wake.wechat.notify_one();
    app.hub.tell_visitor(id, ChatEvent::Messages { seq: row.seq });
    app.hub.tell_visitor(id, ChatEvent::State);
    app.hub.tell_staff(StaffEvent {
        kind: "conversation",
        scope: Scope::Permission(Permission::Converse),
        data: json!({"id": row.id, "state": row.state, "owner": owner, "seq": row.seq, "fence": row.fence}).to_string(),
    });
}

/// Puts the dialogue's own idea of who has the conversation right.
fn set_mode(row: &mut ConversationRow, mode: ConversationState) {
    let mut state = dialogue_codec::decode(&row.dialogue);
    state.mode = mode;
    row.dialogue = dialogue_codec::encode(&state);
    mode.as_str().clone_into(&mut row.state);
}

/// Takes a conversation over. From this commit on the bot is silent.
///
/// # Errors
/// `NotFound`; `Conflict` with who has it, when a colleague was first or the fence has moved.
pub async fn claim(
    app: &App,
    officer: &Officer,
    id: ConversationId,
    fence: Option<i64>,
) -> Result<ConversationRow, AppError> {
    officer.require(Permission::Converse)?;
    let now = app.now();
    let mut tx = app.db.write().await?;
    let held = conversations::hold(&mut tx, id).await?;
    let mut row = seen(&mut tx, officer, held).await?.ok_or(AppError::NotFound)?;
    if owns(officer, &row) {
        tx.rollback().await?;
        return Ok(row);
    }
    if row.state == "human" {
        let owner = name_of(&mut tx, row.officer_id.as_deref()).await?;
        tx.rollback().await?;
        return Err(taken(owner.as_deref()));
    }
    if row.state == "closed" {
        tx.rollback().await?;
        return Err(conflict("conversation_closed", "会话已经结束。来访者再发消息时会重新打开。", &row, officer));
    }
    if fence.is_some_and(|f| f != row.fence) {
        tx.rollback().await?;
        return Err(conflict("conversation_changed", "会话刚刚换过手，请刷新后再接入。", &row, officer));
    }
    set_mode(&mut row, ConversationState::Human);
    row.officer_id = Some(officer.id.to_string());
    row.fence += 1;
    row.claimed_at = Some(now.as_millisecond());
    row.queued_at = None;
    row.changed_at = now.as_millisecond();
    let message = event_message(app, &mut row, &format!("工作人员 {} 已接入，为您服务。", officer.name), now);
    let stored = store(&mut tx, app, &row, &[message]).await;
    if matches!(stored, Err(AppError::Store(StoreError::Conflict))) {
        tx.rollback().await?;
        let mut tx = app.db.read().await?;
        let row = load(&mut tx, officer, id).await?;
        let owner = name_of(&mut tx, row.officer_id.as_deref()).await?;
        if row.state == "human" {
            return Err(taken(owner.as_deref()));
        }
        return Err(conflict("conversation_changed", "来访者刚刚又发了消息，请再点一次接入。", &row, officer));
    }
    stored?;
    tx.commit().await?;
    // What a model is writing for the visitor comes too late now.
    app.model.settle(id, None);
    tell(app, id, &row, Some(&officer.name));
    row.version += 1;
    Ok(row)
}

/// Claims again when only the visitor's message came in between: the officer meant this conversation, not a version.
///
/// # Errors
/// As [`claim`].
pub async fn take_over(
    app: &App,
    officer: &Officer,
    id: ConversationId,
    fence: Option<i64>,
) -> Result<ConversationRow, AppError> {
    for n in 0..5 {
        match claim(app, officer, id, fence).await {
            Err(AppError::Conflict { code: "conversation_changed", .. }) if fence.is_none() => {}
            Err(AppError::Store(error)) if error.is_transient() => {}
            outcome => return outcome,
        }
        tokio::time::sleep(std::time::Duration::from_millis(5 << n)).await;
    }
    claim(app, officer, id, fence).await
}

/// A conversation in a transaction, if the officer may hand it on.
async fn to_be_moved(app: &App, officer: &Officer, id: ConversationId) -> Result<(Tx, ConversationRow), AppError> {
    officer.require(Permission::Converse)?;
    let mut tx = app.db.write().await?;
    let row = load(&mut tx, officer, id).await?;
    if let Err(refused) = may_move(officer, &row) {
        tx.rollback().await?;
        return Err(refused);
    }
    Ok((tx, row))
}

fn may_move(officer: &Officer, row: &ConversationRow) -> Result<(), AppError> {
    if row.state != "human" {
        return Err(conflict("not_in_service", "会话没有工作人员接入。", row, officer));
    }
    if owns(officer, row) || officer.has(Role::Dispatcher) {
        return Ok(());
    }
    Err(AppError::Conflict {
        code: "not_yours",
        detail: Some("会话由别的工作人员接入，只有接入人或分派员可以移交。".to_owned()),
        allowed: allowed(officer, row).into_iter().map(str::to_owned).collect(),
    })
}

/// Changes the owner: the fence moves, what the former owner sends is refused.
fn hand_over(row: &mut ConversationRow, officer: Option<OfficerId>, now: Timestamp) {
    row.officer_id = officer.map(|o| o.to_string());
    row.claimed_at = officer.map(|_| now.as_millisecond());
    row.fence += 1;
    row.changed_at = now.as_millisecond();
}

async fn finish(
    app: &App,
    mut tx: Tx,
    id: ConversationId,
    mut row: ConversationRow,
    messages: &[MessageRow],
    owner: Option<&str>,
) -> Result<ConversationRow, AppError> {
    store(&mut tx, app, &row, messages).await?;
    tx.commit().await?;
    tell(app, id, &row, owner);
    row.version += 1;
    Ok(row)
}

/// Repeats a decision when another writer (mostly the visitor's next message) came between reading and saving.
async fn retry<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, AppError>
where
    F: Future<Output = Result<T, AppError>>,
{
    for _ in 0..5 {
        match attempt().await {
            Err(AppError::Store(StoreError::Conflict)) => {}
            outcome => return outcome,
        }
    }
    match attempt().await {
        Err(AppError::Store(StoreError::Conflict)) => Err(AppError::conflict("busy")),
        outcome => outcome,
    }
}

/// Sends a message to the visitor. A repeated `client_id` stores nothing; a message written over unseen ones is
/// refused with them.
///
/// # Errors
/// `NotFound`, `Invalid`, `Conflict` (not one's own any more).
pub async fn send(app: &App, officer: &Officer, id: ConversationId, outgoing: &Outgoing<'_>) -> Result<Sent, AppError> {
    officer.require(Permission::Converse)?;
    let text = outgoing.text.trim();
    if text.is_empty() {
        return Err(AppError::field("/text", "请填写内容"));
    }
    if text.chars().count() > MAX_TEXT {
        return Err(AppError::field("/text", format!("内容请控制在 {MAX_TEXT} 字以内")));
    }
    if outgoing.client_id.is_empty() || outgoing.client_id.len() > 100 {
        return Err(AppError::field("/client_id", "请提供 1 到 100 个字符的编号"));
    }
    let now = app.now();
    let outcome = retry(|| async {
        let mut tx = app.db.write().await?;
        let mut row = load(&mut tx, officer, id).await?;
        let key = (row.id.clone(), outgoing.client_id.to_owned());
        if let Some((_, _, seq)) = conversations::find_repeats(&mut tx, &[key]).await?.into_iter().next() {
            let found = conversations::messages_after(&mut tx, id, seq - 1, 1).await?.into_iter().next();
            tx.rollback().await?;
            return found
                .map(|m| Sent::Stored { message: Box::new(m), promise: None })
                .ok_or_else(|| AppError::Internal("a repeated message is gone".into()));
        }
        if !owns(officer, &row) {
            let owner = name_of(&mut tx, row.officer_id.as_deref()).await?;
            tx.rollback().await?;
            return Err(match (row.state.as_str(), owner) {
                ("human", Some(owner)) => taken(Some(&owner)),
                _ => conflict("not_in_service", "请先接入会话再发送。", &row, officer),
            });
        }
        if let Some(after) = outgoing.after_seq
            && after < row.seq
        {
            let unseen = conversations::messages_after(&mut tx, id, after, 100).await?;
            // One's own messages from another window are no news.
            let own = officer.id.to_string();
            if unseen.iter().any(|m| m.officer_id.as_deref() != Some(own.as_str()) && m.kind != "event") {
                tx.rollback().await?;
                return Ok(Sent::Stale(unseen));
            }
        }
        row.seq += 1;
        row.changed_at = now.as_millisecond();
        row.last_text = text.chars().take(60).collect();
        let unit = officer.unit();
        let message = MessageRow {
            conversation_id: row.id.clone(),
            seq: row.seq,
            id: app.ids.uuid(now).to_string(),
            client_id: Some(outgoing.client_id.to_owned()),
            reply_to: None,
            sender: "officer".to_owned(),
            kind: files::kind(outgoing.file).to_owned(),
            text: text.to_owned(),
            body: MessageBody {
                attachment: outgoing.file.cloned(),
                author: Some(Author { name: officer.name.clone(), unit: unit_name(app, unit) }),
                ..MessageBody::default()
            }
            .to_column(),
            officer_id: Some(officer.id.to_string()),
            rule_id: None,
            decision: None,
            at: now.as_millisecond(),
        };
        store(&mut tx, app, &row, std::slice::from_ref(&message)).await?;
        let promise = promise::is_made_in(text).then(|| promise_due(app, text, now));
        if let Some(due) = promise {
            let promise = NewPromise {
                id: app.ids.uuid(now).to_string(),
                conversation: id,
                case_number: None,
                officer: Some(officer.id),
                text: &text.chars().take(200).collect::<String>(),
                due,
            };
            promises::insert(&mut tx, &promise, now).await?;
        }
        if let Some(suggestion) = outgoing.suggestion {
            let used = Used { id: suggestion, conversation: Some(id), case: None, text };
            suggestions::settle(&mut tx, officer, &used, now).await?;
        }
        tx.commit().await?;
        app.wake.wechat.notify_one();
        app.hub.tell_visitor(id, ChatEvent::Messages { seq: row.seq });
        app.hub.tell_staff(StaffEvent {
            kind: "message",
            scope: Scope::Permission(Permission::Converse),
            data: json!({"id": row.id, "seq": row.seq, "from": "officer"}).to_string(),
        });
        Ok(Sent::Stored { message: Box::new(message), promise })
    })
    .await?;
    Ok(outcome)
}

/// How a unit is called beside an officer's message; the centre when there is none.
fn unit_name(app: &App, slug: &str) -> String {
    let content = app.content.load();
    if slug.is_empty() {
        return "服务中心".to_owned();
    }
    content.routing.units().short_name(slug)
}

fn promise_due(app: &App, text: &str, now: Timestamp) -> Timestamp {
    let content = app.content.load();
    Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, now).promise_due_of(text, now)
}

/// Writes an internal note; no query of the visitor's side can return it.
///
/// # Errors
/// `NotFound`, `Invalid`, `Store`.
pub async fn add_note(app: &App, officer: &Officer, id: ConversationId, text: &str) -> Result<Vec<NoteRow>, AppError> {
    officer.require(Permission::Converse)?;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_NOTE {
        return Err(AppError::field("/text", format!("备注请写 1 到 {MAX_NOTE} 字")));
    }
    let now = app.now();
    let mut tx = app.db.write().await?;
    if let Err(refused) = load(&mut tx, officer, id).await {
        tx.rollback().await?;
        return Err(refused);
    }
    conversations::insert_note(&mut tx, &app.ids.uuid(now).to_string(), id, officer.id, text, now).await?;
    let notes = conversations::notes(&mut tx, id).await?;
    tx.commit().await?;
    app.hub.tell_staff(StaffEvent {
        kind: "note",
        scope: Scope::Permission(Permission::Converse),
        data: json!({"id": id.to_string()}).to_string(),
    });
    Ok(notes)
}

/// Ends a conversation. The visitor's next message opens it again, without the old context.
///
/// # Errors
/// `NotFound`, `Conflict`, `Store`.
pub async fn close(app: &App, officer: &Officer, id: ConversationId) -> Result<ConversationRow, AppError> {
    officer.require(Permission::Converse)?;
    let now = app.now();
    retry(|| async {
        let mut tx = app.db.write().await?;
        let mut row = load(&mut tx, officer, id).await?;
        if row.state == "closed" {
            tx.rollback().await?;
            return Ok(row);
        }
        if !(owns(officer, &row) || row.state == "queued") {
            tx.rollback().await?;
            return Err(conflict("not_yours", "请先接入会话再结束。", &row, officer));
        }
        set_mode(&mut row, ConversationState::Closed);
        hand_over(&mut row, None, now);
        row.queued_at = None;
        row.closed_at = Some(now.as_millisecond());
        let message = event_message(app, &mut row, "本次会话已结束。还有问题可以直接发消息，会重新为您服务。", now);
        finish(app, tx, id, row, &[message], None).await
    })
    .await
}
