//! Names in what was said: persons, the enterprise itself, the other side.

use std::sync::LazyLock;

use regex::Regex;

use super::{captured, regex};

const SURNAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付傅方白邹孟熊秦邱江尹薛闫阎段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝";
const HONORIFICS: &str = r"先生|女士|小姐|经理|总监|总|老板|师傅|会计|主任|厂长|店长|主管|董事长|工";

/// The contact's name: after a label, with an honorific, or beside the telephone number.
pub fn contact_name(text: &str) -> Option<String> {
    static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?:联系人|经办人|姓名|名字|称呼)(?:(?:改|换|更正)(?:成|为)|叫做?|是|为)?[:： ]*([\p{Han}·]{2,8})")
    });
    static MY_NAME: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?:我|本人)(?:叫|姓名是|名叫|的名字(?:是|叫))[:： ]*([\p{Han}·]{2,6})"));
    static SURNAME: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:我|免贵|联系人)姓([\p{Han}])"));
    static TITLED: LazyLock<Regex> = LazyLock::new(|| {
        regex(&format!(
            r"(?:^|[^\p{{Han}}]|我是|找|联系|我们)([\p{{Han}}]{{1,3}}(?:{HONORIFICS}))(?:[^\p{{Han}}]|$|电话|手机)"
        ))
    });
    static BESIDE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:^|[^\p{Han}])([\p{Han}]{2,4})(?:[ ,，、:：]{0,3}|的?(?:电话|手机)(?:号码?)?(?:是)?[:： ]?)(?:\+?86[ \-]?)?(?:1[3-9][0-9]|0[0-9]{2}|\+)",
        )
    });
    let clean = |name: &str| -> Option<String> {
        let cut = name
            .find("电话")
            .or_else(|| name.find("手机"))
            .or_else(|| name.find("联系"))
            .or_else(|| name.find('的'))
            .map_or(name, |at| name.get(..at).unwrap_or(name));
        let length = cut.chars().count();
        ((2..=6).contains(&length) && cut.starts_with(|c| SURNAMES.contains(c) || cut.contains('·')))
            .then(|| cut.to_owned())
    };
    for pattern in [&LABELLED, &MY_NAME] {
        if let Some(name) = captured(pattern, text).and_then(|c| c.get(1)).and_then(|m| clean(m.as_str())) {
            return Some(name);
        }
    }
    if let Some(name) = captured(&TITLED, text).and_then(|c| c.get(1)).and_then(|m| clean(m.as_str())) {
        return Some(name);
    }
    if let Some(name) = captured(&BESIDE, text).and_then(|c| c.get(1)).and_then(|m| clean(m.as_str())) {
        return Some(name);
    }
    captured(&SURNAME, text)
        .and_then(|c| c.get(1))
        .filter(|m| SURNAMES.contains(m.as_str()))
        .map(|m| m.as_str().to_owned())
}

const ENTERPRISE_FULL: &str = r"有限责任公司|股份有限公司|有限公司|股份公司|集团公司|合伙企业[（(](?:有限|普通)合伙[）)]|合伙企业|专业合作社|合作社|经营部|商行|个体工商户|个体户|工作室|事务所|家庭农场";
const ENTERPRISE_SHORT: &str = r"公司|集团|工厂|厂|商店|饭店|酒店|超市|门店|店|农场|作坊|企业";
/// Words that end the walk to the left from a company's suffix.
const NOT_IN_NAME: &[&str] = &[
    "我们是",
    "我是",
    "我们单位是",
    "我司是",
    "我司",
    "这里是",
    "这边是",
    "我公司是",
    "我们公司是",
    "我们厂是",
    "公司名称是",
    "公司名是",
    "公司名称",
    "企业名称",
    "单位名称",
    "公司叫",
    "厂名叫",
    "企业是",
    "单位是",
    "名称是",
    "店名是",
    "我们公司叫",
    "我们叫",
    "我开的",
    "开了",
    "叫做",
    "名叫",
    "全称",
    "叫",
    "来自",
    "关于",
    "你好",
    "您好",
    "请问",
    "我在",
    "本人是",
    "由于",
    "因为",
    "但是",
    "投诉",
    "举报",
    "反映",
    "欠款方",
    "债务人",
    "对方是",
    "甲方是",
    "被",
    "和",
    "跟",
    "与",
    "向",
    "给",
    "找",
    "的",
    "是",
    "在",
    "有",
    "为",
    "改成",
    "改为",
    "换成",
    "我们",
    "做了",
    "应该",
    "名称",
];
/// How a wish or a story starts, never a name: 我想开个奶茶店.
const NOT_NAME_STARTS: &[&str] = &[
    "我", "咱", "俺", "阮", "你", "他", "她", "想", "要", "准备", "打算", "计划", "开个", "开家", "做个", "盘了",
    "租了",
];
/// Cores that describe instead of name.
const NOT_A_NAME: &[&str] = &[
    "我",
    "贵",
    "本",
    "你",
    "他",
    "她",
    "该",
    "这家",
    "那家",
    "一家",
    "两家",
    "几家",
    "哪家",
    "隔壁",
    "对方",
    "别的",
    "其他",
    "其它",
    "老",
    "小",
    "新",
    "大",
    "新开",
    "自家",
    "外贸",
    "贸易",
    "食品",
    "建筑",
    "物流",
    "科技",
    "电商",
    "制造",
    "民营",
    "小微",
    "国有",
    "分",
    "子",
    "母",
    "总",
    "供电",
    "自来水",
    "燃气",
    "物业",
    "房地产",
    "民营房地产",
    "第三方",
    "中介",
    "保险",
    "担保",
    "银行",
    "上市",
    "大型",
    "中小",
    "台资",
    "外资",
    "侨资",
    "港资",
    "合资",
    "服装",
    "家具",
    "塑料",
    "模具",
    "机械",
    "化工",
    "纺织",
    "加工",
    "电子",
    "开发",
    "施工",
    "建设",
    "招标",
    "代理",
    "检测",
    "评估",
    "咨询",
    "开",
    "注册",
    "我家",
    "咱们",
    "我们",
    "整个",
    "同",
    "建",
    "办",
    "搬",
    "什么",
    "很多",
    "所有",
    "各",
    "做",
    "扩",
    "老板",
    "新建",
    "标准",
    "进",
    "回",
    "到",
    "来",
    "村里",
    "镇里",
    "县里",
    "本地",
    "外地",
    "外省",
    "当地",
    "附近",
];

