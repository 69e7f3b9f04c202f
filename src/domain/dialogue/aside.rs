//! What is said beside the form while it is open: 在吗, 为什么要电话, 等一下, 公司名写错了. It is answered, and goes neither into
//! the case nor into its type. Reads words and changes nothing.
//!
//! A message is beside the matter when it is put together from words about the form, the conversation and whoever
//! speaks, and from nothing else: one word of a matter, and it is told.

use std::sync::LazyLock;

use regex::Regex;

use super::{FieldKey, extract, words};

/// Longest such message, in characters.
const MOST_CHARS: usize = 24;
/// A question that is not about the form is no longer than this.
const QUESTION_CHARS: usize = 16;

/// What such words are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    /// A field is wrong, and what is right was not said.
    Wrong(FieldKey),
    /// Something is to be changed, whatever it is.
    Change,
    /// Why a field is asked for, or that it must be.
    Why(FieldKey),
    /// The field shall stay empty.
    Withheld(FieldKey),
    /// Not now: 先不提交, 等一下, 我再想想.
    Later,
    /// What 提交 does.
    HowToSubmit,
    /// Where the form is.
    WhereIsIt,
    /// 在吗, 你好.
    Greeting,
    /// 再见.
    Leaving,
    /// 你是谁, 你们是骗子吧.
    Trust,
    /// 谢谢你们.
    Thanks,
    /// 快点, 再催一下.
    Hurry,
    /// 没有另外的了, 就这些.
    Enough,
    /// 什么意思, 说人话.
    Puzzled,
    /// Anything else.
    Idle,
}

/// Words of which messages beside the matter are made.
const WORDS: &str = "我|我们|咱|咱们|你|你们|您|他们|本人|自己|大家|这|这个|那|那个|这些|那些|哪个|哪些|其他|其它|别的|另外|一个|第?[一二三四五]个|的|地|得|了|吧|啊|呀|呢|吗|嘛|嘞|哦|噢|喔|哈|哎|唉|诶|欸|嗯|呃|么|也|就|都|又|还|还是|再|先|才|已经|刚才|刚刚|刚|现在|目前|待会|等会|一会|一会儿|一下|下|一点|点|些|是|有|没有|没|无|不|别|甭|用|必|要|想|愿意|会|能|可以|可|必须|一定|非|非要|需要|应该|该|给|帮|让|把|跟|说|讲|问|写|填|填写|留|留下|发|看|看看|看到|看见|来|去|到|做|弄|搞|知道|晓得|明白|懂|听|听懂|清楚|记得|忘|忘记|错|错误|误|对|改|修改|更改|更正|加|补|补充|删|登记|登记单|单子|单|表|表格|表单|提交|交|继续|确认|保存|内容|信息|资料|东西|意思|什么|啥|为什么|为啥|为何|干嘛|干吗|干什么|怎么|怎样|怎么样|如何|咋|咋样|多少|哪里|哪儿|哪|谁|几|何时|什么时候|电话|联系电话|手机|手机号|手机号码|号码|联系方式|微信|邮箱|公司|公司名|公司名称|企业|企业名|企业名称|单位|单位名称|店名|厂名|名|名字|名称|姓名|联系人|地址|地点|日期|时间|金额|诉求|要求|类型|事发|发生|涉及|信用代码|税号|代码|个体|个体户|个人|老百姓|居民|普通|市民|匿名|保密|身份|隐私|泄露|骗|骗子|骗人|诈骗|真|真的|假|假的|靠谱|可靠|相信|机器|机器人|人工|真人|人|人呢|客服|工作人员|在|在吗|你好|您好|早|早上好|下午好|晚上好|hi|hello|再见|拜拜|拜|谢|谢谢|多谢|感谢|辛苦|麻烦|抱歉|对不起|不好意思|请|请问|好|好的|行|可|随便|无所谓|等|等等|稍等|稍后|稍|考虑|考虑考虑|想想|算|今天|明天|过|两天|几天|天|以后|后|晚点|有空|空|忙|快|尽快|赶紧|赶快|马上|立刻|急|着急|抓紧|速度|处理|解决|催|催催|催办|答复|回复|回答|回话|有没有人管|看着办|完|结束|够|全部|全|所有|事|事情|一样|这样|那样|这么|那么|多|太|很|非常|有点|好烦|烦|啰嗦|麻烦|以上|必填|选填|方便|便|正确|准|准确|ok|OK|样|话|人话|里|上|中|和|或|或者|但|但是|呵呵|哈哈|测试|试试|试|1|2|3";

