//! One person on the web and in WeChat: a QR code that the web conversation shows joins it with whoever scans it.
//!
//! The scene is a secret that counts once and for ten minutes. From then on the WeChat user speaks in the conversation
//! of the web: one history, one list of cases, and officers' words reach both.

use jiff::{SignedDuration, Timestamp};

use super::people;
use crate::{
    app::{App, AppError, dialogue_codec},
    domain::ids::ConversationId,
    ports::wechat::{WechatAccount, WechatKind},
    store::{conversations, wechat, wechat_scenes},
};

/// How long a QR code can be scanned.
const LIFE: SignedDuration = SignedDuration::from_mins(10);
const JOINED: &str = "已接上您在网页上的对话，请继续说。";

/// A QR code to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Name of the account.
    pub account: String,
    /// What the QR code says.
    pub url: String,
    /// Until when it can be scanned.
    pub expires_at: Timestamp,
}

/// A QR code that joins this conversation with the WeChat user who scans it.
///
/// # Errors
/// `NotFound` (no 公众号 is configured), `Unavailable` (the platform gave none), `Store`.
pub async fn code(app: &App, conversation: ConversationId) -> Result<Code, AppError> {
    let name = app.config.wechat.oa.keys().next().cloned().ok_or(AppError::NotFound)?;
    let api = app.wechat.api().ok_or(AppError::Unavailable { code: "wechat_unavailable" })?;
    let account = WechatAccount { kind: WechatKind::Oa, name: name.clone() };
    let now = app.now();
    let expires_at = now.saturating_add(LIFE).unwrap_or(now);
    let scene = app.secret("zj_");
    let mut tx = app.db.write().await?;
    wechat_scenes::insert(&mut tx, &scene, &name, conversation, expires_at, now).await?;
    tx.commit().await?;
    let url = api.qr_scene(&account, &scene, LIFE.as_secs()).await.map_err(|failure| {
        tracing::warn!(account = %account, reason = %failure.reason, "no QR code was given");
        AppError::Unavailable { code: "wechat_unavailable" }
    })?;
    Ok(Code { account: name, url, expires_at })
}

/// A scanned scene: joins the user with the conversation that showed it. `None` when it is none of ours, used or over.
///
/// # Errors
/// `Store`; `Conflict` inside it when the conversation changed meanwhile, so that the platform's next try joins.
pub(super) async fn scanned(
    app: &App,
    account: &WechatAccount,
    openid: &str,
    scene: &str,
) -> Result<Option<&'static str>, AppError> {
    if account.kind != WechatKind::Oa || !scene.starts_with("zj_") {
        return Ok(None);
    }
    let now = app.now();
    people::person(app, account, openid).await?;
    let mut tx = app.db.write().await?;
    let user = wechat::find(&mut tx, account.kind.as_str(), &account.name, openid).await?;
    let found = wechat_scenes::find(&mut tx, scene, &account.name).await?;
    let (Some(user), Some(found)) = (user, found) else {
        tx.rollback().await?;
        return Ok(None);
    };
    if user.conversation_id == found.conversation_id {
        // The same scan again.
        tx.rollback().await?;
        return Ok(Some(JOINED));
    }
    if !wechat_scenes::join(&mut tx, scene, &user, &found.conversation_id, now).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    let ids = [user.conversation_id.clone(), found.conversation_id.clone()];
    let rows = conversations::find_many(&mut tx, &ids).await?;
    let of = |id: &str| rows.iter().find(|row| row.id == id).cloned();
    if let (Some(former), Some(mut joined)) = (of(&user.conversation_id), of(&found.conversation_id)) {
        let cases = dialogue_codec::decode(&former.dialogue).cases;
        if !cases.is_empty() {
            let mut state = dialogue_codec::decode(&joined.dialogue);
            let new: Vec<_> = cases.into_iter().filter(|case| !state.cases.contains(case)).collect();
            state.cases.extend(new);
            joined.dialogue = dialogue_codec::encode(&state);
            conversations::save(&mut tx, std::slice::from_ref(&joined)).await?;
        }
    }
    tx.commit().await?;
    people::unknown(app, account, openid);
    Ok(Some(JOINED))
}
