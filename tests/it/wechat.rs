//! Callbacks of WeChat through the real router: every mode, every refusal, repeats, events. Messages are signed by the
//! platform's published rules; `tests/wechat_peer.sh` does the same with an independent client library.

use axum::{
    body::Body,
    http::{Request, header},
};
use futures_util::future::join_all;
use zhitong::{
    channels::wechat::{
        crypto::{self, AesKey},
        envelope::Fields,
    },
    config::Config,
    domain::ids::ConversationId,
    store::{conversations, wechat, wechat_out},
};

use crate::support::{Answer, TestApp};

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const OLD_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const APP_ID: &str = "wx1234567890abcdef";
const TOKEN: &str = "pamtest";

pub(crate) fn accounts(config: &mut Config) {
    for (name, mode) in [("main", "auto"), ("plain", "plain"), ("safe", "safe")] {
        let oa = config.wechat.oa.entry(name.into()).or_default();
        oa.app_id = APP_ID.into();
        oa.token = TOKEN.to_owned().into();
        oa.encoding_aes_key = KEY.to_owned().into();
        oa.previous_aes_key = OLD_KEY.to_owned().into();
        oa.previous_aes_key_until = Some("2026-11-30".into());
        oa.mode = mode.into();
        oa.greeting = "欢迎关注".into();
        oa.clicks.insert("PROGRESS".into(), "查进度".into());
    }
    config.wechat.oa.entry("slow".into()).or_default().passive_budget_ms = Some(0);
    config.wechat.oa.entry("slow".into()).or_default().token = TOKEN.to_owned().into();
    let work = config.wechat.work.entry("main".into()).or_default();
    work.corp_id = "ww1".into();
    work.token = TOKEN.to_owned().into();
    work.encoding_aes_key = KEY.to_owned().into();
}

async fn start() -> TestApp {
    TestApp::with(accounts).await
}

/// Seconds of the test's clock.
fn now(app: &TestApp) -> i64 {
    app.app.now().as_second()
}

pub(crate) fn xml(from: &str, rest: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_main]]></ToUserName><FromUserName><![CDATA[{from}]]></FromUserName>\
         <CreateTime>1763000000</CreateTime>{rest}</xml>"
    )
}

pub(crate) fn text(from: &str, id: u64, words: &str) -> String {
    xml(from, &format!("<MsgType>text</MsgType><Content><![CDATA[{words}]]></Content><MsgId>{id}</MsgId>"))
}

pub(crate) fn event(from: &str, name: &str, key: &str) -> String {
    xml(from, &format!("<MsgType>event</MsgType><Event>{name}</Event><EventKey><![CDATA[{key}]]></EventKey>"))
}

pub(crate) fn query(at: i64, nonce: &str) -> String {
    let signature = crypto::signature(&[TOKEN, &at.to_string(), nonce]);
    format!("signature={signature}&timestamp={at}&nonce={nonce}&openid=o1")
}

async fn post(app: &TestApp, path: &str, query: &str, body: String) -> Answer {
    let request = Request::post(format!("{path}?{query}")).header(header::CONTENT_TYPE, "text/xml");
    app.request(request.body(Body::from(body)).expect("a request")).await
}

/// A plain message; the nonce is made from the body, so that a repeat is the same request.
pub(crate) async fn plain(app: &TestApp, account: &str, body: String) -> Answer {
    let nonce = &crypto::signature(&[&body])[..12];
    post(app, &format!("/wechat/oa/{account}"), &query(now(app), nonce), body).await
}

async fn sealed(app: &TestApp, path: &str, body: &str, key: &str, receive_id: &str, random: u8) -> Answer {
    let cipher = crypto::encrypt(&AesKey::parse(key).expect("a key"), receive_id, body, [random; 16]);
    let at = now(app).to_string();
    let signature = crypto::signature(&[TOKEN, &at, "n1", &cipher]);
    let query = format!("{}&encrypt_type=aes&msg_signature={signature}", query(now(app), "n1"));
    let envelope = format!("<xml><ToUserName>gh_main</ToUserName><Encrypt><![CDATA[{cipher}]]></Encrypt></xml>");
    post(app, path, &query, envelope).await
}

