//! Help for the officer who has a case or a conversation: what it does not tell yet, rule answers that are near, and how
//! cases like it ended. Nothing of it reaches the enterprise by itself, and nothing of it widens what the officer may see.

use jiff::Timestamp;

use super::{
    App, AppError, Officer, case_queries,
    content::Content,
    conversations::{self, Canned, canned_from},
    dialogue_codec,
};
use crate::{
    domain::{
        access::Permission,
        case::{self, Case, CaseNumber, Told},
        ids::{CaseId, ConversationId},
        retrieval::likeness,
        text,
    },
    store::cases::{self, similar},
};

/// Cases shown as similar, and finished ones that are looked at for them.
const MAX_SIMILAR: usize = 3;
const LOOKED_AT: i64 = 60;

/// Answers shown, and answers that are looked at for them.
const MAX_ANSWERS: usize = 3;
const ANSWERS_LOOKED_AT: usize = 8;

/// Share of the words that two cases have in common from which they are similar.
pub(super) const ALIKE: f32 = 0.18;

/// Characters of an earlier reply that are shown.
const REPLY_CHARS: usize = 300;

/// What helps with a case.
#[derive(Debug, Clone, Default)]
pub struct CaseHelp {
    /// What the case does not tell yet.
    pub missing: Vec<String>,
    /// Rule answers about its topic that are near, the nearest first.
    pub answers: Vec<Canned>,
    /// The nearest of them with its sources, to begin a reply with.
    pub suggested_reply: Option<String>,
    /// Finished cases like it, the most alike first.
    pub similar: Vec<SimilarCase>,
}

/// A finished case that is like the one shown.
#[derive(Debug, Clone)]
pub struct SimilarCase {
    /// Number.
    pub number: String,
    /// Title, without names.
    pub title: String,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// With which conclusion, in words.
    pub conclusion: Option<&'static str>,
    /// Short name of the unit that had it.
    pub unit: String,
    /// How it was answered, without names, shortened.
    pub reply: Option<String>,
}

/// Help with a case that the officer may see; nothing when the case is finished.
///
/// # Errors
/// `NotFound` when there is none or the officer may not see it, `Store`.
pub async fn help(app: &App, officer: &Officer, number: &CaseNumber) -> Result<CaseHelp, AppError> {
    let file = case_queries::file(app, officer, number).await?;
    if !file.case.status.is_open() {
        return Ok(CaseHelp::default());
    }
    let content = app.content.load();
    let asked = file.case.topic.as_deref().and_then(|code| content.taxonomy.topic(code));
    let asked = asked.map_or(&[][..], |topic| topic.must_ask.as_slice());
    let words = format!("{}。{}", file.case.title, file.case.demand);
    let topic = file.case.topic.as_deref();
    let answers = answers(app, &content, &words, topic);
    Ok(CaseHelp {
        missing: case::missing(&file.case, asked, file.sees_identity),
        suggested_reply: answers.first().map(reply_from),
        answers,
        similar: similar_cases(app, officer, &content, &words, topic, Some(file.case.id)).await?,
    })
}

/// Help with a conversation that the officer may see; nothing once it is closed.
///
/// # Errors
/// `NotFound` when there is none or the officer may not see it, `Store`.
pub async fn conversation_help(app: &App, officer: &Officer, id: ConversationId) -> Result<CaseHelp, AppError> {
    let detail = conversations::detail(app, officer, id).await?;
    let row = &detail.item.row;
    if row.state == "closed" {
        return Ok(CaseHelp::default());
    }
    let content = app.content.load();
    let state = dialogue_codec::decode(&row.dialogue);
    let matter = state.form.as_ref().and_then(|form| form.kept().next());
    let said = detail.messages.iter().rev().find(|message| message.sender == "visitor" && message.kind == "text");
    let words = match (matter, &state.last_matter, said) {
        (Some(matter), _, _) => format!("{}。{}", matter.text, matter.demand),
        (None, Some(words), _) => words.clone(),
        (None, None, Some(message)) => message.text.clone(),
        (None, None, None) => return Ok(CaseHelp::default()),
    };
    let code = matter.and_then(|matter| matter.topic.clone()).or_else(|| row.topic.clone());
    let topic = code.as_deref().and_then(|code| content.taxonomy.topic(code));
    let mut missing: Vec<String> = state
        .form
        .iter()
        .flat_map(super::super::domain::dialogue::form::CaseForm::missing)
        .map(|key| key.label().to_owned())
        .collect();
    let told = text::normalised(&words);
    let told = Told {
        words: &told,
        amount: state.facts.amount.is_some(),
        day: state.facts.happened_on.is_some(),
        place: state.facts.place.is_some(),
        object: state.facts.object.is_some(),
    };
    let asked = topic.map_or(&[][..], |topic| topic.must_ask.as_slice());
    missing.extend(told.lacks(asked).map(str::to_owned));
    let topic = topic.map(|topic| topic.code.as_str());
    let answers = answers(app, &content, &words, topic);
    let similar = if officer.permits(Permission::ViewCases) {
        similar_cases(app, officer, &content, &words, topic, None).await?
    } else {
        Vec::new()
    };
    Ok(CaseHelp { missing, suggested_reply: answers.first().map(reply_from), answers, similar })
}

