//! What comes with an action: one variant per action, with the fields its guard needs.

use jiff::{Timestamp, civil::Date};

use crate::{
    domain::{
        case::{action::CaseAction, model::PauseReason, status::Conclusion},
        ids::{OfficerId, TaskId},
        kinds::{CaseType, Complexity, Diversion, Urgency},
    },
    vocabulary,
};

vocabulary! {
    /// Where a case goes that leaves the platform (T46).
    TransferWay {
        External = "external", "对方已受理，有受理编号";
        /// 信访, 仲裁, 诉讼: nobody gives a receipt.
        Statutory = "statutory", "引导走法定途径，没有受理编号";
    }
}

vocabulary! {
    /// Why a unit gives a case back.
    ReturnReason {
        NotOurDuty = "not_our_duty", "不属本单位职责";
        NotOurArea = "not_our_area", "不属本辖区";
        HigherLevel = "higher_level", "属上级权限";
        WrongClass = "wrong_class", "分类错误";
        Duplicate = "duplicate", "重复派单";
    }
}

vocabulary! {
    /// Why the centre refuses a reply (T29).
    ReplyRefusal {
        NotContacted = "not_contacted", "未联系企业";
        BesidesThePoint = "besides_the_point", "答非所问";
        ContradictsFacts = "contradicts_facts", "结论与事实不符";
        NotSigned = "not_signed", "未审签";
        NoBasis = "no_basis", "缺少依据";
        NotSolved = "not_solved", "未解决";
    }
}

vocabulary! {
    /// How a handler reached the enterprise.
    ContactMethod {
        Phone = "phone", "电话";
        Visit = "visit", "上门";
        Meeting = "meeting", "面谈";
        Message = "message", "平台消息";
        Video = "video", "视频";
    }
}

/// How an attempt to reach the enterprise ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactOutcome {
    /// Somebody was spoken to.
    Reached,
    /// Nobody answered; a message was left.
    MessageLeft,
    /// Nobody answered.
    Failed,
}

/// A milestone of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MilestoneInput {
    /// What will be reached.
    pub text: String,
    /// By which day.
    pub due_on: Date,
}

/// One part of a case that is split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitPart {
    /// One line.
    pub title: String,
    /// What is wanted.
    pub demand: String,
    /// Type of the part.
    pub case_type: CaseType,
    /// Topic of the part.
    pub topic: Option<String>,
}

/// An action with its fields. Texts are trimmed by the edge; guards check the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants and fields are the actions and fields of DOMAIN 3.2, one to one")]
pub enum ActionInput {
    Submit,
    Refuse {
        code: Diversion,
        path: String,
    },
    Object {
        text: String,
    },
    RequestInfo {
        items: Vec<String>,
    },
    SupplyInfo {
        text: String,
    },
    LapseInfo,
    Accept {
        case_type: CaseType,
        topic: Option<String>,
        urgency: Urgency,
        complexity: Option<Complexity>,
        /// The officer looked at the duplicates that were shown.
        duplicates_checked: bool,
        repeat_of: Option<super::number::CaseNumber>,
        /// Which repeat of its matter this case is: 0 for the first time it is raised.
        repeats: u32,
    },
    AnswerOnSpot {
        text: String,
        source: String,
    },
    RequestHandling {
        words: Option<String>,
    },
    MarkOwnershipPending {
        candidates: Vec<String>,
        reason: String,
    },
    RuleOwnership {
        lead: String,
        assists: Vec<String>,
        ruling: String,
        basis: String,
        participants: String,
    },
    Endorse {
        opinion: String,
        lead: Option<String>,
        assists: Vec<String>,
    },
    Dispatch {
        lead: String,
        assists: Vec<String>,
        complexity: Option<Complexity>,
        note: Option<String>,
    },
    SignIn {
        register_no: String,
        handler: Option<(OfficerId, String)>,
    },
    DeemSigned,
    Assign {
        handler: (OfficerId, String),
    },
    RequestReturn {
        reason: ReturnReason,
        basis: String,
        proposed_unit: String,
    },
    GrantReturn {
        lead: String,
        assists: Vec<String>,
        note: Option<String>,
    },
    RefuseReturn {
        reason: String,
        /// Returns of the same unit that were refused lately, before this one.
        refused_before: u32,
    },
    RecordContact {
        method: ContactMethod,
        person: String,
        outcome: ContactOutcome,
        result: String,
        at: Option<Timestamp>,
    },
    RecordProgress {
        text: String,
        public: bool,
    },
    AskAssist {
        unit: String,
        question: String,
        due_on: Option<Date>,
    },
    AnswerAssist {
        task: TaskId,
        text: String,
    },
    WaiveAssist {
        task: TaskId,
        reason: String,
    },
    Pause {
        reason: PauseReason,
        explanation: String,
        document: Option<String>,
        until_on: Option<Date>,
    },
    Resume {
        note: Option<String>,
    },
    RequestExtension {
        days: u32,
        reason: String,
    },
    GrantExtension {
        days: Option<u32>,
    },
    RefuseExtension {
        reason: String,
    },
    Regrade {
        case_type: Option<CaseType>,
        topic: Option<String>,
        complexity: Option<Complexity>,
        reason: String,
        basis: Option<String>,
        due_on: Option<Date>,
    },
    DraftReply {
        text: String,
        conclusion: Conclusion,
        from_bot: bool,
    },
    RejectDraft {
        comment: String,
    },
    SignOff,
    ReleaseReply {
        note: Option<String>,
    },
    RefuseReply {
        reason: ReplyRefusal,
        comment: String,
    },
    Confirm {
        solved: bool,
        words: Option<String>,
        call_record: Option<String>,
    },
    Rate {
        grade: u8,
        solved: Option<bool>,
        reason: Option<String>,
        words: Option<String>,
    },
    ConfirmSilently,
    AcceptPlan {
        milestones: Vec<MilestoneInput>,
    },
    ReportMilestone {
        reached: bool,
        text: String,
    },
    UpholdRating {
        facts: String,
        rectify: String,
    },
    DismissRating {
        finding: String,
        explanation: String,
        evidence: String,
    },
    RequestClose {
        conclusion: Conclusion,
        basis: Option<String>,
        coordination_log: Option<String>,
        explanation: Option<String>,
        summary: String,
    },
    ApproveClose {
        resolved_layer: String,
        note: Option<String>,
    },
    RefuseClose {
        reason: String,
    },
    Reopen {
        reason: String,
    },
    Archive {
        package: String,
    },
    Withdraw {
        reason: String,
    },
    Merge {
        into: super::number::CaseNumber,
        same_enterprise: bool,
        /// Both are about the same matter.
        same_matter: bool,
        parent_open: bool,
    },
    Split {
        parts: Vec<SplitPart>,
    },
    TransferOut {
        to: String,
        receipt: String,
        reason: String,
        way: TransferWay,
    },
    Supervise {
        level: u8,
        letter: String,
    },
    EndSupervision {
        result: String,
    },
    Escalate {
        rung: u8,
        reason: String,
    },
    Urge {
        words: Option<String>,
    },
    AddInfo {
        text: String,
    },
}

