//! Writing at the desk: drafts that stay, messages that can be taken back, notes that stay inside; keys and the command
//! bar.

use serde_json::json;

use super::{
    desk::log_in,
    harness::{Browser, Driver, Gateway, available},
};

/// A visitor who waits for a person, and the id of the conversation.
async fn waiting(driver: &Driver, gateway: &Gateway) -> (Browser, String) {
    let visitor = Browser::open(driver, 390, 844).await;
    visitor.goto(&gateway.url).await;
    visitor.write("#text", "我想找人工问个事").await;
    visitor.click("#send").await;
    visitor.until("document.querySelectorAll('.msg-visitor').length > 0").await;
    visitor.click("#human").await;
    visitor.until("document.getElementById('status').dataset.state === 'queued'").await;
    let id = visitor.js("return JSON.parse(localStorage.getItem('zt.session')).conversation_id").await;
    (visitor, id.as_str().expect("a conversation").to_owned())
}

/// A key pressed with nothing focused.
async fn press(desk: &Browser, key: &str, ctrl: bool) {
    let script = format!(
        "document.activeElement && document.activeElement.blur();
         document.dispatchEvent(new KeyboardEvent('keydown', {{ key: {}, ctrlKey: {ctrl}, bubbles: true, cancelable: true }})); return true",
        json!(key)
    );
    desk.js(&script).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_can_be_taken_back_a_draft_stays_and_a_note_stays_inside() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let (visitor, id) = waiting(&driver, &gateway).await;
    let desk = log_in(&driver, &gateway, "zuoxi").await;
    let talk = format!("{}/desk/conversations/{id}", gateway.url);
    desk.goto(&talk).await;
    desk.click("#talk-acts .btn-primary").await;
    visitor.until("document.getElementById('status').dataset.state === 'human'").await;
    desk.until("location.search === '?tab=mine' && !document.getElementById('reply').hidden").await;

    desk.write("#reply-text", "您好，请问是哪方面的事").await;
    desk.client.refresh().await.expect("reload");
    desk.until("document.getElementById('reply-text').value === '您好，请问是哪方面的事'").await;
    desk.click("#reply-send").await;
    desk.find("#held").await;
    assert_eq!(visitor.count("请问是哪方面").await, 0, "it is held back");
    desk.click("#held-undo").await;
    desk.until("document.getElementById('reply-text').value === '您好，请问是哪方面的事'").await;
    desk.until("!document.getElementById('held')").await;
    desk.click("#reply-send").await;
    desk.click("#held-now").await;
    visitor.sees("请问是哪方面").await;
    desk.until("document.querySelectorAll('.msg-officer').length === 1 && !document.getElementById('held')").await;

    desk.click("#mode-note").await;
    desk.until("document.getElementById('reply').classList.contains('noting')").await;
    desk.sees("只有同事看得到").await;
    desk.write("#reply-text", "这家企业来过三次").await;
    desk.click("#reply-send").await;
    desk.until("document.querySelectorAll('.msg-note').length === 1").await;

    desk.click("#mode-out").await;
    desk.write("#reply-text", "我帮您转给住建局").await;
    desk.click("#reply-send").await;
    desk.find("#held").await;
    desk.goto(&format!("{}/desk", gateway.url)).await;
    visitor.sees("我帮您转给住建局").await;
    assert_eq!(visitor.count("来过三次").await, 0, "a note reached the enterprise");
    desk.goto(&talk).await;
    desk.until("document.querySelectorAll('.msg-officer').length === 2").await;
    assert_eq!(visitor.count("我帮您转给住建局").await, 1, "sent twice");

    desk.click("#talk-acts .btn-danger").await;
    desk.click("#ask-go").await;
    desk.click("#end-undo").await;
    desk.write("#reply-text", "还有一句").await;
    assert_eq!(visitor.js("return document.getElementById('status').dataset.state").await, json!("human"));
    desk.click("#talk-acts .btn-danger").await;
    desk.click("#ask-go").await;
    desk.click("#end-now").await;
    visitor.until("document.getElementById('status').dataset.state === 'closed'").await;
    for browser in [visitor, desk] {
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_bar_finds_a_case_and_single_keys_never_act_while_one_types() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let desk = log_in(&driver, &gateway, "fenpai").await;
    desk.goto(&format!("{}/desk?tab=all", gateway.url)).await;
    let number = desk.find("a.item").await.attr("data-key").await.expect("read").expect("a number");
    press(&desk, "?", false).await;
    desk.until("document.getElementById('keys').open").await;
    desk.click("#keys [data-close]").await;

    desk.write("#desk-q", "n?jk").await;
    assert_eq!(desk.js("return document.getElementById('desk-q').value").await, json!("n?jk"));
    assert_eq!(desk.js("return document.querySelector('dialog[open]') === null").await, json!(true));

    press(&desk, "k", true).await;
    desk.until("document.getElementById('palette').open").await;
    desk.write("#palette-q", &number).await;
    desk.until(&format!(
        "document.querySelector('#palette-list li[aria-selected=true]') && document.querySelector('#palette-list li[aria-selected=true]').textContent.includes('{number}')"
    ))
    .await;
    desk.js("const q = document.getElementById('palette-q');
             q.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true })); return true")
        .await;
    assert_eq!(desk.js("return document.getElementById('palette').open").await, json!(true), "an input method's Enter");
    desk.js("const q = document.getElementById('palette-q');
             q.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true })); return true")
        .await;
    desk.until(&format!("location.pathname === '/desk/cases/{number}'")).await;
    press(&desk, "n", false).await;
    desk.until("location.pathname === '/desk/notices'").await;
    desk.close().await;
}
