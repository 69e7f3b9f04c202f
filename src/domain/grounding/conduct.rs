//! What no answer may do whatever its sources say: promise, judge, give away instructions or people, carry markup.

use std::{collections::HashSet, sync::OnceLock};

use regex::Regex;

use super::{Breach, BreachKind, gate::sentences};
use crate::domain::{
    rules::promises,
    text::{self, Hidden, Redactor},
};

/// Words with which a model would act or promise in the place of an office.
const ACTING: &[&str] = &[
    "我们会",
    "我们将",
    "我会",
    "我将",
    "我来帮",
    "将为您",
    "会为您",
    "尽快为您",
    "马上为您",
    "立即为您",
    "帮您申请",
    "帮您办",
    "帮您催",
    "替您",
    "承诺给",
    "承诺为",
    "我承诺",
    "我们承诺",
    "可以承诺",
    "特此承诺",
    "请放心",
    "您放心",
    "包在",
    "必须给您",
    "同意您",
    "同意贵",
    "准予您",
    "准予贵",
    "全额返还给您",
    "全额退还给您",
];

/// Words with which a model would decide.
const DECIDING: &[&str] = &[
    "您符合",
    "你符合",
    "贵公司符合",
    "贵单位符合",
    "贵企业符合",
    "你公司符合",
    "您公司符合",
    "贵司符合",
    "你们符合",
    "您不符合",
    "你不符合",
    "贵公司不符合",
    "贵单位不符合",
    "贵企业不符合",
    "您公司不符合",
    "您有资格",
    "贵公司有资格",
    "贵单位有资格",
    "您具备资格",
    "您可以享受",
    "您可享受",
    "您能享受",
    "贵公司可以享受",
    "贵单位可以享受",
    "贵公司可享受",
    "贵单位可享受",
    "您可以拿到",
    "您能拿到",
    "可以拿到补贴",
    "能拿到补贴",
    "已批准",
    "已经批准",
    "已获批",
    "已审批",
    "已通过审核",
    "已审核通过",
    "审核已通过",
    "已办结",
    "已经办结",
    "已经受理",
    "已受理您",
    "已为您",
    "已经为您",
    "已帮您",
    "已将您",
    "已登记您",
    "已转交",
    "已转办",
    "已催办",
    "已标记",
    "已归类",
    "归类为",
    "不转投诉",
    "投诉不成立",
    "举报不成立",
    "诉求不成立",
    "情况不属实",
    "情况属实",
    "内容属实",
    "经核查",
    "经核实",
    "经查",
    "属于违法",
    "构成违法",
    "涉嫌违法",
    "不违法",
    "并不违法",
    "构成犯罪",
    "违法行为成立",
    "责任在",
    "应负全责",
    "由对方负责",
    "可以胜诉",
    "能胜诉",
    "能打赢",
    "不予处罚",
    "不会处罚",
    "免于处罚",
    "无需缴纳",
    "不用缴纳",
    "可以不缴",
    "可以不交",
    "处罚成立",
    "处罚不成立",
    "处罚无效",
    "合同无效",
    "你说得对",
    "您说得对",
    "确认返还",
];

/// Words of somebody who talks about the instructions or about being a machine.
const SELF_TALK: &[&str] = &[
    "提示词",
    "系统指令",
    "系统提示",
    "初始指令",
    "上述要求如下",
    "我的设定",
    "我被设定",
    "我被要求",
    "我的指令",
    "我的规则是",
    "语言模型",
    "作为ai",
    "作为一个ai",
    "作为人工智能",
    "开发者模式",
    "systemprompt",
    "system:",
    "assistant:",
    "没有限制的",
    "不受限制",
    "管理员密码",
    "数据库密码",
    "apikey",
    "api_key",
    "密钥是",
    "密码是",
];

/// Characters in a row of the instructions that may not be repeated.
const LEAK_RUN: usize = 13;
/// Characters of the pieces of which most would have to stand in the instructions.
const LEAK_PIECE: usize = 6;

/// Letters below which a sentence is a bare word.
const BARE: usize = 4;

/// What is said out of politeness, squeezed.
const GREETINGS: &[&str] = &[
    "您好",
    "你好",
    "企业您好",
    "尊敬的企业",
    "感谢您的咨询",
    "感谢您的来信",
    "感谢咨询",
    "谢谢",
    "谢谢您",
    "此致敬礼",
    "祝好",
    "以上供参考",
    "仅供参考",
    "以上仅供参考",
    "供您参考",
    "具体以政策原文为准",
    "请以政策原文为准",
    "以政策原文为准",
    "如需办理请回复转人工",
    "如有疑问请回复转人工",
    "需要人工请回复转人工",
];

