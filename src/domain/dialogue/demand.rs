//! Drafts the demand in one sentence from a story, for the enterprise to correct (DOMAIN 5.4 rule 9).

use std::sync::LazyLock;

use regex::Regex;

use super::extract::{self, mask_long_numbers};
use crate::domain::{
    kinds::CaseType,
    text::{PersonalKind, find_personal},
};

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
/// Clauses that say nothing, wherever they stand.
const EMPTY: &[&str] = &[
    "谢谢",
    "多谢",
    "谢谢您",
    "谢谢你",
    "谢谢你们",
    "谢谢了",
    "感谢",
    "急",
    "很急",
    "在线等",
    "请回复",
    "盼复",
    "此致",
    "敬礼",
    "此致敬礼",
    "您好",
    "你好",
    "在吗",
    "另外",
    "还有",
    "操",
    "靠",
    "我靠",
    "卧槽",
    "草",
    "妈的",
    "他妈的",
    "哎",
    "唉",
    "诶",
    "喂",
    "嗨",
    "嗯",
    "啊",
    "呃",
];
/// Marks that end a clause.
const CLAUSE_ENDS: &[char] = &['\n', '，', ',', '。', '；', ';', '！', '!', '？', '?', '…'];
/// Marks around a clause that are no part of it.
const MARKS: &[char] =
    &['，', ',', '。', '！', '!', '~', '～', '、', '：', ':', ' ', '\u{3000}', '\n', '；', ';', '…', '.'];

/// Longest demand that is drafted.
const MAX_CHARS: usize = 300;
/// Longest beginning of a story in a title.
const TITLE_CHARS: usize = 24;
/// Fewer characters of the story are not worth a wish beside them.
const SHORTEST_HEAD: usize = 40;

/// What was told, without greetings, on one line, without who tells it, how to call back, or any full number.
pub(super) fn core(text: &str) -> String {
    shorten(&story(text), MAX_CHARS)
}

/// Every clause that tells the matter, in order.
fn story(text: &str) -> String {
    let text = without_opening(text.trim_matches(MARKS));
    let plain = extract::half_width(text);
    let teller = Teller { enterprise: extract::enterprise(&plain), name: extract::contact_name(&plain) };
    let mut told = String::with_capacity(text.len());
    let mut dropped = String::new();
    for piece in clauses(text) {
        let clause = piece.trim_end_matches(CLAUSE_ENDS);
        let end = piece.get(clause.len()..).unwrap_or_default().chars().next();
        let clause = teller.without(clause);
        if clause.is_empty() {
            // What ended the clause before ends the sentence now.
            if matches!(end, Some('。' | '！' | '!' | '？' | '?')) {
                dropped = end.map(String::from).unwrap_or_default();
            }
            continue;
        }
        if let Some(sentence) = (!dropped.is_empty()).then_some(dropped.as_str())
            && told.ends_with(['，', ','])
        {
            told.pop();
            told.push_str(sentence);
        }
        dropped.clear();
        told.push_str(&clause);
        match end {
            Some('\n') => told.push('，'),
            Some(mark) => told.push(mark),
            None => {}
        }
    }
    let told = told.trim_end_matches(['，', ',', '；', ';', '、', ' ']);
    if told.trim_matches(MARKS).is_empty() {
        let whole = text.split('\n').map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("，");
        return mask_long_numbers(&whole);
    }
    mask_long_numbers(told)
}

/// The clauses with the marks that end them; a comma between figures ends none.
fn clauses(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
        let groups = matches!(c, ',' | '，') && before.is_ascii_digit() && is_group(rest);
        before = c;
        if CLAUSE_ENDS.contains(&c) && !groups && !rest.starts_with(CLAUSE_ENDS) {
            let end = at + c.len_utf8();
            found.extend(text.get(start..end));
            start = end;
        }
    }
    found.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    found
}

/// Whether a text begins with three figures and no fourth.
fn is_group(text: &str) -> bool {
    text.bytes().take_while(u8::is_ascii_digit).count() == 3
}

