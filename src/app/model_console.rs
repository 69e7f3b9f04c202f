//! The console of the model: state, cost, quality, every exchange, and the switch. It only reads, except for the switch.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    App, AppError, Officer,
    model::{self, SwitchState, Usage},
    proposal_counts::{self, ProposalLine},
    suggestions::{Change, SuggestionKind, SuggestionOutcome},
};
pub use crate::store::model::ExchangeRow;
use crate::{
    domain::{
        access::Permission,
        dialogue::ProposalFault,
        grounding::{BreachKind, Status},
        text::difference,
    },
    ports::model::{EndpointState, ModelFailureKind, ModelFinish, ModelTask},
    store::{
        self, model_console as counts, officers,
        suggestions::{self as rows, SuggestionRow, SwitchLine},
    },
};

/// Days that are counted when nothing is said, and at most.
pub const DAYS: u32 = 7;
/// The longest time that is counted, in days.
pub const MOST_DAYS: u32 = 90;
/// Turns of the switch and changed suggestions that are shown.
const LINES: i64 = 10;

/// Exchanges of one task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskLine {
    /// Slug of the task.
    pub task: String,
    /// The same in Chinese.
    pub label: &'static str,
    /// All.
    pub count: i64,
    /// Those whose answer was shown.
    pub used: i64,
    /// Those whose answer did not pass the checks.
    pub refused: i64,
    /// Those that came too late.
    pub dropped: i64,
    /// Those that gave no answer.
    pub failed: i64,
    /// Tokens.
    pub tokens: i64,
    /// Millionths of a yuan.
    pub cost_micro_yuan: i64,
}

/// An endpoint: how it stands now and what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointLine {
    /// Its state.
    pub state: EndpointState,
    /// Exchanges.
    pub count: i64,
    /// Those that gave no answer.
    pub failed: i64,
    /// Mean milliseconds in all.
    pub total_ms: Option<i64>,
    /// The longest, in milliseconds.
    pub longest_ms: Option<i64>,
    /// Millionths of a yuan.
    pub cost_micro_yuan: i64,
}

/// How many times something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Slug.
    pub slug: String,
    /// In Chinese.
    pub label: String,
    /// How often.
    pub count: i64,
}

/// What became of suggestions of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SuggestionLine {
    /// Slug of the kind.
    pub kind: String,
    /// The same in Chinese.
    pub label: &'static str,
    /// Taken as they were.
    pub kept: i64,
    /// Taken with changes.
    pub edited: i64,
    /// Not taken.
    pub thrown_away: i64,
    /// Not decided.
    pub open: i64,
    /// Mean share of changed characters among the edited, 0 to 100.
    pub share: Option<i64>,
}

/// A suggestion that an officer changed; personal data are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedLine {
    /// Name of the kind.
    pub label: &'static str,
    /// When it was made.
    pub at: Timestamp,
    /// Share of changed characters, 0 to 100.
    pub share: i64,
    /// What was changed.
    pub changes: Vec<Change>,
    /// The exchange it came from.
    pub exchange: String,
}

/// Who answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shares {
    /// Answers of rules.
    pub rule: i64,
    /// Answers that a model put into words.
    pub model: i64,
    /// Conversations in which an officer answered.
    pub person: i64,
}

/// Everything on one page.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Whether a model is configured.
    pub configured: bool,
    /// The days that are counted.
    pub days: u32,
    /// How the switch stands.
    pub switch: SwitchState,
    /// Name of the officer who set it.
    pub switched_by: Option<String>,
    /// The last turns of the switch.
    pub log: Vec<SwitchLine>,
    /// Budgets.
    pub usage: Usage,
    /// Endpoints in the order in which they are asked.
    pub endpoints: Vec<EndpointLine>,
    /// Exchanges by task.
    pub tasks: Vec<TaskLine>,
    /// Why answers were refused, the most frequent first.
    pub refusals: Vec<Tally>,
    /// Why there was no answer, the most frequent first.
    pub failures: Vec<Tally>,
    /// Who answered.
    pub shares: Shares,
    /// What became of suggestions.
    pub suggestions: Vec<SuggestionLine>,
    /// The last suggestions that were changed.
    pub edited: Vec<EditedLine>,
    /// What became of proposals for visitors' forms.
    pub proposals: Vec<ProposalLine>,
}

