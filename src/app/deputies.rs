//! AB岗: officer B stands in for the leader of a unit from one day to another, by a delegation that is written down.
//!
//! The leader of the unit sets it, or an administrator. Who signs in the leader's place is recorded with the signature;
//! a delegation that ends early takes nothing back.

use jiff::{Timestamp, civil::Date};

use super::{App, AppError, FieldError, Officer};
use crate::{
    domain::{
        access::{Permission, Role},
        ids::OfficerId,
    },
    store::{deputies, officers},
};

/// Longest delegation, in days: a year off is a new leader.
const LONGEST_DAYS: i32 = 366;

/// A delegation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deputy {
    /// Slug of the unit.
    pub unit: String,
    /// Who stands in.
    pub officer: String,
    /// That officer's name.
    pub name: String,
    /// First day.
    pub from_on: Date,
    /// Last day.
    pub until_on: Date,
    /// Who set it.
    pub set_by: String,
    /// Whether it holds today.
    pub today: bool,
}

/// Somebody who may stand in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Id of the account.
    pub id: String,
    /// Name.
    pub name: String,
    /// Slug of the unit.
    pub unit: String,
}

/// The units whose deputies an officer may set; `None` stands for every unit.
pub fn manages(officer: &Officer) -> Option<Vec<String>> {
    if officer.permits(Permission::ManageUnits) {
        return None;
    }
    let led = officer.grants.iter().filter(|(role, _)| *role == Role::UnitLeader);
    Some(led.filter_map(|(_, unit)| unit.clone()).filter(|unit| !unit.is_empty()).collect())
}

fn require(officer: &Officer, unit: &str) -> Result<(), AppError> {
    match manages(officer) {
        None => Ok(()),
        Some(units) if units.iter().any(|led| led == unit) => Ok(()),
        Some(_) => Err(AppError::forbidden("forbidden")),
    }
}

fn today(app: &App, now: Timestamp) -> Date {
    app.content.load().schedule.civil(now).date()
}

/// Delegations that hold or lie ahead, as far as the officer may see them: those of the units they manage, and for
/// everybody else those of their own unit.
///
/// # Errors
/// `Store`.
pub async fn list(app: &App, officer: &Officer) -> Result<Vec<Deputy>, AppError> {
    let today = today(app, app.now());
    let mut tx = app.db.read().await?;
    let rows = deputies::from(&mut tx, today).await?;
    let every_unit = manages(officer).is_none();
    let own = |unit: &str| officer.grants.iter().any(|(_, of)| of.as_deref() == Some(unit));
    rows.into_iter()
        .filter(|row| every_unit || own(&row.unit))
        .map(|row| {
            let bad = |column| {
                AppError::Store(crate::store::StoreError::Inconsistent {
                    table: "unit_deputies",
                    column,
                    id: row.unit.clone(),
                })
            };
            let from_on: Date = row.from_on.parse().map_err(|_| bad("from_on"))?;
            let until_on: Date = row.until_on.parse().map_err(|_| bad("until_on"))?;
            Ok(Deputy {
                today: from_on <= today && today <= until_on,
                unit: row.unit,
                officer: row.officer_id,
                name: row.name,
                from_on,
                until_on,
                set_by: row.set_by_name,
            })
        })
        .collect()
}

/// Names of who stands in for the leader of a unit today.
///
/// # Errors
/// `Store`.
pub async fn standing_in(app: &App, unit: &str) -> Result<Vec<String>, AppError> {
    let mut tx = app.db.read().await?;
    let rows = deputies::on(&mut tx, unit, today(app, app.now())).await?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

/// Who may stand in, in the units whose deputies the officer may set: everybody of the unit but its leaders.
///
/// # Errors
/// `Store`.
pub async fn candidates(app: &App, officer: &Officer) -> Result<Vec<Candidate>, AppError> {
    let units = manages(officer);
    let mut tx = app.db.read().await?;
    let roles = officers::all_roles(&mut tx).await?;
    let mut found = Vec::new();
    for account in officers::list(&mut tx).await?.into_iter().filter(|account| account.active) {
        let own: Vec<_> = roles.iter().filter(|row| row.officer_id == account.id && !row.unit.is_empty()).collect();
        let mut of: Vec<&str> = own.iter().map(|row| row.unit.as_str()).collect();
        of.sort_unstable();
        of.dedup();
        for unit in of {
            let leads = own.iter().any(|row| row.unit == unit && row.role == Role::UnitLeader.as_str());
            let managed = units.as_ref().is_none_or(|units| units.iter().any(|managed| managed == unit));
            if managed && !leads {
                found.push(Candidate { id: account.id.clone(), name: account.name.clone(), unit: unit.to_owned() });
            }
        }
    }
    found.sort_by(|a, b| (&a.unit, &a.name).cmp(&(&b.unit, &b.name)));
    Ok(found)
}

/// Sets a deputy.
///
/// # Errors
/// `Forbidden` (not one's own unit), `Invalid` (the days, or nobody of that unit), `Store`.
pub async fn set(
    app: &App,
    officer: &Officer,
    unit: &str,
    deputy: OfficerId,
    days: (Date, Date),
) -> Result<(), AppError> {
    require(officer, unit)?;
    let now = app.now();
    let today = today(app, now);
    let mut errors = Vec::new();
    if days.1 < days.0 {
        errors.push(FieldError::new("/until_on", "最后一天不能早于第一天"));
    } else if days.1 < today {
        errors.push(FieldError::new("/until_on", "这段日子已经过去"));
    } else if days.0.until(days.1).map_or(i32::MAX, |span| span.get_days()) > LONGEST_DAYS {
        errors.push(FieldError::new("/until_on", "最长一年"));
    }
    let mut tx = app.db.write().await?;
    let account = officers::find(&mut tx, deputy).await?.filter(|account| account.active);
    let roles = officers::roles(&mut tx, &deputy.to_string()).await?;
    let of_unit = roles.iter().any(|(_, of)| of == unit);
    let leads = roles.iter().any(|(role, of)| *role == Role::UnitLeader && of == unit);
    if account.is_none() || !of_unit {
        errors.push(FieldError::new("/officer_id", "代签人须是本单位在用的账号"));
    } else if leads {
        errors.push(FieldError::new("/officer_id", "负责人本人不用代签"));
    }
    if !errors.is_empty() {
        tx.rollback().await?;
        return Err(AppError::invalid("invalid_fields", errors));
    }
    deputies::set(&mut tx, unit, deputy, days, officer.id, now).await?;
    tx.commit().await?;
    tracing::info!(unit.id = unit, officer.id = %deputy, by = %officer.id, "a deputy was set");
    Ok(())
}

/// Ends a delegation: from now on it does not hold any more.
///
/// # Errors
/// `Forbidden`, `NotFound`, `Store`.
pub async fn end(app: &App, officer: &Officer, unit: &str, deputy: OfficerId, from_on: Date) -> Result<(), AppError> {
    require(officer, unit)?;
    let last = today(app, app.now()).yesterday().map_err(|_| AppError::Internal("no day before".to_owned()))?;
    let mut tx = app.db.write().await?;
    if !deputies::end(&mut tx, unit, deputy, from_on, last).await? {
        tx.rollback().await?;
        return Err(AppError::NotFound);
    }
    tx.commit().await?;
    tracing::info!(unit.id = unit, officer.id = %deputy, by = %officer.id, "a delegation was ended");
    Ok(())
}
