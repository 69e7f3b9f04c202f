//! The answer ladder: one step of the conversation, from the top rung (safety) to the last (a person).

use super::{
    AnswerText, Awaiting, CaseForm, Citation, ConversationState, DecisionRecord, DialogueState, Effect, HandoffReason,
    Input, InputKind, LastAnswer, MessageKind, QuickReply, Reading, ReadingMatter, Reply, TurnEnv, TurnOutcome,
    draft::AnsweredBefore,
    extract,
    words::{self, Own},
};
use crate::domain::kinds::{CaseType, Command, Diversion, Urgency};

/// Clarifications asked in a row before a person or a case is offered.
pub(super) const MAX_CLARIFICATIONS: u8 = 2;
/// Handoffs of one episode before a case is offered instead.
const MAX_HANDOFFS: u8 = 3;
/// Answers given to one message.
const MAX_ANSWERS: usize = 3;
/// A text of this many characters that no rule knows is a story, not noise.
const STORY_CHARS: usize = 20;
/// The four entries (DOMAIN A32).
pub(super) const ENTRIES: [&str; 4] = ["咨询政策", "反映问题", "提建议", "查进度"];

/// One turn being decided.
pub(super) struct Turn<'a> {
    pub(super) env: &'a TurnEnv<'a>,
    pub(super) state: DialogueState,
    pub(super) replies: Vec<Reply>,
    pub(super) effects: Vec<Effect>,
    pub(super) record: DecisionRecord,
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
        }
    }

    pub(super) fn run(mut self, input: &Input) -> TurnOutcome {
        match self.state.mode {
            ConversationState::Human => self.beside_a_person(input),
            ConversationState::Queued => self.in_the_queue(input),
            ConversationState::Closed => {
                self.open_again();
                self.with_the_bot(input);
            }
            ConversationState::Bot | ConversationState::Collecting => self.with_the_bot(input),
        }
        self.finish()
    }

    pub(super) fn finish(mut self) -> TurnOutcome {
        self.settle();
        TurnOutcome { state: self.state, replies: self.replies, effects: self.effects, record: self.record }
    }

    /// Keeps mode and form in step: a form in work means `collecting`.
    fn settle(&mut self) {
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

    fn read(&mut self, words: &str) -> Reading {
        let region = self.region();
        let reading = self.env.knowledge.read(words, self.env.channel, region.as_deref(), self.env.today);
        let record = &mut self.record;
        record.command = reading.command;
        record.diversion = reading.diversion;
        record.spans.clone_from(&reading.spans);
        record.near.clone_from(&reading.near);
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

    // ---- a person has it -------------------------------------------------------------------------------

    /// A person owns the conversation: the bot listens for danger and keeps facts, and says nothing.
    fn beside_a_person(&mut self, input: &Input) {
        if let InputKind::FormSubmit { fields, matters, confirm } = &input.kind
            && self.state.form.is_some()
        {
            self.form_card(fields, matters, *confirm);
            return;
        }
        self.listen(input);
    }

    /// Keeps what was told, without a word.
    fn listen(&mut self, input: &Input) {
        if let InputKind::Attachment { id, .. } = &input.kind {
            self.state.attachments.push(id.clone());
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
    fn in_the_queue(&mut self, input: &Input) {
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
            InputKind::Attachment { .. } | InputKind::FormSubmit { .. } | InputKind::Feedback { .. } => {
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
            self.say(Reply::event("已取消排队。").with_buttons(ENTRIES));
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
        if !self.env.knowledge.is_open(self.env.now) && !self.state.risk {
            // The office closed while the visitor waited: do not let it wait in vain.
            self.effects.push(Effect::LeaveQueue);
            self.state.mode = ConversationState::Bot;
            self.listen(input);
            self.human(HandoffReason::Asked);
            return;
        }
        self.listen(input);
        if !self.state.queue_notice {
            self.state.queue_notice = true;
            self.say(Reply::event("已收到，工作人员接入后会看到您发的全部内容。回复“取消排队”可以回到机器人应答。"));
        }
    }

    fn open_again(&mut self) {
        let old = std::mem::take(&mut self.state);
        // Context does not cross the boundary; who the enterprise is, its region and its cases do.
        self.state = DialogueState {
            mode: ConversationState::Bot,
            episode: old.episode.saturating_add(1),
            region: old.region,
            cases: old.cases,
            facts: super::Facts {
                enterprise: old.facts.enterprise,
                uscc: old.facts.uscc,
                contact_name: old.facts.contact_name,
                contact_phone: old.facts.contact_phone,
                contact_email: old.facts.contact_email,
                contact_wechat: old.facts.contact_wechat,
                ..super::Facts::default()
            },
            ..DialogueState::default()
        };
    }

    // ---- the bot has it --------------------------------------------------------------------------------

    fn with_the_bot(&mut self, input: &Input) {
        match &input.kind {
            InputKind::Text(words) | InputKind::QuickReply(words) => self.words(words),
            InputKind::FormSubmit { fields, matters, confirm } => self.form_card(fields, matters, *confirm),
            InputKind::Attachment { id, name, image } => self.attachment(id, name, *image),
            InputKind::Handoff => self.human(HandoffReason::Asked),
            InputKind::Feedback { helpful } => {
                if *helpful {
                    self.solved();
                } else {
                    self.unsolved();
                }
            }
        }
    }

    fn attachment(&mut self, id: &str, name: &str, image: bool) {
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

    fn words(&mut self, words: &str) {
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
        let own = words::own(words);
        if let Some(own) = own
            && self.own_command(own)
        {
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
        // 2. Commands told in a sentence.
        if self.command(words, &reading) {
            return;
        }
        // 3. The active form.
        if self.state.form.is_some() && self.form_words(words, &reading) {
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
            Awaiting::ProgressNumber => {
                if self.progress_number_told(words) {
                    return;
                }
            }
            Awaiting::Matter { hint: Some(hint) } => {
                self.matters(words, reading, Some(hint));
                return;
            }
            awaiting @ (Awaiting::Duplicate { .. } | Awaiting::Form) => self.state.awaiting = awaiting,
            Awaiting::Nothing | Awaiting::Matter { hint: None } | Awaiting::CaseOffer | Awaiting::CancelForm => {}
        }
        // 5. Rules, clarification, case.
        self.matters(words, reading, None);
    }

    // ---- safety ----------------------------------------------------------------------------------------

    pub(super) fn page(&mut self, code: Option<Diversion>, note: &str) {
        self.effects.push(Effect::PageDuty { code, note: note.to_owned() });
    }

    fn purge(&mut self) {
        self.step("safety");
        self.record.diversion = Some(Diversion::D4);
        self.effects.push(Effect::PurgeInput { replacement: "［疑似涉密内容，未保存］" });
        self.effects.push(Effect::Flag { flag: "secret" });
        self.page(Some(Diversion::D4), "来访者发送了带密级标志的内容，系统未保存");
    }

    fn say_secret(&mut self) {
        self.say(
            Reply::say(
                "请停止发送：这里是互联网平台，不能处理涉密内容。刚才那条带有密级标志，系统没有保存。涉密事项请通过机要渠道或当面向有关单位反映；不涉密的部分可以另外说明。",
            )
            .with_buttons(["转人工"]),
        );
    }

    /// D1: tell the number at once, page the duty person, stay in the chat.
    fn emergency(&mut self, reading: &Reading) {
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
        self.say(Reply::event("已通知值班人员。您可以继续在这里补充情况。").with_buttons(["转人工"]));
    }

    pub(super) fn flag_risk(&mut self) {
        if !self.state.risk {
            self.state.risk = true;
            self.effects.push(Effect::Flag { flag: "risk" });
        }
        self.page(None, "来访者的话带有极端或聚集苗头，请立即关注");
    }

    fn threat(&mut self, words: &str, reading: &Reading) {
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

    // ---- commands --------------------------------------------------------------------------------------

    /// A message that is nothing but a command. `false` when it means nothing here.
    fn own_command(&mut self, own: Own) -> bool {
        let has_form = self.state.form.is_some();
        let awaiting = self.state.awaiting.clone();
        match own {
            Own::Submit => self.submit(),
            Own::Human => self.human(HandoffReason::Asked),
            Own::LeaveQueue => return false,
            Own::Cancel => return self.cancel(),
            Own::Progress => self.progress(),
            Own::Entry(CaseType::Consultation | CaseType::Coordination | CaseType::Suggestion) if has_form => {
                return false;
            }
            Own::Entry(kind) => self.entry(kind),
            Own::Solved => return self.solved_if_asked(),
            Own::Unsolved => self.unsolved(),
            Own::AddToCase => {
                let Awaiting::Duplicate { number } = awaiting else { return false };
                self.add_to_case(number);
            }
            Own::FileAnother => {
                if !matches!(awaiting, Awaiting::Duplicate { .. }) {
                    return false;
                }
                self.file_another();
            }
            Own::FileForMe => self.file_for_me(),
            Own::KeepForm => {
                if !has_form {
                    return false;
                }
                self.state.awaiting = Awaiting::Form;
                self.show_form("登记单还在，请接着填。");
            }
            Own::Anonymous => {
                if !has_form {
                    return false;
                }
                self.stay_anonymous();
            }
            Own::Yes => match awaiting {
                Awaiting::CaseOffer => self.file_for_me(),
                Awaiting::CancelForm => self.drop_form(),
                Awaiting::Form => self.show_form("内容没有问题的话，请回复“提交”。没有提交前不会登记。"),
                Awaiting::Nothing
                | Awaiting::Region { .. }
                | Awaiting::Choice { .. }
                | Awaiting::Matter { .. }
                | Awaiting::Duplicate { .. }
                | Awaiting::ProgressNumber => return false,
            },
            Own::No => match awaiting {
                Awaiting::CaseOffer => {
                    self.step("command");
                    self.state.awaiting = Awaiting::Nothing;
                    self.say(Reply::say("好的，先不登记。还有别的事可以直接说。").with_buttons(["转人工"]));
                }
                Awaiting::CancelForm => {
                    self.state.awaiting = Awaiting::Form;
                    self.show_form("好的，登记单保留着。");
                }
                Awaiting::Nothing
                | Awaiting::Region { .. }
                | Awaiting::Choice { .. }
                | Awaiting::Matter { .. }
                | Awaiting::Duplicate { .. }
                | Awaiting::ProgressNumber
                | Awaiting::Form => return false,
            },
        }
        true
    }

    /// A command the rules found in a sentence. `false` when the sentence is better read as a matter.
    fn command(&mut self, words: &str, reading: &Reading) -> bool {
        let Some(command) = reading.command else { return false };
        let tells_a_matter = reading.matters.iter().any(|m| m.answer.is_some() || m.topic.is_some());
        match command {
            Command::Human => {
                if tells_a_matter {
                    self.remember_matter(words);
                }
                self.human(HandoffReason::Asked);
                true
            }
            Command::Progress => {
                let numbers = super::progress_numbers(words);
                if tells_a_matter
                    && numbers.is_empty()
                    && self.state.cases.is_empty()
                    && reading.matters.iter().any(|m| m.answer.is_some())
                {
                    return false;
                }
                self.progress();
                true
            }
            Command::Cancel => self.state.form.is_some() && !tells_a_matter && self.cancel(),
            Command::Correct => self.state.form.is_some() && self.form_words(words, reading),
            Command::Unsolved => {
                if self.state.last_answer.is_none() && (tells_a_matter || self.state.last_matter.is_none()) {
                    return false;
                }
                self.unsolved();
                true
            }
            Command::Rate => {
                if tells_a_matter {
                    return false;
                }
                self.rate();
                true
            }
            // Only the word 提交 files; a sentence that agrees is asked for it.
            Command::Confirm => {
                if self.state.form.is_some() && !tells_a_matter {
                    self.show_form("内容没有问题的话，请回复“提交”。没有提交前不会登记。");
                    return true;
                }
                if self.state.awaiting == Awaiting::CaseOffer && !tells_a_matter {
                    self.file_for_me();
                    return true;
                }
                false
            }
        }
    }

    fn rate(&mut self) {
        self.step("command");
        let text = if self.state.cases.is_empty() {
            "谢谢您愿意评价。这次的答复对您有帮助吗？办件的评价请在“查进度”页面凭编号和查询码提交。"
        } else {
            "办件答复后，您可以在“查进度”页面凭编号和查询码确认是否解决并评价。对机器人刚才的答复，您觉得："
        };
        self.say(Reply::say(text).with_buttons(["解决了", "没解决", "查进度"]));
    }

    fn entry(&mut self, kind: CaseType) {
        self.step("command");
        self.state.awaiting = Awaiting::Matter { hint: Some(kind) };
        self.state.clarify_rounds = 0;
        let text = match kind {
            CaseType::Consultation => {
                "好的。请直接说您想了解的政策或事项，比如“稳岗返还怎么申请”“简易注销要公示多久”。"
            }
            CaseType::Suggestion => "谢谢您提建议。请说说针对哪件事、希望怎样改进。",
            CaseType::Coordination
            | CaseType::Help
            | CaseType::Complaint
            | CaseType::Report
            | CaseType::Stuck
            | CaseType::Arrears
            | CaseType::Conduct
            | CaseType::Risk
            | CaseType::Praise
            | CaseType::RatingReview
            | CaseType::ServiceOrder => {
                "请用一两句话说说：什么事、涉及哪个单位、什么时候的事、希望怎么解决。说不全也没关系。"
            }
        };
        self.say(Reply::say(text).with_buttons(["转人工"]));
    }

    fn solved_if_asked(&mut self) -> bool {
        if self.state.last_answer.is_none() && self.state.form.is_some() {
            return false;
        }
        self.solved();
        true
    }

    fn solved(&mut self) {
        self.step("command");
        self.effects.push(Effect::Feedback {
            rule_id: self.state.last_answer.as_ref().map(|a| a.rule_id.clone()),
            helpful: true,
        });
        self.state.clarify_rounds = 0;
        self.state.awaiting = Awaiting::Nothing;
        self.say(Reply::say("好的，很高兴帮上忙。还有别的事可以接着问。"));
    }

    /// 没解决 (T10): becomes a case without retyping.
    fn unsolved(&mut self) {
        if self.state.form.is_some() {
            self.show_form("登记单还没提交。提交后由工作人员办理；也可以转人工。");
            return;
        }
        let answered = self.state.last_answer.take();
        if let Some(answer) = &answered {
            self.effects.push(Effect::Feedback { rule_id: Some(answer.rule_id.clone()), helpful: false });
        }
        let Some(question) = answered.as_ref().map(|a| a.question.clone()).or_else(|| self.state.last_matter.clone())
        else {
            self.step("clarify");
            self.state.awaiting = Awaiting::Matter { hint: Some(CaseType::Coordination) };
            self.say(
                Reply::say("请用一两句话说说是什么事没有解决，我来帮您登记，由工作人员办理。")
                    .with_buttons(["查进度", "转人工"]),
            );
            return;
        };
        let reading = self.read(&question);
        let before = answered.map(|a| AnsweredBefore { rule_id: a.rule_id, version: a.version });
        self.open_form(reading.matters, &question, before, "抱歉没能解决。我把您刚才说的整理成登记单，不用重新输入。");
    }

    /// 帮我登记: a case about the last matter.
    fn file_for_me(&mut self) {
        if self.state.form.is_some() {
            self.show_form("登记单已经拟好。");
            return;
        }
        let Some(question) = self.state.last_matter.clone() else {
            self.entry(CaseType::Coordination);
            return;
        };
        let reading = self.read(&question);
        let before = self
            .state
            .last_answer
            .as_ref()
            .filter(|a| a.question == question)
            .map(|a| AnsweredBefore { rule_id: a.rule_id.clone(), version: a.version.clone() });
        self.open_form(reading.matters, &question, before, "好的，我把您说的整理成登记单。");
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
    fn queue(&mut self, reason: HandoffReason) {
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

    fn say_queue_position(&mut self) {
        let open = self.env.knowledge.is_open(self.env.now);
        let text = if !open {
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
    fn after_hours(&mut self) {
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

    // ---- rules -----------------------------------------------------------------------------------------

    pub(super) fn remember_matter(&mut self, words: &str) {
        self.state.last_matter = Some(words.to_owned());
        self.state.facts.absorb(extract::facts(words, self.env.today));
    }

    fn matters(&mut self, words: &str, reading: Reading, hint: Option<CaseType>) {
        let answered = reading.matters.iter().any(|m| m.answer.is_some());
        if let Some(diversion) = reading.diversion
            && !answered
            && self.divert(diversion, words, &reading, hint)
        {
            return;
        }
        if let Some(trigger) = self.rule_form(words) {
            self.open_form(trigger.0, &trigger.1, None, "好的，请补充几项，工作人员据此核对后答复您。");
            return;
        }
        let mut matters = reading.matters;
        if matters.is_empty() {
            match hint {
                Some(kind) => matters.push(plain_matter(words, kind)),
                None => {
                    self.unclear(words);
                    return;
                }
            }
        }
        if let Some(kind) = hint {
            for matter in matters.iter_mut().filter(|m| is_unknown(m)) {
                matter.case_type = kind;
                matter.confidence = matter.confidence.max(0.3);
            }
        }
        self.state.smalltalk = 0;

        let mut asked_region = false;
        let mut to_file = Vec::new();
        let mut given = 0;
        for matter in &matters {
            if let Some(answer) = matter.answer.as_ref().filter(|_| !matter.needs_region && given < MAX_ANSWERS) {
                self.answer(answer, matter, words);
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
        if !to_file.is_empty() {
            self.remember_matter(words);
            self.no_answer_but_a_matter(to_file, words);
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

    /// No rule answers, but type or topic is known: a case, drafted at once.
    fn no_answer_but_a_matter(&mut self, to_file: Vec<ReadingMatter>, words: &str) {
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

    fn answer(&mut self, answer: &AnswerText, matter: &ReadingMatter, words: &str) {
        let mut reply = answer_reply(answer);
        if let Some(region) = &answer.region {
            reply.text = format!("{}\n（以上适用于{region}）", reply.text.trim_end());
        }
        self.say(reply);
        self.state.last_answer = Some(LastAnswer {
            rule_id: answer.rule_id.clone(),
            version: answer.version.clone(),
            topic: answer.topic.clone().or_else(|| matter.topic.clone()),
            case_type: matter.case_type,
            question: words.to_owned(),
        });
    }

    /// Buttons after the answers; the matters that no rule answers go on a form.
    fn after_answers(&mut self, matters: &[ReadingMatter], to_file: Vec<ReadingMatter>, words: &str) {
        let to_file: Vec<ReadingMatter> =
            to_file.into_iter().filter(|m| m.case_type != CaseType::Consultation || m.topic.is_some()).collect();
        if !to_file.is_empty() {
            let lead = format!("另外还有 {} 件事需要有人办理，我整理成登记单。", to_file.len());
            self.open_form(to_file, words, None, &lead);
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

    /// A tapped button that opens the last rule's own form.
    fn rule_form(&mut self, words: &str) -> Option<(Vec<ReadingMatter>, String)> {
        let last = self.state.last_answer.clone()?;
        let region = self.region();
        let answer = self.env.knowledge.answer(&last.rule_id, self.env.channel, region.as_deref(), self.env.today)?;
        if answer.form_trigger.as_deref().map(words::bare) != Some(words::bare(words)) {
            return None;
        }
        let mut matter = plain_matter(&last.question, last.case_type);
        matter.topic = last.topic;
        matter.rules = vec![last.rule_id];
        Some((vec![matter], format!("{}\n{words}", last.question)))
    }

    fn expired(&mut self, rule_id: &str, words: &str) {
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

    fn titles(&self, matters: &[ReadingMatter]) -> Option<Vec<(String, String)>> {
        let consulting = matters.iter().all(|m| m.case_type == CaseType::Consultation || is_unknown(m));
        let mut options: Vec<(String, String)> = Vec::new();
        for option in matters.iter().flat_map(|m| m.clarify.iter()) {
            if !options.iter().any(|o| o.0 == option.0) {
                options.push(option.clone());
            }
        }
        options.truncate(4);
        (consulting && !options.is_empty() && self.state.clarify_rounds < MAX_CLARIFICATIONS).then_some(options)
    }

    fn choose(&mut self, options: Vec<(String, String)>, words: &str) {
        self.step("clarify");
        self.state.clarify_rounds += 1;
        let mut text = "您想问的是哪一个？".to_owned();
        for (index, (_, title)) in options.iter().enumerate() {
            text.push_str(&format!("\n{}. {title}", index + 1));
        }
        self.record.near = options.iter().map(|o| o.0.clone()).collect();
        let reply =
            Reply::say(text).with_buttons(options.iter().map(|o| o.1.clone())).with_buttons(["都不是", "转人工"]);
        self.state.awaiting = Awaiting::Choice { options, question: words.to_owned() };
        self.say(reply);
    }

    fn choice_told(&mut self, words: &str, options: &[(String, String)], question: &str) -> bool {
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
    fn unclear(&mut self, words: &str) {
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

    fn ask_region(&mut self, words: &str) {
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

    fn region_told(&mut self, words: &str, question: &str) -> bool {
        let bare = words::bare(words);
        let regions = self.env.knowledge.regions();
        let short = |name: &str| name.trim_end_matches(['省', '市', '县', '区']).to_owned();
        let found = regions
            .iter()
            .filter(|(code, name)| bare == *code || bare.contains(&short(name)))
            .max_by_key(|(_, name)| name.chars().count());
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
        self.state.region = Some(code.clone());
        let name = name.clone();
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
    fn divert(&mut self, diversion: Diversion, words: &str, reading: &Reading, hint: Option<CaseType>) -> bool {
        let has_matter = reading.matters.iter().any(|m| !is_unknown(m));
        match diversion {
            Diversion::Smalltalk => {
                if has_matter || hint.is_some() {
                    return false;
                }
                self.smalltalk(reading);
                true
            }
            Diversion::Unclear => {
                if has_matter || hint.is_some() {
                    return false;
                }
                self.unclear(words);
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

    fn smalltalk(&mut self, reading: &Reading) {
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

    // ---- progress --------------------------------------------------------------------------------------

    fn progress(&mut self) {
        self.step("command");
        if !self.env.progress.is_empty() {
            self.show_progress();
            return;
        }
        self.state.awaiting = Awaiting::ProgressNumber;
        self.say(
            Reply::say("请发来编号和查询码，一条消息里一起发（登记成功时给您的：编号以 ZT 开头，查询码 10 位）。")
                .with_buttons(["转人工"]),
        );
    }

    /// Whether the words carry a number; the lookup was made before the turn.
    fn progress_number_told(&mut self, words: &str) -> bool {
        if !self.env.progress.is_empty() {
            self.show_progress();
            return true;
        }
        if !super::progress_numbers(words).is_empty()
            || words::bare(words).chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        {
            self.step("command");
            self.state.awaiting = Awaiting::ProgressNumber;
            self.say(
                Reply::say("没有查到。编号和查询码要同时对上，请核对后再发一次；记不清可以转人工核实。")
                    .with_buttons(["转人工"]),
            );
            return true;
        }
        false
    }

    fn show_progress(&mut self) {
        self.step("command");
        self.state.awaiting = if self.state.form.is_some() { Awaiting::Form } else { Awaiting::Nothing };
        let cases = self.env.progress.to_vec();
        let lines: Vec<String> = cases
            .iter()
            .map(|c| {
                let holder = c.holder.as_deref().map(|h| format!("，{h}")).unwrap_or_default();
                let due = c.due_text.as_deref().map(|d| format!("，{d}")).unwrap_or_default();
                format!("{}（{}）：{}{holder}{due}", c.number, c.title, c.status_label)
            })
            .collect();
        let rate = cases.iter().any(|c| c.awaits_rating);
        let mut reply = Reply {
            kind: MessageKind::Card,
            card: Some(super::Card::Progress { cases }),
            ..Reply::say(lines.join("\n"))
        };
        if rate {
            reply.text.push_str("\n答复已送达，请在“查进度”页面确认是否解决并评价。");
        }
        self.say(reply.with_buttons(["转人工"]));
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
        for matter in &matters {
            form.add_matter(matter, region.as_deref(), self.env.knowledge);
        }
        self.state.facts.absorb(extract::facts(original, self.env.today));
        form.take_facts(&self.state.facts, false);
        self.state.last_matter = Some(original.to_owned());
        self.state.clarify_rounds = 0;
        self.state.form = Some(form);
        self.state.awaiting = Awaiting::Form;
        self.ask_for_missing(lead);
        if matters.iter().any(|m| m.urgency != Urgency::Normal)
            && let Some(last) = self.replies.last_mut()
        {
            last.text.push_str("\n情况紧急可以随时回复“转人工”。");
        }
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
fn is_unknown(matter: &ReadingMatter) -> bool {
    matter.topic.is_none()
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
    }
}
