//! One automaton over all words of all rules, and the hits that it finds in one message.
//!
//! Words are gathered in slots: a slot is a set of words of which any will do (a synonym group or one word).
//! Equal sets share a slot whatever rule they stand in, so the work per message grows with the words that
//! occur in it and not with the number of rules.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::words::{DENIALS, NEGATION_REACH, Sign};
use crate::domain::text::{Boundary, Clause, Normalised, clauses_into, is_han};

/// Number of a slot.
pub(super) type Slot = u32;

const NONE: u32 = u32::MAX;

/// Hits of one slot that are kept; more only come from floods.
const HITS_PER_SLOT: u16 = 32;

/// Characters from which a part of a list tells a trouble of its own.
const LIST_CHARS: usize = 4;

/// What makes 第一 count something else than the matters of a message.
const ORDINAL_UNITS: &str = "天次个条批期季年回趟波轮拨名位届阶步项款类产医人中小号时大线手职眼家层栋车实";

/// Bytes (four Han characters) that stand before a sign of a new matter in the middle of a clause at least.
const MARKER_LEAD: usize = 12;

/// Collects words and slots while rules are compiled.
#[derive(Debug, Default)]
pub(super) struct MatcherBuilder {
    words: Vec<String>,
    word_index: HashMap<String, u32>,
    han_words: Vec<String>,
    han_index: HashMap<String, u32>,
    slots: Vec<(bool, Vec<u32>)>,
    slot_index: HashMap<(bool, Vec<u32>), Slot>,
    /// Slots at the front that are no words of rules.
    front: usize,
}

impl MatcherBuilder {
    /// A builder that knows the built-in words and the names of organs and places.
    pub(super) fn new<'a>(organs: impl Iterator<Item = &'a str>, places: &[String]) -> Self {
        let mut builder = Self::default();
        let mut organs: Vec<String> = organs.map(str::to_owned).collect();
        organs.sort();
        organs.dedup();
        for sign in Sign::ALL {
            let words: Vec<String> = match sign {
                Sign::Organ => organs.clone(),
                Sign::Place => places.to_vec(),
                Sign::Negator
                | Sign::Marker
                | Sign::WeakMarker
                | Sign::Question
                | Sign::Problem
                | Sign::Causal
                | Sign::Anaphor
                | Sign::Parallel
                | Sign::Blame
                | Sign::Several
                | Sign::OwnMatter => sign.words().iter().map(|word| (*word).to_owned()).collect(),
            };
            let ids = builder.ids(false, &words);
            builder.slots.push((false, ids));
        }
        builder.front = builder.slots.len();
        builder
    }

    /// The words of an aspect, before those of any rule: nobody looks for a rule by them.
    pub(super) fn aspect(&mut self, words: &[String]) {
        self.slot(false, words);
        self.front = self.slots.len();
    }

    fn ids(&mut self, han: bool, words: &[String]) -> Vec<u32> {
        let (list, index) =
            if han { (&mut self.han_words, &mut self.han_index) } else { (&mut self.words, &mut self.word_index) };
        let mut ids: Vec<u32> = words
            .iter()
            .filter(|word| !word.is_empty())
            .map(|word| {
                *index.entry(word.clone()).or_insert_with(|| {
                    list.push(word.clone());
                    list.len() as u32 - 1
                })
            })
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The slot of a set of words in normal form; `han` words are looked up in the Han-only view.
    pub(super) fn slot(&mut self, han: bool, words: &[String]) -> Slot {
        let key = (han, self.ids(han, words));
        if let Some(&slot) = self.slot_index.get(&key) {
            return slot;
        }
        let slot = self.slots.len() as Slot;
        self.slots.push(key.clone());
        self.slot_index.insert(key, slot);
        slot
    }

    /// Builds the automaton; fails only when it would be too large.
    pub(super) fn build(self) -> Result<Matcher, aho_corasick::BuildError> {
        let slot_count = self.slots.len();
        let words = View::build(&self.words, self.slots.iter().enumerate().filter(|(_, s)| !s.0))?;
        let han = if self.han_words.is_empty() {
            None
        } else {
            Some(View::build(&self.han_words, self.slots.iter().enumerate().filter(|(_, s)| s.0))?)
        };
        let denials = DENIALS.iter().filter_map(|word| self.word_index.get(*word).copied()).collect();
        Ok(Matcher { words, han, slot_count, front: self.front, denials })
    }
}

