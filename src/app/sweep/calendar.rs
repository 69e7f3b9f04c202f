//! Which gateway's calendar the due dates follow.
//!
//! Every gateway reads a folder of its own. While those differ, one that goes by an older calendar keeps its hands off,
//! or two would turn the same due dates to and fro and tell the enterprises each time. The calendar in force stands in
//! the database with the gateway that goes by it and the moment at which one last did.

use std::sync::atomic::Ordering::Relaxed;

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{App, AppError, case_save},
    store::instance,
};

/// Under which name the calendar in force is kept.
const KEY: &str = "calendar";
/// How often a gateway notes that it goes by the calendar in force.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// After this long without a gateway that goes by it, another calendar may come into force.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// The calendar in force.
#[derive(Debug, Clone, PartialEq, Eq)]
struct InForce {
    version: String,
    years: usize,
    gateway: String,
    seen: Timestamp,
}

impl InForce {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('|');
        Some(Self {
            version: parts.next()?.to_owned(),
            years: parts.next()?.parse().ok()?,
            gateway: parts.next()?.to_owned(),
            seen: Timestamp::from_millisecond(parts.next()?.parse().ok()?).ok()?,
        })
    }

    fn word(&self) -> String {
        let Self { version, years, gateway, seen } = self;
        format!("{version}|{years}|{gateway}|{}", seen.as_millisecond())
    }

    /// Whether a gateway with another calendar has to wait for this one.
    fn holds(&self, mine: &Self) -> bool {
        let fresh = mine.seen.duration_since(self.seen) < FORGOTTEN_AFTER;
        self.version != mine.version && self.gateway != mine.gateway && self.years >= mine.years && fresh
    }
}

/// Whether the due dates follow this gateway's calendar. Notes it as the one in force where it is newer, that is, knows
/// more years, or where the gateway that brought the present one changed it or is gone.
pub(super) async fn leads(app: &App) -> Result<bool, AppError> {
    let content = app.content.load();
    let calendar = content.schedule.calendar();
    let mine = InForce {
        version: calendar.version().to_owned(),
        years: calendar.years().count(),
        gateway: app.gateway.clone(),
        seen: case_save::now_ms(app),
    };
    let mut tx = app.db.read().await?;
    let known = instance::get(&mut tx, KEY).await?.as_deref().and_then(InForce::read);
    drop(tx);
    let same = known.as_ref().is_some_and(|known| known.version == mine.version);
    if let Some(known) = &known
        && same
        && mine.seen.duration_since(known.seen) < NOTED_EVERY
    {
        app.metrics.calendar_behind.store(false, Relaxed);
        return Ok(true);
    }
    if let Some(known) = known.as_ref().filter(|known| known.holds(&mine)) {
        if !app.metrics.calendar_behind.swap(true, Relaxed) {
            tracing::warn!(
                mine = %mine.version, in_force = %known.version,
                "another gateway goes by a newer working calendar; this one leaves the due dates alone until its folder is the same"
            );
        }
        return Ok(false);
    }
    let mut tx = app.db.write().await?;
    instance::set(&mut tx, KEY, &mine.word()).await?;
    tx.commit().await?;
    app.metrics.calendar_behind.store(false, Relaxed);
    if known.is_some_and(|known| known.version != mine.version) {
        tracing::info!(calendar = %mine.version, "a new working calendar is in force");
        super::plan_anew(app).await?;
    }
    Ok(true)
}
