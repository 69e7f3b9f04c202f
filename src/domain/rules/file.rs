//! The TOML shapes of rule files: from text to rules as written, with the place of every field.
//!
//! The tree is walked by hand and not deserialised, so that every wrong field of a file is reported at once, in
//! Chinese, and costs only its own rule.

mod section;

use std::{collections::BTreeMap, sync::Arc};

use section::{Section, entry};
use toml::de::{DeTable, DeValue};

use super::{
    diagnostic::{Diagnostic, Level},
    model::{
        Answer, AnswerMode, Ask, Citation, ExpectedExample, Form, OnExpired, OnFail, Route, Rule, RuleKind, RuleTests,
        Scope, SourceCheck, Status, When,
    },
    source::{FileText, nearest, syntax_error},
};
use crate::domain::kinds::{CaseType, Channel, Command, Diversion, Urgency};

macro_rules! words {
    ($kind:ty) => {
        &<$kind>::ALL.iter().map(|w| (w.as_str(), w.label())).collect::<Vec<_>>()
    };
}

/// Places of fields: `when.any[2]` → byte offset.
pub(super) type Spots = BTreeMap<String, usize>;

/// A rule as written, its answer not yet rendered.
#[derive(Debug)]
pub(super) struct RawRule {
    pub(super) rule: Rule,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) spots: Spots,
    pub(super) at: usize,
    /// Number of its file.
    pub(super) file: usize,
    /// Something in it could not be read: it is not compiled.
    pub(super) broken: bool,
    /// `negation` was written down.
    pub(super) says_negation: bool,
}

impl RawRule {
    /// Where a field stands; the rule's own place when it is not written.
    pub(super) fn spot(&self, field: &str) -> usize {
        self.spots.get(field).copied().unwrap_or(self.at)
    }
}

/// A synonym group as written.
#[derive(Debug)]
pub(super) struct RawGroup {
    pub(super) name: String,
    pub(super) members: Vec<(String, usize)>,
    pub(super) at: usize,
    pub(super) file: usize,
}

/// Messages of one type and topic, from which likeness learns.
#[derive(Debug)]
pub(super) struct RawLesson {
    pub(super) case_type: Option<CaseType>,
    pub(super) topic: Option<String>,
    /// The messages and where they stand.
    pub(super) texts: Vec<(String, usize)>,
    /// Where the topic stands.
    pub(super) topic_at: usize,
    pub(super) file: usize,
}

/// A region as written: its code, its name, and what else it is called.
#[derive(Debug)]
pub(super) struct RawRegion {
    pub(super) code: String,
    pub(super) names: Vec<String>,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct RawFile {
    pub(super) regions: Vec<RawRegion>,
    pub(super) rules: Vec<RawRule>,
    pub(super) groups: Vec<RawGroup>,
    /// What a question can ask about, as words: only an answer that speaks of it answers such a question.
    pub(super) aspects: Vec<RawGroup>,
    pub(super) lessons: Vec<RawLesson>,
}

/// Reads one file. What cannot be read is reported and left out.
pub(super) fn read(number: usize, file: &FileText<'_>, out: &mut Vec<Diagnostic>) -> RawFile {
    let mut raw = RawFile::default();
    match DeTable::parse(file.text) {
        Ok(table) => read_table(number, file, 0, table.get_ref(), &mut raw, out),
        Err(_) => {
            // One slip must not cost the other rules of the file: each [[rule]] block is read alone.
            for (base, chunk) in chunks(file.text) {
                match DeTable::parse(chunk) {
                    Ok(table) => read_table(number, file, base, table.get_ref(), &mut raw, out),
                    Err(error) => out.push(syntax_error(file, base, &error)),
                }
            }
        }
    }
    raw
}

/// The text cut at its `[[rule]]` lines (also misspelt ones), with the offset of each piece.
fn chunks(text: &str) -> Vec<(usize, &str)> {
    let mut starts = vec![0];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let head: String = line.chars().filter(|c| !c.is_whitespace()).take(8).collect();
        if matches!(
            head.as_str(),
            "[[rule]]" | "【【rule】】" | "［［rule］］" | "[[规则]]" | "【rule】" | "[rule]" | "【【规则】】"
        ) && at > 0
        {
            starts.push(at);
        }
        at += line.len();
    }
    let mut pieces = Vec::with_capacity(starts.len());
    for (n, &start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(text.len());
        pieces.push((start, text.get(start..end).unwrap_or_default()));
    }
    pieces
}

