//! Wire formats of other systems: what comes in and goes out besides our own pages.

pub mod webhook;
pub mod wechat;
