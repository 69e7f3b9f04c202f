//! Takes facts out of what an enterprise said: names, codes, telephones, places, dates, sums.
//!
//! Works on the original text, never on the normalised one: normalising turns ①② into 12 and ½ into 1⁄2
//! and would change figures. Nothing here decides; a wrong guess is shown on the form and corrected.

use std::sync::LazyLock;

use jiff::{ToSpan, civil::Date};
use regex::{Captures, Regex};

mod names;

pub use names::{contact_name, enterprise, object};
pub(super) use names::{enterprise_in_answer, is_person_name, is_public, looks_like_a_firm, looks_like_a_unit};

use super::{
    number::{self, parse_han_number},
    state::Facts,
};

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant and compiles in the tests")
}

/// What a pattern finds. Most find nothing in most messages: that is asked first, because it needs no memory.
fn captured<'t>(pattern: &Regex, text: &'t str) -> Option<Captures<'t>> {
    if pattern.is_match(text) { pattern.captures(text) } else { None }
}

/// All facts in one message.
pub fn facts(text: &str, today: Date) -> Facts {
    let text = &half_width(text);
    let (uscc, uscc_invalid) = match uscc(text) {
        Some((code, true)) => (Some(code), None),
        Some((code, false)) => (None, Some(code)),
        None => (None, None),
    };
    let phone = phone(text);
    let companies = names::companies(text);
    Facts {
        enterprise: names::enterprise_of(text, &companies),
        uscc,
        uscc_invalid,
        contact_name: contact_name(text),
        contact_phone: phone,
        contact_email: email(text),
        contact_wechat: wechat(text),
        place: place(text),
        object: names::object_of(text, &companies),
        happened_on: date(text, today).map(|d| d.to_string()),
        amount: number::amount(text).map(|a| a.text),
    }
}

/// Full-width digits, letters, `＋－（）：，．＠` and spaces to their ASCII twins; Han is left alone.
pub(super) fn half_width(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{3000}' => ' ',
            '，' | '：' | '；' | '！' | '？' | '（' | '）' => c,
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            _ => c,
        })
        .collect()
}

const USCC_ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Whether an 18-character 统一社会信用代码 has the right alphabet and check character (GB 32100-2015).
pub fn uscc_is_valid(code: &str) -> bool {
    let value = |c: char| USCC_ALPHABET.find(c);
    if code.chars().count() != 18 {
        return false;
    }
    let mut sum = 0;
    let mut weight = 1;
    for c in code.chars().take(17) {
        let Some(v) = value(c) else { return false };
        sum += v * weight;
        weight = weight * 3 % 31;
    }
    let expected = (31 - sum % 31) % 31;
    code.chars().last().and_then(value) == Some(expected)
}

/// The first code of the right shape, and whether its check character is right.
pub fn uscc(text: &str) -> Option<(String, bool)> {
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| regex(r"[0-9A-Za-z](?:[ \-]?[0-9A-Za-z]){14,24}"));
    static LABEL: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:信用代码|税号|机构代码|代码)[^0-9A-Za-z]{0,6}$"));
    let mut wrong = None;
    if text.bytes().filter(u8::is_ascii_alphanumeric).count() < 15 {
        return None;
    }
    for found in SHAPE.find_iter(text) {
        let code: String =
            found.as_str().chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
        if uscc_is_valid(&code) {
            return Some((code, true));
        }
        let labelled = LABEL.is_match(text.get(..found.start()).unwrap_or_default());
        let shaped = code.len() == 18
            && code.starts_with(['1', '5', '9', 'Y'])
            && code.contains(|c: char| c.is_ascii_alphabetic());
        // An 18-digit number that begins with an area code is an identity card, not a wrong code.
        if labelled || (shaped && !id_shaped(&code)) {
            wrong.get_or_insert((code, false));
        }
    }
    wrong
}

fn id_shaped(code: &str) -> bool {
    code.len() == 18 && code.chars().take(17).all(|c| c.is_ascii_digit())
}

