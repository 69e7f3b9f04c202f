//! The gateway's real knowledge: rule set, taxonomy, dispatch table and office hours behind [`Knowledge`].
//!
//! Decides nothing by itself; it only translates what the other parts of the domain say.

use std::fmt::Write as _;

use jiff::{Timestamp, ToSpan, civil::Date};

use super::{
    draft::{RouteProposal, TopicScore},
    form::FormMatter,
    knowledge::{AnswerText, Knowledge, Reading, ReadingMatter, Suggestion, TopicInfo, Undecided},
    message::Citation,
};
use crate::domain::{
    kinds::{CaseType, Channel, Command, Diversion, Urgency},
    promise,
    retrieval::{Filter, Index},
    routing::{self, RouteQuery, RoutingTable},
    rules::{AnswerHit, AnswerMode, Input, Matter, Rule, RuleKind, RuleSet, Status},
    sla::{Schedule, chinese_date, due_in_words},
    taxonomy::Taxonomy,
    text::{find_personal, normalised},
};

/// Rules, taxonomy, routing and office hours of one content version.
#[derive(Clone, Copy)]
pub struct Shipped<'a> {
    /// The rules.
    pub rules: &'a RuleSet,
    /// Types and topics.
    pub taxonomy: &'a Taxonomy,
    /// Units and the dispatch table.
    pub routing: &'a RoutingTable,
    /// Calendar, hours and zone.
    pub schedule: &'a Schedule,
    /// Today in the configured zone.
    pub today: Date,
    /// What finds answers that are near; without it nothing is suggested.
    pub index: Option<&'a Index>,
    /// Whether a model can be asked now.
    pub model: bool,
}

impl<'a> Shipped<'a> {
    /// The knowledge as it stands at `now`.
    pub fn new(
        rules: &'a RuleSet,
        taxonomy: &'a Taxonomy,
        routing: &'a RoutingTable,
        schedule: &'a Schedule,
        now: Timestamp,
    ) -> Self {
        Self { rules, taxonomy, routing, schedule, today: schedule.civil(now).date(), index: None, model: false }
    }

    /// The same, which can also suggest what is near.
    #[must_use]
    pub const fn with_index(self, index: &'a Index) -> Self {
        Self { index: Some(index), ..self }
    }

    /// The same, with a model that can be asked or not.
    #[must_use]
    pub const fn with_model(self, model: bool) -> Self {
        Self { model, ..self }
    }

    /// The short version shown beside an answer: 规则库 v….
    fn version(&self) -> String {
        self.rules.hash().chars().take(8).collect()
    }

    fn answer_text(&self, hit: &AnswerHit) -> AnswerText {
        let rule = self.rules.rule(&hit.rule_id);
        AnswerText {
            rule_id: hit.rule_id.clone(),
            title: hit.title.clone(),
            version: self.version(),
            text: hit.text.trim().to_owned(),
            citations: hit.citations.iter().map(|c| cited(c, hit.verified_on)).collect(),
            quick_replies: hit.quick_replies.clone(),
            awaiting_recheck: hit.awaiting_recheck,
            region: rule.and_then(|rule| self.region_of(rule)),
            topic: rule.and_then(|r| r.topic.clone()),
            form: hit.form.clone(),
            interrupts_form: rule.is_some_and(|r| r.interrupts_form),
        }
    }

    fn matter(&self, matter: Matter, area: Option<&str>) -> ReadingMatter {
        let hit = matter.answer.as_ref().filter(|a| a.mode != AnswerMode::Draft);
        let tied = |first: Option<u32>, second: Option<u32>| first.is_none() || first == second;
        let topics = matter.topics.as_slice();
        let undecided = Undecided {
            case_type: tied(matter.types.first().map(|t| t.score), matter.types.get(1).map(|t| t.score)),
            // A topic that the words are only like was named by no rule.
            topic: !matter.named || tied(topics.first().map(|t| t.score), topics.get(1).map(|t| t.score)),
        };
        let regional = hit.and_then(|a| self.rules.rule(&a.rule_id)).is_some_and(|r| !r.areas.is_empty());
        ReadingMatter {
            answer: hit.map(|h| self.answer_text(h)),
            needs_region: area.is_none() && regional,
            text: matter.text,
            case_type: matter.case_type,
            topic: matter.topic,
            named: matter.named,
            topics: matter
                .topics
                .into_iter()
                .map(|t| TopicScore { topic: t.topic, score: t.score, words: t.evidence })
                .collect(),
            urgency: matter.urgency,
            confidence: matter.confidence,
            rules: matter.rules,
            clarify: matter.clarify,
            expired: matter.expired,
            sensitive: matter.sensitive,
            objects: matter.objects,
            undecided,
        }
    }

