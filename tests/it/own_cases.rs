//! Cases of one's own in the chat: who may see them and add to them, and what is done to them by words.

use serde_json::{Value, json};
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
    assert!(shown.to_string().contains("已收到，正在受理"), "{shown}");
    let asked = talk(&app, &colleague, &[MATTER, &filed("13711200004"), "提交"]).await;
    assert!(asked.to_string().contains("您有一件类似的在办") && asked.to_string().contains(&number), "{asked}");
    let added = talk(&app, &colleague, &["补充到这件"]).await;
    assert!(added.to_string().contains(&format!("已补充到 {number}")), "{added}");
    let progress = talk(&app, &colleague, &["查进度"]).await;
    assert!(progress.to_string().contains(&number), "{progress}");
}

#[tokio::test]
async fn words_about_a_filed_case_act_on_it() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    let receipt = talk(&app, &token, &[MATTER, "公司是宁德绿野食品有限公司，13711200001 陈明", "提交"]).await;
    let (number, _) = number_and_code(&receipt);
    for words in
        ["都几天了还没动静", "我那个事情怎么样了", "谁在办", "编号多少", "怎么还没人联系我", "办好了吗", "进度"]
    {
        let answer = talk(&app, &token, &[words]).await.to_string();
        assert!(answer.contains(&number) && answer.contains("催办"), "{words}: {answer}");
        assert!(!answer.contains("\"kind\":\"form\""), "{words}: {answer}");
    }
    let asked = talk(&app, &token, &["我要补充"]).await.to_string();
    assert!(asked.contains("补充什么"), "{asked}");
    let added = talk(&app, &token, &["路灯也坏了"]).await.to_string();
    assert!(added.contains(&format!("已补充到 {number}")), "{added}");
    let added = talk(&app, &token, &["补充一下，门口的路也坏了"]).await.to_string();
    assert!(added.contains(&format!("已补充到 {number}")), "{added}");
    let urged = talk(&app, &token, &["加急"]).await.to_string();
    assert!(urged.contains(&format!("已为您催办 {number}")), "{urged}");
    for words in ["已经解决了", "撤回", "取消", "不用办了，路修好了"] {
        let asked = talk(&app, &token, &[words]).await.to_string();
        assert!(asked.contains(&format!("确认撤回 {number}")), "{words}: {asked}");
    }
    let done = talk(&app, &token, &[&format!("确认撤回 {number}，路修好了")]).await.to_string();
    assert!(done.contains(&format!("已撤回 {number}")), "{done}");
    let done = talk(&app, &token, &["撤回"]).await.to_string();
    assert!(done.contains("都已办结"), "{done}");
}

#[tokio::test]
async fn an_officer_who_sends_the_same_case_twice_files_one() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    app.say(&token, "1", "你好").await.expect(200);
    app.call("POST", "/api/chat/handoff", Some(&token), None).await.expect(200);
    let desk = app.officer("desk", &[(Role::FrontDesk, "")]).await;
    let waiting = app.get("/api/conversations", &desk).await.expect(200).json();
    let id = waiting["items"][0]["id"].as_str().expect("a conversation").to_owned();
    app.post(&format!("/api/conversations/{id}/claim"), &desk, json!({})).await.expect(200);
    let path = format!("/api/conversations/{id}/case");
    let body = json!({
        "text": "厂区门口的路坏了没人修",
        "fields": { "contact_phone": "13711200001", "enterprise": "宁德绿野食品有限公司" },
        "confirm": true,
    });
    let first = app.post(&path, &desk, body.clone()).await.expect(201).json();
    let again = app.post(&path, &desk, body.clone()).await.expect(201).json();
    assert_eq!(first["cases"][0]["number"], again["cases"][0]["number"]);
    let other = json!({ "text": "车间停电两天了", "fields": { "contact_phone": "13711200001" }, "confirm": true });
    let other = app.post(&path, &desk, other).await.expect(201).json();
    assert_ne!(first["cases"][0]["number"], other["cases"][0]["number"]);
}

#[tokio::test]
async fn a_file_sent_again_is_stored_once() {
    let app = TestApp::start().await;
    let token = app.visitor().await;
    let first =
        app.upload_to("/api/chat/attachments", &token, Some("f1"), "发票.pdf", b"%PDF-1.7\n").await.expect(201).json();
    let again =
        app.upload_to("/api/chat/attachments", &token, Some("f1"), "发票.pdf", b"%PDF-1.7\n").await.expect(201).json();
    assert_eq!(first["attachment"]["id"], again["attachment"]["id"]);
    let folder = std::path::Path::new(&app.app.config.server.data_dir).join("attachments");
    let files = std::fs::read_dir(folder).expect("a folder").count();
    assert_eq!(files, 1);
}
