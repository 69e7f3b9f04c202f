//! 微信客服 against the stand-in of the platform: cursor, pages, repeats, sessions with people.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use zhitong::{
    app::{wechat as inbound, wechat_out::standings},
    channels::wechat::{
        api::{Access, Patience, WechatClient},
        crypto::{self, AesKey},
    },
    config::Config,
    domain::ids::ConversationId,
    jobs::wechat_out,
    ports::wechat::{WechatAccount, WechatKind},
    store::{conversations, wechat},
};

use crate::{
    support::{Answer, TestApp},
    wechat_api::platform::{Act, Platform},
};

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const SYNC: &str = "/cgi-bin/kf/sync_msg";
const STATE: &str = "/cgi-bin/kf/service_state/get";
pub(crate) const GET: &str = "/cgi-bin/media/get";

pub(crate) struct Stage {
    pub(crate) app: TestApp,
    pub(crate) platform: Platform,
    pub(crate) client: Arc<WechatClient>,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        Self::with("", "").await
    }

    async fn with(handover: &str, servicer: &str) -> Self {
        Self::configured(|config| {
            let kf = config.wechat.kf.entry("main".into()).or_default();
            kf.handover = handover.into();
            kf.servicer = servicer.into();
        })
        .await
    }

    pub(crate) async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let platform = Platform::start().await;
        let app = TestApp::with(|config| {
            let kf = config.wechat.kf.entry("main".into()).or_default();
            kf.corp_id = "ww1".into();
            kf.open_kfid = "wk1".into();
            kf.token = "token".to_owned().into();
            kf.encoding_aes_key = KEY.to_owned().into();
            config.wechat.oa.entry("main".into()).or_default().token = "token".to_owned().into();
            change(config);
        })
        .await;
        let access = |kind| Access {
            account: WechatAccount { kind, name: "main".into() },
            id: "ww1".into(),
            secret: "hush".to_owned().into(),
            agent_id: String::new(),
            open_kfid: "wk1".into(),
            base: Some(platform.base.clone()),
        };
        let patience = Patience::default();
        let client = WechatClient::new([access(WechatKind::Kf), access(WechatKind::Oa)], patience).expect("a client");
        let client = Arc::new(client);
        app.app.wechat.connect(client.clone());
        Self { app, platform, client }
    }

    fn text(&self, id: &str, words: &str) -> Value {
        self.message(id, "text", &json!({"content": words}))
    }

    fn message(&self, id: &str, kind: &str, part: &Value) -> Value {
        let at = self.app.app.now().as_second();
        json!({"msgid": id, "open_kfid": "wk1", "external_userid": "wm1", "send_time": at, "origin": 3,
            "msgtype": kind, kind: part})
    }

    fn page(next: &str, more: i64, messages: &[Value]) -> Value {
        json!({"errcode": 0, "next_cursor": next, "has_more": more, "msg_list": messages})
    }

    /// The callback without content.
    async fn callback(&self, token: &str) -> Answer {
        let at = self.app.app.now().as_second();
        let body = format!(
            "<xml><ToUserName>ww1</ToUserName><CreateTime>{at}</CreateTime><MsgType>event</MsgType>\
             <Event>kf_msg_or_event</Event><Token>{token}</Token><OpenKfId>wk1</OpenKfId></xml>"
        );
        let cipher = crypto::encrypt(&AesKey::parse(KEY).expect("a key"), "ww1", &body, [4; 16]);
        let signature = crypto::signature(&["token", &at.to_string(), "n", &cipher]);
        let path = format!("/wechat/kf/main?msg_signature={signature}&timestamp={at}&nonce=n");
        let body = format!("<xml><ToUserName>ww1</ToUserName><Encrypt>{cipher}</Encrypt></xml>");
        self.app.request(Request::post(path).body(Body::from(body)).expect("a request")).await
    }

    async fn fetch(&self) -> usize {
        inbound::kf_fetch(&self.app.app, &*self.client).await.expect("the store works")
    }

    pub(crate) async fn messages(&self, kind: &str, openid: &str) -> Vec<(String, String, String)> {
        let mut tx = self.app.app.db.read().await.expect("a reader");
        let Some(user) = wechat::find(&mut tx, kind, "main", openid).await.expect("a look-up") else {
            return Vec::new();
        };
        let id: ConversationId = user.conversation_id.parse().expect("an id");
        let rows = conversations::messages_after(&mut tx, id, 0, 100).await.expect("messages");
        rows.into_iter().map(|row| (row.sender, row.kind, row.text)).collect()
    }

    async fn said(&self) -> Vec<String> {
        let all = self.messages("kf", "wm1").await;
        all.into_iter().filter(|(sender, ..)| sender == "visitor").map(|(.., text)| text).collect()
    }

    pub(crate) async fn oa(&self, rest: &str) -> Answer {
        let at = self.app.app.now().as_second();
        let body = format!(
            "<xml><ToUserName>gh</ToUserName><FromUserName>o1</FromUserName><CreateTime>{at}</CreateTime>{rest}</xml>"
        );
        let nonce = &crypto::signature(&[&body])[..12];
        let signature = crypto::signature(&["token", &at.to_string(), nonce]);
        let path = format!("/wechat/oa/main?signature={signature}&timestamp={at}&nonce={nonce}");
        self.app.request(Request::post(path).body(Body::from(body)).expect("a request")).await.expect(200)
    }
}

