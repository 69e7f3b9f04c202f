//! What a suggestion is about, as far as a model may know of it: the words with personal data replaced.

use crate::{
    app::{
        App, AppError, Officer, case_queries,
        conversations::{self, Detail},
        dialogue_codec, model,
    },
    domain::{
        access::Permission,
        case::{Case, CaseEvent},
        dialogue::{CaseForm, extract, tells_of_conduct},
        ids::{CaseId, ConversationId},
        kinds::{CaseType, Channel, Diversion, Urgency},
        rules::{Decision, Input, Matter},
        suggestion::{ModelBar, bar_of_case, bar_of_diversion, bar_of_flag, bar_of_type},
        text::{Hidden, Redactor},
    },
    store::{
        Tx, cases,
        conversations::{ConversationRow, MessageRow},
    },
};

use super::{About, refused};

/// Words of one turn that are handed over, in characters.
const MAX_TURN: usize = 1_000;
/// Words that are handed over in all.
const MAX_WORDS: usize = 6_000;

/// Somebody said something; personal data are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) from: &'static str,
    pub(super) text: String,
}

/// What rules could not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Undecided {
    pub(super) case_type: bool,
    pub(super) topic: bool,
}

impl Undecided {
    pub(super) const fn any(self) -> bool {
        self.case_type || self.topic
    }
}

/// What a suggestion is about. Texts have personal data replaced, unless they say otherwise.
pub(super) struct Subject {
    pub(super) conversation: Option<ConversationId>,
    pub(super) case: Option<CaseId>,
    pub(super) bar: Option<ModelBar>,
    pub(super) redactor: Redactor,
    /// The whole talk, or the history of the case, oldest first.
    pub(super) talk: Vec<Turn>,
    /// The enterprise's own words.
    pub(super) words: Vec<String>,
    /// What officers wrote down about it.
    pub(super) records: Vec<String>,
    /// Words to look for sources with, as they are.
    pub(super) query: String,
    pub(super) case_type: CaseType,
    pub(super) topic: Option<String>,
    pub(super) urgency: Urgency,
    pub(super) undecided: Undecided,
    /// Name of the unit that replies.
    pub(super) unit: String,
    /// Fields that are not filled: slug and name.
    pub(super) empty_fields: Vec<(&'static str, &'static str)>,
}

impl Subject {
    /// Loads what the officer may see.
    pub(super) async fn load(app: &App, officer: &Officer, about: &About) -> Result<Self, AppError> {
        match about {
            About::Case(number) => {
                officer.require(Permission::ActOnCases)?;
                let (file, history) = case_queries::file_with_history(app, officer, number).await?;
                if !file.case.status.is_open() {
                    return Err(refused("model_done", "这件已经办结，不再拟写。"));
                }
                let unit = match officer.unit() {
                    "" => "服务中心".to_owned(),
                    slug => app.unit_name(slug),
                };
                Ok(Self::of_case(app, &file.case, &history, unit))
            }
            About::Conversation(id) => {
                officer.require(Permission::Converse)?;
                let detail = conversations::detail(app, officer, *id).await?;
                if detail.item.row.state == "closed" {
                    return Err(refused("model_done", "会话已经结束，不再拟写。"));
                }
                Ok(Self::of_conversation(app, *id, &detail))
            }
        }
    }

    fn of_case(app: &App, case: &Case, history: &[CaseEvent], unit: String) -> Self {
        const TOLD: &[&str] = &["text", "note", "result", "question", "reason", "explanation", "opinion", "summary"];
        let mut redactor = redactor_of_case(case);
        let (bar, undecided) = standing(app, case);
        let words = vec![redactor.redact(&cut(&case.original_words))];
        let mut talk: Vec<Turn> = words.iter().map(|text| Turn { from: "visitor", text: text.clone() }).collect();
        let mut records = Vec::new();
        let content = app.content.load();
        let units = content.routing.units();
        for event in history {
            let mut parts: Vec<String> = event.public_line(&|slug: &str| units.short_name(slug)).into_iter().collect();
            if parts.is_empty() {
                parts.push(event.kind.label().to_owned());
            }
            let told = TOLD.iter().filter_map(|key| event.fact(key)).filter(|told| !told.trim().is_empty());
            parts.extend(told.filter(|told| !parts[0].contains(*told)).map(cut).collect::<Vec<_>>());
            let text = redactor.redact(&parts.join("："));
            let officers = event.actor.kind == "officer";
            if officers {
                records.push(text.clone());
            }
            talk.push(Turn { from: if officers { "officer" } else { "bot" }, text });
        }
        let mut empty_fields = Vec::new();
        for (slot, label, empty) in [
            ("place", "事发地点", case.place.is_none()),
            ("object", "涉及单位", case.object.is_none()),
            ("happened_on", "发生日期", case.happened_on.is_none()),
            ("amount", "涉及金额", case.amount.is_none()),
        ] {
            if empty {
                empty_fields.push((slot, label));
            }
        }
        Self {
            conversation: None,
            case: Some(case.id),
            bar,
            redactor,
            talk: last(talk),
            words,
            records,
            query: format!("{}。{}", case.title, case.demand),
            case_type: case.case_type,
            topic: case.topic.clone(),
            urgency: case.urgency,
            undecided,
            unit,
            empty_fields,
        }
    }

