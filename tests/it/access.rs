//! Who may use what: every route is walked without credentials and with the wrong ones.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::json;
use zhitong::{
    domain::access::Role,
    web::{auth::Access, router},
};

use crate::support::{Answer, TestApp};

fn concrete(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "01934567-89ab-7000-8000-000000000009" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn every_route_refuses_whoever_it_is_not_for() {
    let app = TestApp::start().await;
    let visitor = app.visitor().await;
    let mut officers = Vec::new();
    for role in Role::ALL {
        let unit = if role.is_of_unit() { "zjj" } else { "" };
        officers.push((*role, app.officer(role.as_str(), &[(*role, unit)]).await));
    }
    for route in router::all() {
        let path = concrete(route.path);
        let method = route.method.as_str();
        let name = format!("{method} {}", route.path);
        let call = async |token: Option<&str>| {
            let body = (route.method != Method::GET).then(|| json!({}));
            let mut request = Request::builder().method(method).uri(&path);
            if let Some(token) = token {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            if body.is_some() {
                request = request.header(header::CONTENT_TYPE, "application/json");
            }
            let request =
                request.body(body.map_or_else(Body::empty, |b| Body::from(b.to_string()))).expect("a request");
            let response = tower::ServiceExt::oneshot(app.router(), request).await.expect("an answer");
            response.status().as_u16()
        };
        let page = !route.path.starts_with("/api/");
        let refused = if page { vec![303, 401] } else { vec![401] };
        match route.access {
            Access::Public | Access::Signed => {}
            Access::Visitor => {
                assert_eq!(call(None).await, 401, "{name} without a token");
                assert_eq!(call(Some("zv_wrong")).await, 401, "{name} with a wrong token");
                let (_, officer) = &officers[0];
                assert_eq!(call(Some(officer)).await, 401, "{name} with an officer's token");
            }
            Access::VisitorOrOfficer => assert_eq!(call(None).await, 401, "{name} without a token"),
            Access::AnyOfficer => {
                assert!(refused.contains(&call(None).await), "{name} without a login");
                assert!(refused.contains(&call(Some(&visitor)).await), "{name} as a visitor");
            }
            Access::Officer(permission) => {
                assert!(refused.contains(&call(None).await), "{name} without a login");
                assert!(refused.contains(&call(Some(&visitor)).await), "{name} as a visitor");
                assert!(refused.contains(&call(Some("zt_wrong")).await), "{name} with a wrong token");
                for (role, token) in &officers {
                    if !role.permissions().contains(&permission) {
                        assert_eq!(call(Some(token)).await, 403, "{name} as {role}");
                    }
                }
            }
        }
    }
}

fn cookie_of(answer: &crate::support::Answer) -> String {
    let value = answer.headers[header::SET_COOKIE].to_str().expect("text");
    value.split(';').next().expect("a pair").to_owned()
}

#[tokio::test]
async fn a_login_opens_a_session_that_ends_with_logout_and_needs_proof_of_meaning() {
    let app = TestApp::start().await;
    let password = zhitong::app::auth::ensure_admin(&app.app).await.expect("an admin").expect("a password");
    let log_in = |password: &str| {
        let body = json!({ "login": "admin", "password": password });
        let app = &app;
        async move { app.call("POST", "/api/login", None, Some(body)).await }
    };
    assert_eq!(log_in("wrong-password").await.code(), "login_failed");
    let answer = log_in(&password).await.expect(200);
    let cookie = cookie_of(&answer);
    let csrf = answer.json()["csrf"].as_str().expect("a token").to_owned();
    let send = |path: &str, headers: Vec<(&str, String)>, body: serde_json::Value| {
        let mut request = Request::post(path)
            .header(header::COOKIE, &cookie)
            .header(header::HOST, "zt.test")
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(body.to_string())).expect("a request");
        let app = &app;
        async move { app.request(request).await }
    };
    let users = "/api/admin/users";
    let own = vec![("x-csrf-token", csrf.clone())];
    assert_eq!(send(users, own.clone(), json!({})).await.code(), "password_must_change");
    let new = json!({ "old_password": password, "new_password": "晴天-带伞-出门-上班" });
    for bad in [
        vec![],
        vec![("origin", "https://evil.test".to_owned()), ("x-csrf-token", csrf.clone())],
        vec![("origin", "null".to_owned())],
        vec![("x-csrf-token", "guess".to_owned())],
    ] {
        assert_eq!(send("/api/me/password", bad.clone(), new.clone()).await.code(), "csrf", "{bad:?}");
    }
    let changed = send("/api/me/password", vec![("origin", "http://zt.test".to_owned())], new).await.expect(200);
    assert_eq!(send("/api/logout", own, json!({})).await.status.as_u16(), 401, "the old session lives on");
    let cookie = cookie_of(&changed);
    let get = |path: &'static str| {
        let request = Request::get(path).header(header::COOKIE, &cookie).body(Body::empty()).expect("a request");
        let app = &app;
        async move { app.request(request).await }
    };
    assert_eq!(get("/api/me").await.expect(200).json()["login"], "admin");
    get("/api/admin/users").await.expect(200);
    let change = zhitong::app::auth::AccountChange { active: Some(false), ..Default::default() };
    zhitong::app::auth::change_account(&app.app, "admin", &change).await.expect("disabled");
    get("/api/me").await.expect(401);
}

