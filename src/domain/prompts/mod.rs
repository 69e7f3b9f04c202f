//! Prompts: one file per model task, checked before they count.
//!
//! A prompt names its variables, its answer's form and its own tests. Values that come from people go in as JSON
//! strings; a variable that is unknown or missing is an error and never an empty place. What a model may be told
//! and asked is decided by [`TASKS`]; the files only choose the words.

mod file;
mod task;
mod template;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

pub use self::task::{TASKS, TaskFrame, Variable, frame};
use self::{
    file::{Parts, RawOutput, RawTest},
    template::{Piece, Place},
};
use crate::domain::rules::{Diagnostic, Level, SourceFile, source::FileText};

/// Longest answer that a prompt may ask for, in tokens.
const MAX_TOKENS: u32 = 8_000;

/// The form of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Free text.
    Text,
    /// One JSON object.
    Json {
        /// Its JSON schema, as text.
        schema: String,
    },
}

/// One checked prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Name of the prompt.
    pub id: String,
    /// Version given by its owner.
    pub version: String,
    /// Who answers for it.
    pub owner: String,
    /// Slug of its task.
    pub task: String,
    /// The variables it uses.
    pub variables: Vec<String>,
    /// The form of the answer.
    pub output: Output,
    /// Tokens of the answer at most.
    pub max_tokens: u32,
    /// SHA-256 of the file, hexadecimal.
    pub hash: String,
    /// File it stands in.
    pub file: String,
    system: Vec<Piece>,
    user: Vec<Piece>,
}

/// A prompt with its values filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// What the model is.
    pub system: String,
    /// What it is asked.
    pub user: String,
}

/// Why a prompt cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// No value was given for a variable that the prompt uses.
    #[error("prompt {prompt}: no value for {variable}")]
    Missing {
        /// The prompt.
        prompt: String,
        /// The variable.
        variable: String,
    },
    /// A value was given that its task does not know.
    #[error("prompt {prompt}: its task knows no {variable}")]
    Unknown {
        /// The prompt.
        prompt: String,
        /// The variable.
        variable: String,
    },
}

impl Prompt {
    /// Fills in the values. Values that the task knows and the prompt does not use are left out.
    ///
    /// # Errors
    /// `Missing`, `Unknown`.
    pub fn render(&self, values: &[(&str, &str)]) -> Result<Rendered, RenderError> {
        let known = frame(&self.task).map_or(&[][..], |frame| frame.variables);
        if let Some((name, _)) = values.iter().find(|(name, _)| !known.iter().any(|v| v.name == *name)) {
            return Err(RenderError::Unknown { prompt: self.id.clone(), variable: (*name).to_owned() });
        }
        let value_of =
            |name: &str| values.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned());
        if let Some(name) = self.variables.iter().find(|name| value_of(name).is_none()) {
            return Err(RenderError::Missing { prompt: self.id.clone(), variable: name.clone() });
        }
        let value = |name: &str| value_of(name).unwrap_or_default();
        Ok(Rendered { system: template::fill(&self.system, &value), user: template::fill(&self.user, &value) })
    }

    /// The instructions alone, without values: what an answer must not repeat.
    pub fn instructions(&self) -> String {
        let texts = self.system.iter().chain(&self.user).filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Raw(_) | Piece::Json(_) => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}

/// All prompts, one per task.
#[derive(Debug, Clone, Default)]
pub struct PromptSet {
    by_task: BTreeMap<&'static str, Arc<Prompt>>,
}

/// Whether a file of the prompts folder is a prompt: `*.md`, but not the README.
pub fn is_prompt_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    std::path::Path::new(name).extension().is_some_and(|ending| ending == "md")
        && !name.eq_ignore_ascii_case("readme.md")
}

