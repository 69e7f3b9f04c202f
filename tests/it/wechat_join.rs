//! One person on the web and in WeChat: scanned codes, what follows a join, what a person who leaves takes along.

use axum::{body::Body, http::Request};
use serde_json::json;
use zhitong::{
    channels::wechat::crypto,
    jobs::wechat_out,
    store::{wechat, wechat_scenes},
};

use crate::wechat_kf::Stage;

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
async fn what_waited_before_a_join_reaches_the_person_after_it() {
    let stage = Stage::start().await;
    let officer = stage.app.officer("seat", &[(zhitong::domain::access::Role::FrontDesk, "")]).await;
    stage.oa("<MsgType>text</MsgType><Content>转人工</Content><MsgId>1</MsgId>").await;
    let list = stage.app.get("/api/conversations?state=queued", &officer).await.expect(200).json();
    let former = list["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{list}")).to_owned();
    let path = format!("/api/conversations/{former}");
    stage.app.post(&format!("{path}/claim"), &officer, json!({})).await.expect(200);
    stage.app.clock.advance(jiff::SignedDuration::from_hours(49));
    let body = json!({"client_id": "s1", "text": "材料齐了"});
    stage.app.post(&format!("{path}/messages"), &officer, body).await.expect(200);
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("held");
    assert!(!stage.platform.texts("o1").iter().any(|text| text.contains("材料齐了")));
    let web = stage.app.visitor().await;
    join(&stage, &web).await;
    stage.app.clock.advance(jiff::SignedDuration::from_secs(60));
    stage.oa("<MsgType>text</MsgType><Content>还在吗</Content><MsgId>2</MsgId>").await;
    wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("sent");
    assert!(
        stage.platform.texts("o1").iter().any(|text| text.contains("材料齐了")),
        "{:?}",
        stage.platform.texts("o1")
    );
    // The officer has the conversation where it goes on, and not the one that ended.
    let ended = stage.app.get(&path, &officer).await.expect(200).json();
    assert_eq!(ended["state"], "closed", "{ended}");
    let started = stage.app.post("/api/chat/sessions", &web, json!({})).await.expect(201).json();
    let goes_on = format!("/api/conversations/{}", started["conversation_id"].as_str().expect("an id"));
    assert_eq!(stage.app.get(&goes_on, &officer).await.expect(200).json()["state"], "human");
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
    assert!(answer.expect(200).text().contains("已经过期或者用过"));
    // Whoever leaves WeChat keeps the web; nothing of it goes. What was said in WeChat alone goes.
    let alone = |stage: &Stage| {
        let db = stage.app.app.db.clone();
        async move {
            let mut tx = db.read().await.expect("a reader");
            let id = wechat_scenes::formers(&mut tx, "wechat_oa").await.expect("a list");
            id.len()
        }
    };
    assert_eq!(alone(&stage).await, 1);
    stage.oa("<MsgType>event</MsgType><Event>unsubscribe</Event>").await;
    assert_eq!(alone(&stage).await, 0);
    let after = stage.app.get("/api/chat/messages", &web).await.expect(200).json();
    assert_eq!(after["items"], history["items"]);
}

#[tokio::test]
async fn a_new_follower_is_known_at_all_accounts_of_the_subject() {
    let stage = Stage::start().await;
    stage.platform.lists("/cgi-bin/user/info", json!({"subscribe": 1, "openid": "o1", "unionid": "u-1"}));
    stage.oa("<MsgType>event</MsgType><Event>subscribe</Event><EventKey></EventKey>").await;
    let mut known = None;
    for _ in 0..200 {
        let mut tx = stage.app.app.db.read().await.expect("a reader");
        known = wechat::find(&mut tx, "oa", "main", "o1").await.expect("a look-up").and_then(|user| user.unionid);
        if known.is_some() {
            break;
        }
        drop(tx);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(known.as_deref(), Some("u-1"));
}

#[tokio::test]
async fn whoever_has_cases_is_asked_before_a_scanned_code_joins() {
    let stage = Stage::start().await;
    let say = async |id: u32, words: &str| {
        stage.oa(&format!("<MsgType>text</MsgType><Content>{words}</Content><MsgId>{id}</MsgId>")).await.text()
    };
    say(1, "我要投诉乱收费，开发区管委会多收了我们三千元").await;
    say(2, "联系电话：13800138000").await;
    assert!(say(3, "提交").await.contains("查询码"));
    let web = stage.app.visitor().await;
    stage.app.say(&web, "w1", "您好").await.expect(200);
    stage.platform.lists("/cgi-bin/qrcode/create", json!({"url": "http://weixin.qq.com/q/x", "ticket": "t"}));
    stage.app.post("/api/chat/wechat", &web, json!({})).await.expect(201);
    let calls = stage.platform.calls("/cgi-bin/qrcode/create");
    let scene = calls[0].json["action_info"]["scene"]["scene_str"].as_str().expect("a scene");
    let scan = format!("<MsgType>event</MsgType><Event>SCAN</Event><EventKey>{scene}</EventKey><Ticket>t</Ticket>");
    assert!(stage.oa(&scan).await.text().contains("确认接入"));
    let seen = stage.app.say(&web, "w2", "查进度").await.expect(200).text();
    assert!(!seen.contains("ZT20"), "nothing is handed over by the scan alone: {seen}");
    assert!(say(4, "确认接入").await.contains("已接上"));
    let seen = stage.app.say(&web, "w3", "查进度").await.expect(200).text();
    assert!(seen.contains("ZT20"), "{seen}");
}
