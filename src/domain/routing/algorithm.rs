//! The steps of DOMAIN 4.2 as one pure function.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Level, Mention, Route, RouteQuery, RoutingTable, Row, Special, UnitRef, UnitSlug};
use crate::domain::kinds::{CaseType, Diversion};
use crate::domain::taxonomy::{Category, PlaceBasis};
use crate::domain::text::normalised;

/// Types in which an organ named in the text is taken to be the one complained of.
const ADVERSE: &[CaseType] =
    &[CaseType::Complaint, CaseType::Conduct, CaseType::Stuck, CaseType::RatingReview, CaseType::Arrears];

/// Topics whose complaints go to the organ that supervises enforcement.
const ENFORCEMENT: &[&str] = &["INSPECT", "PENALTY", "FAIR"];

/// Proposes the lead and the assisting units of a matter.
pub fn route(table: &RoutingTable, q: &RouteQuery<'_>) -> Route {
    // Traditional characters, full-width letters and capitals must find the same rows and names.
    let plain = normalised(q.text);
    let q = &RouteQuery { text: &plain, ..q.clone() };
    let barred = barred(table, q);
    let row = pick_row(table, q);
    let natural = row.map(|r| table.units.current(&r.lead, q.today).to_owned());
    let draft = Draft { table, q, barred: &barred, row };
    if let Some(route) = draft.safety() {
        return route;
    }
    if is_conduct(q) {
        return draft.conduct();
    }
    if let Some(special) = table.specials.iter().find(|s| s.takes(q)) {
        return draft.special(special, natural.as_ref());
    }
    match row {
        Some(row) => draft.by_row(row),
        None => draft.fallback(),
    }
}

/// Whether the matter is one of conduct: by its type, or by its topic unless its type has a table of its own.
fn is_conduct(q: &RouteQuery<'_>) -> bool {
    match q.case_type {
        CaseType::Conduct => true,
        CaseType::Stuck
        | CaseType::Praise
        | CaseType::RatingReview
        | CaseType::ServiceOrder
        | CaseType::Suggestion
        | CaseType::Arrears => false,
        CaseType::Consultation
        | CaseType::Coordination
        | CaseType::Help
        | CaseType::Complaint
        | CaseType::Report
        | CaseType::Risk => q.topic == Some("CONDUCT"),
    }
}

impl Special {
    fn takes(&self, q: &RouteQuery<'_>) -> bool {
        self.types.contains(&q.case_type) || self.words.iter().any(|w| q.text.contains(w.as_str()))
    }
}

/// Whether a unit must stand back from a matter.
pub fn stands_back(table: &RoutingTable, q: &RouteQuery<'_>, slug: &str) -> bool {
    let plain = normalised(q.text);
    barred(table, &RouteQuery { text: &plain, ..q.clone() }).contains(slug)
}

/// Every unit that must stand back: the objects, the organs named in a complaint, and their kin.
fn barred(table: &RoutingTable, q: &RouteQuery<'_>) -> BTreeSet<UnitSlug> {
    let mut named: BTreeSet<UnitSlug> = BTreeSet::new();
    for object in q.objects {
        match table.units.find(object) {
            Some(unit) => {
                named.insert(unit.slug.clone());
            }
            None => named.extend(table.units.mentions(object).into_iter().map(|m| m.slug)),
        }
    }
    if ADVERSE.contains(&q.case_type) || q.topic == Some("INSPECT") {
        for mention in table.units.mentions(q.text) {
            if !asked_for(q.text, &mention) {
                named.insert(mention.slug);
            }
        }
    }
    // A report mostly names another organ as witness or addressee: there only one that is blamed in the same breath.
    if q.case_type == CaseType::Report {
        let blamed = table.units.mentions(q.text).into_iter().filter(|m| !asked_for(q.text, m) && is_blamed(q.text, m));
        named.extend(blamed.map(|mention| mention.slug));
    }
    let mut barred = BTreeSet::new();
    for slug in &named {
        barred.extend(table.units.kin(slug));
        barred.extend(table.units.kin(table.units.current(slug, q.today)));
    }
    barred
}

