//! A line between the gateways on one PostgreSQL: short texts, told to whoever listens, kept by nobody.
//!
//! It runs over connections of its own, so that it takes none from requests, and over a channel of its own for each
//! schema. SQLite has one gateway and no line.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::{
    ConnectOptions as _,
    postgres::{PgListener, PgPool, PgPoolOptions},
};

use super::{Db, StoreError};

/// PostgreSQL takes less than 8000 bytes in a notification.
pub const LONGEST: usize = 7_900;

/// A lock that every connection of a line holds a share of, per schema: whoever wants the database for themselves sees
/// that a gateway lives on it.
pub(super) const LIVE: i32 = 722_006;

/// Where texts are told.
#[derive(Debug, Clone)]
pub struct Line {
    pool: PgPool,
    channel: String,
}

/// Where texts are heard.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Line {
    /// The line of a database; `None` on SQLite.
    ///
    /// # Errors
    /// `Database`.
    pub async fn open(db: &Db) -> Result<Option<Self>, StoreError> {
        let Db::Postgres { pool } = db else { return Ok(None) };
        let (schema,): (String,) = sqlx::query_as("SELECT current_schema()").fetch_one(pool).await?;
        let options = (*pool.connect_options()).clone();
        let options = options.log_slow_statements(tracing::log::LevelFilter::Off, Duration::from_secs(1));
        // One connection listens, one tells.
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(|conn, _| {
                Box::pin(async move {
                    const SQL: &str = "SELECT pg_advisory_lock_shared($1, hashtext(current_schema()))";
                    sqlx::query(SQL).bind(LIVE).execute(conn).await.map(|_| ())
                })
            })
            .connect_lazy_with(options);
        let name = hex::encode(Sha256::digest(schema.as_bytes()));
        Ok(Some(Self { pool, channel: format!("zhitong_{}", name.get(..16).unwrap_or_default()) }))
    }

    /// Name of the channel.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Tells a text of at most [`LONGEST`] bytes to whoever listens now.
    ///
    /// # Errors
    /// `Database`.
    pub async fn tell(&self, text: &str) -> Result<(), StoreError> {
        const SQL: &str = "SELECT pg_notify($1, $2)";
        sqlx::query(SQL).bind(self.channel.as_str()).bind(text).execute(&self.pool).await?;
        Ok(())
    }

    /// Listens from now on.
    ///
    /// # Errors
    /// `Database`.
    pub async fn listen(&self) -> Result<Listener, StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(&self.channel).await?;
        Ok(Listener(listener))
    }
}

impl Listener {
    /// The next text; `None` after the connection was lost and found again: something may have been missed.
    ///
    /// # Errors
    /// `Database`: there is no connection now.
    pub async fn next(&mut self) -> Result<Option<String>, StoreError> {
        Ok(self.0.try_recv().await?.map(|notification| notification.payload().to_owned()))
    }
}
