//! Facts of a text in one spelling: numbers with their units, dates, documents, addresses, phones.
//!
//! Answer and source go through the same reading, so what matters is that equal things read equally (5万元 and
//! 50000元, 百分之三十 and 30%, 三个月 and 3个月) and that different things do not (3日 and 3个工作日).

use super::{
    BreachKind,
    bound::Bound,
    numeral::{self, Scan},
    spans::{self, Fixed},
};
use crate::domain::text;

/// A value in millionths.
pub(super) type Micro = i128;

/// One thing that must not be invented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    /// A number and its unit in one spelling; no unit: it stands alone.
    Number { value: Micro, unit: &'static str },
    /// A day, month or year.
    Date(CivilDate),
    /// 月底, 周一, 次日.
    Day(String),
    /// 几百万, 数月, 全额, 翻倍: how much without a number.
    Vague(String),
    /// Minutes since midnight.
    Time(u32),
    /// A document number: issuer's short name, year, number.
    Document { issuer: String, year: u32, number: u32 },
    /// A title in 《》.
    Title(String),
    /// 第三条.
    Article(String),
    /// An address on the net, or an account, without scheme.
    Url(String),
    /// Digits of a phone number.
    Phone(String),
}

/// A date of which parts may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CivilDate {
    pub(super) year: Option<u32>,
    pub(super) month: Option<u32>,
    pub(super) day: Option<u32>,
}

/// A fact and the words it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) fact: Fact,
    pub(super) words: String,
    /// To which side a number is held.
    pub(super) bound: Bound,
}

impl Found {
    /// A fact that no word holds to one side.
    pub(super) const fn new(fact: Fact, words: String) -> Self {
        Self { fact, words, bound: Bound::Open }
    }
}

/// Circled and bracketed numbers count items; in front of a unit they are numbers.
fn uncircle(text: &str) -> String {
    let circled = |c: char| matches!(c, '\u{2460}'..='\u{249B}' | '\u{24EA}'..='\u{24FF}' | '\u{2776}'..='\u{2793}' | '\u{3220}'..='\u{3229}');
    let chars: Vec<char> = text.chars().collect();
    let near = |at: Option<usize>| at.and_then(|at| chars.get(at)).copied();
    let mut out = String::with_capacity(text.len());
    for (at, &c) in chars.iter().enumerate() {
        let (before, after) = (near(at.checked_sub(1)), near(Some(at + 1)));
        let counts =
            before.is_some_and(circled) || after.is_some_and(|c| circled(c) || "万亿千百元%‰日天月年".contains(c));
        match c {
            // ⑨⑨万元: figures, which the normal form writes as digits.
            c if circled(c) && !counts => out.push('；'),
            // A full-width point between digits is no full stop.
            '．' => out.push('.'),
            '\u{660}'..='\u{669}' | '\u{6F0}'..='\u{6F9}' | '\u{966}'..='\u{96F}' => {
                let start = if c < '\u{6F0}' {
                    0x660
                } else if c < '\u{966}' {
                    0x6F0
                } else {
                    0x966
                };
                out.push(char::from_digit(c as u32 - start, 10).unwrap_or(c));
            }
            _ => out.push(c),
        }
    }
    out
}

/// Every fact of a text, in the order of its kinds.
pub(super) fn facts(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let untitled = spans::titles(text, &mut found);
    let folded = numeral::plain_digits(&numeral::spelt_out(&text::normalised(&uncircle(&untitled))));
    let Fixed { found: fixed, rest } = spans::fixed(&folded);
    found.extend(fixed);
    Scan::new(&rest).run(&mut found);
    found
}

