//! Sums of money and small numbers as people write them: digits, Chinese numerals, 万 and 亿, mixed.

use std::sync::LazyLock;

use regex::Regex;

use super::draft::Amount;

/// The digit a Chinese numeral stands for.
pub(super) const fn han_digit(c: char) -> Option<u8> {
    Some(match c {
        '零' | '〇' => 0,
        '一' | '壹' | '幺' => 1,
        '二' | '两' | '贰' => 2,
        '三' | '叁' => 3,
        '四' | '肆' => 4,
        '五' | '伍' => 5,
        '六' | '陆' => 6,
        '七' | '柒' => 7,
        '八' | '捌' => 8,
        '九' | '玖' => 9,
        _ => return None,
    })
}

const fn unit(c: char) -> Option<f64> {
    Some(match c {
        '十' | '拾' => 10.0,
        '百' | '佰' => 100.0,
        '千' | '仟' => 1_000.0,
        '万' | '萬' => 10_000.0,
        '亿' | '億' => 100_000_000.0,
        _ => return None,
    })
}

/// Reads `12.5万`, `三百二十万`, `3万5`, `一亿两千万`; `None` when it is no number.
pub(super) fn parse_han_number(text: &str) -> Option<f64> {
    let mut total = 0.0; // what 万 or 亿 has closed
    let mut section = 0.0; // below the next 万
    let mut pending: Option<f64> = None;
    let mut last_unit = 1.0;
    let mut explicit_zero = false;
    let mut seen = false;
    let mut digits = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_digit() || (c == '.' && !digits.is_empty()) {
            digits.push(c);
            if !chars.peek().is_some_and(|n| n.is_ascii_digit() || matches!(n, '.' | ',' | '，')) {
                pending = Some(digits.parse::<f64>().ok()?);
                digits.clear();
                seen = true;
            }
        } else if matches!(c, ',' | '，') {
            if digits.is_empty() {
                return None;
            }
        } else if let Some(d) = han_digit(c) {
            explicit_zero = d == 0;
            pending = Some(f64::from(d));
            seen = true;
        } else if c == '半' {
            pending = Some(0.5);
            seen = true;
        } else if let Some(u) = unit(c) {
            if u >= 10_000.0 {
                let mut part = section + pending.take().unwrap_or(0.0);
                if part == 0.0 && total == 0.0 {
                    part = 1.0;
                }
                if u >= 100_000_000.0 {
                    total = (total + part) * u;
                } else {
                    total += part * u;
                }
                section = 0.0;
            } else {
                section += pending.take().unwrap_or(1.0) * u;
            }
            last_unit = u;
            explicit_zero = false;
            seen = true;
        } else {
            return None;
        }
    }
    if !digits.is_empty() {
        pending = Some(digits.parse::<f64>().ok()?);
    }
    if let Some(rest) = pending {
        // 三万五 is 35 000, 三万零五 is 30 005, 3万500 is 30 500.
        section += if last_unit > 10.0 && !explicit_zero && (1.0..10.0).contains(&rest) {
            rest * last_unit / 10.0
        } else {
            rest
        };
    }
    let value = total + section;
    (seen && value.is_finite()).then_some(value)
}

