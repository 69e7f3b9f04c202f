//! What an enterprise does to its own case by words: urge it, add to it, withdraw it, confirm that it is solved or not,
//! rate the answer, ask how it stands. The same words work in every channel; a button carries the number of its case.
//!
//! Nothing is decided here about the case itself: the words become an [`Effect::OnCase`], and what the case says to it
//! comes back through [`acted`]. Only cases that were loaded for the turn can be meant: those of the conversation, or
//! the one whose number and code were told.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    Awaiting, CaseAct, ConversationState, DialogueState, Effect, Input, ProgressQuery, ProgressView, QuickReply,
    Reading, Reply, extract, ladder::Turn, words,
};

/// Longest message read as such a word.
const MOST_CHARS: usize = 80;
/// Longest message that only asks how one's case stands.
const LOOK_CHARS: usize = 20;
/// Cases offered when several may be meant.
const MOST_OFFERED: usize = 5;
/// The grades as they are said, best first.
const GRADES: [(u8, &str); 5] = [(5, "非常满意"), (4, "满意"), (3, "基本满意"), (2, "不满意"), (1, "非常不满意")];

/// What is said to withdraw a case for good.
const WITHDRAW: &str = "确认撤回";

/// What the words ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Do(CaseAct),
    /// 评价 without a grade.
    Rate,
    /// 确认 without a result.
    Confirm,
    /// 撤回, not confirmed yet.
    Withdraw,
}

impl Wish {
    /// The words that a button says for it.
    fn says(self) -> &'static str {
        match self {
            Self::Do(CaseAct::Urge) => "催办",
            Self::Do(CaseAct::Add) => "补充",
            Self::Do(CaseAct::Withdraw) => WITHDRAW,
            Self::Do(CaseAct::Confirm { solved: true }) => "确认解决",
            Self::Do(CaseAct::Confirm { solved: false }) => "没有解决",
            Self::Do(CaseAct::Rate { grade }) => {
                GRADES.iter().find(|(value, _)| *value == grade).map_or("评价", |(_, label)| label)
            }
            Self::Rate => "评价",
            Self::Confirm => "确认",
            Self::Withdraw => "撤回",
        }
    }
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
    let adds = ["补充", "我要补充", "我想补充", "再补充"].iter().any(|start| words.starts_with(start));
    if words.chars().count() > MOST_CHARS && !adds {
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
        Wish::Do(CaseAct::Urge | CaseAct::Add | CaseAct::Withdraw) | Wish::Withdraw => true,
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
        "补充" | "补充一下" | "补充情况" | "补充材料" | "补充说明" | "补充内容" | "补充信息" | "补充一点"
        | "再补充" | "再补充一下" | "再补充一点" | "补充几句" | "补充下" | "有补充" | "还有补充" => {
            CaseAct::Add
        }
        "确认撤回" | "确定撤回" | "确认撤销" => CaseAct::Withdraw,
        "撤回" | "撤销" | "撤诉" | "撤件" | "撤单" | "撤掉" | "撤了吧" | "撤回吧" | "撤回诉求" | "撤销诉求"
        | "撤回这件" | "撤回办件" | "撤销办件" | "取消办件" | "取消诉求" | "把诉求撤了" | "撤回一下" | "不用办了"
        | "不办了" | "不用处理了" | "不用再办了" | "不需要办了" | "不用管了" | "不想办了" | "不用麻烦了" =>
        {
            return Some(Wish::Withdraw);
        }
        "加急" | "加急办理" | "加急处理" | "加急一下" | "能加急吗" | "能不能加急" | "可以加急吗" | "能不能快点"
        | "能快点吗" | "快点办" | "快点处理" | "抓紧办" | "抓紧办理" | "抓紧处理" | "能不能快一点" | "催一下他们"
        | "催他们一下" | "帮催一下" | "催办" | "催办一下" | "催一下" | "催一催" | "催催" | "催单" | "催进度"
        | "催一下进度" | "催下进度" | "再催办" | "再催一下" | "催促" | "催促一下" | "催办这件" | "催办进度" => {
            CaseAct::Urge
        }
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
        | "都解决了"
        | "已经修好了"
        | "修好了"
        | "已经好了"
        | "已经办好了"
        | "办好了"
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
        if case.is_open && cases.len() == 1 {
            buttons.push(button("补充", "补充", &case.number));
            buttons.push(button("撤回", "撤回", &case.number));
        }
    }
    buttons
}

fn suits(case: &ProgressView, wish: Wish) -> bool {
    match wish {
        Wish::Do(CaseAct::Urge | CaseAct::Add | CaseAct::Withdraw) | Wish::Withdraw => case.is_open,
        Wish::Do(CaseAct::Confirm { .. }) | Wish::Confirm => case.may_confirm,
        Wish::Do(CaseAct::Rate { .. }) | Wish::Rate => case.may_rate,
    }
}

