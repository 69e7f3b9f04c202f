//! Due moments and warnings: the ten counting rules of the external contract, one function each.
//!
//! Inside, an instant is a number of civil seconds in the schedule's zone (`local`), so that a day is 86,400 of them
//! and a walk over days needs no time zone. Wall-clock `minutes` are counted on real instants instead. A session that
//! contains a change of the clocks counts what the clock on the wall shows.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date, civil::DateTime, civil::Time, tz::TimeZone};

use super::{
    calendar::{WorkCalendar, date_of, epoch_day},
    hours::{OfficeHours, Session},
};
use crate::vocabulary;

vocabulary! {
    /// In what a budget is counted.
    Unit {
        WorkingDays = "working_days", "个工作日";
        WorkingHours = "working_hours", "个工作小时";
        WorkingMinutes = "working_minutes", "个工作分钟";
        Minutes = "minutes", "分钟";
        CalendarDays = "calendar_days", "日";
    }
}

vocabulary! {
    /// How working days are counted.
    Convention {
        /// Business seconds from the moment of opening.
        Exact = "exact", "按时计";
        /// Whole days, the day of receipt not counted (民法典 201).
        DayCount = "day_count", "按日计";
    }
}

vocabulary! {
    /// On which day something counts as received.
    ReceiptRule {
        CalendarDay = "calendar_day", "当日";
        /// What comes after close or on a rest day is received on the next working day.
        NextWorkingDay = "next_working_day", "次一工作日";
    }
}

/// What cannot be computed, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlaError {
    /// The office hours make no sense.
    #[error("office hours: {detail}")]
    Hours {
        /// What is wrong.
        detail: String,
    },
    /// The calendar of a year makes no sense.
    #[error("calendar {year}: {detail}")]
    Calendar {
        /// The year of the file.
        year: i16,
        /// What is wrong.
        detail: String,
    },
    /// Only working days can be counted by day.
    #[error("{unit} cannot be counted by day")]
    Convention {
        /// The unit that was to be counted so.
        unit: Unit,
    },
    /// A pause ends before it begins.
    #[error("a pause ends before it begins")]
    Pause,
    /// The due moment lies beyond what dates can express.
    #[error("the due moment lies beyond the year 9999")]
    OutOfRange,
}

impl SlaError {
    /// Stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Hours { .. } => "invalid_hours",
            Self::Calendar { .. } => "invalid_calendar",
            Self::Convention { .. } => "invalid_convention",
            Self::Pause => "invalid_pause",
            Self::OutOfRange => "out_of_range",
        }
    }
}

/// An amount of time: `n` of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Budget {
    /// What is counted.
    pub unit: Unit,
    /// How many.
    pub n: u32,
}

impl Budget {
    /// `n` working days.
    pub const fn working_days(n: u32) -> Self {
        Self { unit: Unit::WorkingDays, n }
    }

    /// `n` working hours.
    pub const fn working_hours(n: u32) -> Self {
        Self { unit: Unit::WorkingHours, n }
    }

    /// `n` working minutes.
    pub const fn working_minutes(n: u32) -> Self {
        Self { unit: Unit::WorkingMinutes, n }
    }

    /// `n` calendar days.
    pub const fn calendar_days(n: u32) -> Self {
        Self { unit: Unit::CalendarDays, n }
    }

    /// “2个工作日”.
    pub fn in_words(self) -> String {
        match self.unit {
            Unit::Minutes if self.n != 0 && self.n.is_multiple_of(60) => format!("{}小时", self.n / 60),
            Unit::WorkingDays | Unit::WorkingHours | Unit::WorkingMinutes | Unit::Minutes | Unit::CalendarDays => {
                format!("{}{}", self.n, self.unit.label())
            }
        }
    }
}

/// A time in which a clock stands still; without an end it still does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// First paused moment.
    pub from: Timestamp,
    /// First moment after it.
    pub to: Option<Timestamp>,
}

/// Everything a due moment depends on, beside the schedule.
#[derive(Debug, Clone, Copy)]
pub struct DueRequest<'a> {
    /// When the clock was opened.
    pub opened: Timestamp,
    /// How much time there is.
    pub budget: Budget,
    /// `None`: by day for working days, exact for everything else.
    pub convention: Option<Convention>,
    /// May overlap, may begin before opening, in any order.
    pub pauses: &'a [Pause],
    /// Days added by an extension (延期).
    pub extension_days: u32,
    /// On which day it counts as received.
    pub receipt_rule: ReceiptRule,
}

