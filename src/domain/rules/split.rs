//! Cuts a message into its matters (DOMAIN 5.4: split first, classify after).
//!
//! A change of topic alone is no new matter: people tell stories, and a story about a loan mentions wages. A cut
//! needs signs: 另外 and its kind, numbered items, a finished question or sentence, parallel 也/又; without them the
//! words of the other topic have to be strong. Signs of one story (导致, 所以, 这个) speak against it.

use super::{engine::Stretch, matcher::Scratch, words::Sign};
use crate::domain::text::Boundary;

/// That a topic showed in a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evidence {
    /// Clause in which its last word stands.
    pub(super) clause: u32,
    /// Number of the topic.
    pub(super) topic: u16,
    /// Number of its group.
    pub(super) group: u16,
    /// How strongly it showed.
    pub(super) score: u32,
    /// Only together with words of the clause before.
    pub(super) borrows: bool,
}

/// That a clause is like a topic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Likes {
    pub(super) clause: u32,
    pub(super) topic: u16,
    pub(super) group: u16,
    pub(super) lead: f32,
}

/// One matter: its clauses, and clauses in front of the first matter that speak for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) stretch: Stretch,
    pub(super) preface: Option<Stretch>,
}

/// More matters than this are left in the last one: a person has to read such a letter anyway.
const MAX_PARTS: usize = 6;

/// Scores from which a topic counts: as one of several that a message may be about, and without doubt.
const FAINT: u32 = 8;
pub(super) const CLEAR: u32 = 18;

/// What speaks for a topic counts at most so much in one clause; what words count that need those of the clause before.
const MOST: f32 = 110.0;
const BORROWED: f32 = 0.7;

/// Leads from which likeness counts at all, and from which it names a topic that no word names.
const LIKENESS_COUNTS: f32 = 0.15;
const LIKENESS_NAMES: f32 = 0.2;
/// What likeness counts for each point of its lead.
const LIKENESS_WEIGHT: f32 = 140.0;
/// The same within a sentence, where one story mostly goes on.
const LIKENESS_WITHIN: f32 = 0.6;

/// Characters up to which the rest of a sentence rather says what came of it: 路灯坏了，货车进不来.
const TAIL_CHARS: usize = 6;

/// What a change of topic costs for each sign that is wanting.
const CHANGE: f32 = 16.0;
/// Signs that are enough.
const ENOUGH: f32 = 5.5;
/// What a change costs however clearly it is announced.
const LEAST_COST: f32 = 8.0;
/// Signs that a change between topics of one group needs beyond.
const KINDRED: f32 = 2.0;

/// Cuts the scanned message. `evidence` is sorted by clause.
pub(super) fn split(scratch: &Scratch, evidence: &[Evidence], likes: &[Likes]) -> Vec<Part> {
    let whole = Stretch::whole(scratch);
    let one = || vec![Part { stretch: whole, preface: None }];
    if whole.last <= 1 {
        return one();
    }
    let numbered = !scratch.items.is_empty();
    let first_topic = evidence.first().map(|e| e.topic);
    let another = |l: &Likes| l.lead >= LIKENESS_NAMES && Some(l.topic) != first_topic;
    let one_topic = evidence.iter().all(|e| Some(e.topic) == first_topic) && !likes.iter().any(another);
    if !numbered && one_topic {
        return one();
    }
    let mut starts = starts(scratch, evidence, likes, whole);
    starts.truncate(MAX_PARTS);
    if starts.len() <= 1 {
        return one();
    }
    // What stands in front of the first topic or number belongs to all: 我要投诉两件事.
    let first = starts.first().copied().unwrap_or(0);
    let preface = (first > 0).then(|| Stretch::of(scratch, 0, first));
    let mut parts = Vec::with_capacity(starts.len());
    for (n, &from) in starts.iter().enumerate() {
        let to = starts.get(n + 1).copied().unwrap_or(whole.last);
        parts.push(Part {
            stretch: Stretch::of(scratch, if n == 0 { 0 } else { from }, to),
            preface: if n == 0 { None } else { preface },
        });
    }
    parts
}

