//! Whether a sentence says no, must or may where its sources do: 不需要 in front of a duty of the source turns it round,
//! and every figure of it is still there.
//!
//! A word of denying stands before the same words in a source, or the sentence is refused; a denial of the source does
//! not vanish from words that are taken over. Which figure belongs to which thing is not looked at here.

use super::{Breach, BreachKind, conduct::squeeze, gate::sentences};

/// What a word does to the words behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    /// 不需要, 无需, 免于.
    Needless,
    /// 不得, 不能, 禁止.
    Forbidden,
    /// 不, 未, 没有.
    Not,
    /// 应当, 必须.
    Must,
    /// 可以.
    May,
    /// It only looks like one: 不动产, 非常, 避免.
    Nothing,
}

impl Sense {
    const fn denies(self) -> bool {
        matches!(self, Self::Needless | Self::Forbidden | Self::Not)
    }

    /// Whether a source that says the other one bears this one.
    fn is_borne_by(self, other: Self) -> bool {
        self == other || (self.denies() && other.denies() && (self == Self::Not || other == Self::Not))
    }
}

/// The words, the longest first where one begins another. Words of bounds (不超过, 不少于) are held to elsewhere.
const WORDS: &[(&str, Sense)] = &[
    ("不得不", Sense::Must),
    ("不动产", Sense::Nothing),
    ("不好意思", Sense::Nothing),
    ("不收费", Sense::Nothing),
    ("不收取", Sense::Nothing),
    ("不仅", Sense::Nothing),
    ("不但", Sense::Nothing),
    ("不同", Sense::Nothing),
    ("不断", Sense::Nothing),
    ("不过", Sense::Nothing),
    ("不论", Sense::Nothing),
    ("不管", Sense::Nothing),
    ("不清楚", Sense::Nothing),
    ("不明白", Sense::Nothing),
    ("不懂", Sense::Nothing),
    ("不久", Sense::Nothing),
    ("不少", Sense::Nothing),
    ("是不是", Sense::Nothing),
    ("能不能", Sense::Nothing),
    ("要不要", Sense::Nothing),
    ("可不可", Sense::Nothing),
    ("有没有", Sense::Nothing),
    ("不需要", Sense::Needless),
    ("不需", Sense::Needless),
    ("不须", Sense::Needless),
    ("不必", Sense::Needless),
    ("不用", Sense::Needless),
    ("无需", Sense::Needless),
    ("无须", Sense::Needless),
    ("毋需", Sense::Needless),
    ("毋须", Sense::Needless),
    ("避免", Sense::Nothing),
    ("以免", Sense::Nothing),
    ("难免", Sense::Nothing),
    ("免得", Sense::Nothing),
    ("免疫", Sense::Nothing),
    ("免费", Sense::Nothing),
    ("免于", Sense::Needless),
    ("免予", Sense::Needless),
    ("免除", Sense::Needless),
    ("免", Sense::Needless),
    ("不可以", Sense::Forbidden),
    ("不应当", Sense::Forbidden),
    ("不允许", Sense::Forbidden),
    ("不得", Sense::Forbidden),
    ("不能", Sense::Forbidden),
    ("不可", Sense::Forbidden),
    ("不准", Sense::Forbidden),
    ("不许", Sense::Forbidden),
    ("不应", Sense::Forbidden),
    ("不宜", Sense::Forbidden),
    ("禁止", Sense::Forbidden),
    ("严禁", Sense::Forbidden),
    ("不予", Sense::Not),
    ("不再", Sense::Not),
    ("不会", Sense::Not),
    ("不是", Sense::Not),
    ("不", Sense::Not),
    ("未来", Sense::Nothing),
    ("未成年", Sense::Nothing),
    ("未", Sense::Not),
    ("没收到", Sense::Not),
    ("没收", Sense::Nothing),
    ("没有", Sense::Not),
    ("没", Sense::Not),
    ("并非", Sense::Not),
    ("应当", Sense::Must),
    ("应该", Sense::Must),
    ("必须", Sense::Must),
    ("务必", Sense::Must),
    ("可以", Sense::May),
    ("能够", Sense::May),
    ("允许", Sense::May),
];