/// What the enterprise's page says when it is done.
fn done(act: CaseAct, number: &str, view: &ProgressView) -> Reply {
    match act {
        CaseAct::Urge => Reply::say(format!("已为您催办 {number}，承办单位和服务中心都收到了提醒。")),
        CaseAct::Add => Reply::say(format!("已补充到 {number}，办理单位能看到。")),
        CaseAct::Withdraw => Reply::say(format!("已撤回 {number}，不再办理。以后还有需要，可以重新登记。")),
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
        let asked = self.state.awaiting != Awaiting::Nothing;
        let about_the_answer = !named
            && match told.wish {
                Wish::Do(CaseAct::Urge) => false,
                Wish::Rate | Wish::Do(CaseAct::Add | CaseAct::Withdraw) | Wish::Withdraw => self.state.form.is_some(),
                Wish::Do(CaseAct::Confirm { .. } | CaseAct::Rate { .. }) => {
                    self.state.form.is_some() || self.state.last_answer.is_some()
                }
                Wish::Confirm => self.state.form.is_some() || asked,
            };
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
            ([], Wish::Do(CaseAct::Urge | CaseAct::Add | CaseAct::Withdraw) | Wish::Withdraw) if !named => {
                self.step("command");
                let what = told.wish.says().trim_start_matches("确认");
                let text = format!("您的办件都已办结，现在没有可以{what}的。还有事可以直接说，重新登记。");
                self.say(Reply::say(text).with_buttons(["查进度", "转人工"]));
                true
            }
            // 已经解决了, and nobody has asked yet: it need not be handled any more.
            ([], Wish::Do(CaseAct::Confirm { solved: true })) if !named => self.offer_to_withdraw(
                "还在办理，没有到确认这一步。问题已经解决、不用再办的话，可以撤回；要接着办，不用动它",
                told.rest.as_deref(),
            ),
            ([], Wish::Do(CaseAct::Confirm { solved: false })) if !named => {
                let runs = self.env.progress.iter().any(|case| case.is_open);
                if runs {
                    self.show_progress();
                }
                runs
            }
            ([], _) => false,
            ([_], Wish::Withdraw) => self.offer_to_withdraw("要撤回吗？撤回后就不再办理", told.rest.as_deref()),
            ([one], Wish::Do(CaseAct::Add)) if told.rest.is_none() => {
                self.ask_what_to_add(&one.number, &one.title);
                true
            }
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
                let more = told.rest.as_deref().map(|rest| format!("，{rest}")).unwrap_or_default();
                let quick_replies = several
                    .iter()
                    .take(MOST_OFFERED)
                    .map(|case| {
                        let label = format!("{}（{}）", case.number, case.title);
                        QuickReply { label, text: format!("{} {}{more}", wish.says(), case.number) }
                    })
                    .collect();
                self.say(Reply { quick_replies, ..Reply::say("您有几件办件，指的是哪一件？") });
                true
            }
        }
    }

    /// Offers to withdraw the cases in work, with why that is asked. `false` when there is none.
    pub(super) fn offer_to_withdraw(&mut self, why: &str, reason: Option<&str>) -> bool {
        let open: Vec<ProgressView> = self.env.progress.iter().filter(|case| case.is_open).cloned().collect();
        let Some(first) = open.first() else { return false };
        self.step("command");
        let of =
            if open.len() == 1 { format!("{}（{}）", first.number, first.title) } else { "您的办件".to_owned() };
        let more = reason.map(|reason| format!("，{reason}")).unwrap_or_default();
        let quick_replies = open
            .iter()
            .take(MOST_OFFERED)
            .map(|case| {
                let label = if open.len() == 1 {
                    WITHDRAW.to_owned()
                } else {
                    format!("撤回 {}（{}）", case.number, case.title)
                };
                QuickReply { label, text: format!("{WITHDRAW} {}{more}", case.number) }
            })
            .collect();
        self.say(Reply { quick_replies, ..Reply::say(format!("{of}{why}。")) }.with_buttons(["查进度", "转人工"]));
        true
    }

    pub(super) fn ask_what_to_add(&mut self, number: &str, title: &str) {
        self.step("command");
        self.state.awaiting = Awaiting::Addition { number: number.to_owned() };
        self.say(
            Reply::say(format!("请说要给 {number}（{title}）补充什么，发来就写进这件，办理单位能看到。"))
                .with_buttons(["不补充了", "转人工"]),
        );
    }

    /// What was asked for with 补充.
    pub(super) fn addition_told(&mut self, number: &str, words: &str) {
        self.step("command");
        if !matches!(words::bare(words).as_str(), "不补充了" | "不补充" | "没有了" | "没了" | "算了" | "不用了")
        {
            let words = Some(words.trim().to_owned());
            self.effects.push(Effect::OnCase { number: number.to_owned(), act: CaseAct::Add, words });
            return;
        }
        self.say(Reply::say("好的，没有补充。").with_buttons(["查进度", "转人工"]));
    }

    /// 都几天了还没动静: how one's own cases stand, with what can be done. `false` when the words tell another matter.
    pub(super) fn looks_at_own_case(&mut self, words: &str, reading: &Reading) -> bool {
        let other = reading.matters.iter().any(|m| m.answer.is_some() || (m.named && m.topic.is_some()));
        let own = ["我那", "我的", "我们的", "我上次", "我反映", "我提"].iter().any(|start| words.contains(start));
        if self.env.progress.is_empty() || self.state.form.is_some() || !looks(words) || (other && !own) {
            return false;
        }
        self.show_progress();
        true
    }

    /// A button of a case, while a person has the conversation or is waited for: it names its case, so it is done, and
    /// nothing else.
    pub(super) fn case_button(&mut self, input: &Input) -> bool {
        let Some(words) = input.words().filter(|words| words.contains("ZT")) else { return false };
        let acts = told(words).is_some_and(|told| told.number.is_some() && matches!(told.wish, Wish::Do(_)));
        acts && self.case_words(words)
    }
}

