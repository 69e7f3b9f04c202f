//! Which unit leads a matter and who assists (派单, DOMAIN 4), from `rules/routing.toml`.
//!
//! Routing only proposes: a dispatcher confirms. It recognises no topic itself. Its one hard
//! promise: a unit complained of, its parents and its parts neither lead nor assist.

mod algorithm;
mod file;
mod units;

use jiff::civil::Date;

use crate::domain::kinds::{CaseType, Diversion, Urgency};
use crate::domain::taxonomy::{Category, PlaceBasis, TableError, Taxonomy};
use crate::domain::text::normalised;

pub use algorithm::{route, stands_back};
pub use units::{Level, Mention, SupervisePath, Unit, UnitKind, UnitSlug, Units};

/// What is known of a matter when it is routed.
#[derive(Debug, Clone)]
pub struct RouteQuery<'a> {
    /// Case type.
    pub case_type: CaseType,
    /// Topic code, if one was recognised.
    pub topic: Option<&'a str>,
    /// The matter in the enterprise's words; sub-matters and named organs are read from it.
    pub text: &'a str,
    /// Administrative code of the place, if known.
    pub region: Option<&'a str>,
    /// Organs complained of, by any of their names.
    pub objects: &'a [String],
    /// Urgency.
    pub urgency: Urgency,
    /// Diversion proposed for the matter.
    pub diversion: Option<Diversion>,
    /// The day on which rows and units must be valid.
    pub today: Date,
}

/// A unit in a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitRef {
    /// Its slug.
    pub slug: UnitSlug,
    /// Its short name.
    pub name: String,
}

/// Where a matter goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Lead unit (主办单位).
    pub lead: UnitSlug,
    /// Its short name.
    pub lead_name: String,
    /// Assisting units (协办单位).
    pub assists: Vec<UnitRef>,
    /// Board (板块).
    pub board: String,
    /// Lead category.
    pub category: Category,
    /// Whether the lead and the first assisting unit answer together.
    pub joint: bool,
    /// SLA profile that the row asks for.
    pub profile: Option<String>,
    /// Which place decides.
    pub place_basis: PlaceBasis,
    /// Level of authority.
    pub level: Level,
    /// Whether the complainant's identity is sealed.
    pub sensitive: bool,
    /// Path to tell the enterprise when the unit can only guide (诉讼, 仲裁, 复议); may be empty.
    pub guidance: String,
    /// Why, in Chinese, shown to officers.
    pub reason: String,
    /// Which step of DOMAIN 4.2 decided: `safety|special|recusal|table|named|fallback`.
    pub step: &'static str,
    /// Row number in the table, from 1.
    pub row: Option<usize>,
}

/// One row of the 派单 table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Number in file order, from 1.
    pub number: usize,
    /// Topic code.
    pub topic: String,
    /// Topic label.
    pub topic_label: String,
    /// Words of the sub-matter; empty for the topic's general row.
    pub sub: Vec<String>,
    /// Words that keep the row from being used.
    pub none: Vec<String>,
    /// Case types it is for; empty for all.
    pub types: Vec<CaseType>,
    /// Region code prefixes it is for; empty for all.
    pub regions: Vec<String>,
    /// Lead unit.
    pub lead: UnitSlug,
    /// Assisting units.
    pub assists: Vec<UnitSlug>,
    /// Who leads when the lead must stand back.
    pub next: Vec<UnitSlug>,
    /// Which place decides.
    pub place_basis: PlaceBasis,
    /// Level of authority.
    pub level: Level,
    /// Board.
    pub board: String,
    /// Category.
    pub category: Category,
    /// Answered together with the first assisting unit.
    pub joint: bool,
    /// SLA profile.
    pub profile: Option<String>,
    /// Identity sealed.
    pub sensitive: bool,
    /// Path to tell the enterprise.
    pub guidance: String,
    /// First valid day.
    pub valid_from: Option<Date>,
    /// Last valid day.
    pub valid_to: Option<Date>,
    /// Legal or local source.
    pub source: String,
    /// Who keeps the row right.
    pub owner: String,
    /// Who reviews it.
    pub reviewer: String,
    /// Utterances that must be routed by this row.
    pub tests: Vec<String>,
}

