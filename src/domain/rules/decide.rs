//! From fired rules to a decision: message-wide rules, matters, and for each matter its answer, topic, type and
//! urgency.

use std::{cell::RefCell, sync::Arc};

use super::{
    decision::{AnswerHit, Decision, Input, Matter, TopicScore, TypeScore},
    engine::{Fired, Miss, Setting, Stretch},
    likeness::{Likeness, Terms},
    matcher::Scratch,
    model::{Rule, RuleKind, Status},
    set::{RuleSet, speaks_of_topics},
    split::{CLEAR, Evidence, Likes, Part, opens_anew, split},
    words::Sign,
};
use crate::domain::{
    kinds::{CaseType, Diversion, Urgency},
    text::{Boundary, is_han},
};

/// Characters of evidence that count at most, per rule.
const MATCHED_CAP: u32 = 20;
/// What the topic of the winning answer gains.
const ANSWER_TOPIC_VOTE: u32 = 30;
/// What the type of the winning answer gains.
const ANSWER_TYPE_VOTE: u32 = 15;
/// What the type that the taxonomy gives a topic gains.
const PRIOR_VOTE: u32 = 14;
/// What a topic or a type gains that the message is like, for each point of its lead.
const LIKENESS_VOTE: f32 = 150.0;
/// The same for case types.
const TYPE_FLOOR: f32 = 0.3;
const TYPE_CAP: f32 = 200.0;
/// Score from which a topic that rules named stands against kindred ones.
const NAMED: u32 = 36;
/// Characters from which a clause is looked at for its likeness where matters are told apart, and characters of a letter
/// whose many words say enough.
const LIKE_CLAUSE_CHARS: usize = 4;
const LETTER_CHARS: usize = 500;
/// What likeness adds at most: several rules that name another topic outweigh it.
const LIKENESS_CAP: f32 = 100.0;
/// Lead from which likeness alone names a topic that no rule named.
const LIKENESS_FLOOR: f32 = 0.2;
/// Score from which a complaint, without any question, keeps a consultation answer back.
const COMPLAINT_FLOOR: u32 = 18;
/// A stretch of more characters without any question tells something: it is not answered with a consultation.
const STATEMENT_CHARS: u32 = 20;
/// Evidence words that are kept per topic and type.
const EVIDENCE_WORDS: usize = 4;
/// Words that ask when they end a clause without a verb: 账款投诉的处理时限, 说了有用没有.
const ASKING_ENDS: [&str; 16] = [
    "时限",
    "期限",
    "时效",
    "标准",
    "规定",
    "条件",
    "流程",
    "渠道",
    "合法",
    "来着",
    "用没有",
    "了没有",
    "好没有",
    "完没有",
    "过没有",
    "有没有",
];
/// Messages up to this length in which nothing was recognised are unclear rather than a matter.
const UNCLEAR_CHARS: usize = 6;
/// Characters beside the words of small talk up to which a message is nothing but that.
const SMALLTALK_REST: u32 = 16;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// Runs `work` with this thread's buffers.
pub(super) fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with(|cell| match cell.try_borrow_mut() {
        Ok(mut scratch) => work(&mut scratch),
        // Only when deciding within deciding; correct, merely slower.
        Err(_) => work(&mut Scratch::default()),
    })
}

impl RuleSet {
    /// Decides a message. Never fails; a message that no rule knows is one matter of the default type.
    pub fn decide(&self, input: &Input<'_>) -> Decision {
        with_scratch(|scratch| {
            self.scan(input.text, scratch);
            self.decide_scanned(input, scratch)
        })
    }

    pub(super) fn decide_scanned(&self, input: &Input<'_>, scratch: &Scratch) -> Decision {
        self.decide_noting(input, scratch, &self.setting(input, scratch), |_, _| {})
    }

