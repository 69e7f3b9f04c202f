//! `sla due`: every deadline of a policy for one case, or one computed line per line of JSON.

use std::{
    io::{BufReader, BufWriter, Write},
    process::ExitCode,
};

use anyhow::{Context, bail};
use jiff::{Timestamp, civil::DateTime};
use serde_json::{Value, json};

use super::batch::{self, rfc3339};
use crate::{
    config::Config,
    domain::{
        kinds::{CaseType, Complexity, Urgency},
        sla::{AnswerFacts, Due, Profile, Schedule, Source, StackClock, Within, chinese_date, weekday},
    },
};

/// 计算一件诉求在某个时限口径下的全部到期时间
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong sla due --opened 2026-09-30T17:20:00+08:00 --policy fujian --type complaint
  zhitong sla due --opened 2026-03-10T09:00:00+08:00 --policy nanping --type consultation --json
  echo '{\"id\":\"1\",\"opened_at\":\"2026-09-30T16:20:00+08:00\",\"policy\":{\"unit\":\"working_days\",\"n\":3}}' | zhitong sla due --batch")]
pub(super) struct Args {
    /// 起算时间（RFC 3339，带时区），如 2026-09-30T16:20:00+08:00
    #[arg(long, value_name = "RFC3339", required_unless_present = "batch")]
    opened: Option<String>,
    /// 时限口径，rules/sla/ 下的名字或别名（缺省：配置的 sla.policy）
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// 事项类型，如 consultation 或 咨询
    #[arg(long = "type", value_name = "SLUG", required_unless_present = "batch")]
    case_type: Option<CaseType>,
    /// 难易程度：simple|complex|hard|special
    #[arg(long, value_name = "SLUG")]
    complexity: Option<Complexity>,
    /// 紧急程度：normal|urgent|critical
    #[arg(long, value_name = "SLUG", default_value = "normal")]
    urgency: Urgency,
    /// 涉及多个部门
    #[arg(long)]
    multi_unit: bool,
    /// 输出 JSON
    #[arg(long)]
    json: bool,
    /// 从标准输入逐行读 JSON，逐行输出结果
    #[arg(long, conflicts_with_all = ["opened", "policy", "case_type", "complexity", "json"])]
    batch: bool,
}

/// One line of the answer.
struct Deadline<'a> {
    key: &'a str,
    label: &'a str,
    within: Within,
    start: &'a str,
    source: Source,
    note: Option<&'a str>,
    due: Due,
}

pub(super) fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let schedule = super::schedule_of(config)?;
    if args.batch {
        let mut input = BufReader::new(std::io::stdin().lock());
        let mut output = BufWriter::new(std::io::stdout().lock());
        batch::run(&mut input, &mut output, &schedule)?;
        return Ok(ExitCode::SUCCESS);
    }
    let opened = args.opened.as_deref().unwrap_or_default();
    let opened: Timestamp =
        opened.parse().with_context(|| format!("--opened {opened:?} is no RFC 3339 time with offset"))?;
    let Some(case_type) = args.case_type else { bail!("--type is missing") };
    let book = super::book_of(config)?;
    let name = args.policy.as_deref().unwrap_or(&config.sla.policy);
    let Some(profile) = book.profile(name) else {
        let known: Vec<_> = book.profiles.iter().map(|p| p.name.as_str()).collect();
        bail!("unknown policy {name:?}; known: {}", known.join(", "));
    };
    let facts = AnswerFacts {
        case_type,
        complexity: args.complexity,
        urgency: args.urgency,
        multi_unit: args.multi_unit,
        topic: None,
    };
    let deadlines = deadlines(profile, &facts, &schedule, opened)?;
    let stack = book
        .stack
        .iter()
        .filter_map(|clock| clock.within.map(|within| (clock, within)))
        .map(|(clock, within)| Ok((clock, within, within.due(&schedule, opened)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.json {
        let value = as_json(profile, &facts, &schedule, opened, &deadlines, &stack);
        serde_json::to_writer_pretty(&mut out, &value)?;
        writeln!(out)?;
    } else {
        print(&mut out, profile, &facts, &schedule, opened, &deadlines, &stack)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn deadlines<'a>(
    profile: &'a Profile,
    facts: &AnswerFacts<'_>,
    schedule: &Schedule,
    opened: Timestamp,
) -> anyhow::Result<Vec<Deadline<'a>>> {
    let mut out = Vec::new();
    if let Some(answer) = profile.answer(facts) {
        let row = answer.row;
        out.push(Deadline {
            key: "answer",
            label: &row.label,
            within: row.within,
            start: &profile.start,
            source: row.source,
            note: row.note.as_deref(),
            due: row.within.due(schedule, opened)?,
        });
        if let Some(within) = row.max_total {
            out.push(Deadline {
                key: "answer_max",
                label: "延期后最长",
                within,
                start: &profile.start,
                source: row.source,
                note: None,
                due: within.due(schedule, opened)?,
            });
        }
    }
    for limit in profile.limits_for(facts.case_type, facts.complexity) {
        out.push(Deadline {
            key: &limit.key,
            label: &limit.label,
            within: limit.within,
            start: &limit.start,
            source: limit.source,
            note: limit.note.as_deref(),
            due: limit.within.due(schedule, opened)?,
        });
    }
    Ok(out)
}

type Stack<'a> = [(&'a StackClock, Within, Due)];