/// The words of a plain reply.
pub(crate) fn words(answer: &Answer) -> String {
    let (fields, _) = Fields::parse(&answer.body).expect("an XML reply");
    assert_eq!((fields.text("FromUserName"), fields.text("MsgType")), (Some("gh_main"), Some("text")));
    fields.text("Content").expect("words").to_owned()
}

pub(crate) async fn conversation(app: &TestApp, account: &str, openid: &str) -> ConversationId {
    let mut tx = app.app.db.read().await.expect("a reader");
    let user = wechat::find(&mut tx, "oa", account, openid).await.expect("a look-up").expect("a user");
    user.conversation_id.parse().expect("an id")
}

pub(crate) async fn messages(app: &TestApp, id: ConversationId) -> Vec<(String, String)> {
    let mut tx = app.app.db.read().await.expect("a reader");
    let rows = conversations::messages_after(&mut tx, id, 0, 500).await.expect("messages");
    rows.into_iter().map(|row| (row.sender, row.text)).collect()
}

pub(crate) async fn waiting(app: &TestApp, id: ConversationId) -> i64 {
    let mut tx = app.app.db.read().await.expect("a reader");
    wechat::waiting(&mut tx, id).await.expect("a count")
}

#[tokio::test]
async fn the_address_is_checked_by_its_signature_and_the_echo_is_no_page() {
    let app = start().await;
    let path = format!("/wechat/oa/main?{}&echostr=%3Cb%3E5%2B5", query(1_714_036_504, "1514711492"));
    let answer = app.call("GET", &path, None, None).await.expect(200);
    assert_eq!(answer.text(), "<b>5+5");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    app.call("GET", &path.replace("signature=", "signature=0"), None, None).await.expect(403);
    app.call("GET", &path.replace("&echostr", "&other"), None, None).await.expect(400);
    app.call("GET", "/wechat/oa/main?echostr=1", None, None).await.expect(400);
    app.call("GET", &path.replace("/main", "/nobody"), None, None).await.expect(404);
}

async fn a_message_is_answered_on(app: TestApp) {
    let answer = plain(&app, "main", text("o1", 1, "简易注销要公示多久")).await.expect(200);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/xml; charset=utf-8");
    let said = words(&answer);
    assert!(said.contains("20"), "{said}");
    assert!(said.contains("依据：《"), "{said}");
    assert!(said.contains("回复数字选择：\n1 "), "{said}");
    let id = conversation(&app, "main", "o1").await;
    let stored = messages(&app, id).await;
    assert_eq!(stored[0], ("visitor".into(), "简易注销要公示多久".into()));
    assert_eq!(stored[1].0, "bot");
    assert_eq!(waiting(&app, id).await, 0, "the passive reply carried it");
    let mut tx = app.app.db.read().await.expect("a reader");
    let user = wechat::find(&mut tx, "oa", "main", "o1").await.expect("a look-up").expect("a user");
    assert_eq!(user.last_inbound_at, Some(app.app.now().as_millisecond()));
    let row = conversations::find(&mut tx, id).await.expect("a look-up").expect("a conversation");
    assert_eq!(row.channel, "wechat_oa");
}

#[tokio::test]
async fn a_message_is_answered_passively() {
    a_message_is_answered_on(start().await).await;
}

#[tokio::test]
async fn a_message_is_answered_passively_on_postgres() {
    if let Some(app) = TestApp::on_postgres_with(accounts).await {
        a_message_is_answered_on(app).await;
    }
}

#[tokio::test]
async fn an_encrypted_message_gets_an_encrypted_reply_under_either_key() {
    let app = start().await;
    for (n, key) in [(1, KEY), (2, OLD_KEY)] {
        let body = text("o2", n, "简易注销要公示多久");
        let answer = sealed(&app, "/wechat/oa/safe", &body, key, APP_ID, 5).await.expect(200);
        let (fields, _) = Fields::parse(&answer.body).expect("an envelope");
        let (cipher, at) = (fields.text("Encrypt").expect("a cipher"), fields.text("TimeStamp").expect("a time"));
        let parts = [TOKEN, at, fields.text("Nonce").expect("a nonce"), cipher];
        assert_eq!(crypto::verify(fields.text("MsgSignature"), &parts), Ok(()));
        let reply = crypto::decrypt(&AesKey::parse(key).expect("a key"), APP_ID, cipher).expect("a reply");
        assert!(reply.contains("<ToUserName><![CDATA[o2]]></ToUserName>"), "{reply}");
    }
    app.clock.set("2026-12-01T00:00:00+08:00".parse().expect("an instant"));
    let body = text("o2", 3, "您好");
    sealed(&app, "/wechat/oa/safe", &body, OLD_KEY, APP_ID, 5).await.expect(403);
}

