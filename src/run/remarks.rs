//! What the user should know of how plans are run.

use std::sync::{Arc, Mutex, PoisonError};

/// A sink for remarks, shared by who makes some and who tells them.
#[derive(Clone, Debug, Default)]
pub struct Remarks(Arc<Mutex<Vec<String>>>);

impl Remarks {
    /// Adds one.
    pub fn add(&self, remark: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(remark.into());
    }

    /// Takes what was added since the last time, in that order.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
