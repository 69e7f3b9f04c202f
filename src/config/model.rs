//! `[model]`: the optional language model, its fallbacks, limits and budgets.
//!
//! Hosts that are ever asked stand here and nowhere else. Nothing is looked up or connected to.

use secrecy::SecretString;
use serde::Deserialize;

use super::{Problem, SIX_MONTHS};

/// The profiles an endpoint can have: what it calls things and how thinking is switched off.
pub const MODEL_PROFILES: [&str; 6] = ["deepseek", "dashscope", "vllm", "ollama", "llamacpp", "openai"];

/// Fields of a request that the gateway decides itself.
const OWN_FIELDS: [&str; 6] = ["messages", "model", "stream", "tools", "tool_choice", "functions"];

/// `[model]`: an OpenAI-compatible endpoint, what may be spent on it, and who answers in its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Name in logs and on the console; empty: the host.
    pub name: String,
    /// One of [`MODEL_PROFILES`].
    pub profile: String,
    /// Base address, ending in `/v1` or what the endpoint has in its place.
    pub base_url: String,
    /// The key; empty: none is sent.
    pub api_key: SecretString,
    /// File that holds the key.
    pub api_key_file: Option<String>,
    /// Model name.
    pub model: String,
    /// Yuan for a million tokens of questions.
    pub price_prompt: f64,
    /// Yuan for a million tokens of answers.
    pub price_completion: f64,
    /// How JSON is asked for: `schema`, `object` or `none`; empty: as the profile does.
    pub json: String,
    /// More fields of every request, over those of the profile.
    pub extra: toml::Table,
    /// Fields of the profile that are not sent.
    pub omit: Vec<String>,
    /// More headers of every request.
    pub headers: toml::Table,
    /// `[[model.fallback]]`: asked in order when those before them fail.
    pub fallback: Vec<ModelEndpoint>,
    /// Milliseconds to connect.
    pub connect_ms: u64,
    /// Milliseconds to the first content, after which the next endpoint is asked.
    pub first_content_ms: u64,
    /// Milliseconds between pieces of content; keep-alives and thinking do not count.
    pub gap_ms: u64,
    /// Milliseconds of a whole question, retry and fallbacks included.
    pub timeout_ms: u64,
    /// The same for classification, which has the rules to fall back on.
    pub classify_timeout_ms: u64,
    /// Calls of one endpoint at the same time.
    pub concurrency: usize,
    /// Milliseconds that a call waits for its turn.
    pub wait_ms: u64,
    /// Longest answer in bytes.
    pub max_answer_bytes: usize,
    /// Tokens a day.
    pub daily_token_budget: Option<u64>,
    /// Tokens a month.
    pub monthly_token_budget: Option<u64>,
    /// Yuan a day.
    pub daily_yuan_budget: Option<f64>,
    /// Yuan a month.
    pub monthly_yuan_budget: Option<f64>,
    /// Tokens of one user in an hour.
    pub user_hourly_tokens: Option<u64>,
    /// Days for which exchanges with a model are kept.
    pub retention_days: u32,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            profile: "openai".into(),
            base_url: String::new(),
            api_key: SecretString::default(),
            api_key_file: None,
            model: String::new(),
            price_prompt: 0.0,
            price_completion: 0.0,
            json: String::new(),
            extra: toml::Table::new(),
            omit: Vec::new(),
            headers: toml::Table::new(),
            fallback: Vec::new(),
            connect_ms: 3_000,
            first_content_ms: 8_000,
            gap_ms: 15_000,
            timeout_ms: 30_000,
            classify_timeout_ms: 6_000,
            concurrency: 8,
            wait_ms: 1_000,
            max_answer_bytes: 64 * 1024,
            daily_token_budget: None,
            monthly_token_budget: None,
            daily_yuan_budget: None,
            monthly_yuan_budget: None,
            user_hourly_tokens: None,
            retention_days: SIX_MONTHS,
        }
    }
}

/// `[[model.fallback]]`: another endpoint; the fields mean what they mean in `[model]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelEndpoint {
    /// Name in logs and on the console; empty: the host.
    pub name: String,
    /// One of [`MODEL_PROFILES`].
    pub profile: String,
    /// Base address.
    pub base_url: String,
    /// The key; empty: none is sent.
    pub api_key: SecretString,
    /// File that holds the key.
    pub api_key_file: Option<String>,
    /// Model name.
    pub model: String,
    /// Yuan for a million tokens of questions.
    pub price_prompt: f64,
    /// Yuan for a million tokens of answers.
    pub price_completion: f64,
    /// How JSON is asked for.
    pub json: String,
    /// More fields of every request.
    pub extra: toml::Table,
    /// Fields of the profile that are not sent.
    pub omit: Vec<String>,
    /// More headers of every request.
    pub headers: toml::Table,
}

