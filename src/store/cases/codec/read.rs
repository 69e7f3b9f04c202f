//! The way back: from the columns of a row to the aggregate.

use jiff::{Timestamp, civil::Date};

use super::{CaseDto, ClockDto, ConfirmationDto, FailedContactsDto, LimitDto, Ms, OverlayDto, TaskDto};
use crate::{
    domain::{
        case::{
            Case, CaseClock, CaseParty, CaseTask, Closing, Confirmation, Draft, ExtensionRequest, FailedContacts,
            Limit, Overlay, PauseRecord, Prompts, ProposedTopic, QueryCode, Rating, Requirements, ReturnRequest,
            RouteFacts, Signature,
        },
        sla::{Approver, Budget},
    },
    store::StoreError,
};

/// The columns a case is read from.
pub(in crate::store::cases) struct Stored<'r> {
    pub(in crate::store::cases) id: &'r str,
    pub(in crate::store::cases) number: &'r str,
    pub(in crate::store::cases) query_code: &'r str,
    pub(in crate::store::cases) version: i64,
    pub(in crate::store::cases) original_words: String,
    pub(in crate::store::cases) detail: &'r str,
}

/// Reads the aggregate back.
pub(in crate::store::cases) fn decode(row: Stored<'_>) -> Result<Case, StoreError> {
    let bad = |column: &'static str| StoreError::Inconsistent { table: "cases", column, id: row.id.to_owned() };
    let dto: CaseDto = serde_json::from_str(row.detail).map_err(|_| bad("detail"))?;
    let id = row.id.parse().map_err(|_| bad("id"))?;
    let number = row.number.parse().map_err(|_| bad("number"))?;
    let query_code = QueryCode::parse(row.query_code).ok_or_else(|| bad("query_code"))?;
    let case = restore(dto, id, number, query_code, row.version, row.original_words);
    case.ok_or_else(|| bad("detail"))
}

fn at(value: Ms) -> Option<Timestamp> {
    Timestamp::from_millisecond(value).ok()
}

/// `None` inside is an error, `None` outside is absence.
fn failed_contacts(dto: FailedContactsDto) -> Option<FailedContacts> {
    Some(match dto {
        // Two of them stood for the first contact then.
        FailedContactsDto::Count(tries) => FailedContacts { tries, last: None, message_left: tries >= 2 },
        FailedContactsDto::Told { tries, last, message_left } => {
            FailedContacts { tries, last: opt_at(last)?, message_left }
        }
    })
}

#[expect(clippy::option_option, reason = "the outer one is the error, the inner one the absence")]
fn opt_at(value: Option<Ms>) -> Option<Option<Timestamp>> {
    value.map_or(Some(None), |value| at(value).map(Some))
}

fn word<T: std::str::FromStr>(value: &str) -> Option<T> {
    value.parse().ok()
}

#[expect(clippy::option_option, reason = "the outer one is the error, the inner one the absence")]
fn opt_word<T: std::str::FromStr>(value: Option<&String>) -> Option<Option<T>> {
    value.map_or(Some(None), |value| word(value).map(Some))
}

fn all<A, B>(items: Vec<A>, read: impl FnMut(A) -> Option<B>) -> Option<Vec<B>> {
    items.into_iter().map(read).collect()
}

fn restore_clock(c: ClockDto) -> Option<CaseClock> {
    Some(CaseClock {
        key: word(&c.key)?,
        turn: c.turn,
        task: opt_word(c.task.as_ref())?,
        owner: c.owner,
        started_at: at(c.started_at)?,
        limit: match c.limit {
            LimitDto::Budget(unit, n) => Limit::Budget(Budget { unit: word(&unit)?, n }),
            LimitDto::Until(value) => Limit::Until(at(value)?),
            LimitDto::Open => Limit::Open,
        },
        extension_days: c.extension_days,
        due_at: opt_at(c.due_at)?,
        provisional: c.provisional,
        state: word(&c.state)?,
        stopped_at: opt_at(c.stopped_at)?,
        missed: c.missed,
    })
}

