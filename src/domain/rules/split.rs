//! Cuts a message into its matters (DOMAIN 5.4: split first, classify after).
//!
//! A change of topic alone is no new matter: people tell stories, and a story about a loan mentions wages. A cut
//! needs signs: 另外 and its kind, numbered items, a finished question or sentence, parallel 也/又. Signs of one
//! story (导致, 所以, 这个) speak against it.

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

/// Scores from which a topic counts: where a matter is announced, anywhere, and without doubt.
const FAINT: u32 = 8;
pub(super) const CLEAR: u32 = 18;
const STRONG: u32 = 28;

/// Characters up to which two clauses that each tell a trouble are items of a list and no story.
const SHORT_CLAUSE: usize = 12;

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
        parts.push(Part {
            stretch: Stretch::of(scratch, if n == 0 { 0 } else { from }, to),
            preface: if n == 0 { None } else { preface },
        });
    }
    parts
}

/// The clauses at which a matter starts; the first is where the first topic or item shows.
fn cuts(scratch: &Scratch, evidence: &[Evidence], whole: Stretch) -> Vec<u32> {
    let mut starts: Vec<u32> = Vec::new();
    let letter = whole.chars > LETTER_CHARS;
    let item_clauses: Vec<u32> = scratch.items.iter().map(|&at| scratch.clause_at(at)).collect();
    let mut running = Running::default();
    let row = is_row(evidence);
    // The last clause that showed a topic of the running matter.
    let mut last_topical = 0;
    let mut pending_marker: Option<u32> = None;
    for clause in whole.first..whole.last {
        if item_clauses.contains(&clause) {
            // Numbered items are matters when they name topics of their own; 一是…二是… of one topic is one.
            let end = item_clauses.iter().copied().find(|&c| c > clause).unwrap_or(whole.last);
            let own: Vec<Evidence> =
                evidence.iter().filter(|e| e.clause >= clause && e.clause < end).copied().collect();
            let best = strongest(&own);
            let enough = best.is_some_and(|b| !letter || (b.score >= STRONG && !running.has_group(b.group)));
            if starts.is_empty() || (enough && best.is_some_and(|b| !running.is_about(b, &own))) {
                starts.push(clause);
                running = Running::default();
            }
            running.add(&own, 0);
            last_topical = clause;
            pending_marker = None;
            continue;
        }
        if has_marker(scratch, clause) {
            pending_marker = Some(clause);
        }
        let marker = pending_marker.filter(|&m| m > last_topical);
        // A faint topic is a matter only where something announces one.
        let floor = if marker.is_some() && !letter { FAINT } else { CLEAR };
        let here: Vec<Evidence> = evidence.iter().filter(|e| e.clause == clause && e.score >= floor).copied().collect();
        let Some(best) = strongest(&here) else { continue };
        if starts.is_empty() {
            starts.push(clause);
            running.add(&here, CLEAR);
            last_topical = clause;
            pending_marker = None;
            continue;
        }
        if running.is_about(best, &here) {
            running.add(&here, CLEAR);
            last_topical = clause;
            pending_marker = None;
            continue;
        }
        let begun = starts.last().copied().unwrap_or(0);
        let story = story(scratch, begun, last_topical, clause, marker.is_some(), whole.chars);
        if signs(scratch, clause, last_topical, best, &running, marker, whole.chars) + row - story >= THRESHOLD {
            starts.push(marker.unwrap_or_else(|| sentence_start(scratch, clause, last_topical)));
            running = Running::default();
        }
        running.add(&here, CLEAR);
        last_topical = clause;
        pending_marker = None;
    }
    starts
}

/// Three clauses that each name a topic of their own outright are rather a row than a story: 欠款没给，保证金没退，标也投不了.
fn is_row(evidence: &[Evidence]) -> i32 {
    let mut topics: Vec<u16> = Vec::new();
    for clause in evidence.chunk_by(|a, b| a.clause == b.clause) {
        if let Some(best) = strongest(clause).filter(|best| best.score >= STRONG && !topics.contains(&best.topic)) {
            topics.push(best.topic);
        }
    }
    if topics.len() > 2 { 3 } else { 0 }
}

/// What the running matter is about.
#[derive(Debug, Default)]
struct Running {
    /// Its topics, the first in order of appearance being its subject.
    topics: Vec<Evidence>,
}

