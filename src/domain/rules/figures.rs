//! Figures in answers: every number, percentage, amount, date and document number must come from a source (E013).

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::model::Citation;

/// The unit of a day, written `2026-5-1`, `2026-5` or `5-1`: a date is one figure, never put together from pieces.
const DAY: &str = "（日期）";
/// The unit of a document number, written `人社〔2025〕12`.
const DOCUMENT: &str = "号";

/// Short numbers that are public hotlines and no figures.
const HOTLINES: &[&str] = &[
    "110", "119", "120", "122", "12345", "12315", "12333", "12348", "12366", "12328", "12369", "12337", "12388",
    "12389", "12329", "12360", "95598", "12305", "12318", "12381",
];

/// Units that make a Chinese numeral a figure, each with what it is the same as. 一次性 and 两个部门 are none.
const UNITS: &[(&str, &str)] = &[
    ("个工作日", "工作日"),
    ("工作日", "工作日"),
    ("个自然日", "日"),
    ("自然日", "日"),
    ("个月", "个月"),
    ("小时", "小时"),
    ("分钟", "分钟"),
    ("周岁", "周岁"),
    ("万元", "万元"),
    ("亿元", "亿元"),
    ("元", "元"),
    ("天", "日"),
    ("日", "日"),
    ("年", "年"),
    ("倍", "倍"),
    ("成", "成"),
    ("万", "万"),
    ("亿", "亿"),
    ("%", "%"),
    ("‰", "‰"),
    ("‱", "‱"),
    ("亩", "亩"),
    ("平方", "平方"),
];

/// What is counted in more than a manner of speaking only from three on: 一次, 两家.
const COUNTED: &[(&str, &str)] = &[("次", "次"), ("人", "人"), ("名", "名"), ("家", "家"), ("户", "户"), ("件", "件")];

/// A number with what it counts; the unit is empty where none follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) number: String,
    pub(super) unit: &'static str,
}

/// The shares below a hundredth, which are not the number alone.
const SHARES: &[(&str, &str)] = &[("百分之", "%"), ("千分之", "‰"), ("万分之", "‱")];

/// Takes dates and document numbers out of a text, each as one figure.
fn take_whole(text: &str, found: &mut Vec<Figure>) -> String {
    static DOCUMENTS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(\S{0,2})[〔\[（(]((?:19|20)[0-9]{2})[〕\]）)]\s*(?:第\s*)?([0-9]+)\s*号")
            .expect("the pattern is a constant and compiles in the tests")
    });
    static DATES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"((?:19|20)[0-9]{2})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})",
            r"|([0-9]{4}|[〇零一二三四五六七八九]{4})\s*年\s*([0-9]{1,2}|[一二三四五六七八九十]{1,3})\s*月(?:\s*([0-9]{1,2}|[一二三四五六七八九十]{1,3})\s*[日号])?",
            r"|([0-9]{1,2}|[一二三四五六七八九十]{1,3})\s*月\s*([0-9]{1,2}|[一二三四五六七八九十]{1,3})\s*[日号]",
        ))
        .expect("the pattern is a constant and compiles in the tests")
    });
    let rest = DOCUMENTS.replace_all(text, |of: &Captures<'_>| {
        let number = format!("{}〔{}〕{}", part(of, 1), part(of, 2), trim_zeros(part(of, 3)));
        push(found, Figure { number, unit: DOCUMENT });
        "，"
    });
    DATES
        .replace_all(&rest, |of: &Captures<'_>| {
            let parts: Vec<String> = (1..9)
                .map(|n| part(of, n))
                .filter(|part| !part.is_empty())
                .map(|part| value(&part.chars().collect::<Vec<_>>()).unwrap_or_else(|| trim_zeros(part)))
                .collect();
            push(found, Figure { number: parts.join("-"), unit: DAY });
            "，"
        })
        .into_owned()
}

fn part<'t>(of: &Captures<'t>, n: usize) -> &'t str {
    of.get(n).map_or("", |part| part.as_str())
}

/// Whether a figure of a source carries one of the answer: a day carries its month and the same day without the year.
fn carries(source: &Figure, figure: &Figure) -> bool {
    source == figure
        || (source.unit == DAY
            && figure.unit == DAY
            && (source.number.starts_with(&format!("{}-", figure.number))
                || source.number.ends_with(&format!("-{}", figure.number))))
}

