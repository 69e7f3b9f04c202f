//! The fields that come with an action, as one flat shape for the API and for the forms of the desk, and their way
//! into the typed input of the domain.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FieldError;
use crate::domain::{
    case::{
        ActionInput, Case, CaseAction, CaseNumber, Conclusion, ContactMethod, ContactOutcome, MilestoneInput,
        PauseReason, ReplyRefusal, ReturnReason, SplitPart, TransferWay,
    },
    ids::{OfficerId, TaskId},
    kinds::{CaseType, Complexity, Diversion, Urgency, Vocabulary},
};

/// A milestone of a plan.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MilestoneFields {
    /// What will be reached.
    pub text: String,
    /// By which day, `YYYY-MM-DD`.
    pub due_on: String,
}

/// A part of a case that is split.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartFields {
    /// One line.
    pub title: String,
    /// What is wanted.
    pub demand: String,
    /// Type; absent: that of the case.
    #[serde(rename = "type", default)]
    pub case_type: Option<String>,
    /// Topic code.
    #[serde(default)]
    pub topic: Option<String>,
}

/// The fields of all actions. Which ones an action needs is told by its error answer; the others must be absent or empty.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ActionFields {
    /// `refuse`: code D1–D9.
    pub code: Option<String>,
    /// `refuse`: where to go instead.
    pub path: Option<String>,
    /// Text of an objection, an answer, progress, a draft, an addition …
    pub text: Option<String>,
    /// `request_info`: everything that is missing.
    pub items: Option<Vec<String>>,
    /// `accept`, `regrade`: type.
    #[serde(rename = "type")]
    pub case_type: Option<String>,
    /// `accept`, `regrade`: topic code.
    pub topic: Option<String>,
    /// `accept`: urgency.
    pub urgency: Option<String>,
    /// `accept`, `dispatch`, `regrade`: complexity.
    pub complexity: Option<String>,
    /// `accept`: duplicates were looked at.
    pub duplicates_checked: Option<bool>,
    /// `accept`: the earlier case it repeats.
    pub repeat_of: Option<String>,
    /// `answer_on_spot`: rule id (`rule:…`) or document.
    pub source: Option<String>,
    /// Words of the enterprise.
    pub words: Option<String>,
    /// `mark_ownership_pending`: units that may be responsible.
    pub candidates: Option<Vec<String>>,
    /// Reason, or the code of one (`request_return`, `pause`, `refuse_reply`).
    pub reason: Option<String>,
    /// Lead unit.
    pub lead: Option<String>,
    /// Assisting units.
    pub assists: Option<Vec<String>>,
    /// `rule_ownership`: the ruling.
    pub ruling: Option<String>,
    /// Legal basis.
    pub basis: Option<String>,
    /// `rule_ownership`: who took part.
    pub participants: Option<String>,
    /// `endorse`: opinion.
    pub opinion: Option<String>,
    /// Note for colleagues.
    pub note: Option<String>,
    /// `sign_in`: number in the unit's register (收文号).
    pub register_no: Option<String>,
    /// `sign_in`, `assign`: login or id of the responsible person.
    pub handler: Option<String>,
    /// `request_return`: unit it should go to instead.
    pub proposed_unit: Option<String>,
    /// `record_contact`: phone, visit, meeting, message, video; needed.
    pub method: Option<String>,
    /// `record_contact`: whom; needed.
    pub person: Option<String>,
    /// `record_contact` (needed), `report_milestone`: whether it succeeded.
    pub reached: Option<bool>,
    /// `record_contact` without success: whether a message was left. Two tries at different hours and a message
    /// stand for the first contact.
    pub message_left: Option<bool>,
    /// Result of a contact or of a supervision.
    pub result: Option<String>,
    /// `record_contact`: when, RFC 3339; absent: now.
    pub at: Option<String>,
    /// `record_progress`: the enterprise may read it.
    pub public: Option<bool>,
    /// `ask_assist`: unit.
    pub unit: Option<String>,
    /// `ask_assist`: question.
    pub question: Option<String>,
    /// A day `YYYY-MM-DD`: `ask_assist`, `regrade`.
    pub due_on: Option<String>,
    /// `answer_assist`, `waive_assist`: task id; absent: the only open one.
    pub task: Option<String>,
    /// `pause`: what the enterprise reads.
    pub explanation: Option<String>,
    /// `pause`: document that proves the procedure.
    pub document: Option<String>,
    /// `pause`: until which day.
    pub until_on: Option<String>,
    /// `request_extension`, `grant_extension`: working days.
    pub days: Option<u32>,
    /// `draft_reply`, `request_close`: conclusion.
    pub conclusion: Option<String>,
    /// `draft_reply`: the bot proposed the text.
    pub from_bot: Option<bool>,
    /// Comment of the signer or the verifier.
    pub comment: Option<String>,
    /// `confirm`, `rate`: solved.
    pub solved: Option<bool>,
    /// `confirm` by phone: record of the call.
    pub call_record: Option<String>,
    /// `rate`: 5 best to 1 worst.
    pub grade: Option<u8>,
    /// `accept_plan`: milestones.
    pub milestones: Option<Vec<MilestoneFields>>,
    /// `uphold_rating`: facts found.
    pub facts: Option<String>,
    /// `uphold_rating`: what must be put right.
    pub rectify: Option<String>,
    /// `dismiss_rating`: finding.
    pub finding: Option<String>,
    /// `dismiss_rating`: evidence.
    pub evidence: Option<String>,
    /// `request_close`: log of the coordination.
    pub coordination_log: Option<String>,
    /// `request_close`: summary.
    pub summary: Option<String>,
    /// `approve_close`: unit, board, centre, county_leader, county.
    pub resolved_layer: Option<String>,
    /// `merge`: number of the case it goes into.
    pub into: Option<String>,
    /// `split`: parts.
    pub parts: Option<Vec<PartFields>>,
    /// `transfer_out`: to whom.
    pub to: Option<String>,
    /// `transfer_out`: number of the receiver; needed unless the way is `statutory`.
    pub receipt: Option<String>,
    /// `transfer_out`: `external` (default) or `statutory`, a legal path that gives no number.
    pub way: Option<String>,
    /// `supervise`: level 1 to 6.
    pub level: Option<u8>,
    /// `supervise`: the letter.
    pub letter: Option<String>,
    /// `escalate`: rung 1 to 6.
    pub rung: Option<u8>,
    /// Any action with `text`: id of the suggestion the text began with.
    pub suggestion: Option<String>,
}