    fn of_conversation(app: &App, id: ConversationId, detail: &Detail) -> Self {
        let state = dialogue_codec::decode(&detail.item.row.dialogue);
        let mut redactor = model::redactor(&state.facts);
        let bar = bar_of_conversation(app, detail);
        let mut talk = Vec::new();
        let mut words = Vec::new();
        for message in detail.messages.iter().filter(|m| m.kind == "text" && !m.text.trim().is_empty()) {
            let from = match message.sender.as_str() {
                "visitor" => "visitor",
                "officer" => "officer",
                "bot" => "bot",
                _ => continue,
            };
            let text = redactor.redact(&cut(&message.text));
            if from == "visitor" {
                words.push(text.clone());
            }
            talk.push(Turn { from, text });
        }
        let said = detail.messages.iter().rev().find(|m| m.sender == "visitor" && m.kind == "text");
        let matter = state.form.as_ref().and_then(|form| form.kept().next());
        let query = state.last_matter.clone().or_else(|| said.map(|m| m.text.clone())).unwrap_or_default();
        Self {
            conversation: Some(id),
            case: None,
            bar,
            redactor,
            talk: last(talk),
            words,
            records: Vec::new(),
            query,
            case_type: matter.map_or(CaseType::Consultation, |matter| matter.case_type),
            topic: matter.and_then(|matter| matter.topic.clone()).or_else(|| detail.item.row.topic.clone()),
            urgency: matter.map_or(Urgency::Normal, |matter| matter.urgency),
            undecided: Undecided::default(),
            unit: "服务中心".to_owned(),
            empty_fields: Vec::new(),
        }
        .named(app)
    }

    /// Without a topic of its own a conversation has that of its words.
    fn named(mut self, app: &App) -> Self {
        let content = app.content.load();
        if self.topic.as_deref().is_some_and(|code| content.taxonomy.topic(code).is_none()) {
            self.topic = None;
        }
        self
    }
}

/// The names, numbers and places of a case, to be replaced wherever they occur.
pub(super) fn redactor_of_case(case: &Case) -> Redactor {
    let party = &case.party;
    let mut slots = vec![
        (Hidden::Enterprise, party.enterprise.as_str()),
        (Hidden::Person, party.contact_name.as_str()),
        (Hidden::Phone, party.contact_phone.as_str()),
    ];
    slots.extend(party.uscc.as_deref().map(|value| (Hidden::Uscc, value)));
    slots.extend(party.proxy.as_deref().map(|value| (Hidden::Person, value)));
    slots.extend(case.place.as_deref().map(|value| (Hidden::Address, value)));
    slots.retain(|(_, value)| !value.trim().is_empty());
    Redactor::new(&slots)
}

/// Why nothing of this conversation goes to a model; `None`: it may.
pub(super) fn bar_of_conversation(app: &App, detail: &Detail) -> Option<ModelBar> {
    detail.bar_of_cases.or_else(|| bar_of_talk(app, &detail.item.row, &detail.messages))
}

/// Why the cases that came out of a conversation keep it from a model: the words are the same.
pub(in crate::app) async fn bar_of_its_cases(
    tx: &mut Tx,
    app: &App,
    id: ConversationId,
) -> Result<Option<ModelBar>, AppError> {
    let cases = cases::of_conversation(tx, id).await?;
    Ok(cases.iter().find_map(|case| standing(app, case).0))
}

/// The same of a conversation and its latest messages. The visitor's words are read again: what was noted of a message
/// is its first matter only, and a form is gone when it was filed.
pub(in crate::app) fn bar_of_talk(app: &App, row: &ConversationRow, messages: &[MessageRow]) -> Option<ModelBar> {
    let flags: Vec<String> = serde_json::from_str(&row.flags).unwrap_or_default();
    if let Some(bar) = flags.iter().find_map(|flag| bar_of_flag(flag)) {
        return Some(bar);
    }
    let state = dialogue_codec::decode(&row.dialogue);
    if state.risk {
        return Some(ModelBar::Risk);
    }
    if state.form.as_ref().is_some_and(CaseForm::is_secret) {
        return Some(ModelBar::Confidential);
    }
    let matters = state.form.iter().flat_map(|form| form.matters.iter());
    if let Some(bar) = matters
        .clone()
        .find_map(|matter| bar_of_type(matter.case_type).or(matter.sensitive.then_some(ModelBar::Sensitive)))
    {
        return Some(bar);
    }
    let noted = messages.iter().filter_map(|message| message.decision.as_deref()).find_map(bar_of_decision);
    let said = messages.iter().filter(|message| message.sender == "visitor" && message.kind == "text");
    noted.or_else(|| said.map(|message| message.text.as_str()).find_map(|words| bar_of_words(app, words)))
}

