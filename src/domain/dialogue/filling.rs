//! Fills, checks and corrects the registration form. Knows nothing of turns or replies.

use std::sync::LazyLock;

use jiff::civil::Date;
use regex::Regex;

use super::{
    correcting::{MatterChange, MatterValue},
    demand,
    draft::{Amount, CaseDraft, Contact, Evidence, FieldChange},
    extract,
    form::{CaseForm, FieldKey, FieldSource, FieldValue, FormMatter},
    knowledge::{Knowledge, ReadingMatter},
    message::{FormCard, FormCardField, FormCardMatter},
    number,
    state::Facts,
};
use crate::domain::kinds::{CaseType, Channel};

/// Most matters on one form.
pub(super) const MAX_MATTERS: usize = 5;
/// Longest value of a short field, in characters.
const MAX_SHORT: usize = 120;
/// Longest demand, in characters.
const MAX_DEMAND: usize = 500;

impl CaseForm {
    /// The value of a field, if it has one.
    pub fn value(&self, key: FieldKey) -> Option<&str> {
        self.fields.get(&key).map(|f| f.value.as_str()).filter(|v| !v.is_empty())
    }

    /// The matters that will be filed.
    pub fn kept(&self) -> impl Iterator<Item = &FormMatter> {
        self.matters.iter().filter(|m| m.keep)
    }

    /// Whether the enterprise is not to be named to others.
    pub fn is_secret(&self) -> bool {
        self.anonymous || self.value(FieldKey::Confidential) == Some("是")
    }

    /// Whether the form may be filed without a contact: only what may be told anonymously.
    pub fn may_be_anonymous(&self) -> bool {
        self.kept().all(|m| {
            matches!(
                m.case_type,
                CaseType::Report | CaseType::Conduct | CaseType::Complaint | CaseType::Risk | CaseType::Praise
            )
        })
    }

    /// Whether a field must be there before 提交.
    pub fn is_required(&self, key: FieldKey) -> bool {
        match key {
            FieldKey::ContactPhone => !(self.anonymous && self.may_be_anonymous()),
            FieldKey::Demand => true,
            FieldKey::Enterprise
            | FieldKey::Uscc
            | FieldKey::ContactName
            | FieldKey::Place
            | FieldKey::Object
            | FieldKey::HappenedOn
            | FieldKey::Amount
            | FieldKey::Confidential => false,
        }
    }

    /// Whether a field is asked for, although the form can be filed without it.
    pub fn is_wanted(&self, key: FieldKey) -> bool {
        match key {
            FieldKey::Enterprise | FieldKey::ContactName => !self.anonymous,
            FieldKey::Object => self.kept().any(|m| {
                matches!(m.case_type, CaseType::Complaint | CaseType::Report | CaseType::Conduct | CaseType::Arrears)
            }),
            FieldKey::Amount => self.kept().any(|m| m.case_type == CaseType::Arrears),
            FieldKey::Uscc
            | FieldKey::ContactPhone
            | FieldKey::Place
            | FieldKey::HappenedOn
            | FieldKey::Demand
            | FieldKey::Confidential => false,
        }
    }

    /// Everything still missing, required first.
    pub fn missing(&self) -> Vec<FieldKey> {
        let absent = |key: &FieldKey| {
            if *key == FieldKey::Demand {
                self.kept().any(|m| m.demand.trim().is_empty())
            } else {
                self.value(*key).is_none()
            }
        };
        let required = FieldKey::ALL.iter().copied().filter(|k| self.is_required(*k) && absent(k));
        let wanted = FieldKey::ALL.iter().copied().filter(|k| !self.is_required(*k) && self.is_wanted(*k) && absent(k));
        required.chain(wanted).collect()
    }

    /// What stands against 提交: field and reason, in words for people.
    pub fn errors(&self) -> Vec<(FieldKey, String)> {
        let mut errors: Vec<(FieldKey, String)> = self
            .missing()
            .into_iter()
            .filter(|k| self.is_required(*k))
            .map(|k| (k, format!("请填写{}", k.label())))
            .collect();
        if self.kept().next().is_none() {
            errors.push((FieldKey::Demand, "请至少保留一件事项".to_owned()));
        }
        errors.extend(self.fields.iter().filter_map(|(k, v)| v.error.clone().map(|e| (*k, e))));
        errors
    }

