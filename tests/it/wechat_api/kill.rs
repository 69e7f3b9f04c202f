//! Kill -9 of the real program between the receipt of messages and their passive replies.

use std::{path::Path, time::Duration};

use tokio::time::{sleep, timeout};
use zhitong::{app::system::SystemClock, channels::wechat::crypto, ports::Clock as _, store::Db};

use super::platform::Platform;
use crate::support::program::{Program, client, free_port};

const TOKEN: &str = "pamtest";
const ROUNDS: usize = 10;
const USERS: usize = 6;

/// Sends a user's one message until the gateway has answered it, as the platform does; the words of the answer.
async fn write(client: reqwest::Client, base: String, user: String, once: bool) -> Option<String> {
    let body = format!(
        "<xml><ToUserName><![CDATA[gh_main]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>\
         <CreateTime>1763000000</CreateTime><MsgType>text</MsgType>\
         <Content><![CDATA[公司注册资本要几年缴足]]></Content><MsgId>77</MsgId></xml>"
    );
    loop {
        let at = SystemClock.now().as_second().to_string();
        let nonce = &crypto::signature(&[&body, &at])[..12];
        let signature = crypto::signature(&[TOKEN, &at, nonce]);
        let url = format!("{base}/wechat/oa/main?signature={signature}&timestamp={at}&nonce={nonce}");
        let answer = client.post(url).header("content-type", "text/xml").body(body.clone()).send().await;
        match answer {
            Ok(answer) if answer.status().is_success() => {
                // The program may die while it speaks.
                let text = answer.text().await.unwrap_or_default();
                if text.contains("</xml>") {
                    let words = text.split("<Content>").nth(1).and_then(|rest| rest.split("</Content>").next());
                    return words.map(str::to_owned);
                }
            }
            Ok(_) | Err(_) => {}
        }
        if once {
            return None;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn open(folder: &Path) -> Db {
    let url = format!("sqlite://{}/data/zhitong.db", folder.display());
    Db::open(&url).await.expect("the database opens")
}

/// What waits in the outbox and why.
async fn waiting(folder: &Path) -> Vec<(String, String, i64, Option<String>)> {
    let db = open(folder).await;
    let Db::Sqlite { readers, .. } = &db else { panic!("SQLite") };
    sqlx::query_as(
        "SELECT openid, state, attempts, last_error FROM outbox JOIN wechat_users \
        ON conversation_id = substr(key, 1, 36) WHERE state <> 'sent'",
    )
    .fetch_all(readers)
    .await
    .expect("rows")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_wrote_gets_one_whole_answer_however_often_the_program_is_killed() {
    let platform = Platform::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let start = async || {
        Program::start_with(folder.path(), port, |command| {
            let account = "ZHITONG__WECHAT__OA__MAIN__";
            for (key, value) in
                [("APP_ID", "wx1"), ("APP_SECRET", "hush"), ("TOKEN", TOKEN), ("API_BASE", platform.base.as_str())]
            {
                command.env(format!("{account}{key}"), value);
            }
        })
        .await
    };
    let mut server = start().await;
    let client = client();
    let base = format!("http://127.0.0.1:{port}");
    let mut answers = Vec::new();
    for round in 0..ROUNDS {
        let users: Vec<String> = (0..USERS).map(|n| format!("u{round}-{n}")).collect();
        let senders: Vec<_> =
            users.iter().map(|user| tokio::spawn(write(client.clone(), base.clone(), user.clone(), true))).collect();
        // At another moment in each round: before the receipt, between receipt and sending, in the middle of it.
        sleep(Duration::from_millis((round * 13 % 90) as u64)).await;
        server.child.kill().expect("killed");
        server.child.wait().expect("gone");
        let mut unanswered = Vec::new();
        for (sender, user) in senders.into_iter().zip(&users) {
            match sender.await.expect("no panic") {
                Some(words) => answers.push(words),
                None => unanswered.push(user.clone()),
            }
        }
        server = start().await;
        for user in unanswered {
            let answer = timeout(Duration::from_secs(30), write(client.clone(), base.clone(), user, false)).await;
            answers.push(answer.expect("an answer in time").expect("words"));
        }
    }
    drop(server);
    assert_eq!(answers.len(), ROUNDS * USERS);
    assert!(answers.iter().all(|words| *words == answers[0]), "everybody gets the whole answer: {answers:?}");
    assert_eq!(platform.delivered(), [], "what a passive reply carried is not sent again");
    assert_eq!(waiting(folder.path()).await, [], "and does not wait to be");
    let db = open(folder.path()).await;
    let Db::Sqlite { readers, .. } = &db else { panic!("SQLite") };
    let (messages, senders): (i64, i64) =
        sqlx::query_as("SELECT COUNT(*), COUNT(DISTINCT conversation_id) FROM messages WHERE sender = 'visitor'")
            .fetch_one(readers)
            .await
            .expect("a count");
    let wrote = i64::try_from(ROUNDS * USERS).expect("a small number");
    assert_eq!((messages, senders), (wrote, wrote), "each message is stored once");
}