impl Default for ModelEndpoint {
    fn default() -> Self {
        let ModelConfig { name, profile, base_url, api_key, api_key_file, model, json, extra, omit, headers, .. } =
            ModelConfig::default();
        let (price_prompt, price_completion) = (0.0, 0.0);
        Self {
            name,
            profile,
            base_url,
            api_key,
            api_key_file,
            model,
            price_prompt,
            price_completion,
            json,
            extra,
            omit,
            headers,
        }
    }
}

impl ModelEndpoint {
    /// Its name, or the host where it has none.
    pub fn name(&self) -> String {
        if self.name.is_empty() { host(&self.base_url).to_owned() } else { self.name.clone() }
    }
}

impl ModelConfig {
    /// Every endpoint in the order in which they are asked.
    pub fn endpoints(&self) -> Vec<ModelEndpoint> {
        let first = ModelEndpoint {
            name: self.name.clone(),
            profile: self.profile.clone(),
            base_url: self.base_url.clone(),
            api_key: self.api_key.clone(),
            api_key_file: self.api_key_file.clone(),
            model: self.model.clone(),
            price_prompt: self.price_prompt,
            price_completion: self.price_completion,
            json: self.json.clone(),
            extra: self.extra.clone(),
            omit: self.omit.clone(),
            headers: self.headers.clone(),
        };
        std::iter::once(first).chain(self.fallback.iter().cloned()).collect()
    }

    /// Everything wrong with the section.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |place: String, message: String| problems.push(Problem { place, message });
        let endpoints = self.endpoints();
        for (n, endpoint) in endpoints.iter().enumerate() {
            let place = if n == 0 { "model".to_owned() } else { format!("model.fallback[{}]", n - 1) };
            for (key, message) in endpoint_problems(endpoint) {
                add(format!("{place}.{key}"), message);
            }
            let name = endpoint.name();
            if endpoints.iter().take(n).any(|earlier| earlier.name() == name) {
                add(format!("{place}.name"), format!("已有名为“{name}”的端点，请用 name 起不同的名字"));
            }
        }
        let mut within = |key: &str, value: u64, least: u64, most: u64| {
            if !(least..=most).contains(&value) {
                add(format!("model.{key}"), format!("要在 {least} 与 {most} 之间"));
            }
        };
        within("connect_ms", self.connect_ms, 100, 30_000);
        within("timeout_ms", self.timeout_ms, 1_000, 600_000);
        within("first_content_ms", self.first_content_ms, 100, self.timeout_ms.max(100));
        within("gap_ms", self.gap_ms, 100, self.timeout_ms.max(100));
        within("classify_timeout_ms", self.classify_timeout_ms, 100, self.timeout_ms.max(100));
        within("concurrency", self.concurrency as u64, 1, 256);
        within("wait_ms", self.wait_ms, 0, 10_000);
        within("max_answer_bytes", self.max_answer_bytes as u64, 1_024, 4 * 1024 * 1024);
        within("retention_days", u64::from(self.retention_days), u64::from(SIX_MONTHS), 3_650);
        for (key, tokens) in [
            ("daily_token_budget", self.daily_token_budget),
            ("monthly_token_budget", self.monthly_token_budget),
            ("user_hourly_tokens", self.user_hourly_tokens),
        ] {
            if tokens == Some(0) {
                add(format!("model.{key}"), "要大于 0；不限额就去掉这一项，不用模型就去掉 [model]".into());
            }
        }
        let priced = endpoints.iter().any(|e| e.price_prompt > 0.0 || e.price_completion > 0.0);
        for (key, yuan) in
            [("daily_yuan_budget", self.daily_yuan_budget), ("monthly_yuan_budget", self.monthly_yuan_budget)]
        {
            let Some(yuan) = yuan else { continue };
            if !(yuan.is_finite() && yuan > 0.0) {
                add(format!("model.{key}"), "要大于 0；不限额就去掉这一项".into());
            } else if !priced {
                add(format!("model.{key}"), "没有写 price_prompt、price_completion，算不出费用".into());
            }
        }
        problems
    }
}

