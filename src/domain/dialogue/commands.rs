//! Orders to the bot: one-word commands, commands inside a sentence, the four entries, marks on an answer, progress.

use super::{
    Awaiting, Effect, HandoffReason, LastAnswer, MessageKind, Reading, Reply, case_words,
    draft::AnsweredBefore,
    ladder::Turn,
    words::{self, Own},
};
use crate::domain::kinds::{CaseType, Command};

/// A message of this many characters that takes back is about what is going on.
const BRIEF_CHARS: usize = 8;

impl Turn<'_> {
    // ---- commands --------------------------------------------------------------------------------------

    /// A message that is nothing but a command. `false` when it means nothing here.
    pub(super) fn own_command(&mut self, own: Own) -> bool {
        let has_form = self.state.form.is_some();
        let awaiting = self.state.awaiting.clone();
        match own {
            Own::Submit => self.submit(),
            Own::Human => self.human(HandoffReason::Asked),
            Own::LeaveQueue => self.nothing_to_leave(),
            Own::Cancel => {
                if !self.cancel() && !self.offer_to_withdraw("要撤回吗？撤回后就不再办理", None) {
                    self.nothing_to_leave();
                }
            }
            Own::Progress => self.progress(),
            Own::Entry(CaseType::Consultation | CaseType::Coordination | CaseType::Suggestion) if has_form => {
                return false;
            }
            Own::Entry(kind) => self.entry(kind),
            Own::Solved => return self.solved_if_asked(),
            Own::Unsolved => self.unsolved(),
            Own::AddToCase => {
                if let Awaiting::Duplicate { number, matters } = awaiting {
                    self.add_to_case(&number, &matters);
                } else {
                    return self.add_to_running_case();
                }
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
            Own::Later => {
                if !has_form {
                    return false;
                }
                self.show_form("好的，登记单给您留着，没有提交前不会登记。想接着填就回复“继续填写”。");
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
                | Awaiting::ProgressNumber { .. }
                | Awaiting::Addition { .. }
                | Awaiting::Model { .. } => return false,
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
                | Awaiting::ProgressNumber { .. }
                | Awaiting::Addition { .. }
                | Awaiting::Model { .. }
                | Awaiting::Form => return false,
            },
        }
        true
    }

    /// 取消排队, 退出, and nothing is going on.
    fn nothing_to_leave(&mut self) {
        self.step("command");
        if self.state.form.is_some() {
            self.show_form("现在没有在排队。登记单还在，请接着填。");
            return;
        }
        self.state.clarify_rounds = 0;
        self.state.awaiting = Awaiting::Nothing;
        self.say(
            Reply::say("好的，现在没有在排队，也没有进行中的登记。有事随时说。").with_buttons(super::ladder::ENTRIES),
        );
    }

    /// 加到原来那件: what stands on the form goes to the case in work, or what is to be added is asked for.
    fn add_to_running_case(&mut self) -> bool {
        let Some(case) = self.env.progress.iter().find(|case| case.is_open).cloned() else { return false };
        if self.state.form.is_some() {
            self.add_to_case(&case.number, &[]);
        } else {
            self.ask_what_to_add(&case.number, &case.title);
        }
        true
    }

    /// 否, 继续填写, 补充到这件, and nothing was asked.
    pub(super) fn answers_nothing(&mut self, own: Own, reading: &Reading) -> bool {
        let words = matches!(own, Own::Yes | Own::No | Own::AddToCase | Own::FileAnother | Own::KeepForm | Own::Later);
        let idle = self.state.form.is_none() && self.state.awaiting == Awaiting::Nothing;
        let said = reading.diversion.is_some() || reading.matters.iter().any(|m| m.answer.is_some());
        if !words || !idle || said {
            return false;
        }
        self.step("clarify");
        let reply = Reply::say("好的。要办什么事，直接说一句就行。");
        self.say(reply.with_buttons(super::ladder::ENTRIES).with_buttons(["转人工"]));
        true
    }

    /// A command the rules found in a sentence. `false` when the sentence is better read as a matter.
    pub(super) fn command(&mut self, words: &str, reading: &Reading) -> bool {
        let Some(command) = reading.command else { return false };
        let tells_a_matter = reading.matters.iter().any(|m| m.answer.is_some() || m.named);
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
            Command::Cancel => {
                let brief = words.chars().count() <= BRIEF_CHARS;
                let may = !tells_a_matter && (self.state.form.is_some() || brief);
                may && (self.cancel() || self.offer_to_withdraw("要撤回吗？撤回后就不再办理", None))
            }
            Command::Correct => self.state.form.is_some() && self.form_words(words, reading),
            Command::Unsolved => {
                if self.state.last_answer.is_none() && (tells_a_matter || self.state.last_matter.is_none()) {
                    return false;
                }
                self.unsolved();
                true
            }
            Command::Rate => {
                // 评价 alone is also a word of some matters.
                if tells_a_matter && words.chars().count() > 4 {
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

    pub(super) fn rate(&mut self) {
        self.step("command");
        let text = if self.state.cases.is_empty() {
            "谢谢您愿意评价。这次的答复对您有帮助吗？要评价办件，请发来“评价”和编号、查询码。"
        } else {
            "办件答复后，在这里回复“已解决”“没有解决”或“满意”“不满意”，就可以确认和评价。对机器人刚才的答复，您觉得："
        };
        self.say(Reply::say(text).with_buttons(["解决了", "没解决", "查进度"]));
    }

    pub(super) fn entry(&mut self, kind: CaseType) {
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

    pub(super) fn solved_if_asked(&mut self) -> bool {
        if self.state.last_answer.is_none() && self.state.form.is_some() {
            return false;
        }
        self.solved();
        true
    }

    pub(super) fn solved(&mut self) {
        self.step("command");
        self.effects
            .push(Effect::Feedback { rule_id: self.state.last_answer.as_ref().map(LastAnswer::source), helpful: true });
        self.state.clarify_rounds = 0;
        self.state.awaiting = Awaiting::Nothing;
        self.say(Reply::say("好的，很高兴帮上忙。还有别的事可以接着问。"));
    }

    /// 没解决 (T10): becomes a case without retyping.
    pub(super) fn unsolved(&mut self) {
        if self.state.form.is_some() {
            self.show_form("登记单还没提交。提交后由工作人员办理；也可以转人工。");
            return;
        }
        let answered = self.state.last_answer.take();
        if let Some(answer) = &answered {
            self.effects.push(Effect::Feedback { rule_id: Some(answer.source()), helpful: false });
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
        let before = answered.map(|a| AnsweredBefore { rule_id: a.source(), version: a.version });
        self.open_form(reading.matters, &question, before, "抱歉没能解决。我把您刚才说的整理成登记单，不用重新输入。");
    }

    /// 帮我登记: a case about the last matter.
    pub(super) fn file_for_me(&mut self) {
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
            .map(|a| AnsweredBefore { rule_id: a.source(), version: a.version.clone() });
        self.open_form(reading.matters, &question, before, "好的，我把您说的整理成登记单。");
    }

    // ---- progress --------------------------------------------------------------------------------------

    pub(super) fn progress(&mut self) {
        self.step("command");
        if !self.env.progress.is_empty() {
            self.show_progress();
            return;
        }
        self.state.awaiting = Awaiting::ProgressNumber { number: String::new() };
        self.say(
            Reply::say("请发来编号和查询码，分开发也可以（登记成功时给您的：编号以 ZT 开头，查询码 10 位）。")
                .with_buttons(["转人工"]),
        );
    }

    /// A message that is a case number, with or without its code and a few words. `false` for anything longer.
    pub(super) fn number_told(&mut self, words: &str) -> bool {
        let numbers = super::progress_numbers(words);
        let Some((number, code)) = numbers.first() else { return self.mistyped_number(words) };
        if !self.env.progress.is_empty() {
            self.show_progress();
            return true;
        }
        let rest = words.chars().count().saturating_sub(number.chars().count() + code.chars().count());
        if rest > 16 {
            return false;
        }
        if code.is_empty() {
            self.step("command");
            self.state.awaiting = Awaiting::ProgressNumber { number: number.clone() };
            self.say(Reply::say(format!("查 {number} 还要 10 位查询码，请发来。")).with_buttons(["转人工"]));
            return true;
        }
        self.progress_number_told(words)
    }

    /// ZT and figures, but no number of ours: nobody tells a matter like that.
    fn mistyped_number(&mut self, words: &str) -> bool {
        let bare = words::bare(words).to_ascii_uppercase();
        let figures = bare.strip_prefix("ZT");
        if !figures.is_some_and(|rest| rest.len() >= 4 && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')) {
            return false;
        }
        self.step("command");
        if self.state.form.is_none() {
            self.state.awaiting = Awaiting::ProgressNumber { number: String::new() };
        }
        self.say(
            Reply::say("这个编号不完整。编号是 ZT 加 8 位日期再加一串数字，登记成功时和 10 位查询码一起给您的；请核对后再发一次，记不清可以转人工核实。")
                .with_buttons(["转人工"]),
        );
        true
    }

    /// Whether the words carry a number; the lookup was made before the turn.
    pub(super) fn progress_number_told(&mut self, words: &str) -> bool {
        if !self.env.progress.is_empty() {
            self.show_progress();
            return true;
        }
        if !super::progress_numbers(words).is_empty()
            || words::bare(words).chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        {
            self.step("command");
            // The number stays: mostly it is the code that was mistyped.
            let told = super::progress_numbers(words).into_iter().next().map(|(number, _)| number);
            let number = told.unwrap_or_else(|| self.state.awaited_number().to_owned());
            self.state.awaiting = Awaiting::ProgressNumber { number };
            self.say(
                Reply::say("没有查到。编号和查询码要同时对上，请核对后再发一次；记不清可以转人工核实。")
                    .with_buttons(["转人工"]),
            );
            return true;
        }
        false
    }

    pub(super) fn show_progress(&mut self) {
        self.step("command");
        self.state.awaiting = if self.state.form.is_some() { Awaiting::Form } else { Awaiting::Nothing };
        let cases = self.env.progress.to_vec();
        // Number and code were told, or they are its own already: from now on it need not tell them again.
        for case in &cases {
            self.state.knows_case(&case.number);
        }
        let lines: Vec<String> = cases
            .iter()
            .map(|c| {
                let holder = c.holder.as_deref().map(|h| format!("，{h}")).unwrap_or_default();
                let due = c.due_text.as_deref().map(|d| format!("，{d}")).unwrap_or_default();
                format!("{}（{}）：{}{holder}{due}", c.number, c.title, c.status_label)
            })
            .collect();
        let confirm = cases.iter().any(|c| c.may_confirm);
        let buttons = case_words::progress_buttons(&cases);
        let mut reply = Reply {
            kind: MessageKind::Card,
            card: Some(super::Card::Progress { cases }),
            quick_replies: buttons,
            ..Reply::say(lines.join("\n"))
        };
        if confirm {
            reply.text.push_str("\n答复已送达，请确认是否解决并评价。");
        }
        self.say(reply.with_buttons(["转人工"]));
    }
}
