//! Whether an answer follows its sources: every clause of it is a clause of a cited source, in the source's order.
//!
//! Figures, denials and promises are looked for elsewhere; a lie can be built from the source's own words all the same:
//! 30 days given to the wrong party, a duty without its exception, 能等转正再办 out of 不能等转正再办. So nothing is allowed
//! but copying and leaving out: a part of an answer is the beginning of a part of a source (what stands between two of
//! 。；！？), clause by clause and without gaps. A condition goes with what hangs on it, an exception with its rule, and
//! what points back (这是…, 但…) with what it points to. Besides that an answer greets, names its citations and opens lists.

use super::{Source, conduct};
use crate::domain::text;

/// What ends a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Comma,
    Colon,
    Semicolon,
    Stop,
}

/// What stands between two marks.
#[derive(Debug, Clone)]
struct Clause {
    /// Its characters in one spelling.
    same: Vec<char>,
    /// Its characters.
    said: String,
    mark: Mark,
    /// A colon stands behind it, whatever else does.
    colon: bool,
    question: bool,
    /// It was a point of a list.
    listed: bool,
}

/// What the part behind is to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing: it may be left out.
    Free,
    /// It belongs to it: an exception, a list.
    Belongs,
    /// It says what a bare 能。 or 不用。 is about.
    Explains,
}

/// A part of a source: what may stand alone.
#[derive(Debug, Clone)]
struct Part {
    clauses: Vec<Clause>,
    /// It means nothing without the part before it.
    leans: bool,
    /// Neither does any clause of it: a lead before a colon counts for it.
    bound: bool,
    next: Next,
}

/// One text of a source.
#[derive(Debug, Clone)]
struct Passage {
    /// Which text it is: with and without its brackets it is the same.
    text: usize,
    parts: Vec<Part>,
}

/// The cited sources, cut into parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Following {
    passages: Vec<Passage>,
    /// How the citations may be named.
    authorities: Vec<String>,
}

/// Where an answer stands: the part that it copied last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    text: usize,
    part: usize,
    /// The part behind must follow.
    waits: bool,
}

/// Sentences that say nothing.
const EMPTY: &[&str] = &[
    "您好",
    "你好",
    "企业您好",
    "尊敬的企业",
    "尊敬的企业您好",
    "感谢您的咨询",
    "感谢您的来信",
    "感谢咨询",
    "谢谢",
    "谢谢您",
    "此致敬礼",
    "祝好",
    "以上供参考",
    "以上仅供参考",
    "仅供参考",
    "供您参考",
    "具体以政策原文为准",
    "请以政策原文为准",
    "以政策原文为准",
    "如需办理请回复转人工",
    "如有疑问请回复转人工",
    "需要人工请回复转人工",
    "根据规定",
    "按照规定",
    "依据规定",
    "按规定",
    "依规定",
    "根据有关规定",
    "根据相关规定",
    "按照有关规定",
    "按照相关规定",
    "根据资料",
    "具体如下",
    "答复如下",
    "现答复如下",
    "具体规定如下",
    "如下",
    "另外",
    "此外",
    "同时",
    "请注意",
    "注意",
    "需要注意的是",
    "温馨提示",
];

/// Lines that open a list.
const OPENINGS: &[&str] = &[
    "材料",
    "材料如下",
    "办理材料",
    "所需材料",
    "所需材料如下",
    "流程如下",
    "办理流程",
    "步骤如下",
    "办理步骤",
    "方式如下",
    "办理方式",
    "要点如下",
    "说明",
    "依据",
    "政策依据",
];

/// Words that mean the same, and words that say nothing where they stand.
const SAME: &[(&str, &str)] = &[
    ("应当", "应"),
    ("应该", "应"),
    ("不可以", "不得"),
    ("不能", "不得"),
    ("以内", "内"),
    ("之内", "内"),
    ("到", "至"),
    ("办理", "办"),
    ("需要", "需"),
    ("须", "需"),
];

/// A clause that ends so waits for what hangs on it.
const OPEN_ENDS: &[&str] =
    &["的", "时", "后", "前", "外", "起", "内", "中", "间", "下", "以上", "为", "是", "和", "或", "或者", "及", "以及"];

/// A clause that begins so waits for what hangs on it.
const OPEN_STARTS: &[&str] =
    &["如果", "若", "除", "虽", "只要", "只有", "因", "为了", "凡", "假如", "如需", "一旦", "即使", "不仅", "不是"];

/// What takes back or narrows what stands before it.
const EXCEPTIONS: &[&str] = &[
    "但",
    "除",
    "另有",
    "例外",
    "从其",
    "仅",
    "只",
    "且",
    "不适用",
    "不包括",
    "不含",
    "不得",
    "不能",
    "不予",
    "不超过",
    "为限",
    "以外",
    "不过",
    "必须",
    "前提",
];

