//! What an enterprise does to its own case by words: urge it, confirm that it is solved or not, rate the answer. The
//! same words work in every channel; a button carries the number of its case.
//!
//! Nothing is decided here about the case itself: the words become an [`Effect::OnCase`], and what the case says to it
//! comes back through [`acted`]. Only cases that were loaded for the turn can be meant: those of the conversation, or
//! the one whose number and code were told.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    Awaiting, CaseAct, ConversationState, DialogueState, Effect, Input, ProgressQuery, ProgressView, QuickReply, Reply,
    extract, ladder::Turn, words,
};

/// Longest message read as such a word.
const MOST_CHARS: usize = 80;
/// Cases offered when several may be meant.
const MOST_OFFERED: usize = 5;
/// The grades as they are said, best first.
const GRADES: [(u8, &str); 5] = [(5, "非常满意"), (4, "满意"), (3, "基本满意"), (2, "不满意"), (1, "非常不满意")];

/// What the words ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Do(CaseAct),
    /// 评价 without a grade.
    Rate,
    /// 确认 without a result.
    Confirm,
}

/// A message that is about a case of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    wish: Wish,
    /// The case that was named.
    number: Option<String>,
    /// Its query code.
    code: Option<String>,
    /// What was said besides.
    rest: Option<String>,
}

impl Told {
    /// The number and the code, when both were told.
    pub(super) fn number_with_code(&self) -> Option<(&str, &str)> {
        Some((self.number.as_deref()?, self.code.as_deref()?))
    }
}

/// The number without the round of handling.
fn base(number: &str) -> &str {
    number.split_once("-R").map_or(number, |(base, _)| base)
}

/// Whether two numbers name the same case.
fn same_case(a: &str, b: &str) -> bool {
    let plain = |number: &str| base(number).replace(['-', ' '], "").to_uppercase();
    plain(a) == plain(b)
}

/// The act in the words, if they are nothing but one, with the number of a case or without.
pub(super) fn told(words: &str) -> Option<Told> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)(ZT[0-9]{8} ?-? ?[0-9]{4,}[0-9A-Z](?:-R[0-9]+)?)(?:[^0-9A-Za-z]*([0-9A-Za-z]{4,6}-[0-9A-Za-z]{4,6}|[0-9A-Za-z]{8,12}))?")
            .expect("the pattern is a constant and compiles in the tests")
    });
    let words = words.trim();
    if words.chars().count() > MOST_CHARS {
        return None;
    }
    let half = extract::half_width(words);
    let found = NUMBER.captures(&half);
    let part =
        |n: usize| found.as_ref().and_then(|found| found.get(n)).map(|m| m.as_str().replace(' ', "").to_uppercase());
    let (number, code) = (part(1), part(2));
    let text = match found.as_ref().and_then(|found| found.get(0)) {
        Some(span) => format!("{} {}", half.get(..span.start())?, half.get(span.end()..)?),
        None => half.clone(),
    };
    let text = text.trim_matches(|c: char| c.is_whitespace() || "，。,.!！；;：:、()（）".contains(c));
    let end = text.find(|c: char| c.is_whitespace() || "，。,.!！；;：:、".contains(c)).unwrap_or(text.len());
    let (head, rest) = text.split_at(end);
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || "，。,.!！；;：:、".contains(c)).trim();
    let wish = wish(&words::bare(head))?;
    let thanks = words::is_acknowledgement(rest);
    let takes_more = match wish {
        Wish::Do(CaseAct::Confirm { solved }) => !solved,
        Wish::Do(CaseAct::Rate { grade }) => grade <= 2,
        Wish::Do(CaseAct::Urge) => true,
        Wish::Rate | Wish::Confirm => false,
    };
    if !rest.is_empty() && !thanks && !takes_more {
        return None;
    }
    let rest = (!rest.is_empty() && !thanks).then(|| rest.to_owned());
    Some(Told { wish, number, code, rest })
}

