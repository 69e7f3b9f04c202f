//! Whether the gateway can do its work now.

use std::sync::atomic::Ordering::Relaxed;

use super::App;
use crate::store::{StoreError, instance};

/// Reads, and writes when the last write had failed; so it heals by itself when there is room again.
///
/// # Errors
/// What does not work, in one word.
pub async fn check(app: &App) -> Result<(), &'static str> {
    if app.shutdown.is_cancelled() {
        return Err("stopping\n");
    }
    read(app).await.map_err(|_| "database: read failed\n")?;
    if app.metrics.write_failed.load(Relaxed) {
        write(app).await.map_err(|_| "database: write failed\n")?;
        app.metrics.write_failed.store(false, Relaxed);
    }
    Ok(())
}

/// Notes that the store refused a write: `/readyz` is red until one works again. After a failed sync the gateway stops,
/// because nothing may be written in this process any more; the supervisor starts a fresh one.
pub fn refused(app: &App, error: &StoreError) {
    if !error.refuses_writes() {
        return;
    }
    app.metrics.write_failed.store(true, Relaxed);
    if error.is_fatal() && !app.fatal.is_cancelled() {
        tracing::error!("the database file is broken or its disk fails; the gateway stops");
        app.fatal.cancel();
    }
}

async fn read(app: &App) -> Result<(), StoreError> {
    let mut tx = app.db.read().await?;
    instance::get(&mut tx, "probe").await.map(|_| ())
}

/// Writes as much as a few messages take: a disk with room for one page only is still full.
async fn write(app: &App) -> Result<(), StoreError> {
    const ROOM: usize = 128 * 1024;
    for value in ["0".repeat(ROOM), app.now().as_millisecond().to_string()] {
        let mut tx = app.db.write().await?;
        instance::set(&mut tx, "probe", &value).await?;
        tx.commit().await?;
    }
    Ok(())
}
