//! The chat in a page of another site: the talk outlives a reload of it, and a refused frame says so.

use fantoccini::elements::{Element, ElementRef};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::harness::{Browser, Driver, Gateway, available, free_port};

/// A page that embeds the widget. Its root is closed to pages; this one opens it to look in.
fn host_page(gateway: &str) -> String {
    format!(
        "<!doctype html><meta charset=utf-8><title>另一个网站</title><h1>另一个网站</h1><script>
         const attach = Element.prototype.attachShadow;
         Element.prototype.attachShadow = function () {{ return window.root = attach.call(this, {{ mode: 'open' }}); }};
         </script><script src=\"{gateway}/widget.js\" async></script>"
    )
}

/// Serves that page to whoever asks, on `localhost` and `127.0.0.1`, which are two sites to a browser.
async fn host(port: u16, page: String) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let page = page.clone();
            tokio::spawn(async move {
                let mut request = [0_u8; 4096];
                let _ = stream.read(&mut request).await;
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    page.len()
                );
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(page.as_bytes()).await;
            });
        }
    });
}

const OPENED: &str =
    "window.root && root.querySelector('.frame').className === 'frame' && root.querySelector('.shown')";

/// Opens the window of the widget and goes into its frame.
async fn enter(browser: &Browser) {
    browser.until("window.root && root.querySelector('.open')").await;
    browser.js("if (!root.querySelector('.shown')) root.querySelector('.open').click(); return true").await;
    browser.until(OPENED).await;
    let frame = browser.js("return root.querySelector('iframe')").await;
    let id = frame.as_object().and_then(|map| map.values().next()).and_then(|id| id.as_str()).expect("the frame");
    let frame = Element::from_element_id(browser.client.clone(), ElementRef::from(id.to_owned()));
    frame.enter_frame().await.expect("inside");
}

async fn leave(browser: &Browser) {
    browser.client.enter_parent_frame().await.expect("outside");
}

async fn site(extra: Vec<(String, String)>) -> (Gateway, String) {
    let port = free_port();
    let allowed = format!("http://localhost:{port}");
    let mut settings = vec![("ZHITONG__SERVER__EMBED_ORIGINS".to_owned(), json!([allowed]).to_string())];
    settings.extend(extra);
    let gateway = Gateway::with(settings).await;
    host(port, host_page(&gateway.url)).await;
    (gateway, allowed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_talk_in_another_site_survives_a_reload_of_its_page() {
    if !available() {
        return;
    }
    let ((_gateway, url), driver) = (site(Vec::new()).await, Driver::start());
    let browser = Browser::open(&driver, 1440, 900).await;
    browser.goto(&url).await;
    enter(&browser).await;
    browser.write("#text", "年报什么时候报").await;
    browser.click("#send").await;
    browser.sees("6月30日").await;
    leave(&browser).await;
    browser.client.refresh().await.expect("reload");
    // The window was open, so it is again.
    browser.until(OPENED).await;
    enter(&browser).await;
    browser.sees("6月30日").await;
    assert_eq!(browser.count("年报什么时候报").await, 1);
    // Esc closes the window; the next page leaves it closed.
    browser.client.active_element().await.expect("focus").send_keys("\u{e00c}").await.expect("pressed");
    leave(&browser).await;
    browser.until("root.querySelector('.open').parentElement.className === ''").await;
    browser.client.refresh().await.expect("reload");
    browser.until("window.root && root.querySelector('.open')").await;
    assert_eq!(browser.js("return root.querySelector('iframe')").await, json!(null));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_https_the_cookie_alone_brings_the_talk_back_into_the_frame() {
    if !available() {
        return;
    }
    // The browser takes 127.0.0.1 for as safe as https, so what only https may do can be tried here.
    let https = ("ZHITONG__SERVER__PUBLIC_URL".to_owned(), "https://zhitong.example.cn".to_owned());
    let ((gateway, url), driver) = (site(vec![https]).await, Driver::start());
    let browser = Browser::open(&driver, 1440, 900).await;
    browser.goto(&url).await;
    enter(&browser).await;
    browser.write("#text", "年报什么时候报").await;
    browser.click("#send").await;
    browser.sees("6月30日").await;
    browser.js("localStorage.clear(); return true").await;
    leave(&browser).await;
    browser.client.refresh().await.expect("reload");
    enter(&browser).await;
    browser.sees("6月30日").await;
    leave(&browser).await;
    // The site around it can neither read with that cookie nor write.
    let script = format!(
        "const done = arguments[arguments.length - 1];
         const ask = (path, options) => fetch('{0}/api/chat' + path, Object.assign({{ credentials: 'include' }}, options)).then(r => r.type, () => 'blocked');
         Promise.all([ask('/messages', {{}}), ask('/messages', {{ method: 'POST', mode: 'no-cors', body: '{{}}' }}),
           ask('/sessions', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: '{{\"embedded\":true}}' }})]).then(done)",
        gateway.url
    );
    let answers = browser.client.execute_async(&script, Vec::new()).await.expect("answered");
    assert_eq!(answers, json!(["blocked", "opaque", "blocked"]));
    enter(&browser).await;
    browser.sees("6月30日").await;
    assert_eq!(browser.js("return document.querySelectorAll('.msg-visitor').length").await, json!(1));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_may_not_frame_the_chat_shows_the_way_to_it() {
    if !available() {
        return;
    }
    let ((gateway, url), driver) = (site(Vec::new()).await, Driver::start());
    for (width, height) in [(1440, 900), (390, 844)] {
        let browser = Browser::open(&driver, width, height).await;
        browser.goto(&url.replace("localhost", "127.0.0.1")).await;
        browser.until("window.root && root.querySelector('.open')").await;
        browser.js("root.querySelector('.open').click(); return true").await;
        browser.until("root.querySelector('.frame').className === 'frame refused'").await;
        let link = browser
            .js("const a = root.querySelector('.note a'); return [a.href, a.target, a.textContent, getComputedStyle(a.parentElement).display]")
            .await;
        assert_eq!(link, json!([format!("{}/chat", gateway.url), "_blank", "在新窗口打开对话", "flex"]));
        browser.until("root.activeElement === root.querySelector('.note a')").await;
        browser.js("root.querySelector('.note button:last-child').click(); return true").await;
        browser.until("root.querySelector('.open').parentElement.className === ''").await;
        browser.close().await;
    }
}
