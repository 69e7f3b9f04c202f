//! `zhitong rules explain`.

use std::{
    io::{BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

use jiff::civil::Date;
use serde_json::json;

use super::content::load;
use crate::{
    cli::{Global, classify},
    domain::{
        kinds::Channel,
        retrieval::{Filter, Index},
        routing::{self, RouteQuery},
        rules::Input,
    },
};

/// 解释一条消息：哪些规则命中、在哪里、谁胜出、为什么，以及类型、主题、紧急程度和去向
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong rules explain \"稳岗补贴一直没发，打电话互相推诿\"
  zhitong rules explain --region 330225 --json \"象山多久办结\"")]
pub(super) struct Args {
    /// 消息
    text: String,
    /// 以 JSON 输出
    #[arg(long)]
    json: bool,
    /// 企业所在地的行政区划代码（缺省：配置里的地区）
    #[arg(long, value_name = "CODE")]
    region: Option<String>,
    /// 渠道，如 web、wechat、wechat_oa
    #[arg(long, default_value = "web", value_parser = super::channel)]
    channel: Channel,
    /// 按这一天判断有效期（缺省：今天）
    #[arg(long, value_name = "DATE", value_parser = super::day)]
    at: Option<Date>,
    /// 规则目录（缺省：配置里的目录，没有就用自带规则）
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the rules cannot be read.
pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let loaded = load(global, args.rules.as_deref(), args.at)?;
    loaded.warn()?;
    let region = args.region.clone().unwrap_or_else(|| loaded.region.clone());
    let channel = args.channel;
    let input = Input { text: &args.text, channel, area: Some(&region), today: loaded.today };
    let begun = Instant::now();
    let _ = loaded.set.decide(&input);
    let micros = begun.elapsed().as_secs_f64() * 1e6;
    let explanation = loaded.set.explain(&input);
    let index = Index::build(&loaded.set);
    let filter = Filter { today: loaded.today, region: Some(&region), channel: Some(channel), drafts: false };
    let near = index.search(&args.text, &filter, 5);
    let offered = index.suggest(&args.text, &filter);
    let is_offered = |id: &str| offered.iter().any(|hit| &*hit.rule_id == id);
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.json {
        let near: Vec<_> = near
            .iter()
            .map(|hit| {
                json!({
                    "id": &*hit.rule_id, "title": &*hit.title, "score": (hit.score * 10.0).round() / 10.0,
                    "coverage": (hit.coverage * 100.0).round() / 100.0, "offered": is_offered(&hit.rule_id),
                })
            })
            .collect();
        let rules: Vec<_> = explanation
            .rules
            .iter()
            .map(|t| {
                json!({
                    "id": t.rule_id, "title": t.title, "kind": t.kind.as_str(), "status": t.status.as_str(),
                    "priority": t.priority, "matched": t.matched, "fired": t.fired, "won": t.won,
                    "reason": t.reason, "place": loaded.shown(&t.place),
                    "conditions": t.conditions.iter().map(|c| json!({
                        "field": c.field, "written": c.written, "good": c.good,
                        "found": c.found.as_ref().map(|(word, _)| word), "at": c.found.as_ref().map(|(_, at)| at),
                    })).collect::<Vec<_>>(),
                })
            })
            .collect();
        let line = classify::line_of(&loaded, None, &args.text, &region, &explanation.decision);
        let document = json!({
            "original": explanation.original, "normalised": explanation.normalised,
            "rule_set": explanation.decision.rule_set_hash.as_ref(), "rules": rules, "result": line,
            "shadow": explanation.decision.shadow, "near": near, "micros": (micros * 10.0).round() / 10.0,
        });
        serde_json::to_writer_pretty(&mut out, &document)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", explanation.to_text())?;
        if let Some(table) = &loaded.routing {
            for matter in &explanation.decision.matters {
                let route = routing::route(
                    table,
                    &RouteQuery {
                        case_type: matter.case_type,
                        topic: matter.topic.as_deref(),
                        text: &matter.text,
                        region: Some(&region),
                        objects: &matter.objects,
                        urgency: matter.urgency,
                        diversion: explanation.decision.diversion,
                        today: loaded.today,
                    },
                );
                let assists: Vec<&str> = route.assists.iter().map(|u| u.name.as_str()).collect();
                let assists =
                    if assists.is_empty() { String::new() } else { format!("，协办 {}", assists.join("、")) };
                writeln!(out, "去向    {}{assists}（{}）", route.lead_name, route.reason)?;
            }
        }
        // 您是不是想问: ● would be offered when no rule answers, ○ is too far away.
        for (n, hit) in near.iter().enumerate() {
            let head = if n == 0 { "相近" } else { "" };
            let mark = if is_offered(&hit.rule_id) { '●' } else { '○' };
            let pad = if n == 0 { 4 } else { 8 };
            let (share, score) = (hit.coverage * 100.0, hit.score);
            writeln!(
                out,
                "{head}{:pad$}{mark} {}  {}（认得 {share:.0}%，得分 {score:.1}）",
                "", hit.rule_id, hit.title
            )?;
        }
        writeln!(out, "用时    {micros:.0} µs")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
