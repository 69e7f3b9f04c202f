//! Officers (staff accounts), their roles, sessions and API tokens. Secrets are stored as hashes only.

use jiff::Timestamp;

use super::{StoreError, Tx};
use crate::{
    domain::{
        access::Role,
        ids::{OfficerId, SessionId, TokenId},
    },
    on_backend, row_struct,
};

row_struct! {
    /// An account as stored.
    #[derive(Debug, Clone)]
    pub struct OfficerRow {
        /// `OfficerId` as text.
        pub id: String,
        /// Login name.
        pub login: String,
        /// Name shown to people.
        pub name: String,
        /// Argon2id, PHC format.
        pub password_hash: String,
        /// The password must be changed before anything else.
        pub must_change_password: bool,
        /// Whether the account may log in.
        pub active: bool,
        /// Milliseconds UTC.
        pub created_at: i64,
    }
}

row_struct! {
    /// A role of an officer in a unit; `unit` is empty for the centre as a whole.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct RoleRow {
        /// The officer.
        pub officer_id: String,
        /// Slug of the role.
        pub role: String,
        /// Slug of the unit, or empty.
        pub unit: String,
    }
}

row_struct! {
    /// A live login with its account.
    #[derive(Debug, Clone)]
    pub struct LoginRow {
        /// Session or token id.
        pub id: String,
        /// The officer.
        pub officer_id: String,
        /// Login name.
        pub login: String,
        /// Name shown to people.
        pub name: String,
        /// The password must be changed first.
        pub must_change_password: bool,
        /// CSRF token of a session; empty for an API token.
        pub csrf: String,
        /// Last time it was noted as used, milliseconds UTC.
        pub seen_at: i64,
        /// End of its life, milliseconds UTC.
        pub expires_at: i64,
    }
}

row_struct! {
    /// An API token without its secret.
    #[derive(Debug, Clone)]
    pub struct TokenRow {
        /// `TokenId` as text.
        pub id: String,
        /// What it is for.
        pub name: String,
        /// The account it acts as.
        pub officer_id: String,
        /// That account's login.
        pub login: String,
        /// Milliseconds UTC.
        pub created_at: i64,
        /// Milliseconds UTC; `None`: no end.
        pub expires_at: Option<i64>,
        /// Milliseconds UTC.
        pub used_at: Option<i64>,
        /// Milliseconds UTC.
        pub revoked_at: Option<i64>,
    }
}

/// What a new account is made of.
#[derive(Debug, Clone)]
pub struct NewOfficer<'a> {
    /// Its id.
    pub id: OfficerId,
    /// Login name, unique.
    pub login: &'a str,
    /// Name shown to people.
    pub name: &'a str,
    /// Argon2id, PHC format.
    pub password_hash: &'a str,
    /// Whether the password must be changed at the first login.
    pub must_change_password: bool,
}

/// Number of accounts.
///
/// # Errors
/// `Database`.
pub async fn count(tx: &mut Tx) -> Result<i64, StoreError> {
    let row: (i64,) = on_backend!(tx, |conn| sqlx::query_as("SELECT COUNT(*) FROM officers").fetch_one(conn).await?);
    Ok(row.0)
}

/// Adds an account.
///
/// # Errors
/// `Database`; a unique violation when the login is taken.
pub async fn insert(tx: &mut Tx, officer: &NewOfficer<'_>, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO officers \
        (id, login, name, password_hash, must_change_password, active, created_at, changed_at) \
        VALUES ($1, $2, $3, $4, $5, TRUE, $6, $6)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(officer.id.to_string())
        .bind(officer.login)
        .bind(officer.name)
        .bind(officer.password_hash)
        .bind(officer.must_change_password)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// All accounts by login.
///
/// # Errors
/// `Database`.
pub async fn list(tx: &mut Tx) -> Result<Vec<OfficerRow>, StoreError> {
    const SQL: &str = "SELECT id, login, name, password_hash, must_change_password, active, created_at \
        FROM officers ORDER BY login";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}

/// The account with this login.
///
/// # Errors
/// `Database`.
pub async fn find_by_login(tx: &mut Tx, login: &str) -> Result<Option<OfficerRow>, StoreError> {
    const SQL: &str = "SELECT id, login, name, password_hash, must_change_password, active, created_at \
        FROM officers WHERE login = $1";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(login).fetch_optional(conn).await?))
}

/// The account with this id.
///
/// # Errors
/// `Database`.
pub async fn find(tx: &mut Tx, id: OfficerId) -> Result<Option<OfficerRow>, StoreError> {
    const SQL: &str = "SELECT id, login, name, password_hash, must_change_password, active, created_at \
        FROM officers WHERE id = $1";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(id.to_string()).fetch_optional(conn).await?))
}

/// All roles of all officers.
///
/// # Errors
/// `Database`.
pub async fn all_roles(tx: &mut Tx) -> Result<Vec<RoleRow>, StoreError> {
    const SQL: &str = "SELECT officer_id, role, unit FROM officer_roles ORDER BY officer_id, role, unit";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}