/// Whether words of blame stand in the same clause as the organ: 消防的人收了红包, 环保来查张口就要钱.
fn is_blamed(text: &str, mention: &Mention) -> bool {
    const BLAME: &[&str] = &[
        "收钱",
        "收了",
        "红包",
        "好处",
        "要钱",
        "索要",
        "吃拿卡要",
        "乱收",
        "乱罚",
        "不作为",
        "包庇",
        "刁难",
        "推诿",
        "串通",
        "徇私",
        "打招呼",
        "通风报信",
        "不管",
        "敷衍",
        "索贿",
        "受贿",
        "卡着",
        "请客",
        "送礼",
        "暗示",
        "威胁",
        "骂",
        "勾结",
        "纵容",
    ];
    let ends = ['，', ',', '。', '；', ';', '！', '!', '？', '?', '\n'];
    let before = text.get(..mention.range.start).unwrap_or_default();
    let after = text.get(mention.range.end..).unwrap_or_default();
    let clause = |part: Option<&str>| part.is_some_and(|part| BLAME.iter().any(|word| part.contains(word)));
    clause(before.rsplit(ends).next()) || clause(after.split(ends).next())
}

/// Whether the organ is named as the one that should act (“请税务局查一下”, “归住建局管”), not as the object.
fn asked_for(text: &str, mention: &Mention) -> bool {
    let before: String = text.get(..mention.range.start).unwrap_or_default().chars().rev().take(4).collect();
    let before: String = before.chars().rev().collect();
    let after: String = text.get(mention.range.end..).unwrap_or_default().chars().take(8).collect();
    before.ends_with('归')
        || before.ends_with("还是")
        || after.starts_with("还是")
        || ["请", "希望", "盼", "恳请", "请求", "麻烦"].iter().any(|w| before.ends_with(w))
        || (["找", "向", "是", "由"].iter().any(|w| before.ends_with(w))
            && ["管吗", "管不管", "吗", "投诉", "举报", "负责吗"].iter().any(|w| after.starts_with(w)))
        || ["管不管", "能不能管", "能管吗", "管一管", "管管", "查一查", "查一下", "处理一下", "介入", "协调一下"]
            .iter()
            .any(|w| after.starts_with(w))
}

/// The row that fits best: a region of its own first, then a case type, then the longest sub-matter words.
fn pick_row<'t>(table: &'t RoutingTable, q: &RouteQuery<'_>) -> Option<&'t Row> {
    let topic = q.topic?;
    let mut best: Option<(&Row, (bool, usize, bool))> = None;
    for row in table.rows.iter().filter(|r| r.topic == topic) {
        let valid = row.valid_from.is_none_or(|d| d <= q.today) && row.valid_to.is_none_or(|d| q.today <= d);
        let here = row.regions.is_empty()
            || q.region.is_some_and(|region| row.regions.iter().any(|r| region.starts_with(r.as_str())));
        let typed = row.types.is_empty() || row.types.contains(&q.case_type);
        let kept = row.none.iter().any(|w| q.text.contains(w.as_str()));
        let matched: usize = row.sub.iter().filter(|w| q.text.contains(w.as_str())).map(|w| w.chars().count()).sum();
        if !valid || !here || !typed || kept || (!row.sub.is_empty() && matched == 0) {
            continue;
        }
        let rank = (!row.regions.is_empty(), matched, !row.types.is_empty());
        if best.as_ref().is_none_or(|(_, held)| rank > *held) {
            best = Some((row, rank));
        }
    }
    best.map(|(row, _)| row)
}

struct Draft<'t, 'q> {
    table: &'t RoutingTable,
    q: &'q RouteQuery<'q>,
    barred: &'q BTreeSet<UnitSlug>,
    row: Option<&'t Row>,
}

