//! Pages that people of WeChat open in a browser: the way through OAuth, and a message in full. Where a browser is sent
//! stands here, never in a request.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    auth::{Access, Client, cookie, read_cookie, visitor_cookie, visitor_token},
    error::WebError,
    extract::Params,
    router::{Route, get},
    site::{Site, render},
};
use crate::{
    app::{
        App, AppError, full_text,
        wechat::oauth::{self, Fault, Page},
    },
    domain::sla::chinese_date_time,
};

/// Seconds that the browser's cookie lives: as long as a state counts.
const BROWSER_S: i64 = 10 * 60;
/// Seconds of a visitor's cookie.
const VISITOR_S: i64 = 90 * 24 * 3_600;

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![
        get("/wechat/oa/{name}/oauth", Access::Public, begin),
        get("/wechat/oa/{name}/oauth/callback", Access::Public, finish),
        get("/m/{token}", Access::Public, message),
        get("/m/{token}/file", Access::Public, file),
    ]
}

/// Name of the cookie that ties a state to its browser.
const fn browser_cookie(secure: bool) -> &'static str {
    if secure { "__Host-zhitong-oauth" } else { "zhitong-oauth" }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BeginQuery {
    /// `chat` or `track`.
    to: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BackQuery {
    code: Option<String>,
    state: Option<String>,
}

/// To WeChat.
async fn begin(
    State(app): State<App>,
    Path(name): Path<String>,
    client: Client,
    headers: HeaderMap,
    Params(query): Params<BeginQuery>,
) -> Response {
    let browser = read_cookie(&headers, browser_cookie(client.secure));
    let visitor = visitor_token(&headers, client.secure);
    let page = Page::of(query.to.as_deref());
    match oauth::begin(&app, &name, client.address, browser, visitor.as_deref(), page).await {
        Ok(begun) => {
            // The way back comes from another site: a strict cookie would not come along.
            let set = cookie(browser_cookie(client.secure), &begun.browser, client.secure, false, BROWSER_S);
            (StatusCode::FOUND, [(header::SET_COOKIE, set), (header::LOCATION, location(&begun.url))]).into_response()
        }
        Err(fault) => refused(&app, &name, fault),
    }
}

fn location(url: &str) -> HeaderValue {
    HeaderValue::from_str(url).unwrap_or_else(|_| HeaderValue::from_static("/"))
}

/// Back from WeChat.
async fn finish(
    State(app): State<App>,
    Path(name): Path<String>,
    client: Client,
    headers: HeaderMap,
    Params(query): Params<BackQuery>,
) -> Response {
    let browser = read_cookie(&headers, browser_cookie(client.secure));
    let state = query.state.unwrap_or_default();
    match oauth::finish(&app, &name, browser.as_deref(), &state, query.code.as_deref()).await {
        Ok(arrived) => {
            let mut answer = Redirect::to(match arrived.page {
                Page::Chat => "/?wechat=1",
                Page::Track => "/track",
            })
            .into_response();
            if let Some(token) = arrived.token {
                let set = cookie(visitor_cookie(client.secure), &token, client.secure, true, VISITOR_S);
                answer.headers_mut().append(header::SET_COOKIE, set);
            }
            answer
        }
        Err(fault) => refused(&app, &name, fault),
    }
}

/// A way on.
struct Exit {
    href: String,
    label: &'static str,
}

/// What went wrong, and what to do.
#[derive(Template)]
#[template(path = "error.html")]
struct FaultPage {
    site: Site,
    icon: &'static str,
    title: &'static str,
    detail: &'static str,
    reference: String,
    actions: Vec<Exit>,
}

fn refused(app: &App, name: &str, fault: Fault) -> Response {
    let (status, icon, title, detail, again) = match fault {
        Fault::Unknown => return WebError(AppError::NotFound).into_response(),
        Fault::App(error) => return WebError(error).into_response(),
        Fault::NotSetUp => (
            StatusCode::SERVICE_UNAVAILABLE,
            "warn",
            "微信登录还没有设好",
            "请告诉管理员：核对对外网址、AppID、AppSecret 和公众平台的“网页授权域名”（要有已认证的服务号）。不登录也可以直接对话。",
            false,
        ),
        Fault::Expired => (
            StatusCode::BAD_REQUEST,
            "clock",
            "这次微信登录已经失效",
            "登录要在同一个浏览器里、十分钟内完成，链接也不能转给别人用。请重新登录一次。",
            true,
        ),
        Fault::Denied => (
            StatusCode::FORBIDDEN,
            "info",
            "您没有同意微信登录",
            "没有关系，不登录也可以直接对话；要在微信和网页上看到同一个对话，再登录一次即可。",
            true,
        ),
        Fault::Snapshot => (
            StatusCode::FORBIDDEN,
            "info",
            "现在打开的是微信的快照页",
            "快照页里没有您的身份。请点页面下方的“使用完整服务”，再重新登录。",
            true,
        ),
        Fault::Spent => (
            StatusCode::BAD_REQUEST,
            "clock",
            "微信的授权已经用过或过期",
            "每次授权只能用一次，五分钟内有效。请重新登录一次。",
            true,
        ),
        Fault::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "clock",
            "微信暂时没有回应",
            "请过一会儿刷新这一页；还不行就重新登录一次。不登录也可以直接对话。",
            true,
        ),
    };
    let mut actions = vec![Exit { href: "/".to_owned(), label: "直接对话" }];
    if again {
        actions.insert(0, Exit { href: format!("/wechat/oa/{name}/oauth"), label: "重新登录" });
    }
    let site = Site::new(&app.config.brand);
    let page = FaultPage { site, icon, title, detail, reference: String::new(), actions };
    match render(&page) {
        Ok(html) => (status, html).into_response(),
        Err(error) => error.into_response(),
    }
}

/// A message in full.
#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    site: Site,
    text: String,
    at: String,
    at_words: String,
    file: String,
    token: String,
}

async fn message(State(app): State<App>, Path(token): Path<String>) -> Result<Response, WebError> {
    let full = full_text::open(&app, &token).await?;
    let at_words = chinese_date_time(app.content.load().schedule.civil(full.at));
    let site = Site::new(&app.config.brand);
    let file = full.file.unwrap_or_default();
    let page = MessagePage { site, text: full.text, at: app.rfc3339(full.at), at_words, file, token };
    let html: Html<String> = render(&page)?;
    Ok(([("x-robots-tag", "noindex, nofollow"), ("referrer-policy", "no-referrer")], html).into_response())
}

/// The file of a message, as a download.
async fn file(State(app): State<App>, Path(token): Path<String>) -> Result<Response, WebError> {
    super::api::attachments::send(full_text::open_file(&app, &token).await?)
}
