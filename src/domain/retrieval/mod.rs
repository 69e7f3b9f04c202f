//! Finds the rules whose answers are nearest to some words: an index in memory over the answer rules of a set,
//! built anew whenever the set changes.
//!
//! What it finds is only ever shown as titles to choose from, as help for officers, or as sources that are checked
//! afterwards; scores of right and wrong finds overlap, so nothing found here is an answer by itself (RULES 3).
//! Dates, channel and area are checked when somebody asks, so a set that stands for a year never offers what has
//! run out.

mod postings;
mod terms;

use std::sync::Arc;

use jiff::civil::Date;

use self::{
    postings::{Builder, Postings},
    terms::{Key, Kind, MAX_CHARS},
};
use crate::domain::{
    kinds::Channel,
    rules::{AnswerMode, Citation, Dictionary, Rule, RuleKind, RuleSet, Status, Wanted},
    text,
};

/// Titles shown as “您是不是想问”.
pub const MAX_SUGGESTIONS: usize = 3;

/// Who asks, where and when.
#[derive(Debug, Clone, Copy)]
pub struct Filter<'a> {
    /// Today in the configured zone.
    pub today: Date,
    /// Administrative code; without one, rules that are limited to areas are left out.
    pub region: Option<&'a str>,
    /// Channel; without one, rules of all channels are found.
    pub channel: Option<Channel>,
    /// Also answers that only officers may see.
    pub drafts: bool,
}

/// An entry that was found.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The rule.
    pub rule_id: Arc<str>,
    /// Its title.
    pub title: Arc<str>,
    /// Its sources.
    pub citations: Arc<[Citation]>,
    /// How near it is; comparable within one search only.
    pub score: f32,
    /// Share of the characters that mean something which the entry knows, 0 to 1.
    pub coverage: f32,
    /// Share of the sets of words that the rule needs (`all`) which occur, 0 to 1.
    pub anchored: f32,
    /// Whether a word occurs that the rule excludes (`none`).
    pub excluded: bool,
}

/// The index of a rule set.
#[derive(Debug, Clone)]
pub struct Index {
    entries: Vec<Entry>,
    postings: Postings,
    dictionary: Dictionary,
}

#[derive(Debug, Clone)]
struct Entry {
    rule_id: Arc<str>,
    title: Arc<str>,
    citations: Arc<[Citation]>,
    valid_from: Option<Date>,
    valid_until: Option<Date>,
    channels: Box<[Channel]>,
    areas: Box<[String]>,
    draft: bool,
    needed: Box<[u32]>,
    excluded: Box<[u32]>,
}

/// The terms of a query, each with the characters that it stands on.
#[derive(Debug, Default)]
struct Query {
    terms: Vec<(u32, Kind, Span)>,
    /// Sets of words that occur, ascending.
    words: Vec<u32>,
    content: Span,
}

/// Weights of the parts of an entry.
mod weight {
    /// The title.
    pub(super) const TITLE: f32 = 3.0;
    /// Each of the ways in which people ask (the rule's own examples).
    pub(super) const VARIANT: f32 = 1.0;
    /// Words that the rule needs.
    pub(super) const NEEDED: f32 = 4.0;
    /// Words of which one is needed.
    pub(super) const ONE_OF: f32 = 2.0;
    /// The answer, and the names and articles of its sources.
    pub(super) const BODY: f32 = 0.3;
}

