//! The list pane: conversations that wait, one's own, cases to be done and all cases, with what is due next first.

use std::fmt::Write as _;

use serde::Deserialize;

use super::pages::{EmptyView, ItemView, ListView, TabView};
use crate::{
    app::{
        App, AppError, Officer,
        case_queries::{self, ListLine, ListQuery},
        content::Content,
        conversations,
        todo::{self, Waiting},
    },
    domain::{
        access::{Permission, Role},
        case::{CaseStatus, ClockKey},
        dialogue::{ConversationState, HandoffReason},
        kinds::{CaseType, Urgency},
    },
    web::view::{Choice, DueView, Tag},
};

/// Less than this share of a working day left counts as 临期 in the list.
const SOON_SECONDS: i64 = 4 * 3_600;

/// The query string of every desk page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DeskQuery {
    /// Open tab.
    pub tab: String,
    /// Words or a number.
    pub q: String,
    /// State.
    pub status: String,
    /// Type.
    #[serde(rename = "type")]
    pub case_type: String,
    /// Unit.
    pub unit: String,
    /// `true`: only overdue ones.
    pub overdue: String,
    /// `true`: only those the officer handles.
    pub mine: String,
    /// Where the page before ended.
    pub cursor: String,
}

/// The tabs an officer has; the first one with something in it is open by default.
fn tabs_of(officer: &Officer) -> Vec<(&'static str, &'static str)> {
    let mut tabs = Vec::new();
    if officer.permits(Permission::Converse) {
        tabs.push(("waiting", "待接入会话"));
        tabs.push(("mine", "我的会话"));
    }
    if officer.permits(Permission::ViewCases) {
        tabs.push(("todo", "待办工单"));
        tabs.push(("all", "全部工单"));
    }
    tabs
}

/// A number for people; counting stopped at a thousand.
pub(super) fn badge(n: i64) -> String {
    if n > 999 { "999+".to_owned() } else { n.to_string() }
}

/// Builds the list pane; `open` is the path of what stands beside it.
///
/// # Errors
/// `Store`.
pub async fn list(app: &App, officer: &Officer, query: &DeskQuery, open: &str) -> Result<ListView, AppError> {
    let tabs = tabs_of(officer);
    let content = app.content.load();
    let converses = officer.permits(Permission::Converse);
    let waiting = todo::waiting(app, officer).await?;
    let (open_cases, to_do) = if officer.permits(Permission::ViewCases) {
        (case_queries::count_open(app, officer).await?, todo::count(app, officer, &waiting).await?)
    } else {
        (0, 0)
    };
    let (queued, own) = if converses { conversations::tallies(app, officer).await? } else { (0, 0) };
    let number = |key: &str| match key {
        "waiting" => queued,
        "mine" => own,
        "todo" => to_do,
        _ => open_cases,
    };
    let count = |key: &str| badge(number(key));
    // Who comes without a wish begins where there is something to do.
    let present = tabs
        .iter()
        .find(|(key, _)| *key == query.tab)
        .or_else(|| tabs.iter().find(|(key, _)| number(key) > 0))
        .or(tabs.first())
        .map_or("", |(key, _)| *key);
    let mut view = ListView {
        tabs: tabs
            .iter()
            .map(|(key, label)| TabView { key, label, count: count(key), current: *key == present })
            .collect(),
        tab: present,
        query: query.q.trim().to_owned(),
        overdue: query.overdue == "true",
        src: address(present, query, &query.cursor),
        ..ListView::default()
    };
    match present {
        "waiting" | "mine" => {
            let items = if present == "waiting" {
                conversations::waiting(app, officer, 100).await?
            } else {
                conversations::mine(app, officer, 100).await?
            };
            view.items = items.iter().map(|item| conversation_item(app, &content, item, present, open)).collect();
            view.empty = if present == "waiting" {
                EmptyView {
                    icon: "check", title: "没有人在等", detail: "有人转人工时会自动出现在这里"
                }
            } else {
                EmptyView {
                    icon: "chat", title: "没有正在进行的会话", detail: "从“待接入会话”接入一个"
                }
            };
        }
        "todo" | "all" => cases(app, officer, query, open, &content, &waiting, &mut view).await?,
        _ => {
            view.empty = EmptyView {
                icon: "lock",
                title: "您的账号没有会话和工单",
                detail: "如果工作需要，请联系系统管理员开通角色",
            };
        }
    }
    Ok(view)
}

