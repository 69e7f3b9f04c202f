//! The work calendar: which day is a working day, by which notice (法定节假日、调休上班).
//!
//! A year is *published* when its file `cn-YYYY.toml` is loaded. For every other year weekends and the statutory
//! holidays with a fixed civil date (1 January, 1–2 May, 1–3 October) are assumed off and the day is marked
//! provisional; the festivals of the lunar calendar and 清明 are not guessed: what day they fall on, and how it is
//! swapped with weekends, only the notice tells.

use std::{collections::BTreeMap, sync::Arc};

use jiff::civil::Date;

use super::due::SlaError;

/// Days since 1970-01-01 of a civil date.
pub(super) fn epoch_day(date: Date) -> i64 {
    // Days-from-civil: years begin in March, so that the leap day is the last of its year.
    let (y, m, d) = (i64::from(date.year()), i64::from(date.month()), i64::from(date.day()));
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// Year, month and day of an epoch day.
pub(super) fn civil_parts(day: i64) -> (i64, u8, u8) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let d = doy - (153 * mp + 2) / 5 + 1;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    let y = yoe + era * 400 + i64::from(m <= 2);
    (y, m as u8, d as u8)
}

/// The civil date of an epoch day, if it is within what dates can express.
pub(super) fn date_of(day: i64) -> Option<Date> {
    let (y, m, d) = civil_parts(day);
    Date::new(i16::try_from(y).ok()?, m as i8, d as i8).ok()
}

/// Whether an epoch day is a Saturday or Sunday (1970-01-01 was a Thursday).
const fn is_weekend(day: i64) -> bool {
    matches!((day + 3).rem_euclid(7), 5 | 6)
}

/// What is known about one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayKind {
    /// Whether offices are open on this day.
    pub working: bool,
    /// Whether the year of this day is not published, so that this is an assumption (暂算).
    pub provisional: bool,
}

/// One holiday of a notice: its days off and the make-up workdays that pay for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// 元旦, 春节 …
    pub name: String,
    /// Days off, weekends in the block included.
    pub off: Vec<Date>,
    /// Make-up workdays (调休上班).
    pub work: Vec<Date>,
}

/// One published year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarYear {
    /// The year the notice speaks about.
    pub year: i16,
    /// Title of the notice.
    pub title: String,
    /// Its document number (文号).
    pub doc_no: String,
    /// Who issued it.
    pub issuer: String,
    /// When it was issued.
    pub issued_on: Date,
    /// Its holidays, in the order of the notice.
    pub holidays: Vec<Holiday>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Unpublished,
    Working,
    Off,
}

/// Which days are working days: published years, plus overrides for single days.
#[derive(Debug, Clone)]
pub struct WorkCalendar {
    years: Arc<BTreeMap<i16, CalendarYear>>,
    first: i64,
    days: Arc<Vec<Known>>,
    /// Days a notice names outside the published years (31 December 2022 in the notice for 2023), and overrides.
    single: Arc<BTreeMap<i64, bool>>,
    version: String,
}

impl WorkCalendar {
    /// A calendar of these published years; later years win where two notices name the same day.
    ///
    /// # Errors
    /// `Calendar` when a year occurs twice or a day is both off and a make-up workday in one notice.
    pub fn new(years: impl IntoIterator<Item = CalendarYear>) -> Result<Self, SlaError> {
        let mut by_year = BTreeMap::new();
        for year in years {
            let number = year.year;
            if by_year.insert(number, year).is_some() {
                return Err(SlaError::Calendar { year: number, detail: "the year is defined twice".into() });
            }
        }
        let start = |year: i16| Date::new(year, 1, 1).map(epoch_day);
        let (mut first, mut days) = (0, Vec::new());
        if let (Some((&low, _)), Some((&high, _))) = (by_year.first_key_value(), by_year.last_key_value()) {
            let bounds = start(low).and_then(|a| Ok((a, start(high)? + 366)));
            let (from, to) = bounds.map_err(|_| SlaError::Calendar { year: low, detail: "no such year".into() })?;
            first = from;
            days = (from..to)
                .map(|day| {
                    let (y, ..) = civil_parts(day);
                    let published = i16::try_from(y).is_ok_and(|y| by_year.contains_key(&y));
                    match (published, is_weekend(day)) {
                        (false, _) => Known::Unpublished,
                        (true, true) => Known::Off,
                        (true, false) => Known::Working,
                    }
                })
                .collect();
        }
        let mut single = BTreeMap::new();
        for year in by_year.values() {
            let mut named: BTreeMap<i64, bool> = BTreeMap::new();
            let marks = |h: &Holiday, working: bool| -> Vec<(i64, bool)> {
                let dates = if working { &h.work } else { &h.off };
                dates.iter().map(|&d| (epoch_day(d), working)).collect()
            };
            for (day, working) in year.holidays.iter().flat_map(|h| [marks(h, false), marks(h, true)]).flatten() {
                if named.insert(day, working).is_some_and(|other| other != working) {
                    let date = date_of(day).map_or_else(String::new, |d| d.to_string());
                    return Err(SlaError::Calendar {
                        year: year.year,
                        detail: format!("{date} is both off and a make-up workday"),
                    });
                }
                let slot = usize::try_from(day - first).ok().and_then(|at| days.get_mut(at));
                match slot {
                    Some(slot) if *slot != Known::Unpublished => {
                        *slot = if working { Known::Working } else { Known::Off };
                    }
                    _ => {
                        single.insert(day, working);
                    }
                }
            }
        }
        let version = version_of(&by_year, &days);
        Ok(Self { years: Arc::new(by_year), first, days: Arc::new(days), single: Arc::new(single), version })
    }

