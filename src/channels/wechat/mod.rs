//! WeChat's wire formats: signatures and encryption, envelopes, messages and events, passive replies, the API.
//!
//! Nothing here decides what is answered; nothing here touches the database.

pub mod api;
pub mod cut;
