//! `zhitong case`: the same views of cases as the console, for scripts on the server itself.

use std::{io::Write as _, process::ExitCode};

use clap::Subcommand;

use super::{
    Global,
    user::{in_words, with_app},
};
use crate::{
    app::{
        App,
        case_queries::{self, CaseFile, ListQuery},
        track,
    },
    domain::{
        access::CaseScope,
        case::{CaseNumber, CaseStatus, ClockState, EventKind, Stage},
        kinds::CaseType,
    },
    web::api::{
        case_list_view::{CaseListView, TimelineView},
        case_view::CaseView,
    },
};

/// 查看诉求件
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong case list --overdue
  zhitong case list --status processing --unit zjj --json
  zhitong case show ZT20261126-0001K")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 列出诉求件，按剩余时间排序
    #[command(after_help = "示例：
  zhitong case list --overdue
  zhitong case list --status processing --unit zjj --json")]
    List {
        /// 状态，如 processing 或“办理中”
        #[arg(long)]
        status: Option<CaseStatus>,
        /// 事项类型，如 coordination 或“办事协调”
        #[arg(long = "type")]
        case_type: Option<CaseType>,
        /// 主办或协办单位（短名），如 zjj
        #[arg(long)]
        unit: Option<String>,
        /// 只列超期的
        #[arg(long)]
        overdue: bool,
        /// 只列未办结的
        #[arg(long)]
        open: bool,
        /// 编号或关键词
        #[arg(long)]
        q: Option<String>,
        /// 条数，1–200
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// 上一页末尾给出的游标
        #[arg(long)]
        cursor: Option<String>,
        /// 输出 JSON
        #[arg(long)]
        json: bool,
    },
    /// 查看一件
    #[command(after_help = "示例：
  zhitong case show ZT20261126-0001K
  zhitong case show ZT20261126-0001K --json")]
    Show {
        /// 编号
        number: String,
        /// 输出 JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// When the configuration or the database cannot be used, or there is no such case.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    with_app(global, async |app| execute(&app, &args.command).await)
}

async fn execute(app: &App, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { status, case_type, unit, overdue, open, q, limit, cursor, json } => {
            let query = ListQuery {
                status: *status,
                case_type: *case_type,
                unit: unit.clone(),
                open: open.then_some(true),
                overdue: overdue.then_some(true),
                q: q.clone(),
                limit: Some(*limit),
                cursor: cursor.clone(),
                ..ListQuery::default()
            };
            list(app, &query, *json).await?;
        }
        Command::Show { number, json } => {
            let Ok(number) = number.parse::<CaseNumber>() else {
                writeln!(std::io::stderr().lock(), "编号不对：{number}")?;
                return Ok(ExitCode::from(1));
            };
            show(app, &number, *json).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(app: &App, query: &ListQuery, json: bool) -> anyhow::Result<()> {
    let page = case_queries::list_in_scope(app, &CaseScope::unrestricted(), query).await.map_err(in_words)?;
    let content = app.content.load();
    let mut out = std::io::stdout().lock();
    if json {
        let view = CaseListView::new(page, content.schedule.zone());
        writeln!(out, "{}", serde_json::to_string_pretty(&view)?)?;
        return Ok(());
    }
    for line in &page.lines {
        let unit = line.lead_name.as_deref().unwrap_or("服务中心");
        let due = line.due_text.as_deref().unwrap_or("—");
        writeln!(
            out,
            "{}\t{}\t{}\t{unit}\t{due}\t{}",
            line.number,
            line.status.label(),
            line.case_type.label(),
            line.title
        )?;
    }
    if let Some(cursor) = &page.next_cursor {
        writeln!(out, "下一页：--cursor {cursor}")?;
    }
    Ok(())
}

async fn show(app: &App, number: &CaseNumber, json: bool) -> anyhow::Result<()> {
    let (file, history) =
        case_queries::file_in_scope(app, &CaseScope::unrestricted(), number).await.map_err(in_words)?;
    let content = app.content.load();
    let mut out = std::io::stdout().lock();
    if json {
        let mut view = serde_json::to_value(CaseView::new(&file, &content))?;
        view["timeline"] = serde_json::to_value(TimelineView::new(&history, &content))?;
        writeln!(out, "{}", serde_json::to_string_pretty(&view)?)?;
        return Ok(());
    }
    let CaseFile { case, now, .. } = &file;
    writeln!(out, "{}  {}", case.display_number(), case.title)?;
    let stage = case.status.stage().map_or("", Stage::label);
    writeln!(out, "状态  {}（{}）  阶段 {stage}", case.status.label(), case.status.code())?;
    writeln!(out, "类型  {}  紧急程度 {}", case.case_type.label(), case.urgency.label())?;
    let unit = case.lead_unit.as_deref().map_or("服务中心", |slug| file.unit_name(slug));
    writeln!(out, "单位  {unit}  承办人 {}", case.handler_name.as_deref().unwrap_or("—"))?;
    for label in case.overlay_labels() {
        writeln!(out, "      {label}")?;
    }
    writeln!(out, "时钟")?;
    for clock in &case.clocks {
        let due = clock.due_at.map_or_else(|| "—".to_owned(), |at| content.schedule.due_text(at, *now));
        let left = match (clock.state, clock.due_at) {
            (ClockState::Running, Some(due)) => content.schedule.remaining(*now, due).in_words(),
            _ => clock.state.label().to_owned(),
        };
        let owner = file.unit_name(&clock.owner);
        writeln!(out, "  {:4}{}\t{owner}\t{due}\t{left}", clock.key.as_str(), clock.key.label())?;
    }
    let archived = history.iter().rev().find(|event| event.kind == EventKind::Archived);
    if let Some(hash) = archived.and_then(|event| event.fact("package")) {
        writeln!(out, "归档包 SHA-256  {hash}")?;
    }
    writeln!(out, "经过（企业可见）")?;
    for step in track::public_timeline(&content, &history) {
        let at = crate::domain::sla::chinese_date_time(content.schedule.civil(step.at));
        writeln!(out, "  {at}  {}", step.text)?;
    }
    Ok(())
}
