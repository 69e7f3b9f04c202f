//! What a test must not call for real: the clock and the source of ids and randomness.

use jiff::Timestamp;
use uuid::Uuid;

/// Tells the present instant.
pub trait Clock: Send + Sync {
    /// The present instant, UTC.
    fn now(&self) -> Timestamp;
}

/// Makes ids and secrets.
pub trait IdGen: Send + Sync {
    /// A new UUIDv7 whose time part is `now`.
    fn uuid(&self, now: Timestamp) -> Uuid;
    /// Fills the buffer with random bytes fit for secrets.
    fn fill(&self, buffer: &mut [u8]);
}
