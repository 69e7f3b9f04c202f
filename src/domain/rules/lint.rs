//! The lint list of RULES 2.2, as far as it needs neither history nor a compiled set.
//!
//! Findings about examples (E007, E009, E010, W110) come from `examples.rs`. Each check is a function over one
//! rule; checks of the answer and checks that compare rules have files of their own.

mod across;
mod answer;
mod lessons;

use std::collections::{BTreeSet, HashMap};

pub(super) use across::{aspects, groups, is_built_in_reply, overlaps};
pub(super) use lessons::lessons;

use regex::RegexBuilder;

use super::{
    compile::{CompileEnv, REGEX_SIZE_LIMIT, fold},
    diagnostic::{Diagnostic, Level},
    file::RawRule,
    model::{AnswerMode, OnExpired, RuleKind, Status},
    pairs,
    source::{FileText, nearest},
};
use crate::domain::{
    kinds::CaseType,
    text::{self, PersonalKind, find_personal},
};

/// The words of a rule's conditions in normal form, one list per entry.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    pub(super) all: Vec<Vec<String>>,
    pub(super) any: Vec<Vec<String>>,
    pub(super) none: Vec<Vec<String>>,
    pub(super) none_near: Vec<Vec<String>>,
    pub(super) ignore: Vec<Vec<String>>,
    pub(super) groups: BTreeSet<String>,
}

/// Slot types that forms can check.
const SLOT_TYPES: &[&str] = &[
    "统一社会信用代码",
    "手机号",
    "电话",
    "联系电话",
    "身份证号",
    "日期",
    "金额",
    "文本",
    "选择",
    "地点",
    "企业名称",
    "数字",
    "年份",
    "姓名",
    "单位",
    "text",
    "phone",
    "date",
    "amount",
    "select",
    "uscc",
    "place",
];

/// Variables that the system fills in.
const SYSTEM_VARS: &[&str] = &["平台名称", "企业称呼", "今天", "单位名称"];

/// Values of the system variables where a rule does not give its own.
fn system_value(name: &str) -> &'static str {
    match name {
        "平台名称" => "政企直通车",
        "企业称呼" => "贵单位",
        "单位名称" => "企业综合服务中心",
        _ => "",
    }
}

/// The code that an `allow` entry suppresses and until when; `None` when it has another shape.
pub(super) fn allowance(entry: &str) -> Option<(&str, jiff::civil::Date)> {
    let (code, reason) = entry.split_once([':', '：'])?;
    let (why, until) = reason.rsplit_once([',', '，'])?;
    let until = until.trim().parse().ok()?;
    (!why.trim().is_empty()).then_some((code.trim(), until))
}

/// Collects findings about one rule.
struct Report<'a> {
    raw: &'a RawRule,
    file: &'a FileText<'a>,
    out: &'a mut Vec<Diagnostic>,
}

impl Report<'_> {
    fn add(&mut self, code: &'static str, level: Level, field: &str, message: String, help: Option<&str>) {
        let mut finding = self.file.finding(code, level, self.raw.spot(field), message, help.map(str::to_owned));
        finding.rule = Some(self.raw.rule.id.clone()).filter(|id| !id.is_empty());
        self.out.push(finding);
    }

    fn error(&mut self, code: &'static str, field: &str, message: String, help: Option<&str>) {
        self.add(code, Level::Error, field, message, help);
    }

    fn warn(&mut self, code: &'static str, field: &str, message: String, help: Option<&str>) {
        self.add(code, Level::Warning, field, message, help);
    }
}

