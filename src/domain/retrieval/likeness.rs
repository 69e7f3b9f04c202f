//! How much two texts are alike.

use std::collections::HashSet;

use super::terms::{self, Key};
use crate::domain::text;

/// Share of the pairs of characters that two texts have in common, 0 to 1; courtesy and grammar do not count.
pub fn likeness(one: &str, other: &str) -> f32 {
    let pairs = |words: &str| {
        let mut found: HashSet<Key> = HashSet::new();
        terms::each(&text::normalised(words), None, false, |key, _, _| {
            found.insert(key);
        });
        found
    };
    let (one, other) = (pairs(one), pairs(other));
    if one.is_empty() || other.is_empty() {
        return 0.0;
    }
    let common = one.intersection(&other).count() as f32;
    common / (one.len() as f32 * other.len() as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_matter_in_other_words_is_more_alike_than_another_matter() {
        let case = "厂房消防验收一直批不下来，跑了三趟";
        let like = likeness(case, "消防验收跑了很多趟，厂房一直没批");
        let unlike = likeness(case, "技改补助公示了三个月还没到账");
        assert!(like > 0.3 && unlike < 0.1, "{like} {unlike}");
        assert!((likeness(case, case) - 1.0).abs() < 0.001);
        assert!(likeness(case, "") < f32::EPSILON);
    }
}
