//! Whose turn it is: the open cases that wait for an officer, by the officer's roles and units.

use super::{
    App, AppError, Officer, case_queries,
    case_queries::{CasePage, ListQuery},
    case_save,
    content::Content,
};
use crate::{
    domain::{access::Role, case::CaseStatus, ids::OfficerId},
    store::{
        Tx,
        cases::turns::{self, Turn},
        deputies,
    },
};

/// What waits for the officer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waiting {
    /// States in which any case waits for a role at the centre.
    pub anywhere: Vec<CaseStatus>,
    /// Units with the states in which their cases wait, and whether only one's own or nobody's count.
    pub led: Vec<(String, CaseStatus, bool)>,
    /// What the officer decides about cases that a unit handles: extensions, pauses.
    pub decides: Vec<&'static str>,
    /// Units whose assist tasks wait.
    pub asked: Vec<String>,
    me: Option<OfficerId>,
}

impl Waiting {
    fn anywhere(&mut self, states: &[CaseStatus]) {
        for status in states {
            if !self.anywhere.contains(status) {
                self.anywhere.push(*status);
            }
        }
    }

    fn led(&mut self, unit: &str, states: &[CaseStatus], own: bool) {
        for status in states {
            let known = self.led.iter().any(|(of, known, only)| of == unit && known == status && (!only || own));
            if !known && !unit.is_empty() {
                self.led.push((unit.to_owned(), *status, own));
            }
        }
    }

    fn asked(&mut self, unit: &str) {
        if !unit.is_empty() && !self.asked.iter().any(|known| known == unit) {
            self.asked.push(unit.to_owned());
        }
    }

    /// The states that occur, for a filter.
    pub fn states(&self) -> Vec<CaseStatus> {
        let occurs = |status: &&CaseStatus| {
            self.anywhere.contains(status)
                || self.led.iter().any(|(_, led, _)| led == *status)
                || (!(self.asked.is_empty() && self.decides.is_empty())
                    && matches!(status, CaseStatus::Processing | CaseStatus::Rectifying))
        };
        CaseStatus::ALL.iter().filter(occurs).copied().collect()
    }

    fn turns(&self) -> Vec<Turn<'_>> {
        let led = self.led.iter().map(|(unit, status, own)| Turn::Led {
            unit,
            status: status.as_str(),
            handler: self.me.filter(|_| *own),
        });
        let anywhere = self.anywhere.iter().map(|status| Turn::In(status.as_str()));
        let decides = self.decides.iter().map(|what| Turn::Decide(what));
        anywhere.chain(led).chain(decides).chain(self.asked.iter().map(|unit| Turn::Asked(unit))).collect()
    }
}

/// What waits for the officer today, with the units in which they stand in for the leader.
///
/// # Errors
/// `Store`.
pub async fn waiting(app: &App, officer: &Officer) -> Result<Waiting, AppError> {
    let content = app.content.load();
    let mut tx = app.db.read().await?;
    of(&mut tx, &content, officer, app.now()).await
}

async fn of(tx: &mut Tx, content: &Content, officer: &Officer, now: jiff::Timestamp) -> Result<Waiting, AppError> {
    use CaseStatus as S;
    let mut waiting = Waiting { me: Some(officer.id), ..Waiting::default() };
    for (role, unit) in &officer.grants {
        let unit = unit.as_deref().unwrap_or_default();
        match role {
            Role::FrontDesk => waiting.anywhere(&[S::Submitted]),
            Role::Dispatcher => {
                waiting.anywhere(&[S::Submitted, S::Accepted, S::OwnershipPending, S::ReturnPending]);
                waiting.decides.extend(["extension", "pause"]);
            }
            Role::Verifier => waiting.anywhere(&[S::Replied, S::AwaitingConfirm, S::ClosingReview, S::Recheck]),
            Role::Supervisor => {
                waiting.anywhere(&[S::Recheck]);
                waiting.decides.push("second_extension");
            }
            Role::Leader => waiting.anywhere(&[S::PreApproval]),
            // The scope shows sealed cases alone.
            Role::Discipline => {
                waiting.anywhere(&[
                    S::Submitted,
                    S::Accepted,
                    S::OwnershipPending,
                    S::PreApproval,
                    S::Dispatched,
                    S::ReturnPending,
                    S::Signed,
                    S::Processing,
                    S::SignOffPending,
                    S::Replied,
                    S::AwaitingConfirm,
                    S::PlanTracking,
                    S::Recheck,
                    S::Rectifying,
                    S::ClosingReview,
                ]);
            }
            Role::UnitClerk => {
                waiting.led(unit, &[S::Dispatched], false);
                waiting.asked(unit);
            }
            Role::Handler => {
                waiting.led(unit, &[S::Signed, S::Processing, S::Rectifying, S::PlanTracking], true);
                waiting.asked(unit);
            }
            Role::UnitLeader => {
                waiting.led(unit, &[S::SignOffPending, S::Dispatched], false);
                waiting.decides.push("unit_extension");
            }
            Role::RuleEditor | Role::RulePublisher | Role::Admin | Role::Auditor => {}
        }
    }
    for unit in deputies::units_of(tx, officer.id, content.schedule.civil(now).date()).await? {
        waiting.led(&unit, &[S::SignOffPending], false);
    }
    Ok(waiting)
}

