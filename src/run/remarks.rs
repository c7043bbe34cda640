//! What the user should know of how plans are run.

use std::sync::{Arc, Mutex, PoisonError};

/// What a remark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// There are no forks. A report begins with it, since it makes all that follows much slower.
    Forks,
    /// There is no sandbox.
    Sandbox,
    /// System calls cannot be seen.
    SystemCalls,
    /// Anything else.
    Other,
}

/// A remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What is said, without a full stop.
    pub text: String,
    /// What it is about.
    pub topic: Topic,
}

/// A sink for remarks, shared by who makes some and who tells them.
#[derive(Clone, Debug, Default)]
pub struct Remarks(Arc<Mutex<Vec<Remark>>>);

impl Remarks {
    /// Adds one.
    pub fn add(&self, remark: impl Into<String>) {
        self.about(Topic::Other, remark);
    }

    /// Adds one that is about something that is asked for by name.
    pub(crate) fn about(&self, topic: Topic, remark: impl Into<String>) {
        let remark = Remark { text: remark.into(), topic };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(remark);
    }

    /// Takes what was added since the last time, in that order.
    pub fn take(&self) -> Vec<Remark> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