/// The words after greetings and 我要投诉.
fn without_opening(text: &str) -> &str {
    static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"^(?:尊敬的|敬爱的|各位)[\p{Han}、]{1,10}?(?:您好|你们好|你好|好)?(?:[:：，,！!。\n ]+)")
    });
    let mut rest = text;
    loop {
        let before = rest;
        if let Some(end) = ADDRESS.find(rest).map(|m| m.end()) {
            rest = rest.get(end..).unwrap_or(rest);
        }
        for opening in OPENINGS {
            if let Some(stripped) = rest.strip_prefix(opening)
                && !stripped.trim_matches(MARKS).is_empty()
            {
                rest = stripped.trim_start_matches(MARKS);
            }
        }
        if rest == before {
            return rest;
        }
    }
}

/// Who tells it: they stand in fields of their own.
struct Teller {
    enterprise: Option<String>,
    name: Option<String>,
}

impl Teller {
    /// A clause without the names and numbers of the teller; empty when nothing else was in it.
    fn without(&self, clause: &str) -> String {
        let clause = clause.trim_matches(MARKS);
        if EMPTY.contains(&clause) {
            return String::new();
        }
        let clause = unnumbered(clause);
        let bare = without_numbers(clause);
        let words: Vec<&str> = bare.split([' ', '\u{3000}']).filter(|word| !self.is_told_by(word)).collect();
        let words = words.join(" ");
        let words = words.trim_matches(MARKS);
        if self.is_told_by(words) || EMPTY.contains(&words) { String::new() } else { words.to_owned() }
    }

    /// Whether the words only say who speaks or how to reach them.
    fn is_told_by(&self, words: &str) -> bool {
        static LABEL: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"^(?:我的?|本人的?|我们的?|请)?(?:联系)?(?:电话|手机|手机号码?|座机|号码|方式|联系|联系人|法人代表|法定代表人|法人|负责人|微信号?|邮箱|姓名|统一社会信用代码|信用代码|税号|打|拨打|致电|可打)+(?:号|号码)?(?:是|为|请打)?[:：]?$",
            )
        });
        static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"^(?:公司|企业|单位|企业名称|公司名称|公司名|店名|联系人|姓名|法人|法人代表|负责人|联系电话|电话|手机|手机号码?|微信号?|邮箱|统一社会信用代码|信用代码|税号|地点|地址|日期|时间|金额|涉及单位|涉及金额|发生日期|事发地点)[:：]",
            )
        });
        static INTRODUCES: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"^(?:我们公司是|我公司是|我们单位是|我们厂是|我们是|我是|我叫|我姓|叫我|这里是|这边是|我司是|我司|本人是|本人|联系人|法人代表|法定代表人|法人|负责人)",
            )
        });
        const LONGEST: usize = 45;
        let words = words.trim_matches(MARKS).trim_matches(['（', '）', '(', ')', '【', '】']);
        if words.is_empty() || LABEL.is_match(words) || LABELLED.is_match(words) {
            return true;
        }
        let named = words.trim_end_matches("的");
        let is = |name: &Option<String>| name.as_deref() == Some(named);
        let ends = |name: &Option<String>| name.as_deref().is_some_and(|name| named.ends_with(name));
        is(&self.enterprise)
            || is(&self.name)
            || (INTRODUCES.is_match(words)
                && words.chars().count() <= LONGEST
                && (ends(&self.enterprise) || ends(&self.name) || extract::contact_name(words).is_some()))
    }
}

/// A clause without 1、, 一是, 另外, 事情： before it.
fn unnumbered(clause: &str) -> &str {
    static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:[（(]?[0-9一二三四五]{1,2}[）)、]\s*|[0-9]{1,2}[.．]\s*(?P<han>\p{Han})|[①②③④⑤]\s*|[一二三四五]是|其[一二三四五][，、 ]?|第[一二三四五][，、 ]|(?:另外|还有就是|再就是|再一个|顺便)(?:就是)?[，、 ]?|(?:事情|事项|诉求|问题|情况|内容|反映内容)(?:是)?[:：]\s*)",
        )
    });
    let Some(found) = NUMBERED.captures(clause) else { return clause };
    let end = found.name("han").map_or_else(|| found.get(0).map_or(0, |m| m.end()), |m| m.start());
    clause.get(end..).filter(|rest| !rest.trim_matches(MARKS).is_empty()).unwrap_or(clause)
}

