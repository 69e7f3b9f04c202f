//! The small form behind each action of a case: its fields, and one sentence saying what happens and to whom.
//!
//! Only the look is decided here; which actions appear comes from the transition table through `allowed_actions`.

use crate::{
    domain::{
        case::{CaseAction, Conclusion, ContactMethod, PauseReason, ReplyRefusal, ReturnReason},
        kinds::{CaseType, Complexity, Diversion, Urgency},
    },
    web::view::Choice,
};

/// How a button looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// The next step of the main path.
    Primary,
    /// One of several.
    Plain,
    /// Ends or sends back something.
    Danger,
}

impl Tone {
    /// The name templates compare with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Plain => "plain",
            Self::Danger => "danger",
        }
    }
}

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Key in the JSON body.
    pub name: &'static str,
    /// Label.
    pub label: &'static str,
    /// `text`, `textarea`, `select`, `checkbox`, `date`, `number`, `units`.
    pub kind: &'static str,
    /// How the value is sent: `string`, `option` (left out when empty), `int`, `bool`, `lines`, `list`.
    pub json: &'static str,
    /// Present value.
    pub value: String,
    /// Choices of a select.
    pub options: Vec<Choice>,
    /// A select starts with an empty choice.
    pub blank: bool,
    /// Must be filled.
    pub required: bool,
    /// Help.
    pub hint: &'static str,
}

impl Field {
    fn new(name: &'static str, label: &'static str, kind: &'static str, json: &'static str) -> Self {
        Self {
            name,
            label,
            kind,
            json,
            value: String::new(),
            options: Vec::new(),
            blank: false,
            required: false,
            hint: "",
        }
    }

    fn area(name: &'static str, label: &'static str) -> Self {
        Self { required: true, ..Self::new(name, label, "textarea", "string") }
    }

    fn note(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, "textarea", "option")
    }

    fn line(name: &'static str, label: &'static str) -> Self {
        Self { required: true, ..Self::new(name, label, "text", "string") }
    }

    fn line_option(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, "text", "option")
    }

    fn lines(name: &'static str, label: &'static str) -> Self {
        Self { required: true, hint: "一行一项，一次列全", ..Self::new(name, label, "textarea", "lines") }
    }

    fn choose(name: &'static str, label: &'static str, options: Vec<Choice>) -> Self {
        let blank = !options.iter().any(|option| option.selected);
        Self { options, blank, required: true, ..Self::new(name, label, "select", "string") }
    }

    fn choose_option(name: &'static str, label: &'static str, options: Vec<Choice>) -> Self {
        Self { options, blank: true, ..Self::new(name, label, "select", "option") }
    }

    fn units(name: &'static str, label: &'static str, options: Vec<Choice>) -> Self {
        Self { options, ..Self::new(name, label, "units", "list") }
    }

    fn tick(name: &'static str, label: &'static str, on: bool) -> Self {
        Self { value: on.to_string(), ..Self::new(name, label, "checkbox", "bool") }
    }

    fn number(name: &'static str, label: &'static str, value: &str) -> Self {
        Self { value: value.to_owned(), required: true, ..Self::new(name, label, "number", "int") }
    }

    fn date_option(name: &'static str, label: &'static str) -> Self {
        Self::new(name, label, "date", "option")
    }

    fn with(mut self, value: &str) -> Self {
        value.clone_into(&mut self.value);
        self
    }

    fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    fn optional(mut self) -> Self {
        self.required = false;
        self
    }
}

/// The form of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionForm {
    /// Slug of the action.
    pub action: &'static str,
    /// Button on the page.
    pub label: &'static str,
    /// What happens and to whom.
    pub effect: String,
    /// Text to be read before deciding, e.g. the whole reply before signing.
    pub quote: String,
    /// Button in the dialog.
    pub verb: &'static str,
    /// `primary`, `plain`, `danger`.
    pub tone: &'static str,
    /// Whether it stands beside the others or under 更多.
    pub shown: bool,
    /// Fields.
    pub fields: Vec<Field>,
}

