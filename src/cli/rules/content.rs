//! Loads a rules folder for the command line.
//!
//! A folder with `taxonomy.toml` and `routing.toml` is checked against them. One without (a folder of a few rule
//! files, as administrators pass around) is compiled alone, and topics and units are not checked.

use std::{
    collections::BTreeSet,
    io::Write as _,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{
    app::{
        content::{Origin, build, read_dir, shipped_files},
        system::SystemClock,
    },
    cli::Global,
    config::Config,
    domain::{
        routing::RoutingTable,
        rules::{CompileEnv, Diagnostic, ExampleEnv, Level, RuleSet, SourceFile, compile},
    },
    ports::Clock as _,
};

/// Rules with what is needed to judge and route messages.
#[derive(Debug)]
pub(in crate::cli) struct Loaded {
    /// The usable rules.
    pub(in crate::cli) set: RuleSet,
    /// The routing table, unless the folder has none.
    pub(in crate::cli) routing: Option<RoutingTable>,
    /// Codes of the topic table, unless the folder has none.
    pub(in crate::cli) topics: Option<BTreeSet<String>>,
    /// Findings of compiling.
    pub(in crate::cli) diagnostics: Vec<Diagnostic>,
    /// Tables that the folder lacks, without which topics and units are not checked.
    pub(in crate::cli) missing_tables: Vec<&'static str>,
    /// Number of files read.
    pub(in crate::cli) files: usize,
    /// The region of the configuration.
    pub(in crate::cli) region: String,
    /// The day that counts.
    pub(in crate::cli) today: Date,
    /// The folder, if the rules came from one.
    pub(in crate::cli) dir: Option<PathBuf>,
}

impl Loaded {
    /// When and where examples are told.
    pub(in crate::cli) fn example_env(&self) -> ExampleEnv {
        ExampleEnv { today: self.today, area: Some(self.region.clone()) }
    }

    /// Whether a topic is known: of the table, or else of the rules.
    pub(in crate::cli) fn knows_topic(&self, code: &str) -> bool {
        match &self.topics {
            Some(topics) => topics.contains(code),
            None => self.set.rules().iter().any(|rule| rule.topic.as_deref() == Some(code)),
        }
    }

    /// Errors of the files, without those that only say a rule ran out by the day that was asked for.
    pub(in crate::cli) fn errors(&self) -> Vec<&Diagnostic> {
        let ran_out =
            |d: &Diagnostic| d.code == "E015" && d.rule.as_deref().is_some_and(|id| self.set.rule(id).is_some());
        self.diagnostics.iter().filter(|d| d.level == Level::Error && !ran_out(d)).collect()
    }

    /// Says on standard error that something is left out, where the answer itself cannot.
    pub(in crate::cli) fn warn(&self) -> std::io::Result<()> {
        let errors = self.errors();
        let Some(first) = errors.first() else { return Ok(()) };
        writeln!(
            std::io::stderr().lock(),
            "警告：规则文件有 {} 处错误，出错的部分没有参加：{}:{}:{} {} {}（zhitong rules check 看全部）",
            errors.len(),
            self.shown(&first.file),
            first.line,
            first.column,
            first.code,
            first.message
        )
    }

    /// A path of a finding as the user would type it.
    pub(in crate::cli) fn shown(&self, path: &str) -> String {
        match &self.dir {
            Some(dir) => dir.join(path).display().to_string(),
            None => path.to_owned(),
        }
    }
}

/// Loads the folder named on the command line, else the configured one, else the shipped rules.
///
/// # Errors
/// When the folder does not exist or cannot be read, or no set can be built.
pub(in crate::cli) fn load(global: &Global, dir: Option<&Path>, at: Option<Date>) -> anyhow::Result<Loaded> {
    let config = global.load_config()?;
    let configured = PathBuf::from(&config.content.rules_dir);
    let dir = match dir {
        Some(dir) => {
            anyhow::ensure!(dir.is_dir(), "没有这个目录：{}", dir.display());
            Some(dir.to_owned())
        }
        None => Some(configured).filter(|dir| dir.is_dir()),
    };
    let files = match &dir {
        Some(dir) => read_dir(dir)?,
        None => shipped_files(),
    };
    load_files(&config, &files, dir, at)
}

fn load_files(config: &Config, files: &[SourceFile], dir: Option<PathBuf>, at: Option<Date>) -> anyhow::Result<Loaded> {
    let zone = TimeZone::get(&config.time.zone)?;
    let now = instant(at, &zone)?;
    let today = zone.to_datetime(now).date();
    let has = |path: &str| files.iter().any(|f| f.path == path);
    let missing_tables: Vec<&'static str> =
        ["taxonomy.toml", "routing.toml"].into_iter().filter(|path| !has(path)).collect();
    if missing_tables.is_empty() {
        let built = build(files, &config.time, now, Origin::Folder, true);
        let content = built.content.ok_or_else(|| anyhow::anyhow!("没有可用的规则：{}", first(&built.diagnostics)))?;
        return Ok(Loaded {
            set: content.rules,
            routing: Some(content.routing),
            topics: Some(content.taxonomy.topics().iter().map(|topic| topic.code.clone()).collect()),
            diagnostics: strictly(built.diagnostics),
            missing_tables,
            files: files.len(),
            region: config.region.code.clone(),
            today,
            dir,
        });
    }
    let compiled = compile(files, &CompileEnv::lenient(today));
    let set = compiled.set.ok_or_else(|| anyhow::anyhow!("没有可用的规则：{}", first(&compiled.diagnostics)))?;
    Ok(Loaded {
        set,
        routing: None,
        topics: None,
        diagnostics: strictly(compiled.diagnostics),
        missing_tables,
        files: files.len(),
        region: config.region.code.clone(),
        today,
        dir,
    })
}

/// A rule that ran out and is still active must be renewed before its file counts as clean.
fn strictly(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    for finding in diagnostics.iter_mut().filter(|finding| finding.code == "E015") {
        finding.level = Level::Error;
    }
    diagnostics
}

fn first(diagnostics: &[Diagnostic]) -> String {
    diagnostics.first().map_or_else(String::new, ToString::to_string)
}

/// The present instant, or noon of the day asked for.
fn instant(at: Option<Date>, zone: &TimeZone) -> anyhow::Result<Timestamp> {
    match at {
        Some(date) => Ok(zone.to_timestamp(date.at(12, 0, 0, 0))?),
        None => Ok(SystemClock.now()),
    }
}
