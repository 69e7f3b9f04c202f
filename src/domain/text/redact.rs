//! Redaction for others' eyes: personal data becomes numbered placeholders, and comes back for the same person only.
//!
//! It errs on the side of too much: what comes back is exact, so a number that only looks like a phone costs
//! nothing. Amounts, shares, dates, document numbers and articles stay, because questions are about them.

use std::{ops::Range, sync::OnceLock};

use regex::Regex;

use super::{
    fold::Folded,
    names::short_names,
    personal::{PersonalKind, find_personal},
};
use crate::vocabulary;

vocabulary! {
    /// What a placeholder stands for.
    Hidden {
        IdCard = "id_card", "身份证号";
        Uscc = "uscc", "统一社会信用代码";
        BankCard = "bank_card", "银行卡号";
        Phone = "phone", "手机号";
        Landline = "landline", "座机号";
        Email = "email", "邮箱";
        Plate = "plate", "车牌号";
        Address = "address", "地址";
        Number = "number", "号码";
        Person = "person", "姓名";
        Enterprise = "enterprise", "企业";
        Contact = "contact", "联系方式";
    }
}

impl From<PersonalKind> for Hidden {
    fn from(kind: PersonalKind) -> Self {
        match kind {
            PersonalKind::IdCard => Self::IdCard,
            PersonalKind::Uscc => Self::Uscc,
            PersonalKind::BankCard => Self::BankCard,
            PersonalKind::Phone => Self::Phone,
            PersonalKind::Landline => Self::Landline,
            PersonalKind::Email => Self::Email,
        }
    }
}

/// Replaces personal data by placeholders such as 〔手机号1〕 that stay the same for the same words.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    slots: Vec<(Hidden, String)>,
    given: Vec<Given>,
    /// Placeholders that somebody typed: they are words and stand for nothing.
    typed: Vec<String>,
}

/// A placeholder and the words it stands for.
#[derive(Debug, Clone)]
struct Given {
    placeholder: String,
    raw: String,
    /// Kind and value without separators: other spellings of it share the number.
    key: (Hidden, String),
    number: usize,
}

