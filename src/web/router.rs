//! The list of all routes, each with who may use it on the same line, and the layers around them.
//!
//! An area (chat, cases, desk pages …) gives its list by a `routes()` function; [`all`] joins them. The access of a
//! route is enforced before its handler by `auth`'s guard, so a handler cannot forget it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    handler::Handler,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::{
    admin, admin_model, api,
    auth::{Access, Client, Gate, guard},
    chat, desk,
    error::{Problem, Refused, problem_for_status, problem_response},
    health, login, page_error, static_files, track, wechat, wechat_pages,
};
use crate::{
    app::{App, health as health_of_store},
    domain::access::Permission,
};

/// One route.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path as axum writes it.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Largest body in bytes; `None`: the configured limit for JSON.
    pub body_limit: Option<usize>,
    handler: MethodRouter<App>,
}

impl Route {
    fn new<H, T>(method: Method, filter: MethodFilter, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        Self { method, path, access, body_limit: None, handler: on(filter, handler) }
    }

    /// A larger or smaller body than the configured limit.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = Some(bytes);
        self
    }
}

/// `GET`, which must change nothing.
pub fn get<H: Handler<T, App>, T: 'static>(path: &'static str, access: Access, handler: H) -> Route {
    Route::new(Method::GET, MethodFilter::GET, path, access, handler)
}

/// `POST`.
pub fn post<H: Handler<T, App>, T: 'static>(path: &'static str, access: Access, handler: H) -> Route {
    Route::new(Method::POST, MethodFilter::POST, path, access, handler)
}

/// `PUT`.
pub fn put<H: Handler<T, App>, T: 'static>(path: &'static str, access: Access, handler: H) -> Route {
    Route::new(Method::PUT, MethodFilter::PUT, path, access, handler)
}

/// `PATCH`.
pub fn patch<H: Handler<T, App>, T: 'static>(path: &'static str, access: Access, handler: H) -> Route {
    Route::new(Method::PATCH, MethodFilter::PATCH, path, access, handler)
}

/// `DELETE`.
pub fn delete<H: Handler<T, App>, T: 'static>(path: &'static str, access: Access, handler: H) -> Route {
    Route::new(Method::DELETE, MethodFilter::DELETE, path, access, handler)
}

/// Every route of the gateway. A new area adds its `routes()` here.
pub fn all() -> Vec<Route> {
    let mut routes = vec![
        get("/healthz", Access::Public, health::alive),
        get("/readyz", Access::Public, health::ready),
        get("/metrics", Access::Public, health::metrics),
    ];
    routes.push(get("/static/{hash}/{*path}", Access::Public, static_files::serve));
    routes.extend(chat::routes());
    routes.extend(login::routes());
    routes.extend(track::routes());
    routes.extend(desk::routes());
    routes.extend(admin::routes());
    routes.extend(admin_model::routes());
    routes.extend(wechat::routes());
    routes.extend(wechat_pages::routes());
    routes.extend(api::me::routes());
    routes.extend(api::cases::routes());
    routes.extend(api::track::routes());
    routes.extend(api::conversations::routes());
    routes.extend(api::chat::routes());
    routes.extend(api::proposal::routes());
    routes.extend(api::attachments::routes());
    routes.extend(api::notices::routes());
    routes.extend(api::deputies::routes());
    routes.extend(api::admin::routes());
    routes.extend(api::undelivered::routes());
    routes.extend(api::suggestions::routes());
    routes.extend(api::model::routes());
    routes.extend(api::openapi::routes());
    routes.push(get("/api/events/stream", Access::Officer(Permission::FollowEvents), api::stream::console));
    routes
}

/// The whole application as a service.
pub fn build(app: &App) -> Router {
    build_from(app, all())
}

/// The application with these routes.
pub fn build_from(app: &App, routes: Vec<Route>) -> Router {
    let mut by_path: BTreeMap<&'static str, MethodRouter<App>> = BTreeMap::new();
    for route in routes {
        let gate = Gate { app: app.clone(), access: route.access };
        let limit = route.body_limit.unwrap_or(app.config.server.request_body_limit);
        let handler = route.handler.layer(DefaultBodyLimit::max(limit)).layer(from_fn_with_state(gate, guard));
        let merged = match by_path.remove(route.path) {
            Some(others) => others.merge(handler),
            None => handler,
        };
        by_path.insert(route.path, merged);
    }
    let mut router = Router::new();
    for (path, handler) in by_path {
        router = router.route(path, handler);
    }
    router
        .fallback(|| async { StatusCode::NOT_FOUND })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .layer(RequestBodyTimeoutLayer::new(Duration::from_secs(10)))
        .layer(from_fn_with_state(app.clone(), finish))
        .with_state(app.clone())
}