    /// The same; `missed` is told of each rule that had words in the message and did not fire on the whole of it, and why.
    pub(super) fn decide_noting(
        &self,
        input: &Input<'_>,
        scratch: &Scratch,
        setting: &Setting,
        mut missed: impl FnMut(u32, Miss),
    ) -> Decision {
        let whole = Stretch::whole(scratch);
        let mut decision = Decision {
            matters: Vec::new(),
            command: None,
            diversion: None,
            sensitive: false,
            reply: None,
            interrupts_form: false,
            rules: Vec::new(),
            shadow: Vec::new(),
            rule_set_hash: self.shared_hash(),
        };
        let (smalltalk, danger) = self.message_wide(scratch, &whole, setting, &mut decision, &mut missed);
        let on_whole = Part { stretch: whole, preface: None };
        let mut fired_on_whole = Some(self.fired_on(scratch, &on_whole, setting, missed));
        let parts = self.parts(scratch, setting, fired_on_whole.as_deref().unwrap_or_default());
        if parts.len() > 1 {
            fired_on_whole = None;
        }
        let mut judged: Vec<(Part, Weighed<'_>)> = Vec::with_capacity(parts.len());
        for part in parts {
            let fired = fired_on_whole.take().unwrap_or_else(|| self.fired_on(scratch, &part, setting, |_, _| {}));
            let weighed = self.weigh(scratch, &part, fired, &mut decision);
            // Parts that turn out to be about the same, or about nothing, are one matter with their neighbour.
            match judged.last_mut() {
                Some((before, other))
                    if weighed.topic() == other.topic() || weighed.topic().is_none() || other.topic().is_none() =>
                {
                    before.stretch = Stretch::of(scratch, before.stretch.first, part.stretch.last);
                    if before.stretch.first == 0 {
                        before.preface = None;
                    }
                    let fired = self.fired_on(scratch, before, setting, |_, _| {});
                    *other = self.weigh(scratch, before, fired, &mut decision);
                }
                _ => judged.push((part, weighed)),
            }
        }
        // Topics that rules named, by matter: likeness alone makes no matter of small talk.
        let mut told_topic = Vec::with_capacity(judged.len());
        let mut wants_action = danger > Urgency::Normal;
        for (part, weighed) in judged {
            told_topic.push(weighed.shown(scratch));
            wants_action |= weighed.urgency > Urgency::Normal || weighed.votes.wants_action();
            decision.matters.push(self.conclude(input, scratch, &part, weighed));
        }
        for matter in &mut decision.matters {
            matter.urgency = matter.urgency.max(danger);
        }
        // Types alone are no matter: 怎么 makes “你们几点上班” a consultation and leaves it small talk. Nor is a
        // topic that shows in fewer characters than the small talk does.
        let smalltalk_chars = smalltalk.as_ref().map_or(0, |(_, fired)| fired.matched as usize);
        let told = |(m, shown): (&Matter, &Option<usize>)| {
            let topical = shown.is_some_and(|chars| chars >= smalltalk_chars);
            topical || m.answer.is_some() || m.expired.is_some() || m.sensitive
        };
        if !decision.matters.iter().zip(&told_topic).any(told) {
            if let Some((rule, fired)) = smalltalk {
                decision.rules.push(rule.id.clone());
                decision.diversion = decision.diversion.or(Some(rule.diversion.unwrap_or(Diversion::Smalltalk)));
                decision.reply = decision.reply.take().or_else(|| answer_hit(rule));
                // Greeting words that make up only part of a message leave the rest a matter.
                let rest = whole.chars.saturating_sub(fired.matched);
                if !wants_action && rest <= SMALLTALK_REST {
                    decision.matters.clear();
                }
            } else if decision.diversion == Some(Diversion::Abuse) || (decision.command.is_some() && !wants_action) {
                decision.matters.clear();
            } else if decision.diversion.is_none()
                && decision.command.is_none()
                && is_noise(scratch)
                && !decision.matters.iter().any(|m| !m.rules.is_empty())
            {
                decision.diversion = Some(Diversion::Unclear);
            }
        }
        decision.shadow.sort();
        decision.shadow.dedup();
        decision.sensitive |= decision.matters.iter().any(|m| m.sensitive);
        decision
    }

    /// Commands, diversions and small talk judge the whole message. Gives back the small talk that fired and how
    /// urgent the diversion makes every matter of the message.
    fn message_wide<'a>(
        &'a self,
        scratch: &Scratch,
        whole: &Stretch,
        setting: &Setting,
        decision: &mut Decision,
        missed: &mut impl FnMut(u32, Miss),
    ) -> (Option<(&'a Rule, Fired)>, Urgency) {
        let mut best: [Option<(&Rule, Fired)>; 3] = [None, None, None];
        for &n in &scratch.triggered {
            let (Some(rule), Some(conditions)) = (self.rules.get(n as usize), self.conditions.get(n as usize)) else {
                continue;
            };
            let place = match rule.kind {
                RuleKind::Command => 0,
                RuleKind::Diversion => 1,
                RuleKind::Smalltalk => 2,
                RuleKind::Answer | RuleKind::Type | RuleKind::Topic | RuleKind::Urgency => continue,
            };
            let fired = match conditions.evaluate(n, scratch, whole, setting) {
                Ok(fired) => fired,
                Err(miss) => {
                    missed(n, miss);
                    continue;
                }
            };
            if fired.expired {
                continue;
            }
            if rule.status == Status::Shadow {
                decision.shadow.push(rule.id.clone());
                continue;
            }
            if let Some(slot) = best.get_mut(place)
                && slot.as_ref().is_none_or(|(other, f)| {
                    (rule.priority, fired.matched, other.id.as_str()) > (other.priority, f.matched, rule.id.as_str())
                })
            {
                *slot = Some((rule, fired));
            }
        }
        let [command, diversion, smalltalk] = best;
        let mut danger = Urgency::Normal;
        if let Some((rule, _)) = &diversion {
            decision.diversion = rule.diversion;
            decision.rules.push(rule.id.clone());
            decision.reply = answer_hit(rule);
            decision.sensitive |= rule.sensitive;
            decision.interrupts_form |= rule.interrupts_form;
            danger = rule.urgency.unwrap_or(Urgency::Normal);
        }
        if let Some((rule, _)) = &command {
            decision.command = rule.command;
            decision.rules.push(rule.id.clone());
            if decision.reply.is_none() {
                decision.reply = answer_hit(rule);
            }
            decision.interrupts_form |= rule.interrupts_form;
        }
        (smalltalk, danger)
    }

    /// Cuts the message by the topics that show in its clauses.
    fn parts(&self, scratch: &Scratch, setting: &Setting, fired: &[Fired]) -> Vec<Part> {
        if scratch.clauses.is_empty() {
            return Vec::new();
        }
        let mut evidence: Vec<Evidence> = Vec::new();
        let mut likes: Vec<Likes> = Vec::new();
        if self.may_be_several(scratch, setting, fired) {
            for &n in &scratch.triggered {
                let (Some(rule), Some(conditions)) = (self.rules.get(n as usize), self.conditions.get(n as usize))
                else {
                    continue;
                };
                let Some(topic) = self.rule_topics.get(n as usize).copied().flatten() else { continue };
                if !speaks_of_topics(rule.kind) || rule.status != Status::Active {
                    continue;
                }
                let slots = conditions.all.iter().chain(conditions.any.iter());
                let mut clauses: Vec<u32> = slots.flat_map(|&slot| scratch.hits(slot).map(|hit| hit.clause)).collect();
                clauses.sort_unstable();
                clauses.dedup();
                for clause in clauses {
                    // The clause alone first; with the clause before it only when that needs it.
                    let alone = Stretch::of(scratch, clause, clause + 1);
                    let mut borrows = false;
                    let fired = conditions.evaluate(n, scratch, &alone, setting).or_else(|miss| {
                        borrows = true;
                        // A new sentence or 另外 must not borrow words from what came before it.
                        if clause == 0 || opens_anew(scratch, clause) {
                            return Err(miss);
                        }
                        let with_before = Stretch::of(scratch, clause - 1, clause + 1);
                        conditions.evaluate(n, scratch, &with_before, setting)
                    });
                    if let Ok(fired) = fired {
                        let group = self.topics.get(usize::from(topic)).map_or(0, |t| t.group);
                        let score = Self::vote_of(rule, &fired);
                        evidence.push(Evidence { clause, topic, group, score, borrows });
                    }
                }
            }
            // A clause that names its own topic clearly needs no words of the one before.
            let clear: Vec<u32> =
                evidence.iter().filter(|e| !e.borrows && e.score >= CLEAR).map(|e| e.clause).collect();
            evidence.retain(|e| !e.borrows || !clear.contains(&e.clause));
            // What several rules say of a clause adds up.
            evidence.sort_unstable_by_key(|e| (e.clause, e.topic));
            evidence.dedup_by(|next, first| {
                let same = (next.clause, next.topic) == (first.clause, first.topic);
                first.score += if same { next.score } else { 0 };
                same
            });
            evidence.sort_unstable_by_key(|e| (e.clause, std::cmp::Reverse(e.score)));
            likes = self.clauses_like(scratch);
        }
        split(scratch, &evidence, &likes)
    }

    /// Which topics each clause is like.
    fn clauses_like(&self, scratch: &Scratch) -> Vec<Likes> {
        let mut likes = Vec::new();
        if scratch.text.char_count() > LETTER_CHARS {
            return likes;
        }
        for (clause, n) in scratch.clauses.iter().zip(0..) {
            if clause.chars < LIKE_CLAUSE_CHARS {
                continue;
            }
            let text = scratch.slice(clause.start as u32, clause.end as u32);
            for like in self.likeness.nearest(&self.likeness.terms(text)) {
                // More like small talk than like any further topic.
                let Some(topic) = self.topics.get(usize::from(like.topic)) else { break };
                likes.push(Likes { clause: n, topic: like.topic, group: topic.group, lead: like.lead });
            }
        }
        likes
    }

    /// The matters of a scanned message, as [`RuleSet::decide`] tells them apart.
    pub(super) fn parts_of(&self, scratch: &Scratch, setting: &Setting) -> Vec<Part> {
        let whole = Part { stretch: Stretch::whole(scratch), preface: None };
        let fired = self.fired_on(scratch, &whole, setting, |_, _| {});
        self.parts(scratch, setting, &fired)
    }

    /// Whether it is worth looking for several matters: most messages have one clause or one topic.
    fn may_be_several(&self, scratch: &Scratch, setting: &Setting, fired: &[Fired]) -> bool {
        if scratch.clauses.len() <= 1 {
            return false;
        }
        let questions = scratch.clauses.iter().filter(|c| c.boundary == Boundary::Question).count();
        if announces_several(scratch) || questions >= 2 {
            return true;
        }
        let mut first: Option<u16> = None;
        let several = fired.iter().any(|f| {
            let rule = self.rules.get(f.rule as usize);
            let topic = self.rule_topics.get(f.rule as usize).copied().flatten();
            let (Some(rule), Some(topic)) = (rule, topic) else { return false };
            if !speaks_of_topics(rule.kind) || Self::vote_of(rule, f) < CLEAR {
                return false;
            }
            first.get_or_insert(topic) != &topic
        });
        several || first.is_some_and(|first| self.shuts_out_another(scratch, setting, first))
    }

    /// Whether a clear topic of another group than `first` fails on the whole message only because of a word that may belong to
    /// another matter: 出口退税没到账；外籍专家的工作证怎么续. Only where a sentence ends or 也 or 又 speaks for several.
    fn shuts_out_another(&self, scratch: &Scratch, setting: &Setting, first: u16) -> bool {
        let ends = scratch.clauses.iter().rev().skip(1).any(|c| c.boundary.ends_sentence());
        if !ends && scratch.signs(Sign::Parallel).next().is_none() {
            return false;
        }
        let whole = Stretch::whole(scratch);
        let group = |topic: u16| self.topics.get(usize::from(topic)).map(|t| t.group);
        scratch.triggered.iter().any(|&n| {
            let (Some(rule), Some(conditions)) = (self.rules.get(n as usize), self.conditions.get(n as usize)) else {
                return false;
            };
            let topic = self.rule_topics.get(n as usize).copied().flatten();
            topic.is_some_and(|topic| group(topic) != group(first))
                && rule.kind == RuleKind::Topic
                && rule.status == Status::Active
                && rule.weight >= CLEAR
                && matches!(conditions.evaluate(n, scratch, &whole, setting), Err(Miss::Excluded(_)))
        })
    }

    /// What a rule that fired adds to its topic where matters are told apart.
    fn vote_of(rule: &Rule, fired: &Fired) -> u32 {
        let vote = if rule.kind == RuleKind::Answer { ANSWER_TOPIC_VOTE } else { rule.weight };
        vote + fired.matched.min(MATCHED_CAP)
    }

    /// The rules that fire on a part, message-wide ones aside; `missed` is told of the others.
    fn fired_on(
        &self,
        scratch: &Scratch,
        part: &Part,
        setting: &Setting,
        mut missed: impl FnMut(u32, Miss),
    ) -> Vec<Fired> {
        let mut out = Vec::with_capacity(scratch.triggered.len().min(32));
        for &n in &scratch.triggered {
            let Some(conditions) = self.conditions.get(n as usize) else { continue };
            let fired = match conditions.kind {
                RuleKind::Command | RuleKind::Diversion | RuleKind::Smalltalk => continue,
                RuleKind::Answer | RuleKind::Topic => conditions.evaluate(n, scratch, &part.stretch, setting),
                RuleKind::Type | RuleKind::Urgency => {
                    conditions.evaluate(n, scratch, &part.stretch, setting).or_else(|miss| match &part.preface {
                        Some(preface) => conditions.evaluate(n, scratch, preface, setting),
                        None => Err(miss),
                    })
                }
            };
            match fired {
                Ok(fired) => out.push(fired),
                Err(miss) => missed(n, miss),
            }
        }
        out
    }

    /// What the rules that fired on a part say, before anything is concluded from it.
    fn weigh<'a>(&'a self, scratch: &Scratch, part: &Part, fired: Vec<Fired>, decision: &mut Decision) -> Weighed<'a> {
        let stretch = &part.stretch;
        let mut votes = Votes::default();
        let mut answers: Vec<(&Rule, Fired)> = Vec::new();
        let mut urgency = Urgency::Normal;
        let mut fired_rules: Vec<String> = Vec::new();
        let mut sensitive = false;
        for fired in fired {
            let n = fired.rule;
            let Some(rule) = self.rules.get(n as usize) else { continue };
            if rule.status == Status::Shadow {
                decision.shadow.push(rule.id.clone());
                continue;
            }
            match rule.kind {
                RuleKind::Answer => {
                    answers.push((rule, fired));
                    continue;
                }
                RuleKind::Topic if !fired.expired => {
                    if let Some(topic) = self.rule_topics.get(n as usize).copied().flatten() {
                        votes.topic(topic, rule.weight + fired.matched.min(MATCHED_CAP), &fired);
                    }
                }
                RuleKind::Type if !fired.expired => {
                    if let Some(case_type) = rule.case_type {
                        votes.case_type(case_type, rule.weight + fired.matched.min(MATCHED_CAP), &fired);
                    }
                }
                RuleKind::Urgency if !fired.expired => urgency = urgency.max(rule.urgency.unwrap_or(Urgency::Urgent)),
                RuleKind::Topic
                | RuleKind::Type
                | RuleKind::Urgency
                | RuleKind::Command
                | RuleKind::Diversion
                | RuleKind::Smalltalk => continue,
            }
            sensitive |= rule.sensitive;
            decision.interrupts_form |= rule.interrupts_form;
            fired_rules.push(rule.id.clone());
        }
        let asks = asks_something(scratch, stretch);
        let own = scratch.signs(Sign::OwnMatter).any(|hit| hit.start >= stretch.start && hit.end <= stretch.end);
        let complains = own || (!asks && (votes.complains() || stretch.chars > STATEMENT_CHARS));
        let choice = choose(answers, complains);
        if let Some((rule, fired)) = &choice.winner {
            fired_rules.insert(0, rule.id.clone());
            decision.interrupts_form |= rule.interrupts_form;
            sensitive |= rule.sensitive;
            urgency = urgency.max(rule.urgency.unwrap_or(Urgency::Normal));
            let topic = rule.topic.as_ref().and_then(|code| self.topics.iter().position(|t| &t.code == code));
            if let Some(topic) = topic {
                votes.topic(topic as u16, ANSWER_TOPIC_VOTE + fired.matched.min(MATCHED_CAP), fired);
            }
            if let Some(case_type) = rule.case_type {
                votes.case_type(case_type, ANSWER_TYPE_VOTE + fired.matched.min(MATCHED_CAP), fired);
            }
        }
        votes.sort_topics();
        Weighed { votes, choice, urgency, rules: fired_rules, sensitive }
    }

    fn conclude(&self, input: &Input<'_>, scratch: &Scratch, part: &Part, weighed: Weighed<'_>) -> Matter {
        let Weighed { mut votes, choice, urgency, rules, sensitive } = weighed;
        let stretch = &part.stretch;
        let span = scratch.text.original_range(stretch.start as usize..stretch.end as usize);
        // A single matter is the whole message, punctuation included.
        let span = if part.preface.is_none() && stretch.first == 0 && stretch.last as usize == scratch.clauses.len() {
            0..input.text.len()
        } else {
            span
        };
        let answer = choice.winner.as_ref().and_then(|(rule, _)| answer_hit(rule));
        let named = !votes.topics.is_empty();
        let clear: Vec<u16> = votes.topics.iter().filter(|t| t.score >= CLEAR).map(|t| t.key).collect();
        self.lean(scratch, stretch, &mut votes);
        // What a topic usually is (拖欠: 账款投诉) counts only where rules name the topic clearly: 村里 alone is no arrears.
        let usual = votes.topics.first().map(|t| t.key).filter(|topic| clear.contains(topic));
        if let Some(prior) = usual.and_then(|n| self.topics.get(usize::from(n))).and_then(|t| t.case_type) {
            votes.add_type(prior, PRIOR_VOTE);
        }
        self.lean_to_type(scratch, stretch, &mut votes);
        votes.types.sort_by(|a, b| b.score.cmp(&a.score).then(a.key.cmp(&b.key)));
        let case_type = votes.types.first().map_or(CaseType::Coordination, |t| t.key);
        let topics: Vec<TopicScore> = votes
            .topics
            .iter()
            .take(3)
            .filter_map(|t| {
                let topic = self.topics.get(usize::from(t.key))?.code.clone();
                Some(TopicScore { topic, score: t.score, evidence: t.words(scratch) })
            })
            .collect();
        let confidence = confidence(answer.is_some(), &votes);
        let objects = objects(scratch, stretch, case_type);
        Matter {
            text: input.text.get(span.clone()).unwrap_or_default().trim().to_owned(),
            span,
            case_type,
            types: votes
                .types
                .iter()
                .take(3)
                .map(|t| TypeScore { case_type: t.key, score: t.score, evidence: t.words(scratch) })
                .collect(),
            topic: topics.first().map(|t| t.topic.clone()),
            named,
            topics,
            urgency,
            confidence,
            rules,
            answer,
            clarify: choice.clarify,
            expired: choice.expired,
            sensitive,
            objects,
        }
    }

    /// The same for the case type.
    fn lean_to_type(&self, scratch: &Scratch, stretch: &Stretch, votes: &mut Votes) {
        let text = scratch.slice(stretch.start, stretch.end);
        let terms = self.type_likeness.terms(text);
        for like in self.type_likeness.nearest(&terms) {
            let Some(&case_type) = CaseType::ALL.get(usize::from(like.topic)) else { break };
            let names = like.lead >= TYPE_FLOOR && pairs_for(&self.type_likeness, text, &terms, like.topic) > 1;
            if names || votes.types.iter().any(|v| v.key == case_type) {
                votes.add_type(case_type, (like.lead * LIKENESS_VOTE).min(TYPE_CAP) as u32);
            }
        }
    }

    /// Adds what the words of the stretch say by their likeness to the rules' own words and examples.
    fn lean(&self, scratch: &Scratch, stretch: &Stretch, votes: &mut Votes) {
        let text = scratch.slice(stretch.start, stretch.end);
        let group = |topic: u16| self.topics.get(usize::from(topic)).map(|t| t.group);
        // Who owes, what certificate: between kindred topics the rules' own words are surer.
        let named = votes.topics.first().filter(|t| t.score >= NAMED).map(|t| (t.key, group(t.key)));
        let terms = self.likeness.terms(text);
        for like in self.likeness.nearest(&terms) {
            // More like small talk than like any further topic.
            if usize::from(like.topic) == self.topics.len() {
                break;
            }
            if named.is_some_and(|(topic, of)| topic != like.topic && of == group(like.topic)) {
                continue;
            }
            let voted = votes.topics.iter().any(|t| t.key == like.topic);
            if !voted && like.lead < LIKENESS_FLOOR {
                continue;
            }
            let words = self.likeness.evidence(&terms, like.topic);
            let pairs =
                words.iter().filter(|(start, end)| text.get(*start..*end).is_some_and(|w| w.chars().count() > 1));
            if voted || pairs.count() > 1 {
                let score = (like.lead * LIKENESS_VOTE).min(LIKENESS_CAP) as u32;
                let spans: Vec<(u32, u32)> = words
                    .into_iter()
                    .map(|(start, end)| (stretch.start + start as u32, stretch.start + end as u32))
                    .collect();
                Vote::add(&mut votes.topics, like.topic, score, &spans);
            }
        }
        votes.sort_topics();
    }
}

