//! The JSON shape of one case, for officers.

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::{case_queries::CaseFile, content::Content},
    domain::case::{Case, CaseClock, ClockState, Conclusion, GRADES, LAYERS, Limit, Stage, TaskKind},
};

/// RFC 3339 with the offset of the configured zone.
pub(super) fn rfc3339(at: Timestamp, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
    at.display_with_offset(zone.to_offset(at)).to_string()
}

pub(super) fn opt_time(at: Option<Timestamp>, zone: &TimeZone) -> Option<String> {
    at.map(|at| rfc3339(at, zone))
}

/// A unit.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnitName {
    /// Slug.
    pub slug: String,
    /// Short name.
    pub name: String,
}

/// One clock of a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClockView {
    /// `K1` … `K13`.
    pub key: String,
    /// What it times.
    pub label: String,
    /// Slug of the unit that answers for it, or `centre`.
    pub owner: String,
    /// Its name.
    pub owner_name: String,
    /// When it began.
    pub started_at: String,
    /// When it is due; null while a pause lasts.
    pub due_at: Option<String>,
    /// `running`, `paused`, `held`, `stopped`, `cancelled`.
    pub state: String,
    /// The same in words.
    pub state_label: String,
    /// Rests on a calendar that is not yet published.
    pub provisional: bool,
    /// Past due, or stopped after it was due.
    pub overdue: bool,
    /// When it was stopped or held.
    pub stopped_at: Option<String>,
    /// Working days added by extension.
    pub extension_days: u32,
    /// How long it runs, in words.
    pub limit_text: String,
    /// “还剩 1 个工作日 3 小时”.
    pub remaining_text: Option<String>,
}

impl ClockView {
    fn new(clock: &CaseClock, file: &CaseFile, content: &Content) -> Self {
        let zone = content.schedule.zone();
        let running = clock.state == ClockState::Running;
        Self {
            key: clock.key.as_str().to_owned(),
            label: clock.key.label().to_owned(),
            owner: clock.owner.clone(),
            owner_name: file.unit_name(&clock.owner).to_owned(),
            started_at: rfc3339(clock.started_at, zone),
            due_at: opt_time(clock.due_at, zone),
            state: clock.state.as_str().to_owned(),
            state_label: clock.state.label().to_owned(),
            provisional: clock.provisional,
            overdue: clock.missed || clock.is_overdue(file.now),
            stopped_at: if running { None } else { opt_time(clock.stopped_at, zone) },
            extension_days: clock.extension_days,
            limit_text: match clock.limit {
                Limit::Budget(budget) => budget.in_words(),
                Limit::Until(at) => format!("{}前", content.schedule.due_text(at, file.now)),
                Limit::Open => "按法定时限".to_owned(),
            },
            remaining_text: clock
                .due_at
                .filter(|_| running)
                .map(|due| content.schedule.remaining(file.now, due).in_words()),
        }
    }
}

/// Something that is true beside the state.
#[derive(Debug, Serialize, ToSchema)]
pub struct OverlayView {
    /// `paused`, `extension_pending`, `pause_asked`, `supervised`, `escalated`, `assist_open`, `leader_assigned`,
    /// `confidential`, `repeat_of`, `merged_children`, `sealed`, `split_from`.
    pub kind: &'static str,
    /// In words.
    pub label: String,
    /// Level, count, reason or number.
    pub value: Option<String>,
    /// Until when (pause).
    pub until: Option<String>,
}