#[tokio::test]
async fn a_role_given_twice_is_one_role() {
    let app = TestApp::start().await;
    let admin = app.officer("admin2", &[(Role::Admin, "")]).await;
    let twice = json!([{ "role": "auditor" }, { "role": "auditor", "unit": null }, { "role": "admin", "unit": "" }]);
    let new = json!({ "login": "shuangjue", "name": "双角色", "roles": twice });
    app.post("/api/admin/users", &admin, new).await.expect(201);
    let path = "/api/admin/users/shuangjue";
    app.call("PATCH", path, Some(&admin), Some(json!({ "roles": twice }))).await.expect(200);
    let users = app.get("/api/admin/users", &admin).await.expect(200).json();
    let user = users["items"].as_array().expect("items").iter().find(|user| user["login"] == "shuangjue");
    assert_eq!(user.expect("the account")["roles"].as_array().expect("roles").len(), 2);
    for name in ["", " ", &"长".repeat(51)] {
        let refused = app.call("PATCH", path, Some(&admin), Some(json!({ "name": name }))).await.expect(422);
        assert_eq!(refused.json()["errors"][0]["pointer"], "/name", "{name}");
    }
}

#[tokio::test]
async fn guessing_passwords_is_stopped_after_five_tries() {
    let app = TestApp::start().await;
    let tries = (0..12)
        .map(|_| app.call("POST", "/api/login", None, Some(json!({ "login": "nobody", "password": "guess-guess" }))));
    let answers = futures_util::future::join_all(tries).await;
    let evaluated = answers.iter().filter(|answer| answer.status.as_u16() == 401).count();
    assert_eq!(evaluated, 5);
    let refused = answers.iter().find(|answer| answer.status.as_u16() == 429).expect("a refusal");
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn forwarded_addresses_count_only_from_a_trusted_proxy() {
    let app = TestApp::with(|config| config.limits.sessions_per_minute = 1).await;
    let start = |forwarded: &'static str| {
        let request = Request::post("/api/chat/sessions")
            .header("x-forwarded-for", forwarded)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from("{}"))
            .expect("a request");
        let app = &app;
        async move { app.request(request).await.status.as_u16() }
    };
    assert_eq!(start("10.0.0.1").await, 201);
    assert_eq!(start("10.0.0.2").await, 429, "a made-up address was believed");
}

#[tokio::test]
async fn answers_carry_security_headers_and_errors_tell_no_inside() {
    let app = TestApp::start().await;
    let answer = app.call("GET", "/api/nothing-here", None, None).await.expect(404);
    assert_eq!(answer.code(), "not_found");
    for (name, part) in [
        ("content-security-policy", "default-src 'self'"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "SAMEORIGIN"),
    ] {
        assert!(answer.headers[name].to_str().expect("text").contains(part), "{name}");
    }
    let wrong = app.call("DELETE", "/api/me", None, None).await.expect(405);
    assert_eq!(wrong.code(), "method_not_allowed");
    app.call("GET", "/healthz", None, None).await.expect(200);
    app.call("GET", "/readyz", None, None).await.expect(200);
    app.call("GET", "/metrics", None, None).await.expect(401);
    let admin = app.officer("health", &[(Role::Admin, "")]).await;
    assert!(app.get("/metrics", &admin).await.expect(200).text().contains("zhitong_messages_total"));
    let document = app.call("GET", "/api/openapi.json", None, None).await.expect(200).json();
    assert!(document["paths"]["/api/chat/messages"]["post"].is_object());
    assert!(app.call("GET", "/api/docs", None, None).await.expect(200).text().contains("/api/chat/messages"));
}

