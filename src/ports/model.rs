//! A language model somewhere else: what it is asked, what it answers, and why it may not.
//!
//! The model is optional and never trusted: whatever comes back is text of a stranger until it was checked
//! (`domain::grounding`). Nothing here knows a wire format.

use crate::vocabulary;

vocabulary! {
    /// What a model is asked for; one prompt file each.
    ModelTask {
        Answer = "answer", "有依据的答复";
        Classify = "classify", "辅助分类与要素提取";
        Title = "title", "标题与一句话诉求";
        Draft = "draft", "答复草稿";
        Summary = "summary", "接手摘要";
        Rewrite = "rewrite", "通俗改写";
        Probe = "probe", "端点探测";
    }
}

vocabulary! {
    /// Who says a line of the request.
    ModelRole {
        System = "system", "系统";
        User = "user", "用户";
        Assistant = "assistant", "模型";
    }
}

/// One line of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelLine {
    /// Who says it.
    pub role: ModelRole,
    /// The words, personal data already replaced.
    pub text: String,
}

/// The wanted form of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelOutput {
    /// Free text.
    Text,
    /// One JSON object; the JSON schema as text. Endpoints that know no schemas get the plain JSON mode.
    Json {
        /// The schema.
        schema: String,
    },
}

/// One question to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRequest {
    /// What it is for: chooses the time limits.
    pub task: ModelTask,
    /// System and user lines in order.
    pub lines: Vec<ModelLine>,
    /// The wanted form of the answer.
    pub output: ModelOutput,
    /// Tokens of the answer at most.
    pub max_tokens: u32,
    /// Whether pieces are wanted as they come.
    pub stream: bool,
}

/// Tokens of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModelUsage {
    /// Tokens of the question.
    pub prompt: u64,
    /// Tokens of the answer, thinking included.
    pub completion: u64,
    /// The endpoint told nothing: estimated from the characters.
    pub estimated: bool,
}

vocabulary! {
    /// Why the answer ended.
    ModelFinish {
        Stop = "stop", "正常结束";
        Length = "length", "长度用尽";
        Filtered = "filtered", "被内容审核截断";
        Tool = "tool", "要求调用工具";
        Unknown = "unknown", "未说明";
    }
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelReply {
    /// The whole content, without thinking.
    pub text: String,
    /// Why it ended.
    pub finish: ModelFinish,
    /// Tokens.
    pub usage: ModelUsage,
    /// Name of the endpoint in the configuration.
    pub endpoint: String,
    /// The model that the endpoint says it was.
    pub model: String,
    /// Milliseconds to the first content (thinking and keep-alives do not count).
    pub first_ms: u64,
    /// Milliseconds in all.
    pub total_ms: u64,
    /// What it cost, millionths of a yuan; 0 without prices in the configuration.
    pub cost_micro_yuan: u64,
}

vocabulary! {
    /// Why there is no answer.
    ModelFailureKind {
        Unconfigured = "unconfigured", "没有配置模型";
        Switched = "switched_off", "模型已停用";
        Budget = "budget", "额度用完";
        Busy = "busy", "并发已满";
        Open = "breaker_open", "连续失败，暂停调用";
        Connect = "connect", "连接不上";
        Timeout = "timeout", "超时";
        Unauthorised = "unauthorised", "密钥无效";
        Unpaid = "unpaid", "账户欠费或额度不足";
        Limited = "rate_limited", "请求过快";
        Rejected = "rejected", "请求被拒绝";
        Unavailable = "unavailable", "服务不可用";
        Filtered = "filtered", "被内容审核拦下";
        Malformed = "malformed", "答复无法读取";
        TooLarge = "too_large", "答复过长";
        Empty = "empty", "答复为空";
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("model endpoint {endpoint}: {kind}: {detail}")]
pub struct ModelFailure {
    /// The kind.
    pub kind: ModelFailureKind,
    /// Name of the endpoint; empty when none was asked.
    pub endpoint: String,
    /// For logs and the console: status, the endpoint's own code; no secret, no personal data, at most 300 characters.
    pub detail: String,
    /// Tokens that were spent all the same.
    pub usage: ModelUsage,
    /// What they cost, millionths of a yuan.
    pub cost_micro_yuan: u64,
}

vocabulary! {
    /// How an endpoint is doing.
    EndpointHealth {
        Closed = "closed", "正常";
        Half = "half_open", "试探中";
        Open = "open", "暂停";
        Hard = "hard_open", "停用待处理";
    }
}

/// An endpoint as the console shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointState {
    /// Its name in the configuration.
    pub name: String,
    /// The host it is asked at, without path and key.
    pub host: String,
    /// The model asked for.
    pub model: String,
    /// The profile: deepseek, dashscope, vllm, ollama, llamacpp, openai.
    pub profile: String,
    /// State of its breaker.
    pub health: EndpointHealth,
    /// When the breaker lets the next call through, milliseconds since 1970 UTC.
    pub retry_at: Option<i64>,
    /// Calls under way.
    pub in_flight: u32,
    /// Failures in a row.
    pub failures: u32,
    /// The last failure in words.
    pub last_failure: Option<String>,
    /// Milliseconds to the first content, median and 95th percentile of the last calls.
    pub first_ms: Option<(u64, u64)>,
    /// Milliseconds in all, median and 95th percentile of the last calls.
    pub total_ms: Option<(u64, u64)>,
}

/// Takes the pieces of an answer as they come. A name of its own, because `async_trait` would give the pieces the
/// lifetime of the call if it saw their reference.
pub type OnText<'a> = dyn FnMut(&str) + Send + 'a;

/// Asks language models. Implementations never retry after the first piece was handed out.
#[async_trait::async_trait]
pub trait ModelClient: Send + Sync {
    /// Asks; with `stream`, `on_text` gets the pieces of the content in order (never thinking). Dropping the future
    /// ends the call.
    ///
    /// # Errors
    /// [`ModelFailure`].
    async fn ask(&self, request: &ModelRequest, on_text: &mut OnText<'_>) -> Result<ModelReply, ModelFailure>;

    /// The endpoints in the order in which they are asked.
    fn endpoints(&self) -> Vec<EndpointState>;
}