/// Behind a word of denying these make a bound of it.
const BOUNDS: &[&str] = &[
    "超过", "超出", "高于", "大于", "多于", "长于", "低于", "少于", "小于", "短于", "晚于", "早于", "迟于", "足", "到",
    "满",
];

/// Words that cost something, and words that do not; a sentence of one kind rests on a source of the same.
const FREE: &[&str] = &["免费", "不收费", "不收取", "免收", "零收费", "零费用", "无需付费", "不要钱", "不用钱"];
const CHARGED: &str = "收费";

/// Characters of the words behind a word of denying that are looked for.
const BEHIND: usize = 3;
/// Characters in which something of the sources is looked for when these do not stand there.
const REACH: usize = 7;
/// Between such a word and these in a source: 不得 再 要求.
const NEAR: usize = 3;
/// Characters taken over from behind a denial of the source that have to keep it.
const RUN: usize = 6;
/// What stands between without a sense of its own.
const FILLING: &str = "您你再也都就";

/// What stands between two sentences.
const END: char = '。';

/// The letters of a text, its sentences kept apart: what a 不能 of one denies does not stand in the next.
fn letters(text: &str) -> Vec<char> {
    let mut out = vec![END];
    for sentence in sentences(text) {
        out.extend(squeeze(sentence));
        if out.last() != Some(&END) {
            out.push(END);
        }
    }
    out
}

/// A word with a sense: where it begins and where the words behind it do.
#[derive(Debug, Clone, Copy)]
struct Word {
    at: usize,
    end: usize,
    sense: Sense,
}

/// The cited sources, as far as they say no, must or may.
#[derive(Debug, Clone, Default)]
pub(super) struct Polarity {
    letters: Vec<char>,
    words: Vec<Word>,
}

impl Polarity {
    pub(super) fn new(sources: &str) -> Self {
        let letters = letters(sources);
        let words = words(&letters);
        Self { letters, words }
    }

    /// Breaches of one sentence.
    pub(super) fn breaches(&self, sentence: &str) -> Vec<Breach> {
        let letters = letters(sentence);
        let mut out = Vec::new();
        let own = words(&letters);
        for word in &own {
            if let Some(kind) = self.breach(&letters, *word) {
                let around = letters.get(word.at.saturating_sub(4)..(word.end + 4).min(letters.len()));
                out.push(Breach::new(kind, &around.unwrap_or_default().iter().collect::<String>()));
            }
        }
        if let Some(run) = self.vanished(&letters, &own) {
            out.push(Breach::new(BreachKind::Polarity, &run.iter().collect::<String>()));
        }
        if let Some(word) = self.price(&letters) {
            out.push(Breach::new(BreachKind::Polarity, word));
        }
        out
    }

    fn breach(&self, letters: &[char], word: Word) -> Option<BreachKind> {
        let mut from = word.end;
        while letters.get(from).is_some_and(|c| FILLING.contains(*c)) {
            from += 1;
        }
        let behind = letters.get(from..(from + BEHIND).min(letters.len())).unwrap_or_default();
        let behind = behind.split(|c| *c == END).next().unwrap_or_default();
        let places = self.places(behind);
        if behind.len() < 2 {
            // Nothing behind it to look for: what stands before it.
            let before = letters.get(word.at.saturating_sub(BEHIND)..word.at).unwrap_or_default();
            let said = self.places(before).any(|at| {
                let end = at + before.len();
                self.words.iter().any(|w| (end..=end + 1).contains(&w.at) && word.sense.is_borne_by(w.sense))
            });
            return (word.sense.denies() && !said).then_some(BreachKind::Unsupported);
        }
        let senses: Vec<Option<Sense>> = places.map(|at| self.sense_before(at)).collect();
        let borne = senses.iter().flatten().any(|sense| word.sense.is_borne_by(*sense));
        if borne || word.sense == Sense::Nothing {
            return None;
        }
        if !word.sense.denies() {
            // 可以 in front of a plain statement says nothing new; in place of 应当 or 不得 it does.
            let other = !senses.is_empty() && senses.iter().all(Option::is_some);
            return other.then_some(BreachKind::Polarity);
        }
        if !senses.is_empty() {
            return Some(BreachKind::Polarity);
        }
        self.in_other_words(letters, from, word.sense)
    }