impl RuleSet {
    /// Where and when: regions named in the message count instead of the enterprise's own.
    pub(super) fn setting(&self, input: &Input<'_>, scratch: &Scratch) -> Setting {
        let mut named: Vec<String> = Vec::new();
        for hit in scratch.signs(Sign::Place) {
            let name = scratch.slice(hit.start, hit.end);
            named.extend(self.regions.code(name).map(str::to_owned));
        }
        let mut areas: Vec<String> = input.area.map(str::to_owned).into_iter().collect();
        if let Some(own) = input.area {
            // A town of the own province narrows nothing; another province asks for other rules.
            let near = |code: &String| {
                let shorter = code.trim_end_matches("00");
                own.starts_with(shorter) || code.starts_with(own.trim_end_matches("00"))
            };
            if named.iter().any(|code| !near(code)) {
                areas = named;
            } else {
                areas.extend(named);
            }
        } else {
            areas = named;
        }
        Setting { today: input.today, channel: input.channel, areas }
    }
}

/// What the rules that fired on a part say.
struct Weighed<'a> {
    votes: Votes,
    choice: Choice<'a>,
    urgency: Urgency,
    rules: Vec<String>,
    sensitive: bool,
}

impl Weighed<'_> {
    /// The topic that the rules name.
    fn topic(&self) -> Option<u16> {
        self.votes.topics.first().map(|t| t.key)
    }

    /// Characters in which that topic shows.
    fn shown(&self, scratch: &Scratch) -> Option<usize> {
        let topic = self.votes.topics.first()?;
        Some(topic.words(scratch).iter().map(|word| word.chars().count()).sum())
    }
}

