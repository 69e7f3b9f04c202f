//! Archiving (T42): a closed case becomes one text, whose hash is kept in its history, and may be taken away.
//!
//! The text is canonical JSON: keys in order, no spaces, made from what is stored and from nothing else, so that the same
//! case gives the same bytes. It holds the case, its history up to the archiving with the hash of the last event, the
//! words of its conversation that belong to it, and a list of its files with their hashes; the files themselves stay
//! where they are. It has no query code and no proposals of a model. What was kept is never made anew.
//!
//! Words belong to a case from the filing before it in the same conversation to its own filing (it was made of them),
//! from there on until it was closed or the next one was filed, and wherever a notice names it. Of a conversation out of
//! which a sealed case came, only such notices go into the package of another case.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    App, AppError, Officer,
    case_queries::{self, Hidden, SEALED_NAME},
    content::Content,
    notices::{self, Notice, NoticeKind, Told},
};
use crate::{
    domain::{
        case::{Case, CaseClock, CaseEvent, CaseNumber, Conclusion, Confirmation, GRADES, Limit},
        ids::ConversationId,
    },
    store::{
        Tx,
        attachments::{self, AttachmentRow},
        cases::{self, events, list, packages},
        conversations::{self, MessageRow},
    },
};

/// Name and version of the text's shape.
const FORMAT: &str = "zhitong.case-package/1";
/// Messages that are read at once.
const PAGE: i64 = 500;
/// Texts in a package that are no words: they are never changed when words are hidden.
const FIXED: &[&str] = &["id", "number", "sha256", "head", "mime", "format", "version", "package"];

/// What came of looking at a case that is to be archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Prepared {
    /// It may be archived with this package.
    Package {
        /// SHA-256 of the text, hex.
        sha256: String,
        /// The text.
        body: String,
    },
    /// The history does not fit from this event on: nothing may be archived.
    Broken {
        /// Number of the first event that does not fit.
        seq: i64,
    },
}

/// Checks the history of a case and makes its package.
///
/// # Errors
/// `Store`.
pub(super) async fn prepare(tx: &mut Tx, content: &Content, case: &Case) -> Result<Prepared, AppError> {
    if let Some(seq) = events::first_break(tx, &case.id.to_string(), true).await? {
        return Ok(Prepared::Broken { seq });
    }
    let body = text_of(tx, content, case).await?;
    Ok(Prepared::Package { sha256: packages::digest(&body), body })
}

/// Tells the administrators that the history of a case is broken; once for each place.
///
/// # Errors
/// `Store`.
pub(super) async fn tell_broken(
    tx: &mut Tx,
    app: &App,
    case: &Case,
    seq: i64,
    now: Timestamp,
) -> Result<Told, AppError> {
    tracing::error!(case.id = %case.id, seq, "the audit chain of a case is broken; it is not archived");
    // The number of a sealed case is told to nobody.
    let name = if case.sealed { case.id.to_string() } else { case.display_number() };
    let text = format!("诉求 {name} 的审计链在第 {seq} 条断裂，已停止归档。请执行 zhitong db verify，并与备份比对");
    let key = format!("audit_chain:{}:{seq}", case.id);
    notices::notify(tx, app, &Notice::to_administrators(NoticeKind::Alert, &text, &key), now).await
}

async fn text_of(tx: &mut Tx, content: &Content, case: &Case) -> Result<String, AppError> {
    let history = events::list(tx, case.id).await?;
    let head = events::head(tx, case.id).await?;
    let (messages, files) = words_of(tx, case).await?;
    let zone = content.schedule.zone();
    let units = units(content, case, &history);
    let package = json!({
        "format": FORMAT,
        "case": case_json(case, zone),
        "units": units,
        "timeline": history.iter().map(|event| event_json(event, zone)).collect::<Vec<_>>(),
        "audit": { "events": history.len(), "head": head },
        "messages": messages.iter().map(|row| message_json(row, zone)).collect::<Vec<_>>(),
        "attachments": files.iter().map(|row| file_json(row, zone)).collect::<Vec<_>>(),
    });
    Ok(package.to_string())
}

