//! Administration: units, accounts, API tokens, calendars, channels, health.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::me::{RoleInUnit, RoleView};
use crate::{
    app::{
        App, AppError, FieldError, Officer,
        auth::{self, Account, AccountChange, NewAccount},
        units,
    },
    domain::{
        access::{Permission, Role},
        ids::TokenId,
    },
    web::{
        auth::Access,
        error::{Problem, WebError},
        extract::{Arg, Body},
        router::{Route, delete, get, no_content, patch, post},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/admin/units", Access::Officer(Permission::ManageUnits), list_units),
        get("/api/admin/users", Access::Officer(Permission::ManageUsers), list_users),
        post("/api/admin/users", Access::Officer(Permission::ManageUsers), create_user),
        patch("/api/admin/users/{login}", Access::Officer(Permission::ManageUsers), change_user),
        get("/api/admin/tokens", Access::Officer(Permission::ManageTokens), list_tokens),
        post("/api/admin/tokens", Access::Officer(Permission::ManageTokens), create_token),
        delete("/api/admin/tokens/{id}", Access::Officer(Permission::ManageTokens), revoke_token),
        get("/api/admin/calendars", Access::Officer(Permission::ManageCalendars), list_calendars),
        get("/api/admin/channels", Access::Officer(Permission::ManageChannels), list_channels),
        get("/api/admin/health", Access::Officer(Permission::ViewHealth), health),
    ]
}

/// A unit.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnitView {
    /// Short ASCII name.
    pub slug: String,
    /// Full name.
    pub name: String,
    /// Short name.
    pub short_name: String,
    /// Slug of the unit above.
    pub parent: Option<String>,
    /// What it does.
    pub duties: String,
    /// Whether cases may be dispatched to it today.
    pub active: bool,
}

/// Units; they are edited in `rules/routing.toml`.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnitList {
    /// The units.
    pub items: Vec<UnitView>,
    /// Always `null`: the list is whole.
    pub next_cursor: Option<String>,
}

/// Units of the dispatch table.
#[utoipa::path(get, path = "/api/admin/units", tag = "admin", responses((status = 200, body = UnitList)))]
pub async fn list_units(State(app): State<App>) -> Json<UnitList> {
    let items = units::list(&app)
        .into_iter()
        .map(|unit| UnitView {
            slug: unit.slug,
            name: unit.name,
            short_name: unit.short_name,
            parent: unit.parent,
            duties: unit.duties,
            active: unit.active,
        })
        .collect();
    Json(UnitList { items, next_cursor: None })
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserView {
    /// Officer id.
    pub id: String,
    /// Login name.
    pub login: String,
    /// Name shown to people.
    pub name: String,
    /// Roles.
    pub roles: Vec<RoleView>,
    /// Whether it may log in.
    pub active: bool,
    /// Whether the password must be changed first.
    pub must_change_password: bool,
}

impl From<Account> for UserView {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            login: account.login,
            name: account.name,
            roles: account
                .roles
                .into_iter()
                .map(|(role, unit)| RoleView {
                    role: role.as_str(),
                    label: role.label(),
                    unit: Some(unit).filter(|unit| !unit.is_empty()),
                })
                .collect(),
            active: account.active,
            must_change_password: account.must_change_password,
        }
    }
}

/// Accounts.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserList {
    /// The accounts by login.
    pub items: Vec<UserView>,
    /// Always `null`: the list is whole.
    pub next_cursor: Option<String>,
}

/// All accounts.
#[utoipa::path(get, path = "/api/admin/users", tag = "admin", responses((status = 200, body = UserList)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn list_users(State(app): State<App>) -> Result<Json<UserList>, WebError> {
    let items = auth::list_accounts(&app).await?.into_iter().map(UserView::from).collect();
    Ok(Json(UserList { items, next_cursor: None }))
}

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserRequest {
    /// Login name.
    pub login: String,
    /// Name shown to people.
    pub name: String,
    /// Roles, each in a unit.
    pub roles: Vec<RoleInUnit>,
}

/// A new or changed account with its one-time password.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserAnswer {
    /// Login name.
    pub login: String,
    /// The made-up password, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

fn roles_of(app: &App, roles: &[RoleInUnit]) -> Result<Vec<(Role, String)>, AppError> {
    let content = app.content.load();
    let mut errors = Vec::new();
    let mut known = Vec::new();
    for (n, given) in roles.iter().enumerate() {
        let unit = given.unit.clone().unwrap_or_default();
        match given.role.parse::<Role>() {
            Ok(role) if role.is_of_unit() && unit.is_empty() => {
                errors.push(FieldError::new(format!("/roles/{n}/unit"), "这个角色要写明单位"));
            }
            Ok(_) if !unit.is_empty() && !content.routing.units().knows(&unit) => {
                errors.push(FieldError::new(format!("/roles/{n}/unit"), "没有这个单位"));
            }
            Ok(role) => known.push((role, unit)),
            Err(_) => errors.push(FieldError::new(format!("/roles/{n}/role"), "没有这个角色")),
        }
    }
    if errors.is_empty() { Ok(known) } else { Err(AppError::invalid("invalid_fields", errors)) }
}

