//! The small form behind each action of a case: its fields, and one sentence saying what happens and to whom.
//!
//! Only the look is decided here; which actions appear comes from the transition table through `allowed_actions`.

pub use super::field::{Field, Tone};
use super::form_facts::{FormFacts, from_pairs};
use crate::{
    domain::{
        case::{CaseAction, Conclusion, ContactMethod, LAYERS, ReplyRefusal, ReturnReason, TransferWay},
        kinds::{CaseType, Complexity, Diversion, Urgency},
    },
    web::view::Choice,
};

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

macro_rules! choices {
    ($vocabulary:ty, $present:expr) => {
        <$vocabulary>::ALL
            .iter()
            .map(|value| Choice::new(value.as_str(), value.label()).chosen($present))
            .collect::<Vec<_>>()
    };
}

/// The grades that may be chosen in passing: 特别疑难 asks for more (C10).
fn plain_grades(present: &str) -> Vec<Choice> {
    choices!(Complexity, present).into_iter().filter(|c| c.value != "special" || present == "special").collect()
}

/// The pairs as choices; a single one is chosen.
fn only(pairs: &[(String, String)]) -> Vec<Choice> {
    let present = if let [(value, _)] = pairs { value.as_str() } else { "" };
    from_pairs(pairs, present)
}

/// 督办 and 提级 have six levels.
fn levels(from: u8) -> Vec<Choice> {
    (from..=6).map(|n| Choice::new(n.to_string(), format!("第 {n} 级")).chosen(&from.to_string())).collect()
}

