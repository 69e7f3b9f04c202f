//! What the dialogue asks of rules, taxonomy, routing and office hours.
//!
//! A trait, so that the ladder can be tested with a handful of scripted readings and does not depend on
//! how rules are stored or matched.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date};

use super::{
    draft::{RouteProposal, TopicScore},
    form::FormMatter,
    message::Citation,
};
use crate::domain::{
    kinds::{CaseType, Channel, Command, Diversion, Urgency},
    rules::Form,
};

/// The knowledge of the gateway as the dialogue sees it.
pub trait Knowledge: Send + Sync {
    /// Reads one message.
    fn read(&self, text: &str, channel: Channel, area: Option<&str>, today: Date) -> Reading;

    /// The answer of one rule by its id, if it may answer now; used when a title was chosen.
    fn answer(&self, rule_id: &str, channel: Channel, area: Option<&str>, today: Date) -> Option<AnswerText>;

    /// Answers that are near to words which no rule answers, the nearest first; to be offered by their titles, never
    /// given. Nothing when nothing is near.
    fn suggest(&self, text: &str, channel: Channel, area: Option<&str>, today: Date) -> Vec<Suggestion>;

    /// Answers from which a model may write one to words that no rule answers, the nearest first. Nothing when no model
    /// can be asked now, or when nothing is near enough.
    fn sources(&self, text: &str, channel: Channel, area: Option<&str>, today: Date) -> Vec<Suggestion> {
        let _ = (text, channel, area, today);
        Vec::new()
    }

    /// Whether a model may propose type and topic where the rules are silent.
    fn may_classify(&self) -> bool {
        false
    }

    /// Where a matter would go.
    fn route(
        &self,
        case_type: CaseType,
        topic: Option<&str>,
        text: &str,
        region: Option<&str>,
        objects: &[String],
        urgency: Urgency,
    ) -> RouteProposal;

    /// Where the rule that answered sends the matter (`[rule.route]`), put over the proposal of the table; the proposal
    /// itself when the rule says nothing or its unit must stand back.
    fn sent_by_rule(&self, rule_id: &str, matter: &FormMatter, proposal: RouteProposal) -> RouteProposal {
        let _ = (rule_id, matter);
        proposal
    }

    /// A topic by its code.
    fn topic(&self, code: &str) -> Option<TopicInfo>;

    /// Whether people work at this moment.
    fn is_open(&self, now: Timestamp) -> bool;

    /// Whether nobody works any more on the day of this moment: a lunch break is not the close of business.
    fn is_over_for_today(&self, now: Timestamp) -> bool;

    /// When people work next, if the calendar knows.
    fn next_open(&self, now: Timestamp) -> Option<Timestamp>;

    /// When a promise made now is due: the end of the next working day.
    fn promise_due(&self, now: Timestamp) -> Timestamp;

    /// When what the words promise is due: when they say so, else as [`Knowledge::promise_due`].
    fn promise_due_of(&self, words: &str, now: Timestamp) -> Timestamp {
        let _ = words;
        self.promise_due(now)
    }

    /// An instant in words for people: `11月26日 周四 08:30`.
    fn in_words(&self, at: Timestamp) -> String;

    /// Hash of the rule set.
    fn rule_set_hash(&self) -> &str;

    /// The name of a region by its administrative code.
    fn region_name(&self, code: &str) -> Option<String>;

    /// Regions a visitor can choose from: code and name.
    fn regions(&self) -> Vec<(String, String)>;

    /// The words without the names of regions.
    fn without_places(&self, words: &str) -> String {
        let mut rest = words.to_owned();
        for (_, name) in self.regions() {
            rest = rest.replace(&name, "").replace(name.trim_end_matches(['省', '市', '县', '区']), "");
        }
        rest
    }

    /// The served region that the words name: code and name.
    fn place(&self, words: &str) -> Option<(String, String)> {
        let short = |name: &str| name.trim_end_matches(['省', '市', '县', '区']).to_owned();
        self.regions()
            .into_iter()
            .filter(|(code, name)| words == *code || words.contains(&short(name)))
            .max_by_key(|(_, name)| name.chars().count())
    }
}

/// An answer that may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The rule.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// Its topic.
    pub topic: Option<String>,
}

/// A topic as shown and asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Name shown to people.
    pub label: String,
    /// What must be asked for, in words.
    pub slots: Vec<String>,
    /// The type that its matters usually have, where one is usual: 拖欠账款.
    pub usual_type: Option<CaseType>,
    /// What is told before such a matter is filed.
    pub guidance: Option<String>,
}

/// What a message was read as.
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "marks of a message that are independent of each other")]
pub struct Reading {
    /// The matters, the most important first.
    pub matters: Vec<ReadingMatter>,
    /// A command.
    pub command: Option<Command>,
    /// A diversion.
    pub diversion: Option<Diversion>,
    /// Answer of the diversion, command or small talk rule.
    pub reply: Option<AnswerText>,
    /// A threat (闹访、自杀、堵路 …).
    pub threat: bool,
    /// State secrets: the text must not be kept.
    pub secret: bool,
    /// A hit that may interrupt a form.
    pub interrupts_form: bool,
    /// The whole message is sensitive.
    pub sensitive: bool,
    /// Matched spans: rule, start, end.
    pub spans: Vec<(String, usize, usize)>,
    /// Rules that come into question beside the answer.
    pub near: Vec<String>,
    /// Rules that nearly fired, each with what it lacked.
    pub missed: Vec<(String, String)>,
    /// Rules on trial that fired.
    pub shadow: Vec<String>,
}

/// One matter of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingMatter {
    /// The words that tell it, original.
    pub text: String,
    /// Type.
    pub case_type: CaseType,
    /// Topic code.
    pub topic: Option<String>,
    /// Whether rules named a topic; otherwise the matter is at most like one.
    pub named: bool,
    /// Best topics.
    pub topics: Vec<TopicScore>,
    /// Urgency.
    pub urgency: Urgency,
    /// Confidence, 0 to 1.
    pub confidence: f32,
    /// Rules that fired.
    pub rules: Vec<String>,
    /// The answer.
    pub answer: Option<AnswerText>,
    /// Titles to choose from: rule id and title.
    pub clarify: Vec<(String, String)>,
    /// A rule that would answer but has expired.
    pub expired: Option<String>,
    /// A rule that would answer once the region is known.
    pub needs_region: bool,
    /// Seals the identity.
    pub sensitive: bool,
    /// Organs named as the object.
    pub objects: Vec<String>,
    /// What the rules leave open about it.
    pub undecided: Undecided,
}

/// What the rules leave open about a matter: they are silent, or two come out the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Undecided {
    /// Its type.
    pub case_type: bool,
    /// Its topic.
    pub topic: bool,
}

impl Undecided {
    /// Whether anything is open.
    pub const fn any(self) -> bool {
        self.case_type || self.topic
    }
}

/// A rendered rule answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerText {
    /// The rule.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: String,
    /// The text.
    pub text: String,
    /// Sources.
    pub citations: Vec<Citation>,
    /// Buttons.
    pub quick_replies: Vec<String>,
    /// Waits for human re-check.
    pub awaiting_recheck: bool,
    /// Region it is limited to, in words.
    pub region: Option<String>,
    /// Topic.
    pub topic: Option<String>,
    /// The rule's own questions, if it has any.
    pub form: Option<Arc<Form>>,
    /// It is given although a form is open.
    pub interrupts_form: bool,
}
