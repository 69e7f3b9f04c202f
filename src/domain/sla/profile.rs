//! Policies (办理时限口径): which limit holds for which case, by which document, from when to when.
//!
//! A profile is data from `rules/sla/<name>.toml`. Every value carries where it comes from: written in the seed
//! document, statute, or a proposal of ours where nothing fixes it.

use jiff::{Timestamp, civil::Date};

use super::{
    due::{Budget, Due, DueRequest, ReceiptRule, Schedule, SlaError, Unit},
    ladder::{Ladder, StackClock},
};
use crate::{
    domain::kinds::{CaseType, Channel, Complexity, FujianClass, Urgency},
    vocabulary,
};

vocabulary! {
    /// Where a value comes from.
    Source {
        Seed = "seed", "文件原文";
        Law = "law", "法律法规";
        Default = "default", "系统建议值";
        Public = "public", "公开报道";
        OtherCity = "law_other_city", "外地条例";
    }
}

vocabulary! {
    /// Whether a policy is meant for use or only a reference.
    ProfileKind {
        Profile = "profile", "时限口径";
        Preset = "preset", "参考口径";
    }
}

vocabulary! {
    /// Who decides about a first extension (a second one is always the supervisor's, DOMAIN 2.5).
    Approver {
        Dispatcher = "dispatcher", "中心分派";
        Supervisor = "supervisor", "督办";
        /// The leader of the unit; then its handler asks (款项支付条例 25: 部门负责人).
        UnitLeader = "unit_leader", "分管负责人";
    }
}

/// A length of time as the policies write it: `2wd`, `30wm`, `4wh`, `30d`, `2h`, `0`, `same_day`, `law`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// At once (当场).
    Immediate,
    /// Before close of the same day (不过夜).
    SameDay,
    /// The statutory limit that is stored on the case.
    Statutory,
    /// So much time.
    Budget(Budget),
}

impl Within {
    /// Its budget, if it has one of its own.
    pub const fn budget(self) -> Option<Budget> {
        match self {
            Self::Budget(budget) => Some(budget),
            Self::Immediate | Self::SameDay | Self::Statutory => None,
        }
    }

    /// 当场, 当日, 按法定时限, 2个工作日.
    pub fn in_words(self) -> String {
        match self {
            Self::Immediate => "当场".into(),
            Self::SameDay => "当日".into(),
            Self::Statutory => "按法定时限".into(),
            Self::Budget(budget) => budget.in_words(),
        }
    }

    /// When a clock of this length is due: `Immediate` at the opening, `SameDay` at close of the day of opening or of
    /// the next working day; `None` inside for `Statutory`, whose limit the case carries.
    ///
    /// # Errors
    /// As [`Schedule::due`].
    pub fn due(self, schedule: &Schedule, opened: Timestamp) -> Result<Due, SlaError> {
        match self {
            Self::Immediate => Ok(Due { due: Some(opened), provisional: false }),
            Self::Statutory => Ok(Due { due: None, provisional: false }),
            Self::SameDay => schedule.due(&DueRequest {
                receipt_rule: ReceiptRule::NextWorkingDay,
                ..DueRequest::new(opened, Budget::calendar_days(0))
            }),
            Self::Budget(budget) => schedule.due(&DueRequest::new(opened, budget)),
        }
    }
}

impl std::fmt::Display for Within {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Immediate => f.write_str("0"),
            Self::SameDay => f.write_str("same_day"),
            Self::Statutory => f.write_str("law"),
            Self::Budget(Budget { unit, n }) => {
                let suffix = match unit {
                    Unit::WorkingDays => "wd",
                    Unit::WorkingHours => "wh",
                    Unit::WorkingMinutes => "wm",
                    Unit::Minutes => "min",
                    Unit::CalendarDays => "d",
                };
                write!(f, "{n}{suffix}")
            }
        }
    }
}

impl std::str::FromStr for Within {
    type Err = crate::domain::kinds::UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || crate::domain::kinds::UnknownWord { kind: "length of time", value: text.to_owned() };
        match text {
            "0" => return Ok(Self::Immediate),
            "same_day" => return Ok(Self::SameDay),
            "law" => return Ok(Self::Statutory),
            _ => {}
        }
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(unknown)?;
        let (number, suffix) = text.split_at(split);
        let n: u32 = number.parse().map_err(|_| unknown())?;
        let (unit, times) = match suffix {
            "wd" => (Unit::WorkingDays, 1),
            "wh" => (Unit::WorkingHours, 1),
            "wm" => (Unit::WorkingMinutes, 1),
            "min" => (Unit::Minutes, 1),
            "h" => (Unit::Minutes, 60),
            "d" => (Unit::CalendarDays, 1),
            _ => return Err(unknown()),
        };
        Ok(Self::Budget(Budget { unit, n: n.checked_mul(times).ok_or_else(unknown)? }))
    }
}

