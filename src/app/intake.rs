//! Filing: from confirmed drafts to cases with number, query code and a receipt, in the transaction of the caller.
//!
//! The proposal of the dialogue (type, topic, lead unit) is stored as a proposal: a dispatcher decides. The original
//! words are stored as they are and never changed.

use std::collections::BTreeSet;

use super::{
    App, AppError, FieldError, Officer,
    case_actions::apply_in,
    case_queries,
    case_save::{self, AfterCommit, Setting},
    content::Content,
    conversations,
};
use crate::{
    domain::{
        case::{
            ActionInput, Actor, Case, CaseNumber, CaseParty, CaseStatus, NewCase, ProposedTopic, QueryCode, RouteFacts,
            SplitPart, TransitionError, register,
        },
        dialogue::{CaseDraft, Contact, Evidence, FiledCase, KnownCase, RouteProposal, is_like},
        ids::{AttachmentId, CaseId, ConversationId},
        kinds::{CaseType, Channel, Urgency},
        routing::{self, RouteQuery},
        rules,
        taxonomy::{Category, PlaceBasis},
        text,
    },
    store::{
        Tx, attachments, cases,
        idempotency::{self, FirstAnswer},
    },
};

/// What intake hands back beside the receipt: told after the commit of the caller.
#[derive(Debug, Default)]
pub struct Filed {
    /// One per draft, in order; all with the same code.
    pub cases: Vec<FiledCase>,
    after: AfterCommit,
}

impl Filed {
    /// What another use case of the same transaction tells with it.
    pub(crate) fn after(&mut self) -> &mut AfterCommit {
        &mut self.after
    }

    /// Tells consoles and wakes the jobs; call after the commit.
    pub fn tell(self, app: &App) {
        self.after.tell(app);
    }
}

/// Files drafts as one group with one query code (T02), by the enterprise or by an officer on its behalf.
///
/// # Errors
/// `Invalid` when a draft lacks what no case can do without, `Store`.
pub async fn file_cases(
    tx: &mut Tx,
    app: &App,
    conversation: Option<ConversationId>,
    drafts: &[CaseDraft],
    actor: &Actor,
) -> Result<Filed, AppError> {
    let setting = Setting::new(app, case_save::now_ms(app));
    let today = setting.content().schedule.civil(setting.now()).date();
    let mut bytes = [0; QueryCode::RANDOM_BYTES];
    app.ids.fill(&mut bytes);
    let code = QueryCode::from_random(&bytes);
    let mut filed = Filed::default();
    for draft in drafts {
        let alike = alike(tx, draft, conversation).await?;
        let number = cases::next_number(tx, today).await?;
        let mut new = new_case(app, &setting, draft, number, code.clone(), conversation, actor);
        if let Some(other) = &alike {
            let told =
                format!("与 {} 可能是同一件事（同一企业、内容相近），请核对后并单或分别办理。", other.display_number());
            new.proposal.guidance = [std::mem::take(&mut new.proposal.guidance), told].concat();
        }
        let outcome =
            setting.run(|env| register(new, actor, env)).map_err(|error| case_save::refusal(&error, Vec::new()))?;
        case_save::store_new(tx, app, &setting, &outcome, None, &mut filed.after).await?;
        filed
            .cases
            .push(FiledCase { alike: alike.is_some(), ..receipt(setting.content(), &outcome.case, setting.now()) });
    }
    Ok(filed)
}

/// The line of the receipt.
pub fn receipt(content: &Content, case: &Case, now: jiff::Timestamp) -> FiledCase {
    let due = case_queries::told_due(case);
    FiledCase {
        number: case.display_number(),
        code: case.query_code.grouped(),
        title: case.title.clone(),
        status: case.status.as_str().to_owned(),
        status_label: case.status.label().to_owned(),
        stage: case.status.stage().map_or(0, crate::domain::case::Stage::number),
        due_at: due,
        due_text: due.map(|due| {
            let what = if case.status == CaseStatus::Submitted { "前受理" } else { "前答复" };
            format!("{}{what}", content.schedule.due_text(due, now))
        }),
        alike: false,
    }
}

