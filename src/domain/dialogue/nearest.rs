//! “您是不是想问”: titles of answers that are near when no rule answers. Titles only, at most three, always with
//! the way to a person; what somebody has to act on is never held up by it.

use std::fmt::Write as _;

use super::{
    Awaiting, HandoffReason, ReadingMatter, Reply, Suggestion,
    ladder::{MAX_CLARIFICATIONS, Turn, is_unknown},
    words,
};
use crate::domain::kinds::{CaseType, Urgency};

/// The button that leaves the titles for a person.
const NONE_OF_THEM: &str = "都不是，转人工";

/// Longer messages tell a story and are not asked back about.
const QUESTION_CHARS: usize = 60;

impl Turn<'_> {
    /// Offers titles that are near; `false` when there are none or somebody has to act on what was said.
    pub(super) fn offer_nearest(&mut self, matters: &[ReadingMatter], words: &str, hint: Option<CaseType>) -> bool {
        let asks = hint.is_none_or(|kind| kind == CaseType::Consultation)
            && matters.len() <= 1
            && matters.iter().all(|m| is_question(m, hint))
            && words.chars().filter(|c| c.is_alphanumeric()).count() <= QUESTION_CHARS;
        if !asks || self.state.clarify_rounds >= MAX_CLARIFICATIONS {
            return false;
        }
        let region = self.region();
        let topic = matters.first().and_then(|m| m.topic.as_deref());
        let options: Vec<(String, String)> = self
            .env
            .knowledge
            .suggest(words, self.env.channel, region.as_deref(), self.env.today)
            .into_iter()
            .filter(|suggestion| is_about(suggestion, topic))
            .map(|suggestion| (suggestion.rule_id, suggestion.title))
            .collect();
        if options.is_empty() {
            return false;
        }
        self.step("clarify");
        self.remember_matter(words);
        self.state.clarify_rounds += 1;
        let mut text = "您是不是想问：".to_owned();
        for (index, (_, title)) in options.iter().enumerate() {
            let _ = write!(text, "\n{}. {title}", index + 1);
        }
        self.record.near = options.iter().map(|o| o.0.clone()).collect();
        let mut reply = Reply::say(text).with_buttons(options.iter().map(|o| o.1.clone())).with_buttons([NONE_OF_THEM]);
        if topic.is_some() {
            reply = reply.with_buttons(["帮我登记"]);
        }
        self.state.awaiting = Awaiting::Choice { options, question: words.to_owned() };
        self.say(reply);
        true
    }

    /// None of the titles was meant: a person, and a question for whoever keeps the rules.
    pub(super) fn none_of_them(&mut self, words: &str) -> bool {
        let Awaiting::Choice { question, .. } = &self.state.awaiting else { return false };
        if words::bare(words) != words::bare(NONE_OF_THEM) {
            return false;
        }
        let question = question.clone();
        self.state.awaiting = Awaiting::Nothing;
        self.unanswered(&question);
        self.human(HandoffReason::Unclear);
        true
    }
}

/// Whether the matter only asks something.
fn is_question(matter: &ReadingMatter, hint: Option<CaseType>) -> bool {
    let asks = matter.case_type == CaseType::Consultation || (hint.is_none() && is_unknown(matter));
    asks && !matter.sensitive && matter.urgency == Urgency::Normal
}

/// A suggestion about another topic than the one that was recognised is no help.
fn is_about(suggestion: &Suggestion, topic: Option<&str>) -> bool {
    match (suggestion.topic.as_deref(), topic) {
        (Some(own), Some(topic)) => own == topic,
        (None, _) | (_, None) => true,
    }
}
