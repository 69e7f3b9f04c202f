//! OAuth of verified service accounts: WeChat vouches for a browser, and its conversation becomes that of the user.
//!
//! The state belongs to the browser that began (a cookie of its own), counts for ten minutes and for one code. The
//! code is exchanged once, however often the page is loaded: WeChat's browser loads it twice at times, and the second
//! one gets what the first one got. Where the browser goes on afterwards is one of our own pages, never an address of
//! the request.

use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq as _;

use super::{join, people};
use crate::{
    app::{App, AppError, hash_secret, limits::refuse, visitors},
    domain::ids::ConversationId,
    ports::wechat::{Verdict, WechatAccount, WechatKind},
    store::{
        StoreError, Tx,
        conversations::{self, ConversationRow},
        wechat, wechat_oauth as store,
    },
};

/// How long the way through WeChat may take.
const LIFE: SignedDuration = SignedDuration::from_mins(10);
/// An exchange that takes longer was left behind.
const STALE: SignedDuration = SignedDuration::from_secs(15);
/// How often and how long a second request looks for what the first one gets.
const LOOKS: u32 = 40;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
/// Tries when somebody speaks in the conversation at the same moment.
const TRIES: usize = 4;

/// Where the browser goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The conversation.
    Chat,
    /// 查进度.
    Track,
}

impl Page {
    /// The page of a word; anything else is the conversation.
    pub fn of(word: Option<&str>) -> Self {
        if word == Some("track") { Self::Track } else { Self::Chat }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Track => "track",
        }
    }
}

/// Why a browser was not joined.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The account has no OAuth here.
    #[error("no OAuth for this account")]
    Unknown,
    /// The configuration lacks something.
    #[error("OAuth lacks a setting")]
    NotSetUp,
    /// The state is not of this browser, used for another code, or over.
    #[error("the state does not count")]
    Expired,
    /// The user refused.
    #[error("the user refused")]
    Denied,
    /// A virtual account of WeChat's snapshot pages.
    #[error("a snapshot account")]
    Snapshot,
    /// The platform does not take the code.
    #[error("the code does not count")]
    Spent,
    /// The platform did not answer, or another request is still at it.
    #[error("the platform did not answer")]
    Busy,
    /// Anything of our own.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// An OAuth begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// WeChat's page.
    pub url: String,
    /// The browser's secret, for a cookie.
    pub browser: String,
}

/// A browser that came back.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Where it goes on.
    pub page: Page,
    /// A token for the conversation, if the browser had none for it.
    pub token: Option<String>,
}

/// Begins: `browser` is the secret of its cookie, `visitor` its token for a conversation.
///
/// # Errors
/// `Unknown`, `NotSetUp`, `App`.
pub async fn begin(
    app: &App,
    name: &str,
    address: std::net::IpAddr,
    browser: Option<String>,
    visitor: Option<&str>,
    page: Page,
) -> Result<Begun, Fault> {
    let oa = app.config.wechat.oa.get(name).filter(|oa| oa.oauth).ok_or(Fault::Unknown)?;
    let here = app.config.server.public_url.as_deref().filter(|_| !oa.app_id.is_empty()).ok_or(Fault::NotSetUp)?;
    let now = app.now();
    app.limits.sessions.take(address, now).map_err(refuse("too_many"))?;
    let conversation = match visitor {
        Some(token) => visitors::authenticate(app, token).await.ok().map(|(_, conversation)| conversation),
        None => None,
    };
    // Tencent takes letters and digits only.
    let mut random = [0; 32];
    app.ids.fill(&mut random);
    let state = hex::encode(random);
    let browser = browser.filter(|secret| secret.starts_with("zo_")).unwrap_or_else(|| app.secret("zo_"));
    let new = store::NewOauth {
        state_hash: &hash_secret(&state),
        account: name,
        browser_hash: &hash_secret(&browser),
        conversation,
        page: page.as_str(),
        expires_at: now.saturating_add(LIFE).unwrap_or(now),
    };
    let mut tx = app.db.write().await?;
    store::sweep(&mut tx, now).await?;
    store::insert(&mut tx, &new, now).await?;
    tx.commit().await?;
    let back = format!("{}/wechat/oa/{name}/oauth/callback", here.trim_end_matches('/'));
    let url = format!(
        "https://open.weixin.qq.com/connect/oauth2/authorize?appid={}&redirect_uri={}&response_type=code&scope={}\
         &state={state}#wechat_redirect",
        percent(&oa.app_id),
        percent(&back),
        percent(oa.scope()),
    );
    Ok(Begun { url, browser })
}

