//! The exchange: what visitors send becomes durable, decided and answered, many at a time in one commit.
//!
//! One task decides whatever waits (`prepare`), another writes what is decided and commits once for all of it
//! (`write`, group commit); only then does anybody get an answer. Ordinary messages need no reading in the
//! transaction; the others are decided inside it (`turn`). A batch that fails is taken apart, so that one bad message
//! does not take others with it; a message that still cannot be decided is handed to a person.
//!
//! Invariants: an answer is given only after the commit; a repeated `client_id` gets the first answer and stores
//! nothing; `seq` has no gaps; once a person has the conversation, no bot reply is stored (the version of the row that
//! the reply was decided on is compared in the transaction that stores it).

mod effects;
mod office;
mod pipe;
mod prepare;
mod turn;
mod write;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

pub use office::close_queue;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    App, AppError, FieldError, health,
    message::{ConversationInfo, FileInfo, Message},
};
use crate::{
    domain::{
        dialogue::{FiledCase, Input},
        ids::ConversationId,
    },
    ports::wechat::WechatAccount,
    store::StoreError,
};

/// Messages that share one commit at most.
const BATCH: usize = 256;
/// Messages that may wait; beyond it senders are told to come again.
const WAITING: usize = 4_096;
/// Tries of a batch that lost against another gateway.
const TRIES: usize = 8;
/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a visitor sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The conversation.
    pub conversation: ConversationId,
    /// The client's own id; makes a repeat harmless.
    pub client_id: Option<String>,
    /// What it is.
    pub input: Input,
    /// What is shown as the visitor's message; `None`: nothing is shown (a mark on an answer).
    pub shown: Option<Shown>,
    /// The WeChat user who sent it: the replies go back there.
    pub via: Option<Via>,
}

/// A WeChat user, and how the replies reach them.
#[derive(Debug, Clone)]
pub struct Via {
    /// The account.
    pub account: WechatAccount,
    /// openid, UserID or external_userid.
    pub openid: String,
    /// Replies decided by then are carried back by whoever handed the message over. Later ones, or all without it, wait
    /// in the outbox.
    pub carried_until: Option<Instant>,
    /// It was a tap on a menu: the platform lets the account write less after it than after words.
    pub tap: bool,
}

/// The visitor's message as stored.
#[derive(Debug, Clone)]
pub struct Shown {
    /// `text`, `image`, `file` or `event`.
    pub kind: &'static str,
    /// The words.
    pub text: String,
    /// The file.
    pub attachment: Option<FileInfo>,
}

/// What the visitor gets back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The visitor's message as stored.
    pub message: Option<Message>,
    /// The replies to it.
    pub replies: Vec<Message>,
    /// The conversation now.
    pub conversation: ConversationInfo,
    /// Cases filed by it.
    pub filed: Vec<FiledCase>,
    /// Whether this is the first answer again.
    pub repeated: bool,
    /// Whether its replies wait in the outbox for the WeChat user.
    pub waits: bool,
}

/// A message on its way, with whoever waits for the answer.
struct Waiting {
    sent: Sent,
    answer: oneshot::Sender<Result<Answer, AppError>>,
}

/// The way into the exchange.
#[derive(Debug)]
pub struct Exchange {
    sender: mpsc::Sender<Waiting>,
    receiver: std::sync::Mutex<Option<mpsc::Receiver<Waiting>>>,
}

impl Default for Exchange {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self { sender, receiver: std::sync::Mutex::new(Some(receiver)) }
    }
}

impl Exchange {
    /// Hands over a message and waits until it is durable and answered.
    ///
    /// # Errors
    /// `Unavailable` (nothing was acknowledged; a repeat is safe), `NotFound`, `Invalid`, `Conflict`, `TooMany`.
    pub async fn send(&self, sent: Sent) -> Result<Answer, AppError> {
        let (answer, waiting) = oneshot::channel();
        self.sender.try_send(Waiting { sent, answer }).map_err(|_| AppError::Unavailable { code: "store_busy" })?;
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(AppError::Unavailable { code: "message_not_stored" }),
        }
    }
}

