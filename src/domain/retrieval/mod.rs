//! Finds the rules whose answers are nearest to some words: an index in memory over the answer rules of a set,
//! built anew whenever the set changes.
//!
//! What it finds is only ever shown as titles to choose from, as help for officers, or as sources that are checked
//! afterwards; scores of right and wrong finds overlap, so nothing found here is an answer by itself (RULES 3).
//! Dates, channel and area are checked when somebody asks, so a set that stands for a year never offers what has
//! run out.

mod likeness;
mod postings;
mod terms;

use std::sync::Arc;

use jiff::civil::Date;

pub use self::likeness::likeness;
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

/// Answers handed to a model as sources.
pub const MAX_SOURCES: usize = 4;

/// Share of what the words tell that a source knows at least. A model that finds no answer in what is a little further
/// off says so; it is not shown to anybody.
const SOURCE_COVERAGE: f32 = 0.5;

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
    /// Share of what the words tell that the entry knows, 0 to 1; a word that no entry knows tells most.
    pub coverage: f32,
    /// Near enough to be offered to somebody who did not ask for it.
    pub near: bool,
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
    terms: Vec<(u32, Span)>,
    /// Sets of words that occur, ascending.
    words: Vec<u32>,
    /// How much each character tells; nothing for words of courtesy and grammar.
    tells: Vec<f32>,
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
        for (number, _) in &query.terms {
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

    /// Titles to offer when nothing was answered (您是不是想问), the nearest first; none when nothing is near.
    pub fn suggest(&self, words: &str, filter: &Filter<'_>) -> Vec<Hit> {
        let mut hits = self.search(words, filter, MAX_SUGGESTIONS);
        let floor = hits.first().map_or(0.0, |best| best.score * BESIDE_THE_BEST);
        hits.retain(|hit| hit.near && hit.score >= floor);
        hits
    }

    /// Answers that a model may write from, the nearest first; none when nothing is near enough.
    pub fn sources(&self, words: &str, filter: &Filter<'_>) -> Vec<Hit> {
        let mut hits = self.search(words, filter, MAX_SOURCES);
        let floor = hits.first().map_or(0.0, |best| best.score * BESIDE_THE_BEST);
        hits.retain(|hit| (hit.near || hit.coverage >= SOURCE_COVERAGE) && hit.score >= floor);
        hits
    }

    fn hit(&self, query: &Query, entry: &Entry, n: usize, score: f32) -> Hit {
        let mut known = Span::default();
        for (number, span) in &query.terms {
            if self.postings.adds(*number, n as u32) > 0.0 {
                known.join(*span);
            }
        }
        let coverage = query.share(known);
        let occurs = |set: &u32| query.words.binary_search(set).is_ok();
        let score = if entry.excluded.iter().any(occurs) { score * EXCLUDED } else { score };
        let complete = !entry.needed.is_empty() && entry.needed.iter().all(occurs);
        let (terms, share) = if complete { NEAR_COMPLETE } else { NEAR };
        Hit {
            rule_id: Arc::clone(&entry.rule_id),
            title: Arc::clone(&entry.title),
            citations: Arc::clone(&entry.citations),
            score,
            coverage,
            near: score >= terms * self.postings.rarity(None)
                && coverage >= share
                && query.characters(known) >= NEAR_CHARACTERS,
        }
    }

    fn query(&self, words: &str) -> Query {
        let normal: String = text::normalised(words).chars().take(MAX_CHARS).collect();
        let mut query = Query::default();
        query.tells.resize(normal.chars().count(), 0.0);
        terms::each(&normal, Some(&self.dictionary), true, |key, first, last| {
            let number = self.postings.number(key);
            match key.kind() {
                Kind::Word => query.words.extend(key.set()),
                Kind::Pair | Kind::Latin => {
                    let rarity = self.postings.rarity(number);
                    query.tells.iter_mut().take(last).skip(first).for_each(|tells| *tells += rarity);
                }
                Kind::Sound => {}
            }
            if let Some(number) = number {
                query.terms.push((number, Span::of(first, last)));
            }
        });
        for (c, tells) in normal.chars().zip(&mut query.tells) {
            if !terms::is_content(c) {
                *tells = 0.0;
            }
        }
        query.words.sort_unstable();
        query.words.dedup();
        query.terms.sort_unstable_by_key(|t| t.0);
        query.terms.dedup_by(|b, a| {
            let same = a.0 == b.0;
            if same {
                a.1.join(b.1);
            }
            same
        });
        query
    }
}

/// What is left of a score when a word occurs that the rule excludes.
const EXCLUDED: f32 = 0.8;

/// What an entry must reach to be offered: a score, counted in words that only one entry holds, and a share of what
/// the words tell. Less is asked where every word that the rule needs occurs.
const NEAR: (f32, f32) = (4.3, 0.55);
const NEAR_COMPLETE: (f32, f32) = (2.4, 0.35);

