//! The units (承办单位) of the place: names old and new, lines of supervision, and finding them in text.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use jiff::civil::Date;

use crate::vocabulary;

/// The short ASCII name of a unit, e.g. `zjj`.
pub type UnitSlug = String;

vocabulary! {
    /// What kind of organisation a unit is (DOMAIN 4.1).
    UnitKind {
        Centre = "centre", "中心";
        Board = "board", "板块";
        Dept = "dept", "部门";
        Vertical = "vertical", "垂直管理单位";
        Utility = "utility", "公用企业";
        Town = "town", "乡镇街道";
        Park = "park", "园区";
        Association = "association", "商会协会";
        Supervision = "supervision", "监督机构";
        LeaderOffice = "leader_office", "办公室";
    }
}

vocabulary! {
    /// The level of government of a unit or of a row.
    Level {
        Province = "province", "省级";
        City = "city", "市级";
        County = "county", "县级";
        Town = "town", "乡镇级";
        Park = "park", "园区级";
        Village = "village", "村级";
    }
}

vocabulary! {
    /// Who supervises a unit.
    SupervisePath {
        Local = "local", "本级";
        Vertical = "vertical", "上级主管单位";
    }
}

/// One unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Short ASCII name.
    pub slug: UnitSlug,
    /// Full Chinese name.
    pub name: String,
    /// The name in daily use; what `classify` prints.
    pub short_name: String,
    /// Kind.
    pub kind: UnitKind,
    /// Level of government.
    pub level: Level,
    /// The unit it is part of.
    pub parent: Option<UnitSlug>,
    /// Who supervises it.
    pub supervise_path: SupervisePath,
    /// What it answers for.
    pub duties: String,
    /// Other and former names.
    pub aliases: Vec<String>,
    /// First day of existence.
    pub valid_from: Option<Date>,
    /// Last day of existence.
    pub valid_to: Option<Date>,
    /// The unit that took over.
    pub successor: Option<UnitSlug>,
}

/// A unit's name found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// The unit.
    pub slug: UnitSlug,
    /// Where, in bytes of the text that was searched.
    pub range: Range<usize>,
    /// Whether only a loose word was used (环保, 消防) and not a name.
    pub loose: bool,
}

/// Words that, right after a loose word, show that people of the organ are meant (环保来查, 消防说).
const ACTORS: &[&str] = &[
    "来",
    "的人",
    "那边",
    "说",
    "要我",
    "要求",
    "查",
    "又查",
    "窗口",
    "执法",
    "部门",
    "让",
    "不",
    "没",
    "罚",
    "人员",
    "大队",
    "科",
    "又",
    "天天",
    "上门",
    "也",
    "叫",
    "给我",
    "都",
    "检查",
    "处罚",
    "的同志",
    "的态度",
    "工作",
    "局",
    "老是",
    "三天两头",
    "隔三",
    "和",
    "跟",
    "、",
];

/// All units, with an index over every name.
#[derive(Debug, Clone)]
pub struct Units {
    list: Vec<Unit>,
    by_name: HashMap<String, usize>,
    patterns: Vec<(usize, bool)>,
    matcher: AhoCorasick,
}

impl Units {
    /// Indexes the units; `loose` holds the loose words of each, in the same order.
    pub(super) fn new(list: Vec<Unit>, loose: &[Vec<String>]) -> Result<Self, String> {
        let mut by_name = HashMap::new();
        let mut words: Vec<String> = Vec::new();
        let mut patterns = Vec::new();
        for (at, unit) in list.iter().enumerate() {
            let mut names: Vec<&String> = vec![&unit.name, &unit.short_name];
            names.extend(&unit.aliases);
            let mut own = BTreeSet::new();
            for name in names.into_iter().filter(|n| own.insert((*n).clone())) {
                if by_name.insert(name.to_lowercase(), at).is_some() {
                    return Err(format!("单位名“{name}”属于两个单位"));
                }
                words.push(name.to_lowercase());
                patterns.push((at, false));
            }
            if by_name.insert(unit.slug.clone(), at).is_some() {
                return Err(format!("单位代码“{}”重复", unit.slug));
            }
        }
        for (at, extra) in loose.iter().enumerate() {
            for word in extra {
                words.push(word.to_lowercase());
                patterns.push((at, true));
            }
        }
        let matcher = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&words)
            .map_err(|e| format!("单位名过多：{e}"))?;
        Ok(Self { list, by_name, patterns, matcher })
    }

    /// Every unit in file order.
    pub fn list(&self) -> &[Unit] {
        &self.list
    }

    /// A unit by slug, name, short name or alias.
    pub fn find(&self, name: &str) -> Option<&Unit> {
        self.by_name.get(&name.to_lowercase()).and_then(|&at| self.list.get(at))
    }

    /// Whether the slug is known.
    pub fn knows(&self, slug: &str) -> bool {
        self.list.iter().any(|u| u.slug == slug)
    }

    /// The short name to show for a slug (the slug itself when unknown).
    pub fn short_name(&self, slug: &str) -> String {
        self.find(slug).map_or_else(|| slug.to_owned(), |u| u.short_name.clone())
    }

    /// The unit that answers on `day`: the unit itself, or whoever succeeded it.
    pub fn current<'a>(&'a self, slug: &'a str, day: Date) -> &'a str {
        let mut slug = slug;
        for _ in 0..self.list.len() {
            match self.find(slug) {
                Some(Unit { valid_to: Some(last), successor: Some(next), .. }) if *last < day => slug = next,
                _ => break,
            }
        }
        slug
    }

    /// Every name of a unit in the text, the longest first at each place.
    ///
    /// Loose words count only where what follows shows that the organ's people are meant.
    pub fn mentions(&self, text: &str) -> Vec<Mention> {
        let lower = text.to_lowercase();
        let text = if lower.len() == text.len() { lower.as_str() } else { text };
        self.matcher
            .find_iter(text)
            .filter_map(|hit| {
                let &(at, loose) = self.patterns.get(hit.pattern().as_usize())?;
                let after = text.get(hit.end()..)?;
                if loose && !ACTORS.iter().any(|word| after.starts_with(word)) {
                    return None;
                }
                let unit = self.list.get(at)?;
                Some(Mention { slug: unit.slug.clone(), range: hit.range(), loose })
            })
            .collect()
    }

    /// The unit with everything that is part of it or that it is part of: who must stand back with it.
    pub fn kin(&self, slug: &str) -> BTreeSet<UnitSlug> {
        let mut kin = BTreeSet::from([slug.to_owned()]);
        let mut up = self.find(slug).and_then(|u| u.parent.clone());
        while let Some(parent) = up {
            if !kin.insert(parent.clone()) {
                break;
            }
            up = self.find(&parent).and_then(|u| u.parent.clone());
        }
        let mut grown = true;
        let mut below = BTreeSet::from([slug.to_owned()]);
        while grown {
            grown = false;
            for unit in &self.list {
                if unit.parent.as_ref().is_some_and(|p| below.contains(p)) && below.insert(unit.slug.clone()) {
                    grown = true;
                }
            }
        }
        kin.extend(below);
        kin
    }
}
