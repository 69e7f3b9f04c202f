//! The client of WeChat's servers against a stand-in that fails in every way they do.

mod client;
mod delivery;
mod kill;
pub(crate) mod platform;
