//! The case as the desk shows it: built from the file an officer may see, so that what is masked there stays masked.

use jiff::Timestamp;

use super::{
    form_facts::forms,
    list::due_view,
    pages::{
        AssistView, CaseView, ClockView, DocumentView, EventView, FactView, HelpAnswer, HelpCase, HelpView, TaskView,
    },
};
use crate::{
    app::{
        Officer,
        auth::Account,
        case_help::{CaseHelp, reply_from},
        case_queries::{CaseFile, owner_name},
        content::Content,
        message::FileInfo,
        suggestions::Assist,
    },
    domain::{
        case::{Case, CaseAction, CaseClock, CaseEvent, CaseStatus, ClockKey, ClockState, EventKind, Limit, TaskState},
        kinds::Urgency,
        sla::{Unit, chinese_date, chinese_date_time},
    },
    web::view::{DueView, Tag, stage_number, stages},
};

/// Builds the page of a case.
pub fn case_view(
    content: &Content,
    file: &CaseFile,
    history: &[CaseEvent],
    officer: &Officer,
    accounts: &[Account],
) -> CaseView {
    let case = &file.case;
    let time = |at: Timestamp| chinese_date_time(content.schedule.civil(at));
    let stage = stage_number(case.status);
    let forms = forms(content, file, officer, accounts);
    let clocks: Vec<ClockView> = case.clocks.iter().map(|clock| clock_view(content, clock, file.now)).collect();
    let mut running: Vec<&CaseClock> = case
        .clocks
        .iter()
        .filter(|clock| matches!(clock.state, ClockState::Running | ClockState::Paused | ClockState::Held))
        .collect();
    running.sort_by_key(|clock| clock.due_at.unwrap_or(Timestamp::MAX));
    let main_clocks = running.into_iter().map(|clock| clock_view(content, clock, file.now)).collect();
    let (draft_title, draft, draft_note) = draft(case, &time);
    let topic = case.topic.as_deref().and_then(|code| content.taxonomy.topic(code));
    let responsible = case.responsible();
    let holder = match (&responsible.unit, &case.handler_name) {
        (Some(unit), Some(name)) => format!("{} {name}", file.unit_name(unit)),
        (Some(unit), None) => file.unit_name(unit).to_owned(),
        (None, _) => "服务中心".to_owned(),
    };
    CaseView {
        number: case.display_number(),
        version: case.version,
        title: case.title.clone(),
        tags: tags(case),
        stage,
        stages: stages(stage),
        status_label: case.status.label().to_owned(),
        holder,
        open: case.status.is_open(),
        main_clocks,
        clocks,
        paused_note: paused_note(case, file.now),
        more_forms: forms.iter().any(|form| !form.shown),
        forms,
        draft_title: draft_title.to_owned(),
        draft,
        draft_note,
        original_words: case.original_words.clone(),
        demand: if case.demand == case.original_words { String::new() } else { case.demand.clone() },
        route_reason: route_reason(file, history),
        proposal: proposal_lines(content, case),
        rules: case.proposal.rules.iter().take(8).cloned().collect::<Vec<_>>().join("、"),
        help: HelpView::default(),
        tasks: tasks(content, file),
        timeline: history.iter().rev().map(|event| event_view(content, event)).collect(),
        party: party(case),
        facts: facts(content, file, topic.map_or("", |topic| topic.label.as_str())),
        documents: Vec::new(),
        withheld: false,
        siblings: Vec::new(),
        conversation: case.conversation.map(|id| id.to_string()).unwrap_or_default(),
        package: package(case.status, history),
    }
}

/// The hash of what was archived, while the case is archived.
fn package(status: CaseStatus, history: &[CaseEvent]) -> String {
    let archived = history.iter().rev().find(|event| event.kind == EventKind::Archived);
    let hash = archived.filter(|_| status == CaseStatus::Archived).and_then(|event| event.fact("package"));
    hash.unwrap_or_default().to_owned()
}

