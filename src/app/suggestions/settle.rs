//! What officers make of suggestions: noted when something is sent or saved, or when they say so.

use jiff::Timestamp;

use super::{SuggestionKind, SuggestionOutcome, subject};
use crate::{
    app::{App, AppError, Officer, case_save, dialogue_codec, hash_secret, model},
    domain::{
        ids::{CaseId, ConversationId, OfficerId, SuggestionId},
        suggestion::judge,
        text::{Difference, Redactor},
    },
    store::{
        Tx, conversations,
        suggestions::{self as rows, Decided, SuggestionRow},
    },
};

/// What an officer sends or saves, and the suggestion it began with.
#[derive(Debug, Clone, Copy)]
pub(in crate::app) struct Used<'a> {
    /// The suggestion.
    pub(in crate::app) id: SuggestionId,
    /// The conversation it goes into.
    pub(in crate::app) conversation: Option<ConversationId>,
    /// The case it goes into.
    pub(in crate::app) case: Option<CaseId>,
    /// The words as they go out.
    pub(in crate::app) text: &'a str,
}

async fn own(tx: &mut Tx, officer: OfficerId, id: SuggestionId) -> Result<SuggestionRow, AppError> {
    rows::find(tx, id, officer).await?.ok_or(AppError::NotFound)
}

/// The names and numbers of what a suggestion is about.
async fn redactor(tx: &mut Tx, row: &SuggestionRow) -> Result<Redactor, AppError> {
    let conversation = row.conversation_id.as_deref().and_then(|id| id.parse::<ConversationId>().ok());
    if let Some(id) = conversation
        && let Some(row) = conversations::find(tx, id).await?
    {
        return Ok(model::redactor(&dialogue_codec::decode(&row.dialogue).facts));
    }
    if let Some(id) = row.case_id.as_deref().and_then(|id| id.parse::<CaseId>().ok()) {
        return Ok(subject::redactor_of_case(&case_save::load(tx, id).await?));
    }
    Ok(Redactor::default())
}

/// What an officer made of a suggestion, and the words it is compared with: of a title and its demand those that the
/// used words are nearest to.
fn judged<'a>(row: &'a SuggestionRow, used: &str) -> (&'a str, SuggestionOutcome, Difference) {
    let whole = row.shown.as_str();
    let parts = row.shown.split_once('\n').filter(|_| row.kind == SuggestionKind::Title.as_str());
    let candidates = std::iter::once(whole).chain(parts.into_iter().flat_map(|(title, demand)| [title, demand]));
    let judged = candidates.map(|shown| (shown, judge(shown, used)));
    let nearest = judged.min_by_key(|(_, (_, difference))| difference.share);
    let (shown, (outcome, difference)) = nearest.unwrap_or_else(|| (whole, judge(whole, used)));
    (shown, outcome, difference)
}

async fn decide(
    tx: &mut Tx,
    row: &SuggestionRow,
    id: SuggestionId,
    used: Option<&str>,
    now: Timestamp,
) -> Result<(), AppError> {
    let Some(used) = used else {
        let outcome = SuggestionOutcome::ThrownAway.as_str();
        let decided = Decided { outcome, text: &row.text, used_text: None, used_hash: None, share: 100 };
        rows::decide(tx, id, &decided, now).await?;
        return Ok(());
    };
    let (shown, outcome, difference) = judged(row, used);
    let mut redactor = redactor(tx, row).await?;
    // Both by the same redactor: what was not changed has the same placeholders.
    let (text, used_text) = (redactor.redact(shown.trim()), redactor.redact(used.trim()));
    let hash = hash_secret(used);
    let decided = Decided {
        outcome: outcome.as_str(),
        text: &text,
        used_text: Some(&used_text),
        used_hash: Some(&hash),
        share: difference.share,
    };
    rows::decide(tx, id, &decided, now).await?;
    Ok(())
}

/// Notes within the transaction that sends or saves the words. A suggestion that is gone, decided or about something
/// else keeps nothing from being sent.
pub(in crate::app) async fn settle(
    tx: &mut Tx,
    officer: &Officer,
    used: &Used<'_>,
    now: Timestamp,
) -> Result<(), AppError> {
    let Some(row) = rows::find(tx, used.id, officer.id).await? else { return Ok(()) };
    let same = |known: Option<&str>, id: Option<String>| known == id.as_deref();
    let about = same(row.conversation_id.as_deref(), used.conversation.map(|id| id.to_string()))
        && same(row.case_id.as_deref(), used.case.map(|id| id.to_string()));
    if about && row.outcome == SuggestionOutcome::Open.as_str() {
        decide(tx, &row, used.id, Some(used.text), now).await?;
    }
    Ok(())
}

/// The officer says what became of a suggestion of their own: used in these words, or not at all.
///
/// # Errors
/// `NotFound` (also for another officer's), `Store`.
pub async fn end(app: &App, officer: &Officer, id: SuggestionId, used: Option<&str>) -> Result<(), AppError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    let row = match own(&mut tx, officer.id, id).await {
        Ok(row) => row,
        Err(error) => {
            tx.rollback().await?;
            return Err(error);
        }
    };
    if row.outcome == SuggestionOutcome::Open.as_str() {
        // A proposal is taken or not; the words that tell it are nobody's text.
        let used = if row.kind == SuggestionKind::Classify.as_str() { used.map(|_| row.shown.as_str()) } else { used };
        decide(&mut tx, &row, id, used, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// How some words differ from an open suggestion of the officer's own, and how that would count.
///
/// # Errors
/// `NotFound` (also for another officer's), `Conflict` when it was decided.
pub async fn judge_own(
    app: &App,
    officer: &Officer,
    id: SuggestionId,
    text: &str,
) -> Result<(SuggestionOutcome, Difference), AppError> {
    let mut tx = app.db.read().await?;
    let row = own(&mut tx, officer.id, id).await?;
    if row.outcome != SuggestionOutcome::Open.as_str() {
        return Err(super::refused("suggestion_decided", "这份建议已经用过或放弃了。"));
    }
    let (_, outcome, difference) = judged(&row, text);
    Ok((outcome, difference))
}