/// What the words are, when they are nothing but beside the matter.
pub(super) fn of(text: &str) -> Option<Aside> {
    if !is_only_about_the_form(text) {
        return None;
    }
    let bare = words::bare(text);
    let has = |any: &[&str]| any.iter().any(|w| bare.contains(w));
    let asks = text.contains(['？', '?'])
        || has(&[
            "吗",
            "么",
            "为什么",
            "为啥",
            "为何",
            "干嘛",
            "必须",
            "一定要",
            "非要",
            "怎么",
            "咋",
            "要不要",
            "是不是",
            "什么",
            "啥",
        ]);
    let refuses = has(&["不", "没", "无", "别", "个体", "个人", "居民", "算了"]);
    let wrong = has(&["错", "不对", "有误", "不正确", "改"]);
    if let Some(key) = field(&bare) {
        return Some(if wrong {
            Aside::Wrong(key)
        } else if asks {
            Aside::Why(key)
        } else if refuses && !matches!(key, FieldKey::Demand) {
            Aside::Withheld(key)
        } else {
            Aside::Idle
        });
    }
    Some(if has(&["个体户", "个体", "居民", "老百姓", "市民"]) {
        Aside::Withheld(FieldKey::Enterprise)
    } else if wrong {
        Aside::Change
    } else if has(&["提交"]) && asks || has(&["会怎样", "会怎么样"]) {
        Aside::HowToSubmit
    } else if has(&["提交", "交"]) && refuses
        || has(&["等", "考虑", "想想", "晚点", "明天", "以后", "稍后", "有空", "过两天", "过几天", "不想填", "先不"])
    {
        Aside::Later
    } else if has(&["提交"]) {
        Aside::HowToSubmit
    } else if has(&["登记单", "单子", "表"]) && asks || has(&["登记单呢", "登记单", "帮我登记"]) {
        Aside::WhereIsIt
    } else if has(&["再见", "拜"]) {
        Aside::Leaving
    } else if has(&["骗", "机器", "是谁", "真的假的", "靠谱", "可靠", "真人", "泄露"]) {
        Aside::Trust
    } else if has(&["谢", "辛苦"]) {
        Aside::Thanks
    } else if has(&["什么意思", "啥意思", "不懂", "不明白", "没懂", "人话", "不清楚", "咋填", "怎么填", "怎么弄"])
    {
        Aside::Puzzled
    } else if has(&["快", "赶", "催", "急", "抓紧", "速度", "马上", "立刻", "有没有人管", "处理", "解决"])
    {
        Aside::Hurry
    } else if has(&["在吗", "在么", "你好", "您好", "人呢", "有人吗", "早上好", "下午好", "晚上好", "hi", "hello"])
    {
        Aside::Greeting
    } else if has(&["没有", "没了", "无", "就这", "这些", "够", "完", "全", "以上"]) {
        Aside::Enough
    } else {
        Aside::Idle
    })
}

/// Whether no word of a matter is in the text.
pub(super) fn is_only_about_the_form(text: &str) -> bool {
    static ONLY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!("^(?:{WORDS})+$")).expect("the pattern is a constant and compiles in the tests")
    });
    let bare = words::bare(text);
    !bare.is_empty() && bare.chars().count() <= MOST_CHARS && ONLY.is_match(&bare)
}

/// Whether nothing is left that tells something, once names and numbers were taken out.
pub(super) fn is_empty(rest: &str) -> bool {
    static FILLERS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!("^(?:{WORDS}|叫|姓|打|拨|拨打|换|换成|新|号|新号|用|先生|女士|小姐|经理|总|老板|法人|代表|负责人|位于|统一|社会|统一社会信用代码|机构|微信号|住|本|司|号|座机|其实|其实是|我司|电|联系|这里|这边)*$"))
            .expect("the pattern is a constant and compiles in the tests")
    });
    FILLERS.is_match(&words::bare(rest))
}

/// A short question that names no fact and announces no matter.
pub(super) fn is_a_question(text: &str) -> bool {
    const ASKS: &[&str] = &[
        "怎么",
        "怎样",
        "如何",
        "为什么",
        "为啥",
        "谁",
        "哪",
        "多少",
        "多久",
        "几点",
        "几时",
        "什么时候",
        "能不能",
        "会不会",
        "可不可以",
        "是不是",
        "要不要",
        "有没有",
    ];
    let bare = words::bare(text);
    bare.chars().count() <= QUESTION_CHARS
        && !bare.contains("另外")
        && !text.trim_end_matches(['。', '！', '!', '？', '?']).contains(['，', ',', '。', '；', '！', '!', '\n'])
        && (text.contains(['？', '?'])
            || bare.ends_with(['吗', '呢', '么'])
            || bare.ends_with("没有") && bare.contains('有')
            || ASKS.iter().any(|w| bare.contains(w)))
}