fn read_table(
    number: usize,
    file: &FileText<'_>,
    base: usize,
    table: &DeTable<'_>,
    raw: &mut RawFile,
    out: &mut Vec<Diagnostic>,
) {
    let mut spots = Spots::new();
    let mut broken = false;
    let mut section =
        Section { file, base, table, prefix: String::new(), rule: None, spots: &mut spots, out, broken: &mut broken };
    if let Some(schema) = section.integer("schema", 1, 1_000)
        && schema != 1
    {
        section.complain("E002", "schema", "schema 只认 1", None);
    }
    section.only(&["schema", "groups", "aspects", "regions", "rule", "example"]);
    for (kind, into) in [("groups", &mut raw.groups), ("aspects", &mut raw.aspects)] {
        let Some((key, value)) = entry(table, kind) else { continue };
        let Some(lists) = value.get_ref().as_table() else {
            let message = format!("{kind} 要写成 [{kind}] 一节");
            out.push(file.finding("E002", Level::Error, base + key.span().start, message, None));
            return;
        };
        into.extend(
            lists
                .keys()
                .map(|name| read_words(number, file, base, lists, name.get_ref(), base + name.span().start, out)),
        );
    }
    if let Some((key, value)) = entry(table, "regions") {
        if let Some(regions) = value.get_ref().as_table() {
            read_regions(file, base, regions, raw, out);
        } else {
            out.push(file.finding(
                "E002",
                Level::Error,
                base + key.span().start,
                "regions 要写成 [regions] 一节",
                None,
            ));
        }
    }
    if let Some((key, lessons)) = entry(table, "example") {
        let at = base + key.span().start;
        let lessons = lessons.get_ref().as_array().into_iter().flatten();
        let lessons: Vec<&DeTable<'_>> = lessons.filter_map(|lesson| lesson.get_ref().as_table()).collect();
        if lessons.is_empty() {
            let help = Some("改成：[[example]]".to_owned());
            out.push(file.finding("E002", Level::Error, at, "教例要以 [[example]] 开头（两层方括号）", help));
        }
        for lesson in lessons {
            raw.lessons.extend(read_lesson(number, file, base, at, lesson, out));
        }
    }
    let Some((key, rules)) = entry(table, "rule") else { return };
    let DeValue::Array(rules) = rules.get_ref() else {
        out.push(file.finding(
            "E002",
            Level::Error,
            base + key.span().start,
            "每条规则要以 [[rule]] 开头（两层方括号）",
            Some("改成：[[rule]]".to_owned()),
        ));
        return;
    };
    for rule in rules {
        let at = base + rule.span().start;
        if let Some(table) = rule.get_ref().as_table() {
            raw.rules.push(read_rule(number, file, base, at, table, out));
        } else {
            out.push(file.finding("E002", Level::Error, at, "规则要写成 [[rule]] 一节", None));
        }
    }
}

/// Reads one list of words of `[groups]` or `[aspects]`.
fn read_words(
    number: usize,
    file: &FileText<'_>,
    base: usize,
    table: &DeTable<'_>,
    name: &str,
    at: usize,
    out: &mut Vec<Diagnostic>,
) -> RawGroup {
    let mut spots = Spots::new();
    let mut broken = false;
    let mut section =
        Section { file, base, table, prefix: String::new(), rule: None, spots: &mut spots, out, broken: &mut broken };
    let words = section.strings(name);
    let members = words
        .into_iter()
        .enumerate()
        .map(|(n, word)| (word, spots.get(&format!("{name}[{n}]")).copied().unwrap_or(at)))
        .collect();
    RawGroup { name: name.to_owned(), members, at, file: number }
}

