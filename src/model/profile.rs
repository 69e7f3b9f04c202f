//! What the implementations of the protocol want said differently. Known, not guessed: the operator names the profile.

use serde_json::{Map, Value, json};

use crate::{
    ports::model::{ModelOutput, ModelRequest},
    vocabulary,
};

vocabulary! {
    /// An implementation of the protocol.
    Profile {
        Deepseek = "deepseek", "DeepSeek";
        Dashscope = "dashscope", "通义千问（百炼兼容模式）";
        Vllm = "vllm", "vLLM";
        Ollama = "ollama", "Ollama";
        Llamacpp = "llamacpp", "llama.cpp";
        Openai = "openai", "其他 OpenAI 兼容接口";
    }
}

vocabulary! {
    /// How JSON is asked for.
    JsonMode {
        Schema = "schema", "按 JSON schema";
        Object = "object", "JSON 对象";
        Plain = "none", "只在提示词里要求";
    }
}

/// Temperature of every request: facts are wanted, and some platforms refuse 0.
const TEMPERATURE: f64 = 0.1;

impl Profile {
    /// How JSON is asked for unless the configuration says otherwise.
    pub const fn json(self) -> JsonMode {
        match self {
            Self::Vllm | Self::Ollama | Self::Llamacpp => JsonMode::Schema,
            Self::Deepseek | Self::Dashscope | Self::Openai => JsonMode::Object,
        }
    }

