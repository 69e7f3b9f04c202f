//! `sla calendar YEAR`: the working days and holidays of a year, and the notice they come from.

use std::{
    io::{BufWriter, Write},
    process::ExitCode,
};

use anyhow::Context;
use jiff::{ToSpan, civil::Date, civil::Weekday};
use serde_json::json;

use crate::{
    config::Config,
    domain::sla::{WorkCalendar, chinese_date, weekday},
};

/// 显示一年的工作日、节假日和所依据的通知
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong sla calendar 2026
  zhitong sla calendar 2027 --json")]
pub(super) struct Args {
    /// 年份
    year: i16,
    /// 输出 JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let calendar = super::calendar_of(config)?;
    let first = Date::new(args.year, 1, 1).with_context(|| format!("no such year: {}", args.year))?;
    let days: Vec<Date> = first.series(1.day()).take_while(|d| d.year() == args.year).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    if args.json {
        serde_json::to_writer_pretty(&mut out, &as_json(&calendar, args.year, &days))?;
        writeln!(out)?;
    } else {
        print(&mut out, &calendar, args.year, &days)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn as_json(calendar: &WorkCalendar, year: i16, days: &[Date]) -> serde_json::Value {
    let notice = calendar.year(year);
    let (working, off): (Vec<Date>, Vec<Date>) = days.iter().partition(|&&d| calendar.day(d).working);
    let text = |dates: &[Date]| dates.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "year": year,
        "published": notice.is_some(),
        "provisional": notice.is_none(),
        "notice": notice.map(|n| json!({
            "title": n.title, "doc_no": n.doc_no, "issuer": n.issuer, "issued_on": n.issued_on.to_string(),
        })),
        "holidays": notice.map_or_else(Vec::new, |n| n.holidays.iter().map(|h| json!({
            "name": h.name, "off": text(&h.off), "make_up_workdays": text(&h.work),
        })).collect()),
        "working_day_count": working.len(),
        "working_days": text(&working),
        "off_days": text(&off),
        "make_up_workdays": text(&working.iter().copied().filter(|&d| is_weekend(d)).collect::<Vec<_>>()),
    })
}

fn short(date: Date) -> String {
    format!("{}月{}日{}", date.month(), date.day(), weekday(date.weekday()))
}

fn print(out: &mut dyn Write, calendar: &WorkCalendar, year: i16, days: &[Date]) -> std::io::Result<()> {
    let working = |d: &&Date| calendar.day(**d).working;
    let count = days.iter().filter(working).count();
    if let Some(notice) = calendar.year(year) {
        writeln!(out, "{year}年：{count} 个工作日")?;
        writeln!(out, "依据  {}（{}）", notice.title, notice.doc_no)?;
        writeln!(out, "      {}，{}", notice.issuer, chinese_date(notice.issued_on))?;
        writeln!(out)?;
        for holiday in &notice.holidays {
            let (Some(&from), Some(&to)) = (holiday.off.first(), holiday.off.last()) else { continue };
            let span = if from == to { short(from) } else { format!("{}至{}", short(from), short(to)) };
            write!(out, "{}  {span}，共{}天", holiday.name, holiday.off.len())?;
            if !holiday.work.is_empty() {
                let work: Vec<String> = holiday.work.iter().map(|&d| short(d)).collect();
                write!(out, "；{}上班", work.join("、"))?;
            }
            writeln!(out)?;
        }
    } else {
        writeln!(out, "{year}年：放假安排尚未公布，以下为暂算，{count} 个工作日")?;
        writeln!(
            out,
            "假定周末、1月1日、5月1日至2日、10月1日至3日不上班；春节、清明、端午、中秋及调休以国务院通知为准。"
        )?;
        writeln!(out, "公布后把通知录入 rules/calendar/cn-{year}.toml，所有暂算的到期时间会自动重算。")?;
    }
    writeln!(out)?;
    for month in 1..=12 {
        let of_month: Vec<&Date> = days.iter().filter(|d| d.month() == month).filter(working).collect();
        let list: Vec<String> = of_month
            .iter()
            .map(|d| if is_weekend(**d) { format!("{}班", d.day()) } else { d.day().to_string() })
            .collect();
        writeln!(out, "{month:>2}月 {:>2}天  {}", of_month.len(), list.join(" "))?;
    }
    Ok(())
}
