//! The edge towards browsers and front ends: pages and the JSON API. Handlers translate: extract, call one use case,
//! choose a view.

pub mod admin;
pub mod admin_model;
pub mod api;
pub mod auth;
pub mod chat;
pub mod desk;
pub mod error;
pub mod extract;
pub mod faults;
pub mod health;
pub mod login;
pub mod page_error;
mod qr;
pub mod router;
pub mod serve;
pub mod site;
pub mod static_files;
pub mod track;
pub mod track_page;
pub mod view;
pub mod wechat;
pub mod wechat_pages;