/// What the fields cannot say by themselves and the use case looks up first.
pub(super) struct Known<'a> {
    pub(super) case: &'a Case,
    pub(super) handler: Option<(OfficerId, String)>,
    /// The case that `into` names.
    pub(super) parent: Option<Parent>,
    /// Which repeat of its matter the case is, as far as earlier cases are named.
    pub(super) repeats: u32,
    /// Returns of the lead unit that were refused lately.
    pub(super) refused_before: u32,
    /// Units whose tasks the officer may answer.
    pub(super) own_units: &'a [String],
}

/// The case that another one shall be merged into.
pub(super) struct Parent {
    pub(super) number: CaseNumber,
    /// It runs.
    pub(super) open: bool,
    pub(super) same_enterprise: bool,
    pub(super) same_matter: bool,
}

type Checked<T> = Result<T, FieldError>;

/// The fields that an action reads.
const fn used_fields(action: CaseAction) -> &'static [&'static str] {
    use CaseAction as A;
    match action {
        A::Refuse => &["code", "path"],
        A::Object | A::SupplyInfo | A::AddInfo => &["text"],
        A::RequestInfo => &["items"],
        A::Accept => &["type", "topic", "urgency", "complexity", "duplicates_checked", "repeat_of"],
        A::AnswerOnSpot => &["text", "source"],
        A::RequestHandling | A::Urge => &["words"],
        A::MarkOwnershipPending => &["candidates", "reason"],
        A::RuleOwnership => &["lead", "assists", "ruling", "basis", "participants"],
        A::Endorse => &["opinion", "lead", "assists"],
        A::Dispatch => &["lead", "assists", "complexity", "note"],
        A::SignIn => &["register_no", "handler"],
        A::Assign => &["handler"],
        A::RequestReturn => &["reason", "basis", "proposed_unit"],
        A::GrantReturn => &["lead", "assists", "note"],
        A::RefuseReturn | A::RefuseExtension | A::RefuseClose | A::Reopen | A::Withdraw => &["reason"],
        A::RecordContact => &["method", "person", "reached", "message_left", "result", "at"],
        A::RecordProgress => &["text", "public"],
        A::AskAssist => &["unit", "question", "due_on"],
        A::AnswerAssist => &["task", "text"],
        A::WaiveAssist => &["task", "reason"],
        A::Pause => &["reason", "explanation", "document", "until_on"],
        A::Resume | A::ReleaseReply => &["note"],
        A::RequestExtension => &["days", "reason"],
        A::GrantExtension => &["days"],
        A::Regrade => &["type", "topic", "complexity", "reason", "basis", "due_on"],
        A::DraftReply => &["text", "conclusion", "from_bot"],
        A::RejectDraft => &["comment"],
        A::RefuseReply => &["reason", "comment"],
        A::Confirm => &["solved", "words", "call_record"],
        A::Rate => &["grade", "solved", "reason", "words"],
        A::AcceptPlan => &["milestones"],
        A::ReportMilestone => &["reached", "text"],
        A::UpholdRating => &["facts", "rectify"],
        A::DismissRating => &["finding", "explanation", "evidence"],
        A::RequestClose => &["conclusion", "basis", "coordination_log", "explanation", "summary"],
        A::ApproveClose => &["resolved_layer", "note"],
        A::Merge => &["into"],
        A::Split => &["parts"],
        A::TransferOut => &["to", "receipt", "reason", "way"],
        A::Supervise => &["level", "letter"],
        A::EndSupervision => &["result"],
        A::Escalate => &["rung", "reason"],
        A::Submit | A::SignOff | A::LapseInfo | A::DeemSigned | A::ConfirmSilently | A::Archive => &[],
    }
}

