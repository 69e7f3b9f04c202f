//! Corrections of the form told in words: which field or matter, and its new value. Reads words and changes nothing.

use std::sync::LazyLock;

use regex::Regex;

use super::{FieldKey, number};
use crate::domain::kinds::{CaseType, Urgency};

/// The names of the fields as people say them.
const NAMES: &str = "企业名称?|公司名称?|公司名字|单位名称|店名|厂名|统一社会信用代码|信用代码|税号|联系人|姓名|名字|联系电话|联系方式|电话|手机号码?|手机|号码|邮箱|微信号?|事发地点|地点|地址|涉及单位|被投诉单位|欠款方|欠款单位|对方单位|发生日期|发生时间|日期|时间|涉及金额|金额|诉求|要求|保密";

/// A change of one matter on the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MatterChange {
    /// Its number, when it was told.
    pub(super) n: Option<u32>,
    /// What it shall be.
    pub(super) to: MatterValue,
}

/// What of a matter is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MatterValue {
    /// The demand in one sentence.
    Demand(String),
    /// The type.
    Type(CaseType),
    /// The urgency.
    Urgency(Urgency),
}

impl MatterValue {
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Demand(_) => "诉求",
            Self::Type(_) => "类型",
            Self::Urgency(_) => "紧急程度",
        }
    }
}

/// 第2件诉求改成…, 类型改成投诉, 紧急程度改为特急.
pub(super) fn matter_change(text: &str) -> Option<MatterChange> {
    static CHANGE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^[ 把将]*(?:第([0-9]|[一二两三四五])[件个条](?:事项?)?的?)?(诉求|要求|类型|类别|紧急程度)(?:写|弄|填)?(?:错了?|不对)?[，,、 ]*(?:改成|改为|换成|换为|更正为|应该是|应为|是|：|:)[：: ]*(.{1,500})$",
        )
        .expect("the pattern is a constant and compiles in the tests")
    });
    let c = CHANGE.captures(text.trim())?;
    let n = c.get(1).and_then(|m| m.as_str().parse().ok().or_else(|| small(m.as_str())));
    let value = c.get(3)?.as_str().trim_matches(['。', '！', '!', ' ', '，', ',', '吧']);
    let to = match c.get(2)?.as_str() {
        "类型" | "类别" => MatterValue::Type(CaseType::ALL.iter().copied().find(|t| t.label() == value)?),
        "紧急程度" => MatterValue::Urgency(Urgency::ALL.iter().copied().find(|u| u.label() == value)?),
        // Without a number the one demand is a field like the others.
        _ if n.is_none() => return None,
        _ => MatterValue::Demand(value.to_owned()),
    };
    Some(MatterChange { n, to })
}

fn small(text: &str) -> Option<u32> {
    number::parse_han_number(text).map(|n| n as u32)
}

/// A correction told in chat: which field, and the new value; an empty one empties the field.
pub(super) fn corrections(text: &str) -> Vec<(FieldKey, String)> {
    static CORRECTION: LazyLock<Regex> = LazyLock::new(|| {
        // A comma between digits groups them and ends no value.
        Regex::new(&format!(
            r"({NAMES})(?:(?:填|写|弄)?(?:错了?|不对|有误)[，,、 ]*)?(?:我?(?:要|想|应该|应|应当|请|帮我))?(改成|改为|换成|换为|更正为|更新为|修改为|改到|变更为|应为|应该是|是|为|：|:)[：: ]*((?:[0-9０-９][，,][0-9０-９]{{3}}|[^，,。；;！!\n]){{1,200}})"
        ))
        .expect("the pattern is a constant and compiles in the tests")
    });
    static WHOLE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(诉求|要求)(?:改成|改为|换成|更正为|应该是|应为|：|:)[：: ]*(.{1,500})")
            .expect("the pattern is a constant and compiles in the tests")
    });
    static EMPTIED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(
            r"(?:^|[，,。；;！!\n ])(?:我?(?:要|想|请|帮我)?把?)?(?:那个|这个|我的|我们的)?({NAMES})(?:就|先|都)?(?:不填了?|不用填了?|不写了?|不留了?|不要了?|删掉|删了|删除|去掉|清空|空着)(?:吧|啊|好了)?(?:$|[，,。；;！!\n ])"
        ))
        .expect("the pattern is a constant and compiles in the tests")
    });
    static NEGATED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:不是|不叫)[^，,]{1,60}[，,](?:而)?(?:是|叫|应该是|应为)(.{1,60})$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    if let Some(c) = WHOLE.captures(text)
        && let (Some(whole), Some(value)) = (c.get(0), c.get(2))
        && !of_others(text, whole.start())
    {
        return vec![(FieldKey::Demand, value.as_str().trim().to_owned())];
    }
    let mut found = Vec::new();
    for c in CORRECTION.captures_iter(text) {
        let (Some(whole), Some(name), Some(verb), Some(value)) = (c.get(0), c.get(1), c.get(2), c.get(3)) else {
            continue;
        };
        if of_others(text, whole.start())
            || (matches!(verb.as_str(), "是" | "为") && !states(text, whole.start(), name.as_str()))
        {
            continue;
        }
        let key = field(name.as_str());
        let value = value.as_str().trim();
        let value = NEGATED.captures(value).and_then(|n| n.get(1)).map_or(value, |m| m.as_str());
        let value = if name.as_str().starts_with("微信") { format!("微信 {value}") } else { value.to_owned() };
        found.push((key, value));
    }
    for name in EMPTIED.captures_iter(text).filter_map(|c| c.get(1)) {
        let key = field(name.as_str());
        if !matches!(key, FieldKey::Demand | FieldKey::Confidential) && !found.iter().any(|(other, _)| *other == key) {
            found.push((key, String::new()));
        }
    }
    found
}

