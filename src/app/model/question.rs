//! A question put to the model, whoever asks it: what it may answer from, what leaves the gateway, and whether what comes
//! back may be said.
//!
//! The one way from a question to a checked answer: visitors' questions (`answer`) and labelled sets (`evaluation`) both
//! go it.

use tokio_util::sync::CancellationToken;

use super::{
    super::App,
    Call, Variable, call, judge,
    output::{self, AnswerStream},
};
use crate::{
    app::content::Content,
    domain::{
        dialogue::{Facts, GeneratedAnswer, Knowledge as _, Shipped, cited},
        grounding::{Limits, Source, Status, check, plain},
        kinds::Channel,
        sla::chinese_date,
        text::{Hidden, Redactor},
    },
    ports::model::{ModelFailure, ModelFinish, ModelReply, ModelTask},
};

/// Sources shown under an answer at most.
const CITATIONS: usize = 6;
/// Answers to other questions that an attack is put with when nothing is near it.
const OTHERS: usize = 3;

/// A question with what is known of whoever asks it.
pub(super) struct Question<'a> {
    /// The words, as they were said.
    pub(super) words: &'a str,
    /// Everything that was said so far, the oldest first: read for stable placeholders, not sent.
    pub(super) said: &'a [&'a str],
    /// What of it helps to understand the question.
    pub(super) before: &'a [&'a str],
    /// What was told of the enterprise and its people.
    pub(super) facts: &'a Facts,
    /// Where it was asked.
    pub(super) channel: Channel,
    /// Code of the region that answers must hold for.
    pub(super) region: &'a str,
    /// Id of the conversation.
    pub(super) conversation: Option<&'a str>,
    /// It is of a labelled set.
    pub(super) evaluation: bool,
    /// It is put even where nothing is near: with answers to other questions.
    pub(super) anyway: bool,
    /// Breaks the call off.
    pub(super) broken_off: Option<&'a CancellationToken>,
}

/// What came of a question.
pub(super) enum Sought {
    /// An answer that passed every check.
    Answer {
        /// Its row in the journal.
        exchange: String,
        /// The answer.
        answer: GeneratedAnswer,
        /// What the model wrote.
        reply: ModelReply,
    },
    /// The model wrote something that is not said.
    Refused {
        /// Why, in slugs.
        reasons: Vec<String>,
        /// What the model wrote.
        reply: ModelReply,
    },
    /// Nothing is near the question: nobody was asked.
    NoSource,
    /// There is no answer.
    Failed(ModelFailure),
}

/// Looks for answers near the question, lets the model put them into words and checks every one of them; the journal
/// learns what became of it. `on_shown` gets the sentences that passed so far, while the model still writes.
pub(super) async fn seek(app: &App, question: &Question<'_>, on_shown: &mut (dyn FnMut(&str) + Send)) -> Sought {
    let content = app.content.load();
    let (sources, region) = sources(app, &content, question);
    if sources.is_empty() {
        return Sought::NoSource;
    }
    let mut redactor = redactor(question.facts);
    for words in question.said {
        redactor.redact(words);
    }
    let before: Vec<String> = question.before.iter().map(|words| redactor.redact(words)).collect();
    let (before, material) = (output::texts_json(&before), output::sources_json(&sources));
    let today = chinese_date(app.zone().to_datetime(app.now()).date());
    let variables = [
        Variable::Theirs("问题", question.words),
        Variable::Theirs("前文", &before),
        Variable::Ours("资料", &material),
        Variable::Ours("今天", &today),
        Variable::Ours("地区", &region),
    ];
    let instructions = content.prompts.of(ModelTask::Answer.as_str()).map(|prompt| prompt.instructions());
    let limits = Limits { instructions: instructions.unwrap_or_default(), copied: true, ..Limits::default() };
    let mut stream = AnswerStream::new(&sources, &limits);
    let mut text = String::new();
    let mut on_text = |piece: &str| {
        let sentences = stream.push(piece);
        if !sentences.is_empty() {
            text.extend(sentences);
            on_shown(&text);
        }
    };
    let task = Call {
        task: ModelTask::Answer,
        variables: &variables,
        redactor: &mut redactor,
        conversation: question.conversation,
        case: None,
        officer: None,
        evaluation: question.evaluation,
        stream: true,
        broken_off: question.broken_off,
    };
    let called = match call(app, task, &mut on_text).await {
        Ok(called) => called,
        Err(failed) => return Sought::Failed(failed),
    };
    match read(&called.reply, &content, &sources, &limits) {
        Ok(answer) => {
            note(app, &called.exchange, "used", &[]).await;
            Sought::Answer { exchange: called.exchange, answer, reply: called.reply }
        }
        Err(reasons) => {
            let slugs: Vec<&str> = reasons.iter().map(String::as_str).collect();
            note(app, &called.exchange, "refused", &slugs).await;
            Sought::Refused { reasons, reply: called.reply }
        }
    }
}

