//! Numbers with their units, in digits and in Chinese numerals.

use super::{
    bound,
    figures::{Fact, Found, Micro},
    spans::BLANK,
};

const MILLION: Micro = 1_000_000;

/// Units as written, in one spelling, and by how much the value grows (numerator, denominator). The longest counts.
const UNITS: &[(&str, &str, Micro, Micro)] = &[
    ("个工作日", "工作日", 1, 1),
    ("个工作天", "工作日", 1, 1),
    ("工作日", "工作日", 1, 1),
    ("工作天", "工作日", 1, 1),
    ("个自然日", "日", 1, 1),
    ("自然日", "日", 1, 1),
    ("日历日", "日", 1, 1),
    ("天", "日", 1, 1),
    ("日", "日", 1, 1),
    ("个月", "月", 1, 1),
    ("月", "月", 1, 1),
    ("周年", "月", 12, 1),
    ("年度", "年度", 1, 1),
    ("年", "月", 12, 1),
    ("周岁", "岁", 1, 1),
    ("岁", "岁", 1, 1),
    ("个星期", "周", 1, 1),
    ("星期", "周", 1, 1),
    ("礼拜", "周", 1, 1),
    ("个礼拜", "周", 1, 1),
    ("旬", "日", 10, 1),
    ("刻钟", "分", 15, 1),
    ("周", "周", 1, 1),
    ("个季度", "季度", 1, 1),
    ("季度", "季度", 1, 1),
    ("个小时", "分", 60, 1),
    ("小时", "分", 60, 1),
    ("钟头", "分", 60, 1),
    ("分钟", "分", 1, 1),
    ("秒", "秒", 1, 1),
    ("元", "元", 1, 1),
    ("块钱", "元", 1, 1),
    ("块", "元", 1, 1),
    ("人民币", "元", 1, 1),
    ("美元", "美元", 1, 1),
    ("港元", "港元", 1, 1),
    ("港币", "港元", 1, 1),
    ("欧元", "欧元", 1, 1),
    ("日元", "日元", 1, 1),
    ("%", "%", 1, 1),
    ("‰", "%", 1, 10),
    ("个百分点", "百分点", 1, 1),
    ("百分点", "百分点", 1, 1),
    ("成", "%", 10, 1),
    ("折", "折", 1, 1),
    ("倍", "倍", 1, 1),
    ("个", "个", 1, 1),
    ("项", "个", 1, 1),
    ("种", "个", 1, 1),
    ("类", "个", 1, 1),
    ("点", "个", 1, 1),
    ("步", "个", 1, 1),
    ("次", "次", 1, 1),
    ("回", "次", 1, 1),
    ("份", "份", 1, 1),
    ("套", "份", 1, 1),
    ("家", "家", 1, 1),
    ("户", "家", 1, 1),
    ("人", "人", 1, 1),
    ("名", "人", 1, 1),
    ("位", "人", 1, 1),
    ("号", "号", 1, 1),
    ("级", "级", 1, 1),
    ("条", "条", 1, 1),
    ("款", "款", 1, 1),
    ("平方公里", "平方公里", 1, 1),
    ("平方米", "平方米", 1, 1),
    ("平方", "平方米", 1, 1),
    ("m2", "平方米", 1, 1),
    ("公顷", "公顷", 1, 1),
    ("亩", "亩", 1, 1),
    ("公里", "公里", 1, 1),
    ("千米", "公里", 1, 1),
    ("米", "米", 1, 1),
    ("千瓦", "千瓦", 1, 1),
    ("吨", "吨", 1, 1),
    ("公斤", "公斤", 1, 1),
    ("千克", "公斤", 1, 1),
    ("度", "度", 1, 1),
    ("期", "期", 1, 1),
    ("批", "批", 1, 1),
    ("届", "届", 1, 1),
    ("页", "页", 1, 1),
    ("张", "张", 1, 1),
    ("件", "件", 1, 1),
    ("台", "台", 1, 1),
    ("层", "层", 1, 1),
    ("栋", "栋", 1, 1),
    ("室", "室", 1, 1),
    ("字", "字", 1, 1),
];

