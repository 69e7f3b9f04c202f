//! The JSON in `cases.detail`: the whole aggregate, so that one row gives one case back.
//!
//! The domain's types derive nothing here; these shapes are the store's own, and a new field gets a default.

mod read;

use jiff::Timestamp;
pub(super) use read::{Stored, decode};
use serde::{Deserialize, Serialize};

use crate::domain::case::{Case, Confirmation, Limit};

type Ms = i64;

#[derive(Serialize, Deserialize)]
struct PartyDto {
    enterprise: String,
    uscc: Option<String>,
    contact_name: String,
    contact_phone: String,
    confidential: bool,
    proxy: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact with a name of its own")]
struct RequirementsDto {
    profile: String,
    version: String,
    reason: String,
    starts_on_delivery: bool,
    sign_off: bool,
    submitter_confirm: bool,
    centre_verify: bool,
    extension: bool,
    #[serde(default)]
    extension_by: String,
    chain: u8,
}

#[derive(Serialize, Deserialize)]
struct ExtensionDto {
    days: u32,
    reason: String,
    by: String,
    at: Ms,
}

#[derive(Serialize, Deserialize)]
struct OverlayDto {
    extension: Option<ExtensionDto>,
    pause_asked: Option<String>,
    supervised: Option<u8>,
    escalated: Option<u8>,
    leader_assigned: bool,
    repeat_of: Option<String>,
    parent: Option<String>,
    #[serde(default)]
    parent_answered: bool,
    merged_children: u32,
    split_from: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LimitDto {
    Budget(String, u32),
    Until(Ms),
    Open,
}

#[derive(Serialize, Deserialize)]
struct ClockDto {
    key: String,
    turn: u16,
    task: Option<String>,
    owner: String,
    started_at: Ms,
    limit: LimitDto,
    extension_days: u32,
    due_at: Option<Ms>,
    provisional: bool,
    state: String,
    stopped_at: Option<Ms>,
    missed: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum FailedContactsDto {
    /// As it was written before hours and messages counted.
    Count(u16),
    Told {
        tries: u16,
        last: Option<Ms>,
        message_left: bool,
    },
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct PromptsDto {
    reminders: u8,
    reminded_at: Option<Ms>,
    calls: u8,
    called_at: Option<Ms>,
    pressed: bool,
}

impl PromptsDto {
    /// Of a case that was stored before they were counted: its reminders went out when they were due.
    const fn before() -> Self {
        Self { reminders: u8::MAX, reminded_at: None, calls: 0, called_at: None, pressed: false }
    }
}

#[derive(Serialize, Deserialize)]
struct PauseDto {
    reason: String,
    explanation: String,
    document: Option<String>,
    from: Ms,
    until: Option<Ms>,
    ended_at: Option<Ms>,
}

#[derive(Serialize, Deserialize)]
struct TaskDto {
    id: String,
    kind: String,
    unit: String,
    text: String,
    created_at: Ms,
    due_at: Option<Ms>,
    state: String,
    answer: Option<String>,
    ended_at: Option<Ms>,
    late: bool,
}

#[derive(Serialize, Deserialize)]
struct DraftDto {
    text: String,
    conclusion: String,
    author: String,
    from_bot: bool,
    at: Ms,
}

#[derive(Serialize, Deserialize)]
struct SignatureDto {
    text: String,
    conclusion: String,
    drafter: String,
    signer: String,
    signer_name: String,
    as_deputy: bool,
    at: Ms,
    released_at: Option<Ms>,
}

#[derive(Serialize, Deserialize)]
struct RatingDto {
    grade: u8,
    solved: bool,
    reason: Option<String>,
    words: Option<String>,
    at: Ms,
    round: u16,
}

#[derive(Serialize, Deserialize)]
struct ReturnDto {
    unit: String,
    reason: String,
    basis: String,
    proposed_unit: String,
    at: Ms,
    granted: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ConfirmationDto {
    Enterprise(Ms),
    Phone(Ms, String),
    Silent(Ms),
    Dismissed(Ms),
    Explained(Ms),
}

#[derive(Serialize, Deserialize)]
struct ClosingDto {
    round: u16,
    at: Ms,
    conclusion: String,
    resolved_layer: String,
    silent: bool,
    in_time: bool,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct ProposalDto {
    topic: Option<String>,
    board: Option<String>,
    category: Option<String>,
    joint: bool,
    place_basis: Option<String>,
    profile: Option<String>,
    guidance: String,
    tags: Vec<String>,
    topics: Vec<(String, u32, Vec<String>)>,
    rules: Vec<String>,
    confidence: u8,
}

#[derive(Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact with a name of its own")]
struct CaseDto {
    status: String,
    round: u16,
    case_type: String,
    topic: Option<String>,
    urgency: String,
    complexity: Option<String>,
    channel: String,
    region: String,
    title: String,
    demand: String,
    place: Option<String>,
    happened_on: Option<String>,
    amount: Option<String>,
    object: Option<String>,
    party: PartyDto,
    recused: Vec<String>,
    sealed: bool,
    conversation: Option<String>,
    proposed_lead: Option<String>,
    proposed_assists: Vec<String>,
    route_reason: String,
    #[serde(default)]
    proposal: ProposalDto,
    rule_version: String,
    #[serde(default)]
    answered_by_rule: Option<String>,
    lead_unit: Option<String>,
    assists: Vec<String>,
    handler: Option<String>,
    handler_name: Option<String>,
    requirements: RequirementsDto,
    overlay: OverlayDto,
    clocks: Vec<ClockDto>,
    pauses: Vec<PauseDto>,
    tasks: Vec<TaskDto>,
    draft: Option<DraftDto>,
    signature: Option<SignatureDto>,
    ratings: Vec<RatingDto>,
    returns: Vec<ReturnDto>,
    ruled: bool,
    ruled_by: Option<String>,
    dispatches: u16,
    failed_contacts: FailedContactsDto,
    #[serde(default = "PromptsDto::before")]
    prompts: PromptsDto,
    info_asked: bool,
    lapsed: bool,
    refusal: Option<(String, String)>,
    #[serde(default)]
    refused_by: Option<String>,
    #[serde(default)]
    objected: bool,
    approvals: u8,
    #[serde(default)]
    approvers: Vec<String>,
    #[serde(default)]
    wrote: Vec<String>,
    extensions: u8,
    urges: u32,
    urged_at: Option<Ms>,
    verified_by: Option<String>,
    confirmation: Option<ConfirmationDto>,
    conclusion: Option<String>,
    closings: Vec<ClosingDto>,
    last_seq: i64,
    submitted_at: Ms,
    accepted_at: Option<Ms>,
    dispatched_at: Option<Ms>,
    delivered_at: Option<Ms>,
    entered_at: Ms,
    changed_at: Ms,
}

fn ms(at: Timestamp) -> Ms {
    at.as_millisecond()
}

fn opt_ms(at: Option<Timestamp>) -> Option<Ms> {
    at.map(ms)
}

#[expect(clippy::needless_pass_by_value, reason = "so that it can stand where a closure is wanted")]
fn text<T: ToString>(value: T) -> String {
    value.to_string()
}

fn limit_dto(limit: Limit) -> LimitDto {
    match limit {
        Limit::Budget(budget) => LimitDto::Budget(text(budget.unit), budget.n),
        Limit::Until(at) => LimitDto::Until(ms(at)),
        Limit::Open => LimitDto::Open,
    }
}

/// Writes the aggregate. The number, the code, the version and the original words stand in columns of their own.
pub(super) fn encode(case: &Case) -> String {
    let dto = CaseDto {
        status: text(case.status),
        round: case.round,
        case_type: text(case.case_type),
        topic: case.topic.clone(),
        urgency: text(case.urgency),
        complexity: case.complexity.map(text),
        channel: text(case.channel),
        region: case.region.clone(),
        title: case.title.clone(),
        demand: case.demand.clone(),
        place: case.place.clone(),
        happened_on: case.happened_on.map(text),
        amount: case.amount.clone(),
        object: case.object.clone(),
        party: PartyDto {
            enterprise: case.party.enterprise.clone(),
            uscc: case.party.uscc.clone(),
            contact_name: case.party.contact_name.clone(),
            contact_phone: case.party.contact_phone.clone(),
            confidential: case.party.confidential,
            proxy: case.party.proxy.clone(),
        },
        recused: case.recused.clone(),
        sealed: case.sealed,
        conversation: case.conversation.map(text),
        proposed_lead: case.proposed_lead.clone(),
        proposed_assists: case.proposed_assists.clone(),
        route_reason: case.route_reason.clone(),
        proposal: {
            let told = &case.proposal;
            ProposalDto {
                topic: told.topic.clone(),
                board: told.board.clone(),
                category: told.category.clone(),
                joint: told.joint,
                place_basis: told.place_basis.clone(),
                profile: told.profile.clone(),
                guidance: told.guidance.clone(),
                tags: told.tags.clone(),
                topics: told.topics.iter().map(|t| (t.topic.clone(), t.score, t.words.clone())).collect(),
                rules: told.rules.clone(),
                confidence: told.confidence,
            }
        },
        rule_version: case.rule_version.clone(),
        answered_by_rule: case.answered_by_rule.clone(),
        lead_unit: case.lead_unit.clone(),
        assists: case.assists.clone(),
        handler: case.handler.map(text),
        handler_name: case.handler_name.clone(),
        requirements: RequirementsDto {
            profile: case.requirements.profile.clone(),
            version: case.requirements.version.clone(),
            reason: case.requirements.reason.clone(),
            starts_on_delivery: case.requirements.starts_on_delivery,
            sign_off: case.requirements.sign_off,
            submitter_confirm: case.requirements.submitter_confirm,
            centre_verify: case.requirements.centre_verify,
            extension: case.requirements.extension,
            extension_by: text(case.requirements.extension_by),
            chain: case.requirements.chain,
        },
        overlay: OverlayDto {
            extension: case.overlay.extension.as_ref().map(|e| ExtensionDto {
                days: e.days,
                reason: e.reason.clone(),
                by: text(e.by),
                at: ms(e.at),
            }),
            pause_asked: case.overlay.pause_asked.clone(),
            supervised: case.overlay.supervised,
            escalated: case.overlay.escalated,
            leader_assigned: case.overlay.leader_assigned,
            repeat_of: case.overlay.repeat_of.as_ref().map(text),
            parent: case.overlay.parent.as_ref().map(text),
            parent_answered: case.overlay.parent_answered,
            merged_children: case.overlay.merged_children,
            split_from: case.overlay.split_from.as_ref().map(text),
        },
        clocks: case
            .clocks
            .iter()
            .map(|c| ClockDto {
                key: text(c.key),
                turn: c.turn,
                task: c.task.map(text),
                owner: c.owner.clone(),
                started_at: ms(c.started_at),
                limit: limit_dto(c.limit),
                extension_days: c.extension_days,
                due_at: opt_ms(c.due_at),
                provisional: c.provisional,
                state: text(c.state),
                stopped_at: opt_ms(c.stopped_at),
                missed: c.missed,
            })
            .collect(),
        pauses: case
            .pauses
            .iter()
            .map(|p| PauseDto {
                reason: text(p.reason),
                explanation: p.explanation.clone(),
                document: p.document.clone(),
                from: ms(p.from),
                until: opt_ms(p.until),
                ended_at: opt_ms(p.ended_at),
            })
            .collect(),
        tasks: case
            .tasks
            .iter()
            .map(|t| TaskDto {
                id: text(t.id),
                kind: text(t.kind),
                unit: t.unit.clone(),
                text: t.text.clone(),
                created_at: ms(t.created_at),
                due_at: opt_ms(t.due_at),
                state: text(t.state),
                answer: t.answer.clone(),
                ended_at: opt_ms(t.ended_at),
                late: t.late,
            })
            .collect(),
        draft: case.draft.as_ref().map(|d| DraftDto {
            text: d.text.clone(),
            conclusion: text(d.conclusion),
            author: text(d.author),
            from_bot: d.from_bot,
            at: ms(d.at),
        }),
        signature: case.signature.as_ref().map(|s| SignatureDto {
            text: s.text.clone(),
            conclusion: text(s.conclusion),
            drafter: text(s.drafter),
            signer: text(s.signer),
            signer_name: s.signer_name.clone(),
            as_deputy: s.as_deputy,
            at: ms(s.at),
            released_at: opt_ms(s.released_at),
        }),
        ratings: case
            .ratings
            .iter()
            .map(|r| RatingDto {
                grade: r.grade,
                solved: r.solved,
                reason: r.reason.clone(),
                words: r.words.clone(),
                at: ms(r.at),
                round: r.round,
            })
            .collect(),
        returns: case
            .returns
            .iter()
            .map(|r| ReturnDto {
                unit: r.unit.clone(),
                reason: text(r.reason),
                basis: r.basis.clone(),
                proposed_unit: r.proposed_unit.clone(),
                at: ms(r.at),
                granted: r.granted,
            })
            .collect(),
        ruled: case.ruled,
        ruled_by: case.ruled_by.map(text),
        dispatches: case.dispatches,
        failed_contacts: FailedContactsDto::Told {
            tries: case.failed_contacts.tries,
            last: case.failed_contacts.last.map(ms),
            message_left: case.failed_contacts.message_left,
        },
        prompts: PromptsDto {
            reminders: case.prompts.reminders,
            reminded_at: case.prompts.reminded_at.map(ms),
            calls: case.prompts.calls,
            called_at: case.prompts.called_at.map(ms),
            pressed: case.prompts.pressed,
        },
        info_asked: case.info_asked,
        lapsed: case.lapsed,
        refusal: case.refusal.as_ref().map(|(code, path)| (text(code), path.clone())),
        refused_by: case.refused_by.map(text),
        objected: case.objected,
        approvals: case.approvals,
        approvers: case.approvers.iter().map(text).collect(),
        wrote: case.wrote.iter().map(text).collect(),
        extensions: case.extensions,
        urges: case.urges,
        urged_at: opt_ms(case.urged_at),
        verified_by: case.verified_by.map(text),
        confirmation: case.confirmation.as_ref().map(|c| match c {
            Confirmation::ByEnterprise(at) => ConfirmationDto::Enterprise(ms(*at)),
            Confirmation::ByPhone(at, record) => ConfirmationDto::Phone(ms(*at), record.clone()),
            Confirmation::Silent(at) => ConfirmationDto::Silent(ms(*at)),
            Confirmation::Dismissed(at) => ConfirmationDto::Dismissed(ms(*at)),
            Confirmation::Explained(at) => ConfirmationDto::Explained(ms(*at)),
        }),
        conclusion: case.conclusion.map(text),
        closings: case
            .closings
            .iter()
            .map(|c| ClosingDto {
                round: c.round,
                at: ms(c.at),
                conclusion: text(c.conclusion),
                resolved_layer: c.resolved_layer.clone(),
                silent: c.silent,
                in_time: c.in_time,
            })
            .collect(),
        last_seq: case.last_seq,
        submitted_at: ms(case.submitted_at),
        accepted_at: opt_ms(case.accepted_at),
        dispatched_at: opt_ms(case.dispatched_at),
        delivered_at: opt_ms(case.delivered_at),
        entered_at: ms(case.entered_at),
        changed_at: ms(case.changed_at),
    };
    serde_json::to_string(&dto).expect("strings, numbers and lists always serialise")
}
