//! Looks for a fix that holds, and says why there is none.
//!
//! What is shown compiles, is applied by git, and was tried in a copy of the project as [`Attempt`] says.

mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use crate::explain::fix::{Edit, diff};
use crate::explain::{Explanation, Fix, NoFix, NoFixReason};
use crate::finding::{Finding, Kind};
use crate::judge::observation::FailureMatcher;
use crate::limits::{FIX_DOUBT, FIX_RUNS, FIXES_TRIED};
use crate::plan::{Axes, Plan, Seed};
use crate::run::project::copy::Copy;
use crate::run::project::git::{Applied, apply};
use crate::run::project::source::Reader;
use crate::run::{Engine, RunError};
use crate::session::fix::control::Control;
use crate::session::fix::patched::Patched;
use crate::session::fix::proposals::{Proposals, Targets, proposals};
use crate::session::fix::trying::{Aim, Attempt, Before, Doubt, Failing, KeptPlace, Tried, trials_of};
use crate::session::lab::{Lab, alone};
use crate::state::{Place, StateKind, Written};
use crate::suite::{Suite, TestIndex};
use crate::trial::Failure;

/// What the fixes of a session are tried with besides the failing plans.
pub(crate) struct Trials<'a> {
    pub(crate) rootdir: &'a Path,
    seed: Seed,
    axes: &'a Axes,
    /// Of the whole suite at most.
    most: u32,
    /// One for all fixes: most plans without a change are the same for each.
    pub(crate) control: Control<'a>,
}

impl<'a> Trials<'a> {
    /// Trials of a session's seed and of what it varies, for the project in pytest's rootdir.
    pub(crate) fn new(rootdir: &'a str, seed: Seed, axes: &'a Axes) -> Self {
        let rootdir = Path::new(rootdir);
        Self { rootdir, seed, axes, most: u32::MAX, control: Control::new(rootdir) }
    }

    /// The same, with so many trials of the whole suite at most.
    #[must_use]
    pub(crate) fn at_most(self, most: u32) -> Self {
        Self { most, ..self }
    }

    /// In how many trials of a suite a fix has to hold.
    pub(crate) fn of(&self, suite: &Suite) -> u32 {
        trials_of(suite).min(self.most)
    }
}

/// How far a fix is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HowFar {
    /// With its failing plan, in a copy of its own.
    ItsFailure,
    /// In suite order and its reverse as well.
    InOrder,
    /// To the end, in that copy.
    ToTheEnd,
}

/// A fix that was seen to hold, as far as it was tried.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    /// What it changes.
    pub(crate) edits: Vec<Edit>,
    /// Whether git takes it; false if there is no git.
    pub(crate) git_applied: bool,
    /// In how many trials the test passed.
    pub(crate) passed: u32,
    /// How many of these had several workers.
    pub(crate) parallel: u32,
    /// With how many tests in conflict it was raced.
    pub(crate) raced: u32,
}

impl Held {
    /// The fix, which was tried in so many trials, with the fixes of so many other findings beside it after it was tried so
    /// far by itself.
    pub(crate) fn fix(self, trials: u32, together_with: u32, how_far: HowFar) -> Fix {
        let Self { edits, git_applied, passed, parallel, raced } = self;
        let diff = String::from_utf8_lossy(&diff(&edits)).into_owned();
        let fails_anyway = trials - passed;
        let order_apart = how_far == HowFar::InOrder;
        Fix { diff, edits, trials, fails_anyway, together_with, order_apart, parallel, raced, git_applied }
    }
}

/// The search for a fix of one finding.
pub(crate) struct Search<'a> {
    rootdir: &'a Path,
    seed: Seed,
    axes: &'a Axes,
    explanation: &'a Explanation,
    test: TestIndex,
    wanted: FailureMatcher,
    failure: Option<&'a Failure>,
    /// The tests whose doing is to be changed.
    changed: BTreeSet<TestIndex>,
    imports: &'a [String],
    jointly: bool,
    brittle: bool,
    /// The failing plan, as often as it takes to see that it does not fail any more.
    minimal: &'a Plan,
    runs: u32,
    /// What is left changed, if that is to be undone.
    left: Option<&'a KeptPlace>,
    /// Whether the test fails in that plan.
    fails: bool,
    /// In how many trials of the suite it has to hold.
    trials: u32,
}

