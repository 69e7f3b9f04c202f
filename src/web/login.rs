//! The login page: a plain form that works without script.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use crate::{
    app::{App, AppError, Officer, auth},
    web::{
        api::me::{agent, with_session_cookie},
        auth::{Access, Client, cookie, session_cookie},
        error::{WebError, detail, wait_words},
        extract::Fields,
        router::{Route, get, post},
        site::{Site, render},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![
        get("/login", Access::Public, login_page),
        post("/login", Access::Public, log_in),
        post("/logout", Access::AnyOfficer, log_out),
        get("/password", Access::AnyOfficer, password_page),
        post("/password", Access::AnyOfficer, change_password),
    ]
}

#[derive(Debug, Default, Deserialize)]
struct Where {
    #[serde(default)]
    next: String,
}

#[derive(Debug, Deserialize)]
struct LoginForm {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Debug, Deserialize)]
struct PasswordForm {
    old_password: String,
    new_password: String,
    again: String,
}

async fn login_page(State(app): State<App>, Query(to): Query<Where>) -> Result<Response, WebError> {
    let page = LoginPage {
        site: Site::new(&app.config.brand),
        error: String::new(),
        login: String::new(),
        next: safe_next(&to.next).to_owned(),
    };
    Ok(render(&page)?.into_response())
}

async fn log_in(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Fields(form): Fields<LoginForm>,
) -> Result<Response, WebError> {
    // A login from another site's form would put the officer into somebody else's account.
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(WebError(AppError::forbidden("csrf")));
    }
    let address = client.address.to_string();
    let origin = auth::Origin { address: &address, agent: agent(&headers) };
    match auth::log_in(&app, &form.login, &form.password, origin).await {
        Ok(login) => {
            let to = if login.officer.must_change_password { "/password" } else { safe_next(&form.next) };
            Ok(with_session_cookie(&client, &login, Redirect::to(to)))
        }
        Err(error) => {
            let (status, words) = words_of(error)?;
            let page = LoginPage {
                site: Site::new(&app.config.brand),
                error: words,
                login: form.login,
                next: safe_next(&form.next).to_owned(),
            };
            Ok((status, render(&page)?).into_response())
        }
    }
}

/// What the person reads about a refusal; failures of the gateway stay failures.
fn words_of(error: AppError) -> Result<(StatusCode, String), WebError> {
    let known = |code: &str| detail(code).unwrap_or("请检查后再试。").to_owned();
    match error {
        AppError::Unauthenticated { code } => Ok((StatusCode::UNAUTHORIZED, known(code))),
        AppError::TooMany { code, retry_after_s } => {
            Ok((StatusCode::TOO_MANY_REQUESTS, known(code).replace("{n}", &wait_words(retry_after_s))))
        }
        AppError::Forbidden { code, detail: words, .. } => {
            Ok((StatusCode::FORBIDDEN, words.unwrap_or_else(|| known(code))))
        }
        AppError::Invalid { code, detail: words, errors } => {
            let words =
                words.or_else(|| errors.first().map(|field| field.message.clone())).unwrap_or_else(|| known(code));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, words))
        }
        other @ (AppError::NotFound
        | AppError::Conflict { .. }
        | AppError::TooLarge { .. }
        | AppError::Unsupported { .. }
        | AppError::Unavailable { .. }
        | AppError::Store(_)
        | AppError::Internal(_)) => Err(WebError(other)),
    }
}

async fn log_out(State(app): State<App>, client: Client, officer: Officer) -> Result<Response, WebError> {
    auth::log_out(&app, &officer).await?;
    let mut response = Redirect::to("/login").into_response();
    let value = cookie(session_cookie(client.secure), "", client.secure, false, 0);
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(response)
}

async fn password_page(State(app): State<App>, officer: Officer) -> Result<Response, WebError> {
    let page = PasswordPage {
        site: Site::new(&app.config.brand),
        error: String::new(),
        name: officer.name,
        first: officer.must_change_password,
    };
    Ok(render(&page)?.into_response())
}

async fn change_password(
    State(app): State<App>,
    client: Client,
    officer: Officer,
    headers: HeaderMap,
    Fields(form): Fields<PasswordForm>,
) -> Result<Response, WebError> {
    let address = client.address.to_string();
    let origin = auth::Origin { address: &address, agent: agent(&headers) };
    let changed = if form.new_password == form.again {
        auth::change_password(&app, &officer, &form.old_password, &form.new_password, origin).await
    } else {
        Err(AppError::field("/again", "两次输入的新密码不一样。"))
    };
    match changed {
        Ok(login) => Ok(with_session_cookie(&client, &login, Redirect::to("/desk"))),
        Err(error) => {
            let (status, words) = words_of(error)?;
            let page = PasswordPage {
                site: Site::new(&app.config.brand),
                error: words,
                name: officer.name.clone(),
                first: officer.must_change_password,
            };
            Ok((status, render(&page)?).into_response())
        }
    }
}

/// The login page.
#[derive(Debug, Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    /// The site.
    pub site: Site,
    /// What was wrong; empty at first.
    pub error: String,
    /// The login that was typed.
    pub login: String,
    /// Where to go afterwards, a path of this site.
    pub next: String,
}

/// The page for changing one's own password.
#[derive(Debug, Template)]
#[template(path = "password.html")]
pub struct PasswordPage {
    /// The site.
    pub site: Site,
    /// What was wrong; empty at first.
    pub error: String,
    /// Whose password.
    pub name: String,
    /// The first password must be changed before anything else.
    pub first: bool,
}

/// The address after login: only a path of this site, else the desk.
pub fn safe_next(next: &str) -> &str {
    let local = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if local { next } else { "/desk" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_login_nobody_is_sent_to_another_site() {
        for (given, expected) in [
            ("/desk/cases/ZT20261122-0001A?tab=all", "/desk/cases/ZT20261122-0001A?tab=all"),
            ("https://evil.example/", "/desk"),
            ("//evil.example", "/desk"),
            ("/\\evil.example", "/desk"),
            ("", "/desk"),
        ] {
            assert_eq!(safe_next(given), expected, "{given}");
        }
    }
}
