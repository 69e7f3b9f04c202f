//! What rule files promise and only the dialogue can keep: their own questions, routes, regions, interruptions, and
//! what is recorded of a decision.

use jiff::Timestamp;
use zhitong::{
    app::content::{self, Content, Origin},
    config::Config,
    domain::{
        dialogue::{
            ConversationState, DialogueState, Effect, FieldKey, Input, KnownCase, Shipped, TurnEnv, TurnOutcome, turn,
        },
        kinds::Channel,
        rules::{Level, SourceFile},
    },
};

struct Talk {
    content: Content,
    state: DialogueState,
    region: Option<&'static str>,
    open_cases: Vec<KnownCase>,
}

impl Talk {
    /// With the shipped rules and these.
    fn with(rules: &str) -> Self {
        let mut files = content::shipped_files();
        files.push(SourceFile { path: "本地.toml".into(), text: rules.to_owned() });
        let built = content::build(&files, &Config::default().time, now(), Origin::Shipped, false);
        let errors: Vec<String> =
            built.diagnostics.iter().filter(|d| d.level == Level::Error).map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        Self {
            content: built.content.expect("the content loads"),
            state: DialogueState::default(),
            region: Some("350000"),
            open_cases: Vec::new(),
        }
    }

    fn turn(&mut self, words: &str) -> TurnOutcome {
        let content = &self.content;
        let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, now())
            .with_index(&content.index);
        let env = TurnEnv {
            knowledge: &knowledge,
            now: now(),
            today: knowledge.today,
            default_region: self.region,
            channel: Channel::Web,
            queue_ahead: 0,
            open_cases: &self.open_cases,
            progress: &[],
        };
        let outcome = turn(&env, &self.state, &Input::text(words));
        self.state = outcome.state.clone();
        outcome
    }

    /// Everything that is said to some words.
    fn say(&mut self, words: &str) -> String {
        self.turn(words).replies.iter().map(|reply| reply.text.clone()).collect::<Vec<_>>().join("\n")
    }
}

/// A working hour.
fn now() -> Timestamp {
    "2026-11-26T10:00:00+08:00".parse().expect("an instant")
}

const BLUEBERRY: &str = r#"[[rule]]
id = "local-blueberry"
title = "蓝莓种植补助"
status = "active"
category = "咨询"
owner = "甲"
reviewer = "乙"
priority = 60
[rule.when]
all = ["蓝莓", "补助"]
max_chars = 60
[rule.answer]
text = "蓝莓种植补助由司法局下属的示范点受理。"
quick_replies = ["我的企业符合吗", "转人工"]
[rule.form]
trigger = "我的企业符合吗"
[[rule.form.ask]]
slot = "uscc"
type = "统一社会信用代码"
ask = "请提供统一社会信用代码（18 位），我们只用于核对资格。"
retry = 1
on_fail = "skip"
[[rule.form.ask]]
slot = "职工人数"
type = "数字"
ask = "去年底有多少职工？"
retry = 0
on_fail = "handoff"
[rule.route]
department = "sfj"
tags = ["示范点"]
[rule.tests]
match = ["蓝莓补助怎么申请", "蓝莓补助去哪办", "蓝莓的补助有吗"]
not_match = [{ text = "蓝莓滞销了" }]
"#;

#[test]
fn a_regional_answer_names_its_region_and_the_region_is_asked_for() {
    let mut talk = Talk::with("");
    assert!(talk.say("我提交的事情多久能有结果").contains("（以上适用于福建省）"));
    for (place, served) in [("福建省", true), ("福州", true), ("在南平", true), ("四川省", false)] {
        let mut talk = Talk::with("");
        talk.region = None;
        let asked = talk.turn("我提交的事情多久能有结果");
        let buttons: Vec<&str> = asked.replies.iter().flat_map(|r| &r.quick_replies).map(|q| q.text.as_str()).collect();
        for name in ["福建省", "宿迁市", "象山县", "南平市", "龙岩市", "平潭县"] {
            assert!(buttons.contains(&name), "{name}: {buttons:?}");
        }
        let answer = talk.say(place);
        assert_eq!(answer.contains("以上适用于"), served, "{place}: {answer}");
    }
}

