//! Checks of `[[example]]` sections: what they teach must exist and be nobody's.

use std::collections::BTreeMap;

use crate::domain::{
    rules::{
        compile::CompileEnv,
        diagnostic::{Diagnostic, Level},
        file::RawLesson,
        source::{FileText, nearest},
    },
    text::{self, PersonalKind, find_personal},
};

/// Characters that an example may have; a longer one teaches everything at once.
const MAX_CHARS: usize = 300;

/// E004, E016, E018 for examples; W103 for one that teaches two things.
pub(in crate::domain::rules) fn lessons(
    lessons: &[RawLesson],
    texts: &[FileText<'_>],
    env: &CompileEnv,
    out: &mut Vec<Diagnostic>,
) {
    let mut seen: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (n, lesson) in lessons.iter().enumerate() {
        let Some(file) = texts.get(lesson.file) else { continue };
        if let Some(topic) = &lesson.topic
            && !env.topics.is_empty()
            && !env.topics.contains_key(topic)
        {
            let help = nearest(topic, env.topics.keys().map(String::as_str)).map(|n| format!("是不是想写 {n}？"));
            let message = format!("主题表里没有“{topic}”");
            out.push(file.finding("E016", Level::Error, lesson.topic_at, message, help));
        }
        for (example, at) in &lesson.texts {
            let mut complain = |code, level, message: String, help: &str| {
                out.push(file.finding(code, level, *at, message, Some(help.to_owned())));
            };
            let normal = text::normalised(example);
            let chars = normal.chars().count();
            if !normal.chars().any(char::is_alphanumeric) {
                complain("E004", Level::Error, "这条教例里没有字".to_owned(), "删掉它");
            } else if chars > MAX_CHARS {
                complain(
                    "E004",
                    Level::Error,
                    format!("这条教例有 {chars} 个字，最多 {MAX_CHARS} 个"),
                    "只留最要紧的话",
                );
            }
            for piece in find_personal(example) {
                match piece.kind {
                    PersonalKind::IdCard | PersonalKind::Uscc | PersonalKind::Phone | PersonalKind::BankCard => {
                        let message = format!("这里有真实格式的{}", piece.kind.label());
                        complain("E018", Level::Error, message, "删掉，或改成“某号码”");
                    }
                    PersonalKind::Landline | PersonalKind::Email => {}
                }
            }
            let before = seen.insert(normal, (n, *at));
            if before
                .and_then(|(n, _)| lessons.get(n))
                .is_some_and(|first| (first.case_type, &first.topic) != (lesson.case_type, &lesson.topic))
            {
                complain("W103", Level::Warning, format!("“{example}”写了两次，教的不一样"), "只留对的那一条");
            }
        }
    }
}
