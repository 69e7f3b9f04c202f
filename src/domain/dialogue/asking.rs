//! The rung between rules and clarification, where there is a model: a question that no rule answers, with answers
//! near it that can be its sources. The turn only notes the question; what comes back is one more turn, fenced by its
//! ticket. When it is no answer, the ladder goes on as if there were no model.
//!
//! Never asked: anything that is more than a question, is sensitive or pressing, or tells of somebody's conduct.

use super::{
    Awaiting, Effect, GeneratedAnswer, Input, InputKind, LastAnswer, ReadingMatter, Reply,
    ladder::{Turn, is_unknown},
    words,
};
use crate::domain::kinds::{CaseType, Urgency};

/// The mark at the end of every generated text.
pub const GENERATED_LABEL: &str = "AI 生成，仅供参考，以政策原文为准";

/// Shorter messages are asked back about, longer ones tell a story: in characters that are letters or digits.
const QUESTION_CHARS: std::ops::RangeInclusive<usize> = 4..=200;

/// Words that make a message of unknown kind a question.
const ASKS: &[&str] = &[
    "?",
    "？",
    "吗",
    "呢",
    "么",
    "怎",
    "如何",
    "哪",
    "多少",
    "多久",
    "多长",
    "几",
    "是否",
    "能不能",
    "可不可以",
    "要不要",
    "可以",
    "条件",
    "材料",
    "流程",
    "标准",
    "政策",
    "规定",
    "要求",
    "请问",
    "咨询",
    "想问",
    "想了解",
    "啥",
    "谁",
    "什么",
];

/// Words of somebody's conduct, of complaints and reports: such a message is for people, whatever else it says.
const NEVER: &[&str] = &[
    "投诉",
    "举报",
    "索贿",
    "受贿",
    "行贿",
    "回扣",
    "好处费",
    "吃拿卡要",
    "刁难",
    "推诿",
    "不作为",
    "乱作为",
    "乱收费",
    "态度",
    "贪污",
    "徇私",
    "勒索",
    "威胁",
    "报复",
    "纪委",
    "监察",
    "检举",
    "实名",
    "包庇",
    "走后门",
    "关系户",
    "索要",
    "辱骂",
    "骂人",
];

/// What people say while they wait.
const PATIENCE: &[&str] = &[
    "",
    "在吗",
    "还在吗",
    "在不在",
    "你好",
    "您好",
    "好的",
    "好",
    "好吧",
    "嗯",
    "嗯嗯",
    "哦",
    "谢谢",
    "谢谢你",
    "快点",
    "快一点",
    "人呢",
    "有人吗",
    "等等",
    "稍等",
    "好了吗",
    "查到了吗",
    "查到没",
    "ok",
    "行",
    "行吧",
    "可以",
];

impl Turn<'_> {
    /// Notes a question for the model; `false` when it is none for it or there is no model.
    pub(super) fn ask_model(&mut self, matters: &[ReadingMatter], words: &str, hint: Option<CaseType>) -> bool {
        if self.model_refused || self.state.form.is_some() || self.state.risk || !is_for_a_model(matters, words, hint) {
            return false;
        }
        let region = self.region();
        let sources = self.env.knowledge.sources(words, self.env.channel, region.as_deref(), self.env.today);
        if sources.is_empty() {
            return false;
        }
        self.step("model");
        self.remember_matter(words);
        self.record.near = sources.into_iter().map(|source| source.rule_id).collect();
        self.state.tickets = self.state.tickets.saturating_add(1);
        let ticket = self.state.tickets;
        self.state.awaiting = Awaiting::Model { ticket, question: words.to_owned(), hint };
        self.effects.push(Effect::AskModel { ticket, question: words.to_owned() });
        self.say(Reply::say("正在查阅政策依据，请稍候……").with_buttons(["转人工"]));
        true
    }

    /// A word of courtesy or impatience does not take the place of the question.
    pub(super) fn waits_for_the_model(&mut self, words: &str) -> bool {
        if self.state.awaited_ticket().is_none() || !PATIENCE.contains(&words::bare(words).to_lowercase().as_str()) {
            return false;
        }
        self.step("model");
        self.say(Reply::event("还在查阅政策依据，请再稍候。").with_buttons(["转人工"]));
        true
    }

    /// The model is done with the question that is awaited.
    pub(super) fn model_done(&mut self, input: &Input) {
        let Awaiting::Model { question, hint, .. } = std::mem::take(&mut self.state.awaiting) else { return };
        match &input.kind {
            InputKind::ModelAnswered { answer, .. } => self.generated(answer, &question),
            InputKind::ModelRefused { .. } => {
                self.model_refused = true;
                let reading = self.read(&question);
                self.matters(&question, reading, hint);
            }
            InputKind::Text(_)
            | InputKind::QuickReply(_)
            | InputKind::FormSubmit { .. }
            | InputKind::Attachment { .. }
            | InputKind::Place { .. }
            | InputKind::Unreadable { .. }
            | InputKind::Handoff
            | InputKind::Feedback { .. }
            | InputKind::Proposed { .. }
            | InputKind::ProposalDecided { .. } => {}
        }
    }

    fn generated(&mut self, answer: &GeneratedAnswer, question: &str) {
        self.step("model");
        self.state.clarify_rounds = 0;
        self.record.rules.clone_from(&answer.rule_ids);
        let reply = Reply {
            citations: answer.citations.clone(),
            rule_version: Some(answer.version.clone()),
            generated: true,
            awaiting_recheck: answer.awaiting_recheck,
            ..Reply::say(format!("{}\n\n{GENERATED_LABEL}", answer.text.trim()))
        };
        self.say(reply.with_buttons(["没解决", "帮我登记", "转人工"]));
        self.state.last_answer = Some(LastAnswer {
            rule_id: answer.rule_ids.first().cloned().unwrap_or_default(),
            version: answer.version.clone(),
            topic: answer.topic.clone(),
            case_type: CaseType::Consultation,
            question: question.to_owned(),
            generated: true,
        });
    }

    /// Looked for and not found: a case or a person, no guess.
    pub(super) fn nothing_found(&mut self, words: &str) {
        self.step("case");
        self.remember_matter(words);
        self.unanswered(words);
        self.state.awaiting = Awaiting::CaseOffer;
        self.say(
            Reply::say("这个问题我没有查到有依据的现成答复，不乱说。可以帮您登记，由主管单位答复；也可以转人工。")
                .with_buttons(["帮我登记", "转人工"]),
        );
    }
}

/// Whether a model may be asked about this message at all.
fn is_for_a_model(matters: &[ReadingMatter], words: &str, hint: Option<CaseType>) -> bool {
    let asks = |matter: &ReadingMatter| {
        matter.case_type == CaseType::Consultation
            || (hint.is_none() && is_unknown(matter) && sounds_like_asking(words))
    };
    let told = hint == Some(CaseType::Consultation) || !matters.is_empty() || sounds_like_asking(words);
    told && hint.is_none_or(|kind| kind == CaseType::Consultation)
        && matters.iter().all(|m| asks(m) && !m.sensitive && m.urgency == Urgency::Normal && m.objects.is_empty())
        && QUESTION_CHARS.contains(&words.chars().filter(|c| c.is_alphanumeric()).count())
        && !tells_of_conduct(words)
}

/// Whether the words tell of somebody's conduct, complain or report.
pub fn tells_of_conduct(words: &str) -> bool {
    NEVER.iter().any(|word| words.contains(word))
}

fn sounds_like_asking(words: &str) -> bool {
    ASKS.iter().any(|word| words.contains(word))
}
