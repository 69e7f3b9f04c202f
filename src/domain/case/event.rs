//! What happened to a case. The timeline the enterprise reads is a projection of these events (invariant 20),
//! so that there is no second text that could drift.

use jiff::Timestamp;

use crate::{
    domain::{
        case::{action::Actor, status::CaseStatus},
        ids::CaseId,
    },
    vocabulary,
};

vocabulary! {
    /// Kind of an event, past tense.
    EventKind {
        Submitted = "case_submitted", "提交";
        Refused = "case_refused", "不予受理";
        Objected = "refusal_objected", "提出异议";
        InfoRequested = "info_requested", "要求补充";
        InfoSupplied = "info_supplied", "补充材料";
        InfoLapsed = "info_lapsed", "逾期未补充";
        Reminded = "enterprise_reminded", "提醒企业";
        CallAsked = "call_asked", "请中心回访";
        Accepted = "case_accepted", "受理";
        AnsweredOnSpot = "answered_on_spot", "当场答复";
        HandlingRequested = "handling_requested", "要求办理";
        OwnershipDisputed = "ownership_disputed", "权属待定";
        OwnershipRuled = "ownership_ruled", "裁定主办单位";
        Endorsed = "case_endorsed", "呈批";
        Dispatched = "case_dispatched", "分派";
        SignedIn = "case_signed_in", "签收";
        DeemedSigned = "case_deemed_signed", "视同签收";
        HandlerAssigned = "handler_assigned", "指定承办人";
        ReturnRequested = "return_requested", "申请退单";
        ReturnGranted = "return_granted", "同意退单";
        ReturnRefused = "return_refused", "不同意退单";
        ContactMade = "contact_made", "已联系企业";
        ContactTried = "contact_tried", "联系未成";
        Progressed = "case_progressed", "进展";
        AssistAsked = "assist_asked", "请求协办";
        AssistAnswered = "assist_answered", "协办答复";
        AssistWaived = "assist_waived", "免予协办";
        PauseRequested = "pause_requested", "申请暂停";
        PauseRefused = "pause_refused", "不同意暂停";
        Paused = "clock_paused", "暂停计时";
        Resumed = "clock_resumed", "恢复计时";
        ExtensionRequested = "extension_requested", "申请延期";
        ExtensionGranted = "extension_granted", "同意延期";
        ExtensionRefused = "extension_refused", "不同意延期";
        /// The unit answered or asked for the closing instead of waiting for the decision.
        ExtensionWithdrawn = "extension_withdrawn", "撤回延期申请";
        Regraded = "case_regraded", "调整分类分级";
        ReplyDrafted = "reply_drafted", "拟答复";
        DraftRejected = "draft_rejected", "退回拟稿";
        ReplySigned = "reply_signed", "审签";
        ReplyReleased = "reply_released", "答复送达";
        ReplyRefused = "reply_refused", "退回答复";
        /// The centre called the enterprise about the answer.
        CalledBack = "called_back", "电话回访";
        Confirmed = "solution_confirmed", "企业确认";
        Rated = "case_rated", "评价";
        ConfirmedSilently = "confirmed_silently", "逾期未确认";
        PlanAccepted = "plan_accepted", "接受方案";
        MilestoneReported = "milestone_reported", "报告节点";
        /// Twenty working days of an accepted plan are over (K13).
        ReviewDue = "plan_review_due", "方案复盘";
        RatingUpheld = "rating_upheld", "差评成立";
        RatingDismissed = "rating_dismissed", "差评不成立";
        CloseRequested = "close_requested", "申请销号";
        Closed = "case_closed", "销号";
        CloseRefused = "close_refused", "不同意销号";
        Reopened = "case_reopened", "重新办理";
        Archived = "case_archived", "归档";
        Withdrawn = "case_withdrawn", "撤回";
        Merged = "case_merged", "并单";
        MergedInto = "case_merged_into", "有诉求并入";
        /// The case it was merged into was answered.
        ParentAnswered = "parent_answered", "合并件答复";
        /// The case it was merged into was closed.
        ParentClosed = "parent_closed", "合并件办结";
        /// The case it was merged into ended without an answer.
        Unmerged = "case_unmerged", "恢复单独办理";
        Split = "case_split", "拆分";
        TransferredOut = "case_transferred_out", "转出";
        Supervised = "case_supervised", "督办";
        SupervisionEnded = "supervision_ended", "结束督办";
        Escalated = "case_escalated", "提级";
        Urged = "case_urged", "催办";
        InfoAdded = "info_added", "补充说明";
        /// A ladder step that fired (written by the clock sweep).
        Warned = "deadline_warned", "时限预警";
        /// A calendar was published or changed (written by the clock sweep).
        DueRecomputed = "due_recomputed", "重算时限";
    }
}

