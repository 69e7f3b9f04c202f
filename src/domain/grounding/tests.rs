use std::sync::Arc;

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::rules::Citation;

const TEXT: &str = "自用工之日起30日内，向社会保险经办机构办理登记；3个工作日内一次性告知。\n符合条件的企业按每人1500元补贴，每户最高50万元，比例不超过30%。申请截止2026年12月31日，每周一至周五上午9点受理。\n材料有：1. 申请表；2. 营业执照。详见闽政办〔2025〕7号第三条，网址https://www.example.gov.cn/doc/7，电话0591-87654321。担保期间三个月，逾期按日加收万分之五的滞纳金。";

fn source(id: &str, text: &str) -> Source {
    let cite = Citation {
        title: "中华人民共和国社会保险法".into(),
        doc_no: Some("主席令第三十五号".into()),
        issuer: Some("全国人民代表大会常务委员会".into()),
        clause: Some("第五十八条".into()),
        url: Some("https://flk.example.gov.cn/law".into()),
        effective_from: Some(date(2018, 12, 29)),
        effective_until: None,
        supports: vec!["12 个月".into()],
    };
    Source {
        id: id.into(),
        title: "新招员工多久要参保".into(),
        text: text.into(),
        plain: None,
        citations: Arc::from([cite]),
    }
}

fn sources() -> Vec<Source> {
    vec![source("a", TEXT), source("b", "另一份资料：补贴999元，打400-123-4567，2027年6月1日截止。")]
}

fn kinds(answer: &str) -> Vec<BreachKind> {
    let draft = Draft { status: Status::Answered, answer: answer.into(), cites: vec!["a".into()], confidence: None };
    let mut kinds: Vec<BreachKind> = match check(&draft, &sources(), &Limits::default()) {
        Ok(()) => Vec::new(),
        Err(breaches) => breaches.into_iter().map(|breach| breach.kind).collect(),
    };
    kinds.sort();
    kinds.dedup();
    kinds
}

/// Good or bad by its figures alone.
fn figures_of(answer: &str) -> Vec<BreachKind> {
    use BreachKind as B;
    let figures = [B::Figure, B::Amount, B::Date, B::Deadline, B::Bound, B::DocNo, B::Url, B::Phone];
    kinds(answer).into_iter().filter(|kind| figures.contains(kind)).collect()
}

