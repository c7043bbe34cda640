//! From a failure that was seen to a finding: judge it, shrink it, confirm it.

use crate::judge::case::{PassedIn, Verdict};
use crate::judge::finding::{Finding, GivenUp, Kind, Minimal, Origin};
use crate::judge::sight::{Fate, Sight, Wanted, look};
use crate::judge::signature::Crash;
use crate::judge::site::Site;
use crate::judge::{Evidence, Facts, Next, Question, Signature, decide};
use crate::plan::{Interleaving, Plan, WorkerId};
use crate::run::{Execution, Failure, Fixture, Job, Outcome, RunError, Trial};
use crate::session::draws::{Seen, told_apart};
use crate::session::lab::{Lab, alone, serial, serial_of_worker};
use crate::session::nio::pollutes_itself;
use crate::session::{confirm, races};
use crate::shrink::Verdict as Answer;
use crate::shrink::foresight::questions_after;
use crate::shrink::{Oracle, Problem, Shrunk, Stopped, Target, shrink};
use crate::suite::TestIndex;

/// Runs that give no answer before a question is given up.
const PATIENCE: u32 = 3;

/// How often a race is expected to show in a candidate at most.
const RACE_RATE: f64 = 0.8;

/// The rate that is assumed of a failure which showed a few times in a row and then not at all.
const UNKNOWN_RATE: f64 = 0.5;

/// Runs of candidates in search of what makes one test fail. Of lone polluters among 1,000 tests (simulated,
/// `tests/shrink_properties.rs`) 95 of 100 are found within 440 runs where the test fails in half of them, and
/// within 760 where it fails in 3 of 10.
pub const SEARCH: u32 = 1000;

/// After so many answers going through them again for each question takes too long.
const FORESEEABLE: usize = 100;

/// A failure that was seen in a trial and not yet explained.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// Which test failed, and how. Where the teardown of a fixture failed that tests share, the one for which
    /// that was set up.
    pub signature: Signature,
    /// The test that pytest charged.
    pub charged: TestIndex,
    /// Where the failure shows and what it says, which tells several failures of one function apart. Nothing if
    /// that changes from run to run of one plan.
    pub site: Option<Site>,
    /// Whether the test had passed before in the same process, so that it may have polluted itself.
    pub again: bool,
    /// What pytest said of it; absent if the worker was lost.
    pub failure: Option<Failure>,
    /// Where it was seen.
    pub origin: Origin,
    /// The plan of that trial.
    pub plan: Plan,
    /// The worker it ran on.
    pub worker: WorkerId,
}

impl Suspect {
    /// What it is recognised by.
    pub fn wanted(&self) -> Wanted {
        Wanted::of(&self.signature, self.failure.as_ref())
    }

    /// The fixture that failed in its teardown, if tests share it.
    pub fn fixture_torn_down(&self) -> Option<&Fixture> {
        self.failure.as_ref().and_then(Failure::shared_teardown)
    }

    /// The fixture that failed, if one did.
    pub fn fixture(&self) -> Option<&Fixture> {
        self.failure.as_ref().and_then(|failure| failure.fixture.as_ref())
    }
}

/// The failures of a trial, a test that ran twice being judged by its last run.
pub fn suspects(origin: Origin, plan: &Plan, trial: &Trial) -> Vec<Suspect> {
    let last =
        |at: usize| !trial.executions[at + 1..].iter().any(|later| later.test == trial.executions[at].test);
    let failed = trial.executions.iter().enumerate().filter(|(_, run)| run.outcome.is_failure());
    let runs = failed.filter(|&(at, _)| plan.mode == crate::plan::Mode::Each || last(at)).map(|(_, run)| run);
    runs.filter_map(|run| {
        let failure = match &run.outcome {
            Outcome::Failed(failure) => Some(failure.clone()),
            _ => None,
        };
        let mut signature = Signature::of(run.test, &run.outcome)?;
        let shared = failure.as_ref().filter(|failure| failure.shared_teardown().is_some());
        signature.test = shared.and_then(|failure| failure.user).unwrap_or(run.test);
        let site = Some(Site::of(&run.outcome));
        let again = trial.executions.iter().any(|earlier| passed_before(earlier, run));
        Some(Suspect {
            signature,
            site,
            again,
            charged: run.test,
            failure,
            origin,
            plan: plan.clone(),
            worker: run.worker,
        })
    })
    .collect()
}