/// Who acted, as it was at that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorStamp {
    /// `enterprise`, `proxy`, `officer`, `bot` or `timer`.
    pub kind: &'static str,
    /// Account id of an officer.
    pub id: Option<String>,
    /// Name shown to colleagues.
    pub name: Option<String>,
    /// Unit of an officer.
    pub unit: Option<String>,
}

impl From<&Actor> for ActorStamp {
    fn from(actor: &Actor) -> Self {
        match actor {
            Actor::Officer(officer) => Self {
                kind: actor.kind(),
                id: Some(officer.id.to_string()),
                name: Some(officer.name.clone()),
                unit: Some(officer.unit().to_owned()),
            },
            Actor::Proxy { name } => Self { kind: actor.kind(), id: None, name: Some(name.clone()), unit: None },
            Actor::Enterprise | Actor::Bot | Actor::Timer => {
                Self { kind: actor.kind(), id: None, name: None, unit: None }
            }
        }
    }
}

/// One particular of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Stable name, e.g. `reason`.
    pub key: String,
    /// Value in words.
    pub value: String,
    /// The enterprise may read it.
    pub public: bool,
}

/// Something that happened to a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseEvent {
    /// The case.
    pub case: CaseId,
    /// Position in the case's history, from 1, without gaps.
    pub seq: i64,
    /// What.
    pub kind: EventKind,
    /// Who.
    pub actor: ActorStamp,
    /// State before.
    pub from: CaseStatus,
    /// State after.
    pub to: CaseStatus,
    /// When; never before the event before it.
    pub at: Timestamp,
    /// Particulars.
    pub facts: Vec<Fact>,
}

impl CaseEvent {
    /// The value of a particular.
    pub fn fact(&self, key: &str) -> Option<&str> {
        self.facts.iter().find(|fact| fact.key == key).map(|fact| fact.value.as_str())
    }

