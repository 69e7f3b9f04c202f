//! The body of a callback: XML or JSON, plain or with an `Encrypt` field; read into a tree, written as an envelope.
//!
//! No DTD, no entity beyond the five of XML, no field twice at the top. Beside an `Encrypt` field nothing counts: it is
//! not covered by the signature.

use std::borrow::Cow;

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Value, json};

use super::Refusal;

/// Elements and texts of one body at most: a real one has a few dozen.
const MOST_NODES: u32 = 1_000;

/// The data format of an account, seen from the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `<xml>…</xml>`.
    Xml,
    /// `{…}`.
    Json,
}

/// Fields of a body; nested ones are fields of a field.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields(Vec<(String, Field)>);

#[derive(Debug, Clone, PartialEq)]
enum Field {
    Text(String),
    Nested(Fields),
}

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn parse(body: &[u8]) -> Result<(Self, Format), Refusal> {
        let text = std::str::from_utf8(body).map_err(|_| Refusal::Malformed)?;
        let text = text.trim_start_matches('\u{FEFF}').trim();
        if text.starts_with('{') {
            let value: Value = serde_json::from_str(text).map_err(|_| Refusal::Malformed)?;
            let Value::Object(_) = value else { return Err(Refusal::Malformed) };
            return Ok((Self::of_json(&value, 0)?, Format::Json));
        }
        // XML 1.0 has no place for these characters; a message that holds one is still a message.
        let clean = without_controls(text);
        let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
        let document = Document::parse_with_options(&clean, options).map_err(|_| Refusal::Malformed)?;
        let root = document.root_element();
        if root.tag_name().name() != "xml" {
            return Err(Refusal::Malformed);
        }
        let fields = Self::of_xml(root, 0)?;
        let mut names: Vec<&str> = fields.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(Refusal::Malformed);
        }
        Ok((fields, Format::Xml))
    }

    fn of_xml(parent: Node<'_, '_>, depth: usize) -> Result<Self, Refusal> {
        if depth > 8 {
            return Err(Refusal::Malformed);
        }
        let mut fields = Vec::new();
        for node in parent.children().filter(Node::is_element) {
            let name = node.tag_name().name().to_owned();
            let field = if node.children().any(|child| child.is_element()) {
                Field::Nested(Self::of_xml(node, depth + 1)?)
            } else {
                Field::Text(node.children().filter_map(|child| child.text()).collect())
            };
            fields.push((name, field));
        }
        Ok(Self(fields))
    }

    /// A list of several entries is an array, of one entry an object: both become fields of the same name.
    fn of_json(value: &Value, depth: usize) -> Result<Self, Refusal> {
        if depth > 8 {
            return Err(Refusal::Malformed);
        }
        let Value::Object(map) = value else { return Ok(Self::default()) };
        let mut fields = Vec::new();
        for (name, value) in map {
            let entries = match value {
                Value::Array(entries) => entries.as_slice(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                    std::slice::from_ref(value)
                }
            };
            for entry in entries {
                let field = match entry {
                    Value::Null => Field::Text(String::new()),
                    Value::Bool(flag) => Field::Text(flag.to_string()),
                    Value::Number(number) => Field::Text(number.to_string()),
                    Value::String(text) => Field::Text(text.clone()),
                    Value::Object(_) | Value::Array(_) => Field::Nested(Self::of_json(entry, depth + 1)?),
                };
                fields.push((name.clone(), field));
            }
        }
        Ok(Self(fields))
    }

    /// The words of a field; `None` when there is none or it is empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(known, field)| match field {
            Field::Text(text) if known == name && !text.is_empty() => Some(text.as_str()),
            Field::Text(_) | Field::Nested(_) => None,
        })
    }

    /// A field that has fields.
    pub fn nested(&self, name: &str) -> Option<&Self> {
        self.0.iter().find_map(|(known, field)| match field {
            Field::Nested(fields) if known == name => Some(fields),
            Field::Nested(_) | Field::Text(_) => None,
        })
    }
}

