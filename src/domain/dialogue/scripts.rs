//! Conversation tests: scripts of what a visitor says, and what must be said and done in return.

use std::fmt::Write as _;

use jiff::{Timestamp, civil::Date};

use super::*;
use crate::domain::kinds::{CaseType, Channel, Command, Diversion, Urgency};

mod forms;
mod model;
mod proposals;

/// A handful of readings, enough for every rung of the ladder.
struct Small {
    open: bool,
    regions: bool,
    model: bool,
}

fn matter(text: &str, case_type: CaseType, topic: Option<&str>) -> ReadingMatter {
    ReadingMatter {
        text: text.to_owned(),
        case_type,
        topic: topic.map(str::to_owned),
        named: topic.is_some(),
        topics: Vec::new(),
        urgency: Urgency::Normal,
        confidence: 0.8,
        rules: topic.map(|t| format!("t-{t}")).into_iter().collect(),
        answer: None,
        clarify: Vec::new(),
        expired: None,
        needs_region: false,
        sensitive: false,
        objects: Vec::new(),
        undecided: Undecided { case_type: false, topic: topic.is_none() },
    }
}

fn answer(id: &str, text: &str) -> AnswerText {
    AnswerText {
        rule_id: id.to_owned(),
        title: text.chars().take(6).collect(),
        version: "v1".to_owned(),
        text: text.to_owned(),
        citations: vec![Citation {
            title: "办法".to_owned(), reference: "某〔2025〕1号 第一条".to_owned(), url: None
        }],
        quick_replies: Vec::new(),
        awaiting_recheck: false,
        region: None,
        topic: None,
        form: None,
        interrupts_form: false,
    }
}

impl Knowledge for Small {
    fn read(&self, text: &str, _: Channel, area: Option<&str>, _: Date) -> Reading {
        let mut reading = Reading::default();
        if text.contains("着火") {
            reading.diversion = Some(Diversion::D1);
            reading.reply = Some(answer("d1", "请立即拨打 119"));
            return reading;
        }
        if text.contains("你好") && text.chars().count() < 8 {
            reading.diversion = Some(Diversion::Smalltalk);
            return reading;
        }
        if text.contains("转给工作人员") {
            reading.command = Some(Command::Human);
        }
        if text.contains("竞争对手") {
            reading.diversion = Some(Diversion::D4);
            reading.reply = Some(answer("d4", "他人的涉税信息不能查询"));
            return reading;
        }
        if text.contains("小区电梯") {
            reading.diversion = Some(Diversion::D9);
            reading.reply = Some(answer("d9", "这是居民事项，请通过 12345 热线反映"));
            return reading;
        }
        for clause in text.split(['；', '，', '\n']) {
            if clause.contains("稳岗返还") {
                let mut m = matter(clause, CaseType::Consultation, Some("LABOUR.SUBSIDY"));
                m.answer = Some(answer("a-wengang", "失业保险稳岗返还多数免申即享。"));
                reading.matters.push(m);
            } else if clause.contains("多久办结") {
                let mut m = matter(clause, CaseType::Consultation, None);
                if area.is_none() {
                    m.needs_region = true;
                } else if area == Some("350000") {
                    let mut a = answer("a-shixian", "咨询类 2 个工作日。");
                    a.region = Some("福建省".to_owned());
                    m.answer = Some(a);
                }
                reading.matters.push(m);
            } else if clause.contains("信用修复") {
                let mut m = matter(clause, CaseType::Consultation, Some("CREDIT"));
                m.expired = Some("a-old".to_owned());
                reading.matters.push(m);
            } else if clause.contains("注册") {
                let mut m = matter(clause, CaseType::Consultation, Some("REG.SET"));
                m.clarify =
                    vec![("a-1".to_owned(), "设立登记多久".to_owned()), ("a-2".to_owned(), "认缴期限".to_owned())];
                reading.matters.push(m);
            } else if clause.contains("补贴没到账") || clause.contains("补助没到账") {
                reading.matters.push(matter(clause, CaseType::Coordination, Some("POLICY.PAY")));
            } else if clause.contains("停工") {
                let mut m = matter(clause, CaseType::Coordination, None);
                m.rules = vec!["t-help".to_owned()];
                m.undecided.case_type = true;
                reading.matters.push(m);
            } else if clause.contains("消防验收") {
                reading.matters.push(matter(clause, CaseType::Stuck, Some("FIRE.ACCEPT")));
            } else if clause.contains("拖欠") {
                reading.matters.push(matter(clause, CaseType::Arrears, Some("ARREARS.GOV")));
            } else if clause.contains("吃拿卡要") {
                let mut m = matter(clause, CaseType::Conduct, Some("CONDUCT"));
                m.sensitive = true;
                reading.matters.push(m);
            }
        }
        reading
    }

