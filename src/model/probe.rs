//! What an endpoint really supports: five canned questions, which hold nothing of anybody.
//!
//! Asks without breaker and repetition. Because the questions are ours, the endpoint's own words about a refusal are
//! told here, without the key.

use secrecy::ExposeSecret as _;
use tokio::time::Instant;

use super::{
    EndpointSetup, JsonMode, Limits, SetupError,
    exchange::{Answered, Target, Times},
    failure::Failure,
};
use crate::{
    ports::model::{ModelFailureKind, ModelLine, ModelOutput, ModelRequest, ModelRole, ModelTask},
    vocabulary,
};

vocabulary! {
    /// What is looked at.
    ProbeCheck {
        Answers = "answers", "能回答";
        Streams = "streams", "分段返回";
        JsonObject = "json_object", "JSON 对象";
        JsonSchema = "json_schema", "按 JSON schema 输出";
        ThinkingOff = "thinking_off", "关闭思考过程";
        Usage = "usage", "报告用量";
        Speed = "speed", "速度";
    }
}

vocabulary! {
    /// How it is.
    ProbeVerdict {
        Works = "works", "支持";
        Partly = "partly", "部分支持";
        Missing = "missing", "不支持";
        Failed = "failed", "不通";
        Skipped = "skipped", "没有测";
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFinding {
    /// What.
    pub check: ProbeCheck,
    /// How it is.
    pub verdict: ProbeVerdict,
    /// More in Chinese.
    pub detail: String,
    /// Milliseconds that the question took.
    pub total_ms: Option<u64>,
    /// What failed, if anything did.
    pub failure: Option<ModelFailureKind>,
}

/// What an endpoint supports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// Its name.
    pub endpoint: String,
    /// The host asked.
    pub host: String,
    /// The profile.
    pub profile: &'static str,
    /// The model asked for.
    pub model: String,
    /// The model that it says it is.
    pub answered_as: Option<String>,
    /// How JSON will be asked for.
    pub json: JsonMode,
    /// What was looked at, in order.
    pub findings: Vec<ProbeFinding>,
}

impl ProbeReport {
    /// The verdict on one thing.
    pub fn verdict(&self, check: ProbeCheck) -> Option<ProbeVerdict> {
        self.findings.iter().find(|finding| finding.check == check).map(|finding| finding.verdict)
    }

    /// Whether everything works that the gateway relies on with this configuration.
    pub fn is_usable(&self) -> bool {
        let works = |check| self.verdict(check) == Some(ProbeVerdict::Works);
        let json = match self.json {
            JsonMode::Schema => works(ProbeCheck::JsonSchema),
            JsonMode::Object => works(ProbeCheck::JsonObject),
            JsonMode::Plain => true,
        };
        works(ProbeCheck::Answers) && works(ProbeCheck::Streams) && works(ProbeCheck::ThinkingOff) && json
    }
}

const SCHEMA: &str = r#"{"type":"object","properties":{"answer":{"type":"string","enum":["是","否"]}},"required":["answer"],"additionalProperties":false}"#;

fn question(text: &str, output: ModelOutput, max_tokens: u32, stream: bool) -> ModelRequest {
    let line = |role, text: &str| ModelLine { role, text: text.to_owned() };
    let lines = vec![line(ModelRole::System, "你在接受连通性检查，简短作答。"), line(ModelRole::User, text)];
    ModelRequest { task: ModelTask::Probe, lines, output, max_tokens, stream }
}

struct Prober<'a> {
    target: Target,
    limits: &'a Limits,
    key: &'a str,
    findings: Vec<ProbeFinding>,
    thought: bool,
    answered_as: Option<String>,
}

/// An answer and the milliseconds it took.
type Asked = (Result<Answered, Failure>, u64);

