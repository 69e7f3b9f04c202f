//! The clocks of a case and the intervals in which its policy clock stood still. How they are computed and moved stands
//! in [`super::clocks`].

use jiff::Timestamp;

use crate::{
    domain::{ids::TaskId, sla::Budget},
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
