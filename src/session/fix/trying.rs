//! A patched copy of the project is tried: the failing plan in fresh processes, the suite in its order, in the
//! reverse and in seeded trials on one and on two workers, and, where the patch is about what workers share, races
//! under control. All of it is compared with the same plans without the patch.

mod left;
mod raced;
mod tests;

use std::collections::BTreeSet;

use crate::judge::Tally;
use crate::judge::like_with_like::{Sight, against, harm_moved, lost_without, positions, without};
use crate::judge::observation::{self, FailureMatcher, Observation};
use crate::judge::patched::{Harm, How, Said, collects_other, harms, is_to_blame, look, new_harms, shows};
use crate::limits::{
    FIX_PARALLEL_PART, FIX_PLAIN_TRIALS, FIX_TESTS, FIX_TRIALS, HARM_REPEATS, LEAST_FIX_TRIALS,
};
use crate::plan::{Axes, Imports, Mode, Plan, Seed, TrialIndex, order, plan_without};
use crate::run::{Job, RunError};
use crate::session::fix::control::Control;
use crate::session::fix::patched::Patched;
use crate::session::lab::{Lab, serial};
use crate::session::stress::baseline;
use crate::suite::{Suite, TestIndex};
use crate::trial::{Failure, Trial};

pub(crate) use left::KeptPlace;

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// It holds in all trials.
    Holds {
        /// In how many of the trials the test passed.
        passed: u32,
        /// How many of these had several workers.
        parallel: u32,
        /// With how many tests in conflict it was raced.
        raced: u32,
    },
    /// It does not, or was not shown to.
    Doubt(Doubt),
    /// There was no time to see.
    NoTime,
}

/// What speaks against a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// The rest of a sentence that begins with the patch: `made tests/test_a.py::test_b fail`.
    pub(crate) says: String,
    /// Whether it is harm that was done to another test.
    pub(crate) of_another: bool,
}

/// An attempt with one patch.
pub(crate) struct Attempt<'a, 'b, 'c, 'd> {
    /// The session's lab, which runs the project as it is.
    pub(crate) lab: &'a mut Lab<'b>,
    /// The patched copy.
    pub(crate) patched: &'a mut Patched<'c>,
    /// Runs a copy without the patch.
    pub(crate) control: &'a mut Control<'d>,
    /// The session's seed.
    pub(crate) seed: Seed,
    /// What the session varies.
    pub(crate) axes: &'a Axes,
    /// The test that is to pass.
    pub(crate) test: TestIndex,
    /// What its failure is recognised by: a fixture where it is an accident which test is charged with it.
    pub(crate) wanted: FailureMatcher,
    /// The failure as it was first seen.
    pub(crate) failure: Option<&'a Failure>,
    /// The tests whose doing the patch changes.
    pub(crate) changed: &'a BTreeSet<TestIndex>,
    /// Whether the patch gives a test what it needs, instead of undoing what another leaves.
    pub(crate) sets_up: bool,
    /// In how many trials of the suite the patch has to hold.
    pub(crate) trials: u32,
    /// What it is for.
    pub(crate) aim: Aim,
}

/// What a patch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// That a test does not fail any more.
    Failure,
    /// That tests leave a place as they found it.
    Place,
}

/// What a patch is to undo, and how it shows.
#[derive(Clone, Debug)]
pub(crate) struct Failing {
    /// The failing plan.
    pub(crate) plan: Plan,
    /// Whether the test fails in it without the patch: else it is to go on to pass.
    pub(crate) fails: bool,
    /// How often it is run, as it may fail at times only.
    pub(crate) runs: u32,
    /// Whether workers share what is behind it, so that it is raced as well.
    pub(crate) shared: bool,
    /// What is left changed without the patch, and is not to be.
    pub(crate) left: Option<KeptPlace>,
}

/// How far a patch has held by itself, before it is tried with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    /// In how many of suite order and its reverse the test passed, if these were run.
    pub(crate) in_order: Option<u32>,
    /// With how many tests it was raced.
    pub(crate) raced: u32,
}

/// Why an attempt ends before it has held.
enum End {
    Doubt(Doubt),
    NoTime,
    Error(RunError),
}

impl From<RunError> for End {
    fn from(error: RunError) -> Self {
        Self::Error(error)
    }
}

