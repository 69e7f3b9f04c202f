//! Lets go what is past its term. All work is in [`crate::app::retention`].

use crate::app::{App, AppError, retention};

/// One look.
///
/// # Errors
/// As [`retention::run`].
pub async fn run_once(app: &App) -> Result<retention::Summary, AppError> {
    retention::run(app).await
}
