//! The JSON shapes of lists of cases and of a case's history.

use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use super::case_view::{UnitName, opt_time, rfc3339};
use crate::{
    app::{
        case_queries::{CasePage, ListLine},
        content::Content,
    },
    domain::case::CaseEvent,
};

/// One line of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseLineView {
    /// Number.
    pub number: String,
    /// State.
    pub status: String,
    /// State in words.
    pub status_label: String,
    /// Type.
    #[serde(rename = "type")]
    pub case_type: String,
    /// Type in words.
    pub type_label: String,
    /// Topic code.
    pub topic: Option<String>,
    /// Urgency.
    pub urgency: String,
    /// One line.
    pub title: String,
    /// Enterprise.
    pub enterprise: String,
    /// Lead unit.
    pub lead_unit: Option<UnitName>,
    /// Name of the unit that is proposed.
    pub proposed_lead: Option<String>,
    /// Next due moment.
    pub due_at: Option<String>,
    /// The clock it is of.
    pub due_clock: Option<String>,
    /// “还剩 …”.
    pub due_text: Option<String>,
    /// Past due.
    pub overdue: bool,
    /// Overlays in words.
    pub labels: String,
    /// Submitted at.
    pub submitted_at: String,
    /// In this state since.
    pub entered_at: String,
}

/// A page of cases.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseListView {
    /// By remaining time.
    pub items: Vec<CaseLineView>,
    /// For the next page.
    pub next_cursor: Option<String>,
}

impl CaseListView {
    /// The page as the API shows it.
    pub fn new(page: CasePage, zone: &TimeZone) -> Self {
        let line = |line: ListLine| CaseLineView {
            number: line.number,
            status: line.status.as_str().to_owned(),
            status_label: line.status.label().to_owned(),
            case_type: line.case_type.as_str().to_owned(),
            type_label: line.case_type.label().to_owned(),
            topic: line.topic,
            urgency: line.urgency.as_str().to_owned(),
            title: line.title,
            enterprise: line.enterprise,
            lead_unit: line.lead_unit.zip(line.lead_name).map(|(slug, name)| UnitName { slug, name }),
            proposed_lead: line.proposed_name,
            due_at: opt_time(line.due_at, zone),
            due_clock: line.due_clock,
            due_text: line.due_text,
            overdue: line.overdue,
            labels: line.labels,
            submitted_at: rfc3339(line.submitted_at, zone),
            entered_at: rfc3339(line.entered_at, zone),
        };
        Self { items: page.lines.into_iter().map(line).collect(), next_cursor: page.next_cursor }
    }
}

/// A particular of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactView {
    /// Name.
    pub key: String,
    /// Value.
    pub value: String,
    /// The enterprise may read it.
    pub public: bool,
}

/// An event of a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// Position, from 1.
    pub seq: i64,
    /// When.
    pub at: String,
    /// Kind.
    pub kind: String,
    /// Kind in words.
    pub kind_label: String,
    /// `enterprise`, `proxy`, `officer`, `bot`, `timer`.
    pub actor_kind: String,
    /// Name.
    pub actor_name: Option<String>,
    /// Unit.
    pub actor_unit: Option<String>,
    /// State before.
    pub from: String,
    /// State after.
    pub to: String,
    /// Particulars.
    pub facts: Vec<FactView>,
    /// The line the enterprise reads; null for what is internal.
    pub public_text: Option<String>,
}

/// The history of a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineView {
    /// Oldest first.
    pub items: Vec<EventView>,
    /// Always null: a history comes whole.
    pub next_cursor: Option<String>,
}

impl TimelineView {
    /// The history as the API shows it.
    pub fn new(history: &[CaseEvent], content: &Content) -> Self {
        let zone = content.schedule.zone();
        let units = content.routing.units();
        let name = |slug: &str| units.short_name(slug);
        let items = history
            .iter()
            .map(|event| EventView {
                seq: event.seq,
                at: rfc3339(event.at, zone),
                kind: event.kind.as_str().to_owned(),
                kind_label: event.kind.label().to_owned(),
                actor_kind: event.actor.kind.to_owned(),
                actor_name: event.actor.name.clone(),
                actor_unit: event.actor.unit.as_deref().filter(|slug| !slug.is_empty()).map(name),
                from: event.from.as_str().to_owned(),
                to: event.to.as_str().to_owned(),
                facts: event
                    .facts
                    .iter()
                    .map(|fact| FactView { key: fact.key.clone(), value: fact.value.clone(), public: fact.public })
                    .collect(),
                public_text: event.public_line(&name),
            })
            .collect();
        Self { items, next_cursor: None }
    }
}
