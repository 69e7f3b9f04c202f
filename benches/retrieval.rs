//! Finding what is near among 10,000 entries, and building the index. Goals: SPEED 4 (suggestion query).
//!
//! `cargo bench --bench retrieval`
//!
//! Each entry has a title, three ways to ask and an answer of 50 characters, put together from words of the field;
//! one word in three is common, as in real questions, so that lists of common terms are long.

use std::{fmt::Write as _, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::civil::{Date, date};
use zhitong::domain::{
    kinds::Channel,
    retrieval::{Filter, Index},
    rules::{CompileEnv, RuleSet, SourceFile, compile},
};

const TODAY: Date = date(2026, 11, 25);

const QUESTIONS: &[&str] = &[
    "消防验收多久能办好",
    "请问我们公司搬到新厂房以后营业执照的地址要多少天内去变更，需要带什么材料",
    "水务登记怎么办理",
    "您好，我们公司去年的技改补助公示三个月了还没到账，请问什么时候能拨付，找哪个部门？",
];

/// What people speak of.
const THINGS: &[&str] = &[
    "技改",
    "补助",
    "营业执照",
    "消防",
    "验收",
    "社保",
    "公积金",
    "工伤",
    "贷款",
    "贴息",
    "厂房",
    "用地",
    "用电",
    "增容",
    "排污",
    "环评",
    "发票",
    "退税",
    "年报",
    "变更",
    "注销",
    "商标",
    "专利",
    "招标",
    "投标",
    "保证金",
    "合同",
    "欠款",
    "货款",
    "仲裁",
    "试用期",
    "检查",
    "处罚",
    "听证",
    "复议",
    "信用",
    "修复",
    "许可",
    "备案",
    "公示",
    "地址",
    "法人",
    "股东",
    "出资",
    "歇业",
    "个体户",
    "台胞",
    "人才",
    "住房",
    "物流",
    "通关",
    "报关",
    "危化品",
    "食品",
    "餐饮",
    "卫生",
    "特种设备",
    "电梯",
    "锅炉",
    "施工",
    "监理",
    "竣工",
    "不动产",
    "抵押",
];

/// What they ask about it.
const ASKED: &[&str] = &[
    "多久能办好",
    "怎么办理",
    "要什么材料",
    "找哪个部门",
    "收不收费",
    "能不能网上办",
    "什么时候到账",
    "有什么条件",
    "最长几天",
    "在哪里申请",
    "可不可以延期",
    "不给办怎么办",
];

/// A small generator with a fixed seed: the same set on every machine.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn of(&mut self, list: &'static [&'static str]) -> &'static str {
        list.get(self.below(list.len())).copied().unwrap_or_default()
    }

    /// A word of the entry's own, so that not all entries are made of the same.
    fn own(&mut self) -> String {
        (0..2).filter_map(|_| char::from_u32(0x4E00 + self.below(3_000) as u32)).collect()
    }

    fn question(&mut self) -> String {
        format!("{}{}{}{}", self.of(THINGS), self.own(), self.of(THINGS), self.of(ASKED))
    }
}

fn set(count: usize) -> RuleSet {
    let mut draw = Draw(11);
    let mut text = String::from(
        "schema = 1\n[groups]\n\"多久\" = [\"多久\", \"几天\", \"多少天\", \"什么时候\"]\n\"怎么\" = [\"怎么\", \"如何\", \"咋\"]\n\"找谁\" = [\"哪个部门\", \"找谁\", \"哪里\"]\n",
    );
    for n in 0..count {
        let examples: Vec<String> = (0..3).map(|_| format!("\"{}\"", draw.question())).collect();
        let body: String = (0..5).map(|_| draw.question()).collect();
        let asked = ["@多久", "@怎么", "@找谁"].get(n % 3).copied().unwrap_or_default();
        let _ = write!(
            text,
            "[[rule]]\nid = \"r{n}\"\ntitle = \"{}\"\nstatus = \"active\"\ncategory = \"咨询\"\ntopic = \"T.{}\"\n[rule.when]\nall = [\"{}\", \"{asked}\"]\nany = [\"{}\", \"{}\"]\nmax_chars = 200\n[rule.answer]\ntext = \"{body}\"\n[[rule.cite]]\ntitle = \"办事指南\"\n[rule.tests]\nmatch = [{}]\n",
            draw.question(),
            n % 70,
            draw.of(THINGS),
            draw.own(),
            draw.of(THINGS),
            examples.join(", "),
        );
    }
    let files = [SourceFile { path: "rules.toml".into(), text }];
    compile(&files, &CompileEnv::lenient(TODAY)).set.expect("the synthetic set is built")
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("retrieval");
    let filter = Filter { today: TODAY, region: Some("350000"), channel: Some(Channel::Web), drafts: false };
    for count in [1_000, 10_000] {
        let rules = set(count);
        let index = Index::build(&rules);
        assert!(index.len() * 10 >= count * 9, "only {} of {count} rules are indexed", index.len());
        for question in QUESTIONS {
            let chars = question.chars().count();
            group.bench_function(format!("suggest, {chars} characters, {count} entries"), |b| {
                b.iter(|| black_box(index.suggest(black_box(question), &filter)));
            });
        }
        if count == 10_000 {
            group.sample_size(10);
            group.bench_function("build, 10000 entries", |b| b.iter(|| black_box(Index::build(black_box(&rules)))));
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
