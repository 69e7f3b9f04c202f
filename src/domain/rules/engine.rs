//! Evaluates single rules on a stretch of a scanned message.
//!
//! Order (RULES 2.1): ignored phrases are masked, then `none`, `all`, `any`, `regex`, negation, length, dates,
//! channel and area. Cheap refusals are asked first; the outcome is the same.

use std::borrow::Cow;

use jiff::civil::Date;
use regex::Regex;

use super::{
    matcher::{Hit, Scratch, Slot},
    model::{OnExpired, RuleKind, Scope},
};
use crate::domain::kinds::Channel;

/// Characters up to which a clause only says when or whether the next one holds.
const SHORT_CLAUSE: usize = 8;

/// Windows of clauses that are tried per rule; more only come from floods.
const WINDOWS: usize = 40;

/// The conditions of a rule, ready for matching. Positions agree with those of [`super::model::When`].
#[derive(Debug, Clone)]
pub(super) struct Conditions {
    pub(super) kind: RuleKind,
    pub(super) all: Box<[Slot]>,
    pub(super) any: Box<[Slot]>,
    pub(super) none: Box<[Slot]>,
    pub(super) none_near: Box<[Slot]>,
    pub(super) ignore: Box<[Slot]>,
    pub(super) regex: Box<[Regex]>,
    pub(super) scope: Scope,
    pub(super) allow_negated: bool,
    pub(super) min_chars: usize,
    pub(super) max_chars: usize,
    pub(super) valid_from: Option<Date>,
    pub(super) valid_until: Option<Date>,
    pub(super) on_expired: OnExpired,
    pub(super) channels: Box<[Channel]>,
    /// Administrative codes without the trailing zeros of higher levels.
    pub(super) areas: Box<[String]>,
    /// Draft and retired rules never match.
    pub(super) matchable: bool,
}

/// Where and when a message was sent.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) today: Date,
    pub(super) channel: Channel,
    /// Regions that count: those named in the message, else the enterprise's own. Empty means unknown.
    pub(super) areas: Vec<String>,
}

/// Part of a message: whole clauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// First byte of the normalised text.
    pub(super) start: u32,
    /// First byte behind it.
    pub(super) end: u32,
    /// First clause.
    pub(super) first: u32,
    /// First clause behind it.
    pub(super) last: u32,
    /// Characters in it.
    pub(super) chars: u32,
}

impl Stretch {
    /// The clauses `first..last` of the scanned message.
    pub(super) fn of(scratch: &Scratch, first: u32, last: u32) -> Self {
        let inside = scratch.clauses.get(first as usize..last as usize).unwrap_or(&[]);
        Self {
            start: inside.first().map_or(0, |c| c.start as u32),
            end: inside.last().map_or(0, |c| c.end as u32),
            first,
            last,
            chars: inside.iter().map(|c| c.chars as u32 + 1).sum::<u32>().saturating_sub(1),
        }
    }

    /// The whole message.
    pub(super) fn whole(scratch: &Scratch) -> Self {
        Self::of(scratch, 0, scratch.clauses.len() as u32)
    }

    const fn holds(&self, hit: &Hit) -> bool {
        hit.start >= self.start && hit.start < self.end
    }
}

/// Why a rule did not fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Miss {
    /// Draft or retired.
    NotLive,
    /// Other channels only.
    Channel,
    /// Other regions only.
    Area,
    /// Not in force yet.
    NotYet,
    /// Run out and silent about it.
    Expired,
    /// The stretch is too short.
    TooShort,
    /// The stretch is too long.
    TooLong,
    /// An excluded word occurs: position in `none`.
    Excluded(usize),
    /// A required word is missing, masked or negated: position in `all`.
    Missing(usize),
    /// None of `any` occurs.
    NoneOfAny,
    /// The words occur, but not in one clause or the one before.
    Apart,
    /// No expression matches.
    Regex,
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fired {
    /// Number of the rule.
    pub(super) rule: u32,
    /// Characters of the words that it matched.
    pub(super) matched: u32,
    /// Byte ranges of those words in the normalised text, in order.
    pub(super) spans: Vec<(u32, u32)>,
    /// It would answer, had it not run out.
    pub(super) expired: bool,
}

