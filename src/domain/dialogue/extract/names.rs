//! Names in what was said: persons, the enterprise itself, the other side.

use std::sync::LazyLock;

use regex::Regex;

use super::{captured, regex};

const SURNAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付傅方白邹孟熊秦邱江尹薛闫阎段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝";
const HONORIFICS: &str = r"先生|女士|小姐|经理|总监|总|老板|师傅|会计|主任|厂长|店长|主管|董事长|工";

/// Characters that are in no given name: they make a phrase of what begins with a surname.
const NOT_IN_A_GIVEN_NAME: &str =
    "你我他她它们的了吗呢吧啊呀嘛么不没别再怎什谁哪就都也还很太要这那把被让给跟是个到谢下点号岁";
/// Words that begin like a name and are none.
const NO_PERSONS: &[&str] = &[
    "方便", "方案", "方面", "马上", "马路", "高兴", "高新", "高速", "安全", "安监", "安排", "温州", "温泉", "江苏",
    "江西", "江阴", "石狮", "宁德", "宁波", "龙岩", "龙海", "安溪", "连江", "罗源", "古田", "霞浦", "尤溪", "华安",
    "云霄", "常见", "万一", "车间", "车辆", "于是", "任何", "严重", "明天", "明年", "明白", "明显", "阳光", "路灯",
    "路面", "路坏", "路上", "路口", "时间", "时候", "金额", "金融", "周一", "周二", "周三", "周四", "周五", "周六",
    "周日", "周末", "单位", "全部", "全停", "向上", "房子", "房东", "房租", "施工", "项目", "应该", "白天", "和解",
    "成立", "成功", "古镇", "易地", "曾经", "包装", "包工", "管理", "管道", "管委", "党委", "党员", "计划", "解决",
    "解释", "农业", "农民", "司机", "司法", "连续", "连接", "费用", "左右", "尚未", "符合", "游客", "关系", "关于",
    "关门", "牛奶", "钱款", "雷电", "黄金", "顾客", "毛病", "温度", "康复", "华侨", "晋江", "南平", "福州", "台风",
    "水电", "程序", "严格", "涂料", "路边", "景区", "席位", "麻烦", "麻将", "冷库", "常年", "章程", "符号", "柯桥",
    "左边", "平潭", "沙县", "谈判", "石材", "石头", "金属",
];

/// Whether this can be the name of a person and is no phrase: 王五, 欧阳文, 谢谢你们 not.
fn is_no_phrase(name: &str) -> bool {
    let given: String = name.chars().skip(1).collect();
    !NO_PERSONS.iter().any(|word| name.starts_with(word))
        && !given.contains(|c| NOT_IN_A_GIVEN_NAME.contains(c))
        && !name
            .ends_with(['局', '镇', '县', '区', '市', '路', '厂', '店', '村', '所', '院', '司', '款', '费', '税', '证'])
}

/// The contact's name: after a label, with an honorific, or beside the telephone number.
pub fn contact_name(text: &str) -> Option<String> {
    static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:联系人|经办人|姓名|名字|称呼|法人代表|法定代表人|法人|负责人)(?:(?:改|换|更正)(?:成|为)|叫做?|是|为)?[:： ]*([\p{Han}·]{2,8})",
        )
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
    static AFTER: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?:1[3-9][0-9 \-]{9,13}|[0-9]{7,8})[ ,，、]{1,3}([\p{Han}]{2,3})(?:$|[^\p{Han}])"));
    static CALL_ME: LazyLock<Regex> = LazyLock::new(|| {
        regex(&format!(r"(?:叫我|喊我|称呼我)((?:[老小阿][\p{{Han}}])|[\p{{Han}}]{{1,2}}(?:{HONORIFICS}))"))
    });
    let clean = |name: &str| -> Option<String> {
        let cut = name
            .find("电话")
            .or_else(|| name.find("手机"))
            .or_else(|| name.find("联系"))
            .or_else(|| name.find('的'))
            .map_or(name, |at| name.get(..at).unwrap_or(name));
        let length = cut.chars().count();
        ((2..=6).contains(&length)
            && cut.starts_with(|c| SURNAMES.contains(c) || cut.contains('·'))
            && is_no_phrase(cut))
        .then(|| cut.to_owned())
    };
    for pattern in [&LABELLED, &MY_NAME] {
        let found = captured(pattern, text).and_then(|c| c.get(1)).filter(|m| !is_theirs(text, m.start()));
        if let Some(name) = found.and_then(|m| clean(m.as_str())) {
            return Some(name);
        }
    }
    if let Some(name) = captured(&CALL_ME, text).and_then(|c| c.get(1)) {
        return Some(name.as_str().to_owned());
    }
    if let Some(name) = captured(&TITLED, text).and_then(|c| c.get(1)).and_then(|m| clean(m.as_str())) {
        return Some(name);
    }
    if let Some(name) = captured(&BESIDE, text).and_then(|c| c.get(1)).and_then(|m| clean(m.as_str())) {
        return Some(name);
    }
    if let Some(name) = captured(&AFTER, text).and_then(|c| c.get(1)).and_then(|m| clean(m.as_str())) {
        return Some(name);
    }
    captured(&SURNAME, text)
        .and_then(|c| c.get(1))
        .filter(|m| SURNAMES.contains(m.as_str()))
        .map(|m| m.as_str().to_owned())
}

