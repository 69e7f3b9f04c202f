//! From rule files to a checked [`RuleSet`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
};

use jiff::civil::Date;
use regex::RegexBuilder;
use sha2::{Digest as _, Sha256};

use super::{
    diagnostic::{Diagnostic, Level},
    engine::Conditions,
    file::{RawFile, RawGroup, RawLesson, RawRule, read},
    likeness::Likeness,
    lint::{self, Expanded},
    matcher::{MatcherBuilder, Slot},
    model::{Rule, RuleKind, Status},
    regions::Regions,
    set::{Parts, RuleSet, Topic},
    source::{FileText, nearest},
};
use crate::domain::{kinds::CaseType, text};

/// A rule file as the loader read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path relative to the rules directory, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What the text of a file that could not be read begins with; no TOML begins like this.
const UNREADABLE: char = '\0';

impl SourceFile {
    /// A file that is there and cannot be read, with the reason in Chinese: it is a finding like any other.
    pub fn unreadable(path: String, reason: &str) -> Self {
        Self { path, text: format!("{UNREADABLE}{reason}") }
    }

    /// A file from its bytes; one that is not UTF-8 is unreadable.
    pub fn from_bytes(path: String, bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            // Editors of Windows put a mark in front of the text.
            Ok(text) => {
                let text = match text.strip_prefix('\u{feff}') {
                    Some(rest) => rest.to_owned(),
                    None => text,
                };
                Self { path, text }
            }
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let good = error.as_bytes().get(..at).unwrap_or_default();
                let line = good.split(|b| *b == b'\n').count();
                Self::unreadable(path, &format!("第 {line} 行起不是 UTF-8 编码（可能存成了 ANSI/GBK），请另存为 UTF-8"))
            }
        }
    }

    /// The finding about a file that could not be read.
    pub fn fault(&self) -> Option<Diagnostic> {
        let reason = self.text.strip_prefix(UNREADABLE)?;
        let line = reason.strip_prefix("第 ").and_then(|rest| rest.split(' ').next()).and_then(|n| n.parse().ok());
        Some(Diagnostic {
            code: "E001",
            level: Level::Error,
            file: self.path.clone(),
            line: line.unwrap_or(1),
            column: 1,
            rule: None,
            message: format!("文件读不出来：{reason}"),
            help: None,
        })
    }
}

/// What the rules need to know about a topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicInfo {
    /// Name shown to people.
    pub label: String,
    /// Group name, such as 政策.
    pub group: String,
    /// The case type a matter of this topic has unless rules say otherwise.
    pub case_type: Option<CaseType>,
}

/// Where sources are published: sites of the government.
const PUBLIC_HOSTS: &str = "gov.cn";

/// What rule files may refer to.
#[derive(Debug, Clone)]
pub struct CompileEnv {
    /// Known topics by code; empty switches the check off.
    pub topics: BTreeMap<String, TopicInfo>,
    /// Known units: slug to every name it goes by (name, short name, aliases); empty switches the check off.
    pub units: BTreeMap<String, Vec<String>>,
    /// Today in the configured zone.
    pub today: Date,
    /// Hosts that citations may point to, with their subdomains (`gov.cn` unless told); empty allows all.
    pub allowed_domains: Vec<String>,
}

impl CompileEnv {
    /// An environment that knows no topics, units and hosts and therefore does not check them.
    pub fn lenient(today: Date) -> Self {
        Self { topics: BTreeMap::new(), units: BTreeMap::new(), today, allowed_domains: vec![PUBLIC_HOSTS.to_owned()] }
    }
}

/// The outcome of compiling: the usable rules and what was found.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The set without the rules that have errors; `None` when not even that could be built.
    pub set: Option<RuleSet>,
    /// Findings in file order. Whether errors refuse the whole set is the loader's decision.
    pub diagnostics: Vec<Diagnostic>,
}

impl Compiled {
    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.level == Level::Error)
    }
}