impl Attempt<'_, '_, '_, '_> {
    /// Tries the patch to the end, where nothing else is changed.
    ///
    /// # Errors
    /// The run was interrupted.
    pub(crate) fn run(mut self, failing: &Failing) -> Result<Tried, RunError> {
        as_tried(self.holds(failing))
    }

    /// Tries it with its failing plan alone, and in races: the least that tells a patch from one that does nothing.
    ///
    /// # Errors
    /// The run was interrupted.
    pub(crate) fn with_its_failure(mut self, failing: &Failing) -> Result<Tried, RunError> {
        as_tried(self.undoes(failing).and_then(|()| {
            let raced = self.raced_if(failing)?;
            Ok(Tried::Holds { passed: 0, parallel: 0, raced })
        }))
    }

    /// Tries it in suite order and its reverse as well.
    ///
    /// # Errors
    /// The run was interrupted.
    pub(crate) fn in_order_too(mut self, failing: &Failing) -> Result<Tried, RunError> {
        as_tried(self.undoes_and_keeps_order(failing).and_then(|passed| {
            let raced = self.raced_if(failing)?;
            Ok(Tried::Holds { passed, parallel: 0, raced })
        }))
    }

    /// Tries the rest in a copy that holds others as well, of one that held as far as this before.
    ///
    /// # Errors
    /// The run was interrupted.
    pub(crate) fn with_others(mut self, failing: &Failing, before: Before) -> Result<Tried, RunError> {
        let hash_seed = failing.plan.hash_seed;
        let ended = self.collects_the_same(hash_seed).and_then(|()| match before.in_order {
            Some(passed) => Ok(passed),
            None => self.in_order(hash_seed),
        });
        as_tried(ended.and_then(|passed| {
            let (passed, parallel) = self.in_seeded_trials(passed)?;
            Ok(Tried::Holds { passed, parallel, raced: before.raced })
        }))
    }

    fn holds(&mut self, failing: &Failing) -> Result<Tried, End> {
        let passed = self.undoes_and_keeps_order(failing)?;
        // Races under control come before trials on two workers: whether these meet a race is luck.
        let raced = self.raced_if(failing)?;
        let (passed, parallel) = self.in_seeded_trials(passed)?;
        Ok(Tried::Holds { passed, parallel, raced })
    }

    /// In how many of suite order and its reverse the test passes, where the patch undoes the failure and holds in both.
    fn undoes_and_keeps_order(&mut self, failing: &Failing) -> Result<u32, End> {
        self.collects_the_same(failing.plan.hash_seed)?;
        self.undoes(failing)?;
        self.in_order(failing.plan.hash_seed)
    }

    /// The patch undoes the failure, and keeps what is left changed, which shows without it.
    fn undoes(&mut self, failing: &Failing) -> Result<(), End> {
        if let Some(left) = &failing.left {
            self.keeps(left)?;
        }
        if !failing.fails {
            let failed = self.fails_where();
            let plan = std::slice::from_ref(&failing.plan);
            return self.hold_in(plan, false, |_| failed("with a test that names it after it")).map(drop);
        }
        let plans: Vec<Plan> = (0..failing.runs).map(|run| failing.plan.reseeded(run)).collect();
        let ended = self.hold_in(&plans, true, |_| "did not undo the failure".to_owned());
        if let Err(End::Doubt(_)) = ended {
            // What did not run may not be collected any more: that says it better.
            self.collects_the_same(failing.plan.hash_seed)?;
        }
        ended?;
        self.shows_without(&plans)
    }

    /// What a patch has done to a test.
    fn says(&self, harm: Harm) -> String {
        let id = &self.lab.suite.test(harm.test).id;
        match harm.how {
            How::Fails => format!("made {id} fail"),
            How::Skipped => format!("made {id} be skipped"),
        }
    }

    /// In how many of suite order and its reverse the test passes, where the patch holds in both.
    fn in_order(&mut self, hash_seed: u32) -> Result<u32, End> {
        let failed = self.fails_where();
        self.hold_in(&self.in_suite_order(hash_seed), false, |at| {
            failed(if at == 0 { "in suite order" } else { "in the reverse of suite order" })
        })
    }

