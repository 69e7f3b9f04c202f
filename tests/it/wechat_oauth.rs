//! OAuth of a service account: one person in the browser and in WeChat, and everybody who is turned away.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Request, header},
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use zhitong::{
    channels::wechat::{
        api::{Access, Patience, WechatClient},
        crypto,
        envelope::Fields,
    },
    config::Config,
    domain::access::Role,
    ports::wechat::{WechatAccount, WechatKind},
    store::wechat,
};

use crate::{
    support::{Answer, TestApp},
    wechat_api::platform::{Act, Platform},
};

const EXCHANGE: &str = "/sns/oauth2/access_token";
const BROWSER: &str = "__Host-zhitong-oauth";
const CHAT: &str = "__Host-zhitong-chat";

struct Stage {
    app: TestApp,
    platform: Platform,
}

fn accounts(config: &mut Config) {
    config.server.public_url = Some("https://zt.example.gov.cn".into());
    for name in ["main", "second", "off"] {
        let oa = config.wechat.oa.entry(name.into()).or_default();
        oa.app_id = "wx1234567890abcdef".into();
        oa.token = "token".to_owned().into();
        oa.oauth = name != "off";
    }
    config.wechat.oa.entry("second".into()).or_default().oauth_scope = "snsapi_userinfo".into();
}

impl Stage {
    async fn start() -> Self {
        Self::on(TestApp::with(accounts).await).await
    }

    async fn on(app: TestApp) -> Self {
        let platform = Platform::start().await;
        let access = |name: &str| Access {
            account: WechatAccount { kind: WechatKind::Oa, name: name.into() },
            id: "wx1234567890abcdef".into(),
            secret: "hush".to_owned().into(),
            agent_id: String::new(),
            open_kfid: String::new(),
            base: Some(platform.base.clone()),
        };
        let client = WechatClient::new([access("main"), access("second")], Patience::default()).expect("a client");
        app.app.wechat.connect(Arc::new(client));
        Self { app, platform }
    }

    async fn open(&self, path: &str, cookies: &str) -> Answer {
        let request = Request::get(path).header(header::COOKIE, cookies).header(header::ACCEPT, "text/html");
        self.app.request(request.body(Body::empty()).expect("a request")).await
    }

    /// Goes to WeChat; the browser's cookie and the state.
    async fn begin(&self, path: &str, cookies: &str) -> (String, String) {
        let answer = self.open(path, cookies).await.expect(302);
        let to = answer.headers[header::LOCATION].to_str().expect("an address").to_owned();
        let (query, mark) = to
            .strip_prefix("https://open.weixin.qq.com/connect/oauth2/authorize?")
            .and_then(|rest| rest.split_once('#'))
            .expect("WeChat's page");
        assert_eq!(mark, "wechat_redirect");
        let fields: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            ["appid", "redirect_uri", "response_type", "scope", "state"],
            "in the order that clients want"
        );
        assert!(fields[1].1.starts_with("https%3A%2F%2Fzt.example.gov.cn%2Fwechat%2Foa%2F"), "{to}");
        let state = fields[4].1.to_owned();
        assert!(state.len() <= 128 && state.bytes().all(|b| b.is_ascii_alphanumeric()), "{state}");
        (set_cookie(&answer, BROWSER).expect("the browser's cookie"), state)
    }

    async fn back(&self, browser: &str, state: &str, code: &str) -> Answer {
        let path = format!("/wechat/oa/main/oauth/callback?code={code}&state={state}");
        self.open(&path, &format!("{BROWSER}={browser}")).await
    }

    /// The whole way with a code; the token that the browser got.
    async fn log_in(&self, cookies: &str, code: &str) -> Option<String> {
        let (browser, state) = self.begin("/wechat/oa/main/oauth", cookies).await;
        set_cookie(&self.back(&browser, &state, code).await.expect(303), CHAT)
    }

    async fn writes(&self, openid: &str, id: u32, words: &str) -> String {
        let at = self.app.app.now().as_second();
        let body = format!(
            "<xml><ToUserName>gh</ToUserName><FromUserName>{openid}</FromUserName><CreateTime>{at}</CreateTime>\
             <MsgType>text</MsgType><Content>{words}</Content><MsgId>{id}</MsgId></xml>"
        );
        let nonce = &crypto::signature(&[&body])[..12];
        let signature = crypto::signature(&["token", &at.to_string(), nonce]);
        let path = format!("/wechat/oa/main?signature={signature}&timestamp={at}&nonce={nonce}");
        let answer = self.app.request(Request::post(path).body(Body::from(body)).expect("a request")).await.expect(200);
        Fields::parse(&answer.body).expect("a reply").0.text("Content").unwrap_or_default().to_owned()
    }

    async fn history(&self, token: &str) -> String {
        let history = self.app.get("/api/chat/messages", token).await.expect(200).json();
        let all = history["items"].as_array().expect("a list");
        all.iter().map(|item| item["text"].as_str().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    }
}