/// Characters that must be known of an entry at least: one word alone (电话, 弄丢了) is no question about it.
const NEAR_CHARACTERS: usize = 3;

/// Share of the best score that others must have to be offered beside it.
const BESIDE_THE_BEST: f32 = 0.4;

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
    fn of(first: usize, last: usize) -> Self {
        let mut span = Self::default();
        for n in first..last {
            if let Some(word) = span.0.get_mut(n / 64) {
                *word |= 1 << (n % 64);
            }
        }
        span
    }

    fn join(&mut self, other: Self) {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
    }

    fn has(self, n: usize) -> bool {
        self.0.get(n / 64).is_some_and(|word| word >> (n % 64) & 1 == 1)
    }
}

impl Query {
    /// How many characters that mean something are among these.
    fn characters(&self, known: Span) -> usize {
        self.tells.iter().enumerate().filter(|(n, tells)| **tells > 0.0 && known.has(*n)).count()
    }

    /// Share of what the characters tell that stands on these ones.
    fn share(&self, known: Span) -> f32 {
        let whole: f32 = self.tells.iter().sum();
        let told: f32 = self.tells.iter().enumerate().filter(|(n, _)| known.has(*n)).map(|(_, tells)| tells).sum();
        if whole > 0.0 { told / whole } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rules::{CompileEnv, SourceFile, compile};

    const TODAY: Date = jiff::civil::date(2026, 11, 26);

    fn rule(id: &str, title: &str, more: &str, when: &str, example: &str) -> String {
        format!(
            "[[rule]]\nid = \"{id}\"\ntitle = \"{title}\"\nstatus = \"active\"\ncategory = \"咨询\"\n{more}\n\
             [rule.when]\n{when}\nmax_chars = 80\n[rule.answer]\ntext = \"请按办事指南办理。\"\n\
             [[rule.cite]]\ntitle = \"办事指南\"\n[rule.tests]\nmatch = [\"{example}\"]\n"
        )
    }

    fn index() -> Index {
        let text = [
            "schema = 1\n[groups]\n\"迁址\" = [\"搬家\", \"换地址\", \"搬到\"]\n".to_owned(),
            rule("tax", "税务登记要带什么", "", "all = [\"税务登记\"]", "税务登记带啥材料"),
            rule("move", "住所变更登记", "", "all = [\"@迁址\"]", "公司搬家了怎么办"),
            rule("old", "消防备案旧办法", "valid_until = 2026-11-25", "all = [\"消防备案\"]", "消防备案咋办"),
            rule("there", "园区班车时刻", "areas = [\"3302\"]", "all = [\"班车\"]", "班车几点"),
            rule("chat", "发票领用办法", "channels = [\"wechat_oa\"]", "all = [\"发票\"]", "发票在哪领"),
        ]
        .join("");
        let files = [SourceFile { path: "r.toml".into(), text }];
        let compiled = compile(&files, &CompileEnv::lenient(TODAY));
        Index::build(&compiled.set.expect("the set is built"))
    }

    fn found(words: &str, region: Option<&str>, channel: Channel) -> Vec<String> {
        let filter = Filter { today: TODAY, region, channel: Some(channel), drafts: false };
        index().search(words, &filter, 5).iter().map(|hit| hit.rule_id.to_string()).collect()
    }

    #[test]
    fn the_nearest_comes_first() {
        for (words, expected) in
            [("稅務登記", "tax"), ("水务登记带什么去", "tax"), ("我们厂子搬到新区了", "move"), ("住所变更", "move")]
        {
            assert_eq!(found(words, None, Channel::Web).first().map(String::as_str), Some(expected), "{words}");
        }
    }

    #[test]
    fn dates_areas_and_channels_are_checked_when_asked() {
        assert!(!found("消防备案", None, Channel::Web).contains(&"old".to_owned()));
        assert!(!found("班车几点", None, Channel::Web).contains(&"there".to_owned()));
        assert!(!found("班车几点", Some("350000"), Channel::Web).contains(&"there".to_owned()));
        assert!(found("班车几点", Some("330225"), Channel::Web).contains(&"there".to_owned()));
        assert!(!found("发票在哪领", None, Channel::Web).contains(&"chat".to_owned()));
        assert!(found("发票在哪领", None, Channel::WechatOa).contains(&"chat".to_owned()));
    }

    #[test]
    fn nothing_is_suggested_for_what_no_entry_knows() {
        let filter = Filter { today: TODAY, region: None, channel: None, drafts: false };
        for words in ["", "？？？", "今晚月亮真圆", "请问一下您好"] {
            assert!(index().suggest(words, &filter).is_empty(), "{words}");
        }
        let titles: Vec<_> = index().suggest("税务登记带什么材料", &filter);
        assert_eq!(titles.first().map(|hit| &*hit.rule_id), Some("tax"));
    }
}
