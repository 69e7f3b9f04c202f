//! The part of a turn that concerns the form as a whole: what is missing, the card, 提交, duplicates, 取消. What is told
//! while it is open is read in `telling`.

use std::fmt::Write as _;

use super::{
    Awaiting, Card, CaseForm, Effect, FieldKey, FieldSource, FieldValue, HandoffReason, KnownCase, MatterEdit,
    MessageKind, Reply, demand,
    filling::{self, Around},
    form::MAX_QUESTIONS,
    ladder::Turn,
    proposing,
};
use crate::domain::kinds::Channel;

/// Two demands this alike under one topic are the same matter.
const SAME_TOPIC_LIKENESS: f64 = 0.35;
/// The same without a common topic.
const OTHER_TOPIC_LIKENESS: f64 = 0.6;

/// Whatever is said while the form is open belongs to the enterprise's own words.
pub(super) fn keep_words(form: &mut CaseForm, words: &str) {
    if !form.original.is_empty() {
        form.original.push('\n');
    }
    form.original.push_str(words.trim());
}

/// Whether two demands, each with its topic, are the same matter.
pub fn is_like(demand: &str, topic: Option<&str>, other: &str, other_topic: Option<&str>) -> bool {
    let same_topic = topic.is_some() && topic == other_topic;
    demand::similarity(demand, other) >= if same_topic { SAME_TOPIC_LIKENESS } else { OTHER_TOPIC_LIKENESS }
}