/// Whether the path, relative to the rules directory, is a rule or synonym file; taxonomy, routing, SLA profiles
/// and calendars live beside them and have shapes of their own.
pub fn is_rule_file(path: &str) -> bool {
    let toml = path.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("toml"));
    let other =
        matches!(path, "taxonomy.toml" | "routing.toml") || path.starts_with("sla/") || path.starts_with("calendar/");
    toml && !other && !path.split('/').any(|part| part.starts_with('.'))
}

/// Bytes of compiled program that one expression may take.
pub(super) const REGEX_SIZE_LIMIT: usize = 256 * 1024;

/// Parses and checks rule files. Broken rules are left out and reported; files of other shapes are skipped.
pub fn compile(files: &[SourceFile], env: &CompileEnv) -> Compiled {
    let mut files: Vec<&SourceFile> = files.iter().filter(|file| is_rule_file(&file.path)).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut diagnostics: Vec<Diagnostic> = files.iter().filter_map(|file| file.fault()).collect();
    files.retain(|file| file.fault().is_none());
    let texts: Vec<FileText<'_>> = files.iter().map(|file| FileText::new(&file.path, &file.text)).collect();
    let mut raw = RawFile::default();
    for (number, text) in texts.iter().enumerate() {
        let found = read(number, text, &mut diagnostics);
        raw.rules.extend(found.rules);
        raw.groups.extend(found.groups);
        raw.aspects.extend(found.aspects);
        raw.lessons.extend(found.lessons);
        raw.regions.extend(found.regions);
    }
    let groups = Groups::resolve(&raw.groups, &texts, &mut diagnostics);
    let mut rules = Vec::with_capacity(raw.rules.len());
    for rule in raw.rules {
        let expanded = groups.expand(&rule, &texts, &mut diagnostics);
        rules.push((rule, expanded));
    }
    lint::rules(&mut rules, &texts, env, &mut diagnostics);
    let groups_used: BTreeSet<&str> = rules.iter().flat_map(|(_, e)| e.groups.iter().map(String::as_str)).collect();
    lint::groups(&raw.groups, &groups_used, &texts, &mut diagnostics);
    lint::aspects(&raw.aspects, &texts, &mut diagnostics);
    lint::lessons(&raw.lessons, &texts, env, &mut diagnostics);
    let allowing: HashMap<&str, &[String]> = rules
        .iter()
        .filter(|(raw, _)| !raw.rule.allow.is_empty())
        .map(|(raw, _)| (raw.rule.id.as_str(), raw.rule.allow.as_slice()))
        .collect();
    diagnostics.retain(|d| !is_allowed(d, &allowing, env));
    let failed: BTreeSet<(&str, usize)> = diagnostics
        .iter()
        .filter(|d| d.level == Level::Error && d.rule.is_some())
        .map(|d| (d.file.as_str(), d.line))
        .collect();
    let mut usable = Vec::new();
    for (rule, expanded) in rules {
        let Some(file) = texts.get(rule.file) else { continue };
        let end = usable_end(&rule, file);
        let bad =
            rule.broken || failed.iter().any(|&(path, line)| path == file.path && line >= rule.rule.line && line < end);
        if !bad {
            usable.push((rule, expanded));
        }
    }
    let aspects: Vec<Vec<String>> = raw.aspects.iter().map(words_of_aspect).collect();
    let set = build(usable, &raw.lessons, &aspects, Regions::of(&raw.regions), env, content_hash(&files));
    diagnostics.sort_by(|a, b| (&a.file, a.line, a.column, a.code).cmp(&(&b.file, b.line, b.column, b.code)));
    diagnostics.dedup();
    match set {
        Ok(set) => Compiled { set: Some(set), diagnostics },
        Err(error) => {
            diagnostics.push(Diagnostic {
                code: "E000",
                level: Level::Error,
                file: String::new(),
                line: 1,
                column: 1,
                rule: None,
                message: format!("词表太大，无法建立匹配器（{error}）"),
                help: Some("减少词语或拆分规则库".to_owned()),
            });
            Compiled { set: None, diagnostics }
        }
    }
}