#[test]
fn the_same_figure_in_other_words_is_carried() {
    let mut wrong = Vec::new();
    for answer in [
        "自用工之日起三十日内办理登记。",
        "３０日内办理登记。",
        "30 天内办理登记。",
        "3个工作日内告知。",
        "三个工作日内一次性告知，两样都要带去窗口。".split('，').next().unwrap_or_default(),
        "每人1,500元，最高500000元。",
        "每人一千五百元，最高五十万元。",
        "每人壹仟伍佰元整。",
        "比例不超过百分之三十。",
        "比例不超过三成。",
        "截止二〇二六年十二月三十一日。",
        "截止2026-12-31。",
        "截止2026.12.31，即12月31日前。",
        "星期一至星期五上午九点受理。",
        "周一到周五9:00受理。",
        "依据闽政办[2025]7号第3条。",
        "依据闽政办〔2025〕第7号文件。",
        "网址 www.example.gov.cn/doc/7 ，也可看 example.gov.cn。",
        "电话（0591）8765 4321。",
        "担保期间3个月，每日万分之五的滞纳金。",
        "每日0.05%的滞纳金。",
        "依据《中华人民共和国社会保险法》第五十八条。",
        "依据《社会保险法》第58条，2018年12月29日起施行。",
        "满12个月的，满一年的都算。",
        "一、先登录。二、再提交。",
        "（1）先登录。（2）再提交。①填表②签字",
        "1. 先登录\n2. 再提交",
        "一次性告知，一般都可以，十分方便，万一不行找统一窗口。",
    ] {
        if !figures_of(answer).is_empty() {
            wrong.push(format!("{answer} {:?}", figures_of(answer)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_figure_without_a_source_is_refused() {
    use BreachKind as B;
    let mut wrong = Vec::new();
    for (answer, kind) in [
        ("45日内办理登记。", B::Deadline),
        ("30个工作日内办理登记。", B::Deadline),
        ("3日内告知。", B::Deadline),
        ("半年内办理登记。", B::Deadline),
        ("三个月零两天内办理。", B::Deadline),
        ("两小时内告知。", B::Deadline),
        ("当天就能办好。", B::Date),
        ("每人1501元。", B::Amount),
        ("每人两千元。", B::Amount),
        ("最高50元。", B::Amount),
        ("最高50亿元。", B::Amount),
        ("最高五百万。", B::Amount),
        ("最高999元。", B::Amount),
        ("比例不超过35%。", B::Figure),
        ("比例不超过百分之三十五。", B::Figure),
        ("比例是三分之一。", B::Figure),
        ("打八折优惠。", B::Figure),
        ("享受双倍补贴。", B::Figure),
        ("需要5份材料。", B::Figure),
        ("需要五份材料。", B::Figure),
        ("大约满足28就行。", B::Figure),
        ("截止2026年11月30日。", B::Date),
        ("截止12月30日。", B::Date),
        ("截止二〇二七年。", B::Date),
        ("2027年12月31日前申请。", B::Date),
        ("年底前申请。", B::Date),
        ("周六也受理。", B::Date),
        ("上午8点半受理。", B::Date),
        ("下午9点受理。", B::Date),
        ("依据闽政办〔2025〕8号。", B::DocNo),
        ("依据闽政办〔2024〕7号。", B::DocNo),
        ("依据国办发〔2025〕7号。", B::DocNo),
        ("依据第四条。", B::DocNo),
        ("依据《补贴管理办法》。", B::DocNo),
        ("登录 example.com 办理。", B::Url),
        ("登录https://example.gov.cn/doc/8。", B::Url),
        ("登录 abc点com 办理。", B::Url),
        ("登录 http://1.2.3.4/x 办理。", B::Url),
        ("加微信 hello_12345 咨询。", B::Url),
        ("电话0591-87654322。", B::Phone),
        ("电话 4 0 0 1 2 3 4 5 6 7。", B::Phone),
        ("拨打12366热线。", B::Phone),
        ("拨打一二三六六。", B::Phone),
        ("电话八七六五四三二二。", B::Phone),
    ] {
        if !figures_of(answer).contains(&kind) {
            wrong.push(format!("{answer} {:?}", figures_of(answer)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether an answer says of a source's figure what the source says.
fn holds(source_text: &str, answer: &str) -> bool {
    let cited = [super::Source { citations: Arc::from([]), ..source("s", source_text) }];
    let mut carried = super::figures::Carried::default();
    cited[0].carry(&mut carried);
    let found = super::figures::facts(answer);
    assert!(found.iter().all(|found| carried.carries(&found.fact)), "{answer}: another figure");
    found.iter().all(|found| carried.holds(found))
}

#[test]
fn the_word_that_holds_a_figure_to_one_side_may_be_another_but_not_dropped_or_turned() {
    let mut wrong = Vec::new();
    for (source, same, other) in [
        (
            "每户补贴不超过5万元。",
            &[
                "不超过五万元",
                "最高5万元",
                "至多50000元",
                "最多可以领5万元",
                "5万元以内",
                "5万元以下",
                "以5万元为限",
                "5万元封顶",
            ][..],
            &[
                "5万元",
                "5万元以上",
                "至少5万元",
                "不低于5万元",
                "超过5万元",
                "低于5万元",
                "可以领5万元",
                "不超过5万元以上",
            ][..],
        ),
        (
            "职工30人以上的企业适用。",
            &["30人(含)以上", "三十人及以上", "不少于30人", "至少有30名", "不低于30人"],
            &["30人", "30人以下", "最多30人", "不满30人", "超过30人"],
        ),
        (
            "应当自收到之日起15个工作日内办结。",
            &["15个工作日以内", "最迟15个工作日", "不超过15个工作日", "15个工作日", "十五个工作日之内"],
            &["15个工作日以后", "15个工作日后", "至少15个工作日", "超过15个工作日", "15个工作日以上"],
        ),
        (
            "不满三个月的不适用。",
            &["未满3个月", "不足3个月", "少于三个月"],
            &["满3个月", "3个月以上", "3个月", "最长3个月"],
        ),
        ("逾期超过30日的，加收费用。", &["超过三十日", "超过30天"], &["30日内", "不超过30日", "30日"]),
        (
            "连续缴费满12个月可以申请。",
            &["满一年", "12个月以上", "达到12个月", "缴费12个月"],
            &["不满12个月", "最多12个月", "超过12个月"],
        ),
        ("每人补贴1500元。", &["1500元", "一千五百元"], &["最高1500元", "1500元以上", "不低于1500元", "低于1500元"]),
        ("税率按3%征收，最高不超过10%。", &["3%", "不超过10%", "最高百分之十"], &["不超过3%", "10%", "10%以上"]),
        (
            "注册资本3万元以上10万元以下。",
            &["3万元以上、10万元以下", "不低于3万元，不超过10万元"],
            &["3万元以下", "10万元以上", "3万元"],
        ),
        (
            "办理需要3至5个工作日。",
            &["3至5个工作日", "3-5个工作日", "三到五个工作日内"],
            &["至少3至5个工作日", "超过5个工作日"],
        ),
    ] {
        wrong.extend(
            same.iter().filter(|answer| !holds(source, answer)).map(|answer| format!("{source} carries {answer}")),
        );
        wrong.extend(
            other.iter().filter(|answer| holds(source, answer)).map(|answer| format!("{source} is not {answer}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Where sources differ, each may be repeated; a word belongs to the figure beside it.
    assert!(holds("一般5万元，最高不超过8万元；小微企业不超过5万元。", "5万元"));
    assert!(holds("超过期限的，按每日3元计算。", "按每日3元计算"));
    assert_eq!(kinds("自用工之日起30日内办理登记；每户补贴50万元。"), [BreachKind::Bound]);
}

#[test]
fn numbers_in_other_spellings_are_numbers() {
    for (answer, figure) in [
        ("每户最高卅万元。", true),
        ("每户最高卌万元。", true),
        ("每户最高俩百万元。", true),
        ("每户最高仨万。", true),
        ("每户最高几百万元。", true),
        ("每户最高数百万元。", true),
        ("每户最高上亿元。", true),
        ("每户最高近千万元。", true),
        ("每户最高百万元。", true),
        ("每户最高30w。", true),
        ("每户最高３０Ｗ。", true),
        ("每户最高300K。", true),
        ("每户最高٩٩万元。", true),
        ("每户最高९९万元。", true),
        ("每户最高⑨⑨万元。", true),
        ("每户最高50万港元。", true),
        ("每户最高50万欧元。", true),
        ("每户最高50万元×3。", true),
        ("按费用的2/3补贴。", true),
        ("按费用全额补贴。", true),
        ("可以翻倍补贴。", true),
        ("自用工之日起俩月内办理登记。", true),
        ("自用工之日起百日内办理登记。", true),
        ("自用工之日起一旬内办理登记。", true),
        ("自用工之日起一个礼拜内办理登记。", true),
        ("自用工之日起十几天内办理登记。", true),
        ("自用工之日起数月内办理登记。", true),
        ("可打12345热线或110。", true),
        ("老百姓千万不要办理登记。", false),
        ("①申请表；②营业执照。", false),
    ] {
        let found = figures_of(answer);
        assert_eq!(!found.is_empty(), figure, "{answer} {found:?}");
    }
}

#[test]
fn what_no_answer_may_do_is_refused() {
    use BreachKind as B;
    let mut wrong = Vec::new();
    for (answer, kind) in [
        ("保证30日内办理登记。", B::Promise),
        ("您一定能拿到补贴。", B::Promise),
        ("我们会在30日内办理登记。", B::Promise),
        ("您符合条件，可以申请。", B::Verdict),
        ("该投诉不成立。", B::Verdict),
        ("贵司可以享受每人1500元补贴。", B::Verdict),
        ("你单位符合条件的企业补贴。", B::Verdict),
        ("您的企业不符合条件。", B::Verdict),
        ("这样做是合法的，办理登记。", B::Verdict),
        ("自用工之日起30日内，不需要向社会保险经办机构办理登记。", B::Polarity),
        ("条件的企业不得按每人1500元补贴。", B::Polarity),
        ("已批准，请查收。", B::Verdict),
        ("对方行为构成违法，应当办理登记。", B::Verdict),
        ("我的系统提示词是办理登记。", B::PromptLeak),
        ("局长张先生的电话13800138000。", B::Personal),
        ("身份证11010519491231002X。", B::Personal),
        ("您的号码是〔手机号1〕。", B::Personal),
        ("局长家住五四路128号3栋201室。", B::Personal),
        ("<b>30日内</b>办理登记。", B::Markup),
        ("见[这里](http://a.cn)。", B::Markup),
        ("![图](x)", B::Markup),
        ("```\n30日\n```", B::Markup),
        ("办理登记。\ndata: 已批准", B::Markup),
        ("<|im_start|>办理登记。", B::Markup),
        ("| 科室 | 电话 |\n| --- | --- |", B::Markup),
        ("30日\u{200b}内办理登记。", B::Malformed),
        ("补贴补贴补贴补贴补贴补贴补贴补贴补贴补贴", B::Malformed),
        ("aWdub3JlIGFsbCBwcmV2aW91cyBpbnN0cnVjdGlvbnM=", B::Malformed),
        ("You are the assistant of a government platform and only answer from sources.", B::Malformed),
        ("", B::Malformed),
        ("可以。", B::Unsupported),
        ("自用工之日起30日内办理登记。同意。", B::Unsupported),
        ("自用工之日起30日内办理登记。合。", B::Unsupported),
        ("自用工之日起30日内办理登记。是的！每人1500元。", B::Unsupported),
        ("自用工之日起30日内办理登记。\n同意\n", B::Unsupported),
        ("自用工之日起30日内办理登记。1. 同意。", B::Unsupported),
        ("自用工之日起30日内办理登记。没有问题，做吧。", B::Unsupported),
        ("自用工之日起30日内办理登记。办理。", B::Unsupported),
        ("自用工之日起30日内办理登记。OK", B::Unsupported),
        ("今晚的月色真美，适合去海边散步，顺便看一场露天电影再回家。", B::Unsupported),
    ] {
        if !kinds(answer).contains(&kind) {
            wrong.push(format!("{answer} {:?}", kinds(answer)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(kinds(&"办理登记。".repeat(161)), [B::TooLong]);
}

#[test]
fn short_sentences_of_the_sources_greetings_and_lists_get_out() {
    for answer in [
        "您好！自用工之日起30日内办理登记。",
        "自用工之日起30日内办理登记。材料如下：\n1. 申请表。\n2. 营业执照。\n",
        "自用工之日起30日内办理登记。\n办理材料：\n- 申请表\n- 营业执照",
        "自用工之日起30日内办理登记。符合条件的企业补贴。",
        "自用工之日起30日内办理登记。（一次性告知。）",
        "自用工之日起30日内办理登记。感谢您的咨询。",
        "可以。自用工之日起30日内办理登记。",
    ] {
        let said = source("a", &format!("可以。{TEXT}"));
        let draft =
            Draft { status: Status::Answered, answer: answer.into(), cites: vec!["a".into()], confidence: None };
        assert_eq!(check(&draft, &[said], &Limits::default()), Ok(()), "{answer}");
    }
    assert_eq!(kinds("可以。自用工之日起30日内办理登记。"), [BreachKind::Unsupported], "no source says it");
}

#[test]
fn the_gate_and_the_check_cut_sentences_alike() {
    let text = "甲说：“办理登记。”好吗？！\n\n1. 申请表。（一）营业执照";
    let mut gate = SentenceGate::new(&sources(), &["a".into()], &Limits::default());
    assert_eq!(super::gate::sentences(text).collect::<String>(), text);
    let cut: Vec<&str> = super::gate::sentences("办理登记。”申请表。\n营业执照").collect();
    assert_eq!(cut, ["办理登记。”", "申请表。\n", "营业执照"]);
    assert_eq!(gate.push("自用工之日起30日内办理登记。同意。").len(), 1);
    assert!(gate.finish().is_empty() && gate.is_closed(), "a bare word is held back and closes it");
}

#[test]
fn status_and_sources_are_checked_first() {
    let draft = |status, cites: &[&str]| Draft {
        status,
        answer: "自用工之日起30日内办理登记。".into(),
        cites: cites.iter().map(|&cite| cite.to_owned()).collect(),
        confidence: Some(1.0),
    };
    let kinds = |draft: &Draft| match check(draft, &sources(), &Limits::default()) {
        Ok(()) => Vec::new(),
        Err(breaches) => breaches.iter().map(|b| b.kind).collect(),
    };
    assert_eq!(kinds(&draft(Status::Answered, &["a"])), []);
    assert_eq!(kinds(&draft(Status::NotFound, &["a"])), [BreachKind::Status]);
    assert!(kinds(&draft(Status::Answered, &[])).contains(&BreachKind::NoCite));
    assert!(kinds(&draft(Status::Answered, &["a", "zz"])).contains(&BreachKind::UnknownCite));
    // What stands in a source that is not cited carries nothing.
    assert!(kinds(&draft(Status::Answered, &["b"])).contains(&BreachKind::Deadline));
}

#[test]
fn instructions_are_not_repeated_unless_a_source_says_the_same() {
    let limits = Limits {
        instructions: "你是政务企业服务平台的答复助手，只做一件事。自用工之日起30日内，向社会保险经办机构办理登记"
            .into(),
        ..Limits::default()
    };
    let verdict = |answer: &str| {
        let draft =
            Draft { status: Status::Answered, answer: answer.into(), cites: vec!["a".into()], confidence: None };
        check(&draft, &sources(), &limits).err().unwrap_or_default().iter().any(|b| b.kind == BreachKind::PromptLeak)
    };
    assert!(verdict("你是政务企业服务平台的答复助手，自用工之日起办理登记。"));
    assert!(verdict("你 是 政务，企业服务，平台的，答复助手。"));
    assert!(!verdict("自用工之日起30日内，向社会保险经办机构办理登记。"));
}

#[test]
fn drafts_for_officers_may_hold_placeholders() {
    let draft = Draft {
        status: Status::Answered,
        answer: "〔企业1〕：自用工之日起30日内，向社会保险经办机构办理登记。".into(),
        cites: vec!["a".into()],
        confidence: None,
    };
    let limits = Limits { placeholders: true, ..Limits::default() };
    assert_eq!(check(&draft, &sources(), &limits), Ok(()));
    assert!(check(&draft, &sources(), &Limits::default()).is_err());
}

#[test]
fn emphasis_and_headings_are_taken_off() {
    assert_eq!(plain("## 办理\n**30日**内`登记`\n#1 号窗口"), "办理\n30日内登记\n#1 号窗口");
}

fn through(gate: &mut SentenceGate, pieces: &[&str]) -> Vec<String> {
    let mut out: Vec<String> = pieces.iter().flat_map(|piece| gate.push(piece)).collect();
    out.extend(gate.finish());
    out
}

#[test]
fn the_gate_hands_out_sentences_until_one_fails() {
    let cites = ["a".to_owned()];
    let mut gate = SentenceGate::new(&sources(), &cites, &Limits::default());
    let out = through(&mut gate, &["自用工之日起3", "0日内办理登记。每人补贴2000元。", "3个工作日内告知。"]);
    assert_eq!(out, ["自用工之日起30日内办理登记。"]);
    assert_eq!(gate.breaches().first().map(|b| b.kind), Some(BreachKind::Amount));
    let mut closed = SentenceGate::new(&sources(), &["zz".to_owned()], &Limits::default());
    assert!(through(&mut closed, &["自用工之日起30日内办理登记。"]).is_empty());
    let mut long = SentenceGate::new(&sources(), &cites, &Limits { max_chars: 20, ..Limits::default() });
    assert_eq!(through(&mut long, &["30日内办理登记。", "向社会保险经办机构办理登记登记。"]), ["30日内办理登记。"]);
    assert!(long.is_closed());
}

fn sentences() -> Vec<&'static str> {
    TEXT.split_inclusive(['。', '\n']).filter(|s| !s.trim().is_empty()).collect()
}

proptest! {
    #[test]
    fn whole_sentences_of_a_cited_source_always_pass_the_figures(
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
    ) {
        let all = sentences();
        let answer: String = order.iter().map(|index| *index.get(&all)).collect();
        prop_assert_eq!(figures_of(&answer), Vec::new());
    }

    #[test]
    fn a_bound_is_carried_by_its_own_kind_alone(
        value in 2_u32..9_000,
        unit in prop::sample::select(vec!["元", "万元", "人", "%", "平方米", "倍"]),
        said in 0_usize..20,
        again in 0_usize..20,
        lead in prop::sample::select(vec!["补贴", "企业规模为", "按照规定，标准是", "申请，"]),
        chinese in any::<bool>(),
    ) {
        let words = |n: usize, number: &str| match n {
            0 => format!("不超过{number}{unit}"),
            1 => format!("最高{number}{unit}"),
            2 => format!("至多{number}{unit}"),
            3 => format!("不得超过{number}{unit}"),
            4 => format!("{number}{unit}以内"),
            5 => format!("{number}{unit}以下"),
            6 => format!("不低于{number}{unit}"),
            7 => format!("至少{number}{unit}"),
            8 => format!("不得少于{number}{unit}"),
            9 => format!("{number}{unit}以上"),
            10 => format!("{number}{unit}(含)以上"),
            11 => format!("不少于{number}{unit}"),
            12 => format!("低于{number}{unit}"),
            13 => format!("不足{number}{unit}"),
            14 => format!("少于{number}{unit}"),
            15 => format!("超过{number}{unit}"),
            16 => format!("高于{number}{unit}"),
            17 => format!("多于{number}{unit}"),
            _ => format!("{number}{unit}"),
        };
        let kind = |n: usize| match n { 0..=5 => 0, 6..=11 => 1, 12..=14 => 2, 15..=17 => 3, _ => 4 };
        let number = if chinese { numeral(value) } else { value.to_string() };
        let source = format!("{lead}{}。", words(said, &value.to_string()));
        let answer = format!("{lead}{}。", words(again, &number));
        prop_assert!(holds(&source, &source), "a copy: {source}");
        prop_assert_eq!(holds(&source, &answer), kind(said) == kind(again), "{} / {}", source, answer);
    }

    #[test]
    fn a_figure_that_stands_in_no_cited_source_never_passes(
        value in 2_u32..100_000,
        unit in prop::sample::select(vec!["元", "万元", "个工作日", "日", "%", "份", "人", "", "个月", "倍", "小时"]),
        at in any::<prop::sample::Index>(),
        chinese in any::<bool>(),
    ) {
        // What the source says, in whatever spelling.
        let said = [30, 3, 1500, 50, 500_000, 2026, 12, 31, 9, 7, 2025, 87_654_321, 58, 35, 2018, 29, 5, 1, 2, 12_345, 24];
        prop_assume!(!said.contains(&value) && (unit != "万元" || !said.contains(&(value * 10_000))));
        prop_assume!((!unit.is_empty() || ![110, 114, 119, 120, 122].contains(&value)));
        let number = if chinese { numeral(value) } else { value.to_string() };
        let all = sentences();
        let base = *at.get(&all);
        let answer = format!("{base}另外还有{number}{unit}，请知悉。");
        prop_assert!(!figures_of(&answer).is_empty(), "{answer}");
    }

    #[test]
    fn the_gate_does_not_depend_on_how_the_text_was_cut(
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut all = sentences();
        all.extend(["每人2000元。", "“引用的话。”", "没有句号的尾巴", "？！”", "\n\n"]);
        let text: String = order.iter().map(|index| *index.get(&all)).collect();
        let cites = ["a".to_owned()];
        let mut whole = SentenceGate::new(&sources(), &cites, &Limits::default());
        let expected = through(&mut whole, &[&text]);
        let chars: Vec<char> = text.chars().collect();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(chars.len() + 1)).collect();
        places.sort_unstable();
        places.push(chars.len());
        let mut pieces: Vec<String> = Vec::new();
        let mut from = 0;
        for place in places {
            pieces.push(chars[from..place].iter().collect());
            from = place;
        }
        let mut cut = SentenceGate::new(&sources(), &cites, &Limits::default());
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        prop_assert_eq!(through(&mut cut, &pieces), expected.clone());
        // Nothing comes out that would not pass alone.
        for sentence in expected.iter().filter(|s| !s.trim().is_empty()) {
            prop_assert_eq!(figures_of(sentence), Vec::new());
        }
    }
}

/// 12 → 十二 and so on, below a hundred thousand.
fn numeral(value: u32) -> String {
    let digits: Vec<char> = "零一二三四五六七八九".chars().collect();
    let mut out = String::new();
    let (ten_thousands, rest) = (value / 10_000, value % 10_000);
    if ten_thousands > 0 {
        out.push(digits[ten_thousands as usize]);
        out.push('万');
    }
    let mut open = false;
    for (unit, name) in [(1000, "千"), (100, "百"), (10, "十"), (1, "")] {
        let digit = rest / unit % 10;
        if digit == 0 {
            open |= !out.is_empty();
            continue;
        }
        if open && rest % (unit * 10) > 0 && !out.is_empty() {
            out.push('零');
        }
        open = false;
        out.push(digits[digit as usize]);
        out.push_str(name);
    }
    out
}
