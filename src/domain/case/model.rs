//! The aggregate: what is known about one case, and the small records that hang on it.
//!
//! The original words are set once and never changed. Ratings, closings and returns are only ever added.

use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::{
    domain::{
        case::{
            action::{CaseAction, Party as ActingParty},
            event::CaseEvent,
            input::SplitPart,
            number::{CaseNumber, QueryCode},
            status::{CaseStatus, Conclusion},
        },
        ids::{CaseId, ConversationId, OfficerId, TaskId},
        kinds::{CaseType, Channel, Complexity, Urgency},
        sla::Budget,
    },
    vocabulary,
};

vocabulary! {
    /// The clocks of one case (DOMAIN 2.3); a single due date would be the commonest design error.
    ClockKey {
        K1 = "K1", "受理";
        K2 = "K2", "分派";
        K3 = "K3", "签收";
        K4 = "K4", "首次联系";
        /// The clock of the policy, the one the enterprise sees.
        K5 = "K5", "答复";
        K5a = "K5a", "协办";
        K6 = "K6", "审签";
        K7 = "K7", "核实";
        K8 = "K8", "回访确认";
        K9 = "K9", "复核整改";
        K10 = "K10", "退单";
        K11 = "K11", "延期";
        K12 = "K12", "督办";
        K13 = "K13", "方案跟踪";
    }
}

vocabulary! {
    /// What a clock does at the moment.
    ClockState {
        Running = "running", "计时中";
        Paused = "paused", "暂停";
        /// Stopped for now: a signed reply that the centre or the enterprise may still refuse.
        Held = "held", "暂停待核实";
        Stopped = "stopped", "已停止";
        /// Ended without a result: the case was withdrawn, merged, returned …
        Cancelled = "cancelled", "已取消";
    }
}

vocabulary! {
    /// Why the clock may stand still (DOMAIN 2.4). 内部会签、领导外出、等经费 are no reasons and have no word here.
    PauseReason {
        P1 = "P1", "待企业补充";
        P2 = "P2", "法定程序";
        P3 = "P3", "企业书面请求暂缓";
        P4 = "P4", "不可抗力或系统停机";
    }
}

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

/// One clock of a case. `due_at` moves only by pause, extension, grade, type or calendar change.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseClock {
    /// Which clock.
    pub key: ClockKey,
    /// Counts the clocks of one key within a case, from 1: a second dispatch has a second K3.
    pub turn: u16,
    /// The task it belongs to (K5a, K13).
    pub task: Option<TaskId>,
    /// Who is accountable: a unit's slug, or `centre`.
    pub owner: String,
    /// When counting began.
    pub started_at: Timestamp,
    /// The limit, e.g. ten working days. Rules are those of the schedule; see [`crate::domain::sla`].
    pub limit: Limit,
    /// Working days added by extensions.
    pub extension_days: u32,
    /// When it is due; `None` while an open pause lasts.
    pub due_at: Option<Timestamp>,
    /// The due date rests on a calendar that is not yet published.
    pub provisional: bool,
    /// What it does now.
    pub state: ClockState,
    /// When it was stopped or held.
    pub stopped_at: Option<Timestamp>,
    /// Whether it was stopped after it was due.
    pub missed: bool,
}

/// How long a clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// An amount of time, counted by the schedule.
    Budget(Budget),
    /// A fixed moment: a date the centre set or a limit that follows another clock.
    Until(Timestamp),
    /// A statutory limit nobody has entered yet.
    Open,
}

/// One interval in which the policy clock stood still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseRecord {
    /// Why.
    pub reason: PauseReason,
    /// What the enterprise reads: the missing items, the procedure.
    pub explanation: String,
    /// The document that proves it (P2).
    pub document: Option<String>,
    /// From when.
    pub from: Timestamp,
    /// When it ends at the latest; the timer resumes then.
    pub until: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
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
    pub failed_contacts: u16,
    /// Information was asked for before acceptance: only once.
    pub info_asked: bool,
    /// Withdrawn by silence, not by the enterprise: may be taken up again.
    pub lapsed: bool,
    /// Refusal code and path.
    pub refusal: Option<(crate::domain::kinds::Diversion, String)>,
    /// Opinions given in the approval chain.
    pub approvals: u8,
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