/// Checks all rules and renders their answers.
pub(super) fn rules(
    rules: &mut [(RawRule, Expanded)],
    texts: &[FileText<'_>],
    env: &CompileEnv,
    out: &mut Vec<Diagnostic>,
) {
    for (raw, expanded) in rules.iter_mut() {
        let Some(file) = texts.get(raw.file) else { continue };
        let rendered = {
            let mut report = Report { raw, file, out };
            required(&mut report);
            words(&mut report, expanded);
            never(&mut report, expanded);
            expressions(&mut report, expanded);
            let rendered = answer::template(&mut report);
            answer::answer(&mut report, rendered.as_ref(), env);
            dates(&mut report, env);
            references(&mut report, env);
            personal(&mut report);
            habits(&mut report, env);
            rendered
        };
        if let (Some(answer), Some((text, plain))) = (&mut raw.rule.answer, rendered) {
            answer.text = text;
            answer.plain = plain;
        }
    }
    across::duplicates(rules, texts, out);
    pairs::check(rules, texts, env, out);
}

fn required(report: &mut Report<'_>) {
    let rule = &report.raw.rule;
    if rule.id.is_empty() {
        report.error("E002", "", "规则没有编号 id".into(), Some("加一行：id = \"…\"（英文字母、数字和短横线）"));
    } else if !rule.id.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        report.error("E002", "id", format!("编号“{}”只能用字母、数字、短横线", rule.id), None);
    }
    if rule.title.is_empty() {
        report.error("E002", "title", "规则没有标题 title".into(), Some("标题会在“您是不是想问”里给人看"));
    }
    if rule.when.all.is_empty() && rule.when.any.is_empty() {
        if rule.when.regex.is_empty() {
            report.error(
                "E002",
                "when",
                "规则没有条件：all 和 any 都是空的".into(),
                Some("在 [rule.when] 里写 all 或 any"),
            );
        } else {
            report.error(
                "E011",
                "when.regex",
                "有 regex 就必须在 all 或 any 里写字面词".into(),
                Some("把表达式里一定出现的词写进 any"),
            );
        }
    }
    let missing = match rule.kind {
        RuleKind::Answer => rule.answer.is_none().then_some("answer"),
        RuleKind::Type => rule.case_type.is_none().then_some("category"),
        RuleKind::Topic => rule.topic.is_none().then_some("topic"),
        RuleKind::Urgency => rule.urgency.is_none().then_some("urgency"),
        RuleKind::Command => rule.command.is_none().then_some("command"),
        RuleKind::Diversion => rule.diversion.is_none().then_some("diversion"),
        RuleKind::Smalltalk => None,
    };
    if let Some(field) = missing {
        report.error("E002", field, format!("kind = \"{}\" 的规则要写 {field}", rule.kind), None);
    }
    if rule.han_view && matches!(rule.kind, RuleKind::Answer | RuleKind::Topic) {
        report.error(
            "E002",
            "han_view",
            "han_view 会把隔开的字连起来看，只能用在险情、口令和投诉举报的词上".into(),
            Some("删掉 han_view"),
        );
    }
    let malformed: Vec<(usize, String)> = rule
        .allow
        .iter()
        .enumerate()
        .filter(|(_, entry)| allowance(entry).is_none())
        .map(|(n, e)| (n, e.clone()))
        .collect();
    for (n, entry) in malformed {
        report.warn(
            "E002",
            &format!("allow[{n}]"),
            format!("“{entry}”不起作用：allow 要写成 \"代码: 理由, 到期日\""),
            Some("例如：\"W108: 险情规则, 2026-12-31\""),
        );
    }
    if report.raw.rule.answer.as_ref().is_some_and(|a| a.text.is_empty()) {
        report.error("E002", "answer", "答案没有正文 text".into(), None);
    }
}

/// W101, W102.
fn words(report: &mut Report<'_>, expanded: &Expanded) {
    let rule = &report.raw.rule;
    let when = &rule.when;
    for (field, written, words) in [
        ("all", &when.all, &expanded.all),
        ("any", &when.any, &expanded.any),
        ("none", &when.none, &expanded.none),
        ("none_near", &when.none_near, &expanded.none_near),
        ("ignore", &when.ignore, &expanded.ignore),
    ] {
        for (n, (item, list)) in written.iter().zip(words).enumerate() {
            if item.starts_with('@') {
                continue;
            }
            let at = format!("when.{field}[{n}]");
            if let [word] = list.as_slice() {
                // In a pair with other required words one character can be fine (“厂”); alone it is not.
                if word.chars().count() == 1 && matches!(field, "all" | "any") && when.all.len() < 2 {
                    report.warn("W101", &at, format!("单字词“{item}”太容易误中"), Some("换成两个字以上的词"));
                }
                if word != item && word.chars().ne(item.chars().flat_map(char::to_lowercase)) {
                    report.warn("W102", &at, format!("“{item}”会按“{word}”匹配"), Some(&format!("改成：\"{word}\"")));
                }
            }
        }
    }
}

