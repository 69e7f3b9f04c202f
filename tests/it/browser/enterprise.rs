//! What an enterprise does: ask, be answered with a source, register a matter, follow it.

use super::harness::{Browser, Driver, Gateway, available};

const BOT: &str = ".msg-bot:not(.typing)";

async fn say(browser: &Browser, words: &str) {
    browser.write("#text", words).await;
    browser.click("#send").await;
}

/// Says a matter, registers it with a phone number and returns case number and query code.
pub(super) async fn register(browser: &Browser, url: &str, words: &str) -> (String, String) {
    browser.goto(url).await;
    say(browser, words).await;
    for _ in 0..3 {
        browser.until("document.querySelector('.form button[type=submit]') || document.querySelector('.quick button, .quick-replies button, [data-quick]')").await;
        if browser.js("return !!document.querySelector('.form button[type=submit]')").await == serde_json::json!(true) {
            break;
        }
        say(browser, "登记办理").await;
    }
    fill_form(browser).await;
    browser.click(".form button[type=submit]").await;
    receipt(browser).await
}

async fn fill_form(browser: &Browser) {
    browser
        .js("const set = (name, value) => { const field = [...document.querySelectorAll('.form label')].find(l => l.textContent.includes(name));
               if (!field) return; const input = document.getElementById(field.htmlFor); if (!input || input.value) return;
               input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); };
             set('企业名称', '示例县青竹机械有限公司'); set('联系人', '王示例'); set('电话', '13800138000'); return true")
        .await;
}

async fn receipt(browser: &Browser) -> (String, String) {
    browser.until(r"/ZT\d{8}-\d{4,}[0-9A-Z]/.test(document.body.innerText)").await;
    let number = browser.js(r"return document.body.innerText.match(/ZT\d{8}-\d{4,}[0-9A-Z]/)[0]").await;
    let code = browser.js("return (document.querySelector('.receipt-code strong') || {}).textContent || ''").await;
    (number.as_str().expect("a number").to_owned(), code.as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_carries_its_source_and_survives_a_reload_in_mid_chat() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let browser = Browser::open(&driver, 390, 844).await;
    browser.goto(&gateway.url).await;
    say(&browser, "没签劳动合同有什么后果").await;
    browser.sees("二倍").await;
    browser.until(&format!("document.querySelector('{BOT} details')")).await;
    let before = browser.js("return document.querySelectorAll('.msg[data-seq]').length").await;
    browser.client.refresh().await.expect("reload");
    browser.sees("二倍").await;
    assert_eq!(browser.js("return document.querySelectorAll('.msg[data-seq]').length").await, before);
    let overflow = browser.js("return document.documentElement.scrollWidth - window.innerWidth").await;
    assert!(overflow.as_i64().is_some_and(|px| px <= 0), "the page is wider than the phone: {overflow}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enter_while_composing_never_sends_and_unsent_text_is_kept() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let browser = Browser::open(&driver, 390, 844).await;
    browser.goto(&gateway.url).await;
    browser.write("#text", "xiaofang").await;
    let sent = browser
        .js("const t = document.getElementById('text');
             t.dispatchEvent(new CompositionEvent('compositionstart', { bubbles: true }));
             const key = (init) => t.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...init }));
             key({ isComposing: true }); key({ keyCode: 229 });
             t.dispatchEvent(new CompositionEvent('compositionend', { bubbles: true, data: '消防' }));
             key({});
             return document.querySelectorAll('.msg-visitor').length")
        .await;
    assert_eq!(sent, serde_json::json!(0), "a key of the input method sent the message");
    assert_eq!(browser.js("return document.getElementById('text').value").await, serde_json::json!("xiaofang"));
    browser.client.refresh().await.expect("reload");
    browser.until("document.getElementById('text').value === 'xiaofang'").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_clicked_submit_files_one_case() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let browser = Browser::open(&driver, 390, 844).await;
    browser.goto(&gateway.url).await;
    say(&browser, "厂房消防验收申请交了一个月没人来看，影响投产").await;
    browser.find(".form button[type=submit]").await;
    fill_form(&browser).await;
    browser.js("const b = document.querySelector('.form button[type=submit]'); b.click(); b.click(); b.click(); return true").await;
    let (number, _) = receipt(&browser).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let numbers =
        browser.js(r"return [...new Set(document.body.innerText.match(/ZT\d{8}-\d{4,}[0-9A-Z]/g))].length").await;
    assert_eq!(numbers, serde_json::json!(1), "{number}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_a_message_stays_text() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let browser = Browser::open(&driver, 1440, 900).await;
    browser.goto(&gateway.url).await;
    say(&browser, "<img src=x onerror=\"window.__xss=1\"><script>window.__xss=1</script>补贴怎么申请").await;
    browser.until("document.querySelectorAll('.msg-bot:not(.typing)').length > 0").await;
    browser.sees("onerror=").await;
    assert_eq!(browser.js("return window.__xss === undefined").await, serde_json::json!(true));
    assert_eq!(
        browser.js("return document.querySelectorAll('.log img[src=x], .log script').length").await,
        serde_json::json!(0)
    );
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_survives_a_killed_gateway() {
    if !available() {
        return;
    }
    let (mut gateway, driver) = (Gateway::demo().await, Driver::start());
    let browser = Browser::open(&driver, 390, 844).await;
    browser.goto(&gateway.url).await;
    say(&browser, "年报什么时候报").await;
    browser.sees("6月30日").await;
    gateway.restart_after_kill().await;
    say(&browser, "简易注销要公示几天").await;
    browser.sees("20日").await;
    let seqs = browser
        .js("const s = [...document.querySelectorAll('.msg[data-seq]')].map(n => Number(n.dataset.seq)); return s.every((n, i) => i === 0 || n > s[i - 1]) && new Set(s).size === s.length")
        .await;
    assert_eq!(seqs, serde_json::json!(true), "messages are doubled or out of order");
    assert_eq!(browser.count("年报什么时候报").await, 1);
    browser.close().await;
}
