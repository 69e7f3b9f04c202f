//! The case (诉求件): its states, who may do what when, its clocks and its history.
//!
//! One aggregate, one table of transitions ([`lifecycle::TRANSITIONS`]) and one entrance for changes, [`apply()`]:
//! everything else (buttons, error answers, the progress bar of the enterprise) is derived from them.
//! What can be true at the same time as a state (paused, supervised, an extension asked for) is an
//! overlay on the [`Case`], not a state. Nothing here reads a clock, a file or a database.

pub mod action;
mod apply;
mod clock;
mod clocks;
mod closing;
mod dispatching;
mod error;
pub mod event;
mod handling;
pub mod input;
mod intake;
pub mod lifecycle;
mod merged;
mod missing;
pub mod model;
pub mod number;
mod outcome;
mod overlays;
mod reminders;
mod standing;
pub mod status;
#[cfg(test)]
mod tests;

pub use action::{Actor, CaseAction, OfficerStamp, Party};
pub use apply::apply;
pub use clocks::{CaseEnv, TimedAction, timed_actions};
pub use closing::{GRADES, LAYERS};
pub use event::{ActorStamp, CaseEvent, EventKind, Fact};
pub use input::{
    ActionInput, ContactMethod, ContactOutcome, MilestoneInput, ReplyRefusal, ReturnReason, SplitPart, TransferWay,
};
pub use intake::{NewCase, RULE_SOURCE, register};
pub use lifecycle::{TRANSITIONS, To, Transition, holds};
pub use merged::follow;
pub use missing::{Told, missing};
pub use model::{
    Case, CaseClock, CaseTask, ClockKey, ClockState, Closing, Confirmation, Draft, ExtensionRequest, FailedContacts,
    Limit, OutMessage, Outcome, Overlay, Party as CaseParty, PauseReason, PauseRecord, Prompts, ProposedTopic, Rating,
    Recipient, Requirements, Responsible, ReturnRequest, RouteFacts, Signature, TaskKind, TaskState, TransitionError,
};
pub use number::{CaseNumber, InvalidNumber, QueryCode};
pub use reminders::{Reminder, plan_since, remind, reminders};
pub use standing::{allowed_actions, longest_extension, pause_reasons, refusal};
pub use status::{CaseStatus, Conclusion, Stage};
