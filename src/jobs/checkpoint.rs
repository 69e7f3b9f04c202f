//! Moves SQLite's write-ahead log into the database file beside the writer, and keeps it small.

use crate::app::{App, AppError, housekeeping};

/// One look; returns what the board shows.
///
/// # Errors
/// As [`housekeeping::checkpoint`].
pub async fn run_once(app: &App) -> Result<String, AppError> {
    let bytes = housekeeping::checkpoint(app).await?;
    Ok(format!("log of {} KiB", bytes / 1024))
}
