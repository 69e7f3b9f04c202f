//! The client of WeChat's servers: one per process, all configured accounts.
//!
//! Invariants: no redirects; answers are read up to a limit; tokens and secrets stand in no log and no error; a call is
//! repeated here only after the platform has refused its token, once. Whether anything else is repeated is decided by
//! whoever called, from the verdict.

mod console;
mod errcode;
mod message;
mod token;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

pub use console::Doubt;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use self::token::{Fresh, Token};
use super::cut::cut;
use crate::ports::wechat::{
    KfPage, MediaKind, OauthUser, Piece, Verdict, WechatAccount, WechatAddress, WechatApi, WechatFailure, WechatKind,
    WechatMedia,
};

/// Bytes of a piece: the platform's 2,048 with some room.
const PIECE: usize = 2_040;
/// Bytes of one of several pieces: a few words may be added to it.
const PIECE_OF_MANY: usize = 1_980;
/// Longest JSON answer.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;
/// Largest file fetched.
const LARGEST_FILE: usize = 20 * 1024 * 1024;

/// What an account needs to call.
#[derive(Debug, Clone)]
pub struct Access {
    /// Kind and name.
    pub account: WechatAccount,
    /// AppID or CorpID.
    pub id: String,
    /// AppSecret or Secret.
    pub secret: SecretString,
    /// AgentId of a 企业微信 application.
    pub agent_id: String,
    /// `open_kfid` of a 微信客服 account.
    pub open_kfid: String,
    /// Host of the platform; `None`: Tencent's own.
    pub base: Option<String>,
}

/// How long the platform may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// To connect.
    pub connect: Duration,
    /// For a whole call.
    pub call: Duration,
    /// For an upload or a download.
    pub file: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), call: Duration::from_secs(8), file: Duration::from_secs(25) }
    }
}

struct Slot {
    access: Access,
    base: String,
    token: Token,
}

/// The client.
pub struct WechatClient {
    http: reqwest::Client,
    patience: Patience,
    slots: HashMap<WechatAccount, Slot>,
}

/// An answer, read whole.
struct Raw {
    mime: String,
    disposition: Option<String>,
    bytes: Vec<u8>,
}

/// What is sent.
enum Content {
    Nothing,
    Json(Value),
    File { boundary: String, bytes: Vec<u8> },
}

/// One call.
struct Call<'a> {
    path: &'a str,
    query: Vec<(&'a str, &'a str)>,
    content: Content,
    /// Most bytes of the answer.
    most: usize,
}

impl<'a> Call<'a> {
    fn post(path: &'a str, body: Value) -> Self {
        Self { path, query: Vec::new(), content: Content::Json(body), most: LONGEST_ANSWER }
    }

    fn get(path: &'a str, query: Vec<(&'a str, &'a str)>) -> Self {
        Self { path, query, content: Content::Nothing, most: LONGEST_ANSWER }
    }
}

fn failure(verdict: Verdict, alarm: bool, reason: impl Into<String>) -> WechatFailure {
    WechatFailure { verdict, alarm, code: None, reason: reason.into() }
}

impl WechatClient {
    /// A client for these accounts.
    ///
    /// # Errors
    /// A text when TLS cannot be set up.
    pub fn new(accounts: impl IntoIterator<Item = Access>, patience: Patience) -> Result<Self, String> {
        // A second installation is refused and harmless: the provider is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(patience.connect)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("zhitong/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        let slots = accounts
            .into_iter()
            .map(|access| {
                let own = match access.account.kind {
                    WechatKind::Oa => "https://api.weixin.qq.com",
                    WechatKind::Work | WechatKind::Kf => "https://qyapi.weixin.qq.com",
                };
                let base = access.base.as_deref().unwrap_or(own).trim_end_matches('/').to_owned();
                (access.account.clone(), Slot { access, base, token: Token::default() })
            })
            .collect();
        Ok(Self { http, patience, slots })
    }

    /// The accounts it knows, in order.
    pub fn accounts(&self) -> Vec<WechatAccount> {
        let mut accounts: Vec<_> = self.slots.keys().cloned().collect();
        accounts.sort();
        accounts
    }

    fn slot(&self, account: &WechatAccount) -> Result<&Slot, WechatFailure> {
        self.slots.get(account).ok_or_else(|| {
            failure(Verdict::GiveUp, true, format!("配置里没有名为“{}”的{}", account.name, account.kind.label()))
        })
    }