/// Key and message of everything wrong with one endpoint.
fn endpoint_problems(endpoint: &ModelEndpoint) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let mut add = |key: &'static str, message: String| problems.push((key, message));
    let url = endpoint.base_url.as_str();
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        None if url.is_empty() => add("base_url", "要填模型服务的网址，如 http://127.0.0.1:8000/v1".into()),
        None => add("base_url", "要以 http:// 或 https:// 开头".into()),
        Some(_) if host(url).is_empty() => add("base_url", "没有主机名".into()),
        Some(rest) if rest.contains(['@', '?', '#']) || rest.contains(char::is_whitespace) => {
            add("base_url", "只写到 /v1 这一段：不含账号、密码、参数；密钥写在 api_key_file".into());
        }
        Some(rest) if rest.trim_end_matches('/').ends_with("/chat/completions") => {
            add("base_url", "只写到 /v1 为止，不含 /chat/completions".into());
        }
        Some(_) => {}
    }
    if endpoint.model.trim().is_empty() {
        add("model", "要填模型名".into());
    }
    if !MODEL_PROFILES.contains(&endpoint.profile.as_str()) {
        add("profile", format!("没有“{}”这种，可用：{}", endpoint.profile, MODEL_PROFILES.join("、")));
    }
    if !["", "schema", "object", "none"].contains(&endpoint.json.as_str()) {
        add("json", "只能是 schema、object 或 none；不写就按 profile".into());
    }
    for (key, price) in [("price_prompt", endpoint.price_prompt), ("price_completion", endpoint.price_completion)] {
        if !(price.is_finite() && price >= 0.0) {
            add(key, "是每百万词元的价格（元），不能是负数".into());
        }
    }
    if let Some(own) = OWN_FIELDS.iter().find(|own| endpoint.extra.contains_key(**own)) {
        add("extra", format!("{own} 由网关决定，不能在这里写"));
    }
    if let Some((name, _)) = endpoint.headers.iter().find(|(_, value)| !value.is_str()) {
        add("headers", format!("{name} 的值要用引号写成文字"));
    }
    if endpoint.headers.keys().any(|name| {
        ["authorization", "host", "content-length", "content-type"].contains(&name.to_ascii_lowercase().as_str())
    }) {
        add("headers", "Authorization、Host、Content-* 由网关决定，密钥写在 api_key_file".into());
    }
    if endpoint.name.chars().count() > 60 || endpoint.name.chars().any(char::is_control) {
        add("name", "最长 60 个字，不含控制字符".into());
    }
    problems
}

