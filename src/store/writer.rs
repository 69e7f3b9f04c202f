//! The one writing connection of SQLite.
//!
//! It goes from one transaction straight to the next. A pool would look at it in between with a statement of its own,
//! from a task that has to be scheduled first: under load that is as long as the statements of a group.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

/// Nobody waits longer for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection and whether it may be used again.
#[derive(Debug)]
struct Live {
    conn: SqliteConnection,
    /// A transaction was dropped on it.
    spoiled: bool,
}

/// Where the connection lies while nobody writes.
#[derive(Debug)]
enum Slot {
    Live(Live),
    /// It could not be opened anew.
    Empty,
    /// For good.
    Closed,
}

/// The place of the writing connection; writers queue for it in order.
#[derive(Debug, Clone)]
pub struct Writer {
    options: Arc<SqliteConnectOptions>,
    slot: Arc<Mutex<Slot>>,
}

impl Writer {
    /// Opens the connection.
    pub(super) async fn connect(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let live = Live { conn: options.connect().await?, spoiled: false };
        Ok(Self { options: Arc::new(options), slot: Arc::new(Mutex::new(Slot::Live(live))) })
    }

    /// Waits for the connection, at most ten seconds.
    ///
    /// # Errors
    /// `PoolTimedOut`, `PoolClosed`, or why it cannot be opened anew.
    pub async fn acquire(&self) -> Result<Writing, sqlx::Error> {
        let waiting = tokio::time::timeout(PATIENCE, self.slot.clone().lock_owned());
        let mut slot = waiting.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        match std::mem::replace(&mut *slot, Slot::Empty) {
            Slot::Live(live) if !live.spoiled => *slot = Slot::Live(live),
            Slot::Closed => *slot = Slot::Closed,
            spoiled @ (Slot::Live(_) | Slot::Empty) => {
                close(spoiled).await;
                *slot = Slot::Live(Live { conn: self.options.connect().await?, spoiled: false });
            }
        }
        let live = OwnedMutexGuard::try_map(slot, |slot| match slot {
            Slot::Live(live) => Some(live),
            Slot::Empty | Slot::Closed => None,
        });
        let live = live.map_err(|_| sqlx::Error::PoolClosed)?;
        Ok(Writing { live, writer: self.clone() })
    }

    /// Closes the connection once it is free; nobody gets it any more.
    pub(super) async fn close(&self) {
        let mut slot = self.slot.lock().await;
        close(std::mem::replace(&mut *slot, Slot::Closed)).await;
    }
}

async fn close(slot: Slot) {
    if let Slot::Live(live) = slot
        && let Err(error) = live.conn.close().await
    {
        tracing::warn!(error = &error as &dyn std::error::Error, "the database was not closed cleanly");
    }
}

/// The writing connection in somebody's hands.
#[derive(Debug)]
pub struct Writing {
    live: OwnedMappedMutexGuard<Slot, Live>,
    writer: Writer,
}

impl Writing {
    /// What was begun on it is rolled back by closing it; whoever is next gets a new one.
    pub(super) fn discard(&mut self) {
        self.live.spoiled = true;
        let writer = self.writer.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Not only when somebody writes: an open transaction keeps other processes out.
            runtime.spawn(async move { writer.acquire().await.map(drop) });
        }
    }
}

impl Deref for Writing {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.live.conn
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.live.conn
    }
}