/// Whether an execution is a pass of the test of another one in the same process, which that is not.
fn passed_before(one: &Execution, failed: &Execution) -> bool {
    let process = |run: &Execution| (run.test, run.worker, run.process);
    process(one) == process(failed) && Fate::of(&one.outcome) == Fate::Passed
}

/// Judges a suspect and, if it is an isolation failure, shrinks and confirms it.
///
/// # Errors
/// Those of the engine. Time that runs out is no error: the finding is then not shrunk to the end.
pub fn investigate(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Finding, RunError> {
    look_into(lab, suspect, false)
}

/// Does so for a failure that the user named. It is shrunk without first running the plan it was seen in
/// again and again; only where that comes to nothing, it is judged as any other.
///
/// # Errors
/// As those of [`investigate`].
pub fn investigate_named(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Finding, RunError> {
    look_into(lab, suspect, true)
}

fn look_into(lab: &mut Lab<'_>, suspect: &Suspect, presumed: bool) -> Result<Finding, RunError> {
    if let Interleaving::Controlled(_) = suspect.plan.interleaving {
        return races::finding(
            lab,
            suspect,
            finding_of(suspect, Verdict::Unreproduced, &Evidence::default()),
        );
    }
    if suspect.again
        && suspect.fixture_torn_down().is_none()
        && let Some(finding) = pollutes_itself(lab, suspect)?
    {
        return Ok(finding);
    }
    let reference = lab.history.passed_in(suspect.signature.test, suspect.plan.hash_seed);
    let reference = reference.map(|record| record.plan.clone());
    let Judgement { verdict, evidence, silent, alone, varying, moves } =
        judge(lab, suspect, reference.as_ref(), presumed)?;
    if let (Verdict::Broken, Some(alone)) = (verdict, &alone)
        && alone.signature != suspect.signature
    {
        return Ok(broken_otherwise(suspect, alone, &evidence));
    }
    let suspect = &if moves { Suspect { site: None, ..suspect.clone() } } else { suspect.clone() };
    let note = silent.map(|question| no_answer(question).to_owned());
    let finding = Finding { note, ..finding_of(suspect, verdict, &evidence) };
    match verdict {
        Verdict::Victim if presumed && evidence.again.runs == 0 => {
            let wanted = wanted(suspect, verdict);
            let target = Target { victim: suspect.signature.test, worker: suspect.worker };
            let looked_for = exactly(suspect, &wanted);
            let shrunk = run_shrinker(lab, suspect.plan.clone(), target, 1.0, &looked_for, Sight::Same)?;
            let given_up = given_up(&shrunk);
            let found = confirm::victim(lab, suspect, &wanted, shrunk, finding, false)?;
            let found = Finding { given_up, ..found };
            let holds = found.kind == Kind::Victim && found.with.always();
            if holds || lab.out_of_time() { Ok(found) } else { look_into(lab, suspect, false) }
        }
        Verdict::Victim | Verdict::Race => shrink_victim(lab, suspect, verdict, &evidence, finding),
        Verdict::Brittle => match reference {
            Some(passing) => shrink_brittle(lab, suspect, &passing, &evidence, finding),
            None => Ok(finding),
        },
        Verdict::Nod if varying.iter().any(|seen| !seen.failed) => {
            told_apart(lab, finding, &Wanted::Failure(suspect.signature.test), &varying)
        }
        Verdict::Nod | Verdict::HashSeed | Verdict::Broken | Verdict::Unreproduced => Ok(finding),
    }
}

fn wanted(suspect: &Suspect, verdict: Verdict) -> Wanted {
    match suspect.fixture() {
        Some(fixture) if verdict == Verdict::Race => {
            Wanted::Fixture(fixture.clone(), suspect.signature.crash.clone())
        }
        _ => suspect.wanted(),
    }
}

/// What a suspect is told from other failures of its test by, so that shrinking does not slip to another: the
/// lines too, unless these change from run to run. Values in its message may change with what runs before.
fn exactly(suspect: &Suspect, wanted: &Wanted) -> Wanted {
    match (wanted, &suspect.site) {
        (Wanted::Signature(signature), Some(site)) => Wanted::At(signature.clone(), site.lines),
        _ => wanted.clone(),
    }
}

/// What a suspect was judged to be.
struct Judgement {
    verdict: Verdict,
    evidence: Evidence,
    /// Whether one and the same plan shows the failure at several places.
    moves: bool,
    /// The question that was given up, as its runs gave no answer.
    silent: Option<Question>,
    /// How the test failed alone, if it did.
    alone: Option<Suspect>,
    /// The runs of the test alone, each with a random seed of its own.
    varying: Vec<Seen>,
}

/// What is to be said of a test that fails alone, and elsewhere failed in another way.
fn broken_otherwise(suspect: &Suspect, alone: &Suspect, evidence: &Evidence) -> Finding {
    let Crash { phase, exception, file, function } = &suspect.signature.crash;
    let phase = phase.name();
    let place = if file.is_empty() { function.clone() } else { format!("in {function} ({file})") };
    let note = format!(
        "beside other tests it was seen to fail in another way: {exception} {place}, in its {phase}; that was not \
         looked into, as it fails alone"
    );
    let mut finding = finding_of(alone, Verdict::Broken, evidence);
    finding.note = Some(note);
    finding
}

/// Why no claim is made where a question had no answer.
fn no_answer(question: Question) -> &'static str {
    match question {
        Question::Alone | Question::AloneWherePassed => {
            "it is skipped, or not run, alone, so that nothing tells whether other tests make it fail"
        }
        Question::Again | Question::Serial => "when its plan was run again, it was skipped, or not run",
        Question::PassedAgain => {
            "when the plan in which it had passed was run again, it was skipped, or not run"
        }
    }
}

fn judge(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    reference: Option<&Plan>,
    presumed: bool,
) -> Result<Judgement, RunError> {
    let plan = &suspect.plan;
    let passed_in = match reference {
        None => PassedIn::Nothing,
        Some(passing) if passing.hash_seed == plan.hash_seed => PassedIn::SameHashSeed,
        Some(_) => PassedIn::OtherHashSeed,
    };
    let facts = Facts { parallel: plan.workers.len() > 1, passed_in, presumed };
    let any = Wanted::Failure(suspect.signature.test);
    let anywhere = Wanted::any(&suspect.signature, suspect.failure.as_ref());
    let loosely = wanted(suspect, if facts.parallel { Verdict::Race } else { Verdict::Victim });
    let mut same = exactly(suspect, &loosely);
    know_alone(lab, plan, suspect.signature.test)?;
    let mut evidence = Evidence::default();
    let mut failed_alone = None;
    let (mut silent, mut varying) = (0, Vec::new());
    let mut moves = false;
    loop {
        let (question, times) = match decide(facts, &evidence) {
            Next::Done(verdict) => {
                return Ok(Judgement {
                    verdict,
                    evidence,
                    silent: None,
                    alone: failed_alone,
                    varying,
                    moves,
                });
            }
            Next::Ask(question, _) if lab.out_of_time() || silent >= PATIENCE => {
                let silent = (silent >= PATIENCE).then_some(question);
                let verdict = Verdict::Unreproduced;
                return Ok(Judgement { verdict, evidence, silent, alone: failed_alone, varying, moves });
            }
            Next::Ask(question, times) => (question, times),
        };
        let runs = evidence.tally(question).runs..times;
        let plans: Vec<Plan> =
            runs.map(|run| question_plan(lab, question, suspect, reference, run)).collect();
        let jobs: Vec<Job<'_>> = plans.iter().map(Job::of).collect();
        let trials = lab.probes(&jobs)?;
        for (plan, trial) in plans.into_iter().zip(trials) {
            if question == Question::Alone && failed_alone.is_none() {
                failed_alone = suspects(Origin::Alone, &plan, &trial).into_iter().next();
            }
            if question == Question::Again && look(&trial, &same) == Sight::Other {
                moves |= look(&trial, &loosely) == Sight::Same;
            }
            if moves {
                same = loosely.clone();
            }
            let looked_for = match question {
                Question::Again | Question::Serial => &same,
                Question::PassedAgain => &anywhere,
                Question::Alone | Question::AloneWherePassed => &any,
            };
            let Some(failed) = look(&trial, looked_for).shown() else {
                silent += 1;
                continue;
            };
            evidence.add(question, failed);
            if matches!(question, Question::Alone | Question::AloneWherePassed) {
                varying.push(Seen { plan, fresh: false, failed });
            }
        }
    }
}

/// Finds out how a test fares alone in a fork, if it would be run in one and it is not known.
fn know_alone(lab: &mut Lab<'_>, plan: &Plan, test: TestIndex) -> Result<(), RunError> {
    let in_fork = lab.in_forks(&alone(plan, lab.suite, test, plan.random_seed));
    if lab.forks(&in_fork) && lab.history.failed_alone(test, plan.hash_seed).is_none() {
        lab.probe(&in_fork)?;
    }
    Ok(())
}

fn question_plan(
    lab: &Lab<'_>,
    question: Question,
    suspect: &Suspect,
    reference: Option<&Plan>,
    run: u32,
) -> Plan {
    let (plan, test) = (&suspect.plan, suspect.signature.test);
    let random_seed = plan.random_seed.wrapping_add(run);
    match question {
        Question::Alone => lab.alone(plan, test, random_seed),
        Question::Again => plan.clone(),
        Question::Serial => serial_of_worker(plan, suspect.worker),
        Question::AloneWherePassed => lab.alone(reference.unwrap_or(plan), test, random_seed),
        Question::PassedAgain => reference.unwrap_or(plan).clone(),
    }
}

pub(super) fn finding_of(suspect: &Suspect, verdict: Verdict, evidence: &Evidence) -> Finding {
    let kind = match verdict {
        Verdict::Victim => Kind::Victim,
        Verdict::Race => Kind::Race,
        Verdict::Brittle => Kind::Brittle,
        Verdict::HashSeed => Kind::HashSeed,
        Verdict::Nod => Kind::Nod,
        Verdict::Broken => Kind::Broken,
        Verdict::Unreproduced => Kind::Unreproduced,
    };
    let with = match verdict {
        Verdict::Brittle => evidence.passed_again,
        _ => evidence.again,
    };
    Finding {
        signature: Some(suspect.signature.clone()),
        failure: suspect.failure.clone(),
        plan: Some(suspect.plan.clone()),
        with,
        without: evidence.alone,
        ..Finding::new(kind, Some(suspect.signature.test), suspect.origin)
    }
}

fn shrink_victim(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    verdict: Verdict,
    evidence: &Evidence,
    finding: Finding,
) -> Result<Finding, RunError> {
    let wanted = wanted(suspect, verdict);
    let serially = verdict == Verdict::Victim && suspect.plan.workers.len() > 1;
    let (plan, worker, tally) = if serially {
        (serial_of_worker(&suspect.plan, suspect.worker), WorkerId(0), evidence.serial)
    } else {
        (suspect.plan.clone(), suspect.worker, evidence.again)
    };
    let target = Target { victim: suspect.signature.test, worker };
    // Nothing controls how workers interleave, so that a race which always showed in the plan may show
    // at times in a smaller one.
    let most = if verdict == Verdict::Race { RACE_RATE } else { 1.0 };
    let rate = tally.rate_at_least().min(most);
    let varies = !(evidence.again.always() && tally.always());
    let confirmed = |lab: &mut Lab<'_>, rate: f64| {
        let looked_for = exactly(suspect, &wanted);
        let shrunk = run_shrinker(lab, plan.clone(), target, rate, &looked_for, Sight::Same)?;
        let given_up = given_up(&shrunk);
        let found = confirm::victim(lab, suspect, &wanted, shrunk, finding.clone(), varies)?;
        Ok::<_, RunError>(Finding { given_up, ..found })
    };
    let found = confirmed(lab, rate)?;
    if rate < 1.0 || found.with.always() || found.kind == Kind::Broken {
        return Ok(found);
    }
    // It seemed to fail each time, so that every pass was believed, and it does not.
    let measured = found.with.rate_at_least();
    confirmed(lab, if measured > 0.0 { measured } else { UNKNOWN_RATE })
}

