//! The dialogue: from what an enterprise says to a sourced answer, a case draft or a person.
//!
//! [`turn`] is one pure step of the answer ladder: normalise → safety → active form → rules →
//! clarification (at most two rounds, titles only, always a way to a person) → case or person. It takes
//! what is known ([`TurnEnv`]), the state of the conversation and one [`Input`], and returns the next
//! state, what to say and what to do. It performs nothing: effects are carried out by the application
//! inside the transaction that stores the messages.
//!
//! Invariants: nothing is filed without an explicit 提交; at most [`form::MAX_QUESTIONS`] questions are
//! asked for one form, besides those that a rule declares itself; once a person owns the conversation the bot says nothing; a commitment in a reply
//! always comes with a [`Effect::Promise`].

mod answering;
mod aside;
mod asking;
mod aspect;
mod case_words;
mod commands;
mod correcting;
mod demand;
pub mod draft;
pub mod extract;
mod filing;
mod filling;
mod following;
pub mod form;
pub mod knowledge;
mod ladder;
pub mod message;
mod nearest;
mod number;
mod proposing;
mod rule_asks;
#[cfg(test)]
mod scripts;
pub mod shipped;
pub mod state;
mod telling;
mod words;

use std::fmt::Write as _;

pub use asking::{GENERATED_LABEL, tells_of_conduct};
pub use case_words::{acted, confirm_buttons};
pub use draft::{
    Amount, AnsweredBefore, CaseDraft, Contact, Evidence, FieldChange, FiledCase, KnownCase, ProgressView,
    RouteProposal, TopicScore,
};
pub use filing::is_like;
pub use form::{CaseForm, FieldKey, FieldSource, FieldValue, FormMatter, RuleAsk};
pub use knowledge::{AnswerText, Knowledge, Reading, ReadingMatter, Suggestion, TopicInfo, Undecided};
pub use message::{
    Card, CaseAct, Citation, ConversationState, DecisionRecord, Effect, FormCard, FormCardField, FormCardMatter,
    GeneratedAnswer, HandoffReason, Input, InputKind, MatterEdit, MessageKind, QuickReply, Reply, Sender, TurnEnv,
    TurnOutcome,
};
pub use proposing::{
    FormProposal, PROPOSAL_LABEL, ProposalFault, ProposalKey, ProposalOutcome, Proposed, ProposedItem, proposal_errors,
};
pub use shipped::{Shipped, cited};
pub use state::{Awaiting, DialogueState, Facts, LastAnswer};

/// What a turn wants loaded before it runs; most turns want nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Load the open cases of whoever has the conversation: those filed in it, and these numbers, which it filed, added to
    /// or opened with their code.
    pub open_cases: Option<Vec<String>>,
    /// Load what this number and code open.
    pub progress: Vec<ProgressQuery>,
}

/// One progress query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgressQuery {
    /// A number with its code.
    Number {
        /// Case number.
        number: String,
        /// Query code.
        code: String,
    },
    /// The cases that the conversation filed or opened with their code.
    Conversation {
        /// Their numbers.
        numbers: Vec<String>,
    },
}

/// Decides one turn.
pub fn turn(env: &TurnEnv<'_>, state: &DialogueState, input: &Input) -> TurnOutcome {
    ladder::Turn::new(env, state).run(input)
}

/// What the bot says when it could not decide a turn (a store or a rule set failed): a person takes over.
pub fn failed_turn(env: &TurnEnv<'_>, state: &DialogueState) -> TurnOutcome {
    let mut turn = ladder::Turn::new(env, state);
    turn.fail();
    turn.finish()
}

/// The office closed while the visitor waited for a person: says so, leaves the queue and offers to file a case.
/// Nothing to do (`None`) when the visitor does not wait, the office is open, or the matter suffers no delay.
pub fn office_closed(env: &TurnEnv<'_>, state: &DialogueState) -> Option<TurnOutcome> {
    let waits = state.mode == ConversationState::Queued && !state.risk && env.knowledge.is_over_for_today(env.now);
    waits.then(|| {
        let mut turn = ladder::Turn::new(env, state);
        turn.closed_while_waiting();
        turn.finish()
    })
}

/// Puts a form together for an officer beside the chat: the one in work, or a new one from what was said.
pub fn prepare_form(env: &TurnEnv<'_>, state: &DialogueState, words: &str) -> DialogueState {
    if state.form.is_some() {
        return state.clone();
    }
    let mode = state.mode;
    let mut turn = ladder::Turn::new(env, state);
    turn.draft_form(words);
    let mut next = turn.finish().state;
    next.mode = mode;
    // Nobody carries the question out: an officer fills the form in.
    if let Some(form) = next.form.as_mut() {
        form.proposal = None;
    }
    next
}

/// 提交 by an officer on behalf of the enterprise: the card as the officer filled it. Duplicates are the officer's
/// own decision.
pub fn submit_for(
    env: &TurnEnv<'_>,
    state: &DialogueState,
    fields: Vec<(FieldKey, String)>,
    matters: Vec<MatterEdit>,
) -> TurnOutcome {
    let mut state = state.clone();
    if let Some(form) = state.form.as_mut() {
        form.duplicate_cleared = true;
    }
    turn(env, &state, &Input { kind: InputKind::FormSubmit { fields, matters, confirm: true } })
}

