//! The paper view of a case (办理单): what the desk shows, on A4. Built from the same masked file as the page, so that
//! paper tells nobody more than the screen.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;

use super::{case_page, pages::CaseView};
use crate::{
    app::{App, AppError, Officer, auth, case_queries, content::Content},
    domain::{
        case::{CaseEvent, CaseNumber, EventKind},
        sla::{chinese_date, chinese_date_time},
    },
    web::{
        error::WebError,
        site::{Site, render},
    },
};

/// A line for a signature: what was done, by whom, when; empty names leave room for a pen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignView {
    /// 受理, 分派, 签收, 拟稿, 审签, 核实, 销号.
    pub step: &'static str,
    /// Name and unit.
    pub who: String,
    /// When.
    pub at: String,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "desk/print.html")]
pub struct PrintPage {
    /// The site.
    pub site: Site,
    /// The case as this officer may see it.
    pub case: CaseView,
    /// Who did the steps that need a name.
    pub signs: Vec<SignView>,
    /// When the case was submitted, a day.
    pub submitted: String,
    /// Whether names and phone numbers are left out.
    pub masked: bool,
    /// Who printed it and when.
    pub printed: String,
}

/// The steps that carry somebody's name on paper.
const STEPS: &[(&str, &[EventKind])] = &[
    ("受理", &[EventKind::Accepted, EventKind::AnsweredOnSpot, EventKind::Refused]),
    ("分派", &[EventKind::Dispatched, EventKind::OwnershipRuled, EventKind::ReturnGranted]),
    ("签收", &[EventKind::SignedIn, EventKind::DeemedSigned]),
    ("拟稿", &[EventKind::ReplyDrafted]),
    ("审签", &[EventKind::ReplySigned]),
    ("核实", &[EventKind::ReplyReleased]),
    ("销号", &[EventKind::Closed]),
];

fn signs(content: &Content, history: &[CaseEvent]) -> Vec<SignView> {
    let time = |at: Timestamp| chinese_date_time(content.schedule.civil(at));
    let units = content.routing.units();
    STEPS
        .iter()
        .map(|(step, kinds)| {
            let Some(event) = history.iter().rev().find(|event| kinds.contains(&event.kind)) else {
                return SignView { step, who: String::new(), at: String::new() };
            };
            let unit = event.actor.unit.as_deref().filter(|slug| !slug.is_empty());
            let name = event.actor.name.clone().unwrap_or_else(|| "系统".to_owned());
            let who = unit.map_or_else(|| name.clone(), |slug| format!("{} {name}", units.short_name(slug)));
            SignView { step, who, at: time(event.at) }
        })
        .collect()
}

/// The paper view of a case.
pub(super) async fn page(
    State(app): State<App>,
    officer: Officer,
    Path(number): Path<String>,
) -> Result<Response, WebError> {
    let number: CaseNumber = number.parse().map_err(|_| AppError::NotFound)?;
    let (file, mut history) = case_queries::file_with_history(&app, &officer, &number).await?;
    let content = app.content.load();
    let accounts = auth::list_accounts(&app).await?;
    let mut case = case_page::case_view(&content, &file, &history, &officer, &accounts);
    // Paper is read from the first to the last.
    case.timeline.reverse();
    history.sort_by_key(|event| event.at);
    let now = content.schedule.civil(app.now());
    let page = PrintPage {
        site: Site::new(&app.config.brand),
        signs: signs(&content, &history),
        submitted: chinese_date(content.schedule.civil(file.case.submitted_at).date()),
        masked: !file.sees_identity,
        printed: format!("{} {}打印", chinese_date_time(now), officer.name),
        case,
    };
    Ok(render(&page)?.into_response())
}
