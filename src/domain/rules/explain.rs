//! Why a message was decided as it was: the decision together with what each rule saw of it.

use std::fmt::Write as _;

use jiff::civil::Date;

use super::{
    decide::with_scratch,
    decision::{Decision, Input},
    engine::{Fired, Miss, Setting, Stretch},
    matcher::{Scratch, Slot},
    model::{Rule, RuleKind, Status},
    set::RuleSet,
};
use crate::domain::kinds::Channel;

/// One condition of a rule and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionTrace {
    /// `all`, `any`, `none` or `none_near`.
    pub field: &'static str,
    /// The condition as written, such as `@稳岗返还`; for `any` and `none` the one that occurred.
    pub written: String,
    /// The word that occurred and its place in characters of the normalised text.
    pub found: Option<(String, usize)>,
    /// Whether the condition speaks for the rule.
    pub good: bool,
}

/// One rule that had at least one of its words in the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTrace {
    /// The rule.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// What it does.
    pub kind: RuleKind,
    /// Its life cycle.
    pub status: Status,
    /// Its priority.
    pub priority: u8,
    /// Characters matched, when it fired (具体度).
    pub matched: u32,
    /// Whether its conditions were met.
    pub fired: bool,
    /// Whether it had its way.
    pub won: bool,
    /// Why not, in Chinese.
    pub reason: Option<String>,
    /// Its conditions.
    pub conditions: Vec<ConditionTrace>,
    /// File and line.
    pub place: String,
}

/// A decision with its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The message as written.
    pub original: String,
    /// The message as matched.
    pub normalised: String,
    /// The decision.
    pub decision: Decision,
    /// Rules that fired, then near misses.
    pub rules: Vec<RuleTrace>,
}

/// Near misses that are shown at most.
const NEAR_MISSES: usize = 12;

/// Near misses that are kept with a message.
const NEAR_MISSES_KEPT: usize = 5;

/// Why a message was decided as it was, as stored with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Rules that fired and where: id, first byte and first byte behind it, in the original text.
    pub spans: Vec<(String, usize, usize)>,
    /// Answers, commands and diversions that nearly fired, the nearest first: id and what stood in the way.
    pub near: Vec<(String, String)>,
}

/// How far from firing a rule was: all its words, then all but where they stand, then some.
const fn distance(miss: Miss) -> u8 {
    match miss {
        Miss::TooShort | Miss::TooLong | Miss::Channel | Miss::Area | Miss::NotYet | Miss::Expired => 0,
        Miss::Excluded(_) => 1,
        Miss::Apart | Miss::Regex => 2,
        Miss::NoneOfAny => 3,
        Miss::Missing(_) => 4,
        Miss::NotLive => 5,
    }
}

impl RuleSet {
    /// Decides a message and says why.
    pub fn explain(&self, input: &Input<'_>) -> Explanation {
        with_scratch(|scratch| {
            self.scan(input.text, scratch);
            let decision = self.decide_scanned(input, scratch);
            let setting = self.setting(input, scratch);
            let parts = self.parts_of(scratch, &setting);
            let whole = Stretch::whole(scratch);
            let mut fired_rules = Vec::new();
            let mut near = Vec::new();
            for (n, (rule, conditions)) in self.rules.iter().zip(&self.conditions).enumerate() {
                let touched = conditions.all.iter().chain(&conditions.any).any(|&slot| scratch.is_live(slot));
                if !touched {
                    continue;
                }
                let stretches: Vec<Stretch> = match rule.kind {
                    RuleKind::Command | RuleKind::Diversion | RuleKind::Smalltalk => vec![whole],
                    RuleKind::Answer | RuleKind::Type | RuleKind::Topic | RuleKind::Urgency => {
                        parts.iter().flat_map(|part| std::iter::once(part.stretch).chain(part.preface)).collect()
                    }
                };
                let mut outcome: Result<Fired, Miss> = Err(Miss::NoneOfAny);
                for stretch in stretches {
                    outcome = conditions.evaluate(n as u32, scratch, &stretch, &setting);
                    if outcome.is_ok() {
                        break;
                    }
                }
                let trace = self.trace(rule, n, &outcome, &decision, scratch);
                if trace.fired { fired_rules.push(trace) } else { near.push(trace) }
            }
            fired_rules.sort_by(|a, b| {
                b.priority.cmp(&a.priority).then(b.matched.cmp(&a.matched)).then(a.rule_id.cmp(&b.rule_id))
            });
            // The nearer a miss, the more of its conditions hold.
            near.sort_by_key(|t| {
                let good = t.conditions.iter().filter(|c| c.good && c.found.is_some()).count();
                let bad = t.conditions.iter().filter(|c| !c.good).count();
                (bad, std::cmp::Reverse(good), t.rule_id.clone())
            });
            near.truncate(NEAR_MISSES);
            fired_rules.extend(near);
            Explanation {
                original: input.text.to_owned(),
                normalised: scratch.text.as_str().to_owned(),
                decision,
                rules: fired_rules,
            }
        })
    }