impl DueRequest<'_> {
    /// A request without pauses or extension, counted as the unit is by default.
    pub const fn new(opened: Timestamp, budget: Budget) -> Self {
        Self {
            opened,
            budget,
            convention: None,
            pauses: &[],
            extension_days: 0,
            receipt_rule: ReceiptRule::CalendarDay,
        }
    }
}

/// When a clock is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// `None` while an open pause keeps the clock from getting there.
    pub due: Option<Timestamp>,
    /// Whether it rests on a day of an unpublished year (暂算).
    pub provisional: bool,
}

/// When to warn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warn {
    /// This many business minutes (clock minutes for `minutes`) before the end of the budget.
    BeforeMinutes(u32),
    /// When this part of the budget is used.
    Percent(u32),
    /// At the opening of business of the k-th counted day before the due day; by-day counting only.
    BeforeDays(u32),
}

/// A due moment with its warnings, in the order they were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// When it is due.
    pub due: Due,
    /// `None` where the due moment or this warning does not exist.
    pub warnings: Vec<Option<Timestamp>>,
}

/// The last epoch day that a walk may reach: 9999-12-29, one day short of the last instant.
pub const MAX_DAY: i64 = 2_932_894;

const DAY: i64 = 86_400;
const OPEN: i64 = i64::MAX;

/// A paused stretch in local or real seconds, `to == OPEN` while it lasts.
#[derive(Debug, Clone, Copy)]
struct Stop {
    from: i64,
    to: i64,
}

/// How far a walk came.
enum Step {
    Reached(i64),
    Short(i64),
}

/// What counts as time.
#[derive(Clone, Copy)]
enum Pace {
    Business,
    Wall,
}

/// Calendar, office hours and zone: all that turns a budget into a moment.
#[derive(Debug, Clone)]
pub struct Schedule {
    calendar: Arc<WorkCalendar>,
    hours: Arc<OfficeHours>,
    zone: TimeZone,
}

impl Schedule {
    /// A schedule in a zone.
    pub fn new(calendar: impl Into<Arc<WorkCalendar>>, hours: impl Into<Arc<OfficeHours>>, zone: TimeZone) -> Self {
        Self { calendar: calendar.into(), hours: hours.into(), zone }
    }

    /// The calendar in force.
    pub fn calendar(&self) -> &WorkCalendar {
        &self.calendar
    }

    /// The office hours in force.
    pub fn hours(&self) -> &OfficeHours {
        &self.hours
    }

    /// The zone of civil time.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The civil date and time of an instant.
    pub fn civil(&self, at: Timestamp) -> DateTime {
        self.zone.to_datetime(at)
    }

    fn local(&self, at: Timestamp) -> i64 {
        at.as_second() - i64::from(at.subsec_nanosecond() < 0) + i64::from(self.zone.to_offset(at).seconds())
    }

    fn instant(&self, local: i64) -> Result<Timestamp, SlaError> {
        let date = date_of(local.div_euclid(DAY)).ok_or(SlaError::OutOfRange)?;
        let second = local.rem_euclid(DAY);
        let time = Time::new((second / 3600) as i8, (second / 60 % 60) as i8, (second % 60) as i8, 0)
            .map_err(|_| SlaError::OutOfRange)?;
        self.zone.to_timestamp(DateTime::from_parts(date, time)).map_err(|_| SlaError::OutOfRange)
    }

    /// The sessions of a day: none on a day off. Notes whether the day is uncertain.
    fn sessions(&self, day: i64, provisional: &mut bool) -> &[Session] {
        let kind = self.calendar.kind(day);
        *provisional |= kind.provisional;
        if kind.working { self.hours.on(day) } else { &[] }
    }

    fn close(&self, day: i64) -> i64 {
        day * DAY + self.hours.on(day).last().map_or(0, |s| i64::from(s.to))
    }

    /// When it is due.
    ///
    /// # Errors
    /// `Convention`, `Pause` or `OutOfRange`: the request cannot be computed.
    pub fn due(&self, request: &DueRequest<'_>) -> Result<Due, SlaError> {
        self.plan(request, &[]).map(|plan| plan.due)
    }

