//! `cargo +nightly fuzz run wechat_reply`
#![no_main]

#[path = "../../tests/it/wechat_probe.rs"]
mod probe;

libfuzzer_sys::fuzz_target!(|data: &[u8]| probe::say(data));