    /// In how many trials the test passes, with those that are known of before, and how many of these were on two
    /// workers, where the patch holds in all seeded ones.
    fn in_seeded_trials(&mut self, before: u32) -> Result<(u32, u32), End> {
        let failed = self.fails_where();
        let (serial, parallel) = self.seeded();
        let in_serial = self.hold_in(&serial, false, |_| failed("in another order"))?;
        let on_two = self.hold_in(&parallel, false, |_| failed("on two workers"))?;
        match before + in_serial + on_two {
            0 => Err(doubt(failed("in every trial, for another reason"))),
            passed => Ok((passed, on_two)),
        }
    }

    /// What is said of a patch with which the test fails somewhere.
    fn fails_where(&self) -> impl Fn(&str) -> String + use<> {
        let test = self.lab.suite.test(self.test).id.clone();
        let done = match self.aim {
            Aim::Failure => "undid the failure",
            Aim::Place => "kept the place",
        };
        move |place| format!("{done}, but {test} failed {place}")
    }

    /// With how many tests those that were changed were raced: with none where workers share nothing of it, or there is
    /// but one.
    fn raced_if(&mut self, failing: &Failing) -> Result<u32, End> {
        if failing.shared && self.parallel_trials() > 0 { self.raced(failing.plan.hash_seed) } else { Ok(0) }
    }

    /// Whether the patched copy collects what the project does, or what a copy does under this hash seed.
    fn collects_the_same(&mut self, hash_seed: u32) -> Result<(), End> {
        let collected = match self.patched.collect(hash_seed) {
            Err(RunError::Interrupted) => return Err(RunError::Interrupted.into()),
            collected => collected.map(|suite| self.named(&suite)).ok(),
        };
        let other = |suite: &Option<Suite>, of: &Suite| match suite {
            None => Some("the suite".to_owned()),
            Some(suite) => collects_other(of, suite),
        };
        let Some(id) = other(&collected, self.lab.suite) else {
            return Ok(());
        };
        let unpatched = self.control.collect(self.lab, hash_seed)?;
        let unpatched = self.named(&unpatched);
        match other(&collected, &unpatched) {
            None => Ok(()),
            Some(_) if collects_other(self.lab.suite, &unpatched).is_some() => {
                Err(doubt("could not be seen to hold, as a copy of the project collects other tests"))
            }
            Some(_) => Err(harm(format!("changed what is collected: {id}"))),
        }
    }

    /// A collected suite in which what has another id in each process is named as in the session's.
    fn named(&self, collected: &Suite) -> Suite {
        let suite = self.lab.suite;
        collected.named_as(suite.collected.iter().map(|&test| &suite.test(test).id))
    }

    /// Suite order and its reverse.
    fn in_suite_order(&self, hash_seed: u32) -> [Plan; FIX_PLAIN_TRIALS as usize] {
        let suite = self.lab.suite;
        let left_out = self.lab.account().left_out();
        let own = baseline::suite_order(suite, self.seed, hash_seed);
        let reversed = order::reversed(suite, &suite.collected, self.axes.ignore_rank);
        [own.clone(), Plan { workers: vec![reversed], ..own }].map(|plan| plan.without(left_out))
    }

    /// The seeded trials: on one worker, and on two unless the session is about one alone.
    fn seeded(&self) -> (Vec<Plan>, Vec<Plan>) {
        let (suite, axes, left_out) = (self.lab.suite, self.axes, self.lab.account().left_out());
        let make = |workers: u32, modes: Vec<Mode>, count: u32| -> Vec<Plan> {
            let axes = Axes { workers: vec![workers], modes, ..axes.clone() };
            let trials = (0..count).map(|index| TrialIndex(u64::from(index)));
            trials.map(|index| plan_without(left_out, self.seed, index, suite, &axes)).collect()
        };
        let parallel = self.parallel_trials();
        let serial = make(1, vec![Mode::No], self.trials - FIX_PLAIN_TRIALS - parallel);
        (serial, make(2, axes.parallel_modes(suite), parallel))
    }

    /// How many trials on two workers are made.
    fn parallel_trials(&self) -> u32 {
        let none =
            self.axes.parallel_modes(self.lab.suite).is_empty() || self.axes.parallel_workers().is_empty();
        if none { 0 } else { self.trials / FIX_PARALLEL_PART }
    }

