//! Work beside requests: one file per job, each `run_once`, idempotent and decided from stored rows alone.

pub mod checkpoint;
pub mod conversations;
pub mod model;
pub mod outbox;
pub mod proposals;
pub mod retention;
pub mod runner;
pub mod sla_sweep;
pub mod wechat_out;