fn wish(bare: &str) -> Option<Wish> {
    let bare = ["我想要", "我要", "我想", "麻烦", "请帮我", "帮我", "请", "给"]
        .iter()
        .find_map(|polite| bare.strip_prefix(polite).filter(|rest| !rest.is_empty()))
        .unwrap_or(bare);
    Some(Wish::Do(match bare {
        "催办" | "催办一下" | "催一下" | "催一催" | "催催" | "催单" | "催进度" | "催一下进度" | "催下进度"
        | "再催办" | "再催一下" | "催促" | "催促一下" | "催办这件" | "催办进度" => CaseAct::Urge,
        "确认解决"
        | "确认已解决"
        | "确认问题已解决"
        | "确认办结"
        | "问题已解决"
        | "问题解决了"
        | "问题已经解决"
        | "已经解决"
        | "已经解决了"
        | "已解决"
        | "解决了" => CaseAct::Confirm { solved: true },
        "没有解决" | "没解决" | "未解决" | "还没解决" | "还没有解决" | "仍未解决" | "确认没有解决" | "确认未解决"
        | "问题没有解决" | "问题没解决" | "问题还没解决" | "问题未解决" | "没有办好" | "没办好" => {
            CaseAct::Confirm { solved: false }
        }
        "非常满意" | "很满意" | "十分满意" => CaseAct::Rate { grade: 5 },
        "满意" | "评价满意" => CaseAct::Rate { grade: 4 },
        "基本满意" | "还算满意" => CaseAct::Rate { grade: 3 },
        "不满意" | "不太满意" | "评价不满意" => CaseAct::Rate { grade: 2 },
        "非常不满意" | "很不满意" => CaseAct::Rate { grade: 1 },
        "评价" | "评价一下" | "办件评价" | "评价办件" | "满意度评价" | "打分" => {
            return Some(Wish::Rate);
        }
        "确认" | "确认办件" | "确认答复" | "确认一下" => return Some(Wish::Confirm),
        _ => return None,
    }))
}

fn about_own_case(state: &DialogueState, words: &str) -> Option<Told> {
    if state.cases.is_empty() && !words.contains(['Z', 'z', 'Ｚ', 'ｚ']) {
        return None;
    }
    told(words)
}

/// A button that does something to a case.
fn button(label: &str, says: &str, number: &str) -> QuickReply {
    QuickReply { label: label.to_owned(), text: format!("{says} {number}") }
}

/// The buttons under a message that asks to confirm an answer.
pub fn confirm_buttons(number: &str) -> [QuickReply; 2] {
    [button("已解决", "确认解决", number), button("没有解决", "没有解决", number)]
}

fn grade_buttons(number: &str) -> Vec<QuickReply> {
    GRADES.iter().map(|(_, label)| button(label, label, number)).collect()
}

/// What can be done to the cases of a progress card.
pub(super) fn progress_buttons(cases: &[ProgressView]) -> Vec<QuickReply> {
    let mut buttons = Vec::new();
    for case in cases.iter().take(MOST_OFFERED) {
        let of = if cases.len() > 1 { format!(" {}", case.number) } else { String::new() };
        if case.may_confirm {
            buttons
                .extend(confirm_buttons(&case.number).map(|b| QuickReply { label: format!("{}{of}", b.label), ..b }));
        } else if case.may_rate {
            buttons.push(button(&format!("评价{of}"), "评价", &case.number));
        }
        if case.is_open && !case.may_confirm {
            buttons.push(button(&format!("催办{of}"), "催办", &case.number));
        }
    }
    buttons
}

fn suits(case: &ProgressView, wish: Wish) -> bool {
    match wish {
        Wish::Do(CaseAct::Urge) => case.is_open,
        Wish::Do(CaseAct::Confirm { .. }) | Wish::Confirm => case.may_confirm,
        Wish::Do(CaseAct::Rate { .. }) | Wish::Rate => case.may_rate,
    }
}

