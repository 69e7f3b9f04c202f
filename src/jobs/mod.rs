//! Work beside requests: one file per job, each idempotent and decided from stored rows.

pub mod outbox;