impl Running {
    fn add(&mut self, here: &[Evidence], floor: u32) {
        for e in here.iter().filter(|e| e.score >= floor) {
            match self.topics.iter_mut().find(|t| t.topic == e.topic) {
                Some(known) => known.score = known.score.max(e.score),
                None => self.topics.push(*e),
            }
        }
    }

    /// Whether a clause whose strongest topic is `best` goes on about the same.
    fn is_about(&self, best: Evidence, here: &[Evidence]) -> bool {
        let top = self.top();
        // The clause's subject was already a subject …
        if self.topics.iter().any(|t| t.topic == best.topic && t.score * 4 >= top * 3) {
            return true;
        }
        // … or the running subject shows in the clause about as strongly.
        here.iter().any(|e| {
            e.score * 4 >= best.score * 3 && self.topics.iter().any(|t| t.topic == e.topic && t.score * 4 >= top * 3)
        })
    }

    fn top(&self) -> u32 {
        self.topics.iter().map(|t| t.score).max().unwrap_or(0)
    }

    fn has_group(&self, group: u16) -> bool {
        self.topics.iter().any(|t| t.group == group)
    }
}

/// The topic that shows most strongly.
fn strongest(evidence: &[Evidence]) -> Option<Evidence> {
    evidence.iter().max_by_key(|e| (e.score, std::cmp::Reverse(e.topic))).copied()
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

/// How strongly a change of topic at `clause` speaks for a new matter.
fn signs(
    scratch: &Scratch,
    clause: u32,
    last_topical: u32,
    best: Evidence,
    running: &Running,
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
    score += if running.has_group(best.group) { 0 } else { 2 };
    if best.score < STRONG && marker.is_none() {
        score -= 1;
    }
    let asks = |first: u32, last: u32| in_clauses(scratch, Sign::Question, first, last);
    let tells = |first: u32, last: u32| in_clauses(scratch, Sign::Problem, first, last) || asks(first, last);
    let next = scratch
        .clauses
        .get(clause as usize)
        .map_or(clause, |c| if c.boundary.ends_sentence() { clause } else { clause + 1 });
    if tells(last_topical, last_topical) && tells(clause, next) {
        // Two subjects named outright, each with its own trouble or question, are seldom one story.
        score += if best.score >= STRONG && running.top() >= CLEAR { 3 } else { 1 };
    }
    if asks(last_topical, clause.saturating_sub(1).max(last_topical)) && asks(clause, next) {
        score += 2;
    }
    if opens_with(scratch, Sign::WeakMarker, clause, 3) {
        score += 2;
    }
    let parallel = scratch.clauses.get(clause as usize).is_some_and(|c| {
        scratch.signs(Sign::Parallel).any(|hit| hit.clause == clause && hit.start <= c.start as u32 + 36)
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
    let short = |n: u32| scratch.clauses.get(n as usize).is_some_and(|c| (1..=SHORT_CLAUSE).contains(&c.chars));
    if !causal
        && !opens_with(scratch, Sign::Causal, last_topical, 6)
        && clause == last_topical + 1
        && short(clause)
        && short(last_topical)
        && best.score >= STRONG
    {
        // 扩产缺地，工人难招，贷款批不下来: troubles in a row.
        let row = [last_topical, clause].iter().all(|&n| in_clauses(scratch, Sign::Problem, n, n));
        score += i32::from(row);
    }
    if opens_with(scratch, Sign::Anaphor, clause, 6) {
        score -= 2;
    }
    if chars > LETTER_CHARS {
        score -= 3;
    } else if scratch.signs(Sign::Several).next().is_some() {
        // 执照、食品证、开业消防，分别在哪
        score += 3;
    }
    score
}

/// What speaks for one story: neither what was told so far nor what comes wants anything by itself, and the longer a
/// text without announcements is, the more it tells beside its matter.
fn story(scratch: &Scratch, begun: u32, last_topical: u32, clause: u32, announced: bool, chars: u32) -> i32 {
    if announced || scratch.signs(Sign::Several).next().is_some() {
        return 0;
    }
    let wants = |first: u32, last: u32| {
        in_clauses(scratch, Sign::Problem, first, last) || in_clauses(scratch, Sign::Question, first, last)
    };
    let next = scratch
        .clauses
        .get(clause as usize)
        .map_or(clause, |c| if c.boundary.ends_sentence() { clause } else { clause + 1 });
    let mut out = match chars {
        0..=89 => 0,
        90..=149 => 1,
        _ => 2,
    };
    if !wants(begun, last_topical) {
        out += 2;
    }
    if !wants(clause, next) {
        out += 2;
    }
    out
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
