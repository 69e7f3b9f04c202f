//! Messages of officers and cases on their way to WeChat users: order, limits, faults, dead letters.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use serde_json::{Value, json};
use zhitong::{
    app::exchange::{Sent, Shown, Via},
    channels::wechat::api::{Access, Patience, WechatClient},
    config::{Config, WechatKf, WechatNotice, WechatOa},
    domain::{
        access::Role,
        dialogue::Input,
        ids::{ConversationId, VisitorId},
    },
    jobs::wechat_out::{self, Summary},
    ports::wechat::{WechatAccount, WechatKind},
    store::{
        conversations::{self, NewVisitor},
        wechat::{self, Carried, Held, NewUser, Rest},
    },
};

use super::platform::{Act, Platform};
use crate::support::{Answer, TestApp};

pub(super) const SEND: &str = "/cgi-bin/message/custom/send";
const KF: &str = "/cgi-bin/kf/send_msg";

/// The gateway beside a platform, with an officer who has a conversation with a WeChat user.
pub(super) struct Stage {
    pub(super) app: TestApp,
    pub(super) platform: Platform,
    pub(super) client: Arc<WechatClient>,
    pub(super) officer: String,
    pub(super) conversation: ConversationId,
    kind: WechatKind,
}

impl Stage {
    pub(super) async fn start(kind: WechatKind) -> Self {
        Self::with(kind, |_| {}).await
    }

    pub(super) async fn with(kind: WechatKind, change: impl FnOnce(&mut Config)) -> Self {
        let platform = Platform::start().await;
        let app = TestApp::with(|config| {
            config.wechat.oa.insert("main".into(), WechatOa::default());
            config.wechat.kf.insert("main".into(), WechatKf::default());
            change(config);
        })
        .await;
        let access = |kind| Access {
            account: WechatAccount { kind, name: "main".into() },
            id: "wx1".into(),
            secret: "hush".to_owned().into(),
            agent_id: "1000002".into(),
            open_kfid: "wk1".into(),
            base: Some(platform.base.clone()),
        };
        let patience = Patience {
            connect: std::time::Duration::from_millis(300),
            call: std::time::Duration::from_millis(400),
            file: std::time::Duration::from_millis(600),
        };
        let accounts = [WechatKind::Oa, WechatKind::Work, WechatKind::Kf].map(access);
        let client = Arc::new(WechatClient::new(accounts, patience).expect("a client"));
        app.app.wechat.connect(client.clone());
        let conversation = ConversationId::from_uuid(app.app.ids.uuid(app.app.now()));
        let stage = Self { officer: String::new(), app, platform, client, conversation, kind };
        stage.add_user("u1", conversation).await;
        let officer = stage.app.officer("seat", &[(Role::FrontDesk, "")]).await;
        stage.writes("想问个事").await;
        // The bot's answer went with the passive reply.
        let taken = stage.act(&officer, "claim", json!({})).await;
        taken.expect(200);
        let stage = Self { officer, ..stage };
        stage.run().await;
        stage
    }

    async fn add_user(&self, openid: &str, conversation: ConversationId) {
        let now = self.app.app.now();
        let visitor = VisitorId::from_uuid(self.app.app.ids.uuid(now));
        let hash = visitor.to_string();
        let channel = format!("wechat_{}", self.kind.as_str());
        let external_id = format!("main:{openid}");
        let mut tx = self.app.app.db.write().await.expect("a transaction");
        let new = NewVisitor {
            id: visitor,
            conversation,
            token_hash: &hash,
            user_id: None,
            name: None,
            locale: None,
            channel: &channel,
            external_id: Some(&external_id),
            dialogue: "{}",
            expires_at: now + SignedDuration::from_hours(24 * 365),
        };
        conversations::insert(&mut tx, &new, now).await.expect("a visitor");
        let (visitor_id, conversation_id) = (visitor.to_string(), conversation.to_string());
        let new = NewUser {
            channel: self.kind.as_str(),
            account: "main",
            openid,
            visitor_id: &visitor_id,
            conversation_id: &conversation_id,
        };
        wechat::insert(&mut tx, &new, now).await.expect("a user");
        tx.commit().await.expect("committed");
    }

