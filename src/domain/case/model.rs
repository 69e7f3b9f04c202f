//! The aggregate: what is known about one case, and the small records that hang on it.
//!
//! The original words are set once and never changed. Ratings, closings and returns are only ever added.

use jiff::{SignedDuration, Timestamp, civil::Date};

pub use super::{
    clock::{CaseClock, ClockKey, ClockState, Limit, PauseReason, PauseRecord},
    error::TransitionError,
    outcome::{OutMessage, Outcome, Recipient},
};
use crate::{
    domain::{
        case::{
            number::{CaseNumber, QueryCode},
            status::{CaseStatus, Conclusion},
        },
        ids::{CaseId, ConversationId, OfficerId, TaskId},
        kinds::{CaseType, Channel, Complexity, Urgency},
        sla::Approver,
    },
    vocabulary,
};

vocabulary! {
    /// A task that hangs on a case.
    TaskKind {
        Assist = "assist", "协办";
        /// Something an officer or the bot said will happen.
        Promise = "promise", "承诺";
        Milestone = "milestone", "方案节点";
    }
}

vocabulary! {
    /// The state of a task.
    TaskState {
        Open = "open", "未完成";
        Answered = "answered", "已答复";
        Waived = "waived", "已免除";
        Done = "done", "已完成";
        Missed = "missed", "未兑现";
        Cancelled = "cancelled", "已取消";
    }
}

/// What can be true beside the state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overlay {
    /// An extension was asked for and is not decided.
    pub extension: Option<ExtensionRequest>,
    /// A handler asked the centre for a P1 pause: the complete list of what is missing.
    pub pause_asked: Option<String>,
    /// 督办 level, 1 to 6.
    pub supervised: Option<u8>,
    /// 提级 rung, 1 to 6.
    pub escalated: Option<u8>,
    /// 领导交办.
    pub leader_assigned: bool,
    /// An earlier case about the same matter.
    pub repeat_of: Option<CaseNumber>,
    /// The case it was merged into.
    pub parent: Option<CaseNumber>,
    /// That case was answered or closed: there is something to rate.
    pub parent_answered: bool,
    /// The cases merged into it.
    pub merged_children: u32,
    /// The case it was split from.
    pub split_from: Option<CaseNumber>,
}

/// An extension the unit leader asked for (T24).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionRequest {
    /// Working days wanted.
    pub days: u32,
    /// Why; goes to the enterprise word for word.
    pub reason: String,
    /// Who asked.
    pub by: OfficerId,
    /// When.
    pub at: Timestamp,
}

/// A return a unit leader asked for (T17).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnRequest {
    /// The unit that wants to give the case back.
    pub unit: String,
    /// Reason code.
    pub reason: super::input::ReturnReason,
    /// The legal basis.
    pub basis: String,
    /// The unit it should go to instead.
    pub proposed_unit: String,
    /// When it was asked.
    pub at: Timestamp,
    /// `Some(true)`: granted, booked as 误派; `Some(false)`: refused, booked as 误退.
    pub granted: Option<bool>,
}

/// The reply before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The text the enterprise will read.
    pub text: String,
    /// What came out of it.
    pub conclusion: Conclusion,
    /// The handler who wrote it.
    pub author: OfficerId,
    /// The bot proposed the text.
    pub from_bot: bool,
    /// When.
    pub at: Timestamp,
}

/// The signature under a reply (审签). The text signed is the text delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The signed text.
    pub text: String,
    /// Conclusion signed with it.
    pub conclusion: Conclusion,
    /// Who drafted.
    pub drafter: OfficerId,
    /// Who signed.
    pub signer: OfficerId,
    /// How the signer is shown: name and unit.
    pub signer_name: String,
    /// Signed as deputy (AB岗).
    pub as_deputy: bool,
    /// When.
    pub at: Timestamp,
    /// When the enterprise got it.
    pub released_at: Option<Timestamp>,
}

/// How the enterprise's consent to closing came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// The enterprise said so itself.
    ByEnterprise(Timestamp),
    /// A verifier recorded it by phone, with the record of the call.
    ByPhone(Timestamp, String),
    /// Nobody answered: flagged and kept out of the satisfaction figures.
    Silent(Timestamp),
    /// The enterprise did not agree, and the recheck did not bear it out (T36).
    Dismissed(Timestamp),
    /// What cannot be solved was explained to the enterprise, with basis and log (T38).
    Explained(Timestamp),
}

