//! Sends what waits for WeChat users, of each conversation one message after the other, piece by piece.
//!
//! Everything is decided from stored rows, so a missed tick, a restart and a second gateway are the same case. A piece
//! that the platform took is noted before the next one goes; a process that dies in between repeats at most the piece
//! it had under way. What nobody knows the fate of is not repeated, unless the platform drops doubles.

use std::pin::pin;

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use jiff::SignedDuration;

use crate::{
    app::{
        App, AppError,
        wechat_out::{self, Content, Delivery, OutboxRow, Plan},
    },
    ports::wechat::{Held, Piece, Verdict, WechatApi, WechatFailure},
};

/// Conversations served at the same time.
const AT_ONCE: usize = 8;
/// As many free places are filled in one go.
const FREE: usize = 4;
/// How long a claimed message is nobody else's: longer than a token, an upload and a message may take together.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Bytes that a piece may have.
const MOST_BYTES: usize = 2_040;
/// Bytes of the words above a menu.
const MOST_HEAD_BYTES: usize = 1_024;
/// What the platform says to a menu that the account may not send.
const NO_MENUS: [i64; 2] = [40_200, 40_008];
/// Said at the end of the last piece that the platform allows, when more would follow.
const TO_BE_CONTINUED: &str = "\n（未完，回复任意内容接着看）";

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Delivered, or not worth a message.
    pub sent: usize,
    /// Failed and waiting for another attempt.
    pub postponed: usize,
    /// Waiting for the user.
    pub held: usize,
    /// Given up.
    pub dead: usize,
}

enum End {
    Sent,
    Postponed,
    Held,
    Dead,
}

/// Sends everything that is due now.
///
/// # Errors
/// `Store`; what was claimed is tried again when its lease ends.
pub async fn run_once(app: &App, api: &dyn WechatApi) -> Result<Summary, AppError> {
    let mut summary = Summary::default();
    // What is claimed begins at once: a message that waited under its lease could be claimed by another gateway, and a
    // slow one would hold up those of others.
    let mut running = FuturesUnordered::new();
    let mut fault = None;
    loop {
        let free = AT_ONCE.saturating_sub(running.len());
        if fault.is_none() && free >= FREE {
            // Those under way go on meanwhile: one of them may have the connection that this waits for.
            let mut claim = pin!(wechat_out::claim(app, LEASE, i64::try_from(free).unwrap_or(1)));
            let rows = loop {
                tokio::select! {
                    rows = &mut claim => break rows,
                    Some(end) = running.next() => summary.add(end, &mut fault),
                }
            };
            match rows {
                Ok(rows) => running.extend(rows.into_iter().map(|row| one(app, api, row))),
                Err(error) => fault = Some(error),
            }
        }
        // Whatever failed, the others come to their end: what the platform took has to be noted.
        match running.next().await {
            Some(end) => summary.add(end, &mut fault),
            None => return fault.map_or(Ok(summary), Err),
        }
    }
}

impl Summary {
    fn add(&mut self, end: Result<End, AppError>, fault: &mut Option<AppError>) {
        match end {
            Ok(End::Sent) => self.sent += 1,
            Ok(End::Postponed) => self.postponed += 1,
            Ok(End::Held) => self.held += 1,
            Ok(End::Dead) => self.dead += 1,
            Err(error) => *fault = Some(error),
        }
    }
}

async fn one(app: &App, api: &dyn WechatApi, row: OutboxRow) -> Result<End, AppError> {
    let (id, attempts) = (row.id.clone(), row.attempts);
    match wechat_out::plan(app, row).await {
        Ok(Plan::Send(delivery)) => send(app, api, &delivery).await,
        Ok(Plan::Hold(delivery, why)) => {
            wechat_out::hold(app, &delivery, why).await?;
            Ok(End::Held)
        }
        Ok(Plan::Drop) => {
            wechat_out::delivered(app, &id, None).await?;
            Ok(End::Sent)
        }
        Ok(Plan::Never(reason)) => {
            let failure =
                WechatFailure { verdict: Verdict::GiveUp, alarm: false, code: None, reason: reason.to_owned() };
            wechat_out::failed(app, &id, attempts, None, &failure, false).await?;
            Ok(End::Dead)
        }
        Err(error @ AppError::Store(_)) => Err(error),
        Err(error) => {
            tracing::warn!(outbox.id = %id, error = &error as &dyn std::error::Error, "a message cannot be prepared");
            let reason = "附件或内容读不出来".to_owned();
            let failure = WechatFailure { verdict: Verdict::Retry, alarm: false, code: None, reason };
            let again = wechat_out::failed(app, &id, attempts, None, &failure, false).await?;
            Ok(if again { End::Postponed } else { End::Dead })
        }
    }
}