/// Slugs of the units that a case is about when its type becomes this one: what the enterprise filed as something else
/// may be a complaint after all.
pub(super) fn accused(content: &Content, case: &Case, case_type: CaseType, now: jiff::Timestamp) -> Vec<String> {
    if !case_type.accuses() {
        return Vec::new();
    }
    let today = content.schedule.civil(now).date();
    let area = Some(case.region.as_str());
    let input = rules::Input { text: &case.original_words, channel: case.channel, area, today };
    let decision = content.rules.decide(&input);
    let objects: Vec<String> = decision.matters.iter().flat_map(|matter| matter.objects.iter().cloned()).collect();
    recused(content, case_type, &objects, case.object.as_ref())
}

/// Slugs of the organs that are the object of the matter, with everything above and below them.
fn recused(content: &Content, case_type: CaseType, objects: &[String], object: Option<&String>) -> Vec<String> {
    let units = content.routing.units();
    let mut slugs = BTreeSet::new();
    let named = objects.iter().chain(object.filter(|_| case_type.names_the_accused()));
    for name in named {
        if let Some(unit) = units.find(name) {
            slugs.extend(units.kin(&unit.slug));
        }
        for mention in units.mentions(name) {
            slugs.extend(units.kin(&mention.slug));
        }
    }
    // The desks that must handle what nobody else may are never taken out of the game by a parent they share.
    let desks = content.routing.desks();
    let direct: BTreeSet<String> = objects.iter().filter_map(|name| units.find(name)).map(|u| u.slug.clone()).collect();
    slugs
        .into_iter()
        .filter(|slug| {
            direct.contains(slug) || !(desks.conduct.contains(slug) || *slug == desks.centre || *slug == desks.duty)
        })
        .collect()
}

/// What is kept of the proposal beside the lead unit.
fn route_facts(route: &RouteProposal, draft: &CaseDraft) -> RouteFacts {
    let label = |slug: &Option<String>, label: fn(&str) -> Option<&'static str>| {
        slug.as_deref().map(|slug| label(slug).unwrap_or(slug).to_owned())
    };
    RouteFacts {
        topic: draft.topic.clone(),
        board: route.board.clone(),
        category: label(&route.category, |slug| slug.parse::<Category>().ok().map(Category::label)),
        joint: route.joint,
        place_basis: label(&route.place_basis, |slug| slug.parse::<PlaceBasis>().ok().map(PlaceBasis::label)),
        profile: route.profile.clone(),
        guidance: route.guidance.clone(),
        tags: route.tags.clone(),
        topics: draft
            .topics
            .iter()
            .map(|t| ProposedTopic { topic: t.topic.clone(), score: t.score, words: t.words.clone() })
            .collect(),
        rules: draft.evidence.rules.clone(),
        confidence: (draft.evidence.confidence.clamp(0.0, 1.0) * 100.0).round() as u8,
    }
}

fn proposal(content: &Content, draft: &CaseDraft, today: jiff::civil::Date) -> RouteProposal {
    if !draft.route.lead.is_empty() {
        return draft.route.clone();
    }
    // Whatever the type, the unit that the enterprise names as the one it complains of must stand back.
    let objects: Vec<String> = draft.objects.iter().chain(&draft.object).cloned().collect();
    let query = RouteQuery {
        case_type: draft.case_type,
        topic: draft.topic.as_deref(),
        text: &draft.original,
        region: draft.region.as_deref(),
        objects: &objects,
        urgency: draft.urgency,
        diversion: None,
        today,
    };
    RouteProposal::from(routing::route(&content.routing, &query))
}

