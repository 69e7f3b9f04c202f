//! The optional model endpoint: whether it answers at all, whether its key travels in the open, whether spending has an
//! end. `zhitong model probe` looks closer.

use secrecy::ExposeSecret as _;

use super::{Findings, Grade};
use crate::{
    cli::model::{limits, remedy, setups},
    config::{Config, ModelConfig},
    model::{self, EndpointSetup, ProbeVerdict, Profile},
    ports::model::ModelFailureKind,
};

const AREA: &str = "模型";

/// Looks at every configured endpoint; `online` asks each one short question.
pub(super) async fn look(config: &Config, online: bool, findings: &mut Findings) {
    let Some(model) = &config.model else {
        findings.fine(AREA, "没有配置模型，只用规则应答");
        return;
    };
    let setups = match setups(model) {
        Ok(setups) => setups,
        Err(error) => {
            findings.add(AREA, Grade::Error, format!("{error:#}"), "改正 [model]，或去掉它只用规则");
            return;
        }
    };
    for setup in &setups {
        settings(setup, findings);
        if online {
            ask(setup, model, findings).await;
        }
    }
    budget(model, &setups, findings);
}

fn settings(setup: &EndpointSetup, findings: &mut Findings) {
    let has_key = !setup.api_key.expose_secret().is_empty();
    if has_key && setup.base_url.starts_with("http://") && !is_near(&setup.base_url) {
        let what = format!("“{}”的密钥和对话以明文传输", setup.name);
        findings.add(AREA, Grade::Warning, what, "base_url 改用 https，或把服务放在本网内");
    }
    if !has_key && matches!(setup.profile, Profile::Deepseek | Profile::Dashscope) {
        let what = format!("“{}”没有密钥，这个平台会拒绝", setup.name);
        findings.add(AREA, Grade::Warning, what, "在该端点写 api_key_file");
    }
}

async fn ask(setup: &EndpointSetup, config: &ModelConfig, findings: &mut Findings) {
    let report = match model::greet(setup, &limits(config)).await {
        Ok(report) => report,
        Err(error) => {
            let advice = "改正 base_url、密钥或 headers，或去掉 [model] 只用规则";
            findings.add(AREA, Grade::Error, format!("“{}”不能使用：{}", setup.name, error.message), advice);
            return;
        }
    };
    let Some(first) = report.findings.first() else { return };
    if first.verdict == ProbeVerdict::Works {
        let ms = first.total_ms.unwrap_or_default();
        let what = format!("“{}”（{} {}）能回答，{ms} 毫秒", setup.name, setup.profile, setup.model);
        findings.add(AREA, Grade::Fine, what, "zhitong model probe 看它真正支持什么");
        return;
    }
    // The rules answer without it; what nobody but the operator can mend is an error all the same.
    let grade = match first.failure {
        Some(ModelFailureKind::Unauthorised | ModelFailureKind::Unpaid | ModelFailureKind::Rejected) => Grade::Error,
        Some(_) | None => Grade::Warning,
    };
    let advice = first.failure.map_or("执行 zhitong model probe", remedy);
    findings.add(AREA, grade, format!("“{}”没有回答：{}", setup.name, first.detail), advice);
}

fn budget(model: &ModelConfig, setups: &[EndpointSetup], findings: &mut Findings) {
    let unlimited = model.daily_token_budget.is_none()
        && model.monthly_token_budget.is_none()
        && model.daily_yuan_budget.is_none()
        && model.monthly_yuan_budget.is_none();
    if unlimited && setups.iter().any(|setup| !is_near(&setup.base_url)) {
        let advice = "在 [model] 写 daily_token_budget 或 daily_yuan_budget，用完后只用规则";
        findings.add(AREA, Grade::Note, "没有设置额度，费用没有上限", advice);
    }
}

/// Whether an address is on this machine or in the own network.
fn is_near(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match host.parse() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private(),
        Ok(std::net::IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Err(_) => !host.contains('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_network_is_told_from_the_world() {
        for (url, near) in [
            ("http://127.0.0.1:8000/v1", true),
            ("http://10.0.0.7/v1", true),
            ("http://[::1]:8000/v1", true),
            ("http://vllm:8000/v1", true),
            ("http://8.8.8.8/v1", false),
            ("https://api.deepseek.com/v1", false),
        ] {
            assert_eq!(is_near(url), near, "{url}");
        }
    }
}
