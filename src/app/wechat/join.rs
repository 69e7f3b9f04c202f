//! One person on the web and in WeChat: a QR code that the web conversation shows joins it with whoever scans it.
//!
//! The scene is a secret that counts once and for ten minutes. From then on the WeChat user speaks in the conversation
//! of the web: one history, one list of cases, and officers' words reach both.

use jiff::{SignedDuration, Timestamp};

use super::people;
use crate::{
    app::{
        App, AppError, dialogue_codec,
        events::{ChatEvent, Scope, StaffEvent},
    },
    domain::{access::Permission, dialogue::DialogueState, ids::ConversationId},
    ports::wechat::{WechatAccount, WechatKind},
    store::{
        Tx, cases,
        conversations::{self, ConversationRow, MessageRow},
        wechat::{self, WechatUser},
        wechat_out, wechat_scenes,
    },
};

/// How long a QR code can be scanned.
const LIFE: SignedDuration = SignedDuration::from_mins(10);
/// Said in the conversation itself; the web page knows the code as scanned by it.
const TOLD: &str = "已接上微信：在这里和在微信里说的，都在同一个对话里；回复会发到您最后说话的一边。";
const JOINED: &str = "已接上您在网页上的对话，请继续说。";
/// Said in the conversation that ends there.
const ENDED: &str = "这位访客已接上网页，之后在网页的对话里接着说。";
const OVER: &str = "这个二维码已经过期或者用过了，请在网页上换一张再扫。";
/// What the user answers when asked.
pub(super) const YES: &str = "确认接入";
const ASK: &str = "您在微信里有办件。接上网页后，打开那个网页的人也能看到它们。确认是您自己打开的网页，请回复“确认接入”；不是的话不用理会。";

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

/// A scanned scene: joins the user with the conversation that showed it, or asks first; what is said to it. `None` when
/// it is none of ours.
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
    people::person(app, account, openid).await?;
    scan(app, account, openid, scene, false).await.map(Some)
}

/// The user says yes to a scan that was asked about. `None`: nothing was asked.
///
/// # Errors
/// As [`scanned`].
pub(super) async fn confirmed(
    app: &App,
    account: &WechatAccount,
    openid: &str,
) -> Result<Option<&'static str>, AppError> {
    if account.kind != WechatKind::Oa {
        return Ok(None);
    }
    let scene = {
        let mut tx = app.db.read().await?;
        wechat_scenes::asked(&mut tx, &account.name, openid, app.now()).await?
    };
    match scene {
        Some(scene) => scan(app, account, openid, &scene, true).await.map(Some),
        None => Ok(None),
    }
}

/// A code that shows somebody else's page must not hand over the cases of whoever is talked into scanning it: a user who
/// has some is asked first.
async fn scan(
    app: &App,
    account: &WechatAccount,
    openid: &str,
    scene: &str,
    sure: bool,
) -> Result<&'static str, AppError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    let user = wechat::find(&mut tx, account.kind.as_str(), &account.name, openid).await?;
    let found = wechat_scenes::find(&mut tx, scene, &account.name).await?;
    let (Some(user), Some(found)) = (user, found) else {
        tx.rollback().await?;
        return Ok(OVER);
    };
    if user.conversation_id == found.conversation_id {
        // The same scan again.
        tx.rollback().await?;
        return Ok(JOINED);
    }
    let own: ConversationId =
        user.conversation_id.parse().map_err(|_| AppError::Internal("conversation of a WeChat user".into()))?;
    if !sure && !cases::of_person(&mut tx, own).await?.is_empty() {
        let asked = wechat_scenes::ask(&mut tx, scene, openid, now).await?;
        tx.commit().await?;
        return Ok(if asked { ASK } else { OVER });
    }
    if found.asked_openid.as_ref().is_some_and(|asked| asked != openid)
        || !wechat_scenes::spend(&mut tx, scene, now).await?
    {
        tx.rollback().await?;
        return Ok(OVER);
    }
    let ids = [user.conversation_id.clone(), found.conversation_id.clone()];
    let rows = conversations::find_many(&mut tx, &ids).await?;
    let of = |id: &str| rows.iter().find(|row| row.id == id).cloned();
    let (Some(former), Some(into)) = (of(&user.conversation_id), of(&found.conversation_id)) else {
        tx.rollback().await?;
        return Ok(OVER);
    };
    let (joined, _) = merge(&mut tx, app, &user, &former, into, now).await?;
    tx.commit().await?;
    people::unknown(app, account, openid);
    tell(app, &joined);
    tell(app, &former);
    app.wake.wechat.notify_one();
    Ok(JOINED)
}

