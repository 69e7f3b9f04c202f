//! The console of the model: state, cost, quality, exchanges, and the switch.

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::suggestions::ChangeView;
use crate::{
    app::{
        App, AppError, Officer,
        model::{Limit, Period, SwitchState},
        model_console::{self, DAYS, EndpointLine, ExchangeFile, ExchangeRow, MOST_DAYS, Overview, Tally},
    },
    domain::access::Permission,
    web::{
        auth::Access,
        error::{Problem, WebError},
        extract::{Arg, Body, Params},
        router::{Route, get, post},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    const VIEW: Access = Access::Officer(Permission::ViewModel);
    vec![
        get("/api/admin/model", VIEW, overview),
        get("/api/admin/model/exchanges", VIEW, exchanges),
        get("/api/admin/model/exchanges/{id}", VIEW, exchange),
        post("/api/admin/model/switch", Access::Officer(Permission::ManageModel), turn),
    ]
}

/// An instant of the database in JSON.
fn at(app: &App, ms: i64) -> String {
    app.rfc3339(Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Which days are counted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OverviewParams {
    /// The last days, 1 to 90, default 7.
    days: Option<u32>,
}

/// How the switch stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelSwitchView {
    /// Whether no model is asked.
    pub stopped: bool,
    /// Why.
    pub reason: String,
    /// When it was last turned.
    pub changed_at: Option<String>,
}

impl ModelSwitchView {
    fn new(app: &App, state: &SwitchState) -> Self {
        Self {
            stopped: state.stopped,
            reason: state.reason.clone(),
            changed_at: (state.changed_at > 0).then(|| at(app, state.changed_at)),
        }
    }
}

/// One turn of the switch.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelSwitchLine {
    /// Whether no model was asked from then on.
    pub stopped: bool,
    /// Why.
    pub reason: String,
    /// Who turned it.
    pub officer: String,
    /// When.
    pub at: String,
}

/// A budget.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelBudgetView {
    /// `day` or `month`.
    pub period: &'static str,
    /// `token` or `yuan`.
    pub unit: &'static str,
    /// Used so far; yuan with fractions.
    pub used: f64,
    /// At most; `null`: no limit.
    pub most: Option<f64>,
    /// Used of it in percent.
    pub percent: Option<i64>,
}

/// Millionths of a yuan as yuan.
fn yuan(micro: i64) -> f64 {
    micro as f64 / 1e6
}

impl From<&Limit> for ModelBudgetView {
    fn from(limit: &Limit) -> Self {
        let number = |n: i64| if limit.money { yuan(n) } else { n as f64 };
        Self {
            period: match limit.period {
                Period::Day => "day",
                Period::Month => "month",
            },
            unit: if limit.money { "yuan" } else { "token" },
            used: number(limit.used),
            most: limit.most.map(number),
            percent: limit.percent(),
        }
    }
}

/// An endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelEndpointView {
    /// Its name in the configuration.
    pub name: String,
    /// The host it is asked at.
    pub host: String,
    /// The model asked for.
    pub model: String,
    /// Its profile.
    pub profile: String,
    /// `closed` (works), `half_open`, `open`, `hard_open`.
    pub health: &'static str,
    /// The same in Chinese.
    pub health_label: &'static str,
    /// When the next try is let through.
    pub retry_at: Option<String>,
    /// Calls under way.
    pub in_flight: u32,
    /// Failures in a row.
    pub failures: u32,
    /// The last failure.
    pub last_failure: Option<String>,
    /// Exchanges in the days that are counted.
    pub exchanges: i64,
    /// Those that gave no answer.
    pub failed: i64,
    /// Milliseconds to the first content, median of the last calls of this process.
    pub first_ms: Option<u64>,
    /// Milliseconds in all, median of the last calls of this process.
    pub total_ms: Option<u64>,
    /// Milliseconds in all, mean of the days that are counted.
    pub mean_ms: Option<i64>,
    /// Milliseconds in all, the longest of the days that are counted.
    pub longest_ms: Option<i64>,
    /// Yuan spent.
    pub yuan: f64,
}

