//! The text of a rule file with its places, and what is said about broken TOML.

use std::ops::Range;

use super::diagnostic::{Diagnostic, Level};

/// A rule file whose byte offsets can be told as line and column.
#[derive(Debug)]
pub(in crate::domain) struct FileText<'a> {
    pub(in crate::domain) path: &'a str,
    pub(in crate::domain) text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> FileText<'a> {
    pub(in crate::domain) fn new(path: &'a str, text: &'a str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { path, text, line_starts }
    }

    /// Line and column, both from 1, the column in characters.
    pub(in crate::domain) fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|&start| start <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..offset.min(self.text.len())).map_or(1, |t| t.chars().count() + 1);
        (line, column)
    }

    /// The line that holds the offset, without its line break.
    pub(in crate::domain) fn line(&self, offset: usize) -> &'a str {
        let (line, _) = self.place(offset);
        self.text.lines().nth(line - 1).unwrap_or_default()
    }

    /// A finding at an offset.
    pub(in crate::domain) fn finding(
        &self,
        code: &'static str,
        level: Level,
        offset: usize,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Diagnostic {
        let (line, column) = self.place(offset);
        Diagnostic { code, level, file: self.path.to_owned(), line, column, rule: None, message: message.into(), help }
    }
}

/// Field names that people write in Chinese, and what the format calls them.
pub(super) const CHINESE_KEYS: &[(&str, &str)] = &[
    ("编号", "id"),
    ("标题", "title"),
    ("名称", "title"),
    ("状态", "status"),
    ("种类", "kind"),
    ("类别", "category"),
    ("类型", "category"),
    ("分类", "category"),
    ("主题", "topic"),
    ("紧急程度", "urgency"),
    ("负责人", "owner"),
    ("负责单位", "owner"),
    ("复核人", "reviewer"),
    ("复核日期", "review_due"),
    ("生效日期", "valid_from"),
    ("失效日期", "valid_until"),
    ("到期", "valid_until"),
    ("过期后", "on_expired"),
    ("优先级", "priority"),
    ("渠道", "channels"),
    ("地区", "areas"),
    ("条件", "when"),
    ("全部", "all"),
    ("任一", "any"),
    ("任意", "any"),
    ("排除", "none"),
    ("近处排除", "none_near"),
    ("忽略", "ignore"),
    ("正则", "regex"),
    ("范围", "scope"),
    ("否定", "negation"),
    ("最小字数", "min_chars"),
    ("最大字数", "max_chars"),
    ("答案", "answer"),
    ("回答", "answer"),
    ("正文", "text"),
    ("文本", "text"),
    ("快捷回复", "quick_replies"),
    ("依据", "cite"),
    ("文号", "doc_no"),
    ("发文机关", "issuer"),
    ("条款", "clause"),
    ("网址", "url"),
    ("部门", "department"),
    ("测试", "tests"),
    ("正例", "match"),
    ("反例", "not_match"),
    ("规则", "rule"),
    ("组", "groups"),
];

/// Full-width punctuation that TOML does not know, and what stands for it.
const PUNCTUATION: &[(char, char)] = &[
    ('“', '"'),
    ('”', '"'),
    ('‘', '\''),
    ('’', '\''),
    ('＂', '"'),
    ('，', ','),
    ('、', ','),
    ('＝', '='),
    ('【', '['),
    ('】', ']'),
    ('［', '['),
    ('］', ']'),
    ('｛', '{'),
    ('｝', '}'),
    ('（', '['),
    ('）', ']'),
    ('：', '='),
    ('＃', '#'),
    ('。', '.'),
    ('．', '.'),
    ('　', ' '),
];