/// What neither XML nor a phone can show.
pub(super) const fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{7F}' | '\u{FFFE}' | '\u{FFFF}')
}

/// The text without what neither XML nor a phone can show; most texts have none of it.
pub(super) fn without_controls(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_control) {
        Cow::Owned(text.chars().filter(|c| !is_control(*c)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The envelope of an encrypted reply; `timestamp` in seconds.
pub fn seal(format: Format, encrypt: &str, signature: &str, timestamp: i64, nonce: &str) -> String {
    match format {
        Format::Xml => format!(
            "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
             <TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        ),
        Format::Json => {
            json!({"Encrypt": encrypt, "MsgSignature": signature, "TimeStamp": timestamp, "Nonce": nonce}).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Fields, Refusal> {
        Fields::parse(body.as_bytes()).map(|(fields, _)| fields)
    }

    #[test]
    fn fields_are_read_in_any_order_with_and_without_cdata() {
        let fields = parse(
            "\u{FEFF}<xml>\n <A><![CDATA[a]]></A>\n<B>2</B><C><D>x</D></C><E/><F><![CDATA[]]]]><![CDATA[>]]></F></xml>\n",
        )
        .unwrap();
        assert_eq!((fields.text("A"), fields.text("B"), fields.text("E")), (Some("a"), Some("2"), None));
        assert_eq!(fields.nested("C").and_then(|c| c.text("D")), Some("x"));
        assert_eq!(fields.text("F"), Some("]]>"));
        assert_eq!(parse("<xml><A><![CDATA[a\nb]]></A></xml>").unwrap().text("A"), Some("a\nb"), "not trimmed");
        assert_eq!(parse("<xml><A>a\u{8}b</A></xml>").unwrap().text("A"), Some("ab"));
    }

    #[test]
    fn hostile_bodies_are_refused() {
        let deep = format!("<xml>{}{}</xml>", "<a>".repeat(20), "</a>".repeat(20));
        let deepest = format!("{}{}", "<xml>".repeat(50_000), "</xml>".repeat(50_000));
        let wide = format!("<xml>{}</xml>", "<a/>".repeat(5_000));
        for bad in [
            "",
            "<xml>",
            "text",
            "[1]",
            "{",
            "<html><A>1</A></html>",
            "<!DOCTYPE xml [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><xml><A>&x;</A></xml>",
            "<!DOCTYPE xml [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><xml><A>&b;</A></xml>",
            "<xml><A>&nope;</A></xml>",
            "<xml><A>1</A><A>2</A></xml>",
            &deep,
            &deepest,
            &wide,
        ] {
            assert_eq!(parse(bad), Err(Refusal::Malformed), "{}", bad.chars().take(40).collect::<String>());
        }
        assert_eq!(Fields::parse(b"<xml><A>\xff</A></xml>"), Err(Refusal::Malformed));
    }

    #[test]
    fn a_text_about_document_types_is_a_text() {
        let fields = parse("<xml><Content><![CDATA[<!DOCTYPE html> 是什么 &amp;]]></Content></xml>").unwrap();
        assert_eq!(fields.text("Content"), Some("<!DOCTYPE html> 是什么 &amp;"));
    }

    #[test]
    fn json_lists_of_one_and_of_several_are_alike() {
        let (one, format) = Fields::parse(br#"{"List":{"TemplateId":"t"},"N":12,"S":"x"}"#).unwrap();
        assert_eq!(format, Format::Json);
        assert_eq!(one.nested("List").and_then(|l| l.text("TemplateId")), Some("t"));
        assert_eq!((one.text("N"), one.text("S")), (Some("12"), Some("x")));
        let (several, _) = Fields::parse(br#"{"List":[{"TemplateId":"t"},{"TemplateId":"u"}]}"#).unwrap();
        assert_eq!(several.nested("List").and_then(|l| l.text("TemplateId")), Some("t"));
    }
}
