//! What a case does not tell yet: what its type needs, and what the taxonomy asks for its topic (DOMAIN 5.2).

use super::Case;
use crate::domain::{kinds::CaseType, text};

/// What is missing, in words for people, what is needed most first. `asked` is what the topic asks for; `identity`
/// is whether the reader may know who complains.
pub fn missing(case: &Case, asked: &[String], identity: bool) -> Vec<String> {
    let mut missing = Vec::new();
    let mut need = |absent: bool, what: &str| {
        if absent {
            missing.push(what.to_owned());
        }
    };
    let blank = |field: Option<&str>| field.is_none_or(|text| text.trim().is_empty());
    let anonymous = case.party.enterprise.is_empty();
    need(identity && !anonymous && blank(Some(&case.party.contact_phone)), "联系方式");
    need(identity && !anonymous && blank(Some(&case.party.contact_name)), "联系人");
    let blames =
        matches!(case.case_type, CaseType::Complaint | CaseType::Report | CaseType::Conduct | CaseType::Arrears);
    need(blames && blank(case.object.as_deref()), "被反映的单位或个人");
    let words = text::normalised(&format!("{}。{}", case.original_words, case.demand));
    let has = |field: &Option<String>| field.as_deref().is_some_and(|text| !text.trim().is_empty());
    let told = Told {
        words: &words,
        amount: has(&case.amount),
        day: case.happened_on.is_some(),
        place: has(&case.place),
        object: has(&case.object),
    };
    // Whom it is about was asked for already.
    missing.extend(told.lacks(asked).filter(|slot| !(blames && is_object(slot))).map(str::to_owned));
    missing
}

/// What was told of a matter.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact with a name of its own")]
pub struct Told<'a> {
    /// The words, normalised.
    pub words: &'a str,
    /// An amount was named.
    pub amount: bool,
    /// A day was named.
    pub day: bool,
    /// A place was named.
    pub place: bool,
    /// Whom it is about was named.
    pub object: bool,
}

impl Told<'_> {
    /// What is asked for and was not told.
    pub fn lacks<'s>(&self, asked: &'s [String]) -> impl Iterator<Item = &'s str> {
        asked.iter().map(String::as_str).filter(|slot| !self.has(slot))
    }
}

/// Signs that something was told, by the end of its name.
const SIGNS: &[(&str, &[&str])] = &[
    ("合同", &["合同", "协议", "订单", "对账单"]),
    ("诉讼", &["诉讼", "起诉", "法院", "仲裁", "判决", "没打官司"]),
    ("抵押", &["抵押", "质押", "担保", "信用贷"]),
    ("用途", &["用于", "用来", "周转", "买设备", "扩产", "进货"]),
    ("银行", &["银行", "信用社", "农商行"]),
    ("网站", &["信用中国", "网站", "平台", "公示系统"]),
    ("种类", &["投标", "履约", "质量", "质保", "农民工工资"]),
    ("政策名", &["办法", "通知", "意见", "措施", "细则", "补助", "补贴", "奖励", "奖补"]),
];

fn is_object(slot: &str) -> bool {
    slot.ends_with("单位") || slot == "债务人"
}

impl Told<'_> {
    fn has(&self, slot: &str) -> bool {
        let words = self.words;
        let counted = |units: &[char]| {
            let mut before = ' ';
            words.chars().any(|c| {
                let hit = units.contains(&c)
                    && (before.is_ascii_digit() || "一二三四五六七八九十百千万两几".contains(before));
                before = c;
                hit
            })
        };
        if slot.contains("金额") {
            return self.amount || counted(&['元', '万', '块', '亿']);
        }
        if slot.ends_with("数") {
            return counted(&['人', '名', '个', '次', '趟', '回', '家']);
        }
        if slot.ends_with(['日', '期']) || slot.contains("年度") {
            return (self.day && slot == "日期") || counted(&['年', '月', '日', '号']);
        }
        if slot.ends_with("地点") {
            return self.place;
        }
        if is_object(slot) {
            return self.object;
        }
        let signs = SIGNS.iter().find(|(end, _)| slot.ends_with(end)).map_or(&[][..], |(_, signs)| signs);
        signs.iter().any(|sign| words.contains(sign)) || words.contains(text::normalised(slot).as_str())
    }
}
