//! The progress page of enterprises: number and code, the way of the case, and what the enterprise may do.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use crate::{
    app::{App, AppError, case_input::ActionFields, limits::refuse, track},
    domain::{case::CaseAction, sla::chinese_date_time},
    web::{
        auth::{Access, Client, cookie},
        desk::pages::SiblingView,
        error::{WebError, detail},
        extract::Fields,
        router::{Route, get, post},
        site::{Site, render},
        view::{Choice, DueView, StageStep, stages},
    },
};

/// The routes of this area. Number and code go by POST or cookie: they shall not stand in histories and logs.
pub fn routes() -> Vec<Route> {
    vec![
        get("/track", Access::Public, ask),
        post("/track", Access::Public, look_up),
        post("/track/leave", Access::Public, leave),
        get("/track/{number}", Access::Public, show),
        post("/track/{number}/{action}", Access::Public, act),
    ]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AskQuery {
    number: String,
    code: String,
    done: String,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct ActForm {
    key: String,
    text: String,
    words: String,
    grade: Option<u8>,
    solved: Option<bool>,
}

const fn code_cookie(secure: bool) -> &'static str {
    if secure { "__Host-zhitong-track" } else { "zhitong-track" }
}

/// The query code this browser has proven, good for every case filed together.
fn known_code(headers: &HeaderMap, secure: bool) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == code_cookie(secure) && !value.is_empty())
        .map(|(_, value)| value.to_owned())
}

fn count(app: &App, client: &Client) -> Result<(), AppError> {
    app.limits.track.take(client.address, app.now()).map_err(refuse("too_many"))
}

fn ask_page(app: &App, number: &str, error: &str) -> Result<Response, WebError> {
    let page = AskPage { site: Site::new(&app.config.brand), error: error.to_owned(), number: number.to_owned() };
    let status = if error.is_empty() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    Ok((status, render(&page)?).into_response())
}

const WRONG: &str = "没有查到。请核对编号和查询码，注意字母和数字。";

async fn ask(State(app): State<App>, client: Client, Query(query): Query<AskQuery>) -> Result<Response, WebError> {
    if query.code.is_empty() {
        return ask_page(&app, &query.number, "");
    }
    // A link from a printed receipt carries both; the code is taken out of the address at once.
    open(&app, &client, &query.number, &query.code).await
}

async fn look_up(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Fields(form): Fields<AskQuery>,
) -> Result<Response, WebError> {
    let code = if form.code.is_empty() { known_code(&headers, client.secure).unwrap_or_default() } else { form.code };
    open(&app, &client, &form.number, &code).await
}

async fn open(app: &App, client: &Client, number: &str, code: &str) -> Result<Response, WebError> {
    count(app, client)?;
    let (number, code) = (number.trim().to_uppercase(), code.trim().to_uppercase());
    match track::view(app, &number, &code).await {
        Ok(view) => {
            let mut response = Redirect::to(&format!("/track/{}", view.number)).into_response();
            let safe: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
            let value = cookie(code_cookie(client.secure), &safe, client.secure, false, 12 * 3_600);
            response.headers_mut().append(header::SET_COOKIE, value);
            Ok(response)
        }
        Err(AppError::NotFound) => ask_page(app, &number, WRONG),
        Err(error) => Err(WebError(error)),
    }
}

async fn leave(client: Client) -> Response {
    let mut response = Redirect::to("/track").into_response();
    let value: HeaderValue = cookie(code_cookie(client.secure), "", client.secure, false, 0);
    response.headers_mut().append(header::SET_COOKIE, value);
    response
}

async fn show(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(number): Path<String>,
    Query(query): Query<AskQuery>,
) -> Result<Response, WebError> {
    let Some(code) = known_code(&headers, client.secure) else { return ask_page(&app, &number, "") };
    count(&app, &client)?;
    match track::view(&app, &number, &code).await {
        Ok(view) => {
            let done = query.done.parse::<CaseAction>().map_or("", done_words);
            Ok(page(&app, view, done, "")?.into_response())
        }
        Err(AppError::NotFound) => ask_page(&app, &number, WRONG),
        Err(error) => Err(WebError(error)),
    }
}

fn done_words(action: CaseAction) -> &'static str {
    const WORDS: &[(CaseAction, &str)] = &[
        (CaseAction::Rate, "评价已收到，谢谢。"),
        (CaseAction::Confirm, "已记下您的确认，谢谢。"),
        (CaseAction::Urge, "已提醒承办单位。"),
        (CaseAction::AddInfo, "补充说明已交给承办单位。"),
        (CaseAction::SupplyInfo, "补充已收到，继续受理。"),
        (CaseAction::Object, "异议已收到，由中心另行审核。"),
        (CaseAction::RequestHandling, "已转为办件，按时限办理。"),
        (CaseAction::Reopen, "已重新办理。"),
        (CaseAction::Withdraw, "已撤回。需要时可以重新提出。"),
    ];
    WORDS.iter().find(|(known, _)| *known == action).map_or("", |(_, words)| words)
}

