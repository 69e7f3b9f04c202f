//! What an attempt left behind: progress, a pause, a wait for the user, a dead letter, an alarm.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Delivery;
use crate::{
    app::{
        App, AppError,
        events::{Scope, StaffEvent},
        notices::{self, Notice, NoticeKind, Told},
    },
    domain::{access::Permission, ids::ConversationId},
    ports::wechat::{Held, Verdict, WechatAccount, WechatFailure},
    store::{Tx, outbox, wechat_out as store},
};

/// Attempts after faults of the platform: the last one comes about half a minute after the first.
const MOST_ATTEMPTS: i64 = 5;
/// Attempts while the platform asks for patience: the last one comes about half an hour after the first.
const MOST_PATIENT: i64 = 8;
/// Attempts when nobody knows what became of one: they must end while the platform still knows the doubles.
const MOST_UNKNOWN: i64 = 5;
/// Attempts while somebody has to mend the configuration: about two days.
const MOST_WAITING: i64 = 50;

/// Open desks look at the conversation again.
fn tell(app: &App, delivery: &Delivery) {
    tell_desks(app, delivery.conversation);
}

/// Open desks look at the conversation again.
pub(super) fn tell_desks(app: &App, conversation: ConversationId) {
    app.hub.tell_staff(StaffEvent {
        kind: "delivery",
        scope: Scope::Permission(Permission::Converse),
        data: json!({"id": conversation.to_string()}).to_string(),
    });
}

/// Notes that the platform took a piece, and keeps the entry for the next one.
///
/// # Errors
/// `Store`.
pub async fn progressed(app: &App, delivery: &Delivery, pieces: i64, lease: SignedDuration) -> Result<(), AppError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    let until = now.saturating_add(lease).unwrap_or(now);
    store::progressed(&mut tx, &delivery.row.id, pieces, until, &delivery.user).await?;
    Ok(tx.commit().await?)
}

/// Notes that everything arrived (or that it was not worth a message).
///
/// # Errors
/// `Store`.
pub async fn delivered(app: &App, id: &str, delivery: Option<&Delivery>) -> Result<(), AppError> {
    let mut tx = app.db.write().await?;
    outbox::delivered(&mut tx, id, app.now()).await?;
    tx.commit().await?;
    if let Some(delivery) = delivery {
        tell(app, delivery);
    }
    Ok(())
}

/// Notes the platform's number of a notice that it took.
///
/// # Errors
/// `Store`.
pub async fn noticed(app: &App, delivery: &Delivery, notice: &str) -> Result<(), AppError> {
    let mut tx = app.db.write().await?;
    store::set_notice(&mut tx, &delivery.row.id, notice).await?;
    Ok(tx.commit().await?)
}

/// Holds a message until the user writes again.
///
/// # Errors
/// `Store`.
pub async fn hold(app: &App, delivery: &Delivery, why: Held) -> Result<(), AppError> {
    let mut tx = app.db.write().await?;
    let after = delivery.user.last_action_at().unwrap_or(0);
    store::hold(&mut tx, &delivery.row.id, why.as_str(), why.words(), after).await?;
    if let (Held::Allowance, Some(most)) = (why, delivery.to.account.kind.allowance()) {
        store::used_up(&mut tx, &delivery.user, most).await?;
    }
    tx.commit().await?;
    tell(app, delivery);
    Ok(())
}

/// The platform refused a notice: its words wait until the user writes; an alarm is told to the administrators.
///
/// # Errors
/// `Store`.
pub async fn refused_notice(app: &App, delivery: &Delivery, failure: &WechatFailure) -> Result<(), AppError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    let after = delivery.user.last_action_at().unwrap_or(0);
    let words = format!("通知没有送达：{}；等对方再发消息后自动发出", failure.reason);
    store::hold(&mut tx, &delivery.row.id, Held::Window.as_str(), &words, after).await?;
    let told = if failure.alarm {
        alarm(app, &mut tx, Some(delivery), failure, &words, true, now).await?
    } else {
        Told::default()
    };
    tx.commit().await?;
    told.tell(app);
    tell(app, delivery);
    Ok(())
}

/// Tells the administrators that an account of 微信客服 cannot be read, once a day.
///
/// # Errors
/// `Store`.
pub async fn alarm_reading(app: &App, account: &WechatAccount) -> Result<(), AppError> {
    let now = app.now();
    let text =
        format!("微信客服“{}”的消息一直拉取不到，客户发来的消息暂时收不进来，请检查网络、密钥和可信 IP", account.name);
    let day = app.content.load().schedule.civil(now).date();
    let key = format!("wechat:kf-read:{}:{day}", account.name);
    let notice = Notice::to_administrators(NoticeKind::PushFailed, &text, &key);
    let mut tx = app.db.write().await?;
    let told = notices::notify(&mut tx, app, &notice, now).await?;
    tx.commit().await?;
    told.tell(app);
    Ok(())
}

