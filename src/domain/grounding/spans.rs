//! What is told by its shape: addresses, document numbers, titles, phones, dates, times of day.

use std::sync::OnceLock;

use regex::{Captures, Regex};

use super::{
    figures::{CivilDate, Fact, Found},
    numeral,
};
use crate::domain::text;

/// The facts with a shape, and the text with them blanked.
pub(super) struct Fixed {
    pub(super) found: Vec<Found>,
    pub(super) rest: String,
}

/// Stands where a fact was taken out: no digit, no letter, no sentence end.
pub(super) const BLANK: char = '\u{1}';

struct Patterns {
    placeholder: Regex,
    account: Regex,
    address: Regex,
    spelt_address: Regex,
    document: Regex,
    phones: [Regex; 4],
    hotline: Regex,
    days: [Regex; 4],
    words: Regex,
    fraction: Regex,
    vague: Regex,
    clock: Regex,
    hour: Regex,
}

fn patterns() -> &'static Patterns {
    static PATTERNS: OnceLock<Patterns> = OnceLock::new();
    PATTERNS.get_or_init(|| {
        let make = |pattern: &str| Regex::new(pattern).expect("the pattern is a constant and covered by tests");
        Patterns {
            placeholder: make(r"[〔\[][\p{Han}]{2,8}[0-9]{1,3}(?:·[0-9]{1,3})?[〕\]]"),
            account: make(
                r"(?:微信|wechat|weixin|wx|vx|qq|telegram|whatsapp|电报)(?:公众号|号码|号|群|id)?[:是为加]{0,2}(?P<id>[a-z0-9_\-]{5,})",
            ),
            address: make(
                r"(?:[a-z][a-z0-9+.\-]{1,9}://[^\p{Han},。;!?()《》“”\x01]+|[a-z0-9._%+\-]+@[a-z0-9.\-]+\.[a-z]{2,12}|(?:[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?\.)+[a-z]{2,12}(?::[0-9]+)?(?:/[^\p{Han},。;!?()《》“”\x01]*)?)",
            ),
            spelt_address: make(r"[a-z0-9\-]+(?:点|dot|。|\(点\)|\[点\]|\(\.\)|\[\.\])(?:com|cn|net|org|top|xyz|vip|cc|info|gov)[a-z]*"),
            document: make(r"(?P<issuer>\p{Han}{0,14})[〔\[(【\[](?P<year>[0-9]{4})(?:年)?[〕\])】](?:第)?(?P<number>[0-9]{1,5})号"),
            phones: [
                make(r"(?:\+?86-?)?1[3-9][0-9](?:[\-.]?[0-9]){8}"),
                make(r"\(?0[0-9]{2,3}[)\-—]{0,2}[2-8][0-9]{2,3}-?[0-9]{4}"),
                make(r"[48]00-?[0-9]{3,4}-?[0-9]{3,4}"),
                make(r"[2-8][0-9]{2,3}-[0-9]{4}"),
            ],
            hotline: make(r"[0-9]+"),
            days: [
                make(r"(?P<y>(?:19|20)[0-9]{2})年(?:(?P<m>[0-9]{1,2})月(?:份)?(?:(?P<d>[0-9]{1,2})[日号])?)?"),
                make(r"(?P<y>(?:19|20)[0-9]{2})[\-./](?P<m>[0-9]{1,2})[\-./](?P<d>[0-9]{1,2})"),
                make(r"(?P<m>[0-9]{1,2})月(?:份)?(?P<d>[0-9]{1,2})[日号]"),
                make(r"(?P<m>[0-9]{1,2})月(?:份|底|初|中旬|上旬|下旬|末)"),
            ],
            words: make(
                "今天|明天|后天|昨天|本周|下周|上周|本月|下个?月|上个?月|月底|月初|年底|年初|年末|年内|今年|明年|后年|去年|前年|上半年|下半年|当日|当天|当月|隔天|次日|翌日|隔日|次月|次年|即日|春节|元旦|清明|五一|端午|中秋|国庆|(?:周|星期|礼拜)[一二三四五六日天末]",
            ),
            fraction: make(r"(?P<top>[1-9][0-9]?)/(?P<of>[1-9][0-9]?)"),
            vague: make(
                "(?:好几|几|数|上|近|若干)个?(?:[十百千]?[万亿]|[十百千])|(?:好几|几|若干)个?(?:工作日|日|天|周|月|年|星期|礼拜|小时)|数(?:日|天|周|个?月|年)|十(?:几|来|余)|[百千]余|全额|翻倍|翻番|减半|对半|等额|同等金额|大部分|不设上限|没有上限|[0-9][百千万亿]*元?(?:[×xX*]|乘以)[0-9]+",
            ),
            clock: make(r"(?P<h>[0-9]{1,2}):(?P<min>[0-9]{2})"),
            hour: make(r"(?P<half>上午|下午|晚上|早上|中午)?(?P<h>[0-9]{1,2})(?:点(?P<thirty>半)|[点时](?:(?P<min>[0-9]{1,2})分?)?)"),
        }
    })
}

