//! What people write, in a real browser: shown as text, and nothing of it runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    desk::{log_in, log_in_with},
    harness::{Browser, Driver, Gateway, available},
};
use crate::{
    markup::{attempts, percent},
    support::program::client,
};

/// Elements and attributes that none of our own pages has.
const FOREIGN: &str = "[...document.querySelectorAll('*')].filter(e =>
    e.getAttributeNames().some(name => name.startsWith('on') || (name === 'hx-trigger' && e.id !== 'filters') || name === 'srcdoc' || name === 'formaction')
    || /^(iframe|object|embed|base|marquee|math|audio|video)$/i.test(e.tagName)
    || (e.tagName === 'SCRIPT' && !new URL(e.src, location).href.startsWith(location.origin + '/static/'))
    || /^(javascript|data):/i.test((e.getAttribute('href') || e.getAttribute('xlink:href') || e.getAttribute('action') || '').trim())
    || (e.tagName === 'IMG' && e.hasAttribute('src') && !/^(\\/|blob:)/.test(e.getAttribute('src') || '')))
    .map(e => e.outerHTML.slice(0, 200))";

async fn unharmed(browser: &Browser, place: &str) {
    assert!(browser.client.get_alert_text().await.is_err(), "a dialog opened on {place}");
    let foreign = browser.js(&format!("return {FOREIGN}")).await;
    assert_eq!(foreign, json!([]), "markup on {place}");
    assert_eq!(browser.js("return window.__xss === undefined").await, json!(true), "a script ran on {place}");
}

