//! The real clock and source of ids, and their fixed counterparts for tests and demonstrations.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::ports::{Clock, IdGen};

/// The clock of the machine.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Ids and secrets from the operating system's random source.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemIds;

impl IdGen for SystemIds {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        uuid::Builder::from_unix_timestamp_millis(now.as_millisecond().unsigned_abs(), &random).into_uuid()
    }

    fn fill(&self, buffer: &mut [u8]) {
        rand::fill(buffer);
    }
}

/// A clock that stands until it is moved.
#[derive(Debug)]
pub struct FixedClock(Mutex<Timestamp>);

impl FixedClock {
    /// Stands at `now`.
    pub const fn new(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves to `now`.
    ///
    /// # Panics
    /// If a thread panicked while it moved the clock.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().expect("moving the clock does not panic") = now;
    }

    /// Moves by `by`, forwards or back.
    pub fn advance(&self, by: SignedDuration) {
        let now = self.now();
        self.set(now.saturating_add(by).unwrap_or(now));
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("reading the clock does not panic")
    }
}

/// Ids in a row and bytes that repeat: snapshots stay the same.
#[derive(Debug, Default)]
pub struct CountingIds(AtomicU64);

impl IdGen for CountingIds {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let mut bytes = [0; 10];
        self.fill(&mut bytes);
        uuid::Builder::from_unix_timestamp_millis(now.as_millisecond().unsigned_abs(), &bytes).into_uuid()
    }

    fn fill(&self, buffer: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        for (byte, value) in buffer.iter_mut().rev().zip(n.to_le_bytes().into_iter().chain(std::iter::repeat(0))) {
            *byte = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_differ() {
        let (early, late) = (Timestamp::from_second(1).unwrap(), Timestamp::from_second(2).unwrap());
        assert!(SystemIds.uuid(early) < SystemIds.uuid(late));
        assert_ne!(SystemIds.uuid(early), SystemIds.uuid(early));
        let ids = CountingIds::default();
        assert!(ids.uuid(early) < ids.uuid(early));
    }

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = FixedClock::new(Timestamp::UNIX_EPOCH);
        clock.advance(SignedDuration::from_hours(72));
        assert_eq!(clock.now().as_second(), 72 * 3600);
        clock.advance(SignedDuration::from_hours(-2));
        assert_eq!(clock.now().as_second(), 70 * 3600);
    }
}