fn overlays(case: &Case, zone: &TimeZone) -> Vec<OverlayView> {
    let mut list = Vec::new();
    let mut add = |kind, label: String, value: Option<String>| {
        list.push(OverlayView { kind, label, value, until: None });
    };
    if let Some(request) = &case.overlay.extension {
        add(
            "extension_pending",
            format!("申请延期{}个工作日：{}", request.days, request.reason),
            Some(request.days.to_string()),
        );
    }
    if let Some(items) = &case.overlay.pause_asked {
        add("pause_asked", format!("申请暂停：{items}"), None);
    }
    if let Some(level) = case.overlay.supervised {
        add("supervised", format!("督办{level}级"), Some(level.to_string()));
    }
    if let Some(rung) = case.overlay.escalated {
        add("escalated", format!("提级{rung}层"), Some(rung.to_string()));
    }
    if case.open_assists() > 0 {
        add("assist_open", format!("协办{}项未答", case.open_assists()), Some(case.open_assists().to_string()));
    }
    if case.overlay.leader_assigned {
        add("leader_assigned", "领导交办".to_owned(), None);
    }
    if case.party.confidential {
        add("confidential", "身份保密".to_owned(), None);
    }
    if case.sealed {
        add("sealed", "仅限纪检作风".to_owned(), None);
    }
    if let Some(number) = &case.overlay.repeat_of {
        add("repeat_of", format!("与 {number} 重复"), Some(number.to_string()));
    }
    if case.overlay.merged_children > 0 {
        add(
            "merged_children",
            format!("并入{}件", case.overlay.merged_children),
            Some(case.overlay.merged_children.to_string()),
        );
    }
    if let Some(number) = &case.overlay.split_from {
        add("split_from", format!("由 {number} 拆分"), Some(number.to_string()));
    }
    if let Some(pause) = case.open_pause() {
        list.push(OverlayView {
            kind: "paused",
            label: format!("暂停计时（{}）：{}", pause.reason.label(), pause.explanation),
            value: Some(pause.reason.as_str().to_owned()),
            until: opt_time(pause.until, zone),
        });
    }
    list
}

/// A task of a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskView {
    /// Id for `answer_assist` and `waive_assist`.
    pub id: String,
    /// `assist`, `promise`, `milestone`.
    pub kind: String,
    /// Unit.
    pub unit: UnitName,
    /// Question, promise or milestone.
    pub text: String,
    /// When it is due.
    pub due_at: Option<String>,
    /// `open`, `answered`, `waived`, `done`, `missed`, `cancelled`.
    pub state: String,
    /// Answer or result.
    pub answer: Option<String>,
    /// Was late.
    pub late: bool,
}

/// A reply, drafted or signed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplyView {
    /// Text.
    pub text: String,
    /// Conclusion.
    pub conclusion: String,
    /// Conclusion in words.
    pub conclusion_label: String,
    /// Drafted or signed at.
    pub at: String,
    /// Who signed, as shown to the enterprise.
    pub signer: Option<String>,
    /// The bot proposed the text.
    pub from_bot: bool,
    /// When the enterprise got it.
    pub released_at: Option<String>,
}

/// A rating.
#[derive(Debug, Serialize, ToSchema)]
pub struct RatingView {
    /// 5 best to 1 worst.
    pub grade: u8,
    /// In words.
    pub label: String,
    /// Solved, as the enterprise says.
    pub solved: bool,
    /// Reason tag.
    pub reason: Option<String>,
    /// Words.
    pub words: Option<String>,
    /// When.
    pub at: String,
    /// Handling round.
    pub round: u16,
}

/// A closing.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClosingView {
    /// Handling round.
    pub round: u16,
    /// When.
    pub at: String,
    /// Conclusion.
    pub conclusion: String,
    /// In words.
    pub conclusion_label: String,
    /// Layer that solved it.
    pub resolved_layer: String,
    /// In words.
    pub resolved_layer_label: String,
    /// Without a word from the enterprise.
    pub silent: bool,
    /// In time.
    pub in_time: bool,
}

/// A return that a unit asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReturnView {
    /// Who asked.
    pub unit: UnitName,
    /// Reason.
    pub reason: String,
    /// Legal basis.
    pub basis: String,
    /// Unit that is proposed.
    pub proposed_unit: UnitName,
    /// When.
    pub at: String,
    /// Granted (误派), refused (误退) or open.
    pub granted: Option<bool>,
}

/// The policy a case comes under.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact with a name of its own")]
pub struct PolicyView {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Why.
    pub reason: String,
    /// Closing needs the enterprise's confirmation.
    pub submitter_confirm: bool,
    /// Closing needs the centre's verification.
    pub centre_verify: bool,
    /// Replies are signed by the unit leader.
    pub sign_off: bool,
    /// Extensions exist.
    pub extension: bool,
}