impl Conditions {
    /// Whether the rule fires on the stretch.
    pub(super) fn evaluate(
        &self,
        rule: u32,
        scratch: &Scratch,
        stretch: &Stretch,
        setting: &Setting,
    ) -> Result<Fired, Miss> {
        if !self.matchable {
            return Err(Miss::NotLive);
        }
        if let Some(n) = self.all.iter().position(|&slot| !scratch.is_live(slot)) {
            return Err(Miss::Missing(n));
        }
        // Long lists of words are looked at once; the windows below only see those that occur.
        let live: Vec<Slot> = self.any.iter().copied().filter(|&slot| scratch.is_live(slot)).collect();
        if !self.any.is_empty() && live.is_empty() {
            return Err(Miss::NoneOfAny);
        }
        let masks = self.masks(scratch);
        let dead = self.dead_clauses(scratch, &masks);
        let counts = |hit: &Hit| {
            stretch.holds(hit)
                && (self.allow_negated || !hit.negated)
                && !dead.contains(&hit.clause)
                && !masks.iter().any(|&(start, end)| hit.start < end && start < hit.end)
        };
        let excluded = |from: u32, to: u32| {
            self.none.iter().position(|&slot| {
                scratch.hits(slot).any(|hit| {
                    hit.start >= from
                        && hit.start < to
                        && !hit.denied
                        && !masks.iter().any(|&(start, end)| hit.start < end && start < hit.end)
                })
            })
        };
        // An answer, a command or a diversion judges the whole matter; votes judge their own clause.
        let narrow = self.scope == Scope::Clause && self.is_vote();
        if !narrow && let Some(n) = excluded(stretch.start, stretch.end) {
            return Err(Miss::Excluded(n));
        }
        let fired = match self.scope {
            Scope::Message => self.in_window(rule, scratch, (stretch.first, stretch.last), &live, &masks, &counts)?,
            Scope::Clause if stretch.last - stretch.first <= 1 => {
                let fired = self.in_window(rule, scratch, (stretch.first, stretch.last), &live, &masks, &counts)?;
                if narrow && let Some(n) = excluded(stretch.start, stretch.end) {
                    return Err(Miss::Excluded(n));
                }
                fired
            }
            Scope::Clause => self.in_clauses(rule, scratch, (stretch.first, &masks), &live, &counts, &|from, to| {
                if narrow { excluded(from, to) } else { None }
            })?,
        };
        if (stretch.chars as usize) < self.min_chars {
            return Err(Miss::TooShort);
        }
        if stretch.chars as usize > self.max_chars {
            return Err(Miss::TooLong);
        }
        self.in_force(fired, setting)
    }

    const fn is_vote(&self) -> bool {
        match self.kind {
            RuleKind::Type | RuleKind::Topic | RuleKind::Urgency => true,
            RuleKind::Answer | RuleKind::Command | RuleKind::Diversion | RuleKind::Smalltalk => false,
        }
    }

    fn masks(&self, scratch: &Scratch) -> Vec<(u32, u32)> {
        let mut masks = Vec::new();
        for &slot in &self.ignore {
            masks.extend(scratch.hits(slot).map(|hit| (hit.start, hit.end)));
        }
        masks
    }

    /// Clauses whose words do not count because of a word of `none_near`: its own, and the next one when it stands in
    /// one of a few characters (去年，仓库着火).
    fn dead_clauses(&self, scratch: &Scratch, masks: &[(u32, u32)]) -> Vec<u32> {
        let mut dead = Vec::new();
        for hit in self.none_near.iter().flat_map(|&slot| scratch.hits(slot)) {
            if hit.denied || masks.iter().any(|&(start, end)| hit.start < end && start < hit.end) {
                continue;
            }
            dead.push(hit.clause);
            if scratch.clauses.get(hit.clause as usize).is_some_and(|c| c.chars <= SHORT_CLAUSE) {
                dead.push(hit.clause + 1);
            }
        }
        dead
    }

