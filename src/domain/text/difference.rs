//! What somebody changed of a text: for people who look at it before it goes out, and as a measure.
//!
//! Sentences are compared first, then the characters of those that differ, so that the work stays bounded for texts of
//! any length. A run of ASCII letters or digits counts as one character: half a number is no change anybody can read.

use crate::vocabulary;

vocabulary! {
    /// What became of a piece of the text.
    ChangeKind {
        Same = "same", "未改";
        Gone = "gone", "删去";
        Added = "added", "新增";
    }
}

/// A piece of the text before, after or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What became of it.
    pub kind: ChangeKind,
    /// The piece.
    pub text: String,
}

/// The way from one text to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// The pieces in order: without what was added they are the text before, without what went the text after.
    pub changes: Vec<Change>,
    /// Share of the characters that went or came, of all characters of both texts, 0 to 100.
    pub share: u8,
}

/// Pieces of two texts that are compared one by one, at most; what is longer is replaced as a whole.
const CELLS: usize = 1_000_000;

/// What changed between two texts.
pub fn difference(before: &str, after: &str) -> Difference {
    let mut changes: Vec<Change> = Vec::new();
    let (old, new) = (sentences(before), sentences(after));
    let (mut gone, mut added) = (String::new(), String::new());
    for (kind, piece) in aligned(&old, &new) {
        match kind {
            ChangeKind::Gone => gone.push_str(piece),
            ChangeKind::Added => added.push_str(piece),
            ChangeKind::Same => {
                within(&mut changes, &gone, &added);
                gone.clear();
                added.clear();
                push(&mut changes, ChangeKind::Same, piece);
            }
        }
    }
    within(&mut changes, &gone, &added);
    let count = |kind: ChangeKind| {
        changes.iter().filter(|change| change.kind == kind).map(|change| change.text.chars().count()).sum::<usize>()
    };
    let (same, other) = (2 * count(ChangeKind::Same), count(ChangeKind::Gone) + count(ChangeKind::Added));
    let share = if other == 0 { 0 } else { (other * 100).div_ceil(same + other) };
    Difference { changes, share: u8::try_from(share).unwrap_or(100) }
}

/// The characters of what replaced each other.
fn within(changes: &mut Vec<Change>, gone: &str, added: &str) {
    let (old, new) = (characters(gone), characters(added));
    let pieces = aligned(&old, &new);
    // Single characters in common are an accident, not a text that was kept.
    let mut run = 0;
    let mut longest = 0;
    for (kind, piece) in &pieces {
        run = if *kind == ChangeKind::Same { run + piece.chars().count() } else { 0 };
        longest = longest.max(run);
    }
    if longest < 2 {
        push(changes, ChangeKind::Gone, gone);
        push(changes, ChangeKind::Added, added);
        return;
    }
    // What went stands before what came in its place.
    let mut waiting = String::new();
    for (kind, piece) in pieces {
        match kind {
            ChangeKind::Added => waiting.push_str(piece),
            ChangeKind::Gone => push(changes, ChangeKind::Gone, piece),
            ChangeKind::Same => {
                push(changes, ChangeKind::Added, &waiting);
                waiting.clear();
                push(changes, ChangeKind::Same, piece);
            }
        }
    }
    push(changes, ChangeKind::Added, &waiting);
}

fn push(changes: &mut Vec<Change>, kind: ChangeKind, text: &str) {
    if text.is_empty() {
        return;
    }
    match changes.last_mut() {
        Some(last) if last.kind == kind => last.text.push_str(text),
        _ => changes.push(Change { kind, text: text.to_owned() }),
    }
}

fn sentences(text: &str) -> Vec<&str> {
    text.split_inclusive(['。', '！', '？', '；', '\n', '!', '?', ';']).collect()
}

fn characters(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut word = false;
    for (at, c) in text.char_indices() {
        let inner = c.is_ascii_alphanumeric();
        if at > from && !(word && inner) {
            pieces.extend(text.get(from..at));
            from = at;
        }
        word = inner;
    }
    pieces.extend(text.get(from..).filter(|rest| !rest.is_empty()));
    pieces
}

