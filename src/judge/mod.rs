//! Judging: what a trial's outcomes mean.