/// One page of what waits for the officer, the next due first.
///
/// # Errors
/// `Invalid` when the cursor is not one of ours, `Store`.
pub async fn list(app: &App, officer: &Officer, waiting: &Waiting, query: &ListQuery) -> Result<CasePage, AppError> {
    let content = app.content.load();
    let scope = case_queries::scope(&content, officer);
    case_queries::list_turns(app, &scope, query, Some(&waiting.turns())).await
}

/// How many open cases wait for the officer; counting stops at a thousand.
///
/// # Errors
/// `Store`.
pub async fn count(app: &App, officer: &Officer, waiting: &Waiting) -> Result<i64, AppError> {
    let content = app.content.load();
    let scope = case_queries::scope(&content, officer);
    let mut tx = app.db.read().await?;
    Ok(turns::count(&mut tx, &scope, &waiting.turns()).await?)
}

/// How many open cases that the officer sees are overdue, and how many more are due within a day of the clock.
///
/// # Errors
/// `Store`.
pub async fn due_counts(app: &App, officer: &Officer) -> Result<(i64, i64), AppError> {
    let content = app.content.load();
    let scope = case_queries::scope(&content, officer);
    let now = case_save::now_ms(app);
    let mut tx = app.db.read().await?;
    let late = turns::count_open(&mut tx, &scope, None, Some(now)).await?;
    let day = now + jiff::SignedDuration::from_hours(24);
    Ok((late, turns::count_open(&mut tx, &scope, Some(now), Some(day)).await?))
}

/// What the officer is to do with a case that waits, in a few words.
pub fn step(waiting: &Waiting, status: CaseStatus, lead: Option<&str>) -> &'static str {
    use CaseStatus as S;
    let leads = lead.is_some_and(|unit| waiting.led.iter().any(|(of, led, _)| of == unit && *led == status));
    if !leads && !waiting.anywhere.contains(&status) && !waiting.decides.is_empty() {
        return "轮到您：审核延期或暂停申请";
    }
    if !leads && !waiting.anywhere.contains(&status) {
        return "请本单位协办，待答复";
    }
    match status {
        S::Submitted => "轮到您：受理",
        S::Accepted => "轮到您：分派",
        S::OwnershipPending => "轮到您：裁定主办单位",
        S::PreApproval => "轮到您：签批",
        S::ReturnPending => "轮到您：审核退单",
        S::Dispatched => "轮到本单位：签收",
        S::Signed => "轮到您：首次联系企业",
        S::Processing => "轮到您：办理并拟写答复",
        S::SignOffPending => "轮到您：审签答复",
        S::Replied => "轮到您：核实并发送答复",
        S::AwaitingConfirm => "等企业确认，可回访",
        S::PlanTracking => "轮到您：推进并报告方案节点",
        S::Recheck => "轮到您：复核差评",
        S::Rectifying => "轮到您：整改",
        S::ClosingReview => "轮到您：核实销号",
        S::Draft
        | S::NeedInfo
        | S::NotAccepted
        | S::AnsweredOnSpot
        | S::Closed
        | S::Archived
        | S::Withdrawn
        | S::Merged
        | S::Transferred => "",
    }
}