/// What is known of a place that is left changed, and is to be left as it was found.
pub(crate) struct Leaving {
    /// The place.
    pub(crate) explanation: Explanation,
    /// Who leaves it.
    pub(crate) left: KeptPlace,
    /// The tests among them.
    pub(crate) tests: BTreeSet<TestIndex>,
    /// Files whose import leaves it.
    pub(crate) imports: Vec<String>,
    /// Whoever leaves it, with a test after it that fails for it or names it.
    pub(crate) plan: Plan,
    /// The test that fails for it, else the first that leaves it.
    pub(crate) test: TestIndex,
    /// Whether that fails in the plan.
    pub(crate) fails: bool,
}

impl<'a> Search<'a> {
    /// Of a place that is left changed.
    pub(crate) fn of_place(trials: &Trials<'a>, suite: &Suite, leaving: &'a Leaving) -> Self {
        Self {
            rootdir: trials.rootdir,
            seed: trials.seed,
            axes: trials.axes,
            explanation: &leaving.explanation,
            test: leaving.test,
            wanted: FailureMatcher::Failure(leaving.test),
            failure: None,
            changed: leaving.tests.clone(),
            imports: &leaving.imports,
            jointly: false,
            brittle: false,
            minimal: &leaving.plan,
            runs: 1,
            left: Some(&leaving.left),
            fails: leaving.fails,
            trials: trials.of(suite),
        }
    }

    /// Of a finding whose state is confirmed.
    pub(crate) fn of(trials: &Trials<'a>, suite: &Suite, finding: &'a Finding) -> Option<Self> {
        let explanation = finding.explanation.as_ref().filter(|explanation| explanation.confirmed)?;
        let (minimal, test) = (finding.shrunk.as_ref()?, finding.test?);
        let brittle = finding.kind == Kind::Brittle;
        let polluters = minimal.culprits.iter().copied().chain(explanation.related_tests.all_polluters());
        Some(Self {
            rootdir: trials.rootdir,
            seed: trials.seed,
            axes: trials.axes,
            explanation,
            test,
            wanted: finding.wanted()?,
            failure: finding.failure.as_ref(),
            changed: if brittle { [test].into() } else { polluters.collect() },
            imports: &minimal.imports,
            jointly: minimal.culprits.len() > 1,
            brittle,
            minimal: &minimal.plan,
            runs: if brittle { 1 } else { finding.with.runs_to_show(FIX_DOUBT).min(FIX_RUNS) },
            left: None,
            fails: true,
            trials: trials.of(suite),
        })
    }

    /// The first fix that holds, as far as each is tried, or why none is shown. That a copy cannot be made or run is no
    /// error.
    ///
    /// # Errors
    /// The run was interrupted.
    pub(crate) fn run(
        &self,
        lab: &mut Lab<'_>,
        control: &mut Control<'_>,
        how_far: HowFar,
    ) -> Result<Result<Held, NoFix>, RunError> {
        match self.first_that_holds(lab, control, how_far) {
            Err(RunError::Interrupted) => Err(RunError::Interrupted),
            Err(RunError::OutOfTime) => Ok(Err(no_time())),
            Err(error) => Ok(Err(not_tried(first_line(&error.to_string())))),
            found => found,
        }
    }

