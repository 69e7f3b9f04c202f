//! Style sheets, scripts and icons: embedded in the binary, served under a hash of the whole set.
//!
//! The hash covers every file, so relative imports between scripts and `url()` in style sheets stay inside one
//! version: a page never mixes files of two releases. What carries the present hash may be cached for a year.

use std::{collections::HashMap, io::Write as _, sync::LazyLock};

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
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

/// Every file, compressed once; phones on a slow line load the chat with less than 60 KB.
static COMPRESSED: LazyLock<HashMap<String, Vec<u8>>> = LazyLock::new(|| {
    let mut all = HashMap::new();
    compress_dir(&FILES, &mut all);
    all
});

fn compress_dir(dir: &Dir<'_>, all: &mut HashMap<String, Vec<u8>>) {
    for file in dir.files() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let packed = encoder.write_all(file.contents()).and_then(|()| encoder.finish());
        if let Ok(packed) = packed
            && packed.len() < file.contents().len()
        {
            all.insert(file.path().to_string_lossy().into_owned(), packed);
        }
    }
    for inner in dir.dirs() {
        compress_dir(inner, all);
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|coding| coding.trim() == "gzip"))
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
pub async fn serve(Path((hash, path)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let cache = if hash == *SET_HASH { "public, max-age=31536000, immutable" } else { "no-cache" };
    respond(&path, &headers, cache)
}

/// Answers a file at a fixed address (`/widget.js`, `/favicon.ico`): browsers ask again after five minutes.
pub fn fixed(path: &str, headers: &HeaderMap) -> Response {
    respond(path, headers, "public, max-age=300")
}

fn respond(path: &str, headers: &HeaderMap, cache: &'static str) -> Response {
    let Some(file) = FILES.get_file(path) else {
        return (StatusCode::NOT_FOUND, "not found").into_response();
    };
    let common = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type(path))),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    match COMPRESSED.get(path) {
        Some(packed) if accepts_gzip(headers) => {
            (common, [(header::CONTENT_ENCODING, "gzip")], packed.as_slice()).into_response()
        }
        Some(_) | None => (common, file.contents()).into_response(),
    }
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

    async fn get(hash: &str, path: &str) -> Response {
        serve(Path((hash.to_owned(), path.to_owned())), HeaderMap::new()).await
    }

    #[tokio::test]
    async fn the_present_hash_may_be_cached_for_a_year_and_an_old_one_not() {
        let present = get(&SET_HASH, "css/zhitong.css").await;
        assert_eq!(present.status(), StatusCode::OK);
        assert_eq!(present.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(present.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        let old = get("0000", "css/zhitong.css").await;
        assert_eq!(old.headers()[header::CACHE_CONTROL], "no-cache");
    }

    #[tokio::test]
    async fn a_path_outside_the_set_is_not_found() {
        for path in ["../mod.rs", "css/../../mod.rs", "nothing.css", ""] {
            assert_eq!(get(&SET_HASH, path).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn the_first_load_of_the_chat_stays_under_sixty_kilobytes() {
        let files = [
            "css/zhitong.css",
            "css/chat.css",
            "js/prefs.js",
            "js/dom.js",
            "js/stream.js",
            "js/drafts.js",
            "js/chat.js",
            "js/chat-log.js",
            "js/chat-outbox.js",
            "js/chat-status.js",
            "js/chat-wechat.js",
            "js/chat-message.js",
            "js/chat-form.js",
            "js/chat-proposal.js",
            "js/chat-files.js",
            "icons.svg",
            "favicon.svg",
        ];
        let page = include_str!("templates/chat.html").len();
        let total: usize = files
            .iter()
            .map(|path| {
                COMPRESSED.get(*path).map_or_else(|| FILES.get_file(path).map_or(0, |f| f.contents().len()), Vec::len)
            })
            .sum();
        assert!(total > 10_000, "the list names files that exist");
        assert!(total + page < 60 * 1024, "{total} + {page} bytes");
    }
}
