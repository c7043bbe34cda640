//! Which tests stand for a suite, where there is no time for all of them.

use std::time::Duration;

use crate::suite::TestIndex;

/// At most so many tests from all over a list, in its order.
pub(crate) fn evenly(list: &[TestIndex], most: usize) -> Vec<TestIndex> {
    list.iter().copied().step_by(list.len().div_ceil(most.max(1)).max(1)).collect()
}

/// As many of a list, from all over it and in its order, as take this time at most. A list of theirs is said to take what
/// `takes` tells.
pub(crate) fn fitting(
    list: &[TestIndex],
    takes: impl Fn(&[TestIndex]) -> Duration,
    most: Duration,
) -> Vec<TestIndex> {
    if takes(list) <= most {
        return list.to_vec();
    }
    // Every second one, every third and so on: a sample of them is never larger than the one before.
    let samples = (2..=list.len()).map(|step| list.iter().copied().step_by(step).collect::<Vec<_>>());
    let fitting = samples.into_iter().find(|sample| takes(sample) <= most);
    fitting.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tests(count: u32) -> Vec<TestIndex> {
        (0..count).map(TestIndex).collect()
    }

    #[test]
    fn a_sample_comes_from_all_over() {
        assert_eq!(evenly(&tests(7), 3), [0, 3, 6].map(TestIndex));
        assert_eq!(evenly(&tests(3), 9), tests(3));
        assert_eq!(evenly(&tests(3), 0), [TestIndex(0)]);
        assert_eq!(evenly(&[], 3), []);
    }

    proptest! {
        #[test]
        fn a_sample_takes_no_more_than_it_may_and_is_whole_where_all_may(
            seconds in proptest::collection::vec(0_u32..9, 0..40),
            most in 0_u32..400,
        ) {
            let takes = |list: &[TestIndex]| Duration::from_secs(list.iter().map(|test| u64::from(seconds[test.0 as usize])).sum());
            let (list, most) = (tests(seconds.len() as u32), Duration::from_secs(u64::from(most)));
            let sample = fitting(&list, takes, most);
            prop_assert!(takes(&sample) <= most);
            prop_assert!(sample.is_sorted() && sample.iter().all(|test| list.contains(test)));
            if takes(&list) <= most {
                prop_assert_eq!(sample, list);
            }
        }
    }
}