/// The first telephone number: mobile (with gaps, +86, spoken digits), landline, 400, or foreign with `+`.
pub fn phone(text: &str) -> Option<String> {
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\+?[0-9(](?:[ \-.()]{0,2}[0-9]){5,19}(?:\s*(?:转|分机)\s*[0-9]{1,6})?"));
    static SPOKEN: LazyLock<Regex> =
        LazyLock::new(|| regex(r"[一幺][三四五六七八九](?:[ 、,，]?[零〇一二三四五六七八九幺两]){9}"));
    static LABEL: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?:电话|手机|座机|号码|联系方式|联系|致电|tel|Tel|TEL|phone|Phone)[^0-9+]{0,6}$"));
    for found in NUMBER.find_iter(text) {
        let before = text.get(..found.start()).unwrap_or_default();
        if before.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            continue;
        }
        let after = text.get(found.end()..).unwrap_or_default();
        if after.starts_with(|c: char| c.is_ascii_alphanumeric()) || after.starts_with(['元', '万', '块', '年']) {
            continue;
        }
        let labelled = LABEL.is_match(before);
        if let Some(phone) = phone_number(found.as_str(), labelled) {
            return Some(phone);
        }
    }
    if !text.contains(['一', '幺']) {
        return None;
    }
    let spoken = SPOKEN.find(text)?;
    let digits: String = spoken.as_str().chars().filter_map(number::han_digit).map(|d| char::from(b'0' + d)).collect();
    phone_number(&digits, true)
}

/// Reads one written number as a telephone number, or says why it is none.
pub fn phone_number(written: &str, labelled: bool) -> Option<String> {
    let (main, extension) = written.split_once(['转', '分']).map_or((written, None), |(main, ext)| {
        (main, Some(ext.chars().filter(char::is_ascii_digit).collect::<String>()))
    });
    let international = main.trim_start().starts_with('+');
    let mut digits: String = main.chars().filter(char::is_ascii_digit).collect();
    let mut plus = international;
    if !plus && digits.starts_with("00") && digits.len() >= 10 {
        digits = digits.split_off(2);
        plus = true;
    }
    if let Some(national) = digits.strip_prefix("86")
        && is_mobile(national)
        && (plus || digits.len() == 13)
    {
        return Some(national.to_owned());
    }
    if plus {
        return (7..=15).contains(&digits.len()).then(|| format!("+{digits}"));
    }
    if is_mobile(&digits) {
        return Some(digits);
    }
    let landline = digits.starts_with('0') && (10..=12).contains(&digits.len()) && !digits.starts_with("00");
    if landline {
        let area = if digits.starts_with("01") || digits.starts_with("02") { 3 } else { 4 };
        let (area, rest) = digits.split_at_checked(area)?;
        if !(7..=8).contains(&rest.len()) {
            return labelled.then(|| digits.clone());
        }
        return Some(match extension {
            Some(ext) if !ext.is_empty() => format!("{area}-{rest}-{ext}"),
            Some(_) | None => format!("{area}-{rest}"),
        });
    }
    if digits.starts_with("400") && digits.len() == 10 {
        return Some(digits);
    }
    // Without area code or of another country: only when the enterprise says that it is a telephone.
    (labelled && matches!(digits.len(), 7..=10) && !digits.starts_with('1')).then_some(digits)
}

fn is_mobile(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    bytes.len() == 11 && bytes.first() == Some(&b'1') && bytes.get(1).is_some_and(|b| (b'3'..=b'9').contains(b))
}

/// The first e-mail address.
pub fn email(text: &str) -> Option<String> {
    static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63}@[A-Za-z0-9][A-Za-z0-9\-]{0,62}(?:\.[A-Za-z0-9\-]{1,63})*\.[A-Za-z]{2,24}",
        )
    });
    text.contains('@').then(|| EMAIL.find(text).map(|m| m.as_str().to_owned())).flatten()
}

/// A WeChat id after the word 微信.
pub fn wechat(text: &str) -> Option<String> {
    static WECHAT: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?i)(?:微信|weixin|wechat|vx)(?:号|id)?(?:也?是|为|叫)?[:： ]*([A-Za-z][A-Za-z0-9_\-]{5,19}|1[3-9][0-9]{9})",
        )
    });
    captured(&WECHAT, text).and_then(|c| c.get(1)).map(|m| m.as_str().to_owned())
}