    /// The regions that a rule is limited to, in words.
    fn region_of(&self, rule: &Rule) -> Option<String> {
        let names: Vec<&str> = rule.areas.iter().filter_map(|code| self.rules.region_name(code)).collect();
        (!names.is_empty()).then(|| names.join("、"))
    }

    /// Active answer rules that are limited to regions.
    fn regional_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules
            .rules()
            .iter()
            .filter(|r| r.status == Status::Active && r.kind == RuleKind::Answer && !r.areas.is_empty())
    }
}

/// A source as people read it, with the day on which it was checked.
pub fn cited(cite: &crate::domain::rules::Citation, verified_on: Option<Date>) -> Citation {
    let mut reference = cite.doc_no.clone().unwrap_or_default();
    if let Some(clause) = &cite.clause {
        if !reference.is_empty() {
            reference.push(' ');
        }
        reference.push_str(clause);
    }
    if let Some(until) = cite.effective_until {
        let _ = write!(reference, "，有效至{}", chinese_date(until));
    }
    if let Some(on) = verified_on {
        let _ = write!(reference, "（核对日期：{}）", chinese_date(on));
    }
    Citation { title: cite.title.clone(), reference, url: cite.url.clone() }
}

/// Whether a code lies in an area: 350000 covers 3501xx, 330225 covers only itself.
fn covers(area: &str, code: &str) -> bool {
    let prefix = match area.trim_end_matches('0').len() {
        0..=2 => 2,
        3..=4 => 4,
        _ => area.len(),
    };
    area.get(..prefix).is_some_and(|p| code.starts_with(p))
}

