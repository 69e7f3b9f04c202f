use jiff::civil::date;

use super::*;
use crate::domain::taxonomy::Taxonomy;

const TAXONOMY: &str = include_str!("../../../rules/taxonomy.toml");
const SHIPPED: &str = include_str!("../../../rules/routing.toml");

fn table() -> RoutingTable {
    let taxonomy = Taxonomy::parse("rules/taxonomy.toml", TAXONOMY).expect("shipped catalogue");
    match RoutingTable::parse("rules/routing.toml", SHIPPED, &taxonomy) {
        Ok(table) => table,
        Err(faults) => panic!("{faults:#?}"),
    }
}

fn query<'a>(case_type: CaseType, topic: &'a str, text: &'a str, objects: &'a [String]) -> RouteQuery<'a> {
    RouteQuery {
        case_type,
        topic: (!topic.is_empty()).then_some(topic),
        text,
        region: None,
        objects,
        urgency: Urgency::Normal,
        diversion: None,
        today: date(2026, 11, 25),
    }
}

fn names(route: &Route) -> Vec<&str> {
    route.assists.iter().map(|u| u.name.as_str()).collect()
}

/// The worked rows of DOMAIN 4.4: type, topic, words, lead, one assisting unit (or none).
const WORKED: &[(&str, &str, &str, &str, &str)] = &[
    ("coordination", "POLICY.PAY", "技改补助批了三个月钱没到", "工信局", "财政局"),
    ("arrears", "ARREARS.BIG", "甲方是国企，拖着工程款", "工信局", "国资办"),
    ("arrears", "ARREARS.PRIVATE", "私人老板欠我货款", "司法局", ""),
    ("coordination", "FIRE.ACCEPT", "厂房消防验收卡住", "住建局", "消防救援大队"),
    ("consultation", "FIRE.OPEN", "饭店开业前消防检查", "消防救援大队", ""),
    ("consultation", "EIA", "环评是报告书还是登记表", "生态环境分局", "园区管委会"),
    ("consultation", "PERMIT.POLLUTE", "排污证到期", "生态环境分局", ""),
    ("coordination", "LAND.NEW", "想扩建没有用地指标", "自然资源和规划局", "发改局"),
    ("coordination", "REALTY", "土地证写的和实际不一样", "不动产登记中心", "税务局"),
    ("consultation", "PLAN", "容积率、总平调整", "自然资源和规划局", "人防办"),
    ("consultation", "BUILD.PERMIT", "施工许可证", "住建局", "气象局"),
    ("coordination", "POWER", "要加变压器，停电也没通知", "供电公司", "发改局"),
    ("consultation", "WATER", "自来水报装", "自来水公司", "住建局"),
    ("help", "LABOUR.RECRUIT", "招不到人", "人社局", "园区管委会"),
    ("coordination", "LABOUR.DISPUTE", "员工闹仲裁", "人社局", "工会"),
    ("consultation", "SOCIAL.PAY", "社保断缴怎么补缴", "税务局", "社保中心"),
    ("coordination", "TAX.REFUND", "出口退税没下来", "税务局", "海关"),
    ("consultation", "TAX.INVOICE", "发票额度不够用", "税务局", ""),
    ("consultation", "CREDIT", "被列异常名录", "市场监管局", "发改局"),
    ("complaint", "INSPECT", "一个月被查五次", "司法局", ""),
    ("complaint", "PENALTY", "罚款太重不服", "司法局", ""),
    ("complaint", "BID", "招标文件量身定做", "住建局", "公共资源交易中心"),
    ("consultation", "TALENT.IN", "引进人才落户", "人社局", "公安局"),
    ("help", "FINANCE.LOAN", "银行抽贷，贷不到款", "金融工作部门", "担保公司"),
    ("conduct", "CONDUCT", "窗口吃拿卡要", "作风办", ""),
];

#[test]
fn the_worked_rows_of_the_domain_are_routed_as_written() {
    let table = table();
    for &(case_type, topic, text, lead, assist) in WORKED {
        let case_type = case_type.parse().expect("a slug");
        let route = route(&table, &query(case_type, topic, text, &[]));
        assert_eq!(route.lead_name, lead, "{text}: {route:?}");
        if assist.is_empty() {
            assert!(route.assists.is_empty(), "{text}: {:?}", names(&route));
        } else {
            assert!(names(&route).contains(&assist), "{text}: {:?}", names(&route));
        }
        assert!(!route.reason.is_empty());
    }
}

#[test]
fn every_topic_has_a_general_row_and_every_row_its_own_utterances() {
    let table = table();
    let taxonomy = Taxonomy::parse("rules/taxonomy.toml", TAXONOMY).expect("shipped catalogue");
    for topic in taxonomy.topics() {
        assert!(
            table.rows().iter().any(|r| r.topic == topic.code && r.sub.is_empty() && r.regions.is_empty()),
            "{} has no general row",
            topic.code
        );
    }
    for row in table.rows() {
        assert!(!row.tests.is_empty() && !row.source.is_empty() && !row.owner.is_empty(), "row {}", row.number);
        for text in &row.tests {
            let case_type = row.types.first().copied().unwrap_or(CaseType::Consultation);
            let picked = route(&table, &query(case_type, &row.topic, text, &[]));
            if row.topic != "CONDUCT" {
                assert_eq!(picked.row, Some(row.number), "{text}: {}", picked.reason);
            }
            assert_eq!(picked.lead, row.lead, "{text}");
        }
    }
}