/// A call of the API.
async fn call(
    gateway: &Gateway,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> (u16, Value, String) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = client().request(method, format!("{}{path}", gateway.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let cookie = answer.headers().get("set-cookie").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    (status, serde_json::from_str(&answer.text().await.expect("a body")).unwrap_or_default(), cookie)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_people_write_runs_in_a_browser() {
    if !available() {
        return;
    }
    let (gateway, driver) = (Gateway::demo().await, Driver::start());
    let title = "<img src=x onerror=alert(1)>蓝莓年假怎么算";
    let rule = format!(
        "schema = 1\n\n[[rule]]\nid = \"markup-title\"\ntitle = '{title}'\nstatus = \"active\"\ncategory = \"咨询\"\n\
         owner = \"测试\"\nreviewer = \"测试\"\nsource_check = \"S\"\nverified_on = 2026-11-22\nreview_due = 2099-05-22\n\
         valid_from = 2025-01-07\non_expired = \"route\"\npriority = 90\n\n[rule.when]\nall = [\"蓝莓年假\"]\n\n\
         [rule.answer]\nmode = \"direct\"\ntext = '{title}<script>alert(1)</script>'\nquick_replies = ['{title}', '转人工']\n\n\
         [[rule.cite]]\ntitle = '{title}'\ndoc_no = '{title}'\nissuer = '{title}'\nclause = '{title}'\nsupports = [\"全部\", \"1\"]\n"
    );
    std::fs::write(gateway.rules().join("答复/markup.toml"), rule).expect("a rule");
    let signed = json!({ "login": "zuoxi", "password": gateway.password() });
    let (status, me, cookie) = call(&gateway, "POST", "/api/login", &[], Some(signed)).await;
    assert_eq!(status, 200, "{me}");
    let csrf = me["csrf"].as_str().expect("a token").to_owned();
    let staff = [("cookie", cookie.as_str()), ("x-csrf-token", csrf.as_str()), ("origin", gateway.url.as_str())];
    let started = Instant::now();
    loop {
        let (_, found, _) =
            call(&gateway, "GET", &format!("/api/canned?q={}", percent("蓝莓年假")), &staff, None).await;
        if found.to_string().contains("markup-title") {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "the rule is not taken up: {found}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    // A visitor says everything, sends a file with a name like that, and an officer answers, notes and files in kind.
    let profile = json!({ "profile": { "name": attempts()[8] } });
    let (_, session, _) = call(&gateway, "POST", "/api/chat/sessions", &[], Some(profile)).await;
    let token = session["token"].as_str().expect("a token").to_owned();
    let id = session["conversation_id"].as_str().expect("an id").to_owned();
    let bearer = format!("Bearer {token}");
    let visitor = [("authorization", bearer.as_str())];
    let mut words = vec!["蓝莓年假"];
    words.extend(attempts().into_iter().step_by(3));
    for (n, text) in words.iter().enumerate() {
        let body = json!({ "client_id": format!("m{n}"), "text": text });
        let (status, answer, _) = call(&gateway, "POST", "/api/chat/messages", &visitor, Some(body)).await;
        assert_eq!(status, 200, "{answer}");
    }
    call(&gateway, "POST", "/api/chat/handoff", &visitor, Some(json!({}))).await;
    let at = |action: &str| format!("/api/conversations/{id}/{action}");
    let (status, answer, _) = call(&gateway, "POST", &at("claim"), &staff, Some(json!({}))).await;
    assert_eq!(status, 200, "{answer}");
    for (n, text) in attempts().into_iter().enumerate().skip(1).step_by(3) {
        let body = json!({ "client_id": format!("o{n}"), "text": text });
        assert_eq!(call(&gateway, "POST", &at("messages"), &staff, Some(body)).await.0, 200);
        assert_eq!(call(&gateway, "POST", &at("notes"), &staff, Some(json!({ "text": text }))).await.0, 201);
    }
    let all = attempts().join(" ");
    let filed = json!({ "words": all, "title": attempts()[8], "demand": all, "enterprise": attempts()[8],
        "contact_name": attempts()[15], "contact_phone": "13800000001", "place": attempts()[45],
        "object": attempts()[50], "amount": attempts()[51], "conversation_id": id });
    let (status, filed, _) = call(&gateway, "POST", "/api/cases", &staff, Some(filed)).await;
    assert_eq!(status, 201, "{filed}");
    let (number, code) = (filed["number"].as_str().expect("a number"), filed["code"].as_str().expect("a code"));

    // A broken rule file whose name is markup is told on the administrator's page.
    std::fs::write(gateway.rules().join("答复/<img src=x onerror=alert(1)>.toml"), "schema = ").expect("a file");

    let phone = Browser::open(&driver, 390, 844).await;
    phone.goto(&gateway.url).await;
    let stored = json!({ "conversation_id": id, "token": token }).to_string();
    phone.js(&format!("localStorage.setItem('zt.session', {}); return true", json!(stored))).await;
    phone.goto(&gateway.url).await;
    phone.find(".msg[data-seq]").await;
    // Everything that was ever said, also what is fetched only when one scrolls up to it.
    phone
        .until("document.getElementById('older').hidden || (document.getElementById('log').scrollTop = 0, document.getElementById('older').click(), false)")
        .await;
    phone.sees("<img src=x onerror=alert(1)>蓝莓年假怎么算").await;
    phone.sees(attempts()[1]).await;
    unharmed(&phone, "the chat page").await;
    phone.goto(&format!("{}/track?number={number}&code={code}", gateway.url)).await;
    phone.sees(attempts()[8]).await;
    unharmed(&phone, "the progress page").await;
    phone.goto(&format!("{}/track/{number}/print", gateway.url)).await;
    phone.sees(attempts()[8]).await;
    unharmed(&phone, "the paper view").await;
    for path in ["/login?next=", "/track?number=", "/nothing/"] {
        for attempt in [attempts()[0], attempts()[45], attempts()[51]] {
            phone.goto(&format!("{}{path}{}", gateway.url, percent(attempt))).await;
            unharmed(&phone, path).await;
        }
    }
    phone.close().await;

    let desk = log_in(&driver, &gateway, "zuoxi").await;
    desk.goto(&format!("{}/desk/conversations/{id}", gateway.url)).await;
    desk.sees(attempts()[1]).await;
    desk.sees(attempts()[4]).await;
    unharmed(&desk, "the conversation").await;
    desk.goto(&format!("{}/desk/cases/{number}", gateway.url)).await;
    desk.sees(attempts()[0]).await;
    unharmed(&desk, "the case").await;
    desk.goto(&format!("{}/desk?tab=all&q={}", gateway.url, percent(attempts()[8]))).await;
    unharmed(&desk, "the list").await;
    desk.close().await;

    let first =
        gateway.log().split("登录名  admin").nth(1).and_then(|rest| rest.split_whitespace().nth(1).map(str::to_owned));
    let first = first.expect("the first password");
    let (_, me, cookie) =
        call(&gateway, "POST", "/api/login", &[], Some(json!({ "login": "admin", "password": first }))).await;
    let own = [("cookie", cookie.as_str()), ("x-csrf-token", me["csrf"].as_str().expect("a token"))];
    let new = json!({ "old_password": first, "new_password": "晴天-带伞-出门-上班" });
    assert_eq!(call(&gateway, "POST", "/api/me/password", &own, Some(new)).await.0, 200);
    let admin = log_in_with(&driver, &gateway, "admin", "晴天-带伞-出门-上班").await;
    let started = Instant::now();
    loop {
        admin.goto(&format!("{}/admin", gateway.url)).await;
        if admin.text().await.contains("<img src=x onerror=alert(1)>.toml") {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "the broken file is not told: {}", admin.text().await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    unharmed(&admin, "the administrator's page").await;
    admin.close().await;
}