/// A table of its own for special matters (DOMAIN 4.2 step 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Special {
    /// Its name in reasons.
    pub name: String,
    /// Case types that it takes.
    pub types: Vec<CaseType>,
    /// Words that it takes, whatever the type.
    pub words: Vec<String>,
    /// Candidates for the lead, in order; empty: the topic's row leads.
    pub leads: Vec<UnitSlug>,
    /// Whether the unit of the topic's row assists.
    pub natural_assists: bool,
    /// SLA profile.
    pub profile: Option<String>,
    /// Identity sealed, no assisting unit.
    pub sensitive: bool,
    /// Source.
    pub source: String,
}

/// The lead of one of the four categories when no row fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// Category.
    pub category: Category,
    /// Lead.
    pub lead: UnitSlug,
    /// Words that point to it when there is no topic.
    pub words: Vec<String>,
}

/// Units with a fixed part in the algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desks {
    /// Emergencies and secrets.
    pub duty: UnitSlug,
    /// The service centre.
    pub centre: UnitSlug,
    /// Matters of citizens.
    pub citizens: UnitSlug,
    /// Supervises enforcement (检查、处罚、收费).
    pub enforcement: UnitSlug,
    /// Supervise conduct, in order.
    pub conduct: Vec<UnitSlug>,
    /// Supervises government service.
    pub service: UnitSlug,
    /// Takes what nobody takes (难事专办).
    pub hard: UnitSlug,
}

/// The checked routing file.
#[derive(Debug, Clone)]
pub struct RoutingTable {
    units: Units,
    rows: Vec<Row>,
    specials: Vec<Special>,
    fallbacks: Vec<Fallback>,
    desks: Desks,
}

impl RoutingTable {
    /// Reads and checks the text of a routing file; `path` only names it in faults.
    ///
    /// # Errors
    /// Every fault found: syntax, unknown units, topics, types or words, repeated names.
    pub fn parse(path: &str, text: &str, taxonomy: &Taxonomy) -> Result<Self, Vec<TableError>> {
        let file: file::RoutingFile = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => return Err(vec![TableError::from_toml(path, text, &error)]),
        };
        let mut check = Check { path, text, faults: Vec::new() };
        if file.schema != 1 {
            check.fault(&file.schema.to_string(), format!("不认识的 schema：{}，应为 1", file.schema));
        }
        let mut loose = Vec::new();
        let mut list = Vec::new();
        for block in file.units {
            loose.push(block.loose.clone());
            list.push(Unit {
                kind: check.word(&block.kind, "单位性质", UnitKind::Dept),
                level: check.word(&block.level, "层级", Level::County),
                supervise_path: check.word(&block.supervise_path, "督办路径", SupervisePath::Local),
                valid_from: check.date(block.valid_from.as_deref()),
                valid_to: check.date(block.valid_to.as_deref()),
                slug: block.slug,
                name: block.name,
                short_name: block.short_name,
                parent: block.parent,
                duties: block.duties,
                aliases: block.aliases,
                successor: block.successor,
            });
        }
        let units = match Units::new(list, &loose) {
            Ok(units) => units,
            Err(message) => {
                check.faults.push(TableError::new(path, message));
                return Err(check.faults);
            }
        };
        for unit in units.list() {
            for other in unit.parent.iter().chain(&unit.successor) {
                check.unit(&units, other);
            }
        }
        let rows = file
            .rows
            .into_iter()
            .enumerate()
            .filter_map(|(at, block)| check.row(at + 1, block, &units, taxonomy))
            .collect();
        let specials = file
            .specials
            .into_iter()
            .map(|block| Special {
                types: check.types(&block.types),
                leads: check.units(&units, block.leads),
                name: block.name,
                words: plain(&block.words),
                natural_assists: block.natural_assists,
                profile: block.profile,
                sensitive: block.sensitive,
                source: block.source,
            })
            .collect();
        let fallbacks: Vec<Fallback> = file
            .fallbacks
            .into_iter()
            .map(|block| {
                check.unit(&units, &block.lead);
                Fallback {
                    category: check.word(&block.category, "牵头类别", Category::Service),
                    lead: block.lead,
                    words: plain(&block.words),
                }
            })
            .collect();
        for &category in Category::ALL {
            if !fallbacks.iter().any(|f| f.category == category) {
                check.faults.push(TableError::new(path, format!("兜底表缺“{}”", category.label())));
            }
        }
        let desks = Desks {
            duty: file.desks.duty,
            centre: file.desks.centre,
            citizens: file.desks.citizens,
            enforcement: file.desks.enforcement,
            conduct: file.desks.conduct,
            service: file.desks.service,
            hard: file.desks.hard,
        };
        for slug in [&desks.duty, &desks.centre, &desks.citizens, &desks.enforcement, &desks.service, &desks.hard]
            .into_iter()
            .chain(&desks.conduct)
        {
            check.unit(&units, slug);
        }
        if check.faults.is_empty() { Ok(Self { units, rows, specials, fallbacks, desks }) } else { Err(check.faults) }
    }

    /// The units.
    pub fn units(&self) -> &Units {
        &self.units
    }

    /// The rows in file order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The special tables in file order.
    pub fn specials(&self) -> &[Special] {
        &self.specials
    }

    /// The category leads.
    pub fn fallbacks(&self) -> &[Fallback] {
        &self.fallbacks
    }

    /// The units with a fixed part.
    pub fn desks(&self) -> &Desks {
        &self.desks
    }
}

