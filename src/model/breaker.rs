//! Whether an endpoint is asked at all: closed, open for a while, or open until somebody has mended it.
//!
//! Pure: the caller brings the time. Opens after five failures in a row or when half of at least twenty calls within a
//! minute failed; thirty seconds at first, doubling to five minutes; then one call tries. A wrong key or an unpaid
//! account keeps it open for ten minutes at a time (a change of the configuration restarts the gateway and with it this).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::ports::model::EndpointHealth;

/// Failures in a row that open it.
const IN_A_ROW: u32 = 5;
/// The window in which the share of failures is counted.
const WINDOW: Duration = Duration::from_mins(1);
/// Calls within the window below which no share is counted.
const AT_LEAST: usize = 20;
/// Calls remembered.
const REMEMBERED: usize = 256;
/// How long it is open at first.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// How long it is open at most.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How long a wrong key or an unpaid account keeps it open.
const HARD_PAUSE: Duration = Duration::from_mins(10);

/// What a call showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It answered, or refused something that is our own fault.
    Fine,
    /// It failed.
    Failed,
    /// It asked for a pause.
    Paused(Duration),
    /// It will not answer before somebody has acted.
    Hard,
    /// The call was given up by whoever asked: it says nothing about the endpoint.
    Unknown,
}

/// A call that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// It is the one that tries after a pause.
    tries: bool,
}

/// The state of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    calls: VecDeque<(Instant, bool)>,
    in_a_row: u32,
    /// Until when nothing is let through.
    open_until: Option<Instant>,
    hard: bool,
    /// How often it has opened without a success in between.
    openings: u32,
    /// The one call that tries is under way.
    trying: bool,
}

impl Breaker {
    /// Lets a call through or not.
    pub(super) fn enter(&mut self, now: Instant) -> Option<Entry> {
        if !self.ready(now) {
            return None;
        }
        self.trying = self.open_until.is_some();
        Some(Entry { tries: self.trying })
    }

    /// Whether a call would be let through.
    pub(super) fn ready(&self, now: Instant) -> bool {
        self.open_until.is_none_or(|until| now >= until && !self.trying)
    }

