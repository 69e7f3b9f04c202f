//! 在微信继续: the QR code on the chat page, and what the page says once somebody has scanned it.

use serde_json::json;
use zhitong::{app::system::SystemClock, channels::wechat::crypto, ports::Clock as _};

use super::harness::{Browser, Driver, Gateway, available};
use crate::{support::program::client, wechat_api::platform::Platform};

#[tokio::test(flavor = "multi_thread")]
async fn a_scanned_code_closes_itself_and_the_talk_goes_on_in_wechat() {
    if !available() {
        return;
    }
    let platform = Platform::start().await;
    platform.lists("/cgi-bin/qrcode/create", json!({"url": "http://weixin.qq.com/q/02abcDEF", "ticket": "t"}));
    let settings = [("APP_ID", "wx1"), ("APP_SECRET", "hush"), ("TOKEN", "pagetoken"), ("API_BASE", &platform.base)];
    let settings = settings.map(|(key, value)| (format!("ZHITONG__WECHAT__OA__MAIN__{key}"), value.to_owned()));
    let (gateway, driver) = (Gateway::with(settings.to_vec()).await, Driver::start());
    let browser = Browser::open(&driver, 390, 844).await;
    browser.goto(&gateway.url).await;
    browser.write("#text", "没签劳动合同有什么后果").await;
    browser.click("#send").await;
    browser.sees("二倍").await;
    browser.click(".chat-head .menu summary").await;
    browser.click("#wechat-open").await;
    browser
        .until("document.getElementById('wechat').open && document.getElementById('wechat-code').naturalWidth >= 200")
        .await;
    let overflow = browser.js("return document.documentElement.scrollWidth - window.innerWidth").await;
    assert!(overflow.as_i64().is_some_and(|px| px <= 0), "the page is wider than the phone: {overflow}");
    let calls = platform.calls("/cgi-bin/qrcode/create");
    let scene = calls[0].json["action_info"]["scene"]["scene_str"].as_str().expect("a scene").to_owned();
    let at = SystemClock.now().as_second().to_string();
    let body = format!(
        "<xml><ToUserName>gh</ToUserName><FromUserName>o1</FromUserName><CreateTime>{at}</CreateTime>\
         <MsgType>event</MsgType><Event>SCAN</Event><EventKey>{scene}</EventKey><Ticket>t</Ticket></xml>"
    );
    let signature = crypto::signature(&["pagetoken", &at, "n"]);
    let url = format!("{}/wechat/oa/main?signature={signature}&timestamp={at}&nonce=n", gateway.url);
    let answer = client().post(url).body(body).send().await.expect("an answer").text().await.expect("a text");
    assert!(answer.contains("已接上"), "{answer}");
    browser.until("!document.getElementById('wechat').open").await;
    browser.sees("已接上微信").await;
    browser.close().await;
}
