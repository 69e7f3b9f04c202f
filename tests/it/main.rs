//! One integration binary: one module per use case or surface.

mod access;
mod bodies;
mod browser;
mod cases;
mod chat;
mod classify;
mod conversations;
mod desk;
mod disk;
mod durability;
mod forms;
mod gateways;
mod main_path;
mod markup;
mod matrix;
mod notices;
mod pages;
mod retrieval;
mod rules;
mod sla;
mod support;
mod tidy;
mod upkeep;
mod wechat;
mod wechat_api;
mod wechat_kf;