    /// In how many of these plans the test passes, where the patch holds under all of them. It fails under none of the
    /// `failing` ones, which are run in fresh processes; under others only for a reason that is there without the
    /// patch as well. `failed` says what it means that it fails otherwise.
    fn hold_in(
        &mut self,
        plans: &[Plan],
        failing: bool,
        failed: impl Fn(usize) -> String,
    ) -> Result<u32, End> {
        let (mut at, mut passed) = (0, 0);
        while at < plans.len() {
            let trials = self.run_until_doubtful(&plans[at..], failing)?;
            if trials.is_empty() {
                return Err(End::NoTime);
            }
            for trial in &trials {
                let plan = &plans[at];
                let sights = against(self.test, &self.wanted, trial);
                let harms = match look(plan, self.test, trial) {
                    Said::NothingOf(test) => return Err(self.not_run(test)),
                    Said::Holds if sights.is_empty() => Vec::new(),
                    _ if sights.is_empty() => harms(self.test, trial),
                    _ if !failing && self.fails_anyway(plan, &sights)? => harms(self.test, trial),
                    _ => return Err(doubt(failed(at))),
                };
                if !harms.is_empty() {
                    self.compare(plan, failing, &harms, trial)?;
                }
                passed += u32::from(sights.is_empty());
                at += 1;
            }
            if at < plans.len() && self.lab.out_of_time() {
                return Err(End::NoTime);
            }
        }
        Ok(passed)
    }

    /// Runs plans up to the first whose trial speaks against the patch by itself, or that would end after the time limit.
    fn run_until_doubtful(&mut self, plans: &[Plan], fresh: bool) -> Result<Vec<Trial>, End> {
        let (lab, test) = (&*self.lab, self.test);
        let jobs: Vec<Job<'_>> = plans.iter().map(|plan| Job { fresh, ..Job::of(plan) }).collect();
        let plans = &plans[..lab.fitting(&jobs)];
        let goes_on = |plan: &Plan, trial: &Trial| {
            matches!(look(plan, test, trial), Said::Holds | Said::Compare(_)) && !lab.out_of_time()
        };
        Ok(self.patched.trials(lab.suite, plans, fresh, goes_on)?)
    }

    /// Whether the test fails in a trial for a reason that is there without the patch as well: it fails in the same
    /// plan without the patch, and that in the same way, which is not the one that the patch is to undo; or else it
    /// fails in the same way in that plan without the tests whose doing the patch changes.
    fn fails_anyway(&mut self, plan: &Plan, sights: &[Sight]) -> Result<bool, End> {
        if self.lab.out_of_time() {
            return Err(End::NoTime);
        }
        let none = BTreeSet::new();
        let before = against(self.test, &self.wanted, &self.control.trial(self.lab, plan, false)?);
        let another = |sight: &Sight| !sight.is_of(&self.wanted, self.failure);
        if before.is_empty() {
            return Ok(false);
        }
        if sights.iter().all(|sight| another(sight) && sight.is_in(&before, &none)) {
            return Ok(true);
        }
        let others = self.changed.iter().copied().filter(|&test| test != self.test).collect();
        let left_out = positions(plan, &others);
        let trial = self.control.trial(self.lab, &without(plan, &left_out), false)?;
        let besides = against(self.test, &self.wanted, &trial);
        Ok(!left_out.is_empty() && sights.iter().all(|sight| sight.is_in(&besides, &left_out)))
    }

    /// Whether the victim fails without the patch under one of the failing plans: if it does not, it is the copying
    /// that has undone the failure.
    fn shows_without(&mut self, failing: &[Plan]) -> Result<(), End> {
        for plan in failing {
            if self.lab.out_of_time() {
                return Err(End::NoTime);
            }
            let unpatched = self.control.trial(self.lab, plan, true)?;
            let fails = match &self.wanted {
                FailureMatcher::Fixture(..) => {
                    observation::observe(&unpatched, &self.wanted) == Observation::Same
                }
                _ => look(plan, self.test, &unpatched) == Said::VictimFails,
            };
            if fails {
                return Ok(());
            }
        }
        Err(doubt("could not be seen to undo the failure, which does not show in a copy of the project"))
    }

    /// Compares with the same plan without the patch, and where that has lost a process which the patch has kept,
    /// with the plan without the test that took it along.
    fn compare(&mut self, plan: &Plan, fresh: bool, harms: &[Harm], with: &Trial) -> Result<(), End> {
        if self.lab.out_of_time() {
            return Err(End::NoTime);
        }
        let before = self.control.trial(self.lab, plan, fresh)?;
        let mut new = new_harms(plan, harms, &before).map_err(|test| self.not_run(test))?;
        let lost = lost_without(with, &before);
        if !new.is_empty() && !lost.is_empty() {
            let kept = self.control.trial(self.lab, &without(plan, &lost), fresh)?;
            new.retain(|&harm| harm_moved(harm, &lost).is_none_or(|harm| !shows(&kept, harm)));
        }
        new.into_iter().try_for_each(|harm| self.weigh(plan, fresh, harm))
    }

