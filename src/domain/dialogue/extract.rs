//! Takes facts out of what an enterprise said: names, codes, telephones, places, dates, sums.
//!
//! Works on the original text, never on the normalised one: normalising turns ①② into 12 and ½ into 1⁄2
//! and would change figures. Nothing here decides; a wrong guess is shown on the form and corrected.

use std::sync::LazyLock;

use jiff::{ToSpan, civil::Date};
use regex::Regex;

use super::{
    number::{self, parse_han_number},
    state::Facts,
};

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant and compiles in the tests")
}

/// All facts in one message.
pub fn facts(text: &str, today: Date) -> Facts {
    let text = &half_width(text);
    let (uscc, uscc_invalid) = match uscc(text) {
        Some((code, true)) => (Some(code), None),
        Some((code, false)) => (None, Some(code)),
        None => (None, None),
    };
    let phone = phone(text);
    Facts {
        enterprise: enterprise(text),
        uscc,
        uscc_invalid,
        contact_name: contact_name(text),
        contact_phone: phone,
        contact_email: email(text),
        contact_wechat: wechat(text),
        place: place(text),
        object: object(text),
        happened_on: date(text, today).map(|d| d.to_string()),
        amount: number::amount(text).map(|a| a.text),
    }
}

/// Full-width digits, letters, `＋－（）：，．＠` and spaces to their ASCII twins; Han is left alone.
pub(super) fn half_width(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{3000}' => ' ',
            '，' | '：' | '；' | '！' | '？' | '（' | '）' => c,
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            _ => c,
        })
        .collect()
}

const USCC_ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Whether an 18-character 统一社会信用代码 has the right alphabet and check character (GB 32100-2015).
pub fn uscc_is_valid(code: &str) -> bool {
    let value = |c: char| USCC_ALPHABET.find(c);
    if code.chars().count() != 18 {
        return false;
    }
    let mut sum = 0;
    let mut weight = 1;
    for c in code.chars().take(17) {
        let Some(v) = value(c) else { return false };
        sum += v * weight;
        weight = weight * 3 % 31;
    }
    let expected = (31 - sum % 31) % 31;
    code.chars().last().and_then(value) == Some(expected)
}

/// The first code of the right shape, and whether its check character is right.
pub fn uscc(text: &str) -> Option<(String, bool)> {
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| regex(r"[0-9A-Za-z](?:[ \-]?[0-9A-Za-z]){14,24}"));
    static LABEL: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:信用代码|税号|机构代码|代码)[^0-9A-Za-z]{0,6}$"));
    let mut wrong = None;
    for found in SHAPE.find_iter(text) {
        let code: String =
            found.as_str().chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
        if uscc_is_valid(&code) {
            return Some((code, true));
        }
        let labelled = LABEL.is_match(text.get(..found.start()).unwrap_or_default());
        let shaped = code.len() == 18
            && code.starts_with(['1', '5', '9', 'Y'])
            && code.contains(|c: char| c.is_ascii_alphabetic());
        // An 18-digit number that begins with an area code is an identity card, not a wrong code.
        if labelled || (shaped && !id_shaped(&code)) {
            wrong.get_or_insert((code, false));
        }
    }
    wrong
}

fn id_shaped(code: &str) -> bool {
    code.len() == 18 && code.chars().take(17).all(|c| c.is_ascii_digit())
}

/// The first telephone number: mobile (with gaps, +86, spoken digits), landline, 400, or foreign with `+`.
pub fn phone(text: &str) -> Option<String> {
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\+?[0-9(](?:[ \-.()]{0,2}[0-9]){5,19}(?:\s*(?:转|分机)\s*[0-9]{1,6})?"));
    static SPOKEN: LazyLock<Regex> =
        LazyLock::new(|| regex(r"[一幺][三四五六七八九](?:[ 、,，]?[零〇一二三四五六七八九幺两]){9}"));
    static LABEL: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?:电话|手机|座机|号码|联系方式|联系|致电|tel|Tel|TEL|phone|Phone)[^0-9+]{0,6}$"));
    for found in NUMBER.find_iter(text) {
        let before = text.get(..found.start()).unwrap_or_default();
        if before.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            continue;
        }
        let after = text.get(found.end()..).unwrap_or_default();
        if after.starts_with(|c: char| c.is_ascii_alphanumeric()) || after.starts_with(['元', '万', '块', '年']) {
            continue;
        }
        let labelled = LABEL.is_match(before);
        if let Some(phone) = phone_number(found.as_str(), labelled) {
            return Some(phone);
        }
    }
    let spoken = SPOKEN.find(text)?;
    let digits: String = spoken.as_str().chars().filter_map(number::han_digit).map(|d| char::from(b'0' + d)).collect();
    phone_number(&digits, true)
}