    /// One warning of a request.
    ///
    /// # Errors
    /// As [`Schedule::due`].
    pub fn warning(&self, request: &DueRequest<'_>, warn: Warn) -> Result<Option<Timestamp>, SlaError> {
        self.plan(request, &[warn]).map(|plan| plan.warnings.into_iter().next().flatten())
    }

    /// The due moment and all warnings of a request.
    ///
    /// # Errors
    /// As [`Schedule::due`].
    pub fn plan(&self, request: &DueRequest<'_>, warns: &[Warn]) -> Result<Plan, SlaError> {
        let Budget { unit, n } = request.budget;
        let by_day = match (unit, request.convention) {
            (Unit::CalendarDays, _)
            | (Unit::WorkingDays, Some(Convention::Exact))
            | (Unit::WorkingHours | Unit::WorkingMinutes | Unit::Minutes, None | Some(Convention::Exact)) => false,
            (Unit::WorkingDays, None | Some(Convention::DayCount)) => true,
            (Unit::WorkingHours | Unit::WorkingMinutes | Unit::Minutes, Some(Convention::DayCount)) => {
                return Err(SlaError::Convention { unit });
            }
        };
        let pace = if unit == Unit::Minutes { Pace::Wall } else { Pace::Business };
        let at = |t: Timestamp| match pace {
            Pace::Business => self.local(t),
            Pace::Wall => t.as_second() - i64::from(t.subsec_nanosecond() < 0),
        };
        let opened = at(request.opened);
        let mut stops = Vec::new();
        for pause in request.pauses {
            let (from, to) = (at(pause.from), pause.to.map_or(OPEN, at));
            if to < from {
                return Err(SlaError::Pause);
            }
            stops.push(Stop { from, to });
        }
        if unit == Unit::CalendarDays {
            stops.clear();
        }
        let stops = merged(stops, opened);

        let mut provisional = false;
        let mut counted = Vec::new();
        let n = i64::from(n);
        let extension = i64::from(request.extension_days);
        let day_seconds = self.hours.day_seconds();
        let exact = |budget: i64, provisional: &mut bool| {
            let budget = budget + extension * day_seconds;
            Ok((self.reach(pace, opened, budget, &stops, provisional)?, budget))
        };
        let (due, budget) = match unit {
            Unit::WorkingDays if by_day => {
                let receipt = self.receipt_day(opened, request.receipt_rule, &mut provisional)?;
                counted = self.count_days(receipt, n + extension, &stops, &mut provisional)?.unwrap_or_default();
                let due = match counted.last() {
                    Some(&day) => Some(self.close(day)),
                    None if n + extension == 0 => Some(opened),
                    None => None,
                };
                (due, due.map_or(0, |due| self.used(opened, due, &stops)))
            }
            Unit::WorkingDays => exact(n * day_seconds, &mut provisional)?,
            Unit::WorkingHours => exact(n * 3600, &mut provisional)?,
            Unit::WorkingMinutes | Unit::Minutes => exact(n * 60, &mut provisional)?,
            Unit::CalendarDays => {
                let receipt = self.receipt_day(opened, request.receipt_rule, &mut provisional)?;
                let last = self.working_day_from(receipt + n + extension, &mut provisional)?;
                let due = self.close(last);
                (Some(due), self.used(opened, due, &stops))
            }
        };
        let back = |t: i64| match pace {
            Pace::Business => self.instant(t),
            Pace::Wall => Timestamp::from_second(t).map_err(|_| SlaError::OutOfRange),
        };
        let mut warnings = Vec::with_capacity(warns.len());
        for warn in warns {
            let moment = match (due, *warn) {
                (None, _) => None,
                (Some(_), Warn::BeforeMinutes(m)) => {
                    let target = (budget - i64::from(m) * 60).max(0);
                    self.reach(pace, opened, target, &stops, &mut provisional)?
                }
                (Some(_), Warn::Percent(p)) => {
                    let target = (budget * i64::from(p) + 99) / 100;
                    self.reach(pace, opened, target, &stops, &mut provisional)?
                }
                (Some(_), Warn::BeforeDays(_)) if !by_day => None,
                (Some(_), Warn::BeforeDays(k)) => Some(self.before_days(&counted, k, opened, &stops)),
            };
            warnings.push(moment.map(back).transpose()?);
        }
        Ok(Plan { due: Due { due: due.map(back).transpose()?, provisional }, warnings })
    }