/// A company's name at `end` of the text before it, walked to the left from its suffix.
fn name_before(text: &str, suffix: (usize, usize)) -> Option<(usize, String)> {
    let before = text.get(..suffix.0)?;
    let allowed = |c: char| is_name_char(c);
    let mut start = suffix.0;
    for (at, c) in before.char_indices().rev() {
        if !allowed(c) {
            break;
        }
        start = at;
    }
    let mut core = text.get(start..suffix.0)?;
    core.chars().nth(1)?;
    // The last stop word before the suffix wins; one that stands at the very end leaves nothing.
    for stop in NOT_IN_NAME {
        if let Some(at) = core.rfind(stop) {
            let cut = at + stop.len();
            start += cut;
            core = core.get(cut..)?;
        }
    }
    let length = core.chars().count();
    if NOT_NAME_STARTS.iter().any(|stop| core.starts_with(stop)) || core.contains("开个") || core.contains("开家") {
        return None;
    }
    if !(2..=30).contains(&length) || NOT_A_NAME.contains(&core) || core.starts_with("一家") || core.starts_with("这家")
    {
        return None;
    }
    Some((start, text.get(start..suffix.1)?.to_owned()))
}

fn is_name_char(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
        || c.is_ascii_alphanumeric()
        || matches!(c, '（' | '）' | '(' | ')' | '·' | '&' | '-')
}

/// What stands after a company's name when it is the other side.
fn is_other_side(text: &str, start: usize, end: usize) -> bool {
    static AFTER: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:一直|已经|还|总|老是|到现在|至今|现在|故意|恶意|就是)*(?:拖欠|欠|不给|不付|不结|赖|拒付|拒绝|没给|没付|没结|扣|克扣|排放|排废|侵权|抄)",
        )
    });
    static BEFORE: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?:投诉|举报|反映|告|状告|被|向|起诉|对方是?|甲方是?|欠款方是?|债务人是?|欠款单位是?)[:： ]*$")
    });
    AFTER.is_match(text.get(end..).unwrap_or_default()) || BEFORE.is_match(text.get(..start).unwrap_or_default())
}

/// Companies named in a text: where each begins and ends, its name, and whether that is a full one.
pub(super) type Companies = Vec<(usize, usize, String, bool)>;

pub(super) fn companies(text: &str) -> Companies {
    static SUFFIX: LazyLock<Regex> = LazyLock::new(|| regex(&format!("{ENTERPRISE_FULL}|{ENTERPRISE_SHORT}")));
    static FULL: LazyLock<Regex> = LazyLock::new(|| regex(&format!("(?:{ENTERPRISE_FULL})$")));
    let mut found = Vec::new();
    for suffix in SUFFIX.find_iter(text) {
        // 公司 that goes on as 公司的厂 or 厂房, 店面, 企业家 is no end of a name.
        if text
            .get(suffix.end()..)
            .is_some_and(|rest| rest.starts_with(['房', '面', '家', '区', '长', '商', '业', '里']))
        {
            continue;
        }
        if let Some((start, name)) = name_before(text, (suffix.start(), suffix.end())) {
            let full = FULL.is_match(&name);
            found.push((start, suffix.end(), name, full));
        }
    }
    found
}