/// What the enterprise's page says when it is done.
fn done(act: CaseAct, number: &str, view: &ProgressView) -> Reply {
    match act {
        CaseAct::Urge => Reply::say(format!("已为您催办 {number}，承办单位和服务中心都收到了提醒。")),
        CaseAct::Confirm { solved: true } if view.may_rate => Reply {
            quick_replies: grade_buttons(number),
            ..Reply::say(format!("已记下您的确认：{number} 的问题已解决。请给这次办理评价："))
        },
        CaseAct::Confirm { solved: true } => Reply::say(format!("已记下您的确认：{number} 的问题已解决，谢谢。")),
        CaseAct::Confirm { solved: false } => {
            Reply::say(format!("已记下：{number} 的问题没有解决。{}。", view.status_label))
        }
        CaseAct::Rate { grade } => {
            let label = GRADES.iter().find(|(value, _)| *value == grade).map_or("", |(_, label)| label);
            let more = if grade <= 2 { "会有人复核并告知您结果" } else { "谢谢" };
            Reply::say(format!("已收到您对 {number} 的评价：{label}，{more}。"))
        }
    }
}

/// What to say after an [`Effect::OnCase`] was carried out: the case as it is now, or why not.
pub fn acted(state: &DialogueState, number: &str, act: CaseAct, done_to: Result<&ProgressView, String>) -> Reply {
    let reply = match done_to {
        Ok(view) => done(act, number, view),
        Err(why) => Reply::say(format!("没有办成：{}。", why.trim_end_matches('。'))),
    };
    by_whom(state, reply.with_buttons(["查进度", "转人工"]))
}

/// While a person has the conversation or is waited for, the system says it: the bot is silent.
fn by_whom(state: &DialogueState, reply: Reply) -> Reply {
    match state.mode {
        ConversationState::Bot | ConversationState::Collecting | ConversationState::Closed => reply,
        ConversationState::Queued | ConversationState::Human => {
            Reply { quick_replies: Vec::new(), ..Reply::event(reply.text) }
        }
    }
}

impl Turn<'_> {
    /// Words about a case of one's own. `false` when they are better read otherwise.
    pub(super) fn case_words(&mut self, words: &str) -> bool {
        if self.env.progress.is_empty() {
            return false;
        }
        let Some(told) = told(words) else { return false };
        let named = told.number.is_some();
        // 解决了 after an answer is about the answer, 确认 about what was asked.
        let about_the_answer = !named
            && (self.state.form.is_some()
                || match told.wish {
                    Wish::Do(CaseAct::Urge) | Wish::Rate => false,
                    Wish::Do(CaseAct::Confirm { .. } | CaseAct::Rate { .. }) => self.state.last_answer.is_some(),
                    Wish::Confirm => self.state.awaiting != Awaiting::Nothing,
                });
        if about_the_answer {
            return false;
        }
        let meant: Vec<ProgressView> = self
            .env
            .progress
            .iter()
            .filter(|case| told.number.as_deref().is_none_or(|number| same_case(number, &case.number)))
            .filter(|case| named || suits(case, told.wish))
            .cloned()
            .collect();
        match (meant.as_slice(), told.wish) {
            ([], Wish::Do(CaseAct::Urge)) if !named => {
                self.step("command");
                self.say(Reply::say("您的办件都已办结，现在没有可以催办的。").with_buttons(["查进度", "转人工"]));
                true
            }
            ([], _) => false,
            ([one], Wish::Do(act)) => {
                self.step("command");
                self.state.awaiting = if self.state.form.is_some() { Awaiting::Form } else { Awaiting::Nothing };
                self.effects.push(Effect::OnCase { number: one.number.clone(), act, words: told.rest });
                true
            }
            ([one], Wish::Rate) => {
                self.step("command");
                let reply = Reply {
                    quick_replies: grade_buttons(&one.number),
                    ..Reply::say(format!("请给 {}（{}）的办理评价：", one.number, one.title))
                };
                self.say(reply);
                true
            }
            ([one], Wish::Confirm) => {
                self.step("command");
                let reply = Reply {
                    quick_replies: confirm_buttons(&one.number).to_vec(),
                    ..Reply::say(format!("{}（{}）的问题解决了吗？", one.number, one.title))
                };
                self.say(reply);
                true
            }
            (several, wish) => {
                self.step("command");
                let says = match wish {
                    Wish::Do(CaseAct::Urge) => "催办",
                    Wish::Do(CaseAct::Confirm { solved: true }) => "确认解决",
                    Wish::Do(CaseAct::Confirm { solved: false }) => "没有解决",
                    Wish::Do(CaseAct::Rate { grade }) => {
                        GRADES.iter().find(|(value, _)| *value == grade).map_or("评价", |(_, label)| label)
                    }
                    Wish::Rate => "评价",
                    Wish::Confirm => "确认",
                };
                let quick_replies = several
                    .iter()
                    .take(MOST_OFFERED)
                    .map(|case| button(&format!("{}（{}）", case.number, case.title), says, &case.number))
                    .collect();
                self.say(Reply { quick_replies, ..Reply::say("您有几件办件，指的是哪一件？") });
                true
            }
        }
    }

    /// A button of a case, while a person has the conversation or is waited for: it names its case, so it is done, and
    /// nothing else.
    pub(super) fn case_button(&mut self, input: &Input) -> bool {
        let Some(words) = input.words().filter(|words| words.contains("ZT")) else { return false };
        let acts = told(words).is_some_and(|told| told.number.is_some() && matches!(told.wish, Wish::Do(_)));
        acts && self.case_words(words)
    }
}

