//! The closed vocabularies of the field: case types, urgency, complexity, channels.
//!
//! Slugs are those of the external contract, labels are what people read. Both parse.

/// A word that belongs to none of the vocabulary's slugs or labels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind} {value:?}")]
pub struct UnknownWord {
    /// Which vocabulary was asked.
    pub kind: &'static str,
    /// The word that is not in it.
    pub value: String,
}

/// A closed set of words, each with the label that people read.
pub trait Vocabulary: std::str::FromStr {
    /// Slug and label of every word, in declaration order.
    fn choices() -> Vec<(&'static str, &'static str)>;
}

/// Declares an enum with slugs and Chinese labels; either parses.
#[macro_export]
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $slug:literal, $label:literal);+ $(;)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* #[doc = concat!(" ", $label)] $variant),+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The slug used in JSON, in the database and in rule files.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $slug),+ }
            }

            /// The Chinese label shown to people.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }

        impl $crate::domain::kinds::Vocabulary for $name {
            fn choices() -> Vec<(&'static str, &'static str)> {
                Self::ALL.iter().map(|value| (value.as_str(), value.label())).collect()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::kinds::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($slug | $label => Ok(Self::$variant),)+
                    _ => Err($crate::domain::kinds::UnknownWord { kind: stringify!($name), value: text.to_owned() }),
                }
            }
        }
    };
}

vocabulary! {
    /// Case type (事项类型), DOMAIN 5.1: exactly one per case.
    CaseType {
        Consultation = "consultation", "咨询";
        Suggestion = "suggestion", "建议";
        Coordination = "coordination", "办事协调";
        Help = "help", "求助";
        Complaint = "complaint", "投诉";
        Report = "report", "举报";
        Stuck = "stuck", "办不成事";
        Arrears = "arrears", "拖欠账款";
        Conduct = "conduct", "作风问题";
        Risk = "risk", "风险隐患";
        Praise = "praise", "表扬";
        RatingReview = "rating_review", "差评核实";
        ServiceOrder = "service_order", "服务预约";
    }
}

vocabulary! {
    /// The three classes of 闽政办〔2025〕7号 二(三); derived from the case type, never chosen.
    FujianClass {
        Consultation = "consultation", "咨询类";
        Suggestion = "suggestion", "建议类";
        Demand = "demand", "诉求类";
    }
}

impl CaseType {
    /// Whether a case of this type accuses a unit or a person, who then has no part in it (DOMAIN 3.5 no. 7).
    pub const fn accuses(self) -> bool {
        matches!(self, Self::Complaint | Self::Report | Self::Conduct)
    }

    /// Whether 涉及单位 in the form of this type is the one that is complained of.
    pub const fn names_the_accused(self) -> bool {
        self.accuses() || matches!(self, Self::Stuck | Self::RatingReview | Self::Arrears)
    }

    /// The Fujian class of this type: everything that is neither 咨询 nor 建议 is 诉求 (DOMAIN 2.3 rule 5).
    pub const fn fujian_class(self) -> FujianClass {
        match self {
            Self::Consultation => FujianClass::Consultation,
            Self::Suggestion => FujianClass::Suggestion,
            Self::Coordination
            | Self::Help
            | Self::Complaint
            | Self::Report
            | Self::Stuck
            | Self::Arrears
            | Self::Conduct
            | Self::Risk
            | Self::Praise
            | Self::RatingReview
            | Self::ServiceOrder => FujianClass::Demand,
        }
    }
}

vocabulary! {
    /// Urgency (紧急程度).
    Urgency {
        Normal = "normal", "一般";
        Urgent = "urgent", "紧急";
        Critical = "critical", "特急";
    }
}

vocabulary! {
    /// Complexity (难易程度) of 象政办发〔2025〕1号 四(四)2, set at dispatch.
    Complexity {
        Simple = "simple", "简单";
        Complex = "complex", "复杂";
        Hard = "hard", "疑难";
        Special = "special", "特别疑难";
    }
}

vocabulary! {
    /// The way by which a matter came in (渠道/来源), DOMAIN A09.
    Channel {
        Web = "web", "网页";
        Widget = "widget", "嵌入窗口";
        WechatOa = "wechat_oa", "微信公众号";
        WechatWork = "wechat_work", "企业微信";
        WechatKf = "wechat_kf", "微信客服";
        Hook = "hook", "平台对接";
        Counter = "counter", "窗口";
        Phone = "phone", "电话";
        Sms = "sms", "短信";
        Letter = "letter", "信函";
        LeaderAssigned = "leader_assigned", "领导交办";
        Inspection = "inspection", "督查";
        Visit = "visit", "走访";
        Association = "association", "商协会";
        Symposium = "symposium", "恳谈会";
        RatingSystem = "rating_system", "好差评";
        Hotline12345 = "hotline_12345", "12345热线";
        EnterpriseHotline = "enterprise_hotline", "企业服务热线";
        MayorMailbox = "mayor_mailbox", "直通市长";
        StuckWindow = "stuck_window", "办不成事窗口";
        Mztong = "mztong", "闽政通";
        GridEvent = "grid_event", "基层智治";
        Terminal = "terminal", "终端";
    }
}

vocabulary! {
    /// Diversions (不予受理·分流), DOMAIN 3.4, and what is no matter at all.
    Diversion {
        /// Emergency: 119/110/120/122 first.
        D1 = "D1", "紧急险情";
        /// Statutory paths: litigation, arbitration, reconsideration, disclosure, discipline, petitions.
        D2 = "D2", "法定途径";
        /// The same matter in progress or finished, no new fact.
        D3 = "D3", "重复事项";
        /// State secrets, others' business secrets or privacy.
        D4 = "D4", "涉密与隐私";
        /// A purely private or market dispute.
        D5 = "D5", "民事纠纷";
        /// An illegal demand.
        D6 = "D6", "违法诉求";
        /// Outside this government's jurisdiction.
        D7 = "D7", "非本级管辖";
        /// Malicious flooding.
        D8 = "D8", "恶意骚扰";
        /// Not an enterprise matter.
        D9 = "D9", "非涉企事项";
        /// Greetings and thanks.
        Smalltalk = "smalltalk", "寒暄";
        /// Nothing recognisable.
        Unclear = "unclear", "不明确";
        /// Insults without a matter.
        Abuse = "abuse", "辱骂";
    }
}

vocabulary! {
    /// What an enterprise orders the bot to do, instead of telling a matter.
    Command {
        /// 转人工
        Human = "human", "转人工";
        /// 查进度
        Progress = "progress", "查进度";
        /// 取消
        Cancel = "cancel", "取消";
        /// 更正
        Correct = "correct", "更正";
        /// 没解决
        Unsolved = "unsolved", "没解决";
        /// 评价
        Rate = "rate", "评价";
        /// 确认
        Confirm = "confirm", "确认";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_and_labels_parse_back() {
        for &kind in CaseType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(kind.label().parse(), Ok(kind));
        }
        assert!("工单".parse::<CaseType>().is_err());
    }

    #[test]
    fn everything_but_consultation_and_suggestion_is_a_demand() {
        let demands = CaseType::ALL.iter().filter(|t| t.fujian_class() == FujianClass::Demand).count();
        assert_eq!(demands, CaseType::ALL.len() - 2);
    }
}
