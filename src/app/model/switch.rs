//! The switch that stops the model at once: questions under way are broken off, no new one leaves.

use super::super::{App, AppError};
use crate::{domain::ids::OfficerId, store};

/// How the switch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchState {
    /// Whether no model is asked.
    pub stopped: bool,
    /// Why.
    pub reason: String,
    /// Id of the officer who set it.
    pub officer: Option<String>,
    /// When; milliseconds UTC, 0 if never.
    pub changed_at: i64,
}

/// Reads the switch; running calls of this process learn of it.
///
/// # Errors
/// `Store`.
pub async fn switch_state(app: &App) -> Result<SwitchState, AppError> {
    let row = {
        let mut tx = app.db.read().await?;
        store::model::switch(&mut tx).await?
    };
    let state = row.map_or_else(
        || SwitchState { stopped: false, reason: String::new(), officer: None, changed_at: 0 },
        |row| SwitchState {
            stopped: row.stopped,
            reason: row.reason,
            officer: row.officer_id,
            changed_at: row.changed_at,
        },
    );
    app.model.stopped.send_if_modified(|stopped| std::mem::replace(stopped, state.stopped) != state.stopped);
    Ok(state)
}

/// Stops the model or lets it run again; an officer's turn is noted with it. Who may do so is checked by the caller.
///
/// # Errors
/// `Invalid` (no reason for stopping, or too long), `Store`.
pub async fn set_switch(app: &App, stopped: bool, reason: &str, by: Option<OfficerId>) -> Result<(), AppError> {
    let reason = reason.trim();
    if stopped && reason.is_empty() {
        return Err(AppError::field("/reason", "请写明停用的原因"));
    }
    if reason.chars().count() > 200 {
        return Err(AppError::field("/reason", "不超过 200 个字"));
    }
    if stopped {
        // At once: what cannot be written is still not asked any more by this process.
        app.model.stopped.send_replace(true);
    }
    let (now, officer) = (app.now(), by.map(|id| id.to_string()));
    let mut tx = app.db.write().await?;
    store::model::set_switch(&mut tx, stopped, reason, officer.as_deref(), now).await?;
    if let Some(by) = by {
        let id = app.ids.uuid(now).to_string();
        store::suggestions::log_switch(&mut tx, &id, stopped, reason, by, now).await?;
    }
    tx.commit().await?;
    app.model.stopped.send_replace(stopped);
    tracing::warn!(stopped, "the model switch was set");
    Ok(())
}
