//! Files from visitors for officers: open to whoever may see the conversation or a case that came out of it.
//!
//! The officer's own route: a browser that also holds a visitor's cookie is still the officer here.

use axum::{
    body::Body as HttpBody,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use tokio_util::io::ReaderStream;

use crate::{
    app::{
        App, AppError, Officer,
        attachments::{self, Download},
    },
    domain::ids::AttachmentId,
    web::{
        auth::Access,
        error::{Problem, WebError},
        extract::Arg,
        router::{Route, get},
    },
};

/// The routes of this area.
pub fn routes() -> Vec<Route> {
    vec![get("/api/attachments/{id}", Access::AnyOfficer, download)]
}

/// A file as an answer: a download that no browser runs or keeps.
///
/// # Errors
/// `Internal` when a stored name does not fit a header.
pub(in crate::web) fn send(file: Download) -> Result<Response, WebError> {
    let mut response = HttpBody::from_stream(ReaderStream::new(file.file)).into_response();
    let headers = response.headers_mut();
    let text = |value: &str| {
        HeaderValue::from_str(value).map_err(|_| AppError::Internal("a stored name does not fit a header".into()))
    };
    headers.insert(header::CONTENT_TYPE, text(&file.mime)?);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
    headers.insert(header::CONTENT_DISPOSITION, text(&attachments::content_disposition(&file.name))?);
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

/// A file of a conversation or case that the officer may see; always as a download.
#[utoipa::path(get, path = "/api/attachments/{id}", tag = "conversations",
    params(("id" = String, Path, description = "Attachment id")),
    responses((status = 200, description = "The file, of its own type", body = Vec<u8>, content_type = "*/*"),
        (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn download(
    State(app): State<App>,
    officer: Officer,
    Arg(id): Arg<AttachmentId>,
) -> Result<Response, WebError> {
    send(attachments::open_for_officer(&app, &officer, id).await?)
}
