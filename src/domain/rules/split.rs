//! Cuts a message into its matters (DOMAIN 5.4: split first, classify after).
//!
//! A change of topic alone is no new matter: people tell stories, and a story about a loan mentions wages. A cut
//! needs signs: 另外 and its kind, numbered items, a finished question or sentence, parallel 也/又. Signs of one
//! story (导致, 所以, 这个) speak against it.

use super::{
    engine::Stretch,
    matcher::Scratch,
    words::Sign,
};
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
}

/// One matter: its clauses, and clauses in front of the first matter that speak for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) stretch: Stretch,
    pub(super) preface: Option<Stretch>,
}

/// More matters than this are left in the last one: a person has to read such a letter anyway.
const MAX_PARTS: usize = 6;

/// Messages longer than this are stories unless they number their items or say 另外.
const LETTER_CHARS: u32 = 220;

/// Signs needed for a cut.
const THRESHOLD: i32 = 6;

/// Cuts the scanned message. `evidence` is sorted by clause.
pub(super) fn split(scratch: &Scratch, evidence: &[Evidence]) -> Vec<Part> {
    let whole = Stretch::whole(scratch);
    let one = || vec![Part { stretch: whole, preface: None }];
    if whole.last <= 1 {
        return one();
    }
    let numbered = !scratch.items.is_empty();
    let first_topic = evidence.first().map(|e| e.topic);
    if !numbered && evidence.iter().all(|e| Some(e.topic) == first_topic) {
        return one();
    }
    let mut starts = cuts(scratch, evidence, whole);
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
        parts.push(Part { stretch: Stretch::of(scratch, if n == 0 { 0 } else { from }, to), preface: if n == 0 { None } else { preface } });
    }
    parts
}

/// The clauses at which a matter starts; the first is where the first topic or item shows.
fn cuts(scratch: &Scratch, evidence: &[Evidence], whole: Stretch) -> Vec<u32> {
    let mut starts: Vec<u32> = Vec::new();
    let item_clauses: Vec<u32> = scratch.items.iter().map(|&at| scratch.clause_at(at)).collect();
    let mut topics: Vec<Evidence> = Vec::new();
    // The last clause that showed a topic of the running matter.
    let mut last_topical = 0;
    let mut pending_marker: Option<u32> = None;
    for clause in whole.first..whole.last {
        let here: Vec<Evidence> = evidence.iter().filter(|e| e.clause == clause).copied().collect();
        let item = item_clauses.contains(&clause);
        if has_marker(scratch, clause) || item {
            pending_marker = Some(clause);
        }
        if item {
            // Numbered items are matters of their own when they name a topic; 一是…二是… of one topic is one.
            let end = item_clauses.iter().copied().find(|&c| c > clause).unwrap_or(whole.last);
            let own: Vec<Evidence> = evidence.iter().filter(|e| e.clause >= clause && e.clause < end).copied().collect();
            let same = !own.is_empty() && !topics.is_empty() && strongest(&own) == strongest(&topics);
            if starts.is_empty() {
                starts.push(clause);
                topics = own;
            } else if !own.is_empty() && !same {
                starts.push(clause);
                topics = own;
            }
            last_topical = clause;
            pending_marker = None;
            continue;
        }
        if here.is_empty() {
            continue;
        }
        if starts.is_empty() {
            starts.push(clause);
            topics = here;
            last_topical = clause;
            pending_marker = None;
            continue;
        }
        if here.iter().any(|e| topics.iter().any(|t| t.topic == e.topic)) {
            // The running matter goes on; what else shows in the clause is part of its story.
            topics.extend(here);
            last_topical = clause;
            pending_marker = None;
            continue;
        }
        let marker = pending_marker.filter(|&m| m > last_topical);
        if signs(scratch, clause, last_topical, &here, &topics, marker, whole.chars) >= THRESHOLD {
            let start = marker.unwrap_or_else(|| sentence_start(scratch, clause, last_topical));
            starts.push(start);
            topics = here;
        } else {
            topics.extend(here);
        }
        last_topical = clause;
        pending_marker = None;
    }
    starts
}

