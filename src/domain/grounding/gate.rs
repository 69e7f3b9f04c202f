//! The gate of a stream: hands out whole sentences, each only after it passed.

use super::{Breach, Draft, Limits, Source, Status, check};

/// Takes text piece by piece and hands out whole sentences that passed; the first that fails closes it for good.
#[derive(Debug, Clone)]
pub struct SentenceGate {
    sources: Vec<Source>,
    cites: Vec<String>,
    limits: Limits,
    pending: String,
    breaches: Vec<Breach>,
}

impl SentenceGate {
    /// A gate for an answer that names these sources.
    pub fn new(sources: &[Source], cites: &[String], limits: &Limits) -> Self {
        Self {
            sources: sources.to_vec(),
            cites: cites.to_vec(),
            limits: limits.clone(),
            pending: String::new(),
            breaches: Vec::new(),
        }
    }

    /// Takes the next piece; hands out the sentences that are whole now.
    pub fn push(&mut self, piece: &str) -> Vec<String> {
        let mut out = Vec::new();
        for c in piece.chars() {
            self.pending.push(c);
            if matches!(c, '。' | '！' | '？' | '\n') {
                out.extend(self.finish());
            }
        }
        out
    }

    /// The text is over; hands out the last sentence.
    pub fn finish(&mut self) -> Vec<String> {
        let sentence = std::mem::take(&mut self.pending);
        if self.is_closed() || sentence.is_empty() {
            return Vec::new();
        }
        let draft =
            Draft { status: Status::Answered, answer: sentence.clone(), cites: self.cites.clone(), confidence: None };
        match check(&draft, &self.sources, &self.limits) {
            Ok(()) => vec![sentence],
            Err(breaches) => {
                self.breaches = breaches;
                Vec::new()
            }
        }
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
