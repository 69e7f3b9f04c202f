//! Typed identifiers: newtypes over UUIDv7, made by one macro.
//!
//! They are stored as TEXT so that a person can read a row. Case numbers and query codes are not ids:
//! they are for people and live in [`crate::domain::case`].

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// A text that is no identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}")]
pub struct InvalidId {
    /// The type of identifier that was expected.
    pub kind: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID made by an `IdGen`.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId { kind: stringify!($name) })
            }
        }
    )+};
}

ids! {
    /// One talk with one visitor (会话).
    ConversationId,
    /// One message of a conversation.
    MessageId,
    /// The person or browser on the enterprise's side (访客).
    VisitorId,
    /// One case (诉求件).
    CaseId,
    /// One event of a case's timeline.
    CaseEventId,
    /// One task: assist (协办), promise (承诺事项) or plan milestone.
    TaskId,
    /// One account of the staff (坐席/承办人 …).
    OfficerId,
    /// One login of an officer.
    SessionId,
    /// One API token.
    TokenId,
    /// One uploaded file.
    AttachmentId,
    /// One outgoing message.
    OutboxId,
    /// One suggestion of a model to an officer.
    SuggestionId,
}
