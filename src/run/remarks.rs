//! What the user should know of how plans are run.

use std::sync::{Arc, Mutex, PoisonError};

/// A remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What is said, without a full stop.
    pub text: String,
    /// Whether a report begins with it, since it makes all that follows much slower.
    pub leads: bool,
}

/// A sink for remarks, shared by who makes some and who tells them.
#[derive(Clone, Debug, Default)]
pub struct Remarks(Arc<Mutex<Vec<Remark>>>);

impl Remarks {
    /// Adds one.
    pub fn add(&self, remark: impl Into<String>) {
        self.push(Remark { text: remark.into(), leads: false });
    }

    /// Adds one that a report begins with.
    pub(crate) fn lead(&self, remark: impl Into<String>) {
        self.push(Remark { text: remark.into(), leads: true });
    }

    fn push(&self, remark: Remark) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(remark);
    }

    /// Takes what was added since the last time, in that order.
    pub fn take(&self) -> Vec<Remark> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