/// One rating. The first one is never overwritten; later ones stand beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rating {
    /// 5 非常满意 · 4 满意 · 3 基本满意 · 2 不满意 · 1 非常不满意 (GB 好差评).
    pub grade: u8,
    /// Whether the enterprise says that it is solved.
    pub solved: bool,
    /// Reason tag.
    pub reason: Option<String>,
    /// Its own words.
    pub words: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The handling round it belongs to (0 = first).
    pub round: u16,
}

impl Rating {
    /// Whether it is a 差评: the two lowest grades, or not solved.
    pub const fn is_bad(&self) -> bool {
        self.grade <= 2 || !self.solved
    }
}

/// A task: an assisting unit's share, a promise, a milestone of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseTask {
    /// Its id.
    pub id: TaskId,
    /// What kind.
    pub kind: TaskKind,
    /// The unit that has to do it.
    pub unit: String,
    /// The question, the promise, the milestone.
    pub text: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is due.
    pub due_at: Option<Timestamp>,
    /// How it stands.
    pub state: TaskState,
    /// The answer or the result.
    pub answer: Option<String>,
    /// When it was answered, waived or done.
    pub ended_at: Option<Timestamp>,
    /// Ended after it was due.
    pub late: bool,
}

/// One closing; a reopened case keeps the old one in the statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The round that ended with it.
    pub round: u16,
    /// When.
    pub at: Timestamp,
    /// With which conclusion.
    pub conclusion: Conclusion,
    /// The layer that solved it: `unit`, `board`, `centre`, `county_leader`, `county`.
    pub resolved_layer: String,
    /// Closed without a word from the enterprise.
    pub silent: bool,
    /// Whether the reply was in time.
    pub in_time: bool,
}

/// What the policy asks for, as of the version that was in force when the case was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact with a name of its own")]
pub struct Requirements {
    /// Name of the profile.
    pub profile: String,
    /// Version or content hash of the profile.
    pub version: String,
    /// Why this profile.
    pub reason: String,
    /// K5 begins with the dispatch reaching the unit (象山、宿迁) instead of the acceptance (福建).
    pub starts_on_delivery: bool,
    /// The unit leader signs every reply.
    pub sign_off: bool,
    /// Closing needs the enterprise's word (or its silence after the window).
    pub submitter_confirm: bool,
    /// Closing needs the centre's verification.
    pub centre_verify: bool,
    /// Extensions exist at all.
    pub extension: bool,
    /// Who decides about the first one.
    pub extension_by: Approver,
    /// Opinions needed in the approval chain (宿迁 直通市长); 0 = no chain.
    pub chain: u8,
}

impl Default for Requirements {
    fn default() -> Self {
        Self {
            profile: String::new(),
            version: String::new(),
            reason: String::new(),
            starts_on_delivery: false,
            sign_off: true,
            submitter_confirm: true,
            centre_verify: true,
            extension: true,
            extension_by: Approver::Dispatcher,
            chain: 0,
        }
    }
}

/// The people and things on the enterprise's side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// Name of the enterprise; empty for an anonymous report.
    pub enterprise: String,
    /// 统一社会信用代码.
    pub uscc: Option<String>,
    /// Contact person.
    pub contact_name: String,
    /// Phone or other way to reach them.
    pub contact_phone: String,
    /// Identity is hidden from handling units.
    pub confidential: bool,
    /// Who filed on behalf of it.
    pub proxy: Option<String>,
}

/// Attempts to reach the enterprise that failed, since the case came to its unit.
///
/// Unanswered calls stand for the first contact only after two tries at different hours and a message that was left
/// (DOMAIN C07).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FailedContacts {
    /// Tries at different hours.
    pub tries: u16,
    /// The latest of them.
    pub last: Option<Timestamp>,
    /// A message was left.
    pub message_left: bool,
}

impl FailedContacts {
    /// Notes one more try.
    pub(super) fn add(&mut self, at: Timestamp, message_left: bool) {
        let hour = |one: Timestamp| one.as_second().div_euclid(3_600);
        if self.last.is_none_or(|last| hour(last) != hour(at)) {
            self.tries = self.tries.saturating_add(1);
            self.last = Some(at);
        }
        self.message_left |= message_left;
    }