    /// Fields that switch thinking off.
    fn no_thinking(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Deepseek => &[("thinking", r#"{"type":"disabled"}"#)],
            Self::Dashscope => &[("enable_thinking", "false")],
            Self::Vllm | Self::Llamacpp => &[("chat_template_kwargs", r#"{"enable_thinking":false}"#)],
            Self::Ollama => &[("reasoning_effort", r#""none""#)],
            Self::Openai => &[],
        }
    }

    /// Asks for JSON of this schema.
    fn response_format(self, mode: JsonMode, schema: &str) -> Option<Value> {
        let schema = || serde_json::from_str::<Value>(schema).unwrap_or_else(|_| json!({"type": "object"}));
        match (mode, self) {
            (JsonMode::Plain, _) => None,
            (JsonMode::Object, _) => Some(json!({"type": "json_object"})),
            // Its manual has the schema beside the type, its code below `json_schema`: either reader finds it.
            (JsonMode::Schema, Self::Llamacpp) => Some(json!({
                "type": "json_schema", "schema": schema(), "json_schema": {"name": "answer", "schema": schema()},
            })),
            (JsonMode::Schema, Self::Deepseek | Self::Dashscope | Self::Vllm | Self::Ollama | Self::Openai) => {
                Some(json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": schema()}}))
            }
        }
    }
}

/// What a request says apart from the question itself.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    /// The implementation.
    pub(super) profile: Profile,
    /// The model's name.
    pub(super) model: String,
    /// How JSON is asked for.
    pub(super) json: JsonMode,
    /// Fields over those of the profile.
    pub(super) extra: Map<String, Value>,
    /// Fields that are not sent.
    pub(super) omit: Vec<String>,
}

impl Manner {
    /// The body of a request.
    pub(super) fn body(&self, request: &ModelRequest) -> Value {
        let mut lines: Vec<Value> =
            request.lines.iter().map(|line| json!({"role": line.role.as_str(), "content": line.text})).collect();
        let mut body = Map::new();
        if let ModelOutput::Json { schema } = &request.output {
            if let Some(format) = self.profile.response_format(self.json, schema) {
                body.insert("response_format".into(), format);
            }
            // Without the word some refuse the request and some write blanks until the tokens are used up.
            if self.json != JsonMode::Schema
                && !request.lines.iter().any(|line| line.text.to_lowercase().contains("json"))
            {
                let text = format!("只输出一个 JSON 对象，符合这个 JSON Schema：{schema}");
                lines.insert(0, json!({"role": "system", "content": text}));
            }
        }
        body.insert("model".into(), json!(self.model));
        body.insert("messages".into(), Value::Array(lines));
        body.insert("max_tokens".into(), json!(request.max_tokens));
        body.insert("temperature".into(), json!(TEMPERATURE));
        body.insert("stream".into(), json!(request.stream));
        if request.stream {
            body.insert("stream_options".into(), json!({"include_usage": true}));
        }
        for (key, value) in self.profile.no_thinking() {
            body.insert((*key).to_owned(), serde_json::from_str(value).expect("the table holds JSON"));
        }
        for (key, value) in &self.extra {
            body.insert(key.clone(), value.clone());
        }
        for key in &self.omit {
            body.remove(key);
        }
        Value::Object(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::model::{ModelLine, ModelRole, ModelTask};

    fn request(output: ModelOutput, stream: bool) -> ModelRequest {
        let lines = vec![ModelLine { role: ModelRole::User, text: "稳岗返还怎么申请".into() }];
        ModelRequest { task: ModelTask::Answer, lines, output, max_tokens: 500, stream }
    }

    fn manner(profile: Profile) -> Manner {
        let json = profile.json();
        Manner { profile, model: "m".into(), json, extra: Map::new(), omit: Vec::new() }
    }

    #[test]
    fn every_profile_switches_thinking_off_in_its_own_words() {
        let check = |profile: Profile, pointer: &str, expected: Value| {
            let body = manner(profile).body(&request(ModelOutput::Text, false));
            assert_eq!(body.pointer(pointer), Some(&expected), "{profile}: {body}");
        };
        check(Profile::Deepseek, "/thinking/type", json!("disabled"));
        check(Profile::Dashscope, "/enable_thinking", json!(false));
        check(Profile::Vllm, "/chat_template_kwargs/enable_thinking", json!(false));
        check(Profile::Ollama, "/reasoning_effort", json!("none"));
        check(Profile::Llamacpp, "/chat_template_kwargs/enable_thinking", json!(false));
        let plain = manner(Profile::Openai).body(&request(ModelOutput::Text, false));
        let mut keys: Vec<&String> = plain.as_object().expect("an object").keys().collect();
        keys.sort();
        assert_eq!(keys, ["max_tokens", "messages", "model", "stream", "temperature"]);
    }

    #[test]
    fn json_is_asked_for_as_the_profile_can() {
        let schema = r#"{"type":"object","required":["answer"]}"#;
        let ask = |profile: Profile| manner(profile).body(&request(ModelOutput::Json { schema: schema.into() }, true));
        for profile in [Profile::Deepseek, Profile::Dashscope, Profile::Openai] {
            let body = ask(profile);
            assert_eq!(body["response_format"], json!({"type": "json_object"}), "{profile}");
            assert!(body["messages"][0]["content"].as_str().is_some_and(|text| text.contains("JSON")), "{profile}");
        }
        for profile in [Profile::Vllm, Profile::Ollama, Profile::Llamacpp] {
            let body = ask(profile);
            assert_eq!(body["response_format"]["type"], "json_schema", "{profile}");
            assert_eq!(body["response_format"]["json_schema"]["schema"]["required"], json!(["answer"]), "{profile}");
            assert_eq!(body["messages"].as_array().map(Vec::len), Some(1), "{profile}");
        }
        assert_eq!(ask(Profile::Llamacpp)["response_format"]["schema"]["required"], json!(["answer"]));
        assert_eq!(ask(Profile::Vllm)["stream_options"]["include_usage"], true);
        let mut plain = manner(Profile::Openai);
        plain.json = JsonMode::Plain;
        let body = plain.body(&request(ModelOutput::Json { schema: schema.into() }, false));
        assert_eq!(body.get("response_format"), None);
        assert!(body["messages"][0]["content"].as_str().is_some_and(|text| text.contains(schema)));
    }

    #[test]
    fn the_operator_has_the_last_word() {
        let mut manner = manner(Profile::Deepseek);
        manner.extra.insert("thinking".into(), json!({"type": "enabled"}));
        manner.extra.insert("top_p".into(), json!(0.8));
        manner.omit = vec!["temperature".into(), "stream_options".into()];
        let body = manner.body(&request(ModelOutput::Text, true));
        assert_eq!((&body["thinking"]["type"], &body["top_p"]), (&json!("enabled"), &json!(0.8)));
        assert_eq!((body.get("temperature"), body.get("stream_options")), (None, None));
    }
}
