//! The JSON API. Every file of an area has a `routes()` list and its request and response shapes.

pub mod me;