#[tokio::test]
async fn pages_are_read_to_the_end_and_each_message_counts_once() {
    let stage = Stage::start().await;
    assert_eq!(stage.callback("t1").await.expect(200).text(), "success");
    stage.platform.pages([
        Stage::page("c1", 1, &[stage.text("m1", "简易注销要公示多久")]),
        Stage::page("c2", 1, &[]),
        Stage::page("c3", 0, &[stage.text("m1", "简易注销要公示多久"), stage.text("m2", "谢谢")]),
    ]);
    stage.fetch().await;
    assert_eq!(stage.said().await, ["简易注销要公示多久", "谢谢"]);
    let calls = stage.platform.calls(SYNC);
    let asked: Vec<_> = calls.iter().map(|call| call.json["cursor"].as_str().unwrap_or_default()).collect();
    assert_eq!(asked, ["", "c1", "c2"]);
    assert_eq!(calls[0].json["token"], "t1");
    assert_eq!(calls[0].json["open_kfid"], "wk1");
    // The answers leave through the outbox.
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    let texts = stage.platform.texts("wm1");
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("20"), "{texts:?}");
    // The next look begins where this one ended.
    stage.callback("t2").await.expect(200);
    stage.platform.pages([Stage::page("c4", 0, &[stage.text("m3", "还有一件事")])]);
    stage.fetch().await;
    assert_eq!(stage.platform.calls(SYNC)[3].json["cursor"], "c3");
    assert_eq!(stage.said().await.len(), 3);
}

#[tokio::test]
async fn a_page_that_fails_is_read_again_from_the_last_cursor() {
    let stage = Stage::start().await;
    stage.callback("t1").await.expect(200);
    stage
        .platform
        .pages([Stage::page("c1", 1, &[stage.text("m1", "您好")]), Stage::page("c2", 0, &[stage.text("m2", "在吗")])]);
    stage.platform.script(SYNC, [Act::Well, Act::Code(45_009, "rate")]);
    stage.fetch().await;
    assert_eq!(stage.said().await, ["您好"]);
    stage.fetch().await;
    assert_eq!(stage.said().await, ["您好", "在吗"]);
    assert_eq!(stage.platform.calls(SYNC)[2].json["cursor"], "c1");
    assert_eq!(stage.fetch().await, 0, "nothing is due any more");
}

#[tokio::test]
async fn history_and_the_words_of_others_are_no_work() {
    let stage = Stage::start().await;
    stage.callback("t1").await.expect(200);
    let mut old = stage.text("m0", "去年的事");
    old["send_time"] = json!(1_600_000_000);
    let mut servicer = stage.text("m1", "我来处理");
    servicer["origin"] = json!(5);
    let mut event = stage.message("m2", "event", &json!({"event_type": "enter_session", "welcome_code": "CODE"}));
    event["origin"] = json!(4);
    stage.platform.pages([Stage::page("c1", 0, &[old, servicer, event])]);
    stage.fetch().await;
    assert!(stage.said().await.is_empty());
    assert_eq!(stage.platform.calls("/cgi-bin/kf/send_msg_on_event")[0].json["code"], "CODE");
}

