//! Units: the dispatch table names them; the database keeps a copy for what must be joined or outlives the table.

use super::{App, AppError};
use crate::store::units::{self, UnitRow};

/// A unit as shown to administrators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitInfo {
    /// Short ASCII name.
    pub slug: String,
    /// Full name.
    pub name: String,
    /// Short name.
    pub short_name: String,
    /// Slug of the unit above.
    pub parent: Option<String>,
    /// What it does.
    pub duties: String,
    /// Whether cases may be dispatched to it today.
    pub active: bool,
}

/// All units of the dispatch table.
pub fn list(app: &App) -> Vec<UnitInfo> {
    let content = app.content.load();
    let today = content.schedule.civil(app.now()).date();
    content
        .routing
        .units()
        .list()
        .iter()
        .map(|unit| UnitInfo {
            slug: unit.slug.clone(),
            name: unit.name.clone(),
            short_name: unit.short_name.clone(),
            parent: unit.parent.clone(),
            duties: unit.duties.clone(),
            active: unit.valid_from.is_none_or(|first| first <= today)
                && unit.valid_to.is_none_or(|last| last >= today),
        })
        .collect()
}

/// Brings the copy in the database up to the dispatch table in force; units that vanished become inactive.
///
/// # Errors
/// `Store`.
pub async fn sync(app: &App) -> Result<usize, AppError> {
    let now = app.now();
    let table = list(app);
    let mut tx = app.db.write().await?;
    let stored = units::list(&mut tx).await?;
    let mut changed = 0;
    for unit in &table {
        let row = UnitRow {
            slug: unit.slug.clone(),
            name: unit.name.clone(),
            short_name: unit.short_name.clone(),
            kind: String::new(),
            level: String::new(),
            parent: unit.parent.clone(),
            supervise_path: None,
            active: unit.active,
        };
        if !stored.contains(&row) {
            units::upsert(&mut tx, &row, now).await?;
            changed += 1;
        }
    }
    for row in stored.into_iter().filter(|row| row.active && !table.iter().any(|unit| unit.slug == row.slug)) {
        units::upsert(&mut tx, &UnitRow { active: false, ..row }, now).await?;
        changed += 1;
    }
    if changed == 0 {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    Ok(changed)
}