    /// A calendar without any published year: every day is provisional.
    pub fn unpublished() -> Self {
        let years = Arc::new(BTreeMap::new());
        Self { years, first: 0, days: Arc::default(), single: Arc::default(), version: "none".into() }
    }

    /// The same calendar with single days set otherwise: `true` is a working day.
    #[must_use]
    pub fn with_overrides(&self, overrides: impl IntoIterator<Item = (Date, bool)>) -> Self {
        let mut single = (*self.single).clone();
        let before = single.len();
        single.extend(overrides.into_iter().map(|(date, working)| (epoch_day(date), working)));
        let version = if single.len() == before { self.version.clone() } else { format!("{}+", self.version) };
        Self { single: Arc::new(single), version, ..self.clone() }
    }

    /// Whether offices are open on this day, and whether that is certain.
    pub fn day(&self, date: Date) -> DayKind {
        self.kind(epoch_day(date))
    }

    pub(super) fn kind(&self, day: i64) -> DayKind {
        let known = usize::try_from(day - self.first)
            .ok()
            .and_then(|at| self.days.get(at).copied())
            .unwrap_or(Known::Unpublished);
        let (working, provisional) = match known {
            Known::Working => (true, false),
            Known::Off => (false, false),
            Known::Unpublished => {
                let (_, month, date) = civil_parts(day);
                let fixed = matches!((month, date), (1, 1) | (5, 1 | 2) | (10, 1..=3));
                (!is_weekend(day) && !fixed, true)
            }
        };
        if self.single.is_empty() {
            return DayKind { working, provisional };
        }
        DayKind { working: self.single.get(&day).copied().unwrap_or(working), provisional }
    }

    /// The published years, in order.
    pub fn years(&self) -> impl Iterator<Item = &CalendarYear> {
        self.years.values()
    }

    /// The notice of one year, if it is published.
    pub fn year(&self, year: i16) -> Option<&CalendarYear> {
        self.years.get(&year)
    }

    /// Which data this is: changes whenever a day of a published year changes.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The holiday a day belongs to: its name, and whether the day is a make-up workday of it.
    pub fn holiday(&self, date: Date) -> Option<(&str, bool)> {
        self.years.values().flat_map(|y| &y.holidays).find_map(|h| {
            if h.off.contains(&date) {
                Some((h.name.as_str(), false))
            } else if h.work.contains(&date) {
                Some((h.name.as_str(), true))
            } else {
                None
            }
        })
    }
}

/// First and last published year and an FNV-1a hash over the days: enough to see that a calendar changed.
fn version_of(years: &BTreeMap<i16, CalendarYear>, days: &[Known]) -> String {
    let (Some(low), Some(high)) = (years.keys().next(), years.keys().next_back()) else {
        return "none".into();
    };
    let hash = days
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, day| (hash ^ (*day as u64 + 1)).wrapping_mul(0x0100_0000_01b3));
    format!("cn-{low}-{high}-{:08x}", (hash ^ (hash >> 32)) as u32)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn epoch_days_go_there_and_back() {
        for (d, n) in [(date(1970, 1, 1), 0), (date(2000, 3, 1), 11_017), (date(2026, 11, 22), 20_779)] {
            assert_eq!(epoch_day(d), n, "{d}");
            assert_eq!(date_of(n), Some(d));
        }
        for n in (-800_000..3_000_000).step_by(97) {
            let Some(d) = date_of(n) else { continue };
            assert_eq!(epoch_day(d), n);
            let weekend = matches!(d.weekday(), jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday);
            assert_eq!(is_weekend(n), weekend, "{d}");
        }
    }

    #[test]
    fn an_unpublished_year_is_never_certain() {
        let calendar = WorkCalendar::unpublished();
        let kind = |y, m, d| calendar.day(date(y, m, d));
        assert_eq!(kind(2027, 1, 4), DayKind { working: true, provisional: true });
        for (m, d) in [(1, 1), (5, 1), (10, 1), (1, 2), (1, 3)] {
            assert_eq!(kind(2027, m, d), DayKind { working: false, provisional: true }, "{m}-{d}");
        }
        let fixed = calendar.with_overrides([(date(2027, 1, 2), true)]);
        assert_eq!(fixed.day(date(2027, 1, 2)), DayKind { working: true, provisional: true });
    }

    #[test]
    fn a_day_cannot_be_off_and_worked() {
        let holiday = Holiday { name: "元旦".into(), off: vec![date(2026, 1, 1)], work: vec![date(2026, 1, 1)] };
        let year = CalendarYear {
            year: 2026,
            title: "t".into(),
            doc_no: "n".into(),
            issuer: "i".into(),
            issued_on: date(2025, 11, 4),
            holidays: vec![holiday],
        };
        assert!(WorkCalendar::new([year.clone()]).is_err());
        let plain = CalendarYear { holidays: vec![], ..year };
        assert!(WorkCalendar::new([plain.clone(), plain]).is_err());
    }
}
