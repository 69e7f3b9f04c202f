//! The OpenAPI document and a plain page to read it, both made from the code.
//!
//! Operations come from the handlers' own descriptions. Security and error answers are added from the list of routes,
//! so they cannot differ from what the router enforces; words, formats and closed objects by `openapi_strict`.

use std::{collections::BTreeMap, fmt::Write as _, sync::LazyLock};

use axum::{
    http::header,
    response::{Html, IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::openapi_strict::tighten;
use crate::web::{
    auth::Access,
    router::{self, Route, get},
    static_files,
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![get("/api/openapi.json", Access::Public, document), get("/api/docs", Access::Public, docs)]
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "直通 · 涉企诉求智能接办网关",
        description = "Chat API for front ends and staff API. Errors are application/problem+json (RFC 9457) with a \
            machine-readable code and a Chinese detail. Times are RFC 3339 with offset."
    ),
    paths(
        super::chat::start,
        super::chat::send,
        super::chat::history,
        super::stream::conversation,
        super::chat::upload,
        super::chat::download,
        super::chat::hand_off,
        super::chat::feedback,
        super::chat::file_case,
        super::chat::typing,
        super::proposal::decide,
        super::chat::wechat_code,
        super::stream::console,
        super::me::log_in,
        super::me::log_out,
        super::me::me,
        super::me::change_password,
        super::cases::list,
        super::cases::file,
        super::cases::show,
        super::cases::help,
        super::cases::timeline,
        super::cases::package,
        super::cases::act,
        super::attachments::download,
        super::conversations::list,
        super::conversations::detail,
        super::conversations::help,
        super::conversations::claim,
        super::conversations::release,
        super::conversations::transfer,
        super::conversations::send,
        super::conversations::send_file,
        super::conversations::add_note,
        super::conversations::close,
        super::conversations::make_case,
        super::conversations::presence,
        super::conversations::canned,
        super::conversations::colleagues,
        super::conversations::promises,
        super::conversations::end_promise,
        super::deputies::list,
        super::deputies::set,
        super::deputies::end,
        super::notices::list,
        super::notices::read,
        super::notices::read_all,
        super::notices::opened,
        super::track::show,
        super::track::act,
        super::admin::list_units,
        super::admin::list_users,
        super::admin::create_user,
        super::admin::change_user,
        super::admin::list_tokens,
        super::admin::create_token,
        super::admin::revoke_token,
        super::admin::list_calendars,
        super::admin::list_channels,
        super::admin::health,
        super::undelivered::list,
        super::undelivered::retry,
        super::suggestions::of_case,
        super::suggestions::of_conversation,
        super::suggestions::compare,
        super::suggestions::end,
        super::model::overview,
        super::model::exchanges,
        super::model::exchange,
        super::model::turn,
    ),
    components(schemas(crate::web::error::Problem, super::conversation_view::StaleProblem,))
)]
struct Described;

static DOCUMENT: LazyLock<Value> = LazyLock::new(build);
static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());
static PAGE: LazyLock<String> = LazyLock::new(|| page(&DOCUMENT));

/// The document.
pub fn value() -> &'static Value {
    &DOCUMENT
}

async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

async fn docs() -> Html<&'static str> {
    Html(PAGE.as_str())
}

fn build() -> Value {
    let mut document = serde_json::to_value(Described::openapi()).expect("the description serialises");
    let access: BTreeMap<(String, &str), Access> =
        router::all().iter().map(|route| ((route.method.as_str().to_lowercase(), route.path), route.access)).collect();
    for (path, summary, kind) in [
        ("/api/openapi.json", "This document", "application/json"),
        ("/api/docs", "This document as a page", "text/html"),
    ] {
        let schema = if kind == "text/html" { json!({ "type": "string" }) } else { json!(true) };
        document["paths"][path]["get"] = json!({
            "tags": ["openapi"],
            "summary": summary,
            "operationId": path.trim_start_matches("/api/").replace('.', "_"),
            "responses": { "200": { "description": summary, "content": { kind: { "schema": schema } } } },
        });
    }
    let paths = document["paths"].as_object_mut().expect("paths are an object");
    for (path, operations) in paths.iter_mut() {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            let known = access.get(&(method.clone(), path.as_str())).copied().unwrap_or(Access::Public);
            finish(operation, known);
        }
    }
    spare_bodies(&mut document);
    tighten(&mut document);
    document["components"]["securitySchemes"] = json!({
        "visitor": { "type": "http", "scheme": "bearer",
            "description": "Token of POST /api/chat/sessions, or the cookie it sets" },
        "officer_token": { "type": "http", "scheme": "bearer", "description": "API token (zhitong token create)" },
        "officer_session": { "type": "apiKey", "in": "cookie", "name": "__Host-zhitong",
            "description": "Session cookie (`zhitong` over plain http); unsafe requests need X-CSRF-Token or Origin" },
    });
    document
}

/// A body without required fields may be left out: nothing is read as `{}`.
fn spare_bodies(document: &mut Value) {
    let needs = |name: &str| -> bool {
        let schema = &document["components"]["schemas"][name];
        schema["type"] != "object" || schema["required"].as_array().is_some_and(|fields| !fields.is_empty())
    };
    let mut spared: Vec<(String, String)> = Vec::new();
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let name = schema.as_str().and_then(|reference| reference.rsplit('/').next());
            if name.is_some_and(|name| !needs(name)) {
                spared.push((path.clone(), method.clone()));
            }
        }
    }
    for (path, method) in spared {
        document["paths"][path][method]["requestBody"]["required"] = json!(false);
    }
}

