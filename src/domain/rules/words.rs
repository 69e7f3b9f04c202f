//! Words that the engine itself knows: negators, question forms, signs of a new matter, blame.
//!
//! They run in the same automaton as the rules' words, so they cost nothing extra. All are written in the
//! normal form. Changing one changes how every message is split or negated: run the whole test suite.

/// What a built-in word tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Takes back what follows: 不想, 无需.
    Negator,
    /// Opens another matter: 另外, 顺便.
    Marker,
    /// Opens another matter only beside a change of topic: 还有, 加上.
    WeakMarker,
    /// Asks something.
    Question,
    /// Tells of something that does not work.
    Problem,
    /// Ties a clause to the story before it: 导致, 因此.
    Causal,
    /// Points back: 这个, 该.
    Anaphor,
    /// Adds a parallel item: 也, 又.
    Parallel,
    /// Blames somebody.
    Blame,
    /// The name of an organ.
    Organ,
    /// The name of a region that has rules of its own.
    Place,
}

impl Sign {
    /// All signs; the position is the number of their slot.
    pub(super) const ALL: [Self; 11] = [
        Self::Negator,
        Self::Marker,
        Self::WeakMarker,
        Self::Question,
        Self::Problem,
        Self::Causal,
        Self::Anaphor,
        Self::Parallel,
        Self::Blame,
        Self::Organ,
        Self::Place,
    ];

    /// The number of its slot.
    pub(super) const fn slot(self) -> usize {
        self as usize
    }

    /// The words that show it; organs come from the routing table, places from [`PLACES`].
    pub(super) const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Negator => NEGATORS,
            Self::Marker => MARKERS,
            Self::WeakMarker => WEAK_MARKERS,
            Self::Question => QUESTIONS,
            Self::Problem => PROBLEMS,
            Self::Causal => CAUSALS,
            Self::Anaphor => ANAPHORS,
            Self::Parallel => PARALLELS,
            Self::Blame => BLAME,
            Self::Organ | Self::Place => &[],
        }
    }
}

/// How far in front of a word a negator still holds, in bytes (eight Han characters).
pub(super) const NEGATION_REACH: usize = 24;

const NEGATORS: &[&str] = &[
    "不想", "不用", "不要", "不需要", "无需", "无须", "毋须", "不必", "不打算", "不准备", "并非", "并不是", "不是", "没想", "没打算",
    "甭", "别再", "别给", "不愿", "不算是", "没有要", "没说要",
];

/// Negators that deny the act of speech, so that even an excluded word does not count: 我不是要投诉.
pub(super) const DENIALS: &[&str] = &["不是", "并不是", "并非", "不想", "没想", "不打算", "没打算", "没有要", "没说要", "不算是"];

const MARKERS: &[&str] = &[
    "另外", "此外", "顺便", "顺带", "还有就是", "还有个", "还有一个", "还有一件", "还有件", "还有一事", "还想问", "还想咨询", "还想了解",
    "还想反映", "还要问", "还要反映", "还要投诉", "再问", "再咨询", "再请教", "再请问", "再反映", "再就是", "再一个", "再有就是", "再者", "另问", "另有",
    "另一个", "另一件", "另一方面", "另请", "另想", "其次", "二是", "三是", "四是", "五是", "二来", "三来", "其二", "其三", "第二个问题",
    "第三个问题", "第二个是", "第三个是", "同时咨询", "同时请教", "同时问", "同时反映", "同时申请", "第二个事", "第二件", "第三件", "第三个事", "第二是", "第三是", "再加上", "同时还", "同时想", "同时请问", "也想问", "也想咨询", "也问",
    "顺问", "外加", "然后还有", "然后想问", "然后还想", "也请问", "还请问", "还请教", "另一桩", "还有桩", "另外一", "除此之外", "除了这个", "还有一点", "还有点",
    "除此以外", "对了", "还得问", "再说个", "再说一", "再提", "还有个事", "多问", "一并问", "一并咨询", "一并反映", "捎带", "搭车问", "二个问题", "下一个问题", "第二,", "第三,", "第二、", "第三、", "第二:", "第三:", "第二点", "第三点", "最后问", "最后再问", "最后还想",
];

const WEAK_MARKERS: &[&str] = &["还有", "加上", "再加", "以及", "同时", "然后", "再来", "而且", "并且", "接着", "再说", "与此同时", "外带"];

