//! Shrinking: from a failing plan to the smallest one that still fails in the same way.
use crate::plan::{Plan, WorkerId};
use crate::suite::{Suite, TestIndex};
#[allow(missing_docs, clippy::allow_attributes)]
mod stub {
    use super::*;
    pub enum Verdict {
        Reproduces,
        Passes,
        Unresolved,
    }
    pub struct Stopped;
    pub trait Oracle {
        fn verdict(&mut self, candidates: &[Plan]) -> Result<Vec<Verdict>, Stopped>;
    }
    pub struct Target {
        pub victim: TestIndex,
        pub worker: WorkerId,
    }
    pub struct Problem<'a> {
        pub plan: Plan,
        pub suite: &'a Suite,
    }
    impl<'a> Problem<'a> {
        pub fn new(
            plan: Plan,
            _t: Target,
            suite: &'a Suite,
            _s: Vec<(Vec<TestIndex>, bool)>,
            _r: f64,
        ) -> Self {
            Self { plan, suite }
        }
    }
    pub struct Shrunk {
        pub plan: Plan,
        pub one_minimal: bool,
        pub complete: bool,
        pub calls: u32,
        pub tests_run: u64,
    }
    pub fn shrink(p: &Problem<'_>, _o: &mut dyn Oracle) -> Shrunk {
        Shrunk {
            plan: p.plan.clone(),
            one_minimal: false,
            complete: true,
            calls: 0,
            tests_run: 0,
        }
    }
}
pub use stub::*;