/// Adds security and the error answers that every route of its kind has.
fn finish(operation: &mut Value, access: Access) {
    operation["security"] = match access {
        Access::Public | Access::Signed => json!([]),
        Access::Visitor => json!([{ "visitor": [] }]),
        Access::VisitorOrOfficer => json!([{ "visitor": [] }, { "officer_token": [] }, { "officer_session": [] }]),
        Access::AnyOfficer | Access::Officer(_) => json!([{ "officer_token": [] }, { "officer_session": [] }]),
    };
    if let Access::Officer(permission) = access {
        operation["x-permission"] = json!(permission.as_str());
    }
    let statuses: &[(&str, &str)] = match access {
        Access::Public | Access::Signed => &[("default", "A problem")],
        Access::Visitor => &[("401", "No valid token"), ("default", "A problem")],
        Access::AnyOfficer | Access::VisitorOrOfficer | Access::Officer(_) => {
            &[("401", "Not logged in"), ("403", "Not permitted"), ("default", "A problem")]
        }
    };
    let problem = json!({
        "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } }
    });
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, description) in statuses {
        let answer = responses.entry(*status).or_insert_with(|| json!({ "description": description }));
        answer["content"] = problem.clone();
    }
    for (status, answer) in responses.iter_mut() {
        if status.starts_with('4') || status.starts_with('5') {
            let own = answer["content"]["application/json"]["schema"].clone();
            answer["content"] = problem.clone();
            if own["$ref"].as_str().is_some_and(|name| !name.ends_with("/Problem")) {
                let schema = &mut answer["content"]["application/problem+json"]["schema"];
                *schema = json!({ "oneOf": [schema.clone(), own] });
            }
        }
    }
}

/// Text inside HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// A page without script: every operation with its parameters, request and answers.
fn page(document: &Value) -> String {
    let mut by_tag: BTreeMap<String, String> = BTreeMap::new();
    let empty = Map::new();
    for (path, operations) in document["paths"].as_object().unwrap_or(&empty) {
        for (method, operation) in operations.as_object().unwrap_or(&empty) {
            let tag = operation["tags"][0].as_str().unwrap_or("api").to_owned();
            let text = by_tag.entry(tag).or_default();
            let summary = operation["summary"].as_str().or(operation["description"].as_str()).unwrap_or_default();
            let _ = write!(
                text,
                "<details><summary><code>{} {}</code> {}</summary>",
                method.to_uppercase(),
                escape(path),
                escape(summary)
            );
            for (title, key) in [
                ("权限", "x-permission"),
                ("认证", "security"),
                ("参数", "parameters"),
                ("请求", "requestBody"),
                ("应答", "responses"),
            ] {
                let part = &operation[key];
                let is_empty = part.is_null() || part.as_array().is_some_and(Vec::is_empty);
                if !is_empty {
                    let shown = serde_json::to_string_pretty(part).unwrap_or_default();
                    let _ = write!(text, "<h4>{title}</h4><pre>{}</pre>", escape(&shown));
                }
            }
            text.push_str("</details>\n");
        }
    }
    let mut schemas = String::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap_or(&empty) {
        let shown = serde_json::to_string_pretty(schema).unwrap_or_default();
        let _ = writeln!(
            schemas,
            "<details><summary><code>{}</code></summary><pre>{}</pre></details>",
            escape(name),
            escape(&shown)
        );
    }
    let mut html = format!(
        "<!doctype html>\n<html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>接口文档 · 直通</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"{}\"></head><body><main class=\"page\"><h1>接口文档</h1>\
         <p>机器可读版本：<a href=\"/api/openapi.json\">/api/openapi.json</a>（OpenAPI 3.1）。</p>\n",
        static_files::asset("css/zhitong.css")
    );
    for (tag, text) in by_tag {
        let _ = write!(html, "<section><h2>{}</h2>\n{text}</section>\n", escape(&tag));
    }
    let _ = write!(html, "<section><h2>数据结构</h2>\n{schemas}</section>\n</main></body></html>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_and_the_router_list_the_same() {
        let listed: std::collections::BTreeSet<_> = router::all()
            .iter()
            .filter(|route| route.path.starts_with("/api/"))
            .map(|route| format!("{} {}", route.method.as_str().to_lowercase(), route.path))
            .collect();
        let described: std::collections::BTreeSet<_> = value()["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, operations)| {
                operations.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
            })
            .collect();
        let missing: Vec<_> = listed.difference(&described).collect();
        let stale: Vec<_> = described.difference(&listed).collect();
        assert!(missing.is_empty() && stale.is_empty(), "not described: {missing:?}; not routed: {stale:?}");
    }

    #[test]
    fn every_reference_points_to_a_schema() {
        let text = value().to_string();
        let schemas = value()["components"]["schemas"].as_object().unwrap();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
        assert!(value()["openapi"].as_str().unwrap().starts_with("3.1"));
        assert!(!PAGE.contains("http://") && !PAGE.contains("https://") && !PAGE.contains("<script"));
    }
}