/// How far a search came that was given up.
fn given_up(shrunk: &Shrunk) -> Option<GivenUp> {
    shrunk.exhausted.then(|| GivenUp { runs: shrunk.calls, suspects: shrunk.odds.clone() })
}

fn shrink_brittle(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    passing: &Plan,
    evidence: &Evidence,
    finding: Finding,
) -> Result<Finding, RunError> {
    let test = suspect.signature.test;
    let worker = passing.workers.iter().position(|list| list.contains(&test)).unwrap_or_default();
    let plan = serial(passing, passing.workers[worker].clone());
    let target = Target { victim: test, worker: WorkerId(0) };
    let rate = 1.0 - evidence.passed_again.rate();
    let wanted = Wanted::any(&suspect.signature, suspect.failure.as_ref());
    let shrunk = run_shrinker(lab, plan, target, rate, &wanted, Sight::Passed)?;
    let given_up = given_up(&shrunk);
    Ok(Finding { given_up, ..confirm::brittle(lab, suspect, shrunk, finding)? })
}

/// Asks real pytest whether a candidate still shows what is looked for.
struct PytestOracle<'a, 'b> {
    lab: &'a mut Lab<'b>,
    wanted: &'a Wanted,
    reproduces: Sight,
    problem: &'a Problem<'a>,
    /// What was answered so far, from which follows what may be asked next.
    answers: Vec<Answer>,
    /// Trials of plans that were not asked about yet. Whether one ever is depends on the answers alone,
    /// and nothing is learnt from one that is not, so that the outcome is the same on any machine.
    ahead: Vec<(Plan, Trial)>,
    error: Option<RunError>,
}

