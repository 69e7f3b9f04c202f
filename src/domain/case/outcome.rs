//! What an action leads to, before anything is stored: the case, its events, and who is told.

use super::{event::CaseEvent, input::SplitPart, model::Case};
use crate::domain::{access::Role, ids::OfficerId};

/// Who a message goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// The enterprise.
    Enterprise,
    /// Everybody of a unit who holds the party's role.
    Unit(String),
    /// The signing leader of a unit, and who stands in today.
    Leader(String),
    /// The centre: whom it concerns there follows from the message.
    Centre,
    /// Who holds one of these roles, whatever the message is.
    Roles(&'static [Role]),
    /// One officer.
    Officer(OfficerId),
}

/// A message to be sent after the change is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutMessage {
    /// Who gets it.
    pub to: Recipient,
    /// Kind of event, a stable word for templates and webhooks.
    pub kind: &'static str,
    /// The text in Chinese.
    pub text: String,
}

/// What an action leads to. Nothing is done yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The case after it.
    pub case: Case,
    /// What happened, in order.
    pub events: Vec<CaseEvent>,
    /// Who is told.
    pub messages: Vec<OutMessage>,
    /// Parts to be filed as cases of their own (T45).
    pub parts: Vec<SplitPart>,
}
