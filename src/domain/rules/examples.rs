//! Runs the examples that stand in the rules: must match, must not match, conversations.

use jiff::civil::Date;

use super::{
    decision::{Decision, Input},
    diagnostic::{Diagnostic, Level},
    lint::{allowance, is_built_in_reply, overlaps},
    model::{Rule, RuleKind, Status},
    set::RuleSet,
};
use crate::domain::{
    kinds::{Channel, Diversion, Urgency},
    text,
};

/// When and where the examples are told.
#[derive(Debug, Clone)]
pub struct ExampleEnv {
    /// The day on which they are told.
    pub today: Date,
    /// Region of the enterprise; a rule of another region is tested in its own.
    pub area: Option<String>,
}

/// What went wrong with one example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExampleFailure {
    /// The rule in which the example stands.
    pub rule: String,
    /// File of the rule.
    pub file: String,
    /// Line and column of the example.
    pub place: (usize, usize),
    /// 正例, 反例 or 对话.
    pub kind: &'static str,
    /// The message.
    pub text: String,
    /// What came out instead, in Chinese.
    pub outcome: String,
    /// What might help.
    pub hint: Option<String>,
    /// The rule that won instead, if one did.
    pub winner: Option<String>,
}

/// The outcome of all examples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExampleReport {
    /// Rules whose examples ran.
    pub rules: usize,
    /// Examples that must match.
    pub positives: usize,
    /// Examples that must not match.
    pub negatives: usize,
    /// Conversations.
    pub chats: usize,
    /// Rules that are not in force on the day; it was checked that they stay silent.
    pub out_of_force: usize,
    /// Draft and retired rules, which are not tested.
    pub skipped: usize,
    /// What failed.
    pub failures: Vec<ExampleFailure>,
    /// `todo_match` examples that match by now: rule, message, line.
    pub promotable: Vec<(String, String, usize)>,
}

impl RuleSet {
    /// Runs the examples of all live rules.
    pub fn run_examples(&self, env: &ExampleEnv) -> ExampleReport {
        let mut report = ExampleReport::default();
        for rule in self.rules() {
            if !matches!(rule.status, Status::Active | Status::Shadow) {
                report.skipped += 1;
                continue;
            }
            report.rules += 1;
            self.run_rule(rule, env, &mut report);
        }
        report
    }

    fn run_rule(&self, rule: &Rule, env: &ExampleEnv, report: &mut ExampleReport) {
        let area = example_area(rule, env);
        let decide_in = |text: &str, area: Option<&str>| {
            let channel = rule.channels.first().copied().unwrap_or(Channel::Web);
            self.decide(&Input { text, channel, area, today: env.today })
        };
        let decide = |text: &str| decide_in(text, area.as_deref());
        let [match_places, not_places, todo_places, chat_places] = &rule.tests.places;
        let place = |places: &[(usize, usize)], n: usize| places.get(n).copied().unwrap_or((rule.line, 1));
        let in_force = rule.valid_from.is_none_or(|from| from <= env.today)
            && rule.valid_until.is_none_or(|until| env.today <= until);
        if !in_force {
            report.out_of_force += 1;
        }
        for (n, text) in rule.tests.matches.iter().enumerate() {
            report.positives += 1;
            let decision = decide(text);
            let won = is_won(self, rule, &decision);
            if won == in_force {
                continue;
            }
            let (outcome, hint) = if in_force {
                (describe(&decision, rule), self.lacking(rule, text, area.as_deref(), env.today))
            } else {
                (format!("{} 不在有效期内，却仍然作答", rule.id), None)
            };
            report.failures.push(ExampleFailure {
                rule: rule.id.clone(),
                file: rule.file.clone(),
                place: place(match_places, n),
                kind: "正例",
                text: text.clone(),
                outcome,
                hint,
                winner: winner(&decision),
            });
        }
        for (n, example) in rule.tests.not_matches.iter().enumerate() {
            report.negatives += 1;
            // The rule that should answer instead may hold in one region only: the example is told there.
            let named = example.expect.as_deref().and_then(|id| self.rule(id)).filter(|other| !other.areas.is_empty());
            let decision = match named {
                Some(other) if rule.areas.is_empty() => decide_in(&example.text, example_area(other, env).as_deref()),
                _ => decide(&example.text),
            };
            let won = is_won(self, rule, &decision);
            let expected = match example.expect.as_deref() {
                Some("none") if rule.kind == RuleKind::Answer => match winner(&decision) {
                    None => Ok(()),
                    Some(other) => Err(format!("应当没有答案，却由 {other} 作答")),
                },
                None | Some("none") => Ok(()),
                Some(id) => self.expected(id, &decision, env),
            };
            let outcome = if won {
                format!("{}（不该由它判定）", describe(&decision, rule))
            } else if let Err(outcome) = expected {
                outcome
            } else {
                continue;
            };
            report.failures.push(ExampleFailure {
                rule: rule.id.clone(),
                file: rule.file.clone(),
                place: place(not_places, n),
                kind: "反例",
                text: example.text.clone(),
                outcome,
                hint: None,
                winner: winner(&decision),
            });
        }
        for (n, text) in rule.tests.todo_matches.iter().enumerate() {
            if in_force && is_won(self, rule, &decide(text)) {
                report.promotable.push((rule.id.clone(), text.clone(), place(todo_places, n).0));
            }
        }
        for (n, lines) in rule.tests.chats.iter().enumerate() {
            report.chats += 1;
            if !in_force {
                continue;
            }
            if let Err((text, outcome)) = self.run_chat(rule, lines, &decide) {
                report.failures.push(ExampleFailure {
                    rule: rule.id.clone(),
                    file: rule.file.clone(),
                    place: place(chat_places, n),
                    kind: "对话",
                    text,
                    outcome,
                    hint: None,
                    winner: None,
                });
            }
        }
    }

