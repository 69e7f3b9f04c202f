//! Pages for people: what they carry, whom they let in, and that hostile words stay words.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::json;
use zhitong::domain::access::Role;

use crate::support::{Answer, TestApp};

const HOSTILE: &str = "<script>window.__xss=1</script><img src=x onerror=alert(1)>\"'><b>路灯坏了";

async fn form(app: &TestApp, path: &str, cookie: &str, body: &str) -> Answer {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, cookie)
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(body.to_owned()))
        .expect("a request");
    app.request(request).await
}

async fn page(app: &TestApp, path: &str, cookie: &str) -> Answer {
    let request =
        Request::get(path).header(header::ACCEPT, "text/html").header(header::COOKIE, cookie).body(Body::empty());
    app.request(request.expect("a request")).await
}

/// Files a case as the front desk; returns its number and query code.
async fn file(app: &TestApp, token: &str, words: &str) -> (String, String) {
    let body = json!({ "words": words, "title": words, "enterprise": "示例机电有限公司", "contact_name": "王示例", "contact_phone": "13800000001" });
    let filed = app.post("/api/cases", token, body).await.expect(201).json();
    let text = |key: &str| filed[key].as_str().expect("text").to_owned();
    (text("number"), text("code"))
}

fn cookie_of(answer: &Answer) -> String {
    let set = answer.headers.get(header::SET_COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    set.split(';').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn no_page_carries_inline_script_style_or_handlers() {
    let app = TestApp::start().await;
    let token = app.officer("zuoxi", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
    let (number, _) = file(&app, &token, HOSTILE).await;
    let desk = format!("/desk/cases/{number}");
    let paper = format!("/desk/cases/{number}/print");
    let inline = regex::Regex::new(r#"<script(?:\s+type="module")?\s*>|<style|\sstyle=|<[^>]*\son[a-z]+=|javascript:"#);
    let inline = inline.expect("a pattern");
    for path in [
        "/",
        "/chat?embed=1",
        "/track",
        "/track/ZT20261125-0001A/print",
        "/login",
        "/desk",
        "/desk?tab=all",
        "/desk/notices",
        "/desk/deputies",
        desk.as_str(),
        paper.as_str(),
        "/nowhere",
    ] {
        let request = Request::get(path)
            .header(header::ACCEPT, "text/html")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty());
        let answer = app.request(request.expect("a request")).await;
        let text = answer.text();
        assert!(text.starts_with("<!doctype html>"), "{path}: {text}");
        let found = inline.find(&text).map(|found| found.as_str().to_owned());
        assert_eq!(found, None, "{path}");
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap_or_default();
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn the_desk_asks_for_a_login_and_shows_each_unit_its_own_cases() {
    let app = TestApp::start().await;
    let stranger = page(&app, "/desk/cases/ZT20261125-0001A?tab=all", "").await.expect(303);
    assert_eq!(stranger.headers[header::LOCATION], "/login?next=/desk/cases/ZT20261125-0001A%3Ftab%3Dall");
    let centre = app.officer("zuoxi", &[(Role::FrontDesk, "")]).await;
    let unit = app.officer("chengban", &[(Role::Handler, "rsj")]).await;
    let (number, _) = file(&app, &centre, "厂门口路灯坏了两周").await;
    let path = format!("/desk/cases/{number}");
    let seen = app.get(&path, &centre).await.expect(200).text();
    assert!(seen.contains("厂门口路灯坏了两周") && seen.contains("示例机电有限公司"));
    let refused = app.get(&path, &unit).await.expect(404).text();
    assert!(!refused.contains("路灯") && refused.contains("没有找到，或您无权查看"));
    assert!(!app.get("/desk?tab=all", &unit).await.expect(200).text().contains("路灯"));
    // Without a reason to converse there is no conversation page either.
    app.get("/desk/conversations/01934567-89ab-7000-8000-000000000001", &unit).await.expect(403);
}

#[tokio::test]
async fn hostile_words_stay_words_on_every_page() {
    let app = TestApp::start().await;
    let token = app.officer("zuoxi", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
    let (number, code) = file(&app, &token, HOSTILE).await;
    let opened = form(&app, "/track", "", &format!("number={number}&code={code}")).await.expect(303);
    let cookie = cookie_of(&opened);
    let pages = [
        app.get(&format!("/desk/cases/{number}"), &token).await.expect(200).text(),
        app.get("/desk?tab=all&q=%3Cscript%3E", &token).await.expect(200).text(),
        page(&app, &format!("/track/{number}"), &cookie).await.expect(200).text(),
    ];
    for text in pages {
        assert!(!text.contains("<script>window") && !text.contains("<img src=x"), "{text}");
    }
}

#[tokio::test]
async fn the_code_opens_the_progress_page_and_leaves_the_address() {
    let app = TestApp::start().await;
    let token = app.officer("zuoxi", &[(Role::FrontDesk, "")]).await;
    let (number, code) = file(&app, &token, "厂门口路灯坏了两周").await;
    let opened = page(&app, &format!("/track?number={number}&code={code}"), "").await.expect(303);
    assert_eq!(opened.headers[header::LOCATION], format!("/track/{number}"));
    let cookie = cookie_of(&opened);
    let shown = page(&app, &format!("/track/{number}"), &cookie).await.expect(200).text();
    assert!(shown.contains("厂门口路灯坏了两周") && shown.contains("aria-current=\"step\""));
    assert!(!shown.contains(&code), "the code shall not stand on the page");
    let wrong = form(&app, "/track", "", &format!("number={number}&code=AAAAA-AAAAA")).await.expect(404).text();
    let unknown = form(&app, "/track", "", "number=ZT20261125-9999A&code=AAAAA-AAAAA").await.expect(404).text();
    assert_eq!(wrong.replace(&number, "N"), unknown.replace("ZT20261125-9999A", "N"));
    // Without the cookie the number alone opens nothing.
    assert!(!page(&app, &format!("/track/{number}"), "").await.text().contains("路灯"));
}

#[tokio::test]
async fn an_enterprise_adds_and_withdraws_without_script() {
    let app = TestApp::start().await;
    let token = app.officer("zuoxi", &[(Role::FrontDesk, "")]).await;
    let (number, code) = file(&app, &token, "厂门口路灯坏了两周，请修").await;
    let cookie = cookie_of(&form(&app, "/track", "", &format!("number={number}&code={code}")).await.expect(303));
    let add = format!("/track/{number}/add_info");
    let body = "key=0123456789&text=%E8%A1%A5%E5%85%85";
    for _ in 0..2 {
        let done = form(&app, &add, &cookie, body).await.expect(303);
        assert_eq!(done.headers[header::LOCATION], format!("/track/{number}?done=add_info"));
    }
    let history = app.get(&format!("/api/cases/{number}/timeline"), &token).await.expect(200).json();
    let added = history["items"].as_array().expect("items").iter().filter(|e| e["kind"] == "info_added").count();
    assert_eq!(added, 1, "a repeated form is one addition: {history}");
    let refused = form(&app, &format!("/track/{number}/withdraw"), &cookie, "key=0123456789w").await;
    assert_eq!(refused.status.as_u16(), 422, "a withdrawal says why");
    assert!(refused.text().contains("role=\"alert\""));
    let foreign = Request::post(add)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, &cookie)
        .header("sec-fetch-site", "cross-site")
        .body(Body::from(body));
    assert_eq!(app.request(foreign.expect("a request")).await.status.as_u16(), 403);
}

#[tokio::test]
async fn a_wrong_password_is_said_beside_the_fields() {
    let app = TestApp::start().await;
    let answer = form(&app, "/login", "", "login=nobody&password=wrong&next=%2F%2Fevil.example").await.expect(401);
    let text = answer.text();
    assert!(text.contains("aria-describedby=\"login-error\"") && text.contains("登录名或密码不对"));
    assert!(!text.contains("evil.example"));
}
