//! The model's page for administrators and auditors: state, cost, quality, every exchange, and the switch.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    app::{
        App, AppError, Officer,
        content::Content,
        model::{Limit, Period},
        model_console::{self, DAYS, EditedLine, EndpointLine, ExchangeRow, Overview, SuggestionLine, Tally, TaskLine},
        proposal_counts::ProposalLine,
        suggestions::ChangeKind,
    },
    domain::{access::Permission, sla::chinese_date_time},
    ports::model::EndpointHealth,
    web::{
        api::model::{lines_of, read_cursor},
        auth::Access,
        error::WebError,
        extract::{Arg, Fields, Params},
        router::{Route, get, post},
        site::{Site, render},
        view::Tag,
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    const VIEW: Access = Access::Officer(Permission::ViewModel);
    vec![
        get("/admin/model", VIEW, page),
        get("/admin/model/exchanges/{id}", VIEW, exchange),
        post("/admin/model/switch", Access::Officer(Permission::ManageModel), turn),
    ]
}

/// Exchanges on the page.
const EXCHANGES: i64 = 30;

/// Which days and which page of exchanges.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ConsoleQuery {
    days: Option<u32>,
    cursor: Option<String>,
}

/// A budget as a bar.
#[derive(Debug)]
pub struct BudgetView {
    /// 今日字量.
    pub name: String,
    /// 12,345 / 50,000 token.
    pub words: String,
    /// Percent, at most 100; nothing without a limit.
    pub percent: Option<i64>,
    /// `ok`, `soon` or `late`.
    pub class: &'static str,
    /// The state in a word.
    pub word: &'static str,
}

impl BudgetView {
    fn new(limit: &Limit) -> Self {
        let period = match limit.period {
            Period::Day => "今日",
            Period::Month => "本月",
        };
        let (what, unit) = if limit.money { ("费用", "元") } else { ("字量", "token") };
        let number = |n: i64| if limit.money { yuan(n) } else { grouped(n) };
        let words = match limit.most {
            Some(most) => format!("{} / {} {unit}", number(limit.used), number(most)),
            None => format!("{} {unit}", number(limit.used)),
        };
        let percent = limit.percent();
        let (class, word) = match percent {
            Some(100..) => ("late", "已用完，只按规则作答"),
            Some(80..) => ("soon", "快用完"),
            Some(_) => ("ok", "够用"),
            None => ("done", "不限"),
        };
        Self { name: format!("{period}{what}"), words, percent: percent.map(|p| p.clamp(0, 100)), class, word }
    }
}

/// An endpoint as a row.
#[derive(Debug)]
pub struct EndpointView {
    /// Its name.
    pub name: String,
    /// Host, model and profile.
    pub place: String,
    /// State as a tag.
    pub health: Tag,
    /// When it is tried again, calls under way, last failure.
    pub note: String,
    /// Median times of the last calls.
    pub latency: String,
    /// Mean and longest of the days.
    pub mean: String,
    /// Exchanges and failures.
    pub counts: String,
    /// Yuan.
    pub cost: String,
}

impl EndpointView {
    fn new(content: &Content, line: &EndpointLine) -> Self {
        let state = &line.state;
        let class = match state.health {
            EndpointHealth::Closed => "ok",
            EndpointHealth::Half => "warn",
            EndpointHealth::Open | EndpointHealth::Hard => "late",
        };
        let mut notes = Vec::new();
        if let Some(retry) = state.retry_at.and_then(|ms| Timestamp::from_millisecond(ms).ok()) {
            notes.push(format!("{} 再试", chinese_date_time(content.schedule.civil(retry))));
        }
        if state.in_flight > 0 {
            notes.push(format!("正在答 {} 个", state.in_flight));
        }
        if state.failures > 0 {
            notes.push(format!("连续失败 {} 次", state.failures));
        }
        notes.extend(state.last_failure.clone().map(|failure| format!("上次失败：{failure}")));
        let pair = |times: Option<(u64, u64)>| {
            times.map_or_else(|| "—".to_owned(), |(median, slow)| format!("{} / {}", seconds(median), seconds(slow)))
        };
        let ms = |ms: Option<i64>| ms.map_or_else(|| "—".to_owned(), |ms| seconds(ms.unsigned_abs()));
        Self {
            name: state.name.clone(),
            place: format!("{} · {} · {}", state.host, state.model, state.profile),
            health: Tag::new(class, state.health.label()),
            note: notes.join("；"),
            latency: format!("首字 {}，全文 {}", pair(state.first_ms), pair(state.total_ms)),
            mean: format!("{}，最长 {}", ms(line.total_ms), ms(line.longest_ms)),
            counts: format!("{} 次，失败 {} 次", line.count, line.failed),
            cost: yuan(line.cost_micro_yuan),
        }
    }
}