#[tokio::test]
async fn while_a_person_of_the_platform_serves_all_is_kept_and_the_bot_is_silent() {
    let stage = Stage::start().await;
    stage.callback("t1").await.expect(200);
    stage.platform.pages([Stage::page("c1", 0, &[stage.text("m0", "简易注销要公示多久")])]);
    stage.fetch().await;
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    let before = stage.platform.texts("wm1").len();
    stage.platform.lists(STATE, json!({"errcode": 0, "service_state": 3}));
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(b"\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\0IEND\xaeB`\x82");
    stage.platform.script(GET, [Act::Raw("image/png", png), Act::Code(40_007, "invalid media_id")]);
    let mut servicer = stage.text("m2", "我来处理");
    servicer["origin"] = json!(5);
    servicer["servicer_userid"] = json!("zhang");
    let picture = stage.message("m3", "image", &json!({"media_id": "MID"}));
    let lost = stage.message("m4", "voice", &json!({"media_id": "GONE"}));
    let ended = json!({"event_type": "session_status_change", "external_userid": "wm1", "change_type": 3});
    let mut ended = stage.message("m5", "event", &ended);
    ended["origin"] = json!(4);
    let page = [stage.text("m1", "找刚才那位"), servicer, picture, lost, ended];
    // The same page again, as after a restart before its cursor was stored.
    for token in ["t2", "t3"] {
        stage.callback(token).await.expect(200);
        stage.platform.pages([Stage::page(token, 0, &page)]);
        stage.fetch().await;
    }
    let all = stage.messages("kf", "wm1").await;
    let kept: Vec<(&str, &str, &str)> =
        all.iter().skip(2).map(|(from, kind, text)| (from.as_str(), kind.as_str(), text.as_str())).collect();
    assert_eq!(
        kept,
        [
            ("visitor", "text", "找刚才那位"),
            ("officer", "text", "我来处理"),
            ("visitor", "image", "image.png"),
            ("visitor", "text", "（发来语音，没有取到）"),
            ("system", "event", "微信客服的人工接待已经结束，对方再来消息由机器人接待"),
        ]
    );
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    assert_eq!(stage.platform.texts("wm1").len(), before, "nothing of it is answered or sent");
    // The session is over: the bot answers again.
    stage.platform.lists(STATE, json!({"errcode": 0, "service_state": 0}));
    stage.callback("t4").await.expect(200);
    stage.platform.pages([Stage::page("c9", 0, &[stage.text("m9", "公司注册资本要几年缴足")])]);
    stage.fetch().await;
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    assert_eq!(stage.platform.texts("wm1").len(), before + 1);
}

const MOVE: &str = "/cgi-bin/kf/service_state/trans";
const ON_EVENT: &str = "/cgi-bin/kf/send_msg_on_event";

/// State of the conversation of `wm1`, and what of it waits in the outbox.
async fn standing(stage: &Stage) -> (String, i64) {
    let mut tx = stage.app.app.db.read().await.expect("a reader");
    let user = wechat::find(&mut tx, "kf", "main", "wm1").await.expect("a look-up").expect("a user");
    let id: ConversationId = user.conversation_id.parse().expect("an id");
    let row = conversations::find(&mut tx, id).await.expect("a look-up").expect("a conversation");
    (row.state, wechat::waiting(&mut tx, id).await.expect("a count"))
}

#[tokio::test]
async fn whoever_asks_for_a_person_goes_to_the_pool_of_the_platform() {
    let stage = Stage::with("pool", "").await;
    stage.callback("t1").await.expect(200);
    stage.platform.pages([Stage::page("c1", 0, &[stage.text("m1", "转人工"), stage.text("m2", "我这事很急")])]);
    stage.fetch().await;
    let moved = stage.platform.calls(MOVE);
    assert_eq!(moved.len(), 1);
    assert_eq!((&moved[0].json["service_state"], &moved[0].json["external_userid"]), (&json!(2), &json!("wm1")));
    assert!(moved[0].json.get("servicer_userid").is_none());
    let told = stage.platform.calls(ON_EVENT);
    assert_eq!((told.len(), &told[0].json["code"]), (1, &json!("MOVED")), "the answer goes with the code of the move");
    assert_eq!(standing(&stage).await, ("bot".to_owned(), 0), "our own queue has nobody, and nothing is refused later");
    let all = stage.messages("kf", "wm1").await;
    assert!(all.iter().any(|(.., text)| text.contains("接待池")), "{all:?}");
    assert_eq!(all.last().map(|(from, _, text)| (from.as_str(), text.as_str())), Some(("visitor", "我这事很急")));
}