/// Name of a task.
pub fn task_label(slug: &str) -> &'static str {
    match slug {
        "evaluation" => "测评",
        task => task.parse::<ModelTask>().map_or("其他", ModelTask::label),
    }
}

/// Why an answer was not taken, in Chinese: what the checks found, what the model said of itself, how it ended, or why
/// nobody waited for it any more.
pub fn reason_label(slug: &str) -> String {
    if let Ok(status) = slug.parse::<Status>() {
        return format!("模型：{}", status.label());
    }
    let by_check = slug.parse::<BreachKind>().map(BreachKind::label).ok();
    let label = by_check
        .or_else(|| slug.parse::<ProposalFault>().map(ProposalFault::label).ok())
        .or_else(|| slug.parse::<ModelFinish>().map(ModelFinish::label).ok())
        .or_else(|| slug.parse::<ModelFailureKind>().map(ModelFailureKind::label).ok());
    let label = label.or(match slug {
        "no_source" => Some("没有检索到依据，没有问模型"),
        "sensitive" => Some("会话涉及敏感内容，没有问模型"),
        "late" => Some("等得太久，没有问模型"),
        "person" => Some("已由人工接手"),
        "filed" => Some("已经提交"),
        "cancelled" => Some("表单已取消"),
        "superseded" => Some("来访企业已改口"),
        "gone" => Some("会话已删除"),
        _ => None,
    });
    label.unwrap_or(slug).to_owned()
}

/// Why there was no answer, in Chinese.
pub fn failure_label(slug: &str) -> String {
    slug.parse::<ModelFailureKind>().map_or_else(|_| slug.to_owned(), |kind| kind.label().to_owned())
}

/// The reasons of an exchange as slugs.
pub fn reasons_of(reasons: &str) -> Vec<String> {
    serde_json::from_str(reasons).unwrap_or_default()
}

/// Everything that the console shows of the last days.
///
/// # Errors
/// `Forbidden`, `Store`.
pub async fn overview(app: &App, officer: &Officer, days: u32) -> Result<Overview, AppError> {
    officer.require(Permission::ViewModel)?;
    let days = days.clamp(1, MOST_DAYS);
    let now = app.now();
    let since = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(now);
    let switch = model::switch_state(app).await?;
    let usage = model::usage(app).await?;
    let mut tx = app.db.read().await?;
    let by_task = counts::by_task(&mut tx, since).await?;
    let by_endpoint = counts::by_endpoint(&mut tx, since).await?;
    let failures = counts::failures(&mut tx, since).await?;
    let refusals = counts::refusals(&mut tx, since).await?;
    let shares = counts::answers(&mut tx, since).await?;
    let unasked = counts::unasked(&mut tx, since).await?;
    let outcomes = rows::outcomes(&mut tx, since).await?;
    let edited = rows::changed(&mut tx, since, LINES).await?;
    let log = rows::switch_log(&mut tx, LINES).await?;
    let proposals = proposal_counts::lines(&mut tx, since).await?;
    let switched_by = match switch.officer.as_deref().and_then(|id| id.parse().ok()) {
        Some(id) => officers::find(&mut tx, id).await?.map(|row| row.name),
        None => None,
    };
    drop(tx);
    let tasks = tasks(by_task);
    let states = app.model.client().map(|client| client.endpoints()).unwrap_or_default();
    let endpoints = states
        .into_iter()
        .map(|state| {
            let counted = by_endpoint.iter().find(|line| line.endpoint == state.name);
            EndpointLine {
                count: counted.map_or(0, |line| line.count),
                failed: counted.map_or(0, |line| line.failed),
                total_ms: counted.and_then(|line| line.total_ms),
                longest_ms: counted.and_then(|line| line.longest_ms),
                cost_micro_yuan: counted.map_or(0, |line| line.cost_micro_yuan),
                state,
            }
        })
        .collect();
    Ok(Overview {
        configured: app.model.client().is_some(),
        days,
        switch,
        switched_by,
        log,
        usage,
        endpoints,
        tasks,
        refusals: tallies(refusals, unasked),
        failures: failures
            .into_iter()
            .map(|(slug, count)| Tally { label: failure_label(&slug), slug, count })
            .collect(),
        shares: Shares { rule: shares.rule, model: shares.model, person: shares.person },
        suggestions: suggestions(outcomes),
        edited: edited.iter().filter_map(edited_line).collect(),
        proposals,
    })
}