#[tokio::test]
async fn what_is_not_from_the_platform_is_refused_and_stores_nothing() {
    let app = start().await;
    let body = text("o3", 1, "您好");
    let path = "/wechat/oa/main";
    let good = query(now(&app), "n");
    post(&app, path, &good.replace("signature=", "signature=0"), body.clone()).await.expect(403);
    post(&app, path, &good.replace("signature", "x"), body.clone()).await.expect(403);
    post(&app, path, &query(now(&app) - 301, "n"), body.clone()).await.expect(403);
    post(&app, path, &query(now(&app) + 301, "n"), body.clone()).await.expect(403);
    post(&app, path, &format!("{good}&encrypt_type=aes"), body.clone()).await.expect(400);
    post(&app, path, &good, "no xml".into()).await.expect(400);
    let bomb = format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{body}");
    post(&app, path, &good, bomb).await.expect(400);
    post(&app, path, &good, "x".repeat(300 * 1024)).await.expect(413);
    post(&app, "/wechat/oa/safe", &good, body.clone()).await.expect(403);
    post(&app, "/wechat/oa/nobody", &good, body.clone()).await.expect(404);
    sealed(&app, "/wechat/oa/plain", &body, KEY, APP_ID, 1).await.expect(403);
    // One answer for everything behind the signature, letter for letter.
    let refused = [
        sealed(&app, path, &body, KEY, "wx_other", 1).await.expect(403).text(),
        sealed(&app, path, "<xml>", KEY, APP_ID, 1).await.expect(403).text(),
        sealed(&app, path, &body, &"A".repeat(43), APP_ID, 1).await.expect(403).text(),
        post(&app, path, &good.replace("signature=", "signature=0"), body).await.expect(403).text(),
    ];
    assert!(refused.windows(2).all(|pair| pair[0] == pair[1]), "{refused:?}");
    let mut tx = app.app.db.read().await.expect("a reader");
    assert_eq!(wechat::find(&mut tx, "oa", "main", "o3").await.expect("a look-up"), None);
}

#[tokio::test]
async fn a_plain_signature_is_for_one_body() {
    let app = start().await;
    let signed = query(now(&app), "once");
    let first = post(&app, "/wechat/oa/main", &signed, text("o4", 1, "您好")).await.expect(200);
    let again = post(&app, "/wechat/oa/main", &signed, text("o4", 1, "您好")).await.expect(200);
    assert_eq!(words(&first), words(&again));
    post(&app, "/wechat/oa/main", &signed, text("o4", 2, "换一句")).await.expect(403);
}

async fn copies_on(app: TestApp) {
    let answers = join_all((0..10).map(|n| {
        let app = &app;
        async move {
            let body = text("o5", 77, "简易注销要公示多久");
            post(app, "/wechat/oa/main", &query(now(app), &format!("n{n}")), body).await
        }
    }))
    .await;
    let said: Vec<String> = answers.into_iter().map(|answer| words(&answer.expect(200))).collect();
    assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "{said:?}");
    let id = conversation(&app, "main", "o5").await;
    let stored = messages(&app, id).await;
    assert_eq!(stored.iter().filter(|(sender, _)| sender == "visitor").count(), 1, "{stored:?}");
    assert_eq!(stored.iter().filter(|(sender, _)| sender == "bot").count(), stored.len() - 1);
    assert_eq!(waiting(&app, id).await, 0);
    // The same number of another user is another message.
    let other = plain(&app, "main", text("o6", 77, "您好")).await.expect(200);
    assert_ne!(words(&other), said[0]);
}

#[tokio::test]
async fn ten_copies_at_once_are_one_message_with_one_answer() {
    copies_on(start().await).await;
}

