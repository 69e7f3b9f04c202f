//! Cutting long words into pieces that the platform takes.

/// Pieces of at most `max_bytes` bytes of UTF-8, cut between characters and never inside a link; at the end of a line
/// where one is near.
pub fn cut(text: &str, max_bytes: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while rest.len() > max_bytes {
        let limit = (0..=max_bytes).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(0);
        let head = rest.get(..limit).unwrap_or_default();
        let mut at = head.rfind('\n').filter(|at| *at > limit / 2).unwrap_or(limit);
        // A link that would be torn goes to the next piece as a whole, if it fits into one.
        let open =
            rest.get(..at).and_then(|head| head.rfind("<a ").filter(|open| head[*open..].find("</a>").is_none()));
        if let Some(open) = open.filter(|open| *open > 0) {
            at = open;
        }
        if at == 0 {
            at = rest.chars().next().map_or(rest.len(), char::len_utf8);
        }
        pieces.push(rest.get(..at).unwrap_or_default().trim_end().to_owned());
        rest = rest.get(at..).unwrap_or_default().trim_start();
    }
    if !rest.is_empty() {
        pieces.push(rest.to_owned());
    }
    pieces
}