impl ModelEndpointView {
    fn new(app: &App, line: &EndpointLine) -> Self {
        let state = &line.state;
        Self {
            name: state.name.clone(),
            host: state.host.clone(),
            model: state.model.clone(),
            profile: state.profile.clone(),
            health: state.health.as_str(),
            health_label: state.health.label(),
            retry_at: state.retry_at.map(|ms| at(app, ms)),
            in_flight: state.in_flight,
            failures: state.failures,
            last_failure: state.last_failure.clone(),
            exchanges: line.count,
            failed: line.failed,
            first_ms: state.first_ms.map(|(median, _)| median),
            total_ms: state.total_ms.map(|(median, _)| median),
            mean_ms: line.total_ms,
            longest_ms: line.longest_ms,
            yuan: yuan(line.cost_micro_yuan),
        }
    }
}

/// Exchanges of one task.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelTaskView {
    /// Slug of the task.
    pub task: String,
    /// The same in Chinese.
    pub label: &'static str,
    /// All.
    pub exchanges: i64,
    /// Those whose answer was shown.
    pub used: i64,
    /// Those whose answer did not pass the checks.
    pub refused: i64,
    /// Those that came too late.
    pub dropped: i64,
    /// Those that gave no answer.
    pub failed: i64,
    /// Tokens.
    pub tokens: i64,
    /// Yuan.
    pub yuan: f64,
}

/// How often something happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelTallyView {
    /// Slug.
    pub slug: String,
    /// In Chinese.
    pub label: String,
    /// How often.
    pub count: i64,
}

impl From<&Tally> for ModelTallyView {
    fn from(tally: &Tally) -> Self {
        Self { slug: tally.slug.clone(), label: tally.label.clone(), count: tally.count }
    }
}

/// Who answered in the conversations that began in the days that are counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelSharesView {
    /// Answers of rules.
    pub rule: i64,
    /// Answers that a model put into words.
    pub model: i64,
    /// Messages of officers.
    pub person: i64,
}

/// What became of suggestions of one kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelSuggestionsView {
    /// Slug of the kind.
    pub kind: String,
    /// The same in Chinese.
    pub label: &'static str,
    /// Taken as they were.
    pub kept: i64,
    /// Taken with changes.
    pub edited: i64,
    /// Not taken.
    pub thrown_away: i64,
    /// Not decided.
    pub open: i64,
    /// Mean share of changed characters among the edited, 0 to 100.
    pub changed_percent: Option<i64>,
}

/// What became of proposals for visitors' forms.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelProposalsView {
    /// What was proposed: `type`, `topic`, `urgency` or a field of the form.
    pub key: String,
    /// The same in Chinese.
    pub label: &'static str,
    /// Taken over as they were.
    pub accepted: i64,
    /// Another value was put in their place.
    pub changed: i64,
    /// Not wanted.
    pub refused: i64,
    /// Left alone until the form was filed or gone.
    pub dropped: i64,
    /// Not decided.
    pub open: i64,
}

/// The console on one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelOverview {
    /// Whether a model is configured.
    pub configured: bool,
    /// The days that are counted.
    pub days: u32,
    /// The switch.
    pub switch: ModelSwitchView,
    /// Its last turns.
    pub switch_log: Vec<ModelSwitchLine>,
    /// Budgets.
    pub budgets: Vec<ModelBudgetView>,
    /// Endpoints in the order in which they are asked.
    pub endpoints: Vec<ModelEndpointView>,
    /// Exchanges by task.
    pub tasks: Vec<ModelTaskView>,
    /// Why answers were refused.
    pub refusals: Vec<ModelTallyView>,
    /// Why there was no answer.
    pub failures: Vec<ModelTallyView>,
    /// Who answered.
    pub shares: ModelSharesView,
    /// What became of suggestions.
    pub suggestions: Vec<ModelSuggestionsView>,
    /// What became of proposals for visitors' forms.
    pub proposals: Vec<ModelProposalsView>,
}