/// A share as a bar.
#[derive(Debug)]
pub struct ShareView {
    /// Who.
    pub name: &'static str,
    /// How many.
    pub count: i64,
    /// Percent of all.
    pub percent: i64,
}

/// An exchange as a row.
#[derive(Debug)]
pub struct ExchangeLine {
    /// Id.
    pub id: String,
    /// When.
    pub at: String,
    /// What for.
    pub task: &'static str,
    /// What became of it.
    pub state: Tag,
    /// Why, in words.
    pub why: String,
    /// Prompt and version.
    pub prompt: String,
    /// Endpoint.
    pub endpoint: String,
    /// Tokens.
    pub tokens: String,
    /// Time in all.
    pub took: String,
}

impl ExchangeLine {
    fn new(content: &Content, row: &ExchangeRow) -> Self {
        let at = Timestamp::from_millisecond(row.at).unwrap_or(Timestamp::UNIX_EPOCH);
        let reasons: Vec<String> =
            model_console::reasons_of(&row.reasons).iter().map(|slug| model_console::reason_label(slug)).collect();
        let (state, why) = match (row.outcome.as_str(), row.verdict.as_deref()) {
            ("failed", verdict) if verdict != Some("dropped") => (
                Tag::new("late", "没有答复"),
                row.failure.as_deref().map(model_console::failure_label).unwrap_or_default(),
            ),
            (_, Some("used")) => (Tag::new("ok", "通过核对"), String::new()),
            (_, Some("refused")) => (Tag::new("warn", "没有采用"), reasons.join("、")),
            (_, Some("dropped")) => (Tag::new("plain", "过时作废"), reasons.join("、")),
            ("running", _) => (Tag::new("plain", "进行中"), String::new()),
            _ => (Tag::new("plain", "已答复"), String::new()),
        };
        Self {
            id: row.id.clone(),
            at: chinese_date_time(content.schedule.civil(at)),
            task: model_console::task_label(&row.task),
            state,
            why,
            prompt: format!("{} {}", row.prompt_id, row.prompt_version),
            endpoint: if row.endpoint.is_empty() { "—".to_owned() } else { row.endpoint.clone() },
            tokens: format!(
                "{}{}",
                if row.estimated { "约 " } else { "" },
                grouped(row.prompt_tokens + row.completion_tokens)
            ),
            took: row.total_ms.map_or_else(|| "—".to_owned(), |ms| seconds(ms.unsigned_abs())),
        }
    }
}

/// A piece of a text with what became of it.
#[derive(Debug)]
pub struct PieceView {
    /// `same`, `gone` or `added`.
    pub kind: &'static str,
    /// The piece.
    pub text: String,
}

/// A suggestion that was changed.
#[derive(Debug)]
pub struct EditedView {
    /// Kind.
    pub label: &'static str,
    /// When.
    pub at: String,
    /// How much was changed.
    pub share: i64,
    /// What was changed.
    pub pieces: Vec<PieceView>,
    /// The exchange.
    pub exchange: String,
}

/// A turn of the switch.
#[derive(Debug)]
pub struct TurnView {
    /// When.
    pub at: String,
    /// Who.
    pub officer: String,
    /// 停用 or 启用.
    pub what: &'static str,
    /// Why.
    pub reason: String,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "admin/model.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a condition of the template")]
pub struct ModelPage {
    /// The site.
    pub site: Site,
    /// Whether a model is configured.
    pub configured: bool,
    /// Whether the viewer may turn the switch.
    pub manages: bool,
    /// Whether the model is stopped.
    pub stopped: bool,
    /// Since when, by whom and why.
    pub stopped_note: String,
    /// What is wrong with the reason that was given.
    pub error: String,
    /// The reason that was given.
    pub reason: String,
    /// The days that are counted.
    pub days: u32,
    /// Other choices of days.
    pub choices: Vec<u32>,
    /// Budgets.
    pub budgets: Vec<BudgetView>,
    /// Endpoints.
    pub endpoints: Vec<EndpointView>,
    /// Who answered.
    pub shares: Vec<ShareView>,
    /// Exchanges by task.
    pub tasks: Vec<TaskLine>,
    /// Why answers were refused.
    pub refusals: Vec<Tally>,
    /// Why there was no answer.
    pub failures: Vec<Tally>,
    /// What became of suggestions.
    pub suggestions: Vec<SuggestionLine>,
    /// Suggestions that were changed.
    pub edited: Vec<EditedView>,
    /// What became of proposals for visitors' forms.
    pub proposals: Vec<ProposalLine>,
    /// Turns of the switch.
    pub turns: Vec<TurnView>,
    /// Exchanges.
    pub exchanges: Vec<ExchangeLine>,
    /// Where the next page of them begins; empty if there is none.
    pub next: String,
    /// Not the first page of exchanges.
    pub later: bool,
}

