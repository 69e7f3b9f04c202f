//! What can be done to a case, and by whom.

use crate::{
    domain::{access::Role, ids::OfficerId},
    vocabulary,
};

vocabulary! {
    /// An action on a case; the slugs are the `{action}` of the staff API.
    CaseAction {
        /// T02
        Submit = "submit", "提交";
        /// T03
        Refuse = "refuse", "不予受理";
        /// T04
        Object = "object", "提出异议";
        /// T05
        RequestInfo = "request_info", "要求补充";
        /// T06
        SupplyInfo = "supply_info", "补充材料";
        /// T06 by silence, timer
        LapseInfo = "lapse_info", "未补充中止";
        /// T07
        Accept = "accept", "受理";
        /// T08
        AnswerOnSpot = "answer_on_spot", "当场答复";
        /// T10
        RequestHandling = "request_handling", "要人办理";
        /// T11
        MarkOwnershipPending = "mark_ownership_pending", "权属待定";
        /// T12
        RuleOwnership = "rule_ownership", "裁定主办";
        /// T13
        Endorse = "endorse", "呈批";
        /// T14
        Dispatch = "dispatch", "分派";
        /// T15
        SignIn = "sign_in", "签收";
        /// T16, timer
        DeemSigned = "deem_signed", "视同签收";
        /// Names or changes the responsible person (D16)
        Assign = "assign", "指定承办人";
        /// T17
        RequestReturn = "request_return", "申请退单";
        /// T18
        GrantReturn = "grant_return", "同意退单";
        /// T19
        RefuseReturn = "refuse_return", "不同意退单";
        /// T20
        RecordContact = "record_contact", "记录联系";
        /// T21
        RecordProgress = "record_progress", "记录进展";
        /// T22
        AskAssist = "ask_assist", "请求协办";
        /// T22
        AnswerAssist = "answer_assist", "协办答复";
        /// T25: the lead goes on without it
        WaiveAssist = "waive_assist", "免予协办";
        /// T23
        Pause = "pause", "暂停计时";
        /// T23
        Resume = "resume", "恢复计时";
        /// T24
        RequestExtension = "request_extension", "申请延期";
        /// T24
        GrantExtension = "grant_extension", "同意延期";
        /// T24
        RefuseExtension = "refuse_extension", "不同意延期";
        /// Grade, type or topic (the change that recomputes the due date from the original start)
        Regrade = "regrade", "调整分类分级";
        /// T25, T37
        DraftReply = "draft_reply", "拟答复";
        /// T26
        RejectDraft = "reject_draft", "退回拟稿";
        /// T27
        SignOff = "sign_off", "审签";
        /// T28
        ReleaseReply = "release_reply", "核实并发送答复";
        /// T29
        RefuseReply = "refuse_reply", "退回答复";
        /// T30, T09
        Confirm = "confirm", "确认解决";
        /// T31
        Rate = "rate", "评价";
        /// T32, T09, timer
        ConfirmSilently = "confirm_silently", "逾期未确认";
        /// T33
        AcceptPlan = "accept_plan", "接受方案";
        /// T34
        ReportMilestone = "report_milestone", "报告节点";
        /// T35
        UpholdRating = "uphold_rating", "差评成立";
        /// T36
        DismissRating = "dismiss_rating", "差评不成立";
        /// T38
        RequestClose = "request_close", "申请销号";
        /// T39
        ApproveClose = "approve_close", "同意销号";
        /// T40
        RefuseClose = "refuse_close", "不同意销号";
        /// T41
        Reopen = "reopen", "重新办理";
        /// T42, timer
        Archive = "archive", "归档";
        /// T43
        Withdraw = "withdraw", "撤回";
        /// T44
        Merge = "merge", "并单";
        /// T45
        Split = "split", "拆分";
        /// T46
        TransferOut = "transfer_out", "转出";
        /// T47
        Supervise = "supervise", "督办";
        /// T47
        EndSupervision = "end_supervision", "结束督办";
        /// T48
        Escalate = "escalate", "提级";
        /// T49
        Urge = "urge", "催办";
        /// T50
        AddInfo = "add_info", "补充说明";
    }
}

vocabulary! {
    /// In what capacity somebody acts on one case (the letters of DOMAIN 3.2).
    Party {
        /// E
        Enterprise = "enterprise", "企业";
        /// P
        Proxy = "proxy", "代提人";
        /// B
        Bot = "bot", "机器人";
        /// F
        FrontDesk = "front_desk", "坐席";
        /// D
        Dispatcher = "dispatcher", "中心分派";
        /// V
        Verifier = "verifier", "核实回访";
        /// U, of the lead unit
        UnitClerk = "unit_clerk", "主办单位登记员";
        /// H, of the lead unit
        Handler = "handler", "主办单位承办人";
        /// L, of the lead unit
        UnitLeader = "unit_leader", "主办单位分管负责人";
        /// A, an assisting unit
        Assisting = "assisting", "协办单位";
        /// S
        Supervisor = "supervisor", "督办";
        /// G
        Leader = "leader", "领导";
        /// X
        Timer = "timer", "系统";
    }
}

/// The officer who acts, as the case needs to know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficerStamp {
    /// The account.
    pub id: OfficerId,
    /// Name as shown to colleagues.
    pub name: String,
    /// Roles held, each in one unit; `""` is the centre as a whole.
    pub roles: Vec<(Role, String)>,
    /// Units in which the officer stands in for the unit leader today (AB岗), by a recorded delegation.
    pub deputy_of: Vec<String>,
}

impl OfficerStamp {
    /// Whether the officer holds the role anywhere.
    pub fn has(&self, role: Role) -> bool {
        self.roles.iter().any(|(held, _)| *held == role)
    }

    /// Whether the officer holds the role in this unit.
    pub fn has_in(&self, role: Role, unit: &str) -> bool {
        self.roles.iter().any(|(held, place)| *held == role && place == unit)
    }

    /// Whether the officer belongs to a unit.
    pub fn is_of(&self, unit: &str) -> bool {
        self.roles.iter().any(|(_, place)| place == unit) || self.deputy_of.iter().any(|place| place == unit)
    }

    /// The unit shown beside the name: the first that is not the centre.
    pub fn unit(&self) -> &str {
        self.roles.iter().map(|(_, unit)| unit.as_str()).find(|unit| !unit.is_empty()).unwrap_or_default()
    }
}

/// Who acts on a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The enterprise, proven by number and query code or by its conversation.
    Enterprise,
    /// Somebody who files on behalf of the enterprise (专员、商协会、观察员).
    Proxy {
        /// Name of the person or association.
        name: String,
    },
    /// An officer.
    Officer(OfficerStamp),
    /// The bot: it only ever prepares.
    Bot,
    /// A timer that came due.
    Timer,
}

impl Actor {
    /// The officer's account, if an officer acts.
    pub fn officer_id(&self) -> Option<OfficerId> {
        match self {
            Self::Officer(officer) => Some(officer.id),
            Self::Enterprise | Self::Proxy { .. } | Self::Bot | Self::Timer => None,
        }
    }

    /// What kind of actor it is, as stored with events.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Enterprise => "enterprise",
            Self::Proxy { .. } => "proxy",
            Self::Officer(_) => "officer",
            Self::Bot => "bot",
            Self::Timer => "timer",
        }
    }
}
