//! What a turn wants loaded before it, and what it wants done inside its transaction.

use super::turn::Batch;
use crate::{
    app::{
        App, AppError,
        events::{Scope, StaffEvent},
        intake::{self, Filed},
        notices::{self, Notice, NoticeKind, To},
        outbox, track,
    },
    domain::{
        access::Permission,
        case::Actor,
        dialogue::{
            CaseAct, CaseDraft, ConversationState, DialogueState, Effect, FiledCase, KnownCase, Needs, ProgressQuery,
            ProgressView,
        },
        ids::ConversationId,
    },
    store::{
        Tx,
        conversations::{self, AnswerFeedback, ConversationRow},
        model,
        model_proposals::{self, NewProposal},
        model_tasks::{self, NewTask},
        promises::{self, NewPromise},
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
pub(super) async fn load(
    tx: &mut Tx,
    app: &App,
    conversation: ConversationId,
    needs: &Needs,
) -> Result<Loaded, AppError> {
    let mut loaded = Loaded::default();
    if let Some(known) = &needs.open_cases {
        loaded.open_cases = intake::known_cases(tx, conversation, known).await?;
    }
    for query in &needs.progress {
        match query {
            ProgressQuery::Number { number, code } => {
                // Guessing codes is as slow in the chat as on the tracking page.
                if app.limits.track.take(conversation, app.now()).is_ok() {
                    loaded.progress.extend(track::progress(tx, app, number, code).await?);
                }
            }
            ProgressQuery::Conversation { numbers } => {
                loaded.progress.extend(track::progress_of_conversation(tx, app, conversation, numbers).await?);
            }
        }
    }
    Ok(loaded)
}

/// Files the drafts as one group with one query code.
pub(super) async fn file_cases(
    batch: &mut Batch<'_>,
    tx: &mut Tx,
    conversation: ConversationId,
    drafts: &[CaseDraft],
) -> Result<Vec<FiledCase>, AppError> {
    let filed = intake::file_cases(tx, batch.app, Some(conversation), drafts, &Actor::Enterprise).await?;
    let cases = filed.cases.clone();
    batch.filed.push(filed);
    Ok(cases)
}

/// Adds words and files to an open case.
pub(super) async fn append_to_case(
    batch: &mut Batch<'_>,
    tx: &mut Tx,
    conversation: ConversationId,
    known: &[String],
    number: &str,
    text: &str,
    files: &[String],
) -> Result<(), AppError> {
    let filed = intake::append_to_case(tx, batch.app, conversation, known, number, text, files).await?;
    batch.filed.push(filed);
    Ok(())
}

/// Does what the enterprise wants with its own case; a refusal of the case comes back in words and has changed nothing.
pub(super) async fn on_case(
    batch: &mut Batch<'_>,
    tx: &mut Tx,
    number: &str,
    act: CaseAct,
    words: Option<String>,
) -> Result<Result<ProgressView, String>, AppError> {
    let mut filed = Filed::default();
    let done = track::perform_in(tx, batch.app, number, act, words, filed.after()).await;
    batch.filed.push(filed);
    match done {
        Ok(view) => Ok(Ok(view)),
        Err(
            AppError::Conflict { detail, .. } | AppError::Forbidden { detail, .. } | AppError::Invalid { detail, .. },
        ) => Ok(Err(detail.unwrap_or_else(|| "这件办件现在不能这样做".to_owned()))),
        Err(AppError::NotFound) => Ok(Err("没有找到这件办件".to_owned())),
        Err(error) => Err(error),
    }
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
        }
        Effect::LeaveQueue => {
            if state.mode == ConversationState::Queued {
                state.mode = ConversationState::Bot;
            }
            row.queued_at = None;
            row.fence += 1;
        }
        Effect::Flag { flag } => {
            let mut flags: Vec<String> = serde_json::from_str(&row.flags).unwrap_or_default();
            if !flags.iter().any(|known| known == flag) {
                flags.push(flag.to_owned());
                row.flags = serde_json::to_string(&flags).unwrap_or_else(|_| "[]".to_owned());
            }
        }
        Effect::PageDuty { code, note } => {
            let data = serde_json::json!({
                "conversation_id": row.id, "code": code.map(crate::domain::kinds::Diversion::as_str), "note": note,
            });
            batch.events.push(StaffEvent {
                kind: "alert",
                scope: Scope::Permission(Permission::Converse),
                data: data.to_string(),
            });
            // The page is not only flashed on open desks: it is written down for everybody on duty, and goes to the
            // systems that asked for it.
            let key = format!("alert:{}:{}", row.id, row.seq);
            let words = if note.is_empty() { "有紧急情况，请立即接入会话".to_owned() } else { note };
            let notice = Notice {
                kind: NoticeKind::Alert,
                to: &[To::Centre(Permission::Converse)],
                text: &words,
                case: None,
                conversation: Some(&row.id),
                key: &key,
                by: None,
            };
            batch.told.join(notices::notify(tx, batch.app, &notice, now).await?);
            let page = serde_json::json!({
                "conversation_id": row.id, "code": code.map(crate::domain::kinds::Diversion::as_str),
            });
            outbox::publish(batch.app, tx, "duty.paged", &key, &page, now).await?;
        }
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
        }
        Effect::Unanswered { text } => {
            let id = batch.app.ids.uuid(now).to_string();
            batch.unanswered.push((id, row.id.clone(), text, row.topic.clone()));
        }
        Effect::Promise { text, due, case } => {
            let promise = NewPromise {
                id: batch.app.ids.uuid(now).to_string(),
                conversation,
                case_number: case.as_deref(),
                officer: None,
                text: &text,
                due,
            };
            promises::insert(tx, &promise, now).await?;
        }
        Effect::AskModel { ticket, question } => {
            let id = batch.app.ids.uuid(now).to_string();
            let task =
                NewTask { id: &id, kind: "answer", conversation, ticket: i64::from(ticket), question: &question };
            model_tasks::insert(tx, &task, now).await?;
            batch.asked = true;
        }
        Effect::Classify { ticket, question } => {
            let id = batch.app.ids.uuid(now).to_string();
            let task =
                NewTask { id: &id, kind: "classify", conversation, ticket: i64::from(ticket), question: &question };
            model_tasks::insert(tx, &task, now).await?;
            batch.classifies = true;
        }
        Effect::Proposed { ticket, exchange, shown, faults } => {
            let verdict = match (shown.is_empty(), faults.is_empty()) {
                (false, _) => "used",
                (true, false) => "refused",
                (true, true) => "dropped",
            };
            let mut reasons: Vec<&str> = faults.iter().map(|fault| fault.as_str()).collect();
            if verdict == "dropped" {
                reasons.push("nothing_new");
            }
            model::judge(tx, &exchange, verdict, &serde_json::Value::from(reasons).to_string()).await?;
            for key in shown {
                let id = batch.app.ids.uuid(now).to_string();
                let new = NewProposal { id: &id, conversation, ticket: i64::from(ticket), exchange: &exchange, key };
                model_proposals::insert(tx, &new, now).await?;
            }
            batch.proposals.push(conversation);
        }
        Effect::ProposalEnded { ticket, ended } => {
            for (key, outcome) in ended {
                model_proposals::end(tx, conversation, i64::from(ticket), key, outcome, now).await?;
            }
            batch.proposals.push(conversation);
        }
        // Carried out by the turn itself, which holds the messages.
        Effect::FileCases(_) | Effect::OnCase { .. } | Effect::AppendToCase { .. } | Effect::PurgeInput { .. } => {}
    }
    Ok(())
}
