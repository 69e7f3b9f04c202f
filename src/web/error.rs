//! Errors at the edge: one `match` from [`AppError`] to status, code and view.
//!
//! Under `/api` an error is `application/problem+json` (RFC 9457), elsewhere a page. Causes never leave the server:
//! a 5xx is logged once with its chain and shows a reference number.

use std::sync::Arc;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::app::{AppError, FieldError, error::StoreError};

/// Any failure of a handler.
#[derive(Debug)]
pub struct WebError(pub AppError);

impl<E: Into<AppError>> From<E> for WebError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// The body of an error answer (RFC 9457).
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` tells the kind.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The status.
    pub status: u16,
    /// What happened and what to do, in Chinese.
    pub detail: String,
    /// Machine-readable kind.
    pub code: String,
    /// Wrong fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
    /// What the state or the role would allow instead; there, if only empty, whenever an action was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_actions: Option<Vec<String>>,
    /// The same under a shorter name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<String>>,
    /// Reference number of a failure of the server, to be told to the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// One wrong field.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ProblemField {
    /// JSON pointer, e.g. `/text`.
    pub pointer: String,
    /// What is wrong, in Chinese.
    pub message: String,
}

impl Problem {
    /// A problem with the text that belongs to its code.
    pub fn new(status: StatusCode, code: &str) -> Self {
        Self {
            kind: "about:blank",
            title: title(status),
            status: status.as_u16(),
            detail: detail(code).unwrap_or_else(|| title(status)).to_owned(),
            code: code.to_owned(),
            errors: Vec::new(),
            allowed_actions: None,
            allowed: None,
            reference: None,
        }
    }
}

fn status_of(error: &AppError) -> StatusCode {
    match error {
        AppError::NotFound => StatusCode::NOT_FOUND,
        AppError::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
        AppError::Forbidden { .. } => StatusCode::FORBIDDEN,
        AppError::Conflict { .. } => StatusCode::CONFLICT,
        AppError::Invalid { code: "malformed_json" | "bad_request", .. } => StatusCode::BAD_REQUEST,
        AppError::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        AppError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        AppError::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        AppError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        AppError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        AppError::Store(_) | AppError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let error = self.0;
        let mut retry = None;
        let problem = match &error {
            AppError::NotFound => Problem::new(status_of(&error), "not_found"),
            AppError::Unauthenticated { code } | AppError::TooLarge { code } | AppError::Unsupported { code } => {
                Problem::new(status_of(&error), code)
            }
            AppError::Forbidden { code, detail, allowed } | AppError::Conflict { code, detail, allowed } => {
                let mut problem = Problem::new(status_of(&error), code);
                if !allowed.is_empty() || *code == "forbidden" || code.starts_with("case.") {
                    problem.allowed_actions = Some(allowed.clone());
                    problem.allowed = Some(allowed.clone());
                }
                if let Some(detail) = detail {
                    problem.detail.clone_from(detail);
                }
                problem
            }
            AppError::Invalid { code, detail, errors } => {
                let mut problem = Problem::new(status_of(&error), code);
                if let Some(detail) = detail {
                    problem.detail.clone_from(detail);
                }
                problem.errors = errors.iter().map(ProblemField::from).collect();
                problem
            }
            AppError::TooMany { code, retry_after_s } => {
                retry = Some(*retry_after_s);
                let mut problem = Problem::new(status_of(&error), code);
                problem.detail = problem.detail.replace("{n}", &wait_words(*retry_after_s));
                problem
            }
            AppError::Unavailable { code } => {
                retry = Some(2);
                Problem::new(status_of(&error), code)
            }
            AppError::Store(store) if store.is_transient() => {
                retry = Some(1);
                tracing::warn!(error = &error as &dyn std::error::Error, "the store was busy");
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_busy")
            }
            AppError::Store(store) if store.refuses_writes() => {
                retry = Some(5);
                tracing::error!(error = &error as &dyn std::error::Error, "the store takes nothing now");
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_refuses")
            }
            AppError::Store(_) | AppError::Internal(_) => {
                let reference = reference();
                tracing::error!(error = &error as &dyn std::error::Error, reference, "a request failed");
                let mut problem = Problem::new(status_of(&error), "internal");
                problem.reference = Some(reference);
                problem
            }
        };
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = problem_response(status, problem);
        if let Some(seconds) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let AppError::Store(store) = error
            && store.refuses_writes()
        {
            response.extensions_mut().insert(Refused(Arc::new(store)));
        }
        response
    }
}

/// Goes with an answer whose request the store refused, for the layer that knows the gateway.
#[derive(Debug, Clone)]
pub struct Refused(pub Arc<StoreError>);

impl From<&FieldError> for ProblemField {
    fn from(error: &FieldError) -> Self {
        Self { pointer: error.pointer.clone(), message: error.message.clone() }
    }
}

/// An answer that carries a problem; outside `/api` the router turns it into a page.
pub fn problem_response(status: StatusCode, problem: Problem) -> Response {
    let mut response = (status, Json(&problem)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response.extensions_mut().insert(problem);
    response
}

/// A plain answer of the framework (wrong path parameter, wrong method …) as a problem.
pub fn problem_for_status(status: StatusCode) -> Problem {
    let code = match status.as_u16() {
        400 => "bad_request",
        401 => "not_logged_in",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        406 => "not_acceptable",
        408 => "timeout",
        413 => "too_large",
        415 => "unsupported_media_type",
        422 => "invalid_fields",
        429 => "too_many",
        503 => "unavailable",
        _ => "internal",
    };
    Problem::new(status, code)
}

fn reference() -> String {
    let mut bytes = [0_u8; 4];
    rand::fill(&mut bytes);
    hex::encode_upper(bytes)
}

const fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "请求有误",
        401 => "需要登录",
        403 => "没有权限",
        404 => "没有找到",
        405 => "不支持这种请求方法",
        408 => "请求超时",
        409 => "状态已变化",
        413 => "内容过大",
        415 => "不支持的内容类型",
        422 => "填写有误",
        429 => "过于频繁",
        503 => "暂时不可用",
        _ => "服务器出错",
    }
}

/// How long to wait, as people say it: “7 秒”, from two minutes on “15 分钟”.
pub fn wait_words(seconds: u64) -> String {
    if seconds < 120 { format!("{seconds} 秒") } else { format!("{} 分钟", seconds.div_ceil(60)) }
}

/// What people read for a code. `{n}` is how long to wait ([`wait_words`]).
pub fn detail(code: &str) -> Option<&'static str> {
    Some(match code {
        "bad_request" => "请求无法识别，请检查后再试。",
        "malformed_json" => "请求内容不是有效的 JSON。",
        "invalid_fields" => "有内容需要修改，请按提示更正。",
        "unknown_field" => "请求里有不认识的字段。",
        "not_logged_in" => "请先登录，或登录已失效。",
        "login_failed" => "登录名或密码不对。",
        "login_too_many" => "登录失败次数过多，请在 {n}后再试。",
        "chat_not_started" => "会话凭证无效或已过期，请重新开始会话。",
        "identity_invalid" => "身份签名无效。",
        "forbidden" => "您的角色不能进行这项操作。",
        "csrf" => "请求来源无法确认，请刷新页面后再试。",
        "password_must_change" => "请先修改初始密码。",
        "not_found" => "没有找到，或您无权查看。",
        "method_not_allowed" => "这个地址不支持这种请求方法。",
        "timeout" => "请求没有在规定时间内传完。",
        "too_large" => "内容超过大小上限。",
        "text_too_long" => "消息太长，请分几条发送。",
        "file_too_large" => "文件超过大小上限（20 MB）。",
        "file_type" => "只接受图片（PNG、JPEG、GIF、WebP）、PDF 和 Office 文件。",
        "file_broken" => "文件已损坏或内容异常，无法接收。",
        "too_many_streams" => "打开的窗口太多了，请关闭一些再试。",
        "file_missing" => "没有收到文件。",
        "unsupported_media_type" => "请求的内容类型不受支持，请使用 application/json。",
        "too_many" => "请求过于频繁，请在 {n}后再试。",
        "chat_too_many" => "您发送得太快了，请在 {n}后再发；已发出的内容都已收到。",
        "upload_too_many" => "上传过于频繁，请在 {n}后再试。",
        "unavailable" => "服务暂时不可用，请稍后再试。",
        "store_refuses" => {
            "现在不能保存（存储空间不足或磁盘故障），什么都没有改动，请稍后再试；已有的内容可以照常查看。"
        }
        "store_busy" => "系统繁忙，请稍后重试。",
        "wechat_unavailable" => "微信二维码暂时取不到，请稍后再试。",
        "message_not_stored" => "消息没有保存成功，请重新发送。",
        "shutting_down" => "服务正在重启，请稍后重试。",
        "own_account" => "不能停用自己的账号。",
        "login_taken" => "这个登录名已被使用。",
        "conversation_taken" => "会话已由其他同事接待。",
        "conversation_closed" => "会话已结束。",
        "conversation_not_yours" => "请先接管会话再回复。",
        "conversation_changed" => "会话刚刚有新变化，请刷新后再试。",
        "idempotency_reused" => "同一个幂等键被用于不同的请求。",
        "form_missing" => "现在没有待提交的登记单。",
        "proposal_gone" => "这些建议已经不在登记单上了，请以最新的登记单为准。",
        "form_incomplete" => "登记单还缺少内容，请补充后再提交。",
        "confirm_missing" => "请确认后再提交。",
        "internal" => "服务器出错了，请稍后再试；如仍不行，请把编号告诉管理员。",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_never_leaves_the_server() {
        let secret = "SELECT password FROM /etc/passwd";
        let response = WebError(AppError::Internal(secret.into())).into_response();
        let problem = response.extensions().get::<Problem>().unwrap();
        let json = serde_json::to_string(problem).unwrap();
        assert!(!json.contains("SELECT") && problem.reference.is_some(), "{json}");
    }

    #[test]
    fn a_rate_limit_says_how_long_to_wait() {
        let response = WebError(AppError::TooMany { code: "chat_too_many", retry_after_s: 7 }).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
        assert!(response.extensions().get::<Problem>().unwrap().detail.contains("7 秒"));
        assert_eq!([wait_words(119), wait_words(120), wait_words(841)], ["119 秒", "2 分钟", "15 分钟"]);
    }
}
