//! Use cases, one file each: load, authorise, decide, save, commit, wake.

pub mod content;