    /// The user writes; what the bot says to it is carried by the passive reply.
    pub(super) async fn writes(&self, text: &str) {
        self.writes_as("u1", self.conversation, text).await;
    }

    async fn writes_as(&self, openid: &str, conversation: ConversationId, text: &str) {
        let app = &self.app.app;
        self.later(1);
        let via = Via {
            account: WechatAccount { kind: self.kind, name: "main".into() },
            openid: openid.into(),
            carried_until: Some(Instant::now() + Duration::from_mins(1)),
            tap: false,
        };
        let sent = Sent {
            conversation,
            client_id: Some(app.ids.uuid(app.now()).to_string()),
            input: Input::text(text),
            shown: Some(Shown { kind: "text", text: text.to_owned(), attachment: None }),
            via: Some(via),
        };
        app.exchange.send(sent).await.expect("an answer");
    }

    async fn act(&self, officer: &str, action: &str, body: Value) -> Answer {
        self.app.post(&format!("/api/conversations/{}/{action}", self.conversation), officer, body).await
    }

    /// The officer writes.
    pub(super) async fn says(&self, text: &str) {
        let id = self.app.app.ids.uuid(self.app.app.now()).to_string();
        self.act(&self.officer, "messages", json!({"client_id": id, "text": text})).await.expect(200);
    }

    /// The job runs.
    pub(super) async fn run(&self) -> Summary {
        wechat_out::run_once(&self.app.app, &*self.client).await.expect("a run")
    }

    /// What the officer sees of the conversation.
    pub(super) async fn seen(&self) -> Value {
        self.app.get(&format!("/api/conversations/{}", self.conversation), &self.officer).await.expect(200).json()
    }

    pub(super) fn texts(&self) -> Vec<String> {
        let said = self.platform.texts("u1").into_iter();
        said.map(|text| text.strip_prefix("【seat】").map_or(text.clone(), str::to_owned)).collect()
    }

    pub(super) fn later(&self, seconds: i64) {
        self.app.clock.advance(SignedDuration::from_secs(seconds));
    }
}

#[tokio::test]
async fn what_an_officer_writes_reaches_the_user_once_and_in_order() {
    let stage = Stage::start(WechatKind::Oa).await;
    assert_eq!(stage.texts().len(), 1, "who took over: {:?}", stage.texts());
    for text in ["第一句", "第二句", "第三句"] {
        stage.says(text).await;
    }
    let seen = stage.seen().await;
    assert_eq!(seen["wechat"]["words"], "48 小时窗口还剩 48 小时，还可发 1 条（另有 3 条待发）");
    assert_eq!(seen["wechat"]["left"], 1);
    assert_eq!(stage.run().await, Summary { sent: 3, ..Summary::default() });
    assert_eq!(stage.texts()[1..], ["第一句", "第二句", "第三句"]);
    let seen = stage.seen().await;
    assert_eq!(seen["wechat"]["words"], "48 小时窗口还剩 48 小时，还可发 1 条");
    let undelivered: Vec<_> =
        seen["messages"].as_array().expect("messages").iter().filter(|m| !m["delivery"].is_null()).collect();
    assert!(undelivered.is_empty(), "{undelivered:?}");
    assert_eq!(stage.run().await, Summary::default());
}

#[tokio::test]
async fn many_conversations_are_served_at_once_and_each_message_goes_once() {
    let stage = Stage::start(WechatKind::Oa).await;
    let mut users = Vec::new();
    for n in 2..14 {
        let conversation = ConversationId::from_uuid(stage.app.app.ids.uuid(stage.app.app.now()));
        let openid = format!("u{n}");
        stage.add_user(&openid, conversation).await;
        stage.writes_as(&openid, conversation, "想问个事").await;
        let path = format!("/api/conversations/{conversation}");
        stage.app.post(&format!("{path}/claim"), &stage.officer, json!({})).await.expect(200);
        let body = json!({"client_id": format!("m{n}"), "text": format!("给第 {n} 位")});
        stage.app.post(&format!("{path}/messages"), &stage.officer, body).await.expect(200);
        users.push((openid, format!("给第 {n} 位")));
    }
    // A sender that waits for the database while another has it in hand would wait for ever.
    let ran = tokio::time::timeout(Duration::from_secs(8), stage.run()).await.expect("nobody waits for himself");
    assert_eq!(ran.sent, 2 * users.len());
    for (openid, text) in users {
        let got = stage.platform.texts(&openid);
        assert_eq!(got.iter().filter(|got| got.ends_with(&text)).count(), 1, "{openid}: {got:?}");
    }
}