/// The first line behind a rule: the next `[[rule]]` of its file.
fn usable_end(rule: &RawRule, file: &FileText<'_>) -> usize {
    let rest = file.text.get(rule.at + 1..).unwrap_or_default();
    rest.find("\n[[rule]]").map_or(usize::MAX, |at| file.place(rule.at + 1 + at + 1).0)
}

/// Whether the rule suppresses the finding: `allow = ["W108: 理由, 2026-12-31"]`. Errors cannot be suppressed.
fn is_allowed(d: &Diagnostic, allowing: &HashMap<&str, &[String]>, env: &CompileEnv) -> bool {
    if d.level == Level::Error {
        return false;
    }
    let Some(allow) = d.rule.as_deref().and_then(|id| allowing.get(id)) else { return false };
    allow.iter().any(|entry| lint::allowance(entry).is_some_and(|(code, until)| code == d.code && env.today <= until))
}

/// SHA-256 over paths and texts, independent of the order in which the loader found the files.
fn content_hash(files: &[&SourceFile]) -> String {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update((file.path.len() as u64).to_le_bytes());
        hasher.update(file.path.as_bytes());
        hasher.update((file.text.len() as u64).to_le_bytes());
        hasher.update(file.text.as_bytes());
    }
    hasher.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Synonym groups with all their words in normal form.
struct Groups {
    words: HashMap<String, Vec<String>>,
}

