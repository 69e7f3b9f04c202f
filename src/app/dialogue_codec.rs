//! The dialogue state as JSON: the shape it has in the database.
//!
//! Versioned and tolerant: a field that is missing, unknown or unreadable takes its default, because a
//! conversation must go on after an upgrade or a downgrade. `{}` is the state of a new conversation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{
    dialogue::{
        AnsweredBefore, Awaiting, CaseForm, ConversationState, DialogueState, Facts, FieldKey, FieldSource, FieldValue,
        FormMatter, FormProposal, LastAnswer, ProposedItem, RouteProposal, RuleAsk, TopicScore, Undecided,
    },
    kinds::{CaseType, Urgency},
    rules::OnFail,
};

/// Version of the shape; grows when a field changes its meaning.
const VERSION: u32 = 1;

/// The state as JSON.
///
/// # Panics
/// Never: texts and numbers always serialise.
pub fn encode(state: &DialogueState) -> String {
    serde_json::to_string(&StateJson::from(state)).expect("plain texts and numbers serialise")
}

/// The state from JSON. What cannot be read is left out; a text that is no JSON at all is a new state.
pub fn decode(json: &str) -> DialogueState {
    match serde_json::from_str::<StateJson>(json) {
        Ok(stored) => stored.into(),
        Err(error) => {
            if !json.is_empty() {
                tracing::warn!(%error, "a stored dialogue state cannot be read; the conversation starts afresh");
            }
            DialogueState::default()
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct StateJson {
    v: u32,
    mode: String,
    episode: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "AwaitingJson::is_nothing")]
    awaiting: AwaitingJson,
    clarify_rounds: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<FormJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_matter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_answer: Option<LastAnswerJson>,
    facts: FactsJson,
    cases: Vec<String>,
    attachments: Vec<String>,
    risk: bool,
    handoffs: u8,
    smalltalk: u8,
    queue_notice: bool,
    callback_promised: bool,
    #[serde(skip_serializing_if = "is_zero")]
    tickets: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct AwaitingJson {
    kind: String,
    #[serde(skip_serializing_if = "is_zero")]
    ticket: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    matters: Vec<u32>,
}

impl AwaitingJson {
    fn is_nothing(&self) -> bool {
        self.kind.is_empty()
    }

    fn kind(kind: &str) -> Self {
        Self { kind: kind.to_owned(), ..Self::default() }
    }

    fn text(kind: &str, text: &str) -> Self {
        Self { kind: kind.to_owned(), text: Some(text.to_owned()), ..Self::default() }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct LastAnswerJson {
    rule_id: String,
    version: String,
    topic: Option<String>,
    case_type: String,
    question: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    generated: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct FactsJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    enterprise: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uscc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uscc_invalid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_wechat: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    happened_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct FormJson {
    matters: Vec<MatterJson>,
    fields: BTreeMap<String, FieldJson>,
    original: String,
    asked: u8,
    asking: Option<String>,
    duplicate_cleared: bool,
    anonymous: bool,
    submitted: bool,
    answered_before: Option<(String, String)>,
    rule_set_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<ProposalJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    asks: Vec<AskJson>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct AskJson {
    slot: String,
    kind: String,
    ask: String,
    retry: u8,
    on_fail: String,
    put: u8,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct ProposalJson {
    ticket: u32,
    awaited: bool,
    matter: u32,
    open_type: bool,
    open_topic: bool,
    items: Vec<(String, String, bool)>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct FieldJson {
    value: String,
    source: Option<String>,
    error: Option<String>,
    proposed: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct MatterJson {
    n: u32,
    keep: bool,
    text: String,
    case_type: String,
    topic: Option<String>,
    topics: Vec<(String, u32, Vec<String>)>,
    urgency: String,
    demand: String,
    drafted_demand: String,
    proposed_type: String,
    proposed_topic: Option<String>,
    route: RouteJson,
    sensitive: bool,
    objects: Vec<String>,
    rules: Vec<String>,
    confidence: f32,
}

/// A route proposal as JSON.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
struct RouteJson {
    lead: String,
    lead_name: String,
    assists: Vec<(String, String)>,
    board: Option<String>,
    category: Option<String>,
    joint: bool,
    profile: Option<String>,
    place_basis: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sensitive: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    guidance: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    reason: String,
    step: String,
}

impl From<&DialogueState> for StateJson {
    fn from(s: &DialogueState) -> Self {
        Self {
            v: VERSION,
            mode: s.mode.as_str().to_owned(),
            episode: s.episode,
            region: s.region.clone(),
            awaiting: match &s.awaiting {
                Awaiting::Nothing => AwaitingJson::default(),
                Awaiting::Region { question } => AwaitingJson::text("region", question),
                Awaiting::Choice { options, question } => {
                    AwaitingJson { options: options.clone(), ..AwaitingJson::text("choice", question) }
                }
                Awaiting::Matter { hint } => {
                    AwaitingJson { text: hint.map(|h| h.as_str().to_owned()), ..AwaitingJson::kind("matter") }
                }
                Awaiting::Form => AwaitingJson::kind("form"),
                Awaiting::Duplicate { number, matters } => {
                    AwaitingJson { matters: matters.clone(), ..AwaitingJson::text("duplicate", number) }
                }
                Awaiting::ProgressNumber { number } => AwaitingJson::text("progress_number", number),
                Awaiting::CaseOffer => AwaitingJson::kind("case_offer"),
                Awaiting::CancelForm => AwaitingJson::kind("cancel_form"),
                Awaiting::Addition { number } => AwaitingJson::text("addition", number),
                Awaiting::Model { ticket, question, hint } => AwaitingJson {
                    ticket: *ticket,
                    hint: hint.map(|h| h.as_str().to_owned()),
                    ..AwaitingJson::text("model", question)
                },
            },
            clarify_rounds: s.clarify_rounds,
            form: s.form.as_ref().map(FormJson::from),
            last_matter: s.last_matter.clone(),
            last_answer: s.last_answer.as_ref().map(|a| LastAnswerJson {
                rule_id: a.rule_id.clone(),
                version: a.version.clone(),
                topic: a.topic.clone(),
                case_type: a.case_type.as_str().to_owned(),
                question: a.question.clone(),
                generated: a.generated,
            }),
            facts: FactsJson {
                enterprise: s.facts.enterprise.clone(),
                uscc: s.facts.uscc.clone(),
                uscc_invalid: s.facts.uscc_invalid.clone(),
                contact_name: s.facts.contact_name.clone(),
                contact_phone: s.facts.contact_phone.clone(),
                contact_email: s.facts.contact_email.clone(),
                contact_wechat: s.facts.contact_wechat.clone(),
                place: s.facts.place.clone(),
                object: s.facts.object.clone(),
                happened_on: s.facts.happened_on.clone(),
                amount: s.facts.amount.clone(),
            },
            cases: s.cases.clone(),
            attachments: s.attachments.clone(),
            risk: s.risk,
            handoffs: s.handoffs,
            smalltalk: s.smalltalk,
            queue_notice: s.queue_notice,
            callback_promised: s.callback_promised,
            tickets: s.tickets,
        }
    }
}

impl From<StateJson> for DialogueState {
    fn from(s: StateJson) -> Self {
        let text = s.awaiting.text.unwrap_or_default();
        Self {
            mode: s.mode.parse().unwrap_or(ConversationState::Bot),
            episode: s.episode,
            region: s.region,
            awaiting: match s.awaiting.kind.as_str() {
                "region" => Awaiting::Region { question: text },
                "choice" => Awaiting::Choice { options: s.awaiting.options, question: text },
                "matter" => Awaiting::Matter { hint: text.parse().ok() },
                "form" => Awaiting::Form,
                "duplicate" => Awaiting::Duplicate { number: text, matters: s.awaiting.matters },
                "progress_number" => Awaiting::ProgressNumber { number: text },
                "case_offer" => Awaiting::CaseOffer,
                "cancel_form" => Awaiting::CancelForm,
                "addition" => Awaiting::Addition { number: text },
                "model" => Awaiting::Model {
                    ticket: s.awaiting.ticket,
                    question: text,
                    hint: s.awaiting.hint.and_then(|hint| hint.parse().ok()),
                },
                _ => Awaiting::Nothing,
            },
            clarify_rounds: s.clarify_rounds,
            form: s.form.map(CaseForm::from),
            last_matter: s.last_matter,
            last_answer: s.last_answer.map(|a| LastAnswer {
                rule_id: a.rule_id,
                version: a.version,
                topic: a.topic,
                case_type: a.case_type.parse().unwrap_or(CaseType::Consultation),
                question: a.question,
                generated: a.generated,
            }),
            facts: Facts {
                enterprise: s.facts.enterprise,
                uscc: s.facts.uscc,
                uscc_invalid: s.facts.uscc_invalid,
                contact_name: s.facts.contact_name,
                contact_phone: s.facts.contact_phone,
                contact_email: s.facts.contact_email,
                contact_wechat: s.facts.contact_wechat,
                place: s.facts.place,
                object: s.facts.object,
                happened_on: s.facts.happened_on,
                amount: s.facts.amount,
            },
            cases: s.cases,
            attachments: s.attachments,
            risk: s.risk,
            handoffs: s.handoffs,
            smalltalk: s.smalltalk,
            queue_notice: s.queue_notice,
            callback_promised: s.callback_promised,
            tickets: s.tickets,
        }
    }
}

impl From<&CaseForm> for FormJson {
    fn from(f: &CaseForm) -> Self {
        Self {
            matters: f.matters.iter().map(MatterJson::from).collect(),
            fields: f
                .fields
                .iter()
                .map(|(key, v)| {
                    let field = FieldJson {
                        value: v.value.clone(),
                        source: v.source.map(|s| s.as_str().to_owned()),
                        error: v.error.clone(),
                        proposed: v.proposed.clone(),
                    };
                    (key.as_str().to_owned(), field)
                })
                .collect(),
            original: f.original.clone(),
            asked: f.asked,
            asking: f.asking.map(|k| k.as_str().to_owned()),
            duplicate_cleared: f.duplicate_cleared,
            anonymous: f.anonymous,
            submitted: f.submitted,
            answered_before: f.answered_before.as_ref().map(|a| (a.rule_id.clone(), a.version.clone())),
            rule_set_hash: f.rule_set_hash.clone(),
            proposal: f.proposal.as_ref().map(|p| ProposalJson {
                ticket: p.ticket,
                awaited: p.awaited,
                matter: p.matter,
                open_type: p.undecided.case_type,
                open_topic: p.undecided.topic,
                items: p.items.iter().map(|i| (i.key.as_str().to_owned(), i.value.clone(), i.accepted)).collect(),
            }),
            asks: f
                .asks
                .iter()
                .map(|a| AskJson {
                    slot: a.slot.clone(),
                    kind: a.kind.clone(),
                    ask: a.ask.clone(),
                    retry: a.retry,
                    on_fail: a.on_fail.as_str().to_owned(),
                    put: a.put,
                })
                .collect(),
        }
    }
}

impl From<FormJson> for CaseForm {
    fn from(f: FormJson) -> Self {
        Self {
            matters: f.matters.into_iter().map(FormMatter::from).collect(),
            fields: f
                .fields
                .into_iter()
                .filter_map(|(key, v)| {
                    let key: FieldKey = key.parse().ok()?;
                    let source: Option<FieldSource> = v.source.and_then(|s| s.parse().ok());
                    Some((key, FieldValue { value: v.value, source, error: v.error, proposed: v.proposed }))
                })
                .collect(),
            original: f.original,
            asked: f.asked,
            asking: f.asking.and_then(|k| k.parse().ok()),
            duplicate_cleared: f.duplicate_cleared,
            anonymous: f.anonymous,
            submitted: f.submitted,
            answered_before: f.answered_before.map(|(rule_id, version)| AnsweredBefore { rule_id, version }),
            rule_set_hash: f.rule_set_hash,
            proposal: f.proposal.map(|p| FormProposal {
                ticket: p.ticket,
                awaited: p.awaited,
                matter: p.matter,
                undecided: Undecided { case_type: p.open_type, topic: p.open_topic },
                items: p
                    .items
                    .into_iter()
                    .filter_map(|(key, value, accepted)| Some(ProposedItem { key: key.parse().ok()?, value, accepted }))
                    .collect(),
            }),
            asks: f
                .asks
                .into_iter()
                .map(|a| RuleAsk {
                    slot: a.slot,
                    kind: a.kind,
                    ask: a.ask,
                    retry: a.retry,
                    on_fail: a.on_fail.parse().unwrap_or(OnFail::Handoff),
                    put: a.put,
                })
                .collect(),
        }
    }
}

impl From<&FormMatter> for MatterJson {
    fn from(m: &FormMatter) -> Self {
        Self {
            n: m.n,
            keep: m.keep,
            text: m.text.clone(),
            case_type: m.case_type.as_str().to_owned(),
            topic: m.topic.clone(),
            topics: m.topics.iter().map(|t| (t.topic.clone(), t.score, t.words.clone())).collect(),
            urgency: m.urgency.as_str().to_owned(),
            demand: m.demand.clone(),
            drafted_demand: m.drafted_demand.clone(),
            proposed_type: m.proposed.0.as_str().to_owned(),
            proposed_topic: m.proposed.1.clone(),
            route: RouteJson {
                lead: m.route.lead.clone(),
                lead_name: m.route.lead_name.clone(),
                assists: m.route.assists.clone(),
                board: m.route.board.clone(),
                category: m.route.category.clone(),
                joint: m.route.joint,
                profile: m.route.profile.clone(),
                place_basis: m.route.place_basis.clone(),
                sensitive: m.route.sensitive,
                guidance: m.route.guidance.clone(),
                tags: m.route.tags.clone(),
                reason: m.route.reason.clone(),
                step: m.route.step.clone(),
            },
            sensitive: m.sensitive,
            objects: m.objects.clone(),
            rules: m.rules.clone(),
            confidence: m.confidence,
        }
    }
}

impl From<MatterJson> for FormMatter {
    fn from(m: MatterJson) -> Self {
        let case_type = m.case_type.parse().unwrap_or(CaseType::Coordination);
        Self {
            n: m.n,
            keep: m.keep,
            text: m.text,
            case_type,
            topic: m.topic,
            topics: m.topics.into_iter().map(|(topic, score, words)| TopicScore { topic, score, words }).collect(),
            urgency: m.urgency.parse().unwrap_or(Urgency::Normal),
            demand: m.demand,
            drafted_demand: m.drafted_demand,
            proposed: (m.proposed_type.parse().unwrap_or(case_type), m.proposed_topic),
            route: RouteProposal {
                lead: m.route.lead,
                lead_name: m.route.lead_name,
                assists: m.route.assists,
                board: m.route.board,
                category: m.route.category,
                joint: m.route.joint,
                profile: m.route.profile,
                place_basis: m.route.place_basis,
                sensitive: m.route.sensitive,
                guidance: m.route.guidance,
                tags: m.route.tags,
                reason: m.route.reason,
                step: m.route.step,
            },
            sensitive: m.sensitive,
            objects: m.objects,
            rules: m.rules,
            confidence: m.confidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dialogue::ProposalKey;

    fn rich() -> DialogueState {
        DialogueState {
            mode: ConversationState::Collecting,
            episode: 2,
            region: Some("350000".into()),
            awaiting: Awaiting::Choice { options: vec![("a".into(), "标题".into())], question: "注册".into() },
            clarify_rounds: 1,
            form: Some(CaseForm {
                matters: vec![FormMatter {
                    n: 1,
                    keep: true,
                    text: "补贴没到账".into(),
                    case_type: CaseType::Coordination,
                    topic: Some("POLICY.PAY".into()),
                    topics: vec![TopicScore { topic: "POLICY.PAY".into(), score: 40, words: vec!["补贴".into()] }],
                    urgency: Urgency::Urgent,
                    demand: "请拨付".into(),
                    drafted_demand: "补贴没到账，请协调解决".into(),
                    proposed: (CaseType::Help, None),
                    route: RouteProposal {
                        lead: "gxj".into(),
                        assists: vec![("czj".into(), "财政局".into())],
                        ..RouteProposal::default()
                    },
                    sensitive: true,
                    objects: vec!["财政局".into()],
                    rules: vec!["t-1".into()],
                    confidence: 0.5,
                }],
                fields: [(
                    FieldKey::ContactPhone,
                    FieldValue {
                        value: "1".into(),
                        source: Some(FieldSource::Typed),
                        error: Some("错".into()),
                        proposed: Some("2".into()),
                    },
                )]
                .into(),
                original: "补贴没到账“急”\n\\".into(),
                asked: 2,
                asking: Some(FieldKey::ContactPhone),
                duplicate_cleared: true,
                anonymous: true,
                submitted: false,
                answered_before: Some(AnsweredBefore { rule_id: "r".into(), version: "v".into() }),
                rule_set_hash: "h".into(),
                asks: vec![RuleAsk {
                    slot: "uscc".into(),
                    kind: "统一社会信用代码".into(),
                    ask: "请提供统一社会信用代码".into(),
                    retry: 2,
                    on_fail: OnFail::Skip,
                    put: 1,
                }],
                proposal: Some(FormProposal {
                    ticket: 3,
                    awaited: true,
                    matter: 1,
                    undecided: Undecided { case_type: true, topic: false },
                    items: vec![ProposedItem { key: ProposalKey::Place, value: "某路".into(), accepted: true }],
                }),
            }),
            last_matter: Some("补贴".into()),
            last_answer: Some(LastAnswer {
                rule_id: "r".into(),
                version: "v".into(),
                topic: None,
                case_type: CaseType::Consultation,
                question: "问".into(),
                generated: true,
            }),
            facts: Facts {
                enterprise: Some("某厂".into()),
                contact_phone: Some("13800138000".into()),
                ..Facts::default()
            },
            cases: vec!["ZT20261125-0001X".into()],
            attachments: vec!["f".into()],
            risk: true,
            handoffs: 1,
            smalltalk: 2,
            queue_notice: true,
            callback_promised: true,
            tickets: 3,
        }
    }

    #[test]
    fn a_state_survives_the_round_trip() {
        for state in [DialogueState::default(), rich()] {
            assert_eq!(decode(&encode(&state)), state);
        }
        for awaiting in [
            Awaiting::Region { question: "q".into() },
            Awaiting::Matter { hint: Some(CaseType::Suggestion) },
            Awaiting::Matter { hint: None },
            Awaiting::Addition { number: "n".into() },
            Awaiting::Duplicate { number: "n".into(), matters: vec![2] },
            Awaiting::ProgressNumber { number: String::new() },
            Awaiting::ProgressNumber { number: "ZT20261125-0001X".into() },
            Awaiting::CaseOffer,
            Awaiting::CancelForm,
            Awaiting::Form,
            Awaiting::Model { ticket: 4, question: "q".into(), hint: None },
            Awaiting::Model { ticket: 4, question: "q".into(), hint: Some(CaseType::Consultation) },
        ] {
            let state = DialogueState { awaiting, ..DialogueState::default() };
            assert_eq!(decode(&encode(&state)), state);
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        for json in ["{}", "", "null", "[", r#"{"v":9,"mode":"dancing","awaiting":{"kind":"moon"},"later":1}"#] {
            assert_eq!(decode(json), DialogueState::default(), "{json}");
        }
    }
}