    fn answer(&self, rule_id: &str, _: Channel, _: Option<&str>, _: Date) -> Option<AnswerText> {
        (rule_id != "a-old").then(|| answer(rule_id, "材料齐全当场登记。"))
    }

    fn suggest(&self, text: &str, _: Channel, _: Option<&str>, _: Date) -> Vec<Suggestion> {
        let one = |id: &str, title: &str, topic: Option<&str>| Suggestion {
            rule_id: id.to_owned(),
            title: title.to_owned(),
            topic: topic.map(str::to_owned),
        };
        if text.contains("执照") || text.contains("拖欠") {
            vec![one("a-1", "设立登记多久", Some("REG.SET")), one("a-2", "认缴期限", None)]
        } else {
            Vec::new()
        }
    }

    fn sources(&self, text: &str, channel: Channel, area: Option<&str>, today: Date) -> Vec<Suggestion> {
        if self.model { self.suggest(&text.replace("试点", "执照"), channel, area, today) } else { Vec::new() }
    }

    fn may_classify(&self) -> bool {
        self.model
    }

    fn route(
        &self,
        _: CaseType,
        topic: Option<&str>,
        _: &str,
        _: Option<&str>,
        _: &[String],
        _: Urgency,
    ) -> RouteProposal {
        RouteProposal {
            lead: "gxj".into(),
            lead_name: "工信局".into(),
            reason: format!("{topic:?}"),
            ..RouteProposal::default()
        }
    }

    fn topic(&self, code: &str) -> Option<TopicInfo> {
        Some(TopicInfo { label: code.to_owned(), slots: vec!["批次".to_owned()], guidance: None, usual_type: None })
    }

    fn is_open(&self, _: Timestamp) -> bool {
        self.open
    }

    fn is_over_for_today(&self, _: Timestamp) -> bool {
        !self.open
    }

    fn next_open(&self, now: Timestamp) -> Option<Timestamp> {
        Some(now)
    }

    fn promise_due(&self, now: Timestamp) -> Timestamp {
        now
    }

    fn in_words(&self, _: Timestamp) -> String {
        "11月26日 周四 08:30".to_owned()
    }

    fn rule_set_hash(&self) -> &'static str {
        "hash"
    }

    fn region_name(&self, _: &str) -> Option<String> {
        None
    }

    fn regions(&self) -> Vec<(String, String)> {
        if self.regions {
            vec![("350000".into(), "福建省".into()), ("330225".into(), "象山县".into())]
        } else {
            Vec::new()
        }
    }
}

struct Talk {
    small: Small,
    state: DialogueState,
    region: Option<&'static str>,
    channel: Channel,
    open_cases: Vec<KnownCase>,
    progress: Vec<ProgressView>,
    filed: Vec<CaseDraft>,
    asked: usize,
    effects: Vec<Effect>,
}

impl Talk {
    fn new() -> Self {
        Self {
            small: Small { open: true, regions: true, model: false },
            state: DialogueState::default(),
            region: Some("350000"),
            channel: Channel::Web,
            open_cases: Vec::new(),
            progress: Vec::new(),
            filed: Vec::new(),
            asked: 0,
            effects: Vec::new(),
        }
    }

    fn after_hours() -> Self {
        let mut talk = Self::new();
        talk.small.open = false;
        talk
    }