impl Groups {
    fn resolve(raw: &[RawGroup], texts: &[FileText<'_>], out: &mut Vec<Diagnostic>) -> Self {
        let mut by_name: HashMap<&str, &RawGroup> = HashMap::new();
        for group in raw {
            let Some(file) = texts.get(group.file) else { continue };
            if let Some(first) = by_name.get(group.name.as_str()) {
                let place =
                    texts.get(first.file).map_or(String::new(), |f| format!("{}:{}", f.path, f.place(first.at).0));
                out.push(file.finding(
                    "E005",
                    Level::Error,
                    group.at,
                    format!("同义词组“{}”写了两次，另一处在 {place}", group.name),
                    Some("合并成一组".to_owned()),
                ));
                continue;
            }
            if group.members.is_empty() {
                out.push(file.finding("E005", Level::Error, group.at, format!("同义词组“{}”是空的", group.name), None));
            }
            by_name.insert(&group.name, group);
        }
        let mut words = HashMap::new();
        for group in by_name.values() {
            let mut list = Vec::new();
            let mut path = vec![group.name.as_str()];
            Self::gather(group, &by_name, &mut path, &mut Vec::new(), &mut list, texts, out);
            list.sort();
            list.dedup();
            words.insert(group.name.clone(), list);
        }
        Self { words }
    }

    fn gather<'a>(
        group: &'a RawGroup,
        by_name: &HashMap<&str, &'a RawGroup>,
        path: &mut Vec<&'a str>,
        done: &mut Vec<&'a str>,
        list: &mut Vec<String>,
        texts: &[FileText<'_>],
        out: &mut Vec<Diagnostic>,
    ) {
        let Some(file) = texts.get(group.file) else { return };
        let own = path.len() == 1;
        for (member, at) in &group.members {
            if let Some(name) = member.strip_prefix('@') {
                if path.contains(&name) {
                    if path.first() == Some(&name) {
                        let circle = path.iter().map(|n| format!("@{n}")).collect::<Vec<_>>().join(" → ");
                        let message = format!("同义词组互相包含：{circle} → @{name}");
                        out.push(file.finding("E005", Level::Error, *at, message, None));
                    }
                } else if let Some(inner) = by_name.get(name) {
                    // Each group is taken in once, however many ways lead to it.
                    if !done.contains(&name) {
                        done.push(name);
                        path.push(&inner.name);
                        Self::gather(inner, by_name, path, done, list, texts, out);
                        path.pop();
                    }
                } else if own {
                    let help = nearest(name, by_name.keys().copied()).map(|n| format!("是不是想写 @{n}？"));
                    out.push(file.finding("E005", Level::Error, *at, format!("没有同义词组“{name}”"), help));
                }
                continue;
            }
            let word = text::normalised(member);
            if word.is_empty() {
                if own {
                    out.push(file.finding(
                        "E004",
                        Level::Error,
                        *at,
                        format!("“{member}”去掉空格和标点后什么也不剩，会匹配所有消息"),
                        Some("删掉它".to_owned()),
                    ));
                }
            } else {
                list.push(word);
            }
        }
    }

    /// The words of every condition of a rule.
    fn expand(&self, raw: &RawRule, texts: &[FileText<'_>], out: &mut Vec<Diagnostic>) -> Expanded {
        let mut expanded = Expanded::default();
        let when = &raw.rule.when;
        for (field, items, into) in [
            ("all", &when.all, &mut expanded.all),
            ("any", &when.any, &mut expanded.any),
            ("none", &when.none, &mut expanded.none),
            ("none_near", &when.none_near, &mut expanded.none_near),
            ("ignore", &when.ignore, &mut expanded.ignore),
        ] {
            for (n, item) in items.iter().enumerate() {
                let spot = raw.spot(&format!("when.{field}[{n}]"));
                let mut complain = |code, message: String, help| {
                    if let Some(file) = texts.get(raw.file) {
                        let mut finding = file.finding(code, Level::Error, spot, message, help);
                        finding.rule = Some(raw.rule.id.clone());
                        out.push(finding);
                    }
                };
                if let Some(name) = item.strip_prefix('@') {
                    expanded.groups.insert(name.to_owned());
                    if let Some(words) = self.words.get(name) {
                        into.push(words.iter().map(|word| view(word, raw.rule.han_view)).collect());
                    } else {
                        let known = self.words.keys().map(String::as_str);
                        let help = nearest(name, known).map(|n| format!("是不是想写 @{n}？"));
                        complain("E005", format!("没有同义词组“{name}”"), help);
                        into.push(Vec::new());
                    }
                    continue;
                }
                let word = view(&text::normalised(item), raw.rule.han_view);
                if word.is_empty() {
                    complain(
                        "E004",
                        format!("“{item}”去掉空格和标点后什么也不剩，会匹配所有消息"),
                        Some("删掉它".to_owned()),
                    );
                    into.push(Vec::new());
                } else {
                    into.push(vec![word]);
                }
            }
        }
        expanded
    }
}

/// A word as it stands in the view that the rule matches on.
fn view(word: &str, han: bool) -> String {
    if han { word.chars().filter(|&c| text::is_han(c)).collect() } else { word.to_owned() }
}

fn build(
    usable: Vec<(RawRule, Expanded)>,
    lessons: &[RawLesson],
    aspects: &[Vec<String>],
    regions: Regions,
    env: &CompileEnv,
    hash: String,
) -> Result<RuleSet, aho_corasick::BuildError> {
    let organs: Vec<String> = env
        .units
        .values()
        .flatten()
        .map(|name| text::normalised(name))
        .filter(|name| name.chars().count() >= 2)
        .collect();
    let mut builder = MatcherBuilder::new(organs.iter().map(String::as_str), &regions.words());
    for aspect in aspects {
        builder.aspect(aspect);
    }
    let mut topics = Topics { env, known: Vec::new(), groups: Vec::new() };
    let mut rules = Vec::with_capacity(usable.len());
    let mut conditions = Vec::with_capacity(usable.len());
    let mut rule_topics = Vec::with_capacity(usable.len());
    for (raw, mut expanded) in usable {
        let rule = raw.rule;
        if rule.kind == RuleKind::Answer {
            expanded.none.extend(passed_over(&rule, &expanded, aspects));
        }
        let topic = rule.topic.as_ref().map(|code| topics.number(code));
        let mut slots = |lists: &[Vec<String>]| -> Box<[Slot]> {
            lists.iter().map(|words| builder.slot(rule.han_view, words)).collect()
        };
        let has_words = !expanded.all.is_empty() || !expanded.any.is_empty();
        let regex = rule
            .when
            .regex
            .iter()
            .filter_map(|pattern| RegexBuilder::new(&fold(pattern)).size_limit(REGEX_SIZE_LIMIT).build().ok())
            .collect();
        let longest = match rule.kind {
            RuleKind::Command => 40,
            RuleKind::Smalltalk => 30,
            RuleKind::Answer | RuleKind::Type | RuleKind::Topic | RuleKind::Urgency | RuleKind::Diversion => usize::MAX,
        };
        conditions.push(Conditions {
            kind: rule.kind,
            all: slots(&expanded.all),
            any: slots(&expanded.any),
            none: slots(&expanded.none),
            none_near: slots(&expanded.none_near),
            ignore: slots(&expanded.ignore),
            regex,
            scope: rule.when.scope,
            allow_negated: rule.when.allow_negated,
            min_chars: rule.when.min_chars.unwrap_or(0),
            max_chars: rule.when.max_chars.unwrap_or(longest),
            valid_from: rule.valid_from,
            valid_until: rule.valid_until,
            on_expired: rule.on_expired,
            channels: rule.channels.clone().into(),
            areas: rule.areas.iter().map(|area| area_prefix(area)).collect(),
            matchable: has_words && matches!(rule.status, Status::Active | Status::Shadow),
        });
        rule_topics.push(topic);
        rules.push(rule);
    }
    let mut texts = taught(&rules, &rule_topics);
    let mut types = taught_types(&rules);
    for lesson in lessons {
        let topic = lesson.topic.as_ref().map(|code| Some(topics.number(code)));
        for (example, _) in &lesson.texts {
            let normal = text::normalised(example);
            types.extend(lesson.case_type.map(|case_type| (Some(case_type as u16), normal.clone())));
            texts.extend(topic.map(|topic| (topic, normal)));
        }
    }
    let topics = topics.known;
    let (matcher, likeness) = std::thread::scope(|scope| {
        let likeness = scope.spawn(|| {
            let types = Likeness::learn(&types, CaseType::ALL.len());
            (Likeness::learn(&texts, topics.len()), types)
        });
        (builder.build(), likeness.join().unwrap_or_default())
    });
    let (likeness, type_likeness) = likeness;
    Ok(RuleSet::new(Parts {
        rules,
        conditions,
        rule_topics,
        topics,
        matcher: matcher?,
        likeness,
        type_likeness,
        regions,
        hash,
    }))
}

/// The topics that rules and examples speak of, numbered as they turn up.
struct Topics<'a> {
    env: &'a CompileEnv,
    known: Vec<Topic>,
    groups: Vec<String>,
}

impl Topics<'_> {
    fn number(&mut self, code: &str) -> u16 {
        if let Some(n) = self.known.iter().position(|t| t.code == code) {
            return n as u16;
        }
        let info = self.env.topics.get(code);
        let name = match info {
            Some(info) if !info.group.is_empty() => info.group.clone(),
            _ => code.split(['.', '/']).next().unwrap_or(code).to_owned(),
        };
        let group = self.groups.iter().position(|g| g == &name).unwrap_or_else(|| {
            self.groups.push(name);
            self.groups.len() - 1
        });
        self.known.push(Topic {
            code: code.to_owned(),
            group: group as u16,
            case_type: info.and_then(|i| i.case_type),
        });
        self.known.len() as u16 - 1
    }
}

