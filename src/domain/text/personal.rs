//! Personal data in free text: finding it, checking its check digits, masking it.
//!
//! Masking errs on the side of too much: an order number that looks like a phone is masked as well.

use std::{ops::Range, sync::OnceLock};

use regex::Regex;

use super::fold::{Folded, is_folded};
use crate::vocabulary;

vocabulary! {
    /// Kinds of personal data that are recognised.
    PersonalKind {
        IdCard = "id_card", "身份证号";
        Uscc = "uscc", "统一社会信用代码";
        BankCard = "bank_card", "银行卡号";
        Phone = "phone", "手机号";
        Landline = "landline", "座机号";
        Email = "email", "邮箱";
    }
}

/// One piece of personal data in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personal {
    /// What it is.
    pub kind: PersonalKind,
    /// Where it stands, in bytes of the text as given.
    pub span: Range<usize>,
    /// Its value without separators, digits as ASCII.
    pub value: String,
}

/// Separators that people put between digits.
const GAP: &str = r"[\s\u{200B}\u{FEFF}\-－–—_.·]{0,3}";
const DIGIT: &str = "[0-9０-９]";

struct Patterns {
    email: Regex,
    code18: Regex,
    phone: Regex,
    spoken_phone: Regex,
    landline: Regex,
    long_digits: Regex,
}

fn patterns() -> &'static Patterns {
    static PATTERNS: OnceLock<Patterns> = OnceLock::new();
    PATTERNS.get_or_init(|| {
        let make = |pattern: &str| Regex::new(pattern).expect("the pattern is a constant and covered by tests");
        Patterns {
            email: make(r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){0,4}\.[A-Za-z]{2,12}"),
            code18: make(&format!(r"[0-9A-Za-z０-９Ａ-Ｚａ-ｚ](?:{GAP}[0-9A-Za-z０-９Ａ-Ｚａ-ｚ]){{17}}")),
            phone: make(&format!(r"[1１]{GAP}[3-9３-９](?:{GAP}{DIGIT}){{9}}")),
            spoken_phone: make("[一幺][三四五六七八九][〇零一幺二三四五六七八九]{9}"),
            landline: make(r"0[0-9]{2,3}[\s\-－—]?[2-8][0-9]{6,7}"),
            long_digits: make(&format!(r"{DIGIT}(?:{GAP}{DIGIT}){{12,22}}")),
        }
    })
}

/// ASCII letters and digits of the text, full-width forms folded, letters in upper case.
fn squeeze(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c as u32 {
            0xFF10..=0xFF19 | 0xFF21..=0xFF3A | 0xFF41..=0xFF5A => char::from_u32(c as u32 - 0xFEE0),
            _ if c.is_ascii_alphanumeric() => Some(c),
            _ => None,
        })
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

/// Whether the 18 characters are a 统一社会信用代码 with a right check character (GB 32100-2015, MOD 31).
pub fn uscc_is_valid(code: &str) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let code = squeeze(code);
    if code.len() != 18 {
        return false;
    }
    let values: Option<Vec<usize>> = code.bytes().map(|b| ALPHABET.iter().position(|&a| a == b)).collect();
    let Some((&check, body)) = values.as_deref().and_then(<[usize]>::split_last) else { return false };
    let sum: usize = body.iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum();
    (31 - sum % 31) % 31 == check
}

/// Whether the 18 characters are a 身份证号 with a right check character (GB 11643-1999, MOD 11-2) and a
/// possible birthday.
pub fn id_card_is_valid(code: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: &[u8; 11] = b"10X98765432";
    let code = squeeze(code);
    let bytes = code.as_bytes();
    let Some((&check, body)) = bytes.split_last() else { return false };
    if bytes.len() != 18 || !body.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = |range: Range<usize>| code.get(range).and_then(|d| d.parse::<u32>().ok()).unwrap_or(0);
    let birthday =
        matches!(number(6..10), 1900..=2099) && matches!(number(10..12), 1..=12) && matches!(number(12..14), 1..=31);
    let sum: u32 = body.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    birthday && CHECKS.get((sum % 11) as usize) == Some(&check)
}

/// Whether the 13 to 19 digits pass the Luhn check of bank cards.
pub fn bank_card_is_valid(number: &str) -> bool {
    let digits = squeeze(number);
    if !(13..=19).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(n, b)| {
            let digit = u32::from(b - b'0');
            let doubled = if n % 2 == 1 { digit * 2 } else { digit };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    sum > 0 && sum.is_multiple_of(10)
}

/// Every piece of personal data, in order and without overlaps; the longer kind wins. Looked for in the folded text,
/// found in the text as given.
pub fn find_personal(text: &str) -> Vec<Personal> {
    if is_folded(text) {
        return find_folded(text);
    }
    let folded = Folded::new(text);
    let mut end = 0;
    find_folded(folded.as_str())
        .into_iter()
        .filter_map(|piece| {
            let span = folded.original(&piece.span);
            let span = span.start.max(end)..span.end;
            end = span.end.max(end);
            (!span.is_empty()).then_some(Personal { span, ..piece })
        })
        .collect()
}

fn find_folded(text: &str) -> Vec<Personal> {
    // Nothing without at least a few digits, an @ or spoken digits: the common case costs one pass.
    let digits = text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '０'..='９')).count();
    let spoken = text.chars().filter(|c| "〇零一幺二三四五六七八九".contains(*c)).count();
    let mut found: Vec<Personal> = Vec::new();
    let patterns = patterns();
    if text.contains('@') {
        add(&mut found, text, &patterns.email, |raw| Some((PersonalKind::Email, raw.to_owned())));
    }
    if digits >= 7 {
        add_sliding(&mut found, text, &patterns.code18);
        add(&mut found, text, &patterns.long_digits, |raw| {
            let value = squeeze(raw);
            bank_card_is_valid(&value).then_some((PersonalKind::BankCard, value))
        });
        add(&mut found, text, &patterns.phone, |raw| Some((PersonalKind::Phone, squeeze(raw))));
        add(&mut found, text, &patterns.landline, |raw| Some((PersonalKind::Landline, squeeze(raw))));
    }
    if spoken >= 11 {
        add(&mut found, text, &patterns.spoken_phone, |raw| {
            let value = raw
                .chars()
                .map(|c| match c {
                    '一' | '幺' => '1',
                    '二' => '2',
                    '三' => '3',
                    '四' => '4',
                    '五' => '5',
                    '六' => '6',
                    '七' => '7',
                    '八' => '8',
                    '九' => '9',
                    _ => '0',
                })
                .collect();
            Some((PersonalKind::Phone, value))
        });
    }
    found.sort_by_key(|p| p.span.start);
    found
}