    /// Sets a field as the visitor typed it; a wrong value stays visible with its error.
    pub(super) fn type_in(&mut self, key: FieldKey, written: &str, today: Date) -> Result<(), String> {
        let checked = check(key, written, today);
        if key == FieldKey::Demand {
            let value = checked?;
            if let Some(first) = self.matters.iter_mut().find(|m| m.keep) {
                first.demand = value;
            }
            return Ok(());
        }
        let entry = self.fields.entry(key).or_default();
        let shown = match &checked {
            Ok(value) => value.clone(),
            Err(_) => written.trim().chars().take(MAX_SHORT).collect(),
        };
        if entry.value == shown && entry.error.is_none() {
            return checked.map(|_| ());
        }
        if entry.source == Some(FieldSource::Said) && entry.proposed.is_none() {
            entry.proposed = Some(entry.value.clone());
        }
        entry.value = shown;
        entry.source = Some(FieldSource::Typed);
        entry.error = checked.as_ref().err().cloned();
        checked.map(|_| ())
    }

    /// Changes one matter as it was told in words; `Err` says why not.
    pub(super) fn correct_matter(&mut self, change: &MatterChange, today: Date) -> Result<(), String> {
        let several = self.kept().count() > 1;
        let wanted = |m: &&mut FormMatter| m.keep && change.n.is_none_or(|n| m.n == n);
        if change.n.is_none() && several {
            return Err("登记单上有几件，请说明是第几件".to_owned());
        }
        let Some(matter) = self.matters.iter_mut().find(wanted) else {
            return Err("登记单上没有这一件".to_owned());
        };
        match &change.to {
            MatterValue::Demand(text) => matter.demand = check(FieldKey::Demand, text, today)?,
            MatterValue::Type(case_type) => {
                matter.case_type = *case_type;
                // A sentence of ours says what the new type says; one of the enterprise stays.
                if matter.demand == matter.drafted_demand {
                    matter.demand = demand::draft(*case_type, &matter.text);
                    matter.drafted_demand.clone_from(&matter.demand);
                }
            }
            MatterValue::Urgency(urgency) => matter.urgency = *urgency,
        }
        Ok(())
    }