/// The words of an aspect in normal form.
fn words_of_aspect(aspect: &RawGroup) -> Vec<String> {
    aspect.members.iter().map(|(word, _)| text::normalised(word)).filter(|word| !word.is_empty()).collect()
}

/// The aspects that a rule nowhere speaks of, neither in its words and examples nor in its answer: a question about the
/// fee is not answered by what only knows the time limit. Such a word excludes the rule like one of its own `none`.
fn passed_over(rule: &Rule, expanded: &Expanded, aspects: &[Vec<String>]) -> Vec<Vec<String>> {
    let mut said: Vec<String> = vec![text::normalised(&rule.title)];
    if let Some(answer) = &rule.answer {
        said.extend(
            [Some(&answer.text), answer.plain.as_ref()].into_iter().flatten().map(|text| text::normalised(text)),
        );
    }
    said.extend(rule.tests.matches.iter().map(|example| text::normalised(example)));
    let own = expanded.all.iter().chain(&expanded.any).flatten();
    let said: Vec<&str> = said.iter().chain(own).map(String::as_str).collect();
    let speaks_of = |aspect: &[String]| aspect.iter().any(|word| said.iter().any(|said| said.contains(word.as_str())));
    aspects.iter().filter(|aspect| !aspect.is_empty() && !speaks_of(aspect)).cloned().collect()
}