impl Prober<'_> {
    async fn ask(&mut self, request: &ModelRequest) -> Asked {
        let began = Instant::now();
        let times = Times { deadline: began + self.limits.total, first: None };
        let answer = self.target.ask(request, self.limits, times, &mut |_| {}).await;
        match &answer {
            Ok(answered) => {
                self.thought |= answered.seen.thinking > 0;
                self.answered_as = self.answered_as.take().or_else(|| answered.model.clone());
            }
            Err(failure) => self.thought |= failure.detail == super::exchange::ONLY_THINKING,
        }
        (answer, began.elapsed().as_millis() as u64)
    }

    fn found(&mut self, check: ProbeCheck, verdict: ProbeVerdict, detail: impl Into<String>, total_ms: Option<u64>) {
        self.findings.push(ProbeFinding { check, verdict, detail: detail.into(), total_ms, failure: None });
    }

    fn failed(&mut self, check: ProbeCheck, failure: &Failure, total_ms: u64) {
        let words = scrub(&failure.words, self.key);
        let mut detail = format!("{}（{}）", failure.kind.label(), failure.detail);
        if !words.is_empty() {
            detail = format!("{detail}：{words}");
        }
        // A request that was understood and refused is something that the endpoint does not do.
        let answered = [ModelFailureKind::Rejected, ModelFailureKind::Empty, ModelFailureKind::Malformed];
        let missing = check != ProbeCheck::Answers && answered.contains(&failure.kind);
        let verdict = if missing { ProbeVerdict::Missing } else { ProbeVerdict::Failed };
        let failure = Some(failure.kind);
        self.findings.push(ProbeFinding { check, verdict, detail, total_ms: Some(total_ms), failure });
    }

    /// The first question. Whether anything else is worth asking.
    async fn answers(&mut self) -> (bool, bool) {
        let (answer, ms) = self.ask(&question("请只回答两个字：可以", ModelOutput::Text, 64, false)).await;
        match answer {
            Ok(answered) => {
                let first: String = answered.text.trim().chars().take(20).collect();
                self.found(ProbeCheck::Answers, ProbeVerdict::Works, format!("答复“{first}”"), Some(ms));
                (true, answered.seen.usage)
            }
            Err(failure) => {
                self.failed(ProbeCheck::Answers, &failure, ms);
                let hopeless = !matches!(failure.kind, ModelFailureKind::Empty | ModelFailureKind::Filtered);
                (!hopeless, false)
            }
        }
    }

    async fn streams(&mut self, usage_of_whole: bool) {
        let text = "请用中文从一数到六十，用顿号隔开，不要解释";
        let (answer, ms) = self.ask(&question(text, ModelOutput::Text, 400, true)).await;
        let answered = match answer {
            Ok(answered) => answered,
            Err(failure) => return self.failed(ProbeCheck::Streams, &failure, ms),
        };
        let pieces = answered.seen.pieces;
        if answered.seen.streamed && pieces > 1 {
            self.found(ProbeCheck::Streams, ProbeVerdict::Works, format!("{pieces} 段"), Some(ms));
        } else if answered.seen.streamed {
            self.found(ProbeCheck::Streams, ProbeVerdict::Partly, "是事件流，但只有一段", Some(ms));
        } else {
            self.found(ProbeCheck::Streams, ProbeVerdict::Missing, "要求分段，却一次返回全文", Some(ms));
        }
        let (verdict, detail) = match (usage_of_whole, answered.seen.usage) {
            (true, true) => (ProbeVerdict::Works, ""),
            (true, false) => (ProbeVerdict::Partly, "分段返回时没有，按字数估算"),
            (false, true) => (ProbeVerdict::Partly, "一次返回时没有，按字数估算"),
            (false, false) => (ProbeVerdict::Missing, "按字数估算，额度会偏紧"),
        };
        self.found(ProbeCheck::Usage, verdict, detail, None);
        let first_ms = ms.saturating_sub(answered.first.elapsed().as_millis() as u64);
        let rest_ms = ms.saturating_sub(first_ms).max(1);
        let per_second = answered.usage.completion.saturating_mul(1_000) / rest_ms;
        let detail = format!("首字 {first_ms} 毫秒，之后每秒约 {per_second} 词元");
        self.found(ProbeCheck::Speed, ProbeVerdict::Works, detail, Some(ms));
    }

    async fn json(&mut self, check: ProbeCheck, mode: JsonMode) {
        self.target.asking(mode);
        let text = "水是湿的吗？用 JSON 回答：{\"answer\": \"是\"} 或 {\"answer\": \"否\"}";
        let output = ModelOutput::Json { schema: SCHEMA.to_owned() };
        let (answer, ms) = self.ask(&question(text, output, 128, false)).await;
        let answered = match answer {
            Ok(answered) => answered,
            Err(failure) => return self.failed(check, &failure, ms),
        };
        let value: Option<serde_json::Value> = serde_json::from_str(answered.text.trim()).ok();
        let object = value.as_ref().and_then(serde_json::Value::as_object);
        let fits = object.is_some_and(|object| {
            object.len() == 1
                && object.get("answer").and_then(|v| v.as_str()).is_some_and(|v| ["是", "否"].contains(&v))
        });
        let (verdict, detail) = match (object.is_some(), fits, mode) {
            (true, true, _) | (true, false, JsonMode::Object | JsonMode::Plain) => (ProbeVerdict::Works, ""),
            (true, false, JsonMode::Schema) => (ProbeVerdict::Partly, "是 JSON，但不按 schema"),
            (false, ..) => (ProbeVerdict::Missing, "答复不是 JSON 对象"),
        };
        self.found(check, verdict, detail, Some(ms));
    }

    async fn thinking(&mut self) {
        let text = "9.11 和 9.9 哪个数大？只写出那个数";
        let (answer, ms) = self.ask(&question(text, ModelOutput::Text, 256, false)).await;
        match (self.thought, answer) {
            (true, _) => {
                let advice = "模型仍在思考，首字会很慢；核对 profile，或用 extra 写这个服务自己的开关";
                self.found(ProbeCheck::ThinkingOff, ProbeVerdict::Missing, advice, Some(ms));
            }
            (false, Ok(_)) => self.found(ProbeCheck::ThinkingOff, ProbeVerdict::Works, "没有思考过程", Some(ms)),
            (false, Err(failure)) => self.failed(ProbeCheck::ThinkingOff, &failure, ms),
        }
    }
}

