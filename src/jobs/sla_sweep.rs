//! The clock sweep: due dates follow the calendar, and what is due fires. All work is in [`crate::app::sweep`].

use crate::app::{App, AppError, sweep};

/// One sweep.
///
/// # Errors
/// As [`sweep::run`].
pub async fn run_once(app: &App) -> Result<sweep::Summary, AppError> {
    sweep::run(app).await
}
