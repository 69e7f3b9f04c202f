//! WeChat's wire formats: signatures and encryption, envelopes, messages and events, passive replies, the API.
//!
//! Nothing here decides what is answered; nothing here touches the database.

pub mod api;
pub mod crypto;
pub mod cut;
pub mod envelope;
pub mod inbound;
pub mod reply;

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The signature is missing or wrong, or what it covers cannot be read: one answer for all of it, so that nobody
    /// learns which.
    #[error("forged or unreadable")]
    Forged,
    /// The request is no message of the platform.
    #[error("malformed")]
    Malformed,
}