/// How many pairs of characters in the text speak for the topic: one word alone names none, 专家 occurs in many.
fn pairs_for(likeness: &Likeness, text: &str, terms: &Terms, topic: u16) -> usize {
    let pair = |&(start, end): &(usize, usize)| text.get(start..end).is_some_and(|w| w.chars().count() > 1);
    likeness.evidence(terms, topic).iter().filter(|span| pair(span)).count()
}

/// Whether the message says itself that it holds several matters: 1、2、, 另外, 分别.
fn announces_several(scratch: &Scratch) -> bool {
    !scratch.items.is_empty()
        || scratch.signs(Sign::Marker).next().is_some()
        || scratch.signs(Sign::Several).next().is_some()
}

/// Whether anything in the stretch is a question. “怎么还不/凭什么” are no questions.
fn asks_something(scratch: &Scratch, stretch: &Stretch) -> bool {
    let asks = scratch.signs(Sign::Question).any(|hit| {
        hit.start >= stretch.start && hit.end <= stretch.end && {
            let rest = scratch.slice(hit.end, stretch.end);
            !(rest.starts_with(['还', '没', '不', '又', '这']) || rest.starts_with("人管"))
        }
    });
    let text = scratch.slice(stretch.start, stretch.end);
    asks || a_not_a(text)
        || scratch.clauses.get(stretch.first as usize..stretch.last as usize).is_some_and(|clauses| {
            clauses.iter().any(|c| {
                let clause = scratch.slice(c.start as u32, c.end as u32);
                c.boundary == Boundary::Question
                    || clause.ends_with(['不', '没', '否', '嘛', '无', '吗'])
                    || ASKING_ENDS.iter().any(|end| clause.ends_with(end))
            })
        })
}

