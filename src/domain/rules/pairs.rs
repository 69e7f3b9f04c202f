//! Lint findings that compare rules with each other or with the file they stand in: E003 of file names, E007 of
//! conditions that another rule always meets first, W109.
//!
//! Each looks its candidates up instead of comparing everything with everything: a rule base has thousands of rules.

use std::collections::{BTreeSet, HashMap};

use super::{
    compile::CompileEnv,
    diagnostic::{Diagnostic, Level},
    file::RawRule,
    lint::{Expanded, overlaps},
    model::{Rule, RuleKind, Scope, Status},
    source::FileText,
};
use crate::domain::text;

/// Words that stand in more rules than this tell nothing about which rule covers which.
const COMMON: usize = 200;
/// Share of common pairs of characters from which two texts count as the same.
const ALIKE: f64 = 0.8;

type Rules = [(RawRule, Expanded)];

fn report(
    out: &mut Vec<Diagnostic>,
    (code, level): (&'static str, Level),
    raw: &RawRule,
    texts: &[FileText<'_>],
    field: &str,
    message: String,
    help: &str,
) {
    let Some(file) = texts.get(raw.file) else { return };
    let mut finding = file.finding(code, level, raw.spot(field), message, Some(help.to_owned()));
    finding.rule = Some(raw.rule.id.clone()).filter(|id| !id.is_empty());
    out.push(finding);
}

/// All of them.
pub(super) fn check(rules: &Rules, texts: &[FileText<'_>], env: &CompileEnv, out: &mut Vec<Diagnostic>) {
    file_names(rules, texts, env, out);
    unreachable(rules, texts, out);
    alike(rules, texts, out);
}

/// E003: a file that is named after a group of topics holds rules of that group.
fn file_names(rules: &Rules, texts: &[FileText<'_>], env: &CompileEnv, out: &mut Vec<Diagnostic>) {
    let groups: BTreeSet<&str> = env.topics.values().map(|topic| topic.group.as_str()).collect();
    for (raw, _) in rules {
        let Some(file) = texts.get(raw.file) else { continue };
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let named = stem.rsplit(['-', '_']).next().unwrap_or_default();
        let topic = raw.rule.topic.as_ref().and_then(|code| env.topics.get(code));
        if let Some(topic) = topic
            && groups.contains(named)
            && topic.group != named
        {
            let message = format!("文件名说的是“{named}”，这条规则的主题属于“{}”", topic.group);
            let help = "把规则移到对应的文件，或改文件名";
            report(out, ("E003", Level::Error), raw, texts, "topic", message, help);
        }
    }
}

/// Words of one condition, any of which will do.
type Words = BTreeSet<String>;

/// An answer's conditions as sets.
struct Wants<'a> {
    raw: &'a RawRule,
    all: Vec<Words>,
    any: Words,
    none: Words,
    none_near: Words,
    ignore: Words,
}

impl<'a> Wants<'a> {
    fn of(raw: &'a RawRule, expanded: &Expanded) -> Self {
        let set = |lists: &[Vec<String>]| lists.iter().flatten().cloned().collect::<Words>();
        Self {
            raw,
            all: expanded.all.iter().map(|list| list.iter().cloned().collect()).collect(),
            any: set(&expanded.any),
            none: set(&expanded.none),
            none_near: set(&expanded.none_near),
            ignore: set(&expanded.ignore),
        }
    }

    fn lists(&self) -> impl Iterator<Item = &Words> {
        self.all.iter().chain((!self.any.is_empty()).then_some(&self.any))
    }

    /// Whether this rule fires whenever `other` does.
    fn covers(&self, other: &Self) -> bool {
        let (mine, theirs) = (&self.raw.rule, &other.raw.rule);
        let met = |wanted: &Words| other.lists().any(|given| given.is_subset(wanted));
        self.lists().all(met)
            && self.none.is_subset(&other.none)
            && self.none_near.is_subset(&other.none_near)
            && self.ignore.is_subset(&other.ignore)
            && mine.when.regex.is_empty()
            && (mine.when.allow_negated || !theirs.when.allow_negated)
            && (mine.when.scope == Scope::Message || theirs.when.scope == Scope::Clause)
            && mine.when.min_chars <= theirs.when.min_chars
            && mine.when.max_chars.is_none_or(|most| theirs.when.max_chars.is_some_and(|other| most >= other))
            && always_with(mine, theirs)
    }
}

/// Whether `mine` is in force wherever and whenever `theirs` is.
fn always_with(mine: &Rule, theirs: &Rule) -> bool {
    let from = mine.valid_from.is_none_or(|from| theirs.valid_from.is_some_and(|other| from <= other));
    let until = mine.valid_until.is_none_or(|until| theirs.valid_until.is_some_and(|other| until >= other));
    let channels = mine.channels.is_empty()
        || (!theirs.channels.is_empty() && theirs.channels.iter().all(|channel| mine.channels.contains(channel)));
    let areas = mine.areas.is_empty()
        || (!theirs.areas.is_empty() && theirs.areas.iter().all(|area| mine.areas.contains(area)));
    from && until && channels && areas
}

/// E007: a rule of higher priority always fires with it, so its answer is never given.
fn unreachable(rules: &Rules, texts: &[FileText<'_>], out: &mut Vec<Diagnostic>) {
    let wants: Vec<Wants<'_>> = rules
        .iter()
        .filter(|(raw, _)| raw.rule.kind == RuleKind::Answer && raw.rule.status == Status::Active)
        .map(|(raw, expanded)| Wants::of(raw, expanded))
        .collect();
    let mut by_word: HashMap<&str, Vec<usize>> = HashMap::new();
    for (n, wants) in wants.iter().enumerate() {
        for word in wants.lists().flatten() {
            by_word.entry(word).or_default().push(n);
        }
    }
    for (n, low) in wants.iter().enumerate() {
        // Whoever covers it has one of its lists within one of its own, and so every word of that list.
        let mut candidates: Vec<usize> = low
            .lists()
            .filter_map(|list| list.first())
            .filter_map(|word| by_word.get(word.as_str()))
            .filter(|rules| rules.len() <= COMMON)
            .flatten()
            .copied()
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        let over = candidates.into_iter().filter(|other| *other != n).filter_map(|other| wants.get(other));
        let high = over.into_iter().find(|high| high.raw.rule.priority > low.raw.rule.priority && high.covers(low));
        if let Some(high) = high {
            let message = format!(
                "轮不到这条规则：“{}”（{}:{}）优先级更高，条件更宽，每次都先作答",
                high.raw.rule.id, high.raw.rule.file, high.raw.rule.line
            );
            let help = "提高这条规则的优先级，或给那条规则加 none";
            report(out, ("E007", Level::Error), low.raw, texts, "when", message, help);
        }
    }
}

/// Pairs of neighbouring characters of a text in normal form, punctuation left out.
fn grams(words: &str) -> BTreeSet<(char, char)> {
    let normal = text::normalise(words);
    let chars: Vec<char> = normal.as_str().chars().filter(|c| c.is_alphanumeric()).collect();
    chars.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))).collect()
}

/// W109: titles or answers that are nearly the same.
fn alike(rules: &Rules, texts: &[FileText<'_>], out: &mut Vec<Diagnostic>) {
    let live: Vec<&RawRule> = rules
        .iter()
        .map(|(raw, _)| raw)
        .filter(|raw| raw.rule.kind == RuleKind::Answer && raw.rule.status == Status::Active)
        .collect();
    let titles: Vec<_> = live.iter().map(|raw| grams(&raw.rule.title)).collect();
    let answers: Vec<_> =
        live.iter().map(|raw| raw.rule.answer.as_ref().map(|a| grams(&a.text)).unwrap_or_default()).collect();
    for (field, what, sets) in [("title", "标题", titles), ("answer.text", "答案", answers)] {
        for (a, b) in near_pairs(&sets) {
            let (Some(first), Some(second)) = (live.get(a), live.get(b)) else { continue };
            if !overlaps(&first.rule, &second.rule) {
                continue;
            }
            let message = format!("{what}与规则“{}”（{}:{}）几乎一样", first.rule.id, first.rule.file, first.rule.line);
            report(out, ("W109", Level::Warning), second, texts, field, message, "合并两条规则，或写出区别");
        }
    }
}

/// Pairs of sets that are alike, each with the earlier one first.
fn near_pairs(sets: &[BTreeSet<(char, char)>]) -> Vec<(usize, usize)> {
    let mut seen: HashMap<(char, char), usize> = HashMap::new();
    for gram in sets.iter().flatten() {
        *seen.entry(*gram).or_default() += 1;
    }
    // Two sets that share four fifths share one of the rarest fifth of either.
    let mut index: HashMap<(char, char), Vec<usize>> = HashMap::new();
    let mut pairs = Vec::new();
    for (n, set) in sets.iter().enumerate() {
        if set.len() < 4 {
            continue;
        }
        let mut rare: Vec<(char, char)> = set.iter().copied().collect();
        rare.sort_by_key(|gram| (seen.get(gram).copied().unwrap_or(0), *gram));
        let kept = (set.len() as f64 * ALIKE).ceil() as usize;
        rare.truncate(set.len() - kept + 1);
        let mut others: Vec<usize> = rare.iter().filter_map(|gram| index.get(gram)).flatten().copied().collect();
        others.sort_unstable();
        others.dedup();
        for other in others {
            let Some(earlier) = sets.get(other) else { continue };
            let common = earlier.intersection(set).count();
            let all = earlier.len() + set.len() - common;
            if common as f64 > ALIKE * all as f64 {
                pairs.push((other, n));
            }
        }
        for gram in rare {
            index.entry(gram).or_default().push(n);
        }
    }
    pairs
}
