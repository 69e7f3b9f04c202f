//! Words that commit somebody to something (DOMAIN 3.5 no. 12): whoever says them, bot or officer, a dated task follows.

const PROMISES: &[&str] = &[
    "会联系您",
    "会有人联系",
    "会跟您联系",
    "会与您联系",
    "给您回电",
    "给您回复",
    "会回复您",
    "会答复您",
    "回电话给您",
    "再联系您",
    "再回复您",
    "再答复您",
    "尽快联系您",
    "尽快回复您",
    "上门找您",
    "会上门",
    "会通知您",
    "打电话给您",
    "给您打电话",
    "会给您",
    "有人联系您",
    "有专人联系您",
    "与您联系",
    "主动联系您",
];
const NEGATED: &[&str] = &["不", "不会", "没法", "无法", "不能", "是否", "如果没有", "要是没有", "没有"];

/// Whether the words commit somebody to something (“会有人联系您”).
pub fn is_made_in(text: &str) -> bool {
    PROMISES.iter().any(|promise| {
        text.match_indices(promise).any(|(at, _)| {
            let before = text.get(..at).unwrap_or_default();
            !NEGATED.iter().any(|no| before.ends_with(no))
        })
    })
}

/// The sentence that makes the promise, for the task.
pub fn sentence_of(text: &str) -> Option<&str> {
    text.split(['。', '！', '\n', '；']).map(str::trim).find(|sentence| is_made_in(sentence))
}