/// The topic that shows most strongly.
fn strongest(evidence: &[Evidence]) -> Option<u16> {
    evidence.iter().max_by_key(|e| e.score).map(|e| e.topic)
}

/// Whether the clause opens with 另外 or the like.
fn has_marker(scratch: &Scratch, clause: u32) -> bool {
    opens_with(scratch, Sign::Marker, clause, 6)
}

/// Whether a sign stands within the first `reach` bytes of the clause.
fn opens_with(scratch: &Scratch, sign: Sign, clause: u32, reach: u32) -> bool {
    let Some(place) = scratch.clauses.get(clause as usize) else { return false };
    let start = place.start as u32;
    scratch.signs(sign).any(|hit| hit.clause == clause && hit.start <= start + reach && !is_word_inside(scratch, sign, hit.end))
}

/// 还有没有 and 同时期 only look like signs.
fn is_word_inside(scratch: &Scratch, sign: Sign, end: u32) -> bool {
    let next = scratch.text.as_str().get(end as usize..).and_then(|rest| rest.chars().next()).unwrap_or('\0');
    sign == Sign::WeakMarker && matches!(next, '没' | '期' | '多')
}

fn in_clauses(scratch: &Scratch, sign: Sign, first: u32, last: u32) -> bool {
    scratch.signs(sign).any(|hit| hit.clause >= first && hit.clause <= last)
}

/// How strongly a change of topic at `clause` speaks for a new matter.
fn signs(
    scratch: &Scratch,
    clause: u32,
    last_topical: u32,
    here: &[Evidence],
    topics: &[Evidence],
    marker: Option<u32>,
    chars: u32,
) -> i32 {
    let mut score = 0;
    if marker.is_some() {
        score += 6;
    }
    // What ended the sentences in between.
    let mut ended = 0;
    for n in last_topical..clause {
        let weight = match scratch.clauses.get(n as usize).map_or(Boundary::Comma, |c| c.boundary) {
            Boundary::Question => 3,
            Boundary::Plus => 6,
            Boundary::Stop | Boundary::End => 2,
            Boundary::Space => 1,
            Boundary::Comma => 0,
        };
        ended = ended.max(weight);
    }
    score += ended;
    let other_group = here.iter().all(|e| topics.iter().all(|t| t.group != e.group));
    score += if other_group { 2 } else { 0 };
    if here.iter().map(|e| e.score).max().unwrap_or(0) < 14 {
        score -= 1;
    }
    let asks = |first: u32, last: u32| in_clauses(scratch, Sign::Question, first, last);
    let tells = |first: u32, last: u32| in_clauses(scratch, Sign::Problem, first, last) || asks(first, last);
    let next = scratch.clauses.get(clause as usize).map_or(clause, |c| if c.boundary.ends_sentence() { clause } else { clause + 1 });
    if tells(last_topical, last_topical) && tells(clause, next) {
        score += 1;
    }
    if asks(last_topical, clause.saturating_sub(1).max(last_topical)) && asks(clause, next) {
        score += 2;
    }
    if opens_with(scratch, Sign::WeakMarker, clause, 3) {
        score += 2;
    }
    let parallel = scratch.clauses.get(clause as usize).is_some_and(|c| {
        scratch.signs(Sign::Parallel).any(|hit| hit.clause == clause && hit.start <= c.start as u32 + 24)
    });
    if parallel {
        score += 3;
    }
    // One story.
    let causal = opens_with(scratch, Sign::Causal, clause, 9)
        || (last_topical + 1..clause).any(|n| opens_with(scratch, Sign::Causal, n, 6));
    if causal {
        score -= if marker.is_some() { 1 } else { 3 };
    }
    if opens_with(scratch, Sign::Anaphor, clause, 6) {
        score -= 2;
    }
    if chars > LETTER_CHARS {
        score -= 3;
    }
    score
}

/// The first clause of the sentence that holds `clause`, but behind `last_topical`.
fn sentence_start(scratch: &Scratch, clause: u32, last_topical: u32) -> u32 {
    let mut start = clause;
    while start > last_topical + 1 {
        let ends = scratch.clauses.get(start as usize - 1).is_none_or(|c| c.boundary.ends_sentence());
        if ends {
            break;
        }
        start -= 1;
    }
    start
}
