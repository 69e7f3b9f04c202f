//! The shape of a prompt file: front matter (TOML between two lines `+++`), then the sections `# system` and `# user`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::domain::rules::{
    Diagnostic, Level,
    source::{FileText, nearest, syntax_error},
};

/// Front matter as written; spans are offsets within it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFront {
    pub(super) id: Spanned<String>,
    pub(super) version: Spanned<String>,
    pub(super) owner: String,
    pub(super) task: Spanned<String>,
    pub(super) variables: Vec<Spanned<String>>,
    pub(super) output: Spanned<RawOutput>,
    pub(super) schema: Option<Spanned<String>>,
    pub(super) max_tokens: Spanned<u32>,
    #[serde(default)]
    pub(super) tests: Vec<Spanned<RawTest>>,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawOutput {
    Text,
    Json,
}

/// One rendering that is tried whenever the file is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTest {
    pub(super) name: String,
    #[serde(default)]
    pub(super) values: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) contains: Vec<String>,
    #[serde(default)]
    pub(super) lacks: Vec<String>,
}

/// The parts of a prompt file.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) front: RawFront,
    /// Where the front matter begins.
    pub(super) base: usize,
    /// Text below `# system` and where it begins.
    pub(super) system: (usize, &'a str),
    /// Text below `# user` and where it begins.
    pub(super) user: (usize, &'a str),
}

const FIELDS: &[&str] = &[
    "id",
    "version",
    "owner",
    "task",
    "variables",
    "output",
    "schema",
    "max_tokens",
    "tests",
    "name",
    "values",
    "contains",
    "lacks",
];

/// Cuts a file into its parts.
pub(super) fn read<'a>(file: &FileText<'a>) -> Result<Parts<'a>, Vec<Diagnostic>> {
    let fail = |offset: usize, message: &str, help: &str| {
        vec![file.finding("P001", Level::Error, offset, message, Some(help.to_owned()))]
    };
    let Some(base) = opening(file.text) else {
        return Err(fail(0, "文件第一行应当是 +++", "把编号、版本等写在两行 +++ 之间"));
    };
    let Some(end) = fence(file.text, base) else {
        return Err(fail(0, "找不到收尾的 +++", "在正文前另起一行写 +++"));
    };
    let text = file.text.get(base..end.0).unwrap_or_default();
    let front: RawFront = toml::from_str(text).map_err(|error| vec![explain(file, base, &error)])?;
    let system = section(file.text, end.1, "# system");
    let user = section(file.text, end.1, "# user");
    let (Some(system), Some(user)) = (system, user) else {
        return Err(fail(end.1, "正文缺少 # system 或 # user 一节", "两节都要有，标题单独占一行"));
    };
    Ok(Parts { front, base, system, user })
}

/// Where the text behind the first fence begins.
fn opening(text: &str) -> Option<usize> {
    let skipped = text.len() - text.trim_start_matches(['\u{FEFF}', '\n', '\r', ' ']).len();
    let rest = text.get(skipped..)?;
    let line = rest.lines().next()?;
    (line.trim_end() == "+++").then(|| (skipped + line.len() + 1).min(text.len()))
}

/// Begin and end of the next line that is a fence.
fn fence(text: &str, from: usize) -> Option<(usize, usize)> {
    lines(text, from).find(|(_, line)| line.trim_end() == "+++").map(|(at, line)| (at, at + line.len()))
}

/// Lines with their offsets, line breaks included.
fn lines(text: &str, from: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut at = from;
    text.get(from..).unwrap_or_default().split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line)
    })
}

/// The trimmed text of a section: from the line behind its heading to the next of the two headings.
fn section<'a>(text: &'a str, from: usize, heading: &str) -> Option<(usize, &'a str)> {
    let (at, line) = lines(text, from).find(|(_, line)| line.trim_end() == heading)?;
    let start = at + line.len();
    let end = lines(text, start)
        .find(|(_, line)| matches!(line.trim_end(), "# system" | "# user"))
        .map_or(text.len(), |(at, _)| at);
    let body = text.get(start..end)?;
    let lead = body.len() - body.trim_start().len();
    Some((start + lead, body.trim()))
}

/// What is said about front matter that cannot be read.
fn explain(file: &FileText<'_>, base: usize, error: &toml::de::Error) -> Diagnostic {
    let message = error.message();
    let at = base + error.span().map_or(0, |span| span.start);
    let named = message.split('`').nth(1).unwrap_or_default();
    if message.starts_with("unknown field") {
        let help = nearest(named, FIELDS.iter().copied()).map(|known| format!("是不是想写 {known}"));
        return file.finding("P002", Level::Error, at, format!("没有“{named}”这个字段"), help);
    }
    if message.starts_with("missing field") {
        return file.finding("P002", Level::Error, at, format!("缺少字段 {named}"), None);
    }
    if message.starts_with("invalid type") || message.starts_with("unknown variant") {
        return file.finding("P002", Level::Error, at, format!("字段的值不对（{message}）"), None);
    }
    let mut finding = syntax_error(file, base, error);
    finding.code = "P001";
    finding
}
