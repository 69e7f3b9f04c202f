//! The JSON API. Every file of an area has a `routes()` list and its request and response shapes.

pub mod case_view;
pub mod cases;
pub mod chat;
pub mod conversations;
pub mod me;
pub mod stream;
pub mod track;
