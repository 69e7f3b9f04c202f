//! The word that holds a figure to one side: 不超过5万元, 3人以上, 30日内. Dropped or turned, the figure stands and the
//! sentence is false.

use super::numeral::is_numeral;

/// To which side a figure is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Bound {
    /// To none.
    #[default]
    Open,
    /// 不超过, 最高, 以下.
    AtMost,
    /// 30日内: said or not, a term means it.
    Within,
    /// 不满, 低于.
    Under,
    /// 不低于, 至少, 以上.
    AtLeast,
    /// 满, 达到: said or not, a condition means it.
    Full,
    /// 超过, 高于.
    Over,
    /// 30日后.
    After,
    /// 30日前.
    Before,
    /// To both.
    Mixed,
}

/// Words in front of a figure, and how many characters may stand between.
const BEFORE: &[(&str, Bound, usize)] = &[
    ("不超过", Bound::AtMost, 6),
    ("不得超过", Bound::AtMost, 6),
    ("不能超过", Bound::AtMost, 6),
    ("不应超过", Bound::AtMost, 6),
    ("不会超过", Bound::AtMost, 6),
    ("未超过", Bound::AtMost, 6),
    ("没有超过", Bound::AtMost, 6),
    ("不超出", Bound::AtMost, 6),
    ("不高于", Bound::AtMost, 6),
    ("不得高于", Bound::AtMost, 6),
    ("不大于", Bound::AtMost, 6),
    ("不多于", Bound::AtMost, 6),
    ("不长于", Bound::AtMost, 6),
    ("最高", Bound::AtMost, 6),
    ("最多", Bound::AtMost, 6),
    ("至多", Bound::AtMost, 6),
    ("顶多", Bound::AtMost, 6),
    ("最长", Bound::AtMost, 6),
    ("最大", Bound::AtMost, 6),
    ("最迟", Bound::AtMost, 6),
    ("最晚", Bound::AtMost, 6),
    ("至迟", Bound::AtMost, 6),
    ("上限", Bound::AtMost, 4),
    ("封顶", Bound::AtMost, 3),
    ("不低于", Bound::AtLeast, 6),
    ("不得低于", Bound::AtLeast, 6),
    ("不能低于", Bound::AtLeast, 6),
    ("不应低于", Bound::AtLeast, 6),
    ("不少于", Bound::AtLeast, 6),
    ("不得少于", Bound::AtLeast, 6),
    ("不能少于", Bound::AtLeast, 6),
    ("不应少于", Bound::AtLeast, 6),
    ("不小于", Bound::AtLeast, 6),
    ("不短于", Bound::AtLeast, 6),
    ("不得短于", Bound::AtLeast, 6),
    ("至少", Bound::AtLeast, 6),
    ("最少", Bound::AtLeast, 6),
    ("最低", Bound::AtLeast, 6),
    ("起码", Bound::AtLeast, 6),
    ("下限", Bound::AtLeast, 4),
    ("低于", Bound::Under, 3),
    ("少于", Bound::Under, 3),
    ("小于", Bound::Under, 3),
    ("不足", Bound::Under, 2),
    ("不满", Bound::Under, 2),
    ("未满", Bound::Under, 2),
    ("不到", Bound::Under, 2),
    ("未达到", Bound::Under, 2),
    ("达不到", Bound::Under, 2),
    ("超过", Bound::Over, 3),
    ("超出", Bound::Over, 3),
    ("高于", Bound::Over, 3),
    ("大于", Bound::Over, 3),
    ("多于", Bound::Over, 3),
    ("逾", Bound::Over, 0),
    ("满", Bound::Full, 0),
    ("达到", Bound::Full, 1),
    ("达", Bound::Full, 0),
];

/// Words behind a figure and its unit.
const BEHIND: &[(&str, Bound)] = &[
    ("以上", Bound::AtLeast),
    ("起步", Bound::AtLeast),
    ("以下", Bound::AtMost),
    ("以内", Bound::Within),
    ("之内", Bound::Within),
    ("内", Bound::Within),
    ("封顶", Bound::AtMost),
    ("为限", Bound::AtMost),
    ("为上限", Bound::AtMost),
    ("以外", Bound::Over),
    ("以后", Bound::After),
    ("之后", Bound::After),
    ("后", Bound::After),
    ("以前", Bound::Before),
    ("之前", Bound::Before),
    ("前", Bound::Before),
];

/// What may stand between a unit and the word behind it; the longest first.
const BETWEEN: &[&str] = &["(含本数)", "(不含)", "(含)", "人民币", "或者", "及", "或", "含"];

/// Units of time: a term that is named means its end.
const TIME: &[&str] = &["日", "工作日", "月", "周", "季度", "年度", "分", "秒"];

/// The longest way back, in characters.
const REACH: usize = 10;

/// To which side the figure is held that stands, with its unit, between these places.
pub(super) fn of(chars: &[char], from: usize, to: usize, unit: &str) -> Bound {
    both(before(chars, from), behind(chars, to, TIME.contains(&unit)))
}

fn before(chars: &[char], from: usize) -> Bound {
    let mut start = from;
    while start > 0 && from - start < REACH {
        match chars.get(start - 1) {
            // A mark or another figure ends what belongs to this one.
            Some(&c) if c.is_alphabetic() && !c.is_ascii() && !is_numeral(c) => start -= 1,
            _ => break,
        }
    }
    let window: String = chars.get(start..from).unwrap_or_default().iter().collect();
    let found = BEFORE.iter().filter_map(|&(word, bound, reach)| {
        let end = window.rfind(word)? + word.len();
        let gap = window.get(end..)?.chars().count();
        (gap <= reach).then_some(((end, word.len()), bound))
    });
    found.max_by_key(|(place, _)| *place).map_or(Bound::Open, |(_, bound)| bound)
}

fn behind(chars: &[char], to: usize, time: bool) -> Bound {
    let rest: String = chars.get(to..(to + REACH).min(chars.len())).unwrap_or_default().iter().collect();
    let rest = BETWEEN.iter().find_map(|word| rest.strip_prefix(word)).unwrap_or(&rest);
    let found = BEHIND.iter().find(|(word, _)| rest.starts_with(word)).map_or(Bound::Open, |&(_, bound)| bound);
    if time {
        return found;
    }
    // 3公里内 is a limit; 5人后 is none.
    if found == Bound::Within {
        Bound::AtMost
    } else if matches!(found, Bound::After | Bound::Before) {
        Bound::Open
    } else {
        found
    }
}

/// What two words at one figure say together: 最长3个月内, 达到10人以上.
fn both(before: Bound, behind: Bound) -> Bound {
    match (before, behind) {
        (Bound::Open, one) | (one, Bound::Open) => one,
        (one, other) if one == other => one,
        (Bound::AtMost | Bound::Under, Bound::AtMost | Bound::Within)
        | (Bound::AtLeast | Bound::Over, Bound::AtLeast) => before,
        (Bound::Full, Bound::AtLeast) => behind,
        _ => Bound::Mixed,
    }
}

impl Bound {
    /// Whether a source that says this carries an answer that says the other.
    pub(super) fn carries(self, said: Self) -> bool {
        use Bound as B;
        self == said
            || matches!(
                (self, said),
                (B::Within, B::AtMost | B::Open)
                    | (B::AtMost | B::Open, B::Within)
                    | (B::Full, B::AtLeast | B::Open)
                    | (B::AtLeast | B::Open, B::Full)
                    | (B::Before, B::Open)
                    | (B::Open, B::Before)
            )
    }
}
