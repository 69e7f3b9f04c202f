//! The rungs of rules and clarification: answers with their sources, titles to choose from, the region, diversions,
//! and the form when somebody has to act.

use std::fmt::Write as _;

use super::{
    AnswerText, Awaiting, CaseForm, Effect, HandoffReason, LastAnswer, QuickReply, Reading, ReadingMatter, Reply,
    RuleAsk, aspect,
    draft::AnsweredBefore,
    extract,
    filling::MAX_MATTERS,
    ladder::{ENTRIES, MAX_ANSWERS, MAX_CLARIFICATIONS, STORY_CHARS, Turn, answer_reply, is_unknown, plain_matter},
    words,
};
use crate::domain::{
    kinds::{CaseType, Diversion, Urgency},
    retrieval::MAX_SUGGESTIONS,
};

/// A word that only names a field is no longer than this.
const BARE_CHARS: usize = 4;

/// A greeting is no longer than this.
const SMALLTALK_CHARS: usize = 8;

impl Turn<'_> {
    // ---- rules -----------------------------------------------------------------------------------------

    pub(super) fn remember_matter(&mut self, words: &str) {
        self.state.last_matter = Some(words.to_owned());
        self.state.facts.absorb(extract::facts(words, self.env.today));
    }

    pub(super) fn matters(&mut self, words: &str, reading: Reading, hint: Option<CaseType>) {
        let answered = reading.matters.iter().any(|m| m.answer.is_some());
        if let Some(diversion) = reading.diversion
            && !answered
            && self.divert(diversion, words, &reading, hint)
        {
            return;
        }
        if self.rule_form(words) {
            return;
        }
        let mut matters = reading.matters;
        if matters.is_empty() {
            if let Some(kind) = hint {
                matters.push(plain_matter(words, kind));
            } else {
                if !self.ask_model(&[], words, None) && !self.offer_nearest(&[], words, None) {
                    self.unclear(words);
                }
                return;
            }
        }
        if let Some(kind) = hint {
            for matter in matters.iter_mut().filter(|m| is_unknown(m)) {
                matter.case_type = kind;
                matter.confidence = matter.confidence.max(0.3);
                // 反映问题 leaves open what it is; who chose 咨询政策 or 提建议 has said it.
                matter.undecided.case_type &= kind == CaseType::Coordination;
            }
        }
        self.state.smalltalk = 0;

        let mut asked_region = false;
        let mut to_file = Vec::new();
        let mut given = 0;
        for matter in &matters {
            if let Some(answer) = matter.answer.as_ref().filter(|_| !matter.needs_region && given < MAX_ANSWERS) {
                if self.was_said(answer, words) {
                    self.say_again(answer, matter, words);
                } else {
                    self.answer(answer, matter, words);
                }
                given += 1;
            } else if matter.needs_region {
                asked_region = true;
            } else if hint.is_some() || !is_unknown(matter) {
                to_file.push(matter.clone());
            }
        }
        if given > 0 {
            self.step("rules");
            self.remember_matter(words);
            self.state.clarify_rounds = 0;
            self.after_answers(&matters, to_file, words);
            return;
        }
        if asked_region {
            self.ask_region(words);
            return;
        }
        if let Some(expired) = matters.iter().find_map(|m| m.expired.clone()) {
            self.expired(&expired, words);
            return;
        }
        if let Some(options) = self.titles(&matters) {
            self.remember_matter(words);
            self.choose(options, words);
            return;
        }
        if self.ask_model(&matters, words, hint) || self.offer_nearest(&matters, words, hint) {
            return;
        }
        if !to_file.is_empty() {
            self.remember_matter(words);
            if hint.is_none() && self.is_a_bare_word(words, &to_file) {
                self.which_of_it(words);
            } else {
                self.no_answer_but_a_matter(to_file, words);
            }
            return;
        }
        // Nothing known about it. A story is taken as one; a few words are asked about.
        if words.chars().filter(|c| c.is_alphanumeric()).count() >= STORY_CHARS {
            self.remember_matter(words);
            self.unanswered(words);
            self.step("case");
            self.state.awaiting = Awaiting::CaseOffer;
            self.say(
                Reply::say("这件事我没有查到现成的答复。可以帮您登记，由工作人员核实后答复；也可以换个说法再问我。")
                    .with_buttons(["帮我登记", "转人工"]),
            );
            return;
        }
        self.unclear(words);
    }

    /// 消防, 社保, 招标: a word that names a field and neither what happened nor what is asked.
    fn is_a_bare_word(&self, words: &str, to_file: &[ReadingMatter]) -> bool {
        let [matter] = to_file else { return false };
        words::bare(words).chars().count() <= BARE_CHARS
            && matter.undecided.case_type
            && matter.urgency == Urgency::Normal
            && !matter.sensitive
            && self.state.clarify_rounds < MAX_CLARIFICATIONS
    }

    /// Asks what it is about, with the titles that are near; the same word can lead to several organs.
    fn which_of_it(&mut self, words: &str) {
        let region = self.region();
        let near = self.env.knowledge.suggest(words, self.env.channel, region.as_deref(), self.env.today);
        let mut options: Vec<(String, String)> = near.into_iter().map(|near| (near.rule_id, near.title)).collect();
        options.truncate(MAX_SUGGESTIONS);
        self.step("clarify");
        self.state.clarify_rounds += 1;
        let mut text = format!("“{}”想问的是哪一件？也可以直接说是什么事，由有关部门办。", words.trim());
        for (index, (_, title)) in options.iter().enumerate() {
            let _ = write!(text, "\n{}. {title}", index + 1);
        }
        let reply = Reply::say(text).with_buttons(options.iter().map(|o| o.1.clone())).with_buttons([
            "咨询政策",
            "反映问题",
            "转人工",
        ]);
        self.state.awaiting = if options.is_empty() {
            Awaiting::Matter { hint: None }
        } else {
            Awaiting::Choice { options, question: words.to_owned() }
        };
        self.say(reply);
    }

    /// No rule answers, but type or topic is known: a case, drafted at once.
    pub(super) fn no_answer_but_a_matter(&mut self, to_file: Vec<ReadingMatter>, words: &str) {
        let consulting = to_file.iter().all(|m| m.case_type == CaseType::Consultation);
        if consulting {
            self.unanswered(words);
        }
        let lead = if to_file.len() > 1 {
            format!("您说了 {} 件事，我分开整理好了，会分别有人办、一个查询码都能查到。", to_file.len())
        } else if consulting {
            "这个问题我没有查到有依据的现成答复，不乱说。我帮您登记，由主管单位答复。".to_owned()
        } else if to_file.iter().any(|m| m.sensitive) {
            "我理解您的顾虑。这类事项由专门人员办理，被反映的单位看不到您的身份。我先帮您整理成登记单。".to_owned()
        } else {
            "这件事需要有人办理，我帮您整理成登记单。".to_owned()
        };
        self.open_form(to_file, words, None, &lead);
    }

    pub(super) fn answer(&mut self, answer: &AnswerText, matter: &ReadingMatter, words: &str) {
        let mut reply = answer_reply(answer);
        if let Some(region) = &answer.region {
            reply.text = format!("{}\n（以上适用于{region}）", reply.text.trim_end());
        }
        self.say(reply);
        self.now_answered(answer, matter, words);
    }

    /// Whether the answer is the one that was just given, to another question.
    fn was_said(&self, answer: &AnswerText, words: &str) -> bool {
        let ask = |question: &str| words::bare(question);
        self.state
            .last_answer
            .as_ref()
            .is_some_and(|last| !last.generated && last.rule_id == answer.rule_id && ask(&last.question) != ask(words))
    }

    /// The answer that was just given is the only one there is: what it says about this, never the whole of it again.
    fn say_again(&mut self, answer: &AnswerText, matter: &ReadingMatter, words: &str) {
        let reply = answer_reply(answer);
        self.say(Reply { text: aspect::said_again(answer, words), ..reply });
        if let Some(last) = self.replies.last_mut() {
            last.quick_replies.push(QuickReply::same("帮我登记"));
        }
        self.now_answered(answer, matter, words);
    }

    fn now_answered(&mut self, answer: &AnswerText, matter: &ReadingMatter, words: &str) {
        self.state.last_answer = Some(LastAnswer {
            rule_id: answer.rule_id.clone(),
            version: answer.version.clone(),
            topic: answer.topic.clone().or_else(|| matter.topic.clone()),
            case_type: matter.case_type,
            question: words.to_owned(),
            generated: false,
        });
    }

    /// Buttons after the answers; the matters that no rule answers go on a form.
    pub(super) fn after_answers(&mut self, matters: &[ReadingMatter], to_file: Vec<ReadingMatter>, words: &str) {
        let to_file: Vec<ReadingMatter> =
            to_file.into_iter().filter(|m| m.case_type != CaseType::Consultation || m.named).collect();
        if !to_file.is_empty() {
            let lead = format!("另外还有 {} 件事需要有人办理，我整理成登记单。", to_file.len());
            self.open_form(to_file, words, None, &lead);
            return;
        }
        // 我要匿名举报 with what happened: how it is done was said, now it is taken down.
        let accused: Vec<ReadingMatter> = matters.iter().filter(|m| accuses(m)).cloned().collect();
        if extract::wants_anonymity(words) && !accused.is_empty() && !asks(words) {
            self.open_form(accused, words, None, "我先帮您整理成登记单，可以不留姓名和电话。");
            return;
        }
        let demand = matters
            .iter()
            .any(|m| !matches!(m.case_type, CaseType::Consultation | CaseType::Suggestion | CaseType::Praise));
        self.state.awaiting = if demand { Awaiting::CaseOffer } else { Awaiting::Nothing };
        let Some(last) = self.replies.last_mut() else { return };
        if demand {
            last.quick_replies.push(QuickReply::same("帮我登记"));
        } else {
            last.quick_replies.push(QuickReply::same("解决了"));
            last.quick_replies.push(QuickReply::same("没解决"));
        }
        last.quick_replies.push(QuickReply::same("转人工"));
        let mut seen = std::collections::BTreeSet::new();
        last.quick_replies.retain(|q| seen.insert(q.text.clone()));
    }

    pub(super) fn expired(&mut self, rule_id: &str, words: &str) {
        self.step("human");
        self.remember_matter(words);
        self.unanswered(words);
        self.record.rules.insert(0, rule_id.to_owned());
        self.state.awaiting = Awaiting::CaseOffer;
        self.say(
            Reply::say(
                "这个问题原来的依据已到期，我不能再按它答复您。可以转人工核对现行规定，或登记下来由主管单位答复。",
            )
            .with_buttons(["转人工", "帮我登记"]),
        );
    }

    pub(super) fn unanswered(&mut self, words: &str) {
        self.effects.push(Effect::Unanswered { text: crate::domain::text::mask_personal(words) });
    }

    // ---- clarification ---------------------------------------------------------------------------------

    pub(super) fn titles(&self, matters: &[ReadingMatter]) -> Option<Vec<(String, String)>> {
        let consulting = matters.iter().all(|m| m.case_type == CaseType::Consultation || is_unknown(m));
        let mut options: Vec<(String, String)> = Vec::new();
        for option in matters.iter().flat_map(|m| m.clarify.iter()) {
            if !options.iter().any(|o| o.0 == option.0) {
                options.push(option.clone());
            }
        }
        options.truncate(MAX_SUGGESTIONS);
        (consulting && !options.is_empty() && self.state.clarify_rounds < MAX_CLARIFICATIONS).then_some(options)
    }

    pub(super) fn choose(&mut self, options: Vec<(String, String)>, words: &str) {
        self.step("clarify");
        self.state.clarify_rounds += 1;
        let mut text = "您想问的是哪一个？".to_owned();
        for (index, (_, title)) in options.iter().enumerate() {
            let _ = write!(text, "\n{}. {title}", index + 1);
        }
        self.record.near = options.iter().map(|o| o.0.clone()).collect();
        let reply =
            Reply::say(text).with_buttons(options.iter().map(|o| o.1.clone())).with_buttons(["都不是", "转人工"]);
        self.state.awaiting = Awaiting::Choice { options, question: words.to_owned() };
        self.say(reply);
    }

    pub(super) fn choice_told(&mut self, words: &str, options: &[(String, String)], question: &str) -> bool {
        let bare = words::bare(words);
        if matches!(bare.as_str(), "都不是" | "不是" | "没有" | "都不对") {
            self.unanswered(question);
            self.unclear(question);
            return true;
        }
        let ordinal = ["一", "二", "三", "四"]
            .iter()
            .position(|o| bare == *o || bare == format!("第{o}个") || bare == format!("第{o}"));
        let index = ordinal.or_else(|| {
            let digits = bare.trim_start_matches('第').trim_end_matches('个');
            digits.parse::<usize>().ok().and_then(|n| n.checked_sub(1))
        });
        let chosen =
            index.and_then(|i| options.get(i)).or_else(|| options.iter().find(|(_, title)| words::bare(title) == bare));
        let Some((rule_id, _)) = chosen else { return false };
        let region = self.region();
        let Some(answer) = self.env.knowledge.answer(rule_id, self.env.channel, region.as_deref(), self.env.today)
        else {
            self.expired(rule_id, question);
            return true;
        };
        self.step("rules");
        self.record.rules = vec![rule_id.clone()];
        self.state.clarify_rounds = 0;
        let mut matter = plain_matter(question, CaseType::Consultation);
        matter.topic.clone_from(&answer.topic);
        self.answer(&answer, &matter, question);
        self.after_answers(&[matter], Vec::new(), question);
        true
    }

    /// Not understood: twice a helpful question with the entries, then a person or a case.
    pub(super) fn unclear(&mut self, words: &str) {
        if self.model_refused {
            // It was looked for: to ask what was meant would be no answer.
            self.nothing_found(words);
            return;
        }
        if self.state.clarify_rounds >= MAX_CLARIFICATIONS {
            self.state.clarify_rounds = 0;
            if words.chars().count() >= 4 {
                self.state.last_matter.get_or_insert_with(|| words.to_owned());
            }
            self.say(Reply::say("还是没弄清楚您的意思，不让您再猜了。"));
            self.human(HandoffReason::Unclear);
            return;
        }
        self.step("clarify");
        self.state.clarify_rounds += 1;
        self.state.awaiting = Awaiting::Matter { hint: None };
        let text = if self.state.clarify_rounds == 1 {
            "我在的。您想办的是哪一类？也可以直接说一句，比如“技改补贴公示四个月了没到账”“消防验收归谁管”。"
        } else {
            "我还没明白是什么事。请说说：哪件事、涉及哪个单位、想要什么结果。说不清也没关系，可以直接转人工。"
        };
        self.say(Reply::say(text).with_buttons(ENTRIES).with_buttons(["转人工"]));
    }

    // ---- region ----------------------------------------------------------------------------------------

    pub(super) fn ask_region(&mut self, words: &str) {
        self.step("clarify");
        self.remember_matter(words);
        self.state.awaiting = Awaiting::Region { question: words.to_owned() };
        let names = self.env.knowledge.regions().into_iter().map(|r| r.1);
        self.say(
            Reply::say("各地规定不一样。请问企业在哪个地方？选一个或直接说地名。")
                .with_buttons(names)
                .with_buttons(["转人工"]),
        );
    }

    pub(super) fn region_told(&mut self, words: &str, question: &str) -> bool {
        let bare = words::bare(words);
        let found = self.env.knowledge.place(&bare);
        let Some((code, name)) = found else {
            // A new question instead of a place: read it as one. A bare place we do not serve: say so once.
            if bare.chars().count() <= 8 && bare.ends_with(['省', '市', '县', '区']) {
                self.step("clarify");
                self.state.awaiting = Awaiting::CaseOffer;
                self.say(
                    Reply::say(format!(
                        "我手上没有{words}的规定，不能照别处的答。可以转人工，或登记下来由工作人员核对后答复。"
                    ))
                    .with_buttons(["转人工", "帮我登记"]),
                );
                return true;
            }
            return false;
        };
        self.state.region = Some(code);
        let reading = self.read(question);
        let answers = reading.matters.iter().any(|m| m.answer.is_some() && !m.needs_region);
        if !answers {
            self.step("clarify");
            self.state.awaiting = Awaiting::CaseOffer;
            self.unanswered(question);
            self.say(
                Reply::say(format!("我没有查到适用于{name}的依据。可以转人工，或登记下来由工作人员核对后答复。"))
                    .with_buttons(["转人工", "帮我登记"]),
            );
            return true;
        }
        let question = question.to_owned();
        self.matters(&question, reading, None);
        true
    }

    // ---- diversions ------------------------------------------------------------------------------------

    /// `true` when the diversion was answered; a person always decides, so the way to one is offered.
    pub(super) fn divert(
        &mut self,
        diversion: Diversion,
        words: &str,
        reading: &Reading,
        hint: Option<CaseType>,
    ) -> bool {
        let has_matter = reading.matters.iter().any(|m| !is_unknown(m));
        match diversion {
            Diversion::Smalltalk => {
                // 你好 is not what was asked for, and no matter either; a longer message is taken at its word.
                if has_matter || (hint.is_some() && words.chars().count() > SMALLTALK_CHARS) {
                    return false;
                }
                self.smalltalk(reading);
                if hint.is_some() {
                    self.state.awaiting = Awaiting::Matter { hint };
                }
                true
            }
            Diversion::Unclear => {
                if has_matter || hint.is_some() {
                    return false;
                }
                if !self.ask_model(&[], words, None) && !self.offer_nearest(&[], words, None) {
                    self.unclear(words);
                }
                true
            }
            Diversion::Abuse => {
                if has_matter {
                    return false;
                }
                self.step("safety");
                self.state.awaiting = Awaiting::Matter { hint: None };
                let reply = reading.reply.as_ref().map_or_else(
                    || Reply::say("让您着急了，抱歉。请告诉我是什么事，我帮您查或者登记；也可以直接转人工。"),
                    answer_reply,
                );
                self.say(reply.with_buttons(["反映问题", "转人工"]));
                true
            }
            Diversion::D1
            | Diversion::D2
            | Diversion::D3
            | Diversion::D4
            | Diversion::D5
            | Diversion::D6
            | Diversion::D7
            | Diversion::D8
            | Diversion::D9 => {
                let Some(answer) = &reading.reply else { return false };
                self.step("safety");
                self.remember_matter(words);
                self.state.awaiting = Awaiting::CaseOffer;
                let mut reply = answer_reply(answer);
                if matches!(diversion, Diversion::D4 | Diversion::D6 | Diversion::D8) {
                    reply = reply.with_buttons(["转人工"]);
                } else {
                    reply = reply.with_buttons(["仍要登记", "转人工"]);
                }
                self.say(reply);
                true
            }
        }
    }

    pub(super) fn smalltalk(&mut self, reading: &Reading) {
        self.step("clarify");
        self.state.smalltalk = self.state.smalltalk.saturating_add(1);
        let reply = reading.reply.as_ref().map_or_else(
            || Reply::say("您好，我是直通服务助手（机器人）。请说说您要办的事，或者点下面的入口。"),
            answer_reply,
        );
        let reply = if reply.quick_replies.is_empty() { reply.with_buttons(ENTRIES) } else { reply };
        self.say(reply.with_buttons(["转人工"]));
        if self.state.smalltalk >= 3 {
            self.say(Reply::say("如果不方便打字，可以直接回复“转人工”。"));
        }
    }

    /// A form from some words, without a word to the visitor; for officers.
    pub(super) fn draft_form(&mut self, words: &str) {
        let reading = self.read(words);
        self.open_form(reading.matters, words, None, "");
    }

    pub(super) fn open_form(
        &mut self,
        matters: Vec<ReadingMatter>,
        original: &str,
        answered_before: Option<AnsweredBefore>,
        lead: &str,
    ) {
        let lead = self.begin_form(matters, original, answered_before, lead);
        self.ask_for_missing(&lead);
        self.tell_of_urgency();
    }

    /// A form that begins with the questions of a rule.
    pub(super) fn open_form_asking(
        &mut self,
        matters: Vec<ReadingMatter>,
        original: &str,
        asks: Vec<RuleAsk>,
        lead: &str,
    ) {
        let lead = self.begin_form(matters, original, None, lead);
        if let Some(form) = self.state.form.as_mut() {
            form.asks = asks;
        }
        if !self.put_rule_ask(&lead) {
            self.ask_for_missing(&lead);
        }
    }

    fn tell_of_urgency(&mut self) {
        let urgent = self.state.form.as_ref().is_some_and(|f| f.matters.iter().any(|m| m.urgency != Urgency::Normal));
        if urgent && let Some(last) = self.replies.last_mut() {
            last.text.push_str("\n情况紧急可以随时回复“转人工”。");
        }
    }

    /// Puts the form together; gives back the sentence above its first question.
    fn begin_form(
        &mut self,
        matters: Vec<ReadingMatter>,
        original: &str,
        answered_before: Option<AnsweredBefore>,
        lead: &str,
    ) -> String {
        self.step("case");
        let matters = if matters.is_empty() { vec![plain_matter(original, CaseType::Coordination)] } else { matters };
        let mut form = CaseForm {
            original: original.to_owned(),
            answered_before,
            rule_set_hash: self.env.knowledge.rule_set_hash().to_owned(),
            anonymous: extract::wants_anonymity(original),
            ..CaseForm::default()
        };
        let region = self.region();
        let left = matters.iter().filter(|m| !form.add_matter(m, region.as_deref(), self.env.knowledge)).count();
        self.state.facts.absorb(extract::facts(original, self.env.today));
        form.take_facts(&self.state.facts, false);
        form.take_objects();
        if extract::wants_secrecy(original) {
            form.mark_confidential();
        }
        self.state.last_matter = Some(original.to_owned());
        self.state.clarify_rounds = 0;
        self.state.form = Some(form);
        self.state.awaiting = Awaiting::Form;
        self.ask_to_classify(&matters);
        if left > 0 {
            format!("{lead}一张登记单最多 {MAX_MATTERS} 件，还有 {left} 件没有列上，请提交这张以后再说一次。")
        } else {
            lead.to_owned()
        }
    }
}

/// A report or complaint that says what happened.
fn accuses(matter: &ReadingMatter) -> bool {
    matches!(matter.case_type, CaseType::Report | CaseType::Complaint | CaseType::Conduct)
        && matter.text.chars().count() >= 10
}

/// Words that ask whether and how.
pub(super) fn asks(words: &str) -> bool {
    ["吗", "？", "?", "能不能", "可不可以", "可以不", "怎么", "如何", "是否", "会不会"]
        .iter()
        .any(|w| words.contains(w))
}