/// Numbers and addresses to call back go; a number inside a story keeps its first and last figures.
fn without_numbers(clause: &str) -> String {
    static LABEL: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:[（(【])?(?:我的?|本人的?|我们的?|请)?(?:联系)?(?:电话|手机|座机|号码|联系方式|方式|联系|微信|邮箱|统一社会信用代码|信用代码|税号|打|拨打|致电)*(?:号码|号)?(?:是|为|请打)?[:： ]*$",
        )
    });
    let mut kept = String::with_capacity(clause.len());
    let mut at = 0;
    for piece in find_personal(clause) {
        if matches!(piece.kind, PersonalKind::IdCard | PersonalKind::BankCard) {
            continue;
        }
        let before = clause.get(at..piece.span.start).unwrap_or_default();
        let after = clause.get(piece.span.end..).unwrap_or_default();
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let label = LABEL.find(before).map_or(before.len(), |m| m.start());
        let head = before.get(..label).unwrap_or_default();
        let at_the_edge = edge(after.chars().next()) || (edge(head.chars().last()) && label < before.len());
        if at_the_edge || (at == 0 && head.trim().is_empty()) {
            kept.push_str(head);
            kept.push(' ');
            at = piece.span.end;
            if after.starts_with(['）', ')', '】'])
                && before.get(label..).is_some_and(|l| l.starts_with(['（', '(', '【']))
            {
                at += after.chars().next().map_or(0, char::len_utf8);
            }
        } else {
            kept.push_str(before);
            let value: Vec<char> = piece.value.chars().collect();
            kept.extend(value.iter().take(3));
            kept.push_str("****");
            kept.extend(value.iter().skip(value.len().saturating_sub(2)));
            at = piece.span.end;
        }
    }
    kept.push_str(clause.get(at..).unwrap_or_default());
    kept
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant and compiles in the tests")
}

/// Whether a clause says what is wished for.
fn wishes(clause: &str) -> bool {
    let clause = clause.trim_matches(MARKS);
    ["恳请", "恳求", "敬请", "希望", "请求", "盼望", "望", "请"].iter().any(|w| clause.starts_with(w))
        && !clause.starts_with("请问")
}

/// Cuts at the last clause end before `max` characters; what is wished for at the end of a long story stays.
pub(super) fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let wish: String = clauses(text)
        .into_iter()
        .rev()
        .take_while(|clause| wishes(clause))
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    let room = max.checked_sub(wish.chars().count()).filter(|room| *room >= max / 2 && *room >= SHORTEST_HEAD);
    let (wish, room) = room.map_or(("", max), |room| (wish.as_str(), room));
    let head: String = text.chars().take(room).collect();
    let cut = head.rfind(['，', '。', '；', ',', ';', '！', '？']).filter(|&at| at > head.len() / 2);
    format!("{}…{wish}", cut.and_then(|at| head.get(..at)).unwrap_or(&head))
}