fn new_case(
    app: &App,
    setting: &Setting,
    draft: &CaseDraft,
    number: CaseNumber,
    query_code: QueryCode,
    conversation: Option<ConversationId>,
    actor: &Actor,
) -> NewCase {
    let content = setting.content();
    let today = content.schedule.civil(setting.now()).date();
    let route = proposal(content, draft, today);
    let recused = recused(content, draft.case_type, &draft.objects, draft.object.as_ref());
    let contact = &draft.contact;
    let reach = contact.phone.as_ref().or(contact.email.as_ref()).or(contact.wechat.as_ref());
    let region = draft.region.clone().unwrap_or_else(|| app.config.region.code.clone());
    NewCase {
        id: CaseId::from_uuid(app.ids.uuid(setting.now())),
        number,
        query_code,
        case_type: draft.case_type,
        topic: draft.topic.clone(),
        urgency: if draft.risk { draft.urgency.max(Urgency::Urgent) } else { draft.urgency },
        channel: draft.channel,
        region,
        title: draft.title.clone(),
        original_words: draft.original.clone(),
        demand: draft.demand.clone(),
        place: draft.place.clone(),
        happened_on: draft.happened_on,
        amount: draft.amount.as_ref().map(|amount| amount.text.clone()),
        object: draft.object.clone(),
        party: CaseParty {
            enterprise: if draft.anonymous { String::new() } else { draft.enterprise.clone().unwrap_or_default() },
            uscc: if draft.anonymous { None } else { draft.uscc.clone() },
            contact_name: if draft.anonymous { String::new() } else { contact.name.clone().unwrap_or_default() },
            contact_phone: if draft.anonymous { String::new() } else { reach.cloned().unwrap_or_default() },
            confidential: draft.confidential
                || draft.sensitive
                || route.sensitive
                || draft.case_type == CaseType::Conduct,
            proxy: match actor {
                Actor::Proxy { name } => Some(name.clone()),
                Actor::Enterprise | Actor::Officer(_) | Actor::Bot | Actor::Timer => None,
            },
        },
        proposal: route_facts(&route, draft),
        proposed_lead: (!route.lead.is_empty() && !recused.contains(&route.lead)).then_some(route.lead),
        proposed_assists: route
            .assists
            .into_iter()
            .map(|(slug, _)| slug)
            .filter(|slug| !recused.contains(slug))
            .collect(),
        recused,
        conversation,
        route_reason: route.reason,
        rule_version: draft.evidence.rule_set_hash.clone(),
        answered_by_rule: draft.answered_before.as_ref().map(|before| before.rule_id.clone()),
        leader_assigned: draft.channel == Channel::LeaderAssigned,
        repeat_of: None,
        split_from: None,
    }
}

/// Files one part of a split case (T45): same words, same code, accepted already.
pub(super) async fn file_part(
    tx: &mut Tx,
    app: &App,
    setting: &Setting,
    parent: &Case,
    part: &SplitPart,
    actor: &Actor,
    after: &mut AfterCommit,
) -> Result<(), AppError> {
    let content = setting.content();
    let today = content.schedule.civil(setting.now()).date();
    let number = cases::next_number(tx, today).await?;
    // What is sealed stays with those who may read it: a part that is not takes its own words only.
    let unsealed = parent.sealed && part.case_type != CaseType::Conduct;
    let object = parent.object.clone().filter(|_| !unsealed);
    let mut recused = recused(content, part.case_type, &[], object.as_ref());
    recused.extend(parent.recused.iter().filter(|slug| !recused.contains(slug)).cloned().collect::<Vec<_>>());
    let query = RouteQuery {
        case_type: part.case_type,
        topic: part.topic.as_deref(),
        text: &part.demand,
        region: Some(parent.region.as_str()),
        objects: &recused,
        urgency: parent.urgency,
        diversion: None,
        today,
    };
    let route = routing::route(&content.routing, &query);
    let new = NewCase {
        id: CaseId::from_uuid(app.ids.uuid(setting.now())),
        number,
        query_code: parent.query_code.clone(),
        case_type: part.case_type,
        topic: part.topic.clone(),
        urgency: parent.urgency,
        channel: parent.channel,
        region: parent.region.clone(),
        title: part.title.trim().to_owned(),
        original_words: if unsealed { part.demand.trim().to_owned() } else { parent.original_words.clone() },
        demand: part.demand.trim().to_owned(),
        place: parent.place.clone(),
        happened_on: parent.happened_on,
        amount: parent.amount.clone(),
        object,
        party: CaseParty {
            confidential: parent.party.confidential || part.case_type == CaseType::Conduct,
            ..parent.party.clone()
        },
        proposal: RouteFacts {
            topic: part.topic.clone(),
            board: (!route.board.is_empty()).then_some(route.board),
            category: Some(route.category.label().to_owned()),
            joint: route.joint,
            place_basis: Some(route.place_basis.label().to_owned()),
            profile: route.profile,
            guidance: route.guidance,
            ..RouteFacts::default()
        },
        proposed_lead: (!recused.contains(&route.lead)).then_some(route.lead),
        proposed_assists: route
            .assists
            .into_iter()
            .map(|unit| unit.slug)
            .filter(|slug| !recused.contains(slug))
            .collect(),
        recused,
        conversation: parent.conversation,
        route_reason: route.reason,
        rule_version: parent.rule_version.clone(),
        answered_by_rule: parent.answered_by_rule.clone().filter(|_| part.case_type == parent.case_type),
        leader_assigned: parent.overlay.leader_assigned,
        repeat_of: None,
        split_from: Some(parent.number.clone()),
    };
    let registered = setting.run(|env| {
        let mut registered = register(new, actor, env)?;
        registered.case.take_time_from(parent, env)?;
        Ok(registered)
    });
    let registered = registered.map_err(|error: TransitionError| case_save::refusal(&error, Vec::new()))?;
    case_save::store_new(tx, app, setting, &registered, None, after).await?;
    let mut case = registered.case;
    // Stored once and numbered from 1: the row is at its second version now.
    case.version = 2;
    let accept = ActionInput::Accept {
        case_type: case.case_type,
        topic: case.topic.clone(),
        urgency: case.urgency,
        complexity: None,
        duplicates_checked: true,
        repeat_of: None,
        repeats: 0,
    };
    let accepted = match setting.apply(&case, actor, &accept) {
        Ok(accepted) => accepted,
        // Another desk takes it up: a conduct part is discipline's, an ordinary one of a sealed case is not.
        // A part whose topic nobody has named waits for its acceptance.
        Err(TransitionError::Forbidden { .. } | TransitionError::Field { field: "topic", .. }) => return Ok(()),
        Err(error) => return Err(case_save::refusal(&error, Vec::new())),
    };
    case_save::store_changed(tx, app, setting, &accepted, None, after).await
}

