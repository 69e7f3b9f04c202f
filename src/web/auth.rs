//! Who calls: credentials of officers and visitors, and proof that a browser's request is meant.
//!
//! The router runs [`guard`] before every handler with the access of its route; handlers take what it found as
//! [`Officer`] or [`Visitor`]. A cookie counts only with an `Origin` of our own or the CSRF token; bearer tokens are
//! outside of that.

use std::net::IpAddr;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use subtle::ConstantTimeEq as _;

use super::error::WebError;
use crate::{
    app::{self, App, AppError, Credential, Officer, visitors},
    domain::{
        access::Permission,
        ids::{ConversationId, VisitorId},
    },
};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// The visitor whose token opens a conversation.
    Visitor,
    /// A visitor or an officer; the handler checks which object.
    VisitorOrOfficer,
    /// Any officer.
    AnyOfficer,
    /// An officer with this permission.
    Officer(Permission),
    /// Another system that signs its request; the handler checks the signature.
    Signed,
}

/// The caller's address and how it reached us, found once per request.
#[derive(Debug, Clone)]
pub struct Client {
    /// Address of the client, behind a trusted proxy the forwarded one.
    pub address: IpAddr,
    /// Whether the outside speaks https: decides cookie names and flags.
    pub secure: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| WebError(AppError::Internal("no client address on the request".into())))
    }
}

/// The visitor behind a chat token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visitor {
    /// The visitor.
    pub id: VisitorId,
    /// The conversation the token opens.
    pub conversation: ConversationId,
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebError> {
        parts.extensions.get::<Self>().copied().ok_or(WebError(AppError::Unauthenticated { code: "chat_not_started" }))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Officer {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebError> {
        parts.extensions.get::<Self>().cloned().ok_or(WebError(AppError::Unauthenticated { code: "not_logged_in" }))
    }
}

/// Either of both; for routes with [`Access::VisitorOrOfficer`].
#[derive(Debug, Clone)]
pub enum Caller {
    /// A visitor.
    Visitor(Visitor),
    /// An officer.
    Officer(Box<Officer>),
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebError> {
        if let Ok(visitor) = Visitor::from_request_parts(parts, state).await {
            return Ok(Self::Visitor(visitor));
        }
        Ok(Self::Officer(Box::new(Officer::from_request_parts(parts, state).await?)))
    }
}

/// The raw token of the caller, for streams that check again while they are open.
#[derive(Debug, Clone)]
pub struct RawToken(pub String);

/// Name of the session cookie.
pub const fn session_cookie(secure: bool) -> &'static str {
    if secure { "__Host-zhitong" } else { "zhitong" }
}

/// Name of the visitor's cookie.
pub const fn visitor_cookie(secure: bool) -> &'static str {
    if secure { "__Host-zhitong-chat" } else { "zhitong-chat" }
}

/// A `Set-Cookie` value; an empty `value` removes the cookie.
///
/// # Panics
/// Never: names and values are ASCII.
pub fn cookie(name: &str, value: &str, secure: bool, strict: bool, max_age_s: i64) -> HeaderValue {
    let same_site = if strict { "Strict" } else { "Lax" };
    let secure = if secure { "; Secure" } else { "" };
    let age = if value.is_empty() { 0 } else { max_age_s };
    HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={age}{secure}"))
        .expect("names and tokens are visible ASCII")
}

/// The visitor's cookie for a chat that stands in a frame of another site; only where the outside speaks https, which
/// `Secure` and `Partitioned` demand. Without https the page of the frame keeps its token itself and sends it as bearer.
///
/// `SameSite=None` opens no door here: the browser gives the cookie back only below the same top-level site
/// (`Partitioned`), which can frame nothing unless `server.embed_origins` names it; whatever changes something counts
/// only with an `Origin` of our own ([`is_foreign`]), whoever framed us; and what a `GET` answers the framing site
/// cannot read, for no answer allows another origin.
///
/// # Panics
/// Never: names and values are ASCII.
pub fn framed_cookie(name: &str, value: &str, max_age_s: i64) -> HeaderValue {
    HeaderValue::from_str(&format!(
        "{name}={value}; Path=/; HttpOnly; SameSite=None; Max-Age={max_age_s}; Secure; Partitioned"
    ))
    .expect("names and tokens are visible ASCII")
}

/// The visitor's token on a request, if it carries one.
pub fn visitor_token(headers: &HeaderMap, secure: bool) -> Option<String> {
    bearer(headers).or_else(|| read_cookie(headers, visitor_cookie(secure))).filter(|token| token.starts_with("zv_"))
}

/// The value of a cookie on a request.
pub fn read_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value.to_owned())
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// What [`guard`] needs to know of its route.
#[derive(Clone)]
pub struct Gate {
    /// The gateway.
    pub app: App,
    /// Who may use the route.
    pub access: Access,
}

