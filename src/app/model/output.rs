//! The output contracts: from what a model wrote to typed drafts, whole or while it is still writing.
//!
//! Reading is tolerant about form (code fences, words around the object, a single id instead of a list) and strict
//! about content: what is missing or ambiguous is a failure and never a guess.

use serde_json::{Value, json};

use crate::domain::grounding::{Breach, BreachKind, Draft, Limits, SentenceGate, Source, Status};

/// Sources as the prompts hand them over: a JSON array of `{id, 标题, 正文, 通俗说法, 依据}`.
pub fn sources_json(sources: &[Source]) -> String {
    let item = |source: &Source| {
        json!({
            "id": source.id, "标题": source.title, "正文": source.text, "通俗说法": source.plain,
            "依据": source.references(),
        })
    };
    Value::from(sources.iter().map(item).collect::<Vec<_>>()).to_string()
}

/// Texts as a JSON array.
pub fn texts_json<S: AsRef<str>>(texts: &[S]) -> String {
    Value::from(texts.iter().map(|text| Value::from(text.as_ref())).collect::<Vec<_>>()).to_string()
}

/// A title and a one-sentence demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Titled {
    /// Title.
    pub title: String,
    /// What the enterprise wants, one sentence.
    pub demand: String,
}

/// A proposal of type, topic, urgency and slots; slugs as the model wrote them, to be checked by the caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Classified {
    /// Slug of the case type.
    pub case_type: Option<String>,
    /// Topic code.
    pub topic: Option<String>,
    /// Slug of the urgency.
    pub urgency: Option<String>,
    /// Slot and value.
    pub slots: Vec<(String, String)>,
}

/// What an officer who takes over needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// The matter in two or three sentences.
    pub summary: String,
    /// What the enterprise wants.
    pub demand: String,
    /// Facts it stated.
    pub facts: Vec<String>,
    /// What it was already told or asked.
    pub asked: Vec<String>,
    /// What is still open.
    pub open: Vec<String>,
}

/// Reads the answer contract `{status, cites, answer, confidence}`.
///
/// # Errors
/// `malformed` with what is wrong.
pub fn draft(text: &str) -> Result<Draft, Breach> {
    let value = object(text)?;
    let status = match field(&value, "status") {
        Some(word) => word.trim().parse().map_err(|_| malformed("status"))?,
        None => return Err(malformed("status")),
    };
    let confidence = match value.get("confidence") {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(word)) => word.trim().parse().ok(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
    };
    let answer = match value.get("answer") {
        Some(Value::String(answer)) => answer.trim().to_owned(),
        Some(Value::Null) | None if status != Status::Answered => String::new(),
        _ => return Err(malformed("answer")),
    };
    Ok(Draft {
        status,
        answer,
        cites: cites(value.get("cites"))?,
        confidence: confidence.filter(|c| c.is_finite()).map(|c| c as f32),
    })
}

/// Reads `{title, demand}`.
///
/// # Errors
/// `malformed`.
pub fn titled(text: &str) -> Result<Titled, Breach> {
    let value = object(text)?;
    let get = |name: &'static str| field(&value, name).ok_or_else(|| malformed(name));
    Ok(Titled { title: get("title")?, demand: get("demand")? })
}

/// Reads `{type, topic, urgency, slots}`; null and missing fields are no proposal.
///
/// # Errors
/// `malformed`.
pub fn classified(text: &str) -> Result<Classified, Breach> {
    let value = object(text)?;
    let slots = match value.get("slots") {
        Some(Value::Object(map)) => {
            map.iter().filter_map(|(slot, value)| Some((slot.clone(), scalar(value)?))).collect()
        }
        _ => Vec::new(),
    };
    Ok(Classified {
        case_type: field(&value, "type"),
        topic: field(&value, "topic"),
        urgency: field(&value, "urgency"),
        slots,
    })
}

/// Reads `{summary, demand, facts, asked, open}`.
///
/// # Errors
/// `malformed`.
pub fn summary(text: &str) -> Result<Summary, Breach> {
    let value = object(text)?;
    let list = |name: &str| match value.get(name) {
        Some(Value::Array(items)) => items.iter().filter_map(scalar).collect(),
        Some(other) => scalar(other).into_iter().collect(),
        None => Vec::new(),
    };
    Ok(Summary {
        summary: field(&value, "summary").ok_or_else(|| malformed("summary"))?,
        demand: field(&value, "demand").unwrap_or_default(),
        facts: list("facts"),
        asked: list("asked"),
        open: list("open"),
    })
}

