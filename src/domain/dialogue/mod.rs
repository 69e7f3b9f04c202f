//! The dialogue: from what an enterprise says to a sourced answer, a case draft or a person.
//!
//! [`turn`] is one pure step of the answer ladder: normalise → safety → active form → rules →
//! clarification (at most two rounds, titles only, always a way to a person) → case or person. It takes
//! what is known ([`TurnEnv`]), the state of the conversation and one [`Input`], and returns the next
//! state, what to say and what to do. It performs nothing: effects are carried out by the application
//! inside the transaction that stores the messages.
//!
//! Invariants: nothing is filed without an explicit 提交; at most [`form::MAX_QUESTIONS`] questions are
//! asked for one form; once a person owns the conversation the bot says nothing; a commitment in a reply
//! always comes with a [`Effect::Promise`].

pub mod draft;
pub mod extract;
pub mod form;
pub mod knowledge;
pub mod message;
mod number;
pub mod state;

pub use draft::{
    Amount, AnsweredBefore, CaseDraft, Contact, Evidence, FieldChange, FiledCase, KnownCase,
    ProgressView, RouteProposal, TopicScore,
};
pub use form::{CaseForm, FieldKey, FieldSource, FieldValue, FormMatter};
pub use knowledge::{AnswerText, Knowledge, Reading, ReadingMatter, TopicInfo};
pub use message::{
    Card, Citation, ConversationState, DecisionRecord, Effect, FormCard, FormCardField,
    FormCardMatter, HandoffReason, Input, InputKind, MatterEdit, MessageKind, QuickReply, Reply,
    Sender, TurnEnv, TurnOutcome,
};
pub use state::{Awaiting, DialogueState, Facts, LastAnswer};

/// What a turn wants loaded before it runs; most turns want nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Load the open cases filed in this conversation or by this enterprise or contact.
    pub open_cases: Option<OpenCasesOf>,
    /// Load what this number and code open.
    pub progress: Vec<ProgressQuery>,
}

/// Whose open cases are wanted, besides those of the conversation itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenCasesOf {
    /// Enterprise name.
    pub enterprise: Option<String>,
    /// 统一社会信用代码.
    pub uscc: Option<String>,
    /// Contact phone.
    pub phone: Option<String>,
}

/// One progress query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgressQuery {
    /// A number with its code.
    Number {
        /// Case number.
        number: String,
        /// Query code.
        code: String,
    },
    /// The cases filed in this conversation.
    Conversation {
        /// Their numbers.
        numbers: Vec<String>,
    },
}
