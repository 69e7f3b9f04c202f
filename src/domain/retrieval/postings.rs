//! BM25 with everything that depends on the entry alone computed beforehand: a list per term of entries and what
//! the term adds to their score.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use super::terms::{Key, Kind};

/// How fast more of the same stops counting, and how much long entries are held back.
const SATURATION: f32 = 1.2;
const LENGTH: f32 = 0.4;

/// What a term of each kind is worth.
const fn worth(kind: Kind) -> f32 {
    match kind {
        Kind::Pair | Kind::Latin | Kind::Word => 1.0,
        Kind::Sound => 0.35,
    }
}

/// One entry of a list.
#[derive(Debug, Clone, Copy)]
struct Posting {
    entry: u32,
    adds: f32,
}

/// The lists of all terms.
#[derive(Debug, Clone, Default)]
pub(super) struct Postings {
    numbers: Map<u32>,
    /// List of term `n`: `lists[from[n]..from[n + 1]]`, ascending by entry.
    from: Vec<u32>,
    lists: Vec<Posting>,
    entries: u32,
}

/// Keys are well spread after one multiplication; the standard hasher would cost more than the look-up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, n: u64) {
        let mixed = (self.0 ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ mixed >> 32;
    }
}

type Map<V> = HashMap<Key, V, BuildHasherDefault<Mix>>;

/// Collects the terms of entries.
#[derive(Debug, Default)]
pub(super) struct Builder {
    numbers: Map<u32>,
    kinds: Vec<Kind>,
    /// Term, entry, weighted count; entries ascending.
    rows: Vec<(u32, u32, f32)>,
    lengths: Vec<f32>,
    current: Vec<(Key, f32)>,
}

impl Builder {
    /// Adds a term of the entry that is being collected.
    pub(super) fn add(&mut self, key: Key, weight: f32) {
        self.current.push((key, weight));
    }

    /// Closes the entry.
    pub(super) fn close(&mut self) {
        let entry = self.lengths.len() as u32;
        let mut current = std::mem::take(&mut self.current);
        // Equal terms are put together first: a sort of a few hundred is cheaper than as many look-ups.
        current.sort_unstable_by_key(|t| t.0);
        let mut length = 0.0;
        for same in current.chunk_by(|a, b| a.0 == b.0) {
            let Some(&(key, _)) = same.first() else { continue };
            let weight: f32 = same.iter().map(|t| t.1).sum();
            length += weight;
            let number = self.number(key);
            self.rows.push((number, entry, weight));
        }
        self.lengths.push(length);
        current.clear();
        self.current = current;
    }

    fn number(&mut self, key: Key) -> u32 {
        let next = self.kinds.len() as u32;
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.kinds.push(key.kind());
        }
        number
    }

    /// Computes the lists.
    pub(super) fn build(self) -> Postings {
        let entries = self.lengths.len() as u32;
        let average = (self.lengths.iter().sum::<f32>() / entries.max(1) as f32).max(1.0);
        let mut counts = vec![0_u32; self.kinds.len() + 1];
        for row in &self.rows {
            if let Some(count) = counts.get_mut(row.0 as usize + 1) {
                *count += 1;
            }
        }
        let holders: Vec<u32> = counts.iter().skip(1).copied().collect();
        for n in 1..counts.len() {
            let before = counts.get(n - 1).copied().unwrap_or(0);
            if let Some(count) = counts.get_mut(n) {
                *count += before;
            }
        }
        let from = counts.clone();
        let mut next = counts;
        let mut lists = vec![Posting { entry: 0, adds: 0.0 }; self.rows.len()];
        for (number, entry, weight) in self.rows {
            let n = number as usize;
            let (Some(at), Some(&held), Some(&kind), Some(&length)) =
                (next.get_mut(n), holders.get(n), self.kinds.get(n), self.lengths.get(entry as usize))
            else {
                continue;
            };
            let rarity = rarity(entries, held);
            let damped = SATURATION * (1.0 - LENGTH + LENGTH * length / average);
            let adds = worth(kind) * rarity * weight * (SATURATION + 1.0) / (weight + damped);
            if let Some(slot) = lists.get_mut(*at as usize) {
                *slot = Posting { entry, adds };
            }
            *at += 1;
        }
        Postings { numbers: self.numbers, from, lists, entries }
    }
}

/// How much it tells that a term occurs which `held` of the entries hold.
fn rarity(entries: u32, held: u32) -> f32 {
    let held = held as f32;
    (1.0 + (entries as f32 - held + 0.5) / (held + 0.5)).ln()
}

impl Postings {
    /// The number of a term that some entry holds.
    pub(super) fn number(&self, key: Key) -> Option<u32> {
        self.numbers.get(&key).copied()
    }

    /// How much it tells that the term occurs; without a number, a term that no entry holds.
    pub(super) fn rarity(&self, number: Option<u32>) -> f32 {
        rarity(self.entries, number.map_or(0, |n| self.list(n).len() as u32))
    }

    fn list(&self, number: u32) -> &[Posting] {
        let at = |n: usize| self.from.get(n).copied().unwrap_or(0) as usize;
        self.lists.get(at(number as usize)..at(number as usize + 1)).unwrap_or(&[])
    }

    /// Adds what the term is worth to the score of each entry that holds it.
    pub(super) fn score(&self, number: u32, scores: &mut [f32]) {
        for posting in self.list(number) {
            if let Some(score) = scores.get_mut(posting.entry as usize) {
                *score += posting.adds;
            }
        }
    }

    /// What the term adds to one entry.
    pub(super) fn adds(&self, number: u32, entry: u32) -> f32 {
        let list = self.list(number);
        let at = list.partition_point(|p| p.entry < entry);
        list.get(at).filter(|p| p.entry == entry).map_or(0.0, |p| p.adds)
    }
}