#[test]
fn the_questions_of_a_rule_are_put_checked_and_given_up_as_it_says() {
    let mut talk = Talk::with(BLUEBERRY);
    assert!(talk.say("蓝莓补助怎么申请").contains("示范点受理"));
    assert!(talk.say("我的企业符合吗").contains("请提供统一社会信用代码（18 位）"));
    assert_eq!(talk.state.mode, ConversationState::Collecting);
    let wrong = talk.say("91350100M000100Y44");
    assert!(wrong.contains("请核对") && wrong.contains("请提供统一社会信用代码"), "{wrong}");
    let next = talk.say("91350100M000100Y43");
    assert!(next.contains("去年底有多少职工？") && !next.contains("信用代码（18"), "{next}");
    let form = talk.say("85人");
    assert!(form.contains("91350100M000100Y43"), "{form}");
    let held = talk.state.form.clone().expect("a form");
    assert!(held.asks.is_empty() && held.original.contains("去年底有多少职工？ 85人"), "{}", held.original);

    // Too many wrong answers: the first question is skipped, the second goes to a person.
    let mut talk = Talk::with(BLUEBERRY);
    talk.say("蓝莓补助怎么申请");
    talk.say("我的企业符合吗");
    talk.say("就是我们的那个");
    let skipped = talk.say("真的没带");
    assert!(skipped.contains("先跳过") && skipped.contains("去年底有多少职工？"), "{skipped}");
    talk.say("没数过");
    assert_eq!(talk.state.mode, ConversationState::Queued);
}

#[test]
fn a_rule_sends_the_matter_where_its_route_says() {
    let mut talk = Talk::with(BLUEBERRY);
    talk.say("蓝莓补助怎么申请");
    talk.say("没解决");
    if talk.state.form.is_none() {
        talk.say("帮我登记");
    }
    let form = talk.state.form.clone().expect("a form");
    let route = &form.matters[0].route;
    assert_eq!((route.lead.as_str(), route.step.as_str()), ("sfj", "rule"), "{}", route.reason);
    assert!(route.reason.contains("蓝莓种植补助") && route.tags == ["示范点"], "{route:?}");
}

#[test]
fn a_rule_that_goes_first_is_answered_in_the_middle_of_a_form() {
    let rule = BLUEBERRY.replace("category = \"咨询\"", "category = \"诉求\"");
    let first = rule.replace("priority = 60", "priority = 60\ninterrupts_form = true");
    for (rules, answered) in [(first, true), (rule, false)] {
        let mut talk = Talk::with(&rules);
        talk.say("技改补贴公示四个月了没到账，福州鑫达模具厂，电话13800138000");
        assert!(talk.state.form.is_some());
        let said = talk.say("蓝莓补助被窗口扣下不发，请帮忙协调");
        assert_eq!(said.contains("示范点受理"), answered, "{said}");
        let form = talk.state.form.clone().expect("the form stays");
        assert!(form.original.contains("蓝莓补助被窗口扣下"), "{}", form.original);
    }
}

#[test]
fn after_an_emergency_the_form_asks_again_once() {
    let mut talk = Talk::with("");
    talk.say("技改补贴公示四个月了没到账，电话13800138000");
    let outcome = talk.turn("车间着火了，消防通道被车堵住了");
    let said: Vec<&str> = outcome.replies.iter().map(|r| r.text.as_str()).collect();
    assert!(said[0].contains("119") && said.iter().any(|t| t.contains("登记单还在")), "{said:?}");
    assert!(outcome.effects.iter().any(|e| matches!(e, Effect::PageDuty { .. })));
}

#[test]
fn a_promise_of_a_rule_becomes_a_task() {
    let rule = BLUEBERRY.replace("蓝莓种植补助由司法局下属的示范点受理。", "您的情况已登记，会有人联系您。");
    let mut talk = Talk::with(&rule);
    let outcome = talk.turn("蓝莓补助怎么申请");
    let promise = outcome
        .effects
        .iter()
        .find_map(|e| if let Effect::Promise { text, .. } = e { Some(text.as_str()) } else { None });
    assert_eq!(promise, Some("您的情况已登记，会有人联系您"));
}