/// A part that begins so points back to the part before it.
const LEANING: &[&str] = &[
    "但",
    "不过",
    "其中",
    "其他",
    "其它",
    "其余",
    "前述",
    "上述",
    "前款",
    "此",
    "该",
    "这",
    "那",
    "它",
    "他",
    "她",
    "超过",
    "逾期",
    "否则",
    "以后",
    "之后",
    "然后",
    "再",
    "同样",
    "也",
    "并",
    "且",
    "而",
    "所以",
    "因此",
    "后者",
    "前者",
    "除此",
    "需要延长",
    "延长",
    "双方",
    "对方",
    "期满",
    "到期",
    "没有",
    "未",
];

/// What makes a lead in front of a colon count for all that follows.
const BINDING: &[&str] = &[
    "不", "未", "无", "没", "非", "免", "禁", "勿", "莫", "可", "能", "应", "须", "必", "要求", "除", "仅", "只",
    "下列", "以下", "如下", "包括", "情形", "条件",
];

fn is_between_digits(chars: &[char], at: usize) -> bool {
    let digit = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(char::is_ascii_digit);
    digit(at.checked_sub(1)) && digit(Some(at + 1))
}

/// The clauses of a text.
fn clauses(raw: &str) -> Vec<Clause> {
    let chars: Vec<char> = text::normalised(raw).chars().collect();
    let mut out: Vec<Clause> = Vec::new();
    let mut said = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let inside = is_between_digits(&chars, at);
        let grouped = c == ',' && inside && (1..=3).all(|n| chars.get(at + n).is_some_and(char::is_ascii_digit));
        let mark = match c {
            ',' if grouped => continue,
            ':' if inside => None,
            ',' => Some(Mark::Comma),
            ':' => Some(Mark::Colon),
            ';' => Some(Mark::Semicolon),
            '。' | '!' | '?' | '\n' => Some(Mark::Stop),
            _ => None,
        };
        match mark {
            Some(mark) => end(&mut out, &mut said, mark, c),
            None => said.push(c),
        }
    }
    end(&mut out, &mut said, Mark::Stop, '。');
    out
}

/// Ends a clause; a mark right behind another one counts if it is the stronger.
fn end(out: &mut Vec<Clause>, said: &mut String, mark: Mark, c: char) {
    let words = std::mem::take(said);
    let item = conduct::item(&words);
    let cut = item.len() < words.len()
        && !item.starts_with(|c: char| c.is_numeric() || "一二三四五六七八九十百千".contains(c));
    let item = if cut { item } else { words.as_str() };
    let same = canonical(item);
    if same.is_empty() {
        if let Some(last) = out.last_mut() {
            last.mark = last.mark.max(mark);
            last.colon |= mark == Mark::Colon;
            last.question |= c == '?';
        }
        return;
    }
    let said = item.chars().filter(|c| c.is_alphanumeric()).collect();
    out.push(Clause { same, said, mark, colon: mark == Mark::Colon, question: c == '?', listed: cut });
}

/// The characters of a clause in one spelling. A mark between digits (1.5, 3-5) is part of the number.
fn canonical(clause: &str) -> Vec<char> {
    const DROPPED: &str = "\"'“”‘’《》〈〉「」『』【】〔〕()[]、—-–·•*_`#~… \t。.";
    let chars: Vec<char> = clause.chars().collect();
    let kept = |(at, &c): (usize, &char)| {
        (c.is_alphanumeric() || !DROPPED.contains(c) || is_between_digits(&chars, at)).then_some(c)
    };
    let mut words: String = chars.iter().enumerate().filter_map(kept).collect();
    for (one, other) in SAME {
        words = words.replace(one, other);
    }
    words.strip_prefix('请').unwrap_or(&words).chars().collect()
}

/// The text without what stands in brackets, where that says nothing that counts.
fn without_brackets(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut inside: Option<String> = None;
    let mut cut = false;
    for c in raw.chars() {
        match (&mut inside, c) {
            (None, '（' | '(') => inside = Some(String::new()),
            (Some(words), '）' | ')') => {
                let counts = words.chars().any(|c| c.is_numeric() || "。；;\n".contains(c))
                    || BINDING.iter().chain(EXCEPTIONS).any(|word| words.contains(word));
                if counts {
                    out.push('（');
                    out.push_str(words);
                    out.push('）');
                } else {
                    cut = true;
                }
                inside = None;
            }
            (Some(words), c) => words.push(c),
            (None, c) => out.push(c),
        }
    }
    if let Some(words) = inside {
        out.push('（');
        out.push_str(&words);
    }
    cut.then_some(out)
}

impl Clause {
    /// It says nothing without what follows.
    fn is_open(&self) -> bool {
        OPEN_ENDS.iter().any(|end| self.said.ends_with(end))
            || OPEN_STARTS.iter().any(|start| self.said.starts_with(start))
    }

