//! What a model may say to an enterprise: its sources' sentences, whole or shortened, and nothing that is only built
//! from their words.

use zhitong::{
    app::{content::Content, model::output},
    domain::{
        grounding::{Draft, Limits, Source, Status, check},
        rules::RuleKind,
    },
};

use crate::retrieval::shipped;

fn limits() -> Limits {
    Limits { max_chars: 2_000, copied: true, ..Limits::default() }
}

fn sources(content: &Content, ids: &[&str]) -> Vec<Source> {
    ids.iter()
        .map(|id| content.rules.rule(id).and_then(Source::of_rule).unwrap_or_else(|| panic!("no rule {id}")))
        .collect()
}

/// Why the answer does not get out, by the whole and by the sentence.
fn refused(sources: &[Source], answer: &str) -> Option<String> {
    let draft = Draft {
        status: Status::Answered,
        answer: answer.to_owned(),
        cites: sources.iter().map(|source| source.id.clone()).collect(),
        confidence: Some(1.0),
    };
    let contract = serde_json::json!({"status": "answered", "cites": draft.cites, "answer": answer});
    let mut stream = output::AnswerStream::new(sources, &limits());
    let mut shown = stream.push(&contract.to_string()).concat();
    shown.extend(stream.finish());
    match check(&draft, sources, &limits()) {
        Ok(()) => {
            assert!(!stream.is_closed(), "whole but not by the sentence: {answer} {:?}", stream.breaches());
            None
        }
        Err(breaches) => {
            // What was shown before is no lie: it passes alone, but for a bare 能。 whose matter is still to come.
            assert!(shown.len() < answer.len() || breaches.iter().all(|breach| breach.what.chars().count() < 40));
            Some(format!("{breaches:?}"))
        }
    }
}

