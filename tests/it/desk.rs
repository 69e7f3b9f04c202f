//! The desk's lists and sheets: whose turn it is, what an officer may take, files, handing on, deputies, print.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};
use zhitong::domain::access::Role;

use crate::support::{Answer, TestApp};

async fn file(app: &TestApp, token: &str, words: &str) -> String {
    let body = json!({ "words": words, "title": words, "enterprise": "示例机电有限公司", "contact_name": "王示例",
        "contact_phone": "13800000001", "type": "coordination", "topic": "FIRE.ACCEPT" });
    let filed = app.post("/api/cases", token, body).await.expect(201).json();
    filed["number"].as_str().expect("a number").to_owned()
}

async fn act(app: &TestApp, token: &str, number: &str, action: &str, body: Value) {
    app.post(&format!("/api/cases/{number}/actions/{action}"), token, body).await.expect(200);
}

/// Files, accepts and dispatches to zjj.
async fn dispatched(app: &TestApp, centre: &str, words: &str) -> String {
    let number = file(app, centre, words).await;
    act(app, centre, &number, "accept", json!({})).await;
    act(app, centre, &number, "dispatch", json!({ "lead": "zjj", "assists": [] })).await;
    number
}

/// Rows of the list pane in their order, and the number on the tab.
async fn todo(app: &TestApp, token: &str, more: &str) -> (Vec<String>, String, String) {
    let page = app.get(&format!("/desk?tab=todo{more}"), token).await.expect(200).text();
    let rows = page.split("data-key=\"").skip(1).map(|rest| rest.split('"').next().expect("a key").to_owned());
    let count = page.split("data-count=\"todo\">").nth(1).and_then(|rest| rest.split('<').next()).expect("a count");
    (rows.collect(), count.to_owned(), page.clone())
}

async fn form(app: &TestApp, path: &str, token: &str, body: &str) -> Answer {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Body::from(body.to_owned()));
    app.request(request.expect("a request")).await
}

async fn the_list_holds_what_waits_for_this_officer_on(app: TestApp) {
    let centre = app.officer("fenpai", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
    let clerk = app.officer("clerk", &[(Role::UnitClerk, "zjj")]).await;
    let handler = app.officer("handler", &[(Role::Handler, "zjj")]).await;
    let colleague = app.officer("handler2", &[(Role::Handler, "zjj")]).await;
    let leader = app.officer("leader", &[(Role::UnitLeader, "zjj")]).await;
    let assist = app.officer("assist", &[(Role::Handler, "xfj")]).await;
    let submitted = file(&app, &centre, "等待受理的一件").await;
    let first = dispatched(&app, &centre, "第一件").await;
    let second = dispatched(&app, &centre, "第二件").await;
    let check = async |who: &str, expected: &[&str]| {
        let (rows, count, page) = todo(&app, who, "").await;
        let mut sorted = rows.clone();
        sorted.sort();
        let mut wanted: Vec<_> = expected.iter().map(|number| (*number).to_owned()).collect();
        wanted.sort();
        assert_eq!(sorted, wanted);
        assert_eq!(count, expected.len().to_string(), "the tab counts what the list holds");
        page
    };
    assert!(check(&centre, &[&submitted]).await.contains("轮到您：受理"));
    assert!(check(&clerk, &[&first, &second]).await.contains("轮到本单位：签收"));
    check(&handler, &[]).await;

    for (number, who) in [(&first, "handler"), (&second, "handler2")] {
        act(&app, &clerk, number, "sign_in", json!({ "register_no": "1", "handler": who })).await;
    }
    check(&handler, &[&first]).await;
    check(&colleague, &[&second]).await;
    act(
        &app,
        &handler,
        &first,
        "record_contact",
        json!({ "method": "phone", "reached": true, "person": "王示例", "result": "已约时间" }),
    )
    .await;
    act(&app, &handler, &first, "ask_assist", json!({ "unit": "xfj", "question": "请到场" })).await;
    assert!(check(&assist, &[&first]).await.contains("请本单位协办"));
    let task = json!({ "text": "已到场" });
    act(&app, &assist, &first, "answer_assist", task).await;
    check(&assist, &[]).await;
    act(&app, &handler, &first, "draft_reply", json!({ "text": "已修好。", "conclusion": "solved" })).await;
    check(&handler, &[]).await;
    assert!(check(&leader, &[&first]).await.contains("轮到您：审签答复"));
    check(&clerk, &[]).await;

    let clerk_id = app.get("/api/me", &clerk).await.expect(200).json()["id"].clone();
    let days = json!({ "unit": "zjj", "officer_id": clerk_id, "from_on": "2026-11-25", "until_on": "2026-11-27" });
    app.post("/api/deputies", &leader, days).await.expect(204);
    check(&clerk, &[&first]).await;

    let (rows, ..) = todo(&app, &centre, "&status=accepted").await;
    assert!(rows.is_empty(), "the filter narrows it: {rows:?}");
    let (rows, ..) = todo(&app, &centre, "&q=%E7%AD%89%E5%BE%85").await;
    assert_eq!(rows, std::slice::from_ref(&submitted), "and words do");
    let mine = app.get("/desk?tab=all&mine=true", &colleague).await.expect(200).text();
    assert!(mine.contains(&second) && !mine.contains(&first), "only what one handles");
}

#[tokio::test]
async fn the_list_holds_what_waits_for_this_officer() {
    the_list_holds_what_waits_for_this_officer_on(TestApp::start().await).await;
}

#[tokio::test]
async fn the_list_holds_what_waits_for_this_officer_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        the_list_holds_what_waits_for_this_officer_on(app).await;
    }
}