#[tokio::test]
async fn ten_copies_at_once_are_one_message_on_postgres() {
    if let Some(app) = TestApp::on_postgres_with(accounts).await {
        copies_on(app).await;
    }
}

#[tokio::test]
async fn a_late_answer_leaves_through_the_outbox_and_a_retry_still_gets_it() {
    let app = start().await;
    let late = plain(&app, "slow", text("o7", 1, "简易注销要公示多久")).await.expect(200);
    assert_eq!(late.text(), "success");
    // Success was said, so it is all there: the message, and its answer on the way.
    let id = conversation(&app, "slow", "o7").await;
    let mut tx = app.app.db.read().await.expect("a reader");
    let due = wechat_out::undelivered(&mut tx, id).await.expect("a list");
    drop(tx);
    assert!(due.iter().any(|row| row.next_at <= app.app.now().as_millisecond()), "{due:?}");
    assert_eq!(waiting(&app, id).await, 1);
    assert_eq!(messages(&app, id).await.len(), 2);
}

#[tokio::test]
async fn a_number_picks_an_option_of_the_last_answer() {
    let app = start().await;
    let said =
        words(&plain(&app, "main", text("o8", 1, "我要投诉乱收费，开发区管委会多收了我们三千元")).await.expect(200));
    let option = said.lines().find_map(|line| line.strip_prefix("1 ")).expect("an option").to_owned();
    plain(&app, "main", text("o8", 2, "１")).await.expect(200);
    let stored = messages(&app, conversation(&app, "main", "o8").await).await;
    let spoken: Vec<_> = stored.iter().filter(|(sender, _)| sender == "visitor").map(|(_, text)| text).collect();
    assert_eq!(spoken[1], &option, "{stored:?}");
    plain(&app, "main", text("o8", 3, "99")).await.expect(200);
    let stored = messages(&app, conversation(&app, "main", "o8").await).await;
    assert!(stored.iter().any(|(_, text)| text == "99"), "no such option: the words as they are");
}

#[tokio::test]
async fn a_case_is_filed_once_by_words_alone() {
    let app = start().await;
    for (n, say) in ["我要投诉乱收费，开发区管委会多收了我们三千元", "联系电话：13800138000", "提交"].iter().enumerate()
    {
        let form = words(&plain(&app, "main", text("o9", n as u64 + 1, say)).await.expect(200));
        assert!(n != 1 || form.contains("【登记单】"), "{form}");
    }
    let (again, more) =
        tokio::join!(plain(&app, "main", text("o9", 3, "提交")), plain(&app, "main", text("o9", 3, "提交")),);
    let receipt = words(&again.expect(200));
    assert!(receipt.contains("查询码："), "{receipt}");
    assert_eq!(words(&more.expect(200)), receipt);
    let admin = app
        .officer(
            "admin",
            &[(zhitong::domain::access::Role::Admin, ""), (zhitong::domain::access::Role::Dispatcher, "")],
        )
        .await;
    let cases = app.get("/api/cases", &admin).await.expect(200).json();
    assert_eq!(cases["items"].as_array().expect("a list").len(), 1, "{cases}");
    // Its progress is one word away.
    let progress = words(&plain(&app, "main", text("o9", 4, "查进度")).await.expect(200));
    assert!(progress.contains("ZT"), "{progress}");
}

