//! Accounts of the staff: login, logout, passwords, sessions and API tokens.
//!
//! Passwords are argon2id; an unknown login costs the same time as a wrong password. Tokens are random and stored as
//! hashes. Failures are counted before the password is evaluated, so that parallel guesses do not get more tries.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

use super::{App, AppError, Credential, FieldError, Officer, hash_secret, health, limits::refuse};
use crate::{
    domain::{
        access::Role,
        ids::{OfficerId, SessionId, TokenId},
    },
    store::{StoreError, Tx, officers},
};

/// A session ends after this time without a request.
const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(12);
/// Its use is noted at most this often.
const TOUCH_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// Shortest password.
const SHORTEST_PASSWORD: usize = 10;
/// Argon2 takes 19 MiB each: two at once bound the memory of a flood of logins.
static HASHING: Semaphore = Semaphore::const_new(2);

/// A successful login.
#[derive(Debug, Clone)]
pub struct Login {
    /// The secret for the cookie.
    pub token: String,
    /// Who it is.
    pub officer: Officer,
    /// End of its life without use.
    pub expires_at: Timestamp,
}

/// Where a login comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Address of the client.
    pub address: &'a str,
    /// User agent.
    pub agent: &'a str,
}

/// Checks login and password and opens a session.
///
/// # Errors
/// `Unauthenticated` (unknown, wrong or disabled: the answer is the same), `TooMany`, `Store`.
pub async fn log_in(app: &App, login: &str, password: &str, origin: Origin<'_>) -> Result<Login, AppError> {
    let now = app.now();
    let login = login.trim();
    app.limits.login_address.take(origin.address, now).map_err(refuse("login_too_many"))?;
    app.limits.login_account.take(login, now).map_err(refuse("login_too_many"))?;
    let (found, failures) = {
        let mut tx = app.db.read().await?;
        let since = now.saturating_sub(SignedDuration::from_mins(15)).unwrap_or(now);
        let failures = officers::failures(&mut tx, login, origin.address, since).await?;
        (officers::find_by_login(&mut tx, login).await?, failures)
    };
    let limits = &app.config.limits;
    if failures.0 >= i64::from(limits.login_failures_per_account)
        || failures.1 >= i64::from(limits.login_failures_per_address)
    {
        return Err(AppError::TooMany { code: "login_too_many", retry_after_s: 15 * 60 });
    }
    let stored = found.as_ref().map(|row| row.password_hash.clone());
    let matches = verify(password, stored).await?;
    let row = found.filter(|row| matches && row.active);
    let mut tx = app.db.write().await?;
    let attempt = app.ids.uuid(now).to_string();
    officers::note_attempt(&mut tx, &attempt, cut(login, 64), origin.address, row.is_some(), now).await?;
    let Some(row) = row else {
        tx.commit().await?;
        return Err(AppError::Unauthenticated { code: "login_failed" });
    };
    let id: OfficerId = row.id.parse().map_err(|_| AppError::Internal("officer id".into()))?;
    let session = open_session(app, &mut tx, id, origin, now).await?;
    let officer = Officer {
        id,
        grants: grants(&mut tx, &row.id).await?,
        login: row.login,
        name: row.name,
        must_change_password: row.must_change_password,
        credential: session.credential,
    };
    tx.commit().await?;
    app.limits.login_account.clear(login);
    app.limits.login_address.give_back(origin.address);
    Ok(Login { token: session.token, officer, expires_at: session.expires_at })
}

struct OpenedSession {
    token: String,
    credential: Credential,
    expires_at: Timestamp,
}

async fn open_session(
    app: &App,
    tx: &mut Tx,
    officer: OfficerId,
    origin: Origin<'_>,
    now: Timestamp,
) -> Result<OpenedSession, AppError> {
    let id = SessionId::from_uuid(app.ids.uuid(now));
    let token = app.secret("zs_");
    let csrf = app.secret("");
    let expires_at = now.saturating_add(SESSION_LIFE).unwrap_or(now);
    let session = officers::NewSession {
        id,
        token_hash: &hash_secret(&token),
        officer,
        csrf: &csrf,
        address: origin.address,
        agent: cut(origin.agent, 200),
        expires_at,
    };
    officers::insert_session(tx, &session, now).await?;
    Ok(OpenedSession { token, credential: Credential::Session { id, csrf }, expires_at })
}