/// Reads one written number as a telephone number, or says why it is none.
pub fn phone_number(written: &str, labelled: bool) -> Option<String> {
    let (main, extension) = written.split_once(['转', '分']).map_or((written, None), |(main, ext)| {
        (main, Some(ext.chars().filter(char::is_ascii_digit).collect::<String>()))
    });
    let international = main.trim_start().starts_with('+');
    let mut digits: String = main.chars().filter(char::is_ascii_digit).collect();
    let mut plus = international;
    if !plus && digits.starts_with("00") && digits.len() >= 10 {
        digits = digits.split_off(2);
        plus = true;
    }
    if let Some(national) = digits.strip_prefix("86")
        && is_mobile(national)
        && (plus || digits.len() == 13)
    {
        return Some(national.to_owned());
    }
    if plus {
        return (7..=15).contains(&digits.len()).then(|| format!("+{digits}"));
    }
    if is_mobile(&digits) {
        return Some(digits);
    }
    let landline = digits.starts_with('0') && (10..=12).contains(&digits.len()) && !digits.starts_with("00");
    if landline {
        let area = if digits.starts_with("01") || digits.starts_with("02") { 3 } else { 4 };
        let (area, rest) = digits.split_at_checked(area)?;
        if !(7..=8).contains(&rest.len()) {
            return labelled.then(|| digits.clone());
        }
        return Some(match extension {
            Some(ext) if !ext.is_empty() => format!("{area}-{rest}-{ext}"),
            Some(_) | None => format!("{area}-{rest}"),
        });
    }
    if digits.starts_with("400") && digits.len() == 10 {
        return Some(digits);
    }
    // Without area code or of another country: only when the enterprise says that it is a telephone.
    (labelled && matches!(digits.len(), 7..=10) && !digits.starts_with('1')).then_some(digits)
}

fn is_mobile(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    bytes.len() == 11 && bytes.first() == Some(&b'1') && bytes.get(1).is_some_and(|b| (b'3'..=b'9').contains(b))
}

/// The first e-mail address.
pub fn email(text: &str) -> Option<String> {
    static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63}@[A-Za-z0-9][A-Za-z0-9\-]{0,62}(?:\.[A-Za-z0-9\-]{1,63})*\.[A-Za-z]{2,24}",
        )
    });
    EMAIL.find(text).map(|m| m.as_str().to_owned())
}

/// A WeChat id after the word 微信.
pub fn wechat(text: &str) -> Option<String> {
    static WECHAT: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?i)(?:微信|weixin|wechat|vx)(?:号|id)?(?:也?是|为|叫)?[:： ]*([A-Za-z][A-Za-z0-9_\-]{5,19}|1[3-9][0-9]{9})",
        )
    });
    WECHAT.captures(text).and_then(|c| c.get(1)).map(|m| m.as_str().to_owned())
}

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
        if let Some(name) = pattern.captures(text).and_then(|c| c.get(1)).and_then(|m| clean(m.as_str())) {
            return Some(name);
        }
    }
    if let Some(name) = TITLED.captures(text).and_then(|c| c.get(1)).and_then(|m| clean(m.as_str())) {
        return Some(name);
    }
    if let Some(name) = BESIDE.captures(text).and_then(|c| c.get(1)).and_then(|m| clean(m.as_str())) {
        return Some(name);
    }
    SURNAME
        .captures(text)
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
    let allowed = |c: char| crate::domain::dialogue::extract::is_name_char(c);
    let mut start = suffix.0;
    for (at, c) in before.char_indices().rev() {
        if !allowed(c) {
            break;
        }
        start = at;
    }
    let mut core = text.get(start..suffix.0)?;
    // The last stop word before the suffix wins; one that stands at the very end leaves nothing.
    for stop in NOT_IN_NAME {
        if let Some(at) = core.rfind(stop) {
            let cut = at + stop.len();
            start += cut;
            core = core.get(cut..)?;
        }
    }
    let length = core.chars().count();
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