impl ModelOverview {
    fn new(app: &App, overview: &Overview) -> Self {
        Self {
            configured: overview.configured,
            days: overview.days,
            switch: ModelSwitchView::new(app, &overview.switch),
            switch_log: overview
                .log
                .iter()
                .map(|line| ModelSwitchLine {
                    stopped: line.stopped,
                    reason: line.reason.clone(),
                    officer: line.officer.clone(),
                    at: at(app, line.at),
                })
                .collect(),
            budgets: overview.usage.0.iter().map(ModelBudgetView::from).collect(),
            endpoints: overview.endpoints.iter().map(|line| ModelEndpointView::new(app, line)).collect(),
            tasks: overview
                .tasks
                .iter()
                .map(|line| ModelTaskView {
                    task: line.task.clone(),
                    label: line.label,
                    exchanges: line.count,
                    used: line.used,
                    refused: line.refused,
                    dropped: line.dropped,
                    failed: line.failed,
                    tokens: line.tokens,
                    yuan: yuan(line.cost_micro_yuan),
                })
                .collect(),
            refusals: overview.refusals.iter().map(ModelTallyView::from).collect(),
            failures: overview.failures.iter().map(ModelTallyView::from).collect(),
            shares: ModelSharesView {
                rule: overview.shares.rule,
                model: overview.shares.model,
                person: overview.shares.person,
            },
            suggestions: overview
                .suggestions
                .iter()
                .map(|line| ModelSuggestionsView {
                    kind: line.kind.clone(),
                    label: line.label,
                    kept: line.kept,
                    edited: line.edited,
                    thrown_away: line.thrown_away,
                    open: line.open,
                    changed_percent: line.share,
                })
                .collect(),
            proposals: overview
                .proposals
                .iter()
                .map(|line| ModelProposalsView {
                    key: line.key.clone(),
                    label: line.label,
                    accepted: line.accepted,
                    changed: line.changed,
                    refused: line.refused,
                    dropped: line.dropped,
                    open: line.open,
                })
                .collect(),
        }
    }
}

/// State, cost and quality of the model.
#[utoipa::path(get, path = "/api/admin/model", tag = "model", operation_id = "model_overview", params(OverviewParams),
    responses((status = 200, body = ModelOverview), (status = 422, body = Problem)))]
pub(crate) async fn overview(
    State(app): State<App>,
    officer: Officer,
    Params(params): Params<OverviewParams>,
) -> Result<Json<ModelOverview>, WebError> {
    let days = params.days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(AppError::field("/days", format!("只能是 1 到 {MOST_DAYS}")).into());
    }
    let overview = model_console::overview(&app, &officer, days).await?;
    Ok(Json(ModelOverview::new(&app, &overview)))
}

/// An exchange in a list. Personal data are replaced.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelExchangeView {
    /// Id.
    pub id: String,
    /// Slug of the task.
    pub task: String,
    /// The same in Chinese.
    pub label: &'static str,
    /// Name of the endpoint; empty while it runs.
    pub endpoint: String,
    /// The model that answered.
    pub model: String,
    /// The prompt file.
    pub prompt: String,
    /// Its version.
    pub prompt_version: String,
    /// `running`, `answered` or `failed`.
    pub outcome: String,
    /// What became of the answer: `used`, `refused` or `dropped`.
    pub verdict: Option<String>,
    /// Slug of the failure.
    pub failure: Option<String>,
    /// What the checks found, slugs.
    pub reasons: Vec<String>,
    /// Tokens of question and answer.
    pub tokens: i64,
    /// Whether the tokens are estimated.
    pub estimated: bool,
    /// Yuan.
    pub yuan: f64,
    /// Milliseconds to the first content.
    pub first_ms: Option<i64>,
    /// Milliseconds in all.
    pub total_ms: Option<i64>,
    /// When it began.
    pub at: String,
}

impl ModelExchangeView {
    fn new(app: &App, row: &ExchangeRow) -> Self {
        Self {
            id: row.id.clone(),
            task: row.task.clone(),
            label: model_console::task_label(&row.task),
            endpoint: row.endpoint.clone(),
            model: row.model.clone(),
            prompt: row.prompt_id.clone(),
            prompt_version: row.prompt_version.clone(),
            outcome: row.outcome.clone(),
            verdict: row.verdict.clone(),
            failure: row.failure.clone(),
            reasons: model_console::reasons_of(&row.reasons),
            tokens: row.prompt_tokens + row.completion_tokens,
            estimated: row.estimated,
            yuan: yuan(row.cost_micro_yuan),
            first_ms: row.first_ms,
            total_ms: row.total_ms,
            at: at(app, row.at),
        }
    }
}

