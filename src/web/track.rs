//! The progress page of enterprises: number and code, the way of the case, and what the enterprise may do.

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
        auth::{Access, Client, cookie, read_cookie},
        desk::{list::due_view, pages::SiblingView},
        error::{WebError, detail, wait_words},
        extract::Fields,
        router::{Route, get, post},
        site::{Site, render},
        track_page::{AskPage, CasePage, FORMS, PrintPage, RatingView, ReplyView, StepView, TrackView, Typed},
        view::{Choice, DueView, stages},
    },
};

/// The routes of this area. Number and code go by POST or cookie: they shall not stand in histories and logs.
pub fn routes() -> Vec<Route> {
    vec![
        get("/track", Access::Public, ask),
        post("/track", Access::Public, look_up),
        post("/track/leave", Access::Public, leave),
        get("/track/{number}", Access::Public, show),
        get("/track/{number}/print", Access::Public, print),
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
    read_cookie(headers, code_cookie(secure))
}

fn count(app: &App, client: &Client) -> Result<(), AppError> {
    app.limits.track.take(client.address, app.now()).map_err(refuse("too_many"))
}

fn ask_page(app: &App, number: &str, status: StatusCode, error: &str) -> Result<Response, WebError> {
    let page = AskPage { site: Site::new(&app.config.brand), error: error.to_owned(), number: number.to_owned() };
    Ok((status, render(&page)?).into_response())
}

const WRONG: &str = "没有查到。请核对编号和查询码，注意字母和数字。";
const EXPIRED: &str = "为了安全，查询一段时间后要重新输入查询码。刚才写的内容还留在这台设备上，查到后会自动填回去。";

/// What could not be looked up, asked again: nothing was found, or too much was tried.
fn ask_again(app: &App, number: &str, error: AppError) -> Result<Response, WebError> {
    match error {
        AppError::NotFound => ask_page(app, number, StatusCode::NOT_FOUND, WRONG),
        AppError::TooMany { retry_after_s, .. } => {
            let words = format!("查得太频繁了，请过 {} 再试。", wait_words(retry_after_s));
            let mut response = ask_page(app, number, StatusCode::TOO_MANY_REQUESTS, &words)?;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
            Ok(response)
        }
        other @ (AppError::Unauthenticated { .. }
        | AppError::Forbidden { .. }
        | AppError::Conflict { .. }
        | AppError::Invalid { .. }
        | AppError::TooLarge { .. }
        | AppError::Unsupported { .. }
        | AppError::Unavailable { .. }
        | AppError::Store(_)
        | AppError::Internal(_)) => Err(WebError(other)),
    }
}

async fn ask(State(app): State<App>, client: Client, Query(query): Query<AskQuery>) -> Result<Response, WebError> {
    if query.code.is_empty() {
        return ask_page(&app, &query.number, StatusCode::OK, "");
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
    let (number, code) = (number.trim().to_uppercase(), code.trim().to_uppercase());
    match find(app, client, &number, &code).await {
        Ok(view) => {
            let mut response = Redirect::to(&format!("/track/{}", view.number)).into_response();
            let safe: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
            let value = cookie(code_cookie(client.secure), &safe, client.secure, false, 12 * 3_600);
            response.headers_mut().append(header::SET_COOKIE, value);
            Ok(response)
        }
        Err(error) => ask_again(app, &number, error),
    }
}

/// One look-up, counted first: guessing numbers and codes gets slow.
async fn find(app: &App, client: &Client, number: &str, code: &str) -> Result<track::TrackView, AppError> {
    count(app, client)?;
    track::view(app, number, code).await
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
    let Some(code) = known_code(&headers, client.secure) else { return ask_page(&app, &number, StatusCode::OK, "") };
    match find(&app, &client, &number, &code).await {
        Ok(view) => {
            let done = query.done.parse::<CaseAction>().ok().filter(|action| !done_words(*action).is_empty());
            Ok(page(&app, view, done, "", Typed::default())?.into_response())
        }
        Err(error) => ask_again(&app, &number, error),
    }
}

/// The paper view: what the page shows, on A4, from the first step to the last.
async fn print(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(number): Path<String>,
) -> Result<Response, WebError> {
    let Some(code) = known_code(&headers, client.secure) else { return ask_page(&app, &number, StatusCode::OK, "") };
    match find(&app, &client, &number, &code).await {
        Ok(view) => {
            let mut case = case_view(&app, view);
            case.timeline.reverse();
            let printed = chinese_date_time(app.content.load().schedule.civil(app.now()));
            let page = PrintPage { site: Site::new(&app.config.brand), case, printed };
            Ok(render(&page)?.into_response())
        }
        Err(error) => ask_again(&app, &number, error),
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
    let Some(code) = known_code(&headers, client.secure) else {
        return ask_page(&app, &number, StatusCode::OK, EXPIRED);
    };
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(WebError(AppError::forbidden("csrf")));
    }
    if let Err(error) = count(&app, &client) {
        return ask_again(&app, &number, error);
    }
    let action =
        CaseAction::ALL.iter().copied().find(|known| known.as_str() == action).ok_or(WebError(AppError::NotFound))?;
    let typed = Typed {
        action: action.as_str().to_owned(),
        text: form.text.clone(),
        words: form.words.clone(),
        grade: form.grade.map(|grade| grade.to_string()).unwrap_or_default(),
        solved: form.solved.map(|solved| solved.to_string()).unwrap_or_default(),
    };
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
    Ok((status, page(&app, view, None, &words, typed)?).into_response())
}

fn known_words(code: &str) -> Option<String> {
    detail(code).map(str::to_owned)
}

fn page(
    app: &App,
    view: track::TrackView,
    done: Option<CaseAction>,
    error: &str,
    typed: Typed,
) -> Result<axum::response::Html<String>, WebError> {
    let page = CasePage {
        site: Site::new(&app.config.brand),
        case: case_view(app, view),
        done_action: done.map_or("", CaseAction::as_str).to_owned(),
        done: done.map_or("", done_words).to_owned(),
        error: error.to_owned(),
        typed,
        form_key: app.ids.uuid(app.now()).to_string(),
        grades: grades(),
    };
    render(&page)
}

/// The limit that counts now, as a chip while it runs and as a moment while it is held.
fn due_of(app: &App, view: &track::TrackView) -> (&'static str, DueView) {
    let content = app.content.load();
    match &view.due {
        Some(due) if view.paused.is_some() => {
            (due.label, DueView { class: "paused", text: "暂停计时".into(), ..DueView::default() })
        }
        Some(due) => {
            let shown = due_view(&content, app.now(), due.at, false);
            let text = if due.runs { shown.text } else { String::new() };
            (due.label, DueView { provisional: due.provisional, text, ..shown })
        }
        None => ("", DueView::default()),
    }
}

fn case_view(app: &App, view: track::TrackView) -> TrackView {
    let content = app.content.load();
    let time = |at: jiff::Timestamp| chinese_date_time(content.schedule.civil(at));
    let allowed: Vec<String> = view.allowed.iter().map(|action| action.as_str().to_owned()).collect();
    let (due_label, due) = due_of(app, &view);
    let sibling = |number: String, title: String, state: &str, current: bool| SiblingView {
        number,
        title,
        state: state.to_owned(),
        current,
    };
    let mut siblings: Vec<SiblingView> = view
        .siblings
        .iter()
        .map(|other| sibling(other.number.clone(), other.title.clone(), other.status.label(), false))
        .collect();
    if !siblings.is_empty() {
        siblings.push(sibling(view.number.clone(), view.title.clone(), view.status.label(), true));
        siblings.sort_by(|a, b| a.number.cmp(&b.number));
    }
    TrackView {
        number: view.number,
        title: view.title,
        type_label: view.type_label.to_owned(),
        stage: view.stage,
        stages: stages(view.stage),
        wording: view.wording,
        holder: if view.status.is_open() { view.holder } else { String::new() },
        due_label,
        due,
        submitted: time(view.submitted_at),
        paused: view.paused.unwrap_or_default(),
        reply: view.reply.map(|reply| ReplyView {
            kept: reply.due_at.map_or_else(String::new, |due| {
                format!("{}前，{}", time(due), if reply.late { "这次超期答复" } else { "已按时答复" })
            }),
            text: reply.text,
            signer: reply.signer,
            at: time(reply.at),
            conclusion: reply.conclusion.to_owned(),
        }),
        conclusion: view.conclusion.to_owned(),
        ratings: view
            .ratings
            .into_iter()
            .map(|rating| RatingView {
                label: rating.label,
                solved: if rating.solved { "已解决" } else { "没解决" },
                words: rating.words,
                at: time(rating.at),
            })
            .collect(),
        timeline: view
            .timeline
            .into_iter()
            .rev()
            .map(|step| StepView { at: time(step.at), text: step.text, words: step.words })
            .collect(),
        original_words: view.original_words,
        siblings,
        forms: FORMS.iter().filter(|form| allowed.iter().any(|slug| slug == form.action)).collect(),
        allowed,
    }
}

/// The five grades of 好差评, the best first.
pub fn grades() -> Vec<Choice> {
    [("5", "非常满意"), ("4", "满意"), ("3", "基本满意"), ("2", "不满意"), ("1", "非常不满意")]
        .map(|(value, label)| Choice::new(value, label))
        .to_vec()
}
