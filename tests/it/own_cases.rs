//! Cases of one's own in the chat: who may see them and add to them, and what is done to them by words.

use serde_json::Value;
use zhitong::domain::access::Role;

use crate::support::TestApp;

const MATTER: &str = "厂里停水三天了，生产线没法开";

async fn says(app: &TestApp, token: &str, n: usize, words: &str) -> Value {
    app.say(token, &format!("c{n}"), words).await.expect(200).json()["replies"].clone()
}

/// Says one line after the other; the answer to the last.
async fn talk(app: &TestApp, token: &str, lines: &[&str]) -> Value {
    let mut last = Value::Null;
    let from = app.get("/api/chat/messages", token).await.expect(200).json()["items"].as_array().map_or(0, Vec::len);
    for (n, words) in lines.iter().enumerate() {
        last = says(app, token, from * 100 + n, words).await;
    }
    last
}

fn number_and_code(receipt: &Value) -> (String, String) {
    let case = receipt
        .as_array()
        .and_then(|replies| replies.iter().find_map(|reply| reply["card"]["cases"].get(0)))
        .unwrap_or_else(|| panic!("no receipt: {receipt}"));
    let text = |key: &str| case[key].as_str().expect("a text").to_owned();
    (text("number"), text("code"))
}

#[tokio::test]
async fn a_stranger_who_names_an_enterprise_learns_nothing_of_its_cases_and_adds_nothing() {
    let app = TestApp::start().await;
    let filed = |phone: &str| format!("公司是宁德绿野食品有限公司，{phone} 陈明");
    let own = app.visitor().await;
    let receipt = talk(&app, &own, &[MATTER, &filed("13711200001"), "提交"]).await;
    let (number, code) = number_and_code(&receipt);

    // Neither the name of the enterprise nor the phone number proves anything.
    for phone in ["13711200002", "13711200001"] {
        let stranger = app.visitor().await;
        let answer = talk(&app, &stranger, &[MATTER, &filed(phone), "提交"]).await;
        assert!(!answer.to_string().contains(&number), "{answer}");
        assert!(answer.to_string().contains("这件已单独登记"), "{answer}");
        let (his, _) = number_and_code(&answer);
        assert_ne!(his, number);
        let added = talk(&app, &stranger, &["补充到这件", &format!("补充 {number} 我来改一下")]).await;
        assert!(!added.to_string().contains("已补充"), "{added}");
    }
    let officer = app.officer("dispatcher", &[(Role::Dispatcher, "")]).await;
    let history = app.get(&format!("/api/cases/{number}/timeline"), &officer).await.expect(200).json();
    assert!(!history.to_string().contains("add_info") && !history.to_string().contains("我来改一下"), "{history}");

    // Officers see that they belong together.
    let stranger = app.visitor().await;
    let (his, _) = number_and_code(&talk(&app, &stranger, &[MATTER, &filed("13711200003"), "提交"]).await);
    let case = app.get(&format!("/api/cases/{his}"), &officer).await.expect(200).json();
    assert!(case.to_string().contains("可能是同一件事"), "{case}");

    // Whoever has number and code has shown that it is his.
    let colleague = app.visitor().await;
    let shown = talk(&app, &colleague, &[&format!("{number} {code}")]).await;
    assert!(shown.to_string().contains("已提出"), "{shown}");
    let asked = talk(&app, &colleague, &[MATTER, &filed("13711200004"), "提交"]).await;
    assert!(asked.to_string().contains("您有一件类似的在办") && asked.to_string().contains(&number), "{asked}");
    let added = talk(&app, &colleague, &["补充到这件"]).await;
    assert!(added.to_string().contains(&format!("已补充到 {number}")), "{added}");
    let progress = talk(&app, &colleague, &["查进度"]).await;
    assert!(progress.to_string().contains(&number), "{progress}");
}