/// Ends of a line behind which a list begins, squeezed.
const OPENINGS: &[&str] =
    &["如下", "以下", "包括", "需要", "材料", "步骤", "流程", "方式", "条件", "要点", "依据", "说明", "注意"];

/// Letters, digits and ideographs alone, in normal form: what two texts share beyond their marks.
pub(super) fn squeeze(text: &str) -> Vec<char> {
    text::normalised(text).chars().filter(|c| c.is_alphanumeric()).collect()
}

fn contains(text: &[char], piece: &[char]) -> bool {
    !piece.is_empty() && text.windows(piece.len()).any(|window| window == piece)
}

/// What an answer is held against, made once per answer.
#[derive(Debug, Clone)]
pub(super) struct Conduct {
    /// The cited sources, squeezed.
    sources: Vec<char>,
    /// The bare words that are whole sentences of a cited source, squeezed: 可以。算数。
    bare: HashSet<Vec<char>>,
    /// Pairs of ideographs of the cited sources.
    pairs: HashSet<(char, char)>,
    /// Runs of the instructions that no cited source has.
    runs: HashSet<Vec<char>>,
    /// Shorter runs of the same.
    pieces: HashSet<Vec<char>>,
    placeholders: bool,
}

impl Conduct {
    pub(super) fn new(sources: &str, instructions: &str, placeholders: bool) -> Self {
        let bare = sentences(sources).map(squeeze).filter(|letters| letters.len() < BARE).collect();
        let sources = squeeze(sources);
        let instructions = squeeze(instructions);
        let runs_of = |text: &[char], length: usize| -> HashSet<Vec<char>> {
            text.windows(length).map(<[char]>::to_vec).collect()
        };
        let own = |length: usize| -> HashSet<Vec<char>> {
            let known = runs_of(&sources, length);
            runs_of(&instructions, length).into_iter().filter(|run| !known.contains(run)).collect()
        };
        Self {
            pairs: pairs(&sources).collect(),
            runs: own(LEAK_RUN),
            pieces: own(LEAK_PIECE),
            placeholders,
            sources,
            bare,
        }
    }

    /// Every breach of a text, be it a sentence or the whole.
    pub(super) fn breaches(&self, answer: &str) -> Vec<Breach> {
        let mut out = Vec::new();
        form(answer, &mut out);
        markup(answer, &mut out);
        let letters = squeeze(answer);
        let plain: String = letters.iter().collect();
        let normal = text::normalised(answer);
        let mut add = |kind, what: &str| out.push(Breach::new(kind, what));
        for word in promises::found(&normal).chain(found(&normal, ACTING)) {
            if !self.carries(&letters, word) {
                add(BreachKind::Promise, word);
            }
        }
        for word in deciding(&normal).filter(|word| !self.carries(&letters, word)) {
            add(BreachKind::Verdict, word);
        }
        for word in found(&normal, DECIDING).filter(|word| !self.carries(&letters, word)) {
            add(BreachKind::Verdict, word);
        }
        for word in SELF_TALK {
            let told = if word.ends_with(':') { normal.contains(word) } else { plain.contains(&word.replace('_', "")) };
            if told && !self.carries(&letters, word) {
                add(BreachKind::PromptLeak, word);
            }
        }
        if let Some(run) = letters.windows(LEAK_RUN).find(|run| self.runs.contains(*run)) {
            add(BreachKind::PromptLeak, &run.iter().collect::<String>());
        } else {
            let pieces = letters.windows(LEAK_PIECE).count();
            let leaked = letters.windows(LEAK_PIECE).filter(|piece| self.pieces.contains(*piece)).count();
            if pieces >= 12 && leaked * 2 >= pieces {
                add(BreachKind::PromptLeak, "");
            }
        }
        self.foreign(&normal, &mut out);
        self.people(answer, &mut out);
        out
    }

    /// Whether the sources say the word in the same surroundings.
    fn carries(&self, letters: &[char], word: &str) -> bool {
        let word: Vec<char> = squeeze(word);
        if word.is_empty() {
            return false;
        }
        let mut places = (0..letters.len()).filter(|&at| letters.get(at..).is_some_and(|rest| rest.starts_with(&word)));
        places.all(|at| {
            let around =
                letters.get(at.saturating_sub(3)..(at + word.len() + 3).min(letters.len())).unwrap_or_default();
            contains(&self.sources, around)
        })
    }

