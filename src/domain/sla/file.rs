//! The TOML shapes of `rules/calendar/cn-YYYY.toml`, `rules/sla/<name>.toml` and `rules/sla/_clocks.toml`.
//!
//! A file is checked as a whole; an error names file, line and column. Unknown keys are errors.

use jiff::{ToSpan, civil::Date};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    calendar::{CalendarYear, Holiday, WorkCalendar},
    due::Budget,
    ladder::{Ladder, LadderTrigger, Rung, StackClock},
    profile::{
        AnswerRow, Approver, CloseRules, Duty, Extension, NamedLimit, Profile, ProfileKind, SignOff, SilentConfirm,
        SlaBook, Source, Within,
    },
};
use crate::domain::kinds::{CaseType, Channel, Complexity, FujianClass, Urgency};

/// A file that cannot be used, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}:{column}: {message}")]
pub struct FileError {
    /// The file as the loader names it.
    pub path: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

fn at_start(path: &str, message: String) -> FileError {
    FileError { path: path.to_owned(), line: 1, column: 1, message }
}

fn read<T: for<'de> Deserialize<'de>>(path: &str, text: &str) -> Result<T, FileError> {
    toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        FileError { path: path.to_owned(), line, column, message: error.message().to_owned() }
    })
}

/// FNV-1a over the text: enough to tell one version of a file from another.
fn version(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// A date, quoted or as TOML writes it.
fn day<'de, D: Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Date(toml::value::Datetime),
    }
    let text = match Either::deserialize(from)? {
        Either::Text(text) => text,
        Either::Date(date) => date.to_string(),
    };
    text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no date YYYY-MM-DD")))
}

fn maybe_day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    day(from).map(Some)
}

fn word<'de, D: Deserializer<'de>, T: std::str::FromStr>(from: D) -> Result<T, D::Error>
where
    T::Err: std::fmt::Display,
{
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn maybe_word<'de, D: Deserializer<'de>, T: std::str::FromStr>(from: D) -> Result<Option<T>, D::Error>
where
    T::Err: std::fmt::Display,
{
    word(from).map(Some)
}

fn words<'de, D: Deserializer<'de>, T: std::str::FromStr>(from: D) -> Result<Vec<T>, D::Error>
where
    T::Err: std::fmt::Display,
{
    Vec::<String>::deserialize(from)?.iter().map(|w| w.parse().map_err(D::Error::custom)).collect()
}

/// Who decides about extensions; empty where there are none.
fn approver<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Approver>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    let known = || Approver::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    text.parse().map(Some).map_err(|_| D::Error::custom(format!("approver = {text:?} is not one of {}", known())))
}

