//! `zhitong rules diff`: what changes between two rule folders, in the files and for messages.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use serde_json::{Value, json};

use super::content::{Loaded, load};
use crate::{
    cli::Global,
    domain::{
        kinds::Channel,
        routing::{self, RouteQuery},
        rules::{Decision, Input, Rule},
    },
};

/// 比较两个规则目录：哪些规则变了，哪些消息会换答案、换分类、换去向
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong rules diff rules-old rules
  zhitong rules diff rules-old rules --on messages.jsonl
  消息文件每行一条：{\"text\":\"…\"}；不给文件时重放两边规则里的全部例子。")]
pub(super) struct Args {
    /// 旧规则目录
    old: PathBuf,
    /// 新规则目录
    new: PathBuf,
    /// 重放这些消息（JSONL）
    #[arg(long, value_name = "FILE")]
    on: Option<PathBuf>,
    /// 以 JSON 输出
    #[arg(long)]
    json: bool,
    /// 最多列出多少条
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// One message that would be treated otherwise.
struct Flip {
    text: String,
    kind: &'static str,
    old: String,
    new: String,
}

/// Runs the command.
///
/// # Errors
/// When a folder or the messages cannot be read.
pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let old = load(global, Some(&args.old), None)?;
    let new = load(global, Some(&args.new), None)?;
    let changes = changes(&old, &new);
    let (messages, skipped) = match &args.on {
        Some(path) => messages(path)?,
        None => (examples(&old, &new), 0),
    };
    let mut flips = Vec::new();
    let mut changed = 0;
    for text in &messages {
        let found = compare(&old, &new, text);
        changed += usize::from(!found.is_empty());
        flips.extend(found);
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for flip in &flips {
        *counts.entry(flip.kind).or_default() += 1;
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.json {
        let document = json!({
            "rules": changes.iter().map(|(id, what)| json!({"id": id, "change": what})).collect::<Vec<_>>(),
            "messages": messages.len(), "skipped": skipped, "changed": changed, "counts": counts,
            "flips": flips.iter().map(|f| json!({"text": f.text, "kind": f.kind, "old": f.old, "new": f.new})).collect::<Vec<_>>(),
        });
        serde_json::to_writer_pretty(&mut out, &document)?;
        writeln!(out)?;
    } else {
        writeln!(out, "规则：{} 处变化", changes.len())?;
        for (id, what) in &changes {
            writeln!(out, "  {id:<28} {what}")?;
        }
        let share = if messages.is_empty() { 0.0 } else { changed as f64 * 100.0 / messages.len() as f64 };
        let kinds: Vec<String> = counts.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
        let kinds = if kinds.is_empty() { String::new() } else { format!("，其中 {}", kinds.join("，")) };
        writeln!(out, "重放 {} 条：结果改变 {changed} 条（{share:.2}%）{kinds}", messages.len())?;
        if skipped > 0 {
            writeln!(out, "读不懂的行 {skipped}，没有重放")?;
        }
        for flip in flips.iter().take(args.limit) {
            let text: String = flip.text.chars().take(40).collect();
            writeln!(out, "  {}  {} → {}  例“{text}”", flip.kind, flip.old, flip.new)?;
        }
        if flips.len() > args.limit {
            writeln!(out, "  …还有 {} 条，用 --limit 看更多", flips.len() - args.limit)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Rules added, removed and changed, by id and field.
fn changes(old: &Loaded, new: &Loaded) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for rule in new.set.rules() {
        match old.set.rule(&rule.id) {
            None => out.push((rule.id.clone(), format!("新增：{}", rule.title))),
            Some(before) => {
                let fields = fields(before, rule);
                if !fields.is_empty() {
                    out.push((rule.id.clone(), fields.join("；")));
                }
            }
        }
    }
    for rule in old.set.rules().iter().filter(|rule| new.set.rule(&rule.id).is_none()) {
        out.push((rule.id.clone(), format!("删除：{}", rule.title)));
    }
    out.sort();
    out
}

fn fields(old: &Rule, new: &Rule) -> Vec<String> {
    let mut out = Vec::new();
    let words = |name: &str, a: &[String], b: &[String], out: &mut Vec<String>| {
        let added: Vec<String> = b.iter().filter(|w| !a.contains(w)).map(|w| format!("+{w}")).collect();
        let removed: Vec<String> = a.iter().filter(|w| !b.contains(w)).map(|w| format!("-{w}")).collect();
        if !added.is_empty() || !removed.is_empty() {
            out.push(format!("{name} {}", [added, removed].concat().join(" ")));
        }
    };
    words("all", &old.when.all, &new.when.all, &mut out);
    words("any", &old.when.any, &new.when.any, &mut out);
    words("none", &old.when.none, &new.when.none, &mut out);
    words("none_near", &old.when.none_near, &new.when.none_near, &mut out);
    words("ignore", &old.when.ignore, &new.when.ignore, &mut out);
    words("regex", &old.when.regex, &new.when.regex, &mut out);
    let mut plain = |name: &str, a: String, b: String| {
        if a != b {
            out.push(format!("{name} {a} → {b}"));
        }
    };
    let date = |d: Option<jiff::civil::Date>| d.map_or_else(|| "无".to_owned(), |d| d.to_string());
    plain("状态", old.status.label().into(), new.status.label().into());
    plain("优先级", old.priority.to_string(), new.priority.to_string());
    plain("生效", date(old.valid_from), date(new.valid_from));
    plain("失效", date(old.valid_until), date(new.valid_until));
    plain("主题", old.topic.clone().unwrap_or_default(), new.topic.clone().unwrap_or_default());
    plain("类型", old.case_type.map_or("", |t| t.label()).into(), new.case_type.map_or("", |t| t.label()).into());
    plain("范围", old.when.scope.label().into(), new.when.scope.label().into());
    if old.answer != new.answer {
        out.push("答案改了".into());
    }
    if old.citations != new.citations {
        out.push("依据改了".into());
    }
    out
}

/// The messages of a file, and how many of its lines cannot be read.
fn messages(path: &Path) -> anyhow::Result<(Vec<String>, usize)> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut out = Vec::new();
    let mut skipped = 0;
    for line in BufReader::new(file).split(b'\n') {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Value>(&line).ok().and_then(|v| Some(v.get("text")?.as_str()?.to_owned())) {
            Some(text) => out.push(text),
            None => skipped += 1,
        }
    }
    Ok((out, skipped))
}

fn examples(old: &Loaded, new: &Loaded) -> Vec<String> {
    let mut out: Vec<String> = old
        .set
        .rules()
        .iter()
        .chain(new.set.rules())
        .flat_map(|r| r.tests.matches.iter().cloned().chain(r.tests.not_matches.iter().map(|e| e.text.clone())))
        .collect();
    out.sort();
    out.dedup();
    out
}

fn compare(old: &Loaded, new: &Loaded, text: &str) -> Vec<Flip> {
    let decide = |loaded: &Loaded| {
        loaded.set.decide(&Input { text, channel: Channel::Web, area: Some(&loaded.region), today: loaded.today })
    };
    let (before, after) = (decide(old), decide(new));
    let mut flips = Vec::new();
    let mut flip = |kind, old: String, new: String| flips.push(Flip { text: text.to_owned(), kind, old, new });
    match (answer(&before), answer(&after)) {
        (None, Some(b)) => flip("无答→有答", "无".into(), b),
        (Some(a), None) => flip("有答→无答", a, "无".into()),
        (Some(a), Some(b)) if a != b => flip("换答案", a, b),
        _ => {}
    }
    let kind = |d: &Decision| d.matters.first().map_or("无", |m| m.case_type.label()).to_owned();
    let topic = |d: &Decision| d.matters.first().and_then(|m| m.topic.clone()).unwrap_or_else(|| "无".into());
    if kind(&before) != kind(&after) {
        flip("换类型", kind(&before), kind(&after));
    }
    if topic(&before) != topic(&after) {
        flip("换主题", topic(&before), topic(&after));
    }
    let (a, b) = (lead(old, &before, text), lead(new, &after, text));
    if a != b {
        flip("换去向", a, b);
    }
    flips
}

fn answer(decision: &Decision) -> Option<String> {
    decision.matters.iter().find_map(|m| m.answer.as_ref()).map(|a| a.rule_id.clone())
}

fn lead(loaded: &Loaded, decision: &Decision, text: &str) -> String {
    let (Some(table), Some(matter)) = (&loaded.routing, decision.matters.first()) else { return "无".into() };
    routing::route(
        table,
        &RouteQuery {
            case_type: matter.case_type,
            topic: matter.topic.as_deref(),
            text,
            region: Some(&loaded.region),
            objects: &matter.objects,
            urgency: matter.urgency,
            diversion: decision.diversion,
            today: loaded.today,
        },
    )
    .lead_name
}