/// Tells the administrators, once a day for each account and code.
async fn alarm(
    app: &App,
    tx: &mut Tx,
    delivery: Option<&Delivery>,
    failure: &WechatFailure,
    reason: &str,
    given_up: bool,
    now: Timestamp,
) -> Result<Told, AppError> {
    let account = delivery.map_or("微信", |delivery| delivery.to.account.name.as_str());
    let label = delivery.map_or("", |delivery| delivery.to.account.kind.label());
    let what = if given_up { "有消息没有送达" } else { "消息暂时发不出去，修复后会自动重发" };
    let text = format!("{label}“{account}”{what}：{reason}");
    let day = app.content.load().schedule.civil(now).date();
    let key = format!("wechat:{label}:{account}:{}:{given_up}:{day}", failure.code.unwrap_or(0));
    let notice = Notice::to_administrators(NoticeKind::PushFailed, &text, &key);
    notices::notify(tx, app, &notice, now).await
}

/// When to try again after a failure; `None` gives up.
fn next_attempt(failure: &WechatFailure, drops_doubles: bool, attempts: i64, now: Timestamp) -> Option<Timestamp> {
    let (most, first_s, longest_s) = match failure.verdict {
        Verdict::Retry => (MOST_ATTEMPTS, 2, 600),
        Verdict::NextMinute => (MOST_PATIENT, 60, 600),
        Verdict::Operator => (MOST_WAITING, 60, 3_600),
        Verdict::Unknown if drops_doubles => (MOST_UNKNOWN, 2, 60),
        Verdict::Unknown | Verdict::GiveUp | Verdict::Hold(_) => return None,
    };
    if attempts >= most {
        return None;
    }
    let doubled = u32::try_from(attempts.clamp(1, 20) - 1).unwrap_or(0);
    let pause = 2_i64.saturating_pow(doubled).saturating_mul(first_s).min(longest_s);
    Some(now.saturating_add(SignedDuration::from_secs(pause)).unwrap_or(now))
}

/// Notes a failed attempt; returns whether it will be tried again. Dead letters and alarms are told to the
/// administrators, once a day for each account and code.
///
/// # Errors
/// `Store`.
pub async fn failed(
    app: &App,
    id: &str,
    attempts: i64,
    delivery: Option<&Delivery>,
    failure: &WechatFailure,
    drops_doubles: bool,
) -> Result<bool, AppError> {
    let now = app.now();
    let next = next_attempt(failure, drops_doubles, attempts, now);
    let mut reason = failure.reason.clone();
    if failure.verdict == Verdict::Unknown && next.is_none() {
        reason.push_str("，可能已经送达，没有自动重发");
    }
    let mut tx = app.db.write().await?;
    outbox::failed(&mut tx, id, &reason, next, now).await?;
    let told = if failure.alarm || next.is_none() {
        alarm(app, &mut tx, delivery, failure, &reason, next.is_none(), now).await?
    } else {
        Told::default()
    };
    tx.commit().await?;
    told.tell(app);
    if let Some(delivery) = delivery {
        tell(app, delivery);
    }
    Ok(next.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_depend_on_the_fault_and_what_nobody_knows_is_not_repeated_blindly() {
        let now = Timestamp::UNIX_EPOCH;
        let pause = |verdict, drops_doubles, attempts| {
            let failure = WechatFailure { verdict, alarm: false, code: None, reason: String::new() };
            next_attempt(&failure, drops_doubles, attempts, now).map(Timestamp::as_second)
        };
        assert_eq!([1, 2, 3].map(|n| pause(Verdict::Retry, false, n)), [Some(2), Some(4), Some(8)]);
        assert_eq!(pause(Verdict::Retry, false, MOST_ATTEMPTS), None);
        assert_eq!(pause(Verdict::NextMinute, false, 1), Some(60));
        assert_eq!(pause(Verdict::Operator, false, 20), Some(3_600));
        assert_eq!(pause(Verdict::Unknown, false, 1), None);
        let known: i64 = (1..MOST_UNKNOWN).filter_map(|n| pause(Verdict::Unknown, true, n)).sum();
        assert!((1..100).contains(&known), "within the platform's memory of doubles: {known} s");
        assert_eq!(pause(Verdict::Unknown, true, MOST_UNKNOWN), None);
        assert_eq!(pause(Verdict::GiveUp, true, 1), None);
    }
}