    /// One turn; the answer as one text, effects kept, cases filed as intake would.
    fn send(&mut self, input: &Input) -> String {
        let env = TurnEnv {
            knowledge: &self.small,
            now: Timestamp::from_second(1_795_000_000).expect("a valid instant"),
            today: jiff::civil::date(2026, 11, 25),
            default_region: self.region,
            channel: self.channel,
            queue_ahead: 2,
            open_cases: &self.open_cases,
            progress: &self.progress,
        };
        let outcome = turn(&env, &self.state, input);
        self.state = outcome.state;
        self.effects = outcome.effects;
        let mut replies = outcome.replies;
        for effect in self.effects.clone() {
            if let Effect::FileCases(drafts) = effect {
                let cases: Vec<FiledCase> = (1..)
                    .zip(&drafts)
                    .map(|(n, d)| FiledCase {
                        number: format!("ZT20261125-000{n}X"),
                        code: "483920".to_owned(),
                        title: d.title.clone(),
                        status: "submitted".to_owned(),
                        status_label: "已提出".to_owned(),
                        stage: 1,
                        due_at: None,
                        due_text: None,
                        alike: false,
                    })
                    .collect();
                let (state, receipt) = filed(&env, &self.state, &cases);
                self.state = state;
                self.filed.extend(drafts);
                replies.push(receipt);
            }
        }
        let mut text = String::new();
        for reply in &replies {
            assert!(!reply.text.trim().is_empty(), "an empty reply");
            let _ = writeln!(text, "{}", reply.text);
            for q in &reply.quick_replies {
                let _ = write!(text, "[{}]", q.text);
            }
        }
        if text.contains("还缺：") {
            self.asked += 1;
        }
        text
    }

    fn say(&mut self, words: &str) -> String {
        self.send(&Input::text(words))
    }

    #[track_caller]
    fn expect(&mut self, words: &str, expected: &[&str]) -> &mut Self {
        let said = self.say(words);
        for part in expected {
            assert!(said.contains(part), "to “{words}” the bot said:\n{said}\nwithout “{part}”");
        }
        self
    }
}

#[test]
fn a_question_is_answered_with_its_source() {
    let mut talk = Talk::new();
    talk.expect("稳岗返还还要申请吗", &["免申即享", "[解决了]", "[没解决]", "[转人工]"]);
    assert_eq!(talk.state.last_answer.as_ref().map(|a| a.rule_id.as_str()), Some("a-wengang"));
    talk.expect("解决了", &["很高兴"]);
    assert!(matches!(talk.effects.as_slice(), [Effect::Feedback { helpful: true, .. }]));
}

#[test]
fn unsolved_becomes_a_form_without_retyping() {
    let mut talk = Talk::new();
    talk.say("我们是福州鑫达模具厂，稳岗返还还要申请吗");
    talk.expect("没解决", &["不用重新输入", "福州鑫达模具厂", "还缺：联系电话（必填）、联系人"]);
    talk.expect("陈志强 13800138000", &["已记下", "请核对", "[提交]"]);
    assert!(talk.filed.is_empty(), "nothing is filed before 提交");
    talk.expect("提交", &["登记成功", "ZT20261125-0001X", "查询码：483920"]);
    let draft = &talk.filed[0];
    assert_eq!(draft.enterprise.as_deref(), Some("福州鑫达模具厂"));
    assert_eq!(draft.contact.phone.as_deref(), Some("13800138000"));
    assert_eq!(draft.contact.name.as_deref(), Some("陈志强"));
    assert_eq!(draft.original, "我们是福州鑫达模具厂，稳岗返还还要申请吗\n陈志强 13800138000");
    assert_eq!(draft.answered_before.as_ref().map(|a| a.rule_id.as_str()), Some("a-wengang"));
    assert_eq!(talk.state.mode, ConversationState::Bot);
    talk.expect("提交", &["已经登记过了", "ZT20261125-0001X"]);
    assert_eq!(talk.filed.len(), 1);
}

#[test]
fn agreeing_is_not_submitting() {
    let mut talk = Talk::new();
    talk.say("补贴没到账，电话13800138000");
    for words in ["好的", "确认", "可以", "嗯", "先不提交", "不要提交"] {
        talk.say(words);
        assert!(talk.filed.is_empty(), "{words}");
        assert!(talk.state.form.is_some(), "{words}");
    }
}