#[tokio::test]
async fn a_message_over_the_allowance_waits_until_the_user_writes() {
    let stage = Stage::start(WechatKind::Oa).await;
    for n in 0..5 {
        stage.says(&format!("第 {n} 句")).await;
    }
    let ran = stage.run().await;
    assert_eq!((ran.sent, ran.held), (4, 1), "one of five told who took over");
    stage.later(3_600);
    assert_eq!(stage.run().await, Summary::default(), "nothing is tried that is known to fail");
    assert_eq!(stage.platform.calls(SEND).len(), 5);
    stage.writes("还有吗").await;
    stage.run().await;
    assert_eq!(stage.texts().last().map(String::as_str), Some("第 4 句"));
}

#[tokio::test]
async fn after_forty_eight_hours_nothing_is_tried_and_nothing_is_lost() {
    let stage = Stage::start(WechatKind::Oa).await;
    stage.later(48 * 3_600);
    stage.says("材料齐了，可以来取").await;
    assert_eq!(stage.run().await, Summary { held: 1, ..Summary::default() });
    assert_eq!(stage.texts().len(), 1);
    let seen = stage.seen().await;
    assert_eq!(seen["wechat"]["words"], "48 小时窗口已关闭，现在发的消息要等对方再来消息才会送达");
    assert!(seen["wechat"]["advice"].as_str().expect("advice").contains("电话"));
    let last = seen["messages"].as_array().and_then(|all| all.last()).cloned().expect("a message");
    assert_eq!(last["delivery"]["state"], "held");
    assert!(last["delivery"]["words"].as_str().expect("words").contains("48 小时"), "{last}");
    stage.writes("好").await;
    assert_eq!(stage.run().await, Summary { sent: 1, ..Summary::default() });
    assert_eq!(stage.texts()[1..], ["材料齐了，可以来取"]);
}

#[tokio::test]
async fn the_platform_that_counts_otherwise_is_believed() {
    let stage = Stage::start(WechatKind::Oa).await;
    stage.platform.script(SEND, [Act::Code(45047, "out of response count limit rid: 1")]);
    stage.says("在吗").await;
    assert_eq!(stage.run().await, Summary { held: 1, ..Summary::default() });
    stage.says("再说一句").await;
    stage.run().await;
    assert_eq!(stage.platform.calls(SEND).len(), 2, "not asked again");
    stage.writes("在").await;
    stage.run().await;
    assert_eq!(stage.texts()[1..], ["在吗", "再说一句"]);
}

#[tokio::test]
async fn a_late_answer_is_not_followed_by_a_blind_repeat() {
    let stage = Stage::start(WechatKind::Oa).await;
    stage.platform.script(SEND, [Act::Late(std::time::Duration::from_secs(2))]);
    stage.says("只说一遍").await;
    assert_eq!(stage.run().await, Summary { dead: 1, ..Summary::default() });
    stage.later(24 * 3_600);
    assert_eq!(stage.run().await, Summary::default());
    assert_eq!(stage.texts()[1..], ["只说一遍"]);
    let seen = stage.seen().await;
    let last = seen["messages"].as_array().and_then(|all| all.last()).cloned().expect("a message");
    assert_eq!(last["delivery"]["state"], "failed");
    assert!(last["delivery"]["words"].as_str().expect("words").contains("可能已经送达"), "{last}");
}