fn due_json(schedule: &Schedule, within: Within, due: Due) -> (Value, Value) {
    let at = due.due.map(|at| rfc3339(schedule, at));
    (json!(at), json!(text(schedule, within, due)))
}

/// `2026年10月20日 周二 17:30`, or why there is no moment.
fn text(schedule: &Schedule, within: Within, due: Due) -> String {
    match (within, due.due) {
        (Within::Immediate, _) => "当场".into(),
        (Within::Statutory, _) => "按法定时限（由承办单位写明依据和期限）".into(),
        (Within::SameDay | Within::Budget(_), None) => "—".into(),
        (Within::SameDay | Within::Budget(_), Some(at)) => {
            let mark = if due.provisional { "（暂算）" } else { "" };
            format!("{}{mark}", full_text(schedule.civil(at)))
        }
    }
}

fn full_text(at: DateTime) -> String {
    format!("{} {} {:02}:{:02}", chinese_date(at.date()), weekday(at.weekday()), at.hour(), at.minute())
}

fn as_json(
    profile: &Profile,
    facts: &AnswerFacts<'_>,
    schedule: &Schedule,
    opened: Timestamp,
    deadlines: &[Deadline<'_>],
    stack: &Stack<'_>,
) -> Value {
    let rows = deadlines.iter().map(|d| {
        let (due, due_text) = due_json(schedule, d.within, d.due);
        json!({"key": d.key, "label": d.label, "within": d.within.to_string(), "start": d.start, "due": due,
            "due_text": due_text, "provisional": d.due.provisional, "source": d.source.as_str(), "note": d.note})
    });
    let clocks = stack.iter().map(|(clock, within, due)| {
        let (at, due_text) = due_json(schedule, *within, *due);
        json!({"key": clock.key, "label": clock.label, "within": within.to_string(), "start": clock.start,
            "owner": clock.owner, "due": at, "due_text": due_text, "provisional": due.provisional})
    });
    let first = deadlines.first().filter(|d| d.key == "answer");
    json!({
        "policy": profile.name,
        "title": profile.title,
        "basis": profile.basis,
        "version": profile.version,
        "in_force": profile.in_force(schedule.civil(opened).date()),
        "calendar": schedule.calendar().version(),
        "type": facts.case_type.as_str(),
        "complexity": facts.complexity.map(Complexity::as_str),
        "opened_at": rfc3339(schedule, opened),
        "due": first.and_then(|d| d.due.due).map(|at| rfc3339(schedule, at)),
        "provisional": first.is_some_and(|d| d.due.provisional),
        "deadlines": rows.collect::<Vec<_>>(),
        "clocks": clocks.collect::<Vec<_>>(),
    })
}

fn print(
    out: &mut dyn Write,
    profile: &Profile,
    facts: &AnswerFacts<'_>,
    schedule: &Schedule,
    opened: Timestamp,
    deadlines: &[Deadline<'_>],
    stack: &Stack<'_>,
) -> std::io::Result<()> {
    let at = schedule.civil(opened);
    writeln!(out, "口径  {}（{}）", profile.title, profile.name)?;
    writeln!(out, "依据  {}", profile.basis)?;
    let grade = facts.complexity.map(|c| format!(" · {}", c.label())).unwrap_or_default();
    writeln!(out, "事项  {}{grade}", facts.case_type.label())?;
    writeln!(out, "起算  {}", full_text(at))?;
    if !profile.in_force(at.date()) {
        writeln!(out, "注意  起算日不在该口径的有效期内")?;
    }
    writeln!(out)?;
    writeln!(out, "时限（均自上述时间起算；事件另行发生的，以事件时间为准）")?;
    for d in deadlines {
        writeln!(
            out,
            "  {}  {}  {}  [{}]",
            text(schedule, d.within, d.due),
            d.label,
            d.within.in_words(),
            d.source.label()
        )?;
        if let Some(note) = d.note {
            writeln!(out, "      {note}")?;
        }
    }
    writeln!(out)?;
    writeln!(out, "各环节计时")?;
    for (clock, within, due) in stack {
        writeln!(out, "  {}  {} {}  {}", text(schedule, *within, *due), clock.key, clock.label, within.in_words())?;
    }
    let provisional = deadlines.iter().any(|d| d.due.provisional) || stack.iter().any(|(.., due)| due.provisional);
    if provisional {
        writeln!(out)?;
        writeln!(out, "暂算：涉及尚未公布放假安排的年份，公布后重新计算。")?;
    }
    Ok(())
}
