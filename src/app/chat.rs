//! What a visitor reads of the own conversation, and small remarks that need no turn.

use super::{
    App, AppError,
    message::{Author, ConversationInfo, Message},
    proposal_view,
};
use crate::{
    domain::ids::ConversationId,
    store::{
        Tx,
        conversations::{self, AnswerFeedback, ConversationRow},
        officers,
    },
};

/// Messages after `after`, in order, with the conversation.
///
/// # Errors
/// `NotFound`, `Store`.
pub async fn history(
    app: &App,
    conversation: ConversationId,
    after: i64,
    limit: i64,
) -> Result<(Vec<Message>, ConversationInfo), AppError> {
    let mut tx = app.db.read().await?;
    let row = conversations::find(&mut tx, conversation).await?.ok_or(AppError::NotFound)?;
    let rows = conversations::messages_after(&mut tx, conversation, after, limit).await?;
    let info = info(app, &mut tx, &row).await?;
    Ok((rows.into_iter().map(|row| Message::from_row(app, row)).collect(), info))
}

/// The conversation as its visitor sees it.
///
/// # Errors
/// `NotFound`, `Store`.
pub async fn conversation(app: &App, conversation: ConversationId) -> Result<ConversationInfo, AppError> {
    let mut tx = app.db.read().await?;
    let row = conversations::find(&mut tx, conversation).await?.ok_or(AppError::NotFound)?;
    info(app, &mut tx, &row).await
}

/// The visitor's view of a loaded conversation.
///
/// # Errors
/// `Store`.
pub async fn info(app: &App, tx: &mut Tx, row: &ConversationRow) -> Result<ConversationInfo, AppError> {
    let officer = match row.officer_id.as_deref().and_then(|id| id.parse().ok()) {
        Some(id) => officers::find(tx, id).await?.map(|officer| Author {
            name: officer.name,
            unit: row.unit.as_deref().map(|unit| app.unit_name(unit)).unwrap_or_default(),
        }),
        None => None,
    };
    let position = match (row.state.as_str(), row.queued_at) {
        ("queued", Some(since)) => Some(conversations::count_queued_before(tx, since).await?),
        _ => None,
    };
    Ok(ConversationInfo::new(row, officer, position, proposal_view::of_row(app, row)))
}

/// What a visitor thinks of one message.
#[derive(Debug, Clone)]
pub struct Opinion {
    /// Id of the message.
    pub message_id: Option<String>,
    /// Or its number.
    pub seq: Option<i64>,
    /// Whether it helped.
    pub helpful: bool,
    /// Words.
    pub words: String,
}

/// Notes an opinion on an answer.
///
/// # Errors
/// `NotFound` (no such message in this conversation), `Invalid`, `Store`.
pub async fn note_opinion(app: &App, conversation: ConversationId, opinion: &Opinion) -> Result<(), AppError> {
    if opinion.words.chars().count() > 500 {
        return Err(AppError::field("/comment", "不超过 500 个字"));
    }
    let now = app.now();
    let id = app.ids.uuid(now).to_string();
    let mut tx = app.db.write().await?;
    let found = conversations::find_message(&mut tx, conversation, opinion.message_id.as_deref(), opinion.seq).await?;
    let Some(message) = found else {
        tx.rollback().await?;
        return Err(AppError::NotFound);
    };
    if message.sender == "visitor" {
        tx.rollback().await?;
        let field = if opinion.message_id.is_some() { "/message_id" } else { "/seq" };
        return Err(AppError::field(field, "这是您自己发的消息，请评价答复"));
    }
    let feedback = AnswerFeedback {
        id: &id,
        conversation,
        seq: Some(message.seq),
        rule_id: message.rule_id.as_deref(),
        helpful: opinion.helpful,
        words: &opinion.words,
    };
    conversations::insert_feedback(&mut tx, &feedback, now).await?;
    tx.commit().await?;
    Ok(())
}
