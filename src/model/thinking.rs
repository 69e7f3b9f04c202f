//! Thinking that stands in the content: `<think>…</think>`, split between pieces or never closed.
//!
//! Thinking is not part of an answer. What was never closed is thinking to the end.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// The content holds the end of a thought that never began, after words were let through already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LateEnd;

/// Takes thinking out of content that comes piece by piece.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// The end of the text so far that may be the beginning of a tag.
    held: String,
    thinking: bool,
    /// Something other than blanks was let through.
    said: bool,
    /// Whether any thinking was found.
    pub(super) found: bool,
}

impl Filter {
    /// Takes a piece and gives what of it is no thinking.
    ///
    /// # Errors
    /// [`LateEnd`]: what was let through before was thinking.
    pub(super) fn push(&mut self, piece: &str) -> Result<String, LateEnd> {
        let mut text = std::mem::take(&mut self.held);
        text.push_str(piece);
        let mut out = String::new();
        let mut rest = text.as_str();
        loop {
            if self.thinking {
                let Some(at) = rest.find(CLOSE) else {
                    tail(rest, &[CLOSE]).clone_into(&mut self.held);
                    break;
                };
                self.thinking = false;
                rest = rest.get(at + CLOSE.len()..).unwrap_or_default();
                continue;
            }
            let (open, close) = (rest.find(OPEN), rest.find(CLOSE));
            match (open, close) {
                (Some(at), close) if close.is_none_or(|close| at < close) => {
                    out.push_str(rest.get(..at).unwrap_or_default());
                    (self.thinking, self.found) = (true, true);
                    rest = rest.get(at + OPEN.len()..).unwrap_or_default();
                }
                (_, Some(at)) => {
                    // Some templates begin the thought themselves, so only its end is written.
                    if self.said {
                        return Err(LateEnd);
                    }
                    out.clear();
                    self.found = true;
                    rest = rest.get(at + CLOSE.len()..).unwrap_or_default();
                }
                (_, None) => {
                    let held = tail(rest, &[OPEN, CLOSE]);
                    out.push_str(rest.get(..rest.len() - held.len()).unwrap_or_default());
                    held.clone_into(&mut self.held);
                    break;
                }
            }
        }
        self.said |= !out.trim().is_empty();
        Ok(out)
    }

    /// What was held back and is content after all.
    pub(super) fn end(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        if self.thinking { String::new() } else { held }
    }
}

/// The longest end of the text with which one of the tags could begin.
fn tail<'a>(text: &'a str, tags: &[&str]) -> &'a str {
    let starts = text.char_indices().rev().take(CLOSE.len()).map(|(at, _)| text.get(at..).unwrap_or_default());
    starts.filter(|end| tags.iter().any(|tag| tag.starts_with(end))).last().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, LateEnd>) {
        let run = |pieces: &[&str]| -> Result<String, LateEnd> {
            let mut filter = Filter::default();
            let mut out = String::new();
            for piece in pieces {
                out.push_str(&filter.push(piece)?);
            }
            out.push_str(&filter.end());
            Ok(out)
        };
        let letters: Vec<String> = text.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        assert_eq!(run(&letters).as_deref(), expected.as_deref(), "{text} letter by letter");
        if expected.is_ok() {
            assert_eq!(run(&[text]).as_deref(), expected.as_deref(), "{text}");
        }
    }

    #[test]
    fn thinking_is_taken_out_wherever_it_is_split() {
        check("<think>想一想</think>答案", Ok("答案"));
        check("\n<think>\n\n</think>\n\n答案", Ok("\n\n\n答案"));
        check("<think>想</think>甲<think>再想</think>乙", Ok("甲乙"));
        check("没有标签", Ok("没有标签"));
        check("5 < 6 <thin 7", Ok("5 < 6 <thin 7"));
        check("以 <", Ok("以 <"));
        check("", Ok(""));
    }

    #[test]
    fn a_thought_that_is_never_closed_is_thinking_to_the_end() {
        check("<think>想啊想，退税 30%", Ok(""));
        check("甲<think>想", Ok("甲"));
        check("<think>想</thin", Ok(""));
    }

    #[test]
    fn the_end_of_a_thought_that_never_began_is_noticed() {
        check("想了想</think>答案", Err(LateEnd));
        let mut filter = Filter::default();
        assert_eq!(filter.push("想了想</think>答案").as_deref(), Ok("答案"));
        assert!(filter.found);
    }
}