/// One case.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseView {
    /// Number, with `-R1` after a reopening.
    pub number: String,
    /// State.
    pub status: String,
    /// State in words.
    pub status_label: String,
    /// `S00` … `S23`.
    pub status_code: String,
    /// Stage of the bar, 1 to 8; 0 off the road.
    pub stage: u8,
    /// Stage in words.
    pub stage_label: String,
    /// Type.
    #[serde(rename = "type")]
    pub case_type: String,
    /// Type in words.
    pub type_label: String,
    /// Topic code.
    pub topic: Option<String>,
    /// Topic in words.
    pub topic_label: Option<String>,
    /// Urgency.
    pub urgency: String,
    /// Complexity.
    pub complexity: Option<String>,
    /// Channel.
    pub channel: String,
    /// Administrative code.
    pub region: String,
    /// One line.
    pub title: String,
    /// The enterprise's own words.
    pub original_words: String,
    /// What it wants.
    pub demand: String,
    /// Enterprise.
    pub enterprise: String,
    /// 统一社会信用代码.
    pub uscc: Option<String>,
    /// Contact person.
    pub contact_name: String,
    /// Contact phone.
    pub contact_phone: String,
    /// The identity is not shown to this account.
    pub identity_hidden: bool,
    /// Place.
    pub place: Option<String>,
    /// Day.
    pub happened_on: Option<String>,
    /// Amount.
    pub amount: Option<String>,
    /// Unit or person complained of.
    pub object: Option<String>,
    /// Lead unit.
    pub lead_unit: Option<UnitName>,
    /// Assisting units.
    pub assists: Vec<UnitName>,
    /// Lead unit that is proposed.
    pub proposed_lead: Option<UnitName>,
    /// Assisting units that are proposed.
    pub proposed_assists: Vec<UnitName>,
    /// Why.
    pub route_reason: String,
    /// What else the rules and the dispatch table said when it was filed.
    pub proposal: RouteProposalView,
    /// Id of the named handler.
    pub handler: Option<String>,
    /// Name of the named handler.
    pub handler_name: Option<String>,
    /// Who is responsible now: unit, or null for the centre.
    pub responsible_unit: Option<UnitName>,
    /// Policy.
    pub policy: PolicyView,
    /// When the enterprise gets its answer at the latest.
    pub due_at: Option<String>,
    /// In words.
    pub due_text: Option<String>,
    /// The clocks, oldest first.
    pub clocks: Vec<ClockView>,
    /// What is true beside the state.
    pub overlays: Vec<OverlayView>,
    /// Tasks.
    pub tasks: Vec<TaskView>,
    /// Reply in drafting.
    pub draft: Option<ReplyView>,
    /// Signed reply.
    pub reply: Option<ReplyView>,
    /// Conclusion.
    pub conclusion: Option<String>,
    /// Ratings, oldest first.
    pub ratings: Vec<RatingView>,
    /// Returns asked for.
    pub returns: Vec<ReturnView>,
    /// Closings.
    pub closings: Vec<ClosingView>,
    /// The enterprise confirmed, was silent, …
    pub confirmed: bool,
    /// The centre verified.
    pub verified: bool,
    /// Urges counted.
    pub urges: u32,
    /// Handling round.
    pub round: u16,
    /// What this account may do now.
    pub allowed_actions: Vec<String>,
    /// The conversation it came from.
    pub conversation_id: Option<String>,
    /// Grows with every change.
    pub version: i64,
    /// Submitted at.
    pub submitted_at: String,
    /// Accepted at.
    pub accepted_at: Option<String>,
    /// First dispatched at.
    pub dispatched_at: Option<String>,
    /// In this state since.
    pub entered_at: String,
    /// Changed at.
    pub changed_at: String,
}

