//! Measuring: the runs of all configurations, taking turns.

use crate::plan::Configuration;
use crate::run::RunError;
use crate::run::engine::measured::Stopwatch;
use crate::speedup::Timing;
use crate::suite::Suite;

/// What was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measurements {
    /// A run of the reference before all others, which is not counted: it fills the caches of bytecode
    /// and of the file system.
    pub(crate) warm_up: Timing,
    /// The counted runs of each configuration.
    pub(crate) runs: Vec<(Configuration, Vec<Timing>)>,
    /// Whether the user wanted it to end before all rounds were run.
    pub(crate) interrupted: bool,
}

/// Measures the configurations, of which the first is the reference, in so many rounds.
///
/// Each round runs every configuration once, so that a machine that is busy for a while, or slows down
/// as it heats up, hits all alike; every second round goes backwards, so that a steady drift cancels
/// out. `told` hears of each run before it starts.
///
/// # Errors
/// pytest cannot be started, does not come to its end on one worker, or is interrupted before anything
/// is known.
pub(crate) fn measure(
    stopwatch: &mut dyn Stopwatch,
    suite: &Suite,
    configurations: &[Configuration],
    rounds: u32,
    started: &mut dyn FnMut(Configuration),
) -> Result<Measurements, RunError> {
    started(Configuration::REFERENCE);
    let first = stopwatch.measure(Configuration::REFERENCE)?;
    if let Some(why) = first.broken_off {
        return Err(RunError::Pytest(format!("cannot measure the suite on one worker: {why}")));
    }
    let warm_up = Timing::new(suite, Configuration::REFERENCE.mode, &first);
    let mut runs: Vec<(Configuration, Vec<Timing>)> =
        configurations.iter().map(|&configuration| (configuration, Vec::new())).collect();
    for round in 0..rounds {
        for turn in 0..runs.len() {
            let at = if round % 2 == 0 { turn } else { runs.len() - 1 - turn };
            let configuration = runs[at].0;
            started(configuration);
            match stopwatch.measure(configuration) {
                Ok(run) => runs[at].1.push(Timing::new(suite, configuration.mode, &run)),
                Err(RunError::Interrupted) => return Ok(Measurements { warm_up, runs, interrupted: true }),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Measurements { warm_up, runs, interrupted: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Mode;
    use crate::trial::MeasuredRun;

    struct Fake {
        left: usize,
    }

    impl Stopwatch for Fake {
        fn measure(&mut self, _: Configuration) -> Result<MeasuredRun, RunError> {
            self.left = self.left.checked_sub(1).ok_or(RunError::Interrupted)?;
            Ok(MeasuredRun::default())
        }
    }

    fn measured(runs: usize, rounds: u32) -> (Result<Measurements, RunError>, Vec<u32>) {
        let suite = Suite::new(Vec::new(), Vec::new(), 0);
        let configurations = Configuration::all(&[1, 2, 3], &[Mode::Load]);
        let mut order = Vec::new();
        let result = measure(&mut Fake { left: runs }, &suite, &configurations, rounds, &mut |started| {
            order.push(started.workers)
        });
        (result, order)
    }

    #[test]
    fn configurations_take_turns_and_every_second_round_goes_backwards() {
        let (result, order) = measured(10, 3);
        assert_eq!(order, [1, 1, 2, 3, 3, 2, 1, 1, 2, 3]);
        let runs: Vec<usize> = result.unwrap().runs.iter().map(|(_, runs)| runs.len()).collect();
        assert_eq!(runs, [3, 3, 3]);
    }

    #[test]
    fn an_interrupt_keeps_what_is_known() {
        let (result, _) = measured(3, 3);
        let known = result.unwrap();
        assert!(known.interrupted);
        assert_eq!(known.runs.iter().map(|(_, runs)| runs.len()).collect::<Vec<_>>(), [1, 1, 0]);
        assert!(matches!(measured(0, 3).0, Err(RunError::Interrupted)));
    }
}
