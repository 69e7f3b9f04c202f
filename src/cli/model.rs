//! `zhitong model`: what the configured endpoints really support and how well they answer; and the client, built here
//! for whichever command needs it.

mod eval;
mod report;

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::Global;
use crate::{
    app::system::SystemClock,
    config::{Config, ModelConfig, ModelEndpoint},
    model::{EndpointSetup, HttpModel, JsonMode, Limits, ProbeCheck, ProbeReport, ProbeVerdict, SetupError},
    ports::model::{ModelClient, ModelFailureKind},
};

/// 可选的大模型端点
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Probe(ProbeArgs),
    Eval(eval::Args),
}

/// 提五个固定的问题，看端点真正支持什么：能否回答、分段返回、JSON、关闭思考、报告用量、速度
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong model probe                    依次检查配置里的每个端点
  zhitong model probe --endpoint local
  zhitong model probe --json

会消耗几百个词元。问题是固定的，不含任何用户数据。
退出码：0 都能用，1 有端点不能按现在的配置使用，2 无法检查（没有配置模型等）")]
pub struct ProbeArgs {
    /// 只检查这个端点（配置里的 name，没有 name 的写主机名）
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// 输出 JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no usable configuration or nothing can be written.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Probe(args) => probe(args, &global.load_config()?),
        Command::Eval(args) => eval::run(args, global),
    }
}

/// The configured endpoints, or the one of this name.
fn chosen(config: &Config, endpoint: Option<&str>) -> anyhow::Result<(Vec<EndpointSetup>, Limits)> {
    let model = config.model.as_ref().context("没有配置模型：在配置文件里写 [model]，可对照 zhitong.example.toml")?;
    let mut setups = setups(model)?;
    if let Some(name) = endpoint {
        let known: Vec<String> = setups.iter().map(|setup| setup.name.clone()).collect();
        setups.retain(|setup| setup.name == name);
        anyhow::ensure!(!setups.is_empty(), "没有名为“{name}”的端点，可用：{}", known.join("、"));
    }
    Ok((setups, limits(model)))
}

fn probe(args: &ProbeArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let (setups, limits) = chosen(config, args.endpoint.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = io::stdout().lock();
    let mut reports = Vec::new();
    for setup in &setups {
        let report = runtime.block_on(crate::model::probe(setup, &limits)).map_err(|error| in_words(&error))?;
        if !args.json {
            write_report(&mut out, &report)?;
        }
        reports.push(report);
    }
    let usable = reports.iter().all(ProbeReport::is_usable);
    if args.json {
        let list: Vec<Value> = reports.iter().map(report_json).collect();
        writeln!(out, "{:#}", json!({"usable": usable, "endpoints": list}))?;
    }
    Ok(if usable { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn in_words(error: &SetupError) -> anyhow::Error {
    anyhow::anyhow!("模型端点“{}”：{}", error.endpoint, error.message)
}

fn write_report(out: &mut impl Write, report: &ProbeReport) -> io::Result<()> {
    let said = report.answered_as.as_deref().filter(|name| *name != report.model);
    let said = said.map_or_else(String::new, |name| format!("（自称 {name}）"));
    writeln!(out, "端点“{}”  {}  {}  {}{said}", report.endpoint, report.host, report.profile, report.model)?;
    for finding in &report.findings {
        let ms = finding.total_ms.map_or_else(String::new, |ms| format!("{ms} 毫秒"));
        // A speed is neither supported nor not.
        let measured = finding.check == ProbeCheck::Speed && finding.verdict == ProbeVerdict::Works;
        let verdict = if measured { "" } else { finding.verdict.label() };
        let line = [finding.check.label(), verdict, &ms, &finding.detail];
        let words: Vec<&str> = line.into_iter().filter(|word| !word.is_empty()).collect();
        writeln!(out, "  {}", words.join("  "))?;
    }
    for advice in advice(report) {
        writeln!(out, "  → {advice}")?;
    }
    writeln!(out, "  {}", if report.is_usable() { "可以使用。" } else { "不能按现在的配置使用。" })
}

/// What to change, from what was found.
fn advice(report: &ProbeReport) -> Vec<String> {
    let works = |check| report.verdict(check) == Some(ProbeVerdict::Works);
    let mut advice = Vec::new();
    if let Some(failure) = report.findings.iter().find(|f| f.check == ProbeCheck::Answers).and_then(|f| f.failure) {
        advice.push(remedy(failure).to_owned());
        return advice;
    }
    let (object, schema) = (works(ProbeCheck::JsonObject), works(ProbeCheck::JsonSchema));
    let better = match report.json {
        JsonMode::Schema if !schema && object => Some("object"),
        JsonMode::Schema | JsonMode::Object if !schema && !object => Some("none"),
        JsonMode::Object if schema => Some("schema"),
        JsonMode::Schema | JsonMode::Object | JsonMode::Plain => None,
    };
    if let Some(better) = better {
        advice.push(format!("在该端点的配置里写 json = \"{better}\""));
    }
    if !works(ProbeCheck::Streams) {
        advice.push("不能分段返回：网页上要等全文；核对 base_url 后面是不是还有一层会攒答复的代理".to_owned());
    }
    advice
}

/// What to do about a failure.
pub(super) fn remedy(failure: ModelFailureKind) -> &'static str {
    use ModelFailureKind as K;
    match failure {
        K::Connect => "检查 base_url、服务是否已启动、防火墙；网关只直连，不走系统代理",
        K::Timeout => "服务太慢或没有响应：检查它的负载，必要时调大 [model] timeout_ms",
        K::Unauthorised => "检查 api_key_file 里的密钥及其权限",
        K::Unpaid => "账户欠费或额度用完，到平台充值或调整额度",
        K::Limited => "请求过快：降低 concurrency，或向平台申请提高限额",
        K::Rejected => "检查 base_url（写到 /v1 为止）、model 和 profile；服务不认识的字段可用 omit 去掉",
        K::Unavailable => "服务自己报错，检查它的日志",
        K::Filtered => "平台的内容审核拦下了检查用的问题，联系平台",
        K::Malformed => "答复不是 OpenAI 兼容格式：检查 base_url 和 profile",
        K::TooLarge => "答复过长：检查服务，必要时调大 max_answer_bytes",
        K::Empty => "答复是空的：多半是思考过程没有关掉，检查 profile",
        K::Unconfigured | K::Switched | K::Budget | K::Busy | K::Open => "稍后再试",
    }
}

fn report_json(report: &ProbeReport) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check.as_str(), "verdict": finding.verdict.as_str(), "detail": finding.detail,
                "total_ms": finding.total_ms, "failure": finding.failure.map(ModelFailureKind::as_str),
            })
        })
        .collect();
    json!({
        "endpoint": report.endpoint, "host": report.host, "profile": report.profile, "model": report.model,
        "answered_as": report.answered_as, "json": report.json.as_str(), "usable": report.is_usable(),
        "findings": findings, "advice": advice(report),
    })
}

