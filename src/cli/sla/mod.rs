//! `zhitong sla`: due dates and calendars on the command line, with the same engine as the gateway.

mod batch;
mod calendar;
mod due;

use std::{ffi::OsStr, fs, path::Path, process::ExitCode};

use anyhow::Context;
use clap::Subcommand;
use jiff::tz::TimeZone;

use super::Global;
use crate::{
    config::Config,
    domain::sla::{OfficeHours, Schedule, Season, SlaBook, WorkCalendar},
};

/// 办理时限：计算到期时间，查看工作日历
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong sla due --opened 2026-09-30T17:20:00+08:00 --policy fujian --type complaint
  zhitong sla due --opened 2026-09-30T16:20:00+08:00 --policy xiangshan --type coordination --complexity complex --json
  zhitong sla due --batch < 请求.jsonl > 结果.jsonl
  zhitong sla calendar 2026")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Due(due::Args),
    Calendar(calendar::Args),
}

/// Runs the command.
///
/// # Errors
/// When the configuration or the rule files cannot be read, or an argument is wrong.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.load_config()?;
    match &args.command {
        Command::Due(args) => due::run(args, &config),
        Command::Calendar(args) => calendar::run(args, &config),
    }
}

/// The TOML files of a folder below the rules folder, in order of their names; none when there is no such folder.
fn files_of(config: &Config, folder: &str) -> anyhow::Result<Vec<(String, String)>> {
    let dir = Path::new(&config.content.rules_dir).join(folder);
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("toml")) {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    Ok(files)
}

/// The calendars of the rules folder, or those that ship with this version when there is none.
pub(super) fn calendar_of(config: &Config) -> anyhow::Result<WorkCalendar> {
    let files = files_of(config, "calendar")?;
    if files.is_empty() { Ok(WorkCalendar::shipped()) } else { Ok(WorkCalendar::parse(&files)?) }
}

/// The policies of the rules folder, or those that ship with this version when there is none.
pub(super) fn book_of(config: &Config) -> anyhow::Result<SlaBook> {
    let files = files_of(config, "sla")?;
    if files.is_empty() { Ok(SlaBook::shipped()) } else { Ok(SlaBook::parse(&files)?) }
}

/// The configured schedule.
pub(super) fn schedule_of(config: &Config) -> anyhow::Result<Schedule> {
    let time = &config.time;
    let zone = TimeZone::get(&time.zone).with_context(|| format!("unknown time zone {:?}", time.zone))?;
    let seasons = time.seasons.iter().map(|season| {
        let hours = OfficeHours::parse_spans(&season.business_hours)?;
        Season::new(&season.from, &season.to, hours.base().to_vec())
    });
    let base = OfficeHours::parse_spans(&time.business_hours)?;
    let hours = OfficeHours::new(base.base().to_vec(), seasons.collect::<Result<_, _>>()?)?;
    Ok(Schedule::new(calendar_of(config)?, hours, zone))
}
