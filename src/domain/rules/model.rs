//! A rule as the rest of the gateway sees it: checked, with its answer already rendered.

use std::sync::Arc;

use jiff::civil::Date;

use crate::{
    domain::kinds::{CaseType, Channel, Command, Diversion, Urgency},
    vocabulary,
};

vocabulary! {
    /// Life cycle of a rule. Ids are never used again.
    Status {
        Draft = "draft", "草稿";
        Shadow = "shadow", "只记录不作答";
        Active = "active", "上线";
        Retired = "retired", "停用";
    }
}

vocabulary! {
    /// What a rule does when it fires.
    RuleKind {
        Answer = "answer", "作答";
        Type = "type", "判类型";
        Topic = "topic", "判主题";
        Urgency = "urgency", "判紧急";
        Command = "command", "口令";
        Diversion = "diversion", "分流";
        Smalltalk = "smalltalk", "寒暄";
    }
}

vocabulary! {
    /// What happens to a question whose rule has run out.
    OnExpired {
        Route = "route", "转人工并说明政策已到期";
        Silent = "silent", "当作没有这条规则";
    }
}

vocabulary! {
    /// Where the words of a rule must meet.
    Scope {
        Clause = "clause", "同一句或上一句";
        Message = "message", "整条消息";
    }
}

vocabulary! {
    /// How an answer may be used.
    AnswerMode {
        Direct = "direct", "原文作答";
        Draft = "draft", "只给坐席参考";
        Model = "model", "交模型按依据改写";
    }
}

vocabulary! {
    /// What happens when a form question fails too often.
    OnFail {
        Handoff = "handoff", "转人工";
        Skip = "skip", "跳过";
        Cancel = "cancel", "取消";
    }
}

vocabulary! {
    /// How the source of an answer was checked (DOMAIN 6, column 核).
    SourceCheck {
        S = "S", "文件原文";
        L = "L", "法律文本快照";
        P = "P", "公开网页";
    }
}

/// The conditions of a rule, as written (synonym groups not expanded).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// Each must occur.
    pub all: Vec<String>,
    /// At least one must occur.
    pub any: Vec<String>,
    /// None may occur.
    pub none: Vec<String>,
    /// Words whose own clause does not count: 去年着火 tells of no fire now, 着火了，去年才装的消防栓 does.
    pub none_near: Vec<String>,
    /// Phrases that are masked before matching.
    pub ignore: Vec<String>,
    /// Expressions, one of which must match; only tried after a literal hit.
    pub regex: Vec<String>,
    /// Where the words must meet.
    pub scope: Scope,
    /// Whether a hit after “不想/不用/无需…” still counts.
    pub allow_negated: bool,
    /// Shortest matter, in normalised characters, that the rule may fire on: words that tell in a letter, not in a line.
    pub min_chars: Option<usize>,
    /// Longest message, in normalised characters, that the rule may fire on.
    pub max_chars: Option<usize>,
}

/// The answer of a rule with its variables filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How it may be used.
    pub mode: AnswerMode,
    /// The rendered text.
    pub text: String,
    /// The same in plain words, rendered.
    pub plain: Option<String>,
    /// Replies offered as buttons.
    pub quick_replies: Vec<String>,
}

/// A source of an answer (依据).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    /// Title of the document.
    pub title: String,
    /// Number of the document (文号).
    pub doc_no: Option<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// Article or section.
    pub clause: Option<String>,
    /// Where it can be read.
    pub url: Option<String>,
    /// First day it is in force.
    pub effective_from: Option<Date>,
    /// Last day it is in force.
    pub effective_until: Option<Date>,
    /// The figures of the answer that it carries.
    pub supports: Vec<String>,
}

/// Questions that follow an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The quick reply that starts the form.
    pub trigger: Option<String>,
    /// The questions in order.
    pub asks: Vec<Ask>,
}

/// One question of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Name of the slot.
    pub slot: String,
    /// Slot type with its own check, such as 统一社会信用代码.
    pub kind: String,
    /// The question.
    pub ask: String,
    /// How often it is asked again.
    pub retry: u8,
    /// What happens after that.
    pub on_fail: OnFail,
}

/// Where the matter goes when a person has to look at it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// Slug of the unit.
    pub department: Option<String>,
    /// Hours that the rule's owner promises, if any.
    pub sla_hours: Option<u32>,
    /// Labels for filters.
    pub tags: Vec<String>,
}

/// An example that the rule must not win, and who should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedExample {
    /// The message.
    pub text: String,
    /// Rule id, `none`, or absent when it only must not be this rule.
    pub expect: Option<String>,
}

/// The examples that stand in a rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleTests {
    /// Messages that this rule must win.
    pub matches: Vec<String>,
    /// Messages that it must not win.
    pub not_matches: Vec<ExpectedExample>,
    /// Messages it should win one day.
    pub todo_matches: Vec<String>,
    /// Conversations: lines `用户: …` and `规则: …`.
    pub chats: Vec<Vec<String>>,
    /// Line and column of each entry of `matches`, `not_matches`, `todo_matches` and `chats`, in this order.
    pub places: [Vec<(usize, usize)>; 4],
}

/// One checked rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the rule file of its own")]
pub struct Rule {
    /// Unique in the whole set, never used again.
    pub id: String,
    /// Title shown in clarifications.
    pub title: String,
    /// Life cycle.
    pub status: Status,
    /// What it does.
    pub kind: RuleKind,
    /// Case type it votes for, or that its answer belongs to.
    pub case_type: Option<CaseType>,
    /// Topic code.
    pub topic: Option<String>,
    /// Urgency it raises to.
    pub urgency: Option<Urgency>,
    /// Score that it adds when it fires (type and topic rules).
    pub weight: u32,
    /// The command it recognises.
    pub command: Option<Command>,
    /// The diversion it recognises.
    pub diversion: Option<Diversion>,
    /// Marks the matter as sensitive (sealed identity).
    pub sensitive: bool,
    /// May break into an active form.
    pub interrupts_form: bool,
    /// Matches on the Han-only view.
    pub han_view: bool,
    /// 待人工复核: the officer sees it.
    pub awaiting_recheck: bool,
    /// Day on which a person checked the answer against its source.
    pub verified_on: Option<Date>,
    /// How the source was checked.
    pub source_check: Option<SourceCheck>,
    /// Who answers for its correctness.
    pub owner: Option<String>,
    /// Who reviewed it.
    pub reviewer: Option<String>,
    /// Day by which it must be reviewed again.
    pub review_due: Option<Date>,
    /// First day it answers.
    pub valid_from: Option<Date>,
    /// Last day it answers.
    pub valid_until: Option<Date>,
    /// What happens after that day.
    pub on_expired: OnExpired,
    /// 0–100, higher first.
    pub priority: u8,
    /// Channels it answers on; empty means all.
    pub channels: Vec<Channel>,
    /// Administrative codes it holds for; empty means everywhere.
    pub areas: Vec<String>,
    /// The conditions as written.
    pub when: When,
    /// The answer.
    pub answer: Option<Answer>,
    /// Its sources.
    pub citations: Arc<[Citation]>,
    /// Questions that follow.
    pub form: Option<Arc<Form>>,
    /// Where the matter goes.
    pub route: Route,
    /// Examples.
    pub tests: RuleTests,
    /// Findings that are suppressed: code, reason, last day.
    pub allow: Vec<String>,
    /// File it stands in.
    pub file: String,
    /// Line of its `[[rule]]`, counted from 1.
    pub line: usize,
}
