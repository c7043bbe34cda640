//! pytest-xdist's schedulers as discrete-event simulations: which worker would have run what.
//!
//! What is simulated is xdist 3.8: the controller's scheduler (one file each) and the worker's queue
//! ([`simulation`]), on a virtual clock of which a tick is a millisecond. All workers are ready at
//! time 0, in the order of their numbers; messages take no time; of two events at the same time the
//! one of the lower worker comes first. A differential test drives xdist's own classes through the
//! same events and compares.

mod simulation;
mod each;
mod load;
mod scope;
mod worksteal;

use std::borrow::Cow;

use crate::plan::Mode;
use crate::suite::{Test, TestIndex};

use simulation::simulate;

/// Splits an order into the lists that the workers of a pytest-xdist run could have been given.
///
/// `order` is the collected order every worker sees; `tests` the suite's tests in canonical order;
/// `ticks[i]` the virtual duration of the test with canonical index `i`, in milliseconds, which
/// [`Mode::No`] and [`Mode::Each`] do not look at. Returns `workers` lists, one for [`Mode::No`].
pub fn partition(
    mode: Mode,
    workers: usize,
    order: &[TestIndex],
    tests: &[Test],
    ticks: &[u64],
) -> Vec<Vec<TestIndex>> {
    let items = order.len();
    let positions = match mode {
        Mode::No => return vec![order.to_vec()],
        Mode::Each => return each::lists(workers, order),
        Mode::Load => {
            let durations = durations(order, ticks);
            simulate(&mut load::Load::new(workers, items), workers, &durations)
        }
        Mode::Worksteal => {
            let durations = durations(order, ticks);
            simulate(&mut worksteal::Worksteal::new(workers, items), workers, &durations)
        }
        Mode::Loadscope | Mode::Loadfile | Mode::Loadgroup => {
            let units = match mode {
                Mode::Loadscope => scope::units(order, tests, scope::loadscope),
                Mode::Loadfile => scope::units(order, tests, scope::loadfile),
                _ => scope::units(order, tests, scope::loadgroup),
            };
            let durations = durations(order, ticks);
            simulate(&mut scope::Scopes::new(workers, items, units), workers, &durations)
        }
    };
    positions.into_iter().map(|list| list.into_iter().map(|at| order[at]).collect()).collect()
}

/// What a mode keeps on one worker, by name: the scope, file or group of a test. Nothing where each
/// test goes its own way.
pub(crate) fn unit(mode: Mode, test: &Test) -> Option<Cow<'_, str>> {
    match mode {
        Mode::Loadscope => Some(scope::loadscope(test)),
        Mode::Loadfile => Some(scope::loadfile(test)),
        Mode::Loadgroup => Some(scope::loadgroup(test)),
        Mode::No | Mode::Load | Mode::Worksteal | Mode::Each => None,
    }
}

fn durations(order: &[TestIndex], ticks: &[u64]) -> Vec<u64> {
    order.iter().map(|test| ticks[test.get()]).collect()
}
