//! What the rules say about one message.

use std::{ops::Range, sync::Arc};

use jiff::civil::Date;

use super::model::{AnswerMode, Citation, Form};
use crate::domain::kinds::{CaseType, Channel, Command, Diversion, Urgency};

/// A message to be decided.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The message as it was written.
    pub text: &'a str,
    /// The way it came in.
    pub channel: Channel,
    /// Administrative code of the enterprise's region, six digits.
    pub area: Option<&'a str>,
    /// Today in the configured zone.
    pub today: Date,
}

/// What the rules say about one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The matters in it, the most important first; empty for pure commands, small talk and abuse.
    pub matters: Vec<Matter>,
    /// An order to the bot, if the message is one.
    pub command: Option<Command>,
    /// A diversion (D1–D9, small talk, unclear, abuse).
    pub diversion: Option<Diversion>,
    /// Whether any part is sensitive.
    pub sensitive: bool,
    /// The text that goes with the command, diversion or small talk.
    pub reply: Option<AnswerHit>,
    /// Whether it may break into an active form.
    pub interrupts_form: bool,
    /// Rules that fired on the message as a whole (commands, diversions, small talk).
    pub rules: Vec<String>,
    /// Rules on trial (`shadow`) that fired; they are logged and change nothing.
    pub shadow: Vec<String>,
    /// Content hash of the rule set that decided.
    pub rule_set_hash: Arc<str>,
}

/// One matter of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Matter {
    /// The enterprise's own words.
    pub text: String,
    /// Where they stand in the message, in bytes.
    pub span: Range<usize>,
    /// The case type with the highest score.
    pub case_type: CaseType,
    /// Runner-up types with their scores, best first.
    pub types: Vec<TypeScore>,
    /// The topic with the highest score.
    pub topic: Option<String>,
    /// Whether rules named a topic; otherwise the matter is at most like one.
    pub named: bool,
    /// The best three topics with their evidence.
    pub topics: Vec<TopicScore>,
    /// The highest urgency that a rule raised.
    pub urgency: Urgency,
    /// How sure the rules are, 0 to 1.
    pub confidence: f32,
    /// Ids of the rules that fired on it.
    pub rules: Vec<String>,
    /// The answer that won, if one did.
    pub answer: Option<AnswerHit>,
    /// Rules that come into question when none won: id and title.
    pub clarify: Vec<(String, String)>,
    /// The rule that would have answered had it not run out.
    pub expired: Option<String>,
    /// Whether the identity of the sender must be sealed.
    pub sensitive: bool,
    /// Organs that are complained of, as named in the text; none of them may handle the matter.
    pub objects: Vec<String>,
}

/// A topic that came into question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicScore {
    /// Topic code.
    pub topic: String,
    /// Sum of what the fired rules added.
    pub score: u32,
    /// The words that spoke for it.
    pub evidence: Vec<String>,
}

/// A case type that came into question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeScore {
    /// The type.
    pub case_type: CaseType,
    /// Sum of what the fired rules added.
    pub score: u32,
    /// The words that spoke for it.
    pub evidence: Vec<String>,
}

/// An answer from a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerHit {
    /// The rule that answers.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// The rendered text.
    pub text: String,
    /// The same in plain words.
    pub plain: Option<String>,
    /// Its sources.
    pub citations: Arc<[Citation]>,
    /// Replies offered as buttons.
    pub quick_replies: Vec<String>,
    /// Questions that follow.
    pub form: Option<Arc<Form>>,
    /// Unit that the rule sends the matter to when a person is needed.
    pub department: Option<String>,
    /// 待人工复核: the officer sees it.
    pub awaiting_recheck: bool,
    /// Day on which a person checked it against its source.
    pub verified_on: Option<Date>,
    /// How the answer may be used.
    pub mode: AnswerMode,
}