    fn in_force(&self, mut fired: Fired, setting: &Setting) -> Result<Fired, Miss> {
        if self.valid_from.is_some_and(|from| setting.today < from) {
            return Err(Miss::NotYet);
        }
        if self.valid_until.is_some_and(|until| setting.today > until) {
            match self.on_expired {
                OnExpired::Silent => return Err(Miss::Expired),
                OnExpired::Route => fired.expired = true,
            }
        }
        if !self.channels.is_empty() && !self.channels.contains(&setting.channel) {
            return Err(Miss::Channel);
        }
        if !self.areas.is_empty()
            && !setting.areas.is_empty()
            && !setting.areas.iter().any(|area| self.areas.iter().any(|own| area.starts_with(own.as_str())))
        {
            return Err(Miss::Area);
        }
        Ok(fired)
    }

    /// Tries each clause together with the one before it and keeps the window with the most matched characters.
    fn in_clauses(
        &self,
        rule: u32,
        scratch: &Scratch,
        (least, masks): (u32, &[(u32, u32)]),
        live: &[Slot],
        counts: &dyn Fn(&Hit) -> bool,
        excluded: &dyn Fn(u32, u32) -> Option<usize>,
    ) -> Result<Fired, Miss> {
        if self.all.is_empty() && self.regex.is_empty() && !self.none.iter().any(|&slot| scratch.is_live(slot)) {
            return Self::best_window(rule, scratch, live, counts);
        }
        let anchors: &[Slot] = match self.all.first() {
            Some(first) => std::slice::from_ref(first),
            None => live,
        };
        let mut tried: Vec<u32> = Vec::new();
        let mut best: Option<Fired> = None;
        let mut miss = if self.all.is_empty() { Miss::NoneOfAny } else { Miss::Missing(0) };
        for &slot in anchors {
            for hit in scratch.hits(slot).filter(|hit| counts(hit)) {
                for clause in [hit.clause, hit.clause + 1] {
                    if tried.contains(&clause) || tried.len() >= WINDOWS {
                        continue;
                    }
                    tried.push(clause);
                    // The clause before belongs to it only within the matter.
                    let from = clause.saturating_sub(1).max(least.min(clause));
                    match self.in_window(rule, scratch, (from, clause + 1), live, masks, counts) {
                        Ok(fired) => {
                            let window = Stretch::of(scratch, from, (clause + 1).min(scratch.clauses.len() as u32));
                            if let Some(n) = excluded(window.start, window.end) {
                                miss = Miss::Excluded(n);
                            } else if best.as_ref().is_none_or(|b| fired.matched > b.matched) {
                                best = Some(fired);
                            }
                        }
                        Err(Miss::Regex) => miss = Miss::Regex,
                        Err(_) if miss == Miss::Regex => {}
                        Err(_) => miss = Miss::Apart,
                    }
                }
            }
        }
        best.ok_or(miss)
    }

    /// The window with the most matched characters for a rule that only asks for one of many words: every hit
    /// fires it, so one pass over the hits will do.
    fn best_window(rule: u32, scratch: &Scratch, live: &[Slot], counts: &dyn Fn(&Hit) -> bool) -> Result<Fired, Miss> {
        let mut hits: Vec<(u32, u32, u32)> = live
            .iter()
            .flat_map(|&slot| scratch.hits(slot))
            .filter(|hit| counts(hit))
            .map(|hit| (hit.start, hit.end, hit.clause))
            .collect();
        if hits.is_empty() {
            return Err(Miss::NoneOfAny);
        }
        hits.sort_unstable();
        // Per clause: its number, where its hits start in the list, its matched characters.
        let mut clauses: Vec<(u32, usize, u32)> = Vec::new();
        let mut reach = 0;
        for (n, &(start, end, clause)) in hits.iter().enumerate() {
            let fresh = scratch.slice(start.max(reach), end.max(reach)).chars().count() as u32;
            reach = reach.max(end);
            match clauses.last_mut() {
                Some(last) if last.0 == clause => last.2 += fresh,
                _ => clauses.push((clause, n, fresh)),
            }
        }
        let mut best: Option<(u32, usize, usize)> = None;
        for n in 0..clauses.len() {
            let Some(&(clause, from, own)) = clauses.get(n) else { break };
            let end = clauses.get(n + 1).map_or(hits.len(), |next| next.1);
            let before = n.checked_sub(1).and_then(|p| clauses.get(p)).filter(|b| b.0 + 1 == clause);
            let (matched, from) = before.map_or((own, from), |b| (own + b.2, b.1));
            if best.is_none_or(|b| matched > b.0) {
                best = Some((matched, from, end));
            }
        }
        let Some((matched, from, end)) = best else { return Err(Miss::NoneOfAny) };
        let mut spans: Vec<(u32, u32)> =
            hits.get(from..end).unwrap_or_default().iter().map(|&(start, end, _)| (start, end)).collect();
        merge(&mut spans);
        Ok(Fired { rule, matched, spans, expired: false })
    }

