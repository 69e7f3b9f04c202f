//! Rule files from the outside: parsing, linting, examples, decisions.

use std::{fmt::Write as _, fs};

use jiff::civil::date;
use proptest::prelude::*;
use zhitong::domain::{
    kinds::{CaseType, Channel, Diversion},
    rules::{CompileEnv, Compiled, ExampleEnv, Input, Level, SourceFile, TopicInfo, compile},
};

const TODAY: jiff::civil::Date = date(2026, 11, 25);

fn sample() -> Vec<SourceFile> {
    ["_synonyms.toml", "惠企-稳岗返还.toml"]
        .into_iter()
        .map(|path| SourceFile {
            path: path.to_owned(),
            text: fs::read_to_string(format!("{}/tests/it/fixtures/rules/{path}", env!("CARGO_MANIFEST_DIR")))
                .expect("the fixture is there"),
        })
        .collect()
}

fn compiled(text: &str) -> Compiled {
    compile(&[SourceFile { path: "a.toml".into(), text: text.into() }], &CompileEnv::lenient(TODAY))
}

/// A complete rule that tests vary.
fn rule(id: &str, when: &str, more: &str) -> String {
    format!(
        "[[rule]]\nid = \"{id}\"\ntitle = \"规则{id}\"\nstatus = \"active\"\ncategory = \"咨询\"\n{more}\n[rule.when]\n{when}\n[rule.answer]\ntext = \"答案。\"\n"
    )
}

fn codes(text: &str) -> Vec<&'static str> {
    compiled(text).diagnostics.iter().filter(|d| d.level == Level::Error).map(|d| d.code).collect()
}

fn winner(text: &str, message: &str) -> Option<String> {
    winner_in(text, message, None, TODAY)
}

fn winner_in(text: &str, message: &str, area: Option<&str>, today: jiff::civil::Date) -> Option<String> {
    let compiled = compiled(text);
    let errors: Vec<_> = compiled.diagnostics.iter().filter(|d| d.level == Level::Error && d.code != "E015").collect();
    assert!(errors.is_empty(), "{errors:?}");
    let set = compiled.set.expect("the set is built");
    let decision = set.decide(&Input { text: message, channel: Channel::Web, area, today });
    decision.matters.into_iter().find_map(|m| m.answer).map(|a| a.rule_id)
}

#[test]
fn the_reference_example_is_clean_and_passes_its_own_tests() {
    let compiled = compile(&sample(), &CompileEnv::lenient(TODAY));
    let errors: Vec<String> =
        compiled.diagnostics.iter().filter(|d| d.level == Level::Error).map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let set = compiled.set.expect("the set is built");
    let report = set.run_examples(&ExampleEnv { today: TODAY, area: Some("440300".into()) });
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    assert_eq!((report.positives, report.negatives, report.chats), (9, 4, 1));
    // A rule of another region is tested in its own.
    let elsewhere = set.run_examples(&ExampleEnv { today: TODAY, area: Some("350000".into()) });
    assert!(elsewhere.failures.is_empty(), "{:#?}", elsewhere.failures);
    let late = set.run_examples(&ExampleEnv { today: date(2027, 1, 1), area: Some("440300".into()) });
    assert!(late.failures.iter().all(|f| f.kind == "反例" || f.kind == "对话"), "{:#?}", late.failures);
    assert_eq!(late.out_of_force, 1);
}

#[test]
fn an_expired_rule_says_so_and_does_not_answer() {
    let set = compile(&sample(), &CompileEnv::lenient(TODAY)).set.expect("the set is built");
    let decision =
        set.decide(&Input {
            text: "稳岗补贴怎么申请", channel: Channel::Web, area: None, today: date(2027, 1, 1)
        });
    let matter = decision.matters.first().expect("there is a matter");
    assert_eq!(matter.answer, None);
    assert_eq!(matter.expired.as_deref(), Some("hq-wengang-apply"));
}

