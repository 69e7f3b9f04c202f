//! `{{变量}}` and `{{变量|json}}`: filling in, once and without looking at what was filled in.

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it stands.
    Text(String),
    /// A value as it is.
    Raw(String),
    /// A value as a JSON string literal, with its quotes.
    Json(String),
}

/// Where a template is broken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Byte offset.
    pub(super) at: usize,
    /// What is wrong, in Chinese.
    pub(super) what: String,
}

/// A place where a value goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) name: String,
    pub(super) json: bool,
}

/// Cuts a template into pieces and tells where the values go.
pub(super) fn parse(text: &str) -> Result<(Vec<Piece>, Vec<Place>), Broken> {
    let mut pieces = Vec::new();
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("{{")) {
        let start = at + found;
        let inner_at = start + 2;
        let Some(length) = text.get(inner_at..).and_then(|rest| rest.find("}}")) else {
            return Err(Broken { at: start, what: "“{{”没有对应的“}}”".to_owned() });
        };
        let inner = text.get(inner_at..inner_at + length).unwrap_or_default();
        let (name, filter) = match inner.split_once('|') {
            Some((name, filter)) => (name.trim(), Some(filter.trim())),
            None => (inner.trim(), None),
        };
        if name.is_empty() || name.contains(['{', '}', '\n']) {
            return Err(Broken { at: start, what: format!("“{{{{{inner}}}}}”里应当是变量名") });
        }
        let json = match filter {
            None => false,
            Some("json") => true,
            Some(other) => {
                return Err(Broken { at: start, what: format!("没有“{other}”这种写法，只有 |json") });
            }
        };
        if start > at {
            pieces.push(Piece::Text(text.get(at..start).unwrap_or_default().to_owned()));
        }
        pieces.push(if json { Piece::Json(name.to_owned()) } else { Piece::Raw(name.to_owned()) });
        places.push(Place { at: start, name: name.to_owned(), json });
        at = inner_at + length + 2;
    }
    let rest = text.get(at..).unwrap_or_default();
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok((pieces, places))
}

/// The template with its values; `None` names never happen when the caller checked them.
pub(super) fn fill(pieces: &[Piece], value: &dyn Fn(&str) -> String) -> String {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Raw(name) => out.push_str(&value(name)),
            Piece::Json(name) => literal(&value(name), &mut out),
        }
    }
    out
}

/// A JSON string literal. `<`, `>` and `&` are escaped as well: some models take tags for instructions.
fn literal(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{7f}'..='\u{9f}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}