/// Reads `[regions]`: `"350000" = ["福建省", "福建"]`, the name to show first.
fn read_regions(file: &FileText<'_>, base: usize, regions: &DeTable<'_>, raw: &mut RawFile, out: &mut Vec<Diagnostic>) {
    for name in regions.keys() {
        let at = base + name.span().start;
        let code: &str = name.get_ref();
        let mut spots = Spots::new();
        let mut broken = false;
        let mut section = Section {
            file,
            base,
            table: regions,
            prefix: String::new(),
            rule: None,
            spots: &mut spots,
            out,
            broken: &mut broken,
        };
        let names = section.strings(code);
        match full_code(code) {
            Some(full) if full == code && !names.is_empty() => {
                raw.regions.push(RawRegion { code: full, names });
            }
            _ if broken => {}
            _ => out.push(file.finding(
                "E002",
                Level::Error,
                at,
                format!("地区要写成 \"六位行政区划代码\" = [\"名称\", \"别的叫法\"]，“{code}”不是"),
                None,
            )),
        }
    }
}

/// An administrative code with all its six digits: `35` is 350000. `None` for what is no code.
pub(super) fn full_code(code: &str) -> Option<String> {
    let code = code.trim();
    let digits = matches!(code.len(), 2 | 4 | 6) && code.bytes().all(|b| b.is_ascii_digit());
    (digits && !code.starts_with('0')).then(|| format!("{code:0<6}"))
}

/// Reads one `[[example]]`; `None` when something in it is wrong.
fn read_lesson(
    number: usize,
    file: &FileText<'_>,
    base: usize,
    at: usize,
    table: &DeTable<'_>,
    out: &mut Vec<Diagnostic>,
) -> Option<RawLesson> {
    let mut spots = Spots::new();
    let mut broken = false;
    let mut section =
        Section { file, base, table, prefix: String::new(), rule: None, spots: &mut spots, out, broken: &mut broken };
    section.only(&["category", "topic", "texts"]);
    let case_type = section.word::<CaseType>("category", words!(CaseType), CATEGORY_ALIASES);
    let topic = section.string("topic");
    let texts = section.strings("texts");
    if case_type.is_none() && topic.is_none() && !*section.broken {
        section.complain("E002", "texts", "教例要写 category（类型）或 topic（主题）", None);
    }
    let place = |field: &str| spots.get(field).copied().unwrap_or(at);
    let texts = texts.into_iter().enumerate().map(|(n, text)| (text, place(&format!("texts[{n}]")))).collect();
    let topic_at = place("topic");
    (!broken).then_some(RawLesson { case_type, topic, texts, topic_at, file: number })
}

const RULE_KEYS: &[&str] = &[
    "id",
    "title",
    "status",
    "kind",
    "category",
    "topic",
    "urgency",
    "weight",
    "command",
    "diversion",
    "sensitive",
    "interrupts_form",
    "han_view",
    "awaiting_recheck",
    "verified_on",
    "source_check",
    "owner",
    "reviewer",
    "review_due",
    "valid_from",
    "valid_until",
    "on_expired",
    "priority",
    "channels",
    "areas",
    "when",
    "answer",
    "cite",
    "form",
    "route",
    "tests",
    "allow",
];

