//! Content: what administrators edit (rules, taxonomy, routing, time limits, calendars, prompts), loaded as one whole.
//!
//! [`build`] turns files into [`Content`] or into findings; [`ContentStore`] holds the one in force and swaps it
//! atomically. A set with an error is refused as a whole and the last good one stays; good sets are kept in the
//! database by content hash, so that a restart over a broken folder still serves the last good set. Only when there
//! is no last good set does the gateway start without the faulty rules, and says so.
//!
//! It decides nothing about messages; it never changes a file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use arc_swap::ArcSwap;
use include_dir::{Dir, include_dir};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    config::{Config, ContentConfig, TimeConfig},
    domain::{
        prompts::{self, Output, PromptSet},
        retrieval::Index,
        routing::RoutingTable,
        rules::{CompileEnv, Diagnostic, ExampleEnv, Level, RuleSet, SourceFile, TopicInfo, compile},
        sla::{OfficeHours, Profile, Schedule, Season, Session, SlaBook, WorkCalendar},
        taxonomy::{TableError, Taxonomy},
    },
    store::{
        self, Db, StoreError,
        policy_versions::{self, PolicyVersion},
    },
};

/// The rules that come with the binary: used when the configured folder does not exist.
static SHIPPED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/rules");

/// The prompts that come with the binary: used when the configured folder does not exist.
static SHIPPED_PROMPTS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/prompts");

/// Where prompts stand in the list of files.
const PROMPTS: &str = "prompts/";

/// Where the content in force came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The configured folder.
    Folder,
    /// The rules inside the binary; the folder does not exist.
    Shipped,
    /// The last good set, kept in the database; the folder has errors.
    LastGood,
    /// The folder without its faulty rules; there was no last good set.
    Partial,
}

/// Everything that decides about messages and deadlines, immutable.
#[derive(Debug)]
pub struct Content {
    /// The checked rules.
    pub rules: RuleSet,
    /// What finds the rules nearest to some words; of the same rules.
    pub index: Index,
    /// Types and topics.
    pub taxonomy: Taxonomy,
    /// Units and the dispatch table.
    pub routing: RoutingTable,
    /// What models are told, one prompt per task.
    pub prompts: PromptSet,
    /// Policies of time limits.
    pub book: SlaBook,
    /// Calendar, office hours and zone.
    pub schedule: Schedule,
    /// SHA-256 of all files: the version of this content.
    pub hash: String,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// Where it came from.
    pub origin: Origin,
    /// Warnings that do not stand in the way.
    pub warnings: Vec<Diagnostic>,
}

/// Why content cannot be loaded at all.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A folder or file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file or folder.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The files have errors and there is nothing to fall back on.
    #[error("the content has errors:\n{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Findings(Vec<Diagnostic>),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The outcome of [`build`].
