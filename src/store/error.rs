//! What can go wrong in the store. Causes are for logs; people see a text chosen by code in `web::error`.

/// SQLITE_IOERR_SHMSIZE: no room for the index of the write-ahead log. Nothing of it needs to last, so this is a full
/// disk and no failed sync.
const SHARED_MEMORY_FULL: u32 = 4874;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database answered with an error or could not be reached.
    #[error("database error")]
    Database(#[from] sqlx::Error),
    /// Somebody else changed the row first, or a unique value is taken.
    #[error("the row was changed by somebody else")]
    Conflict,
    /// A stored row cannot be read back into its type.
    #[error("inconsistent row in {table}.{column} of {id}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column that cannot be read.
        column: &'static str,
        /// The key of the row.
        id: String,
    },
    /// The database does not have the settings durability needs.
    #[error("unsafe database settings: {0}")]
    Unsafe(String),
    /// The address of the database cannot be understood.
    #[error("database url: {0}")]
    Url(String),
    /// The database file or its folder cannot be prepared.
    #[error("database file {path}")]
    File {
        /// The path as configured.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A migration failed or does not fit what was applied before.
    #[error("migration {name}: {problem}")]
    Migration {
        /// The file's name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

impl StoreError {
    /// A value that must be unique was there already.
    pub fn is_unique_violation(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.is_unique_violation(),
            Self::Conflict => true,
            Self::Database(_)
            | Self::Inconsistent { .. }
            | Self::Unsafe(_)
            | Self::Url(_)
            | Self::File { .. }
            | Self::Migration { .. } => false,
        }
    }

    /// The same transaction may succeed when it is run again: serialisation failures, deadlocks, lost connections.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Conflict => true,
            Self::Database(sqlx::Error::Database(error)) => {
                matches!(error.code().as_deref(), Some("40001" | "40P01" | "55P03" | "57P01" | "5" | "517"))
            }
            Self::Database(error) => matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut),
            Self::Inconsistent { .. } | Self::Unsafe(_) | Self::Url(_) | Self::File { .. } | Self::Migration { .. } => {
                false
            }
        }
    }

    /// Nothing can be written now, whatever it is: no room (SQLITE_FULL, `disk_full`), a read-only file, a broken disk,
    /// a process that met one.
    pub fn refuses_writes(&self) -> bool {
        if self.is_fatal() {
            return true;
        }
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.code().is_some_and(|code| {
                if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
                    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 8 | 13) || code == SHARED_MEMORY_FULL)
                } else {
                    matches!(code.as_ref(), "53100" | "25006" | "58030")
                }
            }),
            // After a failed sync: the database is not written any more.
            Self::Unsafe(_) => true,
            Self::Database(_)
            | Self::Conflict
            | Self::Inconsistent { .. }
            | Self::Url(_)
            | Self::File { .. }
            | Self::Migration { .. } => false,
        }
    }

    /// The disk or the file is broken (SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_NOTADB): a failed sync must not be retried
    /// in the same process, because its pages count as clean afterwards.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error
                .try_downcast_ref::<sqlx::sqlite::SqliteError>()
                .and_then(|_| error.code())
                .and_then(|code| code.parse::<u32>().ok())
                .is_some_and(|code| matches!(code & 0xff, 10 | 11 | 26) && code != SHARED_MEMORY_FULL),
            Self::Database(_)
            | Self::Conflict
            | Self::Inconsistent { .. }
            | Self::Unsafe(_)
            | Self::Url(_)
            | Self::File { .. }
            | Self::Migration { .. } => false,
        }
    }
}
