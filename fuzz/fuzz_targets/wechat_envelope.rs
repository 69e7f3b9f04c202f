//! `cargo +nightly fuzz run wechat_envelope`
#![no_main]

#[path = "../../tests/it/wechat_probe.rs"]
mod probe;

libfuzzer_sys::fuzz_target!(|data: &[u8]| probe::envelope(data));
