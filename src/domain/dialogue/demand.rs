//! Drafts the demand in one sentence from a story, for the enterprise to correct (DOMAIN 5.4 rule 9).

use super::extract::{self, mask_long_numbers};
use crate::domain::kinds::CaseType;

const OPENINGS: &[&str] = &[
    "您好",
    "你好",
    "请问一下",
    "请问",
    "想问一下",
    "我想问一下",
    "我想问",
    "想问问",
    "我问下",
    "问一下",
    "麻烦问一下",
    "麻烦",
    "领导好",
    "老师好",
    "咨询一下",
    "我想咨询一下",
    "我要投诉",
    "我要举报",
    "我要反映",
    "我想反映",
    "反映一下",
    "在吗",
    "歹势",
    "我们想",
];
const ENDINGS: &[&str] = &["谢谢", "多谢", "谢谢您", "谢谢了", "感谢", "急", "在线等", "请回复", "盼复"];

/// Longest demand that is drafted.
const MAX_CHARS: usize = 80;

/// What was told, without greetings, on one line, without full identity or bank numbers.
pub(super) fn core(text: &str) -> String {
    let marks: &[char] =
        &['，', ',', '。', '！', '!', '~', '～', '、', '：', ':', ' ', '\u{3000}', '\n', '；', ';', '…', '.'];
    let mut rest = text.trim_matches(marks);
    loop {
        let before = rest;
        for opening in OPENINGS {
            if let Some(stripped) = rest.strip_prefix(opening)
                && !stripped.trim_matches(marks).is_empty()
            {
                rest = stripped.trim_start_matches(marks);
            }
        }
        for ending in ENDINGS {
            if let Some(stripped) = rest.strip_suffix(ending)
                && stripped.ends_with(marks)
            {
                rest = stripped.trim_end_matches(marks);
            }
        }
        if rest == before {
            break;
        }
    }
    // Who tells it and how to call back stand in fields of their own.
    let told: Vec<&str> =
        rest.split(['\n', '，', ',', '。', '；', ';']).map(str::trim).filter(|l| !l.is_empty()).collect();
    let story: Vec<&str> = told.iter().copied().filter(|part| !is_about_the_teller(part)).collect();
    let line = if story.is_empty() || story.len() == told.len() {
        rest.split('\n').map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("，")
    } else {
        story.join("，")
    };
    shorten(&mask_long_numbers(&line), MAX_CHARS)
}

/// A clause that only says who speaks or how to reach them.
fn is_about_the_teller(clause: &str) -> bool {
    if clause.chars().count() > 30 {
        return false;
    }
    let reach =
        extract::phone(clause).is_some() || extract::email(clause).is_some() || extract::wechat(clause).is_some();
    let introduces =
        ["我们是", "我是", "我叫", "我姓", "这里是", "我司是", "联系人"].iter().any(|w| clause.starts_with(w));
    let named = extract::enterprise(clause).is_some_and(|name| clause.ends_with(&name))
        || extract::contact_name(clause).is_some();
    reach || (introduces && named)
}

/// Cuts at the last clause end before `max` characters.
pub(super) fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let head: String = text.chars().take(max).collect();
    let cut = head.rfind(['，', '。', '；', ',', ';', '！', '？']).filter(|&at| at > head.len() / 2);
    format!("{}…", cut.and_then(|at| head.get(..at)).unwrap_or(&head))
}

/// The demand in one sentence.
pub(super) fn draft(case_type: CaseType, text: &str) -> String {
    let core = core(text);
    let core = core.trim_end_matches(['。', '，', '！', '!', ',', ' ']);
    match case_type {
        CaseType::Consultation => format!("咨询：{core}"),
        CaseType::Suggestion if core.starts_with("建议") => core.to_owned(),
        CaseType::Suggestion => format!("建议：{core}"),
        CaseType::Coordination | CaseType::Risk => format!("{core}，请协调解决"),
        CaseType::Help => format!("{core}，请尽快帮助解决"),
        CaseType::Complaint | CaseType::Conduct | CaseType::RatingReview => {
            format!("{core}，请核实处理")
        }
        CaseType::Report => format!("{core}，请依法查处"),
        CaseType::Stuck => format!("{core}，请协调办理"),
        CaseType::Arrears => format!("{core}，请督促支付"),
        CaseType::Praise => format!("表扬：{core}"),
        CaseType::ServiceOrder => format!("预约服务：{core}"),
    }
}

/// A title for lists: the topic and the beginning of the story.
pub(super) fn title(topic_label: Option<&str>, case_type: CaseType, text: &str) -> String {
    let core = shorten(&core(text), 24);
    format!("{}：{core}", topic_label.unwrap_or(case_type.label()))
}

/// How alike two texts are: shared character pairs over all pairs, 0 to 1.
pub(super) fn similarity(a: &str, b: &str) -> f64 {
    let pairs = |text: &str| -> std::collections::BTreeSet<(char, char)> {
        let chars: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
        chars.iter().copied().zip(chars.iter().copied().skip(1)).collect()
    };
    let (a, b) = (pairs(a), pairs(b));
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let shared = a.intersection(&b).count() as f64;
    shared / (a.len() + b.len()) as f64 * 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_becomes_one_sentence() {
        for (case_type, text, expected) in [
            (
                CaseType::Coordination,
                "你好，技改补贴公示四个月了还没到账，谢谢",
                "技改补贴公示四个月了还没到账，请协调解决",
            ),
            (CaseType::Consultation, "请问稳岗返还怎么申请？", "咨询：稳岗返还怎么申请？"),
            (CaseType::Suggestion, "建议园区加一趟公交", "建议园区加一趟公交"),
            (
                CaseType::Arrears,
                "镇政府欠尾款两年了，我们是晋江顺发路灯有限公司，电话0591-87654321",
                "镇政府欠尾款两年了，请督促支付",
            ),
            (CaseType::Arrears, "我要投诉，镇政府欠我们尾款", "镇政府欠我们尾款，请督促支付"),
        ] {
            assert_eq!(draft(case_type, text), expected);
        }
    }

    #[test]
    fn similar_demands_are_similar() {
        assert!(similarity("技改补贴公示四个月了还没到账", "技改补贴公示四个多月没有到账") > 0.5);
        assert!(similarity("技改补贴公示四个月了还没到账", "消防验收等了一个月没人来") < 0.2);
    }
}
