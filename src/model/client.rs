//! The endpoints in their order: one question, at most one repetition, fallbacks before the first piece only.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{EndpointSetup, Limits, SetupError, endpoint::Endpoint, exchange::Times, failure::Failure};
use crate::ports::{
    Clock,
    model::{
        EndpointState, ModelClient, ModelFailure, ModelFailureKind, ModelReply, ModelRequest, ModelTask, ModelUsage,
        OnText,
    },
};

/// What has to be left of a question's time for another try.
const WORTH_TRYING: Duration = Duration::from_millis(500);

/// Asks the configured endpoints over HTTP.
pub struct HttpModel {
    endpoints: Vec<Endpoint>,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

impl HttpModel {
    /// A client for these endpoints, asked in this order.
    ///
    /// # Errors
    /// [`SetupError`] of the first endpoint that cannot be used.
    pub fn new(setups: &[EndpointSetup], limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let endpoints = setups.iter().map(|setup| Endpoint::new(setup, &limits)).collect::<Result<_, _>>()?;
        Ok(Self { endpoints, limits, clock })
    }

    fn time_for(&self, task: ModelTask) -> Duration {
        match task {
            ModelTask::Classify => self.limits.classify,
            ModelTask::Answer
            | ModelTask::Title
            | ModelTask::Draft
            | ModelTask::Summary
            | ModelTask::Rewrite
            | ModelTask::Probe => self.limits.total,
        }
    }
}

/// Tokens and cost of attempts that came to nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Lost {
    usage: ModelUsage,
    cost: u64,
}

impl Lost {
    fn add(&mut self, failure: &Failure) {
        self.usage = sum(self.usage, failure.usage);
        self.cost = self.cost.saturating_add(failure.cost);
    }
}

fn sum(a: ModelUsage, b: ModelUsage) -> ModelUsage {
    ModelUsage {
        prompt: a.prompt.saturating_add(b.prompt),
        completion: a.completion.saturating_add(b.completion),
        estimated: a.estimated || b.estimated,
    }
}

#[async_trait::async_trait]
impl ModelClient for HttpModel {
    async fn ask(&self, request: &ModelRequest, on_text: &mut OnText<'_>) -> Result<ModelReply, ModelFailure> {
        let began = Instant::now();
        let deadline = began + self.time_for(request.task);
        let mut lost = Lost::default();
        let mut may_repeat = true;
        let mut told: Option<(Failure, &str)> = None;
        let mut at = 0;
        while let Some(endpoint) = self.endpoints.get(at) {
            let others = self.endpoints.get(at + 1..).unwrap_or_default().iter().any(Endpoint::ready);
            let left = deadline.saturating_duration_since(Instant::now());
            // What is not streamed says nothing until it is whole: it may take half of what is left.
            let first = if request.stream { self.limits.first_content } else { left / 2 };
            let first = others.then(|| (Instant::now() + first).min(deadline));
            let mut handed_out = false;
            let mut on_piece = |piece: &str| {
                handed_out = true;
                on_text(piece);
            };
            let called = endpoint.call(request, &self.limits, Times { deadline, first }, &mut on_piece).await;
            let failure = match called {
                Ok(answered) => {
                    let usage = sum(answered.usage, lost.usage);
                    return Ok(ModelReply {
                        cost_micro_yuan: endpoint.cost(answered.usage).saturating_add(lost.cost),
                        text: answered.text,
                        finish: answered.finish,
                        usage,
                        endpoint: endpoint.name.clone(),
                        model: answered.model.unwrap_or_default(),
                        first_ms: (answered.first - began).as_millis() as u64,
                        total_ms: began.elapsed().as_millis() as u64,
                    });
                }
                Err(failure) => failure,
            };
            lost.add(&failure);
            let left = deadline.saturating_duration_since(Instant::now());
            let again = failure.again.filter(|pause| may_repeat && left >= *pause + WORTH_TRYING);
            let next = failure.next;
            // What an endpoint said tells more than that another one was not asked.
            let says_little = matches!(failure.kind, ModelFailureKind::Open | ModelFailureKind::Busy);
            if told.is_none() || !says_little {
                told = Some((failure, &endpoint.name));
            }
            if handed_out || !next || left.is_zero() {
                break;
            }
            if let Some(pause) = again {
                may_repeat = false;
                sleep(pause).await;
            } else {
                at += 1;
            }
        }
        let (failure, name) = told.unwrap_or_else(|| (Failure::new(ModelFailureKind::Unconfigured, "no endpoint"), ""));
        Err(Failure { usage: lost.usage, cost: lost.cost, ..failure }.told(name))
    }

    fn endpoints(&self) -> Vec<EndpointState> {
        let now_ms = self.clock.now().as_millisecond();
        self.endpoints.iter().map(|endpoint| endpoint.state(now_ms)).collect()
    }
}
