//! `zhitong classify`: what the rules make of messages, one JSON line each.

use std::{
    io::{BufRead, BufReader, BufWriter, Read, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use super::{
    Global,
    rules::content::{Loaded, load},
};
use crate::domain::{
    kinds::{CaseType, Channel, Command, Diversion, Urgency},
    routing::{self, RouteQuery},
    rules::{AnswerMode, Citation, Decision, Input, Matter},
};

/// 分类：类型、主题、紧急程度、答案和去向
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong classify \"技改补助公示四个月了还没到账\"
  zhitong classify --batch < 消息.jsonl > 结果.jsonl
输入每行一条：{\"id\":\"1\",\"text\":\"…\",\"region\":\"350100\"}（region 可不写）；读不懂的行回答 {\"id\",\"error\"}，接着读下一行。")]
pub struct Args {
    /// 一条消息
    #[arg(required_unless_present = "batch", conflicts_with = "batch")]
    text: Option<String>,
    /// 从标准输入逐行读 JSON，逐行回答，顺序不变
    #[arg(long)]
    batch: bool,
    /// 企业所在地的行政区划代码（缺省：配置里的地区）
    #[arg(long, value_name = "CODE")]
    region: Option<String>,
    /// 按这一天判断有效期（缺省：今天）
    #[arg(long, value_name = "DATE", value_parser = super::rules::day)]
    at: Option<Date>,
    /// 规则目录（缺省：配置里的目录，没有就用自带规则）
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

/// Longest line that is read; a longer one is answered with an error.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Runs the command.
///
/// # Errors
/// When the configuration or the rules cannot be read, or the output is closed.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let loaded = load(global, args.rules.as_deref(), args.at)?;
    loaded.warn()?;
    let region = args.region.clone().unwrap_or_else(|| loaded.region.clone());
    let mut out = BufWriter::new(std::io::stdout().lock());
    if let Some(text) = &args.text {
        let line = classify(&loaded, None, text, &region);
        writeln!(out, "{}", serde_json::to_string_pretty(&line)?)?;
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input
            .by_ref()
            .take(MAX_LINE_BYTES as u64 + 1)
            .read_until(b'\n', &mut line)
            .context("cannot read the input")?;
        if read == 0 {
            break;
        }
        let too_long = line.len() > MAX_LINE_BYTES && line.last() != Some(&b'\n');
        if too_long {
            skip_line(&mut input)?;
        }
        let answer = if too_long {
            Err(error_line(&Value::Null, "line_too_long", "一行超过 1 MiB"))
        } else {
            answer_line(&loaded, &line, &region)
        };
        match answer {
            Ok(answer) => serde_json::to_writer(&mut out, &answer)?,
            Err(error) => serde_json::to_writer(&mut out, &error)?,
        }
        out.write_all(b"\n")?;
        // Whoever waits for an answer before sending the next line gets it.
        if input.buffer().is_empty() {
            out.flush()?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn skip_line(input: &mut impl BufRead) -> anyhow::Result<()> {
    loop {
        let (found, used) = {
            let buffer = input.fill_buf().context("cannot read the input")?;
            match buffer.iter().position(|&b| b == b'\n') {
                Some(at) => (true, at + 1),
                None => (buffer.is_empty(), buffer.len()),
            }
        };
        input.consume(used);
        if found {
            return Ok(());
        }
    }
}

fn error_line(id: &Value, code: &str, detail: &str) -> Value {
    serde_json::json!({ "id": id, "error": { "code": code, "detail": detail } })
}

fn answer_line(loaded: &Loaded, line: &[u8], region: &str) -> Result<Line, Value> {
    let text = std::str::from_utf8(line).map_err(|_| error_line(&Value::Null, "not_utf8", "不是 UTF-8 文本"))?;
    let text = text.trim_start_matches('\u{FEFF}');
    let value: Value = serde_json::from_str(text)
        .map_err(|error| error_line(&Value::Null, "not_json", &format!("不是 JSON：{error}")))?;
    let id = value.get("id").cloned().unwrap_or(Value::Null);
    if !value.is_object() {
        return Err(error_line(&id, "not_an_object", "每行要是一个 JSON 对象"));
    }
    if !(id.is_string() || id.is_number()) {
        return Err(error_line(&Value::Null, "no_id", "缺少 id"));
    }
    let text =
        value.get("text").and_then(Value::as_str).ok_or_else(|| error_line(&id, "no_text", "缺少文本字段 text"))?;
    let region = match value.get("region") {
        None | Some(Value::Null) => region.to_owned(),
        Some(Value::String(code)) if code.is_empty() => region.to_owned(),
        Some(Value::String(code)) if is_area(code) => code.clone(),
        Some(Value::Number(code)) if is_area(&code.to_string()) => code.to_string(),
        Some(_) => return Err(error_line(&id, "bad_region", "region 要是行政区划代码")),
    };
    Ok(classify(loaded, Some(id.clone()), text, &region))
}

/// Six digits, or nine or twelve with town and village.
fn is_area(code: &str) -> bool {
    matches!(code.len(), 6 | 9 | 12) && code.bytes().all(|byte| byte.is_ascii_digit())
}

/// The classification of one message, as the external contract has it.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
    #[serde(flatten)]
    top: MatterLine,
    command: Option<&'static str>,
    diversion: Option<&'static str>,
    reply: Option<String>,
    matters: Vec<MatterLine>,
    rule_set: String,
}

/// One matter.
#[derive(Debug, Clone, Serialize)]
struct MatterLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<[usize; 2]>,
    #[serde(rename = "type")]
    case_type: Option<&'static str>,
    topic: Option<String>,
    urgency: &'static str,
    confidence: f64,
    rules: Vec<String>,
    answered: bool,
    answer: Option<String>,
    citations: Vec<CitationLine>,
    route: Option<RouteLine>,
    sensitive: bool,
    topics: Vec<TopicLine>,
    clarify: Vec<ClarifyLine>,
    expired: Option<String>,
    objects: Vec<String>,
    awaiting_recheck: bool,
}

#[derive(Debug, Clone, Serialize)]
struct TopicLine {
    topic: String,
    score: u32,
    evidence: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct ClarifyLine {
    rule: String,
    title: String,
}

#[derive(Debug, Clone, Serialize)]
struct CitationLine {
    title: String,
    #[serde(rename = "ref")]
    reference: String,
    url: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct RouteLine {
    lead: String,
    assists: Vec<String>,
    reason: String,
}

/// Decides and routes one message.
pub(super) fn classify(loaded: &Loaded, id: Option<Value>, text: &str, region: &str) -> Line {
    let input = Input { text, channel: Channel::Web, area: Some(region), today: loaded.today };
    let decision = loaded.set.decide(&input);
    line_of(loaded, id, text, region, &decision)
}

/// The line of a decision.
pub(super) fn line_of(loaded: &Loaded, id: Option<Value>, text: &str, region: &str, decision: &Decision) -> Line {
    let matters: Vec<MatterLine> =
        decision.matters.iter().map(|m| matter_line(loaded, m, region, decision.diversion)).collect();
    let mut top = matters.first().cloned().unwrap_or_else(|| MatterLine::empty(decision));
    top.text = None;
    top.span = None;
    // What goes to the duty desk goes there even when no rule named a topic.
    if top.route.is_none() && decision.diversion.is_some_and(|d| d == Diversion::D1) {
        top.route = route_line(loaded, CaseType::Help, None, text, region, &[], Urgency::Critical, decision.diversion);
    }
    top.sensitive |= decision.sensitive;
    top.urgency = decision.matters.iter().map(|m| m.urgency).max().map_or(top.urgency, Urgency::as_str);
    let mut rules = decision.rules.clone();
    rules.extend(top.rules.iter().cloned());
    top.rules = rules;
    Line {
        id,
        top,
        command: decision.command.map(Command::as_str),
        diversion: decision.diversion.map(Diversion::as_str),
        reply: decision.reply.as_ref().map(|r| r.text.clone()),
        matters,
        rule_set: decision.rule_set_hash.chars().take(16).collect(),
    }
}

impl MatterLine {
    fn empty(decision: &Decision) -> Self {
        Self {
            text: None,
            span: None,
            case_type: None,
            topic: None,
            urgency: Urgency::Normal.as_str(),
            confidence: if decision.command.is_some() || decision.diversion.is_some() { 0.9 } else { 0.0 },
            rules: Vec::new(),
            answered: false,
            answer: None,
            citations: Vec::new(),
            route: None,
            sensitive: decision.sensitive,
            topics: Vec::new(),
            clarify: Vec::new(),
            expired: None,
            objects: Vec::new(),
            awaiting_recheck: false,
        }
    }
}

fn matter_line(loaded: &Loaded, matter: &Matter, region: &str, diversion: Option<Diversion>) -> MatterLine {
    let answer = matter.answer.as_ref().filter(|a| a.mode == AnswerMode::Direct);
    MatterLine {
        text: Some(matter.text.clone()),
        span: Some([matter.span.start, matter.span.end]),
        case_type: Some(matter.case_type.as_str()),
        topic: matter.topic.clone(),
        urgency: matter.urgency.as_str(),
        confidence: (f64::from(matter.confidence) * 100.0).round() / 100.0,
        rules: matter.rules.clone(),
        answered: answer.is_some(),
        answer: answer.map(|a| a.text.clone()),
        citations: answer.map(|a| a.citations.iter().map(citation_line).collect()).unwrap_or_default(),
        route: route_line(
            loaded,
            matter.case_type,
            matter.topic.as_deref(),
            &matter.text,
            region,
            &matter.objects,
            matter.urgency,
            diversion,
        ),
        sensitive: matter.sensitive,
        topics: matter
            .topics
            .iter()
            .map(|t| TopicLine { topic: t.topic.clone(), score: t.score, evidence: t.evidence.clone() })
            .collect(),
        clarify: matter
            .clarify
            .iter()
            .map(|(rule, title)| ClarifyLine { rule: rule.clone(), title: title.clone() })
            .collect(),
        expired: matter.expired.clone(),
        objects: matter.objects.clone(),
        awaiting_recheck: answer.is_some_and(|a| a.awaiting_recheck),
    }
}

/// Title, number with article, address: what is shown under an answer.
fn citation_line(citation: &Citation) -> CitationLine {
    let reference: Vec<&str> = [citation.doc_no.as_deref(), citation.clause.as_deref()].into_iter().flatten().collect();
    CitationLine { title: citation.title.clone(), reference: reference.join(" "), url: citation.url.clone() }
}

#[expect(clippy::too_many_arguments, reason = "each is one fact of the routing query")]
fn route_line(
    loaded: &Loaded,
    case_type: CaseType,
    topic: Option<&str>,
    text: &str,
    region: &str,
    objects: &[String],
    urgency: Urgency,
    diversion: Option<Diversion>,
) -> Option<RouteLine> {
    let table = loaded.routing.as_ref()?;
    let query =
        RouteQuery { case_type, topic, text, region: Some(region), objects, urgency, diversion, today: loaded.today };
    let route = routing::route(table, &query);
    Some(RouteLine {
        lead: route.lead_name,
        assists: route.assists.into_iter().map(|unit| unit.name).collect(),
        reason: route.reason,
    })
}
