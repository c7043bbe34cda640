//! What is done one after the other, and how long the rest of it takes: each as long as those that were ended.

use std::time::Duration;

/// How long something takes that is to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rest {
    /// As far as it can be reckoned with.
    pub(super) known: Duration,
    /// Whether there is more, of which nothing tells how long it takes.
    pub(super) has_more: bool,
}

impl Rest {
    /// What is to come, of which nothing is known.
    pub(super) const UNKNOWN: Self = Self { known: Duration::ZERO, has_more: true };

    /// Both, one after the other.
    pub(super) fn and(self, other: Self) -> Self {
        Self { known: self.known + other.known, has_more: self.has_more || other.has_more }
    }
}

/// A row of things to do. Times are since the session's start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    /// How many were ended.
    pub(super) ended: u64,
    /// How many are not, the one at hand among them.
    pub(super) left: u64,
    /// What those that were ended took.
    took: Duration,
    /// Since when the one at hand is at hand.
    since: Option<Duration>,
}

impl Row {
    /// So many are to be done.
    pub(super) fn of(left: u64) -> Self {
        Self { left, ..Self::default() }
    }

    /// The next one begins, which ends the one before, and so many wait after it.
    pub(super) fn begins(&mut self, waiting: usize, at: Duration) {
        self.ends(at);
        (self.left, self.since) = (waiting as u64 + 1, Some(at));
    }

    /// The next one goes on, if it has not begun.
    pub(super) fn goes_on(&mut self, at: Duration) {
        self.since.get_or_insert(at);
    }

    /// The one at hand has ended.
    pub(super) fn ends(&mut self, at: Duration) {
        if let Some(since) = self.since.take() {
            self.took += at.saturating_sub(since);
            self.ended += 1;
            self.left = self.left.saturating_sub(1);
        }
    }

    /// So many of those that wait are not to be done any more.
    pub(super) fn drops(&mut self, count: usize) {
        let at_hand = u64::from(self.since.is_some());
        self.left = self.left.saturating_sub(count as u64).max(at_hand.min(self.left));
    }

    /// What one took in the mean.
    pub(super) fn mean(&self) -> Duration {
        self.took.div_f64(self.ended.max(1) as f64)
    }

    /// `3 of 12`, of the one at hand.
    pub(super) fn which(&self) -> String {
        format!("{} of {}", self.ended + 1, self.ended + self.left)
    }

    /// How long the rest takes. One that takes longer than those before shows that others may: all are then expected to
    /// take as long as the mean with it, and of itself nothing is known any more.
    pub(super) fn rest(&self, at: Duration) -> Rest {
        if self.left == 0 {
            return Rest::default();
        }
        let so_far = self.since.map_or(Duration::ZERO, |since| at.saturating_sub(since));
        if self.ended == 0 {
            return Rest { known: so_far.mul_f64((self.left - 1) as f64), has_more: true };
        }
        let mean = self.mean();
        let waiting = (self.left - 1) as f64;
        match so_far.checked_sub(mean) {
            Some(_) => {
                let with_it = (self.took + so_far).div_f64((self.ended + 1) as f64);
                Rest { known: with_it.mul_f64(waiting), has_more: true }
            }
            None => Rest { known: mean - so_far + mean.mul_f64(waiting), has_more: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_takes_longer_than_those_before_is_not_told_as_about_to_end() {
        let mut row = Row::of(4);
        row.begins(3, seconds(0));
        assert_eq!(row.rest(seconds(2)), Rest { known: seconds(6), has_more: true }, "nothing was ended");
        row.begins(2, seconds(2));
        assert_eq!(row.rest(seconds(3)), Rest { known: seconds(5), has_more: false });
        assert_eq!(row.rest(seconds(12)), Rest { known: seconds(12), has_more: true });
        row.begins(0, seconds(12));
        assert_eq!((row.which().as_str(), row.left), ("3 of 3", 1));
        assert_eq!(row.rest(seconds(12)).known, seconds(6));
        let never = row.rest(seconds(100));
        assert_eq!(never, Rest { known: Duration::ZERO, has_more: true }, "nothing is told of it");
        row.ends(seconds(100));
        assert_eq!(row.rest(seconds(100)), Rest::default());
    }

    #[test]
    fn what_is_dropped_is_not_waited_for_and_the_one_at_hand_stays() {
        let mut row = Row::default();
        row.begins(2, seconds(0));
        row.drops(1);
        assert_eq!(row.which(), "1 of 2");
        row.drops(5);
        assert_eq!(row.which(), "1 of 1");
        row.ends(seconds(1));
        row.drops(1);
        assert_eq!(row.left, 0);
    }
}