/// Collects faults while the blocks are turned into values.
struct Check<'a> {
    path: &'a str,
    text: &'a str,
    faults: Vec<TableError>,
}

impl Check<'_> {
    fn fault(&mut self, near: &str, message: String) {
        self.faults.push(TableError::near(self.path, self.text, near, message));
    }

    fn word<T: std::str::FromStr>(&mut self, word: &str, what: &str, otherwise: T) -> T {
        word.parse().unwrap_or_else(|_| {
            self.fault(word, format!("不认识的{what}“{word}”"));
            otherwise
        })
    }

    fn date(&mut self, text: Option<&str>) -> Option<Date> {
        let text = text?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.fault(text, format!("日期“{text}”应写成 2026-01-31 的样子"));
        }
        parsed
    }

    fn types(&mut self, words: &[String]) -> Vec<CaseType> {
        words.iter().map(|w| self.word(w, "类型", CaseType::Coordination)).collect()
    }

    fn unit(&mut self, units: &Units, slug: &str) {
        if !units.knows(slug) {
            self.fault(slug, format!("没有代码为“{slug}”的单位"));
        }
    }

    fn units(&mut self, units: &Units, slugs: Vec<String>) -> Vec<String> {
        for slug in &slugs {
            self.unit(units, slug);
        }
        slugs
    }

    fn row(&mut self, number: usize, block: file::RowBlock, units: &Units, taxonomy: &Taxonomy) -> Option<Row> {
        let Some(topic) = taxonomy.topic(&block.topic) else {
            self.fault(&block.topic, format!("派单表第 {number} 行：没有主题“{}”", block.topic));
            return None;
        };
        self.unit(units, &block.lead);
        Some(Row {
            number,
            topic: topic.code.clone(),
            topic_label: topic.label.clone(),
            types: self.types(&block.types),
            assists: self.units(units, block.assists),
            next: self.units(units, block.next),
            place_basis: block.place.map_or(topic.place_basis, |w| self.word(&w, "地点依据", topic.place_basis)),
            level: self.word(&block.level, "层级", Level::County),
            category: block.category.map_or(topic.category, |w| self.word(&w, "牵头类别", topic.category)),
            board: block.board.unwrap_or_else(|| topic.board.clone()),
            valid_from: self.date(block.valid_from.as_deref()),
            valid_to: self.date(block.valid_to.as_deref()),
            sub: plain(&block.sub),
            none: plain(&block.none),
            regions: block.regions,
            lead: block.lead,
            joint: block.joint,
            profile: block.profile,
            sensitive: block.sensitive,
            guidance: block.guidance,
            source: block.source,
            owner: block.owner,
            reviewer: block.reviewer,
            tests: block.tests,
        })
    }
}

/// Words as they stand in a normalised text.
fn plain(words: &[String]) -> Vec<String> {
    words.iter().map(|w| normalised(w)).collect()
}

#[cfg(test)]
mod tests;