fn restore_overlay(o: OverlayDto) -> Option<Overlay> {
    Some(Overlay {
        extension: match o.extension {
            Some(e) => Some(ExtensionRequest { days: e.days, reason: e.reason, by: word(&e.by)?, at: at(e.at)? }),
            None => None,
        },
        pause_asked: o.pause_asked,
        supervised: o.supervised,
        escalated: o.escalated,
        leader_assigned: o.leader_assigned,
        repeat_of: opt_word(o.repeat_of.as_ref())?,
        parent: opt_word(o.parent.as_ref())?,
        parent_answered: o.parent_answered,
        merged_children: o.merged_children,
        split_from: opt_word(o.split_from.as_ref())?,
    })
}

fn restore_task(t: TaskDto) -> Option<CaseTask> {
    Some(CaseTask {
        id: word(&t.id)?,
        kind: word(&t.kind)?,
        unit: t.unit,
        text: t.text,
        created_at: at(t.created_at)?,
        due_at: opt_at(t.due_at)?,
        state: word(&t.state)?,
        answer: t.answer,
        ended_at: opt_at(t.ended_at)?,
        late: t.late,
    })
}

fn restore_confirmation(c: ConfirmationDto) -> Option<Confirmation> {
    Some(match c {
        ConfirmationDto::Enterprise(value) => Confirmation::ByEnterprise(at(value)?),
        ConfirmationDto::Phone(value, record) => Confirmation::ByPhone(at(value)?, record),
        ConfirmationDto::Silent(value) => Confirmation::Silent(at(value)?),
        ConfirmationDto::Dismissed(value) => Confirmation::Dismissed(at(value)?),
        ConfirmationDto::Explained(value) => Confirmation::Explained(at(value)?),
    })
}

