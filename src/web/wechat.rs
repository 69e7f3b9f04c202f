//! Callbacks of WeChat: `/wechat/oa|work|kf/{name}`, the platform's own protocol. Handlers check, open, hand over and
//! seal; every refusal says the same.

use axum::{
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    auth::Access,
    router::{Route, get, post},
};
use crate::{
    app::{
        App, AppError,
        wechat::{self, Reply},
    },
    channels::wechat::{
        Refusal,
        cut::{MOST_BYTES, cut},
        envelope::Format,
        inbound::{Mode, Query, Receiver},
    },
    ports::wechat::{WechatAccount, WechatKind},
};

/// Largest body; a message with its encrypted copy has a few kilobytes.
const BODY_LIMIT: usize = 256 * 1024;
/// What tells the platform that nothing has to be shown; never encrypted.
const SUCCESS: &str = "success";

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![
        get("/wechat/oa/{name}", Access::Signed, check_oa),
        post("/wechat/oa/{name}", Access::Signed, receive_oa).body_limit(BODY_LIMIT),
        get("/wechat/work/{name}", Access::Signed, check_work),
        post("/wechat/work/{name}", Access::Signed, receive_work).body_limit(BODY_LIMIT),
        get("/wechat/kf/{name}", Access::Signed, check_kf),
        post("/wechat/kf/{name}", Access::Signed, receive_kf).body_limit(BODY_LIMIT),
    ]
}

async fn check_oa(State(app): State<App>, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    check(&app, WechatKind::Oa, &name, query.as_deref())
}

async fn check_work(State(app): State<App>, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    check(&app, WechatKind::Work, &name, query.as_deref())
}

async fn check_kf(State(app): State<App>, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    check(&app, WechatKind::Kf, &name, query.as_deref())
}

async fn receive_kf(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    Box::pin(receive(&app, WechatKind::Kf, name, query.as_deref(), &body)).await
}

async fn receive_oa(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    Box::pin(receive(&app, WechatKind::Oa, name, query.as_deref(), &body)).await
}

async fn receive_work(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    Box::pin(receive(&app, WechatKind::Work, name, query.as_deref(), &body)).await
}

/// The account of a path with what opens its requests.
fn receiver<'a>(app: &'a App, kind: WechatKind, name: &str) -> Option<Receiver<'a>> {
    let config = &app.config.wechat;
    match kind {
        WechatKind::Oa => config.oa.get(name).map(|oa| {
            let before = oa.accepts_previous_key(app.zone().to_datetime(app.now()).date());
            let previous = before.then(|| oa.previous_aes_key.expose_secret());
            Receiver {
                token: oa.token.expose_secret(),
                keys: [oa.encoding_aes_key.expose_secret()].into_iter().chain(previous).collect(),
                receive_id: &oa.app_id,
                mode: match oa.mode.as_str() {
                    "plain" => Mode::Plain,
                    "safe" => Mode::Safe,
                    _ => Mode::Auto,
                },
                always_encrypted: false,
            }
        }),
        WechatKind::Work => config.work.get(name).map(|work| Receiver {
            token: work.token.expose_secret(),
            keys: keys(&work.encoding_aes_key, &work.previous_aes_key),
            receive_id: &work.corp_id,
            mode: Mode::Safe,
            always_encrypted: true,
        }),
        WechatKind::Kf => config.kf.get(name).map(|kf| Receiver {
            token: kf.token.expose_secret(),
            keys: keys(&kf.encoding_aes_key, &kf.previous_aes_key),
            receive_id: &kf.corp_id,
            mode: Mode::Safe,
            always_encrypted: true,
        }),
    }
}

/// The present key, and the one before it if it is still accepted.
fn keys<'a>(present: &'a SecretString, before: &'a SecretString) -> Vec<&'a str> {
    let before = Some(before.expose_secret()).filter(|key| !key.is_empty());
    [present.expose_secret()].into_iter().chain(before).collect()
}

fn plain(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Forged => StatusCode::FORBIDDEN.into_response(),
        Refusal::Malformed => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// The check of the address: the text comes back as it is, never as a page.
fn check(app: &App, kind: WechatKind, name: &str, query: Option<&str>) -> Response {
    let Some(receiver) = receiver(app, kind, name) else { return StatusCode::NOT_FOUND.into_response() };
    let checked = Query::parse(query.unwrap_or_default()).and_then(|query| Ok((receiver.echo(&query)?, query)));
    match checked {
        Ok((text, query)) => {
            if let Ok(signed_at) = query.seconds() {
                let account = WechatAccount { kind, name: name.to_owned() };
                wechat::seen_without_body(app, &account, signed_at, &query.nonce);
            }
            plain(StatusCode::OK, text)
        }
        Err(refusal) => refused(refusal),
    }
}

fn cut_parts(words: &str) -> Vec<String> {
    cut(words, MOST_BYTES)
}

/// Boxed by its callers: the layers around a handler move its future.
async fn receive(app: &App, kind: WechatKind, name: String, query: Option<&str>, body: &[u8]) -> Response {
    let Some(receiver) = receiver(app, kind, &name) else { return StatusCode::NOT_FOUND.into_response() };
    let opened = Query::parse(query.unwrap_or_default())
        .and_then(|query| Ok((query.seconds()?, receiver.open(&query, body)?, query)));
    let (signed_at, opened, query) = match opened {
        Ok(opened) => opened,
        Err(refusal) => return refused(refusal),
    };
    let account = WechatAccount { kind, name };
    let uncovered = opened.key.is_none().then_some(body);
    if wechat::check_fresh(app, &account, signed_at, &query.nonce, uncovered).is_err() {
        return refused(Refusal::Forged);
    }
    let words = match wechat::receive(app, &account, &opened.push, cut_parts).await {
        Ok(Reply::Nothing) => return plain(StatusCode::OK, SUCCESS.to_owned()),
        Ok(Reply::Words(words)) => words,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, account = %account, "a WeChat message failed");
            let passing = matches!(error, AppError::Store(_) | AppError::Unavailable { .. });
            return if passing { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR }
                .into_response();
        }
    };
    let mut random = [0; 16];
    app.ids.fill(&mut random);
    let reply = receiver.reply(&opened, &query.nonce, app.now().as_second(), random, &words);
    let kind = match opened.format {
        Format::Xml => "text/xml; charset=utf-8",
        Format::Json => "application/json; charset=utf-8",
    };
    (StatusCode::OK, [(header::CONTENT_TYPE, kind)], reply).into_response()
}