    /// Decides a message and keeps, for the record, where the rules that fired matched and which ones nearly did.
    pub fn decide_on_record(&self, input: &Input<'_>) -> (Decision, Record) {
        with_scratch(|scratch| {
            self.scan(input.text, scratch);
            let setting = self.setting(input, scratch);
            let mut missed = Vec::new();
            let decision = self.decide_noting(input, scratch, &setting, |n, miss| {
                if let Some(RuleKind::Answer | RuleKind::Diversion | RuleKind::Command) = self.kind(n) {
                    missed.push((distance(miss), n, miss));
                }
            });
            let record = self.record(scratch, &setting, &decision, missed);
            (decision, record)
        })
    }

    fn kind(&self, n: u32) -> Option<RuleKind> {
        self.conditions.get(n as usize).map(|conditions| conditions.kind)
    }

    /// `missed`: how far each rule that could have spoken was from firing on the whole message.
    fn record(
        &self,
        scratch: &Scratch,
        setting: &Setting,
        decision: &Decision,
        mut missed: Vec<(u8, u32, Miss)>,
    ) -> Record {
        let whole = Stretch::whole(scratch);
        let told = decision.rules.iter().chain(decision.matters.iter().flat_map(|m| &m.rules));
        let mut told: Vec<u32> = told.filter_map(|id| self.number(id)).collect();
        told.sort_unstable();
        told.dedup();
        let mut stretches = vec![whole];
        if decision.matters.len() > 1 {
            for part in self.parts_of(scratch, setting) {
                stretches.push(part.stretch);
                stretches.extend(part.preface);
            }
        }
        let mut record = Record::default();
        for &n in &told {
            let (Some(rule), Some(conditions)) = (self.rules.get(n as usize), self.conditions.get(n as usize)) else {
                continue;
            };
            let fired = stretches.iter().find_map(|s| conditions.evaluate(n, scratch, s, setting).ok());
            for (start, end) in fired.into_iter().flat_map(|fired| fired.spans) {
                let span = scratch.text.original_range(start as usize..end as usize);
                record.spans.push((rule.id.clone(), span.start, span.end));
            }
        }
        record.spans.sort_by(|a, b| (a.1, a.2, &a.0).cmp(&(b.1, b.2, &b.0)));
        missed.sort_unstable_by_key(|&(far, n, _)| (far, n));
        let nearest = missed.into_iter().filter(|(_, n, _)| told.binary_search(n).is_err());
        for (_, n, miss) in nearest.take(NEAR_MISSES_KEPT) {
            if let Some(rule) = self.rules.get(n as usize) {
                record.near.push((rule.id.clone(), self.reason(rule, n as usize, miss, scratch)));
            }
        }
        record
    }

    /// What a message lacks for a rule, as a hint for its author.
    pub(super) fn lacking(&self, rule: &Rule, text: &str, area: Option<&str>, today: Date) -> Option<String> {
        with_scratch(|scratch| {
            self.scan(text, scratch);
            let input = Input { text, channel: rule.channels.first().copied().unwrap_or(Channel::Web), area, today };
            let setting = self.setting(&input, scratch);
            let n = self.rules.iter().position(|r| r.id == rule.id)?;
            let outcome = self.conditions.get(n)?.evaluate(n as u32, scratch, &Stretch::whole(scratch), &setting);
            match outcome {
                Ok(_) => None,
                Err(miss) => Some(self.reason(rule, n, miss, scratch)),
            }
        })
    }