    /// Whether a harm is the patch's doing, or chance's: the plan is run again without the patch and with it.
    fn weigh(&mut self, plan: &Plan, fresh: bool, new: Harm) -> Result<(), End> {
        let (mut with, mut without) = (Tally { runs: 1, failed: 1 }, Tally { runs: 1, failed: 0 });
        for _ in 0..HARM_REPEATS {
            if self.lab.out_of_time() {
                return Err(End::NoTime);
            }
            let trial = self.patched.again(self.lab.suite, plan, fresh)?;
            with.add(shows(&trial, new));
            without.add(shows(&self.control.again(self.lab, plan, fresh)?, new));
        }
        if !is_to_blame(with, without) {
            return Ok(());
        }
        let what = self.says(new);
        if with.always() && without.never() {
            let needs = self.needs(plan, new)?;
            return Err(harm(format!("{what}{needs}")));
        }
        // It was found to lose a race without the patch, as it may have here.
        if new.how == How::Fails && plan.workers.len() > 1 && self.lab.book().race_of(new.test).is_some() {
            return Ok(());
        }
        Err(harm(format!(
            "{what} in {} of {} runs of one order, and in {} of {} without it",
            with.failed, with.runs, without.failed, without.runs
        )))
    }

    /// What a test that the patch breaks needs, if runs without the patch show that: it fails alone, and passes
    /// after the tests whose doing the patch undoes.
    fn needs(&mut self, plan: &Plan, new: Harm) -> Result<String, RunError> {
        let test = new.test;
        if self.sets_up || new.how != How::Fails || self.changed.contains(&test) {
            return Ok(String::new());
        }
        let base = Plan { imports: Imports::All, ..plan.clone() };
        let alone = serial(&base, vec![test]);
        let after = serial(&base, self.changed.iter().copied().chain([test]).collect());
        let passes = |plan: &Plan, trial: &Trial| look(plan, test, trial) == Said::Holds;
        let fails_alone =
            look(&alone, test, &self.control.trial(self.lab, &alone, false)?) == Said::VictimFails;
        if !fails_alone || !passes(&after, &self.control.trial(self.lab, &after, false)?) {
            return Ok(String::new());
        }
        let whose = match self.changed.len() {
            1 if self.aim == Aim::Failure && self.changed.contains(&self.test) => "this test leaves",
            1 => "the polluter leaves",
            _ => "the polluters leave",
        };
        Ok(format!(", which needs what {whose}"))
    }

    fn not_run(&self, test: TestIndex) -> End {
        doubt(format!("could not be seen to hold, as {} did not run", self.lab.suite.test(test).id))
    }
}

/// In how many trials of a suite a fix has to hold.
pub(crate) fn trials_of(suite: &Suite) -> u32 {
    let fitting = FIX_TESTS / suite.tests.len().max(1);
    u32::try_from(fitting).unwrap_or(u32::MAX).clamp(LEAST_FIX_TRIALS, FIX_TRIALS)
}

/// What became of an attempt that has ended so.
fn as_tried(ended: Result<Tried, End>) -> Result<Tried, RunError> {
    match ended {
        Ok(tried) => Ok(tried),
        Err(End::Doubt(doubt)) => Ok(Tried::Doubt(doubt)),
        Err(End::NoTime | End::Error(RunError::OutOfTime)) => Ok(Tried::NoTime),
        Err(End::Error(RunError::Interrupted)) => Err(RunError::Interrupted),
        Err(End::Error(error)) => {
            let why = error.to_string();
            let says = format!("could not be seen to hold: {}", why.lines().next().unwrap_or_default());
            Ok(Tried::Doubt(Doubt { says, of_another: false }))
        }
    }
}

fn doubt(says: impl Into<String>) -> End {
    End::Doubt(Doubt { says: says.into(), of_another: false })
}

fn harm(says: String) -> End {
    End::Doubt(Doubt { says, of_another: true })
}