impl PromptSet {
    /// Reads prompt files; any error refuses the whole set.
    ///
    /// # Errors
    /// Every finding.
    pub fn parse(files: &[SourceFile]) -> Result<Self, Vec<Diagnostic>> {
        let mut findings = Vec::new();
        let mut by_task: BTreeMap<&'static str, Arc<Prompt>> = BTreeMap::new();
        for source in files.iter().filter(|f| is_prompt_file(&f.path)) {
            let file = FileText::new(&source.path, &source.text);
            let parts = match file::read(&file) {
                Ok(parts) => parts,
                Err(found) => {
                    findings.extend(found);
                    continue;
                }
            };
            let mut check = Check { file: &file, base: parts.base, findings: &mut findings };
            let Some((frame, prompt)) = check.prompt(&parts) else { continue };
            if let Some(first) = by_task.get(frame.slug) {
                let message = format!("任务“{}”已有提示词 {}", frame.slug, first.file);
                check.error("P003", parts.front.task.span().start, message, "一项任务只放一个文件");
                continue;
            }
            by_task.insert(frame.slug, Arc::new(prompt));
        }
        if findings.is_empty() {
            for task in TASKS.iter().filter(|task| !by_task.contains_key(task.slug)) {
                findings.push(Diagnostic {
                    code: "P007",
                    level: Level::Error,
                    file: format!("prompts/{}.md", task.slug),
                    line: 1,
                    column: 1,
                    rule: None,
                    message: format!("缺少任务“{}”的提示词", task.slug),
                    help: Some("从发行包的 prompts/ 补上该文件".to_owned()),
                });
            }
        }
        if findings.is_empty() { Ok(Self { by_task }) } else { Err(findings) }
    }

    /// The prompt of a task.
    pub fn of(&self, task: &str) -> Option<&Arc<Prompt>> {
        self.by_task.get(task)
    }

    /// All prompts in the order of their tasks' slugs.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Prompt>> {
        self.by_task.values()
    }
}

struct Check<'a> {
    file: &'a FileText<'a>,
    /// Where the front matter begins.
    base: usize,
    findings: &'a mut Vec<Diagnostic>,
}

