//! The clock stack of a case (K1–K13, DOMAIN 2.3) and the warning and escalation ladder (DOMAIN 2.6), as data.
//!
//! The data stands in `rules/sla/_clocks.toml`; nothing here knows a length or a step of its own.

use jiff::Timestamp;

use super::{
    due::{Budget, DueRequest, Schedule, SlaError, Unit, Warn},
    profile::Within,
};
use crate::vocabulary;

vocabulary! {
    /// Whether a clock runs in minutes or in days; it decides which triggers of the ladder hold for it.
    ClockKind {
        Days = "days", "按日";
        Minutes = "minutes", "按分钟";
    }
}

impl ClockKind {
    /// The kind of a clock with this budget: anything below a working day is a minute clock.
    pub const fn of(budget: Budget) -> Self {
        match budget.unit {
            Unit::WorkingDays | Unit::CalendarDays => Self::Days,
            Unit::WorkingHours | Unit::WorkingMinutes | Unit::Minutes => Self::Minutes,
        }
    }
}

/// One clock of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackClock {
    /// K1 … K13, K5a.
    pub key: String,
    /// 受理, 分派 …
    pub label: String,
    /// Its default length; `None` where the policy or the case decides (K5, K6, K13).
    pub within: Option<Within>,
    /// A second limit that also holds: K1 “never later than 1 wd”, K3 “at 1 wd deemed signed”.
    pub hard: Option<Within>,
    /// The event that starts it.
    pub start: String,
    /// The event that stops it.
    pub stop: String,
    /// Who answers for it.
    pub owner: String,
    /// The highest step of the ladder it may climb; `None`: nobody is warned.
    pub ladder_to: Option<u8>,
}

/// When a step of the ladder is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LadderTrigger {
    /// This part of the budget is used.
    PercentUsed(u32),
    /// This much working time is left.
    Left(Budget),
    /// At the due moment, or this much working time after it.
    After(Budget),
}

/// One step of the ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// 0–6; unique, and unique per case and clock when it fires.
    pub step: u8,
    /// 提示, 黄, 红 …
    pub label: String,
    /// When, for clocks that run in days.
    pub days: Option<LadderTrigger>,
    /// When, for a limit of a single working day; `None`: as `days`.
    pub one_day: Option<LadderTrigger>,
    /// When, for clocks that run in minutes; `None`: this step does not exist for them.
    pub minutes: Option<LadderTrigger>,
    /// Role slugs that are told, or external offices as written.
    pub to: Vec<String>,
    /// What happens.
    pub action: String,
    /// What the step reads like to those who are told.
    pub text: String,
    /// Reply limit of the letter, where it is one.
    pub reply_within: Option<Within>,
}

impl Rung {
    /// The trigger of this step for a clock with this budget.
    pub fn trigger(&self, budget: Budget) -> Option<LadderTrigger> {
        match ClockKind::of(budget) {
            ClockKind::Minutes => self.minutes,
            ClockKind::Days if budget.unit == Unit::WorkingDays && budget.n <= 1 => self.one_day.or(self.days),
            ClockKind::Days => self.days,
        }
    }
}

/// The ladder, lowest step first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ladder {
    /// Its steps.
    pub rungs: Vec<Rung>,
}

impl Ladder {
    /// The step of this number.
    pub fn rung(&self, step: u8) -> Option<&Rung> {
        self.rungs.iter().find(|r| r.step == step)
    }

    /// When each step of a running clock fires; a clock without a due moment fires nothing.
    ///
    /// # Errors
    /// As [`Schedule::due`].
    pub fn moments(
        &self,
        schedule: &Schedule,
        request: &DueRequest<'_>,
        due: Option<Timestamp>,
    ) -> Result<Vec<(u8, Timestamp)>, SlaError> {
        let Some(due) = due else { return Ok(Vec::new()) };
        let mut out = Vec::with_capacity(self.rungs.len());
        for rung in &self.rungs {
            let moment = match rung.trigger(request.budget) {
                None => None,
                Some(LadderTrigger::PercentUsed(p)) => schedule.warning(request, Warn::Percent(p))?,
                Some(LadderTrigger::Left(left)) => {
                    schedule.warning(request, Warn::BeforeMinutes(minutes_of(schedule, left)))?
                }
                // One second past due: at the due second a case is not overdue.
                Some(LadderTrigger::After(Budget { n: 0, .. })) => {
                    due.checked_add(jiff::SignedDuration::from_secs(1)).ok()
                }
                Some(LadderTrigger::After(later)) => schedule.due(&DueRequest::new(due, later))?.due,
            };
            out.extend(moment.map(|moment| (rung.step, moment)));
        }
        Ok(out)
    }
}

fn minutes_of(schedule: &Schedule, budget: Budget) -> u32 {
    let seconds = match budget.unit {
        Unit::WorkingDays | Unit::CalendarDays => schedule.hours().day_seconds(),
        Unit::WorkingHours => 3600,
        Unit::WorkingMinutes | Unit::Minutes => 60,
    };
    u32::try_from(seconds * i64::from(budget.n) / 60).unwrap_or(u32::MAX)
}
