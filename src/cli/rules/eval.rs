//! `zhitong rules eval`: precision, recall and F1 against labelled messages.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use serde_json::{Value, json};

use super::{content::load, retrieval};
use crate::{
    cli::Global,
    domain::{
        kinds::{CaseType, Channel},
        rules::Input,
    },
};

/// 用标注好的消息评测：每类的精确率、召回率、F1 和混淆矩阵
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong rules eval --labelled labelled.jsonl
  zhitong rules eval --labelled labelled.jsonl --json
  zhitong rules eval --retrieval questions.jsonl
每行一条：{\"text\":\"…\",\"type\":\"咨询\",\"topic\":\"POLICY.PAY\"}；type 可用 13 类的名称或 slug，也可用
咨询、建议、诉求、投诉举报四大类；topic 可不写。
--retrieval 评测“您是不是想问”，每行一条：{\"q\":\"…\",\"rule\":\"reg-set-time\",\"region\":\"350000\"}；
rule 为 null 表示哪条规则都答不了，不应给出标题；region 可不写。")]
pub(super) struct Args {
    /// 标注文件（JSONL）
    #[arg(long, value_name = "FILE", required_unless_present = "retrieval")]
    labelled: Option<PathBuf>,
    /// 问题文件（JSONL）：评测“您是不是想问”能不能找到该答的规则
    #[arg(long, value_name = "FILE", conflicts_with = "labelled")]
    retrieval: Option<PathBuf>,
    /// 以 JSON 输出
    #[arg(long)]
    json: bool,
    /// 规则目录（缺省：配置里的目录，没有就用自带规则）
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// 列出判错的消息，最多这么多条
    #[arg(long, default_value_t = 0)]
    wrong: usize,
}

/// Counts of predicted against true labels.
#[derive(Debug, Default)]
struct Confusion {
    counts: BTreeMap<(String, String), usize>,
}

/// Figures of one label.
struct Figures {
    label: String,
    support: usize,
    precision: f64,
    recall: f64,
    f1: f64,
}

impl Confusion {
    fn add(&mut self, truth: &str, found: &str) {
        *self.counts.entry((truth.to_owned(), found.to_owned())).or_default() += 1;
    }

    fn labels(&self) -> Vec<String> {
        self.counts.keys().map(|(truth, _)| truth.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn total(&self) -> usize {
        self.counts.values().sum()
    }

    fn accuracy(&self) -> f64 {
        let right: usize = self.counts.iter().filter(|((t, f), _)| t == f).map(|(_, n)| n).sum();
        ratio(right, self.total())
    }

    fn figures(&self) -> Vec<Figures> {
        self.labels()
            .into_iter()
            .map(|label| {
                let sum = |wanted: &dyn Fn(&str, &str) -> bool| -> usize {
                    self.counts.iter().filter(|((t, f), _)| wanted(t, f)).map(|(_, n)| n).sum()
                };
                let hit = sum(&|t, f| t == label && f == label);
                let support = sum(&|t, _| t == label);
                let found = sum(&|_, f| f == label);
                let (precision, recall) = (ratio(hit, found), ratio(hit, support));
                let f1 = if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
                Figures { label, support, precision, recall, f1 }
            })
            .collect()
    }

    fn macro_f1(&self) -> f64 {
        let figures = self.figures();
        if figures.is_empty() { 0.0 } else { figures.iter().map(|f| f.f1).sum::<f64>() / figures.len() as f64 }
    }

    fn to_json(&self) -> Value {
        json!({
            "n": self.total(), "accuracy": round(self.accuracy()), "macro_f1": round(self.macro_f1()),
            "labels": self.figures().iter().map(|f| json!({
                "label": f.label, "support": f.support, "precision": round(f.precision), "recall": round(f.recall), "f1": round(f.f1),
            })).collect::<Vec<_>>(),
            "confusion": self.counts.iter().map(|((t, f), n)| json!({"truth": t, "predicted": f, "n": n})).collect::<Vec<_>>(),
        })
    }

    fn print(&self, out: &mut impl Write, title: &str) -> anyhow::Result<()> {
        writeln!(out, "{title}：{} 条，正确率 {:.3}，宏平均 F1 {:.3}", self.total(), self.accuracy(), self.macro_f1())?;
        for f in self.figures() {
            writeln!(
                out,
                "  {:<16} 数量 {:>5}  精确 {:.3}  召回 {:.3}  F1 {:.3}",
                f.label, f.support, f.precision, f.recall, f.f1
            )?;
        }
        Ok(())
    }

    fn print_matrix(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let labels = self.labels();
        let found: BTreeSet<&String> = self.counts.keys().map(|(_, f)| f).collect();
        writeln!(out, "混淆矩阵（行：标注，列：判定）")?;
        writeln!(out, "  {:<10} {}", "", found.iter().map(|f| f.as_str()).collect::<Vec<_>>().join("  "))?;
        for truth in labels {
            let row: Vec<String> = found
                .iter()
                .map(|f| self.counts.get(&(truth.clone(), (*f).clone())).copied().unwrap_or(0).to_string())
                .collect();
            writeln!(out, "  {truth:<10} {}", row.join("  "))?;
        }
        Ok(())
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Their names.
const WIDE: [&str; 4] = ["咨询", "建议", "投诉举报", "诉求"];

/// The four wide classes that many public data sets label with.
const fn wide(case_type: CaseType) -> &'static str {
    match case_type {
        CaseType::Consultation => "咨询",
        CaseType::Suggestion => "建议",
        CaseType::Complaint | CaseType::Report | CaseType::Conduct | CaseType::Arrears => "投诉举报",
        CaseType::Coordination
        | CaseType::Help
        | CaseType::Stuck
        | CaseType::Risk
        | CaseType::Praise
        | CaseType::RatingReview
        | CaseType::ServiceOrder => "诉求",
    }
}

/// Runs the command.
///
/// # Errors
/// When the rules or the labelled messages cannot be read.
pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let loaded = load(global, args.rules.as_deref(), None)?;
    loaded.warn()?;
    if let Some(path) = &args.retrieval {
        return retrieval::run(path, &loaded, args.json, args.wrong);
    }
    let labelled = args.labelled.as_deref().context("no labelled file")?;
    let file = std::fs::File::open(labelled).with_context(|| format!("cannot open {}", labelled.display()))?;
    let mut rows: Vec<(String, Option<String>, Option<String>)> = Vec::new();
    let mut skipped = 0;
    let mut unknown_types = 0;
    for line in BufReader::new(file).lines() {
        let line = line.with_context(|| format!("cannot read {}", labelled.display()))?;
        let Ok(value) = serde_json::from_str::<Value>(&line) else {
            skipped += 1;
            continue;
        };
        let field = |name: &str| value.get(name).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
        match field("text") {
            Some(text) => {
                // A type that does not exist is a mistake of the labels and no class of its own.
                let label = field("type").filter(|label| label.parse::<CaseType>().is_ok() || WIDE.contains(&&**label));
                unknown_types += usize::from(field("type").is_some() && label.is_none());
                rows.push((text, label, field("topic")));
            }
            None => skipped += 1,
        }
    }
    // A file that uses 诉求 or 投诉举报 is labelled in wide classes; others use the thirteen types.
    let is_wide = rows.iter().any(|(_, t, _)| matches!(t.as_deref(), Some("诉求" | "投诉举报")));
    // A label that hardly occurs says nothing and weighs as much as the others in the macro average: the first figure
    // leaves such labels out and says so, the second counts every row.
    let mut support: BTreeMap<String, usize> = BTreeMap::new();
    for label in rows.iter().filter_map(|(_, t, _)| t.clone()) {
        *support.entry(label).or_default() += 1;
    }
    let labelled: usize = support.values().sum();
    let rare: BTreeSet<String> =
        support.into_iter().filter(|(_, n)| n * 100 < labelled).map(|(label, _)| label).collect();
    let demands = rows.iter().any(|(_, t, _)| t.as_deref() == Some("诉求")) && !rare.contains("诉求");
    let mut common = Confusion::default();
    let mut unknown_topics = 0;
    let mut types = Confusion::default();
    let mut topics = Confusion::default();
    let mut groups = Confusion::default();
    let mut wrong: Vec<(String, String, String)> = Vec::new();
    for (text, truth, topic) in &rows {
        let decision =
            loaded.set.decide(&Input { text, channel: Channel::Web, area: Some(&loaded.region), today: loaded.today });
        let matter = decision.matters.first();
        if let Some(label) = truth {
            let case_type = matter.map_or(CaseType::Coordination, |m| m.case_type);
            let (truth, found) = if is_wide {
                (label.clone(), wide(case_type).to_owned())
            } else {
                let slug = label.parse::<CaseType>().map_or_else(|_| label.clone(), |t| t.label().to_owned());
                (slug, case_type.label().to_owned())
            };
            if !rare.contains(label) {
                // Where 诉求 is no label, what would be one is counted as what it is nearest to.
                let nearest = if is_wide && !demands && found == "诉求" { "投诉举报" } else { &found };
                common.add(&truth, nearest);
            }
            if truth != found {
                wrong.push((truth.clone(), found.clone(), text.clone()));
            }
            types.add(&truth, &found);
        }
        if let Some(topic) = topic {
            unknown_topics += usize::from(!loaded.knows_topic(topic));
            let found = matter.and_then(|m| m.topic.clone()).unwrap_or_else(|| "无".into());
            let group = |code: &str| code.split('.').next().unwrap_or(code).to_owned();
            groups.add(&group(topic), &group(&found));
            topics.add(topic, &found);
        }
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.json {
        let document = json!({
            "rows": rows.len(), "skipped": skipped, "rule_set": loaded.set.hash(),
            "types": common.to_json(), "types_all": types.to_json(), "rare_labels": rare,
            "unknown_types": unknown_types, "unknown_topics": unknown_topics, "topics": topics.to_json(), "topic_groups": groups.to_json(),
        });
        serde_json::to_writer_pretty(&mut out, &document)?;
        writeln!(out)?;
    } else {
        let rare: Vec<&str> = rare.iter().map(String::as_str).collect();
        let left_out = if rare.is_empty() {
            String::new()
        } else {
            format!("（不计不到百分之一的{}）", rare.join("、"))
        };
        common.print(&mut out, &format!("类型{left_out}"))?;
        common.print_matrix(&mut out)?;
        if !rare.is_empty() {
            types.print(&mut out, "类型（全部）")?;
        }
        if unknown_types > 0 {
            writeln!(out, "标注的类型不认识 {unknown_types} 条，没有计入类型")?;
        }
        if unknown_topics > 0 {
            writeln!(out, "标注的主题不在主题表里 {unknown_topics} 条，都算判错")?;
        }
        if topics.total() > unknown_topics {
            topics.print(&mut out, "主题")?;
            groups.print(&mut out, "主题组")?;
        }
        if skipped > 0 {
            writeln!(out, "读不懂的行 {skipped}")?;
        }
        for (truth, found, text) in wrong.iter().take(args.wrong) {
            let text: String = text.chars().take(120).collect();
            writeln!(out, "  {truth} → {found}  {}", text.replace('\n', " "))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