/// Why the case went where it went: the proposal, and what the dispatcher made of it.
fn route_reason(file: &CaseFile, history: &[CaseEvent]) -> String {
    let case = &file.case;
    let (Some(proposed), Some(lead)) = (&case.proposed_lead, &case.lead_unit) else { return case.route_reason.clone() };
    if proposed == lead {
        return case.route_reason.clone();
    }
    let sent = history.iter().rev().find(|event| event.kind == EventKind::Dispatched);
    let fact = |key: &str| sent.and_then(|event| event.facts.iter().find(|f| f.key == key)).map(|f| f.value.as_str());
    let why = fact("note").filter(|note| !note.is_empty()).unwrap_or("没有写理由");
    format!(
        "改派{}办理，理由：{why}。原建议由{}办理：{}",
        file.unit_name(lead),
        file.unit_name(proposed),
        case.route_reason
    )
}

/// What else was proposed: board, category, place, policy, and the topics with what spoke for them.
fn proposal_lines(content: &Content, case: &Case) -> Vec<String> {
    let told = &case.proposal;
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("{name}：{value}"));
        }
    };
    let placed: Vec<&str> = [told.board.as_deref(), told.category.as_deref()].into_iter().flatten().collect();
    line("板块类别", placed.join(" · "));
    line("按哪里确定", told.place_basis.clone().unwrap_or_default());
    line("联合办理", if told.joint { "需要几个单位一起办".to_owned() } else { String::new() });
    line("提示", told.guidance.clone());
    line("标签", told.tags.join("、"));
    let topics: Vec<String> = told
        .topics
        .iter()
        .map(|t| {
            let label = content.taxonomy.topic(&t.topic).map_or(t.topic.as_str(), |topic| topic.label.as_str());
            let words = if t.words.is_empty() { String::new() } else { format!("（{}）", t.words.join("、")) };
            format!("{label} {}{words}", t.score)
        })
        .collect();
    line("主题依据", topics.join("，"));
    lines
}

/// Help beside a case.
pub fn help_view(content: &Content, file: &CaseFile, help: CaseHelp, assist: Option<Assist>) -> HelpView {
    let similar = help.similar.into_iter().map(|case| {
        let closed = case.closed_at.map(|at| format!("{}办结", chinese_date(content.schedule.civil(at).date())));
        let note: Vec<String> = [Some(case.unit), case.conclusion.map(str::to_owned), closed]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        HelpCase {
            number: case.number,
            title: case.title,
            note: note.join(" · "),
            reply: case.reply.unwrap_or_default(),
        }
    });
    let answers = help.answers.into_iter().map(|answer| HelpAnswer {
        caution: match (answer.draft, answer.awaiting_recheck) {
            (true, _) => "只给工作人员参考",
            (false, true) => "待人工复核",
            (false, false) => "",
        },
        reply: reply_from(&answer),
        title: answer.title,
        text: answer.text,
        sources: answer.citations.join("；"),
    });
    HelpView {
        missing: help.missing.join("、"),
        can_draft: file.allowed.contains(&CaseAction::DraftReply),
        can_reply: file.allowed.contains(&CaseAction::DraftReply) || file.allowed.contains(&CaseAction::AnswerOnSpot),
        assist: assist.map_or_else(AssistView::default, |assist| AssistView {
            shown: true,
            ready: assist.ready,
            why: assist.why.unwrap_or_default(),
            undecided: assist.undecided,
        }),
        answers: answers.collect(),
        similar: similar.collect(),
    }
}

/// Files beside a case.
pub fn document_view(content: &Content, (file, at): (FileInfo, Timestamp)) -> DocumentView {
    let at = chinese_date_time(content.schedule.civil(at));
    DocumentView {
        href: format!("/api/attachments/{}", file.id),
        note: format!("{} · {at}", size_in_words(file.size)),
        picture: file.mime.starts_with("image/"),
        name: file.name,
    }
}

