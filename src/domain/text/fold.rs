//! The form in which personal data are looked for: compatibility forms resolved (＠ ① 𝟏), invisible characters gone,
//! everything else as it is, with the way back to the original.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;

/// A folded text.
#[derive(Debug, Clone, Default)]
pub(super) struct Folded {
    text: String,
    /// For every character of the text: where it begins, and the original character it comes from.
    origins: Vec<(usize, Range<usize>)>,
}

impl Folded {
    pub(super) fn new(original: &str) -> Self {
        let mut out = Self { text: String::with_capacity(original.len()), origins: Vec::new() };
        for (from, c) in original.char_indices().filter(|(_, c)| !is_invisible(*c)) {
            let to = from + c.len_utf8();
            if is_plain(c) {
                out.push(c, from..to);
            } else {
                std::iter::once(c).nfkc().for_each(|one| out.push(one, from..to));
            }
        }
        out
    }

    fn push(&mut self, c: char, from: Range<usize>) {
        self.origins.push((self.text.len(), from));
        self.text.push(c);
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The stretch of the original that a stretch of the text comes from.
    pub(super) fn original(&self, range: &Range<usize>) -> Range<usize> {
        let first = self.origins.partition_point(|(at, _)| *at < range.start);
        let last = self.origins.partition_point(|(at, _)| *at < range.end);
        let part = self.origins.get(first..last).unwrap_or_default();
        match (part.first(), part.last()) {
            (Some((_, from)), Some((_, to))) => from.start..to.end,
            _ => 0..0,
        }
    }
}

/// Whether folding leaves a text as it is.
pub(super) fn is_folded(text: &str) -> bool {
    text.chars().all(is_plain)
}

/// Characters that are their own form; not all of them, but those that Chinese texts are made of.
const fn is_plain(c: char) -> bool {
    matches!(c, '\0'..='\u{7f}' | '\u{4e00}'..='\u{9fff}' | '。' | '、' | '《' | '》' | '〔' | '〕' | '“' | '”' | '—')
}

/// Characters that nobody sees: soft hyphen, joiners, marks of direction, variation selectors.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_forms_of_the_same_letters_are_one() {
        for (original, expected) in [
            ("ａｂｃ＠ｑｑ．ｃｏｍ", "abc@qq.com"),
            ("①③⑧𝟎𝟎𝟏", "138001"),
            ("1\u{200b}3\u{ad}8\u{2060}0", "1380"),
            ("公司，地址", "公司,地址"),
        ] {
            let folded = Folded::new(original);
            assert_eq!(folded.as_str(), expected, "{original}");
            assert_eq!(folded.original(&(0..expected.len())), 0..original.len(), "{original}");
        }
    }

    proptest! {
        #[test]
        fn every_stretch_leads_to_a_stretch_of_the_original(text in "[\\s\\S]{0,60}", a in 0_usize..200, b in 0_usize..200) {
            let folded = Folded::new(&text);
            let cut = |n: usize| (0..=n.min(folded.as_str().len())).rev().find(|&n| folded.as_str().is_char_boundary(n)).unwrap_or(0);
            let (from, to) = (cut(a.min(b)), cut(a.max(b)));
            prop_assert!(text.get(folded.original(&(from..to))).is_some());
        }
    }
}
