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

/// The topic of somebody's conduct.
const CONDUCT: &str = "CONDUCT";

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
    "收了我",
    "收了他",
    "收我",
    "收钱",
    "收了钱",
    "拿了我",
    "拿我",
    "拿了钱",
    "给了他",
    "给他钱",
    "给她钱",
    "塞给",
    "塞了",
    "送礼",
    "送了",
    "红包",
    "好处",
    "打点",
    "条烟",
    "包烟",
    "茅台",
    "请吃",
    "请客",
    "支付宝",
    "微信转",
    "转账给",
    "私人账户",
    "打麻将",
    "打牌",
    "喝酒",
    "骂我",
    "骂了",
    "滚",
    "吼",
    "冲我",
    "推搡",
    "动手",
    "截留",
    "挪用",
    "克扣",
    "侵吞",
    "偷排",
    "直排",
    "暗箱",
    "内定",
    "围标",
    "串标",
    "陪标",
    "机密",
    "保密",
    "泄露",
    "拖欠",
    "欠我",
    "欠薪",
    "欠着",
    "不发工资",
    "别让他知道",
    "不要让他知道",
    "别说是我",
    "才给我办",
    "才给办",
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
        && !matters.iter().flat_map(|m| &m.topics).any(|topic| topic.topic == CONDUCT)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_did_is_for_people_also_beside_a_question() {
        for words in [
            "贴息怎么申请？窗口的小李收了我两条烟。",
            "办事员说要给他2000块才给我办，贴息怎么申请",
            "领导让我转他支付宝三千，这合规吗",
            "那个管事的拿了我一箱茅台，许可证怎么续",
            "窗口工作人员骂我，贴息的条件是什么",
            "扶持资金被他们截留了，标准是多少",
            "隔壁厂偷排污水，排污许可怎么办",
            "这文件是机密的，标准是什么",
        ] {
            assert!(tells_of_conduct(words), "{words}");
        }
        for words in [
            "小微贷款贴息的标准和申请办法怎么规定的",
            "新来的员工还在试用，什么时候给他上社保",
            "许可证到期前多久申请延续",
        ] {
            assert!(!tells_of_conduct(words), "{words}");
        }
    }
}
