//! Looks after conversations that nobody looks after: the queue at the close of business, and what fell silent.

use crate::app::{App, AppError, conversations, exchange};

/// One look; returns what the board shows.
///
/// # Errors
/// As [`exchange::close_queue`] and [`conversations::close_idle`].
pub async fn run_once(app: &App) -> Result<String, AppError> {
    let told = exchange::close_queue(app).await?;
    let closed = conversations::close_idle(app).await?;
    Ok(format!("下班出队 {told}，闲置结束 {closed}"))
}
