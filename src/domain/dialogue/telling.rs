//! What is told while the form is open: corrections, values, more of the matter, another matter, and what is none of
//! these. `filing` shows, checks and files the form.

use super::{
    CaseForm, Effect, FieldKey, FieldSource, FieldValue, Reading, Reply,
    aside::{self, Aside},
    correcting::{self, MatterChange, MatterValue},
    extract,
    filing::keep_words,
    filling,
    ladder::{Turn, answer_reply},
    words,
};
use crate::domain::kinds::CaseType;

/// Words that announce another matter.
const ANNOUNCES: [&str; 8] = ["另外", "还有", "顺便", "再一个", "再就是", "第二", "其二", "除此之外"];
/// How sure the rules must be of a second matter that nobody announced.
const SURE: f32 = 0.4;
/// And how many characters it must have: 天天来查 goes on about what was said before.
const TELLING: usize = 7;

/// What stands between a filed case and a correction of it: a word of change.
const CHANGES: [&str; 8] = ["改", "错", "不对", "换", "更正", "应该", "不是", "应为"];

/// Words for the other side that name nobody.
const VAGUE_BODIES: [&str; 8] = ["政府", "银行", "医院", "学校", "委员会", "物业", "村委", "街道"];
/// Filed cases that one correction goes to.
const LATEST: usize = 5;