/// Why words keep what they stand in from a model, by the rules of today.
pub(in crate::app) fn bar_of_words(app: &App, words: &str) -> Option<ModelBar> {
    if words.trim().is_empty() {
        return None;
    }
    bar_of_reading(&read_again(app, words)).or_else(|| {
        let secret = extract::wants_secrecy(words) || extract::wants_anonymity(words);
        let told = || tells_of_conduct(words).then_some(ModelBar::Sensitive);
        secret.then_some(ModelBar::Confidential).or_else(told)
    })
}

fn read_again(app: &App, words: &str) -> Decision {
    let content = app.content.load();
    let today = content.schedule.civil(app.now()).date();
    let area = Some(app.config.region.code.as_str());
    content.rules.decide(&Input { text: words, channel: Channel::Web, area, today })
}

/// Why any of the matters that words were read as keeps them from a model.
fn bar_of_reading(decision: &Decision) -> Option<ModelBar> {
    let by_type = decision.matters.iter().find_map(|matter| bar_of_type(matter.case_type));
    let by_diversion = decision.diversion.and_then(bar_of_diversion);
    let conduct = decision.matters.iter().flat_map(|matter| &matter.topics).any(|topic| topic.topic == "CONDUCT");
    by_type.or(by_diversion).or((decision.sensitive || conduct).then_some(ModelBar::Sensitive))
}

fn bar_of_decision(decision: &str) -> Option<ModelBar> {
    let decision: serde_json::Value = serde_json::from_str(decision).ok()?;
    let word = |name: &str| decision.get(name).and_then(serde_json::Value::as_str);
    let by_type = word("type").and_then(|slug| slug.parse::<CaseType>().ok()).and_then(bar_of_type);
    let by_diversion = || word("diversion").and_then(|code| code.parse::<Diversion>().ok()).and_then(bar_of_diversion);
    by_type.or_else(by_diversion)
}

/// Why nothing of a case goes to a model, and what the rules of today cannot decide of it: they are silent, or two come
/// out the same. The words are read again, because a case carries all the words of its registration: what was said
/// against somebody beside a harmless question is in them too.
pub(super) fn standing(app: &App, case: &Case) -> (Option<ModelBar>, Undecided) {
    let decision = read_again(app, &case.original_words);
    let tied = |first: Option<u32>, second: Option<u32>| first.is_none() || first == second;
    let matter: Option<&Matter> = decision.matters.first();
    let types = matter.map_or(&[][..], |matter| matter.types.as_slice());
    let topics = matter.map_or(&[][..], |matter| matter.topics.as_slice());
    let undecided = Undecided {
        // A type that a person or a stronger rule chose is not asked about again.
        case_type: tied(types.first().map(|t| t.score), types.get(1).map(|t| t.score))
            && matter.is_none_or(|matter| matter.case_type == case.case_type),
        topic: case.topic.is_none()
            || (tied(topics.first().map(|t| t.score), topics.get(1).map(|t| t.score))
                && matter.is_none_or(|matter| matter.topic == case.topic)),
    };
    (bar_of_case(case).or_else(|| bar_of_reading(&decision)), undecided)
}

fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_TURN).collect();
    if text.chars().nth(MAX_TURN).is_some() {
        short.push('…');
    }
    short
}

/// The end of a talk that is too long.
fn last(mut talk: Vec<Turn>) -> Vec<Turn> {
    let mut room = MAX_WORDS;
    let fits = talk
        .iter()
        .rev()
        .take_while(|turn| {
            let length = turn.text.chars().count();
            let fits = length <= room;
            room = room.saturating_sub(length);
            fits
        })
        .count();
    talk.drain(..talk.len() - fits);
    talk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_talk_keeps_its_end() {
        let turn = |text: String| Turn { from: "visitor", text };
        let talk: Vec<Turn> = (0..10).map(|n| turn(n.to_string().repeat(MAX_TURN))).collect();
        let kept = last(talk);
        assert_eq!(kept.len(), MAX_WORDS / MAX_TURN);
        assert!(kept.last().is_some_and(|turn| turn.text.starts_with('9')));
        assert_eq!(cut(&"长".repeat(MAX_TURN + 1)).chars().count(), MAX_TURN + 1);
    }

    #[test]
    fn one_message_that_was_sensitive_keeps_the_whole_talk_back() {
        assert_eq!(bar_of_decision(r#"{"type":"conduct"}"#), Some(ModelBar::Conduct));
        assert_eq!(bar_of_decision(r#"{"type":"consultation","diversion":"D4"}"#), Some(ModelBar::Secret));
        assert_eq!(bar_of_decision(r#"{"type":"consultation"}"#), None);
        assert_eq!(bar_of_decision("no json"), None);
    }
}