#[derive(Debug)]
pub struct Built {
    /// The content; absent when there are errors (unless broken rules may be left out).
    pub content: Option<Content>,
    /// Every finding, errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads every `*.toml` below a folder, in the order of their paths.
///
/// # Errors
/// `Read`.
pub fn read_dir(dir: &Path) -> Result<Vec<SourceFile>, ContentError> {
    let mut files = Vec::new();
    collect(dir, dir, 0, "toml", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Reads every prompt (`*.md` but not the README) of a folder; their paths begin with `prompts/`.
///
/// # Errors
/// `Read`.
pub fn read_prompts(dir: &Path) -> Result<Vec<SourceFile>, ContentError> {
    let mut files = Vec::new();
    collect(dir, dir, 0, "md", &mut files)?;
    files.retain(|file| prompts::is_prompt_file(&file.path));
    for file in &mut files {
        file.path.insert_str(0, PROMPTS);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Folders within folders that are looked into; linked folders can go in a circle.
const DEPTH: usize = 8;

/// Why a file cannot be read, for people.
fn unreadable(error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        "没有读取权限".to_owned()
    } else if error.kind() == std::io::ErrorKind::NotFound {
        "文件不见了（链接指向的文件不存在）".to_owned()
    } else {
        format!("读取失败（{error}）")
    }
}

fn collect(
    root: &Path,
    dir: &Path,
    depth: usize,
    wanted: &str,
    files: &mut Vec<SourceFile>,
) -> Result<(), ContentError> {
    let fail = |path: &Path| {
        let path = path.display().to_string();
        move |source| ContentError::Read { path, source }
    };
    for entry in std::fs::read_dir(dir).map_err(fail(dir))? {
        let path = entry.map_err(fail(dir))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            if depth < DEPTH {
                collect(root, &path, depth + 1, wanted, files)?;
            }
        } else if path.extension().is_some_and(|ending| ending == wanted) {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.push(match std::fs::read(&path) {
                Ok(bytes) => SourceFile::from_bytes(relative, bytes),
                Err(error) => SourceFile::unreadable(relative, &unreadable(&error)),
            });
        }
    }
    Ok(())
}

/// The prompts that come with the binary.
pub fn shipped_prompts() -> Vec<SourceFile> {
    let texts = SHIPPED_PROMPTS.files().filter_map(|file| Some((file.path().to_string_lossy(), file.contents_utf8()?)));
    let mut files: Vec<SourceFile> = texts
        .filter(|(path, _)| prompts::is_prompt_file(path))
        .map(|(path, text)| SourceFile { path: format!("{PROMPTS}{path}"), text: text.to_owned() })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The files that come with the binary, without the prompts.
pub fn shipped_files() -> Vec<SourceFile> {
    fn walk(dir: &Dir<'_>, files: &mut Vec<SourceFile>) {
        for file in dir.files() {
            if let Some(text) = file.contents_utf8()
                && file.path().extension().is_some_and(|ending| ending == "toml")
            {
                files.push(SourceFile { path: file.path().to_string_lossy().into_owned(), text: text.to_owned() });
            }
        }
        for inner in dir.dirs() {
            walk(inner, files);
        }
    }
    let mut files = Vec::new();
    walk(&SHIPPED, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Reads both configured folders; the shipped files stand in for a folder that does not exist.
///
/// # Errors
/// `Read`.
pub fn read_content(config: &ContentConfig) -> Result<(Vec<SourceFile>, Origin), ContentError> {
    let (mut files, origin) = read_configured(Path::new(&config.rules_dir))?;
    let dir = Path::new(&config.prompts_dir);
    files.extend(if dir.is_dir() { read_prompts(dir)? } else { shipped_prompts() });
    Ok((files, origin))
}

/// Reads the configured folder of rules, or the shipped files when it does not exist.
///
/// # Errors
/// `Read`.
pub fn read_configured(dir: &Path) -> Result<(Vec<SourceFile>, Origin), ContentError> {
    if dir.is_dir() { Ok((read_dir(dir)?, Origin::Folder)) } else { Ok((shipped_files(), Origin::Shipped)) }
}

/// Office hours and zone of the configuration.
///
/// # Errors
/// A Chinese sentence about the value that cannot be used.
pub fn hours_and_zone(time: &TimeConfig) -> Result<(OfficeHours, TimeZone), String> {
    let zone = TimeZone::get(&time.zone).map_err(|_| format!("没有“{}”这个时区", time.zone))?;
    let sessions = |spans: &[String]| -> Result<Vec<Session>, String> {
        spans
            .iter()
            .map(|span| {
                let (from, to) = span.split_once('-').ok_or_else(|| format!("“{span}”不是时段"))?;
                Session::parse(from.trim(), to.trim()).map_err(|error| error.to_string())
            })
            .collect()
    };
    let seasons = time
        .seasons
        .iter()
        .map(|s| Season::new(&s.from, &s.to, sessions(&s.business_hours)?).map_err(|error| error.to_string()))
        .collect::<Result<Vec<_>, String>>()?;
    let hours = OfficeHours::new(sessions(&time.business_hours)?, seasons).map_err(|error| error.to_string())?;
    Ok((hours, zone))
}

/// Builds content from files. With `partial`, broken rules are left out and broken tables are replaced by the
/// shipped ones; without it any error refuses the whole.
pub fn build(files: &[SourceFile], time: &TimeConfig, now: Timestamp, origin: Origin, partial: bool) -> Built {
    let mut diagnostics = Vec::new();
    let (hours, zone) = match hours_and_zone(time) {
        Ok(parts) => parts,
        Err(message) => {
            diagnostics.push(finding("zhitong.toml", 0, 0, message));
            return Built { content: None, diagnostics };
        }
    };
    // What cannot be read is reported where it belongs and is missing from there on.
    diagnostics.extend(files.iter().filter(|f| !is_rule_file(&f.path)).filter_map(SourceFile::fault));
    let read: Vec<SourceFile> =
        files.iter().filter(|f| is_rule_file(&f.path) || f.fault().is_none()).cloned().collect();
    let read = read.as_slice();
    let shipped = shipped_files();
    let pick = |files: &'_ [SourceFile], wanted: &dyn Fn(&str) -> bool| -> Vec<(String, String)> {
        files.iter().filter(|f| wanted(&f.path)).map(|f| (f.path.clone(), f.text.clone())).collect()
    };
    let text_of = |files: &[SourceFile], path: &str| {
        files.iter().find(|f| f.path == path).map_or_else(String::new, |f| f.text.clone())
    };

    let calendar_files = |path: &str| path.starts_with("calendar/");
    let calendar = WorkCalendar::parse(&pick(read, &calendar_files)).unwrap_or_else(|error| {
        diagnostics.push(finding(&error.path, error.line, error.column, error.message));
        WorkCalendar::shipped()
    });
    let policy_files = |path: &str| path.starts_with("sla/");
    let book = SlaBook::parse(&pick(read, &policy_files)).unwrap_or_else(|error| {
        diagnostics.push(finding(&error.path, error.line, error.column, error.message));
        SlaBook::shipped()
    });
    let taxonomy = Taxonomy::parse("taxonomy.toml", &text_of(read, "taxonomy.toml")).unwrap_or_else(|errors| {
        diagnostics.extend(errors.into_iter().map(table_finding));
        Taxonomy::parse("taxonomy.toml", &text_of(&shipped, "taxonomy.toml")).unwrap_or_default()
    });
    let routing = RoutingTable::parse("routing.toml", &text_of(read, "routing.toml"), &taxonomy);
    let routing = match routing {
        Ok(table) => table,
        Err(errors) => {
            diagnostics.extend(errors.into_iter().map(table_finding));
            match RoutingTable::parse("routing.toml", &text_of(&shipped, "routing.toml"), &taxonomy) {
                Ok(table) => table,
                Err(_) => return Built { content: None, diagnostics },
            }
        }
    };

    let prompts = read_set(read).unwrap_or_else(|found| {
        diagnostics.extend(found);
        read_set(&shipped_prompts()).unwrap_or_default()
    });

    let rule_files: Vec<SourceFile> = read.iter().filter(|f| is_rule_file(&f.path)).cloned().collect();
    let compiled = compile(&rule_files, &compile_env(&taxonomy, &routing, now, &zone));
    diagnostics.extend(compiled.diagnostics);
    let errors = diagnostics.iter().any(|d| d.level == Level::Error);
    let content = match compiled.set {
        Some(rules) if partial || !errors => Some(Content {
            index: Index::build(&rules),
            rules,
            taxonomy,
            routing,
            prompts,
            book,
            schedule: Schedule::new(calendar, hours, zone),
            hash: content_hash(files),
            loaded_at: now,
            origin,
            warnings: diagnostics.clone(),
        }),
        Some(_) | None => None,
    };
    Built { content, diagnostics }
}

/// The errors that only the examples show: a rule that does not win its own, a button that leads nowhere.
pub fn example_errors(content: &Content, area: &str) -> Vec<Diagnostic> {
    let today = content.schedule.civil(content.loaded_at).date();
    let found = content.rules.lint_examples(&ExampleEnv { today, area: Some(area.to_owned()) });
    errors_of(&found)
}

/// The prompts among the files; the shipped ones when there are none at all, as in sets that were kept before there
/// were prompts.
fn read_set(files: &[SourceFile]) -> Result<PromptSet, Vec<Diagnostic>> {
    let found: Vec<SourceFile> = files.iter().filter(|f| f.path.starts_with(PROMPTS)).cloned().collect();
    let found = if found.is_empty() { shipped_prompts() } else { found };
    let set = PromptSet::parse(&found)?;
    let broken = |prompt: &prompts::Prompt| match &prompt.output {
        Output::Json { schema } => serde_json::from_str::<serde_json::Value>(schema).err(),
        Output::Text => None,
    };
    let errors: Vec<Diagnostic> = set
        .all()
        .filter_map(|prompt| {
            let error = broken(prompt)?;
            let message = format!("schema 不是 JSON（{error}）");
            Some(Diagnostic { code: "P008", ..finding(&prompt.file, 1, 1, message) })
        })
        .collect();
    if errors.is_empty() { Ok(set) } else { Err(errors) }
}

/// Whether a file of the rules folder holds rules (or synonym groups) and no table.
pub fn is_rule_file(path: &str) -> bool {
    !(path.starts_with(PROMPTS)
        || path.starts_with("calendar/")
        || path.starts_with("sla/")
        || path == "taxonomy.toml"
        || path == "routing.toml")
}

/// What rule files may refer to.
pub fn compile_env(taxonomy: &Taxonomy, routing: &RoutingTable, now: Timestamp, zone: &TimeZone) -> CompileEnv {
    let topics = taxonomy
        .topics()
        .iter()
        .map(|topic| {
            let info =
                TopicInfo { label: topic.label.clone(), group: topic.group.clone(), case_type: topic.default_type };
            (topic.code.clone(), info)
        })
        .collect();
    let units = routing
        .units()
        .list()
        .iter()
        .map(|unit| {
            let mut names = vec![unit.name.clone(), unit.short_name.clone()];
            names.extend(unit.aliases.iter().cloned());
            (unit.slug.clone(), names)
        })
        .collect();
    CompileEnv { topics, units, ..CompileEnv::lenient(zone.to_datetime(now).date()) }
}

fn finding(file: &str, line: usize, column: usize, message: String) -> Diagnostic {
    Diagnostic {
        code: "E001",
        level: Level::Error,
        file: file.to_owned(),
        line,
        column,
        rule: None,
        message,
        help: None,
    }
}

fn table_finding(error: TableError) -> Diagnostic {
    finding(&error.path, error.line, error.column, error.message)
}

/// SHA-256 over paths and texts.
pub fn content_hash(files: &[SourceFile]) -> String {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update((file.path.len() as u64).to_le_bytes());
        hasher.update(file.path.as_bytes());
        hasher.update((file.text.len() as u64).to_le_bytes());
        hasher.update(file.text.as_bytes());
    }
    hex::encode(hasher.finalize())
}

#[derive(Serialize, Deserialize)]
struct KeptFile {
    path: String,
    text: String,
}

/// What the last look at the folder found.
#[derive(Debug, Clone, Default)]
pub struct ContentStatus {
    /// Errors of the folder as it is now; empty when the folder is what is in force.
    pub errors: Vec<Diagnostic>,
    /// When the folder was last read.
    pub checked_at: Option<Timestamp>,
    /// How often a changed folder was refused since the start.
    pub refused: u64,
    /// How often a changed folder was taken up since the start.
    pub swapped: u64,
}

/// The content in force, and the folder it comes from.
#[derive(Debug)]
pub struct ContentStore {
    current: ArcSwap<Content>,
    status: ArcSwap<ContentStatus>,
    seen: std::sync::Mutex<[Option<u64>; 2]>,
    dirs: ContentConfig,
    time: TimeConfig,
    /// Region in which the examples of the rules are told.
    area: String,
}

impl ContentStore {
    /// Loads the configured folder; when it has errors the last good set of the database, or what can be used of it.
    ///
    /// # Errors
    /// `Read` when files cannot be read, `Findings` when nothing usable is left, `Store`.
    pub async fn open(config: &Config, db: &Db, now: Timestamp) -> Result<Self, ContentError> {
        let dirs = config.content.clone();
        let time = config.time.clone();
        let seen = fingerprints(&dirs);
        let area = config.region.code.clone();
        let (files, built) = read_and_build(&dirs, &time, &area, now);
        let mut status = ContentStatus { checked_at: Some(now), ..ContentStatus::default() };
        let mut content = if let Some(content) = built.content {
            keep(db, &content, &files, now).await?;
            content
        } else {
            status.errors = errors_of(&built.diagnostics);
            status.refused = 1;
            report(&status.errors);
            match last_good(db, &time, now).await? {
                Some(content) => content,
                None => {
                    without_the_faulty(&files, &time, &area, now).ok_or(ContentError::Findings(built.diagnostics))?
                }
            }
        };
        remember_policies(db, &mut content).await?;
        Ok(Self {
            current: ArcSwap::from_pointee(content),
            status: ArcSwap::from_pointee(status),
            seen: std::sync::Mutex::new(seen),
            dirs,
            time,
            area,
        })
    }

    /// A store that holds this content and watches nothing; for commands and tests.
    pub fn fixed(content: Content) -> Self {
        Self {
            current: ArcSwap::from_pointee(content),
            status: ArcSwap::default(),
            seen: std::sync::Mutex::new([None; 2]),
            dirs: ContentConfig { rules_dir: String::new(), ..ContentConfig::default() },
            time: TimeConfig::default(),
            area: String::new(),
        }
    }

    /// The content in force.
    pub fn load(&self) -> Arc<Content> {
        self.current.load_full()
    }

    /// What the last look at the folder found.
    pub fn status(&self) -> Arc<ContentStatus> {
        self.status.load_full()
    }

    /// Takes up the folder if it changed since the last look; returns whether new content is in force.
    ///
    /// # Errors
    /// `Read`, `Store`; the content in force stays.
    pub async fn refresh(&self, db: &Db, now: Timestamp) -> Result<bool, ContentError> {
        if self.dirs.rules_dir.is_empty() {
            return Ok(false);
        }
        let print = fingerprints(&self.dirs);
        {
            let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if *seen == print {
                return Ok(false);
            }
            *seen = print;
        }
        let (dirs, time, area) = (self.dirs.clone(), self.time.clone(), self.area.clone());
        let work = tokio::task::spawn_blocking(move || read_and_build(&dirs, &time, &area, now));
        let (files, built) = work
            .await
            .map_err(|error| ContentError::Read { path: self.dirs.rules_dir.clone(), source: error.into() })?;
        let mut status = ContentStatus { checked_at: Some(now), errors: Vec::new(), ..(*self.status()).clone() };
        let swapped = if let Some(mut content) = built.content {
            let changed = content.hash != self.load().hash;
            if changed {
                keep(db, &content, &files, now).await?;
                remember_policies(db, &mut content).await?;
                tracing::info!(content.hash = %content.hash, "new content is in force");
                self.current.store(Arc::new(content));
                status.swapped += 1;
            }
            changed
        } else {
            status.errors = errors_of(&built.diagnostics);
            status.refused += 1;
            report(&status.errors);
            false
        };
        self.status.store(Arc::new(status));
        Ok(swapped)
    }
}

/// Reads the folders and builds what is in them; a folder that cannot be read is a finding, and so are the examples
/// that fail.
fn read_and_build(dirs: &ContentConfig, time: &TimeConfig, area: &str, now: Timestamp) -> (Vec<SourceFile>, Built) {
    let (files, origin) = read_content(dirs).unwrap_or_else(|error| {
        let (path, reason) = match &error {
            ContentError::Read { path, source } => (path.clone(), unreadable(source)),
            ContentError::Findings(_) | ContentError::Store(_) => (dirs.rules_dir.clone(), error.to_string()),
        };
        (vec![SourceFile::unreadable(path, &reason)], Origin::Folder)
    });
    let mut built = build(&files, time, now, origin, false);
    // The files inside the binary were examined when it was made.
    if let Some(content) = built.content.as_ref().filter(|_| origin == Origin::Folder) {
        let errors = example_errors(content, area);
        if !errors.is_empty() {
            built.content = None;
            built.diagnostics.extend(errors);
        }
    }
    (files, built)
}

/// What can be used of a folder when there was never a good set.
fn without_the_faulty(files: &[SourceFile], time: &TimeConfig, area: &str, now: Timestamp) -> Option<Content> {
    let mut content = build(files, time, now, Origin::Partial, true).content?;
    let faulty = example_errors(&content, area).into_iter().filter_map(|error| error.rule).collect();
    content.rules.silence(&faulty);
    content.index = Index::build(&content.rules);
    Some(content)
}

fn errors_of(diagnostics: &[Diagnostic]) -> Vec<Diagnostic> {
    diagnostics.iter().filter(|d| d.level == Level::Error).cloned().collect()
}

fn report(errors: &[Diagnostic]) {
    for error in errors {
        tracing::error!(code = error.code, file = %error.file, line = error.line, column = error.column,
            "the changed content is refused: {}", error.message);
    }
}

async fn keep(db: &Db, content: &Content, files: &[SourceFile], now: Timestamp) -> Result<(), ContentError> {
    let policies: Vec<PolicyVersion> = files
        .iter()
        .filter(|file| file.path.starts_with("sla/"))
        .filter_map(|file| {
            let profile = Profile::parse(&file.path, &file.text).ok()?;
            Some(PolicyVersion {
                name: profile.name,
                version: profile.version,
                path: file.path.clone(),
                body: file.text.clone(),
            })
        })
        .collect();
    let kept: Vec<KeptFile> = files.iter().map(|f| KeptFile { path: f.path.clone(), text: f.text.clone() }).collect();
    let json = serde_json::to_string(&kept).expect("texts serialise");
    let mut tx = db.write().await?;
    store::rule_sets::publish(&mut tx, &content.hash, &json, "folder", "", now).await?;
    policy_versions::keep(&mut tx, &policies, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Gives the book the versions that running cases may still keep.
async fn remember_policies(db: &Db, content: &mut Content) -> Result<(), ContentError> {
    let mut tx = db.read().await?;
    for one in policy_versions::all(&mut tx).await? {
        if content.book.profiles.iter().any(|now| now.name == one.name && now.version == one.version) {
            continue;
        }
        match Profile::parse(&one.path, &one.body) {
            Ok(profile) => content.book.former.push(profile),
            Err(error) => tracing::warn!(
                policy = %one.name, version = %one.version, error = &error as &dyn std::error::Error,
                "an earlier version of a policy cannot be read any more; its cases go on under the present one"
            ),
        }
    }
    Ok(())
}

async fn last_good(db: &Db, time: &TimeConfig, now: Timestamp) -> Result<Option<Content>, ContentError> {
    let mut tx = db.read().await?;
    let Some(row) = store::rule_sets::latest(&mut tx).await? else { return Ok(None) };
    let Ok(kept) = serde_json::from_str::<Vec<KeptFile>>(&row.files) else { return Ok(None) };
    let files: Vec<SourceFile> = kept.into_iter().map(|f| SourceFile { path: f.path, text: f.text }).collect();
    // Good when it was kept; what ran out since then is left out.
    Ok(build(&files, time, now, Origin::LastGood, true).content)
}

/// Both folders.
fn fingerprints(dirs: &ContentConfig) -> [Option<u64>; 2] {
    [fingerprint(Path::new(&dirs.rules_dir), "toml"), fingerprint(Path::new(&dirs.prompts_dir), "md")]
}

/// When a file last changed in any way, and which file it is: a copy that keeps the time of writing is noticed too.
#[cfg(unix)]
fn identity(meta: &std::fs::Metadata) -> (u128, u64) {
    use std::os::unix::fs::MetadataExt as _;
    let nanos = i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec());
    (nanos.unsigned_abs(), meta.ino())
}

#[cfg(not(unix))]
const fn identity(_: &std::fs::Metadata) -> (u128, u64) {
    (0, 0)
}

/// A number that changes when a file of the folder is added, removed or written; `None` without the folder.
fn fingerprint(dir: &Path, wanted: &str) -> Option<u64> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    fn walk(dir: &Path, depth: usize, wanted: &str, entries: &mut Vec<(PathBuf, [u128; 2], [u64; 2])>) {
        let Ok(list) = std::fs::read_dir(dir) else { return };
        for entry in list.flatten() {
            let path = entry.path();
            // Links are followed, as when the files are read: a mounted folder is swapped behind one.
            let Ok(meta) = std::fs::metadata(&path) else {
                entries.push((path, [0; 2], [0; 2]));
                continue;
            };
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if meta.is_dir() {
                if !hidden && depth < DEPTH {
                    walk(&path, depth + 1, wanted, entries);
                }
            } else if path.extension().is_some_and(|ending| ending == wanted) {
                let written = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
                let (changed, number) = identity(&meta);
                entries.push((path, [written.map_or(0, |d| d.as_nanos()), changed], [meta.len(), number]));
            }
        }
    }
    if !dir.is_dir() {
        return None;
    }
    let mut entries = Vec::new();
    walk(dir, 0, wanted, &mut entries);
    entries.sort();
    let mut hasher = DefaultHasher::new();
    entries.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests;