    /// Whether they stand for the first contact.
    pub fn count(&self) -> bool {
        self.tries >= 2 && self.message_left
    }
}

/// What was done so far to get a word out of the enterprise in the window that runs: without it silence says nothing
/// (T06, T32).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prompts {
    /// Reminders sent.
    pub reminders: u8,
    /// When the latest of them was sent.
    pub reminded_at: Option<Timestamp>,
    /// Calls of the centre that are on record.
    pub calls: u8,
    /// When the latest of them was recorded.
    pub called_at: Option<Timestamp>,
    /// The centre was told that nothing goes on without a call.
    pub pressed: bool,
}

/// What rules and dispatch table said about a case when it was filed (DOMAIN 4.2 steps 4 to 7): a proposal that the
/// dispatcher judges by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouteFacts {
    /// The topic that the proposal rests on; a profile counts only while the case has it.
    pub topic: Option<String>,
    /// Board (板块).
    pub board: Option<String>,
    /// Category of the lead, in Chinese.
    pub category: Option<String>,
    /// Several units must act together.
    pub joint: bool,
    /// Which place counts, in Chinese.
    pub place_basis: Option<String>,
    /// Policy that the row of the table names.
    pub profile: Option<String>,
    /// What the row tells the dispatcher.
    pub guidance: String,
    /// Marks that a rule puts on the case.
    pub tags: Vec<String>,
    /// The best topics with what spoke for them.
    pub topics: Vec<ProposedTopic>,
    /// Rules that fired.
    pub rules: Vec<String>,
    /// How sure the rules were, in percent.
    pub confidence: u8,
}

/// A topic that came into question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProposedTopic {
    /// Its code.
    pub topic: String,
    /// Sum of what spoke for it.
    pub score: u32,
    /// The words that did.
    pub words: Vec<String>,
}