fn percent(text: &str) -> String {
    let kept = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    text.bytes().map(|b| if kept(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Comes back with a code, or without one when the user refused.
///
/// # Errors
/// Every [`Fault`].
pub async fn finish(
    app: &App,
    name: &str,
    browser: Option<&str>,
    state: &str,
    code: Option<&str>,
) -> Result<Arrived, Fault> {
    if !app.config.wechat.oa.get(name).is_some_and(|oa| oa.oauth) {
        return Err(Fault::Unknown);
    }
    let state_hash = hash_secret(state);
    let browser_hash = hash_secret(browser.ok_or(Fault::Expired)?);
    let mut row = look(app, &state_hash, name).await?;
    if !bool::from(row.browser_hash.as_bytes().ct_eq(browser_hash.as_bytes()))
        || row.expires_at <= app.now().as_millisecond()
    {
        return Err(Fault::Expired);
    }
    let code = code.filter(|code| !code.is_empty() && code.len() <= 512).ok_or(Fault::Denied)?;
    let code_hash = hash_secret(code);
    for _ in 0..LOOKS {
        if let Some(conversation) = &row.joined_id {
            if row.code_hash.as_deref() != Some(&code_hash) {
                return Err(Fault::Expired);
            }
            let mut tx = app.db.write().await?;
            let arrived = arrive(&mut tx, app, &row, conversation).await?;
            tx.commit().await?;
            return Ok(arrived);
        }
        if claim(app, &state_hash, &code_hash).await? {
            return match exchange(app, name, &state_hash, &row, code).await {
                Ok(arrived) => Ok(arrived),
                Err(fault) => {
                    let mut tx = app.db.write().await?;
                    store::release(&mut tx, &state_hash).await?;
                    tx.commit().await?;
                    Err(fault)
                }
            };
        }
        tokio::time::sleep(PAUSE).await;
        row = look(app, &state_hash, name).await?;
        if row.code_hash.as_ref().is_some_and(|other| *other != code_hash) {
            return Err(Fault::Expired);
        }
    }
    Err(Fault::Busy)
}

async fn look(app: &App, state_hash: &str, account: &str) -> Result<store::OauthRow, Fault> {
    let mut tx = app.db.read().await?;
    store::find(&mut tx, state_hash, account).await?.ok_or(Fault::Expired)
}

async fn claim(app: &App, state_hash: &str, code_hash: &str) -> Result<bool, Fault> {
    let now = app.now();
    let stale = now.saturating_sub(STALE).unwrap_or(now);
    let mut tx = app.db.write().await?;
    let claimed = store::claim(&mut tx, state_hash, code_hash, stale, now).await?;
    tx.commit().await?;
    Ok(claimed)
}

/// The code for a user, and the user into the conversation.
async fn exchange(
    app: &App,
    name: &str,
    state_hash: &str,
    row: &store::OauthRow,
    code: &str,
) -> Result<Arrived, Fault> {
    let api = app.wechat.api().ok_or(Fault::NotSetUp)?;
    let account = WechatAccount { kind: WechatKind::Oa, name: name.to_owned() };
    let user = api.oauth(&account, code).await.map_err(|failure| {
        tracing::warn!(
            account = %account, wechat.errcode = failure.code, reason = %failure.reason, "an OAuth code was not exchanged"
        );
        match failure.verdict {
            Verdict::Retry | Verdict::NextMinute | Verdict::Unknown => Fault::Busy,
            Verdict::Operator => Fault::NotSetUp,
            Verdict::Hold(_) | Verdict::GiveUp => Fault::Spent,
        }
    })?;
    if user.snapshot {
        return Err(Fault::Snapshot);
    }
    people::person(app, &account, &user.openid).await?;
    let mut tries = 1;
    loop {
        match bind(app, &account, state_hash, row, &user.openid, user.unionid.as_deref()).await {
            Err(Fault::App(AppError::Store(error))) if error.is_transient() && tries < TRIES => tries += 1,
            done => return done,
        }
    }
}

async fn bind(
    app: &App,
    account: &WechatAccount,
    state_hash: &str,
    row: &store::OauthRow,
    openid: &str,
    unionid: Option<&str>,
) -> Result<Arrived, Fault> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    let user = wechat::find(&mut tx, account.kind.as_str(), &account.name, openid).await?;
    let user = user.ok_or_else(|| AppError::Internal("a WeChat user went".into()))?;
    if let Some(unionid) = unionid {
        store::set_unionid(&mut tx, &user, unionid, now).await?;
    }
    let own = find(&mut tx, &user.conversation_id).await?;
    let own = own.ok_or_else(|| AppError::Internal("the conversation of a WeChat user".into()))?;
    let web = match &row.conversation_id {
        Some(id) if *id != own.id => find(&mut tx, id).await?,
        Some(_) | None => None,
    };
    // What was talked about in this browser goes on; a browser in which nothing was said yet gets the user's own talk,
    // and a user who has none gets the one of the same person at another account.
    let into = match web {
        Some(web) if web.seq > 0 || own.seq == 0 => Some(web),
        Some(_) | None if own.seq > 0 => None,
        Some(_) | None => match unionid {
            Some(unionid) => match store::conversation_of_unionid(&mut tx, unionid, &own.id).await? {
                Some(id) => find(&mut tx, &id).await?,
                None => None,
            },
            None => None,
        },
    };
    let (target, told) = match into {
        Some(into) => {
            let (target, message) = join::merge(&mut tx, app, &user, &own, into, now).await?;
            (target, Some(message))
        }
        None => (reopened(&mut tx, own, now).await?, None),
    };
    store::joined(&mut tx, state_hash, &target.id).await?;
    let arrived = arrive(&mut tx, app, row, &target.id).await?;
    tx.commit().await?;
    people::unknown(app, account, openid);
    if told.is_some() {
        join::tell(app, &target);
    }
    Ok(arrived)
}

async fn find(tx: &mut Tx, id: &str) -> Result<Option<ConversationRow>, Fault> {
    Ok(conversations::find_many(tx, &[id.to_owned()]).await?.pop())
}

/// A conversation that had ended begins anew, as with the user's next message: the page shows it, not an empty one.
async fn reopened(tx: &mut Tx, mut row: ConversationRow, now: Timestamp) -> Result<ConversationRow, Fault> {
    if row.state == "closed" {
        join::open_again(&mut row, now);
        conversations::save(tx, std::slice::from_ref(&row)).await?;
    }
    Ok(row)
}

/// A token for the browser, unless it came with one for this conversation.
async fn arrive(tx: &mut Tx, app: &App, row: &store::OauthRow, conversation: &str) -> Result<Arrived, Fault> {
    let page = Page::of(Some(&row.page));
    if row.conversation_id.as_deref() == Some(conversation) {
        return Ok(Arrived { page, token: None });
    }
    let id: ConversationId = conversation.parse().map_err(|_| AppError::Internal("id of a conversation".into()))?;
    let now = app.now();
    let token = app.secret("zv_");
    let until = now.saturating_add(visitors::TOKEN_LIFE).unwrap_or(now);
    store::insert_token(tx, &hash_secret(&token), &id.to_string(), until, now).await?;
    Ok(Arrived { page, token: Some(token) })
}
