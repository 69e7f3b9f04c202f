//! What a conversation remembers between two turns. Plain data; the JSON codec lives in the application.

use super::{form::CaseForm, message::ConversationState};
use crate::domain::kinds::CaseType;

/// The state of one conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct DialogueState {
    /// Who has the conversation; the column of the conversation is the truth and is copied in before a turn.
    pub mode: ConversationState,
    /// Counts from 0; grows when a closed conversation is opened again. Context does not cross it.
    pub episode: u32,
    /// Region chosen by the visitor (administrative code).
    pub region: Option<String>,
    /// What the bot waits for.
    pub awaiting: Awaiting,
    /// Clarifications asked in a row.
    pub clarify_rounds: u8,
    /// The form being filled.
    pub form: Option<CaseForm>,
    /// The last message that told a matter, unchanged.
    pub last_matter: Option<String>,
    /// The last answer.
    pub last_answer: Option<LastAnswer>,
    /// Facts told in this episode, before there is a form.
    pub facts: Facts,
    /// Numbers of the cases that this conversation filed, or opened with their query code, oldest first. Whoever has the
    /// conversation may see them and add to them.
    pub cases: Vec<String>,
    /// Files sent in this episode.
    pub attachments: Vec<String>,
    /// A threat or group incident was mentioned.
    pub risk: bool,
    /// Handoffs in this episode; capped.
    pub handoffs: u8,
    /// Times the bot greeted without a matter in a row.
    pub smalltalk: u8,
    /// The visitor was told what happens to messages while waiting for a person.
    pub queue_notice: bool,
    /// A person was promised outside office hours; the task is made when the case is filed.
    pub callback_promised: bool,
    /// Questions put to the model so far; the last one's number is its ticket. Never counts back.
    pub tickets: u32,
}

impl Default for DialogueState {
    fn default() -> Self {
        Self {
            mode: ConversationState::Bot,
            episode: 0,
            region: None,
            awaiting: Awaiting::Nothing,
            clarify_rounds: 0,
            form: None,
            last_matter: None,
            last_answer: None,
            facts: Facts::default(),
            cases: Vec::new(),
            attachments: Vec::new(),
            risk: false,
            handoffs: 0,
            smalltalk: 0,
            queue_notice: false,
            callback_promised: false,
            tickets: 0,
        }
    }
}

impl DialogueState {
    /// The state of a closed conversation in which the visitor speaks again: context does not cross the boundary, but
    /// who the enterprise is, its region and its cases do.
    #[must_use]
    pub fn opened_again(self) -> Self {
        Self {
            mode: ConversationState::Bot,
            episode: self.episode.saturating_add(1),
            tickets: self.tickets,
            region: self.region,
            cases: self.cases,
            facts: Facts {
                enterprise: self.facts.enterprise,
                uscc: self.facts.uscc,
                contact_name: self.facts.contact_name,
                contact_phone: self.facts.contact_phone,
                contact_email: self.facts.contact_email,
                contact_wechat: self.facts.contact_wechat,
                ..Facts::default()
            },
            ..Self::default()
        }
    }

    /// From now on the case is one of those of the conversation.
    pub(super) fn knows_case(&mut self, number: &str) {
        let base =
            |number: &str| number.split_once("-R").map_or_else(|| number.to_owned(), |(base, _)| base.to_owned());
        if !self.cases.iter().any(|known| base(known) == base(number)) {
            self.cases.push(number.to_owned());
        }
    }

    /// The case number that was told and still lacks its query code; empty if there is none.
    pub(super) fn awaited_number(&self) -> &str {
        match &self.awaiting {
            Awaiting::ProgressNumber { number } => number,
            Awaiting::Nothing
            | Awaiting::Region { .. }
            | Awaiting::Choice { .. }
            | Awaiting::Matter { .. }
            | Awaiting::Form
            | Awaiting::Duplicate { .. }
            | Awaiting::CaseOffer
            | Awaiting::CancelForm
            | Awaiting::Addition { .. }
            | Awaiting::Model { .. } => "",
        }
    }

    /// The question whose answer of the model is awaited; whatever else comes back is dropped.
    pub const fn awaited_ticket(&self) -> Option<u32> {
        match (&self.awaiting, self.mode) {
            (Awaiting::Model { ticket, .. }, ConversationState::Bot | ConversationState::Collecting) => Some(*ticket),
            (
                Awaiting::Nothing
                | Awaiting::Region { .. }
                | Awaiting::Choice { .. }
                | Awaiting::Matter { .. }
                | Awaiting::Form
                | Awaiting::Duplicate { .. }
                | Awaiting::ProgressNumber { .. }
                | Awaiting::CaseOffer
                | Awaiting::CancelForm
                | Awaiting::Addition { .. }
                | Awaiting::Model { .. },
                _,
            ) => None,
        }
    }
}

