//! `zhitong rules check`.

use std::{
    io::{BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use serde::Serialize;

use super::{Format, content::load};
use crate::{
    cli::Global,
    domain::rules::{Diagnostic, Level},
};

/// 检查规则文件：写法、引用、依据、例子；有错误时退出码为 1
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong rules check
  zhitong rules check rules --format json
退出码：0 没有错误，1 有错误，2 无法运行。错误以 E 开头，警告以 W 开头。")]
pub(super) struct Args {
    /// 规则目录（缺省：配置里的目录，没有就用自带规则）
    dir: Option<PathBuf>,
    /// 输出格式
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// 连提示也列出来
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    files: usize,
    rules: usize,
    errors: usize,
    warnings: usize,
    rule_set: &'a str,
    /// Tables that the folder lacks: what refers to them was not checked.
    missing_tables: Vec<&'static str>,
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'a str,
    level: &'a str,
    file: String,
    line: usize,
    column: usize,
    rule: Option<&'a str>,
    message: &'a str,
    help: Option<&'a str>,
}

/// Runs the command.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let mut loaded = load(global, args.dir.as_deref(), None)?;
    let examples = loaded.set.lint_examples(&loaded.example_env());
    loaded.diagnostics.extend(examples);
    loaded.diagnostics.sort_by(|a, b| (&a.file, a.line, a.column, a.code).cmp(&(&b.file, b.line, b.column, b.code)));
    let count = |level: Level| loaded.diagnostics.iter().filter(|d| d.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    let shown: Vec<&Diagnostic> = loaded
        .diagnostics
        .iter()
        .filter(|d| args.all || args.format == Format::Json || d.level > Level::Info)
        .collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    match args.format {
        Format::Human => {
            for d in &shown {
                writeln!(
                    out,
                    "{}:{}:{} {} {} {}",
                    loaded.shown(&d.file),
                    d.line,
                    d.column,
                    d.level.label(),
                    d.code,
                    d.message
                )?;
                if let Some(help) = &d.help {
                    writeln!(out, "    建议：{help}")?;
                }
            }
            if !shown.is_empty() {
                writeln!(out)?;
            }
            if !loaded.missing_tables.is_empty() {
                writeln!(
                    out,
                    "目录里没有 {}：规则里的主题和单位代码没有核对（E016）",
                    loaded.missing_tables.join("、")
                )?;
            }
            writeln!(
                out,
                "文件 {} 个，规则 {} 条：错误 {errors}，警告 {warnings}，提示 {}",
                loaded.files,
                loaded.set.rules().len(),
                count(Level::Info)
            )?;
        }
        Format::Json => {
            let report = Report {
                files: loaded.files,
                rules: loaded.set.rules().len(),
                errors,
                warnings,
                rule_set: loaded.set.hash(),
                missing_tables: loaded.missing_tables.clone(),
                findings: shown
                    .iter()
                    .map(|d| Finding {
                        code: d.code,
                        level: d.level.as_str(),
                        file: loaded.shown(&d.file),
                        line: d.line,
                        column: d.column,
                        rule: d.rule.as_deref(),
                        message: &d.message,
                        help: d.help.as_deref(),
                    })
                    .collect(),
            };
            serde_json::to_writer_pretty(&mut out, &report)?;
            writeln!(out)?;
        }
        Format::Github => {
            for d in &shown {
                let level = match d.level {
                    Level::Error => "error",
                    Level::Warning => "warning",
                    Level::Info => "notice",
                };
                let help = d.help.as_ref().map(|h| format!(" 建议：{h}")).unwrap_or_default();
                writeln!(
                    out,
                    "::{level} file={},line={},col={},title={}::{}",
                    escape(&loaded.shown(&d.file), true),
                    d.line,
                    d.column,
                    d.code,
                    escape(&format!("{}{help}", d.message), false)
                )?;
            }
        }
    }
    out.flush()?;
    Ok(if errors > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Escapes text for a workflow command; properties also escape `:` and `,`.
fn escape(text: &str, property: bool) -> String {
    let escaped = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    if property { escaped.replace(':', "%3A").replace(',', "%2C") } else { escaped }
}