fn tasks(counted: Vec<counts::TaskCount>) -> Vec<TaskLine> {
    let mut lines: Vec<TaskLine> = Vec::new();
    for count in counted {
        let known = lines.iter().position(|line| line.task == count.task).unwrap_or_else(|| {
            let label = task_label(&count.task);
            lines.push(TaskLine { task: count.task.clone(), label, ..TaskLine::default() });
            lines.len() - 1
        });
        let Some(line) = lines.get_mut(known) else { continue };
        line.count += count.count;
        line.tokens += count.tokens;
        line.cost_micro_yuan += count.cost_micro_yuan;
        match (count.outcome.as_str(), count.verdict.as_str()) {
            (_, "dropped") => line.dropped += count.count,
            ("failed", _) => line.failed += count.count,
            (_, "used") => line.used += count.count,
            (_, "refused") => line.refused += count.count,
            _ => {}
        }
    }
    lines
}

/// One answer may have been refused for several reasons; each counts.
fn tallies(refusals: Vec<(String, i64)>, unasked: Vec<(String, i64)>) -> Vec<Tally> {
    let mut by_reason: BTreeMap<String, i64> = BTreeMap::new();
    for (reasons, count) in refusals {
        for reason in reasons_of(&reasons) {
            *by_reason.entry(reason).or_default() += count;
        }
    }
    for (reason, count) in unasked {
        *by_reason.entry(reason).or_default() += count;
    }
    let mut tallies: Vec<Tally> =
        by_reason.into_iter().map(|(slug, count)| Tally { label: reason_label(&slug), slug, count }).collect();
    tallies.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.slug.cmp(&b.slug)));
    tallies
}

fn suggestions(outcomes: Vec<rows::OutcomeCount>) -> Vec<SuggestionLine> {
    let mut lines: Vec<SuggestionLine> = SuggestionKind::ALL
        .iter()
        .map(|kind| SuggestionLine { kind: kind.as_str().to_owned(), label: kind.label(), ..SuggestionLine::default() })
        .collect();
    for count in outcomes {
        let Some(line) = lines.iter_mut().find(|line| line.kind == count.kind) else { continue };
        match count.outcome.parse() {
            Ok(SuggestionOutcome::Kept) => line.kept = count.count,
            Ok(SuggestionOutcome::Edited) => {
                line.edited = count.count;
                line.share = Some(count.shares / count.count.max(1));
            }
            Ok(SuggestionOutcome::ThrownAway) => line.thrown_away = count.count,
            Ok(SuggestionOutcome::Open) => line.open = count.count,
            Err(_) => {}
        }
    }
    lines.retain(|line| line.kept + line.edited + line.thrown_away + line.open > 0);
    lines
}

fn edited_line(row: &SuggestionRow) -> Option<EditedLine> {
    let used = row.used_text.as_deref()?;
    Some(EditedLine {
        label: row.kind.parse::<SuggestionKind>().ok()?.label(),
        at: Timestamp::from_millisecond(row.created_at).ok()?,
        share: row.share.unwrap_or(0),
        changes: difference(&row.text, used).changes,
        exchange: row.exchange_id.clone(),
    })
}

/// A page of exchanges, the newest first, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangePage {
    /// The exchanges.
    pub items: Vec<ExchangeRow>,
    /// Time and id after which the next page begins.
    pub next: Option<(i64, String)>,
}