#[test]
fn a_wrong_code_can_be_emptied_and_the_words_of_a_correction_are_kept() {
    let mut talk = Talk::with("");
    talk.say("技改补贴没到账，税号350102123456789，电话13800138000");
    assert!(talk.say("提交").contains("还不能提交"));
    talk.say("信用代码不填了");
    talk.say("金额改成12,500元，机器昨天也被他们拉走了");
    let form = talk.state.form.clone().expect("a form");
    assert!(form.original.contains("机器昨天也被他们拉走了"), "{}", form.original);
    let filed = talk.turn("提交");
    let draft = filed
        .effects
        .iter()
        .find_map(|e| if let Effect::FileCases(drafts) = e { drafts.first().cloned() } else { None });
    let draft = draft.expect("it is filed");
    assert_eq!(draft.amount.map(|a| a.text).as_deref(), Some("12500元"));
    assert_eq!(draft.uscc, None);
}

#[test]
fn of_two_matters_only_the_one_that_is_open_already_goes_to_the_open_case() {
    let mut talk = Talk::with("");
    talk.say("1、技改补贴公示四个月了还没到账；2、消防验收等了一个月没人来看。电话13800138000，福州鑫达模具厂");
    let form = talk.state.form.clone().expect("a form");
    assert_eq!(form.kept().count(), 2, "{form:?}");
    talk.open_cases = vec![KnownCase {
        number: "ZT20261101-0001K".into(),
        title: "资金兑现：技改补贴没到账".into(),
        demand: "技改补贴公示三个月了还没到账，请协调解决".into(),
        topic: form.matters[0].topic.clone(),
        status_label: "办理中".into(),
    }];
    let asked = talk.say("提交");
    assert!(asked.contains("您有一件类似的在办：ZT20261101-0001K"), "{asked}");
    let outcome = talk.turn("补充到这件");
    let appended = outcome.effects.iter().find_map(|e| {
        if let Effect::AppendToCase { number, text, .. } = e { Some((number.clone(), text.clone())) } else { None }
    });
    let (number, text) = appended.expect("appended");
    assert!(number == "ZT20261101-0001K" && text.contains("技改补贴") && !text.contains("消防"), "{text}");
    let left: Vec<String> = talk.state.form.as_ref().expect("the form stays").kept().map(|m| m.text.clone()).collect();
    assert!(left.len() == 1 && left[0].contains("消防验收"), "{left:?}");
    let filed = talk.turn("提交");
    assert!(filed.effects.iter().any(|e| matches!(e, Effect::FileCases(d) if d.len() == 1)), "{:?}", filed.effects);
}

#[test]
fn the_record_names_rules_where_they_matched_and_what_nearly_did() {
    let shadow = BLUEBERRY.replace("status = \"active\"", "status = \"shadow\"");
    let mut talk = Talk::with(&shadow);
    for words in ["穩崗補貼怎麼領", "稳 岗 补 贴 怎 么 领", "稳岗补贴怎么领"] {
        let record = talk.turn(words).record;
        assert!(!record.spans.is_empty(), "{words}");
        for (rule, from, to) in &record.spans {
            assert!(talk.content.rules.rule(rule).is_some(), "{rule} is no rule");
            assert!(words.get(*from..*to).is_some_and(|w| !w.is_empty()), "{words}: {from}..{to}");
        }
        assert!(record.missed.len() <= 5, "{words}");
        assert!(record.missed.iter().all(|(rule, why)| talk.content.rules.rule(rule).is_some() && !why.is_empty()));
    }
    let long = format!("蓝莓补助怎么申请，{}", "我们是去年才种的，".repeat(9));
    let missed = talk.turn(&long).record.missed;
    assert_eq!(missed.first(), Some(&("local-blueberry".to_owned(), "超过 max_chars = 60".to_owned())), "{missed:?}");
    let record = talk.turn("蓝莓补助怎么申请").record;
    assert_eq!(record.shadow, ["local-blueberry"]);
}

/// The demands and the fields of the open form.
fn on_the_form(talk: &Talk) -> (Vec<String>, Vec<(FieldKey, String)>) {
    let form = talk.state.form.as_ref().expect("a form");
    let demands = form.kept().map(|m| m.demand.clone()).collect();
    (demands, form.fields.iter().map(|(key, field)| (*key, field.value.clone())).collect())
}