    /// Share of the text's pairs of ideographs that the sources have, and how many there are.
    pub(super) fn shared(&self, answer: &str) -> (usize, usize) {
        let letters = squeeze(answer);
        let (mut all, mut shared) = (0, 0);
        for pair in pairs(&letters) {
            all += 1;
            shared += usize::from(self.pairs.contains(&pair));
        }
        (shared, all)
    }

    /// Whether a sentence of a few words is one that the sources bear: a judgement needs no more than 同意 or 合.
    ///
    /// Greetings and lines that open a list say nothing. What is left stands in the sources as it is, as a point of a
    /// list or as a sentence of its own if it is very short, or has some of its pairs there.
    pub(super) fn stands(&self, sentence: &str) -> bool {
        let trimmed = sentence.trim();
        let item = item(trimmed);
        let letters = squeeze(item);
        let plain: String = letters.iter().collect();
        let opens = trimmed.ends_with([':', '：']);
        if letters.is_empty() || GREETINGS.contains(&plain.as_str()) {
            return true;
        }
        if OPENINGS.iter().any(|opening| plain.ends_with(opening)) && (opens || sentence.ends_with('\n')) {
            return true;
        }
        let listed = item.len() < trimmed.len() || opens || !trimmed.ends_with(['。', '！', '？', '!', '?']);
        if letters.len() < BARE {
            return self.bare.contains(&letters) || (listed && letters.len() > 1 && contains(&self.sources, &letters));
        }
        let (shared, all) = self.shared(item);
        (shared > 0 && shared * 6 >= all) || contains(&self.sources, &letters)
    }

    /// Long words in other letters: translations, codes, keys.
    fn foreign(&self, normal: &str, out: &mut Vec<Breach>) {
        static WORDS: OnceLock<Regex> = OnceLock::new();
        let words = WORDS.get_or_init(|| {
            Regex::new(r"[a-z0-9+/=_,.'\-:]*[a-z][a-z0-9+/=_,.'\-:]{11,}")
                .expect("the pattern is a constant and covered by tests")
        });
        for word in words.find_iter(normal) {
            if !contains(&self.sources, &squeeze(word.as_str())) {
                out.push(Breach::new(BreachKind::Malformed, word.as_str()));
            }
        }
        let odd = normal
            .chars()
            .find(|&c| c.is_alphabetic() && !c.is_ascii() && !text::is_han(c) && !self.sources.contains(&c));
        if let Some(c) = odd {
            out.push(Breach::new(BreachKind::Malformed, &c.to_string()));
        }
    }

    /// Personal data that no source publishes, and placeholders.
    fn people(&self, answer: &str, out: &mut Vec<Breach>) {
        static PLACEHOLDER: OnceLock<Regex> = OnceLock::new();
        let placeholder = PLACEHOLDER.get_or_init(|| {
            Regex::new(r"[〔\[【(（][^〔〕\[\]]{0,8}[0-9０-９]{1,3}(?:·[0-9]{1,3})?[〕\]】)）]")
                .expect("the pattern is a constant and covered by tests")
        });
        let labelled = |raw: &str| Hidden::ALL.iter().any(|kind| raw.contains(kind.label()));
        if !self.placeholders && placeholder.find_iter(answer).any(|hit| labelled(hit.as_str())) {
            out.push(Breach::new(BreachKind::Personal, ""));
        }
        let published = |raw: &str| contains(&self.sources, &squeeze(raw));
        // Landlines and lone numbers are figures, and checked as such.
        let personal = Redactor::hidden(answer)
            .into_iter()
            .any(|(kind, raw)| !matches!(kind, Hidden::Landline | Hidden::Number) && !published(&raw));
        if personal {
            out.push(Breach::new(BreachKind::Personal, ""));
        }
    }
}

/// A line without the number or the mark in front of it that makes it a point of a list.
pub(super) fn item(line: &str) -> &str {
    static MARK: OnceLock<Regex> = OnceLock::new();
    let mark = MARK.get_or_init(|| {
        Regex::new(r"^(?:[-·•*●]|[（(]?(?:[0-9０-９]{1,2}|[一二三四五六七八九十]{1,2})[）).．、：:]|[①-⑳]|第[一二三四五六七八九十][，、：:]?)\s*")
            .expect("the pattern is a constant and covered by tests")
    });
    mark.find(line).map_or(line, |found| &line[found.end()..])
}