/// Roles of one officer: role and unit slug (empty for the centre).
///
/// # Errors
/// `Database`, `Inconsistent`.
pub async fn roles(tx: &mut Tx, officer: &str) -> Result<Vec<(Role, String)>, StoreError> {
    const SQL: &str = "SELECT role, unit FROM officer_roles WHERE officer_id = $1 ORDER BY role, unit";
    let rows: Vec<(String, String)> = on_backend!(tx, |conn| sqlx::query_as(SQL).bind(officer).fetch_all(conn).await?);
    rows.into_iter()
        .map(|(role, unit)| match role.parse() {
            Ok(role) => Ok((role, unit)),
            Err(_) => Err(StoreError::Inconsistent { table: "officer_roles", column: "role", id: officer.to_owned() }),
        })
        .collect()
}

/// Active officers with a role in this unit (empty: the centre), one line per role.
///
/// # Errors
/// `Database`.
pub async fn in_unit(tx: &mut Tx, unit: &str) -> Result<Vec<RoleRow>, StoreError> {
    const SQL: &str = "SELECT r.officer_id, r.role, r.unit FROM officer_roles r JOIN officers o \
        ON o.id = r.officer_id WHERE r.unit = $1 AND o.active ORDER BY r.officer_id, r.role";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(unit).fetch_all(conn).await?))
}

/// Active officers with this role, in whatever unit.
///
/// # Errors
/// `Database`.
pub async fn with_role(tx: &mut Tx, role: Role) -> Result<Vec<RoleRow>, StoreError> {
    const SQL: &str = "SELECT r.officer_id, r.role, r.unit FROM officer_roles r JOIN officers o \
        ON o.id = r.officer_id WHERE r.role = $1 AND o.active ORDER BY r.officer_id, r.unit";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).bind(role.as_str()).fetch_all(conn).await?))
}

/// Replaces the roles of an officer; one given twice is one role.
///
/// # Errors
/// `Database`.
pub async fn set_roles(tx: &mut Tx, officer: OfficerId, roles: &[(Role, String)]) -> Result<(), StoreError> {
    const DELETE: &str = "DELETE FROM officer_roles WHERE officer_id = $1";
    const INSERT: &str = "INSERT INTO officer_roles (officer_id, role, unit) VALUES ($1, $2, $3) \
        ON CONFLICT DO NOTHING";
    let id = officer.to_string();
    on_backend!(tx, |conn| sqlx::query(DELETE).bind(id.as_str()).execute(conn).await.map(|_| ()))?;
    for (role, unit) in roles {
        on_backend!(tx, |conn| sqlx::query(INSERT)
            .bind(id.as_str())
            .bind(role.as_str())
            .bind(unit.as_str())
            .execute(conn)
            .await
            .map(|_| ()))?;
    }
    Ok(())
}

/// Sets a new password and revokes all sessions of the account.
///
/// # Errors
/// `Database`.
pub async fn set_password(
    tx: &mut Tx,
    officer: OfficerId,
    password_hash: &str,
    must_change: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE officers SET password_hash = $2, must_change_password = $3, changed_at = $4 WHERE id = $1";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(officer.to_string())
        .bind(password_hash)
        .bind(must_change)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    revoke_sessions(tx, officer, now).await
}

/// Changes name and activity; an inactive account loses its sessions (its tokens stop with the account).
///
/// # Errors
/// `Database`.
pub async fn set_active(tx: &mut Tx, officer: OfficerId, active: bool, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE officers SET active = $2, changed_at = $3 WHERE id = $1";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(officer.to_string())
        .bind(active)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    if active { Ok(()) } else { revoke_sessions(tx, officer, now).await }
}

/// Changes the shown name.
///
/// # Errors
/// `Database`.
pub async fn set_name(tx: &mut Tx, officer: OfficerId, name: &str, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE officers SET name = $2, changed_at = $3 WHERE id = $1";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(officer.to_string())
        .bind(name)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// What a new login is made of.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// Its id.
    pub id: SessionId,
    /// SHA-256 of the token, hex.
    pub token_hash: &'a str,
    /// Whose.
    pub officer: OfficerId,
    /// CSRF token.
    pub csrf: &'a str,
    /// Address of the client.
    pub address: &'a str,
    /// User agent, cut.
    pub agent: &'a str,
    /// End of its life.
    pub expires_at: Timestamp,
}

/// Adds a login.
///
/// # Errors
/// `Database`.
pub async fn insert_session(tx: &mut Tx, session: &NewSession<'_>, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO sessions \
        (id, token_hash, officer_id, csrf, address, agent, created_at, seen_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(session.id.to_string())
        .bind(session.token_hash)
        .bind(session.officer.to_string())
        .bind(session.csrf)
        .bind(session.address)
        .bind(session.agent)
        .bind(now.as_millisecond())
        .bind(session.expires_at.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The live login with this token: not revoked, not expired, account active.
///
/// # Errors
/// `Database`.
pub async fn find_session(tx: &mut Tx, token_hash: &str, now: Timestamp) -> Result<Option<LoginRow>, StoreError> {
    const SQL: &str = "SELECT s.id, s.officer_id, o.login, o.name, o.must_change_password, s.csrf, s.seen_at, \
        s.expires_at FROM sessions s JOIN officers o ON o.id = s.officer_id \
        WHERE s.token_hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND o.active = TRUE";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(token_hash)
        .bind(now.as_millisecond())
        .fetch_optional(conn)
        .await?))
}