    fn first_that_holds(
        &self,
        lab: &mut Lab<'_>,
        control: &mut Control<'_>,
        how_far: HowFar,
    ) -> Result<Result<Held, NoFix>, RunError> {
        let rootdir = self.rootdir;
        let reader = Reader::new(lab.python());
        let targets = Targets {
            suite: lab.suite,
            tests: &self.changed,
            imports: self.imports,
            jointly: self.jointly,
            brittle: self.brittle,
        };
        let Proposals { changes, mut refused } = proposals(&reader, rootdir, self.explanation, &targets);
        let mut doubts = Vec::new();
        for edits in changes.into_iter().take(FIXES_TRIED) {
            if lab.out_of_time() {
                return Ok(Err(no_time()));
            }
            let git_applied = match check(&reader, &edits) {
                Ok(applied) => applied,
                Err(why) => {
                    refused.get_or_insert(why);
                    continue;
                }
            };
            let (_copy, mut engine) = match for_project_copy(lab, rootdir, &edits)? {
                Ok(found) => found,
                Err(why) => return Ok(Err(not_tried(why))),
            };
            let mut patched = Patched::new(&mut *engine);
            let failing = self.failing(lab);
            let attempt = self.attempt(lab, &mut patched, control);
            let tried = match how_far {
                HowFar::ItsFailure => attempt.with_its_failure(&failing)?,
                HowFar::InOrder => attempt.in_order_too(&failing)?,
                HowFar::ToTheEnd => attempt.run(&failing)?,
            };
            let is_harm = matches!(&tried, Tried::Doubt(doubt) if doubt.of_another);
            if let Some(ended) = end_of_search(tried, &mut doubts) {
                let held = |(passed, parallel, raced)| Held { edits, git_applied, passed, parallel, raced };
                return Ok(ended.map(held));
            }
            // Whatever else keeps the place does the same to a test that needs it changed.
            if is_harm && self.left.is_some() {
                break;
            }
        }
        Ok(Err(no_fix(&doubts, refused, self.brittle, &self.by_hand(lab.suite))))
    }

    /// What becomes of a fix that held so far by itself in a copy that holds others as well.
    ///
    /// # Errors
    /// The run was interrupted.
    pub(crate) fn with_others(
        &self,
        lab: &mut Lab<'_>,
        patched: &mut Patched<'_>,
        control: &mut Control<'_>,
        held: &Held,
        how_far: HowFar,
    ) -> Result<Tried, RunError> {
        let failing = self.failing(lab);
        let in_order = (how_far != HowFar::ItsFailure).then_some(held.passed);
        let before = Before { in_order, raced: held.raced };
        self.attempt(lab, patched, control).with_others(&failing, before)
    }