/// From when to when what is said in the conversation of a case belongs to it, both in milliseconds: after the filing
/// before it, and until it was closed or the next one was filed.
fn span(case: &Case, others: &[Case]) -> (i64, i64) {
    let ms = Timestamp::as_millisecond;
    let filed = others.iter().map(|other| other.submitted_at);
    let before = filed.clone().filter(|at| *at < case.submitted_at).max();
    let next = filed.filter(|at| *at > case.submitted_at).min();
    let closed = case.closings.last().map_or(case.changed_at, |closing| closing.at);
    (before.map_or(i64::MIN, ms), ms(next.map_or(closed, |next| next.min(closed))))
}

/// The case that a message is a notice of.
fn notice_of(row: &MessageRow) -> Option<String> {
    let body: Value = serde_json::from_str(row.body.as_deref()?).ok()?;
    Some(body.get("case")?.get("number")?.as_str()?.to_owned())
}

async fn words_of(tx: &mut Tx, case: &Case) -> Result<(Vec<MessageRow>, Vec<AttachmentRow>), AppError> {
    let Some(conversation) = case.conversation else { return Ok((Vec::new(), Vec::new())) };
    let others = cases::of_conversation(tx, conversation).await?;
    let (from, to) = span(case, &others);
    let within = |at: i64| at > from && at <= to;
    let closed_to_others = !case.sealed && others.iter().any(|other| other.sealed);
    let mut messages = Vec::new();
    for row in all_messages(tx, conversation).await? {
        let belongs = match notice_of(&row) {
            // Also the numbers of earlier rounds.
            Some(number) => number.parse::<CaseNumber>().is_ok_and(|number| number == case.number),
            None => !closed_to_others && within(row.at),
        };
        if belongs {
            messages.push(row);
        }
    }
    let mut files = attachments::of_conversation(tx, conversation).await?;
    files.retain(|file| !closed_to_others && within(file.created_at));
    Ok((messages, files))
}

