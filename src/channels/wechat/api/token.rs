//! The access token of one account: asked for once at a time, renewed early, never replaced by an older one.
//!
//! 公众号 use `stable_token` without `force_refresh`: repeated calls give the same token, so several gateways do not
//! take it away from one another. 企业微信 has `gettoken`, which behaves alike.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::ports::wechat::WechatFailure;

/// A token is renewed this long before it ends: from then on the platform gives out the next one.
const EARLY: Duration = Duration::from_mins(5);

/// A token and its times.
#[derive(Debug, Clone)]
struct Known {
    value: String,
    /// When it is to be renewed.
    renew_at: Instant,
    /// When it ends.
    ends_at: Instant,
}

/// What the platform gave.
#[derive(Debug)]
pub(super) struct Fresh {
    /// The token.
    pub(super) value: String,
    /// How long it lives, in seconds.
    pub(super) expires_in: u64,
}

/// The place of one account's token.
#[derive(Debug, Default)]
pub(super) struct Token {
    known: Mutex<Option<Known>>,
    /// Held by whoever asks the platform; the others wait and use what came.
    asking: tokio::sync::Mutex<()>,
    /// The last failure: whoever waited for it shares it.
    failed: Mutex<Option<(Instant, WechatFailure)>>,
}

impl Token {
    /// A failure that came after this moment.
    fn failed_since(&self, came: Instant) -> Option<WechatFailure> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().filter(|(at, _)| *at >= came).map(|(_, failure)| failure.clone())
    }

    fn known(&self) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The token, asked for with `fetch` when there is none or it ends soon after `now`.
    pub(super) async fn get(
        &self,
        now: Instant,
        fetch: impl AsyncFnOnce() -> Result<Fresh, WechatFailure>,
    ) -> Result<String, WechatFailure> {
        if let Some(known) = self.known().filter(|known| now < known.renew_at) {
            return Ok(known.value);
        }
        let came = Instant::now();
        let _asking = self.asking.lock().await;
        if let Some(known) = self.known().filter(|known| now < known.renew_at) {
            return Ok(known.value);
        }
        let asked = match self.failed_since(came) {
            Some(failure) => Err(failure),
            None => self.ask(now, fetch).await,
        };
        match asked {
            Ok(value) => Ok(value),
            // The old one is good for some minutes still.
            Err(failure) => match self.known().filter(|known| now < known.ends_at) {
                Some(known) => {
                    tracing::warn!(reason = %failure.reason, "the access token could not be renewed early");
                    Ok(known.value)
                }
                None => Err(failure),
            },
        }
    }

    /// A token other than `refused`, which the platform does not take any more. Whoever comes second uses what the
    /// first one got.
    pub(super) async fn renew(
        &self,
        refused: &str,
        now: Instant,
        fetch: impl AsyncFnOnce() -> Result<Fresh, WechatFailure>,
    ) -> Result<String, WechatFailure> {
        let came = Instant::now();
        let _asking = self.asking.lock().await;
        if let Some(known) = self.known().filter(|known| known.value != refused) {
            return Ok(known.value);
        }
        match self.failed_since(came) {
            Some(failure) => Err(failure),
            None => self.ask(now, fetch).await,
        }
    }

    async fn ask(
        &self,
        asked: Instant,
        fetch: impl AsyncFnOnce() -> Result<Fresh, WechatFailure>,
    ) -> Result<String, WechatFailure> {
        let fresh = match fetch().await {
            Ok(fresh) => fresh,
            Err(failure) => {
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), failure.clone()));
                return Err(failure);
            }
        };
        let life = Duration::from_secs(fresh.expires_in);
        let known =
            Known { value: fresh.value.clone(), renew_at: asked + life.saturating_sub(EARLY), ends_at: asked + life };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(fresh.value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::ports::wechat::Verdict;

    fn broken() -> WechatFailure {
        WechatFailure { verdict: Verdict::Retry, alarm: false, code: Some(-1), reason: "平台繁忙".into() }
    }

    fn after(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn it_is_asked_for_once_and_renewed_five_minutes_early() {
        let (token, asked, begin) = (Token::default(), AtomicUsize::new(0), Instant::now());
        let fetch = async || {
            tokio::task::yield_now().await;
            let n = asked.fetch_add(1, Ordering::Relaxed);
            Ok(Fresh { value: format!("t{n}"), expires_in: 7_200 })
        };
        let got = futures_util::future::join_all((0..20).map(|_| token.get(begin, fetch))).await;
        assert!(got.iter().all(|value| value.as_deref() == Ok("t0")), "{got:?}");
        assert_eq!(token.get(after(begin, 6_899), fetch).await.as_deref(), Ok("t0"));
        assert_eq!(token.get(after(begin, 6_901), fetch).await.as_deref(), Ok("t1"));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_failed_early_renewal_leaves_the_old_token_in_use_until_it_ends() {
        let (token, begin) = (Token::default(), Instant::now());
        let good = async || Ok(Fresh { value: "t".into(), expires_in: 7_200 });
        token.get(begin, good).await.unwrap();
        assert_eq!(token.get(after(begin, 7_000), async || Err(broken())).await.as_deref(), Ok("t"));
        assert_eq!(token.get(after(begin, 7_200), async || Err(broken())).await, Err(broken()));
    }

    #[tokio::test]
    async fn many_who_are_refused_renew_once() {
        let (token, asked, begin) = (Token::default(), AtomicUsize::new(0), Instant::now());
        let fetch = async || {
            tokio::task::yield_now().await;
            let n = asked.fetch_add(1, Ordering::Relaxed);
            Ok(Fresh { value: format!("t{n}"), expires_in: 7_200 })
        };
        token.get(begin, fetch).await.unwrap();
        let got = futures_util::future::join_all((0..20).map(|_| token.renew("t0", begin, fetch))).await;
        assert!(got.iter().all(|value| value.as_deref() == Ok("t1")), "{got:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
