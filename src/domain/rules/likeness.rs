//! Which topic and type a message is most like, learnt from the rule files: words, examples of rules and `[[example]]`s.
//!
//! Rules that fire say what they know; words that no list holds, they do not see. Here every pair of characters in
//! the words and `match` examples of a topic speaks for it and against the others, so that “抵押注销要原件吗” leans
//! to 不动产登记 though 注销 alone means something else. It only ever adds to the votes for a topic: it answers
//! nothing, and it tells no matters apart.
//!
//! The method is a linear model on TF-IDF of single characters and pairs: it starts as complement naive Bayes (Rennie et
//! al., 2003), which bears topics with few and with many examples, and is then put right wherever it calls an example
//! another topic (`correcting`).

mod correcting;

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use crate::domain::text::is_han;

/// Characters of a matter that are looked at; what it is about is said early.
const MAX_CHARS: usize = 200;
/// Added to every count, so that a term never seen with a topic does not decide alone.
const SMOOTHING: f32 = 0.3;
/// What a term must say for a topic to be shown as evidence.
const EVIDENT: f32 = 0.1;
/// Words shown per topic.
const EVIDENCE: usize = 3;

/// What the terms of a rule set say about its topics.
#[derive(Debug, Clone, Default)]
pub(super) struct Likeness {
    /// Number of each term.
    terms: HashMap<u64, u32, BuildHasherDefault<TermHasher>>,
    /// How telling each term is (inverse document frequency).
    rarity: Vec<f32>,
    /// The same for a term that was never seen.
    strangest: f32,
    /// How many topics there are, with the one behind the last.
    topics: usize,
    /// What term `n` says for each topic, against what it says for the typical one: `says[n * topics..][..topics]`.
    says: Vec<f32>,
}

/// Spreads the bits of a term. Terms come from rule files and a message only looks them up, so nobody can choose terms
/// that collide.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TermHasher(u64);

impl Hasher for TermHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, term: u64) {
        // The high half of the product knows all bits; the table looks at both ends.
        let product = (self.0 ^ term).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }
}

/// A term where it stands in a text.
#[derive(Debug, Clone, Copy)]
struct Placed {
    /// Its number, if anybody taught it.
    term: Option<u32>,
    start: u32,
    end: u32,
    /// A pair reads as a word, a single character hardly.
    pair: bool,
}

/// The terms of a text, looked up once for all that is asked of it.
#[derive(Debug, Default)]
pub(super) struct Terms(Vec<Placed>);

/// How much a text is like one topic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Like {
    pub(super) topic: u16,
    /// By how much the topic is ahead of the typical one; 0.1 is little, 1 is much.
    pub(super) lead: f32,
}

impl Likeness {
    /// Learns from texts in normal form, each with its topic; texts without one teach what is about none of them, which
    /// has the number behind the last topic.
    pub(super) fn learn(texts: &[(Option<u16>, String)], topics: usize) -> Self {
        let mut learnt = Self::default();
        let none = topics as u16;
        let topics = topics + 1;
        let mut documents: Vec<(u16, Vec<(u32, f32)>)> = Vec::with_capacity(texts.len());
        for (topic, text) in texts {
            let mut terms = Vec::new();
            each_term(text, usize::MAX, |term| {
                let next = learnt.terms.len() as u32;
                terms.push(*learnt.terms.entry(term).or_insert(next));
            });
            documents.push((topic.unwrap_or(none), counted(terms)));
        }
        let mut seen = vec![0_u32; learnt.terms.len()];
        for (term, _) in documents.iter().flat_map(|(_, terms)| terms) {
            if let Some(n) = seen.get_mut(*term as usize) {
                *n += 1;
            }
        }
        let all = documents.len() as f32;
        learnt.strangest = (1.0 + all).ln() + 1.0;
        learnt.rarity = seen.iter().map(|&n| ((1.0 + all) / (1.0 + n as f32)).ln() + 1.0).collect();
        for (_, terms) in &mut documents {
            learnt.scale(terms, 0.0);
        }
        learnt.topics = topics;
        learnt.says = learnt.complements(&documents);
        correcting::correct(&mut learnt.says, &documents, topics);
        for row in learnt.says.chunks_exact_mut(topics) {
            let typical = row.iter().sum::<f32>() / topics as f32;
            for says in row {
                *says -= typical;
            }
        }
        learnt
    }

