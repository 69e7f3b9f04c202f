//! The compiled set: rules plus everything needed to match them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    engine::Conditions,
    likeness::Likeness,
    matcher::{Matcher, Scratch, Slot},
    model::{Rule, RuleKind, Status},
    regions::Regions,
};
use crate::domain::kinds::CaseType;

/// A checked, immutable set of rules, shared by all conversations.
#[derive(Debug, Clone)]
pub struct RuleSet {
    pub(super) rules: Vec<Rule>,
    pub(super) conditions: Vec<Conditions>,
    /// Number of the topic of each rule, in `topics`.
    pub(super) rule_topics: Vec<Option<u16>>,
    pub(super) topics: Vec<Topic>,
    pub(super) matcher: Arc<Matcher>,
    pub(super) likeness: Arc<Likeness>,
    pub(super) type_likeness: Arc<Likeness>,
    pub(super) regions: Arc<Regions>,
    by_id: HashMap<String, usize>,
    triggers: Triggers,
    hash: Arc<str>,
}

/// A topic that rules speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) code: String,
    /// Number of its group.
    pub(super) group: u16,
    /// The type that matters of this topic have unless rules say otherwise.
    pub(super) case_type: Option<CaseType>,
}

/// The rules that are evaluated when a slot is hit: rules of slot `n` are `rules[from[n]..from[n + 1]]`.
///
/// Each rule hangs on the slot among its `all` that the fewest rules need, or on each of its `any`. The more
/// rules there are, the more that choice spares.
#[derive(Debug, Clone, Default)]
struct Triggers {
    from: Vec<u32>,
    rules: Vec<u32>,
}

/// The parts of a set, as compiled.
pub(super) struct Parts {
    pub(super) rules: Vec<Rule>,
    pub(super) conditions: Vec<Conditions>,
    pub(super) rule_topics: Vec<Option<u16>>,
    pub(super) topics: Vec<Topic>,
    pub(super) matcher: Matcher,
    pub(super) likeness: Likeness,
    pub(super) type_likeness: Likeness,
    pub(super) regions: Regions,
    pub(super) hash: String,
}

impl RuleSet {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { rules, conditions, rule_topics, topics, matcher, likeness, type_likeness, regions, hash } = parts;
        let by_id = rules.iter().enumerate().map(|(n, rule)| (rule.id.clone(), n)).collect();
        let triggers = Triggers::new(&conditions);
        let (matcher, likeness, type_likeness) = (Arc::new(matcher), Arc::new(likeness), Arc::new(type_likeness));
        Self {
            rules,
            conditions,
            rule_topics,
            topics,
            matcher,
            likeness,
            type_likeness,
            regions: Arc::new(regions),
            by_id,
            triggers,
            hash: hash.into(),
        }
    }

    /// Content hash of the files that the set was compiled from, hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub(super) fn shared_hash(&self) -> Arc<str> {
        Arc::clone(&self.hash)
    }

    /// All rules in file order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule with this id.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.by_id.get(id).and_then(|&n| self.rules.get(n))
    }

    /// The number of a rule by its id.
    pub(super) fn number(&self, id: &str) -> Option<u32> {
        self.by_id.get(id).map(|&n| n as u32)
    }

    /// The name of a region by its administrative code.
    pub fn region_name(&self, code: &str) -> Option<&str> {
        self.regions.name(code)
    }

    /// Codes of the regions that are named in words in normal form, by whatever name.
    pub fn regions_in(&self, words: &str) -> Vec<&str> {
        self.regions.named_in(words)
    }

    /// The words without the names of regions, by whatever name.
    pub fn without_regions(&self, words: &str) -> String {
        self.regions.removed_from(words)
    }

    /// Takes rules out of service; for a start without a good set.
    pub fn silence(&mut self, ids: &BTreeSet<String>) {
        for (rule, conditions) in self.rules.iter_mut().zip(&mut self.conditions) {
            if ids.contains(&rule.id) {
                conditions.matchable = false;
                rule.status = Status::Draft;
            }
        }
    }

    /// Scans a message and collects the rules that are worth evaluating, in rule order.
    pub(super) fn scan(&self, text: &str, scratch: &mut Scratch) {
        self.matcher.scan(text, scratch);
        let epoch = scratch.epoch();
        if scratch.rule_epochs.len() < self.rules.len() {
            scratch.rule_epochs.resize(self.rules.len(), 0);
        }
        let mut triggered = std::mem::take(&mut scratch.triggered);
        for &slot in &scratch.live {
            for &rule in self.triggers.of(slot) {
                if let Some(seen) = scratch.rule_epochs.get_mut(rule as usize)
                    && *seen != epoch
                {
                    *seen = epoch;
                    triggered.push(rule);
                }
            }
        }
        triggered.sort_unstable();
        scratch.triggered = triggered;
    }
}

impl Triggers {
    fn new(conditions: &[Conditions]) -> Self {
        let mut needed: HashMap<Slot, u32> = HashMap::new();
        for slot in conditions.iter().flat_map(|c| c.all.iter()) {
            *needed.entry(*slot).or_default() += 1;
        }
        let mut pairs: Vec<(Slot, u32)> = Vec::new();
        for (rule, conditions) in conditions.iter().enumerate().filter(|(_, c)| c.matchable) {
            let rarest = conditions.all.iter().min_by_key(|slot| needed.get(slot).copied().unwrap_or(0));
            match rarest {
                Some(&slot) => pairs.push((slot, rule as u32)),
                None => pairs.extend(conditions.any.iter().map(|&slot| (slot, rule as u32))),
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let slots = pairs.last().map_or(0, |pair| pair.0 as usize + 1);
        let mut from = Vec::with_capacity(slots + 1);
        let mut rules = Vec::with_capacity(pairs.len());
        for slot in 0..slots {
            from.push(rules.len() as u32);
            while let Some(&(at, rule)) = pairs.get(rules.len())
                && at as usize == slot
            {
                rules.push(rule);
            }
        }
        from.push(rules.len() as u32);
        Self { from, rules }
    }

    fn of(&self, slot: Slot) -> &[u32] {
        let at = |n: usize| self.from.get(n).copied().unwrap_or(self.rules.len() as u32) as usize;
        self.rules.get(at(slot as usize)..at(slot as usize + 1)).unwrap_or(&[])
    }
}

/// Whether rules of this kind take part in deciding what a matter is about.
pub(super) const fn speaks_of_topics(kind: RuleKind) -> bool {
    match kind {
        RuleKind::Topic | RuleKind::Answer => true,
        RuleKind::Type | RuleKind::Urgency | RuleKind::Command | RuleKind::Diversion | RuleKind::Smalltalk => false,
    }
}