#[test]
fn words_meet_in_one_clause_or_the_one_before() {
    let rules = rule("a", "all = [\"稳岗返还\", \"怎么申请\"]", "");
    for (message, expected) in [
        ("稳岗返还怎么申请", Some("a")),
        ("稳岗返还，怎么申请", Some("a")),
        ("稳岗返还，我们听说过，怎么申请", None),
        ("怎么申请的，稳岗返还", Some("a")),
        ("穩崗返還怎麼申請", Some("a")),
    ] {
        assert_eq!(winner(&rules, message).as_deref(), expected, "{message}");
    }
}

#[test]
fn excluded_and_ignored_words() {
    let rules = rule("a", "all = [\"补贴\"]\nnone = [\"没收到\", \"投诉\"]\nignore = [\"没收到通知\"]", "");
    for (message, expected) in [
        ("补贴怎么申请", Some("a")),
        ("补贴没收到", None),
        ("补贴怎么申请，没收到通知", Some("a")),
        ("我不是要投诉，就问补贴", Some("a")),
        ("补贴的事我要投诉", None),
    ] {
        assert_eq!(winner(&rules, message).as_deref(), expected, "{message}");
    }
}

#[test]
fn what_an_answer_says_nothing_of_it_does_not_answer() {
    let aspects = "[aspects]\n\"费用\" = [\"收费\", \"要钱\"]\n\"地址\" = [\"在哪条路\"]\n";
    let free = rule("a", "all = [\"补贴\"]", "").replace("答案。", "申请补贴不收费。");
    let set = format!("{aspects}{free}{}", rule("b", "all = [\"帮办\"]", ""));
    for (message, expected) in [
        ("帮办是什么", Some("b")),
        ("帮办要钱吗", None),
        ("帮办窗口在哪条路", None),
        // The answer speaks of the fee in other words of the same aspect.
        ("补贴要钱吗", Some("a")),
        ("补贴窗口在哪条路", None),
    ] {
        assert_eq!(winner(&set, message).as_deref(), expected, "{message}");
    }
    let compiled = compiled(&format!("[aspects]\n\"费用\" = [\"钱\", \"收费\"]\n\"贵\" = [\"收费\"]\n{free}"));
    let codes: Vec<&str> = compiled.diagnostics.iter().filter(|d| d.message.contains("问法")).map(|d| d.code).collect();
    assert_eq!(codes, ["E004", "W103"], "{:?}", compiled.diagnostics);
}

#[test]
fn negation_takes_back_and_questions_do_not() {
    let rules = rule("a", "all = [\"申请补贴\"]", "");
    for (message, expected) in [
        ("我想申请补贴", Some("a")),
        ("我不想申请补贴", None),
        ("我们无需申请补贴", None),
        ("要不要申请补贴", Some("a")),
        ("是不是要申请补贴", Some("a")),
        ("不是说可以申请补贴吗", Some("a")),
        ("不用去窗口，在网上就能申请补贴", Some("a")),
    ] {
        assert_eq!(winner(&rules, message).as_deref(), expected, "{message}");
    }
    let allowed = rule("a", "all = [\"申请补贴\"]\nnegation = \"allow\" # 都算", "");
    assert_eq!(winner(&allowed, "我不想申请补贴").as_deref(), Some("a"));
}

#[test]
fn priority_then_specificity_then_clarification() {
    let two =
        |a: &str, b: &str| format!("{}{}", rule("a", "all = [\"补贴\"]", a), rule("b", "all = [\"稳岗补贴\"]", b));
    assert_eq!(winner(&two("", ""), "稳岗补贴").as_deref(), Some("b"));
    assert_eq!(winner(&two("priority = 60", ""), "稳岗补贴").as_deref(), Some("a"));
    let tied = format!("{}{}", rule("a", "all = [\"稳岗\"]", ""), rule("b", "all = [\"补贴\"]", ""));
    let set = compiled(&tied).set.expect("the set is built");
    let decision = set.decide(&Input { text: "稳岗补贴", channel: Channel::Web, area: None, today: TODAY });
    let matter = decision.matters.first().expect("there is a matter");
    assert!(matter.answer.is_none());
    assert_eq!(matter.clarify.len(), 2);
}