/// What the answer limit of a case depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerFacts<'a> {
    /// The type of the case.
    pub case_type: CaseType,
    /// Its grade, once it is set.
    pub complexity: Option<Complexity>,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Whether several units have to work together.
    pub multi_unit: bool,
    /// Its topic code.
    pub topic: Option<&'a str>,
}

impl AnswerFacts<'_> {
    /// Facts of a plain case: not urgent, one unit, no topic.
    pub const fn new(case_type: CaseType, complexity: Option<Complexity>) -> Self {
        Self { case_type, complexity, urgency: Urgency::Normal, multi_unit: false, topic: None }
    }
}

/// One row of the answer table; the first whose conditions hold decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRow {
    /// Its name in the policy: `consultation`, `simple`, `urgent_clear` …
    pub key: String,
    /// What people read.
    pub label: String,
    /// The limit.
    pub within: Within,
    /// The longest it may become by extension, where a statute says so.
    pub max_total: Option<Within>,
    /// Case types it holds for; empty: all.
    pub types: Vec<CaseType>,
    /// Fujian class it holds for.
    pub class: Option<FujianClass>,
    /// Grades it holds for; empty: all.
    pub complexity: Vec<Complexity>,
    /// Urgencies it holds for; empty: all.
    pub urgency: Vec<Urgency>,
    /// Whether several units are a condition.
    pub multi_unit: Option<bool>,
    /// Topic codes or groups it holds for; empty: all.
    pub topics: Vec<String>,
    /// Where the limit comes from.
    pub source: Source,
    /// What must be said or done with it.
    pub note: Option<String>,
}

impl AnswerRow {
    fn holds(&self, facts: &AnswerFacts<'_>, grade: Option<Complexity>) -> bool {
        let topic = |group: &String| {
            facts
                .topic
                .is_some_and(|t| t == group || t.strip_prefix(group.as_str()).is_some_and(|r| r.starts_with('.')))
        };
        (self.types.is_empty() || self.types.contains(&facts.case_type))
            && self.class.is_none_or(|c| c == facts.case_type.fujian_class())
            && (self.complexity.is_empty() || grade.is_some_and(|g| self.complexity.contains(&g)))
            && (self.urgency.is_empty() || self.urgency.contains(&facts.urgency))
            && self.multi_unit.is_none_or(|m| m == facts.multi_unit)
            && (self.topics.is_empty() || self.topics.iter().any(topic))
    }
}

/// The answer limit of a case under a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The row that decided.
    pub row: &'a AnswerRow,
    /// The limit.
    pub within: Within,
}

/// A further limit of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedLimit {
    /// `first_contact`, `forward`, `policy_publish` …
    pub key: String,
    /// What people read.
    pub label: String,
    /// The limit.
    pub within: Within,
    /// From which event it runs.
    pub start: String,
    /// Case types it holds for; empty: all.
    pub types: Vec<CaseType>,
    /// Grades it holds for; empty: all.
    pub complexity: Vec<Complexity>,
    /// Where it comes from.
    pub source: Source,
    /// What must be said or done with it.
    pub note: Option<String>,
}

/// Who signs a reply before it leaves (审签).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOff {
    /// Whether a signature is needed.
    pub required: bool,
    /// Whose.
    pub by: String,
    /// Whether the drafter may sign.
    pub drafter_may_sign: bool,
    /// Where it comes from.
    pub source: Source,
}

/// What a close-out needs (销号).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseRules {
    /// The enterprise confirms.
    pub submitter_confirm: bool,
    /// The centre verifies.
    pub centre_verify: bool,
    /// A consultation needs neither (DOMAIN 3.1).
    pub consultation_exempt: bool,
    /// The reasons for which it may be applied for; empty: any conclusion.
    pub reasons: Vec<String>,
    /// Where it comes from.
    pub source: Source,
}

/// Extensions (延期).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Whether there are any.
    pub allowed: bool,
    /// For which matters, as the document says.
    pub condition: String,
    /// To whom the reason is explained.
    pub explain_to: Vec<String>,
    /// How often.
    pub max_times: u8,
    /// How long at most; `None`: as long as the base limit.
    pub max_len: Option<Within>,
    /// Who decides.
    pub approver: Approver,
    /// Where it comes from.
    pub source: Source,
}