impl Fact {
    /// The breach it is when nothing carries it.
    pub(super) fn breach(&self) -> BreachKind {
        match self {
            Self::Number { unit, value } => match *unit {
                "元" | "美元" => BreachKind::Amount,
                "日" | "工作日" | "月" | "分" | "秒" | "周" | "季度" | "年度" => BreachKind::Deadline,
                "" if *value >= 10_000_000_000 => BreachKind::Amount,
                _ => BreachKind::Figure,
            },
            Self::Vague(_) => BreachKind::Figure,
            Self::Date(_) | Self::Day(_) | Self::Time(_) => BreachKind::Date,
            Self::Document { .. } | Self::Title(_) | Self::Article(_) => BreachKind::DocNo,
            Self::Url(_) => BreachKind::Url,
            Self::Phone(_) => BreachKind::Phone,
        }
    }

    /// Whether this fact of a source carries `wanted`.
    fn carries(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Number { value, unit }, Self::Number { value: wanted, unit: asked }) => {
                value == wanted && (unit == asked || asked.is_empty())
            }
            (Self::Date(day), Self::Date(asked)) => day.covers(*asked),
            (Self::Date(day), Self::Number { value, unit: "" }) => {
                [day.year, day.month, day.day].into_iter().flatten().any(|part| Micro::from(part) * 1_000_000 == *value)
            }
            (Self::Document { issuer, year, number }, Self::Document { issuer: asked, year: y, number: n }) => {
                year == y && number == n && (asked.ends_with(issuer.as_str()) || issuer.ends_with(asked.as_str()))
            }
            (Self::Title(title), Self::Title(asked)) => {
                title == asked || (asked.chars().count() >= 4 && title.ends_with(asked.as_str()))
            }
            (Self::Url(url), Self::Url(asked)) => url == asked || url.split('/').next() == Some(asked.as_str()),
            (Self::Phone(phone), Self::Phone(asked)) => {
                phone == asked || (asked.len() >= 7 && phone.ends_with(asked.as_str()))
            }
            (Self::Phone(phone), Self::Number { value, unit: "" }) => {
                phone.len() >= 5 && phone.parse::<Micro>().is_ok_and(|p| p * 1_000_000 == *value)
            }
            _ => self == wanted,
        }
    }
}

impl CivilDate {
    /// Whether every part that the other names is the same here.
    fn covers(self, asked: Self) -> bool {
        let same = |mine: Option<u32>, asked: Option<u32>| asked.is_none() || mine == asked;
        same(self.year, asked.year) && same(self.month, asked.month) && same(self.day, asked.day)
    }
}

/// What the cited sources carry.
#[derive(Debug, Clone, Default)]
pub(super) struct Carried {
    facts: Vec<Fact>,
    /// Figures that stand without a unit in `supports`: they carry any unit.
    bare: Vec<Micro>,
    /// Numbers of the texts, with the side to which they are held there.
    bounds: Vec<(Micro, &'static str, Bound)>,
}

impl Carried {
    /// Adds a text of a source.
    pub(super) fn text(&mut self, text: &str) {
        for found in facts(text) {
            if let Fact::Number { value, unit } = found.fact {
                self.bounds.push((value, unit, found.bound));
            }
            self.facts.push(found.fact);
        }
    }

    /// Adds a figure that a citation supports.
    pub(super) fn support(&mut self, figure: &str) {
        for found in facts(figure) {
            if let Fact::Number { value, unit: "" } = found.fact {
                self.bare.push(value);
            }
            self.facts.push(found.fact);
        }
    }

    /// Adds a fact.
    pub(super) fn fact(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Whether something carries the fact.
    pub(super) fn carries(&self, wanted: &Fact) -> bool {
        let bare = matches!(wanted, Fact::Number { value, .. } if self.bare.contains(value));
        bare || self.facts.iter().any(|fact| fact.carries(wanted))
    }

    /// Whether the sources hold a number to the same side, wherever they name it in their texts.
    pub(super) fn holds(&self, said: &Found) -> bool {
        let Fact::Number { value, unit } = &said.fact else { return true };
        let mut named = self.bounds.iter().filter(|(v, u, _)| v == value && u == unit && !u.is_empty()).peekable();
        named.peek().is_none() || named.any(|(_, _, bound)| bound.carries(said.bound))
    }
}
