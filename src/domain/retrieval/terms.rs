//! Cuts a text into terms: pairs of characters, the rules' own words (search mode: every word that occurs, also
//! inside another), Latin words and numbers, and pairs of syllables for what sounds alike (税务, 水务).
//!
//! There is no segmentation with a general dictionary: rule words are the only words that matter for finding rules,
//! and pairs find the rest.

use std::sync::LazyLock;

use pinyin::ToPinyin as _;

use crate::domain::{rules::Dictionary, text};

/// Characters of a query beyond this one are not looked at.
pub(super) const MAX_CHARS: usize = 256;

/// A term; the highest bits tell its kind, so that kinds never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(pub(super) u64);

/// What a term is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Two neighbouring characters.
    Pair,
    /// A Latin word or a number.
    Latin,
    /// A set of words of the rules.
    Word,
    /// Two neighbouring syllables.
    Sound,
}

const KIND_SHIFT: u32 = 60;

impl Key {
    pub(super) fn pair(a: char, b: char) -> Self {
        Self(u64::from(a as u32) << 21 | u64::from(b as u32))
    }

    /// FNV-1a over the letters.
    fn latin(word: &str) -> Self {
        let hash = word
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(1 << KIND_SHIFT | (hash >> 4))
    }

    pub(super) const fn word(set: u32) -> Self {
        Self(2 << KIND_SHIFT | set as u64)
    }

    const fn sound(a: u32, b: u32) -> Self {
        Self(3 << KIND_SHIFT | (a as u64) << 30 | b as u64)
    }

    /// The set of words that the term is, if it is one.
    pub(super) const fn set(self) -> Option<u32> {
        match self.kind() {
            Kind::Word => Some(self.0 as u32),
            Kind::Pair | Kind::Latin | Kind::Sound => None,
        }
    }

    pub(super) const fn kind(self) -> Kind {
        match self.0 >> KIND_SHIFT {
            0 => Kind::Pair,
            1 => Kind::Latin,
            2 => Kind::Word,
            _ => Kind::Sound,
        }
    }
}

/// Words of courtesy and grammar: a pair of two such characters says nothing about the matter.
const FILLERS: &str = "的了吗呢啊吧呀嘛么哦哈哎喂您你我他她它们咱俺阿这那就也都还又再很太个一下想问请谢好麻烦是有在和跟与及被把让给为对从到去来过着得地能会可以要应该怎什样咋啥哪里知道说看先些点儿家";

pub(super) fn is_filler(c: char) -> bool {
    FILLERS.contains(c)
}

/// Whether the character carries meaning of its own.
pub(super) fn is_content(c: char) -> bool {
    c.is_alphanumeric() && !is_filler(c)
}

/// Reports the terms of a text in normal form, each with its first character and the first one behind it.
///
/// Sounds are only reported when asked for; words when a dictionary is given.
pub(super) fn each(
    normal: &str,
    dictionary: Option<&Dictionary>,
    sounds: bool,
    mut found: impl FnMut(Key, usize, usize),
) {
    let mut before: Option<(char, Option<u32>)> = None;
    let mut latin: Option<(usize, usize)> = None;
    let mut latin_chars = (0, 0);
    for (n, (at, c)) in normal.char_indices().enumerate() {
        if c.is_ascii_alphanumeric() {
            let end = at + 1;
            latin = Some((latin.map_or(at, |l| l.0), end));
            latin_chars = (if latin_chars.1 == n && n > 0 { latin_chars.0 } else { n }, n + 1);
            before = None;
            continue;
        }
        if let Some((start, end)) = latin.take() {
            found(Key::latin(normal.get(start..end).unwrap_or_default()), latin_chars.0, latin_chars.1);
        }
        if !text::is_han(c) {
            before = None;
            continue;
        }
        let sound = if sounds { syllable(c) } else { None };
        if let Some((previous, previous_sound)) = before
            && !(is_filler(previous) && is_filler(c))
        {
            found(Key::pair(previous, c), n - 1, n + 1);
            if let (Some(a), Some(b)) = (previous_sound, sound) {
                found(Key::sound(a, b), n - 1, n + 1);
            }
        }
        before = Some((c, sound));
    }
    if let Some((start, end)) = latin {
        found(Key::latin(normal.get(start..end).unwrap_or_default()), latin_chars.0, latin_chars.1);
    }
    let Some(dictionary) = dictionary else { return };
    let walk = Walk { chars: normal.char_indices().map(|(at, _)| at).collect() };
    dictionary.find(normal, |set, start, end| {
        let (first, last) = (walk.position(start), walk.position(end));
        found(Key::word(set), first, last);
    });
}