    /// Rule 8: the day on which something counts as received.
    fn receipt_day(&self, opened: i64, rule: ReceiptRule, provisional: &mut bool) -> Result<i64, SlaError> {
        let day = opened.div_euclid(DAY);
        match rule {
            ReceiptRule::CalendarDay => Ok(day),
            ReceiptRule::NextWorkingDay => {
                let open = !self.sessions(day, provisional).is_empty() && opened < self.close(day);
                if open { Ok(day) } else { self.working_day_from(day + 1, provisional) }
            }
        }
    }

    /// The first working day at or after a day.
    fn working_day_from(&self, day: i64, provisional: &mut bool) -> Result<i64, SlaError> {
        (day..=MAX_DAY).find(|&day| !self.sessions(day, provisional).is_empty()).ok_or(SlaError::OutOfRange)
    }

    /// Rule 4: the counted days after the receipt; `None` when an open pause keeps it from reaching `n`.
    fn count_days(
        &self,
        receipt: i64,
        n: i64,
        stops: &[Stop],
        provisional: &mut bool,
    ) -> Result<Option<Vec<i64>>, SlaError> {
        let mut counted = Vec::with_capacity(usize::try_from(n.min(256)).unwrap_or_default());
        let mut day = receipt;
        let mut next = 0;
        while (counted.len() as i64) < n {
            day += 1;
            if day > MAX_DAY {
                return Err(SlaError::OutOfRange);
            }
            if self.sessions(day, provisional).is_empty() {
                continue;
            }
            let last = self.close(day) - 1;
            while stops.get(next).is_some_and(|stop| stop.to <= last) {
                next += 1;
            }
            match stops.get(next) {
                Some(stop) if stop.from <= last && stop.to == OPEN => return Ok(None),
                Some(stop) if stop.from <= last => {}
                _ => counted.push(day),
            }
        }
        Ok(Some(counted))
    }

    /// Rule 9, `before_days`: opening of business on that day, or when its pause ends, or the opening of the case.
    fn before_days(&self, counted: &[i64], k: u32, opened: i64, stops: &[Stop]) -> i64 {
        let at = counted.len().checked_sub(k as usize + 1).and_then(|at| counted.get(at));
        let Some(&day) = at else { return opened };
        let start = day * DAY + self.hours.on(day).first().map_or(0, |s| i64::from(s.from));
        let start = stops.iter().find(|s| s.from <= start && start < s.to).map_or(start, |s| s.to);
        start.max(opened)
    }

    /// Rule 3: the earliest moment at which `budget` seconds have passed since `opened` outside the stops.
    fn reach(
        &self,
        pace: Pace,
        opened: i64,
        budget: i64,
        stops: &[Stop],
        provisional: &mut bool,
    ) -> Result<Option<i64>, SlaError> {
        let (mut cursor, mut rest) = (opened, budget);
        if rest == 0 {
            return Ok(Some(opened));
        }
        for stop in stops {
            if stop.from > cursor {
                match self.advance(pace, cursor, rest, stop.from, provisional)? {
                    Step::Reached(at) => return Ok(Some(at)),
                    Step::Short(used) => rest -= used,
                }
            }
            if stop.to == OPEN {
                return Ok(None);
            }
            cursor = cursor.max(stop.to);
        }
        match self.advance(pace, cursor, rest, OPEN, provisional)? {
            Step::Reached(at) => Ok(Some(at)),
            Step::Short(_) => Err(SlaError::OutOfRange),
        }
    }

