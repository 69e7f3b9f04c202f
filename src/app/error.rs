//! The one error of the use cases. Codes are looked up in Chinese by `web::error`; `Display` is for logs.

pub use crate::store::StoreError;

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer to the field, e.g. `/contact_phone`.
    pub pointer: String,
    /// What is wrong, in Chinese.
    pub message: String,
}

impl FieldError {
    /// A field error.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// Why a use case did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is no such thing, or the caller may not know of it.
    #[error("not found")]
    NotFound,
    /// Nobody is logged in, or the credentials are wrong.
    #[error("not authenticated: {code}")]
    Unauthenticated {
        /// Code of the message.
        code: &'static str,
    },
    /// The role does not allow it.
    #[error("forbidden: {code}")]
    Forbidden {
        /// Code of the message.
        code: &'static str,
        /// A sentence in Chinese, if the code's own does not say enough.
        detail: Option<String>,
        /// What would be allowed.
        allowed: Vec<String>,
    },
    /// The state does not allow it, or somebody else was first.
    #[error("conflict: {code}")]
    Conflict {
        /// Code of the message.
        code: &'static str,
        /// A sentence in Chinese, if the code's own does not say enough.
        detail: Option<String>,
        /// What would be allowed.
        allowed: Vec<String>,
    },
    /// The request is understood and wrong.
    #[error("invalid request: {code}")]
    Invalid {
        /// Code of the message.
        code: &'static str,
        /// A sentence in Chinese, if the code's own does not say enough.
        detail: Option<String>,
        /// Wrong fields.
        errors: Vec<FieldError>,
    },
    /// Too large to be taken.
    #[error("too large: {code}")]
    TooLarge {
        /// Code of the message.
        code: &'static str,
    },
    /// A type of content that is not taken.
    #[error("unsupported type of content: {code}")]
    Unsupported {
        /// Code of the message.
        code: &'static str,
    },
    /// Too often.
    #[error("too many requests: {code}")]
    TooMany {
        /// Code of the message.
        code: &'static str,
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// The gateway cannot take it now; nothing is acknowledged, a retry is safe.
    #[error("unavailable: {code}")]
    Unavailable {
        /// Code of the message.
        code: &'static str,
    },
    /// The store failed.
    #[error("store")]
    Store(#[from] StoreError),
    /// Something that cannot happen did.
    #[error("internal: {0}")]
    Internal(String),
}

impl AppError {
    /// A refusal because of the role.
    pub const fn forbidden(code: &'static str) -> Self {
        Self::Forbidden { code, detail: None, allowed: Vec::new() }
    }

    /// A refusal because of the state.
    pub const fn conflict(code: &'static str) -> Self {
        Self::Conflict { code, detail: None, allowed: Vec::new() }
    }

    /// A refusal because of wrong values.
    pub const fn invalid(code: &'static str, errors: Vec<FieldError>) -> Self {
        Self::Invalid { code, detail: None, errors }
    }

    /// One wrong field.
    pub fn field(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid("invalid_fields", vec![FieldError::new(pointer, message)])
    }
}