/// E006: an excluded word stands in every form of a required one.
fn never(report: &mut Report<'_>, expanded: &Expanded) {
    let none: Vec<&String> = expanded.none.iter().chain(&expanded.none_near).flatten().collect();
    if none.is_empty() {
        return;
    }
    // Allowed for the words that an ignored phrase takes away again.
    let excluded = |word: &String| none.iter().find(|n| word.contains(n.as_str())).copied();
    let blocked = |list: &[String]| -> Option<String> {
        let first = list.first().and_then(excluded)?;
        list.iter().all(|word| excluded(word).is_some()).then(|| first.clone())
    };
    for (n, list) in expanded.all.iter().enumerate() {
        if let Some(word) = blocked(list) {
            report.error(
                "E006",
                &format!("when.all[{n}]"),
                format!("none 里的“{word}”包含在这个条件的每一种说法里，规则永远不会匹配"),
                Some("从 none 里拿掉它，或换成更长的词"),
            );
        }
    }
    let any: Vec<String> = expanded.any.iter().flatten().cloned().collect();
    if !any.is_empty()
        && let Some(word) = blocked(&any)
    {
        report.error(
            "E006",
            "when.any",
            format!("none 里的“{word}”等词包含在 any 的每一种说法里，规则永远不会匹配"),
            Some("从 none 里拿掉它们，或换成更长的词"),
        );
    }
}

/// E011.
fn expressions(report: &mut Report<'_>, expanded: &Expanded) {
    let _ = expanded;
    let patterns = report.raw.rule.when.regex.clone();
    for (n, pattern) in patterns.iter().enumerate() {
        let at = format!("when.regex[{n}]");
        if pattern.chars().count() > 200 {
            report.error("E011", &at, "正则超过 200 个字".into(), Some("拆成几条规则，或用词代替"));
            continue;
        }
        if pattern.trim().is_empty() {
            report.error("E011", &at, "正则是空的，什么都匹配".into(), Some("删掉它，或写上要匹配的内容"));
            continue;
        }
        if touches_boundary(pattern) {
            report.error("E011", &at, "\\b 在汉字旁边不起作用".into(), Some("删掉 \\b"));
        }
        if let Err(error) = RegexBuilder::new(&fold(pattern)).size_limit(REGEX_SIZE_LIMIT).nest_limit(50).build() {
            let message = if matches!(error, regex::Error::CompiledTooBig(_)) {
                "正则太大（编译后超过 256 KiB），缩小重复次数".to_owned()
            } else if ["(?=", "(?!", "(?<"].iter().any(|look| pattern.contains(look)) {
                "正则里有环视 (?=…) (?!…)，不支持".to_owned()
            } else if pattern.contains("\\1") || pattern.contains("\\2") {
                "正则里有反向引用 \\1，不支持".to_owned()
            } else {
                format!("正则写错了：{}", wrong_expression(&error.to_string()))
            };
            report.error("E011", &at, message, Some("尽量用 all/any 里的词，少用正则"));
        }
    }
}

/// What is wrong with an expression, for people.
fn wrong_expression(text: &str) -> &'static str {
    if text.contains("unclosed group") || text.contains("unopened group") {
        "圆括号没有成对"
    } else if text.contains("unclosed character class") || text.contains("character class") {
        "方括号没有成对，或里面写错了"
    } else if text.contains("repetition") || text.contains("quantifier") {
        "* + ? {} 前面没有要重复的字，或次数写错了"
    } else if text.contains("escape") {
        "反斜杠后面的写法不认识"
    } else {
        "写法不对"
    }
}

fn touches_boundary(pattern: &str) -> bool {
    pattern.match_indices("\\b").any(|(at, _)| {
        let before = pattern.get(..at).and_then(|t| t.chars().next_back());
        let after = pattern.get(at + 2..).and_then(|t| t.chars().next());
        before.is_some_and(text::is_han) || after.is_some_and(text::is_han)
    })
}

