//! The JSON API. Every file of an area has a `routes()` list and its request and response shapes.

pub mod admin;
pub mod attachments;
pub mod case_help_view;
pub mod case_list_view;
pub mod case_view;
pub mod cases;
pub mod chat;
pub mod conversation_view;
pub mod conversations;
pub mod deputies;
pub mod desk_view;
pub mod me;
pub mod model;
pub mod notices;
pub mod openapi;
mod openapi_strict;
pub mod proposal;
pub mod stream;
pub mod suggestions;
pub mod track;
pub mod track_view;
pub mod undelivered;