fn companies(text: &str) -> Vec<(usize, usize, String, bool)> {
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
    static INTRODUCED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:我们是|我是|我司是?|这里是|这边是|我们单位是|我们?公司是|我们厂是|公司名称?[是叫]?|企业名称?[是叫]?|单位名称?[是叫]?|店名[是叫]?|叫做?|名叫|全称|来自|我开的|我们|名称[是叫]?|改成|改为|换成)[:： ]*$",
        )
    });
    let found = companies(text);
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
pub(super) fn enterprise_in_answer(text: &str) -> Option<String> {
    companies(text).into_iter().find(|(start, end, ..)| !is_other_side(text, *start, *end)).map(|f| f.2)
}

/// Whether this can be the name of a person: two to four Han characters that begin with a surname.
pub(super) fn is_person_name(text: &str) -> bool {
    (2..=4).contains(&text.chars().count())
        && text.starts_with(|c| SURNAMES.contains(c))
        && text.chars().all(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// The unit or company complained of, owing, or acting against the enterprise.
pub fn object(text: &str) -> Option<String> {
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
    if let Some(found) = LABELLED.captures(text).and_then(|c| c.get(1)) {
        let name: &str = found.as_str();
        let cut = ["欠", "拖", "不", "说", "一直"].iter().filter_map(|w| name.find(w)).min().unwrap_or(name.len());
        if let Some(name) = name.get(..cut).filter(|n| n.chars().count() >= 3 || n.ends_with(['局', '所', '厂', '店']))
        {
            return Some(name.to_owned());
        }
    }
    companies(text)
        .into_iter()
        .find(|(start, end, _, full)| *full && is_other_side(text, *start, *end))
        .map(|(_, _, name, _)| name)
        .or_else(|| ACCUSED.captures(text).and_then(|c| c.get(1)).and_then(|m| trim(m.as_str())))
        .or_else(|| ACTING.captures(text).and_then(|c| c.get(1)).and_then(|m| trim(m.as_str())))
}

/// The place it is about.
pub fn place(text: &str) -> Option<String> {
    static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?:地址|地点|厂址|位置|事发地)(?:(?:改|换)(?:成|为)|是|在|为)?[:： ]*([^，,。；;！!？?\n]{2,60})")
    });
    static AT: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:位于|坐落于|坐落在|就在|开在|建在|厂在|在)([\p{Han}0-9A-Za-z\-]{2,30}?(?:工业园区|工业园|产业园|开发区|工业区|高新区|园区|街道|新区|大道[0-9]+号|路[0-9]+号|大厦|广场|[0-9]+号楼|[0-9]+号|村|镇|乡))",
        )
    });
    LABELLED
        .captures(text)
        .or_else(|| AT.captures(text))
        .and_then(|c| c.get(1))
        .map(|m| m.as_str().trim().to_owned())
        .filter(|p| p.chars().count() >= 2)
}

