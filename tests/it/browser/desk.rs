//! What officers do: take over a conversation, and carry a case from acceptance to its close.

use serde_json::json;

use super::{
    enterprise::register,
    harness::{Browser, Driver, Gateway, available},
};

pub(super) async fn log_in(driver: &Driver, gateway: &Gateway, login: &str) -> Browser {
    log_in_with(driver, gateway, login, &gateway.password()).await
}

/// The same with a password of one's own.
pub(super) async fn log_in_with(driver: &Driver, gateway: &Gateway, login: &str, password: &str) -> Browser {
    let browser = Browser::open(driver, 1440, 900).await;
    browser.goto(&format!("{}/login", gateway.url)).await;
    browser.write("#login", login).await;
    browser.write("#password", password).await;
    browser.click("form.login button").await;
    browser.find(".desk").await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_officers_who_grab_one_conversation_exactly_one_gets_it() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let visitor = Browser::open(&driver, 390, 844).await;
    visitor.goto(&gateway.url).await;
    visitor.write("#text", "我想找人工问个事").await;
    visitor.click("#send").await;
    visitor.until("document.querySelectorAll('.msg-visitor').length > 0").await;
    visitor.click("#human").await;
    visitor.until("document.getElementById('status').dataset.state === 'queued'").await;
    let id = visitor
        .js("return JSON.parse(localStorage.getItem('zt.session')).conversation_id")
        .await
        .as_str()
        .expect("a conversation")
        .to_owned();

    let first = log_in(&driver, &gateway, "zuoxi").await;
    let second = log_in(&driver, &gateway, "zuoxi2").await;
    for desk in [&first, &second] {
        desk.goto(&format!("{}/desk/conversations/{id}", gateway.url)).await;
        desk.find("#talk-acts button").await;
    }
    let grab = |desk: &Browser| {
        let client = desk.client.clone();
        let script = format!(
            "const done = arguments[arguments.length - 1];
             fetch('/api/conversations/{id}/claim', {{ method: 'POST', credentials: 'same-origin',
               headers: {{ 'Content-Type': 'application/json', 'X-CSRF-Token': document.querySelector('meta[name=csrf-token]').content }},
               body: '{{}}' }}).then(r => done(r.status), e => done(String(e)))"
        );
        async move { client.execute_async(&script, Vec::new()).await.expect("answered") }
    };
    let (a, b) = tokio::join!(grab(&first), grab(&second));
    let mut statuses = [a, b].map(|status| status.as_u64().expect("a status"));
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);

    visitor.until("document.getElementById('status').dataset.state === 'human'").await;
    let bots = visitor.js("return document.querySelectorAll('.msg-bot[data-seq]').length").await;
    visitor.write("#text", "年报什么时候报").await;
    visitor.click("#send").await;
    visitor.until("[...document.querySelectorAll('.msg-visitor')].some(n => n.innerText.includes('年报'))").await;
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    assert_eq!(
        visitor.js("return document.querySelectorAll('.msg-bot[data-seq]').length").await,
        bots,
        "the bot talks over the officer"
    );
    for browser in [visitor, first, second] {
        browser.close().await;
    }
}

/// Opens the dialog of an action, fills its fields by name and confirms.
async fn act(desk: &Browser, gateway: &Gateway, number: &str, action: &str, fields: &[(&str, &str)]) {
    desk.goto(&format!("{}/desk/cases/{number}", gateway.url)).await;
    desk.find(&format!("#act-{action}")).await;
    desk.js(&format!("const d = document.getElementById('act-{action}'); if (!d.open) d.showModal(); return true"))
        .await;
    for (name, value) in fields {
        let script = format!(
            "const field = document.querySelector('#act-{action} [name={name}]'); field.value = {};
             field.dispatchEvent(new Event('input', {{ bubbles: true }})); field.dispatchEvent(new Event('change', {{ bubbles: true }})); return true",
            json!(value)
        );
        desk.js(&script).await;
    }
    let before = desk.js("return document.querySelector('[data-case]').dataset.version").await;
    desk.click(&format!("#act-{action} form .dialog-foot button:last-child")).await;
    desk.until(&format!(
        "document.querySelector('[data-case]') && document.querySelector('[data-case]').dataset.version !== {before}"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_goes_from_the_phone_over_the_desk_back_to_the_phone() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let enterprise = Browser::open(&driver, 390, 844).await;
    let words = "新厂房用电报装申请两个月了，供电公司一直没有答复，请协调";
    let (number, code) = register(&enterprise, &gateway.url, words).await;

    let dispatcher = log_in(&driver, &gateway, "fenpai").await;
    act(&dispatcher, &gateway, &number, "accept", &[]).await;
    act(&dispatcher, &gateway, &number, "dispatch", &[]).await;
    dispatcher.sees("供电公司").await;

    enterprise.goto(&format!("{}/track", gateway.url)).await;
    enterprise.write("#number", &number).await;
    enterprise.write("#code", &code).await;
    enterprise.click("form.card button").await;
    enterprise.sees("供电公司").await;
    enterprise.sees(words).await;
    for browser in [enterprise, dispatcher] {
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bell_rings_for_a_new_case_and_is_silent_once_it_is_opened() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let enterprise = Browser::open(&driver, 390, 844).await;
    let words = "工地夜里施工噪音大，影响我们厂宿舍休息，请住建局管一管";
    let (number, _) = register(&enterprise, &gateway.url, words).await;
    let clerk = log_in(&driver, &gateway, "dengji").await;
    assert_eq!(clerk.js("return document.getElementById('bell-count').hidden").await, json!(true));

    let dispatcher = log_in(&driver, &gateway, "fenpai").await;
    act(&dispatcher, &gateway, &number, "accept", &[]).await;
    act(&dispatcher, &gateway, &number, "dispatch", &[("lead", "zjj")]).await;
    clerk.until("document.getElementById('bell-count').textContent === '1'").await;
    clerk.click("#bell").await;
    clerk.find(".notices .unread").await;
    clerk.click(&format!(".notices a[href='/desk/cases/{number}']")).await;
    clerk.sees(words).await;
    clerk.until("document.getElementById('bell-count').hidden").await;
    clerk.goto(&format!("{}/desk/notices", gateway.url)).await;
    clerk.find(".notices li:not(.unread)").await;
    for browser in [enterprise, dispatcher, clerk] {
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_cases_wait_behind_a_bar_and_no_row_moves() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let desk = log_in(&driver, &gateway, "fenpai").await;
    desk.goto(&format!("{}/desk?tab=todo", gateway.url)).await;
    desk.find("a.item").await;
    desk.until("document.getElementById('live').hidden").await;
    let keys = "[...document.querySelectorAll('a.item')].map(row => row.dataset.key).join(' ')";
    let before = desk.js(&format!("return {keys}")).await;
    let enterprise = Browser::open(&driver, 390, 844).await;
    let (number, _) = register(&enterprise, &gateway.url, "厂房消防验收申请交了一个月没人来看，影响投产").await;
    desk.until("document.getElementById('list-news').textContent.includes('1 条新到')").await;
    assert_eq!(desk.js(&format!("return {keys}")).await, before, "rows moved under the eye");
    desk.click("#list-news").await;
    desk.until(&format!("document.querySelector('a.item[data-key=\"{number}\"]')")).await;
    desk.until("document.getElementById('list-news').hidden").await;
    for browser in [enterprise, desk] {
        browser.close().await;
    }
}