impl Turn<'_> {
    /// Text while a form is open. `false` only when there is no form.
    pub(super) fn form_words(&mut self, words: &str, reading: &Reading) -> bool {
        let Some(form) = self.state.form.take() else { return false };
        self.step("form");
        if extract::wants_anonymity(words) {
            self.state.form = Some(form);
            self.stay_anonymous();
            return true;
        }
        if let Some(n) = filling::dropped_matter(words) {
            self.drop_matter(form, n);
            return true;
        }
        let mut form = form;
        if let Some(lead) = take_back(&mut form, words) {
            self.state.form = Some(form);
            self.ask_for_missing(&lead);
            return true;
        }
        if words::is_acknowledgement(words) {
            self.state.form = Some(form);
            self.show_form("好的。");
            return true;
        }
        self.state.form = Some(form);
        if self.rule_ask_told(words, reading)
            || self.mistyped_phone_told(words)
            || self.corrected(words)
            || self.which_side_told(words)
            || self.beside_the_form(words, reading)
            || self.whose_name_is_it(words)
        {
            return true;
        }
        let Some(form) = self.state.form.take() else { return true };
        self.told(form, words, reading);
        true
    }

    /// 电话改成…, 类型改成…, 不是10月，是9月. `false` when the words correct nothing.
    fn corrected(&mut self, words: &str) -> bool {
        let Some(mut form) = self.state.form.take() else { return false };
        let matter_change = correcting::matter_change(words).or_else(|| demand_awaited(&form, words));
        let corrections = if matter_change.is_some() { Vec::new() } else { correcting::corrections(words) };
        let mut done = Vec::new();
        let mut wrong = Vec::new();
        if let Some(change) = &matter_change {
            let label = change.to.label();
            match form.correct_matter(change, self.env.today) {
                Ok(()) => done.push(label),
                Err(error) => wrong.push(format!("{label}没有改：{error}")),
            }
        }
        for (key, value) in &corrections {
            if value.is_empty() && (form.is_required(*key) || form.value(*key).is_none()) {
                let withheld = Self::withheld(&mut form, *key);
                wrong.push(withheld.trim_end_matches('。').to_owned());
                continue;
            }
            // A wrong value does not take the place of a right one.
            let right = form.fields.get(key).is_some_and(|f| !f.value.is_empty() && f.error.is_none());
            let checked = filling::check(*key, value, self.env.today).map(|_| ());
            let typed = if right && checked.is_err() { checked } else { form.type_in(*key, value, self.env.today) };
            match typed {
                Ok(()) => done.push(key.label()),
                Err(error) => wrong.push(format!("{}没有改：{error}", key.label())),
            }
        }
        if !corrections.is_empty() {
            // 企业：甲公司，联系人李四，电话139…: the others are told as well.
            let mut facts = extract::facts(words, self.env.today);
            if corrections.iter().any(|(key, _)| *key == FieldKey::Object) {
                facts.enterprise = None;
            }
            let more = form.take_facts(&facts, false);
            done.extend(more.iter().map(|key| key.label()).filter(|label| !done.contains(label)).collect::<Vec<_>>());
        }
        if matter_change.is_none()
            && corrections.is_empty()
            && let Some((from, to)) = correcting::swapped(words)
        {
            done.extend(form.swap(&from, &to, self.env.today));
        }
        if done.is_empty() && wrong.is_empty() {
            self.state.form = Some(form);
            return false;
        }
        keep_words(&mut form, words);
        if !done.is_empty() {
            form.asking = None;
        }
        let mut lead = if done.is_empty() { String::new() } else { format!("已更新{}。", done.join("、")) };
        if !wrong.is_empty() {
            lead.push_str(&wrong.join("；"));
            lead.push('。');
        }
        self.state.form = Some(form);
        self.ask_for_missing(&lead);
        true
    }

    /// Values and the matter itself.
    fn told(&mut self, mut form: CaseForm, words: &str, reading: &Reading) {
        let mut facts = extract::facts(words, self.env.today);
        let asking = form.asking;
        Self::read_as_answer(words, &form, &mut facts);
        let beyond = filling::beyond_facts(words, &facts);
        let nothing_else = aside::is_empty(&beyond);
        // A second way to reach the enterprise does not take the place of its telephone.
        let reachable =
            form.value(FieldKey::ContactPhone).is_some_and(|v| v.starts_with(|c: char| c == '+' || c.is_ascii_digit()));
        let second = reachable
            && asking != Some(FieldKey::ContactPhone)
            && facts.contact_phone.is_none()
            && (facts.contact_email.is_some() || facts.contact_wechat.is_some());
        if second {
            facts.contact_email = None;
            facts.contact_wechat = None;
        }
        // A value that stands alone replaces the one before; one in a story only fills what is empty.
        let changed = form.take_facts(&facts, nothing_else);
        // The names of a company or a person tell no matter of their own: 福州某食品有限公司 is no question about food.
        let rest = if changed.is_empty() { None } else { filling::beside_facts(words, &facts) };
        let read_again = rest.map(|rest| self.read(&rest));
        let reading = read_again.as_ref().unwrap_or(reading);
        let wrong_code = facts.uscc_invalid.is_some() && facts.uscc.is_none();
        self.state.facts.absorb(facts);
        let story = !nothing_else && reading.matters.iter().any(|m| m.named || m.answer.is_some());
        // 我要投诉 … 是市场监管局: whoever is complained of is all that is known of the matter.
        let tells_whom = changed == [FieldKey::Object] && form.kept().all(|m| m.topic.is_none());
        if (!changed.is_empty() || second || (wrong_code && nothing_else)) && !story && !tells_whom {
            let labels: Vec<&str> =
                changed.iter().filter(|k| !(wrong_code && **k == FieldKey::Uscc)).map(|k| k.label()).collect();
            keep_words(&mut form, words);
            let error = form.fields.get(&FieldKey::Uscc).and_then(|f| f.error.clone()).filter(|_| wrong_code);
            self.state.form = Some(form);
            let mut lead =
                if labels.is_empty() { String::new() } else { format!("已记下{}。", labels.join("、")) };
            if let Some(error) = error {
                lead.push_str(&error);
                lead.push_str("；不方便核对可以回复“信用代码不填”。");
            }
            if second {
                lead.push_str("这个联系方式也写进补充情况了，联系电话不变。");
            }
            self.ask_for_missing(&lead);
            return;
        }
        // A question in the middle: answer it, then point back to the form once.
        let answers: Vec<_> =
            reading.matters.iter().filter_map(|m| m.answer.as_ref().filter(|_| !m.needs_region)).collect();
        if !answers.is_empty() && reading.matters.iter().all(|m| m.case_type == CaseType::Consultation) {
            for answer in answers.iter().take(2) {
                self.say(answer_reply(answer));
            }
            self.state.form = Some(form);
            if self.put_rule_ask("登记单还在。") {
                return;
            }
            self.say(Reply::say("登记单还在，没有提交前不会登记。可以接着补充，或回复“提交”“取消”。").with_buttons([
                "提交",
                "取消",
                "转人工",
            ]));
            return;
        }
        self.new_matter_or_supplement(form, words, reading);
    }

    /// The answer to what was asked, when it carries no marks of its own: a bare name or company.
    fn read_as_answer(words: &str, form: &CaseForm, facts: &mut super::Facts) {
        let missing = form.missing();
        // 政府 alone names no body yet.
        let vague = form.value(FieldKey::Object).is_some_and(|v| VAGUE_BODIES.contains(&v));
        let wanted =
            |key: FieldKey| missing.contains(&key) || form.asking == Some(key) || (key == FieldKey::Object && vague);
        if facts.enterprise.is_none() && wanted(FieldKey::Enterprise) {
            facts.enterprise = extract::enterprise_in_answer(words).filter(|name| !extract::is_public(name));
        }
        // A public body in answer to a form that asks for the other side is the other side.
        if facts.object.is_none()
            && wanted(FieldKey::Object)
            && let Some(name) = facts.enterprise.clone().filter(|name| extract::is_public(name))
        {
            facts.object = Some(name);
            facts.enterprise = None;
        }
        if facts.contact_name.is_none() && wanted(FieldKey::ContactName) {
            facts.contact_name =
                words.split(|c: char| !c.is_alphabetic()).find(|part| extract::is_person_name(part)).map(str::to_owned);
        }
        // A name is one phrase; whoever tells in clauses tells what happened.
        let phrase = words.trim().trim_end_matches(['。', '！', '!', '.', '吧']);
        let phrase = ["就是", "是", "叫", "涉及"].iter().find_map(|w| phrase.strip_prefix(w)).unwrap_or(phrase);
        if facts.object.is_none() && wanted(FieldKey::Object) && extract::looks_like_a_unit(phrase) {
            facts.object = Some(phrase.to_owned());
        }
        let alone = facts.is_empty();
        let public = extract::is_public(phrase)
            && !phrase.contains(['，', ',', '。', '；', ' '])
            && (phrase.ends_with("公司") || phrase.ends_with("集团"));
        if alone && wanted(FieldKey::Object) && public {
            facts.object = Some(phrase.to_owned());
        } else if alone && wanted(FieldKey::Enterprise) && extract::looks_like_a_firm(phrase) {
            facts.enterprise = Some(phrase.to_owned());
        }
    }

    fn new_matter_or_supplement(&mut self, mut form: CaseForm, words: &str, reading: &Reading) {
        let region = self.region();
        let announced = ANNOUNCES.iter().any(|word| words.contains(word));
        let mut added = 0;
        let mut told_anew = None;
        let told = if announced { None } else { form.told_at_last(words, words.chars().count() < TELLING) };
        if let Some(told) = told {
            // 我要投诉 … 就是环保局 … 天天来查: one matter, told bit by bit.
            let again = self.read(&told);
            let clearest = again.matters.into_iter().max_by(|a, b| a.confidence.total_cmp(&b.confidence));
            if let Some(mut matter) = clearest {
                matter.text = told;
                form.matters.clear();
                form.add_matter(&matter, region.as_deref(), self.env.knowledge);
                form.proposal = None;
                told_anew = Some(matter);
            }
        } else {
            let known: Vec<Option<String>> = form.matters.iter().map(|m| m.topic.clone()).collect();
            for matter in reading.matters.iter().filter(|m| m.named && m.answer.is_none()) {
                // A word or two that could be about something else are no second case.
                if (announced || (matter.confidence >= SURE && words.chars().count() >= TELLING))
                    && !known.contains(&matter.topic)
                    && form.add_matter(matter, region.as_deref(), self.env.knowledge)
                {
                    added += 1;
                }
            }
        }
        keep_words(&mut form, words);
        if extract::wants_secrecy(words) {
            form.fields.insert(
                FieldKey::Confidential,
                FieldValue { value: "是".to_owned(), source: Some(FieldSource::Said), error: None, proposed: None },
            );
        }
        let lead = if added > 0 {
            format!("又加了 {added} 件，会分别办理。不想登记的可以说“去掉第几件”。")
        } else {
            "已作为补充情况写进登记单。".to_owned()
        };
        self.state.form = Some(form);
        if let Some(matter) = told_anew {
            self.ask_to_classify(&[matter]);
        }
        self.ask_for_missing(&lead);
    }

    fn drop_matter(&mut self, mut form: CaseForm, n: u32) {
        let kept = form.kept().count();
        let lead = match form.matters.iter_mut().find(|m| m.n == n && m.keep) {
            Some(_) if kept == 1 => "只有这一件了。不想登记请回复“取消”。".to_owned(),
            Some(matter) => {
                matter.keep = false;
                format!("已去掉第{n}件。")
            }
            None => format!("登记单上没有第{n}件。"),
        };
        self.state.form = Some(form);
        self.ask_for_missing(&lead);
    }

    // ---- whose name it is ------------------------------------------------------------------------------

    /// A lone company name, where both the own enterprise and whoever owes are still open, is asked about.
    fn whose_name_is_it(&mut self, words: &str) -> bool {
        let Some(form) = self.state.form.as_mut() else { return false };
        let name = words.trim().trim_end_matches(['。', '！', '!', '吧']);
        let missing = form.missing();
        let open = missing.contains(&FieldKey::Enterprise) && missing.contains(&FieldKey::Object);
        let owing = form.kept().any(|m| m.case_type == CaseType::Arrears);
        if !(open && owing && extract::looks_like_a_firm(name)) || extract::is_public(name) {
            return false;
        }
        let name = name.to_owned();
        keep_words(form, &name);
        self.show_form(&format!("“{name}”是您自己的企业，还是欠款方？请点一个，或回复“我们”“欠款方”。"));
        if let Some(last) = self.replies.last_mut() {
            let buttons = [format!("我们是{name}"), format!("欠款方是{name}")];
            let others = std::mem::take(&mut last.quick_replies);
            last.quick_replies = buttons.iter().map(super::QuickReply::same).chain(others).collect();
        }
        true
    }

    /// The answer to it; whoever goes on with the own name has named the other side before.
    fn which_side_told(&mut self, words: &str) -> bool {
        let Some(form) = self.state.form.as_mut() else { return false };
        let missing = form.missing();
        if !(missing.contains(&FieldKey::Enterprise) && missing.contains(&FieldKey::Object)) {
            return false;
        }
        let named = form.original.lines().last().filter(|line| extract::looks_like_a_firm(line)).map(str::to_owned);
        let Some(name) = named.filter(|_| form.original.contains('\n')) else { return false };
        let bare = words::bare(words);
        let own = extract::facts(words, self.env.today).enterprise.filter(|own| *own != name);
        let key = match bare.trim_start_matches('是').trim_end_matches(['的', '方']) {
            "我们" | "我们公司" | "我们自己" | "自己" | "我司" | "本企业" | "我们企业" | "我们厂" | "企业" => {
                FieldKey::Enterprise
            }
            "欠款" | "对" | "他们" | "欠我们" | "欠钱" | "债务" | "债务人" | "甲" => FieldKey::Object,
            _ if own.is_some() => {
                let told = super::Facts { object: Some(name), ..super::Facts::default() };
                form.take_facts(&told, false);
                return false;
            }
            _ => return false,
        };
        let told = match key {
            FieldKey::Object => super::Facts { object: Some(name), ..super::Facts::default() },
            FieldKey::Enterprise
            | FieldKey::Uscc
            | FieldKey::ContactName
            | FieldKey::ContactPhone
            | FieldKey::Place
            | FieldKey::HappenedOn
            | FieldKey::Amount
            | FieldKey::Demand
            | FieldKey::Confidential => super::Facts { enterprise: Some(name), ..super::Facts::default() },
        };
        form.take_facts(&told, true);
        keep_words(form, words);
        self.ask_for_missing(&format!("已记下{}。", key.label()));
        true
    }

    // ---- beside the form -------------------------------------------------------------------------------

    /// Figures that were meant as a telephone number and are none.
    fn mistyped_phone_told(&mut self, words: &str) -> bool {
        let Some(written) = aside::mistyped_phone(words) else { return false };
        let Some(form) = self.state.form.as_mut() else { return false };
        form.asking = Some(FieldKey::ContactPhone);
        self.show_form(&format!(
            "“{written}”不像电话号码，没有写进登记单：手机号是 11 位，座机要带区号。请核对后再发一次。"
        ));
        true
    }

    /// Small talk and questions about the form: answered, and nothing of it is on the form.
    fn beside_the_form(&mut self, words: &str, reading: &Reading) -> bool {
        let Some(mut form) = self.state.form.take() else { return false };
        let lead = if let Some(what) = aside::of(words) {
            Some(Self::to_an_aside(&mut form, what))
        } else if self.is_a_question_beside(&form, words, reading) {
            Some("这句话我当作提问，没有写进登记单。登记单提交后工作人员会答复您；要另外登记一件请说“另外…”，也可以转人工。".to_owned())
        } else {
            None
        };
        let Some(mut lead) = lead else {
            self.state.form = Some(form);
            return false;
        };
        let required: Vec<&str> =
            form.missing().into_iter().filter(|k| form.is_required(*k)).map(FieldKey::label).collect();
        if !required.is_empty() && !lead.contains(required.join("、").as_str()) {
            lead.push_str("还缺");
            lead.push_str(&required.join("、"));
            lead.push('。');
        }
        self.state.form = Some(form);
        self.show_form(&lead);
        true
    }

    fn is_a_question_beside(&self, form: &CaseForm, words: &str, reading: &Reading) -> bool {
        let about_questions = form.kept().all(|m| m.case_type == CaseType::Consultation);
        let answered = reading.matters.iter().any(|m| m.answer.is_some());
        let announced = ANNOUNCES.iter().any(|word| words.contains(word));
        !about_questions
            && !answered
            && !announced
            && aside::is_a_question(words)
            && !extract::wants_secrecy(words)
            && extract::facts(words, self.env.today).is_empty()
    }

    /// What is said to words beside the form.
    fn to_an_aside(form: &mut CaseForm, what: Aside) -> String {
        match what {
            Aside::Wrong(key) => {
                form.asking = Some(key);
                format!("请把正确的{}发来，或直接说“{}改成…”。", key.label(), key.label())
            }
            Aside::Change => "要改哪项请直接说，比如“电话改成…”“公司名称改成…”“诉求改成…”。".to_owned(),
            Aside::Why(key) => match key {
                FieldKey::ContactPhone => Self::why_a_phone(form),
                FieldKey::Enterprise
                | FieldKey::Uscc
                | FieldKey::ContactName
                | FieldKey::Place
                | FieldKey::Object
                | FieldKey::HappenedOn
                | FieldKey::Amount => {
                    format!("{}用来核对情况、分给对的单位，不方便可以不填，不影响提交。", key.label())
                }
                FieldKey::Demand | FieldKey::Confidential => {
                    "诉求会原样交给办理单位，请核对；要改请说“诉求改成…”。".to_owned()
                }
            },
            Aside::Withheld(key) => Self::withheld(form, key),
            Aside::Later => "好的，先不提交。登记单给您留着，想好了接着填或回复“提交”；不登记了请回复“取消”。".to_owned(),
            Aside::HowToSubmit => {
                "回复“提交”就正式登记：马上得到编号和查询码，由承办单位在时限内办理。没有提交前不会登记。".to_owned()
            }
            Aside::WhereIsIt => "登记单在这里，还没有提交。".to_owned(),
            Aside::Greeting => "我在的。".to_owned(),
            Aside::Leaving => "好的，再见。登记单还没有提交，需要时回到这里接着填。".to_owned(),
            Aside::Trust => {
                "我是直通服务助手（机器人），登记的事项由工作人员办理；没有回复“提交”前不会登记。不放心可以转人工。".to_owned()
            }
            Aside::Thanks => "不客气。".to_owned(),
            Aside::Hurry => "知道您着急。登记单提交后才会有人办理，着急可以转人工。".to_owned(),
            Aside::Enough => "好的。".to_owned(),
            Aside::Puzzled => {
                "这是登记单：上面是我听到的事情和联系方式。没有问题就回复“提交”，有错就说“哪项改成什么”，说不清可以转人工。".to_owned()
            }
            Aside::Idle => "好的，这句没有写进登记单。".to_owned(),
        }
    }

    fn why_a_phone(form: &CaseForm) -> String {
        if form.may_be_anonymous() {
            "联系电话只用来核实情况和告诉您结果，也可以留邮箱或微信；不想留可以回复“匿名”。".to_owned()
        } else {
            "联系电话只用来核实情况和告诉您结果，没有它工作人员联系不上您；也可以留邮箱或“微信 账号”。".to_owned()
        }
    }

    /// The enterprise does not want to fill a field in.
    fn withheld(form: &mut CaseForm, key: FieldKey) -> String {
        if form.is_required(key) {
            return Self::why_a_phone(form);
        }
        form.fields.remove(&key);
        if form.asking == Some(key) {
            form.asking = None;
        }
        format!("好的，{}不填，不影响提交。", key.label())
    }

    // ---- after it was filed ----------------------------------------------------------------------------

    /// 电话写错了，应该是…, once the form was filed: to the filed cases, not a matter of its own.
    pub(super) fn corrects_a_filed_case(&mut self, words: &str) -> bool {
        if !may_correct_a_filed_case(&self.state, words) || self.state.awaiting != super::Awaiting::Nothing {
            return false;
        }
        let filed_here = |number: &str| self.state.cases.iter().any(|case| number.starts_with(case.as_str()));
        let open = self.env.open_cases.iter().filter(|case| filed_here(&case.number));
        let numbers: Vec<String> = open.map(|case| case.number.clone()).take(LATEST).collect();
        if numbers.is_empty() {
            return false;
        }
        if let Some(Aside::Wrong(key)) = aside::of(words) {
            self.step("command");
            let label = key.label();
            let text = format!("请一起说改成什么，比如“{label}改成…”，我补充到 {}。", numbers.join("、"));
            self.say(Reply::say(text).with_buttons(["查进度", "转人工"]));
            return true;
        }
        let told: Vec<(FieldKey, String)> =
            correcting::corrections(words).into_iter().filter(|(_, value)| !value.is_empty()).collect();
        if told.is_empty() {
            return false;
        }
        self.step("command");
        let mut changed = Vec::new();
        for (key, value) in &told {
            match filling::check(*key, value, self.env.today) {
                Ok(value) => changed.push(format!("{}更正为：{value}", key.label())),
                Err(error) => {
                    let text = format!("{}没有改：{error}。", key.label());
                    self.say(Reply::say(text).with_buttons(["查进度", "转人工"]));
                    return true;
                }
            }
        }
        self.state.facts.absorb(extract::facts(words, self.env.today));
        let changed = changed.join("；");
        for number in &numbers {
            self.effects.push(Effect::AppendToCase {
                number: number.clone(),
                text: format!("{changed}（原话：{}）", words.trim()),
                attachments: Vec::new(),
            });
        }
        let text = format!("已补充到 {}：{changed}。办理单位能看到。", numbers.join("、"));
        self.say(Reply::event(text).with_buttons(["查进度"]));
        true
    }
}