    fn trace(
        &self,
        rule: &Rule,
        n: usize,
        outcome: &Result<Fired, Miss>,
        decision: &Decision,
        scratch: &Scratch,
    ) -> RuleTrace {
        let won = match rule.kind {
            RuleKind::Answer => {
                decision.matters.iter().any(|m| m.answer.as_ref().is_some_and(|a| a.rule_id == rule.id))
            }
            RuleKind::Type | RuleKind::Topic | RuleKind::Urgency => {
                decision.matters.iter().any(|m| m.rules.contains(&rule.id))
            }
            RuleKind::Command | RuleKind::Diversion | RuleKind::Smalltalk => decision.rules.contains(&rule.id),
        };
        let reason = match outcome {
            Err(miss) => Some(self.reason(rule, n, *miss, scratch)),
            Ok(fired) if fired.expired => {
                Some(format!("已于 {} 到期", rule.valid_until.map_or_else(String::new, |d| d.to_string())))
            }
            Ok(_) if !won && rule.kind == RuleKind::Answer => {
                Some("让位于优先级或具体度更高的规则，或来信是投诉".into())
            }
            Ok(_) => None,
        };
        RuleTrace {
            rule_id: rule.id.clone(),
            title: rule.title.clone(),
            kind: rule.kind,
            status: rule.status,
            priority: rule.priority,
            matched: outcome.as_ref().map_or(0, |f| f.matched),
            fired: outcome.is_ok(),
            won,
            reason,
            conditions: self.conditions_of(rule, n, scratch),
            place: format!("{}:{}", rule.file, rule.line),
        }
    }

    fn conditions_of(&self, rule: &Rule, n: usize, scratch: &Scratch) -> Vec<ConditionTrace> {
        let Some(conditions) = self.conditions.get(n) else { return Vec::new() };
        let found = |slot: Slot| {
            scratch
                .hits(slot)
                .last()
                .map(|hit| (scratch.slice(hit.start, hit.end).to_owned(), scratch.text.char_index(hit.start as usize)))
        };
        let mut traces = Vec::new();
        for (written, &slot) in rule.when.all.iter().zip(&conditions.all) {
            let found = found(slot);
            traces.push(ConditionTrace { field: "all", written: written.clone(), good: found.is_some(), found });
        }
        if !conditions.any.is_empty() {
            let hits: Vec<(String, (String, usize))> = rule
                .when
                .any
                .iter()
                .zip(&conditions.any)
                .filter_map(|(written, &slot)| found(slot).map(|f| (written.clone(), f)))
                .collect();
            if hits.is_empty() {
                traces.push(ConditionTrace { field: "any", written: String::new(), found: None, good: false });
            }
            traces.extend(hits.into_iter().map(|(written, found)| ConditionTrace {
                field: "any",
                written,
                found: Some(found),
                good: true,
            }));
        }
        let none = rule.when.none.iter().zip(&conditions.none).map(|pair| ("none", pair));
        let near = rule.when.none_near.iter().zip(&conditions.none_near).map(|pair| ("none_near", pair));
        for (field, (written, &slot)) in none.chain(near) {
            if let Some(found) = found(slot) {
                traces.push(ConditionTrace { field, written: written.clone(), found: Some(found), good: false });
            }
        }
        traces
    }

    fn reason(&self, rule: &Rule, n: usize, miss: Miss, scratch: &Scratch) -> String {
        let when = &rule.when;
        match miss {
            Miss::NotLive => format!("状态是{}", rule.status.label()),
            Miss::Channel => "不在这条规则的渠道".into(),
            Miss::Area => format!("不在这条规则的地区 {}", rule.areas.join("、")),
            Miss::NotYet => format!("{} 才生效", rule.valid_from.map_or_else(String::new, |d| d.to_string())),
            Miss::Expired => format!("已于 {} 到期", rule.valid_until.map_or_else(String::new, |d| d.to_string())),
            Miss::TooShort => format!("不到 min_chars = {}", when.min_chars.unwrap_or_default()),
            Miss::TooLong => format!("超过 max_chars = {}", when.max_chars.unwrap_or_default()),
            Miss::Excluded(at) => {
                let word = self
                    .conditions
                    .get(n)
                    .and_then(|c| c.none.get(at))
                    .and_then(|&slot| scratch.hits(slot).last())
                    .map_or(String::new(), |hit| format!("（“{}”）", scratch.slice(hit.start, hit.end)));
                format!("被 none {}{word} 排除", when.none.get(at).map_or("", String::as_str))
            }
            Miss::Missing(at) => {
                let written = when.all.get(at).map_or("", String::as_str);
                let live =
                    self.conditions.get(n).and_then(|c| c.all.get(at)).is_some_and(|&slot| scratch.is_live(slot));
                if live {
                    format!("all {written} 被忽略、否定、被 none_near 挡住，或不在这件事里")
                } else {
                    format!("还差 all {written}")
                }
            }
            Miss::NoneOfAny => "还差 any".into(),
            Miss::Apart => "词都有，但不在同一句或上一句（scope = \"clause\"），或被否定".into(),
            Miss::Regex => "正则不匹配".into(),
        }
    }
}