/// Without the key, or what a platform makes of it when it complains.
fn scrub(words: &str, key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    let parts: Vec<String> = letters.windows(6).map(|part| part.iter().collect()).collect();
    let is_key = |word: &str| word.contains("**") || parts.iter().any(|part| word.contains(part.as_str()));
    words.split_whitespace().map(|word| if is_key(word) { "…" } else { word }).collect::<Vec<_>>().join(" ")
}

fn prober<'a>(setup: &'a EndpointSetup, limits: &'a Limits) -> Result<Prober<'a>, SetupError> {
    let target = Target::new(setup, limits).map_err(|message| SetupError { endpoint: setup.name.clone(), message })?;
    let key = setup.api_key.expose_secret();
    Ok(Prober { target, limits, key, findings: Vec::new(), thought: false, answered_as: None })
}

/// Asks all five questions.
///
/// # Errors
/// [`SetupError`].
pub async fn probe(setup: &EndpointSetup, limits: &Limits) -> Result<ProbeReport, SetupError> {
    let mut prober = prober(setup, limits)?;
    let (go_on, usage) = prober.answers().await;
    if go_on {
        prober.streams(usage).await;
        prober.json(ProbeCheck::JsonObject, JsonMode::Object).await;
        prober.json(ProbeCheck::JsonSchema, JsonMode::Schema).await;
        prober.thinking().await;
    }
    for &check in ProbeCheck::ALL {
        if !prober.findings.iter().any(|finding| finding.check == check) {
            prober.found(check, ProbeVerdict::Skipped, "", None);
        }
    }
    prober.findings.sort_by_key(|finding| finding.check);
    Ok(report(setup, prober))
}

/// Asks the first, cheap question only.
///
/// # Errors
/// [`SetupError`].
pub async fn greet(setup: &EndpointSetup, limits: &Limits) -> Result<ProbeReport, SetupError> {
    let mut prober = prober(setup, limits)?;
    prober.answers().await;
    Ok(report(setup, prober))
}

fn report(setup: &EndpointSetup, prober: Prober<'_>) -> ProbeReport {
    ProbeReport {
        endpoint: setup.name.clone(),
        host: prober.target.host(),
        profile: setup.profile.as_str(),
        model: setup.model.clone(),
        answered_as: prober.answered_as,
        json: setup.json.unwrap_or(setup.profile.json()),
        findings: prober.findings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_s_words_are_told_without_the_key() {
        let key = "sk-1234567890abcdef";
        let check = |words: &str, expected: &str| assert_eq!(scrub(words, key), expected);
        check("Incorrect API key provided: sk-1234567890abcdef.", "Incorrect API key provided: …");
        check("key sk-12345***cdef is wrong", "key … is wrong");
        check("ends in 890abcdef", "ends in …");
        check("unknown parameter response_format", "unknown parameter response_format");
        assert_eq!(scrub("no key at all", ""), "no key at all");
    }
}
