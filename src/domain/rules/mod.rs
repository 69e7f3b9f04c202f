//! Rule files: from the administrators' TOML to decisions about messages.
//!
//! `file.rs` holds the TOML shapes, `compile.rs` turns them into a checked [`RuleSet`], `engine.rs` finds the
//! rules that fire on a stretch of text, `decide.rs` turns fired rules into a [`Decision`]. Nothing here reads a
//! file or a clock: the loader hands over texts and today's date. Evaluation returns hits and changes nothing,
//! so a rule can never trigger itself.

mod compile;
mod decide;
mod decision;
mod diagnostic;
mod dictionary;
mod engine;
mod examples;
mod explain;
mod figures;
mod file;
mod likeness;
mod lint;
mod matcher;
mod model;
mod pairs;
pub(in crate::domain) mod promises;
mod regions;
mod set;
pub(in crate::domain) mod source;
mod split;
mod words;

pub use compile::{CompileEnv, Compiled, SourceFile, TopicInfo, compile, is_rule_file};
pub use decision::{AnswerHit, Decision, Input, Matter, TopicScore, TypeScore};
pub use diagnostic::{Diagnostic, Level};
pub use dictionary::{Dictionary, Wanted};
pub use examples::{ExampleEnv, ExampleFailure, ExampleReport};
pub use explain::{ConditionTrace, Explanation, Record, RuleTrace};
pub use model::{
    Answer, AnswerMode, Ask, Citation, ExpectedExample, Form, OnExpired, OnFail, Route, Rule, RuleKind, RuleTests,
    Scope, SourceCheck, Status, When,
};
pub use set::RuleSet;