fn add(found: &mut Vec<Personal>, text: &str, pattern: &Regex, judge: impl Fn(&str) -> Option<(PersonalKind, String)>) {
    for hit in pattern.find_iter(text) {
        let span = hit.range();
        if found.iter().any(|p| p.span.start < span.end && span.start < p.span.end) {
            continue;
        }
        if let Some((kind, value)) = judge(hit.as_str()) {
            found.push(Personal { kind, span, value });
        }
    }
}

/// 18-character codes may stand right behind other letters or digits, so every start is tried.
fn add_sliding(found: &mut Vec<Personal>, text: &str, pattern: &Regex) {
    let mut at = 0;
    while let Some(hit) = text.get(at..).and_then(|_| pattern.find_at(text, at)) {
        let value = squeeze(hit.as_str());
        let kind = if id_card_is_valid(&value) {
            Some(PersonalKind::IdCard)
        } else if uscc_is_valid(&value) {
            Some(PersonalKind::Uscc)
        } else {
            None
        };
        let step = hit.as_str().chars().next().map_or(1, char::len_utf8);
        at = match kind {
            Some(kind) if !found.iter().any(|p| p.span.start < hit.end() && hit.start() < p.span.end) => {
                found.push(Personal { kind, span: hit.range(), value });
                hit.end()
            }
            _ => hit.start() + step,
        };
    }
}

/// Mobile numbers in the text, digits only, in order and without repetition.
pub fn phones(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for piece in find_personal(text) {
        if piece.kind == PersonalKind::Phone && !out.contains(&piece.value) {
            out.push(piece.value);
        }
    }
    out
}

/// The text with every piece of personal data replaced by its kind, such as 〔手机号〕. Idempotent.
pub fn mask_personal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for piece in find_personal(text) {
        out.push_str(text.get(at..piece.span.start).unwrap_or_default());
        out.push('〔');
        out.push_str(piece.kind.label());
        out.push('〕');
        at = piece.span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn check_characters_are_checked() {
        for (code, valid) in
            [("91350100M000100Y43", true), ("91350100M000100Y44", false), ("91350100M000100Y4", false), ("", false)]
        {
            assert_eq!(uscc_is_valid(code), valid, "{code}");
        }
        for (code, valid) in
            [("11010519491231002X", true), ("11010519491231002x", true), ("110105194912310021", false), ("", false)]
        {
            assert_eq!(id_card_is_valid(code), valid, "{code}");
        }
        assert!(bank_card_is_valid("4111 1111 1111 1111"));
        assert!(!bank_card_is_valid("4111 1111 1111 1112"));
    }

    #[test]
    fn personal_data_is_masked() {
        for (text, masked) in [
            ("电话13800138000谢谢", "电话〔手机号〕谢谢"),
            ("138-0013-8000", "〔手机号〕"),
            ("1 3 8 0 0 1 3 8 0 0 0", "〔手机号〕"),
            ("１３８００１３８０００", "〔手机号〕"),
            ("一三八零零一三八零零零", "〔手机号〕"),
            ("身份证11010519491231002X。", "身份证〔身份证号〕。"),
            ("代码 91350100M000100Y43 的企业", "代码 〔统一社会信用代码〕 的企业"),
            ("卡号4111 1111 1111 1111", "卡号〔银行卡号〕"),
            ("写信到 a.b@example.com", "写信到 〔邮箱〕"),
            ("0591-87654321", "〔座机号〕"),
            ("欠款120000元，2024年3月5日验收", "欠款120000元，2024年3月5日验收"),
            ("闽政办〔2025〕7号", "闽政办〔2025〕7号"),
        ] {
            assert_eq!(mask_personal(text), masked, "{text}");
        }
    }

    #[test]
    fn phones_come_without_separators() {
        assert_eq!(phones("找我138-0013-8000或者 13900139000"), ["13800138000", "13900139000"]);
    }

    proptest! {
        #[test]
        fn masking_twice_changes_nothing(text in "([0-9X @.a一三八零-]|号|码|，){0,80}") {
            let once = mask_personal(&text);
            prop_assert_eq!(mask_personal(&once), once.clone());
        }

        #[test]
        fn spans_are_slices(text in "[\\s\\S]{0,80}") {
            for piece in find_personal(&text) {
                prop_assert!(text.get(piece.span).is_some());
            }
        }
    }
}
