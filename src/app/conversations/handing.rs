//! Handing a conversation on: back to the queue or the bot, to a colleague, who has it at once and is told, or to a
//! unit's queue.

use jiff::Timestamp;

use super::{ConversationRow, ReleaseTo, TransferTo, event_message, finish, hand_over, retry, set_mode, to_be_moved};
use crate::{
    app::{
        App, AppError, Officer, dialogue_codec,
        notices::{self, Notice, NoticeKind, To, Told},
    },
    domain::{
        access::{Permission, Role},
        dialogue::ConversationState,
        ids::{ConversationId, OfficerId},
    },
    store::{Tx, conversations, officers, units},
};

/// Gives a conversation back, to the queue or to the bot.
///
/// # Errors
/// `NotFound`, `Conflict` (not in service, not one's own, changed in between).
pub async fn release(
    app: &App,
    officer: &Officer,
    id: ConversationId,
    to: ReleaseTo,
) -> Result<ConversationRow, AppError> {
    let now = app.now();
    retry(|| async {
        let (tx, mut row) = to_be_moved(app, officer, id).await?;
        let text = match to {
            ReleaseTo::Queue => {
                set_mode(&mut row, ConversationState::Queued);
                row.queued_at = Some(now.as_millisecond());
                "工作人员已将会话交回，请稍候，会有同事接入。"
            }
            ReleaseTo::Bot => {
                let form = dialogue_codec::decode(&row.dialogue).form.is_some();
                set_mode(&mut row, if form { ConversationState::Collecting } else { ConversationState::Bot });
                row.queued_at = None;
                "人工服务已结束，接下来由机器人应答。需要时可以再转人工。"
            }
        };
        hand_over(&mut row, None, now);
        let message = event_message(app, &mut row, text, now);
        finish(app, tx, id, row, &[message], None).await
    })
    .await
}

/// Hands a conversation to a colleague or to a unit's queue; the old owner cannot write any more.
///
/// # Errors
/// `NotFound`, `Conflict`, `Invalid` (no such officer or unit, or one who does not converse).
pub async fn transfer(
    app: &App,
    officer: &Officer,
    id: ConversationId,
    to: &TransferTo,
    note: &str,
) -> Result<ConversationRow, AppError> {
    let now = app.now();
    retry(|| async {
        let (mut tx, mut row) = to_be_moved(app, officer, id).await?;
        let (text, owner) = match to {
            TransferTo::Officer(target) => {
                let account = officers::find(&mut tx, *target).await?.filter(|o| o.active);
                let roles = officers::roles(&mut tx, &target.to_string()).await?;
                let converses = roles.iter().any(|(role, _)| role.permissions().contains(&Permission::Converse));
                let Some(account) = account.filter(|_| converses) else {
                    tx.rollback().await?;
                    return Err(AppError::field("/officer_id", "没有这位工作人员，或者不能接待会话"));
                };
                hand_over(&mut row, Some(*target), now);
                (format!("会话已转给工作人员 {}。", account.name), Some(account.name))
            }
            TransferTo::Unit(slug) => {
                let Some(unit) = units::list(&mut tx).await?.into_iter().find(|u| u.slug == *slug && u.active) else {
                    tx.rollback().await?;
                    return Err(AppError::field("/unit", "没有这个单位"));
                };
                set_mode(&mut row, ConversationState::Queued);
                hand_over(&mut row, None, now);
                row.queued_at = Some(now.as_millisecond());
                row.unit = Some(slug.clone());
                (format!("会话已转给{}，请稍候。", unit.short_name), None)
            }
        };
        let message = event_message(app, &mut row, &text, now);
        if !note.trim().is_empty() {
            let note_id = app.ids.uuid(now).to_string();
            conversations::insert_note(&mut tx, &note_id, id, officer.id, note.trim(), now).await?;
        }
        let told = match to {
            TransferTo::Officer(target) => handed(&mut tx, app, officer, &row, *target, now).await?,
            TransferTo::Unit(_) => Told::default(),
        };
        let row = finish(app, tx, id, row, &[message], owner.as_deref()).await?;
        told.tell(app);
        Ok(row)
    })
    .await
}

/// Tells the colleague who has the conversation now.
async fn handed(
    tx: &mut Tx,
    app: &App,
    officer: &Officer,
    row: &ConversationRow,
    target: OfficerId,
    now: Timestamp,
) -> Result<Told, AppError> {
    let notice = Notice {
        kind: NoticeKind::Assigned,
        to: &[To::Officer(target)],
        text: &format!("{} 转给您一个会话，请接着回复", officer.name),
        case: None,
        conversation: Some(&row.id),
        key: &format!("handed:{}:{}", row.id, row.fence),
        by: Some(officer.id),
    };
    notices::notify(tx, app, &notice, now).await
}

/// Somebody a conversation can be handed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colleague {
    /// Id of the account.
    pub id: String,
    /// Name.
    pub name: String,
    /// Slug of the unit; empty for the centre.
    pub unit: String,
}

/// Everybody else who converses, by name.
///
/// # Errors
/// `Forbidden`, `Store`.
pub async fn colleagues(app: &App, officer: &Officer) -> Result<Vec<Colleague>, AppError> {
    officer.require(Permission::Converse)?;
    let own = officer.id.to_string();
    let mut tx = app.db.read().await?;
    let roles = officers::all_roles(&mut tx).await?;
    let converses = |row: &officers::RoleRow| {
        row.role.parse().is_ok_and(|role: Role| role.permissions().contains(&Permission::Converse))
    };
    let mut found: Vec<Colleague> = officers::list(&mut tx)
        .await?
        .into_iter()
        .filter(|account| account.active && account.id != own)
        .filter_map(|account| {
            let role = roles.iter().find(|row| row.officer_id == account.id && converses(row))?;
            Some(Colleague { id: account.id, name: account.name, unit: role.unit.clone() })
        })
        .collect();
    found.sort_by(|a, b| (&a.unit, &a.name).cmp(&(&b.unit, &b.name)));
    Ok(found)
}