#[test]
fn areas_dates_channels_and_length_are_gates() {
    let fujian = rule(
        "a",
        "all = [\"补贴\"]\nmax_chars = 20",
        "areas = [\"350000\"]\nvalid_from = 2026-01-01\nvalid_until = 2026-12-31\nchannels = [\"web\"]",
    );
    let long = format!("补贴{}", "好".repeat(30));
    for (message, area, today, expected) in [
        ("补贴", Some("350102"), TODAY, Some("a")),
        ("补贴", Some("440300"), TODAY, None),
        ("补贴", None, TODAY, Some("a")),
        ("宿迁的补贴", Some("350102"), TODAY, None),
        ("补贴", Some("350102"), date(2025, 12, 31), None),
        ("补贴", Some("350102"), date(2026, 12, 31), Some("a")),
        ("补贴", Some("350102"), date(2027, 1, 1), None),
        (long.as_str(), Some("350102"), TODAY, None),
    ] {
        assert_eq!(winner_in(&fujian, message, area, today).as_deref(), expected, "{message} {area:?} {today}");
    }
}

#[test]
fn an_expression_needs_a_literal_and_is_bounded() {
    assert_eq!(
        winner(&rule("a", "all = [\"补助\"]\nregex = [\"第.{1,3}批\"]", ""), "第二批补助").as_deref(),
        Some("a")
    );
    assert_eq!(winner(&rule("a", "all = [\"补助\"]\nregex = [\"第.{1,3}批\"]", ""), "补助多少"), None);
    for pattern in ["(?=补贴)", "(补贴)\\\\1", "\\\\b补贴", "(((\\\\w{100}){100}){100})", "补(", &"补".repeat(201)]
    {
        let text = rule("a", &format!("all = [\"补贴\"]\nregex = [\"{pattern}\"]"), "");
        assert_eq!(codes(&text), ["E011"], "{pattern}");
    }
    assert_eq!(codes(&rule("a", "regex = [\"补贴\"]", "")), ["E011"]);
}

#[test]
fn faults_are_found_where_they_stand() {
    let good = rule("good", "all = [\"好词\"]", "");
    for (name, text, expected) in [
        ("chinese quotes", rule("a", "all = [“补贴”]", ""), "E001"),
        ("chinese comma", rule("a", "all = [\"补贴\"，\"补助\"]", ""), "E001"),
        ("chinese equals", rule("a", "all ＝ [\"补贴\"]", ""), "E001"),
        ("chinese key", rule("a", "all = [\"补贴\"]", "负责人 = \"甲\""), "E001"),
        ("unknown field", rule("a", "all = [\"补贴\"]", "titel = \"a\""), "E002"),
        ("unknown value", rule("a", "all = [\"补贴\"]", "urgency = \"hihg\""), "E002"),
        ("wrong type", rule("a", "all = \"补贴\"", ""), "E002"),
        ("same id", format!("{}{}", rule("a", "all = [\"补贴\"]", ""), rule("a", "all = [\"补助\"]", "")), "E003"),
        ("empty word", rule("a", "all = [\"　\"]", ""), "E004"),
        ("unknown group", rule("a", "all = [\"@没有\"]", ""), "E005"),
        ("never", rule("a", "all = [\"稳岗补贴\"]\nnone = [\"补贴\"]", ""), "E006"),
        (
            "same conditions",
            format!("{}{}", rule("a", "all = [\"补贴\"]", ""), rule("b", "all = [\"補貼\"]", "")),
            "E008",
        ),
        ("unknown variable", rule("a", "all = [\"补贴\"]", "").replace("答案。", "{{期限}}"), "E012"),
        ("figure", rule("a", "all = [\"补贴\"]", "").replace("答案。", "5个工作日。"), "E013"),
        ("no source", rule("a", "all = [\"补贴\"]", "topic = \"POLICY.PAY\""), "E014"),
        (
            "foreign source",
            rule("a", "all = [\"补贴\"]", "")
                + "[[rule.cite]]\ntitle = \"甲\"\nurl = \"https://gov.cn.example.com/a\"\n",
            "E014",
        ),
        (
            "never first",
            format!(
                "{}{}",
                rule("a", "all = [\"补贴\"]\nany = [\"多久\", \"几天\"]", "priority = 40"),
                rule("b", "any = [\"补贴\", \"补助\"]", "priority = 60")
            ),
            "E007",
        ),
        ("dates", rule("a", "all = [\"补贴\"]", "valid_from = 2027-01-01\nvalid_until = 2026-12-31"), "E015"),
        ("too long", rule("a", "all = [\"补贴\"]", "").replace("答案。", &"长".repeat(700)), "E017"),
        ("promise", rule("a", "all = [\"补贴\"]", "").replace("答案。", "一定能批。"), "E019"),
    ] {
        let found = codes(&format!("{good}{text}"));
        assert!(found.contains(&expected), "{name}: {found:?}");
        // The good rule of the same file stays in force.
        let set = compiled(&format!("{good}{text}")).set.expect("the set is built");
        assert!(set.rule("good").is_some(), "{name}");
    }
    let personal = format!("{}[rule.tests]\nmatch = [\"补贴 13800138000\"]\n", rule("a", "all = [\"补贴\"]", ""));
    assert_eq!(codes(&personal), ["E018"]);
}

