//! What is taken out of sentences as people write them.

use jiff::civil::date as day;

use super::*;

fn today() -> Date {
    day(2026, 11, 25) // a Wednesday
}

#[test]
fn the_check_character_is_verified() {
    assert!(uscc_is_valid("91350100M000100Y43"));
    assert!(!uscc_is_valid("91350100M000100Y44"));
    assert!(!uscc_is_valid("91350100M000100I43"));
    assert_eq!(uscc("代码 91350100m000100y43，谢谢"), Some(("91350100M000100Y43".into(), true)));
    assert_eq!(uscc("信用代码：9135 0100 M000 100Y 44"), Some(("91350100M000100Y44".into(), false)));
    assert_eq!(uscc("身份证350102199003076532"), None);
    assert_eq!(uscc("电话13800138000"), None);
}

#[test]
fn telephones_are_found_in_any_writing() {
    for (text, expected) in [
        ("电话13800138000", Some("13800138000")),
        ("我的手机138 0013 8000，随时打", Some("13800138000")),
        ("138-0013-8000", Some("13800138000")),
        ("１３８００１３８０００", Some("13800138000")),
        ("+86 138 0013 8000", Some("13800138000")),
        ("8613800138000", Some("13800138000")),
        ("一三八零零一三八零零零", Some("13800138000")),
        ("座机0591-87654321", Some("0591-87654321")),
        ("0591 8765432转801", Some("0591-8765432-801")),
        ("010-12345678", Some("010-12345678")),
        ("打4001234567", Some("4001234567")),
        ("my phone +886 912 345 678", Some("+886912345678")),
        ("电话 0060 12 345 6789", Some("+60123456789")),
        ("电话87654321", Some("87654321")),
        ("拖欠12000000元", None),
        ("身份证350102199003076532", None),
        ("订单号 20260905123456", None),
        ("2026年11月5日", None),
    ] {
        assert_eq!(phone(&half_width(text)).as_deref(), expected, "{text}");
    }
}