#[tokio::test]
async fn a_servicer_who_is_not_there_is_replaced_by_the_pool_and_the_pool_by_our_desk() {
    let stage = Stage::with("servicer", "zhang").await;
    stage.platform.script(MOVE, [Act::Code(95_014, "not servicer")]);
    stage.callback("t1").await.expect(200);
    stage.platform.pages([Stage::page("c1", 0, &[stage.text("m1", "转人工")])]);
    stage.fetch().await;
    let moved = stage.platform.calls(MOVE);
    assert_eq!((&moved[0].json["service_state"], &moved[0].json["servicer_userid"]), (&json!(3), &json!("zhang")));
    assert_eq!(moved[1].json["service_state"], 2);
    assert_eq!(standing(&stage).await.0, "bot");

    let stage = Stage::with("servicer", "zhang").await;
    stage.platform.script(MOVE, [Act::Code(95_014, "not servicer"), Act::Status(502)]);
    stage.callback("t1").await.expect(200);
    stage.platform.pages([Stage::page("c1", 0, &[stage.text("m1", "转人工")])]);
    stage.fetch().await;
    assert_eq!(standing(&stage).await.0, "queued", "nobody is lost between the two");
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    assert_eq!(stage.platform.texts("wm1").len(), 1);
}

#[tokio::test]
async fn what_is_said_with_the_move_of_a_session_is_said_once() {
    // The job that sends runs in the middle of the hand-over.
    let stage = Stage::with("pool", "").await;
    stage.platform.script(MOVE, [Act::Late(Duration::from_millis(300))]);
    stage.callback("t1").await.expect(200);
    stage.platform.pages([Stage::page("c1", 0, &[stage.text("m1", "转人工")])]);
    let job = async {
        while stage.platform.calls(MOVE).is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("a run")
    };
    tokio::join!(stage.fetch(), job);
    stage.app.clock.advance(jiff::SignedDuration::from_secs(60));
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("a run");
    assert_eq!((stage.platform.calls(ON_EVENT).len(), stage.platform.texts("wm1").len()), (1, 0));

    // Nobody knows whether it was said: not again. It was refused: it waits, and leaves once the customer is ours again.
    for (act, waits, said) in [(Act::Reset, 0, 0), (Act::Code(95_000, "no"), 1, 1)] {
        let stage = Stage::with("pool", "").await;
        stage.platform.script(ON_EVENT, [act]);
        stage.callback("t1").await.expect(200);
        stage.platform.pages([Stage::page("c1", 0, &[stage.text("m1", "转人工")])]);
        stage.fetch().await;
        assert_eq!(standing(&stage).await, ("bot".to_owned(), waits));
        wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("a run");
        assert_eq!(stage.platform.texts("wm1").len(), said);
    }
}

#[tokio::test]
async fn a_page_that_comes_again_after_its_hand_over_says_nothing_twice() {
    let stage = Stage::with("pool", "").await;
    // Our own desk has it at first, and the answer is sent.
    stage.platform.script(MOVE, [Act::Status(502)]);
    stage.callback("t1").await.expect(200);
    stage.platform.pages([Stage::page("c1", 0, &[stage.text("m1", "转人工")])]);
    stage.fetch().await;
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("a run");
    assert_eq!(stage.platform.texts("wm1").len(), 1);
    // The page comes again, and now the session moves.
    stage.callback("t2").await.expect(200);
    stage.platform.pages([Stage::page("c2", 0, &[stage.text("m1", "转人工")])]);
    stage.fetch().await;
    assert_eq!((stage.platform.calls(MOVE).len(), stage.platform.calls(ON_EVENT).len()), (2, 0));
    assert_eq!(standing(&stage).await, ("bot".to_owned(), 0));
}