/// What the forms need to know of the case and the house.
#[derive(Debug, Clone, Default)]
pub struct FormFacts {
    /// Slug of the present case type.
    pub case_type: String,
    /// Present topic code.
    pub topic: String,
    /// Slug of the urgency.
    pub urgency: String,
    /// Slug of the complexity.
    pub complexity: String,
    /// Slug of the proposed or present lead unit.
    pub lead: String,
    /// Slugs of the proposed or present assisting units.
    pub assists: Vec<String>,
    /// Short name of the lead unit.
    pub lead_name: String,
    /// Name of the enterprise, or how it is called while sealed.
    pub enterprise: String,
    /// Every unit: slug and short name.
    pub units: Vec<(String, String)>,
    /// Every topic: code and label.
    pub topics: Vec<(String, String)>,
    /// Handlers of the lead unit: id and name.
    pub handlers: Vec<(String, String)>,
    /// Open assist tasks: id and question.
    pub tasks: Vec<(String, String)>,
    /// The draft or signed reply.
    pub reply: String,
    /// Label of its conclusion.
    pub conclusion: String,
    /// A text the rules would answer with.
    pub suggested_answer: String,
    /// Its source.
    pub suggested_source: String,
    /// Days an extension asked for.
    pub extension_days: String,
}

macro_rules! choices {
    ($vocabulary:ty, $present:expr) => {
        <$vocabulary>::ALL
            .iter()
            .map(|value| Choice::new(value.as_str(), value.label()).chosen($present))
            .collect::<Vec<_>>()
    };
}

fn from_pairs(pairs: &[(String, String)], present: &str) -> Vec<Choice> {
    pairs.iter().map(|(value, label)| Choice::new(value, label).chosen(present)).collect()
}

impl FormFacts {
    fn lead_field(&self) -> Field {
        Field::choose("lead", "主办单位", from_pairs(&self.units, &self.lead))
    }

    fn assists_field(&self) -> Field {
        let mut options = from_pairs(&self.units, "");
        for option in &mut options {
            option.selected = self.assists.contains(&option.value);
        }
        Field::units("assists", "协办单位（可不选）", options)
    }

    fn conclusion_field(&self) -> Field {
        let case_type: Option<CaseType> = self.case_type.parse().ok();
        let fitting = Conclusion::ALL.iter().filter(|conclusion| case_type.is_none_or(|kind| conclusion.fits(kind)));
        Field::choose("conclusion", "结论", fitting.map(|value| Choice::new(value.as_str(), value.label())).collect())
    }
}