/// The enterprise's own name: a full company name, or a short one that it introduces itself by.
pub fn enterprise(text: &str) -> Option<String> {
    enterprise_of(text, &companies(text))
}

pub(super) fn enterprise_of(text: &str, found: &Companies) -> Option<String> {
    static INTRODUCED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:我们是|我是|我司是?|这里是|这边是|我们单位是|我们?公司是|我们厂是|公司名称?[是叫]?|企业名称?[是叫]?|单位名称?[是叫]?|店名[是叫]?|叫做?|名叫|全称|来自|我开的|我们|名称[是叫]?|改成|改为|换成)[:： ]*$",
        )
    });
    let own = |full_only: bool| {
        found.iter().find(|(start, end, _, full)| {
            let introduced = INTRODUCED.is_match(text.get(..*start).unwrap_or_default());
            !is_other_side(text, *start, *end) && (*full || (!full_only && introduced))
        })
    };
    own(true)
        .or_else(|| own(false))
        .map(|(_, _, name, _)| name.clone())
        // A message that is nothing but a name is the answer to “哪家企业”.
        .or_else(|| found.iter().find(|(start, end, ..)| *start == 0 && text.trim().len() == *end).map(|f| f.2.clone()))
}

/// The enterprise in an answer to “哪家企业”: any company named that is not the other side.
pub(in crate::domain::dialogue) fn enterprise_in_answer(text: &str) -> Option<String> {
    companies(text).into_iter().find(|(start, end, ..)| !is_other_side(text, *start, *end)).map(|f| f.2)
}

/// Whether this can be the name of a person: two to four Han characters that begin with a surname.
pub(in crate::domain::dialogue) fn is_person_name(text: &str) -> bool {
    (2..=4).contains(&text.chars().count())
        && text.starts_with(|c| SURNAMES.contains(c))
        && text.chars().all(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// The unit or company complained of, owing, or acting against the enterprise.
pub fn object(text: &str) -> Option<String> {
    object_of(text, &companies(text))
}

pub(super) fn object_of(text: &str, found: &Companies) -> Option<String> {
    static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:(?:欠款方|债务人|欠款单位|涉及单位|被投诉(?:单位|人|方)|检查单位)(?:是|为|叫)?[:： ]*|(?:对方(?:单位|公司)?|甲方)(?:是|为|叫|[:：]) *)([\p{Han}A-Za-z0-9（）()]{2,30})",
        )
    });
    static ACCUSED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:投诉|举报|反映|状告|告)(?:一下|你们|我们)?([\p{Han}A-Za-z0-9]{2,24}?(?:管理局|监督局|执法局|局|委员会|大队|支队|中队|派出所|管委会|街道办?|镇政府|县政府|乡政府|政府|服务中心|中心|办公室|银行|医院|学校|所|物业|窗口|村委会?))",
        )
    });
    static ACTING: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"([\p{Han}A-Za-z0-9]{0,24}?(?:管理局|监督局|执法局|局|委员会|大队|支队|中队|派出所|管委会|镇政府|县政府|政府|银行|医院|学校|食堂|村委会?))(?:的人)?(?:一直|已经|还|总|老是|到现在|至今|就是|又|天天)*(?:拖欠|欠|不给|不付|不结|不退|罚|乱收|推诿|卡|刁难|拒)",
        )
    });
    let trim = |name: &str| {
        let mut name = name;
        for stop in ["我们", "你们", "他们", "这个", "那个", "说", "被", "的", "是", "在", "让", "找"]
        {
            if let Some(at) = name.rfind(stop) {
                name = name.get(at + stop.len()..).unwrap_or(name);
            }
        }
        (name.chars().count() >= 2).then(|| name.to_owned())
    };
    if let Some(found) = captured(&LABELLED, text).and_then(|c| c.get(1)) {
        let name: &str = found.as_str();
        let cut = ["欠", "拖", "不", "说", "一直"].iter().filter_map(|w| name.find(w)).min().unwrap_or(name.len());
        if let Some(name) = name.get(..cut).filter(|n| n.chars().count() >= 3 || n.ends_with(['局', '所', '厂', '店']))
        {
            return Some(name.to_owned());
        }
    }
    found
        .iter()
        .find(|(start, end, _, full)| *full && is_other_side(text, *start, *end))
        .map(|(_, _, name, _)| name.clone())
        .or_else(|| captured(&ACCUSED, text).and_then(|c| c.get(1)).and_then(|m| trim(m.as_str())))
        .or_else(|| captured(&ACTING, text).and_then(|c| c.get(1)).and_then(|m| trim(m.as_str())))
}
