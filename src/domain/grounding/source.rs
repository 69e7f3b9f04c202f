//! Sources: what an answer may rest on.

use std::sync::Arc;

use jiff::civil::Date;

use super::{
    figures::{Carried, CivilDate, Fact},
    spans,
};
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
    /// The same in plain words.
    pub plain: Option<String>,
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
            plain: answer.plain.clone(),
            citations: Arc::clone(&rule.citations),
        })
    }

    /// A text that is its own source, such as an official reply that is put into plain words.
    pub fn of_text(id: &str, title: &str, text: &str) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            text: text.to_owned(),
            plain: None,
            citations: Arc::from([]),
        }
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

    /// Adds every figure that it carries.
    pub(super) fn carry(&self, carried: &mut Carried) {
        carried.text(&self.title);
        carried.text(&self.text);
        carried.text(self.plain.as_deref().unwrap_or_default());
        for cite in self.citations.iter() {
            carried.fact(Fact::Title(spans::title(&crate::domain::text::normalised(&cite.title))));
            for text in [Some(&cite.title), cite.doc_no.as_ref(), cite.clause.as_ref()].into_iter().flatten() {
                carried.text(text);
            }
            for figure in &cite.supports {
                carried.support(figure);
            }
            if let Some(url) = &cite.url {
                carried.fact(Fact::Url(spans::address(&crate::domain::text::normalised(url))));
            }
            for date in [cite.effective_from, cite.effective_until].into_iter().flatten() {
                carried.fact(Fact::Date(day(date)));
            }
        }
    }

    /// Adds its words.
    pub(super) fn words(&self, words: &mut String) {
        for text in [&self.title, &self.text].into_iter().chain(&self.plain) {
            words.push_str(text);
            words.push('\n');
        }
        for cite in self.citations.iter() {
            let parts = [
                Some(&cite.title),
                cite.doc_no.as_ref(),
                cite.issuer.as_ref(),
                cite.clause.as_ref(),
                cite.url.as_ref(),
            ];
            for part in parts.into_iter().flatten().chain(&cite.supports) {
                words.push_str(part);
                words.push('\n');
            }
        }
    }
}

fn day(date: Date) -> CivilDate {
    let part = |n: i8| u32::try_from(n).ok();
    CivilDate { year: u32::try_from(date.year()).ok(), month: part(date.month()), day: part(date.day()) }
}