    /// What each term says for each topic: the logarithm of how little the other topics hold of it.
    fn complements(&self, documents: &[(u16, Vec<(u32, f32)>)]) -> Vec<f32> {
        let topics = self.topics;
        let mut says = vec![0.0_f32; self.rarity.len() * topics];
        let mut own = vec![0.0_f32; topics];
        for (topic, terms) in documents {
            for &(term, weight) in terms {
                if let Some(sum) = says.get_mut(term as usize * topics + usize::from(*topic)) {
                    *sum += weight;
                }
                if let Some(own) = own.get_mut(usize::from(*topic)) {
                    *own += weight;
                }
            }
        }
        let everything = SMOOTHING * self.rarity.len() as f32 + own.iter().sum::<f32>();
        // Topics of which much is known need more.
        let much: Vec<f32> = own.iter().map(|own| ((everything - own) / everything).ln()).collect();
        for row in says.chunks_exact_mut(topics) {
            let all: f32 = row.iter().sum::<f32>() + SMOOTHING;
            for (sum, much) in row.iter_mut().zip(&much) {
                let others = if *sum == 0.0 { 0.0 } else { (all / (all - *sum)).ln() };
                *sum = others + much;
            }
        }
        says
    }

    /// Weighs counted terms by how telling they are and brings them to length 1; `strange` is the squared weight of
    /// terms that nobody taught: a text made of them is like nothing.
    fn scale(&self, terms: &mut [(u32, f32)], strange: f32) {
        let mut squares = strange;
        for (term, weight) in terms.iter_mut() {
            *weight = (1.0 + weight.ln()) * self.rarity.get(*term as usize).copied().unwrap_or(0.0);
            squares += *weight * *weight;
        }
        let length = squares.sqrt().max(f32::MIN_POSITIVE);
        for (_, weight) in terms {
            *weight /= length;
        }
    }

    /// Looks up the terms of a text in normal form.
    pub(super) fn terms(&self, text: &str) -> Terms {
        let mut terms = Vec::with_capacity(2 * text.len().min(3 * MAX_CHARS) / 3);
        each_placed_term(text, MAX_CHARS, |term, start, end| {
            let pair = term > u64::from(u32::MAX);
            let term = self.terms.get(&term).copied();
            terms.push(Placed { term, start: start as u32, end: end as u32, pair });
        });
        Terms(terms)
    }

    /// The topics that a text is most like, best first; at most three.
    pub(super) fn nearest(&self, terms: &Terms) -> Vec<Like> {
        let known: Vec<u32> = terms.0.iter().filter_map(|placed| placed.term).collect();
        if known.is_empty() {
            return Vec::new();
        }
        let strange = (terms.0.len() - known.len()) as f32;
        let mut terms = counted(known);
        self.scale(&mut terms, strange * self.strangest * self.strangest);
        let mut scores = vec![0.0_f32; self.topics];
        for (term, weight) in terms {
            for (score, says) in scores.iter_mut().zip(self.says_of(term)) {
                *score += weight * says;
            }
        }
        // The three best and the one behind them, which is the typical one; among equals the first topic.
        let mut order: Vec<Like> = Vec::with_capacity(5);
        for (topic, &lead) in scores.iter().enumerate() {
            let full = order.len() == 4;
            if full && order.last().is_some_and(|last| lead.total_cmp(&last.lead).is_le()) {
                continue;
            }
            let at = order.partition_point(|other| lead.total_cmp(&other.lead).is_le());
            order.insert(at, Like { topic: topic as u16, lead });
            order.truncate(4);
        }
        let typical = order.last().map_or(0.0, |like| like.lead);
        order.truncate(3);
        for like in &mut order {
            like.lead -= typical;
        }
        order
    }

