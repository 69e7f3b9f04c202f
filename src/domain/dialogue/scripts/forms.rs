//! What goes into an open form and what does not.

use super::*;

/// A form about the subsidy, with a telephone.
fn with_a_form() -> Talk {
    let mut talk = Talk::new();
    talk.say("补贴没到账 13711160001");
    talk
}

fn value(talk: &Talk, key: FieldKey) -> Option<String> {
    talk.state.form.as_ref().and_then(|form| form.value(key)).map(str::to_owned)
}

fn demands(talk: &Talk) -> Vec<String> {
    talk.state.form.iter().flat_map(CaseForm::kept).map(|m| m.demand.clone()).collect()
}

#[test]
fn what_is_beside_the_matter_changes_nothing_on_the_form() {
    let mut talk = with_a_form();
    let before = talk.state.form.clone().expect("a form");
    for words in [
        "就这些",
        "快点",
        "赶紧的",
        "你是谁",
        "你们是骗子吧",
        "可以提交了吗",
        "不想说",
        "再催一下",
        "怎么送锦旗",
        "没有另外的了",
        "不要提交",
        "提交了会怎样",
        "谢谢你们",
        "在吗",
        "什么意思",
        "必须留电话吗",
        "为什么要填公司名？",
        "等一下",
        "再见",
        "我再想想",
        "随便",
        "无",
        "1",
        "改一下",
        "刚才的登记单呢",
        "第二个帮我登记",
        "我是个体户没有公司",
        "不懂，说人话",
        "12345电话多少",
    ] {
        let said = talk.say(words);
        let form = talk.state.form.as_ref().expect("the form stays");
        assert_eq!(form.matters, before.matters, "{words}: {said}");
        assert_eq!(form.fields, before.fields, "{words}: {said}");
        assert_eq!(form.original, before.original, "{words}: {said}");
        assert!(said.contains("登记单"), "{words}: {said}");
    }
}

#[test]
fn the_number_in_the_first_clause_does_not_cost_the_matter() {
    let mut talk = with_a_form();
    talk.say("就是技改那批");
    assert_eq!(demands(&talk), ["补贴没到账，就是技改那批，请协调解决"]);
    let mut talk = Talk::new();
    talk.say("补贴没到账，生产线要停了 13711160001 宁德富源茶业有限公司");
    talk.say("提交");
    assert_eq!(talk.filed.len(), 1);
    assert!(!talk.filed[0].title.contains("137"), "{}", talk.filed[0].title);
}

#[test]
fn figures_that_are_no_number_are_told_so() {
    let mut talk = Talk::new();
    talk.say("补贴没到账");
    for words in ["13711", "137111200011", "电话是1371112"] {
        talk.expect(words, &["不像电话号码", "11 位"]);
        assert_eq!(value(&talk, FieldKey::ContactPhone), None, "{words}");
    }
    talk.expect("13711160001", &["已记下联系电话"]);
}

#[test]
fn a_value_is_corrected_as_often_as_it_is_told() {
    let mut talk = with_a_form();
    for (words, phone) in [
        ("电话改成13711160002", "13711160002"),
        ("13711160003", "13711160003"),
        ("不是这个电话，打13711160004", "13711160004"),
        ("还是用13711160001吧", "13711160001"),
        ("我换号了，新号13711160005", "13711160005"),
        ("电话不是13711160005，是13711160006", "13711160006"),
        ("不是13711160006，是13711160007", "13711160007"),
    ] {
        talk.say(words);
        assert_eq!(value(&talk, FieldKey::ContactPhone).as_deref(), Some(phone), "{words}");
    }
    for (words, name) in [
        ("公司名改成福州乙有限公司", "福州乙有限公司"),
        ("我们是福州兴业食品有限公司", "福州兴业食品有限公司"),
        ("应该叫福州兴盛食品厂", "福州兴盛食品厂"),
        ("企业改为福州兴隆食品有限公司", "福州兴隆食品有限公司"),
    ] {
        talk.say(words);
        assert_eq!(value(&talk, FieldKey::Enterprise).as_deref(), Some(name), "{words}");
    }
    talk.say("联系人改成张三，电话改成13711160008，公司改成福州乙公司");
    assert_eq!(value(&talk, FieldKey::ContactName).as_deref(), Some("张三"));
    assert_eq!(value(&talk, FieldKey::ContactPhone).as_deref(), Some("13711160008"));
    assert_eq!(value(&talk, FieldKey::Enterprise).as_deref(), Some("福州乙公司"));
    assert_eq!(demands(&talk).len(), 1, "no correction is a matter");
}