async fn act(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path((number, action)): Path<(String, String)>,
    Fields(form): Fields<ActForm>,
) -> Result<Response, WebError> {
    let Some(code) = known_code(&headers, client.secure) else { return ask_page(&app, &number, "") };
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(WebError(AppError::forbidden("csrf")));
    }
    count(&app, &client)?;
    let action =
        CaseAction::ALL.iter().copied().find(|known| known.as_str() == action).ok_or(WebError(AppError::NotFound))?;
    let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let text = filled(&form.text);
    let as_reason = matches!(action, CaseAction::Withdraw | CaseAction::Reopen);
    let as_words = matches!(action, CaseAction::Urge | CaseAction::RequestHandling);
    let fields = ActionFields {
        reason: text.clone().filter(|_| as_reason),
        words: if as_words { text.clone() } else { filled(&form.words) },
        text: text.filter(|_| !as_reason && !as_words),
        grade: form.grade,
        solved: form.solved,
        ..ActionFields::default()
    };
    let key = Some(form.key.as_str())
        .filter(|key| (8..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
    let error = match track::perform(&app, &number, &code, action, &fields, key).await {
        Ok(view) => {
            return Ok(Redirect::to(&format!("/track/{}?done={}", view.number, action.as_str())).into_response());
        }
        Err(error) => error,
    };
    let (status, words) = match &error {
        AppError::Conflict { code, detail: words, .. } => {
            (StatusCode::CONFLICT, words.clone().or_else(|| known_words(code)))
        }
        AppError::Forbidden { code, detail: words, .. } => {
            (StatusCode::FORBIDDEN, words.clone().or_else(|| known_words(code)))
        }
        AppError::Invalid { code, detail: words, errors } => {
            let plain = |message: &String| {
                if message == "不能为空" { "请先写上要填的内容。".to_owned() } else { message.clone() }
            };
            let first = errors.first().map(|field| plain(&field.message));
            (StatusCode::UNPROCESSABLE_ENTITY, first.or_else(|| words.clone()).or_else(|| known_words(code)))
        }
        AppError::NotFound
        | AppError::Unauthenticated { .. }
        | AppError::TooLarge { .. }
        | AppError::Unsupported { .. }
        | AppError::TooMany { .. }
        | AppError::Unavailable { .. }
        | AppError::Store(_)
        | AppError::Internal(_) => return Err(WebError(error)),
    };
    let view = track::view(&app, &number, &code).await?;
    let words = words.unwrap_or_else(|| "没有办成，请看最新情况后再试。".to_owned());
    Ok((status, page(&app, view, "", &words)?).into_response())
}

fn known_words(code: &str) -> Option<String> {
    detail(code).map(str::to_owned)
}

fn page(app: &App, view: track::TrackView, done: &str, error: &str) -> Result<axum::response::Html<String>, WebError> {
    let content = app.content.load();
    let now = app.now();
    let time = |at: jiff::Timestamp| chinese_date_time(content.schedule.civil(at));
    let allowed: Vec<String> = view.allowed.iter().map(|action| action.as_str().to_owned()).collect();
    let due = match view.due_at {
        Some(_) if view.paused.is_some() => {
            DueView { class: "paused", text: "暂停计时".into(), absolute: String::new(), provisional: false }
        }
        Some(due) => {
            DueView { provisional: view.provisional, ..crate::web::desk::list::due_view(&content, now, due, false) }
        }
        None => DueView::default(),
    };
    let mut siblings: Vec<SiblingView> = view
        .siblings
        .iter()
        .map(|other| SiblingView {
            number: other.number.clone(),
            title: other.title.clone(),
            state: other.status.label().to_owned(),
            current: false,
        })
        .collect();
    if !siblings.is_empty() {
        siblings.push(SiblingView {
            number: view.number.clone(),
            title: view.title.clone(),
            state: view.status.label().to_owned(),
            current: true,
        });
        siblings.sort_by(|a, b| a.number.cmp(&b.number));
    }
    let (reply, reply_sign) = view.reply.map(|(text, signer)| (text, format!("签发：{signer}"))).unwrap_or_default();
    let case = TrackView {
        number: view.number,
        title: view.title,
        type_label: view.type_label.to_owned(),
        topic_label: String::new(),
        stage: view.stage,
        stages: stages(view.stage),
        wording: view.wording,
        holder: if view.status.is_open() { view.holder } else { String::new() },
        due,
        submitted: time(view.submitted_at),
        paused: view.paused.unwrap_or_default(),
        reply,
        reply_sign,
        conclusion: String::new(),
        timeline: view
            .timeline
            .into_iter()
            .rev()
            .map(|step| StepView { at: time(step.at), text: step.text, detail: String::new() })
            .collect(),
        original_words: view.original_words,
        siblings,
        forms: FORMS.iter().filter(|form| allowed.iter().any(|slug| slug == form.action)).collect(),
        allowed,
    };
    let page = CasePage {
        site: Site::new(&app.config.brand),
        case,
        done: done.to_owned(),
        error: error.to_owned(),
        form_key: app.ids.uuid(now).to_string(),
        grades: grades(),
    };
    render(&page)
}

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
