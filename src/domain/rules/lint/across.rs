//! Checks that compare rules with one another, and of word groups.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Expanded, Report};
use crate::domain::{
    kinds::Command,
    rules::{
        diagnostic::{Diagnostic, Level},
        file::{RawGroup, RawRule},
        model::{Rule, RuleKind, Status},
        source::FileText,
    },
    text,
};

/// E003 and E008: the same id, the same conditions.
pub(super) fn duplicates(rules: &[(RawRule, Expanded)], texts: &[FileText<'_>], out: &mut Vec<Diagnostic>) {
    let mut ids: HashMap<&str, &Rule> = HashMap::new();
    let mut conditions: HashMap<String, Vec<&Rule>> = HashMap::new();
    let mut priorities: BTreeMap<(&str, u8), (usize, &RawRule)> = BTreeMap::new();
    for (raw, expanded) in rules {
        let Some(file) = texts.get(raw.file) else { continue };
        let rule = &raw.rule;
        let mut report = Report { raw, file, out };
        if !rule.id.is_empty() {
            match ids.get(rule.id.as_str()) {
                Some(first) => {
                    let why = if first.status == Status::Retired {
                        "是一条停用规则的编号，不能再用"
                    } else {
                        "已经用过"
                    };
                    report.error(
                        "E003",
                        "id",
                        format!("编号“{}”{why}：{}:{}", rule.id, first.file, first.line),
                        Some("换一个新编号"),
                    );
                }
                None => {
                    ids.insert(&rule.id, rule);
                }
            }
        }
        if !matches!(rule.status, Status::Active | Status::Shadow) {
            continue;
        }
        let key = condition_key(rule, expanded);
        let same = conditions.entry(key).or_default();
        let twin = |other: &&&Rule| overlaps(rule, other) && other.id != rule.id && other.status == rule.status;
        if let Some(twin) = same.iter().find(twin) {
            report.error(
                "E008",
                "when",
                format!("条件与规则“{}”（{}:{}）完全相同", twin.id, twin.file, twin.line),
                Some("合并两条规则，或让条件有区别"),
            );
        }
        same.push(rule);
        if let (RuleKind::Answer, Some(topic)) = (rule.kind, &rule.topic) {
            let entry = priorities.entry((topic, rule.priority)).or_insert((0, raw));
            entry.0 += 1;
        }
    }
    for ((topic, priority), (count, raw)) in priorities {
        if count > 20
            && let Some(file) = texts.get(raw.file)
        {
            Report { raw, file, out }.warn(
                "W108",
                "priority",
                format!("主题“{topic}”有 {count} 条规则都是优先级 {priority}"),
                None,
            );
        }
    }
}

fn condition_key(rule: &Rule, expanded: &Expanded) -> String {
    let sorted = |lists: &[Vec<String>], flat: bool| {
        if flat {
            let mut words: Vec<&str> = lists.iter().flatten().map(String::as_str).collect();
            words.sort_unstable();
            words.dedup();
            return words.join("\u{1}");
        }
        let mut joined: Vec<String> = lists.iter().map(|list| list.join("\u{1}")).collect();
        joined.sort();
        joined.join("\u{2}")
    };
    format!(
        "{}|{}|{}|{}|{}|{}|{:?}|{}|{}|{:?}|{:?}|{}",
        // Two votes for different topics or types may share their words.
        rule.kind,
        sorted(&expanded.all, false),
        sorted(&expanded.any, true),
        sorted(&expanded.none, true),
        sorted(&expanded.none_near, true),
        sorted(&expanded.ignore, true),
        rule.when.regex,
        rule.when.scope,
        rule.when.allow_negated,
        rule.when.min_chars,
        rule.when.max_chars,
        if rule.kind == RuleKind::Topic || rule.kind == RuleKind::Type {
            format!("{:?}{:?}", rule.topic, rule.case_type)
        } else {
            String::new()
        },
    )
}

/// Whether two rules can be in force for the same message.
pub(in crate::domain::rules) fn overlaps(a: &Rule, b: &Rule) -> bool {
    let dates = a.valid_from.zip(b.valid_until).is_none_or(|(from, until)| from <= until)
        && b.valid_from.zip(a.valid_until).is_none_or(|(from, until)| from <= until);
    let channels = a.channels.is_empty() || b.channels.is_empty() || a.channels.iter().any(|c| b.channels.contains(c));
    let near = |x: &String, y: &String| {
        let (x, y) = (x.trim_end_matches("00"), y.trim_end_matches("00"));
        x.starts_with(y) || y.starts_with(x)
    };
    let areas = a.areas.is_empty() || b.areas.is_empty() || a.areas.iter().any(|x| b.areas.iter().any(|y| near(x, y)));
    dates && channels && areas
}

/// W103: a member that holds another member of its group says nothing more.
fn covered_members(raw: &[RawGroup], texts: &[FileText<'_>], out: &mut Vec<Diagnostic>) {
    for group in raw {
        let Some(file) = texts.get(group.file) else { continue };
        let words: Vec<(String, &String, usize)> = group
            .members
            .iter()
            .filter(|(member, _)| !member.starts_with('@'))
            .map(|(member, at)| (text::normalised(member), member, *at))
            .collect();
        for (word, member, at) in &words {
            let shorter =
                words.iter().find(|(other, _, _)| !other.is_empty() && other != word && word.contains(other.as_str()));
            if let Some((_, other, _)) = shorter {
                let message = format!("组“{}”里已有“{other}”，“{member}”不写也会匹配", group.name);
                out.push(file.finding("W103", Level::Info, *at, message, None));
            }
        }
    }
}

/// E004 and W103 for the words of aspects, which are single words and no groups.
pub(in crate::domain::rules) fn aspects(raw: &[RawGroup], texts: &[FileText<'_>], out: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for aspect in raw {
        let Some(file) = texts.get(aspect.file) else { continue };
        for (member, at) in &aspect.members {
            let word = text::normalised(member);
            if word.chars().count() < 2 {
                let message = format!("问法“{}”里的“{member}”太短，会把答复都挡住", aspect.name);
                let help = Some("换成两个字以上的词".to_owned());
                out.push(file.finding("E004", Level::Error, *at, message, help));
            }
            if let Some(other) = seen.insert(word, &aspect.name) {
                let message = format!("“{member}”已在问法“{other}”里");
                out.push(file.finding("W103", Level::Warning, *at, message, Some("删掉一个".to_owned())));
            }
        }
    }
}

/// W103 and groups that nobody uses.
pub(in crate::domain::rules) fn groups(
    raw: &[RawGroup],
    used: &BTreeSet<&str>,
    texts: &[FileText<'_>],
    out: &mut Vec<Diagnostic>,
) {
    covered_members(raw, texts, out);
    let mut owner: HashMap<String, &str> = HashMap::new();
    let referenced: BTreeSet<&str> = raw
        .iter()
        .flat_map(|g| &g.members)
        .filter_map(|(m, _)| m.strip_prefix('@'))
        .chain(used.iter().copied())
        .collect();
    for group in raw {
        let Some(file) = texts.get(group.file) else { continue };
        if !referenced.contains(group.name.as_str()) {
            out.push(file.finding(
                "W103",
                Level::Info,
                group.at,
                format!("同义词组“{}”没有规则用到", group.name),
                None,
            ));
        }
        let mut own: BTreeSet<String> = BTreeSet::new();
        for (member, at) in &group.members {
            if member.starts_with('@') {
                continue;
            }
            let word = text::normalised(member);
            if word.chars().count() == 1 {
                out.push(file.finding(
                    "W101",
                    Level::Info,
                    *at,
                    format!("组“{}”里的单字词“{member}”太容易误中", group.name),
                    Some("换成两个字以上的词".to_owned()),
                ));
            }
            if word != *member && word.chars().ne(member.chars().flat_map(char::to_lowercase)) && !word.is_empty() {
                let help = format!("改成：\"{word}\"");
                out.push(file.finding("W102", Level::Warning, *at, format!("“{member}”会按“{word}”匹配"), Some(help)));
            }
            if !own.insert(word.clone()) {
                out.push(file.finding(
                    "W103",
                    Level::Warning,
                    *at,
                    format!("“{member}”在组“{}”里写了两次", group.name),
                    Some("删掉一个".into()),
                ));
            } else if word.chars().count() >= 2
                && let Some(other) = owner.insert(word, &group.name)
                && other != group.name
            {
                out.push(file.finding(
                    "W103",
                    Level::Info,
                    *at,
                    format!("“{member}”同时在组“{other}”和“{}”里", group.name),
                    None,
                ));
            }
        }
    }
}

/// Whether a quick reply is one that the dialogue itself understands.
pub(in crate::domain::rules) fn is_built_in_reply(reply: &str) -> bool {
    Command::ALL.iter().any(|c| c.label() == reply)
        || matches!(
            reply,
            "转人工"
                | "人工"
                | "查进度"
                | "提交"
                | "取消"
                | "没解决"
                | "已解决"
                | "返回"
                | "重新说"
                | "都不是"
                | "我要反映问题"
                | "反映问题"
                | "提交诉求"
        )
}
