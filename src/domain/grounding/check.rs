//! The check of a whole draft, and of one sentence of it.

use super::{
    Breach, BreachKind, Draft, Limits, Source, Status,
    conduct::Conduct,
    figures::{Carried, facts},
    following::Following,
    gate::sentences,
    polarity::Polarity,
};

/// Pairs of ideographs from which a sentence has words enough to be judged by their share alone.
const LONG: usize = 10;

/// What an answer is held against: the sources that it names.
#[derive(Debug, Clone)]
pub(super) struct Checker {
    carried: Carried,
    conduct: Conduct,
    polarity: Polarity,
    /// Only for what must be copied.
    following: Option<Following>,
}

impl Checker {
    pub(super) fn new(sources: &[Source], cites: &[String], limits: &Limits) -> Self {
        let mut carried = Carried::default();
        let mut words = String::new();
        for source in sources.iter().filter(|source| cites.contains(&source.id)) {
            source.carry(&mut carried);
            source.words(&mut words);
        }
        let conduct = Conduct::new(&words, &limits.instructions, limits.placeholders);
        let following =
            limits.copied.then(|| Following::new(sources.iter().filter(|source| cites.contains(&source.id))));
        Self { carried, conduct, polarity: Polarity::new(&words), following }
    }

    /// Words that follow no source, in a text that is still being written or is whole.
    pub(super) fn stray(&self, text: &str, whole: bool) -> Option<Breach> {
        let words = self.following.as_ref()?.stray(text, whole)?;
        Some(Breach::new(BreachKind::NotFollowing, &words))
    }

    /// Breaches of a text: figures and conduct.
    pub(super) fn text(&self, text: &str) -> Vec<Breach> {
        let mut out = self.conduct.breaches(text);
        for found in facts(text) {
            if !self.carried.carries(&found.fact) {
                out.push(Breach::new(found.fact.breach(), &found.words));
            } else if !self.carried.holds(&found) {
                out.push(Breach::new(BreachKind::Bound, &found.words));
            }
        }
        out.extend(sentences(text).flat_map(|sentence| self.polarity.breaches(sentence)));
        out.dedup();
        out
    }

    /// Breaches of one sentence: the same, and a long sentence must have something in common with the sources.
    pub(super) fn sentence(&self, text: &str) -> Vec<Breach> {
        let mut out = self.text(text);
        let (shared, all) = self.conduct.shared(text);
        if (all >= LONG && shared * 7 < all) || (all < LONG && !self.conduct.stands(text)) {
            out.push(Breach::new(BreachKind::Unsupported, text.trim()));
        }
        out
    }

    /// Breaches of the whole: a quarter of what it says must be said in its sources in the same words.
    fn whole(&self, text: &str) -> Vec<Breach> {
        let mut out = self.text(text);
        let (shared, all) = self.conduct.shared(text);
        if all < 4 || shared * 4 < all {
            out.push(Breach::new(BreachKind::Unsupported, text.trim()));
        }
        let bare = sentences(text).find(|sentence| {
            let (_, all) = self.conduct.shared(sentence);
            all < LONG && !self.conduct.stands(sentence)
        });
        out.extend(bare.map(|sentence| Breach::new(BreachKind::Unsupported, sentence.trim())));
        out.extend(self.stray(&super::plain(text), true));
        out
    }
}

/// Breaches of the list of sources.
pub(super) fn cites(sources: &[Source], cites: &[String]) -> Vec<Breach> {
    if cites.is_empty() {
        return vec![Breach::new(BreachKind::NoCite, "")];
    }
    let unknown = cites.iter().filter(|cite| !sources.iter().any(|source| source.id == **cite));
    unknown.map(|cite| Breach::new(BreachKind::UnknownCite, cite)).collect()
}

/// Checks a draft against the sources that were handed to the model.
///
/// # Errors
/// Every breach.
pub fn check(draft: &Draft, sources: &[Source], limits: &Limits) -> Result<(), Vec<Breach>> {
    if draft.status != Status::Answered {
        return Err(vec![Breach::new(BreachKind::Status, draft.status.as_str())]);
    }
    let mut breaches = cites(sources, &draft.cites);
    if draft.answer.chars().count() > limits.max_chars {
        breaches.push(Breach::new(BreachKind::TooLong, ""));
    } else {
        breaches.extend(Checker::new(sources, &draft.cites, limits).whole(&draft.answer));
    }
    if breaches.is_empty() { Ok(()) } else { Err(breaches) }
}