/// Whether the words before say that it is another's: 他们的要求是…, 对方电话是….
fn of_others(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let before = before.rsplit(['，', ',', '。', '；', ';', '！', '!', '\n']).next().unwrap_or_default();
    ["对方", "他们", "他的", "她的", "人家", "窗口", "银行", "甲方", "局里", "村里", "领导"]
        .iter()
        .any(|w| before.contains(w))
}

/// Whether a bare 是 states a field: its name opens a clause, and it is none that stories use (要求是…, 时间是…).
fn states(text: &str, at: usize, name: &str) -> bool {
    if matches!(name, "要求" | "诉求" | "时间" | "保密" | "日期") {
        return false;
    }
    let before = text.get(..at).unwrap_or_default().trim_end();
    let opened = before.is_empty() || before.ends_with(['，', ',', '。', '；', ';', '！', '!', '：', ':', '\n']);
    opened
        || ["我", "我的", "我们", "我们的", "我司", "本人"].iter().any(|own| {
            before
                .strip_suffix(own)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with(['，', ',', '。', '；', ';', ' ']))
        })
}

fn field(name: &str) -> FieldKey {
    match name {
        "企业名" | "企业名称" | "公司名" | "公司名称" | "公司名字" | "单位名称" | "店名" | "厂名" => {
            FieldKey::Enterprise
        }
        "统一社会信用代码" | "信用代码" | "税号" => FieldKey::Uscc,
        "联系人" | "姓名" | "名字" => FieldKey::ContactName,
        "事发地点" | "地点" | "地址" => FieldKey::Place,
        "涉及单位" | "被投诉单位" | "欠款方" | "欠款单位" | "对方单位" => FieldKey::Object,
        "发生日期" | "发生时间" | "日期" | "时间" => FieldKey::HappenedOn,
        "涉及金额" | "金额" => FieldKey::Amount,
        "诉求" | "要求" => FieldKey::Demand,
        "保密" => FieldKey::Confidential,
        _ => FieldKey::ContactPhone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrections_name_a_field_and_a_value() {
        for (text, expected) in [
            ("电话改成13900139000", vec![(FieldKey::ContactPhone, "13900139000")]),
            ("电话写错了，应该是13900139000", vec![(FieldKey::ContactPhone, "13900139000")]),
            (
                "联系人换成周敏，电话改为 0591-87654321",
                vec![(FieldKey::ContactName, "周敏"), (FieldKey::ContactPhone, "0591-87654321")],
            ),
            ("公司名称应为福州鑫达模具厂", vec![(FieldKey::Enterprise, "福州鑫达模具厂")]),
            ("金额是3万元", vec![(FieldKey::Amount, "3万元")]),
            ("诉求改成：请尽快拨付第二批技改补助，谢谢", vec![(FieldKey::Demand, "请尽快拨付第二批技改补助，谢谢")]),
            ("补贴没到账", vec![]),
            ("金额改成12,500元", vec![(FieldKey::Amount, "12,500元")]),
            (
                "金额改成12，500元，电话改成13900139000",
                vec![(FieldKey::Amount, "12，500元"), (FieldKey::ContactPhone, "13900139000")],
            ),
            ("信用代码不填了", vec![(FieldKey::Uscc, "")]),
            ("税号删掉吧", vec![(FieldKey::Uscc, "")]),
            ("信用代码改成无", vec![(FieldKey::Uscc, "无")]),
            ("他们的要求是先交三万押金才放行", vec![]),
            ("他们的要求：先交三万押金才放行", vec![]),
            ("对方电话是0591-87654321", vec![]),
            ("验收的时间是上个月", vec![]),
            ("打了电话没有人接，不要再推了", vec![]),
            ("我的电话是13900139000", vec![(FieldKey::ContactPhone, "13900139000")]),
        ] {
            let expected: Vec<(FieldKey, String)> = expected.into_iter().map(|(k, v)| (k, v.to_owned())).collect();
            assert_eq!(corrections(text), expected, "{text}");
        }
    }

    #[test]
    fn a_matter_is_changed_by_its_number() {
        let change = |n, to| Some(MatterChange { n, to });
        for (text, expected) in [
            ("第2件诉求改成尽快来人验收", change(Some(2), MatterValue::Demand("尽快来人验收".into()))),
            ("第二件的类型改成投诉", change(Some(2), MatterValue::Type(CaseType::Complaint))),
            ("类型应该是建议。", change(None, MatterValue::Type(CaseType::Suggestion))),
            ("把紧急程度改为特急", change(None, MatterValue::Urgency(Urgency::Critical))),
            ("诉求改成尽快拨付", None),
            ("类型很多，不知道选哪个", None),
        ] {
            assert_eq!(matter_change(text), expected, "{text}");
        }
    }
}