async fn cases(
    app: &App,
    officer: &Officer,
    query: &DeskQuery,
    open: &str,
    content: &Content,
    waiting: &Waiting,
    view: &mut ListView,
) -> Result<(), AppError> {
    let todo = view.tab == "todo";
    let status: Option<CaseStatus> = query.status.parse().ok();
    let wanted = ListQuery {
        status,
        case_type: query.case_type.parse::<CaseType>().ok(),
        unit: Some(query.unit.clone()).filter(|unit| !unit.is_empty()),
        handler: (query.mine == "true").then_some(officer.id),
        overdue: view.overdue.then_some(true),
        q: Some(view.query.clone()).filter(|q| !q.is_empty()),
        limit: Some(50),
        cursor: Some(query.cursor.clone()).filter(|cursor| !cursor.is_empty()),
        ..ListQuery::default()
    };
    let page = if todo {
        todo::list(app, officer, waiting, &wanted).await?
    } else {
        case_queries::list(app, officer, &wanted).await?
    };
    view.mine = officer.has(Role::Handler).then_some(query.mine == "true");
    view.filtering = true;
    let states: Vec<CaseStatus> = if todo {
        waiting.states()
    } else {
        CaseStatus::ALL.iter().copied().filter(|s| *s != CaseStatus::Draft).collect()
    };
    view.statuses = states.iter().map(|s| Choice::new(s.as_str(), s.label()).chosen(&query.status)).collect();
    view.types = CaseType::ALL.iter().map(|t| Choice::new(t.as_str(), t.label()).chosen(&query.case_type)).collect();
    view.units = content
        .routing
        .units()
        .list()
        .iter()
        .map(|unit| Choice::new(&unit.slug, &unit.short_name).chosen(&query.unit))
        .collect();
    view.items = page
        .lines
        .iter()
        .map(|line| {
            let why = if todo { todo::step(waiting, line.status, line.lead_unit.as_deref()) } else { "" };
            ItemView { why: why.to_owned(), ..case_item(app, content, line, view.tab, open) }
        })
        .collect();
    view.next = page.next_cursor.map(|cursor| address(view.tab, query, &cursor)).unwrap_or_default();
    let filtered = status.is_some()
        || wanted.case_type.is_some()
        || wanted.unit.is_some()
        || view.overdue
        || view.mine == Some(true)
        || !view.query.is_empty();
    view.empty = if filtered {
        EmptyView {
            icon: "search", title: "没有符合条件的工单", detail: "换个词，或去掉一些筛选条件"
        }
    } else {
        EmptyView { icon: "check", title: "都办完了", detail: "新的工单会自动出现在这里" }
    };
    Ok(())
}