    fn narrows(&self) -> bool {
        EXCEPTIONS.iter().any(|word| self.said.contains(word))
    }

    /// A lead that may be left out: 要看付款方是谁：, 这是法定期限，
    fn is_mere_lead(&self) -> bool {
        (self.colon || self.said.starts_with("这是"))
            && !self.said.ends_with('的')
            && !BINDING.iter().any(|word| self.said.contains(word))
            && !self.said.chars().any(char::is_numeric)
    }

    /// It points back.
    fn leans(&self) -> bool {
        LEANING.iter().any(|word| self.said.starts_with(word))
    }

    fn is_empty_talk(&self) -> bool {
        EMPTY.contains(&self.said.as_str()) || (self.colon && OPENINGS.contains(&self.said.as_str()))
    }
}

/// The parts of a text.
fn parts(raw: &str) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::new();
    let mut open: Vec<Clause> = Vec::new();
    // A lead in front of a colon counts for the parts behind it, until the sentence or its list is over.
    let (mut bound, mut fresh) = (false, true);
    for clause in clauses(raw) {
        let ends = clause.mark >= Mark::Semicolon;
        open.push(clause);
        if !ends {
            continue;
        }
        let clauses = std::mem::take(&mut open);
        let Some(first) = clauses.first() else { continue };
        if fresh && !first.listed && !out.last().is_some_and(|part| part.clauses.last().is_some_and(|c| c.colon)) {
            bound = false;
        }
        let first_part = out.is_empty();
        let leans = !first_part && (bound || first.leans());
        let bound_before = bound;
        let length: usize = clauses.iter().map(|clause| clause.same.len()).sum();
        let lead = clauses.iter().any(|clause| clause.colon && !clause.is_mere_lead());
        fresh = clauses.last().is_some_and(|clause| clause.mark == Mark::Stop);
        bound |= lead;
        let takes_back = first.narrows() && first.said.starts_with(['但', '除', '不', '另', '只', '仅'])
            || ["除外", "从其"].iter().any(|word| first.said.contains(word));
        // An exception behind a semicolon belongs to the part before it.
        if takes_back
            && let Some(before) = out.last_mut()
            && before.clauses.last().is_some_and(|clause| clause.mark == Mark::Semicolon)
        {
            before.next = Next::Belongs;
        }
        let next = if clauses.last().is_some_and(|clause| clause.colon) {
            Next::Belongs
        } else if length < 5 {
            Next::Explains
        } else {
            Next::Free
        };
        out.push(Part { leans, bound: bound_before, next, clauses });
    }
    let several = out.len() > 1;
    if let Some(last) = out.last_mut() {
        // A bare word at the end rests on what stands before it.
        last.leans |= several && last.next == Next::Explains;
        last.next = Next::Free;
    }
    out
}

impl Following {
    pub(super) fn new<'a>(sources: impl Iterator<Item = &'a Source>) -> Self {
        let mut out = Self::default();
        for source in sources {
            for raw in [Some(&source.text), source.plain.as_ref()].into_iter().flatten() {
                let text = out.passages.last().map_or(0, |passage| passage.text + 1);
                out.passages.push(Passage { text, parts: parts(raw) });
                if let Some(short) = without_brackets(raw) {
                    out.passages.push(Passage { text, parts: parts(&short) });
                }
            }
            for cite in source.citations.iter() {
                let letters = |text: &str| canonical(&text::normalised(text)).into_iter().collect::<String>();
                let title = letters(&cite.title);
                let short = title.strip_prefix("中华人民共和国").map(str::to_owned);
                let number = cite.doc_no.as_deref().map(letters).unwrap_or_default();
                let clause = cite.clause.as_deref().map(letters).unwrap_or_default();
                for title in [Some(title), short, Some(String::new())].into_iter().flatten() {
                    for behind in [String::new(), number.clone(), clause.clone(), format!("{number}{clause}")] {
                        let name = format!("{title}{behind}");
                        if !name.is_empty() {
                            out.authorities.push(name);
                        }
                    }
                }
            }
        }
        out
    }

    /// The first words that follow no source. `whole`: nothing comes behind the text.
    pub(super) fn stray(&self, answer: &str, whole: bool) -> Option<String> {
        let said = clauses(answer);
        let mut reached: Vec<Vec<Option<Place>>> = vec![Vec::new(); said.len() + 1];
        if let Some(start) = reached.first_mut() {
            start.push(None);
        }
        let mut far = 0;
        for at in 0..said.len() {
            let places = reached.get(at).cloned().unwrap_or_default();
            if places.is_empty() {
                continue;
            }
            far = at;
            if said.get(at).is_some_and(|clause| clause.is_empty_talk() || self.names_authority(clause)) {
                add(&mut reached, at + 1, &places);
            }
            for lead in leads(said.get(at)) {
                for place in &places {
                    self.copies(&said, at, lead, *place, &mut reached);
                }
            }
        }
        let last = reached.last().map(Vec::as_slice).unwrap_or_default();
        let ends = |place: &Option<Place>| place.is_none_or(|place| !whole || !place.waits);
        if last.iter().any(ends) {
            return None;
        }
        Some(said.get(far).map(|clause| clause.said.clone()).unwrap_or_default())
    }

    /// Every way in which the answer goes on with a copy.
    fn copies(&self, said: &[Clause], at: usize, lead: usize, from: Option<Place>, reached: &mut [Vec<Option<Place>>]) {
        for passage in &self.passages {
            for (n, part) in passage.parts.iter().enumerate() {
                let next = from.is_some_and(|from| from.text == passage.text && from.part + 1 == n);
                if from.is_some_and(|from| from.waits) && !next {
                    continue;
                }
                for (to, place) in part.copied(said, at, lead, next) {
                    let place = Place { text: passage.text, part: n, ..place };
                    add(reached, to, &[Some(place)]);
                }
            }
        }
    }

    /// 根据《社会保险法》第五十八条的规定，
    fn names_authority(&self, clause: &Clause) -> bool {
        let words: String = clause.same.iter().collect();
        let words = ["根据", "依据", "按照", "依照", "详见", "见", "按"]
            .iter()
            .find_map(|word| words.strip_prefix(word))
            .unwrap_or(&words);
        let words = ["的有关规定", "的相关规定", "的规定", "有关规定", "相关规定", "规定"]
            .iter()
            .find_map(|word| words.strip_suffix(word))
            .unwrap_or(words);
        self.authorities.iter().any(|name| name == words)
    }
}

