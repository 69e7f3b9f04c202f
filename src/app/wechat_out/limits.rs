//! The platform's limits: how long and how often an account may write after a user's message.

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::AppError,
    domain::ids::ConversationId,
    ports::wechat::{Held, WechatKind},
    store::{
        Tx,
        wechat::{self, WechatUser},
        wechat_out,
    },
};

/// Messages after a tap, a scan or a new subscription, and how long they may be sent (公众号).
const AFTER_A_TAP: i64 = 3;
const TAP_WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// What the platform allows now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Kind of the account.
    pub kind: WechatKind,
    /// How long the window is open still; zero: closed; `None`: there is no window.
    pub window: Option<SignedDuration>,
    /// Messages that may be sent still; `None`: as many as we like.
    pub left: Option<i64>,
    /// Messages that wait to be sent and will count against it; only known where the limits are shown.
    pub waiting: i64,
    /// Whether the user has left the account.
    pub left_us: bool,
    /// Only a tap lets the account write now, or lets it write more than the last message does.
    pub tapped: bool,
}

impl Limits {
    /// The limits towards a user.
    pub(super) fn of(kind: WechatKind, user: &WechatUser, now: Timestamp) -> Self {
        let window = kind.window_hours().map(|hours| {
            let last = user.last_inbound_at.and_then(|at| Timestamp::from_millisecond(at).ok());
            let end = last.and_then(|at| at.checked_add(SignedDuration::from_hours(hours)).ok());
            end.map_or(SignedDuration::ZERO, |end| end.duration_since(now).max(SignedDuration::ZERO))
        });
        let left = kind.allowance().map(|most| (most - user.sent_since_inbound).max(0));
        let by_message = Self { kind, window, left, waiting: 0, left_us: !user.subscribed, tapped: false };
        by_message.or_by_tap(user, now)
    }

    /// The better of both windows.
    fn or_by_tap(self, user: &WechatUser, now: Timestamp) -> Self {
        let tapped = user.tapped_at.filter(|_| self.kind == WechatKind::Oa);
        let end = tapped.and_then(|at| Timestamp::from_millisecond(at).ok()?.checked_add(TAP_WINDOW).ok());
        let window = end.map_or(SignedDuration::ZERO, |end| end.duration_since(now).max(SignedDuration::ZERO));
        let left = (AFTER_A_TAP - user.sent_since_tap).max(0);
        let now_left = if self.window.is_some_and(|window| window.is_zero()) { 0 } else { self.left.unwrap_or(0) };
        if window.is_zero() || left <= now_left {
            return self;
        }
        Self { window: Some(window), left: Some(left), tapped: true, ..self }
    }

    /// Why nothing may be sent now.
    pub fn held(&self) -> Option<Held> {
        if self.left_us || self.window.is_some_and(|window| window.is_zero()) {
            return Some(Held::Window);
        }
        (self.left == Some(0)).then_some(Held::Allowance)
    }

    /// Whether at least so many messages may be sent.
    pub(super) fn is_roomy(&self, messages: i64) -> bool {
        self.held().is_none() && self.left.is_none_or(|left| left >= messages)
    }

    /// Messages that an officer may write still: those that wait will take their part.
    pub fn spare(&self) -> Option<i64> {
        self.left.map(|left| (left - self.waiting).max(0))
    }

    /// The sentence above the officer's input.
    pub fn words(&self) -> String {
        let label = self.kind.label();
        if self.left_us {
            return format!("对方已取消关注{label}，消息发不出去");
        }
        let (Some(window), left, waiting) = (self.window, self.left, self.waiting) else {
            return format!("{label}：随时可以发消息");
        };
        if self.tapped {
            let left = self.spare().unwrap_or(0);
            return format!("对方刚点了菜单或扫了码，一分钟内还可发 {left} 条；对方发来消息后是 48 小时 5 条");
        }
        if window.is_zero() {
            return "48 小时窗口已关闭，现在发的消息要等对方再来消息才会送达".to_owned();
        }
        let (hours, minutes) = (window.as_hours(), window.as_mins());
        let time = if hours >= 1 { format!("{hours} 小时") } else { format!("{} 分钟", minutes.max(1)) };
        match left {
            Some(0) => format!("48 小时窗口还剩 {time}，但可发条数已用完，要等对方再来消息"),
            Some(left) if waiting >= left => {
                format!("48 小时窗口还剩 {time}，可发的 {left} 条已被待发的 {waiting} 条用完，再写的要等对方来消息")
            }
            Some(left) if waiting > 0 => {
                format!("48 小时窗口还剩 {time}，还可发 {} 条（另有 {waiting} 条待发）", left - waiting)
            }
            Some(left) => format!("48 小时窗口还剩 {time}，还可发 {left} 条"),
            None => format!("48 小时窗口还剩 {time}"),
        }
    }

    /// What the officer can do when nothing may be sent.
    pub fn advice(&self) -> Option<&'static str> {
        (self.held().is_some() || self.spare() == Some(0)).then_some(
            "可以照常写：消息会保留，对方一来消息就自动发出。急事请打电话；已立案的，办理节点会按模板消息或订阅通知提醒对方（如已配置）",
        )
    }
}

