//! Office hours (办公时间): the sessions of a working day, with seasons (夏令时段).

use jiff::civil::Time;

use super::{calendar::civil_parts, due::SlaError};

/// One session of a day in seconds after midnight, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Session {
    /// A session from one clock time to another, such as `("08:30", "12:00")`; `24:00` ends a day.
    ///
    /// # Errors
    /// `Hours` when a time cannot be read or the session does not end after it begins.
    pub fn parse(from: &str, to: &str) -> Result<Self, SlaError> {
        let (a, b) = (clock_seconds(from)?, clock_seconds(to)?);
        if a >= b {
            return Err(SlaError::Hours { detail: format!("{from}-{to} does not end after it begins") });
        }
        Ok(Self { from: a, to: b })
    }

    /// Seconds of this session.
    pub const fn seconds(self) -> u32 {
        self.to - self.from
    }

    /// When it begins and ends, `HH:MM`.
    pub fn label(self) -> String {
        let hm = |s: u32| format!("{:02}:{:02}", s / 3600, s / 60 % 60);
        format!("{}–{}", hm(self.from), hm(self.to))
    }
}

fn clock_seconds(text: &str) -> Result<u32, SlaError> {
    let bad = || SlaError::Hours { detail: format!("{text:?} is no time of day") };
    if text == "24:00" || text == "24:00:00" {
        return Ok(86_400);
    }
    let plain = matches!(text.len(), 5 | 8) && text.bytes().all(|b| b.is_ascii_digit() || b == b':');
    let time: Time = text.parse().map_err(|_| bad())?;
    if !plain {
        return Err(bad());
    }
    let part = |v: i8| u32::try_from(v).map_err(|_| bad());
    Ok(part(time.hour())? * 3600 + part(time.minute())? * 60 + part(time.second())?)
}

/// Sorts sessions and joins those that overlap or touch.
fn tidy(mut sessions: Vec<Session>) -> Result<Vec<Session>, SlaError> {
    if sessions.is_empty() {
        return Err(SlaError::Hours { detail: "a day needs at least one session".into() });
    }
    sessions.sort_by_key(|s| s.from);
    let mut out: Vec<Session> = Vec::with_capacity(sessions.len());
    for session in sessions {
        match out.last_mut() {
            Some(last) if session.from <= last.to => last.to = last.to.max(session.to),
            _ => out.push(session),
        }
    }
    Ok(out)
}

/// Other hours for a part of the year, from one day to another, both included; may run over New Year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Season {
    from: (u8, u8),
    to: (u8, u8),
    sessions: Vec<Session>,
}

impl Season {
    /// A season between two `MM-DD` days, both included.
    ///
    /// # Errors
    /// `Hours` when a day cannot be read or there is no session.
    pub fn new(from: &str, to: &str, sessions: Vec<Session>) -> Result<Self, SlaError> {
        Ok(Self { from: month_day(from)?, to: month_day(to)?, sessions: tidy(sessions)? })
    }

    fn covers(&self, day: (u8, u8)) -> bool {
        if self.from <= self.to { (self.from..=self.to).contains(&day) } else { day >= self.from || day <= self.to }
    }

    /// First and last day, `MM-DD`.
    pub fn label(&self) -> String {
        format!("{:02}-{:02}–{:02}-{:02}", self.from.0, self.from.1, self.to.0, self.to.1)
    }

    /// The sessions of its days.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }
}

fn month_day(text: &str) -> Result<(u8, u8), SlaError> {
    let bad = || SlaError::Hours { detail: format!("{text:?} is no MM-DD") };
    // 2024 is a leap year, so that 02-29 is a day.
    let date: jiff::civil::Date = format!("2024-{text}").parse().map_err(|_| bad())?;
    if text.len() != 5 {
        return Err(bad());
    }
    Ok((date.month() as u8, date.day() as u8))
}

/// The office hours of every day of a year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficeHours {
    base: Vec<Session>,
    seasons: Vec<Season>,
}