fn address(tab: &str, query: &DeskQuery, cursor: &str) -> String {
    let mut out = format!("/desk?tab={tab}");
    let parts = [
        ("q", query.q.trim()),
        ("status", &query.status),
        ("type", &query.case_type),
        ("unit", &query.unit),
        ("overdue", &query.overdue),
        ("mine", &query.mine),
        ("cursor", cursor),
    ];
    for (key, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
        out.push('&');
        out.push_str(key);
        out.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// The chip of a moment that is still to come or past.
pub fn due_view(content: &Content, now: jiff::Timestamp, due: jiff::Timestamp, wall: bool) -> DueView {
    let remaining = if wall {
        crate::domain::sla::Schedule::remaining_wall(now, due)
    } else {
        content.schedule.remaining(now, due)
    };
    let left = if wall { due.as_second() - now.as_second() } else { content.schedule.business_seconds(now, due) };
    let class = if now > due {
        "late"
    } else if left <= SOON_SECONDS {
        "soon"
    } else {
        "ok"
    };
    DueView { class, text: remaining.in_words(), absolute: content.schedule.due_text(due, now), provisional: false }
}

fn case_item(app: &App, content: &Content, line: &ListLine, tab: &str, open: &str) -> ItemView {
    let now = app.now();
    let href = format!("/desk/cases/{}?tab={tab}", line.number);
    let paused = line.labels.contains("暂停计时");
    let due = match line.due_at {
        Some(due) if line.status.is_open() => due_view(content, now, due, false),
        Some(_) | None if paused => DueView { class: "paused", text: "暂停计时".into(), ..DueView::default() },
        Some(_) | None => DueView::default(),
    };
    let clock = line.due_clock.as_deref().and_then(|key| key.parse::<ClockKey>().ok()).map_or("", ClockKey::label);
    let mut tags = Vec::new();
    match line.urgency {
        Urgency::Normal => {}
        Urgency::Urgent => tags.push(Tag::new("warn", "紧急")),
        Urgency::Critical => tags.push(Tag::new("late", "特急")),
    }
    tags.extend(
        line.labels.split('、').filter(|label| !label.is_empty() && !label.starts_with("暂停计时")).map(|label| {
            Tag::new(if label.contains("督办") || label.contains("提级") { "late" } else { "plain" }, label)
        }),
    );
    let topic =
        line.topic.as_deref().and_then(|code| content.taxonomy.topic(code)).map_or("", |topic| topic.label.as_str());
    let kind = if topic.is_empty() {
        line.case_type.label().to_owned()
    } else {
        format!("{} · {topic}", line.case_type.label())
    };
    let unit = line
        .lead_name
        .clone()
        .or_else(|| line.proposed_name.as_ref().map(|name| format!("拟派{name}")))
        .unwrap_or_default();
    let due = if due.absolute.is_empty() || clock.is_empty() {
        due
    } else {
        DueView { absolute: format!("{clock} {}", due.absolute), ..due }
    };
    ItemView {
        current: href.split('?').next() == Some(open),
        href,
        key: line.number.clone(),
        title: line.title.clone(),
        who: if line.enterprise.is_empty() { "匿名".to_owned() } else { line.enterprise.clone() },
        kind,
        state: line.status.label().to_owned(),
        unit,
        due,
        tags,
        why: String::new(),
    }
}

fn conversation_item(app: &App, content: &Content, item: &conversations::Item, tab: &str, open: &str) -> ItemView {
    let row = &item.row;
    let now = app.now();
    let known = |key: &str| item.known.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let href = format!("/desk/conversations/{}?tab={tab}", row.id);
    let topic = row
        .topic
        .as_deref()
        .and_then(|code| content.taxonomy.topic(code))
        .map_or_else(String::new, |t| t.label.clone());
    let since = row.queued_at.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let due = since.map_or_else(DueView::default, |since| {
        let minutes = now.duration_since(since).as_mins().max(0);
        let class = if minutes >= 10 {
            "late"
        } else if minutes >= 3 {
            "soon"
        } else {
            "ok"
        };
        let text =
            if minutes < 60 { format!("已等 {minutes} 分钟") } else { format!("已等 {} 小时", minutes / 60) };
        DueView { class, text, ..DueView::default() }
    });
    let flags: Vec<String> = serde_json::from_str(&row.flags).unwrap_or_default();
    let reason = row.handoff_reason.as_deref().and_then(|reason| reason.parse::<HandoffReason>().ok());
    let mut tags: Vec<Tag> = flags.iter().filter_map(|flag| flag_tag(flag)).collect();
    if matches!(reason, Some(HandoffReason::Emergency | HandoffReason::Risk)) {
        tags.insert(0, Tag::new("late", "紧急"));
    }
    let enterprise = known("enterprise");
    let last = row.last_text.clone();
    ItemView {
        current: href.split('?').next() == Some(open),
        href,
        key: row.id.clone(),
        title: if last.is_empty() { "（还没有发言）".to_owned() } else { last.chars().take(60).collect() },
        who: if enterprise.is_empty() { "访客".to_owned() } else { enterprise },
        kind: topic,
        state: row
            .state
            .parse::<ConversationState>()
            .map_or_else(|_| row.state.clone(), |state| state.label().to_owned()),
        unit: row.unit.as_deref().map(|slug| content.routing.units().short_name(slug)).unwrap_or_default(),
        due,
        tags,
        why: row
            .handoff_note
            .clone()
            .filter(|note| !note.is_empty())
            .or_else(|| reason.map(|r| r.label().to_owned()))
            .unwrap_or_default(),
    }
}

fn flag_tag(flag: &str) -> Option<Tag> {
    Some(match flag {
        "risk" => Tag::new("late", "风险苗头"),
        "confidential" => Tag::new("warn", "要求保密"),
        "sensitive" => Tag::new("warn", "敏感"),
        "repeat" => Tag::new("plain", "重复反映"),
        "abuse" => Tag::new("warn", "言辞过激"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_the_filters_and_escapes_words() {
        let query = DeskQuery { q: " 路灯&x ".into(), overdue: "true".into(), ..DeskQuery::default() };
        assert_eq!(address("all", &query, "5.a"), "/desk?tab=all&q=%E8%B7%AF%E7%81%AF%26x&overdue=true&cursor=5.a");
    }
}