/// The limits towards whoever wrote last in this conversation; `None` when no WeChat user is in it.
///
/// # Errors
/// `Store`.
pub async fn limits_of_conversation(
    tx: &mut Tx,
    conversation: ConversationId,
    now: Timestamp,
) -> Result<Option<Limits>, AppError> {
    let user = wechat::of_conversation(tx, conversation).await?.into_iter().next();
    let Some(user) = user else { return Ok(None) };
    let Ok(kind) = user.channel.parse() else { return Ok(None) };
    let mut limits = Limits::of(kind, &user, now);
    if limits.window.is_some_and(|window| !window.is_zero())
        && wechat_out::is_closed(tx, conversation, user.last_action_at().unwrap_or(0)).await?
    {
        // The platform knows better.
        limits.window = Some(SignedDuration::ZERO);
    }
    if limits.left.is_none() {
        return Ok(Some(limits));
    }
    let waiting = wechat::waiting(tx, conversation).await?;
    Ok(Some(Limits { waiting, ..limits }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(channel: &str, last: Option<i64>, sent: i64, subscribed: bool) -> WechatUser {
        WechatUser {
            channel: channel.into(),
            account: "main".into(),
            openid: "o1".into(),
            unionid: None,
            visitor_id: String::new(),
            conversation_id: String::new(),
            last_inbound_at: last,
            sent_since_inbound: sent,
            tapped_at: None,
            sent_since_tap: 0,
            subscribed,
            created_at: 0,
            changed_at: 0,
        }
    }

    #[test]
    fn window_and_allowance_are_told_in_words() {
        let hour = 3_600_000;
        let check = |user: &WechatUser, at_ms: i64, held: Option<Held>, words: &str| {
            let limits = Limits::of(user.channel.parse().unwrap(), user, Timestamp::from_millisecond(at_ms).unwrap());
            assert_eq!(limits.held(), held, "{words}");
            assert_eq!(limits.words(), words);
            assert_eq!(limits.advice().is_some(), held.is_some());
        };
        check(&user("oa", Some(0), 2, true), 17 * hour - 1, None, "48 小时窗口还剩 31 小时，还可发 3 条");
        check(&user("kf", Some(0), 0, true), 48 * hour - 60_000, None, "48 小时窗口还剩 1 分钟，还可发 5 条");
        let used = "48 小时窗口还剩 47 小时，但可发条数已用完，要等对方再来消息";
        check(&user("oa", Some(0), 7, true), hour, Some(Held::Allowance), used);
        let closed = "48 小时窗口已关闭，现在发的消息要等对方再来消息才会送达";
        check(&user("oa", Some(0), 0, true), 48 * hour, Some(Held::Window), closed);
        check(&user("oa", None, 0, true), hour, Some(Held::Window), closed);
        check(&user("oa", Some(0), 0, false), hour, Some(Held::Window), "对方已取消关注公众号，消息发不出去");
        check(&user("work", None, 900, true), hour, None, "企业微信：随时可以发消息");
    }

    #[test]
    fn a_tap_opens_three_messages_for_a_minute_and_no_more() {
        let tapped = |last: Option<i64>, sent: i64, since_tap: i64, at_ms: i64| {
            let user = WechatUser { tapped_at: Some(0), sent_since_tap: since_tap, ..user("oa", last, sent, true) };
            let limits = Limits::of(WechatKind::Oa, &user, Timestamp::from_millisecond(at_ms).unwrap());
            (limits.held(), limits.left, limits.tapped)
        };
        assert_eq!(tapped(None, 0, 0, 59_999), (None, Some(3), true));
        assert_eq!(tapped(None, 0, 2, 59_999), (None, Some(1), true));
        assert_eq!(tapped(None, 0, 3, 1_000).0, Some(Held::Window));
        assert_eq!(tapped(None, 0, 0, 60_000).0, Some(Held::Window), "the minute is over");
        assert_eq!(tapped(Some(0), 5, 0, 1_000), (None, Some(3), true), "used up, and opened again by the tap");
        assert_eq!(tapped(Some(0), 1, 0, 1_000), (None, Some(4), false), "the message lets more");
        let user = WechatUser { tapped_at: Some(0), ..user("kf", None, 0, true) };
        assert_eq!(Limits::of(WechatKind::Kf, &user, Timestamp::UNIX_EPOCH).held(), Some(Held::Window));
    }

    #[test]
    fn messages_that_wait_take_their_part_of_the_allowance() {
        let check = |waiting: i64, spare: i64, words: &str| {
            let user = user("oa", Some(0), 2, true);
            let limits = Limits { waiting, ..Limits::of(WechatKind::Oa, &user, Timestamp::UNIX_EPOCH) };
            assert_eq!((limits.spare(), limits.held()), (Some(spare), None), "the job sends what waits");
            assert_eq!(limits.words(), format!("48 小时窗口还剩 48 小时，{words}"));
            assert_eq!(limits.advice().is_some(), spare == 0);
        };
        check(0, 3, "还可发 3 条");
        check(1, 2, "还可发 2 条（另有 1 条待发）");
        check(3, 0, "可发的 3 条已被待发的 3 条用完，再写的要等对方来消息");
        check(4, 0, "可发的 3 条已被待发的 4 条用完，再写的要等对方来消息");
    }
}