#[tokio::test]
async fn a_hand_over_that_a_restart_interrupted_leaves_nobody_in_two_queues() {
    let stage = Stage::with("pool", "").await;
    stage.platform.script(MOVE, [Act::Status(502)]);
    stage.callback("t1").await.expect(200);
    stage.platform.pages([Stage::page("c1", 0, &[stage.text("m1", "转人工")])]);
    stage.fetch().await;
    assert_eq!(standing(&stage).await.0, "queued");
    // The move had been done all the same: the platform's people have the session.
    stage.platform.lists(STATE, json!({"errcode": 0, "service_state": 2}));
    stage.callback("t2").await.expect(200);
    stage.platform.pages([Stage::page("c2", 0, &[stage.text("m2", "有人吗")])]);
    stage.fetch().await;
    assert_eq!(standing(&stage).await.0, "bot");
}

#[tokio::test]
async fn what_a_session_in_other_hands_refuses_waits_until_the_customer_writes_again() {
    let stage = Stage::start().await;
    stage.callback("t1").await.expect(200);
    stage.platform.pages([Stage::page("c1", 0, &[stage.text("m1", "简易注销要公示多久")])]);
    stage.fetch().await;
    stage.platform.script("/cgi-bin/kf/send_msg", [Act::Code(95_018, "send msg session status invalid")]);
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("held");
    assert!(stage.platform.texts("wm1").is_empty());
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("nothing");
    assert_eq!(stage.platform.calls("/cgi-bin/kf/send_msg").len(), 1, "not tried while it is known to fail");
    stage.app.clock.advance(jiff::SignedDuration::from_secs(60));
    stage.callback("t2").await.expect(200);
    stage.platform.pages([Stage::page("c2", 0, &[stage.text("m2", "在吗")])]);
    stage.fetch().await;
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    assert_eq!(stage.platform.texts("wm1").len(), 2);
}

#[tokio::test]
async fn what_the_platform_took_and_could_not_deliver_is_shown_with_its_reason() {
    let stage = Stage::start().await;
    stage.callback("t1").await.expect(200);
    stage.platform.pages([Stage::page("c1", 0, &[stage.text("m1", "简易注销要公示多久")])]);
    stage.fetch().await;
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    let sent = stage.platform.calls("/cgi-bin/kf/send_msg")[0].json["msgid"].clone();
    let fail = |id: &str, name: &Value| {
        let event = json!({"event_type": "msg_send_fail", "external_userid": "wm1", "open_kfid": "wk1",
            "fail_msgid": name, "fail_type": 4});
        let mut message = stage.message(id, "event", &event);
        message["origin"] = json!(4);
        message
    };
    stage.callback("t2").await.expect(200);
    let strange = json!("0123456789abcdef0123456789abcdef");
    stage.platform.pages([Stage::page("c2", 0, &[fail("f1", &sent), fail("f2", &sent), fail("f3", &strange)])]);
    stage.fetch().await;
    let mut tx = stage.app.app.db.read().await.expect("a reader");
    let user = wechat::find(&mut tx, "kf", "main", "wm1").await.expect("a look-up").expect("a user");
    let id: ConversationId = user.conversation_id.parse().expect("an id");
    let waits = standings(&mut tx, id).await.expect("standings");
    drop(tx);
    assert_eq!(waits.len(), 1, "{waits:?}");
    assert_eq!((waits[0].state, waits[0].words.contains("48 小时")), ("held", true), "{waits:?}");
    // The customer writes again: it goes out under another name, or the platform would take it for a double.
    stage.app.clock.advance(jiff::SignedDuration::from_secs(60));
    stage.callback("t3").await.expect(200);
    stage.platform.pages([Stage::page("c3", 0, &[stage.text("m2", "在吗")])]);
    stage.fetch().await;
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    let calls = stage.platform.calls("/cgi-bin/kf/send_msg");
    assert_eq!(calls.len(), 3, "the first one again, and the answer");
    assert_ne!(calls[1].json["msgid"], sent);
    assert_eq!(stage.platform.texts("wm1").len(), 3);
    // A refusal of the customer's is a dead letter, and sent again by the administrator.
    let again = calls[1].json["msgid"].clone();
    let mut refused = fail("f4", &again);
    refused["event"]["fail_type"] = json!(10);
    stage.callback("t4").await.expect(200);
    stage.platform.pages([Stage::page("c4", 0, &[refused])]);
    stage.fetch().await;
    let admin = stage.app.officer("root", &[(zhitong::domain::access::Role::Admin, "")]).await;
    let list = stage.app.get("/api/admin/undelivered", &admin).await.expect(200).json();
    let dead = list["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{list}"));
    stage.app.post(&format!("/api/admin/undelivered/{dead}/retry"), &admin, json!({})).await.expect(204);
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    assert_eq!(stage.platform.texts("wm1").len(), 4, "it reached the customer this time");
}