/// Lies built from the words of shipped answers, each with the rule that it names.
const LIES: &[(&str, &[&str])] = &[
    (
        "social-new-hire",
        &[
            "能等转正再办。",
            "是的，转正以后再办社会保险登记。",
            "自转正之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "自用工之日起30日内，为新员工向税务机关申请办理社会保险登记。",
            "自用工之日起仨月内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "自用工之日起百日内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "自用工之日起数月内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "自用工之日起⑨⑩日内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "自用工之日起俩月内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "自用工之日起30个工作日内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "自用工之日起30日后，为新员工向社会保险经办机构申请办理社会保险登记。",
            "自用工之日起30日内，可以为新员工向社会保险经办机构申请办理社会保险登记。",
            "自用工之日起30日内，无需为新员工向社会保险经办机构申请办理社会保险登记。",
            "自用工之日起30日内。",
            "试用期不算用工。",
            "这是法定期限，试用期不算用工，能等转正再办。",
            "根据民法典规定，自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "根据国务院规定，自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。以上内容已经工作人员审核，为正式答复。",
            "自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。您还没有超过期限。",
            "自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记，我们马上处理。",
            "自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记，很快就能到账。",
            "自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。咨询请拨打12345。",
            "自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记，逾期可以补交。",
            "自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。加钉钉群hqzc咨询。",
            "自用工之日起一旬内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "自用工之日起一个礼拜内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "所有企业都可以等转正再办。",
            "系统提交不了的，等转正再办。",
        ],
    ),
    (
        "injury-report",
        &[
            "单位应当自事故伤害发生之日起1年内申请工伤认定。",
            "职工本人可以在30日内直接申请。",
            "职工本人、近亲属或者工会可以在1年内直接申请。",
            "单位没有申请的，职工本人、近亲属或者工会可以在30日内直接申请。",
            "单位没有申请的，职工本人、近亲属或者工会可以在1年后直接申请。",
            "单位没有申请的，职工本人、近亲属和工会可以在1年内直接申请。",
            "单位申请的，职工本人、近亲属或者工会可以在1年内直接申请。",
            "单位没有申请的，由单位承担全部工伤费用。",
            "单位应当自职工出院之日起30日内申请工伤认定。",
            "这属于工伤，单位应当在30日内申请。",
            "您的工人构成工伤，单位应当申请工伤认定。",
            "请尽快准备劳动关系证明和诊断证明；现场有人受伤的，先拨打119。",
            "请尽快准备劳动关系证明和诊断证明；现场有人受伤的，先拨打110。",
            "请尽快准备劳动关系证明和诊断证明；现场有人受伤的，先拨打122。",
            "现场有人受伤的，向社会保险行政部门申请工伤认定。",
            "请尽快准备劳动关系证明或诊断证明。",
        ],
    ),
    (
        "arb-limit",
        &[
            "没有时效限制，随时可以申请。",
            "申请劳动仲裁的时效是1年，超过了也可以申请。",
            "申请劳动仲裁的时效是45日，从知道或者应当知道权利被侵害之日起算。",
            "申请劳动仲裁的时效是1年，从离职之日起算。",
            "受理以后应当在15日内裁完，复杂的延长不超过45日。",
            "申请劳动仲裁的时效是1年，从知道或者应当知道权利被侵害之日起算，您还没有超过时效。",
            "您的申请还在时效内。",
            "这是法定时效；个案有没有超过，由本平台认定。",
            "劳动争议请向当地劳动人事争议仲裁委员会申请，也可以先申请调解；本平台可以代替裁决。",
            "必须先申请调解。",
        ],
    ),
    (
        "biz-promise",
        &[
            "地方政府及其有关部门可以以政府换届为由违约毁约。",
            "不算数。",
            "地方政府已经违约。",
            "地方政府及其有关部门应当履行向市场主体依法作出的政策承诺和依法订立的各类合同，政府换届的除外。",
            "政府换届、行政区划调整的除外，地方政府应当履行政策承诺。",
            "地方政府及其有关部门可以履行向市场主体依法作出的政策承诺和依法订立的各类合同。",
            "地方政府及其有关部门应当履行向市场主体依法作出的政策承诺和依法订立的各类合同。",
            "所有企业都可以得到政策承诺。",
        ],
    ),
    (
        "arr-bill",
        &[
            "中小企业必须接受商业汇票。",
            "可以强制。",
            "机关、事业单位和大型企业可以要求中小企业接受商业汇票等非现金支付方式。",
            "机关、事业单位和大型企业强制中小企业接受商业汇票等非现金支付方式。",
            "机关、事业单位或大型企业不得强制中小企业接受商业汇票等非现金支付方式，不得借此变相延长付款期限。",
            "贵公司是中型企业。",
        ],
    ),
    (
        "arr-pay-term-short",
        &[
            "机关、事业单位自交付之日起60日内付款。",
            "机关、事业单位自交付之日起30日内付款，合同另有约定的最长不超过30日。",
            "机关、事业单位自交付之日起30日内付款。",
            "大型企业自交付之日起30日内付款。",
            "大型企业自交付之日起60日内付款，合同另有约定的最长不超过60日。",
            "大型企业自验收之日起60日内付款，合同另有约定的从其约定，但应当合理。",
            "企业自交付之日起60日内付款，合同另有约定的从其约定，但应当合理。",
            "大型企业自交付之日起60日内付款，合同另有约定的从其约定。",
        ],
    ),
    (
        "arr-interest",
        &[
            "没有约定的，按每日利率千分之五支付。",
            "双方约定利率的，按每日利率万分之五支付。",
            "机关、事业单位和大型企业迟延支付中小企业款项的，应当全额支付逾期利息。",
            "机关、事业单位和大型企业迟延支付中小企业款项的，支付利息的2/3。",
            "机关、事业单位和大型企业迟延支付中小企业款项的，每家企业支付几百万元。",
            "机关、事业单位和大型企业迟延支付中小企业款项的，支付30w逾期利息。",
            "机关、事业单位和大型企业迟延支付中小企业款项的，支付卅万元逾期利息。",
            "普通企业迟延支付中小企业款项的，应当支付逾期利息。",
        ],
    ),
    (
        "lab-contract",
        &[
            "自用工之日起1个月内可以订立书面劳动合同。",
            "超过1个月不满1年没有订立的，应当每月向劳动者支付一倍工资。",
            "超过1个月或者不满1年没有订立的，应当每月向劳动者支付二倍工资。",
            "自用工之日起1个月内应当订立书面劳动合同；超过1个月不满1年没有订立的，应当一次性向劳动者支付二倍工资。",
            "已经入职没签的，由劳动仲裁机构或法院认定。",
        ],
    ),
    (
        "pen-first",
        &[
            "不予处罚。",
            "初次违法的，不予处罚。",
            "初次违法或危害后果轻微并及时改正的，可以不予处罚。",
            "违法行为轻微并及时改正、没有造成危害后果的，予以处罚。",
            "违法行为轻微，不予处罚。",
            "很轻、马上改、没造成后果的，可以罚。",
        ],
    ),
];

