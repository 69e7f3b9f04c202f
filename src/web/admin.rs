//! The administrator's landing page: what is in force, what is wrong with it, who has an account. Changes go through
//! the command line and the API; this page shows their state and names the command.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};

use crate::{
    app::{App, Officer, auth},
    domain::{access::Permission, sla::chinese_date_time},
    web::{
        auth::Access,
        error::WebError,
        router::{Route, get},
        site::{Site, render},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![get("/admin", Access::Officer(Permission::ViewHealth), page)]
}

/// A finding in the rule files.
#[derive(Debug)]
pub struct Finding {
    /// `E…` or `W…`.
    pub code: &'static str,
    /// File, line and column.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// An account.
#[derive(Debug)]
pub struct AccountRow {
    /// Login name.
    pub login: String,
    /// Name.
    pub name: String,
    /// Roles in words, with their units.
    pub roles: String,
    /// Whether it may log in.
    pub active: bool,
}

/// A unit.
#[derive(Debug)]
pub struct UnitRow {
    /// Short name.
    pub short_name: String,
    /// Full name.
    pub name: String,
    /// What it does.
    pub duties: String,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "admin.html")]
pub struct AdminPage {
    /// The site.
    pub site: Site,
    /// Who looks.
    pub name: String,
    /// Version of the rules in force.
    pub version: String,
    /// When they were taken up.
    pub loaded: String,
    /// How many rules.
    pub rules: usize,
    /// How many topics.
    pub topics: usize,
    /// Findings of the folder as it is now; while there are errors the last good set stays in force.
    pub errors: Vec<Finding>,
    /// How many warnings.
    pub warnings: usize,
    /// Years with a published calendar.
    pub years: String,
    /// Accounts, if the viewer manages them.
    pub accounts: Vec<AccountRow>,
    /// Units.
    pub units: Vec<UnitRow>,
}

async fn page(State(app): State<App>, officer: Officer) -> Result<Response, WebError> {
    let content = app.content.load();
    let status = app.content.status();
    let units = content.routing.units();
    let accounts = if officer.permits(Permission::ManageUsers) { auth::list_accounts(&app).await? } else { Vec::new() };
    let mut years: Vec<String> = content.schedule.calendar().years().map(|year| year.year.to_string()).collect();
    years.sort();
    let page = AdminPage {
        site: Site::new(&app.config.brand),
        name: officer.name.clone(),
        version: content.hash.chars().take(12).collect(),
        loaded: chinese_date_time(content.schedule.civil(content.loaded_at)),
        rules: content.rules.rules().len(),
        topics: content.taxonomy.topics().len(),
        errors: status
            .errors
            .iter()
            .map(|found| Finding {
                code: found.code,
                place: format!("{}:{}:{}", found.file, found.line, found.column),
                message: found.message.clone(),
                help: found.help.clone().unwrap_or_default(),
            })
            .collect(),
        warnings: content.warnings.len(),
        years: years.join("、"),
        accounts: accounts
            .into_iter()
            .map(|account| AccountRow {
                roles: account
                    .roles
                    .iter()
                    .map(|(role, unit)| {
                        if unit.is_empty() {
                            role.label().to_owned()
                        } else {
                            format!("{}（{}）", role.label(), units.short_name(unit))
                        }
                    })
                    .collect::<Vec<_>>()
                    .join("、"),
                login: account.login,
                name: account.name,
                active: account.active,
            })
            .collect(),
        units: units
            .list()
            .iter()
            .map(|unit| UnitRow {
                short_name: unit.short_name.clone(),
                name: unit.name.clone(),
                duties: unit.duties.clone(),
            })
            .collect(),
    };
    Ok(render(&page)?.into_response())
}