/// Whether the clause before says that the person is on the other side: 执法的叫王强, 他们负责人王强.
fn is_theirs(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let clause = before.rsplit(['，', ',', '。', '；', ';', '！', '!', '\n']).next().unwrap_or_default();
    ["对方", "他们", "人家", "窗口", "局里", "局的", "所里", "村里", "执法", "政府", "甲方", "办事员"]
        .iter()
        .any(|w| clause.contains(w))
}

const ENTERPRISE_FULL: &str = r"有限责任公司|股份有限公司|有限公司|股份公司|集团公司|合伙企业[（(](?:有限|普通)合伙[）)]|合伙企业|专业合作社|合作社|经营部|商行|个体工商户|个体户|工作室|事务所|家庭农场";
const ENTERPRISE_SHORT: &str = r"公司|集团|工厂|厂|商店|饭店|酒店|超市|门店|店|农场|作坊|企业|餐馆|面馆|饭馆|茶馆|宾馆|馆|餐厅|酒楼|茶庄|诊所|幼儿园|民宿|工坊|批发部|服务部|养殖场";
/// What small shops are called by, without any word for a firm.
const TRADES: &[&str] = &[
    "美甲",
    "美发",
    "理发",
    "美容",
    "烧烤",
    "小吃",
    "牛肉面",
    "火锅",
    "快餐",
    "早餐",
    "奶茶",
    "咖啡",
    "便利",
    "百货",
    "五金",
    "建材",
    "水果",
    "茶叶",
    "服饰",
    "服装",
    "鞋业",
    "汽修",
    "汽配",
    "电器",
    "家电",
    "家具",
    "家居",
    "装饰",
    "广告",
    "打印",
    "文具",
    "药房",
    "培训",
    "科技",
    "实业",
    "贸易",
    "商贸",
    "工贸",
    "电子",
    "机械",
    "模具",
    "食品",
    "物流",
    "洗车",
    "旅馆",
    "招待所",
    "网吧",
    "影楼",
    "渔业",
    "水产",
    "茶业",
    "石材",
    "石业",
    "陶瓷",
    "箱包",
    "卫浴",
    "塑料",
    "塑胶",
    "纸业",
    "纸箱",
    "印刷",
    "包装",
    "化工",
    "新材料",
    "能源",
    "环保",
    "医药",
    "生物",
    "农业",
    "养殖",
    "种植",
    "园艺",
    "纺织",
    "针织",
    "染整",
    "印染",
    "皮革",
    "鞋材",
    "建设",
    "冷链",
    "光电",
    "制造",
];
/// Characters that make a phrase of what would be a firm's name.
const NOT_IN_A_FIRM: &str = "你我他她它们的了吗呢吧啊呀嘛么没怎什谁哪这那把被让说写填改错";
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
    "我叫",
    "做了",
    "应该",
    "名称",
    "店名",
    "厂名",
    "公司名",
    "单位名",
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
    // 那个公司, 这家厂, 某企业: pointed at, not named.
    if core.starts_with(['这', '那', '某', '哪', '每', '另', '再', '没', '不']) && !core.starts_with("不锈钢")
    {
        return None;
    }
    if core.contains(|c| NOT_IN_A_FIRM.contains(c)) {
        return None;
    }
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
            r"^[，, ]{0,2}(?:一直|已经|还|总|老是|到现在|至今|现在|故意|恶意|就是)*(?:拖欠|欠|不给|不付|不结|赖|拒付|拒绝|没给|没付|没结|扣|克扣|排放|排废|侵权|抄)",
        )
    });
    static BEFORE: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?:投诉|举报|反映|告|状告|被|向|起诉|对方是?|甲方是?|欠款方是?|债务人是?|欠款单位是?)[:： ]*$")
    });
    static OWN: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:我们是|我是|我司是?|我们?公司是|我们厂是|这里是)$"));
    let before = text.get(..start).unwrap_or_default();
    BEFORE.is_match(before) || (AFTER.is_match(text.get(end..).unwrap_or_default()) && !OWN.is_match(before))
}

