//! The officer's own account: login, logout, password, who am I.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{App, Credential, Officer, auth},
    web::{
        auth::{Access, Client, cookie, session_cookie},
        error::{Problem, WebError},
        extract::{Body, Nothing},
        router::{Route, get, no_content, post},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![
        post("/api/login", Access::Public, log_in),
        post("/api/logout", Access::AnyOfficer, log_out),
        get("/api/me", Access::AnyOfficer, me),
        post("/api/me/password", Access::AnyOfficer, change_password),
    ]
}

/// Login and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// Login name.
    pub login: String,
    /// Password.
    pub password: String,
}

/// Old and new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// The present password.
    pub old_password: String,
    /// The new one, at least 10 characters.
    pub new_password: String,
}

/// A role in a unit, to be given.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleInUnit {
    /// Slug of the role.
    pub role: String,
    /// Slug of the unit; absent: the centre.
    #[serde(default)]
    pub unit: Option<String>,
}

/// A role in a unit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RoleView {
    /// Slug of the role.
    pub role: &'static str,
    /// Chinese label of the role.
    pub label: &'static str,
    /// Slug of the unit; `null`: the centre.
    pub unit: Option<String>,
}

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// Officer id.
    pub id: String,
    /// Login name.
    pub login: String,
    /// Name shown to people.
    pub name: String,
    /// Roles.
    pub roles: Vec<RoleView>,
    /// Slugs of what the roles permit.
    pub permissions: Vec<&'static str>,
    /// The password must be changed before anything else.
    pub must_change_password: bool,
    /// Token that unsafe requests with the session cookie carry as `X-CSRF-Token`.
    pub csrf: Option<String>,
}

impl From<&Officer> for Me {
    fn from(officer: &Officer) -> Self {
        let mut permissions: Vec<_> = officer
            .roles()
            .iter()
            .flat_map(|role| role.permissions().iter().map(|permission| permission.as_str()))
            .collect();
        permissions.sort_unstable();
        permissions.dedup();
        Self {
            id: officer.id.to_string(),
            login: officer.login.clone(),
            name: officer.name.clone(),
            roles: officer
                .grants
                .iter()
                .map(|(role, unit)| RoleView { role: role.as_str(), label: role.label(), unit: unit.clone() })
                .collect(),
            permissions,
            must_change_password: officer.must_change_password,
            csrf: match &officer.credential {
                Credential::Session { csrf, .. } => Some(csrf.clone()),
                Credential::Token(_) => None,
            },
        }
    }
}

/// The user agent of a request, for the list of logins.
pub fn agent(headers: &HeaderMap) -> &str {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The answer to a login: the cookie and who it is.
pub fn with_session_cookie(client: &Client, login: &auth::Login, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let value = cookie(session_cookie(client.secure), &login.token, client.secure, false, 12 * 3_600);
    response.headers_mut().append(header::SET_COOKIE, value);
    response
}

/// Logs an officer in and sets the session cookie.
#[utoipa::path(post, path = "/api/login", tag = "me", request_body = LoginRequest,
    responses((status = 200, body = Me), (status = 401, body = Problem), (status = 429, body = Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn log_in(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(request): Body<LoginRequest>,
) -> Result<Response, WebError> {
    let address = client.address.to_string();
    let origin = auth::Origin { address: &address, agent: agent(&headers) };
    let login = auth::log_in(&app, &request.login, &request.password, origin).await?;
    let me = Json(Me::from(&login.officer));
    Ok(with_session_cookie(&client, &login, me))
}

/// Ends the session.
#[utoipa::path(post, path = "/api/logout", tag = "me", responses((status = 204)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn log_out(
    State(app): State<App>,
    client: Client,
    officer: Officer,
    _: Nothing,
) -> Result<Response, WebError> {
    auth::log_out(&app, &officer).await?;
    let mut response = no_content();
    let value = cookie(session_cookie(client.secure), "", client.secure, false, 0);
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(response)
}

/// Who is logged in.
#[utoipa::path(get, path = "/api/me", tag = "me", responses((status = 200, body = Me)))]
pub async fn me(officer: Officer) -> Json<Me> {
    Json(Me::from(&officer))
}

/// Changes the own password; all other sessions end.
#[utoipa::path(post, path = "/api/me/password", tag = "me", request_body = PasswordRequest,
    responses((status = 200, body = Me), (status = 422, body = Problem), (status = 429, body = Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn change_password(
    State(app): State<App>,
    client: Client,
    officer: Officer,
    headers: HeaderMap,
    Body(request): Body<PasswordRequest>,
) -> Result<Response, WebError> {
    let address = client.address.to_string();
    let origin = auth::Origin { address: &address, agent: agent(&headers) };
    let login = auth::change_password(&app, &officer, &request.old_password, &request.new_password, origin).await?;
    let me = Json(Me::from(&login.officer));
    Ok(with_session_cookie(&client, &login, me))
}