#[test]
fn a_field_that_is_wrong_is_asked_for_and_then_replaced() {
    let mut talk = Talk::new();
    talk.say("补贴没到账，我们是福州兴业食品厂，13711160001");
    talk.expect("公司名称写错了", &["请把正确的企业名称发来"]);
    talk.say("福州兴盛食品厂");
    assert_eq!(value(&talk, FieldKey::Enterprise).as_deref(), Some("福州兴盛食品厂"));
    talk.expect("不要写公司名", &["已更新企业名称"]);
    assert_eq!(value(&talk, FieldKey::Enterprise), None);
    talk.expect("电话先不留", &["联系不上您"]);
    assert_eq!(value(&talk, FieldKey::ContactPhone).as_deref(), Some("13711160001"));
}

#[test]
fn demand_and_type_are_corrected_in_words() {
    let mut talk = with_a_form();
    talk.say("不是咨询，是求助");
    assert_eq!(demands(&talk), ["补贴没到账，请尽快帮助解决"]);
    talk.say("内容改成：请拨付第二批技改补助");
    assert_eq!(demands(&talk), ["请拨付第二批技改补助"]);
    talk.say("不是第二批，是第三批");
    assert_eq!(demands(&talk), ["请拨付第三批技改补助"]);
    talk.expect("诉求写错了", &["正确的诉求"]);
    talk.say("请拨付第四批技改补助");
    assert_eq!(demands(&talk), ["请拨付第四批技改补助"]);
    talk.say("提交");
    assert!(talk.filed[0].title.contains("第四批"), "{}", talk.filed[0].title);
    assert_eq!(talk.filed[0].case_type, CaseType::Help);
}

#[test]
fn a_name_that_may_be_the_debtors_is_asked_about() {
    let mut talk = Talk::new();
    talk.say("有家企业拖欠我们货款120万一直不给");
    assert_eq!(value(&talk, FieldKey::Amount).as_deref(), Some("120万"));
    let said = talk.say("福建大海集团");
    assert!(said.contains("[欠款方是福建大海集团]") && said.contains("[我们是福建大海集团]"), "{said}");
    let mut other = Talk { state: talk.state.clone(), ..Talk::new() };
    talk.say("欠款方是福建大海集团");
    talk.say("泉州小草塑料制品有限公司 林小姐 13711150001");
    for talk in [&mut talk, &mut other] {
        talk.say("泉州小草塑料制品有限公司 林小姐 13711150001");
        assert_eq!(value(talk, FieldKey::Object).as_deref(), Some("福建大海集团"));
        assert_eq!(value(talk, FieldKey::Enterprise).as_deref(), Some("泉州小草塑料制品有限公司"));
        assert_eq!(value(talk, FieldKey::ContactName).as_deref(), Some("林小姐"));
    }
    let mut talk = Talk::new();
    talk.say("拖欠工程款两年了");
    talk.say("县里的城投公司");
    assert_eq!(value(&talk, FieldKey::Object).as_deref(), Some("县里的城投公司"));
    assert_eq!(value(&talk, FieldKey::Enterprise), None);
}

