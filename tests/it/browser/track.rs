//! The progress page on a phone: what is typed stays, a dead line is told, nothing goes out twice.

use serde_json::json;

use super::{
    enterprise::register,
    harness::{Browser, Driver, Gateway, available},
};

async fn look_up(browser: &Browser, gateway: &Gateway, number: &str, code: &str) {
    browser.goto(&format!("{}/track", gateway.url)).await;
    browser.write("#number", number).await;
    browser.write("#code", code).await;
    browser.click("form.card button").await;
    browser.find(".track-case").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supplement_outlives_a_reload_an_expired_code_and_a_dead_line() {
    if !available() {
        return;
    }
    let (mut gateway, driver) = (Gateway::demo().await, Driver::start());
    let browser = Browser::open(&driver, 390, 844).await;
    let (number, code) =
        register(&browser, &gateway.url, "新厂房用电报装申请两个月了，供电公司一直没有答复，请协调").await;
    look_up(&browser, &gateway, &number, &code).await;
    let open = "const d = [...document.querySelectorAll('details.act')].find(d => d.querySelector('#act-add_info')); d.open = true; return true";
    browser.js(open).await;
    browser.write("#act-add_info", "补充：受理编号是三月的").await;
    let kept = "document.getElementById('act-add_info').value === '补充：受理编号是三月的' && document.getElementById('act-add_info').closest('details').open";
    browser.client.refresh().await.expect("reload");
    browser.until(kept).await;

    // The code is forgotten after a while: the page asks for it again and the words come back.
    browser.client.delete_all_cookies().await.expect("no cookies");
    let send = "form[action$=add_info] button";
    browser.click(send).await;
    browser.sees("要重新输入查询码").await;
    browser.until("document.getElementById('number').value !== ''").await;
    browser.write("#code", &code).await;
    browser.click("form.card button").await;
    browser.until(kept).await;

    // The line is dead: nothing is lost, and the button works again.
    gateway.stop();
    browser.click(send).await;
    browser.sees("网络不通，没有提交").await;
    browser.until(kept).await;
    gateway.start_again().await;
    // Three clicks, one addition.
    browser.js(&format!("const b = document.querySelector('{send}'); b.click(); b.click(); b.click(); return b.getAttribute('aria-busy')")).await;
    browser.sees("补充说明已交给承办单位").await;
    browser.sees("补充：受理编号是三月的").await;
    assert_eq!(browser.count("已收到补充说明").await, 1);
    assert_eq!(browser.js("return document.getElementById('act-add_info').value").await, json!(""));
    browser.client.refresh().await.expect("reload");
    browser.find("#act-add_info").await;
    assert_eq!(browser.js("return document.getElementById('act-add_info').value").await, json!(""));
    assert_eq!(browser.count("补充说明已交给承办单位").await, 0, "a reload does not say it again");

    // Whoever leaves a shared computer leaves no words behind.
    browser.js(open).await;
    browser.write("#act-add_info", "不想让别人看到").await;
    browser.click(".leave button").await;
    browser.find("#code").await;
    let left = browser.js("return Object.keys(localStorage).filter(key => key.startsWith('zt.track.')).length").await;
    assert_eq!(left, json!(0));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_nothing_is_cut_off_and_a_button_answers_at_once() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let browser = Browser::open(&driver, 390, 844).await;
    let (number, code) = register(&browser, &gateway.url, "厂房消防验收申请交了一个月没人来看，影响投产").await;
    for large in ["", "large"] {
        browser.js(&format!("localStorage.setItem('zt.size', '{large}'); return true")).await;
        look_up(&browser, &gateway, &number, &code).await;
        for path in [format!("/track/{number}"), "/track".into(), "/login".into(), format!("/track/{number}/print")] {
            browser.goto(&format!("{}{path}", gateway.url)).await;
            let cut = browser
                .js("return [document.documentElement.scrollWidth - innerWidth > 0 ? 'page' : '',
                     ...[...document.querySelectorAll('h1, h2, .brand span, .btn, .facts dd, .chat-status')].filter(n => n.scrollWidth > n.clientWidth + 1 && n.clientWidth > 0 && getComputedStyle(n).display !== 'inline').map(n => n.textContent.trim())].filter(Boolean)")
                .await;
            assert_eq!(cut, json!([]), "cut off on {path} {large}");
        }
    }
    browser.goto(&format!("{}/track/{number}", gateway.url)).await;
    browser.find("details.act").await;
    let busy = browser
        .js("document.querySelectorAll('details.act').forEach(d => { d.open = true; });
             const b = document.querySelector('form[action$=urge] button'); b.click(); return b.getAttribute('aria-busy')")
        .await;
    assert_eq!(busy, json!("true"));
    browser.sees("已提醒承办单位").await;
    browser.close().await;
}
