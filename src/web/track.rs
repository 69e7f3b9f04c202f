//! The progress page of enterprises: number and code, the way of the case, and what the enterprise may do.

use askama::Template;

use crate::web::{
    desk::pages::SiblingView,
    site::Site,
    view::{Choice, DueView, StageStep},
};

/// The form that asks for number and code.
#[derive(Debug, Template)]
#[template(path = "track.html")]
pub struct AskPage {
    /// The site.
    pub site: Site,
    /// What was wrong; empty at first.
    pub error: String,
    /// The number that was typed.
    pub number: String,
}

/// A line of the way.
#[derive(Debug, Clone)]
pub struct StepView {
    /// When.
    pub at: String,
    /// What.
    pub text: String,
    /// More.
    pub detail: String,
}

/// Something the enterprise may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseForm {
    /// Slug of the action.
    pub action: &'static str,
    /// Name.
    pub label: &'static str,
    /// What happens.
    pub effect: &'static str,
    /// Label of the text; empty if none is asked.
    pub field_label: &'static str,
    /// The text must be given.
    pub required: bool,
    /// Word on the button.
    pub verb: &'static str,
    /// Ends something.
    pub danger: bool,
}

/// The forms for what the enterprise may do besides confirming and rating.
pub const FORMS: &[EnterpriseForm] = &[
    EnterpriseForm {
        action: "supply_info",
        label: "补交材料说明",
        effect: "补齐后继续受理，不用重新登记。",
        field_label: "补充的内容",
        required: true,
        verb: "提交补充",
        danger: false,
    },
    EnterpriseForm {
        action: "request_handling",
        label: "没解决，要人办理",
        effect: "转为办件交给主办单位，不用重新填写。",
        field_label: "哪里没解决（可不填）",
        required: false,
        verb: "转为办理",
        danger: false,
    },
    EnterpriseForm {
        action: "object",
        label: "对不予受理有异议",
        effect: "由中心另行审核，请写新的事实或理由。",
        field_label: "异议内容",
        required: true,
        verb: "提出异议",
        danger: false,
    },
    EnterpriseForm {
        action: "add_info",
        label: "补充说明",
        effect: "记入办理经过，承办单位能看到，时限不变。",
        field_label: "补充的内容",
        required: true,
        verb: "提交补充",
        danger: false,
    },
    EnterpriseForm {
        action: "urge",
        label: "催办",
        effect: "马上提醒承办单位。两个工作日内计一次。",
        field_label: "想说的话（可不填）",
        required: false,
        verb: "催办",
        danger: false,
    },
    EnterpriseForm {
        action: "reopen",
        label: "问题没有真正解决，要求重新办理",
        effect: "办结 30 天内，没有兑现或再次发生的可以重新办理。",
        field_label: "什么没有兑现",
        required: true,
        verb: "要求重新办理",
        danger: false,
    },
    EnterpriseForm {
        action: "withdraw",
        label: "撤回这件诉求",
        effect: "撤回后不再办理，承办单位会收到通知。有人要求您撤回的，请不要撤回，直接转人工告诉我们。",
        field_label: "撤回的原因",
        required: true,
        verb: "确定撤回",
        danger: true,
    },
];

/// A case as its enterprise sees it.
#[derive(Debug, Clone, Default)]
pub struct TrackView {
    /// Number.
    pub number: String,
    /// Title.
    pub title: String,
    /// Type in words.
    pub type_label: String,
    /// Topic in words.
    pub topic_label: String,
    /// Stage number, 0 off the road.
    pub stage: u8,
    /// The bar.
    pub stages: Vec<StageStep>,
    /// Where it stands, in a sentence.
    pub wording: String,
    /// Who has it.
    pub holder: String,
    /// When it is due.
    pub due: DueView,
    /// When it was filed.
    pub submitted: String,
    /// Why the clock stands still; empty if it runs.
    pub paused: String,
    /// The reply in full; empty before.
    pub reply: String,
    /// Who signed it, and when.
    pub reply_sign: String,
    /// Conclusion in words.
    pub conclusion: String,
    /// What happened.
    pub timeline: Vec<StepView>,
    /// Own words.
    pub original_words: String,
    /// The cases filed together, this one included.
    pub siblings: Vec<SiblingView>,
    /// What may be done, beside confirming and rating.
    pub forms: Vec<&'static EnterpriseForm>,
    /// Slugs of all allowed actions.
    pub allowed: Vec<String>,
}

impl TrackView {
    /// Whether the enterprise may take this action now.
    pub fn can(&self, action: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == action)
    }
}

/// The progress page.
#[derive(Debug, Template)]
#[template(path = "track_case.html")]
pub struct CasePage {
    /// The site.
    pub site: Site,
    /// The case.
    pub case: TrackView,
    /// What was just done; empty otherwise.
    pub done: String,
    /// What went wrong; empty otherwise.
    pub error: String,
    /// Makes each form's request idempotent.
    pub form_key: String,
    /// The five grades.
    pub grades: Vec<Choice>,
}

/// The five grades of 好差评, the best first.
pub fn grades() -> Vec<Choice> {
    [("5", "非常满意"), ("4", "满意"), ("3", "基本满意"), ("2", "不满意"), ("1", "非常不满意")]
        .map(|(value, label)| Choice::new(value, label))
        .to_vec()
}
