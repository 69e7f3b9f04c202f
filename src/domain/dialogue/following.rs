//! What is said right after an answer and cannot be understood without it: a place, 那要多久, 对方是央企, 不想留名字.
//!
//! It never files anything and never answers by itself: it only puts the last question and the new words together and
//! lets the ladder read them again.

use super::{
    Awaiting, LastAnswer, Reading, ReadingMatter, Reply,
    answering::asks,
    aspect, extract,
    ladder::{Turn, answer_reply},
    words,
};
use crate::domain::kinds::{CaseType, Diversion};

/// A question that leans on the one before it is no longer than this.
const ELLIPTIC_CHARS: usize = 10;
/// Facts that belong to the last matter are no longer than this; more is a story of its own.
const FACTS_CHARS: usize = 40;

/// A complaint that only points at what was said before is no longer than this.
const COMPLAINT_CHARS: usize = 20;

/// How a question that leans on the one before it begins or is all.
const LEANS: &[&str] = &[
    "那",
    "那么",
    "要多久",
    "多久",
    "几天",
    "多少钱",
    "要钱吗",
    "收费吗",
    "什么材料",
    "要什么材料",
    "要哪些材料",
    "去哪",
    "在哪",
    "哪里",
    "哪个部门",
    "要交",
    "费用",
    "找谁",
    "怎么办",
    "怎么申请",
    "怎么弄",
    "然后呢",
    "接下来呢",
    "还有呢",
    "依据呢",
    "依据是什么",
    "什么依据",
    "哪条规定",
];

/// Facts about somebody on the other side, told once it was said how one complains.
const FACT_STARTS: &[&str] = &[
    "对方",
    "欠款方",
    "甲方",
    "总包",
    "业主",
    "他们",
    "合同",
    "金额",
    "欠",
    "一共",
    "是个",
    "是一家",
    "就是",
    "去年",
    "今年",
];