fn read_rule(
    number: usize,
    file: &FileText<'_>,
    base: usize,
    at: usize,
    table: &DeTable<'_>,
    out: &mut Vec<Diagnostic>,
) -> RawRule {
    let mut spots = Spots::new();
    spots.insert(String::new(), at);
    let mut broken = false;
    let mut section =
        Section { file, base, table, prefix: String::new(), rule: None, spots: &mut spots, out, broken: &mut broken };
    let id = section.text("id");
    section.rule = (!id.is_empty()).then(|| id.clone());
    section.only(RULE_KEYS);
    let kind = section.word("kind", words!(RuleKind), &[]).unwrap_or(RuleKind::Answer);
    let status = section.word("status", words!(Status), &[]).unwrap_or(Status::Draft);
    let case_type = section.word::<CaseType>("category", words!(CaseType), CATEGORY_ALIASES);
    let urgency = section.word::<Urgency>("urgency", words!(Urgency), URGENCY_ALIASES);
    let command = section.word::<Command>("command", words!(Command), &[]);
    let diversion = section.word::<Diversion>("diversion", words!(Diversion), &[]);
    let source_check = section.word::<SourceCheck>("source_check", words!(SourceCheck), &[]);
    let on_expired = section.word("on_expired", words!(OnExpired), &[]).unwrap_or(OnExpired::Route);
    let weight = section.integer("weight", 0, 100).unwrap_or(10) as u32;
    let priority = section.integer("priority", 0, 100).unwrap_or(50) as u8;
    let channels = read_channels(&mut section);
    let says_negation;
    let when = {
        let (when, said) = section.within("when", |s| read_when(s, kind)).unwrap_or_else(|| (empty_when(kind), false));
        says_negation = said;
        when
    };
    let mut vars = BTreeMap::new();
    let answer = section.within("answer", |s| read_answer(s, &mut vars));
    let citations: Arc<[Citation]> = section.each("cite", read_citation).into();
    let form = section.within("form", read_form).map(Arc::new);
    let route = section.within("route", read_route).unwrap_or_default();
    let tests = section.within("tests", read_tests).unwrap_or_default();
    let allow = section.strings("allow");
    let rule = Rule {
        title: section.text("title"),
        status,
        kind,
        case_type,
        topic: section.string("topic").filter(|t| !t.is_empty()),
        urgency,
        weight,
        command,
        diversion,
        sensitive: section.bool("sensitive"),
        interrupts_form: section.bool("interrupts_form"),
        han_view: section.bool("han_view"),
        awaiting_recheck: section.bool("awaiting_recheck"),
        verified_on: section.date("verified_on"),
        source_check,
        owner: section.string("owner"),
        reviewer: section.string("reviewer"),
        review_due: section.date("review_due"),
        valid_from: section.date("valid_from"),
        valid_until: section.date("valid_until"),
        on_expired,
        priority,
        channels,
        areas: read_areas(&mut section),
        when,
        answer,
        citations,
        form,
        route,
        tests,
        allow,
        file: file.path.to_owned(),
        line: file.place(at).0,
        id,
    };
    RawRule { rule, vars, spots, at, file: number, broken, says_negation }
}

/// The four wide categories of the format's first version, and the words people use.
const CATEGORY_ALIASES: &[(&str, &str)] = &[
    ("诉求", "coordination"),
    ("投诉举报", "complaint"),
    ("协调", "coordination"),
    ("拖欠", "arrears"),
    ("作风", "conduct"),
    ("差评", "rating_review"),
    ("预约", "service_order"),
];

const URGENCY_ALIASES: &[(&str, &str)] =
    &[("low", "normal"), ("high", "urgent"), ("普通", "normal"), ("加急", "urgent"), ("非常紧急", "critical")];

fn read_channels(section: &mut Section<'_, '_>) -> Vec<Channel> {
    let mut channels = Vec::new();
    for (n, word) in section.strings("channels").into_iter().enumerate() {
        match word.as_str() {
            "wechat" | "微信" => channels.extend([Channel::WechatOa, Channel::WechatWork, Channel::WechatKf]),
            "web" | "网页" => channels.extend([Channel::Web, Channel::Widget]),
            _ => {
                if let Ok(channel) = word.parse() {
                    channels.push(channel);
                } else {
                    let known = Channel::ALL.iter().flat_map(|c| [c.as_str(), c.label()]).chain(["wechat"]);
                    let help = nearest(&word, known).map(|meant| format!("是不是想写 {meant}？"));
                    section.complain("E002", &format!("channels[{n}]"), format!("不认识的渠道“{word}”"), help);
                }
            }
        }
    }
    channels
}

