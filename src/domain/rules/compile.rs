//! From rule files to a checked [`RuleSet`].

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::civil::Date;
use sha2::{Digest as _, Sha256};

use super::{diagnostic::Diagnostic, set::RuleSet};
use crate::domain::kinds::CaseType;

/// A rule file as the loader read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path relative to the rules directory, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What the rules need to know about a topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicInfo {
    /// Name shown to people.
    pub label: String,
    /// Group name, such as 政策.
    pub group: String,
    /// The case type a matter of this topic has unless rules say otherwise.
    pub case_type: Option<CaseType>,
}

/// What rule files may refer to.
#[derive(Debug, Clone)]
pub struct CompileEnv {
    /// Known topics by code; empty switches the check off.
    pub topics: BTreeMap<String, TopicInfo>,
    /// Known units: slug to every name it goes by (name, short name, aliases); empty switches the check off.
    pub units: BTreeMap<String, Vec<String>>,
    /// Today in the configured zone.
    pub today: Date,
    /// Hosts that citations may point to, with their subdomains; empty allows all.
    pub allowed_domains: Vec<String>,
}

impl CompileEnv {
    /// An environment that knows no topics, units and hosts and therefore does not check them.
    pub fn lenient(today: Date) -> Self {
        Self {
            topics: BTreeMap::new(),
            units: BTreeMap::new(),
            today,
            allowed_domains: Vec::new(),
        }
    }
}

/// The outcome of compiling: the usable rules and what was found.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The set without the rules that have errors; `None` when not even that could be built.
    pub set: Option<RuleSet>,
    /// Findings in file order. Whether errors refuse the whole set is the loader's decision.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses and checks rule files. Broken rules are left out and reported.
pub fn compile(files: &[SourceFile], env: &CompileEnv) -> Compiled {
    let _ = env;
    Compiled {
        set: Some(RuleSet::new(Vec::new(), content_hash(files))),
        diagnostics: Vec::new(),
    }
}

/// SHA-256 over paths and texts, independent of the order in which the loader found the files.
fn content_hash(files: &[SourceFile]) -> String {
    let mut sorted: Vec<&SourceFile> = files.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let mut hasher = Sha256::new();
    for file in sorted {
        hasher.update((file.path.len() as u64).to_le_bytes());
        hasher.update(file.path.as_bytes());
        hasher.update((file.text.len() as u64).to_le_bytes());
        hasher.update(file.text.as_bytes());
    }
    hasher
        .finalize()
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
