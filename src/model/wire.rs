//! What endpoints answer, read with patience: every deviation that was met in the wild is read here or refused here.
//!
//! Nothing of an answer but its content gets out: no thinking, no tools, no pictures, no message of an error (it may
//! repeat the key or the question).

use serde_json::Value;

use crate::ports::model::{ModelFailureKind, ModelFinish, ModelUsage};

/// Longest text of an error code.
const LONGEST_CODE: usize = 80;

/// Reasons to end that are none: what stands there is a piece of an answer.
const BROKEN_OFF: [&str; 4] = ["insufficient_system_resource", "error", "abort", "aborted"];

/// An error of the endpoint in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Complaint {
    /// `code`, a text or a number.
    pub(super) code: String,
    /// `type`.
    pub(super) kind: String,
    /// `param`.
    pub(super) param: String,
    /// `message`: to decide by, never to be shown.
    pub(super) message: String,
}

/// What one answer or one piece of it says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Said {
    /// Content; nothing where it is null, missing or somebody else's turn.
    pub(super) content: Option<String>,
    /// Characters of thinking.
    pub(super) thinking: usize,
    /// It wants a tool to be called.
    pub(super) tools: bool,
    /// It says in so many words that it refuses.
    pub(super) refused: bool,
    /// Why it ended.
    pub(super) finish: Option<ModelFinish>,
    /// Tokens.
    pub(super) usage: Option<ModelUsage>,
    /// The model's name.
    pub(super) model: Option<String>,
}

/// An answer or a piece of one that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) &'static str);

/// Reads a whole answer or a chunk of a stream; an error in its place is `Ok(Err(…))`.
///
/// # Errors
/// [`Unreadable`].
pub(super) fn read(text: &str) -> Result<Result<Said, Complaint>, Unreadable> {
    let value: Value = serde_json::from_str(text).map_err(|_| Unreadable("no JSON"))?;
    if let Some(complaint) = complaint(&value) {
        return Ok(Err(complaint));
    }
    let Some(choices) = value.get("choices").and_then(Value::as_array) else {
        // A chunk that only tells usage, or a greeting of a proxy, has no choices.
        let known = ["usage", "id", "object"].iter().any(|key| value.get(key).is_some());
        return if known { Ok(Ok(with_usage(&value, Said::default()))) } else { Err(Unreadable("no choices")) };
    };
    let first = choices.iter().find(|choice| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0);
    let Some(choice) = first else { return Ok(Ok(with_usage(&value, Said::default()))) };
    let part = ["delta", "message"].iter().filter_map(|key| choice.get(key)).find(|part| part.is_object());
    if choice.get("finish_reason").and_then(Value::as_str).is_some_and(|reason| BROKEN_OFF.contains(&reason)) {
        let code = "the answer was broken off at the endpoint".to_owned();
        return Ok(Err(Complaint { code, ..Complaint::default() }));
    }
    let mut said = Said { finish: finish(choice.get("finish_reason")), ..Said::default() };
    if let Some(part) = part {
        said.content = content(part.get("content"))?;
        said.thinking = ["reasoning_content", "reasoning", "thinking"]
            .iter()
            .filter_map(|key| part.get(key)?.as_str())
            .map(|text| text.chars().count())
            .max()
            .unwrap_or(0);
        let some =
            |key: &str| part.get(key).is_some_and(|v| !v.is_null() && v.as_array().is_none_or(|a| !a.is_empty()));
        said.tools = some("tool_calls") || some("function_call");
        said.refused = part.get("refusal").and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    }
    Ok(Ok(with_usage(&value, said)))
}

fn with_usage(value: &Value, mut said: Said) -> Said {
    said.model =
        value.get("model").and_then(Value::as_str).map(|name| plain(name, 100)).filter(|name| !name.is_empty());
    said.usage = value.get("usage").and_then(|usage| {
        let count = |keys: [&str; 2]| keys.iter().find_map(|key| usage.get(key)?.as_u64());
        let prompt = count(["prompt_tokens", "input_tokens"])?;
        let completion = count(["completion_tokens", "output_tokens"]).unwrap_or(0);
        Some(ModelUsage { prompt, completion, estimated: false })
    });
    said
}

/// Content is a text, null, or a list of parts of which only the texts count.
fn content(value: Option<&Value>) -> Result<Option<String>, Unreadable> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(clean(text))),
        Some(Value::Array(parts)) => {
            let texts =
                parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str).or_else(|| part.as_str()));
            Ok(Some(clean(&texts.collect::<String>())))
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => Err(Unreadable("content is no text")),
    }
}

