//! `zhitong chat`: talks to the bot in the terminal, with the engine and the rules of the channels.
//!
//! A trial: nothing is stored and nothing is filed; 提交 shows what would be filed.

use std::{
    io::{BufRead, IsTerminal as _, Write},
    process::ExitCode,
};

use anyhow::Context as _;
use jiff::Timestamp;

use super::Global;
use crate::{
    app::{content, system::SystemClock},
    domain::{
        dialogue::{CaseDraft, DialogueState, Effect, Input, Reply, Shipped, TurnEnv, turn},
        kinds::Channel,
        rules::Level,
    },
    ports::Clock as _,
};

/// 在终端里和机器人对话：与网页、微信同一个引擎、同一套规则；试用，不登记
#[derive(Debug, clap::Args)]
#[command(
    after_help = "示例：\n  zhitong chat\n  zhitong chat --text \"稳岗返还怎么申请\"\n  printf '补贴没到账\\n13800138000\\n提交\\n' | zhitong chat"
)]
pub struct Args {
    /// 只说这一句，打印回答后退出
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// 行政区划代码（缺省：配置中的 region.code；none 表示未知）
    #[arg(long, value_name = "CODE")]
    region: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the configuration or the rules cannot be read, or the terminal is gone.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.load_config()?;
    let now = SystemClock.now();
    let (files, origin) = content::read_content(&config.content)?;
    let built = content::build(&files, &config.time, now, origin, true);
    if let Some(error) = built.diagnostics.iter().find(|d| d.level == Level::Error) {
        writeln!(
            std::io::stderr().lock(),
            "警告：规则文件有错误，出错的部分没有参加：{error}（zhitong rules check 看全部）"
        )?;
    }
    let content = built.content.context("规则无法载入，请先运行 zhitong rules check")?;
    let region = match args.region.as_deref() {
        Some("none") => None,
        Some(code) => Some(code.to_owned()),
        None => Some(config.region.code.clone()),
    };
    let mut talk = Talk { content, region, state: DialogueState::default() };
    let mut out = std::io::stdout().lock();
    if let Some(text) = &args.text {
        talk.say(text, SystemClock.now(), &mut out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let stdin = std::io::stdin();
    let prompt = stdin.is_terminal();
    if prompt {
        writeln!(out, "直接说您的事；空行或 Ctrl-D 结束。这是试用，不会真的登记。")?;
    }
    for line in stdin.lock().split(b'\n') {
        let Ok(line) = String::from_utf8(line?) else {
            writeln!(out, "  〔这一行不是 UTF-8 文字，跳过了〕")?;
            continue;
        };
        let line = line.trim_end_matches('\r');
        if prompt && line.trim().is_empty() {
            break;
        }
        if !prompt {
            writeln!(out, "> {line}")?;
        }
        talk.say(line, SystemClock.now(), &mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

struct Talk {
    content: content::Content,
    region: Option<String>,
    state: DialogueState,
}

impl Talk {
    fn say(&mut self, words: &str, now: Timestamp, out: &mut impl Write) -> anyhow::Result<()> {
        let content = &self.content;
        let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, now)
            .with_index(&content.index);
        let env = TurnEnv {
            knowledge: &knowledge,
            now,
            today: knowledge.today,
            default_region: self.region.as_deref(),
            channel: Channel::Terminal,
            queue_ahead: 0,
            open_cases: &[],
            progress: &[],
        };
        let outcome = turn(&env, &self.state, &Input::text(words));
        self.state = outcome.state;
        for reply in &outcome.replies {
            print_reply(reply, out)?;
        }
        for effect in &outcome.effects {
            match effect {
                Effect::FileCases(drafts) => {
                    print_drafts(drafts, out)?;
                    self.state = DialogueState { region: self.state.region.take(), ..DialogueState::default() };
                }
                Effect::RequestHuman { reason, .. } => writeln!(out, "  〔转人工：{}〕", reason.label())?,
                Effect::PageDuty { note, .. } => writeln!(out, "  〔通知值班：{note}〕")?,
                Effect::PurgeInput { .. } => writeln!(out, "  〔原文不保存〕")?,
                Effect::Promise { text, due, .. } => {
                    writeln!(out, "  〔承诺事项：{text}，{}前〕", content.schedule.due_text(*due, now))?;
                }
                Effect::Unanswered { .. } => writeln!(out, "  〔记入未答问题〕")?,
                // The terminal knows no model.
                Effect::LeaveQueue
                | Effect::AppendToCase { .. }
                | Effect::OnCase { .. }
                | Effect::Flag { .. }
                | Effect::Feedback { .. }
                | Effect::AskModel { .. }
                | Effect::Classify { .. }
                | Effect::Proposed { .. }
                | Effect::ProposalEnded { .. } => {}
            }
        }
        Ok(())
    }
}

fn print_reply(reply: &Reply, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "{}", reply.text)?;
    for cite in &reply.citations {
        writeln!(out, "  依据：《{}》{}", cite.title, cite.reference)?;
    }
    if let (Some(rule), Some(version)) = (&reply.rule_id, &reply.rule_version) {
        let recheck = if reply.awaiting_recheck { "，待人工复核" } else { "" };
        writeln!(out, "  〔规则 {rule}，规则库 v{version}{recheck}〕")?;
    }
    if !reply.quick_replies.is_empty() {
        let buttons: Vec<String> = reply.quick_replies.iter().map(|q| format!("[{}]", q.label)).collect();
        writeln!(out, "  {}", buttons.join(" "))?;
    }
    Ok(())
}

fn print_drafts(drafts: &[CaseDraft], out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "（终端试用，没有登记。正式渠道会登记以下 {} 件：）", drafts.len())?;
    for draft in drafts {
        writeln!(
            out,
            "  {}｜{}｜{}｜主办建议：{}（{}）",
            draft.case_type.label(),
            draft.title,
            draft.urgency.label(),
            draft.route.lead_name,
            draft.route.reason
        )?;
    }
    Ok(())
}
