//! Zhitong 直通 · 涉企诉求智能接办网关.
//!
//! The library behind the `zhitong` binary. `domain` is the pure core (rules, dialogue, cases, clocks);
//! `store` is the only place with SQL; `app` holds the use cases; `web`, `channels`, `jobs` and `cli` are edges.
//! Who may import whom is checked by `tests/it/tidy.rs`.

pub mod app;
pub mod channels;
pub mod cli;
pub mod config;
pub mod domain;
pub mod jobs;
pub mod model;
pub mod ports;
pub mod store;
pub mod web;
