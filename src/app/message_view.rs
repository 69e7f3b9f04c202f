//! Messages, forms and cards as JSON: the shapes of the chat API and of `messages.body`.
//!
//! Written once, read by the chat page, the desk and the widget. Nothing here decides anything.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

use crate::domain::{
    dialogue::{Card, DecisionRecord, FieldKey, FiledCase, FormCard, FormCardField, MatterEdit, ProgressView, Reply},
    kinds::{CaseType, Command, Diversion, Urgency},
};

/// An instant as the API writes it: RFC 3339 with the offset of the configured zone.
pub fn at_json(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

/// The fields of a reply besides sender, kind, text and rule: what is stored as the message's body.
pub fn reply_body(reply: &Reply, zone: &TimeZone) -> Map<String, Value> {
    let mut body = Map::new();
    if !reply.quick_replies.is_empty() {
        let buttons = reply.quick_replies.iter().map(|q| json!({"label": q.label, "text": q.text})).collect();
        body.insert("quick_replies".into(), Value::Array(buttons));
    }
    if !reply.citations.is_empty() {
        let cites =
            reply.citations.iter().map(|c| json!({"title": c.title, "ref": c.reference, "url": c.url})).collect();
        body.insert("citations".into(), Value::Array(cites));
    }
    if let Some(version) = &reply.rule_version {
        body.insert("rule_version".into(), json!(version));
    }
    if reply.awaiting_recheck {
        body.insert("awaiting_recheck".into(), json!(true));
    }
    if reply.generated {
        body.insert("generated".into(), json!(true));
    }
    if let Some(form) = &reply.form {
        body.insert("form".into(), form_json(form));
    }
    if let Some(card) = &reply.card {
        body.insert("card".into(), card_json(card, zone));
    }
    body
}

/// The registration form as shown.
pub fn form_json(form: &FormCard) -> Value {
    json!({
        "matters": form.matters.iter().map(|m| json!({
            "n": m.n,
            "keep": m.keep,
            "type": m.case_type.as_str(),
            "type_label": m.case_type.label(),
            "topic": m.topic,
            "topic_label": m.topic_label,
            "demand": m.demand,
            "lead_hint": m.lead_hint,
        })).collect::<Vec<_>>(),
        "fields": form.fields.iter().map(field_json).collect::<Vec<_>>(),
        "missing": form.missing.iter().map(|k| k.as_str()).collect::<Vec<_>>(),
        "can_submit": form.can_submit,
        "submitted": form.submitted,
        "types": CaseType::ALL.iter().filter(|t| may_be_chosen(**t)).map(|t| json!({"value": t.as_str(), "label": t.label()})).collect::<Vec<_>>(),
    })
}

/// Types an enterprise may choose itself; the others are made by officers or imports.
fn may_be_chosen(case_type: CaseType) -> bool {
    match case_type {
        CaseType::Risk | CaseType::RatingReview => false,
        CaseType::Consultation
        | CaseType::Suggestion
        | CaseType::Coordination
        | CaseType::Help
        | CaseType::Complaint
        | CaseType::Report
        | CaseType::Stuck
        | CaseType::Arrears
        | CaseType::Conduct
        | CaseType::Praise
        | CaseType::ServiceOrder => true,
    }
}

fn field_json(field: &FormCardField) -> Value {
    let input = match field.key {
        FieldKey::ContactPhone => "tel",
        FieldKey::HappenedOn => "date",
        FieldKey::Demand => "textarea",
        FieldKey::Confidential => "select",
        FieldKey::Enterprise
        | FieldKey::Uscc
        | FieldKey::ContactName
        | FieldKey::Place
        | FieldKey::Object
        | FieldKey::Amount => "text",
    };
    let mut json = json!({
        "key": field.key.as_str(),
        "label": field.key.label(),
        "value": field.value,
        "required": field.required,
        "missing": field.missing,
        "error": field.error,
        "source": field.source.map(super::super::domain::dialogue::form::FieldSource::as_str),
        "input": input,
    });
    if field.key == FieldKey::Confidential
        && let Some(object) = json.as_object_mut()
    {
        let options = json!([{"value": "否", "label": "不需要"}, {"value": "是", "label": "需要，不告诉被反映的单位"}]);
        object.insert("options".into(), options);
    }
    json
}

/// A card.
pub fn card_json(card: &Card, zone: &TimeZone) -> Value {
    match card {
        Card::Receipt { cases } => {
            json!({"kind": "receipt", "cases": cases.iter().map(|c| filed_json(c, zone)).collect::<Vec<_>>()})
        }
        Card::Progress { cases } => {
            json!({"kind": "progress", "cases": cases.iter().map(|c| progress_json(c, zone)).collect::<Vec<_>>()})
        }
        Card::Duplicate { case } => json!({
            "kind": "duplicate",
            "cases": [{"number": case.number, "title": case.title, "status_label": case.status_label}],
        }),
    }
}

/// One line of a receipt.
pub fn filed_json(case: &FiledCase, zone: &TimeZone) -> Value {
    json!({
        "number": case.number,
        "code": case.code,
        "title": case.title,
        "status": case.status,
        "status_label": case.status_label,
        "stage": case.stage,
        "due_at": case.due_at.map(|at| at_json(at, zone)),
        "due_text": case.due_text,
    })
}

fn progress_json(case: &ProgressView, zone: &TimeZone) -> Value {
    json!({
        "number": case.number,
        "title": case.title,
        "status": case.status,
        "status_label": case.status_label,
        "stage": case.stage,
        "holder": case.holder,
        "due_at": case.due_at.map(|at| at_json(at, zone)),
        "due_text": case.due_text,
        "latest": case.latest,
        "awaits_rating": case.may_confirm,
    })
}

/// Why the bot did what it did, as stored with the visitor's message; for officers only.
///
/// # Panics
/// Never: texts and numbers always serialise.
pub fn decision_json(record: &DecisionRecord) -> String {
    #[derive(serde::Serialize)]
    struct Span<'a> {
        rule: &'a str,
        from: usize,
        to: usize,
    }
    #[derive(serde::Serialize)]
    struct Miss<'a> {
        rule: &'a str,
        reason: &'a str,
    }
    #[derive(serde::Serialize)]
    struct Decision<'a> {
        step: &'a str,
        rules: &'a [String],
        spans: Vec<Span<'a>>,
        near: &'a [String],
        near_misses: Vec<Miss<'a>>,
        shadow: &'a [String],
        rule_set_hash: &'a str,
        r#type: Option<&'a str>,
        topic: Option<&'a str>,
        urgency: Option<&'a str>,
        confidence: f32,
        command: Option<&'a str>,
        diversion: Option<&'a str>,
    }
    let decision = Decision {
        step: record.step,
        rules: &record.rules,
        spans: record.spans.iter().map(|(rule, from, to)| Span { rule, from: *from, to: *to }).collect(),
        near: &record.near,
        near_misses: record.missed.iter().map(|(rule, reason)| Miss { rule, reason }).collect(),
        shadow: &record.shadow,
        rule_set_hash: &record.rule_set_hash,
        r#type: record.case_type.map(CaseType::as_str),
        topic: record.topic.as_deref(),
        urgency: record.urgency.map(Urgency::as_str),
        confidence: record.confidence,
        command: record.command.map(Command::as_str),
        diversion: record.diversion.map(Diversion::as_str),
    };
    serde_json::to_string(&decision).expect("plain texts and numbers serialise")
}

