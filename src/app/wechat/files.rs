//! Files that WeChat users send: fetched at once by their id, because the platform keeps them for three days only.
//!
//! The message is noted in the database before the fetch begins, so that a restart takes it up again; addresses from
//! outside are never opened, only ids at the platform.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    Decided, NO_FILE, NO_WORDS,
    keep::{self, Kept},
    passive::Leaving,
    people,
};
use crate::{
    app::{
        App, AppError, attachments,
        exchange::{Sent, Shown, Via},
        message::FileInfo,
    },
    domain::dialogue::{Input, InputKind},
    ports::wechat::{MediaKind, Verdict, WechatAccount, WechatMedia},
    store::wechat::{self as store, Received},
};

/// Tries of a fetch that failed in a way that may pass.
const TRIES: u32 = 3;
/// Pause between them.
const PAUSE: Duration = Duration::from_secs(1);
/// What the platform says to an id that stands for nothing, or for nothing any more.
const NO_SUCH_MEDIA: i64 = 40_007;
/// How often a repeat looks whether the first one is done, and how many times.
const LOOK: Duration = Duration::from_millis(150);
const LOOKS: u32 = 100;
const NOT_TAKEN: &str = "这种文件收不了。请发图片、PDF 或 Office 文件，或者用文字说说是什么事。";

/// A file to fetch, as noted in the database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Wanted {
    kind: String,
    account: String,
    from: String,
    media_id: String,
    what: String,
    name: Option<String>,
    client_id: String,
    /// A person of the platform has the session: the file is kept and nothing is said.
    #[serde(default)]
    kept: bool,
    /// Speech whose words were understood and answered: only the recording is wanted.
    #[serde(default)]
    understood: bool,
}

impl Wanted {
    pub(super) fn new(
        account: &WechatAccount,
        from: &str,
        client_id: String,
        kind: MediaKind,
        media_id: &str,
        name: Option<&str>,
    ) -> Self {
        Self {
            kind: account.kind.as_str().to_owned(),
            account: account.name.clone(),
            from: from.to_owned(),
            media_id: media_id.to_owned(),
            what: kind.as_str().to_owned(),
            name: name.map(str::to_owned),
            client_id,
            kept: false,
            understood: false,
        }
    }

    /// The recording of speech that was understood: kept beside the words.
    pub(super) fn beside_its_words(self) -> Self {
        let client_id = format!("{}-v", self.client_id);
        Self { kept: true, understood: true, client_id, ..self }
    }

    /// What stands in the conversation when there is no file.
    fn missing(&self) -> String {
        let what = match self.what.as_str() {
            "image" => "图片",
            "voice" => "语音",
            "video" => "视频",
            _ => "文件",
        };
        format!("（发来{what}，没有取到）")
    }

    /// The same, to be kept only.
    pub(super) fn kept(self) -> Self {
        Self { kept: true, ..self }
    }

    fn account(&self) -> Option<WechatAccount> {
        Some(WechatAccount { kind: self.kind.parse().ok()?, name: self.account.clone() })
    }

    /// What to say when there is no file: speech that nobody understood is asked for in words.
    fn excuse(&self) -> &'static str {
        if self.what == MediaKind::Voice.as_str() { NO_WORDS } else { NO_FILE }
    }
}

/// Notes the message, fetches its file and hands both to the exchange. A repeat while the fetch is under way waits for
/// it and gets its answer. `noted` tells that the message is durable: whatever comes of it, it is not lost.
///
/// # Errors
/// `Store`.
pub(super) async fn take(
    app: &App,
    wanted: Wanted,
    carried_until: Option<Instant>,
    noted: &AtomicBool,
) -> Result<Decided, AppError> {
    let payload = serde_json::to_string(&wanted).map_err(|error| AppError::Internal(error.to_string()))?;
    for _ in 0..LOOKS {
        let mut tx = app.db.write().await?;
        let known = store::receive(&mut tx, &wanted.client_id, &wanted.kind, &wanted.account, app.now()).await?;
        match known {
            Received::New => {
                store::note(&mut tx, &wanted.client_id, &payload).await?;
                tx.commit().await?;
                noted.store(true, Ordering::Release);
                return fetch(app, &wanted, carried_until).await;
            }
            Received::Running => {
                tx.rollback().await?;
                noted.store(true, Ordering::Release);
                tokio::time::sleep(LOOK).await;
            }
            Received::Done(_) => {
                tx.rollback().await?;
                return hand_over(app, &wanted, None, carried_until).await;
            }
        }
    }
    Ok(Decided::Silent)
}