    async fn post_message(&self, to: &WechatAddress, piece: &Piece, once: &str) -> Result<Value, WechatFailure> {
        let slot = self.slot(&to.account)?;
        let (path, body) = message::write(&slot.access, &to.user, piece, once)
            .ok_or_else(|| failure(Verdict::GiveUp, false, "这类账号不能发这种消息"))?;
        let answer = self.call(slot, &Call::post(path, body)).await.map_err(|failure| of_rate(slot, failure))?;
        // 企业微信 answers errcode 0 and lists whom it did not reach, in lower case.
        let lists = |key: &str| {
            let users = answer[key].as_str().unwrap_or_default();
            users.split('|').any(|user| user.eq_ignore_ascii_case(&to.user))
        };
        if lists("invaliduser") {
            return Err(failure(Verdict::GiveUp, false, "接收人不在应用的可见范围内"));
        }
        if lists("unlicenseduser") {
            return Err(failure(Verdict::GiveUp, true, "接收人没有企业微信接口许可"));
        }
        Ok(answer)
    }

    async fn fetch_token(&self, slot: &Slot) -> Result<Fresh, WechatFailure> {
        let secret = slot.access.secret.expose_secret();
        let call = match slot.access.account.kind {
            WechatKind::Oa => Call::post(
                "/cgi-bin/stable_token",
                json!({
                    "grant_type": "client_credential", "appid": slot.access.id, "secret": secret,
                    "force_refresh": false,
                }),
            ),
            WechatKind::Work | WechatKind::Kf => {
                Call::get("/cgi-bin/gettoken", vec![("corpid", &slot.access.id), ("corpsecret", secret)])
            }
        };
        let raw = self.transfer(slot, &call, None).await.map_err(|failure| WechatFailure {
            // Whatever became of it, no message is on its way yet.
            verdict: if failure.verdict == Verdict::Unknown { Verdict::Retry } else { failure.verdict },
            reason: format!("获取 access_token：{}", failure.reason),
            ..failure
        })?;
        let answer = read_json(&raw).map_err(|mut failure| {
            failure.verdict = Verdict::Retry;
            failure
        })?;
        if let Some((code, errmsg)) = error_of(&answer) {
            tracing::warn!(
                wechat.account = %slot.access.account, wechat.errcode = code, wechat.errmsg = errmsg,
                "the platform gave no access token"
            );
            return Err(errcode::of_token_request(code, errmsg));
        }
        match (answer["access_token"].as_str(), answer["expires_in"].as_u64()) {
            (Some(value), Some(expires_in)) if !value.is_empty() => Ok(Fresh { value: value.to_owned(), expires_in }),
            _ => Err(failure(Verdict::Retry, false, "平台没有给出 access_token")),
        }
    }

    /// Calls with the account's token; after a refused token once more with a fresh one.
    async fn call_raw(&self, slot: &Slot, call: &Call<'_>) -> Result<Raw, WechatFailure> {
        let mut token = slot.token.get(Instant::now(), async || self.fetch_token(slot).await).await?;
        let mut first = true;
        loop {
            let raw = self.transfer(slot, call, Some(&token)).await?;
            let Some((code, errmsg)) = refusal(&raw)? else { return Ok(raw) };
            tracing::debug!(
                wechat.account = %slot.access.account, wechat.path = call.path, wechat.errcode = code,
                wechat.errmsg = errmsg, "the platform refused a call"
            );
            if first && errcode::wants_token(code) {
                first = false;
                token = slot.token.renew(&token, Instant::now(), async || self.fetch_token(slot).await).await?;
                continue;
            }
            return Err(errcode::of_call(code, &errmsg));
        }
    }

    async fn call(&self, slot: &Slot, call: &Call<'_>) -> Result<Value, WechatFailure> {
        read_json(&self.call_raw(slot, call).await?)
    }

    /// A video lies at another host of the platform; its address needs no token and gets none.
    async fn fetch_video(&self, url: reqwest::Url) -> Result<WechatMedia, WechatFailure> {
        let request = self.http.get(url).timeout(self.patience.file);
        let answer = request.send().await.map_err(|error| of_transport(&error))?;
        let raw = read_answer(answer, LARGEST_FILE).await?;
        let mime = raw.mime.split(';').next().unwrap_or_default().trim().to_owned();
        Ok(WechatMedia { name: None, mime, bytes: raw.bytes })
    }

