//! Style sheets, scripts and icons: embedded in the binary, served under a hash of the whole set.
//!
//! The hash covers every file, so relative imports between scripts and `url()` in style sheets stay inside one
//! version: a page never mixes files of two releases. What carries the present hash may be cached for a year.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/web/static");

static SET_HASH: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = Sha256::new();
    hash_dir(&FILES, &mut hasher);
    let digest = hasher.finalize();
    hex::encode(digest.get(..8).unwrap_or_default())
});

fn hash_dir(dir: &Dir<'_>, hasher: &mut Sha256) {
    let mut files: Vec<_> = dir.files().collect();
    files.sort_by_key(|file| file.path().to_path_buf());
    for file in files {
        hasher.update(file.path().to_string_lossy().as_bytes());
        hasher.update([0]);
        hasher.update(file.contents());
    }
    let mut dirs: Vec<_> = dir.dirs().collect();
    dirs.sort_by_key(|inner| inner.path().to_path_buf());
    for inner in dirs {
        hash_dir(inner, hasher);
    }
}

/// The address of a static file, e.g. `asset("css/zhitong.css")` → `/static/9f…/css/zhitong.css`.
pub fn asset(path: &str) -> String {
    format!("/static/{}/{path}", &*SET_HASH)
}

/// The common prefix of all static files of this release, without a trailing slash.
pub fn asset_base() -> String {
    format!("/static/{}", &*SET_HASH)
}

/// Answers `GET /static/{hash}/{*path}`. A hash of an older release gets the present file, not to be cached.
pub async fn serve(Path((hash, path)): Path<(String, String)>) -> Response {
    let Some(file) = FILES.get_file(&path) else {
        return (StatusCode::NOT_FOUND, "not found").into_response();
    };
    let cache = if hash == *SET_HASH { "public, max-age=31536000, immutable" } else { "no-cache" };
    respond(&path, file.contents(), cache)
}

/// Answers a file at a fixed address (`/widget.js`, `/favicon.ico`): must be revalidated by the browser soon.
pub fn fixed(path: &str) -> Response {
    match FILES.get_file(path) {
        Some(file) => respond(path, file.contents(), "public, max-age=300"),
        None => (StatusCode::NOT_FOUND, "not found").into_response(),
    }
}

fn respond(path: &str, body: &'static [u8], cache: &'static str) -> Response {
    (
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(content_type(path))),
            (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ],
        body,
    )
        .into_response()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "html" => "text/html; charset=utf-8",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_present_hash_may_be_cached_for_a_year_and_an_old_one_not() {
        let present = serve(Path((SET_HASH.clone(), "css/zhitong.css".to_owned()))).await;
        assert_eq!(present.status(), StatusCode::OK);
        assert_eq!(present.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(present.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        let old = serve(Path(("0000".to_owned(), "css/zhitong.css".to_owned()))).await;
        assert_eq!(old.headers()[header::CACHE_CONTROL], "no-cache");
    }

    #[tokio::test]
    async fn a_path_outside_the_set_is_not_found() {
        for path in ["../mod.rs", "css/../../mod.rs", "nothing.css", ""] {
            let answer = serve(Path((SET_HASH.clone(), path.to_owned()))).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