    /// A denial in words of one's own: what of it stands in the sources is not said there plainly. Whether a denial of
    /// something else is borne at all is for the share of common words.
    fn in_other_words(&self, letters: &[char], from: usize, sense: Sense) -> Option<BreachKind> {
        let reach = letters.get(from..(from + REACH).min(letters.len())).unwrap_or_default();
        let reach = reach.split(|c| *c == END).next().unwrap_or_default();
        let mut known = false;
        for pair in reach.windows(2) {
            let senses: Vec<Option<Sense>> = self.places(pair).map(|at| self.sense_before(at)).collect();
            if senses.iter().flatten().any(|other| sense.is_borne_by(*other)) {
                return None;
            }
            known |= !senses.is_empty();
        }
        if sense != Sense::Not {
            return known.then_some(BreachKind::Polarity);
        }
        let plainly = reach
            .windows(BEHIND)
            .take(3)
            .filter(|run| !run.iter().any(|c| "不没未无免".contains(*c)))
            .any(|run| self.places(run).next().is_some());
        plainly.then_some(BreachKind::Polarity)
    }

    /// Where these characters stand in the sources.
    fn places<'a>(&'a self, piece: &'a [char]) -> impl Iterator<Item = usize> + 'a {
        self.letters
            .windows(piece.len().max(1))
            .enumerate()
            .filter(move |(_, window)| !piece.is_empty() && *window == piece)
            .map(|(at, _)| at)
    }

    /// What the source says right before this place.
    fn sense_before(&self, at: usize) -> Option<Sense> {
        let near = self.words.iter().rev().find(|word| word.end <= at)?;
        (at - near.end <= NEAR && near.sense != Sense::Nothing).then_some(near.sense)
    }

    /// Words taken over from behind a denial of the source, without it.
    fn vanished<'a>(&self, letters: &'a [char], own: &[Word]) -> Option<&'a [char]> {
        let taken = |run: &[char]| letters.windows(RUN).position(|window| window == run);
        self.words.iter().filter(|word| word.sense.denies()).find_map(|word| {
            let run = self.letters.get(word.end..word.end + RUN).filter(|run| !run.contains(&END))?;
            let at = taken(run)?;
            let kept = own.iter().any(|w| w.sense.denies() && w.end <= at && at - w.end <= NEAR);
            let plain = self.places(run).any(|at| self.sense_before(at).is_none_or(|sense| !sense.denies()));
            (!kept && !plain).then(|| letters.get(at..at + RUN))?
        })
    }

    /// Free in place of charged, or the other way round.
    fn price(&self, letters: &[char]) -> Option<&'static str> {
        let plain: String = letters.iter().collect();
        let sources: String = self.letters.iter().collect();
        let free = FREE.iter().copied().find(|word| plain.contains(word));
        if let Some(word) = free {
            return (!FREE.iter().any(|word| sources.contains(word))).then_some(word);
        }
        let charged = plain.contains(CHARGED) && !sources.replace("不收费", "").contains(CHARGED);
        (charged && FREE.iter().any(|word| sources.contains(word))).then_some(CHARGED)
    }
}