/// Who a message goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// The enterprise.
    Enterprise,
    /// Everybody of a unit who holds the party's role.
    Unit(String),
    /// The centre.
    Centre,
    /// One officer.
    Officer(OfficerId),
}

/// A message to be sent after the change is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutMessage {
    /// Who gets it.
    pub to: Recipient,
    /// Kind of event, a stable word for templates and webhooks.
    pub kind: &'static str,
    /// The text in Chinese.
    pub text: String,
}

/// What an action leads to. Nothing is done yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The case after it.
    pub case: Case,
    /// What happened, in order.
    pub events: Vec<CaseEvent>,
    /// Who is told.
    pub messages: Vec<OutMessage>,
    /// Parts to be filed as cases of their own (T45).
    pub parts: Vec<SplitPart>,
}

/// Why an action was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// The state does not know the action.
    #[error("{action} is not possible in {status}")]
    NotAllowed {
        /// The state.
        status: CaseStatus,
        /// The action.
        action: CaseAction,
    },
    /// The state knows the action, but not by this actor.
    #[error("{action} in {status} belongs to {parties:?}")]
    Forbidden {
        /// The state.
        status: CaseStatus,
        /// The action.
        action: CaseAction,
        /// Who may do it.
        parties: &'static [ActingParty],
    },
    /// A field of the input is missing or wrong.
    #[error("field {field}: {message}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What is wrong, in Chinese.
        message: &'static str,
    },
    /// The conclusion does not belong to the case type.
    #[error("conclusion {0} does not fit the case type")]
    ConclusionMismatch(Conclusion),
    /// The one time in which something may be asked or done is over.
    #[error("{0} is possible only once")]
    OnlyOnce(&'static str),
    /// A timer came before its time.
    #[error("not before {at}")]
    TooEarly {
        /// When it is due.
        at: Timestamp,
    },
    /// Too late: the window of an action is over.
    #[error("the window for {0} is over")]
    WindowOver(&'static str),
    /// No return after a ruling.
    #[error("the ownership was ruled, a return is not possible")]
    AlreadyRuled,
    /// The unit is named as the object of the complaint.
    #[error("unit {0} is recused")]
    Recused(String),
    /// The unit is not known or not active.
    #[error("unit {0} is unknown")]
    UnknownUnit(String),
    /// The drafter may not sign.
    #[error("the drafter may not sign the reply")]
    DrafterMayNotSign,
    /// The handler may not verify, recheck or close.
    #[error("the handler may not verify the case")]
    HandlerMayNotVerify,
    /// Who ruled the ownership may not verify the conclusion.
    #[error("the officer who ruled the ownership may not verify the case")]
    RulerMayNotVerify,
    /// Assist tasks are open.
    #[error("{0} assist tasks are open")]
    AssistOpen(usize),
    /// A task that is not there, or not this unit's.
    #[error("no such open task")]
    NoSuchTask,
    /// Nobody is named as responsible.
    #[error("no responsible person is named")]
    NoHandler,
    /// The clock is paused already, or not paused.
    #[error("the clock is {}paused", if *.0 { "" } else { "not " })]
    Paused(bool),
    /// The policy has no extension, or not for this case.
    #[error("no extension: {0}")]
    NoExtension(&'static str),
    /// Flags that the policy asks for before closing.
    #[error("closing needs {0:?}")]
    CloseNeeds(Vec<&'static str>),
    /// A public-interest or leader-assigned case cannot be withdrawn.
    #[error("this case cannot be withdrawn")]
    MayNotWithdraw,
    /// Urged too soon again.
    #[error("urged already")]
    UrgedAlready {
        /// From when the next one counts.
        next_at: Timestamp,
    },
    /// The text holds something that must not go out (secrets, personal numbers).
    #[error("the reply holds {0}")]
    UnsafeText(&'static str),
    /// The due date is over: it must be set anew.
    #[error("the recomputed due date is over, an explicit one is needed")]
    DueInPast,
    /// A clock could not be computed.
    #[error("clock {key}: {detail}")]
    Clock {
        /// Which clock.
        key: ClockKey,
        /// What the calendar said.
        detail: String,
    },
    /// Merging a case with itself or with one that does not run.
    #[error("cannot merge: {0}")]
    CannotMerge(&'static str),
}

impl TransitionError {
    /// Stable code for programs, and the key of the text for people.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAllowed { .. } => "case.transition_not_allowed",
            Self::Forbidden { .. } => "case.role_not_allowed",
            Self::Field { .. } => "case.field",
            Self::ConclusionMismatch(_) => "case.conclusion_mismatch",
            Self::OnlyOnce(_) => "case.only_once",
            Self::TooEarly { .. } => "case.too_early",
            Self::WindowOver(_) => "case.window_over",
            Self::AlreadyRuled => "case.already_ruled",
            Self::Recused(_) => "case.recused",
            Self::UnknownUnit(_) => "case.unknown_unit",
            Self::DrafterMayNotSign => "case.drafter_may_not_sign",
            Self::HandlerMayNotVerify => "case.handler_may_not_verify",
            Self::RulerMayNotVerify => "case.ruler_may_not_verify",
            Self::AssistOpen(_) => "case.assist_open",
            Self::NoSuchTask => "case.no_such_task",
            Self::NoHandler => "case.no_handler",
            Self::Paused(_) => "case.paused",
            Self::NoExtension(_) => "case.no_extension",
            Self::CloseNeeds(_) => "case.close_needs",
            Self::MayNotWithdraw => "case.may_not_withdraw",
            Self::UrgedAlready { .. } => "case.urged_already",
            Self::UnsafeText(_) => "case.unsafe_text",
            Self::DueInPast => "case.due_in_past",
            Self::Clock { .. } => "case.clock",
            Self::CannotMerge(_) => "case.cannot_merge",
        }
    }

    /// The sentence for people, in Chinese.
    pub fn message(&self) -> String {
        match self {
            Self::NotAllowed { status, action } => {
                format!("当前状态“{}”不能“{}”", status.label(), action.label())
            }
            Self::Forbidden { action, parties, .. } => {
                let who: Vec<&str> = parties.iter().map(|party| party.label()).collect();
                format!("“{}”须由{}操作", action.label(), who.join("、"))
            }
            Self::Field { message, .. } => (*message).to_owned(),
            Self::ConclusionMismatch(conclusion) => format!("办理结论“{}”与事项类型不符", conclusion.label()),
            Self::OnlyOnce(what) => format!("{what}只能进行一次"),
            Self::TooEarly { .. } => "时间未到".to_owned(),
            Self::WindowOver(what) => format!("已超过期限：{what}"),
            Self::AlreadyRuled => "已裁定或已改派，不得再退单".to_owned(),
            Self::Recused(_) => "该单位是被反映对象，须回避".to_owned(),
            Self::UnknownUnit(unit) => format!("没有这个单位：{unit}"),
            Self::DrafterMayNotSign => "拟稿人不能审签本人拟的答复，请由分管负责人或AB岗审签".to_owned(),
            Self::HandlerMayNotVerify => "承办、拟稿、审签人员不能核实或复核本件".to_owned(),
            Self::RulerMayNotVerify => "裁定本件权属的人员不能核实本件".to_owned(),
            Self::AssistOpen(n) => format!("还有{n}项协办未答复，请等待或由分管负责人免予协办"),
            Self::NoSuchTask => "没有这项待办的协办任务".to_owned(),
            Self::NoHandler => "尚未指定承办人".to_owned(),
            Self::Paused(true) => "正在暂停计时".to_owned(),
            Self::Paused(false) => "没有暂停计时".to_owned(),
            Self::NoExtension(why) => format!("不能延期：{why}"),
            Self::CloseNeeds(what) => format!("销号还缺：{}", what.join("、")),
            Self::MayNotWithdraw => "投诉举报、作风问题和领导交办的事项不能撤回".to_owned(),
            Self::UrgedAlready { .. } => "两个工作日内已催办过，已在督促".to_owned(),
            Self::UnsafeText(what) => format!("答复中含有不应发出的内容：{what}"),
            Self::DueInPast => "按新的分类分级计算，时限已过，请由中心明确新的日期".to_owned(),
            Self::Clock { .. } => "时限无法计算，请检查工作日历".to_owned(),
            Self::CannotMerge(_) => "不能并入该件：编号是本件或该件已办结".to_owned(),
        }
    }
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