#[test]
fn several_matters_become_several_cases_of_one_group() {
    let mut talk = Talk::new();
    talk.expect("补贴没到账，消防验收没人来；电话13800138000", &["2 件事", "第1件", "第2件"]);
    talk.expect("提交", &["共 2 件", "ZT20261125-0001X", "ZT20261125-0002X"]);
    assert_eq!(talk.filed.iter().map(|d| d.part).collect::<Vec<_>>(), [(1, 2), (2, 2)]);
    assert_eq!(talk.filed[1].case_type, CaseType::Stuck);
}

#[test]
fn an_answer_and_a_demand_in_one_message_get_both() {
    let mut talk = Talk::new();
    let said = talk.say("稳岗返还还要申请吗，另外补贴没到账");
    assert!(said.contains("免申即享") && said.contains("登记单"), "{said}");
    assert_eq!(talk.state.form.as_ref().map(|f| f.matters.len()), Some(1));
}

#[test]
fn every_field_can_be_corrected_in_chat() {
    let mut talk = Talk::new();
    talk.say("我们是福州鑫达模具厂，补贴没到账，电话13800138000");
    talk.expect("电话改成13900139000", &["已更新联系电话", "13900139000"]);
    talk.expect("诉求改成：请拨付第二批技改补助", &["请拨付第二批技改补助"]);
    talk.expect("公司名称应为福州鑫大模具有限公司", &["福州鑫大模具有限公司"]);
    talk.expect("电话改成1390013", &["没有改", "手机号 11 位"]);
    assert!(talk.state.form.is_some());
    talk.expect("电话改成13900139000", &["已更新联系电话"]);
    talk.expect("提交", &["登记成功"]);
    let draft = &talk.filed[0];
    assert_eq!(draft.demand, "请拨付第二批技改补助");
    let changed: Vec<&str> = draft.changes.iter().map(|c| c.field.as_str()).collect();
    assert_eq!(changed, ["enterprise", "contact_phone", "demand"]);
    assert_eq!(draft.changes[1].proposed, "13800138000");
}

#[test]
fn at_most_three_questions_are_asked() {
    let mut talk = Talk::new();
    talk.say("补贴没到账");
    for words in ["不知道", "啥意思啊", "你问这个干嘛", "随便吧", "哦"] {
        talk.say(words);
    }
    assert!(talk.asked <= usize::from(form::MAX_QUESTIONS), "{} questions", talk.asked);
    assert!(talk.filed.is_empty());
    talk.expect("提交", &["还不能提交", "联系电话"]);
}

#[test]
fn the_card_is_checked_and_files_only_when_confirmed() {
    let mut talk = Talk::new();
    talk.say("补贴没到账");
    let card = |phone: &str, confirm: bool| Input {
        kind: InputKind::FormSubmit {
            fields: vec![(FieldKey::ContactPhone, phone.to_owned()), (FieldKey::Demand, "请拨付".to_owned())],
            matters: vec![],
            confirm,
        },
    };
    talk.send(&card("13800138000", false));
    assert!(talk.filed.is_empty());
    talk.send(&card("138", true));
    assert!(talk.filed.is_empty());
    assert_eq!(form_errors(&talk.state).len(), 1);
    talk.send(&card("13800138000", true));
    assert_eq!(talk.filed.len(), 1);
    assert_eq!(talk.filed[0].demand, "请拨付");
    talk.send(&card("13800138000", true));
    assert_eq!(talk.filed.len(), 1, "a double click files once");
}

#[test]
fn a_similar_open_case_is_offered_first() {
    let mut talk = Talk::new();
    talk.open_cases = vec![KnownCase {
        number: "ZT20261101-0007K".into(),
        title: "补贴".into(),
        demand: "技改补贴没到账，请协调解决".into(),
        topic: Some("POLICY.PAY".into()),
        status_label: "办理中".into(),
    }];
    talk.say("技改补贴没到账，电话13800138000");
    talk.expect("提交", &["您有一件类似的在办", "ZT20261101-0007K", "[补充到这件]", "[另提一件]"]);
    assert!(talk.filed.is_empty());
    let mut other = Talk { state: talk.state.clone(), open_cases: talk.open_cases.clone(), ..Talk::new() };
    talk.expect("补充到这件", &["已补充到 ZT20261101-0007K"]);
    assert_eq!(talk.state.cases, ["ZT20261101-0007K"], "from now on it is one of its cases");
    assert!(matches!(talk.effects.as_slice(), [Effect::AppendToCase { .. }]));
    other.expect("另提一件", &["登记成功"]);
    assert_eq!(other.filed.len(), 1);
}

