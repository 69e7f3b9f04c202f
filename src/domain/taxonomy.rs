//! The catalogue of case types and topics (DOMAIN 5.1, 5.2), read from `rules/taxonomy.toml`.
//!
//! It names what a matter can be about; it recognises nothing (that is `rules`) and sends
//! nothing anywhere (that is `routing`). Every code and alias is unique.

mod file;

use std::collections::HashMap;

use crate::domain::kinds::CaseType;
use crate::vocabulary;

vocabulary! {
    /// Which place decides the competent unit (DOMAIN 4.2 step 5).
    PlaceBasis {
        Project = "project", "项目所在地";
        Insured = "insured", "参保地";
        Tax = "tax", "主管税务机关";
        Debtor = "debtor", "欠款方所在地";
        Inspector = "inspector", "检查（处罚）机关所在地";
        Registered = "registered", "企业登记地";
        Matter = "matter", "事项发生地";
    }
}

vocabulary! {
    /// The four lead categories of the county (DOMAIN 4.1).
    Category {
        Project = "major_project", "重大项目";
        Service = "government_service", "政务服务";
        Enforcement = "enforcement", "执法监督";
        Policy = "policy_service", "政策服务";
    }
}

/// A fault in a catalogue or routing file, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}:{column}: {message}")]
pub struct TableError {
    /// The file, as the loader named it.
    pub path: String,
    /// Line, from 1; 0 when the fault has no single place.
    pub line: usize,
    /// Column in characters, from 1; 0 when unknown.
    pub column: usize,
    /// What is wrong, in Chinese, for the editor of the file.
    pub message: String,
}

impl TableError {
    /// A fault without a place of its own.
    pub fn new(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: 0, column: 0, message: message.into() }
    }

    /// A fault at the first occurrence of `needle` (a value as written) in the file.
    pub fn near(path: &str, text: &str, needle: &str, message: impl Into<String>) -> Self {
        let mut error = Self::new(path, message);
        if let Some(at) = text.find(&format!("\"{needle}\"")) {
            (error.line, error.column) = line_and_column(text, at);
        }
        error
    }

    /// The fault that the TOML reader reports.
    pub fn from_toml(path: &str, text: &str, error: &toml::de::Error) -> Self {
        let mut fault = Self::new(path, format!("文件读不懂：{}", error.message()));
        if let Some(span) = error.span() {
            (fault.line, fault.column) = line_and_column(text, span.start);
        }
        fault
    }
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    (line, column)
}

/// One of the 13 case types, as the catalogue describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeInfo {
    /// The type.
    pub case_type: CaseType,
    /// Its short code in reports (`BBCS`).
    pub code: String,
    /// Its class in 象政办发〔2025〕1号.
    pub xiangshan: String,
    /// Typical wording, shown to officers.
    pub tell_tale: Vec<String>,
    /// Other names under which platforms deliver it.
    pub aliases: Vec<String>,
    /// Remark for officers.
    pub note: String,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// The code, e.g. `POLICY.PAY`; never changed, never used again.
    pub code: String,
    /// The group, e.g. `政策`.
    pub group: String,
    /// The name shown to people.
    pub label: String,
    /// Slots to ask for before filing.
    pub must_ask: Vec<String>,
    /// What the enterprise is told before it files such a matter: the path that leads further.
    pub guidance: Option<String>,
    /// Which place decides.
    pub place_basis: PlaceBasis,
    /// The type that a matter on this topic has when its words do not say.
    pub default_type: Option<CaseType>,
    /// Board (板块) of the service centre.
    pub board: String,
    /// Lead category.
    pub category: Category,
    /// Old and other names.
    pub aliases: Vec<String>,
}

/// The checked catalogue.
#[derive(Debug, Clone, Default)]
pub struct Taxonomy {
    types: Vec<TypeInfo>,
    topics: Vec<Topic>,
    by_name: HashMap<String, usize>,
    type_by_name: HashMap<String, CaseType>,
}

impl Taxonomy {
    /// Reads and checks the text of a catalogue file; `path` only names it in faults.
    ///
    /// # Errors
    /// Every fault found: syntax, unknown words, repeated codes, a missing type.
    pub fn parse(path: &str, text: &str) -> Result<Self, Vec<TableError>> {
        let file: file::TaxonomyFile = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => return Err(vec![TableError::from_toml(path, text, &error)]),
        };
        let mut faults = Vec::new();
        if file.schema != 1 {
            faults.push(TableError::new(path, format!("不认识的 schema：{}，应为 1", file.schema)));
        }
        let mut out = Self::default();
        for block in file.types {
            let Ok(case_type) = block.slug.parse::<CaseType>() else {
                faults.push(TableError::near(path, text, &block.slug, format!("不认识的类型：{}", block.slug)));
                continue;
            };
            let names = [case_type.as_str(), case_type.label(), block.code.as_str()];
            for name in names.into_iter().chain(block.aliases.iter().map(String::as_str)) {
                if let Some(other) = out.type_by_name.insert(name.to_owned(), case_type)
                    && other != case_type
                {
                    faults.push(TableError::near(path, text, name, format!("类型名“{name}”重复")));
                }
            }
            out.types.push(TypeInfo {
                case_type,
                code: block.code,
                xiangshan: block.xiangshan,
                tell_tale: block.tell_tale,
                aliases: block.aliases,
                note: block.note,
            });
        }
        for &case_type in CaseType::ALL {
            let times = out.types.iter().filter(|t| t.case_type == case_type).count();
            if times != 1 {
                faults.push(TableError::new(
                    path,
                    format!("类型“{}”应当写且只写一次，现在写了 {times} 次", case_type.label()),
                ));
            }
        }
        for block in file.topics {
            match Topic::check(path, text, block) {
                Ok(topic) => {
                    let at = out.topics.len();
                    for name in std::iter::once(&topic.code).chain(&topic.aliases) {
                        if out.by_name.insert(name.clone(), at).is_some() {
                            faults.push(TableError::near(path, text, name, format!("主题代码或别名“{name}”重复")));
                        }
                    }
                    out.topics.push(topic);
                }
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(out) } else { Err(faults) }
    }

