//! Regions that rules may be limited to: administrative code, name, and what else people call them.
//!
//! They stand in the rule files (`[regions]`); a folder without any has the built-in ones.

use std::collections::{BTreeMap, HashMap};

use super::file::RawRegion;
use crate::domain::text;

/// Regions of a folder that names none.
const BUILT_IN: &[(&str, &[&str])] = &[
    ("320000", &["江苏省"]),
    ("321300", &["宿迁市", "宿迁"]),
    ("321302", &["宿城区"]),
    ("321311", &["宿豫区", "宿豫"]),
    ("321322", &["沭阳县", "沭阳"]),
    ("321323", &["泗阳县", "泗阳"]),
    ("321324", &["泗洪县", "泗洪"]),
    ("330000", &["浙江省"]),
    ("330200", &["宁波市", "宁波"]),
    ("330225", &["象山县", "象山", "石浦"]),
    ("350000", &["福建省", "福建"]),
    ("350100", &["福州市", "福州"]),
    ("350128", &["平潭县", "平潭"]),
    ("350200", &["厦门市", "厦门"]),
    ("350300", &["莆田市", "莆田"]),
    ("350400", &["三明市", "三明"]),
    ("350500", &["泉州市", "泉州"]),
    ("350600", &["漳州市", "漳州"]),
    ("350700", &["南平市", "南平"]),
    ("350702", &["延平区"]),
    ("350703", &["建阳区", "建阳"]),
    ("350781", &["邵武市", "邵武"]),
    ("350782", &["武夷山市", "武夷山"]),
    ("350783", &["建瓯市", "建瓯"]),
    ("350800", &["龙岩市", "龙岩"]),
    ("350900", &["宁德市", "宁德"]),
];

/// The regions of a rule set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Regions {
    names: BTreeMap<String, String>,
    by_word: HashMap<String, String>,
}

impl Regions {
    pub(super) fn of(raw: &[RawRegion]) -> Self {
        let mut regions = Self::default();
        for region in raw {
            regions.add(&region.code, region.names.iter().map(String::as_str));
        }
        if raw.is_empty() {
            for (code, names) in BUILT_IN {
                regions.add(code, names.iter().copied());
            }
        }
        regions
    }

    fn add<'a>(&mut self, code: &str, names: impl Iterator<Item = &'a str>) {
        for (n, name) in names.enumerate() {
            if n == 0 {
                self.names.insert(code.to_owned(), name.to_owned());
            }
            let word = text::normalised(name);
            // A province in full is mostly somebody's origin and names no place of the matter.
            if word.chars().count() > 1 && (n > 0 || !code.ends_with("0000")) {
                self.by_word.entry(word).or_insert_with(|| code.to_owned());
            }
        }
    }

    /// Every word that names one, in normal form.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.by_word.keys().cloned().collect();
        words.sort();
        words
    }

    /// The code of the region that a word in normal form names.
    pub(super) fn code(&self, word: &str) -> Option<&str> {
        self.by_word.get(word).map(String::as_str)
    }

    /// The name of a code.
    pub(super) fn name(&self, code: &str) -> Option<&str> {
        self.names.get(code).map(String::as_str)
    }

    /// The words without every name of a region, the longer names first.
    pub(super) fn removed_from(&self, words: &str) -> String {
        let mut names: Vec<&str> = self.by_word.keys().chain(self.names.values()).map(String::as_str).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.into_iter().fold(words.to_owned(), |rest, name| rest.replace(name, ""))
    }

    /// Codes of the regions named in words in normal form.
    pub(super) fn named_in(&self, words: &str) -> Vec<&str> {
        let by_word = self.by_word.iter().filter(|(word, _)| words.contains(word.as_str())).map(|(_, code)| code);
        let by_name = self.names.iter().filter(|(code, name)| words == *code || words.contains(name.as_str()));
        by_word.chain(by_name.map(|(code, _)| code)).map(String::as_str).collect()
    }
}
