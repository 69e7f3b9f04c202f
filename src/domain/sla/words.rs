//! Time in words: “还剩 1 个工作日 3 小时”, “已超期 2 小时”, `2026年11月22日 15:30`.

use jiff::{Timestamp, civil::Date, civil::DateTime, civil::Weekday};

use super::due::Schedule;

/// How much is left of a clock, or by how much it is overdue, in working time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// Whether the due second is past; at the due second it is not (rule 10 of the contract).
    pub overdue: bool,
    /// Whole working days.
    pub workdays: i64,
    /// Whole hours beside them.
    pub hours: i64,
    /// Whole minutes beside them.
    pub minutes: i64,
    /// Everything in business seconds (real seconds for a wall clock).
    pub seconds: i64,
    /// The day of a wall clock has 24 hours and is no working day.
    wall: bool,
}

impl Remaining {
    fn new(seconds: i64, day: i64, overdue: bool, wall: bool) -> Self {
        let day = day.max(1);
        let rest = seconds % day;
        Self { overdue, workdays: seconds / day, hours: rest / 3600, minutes: rest / 60 % 60, seconds, wall }
    }

    /// “还剩 1 个工作日 3 小时”, “已超期 2 小时”, “还剩 25 分钟”.
    pub fn in_words(&self) -> String {
        let head = if self.overdue { "已超期" } else { "还剩" };
        format!("{head} {}", amount(self.workdays, self.hours, self.minutes, self.wall))
    }

    /// The same as a chip: “剩 1 天 3 小时”, “超 2 小时”.
    pub fn short(&self) -> String {
        let head = if self.overdue { "超" } else { "剩" };
        format!("{head} {}", amount(self.workdays, self.hours, self.minutes, true))
    }
}

/// Minutes are told only where no days are: nobody plans a day ahead to the minute.
fn amount(days: i64, hours: i64, minutes: i64, plain_days: bool) -> String {
    let day = if plain_days { "天" } else { "个工作日" };
    match (days, hours, minutes) {
        (0, 0, 0) => "不足 1 分钟".into(),
        (0, 0, m) => format!("{m} 分钟"),
        (0, h, 0) => format!("{h} 小时"),
        (0, h, m) => format!("{h} 小时 {m} 分钟"),
        (d, 0, _) => format!("{d} {day}"),
        (d, h, _) => format!("{d} {day} {h} 小时"),
    }
}

/// A stretch of business seconds in words, a day being `day_seconds` long: “1 个工作日 3 小时”.
pub fn duration_in_words(seconds: i64, day_seconds: i64) -> String {
    let r = Remaining::new(seconds.max(0), day_seconds, false, false);
    amount(r.workdays, r.hours, r.minutes, false)
}

impl Schedule {
    /// What is left until `due`, or by how much it is overdue, in working time.
    pub fn remaining(&self, now: Timestamp, due: Timestamp) -> Remaining {
        let overdue = now.as_second() > due.as_second();
        let (from, to) = if overdue { (due, now) } else { (now, due) };
        Remaining::new(self.business_seconds(from, to), self.hours().day_seconds(), overdue, false)
    }

    /// The same for a clock that also runs at night.
    pub fn remaining_wall(now: Timestamp, due: Timestamp) -> Remaining {
        let seconds = due.as_second() - now.as_second();
        Remaining::new(seconds.abs(), 86_400, seconds < 0, true)
    }

    /// `10月20日 周二 17:30`, with the year when it is not this one.
    pub fn due_text(&self, due: Timestamp, now: Timestamp) -> String {
        let at = self.civil(due);
        let text = due_in_words(at);
        if at.year() == self.civil(now).year() { text } else { format!("{}年{text}", at.year()) }
    }
}

/// 周一 … 周日.
pub const fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "周一",
        Weekday::Tuesday => "周二",
        Weekday::Wednesday => "周三",
        Weekday::Thursday => "周四",
        Weekday::Friday => "周五",
        Weekday::Saturday => "周六",
        Weekday::Sunday => "周日",
    }
}

/// `2026年11月22日`.
pub fn chinese_date(date: Date) -> String {
    format!("{}年{}月{}日", date.year(), date.month(), date.day())
}

/// `2026年11月22日 15:30`.
pub fn chinese_date_time(at: DateTime) -> String {
    format!("{} {:02}:{:02}", chinese_date(at.date()), at.hour(), at.minute())
}

/// `10月20日 周二 17:30`.
pub fn due_in_words(at: DateTime) -> String {
    format!("{}月{}日 {} {:02}:{:02}", at.month(), at.day(), weekday(at.weekday()), at.hour(), at.minute())
}

#[cfg(test)]
mod tests {
    use jiff::{civil::datetime, tz::TimeZone};

    use super::*;
    use crate::domain::sla::{OfficeHours, WorkCalendar};

    fn schedule() -> Schedule {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        Schedule::new(WorkCalendar::shipped(), OfficeHours::standard(), zone)
    }

    #[test]
    fn remaining_time_is_told_in_working_time() {
        let schedule = schedule();
        let check = |now: &str, due: &str, expected: &str| {
            let at = |t: &str| format!("{t}:00+08:00").parse::<Timestamp>().unwrap();
            assert_eq!(schedule.remaining(at(now), at(due)).in_words(), expected, "{now} {due}");
        };
        check("2026-11-23T14:30", "2026-11-24T17:30", "还剩 1 个工作日 3 小时");
        check("2026-11-20T17:30", "2026-11-23T17:30", "还剩 1 个工作日");
        check("2026-11-23T17:05", "2026-11-23T17:30", "还剩 25 分钟");
        check("2026-11-23T10:30", "2026-11-23T15:00", "还剩 2 小时");
        check("2026-11-23T17:30", "2026-11-23T17:30", "还剩 不足 1 分钟");
        check("2026-11-23T17:31", "2026-11-23T17:30", "已超期 不足 1 分钟");
        check("2026-11-24T10:30", "2026-11-23T17:30", "已超期 2 小时");
        check("2026-02-24T10:00", "2026-02-14T17:30", "已超期 1 小时 30 分钟");
    }

    #[test]
    fn the_due_second_is_not_overdue() {
        let due: Timestamp = "2026-11-23T17:30:00+08:00".parse().unwrap();
        let schedule = schedule();
        let after = |s| due + jiff::SignedDuration::from_secs(s);
        assert!(!schedule.remaining(after(0), due).overdue);
        assert!(schedule.remaining(after(1), due).overdue);
        assert!(!Schedule::remaining_wall(after(0), due).overdue);
        assert!(Schedule::remaining_wall(after(1), due).overdue);
        assert_eq!(Schedule::remaining_wall(after(-5400), due).in_words(), "还剩 1 小时 30 分钟");
        assert_eq!(Schedule::remaining_wall(after(-90_000), due).in_words(), "还剩 1 天 1 小时");
    }

    #[test]
    fn dates_are_told_in_chinese() {
        assert_eq!(chinese_date_time(datetime(2026, 11, 22, 15, 30, 0, 0)), "2026年11月22日 15:30");
        assert_eq!(due_in_words(datetime(2026, 10, 20, 17, 30, 0, 0)), "10月20日 周二 17:30");
        let at = |t: &str| t.parse::<Timestamp>().unwrap();
        let (due, now) = (at("2027-01-11T17:30:00+08:00"), at("2026-12-28T10:00:00+08:00"));
        assert_eq!(schedule().due_text(due, now), "2027年1月11日 周一 17:30");
        assert_eq!(schedule().due_text(due, due), "1月11日 周一 17:30");
    }
}