/// What to load before [`turn`]; cheap, reads only the state and the words.
pub fn needs(state: &DialogueState, input: &Input) -> Needs {
    let mut needs = Needs::default();
    let words = input.words().unwrap_or_default();
    let submits = match &input.kind {
        InputKind::FormSubmit { confirm, .. } => *confirm,
        InputKind::Text(_) | InputKind::QuickReply(_) => {
            matches!(words::own(words), Some(words::Own::Submit | words::Own::FileAnother))
        }
        InputKind::Attachment { .. }
        | InputKind::Place { .. }
        | InputKind::Unreadable { .. }
        | InputKind::Handoff
        | InputKind::Feedback { .. }
        | InputKind::ModelAnswered { .. }
        | InputKind::ModelRefused { .. }
        | InputKind::Proposed { .. }
        | InputKind::ProposalDecided { .. } => false,
    };
    if submits && state.form.is_some() {
        needs.open_cases = Some(state.cases.clone());
    }
    if telling::may_correct_a_filed_case(state, words) {
        needs.open_cases = Some(state.cases.clone());
    }
    if let Some(query) = case_words::wanted(state, words) {
        needs.progress.push(query);
        return needs;
    }
    for (number, code) in progress_numbers(words) {
        needs.progress.push(ProgressQuery::Number { number, code });
    }
    if needs.progress.is_empty()
        && let (number, Some(code)) = (state.awaited_number(), query_code(words))
        && !number.is_empty()
    {
        needs.progress.push(ProgressQuery::Number { number: number.to_owned(), code });
    }
    if needs.progress.is_empty()
        && !state.cases.is_empty()
        && ["进度", "到哪", "办得怎", "怎么样了", "结果", "处理了吗", "办好了吗", "办完了吗", "催", "查", "评价"]
            .iter()
            .any(|w| words.contains(w))
    {
        needs.progress.push(ProgressQuery::Conversation { numbers: state.cases.clone() });
    }
    needs
}

/// Case numbers in a text, each with the query code that follows (`ZT20261125-0001X 483920`).
pub(crate) fn progress_numbers(text: &str) -> Vec<(String, String)> {
    static NUMBER: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
        regex::Regex::new(r"(?i)(ZT[0-9]{8} ?-? ?[0-9]{4,}[0-9A-Z](?:-R[0-9]+)?)[^0-9A-Za-z]*([0-9A-Za-z]{4,6}-[0-9A-Za-z]{4,6}|[0-9A-Za-z]{4,12})?")
            .expect("the pattern is a constant and compiles in the tests")
    });
    if !text.contains(['Z', 'z', 'Ｚ', 'ｚ']) {
        return Vec::new();
    }
    let text = extract::half_width(text);
    NUMBER
        .captures_iter(&text)
        .map(|c| {
            let number = c.get(1).map_or("", |m| m.as_str()).replace(' ', "").to_uppercase();
            let code = c.get(2).map_or("", |m| m.as_str()).to_uppercase();
            (number, code)
        })
        .collect()
}

/// A message that is a query code and little else: `JEB4F-JHWQV`, 查询码是jeb4fjhwqv.
fn query_code(text: &str) -> Option<String> {
    static CODE: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
        regex::Regex::new(r"^(?:查询码)?[是为：: ]*([0-9A-Za-z]{4,6} ?- ?[0-9A-Za-z]{4,6}|[0-9A-Za-z]{6,12})[。.]?$")
            .expect("the pattern is a constant and compiles in the tests")
    });
    let text = extract::half_width(text);
    let code = CODE.captures(text.trim())?.get(1)?.as_str().replace(' ', "").to_uppercase();
    Some(code)
}

/// What the visitor must mend before 提交, for a 422 of the API; empty when the form can be filed.
pub fn form_errors(state: &DialogueState) -> Vec<(FieldKey, String)> {
    state.form.as_ref().map(CaseForm::errors).unwrap_or_default()
}

/// Closes the form after its cases were filed and writes the receipt.
pub fn filed(env: &TurnEnv<'_>, state: &DialogueState, cases: &[FiledCase]) -> (DialogueState, Reply) {
    let mut next = state.clone();
    next.form = None;
    next.awaiting = Awaiting::Nothing;
    next.attachments.clear();
    next.last_answer = None;
    next.last_matter = None;
    next.cases.extend(cases.iter().map(|c| c.number.clone()));
    if next.mode == ConversationState::Collecting {
        next.mode = ConversationState::Bot;
    }
    let lines: Vec<String> = cases
        .iter()
        .map(|c| {
            let due = c.due_text.as_deref().map(|d| format!("，{d}")).unwrap_or_default();
            format!("{}（{}）：{}{due}", c.number, c.title, c.status_label)
        })
        .collect();
    let code = cases.first().map_or("", |c| c.code.as_str());
    let count = if cases.len() > 1 { format!("，共 {} 件", cases.len()) } else { String::new() };
    let mut text = format!("登记成功{count}。\n{}\n查询码：{code}（请保存，查进度要用）", lines.join("\n"));
    if cases.iter().any(|case| case.alike) {
        // Whoever names an enterprise is not told what others of it have filed, nor that they have.
        text.push_str("\n这件已单独登记。贵单位如果已经反映过同样的事，工作人员会放在一起核对；有那件的编号和查询码，可以发来查看和补充。");
    }
    if !env.knowledge.is_open(env.now)
        && let Some(at) = env.knowledge.next_open(env.now)
    {
        let _ = write!(text, "\n现在不在工作时间，工作人员 {} 上班后处理。", env.knowledge.in_words(at));
    }
    let reply = Reply {
        from: Sender::System,
        kind: MessageKind::Card,
        card: Some(Card::Receipt { cases: cases.to_vec() }),
        ..Reply::say(text)
    };
    (next, reply.with_buttons(["查进度"]))
}