#[test]
fn names_are_found() {
    for (text, expected) in [
        ("联系人：陈志强，电话13800138000", Some("陈志强")),
        ("林小姐 13800138000", Some("林小姐")),
        ("我叫王建国", Some("王建国")),
        ("我姓黄", Some("黄")),
        ("黄美玲13800138000", Some("黄美玲")),
        ("张经理，0591-87654321", Some("张经理")),
        ("电话13800138000", None),
        ("我们厂被罚了", None),
        ("联系人改成周敏", Some("周敏")),
        ("联系人：王五 电话：13711160001", Some("王五")),
        ("停电三天了 13711160001 王五", Some("王五")),
        ("法人代表 黄志强", Some("黄志强")),
        ("负责人陈海生（手机18812345678）", Some("陈海生")),
        ("叫我老王就行", Some("老王")),
        ("他们负责人王强不理我们", None),
        ("电话写错了，应该是13711160009", None),
        ("谢谢你们", None),
        ("路坏了 13711160001", None),
    ] {
        assert_eq!(contact_name(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn the_own_enterprise_is_told_from_the_other_side() {
    for (text, own, other) in [
        ("我们是福州鑫达模具厂，想问补贴", Some("福州鑫达模具厂"), None),
        ("我们是做塑料模具的小厂", None, None),
        ("我们公司想招人", None, None),
        ("隔壁厂半夜排废气", None, None),
        ("泉州海丝服饰有限公司咨询退税", Some("泉州海丝服饰有限公司"), None),
        ("恒大建设有限公司拖欠我们工程款", None, Some("恒大建设有限公司")),
        ("我是晋江顺发纸箱厂，省建工集团有限公司欠我们货款", Some("晋江顺发纸箱厂"), Some("省建工集团有限公司")),
        ("公司名称：莆田市荔城区阿强小吃店", Some("莆田市荔城区阿强小吃店"), None),
        ("外贸公司怎么退税", None, None),
        ("我们是外贸公司", None, None),
        ("永春县达埔香农专业合作社", Some("永春县达埔香农专业合作社"), None),
        ("宏图机械厂", Some("宏图机械厂"), None),
        ("投诉市场监管局乱收费", None, Some("市场监管局")),
        ("镇政府拖欠我们路灯款两年", None, Some("镇政府")),
        ("欠款方是县实验小学", None, Some("县实验小学")),
        ("我们那个公司社保交不上，系统老报错", None, None),
        ("我们这家公司老停电", None, None),
        ("我叫王强，在晋江池店镇", None, None),
        ("我是宁德市蕉城区漳湾镇福建海纳渔业有限公司的", Some("福建海纳渔业有限公司"), None),
        ("福建大海集团，欠120万", None, Some("福建大海集团")),
        ("店名老王牛肉面馆", Some("老王牛肉面馆"), None),
        ("老王牛肉面馆", Some("老王牛肉面馆"), None),
        ("单位：涵江区税务局；日期：10月12日", None, Some("涵江区税务局")),
        ("住建局一直拖", None, Some("住建局")),
        ("城管昨天把我招牌拆了", None, Some("城管")),
    ] {
        assert_eq!(enterprise(text).as_deref(), own, "own: {text}");
        assert_eq!(object(text).as_deref(), other, "other: {text}");
    }
}

#[test]
fn days_are_counted_back_from_today() {
    for (text, expected) in [
        ("昨天停电", Some(day(2026, 11, 24))),
        ("前天来检查", Some(day(2026, 11, 23))),
        ("大前天", Some(day(2026, 11, 22))),
        ("9月5日提交的", Some(day(2026, 9, 5))),
        ("九月五号", Some(day(2026, 9, 5))),
        ("12月3日验收", Some(day(2025, 12, 3))),
        ("去年3月1日", Some(day(2025, 3, 1))),
        ("2024年2月29日", Some(day(2024, 2, 29))),
        ("2026-10-08 交的材料", Some(day(2026, 10, 8))),
        ("上周三", Some(day(2026, 11, 18))),
        ("上上周五", Some(day(2026, 11, 13))),
        ("周一去过", Some(day(2026, 11, 23))),
        ("周五截止", None),
        ("三天前", Some(day(2026, 11, 22))),
        ("两个月前", Some(day(2026, 9, 25))),
        ("上个月8号", Some(day(2026, 10, 8))),
        ("明天就截止了", None),
        ("2月30日", None),
        ("8号楼漏水", None),
        ("刚才说的就是这个", None),
        ("回到刚才的补助", None),
        ("今天能修吗", None),
        ("刚才停电了", Some(day(2026, 11, 25))),
        ("今天上午来检查", Some(day(2026, 11, 25))),
    ] {
        assert_eq!(date(text, today()), expected, "{text}");
    }
}

#[test]
fn places_are_found() {
    assert_eq!(place("地址：福州市仓山区金山大道100号").as_deref(), Some("福州市仓山区金山大道100号"));
    assert_eq!(place("厂在青口投资区工业园区，路没修").as_deref(), Some("青口投资区工业园区"));
    assert_eq!(place("补贴没到"), None);
    assert_eq!(place("石狮市灵秀镇").as_deref(), Some("石狮市灵秀镇"));
    assert_eq!(place("同安区洪塘镇").as_deref(), Some("同安区洪塘镇"));
    assert_eq!(place("我是莆田市荔城区黄石镇的新月鞋厂").as_deref(), Some("莆田市荔城区黄石镇"));
    assert_eq!(place("荔城区黄石镇政府拖欠"), None);
}

#[test]
fn identity_and_bank_numbers_are_not_echoed() {
    let masked = mask_long_numbers("身份证350102199003076532 卡号6222 0202 0000 1234 567 电话13800138000");
    assert!(!masked.contains("19900307"), "{masked}");
    assert!(!masked.contains("0000 1234"), "{masked}");
    assert!(masked.contains("13800138000"), "{masked}");
}

proptest::proptest! {
    #[test]
    fn extraction_never_panics(text in "\\PC{0,80}") {
        let _ = facts(&text, today());
        let _ = mask_long_numbers(&text);
    }
}

#[test]
fn a_firm_is_called_like_one() {
    for yes in ["宏图机械厂", "老王牛肉面馆", "丽华美甲", "晋江顺发不锈钢制品有限公司", "好又来超市"]
    {
        assert!(looks_like_a_firm(yes), "{yes}");
    }
    for no in [
        "再催一下",
        "怎么送锦旗",
        "没有另外的了",
        "还是要办",
        "不要提交",
        "提交了会怎样",
        "内容改成：路塌了",
        "那个公司",
        "谢谢你们",
    ] {
        assert!(!looks_like_a_firm(no), "{no}");
    }
    assert!(looks_like_a_unit("市场监管局") && looks_like_a_unit("镇政府") && !looks_like_a_unit("天天来查"));
    assert!(is_public("县里的城投公司") && !is_public("福建大海集团"));
}
