//! Sources: what an answer may rest on.

use std::sync::Arc;

use crate::domain::rules::{Citation, Rule};

/// One text that was handed to the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in the contract: the rule's id.
    pub id: String,
    /// Title.
    pub title: String,
    /// The text.
    pub text: String,
    /// What it rests on.
    pub citations: Arc<[Citation]>,
}

impl Source {
    /// The answer of a rule; nothing when the rule has none.
    pub fn of_rule(rule: &Rule) -> Option<Self> {
        let answer = rule.answer.as_ref()?;
        Some(Self {
            id: rule.id.clone(),
            title: rule.title.clone(),
            text: answer.text.clone(),
            citations: Arc::clone(&rule.citations),
        })
    }

    /// A text that is its own source, such as an official reply that is put into plain words.
    pub fn of_text(id: &str, title: &str, text: &str) -> Self {
        Self { id: id.to_owned(), title: title.to_owned(), text: text.to_owned(), citations: Arc::from([]) }
    }

    /// The documents it rests on, each in one line: 《title》 number article (address).
    pub fn references(&self) -> Vec<String> {
        self.citations
            .iter()
            .map(|cite| {
                let mut line = format!("《{}》", cite.title);
                for part in [&cite.doc_no, &cite.clause, &cite.url].into_iter().flatten() {
                    line.push(' ');
                    line.push_str(part);
                }
                line
            })
            .collect()
    }
}