    /// Whether the rule named by `expect` has its way.
    fn expected(&self, id: &str, decision: &Decision, env: &ExampleEnv) -> Result<(), String> {
        let Some(other) = self.rule(id) else { return Err(format!("expect 里的规则“{id}”不存在")) };
        let asleep = other.valid_until.is_some_and(|until| until < env.today)
            || other.valid_from.is_some_and(|from| env.today < from);
        if asleep || is_won(self, other, decision) || decision.matters.iter().any(|m| m.rules.iter().any(|r| r == id)) {
            return Ok(());
        }
        Err(format!("应当归 {id}，实际是{}", describe(decision, other)))
    }

    /// `用户:` lines are decided one by one; a `规则:` line names who must have answered the last of them.
    fn run_chat(
        &self,
        rule: &Rule,
        lines: &[String],
        decide: &dyn Fn(&str) -> Decision,
    ) -> Result<(), (String, String)> {
        let mut last: Option<(String, Decision)> = None;
        // A trigger of a form belongs to the rule that asked.
        let mut asked: Option<&Rule> = None;
        for line in lines {
            let Some((who, text)) = line.split_once([':', '：']) else {
                return Err((line.clone(), "每行要写成“用户: …”或“规则: …”".into()));
            };
            let text = text.trim();
            match who.trim() {
                "用户" => last = Some((text.to_owned(), decide(text))),
                "规则" => {
                    let Some((said, decision)) = &last else {
                        return Err((line.clone(), "“规则:”前面没有“用户:”".into()));
                    };
                    let triggered = asked.is_some_and(|r| {
                        r.id == text && r.form.as_ref().is_some_and(|f| f.trigger.as_deref() == Some(said.as_str()))
                    });
                    let ok = triggered
                        || if text == "none" || text == "无" {
                            winner(decision).is_none()
                        } else {
                            self.rule(text).is_some_and(|r| is_won(self, r, decision))
                        };
                    if !ok {
                        return Err((said.clone(), format!("应当归 {text}，实际是{}", describe(decision, rule))));
                    }
                    asked = self.rule(text);
                }
                other => return Err((line.clone(), format!("不认识的说话人“{other}”"))),
            }
        }
        Ok(())
    }

    /// The findings that need a compiled set: E007, E009, E010, E016 of quick replies, W110.
    pub fn lint_examples(&self, env: &ExampleEnv) -> Vec<Diagnostic> {
        let report = self.run_examples(env);
        let mut out = Vec::new();
        for failure in &report.failures {
            out.push(Diagnostic {
                code: "E010",
                level: Level::Error,
                file: failure.file.clone(),
                line: failure.place.0,
                column: failure.place.1,
                rule: Some(failure.rule.clone()),
                message: format!("{}“{}”没有通过：{}", failure.kind, failure.text, failure.outcome),
                help: failure.hint.clone(),
            });
        }
        let mut buttons: Vec<(&Rule, Vec<Option<String>>)> = Vec::new();
        for rule in self.rules() {
            let lost: Vec<&ExampleFailure> = report
                .failures
                .iter()
                .filter(|f| f.rule == rule.id && f.kind == "正例" && f.winner.is_some())
                .collect();
            if rule.kind == RuleKind::Answer && !rule.tests.matches.is_empty() && lost.len() == rule.tests.matches.len()
            {
                let winners: Vec<String> = lost.iter().filter_map(|f| f.winner.clone()).collect();
                out.push(finding(
                    "E007",
                    Level::Error,
                    rule,
                    (rule.line, 1),
                    format!("轮不到这条规则：它的正例全部由 {} 作答", winners.first().map_or("", String::as_str)),
                    Some("提高优先级，或让条件更具体"),
                ));
            }
            let leads = self.lint_quick_replies(rule, env, &mut out);
            if !leads.is_empty() {
                buttons.push((rule, leads));
            }
        }
        lint_circles(&buttons, &mut out);
        for (rule, text, line) in &report.promotable {
            let allowed = |rule: &&Rule| {
                let allows =
                    |entry: &String| allowance(entry).is_some_and(|(code, until)| code == "W110" && env.today <= until);
                !rule.allow.iter().any(allows)
            };
            if let Some(rule) = self.rule(rule).filter(allowed) {
                let message = format!("todo_match“{text}”已经能匹配");
                out.push(finding("W110", Level::Warning, rule, (*line, 1), message, Some("移到 match")));
            }
        }
        self.lint_shared_examples(&mut out);
        out.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        out
    }

