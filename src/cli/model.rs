//! The optional model endpoint: built from the configuration here, for whichever command needs it.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::{
    app::system::SystemClock,
    config::{Config, ModelConfig, ModelEndpoint},
    model::{EndpointSetup, HttpModel, Limits},
    ports::model::ModelClient,
};

/// The client of the configured endpoints; `None` without `[model]`.
///
/// # Errors
/// When an endpoint cannot be used as it is configured.
pub fn build_model(config: &Config) -> anyhow::Result<Option<Arc<dyn ModelClient>>> {
    let Some(model) = &config.model else { return Ok(None) };
    let setups: Vec<EndpointSetup> = model.endpoints().iter().map(setup).collect::<anyhow::Result<_>>()?;
    let client = HttpModel::new(&setups, limits(model), Arc::new(SystemClock)).context("[model]")?;
    Ok(Some(Arc::new(client)))
}

fn limits(model: &ModelConfig) -> Limits {
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