/// The clauses at which a matter starts; the first is where the first topic or item shows.
///
/// Each clause is given the topic that fits it and its neighbours best (Viterbi over the topics that show at all):
/// words of a topic speak for it, and a change of topic costs, the less the more the text itself says that a new
/// matter begins. So a side remark about another topic, which would cost twice, stays in its story.
fn starts(scratch: &Scratch, evidence: &[Evidence], likes: &[Likes], whole: Stretch) -> Vec<u32> {
    let mut topics: Vec<(u16, u16)> =
        evidence.iter().filter(|e| e.score >= FAINT).map(|e| (e.topic, e.group)).collect();
    topics.extend(likes.iter().filter(|l| l.lead >= LIKENESS_NAMES).map(|l| (l.topic, l.group)));
    topics.sort_unstable();
    topics.dedup();
    if topics.len() < 2 {
        return vec![0];
    }
    let fits = fits(scratch, evidence, likes, &topics);
    let path = best_path(scratch, &topics, &fits, whole);
    let mut starts: Vec<u32> = vec![0];
    starts.extend(path.windows(2).zip(1..).filter(|(pair, _)| pair.first() != pair.last()).map(|(_, clause)| clause));
    // What stands in front of the first matter's words speaks for all.
    let shows = |(fits, &topic): (&Vec<f32>, &usize)| fits.get(topic).is_some_and(|fit| *fit > 0.0);
    let first = fits.iter().zip(&path).position(shows).unwrap_or(0) as u32;
    if let [start, next, ..] = starts.as_mut_slice()
        && first < *next
    {
        *start = first;
    }
    starts
}

/// How well each topic fits each clause.
fn fits(scratch: &Scratch, evidence: &[Evidence], likes: &[Likes], topics: &[(u16, u16)]) -> Vec<Vec<f32>> {
    let mut fits = vec![vec![0.0_f32; topics.len()]; scratch.clauses.len()];
    let mut add = |clause: u32, topic: u16, more: f32| {
        let place = topics.iter().position(|known| known.0 == topic);
        if let Some(fit) = fits.get_mut(clause as usize).zip(place).and_then(|(fits, place)| fits.get_mut(place)) {
            *fit = (*fit + more).min(MOST);
        }
    };
    for e in evidence {
        add(e.clause, e.topic, e.score as f32 * if e.borrows { BORROWED } else { 1.0 });
    }
    for l in likes.iter().filter(|l| l.lead >= LIKENESS_COUNTS) {
        let share = if opens_anew(scratch, l.clause) { 1.0 } else { LIKENESS_WITHIN };
        add(l.clause, l.topic, l.lead * LIKENESS_WEIGHT * share);
    }
    fits
}

/// For each clause the position of its topic on the path that fits best.
fn best_path(scratch: &Scratch, topics: &[(u16, u16)], fits: &[Vec<f32>], whole: Stretch) -> Vec<usize> {
    let mut score: Vec<f32> = fits.first().cloned().unwrap_or_default();
    let mut came_from: Vec<Vec<usize>> = vec![(0..topics.len()).collect()];
    for (fits, clause) in fits.iter().skip(1).zip(1..) {
        let signs = signs(scratch, clause, whole);
        let cost = (CHANGE * (ENOUGH - signs)).max(LEAST_COST);
        let best_of = |not: Option<u16>| {
            let others = topics.iter().zip(&score).zip(0..).filter(|((topic, _), _)| Some(topic.1) != not);
            others.max_by(|a, b| a.0.1.total_cmp(b.0.1)).map(|((topic, value), place)| (*value, place, topic.1))
        };
        // The best one, and for its own group the best of the others.
        let Some(first) = best_of(None) else { break };
        let second = best_of(Some(first.2));
        let mut next = Vec::with_capacity(topics.len());
        let mut from = Vec::with_capacity(topics.len());
        for ((to, fit), here) in topics.iter().zip(fits).zip(0..) {
            let mut best = (score.get(here).copied().unwrap_or_default(), here);
            let kindred = if first.2 == to.1 { KINDRED * CHANGE } else { 0.0 };
            let changes = [Some((first.0 - kindred, first.1)), second.filter(|_| first.2 == to.1).map(|s| (s.0, s.1))];
            for (value, there) in changes.into_iter().flatten() {
                if there != here && value - cost > best.0 {
                    best = (value - cost, there);
                }
            }
            next.push(best.0 + fit);
            from.push(best.1);
        }
        score = next;
        came_from.push(from);
    }
    let last = score.iter().zip(0..).max_by(|a, b| a.0.total_cmp(b.0)).map_or(0, |(_, place)| place);
    let mut path = vec![last; came_from.len()];
    let mut at = last;
    for (place, from) in path.iter_mut().zip(&came_from).rev() {
        *place = at;
        at = from.get(at).copied().unwrap_or(at);
    }
    path
}