/// Companies named in a text: where each begins and ends, its name, and whether that is a full one.
pub(super) type Companies = Vec<(usize, usize, String, bool)>;

pub(super) fn companies(text: &str) -> Companies {
    static SUFFIX: LazyLock<Regex> = LazyLock::new(|| regex(&format!("{ENTERPRISE_FULL}|{ENTERPRISE_SHORT}")));
    static FULL: LazyLock<Regex> = LazyLock::new(|| regex(&format!("(?:{ENTERPRISE_FULL})$")));
    let mut found = Vec::new();
    for suffix in SUFFIX.find_iter(text) {
        // 公司 that goes on as 公司的厂 or 厂房, 店面, 企业家 is no end of a name.
        if text.get(suffix.end()..).is_some_and(|rest| {
            rest.starts_with(['房', '面', '家', '区', '长', '商', '业', '里', '镇', '村', '乡', '街', '路', '法', '章'])
        }) {
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

/// A company's name without the address before it: 宁德市蕉城区漳湾镇福建海纳渔业有限公司. Shops and cooperatives are
/// registered with their place, and keep it.
fn without_address(name: &str) -> &str {
    static GLUED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^(?:[\p{Han}]{2,4}省)?(?:[\p{Han}]{2,4}市)?(?:[\p{Han}]{1,4}(?:区|县|市))?[\p{Han}]{1,6}?(?:镇|乡|街道|工业园区?|开发区|产业园|工业区|园区)(?:[\p{Han}]{1,4}村)?(?P<name>[\p{Han}A-Za-z0-9（）()]{2,}(?:公司|集团))$",
        )
    });
    const SHORTEST: usize = 4;
    let Some(found) = captured(&GLUED, name).and_then(|c| c.name("name")) else { return name };
    let core = found.as_str().trim_end_matches("有限公司").trim_end_matches("公司").trim_end_matches("集团");
    if core.chars().count() >= 2 && found.as_str().chars().count() >= SHORTEST { found.as_str() } else { name }
}

/// Whether a short message is nothing but what a firm or a shop is called.
pub(in crate::domain::dialogue) fn looks_like_a_firm(text: &str) -> bool {
    static SUFFIX: LazyLock<Regex> = LazyLock::new(|| {
        regex(&format!("^[\\p{{Han}}A-Za-z0-9（）()·&-]{{2,28}}(?:{ENTERPRISE_FULL}|{ENTERPRISE_SHORT})$"))
    });
    let length = text.chars().count();
    if !(4..=30).contains(&length)
        || text.contains(|c| NOT_IN_A_FIRM.contains(c))
        || text.starts_with(['再', '不', '没'])
    {
        return false;
    }
    companies(text).first().is_some_and(|(start, end, ..)| *start == 0 && *end == text.len())
        || (!SUFFIX.is_match(text)
            && text.chars().all(is_name_char)
            && TRADES.iter().any(|trade| text.ends_with(trade)))
}