/// Host and port of an address.
fn host(url: &str) -> &str {
    url.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigError};

    fn problems(body: &str) -> Vec<String> {
        match Config::from_parts(Some(("f", &format!("[model]\n{body}"))), []) {
            Ok(_) => Vec::new(),
            Err(ConfigError::Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
            Err(error) => panic!("{error}"),
        }
    }

    const GOOD: &str = "base_url = \"http://127.0.0.1:8000/v1\"\nmodel = \"qwen3\"\n";

    #[test]
    fn an_address_and_a_model_are_enough() {
        assert_eq!(problems(GOOD), Vec::<String>::new());
        let config = Config::from_parts(Some(("f", &format!("[model]\n{GOOD}"))), []).expect("valid");
        let model = config.model.expect("a model");
        assert_eq!(
            (model.connect_ms, model.first_content_ms, model.gap_ms, model.timeout_ms, model.classify_timeout_ms),
            (3_000, 8_000, 15_000, 30_000, 6_000)
        );
        assert_eq!((model.concurrency, model.wait_ms, model.retention_days), (8, 1_000, 184));
        assert_eq!(model.endpoints().len(), 1);
        assert_eq!(model.endpoints()[0].name(), "127.0.0.1:8000");
    }

    #[test]
    fn each_wrong_value_says_where_it_stands_and_what_is_wanted() {
        let check = |body: &str, place: &str, words: &str| {
            let found = problems(body);
            assert!(
                found.iter().any(|line| line.starts_with(&format!("{place}：")) && line.contains(words)),
                "{body}: {found:?}"
            );
        };
        check("model = \"m\"", "model.base_url", "网址");
        check("base_url = \"ftp://x/v1\"\nmodel = \"m\"", "model.base_url", "http://");
        check("base_url = \"http:///v1\"\nmodel = \"m\"", "model.base_url", "主机名");
        check("base_url = \"http://u:p@x/v1\"\nmodel = \"m\"", "model.base_url", "api_key_file");
        check("base_url = \"http://x/v1?key=1\"\nmodel = \"m\"", "model.base_url", "参数");
        check("base_url = \"http://x/v1/chat/completions\"\nmodel = \"m\"", "model.base_url", "/v1 为止");
        check("base_url = \"http://x/v1\"", "model.model", "模型名");
        check(&format!("{GOOD}profile = \"gpt\""), "model.profile", "deepseek");
        check(&format!("{GOOD}json = \"yes\""), "model.json", "schema");
        check(&format!("{GOOD}price_prompt = -1.0"), "model.price_prompt", "负数");
        check(&format!("{GOOD}connect_ms = 1"), "model.connect_ms", "100");
        check(&format!("{GOOD}first_content_ms = 90000"), "model.first_content_ms", "30000");
        check(&format!("{GOOD}classify_timeout_ms = 90000"), "model.classify_timeout_ms", "30000");
        check(&format!("{GOOD}concurrency = 0"), "model.concurrency", "256");
        check(&format!("{GOOD}max_answer_bytes = 10"), "model.max_answer_bytes", "1024");
        check(&format!("{GOOD}daily_token_budget = 0"), "model.daily_token_budget", "大于 0");
        check(&format!("{GOOD}daily_yuan_budget = 5.0"), "model.daily_yuan_budget", "price_prompt");
        check(&format!("{GOOD}monthly_yuan_budget = -5.0"), "model.monthly_yuan_budget", "大于 0");
        check(&format!("{GOOD}extra = {{ messages = [] }}"), "model.extra", "网关决定");
        check(&format!("{GOOD}headers = {{ Authorization = \"x\" }}"), "model.headers", "api_key_file");
        check(&format!("{GOOD}headers = {{ X-N = 1 }}"), "model.headers", "引号");
        let second = "[[model.fallback]]\nbase_url = \"http://127.0.0.1:8000/v1\"\nmodel = \"m\"\n";
        check(&format!("{GOOD}{second}"), "model.fallback[0].name", "不同的名字");
        check(&format!("{GOOD}[[model.fallback]]\nname = \"b\""), "model.fallback[0].base_url", "网址");
        check(&format!("{GOOD}first_contnet_ms = 1"), "f:4:1", "first_content_ms");
    }

    #[test]
    fn fallbacks_are_asked_after_the_first_in_order() {
        let text = format!(
            "[model]\n{GOOD}[[model.fallback]]\nname = \"b\"\nprofile = \"deepseek\"\n\
             base_url = \"https://api.deepseek.com/v1\"\nmodel = \"deepseek-chat\"\n\
             [[model.fallback]]\nname = \"c\"\nbase_url = \"http://x/v1\"\nmodel = \"m\"\n"
        );
        let config = Config::from_parts(Some(("f", &text)), []).expect("valid");
        let names: Vec<String> = config.model.expect("a model").endpoints().iter().map(ModelEndpoint::name).collect();
        assert_eq!(names, ["127.0.0.1:8000", "b", "c"]);
    }

    #[test]
    fn keys_come_from_files_or_the_environment_and_are_never_printed() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("key");
        std::fs::write(&path, "sk-geheim\n").expect("write");
        let text = format!(
            "[model]\n{GOOD}api_key_file = {path:?}\n\
             [[model.fallback]]\nname = \"b\"\nbase_url = \"http://x/v1\"\nmodel = \"m\"\napi_key_file = {path:?}\n"
        );
        let config = Config::from_parts(Some(("f", &text)), []).expect("valid");
        assert!(!format!("{config:?}").contains("geheim"));
        let model = config.model.expect("a model");
        let keys: Vec<_> =
            model.endpoints().iter().map(|e| secrecy::ExposeSecret::expose_secret(&e.api_key).to_owned()).collect();
        assert_eq!(keys, ["sk-geheim", "sk-geheim"]);
        let vars = [("ZHITONG__MODEL__API_KEY".to_owned(), "sk-umgebung".to_owned())];
        let config = Config::from_parts(Some(("f", &format!("[model]\n{GOOD}"))), vars).expect("valid");
        let model = config.model.expect("a model");
        assert_eq!(secrecy::ExposeSecret::expose_secret(&model.api_key), "sk-umgebung");
    }
}
