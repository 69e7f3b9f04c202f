//! What an enterprise sees of a proposal beside its form, and what the buttons do.

use tokio::sync::mpsc;
use zhitong::jobs;

use super::harness::{Browser, Driver, available, free_port};
use crate::{
    proposals::{OPEN, honest},
    support::{
        TestApp,
        model::{Script, Scripted},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_appears_on_the_form_and_is_taken_over_by_a_button() {
    if !available() {
        return;
    }
    let (pieces, script) = mpsc::unbounded_channel();
    let app = TestApp::with_model(Scripted::new([Script::Pieces(script)])).await;
    let address = format!("127.0.0.1:{}", free_port());
    let listener = zhitong::web::serve::bind(address.parse().expect("an address")).expect("a port");
    let job = tokio::spawn(jobs::proposals::run(app.app.clone()));
    let server = tokio::spawn({
        let (app, router) = (app.app.clone(), app.router());
        async move { zhitong::web::serve::serve(&app, listener, router).await }
    });

    let driver = Driver::start();
    let browser = Browser::open(&driver, 390, 844).await;
    browser.goto(&format!("http://{address}")).await;
    browser.write("#text", OPEN).await;
    browser.click("#send").await;
    browser.until("document.querySelector('form.form')").await;
    assert_eq!(browser.count("AI 建议").await, 0, "the form is there before the model has said anything");
    browser.js("document.querySelector('form.form input[id^=\"f-contact_name\"]').value = '张三'").await;
    pieces.send(honest()).expect("open");
    drop(pieces);
    browser.sees("AI 建议，请核对").await;
    assert_eq!(browser.js("return document.querySelectorAll('form.form').length").await, 1, "no second card");
    let name = "return document.querySelector('form.form input[id^=\"f-contact_name\"]').value";
    assert_eq!(browser.js(name).await, "张三", "what is being typed stays");
    let object = "return document.querySelector('form.form input[id^=\"f-object\"]').value";
    assert_eq!(browser.js(object).await, "", "nothing is filled in by itself");
    let overflow = browser.js("return document.documentElement.scrollWidth - window.innerWidth").await;
    assert!(overflow.as_i64().is_some_and(|px| px <= 0), "the page is wider than the phone: {overflow}");

    browser.click(".proposal [data-item='object'] .btn:first-child").await;
    browser.until("document.querySelector('form.form input[id^=\"f-object\"]').value === '宏达绿化队'").await;
    browser.until("!document.querySelector('.proposal [data-item=\"object\"]')").await;
    browser.sees("采用了 AI 建议，可改").await;
    browser.click(".proposal [data-item='type'] .btn:first-child").await;
    browser.until("document.querySelector('.matter .tag-accent').textContent === '求助'").await;
    browser.until("document.querySelectorAll('.proposal li').length === 1").await;

    // A reload shows the same: what was taken over and what is still open.
    browser.goto(&format!("http://{address}")).await;
    browser.until("document.querySelector('.matter .tag-accent')?.textContent === '求助'").await;
    assert_eq!(browser.js(object).await, "宏达绿化队");
    browser.until("document.querySelectorAll('.proposal li').length === 1").await;
    browser.click("form.form button[type=submit]").await;
    browser.until("document.querySelector('.receipt')").await;
    assert_eq!(browser.count("AI 建议").await, 0);
    browser.close().await;
    app.app.shutdown.cancel();
    job.await.expect("the job ends");
    server.await.expect("the server ends");
}