impl<'t> Draft<'t, '_> {
    fn name(&self, slug: &str) -> String {
        self.table.units.short_name(slug)
    }

    fn free(&self, slug: &str) -> bool {
        !self.barred.contains(slug)
    }

    /// The first candidate that need not stand back; the chain ends with units that supervise everybody.
    fn first_free<'c>(&self, candidates: impl IntoIterator<Item = &'c UnitSlug>) -> UnitSlug
    where
        't: 'c,
    {
        let desks = &self.table.desks;
        let last = [&desks.service, &desks.hard, &desks.centre, &desks.duty];
        candidates
            .into_iter()
            .chain(last)
            .chain(&desks.conduct)
            .map(|slug| self.table.units.current(slug, self.q.today))
            .find(|slug| self.free(slug))
            .unwrap_or(&desks.citizens)
            .to_owned()
    }

    fn build(&self, lead: UnitSlug, assists: &[UnitSlug], step: &'static str, reason: String) -> Route {
        let mut seen = BTreeSet::from([lead.clone()]);
        let assists = assists
            .iter()
            .map(|slug| self.table.units.current(slug, self.q.today).to_owned())
            .filter(|slug| self.free(slug) && seen.insert(slug.clone()))
            .map(|slug| UnitRef { name: self.name(&slug), slug })
            .collect();
        Route {
            lead_name: self.name(&lead),
            lead,
            assists,
            board: self.row.map_or_else(|| "公共".to_owned(), |r| r.board.clone()),
            category: self.row.map_or(Category::Service, |r| r.category),
            joint: self.row.is_some_and(|r| r.joint),
            profile: self.row.and_then(|r| r.profile.clone()),
            place_basis: self.row.map_or(PlaceBasis::Matter, |r| r.place_basis),
            level: self.row.map_or(Level::County, |r| r.level),
            sensitive: self.row.is_some_and(|r| r.sensitive),
            guidance: self.row.map(|r| r.guidance.clone()).unwrap_or_default(),
            reason,
            step,
            row: self.row.map(|r| r.number),
        }
    }

    /// Step 1: what cannot wait and what must not be passed on.
    fn safety(&self) -> Option<Route> {
        let desks = &self.table.desks;
        let (lead, why) = match self.q.diversion? {
            Diversion::D1 => (&desks.duty, "紧急险情：先报 119、110、120，同时由值班人员接手"),
            Diversion::D4 => (&desks.duty, "涉及国家秘密、商业秘密或他人隐私：停止收集，由值班人员处理"),
            Diversion::D9 => (&desks.citizens, "不是企业事项：转 12345 热线"),
            Diversion::D2
            | Diversion::D3
            | Diversion::D5
            | Diversion::D6
            | Diversion::D7
            | Diversion::D8
            | Diversion::Smalltalk
            | Diversion::Unclear
            | Diversion::Abuse => return None,
        };
        let mut route = self.build(lead.clone(), &[], "safety", why.to_owned());
        route.joint = false;
        Some(route)
    }

    /// Conduct goes to the supervising organs only, sealed, with nobody assisting.
    fn conduct(&self) -> Route {
        let lead = self.first_free(&self.table.desks.conduct);
        let reason = format!("作风问题：只转{}，单独保密渠道，被反映单位不参与、不可见", self.name(&lead));
        let mut route = self.build(lead, &[], "special", reason);
        route.sensitive = true;
        route.joint = false;
        route.category = Category::Enforcement;
        "法治".clone_into(&mut route.board);
        route
    }

    /// Step 2: types and words with a table of their own.
    fn special(&self, special: &'t Special, natural: Option<&UnitSlug>) -> Route {
        if special.leads.is_empty() {
            // Only the profile differs; the topic's row leads.
            let mut route = match self.row {
                Some(row) => self.by_row(row),
                None => self.fallback(),
            };
            route.profile = special.profile.clone().or(route.profile);
            route.reason = format!("{}；{}", special.name, route.reason);
            return route;
        }
        let lead = self.first_free(&special.leads);
        let assists: Vec<UnitSlug> = if special.natural_assists && !special.sensitive {
            natural.into_iter().cloned().collect()
        } else {
            Vec::new()
        };
        let mut reason = format!("{}：由{}牵头", special.name, self.name(&lead));
        if let Some(own) = natural.filter(|slug| !assists.is_empty() && self.free(slug) && **slug != lead) {
            let _ = write!(reason, "，{}按职责协办", self.name(own));
        } else if natural.is_some_and(|slug| !self.free(slug)) {
            reason.push_str("，被反映单位回避");
        }
        let mut route = self.build(lead, &assists, "special", reason);
        route.profile = special.profile.clone().or(route.profile);
        route.sensitive |= special.sensitive;
        route.joint = false;
        route
    }

    /// Steps 3 and 7: the row's lead, or who stands in for it.
    fn by_row(&self, row: &Row) -> Route {
        let lead = self.table.units.current(&row.lead, self.q.today).to_owned();
        let basis = row.place_basis.label();
        if self.free(&lead) {
            let mut reason = format!("按派单表第 {} 行：主题“{}”", row.number, row.topic_label);
            let words: Vec<&str> = row.sub.iter().map(String::as_str).filter(|w| self.q.text.contains(w)).collect();
            if !words.is_empty() {
                let _ = write!(reason, "，来件提到“{}”", words.join("”“"));
            }
            let _ = write!(reason, "，按{basis}确定，由{}主办", self.name(&lead));
            if !row.source.is_empty() {
                let _ = write!(reason, "；依据：{}", row.source);
            }
            if matches!(row.level, Level::City | Level::Province) {
                let _ = write!(reason, "；权限在{}，上报后由本级单位保持联络", row.level.label());
            }
            if row.assists.iter().any(|slug| !self.free(slug)) {
                reason.push_str("；被反映单位不参与协办");
            }
            return self.build(lead, &row.assists, "table", reason);
        }
        let deputy = self.deputy(row);
        let reason = format!(
            "主题“{}”原由{}主办，因系被反映单位（或其上下级）回避，改由{}牵头",
            row.topic_label,
            self.name(&lead),
            self.name(&deputy)
        );
        let mut route = self.build(deputy, &row.assists, "recusal", reason);
        route.joint = false;
        route
    }

    /// Who leads instead of a lead that is complained of: whom the row names, the organs for enforcement and manners, then
    /// as without a row the lead of the category and the window for hard matters (DOMAIN 4.2, steps 8 and 10).
    fn deputy(&self, row: &Row) -> UnitSlug {
        let desks = &self.table.desks;
        let enforced = ENFORCEMENT.contains(&row.topic.as_str())
            || ["检查", "罚", "执法", "查封", "扣押"].iter().any(|w| self.q.text.contains(w));
        let manners =
            ["态度", "刁难", "凶", "骂", "吼", "不理人", "甩脸", "敷衍"].iter().any(|w| self.q.text.contains(w));
        let mut chain: Vec<&UnitSlug> = row.next.iter().collect();
        if enforced {
            chain.push(&desks.enforcement);
        }
        if manners {
            chain.extend(&desks.conduct);
        }
        chain.extend(self.table.fallbacks.iter().filter(|f| f.category == row.category).map(|f| &f.lead));
        chain.push(&desks.hard);
        self.first_free(chain)
    }

    /// Step 8: no row. A single named unit, else the category's lead, else the one who takes everything.
    fn fallback(&self) -> Route {
        let text = self.q.text;
        if !ADVERSE.contains(&self.q.case_type) {
            let named: BTreeSet<UnitSlug> = self
                .table
                .units
                .mentions(text)
                .into_iter()
                .filter(|m| !m.loose)
                .map(|m| self.table.units.current(&m.slug, self.q.today).to_owned())
                .filter(|slug| self.free(slug))
                .collect();
            if named.len() == 1
                && let Some(slug) = named.into_iter().next()
            {
                let reason = format!("没有对应的派单行，来件点名{}，由其先行核实", self.name(&slug));
                return self.build(slug, &[], "named", reason);
            }
        } else if !self.barred.is_empty() {
            let desks = &self.table.desks;
            let enforced = ["检查", "罚", "执法", "查封", "扣押"].iter().any(|w| text.contains(w));
            let chain: Vec<&UnitSlug> =
                if enforced { vec![&desks.enforcement] } else { desks.conduct.iter().collect() };
            let lead = self.first_free(chain);
            let reason = format!("投诉单位的事项，被反映单位回避，由{}牵头", self.name(&lead));
            return self.build(lead, &[], "recusal", reason);
        }
        let mut best: Option<(&super::Fallback, usize)> = None;
        for fallback in &self.table.fallbacks {
            let hits = fallback.words.iter().filter(|w| text.contains(w.as_str())).count();
            if hits > 0 && best.is_none_or(|(_, most)| hits > most) {
                best = Some((fallback, hits));
            }
        }
        let Some((fallback, _)) = best else {
            let lead = self.first_free([&self.table.desks.centre]);
            let reason = format!("没有对应的派单行，也看不出类别，由{}在 4 小时内判定", self.name(&lead));
            return self.build(lead, &[], "fallback", reason);
        };
        let lead = self.first_free([&fallback.lead, &self.table.desks.hard]);
        let reason = format!(
            "没有对应的派单行，按“{}”类由{}牵头，板块专员 4 小时内确认",
            fallback.category.label(),
            self.name(&lead)
        );
        let mut route = self.build(lead, &[], "fallback", reason);
        route.category = fallback.category;
        route
    }
}
