//! What each kind of suggestion is asked with, how the answer is read, and what it is checked against.

use serde_json::{Value, json};

use super::{Proposal, SourceLine, SuggestionKind, refused, subject::Subject};
use crate::{
    app::{
        App, AppError, Officer,
        content::Content,
        conversations::canned_from,
        model::{self, Ask, Asked, output},
    },
    domain::{
        grounding::{self, Breach, BreachKind, Draft, Limits, Source, Status},
        kinds::{CaseType, Urgency},
        prompts::{Output, Prompt},
        sla::chinese_date,
        suggestion,
        text::stands_in,
    },
    ports::model::{
        ModelFailure, ModelFailureKind, ModelFinish, ModelLine, ModelOutput, ModelRequest, ModelRole, ModelTask,
    },
};

/// Sources of a reply.
const MAX_SOURCES: usize = 4;
/// Name of the source that is what officers wrote down about the matter.
const RECORDS: &str = "办理记录";
/// Name of the source that is the text itself.
const ITSELF: &str = "原文";

/// What a model wrote and what passed the checks of it.
pub(super) struct Written {
    pub(super) exchange: String,
    /// For the officer.
    pub(super) shown: String,
    /// Personal data replaced.
    pub(super) text: String,
    pub(super) demand: Option<String>,
    pub(super) sources: Vec<SourceLine>,
    pub(super) proposal: Option<Proposal>,
}

/// Asks for one kind of suggestion.
pub(super) async fn write(
    app: &App,
    officer: &Officer,
    subject: &mut Subject,
    kind: SuggestionKind,
    text: Option<&str>,
) -> Result<Written, AppError> {
    let content = app.content.load();
    let today = chinese_date(content.schedule.civil(app.now()).date());
    let desk = Desk { app, officer, content: &content, today };
    match kind {
        SuggestionKind::Reply => desk.reply(subject).await,
        SuggestionKind::Summary => desk.summary(subject).await,
        SuggestionKind::Title => desk.title(subject).await,
        SuggestionKind::Rewrite => desk.rewrite(subject, text.unwrap_or_default()).await,
        SuggestionKind::Classify => desk.classify(subject).await,
    }
}

struct Desk<'a> {
    app: &'a App,
    officer: &'a Officer,
    content: &'a Content,
    today: String,
}

