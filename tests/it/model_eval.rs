//! `zhitong model eval`: honest, lying, obeying and dead endpoints, the switch and the budget, and that nothing is left
//! behind but the journal.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;
use zhitong::{
    app::{
        model,
        model::evaluation::{self, Ended, Expect, Grade, Graded, Labelled, Outcome, Plan, Stop, Way},
    },
    config::{Config, ModelConfig},
    domain::access::Role,
    ports::model::{
        EndpointState, ModelClient, ModelFailure, ModelFailureKind, ModelFinish, ModelReply, ModelRequest, ModelUsage,
        OnText,
    },
    store::{self, model::ExchangeRow},
};

use crate::{
    model_api::standin::{DONE, Standin, events, finish, piece, usage},
    model_flow::question,
    support::{TestApp, model::contract},
};

const POLICY: &str = include_str!("../../prompts/eval/policy.jsonl");
const INJECTION: &str = include_str!("../../prompts/eval/injection.jsonl");

fn set(text: &str) -> Vec<Labelled> {
    evaluation::parse_set(text).expect("a set")
}

/// A source as the endpoint is told of it.
struct Told {
    id: String,
    sentence: String,
}

type Act = dyn Fn(&[Told], &str) -> Result<String, ModelFailureKind> + Send + Sync;

/// An endpoint that reads its question and acts in character.
struct Actor {
    act: Box<Act>,
    asked: AtomicUsize,
    told: Mutex<String>,
    arrived: Notify,
    hangs: bool,
}

impl Actor {
    fn new(act: impl Fn(&[Told], &str) -> Result<String, ModelFailureKind> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self::raw(Box::new(act), false))
    }

    fn hanging() -> Arc<Self> {
        Arc::new(Self::raw(Box::new(|_, _| Err(ModelFailureKind::Timeout)), true))
    }

    fn raw(act: Box<Act>, hangs: bool) -> Self {
        Self { act, asked: AtomicUsize::new(0), told: Mutex::default(), arrived: Notify::new(), hangs }
    }

    fn count(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

/// The first whole sentences of a text, as many as say something.
fn sentence(text: &str) -> String {
    let mut said = String::new();
    for sentence in text.split_inclusive('。') {
        said.push_str(sentence.trim());
        if said.chars().count() >= 20 {
            break;
        }
    }
    said
}

fn read(request: &ModelRequest) -> (Vec<Told>, String) {
    let user = &request.lines.last().expect("a line").text;
    let between = |from: &str, to: &str| -> Value {
        let rest = user.split_once(from).expect(from).1;
        let json = rest.split_once(to).map_or(rest, |(json, _)| json);
        serde_json::from_str(json.trim()).expect("JSON")
    };
    let sources = between("资料（JSON 数组）：", "\n\n前文");
    let told = sources.as_array().expect("sources").iter().map(|source| Told {
        id: source["id"].as_str().expect("an id").to_owned(),
        sentence: sentence(source["正文"].as_str().expect("a text")),
    });
    (told.collect(), between("问题（JSON 字符串）：", "\n\n").as_str().expect("a question").to_owned())
}

#[async_trait::async_trait]
impl ModelClient for Actor {
    async fn ask(&self, request: &ModelRequest, on_text: &mut OnText<'_>) -> Result<ModelReply, ModelFailure> {
        self.asked.fetch_add(1, SeqCst);
        self.told.lock().expect("no poisoned lock").extend(request.lines.iter().map(|line| line.text.as_str()));
        self.arrived.notify_one();
        if self.hangs {
            return std::future::pending().await;
        }
        let (sources, question) = read(request);
        let text = (self.act)(&sources, &question).map_err(|kind| ModelFailure {
            kind,
            endpoint: "actor".to_owned(),
            detail: "in character".to_owned(),
            usage: ModelUsage::default(),
            cost_micro_yuan: 0,
        })?;
        for piece in text.chars().collect::<Vec<_>>().chunks(4) {
            on_text(&piece.iter().collect::<String>());
        }
        Ok(ModelReply {
            text,
            finish: ModelFinish::Stop,
            usage: ModelUsage { prompt: 900, completion: 100, estimated: false },
            endpoint: "actor".to_owned(),
            model: "actor".to_owned(),
            first_ms: 1,
            total_ms: 2,
            cost_micro_yuan: 10,
        })
    }

    fn endpoints(&self) -> Vec<EndpointState> {
        Vec::new()
    }
}

/// As it happens, one question after the other.
const PLAIN: Plan = Plan { at_once: 1, every_attack: false };
/// Every attack is put to the endpoint.
const HARD: Plan = Plan { at_once: 4, every_attack: true };

async fn put_as(app: &TestApp, set: &[Labelled], plan: Plan) -> Outcome {
    evaluation::run(&app.app, set, plan, &|_| ()).await.expect("an evaluation")
}

async fn put(app: &TestApp, set: &[Labelled]) -> Outcome {
    put_as(app, set, Plan { at_once: 4, ..PLAIN }).await
}

async fn journal(app: &TestApp) -> Vec<ExchangeRow> {
    let mut tx = app.app.db.read().await.expect("a reader");
    store::model::page(&mut tx, None, 200).await.expect("exchanges")
}

/// The question of the set that these words are, some of which were replaced.
fn line_of<'a>(set: &'a [Labelled], words: &str) -> &'a Labelled {
    let likeness = |line: &&Labelled| (strsim::normalized_levenshtein(&line.text, words) * 1_000.0) as u32;
    set.iter().max_by_key(likeness).expect("a question")
}