    /// E009: the same example claimed by two rules that cannot both have it.
    fn lint_shared_examples(&self, out: &mut Vec<Diagnostic>) {
        let mut owners: std::collections::HashMap<(RuleKind, String), Vec<&Rule>> = std::collections::HashMap::new();
        for rule in self.rules().iter().filter(|r| matches!(r.status, Status::Active | Status::Shadow)) {
            for (n, example) in rule.tests.matches.iter().enumerate() {
                let key = (rule.kind, text::normalised(example));
                let others = owners.entry(key).or_default();
                // Last year's rule and its successor, a rule and its twin on trial never meet.
                let meets =
                    |first: &&&Rule| first.id != rule.id && first.status == rule.status && overlaps(first, rule);
                let Some(first) = others.iter().find(meets).copied() else {
                    others.push(rule);
                    continue;
                };
                let agree = match rule.kind {
                    RuleKind::Topic => first.topic == rule.topic,
                    RuleKind::Type => first.case_type == rule.case_type,
                    RuleKind::Urgency => first.urgency == rule.urgency,
                    RuleKind::Command => first.command == rule.command,
                    RuleKind::Diversion | RuleKind::Smalltalk => first.diversion == rule.diversion,
                    RuleKind::Answer => !first.areas.is_empty() && !rule.areas.is_empty() && first.areas != rule.areas,
                };
                if !agree {
                    let place = rule.tests.places.first().and_then(|p| p.get(n)).copied().unwrap_or((rule.line, 1));
                    let message =
                        format!("例子“{example}”也是规则“{}”（{}:{}）的正例", first.id, first.file, first.line);
                    out.push(finding("E009", Level::Error, rule, place, message, Some("只留在一条规则里")));
                }
            }
        }
    }

    /// E016: a button that leads nowhere. Gives the rule that answers each button; `None`: it leads out of the answers
    /// (a person, a form, a command).
    fn lint_quick_replies(&self, rule: &Rule, env: &ExampleEnv, out: &mut Vec<Diagnostic>) -> Vec<Option<String>> {
        let (Some(answer), Status::Active) = (&rule.answer, rule.status) else { return Vec::new() };
        let mut leads = Vec::with_capacity(answer.quick_replies.len());
        for reply in &answer.quick_replies {
            let trigger = rule.form.as_ref().is_some_and(|f| f.trigger.as_deref() == Some(reply));
            if trigger || is_built_in_reply(reply) {
                leads.push(None);
                continue;
            }
            let decision = self.decide(&Input {
                text: reply,
                channel: Channel::Web,
                area: example_area(rule, env).as_deref(),
                today: env.today,
            });
            let handled = decision.command.is_some()
                || decision.diversion.is_some_and(|d| d != Diversion::Unclear)
                || decision
                    .matters
                    .iter()
                    .any(|m| m.answer.is_some() || m.topic.is_some() || !m.clarify.is_empty() || !m.rules.is_empty());
            leads.push(match (&decision.command, &decision.diversion) {
                (None, None) => {
                    decision.matters.iter().find_map(|m| m.answer.as_ref()).map(|answer| answer.rule_id.clone())
                }
                _ => None,
            });
            if !handled {
                let message = format!("快捷回复“{reply}”没有规则接得住");
                out.push(finding(
                    "E016",
                    Level::Error,
                    rule,
                    (rule.line, 1),
                    message,
                    Some("换成能被规则识别的问法，或补一条规则"),
                ));
            }
        }
        leads
    }
}

/// E016: answers whose buttons only lead to each other. An answer without buttons, or with one that leads to a person,
/// a form or a command, is a way out.
fn lint_circles(buttons: &[(&Rule, Vec<Option<String>>)], out: &mut Vec<Diagnostic>) {
    let mut caught: std::collections::BTreeSet<&str> = buttons.iter().map(|(rule, _)| rule.id.as_str()).collect();
    loop {
        let free: Vec<&str> = buttons
            .iter()
            .filter(|(rule, _)| caught.contains(rule.id.as_str()))
            .filter(|(_, leads)| leads.iter().any(|to| to.as_deref().is_none_or(|to| !caught.contains(to))))
            .map(|(rule, _)| rule.id.as_str())
            .collect();
        if free.is_empty() {
            break;
        }
        caught.retain(|id| !free.contains(id));
    }
    for (rule, leads) in buttons.iter().filter(|(rule, _)| caught.contains(rule.id.as_str())) {
        let to = leads.iter().flatten().next().map_or("", String::as_str);
        out.push(finding(
            "E016",
            Level::Error,
            rule,
            (rule.line, 1),
            format!("快捷回复只在几条规则之间转圈，走不出去（到 {to}）"),
            Some("加一个“转人工”或“我要反映问题”"),
        ));
    }
}