/// 12,345.
fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Millionths of a yuan as 1.23.
fn yuan(micro: i64) -> String {
    format!("{:.2}", micro as f64 / 1e6)
}

/// 0.8 秒.
fn seconds(ms: u64) -> String {
    format!("{:.1} 秒", ms as f64 / 1e3)
}

fn edited_view(content: &Content, line: EditedLine) -> EditedView {
    EditedView {
        label: line.label,
        at: chinese_date_time(content.schedule.civil(line.at)),
        share: line.share,
        pieces: pieces(line.changes),
        exchange: line.exchange,
    }
}

fn pieces(changes: Vec<crate::app::suggestions::Change>) -> Vec<PieceView> {
    changes
        .into_iter()
        .map(|change| PieceView {
            kind: match change.kind {
                ChangeKind::Same => "same",
                ChangeKind::Gone => "gone",
                ChangeKind::Added => "added",
            },
            text: change.text,
        })
        .collect()
}

fn shares(overview: &Overview) -> Vec<ShareView> {
    let shares = &overview.shares;
    let all = (shares.rule + shares.model + shares.person).max(1);
    [("规则答复", shares.rule), ("模型组织的答复", shares.model), ("工作人员", shares.person)]
        .into_iter()
        .map(|(name, count)| ShareView { name, count, percent: (count * 100 + all / 2) / all })
        .collect()
}

async fn page(
    State(app): State<App>,
    officer: Officer,
    Params(query): Params<ConsoleQuery>,
) -> Result<Response, WebError> {
    let view = view(&app, &officer, &query, None).await?;
    Ok(render(&view)?.into_response())
}

async fn view(
    app: &App,
    officer: &Officer,
    query: &ConsoleQuery,
    wrong: Option<(&str, &str)>,
) -> Result<ModelPage, WebError> {
    let overview = model_console::overview(app, officer, query.days.unwrap_or(DAYS)).await?;
    let before = read_cursor(query.cursor.as_deref())?;
    let page = model_console::exchanges(app, officer, before, EXCHANGES).await?;
    let content = app.content.load();
    let when = |ms: i64| {
        Timestamp::from_millisecond(ms).map(|at| chinese_date_time(content.schedule.civil(at))).unwrap_or_default()
    };
    let switch = &overview.switch;
    let stopped_note = if switch.stopped {
        format!(
            "{} 由{}停用。原因：{}",
            when(switch.changed_at),
            overview.switched_by.as_deref().unwrap_or("管理员"),
            switch.reason
        )
    } else {
        String::new()
    };
    Ok(ModelPage {
        site: Site::new(&app.config.brand),
        configured: overview.configured,
        manages: officer.permits(Permission::ManageModel),
        stopped: switch.stopped,
        stopped_note,
        error: wrong.map(|(error, _)| error.to_owned()).unwrap_or_default(),
        reason: wrong.map(|(_, reason)| reason.to_owned()).unwrap_or_default(),
        days: overview.days,
        choices: vec![1, 7, 30],
        budgets: overview.usage.0.iter().map(BudgetView::new).collect(),
        endpoints: overview.endpoints.iter().map(|line| EndpointView::new(&content, line)).collect(),
        shares: shares(&overview),
        turns: overview
            .log
            .iter()
            .map(|line| TurnView {
                at: when(line.at),
                officer: line.officer.clone(),
                what: if line.stopped { "停用" } else { "启用" },
                reason: line.reason.clone(),
            })
            .collect(),
        tasks: overview.tasks,
        refusals: overview.refusals,
        failures: overview.failures,
        suggestions: overview.suggestions,
        proposals: overview.proposals,
        edited: overview.edited.into_iter().map(|line| edited_view(&content, line)).collect(),
        exchanges: page.items.iter().map(|row| ExchangeLine::new(&content, row)).collect(),
        next: page.next.map(|(at, id)| format!("{at}_{id}")).unwrap_or_default(),
        later: before.is_some(),
    })
}