/// What rules and dispatch table proposed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RouteProposalView {
    /// Board (板块).
    pub board: Option<String>,
    /// Category, in Chinese.
    pub category: Option<String>,
    /// Several units must act together.
    pub joint: bool,
    /// Which place counts, in Chinese.
    pub place_basis: Option<String>,
    /// Policy of time limits that the row of the table names.
    pub profile: Option<String>,
    /// What the row tells the dispatcher.
    pub guidance: String,
    /// Marks that a rule put on the case.
    pub tags: Vec<String>,
    /// The best topics with what spoke for them.
    pub topics: Vec<ProposedTopicView>,
    /// Ids of the rules that fired.
    pub rules: Vec<String>,
    /// How sure the rules were, 0 to 100.
    pub confidence: u8,
}

/// A topic that came into question.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProposedTopicView {
    /// Topic code.
    pub topic: String,
    /// Its name.
    pub label: String,
    /// Sum of what spoke for it.
    pub score: u32,
    /// The words that did.
    pub words: Vec<String>,
}

impl RouteProposalView {
    fn new(case: &Case, content: &Content) -> Self {
        let told = &case.proposal;
        let label = |code: &str| content.taxonomy.topic(code).map_or_else(|| code.to_owned(), |t| t.label.clone());
        Self {
            board: told.board.clone(),
            category: told.category.clone(),
            joint: told.joint,
            place_basis: told.place_basis.clone(),
            profile: told.profile.clone(),
            guidance: told.guidance.clone(),
            tags: told.tags.clone(),
            topics: told
                .topics
                .iter()
                .map(|t| ProposedTopicView {
                    topic: t.topic.clone(),
                    label: label(&t.topic),
                    score: t.score,
                    words: t.words.clone(),
                })
                .collect(),
            rules: told.rules.clone(),
            confidence: told.confidence,
        }
    }
}