#[tokio::test]
async fn the_first_login_with_the_one_time_password_leads_to_a_new_one() {
    let app = TestApp::start().await;
    let first = zhitong::app::auth::ensure_admin(&app.app).await.expect("an admin").expect("a password");
    let form = |path: &str, cookie: &str, fields: String| {
        let request = Request::post(path)
            .header(header::COOKIE, cookie)
            .header(header::HOST, "zt.test")
            .header(header::ORIGIN, "http://zt.test")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(fields))
            .expect("a request");
        let app = &app;
        async move { app.request(request).await }
    };
    let see = |path: &str, cookie: &str| {
        let request = Request::get(path).header(header::COOKIE, cookie).header(header::ACCEPT, "text/html");
        let request = request.body(Body::empty()).expect("a request");
        let app = &app;
        async move { app.request(request).await }
    };
    let place = |answer: &Answer| answer.headers[header::LOCATION].to_str().expect("text").to_owned();

    let entered = form("/login", "", format!("login=admin&password={first}&next=%2Fadmin")).await.expect(303);
    assert_eq!(place(&entered), "/password", "not to the page that was asked for");
    let cookie = cookie_of(&entered);
    for path in ["/desk", "/admin", "/desk/notices"] {
        let sent = see(path, &cookie).await.expect(303);
        assert_eq!(place(&sent), "/password", "{path}");
    }
    assert_eq!(app.call("GET", "/api/cases", None, None).await.status.as_u16(), 401);
    let page = see("/password", &cookie).await.expect(200).text();
    assert!(page.contains("old_password") && page.contains("new_password"), "{page}");

    let new = "long-enough-and-not-guessed";
    let fields = |again: &str| format!("old_password={first}&new_password={new}&again={again}");
    let refused = form("/password", &cookie, fields("something-else")).await.expect(422).text();
    assert!(refused.contains("两次输入的新密码不一样"), "{refused}");
    let changed = form("/password", &cookie, fields(new)).await.expect(303);
    assert_eq!(place(&changed), "/desk");
    see("/admin", &cookie_of(&changed)).await.expect(200);
    // The one-time password was for one time.
    form("/login", "", format!("login=admin&password={first}")).await.expect(401);
    let again = form("/login", "", format!("login=admin&password={new}&next=%2Fadmin")).await.expect(303);
    assert_eq!(place(&again), "/admin");
}

#[tokio::test]
async fn the_conversation_behind_a_sealed_case_is_closed_to_the_desk() {
    let app = TestApp::start().await;
    let front = app.officer("front", &[(Role::FrontDesk, "")]).await;
    let dispatcher = app.officer("dispatcher", &[(Role::Dispatcher, "")]).await;
    let talk = async |words: &str| {
        let visitor = app.visitor().await;
        app.say(&visitor, "1", words).await.expect(200);
        app.say(&visitor, "2", "企业：示例甲公司，联系人李四，电话13900139000").await.expect(200);
        let filed = app.say(&visitor, "3", "提交").await.expect(200).json();
        assert!(filed["replies"].to_string().contains("查询码"), "{filed}");
        (visitor, filed["conversation"]["id"].as_str().expect("an id").to_owned())
    };
    let (_, plain) = talk("技改补助公示四个月了还没到账").await;
    let (visitor, sealed) = talk("住建局窗口工作人员吃拿卡要，故意刁难我们，要求保密").await;
    for officer in [&front, &dispatcher] {
        app.get(&format!("/api/conversations/{plain}"), officer).await.expect(200);
        app.get(&format!("/api/conversations/{sealed}"), officer).await.expect(404);
        app.post(&format!("/api/conversations/{sealed}/claim"), officer, json!({})).await.expect(404);
        app.post(&format!("/api/conversations/{sealed}/notes"), officer, json!({"text": "x"})).await.expect(404);
        let listed = app.get("/api/conversations?state=bot", officer).await.expect(200).text();
        assert!(listed.contains(&plain) && !listed.contains(&sealed), "{listed}");
    }
    // Who asks for a person is answered by one.
    app.say(&visitor, "4", "再不解决我就从楼上跳下去").await.expect(200);
    app.get(&format!("/api/conversations/{sealed}"), &front).await.expect(200);
    app.post(&format!("/api/conversations/{sealed}/claim"), &front, json!({})).await.expect(200);
    app.get(&format!("/api/conversations/{sealed}"), &dispatcher).await.expect(404);
}

#[tokio::test]
async fn an_easy_password_is_refused() {
    let app = TestApp::start().await;
    let password = zhitong::app::auth::ensure_admin(&app.app).await.expect("an admin").expect("a password");
    let login = app.call("POST", "/api/login", None, Some(json!({"login": "admin", "password": password}))).await;
    let login = login.expect(200);
    let (cookie, csrf) = (cookie_of(&login), login.json()["csrf"].as_str().expect("a token").to_owned());
    for easy in ["1234567890", "0987654321", "abcdefghij", "qwertyuiop", "1qaz2wsx3edc", "aaaaaaaaaaaa", "abababababab"]
    {
        let body = json!({"old_password": password, "new_password": easy});
        let request = Request::post("/api/me/password")
            .header(header::COOKIE, &cookie)
            .header("x-csrf-token", &csrf)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .expect("a request");
        let answer = app.request(request).await.expect(422);
        assert_eq!(answer.json()["errors"][0]["pointer"], "/new_password", "{easy}");
    }
}

#[tokio::test]
async fn a_token_works_before_anybody_changed_the_first_password() {
    let app = TestApp::start().await;
    zhitong::app::auth::ensure_admin(&app.app).await.expect("an admin").expect("a password");
    let (_, token) = zhitong::app::auth::create_token(&app.app, "admin", "test", None).await.expect("a token");
    app.get("/api/admin/health", &token).await.expect(200);
}
