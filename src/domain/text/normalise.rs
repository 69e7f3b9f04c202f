//! The normaliser: one pass, one table, offsets back to the original.

use std::ops::Range;

use super::table::{Mapped, table};

/// A text in the form in which rules and messages meet, with the way back to the original.
///
/// Invariant: `origins` has one entry per character of `text`, ascending in both offsets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Normalised {
    text: String,
    origins: Vec<Origin>,
}

/// One normalised character: where it starts and which original character it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Origin {
    at: u32,
    from: u32,
    to: u32,
}

impl Normalised {
    /// The normalised text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Number of normalised characters.
    pub fn char_count(&self) -> usize {
        self.origins.len()
    }

    /// Index of the character that holds the normalised byte offset; the number of characters at the end.
    pub fn char_index(&self, byte: usize) -> usize {
        self.origins.partition_point(|o| (o.at as usize) < byte)
    }

    /// The stretch of the original, in bytes, that the normalised byte range comes from.
    ///
    /// Characters that were dropped inside the range belong to it, those around it do not. An empty range
    /// gives an empty range.
    pub fn original_range(&self, range: Range<usize>) -> Range<usize> {
        let first = self.origins.partition_point(|o| (o.at as usize) < range.start);
        let last = self.origins.partition_point(|o| (o.at as usize) < range.end);
        let start = self.origins.get(first).or(self.origins.last()).map_or(0, |o| o.from as usize);
        if first >= last {
            return start..start;
        }
        let end = last.checked_sub(1).and_then(|n| self.origins.get(n)).map_or(start, |o| o.to as usize);
        start..end.max(start)
    }

    /// The normalised byte offset of the first character that comes from `original` or later.
    pub fn normal_offset(&self, original: usize) -> usize {
        let n = self.origins.partition_point(|o| (o.from as usize) < original);
        self.origins.get(n).map_or(self.text.len(), |o| o.at as usize)
    }

    /// Whether something was dropped from the original right before the character at this byte offset.
    pub fn gap_before(&self, byte: usize) -> bool {
        let n = self.char_index(byte);
        match (n.checked_sub(1).and_then(|p| self.origins.get(p)), self.origins.get(n)) {
            (Some(previous), Some(this)) => this.from > previous.to,
            _ => false,
        }
    }

    /// Replaces the content with the normal form of `original`, keeping the buffers.
    pub fn assign(&mut self, original: &str) {
        self.text.clear();
        self.origins.clear();
        self.text.reserve(original.len());
        self.origins.reserve(original.len() / 2);
        let table = table();
        for (from, c) in original.char_indices() {
            let to = from + c.len_utf8();
            match table.get(c) {
                Mapped::Dropped => {}
                // A line break ends a sentence that nothing else has ended.
                Mapped::One('。') if c != '。' && self.text.ends_with(ends_sentence) => {}
                Mapped::One('。') if c != '。' && self.text.is_empty() => {}
                Mapped::One(one) => self.push(one, from, to),
                Mapped::Many(many) => many.chars().for_each(|one| self.push(one, from, to)),
            }
        }
    }

    /// Replaces the content with the Han characters of `source` alone; offsets lead to the same original.
    pub fn assign_han(&mut self, source: &Self) {
        self.text.clear();
        self.origins.clear();
        for (c, origin) in source.text.chars().zip(&source.origins) {
            if is_han(c) {
                self.push(c, origin.from as usize, origin.to as usize);
            }
        }
    }

    fn push(&mut self, c: char, from: usize, to: usize) {
        // Messages are limited to a few thousand characters; beyond 4 GiB offsets saturate.
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.origins.push(Origin { at: narrow(self.text.len()), from: narrow(from), to: narrow(to) });
        self.text.push(c);
    }
}

const fn ends_sentence(c: char) -> bool {
    matches!(c, '。' | '!' | '?' | ';' | ',' | ':')
}

/// Whether the character is a Chinese ideograph.
pub(crate) const fn is_han(c: char) -> bool {
    matches!(c as u32, 0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x3007 | 0x2_0000..=0x3_FFFF)
}

/// Normalises a text: compatibility forms, lower case, simplified characters, no spaces, invisible characters
/// or emoji, line breaks as 。, unified punctuation.
pub fn normalise(original: &str) -> Normalised {
    let mut out = Normalised::default();
    out.assign(original);
    out
}

/// The normal form alone.
pub fn normalised(original: &str) -> String {
    normalise(original).text
}

/// The Han-only view: recovers 投.诉 and 投 s 诉. It joins across words, so it is for safety words only.
pub fn han_only(original: &str) -> Normalised {
    let mut out = Normalised::default();
    out.assign_han(&normalise(original));
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rules_and_messages_meet() {
        for (original, expected) in [
            ("稳 岗 补 贴 怎么领！！！", "稳岗补贴怎么领!!!"),
            ("穩崗補貼咋申請？", "稳岗补贴咋申请?"),
            ("ＡＢＣ１３８００１３８０００，（）～", "abc13800138000,()~"),
            ("投\u{200B}诉\u{FEFF}👍🏻❤️", "投诉"),
            ("⼈⼤ 金", "人大金"),
            ("①②③ Ⅳ 𝟏𝟐𝟑", "123iv123"),
            ("第一行\r\n\n第二行。\n第三行", "第一行。第二行。第三行"),
            ("“免申即享”的《办法》", "免申即享的办法"),
            ("10㎡ m² 办理…后来", "10m2m2办理,后来"),
            ("甚麼時候發放，後來呢；", "什么时候发放,后来呢;"),
            ("投̶诉", "投诉"),
            ("", ""),
            (" \u{3000}\n", ""),
        ] {
            assert_eq!(normalised(original), expected, "{original}");
        }
    }

    #[test]
    fn the_han_view_recovers_split_words() {
        for original in ["投.诉", "投*诉", "投 诉", "t投s诉", "投①诉", "投-诉!"] {
            assert_eq!(han_only(original).as_str(), "投诉", "{original}");
        }
    }

    #[test]
    fn a_range_leads_back_to_the_original() {
        let original = "请问 穩 崗\u{200B}补贴？";
        let view = normalise(original);
        let at = view.as_str().find("稳岗补贴").expect("the words are there");
        let range = view.original_range(at..at + "稳岗补贴".len());
        assert_eq!(original.get(range), Some("穩 崗\u{200B}补贴"));
        assert!(view.gap_before(at));
        assert!(!view.gap_before(at + "稳岗补".len()));
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(original in "\\PC{0,60}|[\\s\\S]{0,60}") {
            let once = normalised(&original);
            prop_assert_eq!(normalised(&once), once);
        }

        #[test]
        fn every_range_is_a_slice_of_the_original(original in "[\\s\\S]{0,60}", a in 0_usize..200, b in 0_usize..200) {
            let view = normalise(&original);
            let cut = |n: usize| (0..=n.min(view.as_str().len())).rev().find(|&n| view.as_str().is_char_boundary(n)).unwrap_or(0);
            let (start, end) = (cut(a.min(b)), cut(a.max(b)));
            let range = view.original_range(start..end);
            let slice = original.get(range);
            prop_assert!(slice.is_some());
            if view.original_range(start..end).is_empty() {
                return Ok(());
            }
            // The slice holds at least what the range shows.
            let again = normalised(slice.unwrap_or_default());
            let shown = view.as_str().get(start..end).unwrap_or_default();
            prop_assert!(again.contains(shown) || shown.contains('。') || again.chars().count() >= shown.chars().count());
        }
    }
}