fn restore(
    dto: CaseDto,
    id: crate::domain::ids::CaseId,
    number: crate::domain::case::CaseNumber,
    query_code: QueryCode,
    version: i64,
    original_words: String,
) -> Option<Case> {
    let happened_on = match dto.happened_on {
        Some(day) => Some(day.parse::<Date>().ok()?),
        None => None,
    };
    Some(Case {
        id,
        number,
        query_code,
        version,
        status: word(&dto.status)?,
        round: dto.round,
        case_type: word(&dto.case_type)?,
        topic: dto.topic,
        urgency: word(&dto.urgency)?,
        complexity: opt_word(dto.complexity.as_ref())?,
        channel: word(&dto.channel)?,
        region: dto.region,
        title: dto.title,
        original_words,
        demand: dto.demand,
        place: dto.place,
        happened_on,
        amount: dto.amount,
        object: dto.object,
        party: CaseParty {
            enterprise: dto.party.enterprise,
            uscc: dto.party.uscc,
            contact_name: dto.party.contact_name,
            contact_phone: dto.party.contact_phone,
            confidential: dto.party.confidential,
            proxy: dto.party.proxy,
        },
        recused: dto.recused,
        sealed: dto.sealed,
        conversation: opt_word(dto.conversation.as_ref())?,
        proposed_lead: dto.proposed_lead,
        proposed_assists: dto.proposed_assists,
        route_reason: dto.route_reason,
        proposal: RouteFacts {
            topic: dto.proposal.topic,
            board: dto.proposal.board,
            category: dto.proposal.category,
            joint: dto.proposal.joint,
            place_basis: dto.proposal.place_basis,
            profile: dto.proposal.profile,
            guidance: dto.proposal.guidance,
            tags: dto.proposal.tags,
            topics: dto
                .proposal
                .topics
                .into_iter()
                .map(|(topic, score, words)| ProposedTopic { topic, score, words })
                .collect(),
            rules: dto.proposal.rules,
            confidence: dto.proposal.confidence,
        },
        rule_version: dto.rule_version,
        answered_by_rule: dto.answered_by_rule,
        lead_unit: dto.lead_unit,
        assists: dto.assists,
        handler: opt_word(dto.handler.as_ref())?,
        handler_name: dto.handler_name,
        requirements: Requirements {
            profile: dto.requirements.profile,
            version: dto.requirements.version,
            reason: dto.requirements.reason,
            starts_on_delivery: dto.requirements.starts_on_delivery,
            sign_off: dto.requirements.sign_off,
            submitter_confirm: dto.requirements.submitter_confirm,
            centre_verify: dto.requirements.centre_verify,
            extension: dto.requirements.extension,
            // Written before policies could name anybody else.
            extension_by: word(&dto.requirements.extension_by).unwrap_or(Approver::Dispatcher),
            chain: dto.requirements.chain,
        },
        overlay: restore_overlay(dto.overlay)?,
        clocks: all(dto.clocks, restore_clock)?,
        pauses: all(dto.pauses, |p| {
            Some(PauseRecord {
                reason: word(&p.reason)?,
                explanation: p.explanation,
                document: p.document,
                from: at(p.from)?,
                until: opt_at(p.until)?,
                ended_at: opt_at(p.ended_at)?,
            })
        })?,
        tasks: all(dto.tasks, restore_task)?,
        draft: match dto.draft {
            Some(d) => Some(Draft {
                text: d.text,
                conclusion: word(&d.conclusion)?,
                author: word(&d.author)?,
                from_bot: d.from_bot,
                at: at(d.at)?,
            }),
            None => None,
        },
        signature: match dto.signature {
            Some(s) => Some(Signature {
                text: s.text,
                conclusion: word(&s.conclusion)?,
                drafter: word(&s.drafter)?,
                signer: word(&s.signer)?,
                signer_name: s.signer_name,
                as_deputy: s.as_deputy,
                at: at(s.at)?,
                released_at: opt_at(s.released_at)?,
            }),
            None => None,
        },
        ratings: all(dto.ratings, |r| {
            Some(Rating {
                grade: r.grade,
                solved: r.solved,
                reason: r.reason,
                words: r.words,
                at: at(r.at)?,
                round: r.round,
            })
        })?,
        returns: all(dto.returns, |r| {
            Some(ReturnRequest {
                unit: r.unit,
                reason: word(&r.reason)?,
                basis: r.basis,
                proposed_unit: r.proposed_unit,
                at: at(r.at)?,
                granted: r.granted,
            })
        })?,
        ruled: dto.ruled,
        ruled_by: opt_word(dto.ruled_by.as_ref())?,
        dispatches: dto.dispatches,
        failed_contacts: failed_contacts(dto.failed_contacts)?,
        prompts: Prompts {
            reminders: dto.prompts.reminders,
            reminded_at: opt_at(dto.prompts.reminded_at)?,
            calls: dto.prompts.calls,
            called_at: opt_at(dto.prompts.called_at)?,
            pressed: dto.prompts.pressed,
        },
        info_asked: dto.info_asked,
        lapsed: dto.lapsed,
        refusal: match dto.refusal {
            Some((code, path)) => Some((word(&code)?, path)),
            None => None,
        },
        refused_by: opt_word(dto.refused_by.as_ref())?,
        objected: dto.objected,
        approvals: dto.approvals,
        approvers: all(dto.approvers, |id| word(&id))?,
        wrote: all(dto.wrote, |id| word(&id))?,
        extensions: dto.extensions,
        urges: dto.urges,
        urged_at: opt_at(dto.urged_at)?,
        verified_by: opt_word(dto.verified_by.as_ref())?,
        confirmation: match dto.confirmation {
            Some(c) => Some(restore_confirmation(c)?),
            None => None,
        },
        conclusion: opt_word(dto.conclusion.as_ref())?,
        closings: all(dto.closings, |c| {
            Some(Closing {
                round: c.round,
                at: at(c.at)?,
                conclusion: word(&c.conclusion)?,
                resolved_layer: c.resolved_layer,
                silent: c.silent,
                in_time: c.in_time,
            })
        })?,
        last_seq: dto.last_seq,
        submitted_at: at(dto.submitted_at)?,
        accepted_at: opt_at(dto.accepted_at)?,
        dispatched_at: opt_at(dto.dispatched_at)?,
        delivered_at: opt_at(dto.delivered_at)?,
        entered_at: at(dto.entered_at)?,
        changed_at: at(dto.changed_at)?,
    })
}
