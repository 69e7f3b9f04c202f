//! What the desk shows of conversations: the lists, one conversation with everything beside it.

use serde_json::{Map, Value, json};

use super::{
    ConversationRow, MESSAGES, MessageRow, NoteRow, PromiseRow, allowed, load, name_of, reach, sealed_among, visible,
};
use crate::{
    app::{
        App, AppError, Officer, dialogue_codec,
        message_view::form_json,
        suggestions,
        wechat_out::{self, Limits, Standing},
    },
    domain::{
        dialogue::{ConversationState, DialogueState, Shipped},
        ids::ConversationId,
        suggestion::ModelBar,
    },
    store::{
        conversations::{self, ConversationFilter},
        officers, promises,
    },
};

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// One state.
    pub state: Option<ConversationState>,
    /// Only one's own.
    pub mine: bool,
    /// At most so many.
    pub limit: usize,
    /// Where the page begins: change time and id.
    pub before: Option<(i64, String)>,
}

/// A conversation with its owner's name.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The row.
    pub row: ConversationRow,
    /// Name of the officer who has it.
    pub owner: Option<String>,
    /// What the bot knows.
    pub known: Value,
}

/// A page of conversations.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The conversations.
    pub items: Vec<Item>,
    /// Where the next page begins.
    pub next: Option<(i64, String)>,
}

/// A conversation with everything an officer sees beside it.
#[derive(Debug, Clone)]
pub struct Detail {
    /// The conversation.
    pub item: Item,
    /// Its latest messages, in order.
    pub messages: Vec<MessageRow>,
    /// Internal notes.
    pub notes: Vec<NoteRow>,
    /// Promises made in it.
    pub promises: Vec<PromiseRow>,
    /// The form as far as it is filled.
    pub form: Option<Value>,
    /// Numbers of the cases filed in it.
    pub cases: Vec<String>,
    /// What this officer may do now.
    pub allowed: Vec<&'static str>,
    /// The limits of WeChat, if its visitor is a WeChat user.
    pub limits: Option<Limits>,
    /// Messages that did not arrive there yet.
    pub standings: Vec<Standing>,
    /// Why the cases that came out of it keep it from a model.
    pub bar_of_cases: Option<ModelBar>,
}

/// What the bot already knows, for the officer; numbers of identity cards and accounts are not among it.
fn known(state: &DialogueState, row: &ConversationRow) -> Value {
    let facts = &state.facts;
    let mut known = Map::new();
    for (key, value) in [
        ("enterprise", &facts.enterprise),
        ("uscc", &facts.uscc),
        ("contact_name", &facts.contact_name),
        ("contact_phone", &facts.contact_phone),
        ("contact_email", &facts.contact_email),
        ("contact_wechat", &facts.contact_wechat),
        ("place", &facts.place),
        ("object", &facts.object),
        ("happened_on", &facts.happened_on),
        ("amount", &facts.amount),
        ("matter", &state.last_matter),
        ("region", &state.region),
        ("topic", &row.topic),
    ] {
        if let Some(value) = value {
            known.insert(key.to_owned(), json!(value));
        }
    }
    if let Some(answer) = &state.last_answer {
        known.insert(
            "answered".to_owned(),
            json!({"rule_id": answer.rule_id, "question": answer.question, "generated": answer.generated}),
        );
    }
    if let Some(form) = &state.form {
        known.insert("demands".to_owned(), json!(form.kept().map(|m| m.demand.as_str()).collect::<Vec<_>>()));
        known.insert(
            "missing".to_owned(),
            json!(form.missing().into_iter().map(crate::domain::dialogue::form::FieldKey::label).collect::<Vec<_>>()),
        );
    }
    if state.risk {
        known.insert("risk".to_owned(), json!(true));
    }
    Value::Object(known)
}

