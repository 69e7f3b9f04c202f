//! What officers see of suggestions: a summary, a draft whose changes are shown before it goes out, and a demand.

use serde_json::json;
use zhitong::{
    app::auth::{NewAccount, create_account},
    domain::access::Role,
    jobs,
};

use super::harness::{Browser, Driver, available, free_port};
use crate::{
    model_flow::question,
    support::{
        TestApp,
        model::{Script, Scripted, contract},
    },
};

const PASSWORD: &str = "Zhitong-Browser-2026!";
const DEMAND: &str = "想知道这件事怎么办";

fn text_of(css: &str, words: &str) -> String {
    format!("[...document.querySelectorAll({})].some(node => node.textContent.includes({}))", json!(css), json!(words))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_shown_with_its_changes_and_a_demand_that_is_kept_counts_as_kept() {
    if !available() {
        return;
    }
    let asked = question();
    let summary =
        json!({ "summary": "企业来咨询一件事。", "demand": "", "facts": [], "asked": [], "open": ["具体情况"] });
    let title = json!({ "title": "企业咨询", "demand": DEMAND });
    let honest = contract("answered", &[&asked.rule], &asked.sentence);
    let model = Scripted::new([
        Script::Say(honest.clone()),
        Script::Say(summary.to_string()),
        Script::Say(honest),
        Script::Say(title.to_string()),
    ]);
    let app = TestApp::with_model(model).await;
    let account = NewAccount {
        login: "desk".to_owned(),
        name: "坐席甲".to_owned(),
        roles: vec![(Role::FrontDesk, String::new())],
        password: Some(PASSWORD.to_owned()),
    };
    create_account(&app.app, &account).await.expect("an account");
    let address = format!("127.0.0.1:{}", free_port());
    let listener = zhitong::web::serve::bind(address.parse().expect("an address")).expect("a port");
    let server = tokio::spawn({
        let (app, router) = (app.app.clone(), app.router());
        async move { zhitong::web::serve::serve(&app, listener, router).await }
    });
    let visitor = app.visitor().await;
    app.say(&visitor, "1", &asked.words).await.expect(200);
    jobs::model::run_once(&app.app).await.expect("worked off");
    app.post("/api/chat/handoff", &visitor, json!({ "client_id": "h" })).await;
    let list = app.get("/api/chat/messages?after=0", &visitor).await.expect(200).json();
    let id = list["conversation"]["id"].as_str().expect("a conversation").to_owned();

    let driver = Driver::start();
    let desk = Browser::open(&driver, 1440, 900).await;
    desk.goto(&format!("http://{address}/login")).await;
    desk.write("#login", "desk").await;
    desk.write("#password", PASSWORD).await;
    desk.click("form.login button").await;
    desk.find(".desk").await;
    desk.goto(&format!("http://{address}/desk/conversations/{id}")).await;
    desk.click("#talk-acts .btn-primary").await;
    desk.until("document.querySelector('#ai-draft') && !document.querySelector('#ai-draft').hidden").await;

    // A summary, with its mark and what is to be done with it.
    desk.click("#assist .ai-acts .btn").await;
    desk.until(&text_of("#assist .ai-card", "还没弄清的")).await;
    desk.until(&text_of("#assist .ai-mark", "AI 生成")).await;
    desk.click("#assist .ai-card .btn:first-child").await;
    desk.until("!document.querySelector('#assist .ai-card')").await;

    // A draft: unchanged it says so, changed it is not sent before the changes were seen.
    desk.click("#ai-draft").await;
    let sentence = json!(asked.sentence);
    desk.until(&format!("document.querySelector('#reply-text').value.includes({sentence})")).await;
    desk.until(&text_of("#ai-out", "一字不差")).await;
    let sent = "return document.querySelectorAll('#log .msg-officer, #log [data-from=officer]').length";
    let before = desk.js(sent).await;
    desk.js("const box = document.querySelector('#reply-text'); box.value += '请带好材料。';
         box.dispatchEvent(new Event('input', { bubbles: true }));")
        .await;
    desk.click("#reply-send").await;
    desk.until("document.querySelector('#ai-out ins')?.textContent.includes('请带好材料')").await;
    assert_eq!(desk.js(sent).await, before, "nothing goes out by itself");

    // The demand, filed as it came.
    desk.js("[...document.querySelectorAll('#talk-acts .btn')].find(b => b.textContent.includes('建工单')).click()")
        .await;
    desk.until("document.querySelector('dialog[open] textarea')").await;
    if desk.js("return Boolean(document.querySelector('dialog[open] #case-text'))").await == true {
        desk.write("#case-text", &asked.words).await;
        desk.click("#ask-go").await;
    }
    desk.until("document.querySelector('dialog[open] textarea[id^=\"cm-\"]')").await;
    desk.click("dialog[open] fieldset .ai-acts .btn").await;
    desk.until(&format!("document.querySelector('dialog[open] textarea[id^=\"cm-\"]').value === {}", json!(DEMAND)))
        .await;
    for (css, value) in
        [("#cf-contact_phone", "13800138000"), ("#cf-enterprise", "示例机械有限公司"), ("#cf-contact_name", "李经理")]
    {
        let fill = format!(
            "const field = document.querySelector({}); if (field && !field.value) field.value = {}",
            json!(css),
            json!(value)
        );
        desk.js(&fill).await;
    }
    desk.click("#ask-go").await;
    desk.sees("已登记").await;
    let admin = app.officer("admin", &[(Role::Admin, "")]).await;
    let counted = async || {
        let console = app.get("/api/admin/model", &admin).await.expect(200).json();
        let lines = console["suggestions"].as_array().cloned().unwrap_or_default();
        lines.into_iter().find(|line| line["kind"] == "title").unwrap_or_default()
    };
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while counted().await["open"] != 0 && tokio::time::Instant::now() < end {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let line = counted().await;
    assert_eq!((&line["kept"], &line["thrown_away"]), (&json!(1), &json!(0)), "{line}");
    desk.close().await;
    app.app.shutdown.cancel();
    server.await.expect("the server ends");
}
