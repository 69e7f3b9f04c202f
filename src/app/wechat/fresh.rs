//! Fresh requests only: signed within the last minutes, and one signature of a plain request for one body.
//!
//! `signature` covers no body and goes along with encrypted requests and with the check of the address as well: whoever
//! saw such a query must not put a plain body under it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest as _, Sha256};

use crate::{
    app::{App, AppError},
    ports::wechat::WechatAccount,
};

/// A request is believed this long before and after the moment it names.
const WINDOW_S: i64 = 5 * 60;
/// Signatures remembered at most; beyond it those that are over are dropped, then the oldest.
const MOST: usize = 200_000;

type Hash = [u8; 16];

/// Stands for the body of a request whose signature may not carry a plain one.
const NO_PLAIN_BODY: Hash = [0; 16];

/// Signatures seen lately: hash of account, timestamp and nonce → hash of the body, until when.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashMap<Hash, (Hash, i64)>>);

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

/// Refuses what was signed too long ago, and a body under the signature of another one. The signature of a plain
/// request does not cover the body, so the same body again is a repeat and any other is a forgery; an encrypted body
/// is covered (`body`: `None`).
///
/// # Errors
/// `Forbidden`.
pub fn check_fresh(
    app: &App,
    account: &WechatAccount,
    signed_at: i64,
    nonce: &str,
    body: Option<&[u8]>,
) -> Result<(), AppError> {
    let now = app.now().as_second();
    if now.abs_diff(signed_at) > WINDOW_S.unsigned_abs() {
        return Err(AppError::forbidden("wechat_signature"));
    }
    let expected = body.map_or(NO_PLAIN_BODY, |body| hash(&[body]));
    let known = remember(app, account, signed_at, nonce, expected);
    // An encrypted body has a signature of its own; two of them under one timestamp and nonce are the platform's affair.
    if body.is_none() || known == expected { Ok(()) } else { Err(AppError::forbidden("wechat_signature")) }
}

/// Notes the signature of a check of the address: no plain message may come under it.
pub fn seen_without_body(app: &App, account: &WechatAccount, signed_at: i64, nonce: &str) {
    if app.now().as_second().abs_diff(signed_at) <= WINDOW_S.unsigned_abs() {
        remember(app, account, signed_at, nonce, NO_PLAIN_BODY);
    }
}

/// What is known of a signature; `expected` when it is new.
fn remember(app: &App, account: &WechatAccount, signed_at: i64, nonce: &str, expected: Hash) -> Hash {
    let now = app.now().as_second();
    let key = hash(&[account.to_string().as_bytes(), &signed_at.to_be_bytes(), nonce.as_bytes()]);
    let mut seen = app.wechat.fresh.0.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.len() >= MOST {
        seen.retain(|_, (_, until)| *until > now);
        if seen.len() >= MOST {
            seen.clear();
        }
    }
    seen.entry(key).or_insert((expected, signed_at + 2 * WINDOW_S)).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_eq!(hash(&[b"ab", b"c"]), hash(&[b"ab", b"c"]));
    }
}
