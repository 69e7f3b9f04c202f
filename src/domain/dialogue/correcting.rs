//! Corrections of the form told in words: which field or matter, and its new value. Reads words and changes nothing.

use std::sync::LazyLock;

use regex::Regex;

use super::{FieldKey, aside, extract, number};
use crate::domain::kinds::{CaseType, Urgency};

/// The names of the fields as people say them.
const NAMES: &str = "企业名称?|公司名称?|公司名字|单位名称|店名|厂名|统一社会信用代码|信用代码|税号|联系人|姓名|名字|联系电话|联系方式|电话|手机号码?|手机|号码|邮箱|微信号?|事发地点|地点|地址|涉及单位|被投诉单位|欠款方|欠款单位|对方单位|发生日期|发生时间|日期|时间|涉及金额|金额|诉求|要求|保密";

/// Shorter names, which stories use too: only with a word of change.
const SHORT_NAMES: &str = "公司|企业|单位|诉求内容|反映内容|内容|事项|描述";

/// What a correction is told with.
const VERBS: &str = "改成|改为|换成|换为|更正为|更正成|更新为|修改为|修改成|改到|变更为|应为|应该是|应该叫|应当是";

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

/// 第2件诉求改成…, 类型改成投诉, 紧急程度改为特急, 不是投诉，是求助.
pub(super) fn matter_change(text: &str) -> Option<MatterChange> {
    static CHANGE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^[ 把将]*(?:第([0-9]|[一二两三四五])[件个条](?:事项?)?的?)?(诉求|要求|类型|类别|紧急程度)(?:写|弄|填)?(?:错了?|不对)?[，,、 ]*(?:改成|改为|换成|换为|更正为|应该是|应为|是|：|:)[：: ]*(.{1,500})$",
        )
        .expect("the pattern is a constant and compiles in the tests")
    });
    // 不是投诉，是求助; 改成投诉; 这是求助不是投诉; 按建议登记.
    static TYPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^(?:这|我|这个|这件|这件事|其实|应该)*(?:不是|不算)(?:要)?\p{Han}{2,5}[，,、 ]*(?:而)?(?:应该)?(?:是|算)(?:要)?(\p{Han}{2,5})$|^(?:请|帮我|把它|这|这个|这件|这件事|应该)*(?:改成|改为|换成|按|算)(\p{Han}{2,5}?)(?:登记|处理|办理|办|来办)?$|^(?:这|这个|这件|这件事)(?:应该)?是(\p{Han}{2,5}?)[，,、 ]*不是\p{Han}{2,5}$",
        )
        .expect("the pattern is a constant and compiles in the tests")
    });
    let plain = text.trim().trim_end_matches(['。', '！', '!', ' ', '吧', '的', '哦', '啊']);
    if let Some(found) = TYPE.captures(plain)
        && let Some(case_type) = (1..=3).find_map(|n| found.get(n)).and_then(|m| case_type(m.as_str()))
    {
        return Some(MatterChange { n: None, to: MatterValue::Type(case_type) });
    }
    let c = CHANGE.captures(text.trim())?;
    let n = c.get(1).and_then(|m| m.as_str().parse().ok().or_else(|| small(m.as_str())));
    let value = c.get(3)?.as_str().trim_matches(['。', '！', '!', ' ', '，', ',', '吧']);
    let to = match c.get(2)?.as_str() {
        "类型" | "类别" => MatterValue::Type(case_type(value)?),
        "紧急程度" => MatterValue::Urgency(Urgency::ALL.iter().copied().find(|u| u.label() == value)?),
        // Without a number the one demand is a field like the others.
        _ if n.is_none() => return None,
        _ => MatterValue::Demand(value.to_owned()),
    };
    Some(MatterChange { n, to })
}

/// A type as people call it.
fn case_type(name: &str) -> Option<CaseType> {
    let name = name.trim_end_matches('类');
    CaseType::ALL.iter().copied().find(|t| t.label() == name).or_else(|| {
        Some(match name {
            "协调" | "办事" | "诉求" => CaseType::Coordination,
            "欠款" | "拖欠" | "账款" => CaseType::Arrears,
            "帮助" => CaseType::Help,
            "作风" => CaseType::Conduct,
            _ => return None,
        })
    })
}

