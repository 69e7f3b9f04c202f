//! With a model: what is asked, what comes back, and what happens when it does not.

use super::*;

const QUESTION: &str = "试点企业要交什么材料？";

fn with_a_model() -> Talk {
    let mut talk = Talk::new();
    talk.small.model = true;
    talk
}

fn asked(talk: &Talk) -> Option<u32> {
    talk.effects.iter().find_map(|effect| {
        let Effect::AskModel { ticket, question } = effect else { return None };
        assert!(!question.is_empty());
        Some(*ticket)
    })
}

fn answered(ticket: u32) -> Input {
    let answer = GeneratedAnswer {
        text: "要交申请表。".to_owned(),
        citations: vec![Citation { title: "办法".into(), reference: "第一条".into(), url: None }],
        rule_ids: vec!["a-1".to_owned()],
        version: "v1".to_owned(),
        topic: None,
        awaiting_recheck: false,
    };
    Input { kind: InputKind::ModelAnswered { ticket, answer } }
}

fn refused(ticket: u32) -> Input {
    Input { kind: InputKind::ModelRefused { ticket } }
}

#[test]
fn a_question_that_no_rule_answers_is_put_to_the_model_and_its_answer_bears_the_label() {
    let mut talk = with_a_model();
    talk.expect(QUESTION, &["正在查阅政策依据", "[转人工]"]);
    assert_eq!((asked(&talk), talk.state.awaited_ticket()), (Some(1), Some(1)));
    assert_eq!(talk.state.mode, ConversationState::Bot);
    let said = talk.send(&answered(1));
    assert!(said.contains("要交申请表。\n\nAI 生成，仅供参考，以政策原文为准"), "{said}");
    assert!(said.contains("[没解决][帮我登记][转人工]"), "{said}");
    assert_eq!(talk.state.awaited_ticket(), None);
    assert_eq!(talk.send(&answered(1)), "", "the same answer again says nothing");
}

#[test]
fn a_generated_answer_that_did_not_help_becomes_a_form_and_counts_against_no_rule() {
    let mut talk = with_a_model();
    talk.say(QUESTION);
    talk.send(&answered(1));
    talk.expect("没解决", &["不用重新输入"]);
    assert!(
        talk.effects
            .iter()
            .any(|e| matches!(e, Effect::Feedback { rule_id: Some(id), helpful: false } if id == "model:a-1"))
    );
    let form = talk.state.form.as_ref().expect("a form");
    assert_eq!(form.original, QUESTION);
    assert_eq!(form.answered_before.as_ref().map(|a| a.rule_id.as_str()), Some("model:a-1"));
}

#[test]
fn a_refusal_goes_on_as_if_there_were_no_model() {
    for words in ["执照要等几日呢？", "执照试点要多久"] {
        let mut without = Talk::new();
        let expected = without.say(words);
        let mut talk = with_a_model();
        talk.say(words);
        let ticket = asked(&talk).expect("asked");
        assert_eq!(talk.send(&refused(ticket)), expected, "{words}");
        assert_eq!(talk.state.awaiting, without.state.awaiting);
        assert_eq!(talk.send(&refused(ticket)), "");
    }
    let mut talk = with_a_model();
    talk.say(QUESTION);
    let said = talk.send(&refused(1));
    assert!(said.contains("没有查到有依据的现成答复") && said.contains("[帮我登记]"), "{said}");
    assert!(talk.effects.iter().any(|e| matches!(e, Effect::Unanswered { .. })));
    talk.expect("帮我登记", &["登记单"]);
    assert_eq!(talk.state.form.as_ref().map(|form| form.original.as_str()), Some(QUESTION));
}