/// E015.
fn dates(report: &mut Report<'_>, env: &CompileEnv) {
    let rule = &report.raw.rule;
    let (from, until, status, on_expired) = (rule.valid_from, rule.valid_until, rule.status, rule.on_expired);
    if let (Some(from), Some(until)) = (from, until)
        && from > until
    {
        report.error("E015", "valid_from", format!("生效日期 {from} 晚于失效日期 {until}"), None);
    }
    if let Some(until) = until
        && status == Status::Active
        && until < env.today
    {
        let help = match on_expired {
            OnExpired::Route => {
                "核对新文件后改有效期，或把 status 改成 retired；在此之前问到的人会被告知依据已到期并转人工"
            }
            OnExpired::Silent => "核对新文件后改有效期，或把 status 改成 retired",
        };
        // A warning here: the rule does not answer any more, and a running gateway must not refuse all others on the
        // day one of them runs out. `rules check` is stricter.
        report.warn("E015", "valid_until", format!("规则已于 {until} 到期，却还是上线状态"), Some(help));
    }
    for (n, cite) in report.raw.rule.citations.clone().iter().enumerate() {
        if let (Some(from), Some(until)) = (cite.effective_from, cite.effective_until)
            && from > until
        {
            report.error(
                "E015",
                &format!("cite[{n}].effective_from"),
                format!("依据的生效日期 {from} 晚于失效日期 {until}"),
                None,
            );
        }
    }
}

/// E016: what the rule points to must exist.
fn references(report: &mut Report<'_>, env: &CompileEnv) {
    let rule = report.raw.rule.clone();
    if let Some(topic) = &rule.topic
        && !env.topics.is_empty()
        && !env.topics.contains_key(topic)
        && !env.topics.keys().any(|code| code.split('.').next() == Some(topic.as_str()))
    {
        let help = nearest(topic, env.topics.keys().map(String::as_str)).map(|n| format!("是不是想写 {n}？"));
        report.error("E016", "topic", format!("主题表里没有“{topic}”"), help.as_deref());
    }
    if let Some(unit) = &rule.route.department
        && !env.units.is_empty()
        && !env.units.contains_key(unit)
    {
        let by_name =
            env.units.iter().find(|(_, names)| names.iter().any(|n| n == unit)).map(|(slug, _)| slug.as_str());
        let help = by_name
            .or_else(|| nearest(unit, env.units.keys().map(String::as_str)))
            .map(|n| format!("是不是想写 {n}？"));
        report.error("E016", "route.department", format!("单位表里没有“{unit}”"), help.as_deref());
    }
    let Some(form) = &rule.form else { return };
    for (n, ask) in form.asks.iter().enumerate() {
        if !SLOT_TYPES.contains(&ask.kind.as_str()) {
            let help = match nearest(&ask.kind, SLOT_TYPES.iter().copied()) {
                Some(meant) => format!("是不是想写 {meant}？"),
                None => format!("可以写：{}", SLOT_TYPES.join("、")),
            };
            report.error(
                "E016",
                &format!("form.ask[{n}].type"),
                format!("不认识的追问类型“{}”", ask.kind),
                Some(&help),
            );
        }
        if ask.slot.is_empty() || ask.ask.is_empty() {
            report.error("E016", &format!("form.ask[{n}]"), "追问要写 slot 和 ask".into(), None);
        }
    }
    if form.asks.is_empty() {
        report.error("E016", "form", "追问里一个问题也没有".into(), None);
    }
    if let (Some(trigger), Some(answer)) = (&form.trigger, &rule.answer)
        && !answer.quick_replies.contains(trigger)
    {
        report.error("E016", "form.trigger", format!("追问的入口“{trigger}”不在 quick_replies 里，没有人点得到"), None);
    }
}