    /// 不是10月，是9月: puts the one for the other where it stands, in a field or in the demand. Gives back what changed.
    pub(super) fn swap(&mut self, from: &str, to: &str, today: Date) -> Vec<&'static str> {
        const SHORTEST: usize = 2;
        if from.chars().count() < SHORTEST {
            return Vec::new();
        }
        let found =
            self.fields.iter().find(|(_, f)| f.value.contains(from)).map(|(k, f)| (*k, f.value.replace(from, to)));
        if let Some((key, value)) = found {
            return if self.type_in(key, &value, today).is_ok() { vec![key.label()] } else { Vec::new() };
        }
        let Some(matter) = self.matters.iter_mut().find(|m| m.keep && m.demand.contains(from)) else {
            return Vec::new();
        };
        matter.demand = matter.demand.replace(from, to);
        vec![FieldKey::Demand.label()]
    }

    /// Takes facts into fields; what was typed stays unless `replace`. Returns the fields that changed.
    pub(super) fn take_facts(&mut self, facts: &Facts, replace: bool) -> Vec<FieldKey> {
        let contact = facts
            .contact_phone
            .clone()
            .or_else(|| facts.contact_email.clone())
            .or_else(|| facts.contact_wechat.as_ref().map(|w| format!("微信 {w}")));
        let mut changed = Vec::new();
        for (key, value) in [
            (FieldKey::Enterprise, facts.enterprise.clone()),
            (FieldKey::Uscc, facts.uscc.clone()),
            (FieldKey::ContactName, facts.contact_name.clone()),
            (FieldKey::ContactPhone, contact),
            (FieldKey::Place, facts.place.clone()),
            (FieldKey::Object, facts.object.clone()),
            (FieldKey::HappenedOn, facts.happened_on.clone()),
            (FieldKey::Amount, facts.amount.clone()),
        ] {
            let Some(value) = value else { continue };
            let entry = self.fields.entry(key).or_default();
            if entry.value == value || (!entry.value.is_empty() && entry.error.is_none() && !replace) {
                continue;
            }
            *entry =
                FieldValue { value, source: Some(FieldSource::Said), error: None, proposed: entry.proposed.take() };
            changed.push(key);
        }
        if let Some(code) = &facts.uscc_invalid
            && self.value(FieldKey::Uscc).is_none()
        {
            let error = check(FieldKey::Uscc, code, Date::constant(2000, 1, 1)).err();
            self.fields.insert(
                FieldKey::Uscc,
                FieldValue { value: code.clone(), source: Some(FieldSource::Said), error, proposed: None },
            );
            changed.push(FieldKey::Uscc);
        }
        changed
    }

    /// Fills in the unit complained of, where the words named one in passing (“住建局窗口的人…”): what the route
    /// already knows is not asked for.
    pub(super) fn take_objects(&mut self) {
        if !self.is_wanted(FieldKey::Object) || self.value(FieldKey::Object).is_some() {
            return;
        }
        let mut named: Vec<&str> = Vec::new();
        for object in self.kept().flat_map(|m| &m.objects) {
            if !named.contains(&object.as_str()) {
                named.push(object);
            }
        }
        if named.is_empty() {
            return;
        }
        let value = named.join("、");
        let entry = self.fields.entry(FieldKey::Object).or_default();
        *entry = FieldValue { value, source: Some(FieldSource::Said), error: None, proposed: entry.proposed.take() };
    }

    /// Adds a matter as the rules read it. `false` when the form is full.
    pub(super) fn add_matter(
        &mut self,
        matter: &ReadingMatter,
        region: Option<&str>,
        knowledge: &dyn Knowledge,
    ) -> bool {
        if self.matters.len() >= MAX_MATTERS {
            return false;
        }
        let n = self.matters.iter().map(|m| m.n).max().unwrap_or(0) + 1;
        let source = self.answered_before.as_ref().map(|before| before.rule_id.clone());
        let drafted = demand::draft(matter.case_type, &matter.text);
        self.matters.push(FormMatter {
            n,
            keep: true,
            text: matter.text.clone(),
            case_type: matter.case_type,
            topic: matter.topic.clone(),
            topics: matter.topics.clone(),
            urgency: matter.urgency,
            demand: drafted.clone(),
            drafted_demand: drafted,
            proposed: (matter.case_type, matter.topic.clone()),
            route: knowledge.route(
                matter.case_type,
                matter.topic.as_deref(),
                &matter.text,
                region,
                &matter.objects,
                matter.urgency,
            ),
            sensitive: matter.sensitive,
            objects: matter.objects.clone(),
            rules: matter.rules.clone(),
            confidence: matter.confidence,
        });
        if let Some(added) = self.matters.last_mut() {
            let proposal = std::mem::take(&mut added.route);
            added.route = sent_by_rules(knowledge, source.as_deref(), added, proposal);
        }
        if matter.sensitive || extract::wants_secrecy(&matter.text) {
            self.mark_confidential();
        }
        true
    }

    /// Asks for secrecy, unless something was said about it.
    pub(super) fn mark_confidential(&mut self) {
        self.fields.entry(FieldKey::Confidential).or_insert_with(|| FieldValue {
            value: "是".to_owned(),
            source: Some(FieldSource::Said),
            error: None,
            proposed: None,
        });
    }

    /// What the matter is with the new words added, while the form holds a single one of which little was told; `brief`
    /// says that the new words are too few to be another.
    pub(super) fn told_at_last(&self, words: &str, brief: bool) -> Option<String> {
        const STORY: usize = 24;
        const VAGUE: f32 = 0.4;
        let mut kept = self.kept();
        let (Some(only), None) = (kept.next(), kept.next()) else { return None };
        let vague = brief || only.topic.is_none() || only.confidence < VAGUE;
        let untouched = only.demand == only.drafted_demand && only.proposed == (only.case_type, only.topic.clone());
        (vague && untouched && only.text.chars().count() <= STORY).then(|| {
            let before = only.text.trim().trim_end_matches(['。', '，', ',', '！', '!', '.', '；', '？', '?']);
            format!("{before}，{}", words.trim())
        })
    }

    /// The card shown in the chat.
    pub fn card(&self, knowledge: &dyn Knowledge) -> FormCard {
        let missing = self.missing();
        let kept = self.kept().count();
        let field = |key: FieldKey| {
            let value = if key == FieldKey::Demand {
                self.kept().next().map(|m| m.demand.clone()).unwrap_or_default()
            } else {
                self.value(key).unwrap_or_default().to_owned()
            };
            FormCardField {
                key,
                value,
                required: self.is_required(key),
                missing: missing.contains(&key),
                error: self.fields.get(&key).and_then(|f| f.error.clone()),
                source: self.fields.get(&key).and_then(|f| f.source),
            }
        };
        FormCard {
            matters: self
                .matters
                .iter()
                .map(|m| FormCardMatter {
                    n: m.n,
                    keep: m.keep,
                    case_type: m.case_type,
                    topic: m.topic.clone(),
                    topic_label: m.topic.as_deref().and_then(|t| knowledge.topic(t)).map(|t| t.label),
                    demand: m.demand.clone(),
                    lead_hint: (!m.route.lead_name.is_empty()).then(|| m.route.lead_name.clone()),
                })
                .collect(),
            // With several matters each line carries its own demand.
            fields: FieldKey::ALL.iter().copied().filter(|k| *k != FieldKey::Demand || kept <= 1).map(field).collect(),
            missing,
            can_submit: self.errors().is_empty(),
            submitted: self.submitted,
        }
    }

    /// The drafts to file: one for each kept matter.
    pub(super) fn drafts(&self, around: &Around<'_>) -> Vec<CaseDraft> {
        let kept: Vec<&FormMatter> = self.kept().collect();
        let of = kept.len() as u32;
        let text = |key| self.value(key).map(str::to_owned);
        let contact = self.contact();
        let anonymous = self.anonymous && !contact.is_reachable();
        kept.iter()
            .enumerate()
            .map(|(index, m)| {
                let mut objects = m.objects.clone();
                if let Some(object) = text(FieldKey::Object)
                    && object != objects.join("、")
                    && !objects.contains(&object)
                    && matches!(
                        m.case_type,
                        CaseType::Complaint
                            | CaseType::Report
                            | CaseType::Conduct
                            | CaseType::Arrears
                            | CaseType::Stuck
                            | CaseType::RatingReview
                    )
                {
                    objects.push(object);
                }
                let label = m.topic.as_deref().and_then(|t| around.knowledge.topic(t)).map(|t| t.label);
                let changed = m.case_type != m.proposed.0 || m.topic != m.proposed.1 || objects != m.objects;
                let route = if changed {
                    let source = self.answered_before.as_ref().map(|before| before.rule_id.as_str());
                    let matter = FormMatter { objects: objects.clone(), ..(*m).clone() };
                    let proposal = around.knowledge.route(
                        m.case_type,
                        m.topic.as_deref(),
                        &m.text,
                        around.region,
                        &objects,
                        m.urgency,
                    );
                    sent_by_rules(around.knowledge, source, &matter, proposal)
                } else {
                    m.route.clone()
                };
                CaseDraft {
                    enterprise: text(FieldKey::Enterprise),
                    uscc: text(FieldKey::Uscc),
                    contact: contact.clone(),
                    place: text(FieldKey::Place),
                    object: text(FieldKey::Object),
                    happened_on: self.value(FieldKey::HappenedOn).and_then(|d| d.parse().ok()),
                    amount: self.value(FieldKey::Amount).map(|written| {
                        number::amount(written).unwrap_or_else(|| Amount { text: written.to_owned(), fen: None })
                    }),
                    // A demand that was rewritten says better what it is about.
                    title: demand::title(
                        label.as_deref(),
                        m.case_type,
                        if m.demand == m.drafted_demand { &m.text } else { &m.demand },
                    ),
                    demand: m.demand.clone(),
                    original: self.original_of(m),
                    case_type: m.case_type,
                    topic: m.topic.clone(),
                    topics: m.topics.clone(),
                    urgency: m.urgency,
                    region: around.region.map(str::to_owned),
                    channel: around.channel,
                    confidential: self.value(FieldKey::Confidential) == Some("是"),
                    anonymous,
                    sensitive: m.sensitive,
                    risk: around.risk,
                    objects,
                    route,
                    evidence: Evidence {
                        rules: m.rules.clone(),
                        words: m.topics.first().map(|t| t.words.clone()).unwrap_or_default(),
                        rule_set_hash: self.rule_set_hash.clone(),
                        confidence: m.confidence,
                    },
                    changes: self.changes(m),
                    attachments: around.attachments.to_vec(),
                    answered_before: self.answered_before.clone(),
                    part: (index as u32 + 1, of),
                }
            })
            .collect()
    }

    /// With one matter its original is everything told; with several each keeps the whole message too,
    /// because the enterprise's words must not be cut by a machine.
    fn original_of(&self, matter: &FormMatter) -> String {
        if self.original.is_empty() { matter.text.clone() } else { self.original.clone() }
    }

    /// The way to reach the enterprise, read from the one contact field.
    fn contact(&self) -> Contact {
        let name = self.value(FieldKey::ContactName).map(str::to_owned);
        let Some(written) = self.value(FieldKey::ContactPhone) else {
            return Contact { name, ..Contact::default() };
        };
        if let Some(id) = written.strip_prefix("微信") {
            return Contact { name, wechat: Some(id.trim().to_owned()), ..Contact::default() };
        }
        if written.contains('@') {
            return Contact { name, email: Some(written.to_owned()), ..Contact::default() };
        }
        Contact { name, phone: Some(written.to_owned()), ..Contact::default() }
    }

    fn changes(&self, matter: &FormMatter) -> Vec<FieldChange> {
        let mut changes: Vec<FieldChange> = self
            .fields
            .iter()
            .filter_map(|(key, value)| {
                value.proposed.as_ref().filter(|p| **p != value.value).map(|proposed| FieldChange {
                    field: key.as_str().to_owned(),
                    proposed: proposed.clone(),
                    submitted: value.value.clone(),
                })
            })
            .collect();
        let mut changed = |field: &str, proposed: String, submitted: String| {
            if proposed != submitted {
                changes.push(FieldChange { field: field.to_owned(), proposed, submitted });
            }
        };
        changed("demand", matter.drafted_demand.clone(), matter.demand.clone());
        changed("type", matter.proposed.0.as_str().to_owned(), matter.case_type.as_str().to_owned());
        changed("topic", matter.proposed.1.clone().unwrap_or_default(), matter.topic.clone().unwrap_or_default());
        changes
    }

    /// The form in plain words, for channels without cards.
    pub(super) fn in_words(&self) -> String {
        let mut lines = vec!["登记单（还没提交，回复“提交”才会登记）".to_owned()];
        let kept: Vec<&FormMatter> = self.kept().collect();
        for m in &kept {
            let number = if kept.len() > 1 { format!("第{}件 ", m.n) } else { String::new() };
            let lead = if m.route.lead_name.is_empty() {
                String::new()
            } else {
                format!("，预计由{}办理", m.route.lead_name)
            };
            let demand =
                m.demand.strip_prefix(m.case_type.label()).and_then(|d| d.strip_prefix('：')).unwrap_or(&m.demand);
            lines.push(format!("{number}【{}】{demand}{lead}", m.case_type.label()));
        }
        for key in FieldKey::ALL.iter().copied().filter(|k| *k != FieldKey::Demand) {
            if let Some(value) = self.value(key) {
                let error = self
                    .fields
                    .get(&key)
                    .and_then(|f| f.error.as_deref())
                    .map_or(String::new(), |e| format!("（{e}）"));
                lines.push(format!("{}：{value}{error}", key.label()));
            }
        }
        lines.join("\n")
    }
}