/// The outermost layer: who calls, answers of errors, security headers, counters.
async fn finish(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let client = client(&app, &request);
    request.extensions_mut().insert(client);
    // Of its own: a part of the request would keep the connection's read buffer as long as the handler waits.
    let path: Box<str> = request.uri().path().into();
    let is_api = path.starts_with("/api/") || path.starts_with("/hooks/");
    let wants_page = !is_api
        && request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    let nul = path.contains("%00") || request.uri().query().is_some_and(|query| query.contains("%00"));
    let mut response = if nul {
        // No database keeps it and no person types it.
        StatusCode::BAD_REQUEST.into_response()
    } else {
        next.run(request).await
    };
    if let Some(Refused(error)) = response.extensions_mut().remove::<Refused>() {
        health_of_store::refused(&app, &error);
    }
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        response = shape_error(&app, response, &path, is_api, wants_page);
    }
    secure_headers(&app, &path, &mut response);
    if let Some(count) = app.metrics.responses.get(usize::from(response.status().as_u16() / 100)) {
        count.fetch_add(1, Relaxed);
    }
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        app.metrics.limited.fetch_add(1, Relaxed);
    }
    response
}

fn shape_error(app: &App, response: Response, path: &str, is_api: bool, wants_page: bool) -> Response {
    let status = response.status();
    let problem = response.extensions().get::<Problem>().cloned();
    let has_own_body = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain") && problem.is_none());
    if has_own_body {
        return response;
    }
    let retry = response.headers().get(header::RETRY_AFTER).cloned();
    let allow = response.headers().get(header::ALLOW).cloned();
    let problem = problem.unwrap_or_else(|| problem_for_status(status));
    let mut shaped = if is_api || !wants_page {
        problem_response(status, problem)
    } else {
        page_error::page(app, path, status, &problem)
    };
    for (name, value) in [(header::RETRY_AFTER, retry), (header::ALLOW, allow)] {
        if let Some(value) = value {
            shaped.headers_mut().insert(name, value);
        }
    }
    shaped
}

fn secure_headers(app: &App, path: &str, response: &mut Response) {
    // Most answers have these texts; they are made once.
    macro_rules! csp {
        ($ancestors:literal) => {
            concat!(
                "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; ",
                "form-action 'self'; frame-ancestors ",
                $ancestors
            )
        };
    }
    const FIXED: [(HeaderName, HeaderValue); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static("camera=(), microphone=(), geolocation=()"),
        ),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ];
    let headers = response.headers_mut();
    headers.reserve(8);
    let mut set = |name: HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    // The chat page alone may stand in a frame, on the sites that the configuration names.
    let is_chat = matches!(path, "/" | "/chat");
    let origins = &app.config.server.embed_origins;
    let policy = if is_chat && !origins.is_empty() {
        if origins.iter().any(|origin| origin == "*") {
            Some(HeaderValue::from_static(csp!("*")))
        } else {
            HeaderValue::from_str(&format!("{}{}", csp!("'self' "), origins.join(" "))).ok()
        }
    } else {
        if !is_chat {
            set(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
        }
        Some(HeaderValue::from_static(csp!("'self'")))
    };
    if let Some(policy) = policy {
        set(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in FIXED {
        set(name, value);
    }
    if app.config.server.public_url.as_deref().is_some_and(|url| url.starts_with("https://")) {
        set(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if !path.starts_with("/static/") {
        set(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// Address of the peer, put on the request by the accept loop.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

fn client(app: &App, request: &Request<Body>) -> Client {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::from([127, 0, 0, 1]), |peer| peer.0.ip());
    let by_config = app.config.server.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    if !is_trusted(&app.config.server.trusted_proxies, peer) {
        return Client { address: peer, secure: by_config };
    }
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    // The nearest address that is not itself a trusted proxy: what stands left of it could be made up by the client.
    let address = text("x-forwarded-for")
        .into_iter()
        .flat_map(|list| list.rsplit(','))
        .filter_map(|part| part.trim().parse::<IpAddr>().ok())
        .find(|address| !is_trusted(&app.config.server.trusted_proxies, *address))
        .unwrap_or(peer);
    let secure = by_config || text("x-forwarded-proto") == Some("https");
    Client { address, secure }
}

/// Whether the list names the address, alone or by its network (`10.0.0.0/8`).
pub fn is_trusted(list: &[String], address: IpAddr) -> bool {
    let address = address.to_canonical();
    list.iter().any(|entry| match entry.split_once('/') {
        None => entry.parse() == Ok(address),
        Some((network, bits)) => match (network.parse::<IpAddr>(), bits.parse::<u32>(), address) {
            (Ok(IpAddr::V4(network)), Ok(bits @ 0..=32), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (Ok(IpAddr::V6(network)), Ok(bits @ 0..=128), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        },
    })
}

/// `axum` wants something that turns into a response for routes without content.
pub fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses_only() {
        let list = ["10.0.0.0/8".to_owned(), "127.0.0.1".to_owned(), "fd00::/8".to_owned()];
        let check =
            |address: &str, expected| assert_eq!(is_trusted(&list, address.parse().unwrap()), expected, "{address}");
        check("10.200.3.4", true);
        check("11.0.0.1", false);
        check("127.0.0.1", true);
        check("127.0.0.2", false);
        check("::ffff:10.1.1.1", true);
        check("fd12::1", true);
        check("fe80::1", false);
    }

    #[test]
    fn no_route_is_listed_twice() {
        let mut seen = std::collections::HashSet::new();
        for route in all() {
            assert!(seen.insert((route.method.clone(), route.path)), "{} {}", route.method, route.path);
        }
    }
}