/// Without control characters: no database and no terminal wants them.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

fn finish(value: Option<&Value>) -> Option<ModelFinish> {
    Some(match value?.as_str()? {
        "" | "null" => return None,
        "stop" | "eos" | "end_turn" | "stop_sequence" => ModelFinish::Stop,
        "length" | "max_tokens" => ModelFinish::Length,
        "content_filter" | "sensitive" => ModelFinish::Filtered,
        "tool_calls" | "function_call" => ModelFinish::Tool,
        _ => ModelFinish::Unknown,
    })
}

/// The error in an answer: nested, flat (vLLM before 0.10.1, DashScope) or a bare text.
fn complaint(value: &Value) -> Option<Complaint> {
    let nested = value.get("error").filter(|error| !error.is_null());
    let flat = || {
        let is_error = value.get("object").and_then(Value::as_str) == Some("error")
            || (value.get("choices").is_none()
                && value.get("message").is_some_and(Value::is_string)
                && (value.get("code").is_some() || value.get("type").is_some()));
        is_error.then_some(value)
    };
    // FastAPI and gateways: {"detail": "…"}.
    let bare = || value.get("detail").filter(|_| value.get("choices").is_none());
    let error = nested.or_else(flat).or_else(bare)?;
    if let Some(message) = error.as_str() {
        return Some(Complaint { message: message.to_owned(), ..Complaint::default() });
    }
    let word = |key: &str| match error.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => String::new(),
    };
    Some(Complaint { code: word("code"), kind: word("type"), param: word("param"), message: word("message") })
}

/// The error in the body of a refusal; a body that is no JSON tells nothing.
pub(super) fn read_complaint(body: &[u8]) -> Complaint {
    serde_json::from_slice::<Value>(body).ok().and_then(|value| complaint(&value)).unwrap_or_default()
}

/// Letters, digits and marks of a code, cut to what a code has.
fn plain(text: &str, most: usize) -> String {
    let fit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | '[' | ']' | ' ');
    text.chars().filter(fit).take(most).collect()
}

impl Complaint {
    /// What it means. The code decides before the status: 429 is used for a full second and for an empty purse.
    pub(super) fn meaning(&self, status: Option<u16>) -> ModelFailureKind {
        use ModelFailureKind as K;
        let words = format!("{} {}", self.code, self.kind).to_ascii_lowercase();
        let message = self.message.to_ascii_lowercase();
        let any = |list: &[&str]| list.iter().any(|word| words.contains(word));
        let told = |list: &[&str]| list.iter().any(|word| message.contains(word));
        if any(&["content_filter", "content_policy", "datainspection", "data_inspection", "sensitive", "moderation"])
            || told(&["content exists risk", "inappropriate content", "datainspectionfailed"])
        {
            return K::Filtered;
        }
        if any(&[
            "insufficient_quota",
            "insufficient_balance",
            "insufficient balance",
            "arrearage",
            "billing",
            "credit_balance",
            "spend_limit_exceeded",
            "usage_limit_exceeded",
            "freetieronly",
            "budget_exceeded",
        ]) || told(&["insufficient balance", "exceeded your current quota"])
        {
            return K::Unpaid;
        }
        if any(&["rate_limit", "ratelimit", "slow_down", "throttling", "limit_requests", "limit_burst", "too_many"]) {
            return K::Limited;
        }
        if any(&["invalid_api_key", "invalidapikey", "authentication", "unauthorized", "permission", "access_denied"]) {
            return K::Unauthorised;
        }
        match status.or_else(|| self.code.parse().ok().filter(|code| (300..=599).contains(code))) {
            // Something before the endpoint did not like the words: no other question needs to fail.
            Some(403) if *self == Self::default() => K::Rejected,
            Some(401 | 403 | 407) => K::Unauthorised,
            Some(402) => K::Unpaid,
            Some(429) => K::Limited,
            Some(300..=407 | 409..=499) => K::Rejected,
            None if any(&["invalid_request", "badrequest", "not_found", "unsupported", "context_length"]) => {
                K::Rejected
            }
            Some(_) | None => K::Unavailable,
        }
    }

