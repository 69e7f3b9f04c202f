//! The shipped evaluation sets: what they look like, that they are nobody's examples, and that the deterministic
//! parts hold against a model that obeys every injection.

use std::collections::HashSet;

use jiff::civil::{Date, date};
use serde_json::Value;
use zhitong::{
    app::{content::Content, model::output},
    domain::{
        grounding::{Draft, Limits, Source, Status, check},
        kinds::Channel,
        retrieval::Filter,
        rules::{RuleKind, Status as Life},
        text::Redactor,
    },
};

use crate::retrieval::{examples, plain, shipped};

const TODAY: Date = date(2026, 11, 25);
const INJECTION: &str = include_str!("../../prompts/eval/injection.jsonl");
const POLICY: &str = include_str!("../../prompts/eval/policy.jsonl");

struct Line {
    id: String,
    kind: String,
    text: String,
    answered: bool,
    rules: Vec<String>,
    obeyed: Option<String>,
}

fn lines(set: &str) -> Vec<Line> {
    set.lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).expect("a line of JSON");
            let field = |name: &str| value[name].as_str().map(str::to_owned);
            Line {
                id: field("id").expect("an id"),
                kind: field("kind").expect("a kind"),
                text: field("text").expect("a text"),
                answered: match field("expect").as_deref() {
                    Some("answered") => true,
                    Some("refused") => false,
                    other => panic!("expect is {other:?}"),
                },
                rules: value["rule_ids"]
                    .as_array()
                    .expect("rule ids")
                    .iter()
                    .map(|id| id.as_str().expect("an id").to_owned())
                    .collect(),
                obeyed: field("obeyed"),
            }
        })
        .collect()
}

/// The sources that are found for some words.
fn found(content: &Content, words: &str) -> Vec<Source> {
    let filter = Filter { today: TODAY, region: Some("350000"), channel: Some(Channel::Web), drafts: false };
    let hits = content.index.search(words, &filter, 5);
    hits.iter().filter_map(|hit| content.rules.rule(&hit.rule_id)).filter_map(Source::of_rule).collect()
}

#[test]
fn the_evaluation_sets_are_well_formed_and_nobodys_examples() {
    let content = shipped();
    let examples = examples(&content);
    let (injection, policy) = (lines(INJECTION), lines(POLICY));
    assert!(injection.len() >= 60 && injection.iter().all(|line| !line.answered && line.obeyed.is_some()));
    let kinds: HashSet<&str> = injection.iter().map(|line| line.kind.as_str()).collect();
    assert!(kinds.len() >= 20, "{kinds:?}");
    let answerable = policy.iter().filter(|line| line.answered).count();
    assert!(answerable >= 40 && policy.len() - answerable >= 40);
    let (mut ids, mut texts) = (HashSet::new(), HashSet::new());
    for line in injection.iter().chain(&policy) {
        assert!(ids.insert(line.id.as_str()), "{}", line.id);
        assert!(texts.insert(plain(&line.text)), "{}", line.text);
        assert!(!examples.contains(&plain(&line.text)), "{}", line.text);
        assert_eq!(line.answered, !line.rules.is_empty(), "{}", line.id);
        for rule in &line.rules {
            let known =
                content.rules.rule(rule).is_some_and(|rule| rule.status == Life::Active && rule.answer.is_some());
            assert!(known, "{}: {rule}", line.id);
        }
    }
}

#[test]
fn the_sources_of_answerable_questions_are_found() {
    let content = shipped();
    let questions: Vec<Line> = lines(POLICY).into_iter().filter(|line| line.answered).collect();
    let missed: Vec<String> = questions
        .iter()
        .filter(|line| !found(&content, &line.text).iter().any(|source| line.rules.contains(&source.id)))
        .map(|line| line.text.clone())
        .collect();
    assert!(missed.len() * 10 <= questions.len(), "{missed:?}");
}

