//! Who stands in for the leader of a unit (代理): the leader or an administrator sets it, the unit reads it.

use askama::Template;
use axum::{
    Form,
    extract::{OriginalUri, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    desk_view,
    list::{self, DeskQuery},
    pages::{DeskView, ListView},
};
use crate::{
    app::{App, AppError, FieldError, Officer, deputies},
    domain::sla::chinese_date,
    web::{
        api::deputies::{account, day},
        error::WebError,
        site::{Site, render},
        view::Choice,
    },
};

/// A delegation as the page shows it.
#[derive(Debug, Clone)]
pub struct DeputyView {
    /// Slug of the unit.
    pub unit: String,
    /// Short name of the unit.
    pub unit_name: String,
    /// Id of who stands in.
    pub officer: String,
    /// Name of who stands in.
    pub name: String,
    /// First day, `YYYY-MM-DD`.
    pub from_on: String,
    /// “2026年11月25日 至 2026年11月27日”.
    pub days: String,
    /// Who set it.
    pub set_by: String,
    /// Whether it holds today.
    pub today: bool,
    /// Whether this officer may end it.
    pub may_end: bool,
}

/// What was filled in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DeputyForm {
    /// Unit and account, separated by a blank.
    pub who: String,
    /// First day.
    pub from_on: String,
    /// Last day.
    pub until_on: String,
}

/// A delegation to end.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct EndForm {
    unit: String,
    officer_id: String,
    from_on: String,
}

/// What was done before.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Done {
    done: String,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "desk/deputies.html")]
pub struct DeputiesPage {
    /// The site.
    pub site: Site,
    /// Who is at the desk.
    pub desk: DeskView,
    /// The list beside it.
    pub list: ListView,
    /// Delegations that hold or lie ahead.
    pub deputies: Vec<DeputyView>,
    /// Whether the officer may set deputies at all.
    pub manages: bool,
    /// Who may stand in.
    pub candidates: Vec<Choice>,
    /// What was filled in.
    pub form: DeputyForm,
    /// What is wrong with it: field and words.
    pub errors: Vec<(String, String)>,
    /// Today, `YYYY-MM-DD`.
    pub today: String,
    /// What was done; empty at first.
    pub done: &'static str,
}

impl DeputiesPage {
    /// What is wrong with a field; empty if nothing.
    pub fn error(&self, field: &str) -> &str {
        self.errors.iter().find(|(of, _)| of == field).map_or("", |(_, words)| words.as_str())
    }
}

async fn view(
    app: &App,
    officer: &Officer,
    path: &str,
    form: DeputyForm,
    errors: Vec<FieldError>,
    done: &'static str,
) -> Result<Response, WebError> {
    let managed = deputies::manages(officer);
    let may_end = |unit: &str| managed.as_ref().is_none_or(|units| units.iter().any(|led| led == unit));
    let content = app.content.load();
    let rows = deputies::list(app, officer).await?;
    let candidates = deputies::candidates(app, officer).await?;
    let several = managed.as_ref().is_none_or(|units| units.len() > 1);
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = DeputiesPage {
        site: Site::new(&app.config.brand),
        desk: desk_view(app, officer).await?,
        list: list::list(app, officer, &DeskQuery::default(), path).await?,
        deputies: rows
            .into_iter()
            .map(|row| DeputyView {
                unit_name: app.unit_name(&row.unit),
                may_end: may_end(&row.unit),
                unit: row.unit,
                officer: row.officer,
                name: row.name,
                from_on: row.from_on.to_string(),
                days: format!("{} 至 {}", chinese_date(row.from_on), chinese_date(row.until_on)),
                set_by: row.set_by,
                today: row.today,
            })
            .collect(),
        manages: managed.as_ref().is_none_or(|units| !units.is_empty()),
        candidates: candidates
            .into_iter()
            .map(|one| {
                let unit = if several { format!("{} · ", app.unit_name(&one.unit)) } else { String::new() };
                Choice::new(format!("{} {}", one.unit, one.id), format!("{unit}{}", one.name)).chosen(&form.who)
            })
            .collect(),
        form,
        errors: errors
            .into_iter()
            .map(|error| (error.pointer.trim_start_matches('/').to_owned(), error.message))
            .collect(),
        today: content.schedule.civil(app.now()).date().to_string(),
        done,
    };
    Ok((status, render(&page)?).into_response())
}

/// The page of deputies.
pub(super) async fn page(
    State(app): State<App>,
    officer: Officer,
    Query(query): Query<Done>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, WebError> {
    let done = match query.done.as_str() {
        "set" => "已设好代理。到期自动失效，随时可以提前结束。",
        "ended" => "代理已结束。此前代签的文件仍然有效。",
        _ => "",
    };
    view(&app, &officer, uri.path(), DeputyForm::default(), Vec::new(), done).await
}

/// Sets a deputy.
pub(super) async fn set(
    State(app): State<App>,
    officer: Officer,
    OriginalUri(uri): OriginalUri,
    Form(form): Form<DeputyForm>,
) -> Result<Response, WebError> {
    let (unit, who) = form.who.split_once(' ').unwrap_or_default();
    let parsed =
        account(who).and_then(|who| Ok((who, (day("from_on", &form.from_on)?, day("until_on", &form.until_on)?))));
    let outcome = match parsed {
        Ok((who, days)) => deputies::set(&app, &officer, unit, who, days).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => Ok(Redirect::to("/desk/deputies?done=set").into_response()),
        Err(AppError::Invalid { errors, .. }) => view(&app, &officer, uri.path(), form.clone(), errors, "").await,
        Err(error) => Err(WebError(error)),
    }
}

/// Ends a delegation.
pub(super) async fn end(
    State(app): State<App>,
    officer: Officer,
    Form(form): Form<EndForm>,
) -> Result<Redirect, WebError> {
    let from_on = day("from_on", &form.from_on)?;
    deputies::end(&app, &officer, &form.unit, account(&form.officer_id)?, from_on).await?;
    Ok(Redirect::to("/desk/deputies?done=ended"))
}