async fn fetch(app: &App, wanted: &Wanted, carried_until: Option<Instant>) -> Result<Decided, AppError> {
    let media = download(app, wanted).await;
    let mut tries = 0;
    let decided = loop {
        match hand_over(app, wanted, media.as_ref(), carried_until).await {
            // The note stands: without another try nothing would come of it before the next start.
            Err(error @ (AppError::Store(_) | AppError::Unavailable { .. })) if tries < TRIES => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a file waits for the store");
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            decided => break decided?,
        }
    };
    let mut tx = app.db.write().await?;
    store::answered(&mut tx, &wanted.client_id, None).await?;
    tx.commit().await?;
    Ok(decided)
}

async fn download(app: &App, wanted: &Wanted) -> Option<WechatMedia> {
    let (api, account) = (app.wechat.api()?, wanted.account()?);
    for attempt in 1..=TRIES {
        match api.download(&account, &wanted.media_id).await {
            Ok(media) => return Some(media),
            Err(failure) => {
                tracing::warn!(account = %account, reason = %failure.reason, attempt, "a file could not be fetched");
                if failure.code == Some(NO_SUCH_MEDIA) || !matches!(failure.verdict, Verdict::Retry | Verdict::Unknown)
                {
                    return None;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}

/// Stores the file and tells the conversation; without a file the message is kept all the same, with the request to say
/// it in words. A message that is there already gives its first answer again.
async fn hand_over(
    app: &App,
    wanted: &Wanted,
    media: Option<&WechatMedia>,
    carried_until: Option<Instant>,
) -> Result<Decided, AppError> {
    let account = wanted.account().ok_or_else(|| AppError::Internal("a noted WeChat account".into()))?;
    // The file hangs on the conversation: it is looked up, not remembered.
    people::unknown(app, &account, &wanted.from);
    let person = people::person(app, &account, &wanted.from).await?;
    let mut excuse = wanted.excuse();
    let attachment = match media {
        None => None,
        Some(media) => {
            let name = wanted.name.clone().or_else(|| media.name.clone()).unwrap_or_else(|| wanted.what.clone());
            let stored = async {
                let mut upload = attachments::Upload::begin(app, person.conversation).await?.with_recordings();
                upload.write(&media.bytes).await?;
                upload.finish(app, person.conversation, &name).await
            };
            match stored.await {
                Ok(file) => Some(file),
                Err(error @ (AppError::Store(_) | AppError::Internal(_) | AppError::Unavailable { .. })) => {
                    return Err(error);
                }
                Err(_) => {
                    if wanted.what != MediaKind::Voice.as_str() {
                        excuse = NOT_TAKEN;
                    }
                    None
                }
            }
        }
    };
    let image = attachment.as_ref().is_some_and(|file| file.mime.starts_with("image/"));
    if wanted.kept {
        if attachment.is_none() && wanted.understood {
            return Ok(Decided::Silent);
        }
        let kept = Kept {
            client_id: wanted.client_id.clone(),
            sender: "visitor",
            kind: kind_of(attachment.as_ref()),
            text: attachment.as_ref().map_or_else(|| wanted.missing(), |file| file.name.clone()),
            attachment,
            author: None,
        };
        keep::keep(app, &person, &kept).await?;
        return Ok(Decided::Silent);
    }
    let (input, text) = match &attachment {
        Some(file) => {
            (InputKind::Attachment { id: file.id.clone(), name: file.name.clone(), image }, file.name.clone())
        }
        None => (InputKind::Unreadable { excuse }, wanted.missing()),
    };
    let sent = Sent {
        conversation: person.conversation,
        client_id: Some(wanted.client_id.clone()),
        input: Input { kind: input },
        shown: Some(Shown { kind: kind_of(attachment.as_ref()), text, attachment }),
        via: Some(Via { account: account.clone(), openid: wanted.from.clone(), carried_until, tap: false }),
    };
    let answer = app.exchange.send(sent).await?;
    Ok(Decided::Answered(Leaving::of(app, account.kind, person.conversation, answer)))
}

fn kind_of(file: Option<&FileInfo>) -> &'static str {
    match file {
        None => "text",
        Some(file) if file.mime.starts_with("image/") => "image",
        Some(_) => "file",
    }
}

/// Takes up what a process before this one had begun to fetch; the answers leave through the outbox.
///
/// # Errors
/// `Store`.
pub async fn take_up(app: &App) -> Result<usize, AppError> {
    let noted = {
        let mut tx = app.db.read().await?;
        store::unfinished(&mut tx).await?
    };
    let mut done = 0;
    for payload in noted {
        let Ok(wanted) = serde_json::from_str::<Wanted>(&payload) else { continue };
        match fetch(app, &wanted, None).await {
            Ok(Decided::Answered(leaving)) => {
                if let Err(error) = leaving.let_go().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "late answers wait in the outbox");
                }
                done += 1;
            }
            Ok(Decided::Refused(_) | Decided::Silent) => {}
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "a file waits for the next start"),
        }
    }
    Ok(done)
}