/// The value of a cookie that an answer sets.
fn set_cookie(answer: &Answer, name: &str) -> Option<String> {
    let mut all = answer.headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let found = all.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    assert!(found.contains("HttpOnly") && found.contains("Secure"), "{found}");
    found.split(';').next().map(str::to_owned)
}

async fn one_history_on(app: TestApp) {
    let stage = Stage::on(app).await;
    // In WeChat a case was filed; on the web somebody talks.
    for (n, words) in (1..).zip(["我要投诉乱收费，开发区管委会多收了我们三千元", "联系电话：13800138000", "提交"])
    {
        stage.writes("o-c1", n, words).await;
    }
    let web = stage.app.visitor().await;
    stage.app.say(&web, "w1", "简易注销要公示多久").await.expect(200);
    let (browser, state) = stage.begin("/wechat/oa/main/oauth", &format!("{CHAT}={web}")).await;
    // WeChat's browser loads the page twice, at once and later.
    let (first, second) = tokio::join!(stage.back(&browser, &state, "c1"), stage.back(&browser, &state, "c1"));
    for answer in [first, second, stage.back(&browser, &state, "c1").await] {
        let answer = answer.expect(303);
        assert_eq!(answer.headers[header::LOCATION], "/?wechat=1");
        assert_eq!(set_cookie(&answer, CHAT), None, "the browser has its token already");
    }
    let calls = stage.platform.calls(EXCHANGE);
    assert_eq!(calls.len(), 1, "a code is exchanged once");
    assert_eq!(calls[0].query["grant_type"], "authorization_code");
    assert_eq!((calls[0].query["appid"].as_str(), calls[0].query["secret"].as_str()), ("wx1234567890abcdef", "hush"));
    assert!(stage.history(&web).await.contains("已接上微信"));
    assert_eq!(stage.history(&web).await.matches("已接上微信").count(), 1);
    stage.writes("o-c1", 9, "还有一件事").await;
    assert!(stage.history(&web).await.contains("还有一件事"), "what is said in WeChat stands on the web");
    let said = stage.app.say(&web, "w2", "查进度").await.expect(200).text();
    assert!(said.contains("ZT2026"), "the case filed in WeChat is on the list: {said}");
    // And what happens to it is told here.
    let officer = stage.app.officer("boss", &[(Role::Dispatcher, ""), (Role::FrontDesk, "")]).await;
    let cases = stage.app.get("/api/cases", &officer).await.expect(200).json();
    let number = cases["items"][0]["number"].as_str().expect("a number").to_owned();
    let accept = format!("/api/cases/{number}/actions/accept");
    stage.app.post(&accept, &officer, json!({})).await.expect(200);
    assert!(stage.history(&web).await.contains("已受理"), "{}", stage.history(&web).await);
}

#[tokio::test]
async fn one_person_has_one_history_and_one_list_of_cases_after_logging_in() {
    one_history_on(TestApp::with(accounts).await).await;
}

#[tokio::test]
async fn one_person_has_one_history_and_one_list_of_cases_on_postgres() {
    if let Some(app) = TestApp::on_postgres_with(accounts).await {
        one_history_on(app).await;
    }
}

#[tokio::test]
async fn a_browser_in_which_nothing_was_said_gets_the_talk_in_wechat() {
    let stage = Stage::start().await;
    stage.writes("o-c1", 1, "简易注销要公示多久").await;
    let token = stage.log_in("", "c1").await.expect("a token");
    assert!(stage.history(&token).await.contains("简易注销要公示多久"));
    stage.app.say(&token, "w1", "网页上再问一句").await.expect(200);
    // Another browser of the same person, with an empty conversation of its own.
    let empty = stage.app.visitor().await;
    stage.platform.lists(EXCHANGE, json!({"openid": "o-c1", "access_token": "t"}));
    let other = stage.log_in(&format!("{CHAT}={empty}"), "c2").await.expect("a token");
    assert_ne!(other, token);
    assert!(stage.history(&other).await.contains("网页上再问一句"));
    assert!(stage.history(&token).await.contains("网页上再问一句"), "the first browser stays in");
    // A talk that has ended is shown, not left behind for an empty one.
    let officer = stage.app.officer("seat", &[(Role::FrontDesk, "")]).await;
    let id =
        stage.app.post("/api/chat/sessions", &token, json!({})).await.expect(201).json()["conversation_id"].clone();
    let path = format!("/api/conversations/{}", id.as_str().expect("an id"));
    stage.app.post(&format!("{path}/claim"), &officer, json!({})).await.expect(200);
    stage.app.post(&format!("{path}/close"), &officer, json!({})).await.expect(200);
    let third = stage.log_in("", "c3").await.expect("a token");
    let resumed = stage.app.post("/api/chat/sessions", &third, json!({})).await.expect(201).json();
    assert_eq!(resumed["conversation_id"], id, "{resumed}");
}