impl DialogueState {
    /// The question about the open form whose proposal is awaited.
    pub fn awaited_proposal(&self) -> Option<u32> {
        let form = self.form.as_ref().filter(|form| !form.submitted)?;
        let with_the_bot = matches!(self.mode, ConversationState::Bot | ConversationState::Collecting);
        form.proposal.as_ref().filter(|proposal| with_the_bot && proposal.awaited).map(|proposal| proposal.ticket)
    }

    /// The question to the model that is worth its answer.
    pub fn awaited_of_the_model(&self) -> Option<u32> {
        self.awaited_ticket().or_else(|| self.awaited_proposal())
    }
}

/// What the bot waits for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Awaiting {
    /// Nothing in particular.
    #[default]
    Nothing,
    /// The region, to answer this question.
    Region {
        /// The question to answer once the region is known.
        question: String,
    },
    /// A choice between titles.
    Choice {
        /// Rule id and title, in the order shown.
        options: Vec<(String, String)>,
        /// The question.
        question: String,
    },
    /// The matter, after an entry was chosen or a message was unclear.
    Matter {
        /// The type the chosen entry stands for.
        hint: Option<CaseType>,
    },
    /// 提交 or a correction of the form.
    Form,
    /// 补充到这件 or 另提一件.
    Duplicate {
        /// Number of the open case.
        number: String,
        /// Numbers of the matters that are like it; the others stay on the form.
        matters: Vec<u32>,
    },
    /// Case number and query code.
    ProgressNumber {
        /// The number told so far; empty until then.
        number: String,
    },
    /// Yes or no to filing a case about the last matter.
    CaseOffer,
    /// Confirmation that the form shall be thrown away.
    CancelForm,
    /// What is to be added to a case of one's own.
    Addition {
        /// Its number.
        number: String,
    },
    /// The model's answer.
    Model {
        /// Names the question.
        ticket: u32,
        /// The question as it was said.
        question: String,
        /// The type the entry chosen before stands for.
        hint: Option<CaseType>,
    },
}

/// The last answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAnswer {
    /// The rule.
    pub rule_id: String,
    /// Its version.
    pub version: String,
    /// Its topic.
    pub topic: Option<String>,
    /// The type of the matter it answered.
    pub case_type: CaseType,
    /// The question as asked.
    pub question: String,
    /// A model wrote it, from the answer of this rule.
    pub generated: bool,
}

impl LastAnswer {
    /// What answered, as opinions and cases note it: the rule, or the model with the rule it wrote from. What a model
    /// wrote never counts for or against a rule.
    pub fn source(&self) -> String {
        if self.generated { format!("model:{}", self.rule_id) } else { self.rule_id.clone() }
    }
}

/// Facts taken from the visitor's original words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Enterprise name.
    pub enterprise: Option<String>,
    /// 统一社会信用代码 with a valid check character.
    pub uscc: Option<String>,
    /// A code of the right shape with a wrong check character.
    pub uscc_invalid: Option<String>,
    /// Contact name.
    pub contact_name: Option<String>,
    /// Telephone.
    pub contact_phone: Option<String>,
    /// E-mail.
    pub contact_email: Option<String>,
    /// WeChat id.
    pub contact_wechat: Option<String>,
    /// Place.
    pub place: Option<String>,
    /// Unit complained of or owing.
    pub object: Option<String>,
    /// Date as `YYYY-MM-DD`.
    pub happened_on: Option<String>,
    /// Amount as written.
    pub amount: Option<String>,
}

impl Facts {
    /// Takes over what the newer message told; a newer fact replaces an older one.
    pub fn absorb(&mut self, newer: Self) {
        fn take(old: &mut Option<String>, new: Option<String>) {
            if new.is_some() {
                *old = new;
            }
        }
        if newer.uscc.is_some() {
            self.uscc_invalid = None;
        } else {
            take(&mut self.uscc_invalid, newer.uscc_invalid);
        }
        take(&mut self.enterprise, newer.enterprise);
        take(&mut self.uscc, newer.uscc);
        take(&mut self.contact_name, newer.contact_name);
        take(&mut self.contact_phone, newer.contact_phone);
        take(&mut self.contact_email, newer.contact_email);
        take(&mut self.contact_wechat, newer.contact_wechat);
        take(&mut self.place, newer.place);
        take(&mut self.object, newer.object);
        take(&mut self.happened_on, newer.happened_on);
        take(&mut self.amount, newer.amount);
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
