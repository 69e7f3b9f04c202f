//! The page people see when something went wrong outside `/api`.

use askama::Template as _;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};

use super::{error::Problem, faults::FaultPage, site::Site};
use crate::app::App;

/// A plain page with what happened, what to do, and the reference number of a failure.
///
/// A first password is no fault: the way on is the page where it is changed.
pub fn page(app: &App, path: &str, status: StatusCode, problem: &Problem) -> Response {
    if problem.code == "password_must_change" {
        return Redirect::to("/password").into_response();
    }
    let reference = problem.reference.as_deref().unwrap_or_default();
    let mut page = FaultPage::new(Site::new(&app.config.brand), status.as_u16(), &problem.detail, reference);
    if path.starts_with("/desk") || path.starts_with("/admin") {
        page = page.at_the_desk();
    }
    // A template that cannot be rendered must not hide the error it was to show.
    let html = page.render().unwrap_or_else(|_| problem.title.to_owned());
    (status, Html(html)).into_response()
}
