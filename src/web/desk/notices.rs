//! What the officer was told: a page of notices, each leading to its case or conversation.
//!
//! Opening a case marks what was told about it as read; that is done by the page's script, since a `GET` changes
//! nothing. The forms here work without script.

use askama::Template;
use axum::{
    extract::{OriginalUri, Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    desk_view,
    list::{self, DeskQuery},
    pages::{DeskView, ListView},
};
use crate::{
    app::{
        App, Officer,
        content::Content,
        notices::{self, NoticeKind, NoticeRow},
    },
    domain::sla::chinese_date_time,
    web::{
        error::WebError,
        site::{Site, render},
        view::Tag,
    },
};

/// What the page is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NoticesQuery {
    /// `true`: only what is not read.
    unread: String,
    /// Where the page before ended.
    cursor: String,
}

/// A notice as the page shows it.
#[derive(Debug, Clone)]
pub struct NoticeView {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub kind: Tag,
    /// One sentence.
    pub text: String,
    /// Number of the case; empty if there is none.
    pub number: String,
    /// Where it leads; empty if nowhere.
    pub href: String,
    /// When it was told.
    pub at: String,
    /// Whether it was not read yet.
    pub unread: bool,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "desk/notices.html")]
pub struct NoticesPage {
    /// The site.
    pub site: Site,
    /// Who is at the desk.
    pub desk: DeskView,
    /// The list beside it.
    pub list: ListView,
    /// The notices, the newest first.
    pub notices: Vec<NoticeView>,
    /// Whether only unread ones are shown.
    pub only_unread: bool,
    /// Address of the next page; empty at the end.
    pub next: String,
}

/// How a kind is marked: the first ones are pressing.
fn mark(kind: &str) -> Tag {
    let Ok(kind) = kind.parse::<NoticeKind>() else { return Tag::new("plain", "动态") };
    let class = match kind {
        NoticeKind::Alert | NoticeKind::Overdue | NoticeKind::PushFailed => "late",
        NoticeKind::DueSoon | NoticeKind::Returned | NoticeKind::Supervised => "warn",
        NoticeKind::Assigned | NoticeKind::ToSign | NoticeKind::Assist => "accent",
        NoticeKind::News => "plain",
    };
    Tag::new(class, kind.label())
}

fn view(content: &Content, row: NoticeRow) -> NoticeView {
    let at = Timestamp::from_millisecond(row.created_at).unwrap_or(Timestamp::UNIX_EPOCH);
    NoticeView {
        kind: mark(&row.kind),
        href: notices::href(row.case_number.as_deref(), row.conversation_id.as_deref()),
        number: row.case_number.unwrap_or_default(),
        at: chinese_date_time(content.schedule.civil(at)),
        unread: row.read_at.is_none(),
        id: row.id,
        text: row.text,
    }
}

/// The page of notices.
pub(super) async fn page(
    State(app): State<App>,
    officer: Officer,
    Query(query): Query<NoticesQuery>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, WebError> {
    let only_unread = query.unread == "true";
    let cursor = Some(query.cursor.as_str()).filter(|cursor| !cursor.is_empty());
    let found = notices::list(&app, &officer, only_unread, cursor, None).await?;
    let content = app.content.load();
    let filter = if only_unread { "unread=true&" } else { "" };
    let page = NoticesPage {
        site: Site::new(&app.config.brand),
        desk: desk_view(&app, &officer).await?,
        list: list::list(&app, &officer, &DeskQuery::default(), uri.path()).await?,
        notices: found.rows.into_iter().map(|row| view(&content, row)).collect(),
        only_unread,
        next: found.next_cursor.map(|at| format!("/desk/notices?{filter}cursor={at}")).unwrap_or_default(),
    };
    Ok(render(&page)?.into_response())
}

/// Marks one notice as read.
pub(super) async fn read(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<String>,
) -> Result<Redirect, WebError> {
    notices::mark_read(&app, &officer, &id).await?;
    Ok(Redirect::to("/desk/notices"))
}

/// Marks everything as read.
pub(super) async fn read_all(State(app): State<App>, officer: Officer) -> Result<Redirect, WebError> {
    notices::mark_all_read(&app, &officer).await?;
    Ok(Redirect::to("/desk/notices"))
}
