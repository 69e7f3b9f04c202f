//! Error pages for people: what is so, what to do next, and a reference number for the administrator.

use askama::Template;

use crate::web::site::Site;

/// A way on.
#[derive(Debug, Clone)]
pub struct Exit {
    /// Address.
    pub href: &'static str,
    /// Word.
    pub label: &'static str,
}

/// An error page.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub struct FaultPage {
    /// The site.
    pub site: Site,
    /// Icon.
    pub icon: &'static str,
    /// What is so.
    pub title: &'static str,
    /// What it means and what to do.
    pub detail: String,
    /// Reference number of the log line; empty when nothing was logged.
    pub reference: String,
    /// Ways on, the best first.
    pub actions: Vec<Exit>,
}

const HOME: Exit = Exit { href: "/", label: "回到首页" };
const TRACK: Exit = Exit { href: "/track", label: "凭编号查进度" };
const DESK: Exit = Exit { href: "/desk", label: "回到工作台" };
const LOGIN: Exit = Exit { href: "/login", label: "去登录" };

impl FaultPage {
    /// The page for a status. `detail` overrides the usual sentence when it is not empty.
    pub fn new(site: Site, status: u16, detail: &str, reference: &str) -> Self {
        let (icon, title, usual, actions) = match status {
            401 => ("lock", "请先登录", "登录后就能看这一页。", vec![LOGIN, HOME]),
            403 => ("lock", "没有权限", "如果工作需要，请联系本单位的系统管理员开通。", vec![HOME, TRACK]),
            404 => ("search", "没有找到这一页", "地址可能写错了，或者内容已经转走。", vec![HOME, TRACK]),
            405 => ("info", "这个地址不能直接打开", "请从页面上的按钮进入。", vec![HOME]),
            409 => ("info", "情况已经变了", "别人刚刚处理过，请打开看最新情况。", vec![HOME]),
            413 => ("file", "内容太大", "请删减后再提交，或分几次发。", vec![HOME]),
            429 => ("clock", "操作太频繁", "请过几分钟再试，已提交的内容不会丢。", vec![HOME]),
            400..=499 => ("info", "这个请求不对", "请返回上一页检查后再试。", vec![HOME]),
            503 => (
                "clock",
                "系统暂时不能办理",
                "没有保存的内容请稍后再提交，不会重复登记。急事请拨打 12345。",
                vec![HOME],
            ),
            _ => ("warn", "系统出了点问题", "已经记录下来，请稍后再试。急事请拨打 12345。", vec![HOME, TRACK]),
        };
        let detail = if detail.is_empty() { usual } else { detail };
        Self { site, icon, title, detail: detail.to_owned(), reference: reference.to_owned(), actions }
    }

    /// The same for somebody at the desk: the way on leads back there.
    #[must_use]
    pub fn at_the_desk(mut self) -> Self {
        self.actions.retain(|exit| exit.href == LOGIN.href);
        self.actions.push(DESK);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BrandConfig;

    #[test]
    fn every_error_page_names_a_next_step() {
        for status in [400, 401, 403, 404, 405, 409, 413, 429, 500, 503] {
            let page =
                FaultPage::new(Site::new(&BrandConfig::default()), status, "", "").render().expect("the page renders");
            assert!(page.contains("btn-primary"), "{status}");
        }
    }

    #[test]
    fn from_the_desk_the_way_leads_back_to_the_desk() {
        let page = |status| FaultPage::new(Site::new(&BrandConfig::default()), status, "", "").at_the_desk();
        let ways = |status| page(status).actions.iter().map(|exit| exit.href).collect::<Vec<_>>();
        assert_eq!(ways(404), ["/desk"]);
        assert_eq!(ways(500), ["/desk"]);
        assert_eq!(ways(401), ["/login", "/desk"]);
        assert_eq!(ways(403), ["/desk"]);
        // An enterprise has no desk to go to.
        let page = FaultPage::new(Site::new(&BrandConfig::default()), 403, "", "");
        assert_eq!(page.actions.iter().map(|exit| exit.href).collect::<Vec<_>>(), ["/", "/track"]);
    }
}
