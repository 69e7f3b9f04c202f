//! The words of a rule set as a dictionary of its own: which sets of words (synonym groups, single words) occur in
//! a text, and which sets a rule asks for.
//!
//! It shares the automaton of the set, so it costs no memory beyond a pointer. It knows nothing of clauses, negation
//! or priorities; those are the business of deciding, not of finding what is near.

use std::sync::Arc;

use super::{
    RuleSet,
    matcher::{Matcher, Slot},
};

/// The words of a rule set.
#[derive(Debug, Clone)]
pub struct Dictionary {
    matcher: Arc<Matcher>,
}

/// The sets of words that a rule asks for, by their number.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Each must occur.
    pub all: &'a [Slot],
    /// One must occur.
    pub any: &'a [Slot],
    /// None may occur.
    pub none: &'a [Slot],
}

impl Dictionary {
    /// Reports every set of which a word occurs in a text in normal form: number of the set, first byte of the word,
    /// first byte behind it. Words may overlap, and a word may stand in several sets.
    pub fn find(&self, text: &str, mut found: impl FnMut(Slot, usize, usize)) {
        self.matcher.find_words(text, |slot, start, end| {
            if !self.matcher.is_no_word(slot) {
                found(slot, start, end);
            }
        });
    }
}

impl RuleSet {
    /// The words of the set.
    pub fn dictionary(&self) -> Dictionary {
        Dictionary { matcher: Arc::clone(&self.matcher) }
    }

    /// What the rule with this position in [`RuleSet::rules`] asks for.
    pub fn wanted(&self, position: usize) -> Option<Wanted<'_>> {
        let conditions = self.conditions.get(position)?;
        Some(Wanted { all: &conditions.all, any: &conditions.any, none: &conditions.none })
    }

    /// The areas of the rule with this position, without the trailing zeros of higher levels: 3505 covers 350505.
    pub fn area_prefixes(&self, position: usize) -> &[String] {
        self.conditions.get(position).map_or(&[], |conditions| &conditions.areas)
    }
}
