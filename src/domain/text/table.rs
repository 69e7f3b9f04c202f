//! The table behind the normaliser: what becomes of each character of the Basic Multilingual Plane.
//!
//! Built once from Unicode's compatibility forms (NFKC of single characters), lower case, the OpenCC
//! traditional-to-simplified table and our own punctuation. Each entry is closed under the mapping, so that
//! normalising twice changes nothing.

use std::{collections::HashMap, sync::OnceLock};

use unicode_normalization::UnicodeNormalization as _;

/// Entry: the character disappears.
const DROP: u16 = 0;
/// Entries from here to `MULTI_LAST` (the surrogates, which are no characters) index the expansions.
const MULTI_FIRST: u16 = 0xD800;
const MULTI_LAST: u16 = 0xDFFF;

/// What becomes of one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mapped<'a> {
    /// Nothing.
    Dropped,
    /// One character.
    One(char),
    /// Several.
    Many(&'a str),
}

/// The mapping of every character.
pub(super) struct Table {
    bmp: Box<[u16]>,
    expansions: Vec<String>,
    beyond: HashMap<char, String>,
}

/// The one table of the process.
pub(super) fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(Table::build)
}

impl Table {
    #[inline]
    pub(super) fn get(&self, c: char) -> Mapped<'_> {
        let code = c as u32;
        let Some(&entry) = self.bmp.get(code as usize) else { return self.beyond(c) };
        match entry {
            DROP => Mapped::Dropped,
            MULTI_FIRST..=MULTI_LAST => {
                Mapped::Many(self.expansions.get(usize::from(entry - MULTI_FIRST)).map_or("", String::as_str))
            }
            one => char::from_u32(u32::from(one)).map_or(Mapped::Dropped, Mapped::One),
        }
    }

    #[cold]
    fn beyond(&self, c: char) -> Mapped<'_> {
        match self.beyond.get(&c) {
            Some(text) if text.is_empty() => Mapped::Dropped,
            Some(text) => Mapped::Many(text),
            None if is_dropped(c) => Mapped::Dropped,
            None => Mapped::One(c),
        }
    }

    fn build() -> Self {
        let simplified = simplified();
        let mut bmp = vec![DROP; 0x1_0000].into_boxed_slice();
        let mut expansions: Vec<String> = Vec::new();
        let mut index: HashMap<String, u16> = HashMap::new();
        for (code, entry) in bmp.iter_mut().enumerate() {
            let Some(c) = char::from_u32(code as u32) else { continue };
            let text = settle(c, &simplified);
            let mut chars = text.chars();
            *entry = match (chars.next(), chars.next()) {
                (None, _) => DROP,
                (Some(one), None) if (one as u32) < 0x1_0000 => one as u16,
                _ => {
                    let next = expansions.len() as u16;
                    match index.get(&text) {
                        Some(&known) => known,
                        None if next <= MULTI_LAST - MULTI_FIRST => {
                            index.insert(text.clone(), MULTI_FIRST + next);
                            expansions.push(text);
                            MULTI_FIRST + next
                        }
                        None => code as u16,
                    }
                }
            };
        }
        // Beyond the plane only mathematical letters, enclosed forms, compatibility ideographs and rare
        // traditional characters change.
        let mut beyond = HashMap::new();
        for range in [0x1_D400..=0x1_D7FF_u32, 0x1_F100..=0x1_F2FF, 0x2_F800..=0x2_FA1F] {
            for c in range.filter_map(char::from_u32) {
                let text = settle(c, &simplified);
                if text.chars().ne([c]) {
                    beyond.insert(c, text);
                }
            }
        }
        for (&from, _) in simplified.iter().filter(|(from, _)| **from as u32 > 0xFFFF) {
            beyond.insert(from, settle(from, &simplified));
        }
        Self { bmp, expansions, beyond }
    }
}