impl Knowledge for Shipped<'_> {
    fn read(&self, text: &str, channel: Channel, area: Option<&str>, today: Date) -> Reading {
        let (decision, record) = self.rules.decide_on_record(&Input { text, channel, area, today });
        let fired = |want: &dyn Fn(&Rule) -> bool| decision.rules.iter().filter_map(|id| self.rules.rule(id)).any(want);
        // 过激言语 is a call for a person that is marked sensitive; 轻生 is a sensitive emergency.
        let threat =
            fired(&|r| r.sensitive && (r.command == Some(Command::Human) || r.diversion == Some(Diversion::D1)));
        let secret = decision.diversion == Some(Diversion::D4)
            && fired(&|r| r.diversion == Some(Diversion::D4) && r.id.contains("secret"));
        let mut matters: Vec<ReadingMatter> = decision.matters.into_iter().map(|m| self.matter(m, area)).collect();
        if area.is_none() && matters.iter().all(|m| m.answer.is_none()) {
            self.look_elsewhere(&mut matters, text, channel, today);
        }
        Reading {
            spans: record.spans,
            missed: record.near,
            shadow: decision.shadow,
            near: matters.iter().flat_map(|m| m.clarify.iter().map(|c| c.0.clone())).collect(),
            reply: decision.reply.as_ref().map(|hit| self.answer_text(hit)),
            command: decision.command,
            diversion: decision.diversion,
            interrupts_form: decision.interrupts_form,
            sensitive: decision.sensitive,
            threat,
            secret,
            matters,
        }
    }

    fn answer(&self, rule_id: &str, channel: Channel, area: Option<&str>, today: Date) -> Option<AnswerText> {
        let rule = self.rules.rule(rule_id)?;
        let answer = rule.answer.as_ref()?;
        let in_time = rule.valid_from.is_none_or(|d| d <= today) && rule.valid_until.is_none_or(|d| today <= d);
        let in_channel = rule.channels.is_empty() || rule.channels.contains(&channel);
        let in_area = rule.areas.is_empty() || area.is_some_and(|code| rule.areas.iter().any(|a| covers(a, code)));
        if rule.status != Status::Active || !in_time || !in_channel || !in_area || answer.mode == AnswerMode::Draft {
            return None;
        }
        Some(AnswerText {
            rule_id: rule.id.clone(),
            title: rule.title.clone(),
            version: self.version(),
            text: answer.text.trim().to_owned(),
            citations: rule.citations.iter().map(|c| cited(c, rule.verified_on)).collect(),
            quick_replies: answer.quick_replies.clone(),
            awaiting_recheck: rule.awaiting_recheck,
            region: self.region_of(rule),
            topic: rule.topic.clone(),
            form: rule.form.clone(),
            interrupts_form: rule.interrupts_form,
        })
    }

    fn suggest(&self, text: &str, channel: Channel, area: Option<&str>, today: Date) -> Vec<Suggestion> {
        let Some(index) = self.index else { return Vec::new() };
        let filter = Filter { today, region: area, channel: Some(channel), drafts: false };
        index
            .suggest(text, &filter)
            .into_iter()
            .map(|hit| Suggestion {
                rule_id: hit.rule_id.to_string(),
                title: hit.title.to_string(),
                topic: self.rules.rule(&hit.rule_id).and_then(|rule| rule.topic.clone()),
            })
            .collect()
    }

    fn sources(&self, text: &str, channel: Channel, area: Option<&str>, today: Date) -> Vec<Suggestion> {
        let Some(index) = self.index.filter(|_| self.model) else { return Vec::new() };
        let filter = Filter { today, region: area, channel: Some(channel), drafts: false };
        // A telephone number tells nothing of the matter and no source knows it.
        let mut words = text.to_owned();
        for personal in find_personal(text).into_iter().rev() {
            words.replace_range(personal.span, "，");
        }
        index
            .sources(&words, &filter)
            .into_iter()
            .map(|hit| Suggestion {
                rule_id: hit.rule_id.to_string(),
                title: hit.title.to_string(),
                topic: self.rules.rule(&hit.rule_id).and_then(|rule| rule.topic.clone()),
            })
            .collect()
    }

    fn may_classify(&self) -> bool {
        self.model
    }

    fn route(
        &self,
        case_type: CaseType,
        topic: Option<&str>,
        text: &str,
        region: Option<&str>,
        objects: &[String],
        urgency: Urgency,
    ) -> RouteProposal {
        RouteProposal::from(routing::route(
            self.routing,
            &RouteQuery { case_type, topic, text, region, objects, urgency, diversion: None, today: self.today },
        ))
    }

    fn sent_by_rule(&self, rule_id: &str, matter: &FormMatter, proposal: RouteProposal) -> RouteProposal {
        let Some(rule) = self.rules.rule(rule_id).filter(|rule| rule.kind == RuleKind::Answer) else { return proposal };
        let mut proposal = RouteProposal { tags: rule.route.tags.clone(), ..proposal };
        let Some(unit) = rule.route.department.as_deref().and_then(|name| self.routing.units().find(name)) else {
            return proposal;
        };
        let slug = self.routing.units().current(&unit.slug, self.today).to_owned();
        let query = RouteQuery {
            case_type: matter.case_type,
            topic: matter.topic.as_deref(),
            text: &matter.text,
            region: None,
            objects: &matter.objects,
            urgency: matter.urgency,
            diversion: None,
            today: self.today,
        };
        // Conduct goes to who supervises, whatever a rule about the matter says.
        if slug == proposal.lead || proposal.step == "special" || routing::stands_back(self.routing, &query, &slug) {
            return proposal;
        }
        let name = self.routing.units().short_name(&slug);
        let hours = rule.route.sla_hours.map_or_else(String::new, |hours| format!("，要求 {hours} 小时内处理"));
        proposal.reason = format!("规则“{}”指定由{name}办理{hours}；派单表原拟：{}", rule.title, proposal.reason);
        proposal.assists.retain(|(assist, _)| *assist != slug);
        "rule".clone_into(&mut proposal.step);
        (proposal.lead, proposal.lead_name) = (slug, name);
        proposal
    }

    fn topic(&self, code: &str) -> Option<TopicInfo> {
        self.taxonomy.topic(code).map(|t| TopicInfo {
            label: t.label.clone(),
            slots: t.must_ask.clone(),
            usual_type: t.default_type,
            guidance: t.guidance.clone(),
        })
    }

    fn is_open(&self, now: Timestamp) -> bool {
        self.schedule.is_open(now)
    }

    fn is_over_for_today(&self, now: Timestamp) -> bool {
        let day = |at| self.schedule.civil(at).date();
        self.schedule.next_open(now).is_none_or(|next| day(next) > day(now))
    }

    fn next_open(&self, now: Timestamp) -> Option<Timestamp> {
        self.schedule.next_open(now)
    }

    /// Close of business of the next day on which people work, not counting today.
    fn promise_due(&self, now: Timestamp) -> Timestamp {
        let mut day = self.schedule.civil(now).date();
        for _ in 0..60 {
            let Ok(next) = day.checked_add(1.day()) else { break };
            day = next;
            if let Some(close) = self.schedule.close_of(day) {
                return close;
            }
        }
        now.checked_add(24.hours()).unwrap_or(now)
    }

    fn promise_due_of(&self, words: &str, now: Timestamp) -> Timestamp {
        promise::due(words, now, self.schedule).unwrap_or_else(|| self.promise_due(now))
    }

    fn in_words(&self, at: Timestamp) -> String {
        due_in_words(self.schedule.civil(at))
    }

    fn rule_set_hash(&self) -> &str {
        self.rules.hash()
    }

    fn region_name(&self, code: &str) -> Option<String> {
        self.rules.region_name(code).map(str::to_owned)
    }

    fn place(&self, words: &str) -> Option<(String, String)> {
        // 福州 lies where the rules of 福建省 hold: it is an answer to the question for the region as well.
        let served =
            |code: &str| self.regional_rules().flat_map(|r| &r.areas).any(|area| covers(area, code) || area == code);
        let said = normalised(words);
        // 福建南平: the narrower one is meant.
        let code = self
            .rules
            .regions_in(&said)
            .into_iter()
            .filter(|code| served(code))
            .max_by_key(|code| code.trim_end_matches('0').len())?;
        Some((code.to_owned(), self.rules.region_name(code)?.to_owned()))
    }

    fn without_places(&self, words: &str) -> String {
        self.rules.without_regions(words)
    }

    fn regions(&self) -> Vec<(String, String)> {
        let mut codes: Vec<&str> = self.regional_rules().flat_map(|r| r.areas.iter().map(String::as_str)).collect();
        codes.sort_unstable();
        codes.dedup();
        codes.into_iter().filter_map(|code| Some((code.to_owned(), self.rules.region_name(code)?.to_owned()))).collect()
    }
}

impl Shipped<'_> {
    /// Without a region, finds out whether some region's rule would answer; then the region is asked for.
    fn look_elsewhere(&self, matters: &mut [ReadingMatter], text: &str, channel: Channel, today: Date) {
        for (code, _) in self.regions() {
            let there = self.rules.decide(&Input { text, channel, area: Some(&code), today });
            let regional = there.matters.iter().any(|m| {
                m.answer.as_ref().and_then(|a| self.rules.rule(&a.rule_id)).is_some_and(|r| !r.areas.is_empty())
            });
            if regional {
                if let Some(first) = matters.first_mut() {
                    first.needs_region = true;
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_province_covers_its_counties_and_a_county_only_itself() {
        for (area, code, expected) in [
            ("350000", "350128", true),
            ("350000", "350000", true),
            ("350000", "330225", false),
            ("350100", "350128", true),
            ("350100", "350200", false),
            ("330225", "330225", true),
            ("330225", "330226", false),
        ] {
            assert_eq!(covers(area, code), expected, "{area} {code}");
        }
    }
}