/// What happens when the enterprise stays silent (默认确认).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilentConfirm {
    /// After which silence.
    pub after: Within,
    /// Reminders before.
    pub reminders: u8,
    /// Calls before.
    pub phone_tries: u8,
    /// Whether it counts as satisfied.
    pub counts_as_satisfied: bool,
}

/// A recurring duty of a policy (DOMAIN 2.2 `duty`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// Its name.
    pub key: String,
    /// What people read.
    pub label: String,
    /// When it is due, in words of the document.
    pub when: String,
    /// Where it comes from.
    pub source: Source,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// File name and configured name: `fujian`.
    pub name: String,
    /// Other names: `fj_4t4d`.
    pub aliases: Vec<String>,
    /// What people read.
    pub title: String,
    /// The document it rests on.
    pub basis: String,
    /// In use, or for reference only.
    pub kind: ProfileKind,
    /// First day in force.
    pub valid_from: Option<Date>,
    /// Last day in force.
    pub valid_to: Option<Date>,
    /// Hash of the file: a case keeps the version it started with.
    pub version: String,
    /// Case types that always come under it (statutory special types).
    pub types: Vec<CaseType>,
    /// Topics of these types that do not: the law behind the policy does not reach them.
    pub not_topics: Vec<String>,
    /// Channels whose cases come under it.
    pub channels: Vec<Channel>,
    /// Administrative codes (prefixes) of accepting centres under it.
    pub regions: Vec<String>,
    /// Whether both a channel and a region must fit.
    pub channel_and_region: bool,
    /// The event that starts the answer clock (K5).
    pub start: String,
    /// Where that comes from.
    pub start_source: Source,
    /// The event that stops it.
    pub stop: String,
    /// Which grade a case has before it is graded.
    pub ungraded: Option<Complexity>,
    /// The answer table.
    pub answers: Vec<AnswerRow>,
    /// Further limits.
    pub limits: Vec<NamedLimit>,
    /// Sign-off.
    pub sign_off: SignOff,
    /// Close-out.
    pub close: CloseRules,
    /// Extension.
    pub extension: Extension,
    /// Silence.
    pub silent_confirm: SilentConfirm,
    /// Steps of an approval chain before dispatch; empty: none.
    pub chain: Vec<String>,
    /// Steps of the chain for major matters.
    pub chain_major: Vec<String>,
    /// Limit of each step.
    pub chain_each: Option<Within>,
    /// Duties.
    pub duties: Vec<Duty>,
    /// What else the document orders, in sentences.
    pub notes: Vec<String>,
}

impl Profile {
    /// The answer limit of a case; `None` when no row of the table fits.
    pub fn answer(&self, facts: &AnswerFacts<'_>) -> Option<Answer<'_>> {
        let grade = facts.complexity.or(self.ungraded);
        let row = self.answers.iter().find(|row| row.holds(facts, grade))?;
        Some(Answer { row, within: row.within })
    }

    /// The answer limit of a plain case of this type and grade.
    pub fn answer_budget(&self, case_type: CaseType, complexity: Option<Complexity>) -> Option<Within> {
        self.answer(&AnswerFacts::new(case_type, complexity)).map(|a| a.within)
    }

    /// A further limit by name, for this type and grade.
    pub fn limit(&self, key: &str, case_type: CaseType, complexity: Option<Complexity>) -> Option<&NamedLimit> {
        self.limits_for(case_type, complexity).find(|l| l.key == key)
    }

    /// All further limits that hold for this type and grade.
    pub fn limits_for(&self, case_type: CaseType, complexity: Option<Complexity>) -> impl Iterator<Item = &NamedLimit> {
        let grade = complexity.or(self.ungraded);
        self.limits.iter().filter(move |l| {
            (l.types.is_empty() || l.types.contains(&case_type))
                && (l.complexity.is_empty() || grade.is_some_and(|g| l.complexity.contains(&g)))
        })
    }

    /// Whether it is in force on a day.
    pub fn in_force(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| day >= from) && self.valid_to.is_none_or(|to| day <= to)
    }

    /// What closing needs for this type: (enterprise confirms, centre verifies).
    pub fn close_requires(&self, case_type: CaseType) -> (bool, bool) {
        if self.close.consultation_exempt && case_type == CaseType::Consultation {
            return (false, false);
        }
        (self.close.submitter_confirm, self.close.centre_verify)
    }

