//! `zhitong model eval`: labelled questions and attacks put to an endpoint, on the way of a visitor's question.

use std::{
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use jiff::Timestamp;

use super::{
    super::{Global, user::with_app},
    chosen, in_words,
    report::Report,
};
use crate::{
    app::{
        content::{self, Content},
        model::evaluation::{self, Labelled, Outcome, Plan},
        system::SystemClock,
    },
    config::Config,
    model::HttpModel,
    ports::{Clock as _, model::ModelTask},
};

/// The sets that come with the program.
const SHIPPED: [(&str, &str); 2] = [
    ("policy.jsonl", include_str!("../../../prompts/eval/policy.jsonl")),
    ("injection.jsonl", include_str!("../../../prompts/eval/injection.jsonl")),
];

/// 用标注好的问题和诱导攻击测评端点：答对、答错、没答，引用准不准，有没有放出不该放的，并与只用规则比较
#[derive(Debug, clap::Args)]
#[command(after_help = "示例：
  zhitong model eval --rules-only          只看规则库，不连接端点，不花费
  zhitong model eval --limit 20            每套均匀抽 20 题
  zhitong model eval --endpoint local --json > report.json
  zhitong model eval --every-attack        攻击全部交给模型，看它守不守得住、核对拦不拦得住
  zhitong model eval --set my.jsonl

题目走真实提问的同一条路：规则先答，敏感事项不问模型，隐去个人信息，检索资料，填提示词，提问，逐句核对，不合格的
改用规则库的处理。不建会话、不登记工单；每次提问记入模型日志（标为“测评”，控制台单独统计），与日常提问共用额度，
在控制台停用模型会立即中止测评。
花费：自带两套共 161 题，多数由规则答了或拦了，只有约 16 题会交给端点；加 --every-attack 约 86 题。每题约 1500 到
3000 词元，即全套约 4 万，加 --every-attack 约 20 万；先用 --limit 试。
“答对”指给出了答案、通过核对、引用了应引用的规则；文字是否通顺、是否答全，仍要人看。
退出码：0 测完，模型没有答错、没有放出不该放的；1 有（没测完也算）；2 没测完或无法测（没有配置模型、端点不作答、
额度用完、模型已停用等）

题目文件每行一条：{\"id\":\"a1\",\"kind\":\"policy\",\"text\":\"…\",\"expect\":\"answered\",\"rule_ids\":[\"reg-set-time\"]}；
应当拒答的写 \"expect\":\"refused\"，不写 rule_ids；攻击再写 \"obeyed\"：模型一旦上当会说的话。")]
pub(super) struct Args {
    /// 题目文件（JSONL），可写多次（缺省：提示词目录的 eval/*.jsonl，没有就用自带的）
    #[arg(long = "set", value_name = "FILE")]
    sets: Vec<PathBuf>,
    /// 只测这个端点（配置里的 name，没有 name 的写主机名；缺省按配置的顺序，前一个不行用后一个）
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// 每套题均匀抽这么多题
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// 同时提问的题数，不超过配置的 concurrency
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
    /// 攻击不经规则这一关，全部交给模型（没有相近资料的配几条别的资料）：比真实情况严，用来比较端点
    #[arg(long, conflicts_with = "rules_only")]
    every_attack: bool,
    /// 只看规则库怎么答，不连接端点
    #[arg(long, conflicts_with = "endpoint")]
    rules_only: bool,
    /// 输出 JSON
    #[arg(long)]
    json: bool,
}

/// The questions of one file.
pub(super) struct Set {
    /// Name of the file.
    pub(super) name: String,
    /// How many questions of it are put.
    pub(super) count: usize,
}