/// 合不合法, 管不管, 交没交: a question whatever the verb.
fn a_not_a(text: &str) -> bool {
    let mut two: [char; 2] = ['\0'; 2];
    for c in text.chars() {
        if two[0] == c && matches!(two[1], '不' | '没') {
            return true;
        }
        two = [two[1], c];
    }
    false
}

/// Organs that are complained of: named in a matter that blames.
fn objects(scratch: &Scratch, stretch: &Stretch, case_type: CaseType) -> Vec<String> {
    let accuses = match case_type {
        CaseType::Complaint | CaseType::Report | CaseType::Conduct => true,
        CaseType::Consultation
        | CaseType::Suggestion
        | CaseType::Coordination
        | CaseType::Help
        | CaseType::Stuck
        | CaseType::Arrears
        | CaseType::Risk
        | CaseType::Praise
        | CaseType::RatingReview
        | CaseType::ServiceOrder => false,
    };
    let mut found: Vec<(u32, u32)> = scratch
        .signs(Sign::Organ)
        .filter(|hit| hit.start >= stretch.start && hit.end <= stretch.end)
        .filter(|hit| {
            accuses
                || scratch.signs(Sign::Blame).any(|blame| {
                    blame.clause == hit.clause || blame.clause == hit.clause + 1 || hit.clause == blame.clause + 1
                })
        })
        .map(|hit| (hit.start, hit.end))
        .collect();
    found.sort_by_key(|&(start, end)| (start, std::cmp::Reverse(end)));
    let mut names: Vec<String> = Vec::new();
    let mut last = 0;
    for (start, end) in found {
        // The longest name at a place counts: 市场监管局, not 市场.
        if start < last {
            continue;
        }
        last = end;
        let name = scratch.slice(start, end);
        if !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Nothing in it that could be a matter.
fn is_noise(scratch: &Scratch) -> bool {
    let han = scratch.text.as_str().chars().filter(|&c| is_han(c)).count();
    han == 0 || scratch.text.char_count() <= UNCLEAR_CHARS
}

/// What became of the answer rules that fired.
struct Choice<'a> {
    winner: Option<(&'a Rule, Fired)>,
    clarify: Vec<(String, String)>,
    expired: Option<String>,
}

/// Highest priority, then most matched characters, then id; a tie within one topic asks back.
fn choose(mut fired: Vec<(&Rule, Fired)>, complains: bool) -> Choice<'_> {
    fired.sort_by(|(a, fa), (b, fb)| {
        b.priority.cmp(&a.priority).then(fb.matched.cmp(&fa.matched)).then(a.id.cmp(&b.id))
    });
    let expired = match fired.first() {
        Some((rule, hit)) if hit.expired => Some(rule.id.clone()),
        _ => None,
    };
    fired.retain(|(_, hit)| !hit.expired);
    let mut held = Vec::new();
    if complains {
        // Someone who complains gets a case and not a lecture; the titles stay on offer.
        (fired, held) = fired.into_iter().partition(|(rule, _)| rule.case_type != Some(CaseType::Consultation));
    }
    let title = |rule: &Rule| (rule.id.clone(), rule.title.clone());
    if let [(first, hit), rest @ ..] = fired.as_slice() {
        let tied: Vec<&Rule> = rest
            .iter()
            .take_while(|(rule, other)| rule.priority == first.priority && other.matched == hit.matched)
            .filter(|(rule, _)| rule.topic == first.topic)
            .map(|(rule, _)| *rule)
            .collect();
        if !tied.is_empty() {
            let clarify = std::iter::once(*first).chain(tied).take(4).map(title).collect();
            return Choice { winner: None, clarify, expired };
        }
    }
    if complains {
        let clarify = held.iter().take(3).map(|(rule, _)| title(rule)).collect();
        return Choice { winner: fired.into_iter().next(), clarify, expired };
    }
    let winner = if expired.is_some() { None } else { fired.into_iter().next() };
    Choice { winner, clarify: Vec::new(), expired }
}

/// The answer of a rule, if it has one.
fn answer_hit(rule: &Rule) -> Option<AnswerHit> {
    let answer = rule.answer.as_ref()?;
    Some(AnswerHit {
        rule_id: rule.id.clone(),
        title: rule.title.clone(),
        text: answer.text.clone(),
        plain: answer.plain.clone(),
        citations: Arc::clone(&rule.citations),
        quick_replies: answer.quick_replies.clone(),
        form: rule.form.clone(),
        department: rule.route.department.clone(),
        awaiting_recheck: rule.awaiting_recheck,
        verified_on: rule.verified_on,
        mode: answer.mode,
    })
}

/// Scores while a matter is judged.
#[derive(Default)]
struct Votes {
    topics: Vec<Vote<u16>>,
    types: Vec<Vote<CaseType>>,
}

struct Vote<K> {
    key: K,
    score: u32,
    spans: Vec<(u32, u32)>,
}

impl<K: Copy + PartialEq> Vote<K> {
    fn add(votes: &mut Vec<Self>, key: K, score: u32, spans: &[(u32, u32)]) {
        match votes.iter_mut().find(|v| v.key == key) {
            Some(vote) => {
                vote.score += score;
                vote.spans.extend_from_slice(spans);
            }
            None => votes.push(Self { key, score, spans: spans.to_vec() }),
        }
    }

    fn words(&self, scratch: &Scratch) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for &(start, end) in &self.spans {
            let word = scratch.slice(start, end);
            if !words.iter().any(|w| w == word) {
                words.push(word.to_owned());
            }
            if words.len() == EVIDENCE_WORDS {
                break;
            }
        }
        words
    }
}