/// Finds the caller, checks access and meaning, and hands the request on.
pub async fn guard(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    match admit(&gate, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(error) => {
            let is_page = !request.uri().path().starts_with("/api/");
            if is_page
                && request.method() == Method::GET
                && matches!(error.0, AppError::Unauthenticated { code: "not_logged_in" })
            {
                let here = request.uri().path_and_query().map_or("/desk", |path| path.as_str());
                return Redirect::to(&format!("/login?next={}", percent(here))).into_response();
            }
            error.into_response()
        }
    }
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"/-_.~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

async fn admit(gate: &Gate, request: &mut Request) -> Result<(), WebError> {
    match gate.access {
        Access::Public | Access::Signed => {
            // A public page may show who is logged in; nothing is demanded.
            Ok(())
        }
        // Boxed: what looks somebody up must not make the future of every request large.
        Access::Visitor => Box::pin(admit_visitor(&gate.app, request)).await,
        Access::AnyOfficer => Box::pin(admit_officer(&gate.app, request, None)).await,
        Access::Officer(permission) => Box::pin(admit_officer(&gate.app, request, Some(permission))).await,
        Access::VisitorOrOfficer => match Box::pin(admit_visitor(&gate.app, request)).await {
            Ok(()) => Ok(()),
            Err(_) => Box::pin(admit_officer(&gate.app, request, None)).await,
        },
    }
}

fn secure(request: &Request) -> bool {
    request.extensions().get::<Client>().is_some_and(|client| client.secure)
}

async fn admit_visitor(app: &App, request: &mut Request) -> Result<(), WebError> {
    let refused = || WebError(AppError::Unauthenticated { code: "chat_not_started" });
    let by_bearer = bearer(request.headers());
    let token = match &by_bearer {
        Some(token) => token.clone(),
        None => read_cookie(request.headers(), visitor_cookie(secure(request))).ok_or_else(refused)?,
    };
    if !token.starts_with("zv_") {
        return Err(refused());
    }
    let found = visitors::authenticate(app, &token).await?;
    if by_bearer.is_none() && is_unsafe(request.method()) && is_foreign(app, request.headers()) {
        return Err(WebError(AppError::forbidden("csrf")));
    }
    request.extensions_mut().insert(Visitor { id: found.0, conversation: found.1 });
    request.extensions_mut().insert(RawToken(token));
    Ok(())
}

async fn admit_officer(app: &App, request: &mut Request, permission: Option<Permission>) -> Result<(), WebError> {
    let refused = || WebError(AppError::Unauthenticated { code: "not_logged_in" });
    let (token, by_cookie) = match bearer(request.headers()) {
        Some(token) if token.starts_with("zt_") => (token, false),
        Some(_) => return Err(refused()),
        None => (read_cookie(request.headers(), session_cookie(secure(request))).ok_or_else(refused)?, true),
    };
    if by_cookie != token.starts_with("zs_") {
        return Err(refused());
    }
    // Boxed: every request would carry its room, the visitors' streams among them.
    let officer = Box::pin(app::auth::authenticate(app, &token)).await?;
    if by_cookie && is_unsafe(request.method()) {
        check_meant(app, request, &officer)?;
    }
    if officer.must_change_password && !may_use_with_first_password(request.uri().path()) {
        return Err(WebError(AppError::forbidden("password_must_change")));
    }
    if let Some(permission) = permission {
        officer.require(permission)?;
    }
    request.extensions_mut().insert(officer);
    request.extensions_mut().insert(RawToken(token));
    Ok(())
}

/// Paths that stay open until the first password has been changed.
fn may_use_with_first_password(path: &str) -> bool {
    matches!(path, "/password" | "/logout" | "/api/me" | "/api/me/password" | "/api/logout")
}

fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// A request with a session cookie must come from our own pages: by the CSRF token or by its `Origin`.
fn check_meant(app: &App, request: &Request, officer: &Officer) -> Result<(), WebError> {
    let refused = || WebError(AppError::forbidden("csrf"));
    if is_foreign(app, request.headers()) {
        return Err(refused());
    }
    let Credential::Session { csrf, .. } = &officer.credential else { return Ok(()) };
    match request.headers().get("x-csrf-token") {
        Some(token) if !bool::from(token.as_bytes().ct_eq(csrf.as_bytes())) => Err(refused()),
        None if !request.headers().contains_key(header::ORIGIN) => Err(refused()),
        Some(_) | None => Ok(()),
    }
}

/// Whether the browser says that another site sent the request.
pub fn is_foreign(app: &App, headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(origin) = text(header::ORIGIN) {
        let by_host = text(header::HOST)
            .is_some_and(|host| origin == format!("http://{host}") || origin == format!("https://{host}"));
        let by_config = app.config.server.public_url.as_deref().is_some_and(|url| url.trim_end_matches('/') == origin);
        return !(by_host || by_config);
    }
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_read_by_exact_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("xzhitong=a; zhitong=b"));
        headers.append(header::COOKIE, HeaderValue::from_static("zhitong-chat=c"));
        assert_eq!(read_cookie(&headers, "zhitong").as_deref(), Some("b"));
        assert_eq!(read_cookie(&headers, "zhitong-chat").as_deref(), Some("c"));
        assert_eq!(read_cookie(&headers, "hitong"), None);
    }

    #[test]
    fn host_cookies_have_no_domain_and_are_secure() {
        let value = cookie(session_cookie(true), "t", true, false, 60);
        assert_eq!(value, "__Host-zhitong=t; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure");
        let framed = framed_cookie(visitor_cookie(true), "t", 60);
        let expected = "__Host-zhitong-chat=t; Path=/; HttpOnly; SameSite=None; Max-Age=60; Secure; Partitioned";
        assert_eq!(framed, expected);
    }
}