/// Adds words to an open case of whoever has the conversation instead of filing it again (T50); `known` are the numbers
/// that the conversation may see besides those filed in it.
///
/// # Errors
/// `NotFound`, also when it is somebody else's, `Conflict` when the case does not run any more, `Store`.
pub async fn append_to_case(
    tx: &mut Tx,
    app: &App,
    conversation: ConversationId,
    known: &[String],
    number: &str,
    words: &str,
    files: &[String],
) -> Result<Filed, AppError> {
    let setting = Setting::new(app, case_save::now_ms(app));
    let number: CaseNumber = base_number(number).parse().map_err(|_| AppError::NotFound)?;
    let case = cases::find_by_number(tx, &number).await?.ok_or(AppError::NotFound)?;
    let shown = known.iter().any(|known| base_number(known) == number.as_str());
    if !shown && cases::of_person(tx, conversation).await?.iter().all(|own| own.id != case.id) {
        return Err(AppError::NotFound);
    }
    let mut filed = Filed::default();
    // The files beside a case are those of the conversation it came out of.
    if let Some(home) = case.conversation.filter(|home| *home != conversation) {
        for file in files {
            let id: AttachmentId = file.parse().map_err(|_| AppError::NotFound)?;
            let copy = AttachmentId::from_uuid(app.ids.uuid(setting.now()));
            attachments::copy_to(tx, conversation, id, home, copy).await?;
        }
    }
    let input = ActionInput::AddInfo { text: words.to_owned() };
    let case = apply_in(tx, app, &setting, &case, &Actor::Enterprise, &input, None, &mut filed.after).await?;
    filed.cases.push(receipt(setting.content(), &case, setting.now()));
    Ok(filed)
}

/// Open cases of whoever has the conversation, and those of these numbers, which it may see: what the dialogue compares a
/// new matter with. The name of an enterprise or a phone number proves nothing, so cases of others are not among them.
///
/// # Errors
/// `Store`.
pub async fn known_cases(
    tx: &mut Tx,
    conversation: ConversationId,
    numbers: &[String],
) -> Result<Vec<KnownCase>, AppError> {
    let mut cases = cases::of_person(tx, conversation).await?;
    for number in numbers {
        let number: CaseNumber = base_number(number).parse().map_err(|_| AppError::NotFound)?;
        if cases.iter().all(|case| case.number != number) {
            cases.extend(cases::find_by_number(tx, &number).await?);
        }
    }
    Ok(cases.iter().filter(|case| case.status.is_open()).map(known_case).collect())
}