/// Applies the single steps until nothing changes.
fn settle(c: char, simplified: &HashMap<char, char>) -> String {
    let mut text = String::from(c);
    for _ in 0..5 {
        let next: String = text.chars().flat_map(|c| step(c, simplified)).collect();
        if next == text {
            break;
        }
        text = next;
    }
    text
}

fn step(c: char, simplified: &HashMap<char, char>) -> Vec<char> {
    if let Some(mapped) = punctuation(c) {
        return vec![mapped];
    }
    if is_quotation(c) || is_dropped(c) {
        return Vec::new();
    }
    std::iter::once(c).nfkc().flat_map(char::to_lowercase).map(|c| simplified.get(&c).copied().unwrap_or(c)).collect()
}

/// Our own punctuation map.
const fn punctuation(c: char) -> Option<char> {
    Some(match c {
        '\n' | '\r' | '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}' | '｡' | '．' => '。',
        '\u{2025}' | '\u{2026}' | '\u{22EF}' | '﹐' | '､' => ',',
        '—' | '–' | '―' | '‐' | '‑' | '‒' | '−' | '﹣' | '﹘' => '-',
        '•' | '‧' | '・' | '･' | '⋅' | '∙' => '·',
        '〜' | '∼' | '～' => '~',
        _ => return None,
    })
}

/// Quotation marks and title marks stand inside words (“免申即享”政策, 《施工许可证》) and disappear.
const fn is_quotation(c: char) -> bool {
    matches!(
        c,
        '"' | '\''
            | '`'
            | '\u{B4}'
            | '“'
            | '”'
            | '„'
            | '‟'
            | '‘'
            | '’'
            | '‚'
            | '‛'
            | '「'
            | '」'
            | '『'
            | '』'
            | '《'
            | '》'
            | '〈'
            | '〉'
            | '«'
            | '»'
            | '‹'
            | '›'
            | '〝'
            | '〞'
            | '＂'
            | '＇'
    )
}

/// Spaces, controls, default-ignorable characters, combining marks, private use, emoji and dingbats.
pub(super) fn is_dropped(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c as u32,
            0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F
            | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF
            | 0xFFA0 | 0xFFF0..=0xFFFF | 0xE_0000..=0xE_FFFF
            | 0x300..=0x36F | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE20..=0xFE2F
            | 0xE000..=0xF8FF | 0xF_0000..=0x10_FFFF
            | 0x231A..=0x231B | 0x23E9..=0x23FF | 0x25A0..=0x27BF | 0x2B00..=0x2BFF | 0x3030 | 0x303D
            | 0x1_F000..=0x1_F0FF | 0x1_F18E | 0x1_F1E6..=0x1_F1FF | 0x1_F300..=0x1_FAFF)
}

/// The OpenCC table.
fn simplified() -> HashMap<char, char> {
    include_str!("t2s.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut chars = line.chars();
            Some((chars.next()?, chars.next()?))
        })
        // Characters that OpenCC leaves alone although Taiwanese and Hong Kong writers use them for these.
        .chain([('甚', '什'), ('著', '着'), ('妳', '你'), ('祢', '你'), ('牠', '它'), ('幺', '么')])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expansion_has_its_number() {
        let table = table();
        assert!(table.expansions.len() < usize::from(MULTI_LAST - MULTI_FIRST), "{}", table.expansions.len());
    }

    #[test]
    fn the_table_is_closed() {
        let table = table();
        let through = |text: &str| -> String {
            let mut out = String::new();
            for c in text.chars() {
                match table.get(c) {
                    Mapped::Dropped => {}
                    Mapped::One(c) => out.push(c),
                    Mapped::Many(many) => out.push_str(many),
                }
            }
            out
        };
        for c in (0..0x11_0000).filter_map(char::from_u32) {
            let once = through(&c.to_string());
            assert_eq!(through(&once), once, "{c:?} U+{:04X}", c as u32);
        }
    }
}