#[test]
fn an_emergency_is_answered_at_once_and_stays_in_the_chat() {
    let mut talk = Talk::new();
    talk.expect("车间着火了怎么办", &["119", "已通知值班人员"]);
    assert!(talk.effects.iter().any(|e| matches!(e, Effect::PageDuty { code: Some(Diversion::D1), .. })));
    assert_eq!(talk.state.mode, ConversationState::Bot);
    // Also in the middle of a form.
    talk.say("补贴没到账");
    talk.expect("着火了", &["119"]);
    assert!(talk.state.form.is_some());
}

#[test]
fn a_threat_is_flagged_and_goes_to_a_person() {
    let mut talk = Talk::new();
    talk.expect("不给补贴我就去北京", &["别冲动", "转人工"]);
    assert!(talk.state.risk);
    assert_eq!(talk.state.mode, ConversationState::Queued);
    assert!(talk.effects.iter().any(|e| matches!(e, Effect::RequestHuman { reason: HandoffReason::Risk, .. })));
    let mut night = Talk::after_hours();
    night.expect("我要跳楼", &["110", "值班人员"]);
    assert_eq!(night.state.mode, ConversationState::Queued);
}

#[test]
fn secrets_are_not_kept() {
    let mut talk = Talk::new();
    talk.expect("机密★三年 关于某项目的会议纪要", &["没有保存", "[转人工]"]);
    assert!(talk.effects.iter().any(|e| matches!(e, Effect::PurgeInput { .. })));
    assert!(talk.state.last_matter.is_none());
    talk.expect("帮我查竞争对手去年的税", &["不能查询"]);
}

#[test]
fn handoff_queues_in_hours_and_drafts_a_case_after_hours() {
    let mut talk = Talk::new();
    talk.expect("转人工", &["前面还有 2 位"]);
    assert_eq!(talk.state.mode, ConversationState::Queued);
    talk.expect("补贴没到账", &["工作人员接入后会看到"]);
    assert_eq!(talk.say("电话13800138000"), "", "told once");
    talk.expect("取消排队", &["已取消排队"]);
    assert_eq!(talk.state.mode, ConversationState::Bot);

    let mut night = Talk::after_hours();
    night.expect("转人工", &["11月26日 周四 08:30", "请先说说是什么事"]);
    assert!(!night.effects.iter().any(|e| matches!(e, Effect::RequestHuman { .. })));
    night.expect("机器坏了没人修，电话13800138000", &["登记单"]);
    night.expect("提交", &["登记成功"]);
    assert!(night.effects.iter().any(|e| matches!(e, Effect::Promise { .. })), "a promised call is a dated task");
}

#[test]
fn the_bot_is_silent_beside_a_person() {
    let mut talk = Talk::new();
    talk.state.mode = ConversationState::Human;
    for words in ["稳岗返还还要申请吗", "补贴没到账，电话13800138000", "你好", "转人工", "提交"]
    {
        assert_eq!(talk.say(words), "", "{words}");
        assert_eq!(talk.state.mode, ConversationState::Human);
    }
    talk.say("着火了");
    assert!(talk.effects.iter().any(|e| matches!(e, Effect::PageDuty { .. })));
    assert_eq!(talk.state.facts.contact_phone.as_deref(), Some("13800138000"));
}

#[test]
fn unclear_words_get_the_entries_twice_and_then_a_person() {
    let mut talk = Talk::new();
    talk.expect("就是不满意", &["[咨询政策]", "[反映问题]", "[提建议]", "[查进度]", "[转人工]"]);
    talk.expect("反正不行", &["[反映问题]", "[转人工]"]);
    talk.expect("就那样", &["不让您再猜", "前面还有"]);
    assert_eq!(talk.state.mode, ConversationState::Queued);
    let mut other = Talk::new();
    other.expect("你好在吗", &["[咨询政策]"]);
    other.expect("反映问题", &["一两句话"]);
    other.expect("机器被搬走了", &["登记单", "机器被搬走了"]);
}

