//! Words that the dialogue itself understands, whatever the rule files say: 提交, 转人工, 取消, the four
//! entries, threats and the marks of secret papers. They must work even with an empty rule set.

use std::sync::LazyLock;

use regex::Regex;

use crate::domain::kinds::CaseType;

/// A word of command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Submit,
    Human,
    Cancel,
    LeaveQueue,
    Yes,
    No,
    Solved,
    Unsolved,
    Progress,
    AddToCase,
    FileAnother,
    FileForMe,
    KeepForm,
    Later,
    Anonymous,
    Entry(CaseType),
}

impl Own {
    /// Whether the word can be about a case that was filed already.
    pub(super) const fn is_about_a_case(self) -> bool {
        matches!(self, Self::Progress | Self::Cancel | Self::AddToCase)
    }
}

/// Strips blanks and the marks people put around a command.
pub(super) fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !"，。！？、；：,.!?;:~～“”\"'‘’（）()【】[]…".contains(*c)).collect()
}

/// The command, if the message is nothing but one.
pub(super) fn own(text: &str) -> Option<Own> {
    static SUBMIT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:那就?|好的?|嗯+|行|可以|确认|没问题|没错|麻烦|请|帮我|现在|就|对|是的|我要|直接|无误)*提交(?:吧|了|一下|登记单?|诉求|啊|呀|哦|谢谢|无误)*$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    static CANCEL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:算了)?(?:那个|这个)?.{0,4}?我?(?:不报了|不弄了|不想弄了|不想报了|不登记了|不想登记了).{0,6}(?:撤掉|撤了|取消|删掉|删了)(?:吧|了|谢谢)?$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    static PERSON: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"^(?:你们?|能不能|可以|可不可以|麻烦|快|帮我|给我|我想|想|我要|要)*(?:转|接|找|叫|换|派|请|联系|跟|和|与|喊|打给|安排)?(?:一?个|位)?",
            r"(?:人工|客服|真人|活人|工作人员|人工客服|在线客服|客服人员)(?:聊|谈|说|讲|沟通|来|吧|呢|在吗|在不在|服务|一下|接电话|说话)*$",
            r"|^(?:我|快|麻烦|请)*(?:要|想)?(?:找|叫|喊|派|换)(?:个|一个|你们的?)?人(?:来|吧|说|聊|谈|过来|接)*$",
            r"|^(?:我|就)?(?:要|想)?(?:跟|和|与)(?:个)?(?:真)?人(?:聊|谈|说话|说|讲|沟通)$",
            r"|^(?:麻烦|请|你们?|能不能|可以|快|帮我)*(?:打|回)(?:个)?电话(?:给|跟)(?:我|我们)(?:吧|吗|一下)?$",
            r"|^(?:麻烦|请|你们?|能不能|可以|快)*给(?:我|我们)(?:打|回)(?:个|一?个)?电话(?:吧|吗|一下)?$",
            r"|^(?:ineed|iwant|iwouldlike|letme|canitalkto|couldispeakto|speakto|talkto|connectmeto)?(?:to)?(?:talkto|speakto|speakwith|talkwith)?(?:a|an|some)?(?:real|live)?(?:human|person|agent|staff|operator|customerservice|humanagent|humanbeing)(?:please|now)?$",
        ))
        .expect("the pattern is a constant and compiles in the tests")
    });
    static TO_THE_CASE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:帮我|就|请)?(?:加|补|补充|并|合|放)(?:进|到|入|在)(?:我)?(?:原来|之前|上次|原|刚才)?的?(?:那|这)?一?(?:件|个|单)(?:里面?|去|上|吧)*$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    let bare = bare(text);
    let length = bare.chars().count();
    if length > 24 {
        return None;
    }
    if keeps(&bare) {
        return Some(Own::KeepForm);
    }
    if PERSON.is_match(&bare.to_lowercase()) {
        return Some(Own::Human);
    }
    if TO_THE_CASE.is_match(&bare) {
        return Some(Own::AddToCase);
    }
    if CANCEL.is_match(&bare) {
        return Some(Own::Cancel);
    }
    if SUBMIT.is_match(&bare) {
        return Some(Own::Submit);
    }
    let bare = bare.strip_prefix("我要").filter(|rest| *rest != "投诉").unwrap_or(&bare);
    let bare = bare.strip_prefix("请帮我").or_else(|| bare.strip_prefix("请")).unwrap_or(bare);
    Some(match bare {
        "人工来" | "电话联系我" | "给我电话" | "转人工" | "人工" | "人工服务" | "人工客服" | "找人工"
        | "转人工服务" | "真人" | "转接人工" | "联系工作人员" => Own::Human,
        "取消"
        | "取消登记"
        | "不登记了"
        | "不报了"
        | "算了不报了"
        | "算了不登记了"
        | "不想登记了"
        | "不弄了"
        | "不提交了"
        | "算了"
        | "不用了"
        | "放弃登记"
        | "退出"
        | "结束"
        | "不办了"
        | "那我不找你们了"
        | "不找你们了"
        | "那算了"
        | "那就算了"
        | "那我不办了"
        | "不想办了" => Own::Cancel,
        "取消排队" | "不排了" | "不等了" | "先问机器人" | "不用人工了" | "不用人工" | "不要人工" | "不要人工了"
        | "不转人工了" | "不用转人工了" | "退出排队" | "不排队了" | "取消人工" | "取消转人工" => {
            Own::LeaveQueue
        }
        "是" | "是的" | "对" | "对的" | "好" | "好的" | "可以" | "嗯" | "行" | "要" | "需要" | "确认" | "确定"
        | "没错" => Own::Yes,
        "不" | "不是" | "否" | "不要" | "不需要" | "没有" | "先不" => Own::No,
        "解决了" | "已解决" | "已经解决" | "有用" | "明白了" | "知道了" | "清楚了" => Own::Solved,
        "没解决" | "没有解决" | "未解决" | "还没解决" | "没用" | "没帮助" | "不是我要的" | "答非所问" | "没有帮助" => {
            Own::Unsolved
        }
        "查进度" | "查询进度" | "查办理进度" | "进度查询" | "看进度" | "查办件" | "办理进度" | "进度" | "查询"
        | "查一下" | "查件" | "查单" | "查一查" | "查结果" | "办好了吗" | "办完了吗" | "办好没有" | "办好了没"
        | "办好了没有" | "处理好了吗" | "有结果吗" | "有结果了吗" | "办到哪了" | "办得怎么样了" | "进度怎么样"
        | "进度呢" => Own::Progress,
        "补充到这件" | "补充到原件" | "并到这件" => Own::AddToCase,
        "另提一件" | "另外提一件" | "新提一件" | "另行登记" => Own::FileAnother,
        "帮我登记" | "登记" | "仍要登记" | "直接登记" | "我要登记" | "登记一下" | "提交诉求" | "登记诉求" => {
            Own::FileForMe
        }
        "继续填写"
        | "继续登记"
        | "继续"
        | "继续填"
        | "接着填"
        | "接着登记"
        | "登记单呢"
        | "刚才的登记单呢"
        | "表呢"
        | "登记单"
        | "看登记单"
        | "显示登记单" => Own::KeepForm,
        "先不提交"
        | "先不交"
        | "过两天再说"
        | "过几天再说"
        | "先放着"
        | "等会再填"
        | "等下再填"
        | "回头再说"
        | "回头再填"
        | "以后再说"
        | "先不提交过两天再说"
        | "暂时不提交"
        | "先存着"
        | "晚点再说"
        | "改天再说"
        | "等等再说"
        | "先等等" => Own::Later,
        "匿名" | "匿名提交" | "匿名反映" | "我要匿名" => Own::Anonymous,
        "咨询政策" | "咨询" | "政策咨询" | "查政策" => Own::Entry(CaseType::Consultation),
        "反映问题" | "反映诉求" | "反映情况" | "提诉求" => Own::Entry(CaseType::Coordination),
        "提建议" | "提个建议" | "建议" => Own::Entry(CaseType::Suggestion),
        _ => return None,
    })
}

