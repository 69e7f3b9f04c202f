//! `sla due --batch`: one JSON line in, one JSON line out, in order. A line that cannot be computed answers an error
//! and the next is read. Blank lines are no lines.

use std::io::{BufRead, Write};

use jiff::{Timestamp, civil::Date};
use serde_json::{Map, Value, json};

use crate::domain::sla::{
    Budget, Convention, DueRequest, OfficeHours, Pause, ReceiptRule, Schedule, Season, Session, SlaError, Unit, Warn,
};

/// Why a line cannot be computed: a code for programs, a sentence for people.
struct Refusal {
    code: &'static str,
    detail: String,
}

impl From<SlaError> for Refusal {
    fn from(error: SlaError) -> Self {
        Self { code: error.code(), detail: error.to_string() }
    }
}

fn refuse<T>(code: &'static str, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { code, detail: detail.into() })
}

/// Answers every line of the input.
///
/// # Errors
/// When reading or writing fails.
pub(super) fn run(input: &mut dyn BufRead, output: &mut dyn Write, schedule: &Schedule) -> std::io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return output.flush();
        }
        // One line in, one line out: an empty one is a line that cannot be computed.
        let answer = answer(line.trim_ascii(), schedule);
        serde_json::to_writer(&mut *output, &answer)?;
        output.write_all(b"\n")?;
        // Whoever feeds line by line gets each answer before the next question.
        output.flush()?;
    }
}

fn answer(line: &[u8], schedule: &Schedule) -> Value {
    let parsed: Result<Value, _> = serde_json::from_slice(line);
    let (id, result) = match &parsed {
        Ok(Value::Object(object)) => (object.get("id").cloned().unwrap_or_default(), compute(object, schedule)),
        Ok(_) => (Value::Null, refuse("invalid_json", "the line is no JSON object")),
        Err(error) => (Value::Null, refuse("invalid_json", format!("the line is no JSON: {error}"))),
    };
    match result {
        Ok(mut answer) => {
            answer.insert("id".into(), id);
            Value::Object(answer)
        }
        Err(Refusal { code, detail }) => json!({"id": id, "error": {"code": code, "detail": detail}}),
    }
}

fn compute(object: &Map<String, Value>, schedule: &Schedule) -> Result<Map<String, Value>, Refusal> {
    // A field that is null is a field that is not there.
    let field = |name: &str| object.get(name).filter(|v| !v.is_null());
    if !matches!(field("id"), Some(Value::String(_) | Value::Number(_))) {
        return refuse("invalid_id", "id must be a string");
    }
    let opened = match field("opened_at") {
        Some(value) => instant(value).ok_or("opened_at is no RFC 3339 time with an offset"),
        None => Err("opened_at is missing"),
    };
    let opened = opened.or_else(|detail| refuse("invalid_opened_at", detail))?;
    let budget = budget(field("policy"))?;
    let convention = match field("convention") {
        None => None,
        Some(value) => match value.as_str().and_then(|w| Convention::ALL.iter().find(|c| c.as_str() == w)) {
            Some(&convention) => Some(convention),
            None => return refuse("invalid_convention", "convention must be exact or day_count"),
        },
    };
    let receipt_rule = match field("receipt_rule") {
        None => ReceiptRule::CalendarDay,
        Some(value) => match value.as_str().and_then(|w| ReceiptRule::ALL.iter().find(|c| c.as_str() == w)) {
            Some(&rule) => rule,
            None => return refuse("invalid_receipt_rule", "receipt_rule must be calendar_day or next_working_day"),
        },
    };
    let extension_days = match field("extension_days") {
        None => 0,
        Some(value) => match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
            Some(days) => days,
            None => return refuse("invalid_extension_days", "extension_days must be a whole number of days"),
        },
    };
    let pauses = pauses(field("pauses"))?;
    let warns = warns(field("warn"))?;
    let schedule = adapted(schedule, field("hours"), field("hours_seasons"), field("overrides"))?;
    let request = DueRequest { opened, budget, convention, pauses: &pauses, extension_days, receipt_rule };
    let plan = schedule.plan(&request, &warns)?;
    let shown = |at: Option<Timestamp>| at.map_or(Value::Null, |at| Value::String(rfc3339(&schedule, at)));
    let mut answer = Map::new();
    answer.insert("id".into(), Value::Null);
    answer.insert("due".into(), shown(plan.due.due));
    answer.insert("warnings".into(), plan.warnings.into_iter().map(shown).collect());
    answer.insert("provisional".into(), Value::Bool(plan.due.provisional));
    Ok(answer)
}

/// RFC 3339 with the offset of the schedule's zone.
pub(super) fn rfc3339(schedule: &Schedule, at: Timestamp) -> String {
    at.display_with_offset(schedule.zone().to_offset(at)).to_string()
}

fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn budget(policy: Option<&Value>) -> Result<Budget, Refusal> {
    let Some(policy) = policy else { return refuse("invalid_policy", "policy is missing") };
    let Some(policy) = policy.as_object() else {
        return refuse("invalid_policy", r#"policy must be {"unit":…,"n":…}"#);
    };
    let word = policy.get("unit").and_then(Value::as_str).unwrap_or_default();
    let Some(&unit) = Unit::ALL.iter().find(|u| u.as_str() == word) else {
        let known: Vec<_> = Unit::ALL.iter().map(|u| u.as_str()).collect();
        return refuse("invalid_policy", format!("unit must be one of {}", known.join(", ")));
    };
    match policy.get("n").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()) {
        Some(n) => Ok(Budget { unit, n }),
        None => refuse("invalid_policy", "n must be a whole number, not negative"),
    }
}

fn pauses(list: Option<&Value>) -> Result<Vec<Pause>, Refusal> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let bad = || refuse("invalid_pause", "pauses must be a list of [from, to or null], RFC 3339 with offset");
    let Some(list) = list.as_array() else { return bad() };
    let mut pauses = Vec::with_capacity(list.len());
    for item in list {
        let Some([from, to]) = item.as_array().map(Vec::as_slice) else { return bad() };
        let Some(from) = instant(from) else { return bad() };
        let to = if to.is_null() {
            None
        } else {
            match instant(to) {
                Some(to) => Some(to),
                None => return bad(),
            }
        };
        pauses.push(Pause { from, to });
    }
    Ok(pauses)
}

fn warns(list: Option<&Value>) -> Result<Vec<Warn>, Refusal> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let bad = || refuse("invalid_warn", "warn must be a list of {before_minutes}, {percent} or {before_days}");
    let Some(list) = list.as_array() else { return bad() };
    let mut warns = Vec::with_capacity(list.len());
    for item in list {
        let Some(item) = item.as_object().filter(|o| o.len() == 1) else { return bad() };
        let number = |key: &str| item.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        let warn = number("before_minutes")
            .map(Warn::BeforeMinutes)
            .or_else(|| number("percent").map(Warn::Percent))
            .or_else(|| number("before_days").map(Warn::BeforeDays));
        match warn {
            Some(warn) => warns.push(warn),
            None => return bad(),
        }
    }
    Ok(warns)
}

fn sessions(list: &Value) -> Result<Vec<Session>, Refusal> {
    let bad = || refuse("invalid_hours", r#"hours must be a list of ["HH:MM","HH:MM"]"#);
    let Some(list) = list.as_array() else { return bad() };
    let mut sessions = Vec::with_capacity(list.len());
    for item in list {
        let Some([Value::String(from), Value::String(to)]) = item.as_array().map(Vec::as_slice) else { return bad() };
        sessions.push(Session::parse(from, to)?);
    }
    Ok(sessions)
}

/// The configured schedule with the hours, seasons and days that a line sets for itself.
fn adapted(
    schedule: &Schedule,
    hours: Option<&Value>,
    seasons: Option<&Value>,
    overrides: Option<&Value>,
) -> Result<Schedule, Refusal> {
    if hours.is_none() && seasons.is_none() && overrides.is_none() {
        return Ok(schedule.clone());
    }
    let base = match hours {
        Some(list) => sessions(list)?,
        None => schedule.hours().base().to_vec(),
    };
    let seasons = match seasons {
        // Hours of its own replace the configured ones with all their seasons.
        None if hours.is_some() => Vec::new(),
        None => schedule.hours().seasons().to_vec(),
        Some(list) => {
            let bad = || refuse("invalid_hours", r#"hours_seasons must be a list of {"from","to","hours"}"#);
            let Some(list) = list.as_array() else { return bad() };
            let mut seasons = Vec::with_capacity(list.len());
            for item in list {
                let text = |key| item.get(key).and_then(Value::as_str);
                let (Some(from), Some(to), Some(hours)) = (text("from"), text("to"), item.get("hours")) else {
                    return bad();
                };
                seasons.push(Season::new(from, to, sessions(hours)?)?);
            }
            seasons
        }
    };
    let mut days: Vec<(Date, bool)> = Vec::new();
    if let Some(overrides) = overrides {
        let bad = || refuse("invalid_overrides", "overrides must be {\"YYYY-MM-DD\": true or false}");
        let Some(overrides) = overrides.as_object() else { return bad() };
        for (date, working) in overrides {
            let plain = date.len() == 10;
            match (date.parse::<Date>(), working.as_bool()) {
                (Ok(date), Some(working)) if plain => days.push((date, working)),
                _ => return bad(),
            }
        }
    }
    let calendar = schedule.calendar();
    let calendar = if days.is_empty() { calendar.clone() } else { calendar.with_overrides(days) };
    Ok(Schedule::new(calendar, OfficeHours::new(base, seasons)?, schedule.zone().clone()))
}
