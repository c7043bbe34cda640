//! Runs of tests as bytes: the page's script reads what is written here.
//!
//! Numbers are little-endian in groups of seven bits, as in LEB128.

use std::time::Duration;

use crate::trial::{Execution, Outcome};

/// What became of a test. Of several runs in one trial the greatest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Shown {
    /// It was not run.
    #[default]
    NotRun = 0,
    /// It passed.
    Passed = 1,
    /// It was skipped.
    Skipped = 2,
    /// It failed as expected.
    Xfailed = 3,
    /// It failed.
    Failed = 4,
    /// It took too long.
    Timeout = 5,
    /// Its worker ended.
    Crashed = 6,
}

/// All of them, by their numbers.
pub(super) const ALL: [Shown; 7] = [
    Shown::NotRun,
    Shown::Passed,
    Shown::Skipped,
    Shown::Xfailed,
    Shown::Failed,
    Shown::Timeout,
    Shown::Crashed,
];

impl Shown {
    /// Of an outcome.
    pub(super) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::NotRun { .. } => Self::NotRun,
            Outcome::Passed => Self::Passed,
            Outcome::Skipped => Self::Skipped,
            Outcome::Xfailed => Self::Xfailed,
            Outcome::Failed(_) => Self::Failed,
            Outcome::Timeout { .. } => Self::Timeout,
            Outcome::Crashed { .. } => Self::Crashed,
        }
    }

    /// The word for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotRun => "not run",
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Xfailed => "xfailed",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Crashed => "crashed",
        }
    }

    /// The letter for it, pytest's where it has one.
    pub(super) fn letter(self) -> &'static str {
        match self {
            Self::NotRun => "",
            Self::Passed => ".",
            Self::Skipped => "s",
            Self::Xfailed => "x",
            Self::Failed => "F",
            Self::Timeout => "T",
            Self::Crashed => "C",
        }
    }
}

/// What became of each test: how many of one outcome come in a row, eightfold, and the outcome.
pub(super) fn row(shown: &[Shown]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for same in shown.chunk_by(|one, next| one == next) {
        number((same.len() as u64) << 3 | same[0] as u64, &mut bytes);
    }
    bytes
}

/// The reverse of [`row`].
pub(super) fn shown(row: &[u8]) -> Vec<Shown> {
    let mut all = Vec::new();
    let (mut value, mut shift) = (0_u64, 0);
    for byte in row {
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            let outcome = ALL.get((value & 7) as usize).copied().unwrap_or_default();
            all.extend(std::iter::repeat_n(outcome, (value >> 3) as usize));
            (value, shift) = (0, 0);
        }
    }
    all
}

/// How many workers; of each, how many runs it made, and of each run the test, and in two bytes what it came to and how
/// long it took.
pub(super) fn runs(executions: &[Execution], workers: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    number(workers as u64, &mut bytes);
    for worker in 0..workers {
        let own = || {
            let is_own = move |run: &&Execution| run.worker.0 as usize == worker;
            executions.iter().filter(is_own)
        };
        number(own().count() as u64, &mut bytes);
        for run in own() {
            number(run.test.0.into(), &mut bytes);
            let both = (Shown::of(&run.outcome) as u16) << 13 | time(run.duration);
            bytes.extend(both.to_le_bytes());
        }
    }
    bytes
}

/// A time in 13 bits: 256 times the binary logarithm of its microseconds, so that it is a quarter of a per cent off.
fn time(duration: Duration) -> u16 {
    let micros = duration.as_micros().max(1) as f64;
    (micros.log2() * 256.0).round().min(8191.0) as u16
}

fn number(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_became_of_tests_is_read_as_it_was_written(
            numbers in prop::collection::vec((0_usize..7, 1_usize..300), 0..20),
        ) {
            let all: Vec<Shown> =
                numbers.into_iter().flat_map(|(at, times)| std::iter::repeat_n(ALL[at], times)).collect();
            prop_assert_eq!(shown(&row(&all)), all);
        }

        #[test]
        fn a_time_is_kept_to_a_quarter_of_a_per_cent(micros in 1_u64..3_600_000_000) {
            let kept = 2_f64.powf(f64::from(time(Duration::from_micros(micros))) / 256.0);
            prop_assert!((kept / micros as f64 - 1.0).abs() < 0.0025);
        }
    }
}