#[test]
fn a_rule_is_only_covered_by_one_that_always_fires_with_it() {
    let low = |when: &str, more: &str| rule("a", when, &format!("priority = 40\n{more}"));
    let high = |when: &str, more: &str| rule("b", when, &format!("priority = 60\n{more}"));
    for (a, b) in [
        (low("all = [\"补贴\"]", ""), high("all = [\"补贴\"]\nnone = [\"投诉\"]", "")),
        (low("all = [\"补贴\"]", ""), high("all = [\"补贴\", \"多久\"]", "")),
        (low("any = [\"补贴\", \"补助\"]", ""), high("any = [\"补贴\", \"资金\"]", "")),
        (low("all = [\"补贴\"]", ""), high("any = [\"补贴\", \"补助\"]\nmax_chars = 5", "")),
        (low("all = [\"补贴\"]", ""), high("any = [\"补贴\", \"补助\"]", "areas = [\"350000\"]")),
        (low("all = [\"补贴\"]", ""), high("any = [\"补贴\", \"补助\"]", "valid_until = 2027-12-31")),
        (low("all = [\"补贴\"]", "").replace("priority = 40", "priority = 60"), high("any = [\"补贴\", \"补助\"]", "")),
    ] {
        assert_eq!(codes(&format!("{a}{b}")), [""; 0], "{b}");
    }
}

#[test]
fn a_file_named_after_a_group_holds_that_group() {
    let topic = |group: &str| TopicInfo { group: group.into(), ..TopicInfo::default() };
    let env = CompileEnv {
        topics: [("TAX".to_owned(), topic("税费")), ("PAY".to_owned(), topic("政策"))].into(),
        ..CompileEnv::lenient(TODAY)
    };
    let text = rule("a", "all = [\"补贴\"]", "topic = \"PAY\"").replace("category = \"咨询\"", "kind = \"topic\"");
    let text = text.replace("[rule.answer]\ntext = \"答案。\"\n", "");
    for (path, expected) in [("主题-税费.toml", vec!["E003"]), ("主题-政策.toml", vec![]), ("我的规则.toml", vec![])]
    {
        let found = compile(&[SourceFile { path: format!("分类/{path}"), text: text.clone() }], &env).diagnostics;
        let errors: Vec<_> = found.iter().filter(|d| d.level == Level::Error).collect();
        assert_eq!(errors.iter().map(|d| d.code).collect::<Vec<_>>(), expected, "{path}");
        assert!(errors.iter().all(|d| d.message == "文件名说的是“税费”，这条规则的主题属于“政策”"), "{errors:?}");
    }
}