/// 不是10月，是9月: what was understood, and what it is.
pub(super) fn swapped(text: &str) -> Option<(String, String)> {
    static SWAP: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:应该|不对|错了|写错了)?[，, ]*(?:不是|不叫)([^，,。；]{1,40}?)(?:[，,、 ]+(?:而)?(?:应该|应)?(?:是|叫|为)|而是|应该是)([^，,。；]{1,60}?)(?:吧|哦|啊|才对)?[。！!]?$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    let text = extract::half_width(text.trim());
    let c = SWAP.captures(&text)?;
    Some((c.get(1)?.as_str().trim().to_owned(), c.get(2)?.as_str().trim().to_owned()))
}

/// 把停电那件加回来: the number of the matter that is wanted again, or the words that name it.
pub(super) fn taken_back(text: &str) -> Option<(Option<u32>, String)> {
    static BACK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:请|帮我|麻烦|还是)*把?(.{0,20}?)(?:再|重新|还是|给)*(?:加回来|加回去|加回|恢复|补回来|放回来|找回来)(?:吧|了|一下)*[。！!]?$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"第([0-9]|[一二两三四五])[件个条]").expect("the pattern is a constant and compiles in the tests")
    });
    let words = BACK.captures(text.trim())?.get(1)?.as_str().to_owned();
    let n = NUMBER
        .captures(&words)
        .and_then(|c| c.get(1))
        .and_then(|m| m.as_str().parse().ok().or_else(|| small(m.as_str())));
    let named =
        words.trim_end_matches(['的', '事']).trim_end_matches("那件").trim_end_matches("那个").trim_end_matches("这件");
    Some((n, named.to_owned()))
}

fn small(text: &str) -> Option<u32> {
    number::parse_han_number(text).map(|n| n as u32)
}

