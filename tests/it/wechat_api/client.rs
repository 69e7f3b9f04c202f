//! The client alone: tokens, error codes, breaks and delays, files, pages of 微信客服.

use std::time::Duration;

use serde_json::json;
use zhitong::{
    channels::wechat::api::{Access, Patience, WechatClient},
    ports::wechat::{
        Held, MediaKind, Piece, TemplateMessage, Verdict, WechatAccount, WechatAddress, WechatApi as _, WechatKind,
    },
};

use super::platform::{Act, Platform};

const SEND: &str = "/cgi-bin/message/custom/send";
const TOKEN: &str = "/cgi-bin/stable_token";

fn account(kind: WechatKind) -> WechatAccount {
    WechatAccount { kind, name: "main".into() }
}

fn client(platform: &Platform) -> WechatClient {
    let accounts = [WechatKind::Oa, WechatKind::Work, WechatKind::Kf].map(|kind| Access {
        account: account(kind),
        id: "wx1".into(),
        secret: "hush".to_owned().into(),
        agent_id: "1000002".into(),
        open_kfid: "wk1".into(),
        base: Some(platform.base.clone()),
    });
    let patience = Patience {
        connect: Duration::from_millis(300),
        call: Duration::from_millis(400),
        file: Duration::from_millis(600),
    };
    WechatClient::new(accounts, patience).expect("a client")
}

fn user(kind: WechatKind) -> WechatAddress {
    WechatAddress { account: account(kind), user: "u1".into() }
}

fn words(text: &str) -> Piece {
    Piece::Text(text.into())
}

#[tokio::test]
async fn many_senders_ask_for_one_token_and_renew_it_once_when_it_ends_on_the_way() {
    let platform = Platform::start().await;
    let client = client(&platform);
    let to = user(WechatKind::Oa);
    let piece = words("您好");
    let sent = futures_util::future::join_all((0..20).map(|_| client.send(&to, &piece, "m"))).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    assert_eq!(platform.calls(TOKEN).len(), 1);
    let asked = &platform.calls(TOKEN)[0].json;
    assert_eq!(asked["grant_type"], "client_credential");
    assert_eq!(asked["force_refresh"], false);

    platform.end_tokens();
    let sent = futures_util::future::join_all((0..20).map(|_| client.send(&to, &piece, "m"))).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    assert_eq!(platform.calls(TOKEN).len(), 2, "renewed once");

    platform.script(SEND, [Act::TokenEnds]);
    client.send(&to, &piece, "m").await.expect("renewed in mid-flight");
    assert_eq!(platform.texts("u1").len(), 41, "each message exactly once");
}

#[tokio::test]
async fn a_token_that_is_refused_again_is_not_renewed_for_ever() {
    let platform = Platform::start().await;
    let client = client(&platform);
    platform.script(SEND, [40001, 40001].map(|code| Act::Code(code, "invalid credential")));
    let failed = client.send(&user(WechatKind::Oa), &words("一"), "m").await.expect_err("refused twice");
    assert_eq!((failed.verdict, failed.code), (Verdict::Retry, Some(40001)));
    assert_eq!(platform.calls(SEND).len(), 2);
}

#[tokio::test]
async fn a_token_near_its_end_is_renewed_before_it_ends() {
    let platform = Platform::start().await;
    platform.tokens_live(200);
    let client = client(&platform);
    for n in 0..2 {
        client.send(&user(WechatKind::Oa), &words("一"), "m").await.expect("sent");
        assert_eq!(platform.calls(TOKEN).len(), n + 1);
    }
    platform.script(TOKEN, [Act::Code(-1, "system error")]);
    client.send(&user(WechatKind::Oa), &words("一"), "m").await.expect("the old one is good still");
}

#[tokio::test]
async fn each_code_comes_back_as_its_decision_and_is_called_once() {
    let platform = Platform::start().await;
    let client = client(&platform);
    let cases = [
        (-1, Verdict::Retry, false),
        (45009, Verdict::Operator, true),
        (45011, Verdict::NextMinute, false),
        (45015, Verdict::Hold(Held::Window), false),
        (45047, Verdict::Hold(Held::Allowance), false),
        (40003, Verdict::GiveUp, false),
        (43004, Verdict::GiveUp, false),
        (48001, Verdict::GiveUp, true),
        (50002, Verdict::GiveUp, true),
        (45002, Verdict::GiveUp, true),
    ];
    for (n, (code, verdict, alarm)) in cases.into_iter().enumerate() {
        platform.script(SEND, [Act::Code(code, "x rid: 1")]);
        let failed = client.send(&user(WechatKind::Oa), &words("一"), "m").await.expect_err("refused");
        assert_eq!((failed.verdict, failed.alarm, failed.code), (verdict, alarm, Some(code)));
        assert!(failed.reason.contains(&code.to_string()), "{}", failed.reason);
        assert_eq!(platform.calls(SEND).len(), n + 1, "{code} is not repeated by the client");
    }
}

