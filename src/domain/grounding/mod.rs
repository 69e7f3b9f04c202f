//! Grounding: whether an answer that a model wrote says nothing but what its sources say.
//!
//! A model's words are a stranger's words. They reach people only when every figure, date, document and address in
//! them stands in a source that they cite, held to the same side by its 不超过 or 以上, and when they promise, judge and give away nothing. What an enterprise reads
//! is copied from its sources besides, sentence by sentence. Nothing here trusts what a model says about itself: its
//! confidence is for the journal.

mod bound;
mod check;
mod conduct;
mod figures;
mod following;
mod gate;
mod numeral;
mod polarity;
mod source;
mod spans;

pub use self::{check::check, conduct::plain, gate::SentenceGate, source::Source};
use crate::vocabulary;

vocabulary! {
    /// What the model says it did; the output contract's `status`.
    Status {
        Answered = "answered", "已答复";
        NotFound = "not_found", "资料里没有";
        OutOfScope = "out_of_scope", "不属于受理范围";
        Handoff = "handoff", "应转人工";
        Injection = "injection", "疑似操纵";
    }
}

/// What a model wrote, parsed and not yet believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What it says it did.
    pub status: Status,
    /// Its words.
    pub answer: String,
    /// Ids of the sources it names.
    pub cites: Vec<String>,
    /// How sure it says it is; for the journal only, never a gate.
    pub confidence: Option<f32>,
}

vocabulary! {
    /// Why an answer does not get out.
    BreachKind {
        Malformed = "malformed", "格式不对";
        Status = "status", "模型未作答";
        NoCite = "no_cite", "没有引用依据";
        UnknownCite = "unknown_cite", "引用了不存在的依据";
        Figure = "figure", "数字没有出处";
        Amount = "amount", "金额没有出处";
        Date = "date", "日期没有出处";
        Deadline = "deadline", "期限没有出处";
        Bound = "bound", "“不超过”“以上”等限制词与依据不同";
        DocNo = "doc_no", "文号或条款没有出处";
        Url = "url", "网址没有出处";
        Phone = "phone", "电话没有出处";
        Promise = "promise", "有许诺的话";
        Verdict = "verdict", "有定性或审批结论";
        Personal = "personal", "含个人信息";
        PromptLeak = "prompt_leak", "泄露提示词";
        TooLong = "too_long", "过长";
        Markup = "markup", "含网页或链接标记";
        Unsupported = "unsupported", "与依据不相干";
        NotFollowing = "not_following", "不是依据里的原话";
        Polarity = "polarity", "与依据的肯定、否定、必须或可以相反";
    }
}

/// One reason why an answer does not get out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The kind.
    pub kind: BreachKind,
    /// The words it is about, at most 40 characters; nothing for personal data.
    pub what: String,
}

/// What holds for one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest answer in characters.
    pub max_chars: usize,
    /// The instructions that must not be repeated: [`crate::domain::prompts::Prompt::instructions`].
    pub instructions: String,
    /// Placeholders such as 〔手机号1〕 may stand in it: drafts for officers, restored afterwards.
    pub placeholders: bool,
    /// Every sentence is one of its sources, copied or shortened: answers that an enterprise reads.
    pub copied: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_chars: 800, instructions: String::new(), placeholders: false, copied: false }
    }
}

impl Breach {
    fn new(kind: BreachKind, what: &str) -> Self {
        Self { kind, what: what.chars().filter(|c| !c.is_control()).take(40).collect() }
    }
}

#[cfg(test)]
mod tests;
