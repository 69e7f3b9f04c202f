//! Why an action was refused, with the sentence for people.

use jiff::Timestamp;

use crate::domain::case::{
    action::{CaseAction, Party},
    model::ClockKey,
    status::{CaseStatus, Conclusion},
};

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
        parties: &'static [Party],
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
    #[error("field {field}: unit {unit} is unknown")]
    UnknownUnit {
        /// Name of the field.
        field: &'static str,
        /// What was given.
        unit: String,
    },
    /// The drafter may not sign.
    #[error("the drafter may not sign the reply")]
    DrafterMayNotSign,
    /// The handler may not verify, recheck or close.
    #[error("the handler may not verify the case")]
    HandlerMayNotVerify,
    /// Who ruled the ownership may not verify the conclusion.
    #[error("the officer who ruled the ownership may not verify the case")]
    RulerMayNotVerify,
    /// The same officer may not do it twice.
    #[error("another officer has to do it: {0}")]
    SameOfficer(&'static str),
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
            Self::UnknownUnit { .. } => "case.unknown_unit",
            Self::DrafterMayNotSign => "case.drafter_may_not_sign",
            Self::HandlerMayNotVerify => "case.handler_may_not_verify",
            Self::RulerMayNotVerify => "case.ruler_may_not_verify",
            Self::SameOfficer(_) => "case.same_officer",
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
            Self::UnknownUnit { unit, .. } => format!("没有这个单位：{unit}"),
            Self::DrafterMayNotSign => "拟稿人不能审签本人拟的答复，请由分管负责人或AB岗审签".to_owned(),
            Self::HandlerMayNotVerify => "承办、拟稿、审签人员不能核实或复核本件".to_owned(),
            Self::RulerMayNotVerify => "裁定本件权属的人员不能核实本件".to_owned(),
            Self::SameOfficer(why) => (*why).to_owned(),
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