    /// Whether all conditions meet within the clauses `first..last`.
    fn in_window(
        &self,
        rule: u32,
        scratch: &Scratch,
        (first, last): (u32, u32),
        live: &[Slot],
        masks: &[(u32, u32)],
        counts: &dyn Fn(&Hit) -> bool,
    ) -> Result<Fired, Miss> {
        let inside = |hit: &&Hit| hit.clause >= first && hit.clause < last && counts(hit);
        let mut spans: Vec<(u32, u32)> = Vec::with_capacity(4);
        for (n, &slot) in self.all.iter().enumerate() {
            let before = spans.len();
            spans.extend(scratch.hits(slot).filter(inside).map(|hit| (hit.start, hit.end)));
            if spans.len() == before {
                return Err(Miss::Missing(n));
            }
        }
        if !self.any.is_empty() {
            let before = spans.len();
            for &slot in live {
                spans.extend(scratch.hits(slot).filter(inside).map(|hit| (hit.start, hit.end)));
            }
            if spans.len() == before {
                return Err(Miss::NoneOfAny);
            }
        }
        if !self.regex.is_empty() {
            let window = Stretch::of(scratch, first, last.min(scratch.clauses.len() as u32));
            let text = masked(scratch, &window, masks);
            if !self.regex.iter().any(|regex| regex.is_match(&text)) {
                return Err(Miss::Regex);
            }
        }
        spans.sort_unstable();
        merge(&mut spans);
        let matched = spans.iter().map(|&(start, end)| scratch.slice(start, end).chars().count() as u32).sum();
        Ok(Fired { rule, matched, spans, expired: false })
    }
}

/// The words of a window, with blanks for what is ignored.
fn masked<'s>(scratch: &'s Scratch, window: &Stretch, masks: &[(u32, u32)]) -> Cow<'s, str> {
    let text = scratch.slice(window.start, window.end);
    if !masks.iter().any(|&(start, end)| start < window.end && window.start < end) {
        return Cow::Borrowed(text);
    }
    let hidden = |at: usize| masks.iter().any(|&(start, end)| (start..end).contains(&(window.start + at as u32)));
    Cow::Owned(text.char_indices().map(|(at, c)| if hidden(at) { ' ' } else { c }).collect())
}

/// Joins overlapping ranges, so that no character counts twice. Ranges that only touch stay apart: they are
/// different words.
fn merge(spans: &mut Vec<(u32, u32)>) {
    let mut kept = 0;
    for n in 1..spans.len() {
        let Some(&next) = spans.get(n) else { return };
        let Some(last) = spans.get_mut(kept) else { return };
        if next.0 < last.1 {
            last.1 = last.1.max(next.1);
        } else {
            kept += 1;
            if let Some(slot) = spans.get_mut(kept) {
                *slot = next;
            }
        }
    }
    spans.truncate(kept + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_words_count_once() {
        for (mut spans, expected) in [
            (vec![(0, 6), (3, 9), (9, 12)], vec![(0, 9), (9, 12)]),
            (vec![(0, 6)], vec![(0, 6)]),
            (vec![], vec![]),
            (vec![(0, 3), (0, 3), (6, 9)], vec![(0, 3), (6, 9)]),
        ] {
            merge(&mut spans);
            assert_eq!(spans, expected);
        }
    }
}
