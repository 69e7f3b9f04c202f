//! What `rules check` has to say about a rule file: a stable code, a place and a Chinese sentence.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Suspicious; does not block.
    Warning,
    /// The rule is left out of the set; publishing is refused.
    Error,
}

impl Level {
    /// The word used in JSON and in GitHub annotations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The Chinese word shown to people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Info => "提示",
            Self::Warning => "警告",
            Self::Error => "错误",
        }
    }
}

/// One finding in one place of one rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code of RULES 2.2, such as `E001`.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// Path as given by the loader.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// The rule it is about, if there is one.
    pub rule: Option<String>,
    /// What is wrong, in Chinese.
    pub message: String,
    /// What to do about it, in Chinese.
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{} {} {} {}", self.file, self.line, self.column, self.level.label(), self.code, self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n    建议：{help}"),
            None => Ok(()),
        }
    }
}