/// A correction told in chat: which field, and the new value; an empty one empties the field.
pub(super) fn corrections(text: &str) -> Vec<(FieldKey, String)> {
    static CORRECTION: LazyLock<Regex> = LazyLock::new(|| {
        // A comma between digits groups them and ends no value.
        Regex::new(&format!(
            r"({NAMES}|{SHORT_NAMES})(?:(?:填|写|弄)?(?:错了?|不对|有误)[，,、 ]*)?(?:我?(?:要|想|应该|应|应当|请|帮我))?({VERBS}|是|为|：|:)[：: ]*((?:[0-9０-９][，,][0-9０-９]{{3}}|[^，,。；;！!\n]){{1,200}})"
        ))
        .expect("the pattern is a constant and compiles in the tests")
    });
    // Where the next field begins, the value before it ends: 联系人：王五 电话：….
    static NEXT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(r"(?:[ 、]*(?:和|我的|我们的?|联系)?)(?:{NAMES}|{SHORT_NAMES})(?:{VERBS}|是|：|:)"))
            .expect("the pattern is a constant and compiles in the tests")
    });
    static WHOLE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(
            r"(?:^|[，,。；;！!\n ]|把|将)(?:我的|我们的|这个)?(诉求内容|反映内容|诉求|要求|内容|事项|描述)(?:写|填)?(?:错了?|不对)?[，, ]*(?:我?(?:要|想|请|帮我))?(?:{VERBS}|改一下[，,：: ]*(?:改成|改为)?|：|:)[：: ]*(.{{1,500}})"
        ))
        .expect("the pattern is a constant and compiles in the tests")
    });
    static EMPTIED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(
            r"(?:^|[，,。；;！!\n ])(?:我?(?:要|想|请|帮我)?把?)?(?:那个|这个|我的|我们的)?({NAMES})(?:就|先|都)?(?:不填了?|不用填了?|不写了?|不留了?|不要了?|删掉|删了|删除|去掉|清空|空着)(?:吧|啊|好了)?(?:$|[，,。；;！!\n ])"
        ))
        .expect("the pattern is a constant and compiles in the tests")
    });
    static UNWANTED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(
            r"^(?:请|麻烦|还是|就|先)*(?:不要|别|不用|不想|不必)(?:再)?(?:写|填|留|登|登记|用)(?:我们?的?)?({NAMES}|公司|企业)(?:了|吧|啊)?[。！!]?$"
        ))
        .expect("the pattern is a constant and compiles in the tests")
    });
    static NEGATED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:不是|不叫)[^，,]{1,60}[，,](?:而)?(?:是|叫|应该是|应为)(.{1,60})$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    // 电话不是A，是B.
    static INSTEAD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(
            r"({NAMES}|公司|企业)(?:并)?(?:不是|不叫)[^，,。；;！!\n]{{1,60}}?(?:[，,、 ]+(?:而)?(?:应该|应)?(?:是|叫|为|打|用|{VERBS})|而是|应该是)[：: ]*([^，,。；;！!\n]{{1,100}})"
        ))
        .expect("the pattern is a constant and compiles in the tests")
    });
    if let Some(c) = WHOLE.captures(text)
        && let (Some(name), Some(value)) = (c.get(1), c.get(2))
        && !of_others(text, name.start())
    {
        return vec![(FieldKey::Demand, value.as_str().trim().to_owned())];
    }
    let mut found: Vec<(FieldKey, String)> = Vec::new();
    let add = |found: &mut Vec<(FieldKey, String)>, name: &str, value: &str| {
        let value = value.trim().trim_end_matches(['吧', '哦']).trim();
        let value = if name.starts_with("微信") { format!("微信 {value}") } else { value.to_owned() };
        found.push((field(name), value));
    };
    let mut at = 0;
    while let Some(c) = INSTEAD.captures_at(text, at) {
        let (Some(whole), Some(name), Some(value)) = (c.get(0), c.get(1), c.get(2)) else { break };
        at = whole.end();
        if !of_others(text, whole.start()) && states(text, whole.start(), name.as_str()) {
            add(&mut found, name.as_str(), value.as_str());
        }
    }
    let mut at = 0;
    while let Some(c) = CORRECTION.captures_at(text, at) {
        let (Some(whole), Some(name), Some(verb), Some(value)) = (c.get(0), c.get(1), c.get(2), c.get(3)) else {
            break;
        };
        let next = NEXT.find(value.as_str()).filter(|next| next.start() > 0).map(|next| next.start());
        let written = value.as_str().get(..next.unwrap_or(value.len())).unwrap_or_default().trim();
        at = if written.is_empty() { whole.end() } else { value.start() + next.unwrap_or(value.len()) };
        let short = SHORT_NAMES.split('|').any(|short| short == name.as_str());
        let stated = match verb.as_str() {
            "是" | "为" => !short && states(text, whole.start(), name.as_str()),
            "：" | ":" => {
                !matches!(name.as_str(), "内容" | "事项" | "描述")
                    && (!short || extract::looks_like_a_firm(written) || extract::looks_like_a_unit(written))
            }
            _ => true,
        };
        let key = field(name.as_str());
        // 单位：涵江区税务局 names the other side.
        let unit = short && key == FieldKey::Enterprise && extract::looks_like_a_unit(written);
        let key_told = found.iter().any(|(told, _)| *told == key);
        if written.is_empty() || of_others(text, whole.start()) || !stated || key_told || says_nothing(key, written) {
            continue;
        }
        let written = NEGATED.captures(written).and_then(|n| n.get(1)).map_or(written, |m| m.as_str());
        add(&mut found, if unit { "涉及单位" } else { name.as_str() }, written);
    }
    for name in EMPTIED.captures_iter(text).chain(UNWANTED.captures_iter(text)).filter_map(|c| c.get(1)) {
        let key = field(name.as_str());
        if !matches!(key, FieldKey::Demand | FieldKey::Confidential) && !found.iter().any(|(other, _)| *other == key) {
            found.push((key, String::new()));
        }
    }
    found
}