/// 不取消了, 先别取消, 还是要登记: what was begun goes on.
fn keeps(bare: &str) -> bool {
    static KEEPS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:算了|等等|等下|等一下|还是|先|我|那|就|请|千万|暂时)*(?:不|别|不要|不想|不用|没想|没说要|没要|不是要)(?:要|再)?取消(?:了|吧|啊|呀|呢|掉|它|这个|登记单?|诉求)*$|^(?:我|那|就)*(?:还是|还|继续)(?:要|想|得)?(?:继续)?(?:办|登记|填|填写|反映|留着)(?:吧|的|了|下去)*$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    KEEPS.is_match(bare)
}

/// 我是普通居民, 没有公司, 12345电话多少: not an enterprise, or a question of somebody who is none.
pub(super) fn is_a_citizen(text: &str) -> bool {
    ["居民", "市民", "老百姓", "没有公司", "没开公司", "不是企业", "没有企业", "个人身份", "12345"]
        .iter()
        .any(|word| text.contains(word))
        && !["小区", "物业", "楼上", "楼下", "邻居"].iter().any(|word| text.contains(word))
}

/// 很急, 就是那个: not a word about what.
pub(super) fn says_nothing(text: &str) -> bool {
    static NOTHING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:我|真的?|很|非常|太|特别|十万火|万分|快|赶紧|赶快|快点|急|急急|急死了|着急|在线等|就|是|就是|还是|那|这|那个|这个|那件事|这件事|那事|这事|帮帮忙|帮帮我|帮我|帮忙|救救我|来|了|啊|呀|吧|的|挺)+$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    let bare = bare(text);
    (2..=10).contains(&bare.chars().count()) && NOTHING.is_match(&bare)
}