/// Units that a lone 一 measures; one of the others (一个, 一项) is an article.
const MEASURED: &[&str] = &["日", "工作日", "月", "岁", "周", "季度", "分", "秒", "元", "美元", "%", "折", "倍"];

/// Characters before a numeral that make it part of a word.
const WORDS_BEFORE: &str = "统同每某有这那万唯单进逐之其任另哪头";

/// Units of law: 第三条.
const ARTICLES: &str = "条款项章节编目";

/// A numeral character.
pub(super) const fn is_numeral(c: char) -> bool {
    matches!(c, '〇' | '零' | '一' | '二' | '两' | '三' | '四' | '五' | '六' | '七' | '八' | '九' | '十' | '百' | '千')
}

fn digit(c: char) -> Option<Micro> {
    match c {
        '〇' | '零' => Some(0),
        '两' => Some(2),
        _ => "一二三四五六七八九".chars().position(|d| d == c).map(|p| p as Micro + 1),
    }
}

/// Formal numerals (壹贰叁) and dates in words (二〇二六年十二月) as plain ones; everything else as it is.
pub(super) fn plain_digits(text: &str) -> String {
    let chars: Vec<char> = text.chars().map(|c| if c == '○' { '〇' } else { c }).collect();
    let formal = |c: char| -> Option<char> {
        let at = "壹贰叁肆伍陆柒捌玖拾佰仟".chars().position(|f| f == c)?;
        "一二三四五六七八九十百千".chars().nth(at)
    };
    let mut plain: Vec<char> = Vec::with_capacity(chars.len());
    for (n, &c) in chars.iter().enumerate() {
        let near = |at: Option<usize>| {
            at.and_then(|at| chars.get(at))
                .is_some_and(|&c| formal(c).is_some() || matches!(c, '万' | '亿' | '元' | '圆' | '零' | '成'))
        };
        match formal(c) {
            Some(simple) if near(n.checked_sub(1)) || near(Some(n + 1)) => plain.push(simple),
            _ => plain.push(if c == '圆' { '元' } else { c }),
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut n = 0;
    while let Some(&c) = plain.get(n) {
        if is_numeral(c) {
            let end =
                (n..plain.len()).find(|&at| !plain.get(at).copied().is_some_and(is_numeral)).unwrap_or(plain.len());
            let run = plain.get(n..end).unwrap_or_default();
            let after = plain.get(end).copied();
            let year = after == Some('年') && run.len() == 4 && run.iter().all(|&c| digit(c).is_some());
            let next_day =
                after == Some('月') && plain.get(end + 1).is_some_and(|&c| is_numeral(c) || c.is_ascii_digit());
            let behind_month = out.ends_with('月') && matches!(after, Some('日' | '号'));
            let behind_year = out.ends_with('年') && after == Some('月');
            let hour = matches!(after, Some('点' | '时')) && !run.is_empty() && run.len() <= 3 && near_clock(&out);
            if (year || next_day || behind_month || behind_year || hour)
                && let Some(value) = small(run)
            {
                out.push_str(&value.to_string());
            } else {
                out.extend(run);
            }
            n = end;
            continue;
        }
        out.push(c);
        n += 1;
    }
    spoken(&out)
}

/// Numbers that are written otherwise: 俩月, 仨万, 卅万, 百日, 30w, 300k.
pub(super) fn spelt_out(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |n: usize| chars.get(n).copied();
    let mut out = String::with_capacity(text.len());
    for (n, &c) in chars.iter().enumerate() {
        let (before, after) = (n.checked_sub(1).and_then(at), at(n + 1));
        let is = |c: Option<char>, set: &str| c.is_some_and(|c| set.contains(c));
        let counted = |c: Option<char>| {
            c.is_some_and(|c| c.is_ascii_digit() || is_numeral(c) || "几数上近万亿半第分来余多".contains(c))
        };
        match c {
            '廿' if is(after, "一二三四五六七八九百千万亿日天元个年") => out.push_str("二十"),
            '卅' => out.push_str("三十"),
            '卌' => out.push_str("四十"),
            '俩' | '仨' => {
                out.push(if c == '俩' { '两' } else { '三' });
                if is(after, "月礼星小季工") {
                    out.push('个');
                }
            }
            // 百日内, 百万元, 千万元; not 老百姓, 千万不要.
            '百' | '千'
                if !counted(before) && (is(after, "日天元") || (is(after, "万亿") && is(at(n + 2), "元人户家块"))) =>
            {
                out.push('一');
                out.push(c);
            }
            'w' | 'k'
                if before.is_some_and(|c| c.is_ascii_digit()) && !after.is_some_and(|c| c.is_ascii_alphanumeric()) =>
            {
                out.push(if c == 'w' { '万' } else { '千' });
            }
            _ => out.push(c),
        }
    }
    out
}

fn near_clock(before: &str) -> bool {
    ["上午", "下午", "晚上", "早上", "中午"].iter().any(|word| before.ends_with(word))
}

/// Digits that are spoken one by one (一二三四五, 幺三八零零…) as digits.
fn spoken(text: &str) -> String {
    let is_spoken = |c: char| digit(c).is_some_and(|_| c != '两') || c == '幺';
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut n = 0;
    while let Some(&c) = chars.get(n) {
        let end = (n..chars.len()).find(|&at| !chars.get(at).copied().is_some_and(is_spoken)).unwrap_or(chars.len());
        let touches = chars.get(end).is_some_and(|&c| matches!(c, '十' | '百' | '千' | '万' | '亿'));
        if end >= n + 5 && !touches {
            for &c in chars.get(n..end).unwrap_or_default() {
                out.push(char::from_digit(digit(c).unwrap_or(1) as u32, 10).unwrap_or('0'));
            }
            n = end;
        } else if end > n {
            out.extend(chars.get(n..end).unwrap_or_default());
            n = end;
        } else {
            out.push(c);
            n += 1;
        }
    }
    out
}

/// The value of a numeral run without 万 and 亿; 二〇二六 digit by digit.
fn small(run: &[char]) -> Option<Micro> {
    if run.is_empty() || run.len() > 9 {
        return None;
    }
    if !run.iter().any(|c| matches!(c, '十' | '百' | '千')) {
        return run.iter().try_fold(0, |sum: Micro, &c| Some(sum * 10 + digit(c)?));
    }
    let (mut sum, mut pending, mut last) = (0, None, 1);
    for &c in run {
        let unit = match c {
            '十' => 10,
            '百' => 100,
            '千' => 1000,
            _ => {
                pending = Some(digit(c)?);
                continue;
            }
        };
        sum += pending.take().filter(|p| *p > 0).unwrap_or(1) * unit;
        last = unit;
    }
    // 一百五 is 150, 一百零五 is 105.
    let colloquial = last > 10 && !run.contains(&'零') && !run.contains(&'〇');
    Some(sum + pending.unwrap_or(0) * if colloquial { last / 10 } else { 1 })
}

/// Reads numbers out of a text from which everything with a shape was taken.
pub(super) struct Scan {
    chars: Vec<char>,
}

struct Number {
    value: Micro,
    end: usize,
    /// Written with 万 or 亿, or in digits.
    solid: bool,
    run: usize,
}

impl Scan {
    pub(super) fn new(text: &str) -> Self {
        Self { chars: text.chars().collect() }
    }

    fn at(&self, n: usize) -> Option<char> {
        self.chars.get(n).copied()
    }

    fn words(&self, from: usize, to: usize) -> String {
        self.chars.get(from..to.min(self.chars.len())).unwrap_or_default().iter().collect()
    }

    fn starts_with(&self, n: usize, word: &str) -> bool {
        word.chars().enumerate().all(|(i, c)| self.at(n + i) == Some(c))
    }

    /// Adds a number with the word that holds it to one side.
    fn push(&self, found: &mut Vec<Found>, fact: Fact, from: usize, to: usize) {
        let unit = if let Fact::Number { unit, .. } = fact { unit } else { "" };
        let bound = bound::of(&self.chars, from, to, unit);
        found.push(Found { fact, words: self.words(from, to), bound });
    }

    /// Adds every number.
    pub(super) fn run(&self, found: &mut Vec<Found>) {
        let mut n = 0;
        let mut open: Vec<(Micro, usize, usize)> = Vec::new();
        while let Some(c) = self.at(n) {
            if self.starts_with(n, "双倍") || self.starts_with(n, "加倍") {
                self.push(found, Fact::Number { value: 2 * MILLION, unit: "倍" }, n, n + 2);
                n += 2;
                continue;
            }
            if c == '半' && self.half(n, found) {
                n += 1;
                continue;
            }
            let Some(number) = self.number(n) else {
                n += 1;
                continue;
            };
            n = self.judge(n, &number, found, &mut open);
        }
        for (value, from, to) in open {
            self.push(found, Fact::Number { value, unit: "" }, from, to);
        }
    }

    /// 半年 and 半个月, 半天, 半小时; not 一半, 年半.
    fn half(&self, n: usize, found: &mut Vec<Found>) -> bool {
        let before = n.checked_sub(1).and_then(|p| self.at(p));
        if before.is_some_and(|c| "上下过多大折减".contains(c) || is_numeral(c)) {
            return false;
        }
        let Some((unit, factor, divisor, length)) = self.unit(n + 1) else { return false };
        if !MEASURED.contains(&unit) {
            return false;
        }
        self.push(found, Fact::Number { value: MILLION * factor / divisor / 2, unit }, n, n + 1 + length);
        true
    }

    fn unit(&self, n: usize) -> Option<(&'static str, Micro, Micro, usize)> {
        UNITS
            .iter()
            .filter(|(word, ..)| self.starts_with(n, word))
            .max_by_key(|(word, ..)| word.chars().count())
            .map(|&(word, unit, factor, divisor)| (unit, factor, divisor, word.chars().count()))
    }

    /// The number that begins here.
    fn number(&self, n: usize) -> Option<Number> {
        let c = self.at(n)?;
        if c.is_ascii_digit() { self.digits(n) } else { self.numerals(n) }
    }

    fn digits(&self, n: usize) -> Option<Number> {
        let mut end = n;
        let mut text = String::new();
        while let Some(c) = self.at(end) {
            let grouped = c == ',' && (1..=3).all(|i| self.at(end + i).is_some_and(|c| c.is_ascii_digit()));
            let point = c == '.' && !text.contains('.') && self.at(end + 1).is_some_and(|c| c.is_ascii_digit());
            if c.is_ascii_digit() || point {
                text.push(c);
            } else if !grouped {
                break;
            }
            end += 1;
        }
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        // Longer than any figure: compared by its last digits.
        let whole: Micro = whole.get(whole.len().saturating_sub(24)..)?.parse().ok()?;
        let part: Micro = format!("{part:0<6}").get(..6)?.parse().ok()?;
        let (value, end) = self.multiplied(whole * MILLION + part, end);
        Some(Number { value, end, solid: true, run: end - n })
    }

    /// 5万, 3千, 1亿2000万 behind digits.
    fn multiplied(&self, mut value: Micro, mut end: usize) -> (Micro, usize) {
        while let Some(c) = self.at(end) {
            let factor = match c {
                '百' => 100,
                '千' => 1000,
                '万' => 10_000,
                '亿' => 100_000_000,
                _ => break,
            };
            if self.unit(end).is_some_and(|(_, _, _, length)| length > 1) || self.at(end + 1) == Some('分') {
                break;
            }
            value *= factor;
            end += 1;
        }
        (value, end)
    }

    fn numerals(&self, n: usize) -> Option<Number> {
        let c = self.at(n)?;
        // 百分之三十, 千分之五, 万分之五, 三分之一.
        if let Some(number) = self.share(n) {
            return Some(number);
        }
        if digit(c).is_none() && c != '十' {
            return None;
        }
        let (mut total, mut end, mut solid) = (0, n, false);
        loop {
            let start = end;
            while self.at(end).is_some_and(is_numeral) {
                end += 1;
            }
            if start == end {
                break;
            }
            let value = small(self.chars.get(start..end)?)?;
            match self.at(end) {
                Some('万') if !self.starts_with(end, "万一") => {
                    total += value * 10_000;
                    end += 1;
                    solid = true;
                }
                Some('亿') => {
                    total = (total + value) * 100_000_000;
                    end += 1;
                    solid = true;
                }
                _ => {
                    total += value;
                    break;
                }
            }
        }
        let mut value = total * MILLION;
        if self.at(end) == Some('点') && self.at(end + 1).is_some_and(|c| digit(c).is_some()) {
            let mut scale = MILLION / 10;
            let mut at = end + 1;
            while let Some(d) = self.at(at).and_then(digit) {
                value += d * scale;
                scale /= 10;
                at += 1;
            }
            let (more, after) = self.multiplied(value, at);
            return Some(Number { value: more, end: after, solid: true, run: after - n });
        }
        Some(Number { value, end, solid, run: end - n })
    }

    /// X分之Y as a percentage.
    fn share(&self, n: usize) -> Option<Number> {
        let mut end = n;
        while self.at(end).is_some_and(|c| is_numeral(c) || c == '万') {
            end += 1;
        }
        if end == n || !self.starts_with(end, "分之") {
            return None;
        }
        let of = match self.words(n, end).as_str() {
            "百" => 100,
            "千" => 1000,
            "万" => 10_000,
            _ => small(self.chars.get(n..end)?)?,
        };
        let top = self.number(end + 2).or_else(|| {
            // 百分之百
            let run = self.words(end + 2, end + 3);
            (run == "百").then_some(Number { value: 100 * MILLION, end: end + 3, solid: true, run: 1 })
        })?;
        (of > 0).then_some(Number { value: -(top.value * 100 / of), end: top.end, solid: true, run: top.end - n })
    }

    /// Decides what the number is; returns where reading goes on.
    fn judge(&self, n: usize, number: &Number, found: &mut Vec<Found>, open: &mut Vec<(Micro, usize, usize)>) -> usize {
        let before = n.checked_sub(1).and_then(|p| self.at(p));
        let end = number.end;
        let after = self.at(end);
        if number.value < 0 {
            self.push(found, Fact::Number { value: -number.value, unit: "%" }, n, end);
            return end;
        }
        // GB2312 or A4 are names.
        if before.is_some_and(|c| c.is_ascii_alphabetic()) {
            return end;
        }
        if before == Some('第') {
            return self.ordinal(n, number, found);
        }
        let in_digits = self.at(n).is_some_and(|c| c.is_ascii_digit());
        if self.counts_items(n, end, before, after) {
            return end;
        }
        let unit = self.unit(end).filter(|&(unit, _, _, _)| !self.is_word(end, unit));
        if let Some((unit, factor, divisor, length)) = unit {
            let lone = !in_digits && number.run == 1;
            let one = lone && self.at(n) == Some('一');
            let in_word = lone && before.is_some_and(|c| WORDS_BEFORE.contains(c));
            if in_word || (one && !MEASURED.contains(&unit)) {
                for (value, from, to) in open.drain(..) {
                    self.push(found, Fact::Number { value, unit: "" }, from, to);
                }
                return end + length;
            }
            // 三五个工作日: two numbers.
            let digits = self.chars.get(n..end).unwrap_or_default();
            let pair = !in_digits && digits.len() == 2 && digits.iter().all(|&c| digit(c).is_some_and(|d| d > 0));
            // 3至5个工作日: the first has the unit of the second.
            for (value, from, to) in open.drain(..) {
                let linked = to < n && (to..n).all(|at| self.at(at).is_some_and(|c| "至到-—~～、或和".contains(c)));
                if linked {
                    // What stands behind the second holds both.
                    let bound = bound::of(&self.chars, from, end + length, unit);
                    let fact = Fact::Number { value: value * factor / divisor, unit };
                    found.push(Found { fact, words: self.words(from, to), bound });
                } else {
                    self.push(found, Fact::Number { value, unit: "" }, from, to);
                }
            }
            if pair {
                for value in digits.iter().filter_map(|&c| digit(c)) {
                    self.push(found, Fact::Number { value: value * MILLION * factor / divisor, unit }, n, end + length);
                }
            } else {
                self.push(found, Fact::Number { value: number.value * factor / divisor, unit }, n, end + length);
            }
            return end + length;
        }
        if in_digits || number.solid || (number.run >= 2 && !self.idiom(n, end)) {
            open.push((number.value, n, end));
        }
        end
    }

    /// “1.”, “2、”, “(3)”, “十一、” at the start of a clause count items.
    fn counts_items(&self, n: usize, end: usize, before: Option<char>, after: Option<char>) -> bool {
        let starts = |c: Option<char>| c.is_none_or(|c| matches!(c, '。' | ';' | ':' | ',' | '!' | '?' | '\n'));
        let bracketed = before == Some('(') && after == Some(')');
        if bracketed {
            return starts(n.checked_sub(2).and_then(|p| self.at(p)));
        }
        let marked = matches!(after, Some('.' | '、' | ')')) && self.at(end + 1) != Some(BLANK);
        let figure_follows = self.at(end + 1).is_some_and(|c| c.is_ascii_digit() || is_numeral(c));
        starts(before) && marked && !figure_follows
    }

    /// 第三条, 第二批, 第一步.
    fn ordinal(&self, n: usize, number: &Number, found: &mut Vec<Found>) -> usize {
        let end = number.end;
        let whole = number.value / MILLION;
        match self.at(end) {
            Some(c) if ARTICLES.contains(c) => {
                push(found, Fact::Article(format!("第{whole}{c}")), self.words(n.saturating_sub(1), end + 1));
                end + 1
            }
            Some(
                '号' | '批' | '期' | '届' | '年' | '次' | '季' | '轮' | '天' | '日' | '档' | '类' | '名' | '位' | '级',
            ) => {
                let unit = self.unit(end);
                let (unit, factor, divisor, length) = unit.unwrap_or(("", 1, 1, 0));
                push(
                    found,
                    Fact::Number { value: number.value * factor / divisor, unit },
                    self.words(n.saturating_sub(1), end + length),
                );
                end + length
            }
            // 第三方, 第一步, 第二: they count; a large one is a figure.
            _ => {
                if whole > 20 {
                    push(found, Fact::Number { value: number.value, unit: "" }, self.words(n.saturating_sub(1), end));
                }
                end
            }
        }
    }

    /// Whether the unit is the beginning of a word: 三成立, 两家门.
    fn is_word(&self, at: usize, unit: &str) -> bool {
        let next = self.at(at + 1);
        let is = |set: &str| next.is_some_and(|c| set.contains(c));
        match (self.at(at), unit) {
            (Some('成'), _) => is("立为本交员果功都长"),
            (Some('度'), _) => is("过假"),
            (Some('分'), _) => !is("钟"),
            (Some('字'), _) => is("号"),
            (Some('点'), _) => is("击开对"),
            (Some('家'), _) => is("庭属长"),
            (Some('名'), _) => is("称义下"),
            (Some('人'), _) => is("民社工"),
            (Some('期'), _) => is("限间"),
            _ => false,
        }
    }

    /// 一一对应, 三三两两, 十分.
    fn idiom(&self, n: usize, end: usize) -> bool {
        let run = self.chars.get(n..end).unwrap_or_default();
        run.windows(2).all(|pair| pair.first() == pair.last()) || self.words(n, end) == "一二"
    }
}

fn push(found: &mut Vec<Found>, fact: Fact, words: String) {
    found.push(Found::new(fact, words));
}