/// Adds an account; its password is made up and must be changed at the first login.
#[utoipa::path(post, path = "/api/admin/users", tag = "admin", request_body = NewUserRequest,
    responses((status = 201, body = UserAnswer), (status = 409, body = Problem), (status = 422, body = Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn create_user(State(app): State<App>, Body(request): Body<NewUserRequest>) -> Result<Response, WebError> {
    let account =
        NewAccount { roles: roles_of(&app, &request.roles)?, login: request.login, name: request.name, password: None };
    let (_, password) = auth::create_account(&app, &account).await?;
    Ok((StatusCode::CREATED, Json(UserAnswer { login: account.login, password })).into_response())
}

/// What changes of an account; absent fields stay.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UserChangeRequest {
    /// Name shown to people.
    pub name: Option<String>,
    /// Roles, each in a unit.
    pub roles: Option<Vec<RoleInUnit>>,
    /// Whether it may log in.
    pub active: Option<bool>,
    /// Make up a new password.
    pub reset_password: bool,
}

/// Changes an account; whoever loses rights is logged out.
#[utoipa::path(patch, path = "/api/admin/users/{login}", tag = "admin", request_body = UserChangeRequest,
    params(("login" = String, Path, description = "Login name")),
    responses((status = 200, body = UserAnswer), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn change_user(
    State(app): State<App>,
    officer: Officer,
    Arg(login): Arg<String>,
    Body(request): Body<UserChangeRequest>,
) -> Result<Json<UserAnswer>, WebError> {
    if login == officer.login && request.active == Some(false) {
        return Err(WebError(AppError::conflict("own_account")));
    }
    let change = AccountChange {
        name: request.name,
        roles: request.roles.map(|roles| roles_of(&app, &roles)).transpose()?,
        active: request.active,
        reset_password: request.reset_password,
        password: None,
    };
    let password = auth::change_account(&app, &login, &change).await?;
    Ok(Json(UserAnswer { login, password }))
}

/// An API token.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// Token id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// The account it acts as.
    pub login: String,
    /// When it was made.
    pub created_at: String,
    /// End of its life.
    pub expires_at: Option<String>,
    /// When it was last used, to the minute.
    pub used_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
}

/// API tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenList {
    /// The tokens, the newest first.
    pub items: Vec<TokenView>,
    /// Always `null`: the list is whole.
    pub next_cursor: Option<String>,
}

/// All API tokens, without their secrets.
#[utoipa::path(get, path = "/api/admin/tokens", tag = "admin", responses((status = 200, body = TokenList)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn list_tokens(State(app): State<App>) -> Result<Json<TokenList>, WebError> {
    let items = auth::list_tokens(&app)
        .await?
        .into_iter()
        .map(|token| TokenView {
            id: token.id,
            name: token.name,
            login: token.login,
            created_at: app.rfc3339(token.created_at),
            expires_at: token.expires_at.map(|at| app.rfc3339(at)),
            used_at: token.used_at.map(|at| app.rfc3339(at)),
            revoked_at: token.revoked_at.map(|at| app.rfc3339(at)),
        })
        .collect();
    Ok(Json(TokenList { items, next_cursor: None }))
}

/// A new API token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTokenRequest {
    /// The account it acts as.
    pub login: String,
    /// What it is for.
    pub name: String,
    /// Days until it ends; absent: no end.
    #[serde(default)]
    pub days: Option<u32>,
}

/// The secret of a new token.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenAnswer {
    /// Token id.
    pub id: String,
    /// The secret, shown once.
    pub token: String,
}

/// Makes an API token.
#[utoipa::path(post, path = "/api/admin/tokens", tag = "admin", request_body = NewTokenRequest,
    responses((status = 201, body = TokenAnswer), (status = 404, body = Problem), (status = 422, body = Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn create_token(State(app): State<App>, Body(request): Body<NewTokenRequest>) -> Result<Response, WebError> {
    let (id, token) = auth::create_token(&app, &request.login, &request.name, request.days).await?;
    Ok((StatusCode::CREATED, Json(TokenAnswer { id: id.to_string(), token })).into_response())
}

/// Revokes an API token at once.
#[utoipa::path(delete, path = "/api/admin/tokens/{id}", tag = "admin",
    params(("id" = String, Path, description = "Token id")),
    responses((status = 204), (status = 404, body = Problem)))]
/// # Errors
/// Every refusal is answered as `problem+json`.
pub async fn revoke_token(State(app): State<App>, Arg(id): Arg<TokenId>) -> Result<Response, WebError> {
    auth::revoke_token(&app, id).await?;
    Ok(no_content())
}