#[test]
fn whatever_is_said_next_takes_the_place_of_the_question() {
    for words in ["稳岗返还还要申请吗", "转人工", "消防验收没人来", "查进度", "帮我登记", "解决了"]
    {
        let mut talk = with_a_model();
        talk.say(QUESTION);
        talk.say(words);
        assert_eq!(talk.state.awaited_ticket(), None, "{words}");
        let before = talk.state.clone();
        assert_eq!(talk.send(&answered(1)), "", "{words}");
        assert_eq!(talk.send(&refused(1)), "", "{words}");
        assert_eq!(talk.state, before, "{words}");
    }
    let mut talk = with_a_model();
    talk.say(QUESTION);
    talk.expect("执照要等几日呢？", &["正在查阅"]);
    assert_eq!(asked(&talk), Some(2), "every question has a ticket of its own");
    assert_eq!(talk.send(&answered(1)), "");
    assert!(talk.send(&answered(2)).contains("AI 生成"));
}

#[test]
fn a_word_of_impatience_keeps_the_question() {
    for words in ["在吗", "？？", "好的", "谢谢"] {
        let mut talk = with_a_model();
        talk.say(QUESTION);
        talk.expect(words, &["还在查阅"]);
        assert!(talk.send(&answered(1)).contains("AI 生成"), "{words}");
    }
}

#[test]
fn a_file_sent_meanwhile_keeps_the_question() {
    let mut talk = with_a_model();
    talk.say(QUESTION);
    talk.send(&Input { kind: InputKind::Attachment { id: "f".into(), name: "表.pdf".into(), image: false } });
    assert_eq!(talk.state.awaited_ticket(), Some(1));
}

#[test]
fn tickets_never_count_back() {
    let mut talk = with_a_model();
    talk.say(QUESTION);
    talk.state.mode = ConversationState::Closed;
    assert_eq!(talk.send(&answered(1)), "", "a closed conversation stays closed");
    assert_eq!(talk.state.mode, ConversationState::Closed);
    talk.say(QUESTION);
    assert_eq!(asked(&talk), Some(2));
    assert_eq!(talk.send(&answered(1)), "");
}

#[test]
fn what_is_more_than_a_question_is_never_put_to_a_model() {
    for words in [
        "镇政府拖欠我们试点工程款怎么办",
        "某科长吃拿卡要，试点怎么办",
        "试点科室索贿，我该怎么办？",
        "试点窗口态度太差了怎么投诉？",
        "这不是投诉，但请记录：试点科室收了好处费，怎么处理？",
        "消防验收没人来，试点要什么材料？",
        "着火了，试点怎么办",
        "试点",
        "试点这件事我们已经跟进很久了",
    ] {
        let mut talk = with_a_model();
        talk.say(words);
        assert_eq!(asked(&talk), None, "{words}");
    }
    let long = format!("{}试点要什么材料？", "我们厂的情况比较复杂".repeat(30));
    let mut talk = with_a_model();
    talk.say(&long);
    assert_eq!(asked(&talk), None);
    let mut talk = with_a_model();
    talk.state.risk = true;
    talk.say(QUESTION);
    assert_eq!(asked(&talk), None, "a conversation with a threat in it is for people");
    let mut talk = with_a_model();
    talk.say("反映问题");
    talk.say(QUESTION);
    assert_eq!(asked(&talk), None, "who wants to report something is not answered");
    let mut talk = with_a_model();
    talk.say("补贴没到账");
    talk.say(QUESTION);
    assert_eq!(asked(&talk), None, "a form in work comes first");
    let mut talk = with_a_model();
    talk.expect("稳岗返还还要申请吗", &["免申即享"]);
    assert_eq!(asked(&talk), None, "rules come first");
    let mut talk = with_a_model();
    talk.expect("注册执照要多久？", &["您想问的是哪一个"]);
    assert_eq!(asked(&talk), None, "a tie of rules is asked back about");
}

#[test]
fn without_a_model_nothing_changes() {
    let mut talk = Talk::new();
    let said = talk.say(QUESTION);
    assert!(!said.contains("正在查阅"), "{said}");
    assert_eq!((asked(&talk), talk.state.tickets), (None, 0));
}