/// Stands for a title in a text that is still to be normalised.
const TITLE: &str = "々";

/// Takes out the titles in 《》, whose figures are no figures of their own, before the marks are lost.
pub(super) fn titles(text: &str, found: &mut Vec<Found>) -> String {
    static TITLES: OnceLock<Regex> = OnceLock::new();
    let titles = TITLES
        .get_or_init(|| Regex::new("《([^《》]{2,80})》").expect("the pattern is a constant and covered by tests"));
    titles
        .replace_all(text, |c: &Captures<'_>| {
            found.push(Found::new(Fact::Title(title(&text::normalised(&c[1]))), c[0].to_owned()));
            TITLE
        })
        .into_owned()
}

/// Takes out what has a shape.
pub(super) fn fixed(folded: &str) -> Fixed {
    let p = patterns();
    let mut out = Fixed { found: Vec::new(), rest: folded.to_owned() };
    out.remove(&p.placeholder);
    out.blank(&p.account, |c, _| Some(Fact::Url(c.name("id")?.as_str().to_owned())));
    out.blank(&p.spelt_address, |c, _| Some(Fact::Url(address(&c[0].replace(['点', '。'], ".")))));
    out.blank(&p.address, |c, _| Some(Fact::Url(address(&c[0]))));
    out.blank(&p.document, |c, _| {
        let number = |name| c.name(name)?.as_str().parse().ok();
        let issuer = issuer(c.name("issuer").map_or("", |m| m.as_str())).to_owned();
        Some(Fact::Document { issuer, year: number("year")?, number: number("number")? })
    });
    for phone in &p.phones {
        out.blank(phone, |c, around| around.alone().then(|| Fact::Phone(phone_digits(&c[0]))));
    }
    out.blank(&p.hotline, |c, around| {
        let unit = around
            .after
            .is_some_and(|c| "元万亿千百%‰个项人名位家户日天月年小周岁号份条倍成折亩平方米吨次".contains(c));
        let digits = &c[0];
        let short = matches!(digits, "110" | "114" | "119" | "120" | "122")
            || (digits.len() == 5
                && (digits.starts_with("12") || digits.starts_with("95") || digits.starts_with("96")))
            || (digits.len() == 6 && digits.starts_with("96"))
            || (matches!(digits.len(), 7 | 8) && digits.starts_with(['2', '3', '4', '5', '6', '7', '8']));
        (short && !unit && around.alone() && !around.decimal).then(|| Fact::Phone(digits.to_owned()))
    });
    for day in &p.days {
        // 2026年1月1日至3月31日: the year goes on behind 至.
        out.blank(day, |c, around| {
            if !around.alone() {
                return None;
            }
            let part = |name| c.name(name).and_then(|m| m.as_str().parse::<u32>().ok());
            let mut found = CivilDate { year: part("y"), month: part("m"), day: part("d") };
            let fits =
                found.month.is_none_or(|m| (1..=12).contains(&m)) && found.day.is_none_or(|d| (1..=31).contains(&d));
            if !fits {
                return None;
            }
            let start = c.get(0).map_or(0, |m| m.start());
            if found.year.is_none() {
                found.year = carried_year(folded, start);
            }
            Some(Fact::Date(found))
        });
    }
    out.blank(&p.clock, |c, around| {
        let (h, min): (u32, u32) = (c["h"].parse().ok()?, c["min"].parse().ok()?);
        (h < 25 && min < 60 && around.alone()).then_some(Fact::Time(h * 60 + min))
    });
    out.blank(&p.hour, |c, around| {
        let mut h: u32 = c["h"].parse().ok()?;
        let min: u32 = match (c.name("thirty"), c.name("min")) {
            (Some(_), _) => 30,
            (None, Some(min)) => min.as_str().parse().ok()?,
            (None, None) => 0,
        };
        if matches!(c.name("half").map(|m| m.as_str()), Some("下午" | "晚上")) && h < 12 {
            h += 12;
        }
        (h < 25 && min < 60 && around.before_digit_free()).then_some(Fact::Time(h * 60 + min))
    });
    out.blank(&p.fraction, |c, around| {
        let (top, of): (i128, i128) = (c["top"].parse().ok()?, c["of"].parse().ok()?);
        (top < of && around.alone() && around.after != Some('/'))
            .then_some(Fact::Number { value: top * 100_000_000 / of, unit: "%" })
    });
    out.blank(&p.vague, |c, around| {
        // 人数百人以上, 以上百分之, 附近十家: no word of its own.
        let word = &c[0];
        let in_word = around.before.is_some_and(|before| match word.chars().next() {
            Some('数') => "人次件户天份额总基倍计多少".contains(before),
            Some('上') => "以".contains(before),
            Some('近') => "附最临".contains(before),
            Some('十' | '百' | '千') => numeral::is_numeral(before) || "几数".contains(before),
            Some('几') => "好".contains(before),
            _ => false,
        });
        (!in_word).then(|| Fact::Vague(c[0].to_owned()))
    });
    out.blank(&p.words, |c, around| {
        // 半年内, 3年内: a time, not a day.
        let counted =
            around.before.is_some_and(|c| c.is_ascii_digit() || numeral::is_numeral(c) || "半多几".contains(c));
        let word = &c[0];
        if counted && word.starts_with(['年', '月']) {
            return None;
        }
        Some(Fact::Day(word.replace("星期", "周").replace("礼拜", "周").replace('天', "日")))
    });
    out
}

