//! The registration form (登记单): pre-filled from what was said, corrected by the visitor, filed on 提交.

use std::collections::BTreeMap;

use super::{
    draft::{AnsweredBefore, RouteProposal, TopicScore},
    proposing::FormProposal,
};
use crate::{
    domain::{
        kinds::{CaseType, Urgency},
        rules::OnFail,
    },
    vocabulary,
};

/// At most this many questions are asked for one form (DOMAIN 5.4 rule 1).
pub const MAX_QUESTIONS: u8 = 3;

vocabulary! {
    /// A field of the form.
    FieldKey {
        Enterprise = "enterprise", "企业名称";
        Uscc = "uscc", "统一社会信用代码";
        ContactName = "contact_name", "联系人";
        ContactPhone = "contact_phone", "联系电话";
        Place = "place", "事发地点";
        Object = "object", "涉及单位";
        HappenedOn = "happened_on", "发生日期";
        Amount = "amount", "涉及金额";
        Demand = "demand", "诉求";
        Confidential = "confidential", "是否要求保密";
    }
}

vocabulary! {
    /// Where a value came from.
    FieldSource {
        Said = "said", "从对话中提取";
        Typed = "typed", "您填写的";
        Proposed = "proposed", "AI 建议，您采用的";
    }
}

/// The value of one field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldValue {
    /// The value as shown.
    pub value: String,
    /// Where it came from.
    pub source: Option<FieldSource>,
    /// What is wrong with it.
    pub error: Option<String>,
    /// What the bot had proposed, once the visitor changed it.
    pub proposed: Option<String>,
}

/// One matter on the form; each becomes a case of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct FormMatter {
    /// Number, from 1.
    pub n: u32,
    /// Whether it will be filed.
    pub keep: bool,
    /// The words that told it.
    pub text: String,
    /// Type.
    pub case_type: CaseType,
    /// Topic code.
    pub topic: Option<String>,
    /// Best topics.
    pub topics: Vec<TopicScore>,
    /// Urgency.
    pub urgency: Urgency,
    /// Demand in one sentence.
    pub demand: String,
    /// The demand as first drafted.
    pub drafted_demand: String,
    /// Type and topic as first proposed.
    pub proposed: (CaseType, Option<String>),
    /// Route proposal.
    pub route: RouteProposal,
    /// Whether the matter seals the identity.
    pub sensitive: bool,
    /// Organs named as the object.
    pub objects: Vec<String>,
    /// Rules that fired.
    pub rules: Vec<String>,
    /// Confidence, 0 to 1.
    pub confidence: f32,
}

/// The form while it is being filled.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CaseForm {
    /// The matters.
    pub matters: Vec<FormMatter>,
    /// The shared fields.
    pub fields: BTreeMap<FieldKey, FieldValue>,
    /// The enterprise's own words so far, unchanged, one message a line.
    pub original: String,
    /// Questions asked so far.
    pub asked: u8,
    /// The field the last question was about.
    pub asking: Option<FieldKey>,
    /// The duplicate question was answered with 另提一件.
    pub duplicate_cleared: bool,
    /// The visitor wants to stay anonymous.
    pub anonymous: bool,
    /// It was filed.
    pub submitted: bool,
    /// The rule answer that had not solved it.
    pub answered_before: Option<AnsweredBefore>,
    /// Hash of the rule set that proposed type and topic.
    pub rule_set_hash: String,
    /// What a model was asked about it, and what it proposes.
    pub proposal: Option<FormProposal>,
    /// The questions of the rule that opened it, in order; those that are dealt with are gone.
    pub asks: Vec<RuleAsk>,
}

/// A question that a rule declares for its form (`[[rule.form.ask]]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleAsk {
    /// What the answer is called.
    pub slot: String,
    /// What kind of value it must be.
    pub kind: String,
    /// The question as it is put.
    pub ask: String,
    /// How often it may be put again.
    pub retry: u8,
    /// What happens then.
    pub on_fail: OnFail,
    /// How often it was put.
    pub put: u8,
}