/// Exchanges, the newest first.
///
/// # Errors
/// `Forbidden`, `Store`.
pub async fn exchanges(
    app: &App,
    officer: &Officer,
    before: Option<(i64, &str)>,
    limit: i64,
) -> Result<ExchangePage, AppError> {
    officer.require(Permission::ViewModel)?;
    let limit = limit.clamp(1, 200);
    let mut tx = app.db.read().await?;
    let mut items = store::model::page(&mut tx, before, limit + 1).await?;
    let more = items.len() as i64 > limit;
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = items.last().filter(|_| more).map(|row| (row.at, row.id.clone()));
    Ok(ExchangePage { items, next })
}

/// One exchange, who asked, and what the officer made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeFile {
    /// The exchange.
    pub row: ExchangeRow,
    /// Name of the officer it was for.
    pub officer: Option<String>,
    /// What became of the suggestion that came out of it.
    pub outcome: Option<&'static str>,
    /// What was changed of it.
    pub changes: Vec<Change>,
}

/// One exchange.
///
/// # Errors
/// `Forbidden`, `NotFound`, `Store`.
pub async fn exchange(app: &App, officer: &Officer, id: &str) -> Result<ExchangeFile, AppError> {
    officer.require(Permission::ViewModel)?;
    let mut tx = app.db.read().await?;
    let row = store::model::find(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    let asked_by = match row.officer_id.as_deref().and_then(|id| id.parse().ok()) {
        Some(id) => officers::find(&mut tx, id).await?.map(|row| row.name),
        None => None,
    };
    let at = Timestamp::from_millisecond(row.at).unwrap_or(Timestamp::UNIX_EPOCH);
    let suggestion = rows::of_exchange(&mut tx, id, at).await?;
    let outcome = suggestion.as_ref().and_then(|row| row.outcome.parse::<SuggestionOutcome>().ok());
    let changes = suggestion
        .as_ref()
        .and_then(|row| Some(difference(&row.text, row.used_text.as_deref()?).changes))
        .unwrap_or_default();
    Ok(ExchangeFile { row, officer: asked_by, outcome: outcome.map(SuggestionOutcome::label), changes })
}

/// Stops the model at once, or lets it run again; who, when and why is kept.
///
/// # Errors
/// `Forbidden`, `Invalid` (stopping needs a reason), `Store`.
pub async fn turn(app: &App, officer: &Officer, stopped: bool, reason: &str) -> Result<SwitchState, AppError> {
    officer.require(Permission::ManageModel)?;
    model::set_switch(app, stopped, reason, Some(officer.id)).await?;
    model::switch_state(app).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_refused_for_two_reasons_counts_for_both() {
        let refused = vec![(r#"["figure","phone"]"#.to_owned(), 2), (r#"["figure"]"#.to_owned(), 1)];
        let tallies = tallies(refused, vec![("no_source".to_owned(), 1)]);
        let told: Vec<_> = tallies.iter().map(|t| (t.slug.as_str(), t.label.as_str(), t.count)).collect();
        assert_eq!(
            told,
            [
                ("figure", "数字没有出处", 3),
                ("phone", "电话没有出处", 2),
                ("no_source", "没有检索到依据，没有问模型", 1)
            ]
        );
    }

    #[test]
    fn no_reason_is_shown_as_a_slug() {
        let slugs = [
            "not_found",
            "out_of_scope",
            "handoff",
            "injection",
            "length",
            "filtered",
            "tool",
            "polarity",
            "not_following",
            "late",
            "person",
            "malformed",
            "timeout",
        ];
        for slug in slugs {
            assert!(!reason_label(slug).is_ascii(), "{slug}");
        }
    }

    #[test]
    fn the_share_of_changes_is_that_of_what_was_changed() {
        let count = |outcome: &str, count, shares| rows::OutcomeCount {
            kind: "reply".to_owned(),
            outcome: outcome.to_owned(),
            count,
            shares,
        };
        let lines = suggestions(vec![count("kept", 3, 0), count("edited", 2, 50), count("thrown_away", 1, 100)]);
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].kept, lines[0].edited, lines[0].thrown_away, lines[0].share), (3, 2, 1, Some(25)));
    }
}