    /// What keeps changes of such places from other tests, or sets them up for the test that needs it.
    fn by_hand(&self, suite: &Suite) -> String {
        if self.brittle {
            let setters = self.minimal.workers.iter().flatten().filter(|&&test| test != self.test);
            let setters: Vec<&str> = setters.map(|&test| suite.test(test).id.node_id.as_str()).collect();
            return set_up_by_hand(&setters.join(" and "), &self.explanation.places);
        }
        let kinds = self.explanation.places.iter().map(|place| place.kind);
        // What an import sets is no test's to undo.
        let kinds: Vec<StateKind> =
            if self.changed.is_empty() { vec![StateKind::ImportTime] } else { kinds.collect() };
        let mut remedies: Vec<&str> = Vec::new();
        for remedy in kinds.into_iter().map(StateKind::remedy) {
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
        remedies.join("; ")
    }

    /// The plan that has to fail without a fix, if one has to.
    pub(crate) fn failing_plan(&self, lab: &Lab<'_>) -> Option<Plan> {
        self.fails.then(|| self.failing(lab).plan.reseeded(0))
    }

    fn failing(&self, lab: &Lab<'_>) -> Failing {
        let plan = match self.brittle {
            true => alone(self.minimal, lab.suite, self.test, self.minimal.random_seed),
            false => self.minimal.clone(),
        };
        let shared = self.explanation.places.iter().any(|place| place.kind.is_on_disk());
        Failing { plan, fails: self.fails, runs: self.runs, shared, left: self.left.cloned() }
    }

    fn attempt<'s, 'b, 'c, 'd>(
        &'s self,
        lab: &'s mut Lab<'b>,
        patched: &'s mut Patched<'c>,
        control: &'s mut Control<'d>,
    ) -> Attempt<'s, 'b, 'c, 'd> {
        Attempt {
            lab,
            patched,
            control,
            seed: self.seed,
            axes: self.axes,
            test: self.test,
            wanted: self.wanted.clone(),
            failure: self.failure,
            changed: &self.changed,
            sets_up: self.brittle,
            trials: self.trials,
            aim: if self.left.is_some() { Aim::Place } else { Aim::Failure },
        }
    }
}

/// How a test itself sets up places that it needs, as `setters` do: by the lines that were seen to write them, as far as they
/// are known.
fn set_up_by_hand(setters: &str, places: &[Place]) -> String {
    let written = places.iter().filter_map(|place| place.written.as_ref());
    let lines: BTreeSet<String> =
        written.map(|Written { file, line, .. }| format!("{file}:{line}")).collect();
    let lines: Vec<String> = lines.into_iter().collect();
    let by = if lines.is_empty() { String::new() } else { format!(" (at {})", lines.join(" and ")) };
    format!("have a fixture of this test do what {setters} does for it{by}")
}

/// Whether the edited files compile and git takes the diff. True if git does, false if there is no git.
fn check(reader: &Reader, edits: &[Edit]) -> Result<bool, String> {
    for edit in edits {
        let file = &edit.file;
        reader.compiles(file, &edit.after()).map_err(|why| format!("{file} would not compile: {why}"))?;
    }
    let files: Vec<&str> = edits.iter().map(|edit| edit.file.as_str()).collect();
    match apply(edits, &diff(edits)) {
        Applied::Yes => Ok(true),
        Applied::Unknown => Ok(false),
        Applied::No => Err(format!("git does not apply the diff of {}", files.join(" and "))),
    }
}

/// What an attempt says of a fix, if that ends the search: in how many trials the test passed, how many of these were on
/// two workers, and with how many tests it was raced. What speaks against it is taken note of.
fn end_of_search(tried: Tried, doubts: &mut Vec<Doubt>) -> Option<Result<(u32, u32, u32), NoFix>> {
    match tried {
        Tried::Holds { passed, parallel, raced } => Some(Ok((passed, parallel, raced))),
        Tried::NoTime => Some(Err(no_time())),
        Tried::Doubt(doubt) => {
            doubts.push(doubt);
            None
        }
    }
}

/// A copy of the project and an engine that runs it, or why there is none.
type Elsewhere = Result<(Copy, Box<dyn Engine>), &'static str>;

/// A copy of the project with some files changed.
///
/// # Errors
/// The folders or sandboxes for it cannot be made.
pub(crate) fn for_project_copy(lab: &Lab<'_>, rootdir: &Path, edits: &[Edit]) -> Result<Elsewhere, RunError> {
    let Some(copy) = Copy::of(rootdir, edits) else {
        return Ok(Err("the project is too large to be copied, or cannot be read"));
    };
    let engine = lab.for_project_copy(rootdir, copy.path())?;
    let why = "pytest is run in a folder outside of its rootdir, or is given an absolute path";
    Ok(engine.map(|engine| (copy, engine)).ok_or(why))
}

/// That the time was used up before one was tried to the end.
pub(crate) fn no_time() -> NoFix {
    NoFix { why: NoFixReason::NoTime, says: "none: no time to try one to the end".into() }
}

/// That the session was ended before one was tried to the end.
pub(crate) fn session_ended() -> NoFix {
    NoFix { why: NoFixReason::NoTime, says: "none: the session ended before one was tried to the end".into() }
}

/// That none could be tried.
pub(crate) fn not_tried(why: &str) -> NoFix {
    NoFix { why: NoFixReason::NotTried, says: format!("none could be tried: {why}") }
}

/// Why there is none, from what was tried and from what could not be written. The harm that a change did to another
/// test is told before all else. Where nothing was tried, it is said what can be done `by_hand`.
fn no_fix(doubts: &[Doubt], refused: Option<String>, brittle: bool, by_hand: &str) -> NoFix {
    let told = doubts.iter().find(|doubt| doubt.of_another).or(doubts.first());
    match (told, refused) {
        (Some(Doubt { says, .. }), _) => {
            let how = match doubts.len() {
                1 => "tried, and it".to_owned(),
                more => format!("tried {more} changes, of which one"),
            };
            NoFix { why: NoFixReason::Refuted, says: format!("none: {how} {says}") }
        }
        (None, Some(why)) => {
            NoFix { why: NoFixReason::NotEditable, says: format!("none could be made: {why}") }
        }
        (None, None) => {
            let says = match brittle {
                true => {
                    format!("none is known: no statement was found that sets this up; by hand: {by_hand}")
                }
                false => format!("none is known for this kind of place; by hand: {by_hand}"),
            };
            NoFix { why: NoFixReason::Unknown, says }
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