#[tokio::test]
async fn events_greet_speak_for_the_user_or_pass() {
    let app = start().await;
    assert_eq!(words(&plain(&app, "main", event("o10", "subscribe", "")).await.expect(200)), "欢迎关注");
    let clicked = words(&plain(&app, "main", event("o10", "CLICK", "PROGRESS")).await.expect(200));
    assert!(clicked.contains("编号和查询码"), "{clicked}");
    plain(&app, "main", event("o10", "CLICK", "PROGRESS")).await.expect(200);
    let stored = messages(&app, conversation(&app, "main", "o10").await).await;
    assert_eq!(stored.iter().filter(|(sender, _)| sender == "visitor").count(), 1, "a repeated event: {stored:?}");
    for passing in [
        event("o10", "VIEW", "https://example.cn"),
        event("o10", "TEMPLATESENDJOBFINISH", ""),
        event("o10", "something_new", ""),
        event("o10", "CLICK", "UNKNOWN"),
        xml("o10", "<MsgType>event</MsgType><Event>LOCATION</Event><Latitude>1</Latitude>"),
        xml("o10", "<MsgType>hologram</MsgType>"),
        "<xml><InfoType>component_verify_ticket</InfoType></xml>".to_owned(),
    ] {
        assert_eq!(plain(&app, "main", passing).await.expect(200).text(), "success");
    }
    let voice = xml(
        "o10",
        "<MsgType>voice</MsgType><MediaId>m</MediaId><Recognition>简易注销要公示多久</Recognition><MsgId>5</MsgId>",
    );
    assert!(words(&plain(&app, "main", voice).await.expect(200)).contains("20"));
    let place = xml(
        "o10",
        "<MsgType>location</MsgType><Location_X>24.5</Location_X><Location_Y>117.6</Location_Y><Label>开发区一号路</Label><MsgId>6</MsgId>",
    );
    plain(&app, "main", place).await.expect(200);
    let stored = messages(&app, conversation(&app, "main", "o10").await).await;
    assert!(stored.iter().any(|(_, text)| text == "地点：开发区一号路"), "{stored:?}");
}

#[tokio::test]
async fn a_place_on_the_map_is_the_place_of_the_matter() {
    let app = start().await;
    let place = |id: u32, label: &str| {
        xml(
            "o13",
            &format!(
                "<MsgType>location</MsgType><Location_X>24.5</Location_X><Location_Y>117.6</Location_Y><Label>{label}</Label><MsgId>{id}</MsgId>"
            ),
        )
    };
    let said = words(&plain(&app, "main", place(1, "漳州市税务局")).await.expect(200));
    assert!(said.contains("已记下地点：漳州市税务局"), "{said}");
    let form =
        words(&plain(&app, "main", text("o13", 2, "我要投诉乱收费，开发区管委会多收了我们三千元")).await.expect(200));
    assert!(form.contains("漳州市税务局"), "{form}");
    // Another one corrects it; without a label its coordinates stand whole.
    let form = words(&plain(&app, "main", place(3, "")).await.expect(200));
    assert!(form.contains("24.5,117.6") && !form.contains("漳州市税务局"), "{form}");
}

#[tokio::test]
async fn a_number_said_to_an_officer_is_no_option_of_the_bot() {
    let app = start().await;
    let officer = app.officer("seat", &[(zhitong::domain::access::Role::FrontDesk, "")]).await;
    plain(&app, "main", text("o14", 1, "简易注销要公示多久")).await.expect(200);
    let id = conversation(&app, "main", "o14").await;
    app.post(&format!("/api/conversations/{id}/claim"), &officer, serde_json::json!({})).await.expect(200);
    plain(&app, "main", text("o14", 2, "2")).await.expect(200);
    let body = serde_json::json!({"client_id": "s1", "text": "几名员工？"});
    app.post(&format!("/api/conversations/{id}/messages"), &officer, body).await.expect(200);
    plain(&app, "main", text("o14", 3, "1")).await.expect(200);
    let stored = messages(&app, id).await;
    let said: Vec<&str> = stored.iter().filter(|(from, _)| from == "visitor").map(|(_, text)| text.as_str()).collect();
    assert_eq!(said[1..], ["2", "1"], "the words as they are");
}

#[tokio::test]
async fn the_signature_of_another_request_signs_no_plain_body() {
    let app = start().await;
    sealed(&app, "/wechat/oa/main", &text("o15", 1, "您好"), KEY, APP_ID, 1).await.expect(200);
    // A second encrypted one is covered by its own signature.
    sealed(&app, "/wechat/oa/main", &text("o15", 2, "在吗"), KEY, APP_ID, 2).await.expect(200);
    post(&app, "/wechat/oa/main", &query(now(&app), "n1"), text("o15", 3, "假的")).await.expect(403);
    let signed = query(now(&app), "check");
    app.call("GET", &format!("/wechat/oa/main?{signed}&echostr=5"), None, None).await.expect(200);
    post(&app, "/wechat/oa/main", &signed, text("o15", 4, "假的")).await.expect(403);
}