/// The demand in one sentence.
pub(super) fn draft(case_type: CaseType, text: &str) -> String {
    let core = core(text);
    let core = core.trim_end_matches(['。', '，', '！', '!', ',', ' ']);
    // Who says what is wished for needs no words of ours.
    if clauses(core).last().is_some_and(|last| wishes(last)) && ends_with_a_request(case_type) {
        return core.to_owned();
    }
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

/// Types whose sentence ends with what somebody shall do.
const fn ends_with_a_request(case_type: CaseType) -> bool {
    !matches!(case_type, CaseType::Consultation | CaseType::Suggestion | CaseType::Praise | CaseType::ServiceOrder)
}

/// A title for lists: the topic and the beginning of the story.
pub(super) fn title(topic_label: Option<&str>, case_type: CaseType, text: &str) -> String {
    let story = story(text);
    let told: String = clauses(&story).into_iter().filter(|clause| !introduces_the_firm(clause)).collect();
    let told = if told.trim_matches(MARKS).is_empty() { story.as_str() } else { told.trim_end_matches(MARKS) };
    format!("{}：{}", topic_label.unwrap_or(case_type.label()), shorten(told, TITLE_CHARS))
}

/// 我公司成立于2015年, 现有员工120人: what a letter begins with and a list needs not.
fn introduces_the_firm(clause: &str) -> bool {
    static FIRM: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:我公司|我们公司|我司|本公司|公司|我厂|我们厂|我企业|企业)?(?:是一家|系|成立于|创办于|注册于|主要从事|主营|主要生产|专业生产|现有员工|现有职工|注册资本|占地)",
        )
    });
    FIRM.is_match(clause.trim_matches(MARKS))
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
    fn every_clause_that_tells_the_matter_stays_and_who_tells_it_goes() {
        for (text, expected) in [
            ("厂区门口路坏了没人修 13711160001", "厂区门口路坏了没人修"),
            ("厂区门口路坏了没人修 13711160001，就是北门", "厂区门口路坏了没人修，就是北门"),
            ("环评批了三个月没下来13711160001", "环评批了三个月没下来"),
            ("停电三天了 13711160001 王五", "停电三天了"),
            ("厂里停电三天了，生产线全停 13711110003 宁德富源茶业有限公司", "厂里停电三天了，生产线全停"),
            ("宁德富源茶业有限公司 13711110003 厂里停电三天了，生产线全停", "厂里停电三天了，生产线全停"),
            ("我是宁德市蕉城区宁德富源茶业有限公司的，厂区门口路坏了没人修 13711160001", "厂区门口路坏了没人修"),
            (
                "公司：莆田新月鞋材有限公司；联系人：蔡敏；电话：0594-2345678；事情：出口退税三个月没下来",
                "出口退税三个月没下来",
            ),
            ("操，我厂里停电三天了没人管", "我厂里停电三天了没人管"),
            ("一是停电三天；二是路坏了", "停电三天；路坏了"),
            ("1、停电三天\n2、路坏了", "停电三天，路坏了"),
            ("窗口让我打13711112222没人接", "窗口让我打137****22没人接"),
            ("路坏了没人修，法人代表 黄志强", "路坏了没人修"),
            ("货款12,500元没给，电话13800138000，谢谢", "货款12,500元没给"),
            ("13800138000", "13800138000"),
        ] {
            assert_eq!(story(text), expected, "{text}");
        }
    }

    #[test]
    fn a_letter_keeps_its_story_and_its_request() {
        let letter = "尊敬的领导您好：我是宁德市蕉城区漳湾镇福建海纳渔业有限公司负责人陈海生（手机18812345678），我公司成立于2015年。2023年3月我司与漳湾镇政府签订投资协议，约定完成厂区外围道路硬化，但至今未动工。恳请协调解决。";
        let demand = draft(CaseType::Coordination, letter);
        assert_eq!(
            demand,
            "我公司成立于2015年。2023年3月我司与漳湾镇政府签订投资协议，约定完成厂区外围道路硬化，但至今未动工。恳请协调解决"
        );
        assert_eq!(
            title(None, CaseType::Stuck, "我公司成立于2015年，现有员工120人。厂区道路至今未动工。"),
            "办不成事：厂区道路至今未动工"
        );
        let long = format!("{}。恳请协调解决", "厂区门口的路坏了没有人来修，".repeat(40));
        let demand = draft(CaseType::Coordination, &long);
        assert!(demand.ends_with("…恳请协调解决") && demand.chars().count() <= 301, "{demand}");
    }

    #[test]
    fn similar_demands_are_similar() {
        assert!(similarity("技改补贴公示四个月了还没到账", "技改补贴公示四个多月没有到账") > 0.5);
        assert!(similarity("技改补贴公示四个月了还没到账", "消防验收等了一个月没人来") < 0.2);
    }
}