impl Explanation {
    /// The explanation for people, in the layout of RULES 2.3.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "原文    {}", self.original);
        let _ = writeln!(out, "规范化  {}", self.normalised);
        let hash: String = self.decision.rule_set_hash.chars().take(12).collect();
        let _ = writeln!(out, "规则库  {hash}");
        for trace in &self.rules {
            let mark = if trace.won { "●" } else { "○" };
            let mut parts: Vec<String> = trace.conditions.iter().map(ConditionTrace::to_text).collect();
            if let Some(reason) = &trace.reason {
                parts.push(format!("→ {reason}"));
            }
            let _ = writeln!(
                out,
                "  {mark} {:<24} {} 优先级 {} 具体度 {}  {}  [{}]",
                trace.rule_id,
                trace.kind.label(),
                trace.priority,
                trace.matched,
                parts.join("；"),
                trace.place
            );
        }
        let decision = &self.decision;
        if let Some(command) = decision.command {
            let _ = writeln!(out, "口令    {}", command.label());
        }
        if let Some(diversion) = decision.diversion {
            let _ = writeln!(out, "分流    {} {}", diversion, diversion.label());
        }
        for (n, matter) in decision.matters.iter().enumerate() {
            if decision.matters.len() > 1 {
                let _ = writeln!(out, "事项 {}  {}", n + 1, matter.text);
            }
            let topics: Vec<String> =
                matter.topics.iter().map(|t| format!("{} {}（{}）", t.topic, t.score, t.evidence.join("、"))).collect();
            let types: Vec<String> = matter
                .types
                .iter()
                .map(|t| format!("{} {}（{}）", t.case_type.label(), t.score, t.evidence.join("、")))
                .collect();
            let _ = writeln!(out, "类型    {}    {}", matter.case_type.label(), types.join("，"));
            let _ = writeln!(out, "主题    {}    {}", matter.topic.as_deref().unwrap_or("未识别"), topics.join("，"));
            let _ = writeln!(out, "紧急    {}    把握 {:.2}", matter.urgency.label(), matter.confidence);
            if matter.sensitive || !matter.objects.is_empty() {
                let _ = writeln!(
                    out,
                    "敏感    {}    被反映单位 {}",
                    if matter.sensitive { "是" } else { "否" },
                    matter.objects.join("、")
                );
            }
            let conclusion = match (&matter.answer, &matter.expired) {
                (Some(answer), _) => answer.rule_id.clone(),
                (None, Some(expired)) => format!("{expired} 依据已到期，转人工"),
                (None, None) if !matter.clarify.is_empty() => {
                    let titles: Vec<&str> = matter.clarify.iter().map(|(_, title)| title.as_str()).collect();
                    format!("您是不是想问：{}", titles.join(" / "))
                }
                (None, None) => "没有规则作答".into(),
            };
            let _ = writeln!(out, "结论    {conclusion}");
        }
        if let Some(reply) = &decision.reply {
            let _ = writeln!(out, "结论    {}", reply.rule_id);
        }
        out
    }
}

impl ConditionTrace {
    fn to_text(&self) -> String {
        let mark = if self.good { "✓" } else { "✗" };
        match (&self.found, self.field) {
            (Some((word, at)), _) => format!("{mark} {} {} ← “{word}”@{at}", self.field, self.written),
            (None, "any") => format!("{mark} any 一个都没出现"),
            (None, _) => format!("{mark} {} {}", self.field, self.written),
        }
    }
}