fn pairs(letters: &[char]) -> impl Iterator<Item = (char, char)> + '_ {
    letters.windows(2).filter_map(|pair| match pair {
        &[a, b] if text::is_han(a) && text::is_han(b) => Some((a, b)),
        _ => None,
    })
}

fn found<'a>(text: &'a str, words: &'static [&'static str]) -> impl Iterator<Item = &'static str> + 'a {
    words.iter().copied().filter(move |word| text.contains(word))
}

/// Where somebody is told what holds for them, in whatever words: 贵司可以享受, 你单位符合条件, 这样做是合法的.
fn deciding(normal: &str) -> impl Iterator<Item = &str> {
    static WORDS: OnceLock<Regex> = OnceLock::new();
    const OPEN: [&str; 9] = ["是否", "能否", "需", "须", "应", "要", "如", "若", "什么"];
    let words = WORDS.get_or_init(|| {
        Regex::new(
            "(?:您|你|贵)(?:们|的)*(?:公司|单位|企业|司|厂|店|家|项目|情况|情形)?\\p{Han}{0,4}?(?:不?符合|有资格|可以享受|可享受|能享受|享受得到|不?合法|违法|违规|合规|达标)|(?:这样|这么|此|该|上述|这种)(?:做法?|行为|情况|情形|操作|处理)?(?:是|属|属于|并不|不|完全)*(?:合法|违法|合规|违规|不合法)",
        )
        .expect("the pattern is a constant and covered by tests")
    });
    words
        .find_iter(normal)
        .filter(|hit| {
            let before = normal.get(..hit.start()).unwrap_or_default();
            let conditional =
                ["如果", "若", "如", "假如", "只要", "凡", "当"].iter().any(|word| before.ends_with(word));
            !conditional && !OPEN.iter().any(|word| hit.as_str().contains(word))
        })
        .map(|hit| hit.as_str())
}

/// Invisible characters, and the same words over and over.
fn form(answer: &str, out: &mut Vec<Breach>) {
    if answer.trim().is_empty() {
        out.push(Breach::new(BreachKind::Malformed, ""));
    }
    let hidden = answer.chars().find(|&c| {
        (c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFD}' | '\u{E000}'..='\u{F8FF}' | '\u{AD}' | '\u{E0000}'..='\u{E007F}')
    });
    if let Some(c) = hidden {
        out.push(Breach::new(BreachKind::Malformed, &format!("U+{:04X}", c as u32)));
    }
    let letters = squeeze(answer);
    let repeated = (1..=12).any(|length| {
        let mut same = 0;
        letters.windows(length * 2).any(|window| {
            let (first, second) = window.split_at(length);
            same = if first == second { same + 1 } else { 0 };
            // A window moves by one: the words stand five times or more.
            same >= length * 4
        })
    });
    if repeated {
        out.push(Breach::new(BreachKind::Malformed, "重复"));
    }
}

/// HTML, links, images, code, tables, control words of models, lines of an event stream.
fn markup(answer: &str, out: &mut Vec<Breach>) {
    const MARKS: &[&str] = &[
        "](",
        "![",
        "```",
        "javascript:",
        "data:image",
        "<|",
        "|>",
        "[inst]",
        "[/inst]",
        "{{",
        "}}",
        "|--",
        "| --",
        "&lt;",
        "&#",
        "<!--",
        "\"status\"",
        "\"answer\"",
        "\\u00",
    ];
    static TAG: OnceLock<Regex> = OnceLock::new();
    let tag = TAG.get_or_init(|| {
        Regex::new(r"(?m)[<＜]/?\s*[a-zA-Z!?\p{Han}][^<>＜＞]{0,200}[>＞]?|^\s*(?:data|event|id|retry)\s*:|^\s*#(?:清除|更新|重置)|^\s*\|.*\|")
            .expect("the pattern is a constant and covered by tests")
    });
    let lower = answer.to_ascii_lowercase();
    if let Some(mark) = MARKS.iter().find(|mark| lower.contains(*mark)) {
        out.push(Breach::new(BreachKind::Markup, mark));
    } else if let Some(hit) = tag.find(answer) {
        out.push(Breach::new(BreachKind::Markup, hit.as_str()));
    }
}

/// The words without emphasis and headings: models write Markdown even when told not to, and people see plain text.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let body = line.trim_start_matches('#');
        let heading = body.len() < line.len() && body.starts_with(' ');
        let body = if heading { body.trim_start_matches(' ') } else { line };
        out.push_str(&body.replace("**", "").replace("__", "").replace('`', ""));
    }
    out
}