#[test]
fn a_tie_is_clarified_by_titles_only() {
    let mut talk = Talk::new();
    let said = talk.say("注册公司");
    assert!(said.contains("1. 设立登记多久") && said.contains("[转人工]") && !said.contains("当场"), "{said}");
    talk.expect("第一个", &["材料齐全当场登记"]);
    talk.say("注册公司");
    talk.expect("认缴期限", &["当场登记"]);
    talk.say("注册公司");
    talk.expect("都不是", &["[转人工]"]);
}

#[test]
fn the_region_is_asked_for_when_it_is_not_known() {
    let mut talk = Talk::new();
    talk.expect("一般多久办结", &["2 个工作日", "以上适用于福建省"]);
    let mut talk = Talk { region: None, ..Talk::new() };
    talk.expect("一般多久办结", &["哪个地方", "[福建省]"]);
    talk.expect("福建", &["2 个工作日", "以上适用于福建省"]);
    let mut talk = Talk { region: None, ..Talk::new() };
    talk.say("一般多久办结");
    talk.expect("象山县", &["没有查到适用于象山县的依据"]);
}

#[test]
fn an_expired_rule_never_answers() {
    let mut talk = Talk::new();
    talk.expect("信用修复要多久", &["依据已到期", "[转人工]"]);
    assert!(talk.effects.iter().any(|e| matches!(e, Effect::Unanswered { .. })));
}

#[test]
fn progress_needs_number_and_code() {
    let mut talk = Talk::new();
    talk.expect("ZT20261125-0001X", &["还要 10 位查询码"]);
    talk.expect("ZT20261125-0001X JEB4F-JHWQV", &["没有查到"]);
    talk.expect("查进度", &["编号和查询码"]);
    talk.expect("ZT20261125-0001X 000000", &["没有查到"]);
    talk.progress = vec![running("ZT20261125-0001X")];
    talk.expect("ZT20261125-0001X 483920", &["办理中", "工信局", "还剩 3 个工作日"]);
    // Number and code in two messages, and a second try with the code alone.
    let mut talk = Talk::new();
    talk.expect("ZT20261125-0001X", &["还要 10 位查询码"]);
    let found = |state: &DialogueState, words: &str| needs(state, &Input::text(words)).progress;
    let whole = [ProgressQuery::Number { number: "ZT20261125-0001X".into(), code: "JEB4F-JHWQV".into() }];
    assert_eq!(found(&talk.state, "查询码是 jeb4f-jhwqv"), whole);
    assert!(found(&talk.state, "补贴怎么还没到账").is_empty());
    assert!(found(&DialogueState::default(), "JEB4F-JHWQV").is_empty(), "no number was told");
    talk.expect("JEB4F-JHWQX", &["没有查到"]);
    assert_eq!(found(&talk.state, "JEB4F-JHWQV"), whole);
    assert_eq!(
        needs(&DialogueState::default(), &Input::text("zt20261125-0001x，查询码483920")).progress,
        [ProgressQuery::Number { number: "ZT20261125-0001X".into(), code: "483920".into() }]
    );
}

#[test]
fn cancelling_asks_once_and_keeps_nothing() {
    let mut talk = Talk::new();
    talk.say("补贴没到账");
    talk.expect("取消", &["确定不登记了吗"]);
    talk.expect("继续填写", &["登记单还在"]);
    talk.say("取消");
    talk.expect("是", &["没有登记任何内容"]);
    assert!(talk.state.form.is_none());
    assert!(talk.filed.is_empty());
}

#[test]
fn a_question_in_the_middle_of_a_form_is_answered_and_the_form_stays() {
    let mut talk = Talk::new();
    talk.say("补贴没到账");
    talk.expect("稳岗返还还要申请吗", &["免申即享", "登记单还在"]);
    assert!(talk.state.form.is_some());
    talk.expect("转给工作人员", &["前面还有"]);
    assert!(talk.state.form.is_some(), "the officer sees the form");
}