impl Oracle for PytestOracle<'_, '_> {
    fn verdict(&mut self, candidate: &Plan) -> Result<Answer, Stopped> {
        if self.lab.out_of_time() {
            return Err(Stopped);
        }
        let trial = self.trial(candidate).map_err(|error| {
            self.error = Some(error);
            Stopped
        })?;
        let answer = match look(&trial, self.wanted) {
            sight if sight == self.reproduces => Answer::Reproduces,
            Sight::Passed | Sight::Same => Answer::Passes,
            Sight::Other | Sight::Unknown => Answer::Unresolved,
        };
        self.answers.push(answer);
        Ok(answer)
    }
}

impl PytestOracle<'_, '_> {
    /// A trial of a candidate; those of plans that may be asked about next run beside it.
    fn trial(&mut self, candidate: &Plan) -> Result<Trial, RunError> {
        let at = match self.ahead.iter().position(|(plan, _)| plan == candidate) {
            Some(at) => at,
            None => {
                let foreseeable = self.answers.len() < FORESEEABLE;
                let room = if foreseeable { self.lab.at_once(candidate) as usize - 1 } else { 0 };
                let next = questions_after(self.problem, &self.answers, room);
                let plans: Vec<Plan> = std::iter::once(candidate.clone()).chain(next).collect();
                let trials = self.lab.run_ahead(&plans)?;
                self.ahead = plans.into_iter().zip(trials).collect();
                0
            }
        };
        let (plan, trial) = self.ahead.swap_remove(at);
        self.lab.probed(&plan, &trial);
        Ok(trial)
    }
}

