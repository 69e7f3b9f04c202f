//! The administrator's landing page: what is in force, what is wrong with it, who has an account. Changes go through
//! the command line and the API; this page shows their state and names the command.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};

use crate::{
    app::{App, AppError, Officer, auth, content::ContentStatus, outbox},
    domain::{access::Permission, rules::Diagnostic, sla::chinese_date_time},
    web::{
        auth::Access,
        error::WebError,
        extract::Arg,
        router::{Route, get, post},
        site::{Site, render},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![
        get("/admin", Access::Officer(Permission::ViewHealth), page),
        post("/admin/undelivered/{id}/retry", Access::Officer(Permission::ManageChannels), retry),
    ]
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

impl Finding {
    /// What stands against the files as they are now.
    pub fn of(status: &ContentStatus) -> Vec<Self> {
        let finding = |found: &Diagnostic| Self {
            code: found.code,
            place: format!("{}:{}:{}", found.file, found.line, found.column),
            message: found.message.clone(),
            help: found.help.clone().unwrap_or_default(),
        };
        status.errors.iter().map(finding).collect()
    }
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

/// A message that was given up.
#[derive(Debug)]
pub struct UndeliveredRow {
    /// Id for sending it again.
    pub id: String,
    /// Where it was to go.
    pub target: String,
    /// Why it was given up.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was given up.
    pub at: String,
    /// The conversation, if it goes to WeChat.
    pub conversation: Option<String>,
}

/// Messages shown; the API has them all.
const UNDELIVERED: i64 = 50;

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
    /// What was given up, if the viewer manages channels.
    pub undelivered: Vec<UndeliveredRow>,
    /// There are more than are shown.
    pub more_undelivered: bool,
}

/// Sends a message again, from the page.
async fn retry(State(app): State<App>, Arg(id): Arg<String>) -> Result<Redirect, WebError> {
    // Two clicks are one wish.
    match outbox::revive(&app, &id).await {
        Ok(()) | Err(AppError::NotFound) => Ok(Redirect::to("/admin#undelivered")),
        Err(error) => Err(error.into()),
    }
}

async fn page(State(app): State<App>, officer: Officer) -> Result<Response, WebError> {
    let content = app.content.load();
    let status = app.content.status();
    let units = content.routing.units();
    let accounts = if officer.permits(Permission::ManageUsers) { auth::list_accounts(&app).await? } else { Vec::new() };
    let mut years: Vec<String> = content.schedule.calendar().years().map(|year| year.year.to_string()).collect();
    years.sort();
    let (letters, more) = if officer.permits(Permission::ManageChannels) {
        outbox::dead_letters(&app, None, UNDELIVERED).await?
    } else {
        (Vec::new(), None)
    };
    let undelivered = letters
        .into_iter()
        .map(|letter| UndeliveredRow {
            id: letter.id,
            target: if letter.conversation.is_some() { "微信".to_owned() } else { letter.target },
            reason: letter.reason,
            attempts: letter.attempts,
            at: chinese_date_time(content.schedule.civil(letter.given_up_at)),
            conversation: letter.conversation,
        })
        .collect();
    let page = AdminPage {
        undelivered,
        more_undelivered: more.is_some(),
        site: Site::new(&app.config.brand),
        name: officer.name.clone(),
        version: content.hash.chars().take(12).collect(),
        loaded: chinese_date_time(content.schedule.civil(content.loaded_at)),
        rules: content.rules.rules().len(),
        topics: content.taxonomy.topics().len(),
        errors: Finding::of(&status),
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
