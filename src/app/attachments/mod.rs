//! Files from visitors: type by content, size bounded, names made safe, durable before they are acknowledged.
//!
//! The bytes lie in a file whose name the server made, below `data_dir/attachments`; nothing is ever unpacked.

mod name;
mod sniff;

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
pub use name::{content_disposition, safe_name};
use sha2::{Digest as _, Sha256};
pub use sniff::{FileKind, sniff};
use tokio::{fs, io::AsyncWriteExt as _};

use super::{App, AppError, Officer, case_queries, conversations, message::FileInfo};
use crate::{
    domain::ids::{AttachmentId, ConversationId},
    store::attachments::{self, AttachmentRow},
};

/// Bytes of all files of one conversation within a day.
const MOST_PER_DAY: i64 = 200 * 1024 * 1024;

/// A file on its way in: bytes are written as they come, nothing is held in memory.
#[derive(Debug)]
pub struct Upload {
    id: AttachmentId,
    path: PathBuf,
    file: fs::File,
    hasher: Sha256,
    size: usize,
    most: usize,
    kept: bool,
    recordings: bool,
}

impl Upload {
    /// Begins a file of a conversation.
    ///
    /// # Errors
    /// `TooLarge` (the day's share is used up), `Store`, `Internal`.
    pub async fn begin(app: &App, conversation: ConversationId) -> Result<Self, AppError> {
        let now = app.now();
        let since = now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(now);
        let used = {
            let mut tx = app.db.read().await?;
            attachments::bytes_since(&mut tx, conversation, since).await?
        };
        if used > MOST_PER_DAY {
            return Err(AppError::TooLarge { code: "file_too_large" });
        }
        let id = AttachmentId::from_uuid(app.ids.uuid(now));
        let folder = folder(app);
        fs::create_dir_all(&folder).await.map_err(|error| io("folder", &error))?;
        let path = folder.join(format!("{id}.part"));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(&path).await.map_err(|error| io("file", &error))?;
        let most = app.config.chat.max_upload_bytes;
        Ok(Self { id, path, file, hasher: Sha256::new(), size: 0, most, kept: false, recordings: false })
    }

    /// The same, which may be speech or a video: from WeChat, and from officers.
    #[must_use]
    pub fn with_recordings(mut self) -> Self {
        self.recordings = true;
        self
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// `TooLarge`, `Internal`.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), AppError> {
        self.size += bytes.len();
        if self.size > self.most {
            return Err(AppError::TooLarge { code: "file_too_large" });
        }
        self.hasher.update(bytes);
        self.file.write_all(bytes).await.map_err(|error| io("write", &error))
    }