    /// Code, type and parameter for logs, never the message.
    pub(super) fn detail(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        for word in [&self.code, &self.kind, &self.param] {
            let word = plain(word, LONGEST_CODE);
            let word = word.trim().to_owned();
            if !word.is_empty() && !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(" ")
    }
}

/// Whether a short text without an object is a refusal in words, as platforms give with HTTP 200.
pub(super) fn is_refusal(text: &str) -> bool {
    const PHRASES: [&str; 12] = [
        "我无法回答",
        "无法回答您",
        "无法回答这个",
        "无法为您提供",
        "无法提供相关",
        "不能回答",
        "作为一个人工智能",
        "作为一个ai",
        "作为人工智能",
        "我们换个话题",
        "i can't assist",
        "i cannot assist",
    ];
    let lower = text.to_lowercase().replace('’', "'");
    text.chars().count() <= 160
        && !text.contains('{')
        && (PHRASES.iter().any(|phrase| lower.contains(phrase))
            || (lower.contains("sorry") && (lower.contains("can't") || lower.contains("cannot"))))
}

/// About how many tokens a text has: one for a Chinese character, one for three others. Rather too many than too few.
pub(super) fn tokens(text: &str) -> u64 {
    let wide = text.chars().filter(|c| !c.is_ascii()).count() as u64;
    let narrow = text.chars().filter(char::is_ascii).count() as u64;
    wide + narrow.div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        read(text).expect("readable").expect("no error")
    }