#[test]
fn with_the_shipped_rules_small_talk_and_values_open_no_second_matter() {
    let mut talk = Talk::with("");
    talk.say("厂区门口路坏了没人修 13711160001");
    let before = on_the_form(&talk);
    for words in [
        "就这些",
        "赶紧的",
        "你是谁",
        "没有公司",
        "再催一下",
        "怎么送锦旗",
        "没有另外的了",
        "不要提交",
        "谢谢你们",
        "第二个帮我登记",
    ] {
        talk.say(words);
        assert_eq!(on_the_form(&talk), before, "{words}");
    }
    for words in
        ["信用代码 91350200M000100Y49", "税号91350200M000100Y48", "微信号 abc123", "公司名称写错了", "刚才的登记单呢"]
    {
        talk.say(words);
        assert_eq!(on_the_form(&talk).0, before.0, "{words}");
    }
    let mut talk = Talk::with("");
    talk.say("我要投诉");
    talk.say("是市场监管局");
    let (demands, fields) = on_the_form(&talk);
    assert!(demands[0].contains("市场监管局"), "{demands:?}");
    assert!(fields.contains(&(FieldKey::Object, "市场监管局".to_owned())), "{fields:?}");
}

#[test]
fn a_follow_up_is_never_answered_with_what_was_just_said() {
    let mut talk = Talk::with("");
    let xiangshan = talk.say("象山多久办结");
    assert!(xiangshan.contains("象山"), "{xiangshan}");
    let fujian = talk.say("那福建呢");
    assert!(fujian.contains("适用于福建") && !fujian.contains("象山"), "{fujian}");
    let suqian = talk.say("那宿迁呢");
    assert!(!suqian.contains("象山") && !suqian.contains("适用于福建"), "{suqian}");
    talk.state = DialogueState::default();
    let pingtan = talk.say("台胞在平潭工作个税补贴怎么领");
    let xiamen = talk.say("那厦门呢");
    assert!(pingtan.contains("平潭") && pingtan != xiamen && !xiamen.contains("以上适用于平潭"), "{xiamen}");

    for (question, then) in [
        ("开公司要多久", "那要交多少钱"),
        ("不服处罚怎么办", "交了罚款还能复议吗"),
        ("年报什么时候报", "在哪里报"),
        ("简易注销公示多久", "那要什么材料"),
    ] {
        talk.state = DialogueState::default();
        let first = talk.say(question);
        let second = talk.say(then);
        let line = first.lines().next().unwrap_or_default();
        assert!(!second.contains(line), "{question} … {then}: {second}");
        assert!(talk.state.form.is_none(), "{question} … {then}: {second}");
    }
}

#[test]
fn what_leans_on_the_matter_before_is_read_with_it() {
    let mut talk = Talk::with("");
    talk.say("国企拖欠我们货款，能投诉吗");
    let interest = talk.say("能要利息吗");
    assert!(interest.contains("利息") && talk.state.form.is_none(), "{interest}");
    talk.state = DialogueState::default();
    talk.say("检查人员不出示证件能拒绝吗");
    let said = talk.say("那我要投诉他们");
    let form = talk.state.form.as_ref().unwrap_or_else(|| panic!("a form: {said}"));
    assert!(form.original.contains("不出示证件"), "{}", form.original);
}

#[test]
fn a_bare_word_is_asked_about_and_a_bare_answer_is_no_matter() {
    let mut talk = Talk::with("");
    for words in ["消防", "社保", "招标", "退出", "否", "很急", "取消排队", "就是那个", "不用人工了"]
    {
        talk.state = DialogueState::default();
        let said = talk.say(words);
        assert!(talk.state.form.is_none(), "{words}: {said}");
    }
    talk.state = DialogueState::default();
    talk.say("厂区门口路坏了没人修");
    for words in ["我是普通居民，没有公司", "我是普通居民", "12345电话多少"] {
        let said = talk.say(words);
        assert!(said.contains("12345"), "{words}: {said}");
    }
    let said = talk.say("先不提交，过两天再说");
    assert!(said.contains("给您留着"), "{said}");
    assert!(talk.state.form.is_some());
    talk.say("那我不找你们了");
    talk.say("是");
    assert!(talk.state.form.is_none());
}

#[test]
fn whoever_fears_to_be_known_stays_unnamed() {
    let mut talk = Talk::with("");
    talk.say("城关所的人吃拿卡要，收了我们两条烟");
    talk.say("能不能不让他知道");
    let form = talk.state.form.as_ref().expect("a form");
    assert!(form.is_secret());
}
