//! `zhitong rules eval --retrieval`: how often the right rule is among the nearest, and how often titles are offered
//! where nothing fits.

use std::{
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
    process::ExitCode,
    time::Instant,
};

use anyhow::Context;
use serde_json::{Value, json};

use super::content::Loaded;
use crate::domain::retrieval::{Filter, Hit, Index};

#[derive(Debug, Default)]
struct Counts {
    answerable: usize,
    first: usize,
    among_three: usize,
    offered: usize,
    others: usize,
    offered_in_vain: usize,
    skipped: usize,
    micros: f64,
    misses: Vec<String>,
}

impl Counts {
    fn add(&mut self, words: &str, rule: Option<&str>, hits: &[Hit], offered: &[Hit]) {
        let Some(rule) = rule else {
            self.others += 1;
            if !offered.is_empty() {
                self.offered_in_vain += 1;
                self.misses.push(format!("不该给标题  {words}  → {}", ids(offered)));
            }
            return;
        };
        self.answerable += 1;
        self.offered += usize::from(offered.iter().any(|hit| &*hit.rule_id == rule));
        match hits.iter().position(|hit| &*hit.rule_id == rule) {
            Some(0) => {
                self.first += 1;
                self.among_three += 1;
            }
            Some(_) => self.among_three += 1,
            None => self.misses.push(format!("没找到 {rule}  {words}  → {}", ids(hits))),
        }
    }
}

fn ids(hits: &[Hit]) -> String {
    hits.iter().map(|hit| &*hit.rule_id).collect::<Vec<_>>().join("、")
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1000.0).round() / 1000.0 }
}

/// Runs the evaluation.
///
/// # Errors
/// When the file cannot be read or the result not be written.
pub(super) fn run(path: &Path, loaded: &Loaded, as_json: bool, wrong: usize) -> anyhow::Result<ExitCode> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let index = Index::build(&loaded.set);
    let mut counts = Counts::default();
    for line in BufReader::new(file).lines() {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        let row = serde_json::from_str::<Value>(&line).unwrap_or_default();
        let field = |name: &str| row.get(name).and_then(Value::as_str);
        let Some(words) = field("q") else {
            counts.skipped += 1;
            continue;
        };
        let region = field("region").unwrap_or(&loaded.region);
        let rule = field("rule");
        // Officers also look for answers that only they may see.
        let filter = Filter { today: loaded.today, region: Some(region), channel: None, drafts: rule.is_some() };
        let begun = Instant::now();
        let offered = index.suggest(words, &filter);
        counts.micros += begun.elapsed().as_secs_f64() * 1e6;
        counts.add(words, rule, &index.search(words, &filter, 3), &offered);
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let asked = counts.answerable + counts.others;
    let micros = (counts.micros / asked.max(1) as f64 * 10.0).round() / 10.0;
    let Counts { answerable, first, among_three, others, offered_in_vain, skipped, .. } = counts;
    if as_json {
        let document = json!({
            "entries": index.len(), "rule_set": loaded.set.hash(), "answerable": answerable,
            "recall_at_1": share(first, answerable), "recall_at_3": share(among_three, answerable),
            "offered": share(counts.offered, answerable), "unanswerable": others,
            "offered_in_vain": offered_in_vain, "skipped": skipped, "micros": micros,
        });
        serde_json::to_writer_pretty(&mut out, &document)?;
        writeln!(out)?;
    } else {
        writeln!(out, "可查的答复 {} 条", index.len())?;
        writeln!(
            out,
            "该有答复的问题 {answerable} 条：排第一 {:.3}，前三 {:.3}，会给出标题 {:.3}",
            share(first, answerable),
            share(among_three, answerable),
            share(counts.offered, answerable)
        )?;
        writeln!(out, "不该有答复的问题 {others} 条：误给标题 {offered_in_vain} 条")?;
        writeln!(out, "平均用时 {micros} µs")?;
        if skipped > 0 {
            writeln!(out, "读不懂的行 {skipped}")?;
        }
        for miss in counts.misses.iter().take(wrong) {
            writeln!(out, "  {miss}")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
