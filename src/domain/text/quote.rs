//! Whether words were said letter for letter.

/// Whether a value stands in a text as it is, and not as a part of a longer number: 5万元 does not stand in 15万元.
pub fn stands_in(value: &str, text: &str) -> bool {
    let digit = |c: Option<char>| c.is_some_and(char::is_numeric);
    !value.is_empty()
        && text.match_indices(value).any(|(at, hit)| {
            let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + hit.len()..).unwrap_or_default());
            let begins_within = digit(value.chars().next()) && digit(before.chars().next_back());
            let ends_within = digit(value.chars().next_back()) && digit(after.chars().next());
            !begins_within && !ends_within
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_no_part_of_a_longer_number() {
        assert!(stands_in("5万元", "欠了5万元没给"));
        assert!(!stands_in("5万元", "欠了15万元没给") && !stands_in("", "欠了15万元没给"));
        assert!(!stands_in("1月2", "11月25日") && stands_in("1月2日", "11月2日，1月2日"));
    }
}
