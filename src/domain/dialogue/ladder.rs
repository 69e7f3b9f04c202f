//! The answer ladder: one step of the conversation, from the top rung (safety) to the last (a person).

use super::{
    AnswerText, Awaiting, Citation, ConversationState, DecisionRecord, DialogueState, Effect, FormProposal,
    HandoffReason, Input, InputKind, ProposalKey, ProposalOutcome, QuickReply, Reading, ReadingMatter, Reply, TurnEnv,
    TurnOutcome, Undecided, extract,
    words::{self, Own},
};
use crate::domain::{
    kinds::{CaseType, Channel, Diversion, Urgency},
    promise,
};

/// Clarifications asked in a row before a person or a case is offered.
pub(super) const MAX_CLARIFICATIONS: u8 = 2;
/// Handoffs of one episode before a case is offered instead.
const MAX_HANDOFFS: u8 = 3;
/// Answers given to one message.
pub(super) const MAX_ANSWERS: usize = 3;
/// A text of this many characters that no rule knows is a story, not noise.
pub(super) const STORY_CHARS: usize = 20;
/// Characters up to which a message may be nothing but an introduction.
const INTRODUCTION_CHARS: usize = 40;
/// Characters up to which words can be the answer to what a form asked.
const ANSWER_CHARS: usize = 30;
/// The four entries (DOMAIN A32).
pub(super) const ENTRIES: [&str; 4] = ["咨询政策", "反映问题", "提建议", "查进度"];

