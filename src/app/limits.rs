//! Rates per sender, in memory and bounded: a flood is refused with a clear answer, not with silence.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher as _},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

use super::AppError;
use crate::config::LimitsConfig;

/// Keys remembered per limit at most; beyond it the oldest half is forgotten.
const MOST_KEYS: usize = 100_000;

/// Allows `most` events per key within a window.
#[derive(Debug)]
pub struct Rate {
    most: u32,
    window_ms: i64,
    seen: Mutex<HashMap<u64, Bucket>>,
}

/// A window that slides in two steps: the count before is weighted by its share still inside.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    start_ms: i64,
    count: u32,
    before: u32,
}

impl Rate {
    /// At most `most` events within `window_s` seconds.
    pub fn new(most: u32, window_s: i64) -> Self {
        Self { most, window_ms: window_s * 1_000, seen: Mutex::default() }
    }

    /// Counts an event, or tells how many seconds to wait.
    ///
    /// # Errors
    /// The seconds to wait.
    pub fn take(&self, key: impl Hash, now: Timestamp) -> Result<(), u64> {
        self.update(key, now, 1)
    }

    /// Whether an event would be allowed, without counting it.
    ///
    /// # Errors
    /// The seconds to wait.
    pub fn peek(&self, key: impl Hash, now: Timestamp) -> Result<(), u64> {
        self.update(key, now, 0)
    }

    /// Takes an event back, e.g. a login that succeeded.
    pub fn give_back(&self, key: impl Hash) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = seen.get_mut(&hash(key)) {
            bucket.count = bucket.count.saturating_sub(1);
        }
    }

    /// Forgets a key.
    pub fn clear(&self, key: impl Hash) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(key));
    }

    fn update(&self, key: impl Hash, now: Timestamp, add: u32) -> Result<(), u64> {
        let now = now.as_millisecond();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST_KEYS {
            let oldest = now - self.window_ms;
            seen.retain(|_, bucket| bucket.start_ms > oldest);
            if seen.len() >= MOST_KEYS {
                seen.clear();
            }
        }
        let bucket = seen.entry(hash(key)).or_insert(Bucket { start_ms: now, count: 0, before: 0 });
        let age = now - bucket.start_ms;
        if !(0..2 * self.window_ms).contains(&age) {
            // Also when the clock was set back: a limit must not last for ever.
            *bucket = Bucket { start_ms: now, count: 0, before: 0 };
        } else if age >= self.window_ms {
            *bucket = Bucket { start_ms: bucket.start_ms + self.window_ms, count: 0, before: bucket.count };
        }
        let age = now - bucket.start_ms;
        let left_ms = self.window_ms - age;
        let weighted = i64::from(bucket.before) * left_ms / self.window_ms + i64::from(bucket.count);
        if weighted >= i64::from(self.most) {
            return Err(u64::try_from((left_ms + 999) / 1_000).unwrap_or(1).max(1));
        }
        bucket.count += add;
        Ok(())
    }
}

fn hash(key: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// All rates of the gateway.
#[derive(Debug)]
pub struct Limits {
    /// Messages of one WeChat user, repeats included.
    pub wechat: Rate,
    /// Messages of one conversation.
    pub messages: Rate,
    /// Messages of one address: twenty conversations behind one address at full speed.
    pub messages_by_address: Rate,
    /// New conversations of one address.
    pub sessions: Rate,
    /// Uploads of one conversation.
    pub uploads: Rate,
    /// Progress queries of one address.
    pub track: Rate,
    /// Failed logins of one account.
    pub login_account: Rate,
    /// Failed logins of one address.
    pub login_address: Rate,
}

impl Limits {
    /// The rates of the configuration.
    pub fn new(config: &LimitsConfig) -> Self {
        const QUARTER: i64 = 15 * 60;
        Self {
            messages: Rate::new(config.messages_per_minute, 60),
            messages_by_address: Rate::new(config.messages_per_minute.saturating_mul(20), 60),
            sessions: Rate::new(config.sessions_per_minute, 60),
            uploads: Rate::new(config.messages_per_minute, 60),
            track: Rate::new(config.track_per_minute, 60),
            wechat: Rate::new(config.wechat_messages_per_minute, 60),
            login_account: Rate::new(config.login_failures_per_account, QUARTER),
            login_address: Rate::new(config.login_failures_per_address, QUARTER),
        }
    }
}

/// Maps a refusal to the error with this code.
pub fn refuse(code: &'static str) -> impl FnOnce(u64) -> AppError {
    move |retry_after_s| AppError::TooMany { code, retry_after_s }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_key_is_refused_until_its_window_has_passed() {
        let rate = Rate::new(3, 60);
        for second in 0..3 {
            assert!(rate.take("a", at(second)).is_ok());
        }
        assert_eq!(rate.take("a", at(3)), Err(57));
        assert!(rate.take("b", at(3)).is_ok());
        assert!(rate.take("a", at(130)).is_ok());
    }

    #[test]
    fn a_refused_event_does_not_prolong_the_refusal() {
        let rate = Rate::new(1, 10);
        assert!(rate.take("a", at(0)).is_ok());
        for second in 1..20 {
            let _ = rate.peek("a", at(second));
        }
        assert!(rate.take("a", at(20)).is_ok());
    }

    #[test]
    fn a_clock_set_back_does_not_lock_out() {
        let rate = Rate::new(1, 60);
        assert!(rate.take("a", at(10_000)).is_ok());
        assert!(rate.take("a", at(0)).is_ok());
    }
}