/// `12 KB`, `3.4 MB`.
fn size_in_words(bytes: i64) -> String {
    const MB: i64 = 1024 * 1024;
    let bytes = bytes.max(1);
    if bytes < MB {
        return format!("{} KB", (bytes + 1023) / 1024);
    }
    let tenths = (bytes * 10 + MB / 2) / MB;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

fn tags(case: &Case) -> Vec<Tag> {
    let mut tags = vec![Tag::new("plain", case.case_type.label())];
    match case.urgency {
        Urgency::Normal => {}
        Urgency::Urgent => tags.push(Tag::new("warn", "紧急")),
        Urgency::Critical => tags.push(Tag::new("late", "特急")),
    }
    if case.sealed {
        tags.push(Tag::new("late", "专案限阅"));
    }
    if case.party.confidential {
        tags.push(Tag::new("warn", "身份保密"));
    }
    if case.urges > 0 {
        tags.push(Tag::new("warn", format!("催办 {} 次", case.urges)));
    }
    tags.extend(case.overlay_labels().into_iter().map(|label| Tag::new("plain", label)));
    tags
}

fn clock_view(content: &Content, clock: &CaseClock, now: Timestamp) -> ClockView {
    let time = |at: Timestamp| chinese_date_time(content.schedule.civil(at));
    let wall = matches!(clock.limit, Limit::Budget(budget) if budget.unit == Unit::Minutes);
    let absolute = clock.due_at.map(|due| content.schedule.due_text(due, now)).unwrap_or_default();
    let due = match (clock.state, clock.due_at) {
        (ClockState::Running, Some(due)) => due_view(content, now, due, wall),
        (ClockState::Running, None) => DueView { class: "ok", text: "不限时".to_owned(), ..DueView::default() },
        (ClockState::Paused, _) => {
            DueView { class: "paused", text: "暂停计时".to_owned(), absolute, provisional: false }
        }
        (ClockState::Held, _) => {
            DueView { class: "paused", text: "已答复，待核实".to_owned(), absolute, provisional: false }
        }
        (ClockState::Stopped, _) if clock.missed => {
            DueView { class: "late", text: "超期完成".to_owned(), absolute, provisional: false }
        }
        (ClockState::Stopped, _) => {
            DueView { class: "done", text: "按时完成".to_owned(), absolute, provisional: false }
        }
        (ClockState::Cancelled, _) => DueView { class: "done", text: "已取消".to_owned(), ..DueView::default() },
    };
    let span = match clock.stopped_at {
        Some(stopped) => format!("{} 起，{} 止", time(clock.started_at), time(stopped)),
        None => format!("{} 起，{}", time(clock.started_at), limit_words(clock)),
    };
    ClockView {
        name: if clock.turn > 1 {
            format!("{}（第 {} 次）", clock.key.label(), clock.turn)
        } else {
            clock.key.label().to_owned()
        },
        owner: owner_name(content, &clock.owner),
        due: DueView { provisional: clock.provisional && clock.state == ClockState::Running, ..due },
        span,
    }
}

fn limit_words(clock: &CaseClock) -> String {
    let limit = match clock.limit {
        Limit::Budget(budget) => budget.in_words(),
        Limit::Until(_) => "到约定时间".to_owned(),
        Limit::Open => "按法定时限".to_owned(),
    };
    if clock.extension_days == 0 { limit } else { format!("{limit}，延长 {} 个工作日", clock.extension_days) }
}

fn paused_note(case: &Case, now: Timestamp) -> String {
    if case.pauses.is_empty() {
        return String::new();
    }
    let minutes = case.paused_for(now).as_mins();
    let open = case
        .open_pause()
        .map(|pause| format!("，现在：{} {}", pause.reason.label(), pause.explanation))
        .unwrap_or_default();
    format!("共暂停 {} 次 {} 小时 {} 分{open}", case.pauses.len(), minutes / 60, minutes % 60)
}

fn draft(case: &Case, time: &dyn Fn(Timestamp) -> String) -> (&'static str, String, String) {
    match (&case.signature, &case.draft) {
        (Some(signed), _) => {
            let sent =
                signed.released_at.map_or_else(|| "尚未发给企业".to_owned(), |at| format!("{} 发给企业", time(at)));
            let deputy = if signed.as_deputy { "（AB岗）" } else { "" };
            (
                "签发的答复",
                signed.text.clone(),
                format!(
                    "结论：{}　签发：{}{deputy}，{}　{sent}",
                    signed.conclusion.label(),
                    signed.signer_name,
                    time(signed.at)
                ),
            )
        }
        (None, Some(draft)) => {
            let bot = if draft.from_bot { "　机器人起草，须逐句核对" } else { "" };
            let title =
                if case.status == CaseStatus::SignOffPending { "待审签的答复" } else { "拟写的答复" };
            (title, draft.text.clone(), format!("结论：{}　{} 送审{bot}", draft.conclusion.label(), time(draft.at)))
        }
        (None, None) => ("", String::new(), String::new()),
    }
}

fn tasks(content: &Content, file: &CaseFile) -> Vec<TaskView> {
    file.case
        .tasks
        .iter()
        .map(|task| TaskView {
            kind: task.kind.label().to_owned(),
            unit: file.unit_name(&task.unit).to_owned(),
            state: task.state.label().to_owned(),
            text: task.text.clone(),
            answer: task.answer.clone().unwrap_or_default(),
            due: match (task.state, task.due_at) {
                (TaskState::Open, Some(due)) => due_view(content, file.now, due, false),
                (
                    TaskState::Open
                    | TaskState::Answered
                    | TaskState::Waived
                    | TaskState::Done
                    | TaskState::Missed
                    | TaskState::Cancelled,
                    _,
                ) => DueView::default(),
            },
        })
        .collect()
}

/// What colleagues read of an event: the public line where there is one, and the internal particulars below it.
/// A topic of an event in words.
fn topic_name(content: &Content, code: &str) -> String {
    match content.taxonomy.topic(code) {
        Some(topic) => topic.label.clone(),
        None if code == "none" => "未定".to_owned(),
        None => code.to_owned(),
    }
}

fn event_view(content: &Content, event: &CaseEvent) -> EventView {
    const INTERNAL: &[(&str, &str)] = &[
        ("note", "说明"),
        ("comment", "意见"),
        ("opinion", "意见"),
        ("ruling", "裁定"),
        ("basis", "依据"),
        ("participants", "会商"),
        ("reason", "理由"),
        ("person", "联系人"),
        ("result", "结果"),
        ("question", "问题"),
        ("text", "内容"),
        ("words", "企业的话"),
        ("call_record", "通话记录"),
        ("items", "清单"),
        ("explanation", "给企业的说明"),
        ("candidates", "候选单位"),
        ("proposed_unit", "建议单位"),
        ("conclusion", "结论"),
        ("moment", "应为"),
        ("facts", "事实"),
        ("rectify", "整改要求"),
        ("finding", "复核结论"),
        ("evidence", "证据"),
        ("letter", "督办意见"),
        ("coordination_log", "协调记录"),
        ("summary", "小结"),
        ("register_no", "收文号"),
        ("package", "归档包 SHA-256"),
        ("topic", "主题"),
        ("from_topic", "原主题"),
        ("from_type", "原类型"),
        ("from_complexity", "原难易程度"),
    ];
    let units = content.routing.units();
    let name = |slug: &str| units.short_name(slug);
    let line = event.public_line(&name);
    let shown = line.clone().unwrap_or_default();
    let detail: Vec<String> = INTERNAL
        .iter()
        .filter_map(|(key, label)| {
            let value = event.fact(key)?;
            let known = match *key {
                "proposed_unit" => Some(name(value)),
                "topic" | "from_topic" => Some(topic_name(content, value)),
                _ => None,
            };
            let value = known.as_deref().unwrap_or(value);
            (!value.is_empty() && !shown.contains(value)).then(|| format!("{label}：{value}"))
        })
        .collect();
    let unit = event.actor.unit.as_deref().filter(|slug| !slug.is_empty()).map(name);
    let who = match (event.actor.kind, &event.actor.name, unit) {
        ("officer", Some(officer), Some(unit)) => format!("{officer}（{unit}）"),
        (_, Some(actor), _) => actor.clone(),
        ("enterprise", None, _) => "企业".to_owned(),
        ("bot", None, _) => "机器人".to_owned(),
        (_, None, _) => "系统".to_owned(),
    };
    EventView {
        at: chinese_date_time(content.schedule.civil(event.at)),
        text: event.kind.label().to_owned(),
        who,
        detail: line.into_iter().filter(|line| line != event.kind.label()).chain(detail).collect::<Vec<_>>().join("\n"),
    }
}

fn party(case: &Case) -> Vec<FactView> {
    let mut list = Vec::new();
    let name = if case.party.enterprise.is_empty() { "（匿名）" } else { &case.party.enterprise };
    FactView::push(&mut list, "企业", name);
    FactView::push(&mut list, "信用代码", case.party.uscc.clone().unwrap_or_default());
    FactView::push(&mut list, "联系人", case.party.contact_name.as_str());
    FactView::push(&mut list, "电话", case.party.contact_phone.as_str());
    FactView::push(&mut list, "代提人", case.party.proxy.clone().unwrap_or_default());
    list
}

fn facts(content: &Content, file: &CaseFile, topic: &str) -> Vec<FactView> {
    let case = &file.case;
    let time = |at: Timestamp| chinese_date_time(content.schedule.civil(at));
    let mut list = Vec::new();
    FactView::push(&mut list, "类型", case.case_type.label());
    FactView::push(&mut list, "主题", topic);
    FactView::push(&mut list, "紧急", case.urgency.label());
    FactView::push(&mut list, "难易", case.complexity.map_or("", |grade| grade.label()));
    FactView::push(&mut list, "来源", case.channel.label());
    FactView::push(&mut list, "地点", case.place.clone().unwrap_or_default());
    FactView::push(&mut list, "涉及单位", case.object.clone().unwrap_or_default());
    FactView::push(&mut list, "发生日期", case.happened_on.map(|day| day.to_string()).unwrap_or_default());
    FactView::push(&mut list, "金额", case.amount.clone().unwrap_or_default());
    let lead = case.lead_unit.as_deref().map(|slug| file.unit_name(slug).to_owned());
    let proposed = case.proposed_lead.as_deref().map(|slug| format!("{}（建议）", file.unit_name(slug)));
    FactView::push(&mut list, "主办", lead.or(proposed).unwrap_or_default());
    let assists: Vec<&str> = case.assists.iter().map(|slug| file.unit_name(slug)).collect();
    FactView::push(&mut list, "协办", assists.join("、"));
    FactView::push(&mut list, "承办人", case.handler_name.clone().unwrap_or_default());
    FactView::push(&mut list, "提交", time(case.submitted_at));
    FactView::push(&mut list, "受理", case.accepted_at.map(time).unwrap_or_default());
    FactView::push(&mut list, "时限依据", case.requirements.reason.as_str());
    if let Some((code, path)) = &case.refusal {
        FactView::push(&mut list, "不予受理", format!("{}：{path}", code.label()));
    }
    if case.clock(ClockKey::K5).is_none() && case.status.is_open() {
        FactView::push(&mut list, "答复时限", "受理后开始计算");
    }
    for rating in &case.ratings {
        let grade = match rating.grade {
            5 => "非常满意",
            4 => "满意",
            3 => "基本满意",
            2 => "不满意",
            _ => "非常不满意",
        };
        let solved = if rating.solved { "已解决" } else { "没解决" };
        let words = rating.words.as_deref().map(|words| format!("：{words}")).unwrap_or_default();
        FactView::push(&mut list, "企业评价", format!("{grade}，{solved}{words}"));
    }
    list
}
