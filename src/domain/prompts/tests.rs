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
