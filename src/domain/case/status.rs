//! The main state of a case: who must act now (DOMAIN 3.1), and what the enterprise reads about it.

use crate::vocabulary;

vocabulary! {
    /// Main state, S00–S23.
    CaseStatus {
        /// S00
        Draft = "draft", "会话草稿";
        /// S01
        Submitted = "submitted", "已提出";
        /// S02
        NeedInfo = "need_info", "待补充";
        /// S03
        NotAccepted = "not_accepted", "不予受理";
        /// S04
        Accepted = "accepted", "已受理待分派";
        /// S05
        AnsweredOnSpot = "answered_on_spot", "当场答复";
        /// S06
        OwnershipPending = "ownership_pending", "权属待定";
        /// S07
        PreApproval = "pre_approval", "报批中";
        /// S08
        Dispatched = "dispatched", "已分派待签收";
        /// S09
        ReturnPending = "return_pending", "退单待审";
        /// S10
        Signed = "signed", "已签收待联系";
        /// S11
        Processing = "processing", "办理中";
        /// S12
        SignOffPending = "sign_off_pending", "待审签";
        /// S13
        Replied = "replied", "已答复待核实";
        /// S14
        AwaitingConfirm = "awaiting_confirm", "待确认评价";
        /// S15
        PlanTracking = "plan_tracking", "方案跟踪";
        /// S16
        Recheck = "recheck", "不满意复核";
        /// S17
        Rectifying = "rectifying", "整改重办";
        /// S18
        ClosingReview = "closing_review", "申请销号待核";
        /// S19
        Closed = "closed", "已销号";
        /// S20
        Archived = "archived", "已归档";
        /// S21
        Withdrawn = "withdrawn", "已撤回";
        /// S22
        Merged = "merged", "已并单";
        /// S23
        Transferred = "transferred", "已转出";
    }
}

vocabulary! {
    /// The eight stages of 象政办发〔2025〕1号 二(二): the progress bar of the enterprise.
    Stage {
        Raised = "raised", "提出";
        Accepted = "accepted", "受理";
        Dispatched = "dispatched", "分派";
        Handled = "handled", "处理";
        Tracked = "tracked", "跟踪";
        Fed = "fed_back", "反馈";
        Rated = "rated", "评价";
        Assessed = "assessed", "考核";
    }
}

impl Stage {
    /// Position on the bar, 1 to 8.
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }
}

impl CaseStatus {
    /// The code of DOMAIN 3.1, `S00` to `S23`.
    pub const fn code(self) -> &'static str {
        const CODES: [&str; 24] = [
            "S00", "S01", "S02", "S03", "S04", "S05", "S06", "S07", "S08", "S09", "S10", "S11", "S12", "S13", "S14",
            "S15", "S16", "S17", "S18", "S19", "S20", "S21", "S22", "S23",
        ];
        CODES[self as usize]
    }

    /// The states in which somebody of the government still has to act: "any open" of DOMAIN 3.2.
    pub const OPEN: &'static [Self] = &[
        Self::Submitted,
        Self::NeedInfo,
        Self::Accepted,
        Self::AnsweredOnSpot,
        Self::OwnershipPending,
        Self::PreApproval,
        Self::Dispatched,
        Self::ReturnPending,
        Self::Signed,
        Self::Processing,
        Self::SignOffPending,
        Self::Replied,
        Self::AwaitingConfirm,
        Self::PlanTracking,
        Self::Recheck,
        Self::Rectifying,
        Self::ClosingReview,
    ];

    /// Whether the case still runs.
    pub const fn is_open(self) -> bool {
        !matches!(
            self,
            Self::Draft
                | Self::NotAccepted
                | Self::Closed
                | Self::Archived
                | Self::Withdrawn
                | Self::Merged
                | Self::Transferred
        )
    }

    /// The stage on the enterprise's progress bar; `None` where the case left the road (refused, withdrawn …).
    pub const fn stage(self) -> Option<Stage> {
        match self {
            Self::Draft | Self::NotAccepted | Self::Withdrawn | Self::Merged | Self::Transferred => None,
            Self::Submitted | Self::NeedInfo => Some(Stage::Raised),
            Self::Accepted => Some(Stage::Accepted),
            Self::OwnershipPending | Self::PreApproval | Self::Dispatched | Self::ReturnPending => {
                Some(Stage::Dispatched)
            }
            Self::Signed | Self::Processing | Self::Rectifying => Some(Stage::Handled),
            Self::SignOffPending | Self::PlanTracking => Some(Stage::Tracked),
            Self::AnsweredOnSpot | Self::Replied | Self::AwaitingConfirm => Some(Stage::Fed),
            Self::Recheck | Self::ClosingReview => Some(Stage::Rated),
            Self::Closed | Self::Archived => Some(Stage::Assessed),
        }
    }

    /// What the enterprise reads about this state, without unit names or dates.
    pub const fn enterprise_wording(self) -> &'static str {
        match self {
            Self::Draft => "还没提交，点“提交”才会登记",
            Self::Submitted => "已收到，正在受理",
            Self::NeedInfo => "还缺一些材料，请按清单一次补齐",
            Self::NotAccepted => "不能受理，原因和应找的途径见说明；如有异议可在10个工作日内提出",
            Self::Accepted => "已受理，正在确定承办单位",
            Self::AnsweredOnSpot => "已当场答复，请看答复和依据，告诉我们解决了没有",
            Self::OwnershipPending => "正在确定主办单位，由服务中心负责协调",
            Self::PreApproval => "已呈报，等待批示",
            Self::Dispatched => "已派给主办单位，等待签收",
            Self::ReturnPending => "主办单位核对中，承诺时限不变",
            Self::Signed => "主办单位已签收，承办人将与您联系",
            Self::Processing => "正在办理",
            Self::SignOffPending => "正在拟定答复",
            Self::Replied => "答复已审签，服务中心核实后发送给您",
            Self::AwaitingConfirm => "已答复，请确认是否解决并评价",
            Self::PlanTracking => "按方案推进，到节点再向您反馈",
            Self::Recheck => "您反映未解决或不满意，正在复核",
            Self::Rectifying => "正在重新办理",
            Self::ClosingReview => "服务中心核实中",
            Self::Closed => "已办结",
            Self::Archived => "已办结并归档，可在本页打印留存",
            Self::Withdrawn => "您已撤回",
            Self::Merged => "与同一事项合并办理，进度同步",
            Self::Transferred => "已转由其他机关或途径办理，去向见说明",
        }
    }
}