/// The client of the configured endpoints; `None` without `[model]`.
///
/// # Errors
/// When an endpoint cannot be used as it is configured.
pub fn build_model(config: &Config) -> anyhow::Result<Option<Arc<dyn ModelClient>>> {
    let Some(model) = &config.model else { return Ok(None) };
    let client =
        HttpModel::new(&setups(model)?, limits(model), Arc::new(SystemClock)).map_err(|error| in_words(&error))?;
    Ok(Some(Arc::new(client)))
}

/// The endpoints as the client wants them.
///
/// # Errors
/// When one cannot be used as it is configured.
pub(super) fn setups(model: &ModelConfig) -> anyhow::Result<Vec<EndpointSetup>> {
    model.endpoints().iter().map(setup).collect()
}

/// The limits as the client wants them.
pub(super) fn limits(model: &ModelConfig) -> Limits {
    Limits {
        connect: Duration::from_millis(model.connect_ms),
        first_content: Duration::from_millis(model.first_content_ms),
        gap: Duration::from_millis(model.gap_ms),
        total: Duration::from_millis(model.timeout_ms),
        classify: Duration::from_millis(model.classify_timeout_ms),
        concurrency: model.concurrency,
        wait: Duration::from_millis(model.wait_ms),
        answer_bytes: model.max_answer_bytes,
    }
}

fn setup(endpoint: &ModelEndpoint) -> anyhow::Result<EndpointSetup> {
    let name = endpoint.name();
    let json = (!endpoint.json.is_empty()).then(|| endpoint.json.parse()).transpose();
    let extra: Map<String, Value> =
        endpoint.extra.clone().try_into().with_context(|| format!("模型端点“{name}”的 extra 不能写成 JSON"))?;
    let headers =
        endpoint.headers.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    Ok(EndpointSetup {
        profile: endpoint.profile.parse().with_context(|| format!("模型端点“{name}”的 profile"))?,
        base_url: endpoint.base_url.clone(),
        api_key: SecretString::clone(&endpoint.api_key),
        model: endpoint.model.clone(),
        price_prompt: endpoint.price_prompt,
        price_completion: endpoint.price_completion,
        json: json.with_context(|| format!("模型端点“{name}”的 json"))?,
        extra,
        omit: endpoint.omit.clone(),
        headers: headers.collect(),
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::MODEL_PROFILES, model::Profile};

    #[test]
    fn the_profiles_of_the_configuration_are_those_of_the_client() {
        let known: Vec<&str> = Profile::ALL.iter().map(|profile| profile.as_str()).collect();
        assert_eq!(known, MODEL_PROFILES);
    }

    #[test]
    fn a_configured_endpoint_becomes_a_client_and_an_impossible_one_is_refused() {
        let build = |url: &str| {
            let text = format!(
                "[model]\nbase_url = \"{url}\"\nmodel = \"m\"\nprofile = \"vllm\"\n\
                 extra = {{ top_p = 0.8, stop = [\"x\"] }}\nheaders = {{ X-A = \"b\" }}\n"
            );
            build_model(&Config::from_parts(Some(("f", &text)), []).expect("valid"))
        };
        let client = build("http://127.0.0.1:9/v1").expect("usable").expect("configured");
        let state = client.endpoints().remove(0);
        assert_eq!((state.name.as_str(), state.profile.as_str()), ("127.0.0.1:9", "vllm"));
        let refused = build("http://169.254.169.254/v1").err().map(|error| format!("{error:#}"));
        assert!(refused.is_some_and(|text| text.contains("169.254.169.254")));
        assert!(build_model(&Config::default()).expect("fine").is_none());
    }
}
