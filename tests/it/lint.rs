//! The lint list of RULES 2.2: for every code a file that has it and one that has not.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use zhitong::domain::rules::{CompileEnv, ExampleEnv, SourceFile, TopicInfo, compile};

const TODAY: Date = date(2026, 11, 25);

fn env() -> CompileEnv {
    let topic = |group: &str| TopicInfo { label: group.into(), group: group.into(), case_type: None };
    CompileEnv {
        topics: BTreeMap::from([("POLICY.PAY".to_owned(), topic("政策")), ("POWER".to_owned(), topic("要素"))]),
        units: BTreeMap::from([("zjj".to_owned(), vec!["住房和城乡建设局".to_owned(), "住建局".to_owned()])]),
        ..CompileEnv::lenient(TODAY)
    }
}

/// Codes of all findings, those that need the compiled set included.
fn codes(text: &str) -> Vec<&'static str> {
    let files = [SourceFile { path: "a.toml".into(), text: text.into() }];
    let compiled = compile(&files, &env());
    let mut codes: Vec<&'static str> = compiled.diagnostics.iter().map(|d| d.code).collect();
    if let Some(set) = compiled.set {
        let area = Some("350000".to_owned());
        codes.extend(set.lint_examples(&ExampleEnv { today: TODAY, area }).iter().map(|d| d.code));
    }
    codes
}

/// A rule without any finding, which the cases spoil in one place.
const GOOD: &str = r#"[[rule]]
id = "pay"
title = "补贴多久到账"
status = "active"
category = "咨询"
topic = "POLICY.PAY"
owner = "甲"
reviewer = "乙"
review_due = 2027-06-30
valid_until = 2027-12-31
priority = 50
[rule.when]
all = ["补贴", "到账"]
none = ["拖欠"]
max_chars = 60
[rule.answer]
text = "公示以后30日内到账。"
quick_replies = ["转人工"]
[[rule.cite]]
title = "办法"
doc_no = "甲〔2025〕7号"
clause = "第三十条"
url = "https://www.gov.cn/a"
supports = ["30日"]
[rule.tests]
match = ["补贴多久到账", "补贴几天能到账", "补贴啥时候到账"]
not_match = [{ text = "拖欠的补贴到账没有" }]
"#;

/// The same rule under another id and with other words.
fn other(id: &str, words: &str) -> String {
    GOOD.replace("id = \"pay\"", &format!("id = \"{id}\""))
        .replace("补贴", words)
        .replace("到账", "下发")
        .replace("公示以后", "报名以后")
        .replace("办法", "细则")
}

