//! The page people see when something went wrong outside `/api`.

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

use super::error::Problem;
use crate::app::App;

/// A plain page with what happened, what to do, and the reference number of a failure.
pub fn page(app: &App, status: StatusCode, problem: &Problem) -> Response {
    let reference = problem
        .reference
        .as_ref()
        .map(|number| format!("<p>编号：<code>{}</code></p>", escape(number)))
        .unwrap_or_default();
    let html = format!(
        "<!doctype html>\n<html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>{title} · {brand}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"></head>\
         <body><main><h1>{title}</h1><p>{detail}</p>{reference}<p><a href=\"/\">返回首页</a></p></main></body></html>\n",
        title = escape(problem.title),
        brand = escape(&app.config.brand.name),
        detail = escape(&problem.detail),
    );
    (status, Html(html)).into_response()
}

/// Text inside HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}
