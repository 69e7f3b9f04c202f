//! The web edge: pages for people, the JSON API, static files. A handler only translates.

pub mod static_files;
