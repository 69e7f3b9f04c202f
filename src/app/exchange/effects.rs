//! What a turn wants loaded before it, and what it wants done inside its transaction.

use super::turn::Batch;
use crate::{
    app::{
        App, AppError,
        events::{Scope, StaffEvent},
    },
    domain::{
        access::Permission,
        dialogue::{CaseDraft, ConversationState, DialogueState, Effect, FiledCase, KnownCase, Needs, ProgressView},
        ids::ConversationId,
    },
    store::{
        Tx,
        conversations::{self, AnswerFeedback, ConversationRow},
    },
};

/// What was loaded for a turn.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Open cases of the conversation and of the enterprise named.
    pub(super) open_cases: Vec<KnownCase>,
    /// What number and code open.
    pub(super) progress: Vec<ProgressView>,
}

/// Loads what the turn wants; most want nothing.
pub(super) async fn load(_tx: &mut Tx, _app: &App, _conversation: &str, needs: &Needs) -> Result<Loaded, AppError> {
    if *needs == Needs::default() {
        return Ok(Loaded::default());
    }
    Ok(Loaded::default())
}

/// Files the drafts as one group with one query code.
pub(super) async fn file_cases(
    _batch: &mut Batch<'_>,
    _tx: &mut Tx,
    _conversation: &ConversationRow,
    _drafts: Vec<CaseDraft>,
) -> Result<Vec<FiledCase>, AppError> {
    Err(AppError::Unavailable { code: "unavailable" })
}

/// Carries out one effect.
pub(super) async fn apply(
    batch: &mut Batch<'_>,
    tx: &mut Tx,
    row: &mut ConversationRow,
    state: &mut DialogueState,
    conversation: ConversationId,
    effect: Effect,
) -> Result<(), AppError> {
    let now = batch.now;
    match effect {
        Effect::RequestHuman { reason, note } => {
            if row.officer_id.is_none() {
                state.mode = ConversationState::Queued;
                row.queued_at.get_or_insert(now.as_millisecond());
                row.fence += 1;
            }
            row.handoff_reason = Some(reason.as_str().to_owned());
            row.handoff_note = Some(note);
        },
        Effect::LeaveQueue => {
            if state.mode == ConversationState::Queued {
                state.mode = ConversationState::Bot;
            }
            row.queued_at = None;
            row.fence += 1;
        },
        Effect::Flag { flag } => {
            let mut flags: Vec<String> = serde_json::from_str(&row.flags).unwrap_or_default();
            if !flags.iter().any(|known| known == flag) {
                flags.push(flag.to_owned());
                row.flags = serde_json::to_string(&flags).unwrap_or_else(|_| "[]".to_owned());
            }
        },
        Effect::PageDuty { code, note } => {
            let data = serde_json::json!({
                "conversation_id": row.id, "code": code.map(|code| code.as_str()), "note": note,
            });
            batch.events.push(StaffEvent {
                kind: "alert",
                scope: Scope::Permission(Permission::Converse),
                data: data.to_string(),
            });
        },
        Effect::Feedback { rule_id, helpful } => {
            let id = batch.app.ids.uuid(now).to_string();
            let feedback = AnswerFeedback {
                id: &id,
                conversation,
                seq: Some(row.seq),
                rule_id: rule_id.as_deref(),
                helpful,
                words: "",
            };
            conversations::insert_feedback(tx, &feedback, now).await?;
        },
        Effect::Unanswered { text } => {
            let id = batch.app.ids.uuid(now).to_string();
            batch.unanswered.push((id, row.id.clone(), text, row.topic.clone()));
        },
        Effect::AppendToCase { .. } | Effect::Promise { .. } => {
            return Err(AppError::Unavailable { code: "unavailable" });
        },
        // Both are carried out by the turn itself, which holds the messages.
        Effect::FileCases(_) | Effect::PurgeInput { .. } => {},
    }
    Ok(())
}