fn malformed(what: &str) -> Breach {
    Breach { kind: BreachKind::Malformed, what: what.to_owned() }
}

/// A text field that is not empty.
fn field(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Ids as a list, a single text, or objects with an id.
fn cites(value: Option<&Value>) -> Result<Vec<String>, Breach> {
    let mut out: Vec<String> = Vec::new();
    let mut add = |id: &str| {
        let id = id.trim();
        if !id.is_empty() && !out.iter().any(|known| known == id) {
            out.push(id.to_owned());
        }
    };
    match value {
        Some(Value::Array(items)) => {
            for item in items {
                match (item, item.get("id")) {
                    (Value::String(id), _) | (_, Some(Value::String(id))) => add(id),
                    _ => return Err(malformed("cites")),
                }
            }
        }
        Some(Value::String(id)) => add(id),
        Some(Value::Null) | None => {}
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => return Err(malformed("cites")),
    }
    Ok(out)
}

/// The one JSON object in the text. Two objects are ambiguous: one of them may be quoted from somebody.
fn object(text: &str) -> Result<Value, Breach> {
    let mut found: Option<Value> = None;
    let mut at = 0;
    while let Some(open) = text.get(at..).and_then(|rest| rest.find('{')) {
        let start = at + open;
        let rest = text.get(start..).unwrap_or_default();
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value @ Value::Object(_))) => {
                if found.is_some() {
                    return Err(malformed("two objects"));
                }
                found = Some(value);
                at = start + stream.byte_offset();
            }
            _ => at = start + 1,
        }
    }
    found.ok_or_else(|| malformed("no object"))
}

/// What stands in front of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The model's status.
    pub status: Status,
    /// The sources it names.
    pub cites: Vec<String>,
}

/// Where the reader stands in the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the object.
    Outside,
    /// Between members.
    Members,
    /// In the name of a member.
    Name,
    /// Behind a name, before its value.
    Colon,
    /// In a value that is kept raw.
    Value,
    /// In the answer.
    Answer,
    /// The object is over, or it is none.
    Over,
}

/// Reads the answer contract while it is being written: hands out the growing answer, once status and sources are
/// known. An answer that comes before its sources is never handed out early.
#[derive(Debug, Clone)]
pub struct AnswerReader {
    at: At,
    name: String,
    raw: String,
    depth: u32,
    quoted: bool,
    escape: Option<String>,
    high: Option<u32>,
    status: Option<Status>,
    cites: Option<Vec<String>>,
}

impl Default for AnswerReader {
    fn default() -> Self {
        Self {
            at: At::Outside,
            name: String::new(),
            raw: String::new(),
            depth: 0,
            quoted: false,
            escape: None,
            high: None,
            status: None,
            cites: None,
        }
    }
}

impl AnswerReader {
    /// Status and sources, as soon as both are known.
    pub fn head(&self) -> Option<Head> {
        Some(Head { status: self.status?, cites: self.cites.clone()? })
    }

    /// Takes the next piece; returns what it adds to the answer.
    pub fn push(&mut self, piece: &str) -> String {
        let mut answer = String::new();
        for c in piece.chars() {
            self.step(c, &mut answer);
        }
        answer
    }

    fn step(&mut self, c: char, answer: &mut String) {
        match self.at {
            At::Outside => {
                if c == '{' {
                    self.at = At::Members;
                }
            }
            At::Members => match c {
                '"' => {
                    self.name.clear();
                    self.at = At::Name;
                }
                '}' => self.at = At::Over,
                ',' => {}
                _ if c.is_whitespace() => {}
                // No object after all; the next brace may be one.
                _ => self.at = if c == '{' { At::Members } else { At::Outside },
            },
            At::Name => match c {
                '"' => self.at = At::Colon,
                _ => self.name.push(c),
            },
            At::Colon => match c {
                ':' => {}
                _ if c.is_whitespace() => {}
                '"' if self.name == "answer" => {
                    let ready = self.status == Some(Status::Answered) && self.cites.is_some();
                    self.at = if ready { At::Answer } else { At::Over };
                }
                _ => {
                    self.raw.clear();
                    self.depth = 0;
                    self.quoted = false;
                    self.escape = None;
                    self.at = At::Value;
                    self.value(c);
                }
            },
            At::Value => self.value(c),
            At::Answer => self.answer(c, answer),
            At::Over => {}
        }
    }