/// One turn being decided.
pub(super) struct Turn<'a> {
    pub(super) env: &'a TurnEnv<'a>,
    pub(super) state: DialogueState,
    pub(super) replies: Vec<Reply>,
    pub(super) effects: Vec<Effect>,
    pub(super) record: DecisionRecord,
    /// The model was asked about this and has no answer that may be shown.
    pub(super) model_refused: bool,
    /// The proposal as it stood before the turn.
    pub(super) proposal_before: Option<FormProposal>,
    /// What became of it so far.
    pub(super) proposal_ended: Vec<(ProposalKey, ProposalOutcome)>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(env: &'a TurnEnv<'a>, state: &DialogueState) -> Self {
        Self {
            env,
            state: state.clone(),
            replies: Vec::new(),
            effects: Vec::new(),
            record: DecisionRecord {
                step: "silent",
                rule_set_hash: env.knowledge.rule_set_hash().to_owned(),
                ..DecisionRecord::default()
            },
            model_refused: false,
            proposal_before: state.form.as_ref().and_then(|form| form.proposal.clone()),
            proposal_ended: Vec::new(),
        }
    }

    pub(super) fn run(mut self, input: &Input) -> TurnOutcome {
        if let Some(ticket) = input.ticket() {
            if self.state.awaited_ticket() == Some(ticket) {
                self.model_done(input);
            }
            return self.finish();
        }
        if self.of_a_proposal(input) {
            return self.finish();
        }
        match self.state.mode {
            ConversationState::Human | ConversationState::Queued => {
                if self.case_button(input) {
                    return self.finish();
                }
                if self.state.mode == ConversationState::Human {
                    self.beside_a_person(input);
                } else {
                    self.in_the_queue(input);
                }
            }
            ConversationState::Closed => {
                self.state = std::mem::take(&mut self.state).opened_again();
                self.with_the_bot(input);
            }
            ConversationState::Bot | ConversationState::Collecting => self.with_the_bot(input),
        }
        self.finish()
    }

    pub(super) fn finish(mut self) -> TurnOutcome {
        self.settle();
        self.keep_promises();
        self.settle_proposal();
        self.mark_form();
        TurnOutcome { state: self.state, replies: self.replies, effects: self.effects, record: self.record }
    }

    /// Marks the conversation with what its form keeps from others: the form goes when it is filed, the mark stays.
    fn mark_form(&mut self) {
        let Some(form) = self.state.form.as_ref() else { return };
        let sensitive = form.matters.iter().any(|matter| matter.sensitive);
        if form.is_secret() {
            self.effects.push(Effect::Flag { flag: "confidential" });
        }
        if sensitive {
            self.effects.push(Effect::Flag { flag: "sensitive" });
        }
    }

    /// A rule that says “会有人联系您” commits the house: a dated task, unless somebody was called at once.
    fn keep_promises(&mut self) {
        let called = |e: &Effect| {
            matches!(
                e,
                Effect::PageDuty { .. } | Effect::RequestHuman { .. } | Effect::Promise { .. } | Effect::FileCases(_)
            )
        };
        if self.effects.iter().any(called) {
            return;
        }
        let mut made = self.replies.iter().filter(|reply| reply.rule_id.is_some() && !reply.generated);
        if let Some(words) = made.find_map(|reply| promise::sentence_of(&reply.text)) {
            self.effects.push(Effect::Promise {
                text: words.to_owned(),
                due: self.env.knowledge.promise_due_of(words, self.env.now),
                case: None,
            });
        }
    }

    /// Keeps mode and form in step: a form in work means `collecting`.
    pub(super) fn settle(&mut self) {
        self.state.mode = match self.state.mode {
            ConversationState::Bot | ConversationState::Collecting => {
                if self.state.form.as_ref().is_some_and(|f| !f.submitted) {
                    ConversationState::Collecting
                } else {
                    ConversationState::Bot
                }
            }
            mode @ (ConversationState::Queued | ConversationState::Human | ConversationState::Closed) => mode,
        };
    }

    pub(super) fn region(&self) -> Option<String> {
        self.state.region.clone().or_else(|| self.env.default_region.map(str::to_owned))
    }

    pub(super) fn say(&mut self, reply: Reply) {
        self.replies.push(reply);
    }

    pub(super) fn step(&mut self, step: &'static str) {
        self.record.step = step;
    }

    pub(super) fn read(&mut self, words: &str) -> Reading {
        let region = self.region();
        let reading = self.env.knowledge.read(words, self.env.channel, region.as_deref(), self.env.today);
        let record = &mut self.record;
        record.command = reading.command;
        record.diversion = reading.diversion;
        record.spans.clone_from(&reading.spans);
        record.near.clone_from(&reading.near);
        record.missed.clone_from(&reading.missed);
        record.shadow.clone_from(&reading.shadow);
        if let Some(first) = reading.matters.first() {
            record.case_type = Some(first.case_type);
            record.topic.clone_from(&first.topic);
            record.urgency = Some(first.urgency);
            record.confidence = first.confidence;
        }
        record.rules = reading
            .reply
            .iter()
            .map(|r| r.rule_id.clone())
            .chain(reading.matters.iter().filter_map(|m| m.answer.as_ref()).map(|a| a.rule_id.clone()))
            .chain(reading.matters.iter().flat_map(|m| m.rules.iter().cloned()))
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        record.rules.retain(|id| seen.insert(id.clone()));
        reading
    }

    /// Reads words that nobody said, to see what would come of them.
    pub(super) fn peek(&mut self, words: &str) -> Reading {
        let record = self.record.clone();
        let reading = self.read(words);
        self.record = record;
        reading
    }

    // ---- a person has it -------------------------------------------------------------------------------

    /// A person owns the conversation: the bot listens for danger and keeps facts, and says nothing.
    pub(super) fn beside_a_person(&mut self, input: &Input) {
        if let InputKind::FormSubmit { fields, matters, confirm } = &input.kind
            && self.state.form.is_some()
        {
            self.form_card(fields, matters, *confirm);
            return;
        }
        self.listen(input);
    }

    /// Keeps what was told, without a word.
    pub(super) fn listen(&mut self, input: &Input) {
        if let InputKind::Attachment { id, .. } = &input.kind {
            self.state.attachments.push(id.clone());
        }
        if let InputKind::Place { words } = &input.kind {
            self.state.facts.place = Some(words.clone());
        }
        let Some(words) = input.words() else { return };
        if words::is_secret(words) {
            self.purge();
            return;
        }
        if words::is_threat(words) {
            self.flag_risk();
        }
        let reading = self.read(words);
        if reading.diversion == Some(Diversion::D1) {
            self.page(Some(Diversion::D1), "来访者在人工会话中提到紧急险情");
        }
        self.state.facts.absorb(extract::facts(words, self.env.today));
        if !reading.matters.is_empty() && words.chars().count() >= 6 {
            self.state.last_matter = Some(words.to_owned());
        }
    }

    /// Waiting for a person: emergencies are answered at once, the visitor may leave the queue.
    pub(super) fn in_the_queue(&mut self, input: &Input) {
        match &input.kind {
            InputKind::FormSubmit { fields, matters, confirm } if self.state.form.is_some() => {
                self.form_card(fields, matters, *confirm);
                return;
            }
            InputKind::Handoff => {
                self.step("human");
                self.say_queue_position();
                return;
            }
            InputKind::Attachment { .. }
            | InputKind::Place { .. }
            | InputKind::Unreadable { .. }
            | InputKind::FormSubmit { .. }
            | InputKind::Feedback { .. }
            | InputKind::ModelAnswered { .. }
            | InputKind::ModelRefused { .. }
            | InputKind::Proposed { .. }
            | InputKind::ProposalDecided { .. } => {
                self.listen(input);
                return;
            }
            InputKind::Text(_) | InputKind::QuickReply(_) => {}
        }
        let words = input.words().unwrap_or_default();
        let own = words::own(words);
        if matches!(own, Some(Own::LeaveQueue | Own::Cancel)) {
            self.step("command");
            self.effects.push(Effect::LeaveQueue);
            self.state.mode = ConversationState::Bot;
            if self.state.form.is_some() {
                self.say(Reply::event("已取消排队。"));
                self.show_form("登记单还在，请接着填。没有提交前不会登记。");
                self.step("command");
            } else {
                self.say(Reply::event("已取消排队。").with_buttons(ENTRIES));
            }
            return;
        }
        if own == Some(Own::Human) {
            self.step("human");
            self.say_queue_position();
            return;
        }
        if words::is_secret(words) {
            self.purge();
            self.say_secret();
            return;
        }
        let reading = self.read(words);
        if reading.diversion == Some(Diversion::D1) {
            self.emergency(&reading);
            return;
        }
        if self.env.knowledge.is_over_for_today(self.env.now) && !self.state.risk {
            self.listen(input);
            self.closed_while_waiting();
            return;
        }
        self.listen(input);
        if !self.state.queue_notice {
            self.state.queue_notice = true;
            self.say(Reply::event("已收到，工作人员接入后会看到您发的全部内容。回复“取消排队”可以回到机器人应答。"));
        }
    }

    /// The office closed while the visitor waited: it shall not wait in vain. Whatever the visitor does next, somebody
    /// must look at it on the next working day.
    pub(super) fn closed_while_waiting(&mut self) {
        self.effects.push(Effect::LeaveQueue);
        self.state.mode = ConversationState::Bot;
        self.say(Reply::event("抱歉，今天下班前没有轮到您。您说的内容都保存着，工作人员上班后会先看您这里。"));
        self.effects.push(Effect::Promise {
            text: "下班时仍在排队，请上班后在会话里联系来访者".to_owned(),
            due: self.env.knowledge.promise_due(self.env.now),
            case: None,
        });
        self.human(HandoffReason::Asked);
        // The promise is on the list already; a filed case needs no second one.
        self.state.callback_promised = false;
    }

    // ---- the bot has it --------------------------------------------------------------------------------

    pub(super) fn with_the_bot(&mut self, input: &Input) {
        match &input.kind {
            InputKind::Text(words) | InputKind::QuickReply(words) => self.words(words),
            InputKind::FormSubmit { fields, matters, confirm } => self.form_card(fields, matters, *confirm),
            InputKind::Attachment { id, name, image } => self.attachment(id, name, *image),
            InputKind::Place { words } => self.place(words),
            InputKind::Unreadable { excuse } => {
                self.step("clarify");
                self.say(Reply::say(*excuse).with_buttons(["转人工"]));
            }
            InputKind::Handoff => self.human(HandoffReason::Asked),
            InputKind::Feedback { helpful } => {
                if *helpful {
                    self.solved();
                } else {
                    self.unsolved();
                }
            }
            // Taken before, whoever has the conversation.
            InputKind::ModelAnswered { .. }
            | InputKind::ModelRefused { .. }
            | InputKind::Proposed { .. }
            | InputKind::ProposalDecided { .. } => {}
        }
    }

    pub(super) fn attachment(&mut self, id: &str, name: &str, image: bool) {
        self.step("form");
        self.state.attachments.push(id.to_owned());
        let what = if image { "图片" } else { "文件" };
        let text = if self.state.form.is_some() {
            format!("已收到{what}“{name}”，会随登记单一起提交。")
        } else {
            if self.state.awaiting == Awaiting::Nothing {
                self.state.awaiting = Awaiting::Matter { hint: None };
            }
            format!("已收到{what}“{name}”。请用一两句话说说这份材料反映的是什么事，需要登记时它会一起提交。")
        };
        self.say(Reply::say(text).with_buttons(["转人工"]));
    }

    /// A place on the map is where the matter is, told already or told next.
    fn place(&mut self, words: &str) {
        self.step("form");
        self.state.facts.place = Some(words.to_owned());
        if let Some(form) = self.state.form.as_mut() {
            let facts = super::Facts { place: Some(words.to_owned()), ..super::Facts::default() };
            form.take_facts(&facts, true);
            self.show_form(&format!("已记下地点：{words}。"));
            return;
        }
        if self.state.awaiting == Awaiting::Nothing {
            self.state.awaiting = Awaiting::Matter { hint: None };
        }
        self.say(Reply::say(format!("已记下地点：{words}。请用一两句话说说那里是什么事。")).with_buttons(["转人工"]));
    }

    pub(super) fn words(&mut self, words: &str) {
        if words.trim().is_empty() {
            self.step("clarify");
            self.say(Reply::say("没有收到文字内容。请说说您要办的事。").with_buttons(ENTRIES).with_buttons(["转人工"]));
            return;
        }
        // 1. Safety. These work with any rule set.
        if words::is_secret(words) {
            self.purge();
            self.say_secret();
            return;
        }
        if self.case_words(words) {
            return;
        }
        let own = words::own(words);
        if let Some(own) = own
            && self.own_command(own)
        {
            return;
        }
        if self.proposal_words(words) {
            return;
        }
        let reading = self.read(words);
        if reading.secret {
            self.state.last_matter = None;
            self.purge();
            self.say_secret();
            return;
        }
        if reading.diversion == Some(Diversion::D1) {
            self.emergency(&reading);
            return;
        }
        if reading.threat || words::is_threat(words) {
            self.threat(words, &reading);
            return;
        }
        // 2. A case number opens its case; commands told in a sentence.
        if self.number_told(words) {
            return;
        }
        if self.needs_no_case(words, &reading) {
            return;
        }
        // The code that was asked for is no part of a form that is open besides.
        if self.state.form.is_some()
            && matches!(self.state.awaiting, Awaiting::ProgressNumber { .. })
            && super::query_code(words).is_some()
            && extract::phone(words).is_none()
            && self.progress_number_told(words)
        {
            return;
        }
        if self.corrects_a_filed_case(words) {
            return;
        }
        if self.none_of_them(words) || self.command(words, &reading) || self.looks_at_own_case(words, &reading) {
            return;
        }
        // 3. The active form, unless a rule says that it goes first.
        if self.interrupts_the_form(words, &reading) {
            return;
        }
        if self.state.form.is_some() && (self.asks_about_the_form(words, &reading) || self.form_words(words, &reading))
        {
            return;
        }
        if self.waits_for_the_model(words) {
            return;
        }
        if self.introduces_itself(words, &reading) {
            return;
        }
        if own.is_some_and(|own| self.answers_nothing(own, &reading)) {
            return;
        }
        if self.state.form.is_none() && words::says_nothing(words) && reading.matters.iter().all(|m| m.answer.is_none())
        {
            self.unclear(words);
            return;
        }
        // 4. What the bot had asked.
        match std::mem::take(&mut self.state.awaiting) {
            Awaiting::Region { question } => {
                if self.region_told(words, &question) {
                    return;
                }
            }
            Awaiting::Choice { options, question } => {
                if self.choice_told(words, &options, &question) {
                    return;
                }
            }
            awaiting @ Awaiting::ProgressNumber { .. } => {
                self.state.awaiting = awaiting;
                if self.progress_number_told(words) {
                    return;
                }
                self.state.awaiting = Awaiting::Nothing;
            }
            Awaiting::Matter { hint: Some(hint) } => {
                self.matters(words, reading, Some(hint));
                return;
            }
            Awaiting::Addition { number } => {
                self.addition_told(&number, words);
                return;
            }
            awaiting @ (Awaiting::Duplicate { .. } | Awaiting::Form) => self.state.awaiting = awaiting,
            awaiting @ (Awaiting::Nothing | Awaiting::CaseOffer) => {
                if self.follows_an_answer(words, &reading, &awaiting) {
                    return;
                }
            }
            // Whatever is said next takes the place of the question that the model was asked.
            Awaiting::Matter { hint: None } | Awaiting::CancelForm | Awaiting::Model { .. } => {}
        }
        // 5. Rules, clarification, case.
        self.matters(words, reading, None);
    }

    /// Words that nobody has to act on: help was called, a card number that is not wanted, an answer that was not clear.
    fn needs_no_case(&mut self, words: &str, reading: &Reading) -> bool {
        let text = if words::has_called_for_help(words) {
            "好的，请听从救援人员安排，先保证人身安全。脱险以后有要反映的，随时在这里说。"
        } else if words::is_a_card_number(words) && self.state.form.as_ref().is_none_or(|form| form.asks.is_empty()) {
            "请不要在这里发身份证号、银行卡号：登记和办理都用不到，这个号码没有写进登记单。要补充情况直接说事情就好。"
        } else if self.state.form.is_none()
            && reading.matters.iter().all(|m| m.answer.is_none())
            && words.contains(['懂', '话'])
            && super::aside::of(words) == Some(super::aside::Aside::Puzzled)
        {
            "抱歉，我没说清楚。请告诉我哪一句不明白，或换个说法再问；也可以转人工，由工作人员解释。"
        } else {
            return false;
        };
        self.step("clarify");
        self.say(Reply::say(text).with_buttons(["转人工"]));
        true
    }

    /// A rule with `interrupts_form` is answered although a form is open; then the form asks again, once.
    fn interrupts_the_form(&mut self, words: &str, reading: &Reading) -> bool {
        if !reading.interrupts_form || reading.command.is_some() {
            return false;
        }
        // 小区物业 can be the answer to what the form asked; a name or a number is one whatever words stand beside it.
        let asked = self.state.form.as_ref().is_some_and(|form| form.asking.is_some() || !form.asks.is_empty());
        let short = words.chars().count() <= ANSWER_CHARS
            && !words.contains(['，', ',', '。'])
            && !super::answering::asks(words);
        // Who says that there is no enterprise answers no question of the form.
        let citizen = reading.diversion == Some(Diversion::D9) && words::is_a_citizen(words);
        let told = !citizen
            && (!extract::facts(words, self.env.today).is_empty()
                || !super::correcting::corrections(words).is_empty()
                || (asked && short && reading.diversion != Some(Diversion::Abuse)));
        if told {
            return false;
        }
        let answers =
            reading.matters.iter().filter_map(|m| m.answer.as_ref().filter(|a| a.interrupts_form && !m.needs_region));
        let said: Vec<Reply> = reading.reply.iter().chain(answers).take(MAX_ANSWERS).map(answer_reply).collect();
        let Some(form) = self.state.form.as_mut().filter(|_| !said.is_empty()) else { return false };
        // What was said is part of the story all the same.
        super::filing::keep_words(form, words);
        for reply in said {
            self.say(reply);
        }
        self.show_form("登记单还在，没有提交前不会登记；您刚才说的也记下了。");
        self.step("rules");
        true
    }

    /// 我叫林建国: who is speaking, and nothing to file yet. What the bot had asked stays asked.
    fn introduces_itself(&mut self, words: &str, reading: &Reading) -> bool {
        if words.chars().count() > INTRODUCTION_CHARS || reading.matters.iter().any(|m| m.named || m.answer.is_some()) {
            return false;
        }
        let facts = extract::facts(words, self.env.today);
        let told: Vec<String> = [
            facts.enterprise.as_ref().map(|name| format!("企业名称：{name}")),
            facts.contact_name.as_ref().map(|name| format!("联系人：{name}")),
            facts.contact_phone.as_ref().map(|phone| format!("联系电话：{phone}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        let rest = super::filling::beside_facts(words, &facts).unwrap_or_else(|| words.to_owned());
        let rest = words::bare(&rest)
            .chars()
            .filter(|c| !"我叫是姓名的电话手机联系人本这里们你您好公司单位".contains(*c))
            .count();
        if told.is_empty() || rest > 1 {
            return false;
        }
        self.step("form");
        self.state.facts.absorb(facts);
        let told = told.join("，");
        let then = if matches!(self.state.awaiting, Awaiting::ProgressNumber { .. }) {
            "只凭姓名查不到，请发来编号和 10 位查询码；记不清可以转人工核实。"
        } else {
            "请说说要咨询或反映的是什么事。"
        };
        self.say(Reply::say(format!("已记下{told}。{then}")).with_buttons(["转人工"]));
        true
    }

    // ---- safety ----------------------------------------------------------------------------------------

    pub(super) fn page(&mut self, code: Option<Diversion>, note: &str) {
        self.effects.push(Effect::PageDuty { code, note: note.to_owned() });
    }

    pub(super) fn purge(&mut self) {
        self.step("safety");
        self.record.diversion = Some(Diversion::D4);
        self.effects.push(Effect::PurgeInput { replacement: "［疑似涉密内容，未保存］" });
        self.effects.push(Effect::Flag { flag: "secret" });
        self.page(Some(Diversion::D4), "来访者发送了带密级标志的内容，系统未保存");
    }

    pub(super) fn say_secret(&mut self) {
        self.say(
            Reply::say(
                "请停止发送：这里是互联网平台，不能处理涉密内容。刚才那条带有密级标志，系统没有保存。涉密事项请通过机要渠道或当面向有关单位反映；不涉密的部分可以另外说明。",
            )
            .with_buttons(["转人工"]),
        );
    }

    /// D1: tell the number at once, page the duty person, stay in the chat.
    pub(super) fn emergency(&mut self, reading: &Reading) {
        self.step("safety");
        self.page(Some(Diversion::D1), "来访者提到紧急险情");
        self.effects.push(Effect::Flag { flag: "emergency" });
        match &reading.reply {
            Some(answer) => {
                let reply = answer_reply(answer);
                self.say(reply);
            }
            None => self.say(Reply::say(
                "请先保证人身安全：火灾拨打 119，人身危险或治安案件拨打 110，受伤拨打 120，交通事故拨打 122。",
            )),
        }
        if reading.threat && self.state.mode != ConversationState::Queued {
            // 轻生: a person must talk to the visitor now, whatever the hour.
            self.flag_risk();
            self.queue(HandoffReason::Emergency);
            return;
        }
        let told = reading.reply.as_ref().is_some_and(|answer| answer.text.contains("值班"));
        if !told {
            self.say(Reply::event("已通知值班人员。您可以继续在这里补充情况。").with_buttons(["转人工"]));
        }
        if self.state.form.is_some() && self.state.mode != ConversationState::Queued {
            self.show_form("登记单还在，脱险以后可以接着填。");
            self.step("safety");
        }
    }

    pub(super) fn flag_risk(&mut self) {
        if !self.state.risk {
            self.state.risk = true;
            self.effects.push(Effect::Flag { flag: "risk" });
        }
        self.page(None, "来访者的话带有极端或聚集苗头，请立即关注");
    }

    pub(super) fn threat(&mut self, words: &str, reading: &Reading) {
        self.step("safety");
        self.flag_risk();
        self.state.facts.absorb(extract::facts(words, self.env.today));
        if !reading.matters.is_empty() {
            self.state.last_matter = Some(words.to_owned());
        }
        let reply = reading.reply.as_ref().filter(|_| reading.threat).map_or_else(
            || Reply::say("您的急我听到了，先别冲动，事情可以一件一件解决。如果您或身边的人有危险，请马上拨打 110 或 120。我现在就请工作人员来跟您谈。"),
            answer_reply,
        );
        self.say(reply);
        self.queue(HandoffReason::Risk);
    }

    // ---- a person --------------------------------------------------------------------------------------

    pub(super) fn human(&mut self, reason: HandoffReason) {
        self.step("human");
        if !self.env.knowledge.is_open(self.env.now) {
            self.after_hours();
            return;
        }
        if self.state.handoffs >= MAX_HANDOFFS && reason != HandoffReason::Risk {
            // The third return to the queue helps nobody: leave something that somebody must answer.
            self.state.awaiting = Awaiting::CaseOffer;
            self.say(
                Reply::say("这次对话已经多次转接。为了不让您再等，建议登记成诉求件，有编号、有承办单位、有时限，工作人员必须答复。")
                    .with_buttons(["帮我登记", "查进度"]),
            );
            return;
        }
        self.queue(reason);
    }

    /// Puts the conversation into the queue; the message ends the turn.
    pub(super) fn queue(&mut self, reason: HandoffReason) {
        self.state.mode = ConversationState::Queued;
        self.state.handoffs = self.state.handoffs.saturating_add(1);
        self.state.queue_notice = false;
        self.state.clarify_rounds = 0;
        if self.state.form.is_none() {
            self.state.awaiting = Awaiting::Nothing;
        }
        let note = self.state.last_matter.as_deref().map_or_else(
            || reason.label().to_owned(),
            |matter| format!("{}：{}", reason.label(), super::demand::shorten(&super::demand::core(matter), 60)),
        );
        self.effects.push(Effect::RequestHuman { reason, note });
        self.say_queue_position();
    }

    pub(super) fn say_queue_position(&mut self) {
        let open = self.env.knowledge.is_open(self.env.now);
        let text = if self.env.channel == Channel::WechatKf {
            // The people of the platform may take it: their queue is not ours.
            "已为您转人工，请稍候，工作人员接入后直接在这里回复您。等待时可以继续补充情况。".to_owned()
        } else if !open {
            "已转给值班人员，请保持在线，也可以继续补充情况。".to_owned()
        } else if self.env.queue_ahead == 0 {
            "已为您转人工，您排在第一位，工作人员会尽快接入。等待时可以继续补充情况。".to_owned()
        } else {
            format!(
                "已为您转人工，前面还有 {} 位，请稍候。等待时可以继续补充情况；回复“取消排队”可回到机器人应答。",
                self.env.queue_ahead
            )
        };
        self.say(Reply::event(text));
    }

    /// Outside office hours: say when people work, and leave a case instead of an empty queue.
    pub(super) fn after_hours(&mut self) {
        let when = self
            .env
            .knowledge
            .next_open(self.env.now)
            .map_or_else(|| "下一个工作日".to_owned(), |at| self.env.knowledge.in_words(at));
        self.state.callback_promised = true;
        if self.state.form.is_some() {
            self.show_form(&format!(
                "现在不在人工服务时间，工作人员 {when} 上班。登记单提交后，工作人员上班就会联系您。"
            ));
            return;
        }
        let Some(matter) = self.state.last_matter.clone() else {
            self.state.awaiting = Awaiting::Matter { hint: Some(CaseType::Coordination) };
            self.say(Reply::say(format!(
                "现在不在人工服务时间，工作人员 {when} 上班。请先说说是什么事，我帮您登记，提交后工作人员上班就会联系您。"
            )));
            return;
        };
        let reading = self.read(&matter);
        self.open_form(
            reading.matters,
            &matter,
            None,
            &format!(
                "现在不在人工服务时间，工作人员 {when} 上班。我先帮您把事情登记下来，提交后工作人员上班就会联系您。"
            ),
        );
    }
}

/// A rule's answer as a reply.
pub(super) fn answer_reply(answer: &AnswerText) -> Reply {
    Reply {
        citations: answer.citations.iter().map(Citation::clone).collect(),
        rule_id: Some(answer.rule_id.clone()),
        rule_version: Some(answer.version.clone()),
        awaiting_recheck: answer.awaiting_recheck,
        quick_replies: answer.quick_replies.iter().map(QuickReply::same).collect(),
        ..Reply::say(answer.text.clone())
    }
}

/// A matter that no rule has said anything about.
pub(super) fn is_unknown(matter: &ReadingMatter) -> bool {
    !matter.named
        && matter.rules.is_empty()
        && matter.answer.is_none()
        && matter.expired.is_none()
        && !matter.needs_region
}

pub(super) fn plain_matter(text: &str, case_type: CaseType) -> ReadingMatter {
    ReadingMatter {
        text: text.to_owned(),
        case_type,
        topic: None,
        named: false,
        topics: Vec::new(),
        urgency: Urgency::Normal,
        confidence: 0.3,
        rules: Vec::new(),
        answer: None,
        clarify: Vec::new(),
        expired: None,
        needs_region: false,
        sensitive: false,
        objects: Vec::new(),
        undecided: Undecided { case_type: true, topic: true },
    }
}