/// The place it is about.
pub fn place(text: &str) -> Option<String> {
    static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?:地址|地点|厂址|位置|事发地)(?:(?:改|换)(?:成|为)|是|在|为)?[:： ]*([^，,。；;！!？?\n]{2,60})")
    });
    static AT: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:位于|坐落于|坐落在|就在|开在|建在|厂在|在)([\p{Han}0-9A-Za-z\-]{2,30}?(?:工业园区|工业园|产业园|开发区|工业区|高新区|园区|街道|新区|大道[0-9]+号|路[0-9]+号|大厦|广场|[0-9]+号楼|[0-9]+号|村|镇|乡))",
        )
    });
    // Names of places have no 的, 在, 了 in them.
    static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
        const PART: &str = r"[\p{Han}&&[^的了里在是我们你他到去从向被把和与及或有没不也都还来请叫市区县镇乡]]";
        regex(&format!(
            r"((?:{PART}{{2,5}}省)?(?:{PART}{{1,6}}(?:市|区|县)){{1,3}}{PART}{{1,10}}(?:镇|乡|街道|开发区|工业园区?|产业园区?|高新区|村)(?:{PART}{{1,6}}村)?)"
        ))
    });
    static BARE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:在|是|地点|就在)?([\p{Han}&&[^的了里在是我们你他这那]]{2,14}(?:镇|乡|街道|村|园区|开发区|工业园|产业园))[。！!]?$",
        )
    });
    captured(&LABELLED, text)
        .or_else(|| captured(&AT, text))
        .or_else(|| captured(&ADDRESS, text).filter(|c| !goes_on_as_a_unit(text, c)))
        .or_else(|| captured(&BARE, text.trim()))
        .and_then(|c| c.get(1))
        .map(|m| m.as_str().trim().to_owned())
        .filter(|p| p.chars().count() >= 2)
}

/// 黄石镇政府 is a unit, not a place.
fn goes_on_as_a_unit(text: &str, found: &Captures<'_>) -> bool {
    let after = found.get(0).and_then(|m| text.get(m.end()..)).unwrap_or_default();
    ["政府", "人民政府", "党委", "派出所", "财政", "卫生院", "综合", "管委会", "办", "委", "城管", "小学", "中学"]
        .iter()
        .any(|unit| after.starts_with(unit))
}

/// The day it happened, never after `today`.
pub fn date(text: &str, today: Date) -> Option<Date> {
    static FULL: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(20[0-9]{2}) ?(?:年|[\-./])(?: ?)([0-9]{1,2}|[一二三四五六七八九十]{1,3}) ?(?:月|[\-./]) ?([0-9]{1,2}|[一二三四五六七八九十]{1,3})(?:日|号|[^0-9]|$)",
        )
    });
    static MONTH_DAY: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(今年|去年|前年)? ?([0-9]{1,2}|[一二三四五六七八九十]{1,3}) ?月(?:份)? ?([0-9]{1,2}|[一二三四五六七八九十]{1,3}) ?(?:日|号)",
        )
    });
    static THIS_MONTH: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(本月|这个月|上个月|上月)([0-9]{1,2}|[一二三四五六七八九十]{1,3})(?:日|号)"));
    static WEEKDAY: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(上上|上个?|这个?|本)?(?:周|星期|礼拜)([一二三四五六日天])"));
    static AGO: LazyLock<Regex> =
        LazyLock::new(|| regex(r"([0-9]{1,3}|[一二两三四五六七八九十]{1,3})(天|日|个星期|周|个月)(?:以?前|之前)"));
    let past = |d: Date| (d <= today).then_some(d);
    let small = |s: &str| -> Option<i64> { s.parse().ok().or_else(|| parse_han_number(s).map(|n| n as i64)) };

    if let Some(c) = captured(&FULL, text) {
        let year = c.get(1)?.as_str().parse().ok()?;
        let month = i8::try_from(small(c.get(2)?.as_str())?).ok()?;
        let day = i8::try_from(small(c.get(3)?.as_str())?).ok()?;
        return Date::new(year, month, day).ok().and_then(past);
    }
    if let Some(c) = captured(&MONTH_DAY, text) {
        let month = i8::try_from(small(c.get(2)?.as_str())?).ok()?;
        let day = i8::try_from(small(c.get(3)?.as_str())?).ok()?;
        let year = today.year();
        return match c.get(1).map(|m| m.as_str()) {
            Some("今年") => Date::new(year, month, day).ok().and_then(past),
            Some("去年") => Date::new(year - 1, month, day).ok(),
            Some("前年") => Date::new(year - 2, month, day).ok(),
            Some(_) | None => {
                Date::new(year, month, day).ok().and_then(past).or_else(|| Date::new(year - 1, month, day).ok())
            }
        };
    }
    if let Some(c) = captured(&THIS_MONTH, text) {
        let day = i8::try_from(small(c.get(2)?.as_str())?).ok()?;
        let first = Date::new(today.year(), today.month(), 1).ok()?;
        let first = if c.get(1)?.as_str().starts_with('上') { first.checked_sub(1.month()).ok()? } else { first };
        return Date::new(first.year(), first.month(), day).ok().and_then(past);
    }
    for (word, days) in [
        ("大前天", 3),
        ("前天", 2),
        ("昨天", 1),
        ("昨晚", 1),
        ("昨日", 1),
        ("今天", 0),
        ("今早", 0),
        ("今日", 0),
        ("刚才", 0),
        ("今晚", 0),
    ] {
        if text.match_indices(word).any(|(at, _)| tells_a_day(word, text.get(at + word.len()..).unwrap_or_default())) {
            return today.checked_sub(i64::from(days).days()).ok();
        }
    }
    if let Some(c) = captured(&AGO, text) {
        let n = small(c.get(1)?.as_str())?;
        let unit = c.get(2)?.as_str();
        return match unit {
            "天" | "日" => today.checked_sub(n.days()).ok(),
            "个月" => today.checked_sub(n.months()).ok(),
            _ => today.checked_sub((n * 7).days()).ok(),
        };
    }
    if let Some(c) = captured(&WEEKDAY, text) {
        let wanted = "一二三四五六日天".chars().position(|x| c.get(2).is_some_and(|m| m.as_str().starts_with(x)))?;
        let wanted = i64::try_from(wanted.min(6)).ok()?;
        let monday = today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?;
        let weeks = match c.get(1).map(|m| m.as_str()) {
            Some("上上") => 2,
            Some("上" | "上个") => 1,
            Some(_) | None => 0,
        };
        return monday.checked_add((wanted - weeks * 7).days()).ok().and_then(past);
    }
    None
}

