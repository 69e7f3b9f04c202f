//! What an enterprise sees of a model: sentences as they pass, the label, and the rules' way when it comes to nothing.

use tokio::sync::mpsc;

use super::harness::{Browser, Driver, available, free_port};
use crate::{
    model_flow::{HOLDING, LABEL, question, work},
    support::{
        TestApp,
        model::{Script, Scripted, contract},
    },
};

async fn say(browser: &Browser, words: &str) {
    browser.write("#text", words).await;
    browser.click("#send").await;
}

fn shown(css: &str, words: &str) -> String {
    format!(
        "[...document.querySelectorAll({})].some(node => node.textContent.includes({}))",
        serde_json::json!(css),
        serde_json::json!(words)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_checked_sentences_the_label_and_the_fallback() {
    if !available() {
        return;
    }
    let asked = question();
    let (pieces, script) = mpsc::unbounded_channel();
    let (lies, lying) = mpsc::unbounded_channel();
    let model = Scripted::new([Script::Pieces(script), Script::Pieces(lying)]);
    let app = TestApp::with_model(model).await;
    let address = format!("127.0.0.1:{}", free_port());
    let listener = zhitong::web::serve::bind(address.parse().expect("an address")).expect("a port");
    let job = work(&app.app);
    let server = tokio::spawn({
        let (app, router) = (app.app.clone(), app.router());
        async move { zhitong::web::serve::serve(&app, listener, router).await }
    });

    let driver = Driver::start();
    let browser = Browser::open(&driver, 390, 844).await;
    browser.goto(&format!("http://{address}")).await;
    say(&browser, &asked.words).await;
    browser.sees(HOLDING).await;
    let whole = contract("answered", &[&asked.rule], &format!("{0}{0}", asked.sentence));
    // A sentence is over when the next one begins.
    let next = asked.sentence.chars().next().map_or(0, char::len_utf8);
    let middle = whole.find(&asked.sentence).expect("the sentence") + asked.sentence.len() + next;
    pieces.send(whole[..middle].to_owned()).expect("open");
    browser.until(&shown(".msg-draft .ai-text", &asked.sentence)).await;
    browser.until(&shown(".msg-draft .ai-label", LABEL)).await;
    assert_eq!(browser.count(LABEL).await, 1);
    pieces.send(whole[middle..].to_owned()).expect("open");
    drop(pieces);
    browser.until("document.querySelector('.msg-ai[data-seq]') && !document.querySelector('.msg-draft')").await;
    browser.until(&shown(".msg-ai[data-seq] .tag", "AI 生成")).await;
    browser.until(&shown(".msg-ai[data-seq] .ai-label", LABEL)).await;
    browser.until("document.querySelector('.msg-ai[data-seq] .basis')").await;
    browser.until(&shown(".quick .btn", "没解决")).await;
    assert_eq!(browser.count(LABEL).await, 1, "the label stands once");
    let frame = "return getComputedStyle(document.querySelector('.msg-ai .bubble')).borderTopStyle";
    assert_eq!(browser.js(frame).await, "dashed", "it looks like no rule answer");
    let overflow = browser.js("return document.documentElement.scrollWidth - window.innerWidth").await;
    assert!(overflow.as_i64().is_some_and(|px| px <= 0), "the page is wider than the phone: {overflow}");

    say(&browser, &asked.words).await;
    browser
        .until(&format!("{} && document.querySelectorAll('.msg-visitor').length === 2", shown(".msg-bot", HOLDING)))
        .await;
    lies.send(whole[..middle].to_owned()).expect("open");
    browser.until("document.querySelector('.msg-draft')").await;
    lies.send("这句话没有写完".to_owned()).expect("open");
    drop(lies);
    browser
        .until("!document.querySelector('.msg-draft') && document.querySelectorAll('.msg[data-seq]').length > 5")
        .await;
    assert_eq!(browser.js("return document.querySelectorAll('.msg-ai').length").await, 1, "nothing unchecked stays");
    assert!(!browser.text().await.contains("这句话没有写完"));
    browser.close().await;
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
    server.await.expect("the server ends");
}