/// One automaton with the slots of each of its words.
#[derive(Debug, Clone)]
struct View {
    automaton: AhoCorasick,
    /// Slots of word `n`: `slots[from[n]..from[n + 1]]`.
    from: Vec<u32>,
    slots: Vec<Slot>,
}

impl View {
    fn build<'a>(
        words: &[String],
        slots: impl Iterator<Item = (usize, &'a (bool, Vec<u32>))>,
    ) -> Result<Self, aho_corasick::BuildError> {
        let mut of_word: Vec<Vec<Slot>> = vec![Vec::new(); words.len()];
        for (slot, (_, ids)) in slots {
            for &id in ids {
                if let Some(list) = of_word.get_mut(id as usize) {
                    list.push(slot as Slot);
                }
            }
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .prefilter(false)
            .build(words)?;
        let mut from = Vec::with_capacity(words.len() + 1);
        let mut flat = Vec::new();
        for list in of_word {
            from.push(flat.len() as u32);
            flat.extend(list);
        }
        from.push(flat.len() as u32);
        Ok(Self { automaton, from, slots: flat })
    }

    fn slots_of(&self, word: u32) -> &[Slot] {
        let at = |n: usize| self.from.get(n).copied().unwrap_or(0) as usize;
        self.slots.get(at(word as usize)..at(word as usize + 1)).unwrap_or(&[])
    }
}

/// All words of a rule set.
#[derive(Debug, Clone)]
pub(super) struct Matcher {
    words: View,
    han: Option<View>,
    slot_count: usize,
    front: usize,
    denials: Vec<u32>,
}

/// One word of one slot, found in the message. Offsets are bytes of the normalised text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) clause: u32,
    /// 不想, 无需 … stand before it in its clause.
    pub(super) negated: bool,
    /// 不是要, 并非 … stand before it.
    pub(super) denied: bool,
    word: u32,
    next: u32,
}

/// The state of one slot for the message of `epoch`.
#[derive(Debug, Clone, Copy)]
struct Head {
    epoch: u32,
    first: u32,
    count: u16,
}

/// Buffers that are used again for every message; nothing in them outlives an epoch.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) text: Normalised,
    pub(super) clauses: Vec<Clause>,
    han_text: String,
    han_at: Vec<u32>,
    hits: Vec<Hit>,
    heads: Vec<Head>,
    /// Slots that were hit, in order of their first hit.
    pub(super) live: Vec<Slot>,
    epoch: u32,
    /// Rules seen in this epoch, by rule number.
    pub(super) rule_epochs: Vec<u32>,
    /// Rules whose trigger was hit.
    pub(super) triggered: Vec<u32>,
    /// Byte offsets at which a numbered item starts.
    pub(super) items: Vec<u32>,
}

impl Matcher {
    /// Whether the slot holds signs of the engine or words of an aspect, which are no words of the rules.
    pub(super) const fn is_no_word(&self, slot: Slot) -> bool {
        (slot as usize) < self.front
    }

    /// Reports the words of a text in normal form with each of their slots, without any bookkeeping.
    pub(super) fn find_words(&self, text: &str, mut found: impl FnMut(Slot, usize, usize)) {
        for word in self.words.automaton.find_overlapping_iter(text) {
            for &slot in self.words.slots_of(word.pattern().as_u32()) {
                found(slot, word.start(), word.end());
            }
        }
    }

