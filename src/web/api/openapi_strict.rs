//! What makes the OpenAPI document strict: closed objects, the words a field may hold, formats of moments, days and ids.
//!
//! The words come from the domain's own lists, so that a new one stands in the document at once.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    domain::{
        access::{Permission, Role},
        case::{CaseAction, CaseStatus, ClockKey, ClockState, EventKind},
        dialogue::{ConversationState, FieldKey, ProposalKey},
        kinds::{CaseType, Channel, Complexity, Urgency},
        notice::NoticeKind,
        suggestion::{SuggestionKind, SuggestionOutcome},
        text::ChangeKind,
    },
    ports::model::EndpointHealth,
};

/// The words of a vocabulary.
macro_rules! words {
    ($vocabulary:ty) => {
        <$vocabulary>::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>()
    };
}

/// Schema, property, words.
fn vocabularies() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    let promise = vec!["open", "kept", "dropped"];
    let inputs = vec!["text", "tel", "date", "textarea", "select"];
    vec![
        ("ConversationInfo", "state", words!(ConversationState)),
        ("ConversationJson", "state", words!(ConversationState)),
        ("ConversationChangedJson", "state", words!(ConversationState)),
        ("ConversationJson", "channel", words!(Channel)),
        ("Message", "from", vec!["visitor", "bot", "officer", "system"]),
        ("Message", "kind", vec!["text", "image", "file", "card", "form", "event"]),
        ("CardInfo", "kind", vec!["receipt", "progress", "duplicate"]),
        ("FormFieldInfo", "input", inputs.clone()),
        ("DeskFieldJson", "input", inputs),
        ("FormFieldInfo", "key", words!(FieldKey)),
        ("DeskFieldJson", "key", words!(FieldKey)),
        ("FormMatterInfo", "type", words!(CaseType)),
        ("PromiseJson", "state", promise),
        ("NoticeJson", "kind", words!(NoticeKind)),
        ("RoleInUnit", "role", words!(Role)),
        ("RoleView", "role", words!(Role)),
        ("ReleaseRequest", "to", vec!["queue", "bot"]),
        ("CaseView", "status", words!(CaseStatus)),
        ("CaseView", "type", words!(CaseType)),
        ("CaseView", "urgency", words!(Urgency)),
        ("CaseView", "complexity", words!(Complexity)),
        ("CaseView", "channel", words!(Channel)),
        ("CaseLineView", "status", words!(CaseStatus)),
        ("CaseLineView", "type", words!(CaseType)),
        ("CaseLineView", "urgency", words!(Urgency)),
        ("ClockView", "key", words!(ClockKey)),
        ("ClockView", "state", words!(ClockState)),
        ("EventView", "kind", words!(EventKind)),
        ("FiledView", "status", words!(CaseStatus)),
        ("FiledCaseJson", "status", words!(CaseStatus)),
        ("NewCaseRequest", "type", words!(CaseType)),
        ("NewCaseRequest", "urgency", words!(Urgency)),
        ("NewCaseRequest", "channel", words!(Channel)),
        ("ActionFields", "type", words!(CaseType)),
        ("ActionFields", "urgency", words!(Urgency)),
        ("ActionFields", "complexity", words!(Complexity)),
        ("ModelProposalsView", "key", words!(ProposalKey)),
        ("ProposalItemInfo", "key", words!(ProposalKey)),
        ("SuggestionRequest", "kind", words!(SuggestionKind)),
        ("SuggestionView", "kind", words!(SuggestionKind)),
        ("ProposalView", "type", words!(CaseType)),
        ("ProposalView", "urgency", words!(Urgency)),
        ("DifferenceView", "outcome", words!(SuggestionOutcome)),
        ("ChangeView", "kind", words!(ChangeKind)),
        ("ModelEndpointView", "health", words!(EndpointHealth)),
        ("ModelBudgetView", "period", vec!["day", "month"]),
        ("ModelBudgetView", "unit", vec!["token", "yuan"]),
    ]
}

/// Properties that hold what people said, whatever their name.
const FREE: &[(&str, &str)] = &[("KnownJson", "happened_on")];

/// Schema, property, and what its text must look like.
const SHAPES: &[(&str, &str, &str)] = &[
    ("ChatMessageRequest", "client_id", "^[!-~]{1,64}$"),
    ("ChatCaseRequest", "client_id", "^[!-~]{1,64}$"),
    ("HandoffRequest", "client_id", "^[!-~]{1,64}$"),
    ("UploadForm", "client_id", "^[!-~]{1,64}$"),
    ("NewUserRequest", "login", "^[A-Za-z0-9._@-]{2,64}$"),
    ("DeputyRequest", "officer_id", "^[0-9a-f-]{36}$"),
    ("DeputyEndRequest", "officer_id", "^[0-9a-f-]{36}$"),
];

/// Texts that must not be empty.
const FILLED: &[(&str, &str)] = &[
    ("ChatMessageRequest", "text"),
    ("MessageRequest", "text"),
    ("MessageRequest", "client_id"),
    ("NoteRequest", "text"),
    ("NewUserRequest", "name"),
    ("NewTokenRequest", "name"),
    ("PasswordRequest", "new_password"),
];

/// Requests whose ids are looked up: anything that is no id is answered as one that does not exist.
const IDS: &[&str] = &["id", "conversation_id"];