    /// What became of a call that was let through; whether it opened with this.
    pub(super) fn leave(&mut self, entry: Entry, outcome: Outcome, now: Instant) -> bool {
        let tried = entry.tries;
        if tried {
            self.trying = false;
        }
        match outcome {
            Outcome::Unknown => return false,
            Outcome::Fine => {
                if tried {
                    *self = Self::default();
                }
                self.in_a_row = 0;
                self.remember(now, true);
                return false;
            }
            Outcome::Failed | Outcome::Paused(_) | Outcome::Hard => {}
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.remember(now, false);
        if outcome != Outcome::Hard && self.open_until.is_some_and(|until| now < until) {
            // A call that began before the others had failed.
            return false;
        }
        let pause = match outcome {
            Outcome::Hard => HARD_PAUSE,
            Outcome::Paused(pause) => pause.min(LONGEST_PAUSE),
            Outcome::Failed if tried || self.in_a_row >= IN_A_ROW || self.half_failed() => {
                let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.openings)).min(LONGEST_PAUSE);
                self.openings = self.openings.saturating_add(1);
                pause
            }
            Outcome::Failed | Outcome::Fine | Outcome::Unknown => return false,
        };
        self.hard = outcome == Outcome::Hard;
        self.open_until = Some(now + pause);
        true
    }

    fn remember(&mut self, now: Instant, fine: bool) {
        self.calls.push_back((now, fine));
        while self.calls.len() > REMEMBERED
            || self.calls.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW)
        {
            self.calls.pop_front();
        }
    }

    fn half_failed(&self) -> bool {
        let failed = self.calls.iter().filter(|(_, fine)| !fine).count();
        self.calls.len() >= AT_LEAST && failed * 2 >= self.calls.len()
    }

    /// Its state as people see it.
    pub(super) fn health(&self, now: Instant) -> EndpointHealth {
        match self.open_until {
            None => EndpointHealth::Closed,
            Some(until) if now >= until => EndpointHealth::Half,
            Some(_) if self.hard => EndpointHealth::Hard,
            Some(_) => EndpointHealth::Open,
        }
    }

    /// How long it still lets nothing through.
    pub(super) fn closed_for(&self, now: Instant) -> Option<Duration> {
        self.open_until.filter(|until| *until > now).map(|until| until - now)
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.in_a_row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(breaker: &mut Breaker, outcome: Outcome, now: Instant) -> bool {
        let entry = breaker.enter(now).expect("let through");
        breaker.leave(entry, outcome, now)
    }

    fn fail(breaker: &mut Breaker, now: Instant) -> bool {
        run(breaker, Outcome::Failed, now)
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_one_call_tries_after_the_pause() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        for n in 1..=5 {
            assert_eq!(fail(&mut breaker, start), n == 5, "{n}");
        }
        assert_eq!(breaker.health(start), EndpointHealth::Open);
        assert!(!breaker.ready(start + Duration::from_millis(29_999)));
        let later = start + Duration::from_secs(30);
        assert_eq!(breaker.health(later), EndpointHealth::Half);
        let entry = breaker.enter(later).expect("one tries");
        assert_eq!(breaker.enter(later), None, "a second call must wait for the one that tries");
        breaker.leave(entry, Outcome::Fine, later);
        assert_eq!((breaker.health(later), breaker.failures()), (EndpointHealth::Closed, 0));
        assert!(!fail(&mut breaker, later), "the count begins anew");
    }

    #[test]
    fn the_pause_doubles_to_five_minutes() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            fail(&mut breaker, now);
        }
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let pause = breaker.closed_for(now).expect("open");
            pauses.push(pause.as_secs());
            now += pause;
            assert!(fail(&mut breaker, now));
        }
        assert_eq!(pauses, [30, 60, 120, 240, 300, 300]);
    }

    #[test]
    fn half_of_twenty_calls_within_a_minute_open_it() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        let mut opened = Vec::new();
        for n in 0..20_u64 {
            let now = start + Duration::from_secs(n);
            if run(&mut breaker, if n % 2 == 0 { Outcome::Fine } else { Outcome::Failed }, now) {
                opened.push(n);
            }
        }
        assert_eq!(opened, [19]);
        let mut slow = Breaker::default();
        for n in 0..60_u64 {
            let now = start + Duration::from_secs(n * 4);
            let opens = run(&mut slow, if n % 2 == 0 { Outcome::Fine } else { Outcome::Failed }, now);
            assert!(!opens, "fewer than twenty within a minute say nothing");
        }
    }

    #[test]
    fn a_wrong_key_keeps_it_open_for_ten_minutes() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        assert!(run(&mut breaker, Outcome::Hard, now));
        assert_eq!(breaker.health(now), EndpointHealth::Hard);
        assert!(!breaker.ready(now + Duration::from_secs(599)));
        assert!(breaker.ready(now + Duration::from_mins(10)));
    }

    #[test]
    fn an_endpoint_that_asks_for_a_pause_gets_it() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        assert!(run(&mut breaker, Outcome::Paused(Duration::from_secs(20)), now));
        assert!(!breaker.ready(now + Duration::from_secs(19)));
        let later = now + Duration::from_secs(20);
        assert!(run(&mut breaker, Outcome::Paused(Duration::from_hours(10)), later));
        assert!(!breaker.ready(later + Duration::from_secs(299)));
        assert!(breaker.ready(later + Duration::from_mins(5)), "five minutes at most");
    }

    #[test]
    fn a_call_that_was_given_up_says_nothing_and_lets_the_next_one_try() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            fail(&mut breaker, now);
        }
        let later = now + Duration::from_secs(30);
        run(&mut breaker, Outcome::Unknown, later);
        assert!(breaker.ready(later));
        assert_eq!(breaker.health(later), EndpointHealth::Half);
    }

    #[test]
    fn a_straggler_is_not_the_call_that_tries() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        let straggler = breaker.enter(now).expect("let through");
        for _ in 0..5 {
            fail(&mut breaker, now);
        }
        let later = now + Duration::from_secs(30);
        let trial = breaker.enter(later).expect("one tries");
        breaker.leave(straggler, Outcome::Fine, later);
        assert!(!breaker.ready(later), "the trial is still under way");
        breaker.leave(trial, Outcome::Fine, later);
        assert_eq!(breaker.health(later), EndpointHealth::Closed);
    }
}