/// Whether the words ask how a case stands that they do not name.
pub(super) fn looks(words: &str) -> bool {
    static LOOK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"没(?:有)?(?:任何)?(?:动静|消息|回音|下文|进展|反应|结果)|没(?:有)?(?:个)?人(?:来)?(?:联系|回复|答复|理|管|处理|找|办)",
            r"|谁(?:在)?(?:办|负责|处理|管)|哪个(?:部门|单位|科室)(?:在)?(?:办|处理|负责)|(?:编号|查询码|单号)(?:是)?(?:多少|什么|几|呢)|我的(?:编号|单号)",
            r"|什么时候(?:能|可以|才能?)?(?:办好|办完|有结果|解决|答复|回复|联系|处理)|(?:办|处理|解决|弄)(?:好|完|了|得怎么样)了?(?:没有?|吗)",
            r"|(?:办|处理|走)到(?:哪|什么)|还要(?:等)?多久|进展(?:如何|怎么样|呢)|怎么样了|咋样了|有(?:结果|消息|进展|动静)(?:了)?(?:没有?|吗)|(?:几|多少)天了|多久了",
        ))
        .expect("the pattern is a constant and compiles in the tests")
    });
    let named = words.contains(['Z', 'z', 'Ｚ', 'ｚ']);
    !named && words.chars().count() <= LOOK_CHARS && LOOK.is_match(&words::bare(words))
}

/// The cases that a turn with these words needs, if they are about a case.
pub(super) fn wanted(state: &DialogueState, words: &str) -> Option<ProgressQuery> {
    if !state.cases.is_empty() && (looks(words) || words::own(words).is_some_and(words::Own::is_about_a_case)) {
        return Some(ProgressQuery::Conversation { numbers: state.cases.clone() });
    }
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
            Wish::Rate | Wish::Confirm | Wish::Withdraw => None,
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
        check("补充一下，路灯也坏了", Some(CaseAct::Add));
        check("我要补充：路灯也坏了", Some(CaseAct::Add));
        check("加急", Some(CaseAct::Urge));
        check("确认撤回 ZT20261126-0001A，路修好了", Some(CaseAct::Withdraw));
        check("满意，另外社保怎么交", None);
        check("补充医疗保险怎么交", None);
        check("撤销行政处罚怎么申请", None);
        check("怎么催办", None);
        check("解决了多少家企业的问题", None);
        check("催收公司骚扰我们怎么办", None);
        assert_eq!(told("不用办了，路修好了").map(|told| told.wish), Some(Wish::Withdraw));
        assert_eq!(told("评价").map(|told| told.wish), Some(Wish::Rate));
        assert_eq!(told("确认").map(|told| told.wish), Some(Wish::Confirm));
    }

    #[test]
    fn asking_how_it_stands_is_heard() {
        for yes in [
            "都几天了还没动静",
            "我那个事情怎么样了",
            "谁在办",
            "编号多少",
            "怎么还没人联系我",
            "办好了吗",
            "什么时候能办好",
        ] {
            assert!(looks(yes), "{yes}");
        }
        for no in ["厂区门口路坏了", "年报什么时候报", "开公司要几天"] {
            assert!(!looks(no), "{no}");
        }
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