/// Notes that a login is in use and moves its end.
///
/// # Errors
/// `Database`.
pub async fn touch_session(
    tx: &mut Tx,
    session: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE sessions SET seen_at = $2, expires_at = $3 WHERE id = $1 AND revoked_at IS NULL";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(session)
        .bind(now.as_millisecond())
        .bind(expires_at.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Ends one login.
///
/// # Errors
/// `Database`.
pub async fn revoke_session(tx: &mut Tx, session: SessionId, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(session.to_string())
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Ends all logins of an account.
///
/// # Errors
/// `Database`.
pub async fn revoke_sessions(tx: &mut Tx, officer: OfficerId, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE sessions SET revoked_at = $2 WHERE officer_id = $1 AND revoked_at IS NULL";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(officer.to_string())
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Adds an API token that acts as `officer`.
///
/// # Errors
/// `Database`.
pub async fn insert_token(
    tx: &mut Tx,
    id: TokenId,
    token_hash: &str,
    name: &str,
    officer: OfficerId,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO api_tokens (id, token_hash, name, officer_id, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id.to_string())
        .bind(token_hash)
        .bind(name)
        .bind(officer.to_string())
        .bind(now.as_millisecond())
        .bind(expires_at.map(Timestamp::as_millisecond))
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// The live API token with this hash.
///
/// # Errors
/// `Database`.
pub async fn find_token(tx: &mut Tx, token_hash: &str, now: Timestamp) -> Result<Option<LoginRow>, StoreError> {
    const SQL: &str = "SELECT t.id, t.officer_id, o.login, o.name, o.must_change_password, '' AS csrf, \
        COALESCE(t.used_at, 0) AS seen_at, COALESCE(t.expires_at, $3) AS expires_at \
        FROM api_tokens t JOIN officers o ON o.id = t.officer_id \
        WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2) \
        AND o.active = TRUE";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(token_hash)
        .bind(now.as_millisecond())
        .bind(i64::MAX)
        .fetch_optional(conn)
        .await?))
}

/// Notes that an API token was used.
///
/// # Errors
/// `Database`.
pub async fn touch_token(tx: &mut Tx, token: &str, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE api_tokens SET used_at = $2 WHERE id = $1";
    on_backend!(tx, |conn| sqlx::query(SQL).bind(token).bind(now.as_millisecond()).execute(conn).await.map(|_| ()))?;
    Ok(())
}

/// All API tokens, the newest first.
///
/// # Errors
/// `Database`.
pub async fn list_tokens(tx: &mut Tx) -> Result<Vec<TokenRow>, StoreError> {
    const SQL: &str = "SELECT t.id, t.name, t.officer_id, o.login, t.created_at, t.expires_at, t.used_at, t.revoked_at \
        FROM api_tokens t JOIN officers o ON o.id = t.officer_id ORDER BY t.created_at DESC, t.id";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await?))
}

/// Revokes an API token; `false` when there is none.
///
/// # Errors
/// `Database`.
pub async fn revoke_token(tx: &mut Tx, id: TokenId, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE api_tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1";
    let rows = on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id.to_string())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?
        .rows_affected());
    Ok(rows == 1)
}

/// Notes a login attempt.
///
/// # Errors
/// `Database`.
pub async fn note_attempt(
    tx: &mut Tx,
    id: &str,
    login: &str,
    address: &str,
    succeeded: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO login_attempts (id, login, address, succeeded, at) VALUES ($1, $2, $3, $4, $5)";
    on_backend!(tx, |conn| sqlx::query(SQL)
        .bind(id)
        .bind(login)
        .bind(address)
        .bind(succeeded)
        .bind(now.as_millisecond())
        .execute(conn)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// Failed attempts of an account and of an address since `since`; another gateway's are counted too.
///
/// # Errors
/// `Database`.
pub async fn failures(tx: &mut Tx, login: &str, address: &str, since: Timestamp) -> Result<(i64, i64), StoreError> {
    const SQL: &str = "SELECT CAST(COALESCE(SUM(CASE WHEN login = $1 THEN 1 ELSE 0 END), 0) AS BIGINT), \
        CAST(COALESCE(SUM(CASE WHEN address = $2 THEN 1 ELSE 0 END), 0) AS BIGINT) \
        FROM login_attempts WHERE at > $3 AND succeeded = FALSE";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(login)
        .bind(address)
        .bind(since.as_millisecond())
        .fetch_one(conn)
        .await?))
}
