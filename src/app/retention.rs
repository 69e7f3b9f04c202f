//! What goes after its term: conversations without a case, ended logins, delivered events, old
//! notices, files of nothing.
//!
//! Cases, their history and the conversations they came out of never go by themselves: how many are past their term
//! is counted, a person decides. `retention.dry_run` counts everything and deletes nothing.

use std::{fmt, sync::atomic::Ordering::Relaxed};

use jiff::{SignedDuration, Timestamp};

use super::{App, AppError, attachments};
use crate::{
    config::SIX_MONTHS,
    store::{
        notices,
        upkeep::{self, Passing},
    },
};

/// Conversations that go in one transaction: short enough that a visitor's message does not wait behind it.
const BATCH: i64 = 100;
/// Plain rows that go in one transaction.
const ROWS: i64 = 1_000;
/// First answers of repeated requests are kept this long.
const REPEATS: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A file without a row is left alone for this long: its upload may be under way.
const UPLOADING: SignedDuration = SignedDuration::from_hours(24);
/// Exchanges with the model are kept this many days unless the configuration says otherwise.
const MODEL_DAYS: u32 = SIX_MONTHS;
/// A term in years is counted in days, leap days included.
const HOURS_OF_YEAR: i64 = 8_766;

/// What one run did, or would have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Whether it only counted.
    pub dry_run: bool,
    /// Conversations.
    pub conversations: usize,
    /// Files.
    pub files: usize,
    /// Other rows.
    pub rows: usize,
    /// Cases past their term; nothing happens to them.
    pub old_cases: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dry_run, conversations, files, rows, old_cases } = self;
        let what = if *dry_run { "只统计：到期" } else { "已清理" };
        write!(
            f,
            "{what}会话 {conversations}，文件 {files}，其他记录 {rows}；超过保存期限的诉求件 {old_cases}（待人工处置）"
        )
    }
}

/// Looks for what is past its term and lets it go.
///
/// # Errors
/// `Store`, `Internal` (the folder of files cannot be read). What was committed before stays gone.
pub async fn run(app: &App) -> Result<Summary, AppError> {
    let retention = &app.config.retention;
    let now = app.now();
    let ago = |age: SignedDuration| now.saturating_sub(age).unwrap_or(now);
    let days = |days: u32| ago(SignedDuration::from_hours(24 * i64::from(days)));
    let years = |years: u32| ago(SignedDuration::from_hours(HOURS_OF_YEAR * i64::from(years)));
    let model_days = app.config.model.as_ref().map_or(MODEL_DAYS, |model| model.retention_days);
    let mut summary = Summary { dry_run: retention.dry_run, ..Summary::default() };
    let mut unwanted = Vec::new();
    summary.conversations =
        old_conversations(app, days(retention.conversation_days), retention.dry_run, &mut unwanted).await?;
    for kind in Passing::ALL {
        let before = match kind {
            Passing::Sessions | Passing::LoginAttempts | Passing::Tokens => days(retention.log_days),
            Passing::Repeats | Passing::Received | Passing::ModelTasks => ago(REPEATS),
            Passing::ModelExchanges | Passing::Suggestions | Passing::Proposals => days(model_days),
            Passing::Deliveries | Passing::Unanswered => days(retention.conversation_days),
        };
        summary.rows += passing(app, kind, before, retention.dry_run).await?;
    }
    summary.rows += old_notices(app, days(retention.log_days), retention.dry_run).await?;
    // These go before the look for files of nothing: they are of nothing now.
    for name in &unwanted {
        attachments::remove(app, name).await?;
    }
    let orphans = orphans(app, ago(UPLOADING)).await?;
    summary.files = unwanted.len() + orphans.len();
    if !retention.dry_run {
        for name in &orphans {
            attachments::remove(app, name).await?;
        }
        app.metrics.retention_conversations.fetch_add(summary.conversations as u64, Relaxed);
        app.metrics.retention_files.fetch_add(summary.files as u64, Relaxed);
        app.metrics.retention_rows.fetch_add(summary.rows as u64, Relaxed);
    }
    let mut tx = app.db.read().await?;
    let old = upkeep::count_old_cases(&mut tx, years(retention.case_years), years(retention.conduct_years)).await?;
    summary.old_cases = usize::try_from(old).unwrap_or(0);
    app.metrics.cases_past_term.store(u64::try_from(old).unwrap_or(0), Relaxed);
    Ok(summary)
}

/// Conversations without a case, with all that hangs on them; the names of their files are added to `files`.
async fn old_conversations(
    app: &App,
    before: Timestamp,
    dry_run: bool,
    files: &mut Vec<String>,
) -> Result<usize, AppError> {
    let (mut gone, mut after) = (0, String::new());
    loop {
        let ids = {
            let mut tx = app.db.read().await?;
            upkeep::old_conversations(&mut tx, before, &after, BATCH).await?
        };
        let Some(last) = ids.last() else { return Ok(gone) };
        after.clone_from(last);
        if dry_run {
            gone += ids.len();
            continue;
        }
        let mut tx = app.db.write().await?;
        let (went, of_them) = upkeep::delete_conversations(&mut tx, &ids, before).await?;
        tx.commit().await?;
        gone += went;
        files.extend(of_them);
    }
}

async fn passing(app: &App, kind: Passing, before: Timestamp, dry_run: bool) -> Result<usize, AppError> {
    let due = {
        let mut tx = app.db.read().await?;
        upkeep::count_passing(&mut tx, kind, before).await?
    };
    let mut gone = 0;
    while !dry_run && gone < due {
        let mut tx = app.db.write().await?;
        let went = upkeep::delete_passing(&mut tx, kind, before, ROWS).await?;
        tx.commit().await?;
        if went == 0 {
            break;
        }
        gone += went;
    }
    if due > 0 {
        tracing::info!(kind = kind.as_str(), due, gone, "rows past their term");
    }
    Ok(if dry_run { due } else { gone })
}

/// What officers were told, read or not.
async fn old_notices(app: &App, before: Timestamp, dry_run: bool) -> Result<usize, AppError> {
    let due = {
        let mut tx = app.db.read().await?;
        usize::try_from(notices::count_old(&mut tx, before).await?).unwrap_or(0)
    };
    let mut gone = 0;
    while !dry_run && gone < due {
        let mut tx = app.db.write().await?;
        let went = notices::forget(&mut tx, before, ROWS).await?;
        tx.commit().await?;
        if went == 0 {
            break;
        }
        gone += usize::try_from(went).unwrap_or(0);
    }
    if due > 0 {
        tracing::info!(kind = "notices", due, gone, "rows past their term");
    }
    Ok(if dry_run { due } else { gone })
}

/// Files that no row knows: a broken-off upload, or a process that died between the row and the file.
async fn orphans(app: &App, before: Timestamp) -> Result<Vec<String>, AppError> {
    let mut orphans = Vec::new();
    for names in attachments::names_before(app, before).await?.chunks(500) {
        let mut tx = app.db.read().await?;
        orphans.extend(upkeep::unknown_files(&mut tx, names).await?);
    }
    Ok(orphans)
}