    /// A value that is not the answer, kept until it is whole.
    fn value(&mut self, c: char) {
        if self.quoted {
            self.raw.push(c);
            if self.escape.take().is_none() {
                match c {
                    '\\' => self.escape = Some(String::new()),
                    '"' => self.quoted = false,
                    _ => {}
                }
            }
            return;
        }
        match c {
            '"' => self.quoted = true,
            '[' | '{' => self.depth += 1,
            ']' | '}' if self.depth > 0 => self.depth -= 1,
            ',' | '}' if self.depth == 0 => {
                self.keep();
                self.at = if c == '}' { At::Over } else { At::Members };
                return;
            }
            _ => {}
        }
        self.raw.push(c);
    }

    fn keep(&mut self) {
        let value: Option<Value> = serde_json::from_str(self.raw.trim()).ok();
        match self.name.as_str() {
            "status" => self.status = value.as_ref().and_then(Value::as_str).and_then(|word| word.trim().parse().ok()),
            "cites" => self.cites = cites(value.as_ref()).ok(),
            _ => {}
        }
        self.raw.clear();
    }

    fn answer(&mut self, c: char, answer: &mut String) {
        let Some(mut escape) = self.escape.take() else {
            match c {
                '\\' => self.escape = Some(String::new()),
                '"' => self.at = At::Over,
                _ => answer.push(c),
            }
            return;
        };
        escape.push(c);
        if escape.starts_with('u') {
            if escape.len() < 5 {
                self.escape = Some(escape);
                return;
            }
            let unit = escape.get(1..).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or(0xFFFD);
            match (self.high.take(), unit) {
                (_, 0xD800..=0xDBFF) => self.high = Some(unit),
                (Some(high), 0xDC00..=0xDFFF) => {
                    let code = 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00);
                    answer.push(char::from_u32(code).unwrap_or('\u{FFFD}'));
                }
                _ => answer.push(char::from_u32(unit).unwrap_or('\u{FFFD}')),
            }
            return;
        }
        answer.push(match c {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' | 'f' => ' ',
            other => other,
        });
    }
}

/// A streamed answer: reads it as it comes and hands out the sentences that passed.
#[derive(Debug, Clone)]
pub struct AnswerStream {
    reader: AnswerReader,
    sources: Vec<Source>,
    limits: Limits,
    gate: Option<SentenceGate>,
}

impl AnswerStream {
    /// For an answer to these sources.
    pub fn new(sources: &[Source], limits: &Limits) -> Self {
        Self { reader: AnswerReader::default(), sources: sources.to_vec(), limits: limits.clone(), gate: None }
    }

    /// Takes the next piece; hands out whole sentences that passed every check.
    pub fn push(&mut self, piece: &str) -> Vec<String> {
        let text = self.reader.push(piece);
        if text.is_empty() {
            return Vec::new();
        }
        if self.gate.is_none() {
            let Some(head) = self.reader.head() else { return Vec::new() };
            self.gate = Some(SentenceGate::new(&self.sources, &head.cites, &self.limits));
        }
        self.gate.as_mut().map_or_else(Vec::new, |gate| gate.push(&text))
    }

    /// The text is over; hands out the last sentence.
    pub fn finish(&mut self) -> Vec<String> {
        self.gate.as_mut().map_or_else(Vec::new, SentenceGate::finish)
    }

    /// Whether a sentence failed: nothing comes out any more, and the whole answer will fail as well.
    pub fn is_closed(&self) -> bool {
        self.gate.as_ref().is_some_and(SentenceGate::is_closed)
    }