/// The route as the rule behind the matter wants it: the one whose answer had not solved it, else one that fired.
fn sent_by_rules(
    knowledge: &dyn Knowledge,
    source: Option<&str>,
    matter: &FormMatter,
    proposal: super::RouteProposal,
) -> super::RouteProposal {
    let rules = source.into_iter().chain(matter.rules.iter().map(String::as_str));
    rules.fold(proposal, |proposal, rule| {
        if proposal.step == "rule" { proposal } else { knowledge.sent_by_rule(rule, matter, proposal) }
    })
}

/// What a draft needs from outside the form.
pub(super) struct Around<'a> {
    pub(super) knowledge: &'a dyn Knowledge,
    pub(super) region: Option<&'a str>,
    pub(super) channel: Channel,
    pub(super) risk: bool,
    pub(super) attachments: &'a [String],
}

/// Checks and tidies one field as typed; an empty value is allowed and empties the field.
pub(super) fn check(key: FieldKey, written: &str, today: Date) -> Result<String, String> {
    let text = extract::half_width(written.trim());
    let text = text.trim();
    let emptied = matches!(text, "无" | "没有" | "暂无" | "不填" | "空" | "空着" | "不知道" | "删掉" | "删除" | "清空");
    if emptied && !matches!(key, FieldKey::Demand | FieldKey::Confidential) {
        return Ok(String::new());
    }
    if text.is_empty() {
        return if key == FieldKey::Demand { Err("请写明诉求".to_owned()) } else { Ok(String::new()) };
    }
    let limit = if key == FieldKey::Demand { MAX_DEMAND } else { MAX_SHORT };
    if text.chars().count() > limit {
        return Err(format!("{}请控制在 {limit} 字以内", key.label()));
    }
    match key {
        FieldKey::Uscc => match extract::uscc(text) {
            Some((code, true)) => Ok(code),
            Some(_) | None => Err("统一社会信用代码应为 18 位，最后一位是校验码，请核对".to_owned()),
        },
        FieldKey::ContactPhone => extract::phone_number(text, true)
            .or_else(|| extract::phone(text))
            .or_else(|| extract::email(text))
            .or_else(|| extract::wechat(text).map(|w| format!("微信 {w}")))
            .ok_or_else(|| "请核对：手机号 11 位，座机带区号，境外号码以 + 开头；也可以填邮箱或“微信 账号”".to_owned()),
        FieldKey::HappenedOn => {
            let date = text.parse::<Date>().ok().filter(|d| *d <= today).or_else(|| extract::date(text, today));
            date.map(|d| d.to_string()).ok_or_else(|| "请填写已经过去的日期，例如 2026-09-05 或 9月5日".to_owned())
        }
        FieldKey::Amount => {
            // 12,500元: the commas only group.
            let text = text.replace([',', '，'], "");
            let text = text.as_str();
            if let Some(amount) = number::amount(text) {
                Ok(amount.text)
            } else if number::parse_han_number(text).is_some() {
                Ok(format!("{text}元"))
            } else {
                Err("请填写金额，例如 12.5万元".to_owned())
            }
        }
        FieldKey::Confidential => match text {
            "是" | "要" | "需要" | "保密" | "true" | "yes" | "on" | "1" => Ok("是".to_owned()),
            "否" | "不" | "不用" | "不要" | "不需要" | "不保密" | "false" | "no" | "off" | "0" => {
                Ok("否".to_owned())
            }
            _ => Err("请选择“是”或“否”".to_owned()),
        },
        FieldKey::Enterprise | FieldKey::ContactName | FieldKey::Place | FieldKey::Object | FieldKey::Demand => {
            Ok(text.to_owned())
        }
    }
}