/// The figures of a text: digits, and Chinese numerals with a unit or behind 百分之.
pub(super) fn figures(text: &str) -> Vec<Figure> {
    let folded: String = text.chars().map(fold_digit).collect();
    let mut found: Vec<Figure> = Vec::new();
    let chars: Vec<char> = take_whole(&folded, &mut found).chars().collect();
    let mut n = 0;
    let mut line_start = true;
    while let Some(&c) = chars.get(n) {
        if c.is_ascii_digit() {
            let start = n;
            while chars.get(n).is_some_and(char::is_ascii_digit)
                || (matches!(chars.get(n), Some('.' | ',')) && chars.get(n + 1).is_some_and(char::is_ascii_digit))
            {
                n += 1;
            }
            let number: String = chars.get(start..n).unwrap_or_default().iter().filter(|c| **c != ',').collect();
            // “1. ” and “1、” at the start of a line count items.
            let listed = line_start && matches!(chars.get(n), Some('.' | '、' | ')' | '）'));
            // GB2312 or A4 are names.
            let named = start.checked_sub(1).and_then(|p| chars.get(p)).is_some_and(char::is_ascii_alphabetic);
            let unit = share_before(&chars, start).unwrap_or_else(|| unit_at(&chars, n, true));
            // A hotline counts nothing: 打12345, but 120日内.
            let hotline = unit.is_empty() && HOTLINES.contains(&number.as_str());
            if !listed && !named && !hotline {
                push(&mut found, Figure { number: trim_zeros(&number), unit });
            }
            line_start = false;
            continue;
        }
        if is_numeral(c) {
            let start = n;
            while chars.get(n).copied().is_some_and(is_numeral) {
                n += 1;
            }
            let numeral = chars.get(start..n).unwrap_or_default();
            if numeral == ['一', '半'] {
                push(&mut found, Figure { number: "50".to_owned(), unit: "%" });
            }
            let number = value(numeral);
            let many = number.as_deref().and_then(|n| n.parse::<f32>().ok()).is_some_and(|n| n > 2.0);
            let share = ends_with(&chars, start, "分之");
            let unit = share_before(&chars, start).unwrap_or_else(|| unit_at(&chars, n, many));
            // 星期一, 第一条, 统一, 某一天, 上一年度 are no figures, nor is 每一天.
            let before = start.checked_sub(1).and_then(|p| chars.get(p)).copied().unwrap_or(' ');
            let ordinal = "第期周同某统哪这那".contains(before) || ("每上下前后".contains(before) && numeral == ['一']);
            if (share || !unit.is_empty())
                && !ordinal
                && let Some(number) = number
            {
                push(&mut found, Figure { number, unit });
            }
            line_start = false;
            continue;
        }
        line_start = c == '\n' || (line_start && (c.is_whitespace() || matches!(c, '(' | '（')));
        n += 1;
    }
    found
}

/// The share that stands before a number: 万分之五 is not 千分之五.
fn share_before(chars: &[char], at: usize) -> Option<&'static str> {
    SHARES.iter().find(|(words, _)| ends_with(chars, at, words)).map(|(_, unit)| *unit)
}

/// Whether the characters before `at` are these.
fn ends_with(chars: &[char], at: usize, words: &str) -> bool {
    let before: String = chars.get(at.saturating_sub(words.chars().count())..at).unwrap_or_default().iter().collect();
    before == words
}

/// The unit that follows, blanks between them or not.
fn unit_at(chars: &[char], at: usize, counted: bool) -> &'static str {
    let rest: String = chars.iter().skip(at).skip_while(|c| c.is_whitespace()).take(4).collect();
    let counted: &[(&str, &str)] = if counted { COUNTED } else { &[] };
    UNITS.iter().chain(counted).find(|(unit, _)| rest.starts_with(unit)).map_or("", |(_, same)| same)
}

/// Figures of the answer that the `supports` of none of its sources carry. A document's own title, number and article
/// and the days from and until which it holds may be named as they are.
pub(super) fn uncovered(text: &str, citations: &[Citation]) -> Vec<String> {
    let close = |text: &str| text.replace([' ', '\u{3000}'], "");
    let mut names: Vec<String> = citations
        .iter()
        .flat_map(|cite| [Some(&cite.title), cite.doc_no.as_ref(), cite.clause.as_ref()])
        .flatten()
        .map(|name| close(name))
        .filter(|name| !name.is_empty())
        .collect();
    // 示例〔2026〕1号 before 示例.
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut rest = close(text);
    for name in &names {
        rest = rest.replace(name.as_str(), "，");
    }
    for cite in citations {
        for date in [cite.effective_from, cite.effective_until].into_iter().flatten() {
            rest = rest.replace(&format!("{}年{}月{}日", date.year(), date.month(), date.day()), "，");
        }
    }
    let wanted = figures(&rest);
    if wanted.is_empty() {
        return Vec::new();
    }
    let covered: Vec<Figure> =
        citations.iter().flat_map(|cite| &cite.supports).flat_map(|support| figures(support)).collect();
    wanted
        .into_iter()
        .filter(|figure| !covered.iter().any(|source| carries(source, figure)))
        .map(|figure| match figure.unit {
            "‰" => format!("千分之{}", figure.number),
            "‱" => format!("万分之{}", figure.number),
            unit => format!("{}{unit}", figure.number),
        })
        .collect()
}

fn push(found: &mut Vec<Figure>, figure: Figure) {
    if !found.contains(&figure) {
        found.push(figure);
    }
}

const fn fold_digit(c: char) -> char {
    match c {
        '０'..='９' => match char::from_u32(c as u32 - '０' as u32 + '0' as u32) {
            Some(digit) => digit,
            None => c,
        },
        '％' => '%',
        _ => c,
    }
}