/// One published year.
#[derive(Debug, Serialize, ToSchema)]
pub struct CalendarView {
    /// The year.
    pub year: i16,
    /// Title of the notice.
    pub title: String,
    /// Document number.
    pub doc_no: String,
    /// Who issued it.
    pub issuer: String,
    /// When.
    pub issued_on: String,
    /// Its holidays.
    pub holidays: Vec<HolidayView>,
}

/// One holiday.
#[derive(Debug, Serialize, ToSchema)]
pub struct HolidayView {
    /// Name.
    pub name: String,
    /// Days off.
    pub off: Vec<String>,
    /// Make-up workdays.
    pub work: Vec<String>,
}

/// Published calendars; they are edited in `rules/calendar/cn-YYYY.toml`.
#[derive(Debug, Serialize, ToSchema)]
pub struct CalendarList {
    /// The years.
    pub items: Vec<CalendarView>,
    /// Always `null`: the list is whole.
    pub next_cursor: Option<String>,
    /// Version of the whole.
    pub version: String,
}

/// The calendars in force.
#[utoipa::path(get, path = "/api/admin/calendars", tag = "admin", responses((status = 200, body = CalendarList)))]
pub async fn list_calendars(State(app): State<App>) -> Json<CalendarList> {
    let content = app.content.load();
    let calendar = content.schedule.calendar();
    let days = |days: &[jiff::civil::Date]| days.iter().map(ToString::to_string).collect();
    let items = calendar
        .years()
        .map(|year| CalendarView {
            year: year.year,
            title: year.title.clone(),
            doc_no: year.doc_no.clone(),
            issuer: year.issuer.clone(),
            issued_on: year.issued_on.to_string(),
            holidays: year
                .holidays
                .iter()
                .map(|holiday| HolidayView {
                    name: holiday.name.clone(),
                    off: days(&holiday.off),
                    work: days(&holiday.work),
                })
                .collect(),
        })
        .collect();
    Json(CalendarList { items, next_cursor: None, version: calendar.version().to_owned() })
}

/// A channel.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChannelView {
    /// `web`, `wechat.oa`, `wechat.work`, `wechat.kf` or `webhook`.
    pub kind: &'static str,
    /// Name in the configuration.
    pub name: String,
    /// Where it is reached or where it sends to.
    pub address: String,
}

/// Channels; they are set in the configuration file.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChannelList {
    /// The channels.
    pub items: Vec<ChannelView>,
    /// Always `null`: the list is whole.
    pub next_cursor: Option<String>,
}

/// The configured channels, without their secrets.
#[utoipa::path(get, path = "/api/admin/channels", tag = "admin", responses((status = 200, body = ChannelList)))]
pub async fn list_channels(State(app): State<App>) -> Json<ChannelList> {
    let config = &app.config;
    let mut items = vec![ChannelView { kind: "web", name: "web".into(), address: "/".into() }];
    let mut add = |kind, name: &String, address: String| items.push(ChannelView { kind, name: name.clone(), address });
    for name in config.wechat.oa.keys() {
        add("wechat.oa", name, format!("/wechat/oa/{name}"));
    }
    for name in config.wechat.work.keys() {
        add("wechat.work", name, format!("/wechat/work/{name}"));
    }
    for name in config.wechat.kf.keys() {
        add("wechat.kf", name, format!("/wechat/kf/{name}"));
    }
    for target in &config.webhooks.outbound {
        add("webhook", &target.name, target.url.clone());
    }
    Json(ChannelList { items, next_cursor: None })
}

/// One job beside requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobView {
    /// Its name.
    pub name: &'static str,
    /// Last success.
    pub succeeded_at: Option<String>,
    /// How long the last run took.
    pub took_ms: u64,
    /// What the last run did.
    pub summary: String,
    /// Why the last run failed.
    pub error: Option<String>,
    /// Runs since start.
    pub runs: u64,
    /// Failed runs since start.
    pub failures: u64,
}

/// State of the gateway.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthView {
    /// Hash of the content in force.
    pub content: String,
    /// Since when.
    pub content_loaded_at: String,
    /// Findings of a refused change.
    pub content_errors: Vec<String>,
    /// The jobs.
    pub jobs: Vec<JobView>,
}

/// Content, jobs and findings.
#[utoipa::path(get, path = "/api/admin/health", tag = "admin", responses((status = 200, body = HealthView)))]
pub async fn health(State(app): State<App>) -> Json<HealthView> {
    let content = app.content.load();
    let jobs = app
        .jobs
        .all()
        .into_iter()
        .map(|(name, job)| JobView {
            name,
            succeeded_at: job.succeeded_at.map(|at| app.rfc3339(at)),
            took_ms: job.took_ms,
            summary: job.summary,
            error: job.error,
            runs: job.runs,
            failures: job.failures,
        })
        .collect();
    Json(HealthView {
        content: content.hash.clone(),
        content_loaded_at: app.rfc3339(content.loaded_at),
        content_errors: app.content.status().errors.iter().map(ToString::to_string).collect(),
        jobs,
    })
}