    /// Why it closed.
    pub fn breaches(&self) -> &[Breach] {
        self.gate.as_ref().map_or(&[], SentenceGate::breaches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = r#"{"status":"answered","cites":["a"],"answer":"自用工之日起30日内办理登记。\n“材料”见\u003f\ud83d\ude00","confidence":0.9}"#;

    fn source() -> Source {
        Source::of_text("a", "参保", "自用工之日起30日内办理登记。每人补贴1500元。")
    }

    #[test]
    fn the_contract_is_read_whatever_stands_around_it() {
        let good = draft(SAID).expect("it reads");
        assert_eq!(good.answer, "自用工之日起30日内办理登记。\n“材料”见?😀");
        assert_eq!((good.status, good.cites.as_slice()), (Status::Answered, &["a".to_owned()][..]));
        for text in [
            format!("```json\n{SAID}\n```"),
            format!("好的，答复如下：\n{SAID}\n以上。"),
            format!("{{这里不是对象}} {SAID}"),
            SAID.replace("[\"a\"]", "\"a\""),
            SAID.replace("[\"a\"]", "[{\"id\":\"a\",\"quote\":\"…\"}, \"a\"]"),
            SAID.replace("0.9", "\"0.9\""),
            SAID.replace("answered", "已答复"),
        ] {
            assert_eq!(
                draft(&text).map(|d| (d.cites, d.answer)),
                Ok((good.cites.clone(), good.answer.clone())),
                "{text}"
            );
        }
        let silent = draft(r#"{"status":"not_found","cites":[],"answer":null}"#).expect("it reads");
        assert_eq!((silent.status, silent.answer.as_str(), silent.confidence), (Status::NotFound, "", None));
    }

    #[test]
    fn what_is_no_contract_is_malformed() {
        for text in [
            "",
            "自用工之日起30日内。",
            "<html>502</html>",
            "{\"status\":\"answered\"",
            r#"{"cites":["a"],"answer":"x"}"#,
            r#"{"status":"yes","cites":["a"],"answer":"x"}"#,
            r#"{"status":"answered","cites":["a"]}"#,
            r#"{"status":"answered","cites":["a"],"answer":["x"]}"#,
            r#"{"status":"answered","cites":[1],"answer":"x"}"#,
            &format!("{SAID}{SAID}"),
        ] {
            assert_eq!(draft(text).map_err(|b| b.kind), Err(BreachKind::Malformed), "{text}");
        }
    }

    #[test]
    fn other_outputs_are_read() {
        assert_eq!(
            titled("{\"title\":\" 停水 \",\"demand\":\"希望供水\"}"),
            Ok(Titled { title: "停水".into(), demand: "希望供水".into() })
        );
        assert!(titled("{\"title\":\"\",\"demand\":\"希望\"}").is_err());
        let proposal =
            classified(r#"{"type":"stuck","topic":null,"slots":{"amount":5,"place":"","x":[1]}}"#).expect("it reads");
        assert_eq!(proposal.case_type.as_deref(), Some("stuck"));
        assert_eq!((proposal.topic, proposal.slots), (None, vec![("amount".to_owned(), "5".to_owned())]));
        let told = summary(r#"{"summary":"停水三天","facts":["停水"],"open":"哪个园区"}"#).expect("it reads");
        assert_eq!((told.facts.len(), told.asked.len(), told.open), (1, 0, vec!["哪个园区".to_owned()]));
    }

    #[test]
    fn the_answer_grows_as_it_is_written_and_only_behind_its_sources() {
        let whole = draft(SAID).expect("it reads").answer;
        for size in 1..SAID.chars().count() {
            let mut reader = AnswerReader::default();
            let chars: Vec<char> = SAID.chars().collect();
            let read: String = chars.chunks(size).map(|piece| reader.push(&piece.iter().collect::<String>())).collect();
            assert_eq!(read, whole, "pieces of {size}");
        }
        for early in [
            r#"{"answer":"自用工之日起30日内。","status":"answered","cites":["a"]}"#,
            r#"{"status":"not_found","cites":["a"],"answer":"自用工之日起30日内。"}"#,
            r#"{"status":"answered","answer":"自用工之日起30日内。","cites":["a"]}"#,
            r#"{"note":"{\"status\":\"answered\",\"cites\":[\"a\"],\"answer\":\"x\"}","status":"handoff","cites":[],"answer":"y"}"#,
        ] {
            assert_eq!(AnswerReader::default().push(early), "", "{early}");
        }
    }

    #[test]
    fn a_stream_hands_out_sentences_that_pass_and_stops_at_the_first_that_fails() {
        let mut stream = AnswerStream::new(&[source()], &Limits::default());
        assert!(stream.push(r#"```json {"status": "answered", "cites": ["a"], "answer": "自用工之日起30"#).is_empty());
        let mut shown = stream.push("日内办理登记。每人补贴150");
        shown.extend(stream.push("00元。自用工之日起30日内办理登记。\"}"));
        shown.extend(stream.finish());
        assert_eq!(shown, ["自用工之日起30日内办理登记。"]);
        assert!(stream.is_closed());
        assert_eq!(stream.breaches().first().map(|b| b.kind), Some(BreachKind::Amount));
        let mut unknown = AnswerStream::new(&[source()], &Limits::default());
        assert!(unknown.push(&SAID.replace("[\"a\"]", "[\"zz\"]")).is_empty() && unknown.finish().is_empty());
        assert!(unknown.is_closed());
    }

    #[test]
    fn sources_and_texts_are_handed_over_as_json() {
        let value: Value = serde_json::from_str(&sources_json(&[source()])).expect("JSON");
        assert_eq!(value.pointer("/0/id"), Some(&Value::from("a")));
        assert_eq!(texts_json(&["说\"完\""]), r#"["说\"完\""]"#);
    }
}
