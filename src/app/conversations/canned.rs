//! Rule answers found by words, to be sent with a click.

use crate::{
    app::App,
    domain::{
        dialogue::{Knowledge as _, Shipped},
        kinds::Channel,
        rules::RuleKind,
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
}

/// Rule answers that fit some words, the best first; without words the first ones.
pub fn canned(app: &App, words: &str, limit: usize) -> Vec<Canned> {
    let content = app.content.load();
    let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, app.now());
    let region = app.config.region.code.as_str();
    let wanted: Vec<char> = words.chars().filter(|c| c.is_alphanumeric()).collect();
    let mut found: Vec<(usize, Canned)> = content
        .rules
        .rules()
        .iter()
        .filter(|rule| rule.kind == RuleKind::Answer)
        .filter_map(|rule| {
            let answer =
                knowledge.answer(&rule.id, Channel::Web, Some(region), content.schedule.civil(app.now()).date())?;
            let score = score(&wanted, &answer.title, &answer.text);
            (score > 0 || wanted.is_empty()).then(|| {
                let citations = answer.citations.iter().map(|c| format!("{} {}", c.title, c.reference)).collect();
                let canned = Canned {
                    rule_id: answer.rule_id,
                    title: answer.title,
                    text: answer.text,
                    citations,
                    awaiting_recheck: answer.awaiting_recheck,
                };
                (score, canned)
            })
        })
        .collect();
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.rule_id.cmp(&b.1.rule_id)));
    found.into_iter().take(limit.clamp(1, 50)).map(|(_, canned)| canned).collect()
}

/// Shared character pairs, those in the title counted four times; a single character counts as itself.
fn score(wanted: &[char], title: &str, text: &str) -> usize {
    let pairs: Vec<String> = if wanted.len() == 1 {
        vec![wanted.iter().collect()]
    } else {
        wanted.windows(2).map(|pair| pair.iter().collect()).collect()
    };
    pairs
        .iter()
        .map(|pair| 4 * usize::from(title.contains(pair.as_str())) + usize::from(text.contains(pair.as_str())))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_count_more_than_texts() {
        let wanted: Vec<char> = "稳岗返还".chars().collect();
        assert!(score(&wanted, "稳岗返还：条件", "") > score(&wanted, "社保", "稳岗返还"));
        assert_eq!(score(&wanted, "消防", "验收"), 0);
    }
}
