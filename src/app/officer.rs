//! The officer who acts: who it is, by which credential, with which roles.

use super::AppError;
use crate::domain::{
    access::{Permission, Role},
    ids::{OfficerId, SessionId, TokenId},
};

/// By what the officer is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A login in a browser.
    Session {
        /// Its id.
        id: SessionId,
        /// The token that unsafe requests carry.
        csrf: String,
    },
    /// An API token.
    Token(TokenId),
}

/// An authenticated officer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Officer {
    /// The account.
    pub id: OfficerId,
    /// Login name.
    pub login: String,
    /// Name shown to people.
    pub name: String,
    /// Roles, each in a unit (`None`: the centre).
    pub grants: Vec<(Role, Option<String>)>,
    /// The password must be changed before anything else.
    pub must_change_password: bool,
    /// By what the officer is known.
    pub credential: Credential,
}

impl Officer {
    /// The roles, whatever the unit.
    pub fn roles(&self) -> Vec<Role> {
        self.grants.iter().map(|(role, _)| *role).collect()
    }

    /// Whether the officer holds the role, in any unit.
    pub fn has(&self, role: Role) -> bool {
        self.grants.iter().any(|(held, _)| *held == role)
    }

    /// Slug of the officer's unit; empty for the centre.
    pub fn unit(&self) -> &str {
        self.grants.iter().find_map(|(_, unit)| unit.as_deref()).unwrap_or_default()
    }

    /// Whether any role grants the permission.
    pub fn permits(&self, permission: Permission) -> bool {
        self.grants.iter().any(|(role, _)| role.permissions().contains(&permission))
    }

    /// Refuses without the permission.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn require(&self, permission: Permission) -> Result<(), AppError> {
        if self.permits(permission) { Ok(()) } else { Err(AppError::forbidden("forbidden")) }
    }
}
