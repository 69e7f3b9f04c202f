//! The probes of WeChat's wire formats on random bytes, on the fuzzer's seeds and on damaged copies of them.

use std::{fs, path::PathBuf};

use proptest::{collection::vec, prelude::*};

use crate::wechat_probe::{envelope, say};

/// The seeds of a fuzz target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(folder).expect("the seeds").flatten();
    files.map(|file| fs::read(file.path()).expect("a seed")).collect()
}

#[test]
fn every_seed_holds_whole_cut_short_and_with_a_byte_changed() {
    type Probe = fn(&[u8]);
    for (target, probe) in [("wechat_envelope", envelope as Probe), ("wechat_reply", say as Probe)] {
        let seeds = seeds(target);
        assert!(seeds.len() >= 5, "{target}");
        for seed in seeds {
            probe(&seed);
            let step = (seed.len() / 40).max(1);
            for at in (0..seed.len()).step_by(step) {
                probe(&seed[..at]);
                for byte in [0, b'<', b'&', b'"', 0xFF] {
                    let mut damaged = seed.clone();
                    damaged[at] = byte;
                    probe(&damaged);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_opened_or_refused(data in vec(any::<u8>(), 0..1_500)) {
        envelope(&data);
    }

    #[test]
    fn anything_like_xml_or_json_is_opened_or_refused(
        data in "(<xml>|</xml>|<[A-Z][a-z]{0,4}>|</[A-Z][a-z]{0,4}>|<!\\[CDATA\\[|\\]\\]>|&[a-z#0-9]{0,4};|<!DOCTYPE x|\\{|\\}|\\[|\\]|\"[A-Za-z]{0,9}\"|:|,|\\PC){0,60}"
    ) {
        envelope(data.as_bytes());
    }

    #[test]
    fn any_bytes_are_said(data in vec(any::<u8>(), 0..6_000)) {
        say(&data);
    }
}