/// Runs the exchange until shutdown; call it once. What waits at shutdown is still answered.
pub async fn run(app: App) {
    let receiver = app.exchange.receiver.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    let Some(mut receiver) = receiver else { return };
    let pipe = Arc::new(pipe::Pipe::default());
    let mut tasks = tokio::task::JoinSet::new();
    // Each has a thread of its own: it goes on when the statement before it is done, not when a worker that parses
    // requests or decides messages gets to it.
    let (runtime, dropped) = (tokio::runtime::Handle::current(), CancellationToken::new());
    // A runtime that is dropped waits for them.
    let _guard = dropped.clone().drop_guard();
    tasks.spawn_blocking({
        let (app, pipe, runtime, dropped) = (app.clone(), pipe.clone(), runtime.clone(), dropped.clone());
        move || {
            let _ = runtime.block_on(dropped.run_until_cancelled(write::run(&app, &pipe)));
        }
    });
    tasks.spawn_blocking({
        let app = app.clone();
        move || {
            let _ = runtime.block_on(dropped.run_until_cancelled(prepare::run(&app, &pipe, &mut receiver)));
        }
    });
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            // Nobody would get an answer any more: stop, the supervisor starts a fresh process.
            tracing::error!(%error, "the exchange stopped; the gateway stops");
            app.fatal.cancel();
        }
    }
}

/// Answers everything in the batch; empties it.
async fn answer_batch(app: &App, batch: &mut Vec<Waiting>) {
    let sent: Vec<&Sent> = batch.iter().map(|waiting| &waiting.sent).collect();
    let answers = match decide(app, &sent, false).await {
        Ok(answers) => answers,
        Err(error) if sent.len() == 1 => vec![answer_alone(app, &sent, error).await],
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, messages = sent.len(), "a batch is taken apart");
            let mut answers = Vec::with_capacity(sent.len());
            for one in &sent {
                let alone = std::slice::from_ref(one);
                answers.push(match decide(app, alone, false).await {
                    Ok(mut answers) => answers.pop().unwrap_or(Err(AppError::NotFound)),
                    Err(error) => answer_alone(app, alone, error).await,
                });
            }
            answers
        }
    };
    for (waiting, answer) in batch.drain(..).zip(answers) {
        // Whoever gave up waiting gets the same answer by repeating the client_id.
        let _ = waiting.answer.send(answer);
    }
}

/// A message that failed: if the database works, it is stored without a decision and goes to a person.
async fn answer_alone(app: &App, sent: &[&Sent], error: AppError) -> Result<Answer, AppError> {
    if matches!(error, AppError::Store(_)) {
        return Err(unavailable(app, &error));
    }
    tracing::error!(error = &error as &dyn std::error::Error, "a message could not be decided and goes to a person");
    match decide(app, sent, true).await {
        Ok(mut answers) => answers.pop().unwrap_or(Err(AppError::NotFound)),
        Err(error) => Err(unavailable(app, &error)),
    }
}

fn unavailable(app: &App, error: &AppError) -> AppError {
    tracing::error!(error = error as &dyn std::error::Error, "messages were not stored");
    app.metrics.failed_batches.fetch_add(1, Relaxed);
    if let AppError::Store(store) = error
        && !matches!(store, StoreError::Conflict)
    {
        app.metrics.write_failed.store(true, Relaxed);
        health::refused(app, store);
    }
    AppError::Unavailable { code: "message_not_stored" }
}

/// One transaction for the whole batch, tried again when another gateway was first.
async fn decide(app: &App, sent: &[&Sent], failed: bool) -> Result<Vec<Result<Answer, AppError>>, AppError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let start = Instant::now();
        match Box::pin(turn::run(app, sent, failed)).await {
            Ok(answers) => {
                app.metrics.batches.fetch_add(1, Relaxed);
                app.metrics.messages.fetch_add(sent.len() as u64, Relaxed);
                app.metrics.commit(start.elapsed());
                return Ok(answers);
            }
            Err(AppError::Store(error)) if tries < TRIES && (error.is_transient() || error.is_unique_violation()) => {
                // Two gateways that met must not meet again: each waits for another while.
                let spread = u64::from(app.ids.uuid(app.now()).as_bytes()[15]);
                tokio::time::sleep(Duration::from_millis((2 << tries) * (64 + spread) / 128)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Checks a text before it goes in.
///
/// # Errors
/// `Invalid`, `TooLarge`.
pub fn check_text(app: &App, text: &str) -> Result<(), AppError> {
    const MOST_BYTES: usize = 16 * 1024;
    if text.len() > MOST_BYTES || text.chars().count() > app.config.chat.max_message_chars {
        return Err(AppError::TooLarge { code: "text_too_long" });
    }
    // A zero-width character alone is as empty as a blank.
    let unseen =
        |c: char| c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{00AD}');
    if text.chars().all(unseen) {
        return Err(AppError::field("/text", "请输入内容"));
    }
    if text.contains('\0') {
        return Err(AppError::field("/text", "内容含有不能保存的字符"));
    }
    Ok(())
}

/// Checks a client's own id.
///
/// # Errors
/// `Invalid`.
pub fn check_client_id(id: &str) -> Result<(), AppError> {
    if (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(AppError::invalid("invalid_fields", vec![FieldError::new("/client_id", "用 1 到 64 个可见的 ASCII 字符")]))
    }
}
