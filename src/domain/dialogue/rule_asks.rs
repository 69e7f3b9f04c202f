//! The questions that a rule declares for its form (RULES 2.1 `[[rule.form.ask]]`): put one after the other in the
//! rule's own words, checked by their type, put again as often as the rule says, and given up as it says.

use super::{
    CaseForm, FieldKey, FieldSource, FieldValue, HandoffReason, Reading, RuleAsk,
    answering::asks,
    extract, filling,
    ladder::{Turn, plain_matter},
    words,
};
use crate::domain::rules::{Form, OnFail};

/// Longest answer that is kept.
const MAX_ANSWER: usize = 200;

impl RuleAsk {
    fn of(form: &Form) -> Vec<Self> {
        form.asks
            .iter()
            .map(|ask| Self {
                slot: ask.slot.clone(),
                kind: ask.kind.clone(),
                ask: ask.ask.clone(),
                retry: ask.retry,
                on_fail: ask.on_fail,
                put: 0,
            })
            .collect()
    }

    /// The field of the form that the answer goes to: by the name of the slot, else by the kind of the value.
    fn field(&self) -> Option<FieldKey> {
        let by_name = self.slot.parse().ok().or_else(|| FieldKey::ALL.iter().copied().find(|k| k.label() == self.slot));
        by_name.or(match self.kind.as_str() {
            "统一社会信用代码" | "uscc" => Some(FieldKey::Uscc),
            "手机号" | "电话" | "联系电话" | "phone" => Some(FieldKey::ContactPhone),
            "企业名称" => Some(FieldKey::Enterprise),
            "姓名" => Some(FieldKey::ContactName),
            _ => None,
        })
    }

    /// The answer in the words, checked; `Err` says what is wrong with it.
    fn read(&self, words: &str, today: jiff::civil::Date) -> Result<String, String> {
        let plain = extract::half_width(words.trim());
        let plain = plain.trim();
        let as_field = |key| {
            filling::check(key, plain, today)
                .and_then(|value| if value.is_empty() { Err("请填写内容".to_owned()) } else { Ok(value) })
        };
        let by_kind = match self.kind.as_str() {
            "统一社会信用代码" | "uscc" => Some(FieldKey::Uscc),
            "手机号" | "电话" | "联系电话" | "phone" => Some(FieldKey::ContactPhone),
            "日期" | "date" => Some(FieldKey::HappenedOn),
            "金额" | "amount" => Some(FieldKey::Amount),
            _ => None,
        };
        if let Some(key) = by_kind {
            return as_field(key);
        }
        match self.kind.as_str() {
            "身份证号" => {
                let card = crate::domain::text::find_personal(plain)
                    .into_iter()
                    .find(|piece| piece.kind == crate::domain::text::PersonalKind::IdCard);
                card.and_then(|piece| plain.get(piece.span))
                    .map(str::to_owned)
                    .ok_or_else(|| "身份证号应为 18 位，请核对".to_owned())
            }
            "数字" => plain
                .chars()
                .any(|c| c.is_ascii_digit())
                .then(|| plain.to_owned())
                .or_else(|| super::number::parse_han_number(plain).map(|n| n.to_string()))
                .ok_or_else(|| "请填写数字".to_owned()),
            "年份" => {
                let digits: String = plain.chars().filter(char::is_ascii_digit).collect();
                (digits.len() == 4).then_some(digits).ok_or_else(|| "请填写四位年份，例如 2025".to_owned())
            }
            _ if plain.chars().count() > MAX_ANSWER => Err(format!("请控制在 {MAX_ANSWER} 字以内")),
            _ if plain.is_empty() => Err("请填写内容".to_owned()),
            _ => Ok(plain.to_owned()),
        }
    }
}

impl Turn<'_> {
    /// A tapped button that opens the last rule's own form. `false` when the words are none.
    pub(super) fn rule_form(&mut self, words: &str) -> bool {
        let Some(last) = self.state.last_answer.clone() else { return false };
        let region = self.region();
        let answer = self.env.knowledge.answer(&last.rule_id, self.env.channel, region.as_deref(), self.env.today);
        let Some(form) = answer.and_then(|answer| answer.form) else { return false };
        if form.trigger.as_deref().map(words::bare) != Some(words::bare(words)) {
            return false;
        }
        let mut matter = plain_matter(&last.question, last.case_type);
        matter.topic = last.topic;
        matter.rules = vec![last.rule_id];
        let asked = RuleAsk::of(&form);
        let told = format!("{}\n{words}", last.question);
        self.open_form_asking(vec![matter], &told, asked, "好的，请补充几项，工作人员据此核对后答复您。");
        true
    }

    /// Puts the next question of the rule; `false` when none is left.
    pub(super) fn put_rule_ask(&mut self, lead: &str) -> bool {
        let Some(form) = self.state.form.as_mut() else { return false };
        // What was told already is not asked for.
        let fields = &form.fields;
        let known = |ask: &RuleAsk| {
            ask.field().is_some_and(|key| fields.get(&key).is_some_and(|f| !f.value.is_empty() && f.error.is_none()))
        };
        let left: Vec<RuleAsk> = form.asks.iter().filter(|ask| ask.put > 0 || !known(ask)).cloned().collect();
        form.asks = left;
        let Some(ask) = form.asks.first_mut() else { return false };
        ask.put = ask.put.saturating_add(1);
        let text = format!("{lead}{}", ask.ask);
        self.state.awaiting = super::Awaiting::Form;
        if self.record.step == "silent" {
            self.step("form");
        }
        self.say(super::Reply::say(text).with_buttons(["取消", "转人工"]));
        true
    }

    /// The words as the answer to the question that the rule put last; `false` when they are none.
    pub(super) fn rule_ask_told(&mut self, words: &str, reading: &Reading) -> bool {
        let Some(form) = self.state.form.as_mut() else { return false };
        let Some(ask) = form.asks.first().filter(|ask| ask.put > 0).cloned() else { return false };
        // A question of the visitor's own is answered as such, and the form asks again.
        if asks(words) && reading.matters.iter().any(|m| m.answer.is_some()) {
            return false;
        }
        self.step("form");
        match ask.read(words, self.env.today) {
            Ok(value) => {
                let Some(form) = self.state.form.as_mut() else { return false };
                form.asks.remove(0);
                take_answer(form, &ask, &value);
                self.after_rule_ask("");
            }
            Err(wrong) if ask.put <= ask.retry => {
                self.put_rule_ask(&format!("{wrong}。"));
            }
            Err(wrong) => {
                let Some(form) = self.state.form.as_mut() else { return false };
                form.asks.remove(0);
                super::filing::keep_words(form, words);
                match ask.on_fail {
                    OnFail::Skip => self.after_rule_ask(&format!("{wrong}，这一项先跳过。")),
                    OnFail::Cancel => self.drop_form(),
                    OnFail::Handoff => self.human(HandoffReason::Unclear),
                }
            }
        }
        true
    }

    fn after_rule_ask(&mut self, lead: &str) {
        if !self.put_rule_ask(lead) {
            self.ask_for_missing(&format!("{lead}好的，都记下了。"));
        }
    }
}

/// An answer goes to its field, and into the enterprise's own words either way.
fn take_answer(form: &mut CaseForm, ask: &RuleAsk, value: &str) {
    super::filing::keep_words(form, &format!("{} {value}", ask.ask));
    if let Some(key) = ask.field() {
        let entry = form.fields.entry(key).or_default();
        *entry = FieldValue {
            value: value.to_owned(),
            source: Some(FieldSource::Typed),
            error: None,
            proposed: entry.proposed.take(),
        };
    }
}
