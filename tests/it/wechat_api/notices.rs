//! Milestones of a case as notices: they do not wait for words that may not be sent, and what became of them is heard.

use serde_json::json;

use super::{
    delivery::{NOTICE, SEND, accept, file_case, with_templates},
    platform::Act,
};
use crate::wechat::{plain, xml};

#[tokio::test]
async fn a_notice_does_not_wait_for_words_that_are_held() {
    let stage = with_templates().await;
    let number = file_case(&stage).await;
    stage.writes("好的").await;
    stage.run().await;
    stage.later(49 * 3_600);
    stage.says("材料还缺一份").await;
    assert_eq!(stage.run().await.held, 1);
    accept(&stage, &number).await;
    stage.run().await;
    assert_eq!(stage.platform.calls(NOTICE).len(), 1);
    assert!(!stage.texts().iter().any(|text| text.contains("材料还缺一份")));
    stage.writes("看到了").await;
    stage.run().await;
    assert!(stage.texts().iter().any(|text| text.contains("材料还缺一份")), "{:?}", stage.texts());
    assert_eq!(stage.platform.calls(NOTICE).len(), 1);
}

#[tokio::test]
async fn news_without_a_notice_stays_behind_what_is_held() {
    let stage = with_templates().await;
    let number = file_case(&stage).await;
    stage.writes("好的").await;
    stage.run().await;
    stage.platform.script(SEND, [Act::Code(45_047, "out of response count limit rid: 1")]);
    stage.says("第一句").await;
    stage.run().await;
    stage.later(60);
    let body = json!({"lead": "zjj"});
    accept(&stage, &number).await;
    let dispatcher = stage.app.officer("dispatcher", &[(zhitong::domain::access::Role::Dispatcher, "")]).await;
    stage.app.post(&format!("/api/cases/{number}/actions/dispatch"), &dispatcher, body).await.expect(200);
    stage.run().await;
    stage.writes("在").await;
    stage.run().await;
    let said = stage.texts();
    let at = |words: &str| said.iter().position(|text| text.contains(words));
    assert!(at("第一句").is_some() && at("第一句") < at("已派"), "{said:?}");
}

#[tokio::test]
async fn words_that_the_platform_refuses_go_as_a_notice() {
    let stage = with_templates().await;
    let number = file_case(&stage).await;
    stage.writes("好的").await;
    stage.run().await;
    stage.platform.script(SEND, [Act::Code(45_015, "response out of time limit rid: 1")]);
    accept(&stage, &number).await;
    stage.run().await;
    assert_eq!(stage.platform.calls(NOTICE).len(), 1, "{:?}", stage.texts());
}

#[tokio::test]
async fn a_notice_that_did_not_arrive_leaves_its_words_waiting() {
    let stage = with_templates().await;
    let number = file_case(&stage).await;
    stage.writes("好的").await;
    stage.run().await;
    stage.later(49 * 3_600);
    stage.platform.lists(NOTICE, json!({"errcode": 0, "errmsg": "ok", "msgid": 200_163_836}));
    accept(&stage, &number).await;
    stage.run().await;
    assert_eq!(stage.platform.calls(NOTICE).len(), 1);
    let ended = |status: &str| {
        xml(
            "u1",
            &format!(
                "<MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>200163836</MsgID><Status><![CDATA[{status}]]></Status>"
            ),
        )
    };
    assert_eq!(plain(&stage.app, "main", ended("success")).await.expect(200).text(), "success");
    stage.writes("在").await;
    stage.run().await;
    assert!(!stage.texts().iter().any(|text| text.contains("已受理")), "{:?}", stage.texts());
    assert_eq!(plain(&stage.app, "main", ended("failed:user block")).await.expect(200).text(), "success");
    let seen = stage.seen().await.to_string();
    assert!(seen.contains("通知没有送达：对方拒收"), "{seen}");
    stage.writes("办得怎么样了").await;
    stage.run().await;
    assert!(stage.texts().iter().any(|text| text.contains("已受理")), "{:?}", stage.texts());
}