fn finding(
    code: &'static str,
    level: Level,
    rule: &Rule,
    place: (usize, usize),
    message: String,
    help: Option<&str>,
) -> Diagnostic {
    Diagnostic {
        code,
        level,
        file: rule.file.clone(),
        line: place.0,
        column: place.1,
        rule: Some(rule.id.clone()),
        message,
        help: help.map(str::to_owned),
    }
}

/// The region in which a rule's examples are told: the gateway's own, or the rule's where it holds elsewhere.
fn example_area(rule: &Rule, env: &ExampleEnv) -> Option<String> {
    let covered = |area: &String| {
        rule.areas.is_empty() || rule.areas.iter().any(|own| area.starts_with(own.trim_end_matches("00")))
    };
    match &env.area {
        Some(area) if covered(area) => Some(area.clone()),
        _ => rule.areas.first().map(|area| format!("{area:0<6}")).or_else(|| env.area.clone()),
    }
}

/// Whether the rule has its way in the decision.
fn is_won(set: &RuleSet, rule: &Rule, decision: &Decision) -> bool {
    if rule.status == Status::Shadow {
        return decision.shadow.contains(&rule.id);
    }
    match rule.kind {
        RuleKind::Answer => decision.matters.iter().any(|m| m.answer.as_ref().is_some_and(|a| a.rule_id == rule.id)),
        RuleKind::Type => decision.matters.first().is_some_and(|m| Some(m.case_type) == rule.case_type),
        RuleKind::Topic => decision.matters.iter().any(|m| match (&m.topic, &rule.topic) {
            (Some(found), Some(own)) => found == own || found.split('.').next() == Some(own),
            _ => false,
        }),
        RuleKind::Urgency => {
            let highest = decision.matters.iter().map(|m| m.urgency).max().unwrap_or(Urgency::Normal);
            Some(highest) == rule.urgency
        }
        RuleKind::Command => decision.command.is_some() && decision.command == rule.command,
        RuleKind::Diversion => decision.diversion.is_some() && decision.diversion == rule.diversion,
        RuleKind::Smalltalk => {
            decision.rules.contains(&rule.id)
                || (decision.diversion == Some(rule.diversion.unwrap_or(Diversion::Smalltalk))
                    && decision
                        .reply
                        .as_ref()
                        .and_then(|r| set.rule(&r.rule_id))
                        .is_some_and(|r| r.kind == RuleKind::Smalltalk))
        }
    }
}

/// The rule that answered, if one did.
fn winner(decision: &Decision) -> Option<String> {
    decision.matters.iter().find_map(|m| m.answer.as_ref()).or(decision.reply.as_ref()).map(|a| a.rule_id.clone())
}

/// What came out, as far as it concerns a rule of this kind.
fn describe(decision: &Decision, rule: &Rule) -> String {
    match rule.kind {
        RuleKind::Answer => {
            if let Some(matter) = decision.matters.iter().find(|m| !m.clarify.is_empty()) {
                let titles: Vec<&str> = matter.clarify.iter().map(|(id, _)| id.as_str()).collect();
                return format!("分不出高下：{}", titles.join("、"));
            }
            winner(decision).unwrap_or_else(|| "无规则作答".into())
        }
        RuleKind::Type => decision.matters.first().map_or("没有事项".into(), |m| {
            let others: Vec<String> = m.types.iter().map(|t| format!("{} {}", t.case_type.label(), t.score)).collect();
            format!("{}（{}）", m.case_type.label(), others.join("，"))
        }),
        RuleKind::Topic => decision.matters.first().map_or("没有事项".into(), |m| {
            let others: Vec<String> = m.topics.iter().map(|t| format!("{} {}", t.topic, t.score)).collect();
            format!("{}（{}）", m.topic.as_deref().unwrap_or("无主题"), others.join("，"))
        }),
        RuleKind::Urgency => decision.matters.iter().map(|m| m.urgency).max().unwrap_or(Urgency::Normal).label().into(),
        RuleKind::Command => decision.command.map_or("无口令".into(), |c| c.label().into()),
        RuleKind::Diversion | RuleKind::Smalltalk => {
            decision.diversion.map_or("无分流".into(), |d| d.label().into())
        }
    }
}