impl Turn<'_> {
    /// Whether the words lean on the last answer; then they were dealt with.
    pub(super) fn follows_an_answer(&mut self, words: &str, reading: &Reading, awaiting: &Awaiting) -> bool {
        if self.state.form.is_some() || !matches!(awaiting, Awaiting::Nothing | Awaiting::CaseOffer) {
            return false;
        }
        let Some(last) = self.state.last_answer.clone() else {
            let before = self.state.last_matter.clone();
            return before.is_some_and(|before| self.turns_on_somebody(words, reading, &before));
        };
        let bare = words::bare(words);
        let length = bare.chars().count();
        let aside = reading.diversion.is_some_and(|d| !matches!(d, Diversion::Unclear | Diversion::Smalltalk));
        if aside || reading.command.is_some() {
            return false;
        }
        // 不想留名字: what was said before is taken down without a name.
        if length <= ELLIPTIC_CHARS
            && extract::wants_anonymity(words)
            && (tells_of_others(last.case_type) || !asks(&last.question))
        {
            self.file_together(&last.question, words);
            return true;
        }
        if self.turns_on_somebody(words, reading, &last.question) {
            return true;
        }
        if reading.matters.iter().any(|m| m.answer.is_some()) {
            return false;
        }
        if length <= ELLIPTIC_CHARS && self.is_a_served_place(&bare) {
            return self.asked_of_elsewhere(words, &last);
        }
        let unknown = reading.matters.iter().all(|m| !m.named);
        let leans = unknown && LEANS.iter().any(|lean| bare.starts_with(lean));
        if length <= ELLIPTIC_CHARS && (leans || asks(words)) && self.read_together(words, &last, leans) {
            return true;
        }
        // 对方是央企，合同120万: facts of the matter that the answer was about.
        let usual = last.topic.as_deref().and_then(|t| self.env.knowledge.topic(t)).and_then(|t| t.usual_type);
        if (*awaiting == Awaiting::CaseOffer || usual.is_some_and(tells_of_others))
            && (2..=FACTS_CHARS).contains(&length)
            && FACT_STARTS.iter().any(|start| bare.starts_with(start))
            && !words.contains(['？', '?'])
        {
            self.file_together(&last.question, words);
            return true;
        }
        false
    }

    /// 开公司要多久 … 那要交多少钱: the subject of the last question with what is asked of it now, then both as they stand.
    /// What has an answer of its own is not asked back about.
    fn read_together(&mut self, words: &str, last: &LastAnswer, leans: bool) -> bool {
        let bare = words::bare(words);
        let asked = bare.trim_start_matches("那么").trim_start_matches('那');
        let whole = last.question.trim_end_matches(ENDS);
        let group = |topic: Option<&str>| topic.and_then(|t| t.split('.').next()).map(str::to_owned);
        for together in [format!("{}{asked}", aspect::subject(whole)), format!("{whole}，{words}")] {
            let reading = self.peek(&together);
            let other = reading.matters.iter().filter_map(|m| m.answer.as_ref()).find(|a| a.rule_id != last.rule_id);
            let near = other.is_some_and(|a| group(a.topic.as_deref()) == group(last.topic.as_deref()));
            if other.is_some() && (leans || near) {
                let reading = self.read(&together);
                self.matters(&together, reading, None);
                return true;
            }
        }
        if !leans {
            return false;
        }
        let together = format!("{whole}，{words}");
        if self.peek(&together).matters.iter().all(|m| m.answer.is_none()) {
            return false;
        }
        let reading = self.read(&together);
        self.matters(&together, reading, None);
        true
    }

    /// 那福建呢: the last question asked of another place. An answer that holds there as well is not told twice, and one
    /// that does not is never told.
    fn asked_of_elsewhere(&mut self, words: &str, last: &LastAnswer) -> bool {
        let Some((_, name)) = self.env.knowledge.place(&words::bare(words)) else { return false };
        let rest = self.env.knowledge.without_places(&last.question);
        let rest = rest.trim_start_matches(['在', '的', '，', '省', '市', '县']);
        let question = format!("{}{rest}", name.trim_end_matches('省'));
        let reading = self.read(&question);
        let answers: Vec<_> =
            reading.matters.iter().filter(|m| !m.needs_region).filter_map(|m| m.answer.as_ref()).collect();
        if answers.is_empty() {
            self.step("clarify");
            self.state.awaiting = Awaiting::CaseOffer;
            self.remember_matter(&question);
            self.unanswered(&question);
            self.say(
                Reply::say(format!(
                    "我没有查到适用于{name}的依据，不能照别处的答。可以转人工，或登记下来由工作人员核对后答复。"
                ))
                .with_buttons(["转人工", "帮我登记"]),
            );
        } else if let Some(answer) = answers.first().filter(|answer| answer.rule_id == last.rule_id) {
            let text = format!("刚才的答复在{name}同样适用。");
            let reply = Reply { text, quick_replies: Vec::new(), ..answer_reply(answer) };
            self.step("rules");
            self.say(reply.with_buttons(["解决了", "没解决", "转人工"]));
        } else {
            self.matters(&question, reading, None);
        }
        true
    }

    /// 那我要投诉他们: what was talked about before becomes a complaint.
    fn turns_on_somebody(&mut self, words: &str, reading: &Reading, before: &str) -> bool {
        let bare = words::bare(words);
        let complains = ["投诉", "举报", "告他", "反映他", "反映这"].iter().any(|word| bare.contains(word));
        let points =
            bare.starts_with('那') || ["他们", "这家", "这个单位", "这件事", "这事"].iter().any(|w| bare.contains(w));
        if bare.chars().count() > COMPLAINT_CHARS || !complains || !points || asks(words) {
            return false;
        }
        let known: Vec<_> = self.peek(before).matters.into_iter().map(|m| m.topic).collect();
        if reading.matters.iter().any(|m| m.named && m.topic.is_some() && !known.contains(&m.topic)) {
            return false;
        }
        self.file_together(before, words);
        true
    }

    /// 能要利息吗 while the form about the debt is open: answered, if what is on the form makes it a question with an answer.
    pub(super) fn asks_about_the_form(&mut self, words: &str, reading: &Reading) -> bool {
        let bare = words::bare(words);
        if !asks(words)
            || bare.chars().count() > ELLIPTIC_CHARS
            || reading.command.is_some()
            || extract::wants_secrecy(words)
            || reading.matters.iter().any(|m| m.answer.is_some())
        {
            return false;
        }
        let Some(matter) = self.state.form.as_ref().and_then(|form| form.kept().next()) else { return false };
        let before = matter.text.clone();
        let known: Vec<String> =
            self.peek(&before).matters.into_iter().filter_map(|m| m.answer).map(|a| a.rule_id).collect();
        let together = self.peek(&format!("{}，{words}", before.trim_end_matches(ENDS)));
        let answer = together
            .matters
            .iter()
            .filter(|m| !m.needs_region)
            .filter_map(|m| m.answer.as_ref())
            .find(|answer| !known.contains(&answer.rule_id));
        let Some(reply) = answer.map(answer_reply) else { return false };
        if let Some(form) = self.state.form.as_mut() {
            super::filing::keep_words(form, words);
        }
        self.say(reply);
        self.show_form("登记单还在，没有提交前不会登记。");
        self.step("rules");
        true
    }

    /// The form with the last question and the new words.
    fn file_together(&mut self, question: &str, words: &str) {
        let together = format!("{}，{words}", question.trim_end_matches(ENDS));
        let reading = self.read(&together);
        let mut matters: Vec<ReadingMatter> = reading.matters.into_iter().filter(|m| m.named).collect();
        matters.truncate(1);
        if let Some(matter) = matters.first_mut() {
            matter.text.clone_from(&together);
            // Whoever tells the facts after the answer wants it settled.
            let usual = matter.topic.as_deref().and_then(|t| self.env.knowledge.topic(t)).and_then(|t| t.usual_type);
            if matter.case_type == CaseType::Consultation {
                matter.case_type = usual.unwrap_or(matter.case_type);
            }
        }
        self.open_form(matters, &together, None, "我把前后说的放在一起，整理成登记单。");
    }

    fn is_a_served_place(&self, bare: &str) -> bool {
        self.env.knowledge.place(bare).is_some()
    }
}

/// What a sentence ends with.
pub(super) const ENDS: [char; 8] = ['。', '，', ',', '！', '!', '.', '？', '?'];

/// Types whose matters tell of what others did.
const fn tells_of_others(case_type: CaseType) -> bool {
    matches!(
        case_type,
        CaseType::Complaint | CaseType::Report | CaseType::Conduct | CaseType::Arrears | CaseType::Stuck
    )
}
