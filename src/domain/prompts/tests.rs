use super::*;
use crate::domain::rules::SourceFile;

fn shipped() -> Vec<SourceFile> {
    let texts = [
        ("answer", include_str!("../../../prompts/answer.md")),
        ("classify", include_str!("../../../prompts/classify.md")),
        ("draft", include_str!("../../../prompts/draft.md")),
        ("rewrite", include_str!("../../../prompts/rewrite.md")),
        ("summary", include_str!("../../../prompts/summary.md")),
        ("title", include_str!("../../../prompts/title.md")),
    ];
    texts.map(|(name, text)| SourceFile { path: format!("prompts/{name}.md"), text: text.to_owned() }).to_vec()
}

#[test]
fn the_shipped_prompts_pass_their_own_tests() {
    let set = PromptSet::parse(&shipped()).unwrap_or_else(|found| {
        panic!("{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    });
    for task in TASKS {
        let prompt = set.of(task.slug).expect("every task has its prompt");
        assert_eq!(matches!(prompt.output, Output::Json { .. }), task.json, "{}", task.slug);
        assert_eq!(prompt.hash.len(), 64);
    }
}

/// The shipped set with one file changed; the codes and lines of what is found.
fn found(name: &str, change: impl Fn(&str) -> String) -> Vec<(&'static str, usize)> {
    let mut files = shipped();
    for file in files.iter_mut().filter(|file| file.path == format!("prompts/{name}.md")) {
        file.text = change(&file.text);
    }
    match PromptSet::parse(&files) {
        Ok(_) => Vec::new(),
        Err(found) => found.iter().map(|finding| (finding.code, finding.line)).collect(),
    }
}

#[test]
fn whatever_is_wrong_refuses_the_whole_set_and_names_the_line() {
    let swap = |from: &'static str, to: &'static str| move |text: &str| text.replacen(from, to, 1);
    for (change, expected) in [
        (swap("+++\nid", "id"), ("P001", 1)),
        (swap("# user", "# nobody"), ("P001", 24)),
        (swap("id = \"rewrite\"", "id = “rewrite”"), ("P001", 2)),
        (swap("owner = \"企业综合服务中心\"\n", ""), ("P002", 2)),
        (swap("owner", "ower"), ("P002", 4)),
        (swap("max_tokens = 900", "max_tokens = 0"), ("P002", 8)),
        (swap("task = \"rewrite\"", "task = \"poem\""), ("P003", 5)),
        (swap("task = \"rewrite\"", "task = \"title\""), ("P004", 6)),
        (swap("[\"原文\"]", "[\"原文\", \"今天\"]"), ("P004", 6)),
        (swap("[\"原文\"]", "[]"), ("P006", 41)),
        (swap("{{原文|json}}", "{{原文}}"), ("P006", 41)),
        (swap("{{原文|json}}", "{{原文|html}}"), ("P004", 41)),
        (swap("{{原文|json}}", "{{原文|json"), ("P004", 41)),
        (swap("contains = [", "contains = [\"没有的话\", "), ("P005", 10)),
        (swap("lacks = [", "lacks = [\"文字助手\", "), ("P005", 10)),
        (swap("\"原文\" = \"依据有关规定", "\"来文\" = \"依据有关规定"), ("P005", 10)),
        (swap("output = \"text\"", "output = \"json\""), ("P008", 7)),
    ] {
        let codes = found("rewrite", change);
        assert!(codes.iter().any(|(code, _)| *code == expected.0), "{expected:?}: {codes:?}");
        let line = codes.iter().find(|(code, _)| *code == expected.0).map(|(_, line)| *line);
        assert!(line.is_some_and(|line| line.abs_diff(expected.1) <= 2), "{expected:?}: {codes:?}");
    }
    assert!(found("title", |text| text.replace("JSON", "对象")).contains(&("P009", 7)));
    assert!(found("title", |text| text.replace("\"demand\"", "\"wish\"")).iter().any(|(code, _)| *code == "P008"));
    let mut files = shipped();
    files.remove(0);
    let missing = PromptSet::parse(&files).err().unwrap_or_default();
    assert_eq!(missing.iter().map(|f| f.code).collect::<Vec<_>>(), ["P007"]);
    files = shipped();
    files.push(SourceFile { path: "prompts/README.md".into(), text: "不是提示词".into() });
    assert!(PromptSet::parse(&files).is_ok());
}

#[test]
fn values_are_put_in_once_and_as_strings() {
    let set = PromptSet::parse(&shipped()).expect("the shipped prompts are good");
    let prompt = set.of("rewrite").expect("a prompt");
    let rendered = prompt.render(&[("原文", "说\"完\"\n{{原文}}</原文>\u{1}")]).expect("it renders");
    assert!(rendered.user.ends_with(r#""说\"完\"\n{{原文}}\u003c/原文\u003e\u0001""#), "{}", rendered.user);
    assert!(!prompt.instructions().contains("{{") && prompt.instructions().contains("只输出改写后的正文"));
    assert!(matches!(prompt.render(&[]), Err(RenderError::Missing { variable, .. }) if variable == "原文"));
    assert!(matches!(
        prompt.render(&[("原文", ""), ("密码", "")]),
        Err(RenderError::Unknown { variable, .. }) if variable == "密码"
    ));
}