/// Whether the clause opens with 另外 or the like.
fn has_marker(scratch: &Scratch, clause: u32) -> bool {
    opens_with(scratch, Sign::Marker, clause, 6)
}

/// Whether the clause starts a sentence or announces a new matter.
pub(super) fn opens_anew(scratch: &Scratch, clause: u32) -> bool {
    let before = clause.checked_sub(1).and_then(|n| scratch.clauses.get(n as usize));
    before.is_none_or(|c| c.boundary.ends_sentence() || c.boundary == Boundary::Plus) || has_marker(scratch, clause)
}

/// Whether a sign stands within the first `reach` bytes of the clause.
fn opens_with(scratch: &Scratch, sign: Sign, clause: u32, reach: u32) -> bool {
    let Some(place) = scratch.clauses.get(clause as usize) else { return false };
    let start = place.start as u32;
    scratch
        .signs(sign)
        .any(|hit| hit.clause == clause && hit.start <= start + reach && !is_word_inside(scratch, sign, hit.end))
}

/// 还有没有 and 同时期 only look like signs.
fn is_word_inside(scratch: &Scratch, sign: Sign, end: u32) -> bool {
    let next = scratch.text.as_str().get(end as usize..).and_then(|rest| rest.chars().next()).unwrap_or('\0');
    sign == Sign::WeakMarker && matches!(next, '没' | '期' | '多')
}

fn in_clauses(scratch: &Scratch, sign: Sign, first: u32, last: u32) -> bool {
    scratch.signs(sign).any(|hit| hit.clause >= first && hit.clause <= last)
}

/// How strongly the text itself says that a matter starts at `clause`: below [`ENOUGH`] the topics have to say it.
fn signs(scratch: &Scratch, clause: u32, whole: Stretch) -> f32 {
    let at = |n: u32| scratch.clauses.get(n as usize);
    let ends = |n: u32| at(n).is_none_or(|c| c.boundary.ends_sentence());
    let before = clause.saturating_sub(1);
    let announced = has_marker(scratch, clause) || scratch.items.iter().any(|&item| scratch.clause_at(item) == clause);
    let mut out = if announced { 6.0 } else { 0.0 };
    out += match at(before).map_or(Boundary::Comma, |c| c.boundary) {
        Boundary::Question => 3.0,
        Boundary::Plus => 6.0,
        Boundary::Stop | Boundary::End => 2.0,
        Boundary::Space => 1.0,
        Boundary::Comma => 0.0,
    };
    // The sentence that goes before and the one that starts here: a matter wants something.
    let mut from = before;
    while from > 0 && !ends(from - 1) {
        from -= 1;
    }
    let mut to = clause;
    while to + 1 < whole.last && !ends(to) {
        to += 1;
    }
    let asks = |first: u32, last: u32| {
        in_clauses(scratch, Sign::Question, first, last)
            || (first..=last).any(|n| at(n).is_some_and(|c| c.boundary == Boundary::Question))
    };
    let wants = |first: u32, last: u32| in_clauses(scratch, Sign::Problem, first, last) || asks(first, last);
    if asks(from, before) && asks(clause, to) {
        out += 2.0;
    }
    if wants(before, before) && wants(clause, to.min(clause + 1)) {
        out += 2.0;
    }
    for wanted in [wants(from, before), wants(clause, to)] {
        out -= if wanted { 0.0 } else { 2.0 };
    }
    if opens_with(scratch, Sign::WeakMarker, clause, 3) {
        out += 2.0;
    }
    let start = at(clause).map_or(0, |c| c.start as u32);
    let parallel = scratch.signs(Sign::Parallel).any(|hit| hit.clause == clause && hit.start <= start + 36);
    if parallel {
        out += 3.0;
    }
    // One story.
    if !parallel
        && at(before).is_some_and(|c| c.boundary == Boundary::Comma)
        && at(clause).is_some_and(|c| c.chars <= TAIL_CHARS)
    {
        out -= 1.5;
    }
    if opens_with(scratch, Sign::Causal, clause, 9) {
        out -= 6.0;
    }
    if opens_with(scratch, Sign::Anaphor, clause, 6) {
        out -= 2.0;
    }
    if !announced {
        // 执照、食品证、开业消防，分别在哪. And the longer a text, the more it tells beside its matter.
        let several = scratch.signs(Sign::Several).next().is_some();
        out += if several { 3.0 } else { 0.0 };
        out -= match whole.chars {
            0..=89 => 0.0,
            90..=149 => 2.0,
            150..=219 => 3.0,
            _ => 5.0,
        };
    }
    out
}