/// Exchanges, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelExchangeList {
    /// The exchanges.
    pub items: Vec<ModelExchangeView>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExchangeParams {
    /// Lines, 1 to 200, default 50.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Time and id of a cursor.
pub(crate) fn read_cursor(cursor: Option<&str>) -> Result<Option<(i64, &str)>, AppError> {
    match cursor {
        None | Some("") => Ok(None),
        Some(cursor) => cursor
            .split_once('_')
            .and_then(|(at, id)| Some(Some((at.parse().ok()?, id))))
            .ok_or_else(|| AppError::field("/cursor", "游标无效")),
    }
}

/// Exchanges with models, the newest first.
#[utoipa::path(get, path = "/api/admin/model/exchanges", tag = "model", operation_id = "model_exchanges",
    params(ExchangeParams), responses((status = 200, body = ModelExchangeList), (status = 422, body = Problem)))]
pub(crate) async fn exchanges(
    State(app): State<App>,
    officer: Officer,
    Params(params): Params<ExchangeParams>,
) -> Result<Json<ModelExchangeList>, WebError> {
    let before = read_cursor(params.cursor.as_deref())?;
    let limit = i64::from(params.limit.unwrap_or(50).clamp(1, 200));
    let page = model_console::exchanges(&app, &officer, before, limit).await?;
    Ok(Json(ModelExchangeList {
        items: page.items.iter().map(|row| ModelExchangeView::new(&app, row)).collect(),
        next_cursor: page.next.map(|(at, id)| format!("{at}_{id}")),
    }))
}

/// A line of a question.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelLineView {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The words.
    pub text: String,
}

/// The lines of a stored question.
pub(crate) fn lines_of(request: &str) -> Vec<ModelLineView> {
    let lines: Vec<Value> = serde_json::from_str(request).unwrap_or_default();
    let word = |line: &Value, name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    lines.iter().map(|line| ModelLineView { role: word(line, "role"), text: word(line, "text") }).collect()
}

/// One exchange. Personal data are replaced.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelExchangeFileView {
    /// What stands in the list.
    #[serde(flatten)]
    pub exchange: ModelExchangeView,
    /// Hash of the content in force.
    pub content_hash: String,
    /// What was asked.
    pub lines: Vec<ModelLineView>,
    /// What came back.
    pub reply: Option<String>,
    /// The failure in more words.
    pub detail: Option<String>,
    /// Name of the officer it was for; `null`: for a visitor.
    pub officer: Option<String>,
    /// What the officer made of it, in Chinese.
    pub suggestion: Option<&'static str>,
    /// What the officer changed.
    pub changes: Vec<ChangeView>,
}

/// One exchange with its question, its answer and what the checks found.
#[utoipa::path(get, path = "/api/admin/model/exchanges/{id}", tag = "model", operation_id = "model_exchange",
    params(("id" = String, Path, description = "Id of the exchange")),
    responses((status = 200, body = ModelExchangeFileView), (status = 404, body = Problem)))]
pub(crate) async fn exchange(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<String>,
) -> Result<Json<ModelExchangeFileView>, WebError> {
    let file: ExchangeFile = model_console::exchange(&app, &officer, &id).await?;
    Ok(Json(ModelExchangeFileView {
        exchange: ModelExchangeView::new(&app, &file.row),
        lines: lines_of(&file.row.request),
        content_hash: file.row.content_hash,
        reply: file.row.reply,
        detail: file.row.detail,
        officer: file.officer,
        suggestion: file.outcome,
        changes: file.changes.into_iter().map(ChangeView::from).collect(),
    }))
}

/// A turn of the switch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSwitchRequest {
    /// `true` stops the model.
    pub stopped: bool,
    /// Why; needed for stopping.
    #[serde(default)]
    pub reason: String,
}

/// Stops the model at once, or lets it run again.
#[utoipa::path(post, path = "/api/admin/model/switch", tag = "model", operation_id = "turn_model",
    request_body = ModelSwitchRequest,
    responses((status = 200, body = ModelSwitchView), (status = 422, body = Problem)))]
pub(crate) async fn turn(
    State(app): State<App>,
    officer: Officer,
    Body(request): Body<ModelSwitchRequest>,
) -> Result<Json<ModelSwitchView>, WebError> {
    let state = model_console::turn(&app, &officer, request.stopped, &request.reason).await?;
    Ok(Json(ModelSwitchView::new(&app, &state)))
}