    /// Walks from `from` until `want` seconds have passed, but not beyond `until`.
    fn advance(&self, pace: Pace, from: i64, want: i64, until: i64, provisional: &mut bool) -> Result<Step, SlaError> {
        match pace {
            Pace::Wall if until - from >= want => return Ok(Step::Reached(from + want)),
            Pace::Wall => return Ok(Step::Short(until - from)),
            Pace::Business => {}
        }
        let mut used = 0;
        let mut day = from.div_euclid(DAY);
        loop {
            let midnight = day * DAY;
            if midnight >= until {
                return Ok(Step::Short(used));
            }
            if day > MAX_DAY {
                return Err(SlaError::OutOfRange);
            }
            for session in self.sessions(day, provisional) {
                let start = (midnight + i64::from(session.from)).max(from);
                let end = (midnight + i64::from(session.to)).min(until);
                if end <= start {
                    continue;
                }
                if used + (end - start) >= want {
                    return Ok(Step::Reached(start + want - used));
                }
                used += end - start;
            }
            day += 1;
        }
    }

    /// Business seconds between two local moments outside the stops.
    fn used(&self, from: i64, to: i64, stops: &[Stop]) -> i64 {
        let mut total = 0;
        let mut cursor = from;
        for stop in stops {
            if stop.from >= to {
                break;
            }
            total += self.between(cursor, stop.from);
            cursor = cursor.max(stop.to);
        }
        total + self.between(cursor, to)
    }

    /// Business seconds between two local moments.
    fn between(&self, from: i64, to: i64) -> i64 {
        let mut total = 0;
        if from >= to {
            return 0;
        }
        let mut ignored = false;
        for day in from.div_euclid(DAY)..=(to - 1).div_euclid(DAY).min(MAX_DAY) {
            for session in self.sessions(day, &mut ignored) {
                let start = (day * DAY + i64::from(session.from)).max(from);
                let end = (day * DAY + i64::from(session.to)).min(to);
                total += (end - start).max(0);
            }
        }
        total
    }

    /// Business seconds between two instants; 0 when the second is not after the first.
    pub fn business_seconds(&self, from: Timestamp, to: Timestamp) -> i64 {
        self.between(self.local(from), self.local(to))
    }

    /// Business seconds between two instants outside the pauses; an open pause lasts to the end.
    pub fn net_seconds(&self, from: Timestamp, to: Timestamp, pauses: &[Pause]) -> i64 {
        let opened = self.local(from);
        let stops = pauses.iter().map(|p| Stop { from: self.local(p.from), to: p.to.map_or(OPEN, |t| self.local(t)) });
        self.used(opened, self.local(to), &merged(stops.filter(|s| s.from < s.to).collect(), opened))
    }

    /// Whether offices are open at this moment.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let local = self.local(now);
        self.between(local, local + 1) == 1
    }

    /// The next moment, not before `now`, at which offices are open; `None` beyond the year 9999.
    pub fn next_open(&self, now: Timestamp) -> Option<Timestamp> {
        let local = self.local(now);
        if self.between(local, local + 1) == 1 {
            return Some(now);
        }
        let mut ignored = false;
        // One business second from now on begins where business begins.
        match self.advance(Pace::Business, local, 1, OPEN, &mut ignored) {
            Ok(Step::Reached(at)) => self.instant(at - 1).ok(),
            Ok(Step::Short(_)) | Err(_) => None,
        }
    }

    /// The time of day at which business ends, on a day off as well; midnight ends the day a second early.
    pub fn close_time(&self, date: Date) -> Time {
        let second = self.close(epoch_day(date)).rem_euclid(DAY);
        Time::new((second / 3600) as i8, (second / 60 % 60) as i8, 0, 0)
            .ok()
            .filter(|_| second > 0)
            .unwrap_or_else(|| Time::constant(23, 59, 59, 0))
    }

    /// Close of business of a day; `None` when offices are closed on it.
    pub fn close_of(&self, date: Date) -> Option<Timestamp> {
        let day = epoch_day(date);
        self.calendar.kind(day).working.then(|| self.instant(self.close(day)).ok()).flatten()
    }
}

/// Sorts stops, joins what overlaps or touches, and drops what ended before opening.
fn merged(mut stops: Vec<Stop>, opened: i64) -> Vec<Stop> {
    stops.retain(|s| s.from < s.to && s.to > opened);
    stops.sort_by_key(|s| s.from);
    let mut out: Vec<Stop> = Vec::with_capacity(stops.len());
    for stop in stops {
        match out.last_mut() {
            Some(last) if stop.from <= last.to => last.to = last.to.max(stop.to),
            _ => out.push(stop),
        }
    }
    out
}
