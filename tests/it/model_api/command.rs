//! `zhitong model probe` and `zhitong doctor` as an operator runs them.

use std::{path::Path, process::Output};

use serde_json::{Value, json};
use zhitong::model::Profile;

use super::{
    KEY,
    standin::{Standin, whole},
};

/// Runs the program in a folder with this `[model]` section; the environment names a proxy that must not be used.
async fn run(folder: &Path, model: &str, proxy: &str, args: &[&str]) -> (i32, String, String) {
    std::fs::write(folder.join("zhitong.toml"), model).expect("a configuration");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_zhitong"));
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, proxy);
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    let output: Output = command.args(args).current_dir(folder).output().await.expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(!out.contains("geheim") && !err.contains("geheim"), "the key is told: {out}{err}");
    (output.status.code().unwrap_or(-1), out, err)
}

fn section(standin: &Standin, profile: Profile) -> String {
    format!(
        "[model]\nname = \"local\"\nprofile = \"{profile}\"\nbase_url = \"{}\"\nmodel = \"m\"\napi_key = \"{KEY}\"\n",
        standin.base
    )
}

#[tokio::test]
async fn probe_tells_what_an_endpoint_supports_and_uses_no_proxy() {
    let folder = tempfile::tempdir().expect("a folder");
    let (standin, proxy) = (Standin::speaking(Profile::Vllm).await, Standin::start().await);
    let model = section(&standin, Profile::Vllm);
    let (code, out, err) = run(folder.path(), &model, &proxy.base, &["model", "probe"]).await;
    assert_eq!(code, 0, "{out}{err}");
    for words in
        ["端点“local”", "vllm", "分段返回  支持", "按 JSON schema 输出  支持", "关闭思考过程  支持", "可以使用。"]
    {
        assert!(out.contains(words), "{words}: {out}");
    }
    let (code, out, _) =
        run(folder.path(), &model, &proxy.base, &["model", "probe", "--json", "--endpoint", "local"]).await;
    let report: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &report["usable"]), (0, &json!(true)));
    assert_eq!(report["endpoints"][0]["findings"][0]["check"], "answers");
    assert_eq!(proxy.connections(), 0, "the proxy of the environment was used");
    assert_eq!(standin.calls().len(), 10);
}

#[tokio::test]
async fn probe_ends_with_1_for_a_finding_and_with_2_where_it_cannot_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let standin = Standin::speaking(Profile::Vllm).await;
    // The wrong profile leaves thinking on.
    let model = section(&standin, Profile::Openai);
    let (code, out, _) = run(folder.path(), &model, "", &["model", "probe"]).await;
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("关闭思考过程  不支持") && out.contains("不能按现在的配置使用"), "{out}");
    assert!(out.contains("json = \"schema\""), "{out}");
    let (code, _, err) = run(folder.path(), &model, "", &["model", "probe", "--endpoint", "other"]).await;
    assert_eq!(code, 2);
    assert!(err.contains("可用：local"), "{err}");
    let (code, _, err) = run(folder.path(), "", "", &["model", "probe"]).await;
    assert_eq!(code, 2);
    assert!(err.contains("没有配置模型"), "{err}");
    let bad = model.replace("127.0.0.1", "169.254.169.254");
    let (code, _, err) = run(folder.path(), &bad, "", &["model", "probe"]).await;
    assert_eq!(code, 2);
    assert!(err.contains("不是模型服务的地址"), "{err}");
}

#[tokio::test]
async fn doctor_asks_the_endpoint_one_question_and_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let standin = Standin::start().await;
    let model = section(&standin, Profile::Openai);
    let found = async |standin: &Standin, args: &[&str]| -> Vec<Value> {
        let (_, out, err) = run(folder.path(), &section(standin, Profile::Openai), "", args).await;
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        let all = report["findings"].as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|finding| finding["area"] == "模型").collect()
    };
    let fine = found(&standin, &["doctor", "--json"]).await;
    assert_eq!((fine.len(), &fine[0]["level"]), (1, &json!("ok")), "{fine:?}");
    assert_eq!(standin.calls().len(), 1, "one question");
    assert!(found(&standin, &["doctor", "--json", "--offline"]).await.is_empty());
    assert_eq!(standin.calls().len(), 1, "none when offline");
    standin.always(whole(401, &json!({"error": {"message": KEY, "code": "invalid_api_key"}})));
    let refused = found(&standin, &["doctor", "--json"]).await;
    assert_eq!(refused[0]["level"], "error");
    assert!(refused[0]["advice"].as_str().is_some_and(|words| words.contains("api_key_file")), "{refused:?}");
    let world = model.replace(&standin.base, "http://192.0.2.1/v1");
    let (_, out, _) = run(folder.path(), &world, "", &["doctor", "--offline"]).await;
    assert!(out.contains("明文传输") && out.contains("daily_token_budget"), "{out}");
}