impl Desk<'_> {
    async fn reply(&self, subject: &Subject) -> Result<Written, AppError> {
        let near = canned_from(self.content, self.app, &subject.query, 2 * MAX_SOURCES);
        let rules = near.iter().filter(|answer| !answer.draft);
        let sources: Vec<Source> = rules
            .filter_map(|answer| self.content.rules.rule(&answer.rule_id))
            .filter_map(Source::of_rule)
            .take(MAX_SOURCES)
            .collect();
        if sources.is_empty() {
            return Err(refused("model_no_sources", "没有检索到可以依据的规则答复，请按实际办理情况拟写。"));
        }
        let matter = json!({
            "类型": subject.case_type.label(),
            "主题": self.topic(subject.topic.as_deref()),
            "内容": subject.words.join("\n"),
            "办理情况": subject.records,
        })
        .to_string();
        let handed = output::sources_json(&sources);
        let values = [("诉求", matter.as_str()), ("资料", &handed), ("单位", &subject.unit), ("今天", &self.today)];
        let (asked, prompt) = self.ask(subject, ModelTask::Draft, &values, 0).await?;
        let found = output::draft(&asked.reply.text)
            .map_err(|breach| vec![breach])
            .and_then(|draft| checked(draft, &sources, &subject.records, &limits(&prompt, 1_200)));
        let draft = self.passed(&asked, found).await?;
        let cited: Vec<SourceLine> = sources
            .iter()
            .filter(|source| draft.cites.contains(&source.id))
            .map(|source| SourceLine {
                id: source.id.clone(),
                title: source.title.clone(),
                references: source.references(),
                awaiting_recheck: self.content.rules.rule(&source.id).is_some_and(|rule| rule.awaiting_recheck),
            })
            .collect();
        let mut references: Vec<String> = Vec::new();
        for line in cited.iter().flat_map(|source| &source.references) {
            if !references.contains(line) {
                references.push(line.clone());
            }
        }
        let mut text = draft.answer.trim().to_owned();
        if !references.is_empty() {
            text = format!("{text}\n依据：{}", references.join("；"));
        }
        Ok(Written { sources: cited, ..Written::new(subject, &asked, text) })
    }

    async fn summary(&self, subject: &Subject) -> Result<Written, AppError> {
        if subject.talk.is_empty() {
            return Err(refused("model_no_sources", "还没有对话可以归纳。"));
        }
        let talk: Vec<Value> =
            subject.talk.iter().map(|turn| json!({ "from": turn.from, "text": turn.text })).collect();
        let talk = Value::from(talk).to_string();
        let (asked, prompt) =
            self.ask(subject, ModelTask::Summary, &[("对话", &talk), ("今天", &self.today)], 0).await?;
        let whole: Vec<&str> = subject.talk.iter().map(|turn| turn.text.as_str()).collect();
        let found = output::summary(&asked.reply.text).map_err(|breach| vec![breach]).and_then(|summary| {
            let mut text = summary.summary.trim().to_owned();
            if !summary.demand.is_empty() {
                text = format!("{text}\n企业要：{}", summary.demand);
            }
            for (head, lines) in
                [("说明过的", &summary.facts), ("答过、问过的", &summary.asked), ("还没弄清的", &summary.open)]
            {
                if !lines.is_empty() {
                    text = format!("{text}\n{head}：\n· {}", lines.join("\n· "));
                }
            }
            within(&text, &whole.join("\n"), &limits(&prompt, 1_500))?;
            Ok(text)
        });
        let text = self.passed(&asked, found).await?;
        Ok(Written::new(subject, &asked, text))
    }

    async fn title(&self, subject: &Subject) -> Result<Written, AppError> {
        if subject.words.is_empty() {
            return Err(refused("model_no_sources", "企业还没有说是什么事。"));
        }
        let words = output::texts_json(&subject.words);
        let topic = self.topic(subject.topic.as_deref());
        let values = [("来文", words.as_str()), ("类型", subject.case_type.label()), ("主题", &topic)];
        let (asked, prompt) = self.ask(subject, ModelTask::Title, &values, 0).await?;
        let found = output::titled(&asked.reply.text).map_err(|breach| vec![breach]).and_then(|titled| {
            let whole = format!("{}\n{topic}", subject.words.join("\n"));
            within(&format!("{}\n{}", titled.title, titled.demand), &whole, &limits(&prompt, 200))?;
            Ok(titled)
        });
        let titled = self.passed(&asked, found).await?;
        let demand = subject.redactor.restore(&titled.demand);
        Ok(Written { demand: Some(demand), ..Written::new(subject, &asked, titled.title) })
    }

    async fn rewrite(&self, subject: &mut Subject, text: &str) -> Result<Written, AppError> {
        let original = subject.redactor.redact(text);
        // Plainer words are more words: half as many again.
        let characters = u32::try_from(original.chars().count()).unwrap_or(0);
        let room = characters.saturating_add(characters / 2).saturating_add(200);
        let (asked, prompt) = self.ask(subject, ModelTask::Rewrite, &[("原文", &original)], room).await?;
        let most = original.chars().count() * 2 + 200;
        let plain = asked.reply.text.trim().to_owned();
        let found = within(&plain, &original, &limits(&prompt, most)).map(|()| plain);
        let plain = self.passed(&asked, found).await?;
        Ok(Written::new(subject, &asked, plain))
    }

    async fn classify(&self, subject: &Subject) -> Result<Written, AppError> {
        if !subject.undecided.any() {
            return Err(refused("model_decided", "规则已经判明类型和主题，不需要建议。"));
        }
        let taxonomy = &self.content.taxonomy;
        let types: Vec<Value> =
            CaseType::ALL.iter().map(|t| json!({ "slug": t.as_str(), "label": t.label() })).collect();
        let topics: Vec<Value> =
            taxonomy.topics().iter().map(|t| json!({ "code": t.code, "label": t.label })).collect();
        let slots: Vec<Value> =
            subject.empty_fields.iter().map(|(slot, label)| json!({ "slot": slot, "label": label })).collect();
        let words = subject.words.join("\n");
        let (types, topics, slots) =
            (Value::from(types).to_string(), Value::from(topics).to_string(), Value::from(slots).to_string());
        let values = [
            ("来文", words.as_str()),
            ("类型表", &types),
            ("主题表", &topics),
            ("要素表", &slots),
            ("今天", &self.today),
        ];
        let (asked, _) = self.ask(subject, ModelTask::Classify, &values, 0).await?;
        let found = output::classified(&asked.reply.text).map_err(|breach| vec![breach]);
        let said = self.passed(&asked, found).await?;
        let case_type = said.case_type.as_deref().and_then(|slug| CaseType::ALL.iter().find(|t| t.as_str() == slug));
        let urgency = said.urgency.as_deref().and_then(|slug| Urgency::ALL.iter().find(|u| u.as_str() == slug));
        let topic = said.topic.as_deref().and_then(|code| taxonomy.topics().iter().find(|t| t.code == code));
        let proposal = Proposal {
            case_type: case_type
                .copied()
                .filter(|_| subject.undecided.case_type)
                .filter(|proposed| suggestion::may_propose(subject.case_type, *proposed)),
            topic: topic
                .filter(|topic| subject.undecided.topic && Some(&topic.code) != subject.topic.as_ref())
                .map(|topic| (topic.code.clone(), topic.label.clone())),
            urgency: urgency.copied().filter(|proposed| *proposed > subject.urgency),
            slots: subject
                .empty_fields
                .iter()
                .filter_map(|(slot, label)| {
                    let (_, value) = said.slots.iter().find(|(name, _)| name == slot)?;
                    // Only what the enterprise said itself, letter for letter.
                    stands_in(value, &words).then(|| ((*label).to_owned(), subject.redactor.restore(value)))
                })
                .collect(),
        };
        let text = in_words(&proposal);
        Ok(Written { proposal: Some(proposal), ..Written::new(subject, &asked, text) })
    }

    fn topic(&self, code: Option<&str>) -> String {
        code.and_then(|code| self.content.taxonomy.topic(code)).map_or_else(String::new, |topic| topic.label.clone())
    }

    /// Fills in the prompt of a task and asks.
    async fn ask(
        &self,
        subject: &Subject,
        task: ModelTask,
        values: &[(&str, &str)],
        room: u32,
    ) -> Result<(Asked, Prompt), AppError> {
        let prompt = self.content.prompts.of(task.as_str());
        let prompt = prompt.ok_or_else(|| AppError::Internal(format!("no prompt for {task}")))?;
        let rendered = prompt.render(values).map_err(|error| AppError::Internal(error.to_string()))?;
        let request = ModelRequest {
            task,
            lines: vec![
                ModelLine { role: ModelRole::System, text: rendered.system },
                ModelLine { role: ModelRole::User, text: rendered.user },
            ],
            output: match &prompt.output {
                Output::Text => ModelOutput::Text,
                Output::Json { schema } => ModelOutput::Json { schema: schema.clone() },
            },
            max_tokens: prompt.max_tokens.max(room),
            stream: false,
        };
        let (conversation, case) =
            (subject.conversation.map(|id| id.to_string()), subject.case.map(|id| id.to_string()));
        let officer = self.officer.id.to_string();
        let ask = Ask {
            request: &request,
            prompt_id: &prompt.id,
            prompt_version: &prompt.version,
            content_hash: &self.content.hash,
            conversation: conversation.as_deref(),
            case: case.as_deref(),
            officer: Some(&officer),
            evaluation: false,
            broken_off: None,
        };
        let mut hidden = subject.redactor.clone();
        let asked = model::ask(self.app, &ask, &mut |text: &str| hidden.redact(text), &mut |_: &str| ()).await;
        let asked = asked.map_err(|failure| failed(&failure))?;
        let whole = match asked.reply.finish {
            ModelFinish::Stop => true,
            // JSON without a word about its end is whole or cannot be read; a text may lack its last sentence.
            ModelFinish::Unknown => request.output != ModelOutput::Text,
            ModelFinish::Length | ModelFinish::Filtered | ModelFinish::Tool => false,
        };
        if !whole {
            model::judge(self.app, &asked.exchange, "refused", &[asked.reply.finish.as_str()]).await?;
            let why = asked.reply.finish.label();
            return Err(refused("model_refused", format!("模型没有写完（{why}），没有采用。请自行拟写。")));
        }
        Ok((asked, Prompt::clone(prompt)))
    }

    /// What passed the checks; the rest is journaled and told in words, without what the model wrote.
    async fn passed<T>(&self, asked: &Asked, found: Result<T, Vec<Breach>>) -> Result<T, AppError> {
        let breaches = match found {
            Ok(passed) => return Ok(passed),
            Err(breaches) => breaches,
        };
        let mut reasons: Vec<&str> = breaches.iter().map(|breach| breach.kind.as_str()).collect();
        reasons.dedup();
        model::judge(self.app, &asked.exchange, "refused", &reasons).await?;
        let mut words: Vec<&str> = breaches.iter().map(|breach| breach.kind.label()).collect();
        words.dedup();
        Err(refused("model_refused", format!("模型写的没有通过核对（{}），没有采用。请自行拟写。", words.join("、"))))
    }
}