/// The open case of the same enterprise that a draft is like, for officers to put together; none where somebody asked not
/// to be named.
async fn alike(tx: &mut Tx, draft: &CaseDraft, conversation: Option<ConversationId>) -> Result<Option<Case>, AppError> {
    if draft.anonymous || draft.confidential || draft.sensitive || draft.case_type == CaseType::Conduct {
        return Ok(None);
    }
    let enterprise = draft.enterprise.as_deref().map(str::trim).unwrap_or_default();
    let uscc = draft.uscc.as_deref().filter(|code| text::uscc_is_valid(code));
    if enterprise.is_empty() && uscc.is_none() {
        return Ok(None);
    }
    let open = cases::open_of_enterprise(tx, &spellings(enterprise), uscc).await?;
    let (demand, topic) = (&draft.demand, draft.topic.as_deref());
    Ok(open.into_iter().find(|case| {
        !case.party.confidential
            && (conversation.is_none() || case.conversation != conversation)
            && is_like(demand, topic, &case.demand, case.topic.as_deref())
    }))
}

/// The number without the round of handling.
pub(super) fn base_number(number: &str) -> &str {
    number.split_once("-R").map_or(number, |(base, _)| base)
}

/// The ways in which the brackets of a name are written.
fn spellings(name: &str) -> [String; 3] {
    let wide = name.replace('(', "（").replace(')', "）");
    let narrow = name.replace('（', "(").replace('）', ")");
    [name.to_owned(), wide, narrow]
}

fn known_case(case: &Case) -> KnownCase {
    KnownCase {
        number: case.display_number(),
        title: case.title.clone(),
        demand: case.demand.clone(),
        topic: case.topic.clone(),
        status_label: case.status.label().to_owned(),
    }
}

/// What an officer fills in to file a case on behalf of an enterprise (phone, counter, letter …).
#[derive(Debug, Clone, Default)]
pub struct StaffFiling {
    /// Type; `None`: as the rules read the words.
    pub case_type: Option<CaseType>,
    /// Topic code; `None`: as the rules read the words.
    pub topic: Option<String>,
    /// Urgency; `None`: as the rules read the words.
    pub urgency: Option<Urgency>,
    /// The way it came in.
    pub channel: Option<Channel>,
    /// Administrative code.
    pub region: Option<String>,
    /// One line; empty: made from the demand.
    pub title: String,
    /// The enterprise's own words.
    pub words: String,
    /// What it wants; empty: the words.
    pub demand: String,
    /// Enterprise.
    pub enterprise: String,
    /// 统一社会信用代码.
    pub uscc: Option<String>,
    /// Contact person.
    pub contact_name: String,
    /// Phone.
    pub contact_phone: String,
    /// Where.
    pub place: Option<String>,
    /// Unit or person complained of.
    pub object: Option<String>,
    /// When it happened.
    pub happened_on: Option<jiff::civil::Date>,
    /// Amount as told.
    pub amount: Option<String>,
    /// Identity hidden from units.
    pub confidential: bool,
    /// The conversation it comes from.
    pub conversation: Option<ConversationId>,
}

/// Files a case for an enterprise. `key` is the idempotency key with the hash of the request: a repeat gives the first
/// receipt again.
///
/// # Errors
/// `Invalid` with the fields that are missing or wrong, `Store`.
pub async fn file_for_enterprise(
    app: &App,
    officer: &Officer,
    filing: &StaffFiling,
    key: Option<(&str, &str)>,
) -> Result<FiledCase, AppError> {
    let content = app.content.load();
    let draft = staff_draft(app, &content, filing)?;
    let now = case_save::now_ms(app);
    let mut tx = app.db.write().await?;
    let scope = format!("cases:{}", officer.id);
    if let Some((key, hash)) = key
        && let Some(first) = idempotency::find(&mut tx, &scope, key).await?
    {
        if first.request_hash != hash {
            return Err(AppError::conflict("idempotency_reused"));
        }
        let number: CaseNumber = first.body.parse().map_err(|_| AppError::NotFound)?;
        let case = cases::find_by_number(&mut tx, &number).await?.ok_or(AppError::NotFound)?;
        tx.rollback().await?;
        return Ok(receipt(&content, &case, now));
    }
    if let Some(conversation) = filing.conversation
        && !conversations::may_see(&mut tx, officer, conversation).await?
    {
        tx.rollback().await?;
        return Err(AppError::field("/conversation_id", "没有这个会话，或您无权查看"));
    }
    let actor = Actor::Officer(case_queries::stamp(&mut tx, &content, officer, now).await?);
    let mut filed = file_cases(&mut tx, app, filing.conversation, &[draft], &actor).await?;
    if let (Some((key, hash)), Some(case)) = (key, filed.cases.first()) {
        let answer = FirstAnswer { request_hash: hash.to_owned(), status: 201, body: case.number.clone() };
        idempotency::insert(&mut tx, &scope, key, &answer, now).await?;
    }
    tx.commit().await?;
    let case = filed.cases.pop().ok_or_else(|| AppError::Internal("nothing was filed".to_owned()))?;
    filed.tell(app);
    Ok(case)
}

