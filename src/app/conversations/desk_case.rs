//! A case made beside the chat: a form pre-filled from what was said, then the filing with a receipt in the chat.

use jiff::Timestamp;
use serde_json::Value;

use super::{conflict, event_message, load, owns, retry, store, tell};
use crate::{
    app::{
        App, AppError, FieldError, Officer, case_queries,
        content::Content,
        dialogue_codec, intake,
        message_view::{form_json, reply_body},
    },
    domain::{
        access::Permission,
        case::{Actor, CaseNumber},
        dialogue::{self, ConversationState, Effect, FieldKey, FiledCase, MatterEdit, Shipped, TurnEnv},
        ids::ConversationId,
        kinds::Channel,
    },
    store::{
        Tx, cases,
        idempotency::{self, FirstAnswer},
        model_proposals,
    },
};

/// What came of making a case beside the chat.
#[derive(Debug, Clone)]
pub enum CaseMade {
    /// The form as it stands; nothing was filed.
    Draft(Value),
    /// Filed; the receipt went to the visitor.
    Filed(Vec<FiledCase>),
}

/// What an officer fills in beside the chat.
#[derive(Debug, Clone, Default)]
pub struct CaseInput {
    /// What the matter is, when nothing was told yet.
    pub text: String,
    /// Fields as they stand.
    pub fields: Vec<(FieldKey, String)>,
    /// Matters as they stand.
    pub matters: Vec<MatterEdit>,
    /// `true` files; `false` only shows the form.
    pub confirm: bool,
    /// The idempotency key of the request, if it has one.
    pub key: Option<String>,
}

/// The cases that the same request filed before. Without a key the request is its own; then it is a repeat only where
/// nothing new was put together since.
async fn filed_before(
    tx: &mut Tx,
    content: &Content,
    scope: &str,
    (key, hash): (&str, &str),
    now: Timestamp,
) -> Result<Option<Vec<FiledCase>>, AppError> {
    let Some(first) = idempotency::find(tx, scope, key).await? else { return Ok(None) };
    if first.request_hash != hash {
        return Err(AppError::conflict("idempotency_reused"));
    }
    let mut filed = Vec::new();
    for number in first.body.split(',') {
        let number: CaseNumber = number.parse().map_err(|_| AppError::NotFound)?;
        let case = cases::find_by_number(tx, &number).await?.ok_or(AppError::NotFound)?;
        filed.push(intake::receipt(content, &case, now));
    }
    Ok(Some(filed))
}

/// Makes a case from the conversation: first a form pre-filled from what was said, then the filing with a receipt in
/// the chat.
///
/// # Errors
/// `NotFound`, `Conflict` (not one's own), `Invalid` with what is missing.
pub async fn make_case(
    app: &App,
    officer: &Officer,
    id: ConversationId,
    input: &CaseInput,
) -> Result<CaseMade, AppError> {
    officer.require(Permission::FileCase)?;
    let content = app.content.load();
    let now = app.now();
    let asked = (&input.text, &input.fields, &input.matters);
    let hash = crate::app::hash_secret(&format!("{asked:?}"));
    let key = input.key.clone().unwrap_or_else(|| hash.clone());
    let scope = format!("conversation_case:{}:{id}", officer.id);
    let (made, after) = retry(|| async {
        let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, now);
        let mut tx = app.db.write().await?;
        let mut row = load(&mut tx, officer, id).await?;
        if !owns(officer, &row) {
            tx.rollback().await?;
            return Err(conflict("not_in_service", "请先接入会话再建件。", &row, officer));
        }
        let env = TurnEnv {
            knowledge: &knowledge,
            now,
            today: knowledge.today,
            default_region: Some(app.config.region.code.as_str()),
            channel: row.channel.parse().unwrap_or(Channel::Web),
            queue_ahead: 0,
            open_cases: &[],
            progress: &[],
        };
        let state = dialogue_codec::decode(&row.dialogue);
        if input.confirm && (input.key.is_some() || state.form.is_none()) {
            let before = filed_before(&mut tx, &content, &scope, (&key, &hash), now).await;
            if let Some(cases) = before? {
                tx.rollback().await?;
                return Ok((CaseMade::Filed(cases), None));
            }
        }
        let words = if input.text.trim().is_empty() {
            state.last_matter.clone().unwrap_or_default()
        } else {
            input.text.clone()
        };
        if state.form.is_none() && words.trim().is_empty() {
            tx.rollback().await?;
            return Err(AppError::field("/text", "请先写明是什么事"));
        }
        let prepared = dialogue::prepare_form(&env, &state, &words);
        if !input.confirm {
            tx.rollback().await?;
            let card = prepared.form.as_ref().map_or(Value::Null, |form| form_json(&form.card(&knowledge)));
            return Ok((CaseMade::Draft(card), None));
        }
        let outcome = dialogue::submit_for(&env, &prepared, input.fields.clone(), input.matters.clone());
        let drafts = outcome.effects.iter().find_map(|effect| match effect {
            Effect::FileCases(drafts) => Some(drafts.clone()),
            Effect::RequestHuman { .. }
            | Effect::LeaveQueue
            | Effect::AppendToCase { .. }
            | Effect::OnCase { .. }
            | Effect::Promise { .. }
            | Effect::PageDuty { .. }
            | Effect::Flag { .. }
            | Effect::PurgeInput { .. }
            | Effect::Feedback { .. }
            | Effect::Unanswered { .. }
            | Effect::AskModel { .. }
            | Effect::Classify { .. }
            | Effect::Proposed { .. }
            | Effect::ProposalEnded { .. } => None,
        });
        let Some(drafts) = drafts else {
            tx.rollback().await?;
            let errors = dialogue::form_errors(&outcome.state)
                .into_iter()
                .map(|(key, message)| FieldError::new(format!("/fields/{}", key.as_str()), message))
                .collect();
            return Err(AppError::invalid("form_incomplete", errors));
        };
        let actor = Actor::Officer(case_queries::stamp(&mut tx, &content, officer, now).await?);
        let filed = intake::file_cases(&mut tx, app, Some(id), &drafts, &actor).await?;
        let numbers: Vec<&str> = filed.cases.iter().map(|case| case.number.as_str()).collect();
        let answer = FirstAnswer { request_hash: hash.clone(), status: 201, body: numbers.join(",") };
        if idempotency::find(&mut tx, &scope, &key).await?.is_none() {
            idempotency::insert(&mut tx, &scope, &key, &answer, now).await?;
        }
        for effect in &outcome.effects {
            if let Effect::ProposalEnded { ticket, ended } = effect {
                for (key, outcome) in ended {
                    model_proposals::end(&mut tx, id, i64::from(*ticket), *key, *outcome, now).await?;
                }
            }
        }
        let (mut next, receipt) = dialogue::filed(&env, &outcome.state, &filed.cases);
        next.mode = ConversationState::Human;
        row.dialogue = dialogue_codec::encode(&next);
        row.topic = drafts.first().and_then(|d| d.topic.clone()).or(row.topic);
        row.changed_at = now.as_millisecond();
        let mut message = event_message(app, &mut row, &receipt.text, now);
        receipt.kind.as_str().clone_into(&mut message.kind);
        message.body = Some(Value::Object(reply_body(&receipt, content.schedule.zone())).to_string());
        store(&mut tx, app, &row, &[message]).await?;
        tx.commit().await?;
        tell(app, id, &row, Some(&officer.name));
        Ok((CaseMade::Filed(filed.cases.clone()), Some(filed)))
    })
    .await?;
    if let Some(filed) = after {
        filed.tell(app);
    }
    Ok(made)
}