    async fn transfer(&self, slot: &Slot, call: &Call<'_>, token: Option<&str>) -> Result<Raw, WechatFailure> {
        let mut url = reqwest::Url::parse(&format!("{}{}", slot.base, call.path))
            .map_err(|_| failure(Verdict::GiveUp, true, "api_base 不是网址"))?;
        {
            let mut pairs = url.query_pairs_mut();
            pairs.extend_pairs(&call.query);
            if let Some(token) = token {
                pairs.append_pair("access_token", token);
            }
            pairs.finish();
        }
        let is_file = call.most == LARGEST_FILE || matches!(call.content, Content::File { .. });
        let patience = if is_file { self.patience.file } else { self.patience.call };
        let request = match &call.content {
            Content::Nothing => self.http.get(url),
            Content::Json(body) => {
                self.http.post(url).header("content-type", "application/json; charset=utf-8").body(body.to_string())
            }
            Content::File { boundary, bytes } => self
                .http
                .post(url)
                .header("content-type", format!("multipart/form-data; boundary={boundary}"))
                .body(bytes.clone()),
        };
        let answer = request.timeout(patience).send().await.map_err(|error| of_transport(&error))?;
        read_answer(answer, call.most).await
    }
}

/// An answer, read up to so many bytes.
async fn read_answer(mut answer: reqwest::Response, most: usize) -> Result<Raw, WechatFailure> {
    let status = answer.status().as_u16();
    match status {
        200 => {}
        // The platform's gate gave up waiting for what stands behind it.
        504 => return Err(failure(Verdict::Unknown, false, "平台网关超时（HTTP 504）")),
        429 | 500.. => return Err(failure(Verdict::Retry, false, format!("平台故障（HTTP {status}）"))),
        _ => return Err(failure(Verdict::GiveUp, true, format!("平台回应 HTTP {status}"))),
    }
    let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (mime, disposition) = (header("content-type").unwrap_or_default(), header("content-disposition"));
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| of_transport(&error))? {
        if bytes.len() + part.len() > most {
            return Err(failure(Verdict::GiveUp, false, "平台的回应过大"));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(Raw { mime, disposition, bytes })
}

/// The address of a video, if it lies at a host of the platform: what a user sends must not make us call anybody else.
fn video_address(base: &str, url: &str) -> Option<reqwest::Url> {
    const HOSTS: [&str; 4] = [".qq.com", ".qpic.cn", ".qcloud.com", ".myqcloud.com"];
    let url = reqwest::Url::parse(url).ok()?;
    let own = reqwest::Url::parse(base).ok()?;
    let of_the_platform = url.domain().is_some_and(|host| HOSTS.iter().any(|end| host.ends_with(end)))
        && matches!((url.scheme(), url.port()), ("http" | "https", None));
    // The host that the operator has put in the place of the platform's.
    let at_its_base = url.origin() == own.origin();
    (of_the_platform || at_its_base).then_some(url)
}

/// 45009 is the quota of the day for 公众号, and a rate for 企业微信 and 微信客服.
fn of_rate(slot: &Slot, failure: WechatFailure) -> WechatFailure {
    if failure.code != Some(45009) || slot.access.account.kind == WechatKind::Oa {
        return failure;
    }
    let reason = "接口调用太频繁（errcode 45009）".to_owned();
    WechatFailure { verdict: Verdict::NextMinute, alarm: false, reason, ..failure }
}

/// A connection that was never made has sent nothing; of any other break nobody knows.
fn of_transport(error: &reqwest::Error) -> WechatFailure {
    if error.is_connect() || error.is_builder() {
        failure(Verdict::Retry, false, "连接不上平台")
    } else if error.is_timeout() {
        failure(Verdict::Unknown, false, "平台超时没有回应")
    } else {
        failure(Verdict::Unknown, false, "与平台的连接中断")
    }
}

fn read_json(raw: &Raw) -> Result<Value, WechatFailure> {
    serde_json::from_slice(&raw.bytes).map_err(|_| failure(Verdict::Unknown, false, "平台的回应不是 JSON"))
}

/// `errcode` and `errmsg` when the code is not 0.
fn error_of(answer: &Value) -> Option<(i64, &str)> {
    let code = answer["errcode"].as_i64().filter(|code| *code != 0)?;
    Some((code, answer["errmsg"].as_str().unwrap_or_default()))
}

/// The refusal in an answer. A file has none; errors come as JSON with HTTP 200 even where a file was asked for.
fn refusal(raw: &Raw) -> Result<Option<(i64, String)>, WechatFailure> {
    let looks_like_json = raw.bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    let says_text = ["json", "text"].iter().any(|word| raw.mime.contains(word)) || raw.mime.is_empty();
    if !(looks_like_json && says_text) {
        return Ok(None);
    }
    let answer = read_json(raw)?;
    Ok(error_of(&answer).map(|(code, errmsg)| (code, errmsg.to_owned())))
}

#[async_trait::async_trait]
impl WechatApi for WechatClient {
    fn cut(&self, text: &str) -> Vec<String> {
        if text.len() <= PIECE { vec![text.to_owned()] } else { cut(text, PIECE_OF_MANY) }
    }

    fn begin(&self, text: &str, most_bytes: usize) -> String {
        cut(text, most_bytes).into_iter().next().unwrap_or_default()
    }

    async fn send(&self, to: &WechatAddress, piece: &Piece, once: &str) -> Result<(), WechatFailure> {
        self.post_message(to, piece, once).await.map(|_| ())
    }

    async fn notify(&self, to: &WechatAddress, notice: &Piece, once: &str) -> Result<Option<String>, WechatFailure> {
        let answer = self.post_message(to, notice, once).await?;
        // A number here, a text in the event that tells how it ended.
        Ok(match &answer["msgid"] {
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
        })
    }

    fn drops_doubles(&self, account: &WechatAccount, piece: &Piece) -> bool {
        match (account.kind, piece) {
            (WechatKind::Work, Piece::TextAgain(_))
            | (
                WechatKind::Oa,
                Piece::Text(_) | Piece::TextAgain(_) | Piece::Menu { .. } | Piece::Media(..) | Piece::Subscription(_),
            ) => false,
            (WechatKind::Work | WechatKind::Kf, _) | (WechatKind::Oa, Piece::Template(_)) => true,
        }
    }

    fn name_of(&self, once: &str) -> String {
        message::short_name(once)
    }

    async fn typing(&self, to: &WechatAddress, on: bool) -> Result<(), WechatFailure> {
        if to.account.kind != WechatKind::Oa {
            return Ok(());
        }
        let command = if on { "Typing" } else { "CancelTyping" };
        let body = json!({"touser": to.user, "command": command});
        self.call(self.slot(&to.account)?, &Call::post("/cgi-bin/message/custom/typing", body)).await?;
        Ok(())
    }

    async fn upload(
        &self,
        account: &WechatAccount,
        kind: MediaKind,
        name: &str,
        bytes: &[u8],
    ) -> Result<String, WechatFailure> {
        let slot = self.slot(account)?;
        let (boundary, bytes) = message::file(name, bytes);
        let call = Call {
            path: "/cgi-bin/media/upload",
            query: vec![("type", kind.as_str())],
            content: Content::File { boundary, bytes },
            most: LONGEST_ANSWER,
        };
        let answer = self.call(slot, &call).await.map_err(|failure| WechatFailure {
            // A file that arrived unnoticed does no harm.
            verdict: if failure.verdict == Verdict::Unknown { Verdict::Retry } else { failure.verdict },
            ..failure
        })?;
        answer["media_id"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| failure(Verdict::Retry, false, "平台没有给出 media_id"))
    }

    async fn download(&self, account: &WechatAccount, media_id: &str) -> Result<WechatMedia, WechatFailure> {
        let call = Call {
            path: "/cgi-bin/media/get",
            query: vec![("media_id", media_id)],
            content: Content::Nothing,
            most: LARGEST_FILE,
        };
        let raw = self.call_raw(self.slot(account)?, &call).await?;
        if raw.mime.contains("json") || raw.mime.starts_with("text/plain") {
            let answer = read_json(&raw)?;
            let slot = self.slot(account)?;
            let url = answer["video_url"].as_str().and_then(|url| video_address(&slot.base, url));
            let url = url.ok_or_else(|| failure(Verdict::GiveUp, false, "平台没有直接给出文件"))?;
            return self.fetch_video(url).await;
        }
        let name = raw.disposition.as_deref().and_then(message::file_name);
        let mime = raw.mime.split(';').next().unwrap_or_default().trim().to_owned();
        Ok(WechatMedia { name, mime, bytes: raw.bytes })
    }

    async fn kf_sync(&self, account: &WechatAccount, cursor: &str, token: &str) -> Result<KfPage, WechatFailure> {
        let slot = self.slot(account)?;
        let mut body = json!({"limit": 1000, "voice_format": 0, "open_kfid": slot.access.open_kfid});
        for (key, value) in [("cursor", cursor), ("token", token)] {
            if !value.is_empty() {
                body[key] = json!(value);
            }
        }
        let mut answer = self.call(slot, &Call::post("/cgi-bin/kf/sync_msg", body)).await?;
        let messages = match answer["msg_list"].take() {
            Value::Array(messages) => messages,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Vec::new(),
        };
        Ok(KfPage {
            next_cursor: answer["next_cursor"].as_str().unwrap_or(cursor).to_owned(),
            has_more: answer["has_more"].as_i64() == Some(1),
            messages,
        })
    }

    async fn qr_scene(&self, account: &WechatAccount, scene: &str, seconds: i64) -> Result<String, WechatFailure> {
        let slot = self.slot(account)?;
        let body = json!({"expire_seconds": seconds, "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene}}});
        let answer = self.call(slot, &Call::post("/cgi-bin/qrcode/create", body)).await?;
        let url = answer["url"].as_str().map(str::to_owned);
        url.ok_or_else(|| failure(Verdict::Retry, false, "平台没有给出二维码"))
    }

    async fn union_id(&self, to: &WechatAddress) -> Result<Option<String>, WechatFailure> {
        if to.account.kind != WechatKind::Oa {
            return Ok(None);
        }
        let query = vec![("openid", to.user.as_str()), ("lang", "zh_CN")];
        let answer = self.call(self.slot(&to.account)?, &Call::get("/cgi-bin/user/info", query)).await?;
        Ok(answer["unionid"].as_str().filter(|id| !id.is_empty()).map(str::to_owned))
    }

    async fn oauth(&self, account: &WechatAccount, code: &str) -> Result<OauthUser, WechatFailure> {
        let slot = self.slot(account)?;
        let query = vec![
            ("appid", slot.access.id.as_str()),
            ("secret", slot.access.secret.expose_secret()),
            ("code", code),
            ("grant_type", "authorization_code"),
        ];
        // The token in this answer is the user's, not the account's; nothing here needs it.
        let raw = self.transfer(slot, &Call::get("/sns/oauth2/access_token", query), None).await?;
        let answer = read_json(&raw)?;
        if let Some((code, errmsg)) = error_of(&answer) {
            return Err(errcode::of_oauth(code, errmsg));
        }
        let openid = answer["openid"].as_str().filter(|openid| !openid.is_empty());
        let openid = openid.ok_or_else(|| failure(Verdict::Unknown, false, "平台没有给出 openid"))?;
        Ok(OauthUser {
            openid: openid.to_owned(),
            unionid: answer["unionid"].as_str().filter(|id| !id.is_empty()).map(str::to_owned),
            snapshot: answer["is_snapshotuser"].as_i64() == Some(1),
        })
    }

    async fn kf_state(&self, to: &WechatAddress) -> Result<i64, WechatFailure> {
        let slot = self.slot(&to.account)?;
        let body = json!({"open_kfid": slot.access.open_kfid, "external_userid": to.user});
        let answer = self.call(slot, &Call::post("/cgi-bin/kf/service_state/get", body)).await?;
        answer["service_state"].as_i64().ok_or_else(|| failure(Verdict::Retry, false, "平台没有给出会话状态"))
    }

    async fn kf_move(
        &self,
        to: &WechatAddress,
        state: i64,
        servicer: Option<&str>,
    ) -> Result<Option<String>, WechatFailure> {
        let slot = self.slot(&to.account)?;
        let mut body = json!({"open_kfid": slot.access.open_kfid, "external_userid": to.user, "service_state": state});
        if let Some(servicer) = servicer {
            body["servicer_userid"] = json!(servicer);
        }
        let answer = self.call(slot, &Call::post("/cgi-bin/kf/service_state/trans", body)).await?;
        Ok(answer["msg_code"].as_str().filter(|code| !code.is_empty()).map(str::to_owned))
    }

    async fn kf_on_event(&self, account: &WechatAccount, code: &str, text: &str) -> Result<(), WechatFailure> {
        let body = json!({"code": code, "msgtype": "text", "text": {"content": text}});
        self.call(self.slot(account)?, &Call::post("/cgi-bin/kf/send_msg_on_event", body)).await?;
        Ok(())
    }
}