/// Builds the form of an action; `None` for actions that only timers or the enterprise take.
pub fn action_form(action: CaseAction, facts: &FormFacts) -> Option<ActionForm> {
    use CaseAction as A;
    let lead = if facts.lead_name.is_empty() { "主办单位" } else { facts.lead_name.as_str() };
    let firm = if facts.enterprise.is_empty() { "企业" } else { facts.enterprise.as_str() };
    let (tone, shown, verb, effect, fields): (Tone, bool, &'static str, String, Vec<Field>) = match action {
        A::Refuse => (
            Tone::Danger,
            true,
            "不予受理",
            format!("{firm}会收到不能受理的原因和应找的途径，10 个工作日内可以提出异议。受理时钟停止。"),
            vec![
                Field::choose(
                    "code",
                    "情形",
                    Diversion::ALL
                        .iter()
                        .map(|code| Choice::new(code.as_str(), format!("{} {}", code.as_str(), code.label())))
                        .collect(),
                ),
                Field::area("path", "告诉企业该找谁、怎么找"),
            ],
        ),
        A::Object => (
            Tone::Plain,
            false,
            "登记异议",
            "代企业登记异议，案件回到待受理。".into(),
            vec![Field::area("text", "新的事实或异议")],
        ),
        A::RequestInfo => (
            Tone::Plain,
            true,
            "请企业补充",
            format!("{firm}会一次看到全部缺项。受理前只能要求补充一次，10 个工作日没有补来就中止，随时可恢复。"),
            vec![Field::lines("items", "还缺什么")],
        ),
        A::SupplyInfo => (
            Tone::Plain,
            true,
            "登记补充",
            "代企业登记补来的内容，案件回到待受理。".into(),
            vec![Field::area("text", "补充的内容")],
        ),
        A::Accept => (
            Tone::Primary,
            true,
            "受理",
            format!("{firm}会收到受理通知和承诺办结时间，答复时钟从现在开始。"),
            vec![
                Field::choose("type", "类型", choices!(CaseType, &facts.case_type)),
                Field {
                    blank: true,
                    required: false,
                    json: "option",
                    ..Field::choose("topic", "主题", from_pairs(&facts.topics, &facts.topic))
                },
                Field::choose("urgency", "紧急程度", choices!(Urgency, &facts.urgency)),
                Field::choose_option("complexity", "难易程度", choices!(Complexity, &facts.complexity)),
                Field::tick("duplicates_checked", "已查过有没有重复", true),
            ],
        ),
        A::AnswerOnSpot => (
            Tone::Plain,
            true,
            "发送答复",
            format!("答复和依据立即发给{firm}，请企业确认解决没有。"),
            vec![
                Field::area("text", "答复").with(&facts.suggested_answer),
                Field::line("source", "依据（文件名、文号、条款，或规则名）").with(&facts.suggested_source),
            ],
        ),
        A::RequestHandling => (
            Tone::Plain,
            false,
            "转为办件",
            "企业不满意当场答复，转为办件，不用重新填写。".into(),
            vec![Field::note("words", "补充说明")],
        ),
        A::MarkOwnershipPending => (
            Tone::Plain,
            false,
            "标为权属待定",
            "由中心 1 个工作日内会商裁定主办单位，企业看到“正在确定主办单位”。".into(),
            vec![
                Field::units("candidates", "候选单位", from_pairs(&facts.units, "")),
                Field::area("reason", "为什么定不下来"),
            ],
        ),
        A::RuleOwnership => (
            Tone::Primary,
            true,
            "裁定并派单",
            "裁定后直接派给主办单位，主办单位不能再退单。".into(),
            vec![
                facts.lead_field(),
                facts.assists_field(),
                Field::area("ruling", "裁定意见"),
                Field::line("basis", "依据（三定、权责清单）"),
                Field::line("participants", "参加会商的单位和人员"),
            ],
        ),
        A::Endorse => (
            Tone::Primary,
            true,
            "签批",
            "意见记入呈批记录；批准的直接派给主办单位。".into(),
            vec![
                Field::area("opinion", "意见"),
                Field { json: "option", required: false, blank: true, ..facts.lead_field() },
                facts.assists_field(),
            ],
        ),
        A::Dispatch => (
            Tone::Primary,
            true,
            "分派",
            format!("派给所选主办单位，开始计签收和首次联系时间，{firm}会看到由哪个单位办。"),
            vec![
                facts.lead_field(),
                facts.assists_field(),
                Field::choose_option("complexity", "难易程度", choices!(Complexity, &facts.complexity)),
                Field::note("note", "给承办单位的话（企业看不到）"),
            ],
        ),
        A::SignIn => (
            Tone::Primary,
            true,
            "签收",
            format!("以{lead}名义签收，签收时钟停止，承办人收到提醒。"),
            vec![
                Field::line_option("register_no", "收文号").hint("不填用案件编号"),
                Field::choose_option("handler", "承办人", from_pairs(&facts.handlers, "")),
            ],
        ),
        A::Assign => (
            Tone::Plain,
            true,
            "指定",
            "更换承办人，时限不变。".into(),
            vec![Field::choose("handler", "承办人", from_pairs(&facts.handlers, ""))],
        ),
        A::RequestReturn => (
            Tone::Danger,
            true,
            "申请退单",
            "交中心审核，企业的答复时限不变；退错的记误退。".into(),
            vec![
                Field::choose("reason", "理由", choices!(ReturnReason, "")),
                Field::area("basis", "法律或职责依据"),
                Field::choose("proposed_unit", "应由哪个单位办", from_pairs(&facts.units, "")),
            ],
        ),
        A::GrantReturn => (
            Tone::Primary,
            true,
            "同意并改派",
            "改派给新的主办单位，原派单记误派，企业时限不变。".into(),
            vec![facts.lead_field(), facts.assists_field(), Field::note("note", "说明")],
        ),
        A::RefuseReturn => (
            Tone::Plain,
            true,
            "不同意退单",
            format!("退回{lead}继续办理，记误退。"),
            vec![Field::area("reason", "理由")],
        ),
        A::RecordContact => (
            Tone::Primary,
            true,
            "记下联系",
            format!("首次联系时钟在联系上{firm}时停止；企业会看到“已与您联系”，没有联系过的可以指出。"),
            vec![
                Field::choose("method", "方式", choices!(ContactMethod, "phone")),
                Field::line("person", "联系了谁"),
                Field::tick("reached", "联系上了", true),
                Field::area("result", "谈了什么、下一步"),
            ],
        ),
        A::RecordProgress => (
            Tone::Plain,
            true,
            "记录进展",
            "记入办理经过。勾选公开的，企业能看到。".into(),
            vec![Field::area("text", "进展"), Field::tick("public", "企业可以看到", true)],
        ),
        A::AskAssist => (
            Tone::Plain,
            true,
            "请求协办",
            "协办单位收到问题和时限，答复给主办单位，不直接发企业。".into(),
            vec![
                Field::choose("unit", "协办单位", from_pairs(&facts.units, "")),
                Field::area("question", "需要它做什么"),
                Field::date_option("due_on", "要求哪天答复").hint("不填按规定时限"),
            ],
        ),
        A::AnswerAssist => (
            Tone::Primary,
            true,
            "答复主办单位",
            "答复给主办单位，企业看不到全文。".into(),
            vec![Field::choose("task", "协办事项", from_pairs(&facts.tasks, "")), Field::area("text", "答复")],
        ),
        A::WaiveAssist => (
            Tone::Plain,
            false,
            "免予协办",
            "不再等这项协办，主办单位自己答复。".into(),
            vec![Field::choose("task", "协办事项", from_pairs(&facts.tasks, "")), Field::area("reason", "理由")],
        ),
        A::Pause => (
            Tone::Plain,
            false,
            "暂停计时",
            format!("答复时钟暂停，{firm}会看到原因。内部会签、领导外出、等经费不能作为理由。"),
            vec![
                Field::choose("reason", "理由", choices!(PauseReason, "")),
                Field::area("explanation", "给企业看的说明"),
                Field::line_option("document", "证明文件"),
                Field::date_option("until_on", "最迟到哪天恢复"),
            ],
        ),
        A::Resume => (
            Tone::Plain,
            true,
            "恢复计时",
            "答复时钟继续，企业会看到新的办结时间。".into(),
            vec![Field::note("note", "说明")],
        ),
        A::RequestExtension => (
            Tone::Plain,
            false,
            "申请延期",
            format!("交中心审批；批准后理由原文告知{firm}。"),
            vec![Field::number("days", "延长几个工作日", "5"), Field::area("reason", "理由")],
        ),
        A::GrantExtension => (
            Tone::Primary,
            true,
            "同意延期",
            format!("{firm}会收到延期理由和新的办结时间。"),
            vec![Field::number("days", "批准几个工作日", &facts.extension_days)],
        ),
        A::RefuseExtension => {
            (Tone::Danger, true, "不同意延期", format!("{lead}按原时限办理。"), vec![Field::area("reason", "理由")])
        }
        A::Regrade => (
            Tone::Plain,
            false,
            "调整",
            "从原来的起点重新计算时限，留下记录。".into(),
            vec![
                Field::choose_option("type", "类型", choices!(CaseType, "")),
                Field::choose_option("topic", "主题", from_pairs(&facts.topics, "")),
                Field::choose_option("complexity", "难易程度", choices!(Complexity, "")),
                Field::area("reason", "理由"),
            ],
        ),
        A::DraftReply => (
            Tone::Primary,
            true,
            "送审",
            format!("送{lead}分管负责人审签，拟稿人不能自己签。协办事项要先答复或免除。"),
            vec![
                Field::area("text", "答复正文")
                    .with(&facts.reply)
                    .hint("逐项回答企业的要求，写明依据、谁做、什么时候做好"),
                facts.conclusion_field(),
            ],
        ),
        A::RejectDraft => (
            Tone::Danger,
            true,
            "退回拟稿",
            "退回承办人修改，时限不变。".into(),
            vec![Field::area("comment", "哪里要改")],
        ),
        A::SignOff => (
            Tone::Primary,
            true,
            "审签",
            format!("以{lead}名义签发下面的全文，之后由中心核实发给{firm}。签后文字不能再改。"),
            Vec::new(),
        ),
        A::ReleaseReply => (
            Tone::Primary,
            true,
            "核实通过并发送",
            format!("下面的全文发给{firm}，并请企业确认和评价。"),
            vec![Field::note("note", "核实记录（企业看不到）")],
        ),
        A::RefuseReply => (
            Tone::Danger,
            true,
            "退回重办",
            "退回主办单位，答复时钟按原时限继续。企业会看到“中心认为答复不完整，已退回重办”。".into(),
            vec![Field::choose("reason", "理由", choices!(ReplyRefusal, "")), Field::area("comment", "具体说明")],
        ),
        A::Confirm => (
            Tone::Plain,
            true,
            "记下回访",
            "代企业记下回访结果，要有通话记录。".into(),
            vec![
                Field::tick("solved", "企业说已解决", true),
                Field::note("words", "企业的话"),
                Field::line("call_record", "通话记录（时间、号码、通话人）"),
            ],
        ),
        A::ReportMilestone => (
            Tone::Primary,
            true,
            "报告节点",
            "报告方案节点，企业会被再次询问是否解决。".into(),
            vec![Field::tick("reached", "节点已达到", true), Field::area("text", "情况")],
        ),
        A::UpholdRating => (
            Tone::Primary,
            true,
            "差评成立，整改",
            format!("{lead}要整改重办，{firm}会看到新的办结时间。"),
            vec![Field::area("facts", "查明的事实"), Field::area("rectify", "整改要求")],
        ),
        A::DismissRating => (
            Tone::Plain,
            true,
            "差评不成立",
            format!("向{firm}说明理由和其他途径，企业的原评价照样统计。"),
            vec![
                Field::area("finding", "复核结论"),
                Field::area("explanation", "给企业的解释"),
                Field::area("evidence", "证据"),
            ],
        ),
        A::RequestClose => (
            Tone::Plain,
            true,
            "申请销号",
            "交中心核实。难以解决的，要附依据、协调记录和解释。".into(),
            vec![
                facts.conclusion_field(),
                Field::area("summary", "办理小结"),
                Field::note("basis", "依据"),
                Field::note("coordination_log", "协调记录"),
                Field::note("explanation", "给企业的解释"),
            ],
        ),
        A::ApproveClose => (
            Tone::Primary,
            true,
            "同意销号",
            format!("办结并计入统计，{firm}会收到办结通知，30 天内可以要求重新办理。"),
            vec![
                Field::choose(
                    "resolved_layer",
                    "在哪一级解决的",
                    vec![
                        Choice::new("unit", "承办单位").chosen("unit"),
                        Choice::new("board", "专班"),
                        Choice::new("centre", "中心协调"),
                        Choice::new("county_leader", "县领导"),
                        Choice::new("county", "县委县政府"),
                    ],
                ),
                Field::note("note", "说明"),
            ],
        ),
        A::RefuseClose => {
            (Tone::Danger, true, "不同意销号", format!("退回{lead}继续办理。"), vec![Field::area("reason", "理由")])
        }
        A::Reopen => (
            Tone::Plain,
            true,
            "重新办理",
            format!("同一事项重新办理，原来的办结记录保留，{firm}会收到通知。"),
            vec![Field::area("reason", "理由")],
        ),
        A::Merge => (
            Tone::Plain,
            false,
            "并单",
            "并入另一件办理，企业在那一件看进度，评价各自算。".into(),
            vec![Field::line("into", "并入哪一件（编号）")],
        ),
        A::TransferOut => (
            Tone::Danger,
            false,
            "转出",
            format!("案件离开本平台，{firm}会看到转到哪里和对方的编号。"),
            vec![Field::line("to", "转到哪里"), Field::line("receipt", "对方回执编号"), Field::area("reason", "理由")],
        ),
        A::Supervise => (
            Tone::Plain,
            false,
            "督办",
            format!("{lead}会收到督办单。"),
            vec![Field::number("level", "级别（1–6）", "1"), Field::area("letter", "督办意见")],
        ),
        A::EndSupervision => {
            (Tone::Plain, false, "结束督办", "结束督办，留下结果。".into(), vec![Field::area("result", "督办结果")])
        }
        A::Escalate => (
            Tone::Plain,
            false,
            "提级",
            format!("提请上一级协调，{firm}会看到“已提请协调”。"),
            vec![Field::number("rung", "提到第几级（1–6）", "1"), Field::area("reason", "理由")],
        ),
        A::AddInfo => (
            Tone::Plain,
            false,
            "登记补充",
            "代企业登记补充说明，承办单位能看到。".into(),
            vec![Field::area("text", "补充的内容")],
        ),
        A::Rate
        | A::AcceptPlan
        | A::Submit
        | A::LapseInfo
        | A::DeemSigned
        | A::ConfirmSilently
        | A::Archive
        | A::Withdraw
        | A::Split
        | A::Urge => return None,
    };
    let reads_reply = matches!(action, A::SignOff | A::ReleaseReply);
    let quote = match (reads_reply, facts.conclusion.as_str()) {
        (false, _) => String::new(),
        (true, "") => facts.reply.clone(),
        (true, conclusion) => format!("{}\n\n结论：{conclusion}", facts.reply),
    };
    let fields = if action == A::GrantExtension { fields.into_iter().map(Field::optional).collect() } else { fields };
    Some(ActionForm {
        action: action.as_str(),
        label: label(action),
        effect,
        quote,
        verb,
        tone: tone.as_str(),
        shown,
        fields,
    })
}