/// 好吧, 嗯嗯, 哦知道了: heard, and nothing more.
pub(super) fn is_acknowledgement(text: &str) -> bool {
    static HEARD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:好的?|行|嗯+|哦+|噢+|可以|ok|OK|知道了?|了解了?|明白了?|收到|谢谢您?|多谢|麻烦了?|辛苦了?|那|就|这样|先|吧|了|啊|呀|哈)+$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    text.chars().count() <= 12 && HEARD.is_match(&bare(text))
}

/// 已经打119了: help was called.
pub(super) fn has_called_for_help(text: &str) -> bool {
    static CALLED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:我们?|人家|同事|厂里)?(?:已经|已|刚刚?|都)*(?:打过?|拨打?过?|报过?|叫过?)(?:了)?(?:119|110|120|122|警|火警|消防|救护车)(?:电话)?(?:了|过了|的)?(?:谢谢)?$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    CALLED.is_match(&bare(text))
}

/// Nothing but the number of an identity card or a bank card, which nobody needs here.
pub(super) fn is_a_card_number(text: &str) -> bool {
    static CARD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:我|的|身份证|银行|卡|账|帐|户|号|码|是|为|[：: ])*[0-9](?:[ \-]?[0-9]){13,21}[0-9Xx][。.]?$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    CARD.is_match(text.trim()) && !super::extract::uscc(text).is_some_and(|(_, valid)| valid)
}

/// Whether the words threaten life, blockade or gathering (DOMAIN 5.4 rule 10).
pub(super) fn is_threat(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "跳楼",
        "自杀",
        "不想活",
        "活不下去",
        "轻生",
        "同归于尽",
        "堵路",
        "堵门",
        "堵大门",
        "拉横幅",
        "闹访",
        "集体上访",
        "去北京告",
        "就去北京",
        "到北京上访",
        "炸了你",
        "砍死",
        "弄死",
        "杀了",
        "自焚",
        "喝农药",
        "报复社会",
        "鱼死网破",
        "从楼上跳",
        "死给你",
        "上吊",
        "割腕",
        "爬塔吊",
    ];
    const HARMLESS: &[&str] = &["跳楼价", "跳楼甩卖", "自杀式", "自杀率", "违法吗", "怎么处罚", "预防", "禁止", "不得"];
    WORDS.iter().any(|w| text.contains(w)) && !HARMLESS.iter().any(|w| text.contains(w))
}

