//! Figures in answers: every number, percentage, amount, date and document number must come from a source (E013).

use super::model::Citation;

/// Short numbers that are public hotlines and no figures.
const HOTLINES: &[&str] = &[
    "110", "119", "120", "122", "12345", "12315", "12333", "12348", "12366", "12328", "12369", "12337", "12388",
    "12389", "12329", "12360", "95598", "12305", "12318", "12381",
];

/// Units that make a Chinese numeral a figure. 一次性 and 两个部门 are none.
const UNITS: &[&str] = &[
    "个工作日",
    "工作日",
    "个月",
    "小时",
    "分钟",
    "周岁",
    "万元",
    "亿元",
    "元",
    "天",
    "日内",
    "日",
    "年",
    "倍",
    "成",
    "万",
    "亿",
    "%",
    "亩",
    "平方",
];

/// The figures of a text as plain numbers: digits, and Chinese numerals with a unit or behind 百分之.
pub(super) fn figures(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().map(fold_digit).collect();
    let mut found: Vec<String> = Vec::new();
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
            if !listed && !named && !HOTLINES.contains(&number.as_str()) {
                push(&mut found, trim_zeros(&number));
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
            let rest: String = chars.get(n..(n + 4).min(chars.len())).unwrap_or_default().iter().collect();
            let before: String = chars.get(start.saturating_sub(3)..start).unwrap_or_default().iter().collect();
            // 星期一, 第一条, 统一, 某一天 … are no figures.
            let figure =
                before == "分之" || before.ends_with("分之") || UNITS.iter().any(|unit| rest.starts_with(unit));
            let ordinal = before.ends_with('第')
                || before.ends_with("星期")
                || before.ends_with('周')
                || before.ends_with('同')
                || before.ends_with('某')
                || before.ends_with('每')
                || before.ends_with('统');
            if figure
                && !ordinal
                && let Some(value) = value(numeral)
            {
                push(&mut found, value.to_string());
            }
            line_start = false;
            continue;
        }
        line_start = c == '\n' || (line_start && (c.is_whitespace() || matches!(c, '(' | '（')));
        n += 1;
    }
    found
}

/// Figures of the answer that none of its sources carries.
pub(super) fn uncovered(text: &str, citations: &[Citation]) -> Vec<String> {
    let wanted = figures(text);
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut covered: Vec<String> = Vec::new();
    for cite in citations {
        for carrier in cite.supports.iter().chain([&cite.title]).chain(&cite.doc_no).chain(&cite.clause) {
            covered.extend(figures(carrier));
            covered.extend(bare_numerals(carrier));
        }
        for date in [cite.effective_from, cite.effective_until].into_iter().flatten() {
            covered.extend([date.year().to_string(), date.month().to_string(), date.day().to_string()]);
        }
    }
    wanted.into_iter().filter(|figure| !covered.contains(figure)).collect()
}

/// Every Chinese numeral of a support, with or without a unit.
fn bare_numerals(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars
        .split(|c| !is_numeral(*c))
        .filter(|run| !run.is_empty())
        .filter_map(|run| value(run).map(|v| v.to_string()))
        .collect()
}

fn push(found: &mut Vec<String>, figure: String) {
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
    matches!(c, '〇' | '零' | '一' | '二' | '两' | '三' | '四' | '五' | '六' | '七' | '八' | '九' | '十' | '百' | '千')
}

/// The value of a Chinese numeral below ten thousand; 二〇二六 is read digit by digit.
fn value(numeral: &[char]) -> Option<u32> {
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
            ("２０２６年12月31日", &["2026", "12", "31"]),
            ("闽政办〔2025〕7号", &["2025", "7"]),
            ("第十九条、星期一", &[]),
            ("1,200.50元", &["1200.5"]),
        ] {
            assert_eq!(figures(text), expected, "{text}");
        }
    }

    #[test]
    fn a_figure_needs_a_source() {
        let cite = Citation {
            title: "示例".into(),
            doc_no: Some("示例〔2026〕1号".into()),
            issuer: None,
            clause: None,
            url: None,
            effective_from: None,
            effective_until: None,
            supports: vec!["三十日".into(), "满 12 个月".into()],
        };
        assert!(uncovered("30日内办结，须满12个月（〔2026〕1号）", std::slice::from_ref(&cite)).is_empty());
        assert_eq!(uncovered("45日内办结", &[cite]), ["45"]);
    }
}