fn label(action: CaseAction) -> &'static str {
    use CaseAction as A;
    const OWN: &[(CaseAction, &str)] = &[
        (A::DraftReply, "拟写答复"),
        (A::Endorse, "签批"),
        (A::RecordContact, "记录联系"),
        (A::ReleaseReply, "核实并发送"),
        (A::Confirm, "记录回访"),
        (A::Escalate, "提级协调"),
        (A::SupplyInfo, "登记补充"),
        (A::AddInfo, "登记补充"),
    ];
    OWN.iter().find(|(own, _)| *own == action).map_or_else(|| action.label(), |(_, label)| label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_of_the_main_path_has_a_form_that_says_what_happens() {
        use CaseAction as A;
        let facts = FormFacts::default();
        for action in [
            A::Accept,
            A::Refuse,
            A::Dispatch,
            A::SignIn,
            A::RecordContact,
            A::RecordProgress,
            A::DraftReply,
            A::SignOff,
            A::RejectDraft,
            A::ReleaseReply,
            A::RefuseReply,
            A::Confirm,
            A::RequestClose,
            A::ApproveClose,
            A::RefuseClose,
        ] {
            let form = action_form(action, &facts).expect("the main path has a form");
            assert!(form.effect.chars().count() > 8, "{}", form.action);
            assert!(form.shown, "{}", form.action);
        }
    }

    #[test]
    fn what_ends_or_sends_back_is_marked() {
        for action in [CaseAction::Refuse, CaseAction::RefuseReply, CaseAction::TransferOut, CaseAction::RequestReturn]
        {
            assert_eq!(action_form(action, &FormFacts::default()).map(|form| form.tone), Some("danger"));
        }
    }
}