impl Check<'_> {
    /// A finding in the front matter.
    fn error(&mut self, code: &'static str, at: usize, message: String, help: &str) {
        self.findings.push(self.file.finding(code, Level::Error, self.base + at, message, Some(help.to_owned())));
    }

    fn prompt(&mut self, parts: &Parts<'_>) -> Option<(&'static TaskFrame, Prompt)> {
        let before = self.findings.len();
        let front = &parts.front;
        let known: Vec<&str> = TASKS.iter().map(|task| task.slug).collect();
        let Some(frame) = frame(front.task.get_ref()) else {
            let message = format!("没有“{}”这项任务", front.task.get_ref());
            self.error("P003", front.task.span().start, message, &format!("可选：{}", known.join("、")));
            return None;
        };
        for (field, name) in [(&front.id, "id"), (&front.version, "version")] {
            if field.get_ref().trim().is_empty() {
                self.error("P002", field.span().start, format!("{name} 不能是空的"), "写上内容");
            }
        }
        if !(1..=MAX_TOKENS).contains(front.max_tokens.get_ref()) {
            let message = format!("max_tokens 应在 1 到 {MAX_TOKENS} 之间");
            self.error("P002", front.max_tokens.span().start, message, "按答复长度填，一个汉字大约一个 token");
        }
        let output = self.output(frame, parts);
        let (system, user, places) = self.templates(parts)?;
        self.variables(frame, parts, &places);
        if self.findings.len() > before {
            return None;
        }
        let mut hasher = Sha256::new();
        hasher.update(self.file.text.as_bytes());
        let hash = hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let prompt = Prompt {
            id: front.id.get_ref().clone(),
            version: front.version.get_ref().clone(),
            owner: front.owner.clone(),
            task: frame.slug.to_owned(),
            variables: front.variables.iter().map(|v| v.get_ref().clone()).collect(),
            output,
            max_tokens: *front.max_tokens.get_ref(),
            hash,
            file: self.file.path.to_owned(),
            system,
            user,
        };
        // JSON mode of some services is refused without the word.
        let json = matches!(prompt.output, Output::Json { .. });
        if json && !prompt.instructions().to_ascii_lowercase().contains("json") {
            let at = front.output.span().start;
            self.error("P009", at, "正文没有出现 JSON 这个词".to_owned(), "写明“只输出一个 JSON 对象”");
        }
        for test in &front.tests {
            self.test(&prompt, test.get_ref(), test.span().start);
        }
        if front.tests.is_empty() {
            self.error("P005", 0, "没有自测".to_owned(), "至少写一个 [[tests]]：用例变量和渲染后必须出现的话");
        }
        (self.findings.len() == before).then_some((frame, prompt))
    }

    fn output(&mut self, frame: &TaskFrame, parts: &Parts<'_>) -> Output {
        let front = &parts.front;
        match (*front.output.get_ref(), &front.schema) {
            (RawOutput::Json, Some(schema)) => {
                for field in frame.fields.iter().filter(|f| !schema.get_ref().contains(&format!("\"{f}\""))) {
                    let message = format!("schema 里没有 \"{field}\"，网关要读这个字段");
                    self.error("P008", schema.span().start, message, "照发行包里的 schema 补上");
                }
                if !frame.json {
                    self.error(
                        "P008",
                        front.output.span().start,
                        "这项任务只要文字".to_owned(),
                        "改成 output = \"text\"",
                    );
                }
                Output::Json { schema: schema.get_ref().clone() }
            }
            (RawOutput::Json, None) => {
                self.error("P008", front.output.span().start, "output 是 json 时要写 schema".to_owned(), "补上 schema");
                Output::Text
            }
            (RawOutput::Text, _) => {
                if frame.json {
                    let at = front.output.span().start;
                    self.error("P008", at, "这项任务要 JSON".to_owned(), "改成 output = \"json\" 并写 schema");
                }
                Output::Text
            }
        }
    }

    /// Both templates and the places of their values, by offset in the file.
    fn templates(&mut self, parts: &Parts<'_>) -> Option<(Vec<Piece>, Vec<Piece>, Vec<Place>)> {
        let mut places = Vec::new();
        let mut parsed = Vec::new();
        for (start, text) in [parts.system, parts.user] {
            match template::parse(text) {
                Ok((pieces, found)) => {
                    places.extend(found.into_iter().map(|p| Place { at: start + p.at, ..p }));
                    parsed.push(pieces);
                }
                Err(broken) => {
                    self.findings.push(self.file.finding("P004", Level::Error, start + broken.at, broken.what, None));
                }
            }
        }
        let user = parsed.pop()?;
        let system = parsed.pop()?;
        Some((system, user, places))
    }

    fn variables(&mut self, frame: &TaskFrame, parts: &Parts<'_>, places: &[Place]) {
        let known: Vec<&str> = frame.variables.iter().map(|v| v.name).collect();
        let mut declared: BTreeSet<&str> = BTreeSet::new();
        for variable in &parts.front.variables {
            let name = variable.get_ref().as_str();
            if !known.contains(&name) {
                let message = format!("任务“{}”没有“{name}”这个变量", frame.slug);
                self.error("P004", variable.span().start, message, &format!("可选：{}", known.join("、")));
            }
            if !declared.insert(name) {
                self.error("P004", variable.span().start, format!("变量“{name}”写了两次"), "删去一个");
            }
            if !places.iter().any(|place| place.name == name) {
                let message = format!("变量“{name}”在正文里没有用到");
                self.error("P004", variable.span().start, message, "从 variables 删去，或写进正文");
            }
        }
        for place in places {
            let message = if declared.contains(place.name.as_str()) {
                let raw = frame.variables.iter().any(|v| v.name == place.name && v.raw);
                match (raw, place.json) {
                    (false, false) => format!("“{0}”是别人写的话，要写成 {{{{{0}|json}}}}", place.name),
                    (true, true) => format!("“{0}”已经是 JSON，写成 {{{{{0}}}}} 即可", place.name),
                    _ => continue,
                }
            } else {
                format!("正文用了没有在 variables 里写明的变量“{}”", place.name)
            };
            self.findings.push(self.file.finding("P006", Level::Error, place.at, message, None));
        }
    }

    fn test(&mut self, prompt: &Prompt, test: &RawTest, at: usize) {
        let values: Vec<(&str, &str)> =
            test.values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let rendered = match prompt.render(&values) {
            Ok(rendered) => rendered,
            Err(RenderError::Missing { variable, .. }) => {
                let message = format!("自测“{}”没有给变量“{variable}”", test.name);
                return self.error("P005", at, message, "在 values 里补上");
            }
            Err(RenderError::Unknown { variable, .. }) => {
                let message = format!("自测“{}”给了没有的变量“{variable}”", test.name);
                return self.error("P005", at, message, "从 values 里删去");
            }
        };
        let whole = format!("{}\n{}", rendered.system, rendered.user);
        for wanted in test.contains.iter().filter(|wanted| !whole.contains(*wanted)) {
            let message = format!("自测“{}”：渲染后没有“{wanted}”", test.name);
            self.error("P005", at, message, "改正文或改自测");
        }
        for unwanted in test.lacks.iter().filter(|unwanted| whole.contains(*unwanted)) {
            let message = format!("自测“{}”：渲染后不应出现“{unwanted}”", test.name);
            self.error("P005", at, message, "改正文或改自测");
        }
    }
}

#[cfg(test)]
mod tests;