/// The cases that a turn with these words needs, if they are about a case.
pub(super) fn wanted(state: &DialogueState, words: &str) -> Option<ProgressQuery> {
    let told = about_own_case(state, words)?;
    if let Some((number, code)) = told.number_with_code() {
        return Some(ProgressQuery::Number { number: number.to_owned(), code: code.to_owned() });
    }
    let own = |number: &str| state.cases.iter().any(|case| same_case(case, number));
    let known = told.number.as_deref().map_or(!state.cases.is_empty(), own);
    known.then(|| ProgressQuery::Conversation { numbers: state.cases.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(words: &str) -> Option<CaseAct> {
        match told(words)?.wish {
            Wish::Do(act) => Some(act),
            Wish::Rate | Wish::Confirm => None,
        }
    }

    #[test]
    fn one_word_is_an_act_and_a_sentence_is_not() {
        let check = |words: &str, expected: Option<CaseAct>| assert_eq!(act(words), expected, "{words}");
        check("催办", Some(CaseAct::Urge));
        check("我要催办", Some(CaseAct::Urge));
        check("催办，拖了半个月了", Some(CaseAct::Urge));
        check("催一下 ZT20261126-0001A", Some(CaseAct::Urge));
        check("确认解决 ZT20261126-0001A", Some(CaseAct::Confirm { solved: true }));
        check("没有解决ZT20261126-0001A", Some(CaseAct::Confirm { solved: false }));
        check("没有解决，路灯还是不亮", Some(CaseAct::Confirm { solved: false }));
        check("满意，谢谢", Some(CaseAct::Rate { grade: 4 }));
        check("非常满意", Some(CaseAct::Rate { grade: 5 }));
        check("不满意，没人联系过我", Some(CaseAct::Rate { grade: 2 }));
        check("很不满意", Some(CaseAct::Rate { grade: 1 }));
        check("满意，另外社保怎么交", None);
        check("怎么催办", None);
        check("解决了多少家企业的问题", None);
        check("催收公司骚扰我们怎么办", None);
        assert_eq!(told("评价").map(|told| told.wish), Some(Wish::Rate));
        assert_eq!(told("确认").map(|told| told.wish), Some(Wish::Confirm));
    }

    #[test]
    fn number_and_code_are_taken_apart_from_the_words() {
        let told = told("催办 ZT20261126-0001A，JEB4F-JHWQV").expect("an act");
        assert_eq!(told.number_with_code(), Some(("ZT20261126-0001A", "JEB4F-JHWQV")));
        assert_eq!(told.rest, None);
        assert!(same_case("ZT20261126-0001A-R2", "zt20261126 0001a"));
        assert!(!same_case("ZT20261126-0001A", "ZT20261126-0002B"));
    }
}
