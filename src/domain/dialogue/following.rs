//! What is said right after an answer and cannot be understood without it: a place, 那要多久, 对方是央企, 不想留名字.
//!
//! It never files anything and never answers by itself: it only puts the last question and the new words together and
//! lets the ladder read them again.

use super::{Awaiting, Reading, ReadingMatter, answering::asks, extract, ladder::Turn, words};
use crate::domain::kinds::{CaseType, Diversion};

/// A question that leans on the one before it is no longer than this.
const ELLIPTIC_CHARS: usize = 10;
/// Facts that belong to the last matter are no longer than this; more is a story of its own.
const FACTS_CHARS: usize = 40;

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
    "去哪办",
    "在哪办",
    "去哪里办",
    "哪里办",
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
        let Some(last) = self.state.last_answer.clone() else { return false };
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
        if reading.matters.iter().any(|m| m.answer.is_some()) {
            return false;
        }
        if length <= ELLIPTIC_CHARS && self.is_a_served_place(&bare) {
            return self.region_told(words, &last.question);
        }
        let unknown = reading.matters.iter().all(|m| !m.named);
        if unknown && length <= ELLIPTIC_CHARS && LEANS.iter().any(|lean| bare.starts_with(lean)) {
            let together = format!("{}，{words}", last.question.trim_end_matches(ENDS));
            let reading = self.read(&together);
            if reading.matters.iter().any(|m| m.answer.is_some()) {
                self.matters(&together, reading, None);
                return true;
            }
            return false;
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
const ENDS: [char; 8] = ['。', '，', ',', '！', '!', '.', '？', '?'];

/// Types whose matters tell of what others did.
const fn tells_of_others(case_type: CaseType) -> bool {
    matches!(
        case_type,
        CaseType::Complaint | CaseType::Report | CaseType::Conduct | CaseType::Arrears | CaseType::Stuck
    )
}