/// Repeats a sentence of the right source, and says so when there is none.
fn honest(set: &[Labelled]) -> Arc<Actor> {
    let set = set.to_vec();
    Actor::new(move |sources, question| {
        let line = line_of(&set, question);
        let right = sources.iter().find(|source| line.rule_ids.contains(&source.id));
        Ok(right.map_or_else(
            || contract("not_found", &[], ""),
            |source| contract("answered", &[&source.id], &source.sentence),
        ))
    })
}

fn asked(graded: &[Graded]) -> impl Iterator<Item = (&Graded, &evaluation::AskedLine)> {
    graded.iter().filter_map(|one| Some((one, one.asked.as_ref()?)))
}

fn count(graded: &[Graded], expect: Expect, grade: impl Fn(&Graded) -> Grade, wanted: Grade) -> usize {
    graded.iter().filter(|one| one.line.expect == expect && grade(one) == wanted).count()
}

async fn an_honest_endpoint_on(app: TestApp) {
    let questions = set(POLICY);
    let model = honest(&questions);
    app.app.model.connect(model.clone());
    let Outcome { graded, left, stop } = put(&app, &questions).await;
    assert_eq!((graded.len(), left, stop), (questions.len(), 0, None));
    assert!(graded.iter().map(|one| &one.line.id).eq(questions.iter().map(|line| &line.id)), "the order of the set");
    let right = |grade: fn(&Graded) -> Grade| count(&graded, Expect::Answered, grade, Grade::Right);
    assert!(right(|one| one.grade) > right(|one| one.rules_grade), "it adds answers to those of the rules");
    for (one, asked) in asked(&graded) {
        match asked.ended {
            Ended::Answered => assert_eq!((one.grade, one.told.way), (Grade::Right, Way::Model), "{one:?}"),
            Ended::Refused => assert_eq!(asked.reasons, ["not_found"], "{one:?}"),
            Ended::Failed => panic!("{one:?}"),
        }
        assert!(!one.told.text.contains("仅供参考"), "the label is not part of the answer");
    }
    for one in graded.iter().filter(|one| one.asked.is_none()) {
        assert_eq!((&one.told, one.grade), (&one.rules, one.rules_grade), "nobody was asked");
    }
    let alone = evaluation::by_rules(&app.app.content.load(), "350000", app.app.now(), &questions);
    assert!(alone.iter().zip(&graded).all(|(alone, one)| alone.rules == one.rules), "the measure needs no endpoint");
    assert_eq!(evaluation::to_ask(&app.app.content.load(), "350000", app.app.now(), &questions, PLAIN), model.count());

    let rows = journal(&app).await;
    assert_eq!(rows.len(), model.count());
    for row in &rows {
        assert_eq!((row.task.as_str(), row.conversation_id.as_deref()), ("evaluation", None));
        assert!(matches!(row.verdict.as_deref(), Some("used" | "refused")), "{row:?}");
    }
    let mut tx = app.app.db.read().await.expect("a reader");
    assert_eq!(store::upkeep::idle(&mut tx, Timestamp::MAX, 9).await.expect("conversations"), Vec::<String>::new());
    drop(tx);
    let admin = app.officer("root", &[(Role::Admin, "")]).await;
    let console = app.get("/api/admin/model", &admin).await.expect(200).json();
    let tasks = console["tasks"].as_array().expect("tasks");
    assert_eq!(tasks.len(), 1, "{console}");
    assert_eq!((&tasks[0]["task"], &tasks[0]["label"]), (&Value::from("evaluation"), &Value::from("测评")));
    assert_eq!(tasks[0]["exchanges"], rows.len());
    assert_eq!(console["shares"]["model"], 0, "visitors' answers are counted without it");
    assert_eq!(console["refusals"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn an_honest_endpoint_adds_answers_and_leaves_only_its_journal() {
    an_honest_endpoint_on(TestApp::start().await).await;
}

#[tokio::test]
async fn an_honest_endpoint_adds_answers_on_postgres() {
    if let Some(app) = TestApp::on_postgres().await {
        an_honest_endpoint_on(app).await;
    }
}

#[tokio::test]
async fn what_a_lying_endpoint_invents_is_in_no_answer_and_on_no_stream() {
    let questions = set(POLICY);
    let model = Actor::new(|sources, _| {
        let cites: Vec<&str> = sources.iter().map(|source| source.id.as_str()).collect();
        let first = sources.first().map_or("", |source| source.sentence.as_str());
        Ok(contract("answered", &cites, &format!("{first}另外每家企业可以领补贴97万元。")))
    });
    let app = TestApp::with_model(model.clone()).await;
    let outcome = put(&app, &questions).await;
    assert!(model.count() > 0 && outcome.stop.is_none());
    for (one, asked) in asked(&outcome.graded) {
        assert_eq!(asked.ended, Ended::Refused, "{one:?}");
        assert!(asked.reasons.contains(&"amount".to_owned()), "{one:?}");
        assert!(!asked.shown.contains("97") && !one.told.text.contains("97"), "{one:?}");
        assert_ne!(one.told.way, Way::Model);
    }
}

#[tokio::test]
async fn an_endpoint_that_cites_the_wrong_source_is_told_apart_from_one_that_is_right() {
    let questions = set(POLICY);
    let all = questions.clone();
    let model = Actor::new(move |sources, question| {
        let line = line_of(&all, question);
        let other = sources.iter().find(|source| !line.rule_ids.contains(&source.id));
        Ok(other.map_or_else(
            || contract("not_found", &[], ""),
            |source| contract("answered", &[&source.id], &source.sentence),
        ))
    });
    let app = TestApp::with_model(model).await;
    let outcome = put(&app, &questions).await;
    let answered: Vec<_> = asked(&outcome.graded).filter(|(_, asked)| asked.ended == Ended::Answered).collect();
    assert!(!answered.is_empty());
    assert!(answered.iter().all(|(one, _)| one.grade == Grade::Wrong), "a true sentence is no answer to this question");
}

#[tokio::test]
async fn an_endpoint_that_does_what_every_attack_wants_gets_nothing_out() {
    let attacks = set(INJECTION);
    let all = attacks.clone();
    let model = Actor::new(move |sources, question| {
        let cites: Vec<&str> = sources.iter().map(|source| source.id.as_str()).collect();
        let first = sources.first().map_or("", |source| source.sentence.as_str());
        // Behind true words, so that a stream has begun before the lie.
        let obeyed = line_of(&all, question).obeyed.as_deref().unwrap_or_default();
        Ok(contract("answered", &cites, &format!("{first}{obeyed}")))
    });
    let app = TestApp::with_model(model.clone()).await;
    let as_it_happens = put(&app, &attacks).await;
    println!("attacks: {}, put to the endpoint as it happens: {}", attacks.len(), model.count());
    assert!(model.count() > 0 && as_it_happens.graded.iter().all(|one| !one.leaked()));
    let outcome = put_as(&app, &attacks, HARD).await;
    assert_eq!(asked(&outcome.graded).count(), attacks.len(), "every one is put");
    let out: Vec<&str> = outcome.graded.iter().filter(|one| one.leaked()).map(|one| one.line.id.as_str()).collect();
    assert_eq!(out, [""; 0]);
    for (one, asked) in asked(&outcome.graded) {
        assert_eq!((asked.ended, one.told.way == Way::Model), (Ended::Refused, false), "{one:?}");
    }
    // A word such as 合 is no proof by itself.
    let obeyed = asked(&outcome.graded).filter(|(_, asked)| asked.obeyed).count();
    assert!(obeyed * 20 >= attacks.len() * 19, "{obeyed} of {}", attacks.len());
}

#[tokio::test]
async fn an_attack_that_is_answered_counts_as_one_that_got_through() {
    let attacks = set(INJECTION);
    let model = Actor::new(|sources, _| {
        Ok(sources.first().map_or_else(
            || contract("not_found", &[], ""),
            |source| contract("answered", &[&source.id], &source.sentence),
        ))
    });
    let app = TestApp::with_model(model).await;
    let outcome = put_as(&app, &attacks, HARD).await;
    let answered: Vec<_> = asked(&outcome.graded).filter(|(_, asked)| asked.ended == Ended::Answered).collect();
    assert!(!answered.is_empty());
    assert!(answered.iter().all(|(one, asked)| one.leaked() && one.grade == Grade::Wrong && !asked.obeyed));
}

#[tokio::test]
async fn personal_data_of_a_set_do_not_leave_the_gateway() {
    let words = format!("{}我的电话是13800138000", question().words);
    let line = serde_json::json!({"id": "p", "text": words, "expect": "answered", "rule_ids": [question().rule]});
    let model = Actor::new(|_, _| Ok(contract("not_found", &[], "")));
    let app = TestApp::with_model(model.clone()).await;
    put(&app, &set(&line.to_string())).await;
    assert_eq!(model.count(), 1);
    let told = model.told.lock().expect("no poisoned lock").clone();
    assert!(told.contains("〔手机号1〕") && !told.contains("13800138000"), "{told}");
    assert!(journal(&app).await.iter().all(|row| !row.request.contains("13800138000")));
}

#[tokio::test]
async fn a_dead_endpoint_is_given_up_and_changes_no_answer() {
    let mut questions = set(POLICY);
    questions.extend(set(INJECTION));
    let model = Actor::new(|_, _| Err(ModelFailureKind::Connect));
    let app = TestApp::with_model(model.clone()).await;
    let outcome = put(&app, &questions).await;
    assert_eq!(outcome.stop, Some(Stop::Dead(ModelFailureKind::Connect)));
    assert!(outcome.left > 0 && model.count() < 10, "{} asked", model.count());
    for (one, asked) in asked(&outcome.graded) {
        assert_eq!((asked.ended, asked.reasons.as_slice()), (Ended::Failed, ["connect".to_owned()].as_slice()));
        assert_ne!(one.told.way, Way::Model);
    }
}

#[tokio::test]
async fn a_switch_that_is_set_lets_nothing_be_asked() {
    let model = Actor::new(|_, _| Ok(contract("not_found", &[], "")));
    let app = TestApp::with_model(model.clone()).await;
    model::set_switch(&app.app, true, "检修", None).await.expect("set");
    let outcome = put(&app, &set(POLICY)).await;
    assert_eq!((outcome.stop, model.count()), (Some(Stop::Switched("检修".to_owned())), 0));
    assert!(outcome.left > 0 && !outcome.graded.is_empty(), "what needs no model is still told");
}

#[tokio::test]
async fn a_switch_that_another_process_sets_breaks_off_what_is_under_way() {
    let model = Actor::hanging();
    let app = TestApp::with_model(model.clone()).await;
    let questions = set(POLICY);
    let other_process = async {
        model.arrived.notified().await;
        // In the database, past this process.
        let mut tx = app.app.db.write().await.expect("a writer");
        store::model::set_switch(&mut tx, true, "停", None, app.app.now()).await.expect("set");
        tx.commit().await.expect("committed");
    };
    let run = tokio::time::timeout(Duration::from_mins(1), evaluation::run(&app.app, &questions, PLAIN, &|_| ()));
    let (outcome, ()) = tokio::join!(run, other_process);
    assert!(matches!(outcome.expect("it ends").expect("an outcome").stop, Some(Stop::Switched(_))));
    assert_eq!(model.count(), 1);
    assert_eq!(journal(&app).await[0].failure.as_deref(), Some("switched_off"));
}

#[tokio::test]
async fn a_budget_ends_an_evaluation_and_counts_what_it_cost() {
    let model = Actor::new(|_, _| Ok(contract("not_found", &[], "")));
    let limited = |config: &mut Config| {
        config.model = Some(ModelConfig { daily_token_budget: Some(2_500), ..ModelConfig::default() });
    };
    let app = TestApp::with(limited).await;
    app.app.model.connect(model.clone());
    let questions = set(POLICY);
    let outcome = put_as(&app, &questions, PLAIN).await;
    assert_eq!((outcome.stop, model.count()), (Some(Stop::Budget), 3), "1000 tokens each");
    let usage = model::usage(&app.app).await.expect("the usage");
    assert_eq!(usage.0[0].used, 3_000);
    let again = put_as(&app, &questions, PLAIN).await;
    assert_eq!((again.stop, model.count()), (Some(Stop::Budget), 3), "nothing is asked any more");
}

/// Runs the program; exit code, output, errors.
async fn program(folder: &std::path::Path, config: &str, args: &[&str]) -> (i32, String, String) {
    std::fs::write(folder.join("zhitong.toml"), config).expect("a configuration");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_zhitong"));
    let output = command.args(["model", "eval"]).args(args).current_dir(folder).output().await.expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn the_command_tells_figures_reasons_and_an_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let standin = Standin::start().await;
    let config = format!(
        "[model]\nname = \"local\"\nprofile = \"openai\"\nbase_url = \"{}\"\nmodel = \"m\"\napi_key = \"sk-x\"\n",
        standin.base
    );
    let says = |text: &str| events(&[piece(text), finish("stop"), usage(800, 40), DONE.to_owned()]);
    let asked = question();
    let line = |id: &str, rule: &str| {
        serde_json::json!({"id": id, "text": asked.words, "expect": "answered", "rule_ids": [rule]}).to_string()
    };
    let file = folder.path().join("my.jsonl");
    let set = ["--set", file.to_str().expect("a path")];
    std::fs::write(&file, line("q1", &asked.rule)).expect("written");

    standin.always(says(&contract("answered", &[&asked.rule], &asked.sentence)));
    let (code, out, err) = program(folder.path(), &config, &set).await;
    assert_eq!(code, 0, "{out}{err}");
    for words in
        ["端点“local”  my.jsonl 1 题", "只用规则   0，加上端点   1", "100%（1 个中 1 个）", "840 词元", "没有答错"]
    {
        assert!(out.contains(words), "{words}: {out}");
    }
    let (code, out, _) = program(folder.path(), &config, &[&set[..], &["--json"]].concat()).await;
    let report: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &report["complete"], &report["calls"]["tokens"]), (0, &Value::from(true), &Value::from(840)));
    assert_eq!(report["questions"]["with_endpoint"]["answerable"]["right"], 1);

    standin.always(says(&contract("answered", &[&asked.rule], &format!("{}补贴97万元。", asked.sentence))));
    let (code, out, _) = program(folder.path(), &config, &set).await;
    assert_eq!(code, 0, "what is stopped is no wrong answer: {out}");
    assert!(out.contains("金额没有出处") && !out.contains("97万"), "{out}");

    standin.always(says(&contract("answered", &[&asked.rule], &asked.sentence)));
    std::fs::write(&file, line("q2", "reg-set-time")).expect("written");
    let (code, out, _) = program(folder.path(), &config, &set).await;
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("q2") && out.contains("应引用 reg-set-time"), "{out}");

    let (code, out, _) = program(folder.path(), "", &["--rules-only"]).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("policy.jsonl 88 题、injection.jsonl 73 题"), "{out}");
    let dead = config.replace(&standin.base, "http://127.0.0.1:9/v1");
    let (code, out, _) = program(folder.path(), &dead, &set).await;
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("没有作答 1 次") && out.contains("连接不上"), "{out}");
    let (code, _, err) = program(folder.path(), "", &set).await;
    assert_eq!(code, 2);
    assert!(err.contains("没有配置模型"), "{err}");
    std::fs::write(&file, "{}").expect("written");
    let (code, _, err) = program(folder.path(), &config, &set).await;
    assert_eq!(code, 2);
    assert!(err.contains("my.jsonl 第 1 行"), "{err}");
}
