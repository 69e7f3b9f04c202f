//! Care of the database file while the gateway runs.

use std::sync::atomic::Ordering::Relaxed;

use super::{App, AppError};

/// Below this nothing is worth moving.
const WORTH: u64 = 1024 * 1024;
/// At this size something pins the log, or nobody ever had time: writers wait until it is empty.
pub const ALARM: u64 = 64 * 1024 * 1024;
/// The hour of the day (configured zone) at which the log is emptied.
const QUIET_HOUR: i8 = 3;

/// Moves SQLite's write-ahead log into the database file, off the writer; returns its size in bytes before. Stops the
/// gateway after a failed sync, whoever met it.
///
/// # Errors
/// `Store`.
pub async fn checkpoint(app: &App) -> Result<u64, AppError> {
    if app.db.is_broken() {
        tracing::error!("a sync of the database file failed; the gateway stops, a fresh process may go on");
        app.fatal.cancel();
        return Ok(0);
    }
    let bytes = app.db.wal_bytes();
    app.metrics.wal_bytes.store(bytes, Relaxed);
    if bytes < WORTH {
        return Ok(bytes);
    }
    let quiet = app.zone().to_datetime(app.now()).hour() == QUIET_HOUR;
    if bytes > ALARM {
        tracing::warn!(bytes, "the write-ahead log is large; a long reader may hold it");
    }
    app.db.checkpoint(quiet || bytes > ALARM).await?;
    Ok(bytes)
}