/// 07 and 7 are the same figure, 5.0 and 5 as well.
fn trim_zeros(number: &str) -> String {
    let trimmed = number.trim_start_matches('0');
    let trimmed =
        if trimmed.is_empty() || trimmed.starts_with('.') { format!("0{trimmed}") } else { trimmed.to_owned() };
    if trimmed.contains('.') { trimmed.trim_end_matches('0').trim_end_matches('.').to_owned() } else { trimmed }
}

const fn is_numeral(c: char) -> bool {
    matches!(
        c,
        '〇' | '零'
            | '一'
            | '二'
            | '两'
            | '三'
            | '四'
            | '五'
            | '六'
            | '七'
            | '八'
            | '九'
            | '十'
            | '百'
            | '千'
            | '半'
    )
}

/// The value of a Chinese numeral below ten thousand; 二〇二六 is read digit by digit.
fn value(numeral: &[char]) -> Option<String> {
    if numeral == ['半'] {
        return Some("0.5".to_owned());
    }
    whole(numeral).map(|value| value.to_string())
}

fn whole(numeral: &[char]) -> Option<u32> {
    let digit = |c: char| {
        "零一二三四五六七八九".chars().position(|d| d == c).map(|p| p as u32).or(match c {
            '〇' => Some(0),
            '两' => Some(2),
            _ => None,
        })
    };
    if numeral.len() > 8 {
        return None;
    }
    if !numeral.iter().any(|c| matches!(c, '十' | '百' | '千')) {
        return numeral.iter().try_fold(0_u32, |sum, &c| Some(sum.checked_mul(10)? + digit(c)?));
    }
    let mut sum = 0;
    let mut pending: Option<u32> = None;
    for &c in numeral {
        let unit = match c {
            '十' => 10,
            '百' => 100,
            '千' => 1000,
            _ => {
                pending = Some(digit(c)?);
                continue;
            }
        };
        sum += pending.take().unwrap_or(1) * unit;
    }
    Some(sum + pending.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found() {
        for (text, expected) in [
            ("咨询类2个工作日、诉求类10个工作日内办结", &["2", "10"][..]),
            ("受理后三十日内书面反馈，最长不超过90日", &["30", "90"]),
            ("按百分之二十补贴", &["20"]),
            ("每日利率万分之五", &["5"]),
            ("1. 先登录\n2、再提交", &[]),
            ("一次性告知，两个部门一起办", &[]),
            ("打12345或119", &[]),
            ("２０２６年12月31日", &["2026-12-31"]),
            ("二〇二六年五月一日起，每年6月30日前", &["2026-5-1", "6-30"]),
            ("闽政办〔2025〕7号", &["政办〔2025〕7"]),
            ("返一半、每日万分之五", &["50", "5"]),
            ("第十九条、星期一", &[]),
            ("1,200.50元", &["1200.5"]),
            ("每六个月、半小时、半年", &["6", "0.5", "0.5"]),
            ("查三次、五人以上", &["3", "5"]),
            ("一次告知，两家都行，上一年度", &[]),
            ("120日内、110个工作日、119万元、122天", &["120", "110", "119", "122"]),
        ] {
            let found: Vec<String> = figures(text).into_iter().map(|figure| figure.number).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_figure_needs_a_source() {
        let cite = Citation {
            title: "示例".into(),
            doc_no: Some("示例〔2026〕1号".into()),
            issuer: None,
            clause: Some("第十条".into()),
            url: None,
            effective_from: Some(jiff::civil::date(2026, 4, 1)),
            effective_until: None,
            supports: [
                "三十日",
                "满 12 个月",
                "2026年3月1日",
                "2026年5月20日",
                "2025",
                "12",
                "国办〔2024〕3号",
                "每日千分之五",
            ]
            .map(String::from)
            .to_vec(),
        };
        let cite = std::slice::from_ref(&cite);
        for (text, missing) in [
            ("30日内办结，须满12个月（示例〔2026〕1号）", &[][..]),
            ("30天内办结", &[]),
            ("45日内办结", &["45日"]),
            // The figure of a clause, of a number or of another unit carries nothing.
            ("10日内办结（第十条）", &["10日"]),
            ("1个工作日办结", &["1工作日"]),
            ("补贴12%", &["12%"]),
            ("30个工作日办结", &["30工作日"]),
            ("2026年4月1日起施行", &[]),
            // Dates, document numbers and shares are not put together from pieces.
            ("2026年3月20日前", &["2026-3-20（日期）"]),
            ("3月1日前，2026年5月", &[]),
            ("闽人社〔2025〕12号", &["人社〔2025〕12号"]),
            ("按国办〔2024〕3号办", &[]),
            ("每日万分之五", &["万分之5"]),
            ("每日千分之五", &[]),
            ("返一半", &["50%"]),
        ] {
            assert_eq!(uncovered(text, cite), missing, "{text}");
        }
    }
}