#[tokio::test]
async fn whoever_leaves_is_forgotten_and_may_come_again() {
    let app = start().await;
    plain(&app, "main", text("o11", 1, "您好")).await.expect(200);
    let before = conversation(&app, "main", "o11").await;
    assert_eq!(plain(&app, "main", event("o11", "unsubscribe", "")).await.expect(200).text(), "success");
    {
        let mut tx = app.app.db.read().await.expect("a reader");
        assert_eq!(wechat::find(&mut tx, "oa", "main", "o11").await.expect("a look-up"), None);
        assert_eq!(conversations::find(&mut tx, before).await.expect("a look-up"), None);
    }
    plain(&app, "main", text("o11", 2, "您好")).await.expect(200);
    assert_ne!(conversation(&app, "main", "o11").await, before);
}

#[tokio::test]
async fn a_long_answer_follows_in_pieces_that_fit() {
    let app = start().await;
    let name = "甲".repeat(600);
    let long = format!("我要投诉{}公司乱收费，请帮我登记，{}", "乙".repeat(20), name);
    let answer = plain(&app, "main", text("o12", 1, &long)).await.expect(200);
    let said = words(&answer);
    assert!(said.len() <= 2040, "{}", said.len());
}

#[tokio::test]
async fn an_application_of_the_work_edition_is_checked_and_answered_encrypted() {
    let app = start().await;
    let key = AesKey::parse(KEY).expect("a key");
    let echo = crypto::encrypt(&key, "ww1", "1616140317555161061", [1; 16]);
    let signature = crypto::signature(&[TOKEN, "1", "n", &echo]);
    let encoded = echo.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let path = format!("/wechat/work/main?msg_signature={signature}&timestamp=1&nonce=n&echostr={encoded}");
    assert_eq!(app.call("GET", &path, None, None).await.expect(200).text(), "1616140317555161061");
    app.call("GET", &path.replace("nonce=n", "nonce=m"), None, None).await.expect(403);
    let body = xml(
        "zhang",
        "<MsgType>text</MsgType><Content>简易注销要公示多久</Content><MsgId>1</MsgId><AgentID>1000002</AgentID>",
    );
    let answer = sealed(&app, "/wechat/work/main", &body, KEY, "ww1", 2).await.expect(200);
    let (fields, _) = Fields::parse(&answer.body).expect("an envelope");
    let reply = crypto::decrypt(&key, "ww1", fields.text("Encrypt").expect("a cipher")).expect("a reply");
    assert!(reply.contains("20"), "{reply}");
    sealed(&app, "/wechat/work/main", &body, KEY, "ww2", 2).await.expect(403);
    post(&app, "/wechat/work/main", &query(now(&app), "n"), body).await.expect(400);
}