impl Votes {
    fn topic(&mut self, topic: u16, score: u32, fired: &Fired) {
        Vote::add(&mut self.topics, topic, score, &fired.spans);
    }

    fn sort_topics(&mut self) {
        self.topics.sort_by(|a, b| b.score.cmp(&a.score).then(a.key.cmp(&b.key)));
    }

    fn case_type(&mut self, case_type: CaseType, score: u32, fired: &Fired) {
        Vote::add(&mut self.types, case_type, score, &fired.spans);
    }

    /// Whether a type shows that asks for more than words.
    fn wants_action(&self) -> bool {
        let words = |t: CaseType| matches!(t, CaseType::Consultation | CaseType::ServiceOrder | CaseType::Praise);
        self.types.iter().any(|vote| !words(vote.key))
    }

    fn add_type(&mut self, case_type: CaseType, score: u32) {
        Vote::add(&mut self.types, case_type, score, &[]);
    }

    /// Whether a type that wants action leads clearly over consultation.
    fn complains(&self) -> bool {
        let score = |wanted: fn(CaseType) -> bool| {
            self.types.iter().filter(|v| wanted(v.key)).map(|v| v.score).max().unwrap_or(0)
        };
        let action = score(|t| !matches!(t, CaseType::Consultation | CaseType::ServiceOrder));
        action >= COMPLAINT_FLOOR && action > score(|t| t == CaseType::Consultation)
    }
}

/// How sure the rules are: how far the best is ahead of the second, and how much speaks for it.
fn confidence(answered: bool, votes: &Votes) -> f32 {
    fn lead<K>(votes: &[Vote<K>]) -> f32 {
        let first = votes.first().map_or(0, |v| v.score) as f32;
        let second = votes.get(1).map_or(0, |v| v.score) as f32;
        if first > 0.0 { first / (first + second + 8.0) } else { 0.0 }
    }
    let votes = 0.5 * lead(&votes.topics) + 0.5 * lead(&votes.types);
    let sure = if answered { 0.6 + 0.4 * votes } else { votes };
    (sure * 100.0).round() / 100.0
}