fn run_shrinker(
    lab: &mut Lab<'_>,
    plan: Plan,
    target: Target,
    rate: f64,
    wanted: &Wanted,
    reproduces: Sight,
) -> Result<Shrunk, RunError> {
    let suite = lab.suite;
    // Where any test may be charged, what came before one of them says nothing.
    let of_test = matches!(wanted, Wanted::Signature(_) | Wanted::At(..) | Wanted::Failure(_));
    let suspects = if of_test { lab.history.prefixes(target.victim) } else { Vec::new() };
    let seen = suspects
        .into_iter()
        .map(|(before, failed)| (before, failed == (reproduces == Sight::Same)))
        .collect();
    let keeps_imports = lab.forks(&plan);
    let problem = Problem::new(plan, target, suite, seen, rate).keeping_imports(keeps_imports).within(SEARCH);
    let mut oracle = PytestOracle {
        lab,
        wanted,
        reproduces,
        problem: &problem,
        answers: Vec::new(),
        ahead: Vec::new(),
        error: None,
    };
    let shrunk = shrink(&problem, &mut oracle);
    match oracle.error {
        Some(error @ RunError::Interrupted) => Err(error),
        _ => Ok(shrunk),
    }
}

/// The other tests of a shrunk plan, and the files that are imported for nothing but their import.
pub fn minimal(lab: &Lab<'_>, shrunk: &Shrunk, victim: TestIndex) -> Minimal {
    let tests: Vec<TestIndex> = shrunk.plan.workers.iter().flatten().copied().collect();
    let mut culprits = tests.clone();
    if let Some(at) = culprits.iter().rposition(|&test| test == victim) {
        culprits.remove(at);
    }
    let of_tests: Vec<&str> = tests.iter().map(|&test| lab.suite.test(test).file.as_str()).collect();
    let imports = match &shrunk.plan.imports {
        crate::plan::Imports::Only(files) => {
            files.iter().filter(|file| !of_tests.contains(&file.as_str())).cloned().collect()
        }
        crate::plan::Imports::All => Vec::new(),
    };
    let plan = shrunk.plan.clone();
    Minimal { plan, culprits, imports, one_minimal: shrunk.one_minimal, calls: shrunk.calls }
}