/// The year of the date that stands right before “至” at this place, if one does.
fn carried_year(folded: &str, start: usize) -> Option<u32> {
    static BEFORE: OnceLock<Regex> = OnceLock::new();
    let before = BEFORE.get_or_init(|| {
        Regex::new(r"((?:19|20)[0-9]{2})年[0-9]{1,2}月(?:[0-9]{1,2}[日号])?(?:起)?(?:至|到|-|—|~|－)+$")
            .expect("the pattern is a constant and covered by tests")
    });
    before.captures(folded.get(..start)?).and_then(|c| c[1].parse().ok())
}

/// What stands around a match.
struct Around {
    before: Option<char>,
    after: Option<char>,
    /// A decimal point and digits follow.
    decimal: bool,
}

impl Around {
    /// No digit touches it.
    fn alone(&self) -> bool {
        self.before_digit_free() && !self.after.is_some_and(|c| c.is_ascii_digit())
    }

    fn before_digit_free(&self) -> bool {
        !self.before.is_some_and(|c| c.is_ascii_digit() || c == '.')
    }
}

impl Fixed {
    /// Takes out every match; none of them is a fact.
    fn remove(&mut self, pattern: &Regex) {
        let blank = |c: &Captures<'_>| BLANK.to_string().repeat(c[0].len());
        self.rest = pattern.replace_all(&self.rest, blank).into_owned();
    }

    /// Takes out every match that `fact` judges to be one.
    fn blank(&mut self, pattern: &Regex, mut fact: impl FnMut(&Captures<'_>, &Around) -> Option<Fact>) {
        let text = std::mem::take(&mut self.rest);
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for captures in pattern.captures_iter(&text) {
            let Some(whole) = captures.get(0) else { continue };
            let mut following = text.get(whole.end()..).unwrap_or_default().chars();
            let after = following.next();
            let around = Around {
                before: text.get(..whole.start()).and_then(|t| t.chars().next_back()),
                after,
                decimal: after == Some('.') && following.next().is_some_and(|c| c.is_ascii_digit()),
            };
            let Some(fact) = fact(&captures, &around) else { continue };
            self.found.push(Found::new(fact, whole.as_str().to_owned()));
            out.push_str(text.get(at..whole.start()).unwrap_or_default());
            // As many blanks as bytes: offsets stay those of the folded text.
            out.extend(std::iter::repeat_n(BLANK, whole.len()));
            at = whole.end();
        }
        out.push_str(text.get(at..).unwrap_or_default());
        self.rest = out;
    }
}

/// An address without scheme, www and what follows it in a sentence.
pub(super) fn address(raw: &str) -> String {
    let raw = raw.split_once("://").map_or(raw, |(_, rest)| rest);
    raw.strip_prefix("www.")
        .unwrap_or(raw)
        .trim_end_matches(['/', '.', ',', ';', ':', '!', '?', '"', '\'', ')'])
        .to_owned()
}

/// The issuer's short name, without the words that lead to it.
fn issuer(words: &str) -> &str {
    const LEADS: &[&str] = &[
        "根据", "依据", "按照", "参照", "依照", "执行", "印发", "关于", "详见", "参见", "文件", "文号", "通知", "规定",
        "以及", "和", "及", "与", "按", "见", "即", "为", "是", "由", "在", "的", "照", "据", TITLE,
    ];
    LEADS
        .iter()
        .filter_map(|lead| words.rfind(lead).map(|at| at + lead.len()))
        .max()
        .and_then(|at| words.get(at..))
        .unwrap_or(words)
}

/// A title without the country's name and without marks.
pub(super) fn title(raw: &str) -> String {
    let letters: String = raw.chars().filter(|c| c.is_alphanumeric()).collect();
    letters.strip_prefix("中华人民共和国").map_or(letters.clone(), str::to_owned)
}

/// Digits alone, without the country's code.
fn phone_digits(raw: &str) -> String {
    let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix("86") {
        Some(rest) if rest.len() == 11 => rest.to_owned(),
        _ => digits,
    }
}