#[tokio::test]
async fn every_event_that_wants_no_words_is_answered_with_success() {
    let app = start().await;
    plain(&app, "main", text("o16", 1, "您好")).await.expect(200);
    let before = messages(&app, conversation(&app, "main", "o16").await).await;
    let scan = "<ScanCodeInfo><ScanType>qrcode</ScanType><ScanResult>1</ScanResult></ScanCodeInfo>";
    let pictures =
        "<SendPicsInfo><Count>1</Count><PicList><item><PicMd5Sum>a</PicMd5Sum></item></PicList></SendPicsInfo>";
    let place = "<SendLocationInfo><Location_X>23</Location_X><Location_Y>113</Location_Y><Scale>15</Scale><Label>x</Label><Poiname></Poiname></SendLocationInfo>";
    let asked = "<SubscribeMsgPopupEvent><List><TemplateId>t</TemplateId><SubscribeStatusString>accept</SubscribeStatusString><PopupScene>2</PopupScene></List></SubscribeMsgPopupEvent>";
    let sent = "<SubscribeMsgSentEvent><List><TemplateId>t</TemplateId><MsgID>1</MsgID><ErrorCode>0</ErrorCode><ErrorStatus>success</ErrorStatus></List></SubscribeMsgSentEvent>";
    for (name, rest) in [
        ("VIEW", "<MenuId>1</MenuId>"),
        ("view_miniprogram", "<MenuId>1</MenuId>"),
        ("scancode_push", scan),
        ("scancode_waitmsg", scan),
        ("pic_sysphoto", pictures),
        ("pic_photo_or_album", pictures),
        ("pic_weixin", pictures),
        ("location_select", place),
        ("LOCATION", "<Latitude>1</Latitude><Longitude>2</Longitude><Precision>3</Precision>"),
        ("TEMPLATESENDJOBFINISH", "<MsgID>1</MsgID><Status>success</Status>"),
        ("MASSSENDJOBFINISH", "<MsgID>1</MsgID><Status>send success</Status><TotalCount>1</TotalCount>"),
        ("subscribe_msg_popup_event", asked),
        ("subscribe_msg_change_event", ""),
        ("subscribe_msg_sent_event", sent),
        ("kf_create_session", "<KfAccount>a@b</KfAccount>"),
        ("kf_close_session", "<KfAccount>a@b</KfAccount>"),
        ("kf_switch_session", "<FromKfAccount>a@b</FromKfAccount><ToKfAccount>c@b</ToKfAccount>"),
        ("user_authorize_invitation", ""),
    ] {
        let body = xml("o16", &format!("<MsgType>event</MsgType><Event>{name}</Event><EventKey>k</EventKey>{rest}"));
        assert_eq!(plain(&app, "main", body).await.expect(200).text(), "success", "{name}");
    }
    let page = xml("o16", "<MsgType>miniprogrampage</MsgType><Title>x</Title><AppId>y</AppId><MsgId>2</MsgId>");
    assert_eq!(plain(&app, "main", page).await.expect(200).text(), "success");
    assert_eq!(messages(&app, conversation(&app, "main", "o16").await).await, before, "nothing of it is said");
}

#[tokio::test]
async fn a_sticker_and_a_link_are_kept_and_answered() {
    let app = start().await;
    let sticker = words(&plain(&app, "main", text("o17", 1, "【收到不支持的消息类型，暂无法显示】")).await.expect(200));
    assert!(sticker.contains("请用文字说说"), "{sticker}");
    let link = xml(
        "o17",
        "<MsgType>link</MsgType><Title>简易注销要公示多久</Title><Description></Description><Url>https://example.cn/a</Url><MsgId>2</MsgId>",
    );
    words(&plain(&app, "main", link).await.expect(200));
    let stored = messages(&app, conversation(&app, "main", "o17").await).await;
    let said: Vec<&str> = stored.iter().filter(|(from, _)| from == "visitor").map(|(_, text)| text.as_str()).collect();
    assert_eq!(said, ["（发来一条看不到内容的消息）", "简易注销要公示多久\nhttps://example.cn/a"]);
}

#[tokio::test]
async fn the_json_format_is_answered_in_json() {
    let app = start().await;
    let body = r#"{"ToUserName":"gh_main","FromUserName":"o18","CreateTime":1763000000,"MsgType":"text","Content":"简易注销要公示多久","MsgId":1}"#;
    let answer = plain(&app, "main", body.to_owned()).await.expect(200);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json; charset=utf-8");
    let reply = answer.json();
    assert_eq!((reply["ToUserName"].as_str(), reply["MsgType"].as_str()), (Some("o18"), Some("text")));
    assert!(reply["Content"].as_str().is_some_and(|words| words.contains("20")), "{reply}");
}

#[tokio::test]
async fn ten_copies_of_the_last_word_file_one_case() {
    let app = start().await;
    plain(&app, "main", text("o19", 1, "我要投诉乱收费，开发区管委会多收了我们三千元")).await.expect(200);
    plain(&app, "main", text("o19", 2, "联系电话：13800138000")).await.expect(200);
    let answers = join_all((0..10).map(|_| plain(&app, "main", text("o19", 3, "提交")))).await;
    let receipts: Vec<String> = answers.into_iter().map(|answer| words(&answer.expect(200))).collect();
    assert!(receipts[0].contains("查询码："), "{}", receipts[0]);
    assert!(receipts.windows(2).all(|pair| pair[0] == pair[1]), "{receipts:?}");
    let front = app.officer("front", &[(zhitong::domain::access::Role::FrontDesk, "")]).await;
    let cases = app.get("/api/cases", &front).await.expect(200).json();
    assert_eq!(cases["items"].as_array().expect("a list").len(), 1, "{cases}");
}
