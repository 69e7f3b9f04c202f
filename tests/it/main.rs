//! One integration binary: one module per use case or surface.

mod access;
mod browser;
mod cases;
mod chat;
mod classify;
mod conversations;
mod durability;
mod main_path;
mod notices;
mod pages;
mod retrieval;
mod rules;
mod sla;
mod support;
mod tidy;
mod upkeep;
