//! Puts a linear model right: examples that it calls another topic, or nearly, move the words apart.
//!
//! The method is the passive-aggressive algorithm for several classes (Crammer et al., 2006, PA-I), averaged over all
//! steps. Naive Bayes takes words for independent and so counts those twice that always come together; this does not.

/// How far an example must be ahead of the next best topic.
const MARGIN: f32 = 2.0;
/// The most that one example moves: one that is told wrongly must not spoil the others.
const STEP: f32 = 0.6;
/// How often every example is gone through.
const ROUNDS: u64 = 3;

/// Corrects `says` (terms × topics) by documents: topic, and terms with weights of length 1.
pub(super) fn correct(says: &mut [f32], documents: &[(u16, Vec<(u32, f32)>)], topics: usize) {
    let mut moved = vec![0.0_f32; says.len()];
    let mut scores = vec![0.0_f32; topics];
    let mut steps = 0.0_f32;
    // Whoever was right by far is not asked again.
    let mut open: Vec<usize> = (0..documents.len()).collect();
    for round in 0..ROUNDS {
        in_turn(&mut open, round);
        open.retain(|&n| {
            let Some((topic, terms)) = documents.get(n) else { return false };
            steps += 1.0;
            scores.fill(0.0);
            for &(term, weight) in terms {
                let from = term as usize * topics;
                for (score, says) in scores.iter_mut().zip(says.get(from..).unwrap_or_default()) {
                    *score += weight * says;
                }
            }
            let right = usize::from(*topic);
            let own = scores.get(right).copied().unwrap_or_default();
            let others = scores.iter().enumerate().filter(|(n, _)| *n != right);
            let Some((wrong, other)) = others.max_by(|a, b| a.1.total_cmp(b.1)) else { return false };
            let lacks = MARGIN - own + other;
            if lacks <= 0.0 {
                return false;
            }
            let step = (lacks / 2.0).min(STEP);
            for &(term, weight) in terms {
                for (topic, by) in [(right, step * weight), (wrong, -step * weight)] {
                    let at = term as usize * topics + topic;
                    if let Some((says, moved)) = says.get_mut(at).zip(moved.get_mut(at)) {
                        *says += by;
                        *moved += by * steps;
                    }
                }
            }
            true
        });
    }
    // What was moved late was there for few steps: the mean over all steps, without keeping them.
    for (says, moved) in says.iter_mut().zip(moved) {
        *says -= moved / steps.max(1.0);
    }
}

/// Brings numbers into an order that has nothing to do with that of the files: another each round, the same each time.
fn in_turn(numbers: &mut [usize], round: u64) {
    numbers.sort_by_cached_key(|&n| {
        // SplitMix64.
        let mut x = (n as u64 + 1 + (round << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_always_come_together_count_once() {
        // Terms 0 and 1 always come together with topic 0; term 2 is what tells topic 1.
        let documents =
            vec![(0, vec![(0, 0.7), (1, 0.7)]), (0, vec![(0, 0.7), (1, 0.7)]), (1, vec![(0, 0.4), (1, 0.4), (2, 0.8)])];
        let mut says = vec![0.9, 0.0, 0.9, 0.0, 0.0, 0.1];
        correct(&mut says, &documents, 2);
        let score = |terms: &[(u32, f32)], topic: usize| -> f32 {
            terms.iter().map(|(term, weight)| weight * says[*term as usize * 2 + topic]).sum()
        };
        for (topic, terms) in &documents {
            let right = usize::from(*topic);
            assert!(score(terms, right) > score(terms, 1 - right), "{terms:?} {says:?}");
        }
    }

    #[test]
    fn examples_come_in_the_same_order_each_time_and_in_another_each_round() {
        let order = |round| {
            let mut numbers: Vec<usize> = (0..100).collect();
            in_turn(&mut numbers, round);
            numbers
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        let mut sorted = order(1);
        sorted.sort_unstable();
        assert_ne!(order(1), sorted);
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }
}