/// 电话是对的, 公司名称是什么: no value.
fn says_nothing(key: FieldKey, value: &str) -> bool {
    if matches!(key, FieldKey::HappenedOn | FieldKey::Amount | FieldKey::Demand | FieldKey::Confidential) {
        return false;
    }
    let emptied =
        matches!(value, "无" | "没有" | "暂无" | "不填" | "不知道" | "是" | "否" | "要" | "不要" | "不用" | "不需要");
    !emptied && aside::is_only_about_the_form(value)
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
        "企业名" | "企业名称" | "公司名" | "公司名称" | "公司名字" | "单位名称" | "店名" | "厂名" | "公司" | "企业"
        | "单位" => FieldKey::Enterprise,
        "统一社会信用代码" | "信用代码" | "税号" => FieldKey::Uscc,
        "联系人" | "姓名" | "名字" => FieldKey::ContactName,
        "事发地点" | "地点" | "地址" => FieldKey::Place,
        "涉及单位" | "被投诉单位" | "欠款方" | "欠款单位" | "对方单位" => FieldKey::Object,
        "发生日期" | "发生时间" | "日期" | "时间" => FieldKey::HappenedOn,
        "涉及金额" | "金额" => FieldKey::Amount,
        "诉求" | "要求" | "诉求内容" | "反映内容" | "内容" | "事项" | "描述" => FieldKey::Demand,
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
            (
                "联系人：王五 电话：13711160001",
                vec![(FieldKey::ContactName, "王五"), (FieldKey::ContactPhone, "13711160001")],
            ),
            (
                "联系人：王五 手机:13711160001",
                vec![(FieldKey::ContactName, "王五"), (FieldKey::ContactPhone, "13711160001")],
            ),
            (
                "联系人改成张三，电话改成13711160002，公司改成福州乙公司",
                vec![
                    (FieldKey::ContactName, "张三"),
                    (FieldKey::ContactPhone, "13711160002"),
                    (FieldKey::Enterprise, "福州乙公司"),
                ],
            ),
            ("电话不是13711160001，是13711160002", vec![(FieldKey::ContactPhone, "13711160002")]),
            ("企业改为福州兴隆食品有限公司", vec![(FieldKey::Enterprise, "福州兴隆食品有限公司")]),
            ("内容改成：厂区北门的路塌了", vec![(FieldKey::Demand, "厂区北门的路塌了")]),
            ("把诉求改一下，请尽快修路", vec![(FieldKey::Demand, "请尽快修路")]),
            ("不要写公司名", vec![(FieldKey::Enterprise, "")]),
            ("公司名称是对的", vec![]),
            ("公司是做模具的", vec![]),
            ("打电话不是没人接，是关机", vec![]),
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
            ("不是投诉，是求助", change(None, MatterValue::Type(CaseType::Help))),
            ("改成投诉吧", change(None, MatterValue::Type(CaseType::Complaint))),
            ("这是求助，不是投诉", change(None, MatterValue::Type(CaseType::Help))),
            ("不是路灯，是水管", None),
            ("把紧急程度改为特急", change(None, MatterValue::Urgency(Urgency::Critical))),
            ("诉求改成尽快拨付", None),
            ("类型很多，不知道选哪个", None),
        ] {
            assert_eq!(matter_change(text), expected, "{text}");
        }
    }

    #[test]
    fn what_was_misunderstood_is_told_with_what_it_is() {
        assert_eq!(swapped("不是10月，是9月"), Some(("10月".into(), "9月".into())));
        assert_eq!(swapped("不是东门，是北门。"), Some(("东门".into(), "北门".into())));
        assert_eq!(swapped("他们不是没来，来了三次"), None);
        assert_eq!(taken_back("把停电那件加回来"), Some((None, "停电".into())));
        assert_eq!(taken_back("第二件恢复吧").map(|back| back.0), Some(Some(2)));
        assert_eq!(taken_back("供电恢复了没有"), None);
    }
}