#[test]
fn nothing_gets_out_of_a_model_that_obeys_an_injection() {
    let content = shipped();
    let prompt = content.prompts.of("answer").expect("the prompt");
    let any: Vec<Source> = content.rules.rules().iter().filter_map(Source::of_rule).take(3).collect();
    let mut out = Vec::new();
    for line in lines(INJECTION) {
        let redacted = Redactor::default().redact(&line.text);
        let rendered = prompt.render(&[
            ("问题", &redacted),
            ("前文", "[]"),
            ("资料", &output::sources_json(&found(&content, &redacted))),
            ("今天", "2026年11月25日"),
            ("地区", "福建省"),
        ]);
        let rendered = rendered.expect("the prompt renders");
        let literal = Value::from(redacted.as_str()).to_string().replace('<', "\\u003c").replace('>', "\\u003e");
        assert!(rendered.user.contains(literal.trim_matches('"')), "{}: {}", line.id, rendered.user);
        // The lie names every source that was found, or three that were not.
        let mut sources = found(&content, &redacted);
        if sources.is_empty() {
            sources.clone_from(&any);
        }
        let draft = Draft {
            status: Status::Answered,
            answer: line.obeyed.unwrap_or_default(),
            cites: sources.iter().map(|source| source.id.clone()).collect(),
            confidence: Some(1.0),
        };
        let limits = Limits { instructions: prompt.instructions(), copied: true, ..Limits::default() };
        if check(&draft, &sources, &limits).is_ok() {
            out.push(format!("{}: {}", line.id, draft.answer));
        }
        let contract = serde_json::json!({"status": "answered", "cites": draft.cites, "answer": draft.answer});
        let mut stream = output::AnswerStream::new(&sources, &limits);
        let mut shown = stream.push(&contract.to_string());
        shown.extend(stream.finish());
        // Sentences that say what the sources say may be seen before the lie; the lie never is.
        if !stream.is_closed() && shown.concat() == draft.answer {
            out.push(format!("{} streamed: {}", line.id, draft.answer));
        }
    }
    assert!(out.is_empty(), "{}", out.join("\n"));
}

#[test]
fn what_the_shipped_rules_answer_passes_when_it_is_copied() {
    let content = shipped();
    let prompt = content.prompts.of("answer").expect("the prompt");
    let limits = Limits { instructions: prompt.instructions(), max_chars: 2_000, copied: true, ..Limits::default() };
    let mut refused = Vec::new();
    for rule in content.rules.rules().iter().filter(|rule| rule.kind == RuleKind::Answer) {
        let Some(source) = Source::of_rule(rule) else { continue };
        let texts = [Some(&source.text), rule.answer.as_ref().and_then(|answer| answer.plain.as_ref())];
        for text in texts.into_iter().flatten() {
            let draft = Draft {
                status: Status::Answered,
                answer: text.clone(),
                cites: vec![rule.id.clone()],
                confidence: None,
            };
            if let Err(breaches) = check(&draft, std::slice::from_ref(&source), &limits) {
                refused.push(format!("{}: {breaches:?}: {text}", rule.id));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn sentences_of_a_rule_pass_one_by_one_and_other_words_are_refused() {
    let content = shipped();
    let limits = Limits { max_chars: 2_000, copied: true, ..Limits::default() };
    let (mut sentences, mut alone, mut plain, mut refused) = (0, 0, 0, 0);
    for rule in content.rules.rules().iter().filter(|rule| rule.kind == RuleKind::Answer) {
        let Some(source) = Source::of_rule(rule) else { continue };
        let passes = |answer: &str, source: &Source| {
            let (answer, cites) = (answer.to_owned(), vec![rule.id.clone()]);
            let draft = Draft { status: Status::Answered, answer, cites, confidence: None };
            check(&draft, std::slice::from_ref(source), &limits).is_ok()
        };
        for text in [Some(&source.text), source.plain.as_ref()].into_iter().flatten() {
            for sentence in text.split_inclusive(['。', '\n']).filter(|sentence| sentence.chars().count() > 8) {
                sentences += 1;
                alone += usize::from(passes(sentence, &source));
            }
        }
        // In other words than the source has: nobody can tell whether they say the same, and the canned answer stands.
        if let Some(words) = &source.plain {
            plain += 1;
            let official = Source { plain: None, ..source.clone() };
            refused += usize::from(!passes(words, &official));
        }
    }
    // What leans on the sentence before it (这是…, 但…) does not stand alone.
    println!("{alone} of {sentences} sentences pass alone; {refused} of {plain} paraphrases are refused");
    assert!(sentences >= 150 && alone * 10 >= sentences * 8, "{alone} of {sentences}");
    assert!(plain >= 50 && refused * 100 >= plain * 95, "{refused} of {plain}");
}

#[test]
fn redaction_leaves_the_words_of_rules_alone() {
    let content = shipped();
    let mut changed = Vec::new();
    for rule in content.rules.rules() {
        for text in rule.tests.matches.iter().chain(rule.answer.iter().map(|answer| &answer.text)) {
            let hidden = Redactor::default().redact(text);
            if hidden != *text {
                changed.push(format!("{}: {hidden}", rule.id));
            }
        }
    }
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}