impl Written {
    fn new(subject: &Subject, asked: &Asked, text: String) -> Self {
        Self {
            exchange: asked.exchange.clone(),
            shown: subject.redactor.restore(&text),
            text,
            demand: None,
            sources: Vec::new(),
            proposal: None,
        }
    }
}

/// A draft that rests on a rule. What officers wrote down themselves says what was done: its figures may be told again,
/// but it allows nothing. What the enterprise said is no source at all.
fn checked(draft: Draft, rules: &[Source], records: &[String], limits: &Limits) -> Result<Draft, Vec<Breach>> {
    if draft.status != Status::Answered {
        return Err(vec![Breach { kind: BreachKind::Status, what: draft.status.as_str().to_owned() }]);
    }
    if !rules.iter().any(|source| draft.cites.contains(&source.id)) {
        return Err(vec![Breach { kind: BreachKind::NoCite, what: String::new() }]);
    }
    let mut sources = rules.to_vec();
    let mut resting = draft.clone();
    if !records.is_empty() {
        sources.push(Source::of_text(RECORDS, RECORDS, &records.join("\n")));
        resting.cites.push(RECORDS.to_owned());
    }
    grounding::check(&resting, &sources, limits)?;
    Ok(draft)
}

fn limits(prompt: &Prompt, max_chars: usize) -> Limits {
    Limits { max_chars, instructions: prompt.instructions(), placeholders: true, copied: false }
}

