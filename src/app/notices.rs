//! Notices to officers: written in the transaction of what they tell, shown after its commit.
//!
//! A notice goes to accounts, not to roles: who is to know is decided when it is written, so that a change of roles
//! later hides nothing and opens nothing. The key names the occasion; the same occasion is told once to each officer.
//! Sealed cases are told to 纪检作风 alone, and nobody of a recused unit is told anything.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::{
    App, AppError, Officer,
    events::{Scope, StaffEvent},
};
pub use crate::{domain::notice::NoticeKind, store::notices::NoticeRow};
use crate::{
    domain::{
        access::{Permission, Role},
        case::{Case, CaseNumber, Recipient},
        ids::{ConversationId, OfficerId},
        notice::{roles_at_centre, roles_in_unit},
    },
    store::{
        Tx, deputies,
        notices::{self, NewNotice},
        officers,
    },
};

/// Notices on a page.
const PAGE: i64 = 50;
/// Longest text, in characters.
const LONGEST: usize = 300;

/// Whom a notice is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To<'a> {
    /// One officer.
    Officer(OfficerId),
    /// Who holds one of these roles in a unit (empty slug: at the centre); today's deputies count as leaders.
    Roles(&'a str, &'a [Role]),
    /// Everybody of the centre who has this permission.
    Centre(Permission),
    /// Everybody with this role, in whatever unit.
    Everywhere(Role),
}

/// A notice.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// What it is about.
    pub kind: NoticeKind,
    /// Whom it is for.
    pub to: &'a [To<'a>],
    /// One sentence, without names of complainants.
    pub text: &'a str,
    /// The case it is about.
    pub case: Option<&'a Case>,
    /// Id of the conversation it is about.
    pub conversation: Option<&'a str>,
    /// Names the occasion for ever.
    pub key: &'a str,
    /// Who caused it and need not be told.
    pub by: Option<OfficerId>,
}