#[tokio::test]
async fn after_a_delay_or_a_break_nobody_knows_and_nothing_is_repeated() {
    let platform = Platform::start().await;
    let client = client(&platform);
    let to = user(WechatKind::Oa);
    for (n, act) in [Act::Late(Duration::from_secs(2)), Act::Reset, Act::Status(504)].into_iter().enumerate() {
        platform.script(SEND, [act]);
        let failed = client.send(&to, &words("一"), "m").await.expect_err("no answer");
        assert_eq!(failed.verdict, Verdict::Unknown, "{}", failed.reason);
        assert_eq!(platform.calls(SEND).len(), n + 1);
    }
    for status in [500, 502, 503] {
        platform.script(SEND, [Act::Status(status)]);
        assert_eq!(client.send(&to, &words("一"), "m").await.expect_err("down").verdict, Verdict::Retry);
    }
    // The token is no message: whatever became of asking for it, asking again does no harm.
    platform.end_tokens();
    for act in [Act::Reset, Act::Late(Duration::from_secs(2)), Act::Raw("text/html", b"<html>".to_vec())] {
        platform.script(TOKEN, [act]);
        let failed = client.send(&to, &words("一"), "m").await.expect_err("no token");
        assert_eq!(failed.verdict, Verdict::Retry, "{}", failed.reason);
    }
}

#[tokio::test]
async fn a_platform_that_is_not_there_has_got_nothing() {
    let platform = Platform::start().await;
    let client = client(&platform);
    client.send(&user(WechatKind::Oa), &words("一"), "m").await.expect("sent");
    drop(platform);
    // The server is gone with all its connections: refused, or broken while it went.
    let failed = client.send(&user(WechatKind::Oa), &words("二"), "m").await.expect_err("gone");
    assert!(matches!(failed.verdict, Verdict::Retry | Verdict::Unknown), "{failed:?}");
    assert!(!failed.reason.contains("token"), "no address with a token: {}", failed.reason);
}

#[tokio::test]
async fn the_whitelist_refusal_names_the_address_and_what_to_click() {
    let platform = Platform::start().await;
    let client = client(&platform);
    let errmsg = "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 1";
    platform.script(TOKEN, [Act::Code(40164, errmsg), Act::Code(40125, "invalid appsecret"), Act::Well]);
    let doubt = client.probe_token(&account(WechatKind::Oa)).await.expect("a doubt");
    assert!(doubt.finding.contains("203.0.113.7") && doubt.advice.contains("白名单"), "{doubt:?}");
    let doubt = client.probe_token(&account(WechatKind::Oa)).await.expect("a doubt");
    assert!(doubt.advice.contains("AppSecret"), "{doubt:?}");
    assert_eq!(client.probe_token(&account(WechatKind::Oa)).await, None);
}

#[tokio::test]
async fn a_double_is_dropped_where_the_platform_can() {
    let platform = Platform::start().await;
    let client = client(&platform);
    let path = "/cgi-bin/kf/send_msg";
    platform.script(path, [Act::Late(Duration::from_secs(2))]);
    let failed = client.send(&user(WechatKind::Kf), &words("一"), "m1").await.expect_err("late");
    assert_eq!(failed.verdict, Verdict::Unknown);
    assert!(client.drops_doubles(&account(WechatKind::Kf), &words("一")));
    client.send(&user(WechatKind::Kf), &words("一"), "m1").await.expect("again");
    client.send(&user(WechatKind::Kf), &words("一"), "m2").await.expect("another");
    assert_eq!(platform.texts("u1").len(), 2);
    assert!(!client.drops_doubles(&account(WechatKind::Oa), &words("一")));
    let template = Piece::Template(TemplateMessage { template_id: "T".into(), url: None, fields: vec![] });
    assert!(client.drops_doubles(&account(WechatKind::Oa), &template));
}

#[tokio::test]
async fn members_that_were_not_reached_are_a_failure_although_the_code_is_zero() {
    let platform = Platform::start().await;
    let client = client(&platform);
    let partly = json!({"errcode": 0, "errmsg": "ok", "invaliduser": "zhang|u1"}).to_string();
    platform.script("/cgi-bin/message/send", [Act::Raw("application/json", partly.into_bytes())]);
    let failed = client.send(&user(WechatKind::Work), &words("一"), "m").await.expect_err("not reached");
    assert_eq!(failed.verdict, Verdict::GiveUp);
    let sent = &platform.calls("/cgi-bin/message/send")[0].json;
    assert_eq!((&sent["agentid"], &sent["enable_duplicate_check"]), (&json!(1_000_002), &json!(1)));
}

