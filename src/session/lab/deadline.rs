//! When a session with a time limit stops: what is time for the last steps, and what is past the end.
//!
//! Shrinking, explaining and trying fixes stop a little before the end, so that what was shrunk so far can still be
//! confirmed; nothing that is not confirmed is shown. At the end nothing is run any more. What runs then is waited
//! for, as a run that is cut short says nothing: the limit is overrun by one run at most.

use crate::limits::{LEAST_RESERVE, MOST_RESERVE_SHARE, RESERVE_SHARE};
use std::time::{Duration, Instant};

/// The end of a session, and when to come to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When what was found is to be confirmed as it is.
    pub finish: Instant,
    /// When nothing is run any more.
    pub end: Instant,
}

impl Deadline {
    /// That of a session which starts at a time and has a limit.
    pub fn new(start: Instant, limit: Duration) -> Self {
        let end = start + limit;
        Self { finish: start + (limit - reserve(limit)), end }
    }
}

/// How much of a limit is kept for confirming.
fn reserve(limit: Duration) -> Duration {
    limit.mul_f64(RESERVE_SHARE).max(LEAST_RESERVE.min(limit.mul_f64(MOST_RESERVE_SHARE)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_night_keeps_minutes_and_a_short_session_a_fifth() {
        assert_eq!(reserve(Duration::from_secs(7200)), Duration::from_secs(360));
        assert_eq!(reserve(Duration::from_secs(100)), LEAST_RESERVE);
        assert_eq!(reserve(Duration::from_secs(10)), Duration::from_secs(2));
    }

    proptest! {
        #[test]
        fn there_is_time_to_work_and_time_to_finish(millis in 1_u64..10_000_000_000) {
            let limit = Duration::from_millis(millis);
            let start = Instant::now();
            let Deadline { finish, end } = Deadline::new(start, limit);
            prop_assert!(finish > start && finish <= end);
            prop_assert_eq!(end, start + limit);
        }
    }
}