/// The line with full-width punctuation outside of quoted texts replaced, and Chinese keys translated; `None`
/// when nothing had to change. The second value names what was wrong.
pub(super) fn repair(line: &str) -> Option<(String, Vec<String>)> {
    let mut fixed = String::with_capacity(line.len());
    let mut wrong: Vec<String> = Vec::new();
    let mut quote: Option<char> = None;
    let mut chars = line.chars().peekable();
    let mut note = |what: String| {
        if !wrong.contains(&what) {
            wrong.push(what);
        }
    };
    while let Some(c) = chars.next() {
        match quote {
            // Opened half-width, closed full-width: nothing closes it later in the line.
            Some('"') if matches!(c, '”' | '“') && closes_here(chars.clone()) => {
                note(format!("中文引号 {c}"));
                fixed.push('"');
                quote = None;
            }
            Some(open) => {
                // A Chinese closing quote ends a text only when it was opened by one.
                let closes = match open {
                    '“' | '”' => matches!(c, '“' | '”' | '"'),
                    '‘' | '’' => matches!(c, '‘' | '’' | '\''),
                    _ => c == open,
                };
                if closes {
                    let ascii = if matches!(open, '‘' | '’' | '\'') { '\'' } else { '"' };
                    if c != ascii {
                        note(format!("中文引号 {c}"));
                    }
                    fixed.push(ascii);
                    quote = None;
                } else {
                    fixed.push(c);
                    if c == '\\'
                        && open == '"'
                        && let Some(next) = chars.next()
                    {
                        fixed.push(next);
                    }
                }
            }
            None => match c {
                '#' => {
                    fixed.push(c);
                    fixed.extend(chars.by_ref());
                }
                '"' | '\'' => {
                    quote = Some(c);
                    fixed.push(c);
                }
                '“' | '”' | '‘' | '’' => {
                    note(format!("中文引号 {c}"));
                    quote = Some(c);
                    fixed.push(if matches!(c, '“' | '”') { '"' } else { '\'' });
                }
                '０'..='９' => {
                    note(format!("全角数字 {c}"));
                    fixed.extend(char::from_u32(u32::from(c) - u32::from('０') + u32::from('0')));
                }
                _ => match PUNCTUATION.iter().find(|(full, _)| *full == c) {
                    Some((_, ascii)) => {
                        note(format!("中文标点 {c}"));
                        fixed.push(*ascii);
                    }
                    None => fixed.push(c),
                },
            },
        }
    }
    // 【rule】 was meant as [[rule]]: of these tables a file may hold several.
    let header = fixed.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if line.trim_start().starts_with('【') && header.is_some_and(|name| DOUBLE_HEADERS.contains(&name)) {
        fixed = format!("[{}]", fixed.trim());
    }
    let translated = translate_key(&fixed);
    if let Some((line, key)) = translated {
        note(format!("中文字段名“{key}”"));
        fixed = line;
    }
    (!wrong.is_empty()).then_some((fixed, wrong))
}

/// Whether a full-width quote ends a text that a half-width one opened: what follows is the end of the value, or there is
/// an odd number of half-width quotes left.
fn closes_here(rest: std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let rest: String = rest.collect();
    let next = rest.trim_start().chars().next();
    let ends = matches!(next, None | Some(',' | '，' | '、' | ']' | '】' | '}' | '#'));
    ends && rest.matches('"').count().is_multiple_of(2)
}

/// Whether a repaired line reads as TOML: by itself, or as part of a list over several lines.
fn parses(line: &str) -> bool {
    let line = line.trim();
    let alone = toml::de::DeTable::parse(line).is_ok();
    let opened = line.ends_with('[') && toml::de::DeTable::parse(&format!("{line}]")).is_ok();
    let item = toml::de::DeTable::parse(&format!("x = [{}]", line.trim_end_matches([']', ',']))).is_ok();
    alone || opened || item
}

/// Tables that a rule file may hold several of.
const DOUBLE_HEADERS: [&str; 5] = ["rule", "rule.cite", "rule.form.ask", "规则", "追问"];

/// `编号 = "a"` → `id = "a"`, `[[规则]]` → `[[rule]]`.
fn translate_key(line: &str) -> Option<(String, String)> {
    let trimmed = line.trim_start();
    let indent = line.len() - trimmed.len();
    let (prefix, rest) = match trimmed.strip_prefix("[[") {
        Some(rest) => ("[[", rest),
        None => match trimmed.strip_prefix('[') {
            Some(rest) => ("[", rest),
            None => ("", trimmed),
        },
    };
    let name: String = rest.chars().take_while(|c| c.is_alphabetic() && !c.is_ascii()).collect();
    if name.is_empty() {
        return None;
    }
    let (_, english) = CHINESE_KEYS.iter().find(|(chinese, _)| *chinese == name)?;
    let tail = rest.get(name.len()..)?;
    let key_ends = tail.trim_start().starts_with(['=', ']', '.']);
    key_ends.then(|| (format!("{}{prefix}{english}{tail}", line.get(..indent).unwrap_or_default()), name))
}

