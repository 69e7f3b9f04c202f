//! Rule answers found by words, to be sent with a click.

use crate::{
    app::{App, content::Content},
    domain::{
        dialogue::{Knowledge as _, Shipped, cited},
        kinds::Channel,
        retrieval::Filter,
        rules::{AnswerMode, Rule, RuleKind},
        text,
    },
};

/// An answer of the rules, to be sent with a click.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canned {
    /// The rule.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
    /// Its sources, one line each.
    pub citations: Vec<String>,
    /// Waits for human re-check.
    pub awaiting_recheck: bool,
    /// Meant for officers only: to be read, and rewritten before it is sent.
    pub draft: bool,
}

/// Answers that know less of the words than this are not listed.
const COVERAGE: f32 = 0.25;

/// Rule answers that fit some words, the best first; without words the first ones.
pub fn canned(app: &App, words: &str, limit: usize) -> Vec<Canned> {
    let content = app.content.load();
    canned_from(&content, app, words, limit.clamp(1, 50))
}

pub(in crate::app) fn canned_from(content: &Content, app: &App, words: &str, limit: usize) -> Vec<Canned> {
    let now = app.now();
    let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, now);
    let region = app.config.region.code.as_str();
    let filter = Filter { today: knowledge.today, region: Some(region), channel: Some(Channel::Web), drafts: true };
    let plain = text::normalised(words);
    let letters = plain.chars().filter(|c| c.is_alphanumeric()).count();
    if letters >= 2 {
        return content
            .index
            .search(words, &filter, limit)
            .into_iter()
            .filter(|hit| hit.coverage >= COVERAGE)
            .filter_map(|hit| one(&knowledge, content.rules.rule(&hit.rule_id)?, region))
            .collect();
    }
    // While somebody types: everything, or the titles with the one character.
    content
        .rules
        .rules()
        .iter()
        .filter(|rule| rule.kind == RuleKind::Answer && text::normalised(&rule.title).contains(&plain))
        .filter_map(|rule| one(&knowledge, rule, region))
        .take(limit)
        .collect()
}

/// The answer of a rule, if it may be given now or is meant for officers.
fn one(knowledge: &Shipped<'_>, rule: &Rule, region: &str) -> Option<Canned> {
    let answer = rule.answer.as_ref()?;
    let draft = answer.mode == AnswerMode::Draft;
    let citations = if draft {
        rule.citations.iter().map(|c| cited(c, rule.verified_on)).collect()
    } else {
        knowledge.answer(&rule.id, Channel::Web, Some(region), knowledge.today)?.citations
    };
    Some(Canned {
        rule_id: rule.id.clone(),
        title: rule.title.clone(),
        text: answer.text.trim().to_owned(),
        citations: citations.iter().map(|c| format!("{} {}", c.title, c.reference).trim_end().to_owned()).collect(),
        awaiting_recheck: rule.awaiting_recheck,
        draft,
    })
}