#[tokio::test]
async fn one_person_at_two_accounts_is_known_by_the_unionid() {
    let stage = Stage::start().await;
    stage.writes("o-a", 1, "简易注销要公示多久").await;
    stage.platform.lists(EXCHANGE, json!({"openid": "o-a", "unionid": "U1"}));
    stage.log_in("", "c1").await.expect("a token");
    stage.platform.lists(EXCHANGE, json!({"openid": "o-b", "unionid": "U1"}));
    let (browser, state) = stage.begin("/wechat/oa/second/oauth", "").await;
    let path = format!("/wechat/oa/second/oauth/callback?code=c2&state={state}");
    let answer = stage.open(&path, &format!("{BROWSER}={browser}")).await.expect(303);
    let token = set_cookie(&answer, CHAT).expect("a token");
    assert!(stage.history(&token).await.contains("简易注销要公示多久"));
    let mut tx = stage.app.app.db.read().await.expect("a reader");
    let mut users = Vec::new();
    for (account, openid) in [("main", "o-a"), ("second", "o-b")] {
        users.push(wechat::find(&mut tx, "oa", account, openid).await.expect("a look-up").expect("a user"));
    }
    assert_eq!(users[0].conversation_id, users[1].conversation_id);
    assert_eq!(users[1].unionid.as_deref(), Some("U1"));
}

#[tokio::test]
async fn a_state_is_for_its_browser_its_code_and_ten_minutes() {
    let stage = Stage::start().await;
    let (browser, state) = stage.begin("/wechat/oa/main/oauth", "").await;
    let (other, _) = stage.begin("/wechat/oa/main/oauth", "").await;
    for (browser, state) in [(other.as_str(), state.as_str()), ("", state.as_str()), (browser.as_str(), "0")] {
        let page = stage.back(browser, state, "c1").await.expect(400).text();
        assert!(page.contains("已经失效") && page.contains("href=\"/wechat/oa/main/oauth\""), "{page}");
    }
    let foreign = format!("/wechat/oa/second/oauth/callback?code=c1&state={state}");
    stage.open(&foreign, &format!("{BROWSER}={browser}")).await.expect(400);
    assert!(stage.platform.calls(EXCHANGE).is_empty(), "nothing of it reached the platform");
    stage.back(&browser, &state, "c1").await.expect(303);
    stage.back(&browser, &state, "c2").await.expect(400);
    let (browser, state) = stage.begin("/wechat/oa/main/oauth", "").await;
    stage.app.clock.advance(SignedDuration::from_mins(11));
    stage.back(&browser, &state, "c3").await.expect(400);
}

#[tokio::test]
async fn where_the_browser_goes_on_is_one_of_our_pages() {
    let stage = Stage::start().await;
    for (to, expected) in
        [("track", "/track"), ("https%3A%2F%2Fevil.example", "/?wechat=1"), ("%2F%2Fevil.example", "/?wechat=1")]
    {
        let (browser, state) = stage.begin(&format!("/wechat/oa/main/oauth?to={to}"), "").await;
        let answer = stage.back(&browser, &state, &format!("c-{}", to.len())).await.expect(303);
        assert_eq!(answer.headers[header::LOCATION], expected);
    }
    stage.open("/wechat/oa/off/oauth", "").await.expect(404);
    stage.open("/wechat/oa/nobody/oauth", "").await.expect(404);
    stage.open("/wechat/oa/nobody/oauth/callback?code=c&state=s", "").await.expect(404);
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_joins_nobody() {
    let stage = Stage::start().await;
    let try_with = async |code: &str, act: Option<Act>| {
        let (browser, state) = stage.begin("/wechat/oa/main/oauth", "").await;
        stage.platform.script(EXCHANGE, act);
        (stage.back(&browser, &state, code).await, browser, state)
    };
    let (denied, ..) = try_with("", None).await;
    assert!(denied.expect(403).text().contains("没有同意"));
    let snapshot = json!({"openid": "o-s", "is_snapshotuser": 1}).to_string().into_bytes();
    let (answer, ..) = try_with("c1", Some(Act::Raw("text/plain", snapshot))).await;
    assert!(answer.expect(403).text().contains("使用完整服务"));
    for code in [40_029, 40_163] {
        let (answer, ..) = try_with("c2", Some(Act::Code(code, "invalid code"))).await;
        assert!(answer.expect(400).text().contains("重新登录"));
    }
    let (answer, ..) = try_with("c3", Some(Act::Code(48_001, "api unauthorized"))).await;
    assert!(answer.expect(503).text().contains("网页授权域名"));
    let mut tx = stage.app.app.db.read().await.expect("a reader");
    assert_eq!(wechat::find(&mut tx, "oa", "main", "o-s").await.expect("a look-up"), None);
    drop(tx);
    // The platform was busy: the same page, loaded again, gets through.
    let (answer, browser, state) = try_with("c4", Some(Act::Code(-1, "system error"))).await;
    assert!(answer.expect(503).text().contains("刷新这一页"));
    stage.back(&browser, &state, "c4").await.expect(303);
    let log: Value = stage.app.get("/api/chat/messages", "zv_nobody").await.expect(401).json();
    assert_eq!(log["code"], "chat_not_started");
}