/// Whether words name a unit, not a firm: 市场监管局, 镇政府, 城管.
pub(in crate::domain::dialogue) fn looks_like_a_unit(text: &str) -> bool {
    const ENDS: &[&str] = &[
        "局",
        "委员会",
        "大队",
        "支队",
        "中队",
        "派出所",
        "管委会",
        "街道",
        "街道办",
        "政府",
        "服务中心",
        "中心",
        "办公室",
        "银行",
        "医院",
        "学校",
        "小学",
        "中学",
        "窗口",
        "村委",
        "村委会",
        "居委会",
        "城管",
        "法院",
        "税务所",
        "司法所",
        "住建",
        "城投",
        "物业",
        "供电所",
        "自来水公司",
        "供电公司",
        "燃气公司",
        "政务大厅",
        "税务",
        "市监",
        "消防",
        "环保",
    ];
    (2..=24).contains(&text.chars().count())
        && text.chars().all(is_name_char)
        && !text.contains(|c| "你我他她们了吗呢吧怎什谁哪没不".contains(c))
        && ENDS.iter().any(|end| text.ends_with(end))
}

/// Whether a name is that of a public or a local body, which owes and is no enterprise that asks for help here.
pub(in crate::domain::dialogue) fn is_public(text: &str) -> bool {
    const PUBLIC: &[&str] = &["城投", "建投", "交投", "国投", "城建集团", "水务集团", "国资"];
    looks_like_a_unit(text)
        || PUBLIC.iter().any(|word| text.contains(word))
        || ["县里", "市里", "镇里", "区里", "省里", "乡里", "村里"].iter().any(|place| text.starts_with(place))
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
        .map(|name| without_address(&name).to_owned())
}

/// The enterprise in an answer to “哪家企业”: any company named that is not the other side.
pub(in crate::domain::dialogue) fn enterprise_in_answer(text: &str) -> Option<String> {
    companies(text)
        .into_iter()
        .find(|(start, end, ..)| !is_other_side(text, *start, *end))
        .map(|f| without_address(&f.2).to_owned())
}

/// Whether this can be the name of a person: two to four Han characters that begin with a surname.
pub(in crate::domain::dialogue) fn is_person_name(text: &str) -> bool {
    (2..=4).contains(&text.chars().count())
        && text.starts_with(|c| SURNAMES.contains(c))
        && text.chars().all(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
        && is_no_phrase(text)
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
            r"([\p{Han}A-Za-z0-9]{0,24}?(?:管理局|监督局|执法局|局|委员会|大队|支队|中队|派出所|管委会|镇政府|县政府|政府|银行|医院|学校|食堂|村委会?))(?:的人)?(?:一直|已经|还|总|老是|到现在|至今|就是|又|天天)*(?:拖|欠|不给|不付|不结|不退|罚|乱收|推诿|推来推去|卡|刁难|拒|压着|不批|不办|不受理|不理|不管|不回|不处理|没人管)",
        )
    });
    static CITY_GUARDS: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(城管(?:局|大队|中队|队员|队|执法队)?)[^，,。；;！!？?\n]{0,8}?(?:把|拆|扣|没收|罚|赶|乱|砸|不让)")
    });
    static UNIT: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:^|[，,。；;！!\n ])单位(?:是|为)?[:： ]+([\p{Han}A-Za-z0-9]{2,24}?(?:局|委员会|大队|支队|中队|派出所|管委会|街道办?|政府|中心|办公室|银行|医院|学校|所|村委会?))(?:$|[^\p{Han}])",
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
    if let Some(unit) = captured(&UNIT, text).and_then(|c| c.get(1)) {
        return Some(unit.as_str().to_owned());
    }
    // A short name of the other side must be one at least: 物业公司 is none.
    let named = |name: &str, full: bool| {
        full || (name.ends_with("集团") || name.ends_with("公司")) && name.chars().count() >= SHORTEST_OTHER
    };
    found
        .iter()
        .find(|(start, end, name, full)| named(name, *full) && is_other_side(text, *start, *end))
        .map(|(_, _, name, _)| name.clone())
        .or_else(|| captured(&ACCUSED, text).and_then(|c| c.get(1)).and_then(|m| trim(m.as_str())))
        .or_else(|| captured(&ACTING, text).and_then(|c| c.get(1)).and_then(|m| trim(m.as_str())))
        .or_else(|| captured(&CITY_GUARDS, text).and_then(|c| c.get(1)).map(|m| m.as_str().to_owned()))
}

/// Characters of a short company name that can be another's: 福建大海集团.
const SHORTEST_OTHER: usize = 6;