vocabulary! {
    /// What came out of it (DOMAIN 3.3). 办结 is not 解决: only the first two count as solved, and only when
    /// the enterprise says so.
    Conclusion {
        Solved = "solved", "已解决";
        PartlySolved = "partly_solved", "部分解决";
        Answered = "answered", "已答复";
        Adopted = "adopted", "已采纳";
        PartlyAdopted = "partly_adopted", "部分采纳";
        NotedForReference = "noted", "留作参考";
        NotAdopted = "not_adopted", "不采纳";
        Substantiated = "substantiated", "查实";
        PartlySubstantiated = "partly_substantiated", "部分查实";
        Unsubstantiated = "unsubstantiated", "不实";
        PlanInProgress = "plan_in_progress", "提出方案跟踪中";
        CannotBeSolved = "cannot_be_solved", "明确不能解决";
        BeyondAuthority = "beyond_authority", "超出本级权限已上报";
        GuidedToLegalPath = "guided_to_legal_path", "引导法定途径";
        WithdrawnByEnterprise = "withdrawn_by_enterprise", "企业撤回";
        Unreachable = "unreachable", "无法联系";
    }
}

impl Conclusion {
    /// Whether closing with it needs a basis in law, a log of the coordination and an explanation given to
    /// the enterprise (难以解决, 象政办发〔2025〕1号 四(四)2).
    pub const fn needs_justification(self) -> bool {
        matches!(self, Self::CannotBeSolved | Self::BeyondAuthority)
    }

    /// Whether the conclusion belongs to the case type: 采纳 answers suggestions, 查实 complaints and reports.
    pub const fn fits(self, case_type: crate::domain::kinds::CaseType) -> bool {
        use crate::domain::kinds::CaseType as T;
        match self {
            Self::Adopted | Self::PartlyAdopted | Self::NotedForReference | Self::NotAdopted => {
                matches!(case_type, T::Suggestion)
            }
            Self::Substantiated | Self::PartlySubstantiated | Self::Unsubstantiated => matches!(
                case_type,
                T::Complaint | T::Report | T::Conduct | T::Arrears | T::RatingReview | T::Risk | T::Stuck
            ),
            Self::Answered => matches!(
                case_type,
                T::Consultation
                    | T::Suggestion
                    | T::Praise
                    | T::Coordination
                    | T::Help
                    | T::ServiceOrder
                    | T::RatingReview
            ),
            Self::Solved
            | Self::PartlySolved
            | Self::PlanInProgress
            | Self::CannotBeSolved
            | Self::BeyondAuthority
            | Self::GuidedToLegalPath
            | Self::WithdrawnByEnterprise
            | Self::Unreachable => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_lists_exactly_the_states_that_run() {
        for &status in CaseStatus::ALL {
            assert_eq!(status.is_open(), CaseStatus::OPEN.contains(&status), "{status}");
        }
    }

    #[test]
    fn codes_run_from_s00_to_s23() {
        for (n, status) in CaseStatus::ALL.iter().enumerate() {
            assert_eq!(status.code(), format!("S{n:02}"));
            assert_eq!(status.as_str().parse(), Ok(*status));
            assert!(!status.enterprise_wording().is_empty());
        }
    }

    #[test]
    fn stages_run_from_one_to_eight() {
        assert_eq!(Stage::ALL.len(), 8);
        assert_eq!(CaseStatus::Submitted.stage().map(Stage::number), Some(1));
        assert_eq!(CaseStatus::Closed.stage().map(Stage::number), Some(8));
        assert_eq!(CaseStatus::Withdrawn.stage(), None);
    }
}
