//! The moment that words name: 周一下午三点前, 2小时内, 今天下班前, 11月29日前, 3个工作日内, 一周内. Civil time of the schedule.
//!
//! A day without a time of day ends at close of business, also where it is a day off: what was promised for a Saturday is
//! due on it. Spans of days are counted by the schedule.

use std::sync::LazyLock;

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, DateTime, Time, Weekday},
};
use regex::{Captures, Regex};

use crate::domain::sla::{Budget, DueRequest, Schedule};

const NUMBER: &str = r"([0-9]{1,3}|[一二两三四五六七八九十]{1,3}|半)";

fn pattern(text: &str) -> Regex {
    Regex::new(&text.replace("#N", NUMBER)).expect("the pattern is a constant and compiles in the tests")
}

static HOURS: LazyLock<Regex> = LazyLock::new(|| pattern("#N个?(半)?(?:小时|钟头)"));
static MINUTES: LazyLock<Regex> = LazyLock::new(|| pattern("#N分钟|(一刻钟)"));
static WORKDAYS: LazyLock<Regex> = LazyLock::new(|| pattern("#N个?工作日"));
static WEEKS: LazyLock<Regex> = LazyLock::new(|| pattern("#N(?:个星期|个礼拜|周|星期)(?:之?内|以内|左右|后|$)"));
static DAYS: LazyLock<Regex> = LazyLock::new(|| pattern("#N[天日](?:之?内|以内|左右|后|[给回答联会就])"));
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?:([0-9]{1,2}|[一二三四五六七八九十]{1,2})月)?([0-9]{1,2}|[一二三四五六七八九十]{1,3})[日号]")
});
static WEEKDAY: LazyLock<Regex> = LazyLock::new(|| pattern("(下下?|这|本)?个?(?:周|星期|礼拜)([一二三四五六日天1-6])"));
static RELATIVE: LazyLock<Regex> = LazyLock::new(|| pattern("大后天|后天|明[天日早晚]|今[天日晚早]|当天"));
static OCLOCK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:#N点(?:钟|整)?(?:(半)|([一三])刻|([0-9]{1,2}|[一二三四五]?十[一二三四五六七八九]?)分?)?|([0-9]{1,2})[:：]([0-9]{2}))",
    )
});

/// The moment that a clause names, if it names one.
pub(super) fn named(clause: &str, now: Timestamp, schedule: &Schedule) -> Option<Timestamp> {
    let due = |budget: Budget| schedule.due(&DueRequest::new(now, budget)).ok()?.due;
    if let Some(found) = HOURS.captures(clause) {
        let half = found.get(2).map_or(0, |_| 30);
        let minutes = if part(&found, 1) == "半" { 30 } else { number(part(&found, 1))? * 60 + half };
        return now.checked_add(minutes.minutes()).ok();
    }
    if let Some(found) = MINUTES.captures(clause) {
        let minutes = if found.get(2).is_some() { 15 } else { number(part(&found, 1))? };
        return now.checked_add(minutes.minutes()).ok();
    }
    if let Some(found) = WORKDAYS.captures(clause) {
        return due(Budget::working_days(u32::try_from(number(part(&found, 1))?).ok()?));
    }
    if let Some(found) = WEEKS.captures(clause) {
        return due(Budget::calendar_days(u32::try_from(number(part(&found, 1))?).ok()? * 7));
    }
    if let Some(found) = DAYS.captures(clause).filter(|_| !clause.contains('月')) {
        return due(Budget::calendar_days(u32::try_from(number(part(&found, 1))?).ok()?));
    }
    let today = schedule.civil(now).date();
    let day = day(clause, today);
    let time = time_of_day(clause, schedule, day.unwrap_or(today));
    match (day, time) {
        (Some(day), Some(time)) => instant(schedule, day, time),
        (Some(day), None) => close(schedule, day),
        (None, Some(time)) => instant(schedule, today, time)
            .filter(|at| *at > now)
            .or_else(|| instant(schedule, today.tomorrow().ok()?, time)),
        (None, None) if ["马上", "立即", "立刻", "稍后", "稍候", "一会", "待会"].iter().any(|w| clause.contains(w)) => {
            close(schedule, today).filter(|at| *at > now && schedule.close_of(today).is_some())
        }
        (None, None) => None,
    }
}

fn part<'t>(found: &Captures<'t>, n: usize) -> &'t str {
    found.get(n).map_or("", |part| part.as_str())
}

