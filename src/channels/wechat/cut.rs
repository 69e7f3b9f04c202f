//! Cuts a long text into messages that the platform accepts, between characters and never inside a link.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

/// Bytes of UTF-8 that a text message holds for sure; the platform's own figure is 2048, some accounts refuse that.
pub const MOST_BYTES: usize = 2040;

/// What must stay in one piece: `<a …>…</a>` and bare addresses.
fn links(text: &str) -> Vec<Range<usize>> {
    static LINK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?is)<a\s[^>]*>.*?</a>|https?://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
            .expect("the pattern is a constant and compiles in the tests")
    });
    LINK.find_iter(text).map(|found| found.range()).collect()
}

/// Characters that belong to the one before them: marks, joiners, variants and skin tones of pictographs.
const fn clings(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036F}' | '\u{200D}' | '\u{20E3}' | '\u{FE00}'..='\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}')
}

/// How good a place behind this character is for a cut.
const fn rank(c: char) -> u8 {
    match c {
        '\n' => 3,
        '。' | '！' | '？' | '；' => 2,
        '，' | '、' | '：' | ' ' | ',' | '.' => 1,
        _ => 0,
    }
}

/// The parts of a text, each of at most `max_bytes` bytes of UTF-8; put together they are the text, but for the blanks
/// where they meet. Cuts behind lines and sentences where one is near, between characters otherwise. Only a link that
/// is longer than a whole part is cut itself. An empty text has no part.
pub fn cut(text: &str, max_bytes: usize) -> Vec<String> {
    let text = text.trim();
    // A character has up to four bytes: less would never come to an end.
    let most = max_bytes.max(4);
    let links = links(text);
    let mut parts = Vec::new();
    let mut start = 0;
    while text.len() - start > most {
        let end = place(text, start, start + most, &links);
        parts.push(text.get(start..end).unwrap_or_default().trim_end().to_owned());
        let rest = text.get(end..).unwrap_or_default();
        start = end + rest.len() - rest.trim_start().len();
    }
    if start < text.len() {
        parts.push(text.get(start..).unwrap_or_default().to_owned());
    }
    parts
}

/// Where the part that begins at `start` ends: after `start`, at `limit` at the latest.
fn place(text: &str, start: usize, limit: usize, links: &[Range<usize>]) -> usize {
    let free = |at: usize| !links.iter().any(|link| link.start < at && at < link.end);
    let room = text.get(start..).unwrap_or_default();
    let mut hard = start; // between characters, whatever it cuts
    let mut best: Option<(u8, usize)> = None;
    let mut joined = false;
    let mut last = ' ';
    for (offset, c) in room.char_indices() {
        let at = start + offset;
        if at > limit {
            break;
        }
        if at > start {
            hard = at;
            if !clings(c) && !joined && free(at) {
                // A good place in the last half is better than a poor one at the very end.
                let rank = if at - start >= (limit - start) / 2 { rank(last) } else { 0 };
                if best.is_none_or(|(known, _)| rank >= known) {
                    best = Some((rank, at));
                }
            }
        }
        joined = c == '\u{200D}';
        last = c;
    }
    best.map_or(hard, |(_, at)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_fits_is_one_part() {
        assert_eq!(cut("", 10), Vec::<String>::new());
        assert_eq!(cut("您好", 6), ["您好"]);
        assert_eq!(cut("您好吗", 6), ["您好", "吗"]);
    }

    #[test]
    fn lines_and_sentences_stay_whole_where_they_can() {
        assert_eq!(cut("第一句话。第二句", 20), ["第一句话。", "第二句"]);
        assert_eq!(cut("第一行\n第二行\n第三行", 24), ["第一行\n第二行", "第三行"]);
    }

    #[test]
    fn a_link_is_not_cut() {
        let link = "<a href=\"https://example.gov.cn/track?x=1\">查看全文</a>";
        let text = format!("{}{link}完", "字".repeat(10));
        let parts = cut(&text, 70);
        assert_eq!(parts, ["字".repeat(10), format!("{link}完")]);
        let text = format!("{} https://example.gov.cn/a/b/c?d=e 完", "字".repeat(10));
        assert!(cut(&text, 40).iter().any(|part| part.contains("https://example.gov.cn/a/b/c?d=e")));
        // A link longer than a part has to be cut all the same.
        assert_eq!(cut(&format!("https://example.gov.cn/{}", "a".repeat(100)), 50).concat().len(), 123);
    }

    #[test]
    fn a_pictograph_stays_with_its_marks() {
        let family = "👩\u{200D}👧";
        assert_eq!(cut(&format!("a{family}"), 11), ["a", family]);
    }

    proptest! {
        #[test]
        fn parts_fit_and_put_together_are_the_text(text in "\\PC*", most in 4_usize..60) {
            let parts = cut(&text, most);
            prop_assert!(parts.iter().all(|part| !part.is_empty() && part.len() <= most));
            let solid = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(solid(&parts.concat()), solid(&text));
        }

        #[test]
        fn a_short_link_is_always_whole(
            before in "[字a ，。\n]{0,80}", path in "[a-z0-9/]{0,20}", after in "[字b ，。\n]{0,80}", most in 60_usize..90,
        ) {
            let link = format!("<a href=\"https://gov.cn/{path}\">看</a>");
            prop_assume!(link.len() <= most);
            let parts = cut(&format!("{before}{link}{after}"), most);
            prop_assert!(parts.iter().any(|part| part.contains(&link)), "{:?}", parts);
        }
    }
}