/// The words without the names, numbers and addresses that went into fields; `None` when nothing of them stands there.
pub(super) fn beside_facts(words: &str, facts: &Facts) -> Option<String> {
    let mut rest = String::with_capacity(words.len());
    let mut at = 0;
    for piece in crate::domain::text::find_personal(words) {
        rest.push_str(words.get(at..piece.span.start).unwrap_or_default());
        rest.push('，');
        at = piece.span.end;
    }
    rest.push_str(words.get(at..).unwrap_or_default());
    for name in [&facts.enterprise, &facts.contact_name, &facts.contact_wechat].into_iter().flatten() {
        rest = rest.replace(name.as_str(), "，");
    }
    (rest != words).then_some(rest)
}

/// What the words say besides everything that went into fields.
pub(super) fn beyond_facts(words: &str, facts: &Facts) -> String {
    let words = &extract::half_width(words);
    let mut rest = beside_facts(words, facts).unwrap_or_else(|| words.clone());
    for value in [&facts.place, &facts.object, &facts.amount].into_iter().flatten() {
        rest = rest.replace(value.as_str(), "，");
    }
    if let Some(code) = facts.uscc.as_ref().or(facts.uscc_invalid.as_ref()) {
        static CODE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"[0-9A-Za-z](?:[ \-]?[0-9A-Za-z]){14,24}")
                .expect("the pattern is a constant and compiles in the tests")
        });
        let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
        let written = CODE.find_iter(&rest).map(|m| m.as_str().to_owned()).find(|m| plain(m) == *code);
        if let Some(written) = written {
            rest = rest.replace(&written, "，");
        }
    }
    if let Some(phone) = &facts.contact_phone {
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        rest = rest.replace(phone.as_str(), "，").replace(&digits, "，");
    }
    rest
}

