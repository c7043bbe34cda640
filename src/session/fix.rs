//! A proposed fix is tried: in a copy of the project, with the failing plan and with seeded trials.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::explain::fix::{Edit, diff, with_fixture, with_function_scope};
use crate::explain::{Explanation, Fix, Mend, Place};
use crate::judge::finding::{Finding, Kind};
use crate::plan::{Axes, Mode, Plan, Seed, TrialIndex, plan};
use crate::run::{Engine, Job, RunError, Trial};
use crate::session::copy::Copy;
use crate::session::lab::Lab;
use crate::suite::TestIndex;

/// Trials in which a fix has to hold.
const TRIALS: u64 = 20;
/// How long they may take; where that is too short for all of them, no fix is shown.
const PATIENCE: Duration = Duration::from_secs(60);
/// Fixes that are tried for one finding.
const ATTEMPTS: usize = 3;

/// What a fix is tried with besides the failing plan.
#[derive(Clone, Copy, Debug)]
pub struct Trials<'a> {
    /// pytest's rootdir.
    pub rootdir: &'a str,
    /// The session's seed.
    pub seed: Seed,
    /// What the session varies.
    pub axes: &'a Axes,
}

/// Looks for a fix that holds; none if no fixture is known for the place or none that was tried did.
///
/// # Errors
/// The run was interrupted. That a copy cannot be made or run is no error: there is no fix then.
pub fn fix(
    lab: &mut Lab<'_>,
    trials: Trials<'_>,
    finding: &Finding,
    explanation: &Explanation,
) -> Result<Option<Fix>, RunError> {
    let (Some(minimal), Some(test)) = (&finding.shrunk, finding.test) else {
        return Ok(None);
    };
    if finding.kind == Kind::Brittle || !explanation.confirmed {
        return Ok(None);
    }
    let rootdir = Path::new(trials.rootdir);
    let culprits: BTreeSet<&str> =
        minimal.culprits.iter().map(|&culprit| lab.suite.test(culprit).file.as_str()).collect();
    for edits in proposals(rootdir, explanation, &culprits, &minimal.imports).into_iter().take(ATTEMPTS) {
        if lab.out_of_time() {
            return Ok(None);
        }
        let Some(copy) = Copy::of(rootdir, &edits) else {
            return Ok(None);
        };
        let Some(mut engine) = lab.elsewhere(rootdir, copy.path())? else {
            return Ok(None);
        };
        let mut attempt = Attempt { lab, engine: &mut *engine, trials, test };
        if let Some(passed) = attempt.holds(&minimal.plan)? {
            let old = |edit: &Edit| fs::read_to_string(rootdir.join(&edit.file)).unwrap_or_default();
            let pairs: Vec<(String, Edit)> = edits.iter().map(|edit| (old(edit), edit.clone())).collect();
            return Ok(Some(Fix { diff: diff(&pairs), trials: passed }));
        }
    }
    Ok(None)
}

/// The changes to try, the likeliest first.
fn proposals(
    rootdir: &Path,
    explanation: &Explanation,
    culprits: &BTreeSet<&str>,
    imports: &[String],
) -> Vec<Vec<Edit>> {
    let read = |file: &str| fs::read_to_string(rootdir.join(file)).ok();
    let mut proposals = Vec::new();
    for place in &explanation.places {
        let Some(mend) = place.mend.as_ref().filter(|mend| mend.how != "fixture") else {
            continue;
        };
        if !imports.is_empty() {
            continue;
        }
        for mend in [Some(mend.clone()), mend.from_scratch(&place.old)].into_iter().flatten() {
            let edit = |file: &str| {
                let content = with_fixture(file, &read(file)?, &mend)?;
                Some(Edit { file: file.to_owned(), content })
            };
            let edits: Option<Vec<Edit>> = files_of(place, culprits).into_iter().map(edit).collect();
            proposals.extend(edits);
        }
    }
    for mend in fixtures(explanation) {
        let Some(file) = Path::new(&mend.file).strip_prefix(rootdir).ok().and_then(Path::to_str) else {
            continue;
        };
        let narrowed = read(file).and_then(|content| with_function_scope(&content, mend.line));
        proposals.extend(narrowed.map(|content| vec![Edit { file: file.to_owned(), content }]));
    }
    proposals
}

/// The files whose tests are to clean up: the one that holds the write, else those of all culprits.
fn files_of<'a>(place: &Place, culprits: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let written = place.written.as_ref().and_then(|written| culprits.get(written.file.as_str()));
    written.map_or_else(|| culprits.iter().copied().collect(), |file| vec![*file])
}

/// Fixtures whose value is, or holds, the cause; for a database those that were set up meanwhile.
fn fixtures(explanation: &Explanation) -> Vec<&Mend> {
    let holds = |fixture: &&Place| {
        explanation.places.iter().any(|place| {
            let name =
                fixture.mend.as_ref().map(|mend| format!("fixture {} (scope {})", mend.key, mend.scope));
            name.is_some_and(|name| place.name.starts_with(&name))
                || matches!(&*place.kind, "database" | "file system")
        })
    };
    explanation.fixtures.iter().filter(holds).filter_map(|place| place.mend.as_ref()).collect()
}

/// Whether the victim passes, and no test fails that has not been seen to fail without the fix.
fn passes(lab: &Lab<'_>, victim: TestIndex, trial: &Trial) -> bool {
    let known = |test: TestIndex| test != victim && lab.history.has_failed(test);
    trial.executions.iter().any(|run| run.test == victim)
        && trial.executions.iter().all(|run| !run.outcome.is_failure() || known(run.test))
}

struct Attempt<'a, 'b> {
    lab: &'a mut Lab<'b>,
    engine: &'a mut dyn Engine,
    trials: Trials<'a>,
    test: TestIndex,
}

impl Attempt<'_, '_> {
    /// In how many trials it held, if it held in all of them and under the plan that failed before.
    fn holds(&mut self, failing: &Plan) -> Result<Option<u32>, RunError> {
        let end = Instant::now() + PATIENCE;
        // What fails in one process is to be mended there: whether workers collide on it is another matter,
        // and luck.
        let serially = Axes { workers: vec![1], modes: vec![Mode::No], ..self.trials.axes.clone() };
        let seeded =
            (0..TRIALS).map(|index| plan(self.trials.seed, TrialIndex(index), self.lab.suite, &serially));
        let plans: Vec<Plan> = std::iter::once(failing.clone()).chain(seeded).collect();
        let jobs: Vec<Job<'_>> =
            plans.iter().enumerate().map(|(at, plan)| Job { fresh: at == 0, ..Job::of(plan) }).collect();
        let Self { lab, engine, test, .. } = self;
        let mut held = 0;
        let ran = engine.run_all(lab.suite, &jobs, &mut |_, trial| {
            if Instant::now() > end || lab.out_of_time() || !passes(lab, *test, &trial) {
                return ControlFlow::Break(());
            }
            held += 1;
            ControlFlow::Continue(())
        });
        match ran {
            Err(RunError::Interrupted) => Err(RunError::Interrupted),
            _ => Ok((held == jobs.len()).then_some(TRIALS as u32)),
        }
    }
}