#[test]
fn lies_built_from_the_words_of_shipped_answers_are_refused() {
    let content = shipped();
    let (mut all, mut out) = (0, Vec::new());
    for (rule, lies) in LIES {
        let sources = sources(&content, &[rule]);
        for lie in *lies {
            all += 1;
            if refused(&sources, lie).is_none() {
                out.push(format!("{rule}: {lie}"));
            }
        }
    }
    assert!(all >= 80 && out.is_empty(), "{} of {all} got out\n{}", out.len(), out.join("\n"));
}

/// What an honest model makes of shipped answers: quotations and shortenings.
const HONEST: &[(&str, &[&str])] = &[
    (
        "social-new-hire",
        &[
            "自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "您好，自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。",
            "您好！自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。感谢您的咨询。",
            "根据规定，自用工之日起30日内，为新员工向社会保险经办机构申请办社会保险登记。",
            "自用工之日起30日之内为新员工向社会保险经办机构申请办理社会保险登记，这是法定期限。",
            "自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。这是法定期限，试用期也算用工，不能等转正再办。",
            "试用期也算用工，不能等转正再办。",
            "试用期也算用工，不得等转正再办。",
            "人来上班30日内要给他办社保，试用期也要办。",
            "自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。可以在网上办理增员。",
            "可以在网上办理增员；系统提交不了的，点“我要反映问题”并截图。",
            "**自用工之日起30日内**，为新员工向社会保险经办机构申请办理社会保险登记。以上供参考。",
            "1. 自用工之日起30日内，为新员工向社会保险经办机构申请办理社会保险登记。\n2. 可以在网上办理增员。",
        ],
    ),
    (
        "injury-report",
        &[
            "单位应当自事故伤害发生之日或者被诊断、鉴定为职业病之日起30日内，向社会保险行政部门申请工伤认定。",
            "单位没有申请的，职工本人、近亲属或者工会可以在1年内直接申请。",
            "单位30日内申报；单位不报的，职工自己1年内可以直接去申请。",
            "单位30日内申报。",
            "请尽快准备劳动关系证明和诊断证明；现场有人受伤的，先拨打120。",
            "现场有人受伤的，先拨打120。",
            "具体如下：单位应当自事故伤害发生之日或者被诊断、鉴定为职业病之日起30日内，向社会保险行政部门申请工伤认定；单位没有申请的，职工本人、近亲属或者工会可以在1年内直接申请。具体以政策原文为准。",
        ],
    ),
    (
        "arb-limit",
        &[
            "申请劳动仲裁的时效是1年，从知道或者应当知道权利被侵害之日起算。",
            "个案有没有超过，由仲裁机构认定。",
            "受理以后应当在45日内裁完，复杂的延长不超过15日。",
            "1年之内要去申请。过没过期，由仲裁委来认定。",
            "劳动争议请向当地劳动人事争议仲裁委员会申请，也可以先申请调解。",
            "您好，申请劳动仲裁的时效是1年，从知道或者应当知道权利被侵害之日起算。个案有没有超过，由仲裁机构认定。",
        ],
    ),
    (
        "biz-promise",
        &[
            "算数。地方政府及其有关部门应当履行向市场主体依法作出的政策承诺和依法订立的各类合同，不得以行政区划调整、政府换届、机构或者职能调整以及相关责任人更替等为由违约毁约。",
            "个案是否构成承诺、如何兑现，要看文件和合同。",
            "换届、换领导都不能成为不认账的理由。",
        ],
    ),
    (
        "arr-bill",
        &[
            "机关、事业单位和大型企业不得强制中小企业接受商业汇票等非现金支付方式，不得借此变相延长付款期限。",
            "不可以强制。机关、事业单位和大型企业不得强制中小企业接受商业汇票等非现金支付方式，不得借此变相延长付款期限。",
            "对方不能逼您收承兑、商票，更不能拿票把付款时间拖长。",
        ],
    ),
    (
        "arr-pay-term-short",
        &[
            "要看付款方是谁：机关、事业单位自交付之日起30日内付款，合同另有约定的最长不超过60日。",
            "机关、事业单位自交付之日起30日内付款，合同另有约定的最长不超过60日。",
            "大型企业自交付之日起60日内付款，合同另有约定的从其约定，但应当合理。",
            "机关、事业单位自交付之日起30日内付款，合同另有约定的最长不超过60日；大型企业自交付之日起60日内付款，合同另有约定的从其约定，但应当合理。",
        ],
    ),
    (
        "arr-interest",
        &["机关、事业单位和大型企业迟延支付中小企业款项的，应当支付逾期利息。", "没写的，按每天万分之五算。"],
    ),
    (
        "lab-contract",
        &[
            "自用工之日起1个月内应当订立书面劳动合同。",
            "自用工之日起1个月内应订立书面劳动合同；超过1个月不满1年没有订立的，应当每月向劳动者支付二倍工资。",
            "已经入职没签的，尽快补签。",
            "人来上班，1个月内要签书面合同。",
        ],
    ),
    (
        "pen-first",
        &[
            "违法行为轻微并及时改正、没有造成危害后果的，不予处罚。",
            "初次违法且危害后果轻微并及时改正的，可以不予处罚。",
            "是否适用，由执法机关依法认定。",
        ],
    ),
];

