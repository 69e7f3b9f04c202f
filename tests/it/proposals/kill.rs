//! Kill -9 of the real program while a model is asked about a form: after the restart the proposal is there, once.

use serde_json::json;
use zhitong::store::{Db, model_proposals, model_tasks};

use super::{OPEN, honest, keys, until};
use crate::{
    model_flow::kill::Endpoint,
    support::program::{Program, call, client, free_port},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_while_it_asks_about_a_form_proposes_once_after_its_restart() {
    let (endpoint, model_port) = Endpoint::start(honest()).await;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("zhitong.toml"),
        format!("[model]\nbase_url = \"http://127.0.0.1:{model_port}/v1\"\nmodel = \"stand-in\"\n"),
    )
    .expect("written");
    let (client, port) = (client(), free_port());
    let mut program = Program::start(folder.path(), port).await;
    let url = format!("{}/api/chat/sessions", program.base);
    let started = call(&client, reqwest::Method::POST, &url, "", Some(json!({}))).await.expect("a session");
    let token = started["token"].as_str().expect("a token").to_owned();
    let id = started["conversation_id"].as_str().expect("an id").parse().expect("an id");
    let url = format!("{}/api/chat/messages", program.base);
    let body = json!({ "client_id": "1", "text": OPEN });
    let answer = call(&client, reqwest::Method::POST, &url, &token, Some(body)).await.expect("answered");
    assert_eq!(answer["replies"][0]["kind"], "form", "{answer}");
    // The first question hangs.
    endpoint.arrived.notified().await;
    for _ in 0..2 {
        program.child.kill().expect("killed");
        program.child.wait().expect("reaped");
        program = Program::start(folder.path(), port).await;
        let url = format!("{}/api/chat/messages?after=0", program.base);
        until("the form has its proposal", async || {
            let list = call(&client, reqwest::Method::GET, &url, &token, None).await.unwrap_or_default();
            keys(&list["conversation"]["proposal"]).len() == 3
        })
        .await;
    }
    program.child.kill().expect("killed");
    program.child.wait().expect("reaped");
    let db = Db::open(&format!("sqlite://{}/data/zhitong.db", folder.path().display())).await.expect("it opens");
    let mut tx = db.read().await.expect("a reader");
    let tasks = model_tasks::of_conversation(&mut tx, id).await.expect("tasks");
    assert_eq!(tasks.iter().map(|task| task.kind.as_str()).collect::<Vec<_>>(), ["classify"]);
    assert_eq!(model_proposals::of_conversation(&mut tx, id).await.expect("rows").len(), 3);
    drop(tx);
    db.close().await;
}