#[test]
fn labels_and_codes_are_values_and_no_matters() {
    let mut talk = Talk::new();
    talk.say("补贴没到账");
    talk.say("联系人：王五 电话：13711160001");
    assert_eq!(value(&talk, FieldKey::ContactName).as_deref(), Some("王五"));
    assert_eq!(value(&talk, FieldKey::ContactPhone).as_deref(), Some("13711160001"));
    talk.expect("信用代码 91350100M000100Y44", &["校验码"]);
    talk.expect("税号91350100M000100Y43", &["已记下统一社会信用代码"]);
    talk.expect("微信号 abc12345", &["联系电话不变"]);
    assert_eq!(value(&talk, FieldKey::ContactPhone).as_deref(), Some("13711160001"));
    talk.say("同安区洪塘镇");
    assert_eq!(value(&talk, FieldKey::Place).as_deref(), Some("同安区洪塘镇"));
    assert_eq!(demands(&talk), ["补贴没到账，请协调解决"]);
}

#[test]
fn whoever_thinks_better_of_cancelling_keeps_the_form() {
    for words in ["不取消了", "不取消", "别取消", "不要取消", "否", "继续"] {
        let mut talk = with_a_form();
        talk.say("取消");
        talk.expect(words, &["登记单"]);
        assert!(talk.state.form.is_some(), "{words}");
        talk.expect("提交", &["登记成功"]);
    }
}

#[test]
fn a_dropped_matter_comes_back() {
    let mut talk = Talk::new();
    talk.say("补贴没到账，消防验收没人来；电话13800138000");
    talk.say("去掉第2件");
    assert_eq!(demands(&talk).len(), 1);
    talk.expect("把消防那件加回来", &["已把第2件加回来"]);
    assert_eq!(demands(&talk).len(), 2);
}

#[test]
fn a_query_code_told_over_an_open_form_shows_progress_and_is_not_kept() {
    let mut talk = with_a_form();
    talk.say("查进度");
    talk.expect("ZT20261119-0002F", &["10 位查询码"]);
    talk.expect("X12X7-NAR73", &["没有查到"]);
    talk.progress = vec![ProgressView {
        number: "ZT20261119-0002F".into(),
        title: "路灯".into(),
        status: "processing".into(),
        status_label: "办理中".into(),
        stage: 4,
        holder: None,
        due_at: None,
        due_text: None,
        latest: vec![],
        is_open: true,
        may_confirm: false,
        may_rate: false,
    }];
    talk.expect("X12X7-NAR73", &["办理中"]);
    let form = talk.state.form.as_ref().expect("the form stays");
    assert!(!form.original.contains("X12X7"), "{}", form.original);
}

#[test]
fn a_correction_after_filing_goes_to_the_filed_case() {
    let mut talk = with_a_form();
    talk.say("提交");
    talk.open_cases = vec![KnownCase {
        number: "ZT20261125-0001X".into(),
        title: "补贴".into(),
        demand: "补贴没到账，请协调解决".into(),
        topic: None,
        status_label: "已提出".into(),
    }];
    assert!(needs(&talk.state, &Input::text("电话写错了")).open_cases.is_some());
    talk.expect("电话写错了", &["请一起说改成什么", "ZT20261125-0001X"]);
    talk.expect("电话写错了，应该是13711160009", &["已补充到 ZT20261125-0001X", "13711160009"]);
    assert!(talk.state.form.is_none());
    assert!(
        matches!(talk.effects.as_slice(), [Effect::AppendToCase { number, text, .. }]
            if number == "ZT20261125-0001X" && text.contains("联系电话更正为：13711160009")),
        "{:?}",
        talk.effects
    );
}

#[test]
fn what_needs_nobody_to_act_becomes_no_case() {
    let mut talk = Talk::new();
    talk.say("车间着火了");
    for (words, said) in
        [("已经打119了", "听从救援人员"), ("银行卡6222021234567890123", "请不要在这里发"), ("不懂，说人话", "没说清楚")]
    {
        talk.expect(words, &[said]);
        assert!(talk.state.form.is_none(), "{words}");
    }
}
