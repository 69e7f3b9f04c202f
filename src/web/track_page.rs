//! What the progress pages show: the form that asks for number and code, the case, and its paper view.

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
    /// What the enterprise itself wrote with it.
    pub words: String,
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

/// The reply as the enterprise reads it.
#[derive(Debug, Clone, Default)]
pub struct ReplyView {
    /// Text.
    pub text: String,
    /// Who signed; empty for an answer on the spot.
    pub signer: String,
    /// When the enterprise got it.
    pub at: String,
    /// 办理结论 in words.
    pub conclusion: String,
    /// Until when it was promised, and whether that was kept; empty where nothing was promised.
    pub kept: String,
}

/// One rating of the enterprise.
#[derive(Debug, Clone)]
pub struct RatingView {
    /// 非常满意 … 非常不满意.
    pub label: &'static str,
    /// 已解决 or 没解决.
    pub solved: &'static str,
    /// Own words.
    pub words: String,
    /// When.
    pub at: String,
}

/// A case as its enterprise sees it.
#[derive(Debug, Clone, Default)]
pub struct TrackView {
    /// Number.
    pub number: String,
    /// Title.
    pub title: String,
    /// Type in words.
    pub type_label: String,
    /// Stage number, 0 off the road.
    pub stage: u8,
    /// The bar.
    pub stages: Vec<StageStep>,
    /// Where it stands, in a sentence.
    pub wording: String,
    /// Who has it.
    pub holder: String,
    /// 受理时限, 答复时限, 确认期限 …
    pub due_label: &'static str,
    /// When it is due.
    pub due: DueView,
    /// When it was filed.
    pub submitted: String,
    /// Why the clock stands still; empty if it runs.
    pub paused: String,
    /// The reply; `None` before.
    pub reply: Option<ReplyView>,
    /// 办结结论 in words; empty before the closing.
    pub conclusion: String,
    /// Own ratings, oldest first.
    pub ratings: Vec<RatingView>,
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

    /// A rating is there and nothing waits for another one, though one may be added.
    pub fn has_rated(&self) -> bool {
        !self.ratings.is_empty() && !self.can("confirm")
    }
}

/// What was typed into a form that was refused; it stays in the form.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// Slug of the action; empty when nothing was refused.
    pub action: String,
    /// The text.
    pub text: String,
    /// Words with a rating.
    pub words: String,
    /// The grade that was chosen.
    pub grade: String,
    /// `true` or `false`, as chosen.
    pub solved: String,
}

impl Typed {
    /// The text for the form of this action.
    pub fn text_for(&self, action: &str) -> &str {
        if self.action == action { &self.text } else { "" }
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
    /// Slug of what was just done; empty otherwise.
    pub done_action: String,
    /// What was just done, in words; empty otherwise.
    pub done: String,
    /// What went wrong; empty otherwise.
    pub error: String,
    /// What was typed into the form that went wrong.
    pub typed: Typed,
    /// Makes each form's request idempotent.
    pub form_key: String,
    /// The five grades.
    pub grades: Vec<Choice>,
}

/// The paper view of a case for its enterprise.
#[derive(Debug, Template)]
#[template(path = "track_print.html")]
pub struct PrintPage {
    /// The site.
    pub site: Site,
    /// The case, with its way from the first step to the last.
    pub case: TrackView,
    /// When it was printed.
    pub printed: String,
}