fn wrong(field: &str, message: &str) -> FieldError {
    FieldError::new(format!("/{field}"), message)
}

fn text(value: Option<&String>) -> String {
    value.map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn opt(value: Option<&String>) -> Option<String> {
    value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn word<T: std::str::FromStr>(field: &str, value: Option<&String>) -> Checked<Option<T>> {
    opt(value).map(|text| text.parse().map_err(|_| wrong(field, "不是可用的取值"))).transpose()
}

/// One of a closed set of words; a wrong one is answered with all that would do.
fn choice<T: Vocabulary>(field: &str, value: Option<&String>) -> Checked<Option<T>> {
    let would_do = || T::choices().iter().map(|(slug, label)| format!("{slug} {label}")).collect::<Vec<_>>().join("、");
    let wrong_word = |_| wrong(field, &format!("不是可用的取值；可用：{}", would_do()));
    opt(value).map(|text| text.parse().map_err(wrong_word)).transpose()
}

fn need_choice<T: Vocabulary>(field: &str, value: Option<&String>) -> Checked<T> {
    choice(field, value)?.ok_or_else(|| wrong(field, "缺少这个字段"))
}

fn day(field: &str, value: Option<&String>) -> Checked<Option<Date>> {
    opt(value).map(|text| text.parse().map_err(|_| wrong(field, "日期须写成 2026-11-26"))).transpose()
}

fn need_number<T: Copy>(field: &str, value: Option<T>) -> Checked<T> {
    value.ok_or_else(|| wrong(field, "缺少这个字段"))
}

impl ActionFields {
    /// Every text is at most this long, in characters.
    const LONGEST: usize = 8_000;

    fn too_long(&self) -> Option<FieldError> {
        let texts = [
            ("text", &self.text),
            ("path", &self.path),
            ("words", &self.words),
            ("reason", &self.reason),
            ("ruling", &self.ruling),
            ("basis", &self.basis),
            ("opinion", &self.opinion),
            ("note", &self.note),
            ("result", &self.result),
            ("question", &self.question),
            ("explanation", &self.explanation),
            ("document", &self.document),
            ("comment", &self.comment),
            ("call_record", &self.call_record),
            ("facts", &self.facts),
            ("rectify", &self.rectify),
            ("finding", &self.finding),
            ("evidence", &self.evidence),
            ("coordination_log", &self.coordination_log),
            ("summary", &self.summary),
            ("letter", &self.letter),
        ];
        texts
            .iter()
            .find(|(_, value)| value.as_ref().is_some_and(|text| text.chars().count() > Self::LONGEST))
            .map(|(field, _)| wrong(field, "太长，最多8000字"))
    }

    /// What identifies this request among others under the same idempotency key.
    pub(super) fn digest(&self) -> String {
        super::hash_secret(&serde_json::to_string(self).unwrap_or_default())
    }

    /// The fields that are filled in and that this action does not use. Nothing is dropped without a word.
    pub(super) fn unused(&self, action: CaseAction) -> Vec<FieldError> {
        let used = used_fields(action);
        let filled = |value: &serde_json::Value| match value {
            serde_json::Value::Null => false,
            serde_json::Value::String(text) => !text.trim().is_empty(),
            serde_json::Value::Array(items) => !items.is_empty(),
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) | serde_json::Value::Object(_) => true,
        };
        let all = serde_json::to_value(self).unwrap_or_default();
        all.as_object()
            .into_iter()
            .flatten()
            .filter(|(field, value)| {
                let draft = *field == "suggestion" && used.contains(&"text");
                filled(value) && !draft && !used.contains(&field.as_str())
            })
            .map(|(field, _)| wrong(field, "这个操作不用这个字段"))
            .collect()
    }

    fn task_of(&self, known: &Known<'_>, any_unit: bool) -> Checked<TaskId> {
        if let Some(task) = word("task", self.task.as_ref())? {
            return Ok(task);
        }
        let mut open = known.case.tasks.iter().filter(|task| {
            task.kind == crate::domain::case::TaskKind::Assist
                && task.state == crate::domain::case::TaskState::Open
                && (any_unit || known.own_units.contains(&task.unit))
        });
        match (open.next(), open.next()) {
            (Some(task), None) => Ok(task.id),
            (Some(_), Some(_)) => Err(wrong("task", "有多项协办，请指明哪一项")),
            (None, _) => Err(wrong("task", "没有待答复的协办")),
        }
    }

    /// The earlier case that an acceptance names, or that the case names already.
    pub(super) fn repeated(&self, case: &Case) -> Option<CaseNumber> {
        let named = word::<CaseNumber>("repeat_of", self.repeat_of.as_ref()).ok().flatten();
        named.or_else(|| case.overlay.repeat_of.clone())
    }

    /// The typed input of an action. What is absent and optional gets the value that the case proposes.
    pub(super) fn into_input(self, action: CaseAction, known: &Known<'_>) -> Checked<ActionInput> {
        use ActionInput as I;
        use CaseAction as A;
        if let Some(error) = self.too_long() {
            return Err(error);
        }
        let case = known.case;
        let reason = text(self.reason.as_ref());
        let lead = || opt(self.lead.as_ref()).or_else(|| case.proposed_lead.clone());
        let assists = self.assists.clone().unwrap_or_default();
        Ok(match action {
            A::Submit => I::Submit,
            A::Refuse => I::Refuse {
                code: need_choice::<Diversion>("code", self.code.as_ref())?,
                path: text(self.path.as_ref()),
            },
            A::Object => I::Object { text: text(self.text.as_ref()) },
            A::RequestInfo => I::RequestInfo { items: self.items.unwrap_or_default() },
            A::SupplyInfo => I::SupplyInfo { text: text(self.text.as_ref()) },
            A::LapseInfo => I::LapseInfo,
            A::Accept => I::Accept {
                case_type: choice::<CaseType>("type", self.case_type.as_ref())?.unwrap_or(case.case_type),
                topic: opt(self.topic.as_ref()).or_else(|| case.topic.clone()),
                urgency: choice::<Urgency>("urgency", self.urgency.as_ref())?.unwrap_or(case.urgency),
                complexity: choice::<Complexity>("complexity", self.complexity.as_ref())?.or(case.complexity),
                duplicates_checked: self.duplicates_checked.unwrap_or(true),
                repeat_of: word::<CaseNumber>("repeat_of", self.repeat_of.as_ref())?
                    .or_else(|| case.overlay.repeat_of.clone()),
                repeats: known.repeats,
            },
            A::AnswerOnSpot => I::AnswerOnSpot { text: text(self.text.as_ref()), source: text(self.source.as_ref()) },
            A::RequestHandling => I::RequestHandling { words: opt(self.words.as_ref()) },
            A::MarkOwnershipPending => {
                I::MarkOwnershipPending { candidates: self.candidates.unwrap_or_default(), reason }
            }
            A::RuleOwnership => I::RuleOwnership {
                lead: lead().unwrap_or_default(),
                assists,
                ruling: text(self.ruling.as_ref()),
                basis: text(self.basis.as_ref()),
                participants: text(self.participants.as_ref()),
            },
            A::Endorse => I::Endorse { opinion: text(self.opinion.as_ref()), lead: opt(self.lead.as_ref()), assists },
            A::Dispatch => I::Dispatch {
                lead: lead().unwrap_or_default(),
                assists: self.assists.unwrap_or_else(|| match opt(self.lead.as_ref()) {
                    // Taken over as proposed: then with the assisting units that were proposed.
                    None => case.proposed_assists.clone(),
                    Some(_) => Vec::new(),
                }),
                complexity: choice("complexity", self.complexity.as_ref())?,
                note: opt(self.note.as_ref()),
            },
            A::SignIn => I::SignIn {
                register_no: opt(self.register_no.as_ref()).unwrap_or_else(|| case.display_number()),
                handler: known.handler.clone(),
            },
            A::DeemSigned => I::DeemSigned,
            A::Assign => {
                I::Assign { handler: known.handler.clone().ok_or_else(|| wrong("handler", "缺少这个字段"))? }
            }
            A::RequestReturn => I::RequestReturn {
                reason: choice::<ReturnReason>("reason", self.reason.as_ref())?
                    .ok_or_else(|| wrong("reason", "请选退单原因"))?,
                basis: text(self.basis.as_ref()),
                proposed_unit: text(self.proposed_unit.as_ref()),
            },
            A::GrantReturn => {
                let proposed = case.returns.last().map(|request| request.proposed_unit.clone());
                I::GrantReturn {
                    lead: opt(self.lead.as_ref()).or(proposed).unwrap_or_default(),
                    assists,
                    note: opt(self.note.as_ref()),
                }
            }
            A::RefuseReturn => I::RefuseReturn { reason, refused_before: known.refused_before },
            A::RecordContact => I::RecordContact {
                method: need_choice::<ContactMethod>("method", self.method.as_ref())?,
                person: opt(self.person.as_ref()).ok_or_else(|| wrong("person", "请写明联系了谁"))?,
                outcome: match (need_number("reached", self.reached)?, self.message_left.unwrap_or(false)) {
                    (true, _) => ContactOutcome::Reached,
                    (false, true) => ContactOutcome::MessageLeft,
                    (false, false) => ContactOutcome::Failed,
                },
                result: text(self.result.as_ref()),
                at: word::<Timestamp>("at", self.at.as_ref())?,
            },
            A::RecordProgress => {
                I::RecordProgress { text: text(self.text.as_ref()), public: self.public.unwrap_or(false) }
            }
            A::AskAssist => I::AskAssist {
                unit: text(self.unit.as_ref()),
                question: text(self.question.as_ref()),
                due_on: day("due_on", self.due_on.as_ref())?,
            },
            A::AnswerAssist => I::AnswerAssist { task: self.task_of(known, false)?, text: text(self.text.as_ref()) },
            A::WaiveAssist => I::WaiveAssist { task: self.task_of(known, true)?, reason },
            A::Pause => I::Pause {
                reason: need_choice::<PauseReason>("reason", self.reason.as_ref())?,
                explanation: text(self.explanation.as_ref()),
                document: opt(self.document.as_ref()),
                until_on: day("until_on", self.until_on.as_ref())?,
            },
            A::Resume => I::Resume { note: opt(self.note.as_ref()) },
            A::RequestExtension => I::RequestExtension { days: need_number("days", self.days)?, reason },
            A::GrantExtension => I::GrantExtension { days: self.days },
            A::RefuseExtension => I::RefuseExtension { reason },
            A::Regrade => I::Regrade {
                case_type: choice("type", self.case_type.as_ref())?,
                topic: opt(self.topic.as_ref()),
                complexity: choice("complexity", self.complexity.as_ref())?,
                reason,
                basis: opt(self.basis.as_ref()),
                due_on: day("due_on", self.due_on.as_ref())?,
            },
            A::DraftReply => I::DraftReply {
                text: text(self.text.as_ref()),
                conclusion: need_choice::<Conclusion>("conclusion", self.conclusion.as_ref())?,
                from_bot: self.from_bot.unwrap_or(false),
            },
            A::RejectDraft => I::RejectDraft { comment: text(self.comment.as_ref()) },
            A::SignOff => I::SignOff,
            A::ReleaseReply => I::ReleaseReply { note: opt(self.note.as_ref()) },
            A::RefuseReply => I::RefuseReply {
                reason: need_choice::<ReplyRefusal>("reason", self.reason.as_ref())?,
                comment: text(self.comment.as_ref()),
            },
            A::Confirm => I::Confirm {
                solved: self.solved.unwrap_or(true),
                words: opt(self.words.as_ref()),
                call_record: opt(self.call_record.as_ref()),
            },
            A::Rate => I::Rate {
                grade: need_number("grade", self.grade)?,
                solved: self.solved,
                reason: opt(self.reason.as_ref()),
                words: opt(self.words.as_ref()),
            },
            A::ConfirmSilently => I::ConfirmSilently,
            A::AcceptPlan => I::AcceptPlan {
                milestones: self
                    .milestones
                    .unwrap_or_default()
                    .into_iter()
                    .map(|m| {
                        let due_on =
                            day("milestones", Some(&m.due_on))?.ok_or_else(|| wrong("milestones", "缺少日期"))?;
                        Ok(MilestoneInput { text: m.text, due_on })
                    })
                    .collect::<Checked<_>>()?,
            },
            A::ReportMilestone => {
                I::ReportMilestone { reached: self.reached.unwrap_or(true), text: text(self.text.as_ref()) }
            }
            A::UpholdRating => {
                I::UpholdRating { facts: text(self.facts.as_ref()), rectify: text(self.rectify.as_ref()) }
            }
            A::DismissRating => I::DismissRating {
                finding: text(self.finding.as_ref()),
                explanation: text(self.explanation.as_ref()),
                evidence: text(self.evidence.as_ref()),
            },
            A::RequestClose => I::RequestClose {
                conclusion: choice::<Conclusion>("conclusion", self.conclusion.as_ref())?
                    .or(case.conclusion)
                    .ok_or_else(|| wrong("conclusion", "缺少这个字段"))?,
                basis: opt(self.basis.as_ref()),
                coordination_log: opt(self.coordination_log.as_ref()),
                explanation: opt(self.explanation.as_ref()),
                summary: text(self.summary.as_ref()),
            },
            A::ApproveClose => I::ApproveClose {
                resolved_layer: opt(self.resolved_layer.as_ref()).unwrap_or_else(|| "unit".to_owned()),
                note: opt(self.note.as_ref()),
            },
            A::RefuseClose => I::RefuseClose { reason },
            A::Reopen => I::Reopen { reason },
            A::Archive => I::Archive { package: String::new() },
            A::Withdraw => I::Withdraw { reason },
            A::Merge => {
                let parent = known.parent.as_ref().ok_or_else(|| wrong("into", "没有这个编号"))?;
                I::Merge {
                    into: parent.number.clone(),
                    same_enterprise: parent.same_enterprise,
                    same_matter: parent.same_matter,
                    parent_open: parent.open,
                }
            }
            A::Split => I::Split {
                parts: self
                    .parts
                    .unwrap_or_default()
                    .into_iter()
                    .map(|part| {
                        Ok(SplitPart {
                            case_type: choice("parts", part.case_type.as_ref())?.unwrap_or(case.case_type),
                            topic: opt(part.topic.as_ref()),
                            title: part.title,
                            demand: part.demand,
                        })
                    })
                    .collect::<Checked<_>>()?,
            },
            A::TransferOut => {
                let way = choice::<TransferWay>("way", self.way.as_ref())?.unwrap_or(TransferWay::External);
                I::TransferOut { to: text(self.to.as_ref()), receipt: text(self.receipt.as_ref()), reason, way }
            }
            A::Supervise => {
                I::Supervise { level: need_number("level", self.level)?, letter: text(self.letter.as_ref()) }
            }
            A::EndSupervision => I::EndSupervision { result: text(self.result.as_ref()) },
            A::Escalate => I::Escalate { rung: need_number("rung", self.rung)?, reason },
            A::Urge => I::Urge { words: opt(self.words.as_ref()) },
            A::AddInfo => I::AddInfo { text: text(self.text.as_ref()) },
        })
    }
}