/// Tells the journal what became of an answer; it is worth no failure.
pub(super) async fn note(app: &App, exchange: &str, verdict: &str, reasons: &[&str]) {
    if let Err(error) = judge(app, exchange, verdict, reasons).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the journal of the model misses a verdict");
    }
}

/// The answer, or every reason against it.
fn read(
    reply: &ModelReply,
    content: &Content,
    sources: &[Source],
    limits: &Limits,
) -> Result<GeneratedAnswer, Vec<String>> {
    match reply.finish {
        ModelFinish::Stop | ModelFinish::Unknown => {}
        finish @ (ModelFinish::Length | ModelFinish::Filtered | ModelFinish::Tool) => {
            return Err(vec![finish.as_str().to_owned()]);
        }
    }
    let draft = output::draft(&reply.text).map_err(|breach| vec![breach.kind.as_str().to_owned()])?;
    if draft.status != Status::Answered {
        return Err(vec![draft.status.as_str().to_owned()]);
    }
    if let Err(breaches) = check(&draft, sources, limits) {
        let mut reasons: Vec<String> = Vec::new();
        for breach in breaches {
            if !reasons.iter().any(|reason| reason == breach.kind.as_str()) {
                reasons.push(breach.kind.as_str().to_owned());
            }
        }
        return Err(reasons);
    }
    let named: Vec<&Source> = sources.iter().filter(|source| draft.cites.contains(&source.id)).collect();
    let mut citations = Vec::new();
    for source in &named {
        let verified_on = content.rules.rule(&source.id).and_then(|rule| rule.verified_on);
        for citation in source.citations.iter().map(|citation| cited(citation, verified_on)) {
            if !citations.contains(&citation) && citations.len() < CITATIONS {
                citations.push(citation);
            }
        }
    }
    let first = named.first().and_then(|source| content.rules.rule(&source.id));
    Ok(GeneratedAnswer {
        text: plain(&draft.answer).trim().to_owned(),
        citations,
        rule_ids: named.iter().map(|source| source.id.clone()).collect(),
        version: content.rules.hash().chars().take(8).collect(),
        topic: first.and_then(|rule| rule.topic.clone()),
        awaiting_recheck: named
            .iter()
            .any(|source| content.rules.rule(&source.id).is_some_and(|rule| rule.awaiting_recheck)),
    })
}

/// The answers near the question as sources, and the name of the region they hold for.
fn sources(app: &App, content: &Content, question: &Question<'_>) -> (Vec<Source>, String) {
    let knowledge = Shipped::new(&content.rules, &content.taxonomy, &content.routing, &content.schedule, app.now())
        .with_index(&content.index)
        .with_model(true);
    let mut sources: Vec<Source> = knowledge
        .sources(question.words, question.channel, Some(question.region), knowledge.today)
        .into_iter()
        .filter_map(|near| Source::of_rule(content.rules.rule(&near.rule_id)?))
        .collect();
    if sources.is_empty() && question.anyway {
        sources = content.rules.rules().iter().filter_map(Source::of_rule).take(OTHERS).collect();
    }
    (sources, knowledge.region_name(question.region).unwrap_or_else(|| question.region.to_owned()))
}

/// Replaces what the visitor told of the enterprise and its people, besides what looks like personal data.
pub(in crate::app) fn redactor(facts: &Facts) -> Redactor {
    let slots: Vec<(Hidden, &str)> = [
        (Hidden::Enterprise, &facts.enterprise),
        (Hidden::Uscc, &facts.uscc),
        (Hidden::Uscc, &facts.uscc_invalid),
        (Hidden::Person, &facts.contact_name),
        (Hidden::Phone, &facts.contact_phone),
        (Hidden::Email, &facts.contact_email),
        (Hidden::Contact, &facts.contact_wechat),
        (Hidden::Address, &facts.place),
    ]
    .into_iter()
    .filter_map(|(kind, value)| Some((kind, value.as_deref().filter(|value| !value.trim().is_empty())?)))
    .collect();
    Redactor::new(&slots)
}