    /// The line the enterprise reads, or `None` for what is internal. `unit_name` turns slugs into names.
    pub fn public_line(&self, unit_name: &dyn Fn(&str) -> String) -> Option<String> {
        use EventKind as K;
        let fact = |key: &str| {
            self.facts.iter().find(|fact| fact.public && fact.key == key).map_or("", |fact| fact.value.as_str())
        };
        let unit = |key: &str| unit_name(fact(key));
        let line = match self.kind {
            K::Submitted => "诉求已提交登记".to_owned(),
            K::Refused => format!("不予受理：{}。{}", fact("reason"), fact("path")),
            K::Objected => "已收到您的异议，由中心重新审查".to_owned(),
            K::InfoRequested => format!("请一次补齐：{}", fact("items")),
            K::InfoSupplied => "已收到补充材料".to_owned(),
            K::Reminded if self.to == CaseStatus::NeedInfo => {
                format!("提醒：请在{}前补齐材料，逾期将中止，补齐后可随时恢复", fact("until"))
            }
            K::Reminded => format!("提醒：请在{}前确认是否解决并评价", fact("until")),
            K::InfoLapsed => "因未补充材料中止，补齐后可随时恢复".to_owned(),
            K::Accepted => format!("已受理，承诺{}前答复", fact("due")),
            K::AnsweredOnSpot => {
                format!("已当场答复：{}（依据：{}）", fact("text"), fact("source"))
            }
            K::HandlingRequested => "已按您的要求转人工办理".to_owned(),
            K::OwnershipDisputed => "正在确定主办单位，由服务中心负责协调".to_owned(),
            K::OwnershipRuled => format!("已裁定由{}主办", unit("lead")),
            K::Endorsed => "已呈报审批".to_owned(),
            K::Dispatched => format!("已派给{}办理", unit("lead")),
            K::SignedIn => format!("{}已签收，责任人：{}", unit("unit"), fact("handler")),
            K::DeemedSigned => format!("{}超时未签收，已视同签收，时限照常计算", unit("unit")),
            K::HandlerAssigned => format!("承办人：{}", fact("handler")),
            K::ReturnRequested => "主办单位核对职责中，承诺时限不变".to_owned(),
            K::ReturnGranted => format!("已改派{}办理，承诺时限不变", unit("lead")),
            K::ReturnRefused => "经核对，仍由原单位办理".to_owned(),
            K::ContactMade => format!("{}已与您联系（{}）", unit("unit"), fact("method")),
            K::Progressed => {
                let text = fact("text");
                if text.is_empty() {
                    return None;
                }
                format!("进展：{text}")
            }
            K::AssistAsked => format!("已请{}协办", unit("unit")),
            K::Paused => match fact("until") {
                "" => format!("暂停计时（{}）：{}", fact("reason"), fact("explanation")),
                until => format!("暂停计时（{}），至{until}：{}", fact("reason"), fact("explanation")),
            },
            K::Resumed => format!("恢复计时，答复时限：{}", fact("due")),
            K::ExtensionRequested => format!("主办单位申请延期：{}", fact("reason")),
            K::ExtensionGranted => {
                format!("延期{}个工作日，原因：{}；新的时限：{}", fact("days"), fact("reason"), fact("due"))
            }
            K::ExtensionRefused => "未同意延期，时限不变".to_owned(),
            K::ExtensionWithdrawn => "主办单位已撤回延期申请，时限不变".to_owned(),
            K::Regraded => format!("分类分级调整，答复时限：{}", fact("due")),
            K::ReplyReleased => format!("答复已送达（签发：{}）：{}", fact("signer"), fact("text")),
            K::ReplyRefused => "中心认为答复不完整，已退回重办".to_owned(),
            K::Confirmed => "您已确认解决，谢谢".to_owned(),
            K::Rated => format!("您的评价：{}", fact("grade")),
            K::ConfirmedSilently if self.to == CaseStatus::Closed => {
                "未收到您的反馈，已办结；30天内可要求重新办理".to_owned()
            }
            K::ConfirmedSilently if self.to == CaseStatus::PlanTracking => {
                "未收到您的反馈，按方案继续推进后面的节点".to_owned()
            }
            K::ConfirmedSilently => "未收到您的确认，进入办结核实；办结后30天内可要求重新办理".to_owned(),
            K::PlanAccepted => format!("已接受办理方案：{}", fact("plan")),
            K::MilestoneReported => format!("方案节点：{}", fact("text")),
            K::RatingUpheld => format!("复核：您反映的情况成立，已要求整改，{}前重新办理", fact("due")),
            K::RatingDismissed => format!("复核说明：{}", fact("explanation")),
            K::CloseRequested => match fact("explanation") {
                "" => "主办单位申请办结，中心核实中".to_owned(),
                explanation => format!(
                    "主办单位申请办结（{}），中心核实中。主办单位的说明：{explanation}。依据：{}",
                    fact("conclusion"),
                    fact("basis")
                ),
            },
            K::Closed => format!("已办结：{}", fact("conclusion")),
            K::CloseRefused => "中心未同意办结，继续办理".to_owned(),
            K::Reopened => format!("已重新办理，编号 {}", fact("number")),
            K::Archived => "已归档".to_owned(),
            K::Withdrawn => "您已撤回".to_owned(),
            K::Merged => match fact("parent") {
                "" => "已与其他企业反映的同一事项合并办理，进度同步".to_owned(),
                parent => format!("与 {parent} 合并办理，进度同步"),
            },
            K::ParentAnswered if fact("text").is_empty() => {
                "同一事项已有答复，与您企业有关的结果由服务中心告知，您可以评价".to_owned()
            }
            K::ParentAnswered => format!("合并办理的件已答复（签发：{}）：{}", fact("signer"), fact("text")),
            K::ParentClosed => format!("合并办理的件已办结：{}", fact("conclusion")),
            K::Unmerged => "原合并的件已终止，您的诉求恢复单独办理，承诺时限不变".to_owned(),
            K::Split => format!("已拆分为 {} 件分别办理：{}", fact("count"), fact("parts")),
            K::TransferredOut => match fact("receipt") {
                "" => format!("已转{}", fact("to")),
                receipt => format!("已转{}（受理编号：{receipt}）", fact("to")),
            },
            K::Supervised => "已督办".to_owned(),
            K::Escalated => "已提请上一层级协调".to_owned(),
            K::Urged => "已收到您的催办，已提醒承办单位".to_owned(),
            K::InfoAdded => "已收到补充说明".to_owned(),
            K::DueRecomputed => match (fact("old"), fact("due")) {
                ("", _) | (_, "") => return None,
                (old, due) if old == due => format!("放假安排已公布，答复时限{due}不变"),
                (old, due) => format!("放假安排已公布，答复时限由{old}调整为{due}"),
            },
            K::ContactTried
            | K::CalledBack
            | K::CallAsked
            | K::AssistAnswered
            | K::AssistWaived
            | K::PauseRequested
            | K::PauseRefused
            | K::ReplyDrafted
            | K::DraftRejected
            | K::ReplySigned
            | K::MergedInto
            | K::SupervisionEnded
            | K::ReviewDue
            | K::Warned => return None,
        };
        Some(line)
    }
}