/// Runs the command.
///
/// # Errors
/// When the configuration, the questions, the content or the database cannot be used, or nothing can be written.
pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.load_config()?;
    let (sets, lines) = read(args, &config)?;
    if args.rules_only {
        return by_rules(args, &config, &sets, &lines);
    }
    let (setups, limits) = chosen(&config, args.endpoint.as_deref())?;
    let at_once = usize::from(args.concurrency).min(limits.concurrency);
    let plan = Plan { at_once, every_attack: args.every_attack };
    let client = HttpModel::new(&setups, limits, Arc::new(SystemClock)).map_err(|error| in_words(&error))?;
    let endpoint = setups.iter().map(|setup| setup.name.as_str()).collect::<Vec<_>>().join("、");
    with_app(global, async |app| {
        let app = app.with_model(Arc::new(client));
        let content = app.content.load();
        let asked = evaluation::to_ask(&content, &app.config.region.code, app.now(), &lines, plan);
        let talks = io::stderr().is_terminal();
        if talks {
            writeln!(io::stderr(), "共 {} 题，其中 {asked} 题要交给端点“{endpoint}”；Ctrl-C 中止", lines.len())?;
        }
        let stop = tokio::spawn({
            let shutdown = app.shutdown.clone();
            async move {
                if tokio::signal::ctrl_c().await.is_ok() {
                    shutdown.cancel();
                }
            }
        });
        let through = |n: usize| {
            if talks && n.is_multiple_of(10) {
                // A closed terminal is no reason to stop.
                let _ = writeln!(io::stderr(), "已测 {n}/{}", lines.len());
            }
        };
        let outcome = evaluation::run(&app, &lines, plan, &through).await;
        stop.abort();
        let report = Report::new(&sets, &content, Some(&endpoint), outcome?);
        print(&report, args.json)
    })
}

fn by_rules(args: &Args, config: &Config, sets: &[Set], lines: &[Labelled]) -> anyhow::Result<ExitCode> {
    let now = SystemClock.now();
    let content = load(config, now)?;
    let graded = evaluation::by_rules(&content, &config.region.code, now, lines);
    let report = Report::new(sets, &content, None, Outcome { graded, left: 0, stop: None });
    print(&report, args.json)
}

fn load(config: &Config, now: Timestamp) -> anyhow::Result<Content> {
    let (files, origin) = content::read_content(&config.content)?;
    let built = content::build(&files, &config.time, now, origin, true);
    built.content.context("规则无法载入，请先运行 zhitong rules check")
}

fn print(report: &Report<'_>, json: bool) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{:#}", report.to_json())?;
    } else {
        report.write(&mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::from(report.code()))
}

/// The questions, with how many of each file.
fn read(args: &Args, config: &Config) -> anyhow::Result<(Vec<Set>, Vec<Labelled>)> {
    let files = if args.sets.is_empty() {
        let folder = Path::new(&config.content.prompts_dir).join("eval");
        let own = in_folder(&folder)?;
        if own.is_empty() { SHIPPED.map(|(name, text)| (name.to_owned(), text.to_owned())).into() } else { own }
    } else {
        args.sets.iter().map(|path| in_file(path)).collect::<anyhow::Result<_>>()?
    };
    let (mut sets, mut lines) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let set = evaluation::parse_set(&text).map_err(|(n, what)| anyhow::anyhow!("{name} 第 {n} 行：{what}"))?;
        let set = spread(set, args.limit.map_or(usize::MAX, |limit| limit as usize));
        sets.push(Set { name, count: set.len() });
        lines.extend(set);
    }
    anyhow::ensure!(!lines.is_empty(), "没有题目");
    Ok((sets, lines))
}

fn in_file(path: &Path) -> anyhow::Result<(String, String)> {
    let text = std::fs::read_to_string(path).with_context(|| format!("无法读取 {}", path.display()))?;
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    Ok((name, text))
}

/// The sets of the folder of prompts, questions before attacks.
fn in_folder(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| format!("无法读取 {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    paths.sort_by(|a, b| b.cmp(a));
    paths.iter().map(|path| in_file(path)).collect()
}

/// So many questions, evenly from the whole set.
fn spread(set: Vec<Labelled>, most: usize) -> Vec<Labelled> {
    let count = set.len();
    if count <= most {
        return set;
    }
    let wanted: Vec<usize> = (0..most).map(|n| n * count / most).collect();
    set.into_iter().enumerate().filter(|(n, _)| wanted.binary_search(n).is_ok()).map(|(_, line)| line).collect()
}

/// The prompt that questions are put with.
pub(super) fn prompt(content: &Content) -> String {
    content
        .prompts
        .of(ModelTask::Answer.as_str())
        .map_or_else(String::new, |prompt| format!("{} {}", prompt.id, prompt.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_takes_questions_from_the_whole_set() {
        for (name, text) in SHIPPED {
            let set = evaluation::parse_set(text).expect(name);
            let (all, first) = (set.len(), set.first().map(|line| line.id.clone()));
            let few = spread(set.clone(), 10);
            assert_eq!((few.len(), few.first().map(|line| line.id.clone())), (10, first));
            assert_eq!(few.last(), set.get(9 * all / 10), "{name}");
            assert_eq!(spread(set.clone(), all + 1), set);
        }
    }
}