impl Index {
    /// Builds the index of all active answer rules.
    pub fn build(rules: &RuleSet) -> Self {
        let dictionary = rules.dictionary();
        let mut builder = Builder::default();
        let mut entries = Vec::new();
        for (position, rule) in rules.rules().iter().enumerate() {
            let (Some(answer), Some(wanted)) = (rule.answer.as_ref(), rules.wanted(position)) else { continue };
            if rule.kind != RuleKind::Answer || rule.status != Status::Active {
                continue;
            }
            collect(&mut builder, rule, wanted, &dictionary);
            builder.close();
            let sorted = |sets: &[u32]| -> Box<[u32]> {
                let mut sets = sets.to_vec();
                sets.sort_unstable();
                sets.into()
            };
            entries.push(Entry {
                rule_id: rule.id.as_str().into(),
                title: rule.title.as_str().into(),
                citations: Arc::clone(&rule.citations),
                valid_from: rule.valid_from,
                valid_until: rule.valid_until,
                channels: rule.channels.clone().into(),
                areas: rules.area_prefixes(position).into(),
                draft: answer.mode == AnswerMode::Draft,
                needed: sorted(wanted.all),
                excluded: sorted(wanted.none),
            });
        }
        Self { entries, postings: builder.build(), dictionary }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing to find.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries nearest to some words, the nearest first.
    pub fn search(&self, words: &str, filter: &Filter<'_>, limit: usize) -> Vec<Hit> {
        let query = self.query(words);
        if limit == 0 || query.terms.is_empty() {
            return Vec::new();
        }
        let mut scores = vec![0.0_f32; self.entries.len()];
        for (number, _, _) in &query.terms {
            self.postings.score(*number, &mut scores);
        }
        // A few more than asked for: what a rule excludes or lacks may change the order.
        let kept = limit.saturating_mul(2).max(8);
        let mut best: Vec<(f32, usize)> = Vec::with_capacity(kept + 1);
        for (n, &score) in scores.iter().enumerate() {
            let floor = if best.len() < kept { 0.0 } else { best.last().map_or(0.0, |b| b.0) };
            if score > floor && self.entries.get(n).is_some_and(|entry| entry.is_open(filter)) {
                let at = best.partition_point(|b| b.0 >= score);
                best.insert(at, (score, n));
                best.truncate(kept);
            }
        }
        let mut hits: Vec<Hit> =
            best.into_iter().filter_map(|(score, n)| Some(self.hit(&query, self.entries.get(n)?, n, score))).collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.rule_id.cmp(&b.rule_id)));
        hits.truncate(limit);
        hits
    }

    fn hit(&self, query: &Query, entry: &Entry, n: usize, score: f32) -> Hit {
        let mut known = Span::default();
        for (number, _, span) in &query.terms {
            if self.postings.adds(*number, n as u32) > 0.0 {
                known.join(*span);
            }
        }
        let occurs = |set: &u32| query.words.binary_search(set).is_ok();
        let present = entry.needed.iter().filter(|set| occurs(set)).count();
        let anchored = if entry.needed.is_empty() { 0.5 } else { present as f32 / entry.needed.len() as f32 };
        let excluded = entry.excluded.iter().any(occurs);
        let coverage = known.share_of(query.content);
        let score = score * (1.0 + ANCHOR_BONUS * anchored) * if excluded { EXCLUDED } else { 1.0 };
        Hit {
            rule_id: Arc::clone(&entry.rule_id),
            title: Arc::clone(&entry.title),
            citations: Arc::clone(&entry.citations),
            score,
            coverage,
            anchored,
            excluded,
        }
    }

    fn query(&self, words: &str) -> Query {
        let normal: String = text::normalised(words).chars().take(MAX_CHARS).collect();
        let mut query = Query::default();
        for (n, c) in normal.chars().enumerate() {
            if terms::is_content(c) {
                query.content.add(n, n + 1);
            }
        }
        terms::each(&normal, Some(&self.dictionary), true, |key, first, last| {
            if let Some(set) = key.set() {
                query.words.push(set);
            }
            let Some(number) = self.postings.number(key) else { return };
            let mut span = Span::default();
            span.add(first, last);
            query.terms.push((number, key.kind(), span));
        });
        query.words.sort_unstable();
        query.words.dedup();
        query.terms.sort_unstable_by_key(|t| t.0);
        query.terms.dedup_by(|b, a| {
            let same = a.0 == b.0;
            if same {
                a.2.join(b.2);
            }
            same
        });
        query
    }
}

/// How much the words that a rule needs add to the score when all occur, and what is left of it when a word occurs
/// that the rule excludes.
const ANCHOR_BONUS: f32 = 0.3;
const EXCLUDED: f32 = 0.8;

impl Entry {
    fn is_open(&self, filter: &Filter<'_>) -> bool {
        let in_time = self.valid_from.is_none_or(|from| from <= filter.today)
            && self.valid_until.is_none_or(|until| filter.today <= until);
        let in_area = self.areas.is_empty()
            || filter.region.is_some_and(|code| self.areas.iter().any(|area| code.starts_with(area.as_str())));
        let in_channel = self.channels.is_empty() || filter.channel.is_none_or(|c| self.channels.contains(&c));
        in_time && in_area && in_channel && (filter.drafts || !self.draft)
    }
}

fn collect(builder: &mut Builder, rule: &Rule, wanted: Wanted<'_>, dictionary: &Dictionary) {
    let mut add = |text: &str, weight: f32, sounds: bool, words: bool| {
        let normal = text::normalised(text);
        terms::each(&normal, words.then_some(dictionary), sounds, |key, _, _| builder.add(key, weight));
    };
    add(&rule.title, weight::TITLE, true, true);
    for variant in &rule.tests.matches {
        add(variant, weight::VARIANT, true, true);
    }
    if let Some(answer) = &rule.answer {
        add(&answer.text, weight::BODY, false, false);
        add(answer.plain.as_deref().unwrap_or_default(), weight::BODY, false, false);
    }
    for citation in rule.citations.iter() {
        add(&citation.title, weight::BODY, false, false);
        add(citation.clause.as_deref().unwrap_or_default(), weight::BODY, false, false);
    }
    for (sets, weight) in [(wanted.all, weight::NEEDED), (wanted.any, weight::ONE_OF)] {
        for &set in sets {
            builder.add(Key::word(set), weight);
        }
    }
}

/// Some characters of a query, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Span([u64; MAX_CHARS / 64]);

impl Span {
    fn add(&mut self, first: usize, last: usize) {
        for n in first..last {
            if let Some(word) = self.0.get_mut(n / 64) {
                *word |= 1 << (n % 64);
            }
        }
    }

    fn join(&mut self, other: Self) {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
    }

    /// Share of the characters of `whole` that are in this one.
    fn share_of(self, whole: Self) -> f32 {
        let count: u32 = whole.0.iter().map(|w| w.count_ones()).sum();
        let inside: u32 = self.0.iter().zip(whole.0).map(|(a, b)| (a & b).count_ones()).sum();
        if count == 0 { 0.0 } else { inside as f32 / count as f32 }
    }
}
