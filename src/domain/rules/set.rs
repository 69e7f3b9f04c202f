//! The compiled set: rules plus everything needed to match them.

use std::{collections::HashMap, sync::Arc};

use super::{
    decision::{Decision, Input, Matter},
    model::Rule,
};
use crate::domain::kinds::{CaseType, Urgency};

/// A checked, immutable set of rules, shared by all conversations.
#[derive(Debug, Clone)]
pub struct RuleSet {
    rules: Vec<Rule>,
    by_id: HashMap<String, usize>,
    hash: Arc<str>,
}

impl RuleSet {
    pub(super) fn new(rules: Vec<Rule>, hash: String) -> Self {
        let by_id = rules
            .iter()
            .enumerate()
            .map(|(n, rule)| (rule.id.clone(), n))
            .collect();
        Self {
            rules,
            by_id,
            hash: hash.into(),
        }
    }

    /// Content hash of the files that the set was compiled from, hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// All rules in file order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule with this id.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.by_id.get(id).and_then(|&n| self.rules.get(n))
    }

    /// Decides a message. Never fails; a message that no rule knows is one matter of the default type.
    pub fn decide(&self, input: &Input<'_>) -> Decision {
        let matters = if input.text.trim().is_empty() {
            Vec::new()
        } else {
            vec![Matter {
                text: input.text.to_owned(),
                span: 0..input.text.len(),
                case_type: CaseType::Coordination,
                types: Vec::new(),
                topic: None,
                topics: Vec::new(),
                urgency: Urgency::Normal,
                confidence: 0.0,
                rules: Vec::new(),
                answer: None,
                clarify: Vec::new(),
                expired: None,
                sensitive: false,
                objects: Vec::new(),
            }]
        };
        Decision {
            matters,
            command: None,
            diversion: None,
            sensitive: false,
            reply: None,
            interrupts_form: false,
            rules: Vec::new(),
            rule_set_hash: Arc::clone(&self.hash),
        }
    }
}