/// One case (诉求件).
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact with a name of its own")]
pub struct Case {
    /// Key in the database.
    pub id: CaseId,
    /// Number for people; unique, never used again.
    pub number: CaseNumber,
    /// Shared by the cases filed together: one progress page.
    pub query_code: QueryCode,
    /// Counts saves; compared when saving.
    pub version: i64,
    /// Main state.
    pub status: CaseStatus,
    /// Handling round: 0, then 1, 2 … after each reopening (`-R1`).
    pub round: u16,
    /// Case type.
    pub case_type: CaseType,
    /// Topic code.
    pub topic: Option<String>,
    /// Urgency.
    pub urgency: Urgency,
    /// Complexity, graded by the centre.
    pub complexity: Option<Complexity>,
    /// How it came in.
    pub channel: Channel,
    /// Administrative region of the accepting centre.
    pub region: String,
    /// One line for lists.
    pub title: String,
    /// The enterprise's own words: never changed.
    pub original_words: String,
    /// What it wants.
    pub demand: String,
    /// Where the matter is.
    pub place: Option<String>,
    /// Day it happened.
    pub happened_on: Option<Date>,
    /// Amount in question, as written.
    pub amount: Option<String>,
    /// Unit or person complained of, in the enterprise's words.
    pub object: Option<String>,
    /// The enterprise's side.
    pub party: Party,
    /// Slugs of units that must have no part in it (invariant 7).
    pub recused: Vec<String>,
    /// Conduct cases: visible to discipline only.
    pub sealed: bool,
    /// Conversation it came from.
    pub conversation: Option<ConversationId>,
    /// The lead unit that the routing table proposes.
    pub proposed_lead: Option<String>,
    /// Assisting units proposed.
    pub proposed_assists: Vec<String>,
    /// Why, in words for the dispatcher.
    pub route_reason: String,
    /// What else the rules and the dispatch table said, for the dispatcher.
    pub proposal: RouteFacts,
    /// Version of rules that decided, by content hash.
    pub rule_version: String,
    /// Id of the rule that had answered the matter before it was handled: a consultation like that has no extension
    /// (DOMAIN 2.5).
    pub answered_by_rule: Option<String>,
    /// Lead unit.
    pub lead_unit: Option<String>,
    /// Assisting units.
    pub assists: Vec<String>,
    /// Named responsible person.
    pub handler: Option<OfficerId>,
    /// Name of the handler, as shown.
    pub handler_name: Option<String>,
    /// What the policy asks for.
    pub requirements: Requirements,
    /// What is true beside the state.
    pub overlay: Overlay,
    /// Clocks, oldest first.
    pub clocks: Vec<CaseClock>,
    /// Pauses of the policy clock, oldest first.
    pub pauses: Vec<PauseRecord>,
    /// Tasks.
    pub tasks: Vec<CaseTask>,
    /// Reply being drafted.
    pub draft: Option<Draft>,
    /// Signed reply.
    pub signature: Option<Signature>,
    /// Ratings, oldest first.
    pub ratings: Vec<Rating>,
    /// Returns asked for, oldest first.
    pub returns: Vec<ReturnRequest>,
    /// The ownership was ruled: no return any more.
    pub ruled: bool,
    /// The officer who ruled: may not verify the case (DOMAIN 8).
    pub ruled_by: Option<OfficerId>,
    /// Times dispatched.
    pub dispatches: u16,
    /// Contact attempts that failed in this round.
    pub failed_contacts: FailedContacts,
    /// What was done in the window that runs for the enterprise.
    pub prompts: Prompts,
    /// Information was asked for before acceptance: only once.
    pub info_asked: bool,
    /// Withdrawn by silence, not by the enterprise: may be taken up again.
    pub lapsed: bool,
    /// Refusal code and path.
    pub refusal: Option<(crate::domain::kinds::Diversion, String)>,
    /// Who refused the case (T03).
    pub refused_by: Option<OfficerId>,
    /// The enterprise objected to a refusal: another one is the dispatcher's.
    pub objected: bool,
    /// Opinions given in the approval chain.
    pub approvals: u8,
    /// Who gave them.
    pub approvers: Vec<OfficerId>,
    /// Everybody who ever had the case in hand in its unit, from the first contact to the signature: none of them
    /// verifies it (invariant 8).
    pub wrote: Vec<OfficerId>,
    /// Extensions granted.
    pub extensions: u8,
    /// Urges counted, and when the last one was.
    pub urges: u32,
    /// When it was last urged.
    pub urged_at: Option<Timestamp>,
    /// Who verified the reply.
    pub verified_by: Option<OfficerId>,
    /// How the enterprise agreed.
    pub confirmation: Option<Confirmation>,
    /// Conclusion with which 销号 is asked for.
    pub conclusion: Option<Conclusion>,
    /// Closings, oldest first.
    pub closings: Vec<Closing>,
    /// Last event's sequence number within the case.
    pub last_seq: i64,
    /// Submitted at.
    pub submitted_at: Timestamp,
    /// Accepted at.
    pub accepted_at: Option<Timestamp>,
    /// First dispatched at.
    pub dispatched_at: Option<Timestamp>,
    /// Delivered to the present unit at.
    pub delivered_at: Option<Timestamp>,
    /// In the present state since.
    pub entered_at: Timestamp,
    /// Changed at.
    pub changed_at: Timestamp,
}

/// Who is responsible at the moment (invariant 2): always exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Responsible {
    /// Unit slug; `None` is the centre.
    pub unit: Option<String>,
    /// The person, where one is named.
    pub person: Option<OfficerId>,
}

impl Case {
    /// Who is responsible now: the centre until a unit has it, then the lead unit and its named person.
    pub fn responsible(&self) -> Responsible {
        use CaseStatus as S;
        match self.status {
            S::Draft
            | S::Submitted
            | S::NeedInfo
            | S::NotAccepted
            | S::Accepted
            | S::AnsweredOnSpot
            | S::OwnershipPending
            | S::PreApproval
            | S::ReturnPending
            | S::Replied
            | S::AwaitingConfirm
            | S::Recheck
            | S::ClosingReview
            | S::Closed
            | S::Archived
            | S::Withdrawn
            | S::Merged
            | S::Transferred => Responsible { unit: None, person: None },
            S::Dispatched | S::Signed | S::Processing | S::SignOffPending | S::PlanTracking | S::Rectifying => {
                Responsible { unit: self.lead_unit.clone(), person: self.handler }
            }
        }
    }

    /// The running or latest clock of a key.
    pub fn clock(&self, key: ClockKey) -> Option<&CaseClock> {
        self.clocks.iter().rev().find(|clock| clock.key == key)
    }

