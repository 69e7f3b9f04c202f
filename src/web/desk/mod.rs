//! The officers' desk: list, conversation, case. First paint comes from the server; live parts use the staff API.

pub mod forms;
pub mod pages;
