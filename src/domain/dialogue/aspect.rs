//! What a question asks about its matter: the time, the money, the place. Whoever asks about another one right after an
//! answer is not told the same answer again, but what it says about that, in its own sentences.

use std::sync::LazyLock;

use regex::Regex;

use super::knowledge::AnswerText;

/// An aspect of a matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aspect {
    Time,
    Money,
    Place,
    Papers,
    Basis,
}

const ASPECTS: [(Aspect, &[&str]); 5] = [
    (
        Aspect::Money,
        &["多少钱", "收费", "费用", "要钱", "交钱", "交多少", "收多少", "花多少", "贵吗", "贵不贵", "花钱"],
    ),
    (
        Aspect::Time,
        &[
            "多久",
            "多长时间",
            "多少天",
            "几天",
            "多少个工作日",
            "什么时候",
            "何时",
            "几时",
            "时限",
            "截止",
            "最快",
            "最晚",
        ],
    ),
    (
        Aspect::Papers,
        &["什么材料", "哪些材料", "什么资料", "哪些资料", "带什么", "什么手续", "什么证件", "要材料", "材料有哪些"],
    ),
    (
        Aspect::Place,
        &["在哪", "去哪", "哪里", "哪儿", "找谁", "哪个部门", "哪个单位", "哪个窗口", "归谁", "向谁", "哪个网站"],
    ),
    (Aspect::Basis, &["依据", "哪条规定", "哪一条", "什么规定", "哪个文件"]),
];

/// Words that lead up to what is asked for and mean nothing without it.
const LEADS: [char; 8] = ['要', '得', '需', '用', '，', ',', '是', '的'];

impl Aspect {
    /// What the words ask for.
    pub(super) fn of(words: &str) -> Option<Self> {
        ASPECTS.iter().find(|(_, marks)| marks.iter().any(|mark| words.contains(mark))).map(|(aspect, _)| *aspect)
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Time => "时间",
            Self::Money => "费用",
            Self::Place => "去哪办、找谁",
            Self::Papers => "材料",
            Self::Basis => "依据",
        }
    }

    fn is_told_in(self, sentence: &str) -> bool {
        static TIME: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new("[0-9一二三四五六七八九十两半] ?个?(?:工作日|日|天|月|年|小时|分钟)|当场|即时")
                .expect("the pattern is a constant and compiles in the tests")
        });
        static MONEY: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new("[0-9万千百十] ?元|不收|免费|收费|费用|万分之|千分之|百分之|[%％]|利息")
                .expect("the pattern is a constant and compiles in the tests")
        });
        static PLACE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new("窗口|网站|网上|系统|大厅|平台|App|APP|向.{2,24}(?:申请|提出|投诉|报送|申报|申领|反映|登记)|(?:部门|机关|机构|主管单位)")
                .expect("the pattern is a constant and compiles in the tests")
        });
        match self {
            Self::Time => TIME.is_match(sentence),
            Self::Money => MONEY.is_match(sentence),
            Self::Place => PLACE.is_match(sentence),
            Self::Papers => ["材料", "证明", "证件", "申请书", "执照", "合同"].iter().any(|w| sentence.contains(w)),
            Self::Basis => false,
        }
    }
}

/// The question without what it asks for: 开公司要多久 is about 开公司.
pub(super) fn subject(question: &str) -> String {
    let mut subject = question.trim_end_matches(super::following::ENDS).to_owned();
    for mark in ASPECTS.iter().flat_map(|(_, marks)| marks.iter()) {
        if let Some(at) = subject.find(mark) {
            subject.truncate(at);
        }
    }
    subject.trim_end_matches(LEADS).to_owned()
}

/// What is said where the answer that was just given is the answer again.
pub(super) fn said_again(answer: &AnswerText, words: &str) -> String {
    let clause = words.rsplit(['，', ',', '。']).find(|clause| !clause.trim().is_empty()).unwrap_or(words);
    let Some(aspect) = Aspect::of(clause) else {
        return "您问的这一点，我能查到的依据还是刚才那条，它没有说到的我不乱说。可以转人工，或登记下来由主管单位答复。".to_owned();
    };
    if aspect == Aspect::Basis && !answer.citations.is_empty() {
        let cited =
            answer.citations.iter().map(|c| format!("《{}》{}", c.title.trim_matches(['《', '》']), c.reference));
        return format!("刚才的答复依据的是：{}。", cited.collect::<Vec<_>>().join("；"));
    }
    let told: Vec<&str> = answer
        .text
        .split_inclusive(['。', '；', '\n'])
        .map(str::trim)
        .filter(|sentence| aspect.is_told_in(sentence))
        .take(2)
        .collect();
    if told.is_empty() {
        return format!("{}这一点刚才的依据里没有写，我不乱说。可以转人工，或登记下来由主管单位答复。", aspect.label());
    }
    format!("关于{}，刚才的依据里是这样说的：{}", aspect.label(), told.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_taken_apart() {
        for (words, aspect) in [
            ("那要交多少钱", Some(Aspect::Money)),
            ("要多久", Some(Aspect::Time)),
            ("在哪里报", Some(Aspect::Place)),
            ("要什么材料", Some(Aspect::Papers)),
            ("交了罚款还能复议吗", None),
        ] {
            assert_eq!(Aspect::of(words), aspect, "{words}");
        }
        assert_eq!(subject("开公司要多久？"), "开公司");
        assert_eq!(subject("年报什么时候报"), "年报");
    }
}