    /// How often a unit signed in or made its first contact too late (K3, K4), a limit that runs over now included
    /// (DOMAIN 2.6, step 4: broken twice is a 督办).
    pub fn late_starts(&self, now: Timestamp) -> usize {
        let late = |c: &CaseClock| c.missed || (c.is_open() && c.due_at.is_some_and(|due| now > due));
        self.clocks.iter().filter(|c| matches!(c.key, ClockKey::K3 | ClockKey::K4) && late(c)).count()
    }

    /// When the enterprise gets its answer at the latest (K5), or before acceptance when it hears from us (K1).
    pub fn due_at(&self) -> Option<Timestamp> {
        self.clock(ClockKey::K5).or_else(|| self.clock(ClockKey::K1)).and_then(|clock| clock.due_at)
    }

    /// The pause that lasts now.
    pub fn open_pause(&self) -> Option<&PauseRecord> {
        self.pauses.iter().find(|pause| pause.ended_at.is_none())
    }

    /// Assist tasks nobody has answered or waived.
    pub fn open_assists(&self) -> usize {
        self.tasks.iter().filter(|task| task.kind == TaskKind::Assist && task.state == TaskState::Open).count()
    }

    /// Whether the enterprise may withdraw it: not complaints and reports of public interest, nor what a leader
    /// assigned (T43).
    pub const fn may_be_withdrawn(&self) -> bool {
        !self.overlay.leader_assigned
            && !matches!(self.case_type, CaseType::Complaint | CaseType::Report | CaseType::Conduct)
    }

    /// The number as shown: with `-R1` after a reopening.
    pub fn display_number(&self) -> String {
        self.number.with_round(self.round)
    }

    /// Whether the enterprise left a number that can be called.
    pub(super) fn has_phone(&self) -> bool {
        self.party.contact_phone.chars().filter(char::is_ascii_digit).count() >= 7
    }

    /// Keeps who had a hand in the case, also when it is somebody else's afterwards.
    pub(super) fn note_hand(&mut self, officer: OfficerId) {
        if !self.wrote.contains(&officer) {
            self.wrote.push(officer);
        }
    }

    /// Cancels the tasks that are still open: the case ended on another road.
    pub(super) fn cancel_tasks(&mut self, at: Timestamp) {
        for task in self.tasks.iter_mut().filter(|task| task.state == TaskState::Open) {
            task.state = TaskState::Cancelled;
            task.ended_at = Some(at);
        }
    }

    /// How long the policy clock has stood still, by the wall, until `now`.
    pub fn paused_for(&self, now: Timestamp) -> SignedDuration {
        self.pauses
            .iter()
            .map(|pause| pause.ended_at.unwrap_or(now).duration_since(pause.from))
            .fold(SignedDuration::ZERO, |sum, one| sum + one)
    }

    /// What the centre is asked to decide about it at the moment, in a word for lists; the second extension is the
    /// supervisor's.
    pub const fn asked(&self) -> Option<&'static str> {
        if self.overlay.extension.is_some() {
            Some(match (self.extensions, self.requirements.extension_by) {
                (0, Approver::Dispatcher) => "extension",
                (0, Approver::UnitLeader) => "unit_extension",
                (0, Approver::Supervisor) | (1.., _) => "second_extension",
            })
        } else if self.overlay.pause_asked.is_some() {
            Some("pause")
        } else {
            None
        }
    }

    /// The overlays in words, for lists and pages.
    pub fn overlay_labels(&self) -> Vec<String> {
        let mut labels = Vec::new();
        if let Some(pause) = self.open_pause() {
            labels.push(format!("暂停计时：{}", pause.reason.label()));
        }
        if self.overlay.extension.is_some() {
            labels.push("延期待审".to_owned());
        }
        if self.overlay.pause_asked.is_some() {
            labels.push("暂停待审".to_owned());
        }
        if let Some(level) = self.overlay.supervised {
            labels.push(format!("督办{level}级"));
        }
        if let Some(rung) = self.overlay.escalated {
            labels.push(format!("提级{rung}层"));
        }
        if self.open_assists() > 0 {
            labels.push(format!("协办{}项未答", self.open_assists()));
        }
        if self.overlay.leader_assigned {
            labels.push("领导交办".to_owned());
        }
        if self.party.confidential {
            labels.push("身份保密".to_owned());
        }
        if self.overlay.repeat_of.is_some() {
            labels.push("重复事项".to_owned());
        }
        if self.overlay.merged_children > 0 {
            labels.push(format!("并入{}件", self.overlay.merged_children));
        }
        labels
    }
}
