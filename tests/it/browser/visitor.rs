//! The enterprise's chat page itself: where it opens, and that nothing that was typed is lost.

use serde_json::json;

use super::harness::{Browser, Driver, Gateway, available};

/// What lies below the window of the log, in pixels.
const BELOW: &str = "(l => l.scrollHeight - l.scrollTop - l.clientHeight)(document.getElementById('log'))";

/// Speaks sixty messages in a conversation of its own and makes it the one that the page takes up.
async fn long_talk(browser: &Browser) {
    let script = "const done = arguments[arguments.length - 1];
        (async () => {
          const headers = { 'content-type': 'application/json' };
          const post = (path, body) => fetch('/api/chat' + path, { method: 'POST', headers, body: JSON.stringify(body) }).then(r => r.json());
          const s = await post('/sessions', {});
          headers.authorization = 'Bearer ' + s.token;
          for (let n = 1; n <= 60; n += 1) await post('/messages', { client_id: 'm' + n, text: '年报什么时候报，第' + n + '次问' });
          localStorage.setItem('zt.session', JSON.stringify({ conversation_id: s.conversation_id, token: s.token }));
          done(true);
        })().catch(error => done(String(error)));";
    assert_eq!(browser.client.execute_async(script, Vec::new()).await.expect("spoken"), json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_opens_at_its_newest_message_and_loads_older_ones_upward() {
    if !available() {
        return;
    }
    let settings = vec![("ZHITONG__LIMITS__MESSAGES_PER_MINUTE".to_owned(), "6000".to_owned())];
    let (gateway, driver) = (Gateway::with(settings).await, Driver::start());
    for (width, height) in [(390, 844), (1440, 900)] {
        let browser = Browser::open(&driver, width, height).await;
        browser.goto(&gateway.url).await;
        long_talk(&browser).await;
        browser.goto(&gateway.url).await;
        for _ in 0..2 {
            browser.sees("第60次问").await;
            browser.until(&format!("{BELOW} < 4")).await;
            let shift = browser
                .client
                .execute_async(
                    "const done = arguments[0]; let sum = 0;
                     new PerformanceObserver(list => { for (const e of list.getEntries()) sum += e.value; }).observe({ type: 'layout-shift', buffered: true });
                     setTimeout(() => done(sum), 300);",
                    Vec::new(),
                )
                .await
                .expect("measured");
            assert!(shift.as_f64().is_some_and(|sum| sum < 0.02), "the page jumps: {shift}");
            let loaded = browser.js("return document.querySelectorAll('.msg[data-seq]').length").await;
            assert_eq!(loaded, json!(40), "only the newest part is fetched");
            browser.client.refresh().await.expect("reload");
        }
        browser.sees("第60次问").await;
        // What is being read stays where it is while older messages come in above it.
        browser.until(&format!("{BELOW} < 4")).await;
        let before = browser
            .js("const log = document.getElementById('log'); log.scrollTop = 250;
                 window.read = [...document.querySelectorAll('.msg[data-seq]')].find(n => n.getBoundingClientRect().top > log.getBoundingClientRect().top);
                 return Math.round(read.getBoundingClientRect().top)")
            .await;
        browser.until("document.querySelectorAll('.msg[data-seq]').length > 40").await;
        assert_eq!(browser.js("return Math.round(read.getBoundingClientRect().top)").await, before);
        for _ in 0..4 {
            browser.js("document.getElementById('log').scrollTop = 0; return true").await;
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        }
        browser
            .until(
                "document.getElementById('older').hidden && document.querySelectorAll('.msg[data-seq]').length >= 120",
            )
            .await;
        let order = browser
            .js("const s = [...document.querySelectorAll('.msg[data-seq]')].map(n => Number(n.dataset.seq)); return s.every((n, i) => n === i + 1)")
            .await;
        assert_eq!(order, json!(true), "messages are missing, doubled or out of order");
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_into_the_form_outlives_a_reload_new_words_and_the_session() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let browser = Browser::open(&driver, 390, 844).await;
    browser.goto(&gateway.url).await;
    browser.write("#text", "厂房消防验收申请交了一个月没人来看，影响投产").await;
    browser.click("#send").await;
    browser.find(".form button[type=submit]").await;
    // It is higher than the phone: one begins to read it where it begins.
    browser.until("document.querySelector('.msg-visitor[data-seq]')").await;
    let above = browser
        .js("return document.querySelector('.form').getBoundingClientRect().top - document.getElementById('log').getBoundingClientRect().top")
        .await;
    assert!(above.as_f64().is_some_and(|px| (0.0..300.0).contains(&px)), "the form does not begin in sight: {above}");
    let set = |name: &str, value: &str| {
        format!(
            "const label = [...document.querySelectorAll('.form:not(.form-old) label')].find(l => l.textContent.includes({}));
             const input = document.getElementById(label.htmlFor); input.value = {};
             input.dispatchEvent(new Event('input', {{ bubbles: true }})); return true",
            json!(name),
            json!(value)
        )
    };
    let shows = |name: &str, value: &str| {
        format!(
            "[...document.querySelectorAll('.form:not(.form-old) label')].some(l => l.textContent.includes({})
               && document.getElementById(l.htmlFor).value === {})",
            json!(name),
            json!(value)
        )
    };
    // Enter in a field files nothing: it goes on to the next one.
    let enter = browser
        .js("const fields = [...document.querySelectorAll('.form input:not([type=checkbox])')]; fields[0].focus();
             const key = (init) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...init }));
             const composing = key({ keyCode: 229 }); const stayed = document.activeElement === fields[0];
             key({}); return [composing, stayed, document.activeElement === fields[1]]")
        .await;
    assert_eq!(enter, json!([false, true, true]));
    browser.js(&set("企业名称", "示例县青竹机械有限公司")).await;
    browser.js(&set("事发地点", "工业路 8 号")).await;
    browser.client.refresh().await.expect("reload");
    browser.until(&shows("企业名称", "示例县青竹机械有限公司")).await;

    // New words bring a new card; what was typed into the old one is on it.
    let before = browser.js("return document.querySelectorAll('.form').length").await;
    browser.write("#text", "联系人王示例，电话13800138000").await;
    browser.click("#send").await;
    browser.until(&format!("document.querySelectorAll('.form').length > {before}")).await;
    browser.until(&shows("企业名称", "示例县青竹机械有限公司")).await;
    browser.until(&shows("事发地点", "工业路 8 号")).await;
    browser.until(&shows("联系电话", "13800138000")).await;

    // The session is over: the words are offered, and nothing of the old talk gets in the way of the new one.
    browser.client.delete_all_cookies().await.expect("no cookies");
    browser
        .js("const s = JSON.parse(localStorage.getItem('zt.session')); s.token = 'zv_over'; localStorage.setItem('zt.session', JSON.stringify(s)); return true")
        .await;
    browser.client.refresh().await.expect("reload");
    browser.sees("现在是新的会话").await;
    browser.click("#renewed-take").await;
    browser.until("document.getElementById('text').value.includes('企业名称：示例县青竹机械有限公司')").await;
    browser.until("document.getElementById('text').value.includes('消防验收')").await;
    browser.click("#send").await;
    browser.until("document.querySelector('.form:not(.form-old) button[type=submit]')").await;
    browser.until("document.querySelectorAll('.msg-visitor[data-seq=\"1\"]').length === 1").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_went_away_is_told_and_nothing_written_is_lost() {
    if !available() {
        return;
    }
    let (mut gateway, driver) = (Gateway::demo().await, Driver::start());
    let browser = Browser::open(&driver, 390, 844).await;
    browser.goto(&gateway.url).await;
    browser.write("#text", "年报什么时候报").await;
    browser.click("#send").await;
    browser.sees("6月30日").await;
    gateway.stop();
    browser.sees("正在重新连接").await;
    browser.write("#text", "简易注销要公示几天").await;
    browser.click("#send").await;
    browser.sees("未发送").await;
    browser.client.refresh().await.ok();
    gateway.start_again().await;
    browser.goto(&gateway.url).await;
    browser.sees("简易注销要公示几天").await;
    browser.sees("20日").await;
    assert_eq!(browser.js("return document.querySelectorAll('.msg-failed').length").await, json!(0));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dialogs_take_the_focus_and_give_it_back() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let browser = Browser::open(&driver, 1440, 900).await;
    browser.goto(&gateway.url).await;
    browser.until("document.body.classList.contains('ready')").await;
    browser.js("document.querySelector('#first-use [data-privacy]').focus(); return true").await;
    let key = |value: &str| {
        let keys = value.to_owned();
        let client = browser.client.clone();
        async move { client.active_element().await.expect("focus").send_keys(&keys).await.expect("pressed") }
    };
    key("\u{e007}").await;
    browser.until("document.getElementById('privacy').open && document.getElementById('privacy').contains(document.activeElement)").await;
    for _ in 0..4 {
        key("\u{e004}").await;
        let inside = browser.js("const d = document.getElementById('privacy'); return d.contains(document.activeElement) || document.activeElement === document.body").await;
        assert_eq!(inside, json!(true), "the focus left the dialog");
    }
    key("\u{e00c}").await;
    browser
        .until(
            "!document.getElementById('privacy').open && document.activeElement.matches('#first-use [data-privacy]')",
        )
        .await;
    // The menu closes with Esc as well, and the focus is on what opened it.
    browser.js("const s = document.querySelector('details.menu summary'); s.focus(); s.click(); return true").await;
    key("\u{e00c}").await;
    browser.until("!document.querySelector('details.menu').open && document.activeElement.matches('summary')").await;
    browser.close().await;
}