    /// Checks the content, makes the file and its row durable.
    ///
    /// # Errors
    /// `Unsupported` (type), `Invalid` (empty or broken), `Store`, `Internal`.
    pub async fn finish(mut self, app: &App, conversation: ConversationId, name: &str) -> Result<FileInfo, AppError> {
        if self.size == 0 {
            return Err(AppError::invalid("file_missing", Vec::new()));
        }
        // Only a flush tells whether the last bytes were written; a sync alone would be fine with a cut-off file.
        self.file.flush().await.map_err(|error| io("write", &error))?;
        self.file.sync_all().await.map_err(|error| io("sync", &error))?;
        let path = self.path.clone();
        let kind = tokio::task::spawn_blocking(move || sniff(&path))
            .await
            .map_err(|error| AppError::Internal(format!("sniff: {error}")))??;
        if kind.is_recording() && !self.recordings {
            return Err(AppError::Unsupported { code: "file_type" });
        }
        let stored = format!("{}.bin", self.id);
        fs::rename(&self.path, folder(app).join(&stored)).await.map_err(|error| io("rename", &error))?;
        self.kept = true;
        let folder = fs::File::open(folder(app)).await.map_err(|error| io("folder", &error))?;
        folder.sync_all().await.map_err(|error| io("sync", &error))?;
        let row = AttachmentRow {
            id: self.id.to_string(),
            conversation_id: conversation.to_string(),
            name: safe_name(name, kind),
            mime: kind.mime().to_owned(),
            size: i64::try_from(self.size).unwrap_or(i64::MAX),
            sha256: hex::encode(std::mem::take(&mut self.hasher).finalize()),
            file: stored,
            created_at: app.now().as_millisecond(),
        };
        let mut tx = app.db.write().await?;
        attachments::insert(&mut tx, &row).await?;
        tx.commit().await?;
        Ok(FileInfo { id: row.id, name: row.name, size: row.size, mime: row.mime })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.kept {
            // A refused or broken-off upload leaves nothing; a file that is gone already is as good.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A stored file, ready to be sent.
#[derive(Debug)]
pub struct Download {
    /// Its name.
    pub name: String,
    /// Its type.
    pub mime: String,
    /// Its size.
    pub size: i64,
    /// The open file.
    pub file: fs::File,
}

/// Opens a file of the visitor's own conversation.
///
/// # Errors
/// `NotFound`, `Store`, `Internal` (the row is there and the file is not).
pub async fn open(app: &App, conversation: ConversationId, id: AttachmentId) -> Result<Download, AppError> {
    let row = {
        let mut tx = app.db.read().await?;
        attachments::find(&mut tx, conversation, id).await?.ok_or(AppError::NotFound)?
    };
    serve(app, row).await
}

/// Opens a file for an officer who may see its conversation or a case that came out of it.
///
/// # Errors
/// `NotFound` (also when it may not be seen), `Store`, `Internal` (the row is there and the file is not).
pub async fn open_for_officer(app: &App, officer: &Officer, id: AttachmentId) -> Result<Download, AppError> {
    let row = {
        let mut tx = app.db.read().await?;
        let row = attachments::find_any(&mut tx, id).await?.ok_or(AppError::NotFound)?;
        let conversation: ConversationId = row.conversation_id.parse().map_err(|_| AppError::NotFound)?;
        let seen = conversations::may_see(&mut tx, officer, conversation).await?
            || case_queries::sees_case_of(&mut tx, app, officer, conversation).await?;
        if !seen {
            return Err(AppError::NotFound);
        }
        row
    };
    serve(app, row).await
}

/// The files beside a case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaseFiles {
    /// Files of the conversation that the case came out of, oldest first, each with the instant it came.
    pub files: Vec<(FileInfo, Timestamp)>,
    /// There are files that this officer may not open.
    pub withheld: bool,
}

/// The files beside a case: listed for whoever may open them, by the rule of [`open_for_officer`].
///
/// # Errors
/// `Store`.
pub async fn of_case(
    app: &App,
    officer: &Officer,
    conversation: Option<ConversationId>,
) -> Result<CaseFiles, AppError> {
    let Some(conversation) = conversation else { return Ok(CaseFiles::default()) };
    let mut tx = app.db.read().await?;
    let rows = attachments::of_conversation(&mut tx, conversation).await?;
    if rows.is_empty() {
        return Ok(CaseFiles::default());
    }
    let seen = conversations::may_see(&mut tx, officer, conversation).await?
        || case_queries::sees_case_of(&mut tx, app, officer, conversation).await?;
    if !seen {
        return Ok(CaseFiles { files: Vec::new(), withheld: true });
    }
    let files = rows
        .into_iter()
        .map(|row| {
            let at = Timestamp::from_millisecond(row.created_at).unwrap_or(Timestamp::UNIX_EPOCH);
            (FileInfo { id: row.id, name: row.name, size: row.size, mime: row.mime }, at)
        })
        .collect();
    Ok(CaseFiles { files, withheld: false })
}

async fn serve(app: &App, row: AttachmentRow) -> Result<Download, AppError> {
    let file = fs::File::open(folder(app).join(&row.file)).await.map_err(|error| io("open", &error))?;
    Ok(Download { name: row.name, mime: row.mime, size: row.size, file })
}

/// Names of files not changed since before this moment.
///
/// # Errors
/// `Internal` when the folder cannot be read; a missing one has no files.
pub(super) async fn names_before(app: &App, before: Timestamp) -> Result<Vec<String>, AppError> {
    let mut names = Vec::new();
    let mut entries = match fs::read_dir(folder(app)).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(names),
        Err(error) => return Err(io("folder", &error)),
    };
    while let Some(entry) = entries.next_entry().await.map_err(|error| io("folder", &error))? {
        let Ok(changed) = entry.metadata().await.and_then(|data| data.modified()) else { continue };
        if Timestamp::try_from(changed).is_ok_and(|at| at < before)
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// Takes back a file that came a second time under the same `client_id`: the first one stays, with its id.
///
/// # Errors
/// `Store`, `Internal`.
pub async fn discard(app: &App, conversation: ConversationId, id: &str) -> Result<(), AppError> {
    let id: AttachmentId = id.parse().map_err(|_| AppError::NotFound)?;
    let mut tx = app.db.write().await?;
    attachments::delete(&mut tx, conversation, id).await?;
    tx.commit().await?;
    remove(app, &format!("{id}.bin")).await
}

/// Removes a file whose row is gone; one that is gone already is as good.
///
/// # Errors
/// `Internal`.
pub(super) async fn remove(app: &App, name: &str) -> Result<(), AppError> {
    match fs::remove_file(folder(app).join(name)).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("remove", &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn folder(app: &App) -> PathBuf {
    PathBuf::from(&app.config.server.data_dir).join("attachments")
}

fn io(what: &str, error: &std::io::Error) -> AppError {
    /// What a broken disk answers.
    const EIO: i32 = 5;
    use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    if matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem) || error.raw_os_error() == Some(EIO) {
        tracing::error!(%error, what, "an attachment was not stored");
        return AppError::Unavailable { code: "unavailable" };
    }
    AppError::Internal(format!("attachment {what}: {error}"))
}
