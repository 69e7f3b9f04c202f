//! Extractors whose refusals are problems: JSON bodies, queries, path parameters.

use axum::{
    body::Bytes,
    extract::{Form, FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

use super::error::WebError;
use crate::app::{AppError, FieldError};

/// A JSON body. Unknown fields are refused when the type says `deny_unknown_fields`, which request types do.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = WebError;

    async fn from_request(request: Request, state: &S) -> Result<Self, WebError> {
        // What has no type may have no body either: clients leave both out where nothing is to be said.
        let untyped = !request.headers().contains_key(header::CONTENT_TYPE);
        if !untyped && !is_json(request.headers()) {
            return Err(WebError(AppError::Unsupported { code: "unsupported_media_type" }));
        }
        let bytes = whole(request, state).await?;
        if untyped && !bytes.is_empty() {
            return Err(WebError(AppError::Unsupported { code: "unsupported_media_type" }));
        }
        // An empty body stands for an empty object: every field has its default.
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        parse(bytes).map(Self).map_err(WebError)
    }
}

/// The body of a request that takes none: empty, of whatever type, or an empty JSON object.
#[derive(Debug)]
pub struct Nothing;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

impl<S: Send + Sync> FromRequest<S> for Nothing {
    type Rejection = WebError;

    async fn from_request(request: Request, state: &S) -> Result<Self, WebError> {
        let json = is_json(request.headers());
        let bytes = whole(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self);
        }
        if !json {
            return Err(WebError(AppError::Unsupported { code: "unsupported_media_type" }));
        }
        parse(&bytes).map(|Empty {}| Self).map_err(WebError)
    }
}

async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, WebError> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            WebError(AppError::TooLarge { code: "too_large" })
        } else {
            WebError(malformed("请求没有传完整"))
        }
    })
}

/// A JSON object as its type. An array, which serde would read as the fields in order, is refused.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AppError> {
    let is_array = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_array && serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
        return Err(AppError::field("", "类型或取值不对"));
    }
    // No database keeps it and no person types it.
    if bytes.windows(6).any(|part| part == br"\u0000")
        && let Ok(value) = serde_json::from_slice::<Value>(bytes)
        && let Some(pointer) = nul_in(&value, String::new())
    {
        return Err(AppError::field(pointer, "内容含有不能保存的字符"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| from_serde(&pointer_to(error.path()), error.inner()))?;
    reader.end().map_err(|error| from_serde("", &error))?;
    Ok(read)
}

/// JSON pointer to where reading stopped.
fn pointer_to(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => format!("{pointer}/{}", escaped(key)),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// JSON pointer to the first text with a NUL in it.
fn nul_in(value: &Value, pointer: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(pointer),
        Value::Array(items) => items.iter().enumerate().find_map(|(n, item)| nul_in(item, format!("{pointer}/{n}"))),
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            if key.contains('\0') { Some(pointer.clone()) } else { nul_in(value, format!("{pointer}/{key}")) }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The fields of a page's form.
#[derive(Debug)]
pub struct Fields<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Fields<T> {
    type Rejection = WebError;

    async fn from_request(request: Request, state: &S) -> Result<Self, WebError> {
        let wrong = |detail: &str| {
            WebError(AppError::Invalid { code: "bad_request", detail: Some(detail.to_owned()), errors: Vec::new() })
        };
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded"));
        if !is_form {
            return Err(WebError(AppError::Unsupported { code: "unsupported_media_type" }));
        }
        let (parts, body) = request.into_parts();
        let head = Request::from_parts(parts.clone(), body);
        let bytes = whole(head, state).await?;
        if bytes.contains(&0) || bytes.windows(3).any(|part| part == b"%00") {
            return Err(wrong("内容含有不能保存的字符。"));
        }
        match Form::from_request(Request::from_parts(parts, bytes.into()), state).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(_) => Err(wrong("表单不完整或填写有误，请返回上一页重填。")),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let kind = value.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
    })
}

fn malformed(detail: &str) -> AppError {
    AppError::Invalid { code: "malformed_json", detail: Some(detail.to_owned()), errors: Vec::new() }
}

fn from_serde(at: &str, error: &serde_json::Error) -> AppError {
    match error.classify() {
        serde_json::error::Category::Data => {
            let text = error.to_string();
            let field = text.split('`').nth(1).unwrap_or_default();
            let message = if text.starts_with("unknown field") {
                "没有这个字段"
            } else if text.starts_with("missing field") {
                "缺少这个字段"
            } else if text.starts_with("duplicate field") {
                "字段重复"
            } else {
                "类型或取值不对"
            };
            let named = ["unknown field", "missing field", "duplicate field"].iter().any(|p| text.starts_with(p));
            let field = format!("/{}", escaped(field));
            // An unknown field is where reading stopped, a missing one is in it.
            let pointer = if named && !at.ends_with(&field) { format!("{at}{field}") } else { at.to_owned() };
            AppError::invalid("invalid_fields", vec![FieldError::new(pointer, message)])
        }
        serde_json::error::Category::Io | serde_json::error::Category::Syntax | serde_json::error::Category::Eof => {
            malformed(&format!("请求内容不是有效的 JSON（第 {} 行第 {} 列）。", error.line(), error.column()))
        }
    }
}

/// Parameters of the query string.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(_) => Err(WebError(AppError::Invalid {
                code: "bad_request",
                detail: Some("网址中的参数不对。".into()),
                errors: Vec::new(),
            })),
        }
    }
}

/// A parameter of the path that parses; anything else is not found.
#[derive(Debug)]
pub struct Arg<T>(pub T);

impl<S: Send + Sync, T: std::str::FromStr + Send> FromRequestParts<S> for Arg<T> {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebError> {
        let not_found = || WebError(AppError::NotFound);
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| not_found())?;
        text.parse().map(Self).map_err(|_| not_found())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(rename = "text")]
        _text: String,
        #[serde(rename = "more")]
        _more: Option<More>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct More {
        #[serde(rename = "name")]
        _name: String,
    }

    #[test]
    fn json_mistakes_name_the_field() {
        let check = |json: &str, code: &str, pointer: Option<&str>| {
            let error = parse::<Sample>(json.as_bytes()).unwrap_err();
            let AppError::Invalid { code: found, errors, .. } = error else { panic!("{error:?}") };
            assert_eq!(found, code, "{json}");
            assert_eq!(errors.first().map(|error| error.pointer.as_str()), pointer, "{json}");
        };
        check(r#"{"text":"a","role":"admin"}"#, "invalid_fields", Some("/role"));
        check("{}", "invalid_fields", Some("/text"));
        check(r#"{"text":5}"#, "invalid_fields", Some("/text"));
        check(r#"{"text":"a","more":{"name":5}}"#, "invalid_fields", Some("/more/name"));
        check(r#"{"text":"a","more":{"other":5}}"#, "invalid_fields", Some("/more/other"));
        check(r#"{"text":"a","more":{}}"#, "invalid_fields", Some("/more/name"));
        check(r#"{"text":"a"} x"#, "malformed_json", None);
        check(r#"{"text":"a"#, "malformed_json", None);
        check("[", "malformed_json", None);
        check(r#" ["a"]"#, "invalid_fields", Some(""));
        check(r#"{"text":"a\u0000b"}"#, "invalid_fields", Some("/text"));
    }
}