/// Digits that were meant as a telephone number and are none: `13711`, 电话是137111200011.
pub(super) fn mistyped_phone(text: &str) -> Option<String> {
    static ONLY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:我的?|我们)?(?:联系)?(?:电话|手机号?码?|号码|手机)?(?:是|为|打)?[:： ]*(\+?[0-9][0-9 \-]{3,16})[。.！]?$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    let plain = extract::half_width(text.trim());
    let written = ONLY.captures(&plain)?.get(1)?.as_str().trim().to_owned();
    let digits = written.chars().filter(char::is_ascii_digit).count();
    let year = digits == 4 && written.starts_with("20");
    ((4..=14).contains(&digits) && !year && extract::phone_number(&written, true).is_none()).then_some(written)
}

/// The field that the words are about.
fn field(bare: &str) -> Option<FieldKey> {
    const FIELDS: &[(FieldKey, &[&str])] = &[
        (FieldKey::ContactPhone, &["电话", "手机", "号码", "联系方式", "微信", "邮箱"]),
        (FieldKey::Uscc, &["信用代码", "税号", "代码"]),
        (FieldKey::Object, &["涉及单位"]),
        (FieldKey::Enterprise, &["公司", "企业", "单位", "店名", "厂名"]),
        (FieldKey::ContactName, &["联系人", "姓名", "名字"]),
        (FieldKey::Place, &["地址", "地点"]),
        (FieldKey::HappenedOn, &["日期"]),
        (FieldKey::Amount, &["金额"]),
        (FieldKey::Demand, &["诉求", "内容"]),
    ];
    FIELDS.iter().find(|(_, words)| words.iter().any(|w| bare.contains(w))).map(|(key, _)| *key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_beside_the_matter_are_told_from_the_matter() {
        for (text, expected) in [
            ("在吗", Aside::Greeting),
            ("你好", Aside::Greeting),
            ("什么意思", Aside::Puzzled),
            ("必须留电话吗", Aside::Why(FieldKey::ContactPhone)),
            ("为什么要电话", Aside::Why(FieldKey::ContactPhone)),
            ("为什么要填公司名？", Aside::Why(FieldKey::Enterprise)),
            ("不想说电话", Aside::Withheld(FieldKey::ContactPhone)),
            ("电话先不留", Aside::Withheld(FieldKey::ContactPhone)),
            ("没公司", Aside::Withheld(FieldKey::Enterprise)),
            ("个体户", Aside::Withheld(FieldKey::Enterprise)),
            ("我是个体户没有公司", Aside::Withheld(FieldKey::Enterprise)),
            ("不要写公司名", Aside::Withheld(FieldKey::Enterprise)),
            ("公司名称写错了", Aside::Wrong(FieldKey::Enterprise)),
            ("名字错了", Aside::Wrong(FieldKey::ContactName)),
            ("地点写错了", Aside::Wrong(FieldKey::Place)),
            ("改一下", Aside::Change),
            ("你们是骗子吧", Aside::Trust),
            ("你是谁", Aside::Trust),
            ("等一下", Aside::Later),
            ("我再想想", Aside::Later),
            ("不要提交", Aside::Later),
            ("过两天再说", Aside::Later),
            ("提交了会怎样", Aside::HowToSubmit),
            ("可以提交了吗", Aside::HowToSubmit),
            ("刚才的登记单呢", Aside::WhereIsIt),
            ("第二个帮我登记", Aside::WhereIsIt),
            ("再见", Aside::Leaving),
            ("谢谢你们", Aside::Thanks),
            ("再催一下", Aside::Hurry),
            ("快点", Aside::Hurry),
            ("赶紧的", Aside::Hurry),
            ("就这些", Aside::Enough),
            ("没有另外的了", Aside::Enough),
            ("没有", Aside::Enough),
            ("无", Aside::Enough),
            ("随便", Aside::Idle),
            ("1", Aside::Idle),
        ] {
            assert_eq!(of(text), Some(expected), "{text}");
        }
        for text in [
            "天天来查",
            "就是环保局",
            "路灯也坏了",
            "电话没人接",
            "税务局不给办",
            "公司被罚了",
            "厂里停电三天了",
            "一直没有人管",
            "消防不给验收",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn a_short_question_is_no_part_of_the_matter() {
        for yes in ["怎么送锦旗", "12345电话多少", "那找谁", "今天能修吗"] {
            assert!(is_a_question(yes), "{yes}");
        }
        for no in ["路灯也坏了", "窗口说材料不全，到底要什么", "天天来查"] {
            assert!(!is_a_question(no), "{no}");
        }
    }

    #[test]
    fn figures_that_are_no_number_are_seen() {
        assert_eq!(mistyped_phone("13711").as_deref(), Some("13711"));
        assert_eq!(mistyped_phone("电话是137111200011").as_deref(), Some("137111200011"));
        assert_eq!(mistyped_phone("13711120001"), None);
        assert_eq!(mistyped_phone("0593-1234567"), None);
        assert_eq!(mistyped_phone("1"), None);
        assert_eq!(mistyped_phone("85人"), None);
    }
}