#[test]
fn words_of_the_sub_matter_change_the_unit() {
    let table = table();
    for (topic, text, lead) in [
        ("BID", "政府采购的采购文件写死参数", "财政局"),
        ("BID", "房建工程招标文件写死参数", "住建局"),
        ("BID", "水库加固工程的评标有问题", "水利局"),
        ("CREDIT", "信用中国网站上的处罚怎么去掉", "发改局"),
        ("CREDIT", "公示系统里显示经营异常", "市场监管局"),
        ("CREDIT", "纳税信用掉到D级了", "税务局"),
        ("SOCIAL.PAY", "社保网上系统登不上", "社保中心"),
        ("SOCIAL.PAY", "社保缴费基数算错了", "税务局"),
        ("LICENCE.OTHER", "烟草证到期", "烟草局"),
        ("LICENCE.OTHER", "电梯检验排队", "市场监管局"),
        ("LICENCE.OTHER", "户外广告牌审批", "城管局"),
        ("LAND.RENT", "租村里集体土地有纠纷", "属地镇"),
        ("LOGI", "大件运输许可", "交通运输局"),
        ("DEPOSIT", "农民工工资保证金退还", "人社局"),
        ("OVERSEAS", "海外侨胞委托公证", "司法局"),
    ] {
        let route = route(&table, &query(CaseType::Consultation, topic, text, &[]));
        assert_eq!(route.lead_name, lead, "{text}: {}", route.reason);
    }
}

#[test]
fn an_organ_complained_of_neither_leads_nor_assists() {
    let table = table();
    for (case_type, topic, text, objects) in [
        (CaseType::Complaint, "BUILD.PERMIT", "住建局压着施工许可不批", vec![]),
        (CaseType::Complaint, "BUILD.PERMIT", "他们压着施工许可不批", vec!["建设局".to_owned()]),
        (CaseType::Complaint, "REALTY", "不动产登记中心的窗口故意刁难", vec![]),
        (CaseType::Complaint, "PLAN", "国土局的人爱理不理", vec![]),
        (CaseType::Complaint, "INSPECT", "司法局自己来查了三次", vec![]),
        (CaseType::Conduct, "CONDUCT", "作风办的人收了礼", vec![]),
        (CaseType::Stuck, "FIRE.ACCEPT", "住建局窗口就是不收材料，消防队也推", vec![]),
        (CaseType::Arrears, "ARREARS.GOV", "住建局欠我们工程款", vec![]),
        (CaseType::Arrears, "ARREARS.GOV", "工信局欠我们装修款", vec![]),
        (CaseType::Complaint, "", "税务局电话永远打不通", vec![]),
        (CaseType::Complaint, "SOCIAL.REG", "社保中心系统坏了没人修", vec![]),
        (CaseType::RatingReview, "REG.SET", "给市监局窗口打了差评", vec![]),
        (CaseType::Stuck, "", "难事专办窗口也不管", vec![]),
        (CaseType::Complaint, "EIA", "环保来查说没验收，态度恶劣", vec![]),
    ] {
        let route = route(&table, &query(case_type, topic, text, &objects));
        let named: Vec<String> = objects
            .iter()
            .flat_map(|o| table.units().mentions(o))
            .chain(table.units().mentions(text))
            .flat_map(|m| table.units().kin(&m.slug))
            .collect();
        assert!(!named.is_empty(), "{text}: nobody was recognised");
        assert!(!named.contains(&route.lead), "{text}: {} leads", route.lead_name);
        for assist in &route.assists {
            assert!(!named.contains(&assist.slug), "{text}: {} assists", assist.name);
        }
    }
}

#[test]
fn a_complaint_goes_to_who_supervises_the_organ() {
    let table = table();
    for (topic, text, lead) in [
        ("INSPECT", "税务局这个月检查了四回", "司法局"),
        ("FIRE.OPEN", "消防救援大队来检查张口就要罚", "司法局"),
        ("REG.SET", "市场监管局窗口态度恶劣", "作风办"),
        ("BUILD.PERMIT", "住建局的施工许可网上退了又退", "发改局"),
    ] {
        let route = route(&table, &query(CaseType::Complaint, topic, text, &[]));
        assert_eq!(route.lead_name, lead, "{text}: {}", route.reason);
    }
}

#[test]
fn naming_who_should_act_is_no_complaint_about_them() {
    let table = table();
    for (topic, text, lead) in [
        ("FEE", "请市场监管局查一下这家中介乱收费", "市场监管局"),
        ("FIRE.ACCEPT", "消防验收归住建局管还是消防队管，没人理", "住建局"),
    ] {
        let route = route(&table, &query(CaseType::Complaint, topic, text, &[]));
        assert_eq!(route.lead_name, lead, "{text}: {}", route.reason);
    }
}

