//! `zhitong rules test`.

use std::{
    io::{BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

use jiff::civil::Date;
use serde_json::json;

use super::content::load;
use crate::cli::Global;

/// 运行规则文件里的例子（必须匹配、绝不能匹配、对话）；有失败时退出码为 1
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong rules test
  zhitong rules test --at 2028-01-01      # 证明到期的答案不再作答
  zhitong rules test rules --json")]
pub(super) struct Args {
    /// 规则目录（缺省：配置里的目录，没有就用自带规则）
    dir: Option<PathBuf>,
    /// 按这一天测试（缺省：今天）
    #[arg(long, value_name = "DATE", value_parser = super::day)]
    at: Option<Date>,
    /// 以 JSON 输出
    #[arg(long)]
    json: bool,
    /// 只看这条规则
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let loaded = load(global, args.dir.as_deref(), args.at)?;
    let begun = Instant::now();
    let mut report = loaded.set.run_examples(&loaded.example_env());
    let seconds = begun.elapsed().as_secs_f64();
    if let Some(rule) = &args.rule {
        anyhow::ensure!(loaded.set.rule(rule).is_some(), "没有规则“{rule}”");
        report.failures.retain(|f| &f.rule == rule);
        report.promotable.retain(|(id, _, _)| id == rule);
    }
    // Rules that did not compile have no examples that could pass.
    let broken: Vec<&str> = {
        let mut ids: Vec<&str> = loaded
            .diagnostics
            .iter()
            .filter(|d| d.level == crate::domain::rules::Level::Error)
            .filter_map(|d| d.rule.as_deref())
            .filter(|id| loaded.set.rule(id).is_none())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    // A file that cannot be parsed loses its examples without a rule to name.
    let errors = loaded.errors();
    let passed = report.failures.is_empty() && broken.is_empty() && errors.is_empty();
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.json {
        let failures: Vec<_> = report
            .failures
            .iter()
            .map(|f| {
                json!({
                    "rule": f.rule, "file": loaded.shown(&f.file), "line": f.place.0, "column": f.place.1,
                    "kind": f.kind, "text": f.text, "outcome": f.outcome, "winner": f.winner, "hint": f.hint,
                })
            })
            .collect();
        let document = json!({
            "date": loaded.today.to_string(), "rules": report.rules, "match": report.positives,
            "not_match": report.negatives, "chat": report.chats, "out_of_force": report.out_of_force,
            "skipped": report.skipped, "broken": broken, "passed": passed, "seconds": seconds, "failures": failures,
            "errors": errors.iter().map(|d| json!({
                "code": d.code, "file": loaded.shown(&d.file), "line": d.line, "column": d.column, "rule": d.rule,
                "message": d.message,
            })).collect::<Vec<_>>(),
            "promotable": report.promotable.iter().map(|(rule, text, line)| json!({"rule": rule, "text": text, "line": line})).collect::<Vec<_>>(),
        });
        serde_json::to_writer_pretty(&mut out, &document)?;
        writeln!(out)?;
    } else {
        writeln!(
            out,
            "规则 {} 条，正例 {}，反例 {}，对话 {}        用时 {seconds:.1} s（按 {} 测试）",
            report.rules, report.positives, report.negatives, report.chats, loaded.today
        )?;
        if report.out_of_force > 0 {
            writeln!(out, "不在有效期内的规则 {} 条：已确认不再作答", report.out_of_force)?;
        }
        if !broken.is_empty() {
            writeln!(out, "有错误、没有参加测试的规则：{}（见 zhitong rules check）", broken.join("、"))?;
        }
        for (rule, text, line) in &report.promotable {
            writeln!(out, "可以转正  {rule}  第 {line} 行 todo_match“{text}”已经匹配")?;
        }
        for d in &errors {
            let place = format!("{}:{}:{}", loaded.shown(&d.file), d.line, d.column);
            writeln!(out, "规则文件有错误，里面的例子没有全部运行：{place} {} {}", d.code, d.message)?;
        }
        if passed {
            writeln!(out, "全部通过")?;
        } else {
            writeln!(out, "失败 {}", report.failures.len())?;
            for f in &report.failures {
                writeln!(out, "  {:<20} {}“{}”→ {}", f.rule, f.kind, f.text, f.outcome)?;
                let hint = f.hint.as_ref().map(|h| format!("  原因：{h}")).unwrap_or_default();
                writeln!(out, "  {:<20} {}:{}:{}{hint}", "", loaded.shown(&f.file), f.place.0, f.place.1)?;
            }
        }
    }
    out.flush()?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