/// Tightens the schemas and the parameters of the document.
pub(super) fn tighten(document: &mut Value) {
    let extended = extended(&document["components"]);
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        for (name, schema) in schemas.iter_mut() {
            close(schema, !extended.contains(name.as_str()));
            each_object(schema, &mut |properties| formats(name, properties));
        }
        for (schema, property, words) in vocabularies() {
            if let Some(found) = schemas.get_mut(schema) {
                each_object(found, &mut |properties| {
                    if let Some(property) = properties.get_mut(property) {
                        limit(property, &words);
                    }
                });
            }
        }
        for (schema, property, pattern) in SHAPES {
            if let Some(found) = schemas.get_mut(*schema) {
                found["properties"][*property]["pattern"] = json!(pattern);
            }
        }
        for (schema, property) in FILLED {
            if let Some(found) = schemas.get_mut(*schema) {
                found["properties"][*property]["minLength"] = json!(1);
            }
        }
        if let Some(me) = schemas.get_mut("Me") {
            me["properties"]["permissions"]["items"]["enum"] = json!(words!(Permission));
        }
        if let Some(fields) = schemas.get_mut("ChatCaseRequest") {
            fields["properties"]["fields"]["propertyNames"] = json!({ "enum": words!(FieldKey) });
        }
    }
    for (path, operations) in document["paths"].as_object_mut().into_iter().flatten() {
        for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                if parameter["in"] == "path" && parameter["name"] == "action" && path.starts_with("/api/cases/") {
                    limit(&mut parameter["schema"], &words!(CaseAction));
                }
                if parameter["name"] == "Idempotency-Key" {
                    parameter["schema"] = json!({ "type": "string", "pattern": "^[!-~]{1,128}$" });
                }
                if parameter["in"] == "query" && parameter["name"] == "limit" {
                    // A wish: what is out of range gets the nearest length of a page.
                    parameter["schema"] = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
                }
            }
        }
    }
}

/// Names of schemas that others extend: closing them would forbid what is added.
fn extended(components: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for schema in components["schemas"].as_object().into_iter().flat_map(Map::values) {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            if let Some(name) = part["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

/// An object has the properties that are listed and no others.
fn close(schema: &mut Value, closed: bool) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.contains_key("allOf") {
        object.insert("unevaluatedProperties".to_owned(), json!(false));
    } else if closed && object.contains_key("properties") && !object.contains_key("additionalProperties") {
        object.insert("additionalProperties".to_owned(), json!(false));
    }
}

fn each_object(schema: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        change(properties);
    }
    for part in schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        each_object(part, change);
    }
}

/// Moments, days and ids by the names that the house gives them.
fn formats(schema: &str, properties: &mut Map<String, Value>) {
    for (name, property) in properties.iter_mut() {
        if FREE.contains(&(schema, name.as_str())) || !is_text(property) {
            continue;
        }
        let format = if name == "at" || name.ends_with("_at") {
            "date-time"
        } else if name.ends_with("_on") {
            "date"
        } else if IDS.contains(&name.as_str()) && !schema.ends_with("Request") {
            "uuid"
        } else {
            continue;
        };
        property["format"] = json!(format);
    }
}

fn is_text(property: &Value) -> bool {
    property["type"] == "string" || property["type"].as_array().is_some_and(|kinds| kinds.contains(&json!("string")))
}

/// The property holds one of the words, or `null` where that is allowed.
fn limit(property: &mut Value, words: &[&'static str]) {
    let mut allowed: Vec<Value> = words.iter().map(|word| json!(word)).collect();
    if property["type"].as_array().is_some_and(|kinds| kinds.contains(&json!("null"))) {
        allowed.push(Value::Null);
    }
    property["enum"] = Value::Array(allowed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::openapi;

    #[test]
    fn every_word_list_belongs_to_a_property() {
        let schemas = &openapi::value()["components"]["schemas"];
        for (schema, property, words) in vocabularies() {
            let found = schemas[schema].to_string();
            assert!(found.contains(&format!("\"{property}\":")), "{schema} has no {property}");
            assert!(found.contains(&serde_json::to_string(words[0]).unwrap()), "{schema}.{property}");
        }
    }

    #[test]
    fn every_shape_belongs_to_a_property() {
        let schemas = &openapi::value()["components"]["schemas"];
        let shapes = SHAPES.iter().map(|(schema, property, _)| (schema, property));
        for (schema, property) in shapes.chain(FILLED.iter().map(|(schema, property)| (schema, property))) {
            let kind = &schemas[schema]["properties"][property];
            assert!(is_text(kind), "{schema}.{property}: {kind}");
        }
    }

    #[test]
    fn every_object_is_closed_and_every_answer_has_a_shape() {
        let document = openapi::value();
        let extended = extended(&document["components"]);
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            let is_object = schema["properties"].is_object() && !extended.contains(name);
            assert!(!is_object || schema["additionalProperties"] == json!(false), "{name} is open");
        }
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                for (status, answer) in operation["responses"].as_object().unwrap() {
                    let shapes = answer["content"].as_object().cloned().unwrap_or_default();
                    assert!(status == "204" || !shapes.is_empty(), "{method} {path} {status} has no content");
                    for shape in shapes.values() {
                        assert_ne!(shape["schema"], json!({ "type": "object" }), "{method} {path} {status}");
                    }
                }
            }
        }
    }
}
