//! The officers' desk: list, conversation, case. First paint comes from the server; live parts use the staff API.

pub mod case_page;
pub mod deputies;
pub mod field;
pub mod form_facts;
pub mod forms;
pub mod list;
pub mod notices;
pub mod pages;
pub mod print;

use axum::{
    extract::{OriginalUri, Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use self::{
    list::DeskQuery,
    pages::{CasePage, ConversationPage, DeskView, FaultPage, HomePage, ListView, RulesView, Tally},
};
use crate::{
    app::{
        App, AppError, Credential, Officer, attachments, auth, case_help, case_queries, conversations,
        notices as app_notices, suggestions, todo,
    },
    domain::{
        access::{Permission, Role},
        case::CaseNumber,
        ids::ConversationId,
        sla::{chinese_date, chinese_date_time, weekday},
    },
    web::{
        admin::Finding,
        auth::Access,
        error::WebError,
        router::{Route, get, post},
        site::{Site, render},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![
        get("/desk", Access::AnyOfficer, home),
        get("/desk/cases/{number}", Access::Officer(Permission::ViewCases), case),
        get("/desk/cases/{number}/print", Access::Officer(Permission::ViewCases), print::page),
        get("/desk/conversations/{id}", Access::Officer(Permission::Converse), conversation),
        get("/desk/deputies", Access::AnyOfficer, deputies::page),
        post("/desk/deputies", Access::AnyOfficer, deputies::set),
        post("/desk/deputies/end", Access::AnyOfficer, deputies::end),
        get("/desk/notices", Access::AnyOfficer, notices::page),
        post("/desk/notices/read", Access::AnyOfficer, notices::read_all),
        post("/desk/notices/{id}/read", Access::AnyOfficer, notices::read),
    ]
}

/// Who is at the desk, for the head of every page.
async fn desk_view(app: &App, officer: &Officer) -> Result<DeskView, WebError> {
    let unread = app_notices::unread(app, officer).await?;
    let content = app.content.load();
    let mut roles: Vec<&str> = officer.roles().iter().map(|role| role.label()).collect();
    roles.dedup();
    Ok(DeskView {
        unread,
        officer_id: officer.id.to_string(),
        name: officer.name.clone(),
        unit: match officer.unit() {
            "" => String::new(),
            slug => content.routing.units().short_name(slug),
        },
        roles: roles.join("、"),
        csrf: match &officer.credential {
            Credential::Session { csrf, .. } => csrf.clone(),
            Credential::Token(_) => String::new(),
        },
        admin: officer.has(Role::Admin),
        deputies: officer.has(Role::Admin) || officer.roles().iter().any(|role| role.is_of_unit()),
    })
}

async fn home(State(app): State<App>, officer: Officer, Query(query): Query<DeskQuery>) -> Result<Response, WebError> {
    let list = list::list(&app, &officer, &query, "").await?;
    let content = app.content.load();
    let now = content.schedule.civil(app.now());
    let part = match now.hour() {
        0..=5 => "夜里好",
        6..=11 => "上午好",
        12..=13 => "中午好",
        14..=17 => "下午好",
        _ => "晚上好",
    };
    let open = if content.schedule.is_open(app.now()) { "办公时间" } else { "非办公时间" };
    let page = HomePage {
        site: Site::new(&app.config.brand),
        desk: desk_view(&app, &officer).await?,
        greeting: format!("{}，{part}", officer.name),
        today: format!("{} {} · {open}", chinese_date(now.date()), weekday(now.date().weekday())),
        tallies: tallies(&app, &officer, &list).await?,
        rules: rules_view(&app, &officer),
        list,
    };
    Ok(render(&page)?.into_response())
}

/// How the rules stand, for who edits or publishes them.
fn rules_view(app: &App, officer: &Officer) -> Option<RulesView> {
    if !officer.permits(Permission::EditRules) && !officer.permits(Permission::PublishRules) {
        return None;
    }
    let content = app.content.load();
    Some(RulesView {
        version: content.hash.chars().take(12).collect(),
        loaded: chinese_date_time(content.schedule.civil(content.loaded_at)),
        rules: content.rules.rules().len(),
        warnings: content.warnings.len(),
        recheck: content.rules.rules().iter().filter(|rule| rule.awaiting_recheck).count(),
        errors: Finding::of(&app.content.status()),
    })
}

async fn tallies(app: &App, officer: &Officer, list: &ListView) -> Result<Vec<Tally>, WebError> {
    let count =
        |key: &str| list.tabs.iter().find(|tab| tab.key == key).map_or("0", |tab| tab.count.as_str()).to_owned();
    let class = |count: &str, name: &'static str| if count == "0" { "" } else { name };
    let mut tallies = Vec::new();
    if officer.permits(Permission::Converse) {
        let (count, href) = (count("waiting"), "/desk?tab=waiting");
        tallies.push(Tally { href, class: class(&count, "soon"), count, label: "会话等待接入" });
    }
    if officer.permits(Permission::ViewCases) {
        let (late, soon) = todo::due_counts(app, officer).await?;
        let (late, soon) = (list::badge(late), list::badge(soon));
        let href = "/desk?tab=all&overdue=true";
        tallies.push(Tally { href, class: class(&late, "late"), count: late, label: "已超期" });
        let href = "/desk?tab=all";
        tallies.push(Tally { href, class: class(&soon, "soon"), count: soon, label: "24 小时内到期" });
        tallies.push(Tally { href: "/desk?tab=todo", count: count("todo"), label: "待我处理", class: "" });
    }
    Ok(tallies)
}

/// What cannot be shown is said beside the list, which stays usable.
async fn fault(app: &App, officer: &Officer, list: ListView, detail: &str) -> Result<Response, WebError> {
    let page = FaultPage {
        site: Site::new(&app.config.brand),
        desk: desk_view(app, officer).await?,
        list,
        title: "没有找到，或您无权查看".to_owned(),
        detail: detail.to_owned(),
    };
    Ok((StatusCode::NOT_FOUND, render(&page)?).into_response())
}

async fn case(
    State(app): State<App>,
    officer: Officer,
    Path(number): Path<String>,
    Query(query): Query<DeskQuery>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, WebError> {
    let query = with_tab(query, "todo");
    let list = list::list(&app, &officer, &query, uri.path()).await?;
    let found = match number.parse::<CaseNumber>() {
        Ok(number) => case_queries::file_with_history(&app, &officer, &number).await,
        Err(_) => Err(AppError::NotFound),
    };
    let (file, history) = match found {
        Ok(found) => found,
        Err(AppError::NotFound) => return fault(&app, &officer, list, "可能已转给别的单位，或编号写错了。").await,
        Err(error) => return Err(WebError(error)),
    };
    let accounts = auth::list_accounts(&app).await?;
    let content = app.content.load();
    let mut case = case_page::case_view(&content, &file, &history, &officer, &accounts);
    let help = case_help::help(&app, &officer, &file.case.number).await?;
    let assist = officer.permits(Permission::ActOnCases).then(|| suggestions::assist_of_case(&app, &file)).flatten();
    case.help = case_page::help_view(&content, &file, help, assist);
    let files = attachments::of_case(&app, &officer, file.case.conversation).await?;
    case.withheld = files.withheld;
    case.documents = files.files.into_iter().map(|file| case_page::document_view(&content, file)).collect();
    let page = CasePage { site: Site::new(&app.config.brand), desk: desk_view(&app, &officer).await?, list, case };
    Ok(render(&page)?.into_response())
}

async fn conversation(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<String>,
    Query(query): Query<DeskQuery>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, WebError> {
    let query = with_tab(query, "waiting");
    let list = list::list(&app, &officer, &query, uri.path()).await?;
    let found = match id.parse::<ConversationId>() {
        Ok(id) => conversations::detail(&app, &officer, id).await.map(|_| id),
        Err(_) => Err(AppError::NotFound),
    };
    match found {
        Ok(id) => {
            let page = ConversationPage {
                site: Site::new(&app.config.brand),
                desk: desk_view(&app, &officer).await?,
                list,
                id: id.to_string(),
            };
            Ok(render(&page)?.into_response())
        }
        Err(AppError::NotFound) => fault(&app, &officer, list, "这个会话可能已转给别的单位。").await,
        Err(error) => Err(WebError(error)),
    }
}

fn with_tab(query: DeskQuery, usual: &str) -> DeskQuery {
    if query.tab.is_empty() { DeskQuery { tab: usual.to_owned(), ..query } } else { query }
}
