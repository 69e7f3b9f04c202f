//! Words that promise or judge: forbidden in the answers of rules (E019) and in everything that a model writes.

/// Words that promise a result or judge a case.
const PROMISES: &[&str] = &[
    "保证",
    "一定能",
    "一定会",
    "一定可以",
    "包过",
    "包批",
    "必定获批",
    "必定",
    "必然获批",
    "肯定违法",
    "肯定能",
    "肯定会",
    "肯定可以",
    "绝对",
    "百分之百",
    "100%通过",
    "打包票",
    "稳过",
    "必过",
];

/// Where those words promise nothing.
const NO_PROMISES: &[&str] = &[
    "保证金",
    "不保证",
    "不能保证",
    "无法保证",
    "质量保证",
    "保证人",
    "保证书",
    "保证质量",
    "连带保证",
    "保证担保",
    "保证责任",
    "不一定能",
    "不一定会",
    "不一定可以",
    "不绝对",
    "绝对值",
    "应当保证",
    "保证合同",
    "保证保险",
    "履约保证",
    "保证制度",
];

/// The promising words of a text, each once.
pub(in crate::domain) fn found(text: &str) -> impl Iterator<Item = &'static str> {
    PROMISES.iter().copied().filter(move |word| {
        text.match_indices(word).any(|(at, _)| {
            !NO_PROMISES.iter().any(|allowed| {
                allowed.match_indices(word).any(|(inner, _)| {
                    at.checked_sub(inner).and_then(|start| text.get(start..)).is_some_and(|t| t.starts_with(allowed))
                })
            })
        })
    })
}
