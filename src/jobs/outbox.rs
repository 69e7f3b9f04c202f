//! Sends what waits in the outbox: signed webhooks, with back-off, dead letters and leases.
//!
//! Everything is decided from stored rows, so a missed tick, a restart and a second gateway are the same case. No
//! transaction is open while a message is on its way.

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{App, AppError, webhooks},
    ports::{SendFailure, WebhookSender},
};

/// Entries sent in one go.
const BATCH: i64 = 32;
/// How long a claimed entry is nobody else's: longer than the sender's own limit.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Attempts before an entry is given up: the last one comes about a day after the first.
pub const MAX_ATTEMPTS: i64 = 12;
/// First pause; it doubles with every attempt.
const FIRST_PAUSE_S: i64 = 10;
/// Longest pause.
const LONGEST_PAUSE_S: i64 = 6 * 3600;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Delivered.
    pub sent: usize,
    /// Failed and waiting for another attempt.
    pub postponed: usize,
    /// Given up.
    pub dead: usize,
}

/// Sends everything that is due now.
///
/// # Errors
/// `Store`; what was claimed is tried again when its lease ends.
pub async fn run_once(app: &App, sender: &dyn WebhookSender) -> Result<Summary, AppError> {
    let mut summary = Summary::default();
    loop {
        let now = app.now();
        let entries = webhooks::claim(app, now, LEASE, BATCH).await?;
        if entries.is_empty() {
            return Ok(summary);
        }
        for entry in entries {
            let outcome = match webhooks::sign(app, &entry, app.now()) {
                Some(request) => sender.send(&request).await,
                None => Err(SendFailure {
                    permanent: true, reason: format!("没有名为“{}”的推送目标", entry.target)
                }),
            };
            match outcome {
                Ok(()) => {
                    webhooks::delivered(app, &entry.id).await?;
                    summary.sent += 1;
                }
                Err(failure) => {
                    let next = next_attempt(entry.attempts, failure.permanent, app.now());
                    tracing::warn!(
                        outbox.id = %entry.id, outbox.target = %entry.target, outbox.attempts = entry.attempts,
                        reason = %failure.reason, gives_up = next.is_none(), "a webhook was not delivered"
                    );
                    webhooks::failed(app, &entry, &failure.reason, next).await?;
                    if next.is_some() {
                        summary.postponed += 1;
                    } else {
                        summary.dead += 1;
                    }
                }
            }
        }
    }
}

/// When to try again: 10 s, 20 s, 40 s … at most 6 h; `None` gives up.
fn next_attempt(attempts: i64, permanent: bool, now: Timestamp) -> Option<Timestamp> {
    if permanent || attempts >= MAX_ATTEMPTS {
        return None;
    }
    let exponent = u32::try_from(attempts.clamp(1, 20) - 1).unwrap_or(0);
    let pause = FIRST_PAUSE_S.saturating_mul(2_i64.saturating_pow(exponent)).min(LONGEST_PAUSE_S);
    Some(now.saturating_add(SignedDuration::from_secs(pause)).unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_six_hours_and_end() {
        let now = Timestamp::UNIX_EPOCH;
        let pause = |n| next_attempt(n, false, now).map(Timestamp::as_second);
        assert_eq!([pause(1), pause(2), pause(3)], [Some(10), Some(20), Some(40)]);
        assert_eq!(pause(11), Some(10_240));
        assert_eq!(pause(MAX_ATTEMPTS), None);
        assert_eq!(next_attempt(1, true, now), None);
    }
}