/// Whether 今天 or 刚才 says when it happened: not what was said a moment ago, nor what shall be done today.
fn tells_a_day(word: &str, after: &str) -> bool {
    let clause = after.split(['，', ',', '。', '；', ';', '！', '!', '？', '\n']).next().unwrap_or_default();
    match word {
        "刚才" => !clause.starts_with([
            '说', '讲', '问', '的', '发', '填', '那', '提', '登', '写', '聊', '打', '输', '我', '您', '你', '已',
        ]),
        "今天" | "今日" | "今晚" => {
            !["能", "可以", "会", "必须", "务必", "之内", "以内", "前", "吗", "想", "要", "呢", "先"]
                .iter()
                .any(|wish| clause.contains(wish))
        }
        _ => true,
    }
}

/// Whether the words ask for secrecy.
pub fn wants_secrecy(text: &str) -> bool {
    static UNKNOWN_TO: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:不让|别让|不要让|不想让|不能让|怕|别告诉|不要告诉|不告诉)(?:他们?|她们?|对方|那人|那个人|单位|当事人|领导|被(?:举报|投诉|反映)的?人?)(?:知道|晓得|是我|我是谁)?")
            .expect("the pattern is a constant and compiles in the tests")
    });
    if UNKNOWN_TO.find(text).is_some_and(|found| {
        let words = found.as_str();
        words.contains("知道") || words.contains("晓得") || words.contains("告诉") || words.contains("是我")
    }) {
        return true;
    }
    [
        "保密",
        "别说是我",
        "不要说是我",
        "穿小鞋",
        "不泄露",
        "不要泄露",
        "匿名",
        "别透露",
        "不要透露",
        "打击报复",
        "不想让他们知道",
        "别让他们知道",
    ]
    .iter()
    .any(|w| text.contains(w))
}

/// Whether the words ask to stay anonymous.
pub fn wants_anonymity(text: &str) -> bool {
    ["匿名", "不留名", "不想留名", "不想留电话", "不留电话", "不方便留", "不想说是哪家", "不说是哪家"]
        .iter()
        .any(|w| text.contains(w))
}

/// Long runs of digits (identity cards, bank accounts) with their middle hidden; telephones are left alone.
pub fn mask_long_numbers(text: &str) -> String {
    static LONG: LazyLock<Regex> = LazyLock::new(|| regex(r"[0-9](?:[ \-]?[0-9]){13,22}[0-9Xx]?"));
    LONG.replace_all(text, |c: &regex::Captures<'_>| {
        let whole = c.get(0).map_or("", |m| m.as_str());
        let digits: String = whole.chars().filter(char::is_ascii_alphanumeric).collect();
        let head: String = digits.chars().take(4).collect();
        let tail: String = digits.chars().skip(digits.chars().count().saturating_sub(2)).collect();
        format!("{head}****{tail}")
    })
    .into_owned()
}

#[cfg(test)]
mod tests;