#[tokio::test]
async fn the_list_of_what_waits_goes_on_page_after_page() {
    let app = TestApp::start().await;
    let centre = app.officer("fenpai", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
    for n in 0..53 {
        file(&app, &centre, &format!("第{n}件路灯坏了")).await;
    }
    let (first, count, page) = todo(&app, &centre, "").await;
    assert_eq!((first.len(), count.as_str()), (50, "53"));
    let next = page.split("list-more\"><a class=\"btn btn-s\" href=\"").nth(1).expect("a next page");
    let next = next.split('"').next().expect("an address").replace("&#38;", "&").replace("&amp;", "&");
    let (rest, ..) = todo(&app, &centre, next.trim_start_matches("/desk?tab=todo")).await;
    assert_eq!(rest.len(), 3);
    assert!(rest.iter().all(|number| !first.contains(number)));
}

async fn what_waits_is_shown_to_whom_it_may_concern_on(app: TestApp) {
    zhitong::app::units::sync(&app.app).await.expect("the units");
    let centre = app.officer("zuoxi", &[(Role::FrontDesk, "")]).await;
    let of_unit = app.officer("zjj-zuoxi", &[(Role::FrontDesk, "zjj")]).await;
    let of_other = app.officer("swj-zuoxi", &[(Role::FrontDesk, "swj")]).await;
    let ids = async |who: &str, tab: &str| {
        let page = app.get(&format!("/desk?tab={tab}"), who).await.expect(200).text();
        page.split("data-key=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().expect("a key").to_owned())
            .collect::<Vec<_>>()
    };
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let visitor = app.visitor().await;
        app.say(&visitor, "1", "我想找人工问个事").await.expect(200);
        app.post("/api/chat/handoff", &visitor, json!({ "client_id": "2" })).await.expect(200);
        let id = app.get("/api/conversations?state=queued", &centre).await.expect(200).json();
        let id = id["items"].as_array().expect("items").iter().map(|item| item["id"].as_str().expect("id").to_owned());
        waiting.extend(id.filter(|id| !waiting.contains(id)).collect::<Vec<_>>());
        app.clock.advance(jiff::SignedDuration::from_mins(1));
    }
    assert_eq!(ids(&centre, "waiting").await, waiting, "the longest waiting first");
    assert_eq!(ids(&of_unit, "waiting").await, waiting, "what no unit has is for everybody who converses");

    let base = format!("/api/conversations/{}", waiting[0]);
    app.post(&format!("{base}/claim"), &centre, json!({})).await.expect(200);
    assert_eq!(ids(&centre, "mine").await, [waiting[0].clone()]);
    app.post(&format!("{base}/transfer"), &centre, json!({ "unit": "zjj", "note": "请接着谈" })).await.expect(200);
    assert_eq!(ids(&of_unit, "waiting").await.len(), 2);
    assert_eq!(ids(&of_other, "waiting").await, [waiting[1].clone()], "another unit's queue is not theirs");
    app.get(&base, &of_other).await.expect(404);

    app.post(&format!("{base}/claim"), &of_unit, json!({})).await.expect(200);
    let people = app.get("/api/colleagues", &of_unit).await.expect(200).json();
    let names: Vec<_> =
        people["items"].as_array().expect("items").iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["zuoxi", "swj-zuoxi"], "everybody else who converses");
    let target = people["items"][1]["id"].clone();
    app.post(&format!("{base}/transfer"), &of_unit, json!({ "officer_id": target, "note": "" })).await.expect(200);
    assert_eq!(ids(&of_other, "mine").await, [waiting[0].clone()], "one's own is always seen");
    let told = app.get("/api/notices", &of_other).await.expect(200).json();
    assert_eq!((&told["unread"], &told["items"][0]["conversation_id"]), (&json!(1), &json!(waiting[0])));
    app.post(&format!("{base}/messages"), &of_unit, json!({ "client_id": "x", "text": "好" })).await.expect(409);
}