    /// How many days at most an extension of this limit may have: the base length, unless the policy says otherwise.
    pub fn extension_limit(&self, base: Within) -> u32 {
        if !self.extension.allowed {
            return 0;
        }
        self.extension.max_len.unwrap_or(base).budget().map_or(0, |b| b.n)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}

/// What the choice of a policy depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyFacts<'a> {
    /// The type of the case.
    pub case_type: CaseType,
    /// Its topic.
    pub topic: Option<&'a str>,
    /// By which way it came in.
    pub channel: Channel,
    /// Administrative code of the centre that accepts it.
    pub region: Option<&'a str>,
    /// The policy that the row of the dispatch table names.
    pub row_profile: Option<&'a str>,
    /// The day on which it is accepted.
    pub on: Date,
}

/// A chosen policy and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection<'a> {
    /// The policy.
    pub profile: &'a Profile,
    /// Why, for the case file.
    pub reason: String,
}

/// All policies, the clock stack and the ladder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlaBook {
    /// The policies, by name.
    pub profiles: Vec<Profile>,
    /// Earlier versions of policies: running cases keep the one they were accepted under. Nothing new comes under them.
    pub former: Vec<Profile>,
    /// The clock stack.
    pub stack: Vec<StackClock>,
    /// The ladder.
    pub ladder: Ladder,
}

impl SlaBook {
    /// The policy of this name or alias.
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|p| p.names().any(|n| n == name))
    }

    /// The policy of a case in the version that the case keeps (DOMAIN 2.1); as it is today only where nobody knows that
    /// version any more.
    pub fn kept(&self, name: &str, version: &str) -> Option<&Profile> {
        let same = |profile: &&Profile| profile.name == name && profile.version == version;
        self.profiles.iter().chain(&self.former).find(same).or_else(|| self.profile(name))
    }

    /// The clock of this key (`K1` … `K13`).
    pub fn clock(&self, key: &str) -> Option<&StackClock> {
        self.stack.iter().find(|c| c.key == key)
    }

    /// The default length of a clock of the stack.
    pub fn default_within(&self, key: &str) -> Option<Within> {
        self.clock(key).and_then(|c| c.within)
    }

    /// Chooses the policy of a case (DOMAIN 2.2): statutory special type, then the one that the row of the dispatch table
    /// names where it holds in the region, then channel, then region of the accepting centre, then the configured default. Only policies in force on that day count; reference ones are never chosen.
    pub fn select(&self, facts: &PolicyFacts<'_>, default: &str) -> Option<Selection<'_>> {
        let usable = || self.profiles.iter().filter(|p| p.kind == ProfileKind::Profile && p.in_force(facts.on));
        let in_region = |p: &Profile| facts.region.is_some_and(|r| p.regions.iter().any(|code| covers(code, r)));
        let by_type = usable().find(|p| {
            let excepted = facts.topic.is_some_and(|topic| p.not_topics.iter().any(|not| not == topic));
            p.types.contains(&facts.case_type) && !excepted
        });
        if let Some(profile) = by_type {
            let reason = format!("法定特殊类型“{}”,适用{}", facts.case_type.label(), profile.basis);
            return Some(Selection { profile, reason });
        }
        let by_row = facts
            .row_profile
            .and_then(|name| usable().find(|p| p.name == name && (p.regions.is_empty() || in_region(p))));
        if let Some(profile) = by_row {
            return Some(Selection { profile, reason: format!("派单表指定,适用{}", profile.basis) });
        }
        let by_channel =
            usable().find(|p| p.channels.contains(&facts.channel) && (!p.channel_and_region || in_region(p)));
        if let Some(profile) = by_channel {
            let reason = format!("来源渠道“{}”,适用{}", facts.channel.label(), profile.basis);
            return Some(Selection { profile, reason });
        }
        let by_region = usable().filter(|p| !p.channel_and_region && in_region(p)).max_by_key(|p| {
            let fits = |code: &&String| facts.region.is_some_and(|r| covers(code, r));
            p.regions.iter().filter(fits).map(|c| significant(c).len()).max()
        });
        if let Some(profile) = by_region {
            return Some(Selection { profile, reason: format!("受理中心所在地，适用{}", profile.basis) });
        }
        let profile = self.profile(default)?;
        let mut reason = format!("系统默认口径,适用{}", profile.basis);
        if !profile.in_force(facts.on) {
            reason.push_str("(该文件不在有效期内,请管理员核对)");
        }
        Some(Selection { profile, reason })
    }
}

/// The code without the zero pairs at its end: `350000` covers all of `35`.
fn significant(code: &str) -> &str {
    let mut code = code;
    while code.len() > 2 && code.ends_with("00") {
        code = code.strip_suffix("00").unwrap_or(code);
    }
    code
}

fn covers(code: &str, region: &str) -> bool {
    region.starts_with(significant(code))
}