    /// Finds all words of all slots in a message.
    pub(super) fn scan(&self, original: &str, scratch: &mut Scratch) {
        scratch.begin(self.slot_count);
        scratch.text.assign(original);
        clauses_into(&scratch.text, &mut scratch.clauses);
        // The buffers are taken out so that the text can be read while hits are written.
        let text = std::mem::take(&mut scratch.text);
        for found in self.words.automaton.find_overlapping_iter(text.as_str()) {
            let word = found.pattern().as_u32();
            for &slot in self.words.slots_of(word) {
                scratch.push(slot, found.start() as u32, found.end() as u32, word);
            }
        }
        if let Some(han) = &self.han {
            let mut view = std::mem::take(&mut scratch.han_text);
            view.clear();
            scratch.han_at.clear();
            for (at, c) in text.as_str().char_indices() {
                if is_han(c) {
                    // One entry per byte keeps the way back a plain look-up.
                    scratch.han_at.extend(std::iter::repeat_n(at as u32, c.len_utf8()));
                    view.push(c);
                }
            }
            for found in han.automaton.find_overlapping_iter(&view) {
                let place = |at: usize| scratch.han_at.get(at).copied().unwrap_or(0);
                let start = place(found.start());
                let end = place(found.end().saturating_sub(1)) + 3;
                for &slot in han.slots_of(found.pattern().as_u32()) {
                    scratch.push(slot, start, end.min(text.as_str().len() as u32), NONE);
                }
            }
            scratch.han_text = view;
        }
        scratch.find_items(original, &text);
        scratch.cut_at_markers(&text);
        scratch.place_hits();
        scratch.negate(&text, &self.denials);
        scratch.text = text;
    }
}

impl Scratch {
    fn begin(&mut self, slots: usize) {
        if self.epoch >= u32::MAX - 1 {
            self.heads.clear();
            self.rule_epochs.clear();
            self.epoch = 0;
        }
        self.epoch += 1;
        if self.heads.len() < slots {
            self.heads.resize(slots, Head { epoch: 0, first: NONE, count: 0 });
        }
        self.hits.clear();
        self.live.clear();
        self.triggered.clear();
        self.items.clear();
    }

    /// Number of the present message.
    pub(super) const fn epoch(&self) -> u32 {
        self.epoch
    }

    fn push(&mut self, slot: Slot, start: u32, end: u32, word: u32) {
        let next = self.hits.len() as u32;
        let Some(head) = self.heads.get_mut(slot as usize) else { return };
        if head.epoch != self.epoch {
            *head = Head { epoch: self.epoch, first: NONE, count: 0 };
            self.live.push(slot);
        }
        if head.count >= HITS_PER_SLOT {
            return;
        }
        head.count += 1;
        self.hits.push(Hit { start, end, clause: 0, negated: false, denied: false, word, next: head.first });
        head.first = next;
    }

    /// Whether the slot was hit at all.
    #[inline]
    pub(super) fn is_live(&self, slot: Slot) -> bool {
        self.heads.get(slot as usize).is_some_and(|head| head.epoch == self.epoch)
    }