/// How many characters at the beginning of a clause may be a word that leads to it.
fn leads(clause: Option<&Clause>) -> Vec<usize> {
    let Some(clause) = clause else { return Vec::new() };
    let words: String = clause.same.iter().collect();
    let mut out = vec![0];
    for word in EMPTY {
        let length = canonical(word).len();
        if length < clause.same.len() && words.starts_with(&canonical(word).iter().collect::<String>()) {
            out.push(length);
        }
    }
    out
}

fn add(reached: &mut [Vec<Option<Place>>], at: usize, places: &[Option<Place>]) {
    if let Some(known) = reached.get_mut(at) {
        for place in places {
            if !known.contains(place) {
                known.push(*place);
            }
        }
    }
}

impl Part {
    /// Where copies of this part end in the answer that begin at this clause of it, behind its lead.
    fn copied(&self, said: &[Clause], at: usize, lead: usize, next: bool) -> Vec<(usize, Place)> {
        let mut out = Vec::new();
        for start in 0..self.clauses.len() {
            if self.clauses.iter().take(start).any(|clause| !clause.is_mere_lead()) {
                break;
            }
            let leans =
                if start == 0 { self.leans } else { self.bound || self.clauses.get(start).is_some_and(Clause::leans) };
            if leans && !next {
                continue;
            }
            let (mut mine, mut theirs) = (Vec::new(), Vec::new());
            let mut to = at;
            for end in start..self.clauses.len() {
                let Some(last) = self.clauses.get(end) else { break };
                mine.extend_from_slice(&last.same);
                // Clauses of the answer until they are as long.
                while theirs.len() < mine.len()
                    && let Some(next) = said.get(to)
                {
                    let skipped = if to == at { lead } else { 0 };
                    let letters = next.same.get(skipped..).unwrap_or_default();
                    let letters = if skipped > 0 && letters.first() == Some(&'请') { &letters[1..] } else { letters };
                    theirs.extend_from_slice(letters);
                    to += 1;
                }
                let same = theirs.len().min(mine.len());
                if theirs.get(..same) != mine.get(..same) || theirs.len() < mine.len() {
                    break;
                }
                let rest = self.clauses.get(end + 1..).unwrap_or_default();
                let closing = said.get(to.saturating_sub(1));
                let asks = closing.is_some_and(|clause| clause.question) == last.question;
                let over = rest.is_empty();
                let told = last.is_mere_lead() && !last.colon;
                let complete = over || told || !(last.is_open() || last.colon || rest.iter().any(Clause::narrows));
                let stops = closing.is_some_and(|clause| clause.mark == Mark::Stop);
                // The exception behind a semicolon is not cut off by a full stop.
                let cut_off = over && self.next == Next::Belongs && !last.colon && stops;
                if theirs.len() == mine.len() && asks && complete && !cut_off {
                    let waits = over && self.next != Next::Free;
                    out.push((to, Place { text: 0, part: 0, waits }));
                }
            }
        }
        out
    }
}
