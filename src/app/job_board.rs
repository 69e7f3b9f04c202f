//! What the background jobs last did: for the administration page, `/metrics` and `/readyz`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

/// The last run of one job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobStatus {
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it last ended well.
    pub succeeded_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What it did, in one line for an operator.
    pub summary: String,
    /// Why it failed, if the last run did.
    pub error: Option<String>,
    /// Runs since the start.
    pub runs: u64,
    /// Failures since the start.
    pub failures: u64,
}

/// One status per job.
#[derive(Debug, Default)]
pub struct JobBoard(Mutex<BTreeMap<&'static str, JobStatus>>);

impl JobBoard {
    /// Notes that a job begins.
    pub fn begin(&self, job: &'static str, now: Timestamp) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let status = board.entry(job).or_default();
        status.started_at = Some(now);
        status.runs += 1;
    }

    /// Notes how it ended.
    pub fn end(&self, job: &'static str, now: Timestamp, took_ms: u64, result: Result<String, String>) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let status = board.entry(job).or_default();
        status.took_ms = took_ms;
        match result {
            Ok(summary) => {
                status.succeeded_at = Some(now);
                status.summary = summary;
                status.error = None;
            }
            Err(error) => {
                status.failures += 1;
                status.error = Some(error);
            }
        }
    }

    /// All jobs by name.
    pub fn all(&self) -> BTreeMap<&'static str, JobStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
