//! What the model may cost: tokens and yuan a day and a month, and tokens an hour of one user. All counts come from the
//! journal, so a restart changes nothing.

use std::sync::atomic::Ordering::Relaxed;

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::super::{
    App, AppError,
    notices::{self, Notice, NoticeKind},
};
use crate::{
    config::Config,
    store::{
        Tx,
        model::{self, Spender},
    },
};

/// From this share on administrators are told.
const WARN_PERCENT: i64 = 80;

/// Millionths in a yuan.
const MICRO: f64 = 1_000_000.0;

/// The time a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A civil day.
    Day,
    /// A civil month.
    Month,
}

impl Period {
    const fn label(self) -> &'static str {
        match self {
            Self::Day => "今日",
            Self::Month => "本月",
        }
    }

    const fn ends(self) -> &'static str {
        match self {
            Self::Day => "明天零点",
            Self::Month => "下月 1 日",
        }
    }
}

/// A budget with what is spent of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The time it is for.
    pub period: Period,
    /// `true`: millionths of a yuan; `false`: tokens.
    pub money: bool,
    /// Spent so far.
    pub used: i64,
    /// At most; nothing: no limit.
    pub most: Option<i64>,
}

impl Limit {
    /// Spent of it in percent, rounded down; nothing without a limit.
    pub fn percent(&self) -> Option<i64> {
        self.most.map(|most| if most <= 0 { 100 } else { self.used.saturating_mul(100) / most })
    }

    /// Whether nothing is left.
    pub fn is_spent(&self) -> bool {
        self.most.is_some_and(|most| self.used >= most)
    }
}

/// All budgets of everybody: tokens and yuan of the day, tokens and yuan of the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage(pub [Limit; 4]);

impl Usage {
    /// Whether some budget is used up.
    pub fn is_spent(&self) -> bool {
        self.0.iter().any(Limit::is_spent)
    }
}

/// The configured limits: tokens a day, yuan a day, tokens a month, yuan a month; tokens of a user an hour.
struct Budgets {
    most: [Option<i64>; 4],
    user_hourly: Option<i64>,
}

impl Budgets {
    fn of(config: &Config) -> Self {
        let tokens = |most: Option<u64>| most.map(|most| i64::try_from(most).unwrap_or(i64::MAX));
        let model = config.model.as_ref();
        Self {
            most: [
                tokens(model.and_then(|model| model.daily_token_budget)),
                model.and_then(|model| model.daily_yuan_budget).map(micro),
                tokens(model.and_then(|model| model.monthly_token_budget)),
                model.and_then(|model| model.monthly_yuan_budget).map(micro),
            ],
            user_hourly: tokens(model.and_then(|model| model.user_hourly_tokens)),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "casts of floats saturate, and a budget is far below the limit")]
pub(super) fn rounded(micro_yuan: f64) -> i64 {
    micro_yuan as i64
}

fn micro(yuan: f64) -> i64 {
    rounded(yuan * MICRO)
}

/// When the day and the month of this instant began.
fn beginnings(app: &App, now: Timestamp) -> [Timestamp; 2] {
    let today = app.zone().to_datetime(now).date();
    let start = |date: Date| app.zone().to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(now);
    [start(today), start(today.first_of_month())]
}

async fn read(tx: &mut Tx, app: &App, now: Timestamp, told: bool) -> Result<Usage, AppError> {
    let budgets = Budgets::of(&app.config);
    let [day, month] = beginnings(app, now);
    let today = model::spent(tx, day).await?;
    // Who only asks whether something is left needs no sum that no budget is for.
    let monthly = told || budgets.most[2].is_some() || budgets.most[3].is_some();
    let this_month = if monthly { model::spent(tx, month).await? } else { today };
    let limit = |period, money, used, n: usize| Limit { period, money, used, most: budgets.most[n] };
    Ok(Usage([
        limit(Period::Day, false, today.tokens, 0),
        limit(Period::Day, true, today.cost_micro_yuan, 1),
        limit(Period::Month, false, this_month.tokens, 2),
        limit(Period::Month, true, this_month.cost_micro_yuan, 3),
    ]))
}

/// What is spent of every budget.
///
/// # Errors
/// `Store`.
pub async fn usage(app: &App) -> Result<Usage, AppError> {
    let mut tx = app.db.read().await?;
    read(&mut tx, app, app.now(), true).await
}

/// Looks at the budgets and remembers whether asking is worth a try; administrators are told at 80 % and at the end,
/// once for each day or month.
///
/// # Errors
/// `Store`.
pub async fn refresh(app: &App) -> Result<Usage, AppError> {
    let now = app.now();
    let usage = {
        let mut tx = app.db.read().await?;
        read(&mut tx, app, now, false).await?
    };
    app.model.spent.store(usage.is_spent(), Relaxed);
    if usage.0.iter().any(|limit| limit.percent().is_some_and(|percent| percent >= WARN_PERCENT)) {
        tell(app, &usage, now).await?;
    }
    Ok(usage)
}

async fn tell(app: &App, usage: &Usage, now: Timestamp) -> Result<(), AppError> {
    let today = app.zone().to_datetime(now).date();
    let mut tx = app.db.write().await?;
    let mut told = notices::Told::default();
    for limit in &usage.0 {
        let Some(percent) = limit.percent().filter(|percent| *percent >= WARN_PERCENT) else { continue };
        let what = if limit.money { "费用" } else { "字量（token）" };
        let (period, step) = (limit.period, if limit.is_spent() { 100 } else { WARN_PERCENT });
        let text = if limit.is_spent() {
            format!("大模型{}{what}额度已用完，现在只按规则库作答，{}恢复", period.label(), period.ends())
        } else {
            format!("大模型{}{what}额度已用 {percent}%，用完后只按规则库作答", period.label())
        };
        let date = match period {
            Period::Day => today,
            Period::Month => today.first_of_month(),
        };
        let key = format!("model-budget:{what}:{}:{date}:{step}", period.label());
        let notice = Notice::to_administrators(NoticeKind::News, &text, &key);
        told.join(notices::notify(&mut tx, app, &notice, now).await?);
    }
    if told.is_empty() {
        tx.rollback().await?;
        return Ok(());
    }
    tx.commit().await?;
    told.tell(app);
    Ok(())
}

/// Whether one more question may be asked: by everybody's budgets and by those of this user. `next` tokens are what it
/// may cost.
pub(super) async fn allows(
    tx: &mut Tx,
    app: &App,
    who: Option<Spender<'_>>,
    next: i64,
    now: Timestamp,
) -> Result<Result<(), String>, AppError> {
    let usage = read(tx, app, now, false).await?;
    if usage.is_spent() {
        app.model.spent.store(true, Relaxed);
        return Ok(Err("the budget of everybody".to_owned()));
    }
    let hour_ago = now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(now);
    if let (Some(who), Some(most)) = (who, Budgets::of(&app.config).user_hourly)
        && model::spent_by(tx, who, hour_ago).await?.saturating_add(next) > most
    {
        return Ok(Err("the hourly budget of this user".to_owned()));
    }
    Ok(Ok(()))
}