#[test]
fn conduct_may_be_anonymous_and_is_sealed() {
    let mut talk = Talk::new();
    talk.expect("办事的人吃拿卡要，我要匿名反映", &["看不到您的身份", "[提交]"]);
    talk.expect("提交", &["登记成功"]);
    let draft = &talk.filed[0];
    assert!(draft.anonymous && draft.sensitive && draft.confidential);
    let mut other = Talk::new();
    other.say("补贴没到账");
    other.expect("匿名", &["得留一个联系方式"]);
}

#[test]
fn a_citizens_matter_is_never_a_dead_end() {
    let mut talk = Talk::new();
    talk.expect("小区电梯坏了", &["12345", "[仍要登记]", "[转人工]"]);
    talk.expect("仍要登记", &["登记单"]);
}

#[test]
fn a_closed_conversation_opens_again_without_old_context() {
    let mut talk = Talk::new();
    talk.say("补贴没到账，电话13800138000");
    talk.state.mode = ConversationState::Closed;
    talk.expect("稳岗返还还要申请吗", &["免申即享"]);
    assert_eq!(talk.state.episode, 1);
    assert!(talk.state.form.is_none());
    assert_eq!(talk.state.facts.contact_phone.as_deref(), Some("13800138000"));
}

#[test]
fn handoffs_do_not_loop() {
    let mut talk = Talk::new();
    for _ in 0..3 {
        talk.say("转人工");
        talk.state.mode = ConversationState::Bot;
    }
    talk.expect("转人工", &["登记成诉求件", "[帮我登记]"]);
    assert_eq!(talk.state.mode, ConversationState::Bot);
}

#[test]
fn a_failed_turn_goes_to_a_person_and_stays_there() {
    let talk = Talk::new();
    let env = TurnEnv {
        knowledge: &talk.small,
        now: Timestamp::UNIX_EPOCH,
        today: jiff::civil::date(2026, 11, 25),
        default_region: None,
        channel: Channel::Web,
        queue_ahead: 0,
        open_cases: &[],
        progress: &[],
    };
    let outcome = failed_turn(&env, &DialogueState::default());
    assert_eq!(outcome.state.mode, ConversationState::Queued);
    assert!(outcome.effects.iter().any(|e| matches!(e, Effect::RequestHuman { reason: HandoffReason::Error, .. })));
}

mod laws {
    use proptest::prelude::*;

    use super::*;

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "补贴没到账",
                "消防验收没人来",
                "稳岗返还还要申请吗",
                "我们是福州鑫达模具厂",
                "电话13800138000",
                "电话改成1390013",
                "取消",
                "是",
                "继续填写",
                "没解决",
                "解决了",
                "转人工",
                "取消排队",
                "查进度",
                "帮我登记",
                "匿名",
                "另提一件",
                "补充到这件",
                "注册公司",
                "第一个",
                "都不是",
                "你好",
                "好的",
                "不提交",
                "怎么提交",
                "镇政府拖欠尾款三十万",
                "去掉第1件",
                "吃拿卡要",
                "着火了",
                "机密★",
                "信用修复",
                "小区电梯坏了",
                "",
            ])
            .prop_map(str::to_owned),
            "\\PC{0,40}",
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_filed_without_a_submit_and_questions_are_few(lines in prop::collection::vec(line(), 1..14), open in any::<bool>()) {
            let mut talk = Talk::new();
            talk.small.open = open;
            let mut asked_on_form = 0;
            for line in &lines {
                if super::words::own(line) == Some(super::words::Own::Submit) || line.contains("另提一件") {
                    continue;
                }
                let before = talk.state.mode;
                let said = talk.say(line);
                prop_assert!(talk.filed.is_empty(), "filed on {line:?}");
                if talk.state.form.is_none() {
                    asked_on_form = 0;
                } else if said.contains("还缺：") {
                    asked_on_form += 1;
                }
                prop_assert!(asked_on_form <= u32::from(form::MAX_QUESTIONS));
                if before != ConversationState::Queued && before != ConversationState::Human {
                    prop_assert!(!said.is_empty(), "silence to {line:?}");
                }
            }
        }

        #[test]
        fn every_way_of_calling_is_answered_or_kept(lines in prop::collection::vec(line(), 0..8)) {
            let mut talk = Talk::new();
            for line in lines {
                talk.say(&line);
            }
            for kind in [
                InputKind::Handoff,
                InputKind::Feedback { helpful: false },
                InputKind::Attachment { id: "a".into(), name: "合同.pdf".into(), image: false },
                InputKind::Place { words: "24.5,117.6".into() },
                InputKind::Unreadable { excuse: "看不到内容" },
                InputKind::FormSubmit { fields: vec![], matters: vec![], confirm: true },
            ] {
                talk.send(&Input { kind });
            }
        }
    }
}