#[tokio::test]
async fn files_go_up_as_multipart_and_come_down_unless_an_error_comes_instead() {
    let platform = Platform::start().await;
    let client = client(&platform);
    let id = client.upload(&account(WechatKind::Oa), MediaKind::Image, "图.png", b"\x89PNG").await.expect("an id");
    assert_eq!(id, "MEDIA");
    let call = &platform.calls("/cgi-bin/media/upload")[0];
    assert_eq!(call.query["type"], "image");
    let body = String::from_utf8_lossy(&call.bytes);
    assert!(body.contains("name=\"media\"; filename=\"图.png\"") && body.contains("PNG"), "{body}");

    let path = "/cgi-bin/media/get";
    platform.script(
        path,
        [
            Act::Raw("image/jpeg", vec![0xff, 0xd8, 0xff]),
            Act::Code(40007, "invalid media_id"),
            Act::Raw("text/plain", br#"{"errcode":40007,"errmsg":"invalid media_id"}"#.to_vec()),
            Act::Raw("application/json", br#"{"video_url":"http://10.0.0.1/x"}"#.to_vec()),
        ],
    );
    let media = client.download(&account(WechatKind::Oa), "M").await.expect("a file");
    assert_eq!((media.mime.as_str(), media.bytes.len()), ("image/jpeg", 3));
    for expected in [Some(40007), Some(40007), None] {
        let failed = client.download(&account(WechatKind::Oa), "M").await.expect_err("no file");
        assert_eq!(failed.code, expected);
    }
}

#[tokio::test]
async fn typing_pages_and_states_are_asked_as_the_platform_wants() {
    let platform = Platform::start().await;
    let client = client(&platform);
    client.typing(&user(WechatKind::Oa), true).await.expect("shown");
    let call = &platform.calls("/cgi-bin/message/custom/typing")[0].json;
    assert_eq!(call, &json!({"touser": "u1", "command": "Typing"}));
    client.typing(&user(WechatKind::Kf), true).await.expect("nothing to show");

    platform.pages([json!({"errcode": 0, "next_cursor": "c2", "has_more": 1, "msg_list": []})]);
    let page = client.kf_sync(&account(WechatKind::Kf), "c1", "T").await.expect("a page");
    assert_eq!((page.next_cursor.as_str(), page.has_more, page.messages.len()), ("c2", true, 0));
    let call = &platform.calls("/cgi-bin/kf/sync_msg")[0].json;
    assert_eq!((&call["cursor"], &call["token"], &call["open_kfid"]), (&json!("c1"), &json!("T"), &json!("wk1")));

    assert_eq!(client.kf_state(&user(WechatKind::Kf)).await, Ok(1));
    client.kf_move(&user(WechatKind::Kf), 3, Some("zhang")).await.expect("moved");
    let call = &platform.calls("/cgi-bin/kf/service_state/trans")[0].json;
    assert_eq!((&call["service_state"], &call["servicer_userid"]), (&json!(3), &json!("zhang")));
    client.kf_on_event(&account(WechatKind::Kf), "CODE", "欢迎").await.expect("welcomed");
    assert_eq!(platform.calls("/cgi-bin/kf/send_msg_on_event")[0].json["code"], "CODE");
}

#[tokio::test]
async fn the_console_is_asked_for_templates_menus_and_accounts() {
    let platform = Platform::start().await;
    let client = client(&platform);
    let listed = json!({"template_list": [{"template_id": "T1"}, {"template_id": "T2"}]});
    platform.lists("/cgi-bin/template/get_all_private_template", listed);
    assert_eq!(client.template_ids(&account(WechatKind::Oa)).await.expect("ids"), ["T1", "T2"]);
    platform.lists("/cgi-bin/kf/account/list", json!({"errcode": 0, "account_list": [{"open_kfid": "wk1"}]}));
    assert_eq!(client.kf_known(&account(WechatKind::Kf)).await, Ok(true));
    let menu = json!({"button": [{"type": "click", "name": "查进度", "key": "progress"}]});
    client.push_menu(&account(WechatKind::Work), &menu).await.expect("pushed");
    let call = &platform.calls("/cgi-bin/menu/create")[0];
    assert_eq!((call.query["agentid"].as_str(), &call.json), ("1000002", &menu));
    assert_eq!(client.push_menu(&account(WechatKind::Kf), &menu).await.expect_err("none").verdict, Verdict::GiveUp);
}