/// The officer behind a session token or an API token.
///
/// # Errors
/// `Unauthenticated` when it is unknown, expired or revoked or the account is disabled; `Store`.
pub async fn authenticate(app: &App, token: &str) -> Result<Officer, AppError> {
    let now = app.now();
    let hash = hash_secret(token);
    let is_token = token.starts_with("zt_");
    let mut tx = app.db.read().await?;
    let row = if is_token {
        officers::find_token(&mut tx, &hash, now).await?
    } else {
        officers::find_session(&mut tx, &hash, now).await?
    };
    let row = row.ok_or(AppError::Unauthenticated { code: "not_logged_in" })?;
    let grants = grants(&mut tx, &row.officer_id).await?;
    drop(tx);
    let internal = |_| AppError::Internal("id of a login".into());
    let seen = Timestamp::from_millisecond(row.seen_at).unwrap_or(Timestamp::UNIX_EPOCH);
    if now.duration_since(seen) > TOUCH_EVERY
        && let Err(error) = touch(app, &row.id, is_token, now).await
    {
        // Who may read does not depend on whether it can be noted.
        tracing::warn!(error = &error as &dyn std::error::Error, "the use of a login was not noted");
        health::refused(app, &error);
    }
    let credential = if is_token {
        Credential::Token(row.id.parse().map_err(internal)?)
    } else {
        Credential::Session { id: row.id.parse().map_err(internal)?, csrf: row.csrf }
    };
    Ok(Officer {
        id: row.officer_id.parse().map_err(internal)?,
        login: row.login,
        name: row.name,
        grants,
        // A token proves its owner without the password: scripts of an account that nobody logs in to work at once.
        must_change_password: row.must_change_password && !is_token,
        credential,
    })
}

/// Notes that a session (which lives on by it) or an API token was used.
async fn touch(app: &App, id: &str, is_token: bool, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = app.db.write().await?;
    if is_token {
        officers::touch_token(&mut tx, id, now).await?;
    } else {
        let expires_at = now.saturating_add(SESSION_LIFE).unwrap_or(now);
        officers::touch_session(&mut tx, id, now, expires_at).await?;
    }
    tx.commit().await
}

