//! The gate of a stream: hands out whole sentences, each only after it passed.

use super::{Breach, BreachKind, Limits, Source, check::Checker, conduct::plain};

/// Marks that end a sentence.
fn ends(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '!' | '?' | '\n')
}

/// Marks that still belong to a sentence that has ended: it goes on to the first character that is none.
fn closes(c: char) -> bool {
    ends(c) || matches!(c, '”' | '’' | '」' | '』' | '）' | ')' | '》' | '"')
}

/// The sentences of a text that is whole, cut as the gate cuts them.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut ended = false;
        let end = rest.char_indices().find(|&(_, c)| {
            let over = ended && !closes(c);
            ended = (ended && closes(c)) || ends(c);
            over
        });
        let (sentence, left) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        rest = left;
        (!sentence.is_empty()).then_some(sentence)
    })
}

/// Takes text piece by piece and hands out whole sentences that passed; the first that fails closes it for good.
///
/// What it hands out does not depend on how the text was cut into pieces.
#[derive(Debug, Clone)]
pub struct SentenceGate {
    checker: Checker,
    max_chars: usize,
    /// The sentence that is being written.
    pending: String,
    /// It has its mark; only closing quotes may follow.
    ended: bool,
    /// What was handed out, and how much of it.
    passed: String,
    chars: usize,
    breaches: Vec<Breach>,
}

impl SentenceGate {
    /// A gate for an answer that names these sources. Without a known one it is closed from the start.
    pub fn new(sources: &[Source], cites: &[String], limits: &Limits) -> Self {
        Self {
            checker: Checker::new(sources, cites, limits),
            max_chars: limits.max_chars,
            pending: String::new(),
            ended: false,
            passed: String::new(),
            chars: 0,
            breaches: super::check::cites(sources, cites),
        }
    }

    /// Takes the next piece; hands out the sentences that are whole now.
    pub fn push(&mut self, piece: &str) -> Vec<String> {
        let mut out = Vec::new();
        for c in piece.chars() {
            if self.is_closed() {
                return out;
            }
            self.chars += 1;
            if self.chars > self.max_chars {
                self.breaches.push(Breach::new(BreachKind::TooLong, ""));
                return out;
            }
            if self.ended && !closes(c) {
                out.extend(self.release());
                if self.is_closed() {
                    return out;
                }
            }
            self.pending.push(c);
            self.ended = (self.ended && closes(c)) || ends(c);
        }
        out
    }

    /// The text is over; hands out the last sentence.
    pub fn finish(&mut self) -> Vec<String> {
        if self.is_closed() { Vec::new() } else { self.release().into_iter().collect() }
    }

    fn release(&mut self) -> Option<String> {
        self.ended = false;
        let sentence = plain(&std::mem::take(&mut self.pending));
        if sentence.is_empty() {
            return None;
        }
        let before = self.passed.len();
        self.passed.push_str(&sentence);
        let mut breaches = if sentence.trim().is_empty() { Vec::new() } else { self.checker.sentence(&sentence) };
        if breaches.is_empty() && !self.passed.trim().is_empty() {
            breaches = self.checker.text(&self.passed);
            breaches.extend(self.checker.stray(&self.passed, false));
        }
        if breaches.is_empty() {
            return Some(sentence);
        }
        self.passed.truncate(before);
        self.breaches = breaches;
        None
    }

    /// Whether a sentence failed; nothing comes out any more.
    pub fn is_closed(&self) -> bool {
        !self.breaches.is_empty()
    }

    /// Why it closed.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }
}
