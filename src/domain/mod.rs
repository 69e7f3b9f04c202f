//! The pure core: no I/O, no clock, no randomness, no async.
//!
//! Functions take `now`; they return decisions and do not perform them.

pub mod access;
pub mod case;
pub mod dialogue;
pub mod grounding;
pub mod ids;
pub mod kinds;
pub mod notice;
pub mod promise;
pub mod prompts;
pub mod retrieval;
pub mod routing;
pub mod rules;
pub mod sla;
pub mod suggestion;
pub mod taxonomy;
pub mod text;