/// The longest common sequence of the pieces, with what went and what came between.
fn aligned<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<(ChangeKind, &'t str)> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let tail = tail.min(old.len() - head).min(new.len() - head);
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut pieces: Vec<(ChangeKind, &str)> = old.iter().take(head).map(|piece| (ChangeKind::Same, *piece)).collect();
    if (a.len() + 1) * (b.len() + 1) > CELLS {
        pieces.extend(a.iter().map(|piece| (ChangeKind::Gone, *piece)));
        pieces.extend(b.iter().map(|piece| (ChangeKind::Added, *piece)));
    } else {
        common(a, b, &mut pieces);
    }
    pieces.extend(old.iter().skip(old.len() - tail).map(|piece| (ChangeKind::Same, *piece)));
    pieces
}

fn common<'t>(a: &[&'t str], b: &[&'t str], pieces: &mut Vec<(ChangeKind, &'t str)>) {
    let width = b.len() + 1;
    // Length of the longest common sequence of what stands from here on.
    let mut longest = vec![0_u16; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if a[i] == b[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            pieces.push((ChangeKind::Same, a[i]));
            i += 1;
            j += 1;
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            pieces.push((ChangeKind::Gone, a[i]));
            i += 1;
        } else {
            pieces.push((ChangeKind::Added, b[j]));
            j += 1;
        }
    }
    pieces.extend(a.iter().skip(i).map(|piece| (ChangeKind::Gone, *piece)));
    pieces.extend(b.iter().skip(j).map(|piece| (ChangeKind::Added, *piece)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(before: &str, after: &str) -> String {
        let mut text = String::new();
        for change in difference(before, after).changes {
            let (open, close) = match change.kind {
                ChangeKind::Same => ("", ""),
                ChangeKind::Gone => ("[-", "]"),
                ChangeKind::Added => ("[+", "]"),
            };
            for part in [open, &change.text, close] {
                text.push_str(part);
            }
        }
        text
    }

    #[test]
    fn a_changed_word_and_an_added_sentence_are_shown_alone() {
        assert_eq!(shown("请带营业执照。", "请带营业执照。"), "请带营业执照。");
        assert_eq!(shown("请带营业执照来。", "请带身份证来。"), "请带[-营业执照][+身份证]来。");
        assert_eq!(shown("您好。请带执照。", "您好。请先预约。请带执照。"), "您好。[+请先预约。]请带执照。");
        assert_eq!(shown("限15日内办结。", "限30日内办结。"), "限[-15][+30]日内办结。");
        assert_eq!(shown("甲乙丙丁。", "完全不同的另一句话。"), "[-甲乙丙丁。][+完全不同的另一句话。]");
    }

    #[test]
    fn the_share_counts_what_went_and_what_came() {
        let share = |before: &str, after: &str| difference(before, after).share;
        assert_eq!(share("请带营业执照。", "请带营业执照。"), 0);
        assert_eq!(share("", ""), 0);
        assert_eq!(share("请带营业执照。", ""), 100);
        assert_eq!(share("甲乙丙丁", "戊己庚辛"), 100);
        assert!((1..20).contains(&share("请带营业执照原件来窗口办理。", "请带营业执照来窗口办理。")));
    }

    #[test]
    fn long_texts_that_have_nothing_in_common_are_replaced_as_a_whole() {
        let (before, after) = ("甲乙".repeat(2_000), "丙丁".repeat(2_000));
        let difference = difference(&before, &after);
        assert_eq!((difference.changes.len(), difference.share), (2, 100));
    }

    proptest! {
        #[test]
        fn both_texts_can_be_read_from_the_pieces(before in "[甲乙丙丁。；ab1 \n]{0,40}", after in "[甲乙丙丁。；ab1 \n]{0,40}") {
            let found = difference(&before, &after);
            let without = |kind: ChangeKind| {
                found.changes.iter().filter(|c| c.kind != kind).map(|c| c.text.as_str()).collect::<String>()
            };
            prop_assert_eq!(without(ChangeKind::Added), before.clone());
            prop_assert_eq!(without(ChangeKind::Gone), after.clone());
            prop_assert_eq!(found.share == 0, before == after);
        }
    }
}