/// What live rules teach about topics: the words of topic rules and the examples of these and of answers, each with its
/// topic; orders, small talk and answers about the platform teach what has none.
fn taught(rules: &[Rule], rule_topics: &[Option<u16>]) -> Vec<(Option<u16>, String)> {
    let mut texts = Vec::new();
    for (rule, topic) in rules.iter().zip(rule_topics).filter(|(rule, _)| rule.status == Status::Active) {
        let (topic, words) = match (rule.kind, *topic) {
            (RuleKind::Topic, Some(topic)) => (Some(topic), true),
            (RuleKind::Answer, topic) => (topic, false),
            (RuleKind::Command | RuleKind::Smalltalk, _) => (None, false),
            (RuleKind::Topic, None) | (RuleKind::Type | RuleKind::Urgency | RuleKind::Diversion, _) => continue,
        };
        if words {
            texts.extend(words_of(rule).map(|word| (topic, word)));
        }
        texts.extend(rule.tests.matches.iter().map(|example| (topic, text::normalised(example))));
    }
    // A counter-example that says where it belongs teaches that topic.
    let topic_of: HashMap<&str, u16> =
        rules.iter().zip(rule_topics).filter_map(|(rule, topic)| Some((rule.id.as_str(), (*topic)?))).collect();
    for example in rules.iter().flat_map(|rule| &rule.tests.not_matches) {
        if let Some(&topic) = example.expect.as_deref().and_then(|id| topic_of.get(id)) {
            texts.push((Some(topic), text::normalised(&example.text)));
        }
    }
    texts
}

/// What live rules teach about case types: the words and examples of type rules.
fn taught_types(rules: &[Rule]) -> Vec<(Option<u16>, String)> {
    let mut texts = Vec::new();
    for rule in rules.iter().filter(|rule| rule.status == Status::Active && rule.kind == RuleKind::Type) {
        let Some(case_type) = rule.case_type else { continue };
        let number = Some(case_type as u16);
        texts.extend(words_of(rule).map(|word| (number, word)));
        texts.extend(rule.tests.matches.iter().map(|example| (number, text::normalised(example))));
    }
    texts
}

fn words_of(rule: &Rule) -> impl Iterator<Item = String> {
    let words = rule.when.all.iter().chain(&rule.when.any).filter(|word| !word.starts_with('@'));
    words.map(|word| text::normalised(word))
}

/// 350000 covers 3501xx: the zeros of lower levels are no part of the code.
fn area_prefix(area: &str) -> String {
    let mut prefix = area.trim();
    while prefix.len() > 2
        && let Some(shorter) = prefix.strip_suffix("00")
    {
        prefix = shorter;
    }
    prefix.to_owned()
}

/// Expressions are written in ordinary text and meet normalised text: lower case, simplified, no spaces. Only
/// characters outside of escapes change.
pub(super) fn fold(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut escaped = false;
    for c in pattern.chars() {
        if escaped {
            out.push(c);
            escaped = false;
        } else if c == '\\' {
            out.push(c);
            escaped = true;
        } else if c.is_ascii() {
            out.extend(c.to_lowercase());
        } else {
            // ？ becomes a question mark and must not become an operator.
            out.push_str(&regex::escape(&text::normalised(c.encode_utf8(&mut [0; 4]))));
        }
    }
    out
}
