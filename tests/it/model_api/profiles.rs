//! Every profile against a stand-in that speaks as that implementation does, and what the probe makes of it.

use std::sync::Arc;

use serde_json::json;
use zhitong::{
    app::system::SystemClock,
    model::{EndpointSetup, HttpModel, JsonMode, Limits, ProbeCheck, ProbeVerdict, Profile, greet, probe},
    ports::model::ModelFailureKind as Kind,
};

use super::{
    KEY, ask, json_request, request, setup,
    standin::{Standin, http, whole},
};

async fn speaking(profile: Profile) -> (Standin, EndpointSetup) {
    let standin = Standin::speaking(profile).await;
    let setup = setup("e", &standin.base, profile);
    (standin, setup)
}

#[tokio::test]
async fn every_profile_is_spoken_to_in_its_own_words() {
    for &profile in Profile::ALL {
        let (standin, setup) = speaking(profile).await;
        let client = HttpModel::new(&[setup], Limits::default(), Arc::new(SystemClock)).expect("usable");
        for stream in [true, false] {
            let (result, pieces) = ask(&client, &request(stream)).await;
            let reply = result.expect("an answer");
            assert_eq!(reply.text, "可以在线申请。", "{profile} {stream}");
            assert_eq!(pieces.concat().is_empty(), !stream, "{profile}");
            assert_eq!((reply.usage.completion, reply.usage.estimated), (7, false), "{profile} {stream}");
            let reply = ask(&client, &json_request(stream)).await.0.expect("an answer");
            assert_eq!(reply.text, "{\"answer\":\"是\"}", "{profile} {stream}");
        }
        assert_eq!(standin.calls().len(), 4, "{profile}");
    }
}

#[tokio::test]
async fn a_profile_that_still_thinks_is_answered_all_the_same() {
    for &profile in Profile::ALL {
        let (_standin, mut setup) = speaking(profile).await;
        setup.omit = vec!["thinking".into(), "chat_template_kwargs".into(), "reasoning_effort".into()];
        // DashScope's thinking models refuse what is not streamed.
        setup.extra.insert("enable_thinking".into(), json!(true));
        let client = HttpModel::new(&[setup], Limits::default(), Arc::new(SystemClock)).expect("usable");
        let (result, pieces) = ask(&client, &request(true)).await;
        assert_eq!(result.expect("an answer").text, "可以在线申请。", "{profile}");
        assert_eq!(pieces.concat(), "可以在线申请。", "{profile}");
    }
}

#[tokio::test]
async fn headers_of_the_configuration_are_sent() {
    let (standin, mut setup) = speaking(Profile::Dashscope).await;
    setup.headers = vec![("X-DashScope-DataInspection".into(), r#"{"input":"cip","output":"cip"}"#.into())];
    let client = HttpModel::new(&[setup], Limits::default(), Arc::new(SystemClock)).expect("usable");
    ask(&client, &request(false)).await.0.expect("an answer");
    let sent = standin.calls().remove(0).headers.remove("x-dashscope-datainspection");
    assert_eq!(sent.as_deref(), Some(r#"{"input":"cip","output":"cip"}"#));
}

#[tokio::test]
async fn the_probe_says_of_every_profile_what_it_supports() {
    use ProbeVerdict as V;
    for &profile in Profile::ALL {
        let (standin, setup) = speaking(profile).await;
        let report = probe(&setup, &Limits::default()).await.expect("usable");
        assert_eq!(standin.calls().len(), 5, "{profile}: five questions");
        assert!(report.is_usable(), "{report:#?}");
        assert_eq!(report.verdict(ProbeCheck::Answers), Some(V::Works), "{profile}");
        assert_eq!(report.verdict(ProbeCheck::Streams), Some(V::Works), "{profile}");
        assert_eq!(report.verdict(ProbeCheck::ThinkingOff), Some(V::Works), "{profile}");
        assert_eq!(report.verdict(ProbeCheck::Usage), Some(V::Works), "{profile}");
        assert_eq!(report.verdict(ProbeCheck::JsonObject), Some(V::Works), "{profile}");
        let schema = if profile == Profile::Deepseek { V::Missing } else { V::Works };
        assert_eq!(report.verdict(ProbeCheck::JsonSchema), Some(schema), "{profile}");
    }
}

#[tokio::test]
async fn the_probe_notices_what_does_not_work() {
    use ProbeVerdict as V;
    // A wrong profile: nothing switches thinking off.
    let (standin, mut setup) = speaking(Profile::Vllm).await;
    setup.profile = Profile::Openai;
    let report = probe(&setup, &Limits::default()).await.expect("usable");
    assert_eq!(report.verdict(ProbeCheck::ThinkingOff), Some(V::Missing));
    assert!(!report.is_usable());
    drop(standin);
    // JSON is asked for by schema, which this one does not do.
    let (_standin, mut setup) = speaking(Profile::Deepseek).await;
    setup.json = Some(JsonMode::Schema);
    let report = probe(&setup, &Limits::default()).await.expect("usable");
    assert!(!report.is_usable());
    // Neither pieces nor usage.
    let standin = Standin::start().await;
    standin.always(whole(200, &json!({"choices": [{"message": {"content": "可以"}, "finish_reason": "stop"}]})));
    let setup = self::setup("e", &standin.base, Profile::Openai);
    let report = probe(&setup, &Limits::default()).await.expect("usable");
    let verdicts = [ProbeCheck::Streams, ProbeCheck::Usage, ProbeCheck::JsonObject].map(|check| report.verdict(check));
    assert_eq!(verdicts, [Some(V::Missing), Some(V::Missing), Some(V::Missing)]);
}

#[tokio::test]
async fn the_probe_stops_where_nothing_answers_and_tells_the_reason_without_the_key() {
    let standin = Standin::start().await;
    let message = format!("Incorrect API key provided: {KEY}");
    standin.always(whole(401, &json!({"error": {"message": message, "type": "auth", "code": "invalid_api_key"}})));
    let setup = setup("e", &standin.base, Profile::Openai);
    for report in [probe(&setup, &Limits::default()).await, greet(&setup, &Limits::default()).await] {
        let report = report.expect("usable");
        let first = &report.findings[0];
        assert_eq!((first.verdict, first.failure), (ProbeVerdict::Failed, Some(Kind::Unauthorised)));
        assert!(first.detail.contains("Incorrect API key provided: …"), "{}", first.detail);
        assert!(!format!("{report:?}").contains("geheim"));
        assert!(!report.is_usable());
    }
    assert_eq!(standin.calls().len(), 2, "one question each");
}

#[tokio::test]
async fn the_probe_repeats_nothing() {
    let standin = Standin::start().await;
    standin.always(http(503, "text/plain", &[], "busy"));
    let report = probe(&setup("e", &standin.base, Profile::Openai), &Limits::default()).await.expect("usable");
    assert_eq!((standin.calls().len(), report.findings[0].failure), (1, Some(Kind::Unavailable)));
}
