//! `--dist each`: every worker runs every test.

use crate::suite::TestIndex;

/// The order once for each worker.
pub(crate) fn lists(workers: usize, order: &[TestIndex]) -> Vec<Vec<TestIndex>> {
    vec![order.to_vec(); workers]
}