impl ActionInput {
    /// How many task ids the action may use up.
    pub fn new_tasks(&self) -> usize {
        if let Self::AcceptPlan { milestones } = self {
            milestones.len()
        } else {
            usize::from(matches!(self, Self::AskAssist { .. }))
        }
    }

    /// The action this is the input of.
    pub const fn action(&self) -> CaseAction {
        match self {
            Self::Submit => CaseAction::Submit,
            Self::Refuse { .. } => CaseAction::Refuse,
            Self::Object { .. } => CaseAction::Object,
            Self::RequestInfo { .. } => CaseAction::RequestInfo,
            Self::SupplyInfo { .. } => CaseAction::SupplyInfo,
            Self::LapseInfo => CaseAction::LapseInfo,
            Self::Accept { .. } => CaseAction::Accept,
            Self::AnswerOnSpot { .. } => CaseAction::AnswerOnSpot,
            Self::RequestHandling { .. } => CaseAction::RequestHandling,
            Self::MarkOwnershipPending { .. } => CaseAction::MarkOwnershipPending,
            Self::RuleOwnership { .. } => CaseAction::RuleOwnership,
            Self::Endorse { .. } => CaseAction::Endorse,
            Self::Dispatch { .. } => CaseAction::Dispatch,
            Self::SignIn { .. } => CaseAction::SignIn,
            Self::DeemSigned => CaseAction::DeemSigned,
            Self::Assign { .. } => CaseAction::Assign,
            Self::RequestReturn { .. } => CaseAction::RequestReturn,
            Self::GrantReturn { .. } => CaseAction::GrantReturn,
            Self::RefuseReturn { .. } => CaseAction::RefuseReturn,
            Self::RecordContact { .. } => CaseAction::RecordContact,
            Self::RecordProgress { .. } => CaseAction::RecordProgress,
            Self::AskAssist { .. } => CaseAction::AskAssist,
            Self::AnswerAssist { .. } => CaseAction::AnswerAssist,
            Self::WaiveAssist { .. } => CaseAction::WaiveAssist,
            Self::Pause { .. } => CaseAction::Pause,
            Self::Resume { .. } => CaseAction::Resume,
            Self::RequestExtension { .. } => CaseAction::RequestExtension,
            Self::GrantExtension { .. } => CaseAction::GrantExtension,
            Self::RefuseExtension { .. } => CaseAction::RefuseExtension,
            Self::Regrade { .. } => CaseAction::Regrade,
            Self::DraftReply { .. } => CaseAction::DraftReply,
            Self::RejectDraft { .. } => CaseAction::RejectDraft,
            Self::SignOff => CaseAction::SignOff,
            Self::ReleaseReply { .. } => CaseAction::ReleaseReply,
            Self::RefuseReply { .. } => CaseAction::RefuseReply,
            Self::Confirm { .. } => CaseAction::Confirm,
            Self::Rate { .. } => CaseAction::Rate,
            Self::ConfirmSilently => CaseAction::ConfirmSilently,
            Self::AcceptPlan { .. } => CaseAction::AcceptPlan,
            Self::ReportMilestone { .. } => CaseAction::ReportMilestone,
            Self::UpholdRating { .. } => CaseAction::UpholdRating,
            Self::DismissRating { .. } => CaseAction::DismissRating,
            Self::RequestClose { .. } => CaseAction::RequestClose,
            Self::ApproveClose { .. } => CaseAction::ApproveClose,
            Self::RefuseClose { .. } => CaseAction::RefuseClose,
            Self::Reopen { .. } => CaseAction::Reopen,
            Self::Archive { .. } => CaseAction::Archive,
            Self::Withdraw { .. } => CaseAction::Withdraw,
            Self::Merge { .. } => CaseAction::Merge,
            Self::Split { .. } => CaseAction::Split,
            Self::TransferOut { .. } => CaseAction::TransferOut,
            Self::Supervise { .. } => CaseAction::Supervise,
            Self::EndSupervision { .. } => CaseAction::EndSupervision,
            Self::Escalate { .. } => CaseAction::Escalate,
            Self::Urge { .. } => CaseAction::Urge,
            Self::AddInfo { .. } => CaseAction::AddInfo,
        }
    }
}