#[test]
fn every_code_has_a_file_that_shows_it_and_one_that_does_not() {
    assert_eq!(codes(GOOD), Vec::<&str>::new());
    let swap = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replace(from, to)
    };
    let in_wechat = |text: String| text.replace("priority = 50", "priority = 50\nchannels = [\"wechat\"]");
    let on_web = |text: String| text.replace("priority = 50", "priority = 50\nchannels = [\"web\"]");
    let long = || swap("公示以后30日内到账。", &"慢".repeat(700));
    let low = format!(
        "{}{}",
        swap("priority = 50", "priority = 40").replace("多久", "要多久"),
        other("all", "补助")
            .replace("all = [\"补助\", \"下发\"]", "any = [\"补贴\"]")
            .replace("priority = 50", "priority = 60")
    );
    let successor = |from: &str| {
        GOOD.replace("id = \"pay\"", "id = \"pay-2\"")
            .replace("valid_until = 2027-12-31", from)
            .replace("title = \"补贴多久到账\"", "title = \"新办法的到账时间\"")
            .replace("30日内到账", "新的规定：30日内到账，请留意")
    };
    let until_2026 = swap("valid_until = 2027-12-31", "valid_until = 2026-12-31");
    let ask = |kind: &str| {
        swap("quick_replies = [\"转人工\"]", "quick_replies = [\"现在登记\", \"转人工\"]")
            + &format!(
                "[rule.form]\ntrigger = \"现在登记\"\n[[rule.form.ask]]\nslot = \"amount\"\ntype = \"{kind}\"\nask = \"多少？\"\n"
            )
    };
    let route = |unit: &str| format!("{GOOD}[rule.route]\ndepartment = \"{unit}\"\n");
    let demand = swap("category = \"咨询\"", "category = \"诉求\"");
    let group =
        |members: &str| format!("[groups]\n\"款\" = [{members}]\n{}", swap("\"补贴\", \"到账\"", "\"@款\", \"到账\""));
    for (code, bad, good) in [
        ("E001", swap("title = \"补贴多久到账\"", "title = \"补贴多久到账”"), GOOD.to_owned()),
        ("E001", swap("priority = 50", "priority = ５０"), GOOD.to_owned()),
        ("E002", swap("priority = 50", "priorty = 50"), GOOD.to_owned()),
        ("E002", swap("priority = 50", "areas = [\"福建省\"]"), swap("priority = 50", "areas = [\"35\"]")),
        ("E002", swap("priority = 50", "han_view = true"), GOOD.to_owned()),
        (
            "E002",
            swap("priority = 50", "allow = [\"W108\"]"),
            swap("priority = 50", "allow = [\"W108: 试用, 2026-12-31\"]"),
        ),
        ("E003", format!("{GOOD}{}", other("pay", "贷款")), format!("{GOOD}{}", other("loan", "贷款"))),
        ("E004", swap("\"补贴\", \"到账\"", "\"补贴\", \"　\""), GOOD.to_owned()),
        ("E005", swap("\"补贴\", \"到账\"", "\"@没有\", \"到账\""), GOOD.to_owned()),
        ("E006", swap("none = [\"拖欠\"]", "none = [\"补\"]"), GOOD.to_owned()),
        ("E007", low, format!("{GOOD}{}", other("loan", "贷款"))),
        ("E008", format!("{GOOD}{}", successor("")), format!("{until_2026}{}", successor("valid_from = 2027-01-01"))),
        (
            "E009",
            format!("{GOOD}{}", successor("").replace("none = [\"拖欠\"]", "none = [\"欠款\"]")),
            format!("{until_2026}{}", successor("valid_from = 2027-01-01")),
        ),
        ("E010", swap("match = [", "match = [\"停电了找谁\", "), GOOD.to_owned()),
        ("E010", swap("not_match = [{", "not_match = [{ text = \"补贴到账了吗\" }, {"), GOOD.to_owned()),
        (
            "E011",
            swap("max_chars = 60", "regex = [\"补贴(?=到)\"]\nmax_chars = 60"),
            swap("max_chars = 60", "regex = [\"补贴.{0,9}到账\"]\nmax_chars = 60"),
        ),
        ("E012", swap("公示以后", "{{何时}}"), swap("公示以后", "{{企业称呼}}公示以后")),
        (
            "E012",
            swap("公示以后", "见https://www.gov.cn/{{企业称呼}}，"),
            swap("公示以后", "见https://www.gov.cn，{{企业称呼}}公示以后"),
        ),
        ("E013", swap("30日内", "20日内"), GOOD.to_owned()),
        ("E013", swap("30日内", "120日内"), GOOD.to_owned()),
        ("E013", swap("30日内", "30日（7个工作日）内"), swap("30日内", "30日内（甲〔2025〕7号）")),
        ("E013", swap("supports = [\"30日\"]", "supports = []"), GOOD.to_owned()),
        ("E013", swap("30日内", "每六个月发一次，30日内"), GOOD.to_owned()),
        ("E014", swap("https://www.gov.cn/a", "https://gov.cn.example.com/a"), GOOD.to_owned()),
        ("E015", swap("valid_until = 2027-12-31", "valid_until = 2025-12-31"), GOOD.to_owned()),
        ("E016", swap("topic = \"POLICY.PAY\"", "topic = \"POLICY.PAID\""), GOOD.to_owned()),
        ("E016", route("zj"), route("zjj")),
        ("E016", ask("多少钱"), ask("金额")),
        ("E016", swap("\"转人工\"", "\"月亮上有没有水\", \"转人工\""), GOOD.to_owned()),
        ("E017", in_wechat(long()), on_web(long())),
        ("E018", swap("公示以后", "打13800138000问。公示以后"), GOOD.to_owned()),
        (
            "E018",
            swap(
                "quick_replies = [\"转人工\"]",
                "quick_replies = [\"转人工\"]\n[rule.answer.vars]\n\"号码\" = \"13800138000\"",
            )
            .replace("公示以后", "问{{号码}}。公示以后"),
            GOOD.to_owned(),
        ),
        ("E018", swap("title = \"补贴多久到账\"", "title = \"补贴到账问13800138000\""), GOOD.to_owned()),
        ("E019", swap("公示以后", "保证公示以后"), GOOD.to_owned()),
        ("W101", swap("all = [\"补贴\", \"到账\"]", "any = [\"补\"]"), GOOD.to_owned()),
        ("W101", group("\"款\", \"补贴\""), group("\"补贴\"")),
        ("W102", swap("\"补贴\", \"到账\"", "\"補貼\", \"到账\""), GOOD.to_owned()),
        ("W103", group("\"补贴\", \"补贴\""), group("\"补贴\"")),
        ("W103", group("\"补贴\", \"补贴款\""), group("\"补贴\", \"补助\"")),
        ("W104", swap("match = [\"补贴多久到账\", ", "match = ["), GOOD.to_owned()),
        ("W105", swap("max_chars = 60\n", ""), GOOD.to_owned()),
        (
            "W105",
            swap("max_chars = 60", "max_chars = 60\nnegation = \"allow\""),
            swap("max_chars = 60", "max_chars = 60\nnegation = \"allow\"  # 问法里常带“不用”"),
        ),
        ("W106", swap("review_due = 2027-06-30", "review_due = 2026-12-01"), GOOD.to_owned()),
        ("W106", swap("owner = \"甲\"\n", ""), GOOD.to_owned()),
        ("W107", demand.clone(), format!("{demand}[rule.route]\ndepartment = \"zjj\"\n")),
        (
            "W108",
            swap("priority = 50", "priority = 95"),
            swap("priority = 50", "priority = 95\nallow = [\"W108: 险情, 2026-12-31\"]"),
        ),
        (
            "W109",
            format!("{GOOD}{}", other("loan", "贷款").replace("title = \"贷款多久下发\"", "title = \"补贴多久到账\"")),
            format!("{GOOD}{}", other("loan", "贷款")),
        ),
        (
            "W110",
            swap("not_match", "todo_match = [\"补贴何时到账\"]\nnot_match"),
            swap("not_match", "todo_match = [\"钱呢\"]\nnot_match"),
        ),
        (
            "W110",
            swap("not_match", "todo_match = [\"补贴何时到账\"]\nnot_match"),
            swap("not_match", "todo_match = [\"补贴何时到账\"]\nnot_match")
                .replace("priority = 50", "priority = 50\nallow = [\"W110: 等复核, 2026-12-31\"]"),
        ),
    ] {
        let found = codes(&bad);
        assert!(found.contains(&code), "{code} is not found: {found:?}\n{bad}");
        let found = codes(&good);
        assert!(!found.contains(&code), "{code} is found: {found:?}\n{good}");
    }
}