#[test]
fn what_is_near_is_offered_by_title_and_answered_when_picked() {
    let mut talk = Talk::new();
    let said = talk.say("执照要等几日");
    assert!(said.contains("您是不是想问：\n1. 设立登记多久\n2. 认缴期限"), "{said}");
    assert!(said.contains("[都不是，转人工]") && !said.contains("当场登记"), "{said}");
    talk.expect("设立登记多久", &["材料齐全当场登记"]);
    assert_eq!(talk.state.last_answer.as_ref().map(|a| a.rule_id.as_str()), Some("a-1"));
}

#[test]
fn none_of_the_titles_leads_to_a_person_and_is_kept_as_unanswered() {
    let mut talk = Talk::new();
    talk.say("执照要等几日");
    talk.expect("都不是，转人工", &["已为您转人工"]);
    assert_eq!(talk.state.mode, ConversationState::Queued);
    assert!(talk.effects.iter().any(|e| matches!(e, Effect::Unanswered { text } if text == "执照要等几日")));
    assert!(talk.effects.iter().any(|e| matches!(e, Effect::RequestHuman { note, .. } if note.contains("执照"))));
}

#[test]
fn titles_are_offered_twice_at_most() {
    let mut talk = Talk::new();
    talk.expect("执照要等几日", &["您是不是想问"]).expect("那执照呢", &["您是不是想问"]);
    let said = talk.say("执照到底咋回事");
    assert!(!said.contains("您是不是想问"), "{said}");
    assert_eq!(talk.state.mode, ConversationState::Queued);
}

#[test]
fn a_demand_is_filed_and_not_asked_back_about() {
    let mut talk = Talk::new();
    let said = talk.say("镇政府拖欠我们工程款");
    assert!(said.contains("登记单") && !said.contains("您是不是想问"), "{said}");
}

#[test]
fn whoever_only_names_the_enterprise_is_told_nothing_of_its_other_cases() {
    let mut talk = Talk::new();
    talk.say("技改补贴没到账，电话13800138000，我们是福州鑫达模具厂");
    assert_eq!(needs(&talk.state, &Input::text("提交")).open_cases, Some(vec![]), "only its own cases are compared");
    talk.expect("提交", &["登记成功"]);
    // Its own one is, also after number and code were told.
    let mut talk = Talk::new();
    talk.progress = vec![running("ZT20261101-0007K")];
    talk.expect("ZT20261101-0007K JEB4F-JHWQV", &["办理中"]);
    talk.progress.clear();
    talk.say("技改补贴没到账，电话13800138000");
    assert_eq!(needs(&talk.state, &Input::text("提交")).open_cases, Some(vec!["ZT20261101-0007K".to_owned()]));
    let progress = needs(&talk.state, &Input::text("查进度")).progress;
    assert_eq!(progress, [ProgressQuery::Conversation { numbers: vec!["ZT20261101-0007K".to_owned()] }]);
}

/// A case in work, as its enterprise sees it.
fn running(number: &str) -> ProgressView {
    ProgressView {
        number: number.to_owned(),
        title: "补贴".into(),
        status: "processing".into(),
        status_label: "办理中".into(),
        stage: 4,
        holder: Some("工信局".into()),
        due_at: None,
        due_text: Some("还剩 3 个工作日".into()),
        latest: vec![],
        is_open: true,
        may_confirm: false,
        may_rate: false,
    }
}