async fn send(app: &App, api: &dyn WechatApi, delivery: &Delivery) -> Result<End, AppError> {
    let account = &delivery.to.account;
    let pieces: Vec<Piece> = match &delivery.content {
        Content::Words(words) => api.cut(words).into_iter().map(Piece::Text).collect(),
        Content::Choices { words, choices, numbered } => {
            // A head that is too long for a menu keeps its numbers.
            if words.len() > MOST_HEAD_BYTES || delivery.row.progress > 0 {
                api.cut(numbered).into_iter().map(Piece::Text).collect()
            } else {
                vec![Piece::Menu { head: words.clone(), choices: choices.clone(), tail: String::new() }]
            }
        }
        Content::File { kind, name, bytes } => match api.upload(account, *kind, name, bytes).await {
            Ok(media) => vec![Piece::Media(*kind, media)],
            Err(failure) => return fail(app, delivery, &failure, true, delivery.row.attempts).await,
        },
        Content::Notice(notice) => return send_notice(app, api, delivery, notice).await,
    };
    let mut left = delivery.limits.left;
    let mut attempts = delivery.row.attempts;
    let done = usize::try_from(delivery.row.progress).unwrap_or(0);
    let pieces = shortened(app, api, delivery, pieces, done).await?;
    for (n, piece) in pieces.iter().enumerate().skip(done) {
        if left == Some(0) {
            wechat_out::hold(app, delivery, Held::Allowance).await?;
            return Ok(End::Held);
        }
        let piece = match piece {
            Piece::Text(words) if left == Some(1) && n + 1 < pieces.len() => {
                Piece::Text(format!("{words}{TO_BE_CONTINUED}"))
            }
            Piece::Text(words) if delivery.again => Piece::TextAgain(words.clone()),
            Piece::Text(_)
            | Piece::TextAgain(_)
            | Piece::Menu { .. }
            | Piece::Media(..)
            | Piece::Template(_)
            | Piece::Subscription(_) => piece.clone(),
        };
        let once = wechat_out::once(&delivery.row, i64::try_from(n).unwrap_or(i64::MAX));
        let mut sent = api.send(&delivery.to, &piece, &once).await;
        if let (Err(failure), Piece::Menu { .. }, Content::Choices { numbered, .. }) =
            (&sent, &piece, &delivery.content)
            && failure.verdict == Verdict::GiveUp
            && failure.code.is_some_and(|code| NO_MENUS.contains(&code))
        {
            // The account has no menus: the same in numbers, from now on at once.
            app.wechat.without_menus(&account.name);
            let words = api.begin(numbered, MOST_BYTES);
            sent = api.send(&delivery.to, &Piece::Text(words), &format!("{once}:text")).await;
        }
        if let Err(failure) = sent {
            if matches!(failure.verdict, Verdict::Hold(Held::Window | Held::Allowance))
                && let Some(notice) = wechat_out::notice_instead(app, delivery).await?
            {
                return send_notice(app, api, delivery, &notice).await;
            }
            return fail(app, delivery, &failure, api.drops_doubles(account, &piece), attempts).await;
        }
        wechat_out::progressed(app, delivery, i64::try_from(n + 1).unwrap_or(i64::MAX), LEASE).await?;
        left = left.map(|left| left - 1);
        attempts = 1;
    }
    wechat_out::delivered(app, &delivery.row.id, Some(delivery)).await?;
    Ok(End::Sent)
}

/// Words that need more pieces than the platform allows end, at the last one, with the address of the whole; without a
/// public address they go on when the user has written.
async fn shortened(
    app: &App,
    api: &dyn WechatApi,
    delivery: &Delivery,
    mut pieces: Vec<Piece>,
    done: usize,
) -> Result<Vec<Piece>, AppError> {
    let Some(room) = delivery.room().and_then(|room| usize::try_from(room).ok()).filter(|room| *room > 0) else {
        return Ok(pieces);
    };
    if pieces.len() <= done + room {
        return Ok(pieces);
    }
    let Some(link) = wechat_out::link(app, delivery).await? else { return Ok(pieces) };
    pieces.truncate(done + room);
    if let Some(Piece::Text(last)) = pieces.last_mut() {
        let tail = format!("\n（未完，全文：{link} ）");
        *last = format!("{}{tail}", api.begin(last, MOST_BYTES.saturating_sub(tail.len())));
    }
    Ok(pieces)
}

/// A notice needs no window and counts against no allowance. One that the platform refuses leaves the words waiting.
async fn send_notice(app: &App, api: &dyn WechatApi, delivery: &Delivery, notice: &Piece) -> Result<End, AppError> {
    let id = &delivery.row.id;
    let failure = match api.notify(&delivery.to, notice, id).await {
        Ok(named) => {
            if let Some(name) = named {
                wechat_out::noticed(app, delivery, &name).await?;
            }
            wechat_out::delivered(app, id, Some(delivery)).await?;
            return Ok(End::Sent);
        }
        Err(failure) => failure,
    };
    if failure.verdict == Verdict::GiveUp {
        tracing::warn!(
            outbox.id = %id, wechat.errcode = failure.code, reason = %failure.reason,
            "a notice was refused; its words wait for the user"
        );
        wechat_out::refused_notice(app, delivery, &failure).await?;
        return Ok(End::Held);
    }
    fail(app, delivery, &failure, api.drops_doubles(&delivery.to.account, notice), delivery.row.attempts).await
}

async fn fail(
    app: &App,
    delivery: &Delivery,
    failure: &WechatFailure,
    drops_doubles: bool,
    attempts: i64,
) -> Result<End, AppError> {
    tracing::warn!(
        outbox.id = %delivery.row.id, wechat.account = %delivery.to.account, wechat.errcode = failure.code,
        outbox.attempts = attempts, reason = %failure.reason, "a message was not delivered to WeChat"
    );
    if let Verdict::Hold(why) = failure.verdict {
        wechat_out::hold(app, delivery, why).await?;
        return Ok(End::Held);
    }
    let again = wechat_out::failed(app, &delivery.row.id, attempts, Some(delivery), failure, drops_doubles).await?;
    Ok(if again { End::Postponed } else { End::Dead })
}