/// What was filled in at the switch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SwitchForm {
    stopped: String,
    reason: String,
}

async fn turn(
    State(app): State<App>,
    officer: Officer,
    Fields(form): Fields<SwitchForm>,
) -> Result<Response, WebError> {
    let stopped = match form.stopped.as_str() {
        "true" => true,
        "false" => false,
        _ => return Err(AppError::field("/stopped", "请选择停用或启用").into()),
    };
    match model_console::turn(&app, &officer, stopped, &form.reason).await {
        Ok(_) => Ok(Redirect::to("/admin/model").into_response()),
        Err(AppError::Invalid { errors, .. }) => {
            let error = errors.first().map(|error| error.message.clone()).unwrap_or_default();
            let view = view(&app, &officer, &ConsoleQuery::default(), Some((&error, &form.reason))).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, render(&view)?).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// A line of a question.
#[derive(Debug)]
pub struct LineView {
    /// 系统, 用户 or 模型.
    pub role: &'static str,
    /// The words.
    pub text: String,
}

/// The page of one exchange.
#[derive(Debug, Template)]
#[template(path = "admin/model_exchange.html")]
pub struct ExchangePage {
    /// The site.
    pub site: Site,
    /// What stands in the list.
    pub line: ExchangeLine,
    /// Facts in reading order.
    pub facts: Vec<(&'static str, String)>,
    /// What was asked.
    pub lines: Vec<LineView>,
    /// What came back; empty if nothing.
    pub reply: String,
    /// What the officer changed.
    pub pieces: Vec<PieceView>,
}

async fn exchange(State(app): State<App>, officer: Officer, Arg(id): Arg<String>) -> Result<Response, WebError> {
    let file = model_console::exchange(&app, &officer, &id).await?;
    let content = app.content.load();
    let row = &file.row;
    let line = ExchangeLine::new(&content, row);
    let ms = |ms: Option<i64>| ms.map_or_else(String::new, |ms| seconds(ms.unsigned_abs()));
    let facts = [
        ("时间", line.at.clone()),
        ("用途", line.task.to_owned()),
        ("结果", [line.state.text.as_str(), line.why.as_str()].join(" ").trim().to_owned()),
        ("失败说明", row.detail.clone().unwrap_or_default()),
        ("提示词", line.prompt.clone()),
        ("内容版本", row.content_hash.chars().take(12).collect()),
        ("端点", line.endpoint.clone()),
        ("模型", row.model.clone()),
        ("用量", format!("{} token，{} 元", line.tokens, yuan(row.cost_micro_yuan))),
        ("首字用时", ms(row.first_ms)),
        ("全文用时", ms(row.total_ms)),
        (
            "谁用的",
            file.officer.unwrap_or_else(|| if row.task == "evaluation" { "测评" } else { "来访企业" }.to_owned()),
        ),
        ("采用情况", file.outcome.unwrap_or_default().to_owned()),
    ];
    let lines = lines_of(&row.request)
        .into_iter()
        .map(|line| LineView {
            role: match line.role.as_str() {
                "system" => "系统提示",
                "assistant" => "模型",
                _ => "提问",
            },
            text: line.text,
        })
        .collect();
    let page = ExchangePage {
        site: Site::new(&app.config.brand),
        facts: facts.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        lines,
        reply: row.reply.clone().unwrap_or_default(),
        pieces: pieces(file.changes),
        line,
    };
    Ok(render(&page)?.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!([grouped(0), grouped(999), grouped(1_234_567)], ["0", "999", "1,234,567"]);
        assert_eq!(yuan(1_234_567), "1.23");
        assert_eq!(seconds(840), "0.8 秒");
    }

    #[test]
    fn a_budget_says_by_word_how_it_stands() {
        let limit = |used, most| Limit { period: Period::Day, money: false, used, most };
        assert_eq!(BudgetView::new(&limit(50, Some(100))).word, "够用");
        assert_eq!(BudgetView::new(&limit(85, Some(100))).class, "soon");
        let spent = BudgetView::new(&limit(120, Some(100)));
        assert_eq!((spent.percent, spent.class), (Some(100), "late"));
        assert_eq!(BudgetView::new(&limit(5, None)).words, "5 token");
    }
}