/// A page of the conversations an officer may see; what waits comes first in its own queue order.
///
/// # Errors
/// `Store`.
pub async fn list(app: &App, officer: &Officer, query: &Query) -> Result<Page, AppError> {
    let limit = query.limit.clamp(1, 200);
    let mut tx = app.db.read().await?;
    let mut before = query.before.clone();
    let mut rows: Vec<ConversationRow> = Vec::new();
    let mut next = None;
    loop {
        let filter = ConversationFilter {
            state: query.state.map(ConversationState::as_str),
            officer: query.mine.then_some(officer.id),
            all: query.mine,
            before: before.as_ref().map(|(at, id)| (*at, id.as_str())),
        };
        let page = conversations::list(&mut tx, &filter, 200).await?;
        let last = page.len() < 200;
        let sealed = sealed_among(&mut tx, &page).await?;
        for row in page {
            before = Some((row.changed_at, row.id.clone()));
            if visible(officer, &row, sealed.contains(&row.id)) {
                rows.push(row);
                if rows.len() == limit {
                    next.clone_from(&before);
                    break;
                }
            }
        }
        if last || rows.len() >= limit {
            break;
        }
    }
    let names = officers::list(&mut tx).await?;
    let owner = |id: Option<&str>| names.iter().find(|o| Some(o.id.as_str()) == id).map(|o| o.name.clone());
    let mut items: Vec<Item> = rows
        .into_iter()
        .map(|row| {
            let known = known(&dialogue_codec::decode(&row.dialogue), &row);
            Item { owner: owner(row.officer_id.as_deref()), known, row }
        })
        .collect();
    if query.state == Some(ConversationState::Queued) {
        items.sort_by_key(|item| (item.row.queued_at.unwrap_or(i64::MAX), item.row.id.clone()));
    }
    Ok(Page { items, next })
}

async fn of_desk(app: &App, officer: &Officer, own: bool, limit: i64) -> Result<Vec<Item>, AppError> {
    let mut tx = app.db.read().await?;
    let rows = conversations::of_desk(&mut tx, &reach(officer), own, limit).await?;
    let names = officers::list(&mut tx).await?;
    let owner = |id: Option<&str>| names.iter().find(|o| Some(o.id.as_str()) == id).map(|o| o.name.clone());
    Ok(rows
        .into_iter()
        .map(|row| Item {
            owner: owner(row.officer_id.as_deref()),
            known: known(&dialogue_codec::decode(&row.dialogue), &row),
            row,
        })
        .collect())
}

/// Conversations that wait for a person and that the officer may take, the longest waiting first.
///
/// # Errors
/// `Store`.
pub async fn waiting(app: &App, officer: &Officer, limit: i64) -> Result<Vec<Item>, AppError> {
    of_desk(app, officer, false, limit).await
}

/// Conversations that the officer has, the last changed first.
///
/// # Errors
/// `Store`.
pub async fn mine(app: &App, officer: &Officer, limit: i64) -> Result<Vec<Item>, AppError> {
    of_desk(app, officer, true, limit).await
}

/// How many conversations wait, and how many the officer has.
///
/// # Errors
/// `Store`.
pub async fn tallies(app: &App, officer: &Officer) -> Result<(i64, i64), AppError> {
    let mut tx = app.db.read().await?;
    Ok(conversations::desk_counts(&mut tx, &reach(officer)).await?)
}

/// One conversation with its messages, notes and what the bot knows.
///
/// # Errors
/// `NotFound`, `Store`.
pub async fn detail(app: &App, officer: &Officer, id: ConversationId) -> Result<Detail, AppError> {
    let mut tx = app.db.read().await?;
    let row = load(&mut tx, officer, id).await?;
    let state = dialogue_codec::decode(&row.dialogue);
    let messages = conversations::last_messages(&mut tx, id, MESSAGES).await?;
    let notes = conversations::notes(&mut tx, id).await?;
    let promises = promises::of_conversation(&mut tx, id).await?;
    let owner = name_of(&mut tx, row.officer_id.as_deref()).await?;
    let limits = wechat_out::limits_of_conversation(&mut tx, id, app.now()).await?;
    let bar_of_cases = match app.model.client() {
        Some(_) => suggestions::bar_of_its_cases(&mut tx, app, id).await?,
        None => None,
    };
    let standings = if limits.is_some() { wechat_out::standings(&mut tx, id).await? } else { Vec::new() };
    drop(tx);
    let content = app.content.load();
    let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, app.now());
    Ok(Detail {
        form: state.form.as_ref().map(|form| form_json(&form.card(&knowledge))),
        cases: state.cases.clone(),
        allowed: allowed(officer, &row),
        item: Item { known: known(&state, &row), owner, row },
        messages,
        notes,
        promises,
        limits,
        standings,
        bar_of_cases,
    })
}
