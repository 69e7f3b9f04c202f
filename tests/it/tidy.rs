//! Tests about the source tree itself: who may import whom, what is vendored, what never stands in the tree.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a module may name under `crate::`, and which outside crates it must not name.
struct Room {
    module: &'static str,
    may_use: &'static [&'static str],
    never: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    Room {
        module: "domain",
        may_use: &["domain", "vocabulary"],
        never: &[
            "tokio",
            "sqlx",
            "axum",
            "reqwest",
            "serde_json",
            "std::fs",
            "std::env",
            "std::net",
            "rand",
            "tracing",
        ],
    },
    Room { module: "ports", may_use: &["domain", "ports", "vocabulary"], never: &["tokio", "sqlx", "axum", "reqwest"] },
    Room {
        module: "store",
        may_use: &["domain", "ports", "store", "vocabulary", "on_backend", "store_test", "row_struct"],
        never: &["axum", "reqwest"],
    },
    Room { module: "channels", may_use: &["domain", "ports", "channels", "vocabulary"], never: &["sqlx"] },
    Room { module: "model", may_use: &["domain", "ports", "model", "vocabulary"], never: &["sqlx", "axum"] },
    Room {
        module: "app",
        may_use: &["app", "domain", "ports", "store", "config", "vocabulary"],
        never: &["axum", "reqwest", "sqlx"],
    },
    Room { module: "jobs", may_use: &["app", "domain", "jobs", "ports", "config"], never: &["axum", "sqlx"] },
    Room {
        module: "web",
        may_use: &["app", "channels", "domain", "web", "config", "ports", "vocabulary"],
        never: &["sqlx", "reqwest"],
    },
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

fn rust_files(dir: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&root().join(dir), ".rs", &mut found);
    found.sort();
    found
}

/// The text without its unit tests and without comment lines.
fn shipped_code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Every `crate::NAME` of the code, also within `use crate::{a, b::c}`.
fn crate_names(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| is_word(c) || c == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut item = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if (c == ',' && depth == 1) || depth == 0 {
                    names.push(item.trim().chars().take_while(|&c| is_word(c)).collect());
                    item.clear();
                    if depth == 0 {
                        break;
                    }
                } else {
                    item.push(c);
                }
            }
        } else {
            names.push(rest.chars().take_while(|&c| is_word(c)).collect());
        }
    }
    names.retain(|name: &String| !name.is_empty());
    names
}

#[test]
fn every_module_imports_only_what_it_may() {
    let mut wrong = Vec::new();
    for room in ROOMS {
        for path in rust_files("src") {
            let relative =
                path.strip_prefix(root().join("src")).expect("below src").to_string_lossy().replace('\\', "/");
            if relative != format!("{}.rs", room.module) && !relative.starts_with(&format!("{}/", room.module)) {
                continue;
            }
            if relative.ends_with("/tests.rs") {
                // Unit tests in a file of their own.
                continue;
            }
            let code = shipped_code(&fs::read_to_string(&path).expect("source file reads"));
            for name in crate_names(&code) {
                if !room.may_use.contains(&name.as_str()) {
                    wrong.push(format!("{relative}: crate::{name} is not for {}", room.module));
                }
            }
            for name in room.never {
                for (at, _) in code.match_indices(&format!("{name}::")) {
                    if !code[..at].ends_with(|c: char| is_word(c) || c == ':') {
                        wrong.push(format!("{relative}: {name} is not for {}", room.module));
                        break;
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn serde_in_the_domain_stands_only_in_file_shapes() {
    let wrong: Vec<_> = rust_files("src/domain")
        .into_iter()
        .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("file.rs")))
        .filter(|path| {
            let code = shipped_code(&fs::read_to_string(path).expect("source file reads"));
            code.contains("serde::") || code.contains("Deserialize)") || code.contains("Serialize)")
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn nothing_unfinished_is_left_in_the_tree() {
    let mut wrong = Vec::new();
    for path in rust_files("src").into_iter().chain(rust_files("tests")).chain(rust_files("benches")) {
        if path.ends_with("tidy.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("source file reads");
        for mark in ["#[ignore", "todo!(", "unimplemented!(", "#[allow(", "dbg!("] {
            if text.contains(mark) {
                wrong.push(format!("{}: {mark}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sql_is_never_built_from_input() {
    let mut wrong = Vec::new();
    for path in rust_files("src") {
        let relative = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        let code = shipped_code(&fs::read_to_string(&path).expect("source file reads"));
        for line in code.lines() {
            if line.contains("query(&format!")
                || line.contains("query_as(&format!")
                || line.contains("query_scalar(&format!")
            {
                wrong.push(format!("{relative}: {}", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_vendored_folder_has_its_licence_and_its_line() {
    let vendor = root().join("src/web/static/vendor");
    let list = fs::read_to_string(vendor.join("README.md")).expect("the list of vendored files");
    let mut count = 0;
    for entry in fs::read_dir(&vendor).expect("vendor folder").flatten() {
        if !entry.path().is_dir() {
            continue;
        }
        count += 1;
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(entry.path().join("LICENSE").exists(), "{name} has no LICENSE");
        assert!(list.contains(&name), "{name} is not in vendor/README.md");
    }
    assert!(count > 0);
}

#[test]
fn pages_load_nothing_from_elsewhere_and_run_no_inline_script() {
    let mut found = Vec::new();
    files(&root().join("src/web/templates"), ".html", &mut found);
    files(&root().join("templates"), ".html", &mut found);
    assert!(!found.is_empty(), "no templates found");
    let mut wrong = Vec::new();
    for path in found {
        let text = fs::read_to_string(&path).expect("template reads");
        for mark in [
            "src=\"http",
            "href=\"http",
            "src=\"//",
            "<style",
            " style=\"",
            " onclick=",
            " onsubmit=",
            " onload=",
            "<script>",
        ] {
            if text.contains(mark) {
                wrong.push(format!("{}: {mark}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