/// Every word with a sense, in order; the longest at each place.
fn words(letters: &[char]) -> Vec<Word> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        match WORDS.iter().find(|(word, _)| begins(letters, at, word)) {
            Some((word, sense)) => {
                let end = at + word.chars().count();
                let bound = sense.denies()
                    && BOUNDS.iter().any(|bound| begins(letters, end, bound))
                    && !begins(letters, end, "满意");
                out.push(Word { at, end, sense: if bound { Sense::Nothing } else { *sense } });
                at = end;
            }
            None => at += 1,
        }
    }
    out
}

fn begins(letters: &[char], at: usize, word: &str) -> bool {
    let mut chars = letters.get(at..).unwrap_or_default().iter();
    word.chars().all(|c| chars.next() == Some(&c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOURCE: &str = "自用工之日起30日内，应当向社会保险经办机构办理登记。登记免费，经办机构不得要求重复提交材料。符合条件的企业可以申请延期缴费，无需另行提交证明；不符合条件的企业按规定缴纳滞纳金。逾期不予受理。";

    fn kinds(sentence: &str) -> Vec<BreachKind> {
        Polarity::new(SOURCE).breaches(sentence).into_iter().map(|breach| breach.kind).collect()
    }

    #[test]
    fn what_turns_a_source_round_is_refused() {
        for sentence in [
            "自用工之日起30日内，不需要向社会保险经办机构办理登记。",
            "自用工之日起30日内，可以向社会保险经办机构办理登记。",
            "自用工之日起30日内，无需办理登记。",
            "登记收费。",
            "经办机构可以要求重复提交材料。",
            "经办机构应当要求重复提交材料。",
            "经办机构要求重复提交材料。",
            "符合条件的企业不得申请延期缴费。",
            "符合条件的企业不能申请延期缴费。",
            "不符合条件的企业可以申请延期缴费，必须另行提交证明。",
            "符合条件的企业按规定缴纳滞纳金，不符合条件的企业按规定免缴滞纳金。",
            "逾期予以受理，不用按规定缴纳滞纳金。",
            "办理登记不需要。",
        ] {
            assert!(!kinds(sentence).is_empty(), "{sentence}");
        }
    }

    #[test]
    fn what_says_the_same_passes() {
        for sentence in [
            SOURCE,
            "自用工之日起30日内应当办理登记。",
            "您可以在30日内到社会保险经办机构登记。",
            "必须向社会保险经办机构办理登记。",
            "登记不收费。",
            "经办机构不能要求重复提交材料。",
            "符合条件的企业可以申请延期缴费，不需要您另行提交证明。",
            "逾期不再受理。",
            "有不清楚的地方，可以到不动产登记窗口咨询。",
            "补贴不超过30日内发放，非常感谢。",
        ] {
            assert_eq!(kinds(sentence), [], "{sentence}");
        }
    }

    proptest! {
        #[test]
        fn a_denial_put_into_a_sentence_of_the_source_is_refused(
            word in prop::sample::select(vec!["不需要", "无需", "不必", "不得", "不能", "禁止", "不"]),
            at in 0_usize..22,
        ) {
            let sentence: Vec<char> = "自用工之日起30日内向社会保险经办机构办理登记".chars().collect();
            let mut turned: String = sentence.iter().take(at).collect();
            turned.push_str(word);
            turned.extend(sentence.iter().skip(at));
            prop_assert!(!kinds(&turned).is_empty(), "{turned}");
        }

        #[test]
        fn a_denial_taken_out_of_a_sentence_of_the_source_is_refused(
            word in prop::sample::select(vec!["不需要", "无需", "不得", "不能", "不", "未"]),
            at in 0_usize..13,
        ) {
            let sentence: Vec<char> = "自用工之日起30日内向社会保险经办机构办理登记".chars().collect();
            let mut source: String = sentence.iter().take(at).collect();
            source.push_str(word);
            source.extend(sentence.iter().skip(at));
            let plain: String = sentence.iter().collect();
            prop_assert!(!Polarity::new(&source).breaches(&plain).is_empty(), "{source}");
        }
    }
}
