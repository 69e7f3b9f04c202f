//! With a model: forms that the rules leave open, what is proposed for them, and what the visitor makes of it.

use super::*;
use crate::domain::dialogue::{ProposalFault as F, ProposalKey as K, ProposalOutcome as O, Proposed};

/// The rules of these tests know neither type nor topic of it.
const OPEN: &str = "福州鑫达模具厂9月5日在仓山园区停工，损失12万元，想有人来看看";

fn with_a_model() -> Talk {
    let mut talk = Talk::new();
    talk.small.model = true;
    talk
}

/// A form about [`OPEN`], and the ticket of the question about it.
fn opened() -> (Talk, u32) {
    let mut talk = with_a_model();
    talk.say(OPEN);
    let ticket = asked(&talk).expect("asked");
    (talk, ticket)
}

fn asked(talk: &Talk) -> Option<u32> {
    talk.effects.iter().find_map(|effect| {
        let Effect::Classify { ticket, question } = effect else { return None };
        assert!(!question.is_empty());
        Some(*ticket)
    })
}

fn proposed(ticket: u32, said: Proposed) -> Input {
    Input { kind: InputKind::Proposed { ticket, words: OPEN.to_owned(), said, exchange: "x".to_owned() } }
}

fn decided(ticket: u32, accepted: &[(K, &str)], refused: &[K]) -> Input {
    let accepted = accepted.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    Input { kind: InputKind::ProposalDecided { ticket, accepted, refused: refused.to_vec() } }
}

fn of_type(slug: &str) -> Proposed {
    Proposed { case_type: Some(slug.to_owned()), ..Proposed::default() }
}

fn slots(slots: &[(&str, &str)]) -> Proposed {
    let slots = slots.iter().map(|(slot, value)| ((*slot).to_owned(), (*value).to_owned())).collect();
    Proposed { slots, ..Proposed::default() }
}

/// What stands on the form as a proposal: key, value, taken over.
fn items(talk: &Talk) -> Vec<(K, String, bool)> {
    let proposal = talk.state.form.as_ref().and_then(|form| form.proposal.as_ref());
    proposal.map_or_else(Vec::new, |p| p.items.iter().map(|i| (i.key, i.value.clone(), i.accepted)).collect())
}

fn shown(talk: &Talk) -> (Vec<K>, Vec<F>) {
    let found = talk.effects.iter().find_map(|effect| {
        let Effect::Proposed { shown, faults, .. } = effect else { return None };
        Some((shown.clone(), faults.clone()))
    });
    found.expect("the journal hears of it")
}

fn ended(talk: &Talk) -> Vec<(K, O)> {
    let ends = talk.effects.iter().filter_map(|effect| {
        let Effect::ProposalEnded { ended, .. } = effect else { return None };
        Some(ended.clone())
    });
    ends.flatten().collect()
}

#[test]
fn the_form_is_the_same_with_and_without_a_model() {
    let mut without = Talk::new();
    let expected = without.say(OPEN);
    assert_eq!(asked(&without), None);
    let mut talk = with_a_model();
    assert_eq!(talk.say(OPEN), expected);
    assert_eq!(asked(&talk), talk.state.awaited_proposal());
    assert!(talk.state.awaited_proposal().is_some());
}

#[test]
fn nothing_is_asked_where_the_rules_are_sure_or_the_words_are_not_for_a_model() {
    for words in [
        "技改补贴没到账，已经公示四个月了",
        "公司被拖欠工程款三百多万元一年了",
        "消防验收三个月了还没有消息",
        "科长吃拿卡要，不给好处不办事",
    ] {
        let mut talk = with_a_model();
        talk.say(words);
        if talk.state.form.is_none() {
            talk.say("帮我登记");
        }
        assert_eq!(asked(&talk), None, "{words}");
        assert_eq!(talk.state.awaited_proposal(), None, "{words}");
    }
    for words in
        [format!("{OPEN}，我要投诉他们态度恶劣"), format!("{OPEN}，请对我们的身份保密"), "不好说的事情".to_owned()]
    {
        let mut talk = with_a_model();
        talk.say(&words);
        assert_eq!(asked(&talk), None, "{words}");
    }
}

#[test]
fn what_the_model_proposes_waits_beside_the_form_until_it_is_taken_over() {
    let (mut talk, ticket) = opened();
    let before = talk.state.form.clone().expect("a form");
    let said = Proposed {
        case_type: Some("help".to_owned()),
        topic: Some("PARK".to_owned()),
        urgency: Some("urgent".to_owned()),
        slots: vec![("object".to_owned(), "仓山园区".to_owned())],
    };
    assert_eq!(talk.send(&proposed(ticket, said.clone())), "", "not a word");
    assert_eq!(shown(&talk), (vec![K::Type, K::Topic, K::Urgency, K::Object], vec![]));
    let mut form = talk.state.form.clone().expect("a form");
    form.proposal.clone_from(&before.proposal);
    assert_eq!(form, before, "nothing is applied by itself");
    assert_eq!(talk.send(&proposed(ticket, said)), "");
    assert_eq!(talk.effects, [], "the same once more is too late");

    talk.send(&decided(ticket, &[(K::Type, "help"), (K::Object, "仓山园区管委会")], &[K::Urgency]));
    assert_eq!(ended(&talk), [(K::Type, O::Accepted), (K::Object, O::Changed), (K::Urgency, O::Refused)]);
    let form = talk.state.form.as_ref().expect("a form");
    assert_eq!(form.matters[0].case_type, CaseType::Help);
    assert_eq!((form.matters[0].topic.as_deref(), form.matters[0].urgency), (None, Urgency::Normal));
    assert_eq!(form.value(FieldKey::Object), Some("仓山园区管委会"));
    assert_eq!(items(&talk).len(), 3, "the page still has the old card");
    talk.send(&decided(ticket, &[(K::Type, "help")], &[K::Urgency]));
    assert_eq!(ended(&talk), [], "a repeat changes nothing");

    talk.say("电话13800138000");
    assert_eq!(items(&talk), [(K::Topic, "PARK".to_owned(), false)], "the new card has the rest");
    talk.say("提交");
    assert_eq!(ended(&talk), [(K::Topic, O::Dropped)]);
    let drafts = talk.effects.iter().find_map(|effect| {
        let Effect::FileCases(drafts) = effect else { return None };
        Some(drafts.clone())
    });
    let drafts = drafts.expect("filed");
    assert_eq!((drafts[0].case_type, drafts[0].topic.as_deref()), (CaseType::Help, None));
    assert_eq!(drafts[0].object.as_deref(), Some("仓山园区管委会"));
}