/// Whether the words may correct what was filed in this conversation: then its open cases are wanted.
pub(super) fn may_correct_a_filed_case(state: &super::DialogueState, words: &str) -> bool {
    state.form.is_none() && !state.cases.is_empty() && CHANGES.iter().any(|w| words.contains(w))
}

/// 诉求写错了, and then what it shall be.
fn demand_awaited(form: &CaseForm, words: &str) -> Option<MatterChange> {
    let tells = form.asking == Some(FieldKey::Demand)
        && !form.missing().contains(&FieldKey::Demand)
        && !aside::is_only_about_the_form(words)
        && correcting::corrections(words).is_empty();
    tells.then(|| MatterChange { n: None, to: MatterValue::Demand(words.trim().to_owned()) })
}

/// A matter that was dropped and is wanted again; the sentence about it.
fn take_back(form: &mut CaseForm, words: &str) -> Option<String> {
    let (n, named) = correcting::taken_back(words)?;
    let mut dropped: Vec<&mut super::FormMatter> = form.matters.iter_mut().filter(|m| !m.keep).collect();
    let at = match n {
        Some(n) => dropped.iter().position(|m| m.n == n),
        None => dropped.iter().position(|m| !named.is_empty() && m.text.contains(&named)).or(match dropped.len() {
            1 => Some(0),
            _ => None,
        }),
    };
    let matter = dropped.get_mut(at?)?;
    matter.keep = true;
    Some(format!("已把第{}件加回来。", matter.n))
}