#[tokio::test]
async fn options_are_tapped_and_the_tap_is_the_option() {
    let stage = Stage::start().await;
    stage.callback("t1").await.expect(200);
    stage.platform.pages([Stage::page("c1", 0, &[stage.text("m1", "简易注销要公示多久")])]);
    stage.fetch().await;
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    let sent = stage.platform.calls("/cgi-bin/kf/send_msg")[0].json.clone();
    assert_eq!(sent["msgtype"], "msgmenu", "{sent}");
    assert!(sent["msgmenu"]["head_content"].as_str().expect("words").contains("20"), "{sent}");
    let entries = sent["msgmenu"]["list"].as_array().expect("entries");
    let entry = entries.iter().map(|entry| &entry["click"]).find(|click| click["content"] == "没解决");
    let id = &entry.unwrap_or_else(|| panic!("{sent}"))["id"];
    let tap = stage.message("m2", "text", &json!({"content": "没解决", "menu_id": id}));
    stage.callback("t2").await.expect(200);
    stage.platform.pages([Stage::page("c2", 0, &[tap])]);
    stage.fetch().await;
    assert_eq!(stage.said().await, ["简易注销要公示多久", "没解决"]);

    // An account without menus gets numbers, and is asked once.
    let stage = Stage::start().await;
    stage.platform.script("/cgi-bin/kf/send_msg", [Act::Code(40_200, "no menus")]);
    for (n, expected) in [(1, 2), (2, 3)] {
        stage.callback(&format!("t{n}")).await.expect(200);
        let message = stage.text(&format!("m{n}"), "简易注销要公示多久");
        stage.platform.pages([Stage::page(&format!("c{n}"), 0, &[message])]);
        stage.fetch().await;
        wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
        assert_eq!(stage.platform.calls("/cgi-bin/kf/send_msg").len(), expected);
    }
    assert!(stage.platform.texts("wm1").iter().all(|text| text.contains("回复数字选择：\n1 ")));
}

#[tokio::test]
async fn a_token_that_is_too_old_is_left_out_at_once() {
    let stage = Stage::start().await;
    stage.platform.script(SYNC, [Act::Code(95_007, "invalid msg token")]);
    stage.callback("old").await.expect(200);
    stage.platform.pages([Stage::page("c1", 0, &[stage.text("m1", "在吗")])]);
    assert_eq!(stage.fetch().await, 1);
    let calls = stage.platform.calls(SYNC);
    assert_eq!((calls[0].json["token"].as_str(), calls[1].json.get("token")), (Some("old"), None));
    assert!(inbound::kf_pause(&stage.app.app).is_none(), "nothing is left to do");
    // What fails is due again soon, and later each time.
    stage.platform.script(SYNC, (0..2).map(|_| Act::Status(502)));
    stage.callback("t2").await.expect(200);
    let mut pauses = Vec::new();
    for _ in 0..2 {
        stage.fetch().await;
        pauses.push(inbound::kf_pause(&stage.app.app).expect("due again").as_secs());
    }
    assert_eq!(pauses, [1, 2]);
}

#[tokio::test]
async fn kinds_that_nobody_can_read_here_are_kept_and_answered() {
    let stage = Stage::start().await;
    stage.callback("t1").await.expect(200);
    stage.platform.pages([Stage::page("c1", 0, &[stage.message("m1", "business_card", &json!({"userid": "x"}))])]);
    assert_eq!(stage.fetch().await, 1);
    assert_eq!(stage.said().await, ["（发来名片，这里看不到内容）"]);
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    assert!(stage.platform.texts("wm1")[0].contains("请用文字说说"));
}