#[test]
fn quotations_and_shortenings_of_shipped_answers_pass() {
    let content = shipped();
    let (mut all, mut wrong) = (0, Vec::new());
    for (rule, answers) in HONEST {
        let sources = sources(&content, &[rule]);
        for answer in *answers {
            all += 1;
            if let Some(why) = refused(&sources, answer) {
                wrong.push(format!("{rule}: {answer}\n    {why}"));
            }
        }
    }
    assert!(all >= 40 && wrong.is_empty(), "{} of {all} refused\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn citations_may_be_named_and_no_others() {
    let content = shipped();
    let mut named = 0;
    for rule in content.rules.rules().iter().filter(|rule| rule.kind == RuleKind::Answer) {
        let Some(source) = Source::of_rule(rule) else { continue };
        let Some(cite) = source.citations.first().cloned() else { continue };
        let Some(first) = source.text.split_inclusive('。').next().filter(|first| first.chars().count() > 20) else {
            continue;
        };
        let clause = cite.clause.as_deref().unwrap_or_default().to_owned();
        let sources = [source.clone()];
        if refused(&sources, first).is_some() {
            continue;
        }
        let answer = format!("根据《{}》{clause}的规定，{first}", cite.title);
        assert_eq!(refused(&sources, &answer), None, "{}: {answer}", rule.id);
        for other in ["根据民法典的规定，", "根据省政府文件，", "依据一号文件，", "这是省级政策，"]
        {
            assert!(refused(&sources, &format!("{other}{first}")).is_some(), "{}: {other}{first}", rule.id);
        }
        named += 1;
    }
    assert!(named >= 30, "{named}");
}
