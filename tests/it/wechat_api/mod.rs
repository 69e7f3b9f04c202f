//! The client of WeChat's servers against a stand-in that fails in every way they do.

mod client;
mod delivery;
mod kill;
mod notices;
pub(crate) mod platform;