/// Whether the credential still holds, with the roles it has now: for open streams.
///
/// # Errors
/// `Store`.
pub async fn still_valid(app: &App, token: &str) -> Result<bool, AppError> {
    match authenticate(app, token).await {
        Ok(_) => Ok(true),
        Err(AppError::Unauthenticated { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ends the session.
///
/// # Errors
/// `Store`.
pub async fn log_out(app: &App, officer: &Officer) -> Result<(), AppError> {
    if let Credential::Session { id, .. } = &officer.credential {
        let mut tx = app.db.write().await?;
        officers::revoke_session(&mut tx, *id, app.now()).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Changes the own password: all sessions end, a new one begins.
///
/// # Errors
/// `Invalid` (old one wrong, new one too short), `TooMany`, `Store`.
pub async fn change_password(
    app: &App,
    officer: &Officer,
    old: &str,
    new: &str,
    origin: Origin<'_>,
) -> Result<Login, AppError> {
    let now = app.now();
    app.limits.login_account.take(officer.login.as_str(), now).map_err(refuse("login_too_many"))?;
    let row = {
        let mut tx = app.db.read().await?;
        officers::find(&mut tx, officer.id).await?.ok_or(AppError::NotFound)?
    };
    if !verify(old, Some(row.password_hash)).await? {
        return Err(AppError::field("/old_password", "原密码不对"));
    }
    app.limits.login_account.clear(officer.login.as_str());
    check_password(new, &officer.login)?;
    if old == new {
        return Err(AppError::field("/new_password", "新密码不能与原密码相同"));
    }
    let hash = hash_password(app, new).await?;
    let mut tx = app.db.write().await?;
    officers::set_password(&mut tx, officer.id, &hash, false, now).await?;
    let session = open_session(app, &mut tx, officer.id, origin, now).await?;
    tx.commit().await?;
    let officer = Officer { must_change_password: false, credential: session.credential, ..officer.clone() };
    Ok(Login { token: session.token, officer, expires_at: session.expires_at })
}

/// A new account.
#[derive(Debug, Clone, Default)]
pub struct NewAccount {
    /// Login name.
    pub login: String,
    /// Name shown to people.
    pub name: String,
    /// Roles, each in a unit (empty: the centre).
    pub roles: Vec<(Role, String)>,
    /// The password; without it one is made up and must be changed at the first login.
    pub password: Option<String>,
}

/// An account as shown to administrators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `OfficerId`.
    pub id: String,
    /// Login name.
    pub login: String,
    /// Name shown to people.
    pub name: String,
    /// Roles, each in a unit (empty: the centre).
    pub roles: Vec<(Role, String)>,
    /// Whether it may log in.
    pub active: bool,
    /// Whether the password must be changed first.
    pub must_change_password: bool,
}

fn name_error(name: &str) -> Option<FieldError> {
    let fits = !name.trim().is_empty() && name.chars().count() <= 50;
    (!fits).then(|| FieldError::new("/name", "请填写姓名，不超过 50 个字"))
}

/// Adds an account; returns the made-up password if none was given.
///
/// # Errors
/// `Invalid`, `Conflict` (login taken), `Store`.
pub async fn create_account(app: &App, account: &NewAccount) -> Result<(OfficerId, Option<String>), AppError> {
    let mut errors = Vec::new();
    let login = account.login.trim();
    if !(2..=64).contains(&login.len())
        || !login.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@'))
    {
        errors.push(FieldError::new("/login", "登录名用 2 到 64 个字母、数字或 . _ - @"));
    }
    errors.extend(name_error(&account.name));
    if !errors.is_empty() {
        return Err(AppError::invalid("invalid_fields", errors));
    }
    let made_up = account.password.is_none().then(|| random_password(app));
    let password = account.password.as_deref().or(made_up.as_deref()).unwrap_or_default();
    check_password(password, login)?;
    let hash = hash_password(app, password).await?;
    let now = app.now();
    let id = OfficerId::from_uuid(app.ids.uuid(now));
    let mut tx = app.db.write().await?;
    if officers::find_by_login(&mut tx, login).await?.is_some() {
        tx.rollback().await?;
        return Err(AppError::conflict("login_taken"));
    }
    let new = officers::NewOfficer {
        id,
        login,
        name: account.name.trim(),
        password_hash: &hash,
        must_change_password: made_up.is_some(),
    };
    officers::insert(&mut tx, &new, now).await?;
    officers::set_roles(&mut tx, id, &account.roles).await?;
    tx.commit().await?;
    Ok((id, made_up))
}

/// Makes the first administrator when there is no account yet; returns its one-time password.
///
/// # Errors
/// `Store`.
pub async fn ensure_admin(app: &App) -> Result<Option<String>, AppError> {
    let count = {
        let mut tx = app.db.read().await?;
        officers::count(&mut tx).await?
    };
    if count > 0 {
        return Ok(None);
    }
    let account = NewAccount {
        login: "admin".into(),
        name: "系统管理员".into(),
        roles: vec![(Role::Admin, String::new()), (Role::RulePublisher, String::new())],
        password: None,
    };
    match create_account(app, &account).await {
        Ok((_, password)) => Ok(password),
        // Another gateway on the same database was first.
        Err(AppError::Conflict { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All accounts by login.
///
/// # Errors
/// `Store`.
pub async fn list_accounts(app: &App) -> Result<Vec<Account>, AppError> {
    let mut tx = app.db.read().await?;
    let rows = officers::list(&mut tx).await?;
    let roles = officers::all_roles(&mut tx).await?;
    Ok(rows
        .into_iter()
        .map(|row| Account {
            roles: roles
                .iter()
                .filter(|role| role.officer_id == row.id)
                .filter_map(|role| Some((role.role.parse().ok()?, role.unit.clone())))
                .collect(),
            id: row.id,
            login: row.login,
            name: row.name,
            active: row.active,
            must_change_password: row.must_change_password,
        })
        .collect())
}

/// What an administrator changes of an account; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct AccountChange {
    /// Name shown to people.
    pub name: Option<String>,
    /// Roles, each in a unit (empty: the centre).
    pub roles: Option<Vec<(Role, String)>>,
    /// Whether it may log in.
    pub active: Option<bool>,
    /// Make up a new password.
    pub reset_password: bool,
    /// Set this password.
    pub password: Option<String>,
}

/// Changes an account; returns the made-up password if one was asked for. Whoever loses a role is logged out.
///
/// # Errors
/// `NotFound`, `Invalid`, `Store`.
pub async fn change_account(app: &App, login: &str, change: &AccountChange) -> Result<Option<String>, AppError> {
    if let Some(error) = change.name.as_deref().and_then(name_error) {
        return Err(AppError::invalid("invalid_fields", vec![error]));
    }
    let now = app.now();
    let made_up = change.reset_password.then(|| random_password(app));
    let password = change.password.as_ref().or(made_up.as_ref());
    let hash = match password {
        Some(password) => {
            check_password(password, login)?;
            Some(hash_password(app, password).await?)
        }
        None => None,
    };
    let mut tx = app.db.write().await?;
    let Some(row) = officers::find_by_login(&mut tx, login).await? else {
        tx.rollback().await?;
        return Err(AppError::NotFound);
    };
    let id: OfficerId = row.id.parse().map_err(|_| AppError::Internal("officer id".into()))?;
    if let Some(name) = &change.name {
        officers::set_name(&mut tx, id, name.trim(), now).await?;
    }
    if let Some(roles) = &change.roles {
        officers::set_roles(&mut tx, id, roles).await?;
        officers::revoke_sessions(&mut tx, id, now).await?;
    }
    if let Some(active) = change.active {
        officers::set_active(&mut tx, id, active, now).await?;
    }
    if let Some(hash) = &hash {
        officers::set_password(&mut tx, id, hash, made_up.is_some(), now).await?;
    }
    tx.commit().await?;
    Ok(made_up)
}

/// An API token as shown to administrators; the secret is shown once, at creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// `TokenId`.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// The account it acts as.
    pub login: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// End of its life.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Makes an API token that acts as the account; returns its id and the secret.
///
/// # Errors
/// `NotFound` (no such account), `Invalid`, `Store`.
pub async fn create_token(
    app: &App,
    login: &str,
    name: &str,
    days: Option<u32>,
) -> Result<(TokenId, String), AppError> {
    if name.trim().is_empty() || name.chars().count() > 100 {
        return Err(AppError::field("/name", "请填写令牌用途，不超过 100 个字"));
    }
    let now = app.now();
    let secret = app.secret("zt_");
    let id = TokenId::from_uuid(app.ids.uuid(now));
    let expires_at = days.and_then(|days| now.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).ok());
    let mut tx = app.db.write().await?;
    let Some(row) = officers::find_by_login(&mut tx, login).await? else {
        tx.rollback().await?;
        return Err(AppError::NotFound);
    };
    let officer: OfficerId = row.id.parse().map_err(|_| AppError::Internal("officer id".into()))?;
    officers::insert_token(&mut tx, id, &hash_secret(&secret), name.trim(), officer, expires_at, now).await?;
    tx.commit().await?;
    Ok((id, secret))
}

/// All API tokens, the newest first.
///
/// # Errors
/// `Store`.
pub async fn list_tokens(app: &App) -> Result<Vec<ApiToken>, AppError> {
    let mut tx = app.db.read().await?;
    let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(officers::list_tokens(&mut tx)
        .await?
        .into_iter()
        .map(|row| ApiToken {
            id: row.id,
            name: row.name,
            login: row.login,
            created_at: at(row.created_at),
            expires_at: row.expires_at.map(at),
            used_at: row.used_at.map(at),
            revoked_at: row.revoked_at.map(at),
        })
        .collect())
}

/// Revokes an API token.
///
/// # Errors
/// `NotFound`, `Store`.
pub async fn revoke_token(app: &App, id: TokenId) -> Result<(), AppError> {
    let mut tx = app.db.write().await?;
    let found = officers::revoke_token(&mut tx, id, app.now()).await?;
    tx.commit().await?;
    if found { Ok(()) } else { Err(AppError::NotFound) }
}

async fn grants(tx: &mut Tx, officer: &str) -> Result<Vec<(Role, Option<String>)>, AppError> {
    Ok(officers::roles(tx, officer)
        .await?
        .into_iter()
        .map(|(role, unit)| (role, Some(unit).filter(|unit| !unit.is_empty())))
        .collect())
}

fn check_password(password: &str, login: &str) -> Result<(), AppError> {
    let message = if password.chars().count() < SHORTEST_PASSWORD {
        "密码至少 10 个字符"
    } else if password.len() > 256 {
        "密码太长"
    } else if password.to_lowercase().contains(&login.to_lowercase()) {
        "密码不能包含登录名"
    } else if is_easy(password) {
        "密码太容易被猜中，请换一个，比如几个不相干的词"
    } else {
        return Ok(());
    };
    Err(AppError::field("/new_password", message))
}

/// Whether a password is among the first that anybody tries: a letter or two over and over, or a run on the keyboard.
fn is_easy(password: &str) -> bool {
    const RUNS: [&str; 7] = [
        "01234567890123456789",
        "98765432109876543210",
        "abcdefghijklmnopqrstuvwxyz",
        "qwertyuiopasdfghjklzxcvbnm",
        "1qaz2wsx3edc4rfv5tgb6yhn",
        "1q2w3e4r5t6y7u8i9o0p",
        "qazwsxedcrfvtgbyhn",
    ];
    let plain: String = password.to_lowercase().replace('@', "a").chars().filter(|c| c.is_alphanumeric()).collect();
    let different: std::collections::BTreeSet<char> = plain.chars().collect();
    different.len() < 3 || RUNS.iter().any(|run| run.contains(plain.as_str()))
}

/// A password that can be read aloud: four groups without look-alikes, 79 bits.
fn random_password(app: &App) -> String {
    const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 16];
    app.ids.fill(&mut bytes);
    let mut text = String::with_capacity(19);
    for (n, byte) in bytes.iter().enumerate() {
        if n > 0 && n % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
    }
    text
}

pub(super) async fn hash_password(app: &App, password: &str) -> Result<String, AppError> {
    let mut salt = [0; 16];
    app.ids.fill(&mut salt);
    let password = password.to_owned();
    blocking(move || {
        Argon2::default()
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map(|hash| hash.to_string())
            .map_err(|error| AppError::Internal(format!("argon2: {error}")))
    })
    .await?
}

/// Compares with the stored hash; without one it takes the same time and fails.
async fn verify(password: &str, stored: Option<String>) -> Result<bool, AppError> {
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$emhpdG9uZ3poaXRvbmc$\
        9M2Y0N0l1cW5kbG9vZ2h0ZXJzcmFuZG9tYWJjZGVmZ2g";
    let password = password.to_owned();
    blocking(move || {
        let known = stored.is_some();
        let text = stored.unwrap_or_else(|| NOBODY.to_owned());
        let Ok(hash) = PasswordHash::new(&text) else { return false };
        Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && known
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AppError> {
    let _permit = HASHING.acquire().await.map_err(|_| AppError::Unavailable { code: "shutting_down" })?;
    tokio::task::spawn_blocking(work).await.map_err(|error| AppError::Internal(format!("hashing: {error}")))
}

/// The first `most` bytes, cut between characters.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unknown_login_is_verified_against_a_hash_that_parses() {
        assert!(!verify("x", None).await.unwrap());
        let hash =
            Argon2::default().hash_password_with_salt(b"correct horse", b"0123456789abcdef").unwrap().to_string();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse", Some(hash.clone())).await.unwrap());
        assert!(!verify("wrong horse", Some(hash)).await.unwrap());
        let start = std::time::Instant::now();
        assert!(!verify("x", None).await.unwrap());
        assert!(start.elapsed().as_millis() > 1, "no work was done for an unknown login");
    }

    #[test]
    fn weak_passwords_are_refused() {
        for weak in ["short", "zuoxi-zuoxi", "aaaaaaaaaaaa"] {
            assert!(check_password(weak, "zuoxi").is_err(), "{weak}");
        }
        assert!(check_password("晴天-带伞-出门-上班", "zuoxi").is_ok());
    }

    #[test]
    fn cutting_keeps_characters_whole() {
        assert_eq!(cut("登录", 4), "登");
        assert_eq!(cut("ab", 4), "ab");
    }
}
