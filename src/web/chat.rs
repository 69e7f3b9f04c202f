//! The chat page of enterprises (`/`, `/chat`): a shell; the talk itself goes through the chat API.

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
    response::{Html, Response},
};

use crate::{
    app::App,
    config::{BrandConfig, TimeConfig, WechatConfig},
    web::{
        auth::{Access, Client, visitor_token},
        error::WebError,
        router::{Route, get},
        site::render,
        static_files,
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![
        get("/", Access::Public, page),
        get("/chat", Access::Public, page),
        get("/widget.js", Access::Public, widget),
        get("/favicon.ico", Access::Public, favicon),
    ]
}

async fn page(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, WebError> {
    let embed = query.is_some_and(|query| query.split('&').any(|pair| pair == "embed=1"));
    let mut page = ChatPage::new(&app.config.brand, &app.config.time, embed).with_wechat(&app.config.wechat);
    page.known = visitor_token(&headers, client.secure).is_some();
    render(&page)
}

async fn widget(headers: HeaderMap) -> Response {
    static_files::fixed("js/widget.js", &headers)
}

async fn favicon(headers: HeaderMap) -> Response {
    static_files::fixed("favicon.svg", &headers)
}

/// The chat page.
#[derive(Debug, Template)]
#[template(path = "chat.html")]
pub struct ChatPage {
    /// Prefix of the static files.
    pub base: String,
    /// Product name.
    pub service_name: String,
    /// Who runs it.
    pub operator: String,
    /// First words.
    pub welcome: String,
    /// Privacy notice.
    pub privacy: String,
    /// When people answer.
    pub hours_text: String,
    /// Shown inside another site by `/widget.js`.
    pub embed: bool,
    /// The browser brings the cookie of a conversation: it is taken up again, also where the page could keep nothing.
    pub known: bool,
    /// Whether a 公众号 is there to go on in.
    pub wechat: bool,
    /// Where a browser within WeChat logs in; empty when it cannot.
    pub wechat_login: String,
}

impl ChatPage {
    /// The page as the configuration words it.
    pub fn new(brand: &BrandConfig, time: &TimeConfig, embed: bool) -> Self {
        Self {
            base: static_files::asset_base(),
            service_name: brand.name.clone(),
            operator: brand.operator.clone(),
            welcome: brand.welcome.clone(),
            privacy: brand.privacy.clone(),
            hours_text: hours_text(time),
            embed,
            known: false,
            wechat: false,
            wechat_login: String::new(),
        }
    }

    /// The same with the way to WeChat, where there is one.
    #[must_use]
    pub fn with_wechat(self, wechat: &WechatConfig) -> Self {
        let login = wechat.oa.iter().find(|(_, oa)| oa.oauth).map(|(name, _)| format!("/wechat/oa/{name}/oauth"));
        Self { wechat: !wechat.oa.is_empty(), wechat_login: login.unwrap_or_default(), ..self }
    }
}

fn hours_text(time: &TimeConfig) -> String {
    let sessions: Vec<_> = time.business_hours.iter().map(|session| session.replace('-', "–")).collect();
    format!("人工服务：工作日 {}。其他时间也能登记，给您编号，按工作时间计时办理。", sessions.join("、"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_wechat_is_shown_where_there_is_one() {
        let page = |wechat: &WechatConfig| {
            let page = ChatPage::new(&BrandConfig::default(), &TimeConfig::default(), false).with_wechat(wechat);
            page.render().expect("the page renders")
        };
        let mut wechat = WechatConfig::default();
        assert!(!page(&wechat).contains("微信"));
        wechat.oa.entry("main".into()).or_default();
        let with_code = page(&wechat);
        assert!(with_code.contains("在微信继续") && !with_code.contains("/oauth"));
        wechat.oa.entry("main".into()).or_default().oauth = true;
        assert!(page(&wechat).contains("data-login=\"/wechat/oa/main/oauth\""));
    }

    #[test]
    fn names_of_the_house_are_escaped_and_no_script_or_style_is_inline() {
        let brand = BrandConfig { name: "<b>直通</b>".into(), ..BrandConfig::default() };
        let page = ChatPage::new(&brand, &TimeConfig::default(), false).render().expect("the page renders");
        assert!(!page.contains("<b>直通"));
        assert!(page.contains("08:30–12:00、14:30–17:30"));
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick="));
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script src=").count() + page.matches("<script type=\"module\" src=").count()
        );
    }
}
