//! Why an attempt failed, and what follows from it: another try, another endpoint, a pause.

use std::time::Duration;

use super::breaker::Outcome;
use crate::ports::model::{ModelFailure, ModelFailureKind, ModelUsage};

/// Longest detail in a failure.
const LONGEST_DETAIL: usize = 300;

/// One attempt that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The kind.
    pub(super) kind: ModelFailureKind,
    /// Status and code; no secret and no text of the exchange.
    pub(super) detail: String,
    /// Tokens that were spent all the same.
    pub(super) usage: ModelUsage,
    /// What they cost, millionths of a yuan.
    pub(super) cost: u64,
    /// The same question may be put to the same endpoint once more, after this pause.
    pub(super) again: Option<Duration>,
    /// How long the endpoint wants to be left alone.
    pub(super) pause: Option<Duration>,
    /// Another endpoint may be asked.
    pub(super) next: bool,
    /// The failure is a question of the request, not of the endpoint.
    pub(super) ours: bool,
    /// The endpoint's own words; only for questions that hold nothing of anybody (the probe), never logged.
    pub(super) words: String,
}

impl Failure {
    /// A failure after which another endpoint may be asked.
    pub(super) fn new(kind: ModelFailureKind, detail: impl Into<String>) -> Self {
        let mut detail: String = detail.into();
        if let Some((at, _)) = detail.char_indices().nth(LONGEST_DETAIL) {
            detail.truncate(at);
        }
        Self {
            kind,
            detail,
            usage: ModelUsage::default(),
            cost: 0,
            again: None,
            pause: None,
            next: kind != ModelFailureKind::Filtered,
            ours: false,
            words: String::new(),
        }
    }

    /// What the breaker makes of it.
    pub(super) fn outcome(&self) -> Outcome {
        use ModelFailureKind as K;
        if self.ours {
            return Outcome::Fine;
        }
        match self.kind {
            K::Unauthorised | K::Unpaid => Outcome::Hard,
            K::Limited => self.pause.map_or(Outcome::Failed, Outcome::Paused),
            K::Connect | K::Timeout | K::Unavailable | K::Malformed | K::TooLarge | K::Empty => Outcome::Failed,
            K::Rejected | K::Filtered => Outcome::Fine,
            K::Unconfigured | K::Switched | K::Budget | K::Busy | K::Open => Outcome::Unknown,
        }
    }

    /// For whoever asked.
    pub(super) fn told(self, endpoint: &str) -> ModelFailure {
        ModelFailure {
            kind: self.kind,
            endpoint: endpoint.to_owned(),
            detail: self.detail,
            usage: self.usage,
            cost_micro_yuan: self.cost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_endpoint_s_own_failures_count_against_it() {
        use ModelFailureKind as K;
        let check = |kind: K, expected: Outcome| assert_eq!(Failure::new(kind, "").outcome(), expected, "{kind}");
        check(K::Connect, Outcome::Failed);
        check(K::Timeout, Outcome::Failed);
        check(K::Unavailable, Outcome::Failed);
        check(K::Malformed, Outcome::Failed);
        check(K::Limited, Outcome::Failed);
        check(K::Unauthorised, Outcome::Hard);
        check(K::Unpaid, Outcome::Hard);
        check(K::Rejected, Outcome::Fine);
        check(K::Filtered, Outcome::Fine);
        check(K::Busy, Outcome::Unknown);
        assert_eq!(Failure::new(K::Unavailable, "字".repeat(1_000)).detail.chars().count(), LONGEST_DETAIL);
    }
}