async fn all_messages(tx: &mut Tx, conversation: ConversationId) -> Result<Vec<MessageRow>, AppError> {
    let mut all: Vec<MessageRow> = Vec::new();
    loop {
        let after = all.last().map_or(0, |row| row.seq);
        let page = conversations::messages_after(tx, conversation, after, PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

fn moment_ms(ms: i64, zone: &TimeZone) -> String {
    moment(Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH), zone)
}

/// The names of all units that occur, as they were at the archiving.
fn units(content: &Content, case: &Case, history: &[CaseEvent]) -> Value {
    let known = content.routing.units();
    let of_case = case.lead_unit.iter().chain(&case.assists).chain(case.clocks.iter().map(|clock| &clock.owner));
    let of_tasks = case.tasks.iter().map(|task| &task.unit);
    let acted = history.iter().filter_map(|event| event.actor.unit.as_ref());
    let told = history.iter().flat_map(|event| &event.facts).map(|fact| &fact.value);
    let mut names = serde_json::Map::new();
    for slug in of_case.chain(of_tasks).chain(acted).chain(told) {
        if let Some(unit) = known.find(slug).filter(|unit| unit.slug == *slug) {
            names.insert(slug.clone(), unit.name.clone().into());
        }
    }
    names.into()
}

fn case_json(case: &Case, zone: &TimeZone) -> Value {
    let at = |at: Timestamp| moment(at, zone);
    let maybe = |at: Option<Timestamp>| at.map(|at| moment(at, zone));
    let mut out = json!({
        "number": case.display_number(),
        "round": case.round,
        "type": case.case_type.as_str(),
        "type_label": case.case_type.label(),
        "topic": case.topic,
        "urgency": case.urgency.as_str(),
        "complexity": case.complexity.map(crate::domain::kinds::Complexity::as_str),
        "channel": case.channel.as_str(),
        "region": case.region,
        "title": case.title,
        "original_words": case.original_words,
        "demand": case.demand,
        "place": case.place,
        "happened_on": case.happened_on.map(|day| day.to_string()),
        "amount": case.amount,
        "object": case.object,
    });
    out["party"] = json!({
        "enterprise": case.party.enterprise, "uscc": case.party.uscc, "contact_name": case.party.contact_name,
        "contact_phone": case.party.contact_phone, "proxy": case.party.proxy,
        "confidential": case.party.confidential,
    });
    out["sealed"] = case.sealed.into();
    out["recused"] = json!(case.recused);
    out["lead_unit"] = json!(case.lead_unit);
    out["assists"] = json!(case.assists);
    out["handler"] = json!(case.handler_name);
    out["route_reason"] = json!(case.route_reason);
    out["rule_version"] = json!(case.rule_version);
    out["answered_by_rule"] = json!(case.answered_by_rule);
    let policy = &case.requirements;
    out["policy"] = json!({ "name": policy.profile, "version": policy.version, "reason": policy.reason });
    out["submitted_at"] = json!(at(case.submitted_at));
    out["accepted_at"] = json!(maybe(case.accepted_at));
    out["dispatched_at"] = json!(maybe(case.dispatched_at));
    out["conclusion"] = json!(case.conclusion.map(Conclusion::label));
    out["confirmation"] = json!(case.confirmation.as_ref().map(|one| confirmation_json(one, zone)));
    let signed = case.signature.as_ref();
    out["reply"] = json!(signed.map(|signed| json!({
        "text": signed.text, "conclusion": signed.conclusion.label(), "signer": signed.signer_name,
        "as_deputy": signed.as_deputy, "at": at(signed.at), "released_at": maybe(signed.released_at),
    })));
    out["clocks"] = case.clocks.iter().map(|clock| clock_json(clock, zone)).collect();
    let pauses = case.pauses.iter().map(|pause| {
        json!({ "reason": pause.reason.label(), "explanation": pause.explanation, "document": pause.document,
            "from": at(pause.from), "ended_at": maybe(pause.ended_at) })
    });
    out["pauses"] = pauses.collect();
    let tasks = case.tasks.iter().map(|task| {
        json!({ "id": task.id.to_string(), "kind": task.kind.as_str(), "unit": task.unit, "text": task.text,
            "created_at": at(task.created_at), "due_at": maybe(task.due_at), "state": task.state.as_str(),
            "answer": task.answer, "ended_at": maybe(task.ended_at), "late": task.late })
    });
    out["tasks"] = tasks.collect();
    let ratings = case.ratings.iter().map(|rating| {
        let label = GRADES.iter().find(|(grade, _)| *grade == rating.grade).map(|(_, label)| *label);
        json!({ "grade": rating.grade, "label": label, "solved": rating.solved, "reason": rating.reason,
            "words": rating.words, "at": at(rating.at), "round": rating.round })
    });
    out["ratings"] = ratings.collect();
    let closings = case.closings.iter().map(|closing| {
        json!({ "round": closing.round, "at": at(closing.at), "conclusion": closing.conclusion.label(),
            "resolved_layer": closing.resolved_layer, "silent": closing.silent, "in_time": closing.in_time })
    });
    out["closings"] = closings.collect();
    out
}

fn clock_json(clock: &CaseClock, zone: &TimeZone) -> Value {
    let at = |at: Option<Timestamp>| at.map(|at| moment(at, zone));
    let limit = match clock.limit {
        Limit::Budget(budget) => budget.in_words(),
        Limit::Until(until) => moment(until, zone),
        Limit::Open => "law".to_owned(),
    };
    json!({ "key": clock.key.as_str(), "label": clock.key.label(), "owner": clock.owner,
        "started_at": moment(clock.started_at, zone), "due_at": at(clock.due_at), "stopped_at": at(clock.stopped_at),
        "state": clock.state.as_str(), "missed": clock.missed, "provisional": clock.provisional,
        "extension_days": clock.extension_days, "limit": limit })
}

fn confirmation_json(confirmation: &Confirmation, zone: &TimeZone) -> Value {
    let (how, at, record) = match confirmation {
        Confirmation::ByEnterprise(at) => ("enterprise", at, None),
        Confirmation::ByPhone(at, record) => ("phone", at, Some(record)),
        Confirmation::Silent(at) => ("silent", at, None),
        Confirmation::Dismissed(at) => ("dismissed", at, None),
        Confirmation::Explained(at) => ("explained", at, None),
    };
    json!({ "how": how, "at": moment(*at, zone), "call_record": record })
}

fn event_json(event: &CaseEvent, zone: &TimeZone) -> Value {
    json!({
        "seq": event.seq,
        "at": moment(event.at, zone),
        "kind": event.kind.as_str(),
        "label": event.kind.label(),
        "actor": {
            "kind": event.actor.kind, "id": event.actor.id, "name": event.actor.name, "unit": event.actor.unit,
        },
        "from": event.from.as_str(),
        "to": event.to.as_str(),
        "facts": event.facts.iter().map(|fact| json!({
            "key": fact.key, "value": fact.value, "public": fact.public,
        })).collect::<Vec<_>>(),
    })
}

fn message_json(row: &MessageRow, zone: &TimeZone) -> Value {
    json!({ "seq": row.seq, "at": moment_ms(row.at, zone), "from": row.sender, "kind": row.kind, "text": row.text,
        "rule_id": row.rule_id })
}

fn file_json(row: &AttachmentRow, zone: &TimeZone) -> Value {
    json!({ "id": row.id, "name": row.name, "mime": row.mime, "size": row.size, "sha256": row.sha256,
        "at": moment_ms(row.created_at, zone) })
}

/// A package as an officer may have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFile {
    /// Name of the file.
    pub name: String,
    /// SHA-256 of the whole package, hex, as the history of the case names it.
    pub sha256: String,
    /// The text.
    pub body: String,
    /// Something is left out for this officer: the hash is not that of this text.
    pub is_extract: bool,
}

/// The package of an archived case. Whoever may not read the conversation gets it without the words said there, and
/// whoever may not know the complainant without that as well.
///
/// # Errors
/// `NotFound` when there is none or the officer may not see the case, `Internal` when the stored text is not what was
/// archived, `Store`.
pub async fn package(app: &App, officer: &Officer, number: &CaseNumber) -> Result<PackageFile, AppError> {
    let scope = case_queries::scope(&app.content.load(), officer);
    let mut tx = app.db.read().await?;
    if list::visible(&mut tx, &scope, number).await?.is_none() {
        return Err(AppError::NotFound);
    }
    let case = cases::find_by_number(&mut tx, number).await?.ok_or(AppError::NotFound)?;
    let row = packages::latest(&mut tx, case.id).await?.ok_or(AppError::NotFound)?;
    if packages::digest(&row.body) != row.sha256 {
        return Err(AppError::Internal(format!("the package of case {} does not have its hash", case.id)));
    }
    let reads_all = scope.all || (case.sealed && scope.sealed);
    let name = format!("{}.json", case.display_number());
    if reads_all && scope.contacts && scope.sees_identity(&case) {
        return Ok(PackageFile { name, sha256: row.sha256, body: row.body, is_extract: false });
    }
    let package = serde_json::from_str(&row.body)
        .map_err(|error| AppError::Internal(format!("the package of case {}: {error}", case.id)))?;
    let body = extract(package, (!(scope.contacts && scope.sees_identity(&case))).then(|| Hidden::of(&case)).as_ref())
        .to_string();
    Ok(PackageFile { name, sha256: row.sha256, body, is_extract: true })
}

/// The package without the words of the conversation; with `hidden` also without whoever complains, and without files,
/// whose names may tell it.
fn extract(mut package: Value, hidden: Option<&Hidden>) -> Value {
    package["messages"] = json!([]);
    package["extract"] = true.into();
    let Some(hidden) = hidden else { return package };
    package["attachments"] = json!([]);
    package["case"]["party"] = json!({ "enterprise": SEALED_NAME, "confidential": true });
    hide(&mut package, hidden);
    package
}

fn hide(value: &mut Value, hidden: &Hidden) {
    match value {
        Value::String(words) => *words = hidden.hide(words),
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, hidden)),
        Value::Object(map) => {
            let fact = map.get("key").and_then(Value::as_str).map(str::to_owned);
            for (key, value) in map.iter_mut().filter(|(key, _)| !FIXED.contains(&key.as_str())) {
                match (&fact, value) {
                    (Some(fact), Value::String(words)) if key == "value" => *words = hidden.fact(fact, words),
                    (_, value) if key == "actor" => hide_actor(value, hidden),
                    (_, value) if !key.ends_with("at") => hide(value, hidden),
                    _ => {}
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whoever acts for the enterprise has its name.
fn hide_actor(actor: &mut Value, hidden: &Hidden) {
    if matches!(actor["kind"].as_str(), Some("enterprise" | "proxy")) {
        actor["name"] = Value::Null;
    }
    hide(actor, hidden);
}