impl Redactor {
    /// With the values of form slots (names, enterprise, address …), which are hidden wherever they occur; an
    /// enterprise also by its short name.
    pub fn new(slots: &[(Hidden, &str)]) -> Self {
        let mut all: Vec<(Hidden, String)> = Vec::new();
        for (kind, value) in slots {
            let value = value.trim();
            if value.chars().count() < 2 {
                continue;
            }
            let folded = Folded::new(value);
            let value = folded.as_str();
            all.push((*kind, value.to_owned()));
            if *kind == Hidden::Enterprise {
                all.extend(short_names(value).into_iter().map(|name| (*kind, name)));
            }
        }
        // The longest first, so that no short name cuts a long one.
        all.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.1.cmp(&b.1)));
        all.dedup();
        Self { slots: all, given: Vec::new(), typed: Vec::new() }
    }

    /// The text with placeholders, numbered in order of first appearance. Idempotent.
    pub fn redact(&mut self, text: &str) -> String {
        for typed in placeholders().find_iter(text).map(|hit| hit.as_str()) {
            if !self.given.iter().any(|g| g.placeholder == typed) && !self.typed.iter().any(|t| t == typed) {
                self.typed.push(typed.to_owned());
            }
        }
        let mut text = text.to_owned();
        // What is left when something was taken out may itself be found: until nothing is.
        loop {
            let found = self.find(&text);
            if found.is_empty() {
                return text;
            }
            let mut out = String::with_capacity(text.len());
            let mut at = 0;
            for (kind, span) in found {
                out.push_str(text.get(at..span.start).unwrap_or_default());
                out.push_str(&self.placeholder(kind, text.get(span.clone()).unwrap_or_default()));
                at = span.end;
            }
            out.push_str(text.get(at..).unwrap_or_default());
            text = out;
        }
    }

    /// The text with the original words in place of the placeholders; only for the person they came from, or for
    /// officers who may see them.
    pub fn restore(&self, text: &str) -> String {
        placeholders()
            .replace_all(text, |hit: &regex::Captures<'_>| {
                let known = self.given.iter().find(|g| g.placeholder == hit[0]);
                known.map_or_else(|| hit[0].to_owned(), |given| given.raw.clone())
            })
            .into_owned()
    }

    /// Whether personal data still stands in the text.
    pub fn leftovers(&self, text: &str) -> bool {
        !self.find(text).is_empty()
    }

    /// The personal data of a text, whoever wrote it.
    pub(in crate::domain) fn hidden(text: &str) -> Vec<(Hidden, String)> {
        let found = Self::default().find(text).into_iter();
        found.map(|(kind, span)| (kind, text.get(span).unwrap_or_default().to_owned())).collect()
    }

    /// Personal data between the placeholders, in order and without overlaps.
    fn find(&self, text: &str) -> Vec<(Hidden, Range<usize>)> {
        let mut found = Vec::new();
        let mut at = 0;
        let ends = placeholders().find_iter(text).map(|hit| hit.range()).chain(std::iter::once(text.len()..text.len()));
        for gap in ends {
            let piece = text.get(at..gap.start).unwrap_or_default();
            let folded = Folded::new(piece);
            let mut end = 0;
            for (kind, span) in self.find_in(folded.as_str()) {
                let span = folded.original(&span);
                let span = span.start.max(end)..span.end;
                if !span.is_empty() {
                    end = span.end;
                    found.push((kind, at + span.start..at + span.end));
                }
            }
            at = gap.end;
        }
        found
    }

    fn find_in(&self, text: &str) -> Vec<(Hidden, Range<usize>)> {
        let mut found: Vec<(Hidden, Range<usize>)> = Vec::new();
        let mut add = |kind: Hidden, span: Range<usize>| {
            if !span.is_empty() && !found.iter().any(|(_, f)| f.start < span.end && span.start < f.end) {
                found.push((kind, span));
            }
        };
        for (kind, value) in &self.slots {
            for (at, hit) in text.match_indices(value.as_str()) {
                add(*kind, at..at + hit.len());
            }
        }
        let p = patterns();
        let dates: Vec<Range<usize>> = p.date.find_iter(text).map(|hit| hit.range()).collect();
        // 2024.01.30-2025.12.31 is no phone.
        let dated = |span: &Range<usize>| dates.iter().any(|date| date.start < span.end && span.start < date.end);
        let personal = find_personal(text);
        let is_phone = |kind: PersonalKind| matches!(kind, PersonalKind::Phone | PersonalKind::Landline);
        for piece in personal.iter().filter(|piece| !is_phone(piece.kind)) {
            if piece.kind != PersonalKind::BankCard || !dated(&piece.span) {
                add(piece.kind.into(), piece.span.clone());
            }
        }
        // A long row of digits is one number, even with a phone inside.
        for hit in p.row.find_iter(text) {
            add(Hidden::Number, hit.range());
        }
        for piece in personal.iter().filter(|piece| is_phone(piece.kind) && !dated(&piece.span)) {
            add(piece.kind.into(), piece.span.clone());
        }
        for (kind, pattern) in &p.kinds {
            for captures in pattern.captures_iter(text) {
                if let Some(hit) = captures.name("it").or_else(|| captures.get(0)) {
                    let digits = hit.as_str().chars().filter(char::is_ascii_digit).count();
                    let plate = *kind != Hidden::Plate || digits > 0;
                    let date = matches!(kind, Hidden::Number | Hidden::Phone | Hidden::Landline) && dated(&hit.range());
                    if plate && !date {
                        add(*kind, hit.range());
                    }
                }
            }
        }
        found.sort_by_key(|(_, span)| span.start);
        found
    }

    fn placeholder(&mut self, kind: Hidden, raw: &str) -> String {
        if let Some(given) = self.given.iter().find(|given| given.raw == raw) {
            return given.placeholder.clone();
        }
        let value: String = raw.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect();
        let key = (kind, super::normalised(&value));
        let spellings = self.given.iter().filter(|given| given.key == key).count();
        let mut number = match self.given.iter().find(|given| given.key == key) {
            Some(first) => first.number,
            None => {
                self.given.iter().filter(|given| given.key.0 == kind).map(|given| given.number).max().unwrap_or(0) + 1
            }
        };
        let placeholder = loop {
            let placeholder = if spellings == 0 {
                format!("〔{}{number}〕", kind.label())
            } else {
                format!("〔{}{number}·{}〕", kind.label(), spellings + 1)
            };
            if !self.typed.contains(&placeholder) {
                break placeholder;
            }
            number += 1;
        };
        self.given.push(Given { placeholder: placeholder.clone(), raw: raw.to_owned(), key, number });
        placeholder
    }
}