impl<'a> Notice<'a> {
    /// A notice to all administrators about the house itself, no case and no conversation.
    pub const fn to_administrators(kind: NoticeKind, text: &'a str, key: &'a str) -> Self {
        const TO: &[To<'static>] = &[To::Everywhere(Role::Admin)];
        Self { kind, to: TO, text, case: None, conversation: None, key, by: None }
    }
}

/// Who was told; [`Told::tell`] after the commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "open consoles learn of a notice only after the commit, by `tell`"]
pub struct Told(Vec<StoredNotice>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct StoredNotice {
    officer: OfficerId,
    kind: NoticeKind,
    text: String,
    href: String,
}

impl Told {
    /// Adds what else was told.
    pub fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many notices were written.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody was told.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells the open consoles of those officers.
    pub fn tell(self, app: &App) {
        for notice in self.0 {
            let data = json!({ "kind": notice.kind.as_str(), "label": notice.kind.label(), "text": notice.text,
                "href": notice.href, "pressing": notice.kind.is_pressing() });
            app.hub.tell_staff(StaffEvent {
                kind: "notice",
                scope: Scope::Officer(notice.officer),
                data: data.to_string(),
            });
        }
    }
}

/// Where a notice leads; empty if nowhere.
pub fn href(case_number: Option<&str>, conversation: Option<&str>) -> String {
    match (case_number, conversation) {
        (Some(number), _) => format!("/desk/cases/{number}"),
        (None, Some(id)) => format!("/desk/conversations/{id}"),
        (None, None) => String::new(),
    }
}

/// Writes a notice for everybody it is for.
///
/// # Errors
/// `Store`.
pub async fn notify(tx: &mut Tx, app: &App, notice: &Notice<'_>, now: Timestamp) -> Result<Told, AppError> {
    let mut who = BTreeSet::new();
    for to in notice.to {
        readers(tx, app, *to, now, &mut who).await?;
    }
    if let Some(case) = notice.case {
        keep_who_may_know(tx, case, &mut who).await?;
    }
    if let Some(by) = notice.by {
        who.remove(&by);
    }
    let text: String = notice.text.chars().take(LONGEST).collect();
    let number = notice.case.map(Case::display_number);
    let mut told = Told::default();
    for officer in who {
        let id = app.ids.uuid(now).to_string();
        let new = NewNotice {
            id: &id,
            officer,
            kind: notice.kind.as_str(),
            text: &text,
            case_number: number.as_deref(),
            conversation: notice.conversation,
            key: notice.key,
        };
        if notices::insert(tx, &new, now).await? {
            let href = href(number.as_deref(), notice.conversation);
            told.0.push(StoredNotice { officer, kind: notice.kind, text: text.clone(), href });
        }
    }
    Ok(told)
}

/// Writes the notice that belongs to a message of a case to its officers. What officers need no notice of, and what
/// goes to the enterprise, writes nothing.
///
/// # Errors
/// `Store`.
pub(crate) async fn notify_of_message(
    tx: &mut Tx,
    app: &App,
    case: &Case,
    message: &crate::domain::case::OutMessage,
    by: Option<OfficerId>,
    now: Timestamp,
) -> Result<Told, AppError> {
    let Some(kind) = NoticeKind::of_message(message.kind) else { return Ok(Told::default()) };
    let mut to = Vec::new();
    match &message.to {
        Recipient::Enterprise => return Ok(Told::default()),
        Recipient::Officer(officer) => to.push(To::Officer(*officer)),
        Recipient::Centre => to.push(To::Roles("", roles_at_centre(message.kind))),
        Recipient::Leader(unit) => to.push(To::Roles(unit, &[Role::UnitLeader])),
        Recipient::Roles(roles) => to.extend(roles.iter().copied().map(To::Everywhere)),
        Recipient::Unit(unit) => {
            let handler = case.handler.filter(|_| case.lead_unit.as_deref() == Some(unit));
            to.push(To::Roles(unit, roles_in_unit(message.kind, handler.is_some())));
            // What waits for a signature concerns the leader alone.
            if kind != NoticeKind::ToSign {
                to.extend(handler.map(To::Officer));
            }
        }
    }
    if case.sealed {
        to = vec![To::Everywhere(Role::Discipline)];
    }
    let key = format!("{}:{}:{}", case.id, case.last_seq, message.kind);
    let notice = Notice { kind, to: &to, text: &message.text, case: Some(case), conversation: None, key: &key, by };
    notify(tx, app, &notice, now).await
}

async fn readers(
    tx: &mut Tx,
    app: &App,
    to: To<'_>,
    now: Timestamp,
    who: &mut BTreeSet<OfficerId>,
) -> Result<(), AppError> {
    let parse = |id: &str| id.parse::<OfficerId>().ok();
    match to {
        To::Officer(officer) => {
            who.insert(officer);
        }
        To::Roles(unit, roles) => {
            if roles.is_empty() {
                return Ok(());
            }
            let rows = officers::in_unit(tx, unit).await?;
            let named = |wanted: &[Role]| {
                rows.iter()
                    .filter(|row| row.role.parse().is_ok_and(|role: Role| wanted.contains(&role)))
                    .filter_map(|row| parse(&row.officer_id))
                    .collect::<Vec<_>>()
            };
            let mut found = named(roles);
            if roles.contains(&Role::UnitLeader) && !unit.is_empty() {
                let today = app.content.load().schedule.civil(now).date();
                let standing_in = deputies::on(tx, unit, today).await?;
                found.extend(standing_in.iter().filter_map(|row| parse(&row.officer_id)));
            }
            if found.is_empty() && !unit.is_empty() {
                // A unit without that role: whoever works there.
                found = named(&[Role::UnitClerk, Role::Handler, Role::UnitLeader]);
            }
            who.extend(found);
        }
        To::Centre(permission) => {
            let rows = officers::in_unit(tx, "").await?;
            who.extend(
                rows.iter()
                    .filter(|row| row.role.parse().is_ok_and(|role: Role| role.permissions().contains(&permission)))
                    .filter_map(|row| parse(&row.officer_id)),
            );
        }
        To::Everywhere(role) => {
            let rows = officers::with_role(tx, role).await?;
            who.extend(rows.iter().filter_map(|row| parse(&row.officer_id)));
        }
    }
    Ok(())
}

async fn keep_who_may_know(tx: &mut Tx, case: &Case, who: &mut BTreeSet<OfficerId>) -> Result<(), AppError> {
    if case.sealed {
        let may: BTreeSet<OfficerId> = officers::with_role(tx, Role::Discipline)
            .await?
            .iter()
            .filter_map(|row| row.officer_id.parse().ok())
            .collect();
        who.retain(|officer| may.contains(officer));
    }
    for unit in &case.recused {
        for row in officers::in_unit(tx, unit).await? {
            if let Ok(officer) = row.officer_id.parse() {
                who.remove(&officer);
            }
        }
    }
    Ok(())
}

/// A page of an officer's notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticePage {
    /// The notices, the newest first.
    pub rows: Vec<NoticeRow>,
    /// How many the officer has not read.
    pub unread: i64,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// The officer's notices.
///
/// # Errors
/// `Invalid` when the cursor is not one of ours, `Store`.
pub async fn list(
    app: &App,
    officer: &Officer,
    unread: bool,
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Result<NoticePage, AppError> {
    let limit = limit.map_or(PAGE, |limit| i64::from(limit.clamp(1, 200)));
    let before = match cursor {
        None => None,
        Some(text) => Some(
            text.split_once('.')
                .and_then(|(at, id)| Some((at.parse().ok()?, id)))
                .ok_or_else(|| AppError::field("/cursor", "游标无效"))?,
        ),
    };
    let mut tx = app.db.read().await?;
    let mut rows = notices::page(&mut tx, officer.id, unread, before, limit + 1).await?;
    let unread = notices::unread(&mut tx, officer.id).await?;
    let more = i64::try_from(rows.len()).is_ok_and(|n| n > limit);
    if more {
        rows.pop();
    }
    let next_cursor = rows.last().filter(|_| more).map(|row| format!("{}.{}", row.created_at, row.id));
    Ok(NoticePage { rows, unread, next_cursor })
}

/// How many notices the officer has not read.
///
/// # Errors
/// `Store`.
pub async fn unread(app: &App, officer: &Officer) -> Result<i64, AppError> {
    let mut tx = app.db.read().await?;
    Ok(notices::unread(&mut tx, officer.id).await?)
}

/// Marks a notice as read.
///
/// # Errors
/// `NotFound`, `Store`.
pub async fn mark_read(app: &App, officer: &Officer, id: &str) -> Result<(), AppError> {
    let mut tx = app.db.write().await?;
    if !notices::mark_read(&mut tx, officer.id, id, app.now()).await? {
        tx.rollback().await?;
        return Err(AppError::NotFound);
    }
    Ok(tx.commit().await?)
}

/// What was opened: whatever the officer was told about it counts as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// A case, whatever its round.
    Case(CaseNumber),
    /// A conversation.
    Conversation(ConversationId),
}

/// Marks as read what the officer was told about something they have opened; gives how many are still unread.
///
/// # Errors
/// `Store`.
pub async fn mark_opened(app: &App, officer: &Officer, opened: &Opened) -> Result<i64, AppError> {
    {
        // Mostly there is nothing to mark, and looking needs no writer.
        let mut tx = app.db.read().await?;
        if notices::unread(&mut tx, officer.id).await? == 0 {
            return Ok(0);
        }
    }
    let (case, conversation) = match opened {
        Opened::Case(number) => (Some(number.as_str().to_owned()), None),
        Opened::Conversation(id) => (None, Some(id.to_string())),
    };
    let mut tx = app.db.write().await?;
    notices::mark_read_about(&mut tx, officer.id, case.as_deref(), conversation.as_deref(), app.now()).await?;
    let left = notices::unread(&mut tx, officer.id).await?;
    tx.commit().await?;
    Ok(left)
}

/// Marks everything up to now as read.
///
/// # Errors
/// `Store`.
pub async fn mark_all_read(app: &App, officer: &Officer) -> Result<u64, AppError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    let read = notices::mark_all_read(&mut tx, officer.id, now, now).await?;
    tx.commit().await?;
    Ok(read)
}