fn staff_draft(app: &App, content: &Content, filing: &StaffFiling) -> Result<CaseDraft, AppError> {
    let mut errors = Vec::new();
    let mut check = |wrong: bool, field: &str, message: &str| {
        if wrong {
            errors.push(FieldError::new(format!("/{field}"), message));
        }
    };
    let words = filing.words.trim();
    check(words.is_empty(), "words", "请记录企业原话");
    check(words.chars().count() > 8_000, "words", "太长，最多8000字");
    check(filing.title.chars().count() > 100, "title", "太长，最多100字");
    check(filing.enterprise.chars().count() > 200, "enterprise", "太长，最多200字");
    check(filing.contact_phone.chars().count() > 60, "contact_phone", "太长，最多60字");
    let uscc = filing.uscc.as_deref().map(str::trim).filter(|code| !code.is_empty());
    check(uscc.is_some_and(|code| !text::uscc_is_valid(code)), "uscc", "统一社会信用代码校验不通过");
    let topic = filing.topic.as_deref().map(str::trim).filter(|code| !code.is_empty());
    check(topic.is_some_and(|code| content.taxonomy.topic(code).is_none()), "topic", "没有这个主题");
    let today = content.schedule.civil(app.now()).date();
    let region = filing.region.clone().unwrap_or_else(|| app.config.region.code.clone());
    let channel = filing.channel.unwrap_or(Channel::Phone);
    let decision = content.rules.decide(&rules::Input { text: words, channel, area: Some(region.as_str()), today });
    let matter = decision.matters.first();
    let case_type = filing.case_type.or(matter.map(|m| m.case_type)).unwrap_or(CaseType::Coordination);
    let anonymous_allowed = matches!(case_type, CaseType::Report | CaseType::Conduct | CaseType::Risk);
    check(filing.contact_phone.trim().is_empty() && !anonymous_allowed, "contact_phone", "请留一个联系方式");
    check(filing.enterprise.trim().is_empty() && !anonymous_allowed, "enterprise", "请填写企业名称");
    if !errors.is_empty() {
        return Err(AppError::invalid("invalid_fields", errors));
    }
    let demand = if filing.demand.trim().is_empty() { words } else { filing.demand.trim() };
    let title = if filing.title.trim().is_empty() { first_line(demand) } else { filing.title.trim().to_owned() };
    let opt = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    let some = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    Ok(CaseDraft {
        enterprise: some(&filing.enterprise),
        uscc: uscc.map(str::to_owned),
        contact: Contact { name: some(&filing.contact_name), phone: some(&filing.contact_phone), ..Contact::default() },
        place: opt(&filing.place),
        object: opt(&filing.object),
        happened_on: filing.happened_on,
        amount: opt(&filing.amount).map(|text| crate::domain::dialogue::Amount { text, fen: None }),
        title,
        demand: demand.to_owned(),
        original: words.to_owned(),
        case_type,
        topic: topic.map(str::to_owned).or_else(|| matter.and_then(|m| m.topic.as_ref().map(ToString::to_string))),
        topics: Vec::new(),
        urgency: filing.urgency.or(matter.map(|m| m.urgency)).unwrap_or(Urgency::Normal),
        region: Some(region),
        channel,
        confidential: filing.confidential,
        anonymous: filing.enterprise.trim().is_empty() && filing.contact_phone.trim().is_empty(),
        sensitive: decision.sensitive && anonymous_allowed,
        risk: false,
        objects: matter.map(|m| m.objects.clone()).unwrap_or_default(),
        route: RouteProposal::default(),
        evidence: Evidence {
            rules: matter.map(|m| m.rules.iter().map(ToString::to_string).collect()).unwrap_or_default(),
            rule_set_hash: decision.rule_set_hash.to_string(),
            ..Evidence::default()
        },
        changes: Vec::new(),
        attachments: Vec::new(),
        answered_before: None,
        part: (1, 1),
    })
}

fn first_line(text: &str) -> String {
    let line = text.split(['\n', '。', '！', '？']).map(str::trim).find(|line| !line.is_empty()).unwrap_or(text);
    line.chars().take(40).collect()
}