#[tokio::test]
async fn a_dead_letter_is_listed_with_its_reason_and_sent_again_by_a_click() {
    let stage = Stage::start(WechatKind::Oa).await;
    let admin = stage.app.officer("root", &[(Role::Admin, "")]).await;
    stage.platform.script(SEND, [Act::Code(48001, "api unauthorized rid: 1")]);
    stage.says("请带营业执照").await;
    assert_eq!(stage.run().await, Summary { dead: 1, ..Summary::default() });
    let list = stage.app.get("/api/admin/undelivered", &admin).await.expect(200).json();
    let item = &list["items"][0];
    assert_eq!(item["channel"], "wechat");
    assert!(item["reason"].as_str().expect("a reason").contains("48001"), "{item}");
    assert_eq!(item["conversation_id"], stage.conversation.to_string());
    assert!(!list.to_string().contains("营业执照"), "what was said is not for the list");
    let notices = stage.app.get("/api/notices", &admin).await.expect(200).text();
    assert!(notices.contains("没有送达"), "{notices}");
    stage.app.get("/api/admin/undelivered", &stage.officer).await.expect(403);
    let path = format!("/api/admin/undelivered/{}/retry", item["id"].as_str().expect("an id"));
    stage.app.post(&path, &admin, json!({})).await.expect(204);
    stage.app.post(&path, &admin, json!({})).await.expect(404);
    assert_eq!(stage.run().await, Summary { sent: 1, ..Summary::default() });
    assert_eq!(stage.texts()[1..], ["请带营业执照"]);
    assert_eq!(stage.app.get("/api/admin/undelivered", &admin).await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn where_the_platform_drops_doubles_a_late_answer_is_repeated_under_the_same_name() {
    let stage = Stage::start(WechatKind::Kf).await;
    stage.platform.script(KF, [Act::Late(std::time::Duration::from_secs(2)), Act::Reset]);
    stage.says("只说一遍").await;
    assert_eq!(stage.run().await, Summary { postponed: 1, ..Summary::default() });
    for _ in 0..2 {
        stage.later(10);
        stage.run().await;
    }
    assert_eq!(stage.texts()[1..], ["只说一遍"]);
    let names: Vec<Value> = stage.platform.calls(KF).iter().skip(1).map(|call| call.json["msgid"].clone()).collect();
    assert!(names.len() == 3 && names.iter().all(|name| *name == names[0]), "{names:?}");
}

#[tokio::test]
async fn a_platform_in_trouble_is_asked_again_later_and_order_is_kept() {
    let stage = Stage::start(WechatKind::Oa).await;
    stage.platform.script(SEND, [Act::Code(-1, "system error"), Act::Status(502), Act::Code(45011, "too often")]);
    stage.says("甲").await;
    stage.says("乙").await;
    assert_eq!(stage.run().await, Summary { postponed: 1, ..Summary::default() });
    assert_eq!(stage.run().await, Summary::default(), "the second waits for the first");
    stage.later(3);
    assert_eq!(stage.run().await.postponed, 1);
    stage.later(5);
    assert_eq!(stage.run().await.postponed, 1);
    stage.later(30);
    assert_eq!(stage.run().await, Summary::default(), "not before the next minute");
    stage.later(300);
    assert_eq!(stage.run().await, Summary { sent: 2, ..Summary::default() });
    assert_eq!(stage.texts()[1..], ["甲", "乙"]);
}

#[tokio::test]
async fn a_token_that_ends_on_the_way_costs_nobody_a_message() {
    let stage = Stage::start(WechatKind::Oa).await;
    stage.platform.script(SEND, [Act::TokenEnds]);
    stage.says("甲").await;
    assert_eq!(stage.run().await, Summary { sent: 1, ..Summary::default() });
    assert_eq!(stage.texts()[1..], ["甲"]);
}

#[tokio::test]
async fn a_long_message_goes_in_pieces_and_continues_after_the_allowance() {
    let stage = Stage::start(WechatKind::Oa).await;
    let text = "这是一段需要说明的办理要求。".repeat(280);
    stage.says(&text).await;
    assert_eq!(stage.run().await, Summary { held: 1, ..Summary::default() });
    let first = stage.texts();
    assert_eq!(first.len(), 5);
    assert!(first.iter().all(|piece| piece.len() <= 2_048));
    assert!(first[4].ends_with("（未完，回复任意内容接着看）"), "{}", first[4]);
    stage.writes("继续").await;
    assert_eq!(stage.run().await, Summary { sent: 1, ..Summary::default() });
    let whole: String = stage.texts()[1..].concat().replace("\n（未完，回复任意内容接着看）", "");
    assert_eq!(whole, text, "nothing twice, nothing missing");
}

/// The address at the end of a text.
fn link_in(text: &str) -> &str {
    let (_, rest) = text.rsplit_once("（未完，全文：https://zt.example.gov.cn").expect("an address");
    rest.strip_suffix(" ）").expect("its end")
}

#[tokio::test]
async fn what_does_not_fit_the_allowance_ends_with_the_address_of_the_whole() {
    let public = |config: &mut Config| config.server.public_url = Some("https://zt.example.gov.cn/".into());
    let stage = Stage::with(WechatKind::Oa, public).await;
    let text = format!("{}最后一句。", "这是一段需要说明的办理要求。".repeat(280));
    stage.says(&text).await;
    assert_eq!(stage.run().await, Summary { sent: 1, ..Summary::default() }, "nothing waits for the user");
    let got = stage.texts();
    assert_eq!(got.len(), 5);
    assert!(got.iter().all(|piece| piece.len() <= 2_040), "{:?}", got.iter().map(String::len).collect::<Vec<_>>());
    let path = link_in(&got[4]).to_owned();
    assert!(path.len() > 40, "{path}");
    let answer = stage.app.call("GET", &path, None, None).await.expect(200);
    assert_eq!(answer.headers["x-robots-tag"], "noindex, nofollow");
    assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    let page = answer.text();
    assert!(page.contains(&text) && page.contains("seat"), "{page}");
    assert!(!page.contains("想问个事"), "only this message");
    stage.app.call("GET", &path.replace("/m/", "/m/x"), None, None).await.expect(404);
    stage.later(31 * 24 * 3_600);
    stage.app.call("GET", &path, None, None).await.expect(404);
}

#[tokio::test]
async fn what_follows_a_passive_reply_leaves_one_message_for_an_officer() {
    let public = |config: &mut Config| config.server.public_url = Some("https://zt.example.gov.cn".into());
    let stage = Stage::with(WechatKind::Oa, public).await;
    stage.writes("请说详细些").await;
    let now = stage.app.app.now();
    let rest = Rest { id: "rest".into(), text: "答复很长，一条发不完。".repeat(400), next_at: now };
    let carried = Held { id: "carried".into(), conversation: stage.conversation.to_string(), seq: 2, next_at: now };
    let mut tx = stage.app.app.db.write().await.expect("a transaction");
    wechat::carry(&mut tx, &[Carried { messages: vec![carried], rest: Some(rest) }], now).await.expect("carried");
    tx.commit().await.expect("committed");
    let before = stage.texts().len();
    stage.run().await;
    let got = stage.texts();
    assert_eq!(got.len() - before, 4, "four of five");
    stage.app.call("GET", link_in(&got[got.len() - 1]), None, None).await.expect(200);
    stage.says("还有一句").await;
    assert_eq!(stage.run().await, Summary { sent: 1, ..Summary::default() });
}

#[tokio::test]
async fn equal_words_are_delivered_twice_and_a_repeat_of_ours_once() {
    let stage = Stage::start(WechatKind::Work).await;
    let path = "/cgi-bin/message/send";
    for _ in 0..3 {
        stage.says("好的").await;
        assert_eq!(stage.run().await, Summary { sent: 1, ..Summary::default() });
        stage.later(5);
    }
    assert_eq!(stage.texts().iter().filter(|text| *text == "好的").count(), 3);
    // The answer to the first attempt is lost: the platform is asked to drop the double.
    stage.platform.script(path, [Act::Late(std::time::Duration::from_secs(2))]);
    stage.says("收到").await;
    assert_eq!(stage.run().await, Summary { postponed: 1, ..Summary::default() });
    stage.later(10);
    assert_eq!(stage.run().await, Summary { sent: 1, ..Summary::default() });
    assert_eq!(stage.texts().iter().filter(|text| *text == "收到").count(), 1);
    let checks: Vec<i64> =
        stage.platform.calls(path).iter().filter_map(|c| c.json["enable_duplicate_check"].as_i64()).collect();
    assert_eq!(checks[checks.len() - 5..], [1, 0, 0, 1, 1], "off only where our own words come again");
    // Long after it the check is on again.
    stage.later(200);
    stage.says("好的").await;
    stage.run().await;
    assert_eq!(stage.platform.calls(path).last().expect("a call").json["enable_duplicate_check"], 1);
}

const TYPING: &str = "/cgi-bin/message/custom/typing";

/// Waits until the platform has seen so many signs of typing.
async fn typed(stage: &Stage, times: usize) {
    let seen = async {
        while stage.platform.calls(TYPING).len() < times {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), seen).await.expect("typing is shown");
}

#[tokio::test]
async fn the_user_sees_that_an_officer_types() {
    let stage = Stage::start(WechatKind::Oa).await;
    stage.platform.script(TYPING, [Act::Code(45_080, "need send message within 30s")]);
    for seconds in [0, 3, 3, 3, 3] {
        stage.later(seconds);
        stage.act(&stage.officer, "presence", json!({"typing": true})).await.expect(200);
        typed(&stage, 1).await;
    }
    typed(&stage, 2).await;
    let calls = stage.platform.calls(TYPING);
    assert_eq!(calls.len(), 2, "at most once in ten seconds");
    assert_eq!((&calls[0].json["touser"], &calls[0].json["command"]), (&json!("u1"), &json!("Typing")));
    stage.act(&stage.officer, "presence", json!({"typing": false})).await.expect(200);
    let other = stage.app.officer("other", &[(Role::FrontDesk, "")]).await;
    stage.later(60);
    stage.act(&other, "presence", json!({"typing": true})).await.expect(200);
    stage.says("好的").await;
    stage.run().await;
    assert_eq!(stage.platform.calls(TYPING).len(), 2, "only the officer who has the conversation");
}

pub(super) const NOTICE: &str = "/cgi-bin/message/template/send";

pub(super) async fn with_templates() -> Stage {
    Stage::with(WechatKind::Oa, |config| {
        config.server.public_url = Some("https://zt.example.gov.cn".into());
        let fields = [("character_string1", "{number}"), ("thing2", "{text}")];
        let notice = WechatNotice {
            template_id: "TPL".into(),
            kind: String::new(),
            fields: fields.map(|(field, words)| (field.to_owned(), words.to_owned())).into(),
        };
        let oa = config.wechat.oa.get_mut("main").expect("the account");
        oa.token = "pamtest".to_owned().into();
        oa.notices.insert("accepted".into(), notice);
    })
    .await
}

/// Files a case out of the conversation; returns its number.
pub(super) async fn file_case(stage: &Stage) -> String {
    // The same once more would be a repeat.
    let place = format!("县城{}号", stage.app.app.now().as_second());
    let fields = json!({
        "enterprise": "测试电子有限公司", "contact_name": "李经理", "contact_phone": "13800138000",
        "place": place, "demand": "请尽快修好园区路灯",
    });
    let body = json!({"text": "园区路灯坏了三个月没人修，要求尽快修好", "fields": fields, "confirm": true});
    let filed = stage.act(&stage.officer, "case", body).await;
    let filed = filed.json();
    filed["cases"][0]["number"].as_str().unwrap_or_else(|| panic!("{filed}")).to_owned()
}

pub(super) async fn accept(stage: &Stage, number: &str) {
    let path = format!("/api/cases/{number}/actions/accept");
    stage.app.post(&path, &stage.officer, json!({})).await.expect(200);
}

#[tokio::test]
async fn a_milestone_goes_as_words_in_the_window_and_as_a_template_after_it() {
    let stage = with_templates().await;
    let number = file_case(&stage).await;
    stage.writes("好的").await;
    stage.run().await;
    accept(&stage, &number).await;
    stage.run().await;
    assert!(stage.texts().iter().any(|text| text.contains("已受理")), "{:?}", stage.texts());
    assert!(stage.platform.calls(NOTICE).is_empty());

    let second = file_case(&stage).await;
    stage.writes("好的").await;
    stage.run().await;
    stage.later(49 * 3_600);
    accept(&stage, &second).await;
    stage.run().await;
    let calls = stage.platform.calls(NOTICE);
    assert_eq!(calls.len(), 1, "{:?}", stage.seen().await["messages"]);
    let sent = &calls[0].json;
    assert_eq!((&sent["template_id"], &sent["touser"]), (&json!("TPL"), &json!("u1")));
    assert_eq!(sent["url"], "https://zt.example.gov.cn/track");
    assert_eq!(sent["data"]["character_string1"]["value"], second);
    let words = sent["data"]["thing2"]["value"].as_str().expect("words");
    assert!(words.starts_with("已受理") && words.chars().count() <= 20, "{words}");
    stage.run().await;
    assert_eq!(stage.platform.calls(NOTICE).len(), 1);
}

#[tokio::test]
async fn the_words_of_a_refused_template_wait_for_the_user() {
    let stage = with_templates().await;
    let number = file_case(&stage).await;
    stage.writes("好的").await;
    stage.run().await;
    stage.later(49 * 3_600);
    stage.platform.script(NOTICE, [Act::Code(43004, "require subscribe rid: 1")]);
    accept(&stage, &number).await;
    assert_eq!(stage.run().await.held, 1);
    stage.writes("办得怎么样了").await;
    stage.run().await;
    assert!(stage.texts().iter().any(|text| text.contains("已受理")), "{:?}", stage.texts());
}

#[tokio::test]
async fn a_picture_of_an_officer_is_uploaded_and_sent_and_a_document_is_announced() {
    let stage = Stage::start(WechatKind::Oa).await;
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";
    let path = format!("/api/conversations/{}/attachments", stage.conversation);
    let first = stage.app.upload_to(&path, &stage.officer, Some("f1"), "现场.png", png).await.expect(200).json();
    assert_eq!((&first["message"]["kind"], &first["message"]["from"]), (&json!("image"), &json!("officer")));
    let again = stage.app.upload_to(&path, &stage.officer, Some("f1"), "现场.png", png).await.expect(200).json();
    assert_eq!(first["message"]["seq"], again["message"]["seq"], "a repeat stores nothing");
    stage.platform.script("/cgi-bin/media/upload", [Act::Code(-1, "system error")]);
    assert_eq!(stage.run().await.postponed, 1);
    stage.later(5);
    assert_eq!(stage.run().await.sent, 1);
    let sent = stage.platform.delivered().pop().expect("a message").1;
    assert_eq!((&sent["msgtype"], &sent["image"]["media_id"]), (&json!("image"), &json!("MEDIA")));
    let pdf = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n";
    stage.app.upload_to(&path, &stage.officer, Some("f2"), "清单.pdf", pdf).await.expect(200);
    stage.run().await;
    assert!(stage.texts().last().expect("words").contains("《清单.pdf》"), "{:?}", stage.texts());
    stage.app.upload_to(&path, &stage.officer, Some("f4"), "说明.amr", b"#!AMR\n\x3c\x91").await.expect(200);
    stage.run().await;
    let sent = stage.platform.delivered().pop().expect("a message").1;
    assert_eq!((&sent["msgtype"], &sent["voice"]["media_id"]), (&json!("voice"), &json!("MEDIA")));
    assert_eq!(stage.platform.calls("/cgi-bin/media/upload").last().expect("a call").query["type"], "voice");
    let other = stage.app.officer("other", &[(Role::FrontDesk, "")]).await;
    stage.app.upload_to(&path, &other, Some("f3"), "现场.png", png).await.expect(409);
    stage.app.upload_to(&path, &stage.officer, None, "现场.png", png).await.expect(422);
}
