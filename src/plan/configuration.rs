//! How a run is distributed over workers.

use serde::{Deserialize, Serialize};

use crate::plan::Mode;

/// How a run is distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Configuration {
    /// How many workers.
    pub workers: u32,
    /// Who gets which test; [`Mode::No`] for one worker.
    pub mode: Mode,
}

impl Configuration {
    /// One worker, without pytest-xdist: what the others are compared with.
    pub(crate) const REFERENCE: Self = Self { workers: 1, mode: Mode::No };

    /// The reference, then each number of workers with each mode.
    pub fn all(workers: &[u32], modes: &[Mode]) -> Vec<Self> {
        let several = workers.iter().filter(|&&workers| workers > 1);
        let each = several.flat_map(|&workers| modes.iter().map(move |&mode| Self { workers, mode }));
        std::iter::once(Self::REFERENCE).chain(each).collect()
    }
}
