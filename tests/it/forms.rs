//! Every button of the case page, in every state and for every role: its own form, filled with no more than what it
//! asks for, is taken by the gateway.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Map, Value, json};
use zhitong::domain::access::Role;

use crate::support::TestApp;

/// The staff: login, role, unit.
const STAFF: &[(&str, Role, &str)] = &[
    ("front", Role::FrontDesk, ""),
    ("dispatcher", Role::Dispatcher, ""),
    ("verifier", Role::Verifier, ""),
    ("supervisor", Role::Supervisor, ""),
    ("head", Role::Leader, ""),
    ("clerk", Role::UnitClerk, "zjj"),
    ("handler", Role::Handler, "zjj"),
    ("leader", Role::UnitLeader, "zjj"),
    ("assist", Role::Handler, "xfj"),
];

/// Long enough for every text, and not the stock phrase that an extension refuses.
const WORDS: &str = "按照职责清单第三条，已到现场核对图纸并约好验收单位，预计下周三前完成整改复验";

/// How a case gets into a state: who does what with which fields, one after another.
type Steps = &'static [(&'static str, &'static str, &'static str)];

const ACCEPTED: Steps = &[("front", "accept", "{}")];
const DISPATCHED: Steps = &[("front", "accept", "{}"), ("dispatcher", "dispatch", r#"{"lead":"zjj","assists":[]}"#)];
const SIGN_IN: (&str, &str, &str) = ("clerk", "sign_in", r#"{"register_no":"收1","handler":"handler"}"#);
const CONTACT: (&str, &str, &str) =
    ("handler", "record_contact", r#"{"method":"phone","reached":true,"person":"李经理","result":"已联系"}"#);
const DRAFT: (&str, &str, &str) = ("handler", "draft_reply", r#"{"text":"已完成消防验收。","conclusion":"solved"}"#);
const PLAN: (&str, &str, &str) =
    ("verifier", "accept_plan", r#"{"milestones":[{"text":"完成整改","due_on":"2026-12-08"}]}"#);

/// Who did what with which fields, one after the other.
type Story = Vec<(&'static str, &'static str, &'static str)>;

/// Every state that officers meet, and what lies over a state.
fn stories() -> Vec<(&'static str, Story)> {
    let on = |start: Steps, more: &[(&'static str, &'static str, &'static str)]| [start, more].concat();
    let processing = on(DISPATCHED, &[SIGN_IN, CONTACT]);
    let after = |start: &Vec<_>, more: &[(&'static str, &'static str, &'static str)]| {
        start.iter().chain(more).copied().collect::<Vec<_>>()
    };
    let draft = after(&processing, &[DRAFT]);
    let replied = after(&draft, &[("leader", "sign_off", "{}")]);
    let waiting = after(&replied, &[("verifier", "release_reply", "{}")]);
    let recheck =
        after(&waiting, &[("verifier", "confirm", r#"{"solved":false,"words":"没修好","call_record":"10:00"}"#)]);
    let review = after(
        &recheck,
        &[("supervisor", "dismiss_rating", r#"{"finding":"已修","explanation":"已修","evidence":"照片"}"#)],
    );
    vec![
        ("submitted", vec![]),
        ("need_info", vec![("front", "request_info", r#"{"items":["营业执照"]}"#)]),
        ("not_accepted", vec![("front", "refuse", r#"{"code":"D2","path":"请向法院起诉"}"#)]),
        ("accepted", ACCEPTED.to_vec()),
        ("answered_on_spot", on(ACCEPTED, &[("front", "answer_on_spot", r#"{"text":"可以","source":"条例第一条"}"#)])),
        (
            "ownership_pending",
            on(ACCEPTED, &[("dispatcher", "mark_ownership_pending", r#"{"reason":"两家都说不是"}"#)]),
        ),
        ("dispatched", DISPATCHED.to_vec()),
        (
            "return_pending",
            on(
                DISPATCHED,
                &[(
                    "leader",
                    "request_return",
                    r#"{"reason":"not_our_duty","basis":"三定规定第三条","proposed_unit":"swj"}"#,
                )],
            ),
        ),
        ("signed", on(DISPATCHED, &[SIGN_IN])),
        ("processing", processing.clone()),
        (
            "processing, paused",
            after(
                &processing,
                &[(
                    "leader",
                    "pause",
                    r#"{"reason":"P2","explanation":"检测鉴定","document":"检测委托书","until_on":"2026-12-01"}"#,
                )],
            ),
        ),
        (
            "processing, extension asked",
            after(
                &processing,
                &[(
                    "leader",
                    "request_extension",
                    r#"{"days":2,"reason":"按照职责清单第三条，已到现场核对图纸并约好验收单位，预计下周三前完成"}"#,
                )],
            ),
        ),
        (
            "processing, assist asked",
            after(&processing, &[("handler", "ask_assist", r#"{"unit":"xfj","question":"请到场"}"#)]),
        ),
        (
            "processing, supervised",
            after(&processing, &[("supervisor", "supervise", r#"{"level":1,"letter":"请加快"}"#)]),
        ),
        (
            "processing, escalated",
            after(&processing, &[("supervisor", "escalate", r#"{"rung":5,"reason":"久拖不决"}"#)]),
        ),
        ("sign_off_pending", draft),
        ("replied", replied),
        ("awaiting_confirm", waiting.clone()),
        ("plan_tracking", after(&waiting, &[PLAN])),
        ("recheck", recheck.clone()),
        (
            "rectifying",
            after(&recheck, &[("supervisor", "uphold_rating", r#"{"facts":"没修","rectify":"三天内修好"}"#)]),
        ),
        ("closing_review", review.clone()),
        (
            "processing, pause asked",
            after(&processing, &[("handler", "pause", r#"{"reason":"P1","explanation":"缺检测报告"}"#)]),
        ),
        ("closed", after(&review, &[("verifier", "approve_close", "{}")])),
        (
            "transferred",
            on(ACCEPTED, &[("dispatcher", "transfer_out", r#"{"to":"市局","receipt":"1","reason":"上级权限"}"#)]),
        ),
    ]
}

struct House {
    app: TestApp,
    tokens: BTreeMap<&'static str, String>,
}

impl House {
    async fn open() -> Self {
        let app = TestApp::start().await;
        let mut tokens = BTreeMap::new();
        for (login, role, unit) in STAFF {
            tokens.insert(*login, app.officer(login, &[(*role, unit)]).await);
        }
        Self { app, tokens }
    }

    async fn file(&self) -> String {
        let body = json!({ "words": "我们厂房的消防验收一直批不下来，跑了三趟了", "enterprise": "示例机械有限公司",
            "contact_name": "李经理", "contact_phone": "13800000000", "type": "coordination", "topic": "FIRE.ACCEPT" });
        let filed = self.app.post("/api/cases", &self.tokens["front"], body).await.expect(201).json();
        filed["number"].as_str().expect("a number").to_owned()
    }

    async fn act(&self, who: &str, number: &str, action: &str, body: Value) -> (u16, Value) {
        let answer = self.app.post(&format!("/api/cases/{number}/actions/{action}"), &self.tokens[who], body).await;
        (answer.status.as_u16(), answer.json())
    }

    async fn case(&self, steps: &[(&'static str, &'static str, &'static str)]) -> String {
        let number = self.file().await;
        for (who, action, body) in steps {
            let body: Value = serde_json::from_str(body).expect("JSON");
            let (status, answer) = self.act(who, &number, action, body).await;
            assert_eq!(status, 200, "{who} {action}: {answer}");
        }
        number
    }
}

/// The forms of a page: action and its markup.
fn forms(page: &str) -> Vec<(String, String)> {
    let form = Regex::new(r#"(?s)<form data-action="([a-z_]+)"[^>]*>(.*?)</form>"#).expect("a pattern");
    form.captures_iter(page).map(|found| (found[1].to_owned(), found[2].to_owned())).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let pattern = Regex::new(&format!(r#"\s{name}="([^"]*)""#)).expect("a pattern");
    pattern.captures(tag).map(|found| found[1].to_owned())
}

/// The values of a select, without the empty one.
fn values(options: &str) -> Vec<String> {
    let option = Regex::new(r#"<option value="([^"]+)"( selected)?"#).expect("a pattern");
    option.captures_iter(options).map(|found| found[1].to_owned()).collect()
}

fn selected(options: &str) -> Option<String> {
    let option = Regex::new(r#"<option value="([^"]+)" selected"#).expect("a pattern");
    option.captures(options).map(|found| found[1].to_owned())
}

/// Choices that may ask for other fields: each value is tried.
const BRANCHING: &[&str] = &["reason", "conclusion", "method", "code", "resolved_layer", "way"];
/// Ticks that may be taken away or set: both are tried.
const TICKS: &[&str] = &["solved", "reached", "public"];

fn of_kind(kind: Option<&str>, tag: &str) -> Value {
    match kind {
        Some("number") => {
            let at_most = attribute(tag, "value").or_else(|| attribute(tag, "min")).unwrap_or_else(|| "1".to_owned());
            json!(at_most.parse::<u32>().expect("a number"))
        }
        Some("date") => json!(attribute(tag, "min").expect("the first day that is possible")),
        _ => json!(WORDS),
    }
}

/// Fills what the form requires and nothing else, as the page's script would send it; one body for each value of a
/// branching choice.
fn fillings(form: &str, number_of_another: &str) -> Vec<Value> {
    let control = Regex::new(r"(?s)<(textarea|select|input|fieldset)(\s[^>]*\bname=[^>]*)>").expect("a pattern");
    let mut branches: Vec<(String, Vec<String>)> = Vec::new();
    let mut fields: Vec<(String, String, String, String)> = Vec::new();
    let mut rest = form;
    while let Some(found) = control.captures(rest) {
        let (kind, tag) = (found[1].to_owned(), found[2].to_owned());
        rest = &rest[found.get(0).expect("a match").end()..];
        let inner = match kind.as_str() {
            "input" => String::new(),
            kind => {
                let end = rest.find(&format!("</{kind}>")).expect("an end");
                let inner = rest[..end].to_owned();
                rest = &rest[end..];
                inner
            }
        };
        let name = attribute(&tag, "name").expect("a name");
        if kind == "select" && BRANCHING.contains(&name.as_str()) {
            branches.push((name.clone(), values(&inner)));
        }
        fields.push((kind, name, tag, inner));
    }
    let (branch, choices) = branches.pop().unwrap_or_default();
    let choices = if choices.is_empty() { vec![String::new()] } else { choices };
    let mut bodies: Vec<Value> =
        choices.iter().map(|choice| filling(&fields, (&branch, choice), number_of_another)).collect();
    let mut inverted = bodies.first().cloned().unwrap_or_default();
    let ticks: Vec<_> = TICKS.iter().filter(|tick| inverted[**tick].is_boolean()).collect();
    for tick in &ticks {
        inverted[**tick] = json!(inverted[**tick] != json!(true));
    }
    if !ticks.is_empty() {
        bodies.push(inverted);
    }
    bodies
}

fn filling(fields: &[(String, String, String, String)], branch: (&str, &str), number_of_another: &str) -> Value {
    let mut body = Map::new();
    for (kind, name, tag, inner) in fields {
        let needed = attribute(tag, "data-needed-by").as_deref() == Some(branch.0)
            && attribute(tag, "data-needed-for").is_some_and(|list| list.split(' ').any(|value| value == branch.1));
        let required = needed || tag.ends_with(" required") || tag.contains(" required ");
        let json_kind = attribute(tag, "data-json").unwrap_or_default();
        let value = match (kind.as_str(), json_kind.as_str()) {
            ("fieldset", "rows") => {
                let least = attribute(tag, "data-least").and_then(|least| least.parse().ok()).expect("a number");
                Value::Array((0..least).map(|_| row(inner)).collect())
            }
            ("fieldset", _) => json!([]),
            ("input", "bool") => json!(tag.contains(" checked")),
            ("select", shape) => {
                let chosen = (name == branch.0).then(|| branch.1.to_owned()).filter(|value| !value.is_empty());
                match chosen.or_else(|| selected(inner)).or_else(|| required.then(|| values(inner).remove(0))) {
                    None => continue,
                    Some(value) if shape == "int" => json!(value.parse::<u32>().expect("a number")),
                    Some(value) => json!(value),
                }
            }
            _ if !required => continue,
            (_, "lines") => json!([WORDS]),
            _ if name == "into" => json!(number_of_another),
            (_, _) => of_kind(attribute(tag, "type").as_deref(), tag),
        };
        body.insert(name.clone(), value);
    }
    Value::Object(body)
}

fn row(markup: &str) -> Value {
    let item = markup.split("rows-item").nth(1).expect("a row");
    let column = Regex::new(r#"(?s)<(input|textarea|select)(\s[^>]*data-col="([a-z_]+)"[^>]*)>(.*?)</label>"#)
        .expect("a pattern");
    let mut body = Map::new();
    for found in column.captures_iter(item) {
        let value = match &found[1] {
            "select" => json!(selected(&found[4]).unwrap_or_else(|| values(&found[4]).remove(0))),
            _ => of_kind(attribute(&found[2], "type").as_deref(), &found[2]),
        };
        body.insert(found[3].to_owned(), value);
    }
    Value::Object(body)
}

/// What an overlay does not touch: tried in the state itself.
const UNTOUCHED: &[&str] =
    &["split", "regrade", "transfer_out", "record_contact", "record_progress", "assign", "ask_assist"];

#[tokio::test]
async fn every_button_of_every_role_in_every_state_leads_somewhere() {
    let house = House::open().await;
    let mut tried = BTreeSet::new();
    let mut bare = Vec::new();
    let mut wrong = Vec::new();
    for (state, steps) in stories() {
        let number = house.case(&steps).await;
        for (who, ..) in STAFF {
            let path = format!("/api/cases/{number}");
            let shown = house.app.get(&path, &house.tokens[who]).await;
            if shown.status.as_u16() == 404 {
                continue;
            }
            let allowed = shown.json()["allowed_actions"].clone();
            let page = house.app.get(&format!("/desk/cases/{number}"), &house.tokens[who]).await.expect(200).text();
            let forms = forms(&page);
            for action in allowed.as_array().expect("actions").iter().filter_map(Value::as_str) {
                if !forms.iter().any(|(slug, _)| slug == action) {
                    bare.push((state, *who, action.to_owned()));
                }
            }
            for (action, markup) in &forms {
                assert!(allowed.as_array().is_some_and(|list| list.contains(&json!(action))), "{state} {who} {action}");
                if state.contains(',') && UNTOUCHED.contains(&action.as_str()) {
                    continue;
                }
                let another = house.file().await;
                for body in fillings(markup, &another) {
                    let fresh = house.case(&steps).await;
                    // The task of an assist is of its own case: the form of that case is asked again.
                    let body = if body.get("task").is_some() {
                        let page = house.app.get(&format!("/desk/cases/{fresh}"), &house.tokens[who]).await.text();
                        let again = self::forms(&page);
                        let (_, markup) = again.iter().find(|(slug, _)| slug == action).expect("the same form");
                        fillings(markup, &another).remove(0)
                    } else {
                        body
                    };
                    let (status, answer) = house.act(who, &fresh, action, body.clone()).await;
                    if status != 200 {
                        wrong.push(format!("{state}: {who} {action} {body} → {status} {answer}"));
                    }
                    tried.insert(action.clone());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(bare.is_empty(), "allowed, but without a button: {bare:?}");
    for action in ["split", "accept_plan", "merge", "transfer_out", "request_close", "answer_assist", "reopen"] {
        assert!(tried.contains(action), "{action} was never tried: {tried:?}");
    }
}