#[tokio::test]
async fn what_waits_is_shown_to_whom_it_may_concern() {
    what_waits_is_shown_to_whom_it_may_concern_on(TestApp::start().await).await;
}

#[tokio::test]
async fn what_waits_is_shown_to_whom_it_may_concern_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        what_waits_is_shown_to_whom_it_may_concern_on(app).await;
    }
}

#[tokio::test]
async fn files_of_a_confidential_case_stay_at_the_centre() {
    let app = TestApp::start().await;
    let centre = app.officer("fenpai", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
    let clerk = app.officer("clerk", &[(Role::UnitClerk, "zjj")]).await;
    let mut pages = Vec::new();
    for open in [true, false] {
        let visitor = app.visitor().await;
        app.say(&visitor, "1", "我厂门口的路坏了，货车进不来，请派人来修").await.expect(200);
        app.say(&visitor, "2", "帮我登记").await.expect(200);
        let fields = json!({ "contact_phone": "13800138000", "confidential": if open { "否" } else { "是" } });
        let form = json!({ "client_id": "3", "fields": fields, "matters": [], "confirm": true });
        app.post("/api/chat/case", &visitor, form).await.expect(201);
        let file = app.upload(&visitor, "合同<1>.pdf", b"%PDF-1.7\n").await.expect(201).json();
        let path = format!("/api/attachments/{}", file["attachment"]["id"].as_str().expect("id"));
        let cases = app.get("/api/cases?status=submitted", &centre).await.expect(200).json();
        let number = cases["items"][0]["number"].as_str().expect("a number").to_owned();
        act(&app, &centre, &number, "accept", json!({})).await;
        act(&app, &centre, &number, "dispatch", json!({ "lead": "zjj", "assists": [] })).await;
        let desk = app.get(&format!("/desk/cases/{number}"), &centre).await.expect(200).text();
        assert!(desk.contains(&path) && desk.contains("1 KB"), "{desk}");
        app.get(&path, &centre).await.expect(200);
        app.get(&path, &visitor).await.expect(401);
        let unit = app.get(&format!("/desk/cases/{number}"), &clerk).await.expect(200).text();
        let status = app.get(&path, &clerk).await.status.as_u16();
        pages.push((unit.contains(&path), unit.contains("身份保密"), status));
    }
    assert_eq!(pages, [(true, false, 200), (false, true, 404)]);
}

#[tokio::test]
async fn the_desk_begins_where_there_is_something_to_do() {
    let app = TestApp::start().await;
    let front = app.officer("front", &[(Role::FrontDesk, "")]).await;
    let begins = async || {
        let page = app.get("/desk", &front).await.expect(200).text();
        let current =
            page.split("<a ").find(|link| link.contains("aria-current=\"page\"") && link.contains("data-tab"));
        current.and_then(|link| Some(link.split("data-tab=\"").nth(1)?.split('"').next()?.to_owned())).expect("a tab")
    };
    assert_eq!(begins().await, "waiting", "nothing to do anywhere");
    file(&app, &front, "厂门口路灯坏了两周，货车夜里进不来").await;
    assert_eq!(begins().await, "todo");
    // Whoever edits rules has no cases, and sees how the rules stand.
    let editor = app.officer("editor", &[(Role::RuleEditor, "")]).await;
    let page = app.get("/desk", &editor).await.expect(200).text();
    assert!(page.contains("规则和内容") && page.contains("在用版本") && page.contains("正常"), "{page}");
    assert!(!app.get("/desk", &front).await.expect(200).text().contains("在用版本"));
}

#[tokio::test]
async fn a_leader_sets_a_deputy_on_the_page_and_ends_it() {
    let app = TestApp::start().await;
    let leader = app.officer("leader", &[(Role::UnitLeader, "zjj")]).await;
    let clerk = app.officer("clerk", &[(Role::UnitClerk, "zjj")]).await;
    let front = app.officer("front", &[(Role::FrontDesk, "")]).await;
    let clerk_id = app.get("/api/me", &clerk).await.expect(200).json()["id"].as_str().expect("id").to_owned();
    let page = app.get("/desk/deputies", &leader).await.expect(200).text();
    assert!(page.contains(&format!("value=\"zjj {clerk_id}\"")), "{page}");
    let who = format!("who=zjj+{clerk_id}");
    let bad = form(&app, "/desk/deputies", &leader, &format!("{who}&from_on=2026-11-27&until_on=2026-11-25")).await;
    assert!(bad.text().contains("最后一天不能早于第一天") && bad.status.as_u16() == 422, "{}", bad.text());
    let nobody = form(&app, "/desk/deputies", &leader, "who=&from_on=2026-11-25&until_on=2026-11-25").await;
    assert!(nobody.expect(422).text().contains("请选代签人"));
    let good = format!("{who}&from_on=2026-11-25&until_on=2026-11-27");
    form(&app, "/desk/deputies", &clerk, &good).await.expect(403);
    let done = form(&app, "/desk/deputies", &leader, &good).await.expect(303);
    assert_eq!(done.headers[header::LOCATION], "/desk/deputies?done=set");
    let seen = app.get("/desk/deputies", &clerk).await.expect(200).text();
    assert!(seen.contains("今天生效") && !seen.contains("提前结束"), "the unit reads it");
    assert!(app.get("/desk/deputies", &front).await.expect(200).text().contains("现在没有代理"));
    let end = format!("unit=zjj&officer_id={clerk_id}&from_on=2026-11-25");
    form(&app, "/desk/deputies/end", &clerk, &end).await.expect(403);
    form(&app, "/desk/deputies/end", &leader, &end).await.expect(303);
    assert!(app.get("/desk/deputies", &clerk).await.expect(200).text().contains("现在没有代理"));
}

#[tokio::test]
async fn the_paper_carries_clocks_and_signatures_and_no_name_that_the_screen_hides() {
    let app = TestApp::start().await;
    let centre = app.officer("fenpai", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
    let clerk = app.officer("clerk", &[(Role::UnitClerk, "zjj")]).await;
    let other = app.officer("other", &[(Role::UnitClerk, "swj")]).await;
    let body = json!({ "words": "示例机电有限公司反映验收推诿，请打13800000001", "enterprise": "示例机电有限公司",
        "contact_name": "王示例", "contact_phone": "13800000001", "type": "complaint", "confidential": true });
    let filed = app.post("/api/cases", &centre, body).await.expect(201).json();
    let number = filed["number"].as_str().expect("a number");
    act(&app, &centre, number, "accept", json!({})).await;
    act(&app, &centre, number, "dispatch", json!({ "lead": "zjj", "assists": [] })).await;
    let path = format!("/desk/cases/{number}/print");
    let full = app.get(&path, &centre).await.expect(200).text();
    for words in ["涉企诉求办理单", number, "示例机电有限公司", "13800000001", "答复", "fenpai", "六、办理经过"]
    {
        assert!(full.contains(words), "{words}: {full}");
    }
    let hidden = app.get(&path, &clerk).await.expect(200).text();
    assert!(hidden.contains("身份保密") && hidden.contains("验收推诿"), "{hidden}");
    for words in ["示例机电", "13800000001", "王示例"] {
        assert!(!hidden.contains(words), "{words}: {hidden}");
    }
    app.get(&path, &other).await.expect(404);
    app.get("/desk/cases/ZT1/print", &centre).await.expect(404);
}