/// What is said about a syntax error: Chinese, with the repaired line where Chinese punctuation is the cause.
pub(in crate::domain) fn syntax_error(file: &FileText<'_>, base: usize, error: &toml::de::Error) -> Diagnostic {
    let span: Range<usize> = error.span().unwrap_or(0..0);
    let mut offset = base + span.start;
    // An unclosed text is noticed lines later; the first line that Chinese punctuation explains is the cause.
    let mut line = file.line(offset);
    if repair(line).is_none()
        && let Some((at, cause)) = nearest_broken_line(file, base, offset)
    {
        offset = at;
        line = cause;
    }
    match repair(line) {
        Some((fixed, wrong)) => {
            let at = line
                .char_indices()
                .find(|(_, c)| PUNCTUATION.iter().any(|(full, _)| full == c))
                .map_or(offset, |(n, _)| {
                    file.text.get(..offset).map_or(offset, |t| t.rfind('\n').map_or(0, |p| p + 1)) + n
                });
            file.finding(
                "E001",
                Level::Error,
                at,
                format!("写法有误：这一行有{}，要换成英文半角的写法", wrong.join("、")),
                Some(format!("改成：{}{}", fixed.trim(), others(file, offset))).filter(|_| parses(&fixed)),
            )
        }
        None => file.finding(
            "E001",
            Level::Error,
            offset,
            format!("写法有误：{}", explain(error.message(), line)),
            Some(format!("检查这一行：{}", line.trim())),
        ),
    }
}

/// The other lines of a file that Chinese punctuation breaks: all are mended at once.
fn others(file: &FileText<'_>, offset: usize) -> String {
    let (here, _) = file.place(offset);
    let mut inside = false;
    let mut lines = Vec::new();
    for (n, line) in (1..).zip(file.text.lines()) {
        let fences = line.matches("\"\"\"").count();
        let broken = !inside && fences == 0 && n != here && repair(line).is_some_and(|(_, wrong)| !wrong.is_empty());
        if broken && !parses(line) {
            lines.push(n.to_string());
        }
        inside ^= fences % 2 == 1;
    }
    if lines.is_empty() { String::new() } else { format!("（第 {} 行也有这样的写法）", lines.join("、")) }
}

/// The last line at or before `offset` (but behind `base`) that only Chinese punctuation breaks.
fn nearest_broken_line<'a>(file: &FileText<'a>, base: usize, offset: usize) -> Option<(usize, &'a str)> {
    let (last, _) = file.place(offset);
    let (first, _) = file.place(base);
    let mut inside = false;
    let mut found = None;
    for n in first..=last {
        let start = file.line_starts.get(n - 1).copied()?;
        let line = file.text.lines().nth(n - 1).unwrap_or_default();
        let fences = line.matches("\"\"\"").count();
        if !inside
            && fences == 0
            && let Some((_, wrong)) = repair(line)
            && !wrong.is_empty()
        {
            found = Some((start, line));
        }
        if fences % 2 == 1 {
            inside = !inside;
        }
    }
    found
}

/// The usual causes in plain words.
fn explain(message: &str, line: &str) -> &'static str {
    let value = line.split_once('=').map_or("", |(_, value)| value.trim());
    if line.contains('\0') {
        "有看不见的空字符，请重打这一行"
    } else if value.starts_with(|c: char| c.is_ascii_digit()) && value.contains(['年', '月', '日', '/']) {
        "日期要写成 2026-12-31 这样，不加引号"
    } else if value.starts_with(|c: char| c.is_alphabetic() && !c.is_ascii()) {
        "文字要写在英文引号里"
    } else if message.contains("duplicate key") {
        "同一个字段写了两次"
    } else if message.contains("newline") || message.contains("unclosed") || message.contains("string") {
        "引号没有成对，或文字换行了（多行文字要用三个双引号）"
    } else if message.contains("array") || message.contains('[') || message.contains(']') {
        "方括号没有成对，或少了逗号"
    } else if message.contains("key with no value") || message.contains('=') {
        "字段名后面少了等号或值"
    } else if !line.is_ascii() && message.contains("key") {
        "字段名只能用英文字母、数字和下划线"
    } else {
        "不符合 TOML 写法"
    }
}