/// The day it happened, never after `today`.
pub fn date(text: &str, today: Date) -> Option<Date> {
    static FULL: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(20[0-9]{2}) ?(?:年|[\-./])(?: ?)([0-9]{1,2}|[一二三四五六七八九十]{1,3}) ?(?:月|[\-./]) ?([0-9]{1,2}|[一二三四五六七八九十]{1,3})(?:日|号|[^0-9]|$)",
        )
    });
    static MONTH_DAY: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(今年|去年|前年)? ?([0-9]{1,2}|[一二三四五六七八九十]{1,3}) ?月(?:份)? ?([0-9]{1,2}|[一二三四五六七八九十]{1,3}) ?(?:日|号)",
        )
    });
    static THIS_MONTH: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(本月|这个月|上个月|上月)([0-9]{1,2}|[一二三四五六七八九十]{1,3})(?:日|号)"));
    static WEEKDAY: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(上上|上个?|这个?|本)?(?:周|星期|礼拜)([一二三四五六日天])"));
    static AGO: LazyLock<Regex> =
        LazyLock::new(|| regex(r"([0-9]{1,3}|[一二两三四五六七八九十]{1,3})(天|日|个星期|周|个月)(?:以?前|之前)"));
    let past = |d: Date| (d <= today).then_some(d);
    let small = |s: &str| -> Option<i64> { s.parse().ok().or_else(|| parse_han_number(s).map(|n| n as i64)) };

    if let Some(c) = FULL.captures(text) {
        let year = c.get(1)?.as_str().parse().ok()?;
        let month = i8::try_from(small(c.get(2)?.as_str())?).ok()?;
        let day = i8::try_from(small(c.get(3)?.as_str())?).ok()?;
        return Date::new(year, month, day).ok().and_then(past);
    }
    if let Some(c) = MONTH_DAY.captures(text) {
        let month = i8::try_from(small(c.get(2)?.as_str())?).ok()?;
        let day = i8::try_from(small(c.get(3)?.as_str())?).ok()?;
        let year = today.year();
        return match c.get(1).map(|m| m.as_str()) {
            Some("今年") => Date::new(year, month, day).ok().and_then(past),
            Some("去年") => Date::new(year - 1, month, day).ok(),
            Some("前年") => Date::new(year - 2, month, day).ok(),
            Some(_) | None => {
                Date::new(year, month, day).ok().and_then(past).or_else(|| Date::new(year - 1, month, day).ok())
            }
        };
    }
    if let Some(c) = THIS_MONTH.captures(text) {
        let day = i8::try_from(small(c.get(2)?.as_str())?).ok()?;
        let first = Date::new(today.year(), today.month(), 1).ok()?;
        let first = if c.get(1)?.as_str().starts_with('上') { first.checked_sub(1.month()).ok()? } else { first };
        return Date::new(first.year(), first.month(), day).ok().and_then(past);
    }
    for (word, days) in [
        ("大前天", 3),
        ("前天", 2),
        ("昨天", 1),
        ("昨晚", 1),
        ("昨日", 1),
        ("今天", 0),
        ("今早", 0),
        ("今日", 0),
        ("刚才", 0),
        ("今晚", 0),
    ] {
        if text.contains(word) {
            return today.checked_sub(i64::from(days).days()).ok();
        }
    }
    if let Some(c) = AGO.captures(text) {
        let n = small(c.get(1)?.as_str())?;
        let unit = c.get(2)?.as_str();
        return match unit {
            "天" | "日" => today.checked_sub(n.days()).ok(),
            "个月" => today.checked_sub(n.months()).ok(),
            _ => today.checked_sub((n * 7).days()).ok(),
        };
    }
    if let Some(c) = WEEKDAY.captures(text) {
        let wanted = "一二三四五六日天".chars().position(|x| c.get(2).is_some_and(|m| m.as_str().starts_with(x)))?;
        let wanted = i64::try_from(wanted.min(6)).ok()?;
        let monday = today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?;
        let weeks = match c.get(1).map(|m| m.as_str()) {
            Some("上上") => 2,
            Some("上" | "上个") => 1,
            Some(_) | None => 0,
        };
        return monday.checked_add((wanted - weeks * 7).days()).ok().and_then(past);
    }
    None
}

/// Whether the words ask for secrecy.
pub fn wants_secrecy(text: &str) -> bool {
    [
        "保密",
        "别说是我",
        "不要说是我",
        "穿小鞋",
        "不泄露",
        "不要泄露",
        "匿名",
        "别透露",
        "不要透露",
        "打击报复",
        "不想让他们知道",
        "别让他们知道",
    ]
    .iter()
    .any(|w| text.contains(w))
}

/// Whether the words ask to stay anonymous.
pub fn wants_anonymity(text: &str) -> bool {
    ["匿名", "不留名", "不想留名", "不想留电话", "不留电话", "不方便留", "不想说是哪家", "不说是哪家"]
        .iter()
        .any(|w| text.contains(w))
}

/// Long runs of digits (identity cards, bank accounts) with their middle hidden; telephones are left alone.
pub fn mask_long_numbers(text: &str) -> String {
    static LONG: LazyLock<Regex> = LazyLock::new(|| regex(r"[0-9](?:[ \-]?[0-9]){13,22}[0-9Xx]?"));
    LONG.replace_all(text, |c: &regex::Captures<'_>| {
        let whole = c.get(0).map_or("", |m| m.as_str());
        let digits: String = whole.chars().filter(char::is_ascii_alphanumeric).collect();
        let head: String = digits.chars().take(4).collect();
        let tail: String = digits.chars().skip(digits.chars().count().saturating_sub(2)).collect();
        format!("{head}****{tail}")
    })
    .into_owned()
}

#[cfg(test)]
mod tests {
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
        ] {
            assert_eq!(date(text, today()), expected, "{text}");
        }
    }

    #[test]
    fn places_are_found() {
        assert_eq!(place("地址：福州市仓山区金山大道100号").as_deref(), Some("福州市仓山区金山大道100号"));
        assert_eq!(place("厂在青口投资区工业园区，路没修").as_deref(), Some("青口投资区工业园区"));
        assert_eq!(place("补贴没到"), None);
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
}
