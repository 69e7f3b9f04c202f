//! The rungs that are counted over several cases (DOMAIN 2.6), through the API: the second refused return of a unit and
//! the third repeat of a matter.

use serde_json::{Value, json};
use zhitong::domain::access::Role;

use crate::support::TestApp;

struct Office {
    app: TestApp,
    centre: String,
    leaders: [(&'static str, String); 2],
}

impl Office {
    async fn new(app: TestApp) -> Self {
        let centre = app.officer("centre", &[(Role::FrontDesk, ""), (Role::Dispatcher, "")]).await;
        let zjj = app.officer("zjj", &[(Role::UnitLeader, "zjj")]).await;
        let swj = app.officer("swj", &[(Role::UnitLeader, "swj")]).await;
        Self { app, centre, leaders: [("zjj", zjj), ("swj", swj)] }
    }

    /// On each database there is.
    async fn everywhere() -> Vec<Self> {
        let mut offices = vec![Self::new(TestApp::start().await).await];
        if let Some(app) = TestApp::on_postgres().await {
            offices.push(Self::new(app).await);
        }
        offices
    }

    async fn act(&self, token: &str, number: &str, action: &str, body: Value) -> Value {
        let path = format!("/api/cases/{number}/actions/{action}");
        self.app.post(&path, token, body).await.expect(200).json()
    }

    async fn filed(&self) -> String {
        let body = json!({ "words": "厂门口路灯坏了两周，一直没有人来修", "enterprise": "示例机械有限公司",
            "contact_phone": "13800000001", "type": "coordination" });
        let filed = self.app.post("/api/cases", &self.centre, body).await.expect(201).json();
        filed["number"].as_str().expect("a number").to_owned()
    }

    /// A case whose return the centre refuses; gives its overlays.
    async fn return_refused(&self, unit: &str) -> Vec<String> {
        let (_, leader) = self.leaders.iter().find(|(of, _)| *of == unit).expect("a leader");
        let other = if unit == "zjj" { "swj" } else { "zjj" };
        let number = self.filed().await;
        self.act(&self.centre, &number, "accept", json!({})).await;
        self.act(&self.centre, &number, "dispatch", json!({ "lead": unit })).await;
        let ask = json!({ "reason": "not_our_duty", "basis": "三定规定第二条", "proposed_unit": other });
        self.act(leader, &number, "request_return", ask).await;
        overlays(&self.act(&self.centre, &number, "refuse_return", json!({ "reason": "属你单位职责" })).await)
    }

    /// A case that names an earlier one of the same matter; gives its number and its overlays.
    async fn accepted_as_repeat_of(&self, earlier: Option<&str>) -> (String, Vec<String>) {
        let number = self.filed().await;
        let body = earlier.map_or_else(|| json!({}), |earlier| json!({ "repeat_of": earlier }));
        let case = self.act(&self.centre, &number, "accept", body).await;
        (number, overlays(&case))
    }
}

fn overlays(case: &Value) -> Vec<String> {
    let items = case["overlays"].as_array().expect("overlays");
    items.iter().map(|overlay| overlay["kind"].as_str().expect("a kind").to_owned()).collect()
}

fn has(overlays: &[String], key: &str) -> bool {
    overlays.iter().any(|overlay| overlay == key)
}

#[tokio::test]
async fn the_second_refused_return_of_the_same_unit_is_supervised() {
    for office in Office::everywhere().await {
        assert!(!has(&office.return_refused("zjj").await, "supervised"), "the first one");
        assert!(!has(&office.return_refused("swj").await, "supervised"), "another unit's first one");
        assert!(has(&office.return_refused("zjj").await, "supervised"), "the second one of the unit");
        // Long ago is no pattern.
        let later =
            office.app.app.now().saturating_add(jiff::SignedDuration::from_hours(24 * 120)).expect("an instant");
        office.app.clock.set(later);
        assert!(!has(&office.return_refused("swj").await, "supervised"), "the first one for a long time");
    }
}

#[tokio::test]
async fn the_third_repeat_of_the_same_matter_is_escalated_whichever_case_it_names() {
    for office in Office::everywhere().await {
        let (first, overlays) = office.accepted_as_repeat_of(None).await;
        assert!(!has(&overlays, "escalated"));
        let (second, overlays) = office.accepted_as_repeat_of(Some(&first)).await;
        assert!(has(&overlays, "repeat_of") && !has(&overlays, "escalated"));
        // One names the first case, one the case between: it is one matter.
        let (_, overlays) = office.accepted_as_repeat_of(Some(&first)).await;
        assert!(!has(&overlays, "escalated"), "the second repeat");
        let (_, overlays) = office.accepted_as_repeat_of(Some(&second)).await;
        assert!(has(&overlays, "escalated"), "the third repeat");
        // Another matter is not drawn in.
        let (other, _) = office.accepted_as_repeat_of(None).await;
        let (_, overlays) = office.accepted_as_repeat_of(Some(&other)).await;
        assert!(!has(&overlays, "escalated"));
    }
}