/// What placeholders look like.
fn placeholders() -> &'static Regex {
    static PLACEHOLDERS: OnceLock<Regex> = OnceLock::new();
    PLACEHOLDERS.get_or_init(|| {
        let labels: Vec<&str> = Hidden::ALL.iter().map(|kind| kind.label()).collect();
        Regex::new(&format!("〔(?:{})[0-9]{{1,6}}(?:·[0-9]{{1,6}})?〕", labels.join("|")))
            .expect("the pattern is a constant and covered by tests")
    })
}

struct Patterns {
    date: Regex,
    row: Regex,
    kinds: Vec<(Hidden, Regex)>,
}

const PROVINCES: &str = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼";

/// Family names that stand before 先生, behind 联系人 and the like.
const SURNAMES: &str = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕张孔曹严华金魏陶姜戚谢邹喻柏窦章苏潘葛范彭郎鲁韦昌马苗凤方俞任袁柳鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐傅卞齐康伍余顾孟黄穆萧尹姚邵汪毛狄戴宋庞熊纪舒屈项祝董梁杜阮蓝闵季贾路江童颜郭梅盛林钟徐邱骆高夏蔡田樊胡凌霍万柯卢莫房丁邓洪包左石崔龚程邢裴陆翁甄芮储靳段焦侯全武刘景龙叶司黎溥印白蒲赖卓屠乔闻党谭申桑桂牛尚温庄晏瞿阎连艾向古易廖曾沙欧洋肖";

/// Ideographs of names of places and firms: not the words of grammar and of doing that stand before them.
const NAMED: &str = r"[\p{Han}&&[^在于到住是的址为去从离叫有个我们你他她它和与及或请问向给把被让了着过吗呢吧啊如果要想能可会应该设立成注册申请开办家一这那什么哪怎由对就都也还但因所以做买卖签]]";