/// Whether the text carries the mark of a secret paper (DOMAIN 9 no. 4).
pub(super) fn is_secret(text: &str) -> bool {
    static MARK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:绝密|机密|秘密)\s*[★☆*]|(?:绝密|机密)(?:级|文件|件|材料|资料)|涉密(?:文件|材料|资料|件)|国家秘密|(?:★|☆)\s*(?:绝密|机密|秘密)")
            .expect("the pattern is a constant and compiles in the tests")
    });
    MARK.is_match(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_explicit_submit_is_one() {
        for yes in ["提交", "提交。", " 提 交 ", "好的，提交吧", "确认提交", "没问题，提交", "请提交", "提交诉求"]
        {
            assert_eq!(own(yes), Some(Own::Submit), "{yes}");
        }
        for no in ["先不提交", "不要提交", "怎么提交", "提交了没有用", "材料提交两个月了", "确认", "好的", "提交不了"]
        {
            assert_ne!(own(no), Some(Own::Submit), "{no}");
        }
    }

    #[test]
    fn a_person_is_asked_for_in_many_ways() {
        for yes in [
            "转人工",
            "客服",
            "我要找人",
            "叫个人来",
            "打电话给我",
            "给我回个电话",
            "我要跟人聊",
            "I want a human",
            "I want to talk to a human",
            "talk to a person please",
            "找客服",
            "能不能找个真人说",
            "人工客服在吗",
        ] {
            assert_eq!(own(yes), Some(Own::Human), "{yes}");
        }
        for no in [
            "我要找人装宽带",
            "客服电话打不通",
            "给我们打电话推销",
            "我们要招人",
            "人工费涨了",
            "跟人打架了",
            "不用人工了",
            "物业叫人来拆招牌",
        ] {
            assert_ne!(own(no), Some(Own::Human), "{no}");
        }
        for (words, expected) in [
            ("进度", Own::Progress),
            ("查询", Own::Progress),
            ("办好了吗", Own::Progress),
            ("不用人工了", Own::LeaveQueue),
            ("那我不找你们了", Own::Cancel),
            ("先不提交，过两天再说", Own::Later),
            ("继续填", Own::KeepForm),
            ("加到原来那件吧", Own::AddToCase),
            ("补充到这件", Own::AddToCase),
        ] {
            assert_eq!(own(words), Some(expected), "{words}");
        }
        for yes in ["很急", "就是那个", "急急急", "快点啊", "真的很急"] {
            assert!(says_nothing(yes), "{yes}");
        }
        for no in ["停电了很急", "那个路坏了", "快递", "是我们厂"] {
            assert!(!says_nothing(no), "{no}");
        }
    }

    #[test]
    fn what_only_says_that_it_was_heard_is_no_supplement() {
        for yes in ["好吧", "嗯嗯", "哦，知道了", "那就这样吧", "好的谢谢", "OK"] {
            assert!(is_acknowledgement(yes), "{yes}");
        }
        for no in ["好了没有", "就在园区门口", "那要多久", "可以开发票吗", "先停电后停水"] {
            assert!(!is_acknowledgement(no), "{no}");
        }
    }

    #[test]
    fn help_that_was_called_and_cards_are_seen() {
        for yes in ["已经打119了", "报警了", "已拨打120", "打过110了"] {
            assert!(has_called_for_help(yes), "{yes}");
        }
        for no in ["打12345了没人管", "报警了也没人管", "消防不给验收"] {
            assert!(!has_called_for_help(no), "{no}");
        }
        for yes in ["银行卡6222021234567890123", "身份证号350102199001011234", "6222 0212 3456 7890 123"] {
            assert!(is_a_card_number(yes), "{yes}");
        }
        for no in ["91350100M000100Y43", "13711160001", "银行卡被冻结了"] {
            assert!(!is_a_card_number(no), "{no}");
        }
    }

    #[test]
    fn whoever_thinks_better_of_it_does_not_cancel() {
        for yes in ["不取消了", "不取消", "别取消", "不要取消", "先别取消！", "还是不取消了吧", "还是要办", "继续填"]
        {
            assert_eq!(own(yes), Some(Own::KeepForm), "{yes}");
        }
        for no in ["取消", "取消吧", "不要了，取消", "取消排队", "不给办就取消合同"] {
            assert_ne!(own(no), Some(Own::KeepForm), "{no}");
        }
    }

    #[test]
    fn taking_back_is_heard_in_a_sentence() {
        for yes in ["算了不报了，把刚才填的撤掉", "那个投诉我不想弄了，帮我取消", "不登记了"]
        {
            assert_eq!(own(yes), Some(Own::Cancel), "{yes}");
        }
        for no in ["订单被取消了怎么办", "年报不报了会怎样", "把我们的资格取消了"] {
            assert_eq!(own(no), None, "{no}");
        }
    }

    #[test]
    fn marks_of_secret_papers_are_seen_and_plain_talk_is_not() {
        assert!(is_secret("机密★一年 关于…的通知"));
        assert!(is_secret("我有一份涉密文件发你"));
        assert!(!is_secret("我们的商业秘密被偷了"));
        assert!(!is_secret("这个配方是秘密"));
    }
}