/// What a conclusion asks for that does not solve the matter.
fn justified(field: Field) -> Field {
    let asking: Vec<&str> =
        Conclusion::ALL.iter().filter(|conclusion| conclusion.needs_justification()).map(|c| c.as_str()).collect();
    field.needed_for("conclusion", &asking)
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
                        .filter(|code| !matches!(code, Diversion::Smalltalk | Diversion::Unclear | Diversion::Abuse))
                        .map(|code| Choice::new(code.as_str(), code.label()))
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
                Field::choose("topic", "主题", from_pairs(&facts.topics, &facts.topic)),
                Field::choose("urgency", "紧急程度", choices!(Urgency, &facts.urgency)),
                Field::choose_option("complexity", "难易程度", plain_grades(&facts.complexity)),
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
            if facts.last_opinion {
                "意见记入呈批记录，同时派给所选主办单位。".into()
            } else {
                "意见记入呈批记录，交下一位领导签批。".into()
            },
            {
                let mut fields = vec![Field::area("opinion", if facts.before_approval { "意见" } else { "呈批意见" })];
                if facts.last_opinion {
                    fields.extend([facts.lead_field(), facts.assists_field()]);
                }
                fields
            },
        ),
        A::Dispatch => (
            Tone::Primary,
            true,
            "分派",
            format!("派给所选主办单位，开始计签收和首次联系时间，{firm}会看到由哪个单位办。"),
            vec![
                facts.lead_field(),
                facts.assists_field(),
                Field::choose_option("complexity", "难易程度", plain_grades(&facts.complexity)),
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
            "交中心审核，企业的答复时限不变；退错的记误退。只能在派单后 1 个工作日内申请一次。".into(),
            vec![
                Field::choose("reason", "理由", choices!(ReturnReason, "")),
                Field::area("basis", "法律或职责依据").hint("写明三定、权责清单的条款"),
                Field::choose("proposed_unit", "应由哪个单位办", facts.other_units("")),
            ],
        ),
        A::GrantReturn => (
            Tone::Primary,
            true,
            "同意并改派",
            "改派给新的主办单位，原派单记误派，企业时限不变。".into(),
            vec![
                Field::choose("lead", "改派给", facts.other_units(&facts.return_to)),
                facts.assists_field(),
                Field::note("note", "说明"),
            ],
        ),
        A::RefuseReturn => (
            Tone::Plain,
            true,
            "不同意退单",
            format!("退回{lead}继续办理，记误退。"),
            vec![Field::area("reason", "理由")],
        ),
        A::RecordContact if facts.calls_back => (
            Tone::Plain,
            true,
            "记下回访",
            format!(
                "记下给{firm}打的电话。没有人接听的也要记：没有一次电话回访，逾期未确认就不会办结。企业当时答复是否解决的，请用“记录回访”。"
            ),
            vec![
                Field::choose("method", "方式", choices!(ContactMethod, "phone")),
                Field::line("person", "打给谁"),
                Field::tick("reached", "接通了", false),
                Field::tick("message_left", "没接通，已留言或发短信", false),
                Field::area("result", "情况"),
            ],
        ),
        A::RecordContact => (
            Tone::Primary,
            true,
            "记下联系",
            format!(
                "首次联系时钟在联系上{firm}时停止；没联系上的，隔开钟点试满两次并留了言也算；企业会看到“已与您联系”，没有联系过的可以指出。"
            ),
            vec![
                Field::choose("method", "方式", choices!(ContactMethod, "phone")),
                Field::line("person", "联系了谁"),
                Field::tick("reached", "联系上了", true),
                Field::tick("message_left", "没联系上，已留言或发短信", false),
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
                Field::choose("unit", "协办单位", facts.other_units("")),
                Field::area("question", "需要它做什么"),
                Field::date_option("due_on", "要求哪天答复").hint("不填按规定时限").from(&facts.tomorrow),
            ],
        ),
        A::AnswerAssist => (
            Tone::Primary,
            true,
            "答复主办单位",
            "答复给主办单位，企业看不到全文。".into(),
            vec![Field::choose("task", "协办事项", only(&facts.own_tasks)), Field::area("text", "答复")],
        ),
        A::WaiveAssist => (
            Tone::Plain,
            false,
            "免予协办",
            "不再等这项协办，主办单位自己答复。".into(),
            vec![Field::choose("task", "协办事项", only(&facts.tasks)), Field::area("reason", "理由")],
        ),
        A::Pause => (
            Tone::Plain,
            false,
            "暂停计时",
            format!("答复时钟暂停，{firm}会看到原因。内部会签、领导外出、等经费不能作为理由。"),
            vec![
                Field::choose(
                    "reason",
                    "理由",
                    facts.pauses.iter().map(|reason| Choice::new(reason.as_str(), reason.label())).collect(),
                ),
                Field::area("explanation", "给企业看的说明")
                    .with(&facts.pause_asked)
                    .hint("待企业补充的，一次列全缺什么"),
                Field::line_option("document", "证明文件").needed_for("reason", &["P2", "P3"]),
                Field::date_option("until_on", "最迟到哪天恢复").needed_for("reason", &["P2"]).from(&facts.tomorrow),
            ],
        ),
        A::Resume => (
            Tone::Plain,
            true,
            "恢复计时",
            if facts.pause_asked.is_empty() {
                "答复时钟继续，企业会看到新的办结时间。".into()
            } else {
                "不同意暂停，答复时钟照常走，承办单位会收到您的说明。".into()
            },
            vec![Field::note("note", "说明")],
        ),
        A::RequestExtension => (
            Tone::Plain,
            false,
            "申请延期",
            format!("交{}审批；批准后理由原文告知{firm}。", facts.approver),
            vec![
                Field::number("days", "延长几个工作日", &facts.extension_limit.min(5).to_string())
                    .from("1")
                    .up_to(&facts.extension_limit.to_string()),
                Field::area("reason", "理由")
                    .hint("至少 20 字，写明卡在哪一步、谁在做、什么时候能做完；企业会看到原文"),
            ],
        ),
        A::GrantExtension => (
            Tone::Primary,
            true,
            "同意延期",
            format!("{firm}会收到延期理由和新的办结时间。"),
            vec![
                Field::number("days", "批准几个工作日", &facts.extension_days)
                    .from("1")
                    .up_to(&facts.extension_days)
                    .optional(),
            ],
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
                Field::note("basis", "法定依据（定为特别疑难时）").needed_for("complexity", &["special"]),
                Field::date_option("due_on", "答复期限到哪一天（特别疑难，或按新标准已过期时）")
                    .needed_for("complexity", &["special"])
                    .from(&facts.tomorrow),
            ],
        ),
        A::DraftReply => (
            Tone::Primary,
            true,
            if facts.unsigned { "交核实" } else { "送审" },
            if facts.unsigned {
                format!("该口径不要求审签，答复由{lead}承办人负责，核实后发给{firm}。协办事项要先答复或免除。")
            } else {
                format!("送{lead}分管负责人审签，拟稿人不能自己签。协办事项要先答复或免除。")
            },
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
                justified(Field::note("basis", "依据")),
                justified(Field::note("coordination_log", "协调记录")),
                justified(Field::note("explanation", "给企业的解释")),
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
                    LAYERS.iter().map(|(slug, label)| Choice::new(*slug, *label).chosen("unit")).collect(),
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
            vec![
                Field::line("to", "转到哪里"),
                Field::choose("way", "方式", choices!(TransferWay, "external")),
                Field::line_option("receipt", "对方回执编号").needed_for("way", &["external"]),
                Field::area("reason", "理由"),
            ],
        ),
        A::Supervise => (
            Tone::Plain,
            false,
            "督办",
            format!("{lead}会收到督办单。"),
            vec![Field::choose_number("level", "督办级别", levels(1)), Field::area("letter", "督办意见")],
        ),
        A::EndSupervision => {
            (Tone::Plain, false, "结束督办", "结束督办，留下结果。".into(), vec![Field::area("result", "督办结果")])
        }
        A::Escalate => (
            Tone::Plain,
            false,
            "提级",
            format!("提请上一级协调，{firm}会看到“已提请协调”。"),
            vec![Field::choose_number("rung", "提到第几级", levels(facts.rung + 1)), Field::area("reason", "理由")],
        ),
        A::AddInfo => (
            Tone::Plain,
            false,
            "登记补充",
            "代企业登记补充说明，承办单位能看到。".into(),
            vec![Field::area("text", "补充的内容")],
        ),
        A::AcceptPlan => (
            Tone::Plain,
            true,
            "记下方案",
            format!("代{firm}记下已同意的方案。{lead}按节点推进并逐个报告，{firm}能看到各节点。"),
            vec![Field::rows(
                "milestones",
                "方案节点",
                1,
                vec![Field::line("text", "做到什么"), Field::day("due_on", "哪天前").from(&facts.tomorrow)],
            )],
        ),
        A::Split => (
            Tone::Plain,
            false,
            "拆分",
            format!("拆成几件分别办理，各有编号，{firm}在同一页看进度。原件的时限不变。"),
            vec![Field::rows(
                "parts",
                "拆成哪几件",
                2,
                vec![
                    Field::line("title", "标题"),
                    Field::choose("type", "类型", choices!(CaseType, &facts.case_type)),
                    Field::area("demand", "要解决什么"),
                ],
            )],
        ),
        A::Rate
        | A::Submit
        | A::LapseInfo
        | A::DeemSigned
        | A::ConfirmSilently
        | A::Archive
        | A::Withdraw
        | A::Urge => return None,
    };
    // A choice of nothing is no choice: the button would lead to an error.
    if fields.iter().any(|field| field.required && field.kind == "select" && field.options.is_empty()) {
        return None;
    }
    let reads_reply = matches!(action, A::SignOff | A::ReleaseReply);
    let quote = match (reads_reply, facts.conclusion.as_str()) {
        (false, _) => String::new(),
        (true, "") => facts.reply.clone(),
        (true, conclusion) => format!("{}\n\n结论：{conclusion}", facts.reply),
    };
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
mod tests;