/// A switch that nothing can obey when it is on.
fn never<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    if bool::deserialize(from)? {
        return Err(D::Error::custom(
            "counts_as_satisfied = true cannot be obeyed: silence is kept out of the figures of satisfaction",
        ));
    }
    Ok(false)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarFile {
    schema: u32,
    year: i16,
    title: String,
    doc_no: String,
    issuer: String,
    #[serde(deserialize_with = "day")]
    issued_on: Date,
    #[serde(default)]
    holiday: Vec<HolidayFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HolidayFile {
    name: String,
    #[serde(default)]
    off: Vec<String>,
    #[serde(default)]
    work: Vec<String>,
}

/// One day, or a range `2026-02-15..2026-02-23` with both ends.
fn days(list: &[String]) -> Result<Vec<Date>, String> {
    let mut out = Vec::new();
    for item in list {
        let (from, to) = item.split_once("..").unwrap_or((item, item));
        let parse = |text: &str| text.trim().parse::<Date>().map_err(|_| format!("{text:?} is no date YYYY-MM-DD"));
        let (from, to) = (parse(from)?, parse(to)?);
        if to < from || (to - from).get_days() > 60 {
            return Err(format!("{item:?} is no range of days"));
        }
        out.extend(from.series(1.day()).take_while(|&d| d <= to));
    }
    Ok(out)
}

impl CalendarYear {
    /// Reads `cn-YYYY.toml`.
    ///
    /// # Errors
    /// When it is no such file; with line and column.
    pub fn parse(path: &str, text: &str) -> Result<Self, FileError> {
        let file: CalendarFile = read(path, text)?;
        if file.schema != 1 {
            return Err(at_start(path, format!("schema {} is not known, 1 is", file.schema)));
        }
        let holidays = file
            .holiday
            .into_iter()
            .map(|h| Ok(Holiday { name: h.name, off: days(&h.off)?, work: days(&h.work)? }))
            .collect::<Result<Vec<_>, String>>()
            .map_err(|message| at_start(path, message))?;
        let (low, high) = (file.year - 1, file.year + 1);
        let all = holidays.iter().flat_map(|h| h.off.iter().chain(&h.work));
        if let Some(date) = all.clone().find(|d| d.year() < low || d.year() > high) {
            return Err(at_start(path, format!("{date} is far from the year {}", file.year)));
        }
        Ok(Self {
            year: file.year,
            title: file.title,
            doc_no: file.doc_no,
            issuer: file.issuer,
            issued_on: file.issued_on,
            holidays,
        })
    }
}

impl WorkCalendar {
    /// Reads the calendar files, given as path and text.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn parse<P: AsRef<str>, T: AsRef<str>>(files: &[(P, T)]) -> Result<Self, FileError> {
        let years = files
            .iter()
            .map(|(path, text)| CalendarYear::parse(path.as_ref(), text.as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        let path = files.first().map_or("rules/calendar", |(path, _)| path.as_ref()).to_owned();
        Self::new(years).map_err(|error| at_start(&path, error.to_string()))
    }

    /// The calendars that ship with this version.
    ///
    /// # Panics
    /// Never: a test reads them.
    pub fn shipped() -> Self {
        Self::parse(SHIPPED_CALENDARS).expect("the shipped calendars are read by a test")
    }
}

const SHIPPED_CALENDARS: &[(&str, &str)] = &[
    ("rules/calendar/cn-2023.toml", include_str!("../../../rules/calendar/cn-2023.toml")),
    ("rules/calendar/cn-2024.toml", include_str!("../../../rules/calendar/cn-2024.toml")),
    ("rules/calendar/cn-2025.toml", include_str!("../../../rules/calendar/cn-2025.toml")),
    ("rules/calendar/cn-2026.toml", include_str!("../../../rules/calendar/cn-2026.toml")),
];

const SHIPPED_POLICIES: &[(&str, &str)] = &[
    ("rules/sla/_clocks.toml", include_str!("../../../rules/sla/_clocks.toml")),
    ("rules/sla/arrears.toml", include_str!("../../../rules/sla/arrears.toml")),
    ("rules/sla/fujian.toml", include_str!("../../../rules/sla/fujian.toml")),
    ("rules/sla/nanping.toml", include_str!("../../../rules/sla/nanping.toml")),
    ("rules/sla/putian.toml", include_str!("../../../rules/sla/putian.toml")),
    ("rules/sla/ref_5wd.toml", include_str!("../../../rules/sla/ref_5wd.toml")),
    ("rules/sla/ref_bj.toml", include_str!("../../../rules/sla/ref_bj.toml")),
    ("rules/sla/ref_zaozhuang.toml", include_str!("../../../rules/sla/ref_zaozhuang.toml")),
    ("rules/sla/suqian_mayor.toml", include_str!("../../../rules/sla/suqian_mayor.toml")),
    ("rules/sla/suqian_stuck.toml", include_str!("../../../rules/sla/suqian_stuck.toml")),
    ("rules/sla/xiangshan.toml", include_str!("../../../rules/sla/xiangshan.toml")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFile {
    schema: u32,
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    title: String,
    basis: String,
    #[serde(deserialize_with = "word")]
    kind: ProfileKind,
    #[serde(default, deserialize_with = "maybe_day")]
    valid_from: Option<Date>,
    #[serde(default, deserialize_with = "maybe_day")]
    valid_to: Option<Date>,
    #[serde(default)]
    applies: AppliesFile,
    start: EventFile,
    stop: EventFile,
    #[serde(default, deserialize_with = "maybe_word")]
    ungraded: Option<Complexity>,
    #[serde(default)]
    answer: Vec<AnswerFile>,
    #[serde(default)]
    limit: Vec<LimitFile>,
    sign_off: SignOffFile,
    close: CloseFile,
    extension: ExtensionFile,
    silent_confirm: SilentFile,
    chain: Option<ChainFile>,
    #[serde(default)]
    duty: Vec<DutyFile>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AppliesFile {
    #[serde(deserialize_with = "words")]
    types: Vec<CaseType>,
    not_topics: Vec<String>,
    #[serde(deserialize_with = "words")]
    channels: Vec<Channel>,
    regions: Vec<String>,
    channel_and_region: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventFile {
    event: String,
    #[serde(deserialize_with = "word")]
    src: Source,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerFile {
    key: String,
    label: String,
    #[serde(deserialize_with = "word")]
    within: Within,
    #[serde(default, deserialize_with = "maybe_word")]
    max_total: Option<Within>,
    #[serde(default, deserialize_with = "words")]
    types: Vec<CaseType>,
    #[serde(default, deserialize_with = "maybe_word")]
    class: Option<FujianClass>,
    #[serde(default, deserialize_with = "words")]
    complexity: Vec<Complexity>,
    #[serde(default, deserialize_with = "words")]
    urgency: Vec<Urgency>,
    multi_unit: Option<bool>,
    #[serde(default)]
    topics: Vec<String>,
    #[serde(deserialize_with = "word")]
    src: Source,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitFile {
    key: String,
    label: String,
    #[serde(deserialize_with = "word")]
    within: Within,
    start: String,
    #[serde(default, deserialize_with = "words")]
    types: Vec<CaseType>,
    #[serde(default, deserialize_with = "words")]
    complexity: Vec<Complexity>,
    #[serde(deserialize_with = "word")]
    src: Source,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignOffFile {
    required: bool,
    by: String,
    drafter_may_sign: bool,
    #[serde(deserialize_with = "word")]
    src: Source,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseFile {
    submitter_confirm: bool,
    centre_verify: bool,
    consultation_exempt: bool,
    #[serde(default)]
    reasons: Vec<String>,
    #[serde(deserialize_with = "word")]
    src: Source,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExtensionFile {
    allowed: bool,
    #[serde(default)]
    condition: String,
    #[serde(default)]
    explain_to: Vec<String>,
    #[serde(default)]
    max_times: u8,
    #[serde(default, deserialize_with = "maybe_word")]
    max_len: Option<Within>,
    #[serde(default, deserialize_with = "approver")]
    approver: Option<Approver>,
    #[serde(deserialize_with = "word")]
    src: Source,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SilentFile {
    #[serde(deserialize_with = "word")]
    after: Within,
    reminders: u8,
    phone_tries: u8,
    #[serde(deserialize_with = "never")]
    counts_as_satisfied: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChainFile {
    general: Vec<String>,
    major: Vec<String>,
    #[serde(deserialize_with = "word")]
    each: Within,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DutyFile {
    key: String,
    label: String,
    when: String,
    #[serde(deserialize_with = "word")]
    src: Source,
}

impl Profile {
    /// Reads `rules/sla/<name>.toml`.
    ///
    /// # Errors
    /// When it is no such file; with line and column.
    pub fn parse(path: &str, text: &str) -> Result<Self, FileError> {
        let file: ProfileFile = read(path, text)?;
        if file.schema != 1 {
            return Err(at_start(path, format!("schema {} is not known, 1 is", file.schema)));
        }
        if file.sign_off.required && file.sign_off.drafter_may_sign {
            let message = "drafter_may_sign = true cannot be obeyed: with required = true another officer signs";
            return Err(at_start(path, message.to_owned()));
        }
        let chain = file.chain.map_or((Vec::new(), Vec::new(), None), |c| (c.general, c.major, Some(c.each)));
        Ok(Self {
            name: file.name,
            aliases: file.aliases,
            title: file.title,
            basis: file.basis,
            kind: file.kind,
            valid_from: file.valid_from,
            valid_to: file.valid_to,
            version: version(text),
            types: file.applies.types,
            not_topics: file.applies.not_topics,
            channels: file.applies.channels,
            regions: file.applies.regions,
            channel_and_region: file.applies.channel_and_region,
            start: file.start.event,
            start_source: file.start.src,
            stop: file.stop.event,
            ungraded: file.ungraded,
            answers: file
                .answer
                .into_iter()
                .map(|a| AnswerRow {
                    key: a.key,
                    label: a.label,
                    within: a.within,
                    max_total: a.max_total,
                    types: a.types,
                    class: a.class,
                    complexity: a.complexity,
                    urgency: a.urgency,
                    multi_unit: a.multi_unit,
                    topics: a.topics,
                    source: a.src,
                    note: a.note,
                })
                .collect(),
            limits: file
                .limit
                .into_iter()
                .map(|l| NamedLimit {
                    key: l.key,
                    label: l.label,
                    within: l.within,
                    start: l.start,
                    types: l.types,
                    complexity: l.complexity,
                    source: l.src,
                    note: l.note,
                })
                .collect(),
            sign_off: SignOff {
                required: file.sign_off.required,
                by: file.sign_off.by,
                drafter_may_sign: file.sign_off.drafter_may_sign,
                source: file.sign_off.src,
            },
            close: CloseRules {
                submitter_confirm: file.close.submitter_confirm,
                centre_verify: file.close.centre_verify,
                consultation_exempt: file.close.consultation_exempt,
                reasons: file.close.reasons,
                source: file.close.src,
            },
            extension: Extension {
                allowed: file.extension.allowed,
                condition: file.extension.condition,
                explain_to: file.extension.explain_to,
                max_times: file.extension.max_times,
                max_len: file.extension.max_len,
                approver: file.extension.approver.unwrap_or(Approver::Dispatcher),
                source: file.extension.src,
            },
            silent_confirm: SilentConfirm {
                after: file.silent_confirm.after,
                reminders: file.silent_confirm.reminders,
                phone_tries: file.silent_confirm.phone_tries,
                counts_as_satisfied: file.silent_confirm.counts_as_satisfied,
            },
            chain: chain.0,
            chain_major: chain.1,
            chain_each: chain.2,
            duties: file
                .duty
                .into_iter()
                .map(|d| Duty { key: d.key, label: d.label, when: d.when, source: d.src })
                .collect(),
            notes: file.notes,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClocksFile {
    schema: u32,
    #[serde(default)]
    clock: Vec<ClockFile>,
    #[serde(default)]
    rung: Vec<RungFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockFile {
    key: String,
    label: String,
    #[serde(default, deserialize_with = "maybe_word")]
    within: Option<Within>,
    #[serde(default, deserialize_with = "maybe_word")]
    hard: Option<Within>,
    start: String,
    stop: String,
    owner: String,
    ladder_to: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RungFile {
    step: u8,
    label: String,
    days: Option<TriggerFile>,
    one_day: Option<TriggerFile>,
    minutes: Option<TriggerFile>,
    #[serde(default)]
    to: Vec<String>,
    action: String,
    text: String,
    #[serde(default, deserialize_with = "maybe_word")]
    reply_within: Option<Within>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum TriggerFile {
    PercentUsed(u32),
    Left(String),
    After(String),
}

impl TriggerFile {
    fn check(self) -> Result<LadderTrigger, String> {
        let budget = |text: &str| -> Result<Budget, String> {
            match text.parse::<Within>().map_err(|e| e.to_string())? {
                Within::Immediate => Ok(Budget::working_minutes(0)),
                Within::Budget(budget) => Ok(budget),
                Within::SameDay | Within::Statutory => Err(format!("{text:?} is no amount of time")),
            }
        };
        Ok(match self {
            Self::PercentUsed(p) if p > 100 => return Err(format!("{p} % is more than all")),
            Self::PercentUsed(p) => LadderTrigger::PercentUsed(p),
            Self::Left(text) => LadderTrigger::Left(budget(&text)?),
            Self::After(text) => LadderTrigger::After(budget(&text)?),
        })
    }
}

impl ClocksFile {
    fn check(self, path: &str) -> Result<(Vec<StackClock>, Ladder), FileError> {
        let fail = |message: String| at_start(path, message);
        if self.schema != 1 {
            return Err(fail(format!("schema {} is not known, 1 is", self.schema)));
        }
        let stack = self
            .clock
            .into_iter()
            .map(|c| StackClock {
                key: c.key,
                label: c.label,
                within: c.within,
                hard: c.hard,
                start: c.start,
                stop: c.stop,
                owner: c.owner,
                ladder_to: c.ladder_to,
            })
            .collect();
        let mut rungs: Vec<Rung> = Vec::new();
        for r in self.rung {
            if rungs.last().is_some_and(|last| last.step >= r.step) {
                return Err(fail(format!("step {} does not come after the one before it", r.step)));
            }
            let trigger = |t: Option<TriggerFile>| t.map(TriggerFile::check).transpose().map_err(fail);
            rungs.push(Rung {
                step: r.step,
                label: r.label,
                days: trigger(r.days)?,
                one_day: trigger(r.one_day)?,
                minutes: trigger(r.minutes)?,
                to: r.to,
                action: r.action,
                text: r.text,
                reply_within: r.reply_within,
            });
        }
        Ok((stack, Ladder { rungs }))
    }
}

impl SlaBook {
    /// Reads the policy files, given as path and text; the one named `_clocks.toml` holds stack and ladder.
    ///
    /// # Errors
    /// The first file that cannot be used, or a name that two files claim.
    pub fn parse<P: AsRef<str>, T: AsRef<str>>(files: &[(P, T)]) -> Result<Self, FileError> {
        let mut book = Self::default();
        for (path, text) in files {
            let (path, text) = (path.as_ref(), text.as_ref());
            if path.ends_with("_clocks.toml") {
                (book.stack, book.ladder) = read::<ClocksFile>(path, text)?.check(path)?;
                continue;
            }
            let profile = Profile::parse(path, text)?;
            let mut names = std::iter::once(&profile.name).chain(&profile.aliases);
            if let Some(name) = names.find(|n| book.profile(n).is_some()) {
                return Err(at_start(path, format!("the name {name:?} is taken by another policy")));
            }
            book.profiles.push(profile);
        }
        Ok(book)
    }

    /// The policies that ship with this version.
    ///
    /// # Panics
    /// Never: a test reads them.
    pub fn shipped() -> Self {
        Self::parse(SHIPPED_POLICIES).expect("the shipped policies are read by a test")
    }
}