/// What is wrong with a submitted form, by JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormMistake {
    /// Pointer to the field.
    pub pointer: String,
    /// What is wrong, in Chinese.
    pub message: String,
}

/// One matter as the card sends it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MatterInput {
    /// Number on the form, from 1.
    pub n: u32,
    /// Whether it shall be filed.
    #[serde(default = "kept")]
    pub keep: bool,
    /// Type slug.
    #[serde(default, rename = "type")]
    pub case_type: Option<String>,
    /// Topic code.
    #[serde(default)]
    pub topic: Option<String>,
    /// Demand.
    #[serde(default)]
    pub demand: Option<String>,
}

const fn kept() -> bool {
    true
}

/// What `POST /api/chat/case` brings: fields by key, and the matters as corrected.
pub type FormInput = (Vec<(FieldKey, String)>, Vec<MatterEdit>);

/// Reads the fields and matters of `POST /api/chat/case`.
///
/// # Errors
/// Every field key or type that does not exist, by pointer.
pub fn form_input(
    fields: impl IntoIterator<Item = (String, String)>,
    matters: Vec<MatterInput>,
) -> Result<FormInput, Vec<FormMistake>> {
    let mut mistakes = Vec::new();
    let mut known = Vec::new();
    for (key, value) in fields {
        match key.parse::<FieldKey>() {
            Ok(field) => known.push((field, value)),
            Err(_) => {
                mistakes.push(FormMistake { pointer: format!("/fields/{key}"), message: "没有这个字段".into() });
            }
        }
    }
    let mut edits = Vec::new();
    for (index, matter) in matters.into_iter().enumerate() {
        let case_type = match matter.case_type.as_deref().map(str::parse::<CaseType>) {
            None => None,
            Some(Ok(case_type)) if may_be_chosen(case_type) => Some(case_type),
            Some(Ok(_) | Err(_)) => {
                mistakes.push(FormMistake {
                    pointer: format!("/matters/{index}/type"),
                    message: "没有这个事项类型".into(),
                });
                None
            }
        };
        edits.push(MatterEdit {
            n: matter.n,
            keep: matter.keep,
            case_type,
            topic: matter.topic,
            demand: matter.demand,
        });
    }
    if mistakes.is_empty() { Ok((known, edits)) } else { Err(mistakes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_and_types_are_named() {
        let matters = vec![
            MatterInput { n: 1, keep: true, case_type: Some("risk".into()), ..MatterInput::default() },
            MatterInput { n: 2, keep: false, case_type: Some("投诉".into()), ..MatterInput::default() },
        ];
        let fields = [("status".to_owned(), "closed".to_owned()), ("place".to_owned(), "县城".to_owned())];
        let mistakes = form_input(fields, matters.clone()).unwrap_err();
        let pointers: Vec<&str> = mistakes.iter().map(|m| m.pointer.as_str()).collect();
        assert_eq!(pointers, ["/fields/status", "/matters/0/type"]);
        let (fields, edits) = form_input([("place".to_owned(), "县城".to_owned())], matters[1..].to_vec()).unwrap();
        assert_eq!(fields, [(FieldKey::Place, "县城".to_owned())]);
        assert_eq!(edits[0].case_type, Some(CaseType::Complaint));
        assert!(!edits[0].keep);
    }

    #[test]
    fn instants_carry_the_offset_of_the_zone() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(at_json(Timestamp::from_second(0).unwrap(), &zone), "1970-01-01T08:00:00+08:00");
    }
}