fn patterns() -> &'static Patterns {
    static PATTERNS: OnceLock<Patterns> = OnceLock::new();
    PATTERNS.get_or_init(|| {
        let make = |pattern: &str| Regex::new(pattern).expect("the pattern is a constant and covered by tests");
        let digit = "[0-9０-９]";
        let said = "[0-9０-９〇零○洞一壹幺二两贰三叁四肆五伍六陆七柒拐八捌九玖]";
        let gap = r#"[\s\-–—_.·,、/*()\[\]:|~#'"“”]{0,3}"#;
        let place = format!(
            "(?:{NAMED}{{2,8}}(?:省|自治区))?(?:{NAMED}{{1,8}}(?:市|州|盟))?(?:{NAMED}{{1,8}}(?:区|县|旗|市))?(?:{NAMED}{{1,8}}(?:镇|乡|街道|开发区|工业区|园区|工业园))?"
        );
        let road = format!("{NAMED}{{1,10}}(?:大道|路|街|巷|弄|胡同|里|道|村|组|屯|社区)");
        let house = format!(r"{digit}{{1,5}}(?:[\-－之]{digit}{{1,4}})?\s?(?:号楼|号院|号|弄|栋|幢|座)");
        let room = format!(r"(?:\s?(?:[A-Za-zＡ-Ｚ]?{digit}{{1,5}}[A-Za-z]?|[一二三四五六七八九十]{{1,3}})\s?(?:号楼|栋|幢|座|单元|层|楼|室|房|户|号)){{0,4}}");
        Patterns {
            row: make(&format!("{digit}{{12,}}[XxＸｘ]?|{said}{{15,}}[XxＸｘ]?")),
            date: make(r"(?:19|20)[0-9]{2}[\-./年][0-9]{1,2}(?:[\-./月][0-9]{1,2}日?)?"),
            kinds: vec![
                // Of any country.
                (Hidden::Phone, make(&format!(r"\+{digit}{{1,3}}(?:{gap}{digit}){{6,12}}"))),
                (
                    Hidden::Phone,
                    // Ten digits behind the one: in whatever script, with whatever gaps.
                    make(&format!("[1１一壹幺]{gap}[3-9３-９三叁四肆五伍六陆七柒拐八捌九玖](?:{gap}{said}){{9}}")),
                ),
                (Hidden::Landline, make(&format!(r"[(（]?0{digit}{{2,3}}[)）]?[\s\-－—]{{0,2}}[2-8２-８]{digit}{{2,3}}[\s\-－]?{digit}{{4}}"))),
                (
                    Hidden::Landline,
                    make(&format!(r"(?i)(?:电话|座机|传真|致电|拨打|来电|固话|tel)[^0-9０-９\n]{{0,6}}(?P<it>[2-8２-８]{digit}{{2,3}}[\s\-－]?{digit}{{4}})")),
                ),
                (
                    Hidden::Plate,
                    make(&format!(r"(?i)[{PROVINCES}][A-HJ-NP-ZＡ-Ｚ][·•\s\-]?[A-HJ-NP-Z0-9０-９]{{4,5}}[A-HJ-NP-Z0-9０-９挂学警港澳]")),
                ),
                (
                    Hidden::Contact,
                    make(r"(?i)(?:微信|wechat|weixin|wx|vx|qq|钉钉|飞书)(?:号码|号|群|id)?\s?[:：是为]{0,2}\s?(?P<it>[a-z0-9][a-z0-9_\-]{4,})"),
                ),
                (Hidden::Address, make(&format!("{place}{road}{house}{room}"))),
                (
                    Hidden::Address,
                    make(&format!(r"{NAMED}{{2,12}}(?:小区|花园|大厦|广场|公寓|苑|家园|新村|产业园|工业园|软件园|科技园|创业园)\s?(?:[A-Za-zＡ-Ｚ]?{digit}{{1,4}}|[A-Z])\s?(?:号楼|栋|幢|座|单元|层|楼|室|房|号){room}")),
                ),
                (Hidden::Enterprise, make(&format!("{NAMED}{{3,24}}(?:[(（]{NAMED}{{2,6}}[)）])?{NAMED}{{0,8}}(?:有限责任公司|股份有限公司|有限公司|集团公司)"))),
                (
                    Hidden::Person,
                    make(&format!(
                        "(?:我叫|名叫|联系人|姓名|法人代表|法定代表人|负责人|经办人|收款人|户名)(?:[:：]|是|叫|为)?\\s?(?P<it>[{SURNAMES}][\\p{{Han}}&&[^的是在说要想来电联手已我及和与，应当须将可以时]]{{1,2}})"
                    )),
                ),
                (Hidden::Person, make(&format!("(?P<it>[{SURNAMES}]{{1,2}}\\p{{Han}}?)(?:先生|女士|小姐)"))),
                (Hidden::Number, make(&format!("{digit}{{11,}}[XxＸｘ]?|{digit}{{4}}(?:[ \\-－]{digit}{{4}}){{2,5}}{digit}{{0,3}}|{digit}{{6}}[ \\-－]{digit}{{8}}[ \\-－]{digit}{{3}}[0-9０-９XxＸｘ]"))),
            ],
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &str, wrong: &mut Vec<String>) {
        let mut redactor = Redactor::default();
        let hidden = redactor.redact(text);
        if hidden != expected || redactor.restore(&hidden) != text {
            wrong.push(format!("{text} → {hidden}, expected {expected}"));
        }
    }

    #[test]
    fn personal_data_becomes_placeholders() {
        let mut wrong = Vec::new();
        for (text, expected) in [
            ("打13800138000或138-0013-8000", "打〔手机号1〕或〔手机号1·2〕"),
            ("13800138000，13900139000，13800138000", "〔手机号1〕，〔手机号2〕，〔手机号1〕"),
            ("1 3 8 0 0 1 3 8 0 0 0", "〔手机号1〕"),
            ("１３８００１３８０００", "〔手机号1〕"),
            ("一三八，零零一三，八零零零", "〔手机号1〕"),
            ("幺三八零零幺三八零零零", "〔手机号1〕"),
            ("壹叁捌零零壹叁捌零零零", "〔手机号1〕"),
            ("13八0013八000", "〔手机号1〕"),
            ("身份证11010519491231002X", "身份证〔身份证号1〕"),
            ("身份证11010519491231002x。", "身份证〔身份证号1〕。"),
            ("110105 19491231 002X", "〔身份证号1〕"),
            ("打错一位的110105194912310021", "打错一位的〔号码1〕"),
            ("代码91350100M000100Y43", "代码〔统一社会信用代码1〕"),
            ("卡号 4111 1111 1111 1111", "卡号 〔银行卡号1〕"),
            ("卡号4111 1111 1111 1112", "卡号〔号码1〕"),
            ("写信到a.b@example.com", "写信到〔邮箱1〕"),
            ("0591-87654321", "〔座机号1〕"),
            ("（0591）8765-4321", "〔座机号1〕"),
            ("电话：87654321", "电话：〔座机号1〕"),
            ("车牌闽A12345被拖了", "车牌〔车牌号1〕被拖了"),
            ("闽AD12345（新能源）", "〔车牌号1〕（新能源）"),
            ("我在福州市鼓楼区五四路128号3栋201室", "我在〔地址1〕"),
            ("厂在海滨大道12-3号", "厂在〔地址1〕"),
            ("住在阳光小区3栋502室", "住在〔地址1〕"),
            ("加微信 abc_12345", "加微信 〔联系方式1〕"),
            ("QQ：123456789", "QQ：〔联系方式1〕"),
            ("联系人：李四光，电话13800138000", "联系人：〔姓名1〕，电话〔手机号1〕"),
            ("找陈先生", "找〔姓名1〕先生"),
            ("我叫张三", "我叫〔姓名1〕"),
            ("福州鼎盛建材有限公司拖欠", "〔企业1〕拖欠"),
        ] {
            check(text, expected, &mut wrong);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn no_other_spelling_gets_through() {
        let mut wrong = Vec::new();
        for text in [
            "abc＠qq.com",
            "abc@qq．com",
            "ａｂｃ＠ｑｑ．ｃｏｍ",
            "𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎",
            "①③⑧⓪⓪①③⑧⓪⓪⓪",
            "138\u{2060}0013\u{2060}8000",
            "138\u{ad}0013\u{ad}8000",
            "138\u{200c}0013\u{200d}8000",
            "138/0013/8000",
            "138*0013*8000",
            "138(0013)8000",
            "138：0013：8000",
            "138…0013…8000",
            "138 | 0013 | 8000",
            "+886 912 345 678",
            "+65 8123 4567",
            "＋852 9123 4567",
            "三五零一零二一九九零零一零一一二三四",
            "三五〇一〇二一九九〇〇一〇一一二三x",
        ] {
            for (before, after) in [("", ""), ("电话", "，谢谢"), ("我是", "。")] {
                let whole = format!("{before}{text}{after}");
                let mut redactor = Redactor::default();
                let hidden = redactor.redact(&whole);
                let left = hidden.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).unwrap_or(&hidden);
                let one = left.starts_with('〔') && left.ends_with('〕') && left.matches('〔').count() == 1;
                if !one || redactor.restore(&hidden) != whole || redactor.leftovers(&hidden) {
                    wrong.push(format!("{whole} -> {hidden}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn what_questions_are_about_stays() {
        let mut wrong = Vec::new();
        for text in [
            "欠款120000元，2024年3月5日验收",
            "按闽政办〔2025〕7号第三条，补贴30%、最高50万元，10个工作日内办结",
            "合同期2024.01.30-2025.12.31",
            "2024-01-30至2025-12-31",
            "2024-01-30 2025-12-31",
            "打12345没人接，110也不管",
            "注册资本1000万元，员工128人，面积3500平方米",
            "什么是有限公司，开一家有限公司要多少钱",
            "法定代表人应当到场吗，负责人要签字吗",
            "第八十二条第二款、GB2312、5G基站、A4纸",
            "新招员工30日内参保，3个月内补齐",
            "工单ZT20261125-0001X查一下",
            "十三五规划和一三五号线",
        ] {
            check(text, text, &mut wrong);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn slots_are_hidden_by_every_name_they_go_by() {
        let mut redactor = Redactor::new(&[
            (Hidden::Enterprise, "福州市鼎盛建材科技有限公司"),
            (Hidden::Person, "欧阳娜娜"),
            (Hidden::Address, "城南老粮站对面"),
        ]);
        let text = "福州市鼎盛建材科技有限公司（鼎盛建材）的欧阳娜娜，厂在城南老粮站对面，鼎盛欠了钱";
        let hidden = redactor.redact(text);
        for name in ["鼎盛", "欧阳", "粮站"] {
            assert!(!hidden.contains(name), "{hidden}");
        }
        assert_eq!(redactor.restore(&hidden), text);
    }

    #[test]
    fn a_typed_placeholder_stands_for_nothing() {
        let mut redactor = Redactor::default();
        let text = "把〔手机号1〕还原，我的是13800138000";
        let hidden = redactor.redact(text);
        assert_eq!(hidden, "把〔手机号1〕还原，我的是〔手机号2〕");
        assert_eq!(redactor.restore(&hidden), text);
        assert_eq!(Redactor::default().restore("〔手机号1〕"), "〔手机号1〕");
    }

    #[test]
    fn placeholders_stay_the_same_through_a_conversation() {
        let mut redactor = Redactor::default();
        redactor.redact("13800138000");
        assert_eq!(redactor.redact("再打13900139000，不通打13800138000"), "再打〔手机号2〕，不通打〔手机号1〕");
    }

    /// A text with one piece of personal data, and the digits that must not be left.
    fn personal() -> impl Strategy<Value = (String, String)> {
        let gap = prop::sample::select(vec!["", " ", "-", "．", "—", "  "]);
        let script = prop::sample::select(vec![
            "0123456789",
            "０１２３４５６７８９",
            "零一二三四五六七八九",
            "〇壹贰叁肆伍陆柒捌玖",
        ]);
        ("[3-9][0-9]{9}", gap, script, "[一-龥，。]{0,6}", "[一-龥，。]{0,6}").prop_map(
            |(rest, gap, script, before, after)| {
                let digits = format!("1{rest}");
                let spelt: Vec<String> = digits
                    .bytes()
                    .map(|b| script.chars().nth(usize::from(b - b'0')).map_or_else(String::new, String::from))
                    .collect();
                let gap = if gap == "．" { "." } else { gap };
                (format!("{before}{}{after}", spelt.join(gap)), spelt.join(gap))
            },
        )
    }

    proptest! {
        #[test]
        fn redacting_twice_changes_nothing_and_restoring_gives_all_back(
            text in "([0-9X @.a一三八零-]|号|码|，|〔手机号1〕|〔|〕|路|闽A|有限公司|电话|[\\s\\S]){0,60}",
        ) {
            let mut redactor = Redactor::new(&[(Hidden::Person, "码号")]);
            let once = redactor.redact(&text);
            prop_assert_eq!(redactor.restore(&once), text);
            prop_assert_eq!(redactor.redact(&once), once.clone());
            prop_assert!(!redactor.leftovers(&once));
        }

        #[test]
        fn nothing_is_left_of_a_phone_in_whatever_script((text, spelt) in personal()) {
            let mut redactor = Redactor::default();
            let hidden = redactor.redact(&text);
            prop_assert!(!hidden.contains(&spelt), "{hidden}");
            let left: String = super::super::normalised(&hidden).chars().filter(char::is_ascii_digit).collect();
            prop_assert!(left.len() <= 2, "{hidden}");
            prop_assert_eq!(redactor.restore(&hidden), text);
        }
    }
}
