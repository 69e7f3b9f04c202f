//! What officers write and read: a dialog keeps what was typed, a conversation opens at its newest message.

use serde_json::json;

use super::{
    desk::{log_in, log_in_with},
    enterprise::register,
    harness::{Browser, Driver, Gateway, available},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_into_a_dialog_outlives_a_reload_and_an_expired_session() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let phone = Browser::open(&driver, 390, 844).await;
    let (number, _) = register(&phone, &gateway.url, "厂房消防验收申请交了一个月没人来看，影响投产").await;
    phone.close().await;
    let desk = log_in(&driver, &gateway, "zuoxi").await;
    let page = format!("{}/desk/cases/{number}", gateway.url);
    desk.goto(&page).await;
    desk.find("[data-act=request_info]").await;
    let open = "document.querySelector('[data-act=request_info]').click(); return true";
    let area = "#act-request_info textarea";
    desk.js(open).await;
    desk.write(area, "请补正：受理回执一份").await;
    let kept = format!(
        "document.getElementById('act-request_info').open && document.querySelector('{area}').value === '请补正：受理回执一份'"
    );
    desk.client.refresh().await.expect("reload");
    desk.find("[data-act=request_info] .begun").await;
    desk.js(open).await;
    desk.until(&kept).await;

    // The session has ended: the words are there again after signing in, in the dialog that was open.
    desk.client.delete_all_cookies().await.expect("no cookies");
    desk.js("document.querySelector('#act-request_info .dialog-foot .btn:last-child').click(); return true").await;
    desk.find("form.login").await;
    desk.write("#login", "zuoxi").await;
    desk.write("#password", &gateway.password()).await;
    desk.click("form.login button").await;
    desk.until(&kept).await;
    desk.sees("您写的还在").await;

    // Taken words are kept no longer, and nobody finds those of another officer.
    let left = "Object.keys(localStorage).filter(key => key.startsWith('zt.desk.act.')).length";
    assert_eq!(desk.js(&format!("return {left}")).await, json!(1));
    desk.js("document.querySelector('form[action=\"/logout\"] button').click(); return true").await;
    desk.find("form.login").await;
    assert_eq!(desk.js(&format!("return {left}")).await, json!(0));
    desk.close().await;
    let other = log_in_with(&driver, &gateway, "zuoxi2", &gateway.password()).await;
    other.goto(&page).await;
    other.find("[data-act=request_info]").await;
    other.js(open).await;
    assert_eq!(other.js(&format!("return document.querySelector('{area}').value")).await, json!(""));
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_opens_at_its_newest_message_and_moves_nobody_who_reads_above() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let visitor = Browser::open(&driver, 390, 844).await;
    visitor.goto(&gateway.url).await;
    let mut sent = 0;
    let mut say = async |words: String| {
        sent += 1;
        visitor.write("#text", &words).await;
        visitor.click("#send").await;
        visitor.until(&format!("document.querySelectorAll('.msg-visitor[data-seq]').length >= {sent}")).await;
    };
    say("我想找人工问个事".to_owned()).await;
    visitor.click("#human").await;
    visitor.until("document.getElementById('status').dataset.state === 'queued'").await;
    for n in 0..12 {
        say(format!("第{n}句，说得长一点，好让这段对话一屏放不下，也好看清打开时停在哪里")).await;
    }
    let id = visitor.js("return JSON.parse(localStorage.getItem('zt.session')).conversation_id").await;
    let page = format!("{}/desk/conversations/{}", gateway.url, id.as_str().expect("a conversation"));
    let desk = log_in(&driver, &gateway, "zuoxi").await;
    let log = "document.getElementById('talk-log')";
    let at_end = format!(
        "{log}.querySelectorAll('.msg').length > 12 && {log}.scrollHeight > {log}.clientHeight + 200 && {log}.scrollHeight - {log}.scrollTop - {log}.clientHeight < 4"
    );
    for (width, height) in [(390, 844), (1440, 900)] {
        desk.client.set_window_size(width, height).await.expect("a size");
        desk.goto(&page).await;
        desk.until(&at_end).await;
    }
    desk.js(&format!("{log}.scrollTop = 0; return true")).await;
    desk.until("document.querySelector('.log-news').hidden").await;
    say("还有一件要紧的".to_owned()).await;
    desk.until("!document.querySelector('.log-news').hidden").await;
    assert_eq!(desk.js(&format!("return {log}.scrollTop")).await, json!(0));
    desk.sees("1 条新消息").await;
    desk.click(".log-news").await;
    desk.until(&at_end).await;
    desk.until("document.querySelector('.log-news').hidden").await;
    desk.close().await;
}