/// E018.
fn personal(report: &mut Report<'_>) {
    let rule = report.raw.rule.clone();
    let mut texts: Vec<(String, &str)> = vec![("title".into(), &rule.title)];
    let vars = report.raw.vars.clone();
    texts.extend(vars.iter().map(|(name, value)| (format!("answer.vars.{name}"), value.as_str())));
    for (n, line) in rule.tests.chats.iter().enumerate() {
        texts.extend(line.iter().map(|words| (format!("tests.chat[{n}]"), words.as_str())));
    }
    if let Some(answer) = &rule.answer {
        let buttons = answer.quick_replies.iter().enumerate();
        texts.extend(buttons.map(|(n, reply)| (format!("answer.quick_replies[{n}]"), reply.as_str())));
        texts.push(("answer.text".into(), &answer.text));
        texts.extend(answer.plain.as_deref().map(|t| ("answer.plain".to_owned(), t)));
    }
    texts.extend(rule.tests.matches.iter().enumerate().map(|(n, t)| (format!("tests.match[{n}]"), t.as_str())));
    texts.extend(
        rule.tests.not_matches.iter().enumerate().map(|(n, t)| (format!("tests.not_match[{n}]"), t.text.as_str())),
    );
    texts.extend(
        rule.tests.todo_matches.iter().enumerate().map(|(n, t)| (format!("tests.todo_match[{n}]"), t.as_str())),
    );
    for (field, text) in texts {
        for piece in find_personal(text) {
            match piece.kind {
                PersonalKind::IdCard | PersonalKind::Uscc | PersonalKind::Phone | PersonalKind::BankCard => {
                    report.error(
                        "E018",
                        &field,
                        format!("这里有真实格式的{}", piece.kind.label()),
                        Some("删掉，或改成“某号码”"),
                    );
                }
                PersonalKind::Landline | PersonalKind::Email => {}
            }
        }
    }
}

/// W104–W108.
fn habits(report: &mut Report<'_>, env: &CompileEnv) {
    let rule = report.raw.rule.clone();
    if rule.status == Status::Retired || rule.status == Status::Draft {
        return;
    }
    if rule.tests.matches.len() < 3 || rule.tests.not_matches.is_empty() {
        report.warn(
            "W104",
            "tests",
            format!("例子太少：正例 {} 条、反例 {} 条", rule.tests.matches.len(), rule.tests.not_matches.len()),
            Some("至少 3 条正例、1 条反例"),
        );
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (n, example) in rule.tests.matches.iter().enumerate() {
        if seen.insert(text::normalised(example), n).is_some() {
            report.warn("W104", &format!("tests.match[{n}]"), format!("正例“{example}”规范化后与另一条相同"), None);
        }
    }
    if rule.kind == RuleKind::Answer {
        if report.raw.says_negation && rule.when.allow_negated && !has_comment(report, "when.negation") {
            report.warn("W105", "when.negation", "negation = \"allow\" 没有说明理由".into(), Some("在行尾加 # 说明"));
        }
        if rule.when.max_chars.is_none() && rule.case_type == Some(CaseType::Consultation) {
            report.warn(
                "W105",
                "when",
                "没有写 max_chars，长信也会直接作答".into(),
                Some("咨询一般写 max_chars = 120"),
            );
        }
        if rule.owner.as_deref().unwrap_or_default().is_empty()
            || rule.reviewer.as_deref().unwrap_or_default().is_empty()
        {
            report.warn("W106", "owner", "没有写负责人 owner 或复核人 reviewer".into(), None);
        }
        if let Some(due) = rule.review_due {
            let days = env.today.until(due).map_or(0, |span| span.get_days());
            if days < 0 {
                report.warn("W106", "review_due", format!("复核日期 {due} 已过"), Some("核对后改到半年之后"));
            } else if days <= 14 {
                report.warn("W106", "review_due", format!("离复核日期 {due} 只有 {days} 天"), None);
            }
        }
        let demand = rule
            .case_type
            .is_some_and(|t| !matches!(t, CaseType::Consultation | CaseType::Suggestion | CaseType::Praise));
        let direct = rule.answer.as_ref().is_some_and(|a| a.mode != AnswerMode::Draft);
        if demand && direct && rule.route.department.is_none() {
            report.warn(
                "W107",
                "route",
                "投诉、诉求类直接作答却没有写送给谁办".into(),
                Some("加 [rule.route] department = \"…\""),
            );
        }
        if rule.priority >= 90 {
            report.warn(
                "W108",
                "priority",
                format!("优先级 {} 留给紧急和安全规则", rule.priority),
                Some("一般用 40–70"),
            );
        }
    }
}

/// Whether the line of a field has a comment.
fn has_comment(report: &Report<'_>, field: &str) -> bool {
    report.file.line(report.raw.spot(field)).contains('#')
}
