//! 微信客服 and files of users, against the stand-in of the platform: cursor, pages, repeats, sessions with people.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use zhitong::{
    app::{wechat as inbound, wechat_out::standings},
    channels::wechat::{
        api::{Access, Patience, WechatClient},
        crypto::{self, AesKey},
        envelope::Fields,
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
const GET: &str = "/cgi-bin/media/get";

struct Stage {
    app: TestApp,
    platform: Platform,
    client: Arc<WechatClient>,
}

impl Stage {
    async fn start() -> Self {
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

    async fn configured(change: impl FnOnce(&mut Config)) -> Self {
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

    async fn messages(&self, kind: &str, openid: &str) -> Vec<(String, String, String)> {
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

    async fn oa(&self, rest: &str) -> Answer {
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
            ("visitor", "text", "（发来一个文件，没有取到）"),
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
    let standings = standings(&mut tx, id).await.expect("standings");
    assert_eq!(standings.len(), 1, "{standings:?}");
    assert_eq!((standings[0].state, standings[0].words.contains("48 小时")), ("failed", true), "{standings:?}");
}

#[tokio::test]
async fn a_picture_becomes_an_attachment_once() {
    let stage = Stage::start().await;
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(b"\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\0IEND\xaeB`\x82");
    stage.platform.script(GET, [Act::Raw("image/png", png)]);
    let picture =
        "<MsgType>image</MsgType><PicUrl>http://127.0.0.1:1/never</PicUrl><MediaId>MID</MediaId><MsgId>9</MsgId>";
    let first = stage.oa(picture).await;
    let (fields, _) = Fields::parse(&first.body).expect("a reply");
    assert!(fields.text("Content").is_some());
    let again = stage.oa(picture).await;
    let (again, _) = Fields::parse(&again.body).expect("a reply");
    assert_eq!(again.text("Content"), fields.text("Content"));
    let stored = stage.messages("oa", "o1").await;
    assert_eq!(
        stored.iter().filter(|(sender, kind, _)| sender == "visitor" && kind == "image").count(),
        1,
        "{stored:?}"
    );
    let calls = stage.platform.calls(GET);
    assert_eq!((calls.len(), calls[0].query["media_id"].as_str()), (1, "MID"));
}

#[tokio::test]
async fn a_file_that_cannot_be_had_is_answered_with_what_to_do() {
    let stage = Stage::start().await;
    stage.platform.script(GET, [Act::Code(40_007, "invalid media_id"), Act::Code(40_007, "invalid media_id")]);
    for (kind, expected) in [("image", "暂时取不到"), ("voice", "没有听清")] {
        let answer = stage
            .oa(&format!("<MsgType>{kind}</MsgType><MediaId>{kind}</MediaId><MsgId>1{}</MsgId>", kind.len()))
            .await;
        assert!(answer.text().contains(expected), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_fetch_that_a_restart_interrupted_is_taken_up() {
    let stage = Stage::start().await;
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(b"\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\0IEND\xaeB`\x82");
    stage.platform.script(GET, [Act::Raw("image/png", png)]);
    let payload = json!({"kind": "oa", "account": "main", "from": "o1", "media_id": "MID", "what": "image",
        "name": null, "client_id": "wx-1"});
    let mut tx = stage.app.app.db.write().await.expect("a transaction");
    wechat::receive(&mut tx, "wx-1", "oa", "main", stage.app.app.now()).await.expect("noted");
    wechat::note(&mut tx, "wx-1", &payload.to_string()).await.expect("noted");
    tx.commit().await.expect("committed");
    assert_eq!(inbound::take_up(&stage.app.app).await.expect("the store works"), 1);
    assert_eq!(inbound::take_up(&stage.app.app).await.expect("the store works"), 0);
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    assert_eq!(stage.platform.texts("o1").len(), 1, "the answer leaves through the outbox");
}

#[tokio::test]
async fn whoever_waits_for_a_late_answer_sees_that_it_is_being_written() {
    let slow = |config: &mut Config| {
        config.wechat.oa.entry("main".into()).or_default().passive_budget_ms = Some(0);
    };
    let stage = Stage::configured(slow).await;
    let path = "/cgi-bin/message/custom/typing";
    // A platform that refuses it is nobody's trouble.
    stage.platform.script(path, [Act::Code(45_080, "need send message within 30s")]);
    for id in [1, 2] {
        let said = stage.oa(&format!("<MsgType>text</MsgType><Content>您好</Content><MsgId>{id}</MsgId>")).await;
        assert_eq!(said.text(), "success");
    }
    let seen = async {
        while stage.platform.calls(path).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), seen).await.expect("typing is shown");
    let calls = stage.platform.calls(path);
    assert_eq!((calls.len(), &calls[0].json["touser"]), (1, &json!("o1")));
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    assert_eq!(stage.platform.texts("o1").len(), 2, "the answers come");
}

/// Joins a web conversation with `o1`.
async fn join(stage: &Stage, web: &str) {
    stage.platform.lists("/cgi-bin/qrcode/create", json!({"url": "http://weixin.qq.com/q/x", "ticket": "t"}));
    stage.app.post("/api/chat/wechat", web, json!({})).await.expect(201);
    let calls = stage.platform.calls("/cgi-bin/qrcode/create");
    let scene = calls[0].json["action_info"]["scene"]["scene_str"].as_str().expect("a scene");
    let scan = format!("<MsgType>event</MsgType><Event>SCAN</Event><EventKey>{scene}</EventKey><Ticket>t</Ticket>");
    assert!(stage.oa(&scan).await.text().contains("已接上"));
}

#[tokio::test]
async fn an_officer_answers_where_the_person_spoke_last() {
    let stage = Stage::start().await;
    let web = stage.app.visitor().await;
    stage.app.say(&web, "w1", "您好").await.expect(200);
    join(&stage, &web).await;
    let started = stage.app.post("/api/chat/sessions", &web, json!({})).await.expect(201).json();
    let path = format!("/api/conversations/{}", started["conversation_id"].as_str().expect("an id"));
    let officer = stage.app.officer("seat", &[(zhitong::domain::access::Role::FrontDesk, "")]).await;
    stage.oa("<MsgType>text</MsgType><Content>在微信里问</Content><MsgId>5</MsgId>").await;
    stage.app.post(&format!("{path}/claim"), &officer, json!({})).await.expect(200);
    let says = async |n: u32, text: &str| {
        let body = json!({"client_id": format!("s{n}"), "text": text});
        stage.app.post(&format!("{path}/messages"), &officer, body).await.expect(200);
        stage.app.clock.advance(jiff::SignedDuration::from_secs(20));
        wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("a run");
    };
    let got = |text: &str| stage.platform.texts("o1").iter().any(|told| told.contains(text));
    says(1, "答在微信").await;
    assert!(got("答在微信"));
    stage.app.say(&web, "w2", "我回到网页了").await.expect(200);
    says(2, "答在网页").await;
    assert!(!got("答在网页"), "{:?}", stage.platform.texts("o1"));
    let history = stage.app.get("/api/chat/messages", &web).await.expect(200).text();
    assert!(history.contains("答在网页") && history.contains("答在微信"), "the web shows all of it");
    stage.oa("<MsgType>text</MsgType><Content>又回到微信</Content><MsgId>6</MsgId>").await;
    says(3, "再答在微信").await;
    assert!(got("再答在微信") && !got("答在网页"), "{:?}", stage.platform.texts("o1"));
    // Whoever has left the web page is told in WeChat.
    stage.app.say(&web, "w3", "网页上最后一句").await.expect(200);
    stage.app.clock.advance(jiff::SignedDuration::from_mins(11));
    says(4, "人已离开网页").await;
    assert!(got("人已离开网页"), "{:?}", stage.platform.texts("o1"));
}

#[tokio::test]
async fn a_scanned_code_makes_one_history_of_web_and_wechat() {
    let stage = Stage::start().await;
    let web = stage.app.visitor().await;
    stage.app.say(&web, "w1", "简易注销要公示多久").await.expect(200);
    stage.oa("<MsgType>text</MsgType><Content>您好</Content><MsgId>1</MsgId>").await;
    stage.platform.lists("/cgi-bin/qrcode/create", json!({"url": "http://weixin.qq.com/q/x", "ticket": "t"}));
    let code = stage.app.post("/api/chat/wechat", &web, json!({})).await.expect(201).json();
    assert_eq!((code["url"].as_str(), code["account"].as_str()), (Some("http://weixin.qq.com/q/x"), Some("main")));
    assert!(code["image"].as_str().is_some_and(|image| image.starts_with("data:image/svg+xml;base64,")), "{code}");
    let calls = stage.platform.calls("/cgi-bin/qrcode/create");
    let scene = calls[0].json["action_info"]["scene"]["scene_str"].as_str().expect("a scene");
    assert!(scene.len() <= 64);
    let scan = format!("<MsgType>event</MsgType><Event>SCAN</Event><EventKey>{scene}</EventKey><Ticket>t</Ticket>");
    for _ in 0..2 {
        assert!(stage.oa(&scan).await.text().contains("已接上"));
    }
    let told = stage.app.get("/api/chat/messages", &web).await.expect(200).text();
    assert_eq!(told.matches("已接上微信").count(), 1, "the web page is told, once: {told}");
    stage.oa("<MsgType>text</MsgType><Content>还有一件事</Content><MsgId>2</MsgId>").await;
    let history = stage.app.get("/api/chat/messages", &web).await.expect(200).json();
    let said: Vec<_> = history["items"].as_array().expect("a list").iter().map(|item| &item["text"]).collect();
    assert!(said.contains(&&json!("简易注销要公示多久")) && said.contains(&&json!("还有一件事")), "{history}");
    // Somebody else who has the picture gets nowhere.
    let body = format!(
        "<xml><ToUserName>gh</ToUserName><FromUserName>o2</FromUserName><CreateTime>1</CreateTime>{scan}</xml>"
    );
    let at = stage.app.app.now().as_second();
    let signature = crypto::signature(&["token", &at.to_string(), "other"]);
    let path = format!("/wechat/oa/main?signature={signature}&timestamp={at}&nonce=other");
    let answer = stage.app.request(Request::post(path).body(Body::from(body)).expect("a request")).await;
    assert_eq!(answer.expect(200).text(), "success");
    // Whoever leaves WeChat keeps the web; nothing of it goes.
    stage.oa("<MsgType>event</MsgType><Event>unsubscribe</Event>").await;
    let after = stage.app.get("/api/chat/messages", &web).await.expect(200).json();
    assert_eq!(after["items"], history["items"]);
}