#[test]
fn special_types_use_their_own_table() {
    let table = table();
    let stuck = route(&table, &query(CaseType::Stuck, "REG.SET", "材料齐全就是不收", &[]));
    assert_eq!((stuck.lead_name.as_str(), names(&stuck)), ("难事专办", vec!["市场监管局"]));
    assert_eq!(stuck.profile.as_deref(), Some("suqian_stuck"));
    let rated = route(&table, &query(CaseType::RatingReview, "", "窗口差评", &[]));
    assert_eq!(rated.lead_name, "营商环境建设办");
    let mayor = route(&table, &query(CaseType::Coordination, "POWER", "直通市长：三天两头停电", &[]));
    assert_eq!(mayor.lead_name, "供电公司");
    assert_eq!(mayor.profile.as_deref(), Some("suqian_mayor"));
    let order = route(&table, &query(CaseType::ServiceOrder, "POLICY.SRDI", "约人上门讲专精特新", &[]));
    assert_eq!((order.lead_name.as_str(), names(&order)), ("企业综合服务中心", vec!["工信局"]));
}

#[test]
fn without_a_row_the_category_leads_and_nobody_is_lost() {
    let table = table();
    for (text, lead, step) in [
        ("我们项目落地遇到很多手续", "发改局", "fallback"),
        ("执法的人乱来", "司法局", "fallback"),
        ("政策资金问题", "工信局", "fallback"),
        ("窗口材料的事", "营商环境建设办", "fallback"),
        ("说不清楚，来个人吧", "企业综合服务中心", "fallback"),
        ("想问工商局周末上班吗", "市场监管局", "named"),
    ] {
        let route = route(&table, &query(CaseType::Coordination, "", text, &[]));
        assert_eq!((route.lead_name.as_str(), route.step), (lead, step), "{text}");
    }
}

#[test]
fn emergencies_and_secrets_go_to_the_duty_desk() {
    let table = table();
    for diversion in [Diversion::D1, Diversion::D4] {
        let mut q = query(CaseType::Help, "SAFETY", "车间起火", &[]);
        q.diversion = Some(diversion);
        let route = route(&table, &q);
        assert_eq!((route.lead_name.as_str(), route.step), ("值班室", "safety"));
        assert!(route.assists.is_empty());
    }
}

#[test]
fn old_names_lead_to_the_unit_of_today() {
    let table = table();
    for (old, now) in [
        ("工商局", "市场监管局"),
        ("国税", "税务局"),
        ("地税局", "税务局"),
        ("安监局", "应急管理局"),
        ("建设局", "住建局"),
        ("环保局", "生态环境分局"),
        ("招商局", "投资促进中心"),
        ("经信局", "工信局"),
        ("质监局", "市场监管局"),
    ] {
        assert_eq!(table.units().find(old).map(|u| u.short_name.as_str()), Some(now), "{old}");
    }
}

#[test]
fn a_dissolved_unit_hands_over_to_its_successor() {
    let taxonomy = Taxonomy::parse("rules/taxonomy.toml", TAXONOMY).expect("shipped catalogue");
    let text = SHIPPED.replacen(
        "short_name = \"住建局\"",
        "short_name = \"住建局\"\nvalid_to = \"2026-06-30\"\nsuccessor = \"zrzy\"",
        1,
    );
    let table = RoutingTable::parse("r.toml", &text, &taxonomy).expect("valid");
    let mut q = query(CaseType::Consultation, "BUILD.PERMIT", "施工许可证", &[]);
    assert_eq!(route(&table, &q).lead, "zrzy");
    q.today = date(2026, 6, 30);
    assert_eq!(route(&table, &q).lead, "zjj");
}

#[test]
fn faults_name_the_value_and_its_line() {
    let taxonomy = Taxonomy::parse("rules/taxonomy.toml", TAXONOMY).expect("shipped catalogue");
    for (from, to) in [
        ("lead = \"gxj\"", "lead = \"nobody\""),
        ("topic = \"POLICY.FIND\"", "topic = \"NO.SUCH\""),
        ("types = [\"stuck\"]", "types = [\"odd\"]"),
        ("valid_from = \"2025-01-01\"", "valid_from = \"2025-1-1\""),
    ] {
        let text = SHIPPED.replacen(from, to, 1);
        let faults = RoutingTable::parse("r.toml", &text, &taxonomy).expect_err(to);
        assert!(faults[0].line > 0, "{faults:?}");
    }
}

#[test]
fn traditional_and_wide_writing_find_the_same_unit() {
    let table = table();
    let credit = route(&table, &query(CaseType::Consultation, "CREDIT", "納稅信用變成Ｄ级", &[]));
    assert_eq!(credit.lead_name, "税务局");
    let barred = route(&table, &query(CaseType::Complaint, "REG.SET", "市場監管局窗口態度惡劣", &[]));
    assert_eq!(barred.lead_name, "作风办");
}
