//! `zhitong rules`: check, test, explain, compare and measure rule files.

mod check;
pub(super) mod content;
mod diff;
mod eval;
mod explain;
mod retrieval;
mod test;

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use jiff::civil::Date;

use super::Global;
use crate::domain::kinds::Channel;

/// A day as it is typed.
pub(in crate::cli) fn day(text: &str) -> Result<Date, String> {
    text.trim().parse().map_err(|_| "日期请写成 2026-12-31 这样".to_owned())
}

/// A channel as the rule files write it; `wechat` stands for all of WeChat, the service account is as good as any.
fn channel(text: &str) -> Result<Channel, String> {
    if matches!(text, "wechat" | "微信") {
        return Ok(Channel::WechatOa);
    }
    text.parse().map_err(|_| {
        let known: Vec<&str> = Channel::ALL.iter().map(|channel| channel.as_str()).collect();
        format!("没有这个渠道；可用的有 wechat、{}", known.join("、"))
    })
}

/// 规则：检查、测试、解释、比较、评测
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong rules check
  zhitong rules check rules --format github
  zhitong rules test --at 2028-01-01
  zhitong rules explain \"稳岗补贴一直没发，打电话互相推诿\"
  zhitong rules diff rules-old rules --on messages.jsonl
  zhitong rules eval --labelled labelled.jsonl --json")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Test(test::Args),
    Explain(explain::Args),
    Diff(diff::Args),
    Eval(eval::Args),
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON document.
    Json,
    /// Annotations of GitHub Actions.
    Github,
}

/// Runs the command.
///
/// # Errors
/// When the configuration or the rules cannot be read.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Check(args) => check::run(args, global),
        Command::Test(args) => test::run(args, global),
        Command::Explain(args) => explain::run(args, global),
        Command::Diff(args) => diff::run(args, global),
        Command::Eval(args) => eval::run(args, global),
    }
}