    /// The hits of a slot, the last first.
    #[inline]
    pub(super) fn hits(&self, slot: Slot) -> Hits<'_> {
        let next = match self.heads.get(slot as usize) {
            Some(head) if head.epoch == self.epoch => head.first,
            _ => NONE,
        };
        Hits { hits: &self.hits, next }
    }

    /// The hits of a built-in sign, the last first.
    pub(super) fn signs(&self, sign: Sign) -> Hits<'_> {
        self.hits(sign.slot() as Slot)
    }

    /// The normalised words of a byte range.
    pub(super) fn slice(&self, start: u32, end: u32) -> &str {
        self.text.as_str().get(start as usize..end as usize).unwrap_or_default()
    }

    /// The clause that holds the byte offset.
    pub(super) fn clause_at(&self, byte: u32) -> u32 {
        self.clauses.partition_point(|clause| clause.end <= byte as usize) as u32
    }

    /// Numbered items: ①…, 1、, （二）, 三、, 第一 at the start of a clause, in rising order, at least two of them.
    fn find_items(&mut self, original: &str, text: &Normalised) {
        if original.len() < 12 {
            return;
        }
        let mut expected = 1;
        for (at, c) in original.char_indices() {
            if matches!(c, '①'..='⑨') {
                let number = c as u32 - '①' as u32 + 1;
                if number == expected {
                    self.items.push(text.normal_offset(at) as u32);
                    expected += 1;
                }
            }
        }
        if self.items.len() >= 2 {
            return;
        }
        self.items.clear();
        let (mut before, mut earlier) = ('。', '。');
        let mut expected = 1;
        for (at, c) in text.as_str().char_indices() {
            let number = match c {
                '1'..='9' => c as u32 - '0' as u32,
                '一' => 1,
                '二' => 2,
                '三' => 3,
                '四' => 4,
                '五' => 5,
                '六' => 6,
                _ => 0,
            };
            let opens = |c: char| matches!(c, '。' | '!' | '?' | ';' | ',' | ':' | '(' | '、');
            if number == expected && before == '第' && opens(earlier) {
                // 第一注册资本…, 第二简易注销…; not 第一次, 第二批.
                let next = text.as_str().get(at + c.len_utf8()..).and_then(|rest| rest.chars().next());
                if next.is_some_and(|next| !ORDINAL_UNITS.contains(next)) {
                    self.items.push((at - '第'.len_utf8()) as u32);
                    expected += 1;
                }
            } else if number == expected && !before.is_ascii_digit() && !"第十一二三四五六七八九百".contains(before)
            {
                let rest = text.as_str().get(at + c.len_utf8()..).unwrap_or_default();
                let mut following = rest.chars();
                let (mark, after) = (following.next().unwrap_or('\0'), following.next().unwrap_or('\0'));
                let opened = before == '(' && mark == ')';
                let marked = matches!(mark, '、' | ')')
                    || (matches!(mark, '.' | ',' | ':') && !after.is_ascii_digit() && c.is_ascii_digit());
                // 一个工作日、二期: a number in the middle of a clause is only an item when marked with 、 or ).
                let at_start = opens(before);
                if opened || (marked && (at_start || matches!(mark, '、' | ')'))) {
                    self.items.push(at as u32 - u32::from(opened));
                    expected += 1;
                }
            }
            (earlier, before) = (before, c);
        }
        if self.items.len() < 2 {
            self.items.clear();
        }
    }

    /// A sign of a new matter in the middle of a clause starts a clause of its own.
    fn cut_at_markers(&mut self, text: &Normalised) {
        let mut cuts: Vec<(u32, Boundary)> = Vec::new();
        for hit in self.signs(Sign::Marker) {
            // 能不能另外收费 goes on; 补贴还没到另外问下消防 does not.
            let before = text.as_str().get(..hit.start as usize).and_then(|t| t.chars().next_back()).unwrap_or('\0');
            let (Some(clause), None) = (
                self.clauses.get(self.clause_at(hit.start) as usize),
                "能要再还得会可须需不也是就都来并想用没有让".find(before),
            ) else {
                continue;
            };
            // 另外收费, 另外加钱: 另外 belongs to the verb.
            let after = text.as_str().get(hit.end as usize..).and_then(|t| t.chars().next()).unwrap_or('\0');
            if "收加交缴付".contains(after) {
                continue;
            }
            if (hit.start as usize).saturating_sub(clause.start) >= MARKER_LEAD {
                cuts.push((hit.start, Boundary::Space));
            }
        }
        cuts.extend(self.items.iter().map(|&at| (at, Boundary::Space)));
        self.find_list(text, &mut cuts);
        if cuts.is_empty() {
            return;
        }
        cuts.sort_unstable_by_key(|&(at, _)| at);
        cuts.dedup_by_key(|&mut (at, _)| at);
        for (cut, boundary) in cuts {
            let n = self.clause_at(cut) as usize;
            let Some(clause) = self.clauses.get(n).copied() else { continue };
            let cut = cut as usize;
            if cut <= clause.start || cut >= clause.end {
                continue;
            }
            let before = text.char_index(cut) - text.char_index(clause.start);
            let first = Clause { start: clause.start, end: cut, chars: before, boundary };
            let second = Clause {
                start: cut,
                end: clause.end,
                chars: clause.chars.saturating_sub(before),
                boundary: clause.boundary,
            };
            if let Some(slot) = self.clauses.get_mut(n) {
                *slot = first;
            }
            self.clauses.insert(n + 1, second);
        }
    }

    /// A list of troubles in one clause: 补贴没到、消防没人来、社保登不上. A list of names (执照、许可证、公章) is none, unless
    /// something counts its items: 执照、食品证、消防，分别在哪.
    fn find_list(&self, text: &Normalised, cuts: &mut Vec<(u32, Boundary)>) {
        let counted = self.signs(Sign::Several).next().is_some();
        for clause in &self.clauses {
            let Some(words) = text.as_str().get(clause.start..clause.end) else { continue };
            if !words.contains('、') {
                continue;
            }
            let mut start = clause.start;
            let mut starts: Vec<(u32, bool)> = Vec::new();
            for part in words.split('、') {
                let end = start + part.len();
                let troubled = counted && part.chars().count() > 1
                    || part.chars().count() >= LIST_CHARS
                        && self.signs(Sign::Problem).any(|hit| hit.start as usize >= start && hit.end as usize <= end);
                starts.push((start as u32, troubled));
                start = end + '、'.len_utf8();
            }
            if starts.iter().filter(|(_, troubled)| *troubled).count() >= 2 {
                cuts.extend(starts.iter().skip(1).filter(|(_, t)| *t).map(|&(at, _)| (at, Boundary::Plus)));
            }
        }
    }

    fn place_hits(&mut self) {
        let clauses = &self.clauses;
        if clauses.len() <= 1 {
            return;
        }
        for hit in &mut self.hits {
            hit.clause = clauses.partition_point(|clause| clause.end <= hit.start as usize) as u32;
        }
    }

    fn negate(&mut self, text: &Normalised, denials: &[u32]) {
        let mut negators: Vec<(Hit, bool)> = Vec::new();
        for hit in self.signs(Sign::Negator) {
            if !is_question_form(text.as_str(), hit, self.clauses.get(hit.clause as usize)) {
                negators.push((*hit, denials.contains(&hit.word)));
            }
        }
        if negators.is_empty() {
            return;
        }
        for hit in &mut self.hits {
            for (negator, denial) in &negators {
                if negator.clause == hit.clause
                    && negator.end <= hit.start
                    && (hit.start - negator.end) as usize <= NEGATION_REACH
                {
                    hit.negated = true;
                    hit.denied |= denial;
                }
            }
        }
    }
}