    /// Where the terms stand that speak most for a topic: byte ranges, the most telling first.
    pub(super) fn evidence(&self, terms: &Terms, topic: u16) -> Vec<(usize, usize)> {
        let mut found: Vec<(f32, usize, usize)> = Vec::new();
        for placed in &terms.0 {
            let Some(term) = placed.term else { continue };
            if let Some(says) = self.says_of(term).get(usize::from(topic)).filter(|says| **says > EVIDENT) {
                let rarity = self.rarity.get(term as usize).copied().unwrap_or_default();
                let reads = if placed.pair { 2.0 } else { 1.0 };
                found.push((reads * rarity * says, placed.start as usize, placed.end as usize));
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut kept: Vec<(usize, usize)> = Vec::new();
        for (_, start, end) in found {
            if kept.iter().all(|&(from, to)| end <= from || to <= start) {
                kept.push((start, end));
                if kept.len() == EVIDENCE {
                    break;
                }
            }
        }
        kept
    }

    fn says_of(&self, term: u32) -> &[f32] {
        let from = term as usize * self.topics;
        self.says.get(from..from + self.topics).unwrap_or_default()
    }
}

/// How often each term occurs.
fn counted(mut terms: Vec<u32>) -> Vec<(u32, f32)> {
    terms.sort_unstable();
    terms.chunk_by(|a, b| a == b).filter_map(|same| Some((*same.first()?, same.len() as f32))).collect()
}

fn each_term(text: &str, max_chars: usize, mut found: impl FnMut(u64)) {
    each_placed_term(text, max_chars, |term, _, _| found(term));
}

/// Single Han characters, and pairs of neighbouring letters, digits and Han characters (numbers aside), with the bytes
/// they stand at.
fn each_placed_term(text: &str, max_chars: usize, mut found: impl FnMut(u64, usize, usize)) {
    let mut before: Option<(char, usize)> = None;
    for (at, c) in text.char_indices().take(max_chars) {
        if !c.is_alphanumeric() {
            before = None;
            continue;
        }
        let end = at + c.len_utf8();
        if is_han(c) {
            found(u64::from(c as u32), at, end);
        }
        if let Some((before, start)) = before
            && !(before.is_ascii_digit() && c.is_ascii_digit())
        {
            found(u64::from(before as u32) << 32 | u64::from(c as u32), start, end);
        }
        before = Some((c, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt() -> Likeness {
        let texts = [
            (Some(0), "不动产抵押登记"),
            (Some(0), "抵押注销登记"),
            (Some(0), "房产证"),
            (Some(1), "公司注销公告"),
            (Some(1), "简易注销"),
            (None, "你好在吗"),
        ];
        Likeness::learn(&texts.map(|(topic, text)| (topic, text.to_owned())), 2)
    }

    #[test]
    fn a_message_is_most_like_the_topic_whose_words_it_shares() {
        for (text, topic) in [("抵押注销要原件吗", 0), ("注销公告登在哪", 1), ("在吗", 2)] {
            let learnt = learnt();
            let nearest = learnt.nearest(&learnt.terms(text));
            assert_eq!(nearest.first().map(|like| like.topic), Some(topic), "{text}: {nearest:?}");
            assert!(nearest.is_sorted_by(|a, b| a.lead >= b.lead), "{nearest:?}");
        }
        let nothing = Likeness::learn(&[], 0);
        assert_eq!(learnt().nearest(&learnt().terms("完全陌生")), []);
        assert_eq!(nothing.nearest(&nothing.terms("注销")), []);
    }

    #[test]
    fn the_words_that_spoke_for_it_can_be_shown() {
        let text = "要把抵押给注销了";
        let learnt = learnt();
        let terms = learnt.terms(text);
        let words: Vec<&str> =
            learnt.evidence(&terms, 0).into_iter().filter_map(|(start, end)| text.get(start..end)).collect();
        assert_eq!(words.first(), Some(&"抵押"), "{words:?}");
        assert!(learnt.evidence(&terms, 2).is_empty());
    }
}