/// Small numbers as they are said: 2, 两, 十五.
fn number(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let digit = |c: char| match c {
        '两' => Some(2),
        _ => "零一二三四五六七八九".chars().position(|d| d == c).and_then(|n| i64::try_from(n).ok()),
    };
    let Some((tens, ones)) = text.split_once('十') else {
        let mut chars = text.chars();
        let one = digit(chars.next()?)?;
        return chars.next().is_none().then_some(one);
    };
    let tens = tens.chars().next().map_or(Some(1), digit)?;
    let ones = ones.chars().next().map_or(Some(0), digit)?;
    Some(tens * 10 + ones)
}

fn day(clause: &str, today: Date) -> Option<Date> {
    if let Some(found) = RELATIVE.find(clause) {
        let days = match found.as_str().chars().next() {
            Some('大') => 3,
            Some('后') => 2,
            Some('明') => 1,
            _ => 0,
        };
        return today.checked_add(days.days()).ok();
    }
    if let Some(found) = WEEKDAY.captures(clause) {
        let wanted = match part(&found, 2) {
            "日" | "天" => 7,
            one => number(one)?,
        };
        let wanted = Weekday::from_monday_one_offset(i8::try_from(wanted).ok()?).ok()?;
        let monday = today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?;
        let in_week = |weeks: i64| {
            let days = weeks * 7 + i64::from(wanted.to_monday_zero_offset());
            monday.checked_add(days.days()).ok()
        };
        return match part(&found, 1) {
            "下下" => in_week(2),
            "下" => in_week(1),
            "这" | "本" => in_week(0),
            _ => in_week(0).filter(|day| *day >= today).or_else(|| in_week(1)),
        };
    }
    if let Some(found) = DATE.captures(clause) {
        let wanted = i8::try_from(number(part(&found, 2))?).ok()?;
        let month = match part(&found, 1) {
            "" => today.month(),
            month => i8::try_from(number(month)?).ok()?,
        };
        let this = Date::new(today.year(), month, wanted).ok().filter(|day| *day >= today);
        // 5号 said on the 27th is that of the next month, 1月5日 said in November that of the next year.
        return this.or_else(|| {
            if part(&found, 1).is_empty() {
                let next = today.first_of_month().checked_add(1.month()).ok()?;
                Date::new(next.year(), next.month(), wanted).ok()
            } else {
                Date::new(today.year() + 1, month, wanted).ok()
            }
        });
    }
    let friday = today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?;
    let friday = friday.checked_add(4.days()).ok()?;
    if clause.contains("下周") || clause.contains("下个星期") {
        return friday.checked_add(7.days()).ok();
    }
    if ["本周", "这周", "这个星期"].iter().any(|week| clause.contains(week)) {
        return (friday >= today).then_some(friday);
    }
    clause.contains("月底").then(|| today.last_of_month())
}

/// The time of day; `None` when the clause leaves it open.
fn time_of_day(clause: &str, schedule: &Schedule, day: Date) -> Option<Time> {
    let has = |words: &[&str]| words.iter().any(|word| clause.contains(word));
    if let Some(found) = OCLOCK.captures(clause) {
        let (hour, minute) = if found.get(5).is_some() {
            (number(part(&found, 5))?, number(part(&found, 6))?)
        } else {
            let minute = match (part(&found, 2), part(&found, 3), part(&found, 4)) {
                ("", "", "") => 0,
                ("", "", minutes) => number(minutes)?,
                ("", quarters, _) => number(quarters)? * 15,
                _ => 30,
            };
            (number(part(&found, 1))?, minute)
        };
        let morning = has(&["上午", "早上", "早晨", "一早"]);
        let later = has(&["下午", "晚上", "今晚", "明晚", "傍晚"]) || (has(&["中午"]) && hour < 6);
        // 三点 is in the afternoon: nobody calls an enterprise before seven.
        let hour = if hour < 12 && !morning && (later || hour < 7) { hour + 12 } else { hour };
        return Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok();
    }
    if has(&["上午", "早上", "一早", "中午"]) {
        return Time::new(12, 0, 0, 0).ok();
    }
    if has(&["晚上", "今晚", "明晚"]) {
        return Time::new(21, 0, 0, 0).ok();
    }
    if has(&["下午", "下班", "傍晚"]) {
        return Some(schedule.close_time(day));
    }
    None
}

fn close(schedule: &Schedule, day: Date) -> Option<Timestamp> {
    instant(schedule, day, schedule.close_time(day))
}

fn instant(schedule: &Schedule, day: Date, time: Time) -> Option<Timestamp> {
    schedule.zone().to_timestamp(DateTime::from_parts(day, time)).ok()
}