fn read_areas(section: &mut Section<'_, '_>) -> Vec<String> {
    let mut areas = Vec::new();
    for (n, written) in section.strings("areas").into_iter().enumerate() {
        if let Some(code) = full_code(&written) {
            areas.push(code);
        } else {
            let message = format!("“{written}”不是行政区划代码，这条规则永远轮不到");
            let help = Some("写两位、四位或六位数字，如 \"35\" 福建、\"350100\" 福州".to_owned());
            section.complain("E002", &format!("areas[{n}]"), message, help);
        }
    }
    areas
}

/// What a rule without `[rule.when]` asks for: nothing, so it never fires.
const fn empty_when(kind: RuleKind) -> When {
    When {
        all: Vec::new(),
        any: Vec::new(),
        none: Vec::new(),
        none_near: Vec::new(),
        ignore: Vec::new(),
        regex: Vec::new(),
        scope: Scope::Clause,
        allow_negated: allows_negated(kind),
        min_chars: None,
        max_chars: None,
    }
}

/// Topics are named even by those who do not want the thing; everything else is taken back by 不想/不用.
const fn allows_negated(kind: RuleKind) -> bool {
    match kind {
        RuleKind::Topic | RuleKind::Smalltalk => true,
        RuleKind::Answer | RuleKind::Type | RuleKind::Urgency | RuleKind::Command | RuleKind::Diversion => false,
    }
}

fn read_when(section: &mut Section<'_, '_>, kind: RuleKind) -> (When, bool) {
    section.only(&[
        "all",
        "any",
        "none",
        "none_near",
        "ignore",
        "regex",
        "scope",
        "negation",
        "min_chars",
        "max_chars",
    ]);
    let negation = section.string("negation");
    let allow_negated = match negation.as_deref() {
        Some("allow") => true,
        Some("reject") => false,
        None => allows_negated(kind),
        Some(other) => {
            let help = nearest(other, ["allow", "reject"]).unwrap_or("reject 或 allow").to_owned();
            section.complain(
                "E002",
                "negation",
                format!("“negation”不认识“{other}”"),
                Some(format!("是不是想写 {help}？")),
            );
            false
        }
    };
    let when = When {
        all: section.strings("all"),
        any: section.strings("any"),
        none: section.strings("none"),
        none_near: section.strings("none_near"),
        ignore: section.strings("ignore"),
        regex: section.strings("regex"),
        scope: section.word("scope", words!(Scope), &[]).unwrap_or(Scope::Clause),
        allow_negated,
        min_chars: section.integer("min_chars", 1, 100_000).map(|n| n as usize),
        max_chars: section.integer("max_chars", 1, 100_000).map(|n| n as usize),
    };
    (when, negation.is_some())
}

fn read_answer(section: &mut Section<'_, '_>, vars: &mut BTreeMap<String, String>) -> Answer {
    section.only(&["mode", "text", "plain", "quick_replies", "vars"]);
    let filled = section.within("vars", |s| {
        let names: Vec<String> = s.table.keys().map(|key| key.get_ref().to_string()).collect();
        names.into_iter().filter_map(|name| s.string(&name).map(|value| (name, value))).collect::<BTreeMap<_, _>>()
    });
    *vars = filled.unwrap_or_default();
    Answer {
        mode: section.word("mode", words!(AnswerMode), &[]).unwrap_or(AnswerMode::Direct),
        text: section.text("text").trim().to_owned(),
        plain: section.string("plain").map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()),
        quick_replies: section.strings("quick_replies"),
    }
}

fn read_citation(section: &mut Section<'_, '_>) -> Citation {
    section.only(&["title", "doc_no", "issuer", "clause", "url", "effective_from", "effective_until", "supports"]);
    Citation {
        title: section.text("title"),
        doc_no: section.string("doc_no"),
        issuer: section.string("issuer"),
        clause: section.string("clause"),
        url: section.string("url"),
        effective_from: section.date("effective_from"),
        effective_until: section.date("effective_until"),
        supports: section.strings("supports"),
    }
}