/// A-not-A (要不要, 是不是) and 不是说…吗 ask and do not deny.
fn is_question_form(text: &str, negator: &Hit, clause: Option<&Clause>) -> bool {
    let word = text.get(negator.start as usize..negator.end as usize).unwrap_or_default();
    let before = text.get(..negator.start as usize).and_then(|t| t.chars().next_back());
    let mut chars = word.chars();
    let first = chars.next();
    let second = chars.next();
    if matches!(first, Some('不' | '没')) && before.is_some() && before == second {
        return true;
    }
    if word == "不是" || word == "并不是" {
        let rest = clause.and_then(|c| text.get(negator.end as usize..c.end)).unwrap_or_default();
        return rest.starts_with(['说', '都', '已', '早', '应', '规', '讲', '不', '没', '有'])
            || rest.ends_with(['吗', '么', '嘛']);
    }
    if word == "不用" || word == "不要" || word == "不需要" {
        let rest = clause.and_then(|c| text.get(negator.end as usize..c.end)).unwrap_or_default();
        return rest.ends_with(['吗', '么', '嘛']) || clause.is_some_and(|c| c.boundary == Boundary::Question);
    }
    false
}

/// The hits of one slot.
pub(super) struct Hits<'a> {
    hits: &'a [Hit],
    next: u32,
}

impl<'a> Iterator for Hits<'a> {
    type Item = &'a Hit;

    #[inline]
    fn next(&mut self) -> Option<&'a Hit> {
        let hit = self.hits.get(self.next as usize)?;
        self.next = hit.next;
        Some(hit)
    }
}