#[test]
fn buttons_that_only_lead_to_each_other_are_a_circle() {
    let circle = |second: &str| {
        let one = rule("a", "all = [\"补贴\"]", "").replace("答案。\"", "答案。\"\nquick_replies = [\"退税\"]");
        let two = rule("b", "all = [\"退税\"]", "")
            .replace("答案。\"", &format!("另一个答案。\"\nquick_replies = [{second}]"));
        let set = compiled(&format!("{one}{two}")).set.expect("the set is built");
        let env = ExampleEnv { today: TODAY, area: None };
        let found = set.lint_examples(&env);
        found.iter().filter(|d| d.code == "E016").map(|d| d.rule.clone().unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(circle("\"补贴\""), ["a", "b"]);
    assert_eq!(circle("\"补贴\", \"转人工\""), Vec::<String>::new());
    assert_eq!(circle("\"退税\""), ["a", "b"], "a button that repeats its own answer is no way out");
}

#[test]
fn titles_and_answers_that_are_nearly_the_same_are_named() {
    let answered = |id: &str, title: &str, word: &str, answer: &str| {
        rule(id, &format!("all = [\"{word}\"]"), "").replace(&format!("规则{id}"), title).replace("答案。", answer)
    };
    let long = "请带齐材料到登记窗口办理，材料齐全的当场办结，缺什么一次告知。";
    let near = "请带齐材料到登记窗口办理，材料齐全的当场办结，缺什么会一次告知。";
    let text = answered("a", "怎样变更经营范围", "变更", long)
        + &answered("b", "怎样变更经营范围呢", "范围", "请看办事指南里的材料清单。")
        + &answered("c", "迁移登记去哪里办", "迁移", near)
        + &answered("d", "补办营业执照", "补办", "请到窗口补办。");
    let found = compiled(&text).diagnostics;
    let near: Vec<_> = found
        .iter()
        .filter(|d| d.code == "W109")
        .map(|d| (d.rule.clone().unwrap_or_default(), d.message.clone()))
        .collect();
    assert_eq!(near.len(), 2, "{near:?}");
    assert!(near.iter().any(|(id, text)| id == "b" && text.starts_with("标题与规则“a”")), "{near:?}");
    assert!(near.iter().any(|(id, text)| id == "c" && text.starts_with("答案与规则“a”")), "{near:?}");
}

#[test]
fn a_rule_that_ran_out_takes_no_other_with_it() {
    let text = rule("a", "all = [\"补贴\"]", "valid_until = 2020-01-01\non_expired = \"route\"")
        + &rule("b", "all = [\"补助\"]", "");
    let compiled = compiled(&text);
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    assert!(compiled.diagnostics.iter().any(|d| d.code == "E015"));
    assert_eq!(compiled.set.map(|set| set.rules().len()), Some(2));
}

#[test]
fn chinese_punctuation_is_answered_with_the_repaired_line() {
    let found = compiled("schema = 1\n[[rule]]\nid = “a”\n");
    let first = found.diagnostics.first().expect("there is a finding");
    assert_eq!((first.code, first.line, first.column), ("E001", 3, 6));
    assert!(first.help.as_deref().is_some_and(|h| h.contains("id = \"a\"")), "{first}");
}

#[test]
fn groups_in_a_circle_are_found() {
    let text = "[groups]\n\"甲\" = [\"@乙\"]\n\"乙\" = [\"@甲\"]\n";
    assert!(codes(text).contains(&"E005"));
}

#[test]
fn greetings_commands_and_noise() {
    let rules = "[[rule]]\nid = \"hi\"\ntitle = \"你好\"\nstatus = \"active\"\nkind = \"smalltalk\"\n[rule.when]\nany = [\"你好\", \"在吗\"]\n[rule.answer]\ntext = \"您好。\"\n\
        [[rule]]\nid = \"human\"\ntitle = \"转人工\"\nstatus = \"active\"\nkind = \"command\"\ncommand = \"human\"\n[rule.when]\nany = [\"转人工\"]\n\
        [[rule]]\nid = \"pay\"\ntitle = \"补贴\"\nstatus = \"active\"\nkind = \"topic\"\ntopic = \"POLICY.PAY\"\n[rule.when]\nany = [\"补贴没到\"]\n";
    let set = compiled(rules).set.expect("the set is built");
    let decide = |text| set.decide(&Input { text, channel: Channel::Web, area: None, today: TODAY });
    assert_eq!(decide("你好，在吗").diversion, Some(Diversion::Smalltalk));
    assert!(decide("你好，在吗").matters.is_empty());
    assert!(decide("转人工").matters.is_empty());
    assert_eq!(decide("不用转人工").command, None);
    assert_eq!(decide("你好，补贴没到").diversion, None);
    assert_eq!(decide("？？？").diversion, Some(Diversion::Unclear));
    assert_eq!(decide("").diversion, Some(Diversion::Unclear));
}

/// The shipped rules.
fn shipped() -> zhitong::domain::rules::RuleSet {
    compile(&zhitong::app::content::shipped_files(), &CompileEnv::lenient(TODAY)).set.expect("the shipped set is built")
}

#[test]
fn several_matters_are_told_apart_and_one_story_is_not() {
    let rules: String = [("POLICY.PAY", "补贴"), ("FIRE.ACCEPT", "消防验收"), ("LABOUR.RECRUIT", "招工"), ("FINANCE.LOAN", "贷款")]
        .iter()
        .map(|(topic, word)| {
            format!(
                "[[rule]]\nid = \"{topic}\"\ntitle = \"{word}\"\nstatus = \"active\"\nkind = \"topic\"\ntopic = \"{topic}\"\nweight = 34\n[rule.when]\nany = [\"{word}\"]\n"
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let set = compiled(&rules).set.expect("the set is built");
    for (message, expected) in [
        ("补贴没到账，另外问下消防验收归谁管", &["POLICY.PAY", "FIRE.ACCEPT"][..]),
        ("补贴没到账另外问下消防验收归谁管", &["POLICY.PAY", "FIRE.ACCEPT"]),
        ("1、补贴没到账2、消防验收没人来3、招工难", &["POLICY.PAY", "FIRE.ACCEPT", "LABOUR.RECRUIT"]),
        ("招工难，贷款也批不下来", &["LABOUR.RECRUIT", "FINANCE.LOAN"]),
        ("补贴怎么申请？消防验收要多久？", &["POLICY.PAY", "FIRE.ACCEPT"]),
        ("补贴没到账、消防验收没人来、招工太难", &["POLICY.PAY", "FIRE.ACCEPT", "LABOUR.RECRUIT"]),
        ("两件事，第一补贴没到账，第二消防验收多久", &["POLICY.PAY", "FIRE.ACCEPT"]),
        ("第一批补贴没发，第二批补贴也没发", &["POLICY.PAY"]),
        ("贷款要营业执照、补贴证明、公章吗", &["FINANCE.LOAN"]),
        ("补贴没到账，导致贷款还不上", &["POLICY.PAY"]),
        ("银行说补贴没到就不给贷款，怎么办", &["POLICY.PAY"]),
        ("补贴没到账，补贴到底什么时候发？另外补贴的标准是什么", &["POLICY.PAY"]),
        ("贷款要不要担保？贷款利息多少？", &["FINANCE.LOAN"]),
    ] {
        let decision = set.decide(&Input { text: message, channel: Channel::Web, area: None, today: TODAY });
        let topics: Vec<&str> = decision.matters.iter().filter_map(|m| m.topic.as_deref()).collect();
        assert_eq!(topics.len(), expected.len(), "{message}: {topics:?}");
        if expected.len() > 1 {
            assert_eq!(topics, expected, "{message}");
        }
        for matter in &decision.matters {
            assert!(message.get(matter.span.clone()).is_some_and(|words| words.contains(&matter.text)), "{message}");
        }
    }
}

#[test]
fn a_message_without_a_known_word_goes_where_its_like_goes_and_gets_no_answer() {
    let rules = "[[rule]]\nid = \"realty\"\ntitle = \"不动产\"\nstatus = \"active\"\nkind = \"topic\"\ntopic = \"REALTY\"\nweight = 34
[rule.when]\nany = [\"不动产登记\"]\n[rule.tests]\nmatch = [\"厂房抵押的不动产登记怎么撤\", \"不动产登记窗口在哪\"]
[[rule]]\nid = \"cancel\"\ntitle = \"注销\"\nstatus = \"active\"\nkind = \"topic\"\ntopic = \"REG.CANCEL\"\nweight = 34
[rule.when]\nany = [\"公司注销\"]\n[rule.tests]\nmatch = [\"公司注销登什么公告\"]
not_match = [{ text = \"厂房的抵押怎么注销\", expect = \"realty\" }]
[[rule]]\nid = \"hello\"\ntitle = \"问好\"\nstatus = \"active\"\nkind = \"smalltalk\"
[rule.when]\nany = [\"吃了吗\"]\n[rule.answer]\ntext = \"您好。\"\n[rule.tests]\nmatch = [\"今天吃了吗\"]\n";
    let set = compiled(rules).set.expect("the set is built");
    let decide = |text| set.decide(&Input { text, channel: Channel::Web, area: None, today: TODAY });
    let decision = decide("厂房押给银行，抵押怎么撤");
    let matter = decision.matters.first().expect("there is a matter");
    assert_eq!((matter.topic.as_deref(), &matter.rules, &matter.answer), (Some("REALTY"), &vec![], &None));
    let words = matter.topics.first().map(|t| t.evidence.clone()).unwrap_or_default();
    assert!(words.iter().any(|word| word == "厂房" || word == "抵押"), "{words:?}");
    // A rule that fired keeps its topic against a faint likeness, and what is like nothing has no topic.
    assert_eq!(decide("公司注销找谁").matters.first().and_then(|m| m.topic.as_deref()), Some("REG.CANCEL"));
    for message in ["今天有空吗", "五颜六色"] {
        assert_eq!(decide(message).matters.first().and_then(|m| m.topic.clone()), None, "{message}");
    }
}

#[test]
fn examples_teach_types_and_topics_and_are_checked() {
    let lessons = "[[example]]\ncategory = \"help\"\ntopic = \"POWER\"\ntexts = [\"窑炉烧到一半全黑了，谁能马上来人\", \"一下黑了，机器全停，快派人\"]
[[example]]\ncategory = \"praise\"\ntopic = \"LABOUR.RECRUIT\"\ntexts = [\"招工专场办得好，师傅态度真好，帮了大忙\"]\n";
    let set = compiled(lessons).set.expect("the set is built");
    let decide = |text| set.decide(&Input { text, channel: Channel::Web, area: None, today: TODAY });
    let matter = decide("炉子刚才全黑了，马上派人来看看吧").matters.remove(0);
    assert_eq!((matter.case_type, matter.topic.as_deref(), matter.named), (CaseType::Help, Some("POWER"), false));
    assert_eq!(decide("今天师傅真好").matters.remove(0).case_type, CaseType::Praise);
    for (text, code) in [
        ("[[example]]\ntexts = [\"停电\"]\n", "E002"),
        ("[[example]]\ncategory = \"求救\"\ntexts = [\"停电\"]\n", "E002"),
        ("[example]\ncategory = \"help\"\ntexts = [\"停电\"]\n", "E002"),
        ("[[example]]\ncategory = \"help\"\ntext = [\"停电\"]\n", "E002"),
        ("[[example]]\ncategory = \"help\"\ntexts = [\"，\"]\n", "E004"),
        ("[[example]]\ncategory = \"help\"\ntexts = [\"停电了，打13800138000\"]\n", "E018"),
    ] {
        assert!(codes(text).contains(&code), "{text}: {:?}", codes(text));
    }
    let topics = [("POWER".to_owned(), TopicInfo { label: "用电".into(), group: "要素".into(), case_type: None })];
    let env = CompileEnv { topics: topics.into(), ..CompileEnv::lenient(TODAY) };
    let wrong = lessons.replace("POWER", "POWR");
    let found = compile(&[SourceFile { path: "教例/a.toml".into(), text: wrong }], &env).diagnostics;
    let finding = found.iter().find(|d| d.code == "E016").expect("the topic is unknown");
    assert_eq!((finding.line, finding.help.as_deref()), (3, Some("是不是想写 POWER？")));
}

#[test]
fn hostile_messages_end_in_time() {
    let set = shipped();
    let begun = std::time::Instant::now();
    for message in [
        "投诉".repeat(5_000),
        "投诉，补贴没到，贷款，".repeat(1_000),
        "补贴怎么申请？".repeat(1_500),
        "，".repeat(10_000),
        "不想".repeat(5_000),
        "另外".repeat(5_000),
        "1、2、3、".repeat(2_000),
        "a\u{200B}".repeat(5_000),
        "👍".repeat(5_000),
        format!("{}补贴", " ".repeat(10_000)),
    ] {
        let decision = set.decide(&Input { text: &message, channel: Channel::Web, area: Some("350000"), today: TODAY });
        assert!(decision.matters.len() <= 6);
    }
    // A debug build on a busy machine; quadratic behaviour would take minutes.
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn rule_bombs_are_refused_or_cheap() {
    // Groups that double at every level.
    let mut groups = String::from("[groups]\n\"g0\" = [\"补贴\"]\n");
    for n in 1..60 {
        let _ = writeln!(groups, "\"g{n}\" = [\"@g{0}\", \"@g{0}\"]", n - 1);
    }
    let text = format!("{groups}{}", rule("a", "all = [\"@g59\"]", ""));
    assert_eq!(winner(&text, "补贴").as_deref(), Some("a"));
    for pattern in ["(a+)+$", "((a{50}){50}){50}", "(补|贴|申|请){1,60}"] {
        let compiled = compiled(&rule("a", &format!("all = [\"补贴\"]\nregex = [\"{pattern}\"]"), ""));
        if let Some(set) = compiled.set {
            let message = format!("补贴{}", "a".repeat(10_000));
            let _ = set.decide(&Input { text: &message, channel: Channel::Web, area: None, today: TODAY });
        }
    }
    // Values of variables are not filled in again, and unknown ones are refused.
    let text =
        rule("a", "all = [\"补贴\"]", "").replace("答案。", "{{甲}}") + "[rule.answer.vars]\n\"甲\" = \"{{乙}}\"\n";
    let set = compiled(&text).set.expect("the set is built");
    assert_eq!(set.rule("a").and_then(|r| r.answer.as_ref()).map(|a| a.text.as_str()), Some("{{乙}}"));
    assert_eq!(codes(&rule("a", "all = [\"补贴\"]", "").replace("答案。", "{{config.secret}}")), ["E012"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_message_is_decided(message in "[\\s\\S]{0,120}|(补贴|投诉|另外|，|。|？|不想|没到账|怎么|1、|①|贷款| |\u{200B}){0,60}") {
        thread_local! {
            static SET: zhitong::domain::rules::RuleSet = shipped();
        }
        SET.with(|set| {
            let input = Input { text: &message, channel: Channel::Web, area: Some("350000"), today: TODAY };
            let decision = set.decide(&input);
            let mut last = 0;
            for matter in &decision.matters {
                assert!(message.get(matter.span.clone()).is_some());
                assert!(matter.span.start >= last || decision.matters.len() == 1);
                last = matter.span.end;
                assert!((0.0..=1.0).contains(&matter.confidence));
            }
            let explained = set.explain(&input);
            assert_eq!(explained.decision, decision);
        });
    }

    #[test]
    fn any_file_is_read(text in "[\\s\\S]{0,200}|(\\[\\[rule\\]\\]\n|id = |“|”|\"|\\[|\\]|，|=|编号|when|\n|\\{|\\}|@|a){0,80}") {
        let found = compiled(&text);
        for d in found.diagnostics {
            assert!(d.line >= 1 && d.column >= 1);
        }
    }
}