/// Positions of characters by their bytes.
struct Walk {
    chars: Vec<usize>,
}

impl Walk {
    fn position(&self, byte: usize) -> usize {
        self.chars.partition_point(|&at| at < byte)
    }
}

/// The syllable of a character, packed; `None` when it has none.
fn syllable(c: char) -> Option<u32> {
    static TABLE: LazyLock<Box<[u32]>> =
        LazyLock::new(|| (HAN.0..=HAN.1).map(|n| char::from_u32(n).and_then(packed).unwrap_or(0)).collect());
    let n = (c as u32).checked_sub(HAN.0)?;
    TABLE.get(n as usize).copied().filter(|syllable| *syllable != 0)
}

/// The common ideographs.
const HAN: (u32, u32) = (0x4E00, 0x9FFF);

/// The syllable of a character without its tone and without the differences that voices and keyboards blur: zh/z,
/// ch/c, sh/s, ing/in, eng/en, ang/an, and n/l at the start.
fn packed(c: char) -> Option<u32> {
    let plain = c.to_pinyin()?.plain();
    let mut packed = 0_u32;
    let mut letters = plain.bytes().peekable();
    let mut first = true;
    while let Some(letter) = letters.next() {
        let letter = if first && letter == b'n' { b'l' } else { letter };
        match (letter, letters.peek()) {
            (b'h', _) if !first && packed != 0 && matches!(packed, PACKED_Z | PACKED_C | PACKED_S) => {}
            (b'g', None) if packed & 31 == PACKED_N => {}
            _ if letter.is_ascii_lowercase() => packed = packed << 5 | u32::from(letter - b'a' + 1),
            // ü comes as v or as two bytes; one mark stands for it.
            _ => packed = packed << 5 | PACKED_UMLAUT,
        }
        first = false;
    }
    Some(packed & 0x3FFF_FFFF)
}

const PACKED_UMLAUT: u32 = 27;
const PACKED_Z: u32 = 26;
const PACKED_C: u32 = 3;
const PACKED_S: u32 = 19;
const PACKED_N: u32 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    fn sounds_alike(a: char, b: char) -> bool {
        syllable(a).is_some() && syllable(a) == syllable(b)
    }

    #[test]
    fn what_sounds_alike_has_one_syllable() {
        for (a, b) in [('税', '水'), ('贴', '帖'), ('招', '早'), ('程', '陈'), ('宁', '林'), ('商', '伤'), ('金', '京')]
        {
            assert!(sounds_alike(a, b), "{a} {b}");
        }
        for (a, b) in [('税', '费'), ('保', '包'), ('验', '收'), ('账', '款')] {
            assert_eq!(sounds_alike(a, b), a == '保', "{a} {b}");
        }
    }

    #[test]
    fn pairs_do_not_cross_punctuation_and_courtesy_is_dropped() {
        let mut found = Vec::new();
        each("请问年报,lpr怎么算", None, false, |key, first, last| found.push((key, first, last)));
        assert!(found.contains(&(Key::pair('年', '报'), 2, 4)));
        assert!(found.contains(&(Key::latin("lpr"), 5, 8)));
        assert!(!found.iter().any(|f| f.0 == Key::pair('请', '问') || f.0 == Key::pair('报', '怎')));
        assert!(found.iter().all(|f| f.0.kind() != Kind::Sound));
    }
}
