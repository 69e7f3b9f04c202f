//! Time limits (办理时限): calendars, office hours, due dates, warnings, policies and the words for them.
//!
//! Everything here is pure: functions take instants and return instants. The zone is a value of [`Schedule`],
//! its data is compiled in. The counting rules are those of the external contract (`sla due`), to the letter.
//!
//! Invariants: a date of an unpublished year is never taken as certain (`provisional`); a due date depends on
//! nothing but the request, the calendar, the hours and the zone; nothing here starts, stops or pauses a clock.

mod calendar;
mod due;
mod file;
mod hours;
mod ladder;
mod profile;
mod words;

pub use calendar::{CalendarYear, DayKind, Holiday, WorkCalendar};
pub use due::{Budget, Convention, Due, DueRequest, MAX_DAY, Pause, Plan, ReceiptRule, Schedule, SlaError, Unit, Warn};
pub use file::FileError;
pub use hours::{OfficeHours, Season, Session};
pub use ladder::{ClockKind, Ladder, LadderTrigger, Rung, StackClock};
pub use profile::{
    Answer, AnswerFacts, AnswerRow, Approver, CloseRules, Duty, Extension, NamedLimit, PolicyFacts, Profile,
    ProfileKind, Selection, SignOff, SilentConfirm, SlaBook, Source, Within,
};
pub use words::{Remaining, chinese_date, chinese_date_time, due_in_words, duration_in_words, weekday};

#[cfg(test)]
mod laws;
