//! Files of WeChat users, against the stand-in of the platform: fetched once, kept, answered in time or later.

use std::time::Duration;

use serde_json::json;
use zhitong::{
    app::wechat as inbound, channels::wechat::envelope::Fields, config::Config, jobs::wechat_out, store::wechat,
};

use crate::{
    support::Answer,
    wechat_api::platform::Act,
    wechat_kf::{GET, Stage},
};

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
    for (id, kind, expected) in [(11, "image", "暂时取不到"), (12, "voice", "没有听清")] {
        let answer = stage.oa(&format!("<MsgType>{kind}</MsgType><MediaId>{kind}</MediaId><MsgId>{id}</MsgId>")).await;
        assert!(answer.text().contains(expected), "{}", answer.text());
    }
    let stored = stage.messages("oa", "o1").await;
    let said: Vec<&str> =
        stored.iter().filter(|(from, ..)| from == "visitor").map(|(.., text)| text.as_str()).collect();
    assert_eq!(said, ["（发来图片，没有取到）", "（发来语音，没有取到）"]);
}

const AMR: &[u8] = b"#!AMR\n\x3c\x91\x17\x16";
const MP4: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";

#[tokio::test]
async fn speech_and_videos_become_attachments() {
    let stage = Stage::start().await;
    stage.platform.script(GET, [Act::Raw("audio/amr", AMR.to_vec())]);
    stage.oa("<MsgType>voice</MsgType><MediaId>V</MediaId><Format>amr</Format><MsgId>1</MsgId>").await;
    // A video comes as an address; only hosts of the platform are called.
    let at = |url: &str| Act::Raw("text/plain", json!({"video_url": url}).to_string().into_bytes());
    stage.platform.script(GET, [at(&format!("{}/video/1", stage.platform.base)), at("http://10.0.0.1/video")]);
    stage.platform.script("/video/1", [Act::Raw("video/mp4", MP4.to_vec())]);
    stage.oa("<MsgType>video</MsgType><MediaId>W</MediaId><ThumbMediaId>T</ThumbMediaId><MsgId>2</MsgId>").await;
    let refused = stage.oa("<MsgType>shortvideo</MsgType><MediaId>X</MediaId><MsgId>3</MsgId>").await;
    assert!(refused.text().contains("暂时取不到"), "{}", refused.text());
    let stored = stage.messages("oa", "o1").await;
    let said: Vec<_> = stored.iter().filter(|(sender, ..)| sender == "visitor").collect();
    let kinds: Vec<&str> = said.iter().map(|(_, kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["file", "file", "text"], "{said:?}");
    assert!(said[0].2.contains(".amr") && said[1].2.contains(".mp4"), "{said:?}");
    assert_eq!(said[2].2, "（发来视频，没有取到）", "an officer learns of it all the same");
    // What was understood is answered, and the recording is kept beside it.
    stage.platform.script(GET, [Act::Raw("audio/amr", AMR.to_vec())]);
    let spoken =
        "<MsgType>voice</MsgType><MediaId>Y</MediaId><Recognition>简易注销要公示多久</Recognition><MsgId>4</MsgId>";
    assert!(stage.oa(spoken).await.text().contains("20"));
    let mut kept = Vec::new();
    for _ in 0..200 {
        kept = stage.messages("oa", "o1").await;
        if kept.last().is_some_and(|(_, kind, _)| kind == "file") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(kept.last().is_some_and(|(sender, kind, _)| sender == "visitor" && kind == "file"), "{kept:?}");
}

#[tokio::test]
async fn a_file_that_takes_long_is_answered_once_by_api_and_a_retry_gets_nothing_twice() {
    let patient = |config: &mut Config| {
        config.wechat.oa.entry("main".into()).or_default().passive_budget_ms = Some(150);
    };
    let stage = Stage::configured(patient).await;
    stage.platform.script(GET, [Act::Late(Duration::from_millis(600))]);
    let picture = "<MsgType>image</MsgType><MediaId>MID</MediaId><MsgId>9</MsgId>";
    assert_eq!(stage.oa(picture).await.text(), "success");
    for _ in 0..300 {
        wechat_out::run_once(&stage.app.app, &*stage.client).await.expect("a run");
        if !stage.platform.texts("o1").is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(stage.platform.texts("o1").len(), 1, "the answer came by itself");
    assert_eq!(stage.oa(picture).await.text(), "success", "the platform asks again: it was said");
    assert_eq!((stage.platform.texts("o1").len(), stage.platform.calls(GET).len()), (1, 1));
}

#[tokio::test]
async fn a_retry_joins_the_fetch_that_runs() {
    let stage = Stage::start().await;
    stage.platform.script(GET, [Act::Late(Duration::from_millis(400))]);
    let picture = "<MsgType>image</MsgType><MediaId>MID</MediaId><MsgId>9</MsgId>";
    let (one, two) = tokio::join!(stage.oa(picture), stage.oa(picture));
    let words = |answer: &Answer| {
        let (fields, _) = Fields::parse(&answer.body).expect("a reply");
        fields.text("Content").expect("words").to_owned()
    };
    assert_eq!(words(&one), words(&two));
    assert_eq!(stage.platform.calls(GET).len(), 1);
    assert_eq!(stage.messages("oa", "o1").await.iter().filter(|(sender, ..)| sender == "visitor").count(), 1);
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