    /// The topics in file order.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// The types in file order.
    pub fn types(&self) -> &[TypeInfo] {
        &self.types
    }

    /// A topic by its code or one of its other names.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name).and_then(|&at| self.topics.get(at))
    }

    /// A type by slug, label, report code or platform name.
    pub fn case_type(&self, name: &str) -> Option<CaseType> {
        self.type_by_name.get(name).copied()
    }

    /// The description of a type.
    pub fn type_info(&self, case_type: CaseType) -> Option<&TypeInfo> {
        self.types.iter().find(|t| t.case_type == case_type)
    }

    /// The groups in file order, each with its topics.
    pub fn groups(&self) -> Vec<(&str, Vec<&Topic>)> {
        let mut groups: Vec<(&str, Vec<&Topic>)> = Vec::new();
        for topic in &self.topics {
            match groups.iter_mut().find(|(name, _)| *name == topic.group) {
                Some((_, members)) => members.push(topic),
                None => groups.push((&topic.group, vec![topic])),
            }
        }
        groups
    }
}

impl Topic {
    fn check(path: &str, text: &str, block: file::TopicBlock) -> Result<Self, TableError> {
        let wrong = |word: &str, what: &str| {
            TableError::near(path, text, word, format!("主题 {}：不认识的{what}“{word}”", block.code))
        };
        let place_basis = block.place.parse().map_err(|_| wrong(&block.place, "地点依据"))?;
        let category = block.category.parse().map_err(|_| wrong(&block.category, "牵头类别"))?;
        let default_type = match &block.case_type {
            None => None,
            Some(word) => Some(word.parse().map_err(|_| wrong(word, "类型"))?),
        };
        if block.code.is_empty() || block.label.is_empty() || block.group.is_empty() {
            return Err(TableError::new(path, "主题的代码、组和名称都不能空"));
        }
        Ok(Self {
            code: block.code,
            group: block.group,
            label: block.label,
            must_ask: block.ask,
            guidance: block.guidance,
            place_basis,
            default_type,
            board: block.board,
            category,
            aliases: block.aliases,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../rules/taxonomy.toml");

    #[test]
    fn the_shipped_catalogue_has_13_types_and_75_topics_in_10_groups() {
        let taxonomy = Taxonomy::parse("rules/taxonomy.toml", SHIPPED).expect("shipped file is valid");
        assert_eq!(taxonomy.types().len(), 13);
        assert_eq!(taxonomy.topics().len(), 75);
        assert_eq!(taxonomy.groups().len(), 10);
    }

    #[test]
    fn topics_are_found_by_code_and_by_other_names() {
        let taxonomy = Taxonomy::parse("rules/taxonomy.toml", SHIPPED).expect("shipped file is valid");
        for (name, code) in [
            ("POLICY.PAY", "POLICY.PAY"),
            ("稳岗返还", "LABOUR.SUBSIDY"),
            ("房产证", "REALTY"),
            ("ARREARS", "ARREARS.GOV"),
        ] {
            assert_eq!(taxonomy.topic(name).map(|t| t.code.as_str()), Some(code), "{name}");
        }
        assert!(taxonomy.topic("天气").is_none());
        assert_eq!(taxonomy.topic("CONDUCT").and_then(|t| t.default_type), Some(CaseType::Conduct));
        assert_eq!(taxonomy.case_type("BBCS"), Some(CaseType::Stuck));
        assert_eq!(taxonomy.case_type("投诉举报"), Some(CaseType::Complaint));
    }

    #[test]
    fn a_fault_names_line_and_column() {
        let text = SHIPPED.replacen("place = \"registered\"", "place = \"home\"", 1);
        let faults = Taxonomy::parse("t.toml", &text).expect_err("unknown place");
        assert_eq!(faults.len(), 1);
        assert!(faults[0].line > 1 && faults[0].message.contains("home"), "{faults:?}");
        let faults = Taxonomy::parse("t.toml", "schema = 1\n[[type]]\nslug = 3\n").expect_err("wrong kind");
        assert_eq!(faults[0].line, 3);
    }

    #[test]
    fn a_repeated_code_is_refused() {
        let text = SHIPPED.replacen("code = \"POLICY.APPLY\"", "code = \"POLICY.FIND\"", 1);
        let faults = Taxonomy::parse("t.toml", &text).expect_err("repeated");
        assert!(faults.iter().any(|f| f.message.contains("重复")));
    }
}