/// Moves a user into a conversation with the cases of the former one, and says so there.
///
/// # Errors
/// `Store`; `Conflict` inside it when somebody speaks there at this moment.
pub(super) async fn merge(
    tx: &mut Tx,
    app: &App,
    user: &WechatUser,
    former: &ConversationRow,
    mut into: ConversationRow,
    now: Timestamp,
) -> Result<(ConversationRow, MessageRow), AppError> {
    wechat_scenes::move_user(tx, user, &into.id, now).await?;
    wechat_scenes::goes_on(tx, &former.id, &into.id, now).await?;
    if into.state == "closed" {
        open_again(&mut into, now);
    }
    wechat_out::move_waiting(tx, &former.id, &into.id).await?;
    carry_over(former, &mut into);
    end(tx, app, former, now).await?;
    let cases = dialogue_codec::decode(&former.dialogue).cases;
    if !cases.is_empty() {
        let mut state = dialogue_codec::decode(&into.dialogue);
        let new: Vec<_> = cases.into_iter().filter(|case| !state.cases.contains(case)).collect();
        state.cases.extend(new);
        into.dialogue = dialogue_codec::encode(&state);
    }
    into.seq += 1;
    into.changed_at = now.as_millisecond();
    let message = note(app, &into, TOLD, now);
    conversations::save(tx, std::slice::from_ref(&into)).await?;
    // The user hears of it in WeChat by the answer to the scan; this line is for the web and the desk.
    conversations::insert_messages(tx, std::slice::from_ref(&message)).await?;
    Ok((into, message))
}

/// Whoever waited for a person, or had one, does so in the other conversation now.
fn carry_over(former: &ConversationRow, into: &mut ConversationRow) {
    let with_people = |row: &ConversationRow| matches!(row.state.as_str(), "queued" | "human");
    if !with_people(former) || with_people(into) {
        return;
    }
    into.state.clone_from(&former.state);
    into.officer_id.clone_from(&former.officer_id);
    into.queued_at = former.queued_at;
    into.claimed_at = former.claimed_at;
    into.handoff_reason.clone_from(&former.handoff_reason);
    into.handoff_note.clone_from(&former.handoff_note);
    into.fence += 1;
}

/// The former conversation ends: what is written there would reach nobody.
async fn end(tx: &mut Tx, app: &App, former: &ConversationRow, now: Timestamp) -> Result<(), AppError> {
    if former.state == "closed" || former.seq == 0 {
        return Ok(());
    }
    let mut row = former.clone();
    "closed".clone_into(&mut row.state);
    row.officer_id = None;
    row.queued_at = None;
    row.closed_at = Some(now.as_millisecond());
    row.changed_at = now.as_millisecond();
    row.fence += 1;
    row.seq += 1;
    let message = note(app, &row, ENDED, now);
    conversations::save(tx, std::slice::from_ref(&row)).await?;
    conversations::insert_messages(tx, std::slice::from_ref(&message)).await?;
    Ok(())
}

/// A line of the system as the last message of a conversation.
fn note(app: &App, row: &ConversationRow, text: &str, now: Timestamp) -> MessageRow {
    MessageRow {
        conversation_id: row.id.clone(),
        seq: row.seq,
        id: app.ids.uuid(now).to_string(),
        client_id: None,
        reply_to: None,
        sender: "system".to_owned(),
        kind: "event".to_owned(),
        text: text.to_owned(),
        body: None,
        officer_id: None,
        rule_id: None,
        decision: None,
        at: now.as_millisecond(),
    }
}

/// A conversation that had ended begins anew, as with a visitor's next message.
pub(super) fn open_again(row: &mut ConversationRow, now: Timestamp) {
    let before = dialogue_codec::decode(&row.dialogue);
    let state = DialogueState {
        episode: before.episode + 1,
        region: before.region,
        cases: before.cases,
        ..DialogueState::default()
    };
    row.dialogue = dialogue_codec::encode(&state);
    state.mode.as_str().clone_into(&mut row.state);
    row.closed_at = None;
    row.fence += 1;
    row.changed_at = now.as_millisecond();
}

/// Open pages and desks look at the conversation again.
pub(super) fn tell(app: &App, row: &ConversationRow) {
    let Ok(id) = row.id.parse::<ConversationId>() else { return };
    app.hub.tell_visitor(id, ChatEvent::Messages { seq: row.seq });
    app.hub.tell_visitor(id, ChatEvent::State);
    app.hub.tell_staff(StaffEvent {
        kind: "conversation",
        scope: Scope::Permission(Permission::Converse),
        data: serde_json::json!({"id": row.id, "state": row.state}).to_string(),
    });
}