/// Answers about a topic; without one, those that are near in their own right.
fn answers(app: &App, content: &Content, words: &str, topic: Option<&str>) -> Vec<Canned> {
    let mut answers = canned_from(content, app, words, ANSWERS_LOOKED_AT);
    answers.retain(|answer| {
        let own = content.rules.rule(&answer.rule_id).and_then(|rule| rule.topic.as_deref());
        topic.is_none() || own == topic
    });
    answers.truncate(MAX_ANSWERS);
    answers
}

/// A rule answer as the beginning of a written reply: with its sources, without what only makes sense in the chat.
pub fn reply_from(answer: &Canned) -> String {
    let mut reply: Vec<String> = answer.text.lines().map(without_buttons).filter(|line| !line.is_empty()).collect();
    if !answer.citations.is_empty() {
        reply.push(format!("依据：{}", answer.citations.join("；")));
    }
    reply.join("\n")
}

/// Drops the sentences that point at a button of the chat: 点“转人工”.
fn without_buttons(line: &str) -> String {
    let mut kept: String = line
        .split_inclusive(['。', '；'])
        .filter(|sentence| !["点“", "点一下“", "回复“", "说“转人工”"].iter().any(|sign| sentence.contains(sign)))
        .collect();
    if kept.ends_with('；') {
        kept.pop();
        kept.push('。');
    }
    kept
}

async fn similar_cases(
    app: &App,
    officer: &Officer,
    content: &Content,
    own: &str,
    topic: Option<&str>,
    except: Option<CaseId>,
) -> Result<Vec<SimilarCase>, AppError> {
    let Some(topic) = topic else { return Ok(Vec::new()) };
    let scope = case_queries::scope(content, officer);
    let mut tx = app.db.read().await?;
    let lines = similar::finished(&mut tx, &scope, topic, except, LOOKED_AT).await?;
    let mut ranked: Vec<(f32, similar::FinishedLine)> = lines
        .into_iter()
        .map(|line| (likeness(own, &line.search), line))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.closed_at.cmp(&a.1.closed_at)));
    let mut found = Vec::with_capacity(MAX_SIMILAR);
    for (_, line) in ranked.into_iter().take(MAX_SIMILAR) {
        let Ok(number) = line.number.parse::<CaseNumber>() else { continue };
        let Some(earlier) = cases::find_by_number(&mut tx, &number).await? else { continue };
        let reply = earlier.signature.as_ref().filter(|signed| signed.released_at.is_some());
        found.push(SimilarCase {
            title: without_names(&earlier, &earlier.title),
            closed_at: line.closed_at.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
            conclusion: earlier.closings.last().map(|closing| closing.conclusion.label()),
            unit: earlier.lead_unit.as_deref().map(|slug| case_queries::owner_name(content, slug)).unwrap_or_default(),
            reply: reply.map(|signed| shortened(&without_names(&earlier, &signed.text))),
            number: line.number,
        });
    }
    Ok(found)
}

/// One enterprise's names, numbers and accounts are no help with another's case.
fn without_names(case: &Case, words: &str) -> String {
    let mut words = text::mask_personal(words);
    for (known, instead) in [(&case.party.enterprise, "该企业"), (&case.party.contact_name, "联系人")] {
        if known.chars().count() >= 2 {
            words = words.replace(known.as_str(), instead);
        }
    }
    words
}

fn shortened(words: &str) -> String {
    let mut short: String = words.chars().take(REPLY_CHARS).collect();
    if words.chars().count() > REPLY_CHARS {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_reply_points_at_no_button() {
        let answer = Canned {
            rule_id: "r".to_owned(),
            title: "开公司多久拿到执照".to_owned(),
            text: "当场登记；不能当场的，3个工作日内登记；超过时限没有结果的，点“我要反映问题”。\n说“转人工”可以催。"
                .to_owned(),
            citations: vec!["登记管理条例 第十九条".to_owned()],
            awaiting_recheck: false,
            draft: false,
        };
        assert_eq!(reply_from(&answer), "当场登记；不能当场的，3个工作日内登记。\n依据：登记管理条例 第十九条");
    }

    #[test]
    fn long_replies_are_cut_at_a_character() {
        assert_eq!(shortened("短"), "短");
        assert_eq!(shortened(&"长".repeat(400)).chars().count(), REPLY_CHARS + 1);
    }
}
