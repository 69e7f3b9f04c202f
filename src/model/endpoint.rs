//! One endpoint: its turns, its breaker, what it costs and how fast it is.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    EndpointSetup, Limits, SetupError,
    breaker::{Breaker, Entry, Outcome},
    exchange::{Answered, Target, Times},
    failure::Failure,
};
use crate::ports::model::{EndpointState, ModelFailureKind, ModelRequest, ModelUsage, OnText};

/// Calls whose times are remembered.
const REMEMBERED: usize = 100;

/// Times of the last calls and the last failure.
#[derive(Debug, Default)]
struct Record {
    first_ms: VecDeque<u64>,
    total_ms: VecDeque<u64>,
    last_failure: Option<String>,
}

/// An endpoint that can be asked.
pub(super) struct Endpoint {
    pub(super) name: String,
    profile: &'static str,
    target: Target,
    price_prompt: f64,
    price_completion: f64,
    at_once: usize,
    turns: Semaphore,
    breaker: Mutex<Breaker>,
    record: Mutex<Record>,
}

/// A call that the breaker let through; dropped without an outcome it says nothing.
struct Passage<'a> {
    endpoint: &'a Endpoint,
    entry: Option<Entry>,
}

impl Passage<'_> {
    fn leave(mut self, outcome: Outcome) -> bool {
        let entry = self.entry.take();
        entry.is_some_and(|entry| self.endpoint.breaker().leave(entry, outcome, std::time::Instant::now()))
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.endpoint.breaker().leave(entry, Outcome::Unknown, std::time::Instant::now());
        }
    }
}

impl Endpoint {
    /// Makes an endpoint from its settings.
    ///
    /// # Errors
    /// [`SetupError`].
    pub(super) fn new(setup: &EndpointSetup, limits: &Limits) -> Result<Self, SetupError> {
        let target =
            Target::new(setup, limits).map_err(|message| SetupError { endpoint: setup.name.clone(), message })?;
        Ok(Self {
            name: setup.name.clone(),
            profile: setup.profile.as_str(),
            target,
            price_prompt: setup.price_prompt,
            price_completion: setup.price_completion,
            at_once: limits.concurrency,
            turns: Semaphore::new(limits.concurrency),
            breaker: Mutex::default(),
            record: Mutex::default(),
        })
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its breaker would let a call through.
    pub(super) fn ready(&self) -> bool {
        self.breaker().ready(std::time::Instant::now())
    }

    /// Millionths of a yuan: yuan for a million tokens are millionths of a yuan for one.
    pub(super) fn cost(&self, usage: ModelUsage) -> u64 {
        (usage.prompt as f64 * self.price_prompt + usage.completion as f64 * self.price_completion).ceil() as u64
    }

    /// Asks once.
    ///
    /// # Errors
    /// [`Failure`].
    pub(super) async fn call(
        &self,
        request: &ModelRequest,
        limits: &Limits,
        times: Times,
        on_text: &mut OnText<'_>,
    ) -> Result<Answered, Failure> {
        let entry = self.breaker().enter(std::time::Instant::now());
        let Some(entry) = entry else {
            return Err(Failure::new(ModelFailureKind::Open, "not asked after its last failures"));
        };
        let passage = Passage { endpoint: self, entry: Some(entry) };
        let wait_until = times.deadline.min(Instant::now() + limits.wait);
        let Ok(Ok(_turn)) = timeout_at(wait_until, self.turns.acquire()).await else {
            return Err(Failure::new(ModelFailureKind::Busy, format!("{} calls under way", self.at_once)));
        };
        let began = Instant::now();
        match self.target.ask(request, limits, times, on_text).await {
            Ok(answered) => {
                passage.leave(Outcome::Fine);
                let mut record = self.record();
                remember(&mut record.first_ms, (answered.first - began).as_millis() as u64);
                remember(&mut record.total_ms, began.elapsed().as_millis() as u64);
                Ok(answered)
            }
            Err(mut failure) => {
                failure.cost = self.cost(failure.usage);
                let outcome = failure.outcome();
                let opened = passage.leave(outcome);
                self.record().last_failure = Some(format!("{}：{}", failure.kind.label(), failure.detail));
                tracing::warn!(
                    model.endpoint = %self.name, model.failure = %failure.kind, model.detail = %failure.detail,
                    duration_ms = began.elapsed().as_millis() as u64, "a model endpoint did not answer"
                );
                if opened && outcome == Outcome::Hard {
                    tracing::error!(
                        model.endpoint = %self.name, model.failure = %failure.kind,
                        "a model endpoint is left alone for ten minutes: its key or its account needs somebody"
                    );
                } else if opened {
                    tracing::warn!(model.endpoint = %self.name, "a model endpoint is left alone for a while");
                }
                Err(failure)
            }
        }
    }

    /// How it is doing.
    pub(super) fn state(&self, now_ms: i64) -> EndpointState {
        let now = std::time::Instant::now();
        let (health, retry_at, failures) = {
            let breaker = self.breaker();
            let closed_for = breaker.closed_for(now).map(|pause| pause.as_millis() as i64);
            (breaker.health(now), closed_for.map(|pause| now_ms.saturating_add(pause)), breaker.failures())
        };
        let record = self.record();
        EndpointState {
            name: self.name.clone(),
            host: self.target.host(),
            model: self.target.model().to_owned(),
            profile: self.profile.to_owned(),
            health,
            retry_at,
            in_flight: u32::try_from(self.at_once.saturating_sub(self.turns.available_permits())).unwrap_or(u32::MAX),
            failures,
            last_failure: record.last_failure.clone(),
            first_ms: middle(&record.first_ms),
            total_ms: middle(&record.total_ms),
        }
    }
}

fn remember(values: &mut VecDeque<u64>, value: u64) {
    values.push_back(value);
    if values.len() > REMEMBERED {
        values.pop_front();
    }
}

/// Median and 95th percentile.
fn middle(values: &VecDeque<u64>) -> Option<(u64, u64)> {
    let mut sorted: Vec<u64> = values.iter().copied().collect();
    sorted.sort_unstable();
    let at = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1).copied();
    Some((at(50)?, at(95)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_median_and_95th_percentile_of_the_last_hundred() {
        let mut values = VecDeque::new();
        assert_eq!(middle(&values), None);
        remember(&mut values, 7);
        assert_eq!(middle(&values), Some((7, 7)));
        for value in 1..=200 {
            remember(&mut values, value);
        }
        assert_eq!(middle(&values), Some((150, 195)));
    }
}