    #[test]
    fn content_is_read_in_every_shape_and_nothing_else_is_content() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(said(text).content.as_deref(), expected, "{text}");
        };
        check(r#"{"choices":[{"message":{"content":"可以"}}]}"#, Some("可以"));
        check(r#"{"choices":[{"index":0,"delta":{"content":"可"},"finish_reason":null}]}"#, Some("可"));
        check(r#"{"choices":[{"message":{"content":null,"reasoning_content":"想"}}]}"#, None);
        check(r#"{"choices":[{"message":{"role":"assistant"}}]}"#, None);
        check(r#"{"choices":[{"delta":{"reasoning":"想"}}]}"#, None);
        check(r#"{"choices":[{"index":1,"delta":{"content":"别的"}}]}"#, None);
        check(r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#, None);
        check(
            r#"{"choices":[{"message":{"content":[{"type":"text","text":"甲"},{"type":"image_url","image_url":{"url":"http://x"}},{"type":"text","text":"乙"}]}}]}"#,
            Some("甲乙"),
        );
        check("{\"choices\":[{\"delta\":{\"content\":\"a\\u0000\\u001b[2J\\nb\"}}]}", Some("a[2J\nb"));
        assert_eq!(read(r#"{"choices":[{"delta":{"content":7}}]}"#), Err(Unreadable("content is no text")));
        assert_eq!(read("<html>"), Err(Unreadable("no JSON")));
        assert_eq!(read(r#"{"hello":1}"#), Err(Unreadable("no choices")));
        let deep = format!("{{\"choices\":{}", "[".repeat(100_000));
        assert_eq!(read(&deep), Err(Unreadable("no JSON")));
    }

    #[test]
    fn thinking_tools_refusals_ends_and_usage_are_noticed() {
        assert_eq!(said(r#"{"choices":[{"delta":{"reasoning":"想一想","reasoning_content":"想"}}]}"#).thinking, 3);
        let tool = said(
            r#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"1"}]},"finish_reason":"tool_calls"}]}"#,
        );
        assert_eq!((tool.tools, tool.finish), (true, Some(ModelFinish::Tool)));
        assert!(!said(r#"{"choices":[{"message":{"content":"x","tool_calls":[]}}]}"#).tools);
        assert!(said(r#"{"choices":[{"message":{"content":null,"refusal":"no"}}]}"#).refused);
        for (word, expected) in [
            ("\"stop\"", Some(ModelFinish::Stop)),
            ("\"length\"", Some(ModelFinish::Length)),
            ("\"content_filter\"", Some(ModelFinish::Filtered)),
            ("\"something_new\"", Some(ModelFinish::Unknown)),
            ("\"\"", None),
            ("null", None),
        ] {
            assert_eq!(said(&format!(r#"{{"choices":[{{"finish_reason":{word}}}]}}"#)).finish, expected, "{word}");
        }
        let usage = said(r#"{"model":"q\u0000wen","usage":{"prompt_tokens":3,"completion_tokens":4},"choices":[]}"#);
        assert_eq!(usage.usage, Some(ModelUsage { prompt: 3, completion: 4, estimated: false }));
        assert_eq!(usage.model.as_deref(), Some("qwen"));
        assert_eq!(said(r#"{"choices":[],"usage":null}"#).usage, None);
    }

    #[test]
    fn errors_are_understood_by_their_code_before_their_status() {
        use ModelFailureKind as K;
        let check = |body: &str, status: Option<u16>, expected: K| {
            assert_eq!(read_complaint(body.as_bytes()).meaning(status), expected, "{status:?} {body}");
        };
        // OpenAI's shape; code may be null or a number.
        check(
            r#"{"error":{"message":"m","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            Some(401),
            K::Unauthorised,
        );
        check(r#"{"error":{"message":"m","type":"api_error","code":null}}"#, Some(500), K::Unavailable);
        check(r#"{"error":{"message":"m","type":"BadRequestError","code":400}}"#, Some(400), K::Rejected);
        check(r#"{"error":{"message":"m","code":400}}"#, None, K::Rejected);
        check(r#"{"error":{"message":"m","code":503}}"#, None, K::Unavailable);
        check(r#"{"error":"model not loaded"}"#, None, K::Unavailable);
        // Flat: vLLM before 0.10.1.
        check(
            r#"{"object":"error","message":"m","type":"NotFoundError","param":null,"code":404}"#,
            Some(404),
            K::Rejected,
        );
        check(
            r#"{"object":"error","message":"m","type":"BadRequestError","param":null,"code":400}"#,
            None,
            K::Rejected,
        );
        // 429 for a full second and for an empty purse.
        check(r#"{"error":{"message":"m","type":"requests","code":"rate_limit_exceeded"}}"#, Some(429), K::Limited);
        check(
            r#"{"error":{"message":"m","type":"insufficient_quota","code":"credit_balance_exhausted"}}"#,
            Some(429),
            K::Unpaid,
        );
        check(r#"{"error":{"message":"m","code":"project_spend_limit_exceeded"}}"#, Some(429), K::Unpaid);
        check(
            r#"{"error":{"message":"m","code":"Throttling.RateQuota","type":"Throttling.RateQuota"}}"#,
            Some(429),
            K::Limited,
        );
        check(
            r#"{"code":"Arrearage","message":"Access denied, please make sure your account is in good standing.","request_id":"1"}"#,
            Some(400),
            K::Unpaid,
        );
        check(r#"{"code":"DataInspectionFailed","message":"m"}"#, Some(400), K::Filtered);
        check(
            r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","code":"invalid_request_error"}}"#,
            Some(400),
            K::Filtered,
        );
        check(
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
            Some(402),
            K::Unpaid,
        );
        // No JSON at all.
        check("<html><h1>502 Bad Gateway</h1></html>", Some(502), K::Unavailable);
        check("upstream connect error", Some(503), K::Unavailable);
        check("", Some(403), K::Rejected);
        check("", Some(302), K::Rejected);
        check(r#"{"detail":"Not Found"}"#, Some(404), K::Rejected);
    }

    #[test]
    fn the_message_of_an_error_is_never_shown() {
        let body = r#"{"error":{"message":"Incorrect API key provided: sk-geheim","type":"invalid_request_error","code":"invalid_api_key","param":"model\u001b[2J"}}"#;
        assert_eq!(read_complaint(body.as_bytes()).detail(), "invalid_api_key invalid_request_error model[2J");
        let long = format!(r#"{{"error":{{"code":"{}"}}}}"#, "x".repeat(10_000));
        assert_eq!(read_complaint(long.as_bytes()).detail().len(), LONGEST_CODE);
    }

    #[test]
    fn refusals_in_words_are_told_from_answers() {
        for text in [
            "抱歉，我无法回答这个问题。",
            "您好，我无法为您提供相关信息，我们换个话题吧",
            "I'm sorry, but I can't help with that.",
        ] {
            assert!(is_refusal(text), "{text}");
        }
        for text in [
            "符合条件的企业可以申请稳岗返还。",
            "很抱歉给您带来不便，现就您反映的问题答复如下",
            "{\"status\":\"not_found\",\"answer\":\"我无法回答\"}",
        ] {
            assert!(!is_refusal(text), "{text}");
        }
    }

    #[test]
    fn tokens_are_estimated_rather_too_high() {
        assert_eq!(tokens("稳岗返还"), 4);
        assert_eq!(tokens("stable jobs"), 4);
        assert_eq!(tokens(""), 0);
    }
}
