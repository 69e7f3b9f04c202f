//! The login page: a plain form that works without script.

use askama::Template;

use crate::web::site::Site;

/// The login page.
#[derive(Debug, Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    /// The site.
    pub site: Site,
    /// What was wrong; empty at first.
    pub error: String,
    /// The login that was typed.
    pub login: String,
    /// Where to go afterwards, a path of this site.
    pub next: String,
    /// Made-up data: says where the password stands.
    pub demo: bool,
}

/// The address after login: only a path of this site, else the desk.
pub fn safe_next(next: &str) -> &str {
    let local = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if local { next } else { "/desk" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_login_nobody_is_sent_to_another_site() {
        for (given, expected) in [
            ("/desk/cases/ZT20261122-0001A?tab=all", "/desk/cases/ZT20261122-0001A?tab=all"),
            ("https://evil.example/", "/desk"),
            ("//evil.example", "/desk"),
            ("/\\evil.example", "/desk"),
            ("", "/desk"),
        ] {
            assert_eq!(safe_next(given), expected, "{given}");
        }
    }
}