const QUESTIONS: &[&str] = &[
    "怎么", "咋", "如何", "怎样", "吗", "么", "呢", "能不能", "能否", "可否", "可不可以", "是否", "是不是", "有没有", "要不要", "用不用",
    "多久", "多长", "多少", "几天", "几个", "哪", "什么", "啥", "谁", "请问", "想问", "问下", "问一下", "咨询", "请教", "行不行", "需不需要", "算不算",
    "会不会", "几时", "何时", "为何", "几日", "几号", "几月", "几年", "几种", "几家", "多快", "多会", "问一句", "对吧", "咋整", "归谁", "想了解", "想知道", "不知道", "是不", "行不", "能不", "可以不", "好不好", "对不对", "收不收", "退不退", "管不管",
];

const PROBLEMS: &[&str] = &[
    "没", "不到", "不了", "不下来", "不出", "不上", "不起", "不来", "不给", "不让", "不批", "不理", "不管", "不发", "不退", "不还", "不付", "不行", "不通", "不够",
    "难", "卡", "拖", "欠", "缺", "断", "停", "坏", "堵", "涨", "贵", "慢", "退回", "驳回", "拒", "被", "罚", "抽贷", "催", "等了", "迟迟", "至今", "一直", "违法",
    "乱", "差", "投诉", "举报", "反映", "希望", "建议", "想", "要", "需要", "急", "困难", "问题", "故障", "漏", "影响", "登不", "转圈", "闹", "查", "办",
];

const CAUSALS: &[&str] = &[
    "因为", "由于", "导致", "结果", "所以", "因此", "于是", "以致", "致使", "造成", "影响", "害得", "弄得", "搞得", "这样", "那么", "否则", "不然",
    "但是", "但", "可是", "不过", "却", "就", "才", "说是", "才能", "为此", "从而", "使得", "只好", "只能", "要不然", "逼得", "说要", "说没", "回复说", "答复说",
];

const ANAPHORS: &[&str] = &["这个", "这件", "这事", "该项", "该事", "此事", "上述", "他们", "对方", "它", "这种", "这笔", "那边", "这边"];

const PARALLELS: &[&str] = &["也", "又", "还", "再", "都"];

const BLAME: &[&str] = &[
    "不作为", "乱作为", "推诿", "踢皮球", "扯皮", "推脱", "推来推去", "乱收费", "乱罚", "乱检查", "态度", "刁难", "吃拿卡要", "索要", "索贿", "好处费", "红包", "回扣",
    "暗示", "指定", "勒索", "报复", "穿小鞋", "包庇", "徇私", "故意", "拒不", "不给办", "不受理", "不理", "不回复", "不接电话", "不管", "卡着", "卡住不", "压着", "压了",
    "拖着", "一拖再拖", "拖延", "拖欠", "赖账", "欠", "不给钱", "不付", "违规", "违法", "滥用", "粗暴", "蛮横", "骂", "凶", "投诉", "举报", "控告", "反复来查", "多次检查", "频繁检查", "天天来查", "又来查",
    "重复检查", "没出示", "不出示", "没穿制服", "吃饭不结账", "不结账", "不公", "偏袒", "量身定做", "内定", "不讲理", "不履职", "失职", "渎职", "糊弄", "敷衍", "爱答不理", "爱理不理",
    "强制", "强行", "摊派", "搭售", "冷漠", "不认账", "不兑现", "反悔", "罚得", "处罚太重", "罚太重", "罚我", "罚了", "查封",
];

/// Regions with rules of their own: what people call them and the administrative code.
pub(super) const PLACES: &[(&str, &str)] = &[
    ("福建", "350000"),
    ("福州", "350100"),
    ("厦门", "350200"),
    ("莆田", "350300"),
    ("三明", "350400"),
    ("泉州", "350500"),
    ("漳州", "350600"),
    ("南平", "350700"),
    ("龙岩", "350800"),
    ("宁德", "350900"),
    ("平潭", "350128"),
    ("象山", "330225"),
    ("宁波", "330200"),
    ("宿迁", "321300"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_has_its_own_slot() {
        for (n, sign) in Sign::ALL.into_iter().enumerate() {
            assert_eq!(sign.slot(), n);
        }
    }

    #[test]
    fn built_in_words_are_in_the_normal_form() {
        for sign in Sign::ALL {
            for word in sign.words() {
                assert_eq!(&crate::domain::text::normalised(word), word);
            }
        }
    }
}
