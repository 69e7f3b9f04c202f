//! What a WeChat user does with a case of its own by words, numbers and menu keys, through the platform's callback.

use serde_json::{Value, json};
use zhitong::domain::access::Role;

use crate::{
    support::TestApp,
    wechat::{accounts, event, plain, text, words},
};

/// The gateway with a unit that handles cases and a user who has filed one.
struct Story {
    app: TestApp,
    staff: Vec<(&'static str, String)>,
    said: std::cell::Cell<u64>,
}

impl Story {
    async fn start() -> Self {
        let app = TestApp::with(|config| {
            accounts(config);
            let oa = config.wechat.oa.get_mut("main").expect("the account");
            oa.clicks.insert("URGE".into(), "催办".into());
        })
        .await;
        let roles = [
            ("front", Role::FrontDesk, ""),
            ("dispatcher", Role::Dispatcher, ""),
            ("verifier", Role::Verifier, ""),
            ("clerk", Role::UnitClerk, "zjj"),
            ("handler", Role::Handler, "zjj"),
            ("leader", Role::UnitLeader, "zjj"),
        ];
        let mut staff = Vec::new();
        for (login, role, unit) in roles {
            staff.push((login, app.officer(login, &[(role, unit)]).await));
        }
        Self { app, staff, said: std::cell::Cell::new(100) }
    }

    async fn says(&self, say: &str) -> String {
        self.said.set(self.said.get() + 1);
        words(&plain(&self.app, "main", text("o1", self.said.get(), say)).await.expect(200))
    }

    /// A case filed by words alone; its number.
    async fn files(&self) -> String {
        self.files_about("我要投诉乱收费，开发区管委会多收了我们三千元").await
    }

    async fn files_about(&self, matter: &str) -> String {
        self.says(matter).await;
        self.says("联系电话：13800138000").await;
        let receipt = self.says("提交").await;
        let at = receipt.find("ZT").unwrap_or_else(|| panic!("{receipt}"));
        receipt[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
    }

    async fn does(&self, who: &str, number: &str, action: &str, body: Value) {
        let token = &self.staff.iter().find(|(login, _)| *login == who).expect("one of the staff").1;
        let path = format!("/api/cases/{number}/actions/{action}");
        self.app.post(&path, token, body).await.expect(200);
    }

    async fn case(&self, number: &str) -> Value {
        let token = &self.staff[0].1;
        self.app.get(&format!("/api/cases/{number}"), token).await.expect(200).json()
    }

    async fn timeline(&self, number: &str) -> String {
        let token = &self.staff[0].1;
        self.app.get(&format!("/api/cases/{number}/timeline"), token).await.expect(200).text()
    }

    /// Up to the reply that waits for the enterprise.
    async fn replied(&self, number: &str) {
        self.does("front", number, "accept", json!({})).await;
        self.does("dispatcher", number, "dispatch", json!({"lead": "zjj"})).await;
        self.does("clerk", number, "sign_in", json!({"register_no": "收1", "handler": "handler"})).await;
        self.does(
            "handler",
            number,
            "record_contact",
            json!({"method": "phone", "reached": true, "result": "已联系", "person": "李经理"}),
        )
        .await;
        self.does("handler", number, "draft_reply", json!({"text": "多收的费用已经退还。", "conclusion": "solved"}))
            .await;
        self.does("leader", number, "sign_off", json!({})).await;
        self.does("verifier", number, "release_reply", json!({})).await;
    }
}

/// The number before an option of the last answer.
fn option(said: &str, label: &str) -> String {
    let line = said.lines().find(|line| line.split_once(' ').is_some_and(|(_, words)| words == label));
    line.and_then(|line| line.split_once(' ')).unwrap_or_else(|| panic!("no option {label}: {said}")).0.to_owned()
}

#[tokio::test]
async fn a_case_filed_in_wechat_is_urged_by_a_word_a_number_and_a_menu_key() {
    let story = Story::start().await;
    let number = story.files().await;
    let said = story.says("催办").await;
    assert!(said.contains("已为您催办") && said.contains(&number), "{said}");
    assert!(story.timeline(&number).await.contains("case_urged"));
    // Once is enough for two working days: the case says when it may be urged again.
    let again = words(&plain(&story.app, "main", event("o1", "CLICK", "URGE")).await.expect(200));
    assert!(again.contains("没有办成"), "{again}");
    let second = story.files_about("我要投诉开发区供电公司经常停电，影响我们工厂生产").await;
    assert_ne!(second, number);
    let which = story.says("催一下").await;
    assert!(which.contains("哪一件") && which.contains(&second), "{which}");
    let picked =
        which.lines().find(|line| line.contains(&second)).and_then(|line| line.split_once(' ')).expect("a line").0;
    let said = story.says(picked).await;
    assert!(said.contains("已为您催办") && said.contains(&second), "{said}");
    assert!(story.timeline(&second).await.contains("case_urged"));
}

#[tokio::test]
async fn a_case_filed_in_wechat_is_confirmed_and_rated_there() {
    let story = Story::start().await;
    let number = story.files().await;
    assert!(!story.says("满意").await.contains("已收到您对"), "there is nothing to rate yet");
    story.replied(&number).await;
    let progress = story.says("查进度").await;
    assert!(progress.contains("请确认是否解决"), "{progress}");
    let rated = story.says(&option(&progress, "已解决")).await;
    assert!(rated.contains("已记下您的确认") && rated.contains(&number), "{rated}");
    let case = story.case(&number).await;
    assert!(["closed", "closing_review"].contains(&case["status"].as_str().expect("a status")), "{case}");
    let thanks = story.says(&option(&rated, "非常满意")).await;
    assert!(thanks.contains("非常满意"), "{thanks}");
    assert!(story.timeline(&number).await.contains("非常满意"));
}

#[tokio::test]
async fn what_is_not_solved_goes_to_a_recheck_by_the_words_alone() {
    let story = Story::start().await;
    let number = story.files().await;
    story.replied(&number).await;
    // The answer asks for it, with options that a number picks.
    let said = story.says("2").await;
    assert!(said.contains("没有解决") && said.contains(&number), "{said}");
    assert_eq!(story.case(&number).await["status"], "recheck");
    let story = Story::start().await;
    let number = story.files().await;
    story.replied(&number).await;
    let said = story.says("不满意，费用没有退").await;
    assert!(said.contains("评价：不满意"), "{said}");
    assert_eq!(story.case(&number).await["status"], "recheck");
    assert!(story.timeline(&number).await.contains("费用没有退"));
}
