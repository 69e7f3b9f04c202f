//! What is said in a session while a person of the platform serves it (微信客服): kept in the conversation, answered
//! by nobody here.

use super::{
    join,
    people::{self, Person},
};
use crate::{
    app::{
        App, AppError,
        events::{ChatEvent, Scope, StaffEvent},
        message::{Author, FileInfo, MessageBody},
    },
    domain::access::Permission,
    store::{
        conversations::{self, MessageRow},
        wechat_in::{self, Seen},
    },
};

/// Tries when somebody speaks in the conversation at the same moment.
const TRIES: usize = 5;

/// A message to keep.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// Makes a repeat harmless.
    pub(super) client_id: String,
    /// `visitor`, `officer` or `system`.
    pub(super) sender: &'static str,
    /// `text`, `image`, `file` or `event`.
    pub(super) kind: &'static str,
    /// The words.
    pub(super) text: String,
    /// The file.
    pub(super) attachment: Option<FileInfo>,
    /// Who of the platform wrote it.
    pub(super) author: Option<String>,
}

/// Keeps a message; a repeat changes nothing.
///
/// # Errors
/// `Store`, `NotFound`.
pub(super) async fn keep(app: &App, person: &Person, kept: &Kept) -> Result<(), AppError> {
    let (mut tries, mut person) = (1, person.clone());
    loop {
        match store(app, &person, kept).await {
            Err(AppError::Store(error)) if error.is_transient() && tries < TRIES => {
                // Another gateway may have joined the user with another conversation.
                tries += 1;
                people::unknown(app, &person.account, &person.openid);
                person = people::person(app, &person.account, &person.openid).await?;
            }
            done => return done,
        }
    }
}

async fn store(app: &App, person: &Person, kept: &Kept) -> Result<(), AppError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    let key = (person.conversation.to_string(), kept.client_id.clone());
    if !conversations::find_repeats(&mut tx, &[key]).await?.is_empty() {
        tx.rollback().await?;
        return Ok(());
    }
    let Some(mut row) = conversations::find(&mut tx, person.conversation).await? else {
        tx.rollback().await?;
        return Err(AppError::NotFound);
    };
    if row.state == "closed" && kept.sender == "visitor" {
        join::open_again(&mut row, now);
    }
    row.seq += 1;
    row.changed_at = now.as_millisecond();
    if kept.kind != "event" {
        row.last_text = kept.text.chars().take(60).collect();
    }
    if kept.sender == "visitor" {
        row.visitor_at = Some(now.as_millisecond());
        let seen = Seen {
            channel: person.account.kind.as_str(),
            account: person.account.name.clone(),
            openid: person.openid.clone(),
            conversation: row.id.clone(),
            at: now,
            tap: false,
        };
        wechat_in::open_windows(&mut tx, &[seen]).await?;
    }
    let author = kept.author.clone().map(|name| Author { name, unit: "微信客服".to_owned() });
    let message = MessageRow {
        conversation_id: row.id.clone(),
        seq: row.seq,
        id: app.ids.uuid(now).to_string(),
        client_id: Some(kept.client_id.clone()),
        reply_to: None,
        sender: kept.sender.to_owned(),
        kind: kept.kind.to_owned(),
        text: kept.text.clone(),
        body: MessageBody { attachment: kept.attachment.clone(), author, ..MessageBody::default() }.to_column(),
        officer_id: None,
        rule_id: None,
        decision: None,
        at: now.as_millisecond(),
    };
    conversations::save(&mut tx, std::slice::from_ref(&row)).await?;
    conversations::insert_messages(&mut tx, std::slice::from_ref(&message)).await?;
    tx.commit().await?;
    app.hub.tell_visitor(person.conversation, ChatEvent::Messages { seq: row.seq });
    app.hub.tell_staff(StaffEvent {
        kind: "message",
        scope: Scope::Permission(Permission::Converse),
        data: serde_json::json!({"id": row.id, "seq": row.seq, "from": kept.sender}).to_string(),
    });
    Ok(())
}
