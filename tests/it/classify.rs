//! The shipped rules as a whole: several matters in one message, one story left whole, complaints routed past their object.

use jiff::{Timestamp, civil::date};
use zhitong::{
    app::content::{self, Content, Origin},
    config::Config,
    domain::{
        kinds::{CaseType, Channel},
        routing::{RouteQuery, route},
        rules::{Decision, Input},
    },
};

const TODAY: jiff::civil::Date = date(2026, 11, 25);

fn shipped() -> Content {
    let now: Timestamp = "2026-11-25T10:00:00+08:00".parse().expect("an instant");
    let built = content::build(&content::shipped_files(), &Config::default().time, now, Origin::Shipped, true);
    built.content.expect("the shipped content loads")
}

fn decide(content: &Content, text: &str) -> Decision {
    content.rules.decide(&Input { text, channel: Channel::Web, area: Some("350000"), today: TODAY })
}

/// Messages with several matters: the topics that must be among them.
const MIXED: &[(&str, &[&str])] = &[
    ("补贴还没发，另外电费也太贵了", &["POLICY.PAY", "POWER"]),
    ("消防验收卡着，工人又招不到，咋整", &["FIRE.ACCEPT", "LABOUR.RECRUIT"]),
    ("想问专精特新怎么报，还有发票额度能不能提", &["POLICY.SRDI", "TAX.INVOICE"]),
    ("货款被国企拖着，银行又催还贷，两头难", &["ARREARS.BIG", "FINANCE.LOAN"]),
    ("厂门口路坏了。还有路灯也不亮。另外想申请用地扩建", &["PARK", "LAND.NEW"]),
    ("一、技改补助没到账；二、排污证怎么续", &["POLICY.PAY", "PERMIT.POLLUTE"]),
    ("1、出口退税三个月没退 2、通关查验太慢", &["TAX.REFUND", "TRADE"]),
    ("贷款批不下来，房东又涨租金", &["FINANCE.LOAN", "LAND.RENT"]),
    ("稳岗返还怎么领？年报忘了怎么补？", &["LABOUR.SUBSIDY", "REG.YEAR"]),
    ("电压不稳+宽带老断+园区积水", &["POWER", "NET", "PARK"]),
    ("想问注册资本减资，再问一下个转企", &["REG.CAP", "GT2Q"]),
    ("施工许可没下来，另外人防费能减吗", &["BUILD.PERMIT", "CIVILDEF"]),
    ("想扩建厂房要什么手续，顺便问贷款贴息", &["LAND.NEW", "FINANCE.GUAR"]),
    ("联合验收没过，不动产证就办不了。还有个事，尾款没结", &["ACCEPT", "ARREARS.BIG"]),
    ("工人招不到，另外专利被驳回了怎么答复", &["LABOUR.RECRUIT", "IP"]),
    ("电梯年检排不上；再就是食品经营许可到期怎么延续", &["LICENCE.OTHER", "LICENCE.FOOD"]),
    ("上市辅导找谁？另外公积金怎么开户？", &["LISTING", "FUND"]),
    ("出口退税没到账；外籍专家的工作证也快到期了怎么续", &["TAX.REFUND", "FOREIGN"]),
    ("欠我们的工程款要了两年没要到，现在银行又要抽贷", &["ARREARS.BIG", "FINANCE.LOAN"]),
    ("水压太低，另外大件运输许可在哪办", &["WATER", "LOGI"]),
];

#[test]
fn a_message_with_several_matters_is_cut_into_them() {
    let content = shipped();
    let mut cut = 0;
    for (text, topics) in MIXED {
        let decision = decide(&content, text);
        let found: Vec<&str> = decision.matters.iter().filter_map(|m| m.topic.as_deref()).collect();
        if topics.iter().all(|t| found.contains(t)) {
            cut += 1;
        }
    }
    assert!(cut * 10 >= MIXED.len() * 9, "only {cut} of {}", MIXED.len());
}

#[test]
fn one_story_stays_one_matter() {
    let content = shipped();
    for text in [
        "房东涨租金三成，合同还有两年就要赶我们走",
        "技改补助公示结束两个多月了，钱一直没到账，打电话说财政没拨",
        "给镇里做的路灯验收两年了，尾款没付，每次去都说没钱",
        "出口退税卡在函调，资金周转不开，工资都快发不出了",
        "消防验收等了一个月没人来，开业日期都定了",
        "地址搬到隔壁区，税务不给迁出，执照也改不了",
        "招标里要求必须有本市业绩，外地企业一分都拿不到，明显排外",
    ] {
        let decision = decide(&content, text);
        assert_eq!(
            decision.matters.len(),
            1,
            "{text}: {:?}",
            decision.matters.iter().map(|m| &m.topic).collect::<Vec<_>>()
        );
    }
}

#[test]
fn the_complained_of_organ_never_gets_the_complaint() {
    let content = shipped();
    for (text, organ) in [
        ("我要投诉住建局，施工许可拖了两个月不批", "zjj"),
        ("税务局窗口的人骂人，态度恶劣", "swj"),
        ("投诉不动产登记中心窗口故意刁难", "bdc"),
        ("工商局把我们列异常名录又说不清理由，投诉", "scj"),
        ("投诉供电公司停电不通知，冷库的货全坏了", "gdgs"),
        ("环保局的科长要我们请吃饭", "hbj"),
        ("安监局三天两头来查，投诉", "yjj"),
        ("社保局窗口说材料不齐，跑了五趟就是不给办", "sbzx"),
        ("投诉街道办强制收卫生费", "zjd"),
        ("作风办收了举报就泄露，我要投诉作风办", "zfb"),
    ] {
        let decision = decide(&content, text);
        let kin = content.routing.units().kin(organ);
        for matter in &decision.matters {
            let picked = route(
                &content.routing,
                &RouteQuery {
                    case_type: matter.case_type,
                    topic: matter.topic.as_deref(),
                    text: &matter.text,
                    region: Some("350000"),
                    objects: &matter.objects,
                    urgency: matter.urgency,
                    diversion: decision.diversion,
                    today: TODAY,
                },
            );
            assert!(!kin.contains(&picked.lead), "{text}: {} leads", picked.lead_name);
            assert!(picked.assists.iter().all(|a| !kin.contains(&a.slug)), "{text}: {:?}", picked.assists);
        }
    }
}

#[test]
fn typical_messages_get_the_type_that_their_words_tell() {
    let content = shipped();
    for (text, case_type) in [
        ("施工许可证要什么材料，几天能下来", CaseType::Consultation),
        ("建议园区班车末班延到九点", CaseType::Suggestion),
        ("规划许可报上去两个月没动静，请协调", CaseType::Coordination),
        ("断供了，再不续贷工厂就停产，求助", CaseType::Help),
        ("投诉园区物业强制收费", CaseType::Complaint),
        ("举报城东加油站短斤少两", CaseType::Report),
        ("材料齐全，窗口就是不收件，跑了四趟", CaseType::Stuck),
        ("总包拖欠我们工程款一年多", CaseType::Arrears),
        ("验收的人暗示要好处费", CaseType::Conduct),
        ("表扬不动产窗口的小陈，抵押登记半天就办好了", CaseType::Praise),
        ("上周打了差评，没人回访", CaseType::RatingReview),
        ("想约专家上门讲研发费归集", CaseType::ServiceOrder),
        ("走访发现城西鞋厂有欠薪苗头", CaseType::Risk),
    ] {
        let decision = decide(&content, text);
        assert_eq!(decision.matters.first().map(|m| m.case_type), Some(case_type), "{text}");
    }
}
