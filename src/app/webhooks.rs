//! Outgoing webhooks: what is claimed from the outbox, how a request is signed, what an attempt left behind.
//!
//! A request carries `X-Zhitong-Timestamp`, `X-Zhitong-Key` (idempotency) and `X-Zhitong-Signature`:
//! `sha256=` and the hex HMAC-SHA256 of `timestamp + "." + body`.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use sha2::Sha256;

use super::{
    App, AppError,
    notices::{self, Notice, NoticeKind, Told},
};
use crate::{
    ports::WebhookRequest,
    store::outbox::{self, OutboxRow},
};

/// Claims entries that are due.
///
/// # Errors
/// `Store`.
pub async fn claim(app: &App, now: Timestamp, lease: SignedDuration, limit: i64) -> Result<Vec<OutboxRow>, AppError> {
    let mut tx = app.db.write().await?;
    let rows = outbox::claim(&mut tx, now, now.saturating_add(lease).unwrap_or(now), limit).await?;
    tx.commit().await?;
    Ok(rows)
}

/// The signed request of an entry; `None` when its target is no longer configured.
pub fn sign(app: &App, entry: &OutboxRow, now: Timestamp) -> Option<WebhookRequest> {
    let target = app.config.webhooks.outbound.iter().find(|t| t.name == entry.target)?;
    let timestamp = now.as_second().to_string();
    let signature = signature(target.secret.expose_secret(), &timestamp, entry.payload.as_bytes());
    Some(WebhookRequest {
        url: target.url.clone(),
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-zhitong-event".to_owned(), entry.event.clone()),
            ("x-zhitong-key".to_owned(), entry.key.clone()),
            ("x-zhitong-timestamp".to_owned(), timestamp),
            ("x-zhitong-signature".to_owned(), signature),
        ],
        body: entry.payload.clone(),
    })
}

/// `sha256=` and the hex HMAC-SHA256 over timestamp, a dot and the body.
///
/// # Panics
/// Never: HMAC takes a key of any length.
pub fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length will do");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// Notes a delivery.
///
/// # Errors
/// `Store`.
pub async fn delivered(app: &App, id: &str) -> Result<(), AppError> {
    let mut tx = app.db.write().await?;
    outbox::delivered(&mut tx, id, app.now()).await?;
    Ok(tx.commit().await?)
}

/// Notes a failed attempt. What is given up is told to the administrators, once a day for each target.
///
/// # Errors
/// `Store`.
pub async fn failed(app: &App, entry: &OutboxRow, reason: &str, next: Option<Timestamp>) -> Result<(), AppError> {
    let now = app.now();
    let mut tx = app.db.write().await?;
    outbox::failed(&mut tx, &entry.id, reason, next, now).await?;
    let mut told = Told::default();
    if next.is_none() {
        let text = format!("推送给“{}”的消息多次失败，已停止重试，请检查对方系统后重发", entry.target);
        let day = app.content.load().schedule.civil(now).date();
        let key = format!("push_failed:{}:{day}", entry.target);
        let notice = Notice::to_administrators(NoticeKind::PushFailed, &text, &key);
        told = notices::notify(&mut tx, app, &notice, now).await?;
    }
    tx.commit().await?;
    told.tell(app);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_hmac_of_timestamp_and_body() {
        // echo -n '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            signature("secret", "1700000000", br#"{"a":1}"#),
            "sha256=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
        );
        assert_ne!(signature("secret", "1700000000", b"{}"), signature("secret", "1700000001", b"{}"));
        assert_ne!(signature("secret", "1700000000", b"{}"), signature("other", "1700000000", b"{}"));
        assert_eq!(signature("secret", "1700000000", b"{}").len(), 71);
    }
}