fn read_form(section: &mut Section<'_, '_>) -> Form {
    section.only(&["trigger", "ask"]);
    Form {
        trigger: section.string("trigger"),
        asks: section.each("ask", |s| {
            s.only(&["slot", "type", "ask", "retry", "on_fail"]);
            Ask {
                slot: s.text("slot"),
                kind: s.text("type"),
                ask: s.text("ask"),
                retry: s.integer("retry", 0, 9).unwrap_or(2) as u8,
                on_fail: s.word("on_fail", words!(OnFail), &[]).unwrap_or(OnFail::Handoff),
            }
        }),
    }
}

fn read_route(section: &mut Section<'_, '_>) -> Route {
    section.only(&["department", "sla_hours", "tags", "unit"]);
    Route {
        department: section.string("department").or_else(|| section.string("unit")),
        sla_hours: section.integer("sla_hours", 1, 10_000).map(|n| n as u32),
        tags: section.strings("tags"),
    }
}

fn read_tests(section: &mut Section<'_, '_>) -> RuleTests {
    section.only(&["match", "not_match", "todo_match", "chat"]);
    let mut tests = RuleTests {
        matches: section.strings("match"),
        not_matches: read_not_matches(section),
        todo_matches: section.strings("todo_match"),
        chats: read_chats(section),
        places: Default::default(),
    };
    let counts = [tests.matches.len(), tests.not_matches.len(), tests.todo_matches.len(), tests.chats.len()];
    for ((places, count), field) in
        tests.places.iter_mut().zip(counts).zip(["match", "not_match", "todo_match", "chat"])
    {
        *places = (0..count)
            .map(|n| {
                section.file.place(section.spots.get(&format!("{}{field}[{n}]", section.prefix)).copied().unwrap_or(0))
            })
            .collect();
    }
    tests
}

/// `{ text, expect }` or just the text.
fn read_not_matches(section: &mut Section<'_, '_>) -> Vec<ExpectedExample> {
    let table = section.table;
    let base = section.base;
    let Some((_, value)) = entry(table, "not_match") else { return Vec::new() };
    let path = format!("{}not_match", section.prefix);
    section.spots.insert(path.clone(), base + value.span().start);
    let DeValue::Array(items) = value.get_ref() else {
        let found = value.get_ref().type_str();
        section.wrong_type("not_match", "列表", found);
        return Vec::new();
    };
    let mut out = Vec::new();
    for (n, item) in items.iter().enumerate() {
        section.spots.insert(format!("{path}[{n}]"), base + item.span().start);
        if let Some(text) = item.get_ref().as_str() {
            out.push(ExpectedExample { text: text.to_owned(), expect: None });
        } else if let Some(inner) = item.get_ref().as_table() {
            let mut section = Section {
                file: section.file,
                base,
                table: inner,
                prefix: format!("{path}[{n}]."),
                rule: section.rule.clone(),
                spots: section.spots,
                out: section.out,
                broken: section.broken,
            };
            section.only(&["text", "expect"]);
            out.push(ExpectedExample { text: section.text("text"), expect: section.string("expect") });
        } else {
            let found = item.get_ref().type_str();
            section.wrong_type(&format!("not_match[{n}]"), "文字或 { text = \"…\", expect = \"…\" }", found);
        }
    }
    out
}

fn read_chats(section: &mut Section<'_, '_>) -> Vec<Vec<String>> {
    let table = section.table;
    let base = section.base;
    let Some((_, value)) = entry(table, "chat") else { return Vec::new() };
    let path = format!("{}chat", section.prefix);
    section.spots.insert(path.clone(), base + value.span().start);
    let DeValue::Array(chats) = value.get_ref() else {
        let found = value.get_ref().type_str();
        section.wrong_type("chat", "列表的列表", found);
        return Vec::new();
    };
    let mut out = Vec::new();
    for (n, chat) in chats.iter().enumerate() {
        section.spots.insert(format!("{path}[{n}]"), base + chat.span().start);
        let Some(lines) = chat.get_ref().as_array() else {
            let found = chat.get_ref().type_str();
            section.wrong_type(&format!("chat[{n}]"), "列表，如 [\"用户: …\", \"规则: …\"]", found);
            continue;
        };
        out.push(lines.iter().filter_map(|l| l.get_ref().as_str().map(str::to_owned)).collect());
    }
    out
}
