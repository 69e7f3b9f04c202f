//! Clauses: the stretches between punctuation in which the words of a rule must meet.

use super::normalise::{Normalised, is_han};

/// What ends a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// A comma, colon, tilde or slash.
    Comma,
    /// A wide space in a text without punctuation.
    Space,
    /// A plus sign between two matters.
    Plus,
    /// A full stop, exclamation mark, semicolon or line break.
    Stop,
    /// A question mark.
    Question,
    /// The end of the text.
    End,
}

impl Boundary {
    /// Whether a sentence ends here.
    pub const fn ends_sentence(self) -> bool {
        match self {
            Self::Stop | Self::Question | Self::End => true,
            Self::Comma | Self::Space | Self::Plus => false,
        }
    }
}

/// One clause, in bytes of the normalised text, without the punctuation that ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clause {
    /// First byte.
    pub start: usize,
    /// First byte behind it.
    pub end: usize,
    /// Characters in it.
    pub chars: usize,
    /// What ended it.
    pub boundary: Boundary,
}

/// A space only separates clauses of at least so many characters on both sides: 稳 岗 补 贴 is one word.
const SPACED_CLAUSE_CHARS: usize = 6;

/// Cuts a normalised text into clauses.
pub fn clauses(text: &Normalised) -> Vec<Clause> {
    let mut out = Vec::new();
    clauses_into(text, &mut out);
    out
}

/// Like [`clauses`], into a buffer that is emptied first.
pub fn clauses_into(text: &Normalised, out: &mut Vec<Clause>) {
    out.clear();
    let view = text.as_str();
    let mut start = 0;
    let mut chars = 0;
    // Where a space stands within the running clause and how many characters came before it.
    let mut gap: Option<(usize, usize)> = None;
    let mut previous = '\0';
    let mut rest = view.char_indices().peekable();
    let mut close = |start: usize, end: usize, chars: usize, gap: Option<(usize, usize)>, boundary: Boundary| {
        if chars == 0 {
            // Punctuation right after punctuation: the stronger end counts.
            if let Some(last) = out.last_mut()
                && boundary != Boundary::Comma
                && last.boundary != Boundary::Question
                && boundary != Boundary::End
            {
                last.boundary = boundary;
            }
            return;
        }
        match gap {
            Some((at, before)) if chars - before >= SPACED_CLAUSE_CHARS => {
                out.push(Clause { start, end: at, chars: before, boundary: Boundary::Space });
                out.push(Clause { start: at, end, chars: chars - before, boundary });
            }
            _ => out.push(Clause { start, end, chars, boundary }),
        }
    };
    while let Some((at, c)) = rest.next() {
        let next = rest.peek().map_or('\0', |&(_, c)| c);
        let boundary = match c {
            '。' | '!' | ';' => Some(Boundary::Stop),
            '?' => Some(Boundary::Question),
            // 1,200 and 10:30 are one word.
            ',' | ':' if !(previous.is_ascii_digit() && next.is_ascii_digit()) => Some(Boundary::Comma),
            '/' if is_han(previous) && is_han(next) => Some(Boundary::Comma),
            '~' => Some(Boundary::Comma),
            '.' if is_han(previous) && (is_han(next) || next == '\0' || next == '.') => Some(Boundary::Stop),
            '+' if is_han(previous) && is_han(next) => Some(Boundary::Plus),
            _ => None,
        };
        if let Some(boundary) = boundary {
            close(start, at, chars, gap, boundary);
            start = at + c.len_utf8();
            chars = 0;
            gap = None;
        } else {
            // Asked only where a space could matter, because it costs a search.
            if gap.is_none() && chars >= SPACED_CLAUSE_CHARS && is_han(previous) && text.gap_before(at) {
                gap = Some((at, chars));
            }
            chars += 1;
        }
        previous = c;
    }
    close(start, view.len(), chars, gap, Boundary::End);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::text::normalise;

    fn cut(original: &str) -> Vec<(String, Boundary)> {
        let text = normalise(original);
        clauses(&text)
            .into_iter()
            .map(|c| (text.as_str().get(c.start..c.end).unwrap_or_default().to_owned(), c.boundary))
            .collect()
    }

    #[test]
    fn punctuation_ends_a_clause() {
        let cut = cut("补贴没到，怎么回事？？！另外问下消防。\n谢谢");
        let texts: Vec<&str> = cut.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["补贴没到", "怎么回事", "另外问下消防", "谢谢"]);
        assert_eq!(cut.get(1).map(|c| c.1), Some(Boundary::Question));
    }

    #[test]
    fn numbers_keep_their_punctuation() {
        assert_eq!(cut("欠款1,200.50元在10:30到").len(), 1);
    }

    #[test]
    fn spaces_separate_long_clauses_only() {
        assert_eq!(cut("稳 岗 补 贴 怎么领").len(), 1);
        assert_eq!(cut("申报系统填到一半保存不了 明天下午就要截止").len(), 2);
    }

    #[test]
    fn a_plus_sign_separates_matters() {
        assert_eq!(cut("昨天停电+前天环保来查").len(), 2);
    }
}