impl OfficeHours {
    /// Hours for the whole year, and seasons that replace them; where seasons overlap the first one holds.
    ///
    /// # Errors
    /// `Hours` when there is no session at all.
    pub fn new(base: Vec<Session>, seasons: Vec<Season>) -> Result<Self, SlaError> {
        Ok(Self { base: tidy(base)?, seasons })
    }

    /// 08:30–12:00 and 14:30–17:30, the default of the contract.
    pub fn standard() -> Self {
        let base = vec![Session { from: 30_600, to: 43_200 }, Session { from: 52_200, to: 63_000 }];
        Self { base, seasons: Vec::new() }
    }

    /// Parses spans such as `08:30-12:00`, as the configuration writes them.
    ///
    /// # Errors
    /// `Hours` when a span cannot be read.
    pub fn parse_spans<S: AsRef<str>>(spans: &[S]) -> Result<Self, SlaError> {
        let sessions = spans.iter().map(|span| {
            let span = span.as_ref();
            let (from, to) = span
                .split_once(['-', '–'])
                .ok_or_else(|| SlaError::Hours { detail: format!("{span:?} is no HH:MM-HH:MM") })?;
            Session::parse(from.trim(), to.trim())
        });
        Self::new(sessions.collect::<Result<_, _>>()?, Vec::new())
    }

    /// The sessions outside all seasons.
    pub fn base(&self) -> &[Session] {
        &self.base
    }

    /// The seasons, in order of precedence.
    pub fn seasons(&self) -> &[Season] {
        &self.seasons
    }

    /// The business seconds of a day: those of the base hours, whatever the season.
    pub fn day_seconds(&self) -> i64 {
        self.base.iter().map(|s| i64::from(s.seconds())).sum()
    }

    pub(super) fn on(&self, epoch_day: i64) -> &[Session] {
        if self.seasons.is_empty() {
            return &self.base;
        }
        let (_, month, day) = civil_parts(epoch_day);
        self.seasons.iter().find(|s| s.covers((month, day))).map_or(&self.base, |s| &s.sessions)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{super::calendar::epoch_day, *};

    #[test]
    fn seasons_include_both_ends_and_may_wrap() {
        let summer = vec![Session::parse("08:00", "12:00").unwrap()];
        let hours = |from, to| {
            let season = Season::new(from, to, summer.clone()).unwrap();
            OfficeHours::new(OfficeHours::standard().base, vec![season]).unwrap()
        };
        let check = |hours: &OfficeHours, m, d, expected: usize| {
            assert_eq!(hours.on(epoch_day(date(2026, m, d))).len(), expected, "{m}-{d}");
        };
        let june = hours("06-01", "09-30");
        for (m, d, n) in [(5, 31, 2), (6, 1, 1), (9, 30, 1), (10, 1, 2)] {
            check(&june, m, d, n);
        }
        let winter = hours("11-01", "02-28");
        for (m, d, n) in [(10, 31, 2), (11, 1, 1), (1, 15, 1), (2, 28, 1), (3, 1, 2)] {
            check(&winter, m, d, n);
        }
    }

    #[test]
    fn sessions_are_sorted_and_joined() {
        let parse = |spans: &[&str]| OfficeHours::parse_spans(spans);
        let hours = parse(&["14:30-17:30", "08:30-12:00"]).unwrap();
        assert_eq!(hours, OfficeHours::standard());
        assert_eq!(hours.day_seconds(), 23_400);
        assert_eq!(parse(&["08:00-12:00", "12:00-18:00"]).unwrap().base().len(), 1);
        assert_eq!(parse(&["18:00-24:00"]).unwrap().day_seconds(), 21_600);
        for bad in ["12:00-12:00", "17:30-08:30", "8:30-12:00", "0830-1200", "08:30", "08:30-25:00"] {
            assert!(parse(&[bad]).is_err(), "{bad}");
        }
        assert!(parse(&[]).is_err());
    }
}