impl CaseView {
    /// The case as the API shows it.
    pub fn new(file: &CaseFile, content: &Content) -> Self {
        let case = &file.case;
        let zone = content.schedule.zone();
        let unit = |slug: &String| UnitName { slug: slug.clone(), name: file.unit_name(slug).to_owned() };
        let due = crate::app::case_queries::told_due(case).filter(|_| case.status.is_open());
        let conclusion_label = |conclusion: Conclusion| conclusion.label().to_owned();
        Self {
            number: case.display_number(),
            status: case.status.as_str().to_owned(),
            status_label: case.status.label().to_owned(),
            status_code: case.status.code().to_owned(),
            stage: case.status.stage().map_or(0, Stage::number),
            stage_label: case.status.stage().map_or("", Stage::label).to_owned(),
            case_type: case.case_type.as_str().to_owned(),
            type_label: case.case_type.label().to_owned(),
            topic: case.topic.clone(),
            topic_label: case.topic.as_deref().and_then(|code| content.taxonomy.topic(code)).map(|t| t.label.clone()),
            urgency: case.urgency.as_str().to_owned(),
            complexity: case.complexity.map(|c| c.as_str().to_owned()),
            channel: case.channel.as_str().to_owned(),
            region: case.region.clone(),
            title: case.title.clone(),
            original_words: case.original_words.clone(),
            demand: case.demand.clone(),
            enterprise: case.party.enterprise.clone(),
            uscc: case.party.uscc.clone(),
            contact_name: case.party.contact_name.clone(),
            contact_phone: case.party.contact_phone.clone(),
            identity_hidden: !file.sees_identity,
            place: case.place.clone(),
            happened_on: case.happened_on.map(|day| day.to_string()),
            amount: case.amount.clone(),
            object: case.object.clone(),
            lead_unit: case.lead_unit.as_ref().map(unit),
            assists: case.assists.iter().map(unit).collect(),
            proposed_lead: case.proposed_lead.as_ref().map(unit),
            proposed_assists: case.proposed_assists.iter().map(unit).collect(),
            route_reason: case.route_reason.clone(),
            proposal: RouteProposalView::new(case, content),
            handler: case.handler.map(|id| id.to_string()),
            handler_name: case.handler_name.clone(),
            responsible_unit: case.responsible().unit.as_ref().map(unit),
            policy: PolicyView {
                name: case.requirements.profile.clone(),
                version: case.requirements.version.clone(),
                reason: case.requirements.reason.clone(),
                submitter_confirm: case.requirements.submitter_confirm,
                centre_verify: case.requirements.centre_verify,
                sign_off: case.requirements.sign_off,
                extension: case.requirements.extension,
            },
            due_at: opt_time(due, zone),
            due_text: due.map(|due| content.schedule.due_text(due, file.now)),
            clocks: case.clocks.iter().map(|clock| ClockView::new(clock, file, content)).collect(),
            overlays: overlays(case, zone),
            tasks: case
                .tasks
                .iter()
                .map(|task| TaskView {
                    id: task.id.to_string(),
                    kind: task.kind.as_str().to_owned(),
                    unit: unit(&task.unit),
                    text: task.text.clone(),
                    due_at: opt_time(task.due_at, zone),
                    state: task.state.as_str().to_owned(),
                    answer: task.answer.clone().filter(|_| task.kind != TaskKind::Promise),
                    late: task.late,
                })
                .collect(),
            draft: case.draft.as_ref().map(|draft| ReplyView {
                text: draft.text.clone(),
                conclusion: draft.conclusion.as_str().to_owned(),
                conclusion_label: conclusion_label(draft.conclusion),
                at: rfc3339(draft.at, zone),
                signer: None,
                from_bot: draft.from_bot,
                released_at: None,
            }),
            reply: case.signature.as_ref().map(|signature| ReplyView {
                text: signature.text.clone(),
                conclusion: signature.conclusion.as_str().to_owned(),
                conclusion_label: conclusion_label(signature.conclusion),
                at: rfc3339(signature.at, zone),
                signer: Some(signature.signer_name.clone()),
                from_bot: false,
                released_at: opt_time(signature.released_at, zone),
            }),
            conclusion: case.conclusion.map(|c| c.as_str().to_owned()),
            ratings: case
                .ratings
                .iter()
                .map(|rating| RatingView {
                    grade: rating.grade,
                    label: GRADES.iter().find(|(grade, _)| *grade == rating.grade).map_or("", |(_, l)| *l).to_owned(),
                    solved: rating.solved,
                    reason: rating.reason.clone(),
                    words: rating.words.clone(),
                    at: rfc3339(rating.at, zone),
                    round: rating.round,
                })
                .collect(),
            returns: case
                .returns
                .iter()
                .map(|request| ReturnView {
                    unit: unit(&request.unit),
                    reason: request.reason.label().to_owned(),
                    basis: request.basis.clone(),
                    proposed_unit: unit(&request.proposed_unit),
                    at: rfc3339(request.at, zone),
                    granted: request.granted,
                })
                .collect(),
            closings: case
                .closings
                .iter()
                .map(|closing| ClosingView {
                    round: closing.round,
                    at: rfc3339(closing.at, zone),
                    conclusion: closing.conclusion.as_str().to_owned(),
                    conclusion_label: conclusion_label(closing.conclusion),
                    resolved_layer: closing.resolved_layer.clone(),
                    resolved_layer_label: LAYERS
                        .iter()
                        .find(|(slug, _)| *slug == closing.resolved_layer)
                        .map_or("", |(_, label)| *label)
                        .to_owned(),
                    silent: closing.silent,
                    in_time: closing.in_time,
                })
                .collect(),
            confirmed: case.confirmation.is_some(),
            verified: case.verified_by.is_some(),
            urges: case.urges,
            round: case.round,
            allowed_actions: file.allowed.iter().map(|action| action.as_str().to_owned()).collect(),
            conversation_id: case.conversation.map(|id| id.to_string()),
            version: case.version,
            submitted_at: rfc3339(case.submitted_at, zone),
            accepted_at: opt_time(case.accepted_at, zone),
            dispatched_at: opt_time(case.dispatched_at, zone),
            entered_at: rfc3339(case.entered_at, zone),
            changed_at: rfc3339(case.changed_at, zone),
        }
    }
}