impl Turn<'_> {
    pub(super) fn stay_anonymous(&mut self) {
        let Some(form) = self.state.form.as_mut() else { return };
        let lead = if form.may_be_anonymous() {
            form.anonymous = true;
            "可以匿名，不用留企业名称和电话。匿名的件我们联系不到您，请保存好编号和查询码自己查结果。"
        } else {
            form.fields.insert(
                FieldKey::Confidential,
                FieldValue { value: "是".to_owned(), source: Some(FieldSource::Said), error: None, proposed: None },
            );
            "这类事项要有人和您对接，得留一个联系方式；我已勾选“保密”，您的身份不会告诉被反映的单位。"
        };
        self.ask_for_missing(lead);
    }

    /// Shows the form and asks for what is missing: everything at once, at most three times.
    pub(super) fn ask_for_missing(&mut self, lead: &str) {
        let Some(form) = self.state.form.as_mut() else { return };
        let missing = form.missing();
        let required: Vec<FieldKey> = missing.iter().copied().filter(|k| form.is_required(*k)).collect();
        // What was refused a moment ago is not named again.
        let wanted: Vec<&str> = missing
            .iter()
            .filter(|k| !form.is_required(**k))
            .map(|k| k.label())
            .filter(|label| !lead.contains(&format!("{label}不填")))
            .collect();
        let first = form.asked == 0;
        // What is only wanted is asked for once; what is required again, up to the limit.
        let ask = if first { !missing.is_empty() } else { !required.is_empty() } && form.asked < MAX_QUESTIONS;
        let mut text = lead.to_owned();
        if first {
            // Where the matter cannot lead to what is hoped for, that is said before anything is asked.
            for guidance in form
                .kept()
                .filter_map(|m| m.topic.as_deref())
                .filter_map(|t| self.env.knowledge.topic(t))
                .filter_map(|t| t.guidance)
            {
                text.push_str(&guidance);
            }
        }
        if ask {
            form.asked += 1;
            let listed = if first { &missing } else { &required };
            form.asking = listed.first().copied();
            let names: Vec<String> = listed
                .iter()
                .map(|k| if form.is_required(*k) { format!("{}（必填）", k.label()) } else { k.label().to_owned() })
                .collect();
            let _ = write!(text, "还缺：{}。", names.join("、"));
            if !first && !wanted.is_empty() {
                let _ = write!(text, "{}也可以一起说。", wanted.join("、"));
            }
            text.push_str("请在一条消息里一起发来");
            text.push_str(if required.is_empty() { "，或直接回复“提交”。" } else { "。" });
            if first {
                let slots: Vec<String> = form
                    .kept()
                    .filter_map(|m| m.topic.as_deref())
                    .filter_map(|t| self.env.knowledge.topic(t))
                    .flat_map(|t| t.slots)
                    .take(4)
                    .collect();
                if !slots.is_empty() {
                    let _ = write!(text, "如果方便，也说明{}，办得更快。", slots.join("、"));
                }
            }
        } else {
            form.asking = None;
            if required.is_empty() {
                if !wanted.is_empty() {
                    let _ = write!(text, "{}还空着，可以补充，不补也能提交。", wanted.join("、"));
                }
                text.push_str("请核对，没有问题就回复“提交”；要改哪项直接说，比如“电话改成…”。");
            } else {
                let names: Vec<&str> = required.iter().map(|k| k.label()).collect();
                let _ =
                    write!(text, "还缺{}，没有它工作人员联系不上您。可以在登记单里补，或转人工。", names.join("、"));
            }
        }
        self.show_form(&text);
    }

    /// The form card, under one sentence.
    pub(super) fn show_form(&mut self, lead: &str) {
        let Some(form) = &self.state.form else { return };
        if self.record.step == "silent" {
            self.record.step = "form";
        }
        let card = form.card(self.env.knowledge);
        let mut buttons: Vec<&str> =
            if card.can_submit { vec!["提交", "取消", "转人工"] } else { vec!["取消", "转人工"] };
        let mut words = format!("{lead}\n\n{}", form.in_words());
        if let Some(proposal) = form.proposal.as_ref().and_then(|p| p.in_words(self.env.knowledge)) {
            let _ = write!(words, "\n{proposal}");
            // The page has a button beside each of them.
            if !matches!(self.env.channel, Channel::Web | Channel::Widget) {
                buttons.insert(buttons.len() - 1, proposing::TAKE);
            }
        }
        let reply = Reply { kind: MessageKind::Form, form: Some(card), ..Reply::say(words) };
        self.state.awaiting = Awaiting::Form;
        self.say(reply.with_buttons(buttons));
        // The new card has the values that were taken over.
        if let Some(proposal) = self.state.form.as_mut().and_then(|form| form.proposal.as_mut()) {
            proposal.items.retain(|item| !item.accepted);
        }
    }

    /// The card as sent from the page.
    pub(super) fn form_card(&mut self, fields: &[(FieldKey, String)], matters: &[MatterEdit], confirm: bool) {
        self.step("form");
        let Some(form) = self.state.form.as_mut() else {
            self.submitted_already();
            return;
        };
        let mut wrong = Vec::new();
        for edit in matters {
            let Some(matter) = form.matters.iter_mut().find(|m| m.n == edit.n) else { continue };
            matter.keep = edit.keep;
            if let Some(case_type) = edit.case_type {
                matter.case_type = case_type;
            }
            if let Some(topic) = &edit.topic
                && (topic.is_empty() || self.env.knowledge.topic(topic).is_some())
            {
                matter.topic = (!topic.is_empty()).then(|| topic.clone());
            }
            if let Some(demand) = &edit.demand {
                match filling::check(FieldKey::Demand, demand, self.env.today) {
                    Ok(demand) => matter.demand = demand,
                    Err(error) => wrong.push(error),
                }
            }
        }
        for (key, value) in fields {
            // With several matters the one demand field is not shown and must not overwrite the first.
            if *key == FieldKey::Demand && (form.kept().count() > 1 || matters.iter().any(|m| m.demand.is_some())) {
                continue;
            }
            if let Err(error) = form.type_in(*key, value, self.env.today) {
                wrong.push(format!("{}：{error}", key.label()));
            }
        }
        if confirm && wrong.is_empty() {
            self.submit();
        } else if wrong.is_empty() {
            self.show_form("已保存，还没有提交。");
        } else {
            self.show_form(&format!("有几处要改：{}", wrong.join("；")));
        }
    }

    fn submitted_already(&mut self) {
        self.step("form");
        if self.state.cases.is_empty() {
            self.say(
                Reply::say("现在没有待提交的登记单。请先说说是什么事，我来帮您整理。")
                    .with_buttons(["反映问题", "转人工"]),
            );
        } else {
            let text = format!("已经登记过了，不用重复提交。编号：{}。", self.state.cases.join("、"));
            self.say(Reply::say(text).with_buttons(["查进度"]));
        }
    }

    /// The explicit 提交 (T02).
    pub(super) fn submit(&mut self) {
        self.step("case");
        let Some(form) = &self.state.form else {
            self.submitted_already();
            return;
        };
        let errors = form.errors();
        if !errors.is_empty() {
            let reasons: Vec<String> = errors.iter().map(|e| e.1.clone()).collect();
            let lead = format!("还不能提交：{}。", reasons.join("；"));
            self.show_form(&lead);
            return;
        }
        if !form.duplicate_cleared
            && let Some((case, matters)) = self.similar_case()
        {
            self.state.awaiting = Awaiting::Duplicate { number: case.number.clone(), matters };
            let text = format!(
                "您有一件类似的在办：{}（{}，{}）。要补充到这件，还是另提一件？",
                case.number, case.title, case.status_label
            );
            let reply = Reply { kind: MessageKind::Card, card: Some(Card::Duplicate { case }), ..Reply::say(text) };
            self.say(reply.with_buttons(["补充到这件", "另提一件"]));
            return;
        }
        self.file();
    }

    /// The first of the visitor's own open cases that a matter of the form is like, and the numbers of all matters that
    /// are.
    fn similar_case(&self) -> Option<(KnownCase, Vec<u32>)> {
        let form = self.state.form.as_ref()?;
        self.env.open_cases.iter().find_map(|case| {
            let like: Vec<u32> = form
                .kept()
                .filter(|m| {
                    let (topic, of) = (m.topic.as_deref(), case.topic.as_deref());
                    is_like(&m.demand, topic, &case.demand, of) || is_like(&m.text, topic, &case.demand, of)
                })
                .map(|m| m.n)
                .collect();
            if like.is_empty() {
                return None;
            }
            Some((case.clone(), like))
        })
    }

    fn file(&mut self) {
        let region = self.region();
        let Some(form) = self.state.form.as_mut() else { return };
        let drafts = form.drafts(&Around {
            knowledge: self.env.knowledge,
            region: region.as_deref(),
            channel: self.env.channel,
            risk: self.state.risk,
            attachments: &self.state.attachments,
        });
        form.submitted = true;
        let reachable = drafts.iter().any(|d| d.contact.is_reachable());
        self.effects.push(Effect::FileCases(drafts));
        self.promise_a_call(reachable, None);
        self.state.awaiting = Awaiting::Nothing;
    }

    /// 补充到这件: the matters that are like the case go there, the others stay on the form.
    pub(super) fn add_to_case(&mut self, number: &str, matters: &[u32]) {
        self.step("case");
        let Some(mut form) = self.state.form.take() else {
            self.submitted_already();
            return;
        };
        let like = |m: &super::FormMatter| matters.is_empty() || matters.contains(&m.n);
        let rest = form.kept().filter(|m| !like(m)).count();
        let text = if rest == 0 {
            form.original.clone()
        } else {
            form.kept().filter(|m| like(m)).map(|m| m.text.as_str()).collect::<Vec<_>>().join("\n")
        };
        let reachable = form.value(FieldKey::ContactPhone).is_some();
        self.state.knows_case(number);
        self.effects.push(Effect::AppendToCase {
            number: number.to_owned(),
            text,
            attachments: if rest == 0 {
                std::mem::take(&mut self.state.attachments)
            } else {
                self.state.attachments.clone()
            },
        });
        if rest == 0 {
            self.promise_a_call(reachable, Some(number.to_owned()));
            self.state.awaiting = Awaiting::Nothing;
            self.say(Reply::event(format!("已补充到 {number}，办理单位能看到。")).with_buttons(["查进度"]));
            return;
        }
        for matter in form.matters.iter_mut().filter(|m| m.keep) {
            matter.keep = !(matters.is_empty() || matters.contains(&matter.n));
        }
        self.state.form = Some(form);
        self.say(Reply::event(format!("已补充到 {number}，办理单位能看到。")));
        self.show_form(&format!("还有 {rest} 件没有登记，请核对后回复“提交”。"));
    }

    /// A person was promised outside office hours: the task, once it is known about what.
    fn promise_a_call(&mut self, reachable: bool, case: Option<String>) {
        if self.state.callback_promised && reachable {
            self.state.callback_promised = false;
            self.effects.push(Effect::Promise {
                text: "工作人员上班后联系企业".to_owned(),
                due: self.env.knowledge.promise_due(self.env.now),
                case,
            });
        }
    }

    pub(super) fn file_another(&mut self) {
        if let Some(form) = self.state.form.as_mut() {
            form.duplicate_cleared = true;
        }
        self.submit();
    }

    /// 取消: leaves what is going on; `false` when there is nothing to cancel.
    pub(super) fn cancel(&mut self) -> bool {
        if self.state.form.is_none() {
            if self.state.awaiting == Awaiting::Nothing {
                return false;
            }
            self.step("command");
            self.state.awaiting = Awaiting::Nothing;
            self.state.clarify_rounds = 0;
            self.say(Reply::say("好的，不办了。需要时随时再说。").with_buttons(super::ladder::ENTRIES));
            return true;
        }
        if self.state.awaiting == Awaiting::CancelForm {
            self.drop_form();
            return true;
        }
        self.step("command");
        self.state.awaiting = Awaiting::CancelForm;
        self.say(
            Reply::say("确定不登记了吗？登记单会清空，没有提交过的内容不会保留。").with_buttons(["是", "继续填写"]),
        );
        true
    }

    pub(super) fn drop_form(&mut self) {
        self.step("command");
        self.state.form = None;
        self.state.callback_promised = false;
        self.state.awaiting = Awaiting::Nothing;
        self.say(Reply::say("已取消，没有登记任何内容。需要时随时再说。").with_buttons(super::ladder::ENTRIES));
    }

    /// The bot cannot go on (a model or a store failed): to a person, never back to the bot by itself.
    pub(super) fn fail(&mut self) {
        self.step("human");
        self.say(Reply::event("系统刚才没能处理这条消息，内容已经保存。"));
        self.human(HandoffReason::Error);
    }
}