/// The nearest of the known words, for “是不是想写…”.
pub(in crate::domain) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let distance = distance(word, candidate);
        let allowed = (candidate.chars().count() / 3).clamp(1, 3);
        if distance <= allowed && best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters, with a swap of neighbours as one step.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().take(64).collect();
    let b: Vec<char> = b.to_lowercase().chars().take(64).collect();
    let width = b.len() + 1;
    let mut table = vec![0_usize; (a.len() + 1) * width];
    let mut at = |i: usize, j: usize, value: Option<usize>| -> usize {
        table.get_mut(i * width + j).map_or(0, |cell| {
            if let Some(value) = value {
                *cell = value;
            }
            *cell
        })
    };
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            let value = if i == 0 || j == 0 {
                i + j
            } else {
                let same = usize::from(a.get(i - 1) != b.get(j - 1));
                let mut value = (at(i - 1, j, None) + 1).min(at(i, j - 1, None) + 1).min(at(i - 1, j - 1, None) + same);
                if i > 1 && j > 1 && a.get(i - 1) == b.get(j - 2) && a.get(i - 2) == b.get(j - 1) {
                    value = value.min(at(i - 2, j - 2, None) + 1);
                }
                value
            };
            at(i, j, Some(value));
        }
    }
    at(a.len(), b.len(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_punctuation_is_repaired() {
        for (line, fixed) in [
            ("id = “a”", Some("id = \"a\"")),
            ("any = [\"x\"，\"y\"]", Some("any = [\"x\",\"y\"]")),
            ("id ＝ \"a\"", Some("id = \"a\"")),
            ("【【rule】】", Some("[[rule]]")),
            ("【rule】", Some("[[rule]]")),
            ("【rule.when】", Some("[rule.when]")),
            ("【rule.when】", Some("[rule.when]")),
            ("编号 = \"a\"", Some("id = \"a\"")),
            ("[[规则]]", Some("[[rule]]")),
            ("title = \"稳岗返还：条件，办法\"", None),
            ("all = [“@稳岗返还”， \"条件，标准\"]", Some("all = [\"@稳岗返还\", \"条件，标准\"]")),
            ("id = \"a\"  # 编号，不改", None),
            ("title = \"稳岗”", Some("title = \"稳岗\"")),
            ("any = [\"补贴”, \"补助\"]", Some("any = [\"补贴\", \"补助\"]")),
            ("title：“x”", Some("title=\"x\"")),
            ("any = （\"a\"）", Some("any = [\"a\"]")),
            ("priority = ５０", Some("priority = 50")),
            ("text = \"他说“好”就行\"", None),
        ] {
            assert_eq!(repair(line).map(|(line, _)| line).as_deref(), fixed, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_plain_words() {
        for (line, expected) in [
            ("valid_until = 2027年12月31日", "日期要写成"),
            ("title = 稳岗返还", "文字要写在英文引号里"),
            ("title = \"稳\0岗", "看不见的空字符"),
        ] {
            assert!(explain("invalid string", line).contains(expected), "{line}");
        }
        let file = FileText::new("a.toml", "id = “a”\ntitle = \"b\"\nowner = “c”\n");
        assert_eq!(others(&file, 0), "（第 3 行也有这样的写法）");
    }

    #[test]
    fn the_nearest_word_is_named() {
        let known = ["title", "status", "priority", "valid_until"];
        for (word, expected) in
            [("titel", Some("title")), ("staus", Some("status")), ("valid_util", Some("valid_until")), ("foo", None)]
        {
            assert_eq!(nearest(word, known), expected);
        }
    }

    #[test]
    fn columns_count_characters() {
        let file = FileText::new("a.toml", "标题 = 1\n中文x = 2\n");
        assert_eq!(file.place(file.text.find('x').expect("x is there")), (2, 3));
    }
}