/// `去掉第2件`, `第二件不要了`: the number of the matter to drop.
pub(super) fn dropped_matter(text: &str) -> Option<u32> {
    static DROP: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:(?:去掉|删掉|删除|不要|取消)第?([0-9]|[一二两三四五])[件个条]|第([0-9]|[一二两三四五])[件个条](?:事|事项)?(?:不要|去掉|删|不用|取消|不登记))")
            .expect("the pattern is a constant and compiles in the tests")
    });
    let c = DROP.captures(text)?;
    let written = c.get(1).or_else(|| c.get(2))?.as_str();
    written.parse().ok().or_else(|| parse_small(written))
}

fn parse_small(text: &str) -> Option<u32> {
    number::parse_han_number(text).map(|n| n as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_says_what_is_wrong() {
        let today = Date::constant(2026, 11, 25);
        assert!(check(FieldKey::ContactPhone, "1380013800", today).is_err());
        assert_eq!(check(FieldKey::ContactPhone, "boss@example.com", today).as_deref(), Ok("boss@example.com"));
        assert_eq!(check(FieldKey::ContactPhone, "微信：xinda_mould", today).as_deref(), Ok("微信 xinda_mould"));
        assert_eq!(check(FieldKey::ContactPhone, "+886 912 345 678", today).as_deref(), Ok("+886912345678"));
        assert!(check(FieldKey::HappenedOn, "2026-12-01", today).is_err());
        assert_eq!(check(FieldKey::HappenedOn, "昨天", today).as_deref(), Ok("2026-11-24"));
        assert_eq!(check(FieldKey::Amount, "50000", today).as_deref(), Ok("50000元"));
        assert!(check(FieldKey::Uscc, "91350100M000100Y44", today).is_err());
        assert!(check(FieldKey::Demand, "  ", today).is_err());
        assert_eq!(check(FieldKey::Enterprise, "", today).as_deref(), Ok(""));
    }

    #[test]
    fn a_matter_can_be_dropped_by_its_number() {
        assert_eq!(dropped_matter("第二件不要了"), Some(2));
        assert_eq!(dropped_matter("去掉第1件"), Some(1));
        assert_eq!(dropped_matter("第三方不要"), None);
    }
}