/// Whether a text says nothing that another one does not: every figure and name of a document stands in it.
fn within(text: &str, whole: &str, limits: &Limits) -> Result<(), Vec<Breach>> {
    let source = Source::of_text(ITSELF, ITSELF, whole);
    let draft =
        Draft { status: Status::Answered, answer: text.to_owned(), cites: vec![ITSELF.to_owned()], confidence: None };
    match grounding::check(&draft, std::slice::from_ref(&source), limits) {
        Ok(()) => Ok(()),
        Err(breaches) => {
            // Words that were said there are told again, not said by the model; and whoever sums up or says something in
            // plainer words uses other words than the source.
            let said = |breach: &Breach| {
                let again = matches!(breach.kind, BreachKind::Promise | BreachKind::Verdict)
                    && !breach.what.is_empty()
                    && whole.contains(breach.what.as_str());
                again || breach.kind.as_str() == "unsupported"
            };
            let left: Vec<Breach> = breaches.into_iter().filter(|breach| !said(breach)).collect();
            if left.is_empty() { Ok(()) } else { Err(left) }
        }
    }
}

fn in_words(proposal: &Proposal) -> String {
    let mut parts = Vec::new();
    parts.extend(proposal.case_type.map(|t| format!("类型：{}", t.label())));
    parts.extend(proposal.topic.as_ref().map(|(_, label)| format!("主题：{label}")));
    parts.extend(proposal.urgency.map(|u| format!("紧急程度：{}", u.label())));
    parts.extend(proposal.slots.iter().map(|(label, value)| format!("{label}：{value}")));
    if parts.is_empty() { "没有新的建议，请人工判断。".to_owned() } else { parts.join("；") }
}

/// Why the model gave nothing, for the officer.
fn failed(failure: &ModelFailure) -> AppError {
    let code = match failure.kind {
        ModelFailureKind::Unconfigured | ModelFailureKind::Switched | ModelFailureKind::Budget => "model_off",
        ModelFailureKind::Busy
        | ModelFailureKind::Open
        | ModelFailureKind::Connect
        | ModelFailureKind::Timeout
        | ModelFailureKind::Unauthorised
        | ModelFailureKind::Unpaid
        | ModelFailureKind::Limited
        | ModelFailureKind::Rejected
        | ModelFailureKind::Unavailable
        | ModelFailureKind::Filtered
        | ModelFailureKind::Malformed
        | ModelFailureKind::TooLarge
        | ModelFailureKind::Empty => "model_failed",
    };
    refused(code, format!("模型没有给出内容（{}）。请自行拟写，或稍后再试。", failure.kind.label()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_put_into_other_words_may_bring_no_figure_of_its_own() {
        let limits = Limits { max_chars: 200, instructions: String::new(), placeholders: true, copied: false };
        let whole = "请于15个工作日内补齐材料，联系〔手机号1〕。";
        assert_eq!(within("15个工作日内把材料补齐，打〔手机号1〕。", whole, &limits), Ok(()));
        let breaches = within("20个工作日内把材料补齐。", whole, &limits).unwrap_err();
        assert!(!breaches.is_empty());
    }

    #[test]
    fn a_proposal_is_told_in_words() {
        let proposal = Proposal { urgency: Some(Urgency::Urgent), ..Proposal::default() };
        assert_eq!(in_words(&proposal), "紧急程度：紧急");
        assert_eq!(in_words(&Proposal::default()), "没有新的建议，请人工判断。");
    }
}
