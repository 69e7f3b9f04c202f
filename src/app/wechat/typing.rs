//! 对方正在输入 for users of 公众号: while an officer writes to them, and while a late answer is in the making.
//!
//! A courtesy: at most once in ten seconds for each user, in the background, and a refusal is a line in the log.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{App, wechat_out},
    domain::ids::ConversationId,
    ports::wechat::{WechatAccount, WechatAddress, WechatKind},
    store::wechat,
};

/// The platform shows it for fifteen seconds.
const EVERY: SignedDuration = SignedDuration::from_secs(10);
/// Users remembered at most.
const MOST: usize = 10_000;

/// When it was shown last, to whom.
#[derive(Debug, Default)]
pub(crate) struct Shown(Mutex<HashMap<(String, String), Timestamp>>);

impl Shown {
    /// Whether it may be shown now; it counts as shown then.
    fn take(&self, account: &str, openid: &str, now: Timestamp) -> bool {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |at: &Timestamp| now.duration_since(*at) < EVERY;
        if shown.len() >= MOST {
            shown.retain(|_, at| fresh(at));
            if shown.len() >= MOST {
                shown.clear();
            }
        }
        let key = (account.to_owned(), openid.to_owned());
        if shown.get(&key).is_some_and(fresh) {
            return false;
        }
        shown.insert(key, now);
        true
    }
}

/// An officer writes to the visitor of this conversation.
pub fn officer_types(app: &App, conversation: ConversationId) {
    if app.config.wechat.oa.is_empty() || app.wechat.api().is_none() {
        return;
    }
    let (app, now) = (app.clone(), app.now());
    tokio::spawn(async move {
        let found = async {
            let mut tx = app.db.read().await?;
            if wechat_out::stays_on_the_web(&mut tx, &app, conversation).await? {
                return Ok(None);
            }
            Ok::<_, crate::app::AppError>(wechat::of_conversation(&mut tx, conversation).await?.into_iter().next())
        };
        match found.await {
            Ok(Some(user)) if user.channel == WechatKind::Oa.as_str() => {
                send(&app, &WechatAccount { kind: WechatKind::Oa, name: user.account }, &user.openid, now).await;
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "nobody to show typing to"),
        }
    });
}

/// An answer to this user takes longer than the platform waits.
pub(super) fn late(app: &App, account: &WechatAccount, openid: &str) {
    if account.kind != WechatKind::Oa || app.wechat.api().is_none() {
        return;
    }
    let (app, account, openid, now) = (app.clone(), account.clone(), openid.to_owned(), app.now());
    tokio::spawn(async move { send(&app, &account, &openid, now).await });
}

async fn send(app: &App, account: &WechatAccount, openid: &str, now: Timestamp) {
    let Some(api) = app.wechat.api() else { return };
    if !app.wechat.typing.take(&account.name, openid, now) {
        return;
    }
    let to = WechatAddress { account: account.clone(), user: openid.to_owned() };
    if let Err(failure) = api.typing(&to, true).await {
        tracing::debug!(wechat.account = %account, reason = %failure.reason, "typing was not shown");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_once_in_ten_seconds_to_each() {
        let (shown, at) = (Shown::default(), |s| Timestamp::from_second(s).unwrap());
        assert!(shown.take("main", "o1", at(0)));
        assert!(!shown.take("main", "o1", at(9)));
        assert!(shown.take("main", "o2", at(9)) && shown.take("other", "o1", at(9)));
        assert!(shown.take("main", "o1", at(10)));
    }
}