/// The first sum of money in a text.
pub(super) fn amount(text: &str) -> Option<Amount> {
    static SUM: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?:人民币|¥|￥|RMB)? ?([0-9几一二两三四五六七八九十百千万亿半壹贰叁肆伍陆柒捌玖拾佰仟][0-9,，.零〇一二两三四五六七八九十百千万亿萬億半多余来几壹贰叁肆伍陆柒捌玖拾佰仟]*) ?(元钱|元|块钱|块|圆整|圆|美元|美金|欧元|港币|新台币|台币|日元)?",
        )
        .expect("the pattern is a constant and compiles in the tests")
    });
    // What 万 counts when no 元 follows.
    const COUNTED: &[char] = &[
        '平', '亩', '人', '吨', '台', '件', '只', '次', '度', '股', '家', '辆', '方', '米', '公', '个', '头', '户',
        '张', '份', '条', '名', '瓦', '火', '分', '里', '种', '斤', '双', '套', '箱', '千', '一', '不', '别', '年',
        '位', '字', '伏', '安',
    ];
    for c in SUM.captures_iter(text) {
        let (Some(whole), Some(run)) = (c.get(0), c.get(1)) else {
            continue;
        };
        let currency = c.get(2).map(|m| m.as_str());
        let mut run = run.as_str();
        while let Some(stripped) = run.strip_suffix([',', '，', '.']) {
            run = stripped;
        }
        let big = run.contains(['万', '亿', '萬', '億']);
        let mut end = whole.end();
        if currency.is_none() {
            let mut rest = text.get(end..).unwrap_or_default();
            // 三十万两年: the last numeral belongs to what is counted next.
            if rest.starts_with(['年', '个', '天', '月', '次', '家', '位'])
                && let Some(shorter) =
                    run.strip_suffix(['一', '二', '两', '三', '四', '五', '六', '七', '八', '九', '半'])
                && let shorter = shorter.trim_end_matches([',', '，'])
                && shorter.ends_with(['万', '亿', '萬', '億'])
            {
                end -= run.len() - shorter.len();
                run = shorter;
                rest = "";
            }
            // 120万一直不给: the numeral belongs to the next word.
            if let Some(shorter) = run.strip_suffix('一')
                && let shorter = shorter.trim_end_matches([',', '，'])
                && shorter.ends_with(['万', '亿', '萬', '億'])
                && rest
                    .starts_with(['直', '共', '起', '并', '些', '样', '部', '点', '旦', '再', '边', '定', '般', '拖'])
            {
                end -= run.len() - shorter.len();
                run = shorter;
                rest = "";
            }
            if !big || rest.starts_with(COUNTED) || matches!(run, "千万" | "万" | "亿" | "万一" | "百万" | "十万")
            {
                continue;
            }
        }
        if run.starts_with(['万', '亿']) || (run == "几" && currency.is_none()) {
            continue;
        }
        let vague = run.contains(['几', '多', '余', '来']);
        let plain: String = run.chars().filter(|c| !matches!(c, '多' | '余' | '来')).collect();
        let value = if run.contains('几') { None } else { parse_han_number(&plain) };
        if value.is_none() && !vague {
            continue;
        }
        let domestic = !matches!(currency, Some("美元" | "美金" | "欧元" | "港币" | "新台币" | "台币" | "日元"));
        let fen = value.filter(|v| domestic && *v > 0.0 && *v < 1e13).map(|v| (v * 100.0).round() as i64);
        return Some(Amount {
            text: text.get(whole.start()..end).unwrap_or_default().trim().trim_end_matches([',', '，', '.']).to_owned(),
            fen,
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_as_written() {
        for (text, written, yuan) in [
            ("欠我们12.5万元", Some("12.5万元"), Some(125_000.0)),
            ("尾款三百二十万没给", Some("三百二十万"), Some(3_200_000.0)),
            ("一共3万5", Some("3万5"), Some(35_000.0)),
            ("十二万五", Some("十二万五"), Some(125_000.0)),
            ("一亿两千万", Some("一亿两千万"), Some(120_000_000.0)),
            ("货款 1,234,567.89 元", Some("1,234,567.89 元"), Some(1_234_567.89)),
            ("罚了五千块", Some("五千块"), Some(5_000.0)),
            ("贰拾万元整", Some("贰拾万元"), Some(200_000.0)),
            ("五十多万", Some("五十多万"), Some(500_000.0)),
            ("几万块钱", Some("几万块钱"), None),
            ("三万美元", Some("三万美元"), None),
            ("千万别告诉他们", None, None),
            ("万一不行", None, None),
            ("厂房三万平方", None, None),
            ("两万人", None, None),
            ("十万火急", None, None),
            ("电话13800138000", None, None),
            ("9月5日", None, None),
            ("三百五十元", Some("三百五十元"), Some(350.0)),
            ("三百五块", Some("三百五块"), Some(350.0)),
            ("半年了", None, None),
            ("欠我们货款120万一直不给", Some("120万"), Some(1_200_000.0)),
            ("欠120万，一年了", Some("120万"), Some(1_200_000.0)),
            ("欠款一百二十万一共三笔", Some("一百二十万"), Some(1_200_000.0)),
            ("尾款三十万两年了", Some("三十万"), Some(300_000.0)),
        ] {
            let found = amount(text);
            assert_eq!(found.as_ref().map(|a| a.text.as_str()), written, "{text}");
            let fen = found.and_then(|a| a.fen);
            assert_eq!(fen, yuan.map(|y: f64| (y * 100.0).round() as i64), "{text}");
        }
    }
}
