//! Normalise, match and decide against synthetic rule sets: how the cost grows from 1,000 to 10,000 rules, and
//! what compiling costs. Goals: SPEED 4.
//!
//! `cargo bench --bench matching`

use std::{fmt::Write as _, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::civil::{Date, date};
use zhitong::domain::{
    kinds::Channel,
    rules::{CompileEnv, Input, RuleSet, SourceFile, compile},
    text,
};

const TODAY: Date = date(2026, 11, 25);

const MESSAGE: &str = "您好，我们公司去年的技改补助公示三个月了还没到账，请问什么时候能拨付，找哪个部门？";

/// Characters that synthetic words are made of.
const CHARS: &[char] = &[
    '补', '贴', '税', '证', '照', '厂', '房', '贷', '款', '社', '保', '工', '伤', '消', '防', '验', '收', '环', '评',
    '水', '电', '气', '路', '网', '招', '标', '采', '购', '合', '同', '罚', '检', '查', '申', '报', '认', '定', '登',
    '记', '变', '更', '注', '销', '公', '积', '金', '人', '才',
];

/// A small generator with a fixed seed: the same set on every machine.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    /// Three to six characters: rarely the same twice.
    fn long_word(&mut self) -> String {
        let first = CHARS.get(self.below(CHARS.len()));
        first.into_iter().copied().chain(self.word().chars()).collect()
    }

    fn word(&mut self) -> String {
        let chars = 2 + self.below(4);
        (0..chars).filter_map(|_| CHARS.get(self.below(CHARS.len()))).collect()
    }
}

/// `count` rules with ten words of two to six characters each and shared synonym groups.
fn files(count: usize) -> Vec<SourceFile> {
    let mut draw = Draw(7);
    let mut groups = String::from(
        "[groups]\n\"怎么办\" = [\"怎么申请\", \"怎么办\", \"什么时候\", \"找哪个部门\", \"要什么材料\"]\n",
    );
    for n in 0..40 {
        let words: Vec<String> = (0..12).map(|_| format!("\"{}\"", draw.word())).collect();
        let _ = writeln!(groups, "\"组{n}\" = [{}]", words.join(", "));
    }
    let mut rules = String::from("schema = 1\n");
    for n in 0..count {
        let own: Vec<String> = (0..8).map(|_| format!("\"{}\"", draw.long_word())).collect();
        let kind = match n % 4 {
            0 => "kind = \"topic\"\ntopic = \"T.",
            _ => "category = \"咨询\"\ntopic = \"T.",
        };
        let _ = write!(
            rules,
            "[[rule]]\nid = \"r{n}\"\ntitle = \"规则{n}\"\nstatus = \"active\"\n{kind}{}\"\npriority = {}\n[rule.when]\nall = [\"@组{}\"]\nany = [{}, \"@怎么办\", \"{}\"]\nnone = [\"投诉\", \"{}\"]\nmax_chars = 200\n[rule.answer]\ntext = \"请按办事指南办理。\"\n[[rule.cite]]\ntitle = \"办事指南\"\n",
            n % 70,
            n % 80,
            n % 40,
            own.join(", "),
            draw.word(),
            draw.word(),
        );
    }
    vec![
        SourceFile { path: "_groups.toml".into(), text: groups },
        SourceFile { path: "rules.toml".into(), text: rules },
    ]
}

fn set(count: usize) -> RuleSet {
    compile(&files(count), &CompileEnv::lenient(TODAY)).set.expect("the synthetic set is built")
}

fn bench(c: &mut Criterion) {
    let letter = MESSAGE.repeat(25).chars().take(1_000).collect::<String>();
    let mut group = c.benchmark_group("matching");
    group.bench_function("normalise message", |b| {
        let mut buffer = text::Normalised::default();
        b.iter(|| buffer.assign(black_box(MESSAGE)));
    });
    // A test run only wants to see that it runs.
    let measured = std::env::args().any(|word| word == "--bench");
    let (few, many) = if measured { (1_000, 10_000) } else { (20, 100) };
    for count in [few, many] {
        let set = set(count);
        let decide =
            |text: &str| set.decide(&Input { text, channel: Channel::Web, area: Some("350000"), today: TODAY });
        group.bench_function(format!("message, {count} rules"), |b| b.iter(|| black_box(decide(black_box(MESSAGE)))));
        group.bench_function(format!("1,000-character letter, {count} rules"), |b| {
            b.iter(|| black_box(decide(black_box(&letter))));
        });
    }
    group.sample_size(10);
    let files = files(many);
    group.bench_function(format!("compile {many} rules"), |b| {
        b.iter(|| black_box(compile(black_box(&files), &CompileEnv::lenient(TODAY))));
    });
    group.finish();
}

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(benches, bench);
criterion_main!(benches);