#[test]
fn a_proposal_asks_for_more_and_never_for_less() {
    for (said, fault) in [
        (of_type("consultation"), F::LowerType),
        (of_type("suggestion"), F::LowerType),
        (of_type("nonsense"), F::UnknownType),
        (of_type("rating_review"), F::UnknownType),
        (Proposed { urgency: Some("soon".to_owned()), ..Proposed::default() }, F::UnknownUrgency),
        (slots(&[("phone", "13800138000")]), F::UnknownSlot),
        (slots(&[("object", "市监局")]), F::Invented),
        (slots(&[("amount", "想有人来")]), F::Said),
        (slots(&[("happened_on", "9月6日")]), F::Said),
    ] {
        let (mut talk, ticket) = opened();
        talk.send(&proposed(ticket, said.clone()));
        assert_eq!(shown(&talk), (vec![], vec![fault]), "{said:?}");
        assert_eq!(items(&talk), []);
        assert_eq!(talk.state.form.as_ref().expect("a form").proposal, None);
    }
    let (mut talk, ticket) = opened();
    talk.state.form.as_mut().expect("a form").matters[0].urgency = Urgency::Critical;
    talk.send(&proposed(ticket, Proposed { urgency: Some("urgent".to_owned()), ..Proposed::default() }));
    assert_eq!(shown(&talk), (vec![], vec![F::LowerUrgency]));
    // What the rules had decided is not asked about, and a type that the visitor chose stands.
    let (mut talk, ticket) = opened();
    let proposal = talk.state.form.as_mut().and_then(|form| form.proposal.as_mut()).expect("a proposal");
    proposal.undecided.topic = false;
    talk.state.form.as_mut().expect("a form").matters[0].case_type = CaseType::Help;
    let said = Proposed { topic: Some("PARK".to_owned()), ..of_type("stuck") };
    talk.send(&proposed(ticket, said));
    assert_eq!(shown(&talk), (vec![], vec![F::Said, F::Decided]));
}

#[test]
fn what_the_enterprise_says_meanwhile_takes_the_place_of_a_proposal() {
    let (mut talk, ticket) = opened();
    talk.send(&proposed(ticket, slots(&[("object", "仓山园区")])));
    talk.say("涉及单位是园区物业公司");
    assert_eq!(ended(&talk), [(K::Object, O::Changed)]);
    assert_eq!(items(&talk), []);

    // It was said before the model was done.
    let (mut talk, ticket) = opened();
    talk.say("涉及单位是园区物业公司");
    talk.send(&proposed(ticket, slots(&[("object", "仓山园区")])));
    assert_eq!(shown(&talk), (vec![], vec![F::Said]));

    let (mut talk, ticket) = opened();
    talk.send(&proposed(ticket, slots(&[("object", "仓山园区")])));
    talk.say("取消");
    talk.say("是");
    assert_eq!(ended(&talk), [(K::Object, O::Dropped)]);
    assert_eq!(talk.send(&decided(ticket, &[(K::Object, "仓山园区")], &[])), "");
    assert_eq!(talk.state.form, None);
}

#[test]
fn without_buttons_a_proposal_stands_in_the_next_question_and_is_taken_over_in_words() {
    for (words, taken) in [("采用建议", true), ("不采用", false)] {
        let (mut talk, ticket) = opened();
        talk.channel = Channel::WechatOa;
        talk.send(&proposed(ticket, of_type("help")));
        let said = talk.say("联系人张三");
        assert!(said.contains("（AI 建议，请核对：事项类型 求助。要采用请回复“采用建议”，不采用不用管）"), "{said}");
        assert!(said.contains("[采用建议]"), "{said}");
        let said = talk.say(words);
        assert!(!said.contains("AI 建议，请核对"), "{said}");
        let form = talk.state.form.as_ref().expect("a form");
        assert_eq!(form.matters[0].case_type == CaseType::Help, taken, "{words}");
        assert_eq!(ended(&talk), [(K::Type, if taken { O::Accepted } else { O::Refused })]);
        assert_eq!(items(&talk), []);
    }
}

#[test]
fn nothing_arrives_once_a_person_has_the_conversation() {
    let (mut talk, ticket) = opened();
    talk.say("转人工");
    assert_eq!(talk.state.mode, ConversationState::Queued);
    talk.send(&proposed(ticket, of_type("help")));
    assert_eq!((talk.effects.len(), items(&talk)), (0, vec![]));
}
